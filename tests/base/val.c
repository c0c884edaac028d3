/* val.c - values: scalars, owners, building, changing, comparing. Big random histories are val_model.c. */
#include "base/val.h"
#include "base/mem.h"
#include "lib/faults.h"
#include "lib/tap.h"

#include <math.h>
#include <stdio.h>

TEST(scalars_keep_what_they_are_given) {
    int64_t i = 0;
    uint64_t u = 0;
    double d = 0;
    struct val v = val_of_i64(INT64_MIN);
    CHECK(val_as_i64(&v, &i) && i == INT64_MIN);
    CHECK(!val_as_u64(&v, &u));
    CHECK(val_as_double(&v, &d) && d == -9223372036854775808.0);
    v = val_of_i64(-1);
    CHECK(val_as_i64(&v, &i) && i == -1);
    v = val_of_u64(UINT64_MAX);
    CHECK(val_as_u64(&v, &u) && u == UINT64_MAX && !val_as_i64(&v, &i));
    v = val_of_negative(UINT64_MAX); /* -2^64 */
    CHECK(!val_as_i64(&v, &i) && val_as_double(&v, &d) && d == -18446744073709551616.0);
    v = val_of_double(-0.0);
    CHECK(val_as_double(&v, &d) && d == 0 && signbit(d));
    CHECK(!val_as_i64(&v, &i));
    v = val_of_bool(true);
    CHECK(val_is_true(&v) && !val_as_double(&v, &d));
    v = val_of_bool(false);
    CHECK(!val_is_true(&v));
    v = val_of_u64(1);
    CHECK(!val_is_true(&v));
    v = val_null();
    CHECK(val_is_null(&v) && !val_is_none(&v));
    CHECK(val_is_none(&val_none));
    struct val nan1 = val_of_double(NAN), nan2 = val_of_double(-NAN);
    CHECK(val_equal(&nan1, &nan2) && val_same(&nan1, &nan2));
}

TEST(texts_of_every_length_keep_their_bytes) {
    char text[400];
    for (size_t i = 0; i < sizeof text; i++) text[i] = (char)('a' + i % 26);
    for (size_t n = 0; n < sizeof text; n++) {
        struct slice s = tap_guarded(slice_of(text, n));
        struct val t = val_of_text(s), b = val_of_bytes(s);
        CHECK_TEXT(val_as_text(&t), s);
        CHECK_TEXT(val_as_bytes(&b), s);
        CHECK(val_is_text(&t, s) && !val_is_text(&b, s));
        CHECK_INT(val_as_bytes(&t).len, 0);
        CHECK_INT(val_as_text(&b).len, 0);
        CHECK(!val_equal(&t, &b));
        struct val again = val_of_text(s);
        CHECK(val_equal(&t, &again));
        val_unref(&again);
        val_unref(&t);
        val_unref(&b);
    }
}

TEST(texts_are_utf8_or_nothing) {
    struct val v = val_of_text(LIT("\xff"));
    CHECK(val_is_none(&v));
    v = val_of_text_lossy(LIT("a\xff"));
    CHECK(val_is_text(&v, LIT("a\xef\xbf\xbd")));
    v = val_of_text_lossy(LIT("plain"));
    CHECK(val_is_text(&v, LIT("plain")));
    v = val_of_str("\xc3\xa9");
    CHECK(val_is_text(&v, LIT("\xc3\xa9")));
}

TEST(readers_of_the_wrong_kind_answer_nothing) {
    struct val v = val_of_u64(5);
    CHECK(val_is_none(val_get(&v, LIT("x"))) && val_is_none(val_at(&v, 0)));
    CHECK_INT(val_count(&v), 0);
    CHECK(val_is_none(val_get(val_get(val_at(&v, 3), LIT("a")), LIT("b"))));
    struct val_iter it = val_iter(&v);
    CHECK(!val_next(&it));
    struct val m = val_empty_map(), a = val_empty_array();
    CHECK(val_is_none(val_at(&m, 0)) && val_is_none(val_get(&a, LIT("x"))) && val_is_none(val_get(&m, LIT("x"))));
    CHECK_INT(val_depth(&m), 1);
    CHECK_INT(val_depth(&v), 0);
    for (int k = VAL_NONE; k <= VAL_MAP; k++) CHECK(strlen(val_kind_name((enum val_kind)k)) > 3);
    CHECK_TEXT(slice_str(val_kind_name((enum val_kind)99)), LIT("unknown"));
}

