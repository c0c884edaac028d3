/* hand.c - the state on a real disk, through a real disk hand in its jail: the hand is killed or refused by the kernel at any call, the
 * reactor is killed at any moment; nothing that was acknowledged is lost.
 *
 * In `make check` some hundred points; STARTBOX_LONG=1 takes thousands. */
#include "state/state.h"
#include "warden/disk_box.h"

/* Revision n puts n into "n" and into one of five other places: the tree says itself which revision it is. */
static const struct plan_branch branches[] = {{"", "core", 0, NULL}};
static const struct plan_config plan_config = {.name = "hand",
                                               .version = 1,
                                               .birth = "{\"n\":0,\"places\":{},\"fill\":\"\"}",
                                               .branches = branches,
                                               .branch_n = 1};
static const struct state_limits small = {.revision = 16384,
                                          .pending = 65536,
                                          .segment = 4096,
                                          .journal = 4096,
                                          .snapshot = 1 << 20,
                                          .mark_ms = 2,
                                          .retry_ms = 4};

static struct {
    struct plan *plan;
    struct state *state;
    enum state_mode mode;
    struct err why;
    uint64_t n, acked; /* the last one that was committed, acknowledged */
    struct state_hold holds[64];
    uint64_t hold_n[64];
    unsigned waiting, refused, starts;
    int report; /* where acknowledgements go, or -1 */
} box;

static bool is_long(void) {
    return getenv("STARTBOX_LONG") != NULL;
}

static void changed(struct state *s, enum state_mode mode, const struct err *why) {
    (void)s;
    box.mode = mode;
    box.why = why ? *why : (struct err)ERR_INIT;
}

static bool store_begin(void) {
    const struct state_config config = {.loop = loop,
                                        .disk = &port,
                                        .root = "data",
                                        .folder = "state",
                                        .plan = box.plan,
                                        .limits = &small,
                                        .watch_limits = &watch_limits,
                                        .changed = changed};
    box.mode = STATE_OPENING;
    box.state = state_new(&config, &err);
    return box.state != NULL;
}

/* Another hand on the same loop. */
static bool hand_again(const char *fault) {
    int fd[2];
    port_stop(&port);
    waitpid(hand_pid, &hand_status, 0);
    hand_gone = false;
    if (!CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) == 0)) return false;
    fflush(stdout);
    hand_pid = fork();
    if (hand_pid == 0) be_the_hand(fd[1], fault);
    close(fd[1]);
    port = (struct port){.name = "disk", .gone = port_gone};
    return CHECK(port_start(&port, loop, fd[0], &err));
}

static void store_end(void) {
    for (unsigned i = 0; i < 64; i++) state_hold_cancel(&box.holds[i]);
    box.waiting = 0;
    state_free(box.state);
    box.state = NULL;
}

/* Turns until it is so, with a new hand whenever there is none. */
static bool await_mode(enum state_mode mode) {
    for (unsigned i = 0; i < 4000 && box.mode != mode && box.mode != STATE_FAILED; i++) {
        loop_turn(loop, 5);
        if (hand_gone && hand_again(NULL)) state_new_disk(box.state);
    }
    return box.mode == mode;
}

static uint64_t number_at(const char *pointer) {
    uint64_t n = UINT64_MAX;
    struct val v = state_show(box.state, slice_str(pointer), NULL);
    val_as_u64(&v, &n);
    val_unref(&v);
    return n;
}

/* What the tree says is whole: n, and in each place the last one before it. */
static bool is_whole(void) {
    uint64_t n = number_at("/n");
    bool good = CHECK(n != UINT64_MAX);
    for (uint64_t place = 0; place < 5; place++) {
        char p[40];
        snprintf(p, sizeof p, "/places/%u", (unsigned)place);
        uint64_t want = n % 5 >= place ? n - n % 5 + place : n >= 5 ? n - n % 5 - 5 + place : 0;
        uint64_t got = number_at(p);
        good &= CHECK_INT(got == UINT64_MAX ? 0 : got, want);
    }
    return good;
}

static void acknowledged(struct state_hold *h, const struct err *why) {
    uint64_t n = box.hold_n[h - box.holds];
    box.waiting--;
    if (why) {
        box.refused++;
        return;
    }
    if (n > box.acked) box.acked = n;
    if (box.report >= 0 && write(box.report, &n, sizeof n) != sizeof n) _exit(97);
}

