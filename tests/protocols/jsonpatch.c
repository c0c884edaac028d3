/* jsonpatch.c - RFC 6901 and RFC 6902. The public suites run in vectors.c; these are cases of our own. */
#include "protocols/jsonpatch.h"
#include "protocols/cbor.h"

#include "base/mem.h"
#include "base/rng.h"
#include "lib/faults.h"
#include "lib/statedoc.h"
#include "lib/tap.h"
#include "protocols/json.h"
#include "protocols/jsonptr.h"

#include <stdio.h>

static const struct json_limits json_limits = {.bytes = 1 << 20, .depth = 200};
static const struct jsonpatch_limits limits = {.ops = 100, .copied = 1000};

static struct val parse(const char *text) {
    struct val v = val_none;
    struct err e = ERR_INIT;
    if (!CHECK(json_parse(slice_str(text), &json_limits, &v, &e))) tap_note("%s: %s", text, e.text);
    return v;
}

static bool is_json(const struct val *v, const char *text) {
    struct val want = parse(text);
    bool same = val_equal(v, &want);
    val_unref(&want);
    if (same) return true;
    struct buf b;
    buf_init(&b, 1 << 20);
    json_write(&b, v, JSON_COMPACT, NULL);
    tap_note("got %.*s, wanted %s", (int)b.len, (const char *)b.ptr, text);
    buf_release(&b);
    return false;
}

static const struct {
    const char *doc, *patch, *want, *why; /* want NULL: refused, why is in the sentence */
} cases[] = {
    {"{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/b\",\"value\":2}]", "{\"a\":1,\"b\":2}", ""},
    {"{\"a\":1}", "[{\"op\":\"add\",\"path\":\"\",\"value\":[2]}]", "[2]", ""},
    {"{\"a\":1}", "[{\"op\":\"remove\",\"path\":\"\"}]", "null", ""},
    {"[1,2,3]", "[{\"op\":\"add\",\"path\":\"/3\",\"value\":4},{\"op\":\"add\",\"path\":\"/-\",\"value\":5}]",
     "[1,2,3,4,5]", ""},
    {"[1,2,3]", "[{\"op\":\"move\",\"from\":\"/0\",\"path\":\"/2\"}]", "[2,3,1]", ""},
    {"{\"a\":{\"b\":1}}", "[{\"op\":\"move\",\"from\":\"/a/b\",\"path\":\"/a/b\"}]", "{\"a\":{\"b\":1}}", ""},
    {"{\"a\":{\"b\":1}}", "[{\"op\":\"copy\",\"from\":\"\",\"path\":\"/a/c\"}]",
     "{\"a\":{\"b\":1,\"c\":{\"a\":{\"b\":1}}}}", ""},
    {"{\"a\":1}", "[{\"op\":\"test\",\"path\":\"/a\",\"value\":1.0}]", "{\"a\":1}", ""},
    {"{\"a~b\":{\"c/d\":1}}", "[{\"op\":\"replace\",\"path\":\"/a~0b/c~1d\",\"value\":2}]", "{\"a~b\":{\"c/d\":2}}",
     ""},
    {"{\"\":{\"\":1}}", "[{\"op\":\"replace\",\"path\":\"//\",\"value\":2}]", "{\"\":{\"\":2}}", ""},
    {"{\"a\":1}", "[]", "{\"a\":1}", ""},
    {"{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/b\",\"value\":null}]", "{\"a\":1,\"b\":null}", ""},
    {"{\"a\":1}", "{}", NULL, "want a patch to be an array"},
    {"{\"a\":1}", "[1]", NULL, "operation 0 (): want an operation in braces"},
    {"{\"a\":1}", "[{\"path\":\"/a\"}]", NULL, "\"op\" is none of the six"},
    {"{\"a\":1}", "[{\"op\":\"Add\",\"path\":\"/a\",\"value\":1}]", NULL, "\"op\" is none of the six"},
    {"{\"a\":1}", "[{\"op\":\"add\",\"value\":1}]", NULL, "want \"path\" to be a pointer, found nothing"},
    {"{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/a\"}]", NULL, "\"value\" is missing"},
    {"{\"a\":1}", "[{\"op\":\"copy\",\"path\":\"/a\"}]", NULL, "want \"from\" to be a pointer"},
    {"{\"a\":1}", "[{\"op\":\"test\",\"path\":\"/a\",\"value\":2}]", NULL, "another than the test wants"},
    {"{\"a\":1}", "[{\"op\":\"test\",\"path\":\"/b\",\"value\":2}]", NULL, "nothing at \"b\""},
    {"{\"a\":1}", "[{\"op\":\"replace\",\"path\":\"/b\",\"value\":2}]", NULL, "the map has no such key"},
    {"{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/a/b\",\"value\":2}]", NULL, "inside a value that is no array or map"},
    {"{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/x/y\",\"value\":2}]", NULL, "nothing at \"x\""},
    {"{\"a\":1}", "[{\"op\":\"add\",\"path\":\"a\",\"value\":2}]", NULL, "empty or begins with"},
    {"{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/~2\",\"value\":2}]", NULL, "tilde"},
    {"[1]", "[{\"op\":\"add\",\"path\":\"/2\",\"value\":2}]", NULL, "the array has no such index"},
    {"[1]", "[{\"op\":\"add\",\"path\":\"/01\",\"value\":2}]", NULL, "the array has no such index"},
    {"[1]", "[{\"op\":\"replace\",\"path\":\"/-\",\"value\":2}]", NULL, "behind the last element"},
    {"[1]", "[{\"op\":\"remove\",\"path\":\"/1\"}]", NULL, "the array has no such index"},
    {"[[1]]", "[{\"op\":\"remove\",\"path\":\"/0/4\"}]", NULL, "the array has no such index"},
    {"{\"a\":{\"b\":1}}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/a/c\"}]", NULL, "cannot be moved into itself"},
    {"{\"a\":1}", "[{\"op\":\"move\",\"from\":\"/x\",\"path\":\"/y\"}]", NULL, "operation 0 (move): nothing at \"x\""},
    {"{\"a\":1,\"b\":2}", "[{\"op\":\"remove\",\"path\":\"/a\"},{\"op\":\"remove\",\"path\":\"/a\"}]", NULL,
     "operation 1 (remove)"},
};

