/* lost.c - closing ends when the store is lost to another process. */
#include "lib/tap.h"
#include "state/scenario.h"

static void begin_at(const char *where) {
    stage_begin();
    snprintf(stage_where, sizeof stage_where, "%s", where);
}

TEST(closing_ends_when_the_store_is_lost_to_another_process) {
    struct stage st, second;
    struct book book = {0}, other = {0};
    struct err e = ERR_INIT;
    begin_at("close, taken");
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
    stage_end();
}

TAP_MAIN(T(closing_ends_when_the_store_is_lost_to_another_process))
