/* closing.c - ends, bounds and odd moments of a store's life: closing with a lost hand, snapshots that fail, commits that pile up, holds on
 * what was refused, trees too large, marks, what readers see. */
#include "base/mem.h"
#include "lib/faults.h"
#include "lib/tap.h"
#include "state/scenario.h"

static unsigned snapshots_there(struct mem_disk *d) {
    unsigned n = 0;
    const char *name;
    for (size_t i = 0; (name = mem_disk_name(d, i)); i++) n += strstr(name, "snapshot-") != NULL;
    return n;
}

/* A: closing ends although the hand was lost while the closing mark was on its way. */
TEST(closing_survives_a_hand_lost_at_any_turn) {
    struct book book = {0};
    stage_begin_at("closing, hand lost");
    struct mem_disk *old = make_old(&book);
    for (unsigned turns = 0; turns < 12; turns++) {
        struct stage st;
        struct book own = {0};
        struct err e = ERR_INIT;
        book_copy(&own, &book);
        struct mem_disk *disk = mem_disk_cut(old, MEM_CUT_ALL);
        if (stage_up(&st, disk, &own, 1)) {
            HOLDS(commit_name(&st, 5, &e));
            stage_quiet(&st);
            state_close(st.state);
            for (unsigned i = 0; i < turns && st.mode != STATE_CLOSED; i++) {
                loop_turn(st.loop, 0);
                if (i + 1 < turns) mem_disk_turn(disk);
            }
            bool was_closed = st.mode == STATE_CLOSED;
            mem_disk_kill_hands(disk);
            for (unsigned i = 0; i < 5; i++) loop_turn(st.loop, 0);
            if (st.mode != STATE_CLOSED) stage_new_hand(&st);
            for (unsigned i = 0; i < 500 && st.mode != STATE_CLOSED; i++) {
                loop_turn(st.loop, 0);
                mem_disk_turn(disk);
                stage_pass_ms(20);
            }
            tap_note("lost %u turns into closing (closed before: %d): mode %d", turns, was_closed, st.mode);
            CHECK(st.mode == STATE_CLOSED);
        }
        mem_disk_free(stage_kill(&st));
        book_release(&own);
    }
    mem_disk_free(old);
    book_release(&book);
    CHECK_INT(stage_bad, 0);
    stage_end();
}

/* B: a snapshot that failed once is tried again after a quarter of what the journal may hold (state_keep.c). */
TEST(a_failed_snapshot_is_tried_again_soon) {
    for (int lost = 0; lost < 2; lost++) {
        struct book book = {0};
        struct stage st;
        struct err e = ERR_INIT;
        stage_begin_at("snapshot fails once");
        struct mem_disk *disk = mem_disk_new();
        struct state_limits limits = stage_limits;
        limits.journal = 64 << 10;
        limits.segment = 64 << 10;
        if (stage_open_with(&st, disk, &book, &limits)) {
            stage_opening(&st);
            stage_adopt(&st);
            stage_turns(&st, 30);
            uint64_t before = state_counts(st.state).snapshots;
            uint64_t seed = 1;
            /* Fill until one is begun, and let it fail. */
            bool begun = false;
            for (unsigned i = 0; i < 400 && !begun; i++) {
                stage_txn(&st);
                stage_put(&st, "/public/name", stage_text(900, seed++));
                HOLDS(stage_commit(&st, &e));
                uint64_t was = state_counts(st.state).journal_bytes;
                loop_turn(st.loop, 0);
                begun = state_counts(st.state).journal_bytes < was;
                if (begun && lost)
                    mem_disk_kill_hands(disk);
                else if (begun)
                    mem_disk_fail_at(disk, 1, MEM_EIO, MEM_CREATE | MEM_RENAME, 1);
                stage_look(&st);
                mem_disk_turn(disk);
            }
            CHECK(begun);
            for (unsigned i = 0; i < 20; i++) {
                stage_turn(&st);
                if (st.port_gone) stage_new_hand(&st);
            }
            CHECK(st.mode == STATE_UP);
            unsigned kib = 0;
            for (; kib < 200 && state_counts(st.state).snapshots == before; kib++) {
                stage_txn(&st);
                stage_put(&st, "/public/name", stage_text(940, seed++));
                HOLDS(stage_commit(&st, &e));
                stage_turns(&st, 8);
                stage_pass_ms(1);
            }
            tap_note("%s: the next snapshot stood after %u KiB more; the journal limit is 64, a quarter 16",
                     lost ? "hand lost" : "EIO", kib);
            CHECK(kib <= 24);
        }
        mem_disk_free(stage_kill(&st));
        book_release(&book);
        CHECK_INT(stage_bad, 0);
        CHECK_INT(stage_bad, 0);
        stage_end();
    }
}

