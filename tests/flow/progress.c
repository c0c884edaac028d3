/* progress.c - the arithmetic of progress against cases worked by hand from the rules in flow/progress.h. */
#include "flow/progress.h"

#include "lib/faults.h"
#include "lib/tap.h"
#include "protocols/json.h"

#include <stdio.h>

static void check_shows(const struct progress *p, const char *want, int line) {
    struct val v = progress_value(p);
    struct buf text;
    buf_init(&text, 1 << 20);
    json_write(&text, &v, JSON_COMPACT, NULL);
    tap_check_text(buf_slice(&text), slice_str(want), __FILE__, line, "the progress");
    buf_release(&text);
    val_unref(&v);
}
#define SHOWS(p, want) check_shows((p), (want), __LINE__)

/* What all have done. */
static uint64_t overall(const struct progress *p) {
    struct val v = progress_value(p);
    uint64_t n = UINT64_MAX;
    val_as_u64(val_get(val_get(&v, LIT("overall")), LIT("done")), &n);
    val_unref(&v);
    return n;
}

TEST(a_progress_goes_from_null_over_numbers_to_true) {
    struct progress p;
    progress_init(&p);
    SHOWS(&p, "{\"overall\":null,\"phases\":[]}");
    uint32_t down = progress_phase(&p, "Downloading", 100);
    SHOWS(&p, "{\"overall\":{\"done\":0,\"total\":100,\"units\":null},\"phases\":[{\"name\":\"Downloading\","
              "\"progress\":null}]}");
    uint32_t headers = progress_phase(&p, "Validating Headers", 1);
    progress_phase(&p, "Unpacking", 100);
    progress_phase(&p, "Installing", 50);
    progress_begin(&p, down);
    SHOWS(&p, "{\"overall\":{\"done\":0,\"total\":251,\"units\":null},\"phases\":[{\"name\":\"Downloading\","
              "\"progress\":false},"
              "{\"name\":\"Validating Headers\",\"progress\":null},{\"name\":\"Unpacking\",\"progress\":null},"
              "{\"name\":\"Installing\",\"progress\":null}]}");
    /* The example of the interface's description: 8388608 / 20447232 = 0.41025..., so 41 of 100. */
    progress_total(&p, down, 20447232, PROGRESS_BYTES);
    progress_done(&p, down, 8388608);
    SHOWS(&p,
          "{\"overall\":{\"done\":41,\"total\":251,\"units\":null},\"phases\":[{\"name\":\"Downloading\",\"progress\":"
          "{\"done\":8388608,\"total\":20447232,\"units\":\"bytes\"}},"
          "{\"name\":\"Validating Headers\",\"progress\":null},{\"name\":\"Unpacking\",\"progress\":null},"
          "{\"name\":\"Installing\",\"progress\":null}]}");
    progress_phase_end(&p, down);
    progress_begin(&p, headers);
    progress_phase_end(&p, headers);
    CHECK_INT(overall(&p), 101);
    progress_end(&p);
    SHOWS(&p, "{\"overall\":true,\"phases\":[{\"name\":\"Downloading\",\"progress\":true},"
              "{\"name\":\"Validating Headers\",\"progress\":true},{\"name\":\"Unpacking\",\"progress\":null},"
              "{\"name\":\"Installing\",\"progress\":null}]}");
    progress_release(&p);
}

