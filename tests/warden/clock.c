/* clock.c - when a wall clock may be believed. */
#include "wardens.h"

#include "warden/clock_trust.h"

#define BUILD INT64_C(1767225600000)

TEST(a_time_is_believed_when_somebody_vouches_for_it_and_nothing_speaks_against_it) {
    static const struct {
        int64_t floor_ms, wall_ms;
        bool by_operator, synced, trusted;
    } cases[] = {
        {BUILD, BUILD, false, true, true},
        {BUILD, BUILD, true, false, true},
        {BUILD, BUILD, false, false, false},
        {BUILD, BUILD - 1, true, true, false},
        {BUILD, 0, true, true, false},
        {BUILD, -5, true, true, false},
        {BUILD + 9, BUILD + 8, true, true, false},
        {BUILD + 9, BUILD + 9, true, true, true},
        {0, BUILD - 1, true, true, false}, /* a floor below the build takes nothing away from it */
        {BUILD, BUILD + 1, true, true, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct clock_trust t = {.floor_ms = cases[i].floor_ms, .by_operator = cases[i].by_operator};
        struct clock_state s = clock_trust_judge(&t, cases[i].wall_ms, cases[i].synced);
        CHECK_INT(s.trusted, cases[i].trusted);
        CHECK_INT(s.synced, cases[i].synced);
        CHECK_INT(s.wall_ms, cases[i].wall_ms);
        CHECK(s.why && s.why[0]);
    }
}

static int64_t at_us;
static int64_t tell(void *arg) {
    (void)arg;
    return at_us;
}

TEST(the_state_is_that_of_the_wall_clock) {
    static const struct clock_source source = {tell, tell, NULL};
    struct clock_trust t = CLOCK_TRUST_INIT;
    t.by_operator = true;
    clock_use(&source);
    at_us = (BUILD + 5) * 1000;
    CHECK_INT(clock_trust_state(&t).wall_ms, BUILD + 5);
    CHECK(clock_trust_state(&t).trusted);
    at_us = (BUILD - 5) * 1000;
    CHECK(!clock_trust_state(&t).trusted);
    clock_use(NULL);
}

TEST(the_floor_only_rises) {
    struct clock_trust t = CLOCK_TRUST_INIT;
    CHECK_INT(t.floor_ms, BUILD);
    clock_trust_floor(&t, BUILD - 1);
    CHECK_INT(t.floor_ms, BUILD);
    clock_trust_floor(&t, BUILD + 100);
    clock_trust_floor(&t, BUILD + 50);
    clock_trust_floor(&t, -1);
    CHECK_INT(t.floor_ms, BUILD + 100);
}

TEST(a_clock_is_not_set_before_its_floor_nor_a_century_ahead) {
    struct clock_trust t = CLOCK_TRUST_INIT;
    struct err e = ERR_INIT;
    CHECK(!clock_trust_set(&t, BUILD - 1, &e) && e.code == ERR_INVALID);
    CHECK(!clock_trust_set(&t, 0, &e) && e.code == ERR_INVALID);
    CHECK(!clock_trust_set(&t, CLOCK_MOST_MS + 1, &e) && e.code == ERR_INVALID);
    clock_trust_floor(&t, CLOCK_MOST_MS);
    CHECK(!clock_trust_set(&t, CLOCK_MOST_MS - 1, &e) && e.code == ERR_INVALID);
}

/* --- a real warden --- */

static int use_clock(const struct warden_birth *birth, void *arg) {
    (void)arg;
    struct reactor r;
    if (!reactor_open(&r, birth)) return 1;
    struct reply a = ask_and_wait(&r, "clock.get", NO_ARGS);
    int64_t wall = 0, floor = 0;
    SEE(val_as_i64(val_get(&a.result, LIT("wall_ms")), &wall) && wall > 0);
    SEE(val_as_i64(val_get(&a.result, LIT("floor_ms")), &floor) && floor == INT64_C(1767225600000));
    SEE(val_as_text(val_get(&a.result, LIT("why"))).len > 0);
    bool synced = val_is_true(val_get(&a.result, LIT("synced")));
    SEE_INT(val_is_true(val_get(&a.result, LIT("trusted"))), synced && wall >= floor);
    forget(&a);
    a = ask_and_wait(&r, "clock.trust", MAP({"by_operator", val_of_bool(true)}));
    SEE_INT(val_is_true(val_get(&a.result, LIT("trusted"))), wall >= floor);
    forget(&a);
    /* A floor that lies ahead takes the trust away, and does not come down again. */
    for (int i = 0; i < 2; i++) {
        uint64_t ms = i ? 1 : UINT64_C(4000000000000);
        a = ask_and_wait(&r, "clock.trust", MAP({"floor_ms", val_of_u64(ms)}));
        SEE(!val_is_true(val_get(&a.result, LIT("trusted"))));
        SEE(val_as_i64(val_get(&a.result, LIT("floor_ms")), &floor) && floor == INT64_C(4000000000000));
        forget(&a);
    }
    SEE_INT(code_of(&r, "clock.trust", MAP({"wall_ms", val_of_u64(1000)})),
            ERR_INVALID); /* before the floor: not set */
    SEE_INT(code_of(&r, "clock.trust", MAP({"wall_ms", val_of_u64(UINT64_C(250000000000000))})), ERR_INVALID);
    if (!birth->jail.change_user && !synced)
        SEE_INT(code_of(&r, "clock.trust", MAP({"wall_ms", val_of_u64(UINT64_C(4000000000001))})), ERR_AUTHORIZATION);
    return 0;
}

TEST(the_clock_is_believed_only_with_reason_and_the_floor_only_rises) {
    shared_begin();
    struct warden_config c = {.reactor = use_clock};
    CHECK_INT(warden_live(&c), 0);
    check_seen(14);
    shared_begin();
    pid_t warden = warden_begin(&c, true); /* who may not set it is told what is missing */
    CHECK_INT(warden_end(warden), 0);
    check_seen(14);
}

TAP_MAIN(T(a_time_is_believed_when_somebody_vouches_for_it_and_nothing_speaks_against_it),
         T(the_state_is_that_of_the_wall_clock), T(the_floor_only_rises),
         T(a_clock_is_not_set_before_its_floor_nor_a_century_ahead),
         T(the_clock_is_believed_only_with_reason_and_the_floor_only_rises))
