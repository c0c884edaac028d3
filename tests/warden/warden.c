/* warden.c - a real warden with a real reactor, jailed as in life: who is who, who restarts whom, and how it ends. */
#include "wardens.h"

#include "loop/listen.h"

#include <sys/ptrace.h>
#include <sys/syscall.h>

/* --- identity and descriptors --- */

static int stand_still(const struct warden_birth *birth, void *arg) {
    (void)arg;
    struct reactor r;
    sh->number[0] = birth->warden_fd;
    sh->number[1] = birth->disk_fd;
    sh->number[2] = birth->round;
    sh->number[3] = birth->last != NULL;
    sh->reactor = getpid();
    sh->stage = 1;
    while (sh->stage < 2) usleep(1000);
    if (!reactor_open(&r, birth)) return 1;
    pid_t parent = getppid();
    char text[] = "/bin/true", *argv[] = {text, NULL};
    SEE_INT(geteuid(), birth->jail.change_user ? birth->jail.uid : geteuid());
    if (birth->jail.change_user) SEE(getuid() != 0 && geteuid() != 0 && getgid() != 0);
    if (!sh->filters) return 0;
    SEE(open("/etc/passwd", O_RDONLY) < 0);
    SEE(open("/tmp/startbox-none", O_CREAT | O_RDWR, 0600) < 0);
    SEE(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP) < 0);
    SEE(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) < 0);
    SEE(execve(text, argv, argv + 1) < 0);
    SEE(ptrace(PTRACE_ATTACH, parent, NULL, NULL) < 0);
    SEE(kill(parent, SIGUSR1) < 0);
    SEE(kill(parent, 0) < 0);
    SEE(syscall(SYS_setresuid, 0, 0, 0) < 0);
    return 0;
}

TEST(children_have_the_descriptors_they_should_and_no_other_and_the_reactor_is_nobody) {
    struct place p;
    shared_begin();
    if (!place_make(&p, 1234)) return;
    for (int i = 20; i < 40; i++) dup2(0, i); /* what a careless parent left open */
    struct warden_config c = {.roots = p.roots, .root_n = 2, .reactor = stand_still};
    pid_t warden = warden_begin(&c, false);
    CHECK(UNTIL(sh->stage == 1));
    pid_t disk = 0;
    CHECK(UNTIL((disk = child_named(warden, "sb-disk")) != 0));
    CHECK(UNTIL(!jail_has_seccomp() || status_number(disk, "Seccomp:") == 2));
    if (geteuid() == 0) {
        struct fds reactor = look_at_fds(sh->reactor, &p), hand = look_at_fds(disk, &p);
        CHECK_INT(reactor.std, 3);
        CHECK_INT(reactor.sockets, 2);
        CHECK_INT(reactor.anon + reactor.dirs + reactor.others, 0);
        CHECK_INT(hand.std, 3);
        CHECK_INT(hand.sockets, 1);
        CHECK(hand.dirs >= 2);
        CHECK_TEXT(slice_str(hand.other), LIT(""));
        CHECK_INT(status_number(disk, "Uid:"), 1234); /* whom the first root belongs to */
        CHECK_INT(status_number(disk, "CapEff"), 0);
    } else
        tap_skip("not root: nobody may look at the descriptors of these processes, and nobody changes their user");
    CHECK_INT(sh->number[2], 0);
    CHECK_INT(sh->number[3], 0);
    sh->stage = 2;
    CHECK_INT(warden_end(warden), 0);
    for (int i = 20; i < 40; i++) close(i);
    check_seen(!sh->filters ? 4 : geteuid() == 0 ? 13 : 12);
    CHECK(!is_there(disk));
    place_remove(&p);
}

