/* job.c - jobs of a real warden: their answers, deadlines, limits, groups, their end; and the two that work on passwords. */
#include "wardens.h"

#include <sodium/crypto_pwhash.h>

static bool talk(struct job_call *c, struct val *result, struct err *e) {
    (void)e;
    uint64_t n = 0;
    val_as_u64(val_get(c->args, LIT("n")), &n);
    job_line(c, "counting to %llu", (unsigned long long)n);
    for (uint64_t i = 1; i <= n; i++) job_progress(c, val_of_u64(i));
    *result = MAP({"uid", val_of_u64(getuid())}, {"n", val_of_u64(n)});
    return true;
}

static bool spin(struct job_call *c, struct val *result, struct err *e) {
    (void)c;
    (void)result;
    volatile unsigned n = 0;
    while (n < 1) n = 0;
    return err_set(e, ERR_UNKNOWN, "the end of what has none");
}

static bool die(struct job_call *c, struct val *result, struct err *e) {
    (void)result;
    (void)e;
    uint64_t how = 0;
    val_as_u64(val_get(c->args, LIT("n")), &how);
    if (how) _exit((int)how);
    abort();
}

static bool fail(struct job_call *c, struct val *result, struct err *e) {
    (void)c;
    (void)result;
    return err_set(e, ERR_NOT_FOUND, "there is none of that");
}

static bool give_back(struct job_call *c, struct val *result, struct err *e) {
    (void)e;
    c->out[0] = c->fds[0];
    c->out_n = 1;
    *result = MAP({"fds", val_of_u64(c->fd_n)});
    return true;
}

static bool be_long(struct job_call *c, struct val *result, struct err *e) {
    (void)c;
    static uint8_t many[LIMIT_LINK_FRAME + 10];
    *result = MAP({"bytes", val_of_bytes(slice_of(many, sizeof many))});
    return !val_is_none(result) || err_nomem(e, "the test's bytes");
}

static bool want_memory(struct job_call *c, struct val *result, struct err *e) {
    (void)c;
    (void)e;
    uint8_t *volatile p = malloc(300 << 20);
    *result = MAP({"got", val_of_bool(p != NULL)});
    return true;
}

/* What a job must not be able to do to the warden or to others: frames that are none, or not its own. */
static bool lie(struct job_call *c, struct val *result, struct err *e) {
    (void)e;
    static const char *const packets[] = {"\xff\xff\xff",
                                          "\x83\x05\x02\xa0",
                                          "\x85\x01\x03\x66listen\xa0\x00",
                                          "\x82\x02\x01",
                                          ("\x83\x07\x63"
                                           "end\xa0"),
                                          "\x83\x03\x09\x01"};
    static const size_t lens[] = {3, 4, 11, 3, 7, 4};
    for (int i = 0; i < 6; i++)
        if (write(c->link, packets[i], lens[i]) < 0) _exit(9);
    *result = MAP({"honest", val_of_bool(true)});
    return true;
}

static const struct verb_arg n_args[] = {{.key = "n", .type = VERB_U64, .max = 100000}};
static const struct job_row test_rows[] = {
    {.verb = {.name = "test.sleep", .most_ms = 60000}, .run = sleep_long, .jail = JAIL_COUNT},
    {.verb = {.name = "test.short", .most_ms = 200}, .run = sleep_long, .jail = JAIL_COUNT},
    {.verb = {.name = "test.talk", .args = n_args, .arg_n = 1}, .run = talk, .jail = JAIL_COUNT},
    {.verb = {.name = "test.spin"}, .run = spin, .jail = JAIL_COUNT, .cpu_s = 1},
    {.verb = {.name = "test.die", .args = n_args, .arg_n = 1}, .run = die, .jail = JAIL_COUNT},
    {.verb = {.name = "test.fail"}, .run = fail, .jail = JAIL_COUNT},
    {.verb = {.name = "test.fd", .fds = 1}, .run = give_back, .jail = JAIL_COUNT},
    {.verb = {.name = "test.long"}, .run = be_long, .jail = JAIL_COUNT},
    {.verb = {.name = "test.memory"}, .run = want_memory, .jail = JAIL_COUNT, .memory = 200 << 20},
    {.verb = {.name = "test.lie"}, .run = lie, .jail = JAIL_COUNT},
    {.verb = {.name = "test.one", .most_ms = 60000}, .run = sleep_long, .jail = JAIL_COUNT, .at_once = 1, .queue = 2},
};
#define TEST_ROWS sizeof test_rows / sizeof test_rows[0]

