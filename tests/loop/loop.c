/* loop.c - the turn: descriptors, timers, signals, children, and the order of work before sleeping. */
#include "loop/loop.h"

#include "base/clock.h"
#include "base/rng.h"
#include "lib/tap.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static char trace[4000];
static void say(const char *text) {
    size_t len = strlen(trace);
    snprintf(trace + len, sizeof trace - len, "%s ", text);
}
static void check_trace(const char *want) {
    CHECK_TEXT(slice_str(trace), slice_str(want));
    trace[0] = 0;
}

static struct loop *make(void) {
    struct err e = ERR_INIT;
    struct loop *l = loop_new(&e);
    CHECK(l != NULL);
    trace[0] = 0;
    return l;
}

/* --- descriptors --- */

struct end {
    struct loop_fd w;
    const char *text;
    struct end *removes;
    bool frees_itself;
};

static void end_ready(struct loop_fd *w, unsigned ready) {
    struct end *end = LOOP_OWNER(struct end, w, w);
    char out[40];
    snprintf(out, sizeof out, "%s%s%s%s", end->text, ready & LOOP_READ ? "r" : "", ready & LOOP_WRITE ? "w" : "",
             ready & LOOP_GONE ? "g" : "");
    say(out);
    if (end->removes) loop_fd_remove(&end->removes->w);
    if (end->frees_itself) {
        loop_fd_remove(w);
        free(end);
    }
}

TEST(a_descriptor_is_called_for_what_it_wants_as_long_as_it_is_ready) {
    struct loop *l = make();
    int p[2];
    CHECK(pipe2(p, O_NONBLOCK | O_CLOEXEC) == 0);
    struct end in = {.w = {.call = end_ready, .name = "in"}, .text = "in"},
               out = {.w = {.call = end_ready, .name = "out"}, .text = "out"};
    struct err e = ERR_INIT;
    CHECK(loop_fd_add(l, &in.w, p[0], LOOP_READ, &e) && loop_fd_add(l, &out.w, p[1], 0, &e));
    CHECK_INT(loop_turn(l, 0), 0);
    CHECK(write(p[1], "x", 1) == 1);
    loop_turn(l, 0);
    loop_turn(l, 0); /* level triggered: nobody read it */
    check_trace("inr inr ");
    CHECK(loop_fd_want(&in.w, 0, &e) && loop_fd_want(&out.w, LOOP_WRITE, &e) && loop_fd_want(&out.w, LOOP_WRITE, &e));
    loop_turn(l, 0);
    check_trace("outw ");
    CHECK_INT(loop_stats(l).fds, 2);
    loop_fd_remove(&out.w);
    loop_fd_remove(&out.w);
    close(p[1]);
    loop_turn(l, 0); /* a hang-up comes unasked */
    check_trace("ing ");
    loop_fd_remove(&in.w);
    CHECK_INT(loop_turn(l, 0), 0);
    close(p[0]);
    CHECK(!loop_fd_add(l, &in.w, p[0], LOOP_READ, &e) && e.os != 0);
    loop_free(l);
    loop_free(NULL);
}

TEST(what_a_callback_removes_or_frees_is_not_called_again) {
    struct loop *l = make();
    int p[2][2];
    struct err e = ERR_INIT;
    for (int i = 0; i < 2; i++) CHECK(pipe2(p[i], O_NONBLOCK | O_CLOEXEC) == 0 && write(p[i][1], "x", 1) == 1);
    struct end a = {.w = {.call = end_ready, .name = "a"}, .text = "a"},
               b = {.w = {.call = end_ready, .name = "b"}, .text = "b"};
    a.removes = &b;
    b.removes = &a;
    CHECK(loop_fd_add(l, &a.w, p[0][0], LOOP_READ, &e) && loop_fd_add(l, &b.w, p[1][0], LOOP_READ, &e));
    CHECK_INT(loop_turn(l, 0), 1); /* both were ready; whoever came first took the other away */
    loop_fd_remove(&a.w);
    loop_fd_remove(&b.w);
    struct end *c = calloc(1, sizeof *c);
    *c = (struct end){.w = {.call = end_ready, .name = "c"}, .text = "c", .frees_itself = true};
    CHECK(loop_fd_add(l, &c->w, p[0][0], LOOP_READ, &e));
    trace[0] = 0;
    loop_turn(l, 0);
    loop_turn(l, 0);
    check_trace("cr ");
    for (int i = 0; i < 2; i++) close(p[i][0]), close(p[i][1]);
    loop_free(l);
}

/* --- timers, on a clock of our own --- */

static int64_t now_us;
static int64_t ask(void *arg) {
    (void)arg;
    return now_us;
}
static const struct clock_source by_hand = {ask, ask, NULL};

struct alarm {
    struct loop_timer t;
    int64_t wanted;
    struct loop *again; /* sets itself again for now */
    struct alarm *clears;
};
static int64_t last_rung;
static unsigned rung;