static int look_at_status(const struct warden_birth *birth, void *arg) {
    struct reactor r;
    if (!reactor_open(&r, birth)) return 1;
    struct reply a = ask_and_wait(&r, "kernel.status", NO_ARGS);
    const char *user = arg;
    SEE_CODE(&a, ERR_NONE);
    SEE(val_as_text(val_get(&a.result, LIT("release"))).len > 0);
    int64_t abi = -1;
    SEE(val_as_i64(val_get(&a.result, LIT("landlock")), &abi) && abi >= 0);
    sh->number[0] = val_is_true(val_get(&a.result, LIT("root")));
    sh->number[1] = val_is_true(val_get(&a.result, LIT("user_change")));
    struct slice got = val_as_text(val_get(&a.result, LIT("user"))),
                 cgroup = val_as_text(val_get(&a.result, LIT("cgroup")));
    snprintf(sh->words[0], sizeof sh->words[0], "%.*s", (int)got.len, (const char *)got.ptr);
    SEE(slice_eq(cgroup, LIT("v2")) || slice_eq(cgroup, LIT("v1")) || slice_eq(cgroup, LIT("none")));
    SEE(val_kind(val_get(&a.result, LIT("cgroup_memory"))) == VAL_BOOL);
    SEE(val_kind(val_get(&a.result, LIT("job_cgroups"))) == VAL_BOOL);
    SEE(val_kind(val_get(&a.result, LIT("user_namespaces"))) == VAL_BOOL);
    sh->number[2] = val_is_true(val_get(&a.result, LIT("seccomp")));
    if (user) SEE(slice_eq(got, slice_str(user)));
    forget(&a);
    return 0;
}

TEST(the_status_says_what_kernel_and_start_give) {
    shared_begin();
    struct warden_config c = {.reactor = look_at_status};
    CHECK_INT(warden_live(&c), 0);
    check_seen(9);
    CHECK_INT(sh->number[0], geteuid() == 0);
    CHECK_INT(sh->number[1], geteuid() == 0);
    CHECK_INT(sh->number[2], jail_has_seccomp());
    if (geteuid() != 0) {
        tap_skip("not root: nobody changes their user");
        return;
    }
    CHECK_TEXT(slice_str(sh->words[0]), LIT("nobody"));
    shared_begin();
    c.user = "startbox-no-such-user";
    CHECK_INT(warden_live(&c), 0);
    check_seen(9);
    CHECK_TEXT(slice_str(sh->words[0]), LIT("nobody"));
    CHECK(was_warned("there is no user \"startbox-no-such-user\""));
    shared_begin();
    c.user = "root";
    CHECK_INT(warden_live(&c), 0);
    CHECK_TEXT(slice_str(sh->words[0]), LIT("65534"));
    shared_begin();
    c.user = NULL;
    pid_t warden = warden_begin(&c, true);
    CHECK_INT(warden_end(warden), 0);
    check_seen(9);
    CHECK_INT(sh->number[0], 0);
}

static int never_called(const struct warden_birth *birth, void *arg) {
    (void)birth;
    (void)arg;
    sh->rounds = 99;
    return 0;
}

TEST(a_root_that_cannot_be_opened_is_said_at_the_start) {
    shared_begin();
    struct warden_root root = {"data", "/tmp/startbox-none/at/all", true};
    struct warden_config c = {.roots = &root, .root_n = 1, .reactor = never_called};
    CHECK_INT(warden_live(&c), 71);
    CHECK(was_warned("/tmp/startbox-none/at/all"));
    CHECK_INT(sh->rounds, 0);
}

