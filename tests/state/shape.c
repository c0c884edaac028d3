/* shape.c - values held against shapes, the sentences of refusals, and fallbacks. */
#include "state/shape.h"

#include "base/mem.h"
#include "lib/faults.h"
#include "lib/tap.h"
#include "protocols/json.h"
#include "state/plan.h"
#include "state/trail.h"

#include <math.h>
#include <stdio.h>

static const struct json_limits json_limits = {.bytes = 1 << 20, .depth = 500};

static struct val parse(const char *text) {
    struct val v = val_none;
    struct err e = ERR_INIT;
    if (!CHECK(json_parse(slice_str(text), &json_limits, &v, &e))) tap_note("%s: %s", text, e.text);
    return v;
}

#define FIELD(field, of, ...)                                                                                          \
    { .name = field, .shape = of, __VA_ARGS__ }

static const struct shape any = {.kind = SHAPE_ANY}, boolean = {.kind = SHAPE_BOOL}, integer = {.kind = SHAPE_INT},
                          digit = {.kind = SHAPE_INT, .min = 1, .max = 9, .null = true},
                          positive = {.kind = SHAPE_INT, .min = 1, .max = INT64_MAX},
                          negative = {.kind = SHAPE_INT, .min = INT64_MIN, .max = -1}, number = {.kind = SHAPE_NUMBER},
                          ratio = {.kind = SHAPE_NUMBER, .min = 0, .max = 1},
                          least = {.kind = SHAPE_NUMBER, .min = 2, .max = INT64_MAX}, text = {.kind = SHAPE_TEXT},
                          name = {.kind = SHAPE_TEXT, .min = 1, .max = 8},
                          bytes = {.kind = SHAPE_BYTES, .min = 2, .max = 2},
                          word = {.kind = SHAPE_WORD, .words = "stopped running restarting"},
                          one_word = {.kind = SHAPE_WORD, .words = "on"}, list = {.kind = SHAPE_LIST, .item = &digit},
                          pair = {.kind = SHAPE_LIST, .item = &any, .min = 2, .max = 2},
                          map = {.kind = SHAPE_MAP, .item = &word, .min = 0, .max = 2},
                          some = {.kind = SHAPE_MAP, .item = NULL, .min = 1, .max = INT64_MAX};

static bool low_is_below_high(const struct val *v, struct err *e) {
    uint64_t low = 0, high = 0;
    val_as_u64(val_get(v, LIT("low")), &low);
    val_as_u64(val_get(v, LIT("high")), &high);
    return low <= high || err_set(e, ERR_INVALID, "want low not above high, found %d above %d", (int)low, (int)high);
}
static bool never_says_why(const struct val *v, struct err *e) {
    (void)v, (void)e;
    return false;
}
static bool shows_it(const struct val *v, struct err *e) {
    return err_set(e, ERR_INVALID, "found %.*s", (int)val_as_text(v).len, (const char *)val_as_text(v).ptr);
}

static bool why_is_not_unknown(const struct val *v, struct err *e) {
    return !val_is_text(val_get(v, LIT("why")), LIT("unknown")) || err_set(e, ERR_INVALID, "want a reason, found none");
}

static const struct shape odd = {.kind = SHAPE_TEXT, .check = never_says_why};
static const struct shape telling = {.kind = SHAPE_TEXT, .check = shows_it};
static const struct shape_field range_fields[] = {
    FIELD("low", &integer),
    FIELD("high", &integer),
    FIELD("note", &text, .optional = true),
    FIELD("free", NULL, .optional = true),
    FIELD("odd", &odd, .optional = true),
    FIELD("key", &name, .optional = true, .attrs = PLAN_SECRET),
    FIELD("sign", &telling, .optional = true, .attrs = PLAN_SECRET),
    FIELD("speed", &integer, .attrs = PLAN_VOLATILE),
    FIELD("raw", &bytes, .optional = true, .attrs = PLAN_SECRET),
};
static const struct shape range = {
    .kind = SHAPE_RECORD, .fields = range_fields, .field_n = 9, .check = low_is_below_high};