static void ring(struct loop_timer *t) {
    struct alarm *a = LOOP_OWNER(struct alarm, t, t);
    CHECK(!loop_timer_is_set(t) && a->wanted >= last_rung && a->wanted <= loop_now_ms(t->loop));
    last_rung = a->wanted;
    rung++;
    if (a->again) loop_timer_set(a->again, t, loop_now_ms(t->loop));
    if (a->clears) loop_timer_clear(&a->clears->t);
}

TEST(timers_ring_in_order_and_never_early) {
    enum { N = 500 };
    static struct alarm a[N];
    memset(a, 0, sizeof a);
    clock_use(&by_hand);
    now_us = 1000000;
    struct loop *l = make();
    rng_use_seed(5);
    last_rung = 0;
    rung = 0;
    for (int i = 0; i < N; i++) {
        a[i].t = (struct loop_timer){.call = ring, .name = "alarm"};
        a[i].wanted = 1000 + (int64_t)rng_below(2000);
        CHECK(loop_timer_set(l, &a[i].t, a[i].wanted));
    }
    for (int i = 0; i < N; i += 3) { /* moved, to both sides */
        a[i].wanted = 1000 + (int64_t)rng_below(2000);
        CHECK(loop_timer_set(l, &a[i].t, a[i].wanted));
    }
    unsigned cleared = 0;
    for (int i = 1; i < N; i += 7, cleared++) loop_timer_clear(&a[i].t), loop_timer_clear(&a[i].t);
    CHECK_INT(loop_stats(l).timers, N - cleared);
    while (loop_stats(l).timers) {
        loop_turn(l, 0);
        now_us += 7000;
    }
    CHECK_INT(rung, N - cleared);
    rng_use_seed(0);
    loop_free(l);
    clock_use(NULL);
}

TEST(a_timer_set_again_for_now_waits_for_the_next_turn) {
    clock_use(&by_hand);
    now_us = 5000000;
    struct loop *l = make();
    struct alarm a = {.t = {.call = ring, .name = "a"}, .wanted = 5000},
                 b = {.t = {.call = ring, .name = "b"}, .wanted = 5000},
                 c = {.t = {.call = ring, .name = "c"}, .wanted = 5000};
    a.again = l;
    b.clears = &c;
    last_rung = 0;
    rung = 0;
    CHECK(loop_timer_set(l, &a.t, 5000) && loop_timer_set(l, &b.t, 4999) && loop_timer_set(l, &c.t, 5000));
    b.wanted = 4999;
    loop_turn(l, 0);
    CHECK_INT(rung, 2); /* b took c away; a rang once */
    loop_turn(l, 0);
    CHECK_INT(rung, 3);
    loop_timer_clear(&a.t);
    loop_free(l);
    clock_use(NULL);
}

static void stop_loop(struct loop_timer *t) {
    loop_stop(t->loop, 42);
}

TEST(the_loop_runs_until_it_is_stopped) {
    struct loop *l = make();
    struct loop_timer t = {.call = stop_loop, .name = "stop"};
    int64_t start = clock_mono_ms();
    CHECK(loop_timer_set(l, &t, start + 20));
    CHECK_INT(loop_run(l), 42);
    CHECK(clock_mono_ms() >= start + 20);
    CHECK(loop_scratch(l) != NULL);
    loop_free(l);
}

/* --- before sleeping --- */

struct job {
    struct loop_task t;
    const char *text;
    int times; /* how often it wants to go on */
    struct job *queues;
    enum loop_phase queues_for;
    struct job *removes;
};

static bool work(struct loop_task *t) {
    struct job *j = LOOP_OWNER(struct job, t, t);
    say(j->text);
    if (j->queues) loop_task_queue(t->loop, &j->queues->t, j->queues_for);
    if (j->removes) loop_task_remove(&j->removes->t);
    return --j->times > 0;
}
#define JOB(name)                                                                                                      \
    { .t = LOOP_TASK(work, name), .text = (name) }

TEST(phases_run_in_their_order_whatever_was_queued_first) {
    struct loop *l = make();
    struct job commit = JOB("commit"), answer = JOB("answer"), spread = JOB("spread"), write_out = JOB("write"),
               shut = JOB("close"), later = JOB("later");
    loop_task_queue(l, &later.t, LOOP_LATER);
    loop_task_queue(l, &shut.t, LOOP_CLOSE);
    loop_task_queue(l, &write_out.t, LOOP_WRITE_OUT);
    loop_task_queue(l, &spread.t, LOOP_SPREAD);
    loop_task_queue(l, &answer.t, LOOP_ANSWER);
    loop_task_queue(l, &commit.t, LOOP_COMMIT);
    loop_task_queue(l, &commit.t, LOOP_LATER); /* once, where it was put first */
    loop_turn(l, -1);                          /* work is left: it does not wait */
    check_trace("commit answer spread write close later ");
    loop_free(l);
}