/* C: volatile commits while the hand is away do not grow memory without bound. */
TEST(volatile_commits_while_the_hand_is_away_are_bounded) {
    struct book book = {0};
    struct stage st;
    struct err e = ERR_INIT;
    stage_begin_at("volatile, away");
    struct mem_disk *disk = mem_disk_new();
    if (stage_up(&st, disk, &book, 0)) {
        mem_disk_kill_hands(disk);
        stage_turns(&st, 3);
        HOLDS(commit_name(&st, 1, &e));
        stage_turns(&st, 3);
        HOLDS(st.mode == STATE_AWAY);
        size_t before = mem_stats().live_bytes;
        bool refused = false;
        unsigned n = 0;
        for (; n < 300000 && !refused; n++) {
            struct state_txn t;
            if (!state_begin(st.state, &t, PLAN_ALL_OWNERS, &e)) break;
            txn_put(&t, LIT("/public/stats"), VAL_MAP_OF({"n", val_of_u64(n)}), NULL);
            refused = !state_commit(&t, NULL, &e);
            if (n % 64 == 0) loop_turn(st.loop, 0);
        }
        size_t after = mem_stats().live_bytes;
        tap_note("%u volatile commits taken, refused %d, memory grew by %zu KiB, pending says %zu", n, refused,
                 (after - before) >> 10, state_counts(st.state).pending);
        CHECK(refused || after - before < (32u << 20));
    }
    st.revision = st.given = state_revision(st.state);
    mem_disk_free(stage_kill(&st));
    book_release(&book);
    CHECK_INT(stage_bad, 0);
    stage_end();
}

struct answer {
    struct state_hold hold;
    int said; /* 0 nothing, 1 settled, 2 never */
};
static void answer_done(struct state_hold *h, const struct err *why) {
    LOOP_OWNER(struct answer, hold, h)->said = why ? 2 : 1;
}

/* D: who asks late about a revision that was refused is not told that it is settled. */
TEST(a_refused_revision_is_never_told_to_be_settled) {
    struct book book = {0};
    struct stage st;
    struct err e = ERR_INIT;
    stage_begin_at("late hold");
    struct mem_disk *disk = mem_disk_new();
    if (stage_up(&st, disk, &book, 0)) {
        mem_disk_fail_at(disk, 1, MEM_EIO, MEM_SYNC, 1);
        HOLDS(commit_name(&st, 1, &e));
        uint64_t refused = state_revision(st.state);
        stage_await(&st, STATE_READ_ONLY);
        struct answer soon = {.hold = {.done = answer_done}}, late = {.hold = {.done = answer_done}};
        commit_volatile(&st, 1);
        state_hold(st.state, &soon.hold, refused);
        stage_turns(&st, 5);
        CHECK_INT(soon.said, 2);
        await_up(&st);
        HOLDS(commit_name(&st, 2, &e));
        stage_quiet(&st);
        state_hold(st.state, &late.hold, refused);
        stage_turns(&st, 3);
        CHECK_INT(late.said, 2);
        state_hold_cancel(&soon.hold);
        state_hold_cancel(&late.hold);
    }
    mem_disk_free(stage_kill(&st));
    book_release(&book);
    CHECK_INT(stage_bad, 0);
    stage_end();
}