static int run_jobs(const struct warden_birth *birth, void *arg) {
    (void)arg;
    struct reactor r;
    if (!reactor_open(&r, birth)) return 1;
    struct reply a = ask_and_wait(&r, "test.talk", MAP({"n", val_of_u64(5)}));
    uint64_t n = 0;
    SEE_CODE(&a, ERR_NONE);
    SEE_INT(a.progress, 5);
    SEE_INT(a.progress_number, 5);
    SEE_INT(a.lines, 1);
    SEE(!strcmp(a.line, "counting to 5"));
    SEE(val_as_u64(val_get(&a.result, LIT("uid")), &n) && n == getuid());
    forget(&a);
    a = ask_and_wait(&r, "test.short", NO_ARGS); /* its row's deadline */
    SEE_CODE(&a, ERR_TIMEOUT);
    forget(&a);
    ask(&r, &a, "test.sleep", NO_ARGS, 150); /* the request's own, earlier one */
    await(&r, &a);
    SEE_CODE(&a, ERR_TIMEOUT);
    SEE(a.progress == 1 || SANITIZED);
    forget(&a);
    ask(&r, &a, "test.short", NO_ARGS, 100000); /* a later one counts for nothing */
    await(&r, &a);
    SEE_CODE(&a, ERR_TIMEOUT);
    forget(&a);
    a = ask_and_wait(&r, "test.spin", NO_ARGS);
    SEE_CODE(&a, ERR_LIMIT);
    SEE(strstr(a.err.text, "processor time") != NULL);
    forget(&a);
    if (!SANITIZED && sh->filters) { /* emulators do not count addresses */
        a = ask_and_wait(&r, "test.memory", NO_ARGS);
        SEE(val_kind(val_get(&a.result, LIT("got"))) == VAL_BOOL && !val_is_true(val_get(&a.result, LIT("got"))));
        forget(&a);
    }
    a = ask_and_wait(&r, "test.die", MAP({"n", val_of_u64(3)}));
    SEE(a.err.code == ERR_UNKNOWN && strstr(a.err.text, "code 3"));
    forget(&a);
    a = ask_and_wait(&r, "test.die", MAP({"n", val_of_u64(0)}));
    SEE(a.err.code == ERR_UNKNOWN && strstr(a.err.text, "signal 6"));
    forget(&a);
    a = ask_and_wait(&r, "test.fail", NO_ARGS);
    SEE(a.err.code == ERR_NOT_FOUND && !strcmp(a.err.text, "there is none of that"));
    forget(&a);
    a = ask_and_wait(&r, "test.long", NO_ARGS);
    SEE(a.err.code == ERR_LIMIT && a.err.limit && !strcmp(a.err.limit, "link frame"));
    forget(&a);
    a = ask_and_wait(&r, "test.lie", NO_ARGS);
    SEE(val_is_true(val_get(&a.result, LIT("honest"))));
    forget(&a);
    int pair[2];
    SEE(pipe2(pair, O_CLOEXEC) == 0);
    a = (struct reply){.call = {.done = got_reply}};
    SEE_E(call_start(&a.call, &r.port, "test.fd", NO_ARGS, &pair[1], 1, 0, &a.err), &a.err);
    await(&r, &a);
    SEE(a.fd_n == 1 && write(a.fds[0], "y", 1) == 1);
    char c = 0;
    SEE(read(pair[0], &c, 1) == 1 && c == 'y');
    forget(&a);
    /* It is open nowhere else: when both are closed here the pipe ends. */
    close(pair[1]);
    SEE_INT(read(pair[0], &c, 1), 0);
    a = ask_and_wait(&r, "test.fd", NO_ARGS);
    SEE_CODE(&a, ERR_INVALID);
    forget(&a);
    a = ask_and_wait(&r, "test.talk", NO_ARGS);
    SEE_CODE(&a, ERR_INVALID);
    forget(&a);
    a = ask_and_wait(&r, "test.nothing", NO_ARGS);
    SEE_CODE(&a, ERR_UNSUPPORTED);
    forget(&a);
    return 0;
}

