/* log_hand.c - what everybody in a real warden's family says is kept and shown: whoever dies, floods, or stops the disk. */
#include "wardens.h"

#include "warden/logline.h"

#include <poll.h>

/* --- a warden whose standard error is a file of the test --- */

struct stage {
    struct place p;
    char shown[100]; /* the path of standard error */
};

static bool stage_make(struct stage *s) {
    shared_begin();
    if (!place_make(&s->p, 1234)) return false;
    snprintf(s->shown, sizeof s->shown, "%s/shown", s->p.base);
    return true;
}

static void stage_remove(struct stage *s) {
    place_remove(&s->p);
}

static struct warden_config config_of(struct stage *s, int (*reactor)(const struct warden_birth *, void *)) {
    return (struct warden_config){
        .roots = s->p.roots, .root_n = 2, .reactor = reactor, .end_ms = 2000, .log_root = "data", .log_folder = "logs"};
}

/* As warden_begin, but its log is not swallowed. to: its standard output and error; -1: the stage's file. */
static pid_t begin_shown(const struct stage *s, const struct warden_config *c, int to, bool as_nobody) {
    fflush(NULL);
    pid_t pid = fork();
    if (pid) return pid;
    if (to < 0) to = open(s->shown, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (dup2(to, 1) < 0 || dup2(to, 2) < 0) _exit(98);
    close(to);
    log_use(NULL, NULL);
    if (as_nobody && geteuid() == 0 && (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))) _exit(99);
    sh->blocks_before = (long long)mem_stats().live_blocks;
    sh->fds_before = count_fds(getpid());
    mem_fault((uint64_t)sh->number[9], 0); /* 0: none */
    int code = warden_run(c);
    sh->number[10] = mem_fault_hit();
    mem_fault(0, 0);
    sh->blocks_after = (long long)mem_stats().live_blocks;
    sh->fds_after = count_fds(getpid());
    if (write(1, "out again\n", 10) != 10 || write(2, "error again\n", 12) != 12) _exit(97);
    _exit(code);
}

/* --- what was kept --- */

struct kept {
    unsigned lines, bad, boots;
    uint64_t first, last;
    bool rising;
};

/* How often a text was kept, from the oldest file on; with want NULL: any. */
static unsigned count_kept(const struct stage *s, const char *want, unsigned priority, struct kept *k) {
    unsigned n = 0;
    static const char *const names[] = {"startd.log.3", "startd.log.2", "startd.log.1", "startd.log"};
    struct kept found = {.rising = true};
    char boot[40] = "", plain[40] = "";
    FILE *f = fopen("/proc/sys/kernel/random/boot_id", "r");
    if (f && fgets(boot, sizeof boot, f))
        for (char *c = boot, *to = plain; *c && *c != '\n'; c++)
            if (*c != '-') *to++ = *c;
    if (f) fclose(f);
    for (int i = 0; i < 4; i++) {
        char path[200];
        snprintf(path, sizeof path, "%s/logs/%s", s->p.data, names[i]);
        if (access(path, F_OK)) continue;
        struct slice all = tap_file(path), rest = all;
        while (rest.len) {
            struct logline l;
            if (!logline_read(slice_cut(&rest, '\n'), &l, NULL)) {
                found.bad++;
                continue;
            }
            struct slice text = val_as_text(&l.text);
            n += want && l.priority == priority && slice_eq(text, slice_str(want));
            found.boots += !strcmp(l.boot, plain);
            found.rising &= !found.lines || l.seq > found.last;
            if (!found.lines++) found.first = l.seq;
            found.last = l.seq;
            logline_release(&l);
        }
        tap_free(all);
    }
    if (k) *k = found;
    return n;
}

static bool was_shown(const struct stage *s, const char *part) {
    struct slice all = tap_file(s->shown);
    bool found = false;
    for (size_t i = 0; !found && i < all.len; i++) found = slice_starts(slice_skip(all, i), slice_str(part));
    tap_free(all);
    return found;
}

/* --- everybody's words --- */

static bool talk(struct job_call *c, struct val *result, struct err *e) {
    (void)c;
    (void)e;
    log_warn("a job speaks");
    *result = val_empty_map();
    return true;
}
static const struct job_row talking[] = {{.verb = {.name = "test.talk"}, .run = talk, .jail = JAIL_COUNT}};