TEST(a_patch_is_applied_all_or_not_at_all) {
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct val doc = parse(cases[i].doc), patch = parse(cases[i].patch), was = val_ref(&doc);
        struct err e = ERR_INIT;
        bool good = jsonpatch_apply(&doc, &patch, &limits, &e);
        if (cases[i].want)
            CHECK(good && is_json(&doc, cases[i].want));
        else if (!CHECK(!good && strstr(e.text, cases[i].why)) || !CHECK(val_same(&doc, &was)))
            tap_note("%s: %s", cases[i].patch, e.text);
        CHECK(is_json(&was, cases[i].doc));
        val_unref(&doc);
        val_unref(&was);
        val_unref(&patch);
    }
}

TEST(copying_cannot_multiply_without_end) {
    struct val doc = parse("{\"a\":[1,2,3,4,5,6,7,8,9]}");
    struct val patch = val_empty_array();
    for (int i = 0; i < 50; i++) { /* each doubles the document */
        struct val op = parse("{\"op\":\"copy\",\"from\":\"\",\"path\":\"/b\"}");
        val_push(&patch, op);
    }
    struct err e = ERR_INIT;
    CHECK(!jsonpatch_apply(&doc, &patch, &limits, &e) && e.code == ERR_LIMIT &&
          slice_eq(slice_str(e.limit), LIT("copied")));
    CHECK(is_json(&doc, "{\"a\":[1,2,3,4,5,6,7,8,9]}"));
    struct jsonpatch_limits few = {.ops = 49, .copied = 1000};
    CHECK(!jsonpatch_apply(&doc, &patch, &few, &e) && slice_eq(slice_str(e.limit), LIT("ops")));
    struct jsonpatch_limits deep = {.ops = 100000, .copied = SIZE_MAX / 2};
    val_unref(&patch);
    /* Nesting one level an operation runs into the depth of values, not into the stack. */
    patch = val_empty_array();
    for (unsigned i = 0; i < VAL_DEPTH_MAX; i++)
        val_push(&patch, parse("{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/b\"}")),
            val_push(&patch, parse("{\"op\":\"add\",\"path\":\"/a\",\"value\":{}}")),
            val_push(&patch, parse("{\"op\":\"move\",\"from\":\"/b\",\"path\":\"/a/a\"}"));
    CHECK(!jsonpatch_apply(&doc, &patch, &deep, &e) && e.code == ERR_LIMIT &&
          slice_eq(slice_str(e.limit), LIT("depth")));
    val_unref(&patch);
    val_unref(&doc);
}