/* E: every hold is answered when a read-only state is closed. */
TEST(closing_a_read_only_state_answers_who_waits_for_what_is_volatile) {
    struct book book = {0};
    struct stage st;
    struct err e = ERR_INIT;
    stage_begin_at("close read only");
    struct mem_disk *disk = mem_disk_new();
    if (stage_up(&st, disk, &book, 0)) {
        mem_disk_fail_at(disk, 1, MEM_EIO, MEM_ANY, UINT64_MAX);
        HOLDS(commit_name(&st, 1, &e));
        stage_await(&st, STATE_READ_ONLY);
        struct answer a = {.hold = {.done = answer_done}};
        commit_volatile(&st, 1);
        state_hold(st.state, &a.hold, state_revision(st.state));
        state_close(st.state);
        for (unsigned i = 0; i < 20; i++) loop_turn(st.loop, 0);
        CHECK(st.mode == STATE_CLOSED);
        CHECK(a.said != 0);
        state_hold_cancel(&a.hold);
    }
    mem_disk_free(stage_kill(&st));
    book_release(&book);
    CHECK_INT(stage_bad, 0);
    stage_end();
}

/* F: CLOSED is told once. */
TEST(closing_twice_is_told_once) {
    struct book book = {0};
    struct stage st;
    stage_begin_at("close twice");
    struct mem_disk *disk = mem_disk_new();
    if (stage_up(&st, disk, &book, 0)) {
        state_close(st.state);
        HOLDS(stage_await(&st, STATE_CLOSED));
        unsigned changes = st.changes;
        uint64_t ops = mem_disk_ops(disk);
        state_close(st.state);
        stage_turns(&st, 10);
        CHECK_INT(st.changes, changes);
        tap_note("%llu operations on the disk behind CLOSED", (unsigned long long)(mem_disk_ops(disk) - ops));
    }
    mem_disk_free(stage_kill(&st));
    book_release(&book);
    CHECK_INT(stage_bad, 0);
    stage_end();
}

/* G: a damaged newest snapshot that was taken at a volatile revision loses nothing. */
TEST(a_damaged_snapshot_of_a_volatile_revision_stops_no_start) {
    struct book book = {0};
    struct stage st;
    struct err e = ERR_INIT;
    stage_begin_at("damaged snapshot at a volatile revision");
    struct mem_disk *disk = mem_disk_new();
    char name[80] = "";
    uint64_t last = 1;
    if (stage_up(&st, disk, &book, 0)) {
        HOLDS(commit_name(&st, 1, &e));
        stage_quiet(&st);
        last = state_revision(st.state);
        for (unsigned i = 0; i < 5; i++) commit_volatile(&st, i);
        stage_quiet(&st);
        HOLDS(state_snapshot(st.state, &e));
        stage_turns(&st, 40);
        stage_quiet(&st);
        CHECK_INT(state_counts(st.state).snapshots, 2);
    }
    disk = stage_close(&st);
    const char *n;
    for (size_t i = 0; (n = mem_disk_name(disk, i)); i++) tap_note("file %s", n);
    for (size_t i = 0; (n = mem_disk_name(disk, i)); i++)
        if (strstr(n, "snapshot-")) snprintf(name, sizeof name, "%s", n);
    tap_note("%u snapshots, newest %s, last journalled %llu", snapshots_there(disk), name, (unsigned long long)last);
    mem_disk_flip(disk, name, 60, 1);
    if (stage_open(&st, disk, &book)) {
        stage_opening(&st);
        tap_note("mode %d: %s", st.mode, st.why.text);
        CHECK(st.mode == STATE_UP);
    }
    mem_disk_free(stage_kill(&st));
    book_release(&book);
    CHECK_INT(stage_bad, 0);
    stage_end();
}

