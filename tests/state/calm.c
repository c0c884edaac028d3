/* calm.c - told once it is quiet, but not later than some time after the first. */
#include "state/calm.h"

#include "base/clock.h"
#include "base/mem.h"
#include "lib/tap.h"

#include <stdlib.h>

static int64_t now_us;
static int64_t ask(void *arg) {
    (void)arg;
    return now_us;
}
static const struct clock_source by_hand = {ask, ask, NULL};

static struct loop *l;
static unsigned told;
static uint64_t stirs;
static int64_t told_at;

static void note(struct calm *c) {
    told++;
    stirs = c->stirs;
    told_at = loop_now_ms(l);
}

static void start(struct calm *c, uint32_t quiet_ms, uint32_t first_ms) {
    clock_use(&by_hand);
    now_us = 5000000;
    CHECK((l = loop_new(NULL)) != NULL);
    *c = (struct calm){.call = note, .name = "calm", .loop = l, .quiet_ms = quiet_ms, .first_ms = first_ms};
    told = 0;
    stirs = 0;
}
static void stop(struct calm *c) {
    calm_stop(c);
    loop_free(l);
    clock_use(NULL);
}

/* Passes so many milliseconds, one at a time. */
static void pass(unsigned ms) {
    for (unsigned i = 0; i < ms; i++) {
        now_us += 1000;
        loop_turn(l, 0);
    }
}

TEST(with_quiet_only_every_stir_puts_it_off) {
    struct calm c;
    start(&c, 100, 0);
    pass(300);
    CHECK_INT(told, 0); /* nothing happened: nothing is told */
    for (int i = 0; i < 20; i++) {
        CHECK(calm_stir(&c));
        pass(99);
        CHECK_INT(told, 0);
    }
    pass(1);
    CHECK(told == 1 && stirs == 20);
    pass(500);
    CHECK_INT(told, 1);
    CHECK(calm_stir(&c));
    pass(100);
    CHECK(told == 2 && stirs == 1);
    stop(&c);
}

TEST(with_first_only_it_comes_so_long_after_the_first) {
    struct calm c;
    start(&c, 0, 500);
    int64_t first = now_us / 1000;
    for (int i = 0; i < 499; i++) {
        CHECK(calm_stir(&c));
        pass(1);
    }
    CHECK_INT(told, 0);
    pass(1);
    CHECK(told == 1 && stirs == 499);
    CHECK_INT(told_at - first, 500);
    stop(&c);
}

TEST(with_both_whichever_is_earlier_counts) {
    struct calm c;
    start(&c, 100, 350);
    CHECK(calm_stir(&c));
    pass(100);
    CHECK_INT(told, 1); /* it was quiet */
    for (int i = 0; i < 7; i++) {
        CHECK(calm_stir(&c));
        pass(50);
        CHECK_INT(told, i == 6 ? 2 : 1); /* it never was, but the first is 350 ago */
    }
    CHECK_INT(stirs, 7);
    stop(&c);
}

TEST(with_neither_it_comes_when_timers_are_called_next) {
    struct calm c;
    start(&c, 0, 0);
    loop_turn(l, 0);
    CHECK(calm_stir(&c) && calm_stir(&c));
    CHECK_INT(told, 0); /* not from inside calm_stir */
    loop_turn(l, 0);
    CHECK(told == 1 && stirs == 2);
    loop_turn(l, 0);
    CHECK_INT(told, 1);
    stop(&c);
}

TEST(stopping_tells_nobody_and_it_can_be_stirred_again) {
    struct calm c;
    start(&c, 100, 0);
    calm_stop(&c);
    CHECK(calm_stir(&c) && calm_stir(&c));
    pass(50);
    calm_stop(&c);
    pass(500);
    CHECK_INT(told, 0);
    CHECK(calm_stir(&c));
    pass(100);
    CHECK(told == 1 && stirs == 1);
    stop(&c);
}

static void stir_again(struct calm *c) {
    note(c);
    if (told < 3) CHECK(calm_stir(c));
    CHECK_INT(c->stirs, 1);
}
static void free_it(struct calm *c) {
    note(c);
    calm_stop(c);
    free(c);
}

TEST(inside_call_it_may_be_stirred_or_freed) {
    struct calm c;
    start(&c, 10, 0);
    c.call = stir_again;
    CHECK(calm_stir(&c));
    pass(9);
    CHECK_INT(told, 0);
    pass(11);
    CHECK_INT(told, 2);
    pass(10);
    CHECK_INT(told, 3);
    pass(100);
    CHECK_INT(told, 3);
    struct calm *own = malloc(sizeof *own);
    *own = (struct calm){.call = free_it, .name = "own", .loop = l, .quiet_ms = 10};
    CHECK(calm_stir(own));
    pass(20);
    CHECK_INT(told, 4);
    stop(&c);
}

TEST(without_memory_the_next_stir_does_it) {
    struct calm c;
    start(&c, 100, 0);
    mem_fault(1, 0);
    CHECK(!calm_stir(&c));
    mem_fault(0, 0);
    pass(300);
    CHECK_INT(told, 0);
    CHECK(calm_stir(&c));
    pass(100);
    CHECK(told == 1 && stirs == 2);
    stop(&c);
}

TAP_MAIN(T(with_quiet_only_every_stir_puts_it_off), T(with_first_only_it_comes_so_long_after_the_first),
         T(with_both_whichever_is_earlier_counts), T(with_neither_it_comes_when_timers_are_called_next),
         T(stopping_tells_nobody_and_it_can_be_stirred_again), T(inside_call_it_may_be_stirred_or_freed),
         T(without_memory_the_next_stir_does_it))