static int speak(const struct warden_birth *birth, void *arg) {
    (void)arg;
    struct reactor r;
    if (birth->round == 0) {
        if (!reactor_open(&r, birth)) return 1;
        SEE_INT(code_of(&r, "test.talk", NO_ARGS), ERR_NONE);
        log_note("the reactor speaks");
        printf("a line of stdout %d\n", 7);
        fputs("raw words\n<3>with a head\nhalf a li", stderr);
        fputs("ne, \x01\xff\n\nand the last words", stderr);
        abort();
    }
    log_note("the second reactor speaks");
    return 0;
}

TEST(what_everybody_says_is_kept_with_priorities_and_shown_as_it_came) {
    struct stage s;
    struct kept k;
    if (!stage_make(&s)) return;
    struct warden_config c = config_of(&s, speak);
    c.jobs = talking;
    c.job_n = 1;
    int64_t before = clock_wall_ms();
    CHECK_INT(warden_end(begin_shown(&s, &c, -1, false)), 0);
    CHECK(before <= clock_wall_ms());
    check_seen(4);
    CHECK_INT(count_kept(&s, "a job speaks", 4, NULL), 1);
    CHECK_INT(count_kept(&s, "the reactor speaks", 5, NULL), 1);
    CHECK_INT(count_kept(&s, "a line of stdout 7", 5, NULL), 1);
    CHECK_INT(count_kept(&s, "raw words", 5, NULL), 1);
    CHECK_INT(count_kept(&s, "with a head", 3, NULL), 1);
    CHECK_INT(count_kept(&s, "half a line, \x01\xef\xbf\xbd", 5, NULL), 1);
    CHECK_INT(count_kept(&s, "", 5, NULL), 1);
    /* The last words have no end, so what the warden says next stands behind them. */
    CHECK_INT(count_kept(&s, "the second reactor speaks", 5, &k), 1);
    CHECK(k.rising && !k.bad && k.boots == k.lines && k.first == 1 && k.last == k.lines);
    CHECK(was_shown(&s, "<4>a job speaks\n") && was_shown(&s, "<5>the reactor speaks\n"));
    CHECK(was_shown(&s, "raw words\n<3>with a head\nhalf a line, \x01\xff\n\nand the last words"));
    CHECK(was_shown(&s, "<5>the second reactor speaks\n"));
    CHECK(was_shown(&s, "out again\nerror again\n")); /* the standard output and error there were */
    char path[200];
    struct stat st;
    snprintf(path, sizeof path, "%s/logs/startd.log", s.p.data);
    CHECK(stat(path, &st) == 0 && (st.st_mode & 07777) == 0600);
    if (geteuid() == 0) CHECK_INT(st.st_uid, 1234); /* whose the root is, so that the disk hand can read it */
    stage_remove(&s);
}

static int stand(const struct warden_birth *birth, void *arg) {
    (void)arg;
    struct reactor r;
    if (!reactor_open(&r, birth)) return 1;
    log_note("standing");
    sh->stage = 1;
    while (strcmp(r.notice, "end") != 0) {
        loop_turn(r.loop, 10);
        if (sh->stage == 2) {
            log_note("while nobody listens");
            sh->stage = 3;
        }
    }
    log_note("ending");
    return 0;
}

TEST(the_hand_is_jailed_and_has_nothing_but_the_pipe_the_terminal_and_its_root) {
    struct stage s;
    if (!stage_make(&s)) return;
    struct warden_config c = config_of(&s, stand);
    pid_t warden = begin_shown(&s, &c, -1, false), hand = 0;
    CHECK(UNTIL(sh->stage == 1));
    CHECK(UNTIL(count_kept(&s, "standing", 5, NULL) == 1));
    CHECK((hand = child_named(warden, "sb-log")) != 0);
    CHECK(!jail_has_seccomp() || status_number(hand, "Seccomp:") == 2);
    if (geteuid() == 0) {
        char path[64], to[300];
        unsigned pipes = 0, roots = 0, files = 0, others = 0;
        snprintf(path, sizeof path, "/proc/%d/fd", (int)hand);
        DIR *d = opendir(path);
        for (struct dirent *entry; d && (entry = readdir(d));) {
            ssize_t n = readlinkat(dirfd(d), entry->d_name, to, sizeof to - 1);
            if (n < 0) continue;
            to[n] = 0;
            if (!strcmp(entry->d_name, "0"))
                continue;
            else if (!strncmp(to, "pipe:", 5))
                pipes++;
            else if (!strcmp(to, s.shown))
                files++;
            else if (!strncmp(to, s.p.data, strlen(s.p.data)))
                roots++;
            else
                others++;
        }
        if (d) closedir(d);
        CHECK_INT(pipes, 1); /* its reading end: with a writing end of its own it would never end */
        CHECK_INT(files, 3); /* standard output and error, and the real one */
        CHECK_INT(roots, 3); /* root, folder, file */
        CHECK_INT(others, 0);
        CHECK_INT(status_number(hand, "Uid:"), 1234);
        CHECK_INT(status_number(hand, "CapEff"), 0);
    } else
        tap_skip("not root: nobody may look at the descriptors of these processes, and nobody changes their user");
    CHECK(kill_one(warden, SIGTERM));
    CHECK_INT(warden_end(warden), 0);
    CHECK_INT(count_kept(&s, "ending", 5, NULL), 1);
    CHECK(is_over(hand));
    stage_remove(&s);
}