TEST(pointers_are_taken_apart_and_put_together) {
    struct buf b;
    buf_init(&b, 100);
    CHECK(jsonptr_add(&b, LIT("a/b~c")) && jsonptr_add(&b, LIT("")));
    CHECK_TEXT(buf_slice(&b), LIT("/a~1b~0c/"));
    struct slice rest = buf_slice(&b), part;
    struct buf c;
    buf_init(&c, 100);
    CHECK(jsonptr_next(&rest, &part) && jsonptr_unescape(&c, part));
    CHECK_TEXT(buf_slice(&c), LIT("a/b~c"));
    CHECK(jsonptr_next(&rest, &part) && part.len == 0 && !jsonptr_next(&rest, &part));
    buf_release(&b);
    buf_release(&c);
    struct err e = ERR_INIT;
    CHECK(!jsonptr_check(LIT("x"), &e) && e.at == 0);
    CHECK(!jsonptr_check(LIT("/a~"), &e) && e.at == 2);
    CHECK(!jsonptr_check(LIT("/a\xff"), &e) && e.at == 2 && e.code == ERR_UTF8);
    CHECK(jsonptr_check(LIT(""), &e) && jsonptr_check(LIT("/~0~1"), &e));
    struct val v = parse("{\"a\":[{\"b~\":7}]}");
    uint64_t n = 0;
    CHECK(val_as_u64(jsonptr_get(&v, LIT("/a/0/b~0"), &e), &n) && n == 7);
    CHECK(val_is_none(jsonptr_get(&v, LIT("/a/0/b~0/c"), &e)) && e.code == ERR_NOT_FOUND && e.at == 9);
    CHECK(val_is_none(jsonptr_get(&v, LIT("/a/99999999999999999999"), &e)));
    CHECK(val_is_none(jsonptr_get(&v, LIT("nonsense"), &e)));
    CHECK(!jsonptr_change(&v, JSONPTR_ADD, LIT("nonsense"), val_of_str("a text that must be released"), &e));
    val_unref(&v);
}

TEST(changing_a_path_copies_only_the_path) {
    struct val doc = statedoc_make(5, 4), was = val_ref(&doc);
    struct err e = ERR_INIT;
    CHECK(jsonptr_change(&doc, JSONPTR_REPLACE, LIT("/packageData/package-3/statusInfo/desired/main"),
                         val_of_str("stopped"), &e));
    CHECK(!val_same(&doc, &was));
    CHECK(val_same(jsonptr_get(&doc, LIT("/packageData/package-2"), &e),
                   jsonptr_get(&was, LIT("/packageData/package-2"), &e)));
    CHECK(val_same(jsonptr_get(&doc, LIT("/packageData/package-3/hosts"), &e),
                   jsonptr_get(&was, LIT("/packageData/package-3/hosts"), &e)));
    CHECK(val_is_text(jsonptr_get(&was, LIT("/packageData/package-3/statusInfo/desired/main"), &e), LIT("running")));
    struct val same = val_ref(&doc);
    CHECK(!jsonptr_change(&doc, JSONPTR_ADD, LIT("/packageData/nothing/here"), val_null(), &e));
    CHECK(val_same(&doc, &same)); /* a pointer to nowhere copies nothing */
    val_unref(&same);
    val_unref(&doc);
    val_unref(&was);
}

/* Changes something somewhere. */
static void mutate(struct val *v, unsigned depth) {
    size_t n = val_count(v);
    if (v->kind == VAL_MAP) {
        char key[24];
        snprintf(key, sizeof key, "k%u/~", (unsigned)rng_below(40));
        struct val k = val_of_str(key);
        uint64_t what = rng_below(4);
        struct val *slot = what > 1 && depth ? val_edit(v, &k, 100) : NULL;
        if (slot)
            mutate(slot, depth - 1);
        else if (what == 0)
            val_del(v, &k);
        else
            val_set(v, val_ref(&k),
                    rng_below(3)   ? val_of_u64(rng_below(5))
                    : rng_below(2) ? val_empty_map()
                                   : val_empty_array());
        val_unref(&k);
    } else if (v->kind == VAL_ARRAY) {
        size_t at = rng_below(n + 1);
        uint64_t what = rng_below(5);
        struct val *slot = what > 2 && depth ? val_edit_at(v, at, 100) : NULL;
        if (slot)
            mutate(slot, depth - 1);
        else if (what == 0 && at < n)
            val_del_at(v, at);
        else if (what == 1 && at < n)
            val_set_at(v, at, val_of_u64(rng_below(5)));
        else
            val_insert(v, at,
                       rng_below(3)   ? val_of_u64(rng_below(5))
                       : rng_below(2) ? val_empty_map()
                                      : val_empty_array());
    } else {
        val_unref(v);
        *v = rng_below(2) ? val_of_u64(rng_below(5)) : val_empty_map();
    }
}