/* One more, if it is taken. */
static bool commit(unsigned fill) {
    struct state_txn t;
    struct err e = ERR_INIT;
    char text[3000], p[40];
    uint64_t n = number_at("/n");
    uint64_t revision;
    n = 0;
    val_as_u64(val_get(state_peek(box.state), LIT("n")), &n);
    n++;
    memset(text, 'x', sizeof text);
    if (!state_begin(box.state, &t, PLAN_ALL_OWNERS, &e)) return false;
    snprintf(p, sizeof p, "/places/%u", (unsigned)(n % 5));
    txn_put_u64(&t, LIT("/n"), n, NULL);
    txn_put_u64(&t, slice_str(p), n, NULL);
    txn_put_text(&t, LIT("/fill"), slice_of(text, fill % sizeof text), NULL);
    if (!state_commit(&t, &revision, &e)) return false;
    box.n = n;
    for (unsigned i = 0; i < 64; i++) {
        if (box.holds[i].state) continue;
        box.holds[i].done = acknowledged;
        box.hold_n[i] = n;
        box.waiting++;
        state_hold(box.state, &box.holds[i], revision);
        break;
    }
    return true;
}

static bool begin_all(void) {
    unsigned starts = box.starts;
    memset(&box, 0, sizeof box);
    box.starts = starts;
    box.report = -1;
    log_use(say_nothing, NULL);
    box.plan = plan_new(&plan_config, &err);
    return CHECK(box.plan) && folders_begin();
}

static void end_all(void) {
    plan_free(box.plan);
    log_use(NULL, NULL);
    folders_end();
}

/* Opens with a good hand, and what is there must be whole and not behind `least`. */
static void check_start(uint64_t least) {
    bool up = false;
    /* The hand of a reactor that was killed may still be about to end. */
    for (unsigned i = 0; i < 400 && !up; i++) {
        if (!hand_begin(NULL) || !store_begin()) break;
        up = await_mode(STATE_UP);
        if (up) break;
        bool held = strstr(box.why.text, "another process") != NULL;
        if (!held || i == 399) tap_note("it says: %s", box.why.text);
        store_end();
        hand_end();
        if (!held) break;
        usleep(5000);
    }
    if (!CHECK(up)) return;
    is_whole();
    uint64_t n = number_at("/n");
    if (!CHECK(n >= least))
        tap_note("%llu is there, %llu was acknowledged", (unsigned long long)n, (unsigned long long)least);
    for (unsigned i = 0; i < 3; i++) CHECK(commit(10));
    state_close(box.state);
    CHECK(await_mode(STATE_CLOSED));
    loop_turn(loop, 0);
    CHECK_INT(box.waiting, 0);
    CHECK_INT(box.acked, box.n);
    store_end();
    CHECK_INT(hand_end(), 0);
    if (!is_long() && ++box.starts % 4) return;
    /* And once more: closed as it should be, so exactly that. */
    if (!hand_begin(NULL) || !store_begin()) return;
    CHECK(await_mode(STATE_UP));
    CHECK_INT(number_at("/n"), n + 3);
    is_whole();
    store_end();
    CHECK_INT(hand_end(), 0);
}

TEST(a_store_on_a_real_disk_is_opened_changed_closed_and_found_again) {
    if (!begin_all()) return;
    for (unsigned life = 0; life < 4; life++) {
        if (!CHECK(hand_begin(NULL) && store_begin() && await_mode(STATE_UP))) break;
        CHECK_INT(number_at("/n"), life * 40);
        for (unsigned i = 0; i < 40; i++) {
            CHECK(commit(i * 37));
            for (unsigned k = 0; k < 200 && box.waiting > i % 3; k++) loop_turn(loop, 5);
        }
        is_whole();
        state_close(box.state);
        CHECK(await_mode(STATE_CLOSED));
        CHECK_INT(box.acked, (life + 1) * 40);
        store_end();
        CHECK_INT(hand_end(), 0);
    }
    check_start(160);
    end_all();
}