TEST(a_map_in_one_expression_takes_its_values) {
    struct val v = VAL_MAP_OF({"id", val_of_u64(7)}, {"list", VAL_ARRAY_OF(val_of_str("a"), val_null())},
                              {"a key that is longer than fourteen bytes", val_of_bool(true)});
    CHECK_INT(val_count(&v), 3);
    CHECK(val_is_text(val_at(val_get(&v, LIT("list")), 0), LIT("a")));
    CHECK(val_is_true(val_get(&v, LIT("a key that is longer than fourteen bytes"))));
    CHECK_INT(val_depth(&v), 2);
    val_unref(&v);
    CHECK(val_is_none(&v));
    /* One value that failed fails the whole, and the rest is released (the frame looks for leaks). */
    v = VAL_MAP_OF({"a", val_of_str("a text that is in a block of its own")}, {"b", val_of_text(LIT("\xff"))},
                   {"c", val_of_str("another text that is in a block of its own")});
    CHECK(val_is_none(&v));
    v = VAL_ARRAY_OF(val_of_str("a text that is in a block of its own"), val_none,
                     val_of_str("another text in a block of its own"));
    CHECK(val_is_none(&v));
}

TEST(a_shared_version_never_moves) {
    struct val a = VAL_MAP_OF({"x", VAL_ARRAY_OF(val_of_u64(1), val_of_u64(2))}, {"y", val_of_str("why")});
    struct val b = val_ref(&a);
    CHECK(val_same(&a, &b));
    CHECK(val_set_str(&b, "y", val_of_str("changed")));
    CHECK(!val_same(&a, &b) && val_is_text(val_get(&a, LIT("y")), LIT("why")));
    CHECK(val_same(val_get(&a, LIT("x")), val_get(&b, LIT("x")))); /* what did not change is shared */
    struct val key = val_of_str("x");
    struct val *slot = val_edit(&b, &key, 1);
    CHECK(slot && val_push(slot, val_of_u64(3)));
    CHECK_INT(val_count(val_get(&a, LIT("x"))), 2);
    CHECK_INT(val_count(val_get(&b, LIT("x"))), 3);
    CHECK(val_del(&b, &key) && val_count(&b) == 1 && val_count(&a) == 2);
    CHECK(val_del(&b, &key));
    key = val_of_str("y");
    CHECK(val_del(&b, &key) && val_count(&b) == 0);
    val_unref(&a);
    val_unref(&b);
}

TEST(setting_a_key_keeps_its_place) {
    struct val m = VAL_MAP_OF({"c", val_of_u64(1)}, {"a", val_of_u64(2)}, {"b", val_of_u64(3)});
    CHECK(val_set_str(&m, "a", val_of_u64(9)));
    const char *want[] = {"c", "a", "b"};
    size_t i = 0;
    for (struct val_iter it = val_iter(&m); val_next(&it); i++) CHECK(val_is_text(it.key, slice_str(want[i])));
    CHECK_INT(i, 3);
    val_unref(&m);
}