/* H: what was acknowledged can be opened again, however large it is. */
TEST(a_tree_larger_than_a_snapshot_may_be_can_be_opened_again) {
    struct book book = {0};
    struct stage st;
    struct err e = ERR_INIT;
    stage_begin_at("too large");
    struct mem_disk *disk = mem_disk_new();
    struct state_limits limits = stage_limits;
    limits.snapshot = 32 << 10;
    uint64_t last = 0;
    if (stage_open_with(&st, disk, &book, &limits)) {
        stage_opening(&st);
        stage_adopt(&st);
        char p[60];
        for (unsigned i = 0; i < 200; i++) {
            stage_txn(&st);
            snprintf(p, sizeof p, "/public/big%u", i);
            stage_put(&st, p, stage_text(900, i));
            if (!stage_commit(&st, &e)) break;
            stage_turns(&st, 10);
            stage_pass_ms(1);
            last = state_revision(st.state);
        }
        stage_quiet(&st);
        last = state_settled(st.state);
        tap_note("settled %llu, mode %d, snapshots %llu of %llu bytes (limit 32768): %s", (unsigned long long)last,
                 st.mode, (unsigned long long)state_counts(st.state).snapshots,
                 (unsigned long long)state_counts(st.state).snapshot_bytes, e.text);
    }
    state_close(st.state);
    stage_await(&st, STATE_CLOSED);
    disk = stage_kill(&st);
    if (stage_open_with(&st, disk, &book, &limits)) {
        stage_opening(&st);
        tap_note("mode %d: %s", st.mode, st.why.text);
        CHECK(st.mode == STATE_UP);
    }
    mem_disk_free(stage_kill(&st));
    book_release(&book);
    CHECK_INT(stage_bad, 0);
    stage_end();
}

/* I: values as deep as a commit takes are found again. */
TEST(what_is_as_deep_as_a_commit_takes_is_found_again) {
    for (unsigned depth = VAL_DEPTH_MAX - 6; depth <= VAL_DEPTH_MAX; depth++) {
        struct book book = {0};
        struct stage st;
        struct err e = ERR_INIT;
        stage_begin_at("depth");
        struct mem_disk *disk = mem_disk_new();
        bool took = false;
        if (stage_up(&st, disk, &book, 0)) {
            struct state_txn t;
            struct val v = val_null();
            bool made = true;
            for (unsigned i = 0; i < depth && made; i++) {
                struct val a = val_empty_array();
                made = val_push(&a, v);
                v = a;
            }
            if (made && state_begin(st.state, &t, PLAN_ALL_OWNERS, &e)) {
                txn_put(&t, LIT("/x"), v, NULL);
                took = state_commit(&t, NULL, &e);
            }
            for (unsigned i = 0; i < 40; i++) {
                loop_turn(st.loop, 0);
                mem_disk_turn(disk);
            }
            if (state_settled(st.state) != state_revision(st.state))
                tap_note("not settled, mode %d %s", st.mode, st.why.text);
        }
        uint64_t r = state_settled(st.state);
        disk = stage_kill(&st);
        if (stage_open(&st, disk, &book)) {
            stage_opening(&st);
            bool good = st.mode == STATE_UP && state_revision(st.state) == r;
            if (!CHECK(good)) tap_note("depth %u took %d (%s): mode %d %s", depth, took, e.text, st.mode, st.why.text);
        }
        mem_disk_free(stage_kill(&st));
        book_release(&book);
        CHECK_INT(stage_bad, 0);
        stage_end();
    }
}

/* J: AWAY is told when the hand is lost and nothing is on its way. */
TEST(a_lost_hand_is_told_also_when_nothing_is_on_its_way) {
    struct book book = {0};
    struct stage st;
    stage_begin_at("away, idle");
    struct mem_disk *disk = mem_disk_new();
    if (stage_up(&st, disk, &book, 0)) {
        stage_quiet(&st);
        mem_disk_kill_hands(disk);
        stage_turns(&st, 5);
        state_new_disk(st.state); /* the port is down */
        stage_turns(&st, 5);
        CHECK_INT(st.mode, STATE_AWAY);
    }
    mem_disk_free(stage_kill(&st));
    book_release(&book);
    CHECK_INT(stage_bad, 0);
    stage_end();
}