TEST(a_hand_that_is_killed_is_begun_again_and_what_was_said_meanwhile_is_kept) {
    struct stage s;
    struct kept k;
    if (!stage_make(&s)) return;
    struct warden_config c = config_of(&s, stand);
    pid_t warden = begin_shown(&s, &c, -1, false), hand = 0;
    CHECK(UNTIL(sh->stage == 1));
    CHECK(UNTIL((hand = child_named(warden, "sb-log")) != 0));
    for (int i = 0; i < 3; i++) {
        CHECK(kill_one(hand, SIGKILL));
        CHECK(UNTIL(is_over(hand)));
        sh->stage = 2;
        CHECK(UNTIL(sh->stage == 3));
        CHECK(UNTIL(count_kept(&s, "while nobody listens", 5, NULL) == (unsigned)i + 1));
        CHECK((hand = child_named(warden, "sb-log")) != 0);
    }
    CHECK_INT(sh->rounds, 1); /* nobody else noticed */
    /* And one that rests when the warden leaves. */
    CHECK(kill_one(hand, SIGKILL));
    CHECK(UNTIL(is_over(hand))); /* until then it may still take words with it */
    CHECK(kill_one(warden, SIGTERM));
    CHECK_INT(warden_end(warden), 0);
    CHECK_INT(count_kept(&s, "ending", 5, NULL), 1);
    CHECK(count_kept(&s, "a hand died and is begun again: hand=log signal=9", 4, &k) >= 3); /* perhaps not the last */
    CHECK(k.rising && !k.bad);
    stage_remove(&s);
}

TEST(when_the_warden_is_killed_the_hand_keeps_the_last_words_and_goes) {
    struct stage s;
    if (!stage_make(&s)) return;
    struct warden_config c = config_of(&s, stand);
    pid_t warden = begin_shown(&s, &c, -1, false), hand = 0;
    CHECK(UNTIL(sh->stage == 1));
    CHECK(UNTIL((hand = child_named(warden, "sb-log")) != 0));
    CHECK(kill_one(hand, SIGSTOP)); /* so that there is something left to do */
    sh->stage = 2;
    CHECK(UNTIL(sh->stage == 3));
    CHECK(kill_one(warden, SIGKILL));
    CHECK_INT(warden_end(warden), -SIGKILL);
    CHECK(UNTIL(is_over(sh->reactor)));
    CHECK(!is_over(hand) && kill_one(hand, SIGCONT));
    CHECK(UNTIL(is_over(hand)));
    CHECK_INT(count_kept(&s, "while nobody listens", 5, NULL), 1);
    stage_remove(&s);
}

