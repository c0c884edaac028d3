/* crash.c - the power goes, the reactor dies, the hand dies, at any operation of the disk: nothing that was acknowledged is lost, nothing
 * comes back that never was, and the store is never called damaged.
 *
 * In `make check` a sample; STARTBOX_LONG=1 takes every operation. STARTBOX_SEED=n: another scenario and another sample. */
#include "lib/tap.h"
#include "state/scenario.h"

#define STEPS 240

static uint64_t first_seed(void) {
    const char *s = getenv("STARTBOX_SEED");
    return s ? strtoull(s, NULL, 10) : 7;
}

static bool is_long(void) {
    return getenv("STARTBOX_LONG") != NULL;
}

/* One step of a busy life: a commit of some caller, who may wait for it; time passes; both sides turn. */
static void live_one_step(struct stage *st, uint64_t *seed) {
    struct err e = ERR_INIT;
    bool made = stage_act(st, seed, &e);
    for (unsigned n = made ? stage_below(seed, 4) : stage_below(seed, 2); n; n--) stage_hold(st);
    if (stage_below(seed, 40) == 0) state_snapshot(st->state, NULL);
    stage_pass_ms(stage_below(seed, 6) ? stage_below(seed, 5) : 40);
    for (unsigned n = stage_below(seed, 5); n; n--) {
        stage_turn(st);
        if (mem_disk_is_cut(st->disk) || mem_disk_reactor_killed(st->disk)) return;
        if (st->port_gone && stage_below(seed, 3) == 0) stage_new_hand(st);
    }
}

static bool is_over(const struct stage *st) {
    return mem_disk_is_cut(st->disk) || mem_disk_reactor_killed(st->disk) || st->mode == STATE_FAILED;
}

static void live(struct stage *st, uint64_t seed, unsigned steps) {
    for (unsigned i = 0; i < steps && !is_over(st); i++) live_one_step(st, &seed);
    if (!is_over(st) && st->port_gone) stage_new_hand(st);
    for (unsigned i = 0; i < 400 && !is_over(st); i++) {
        if (state_settled(st->state) == state_revision(st->state) && !st->holds) break;
        if (st->port_gone) stage_new_hand(st);
        stage_turn(st);
        stage_pass_ms(1);
    }
}

/* A store that has lived for a while, closed as it should be. */
static struct mem_disk *make_lived(struct book *book, unsigned steps) {
    struct stage st;
    struct mem_disk *disk = mem_disk_new();
    if (stage_up(&st, disk, book, 0)) live(&st, 99, steps);
    return stage_close(&st);
}

/* --- the power goes: seen from one run, by a picture of the disk before each operation --- */

struct picture {
    struct mem_disk *disk;
    uint64_t least, op, seed;
    struct picture *next;
};

static struct {
    struct stage *st;
    struct picture *first, **last;
    unsigned every, skip, seeds;
} camera;

static void take_pictures(void *arg, unsigned kind) {
    (void)arg, (void)kind;
    if (camera.skip++ % camera.every) return;
    for (unsigned i = 0; i < camera.seeds; i++) {
        struct picture *p = calloc(1, sizeof *p);
        if (!p) abort();
        uint64_t op = mem_disk_ops(camera.st->disk);
        *p = (struct picture){.op = op, .seed = i < 2 ? i : op * 31 + i};
        /* What opens has promised nothing yet. */
        p->least = camera.st->changes ? state_settled(camera.st->state) : 1;
        p->disk = mem_disk_cut(camera.st->disk, p->seed);
        *camera.last = p;
        camera.last = &p->next;
    }
}

static void camera_begin(struct stage *st, unsigned every, unsigned seeds) {
    camera.st = st;
    camera.first = NULL;
    camera.last = &camera.first;
    camera.every = every;
    camera.skip = (unsigned)first_seed() % every;
    camera.seeds = seeds;
}