TEST(long_work_goes_in_slices_and_a_turn_always_ends) {
    struct loop *l = make();
    struct job slice = JOB("slice"), early = JOB("early"), same = JOB("same"), late = JOB("late"), gone = JOB("gone");
    slice.times = 3;
    slice.queues = &same;
    slice.queues_for = LOOP_LATER;
    early.queues = &late;
    early.queues_for = LOOP_CLOSE;
    early.removes = &gone;
    loop_task_queue(l, &slice.t, LOOP_LATER);
    loop_task_queue(l, &early.t, LOOP_COMMIT);
    loop_task_queue(l, &gone.t, LOOP_ANSWER);
    loop_turn(l, -1);
    check_trace("early late slice "); /* a later phase of this turn; the same phase waits; what was removed is gone */
    loop_turn(l, -1);
    check_trace("same slice ");
    loop_turn(l, -1);
    check_trace("same slice ");
    loop_turn(l, 0);
    check_trace("same ");
    CHECK_INT(loop_turn(l, 0), 0);
    loop_task_remove(&same.t);
    loop_free(l);
}

/* --- signals and children --- */

static unsigned heard;
static void hear(struct loop_signal *s) {
    heard++;
    say(s->name);
}

TEST(signals_come_by_the_loop) {
    struct loop *l = make();
    struct err e = ERR_INIT;
    struct loop_signal usr1 = {.call = hear, .name = "usr1"}, usr2 = {.call = hear, .name = "usr2"},
                       twice = {.call = hear, .name = "twice"};
    CHECK(loop_signal_add(l, &usr1, SIGUSR1, &e) && loop_signal_add(l, &usr2, SIGUSR2, &e));
    CHECK(!loop_signal_add(l, &twice, SIGUSR1, &e) && e.code == ERR_DUPLICATE);
    heard = 0;
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGUSR2);
    for (int i = 0; i < 5; i++) loop_turn(l, 0);
    CHECK_INT(heard, 2);
    loop_signal_remove(&usr1);
    loop_signal_remove(&usr1);
    kill(getpid(), SIGUSR1); /* blocked, and nobody's concern */
    kill(getpid(), SIGUSR2);
    for (int i = 0; i < 5; i++) loop_turn(l, 0);
    CHECK_INT(heard, 3);
    loop_signal_remove(&usr2);
    CHECK(!loop_signal_add(l, &twice, 9999, &e));
    loop_free(l);
}

struct kid {
    struct loop_child c;
    int status;
};
static void buried(struct loop_child *c, int status) {
    struct kid *k = LOOP_OWNER(struct kid, c, c);
    k->status = status;
    say(c->name);
}

TEST(a_child_that_ends_is_reaped_and_told) {
    struct loop *l = make();
    struct err e = ERR_INIT;
    struct kid k = {.c = {.call = buried, .name = "kid"}}, other = {.c = {.call = buried, .name = "other"}};
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) _exit(7);
    pid_t second = fork();
    if (second == 0) {
        pause();
        _exit(0);
    }
    CHECK(loop_child_add(l, &k.c, pid, &e) && loop_child_add(l, &other.c, second, &e));
    while (!trace[0]) loop_turn(l, 1000);
    check_trace("kid ");
    CHECK(WIFEXITED(k.status) && WEXITSTATUS(k.status) == 7);
    CHECK(waitpid(pid, NULL, WNOHANG) < 0);
    kill(second, SIGKILL);
    while (!trace[0]) loop_turn(l, 1000);
    CHECK(WIFSIGNALED(other.status) && WTERMSIG(other.status) == SIGKILL);
    CHECK(!loop_child_add(l, &k.c, pid, &e)); /* nobody there */
    loop_child_remove(&k.c);
    loop_free(l);
}

/* --- measuring --- */

static bool dawdle(struct loop_task *t) {
    (void)t;
    now_us += 5000;
    return false;
}

TEST(the_slowest_callback_is_known_by_name_and_turns_are_counted) {
    clock_use(&by_hand);
    now_us = 1000000;
    struct loop *l = make();
    struct loop_task slow = LOOP_TASK(dawdle, "dawdle");
    struct job quick = JOB("quick");
    loop_task_queue(l, &slow, LOOP_COMMIT);
    loop_task_queue(l, &quick.t, LOOP_LATER);
    loop_turn(l, 0);
    loop_turn(l, 0);
    struct loop_stats s = loop_stats(l);
    CHECK_INT(s.slowest_us, 5000);
    CHECK_TEXT(slice_str(s.slowest), LIT("dawdle"));
    CHECK_INT(s.turns, 2);
    CHECK_INT(s.calls, 2);
    CHECK_INT(s.turn_us[12], 1); /* 4096 to 8191 us */
    CHECK_INT(s.turn_us[0], 1);
    loop_stats_reset(l);
    CHECK_INT(loop_stats(l).slowest_us, 0);
    loop_free(l);
    clock_use(NULL);
}

TAP_MAIN(T(a_descriptor_is_called_for_what_it_wants_as_long_as_it_is_ready),
         T(what_a_callback_removes_or_frees_is_not_called_again), T(timers_ring_in_order_and_never_early),
         T(a_timer_set_again_for_now_waits_for_the_next_turn), T(the_loop_runs_until_it_is_stopped),
         T(phases_run_in_their_order_whatever_was_queued_first), T(long_work_goes_in_slices_and_a_turn_always_ends),
         T(signals_come_by_the_loop), T(a_child_that_ends_is_reaped_and_told),
         T(the_slowest_callback_is_known_by_name_and_turns_are_counted))