/* Each life answers one connection with its round, and dies by the hand of the test in between. */
static int serve_one(const struct warden_birth *birth, void *arg) {
    (void)arg;
    struct reactor r;
    if (!reactor_open(&r, birth)) return 1;
    struct reply a = ask_and_wait(&r, "listen", tcp("127.0.0.1:0"));
    if (!SEE(a.fd_n == 1)) return 0;
    struct slice address = val_as_text(val_get(&a.result, LIT("address")));
    struct address at;
    SEE(address_read(address, &at, NULL));
    sh->number[0] = address_port(&at);
    if (birth->round == 0) {
        sh->stage = 1;
        for (;;) usleep(1000); /* until it is killed */
    }
    SEE(birth->last && !strcmp(birth->last, "signal 9"));
    int fd = -1;
    for (int i = 0; fd < 0 && i < 10000; i++, usleep(1000)) fd = accept4(a.fds[0], NULL, NULL, SOCK_CLOEXEC);
    char c = (char)('0' + birth->round);
    SEE(write(fd, &c, 1) == 1);
    return 0;
}

TEST(a_killed_reactor_is_followed_by_one_with_the_same_listeners_and_who_waits_is_served) {
    shared_begin();
    struct warden_config c = {.reactor = serve_one};
    pid_t warden = warden_begin(&c, false);
    CHECK(UNTIL(sh->stage == 1));
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    at.sin_port = htons((uint16_t)sh->number[0]);
    pid_t first = sh->reactor;
    CHECK(kill_one(first, SIGKILL));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(connect(fd, (struct sockaddr *)&at, sizeof at) == 0); /* nobody is there to accept yet */
    char got = 0;
    CHECK_INT(read(fd, &got, 1), 1);
    CHECK_INT(got, '1');
    close(fd);
    CHECK_INT(warden_end(warden), 0);
    CHECK_INT(sh->rounds, 2);
    CHECK(sh->reactor != first);
    CHECK_INT(ntohs(at.sin_port), sh->number[0]);
    check_seen(5);
    CHECK(was_warned("signal 9"));
}

/* --- ending --- */

static int have_everything(const struct warden_birth *birth, void *arg) {
    (void)arg;
    struct reactor r;
    struct reply job;
    if (!reactor_open(&r, birth)) return 1;
    struct reply a = ask_and_wait(&r, "sampler", NO_ARGS);
    SEE_CODE(&a, ERR_NONE);
    SEE_INT(a.fd_n, 1);
    ask(&r, &job, "test.sleep", NO_ARGS, 0);
    while (!job.progress && !job.done) loop_turn(r.loop, 100);
    sh->stage = 1;
    while (!r.gone) loop_turn(r.loop, 100);
    for (;;) usleep(1000);
}

static const struct job_row sleeping[] = {{.verb = {.name = "test.sleep"}, .run = sleep_long, .jail = JAIL_COUNT}};

TEST(when_the_warden_is_killed_all_of_its_children_are_gone) {
    struct place p;
    shared_begin();
    if (!place_make(&p, 1234)) return;
    struct warden_config c = {.roots = p.roots, .root_n = 2, .reactor = have_everything, .jobs = sleeping, .job_n = 1};
    pid_t warden = warden_begin(&c, false);
    CHECK(UNTIL(sh->stage == 1));
    pid_t all[] = {sh->reactor, child_named(warden, "sb-disk"), child_named(warden, "sb-sampler"),
                   child_named(warden, "sb-job")};
    for (unsigned i = 0; i < 4; i++) CHECK(all[i] > 0 && !is_over(all[i]));
    CHECK(kill_one(warden, SIGKILL));
    CHECK_INT(warden_end(warden), -SIGKILL);
    for (unsigned i = 0; i < 4; i++) CHECK(UNTIL(is_over(all[i])));
    check_seen(5);
    /* Its job's group is empty now and stays: the next warden sweeps it. */
    shared_begin();
    struct warden_config next = {.reactor = look_at_status};
    CHECK_INT(warden_live(&next), 0);
    place_remove(&p);
}

static int end_when_asked(const struct warden_birth *birth, void *arg) {
    struct reactor r;
    if (!reactor_open(&r, birth)) return 1;
    sh->stage = 1;
    while (strcmp(r.notice, "end") != 0) {
        loop_turn(r.loop, 100);
        if (!strcmp(r.notice, "reload")) sh->stage = 2;
    }
    struct slice reason = val_as_text(val_get(&r.notice_value, LIT("reason")));
    SEE(slice_eq(reason, slice_str(arg)));
    SEE(!sh->filters || kill(getpid(), 0) < 0);
    return 0;
}