/* Each picture is opened: it must be as the model says. */
static unsigned develop(const struct book *book, const char *about) {
    unsigned n = 0;
    int64_t now = stage_now_us;
    while (camera.first) {
        struct picture *p = camera.first;
        struct book own = {0};
        struct stage st;
        camera.first = p->next;
        book_copy(&own, book);
        snprintf(stage_where, sizeof stage_where, "%s: power cut before operation %llu, seed %llu, least %llu", about,
                 (unsigned long long)p->op, (unsigned long long)p->seed, (unsigned long long)p->least);
        bool up = stage_up(&st, p->disk, &own, p->least);
        struct mem_disk *disk = up && n % 4 == 0 ? stage_live_on(&st, p->op + p->seed, 5) : stage_kill(&st);
        mem_disk_free(disk);
        book_release(&own);
        free(p);
        n++;
    }
    camera.last = &camera.first;
    stage_now_us = now;
    snprintf(stage_where, sizeof stage_where, "%s", about);
    return n;
}

TEST(a_power_cut_at_any_operation_loses_nothing_acknowledged) {
    struct stage st;
    struct book book = {0};
    unsigned pictures = 0;
    uint64_t seed = first_seed();
    stage_begin();
    struct mem_disk *disk = mem_disk_new();
    snprintf(stage_where, sizeof stage_where, "power cuts");
    if (stage_up(&st, disk, &book, 0)) {
        camera_begin(&st, is_long() ? 1 : 3, is_long() ? 12 : 4);
        mem_disk_each(disk, take_pictures, NULL);
        stage_watch(&st);
        for (unsigned i = 0; i < STEPS; i++) {
            live_one_step(&st, &seed);
            pictures += develop(&book, "power cuts");
        }
        stage_quiet(&st);
        pictures += develop(&book, "power cuts");
        CHECK_INT(st.errors, 0);
        CHECK(st.oks > 100);
        CHECK(state_counts(st.state).snapshots > 5 && state_counts(st.state).segment > 8);
        state_close(st.state);
        CHECK(stage_await(&st, STATE_CLOSED));
        pictures += develop(&book, "power cuts");
        mem_disk_each(disk, NULL, NULL);
    }
    tap_note("%llu operations, %u pictures", (unsigned long long)mem_disk_ops(disk), pictures);
    mem_disk_free(stage_kill(&st));
    book_release(&book);
    CHECK_INT(stage_bad, 0);
    stage_end();
}

TEST(a_power_cut_at_any_operation_of_a_start_loses_nothing) {
    struct book book = {0};
    unsigned pictures = 0;
    stage_begin();
    struct mem_disk *old = make_lived(&book, 60);
    for (unsigned round = 0; round < (is_long() ? 60 : 6); round++) {
        /* A crash first: so the start has something to mend. */
        struct stage st;
        struct book own = {0};
        book_copy(&own, &book);
        struct mem_disk *disk = mem_disk_cut(old, MEM_CUT_ALL);
        snprintf(stage_where, sizeof stage_where, "before the start");
        uint64_t least = 1;
        if (stage_up(&st, disk, &own, 1)) {
            mem_disk_fail_at(disk, 10 + round * 7, MEM_POWER_CUT, MEM_ANY, 1);
            live(&st, round + 500, 60);
            least = state_settled(st.state);
        }
        disk = stage_kill(&st);
        struct mem_disk *torn = mem_disk_cut(disk, round % 4 ? round + 2 : round / 4 % 2);
        mem_disk_free(disk);
        /* Then the start, and pictures of all it does. */
        if (stage_open(&st, torn, &own)) {
            camera_begin(&st, 1, is_long() ? 6 : 3);
            mem_disk_each(torn, take_pictures, NULL);
            stage_opening(&st);
            mem_disk_each(torn, NULL, NULL);
            for (struct picture *p = camera.first; p; p = p->next) p->least = least;
            /* The model as it was before: what was found, and maybe more. */
            pictures += develop(&own, "crash in the start after a crash");
            HOLDS(st.mode == STATE_UP);
        }
        mem_disk_free(stage_kill(&st));
        book_release(&own);
    }
    tap_note("%u pictures", pictures);
    CHECK(pictures > 20);
    mem_disk_free(old);
    book_release(&book);
    CHECK_INT(stage_bad, 0);
    stage_end();
}