TEST(jobs_answer_once_within_their_deadline_and_their_limits) {
    shared_begin();
    int before = count_fds(getpid());
    struct warden_config c = {.reactor = run_jobs, .jobs = test_rows, .job_n = TEST_ROWS};
    CHECK_INT(warden_live(&c), 0);
    check_seen(25);
    CHECK_INT(count_fds(getpid()), before);
}

static int crowd(const struct warden_birth *birth, void *arg) {
    (void)arg;
    struct reactor r;
    static struct reply many[LIMIT_JOBS + 1], ones[4];
    if (!reactor_open(&r, birth)) return 1;
    /* One runs, two wait, the fourth is refused. */
    for (int i = 0; i < 4; i++) ask(&r, &ones[i], "test.one", NO_ARGS, 0);
    await(&r, &ones[3]);
    SEE(ones[3].err.code == ERR_LIMIT && ones[3].err.limit && !strcmp(ones[3].err.limit, "jobs"));
    while (!ones[0].progress) loop_turn(r.loop, 100);
    SEE_INT(ones[1].progress, 0);
    sh->stage = 1; /* the test looks at it */
    while (sh->stage == 1) loop_turn(r.loop, 10);
    call_cancel(&ones[1].call); /* waiting */
    call_cancel(&ones[0].call); /* running */
    turn_until(&r, (volatile bool *)&ones[2].progress);
    SEE(ones[2].progress && !ones[0].done && !ones[1].done);
    call_cancel(&ones[2].call);
    /* All places are taken by others: the one too many is refused. */
    sh->stage = 3;
    while (sh->stage == 3) loop_turn(r.loop, 10);
    for (unsigned i = 0; i <= LIMIT_JOBS; i++) ask(&r, &many[i], "test.sleep", NO_ARGS, 0);
    await(&r, &many[LIMIT_JOBS]);
    SEE(many[LIMIT_JOBS].err.code == ERR_LIMIT && !strcmp(many[LIMIT_JOBS].err.limit, "jobs"));
    for (unsigned i = 0; i < LIMIT_JOBS; i++) {
        turn_until(&r, (volatile bool *)&many[i].progress);
        SEE_INT(many[i].progress, 1);
    }
    sh->stage = 5;
    for (;;) loop_turn(r.loop, 100); /* dies with all of them running */
}

static unsigned count_children(pid_t parent, const char *name) {
    unsigned n = 0;
    char path[300], text[300], comm[64];
    DIR *d = opendir("/proc");
    for (struct dirent *entry; d && (entry = readdir(d));) {
        int pid, ppid;
        char state;
        snprintf(path, sizeof path, "/proc/%s/stat", entry->d_name);
        FILE *f = entry->d_name[0] >= '1' && entry->d_name[0] <= '9' ? fopen(path, "r") : NULL;
        if (!f) continue;
        size_t len = fread(text, 1, sizeof text - 1, f);
        fclose(f);
        text[len] = 0;
        if (sscanf(text, "%d (%63[^)]) %c %d", &pid, comm, &state, &ppid) == 4 && ppid == parent && !strcmp(comm, name))
            n++;
    }
    if (d) closedir(d);
    return n;
}

/* The line of /proc/PID/cgroup that says it is in a group a warden has made, or empty. */
static void own_group(pid_t pid, char out[300]) {
    char path[64], line[300];
    *out = 0;
    snprintf(path, sizeof path, "/proc/%d/cgroup", (int)pid);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        if (strstr(line, "/startbox-")) snprintf(out, 300, "%s", line);
    if (f) fclose(f);
}