static const struct shape_field loose_fields[] = {FIELD("id", &name)};
static const struct shape loose = {.kind = SHAPE_RECORD, .fields = loose_fields, .field_n = 1, .open = true};
static const struct shape_field ready_fields[] = {FIELD("port", &digit)}, broken_fields[] = {FIELD("why", &text)};
static const struct shape ready = {.kind = SHAPE_RECORD, .fields = ready_fields, .field_n = 1};
static const struct shape broken = {
    .kind = SHAPE_RECORD, .fields = broken_fields, .field_n = 1, .open = true, .check = why_is_not_unknown};
static const struct shape_field status_fields[] = {FIELD("ready", &ready), FIELD("broken", &broken)};
static const struct shape status = {.kind = SHAPE_TAGGED, .tag = "state", .fields = status_fields, .field_n = 2};
static const struct shape only = {
    .kind = SHAPE_TAGGED, .tag = "state", .fields = status_fields, .field_n = 1, .null = true};
static const struct shape folder, nest;
static const struct shape nest = {.kind = SHAPE_LIST, .item = &nest};
static const struct shape folders = {.kind = SHAPE_MAP, .item = &folder};
static const struct shape_field folder_fields[] = {FIELD("size", &integer),
                                                   FIELD("inside", &folders, .optional = true)};
static const struct shape folder = {.kind = SHAPE_RECORD, .fields = folder_fields, .field_n = 2};

