/* limit.c - how often a source may try: time is an argument, so nothing waits. */
#include "auth/limit.h"

#include "lib/tap.h"

static struct auth_limit limit;
static const uint8_t one[] = {192, 0, 2, 1}, two[] = {192, 0, 2, 2};

static bool may(const uint8_t *from, int64_t now) {
    struct err e = ERR_INIT;
    bool good = limit_begin(&limit, slice_of(from, 4), now, &e);
    CHECK(good || e.code == ERR_RATE);
    return good;
}
static void wrong(const uint8_t *from, int64_t now) {
    limit_end(&limit, slice_of(from, 4), now, LIMIT_WRONG);
}

TEST(some_tries_are_free_then_the_waits_double_up_to_a_minute) {
    limit = (struct auth_limit){0};
    int64_t now = 1000;
    for (int i = 0; i < AUTH_FREE; i++) {
        CHECK(may(one, now));
        wrong(one, now);
    }
    int64_t wait = AUTH_WAIT_MS;
    for (int i = 0; i < 12; i++) {
        CHECK(!may(one, now + wait - 1));
        now += wait;
        CHECK(may(one, now));
        wrong(one, now);
        wait = wait * 2 < AUTH_WAIT_MOST ? wait * 2 : AUTH_WAIT_MOST;
    }
    CHECK_INT(wait, AUTH_WAIT_MOST);
}

TEST(nobody_waits_for_what_another_did_and_the_box_itself_never_does) {
    limit = (struct auth_limit){0};
    for (int i = 0; i < 20; i++)
        if (may(one, 0)) wrong(one, 0);
    CHECK(!may(one, 0) && may(two, 0));
    for (int i = 0; i < 100; i++) CHECK(limit_begin(&limit, slice_of(NULL, 0), 0, NULL));
}

TEST(one_source_tries_one_at_a_time) {
    limit = (struct auth_limit){0};
    CHECK(may(one, 0) && !may(one, 0) && !may(one, 100000));
    limit_end(&limit, slice_of(one, 4), 0, LIMIT_UNTRIED);
    CHECK(may(one, 0));
}

TEST(the_right_password_forgives_and_so_does_an_hour) {
    limit = (struct auth_limit){0};
    for (int i = 0; i < AUTH_FREE; i++) {
        CHECK(may(one, 0));
        wrong(one, 0);
    }
    CHECK(!may(one, 0) && may(one, AUTH_WAIT_MS));
    limit_end(&limit, slice_of(one, 4), AUTH_WAIT_MS, LIMIT_RIGHT);
    for (int i = 0; i < AUTH_FREE; i++) {
        CHECK(may(one, AUTH_WAIT_MS));
        wrong(one, AUTH_WAIT_MS);
    }
    CHECK(!may(one, AUTH_WAIT_MS));
    CHECK(may(one, AUTH_WAIT_MS + AUTH_QUIET_MS));
    wrong(one, AUTH_WAIT_MS + AUTH_QUIET_MS);
    CHECK(may(one, AUTH_WAIT_MS + AUTH_QUIET_MS));
}

TEST(a_full_table_lets_the_quietest_go_but_nobody_who_is_trying) {
    limit = (struct auth_limit){0};
    for (int i = 0; i < AUTH_SOURCES; i++) {
        const uint8_t from[] = {10, 0, (uint8_t)(i >> 8), (uint8_t)i};
        CHECK(may(from, i));
        if (i != 0) wrong(from, i); /* the first goes on trying */
    }
    const uint8_t more[] = {10, 1, 0, 0}, first[] = {10, 0, 0, 0}, second[] = {10, 0, 0, 1};
    CHECK(may(more, AUTH_SOURCES));
    CHECK(!may(first, AUTH_SOURCES));     /* still there, still trying */
    for (int i = 0; i < AUTH_FREE; i++) { /* forgotten: all its tries are free again */
        CHECK(may(second, AUTH_SOURCES + 1));
        wrong(second, AUTH_SOURCES + 1);
    }
    limit = (struct auth_limit){0};
    for (int i = 0; i < AUTH_SOURCES; i++) {
        const uint8_t from[] = {10, 0, (uint8_t)(i >> 8), (uint8_t)i};
        CHECK(may(from, 0));
    }
    CHECK(!may(more, 0));
}

TAP_MAIN(T(some_tries_are_free_then_the_waits_double_up_to_a_minute),
         T(nobody_waits_for_what_another_did_and_the_box_itself_never_does), T(one_source_tries_one_at_a_time),
         T(the_right_password_forgives_and_so_does_an_hour),
         T(a_full_table_lets_the_quietest_go_but_nobody_who_is_trying))
