/* trouble.c - the disk is full, is held by another, or its hand is lost: what callers hear, what readers see, and that the state comes
 * back by itself; and closing, in every mode. */
#include "base/mem.h"
#include "lib/tap.h"
#include "state/scenario.h"

/* --- a full disk --- */

TEST(a_disk_that_stays_full_lets_everything_be_read_for_ever) {
    struct stage st;
    struct book book = {0};
    struct err e = ERR_INIT;
    stage_begin();
    snprintf(stage_where, sizeof stage_where, "a full disk");
    struct mem_disk *disk = make_old(&book);
    if (stage_up(&st, disk, &book, 1)) {
        stage_watch(&st);
        mem_disk_capacity(disk, mem_disk_used(disk) + 1000);
        uint64_t n = 0;
        for (; n < 3000 && st.mode != STATE_READ_ONLY; n++) {
            if (stage_txn(&st)) {
                stage_put(&st, "/public/name", stage_text(900, n));
                if (stage_commit(&st, &e)) stage_hold(&st);
            }
            stage_turns(&st, 3);
            stage_pass_ms(1);
        }
        HOLDS(st.mode == STATE_READ_ONLY);
        HOLDS(says(&st.why, "the disk refuses") && says(&st.why, "No space left"));
        HOLDS(st.errors > 0 && says(&st.last_error, "the disk refuses"));
        uint64_t blocks = 0;
        for (unsigned i = 0; i < 400; i++) {
            e = (struct err)ERR_INIT;
            HOLDS(!commit_name(&st, i, &e));
            HOLDS(e.code != ERR_NONE && says(&e, "the disk refuses"));
            if (i < 100) commit_volatile(&st, i % 5); /* what they leave in the history and in the model is no leak */
            stage_turns(&st, 4);
            stage_pass_ms(60);
            struct val name = state_show(st.state, LIT("/public/name"), &e);
            HOLDS(val_count(&name) == 0 && name.kind == VAL_TEXT);
            val_unref(&name);
            if (i == 150) blocks = mem_stats().live_blocks;
        }
        HOLDS(mem_stats().live_blocks <= blocks + 20);
        HOLDS(st.mode == STATE_READ_ONLY);
        mem_disk_capacity(disk, UINT64_MAX);
        await_up(&st);
        HOLDS(commit_name(&st, 77, &e));
        stage_hold(&st);
        stage_quiet(&st);
    }
    uint64_t last = st.state ? state_revision(st.state) : 1;
    disk = stage_close(&st);
    if (stage_up(&st, disk, &book, last)) {
        struct val want = val_of_u64(77);
        HOLDS(val_equal(jsonptr_get(state_peek(st.state), LIT("/public/name"), NULL), &want));
    }
    mem_disk_free(stage_kill(&st));
    book_release(&book);
    CHECK_INT(stage_bad, 0);
    stage_end();
}

TEST(a_start_on_a_full_disk_is_read_only_and_comes_up_when_there_is_room) {
    struct book book = {0};
    struct stage st;
    struct err e = ERR_INIT;
    stage_begin();
    snprintf(stage_where, sizeof stage_where, "a start on a full disk");
    struct mem_disk *old = make_old(&book);
    struct mem_disk *disk = mem_disk_cut(old, MEM_CUT_ALL);
    /* Without the segment that was made in advance, which needs no room. */
    const char *last_name = NULL;
    for (size_t i = 0; mem_disk_name(disk, i); i++)
        if (strstr(mem_disk_name(disk, i), "journal-")) last_name = mem_disk_name(disk, i);
    char ready[LIMIT_DISK_PATH + 8];
    snprintf(ready, sizeof ready, "%s", last_name ? last_name : "");
    mem_disk_remove(disk, ready);
    mem_disk_fail_at(disk, 1, MEM_ENOSPC, MEM_CREATE | MEM_WRITE | MEM_RENAME, UINT64_MAX);
    if (stage_open(&st, disk, &book)) {
        stage_opening(&st);
        if (HOLDS(st.mode == STATE_READ_ONLY)) {
            HOLDS(says(&st.why, "the disk refuses"));
            stage_adopt(&st);
            HOLDS(!commit_name(&st, 1, &e) && says(&e, "the disk refuses"));
            commit_volatile(&st, 1);
            stage_turns(&st, 5);
            mem_disk_fail_at(disk, 0, MEM_NONE, 0, 0);
            await_up(&st);
            HOLDS(commit_name(&st, 2, &e));
            stage_quiet(&st);
        }
    }
    uint64_t last = state_revision(st.state);
    disk = stage_close(&st);
    stage_up(&st, disk, &book, last);
    mem_disk_free(stage_kill(&st));

    snprintf(stage_where, sizeof stage_where, "a first start on a full disk");
    struct book none = {0};
    disk = mem_disk_new();
    mem_disk_capacity(disk, 100);
    if (stage_open(&st, disk, &none)) {
        stage_opening(&st);
        HOLDS(st.mode == STATE_FAILED && says(&st.why, "No space left"));
    }
    mem_disk_free(stage_kill(&st));
    mem_disk_free(old);
    book_release(&book);
    CHECK_INT(stage_bad, 0);
    stage_end();
}