TEST(what_cannot_be_set_leaves_the_container_as_it_was) {
    struct val m = VAL_MAP_OF({"a", val_of_u64(1)}), a = VAL_ARRAY_OF(val_of_u64(1));
    CHECK(!val_set(&m, val_empty_array(), val_of_u64(1))); /* no scalar */
    CHECK(!val_set(&m, val_none, val_of_u64(1)));
    CHECK(!val_set_str(&m, "b", val_none));
    CHECK(!val_insert(&a, 2, val_of_u64(1)) && !val_set_at(&a, 1, val_of_u64(1)) && !val_del_at(&a, 1) &&
          !val_push(&a, val_none));
    CHECK(!val_set_at(&a, 0, val_none));
    CHECK_INT(val_count(&m), 1);
    CHECK_INT(val_count(&a), 1);
    struct val none = val_none, key = val_of_str("zzz");
    CHECK(!val_set_str(&none, "a", val_of_u64(1)) && !val_push(&none, val_of_u64(1)) && !val_del(&none, &key) &&
          !val_del_at(&none, 0));
    CHECK(val_edit(&m, &key, 0) == NULL && val_edit_at(&a, 5, 0) == NULL && val_edit(&a, &key, 0) == NULL &&
          val_edit_at(&m, 0, 0) == NULL);
    val_unref(&m);
    val_unref(&a);
}

TEST(nothing_nests_deeper_than_the_limit) {
    struct val v = val_empty_array();
    for (unsigned i = 1; i < VAL_DEPTH_MAX; i++) {
        struct val outer = val_empty_array();
        CHECK(val_push(&outer, v));
        v = outer;
    }
    CHECK_INT(val_depth(&v), VAL_DEPTH_MAX);
    struct val outer = val_empty_array(), map = val_empty_map();
    CHECK(!val_push(&outer, val_ref(&v)));
    CHECK(!val_set_str(&map, "x", val_ref(&v)));
    CHECK(val_push(&outer, val_null()));
    CHECK(!val_set_at(&outer, 0, val_ref(&v)));
    CHECK(val_edit_at(&outer, 0, VAL_DEPTH_MAX) == NULL);
    struct val inner = val_ref(val_at(&v, 0));
    CHECK(val_set_at(&outer, 0, inner));
    CHECK_INT(val_depth(&outer), VAL_DEPTH_MAX);
    val_unref(&outer);
    val_unref(&map);
    val_unref(&v);
}

TEST(equality_ignores_the_order_of_maps_and_minds_kinds) {
    struct val a = VAL_MAP_OF({"x", val_of_u64(1)}, {"y", VAL_ARRAY_OF(val_of_double(1.0))});
    struct val b = VAL_MAP_OF({"y", VAL_ARRAY_OF(val_of_double(1.0))}, {"x", val_of_u64(1)});
    struct val c = VAL_MAP_OF({"y", VAL_ARRAY_OF(val_of_u64(1))}, {"x", val_of_double(1.0)});
    CHECK(val_equal(&a, &b) && !val_equal(&a, &c) && val_equal_number(&a, &c));
    CHECK(val_set_str(&b, "z", val_null()) && !val_equal(&a, &b));
    struct val d = VAL_MAP_OF({"x", val_of_u64(1)}, {"z", VAL_ARRAY_OF(val_of_double(1.0))});
    CHECK(!val_equal(&a, &d));
    struct val e = val_empty_array(), f = val_empty_map();
    CHECK(!val_equal(&e, &f) && !val_equal(&a, &e));
    val_unref(&a);
    val_unref(&b);
    val_unref(&c);
    val_unref(&d);
}