TEST(a_phase_gives_the_floor_of_its_share_whatever_the_numbers) {
    static const struct {
        uint64_t weight, done, total, want;
    } rows[] = {
        {10, 1, 3, 3},  /* 3.33 */
        {10, 2, 3, 6},  /* 6.67 */
        {10, 3, 3, 10}, /* all */
        {10, 9, 3, 10}, /* clamped */
        {7, 1, 7, 1},
        {7, 6, 7, 6},
        {1, 999, 1000, 0},
        {100, 0, 5, 0},
        {100, 0, 0, 0},                              /* nothing of nothing tells nothing */
        {3, UINT64_MAX / 3, UINT64_MAX, 1},          /* 2^64-1 is 3 * 6148914691236517205 */
        {2, (UINT64_C(1) << 63) - 1, UINT64_MAX, 0}, /* one short of a half */
        {2, UINT64_C(1) << 63, UINT64_MAX, 1},       /* half and a bit */
        {UINT64_C(1) << 40, UINT64_MAX - 1, UINT64_MAX, (UINT64_C(1) << 40) - 1},
        {UINT64_C(1) << 40, UINT64_C(1) << 61, UINT64_C(1) << 62, UINT64_C(1) << 39},
        {UINT64_C(1) << 50, 1, 1, UINT64_C(1) << 40}, /* more weight than there may be */
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct progress p;
        progress_init(&p);
        uint32_t n = progress_phase(&p, "one", rows[i].weight);
        progress_total(&p, n, rows[i].total, PROGRESS_PLAIN);
        progress_done(&p, n, rows[i].done);
        if (!CHECK_INT(overall(&p), rows[i].want)) tap_note("row %u", i);
        progress_release(&p);
    }
}

/* Against plain division where that does not overflow. */
TEST(shares_are_as_plain_division_has_them) {
    for (uint64_t total = 1; total < 40; total++)
        for (uint64_t done = 0; done <= total; done++)
            for (uint64_t weight = 1; weight < 30; weight += 4) {
                struct progress p;
                progress_init(&p);
                uint32_t n = progress_phase(&p, "one", weight);
                progress_total(&p, n, total, PROGRESS_STEPS);
                progress_done(&p, n, done);
                CHECK_INT(overall(&p), weight * done / total);
                progress_release(&p);
            }
}

TEST(what_was_given_is_not_taken_back) {
    struct progress p;
    progress_init(&p);
    uint32_t a = progress_phase(&p, "a", 10), b = progress_phase(&p, "b", 10);
    progress_total(&p, a, 10, PROGRESS_STEPS);
    progress_done(&p, a, 8);
    CHECK_INT(overall(&p), 8);
    progress_done(&p, a, 2);
    CHECK_INT(overall(&p), 8);
    progress_total(&p, a, 1000, PROGRESS_STEPS);
    CHECK_INT(overall(&p), 8);
    progress_add(&p, a, 898);
    CHECK_INT(overall(&p), 9);
    progress_done(&p, b, 5); /* no total: it gives nothing */
    CHECK_INT(overall(&p), 9);
    progress_total(&p, b, 5, PROGRESS_STEPS);
    CHECK_INT(overall(&p), 19);
    progress_phase_end(&p, b);
    CHECK_INT(overall(&p), 19);
    progress_release(&p);
}

TEST(done_is_never_more_than_the_total_and_never_wraps) {
    struct progress p;
    progress_init(&p);
    uint32_t a = progress_phase(&p, "a", 0);
    progress_add(&p, a, 7);
    SHOWS(&p,
          "{\"overall\":null,\"phases\":[{\"name\":\"a\",\"progress\":{\"done\":7,\"total\":null,\"units\":null}}]}");
    progress_total(&p, a, 5, PROGRESS_STEPS);
    SHOWS(&p,
          "{\"overall\":null,\"phases\":[{\"name\":\"a\",\"progress\":{\"done\":5,\"total\":5,\"units\":\"steps\"}}]}");
    progress_total(&p, a, 9, PROGRESS_STEPS);
    progress_add(&p, a, 3);
    progress_add(&p, a, UINT64_MAX);
    SHOWS(&p,
          "{\"overall\":null,\"phases\":[{\"name\":\"a\",\"progress\":{\"done\":9,\"total\":9,\"units\":\"steps\"}}]}");
    progress_release(&p);
}