/* --- who dies at the nth operation --- */

enum way { WAY_REACTOR, WAY_HAND, WAY_BOTH, WAY_HAND_AND_POWER, WAY_N };
static const char *const way_names[] = {"reactor killed", "hand killed", "both killed",
                                        "hand killed, then the power cut"};

/* Runs the scenario with a death in it, then what must hold. False: the operation was never reached. */
static bool run_death(const struct mem_disk *old, const struct book *before, enum way way, uint64_t nth,
                      uint64_t seed) {
    struct stage st;
    struct book book = {0};
    struct mem_disk *disk = mem_disk_cut(old, MEM_CUT_ALL);
    book_copy(&book, before);
    snprintf(stage_where, sizeof stage_where, "%s at operation %llu, seed %llu", way_names[way],
             (unsigned long long)nth, (unsigned long long)seed);
    bool reached = false;
    if (stage_up(&st, disk, &book, 1)) {
        mem_disk_fail_at(disk, nth, way == WAY_REACTOR ? MEM_KILL_REACTOR : MEM_KILL_HAND, MEM_ANY, 1);
        stage_watch(&st);
        unsigned steps = 0;
        uint64_t s = seed;
        while (steps++ < 90 && !is_over(&st)) {
            live_one_step(&st, &s);
            if (way >= WAY_BOTH && mem_disk_failed(disk)) break;
        }
        reached = mem_disk_failed(disk);
        if (way == WAY_HAND || !reached) {
            if (st.port_gone) stage_new_hand(&st);
            stage_quiet(&st);
            HOLDS(st.errors == 0);
            HOLDS(st.mode == STATE_UP);
        }
        if (way == WAY_HAND_AND_POWER)
            for (unsigned n = stage_below(&s, 12); n; n--) {
                if (st.port_gone && n % 2) stage_new_hand(&st);
                stage_turn(&st);
            }
    }
    uint64_t least = st.state ? state_settled(st.state) : 1;
    disk = stage_kill(&st);
    if (way == WAY_HAND_AND_POWER) {
        struct mem_disk *cut = mem_disk_cut(disk, seed + nth);
        mem_disk_free(disk);
        disk = cut;
    }
    mem_disk_fail_at(disk, 0, MEM_NONE, 0, 0);
    bool up = stage_up(&st, disk, &book, least);
    mem_disk_free(up ? stage_live_on(&st, nth, 4) : stage_kill(&st));
    book_release(&book);
    return reached;
}

TEST(whoever_dies_at_any_operation_nothing_acknowledged_is_lost) {
    struct book book = {0};
    unsigned runs = 0;
    stage_begin();
    snprintf(stage_where, sizeof stage_where, "an old store");
    struct mem_disk *old = make_lived(&book, 30);
    for (unsigned way = 0; way < WAY_N; way++) {
        unsigned stride = is_long() ? 1 : 4;
        for (uint64_t nth = 1 + first_seed() % stride; nth < 5000 && stage_bad < 12; nth += stride, runs++)
            if (!run_death(old, &book, (enum way)way, nth, first_seed() + nth % 3)) break;
    }
    tap_note("%u deaths", runs);
    CHECK(runs > 40);
    mem_disk_free(old);
    book_release(&book);
    CHECK_INT(stage_bad, 0);
    stage_end();
}

/* --- deaths in a start --- */