TEST(numbers_compare_by_worth_exactly) {
    static const struct {
        bool negative;
        uint64_t n;
        double d;
        bool same;
    } cases[] = {{false, 1, 1.0, true},
                 {false, 0, -0.0, true},
                 {true, 0, -1.0, true}, /* -1-0 */
                 {false, 9007199254740993, 9007199254740992.0, false},
                 {false, UINT64_MAX, 18446744073709551616.0, false},
                 {true, UINT64_MAX, -18446744073709551616.0, true},
                 {true, UINT64_MAX - 1, -18446744073709551616.0, false},
                 {false, 1, 1.5, false},
                 {true, 0, -1.5, false},
                 {true, 0, -0.5, false},
                 {false, 1, -1.0, false},
                 {true, 0, 1.0, false},
                 {false, 0, NAN, false},
                 {false, 0, INFINITY, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct val a = cases[i].negative ? val_of_negative(cases[i].n) : val_of_u64(cases[i].n),
                   b = val_of_double(cases[i].d);
        if (!CHECK(val_equal_number(&a, &b) == cases[i].same) || !CHECK(val_equal_number(&b, &a) == cases[i].same))
            tap_note("case %zu", i);
        CHECK(!val_equal(&a, &b));
    }
    struct val zero = val_of_double(0.0), minus = val_of_double(-0.0), text = val_of_str("1"), one = val_of_u64(1);
    CHECK(!val_equal(&zero, &minus) && val_equal_number(&zero, &minus));
    CHECK(!val_equal_number(&text, &one));
}

TEST(weight_counts_shared_parts_as_often_as_they_appear) {
    struct val inner = VAL_ARRAY_OF(val_of_u64(1), val_of_u64(2));
    struct val v = VAL_ARRAY_OF(val_ref(&inner), val_ref(&inner));
    CHECK_INT(val_weight(&v, 1000), 7);
    CHECK(val_weight(&v, 3) >= 3 && val_weight(&v, 3) <= 4);
    CHECK_INT(val_weight(&val_none, 9), 1);
    val_unref(&v);
    val_unref(&inner);
}

TEST(a_builder_makes_the_same_as_setting) {
    struct val_builder b;
    val_build_init(&b, 10, false);
    CHECK(val_build_open(&b, VAL_MAP));
    CHECK(val_build_wants_key(&b));
    CHECK(val_build_key(&b, LIT("list")) && !val_build_wants_key(&b));
    CHECK(val_build_open(&b, VAL_ARRAY));
    for (uint64_t i = 0; i < 500; i++) CHECK(val_build_add(&b, val_of_u64(i)));
    CHECK(val_build_close(&b));
    for (int i = 0; i < 3; i++) { /* the same long key again: the last wins, in the first place */
        CHECK(val_build_key(&b, LIT("a key that is longer than fourteen bytes")));
        CHECK(val_build_add(&b, val_of_i64(i)));
    }
    CHECK(val_build_key(&b, LIT("end")) && val_build_add(&b, val_null()));
    CHECK(val_build_close(&b));
    CHECK_INT(val_build_ready(&b), 1);
    struct val v = val_build_take(&b), list = val_empty_array();
    for (uint64_t i = 0; i < 500; i++) CHECK(val_push(&list, val_of_u64(i)));
    struct val w =
        VAL_MAP_OF({"list", list}, {"a key that is longer than fourteen bytes", val_of_u64(2)}, {"end", val_null()});
    CHECK(val_equal(&v, &w));
    CHECK_INT(val_depth(&v), 2);
    struct val_iter it = val_iter(&v);
    CHECK(val_next(&it) && val_next(&it) && val_is_text(it.key, LIT("a key that is longer than fourteen bytes")));
    val_unref(&v);
    val_unref(&w);
    val_build_release(&b);
}

TEST(a_builder_joins_or_refuses_keys_in_big_maps_too) {
    for (int refuse = 0; refuse < 2; refuse++)
        for (unsigned n = 5; n < 400; n += 79) {
            struct val_builder b;
            val_build_init(&b, 10, refuse);
            val_build_open(&b, VAL_MAP);
            for (unsigned i = 0; i < n; i++) {
                char key[60];
                snprintf(key, sizeof key, i % 2 ? "%u" : "a key that is longer than fourteen bytes %u", i);
                val_build_key(&b, slice_str(key));
                val_build_add(&b, val_of_u64(i));
            }
            val_build_key(&b, LIT("1"));
            val_build_add(&b, VAL_ARRAY_OF(val_of_str("the value that comes last wins")));
            bool closed = val_build_close(&b);
            CHECK_INT(closed, !refuse);
            struct err e = ERR_INIT;
            if (refuse) {
                CHECK_INT(b.fault, VAL_BUILD_DUPLICATE);
                CHECK(!val_build_err(&b, 7, &e) && e.at == 7);
            }
            struct val v = val_build_take(&b);
            if (!refuse) {
                CHECK_INT(val_count(&v), n);
                CHECK_INT(val_count(val_get(&v, LIT("1"))), 1);
                size_t i = 0;
                for (struct val_iter it = val_iter(&v); val_next(&it); i++)
                    if (i == 1) CHECK(val_is_text(it.key, LIT("1")));
                CHECK_INT(i, n);
            }
            val_unref(&v);
            val_build_release(&b);
        }
}

TEST(a_builder_says_what_is_wrong) {
    struct val_builder b;
    struct err e = ERR_INIT;
    val_build_init(&b, 2, false);
    CHECK(val_build_open(&b, VAL_ARRAY) && val_build_open(&b, VAL_MAP) && !val_build_open(&b, VAL_MAP));
    CHECK_INT(b.fault, VAL_BUILD_DEPTH);
    CHECK(!val_build_err(&b, 3, &e));
    CHECK_TEXT(slice_str(e.limit), LIT("depth"));
    CHECK(!val_build_add(&b, val_null()) && !val_build_close(&b) && !val_build_open(&b, VAL_MAP));
    struct val v = val_build_take(&b);
    CHECK(val_is_none(&v));
    val_build_release(&b);
    CHECK(val_build_open(&b, VAL_MAP) && val_build_add(&b, val_null()) && !val_build_close(&b));
    CHECK_INT(b.fault, VAL_BUILD_KEY);
    CHECK(!val_build_err(&b, 3, &e));
    val_build_release(&b);
    CHECK(val_build_open(&b, VAL_MAP) && val_build_open(&b, VAL_ARRAY) && val_build_close(&b) &&
          val_build_add(&b, val_null()));
    CHECK(!val_build_close(&b) && b.fault == VAL_BUILD_KEY); /* an array is no key */
    val_build_release(&b);
    CHECK(!val_build_add(&b, val_none) && b.fault == VAL_BUILD_NOMEM);
    CHECK(!val_build_err(&b, 3, &e) && e.code == ERR_NOMEM);
    val_build_release(&b);
    CHECK(!val_build_err(&b, 0, &e));
}

TEST(keys_of_every_scalar_kind_find_their_values) {
    struct val m = val_empty_map();
    struct val keys[] = {val_null(),
                         val_of_bool(true),
                         val_of_bool(false),
                         val_of_i64(-1),
                         val_of_u64(0),
                         val_of_double(0.5),
                         val_of_str("0"),
                         val_of_bytes(LIT("0")),
                         val_of_str("a text of more than fourteen bytes"),
                         val_of_bytes(LIT("a text of more than fourteen bytes"))};
    size_t n = sizeof keys / sizeof keys[0];
    for (int big = 0; big < 2; big++) {
        for (uint64_t i = 0; big && i < 100; i++) CHECK(val_set(&m, val_of_u64(1000 + i), val_of_u64(i)));
        for (size_t i = 0; i < n; i++) CHECK(val_set(&m, val_ref(&keys[i]), val_of_u64(i)));
        for (size_t i = 0; i < n; i++) {
            uint64_t got = 99;
            CHECK(val_as_u64(val_get_key(&m, &keys[i]), &got) && got == i);
        }
        CHECK(!val_is_none(val_get(&m, LIT("a text of more than fourteen bytes"))));
        CHECK(val_is_none(val_get(&m, LIT("a text of more than fourteen bytez"))));
        CHECK(val_is_none(val_get(&m, LIT("nowhere"))));
    }
    char longest[500];
    memset(longest, 'k', sizeof longest);
    CHECK(val_is_none(val_get(&m, slice_of(longest, sizeof longest))));
    CHECK(val_set(&m, val_of_text(slice_of(longest, sizeof longest)), val_of_u64(5)));
    CHECK(!val_is_none(val_get(&m, slice_of(longest, sizeof longest))));
    for (size_t i = 0; i < n; i++) val_unref(&keys[i]);
    val_unref(&m);
}

/* How a method will look: parameters in, a new version of a branch and a result out. */
static struct val handle_set_port(struct val *hosts, const struct val *params, struct err *e) {
    const struct val *host = val_get(params, LIT("host"));
    uint64_t port = 0;
    if (val_kind(host) != VAL_TEXT) {
        err_set(e, ERR_RPC_PARAMS, "want host to be text, found %s", val_kind_name(val_kind(host)));
        return val_none;
    }
    if (!val_as_u64(val_get(params, LIT("port")), &port) || port > 65535) {
        err_set(e, ERR_RPC_PARAMS, "want port to be a number up to 65535");
        return val_none;
    }
    struct val *slot = val_edit(hosts, host, 1);
    if (!slot) {
        err_set(e, ERR_NOT_FOUND, "no host of that name");
        return val_none;
    }
    struct val was = val_ref(val_get(slot, LIT("port")));
    if (!val_set_str(slot, "port", val_of_u64(port))) {
        val_unref(&was);
        err_nomem(e, "the host");
        return val_none;
    }
    return VAL_MAP_OF({"was", was}, {"is", val_of_u64(port)});
}

TEST(a_method_handler_reads_and_writes_without_ceremony) {
    struct val hosts = VAL_MAP_OF({"main", VAL_MAP_OF({"port", val_of_u64(80)})}), before = val_ref(&hosts);
    struct val params = VAL_MAP_OF({"host", val_of_str("main")}, {"port", val_of_u64(8080)}),
               bad = VAL_MAP_OF({"host", val_of_u64(1)});
    struct err e = ERR_INIT;
    struct val result = handle_set_port(&hosts, &params, &e);
    uint64_t n = 0;
    CHECK(val_as_u64(val_get(&result, LIT("was")), &n) && n == 80);
    CHECK(val_as_u64(val_get(val_get(&hosts, LIT("main")), LIT("port")), &n) && n == 8080);
    CHECK(val_as_u64(val_get(val_get(&before, LIT("main")), LIT("port")), &n) &&
          n == 80); /* whoever looked before still does */
    val_unref(&result);
    result = handle_set_port(&hosts, &bad, &e);
    CHECK(val_is_none(&result) && e.code == ERR_RPC_PARAMS);
    CHECK_TEXT(slice_str(e.text), LIT("want host to be text, found an integer"));
    val_unref(&hosts);
    val_unref(&before);
    val_unref(&params);
    val_unref(&bad);
}

TEST(something_huge_is_released_in_slices) {
    struct val v = val_empty_array();
    for (int i = 0; i < 300; i++) {
        struct val m = val_empty_map();
        for (uint64_t k = 0; k < 40; k++)
            val_set(&m, val_of_u64(k), VAL_ARRAY_OF(val_of_u64(k), val_of_str("some text of its own block")));
        CHECK(val_push(&v, m));
    }
    struct val kept = val_ref(val_at(&v, 7)); /* what others hold stays */
    struct val_trash trash = VAL_TRASH_INIT;
    uint64_t before = mem_stats().live_blocks;
    val_trash_add(&trash, &v);
    CHECK(val_is_none(&v));
    unsigned turns = 0;
    while (val_trash_run(&trash, 10)) {
        turns++;
        uint64_t now = mem_stats().live_blocks;
        CHECK(before - now <
              10 * 150); /* a block has at most 63 items with a block each, and those of its neighbours */
        before = now;
    }
    CHECK(turns > 500);
    CHECK(!val_trash_run(&trash, 10));
    CHECK_INT(val_count(&kept), 40);
    val_unref(&kept);
}

/* Every kind of change, on flat and tree, shared and not. Content is compared before and after a failed step. */
static bool edit_everything(void *arg) {
    unsigned n = *(unsigned *)arg;
    bool good = true;
    struct val map = val_empty_map(), array = val_empty_array();
    for (unsigned i = 0; i < n && good; i++) {
        char key[40];
        snprintf(key, sizeof key, "key number %u of the map", i);
        good =
            val_set_str(&map, key, val_of_u64(i)) && val_push(&array, val_of_str("an element in a block of its own"));
    }
    struct val was_map = val_ref(&map), was_array = val_ref(&array);
    size_t map_n = val_count(&map), array_n = val_count(&array);
    if (good)
        good = val_set_str(&map, "key number 3 of the map",
                           VAL_MAP_OF({"x", val_of_str("a deeper one, also in a block")}));
    if (good) good = val_set_str(&map, "a new key for the map", val_null());
    if (good) {
        struct val key = val_of_str("key number 2 of the map");
        good = !val_is_none(&key) && val_del(&map, &key);
        val_unref(&key);
    }
    if (good) good = val_insert(&array, n / 2, val_null());
    if (good) good = val_set_at(&array, 1, val_of_u64(5));
    if (good) good = val_del_at(&array, 0);
    if (good) {
        struct val_builder b;
        val_build_init(&b, 10, true);
        val_build_open(&b, VAL_MAP);
        for (unsigned i = 0; i < n; i++) {
            char key[40];
            snprintf(key, sizeof key, "key number %u of the map", i);
            val_build_key(&b, slice_str(key));
            val_build_add(&b, val_of_u64(i));
        }
        good = val_build_close(&b);
        struct val v = val_build_take(&b);
        CHECK(!good || val_equal(&v, &was_map));
        val_unref(&v);
        val_build_release(&b);
    }
    /* Whatever failed: the older versions stand. */
    CHECK_INT(val_count(&was_map), map_n);
    CHECK_INT(val_count(&was_array), array_n);
    size_t seen = 0;
    for (struct val_iter it = val_iter(&was_map); val_next(&it);) {
        uint64_t u = 0;
        CHECK(val_as_u64(it.value, &u) && u == seen && val_get_key(&was_map, it.key) == it.value);
        seen++;
    }
    CHECK_INT(seen, map_n);
    seen = 0;
    for (struct val_iter it = val_iter(&map); val_next(&it); seen++) CHECK(val_get_key(&map, it.key) == it.value);
    CHECK_INT(seen, val_count(&map));
    val_unref(&map);
    val_unref(&array);
    val_unref(&was_map);
    val_unref(&was_array);
    return good;
}

TEST(every_failed_allocation_leaves_values_whole) {
    static unsigned sizes[] = {6, VAL_FLAT_MAP, VAL_FLAT_ARRAY, 300};
    char name[40];
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        snprintf(name, sizeof name, "editing %u entries", sizes[i]);
        faults_sweep(edit_everything, &sizes[i], name);
    }
}

TAP_MAIN(T(scalars_keep_what_they_are_given), T(texts_of_every_length_keep_their_bytes), T(texts_are_utf8_or_nothing),
         T(readers_of_the_wrong_kind_answer_nothing), T(a_map_in_one_expression_takes_its_values),
         T(a_shared_version_never_moves), T(setting_a_key_keeps_its_place),
         T(what_cannot_be_set_leaves_the_container_as_it_was), T(nothing_nests_deeper_than_the_limit),
         T(equality_ignores_the_order_of_maps_and_minds_kinds), T(numbers_compare_by_worth_exactly),
         T(weight_counts_shared_parts_as_often_as_they_appear), T(a_builder_makes_the_same_as_setting),
         T(a_builder_joins_or_refuses_keys_in_big_maps_too), T(a_builder_says_what_is_wrong),
         T(keys_of_every_scalar_kind_find_their_values), T(a_method_handler_reads_and_writes_without_ceremony),
         T(something_huge_is_released_in_slices), T(every_failed_allocation_leaves_values_whole))