/* --- others --- */

TEST(a_store_that_another_process_holds_is_refused_with_a_sentence) {
    struct stage st, second;
    struct book book = {0}, other = {0};
    struct err e = ERR_INIT;
    stage_begin();
    snprintf(stage_where, sizeof stage_where, "two processes");
    struct mem_disk *disk = mem_disk_new();
    if (stage_up(&st, disk, &book, 0) && stage_open(&second, disk, &other)) {
        stage_opening(&second);
        HOLDS(second.mode == STATE_FAILED);
        HOLDS(says(&second.why, "held by another process"));
        second.disk = mem_disk_new(); /* not to wait for the other's hand */
        mem_disk_free(stage_kill(&second));
        HOLDS(commit_name(&st, 1, &e));
        stage_quiet(&st);
    }
    disk = stage_close(&st);
    if (stage_up(&st, disk, &book, 2)) HOLDS(state_revision(st.state) == 2);
    mem_disk_free(stage_kill(&st));
    book_release(&book);
    CHECK_INT(stage_bad, 0);
    stage_end();
}

TEST(a_store_taken_by_another_while_the_hand_was_lost_fails_and_tells_who_waits) {
    struct stage st, second;
    struct book book = {0}, other = {0};
    struct err e = ERR_INIT;
    stage_begin();
    snprintf(stage_where, sizeof stage_where, "the store is taken meanwhile");
    struct mem_disk *disk = mem_disk_new();
    if (stage_up(&st, disk, &book, 0)) {
        mem_disk_kill_hands(disk);
        HOLDS(commit_name(&st, 1, &e));
        stage_hold(&st);
        stage_turns(&st, 4);
        HOLDS(st.mode == STATE_AWAY && st.errors == 0);
        if (stage_open(&second, disk, &other)) {
            stage_opening(&second);
            HOLDS(second.mode == STATE_UP);
        }
        stage_new_hand(&st);
        loop_turn(st.loop, 0);
        for (unsigned i = 0; i < 10; i++) {
            mem_disk_turn(disk);
            loop_turn(st.loop, 0);
        }
        HOLDS(st.mode == STATE_FAILED && says(&st.why, "another process"));
        HOLDS(st.errors == 1 && says(&st.last_error, "another process"));
        HOLDS(!state_begin(st.state, &st.txn, PLAN_ALL_OWNERS, &e));
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

TEST(while_the_hand_is_lost_commits_are_held_up_to_the_limit_and_all_of_them_land) {
    struct stage st;
    struct book book = {0};
    struct err e = ERR_INIT;
    stage_begin();
    snprintf(stage_where, sizeof stage_where, "a hand lost for long");
    struct mem_disk *disk = make_old(&book);
    if (stage_up(&st, disk, &book, 1)) {
        stage_watch(&st);
        stage_turns(&st, 3);
        mem_disk_kill_hands(disk);
        stage_turns(&st, 3);
        HOLDS(st.port_gone);
        unsigned made = 0;
        uint64_t settled = state_settled(st.state);
        for (uint64_t i = 0; i < 1000 && e.code == ERR_NONE; i++) {
            if (!stage_txn(&st)) break;
            stage_put(&st, "/public/name", stage_text(500, i));
            if (stage_commit(&st, &e)) {
                stage_hold(&st);
                made++;
            }
            stage_turn(&st);
            stage_pass_ms(5);
        }
        HOLDS(st.mode == STATE_AWAY);
        HOLDS(e.code == ERR_LIMIT && e.limit && !strcmp(e.limit, "pending"));
        HOLDS(made > 100 && st.oks == 0 && st.errors == 0 && state_settled(st.state) == settled);
        HOLDS(state_counts(st.state).pending <= stage_limits.pending + stage_limits.revision);
        /* One hand that dies at once, one that stays. */
        stage_new_hand(&st);
        mem_disk_kill_hands(disk);
        stage_turns(&st, 3);
        stage_new_hand(&st);
        stage_quiet(&st);
        HOLDS(st.mode == STATE_UP && st.oks == made && st.errors == 0);
    }
    uint64_t last = state_revision(st.state);
    disk = stage_close(&st);
    stage_up(&st, disk, &book, last);
    mem_disk_free(stage_kill(&st));
    book_release(&book);
    CHECK_INT(stage_bad, 0);
    stage_end();
}

TEST(a_start_whose_hand_is_lost_at_any_moment_fails_with_a_sentence) {
    struct book book = {0};
    stage_begin();
    struct mem_disk *old = make_old(&book);
    bool up = false;
    for (unsigned turns = 0; turns < 200 && !up; turns++) {
        struct stage st;
        struct book own = {0};
        book_copy(&own, &book);
        struct mem_disk *disk = mem_disk_cut(old, MEM_CUT_ALL);
        snprintf(stage_where, sizeof stage_where, "the hand is lost %u turns into the start", turns);
        if (stage_open(&st, disk, &own)) {
            for (unsigned i = 0; i < turns && st.mode == STATE_OPENING; i++) {
                mem_disk_turn(disk);
                loop_turn(st.loop, 0);
            }
            up = st.mode == STATE_UP;
            mem_disk_kill_hands(disk);
            if (!up) stage_hand_lost_in_start(&st);
        }
        mem_disk_free(stage_kill(&st));
        book_release(&own);
    }
    CHECK(up);
    mem_disk_free(old);
    book_release(&book);
    CHECK_INT(stage_bad, 0);
    stage_end();
}

/* --- closing --- */

/* Whatever happens behind it, it stays closed. */
static void stays_closed(struct stage *st) {
    HOLDS(st->mode == STATE_CLOSED);
    unsigned changes = st->changes;
    struct err e = ERR_INIT;
    HOLDS(!state_begin(st->state, &st->txn, PLAN_ALL_OWNERS, &e) && e.text[0]);
    for (unsigned i = 0; i < 100; i++) {
        loop_turn(st->loop, 0);
        mem_disk_turn(st->disk);
        stage_pass_ms(20);
    }
    HOLDS(st->mode == STATE_CLOSED && st->changes == changes);
}

TEST(closing_works_in_every_mode_and_is_the_last_word) {
    struct book book = {0};
    struct stage st;
    struct err e = ERR_INIT;
    stage_begin();
    struct mem_disk *old = make_old(&book), *disk;
    uint64_t last = book.n;

    for (unsigned turns = 0; turns < 12; turns++) {
        struct book own = {0};
        book_copy(&own, &book);
        snprintf(stage_where, sizeof stage_where, "closing %u turns into the start", turns);
        disk = mem_disk_cut(old, MEM_CUT_ALL);
        if (stage_open(&st, disk, &own)) {
            for (unsigned i = 0; i < turns; i++) {
                loop_turn(st.loop, 0);
                mem_disk_turn(disk);
            }
            state_close(st.state);
            for (unsigned i = 0; i < 100 && st.mode != STATE_CLOSED; i++) {
                loop_turn(st.loop, 0);
                mem_disk_turn(disk);
            }
            stays_closed(&st);
        }
        disk = stage_kill(&st);
        stage_up(&st, disk, &own, last);
        mem_disk_free(stage_kill(&st));
        book_release(&own);
    }

    snprintf(stage_where, sizeof stage_where, "closing while something is on its way");
    disk = mem_disk_cut(old, MEM_CUT_ALL);
    if (stage_up(&st, disk, &book, last)) {
        for (unsigned i = 0; i < 30; i++) {
            HOLDS(commit_name(&st, i, &e));
            stage_hold(&st);
            if (i % 5 == 0) loop_turn(st.loop, 0);
        }
        last = state_revision(st.state);
        state_snapshot(st.state, NULL);
        state_close(st.state);
        HOLDS(!state_begin(st.state, &st.txn, PLAN_ALL_OWNERS, &e) && says(&e, "being closed"));
        stage_await(&st, STATE_CLOSED);
        stage_turn(&st);
        HOLDS(st.why.code == ERR_NONE && st.oks == 30 && !st.holds);
        HOLDS(state_settled(st.state) == last);
        stays_closed(&st);
    }
    mem_disk_free(old);
    old = stage_kill(&st);

    snprintf(stage_where, sizeof stage_where, "closing while the hand is lost");
    disk = mem_disk_cut(old, MEM_CUT_NOTHING);
    if (stage_up(&st, disk, &book, last)) {
        HOLDS(commit_name(&st, 100, &e));
        stage_hold(&st);
        mem_disk_kill_hands(disk);
        stage_turns(&st, 4);
        HOLDS(st.mode == STATE_AWAY);
        state_close(st.state);
        stage_turns(&st, 4);
        HOLDS(st.mode != STATE_CLOSED); /* it waits for another hand: state_free without it may lose what is open */
        last = state_revision(st.state);
        stage_new_hand(&st);
        stage_await(&st, STATE_CLOSED);
        stage_turn(&st);
        HOLDS(st.why.code == ERR_NONE && st.oks == 1);
        stays_closed(&st);
    }
    mem_disk_free(old);
    old = stage_kill(&st);

    snprintf(stage_where, sizeof stage_where, "closing while the disk refuses");
    disk = mem_disk_cut(old, MEM_CUT_NOTHING);
    if (stage_up(&st, disk, &book, last)) {
        HOLDS(commit_name(&st, 101, &e));
        stage_hold(&st);
        mem_disk_fail_at(disk, 1, MEM_EIO, MEM_ANY, UINT64_MAX);
        stage_await(&st, STATE_READ_ONLY);
        state_close(st.state);
        stage_await(&st, STATE_CLOSED);
        HOLDS(says(&st.why, "the disk refuses"));
        HOLDS(st.errors == 1);
        stays_closed(&st);
    }
    mem_disk_fail_at(disk, 0, MEM_NONE, 0, 0);
    mem_disk_free(stage_kill(&st));

    snprintf(stage_where, sizeof stage_where, "the disk refuses while it closes");
    disk = mem_disk_cut(old, MEM_CUT_NOTHING);
    struct book own = {0};
    book_copy(&own, &book);
    if (stage_up(&st, disk, &own, last)) {
        HOLDS(commit_name(&st, 102, &e));
        stage_hold(&st);
        state_close(st.state);
        mem_disk_fail_at(disk, 1, MEM_EIO, MEM_SYNC, UINT64_MAX);
        stage_await(&st, STATE_CLOSED);
        stage_turn(&st);
        HOLDS(says(&st.why, "the disk refuses") && st.errors == 1);
        stays_closed(&st);
    }
    mem_disk_free(stage_kill(&st));
    book_release(&own);

    snprintf(stage_where, sizeof stage_where, "closing what failed");
    disk = mem_disk_new();
    mem_disk_capacity(disk, 10);
    if (stage_open(&st, disk, &own)) {
        stage_opening(&st);
        HOLDS(st.mode == STATE_FAILED);
        state_close(st.state);
        for (unsigned i = 0; i < 10; i++) loop_turn(st.loop, 0);
        stays_closed(&st);
    }
    mem_disk_free(stage_kill(&st));
    mem_disk_free(old);
    book_release(&own);
    book_release(&book);
    CHECK_INT(stage_bad, 0);
    stage_end();
}

TEST(keys_come_back_in_the_order_they_had) {
    struct stage st;
    struct book book = {0};
    struct err e = ERR_INIT;
    stage_begin();
    snprintf(stage_where, sizeof stage_where, "the order of keys");
    struct mem_disk *disk = mem_disk_new();
    if (stage_up(&st, disk, &book, 0)) {
        stage_txn(&st);
        stage_put(&st, "/public/b", val_of_u64(1));
        stage_put(&st, "/public/a", val_of_u64(2));
        stage_put(&st, "/public/c", VAL_MAP_OF({"y", val_of_u64(1)}, {"x", val_of_u64(1)}));
        HOLDS(stage_commit(&st, &e));
        stage_txn(&st); /* away and back: behind the others */
        stage_remove(&st, "/public/b");
        stage_put(&st, "/public/b", val_of_u64(3));
        HOLDS(stage_commit(&st, &e));
        stage_txn(&st); /* the same keys in another order, and something else */
        stage_put(&st, "/public/c", VAL_MAP_OF({"x", val_of_u64(1)}, {"y", val_of_u64(1)}));
        stage_put(&st, "/public/a", val_of_u64(4));
        HOLDS(stage_commit(&st, &e));
        stage_quiet(&st);
    }
    uint64_t last = state_revision(st.state);
    disk = stage_kill(&st);
    stage_up(&st, disk, &book, last);
    mem_disk_free(stage_kill(&st));
    book_release(&book);
    CHECK_INT(stage_bad, 0);
    stage_end();
}

TAP_MAIN(T(a_disk_that_stays_full_lets_everything_be_read_for_ever),
         T(a_start_on_a_full_disk_is_read_only_and_comes_up_when_there_is_room),
         T(a_store_that_another_process_holds_is_refused_with_a_sentence),
         T(a_store_taken_by_another_while_the_hand_was_lost_fails_and_tells_who_waits),
         T(while_the_hand_is_lost_commits_are_held_up_to_the_limit_and_all_of_them_land),
         T(a_start_whose_hand_is_lost_at_any_moment_fails_with_a_sentence),
         T(closing_works_in_every_mode_and_is_the_last_word), T(keys_come_back_in_the_order_they_had))