TEST(without_root_it_is_the_same) {
    struct stage s;
    if (!stage_make(&s)) return;
    if (geteuid() == 0) CHECK(chown(s.p.data, 65534, 65534) == 0);
    struct warden_config c = config_of(&s, stand);
    int to = open(s.shown, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    pid_t warden = begin_shown(&s, &c, to, true);
    close(to);
    CHECK(UNTIL(sh->stage == 1));
    CHECK(kill_one(warden, SIGTERM));
    CHECK_INT(warden_end(warden), 0);
    CHECK_INT(count_kept(&s, "standing", 5, NULL), 1);
    CHECK_INT(count_kept(&s, "ending", 5, NULL), 1);
    CHECK(was_shown(&s, "<5>ending\n"));
    stage_remove(&s);
}

/* --- what does not stop them --- */

#define FLOOD 30000

static int flood(const struct warden_birth *birth, void *arg) {
    (void)arg;
    struct reactor r;
    if (!reactor_open(&r, birth)) return 1;
    sh->stage = 1;
    while (sh->stage < 2) usleep(1000);
    for (int i = 0; i < FLOOD; i++) log_note("line %d of very many, and long enough to fill any pipe there is", i);
    log_note("the flood is over");
    sh->stage = 3;
    while (sh->stage < 4) usleep(1000);
    struct pollfd room = {.fd = 2, .events = POLLOUT}; /* there is some again, so what is said now is not lost */
    while (poll(&room, 1, 100) <= 0) {
    }
    log_note("behind the flood");
    return 0;
}

/* The sum of what lines that say so count. */
static uint64_t count_lost(const struct stage *s) {
    uint64_t n = 0;
    struct slice all = tap_file(s->shown), rest = all;
    while (rest.len) {
        struct slice line = slice_cut(&rest, '\n');
        char text[100];
        unsigned long long lost;
        snprintf(text, sizeof text, "%.*s", (int)(line.len < 90 ? line.len : 90), (const char *)line.ptr);
        if (strstr(text, " lines were lost") && sscanf(text, "<4>%llu", &lost) == 1) n += lost;
    }
    tap_free(all);
    return n;
}

TEST(a_flood_while_the_hand_stands_still_blocks_nobody_and_what_is_lost_is_counted) {
    struct stage s;
    struct kept k;
    if (!stage_make(&s)) return;
    struct warden_config c = config_of(&s, flood);
    pid_t warden = begin_shown(&s, &c, -1, false), hand = 0;
    CHECK(UNTIL(sh->stage == 1));
    CHECK(UNTIL((hand = child_named(warden, "sb-log")) != 0));
    CHECK(kill_one(hand, SIGSTOP));
    sh->stage = 2;
    CHECK(UNTIL(sh->stage == 3)); /* with a pipe that waits it would stand there for ever */
    CHECK(kill_one(hand, SIGCONT));
    CHECK(UNTIL(was_shown(&s, "line 99 of very many")));
    sh->stage = 4;
    CHECK_INT(warden_end(warden), 0);
    unsigned kept = 0;
    uint64_t lost = count_lost(&s);
    CHECK_INT(count_kept(&s, "behind the flood", 5, &k), 1);
    CHECK(k.rising && !k.bad);
    struct slice all = tap_file(s.shown), rest = all;
    while (rest.len) {
        struct slice line = slice_cut(&rest, '\n');
        kept += slice_starts(line, LIT("<5>line ")) || slice_eq(line, LIT("<5>the flood is over"));
    }
    tap_free(all);
    CHECK(lost > 0 && kept > 0);
    CHECK_INT(kept + lost, FLOOD + 1);
    stage_remove(&s);
}

TEST(a_terminal_that_takes_nothing_stops_neither_the_log_nor_the_end) {
    struct stage s;
    int p[2];
    char bytes[4096];
    if (!stage_make(&s)) return;
    CHECK(pipe2(p, O_CLOEXEC) == 0);
    CHECK(fcntl(p[1], F_SETFL, O_NONBLOCK) == 0);
    memset(bytes, 'x', sizeof bytes);
    while (write(p[1], bytes, sizeof bytes) > 0) {
    }
    CHECK(fcntl(p[1], F_SETFL, 0) == 0); /* as a terminal is: it would wait */
    struct warden_config c = config_of(&s, stand);
    pid_t warden = begin_shown(&s, &c, p[1], false);
    CHECK(UNTIL(sh->stage == 1));
    CHECK(UNTIL(count_kept(&s, "standing", 5, NULL) == 1));
    sh->stage = 2;
    CHECK(UNTIL(sh->stage == 3));
    CHECK(UNTIL(count_kept(&s, "while nobody listens", 5, NULL) == 1));
    /* It is read again: what was left out is told. */
    CHECK(fcntl(p[0], F_SETFL, O_NONBLOCK) == 0);
    while (read(p[0], bytes, sizeof bytes) > 0) {
    }
    sh->stage = 2;
    CHECK(UNTIL(sh->stage == 3));
    char all[2000];
    size_t n = 0;
    all[0] = 0;
    for (int i = 0; i < 4000 && !strstr(all, "while nobody listens\n"); i++, usleep(5000)) {
        ssize_t got = read(p[0], all + n, sizeof all - 1 - n);
        if (got > 0) n += (size_t)got;
        all[n] = 0;
    }
    const char *told = strstr(all, " bytes were not shown here\n");
    CHECK(told && strstr(told, "<5>while nobody listens\n"));
    CHECK(kill_one(warden, SIGTERM));
    CHECK_INT(warden_end(warden), 0);
    CHECK_INT(count_kept(&s, "ending", 5, NULL), 1);
    close(p[0]);
    close(p[1]);
    stage_remove(&s);
}

TEST(a_folder_that_cannot_be_written_costs_the_kept_log_only) {
    struct stage s;
    char path[200];
    if (!stage_make(&s)) return;
    snprintf(path, sizeof path, "%s/logs", s.p.data);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600); /* a file in its place */
    close(fd);
    struct warden_config c = config_of(&s, stand);
    pid_t warden = begin_shown(&s, &c, -1, false);
    CHECK(UNTIL(sh->stage == 1));
    CHECK(UNTIL(was_shown(&s, "<5>standing\n")));
    CHECK(UNTIL(was_shown(&s, "<4>the log is not kept for now: ")));
    CHECK(kill_one(warden, SIGTERM));
    CHECK_INT(warden_end(warden), 0);
    CHECK(was_shown(&s, "<5>ending\n"));
    stage_remove(&s);
}

