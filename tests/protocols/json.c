/* json.c - RFC 8259 both ways. The public suite runs in vectors.c; these are cases of our own. */
#include "protocols/json.h"

#include "base/mem.h"
#include "base/rng.h"
#include "lib/cuts.h"
#include "lib/faults.h"
#include "lib/statedoc.h"
#include "lib/tap.h"

#include <math.h>
#include <stdio.h>

static const struct json_limits limits = {.bytes = 1 << 24, .depth = 100};

/* Feeds the pieces and writes the value, or the error with its place. */
static void play(void *arg, struct cuts *c, struct buf *out) {
    const struct json_limits *l = arg ? arg : &limits;
    struct json *j = json_new(l);
    struct err e = ERR_INIT;
    bool good = true;
    for (struct slice piece; good && cuts_next(c, &piece);) {
        struct fed fed = json_feed(j, piece, &e);
        good = fed.step == STEP_MORE;
        CHECK(!good || fed.used == piece.len);
    }
    if (good && json_eof(j, &e) == STEP_END) {
        struct val v = json_take(j);
        CHECK(json_write(out, &v, JSON_COMPACT, &e));
        val_unref(&v);
    } else {
        buf_printf(out, "bad at %zu: %s", e.at, e.text);
        struct err again = ERR_INIT;
        CHECK(json_feed(j, LIT(" "), &again).step == STEP_BAD && again.at == e.at); /* it stays bad */
        struct val v = json_take(j);
        CHECK(val_is_none(&v));
    }
    json_free(j);
}