/* Equal with the order of map keys. */
static bool same_bytes(const struct val *a, const struct val *b) {
    struct buf x, y;
    buf_init(&x, 1 << 24);
    buf_init(&y, 1 << 24);
    bool same = cbor_write(&x, a, NULL) && cbor_write(&y, b, NULL) && slice_eq(buf_slice(&x), buf_slice(&y));
    buf_release(&x);
    buf_release(&y);
    return same;
}

TEST(the_difference_applied_to_the_old_gives_the_new) {
    rng_use_seed(3);
    struct jsonpatch_limits many = {.ops = 100000, .copied = 0};
    for (int round = 0; round < 400; round++) {
        struct val was = rng_below(2) ? val_empty_map() : val_empty_array();
        for (int i = 0; i < 200; i++) mutate(&was, 4);
        struct val is = val_ref(&was);
        for (uint64_t i = rng_below(round % 5 ? 6 : 200); i; i--) mutate(&is, 4);
        struct val ops = val_empty_array(), made = val_ref(&was);
        struct err e = ERR_INIT;
        CHECK(jsonpatch_diff(&was, &is, &ops, &e));
        CHECK(jsonpatch_apply(&made, &ops, &many, &e) && val_equal(&made, &is) && same_bytes(&made, &is));
        for (struct val_iter it = val_iter(&ops); val_next(&it);) {
            enum jsonpatch_op op;
            CHECK(jsonpatch_op_from(val_as_text(val_get(it.value, LIT("op"))), &op) && op <= JSONPATCH_REPLACE);
        }
        if (val_same(&was, &is)) CHECK_INT(val_count(&ops), 0);
        val_unref(&ops);
        val_unref(&made);
        val_unref(&was);
        val_unref(&is);
    }
    rng_use_seed(0);
}

TEST(the_difference_says_no_more_than_what_changed) {
    struct val was = statedoc_make(100, 8), is = val_ref(&was), ops = val_empty_array();
    struct err e = ERR_INIT;
    CHECK(val_same_order(&was, &is));
    CHECK(jsonptr_change(&is, JSONPTR_REPLACE, LIT("/packageData/package-77/statusInfo/desired/main"),
                         val_of_str("stopped"), &e));
    CHECK(jsonptr_change(&is, JSONPTR_ADD, LIT("/ui/new"), val_empty_map(), &e));
    CHECK(jsonptr_change(&is, JSONPTR_REMOVE, LIT("/serverInfo/ram"), val_none, &e));
    memset(&val_cost, 0, sizeof val_cost);
    CHECK(jsonpatch_diff(&was, &is, &ops, &e));
    CHECK(val_cost.visited < 120);
    CHECK(is_json(
        &ops, "[{\"op\":\"remove\",\"path\":\"/serverInfo/ram\"},"
              "{\"op\":\"replace\",\"path\":\"/packageData/package-77/statusInfo/desired/main\",\"value\":\"stopped\"},"
              "{\"op\":\"add\",\"path\":\"/ui/new\",\"value\":{}}]"));
    val_unref(&ops);
    val_unref(&is);
    /* Equal content without a common history: no operation. */
    is = statedoc_make(100, 8);
    ops = val_empty_array();
    CHECK(jsonpatch_diff(&was, &is, &ops, &e) && val_count(&ops) == 0);
    val_unref(&ops);
    val_unref(&is);
    val_unref(&was);
    /* Keys that are no text have no pointer: the map is replaced. */
    was = val_empty_map();
    val_set(&was, val_of_u64(1), val_of_u64(1));
    is = val_ref(&was);
    val_set(&is, val_of_u64(1), val_of_u64(2));
    struct val outer_was = VAL_MAP_OF({"m", was}), outer_is = VAL_MAP_OF({"m", is});
    ops = val_empty_array();
    CHECK(jsonpatch_diff(&outer_was, &outer_is, &ops, &e) && val_count(&ops) == 1);
    CHECK(val_is_text(val_get(val_at(&ops, 0), LIT("path")), LIT("/m")));
    val_unref(&ops);
    val_unref(&outer_was);
    val_unref(&outer_is);
}