static const struct {
    const struct shape *shape;
    const char *value, *want; /* want NULL: fits */
} cases[] = {
    {&any, "[1,{\"a\":null}]", NULL},
    {&boolean, "false", NULL},
    {&boolean, "0", "/at: want true or false, found 0"},
    {&boolean, "null", "/at: want true or false, found null"},
    {&integer, "-18446744073709551616", NULL},
    {&integer, "1.0", "/at: want an integer, found 1.0"},
    {&integer, "true", "/at: want an integer, found true"},
    {&digit, "1", NULL},
    {&digit, "9", NULL},
    {&digit, "null", NULL},
    {&digit, "0", "/at: want an integer from 1 to 9 or null, found 0"},
    {&digit, "10", "/at: want an integer from 1 to 9 or null, found 10"},
    {&digit, "-1", "/at: want an integer from 1 to 9 or null, found -1"},
    {&digit, "18446744073709551615", "/at: want an integer from 1 to 9 or null, found 18446744073709551615"},
    {&digit, "-18446744073709551616", "/at: want an integer from 1 to 9 or null, found -18446744073709551616"},
    {&digit, "-9223372036854775809", "/at: want an integer from 1 to 9 or null, found -9223372036854775809"},
    {&positive, "18446744073709551615", NULL},
    {&positive, "0", "/at: want an integer of at least 1, found 0"},
    {&positive, "-18446744073709551616", "/at: want an integer of at least 1, found -18446744073709551616"},
    {&negative, "-18446744073709551616", NULL},
    {&negative, "0", "/at: want an integer of at most -1, found 0"},
    {&negative, "18446744073709551615", "/at: want an integer of at most -1, found 18446744073709551615"},
    {&number, "1", NULL},
    {&number, "-1e300", NULL},
    {&number, "\"1\"", "/at: want a number, found \"1\""},
    {&ratio, "0.5", NULL},
    {&ratio, "1", NULL},
    {&ratio, "1.5", "/at: want a number from 0 to 1, found 1.5"},
    {&ratio, "-0.5", "/at: want a number from 0 to 1, found -0.5"},
    {&least, "1e300", NULL},
    {&least, "1.5", "/at: want a number of at least 2, found 1.5"},
    {&text, "\"\"", NULL},
    {&text, "[]", "/at: want text, found an array of 0"},
    {&name, "\"a\"", NULL},
    {&name, "\"12345678\"", NULL},
    {&name, "\"\"", "/at: want text of 1 to 8 bytes, found \"\""},
    {&name, "\"123456789\"", "/at: want text of 1 to 8 bytes, found \"123456789\""},
    {&bytes, "\"ab\"", "/at: want a string of bytes of exactly 2 bytes, found \"ab\""},
    {&word, "\"running\"", NULL},
    {&word, "\"restarting\"", NULL},
    {&word, "\"run\"", "/at: want one of stopped running restarting, found \"run\""},
    {&word, "\"\"", "/at: want one of stopped running restarting, found \"\""},
    {&word, "\"stopped running\"", "/at: want one of stopped running restarting, found \"stopped running\""},
    {&word, "1", "/at: want one of stopped running restarting, found 1"},
    {&one_word, "\"off\"", "/at: want the word on, found \"off\""},
    {&list, "[]", NULL},
    {&list, "[1,null,9]", NULL},
    {&list, "[1,2,\"x\"]", "/at/2: want an integer from 1 to 9 or null, found \"x\""},
    {&list, "{}", "/at: want an array, found a map of 0"},
    {&pair, "[{},[]]", NULL},
    {&pair, "[1]", "/at: want an array of exactly 2 elements, found an array of 1"},
    {&pair, "[1,2,3]", "/at: want an array of exactly 2 elements, found an array of 3"},
    {&map, "{}", NULL},
    {&map, "{\"a\":\"stopped\",\"b\":\"running\"}", NULL},
    {&map, "{\"a/b~\":1}", "/at/a~1b~0: want one of stopped running restarting, found 1"},
    {&map, "{\"a\":1,\"b\":1,\"c\":1}", "/at: want a map of at most 2 keys, found a map of 3"},
    {&map, "[]", "/at: want a map of at most 2 keys, found an array of 0"},
    {&some, "{\"a\":[1,2]}", NULL},
    {&some, "{}", "/at: want a map of at least 1 key, found a map of 0"},
    {&range, "{\"low\":1,\"high\":2,\"free\":[{}]}", NULL},
    {&range, "{\"low\":1,\"high\":2,\"speed\":2,\"note\":\"x\"}", NULL},
    {&range, "{\"low\":1}", "/at/high: want an integer, found nothing"},
    {&range, "{\"low\":1,\"high\":null}", "/at/high: want an integer, found null"},
    {&range, "{\"low\":1,\"high\":2,\"hihg\":3}", "/at/hihg: want nothing of this name here, found 3"},
    {&range, "{\"low\":3,\"high\":2}", "/at: want low not above high, found 3 above 2"},
    {&range, "{\"low\":1,\"high\":2,\"odd\":\"\"}", "/at/odd: refused by a rule of this place"},
    {&range, "{\"low\":1,\"high\":2,\"key\":\"a very long secret\"}", "/at/key: want text of 1 to 8 bytes, found text"},
    {&range, "{\"low\":1,\"high\":2,\"key\":4711}", "/at/key: want text of 1 to 8 bytes, found an integer"},
    {&range, "{\"low\":1,\"high\":2,\"sign\":\"hush\"}",
     "/at/sign: want what this place has a rule of its own for, found text"},
    {&range, "7", "/at: want a map, found 7"},
    {&loose, "{\"id\":\"a\",\"more\":[1.5]}", NULL},
    {&loose, "{\"more\":1}", "/at/id: want text of 1 to 8 bytes, found nothing"},
    {&status, "{\"state\":\"ready\",\"port\":1}", NULL},
    {&status, "{\"why\":\"no disk\",\"state\":\"broken\",\"more\":1}", NULL},
    {&status, "{\"state\":\"ready\",\"port\":1,\"why\":\"\"}", "/at/why: want nothing of this name here, found \"\""},
    {&status, "{\"state\":\"ready\"}", "/at/port: want an integer from 1 to 9 or null, found nothing"},
    {&status, "{\"state\":\"ready\",\"port\":77}", "/at/port: want an integer from 1 to 9 or null, found 77"},
    {&status, "{\"state\":\"broken\",\"why\":\"unknown\"}", "/at: want a reason, found none"},
    {&status, "{\"state\":\"lost\"}", "/at/state: want one of ready broken, found \"lost\""},
    {&status, "{\"state\":1}", "/at/state: want one of ready broken, found 1"},
    {&status, "{}", "/at/state: want one of ready broken, found nothing"},
    {&status, "null", "/at: want a map whose \"state\" is one of ready broken, found null"},
    {&only, "null", NULL},
    {&only, "{\"state\":\"broken\",\"why\":\"\"}", "/at/state: want the word ready, found \"broken\""},
    {&only, "[]", "/at: want a map whose \"state\" is the word ready or null, found an array of 0"},
    {&folder, "{\"size\":1,\"inside\":{\"a\":{\"size\":2,\"inside\":{\"b\":{\"size\":3}}}}}", NULL},
    {&folder, "{\"size\":1,\"inside\":{\"a\":{\"size\":2,\"inside\":{\"b\":{\"size\":\"x\"}}}}}",
     "/at/inside/a/inside/b/size: want an integer, found \"x\""},
};