static const struct {
    const char *text, *want;
} cases[] = {
    {"null", "null"},
    {" true ", "true"},
    {"\t\r\n false\n", "false"},
    {"0", "0"},
    {"-1", "-1"},
    {"18446744073709551615", "18446744073709551615"},
    {"-18446744073709551616", "-18446744073709551616"},
    {"18446744073709551616", "1.8446744073709552e19"},
    {"-18446744073709551617", "-1.8446744073709552e19"},
    {"-9223372036854775809", "-9223372036854775809"},
    {"-0", "-0.0"},
    {"1.0", "1.0"},
    {"1e2", "100.0"},
    {"-0.0", "-0.0"},
    {"1E-2", "0.01"},
    {"\"\"", "\"\""},
    {"\"abc\"", "\"abc\""},
    {"\"a text that is longer than fourteen bytes\"", "\"a text that is longer than fourteen bytes\""},
    {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\"", "\"\\\"\\\\/\\b\\f\\n\\r\\tA\""},
    {"\"\\u00e9\\u20ac\\ud83d\\ude00\\u0000\\u001f\\u007f\"",
     "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\\u0000\\u001f\x7f\""},
    {"\"\xc3\xa9 and more than fourteen \xf0\x9f\x98\x80 \\n\"",
     "\"\xc3\xa9 and more than fourteen \xf0\x9f\x98\x80 \\n\""},
    {"[]", "[]"},
    {"{}", "{}"},
    {" [ 1 , 2.5,\"x\" , [ ] ,{ } , null ] ", "[1,2.5,\"x\",[],{},null]"},
    {"{\"a\":1,\"b\":{\"c\":[true,false]},\"\":0}", "{\"a\":1,\"b\":{\"c\":[true,false]},\"\":0}"},
    {"{\"a\":1,\"b\":2,\"a\":3}", "{\"a\":3,\"b\":2}"},
    {"[[[[1]]],[[2]],3]", "[[[[1]]],[[2]],3]"},
    {"", "bad at 0: want a value, found the end of the text"},
    {"  ", "bad at 2: want a value, found the end of the text"},
    {"[1,]", "bad at 3: want a value, found \"]\""},
    {"[,1]", "bad at 1: want a value or \"]\", found \",\""},
    {"[1 2]", "bad at 3: want \",\" or the closing bracket, found \"2\""},
    {"[1", "bad at 2: want \",\" or the closing bracket, found the end of the text"},
    {"[", "bad at 1: want a value or \"]\", found the end of the text"},
    {"]", "bad at 0: want a value, found \"]\""},
    {"[}", "bad at 1: want a value or \"]\", found \"}\""},
    {"{]", "bad at 1: want a key in quotes or \"}\", found \"]\""},
    {"{\"a\"}", "bad at 4: want \":\", found \"}\""},
    {"{\"a\":}", "bad at 5: want a value, found \"}\""},
    {"{\"a\":1,}", "bad at 7: want a key in quotes, found \"}\""},
    {"{\"a\" 1}", "bad at 5: want \":\", found \"1\""},
    {"{1:2}", "bad at 1: want a key in quotes or \"}\", found \"1\""},
    {"{\"a\":1 \"b\":2}", "bad at 7: want \",\" or the closing bracket, found a string"},
    {"{\"a\"::1}", "bad at 5: want a value, found \":\""},
    {"[\"a\":1]", "bad at 4: want \",\" or the closing bracket, found \":\""},
    {"1 2", "bad at 2: want nothing more, found \"2\""},
    {"{} []", "bad at 3: want nothing more, found \"[\""},
    {"{},", "bad at 2: want nothing more, found \",\""},
    {"truex", "bad at 0: want a value, found \"truex\""},
    {"[nul]", "bad at 1: want a value, found \"nul\""},
    {"[01]", "bad at 1: want a value, found \"01\""},
    {"[1.]", "bad at 1: want a value, found \"1.\""},
    {"[.5]", "bad at 1: want a value or \"]\", found \".\""},
    {"[+1]", "bad at 1: want a value or \"]\", found \"+\""},
    {"[1e400]", "bad at 1: a number beyond the range of double"},
    {"[-]", "bad at 1: want a value, found \"-\""},
    {"[1.5.5]", "bad at 1: want a value, found \"1.5.5\""},
    {"[NaN]", "bad at 1: want a value or \"]\", found \"N\""},
    {"['a']", "bad at 1: want a value or \"]\", found \"'\""},
    {"\"abc", "bad at 0: a string without its closing quote"},
    {"[\"abc", "bad at 1: a string without its closing quote"},
    {"\"a\nb\"", "bad at 2: control character 0x0a inside a string"},
    {"\"a\x1f\"", "bad at 2: control character 0x1f inside a string"},
    {"\"\\x\"", "bad at 1: a backslash that begins no escape of JSON"},
    {"\"\\u12g4\"", "bad at 1: a backslash that begins no escape of JSON"},
    {"\"\\u12\"", "bad at 1: a backslash that begins no escape of JSON"},
    {"\"ab\\ud800\"", "bad at 3: half of a surrogate pair: \\ud800"},
    {"\"\\ud800\\u0041\"", "bad at 1: half of a surrogate pair: \\ud800"},
    {"\"\\udc00\"", "bad at 1: half of a surrogate pair: \\udc00"},
    {"\"ab\xff\"", "bad at 3: bytes inside a string that are not UTF-8"},
    {"\"\xed\xa0\x80\"", "bad at 1: bytes inside a string that are not UTF-8"},
    {"\"\xc3\"", "bad at 1: bytes inside a string that are not UTF-8"},
    {"\xef\xbb\xbf{}", "bad at 0: want a value, found byte 0xef"},
    {"[1]x", "bad at 3: want nothing more, found \"x\""},
    {"[1]\f", "bad at 3: want nothing more, found byte 0x0c"},
    {"[a]", "bad at 1: want a value or \"]\", found \"a\""},
};

TEST(every_text_is_read_or_refused_with_its_place_in_any_cut) {
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cuts_check(play, NULL, slice_str(cases[i].text), slice_str(cases[i].want), cases[i].text);
    cuts_check(play, NULL, slice_of("[1,\0 2]", 7), LIT("bad at 3: want a value, found byte 0x00"),
               "NUL between tokens");
    cuts_check(play, NULL, slice_of("\"a\0b\"", 5), LIT("bad at 2: control character 0x00 inside a string"),
               "NUL in a string");
    cuts_check(play, NULL, slice_of("123\0", 4), LIT("bad at 3: want nothing more, found byte 0x00"), "NUL at the end");
}

TEST(a_long_word_in_an_error_is_cut) {
    struct err e = ERR_INIT;
    struct val v;
    CHECK(!json_parse(LIT("[trueeeeeeeeeeeeeeeeeeeeeeeeeeeeeee]"), &limits, &v, &e));
    CHECK_TEXT(slice_str(e.text), LIT("want a value, found \"trueeeeeeeeeeeeeeeeeeeee...\""));
}

