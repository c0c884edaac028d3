/* state.c - options of `startbox state`, and the reactor its commands run in; see state.h. */
#include "cli/state.h"

#include "base/log.h"
#include "base/num.h"
#include "cli/state_tool.h"

#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
    "usage: startbox state check DIR             what a start would make of the store: its revision, and what is "
    "wrong\n"
    "       startbox state dump DIR [--cbor]     the tree, without secrets\n"
    "       startbox state repair DIR [--to N]   says what can be had; --to N: goes back to revision N\n"
    "       startbox state time DIR              loads it, writes a snapshot, commits; how long each takes\n"
    "       startbox state work DIR N [--callers C] [--keys K] [--bytes B] [--quiet]\n"
    "                                            N commits; says ACK R when revision R is durable\n"
    "       startbox state fill DIR N            a store with N small entries\n"
    "Exit codes: 0 good, 1 something is damaged (also when nothing is lost by it) or refused, 2 wrong usage, 4 there "
    "is "
    "no store,\n"
    "71 the folder cannot be opened or the disk failed. work, time and fill are for stores of their own.\n";

static const struct state_command *const commands[] = {&state_check, &state_dump, &state_repair,
                                                       &state_work,  &state_fill, &state_time};

/* --- the reactor --- */

void state_tool_over(struct state_tool *t, int code) {
    loop_stop(t->loop, code);
}

void state_tool_fail(struct state_tool *t, const struct err *e) {
    if (t->failed) return; /* every caller would say the same */
    t->failed = true;
    fprintf(stderr, "startbox state %s: %s\n", t->command->name, e->text);
    loop_stop(t->loop, err_exit(e->code));
}

static void noticed(struct port *p, struct slice name, const struct val *value, struct link_frame *frame) {
    struct state_tool *t = LOOP_OWNER(struct state_tool, warden, p);
    struct err e = ERR_INIT;
    if (slice_eq(name, LIT("end")) || slice_eq(name, LIT("reload"))) {
        if (t->command->end)
            t->command->end(t);
        else
            loop_stop(t->loop, 70);
    } else if (slice_eq(name, LIT("hand")) && val_is_text(val_get(value, LIT("hand")), LIT("disk"))) {
        port_stop(&t->disk);
        if (!port_start(&t->disk, t->loop, link_frame_take_fd(frame, 0), &e))
            state_tool_fail(t, &e);
        else if (t->command->hand)
            t->command->hand(t);
    }
}

static void warden_gone(struct port *p) {
    loop_stop(LOOP_OWNER(struct state_tool, warden, p)->loop, 70);
}

static bool open_all(struct state_tool *t, const struct warden_birth *birth, struct err *e) {
    struct jail_report report;
    if (!(t->loop = loop_new(e))) return false;
    t->warden.notice = noticed;
    t->warden.gone = warden_gone;
    t->warden.name = "warden";
    t->disk.name = "disk";
    t->store = (struct store_disk){.loop = t->loop, .port = &t->disk, .root = "state", .folder = ""};
    return port_start(&t->warden, t->loop, birth->warden_fd, e) && port_start(&t->disk, t->loop, birth->disk_fd, e) &&
           jail_enter(&birth->jail, &report, e) && t->command->begin(t, e);
}

static int run_reactor(const struct warden_birth *birth, void *arg) {
    struct state_tool *t = arg;
    struct err e = ERR_INIT;
    int code = 1;
    log_set_level(LOG_WARN);
    if (open_all(t, birth, &e))
        code = loop_run(t->loop);
    else {
        fprintf(stderr, "startbox state %s: %s\n", t->command->name, e.text);
        code = err_exit(e.code);
    }
    t->command->release(t);
    port_stop(&t->disk);
    port_stop(&t->warden);
    if (t->loop) {
        loop_turn(t->loop, 0);
        loop_free(t->loop);
    }
    if ((fflush(stdout) || ferror(stdout)) && !code) {
        fprintf(stderr, "startbox state %s: standard output takes no more\n", t->command->name);
        code = 71;
    }
    return code;
}

/* --- options --- */

static int refuse(const char *what, const char *word) {
    fprintf(stderr, "startbox state: %s%s%s\n%s", what, word ? " " : "", word ? word : "", usage);
    return 2;
}

static bool read_number(const char *text, uint64_t *n) {
    return text && num_read_u64(slice_str(text), 1, INT64_MAX, n);
}

static int read_options(int argc, char **argv, const struct state_command *c, struct state_options *o) {
    bool counts = c == &state_work || c == &state_fill, has_n = false;
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (!strcmp(word, "--help")) {
            fputs(usage, stdout);
            exit(0);
        }
        if (word[0] != '-') {
            if (!o->folder)
                o->folder = word;
            else if (counts && !has_n && read_number(word, &o->n))
                has_n = true;
            else
                return refuse(counts && !has_n ? "want a number from 1 on, found" : "one word too many:", word);
            continue;
        }
        uint64_t *number = !strcmp(word, "--callers") && c == &state_work ? &o->callers
                           : !strcmp(word, "--keys") && c == &state_work  ? &o->keys
                           : !strcmp(word, "--bytes") && c == &state_work ? &o->bytes
                           : !strcmp(word, "--to") && c == &state_repair  ? &o->to
                                                                          : NULL;
        if (number && (++i >= argc || !read_number(argv[i], number))) return refuse("want a number behind", word);
        if (number)
            o->has_to |= number == &o->to;
        else if (!strcmp(word, "--quiet") && c == &state_work)
            o->quiet = true;
        else if (!strcmp(word, "--cbor") && c == &state_dump)
            o->cbor = true;
        else
            return refuse("there is no option", word);
    }
    if (!o->folder) return refuse("want a folder", NULL);
    if (counts && !has_n) return refuse("want a number of commits or entries", NULL);
    if (o->callers > 10000 || o->bytes > 1u << 20 || o->keys > 10000000)
        return refuse("at most 10000 callers, 10000000 keys, 1048576 bytes", NULL);
    return 0;
}

int state_main(int argc, char **argv) {
    if (argc >= 1 && !strcmp(argv[0], "--help")) {
        fputs(usage, stdout);
        return 0;
    }
    for (size_t i = 0; argc >= 1 && i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(argv[0], commands[i]->name) != 0) continue;
        struct state_options o = {.callers = 1, .keys = 100, .bytes = 20};
        int code = read_options(argc, argv, commands[i], &o);
        if (code) return code;
        struct state_tool tool = {.options = &o, .command = commands[i]};
        const struct warden_root root = {"state", o.folder, commands[i]->writes};
        const struct warden_config config = {
            .roots = &root, .root_n = 1, .reactor = run_reactor, .arg = &tool, .once = true};
        return warden_run(&config);
    }
    return refuse(argc >= 1 ? "there is no command" : "want a command", argc >= 1 ? argv[0] : NULL);
}