TEST(what_is_no_place_for_a_log_is_said_and_the_box_goes_on) {
    static const char *const bad[][2] = {
        {"none", "logs"}, {"web", "logs"}, {"data", "a/b"}, {"data", ".."}, {"data", ""}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct stage s;
        if (!stage_make(&s)) return;
        struct warden_config c = config_of(&s, stand);
        c.log_root = bad[i][0];
        c.log_folder = bad[i][1];
        pid_t warden = begin_shown(&s, &c, -1, false);
        CHECK(UNTIL(sh->stage == 1));
        CHECK(child_named(warden, "sb-log") == 0);
        CHECK(kill_one(warden, SIGTERM));
        CHECK_INT(warden_end(warden), 0);
        CHECK(was_shown(&s, "<4>the log is not kept: ") && was_shown(&s, "<5>ending\n"));
        stage_remove(&s);
    }
}

static int live_short(const struct warden_birth *birth, void *arg) {
    (void)arg;
    mem_fault(0, 0); /* here it was copied by the fork */
    sh->rounds = birth->round + 1;
    log_note("alive");
    return 0;
}

TEST(a_lack_of_memory_does_not_cost_the_box_its_words) {
    unsigned n = 1;
    for (bool hit = true; hit && n < 200; n++) {
        struct stage s;
        if (!stage_make(&s)) return;
        sh->number[9] = n;
        struct warden_config c = config_of(&s, live_short);
        int code = warden_end(begin_shown(&s, &c, -1, false));
        hit = sh->number[10];
        CHECK(code == 0 || (code == 71 && sh->rounds == 0));
        if (sh->rounds) CHECK(was_shown(&s, "<5>alive\n"));
        stage_remove(&s);
    }
    tap_note("%u allocations of the warden failed in turn", n - 2);
    CHECK(n > 3 && n < 200);
}

/* --- base/log.c against a pipe that takes nothing --- */

TEST(lines_that_do_not_fit_are_dropped_and_counted_by_the_next_that_fits) {
    int p[2], real = dup(2);
    char bytes[70000];
    CHECK(pipe2(p, O_CLOEXEC | O_NONBLOCK) == 0 && real >= 0);
    memset(bytes, 'x', sizeof bytes);
    while (write(p[1], bytes, 4096) > 0) {
    }
    fflush(stderr);
    CHECK(dup2(p[1], 2) == 2);
    errno = ENOTTY;
    log_note("lost");
    log_warn("lost");
    bool kept = errno == ENOTTY; /* whoever logs keeps its errno */
    size_t n = 0;
    for (ssize_t got; (got = read(p[0], bytes, sizeof bytes)) > 0;) n += (size_t)got;
    log_note("kept");
    log_note("kept too");
    ssize_t got = read(p[0], bytes, sizeof bytes);
    dup2(real, 2);
    CHECK(kept && n >= 4096);
    CHECK_TEXT(slice_of(bytes, got > 0 ? (size_t)got : 0),
               LIT("<4>2 lines were lost: nobody took them in time\n<5>kept\n<5>kept too\n"));
    close(real);
    close(p[0]);
    close(p[1]);
}

TAP_MAIN(T(what_everybody_says_is_kept_with_priorities_and_shown_as_it_came),
         T(the_hand_is_jailed_and_has_nothing_but_the_pipe_the_terminal_and_its_root),
         T(a_hand_that_is_killed_is_begun_again_and_what_was_said_meanwhile_is_kept),
         T(when_the_warden_is_killed_the_hand_keeps_the_last_words_and_goes), T(without_root_it_is_the_same),
         T(a_flood_while_the_hand_stands_still_blocks_nobody_and_what_is_lost_is_counted),
         T(a_terminal_that_takes_nothing_stops_neither_the_log_nor_the_end),
         T(a_folder_that_cannot_be_written_costs_the_kept_log_only),
         T(what_is_no_place_for_a_log_is_said_and_the_box_goes_on), T(a_lack_of_memory_does_not_cost_the_box_its_words),
         T(lines_that_do_not_fit_are_dropped_and_counted_by_the_next_that_fits))