TEST(limits_are_held_and_named) {
    struct json_limits tiny = {.bytes = 10, .depth = 3};
    cuts_check(play, &tiny, LIT("[[[1]]]   "), LIT("[[[1]]]"), "at the limits");
    cuts_check(play, &tiny, LIT("[[[[]]]]"), LIT("bad at 3: over the limit depth, which allows 3"), "too deep");
    cuts_check(play, &tiny, LIT("[1,2,3,4,5]"), LIT("bad at 10: over the limit bytes, which allows 10"), "too long");
    struct err e = ERR_INIT;
    struct val v;
    CHECK(!json_parse(LIT("[1,2,3,4,5]"), &tiny, &v, &e) && e.code == ERR_LIMIT &&
          slice_eq(slice_str(e.limit), LIT("bytes")));
    CHECK(!json_parse(LIT("{\"a\":{\"b\":{\"c\":{}}}}"), &tiny, &v, &e));
    /* Whoever asks for more than a value can be gets what a value can be. */
    struct json_limits deep = {.bytes = 1 << 20, .depth = 100000};
    struct buf b;
    buf_init(&b, 1 << 20);
    for (unsigned i = 0; i <= VAL_DEPTH_MAX; i++) buf_byte(&b, '[');
    CHECK(!json_parse(buf_slice(&b), &deep, &v, &e) && e.at == VAL_DEPTH_MAX);
    buf_reset(&b);
    for (unsigned i = 0; i < VAL_DEPTH_MAX; i++) buf_byte(&b, '[');
    for (unsigned i = 0; i < VAL_DEPTH_MAX; i++) buf_byte(&b, ']');
    CHECK(json_parse(buf_slice(&b), &deep, &v, &e) && val_depth(&v) == VAL_DEPTH_MAX);
    val_unref(&v);
    buf_release(&b);
}

TEST(reserved_keys_can_be_left_out) {
    struct json_limits drop = {.bytes = 1000, .depth = 10, .drop_reserved = true};
    cuts_check(play, &drop, LIT("{\"__a\":1,\"b\":{\"__c\":[1,{\"d\":2}],\"_e\":3,\"\\u005f_f\":4},\"__\":{}}"),
               LIT("{\"b\":{\"_e\":3}}"), "dropped");
    cuts_check(play, &drop, LIT("{\"a\":[{\"__b\":1}],\"__c\":{\"__d\":{\"__e\":[]}},\"f\":0}"),
               LIT("{\"a\":[{}],\"f\":0}"), "nested");
    cuts_check(play, &drop, LIT("{\"__a\":[1,}"), LIT("bad at 10: want a value, found \"}\""),
               "what is left out is checked");
    cuts_check(play, NULL, LIT("{\"__a\":1}"), LIT("{\"__a\":1}"), "not asked for");
}

TEST(a_large_document_reads_the_same_in_slices) {
    struct val doc = statedoc_make(30, 5);
    struct buf text, again;
    buf_init(&text, 1 << 22);
    buf_init(&again, 1 << 22);
    struct err e = ERR_INIT;
    CHECK(json_write(&text, &doc, JSON_INDENTED, &e));
    size_t budgets[] = {1, 5000, 100000, SIZE_MAX};
    for (size_t i = 0; i < 4; i++) {
        struct json *j = json_open(buf_slice(&text), &limits);
        unsigned turns = 0;
        enum step step;
        while ((step = json_run(j, budgets[i], &e)) == STEP_MORE) turns++;
        CHECK(step == STEP_END);
        CHECK(json_run(j, 1, &e) == STEP_END);
        if (i < 2) CHECK(turns > 50);
        struct val v = json_take(j);
        CHECK(val_equal(&v, &doc));
        val_unref(&v);
        json_free(j);
        struct json_writer *w = json_write_open(&doc, JSON_INDENTED);
        buf_reset(&again);
        turns = 0;
        while ((step = json_write_run(w, &again, budgets[i], &e)) == STEP_MORE) turns++;
        CHECK(step == STEP_END && slice_eq(buf_slice(&again), buf_slice(&text)));
        if (i < 2) CHECK(turns > 50);
        json_write_free(w);
    }
    json_free(NULL);
    json_write_free(NULL);
    buf_release(&text);
    buf_release(&again);
    val_unref(&doc);
}