TEST(SIGTERM_and_SIGINT_end_the_reactor_in_order_and_SIGHUP_is_passed_on) {
    for (int i = 0; i < 2; i++) {
        shared_begin();
        char reason[2][8] = {"SIGTERM", "SIGINT"};
        struct warden_config c = {.reactor = end_when_asked, .arg = reason[i]};
        pid_t warden = warden_begin(&c, false);
        CHECK(UNTIL(sh->stage == 1));
        CHECK(kill_one(warden, SIGHUP));
        CHECK(UNTIL(sh->stage == 2));
        CHECK(kill_one(sh->reactor, SIGTERM) && kill_one(sh->reactor, SIGINT)); /* meant for the warden: not heard */
        CHECK(kill_one(warden, i ? SIGINT : SIGTERM));
        CHECK_INT(warden_end(warden), 0);
        check_seen(5);
        CHECK_INT(sh->rounds, 1);
    }
}

static int end_never(const struct warden_birth *birth, void *arg) {
    (void)arg;
    struct reactor r;
    if (!reactor_open(&r, birth)) return 1;
    sh->stage = 1;
    for (;;) loop_turn(r.loop, 1000);
}

TEST(a_reactor_that_does_not_end_is_killed_in_time_or_at_the_second_signal) {
    for (int i = 0; i < 2; i++) {
        shared_begin();
        struct warden_config c = {.reactor = end_never, .end_ms = i ? 100000 : 100};
        pid_t warden = warden_begin(&c, false);
        CHECK(UNTIL(sh->stage == 1));
        CHECK(kill_one(warden, SIGTERM));
        if (i) {
            usleep(20000); /* two of the same that wait are one to the kernel */
            CHECK(kill_one(warden, SIGINT));
        }
        CHECK_INT(warden_end(warden), 70);
        CHECK(is_over(sh->reactor));
    }
}

static int exit_with(const struct warden_birth *birth, void *arg) {
    sh->rounds = birth->round + 1;
    if (birth->round) snprintf(sh->words[0], sizeof sh->words[0], "%s", birth->last);
    if (birth->round == 3) return 0;
    return *(int *)arg;
}

TEST(codes_0_and_2_end_the_warden_and_others_are_followed_by_a_new_reactor) {
    int code = 2;
    shared_begin();
    struct warden_config c = {.reactor = exit_with, .arg = &code};
    CHECK_INT(warden_live(&c), 2);
    CHECK_INT(sh->rounds, 1);
    shared_begin();
    code = 1;
    int64_t began = clock_mono_ms();
    CHECK_INT(warden_live(&c), 0);
    CHECK_INT(sh->rounds, 4);
    CHECK(clock_mono_ms() - began >= 100 + 200 + 400); /* it rests longer each time */
    CHECK_TEXT(slice_str(sh->words[0]), LIT("code 1"));
}

static int leave_link(const struct warden_birth *birth, void *arg) {
    (void)arg;
    sh->rounds = birth->round + 1;
    if (birth->round) {
        snprintf(sh->words[0], sizeof sh->words[0], "%s", birth->last);
        return 0;
    }
    close(birth->warden_fd);
    for (;;) usleep(1000);
}

TEST(a_reactor_that_closes_its_link_and_stays_is_killed) {
    shared_begin();
    struct warden_config c = {.reactor = leave_link};
    CHECK_INT(warden_live(&c), 0);
    CHECK_INT(sh->rounds, 2);
    CHECK_TEXT(slice_str(sh->words[0]), LIT("it did not end in time and was killed"));
}