static int crowd_then_end(const struct warden_birth *birth, void *arg) {
    if (birth->round == 0) return crowd(birth, arg);
    struct reactor r;
    if (!reactor_open(&r, birth)) return 1;
    sh->number[5] = count_children(getppid(), "sb-job"); /* jailed, it sees nothing of /proc; the test looks as well */
    sh->stage = 6;
    while (sh->stage == 6) usleep(1000);
    return 0;
}

TEST(jobs_are_bounded_queued_cancelled_and_die_with_their_reactor) {
    shared_begin();
    struct warden_config c = {.reactor = crowd_then_end, .jobs = test_rows, .job_n = TEST_ROWS};
    pid_t warden = warden_begin(&c, false);
    CHECK(UNTIL(sh->stage == 1));
    CHECK_INT(count_children(warden, "sb-job"), 1);
    pid_t job = child_named(warden, "sb-job");
    char group[300], path[400];
    own_group(job, group);
    if (geteuid() == 0) {
        CHECK_INT(status_number(job, "Uid:"), 65534);
        CHECK(status_number(job, "Seccomp:") == 2 || !jail_has_seccomp());
        struct fds fds = look_at_fds(job, &(struct place){.base = "/nowhere"});
        CHECK_INT(fds.std, 3);
        CHECK_INT(fds.sockets, 1);
        CHECK_INT(fds.anon + fds.others, 0);
    } else
        tap_skip("not root: nobody may look at the descriptors of these processes, and no control group may be made");
    sh->stage = 2;
    CHECK(UNTIL(sh->stage == 3));
    CHECK(UNTIL(count_children(warden, "sb-job") == 0));
    if (*group) { /* its group is gone with it */
        char *at = strstr(group, "/startbox-");
        at[strcspn(at, "\n")] = 0;
        snprintf(path, sizeof path, "/sys/fs/cgroup/unified%s", strchr(group, '/'));
        CHECK(UNTIL(access(path, F_OK) != 0));
        snprintf(path, sizeof path, "/sys/fs/cgroup%s", strchr(group, '/'));
        CHECK(access(path, F_OK) != 0);
    } else
        tap_note("no control group may be written here: jobs have none of their own");
    sh->stage = 4;
    CHECK(UNTIL(sh->stage == 5));
    CHECK_INT(count_children(warden, "sb-job"), LIMIT_JOBS);
    CHECK(kill_one(sh->reactor, SIGKILL));
    CHECK(UNTIL(sh->stage == 6));
    CHECK_INT(count_children(warden, "sb-job"), 0); /* before the next reactor began */
    sh->stage = 7;
    CHECK_INT(warden_end(warden), 0);
    check_seen(7 + LIMIT_JOBS);
}

/* --- passwords --- */

static struct val bytes(const char *text) {
    return val_of_bytes(slice_str(text));
}

static void verify(struct reactor *r, const char *hash, const char *password, bool good, bool again, int line) {
    struct reply a = ask_and_wait(r, "password.verify", MAP({"hash", val_of_str(hash)}, {"password", bytes(password)}));
    see(a.err.code == ERR_NONE, line, "verify answers", a.err.text);
    see(val_is_true(val_get(&a.result, LIT("good"))) == good, line, "good is as it should be", hash);
    see(val_is_true(val_get(&a.result, LIT("again"))) == again, line, "again is as it should be", hash);
    forget(&a);
}

