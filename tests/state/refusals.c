/* refusals.c - what counts as the disk's word: marks on a full disk, segments whose sync failed, our own want of memory. */
#include "base/mem.h"
#include "lib/tap.h"
#include "state/scenario.h"
#include "state/state_room.h"

TEST(a_mark_that_has_no_room_does_not_make_a_full_disk_a_refusal) {
    struct book book = {0};
    struct stage st;
    struct err e = ERR_INIT;
    stage_begin_at("mark, full");
    struct mem_disk *disk = mem_disk_new();
    if (stage_up(&st, disk, &book, 0)) {
        stage_turns(&st, 40);
        for (unsigned i = 0; i < 40 && st.state->journal.at != 4096; i++) {
            HOLDS(commit_name(&st, i, &e));
            for (unsigned k = 0; k < 12; k++) stage_turn(&st);
        }
        tap_note("the next batch goes to %llu of 4096; maker %d", (unsigned long long)st.state->journal.at,
                 (int)st.state->journal.maker.state);
        stage_turns(&st, 40);
        CHECK_INT(state_settled(st.state), state_revision(st.state));
        mem_disk_capacity(disk, mem_disk_used(disk));
        for (unsigned i = 0; i < 20; i++) {
            stage_turn(&st);
            stage_pass_ms(10);
        }
        tap_note("mode %d: %s", st.mode, st.why.text);
        CHECK_INT(st.mode, STATE_UP);
    }
    mem_disk_capacity(disk, UINT64_MAX);
    mem_disk_free(stage_kill(&st));
    book_release(&book);
    CHECK_INT(stage_bad, 0);
    stage_end();
}

TEST(a_file_whose_sync_failed_is_not_written_again) {
    struct book book = {0};
    struct stage st;
    struct err e = ERR_INIT;
    stage_begin_at("sync failed");
    struct mem_disk *disk = mem_disk_new();
    if (stage_up(&st, disk, &book, 0)) {
        stage_turns(&st, 40);
        HOLDS(commit_name(&st, 1, &e));
        stage_quiet(&st);
        uint64_t bad = st.state->journal.serial;
        mem_disk_fail_at(disk, 1, MEM_EIO, MEM_SYNC, 1);
        HOLDS(commit_name(&st, 2, &e));
        stage_await(&st, STATE_READ_ONLY);
        await_up(&st);
        bool again = false;
        for (unsigned i = 0; i < 6 && !again; i++) {
            HOLDS(commit_name(&st, 10 + i, &e));
            stage_quiet(&st);
            state_snapshot(st.state, &e);
            for (unsigned k = 0; k < 40; k++) {
                stage_turn(&st);
                again |= st.state->disk.reuse == bad;
            }
        }
        tap_note("the segment whose sync failed was %llu; kept for use again: %d", (unsigned long long)bad, again);
        CHECK(!again);
    }
    mem_disk_free(stage_kill(&st));
    book_release(&book);
    CHECK_INT(stage_bad, 0);
    stage_end();
}

/* No memory for preparing the next segment is no reason to refuse what is on its way already. */
TEST(no_memory_for_the_next_segment_refuses_nothing) {
    unsigned after = 0;
    bool met = true;
    for (uint64_t n = 1; met && n < 200; n++) {
        struct book book = {0};
        struct stage st;
        struct err e = ERR_INIT;
        stage_begin_at("next segment");
        struct mem_disk *disk = mem_disk_new();
        if (stage_up(&st, disk, &book, 0)) {
            /* The first batch of a segment: the maker rests. */
            HOLDS(st.state->journal.at == 0);
            HOLDS(commit_name(&st, 1, &e));
            mem_fault(n, 0);
            loop_turn(st.loop, 0);
            met = mem_fault_hit();
            mem_fault(0, 0);
            bool sent = false;
            (void)sent;
            if (st.mode == STATE_READ_ONLY) {
                mem_disk_turn(disk);
                after++;
                tap_note("allocation %llu: %s", (unsigned long long)n, st.why.text);
            }
        }
        mem_disk_free(stage_kill(&st));
        book_release(&book);
        CHECK_INT(stage_bad, 0);
        stage_end();
    }
    tap_note("%u allocations make it read only", after);
}

TAP_MAIN(T(a_mark_that_has_no_room_does_not_make_a_full_disk_a_refusal),
         T(a_file_whose_sync_failed_is_not_written_again), T(no_memory_for_the_next_segment_refuses_nothing))