TEST(a_start_may_die_at_any_operation_and_the_next_one_comes_up) {
    struct book book = {0};
    unsigned runs = 0;
    stage_begin();
    snprintf(stage_where, sizeof stage_where, "an old store");
    struct mem_disk *old = make_lived(&book, 80);
    for (unsigned kind = 0; kind < 2; kind++)
        for (unsigned fresh = 0; fresh < 2; fresh++)
            for (uint64_t nth = 1; nth < 200; nth++, runs++) {
                struct stage st;
                struct book own = {0};
                if (!fresh) book_copy(&own, &book);
                struct mem_disk *disk = fresh ? mem_disk_new() : mem_disk_cut(old, MEM_CUT_ALL);
                snprintf(stage_where, sizeof stage_where, "%s at operation %llu of a%s start",
                         kind ? "hand killed" : "reactor killed", (unsigned long long)nth, fresh ? " first" : "");
                mem_disk_fail_at(disk, nth, kind ? MEM_KILL_HAND : MEM_KILL_REACTOR, MEM_ANY, 1);
                if (stage_open(&st, disk, &own)) stage_opening(&st);
                bool reached = mem_disk_failed(disk);
                if (kind && reached) stage_hand_lost_in_start(&st);
                disk = stage_kill(&st);
                mem_disk_fail_at(disk, 0, MEM_NONE, 0, 0);
                bool up = stage_up(&st, disk, &own, fresh ? 1 : book.n);
                mem_disk_free(up ? stage_live_on(&st, nth, 3) : stage_kill(&st));
                book_release(&own);
                if (!reached) break;
            }
    tap_note("%u starts", runs);
    CHECK(runs > 20);
    mem_disk_free(old);
    book_release(&book);
    CHECK_INT(stage_bad, 0);
    stage_end();
}

/* --- one crash after the other --- */

TEST(twenty_crashes_in_a_row_lose_nothing) {
    stage_begin();
    for (unsigned round = 0; round < (is_long() ? 300 : 8); round++) {
        struct book book = {0};
        struct mem_disk *disk = mem_disk_new();
        uint64_t seed = first_seed() * 1000 + round, least = 1;
        for (unsigned crash = 0; crash < 20 && stage_bad < 12; crash++) {
            struct stage st;
            snprintf(stage_where, sizeof stage_where, "round %u, crash %u", round, crash);
            if (!stage_open(&st, disk, &book)) break;
            unsigned how = stage_below(&seed, 3);
            mem_disk_fail_at(disk, 1 + stage_below(&seed, crash % 2 ? 12 : 120),
                             how == 0   ? MEM_POWER_CUT
                             : how == 1 ? MEM_KILL_REACTOR
                                        : MEM_KILL_HAND,
                             MEM_ANY, 1);
            stage_opening(&st);
            if (st.mode == STATE_UP && !is_over(&st)) {
                HOLDS(st.damage == 0);
                HOLDS(state_revision(st.state) >= book_floor(&book, least));
                stage_adopt(&st);
                stage_watch(&st);
                live(&st, stage_draw(&seed), 40);
            } else
                HOLDS(st.mode != STATE_FAILED || mem_disk_failed(disk));
            if (st.settled) least = st.settled; /* else it did not come up: what was promised before still holds */
            disk = stage_kill(&st);
            if (how == 0 || stage_below(&seed, 2)) {
                struct mem_disk *cut =
                    mem_disk_cut(disk, stage_draw(&seed) % 5 ? stage_draw(&seed) : stage_below(&seed, 2));
                mem_disk_free(disk);
                disk = cut;
            }
            mem_disk_fail_at(disk, 0, MEM_NONE, 0, 0);
        }
        struct stage st;
        snprintf(stage_where, sizeof stage_where, "round %u, behind the last crash", round);
        bool up = stage_up(&st, disk, &book, least);
        mem_disk_free(up ? stage_live_on(&st, seed, 5) : stage_kill(&st));
        book_release(&book);
    }
    CHECK_INT(stage_bad, 0);
    stage_end();
}

TAP_MAIN(T(a_power_cut_at_any_operation_loses_nothing_acknowledged),
         T(a_power_cut_at_any_operation_of_a_start_loses_nothing),
         T(whoever_dies_at_any_operation_nothing_acknowledged_is_lost),
         T(a_start_may_die_at_any_operation_and_the_next_one_comes_up), T(twenty_crashes_in_a_row_lose_nothing))