TEST(a_key_that_moved_is_told_by_a_replacement_of_its_map_small_or_large) {
    for (unsigned n = 3; n < 400; n += 133) {
        struct val was = val_empty_map(), moved, added, rebuilt = val_empty_map();
        for (unsigned i = 0; i < n; i++) val_set(&was, val_of_u64(i + 1000), val_of_u64(i));
        moved = val_ref(&was);
        added = val_ref(&was);
        struct val first = val_of_u64(1000), middle = val_of_u64(1000 + n / 2);
        val_del(&moved, &first);
        CHECK(val_same_order(&was, &moved)); /* what is gone moves nothing */
        val_set(&moved, first, val_of_u64(0));
        CHECK(!val_same_order(&was, &moved));
        val_set(&added, val_of_u64(7), val_null());
        val_set(&added, middle, val_of_u64(99));
        CHECK(val_same_order(&was, &added) && val_same_order(&was, &rebuilt));
        for (unsigned i = 0; i < n; i++) val_set(&rebuilt, val_of_u64(i + 1000), val_of_u64(i));
        CHECK(val_same_order(&was, &rebuilt) && val_same_order(&moved, &moved) && !val_same_order(&rebuilt, &moved));
        val_unref(&rebuilt);
        rebuilt = val_empty_map(); /* the same with a new key in front */
        val_set(&rebuilt, val_of_u64(7), val_null());
        for (unsigned i = 0; i < n; i++) val_set(&rebuilt, val_of_u64(i + 1000), val_of_u64(i));
        CHECK(!val_same_order(&was, &rebuilt) && val_same_order(&rebuilt, &was));
        val_unref(&rebuilt);
        val_unref(&moved);
        val_unref(&added);
        val_unref(&was);
    }
}

static bool patch_and_diff(void *arg) {
    (void)arg;
    struct val doc = statedoc_make(1, 2), was = val_ref(&doc);
    struct val ops = VAL_ARRAY_OF(
        VAL_MAP_OF({"op", val_of_str("copy")}, {"from", val_of_str("/packageData/package-0")},
                   {"path", val_of_str("/packageData/another~1package")}),
        VAL_MAP_OF({"op", val_of_str("move")}, {"from", val_of_str("/packageData/package-0/hosts")},
                   {"path", val_of_str("/packageData/another~1package/x")}),
        VAL_MAP_OF({"op", val_of_str("add")}, {"path", val_of_str("/packageData/package-0/storeExposedDependents/-")},
                   {"value", val_of_str("a text of its own block")}),
        VAL_MAP_OF({"op", val_of_str("test")}, {"path", val_of_str("/packageData/another~1package/tasks")},
                   {"value", val_empty_map()}));
    struct err e = ERR_INIT;
    bool good = !val_is_none(&doc) && !val_is_none(&ops) && jsonpatch_apply(&doc, &ops, &limits, &e);
    CHECK(good || e.code == ERR_NONE || e.code == ERR_NOMEM);
    if (!good) CHECK(val_same(&doc, &was));
    struct val made = val_empty_array();
    if (good) {
        good = jsonpatch_diff(&was, &doc, &made, &e);
        CHECK(good || e.code == ERR_NOMEM);
    }
    val_unref(&made);
    val_unref(&ops);
    val_unref(&doc);
    val_unref(&was);
    return good;
}

TEST(every_failed_allocation_leaves_the_document) {
    faults_sweep(patch_and_diff, NULL, "patching and comparing");
}

TAP_MAIN(T(a_patch_is_applied_all_or_not_at_all), T(copying_cannot_multiply_without_end),
         T(pointers_are_taken_apart_and_put_together), T(changing_a_path_copies_only_the_path),
         T(the_difference_applied_to_the_old_gives_the_new), T(the_difference_says_no_more_than_what_changed),
         T(a_key_that_moved_is_told_by_a_replacement_of_its_map_small_or_large),
         T(every_failed_allocation_leaves_the_document))