static int use_passwords(const struct warden_birth *birth, void *arg) {
    struct reactor r;
    const char *const *others = arg;
    char hash[200];
    if (!reactor_open(&r, birth)) return 1;
    struct reply a = ask_and_wait(&r, "password.hash", MAP({"password", bytes("correct horse")}));
    SEE_CODE(&a, ERR_NONE);
    struct slice text = val_as_text(val_get(&a.result, LIT("hash")));
    SEE(slice_starts(text, LIT("$argon2id$v=19$m=")));
    snprintf(hash, sizeof hash, "%.*s", (int)text.len, (const char *)text.ptr);
    snprintf(sh->words[0], sizeof sh->words[0], "%s", hash);
    forget(&a);
    verify(&r, hash, "correct horse", true, false, __LINE__);
    verify(&r, hash, "correct horsf", false, false, __LINE__);
    verify(&r, hash, "correct horse ", false, false, __LINE__);
    hash[strlen(hash) - 3] ^= 1; /* one bit of the hash */
    verify(&r, hash, "correct horse", false, false, __LINE__);
    verify(&r, others[0], "made elsewhere", true, true, __LINE__); /* weaker than today's */
    verify(&r, others[0], "made there", false, false, __LINE__);
    verify(&r, others[1], "by the elder way", true, true, __LINE__); /* Argon2i */
    a = ask_and_wait(&r, "password.verify",
                     MAP({"hash", val_of_str("$argon2id$v=19$m=1048576,t=3,p=1$c29tZXNhbHRzb21lc2FsdA$"
                                             "Q0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0M")},
                         {"password", bytes("x")}));
    SEE(a.err.code == ERR_NOMEM && strstr(a.err.text, "1024 MiB") && strstr(a.err.text, "reset-password"));
    forget(&a);
    a = ask_and_wait(&r, "password.verify", MAP({"hash", val_of_str("$2b$12$bcrypt")}, {"password", bytes("x")}));
    SEE(a.err.code == ERR_INVALID && strstr(a.err.text, "reset-password"));
    forget(&a);
    static char longest[1026];
    memset(longest, 'p', 1025);
    SEE_INT(code_of(&r, "password.hash", MAP({"password", bytes(longest)})), ERR_INVALID);
    longest[1024] = 0;
    SEE_INT(code_of(&r, "password.hash", MAP({"password", bytes(longest)})), ERR_NONE);
    SEE_INT(code_of(&r, "password.hash", MAP({"password", bytes("")})), ERR_INVALID);
    SEE_INT(code_of(&r, "password.hash", MAP({"password", val_of_str("a text")})), ERR_INVALID);
    /* Many at once are done one after the other. */
    static struct reply many[6];
    for (int i = 0; i < 6; i++)
        ask(&r, &many[i], "password.verify",
            MAP({"hash", val_of_str(others[0])}, {"password", bytes("made elsewhere")}), 0);
    for (int i = 0; i < 6; i++) {
        await(&r, &many[i]);
        SEE(val_is_true(val_get(&many[i].result, LIT("good"))));
        forget(&many[i]);
    }
    return 0;
}

TEST(passwords_are_hashed_and_verified_by_Argon2id_and_by_nobody_else) {
    shared_begin();
    static char weak[crypto_pwhash_STRBYTES], elder[crypto_pwhash_STRBYTES];
    CHECK(crypto_pwhash_str(weak, "made elsewhere", 14, 1, 1 << 20) == 0);
    CHECK(crypto_pwhash_str_alg(elder, "by the elder way", 16, 3, 1 << 20, crypto_pwhash_ALG_ARGON2I13) == 0);
    const char *others[] = {weak, elder};
    struct warden_config c = {.reactor = use_passwords, .arg = others};
    CHECK_INT(warden_live(&c), 0);
    check_seen(36);
    /* And the other way round: what it made holds elsewhere. */
    CHECK(crypto_pwhash_str_verify(sh->words[0], "correct horse", 13) == 0);
    CHECK(crypto_pwhash_str_verify(sh->words[0], "correct horsE", 13) != 0);
    for (unsigned i = 0; i < sh->warnings && i < 20; i++) CHECK(!strstr(sh->warning[i], "horse"));
}

TAP_MAIN(T(jobs_answer_once_within_their_deadline_and_their_limits),
         T(jobs_are_bounded_queued_cancelled_and_die_with_their_reactor),
         T(passwords_are_hashed_and_verified_by_Argon2id_and_by_nobody_else))