static void check_refused(const struct shape *s, const struct val *v, const char *want) {
    struct err e = ERR_INIT;
    bool good = shape_check(s, v, LIT("/at"), &e);
    CHECK(good == shape_check(s, v, LIT("/at"), NULL));
    if (!want) {
        if (!CHECK(good && e.code == ERR_NONE)) tap_note("%s", e.text);
        return;
    }
    CHECK(!good && e.code == ERR_INVALID);
    CHECK_TEXT(slice_str(e.text), slice_str(want));
}

TEST(every_kind_takes_what_fits_and_says_what_it_wanted_and_found) {
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct val v = parse(cases[i].value);
        check_refused(cases[i].shape, &v, cases[i].want);
        val_unref(&v);
    }
}

TEST(what_json_cannot_say_is_told_too) {
    struct val v = val_of_bytes(LIT("ab"));
    check_refused(&bytes, &v, NULL);
    check_refused(&any, &v, NULL);
    check_refused(NULL, &v, NULL);
    check_refused(&text, &v, "/at: want text, found 2 bytes");
    val_unref(&v);
    v = val_of_bytes(LIT("a"));
    check_refused(&bytes, &v, "/at: want a string of bytes of exactly 2 bytes, found 1 byte");
    val_unref(&v);
    v = val_of_double(NAN);
    check_refused(&ratio, &v, "/at: want a number from 0 to 1, found NaN");
    check_refused(&least, &v, "/at: want a number of at least 2, found NaN");
    check_refused(&number, &v, NULL);
    v = val_of_double(INFINITY);
    check_refused(&ratio, &v, "/at: want a number from 0 to 1, found infinity");
    check_refused(&least, &v, NULL);
    v = val_of_double(-INFINITY);
    check_refused(&integer, &v, "/at: want an integer, found -infinity");
    v = val_empty_map();
    CHECK(val_set(&v, val_of_u64(1), val_of_str("stopped")));
    check_refused(&map, &v, "/at: want keys that are text, found 1");
    check_refused(&any, &v, NULL);
    check_refused(&range, &v, "/at/low: want an integer, found nothing");
    CHECK(val_set_str(&v, "low", val_of_u64(1)) && val_set_str(&v, "high", val_of_u64(1)));
    check_refused(&range, &v, "/at/*: want nothing of this name here, found \"stopped\"");
    val_unref(&v);
    check_refused(&any, &val_none, "/at: want anything, found nothing");
}

/* Where a value stands that JSON will meet: the same, but for what JSON has no form for. */
static void check_open(const struct shape *s, struct val v, const char *want) {
    struct shape_spot spot = {.shape = s};
    struct err e = ERR_INIT;
    bool good = shape_check_with(&spot, &v, LIT(""), NULL, &e);
    CHECK(good == !want);
    if (want) CHECK_TEXT(slice_str(e.text), slice_str(want));
    val_unref(&v);
}