static int ask_to_restart(const struct warden_birth *birth, void *arg) {
    (void)arg;
    struct reactor r;
    if (!reactor_open(&r, birth)) return 1;
    struct reply a = ask_and_wait(&r, "listen", tcp("127.0.0.1:0"));
    SEE(a.fd_n == 1);
    if (birth->round == 0)
        sh->number[0] = (long long)cookie(a.fds[0]);
    else {
        SEE_INT(cookie(a.fds[0]), sh->number[0]);
        SEE(!strcmp(birth->last, "it was asked to begin again"));
        return 0;
    }
    SEE_INT(code_of(&r, "restart", NO_ARGS), ERR_NONE);
    while (strcmp(r.notice, "end") != 0) loop_turn(r.loop, 100);
    SEE(slice_eq(val_as_text(val_get(&r.notice_value, LIT("reason"))), LIT("restart")));
    SEE_INT(code_of(&r, "restart", NO_ARGS), ERR_CANCELLED);
    return 0; /* which else would end the warden */
}

TEST(restart_begins_a_new_reactor_with_the_same_listeners) {
    shared_begin();
    struct warden_config c = {.reactor = ask_to_restart};
    CHECK_INT(warden_live(&c), 0);
    CHECK_INT(sh->rounds, 2);
    check_seen(13);
}

/* --- hands --- */

static int lose_hands(const struct warden_birth *birth, void *arg) {
    (void)arg;
    struct reactor r;
    if (!reactor_open(&r, birth)) return 1;
    sh->stage = 1;
    while (strcmp(r.notice, "hand") != 0) loop_turn(r.loop, 100);
    SEE(slice_eq(val_as_text(val_get(&r.notice_value, LIT("hand"))), LIT("disk")));
    struct port disk = {.name = "disk"};
    struct err e = ERR_INIT;
    SEE_E(port_start(&disk, r.loop, r.notice_fd, &e), &e);
    r.notice_fd = -1;
    struct reply a = {.call = {.done = got_reply}};
    SEE_E(call_start(&a.call, &disk, "disk.stat", MAP({"root", val_of_str("data")}, {"path", val_of_str("x")}), NULL, 0,
                     0, &e),
          &e);
    await(&r, &a); /* an answer, whichever: it is alive */
    SEE(a.done && a.err.code != ERR_NETWORK);
    forget(&a);
    /* The sampler: none, one, another in its place, and none when its link is closed. */
    sh->stage = 2;
    a = ask_and_wait(&r, "sampler", NO_ARGS);
    SEE_CODE(&a, ERR_NONE);
    SEE(a.fd_n == 1);
    sh->stage = 3;
    while (sh->stage == 3) loop_turn(r.loop, 10);
    struct reply b, third;
    ask(&r, &b, "sampler", NO_ARGS, 0);
    ask(&r, &third, "sampler", NO_ARGS, 0);
    await(&r, &b);
    await(&r, &third);
    SEE_CODE(&b, ERR_NONE);
    SEE(b.fd_n == 1);
    /* Either it came while the one before was still ending, or it is the next in its place. */
    SEE(third.err.code == ERR_DUPLICATE || third.fd_n == 1);
    forget(&a);
    r.notices = 0;
    sh->stage = 5; /* it is killed now */
    while (!r.notices) loop_turn(r.loop, 100);
    SEE(slice_eq(val_as_text(val_get(&r.notice_value, LIT("hand"))), LIT("sampler")) && r.notice_fd >= 0);
    close(r.notice_fd);
    r.notice_fd = -1;
    forget(&b);
    forget(&third);
    sh->stage = 6;
    while (sh->stage == 6) loop_turn(r.loop, 10);
    return 0;
}

