/* plan_rows.c - rows and shapes that contradict each other are refused with a sentence; those that only look so are
 * not. */
#include "base/mem.h"
#include "lib/tap.h"
#include "protocols/json.h"
#include "state/plan.h"

#include <stdio.h>

#define FIELD(field, of, ...)                                                                                          \
    { .name = field, .shape = of, __VA_ARGS__ }
#define RECORD(list) .kind = SHAPE_RECORD, .fields = list, .field_n = sizeof(list) / sizeof(list)[0]
#define FIELDS(name, ...)                                                                                              \
    static const struct shape_field name##_fields[] = {__VA_ARGS__};                                                   \
    static const struct shape name = {RECORD(name##_fields)}

static const struct shape text = {.kind = SHAPE_TEXT}, list = {.kind = SHAPE_LIST}, any = {.kind = SHAPE_ANY},
                          integer = {.kind = SHAPE_INT};

FIELDS(secret, FIELD("a", &text), FIELD("key", &text, .attrs = PLAN_SECRET));
FIELDS(mixed, FIELD("a", &any), FIELD("b", &list));
FIELDS(calm, FIELD("a", &text), FIELD("b", &list));
static const struct shape_field loose_record_fields[] = {FIELD("a", &text)};
static const struct shape loose = {.kind = SHAPE_RECORD, .fields = loose_record_fields, .field_n = 1, .open = true};
static const struct shape secrets = {.kind = SHAPE_LIST, .item = &secret},
                          by_name = {.kind = SHAPE_MAP, .item = &secrets};

/* Shapes that contain themselves: without attributes; with one inside; with one reached from inside; above. */
static const struct shape tree, trees = {.kind = SHAPE_MAP, .item = &tree};
FIELDS(tree, FIELD("size", &integer), FIELD("below", &trees));
static const struct shape ring, rings = {.kind = SHAPE_MAP, .item = &ring};
FIELDS(ring, FIELD("key", &text, .attrs = PLAN_SECRET), FIELD("below", &rings));
static const struct shape knot, knots = {.kind = SHAPE_MAP, .item = &knot};
FIELDS(knot, FIELD("login", &secret), FIELD("below", &knots));
FIELDS(above, FIELD("tree", &tree, .attrs = PLAN_PRIVATE));

FIELDS(twice, FIELD("a", &text), FIELD("a", &text));
FIELDS(starred, FIELD("*", &text));
FIELDS(unnamed, FIELD(NULL, &text));
FIELDS(odd_attr, FIELD("a", &text, .attrs = 64));
FIELDS(lone_null, FIELD("a", &text, .attrs = PLAN_NULL));
FIELDS(late, FIELD("a", &text, .since = 2));
FIELDS(late_optional, FIELD("a", &text, .since = 2, .optional = true));
FIELDS(late_volatile, FIELD("a", &text, .since = 2, .attrs = PLAN_VOLATILE));
FIELDS(future, FIELD("a", &text, .since = 9, .optional = true));
FIELDS(useless, FIELD("a", &text, .fallback = "1", .optional = true));
FIELDS(broken, FIELD("a", &any, .since = 2, .fallback = "{"));
FIELDS(unfit, FIELD("a", &text, .since = 2, .fallback = "1"));
FIELDS(unfit_row, FIELD("a", NULL, .since = 2, .fallback = "1"));
FIELDS(fit_row, FIELD("a", NULL, .since = 2, .fallback = "\"x\""));
static const struct shape hole = {.kind = SHAPE_RECORD, .field_n = 2};
static const struct shape upside = {.kind = SHAPE_INT, .min = 2, .max = 1},
                          below0 = {.kind = SHAPE_TEXT, .min = -1, .max = 1};
static const struct shape no_words = {.kind = SHAPE_WORD}, two_spaces = {.kind = SHAPE_WORD, .words = "a  b"},
                          ends = {.kind = SHAPE_WORD, .words = "a "}, starts = {.kind = SHAPE_WORD, .words = " a"};
static const struct shape unknown = {.kind = (enum shape_kind)77};
static const struct shape no_tag = {.kind = SHAPE_TAGGED, .fields = calm_fields, .field_n = 1};
static const struct shape_field alt_text_fields[] = {FIELD("on", &text)};
static const struct shape alt_text = {.kind = SHAPE_TAGGED, .tag = "t", .fields = alt_text_fields, .field_n = 1};
static const struct shape_field alt_tag_fields[] = {FIELD("on", &calm)};
static const struct shape alt_tag = {.kind = SHAPE_TAGGED, .tag = "a", .fields = alt_tag_fields, .field_n = 1};
static const struct shape_field alt_attr_fields[] = {FIELD("on", &calm, .attrs = PLAN_PRIVATE)};
static const struct shape alt_attr = {.kind = SHAPE_TAGGED, .tag = "t", .fields = alt_attr_fields, .field_n = 1};
static const struct shape_field alt_good_fields[] = {FIELD("on", &calm), FIELD("off", &secret)};
static const struct shape alt_good = {.kind = SHAPE_TAGGED, .tag = "t", .fields = alt_good_fields, .field_n = 2};
/* "b" is an array in one alternative and has an attribute below it in the other. */
FIELDS(deep_b, FIELD("b", &secret));
static const struct shape_field alt_mixed_fields[] = {FIELD("on", &calm), FIELD("off", &deep_b)};
static const struct shape alt_mixed = {.kind = SHAPE_TAGGED, .tag = "t", .fields = alt_mixed_fields, .field_n = 2};
static const struct shape some = {.kind = SHAPE_MAP, .item = &any, .min = 1, .max = INT64_MAX};

#define ROW1(pattern, owner, attrs, shape) {{pattern, owner, attrs, shape}}, 1
#define ROW2(p1, a1, s1, p2, a2, s2)       {{p1, NULL, a1, s1}, {p2, NULL, a2, s2}}, 2

static const struct {
    struct plan_branch rows[2];
    unsigned n;
    const char *want; /* NULL: it is a plan */
} cases[] = {
    {{{NULL, NULL, 0, NULL}}, 0, NULL},
    {ROW1(NULL, NULL, 0, NULL), "row 0 of the plan has no pattern"},
    {ROW1("a", NULL, 0, NULL), "the row \"a\": a pointer is empty or begins with \"/\""},
    {ROW1("/a~2", NULL, 0, NULL), "the row \"/a~2\": a tilde in a pointer that is not ~0 or ~1"},
    {ROW1("/a\xff", NULL, 0, NULL), "the row \"/a\xff\": a pointer that is not UTF-8"},
    {ROW2("/a/*", 0, NULL, "/a/*", 0, NULL), "two rows with the pattern \"/a/*\""},
    {ROW2("/a~0b", 0, NULL, "/a~0b", 0, NULL), "two rows with the pattern \"/a~0b\""},
    {ROW2("/a/b", 0, NULL, "/a/*", 0, NULL), NULL},
    {ROW2("", 0, NULL, "", 0, NULL), "two rows with the pattern \"\""},
    {ROW1("/a", "", 0, NULL), "the row \"/a\": want the owner to be a word"},
    {ROW1("/a", "two words", 0, NULL), "the row \"/a\": want the owner to be a word"},
    {ROW1("/a", NULL, 16, NULL), "/a: an attribute that nobody knows (0x10)"},
    {ROW1("/a", NULL, PLAN_NULL, NULL), "/a: null is for readers of what is private, and it is not private"},
    {ROW1("/a", NULL, PLAN_NULL | PLAN_SECRET, NULL), NULL},
    {ROW1("", NULL, PLAN_PRIVATE, NULL),
     "the root has no attributes, as nothing would be left of the tree: mark \"/*\""},
    {ROW1("/*", NULL, PLAN_PRIVATE, NULL), NULL},
    /* Rows and the shape above them. */
    {ROW2("/a", 0, &list, "/a/b", 0, NULL), "/a/b: a row where the shape above it has nothing of this name"},
    {ROW2("/a", 0, &text, "/a/*", 0, NULL), "/a/*: a row where the shape above it has nothing of this name"},
    {ROW2("/a", 0, &calm, "/a/c", 0, NULL), "/a/c: a row where the shape above it has nothing of this name"},
    {ROW2("/a", 0, &calm, "/a/a/x", 0, NULL), "/a/a/x: a row where the shape above it has nothing of this name"},
    {ROW2("/a", 0, &calm, "/a/b/x", PLAN_PRIVATE, NULL),
     "/a/b/x: a row where the shape above it has nothing of this name"},
    {ROW2("/a", 0, &calm, "/a/b", PLAN_PRIVATE, NULL), NULL},
    {ROW2("/a", 0, &calm, "/a/*", PLAN_PRIVATE, NULL), NULL},
    {ROW2("/a", 0, &calm, "/a/*/x", PLAN_PRIVATE, NULL),
     "/a/*/x: a row where the shape above it has nothing of this name"},
    {ROW2("/a", 0, &mixed, "/a/*/x", PLAN_PRIVATE, NULL),
     "/a/*: an array, and rows or attributes below it, where patterns do not reach"},
    {ROW2("/a", 0, &loose, "/a/c/x", PLAN_PRIVATE, NULL), NULL},
    {ROW2("/a", 0, &loose, "/a/a/x", PLAN_PRIVATE, NULL),
     "/a/a/x: a row where the shape above it has nothing of this name"},
    {ROW2("/a", 0, &any, "/a/b/c", 0, &list), NULL},
    {ROW2("/*/x", 0, NULL, "/a", 0, &list), "/a/x: a row where the shape above it has nothing of this name"},
    {ROW2("/a", 0, &alt_good, "/a/t", 0, NULL), NULL},
    {ROW2("/a", 0, &alt_good, "/a/key", 0, NULL), NULL},
    {ROW2("/a", 0, &alt_good, "/a/z", 0, NULL), "/a/z: a row where the shape above it has nothing of this name"},
    {ROW2("/a", 0, &alt_good, "/a/t", PLAN_VOLATILE, NULL), "/a/t: a tag cannot be volatile"},
    {ROW2("/a", 0, &alt_good, "/a/*", PLAN_VOLATILE, NULL), "/a/*: a tag cannot be volatile"},
    {ROW2("/a", 0, &alt_good, "/a/key", PLAN_VOLATILE, NULL), NULL},
    {ROW2("/a", PLAN_VOLATILE, &alt_good, "/a/t", 0, NULL), NULL},
    {ROW2("/a", 0, &some, "/a/x", PLAN_VOLATILE, NULL),
     "/a/x: volatile, and the map around it wants to have some: it has none after a restart"},
    /* Attributes where patterns do not reach. */
    {ROW1("/a", NULL, 0, &secret), NULL},
    {ROW1("/a", NULL, 0, &secrets), "/a: an attribute below an array, where patterns do not reach"},
    {ROW1("/a", NULL, 0, &by_name), "/a/*: an attribute below an array, where patterns do not reach"},
    {ROW1("/a", NULL, 0, &alt_mixed), "/a/b: an array, and rows or attributes below it, where patterns do not reach"},
    {ROW1("/a", NULL, 0, &tree), NULL},
    {ROW1("/a", NULL, 0, &ring), "/a/below/*: a shape that contains itself cannot have attributes inside"},
    {ROW1("/a", NULL, 0, &knot), "/a/below/*: a shape that contains itself cannot have attributes inside"},
    {ROW1("/a", NULL, 0, &above), NULL},
    /* Shapes by themselves. */
    {ROW1("/a", NULL, 0, &twice), "/a/a: the same field twice"},
    {ROW1("/a", NULL, 0, &starred), "/a: a field cannot have the name \"*\", which patterns use for any key"},
    {ROW1("/a", NULL, 0, &unnamed), "/a: want each field to have a name in UTF-8"},
    {ROW1("/a", NULL, 0, &odd_attr), "/a/a: an attribute that nobody knows (0x40)"},
    {ROW1("/a", NULL, 0, &lone_null), "/a/a: null is for readers of what is private, and it is not private"},
    {ROW1("/a", NULL, 0, &late), "/a/a: a required field that came later wants a fallback"},
    {ROW1("/a", NULL, 0, &late_optional), NULL},
    {ROW1("/a", NULL, 0, &late_volatile), NULL},
    {ROW1("/a", NULL, 0, &future), "/a/a: a field from a version that is yet to come"},
    {ROW1("/a", NULL, 0, &useless), "/a/a: a fallback of a field that was always there is never used"},
    {ROW1("/a", NULL, 0, &unfit), "a fallback: /a/a: want text, found 1"},
    {ROW2("/a", 0, &unfit_row, "/a/a", 0, &text), "the fallback of the field \"a\": the root: want text, found 1"},
    {ROW2("/a", 0, &fit_row, "/a/a", 0, &text), NULL},
    {ROW1("/a", NULL, 0, &hole), "/a: fields are counted that are not there"},
    {ROW1("/a", NULL, 0, &upside), "/a: the least is more than the most"},
    {ROW1("/a", NULL, 0, &below0), "/a: a count below 0"},
    {ROW1("/a", NULL, 0, &no_words), "/a: want words with single spaces between them"},
    {ROW1("/a", NULL, 0, &two_spaces), "/a: want words with single spaces between them"},
    {ROW1("/a", NULL, 0, &ends), "/a: want words with single spaces between them"},
    {ROW1("/a", NULL, 0, &starts), "/a: want words with single spaces between them"},
    {ROW1("/a", NULL, 0, &unknown), "/a: a shape of a kind that nobody knows"},
    {ROW1("/a", NULL, 0, &no_tag), "/a: want a tag, and alternatives for it"},
    {ROW1("/a", NULL, 0, &alt_text), "/a/on: want an alternative to be a record, and not null"},
    {ROW1("/a", NULL, 0, &alt_tag), "/a/on: an alternative does not declare the tag again"},
    {ROW1("/a", NULL, 0, &alt_attr), "/a/on: an alternative is no place: it has no attributes and no fallback"},
};

static void check_plan(const struct plan_config *c, const char *want, const char *starts_with) {
    struct err e = ERR_INIT;
    struct plan *p = plan_new(c, &e);
    if (!CHECK(!p == (want || starts_with))) tap_note("%s: %s", c->branch_n ? c->branches[0].pattern : "", e.text);
    if (!p && want) CHECK_TEXT(slice_str(e.text), slice_str(want));
    if (!p && starts_with && !CHECK(slice_starts(slice_str(e.text), slice_str(starts_with)))) tap_note("%s", e.text);
    CHECK(p || (e.code != ERR_NONE && e.code != ERR_NOMEM));
    plan_free(p);
}

TEST(rows_that_contradict_each_other_are_refused) {
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct plan_config c = {
            .name = "n", .version = 3, .birth = "null", .branches = cases[i].rows, .branch_n = cases[i].n};
        if (cases[i].n && cases[i].rows[0].pattern && !*cases[i].rows[0].pattern) c.birth = "{}";
        check_plan(&c, cases[i].want, NULL);
    }
    static const struct plan_branch row[] = {{"/a", NULL, 0, &broken}};
    struct plan_config c = {.name = "n", .version = 3, .birth = "null", .branches = row, .branch_n = 1};
    check_plan(&c, NULL, "a fallback: /a/a: ");
}

TEST(a_row_takes_over_from_the_shape_above_it) {
    /* "b" is no array any more, and "a" no longer text. */
    static const struct plan_branch rows[] = {{"/a", NULL, 0, &mixed},
                                              {"/a/*/x", NULL, PLAN_PRIVATE, NULL},
                                              {"/a/b", NULL, 0, &any},
                                              {"/c", NULL, 0, &calm},
                                              {"/c/a", NULL, 0, &integer}};
    struct plan_config c = {.name = "n",
                            .version = 1,
                            .birth = "{\"a\":{\"a\":1,\"b\":{\"x\":1}},\"c\":{\"a\":1,\"b\":[]}}",
                            .branches = rows,
                            .branch_n = 5};
    check_plan(&c, NULL, NULL);
    c.birth = "{\"c\":{\"a\":\"text\",\"b\":[]}}";
    check_plan(&c, "the birth: /c/a: want an integer, found \"text\"", NULL);
}

static bool do_nothing(struct val *root, struct err *e) {
    (void)root, (void)e;
    return true;
}

TEST(a_config_must_make_sense_by_itself) {
    static const struct plan_branch rows[] = {{"/a", "o", 0, &text}};
    struct plan_migration m[] = {{1, "a", do_nothing}, {2, "b", do_nothing}};
    const struct plan_config good = {.name = "n",
                                     .version = 3,
                                     .birth = "{\"a\":\"x\"}",
                                     .branches = rows,
                                     .branch_n = 1,
                                     .migrations = m,
                                     .migration_n = 2};
    struct plan_config c = good;
    check_plan(&c, NULL, NULL);
    c.name = "";
    check_plan(&c, "a plan wants a name", NULL);
    c.name = NULL;
    check_plan(&c, "a plan wants a name", NULL);
    c = good;
    c.version = 0;
    check_plan(&c, "versions of a state count from 1, found 0", NULL);
    c = good;
    c.oldest = 4;
    check_plan(&c, "the oldest version (4) is newer than the plan's own (3)", NULL);
    c = good;
    c.birth = NULL;
    check_plan(&c, "a plan wants a birth: the first value of a new tree", NULL);
    c.birth = "{";
    check_plan(&c, NULL, "the birth: ");
    c.birth = "{\"a\":1}";
    check_plan(&c, "the birth: /a: want text, found 1", NULL);
    c = good;
    c.oldest = 2;
    check_plan(&c, "a migration from version 1, which is never reached (2 to 2)", NULL);
    c = good;
    m[1].from = 3;
    check_plan(&c, "a migration from version 3, which is never reached (1 to 2)", NULL);
    m[1].from = 1;
    check_plan(&c, "migrations out of order: from version 1 behind the one from 1", NULL);
    m[1].from = 2;
    m[0].from = 0;
    check_plan(&c, "a migration from version 0, which is never reached (1 to 2)", NULL);
    m[0].from = 1;
    m[1].run = NULL;
    check_plan(&c, "the migration from version 2 says nothing or does nothing", NULL);
}

TEST(plans_that_would_never_end_are_refused) {
    /* "a" at any of 15 places with "*" at all others: every subset of them is a node. */
    static char patterns[15][40];
    static struct plan_branch rows[15];
    for (unsigned i = 0; i < 15; i++) {
        for (unsigned k = 0; k < 16; k++) memcpy(patterns[i] + 2 * k, k == i ? "/a" : "/*", 3);
        rows[i] = (struct plan_branch){patterns[i], NULL, PLAN_PRIVATE, NULL};
    }
    struct plan_config c = {.name = "n", .version = 1, .birth = "{}", .branches = rows, .branch_n = 15};
    check_plan(&c, "over the limit plan nodes, which allows 16384", NULL);
    c.branch_n = 8;
    check_plan(&c, NULL, NULL);
    static char long_one[2 * 520];
    for (unsigned k = 0; k < 513; k++) memcpy(long_one + 2 * k, "/x", 3);
    static struct plan_branch deep[] = {{long_one, NULL, 0, NULL}};
    c.branches = deep;
    c.branch_n = 1;
    check_plan(&c, "over the limit depth, which allows 512", NULL);
    long_one[2 * 512] = 0;
    check_plan(&c, NULL, NULL);
    static struct shape chain[202];
    for (unsigned i = 0; i < 202; i++)
        chain[i] = (struct shape){.kind = SHAPE_LIST, .item = i < 201 ? &chain[i + 1] : NULL};
    static const struct plan_branch chained[] = {{"/a", NULL, 0, &chain[0]}};
    c.branches = chained;
    check_plan(&c, "over the limit shapes inside each other, which allows 200", NULL);
    chain[199].item = NULL;
    check_plan(&c, NULL, NULL);
    /* Owners: one bit each. */
    static char names[65][8], places[65][8];
    static struct plan_branch owned[65];
    for (unsigned i = 0; i < 65; i++) {
        snprintf(names[i], sizeof names[i], "o%u", i);
        snprintf(places[i], sizeof places[i], "/p%u", i);
        owned[i] = (struct plan_branch){places[i], names[i], 0, NULL};
    }
    c.branches = owned;
    c.branch_n = 64;
    check_plan(&c, NULL, NULL);
    c.branch_n = 65;
    check_plan(&c, "over the limit owners, which allows 64", NULL);
}

TEST(of_two_patterns_the_one_with_a_key_where_they_differ_first_comes_first) {
    static const struct plan_branch rows[] = {{"/a/*", "left", 0, &text},
                                              {"/*/b", "right", 0, &integer},
                                              {"/*/*", "any", PLAN_VOLATILE, &list},
                                              {"/a/b/c", NULL, PLAN_PRIVATE, NULL},
                                              {"/*/e", NULL, PLAN_SECRET, NULL}};
    struct plan_config c = {.name = "n", .version = 1, .birth = "{}", .branches = rows, .branch_n = 3};
    struct err e = ERR_INIT;
    struct plan *p = plan_new(&c, &e);
    if (!CHECK(p != NULL)) return;
    static const struct {
        const char *pointer, *owner;
        struct val fits;
    } places[] = {{"/a/b", "left", {.kind = VAL_TEXT}},
                  {"/a/x", "left", {.kind = VAL_TEXT}},
                  {"/x/b", "right", {.kind = VAL_INT}},
                  {"/x/y", "any", {.kind = VAL_ARRAY}}};
    for (size_t i = 0; i < 4; i++) {
        struct val was = val_null(), is = val_of_u64(1);
        for (size_t k = 0; k < 4; k++) {
            struct slice at = slice_str(places[i].pointer);
            uint64_t who = plan_owner(p, places[k].owner);
            CHECK(plan_may(p, who, at, &was, &is, NULL) == (who == plan_owner(p, places[i].owner)));
            struct val inner = val_empty_map(), root = val_empty_map();
            val_set_str(&inner, places[i].pointer + 3, val_ref(&places[k].fits));
            val_set_str(&root, (char[]){places[i].pointer[1], 0}, inner);
            CHECK(plan_fits(p, &root, at, &places[k].fits, NULL) == (places[i].fits.kind == places[k].fits.kind));
            val_unref(&root);
        }
        CHECK_INT(plan_attrs(p, slice_str(places[i].pointer)), PLAN_VOLATILE); /* attributes add up */
    }
    CHECK_INT(plan_attrs(p, LIT("/a")), 0);
    plan_free(p);
    /* /a/b is text now: nothing can stand below it. */
    c.branch_n = 4;
    check_plan(&c, "/a/b/c: a row where the shape above it has nothing of this name", NULL);
}

TAP_MAIN(T(rows_that_contradict_each_other_are_refused), T(a_row_takes_over_from_the_shape_above_it),
         T(a_config_must_make_sense_by_itself), T(plans_that_would_never_end_are_refused),
         T(of_two_patterns_the_one_with_a_key_where_they_differ_first_comes_first))