TEST(outside_of_private_places_everything_has_a_json_form) {
    check_open(&bytes, val_of_bytes(LIT("ab")),
               "the root: want what JSON has a form for, as the place is not private, found 2 bytes");
    check_open(NULL, VAL_MAP_OF({"a", VAL_ARRAY_OF(val_null(), val_of_double(NAN))}),
               "/a/1: want what JSON has a form for, as the place is not private, found NaN");
    check_open(&any, VAL_MAP_OF({"a", val_of_double(INFINITY)}),
               "/a: want what JSON has a form for, as the place is not private, found infinity");
    struct val v = val_empty_map();
    CHECK(val_set(&v, val_null(), val_null()));
    check_open(&any, VAL_MAP_OF({"a", v}), "/a: want keys that are text, found null");
    check_open(&any, VAL_MAP_OF({"a", VAL_ARRAY_OF(val_of_double(1.5))}), NULL);
    check_open(&range,
               VAL_MAP_OF({"low", val_of_u64(0)}, {"high", val_of_u64(0)}, {"key", val_of_bytes(LIT("secret"))}),
               "/key: want text of 1 to 8 bytes, found bytes");
    check_open(&range, VAL_MAP_OF({"low", val_of_u64(0)}, {"high", val_of_u64(0)}, {"raw", val_of_bytes(LIT("ab"))}),
               NULL);
}

