/* keeping.c - which files stay: a snapshot in the place of a damaged one, hands lost again and again. */
#include "lib/tap.h"
#include "state/scenario.h"

static void say_files(struct mem_disk *d, const char *when) {
    const char *n;
    for (size_t i = 0; (n = mem_disk_name(d, i)); i++) tap_note("%s: %s", when, n);
}

TEST(a_snapshot_in_the_place_of_a_damaged_one_is_not_removed) {
    struct book book = {0};
    struct stage st;
    struct err e = ERR_INIT;
    stage_begin_at("damaged and written again");
    struct mem_disk *disk = mem_disk_new();
    char name[80];
    uint64_t r = 0;
    if (stage_up(&st, disk, &book, 0)) {
        for (unsigned i = 0; i < 5; i++) {
            HOLDS(commit_name(&st, i, &e));
            stage_quiet(&st);
        }
        HOLDS(state_snapshot(st.state, &e));
        stage_turns(&st, 40);
        r = state_settled(st.state);
    }
    disk = stage_close(&st);
    snprintf(name, sizeof name, "state/snapshot-%016llx", (unsigned long long)r);
    CHECK(mem_disk_bytes(disk, name).ptr);
    mem_disk_flip(disk, name, 90, 1);
    if (stage_up(&st, disk, &book, r)) {
        CHECK_INT(st.mended, 1);
        stage_turns(&st, 60); /* a snapshot is due */
        CHECK_INT(state_counts(st.state).snapshots, 1);
        say_files(disk, "behind the new one");
        CHECK(mem_disk_bytes(disk, name).ptr);
        for (unsigned i = 0; i < 5; i++) {
            HOLDS(commit_name(&st, 20 + i, &e));
            stage_quiet(&st);
        }
        HOLDS(state_snapshot(st.state, &e));
        stage_turns(&st, 60);
        say_files(disk, "behind the one after");
        r = state_settled(st.state);
    }
    disk = stage_close(&st);
    /* One damaged snapshot must lose nothing. */
    snprintf(name, sizeof name, "state/snapshot-%016llx", (unsigned long long)r);
    if (CHECK(mem_disk_bytes(disk, name).ptr)) mem_disk_flip(disk, name, 90, 1);
    if (stage_open(&st, disk, &book)) {
        stage_opening(&st);
        tap_note("mode %d: %s", st.mode, st.why.text);
        CHECK_INT(st.mode, STATE_UP);
    }
    mem_disk_free(stage_kill(&st));
    book_release(&book);
    CHECK_INT(stage_bad, 0);
    stage_end();
}

/* The hand is lost between the answer of a rename and the next: a reused segment is not forgotten. */
TEST(no_file_is_forgotten_when_the_hand_is_lost_again_and_again) {
    struct book book = {0};
    struct stage st;
    struct err e = ERR_INIT;
    stage_begin_at("files");
    struct mem_disk *disk = mem_disk_new();
    uint64_t seed = 3;
    if (stage_up(&st, disk, &book, 0)) {
        unsigned most = 0;
        for (unsigned life = 0; life < 300; life++) {
            for (unsigned i = 0; i < 4 + stage_below(&seed, 9); i++) {
                stage_txn(&st);
                stage_put(&st, "/public/name", stage_text(800, seed++));
                if (stage_commit(&st, &e)) stage_hold(&st);
                stage_turns(&st, 1 + stage_below(&seed, 5));
            }
            mem_disk_kill_hands(disk);
            stage_turns(&st, 3);
            stage_new_hand(&st);
            stage_quiet(&st);
            stage_turns(&st, 30);
            unsigned n = 0;
            while (mem_disk_name(disk, n)) n++;
            if (n > most) most = n;
            if (life % 50 == 49)
                tap_note("after %u lost hands: %u files, %llu bytes", life + 1, n,
                         (unsigned long long)mem_disk_used(disk));
        }
        CHECK(most < 40);
    }
    mem_disk_free(stage_kill(&st));
    book_release(&book);
    CHECK_INT(stage_bad, 0);
    stage_end();
}

TEST(a_second_snapshot_of_the_same_revision_leaves_two) {
    struct book book = {0};
    struct stage st;
    struct err e = ERR_INIT;
    stage_begin_at("twice the same");
    struct mem_disk *disk = mem_disk_new();
    char older[80] = "", newer[80] = "";
    if (stage_up(&st, disk, &book, 0)) {
        for (unsigned i = 0; i < 2; i++) {
            HOLDS(commit_name(&st, i, &e));
            stage_quiet(&st);
            HOLDS(state_snapshot(st.state, &e));
            stage_turns(&st, 40);
            memcpy(older, newer, sizeof older);
            snprintf(newer, sizeof newer, "state/snapshot-%016llx", (unsigned long long)state_settled(st.state));
        }
        for (unsigned i = 0; i < 3; i++) {
            HOLDS(state_snapshot(st.state, &e));
            stage_turns(&st, 40);
        }
        CHECK_INT(state_counts(st.state).snapshots, 6); /* with the first one of the store */
    }
    uint64_t last = state_settled(st.state);
    disk = stage_close(&st);
    CHECK(mem_disk_bytes(disk, older).ptr && mem_disk_bytes(disk, newer).ptr);
    mem_disk_flip(disk, newer, 90, 1); /* so one flaw loses nothing */
    if (stage_up(&st, disk, &book, last)) CHECK_INT(state_settled(st.state), last);
    mem_disk_free(stage_kill(&st));
    book_release(&book);
    CHECK_INT(stage_bad, 0);
    stage_end();
}

TAP_MAIN(T(a_snapshot_in_the_place_of_a_damaged_one_is_not_removed),
         T(a_second_snapshot_of_the_same_revision_leaves_two),
         T(no_file_is_forgotten_when_the_hand_is_lost_again_and_again))
