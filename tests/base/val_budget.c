/* val_budget.c - what a change of a map with a million entries costs, counted: blocks, bytes and reference counts. */
#include "base/mem.h"
#include "base/val.h"
#include "lib/statedoc.h"
#include "lib/tap.h"

#include <stdio.h>

#define ENTRIES 1000000u

static struct val key_of(unsigned i) {
    char text[16];
    snprintf(text, sizeof text, "key-%08u", i);
    return val_of_text_checked(slice_of(text, 12));
}
static struct val value_of(unsigned i) {
    char text[16];
    snprintf(text, sizeof text, "%08u", i);
    return val_of_text_checked(slice_of(text, 8));
}

static struct val million(bool one_by_one) {
    struct val map = val_empty_map();
    if (one_by_one) {
        for (unsigned i = 0; i < ENTRIES; i++) val_set(&map, key_of(i), value_of(i));
        return map;
    }
    struct val_builder b;
    val_build_init(&b, 4, true);
    val_build_open(&b, VAL_MAP);
    for (unsigned i = 0; i < ENTRIES; i++) {
        val_build_add(&b, key_of(i));
        val_build_add(&b, value_of(i));
    }
    val_build_close(&b);
    map = val_build_take(&b);
    val_build_release(&b);
    return map;
}

/* Changes one entry of a version that someone else holds, and looks what it cost. */
static void change(struct val *map, struct val key, struct val value, uint64_t nodes, uint64_t bytes, uint64_t refs,
                   struct val_cost *worst) {
    struct val held = val_ref(map);
    memset(&val_cost, 0, sizeof val_cost);
    CHECK(val_set(map, key, value));
    struct val_cost cost = val_cost;
    CHECK(cost.nodes <= nodes);
    CHECK(cost.bytes <= bytes);
    CHECK(cost.refs <= refs);
    if (cost.nodes > worst->nodes) worst->nodes = cost.nodes;
    if (cost.bytes > worst->bytes) worst->bytes = cost.bytes;
    if (cost.refs > worst->refs) worst->refs = cost.refs;
    val_unref(&held);
}

static bool count_change(void *arg, const struct val *key, const struct val *was, const struct val *is) {
    (void)key, (void)was, (void)is;
    ++*(unsigned *)arg;
    return true;
}

static void check_costs(bool one_by_one) {
    uint64_t before = mem_stats().live_bytes;
    struct val map = million(one_by_one);
    if (!CHECK_INT(val_count(&map), ENTRIES)) return;
    uint64_t each = (mem_stats().live_bytes - before) / ENTRIES;
    tap_note("%s: %llu bytes an entry (20 of them key and value)", one_by_one ? "set one by one" : "built at once",
             (unsigned long long)each);
    CHECK(each <= 64);
    /* Among a million keys some hundred pairs share their 32 bits of hash; each is found all the same. */
    unsigned missed = 0;
    for (unsigned i = 0; i < ENTRIES; i++) {
        struct val key = key_of(i), want = value_of(i);
        missed += !val_same(val_get_key(&map, &key), &want);
    }
    CHECK_INT(missed, 0);
    struct val_cost worst = {0};
    for (unsigned i = 0; i < 2000; i++) {
        unsigned at = i * 7919u % ENTRIES;
        change(&map, key_of(at), value_of(at + 1), 6, 4096, 200, &worst);
    }
    tap_note("an update of a shared version: at most %llu blocks, %llu bytes, %llu reference counts",
             (unsigned long long)worst.nodes, (unsigned long long)worst.bytes, (unsigned long long)worst.refs);
    worst = (struct val_cost){0};
    for (unsigned i = 0; i < 2000; i++)
        change(&map, key_of(ENTRIES + i), value_of(i), 19, 12000, 400, &worst); /* every level split */
    tap_note("a new key in a shared version: at most %llu blocks, %llu bytes, %llu reference counts",
             (unsigned long long)worst.nodes, (unsigned long long)worst.bytes, (unsigned long long)worst.refs);
    /* The difference of two versions costs what changed. */
    struct val held = val_ref(&map);
    for (unsigned i = 0; i < 10; i++) CHECK(val_set(&map, key_of(i * 90001), value_of(i + 77)));
    memset(&val_cost, 0, sizeof val_cost);
    unsigned found = 0;
    CHECK(val_diff_maps(&held, &map, count_change, &found));
    CHECK_INT(found, 10);
    CHECK(val_cost.visited <
          10 * 2 * 4 * 31 * 2); /* ten paths, both passes, every child beside the path is skipped in one look */
    tap_note("the difference after ten changes looked at %llu blocks", (unsigned long long)val_cost.visited);
    val_unref(&held);
    val_unref(&map);
}

TEST(a_change_of_a_million_entries_copies_six_blocks_at_most) {
    check_costs(false);
}
TEST(it_is_the_same_when_the_map_grew_one_by_one) {
    check_costs(true);
}

TEST(a_state_of_many_packages_is_a_value_like_any_other) {
    struct val a = statedoc_make(3, 9), b = statedoc_make(3, 9), c = statedoc_make(3, 10);
    CHECK(val_equal(&a, &b) && !val_equal(&a, &c));
    CHECK(val_depth(&a) > 8 && val_depth(&a) < 40);
    val_unref(&a);
    val_unref(&b);
    val_unref(&c);
}

TAP_MAIN(T(a_change_of_a_million_entries_copies_six_blocks_at_most), T(it_is_the_same_when_the_map_grew_one_by_one),
         T(a_state_of_many_packages_is_a_value_like_any_other))