TEST(a_place_and_a_text_are_shown_short_and_safe) {
    char long_text[300], out[TRAIL_PLACE];
    memset(long_text, 'a', sizeof long_text);
    struct val v = val_of_text(slice_of(long_text, 41));
    check_refused(&digit, &v,
                  "/at: want an integer from 1 to 9 or null, found "
                  "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...\" (41 bytes)");
    val_unref(&v);
    v = val_of_text(slice_of(long_text, 40));
    check_refused(&digit, &v,
                  "/at: want an integer from 1 to 9 or null, found \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"");
    val_unref(&v);
    v = val_of_str("\xc3\xa4\n\"\\");
    check_refused(&digit, &v, "/at: want an integer from 1 to 9 or null, found \"\\xc3\\xa4\\x0a\\x22\\x5c\"");
    val_unref(&v);
    /* The worst text still leaves room for its own end. */
    memset(long_text, '\n', sizeof long_text);
    char found[TRAIL_FOUND];
    v = val_of_text(slice_of(long_text, 300));
    CHECK(slice_ends(slice_str(trail_found(found, &v, false)), LIT("\\x0a...\" (300 bytes)")));
    CHECK_TEXT(slice_str(trail_found(found, &v, true)), LIT("text"));
    val_unref(&v);

    memset(long_text, 'k', sizeof long_text);
    struct trail a = {NULL, slice_of(long_text, 100), 0}, b = trail_element(&a, 12), c = {&b, LIT("end\n"), 0};
    /* 112 characters: 56 from the front, three points, 53 from the back. */
    trail_place(out, LIT("/base"), &c);
    CHECK_INT(strlen(out), 112);
    CHECK(slice_starts(slice_str(out), LIT("/base/kkkk")) && slice_ends(slice_str(out), LIT("kkk/12/end\\x0a")));
    CHECK_TEXT(slice_of(out + 55, 5), LIT("k...k"));
    struct trail d = {NULL, slice_of(long_text, 300), 0}, f = {&d, slice_of(long_text, 300), 0};
    trail_place(out, LIT("/base"), &f);
    CHECK(strlen(out) == 112 && slice_starts(slice_str(out), LIT("...kkk")));
    CHECK_TEXT(slice_str(trail_place(out, LIT(""), NULL)), LIT("the root"));
    struct trail empty = {NULL, LIT(""), 0};
    CHECK_TEXT(slice_str(trail_place(out, LIT(""), &empty)), LIT("/"));
    /* 110 bytes that are shown as they are fit; with one that needs four characters they do not. */
    struct trail exact = {NULL, slice_of(long_text, 111), 0};
    CHECK(strlen(trail_place(out, LIT(""), &exact)) == 112 && !strstr(out, "..."));
    long_text[0] = '\n';
    CHECK(strlen(trail_place(out, LIT(""), &exact)) <= 112 && strstr(out, "..."));
    long_text[299] = '~';
    struct trail tilde = {NULL, slice_of(long_text + 298, 2), 0};
    CHECK_TEXT(slice_str(trail_place(out, LIT("/a~1b"), &tilde)), LIT("/a~1b/k~0"));
}

/* A caller who knows of /at/m: that it must be text below "t", and that "s" is secret. */
static int know_m, know_top;
static void enter(struct shape_spot *spot, struct slice key) {
    const void *where = spot->where;
    spot->where = NULL;
    if (where == &know_top && slice_eq(key, LIT("m"))) spot->where = &know_m;
    if (where != &know_m) return;
    if (slice_eq(key, LIT("t"))) spot->shape = &text;
    if (slice_eq(key, LIT("s"))) spot->attrs |= PLAN_SECRET | PLAN_PRIVATE;
}

static void check_other(const char *json, const char *want) {
    struct val v = parse(json);
    struct shape_spot spot = {.shape = &any, .where = &know_top};
    struct err e = ERR_INIT;
    CHECK(shape_check_with(&spot, &v, LIT(""), enter, &e) == !want);
    if (want) CHECK_TEXT(slice_str(e.text), slice_str(want));
    val_unref(&v);
}

TEST(others_have_a_say_in_what_stands_below) {
    check_other("{\"m\":{\"t\":\"x\",\"u\":1},\"t\":1}", NULL);
    check_other("{\"m\":{\"t\":1}}", "/m/t: want text, found 1");
    check_other("{\"m\":[1]}", "/m: want a map, as the plan knows what stands below, found an array of 1");
    check_other("[1]", "the root: want a map, as the plan knows what stands below, found an array of 1");
    check_other("{\"m\":null}", NULL);
    struct val v = VAL_MAP_OF({"m", VAL_MAP_OF({"s", val_of_bytes(LIT("x"))})});
    struct shape_spot spot = {.where = &know_top};
    CHECK(shape_check_with(&spot, &v, LIT(""), enter, NULL));
    val_unref(&v);
}

static void never_ask(struct shape_spot *spot, struct slice key) {
    (void)spot, (void)key;
    CHECK(!"nobody is asked below an array");
}

TEST(of_what_stands_in_an_array_nobody_else_knows) {
    struct val v = parse("[{\"a\":{\"b\":[1]}}]"), before = val_ref(&v);
    struct shape_spot spot = {.shape = &any, .where = &know_top};
    CHECK(shape_fill_with(&spot, &v, 0, 9, never_ask, NULL) && val_same(&v, &before));
    val_unref(&v);
    val_unref(&before);
}

static void check_said(const struct shape *s, const char *want) {
    struct buf b;
    buf_init(&b, 1000);
    shape_say(s, &b);
    CHECK_TEXT(buf_slice(&b), slice_str(want));
    buf_release(&b);
}

TEST(a_shape_says_what_it_wants) {
    static const struct shape least_int = {.kind = SHAPE_INT, .min = 5, .max = 5},
                              short_text = {.kind = SHAPE_TEXT, .max = 1},
                              free_text = {.kind = SHAPE_TEXT, .max = INT64_MAX},
                              full = {.kind = SHAPE_LIST, .min = 1, .max = 3, .null = true};
    check_said(&any, "anything");
    check_said(&digit, "an integer from 1 to 9 or null");
    check_said(&least_int, "an integer that is 5");
    check_said(&short_text, "text of at most 1 byte");
    check_said(&free_text, "text");
    check_said(&full, "an array of 1 to 3 elements or null");
    check_said(&status, "a map whose \"state\" is one of ready broken");
    check_said(&only, "a map whose \"state\" is the word ready or null");
    /* Cut in a refusal, so that what was found is still said. */
    static const struct shape wordy = {.kind = SHAPE_WORD,
                                       .words = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                                                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa "
                                                "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"};
    struct val v = val_of_u64(1);
    struct err e = ERR_INIT;
    CHECK(!shape_check(&wordy, &v, LIT("/at"), &e));
    CHECK(slice_ends(slice_str(e.text), LIT("b..., found 1")));
}

static const struct shape_field port_fields[] = {
    FIELD("number", &integer),
    FIELD("open", &boolean, .since = 3, .fallback = "false"),
    FIELD("tags", &list, .since = 4, .fallback = "[1]"),
    FIELD("later", &text, .optional = true, .since = 4),
};
static const struct shape port = {.kind = SHAPE_RECORD, .fields = port_fields, .field_n = 4};
static const struct shape ports = {.kind = SHAPE_MAP, .item = &port}, row = {.kind = SHAPE_LIST, .item = &port};
static const struct shape_field up_fields[] = {FIELD("port", &port), FIELD("row", &row, .optional = true)};
static const struct shape up = {.kind = SHAPE_RECORD, .fields = up_fields, .field_n = 2};
static const struct shape_field way_fields[] = {FIELD("up", &up), FIELD("ready", &ready)};
static const struct shape way = {.kind = SHAPE_TAGGED, .tag = "state", .fields = way_fields, .field_n = 2};
static const struct shape_field box_fields[] = {
    FIELD("ports", &ports), FIELD("way", &way),
    FIELD("extra", &port, .since = 4, .fallback = "{\"number\":1,\"open\":true,\"tags\":[]}")};
static const struct shape box = {.kind = SHAPE_RECORD, .fields = box_fields, .field_n = 3};

static void check_filled(unsigned version, const char *was, const char *want) {
    struct val v = parse(was), w = parse(want), before = val_ref(&v), copy = parse(was);
    CHECK(shape_fill(&box, &v, version, NULL));
    if (!CHECK(val_equal(&v, &w))) {
        struct buf b;
        buf_init(&b, 1 << 16);
        json_write(&b, &v, JSON_COMPACT, NULL);
        tap_note("got %.*s", (int)b.len, (const char *)b.ptr);
        buf_release(&b);
    }
    CHECK(val_equal(&before, &copy)); /* the old version did not move */
    struct val again = val_ref(&v);
    CHECK(shape_fill(&box, &v, version, NULL) && val_same(&again, &v)); /* nothing more to do: nothing is copied */
    val_unref(&again);
    val_unref(&v);
    val_unref(&w);
    val_unref(&before);
    val_unref(&copy);
}

TEST(fallbacks_are_put_where_fields_came_later_all_the_way_down) {
    const char *was = "{\"ports\":{\"a\":{\"number\":1},\"b\":{\"number\":2,\"open\":true}},"
                      "\"way\":{\"state\":\"up\",\"port\":{\"number\":3},\"row\":[{\"number\":4},{\"number\":5}]}}";
    check_filled(
        2, was,
        "{\"ports\":{\"a\":{\"number\":1,\"open\":false,\"tags\":[1]},\"b\":{\"number\":2,\"open\":true,\"tags\":[1]}},"
        "\"way\":{\"state\":\"up\",\"port\":{\"number\":3,\"open\":false,\"tags\":[1]},"
        "\"row\":[{\"number\":4,\"open\":false,\"tags\":[1]},{\"number\":5,\"open\":false,\"tags\":[1]}]},"
        "\"extra\":{\"number\":1,\"open\":true,\"tags\":[]}}");
    check_filled(3, was,
                 "{\"ports\":{\"a\":{\"number\":1,\"tags\":[1]},\"b\":{\"number\":2,\"open\":true,\"tags\":[1]}},"
                 "\"way\":{\"state\":\"up\",\"port\":{\"number\":3,\"tags\":[1]},"
                 "\"row\":[{\"number\":4,\"tags\":[1]},{\"number\":5,\"tags\":[1]}]},"
                 "\"extra\":{\"number\":1,\"open\":true,\"tags\":[]}}");
    check_filled(4, was, was);
    /* The other alternative, what does not fit, and null are left alone. */
    check_filled(4, "{\"ports\":[{\"number\":1}],\"way\":{\"state\":\"ready\",\"port\":{}},\"extra\":null}",
                 "{\"ports\":[{\"number\":1}],\"way\":{\"state\":\"ready\",\"port\":{}},\"extra\":null}");
    check_filled(2, "{\"way\":{\"state\":\"lost\",\"port\":{}},\"ports\":{\"a\":null},\"extra\":[{}]}",
                 "{\"way\":{\"state\":\"lost\",\"port\":{}},\"ports\":{\"a\":null},\"extra\":[{}]}");
}

TEST(a_fallback_that_is_no_json_changes_nothing) {
    static const struct shape_field bad_fields[] = {FIELD("a", &port, .optional = true),
                                                    FIELD("b", &integer, .since = 2, .fallback = "{")};
    static const struct shape bad = {.kind = SHAPE_RECORD, .fields = bad_fields, .field_n = 2};
    struct val v = parse("{\"a\":{}}"), before = val_ref(&v);
    struct err e = ERR_INIT;
    CHECK(!shape_fill(&bad, &v, 1, &e) && strstr(e.text, "the fallback of the field \"b\""));
    CHECK(val_same(&v, &before));
    val_unref(&v);
    val_unref(&before);
}

static bool check_and_fill(void *arg) {
    struct val v = val_ref(arg), before = val_ref(arg);
    struct err e = ERR_INIT;
    bool good = shape_fill(&box, &v, 2, &e);
    if (!good) CHECK(e.code == ERR_NOMEM && val_same(&v, &before));
    /* Refusing works without memory too. */
    if (good) CHECK(!shape_check(&text, &v, LIT("/at"), &e) && e.code == ERR_INVALID);
    val_unref(&v);
    val_unref(&before);
    return good;
}

TEST(every_failed_allocation_leaves_the_value_as_it_was) {
    struct val v = parse("{\"ports\":{\"a\":{\"number\":1},\"a name that is longer than a key\":{\"number\":2}},"
                         "\"way\":{\"state\":\"up\",\"port\":{\"number\":3},\"row\":[{\"number\":4}]}}");
    faults_sweep(check_and_fill, &v, "filling");
    val_unref(&v);
}

TEST(the_deepest_value_is_walked) {
    struct val v = val_empty_array();
    for (int i = 1; i < VAL_DEPTH_MAX; i++) {
        struct val outer = VAL_ARRAY_OF(v);
        v = outer;
    }
    CHECK_INT(val_depth(&v), VAL_DEPTH_MAX);
    check_refused(&nest, &v, NULL);
    check_open(&nest, val_ref(&v), NULL);
    CHECK(shape_fill(&nest, &v, 0, NULL));
    val_unref(&v);
}

TAP_MAIN(T(every_kind_takes_what_fits_and_says_what_it_wanted_and_found), T(what_json_cannot_say_is_told_too),
         T(outside_of_private_places_everything_has_a_json_form), T(a_place_and_a_text_are_shown_short_and_safe),
         T(others_have_a_say_in_what_stands_below), T(of_what_stands_in_an_array_nobody_else_knows),
         T(a_shape_says_what_it_wants), T(fallbacks_are_put_where_fields_came_later_all_the_way_down),
         T(a_fallback_that_is_no_json_changes_nothing), T(every_failed_allocation_leaves_the_value_as_it_was),
         T(the_deepest_value_is_walked))