/* K: the mark of a last batch is written also when the hand was lost in the second before it. */
TEST(a_mark_follows_also_when_the_hand_was_lost_before_it) {
    struct book book = {0};
    struct stage st;
    struct err e = ERR_INIT;
    stage_begin_at("mark, hand lost");
    struct mem_disk *disk = mem_disk_new();
    if (stage_up(&st, disk, &book, 0)) {
        HOLDS(commit_name(&st, 1, &e));
        stage_quiet(&st);
        mem_disk_kill_hands(disk);
        stage_turns(&st, 3);
        stage_new_hand(&st);
        stage_turns(&st, 10);
        uint64_t ops = mem_disk_ops(disk);
        for (unsigned i = 0; i < 50; i++) {
            stage_turn(&st);
            stage_pass_ms(20);
        }
        tap_note("%llu operations in a second of quiet", (unsigned long long)(mem_disk_ops(disk) - ops));
        CHECK(mem_disk_ops(disk) > ops);
    }
    mem_disk_free(stage_kill(&st));
    book_release(&book);
    CHECK_INT(stage_bad, 0);
    stage_end();
}

/* L: a place where readers find null is null also when it is asked for itself. */
TEST(what_readers_see_as_null_is_null_when_asked_for) {
    static const struct plan_branch rows[] = {{"", "core", 0, NULL}, {"/pw", NULL, PLAN_PRIVATE | PLAN_NULL, NULL}};
    static const struct plan_config c = {
        .name = "x", .version = 1, .birth = "{\"pw\":\"s3\"}", .branches = rows, .branch_n = 2};
    struct err e = ERR_INIT;
    stage_begin_at("null");
    struct plan *plan = plan_new(&c, &e);
    struct mem_disk *disk = mem_disk_new();
    struct stage st = {.disk = disk, .mode = STATE_OPENING, .port = {.name = "disk", .gone = stage_port_gone}};
    st.loop = loop_new(&e);
    st.plan = plan;
    mem_disk_connect(disk, st.loop, &st.port);
    const struct state_config config = {.loop = st.loop,
                                        .disk = &st.port,
                                        .root = "data",
                                        .folder = "state",
                                        .plan = plan,
                                        .limits = &stage_limits,
                                        .changed = stage_changed,
                                        .arg = &st};
    st.state = state_new(&config, &e);
    stage_opening(&st);
    struct val all = state_show(st.state, LIT(""), &e), one = state_show(st.state, LIT("/pw"), &e);
    struct err none = ERR_INIT;
    struct val gone = state_show(st.state, LIT("/nothing"), &none);
    CHECK(val_kind(val_get(&all, LIT("pw"))) == VAL_NULL);
    tap_note("asked for itself: kind %d, \"%s\"; of what is not there: \"%s\"", val_kind(&one), e.text, none.text);
    CHECK(val_kind(&one) == VAL_NULL);
    val_unref(&all);
    val_unref(&one);
    val_unref(&gone);
    mem_disk_free(stage_kill(&st));
    CHECK_INT(stage_bad, 0);
    stage_end();
}

TAP_MAIN(T(closing_survives_a_hand_lost_at_any_turn), T(a_failed_snapshot_is_tried_again_soon),
         T(volatile_commits_while_the_hand_is_away_are_bounded), T(a_refused_revision_is_never_told_to_be_settled),
         T(closing_a_read_only_state_answers_who_waits_for_what_is_volatile), T(closing_twice_is_told_once),
         T(a_damaged_snapshot_of_a_volatile_revision_stops_no_start),
         T(a_tree_larger_than_a_snapshot_may_be_can_be_opened_again),
         T(what_is_as_deep_as_a_commit_takes_is_found_again), T(a_lost_hand_is_told_also_when_nothing_is_on_its_way),
         T(a_mark_follows_also_when_the_hand_was_lost_before_it), T(what_readers_see_as_null_is_null_when_asked_for))