TEST(a_string_of_a_megabyte_byte_by_byte_is_linear) {
    struct buf text;
    buf_init(&text, 1 << 21);
    buf_add(&text, LIT("[\""));
    for (int i = 0; i < 1 << 20; i++) buf_byte(&text, 'x');
    buf_add(&text, LIT("\"]"));
    struct json *j = json_new(&limits);
    for (size_t i = 0; i < text.len; i++) json_feed(j, slice_of(text.ptr + i, 1), NULL);
    CHECK(json_eof(j, NULL) == STEP_END);
    struct val v = json_take(j);
    CHECK_INT(val_as_text(val_at(&v, 0)).len, 1 << 20);
    val_unref(&v);
    json_free(j);
    buf_release(&text);
}

static void check_form(const struct val *v, enum json_form form, const char *want) {
    struct buf b;
    buf_init(&b, 1000);
    struct err e = ERR_INIT;
    if (CHECK(json_write(&b, v, form, &e))) CHECK_TEXT(buf_slice(&b), slice_str(want));
    buf_release(&b);
}

TEST(every_form_of_writing_is_as_described) {
    struct val v = VAL_MAP_OF({"a", VAL_ARRAY_OF(val_of_u64(1), val_empty_map())},
                              {"\xc3\xa9\n", val_of_str("\xf0\x9f\x98\x80\"")}, {"e", val_empty_array()});
    check_form(&v, JSON_COMPACT, "{\"a\":[1,{}],\"\xc3\xa9\\n\":\"\xf0\x9f\x98\x80\\\"\",\"e\":[]}");
    check_form(&v, JSON_INDENTED,
               "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"\xc3\xa9\\n\": \"\xf0\x9f\x98\x80\\\"\",\n  \"e\": []\n}");
    check_form(&v, JSON_ASCII, "{\"a\":[1,{}],\"\\u00e9\\n\":\"\\ud83d\\ude00\\\"\",\"e\":[]}");
    val_unref(&v);
    v = val_of_str("\xe2\x82\xac");
    check_form(&v, JSON_ASCII, "\"\\u20ac\"");
    v = VAL_ARRAY_OF(val_of_bytes(LIT("\x01\xff")), val_of_double(NAN), val_of_double(INFINITY),
                     val_of_double(-INFINITY), val_of_double(1.5));
    check_form(&v, JSON_DIAG, "[h'01ff', NaN, Infinity, -Infinity, 1.5]");
    val_unref(&v);
    v = val_empty_map();
    val_set(&v, val_of_i64(-2), val_null());
    val_set(&v, val_of_str("x"), val_of_bool(false));
    check_form(&v, JSON_DIAG, "{-2: null, \"x\": false}");
    val_unref(&v);
}

TEST(what_has_no_form_is_refused_and_nothing_is_written) {
    struct val bad[] = {val_of_bytes(LIT("x")), val_of_double(NAN), val_of_double(-INFINITY), val_none,
                        val_empty_map()};
    val_set(&bad[4], val_of_u64(1), val_null());
    for (size_t i = 0; i < 5; i++) {
        struct buf b;
        buf_init(&b, 1000);
        buf_byte(&b, 'x');
        struct err e = ERR_INIT;
        CHECK(!json_write(&b, &bad[i], JSON_COMPACT, &e) && e.code == ERR_SERIALIZE);
        CHECK_TEXT(buf_slice(&b), LIT("x"));
        CHECK(buf_ok(&b));
        buf_release(&b);
    }
    val_unref(&bad[4]);
    struct val v = VAL_ARRAY_OF(val_of_str("some text that does not fit"));
    struct buf b;
    buf_init(&b, 10);
    struct err e = ERR_INIT;
    CHECK(!json_write(&b, &v, JSON_COMPACT, &e) && e.code == ERR_LIMIT && b.len == 0);
    buf_release(&b);
    val_unref(&v);
}