TEST(a_hand_that_dies_is_begun_again_and_the_sampler_is_there_only_when_asked_for) {
    struct place p;
    shared_begin();
    if (!place_make(&p, 1234)) return;
    struct warden_config c = {.roots = p.roots, .root_n = 2, .reactor = lose_hands};
    pid_t warden = warden_begin(&c, false), disk = 0, sampler = 0;
    CHECK(UNTIL(sh->stage == 1));
    CHECK(UNTIL((disk = child_named(warden, "sb-disk")) != 0));
    CHECK(child_named(warden, "sb-sampler") == 0);
    CHECK(kill_one(disk, SIGKILL));
    CHECK(UNTIL(sh->stage == 3));
    CHECK(UNTIL((sampler = child_named(warden, "sb-sampler")) != 0));
    sh->stage = 4;
    CHECK(UNTIL(sh->stage == 5));
    CHECK(UNTIL(child_named(warden, "sb-sampler") != 0));
    pid_t second = child_named(warden, "sb-sampler");
    CHECK(second != 0 && second != sampler);
    CHECK(kill_one(second, SIGKILL));
    CHECK(UNTIL(sh->stage == 6));
    CHECK(UNTIL(child_named(warden, "sb-sampler") == 0));
    sh->stage = 7;
    CHECK_INT(warden_end(warden), 0);
    check_seen(13);
    place_remove(&p);
}

/* --- without memory --- */

static bool say_hello(struct job_call *c, struct val *result, struct err *e) {
    (void)e;
    job_line(c, "hello");
    *result = MAP({"hello", val_of_bool(true)});
    return true;
}

static const struct job_row hello[] = {{.verb = {.name = "test.hello"}, .run = say_hello, .jail = JAIL_COUNT}};

static int live_a_little(const struct warden_birth *birth, void *arg) {
    (void)arg;
    struct reactor r;
    mem_fault(0, 0); /* here it was copied by the fork */
    if (!reactor_open(&r, birth)) return 1;
    static const char *const verbs[] = {"listen", "kernel.status", "test.hello", "unlisten", "clock.get"};
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        bool named = strstr(verbs[i], "listen") != NULL;
        struct reply a = ask_and_wait(&r, verbs[i], named ? tcp("127.0.0.1:0") : NO_ARGS);
        SEE(a.done); /* with an answer, or with the reason why not */
        forget(&a);
    }
    return 0;
}

TEST(a_lack_of_memory_costs_a_request_or_a_reactor_but_never_the_warden) {
    unsigned n = 1;
    for (bool hit = true; hit && n < 300; n++) {
        shared_begin();
        sh->number[9] = n;
        struct warden_config c = {.reactor = live_a_little, .jobs = hello, .job_n = 1};
        int code = warden_live(&c);
        hit = sh->number[10];
        CHECK(code == 0 || (code == 71 && sh->rounds == 0)); /* at the very start it may say that it cannot begin */
        check_seen(sh->rounds ? 5 : 0);
    }
    tap_note("%u allocations of the warden failed in turn", n - 2);
    CHECK(n > 10 && n < 300);
}

TAP_MAIN(T(children_have_the_descriptors_they_should_and_no_other_and_the_reactor_is_nobody),
         T(the_status_says_what_kernel_and_start_give), T(a_root_that_cannot_be_opened_is_said_at_the_start),
         T(a_killed_reactor_is_followed_by_one_with_the_same_listeners_and_who_waits_is_served),
         T(when_the_warden_is_killed_all_of_its_children_are_gone),
         T(SIGTERM_and_SIGINT_end_the_reactor_in_order_and_SIGHUP_is_passed_on),
         T(a_reactor_that_does_not_end_is_killed_in_time_or_at_the_second_signal),
         T(codes_0_and_2_end_the_warden_and_others_are_followed_by_a_new_reactor),
         T(a_reactor_that_closes_its_link_and_stays_is_killed), T(restart_begins_a_new_reactor_with_the_same_listeners),
         T(a_hand_that_dies_is_begun_again_and_the_sampler_is_there_only_when_asked_for),
         T(a_lack_of_memory_costs_a_request_or_a_reactor_but_never_the_warden))
