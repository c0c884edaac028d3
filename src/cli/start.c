/* start.c - start-cli's own options, and a command from its words to its exit code; see start.h. */
#include "cli/start.h"

#include "base/log.h"
#include "base/mem.h"
#include "cli/start_room.h"

#include <stdlib.h>

static int refuse(const char *what, const char *word) {
    fprintf(stderr, "start-cli: %s%s%s; start-cli --help lists what there is\n", what, word ? " " : "",
            word ? word : "");
    return 2;
}

/* An option of start-cli itself. 1: it was one, 0: it was none, -1: refused. Behind the command only those count that no command has
 * (the first two of the list): --host may be a mail server. */
static int take_option(struct start *s, int argc, char **argv, int *i) {
    const char *word = argv[*i];
    static const char *const with_value[] = {"--format", "-H", "--host", "--cacert", "--key", "--run"};
    if (!strcmp(word, "-h") || !strcmp(word, "--help")) return s->help = true, 1;
    if (!strcmp(word, "-f") || !strcmp(word, "--follow")) return s->follow = true, 1;
    size_t n = s->word_n ? 2 : sizeof with_value / sizeof with_value[0];
    for (size_t k = 0; k < n; k++) {
        size_t len = strlen(with_value[k]);
        bool joined = !strncmp(word, with_value[k], len) && word[len] == '=';
        if (!joined && strcmp(word, with_value[k]) != 0) continue;
        const char *value = joined ? word + len + 1 : *i + 1 < argc ? argv[++*i] : NULL;
        if (!value) return refuse("want a value behind", word), -1;
        switch (k) {
        case 0: return start_form(value, &s->form) ? 1 : (refuse("there is no format", value), -1);
        case 1:
        case 2: s->host = value; return 1;
        case 3: s->cacert = value; return 1;
        case 4: s->key = value; return 1;
        default: s->run = value; return 1;
        }
    }
    return 0;
}

static int read_words(struct start *s, int argc, char **argv) {
    bool plain = false;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--")) plain = true;
        int took = plain ? 0 : take_option(s, argc, argv, &i);
        if (took < 0) return 2;
        if (!took) s->words[s->word_n++] = argv[i];
    }
    return 0;
}

static int tell(const struct start *s, const struct err *e) {
    fprintf(stderr, "start-cli: %s", e->text);
    if (strstr(e->text, "pinned"))
        fprintf(stderr, "; if the box was set up anew, take its line out of ~/.config/startbox/pins.json");
    if (e->code != ERR_USAGE) fprintf(stderr, " (%s)", words_label(s->language, e->code));
    fputc('\n', stderr);
    return err_exit(e->code);
}

static bool run_call(struct start *s, struct line *l, const struct method *m, struct val *params, struct err *e) {
    struct val result = val_none;
    const struct start_way *way = s->follow ? start_follow_way() : start_way(m);
    if (way) return way->run(s, l, m, params, e);
    bool good = line_call(l, m->name, params, &result, e);
    /* Work that goes on is waited for; what was begun is the result only for who wants it as it came. */
    bool goes_on = good && start_has_progress(&result);
    if (goes_on) good = start_progress(l, &result, e);
    if (good && (!goes_on || s->form != SHOW_AUTO)) good = start_show(&result, s->form, e);
    val_unref(&result);
    return good;
}

static int run_method(struct start *s, const struct method *m, size_t used) {
    struct err e = ERR_INIT;
    struct val params = val_none;
    char cookie[300], key[400], pin[LINE_PIN];
    if (!start_params(s, m, used, &params, &e)) return tell(s, &e);
    const struct line_config config = {.run = s->run,
                                       .host = s->host,
                                       .cacert = s->cacert,
                                       .pin = start_pin(s, pin),
                                       .cookie = start_cookie(s, cookie, sizeof cookie),
                                       .key = start_key(s, key, sizeof key)};
    struct line *l = line_open(&config, &e);
    bool good = l && run_call(s, l, m, &params, &e);
    if (l) start_keep_pin(s, l);
    line_close(l);
    val_unref(&params);
    return good ? 0 : tell(s, &e);
}

static const struct method *row_of(const struct start *s, const char *name) {
    for (size_t i = 0; i < s->row_n; i++)
        if (!strcmp(s->rows[i]->name, name)) return s->rows[i];
    return NULL;
}

static bool words_are(const struct start *s, const char *first, const char *second) {
    return s->word_n >= 2 && !strcmp(s->words[0], first) && !strcmp(s->words[1], second);
}

static int run(struct start *s) {
    size_t used = 0;
    if (s->word_n && !strcmp(s->words[0], "--version")) {
        printf("start-cli %s\n", STARTBOX_VERSION);
        return 0;
    }
    if (s->word_n == 2 && !strcmp(s->words[0], "completion")) return start_completion(s, s->words[1]);
    int code;
    if (start_alone(s, &code)) return code;
    const struct method *m = NULL;
    if (words_are(s, "db", "watch")) {
        m = row_of(s, "db.subscribe");
        used = 2;
    } else
        m = start_find(s, &used);
    if (m && s->follow) { /* a feed of the same name, where there is one */
        char name[120];
        snprintf(name, sizeof name, "%s.follow", m->name);
        if (!(m = row_of(s, name))) return refuse("nothing to follow in", s->words[0]);
    }
    if (m && !s->help) return run_method(s, m, used);
    if (m) {
        start_help_method(s, m, stdout);
        return 0;
    }
    if (used && used == s->word_n) {
        start_help_group(s, used, s->help ? stdout : stderr);
        return s->help ? 0 : 2;
    }
    if (s->word_n && !s->help) return refuse("there is no command", s->words[used < s->word_n ? used : 0]);
    start_help(s, s->help ? stdout : stderr);
    return s->help ? 0 : 2;
}

/* As POSIX orders them: the first that is not empty. */
static enum words_language find_language(void) {
    static const char *const names[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *tag = getenv(names[i]);
        if (tag && tag[0]) return words_from_tag(slice_str(tag));
    }
    return WORDS_EN;
}

int start_cli_main(int argc, char **argv, const struct method *const *rows, size_t row_n) {
    struct start s = {.rows = rows, .row_n = row_n, .run = getenv("STARTBOX_RUN"), .host = getenv("STARTBOX_HOST")};
    if (!s.run || !s.run[0]) s.run = "/run/startbox";
    if (s.host && !s.host[0]) s.host = NULL;
    s.language = find_language();
    log_set_level(LOG_WARN);
    s.words = mem_get_zero((size_t)argc * sizeof *s.words);
    if (!s.words) return 71;
    int code = read_words(&s, argc, argv);
    if (!code) code = run(&s);
    mem_put(s.words, (size_t)argc * sizeof *s.words);
    return code;
}