/* A random value that JSON can hold. */
static struct val random_value(unsigned depth) {
    char text[40];
    switch (rng_below(depth ? 8 : 6)) {
    case 0: return val_null();
    case 1: return val_of_bool(rng_below(2));
    case 2: return val_of_i64((int64_t)rng_u64() >> rng_below(64));
    case 3: return val_of_u64(rng_u64() >> rng_below(64));
    case 4: {
        uint64_t bits = rng_u64();
        double d;
        memcpy(&d, &bits, sizeof d);
        return val_of_double(isfinite(d) ? d : 0.25);
    }
    case 5: {
        size_t n = rng_below(sizeof text);
        for (size_t i = 0; i < n; i++) text[i] = (char)rng_below(128);
        return val_of_text(slice_of(text, n));
    }
    case 6: {
        struct val v = val_empty_array();
        for (uint64_t n = rng_below(rng_below(10) ? 8 : 120); n; n--) val_push(&v, random_value(depth - 1));
        return v;
    }
    default: {
        struct val v = val_empty_map();
        for (uint64_t n = rng_below(rng_below(10) ? 8 : 60); n; n--) {
            snprintf(text, sizeof text, "%llx", (unsigned long long)(rng_u64() >> rng_below(60)));
            val_set_str(&v, text, random_value(depth - 1));
        }
        return v;
    }
    }
}

TEST(what_is_written_reads_back_the_same) {
    rng_use_seed(11);
    for (int i = 0; i < 1500; i++) {
        struct val v = random_value(4), w = val_none;
        struct buf b;
        buf_init(&b, 1 << 24);
        struct err e = ERR_INIT;
        enum json_form form = (enum json_form)(i % 3);
        CHECK(json_write(&b, &v, form, &e) && json_parse(buf_slice(&b), &limits, &w, &e));
        if (!CHECK(val_equal(&v, &w))) tap_note("%.*s", (int)b.len, (const char *)b.ptr);
        val_unref(&v);
        val_unref(&w);
        buf_release(&b);
    }
    rng_use_seed(0);
}

static bool read_and_write(void *arg) {
    struct slice text = *(struct slice *)arg;
    struct val v = val_none;
    struct err e = ERR_INIT;
    bool good = json_parse(text, &limits, &v, &e);
    CHECK(good || e.code == ERR_NOMEM);
    struct json *j = good ? json_new(&limits) : NULL;
    if (good && !j) good = false;
    while (good && text.len) {
        good = json_feed(j, slice_head(text, 100), &e).step == STEP_MORE;
        text = slice_skip(text, 100);
    }
    good = good && json_eof(j, &e) == STEP_END;
    json_free(j);
    struct buf b;
    buf_init(&b, 1 << 20);
    if (good) {
        good = json_write(&b, &v, JSON_ASCII, &e);
        CHECK(good || (e.code == ERR_NOMEM && b.len == 0));
    }
    struct json_writer *w = good ? json_write_open(&v, JSON_COMPACT) : NULL;
    if (good) {
        enum step step = STEP_BAD;
        while (w && (step = json_write_run(w, &b, 50, &e)) == STEP_MORE) {
        }
        good = step == STEP_END;
    }
    json_write_free(w);
    buf_release(&b);
    val_unref(&v);
    return good;
}

TEST(every_failed_allocation_is_an_error_of_that_call) {
    struct val doc = statedoc_make(2, 3), extra = val_empty_array();
    for (int i = 0; i < 40; i++) { /* deep, so that frames grow */
        struct val outer = VAL_ARRAY_OF(val_of_str("a\ttext with an escape and more"), extra);
        extra = outer;
    }
    CHECK(val_set_str(&doc, "extra", extra));
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_byte(&b, '[');
    for (int i = 0; i < 200; i++) buf_byte(&b, '7'); /* a number too long for the stack */
    buf_byte(&b, ',');
    CHECK(json_write(&b, &doc, JSON_ASCII, NULL));
    buf_byte(&b, ']');
    struct slice text = buf_slice(&b);
    faults_sweep(read_and_write, &text, "reading and writing a state");
    buf_release(&b);
    val_unref(&doc);
}

TAP_MAIN(T(every_text_is_read_or_refused_with_its_place_in_any_cut), T(a_long_word_in_an_error_is_cut),
         T(limits_are_held_and_named), T(reserved_keys_can_be_left_out), T(a_large_document_reads_the_same_in_slices),
         T(a_string_of_a_megabyte_byte_by_byte_is_linear), T(every_form_of_writing_is_as_described),
         T(what_has_no_form_is_refused_and_nothing_is_written), T(what_is_written_reads_back_the_same),
         T(every_failed_allocation_is_an_error_of_that_call))