TEST(what_is_complete_stays_so) {
    struct progress p;
    progress_init(&p);
    uint32_t a = progress_phase(&p, "a", 3);
    progress_phase_end(&p, a);
    progress_begin(&p, a);
    progress_done(&p, a, 1);
    progress_add(&p, a, 1);
    progress_total(&p, a, 9, PROGRESS_BYTES);
    SHOWS(&p, "{\"overall\":{\"done\":3,\"total\":3,\"units\":null},\"phases\":[{\"name\":\"a\",\"progress\":true}]}");
    progress_end(&p);
    progress_phase(&p, "late", 5);
    SHOWS(&p,
          "{\"overall\":true,\"phases\":[{\"name\":\"a\",\"progress\":true},{\"name\":\"late\",\"progress\":null}]}");
    progress_release(&p);
}

static unsigned stirs;
static void count_stir(struct progress *p) {
    (void)p;
    stirs++;
}

TEST(whoever_listens_hears_of_changes_only) {
    struct progress p;
    progress_init(&p);
    p.stir = count_stir;
    stirs = 0;
    uint32_t a = progress_phase(&p, "a", 3);
    progress_begin(&p, a);
    progress_begin(&p, a);
    CHECK_INT(stirs, 2);
    progress_done(&p, a, 4);
    progress_done(&p, a, 4);
    progress_add(&p, a, 0);
    CHECK_INT(stirs, 3);
    progress_phase_end(&p, a);
    progress_phase_end(&p, a);
    progress_done(&p, a, 5);
    progress_end(&p);
    progress_end(&p);
    CHECK_INT(stirs, 5);
    progress_release(&p);
}

TEST(there_are_so_many_phases_and_the_one_too_many_is_none) {
    struct progress p;
    progress_init(&p);
    for (unsigned i = 0; i < LIMIT_PROGRESS_PHASES; i++) CHECK_INT(progress_phase(&p, "x", 1), i);
    CHECK(progress_phase(&p, "x", 1) == PROGRESS_NONE);
    progress_begin(&p, PROGRESS_NONE);
    progress_total(&p, PROGRESS_NONE, 4, PROGRESS_BYTES);
    progress_done(&p, PROGRESS_NONE, 4);
    progress_add(&p, PROGRESS_NONE, 4);
    progress_phase_end(&p, PROGRESS_NONE);
    CHECK_INT(overall(&p), 0);
    for (unsigned i = 0; i < LIMIT_PROGRESS_PHASES; i++) progress_phase_end(&p, i);
    CHECK_INT(overall(&p), LIMIT_PROGRESS_PHASES);
    progress_release(&p);
    progress_init(&p);
    CHECK(progress_phase(&p, "\xff", 1) == PROGRESS_NONE);
    SHOWS(&p, "{\"overall\":null,\"phases\":[]}");
    progress_release(&p);
}

static bool make_one(void *arg) {
    struct progress p;
    (void)arg;
    progress_init(&p);
    bool good = true;
    for (unsigned i = 0; i < 12; i++) good &= progress_phase(&p, "a name that does not fit inside", 1) != PROGRESS_NONE;
    for (unsigned i = 0; i < 12; i++) progress_total(&p, i, 4, PROGRESS_BYTES);
    struct val v = progress_value(&p);
    good &= !val_is_none(&v);
    val_unref(&v);
    progress_release(&p);
    return good;
}

TEST(every_allocation_may_fail) {
    faults_sweep(make_one, NULL, "a progress");
}

TAP_MAIN(T(a_progress_goes_from_null_over_numbers_to_true),
         T(a_phase_gives_the_floor_of_its_share_whatever_the_numbers), T(shares_are_as_plain_division_has_them),
         T(what_was_given_is_not_taken_back), T(done_is_never_more_than_the_total_and_never_wraps),
         T(what_is_complete_stays_so), T(whoever_listens_hears_of_changes_only),
         T(there_are_so_many_phases_and_the_one_too_many_is_none), T(every_allocation_may_fail))
