/* faults.c - the disk refuses one operation or some, memory is short once, at any place: callers hear of it, the state comes back by
 * itself, what was refused stays away.
 *
 * In `make check` a sample of the places; STARTBOX_LONG=1 takes every one. */
#include "base/mem.h"
#include "lib/tap.h"
#include "state/scenario.h"

static bool is_long(void) {
    return getenv("STARTBOX_LONG") != NULL;
}

/* --- a fault at the nth operation --- */

static void live_one_step(struct stage *st, uint64_t *seed) {
    struct err e = ERR_INIT;
    bool made = stage_act(st, seed, &e);
    if (st->mode == STATE_READ_ONLY && !made && e.code != ERR_NONE && e.code != ERR_NOT_FOUND)
        HOLDS(says(&e, "the disk refuses"));
    for (unsigned n = made ? stage_below(seed, 3) : 0; n; n--) stage_hold(st);
    if (stage_below(seed, 30) == 0) state_snapshot(st->state, NULL);
    stage_pass_ms(stage_below(seed, 6) ? stage_below(seed, 5) : 40);
    for (unsigned n = stage_below(seed, 5); n; n--) stage_turn(st);
}

static const char *const act_names[] = {"", "", "", "", "EIO", "ENOSPC", "a short write"};

static bool run_fault(const struct mem_disk *old, const struct book *before, enum mem_disk_act act, uint64_t nth,
                      uint64_t times) {
    struct stage st;
    struct book book = {0};
    uint64_t seed = 11 + nth % 5;
    struct err e = ERR_INIT;
    struct mem_disk *disk = mem_disk_cut(old, MEM_CUT_ALL);
    book_copy(&book, before);
    snprintf(stage_where, sizeof stage_where, "%s at operation %llu, %llu times", act_names[act],
             (unsigned long long)nth, (unsigned long long)times);
    bool reached = false;
    uint64_t last = 0;
    if (stage_up(&st, disk, &book, 1)) {
        stage_watch(&st);
        mem_disk_seed(disk, nth);
        mem_disk_fail_at(disk, nth, act, MEM_ANY, times);
        for (unsigned i = 0; i < 70; i++) live_one_step(&st, &seed);
        reached = mem_disk_failed(disk);
        mem_disk_fail_at(disk, 0, MEM_NONE, 0, 0);
        await_up(&st);
        unsigned errors = st.errors;
        for (unsigned i = 0; i < 5; i++) {
            HOLDS(commit_name(&st, 1000 + i, &e));
            stage_hold(&st);
        }
        stage_quiet(&st);
        HOLDS(st.errors == errors);
        last = state_revision(st.state);
    }
    disk = stage_close(&st);
    bool up = stage_up(&st, disk, &book, last);
    mem_disk_free(up ? stage_live_on(&st, nth, 3) : stage_kill(&st));
    book_release(&book);
    return reached;
}

TEST(a_fault_at_any_operation_is_survived_and_what_was_refused_stays_away) {
    struct book book = {0};
    unsigned runs = 0;
    stage_begin();
    struct mem_disk *old = make_old(&book);
    for (unsigned act = MEM_EIO; act <= MEM_SHORT; act++)
        for (unsigned times = 1; times < 16; times += 7) {
            unsigned stride = is_long() ? 1 : 11;
            for (uint64_t nth = 1 + (times + act) % stride; nth < 2000 && stage_bad < 12; nth += stride, runs++)
                if (!run_fault(old, &book, (enum mem_disk_act)act, nth, times)) break;
        }
    tap_note("%u runs", runs);
    CHECK(runs > 50);
    mem_disk_free(old);
    book_release(&book);
    CHECK_INT(stage_bad, 0);
    stage_end();
}

/* The kernel's cache goes on showing what a failed sync has lost, and a start reads the cache. What is promised behind that start must
 * survive a power cut. What was refused may come back here: nobody was left to take it back. */
static void run_fault_and_death(const struct mem_disk *old, const struct book *before, unsigned kinds, uint64_t nth,
                                unsigned turns) {
    struct stage st;
    struct book book = {0};
    uint64_t seed = 21 + nth % 3, least = 1;
    struct mem_disk *disk = mem_disk_cut(old, MEM_CUT_ALL);
    book_copy(&book, before);
    snprintf(stage_where, sizeof stage_where, "a fault at operation %llu of kinds %u, dead %u turns later",
             (unsigned long long)nth, kinds, turns);
    if (stage_up(&st, disk, &book, 1)) {
        mem_disk_seed(disk, nth * 7 + turns);
        mem_disk_fail_at(disk, nth, MEM_EIO, kinds, 1);
        for (unsigned i = 0; i < 70 && !mem_disk_failed(disk); i++) live_one_step(&st, &seed);
        stage_turns(&st, turns);
        least = state_settled(st.state);
    }
    disk = stage_kill(&st);
    mem_disk_fail_at(disk, 0, MEM_NONE, 0, 0);
    for (unsigned lives = 0; lives < 2; lives++) {
        struct err e = ERR_INIT;
        if (stage_up(&st, disk, &book, least)) {
            for (unsigned i = 0; i < 3; i++) {
                commit_name(&st, nth + i, &e);
                stage_turns(&st, 6);
            }
            least = state_settled(st.state);
        }
        disk = stage_kill(&st);
        struct mem_disk *cut = mem_disk_cut(disk, lives ? nth + 2 : MEM_CUT_NOTHING);
        mem_disk_free(disk);
        disk = cut;
    }
    snprintf(stage_where + strlen(stage_where), sizeof stage_where - strlen(stage_where), ", power cuts behind that");
    bool up = stage_up(&st, disk, &book, least);
    mem_disk_free(up ? stage_live_on(&st, nth, 3) : stage_kill(&st));
    book_release(&book);
}

