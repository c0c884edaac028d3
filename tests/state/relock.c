/* relock.c - a store taken by another process, and who hears that it is closed. */
#include "lib/tap.h"
#include "state/scenario.h"

TEST(nothing_is_written_into_a_store_that_another_process_has_taken) {
    struct stage st, second;
    struct book book = {0}, other = {0};
    struct err e = ERR_INIT;
    stage_begin_at("relock");
    struct mem_disk *disk = mem_disk_new();
    if (stage_up(&st, disk, &book, 0)) {
        HOLDS(commit_name(&st, 1, &e));
        stage_quiet(&st);
        mem_disk_kill_hands(disk);
        for (unsigned i = 0; i < 4; i++) loop_turn(st.loop, 0), mem_disk_turn(disk);
        if (stage_open(&second, disk, &other)) {
            stage_opening(&second);
            CHECK_INT(second.mode, STATE_UP);
        }
        for (unsigned i = 0; i < 40; i++) loop_turn(second.loop, 0), mem_disk_turn(disk);
        uint64_t before = mem_disk_ops(disk);
        stage_new_hand(&st);
        CHECK_INT(st.mode, STATE_UP);
        tap_note("asked for a snapshot while the lock is asked for: %d", state_snapshot(st.state, &e));
        for (unsigned i = 0; i < 40; i++) {
            mem_disk_turn(disk);
            loop_turn(st.loop, 0);
        }
        tap_note("mode %d; snapshots of the one that has lost it: %llu (1 is its first); operations %llu", st.mode,
                 (unsigned long long)state_counts(st.state).snapshots,
                 (unsigned long long)(mem_disk_ops(disk) - before));
        CHECK_INT(st.mode, STATE_FAILED);
        CHECK_INT(state_counts(st.state).snapshots, 1);
        st.disk = mem_disk_new();
        mem_disk_free(stage_kill(&st));
        disk = stage_kill(&second);
    }
    mem_disk_free(disk);
    book_release(&book);
    book_release(&other);
    CHECK_INT(stage_bad, 0);
    stage_end();
}

static unsigned waiting_at_closed;
static struct stage *the_stage;
static void changed(struct state *s, enum state_mode mode, const struct err *why) {
    stage_changed(s, mode, why);
    if (mode != STATE_CLOSED) return;
    for (struct stage_hold *h = the_stage->holds; h; h = h->next) waiting_at_closed++;
}

TEST(who_hears_that_it_is_closed_may_free_it) {
    for (int bad = 0; bad < 2; bad++) {
        struct stage st;
        struct book book = {0};
        struct err e = ERR_INIT;
        stage_begin_at("holds at CLOSED");
        the_stage = &st;
        waiting_at_closed = 0;
        struct mem_disk *disk = mem_disk_new();
        st = (struct stage){
            .disk = disk, .book = &book, .mode = STATE_OPENING, .port = {.name = "disk", .gone = stage_port_gone}};
        st.loop = loop_new(&e);
        st.plan = plan_new(&stage_plan, &e);
        mem_disk_connect(disk, st.loop, &st.port);
        const struct state_config config = {.loop = st.loop,
                                            .disk = &st.port,
                                            .root = "data",
                                            .folder = "state",
                                            .plan = st.plan,
                                            .limits = &stage_limits,
                                            .changed = changed,
                                            .arg = &st};
        st.state = state_new(&config, &e);
        stage_opening(&st);
        stage_adopt(&st);
        HOLDS(commit_name(&st, 1, &e));
        stage_hold(&st);
        state_close(st.state);
        if (bad) mem_disk_fail_at(disk, 1, MEM_EIO, MEM_ANY, UINT64_MAX);
        stage_await(&st, STATE_CLOSED);
        tap_note("%s: %u still wait when CLOSED is told", bad ? "refused" : "well", waiting_at_closed);
        CHECK_INT(waiting_at_closed, 0);
        mem_disk_free(stage_kill(&st));
        book_release(&book);
        CHECK_INT(stage_bad, 0);
        stage_end();
    }
}

TEST(closing_ends_when_the_store_is_lost_to_another_process) {
    struct stage st, second;
    struct book book = {0}, other = {0};
    struct err e = ERR_INIT;
    stage_begin_at("close, taken");
    struct mem_disk *disk = mem_disk_new();
    if (stage_up(&st, disk, &book, 0)) {
        mem_disk_kill_hands(disk);
        HOLDS(commit_name(&st, 1, &e));
        stage_hold(&st);
        stage_turns(&st, 4);
        state_close(st.state);
        for (unsigned i = 0; i < 4; i++) loop_turn(st.loop, 0);
        if (stage_open(&second, disk, &other)) stage_opening(&second);
        stage_new_hand(&st);
        for (unsigned i = 0; i < 60; i++) {
            mem_disk_turn(disk);
            loop_turn(st.loop, 0);
            stage_pass_ms(10);
        }
        tap_note("mode %d", st.mode);
        CHECK_INT(st.mode, STATE_CLOSED);
        st.disk = mem_disk_new();
        mem_disk_free(stage_kill(&st));
        disk = stage_kill(&second);
    }
    mem_disk_free(disk);
    book_release(&book);
    book_release(&other);
    CHECK_INT(stage_bad, 0);
    stage_end();
}

TAP_MAIN(T(closing_ends_when_the_store_is_lost_to_another_process),
         T(nothing_is_written_into_a_store_that_another_process_has_taken), T(who_hears_that_it_is_closed_may_free_it))