/* A short life with a fault in its hand. False: the fault was never met. */
static bool run_fault(const char *fault) {
    if (!hand_begin(fault)) return false;
    box.acked = box.n = box.refused = 0;
    if (!store_begin()) return false;
    bool up = await_mode(STATE_UP), met = !up;
    for (unsigned i = 0; up && i < 24; i++) {
        commit(i % 7 ? i * 13 : 1500);
        if (i == 12) state_snapshot(box.state, NULL);
        for (unsigned k = 0; k < 300 && box.waiting > i % 3; k++) {
            loop_turn(loop, 2);
            if (hand_gone && hand_again(NULL)) {
                met = true;
                state_new_disk(box.state);
            }
        }
        if (box.refused) met = true;
        if (box.mode == STATE_READ_ONLY) await_mode(STATE_UP);
    }
    if (up) {
        await_mode(STATE_UP);
        CHECK(commit(1));
        for (unsigned k = 0; k < 400 && box.waiting; k++) {
            loop_turn(loop, 5);
            if (hand_gone && hand_again(NULL)) state_new_disk(box.state);
        }
        CHECK_INT(box.waiting, 0);
        await_mode(STATE_UP);
        CHECK_INT(box.acked, number_at("/n")); /* what was refused at the very end is not there any more */
        is_whole();
    }
    uint64_t least = box.acked;
    store_end();
    hand_end();
    check_start(least);
    return met;
}

static void sweep_faults(const char *act, unsigned stride) {
    static const char *const ops[] = {"write", "sync", "rename", "open", "unlink"};
    unsigned points = 0, met = 0;
    for (unsigned op = 0; op < COUNT(ops); op++)
        for (unsigned nth = 1; nth < 90; nth += stride, points++) {
            char fault[40];
            snprintf(fault, sizeof fault, "%s:%u:%s", ops[op], nth, act);
            if (!begin_all()) return;
            bool was = run_fault(fault);
            end_all();
            met += was;
            if (!was && nth > 60) break;
        }
    tap_note("%s: %u points, %u of them seen from above", act, points, met);
    CHECK(met > 3);
}

TEST(a_hand_killed_at_any_call_loses_nothing) {
    sweep_faults("kill", is_long() ? 1 : 12);
}

TEST(a_kernel_that_refuses_any_call_loses_nothing) {
    sweep_faults("eio", is_long() ? 1 : 21);
    sweep_faults("enospc", is_long() ? 1 : 25);
}

/* --- the reactor is killed --- */

_Noreturn static void be_the_reactor(int report) {
    fault_set(NULL);
    if (!hand_begin(NULL) || !store_begin()) _exit(96);
    box.report = report;
    if (!await_mode(STATE_UP)) _exit(95);
    uint64_t seed = (uint64_t)getpid();
    for (;;) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        commit((unsigned)(seed >> 40));
        if (box.waiting > 40 || seed >> 61 == 0) state_snapshot(box.state, NULL);
        for (unsigned k = (unsigned)(seed >> 50) % 4 + (box.waiting > 40 ? 20 : 0); k; k--) loop_turn(loop, 1);
    }
}

TEST(a_reactor_killed_at_any_moment_loses_nothing_acknowledged) {
    unsigned points = is_long() ? 1500 : 40;
    uint64_t seed = 1, acks = 0;
    for (unsigned point = 0; point < points; point++) {
        int fd[2];
        if (point % 10 == 0 && !begin_all()) return;
        uint64_t before = box.acked;
        if (!CHECK(pipe2(fd, O_CLOEXEC) == 0)) return;
        fflush(stdout);
        pid_t reactor = fork();
        if (reactor == 0) be_the_reactor(fd[1]);
        close(fd[1]);
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        usleep((useconds_t)((seed >> 33) % (point % 3 ? 40000 : 8000)));
        kill(reactor, SIGKILL);
        int status = 0;
        waitpid(reactor, &status, 0);
        if (!CHECK(WIFSIGNALED(status))) tap_note("it ended by itself with %d", WEXITSTATUS(status));
        uint64_t n, least = before;
        while (read(fd[0], &n, sizeof n) == sizeof n) {
            least = n > least ? n : least;
            acks++;
        }
        close(fd[0]);
        check_start(least);
        if (point % 10 == 9 || point + 1 == points) end_all();
    }
    tap_note("%u kills, %llu acknowledgements", points, (unsigned long long)acks);
    CHECK(acks > 10);
}

TAP_MAIN(T(a_store_on_a_real_disk_is_opened_changed_closed_and_found_again), T(a_hand_killed_at_any_call_loses_nothing),
         T(a_kernel_that_refuses_any_call_loses_nothing), T(a_reactor_killed_at_any_moment_loses_nothing_acknowledged))