TEST(a_failed_sync_a_death_and_a_power_cut_lose_nothing_that_was_promised) {
    struct book book = {0};
    stage_begin();
    struct mem_disk *old = make_old(&book);
    unsigned stride = is_long() ? 1 : 5;
    for (uint64_t nth = 1; nth < (is_long() ? 80 : 40) && stage_bad < 12; nth += stride)
        for (unsigned turns = 0; turns < 8; turns += 3) {
            run_fault_and_death(old, &book, MEM_SYNC, nth, turns);
            run_fault_and_death(old, &book, MEM_ANY, nth * 4, turns);
        }
    mem_disk_free(old);
    book_release(&book);
    CHECK_INT(stage_bad, 0);
    stage_end();
}

/* --- no memory --- */

/* One turn of the reactor with the allocation failing that is *left ones away; counts down. */
static bool turn_without_memory(struct stage *st, uint64_t *left) {
    uint64_t before = mem_stats().calls;
    mem_fault(*left, 0);
    loop_turn(st->loop, 0);
    bool hit = mem_fault_hit();
    mem_fault(0, 0);
    uint64_t made = mem_stats().calls - before;
    *left -= made < *left ? made : *left;
    return hit;
}

/* False: it was never reached. */
static bool run_without_memory(const struct mem_disk *old, const struct book *before, uint64_t nth, bool start) {
    struct stage st;
    struct book book = {0};
    struct err e = ERR_INIT;
    struct mem_disk *disk = mem_disk_cut(old, MEM_CUT_ALL);
    bool hit = false;
    uint64_t left = nth, last = 1;
    book_copy(&book, before);
    snprintf(stage_where, sizeof stage_where, "no memory at allocation %llu of a %s", (unsigned long long)nth,
             start ? "start" : "life");
    if (start && stage_open(&st, disk, &book)) {
        for (unsigned i = 0; i < 2000 && st.mode == STATE_OPENING; i++) {
            hit |= left && turn_without_memory(&st, &left);
            if (!left) loop_turn(st.loop, 0);
            mem_disk_turn(disk);
        }
        if (st.mode == STATE_READ_ONLY || st.mode == STATE_UP) {
            stage_adopt(&st);
            await_up(&st);
        } else if (!HOLDS(hit && st.mode == STATE_FAILED && says(&st.why, "no memory")))
            printf("#   mode %d: %s\n", (int)st.mode, st.why.text);
        hit |= left == 0;
    } else if (!start && stage_up(&st, disk, &book, 1)) {
        for (unsigned i = 0; i < 30; i++) {
            if (stage_txn(&st)) {
                stage_put(&st, "/public/name", stage_text(300, i));
                if (stage_commit(&st, &e)) stage_hold(&st);
            }
            if (i == 10) state_snapshot(st.state, NULL);
            for (unsigned k = 0; k < 3; k++) {
                hit |= left && turn_without_memory(&st, &left);
                stage_turn(&st);
                stage_pass_ms(4);
            }
        }
        await_up(&st);
        HOLDS(commit_name(&st, nth, &e));
        stage_hold(&st);
        unsigned errors = st.errors;
        stage_quiet(&st);
        HOLDS(st.errors == errors);
    }
    if (st.mode == STATE_UP) last = state_revision(st.state);
    disk = stage_kill(&st);
    stage_up(&st, disk, &book, last);
    mem_disk_free(stage_kill(&st));
    book_release(&book);
    return hit;
}

TEST(an_allocation_that_fails_anywhere_is_survived) {
    struct book book = {0};
    unsigned runs = 0;
    stage_begin();
    struct mem_disk *old = make_old(&book);
    for (unsigned start = 0; start < 2; start++)
        for (uint64_t nth = 1; nth < 4000 && stage_bad < 12; nth += is_long() ? 1 : 7, runs++)
            if (!run_without_memory(old, &book, nth, start)) break;
    tap_note("%u runs", runs);
    CHECK(runs > 50);
    mem_disk_free(old);
    book_release(&book);
    CHECK_INT(stage_bad, 0);
    stage_end();
}

TAP_MAIN(T(a_fault_at_any_operation_is_survived_and_what_was_refused_stays_away),
         T(a_failed_sync_a_death_and_a_power_cut_lose_nothing_that_was_promised),
         T(an_allocation_that_fails_anywhere_is_survived))
