/* yaml.c - what is written, case by case, and why it is written so.
 *
 * That readers take it for what it is was tried with thousands of random values on PyYAML 6 (pure and on libyaml),
 * ruamel.yaml 0.17 as 1.1 and as 1.2, yaml 2.1 for Node as 1.1 and as 1.2, js-yaml 4.1, YAML::PP 0.035 and libfyaml 0.7;
 * the cases are what that taught. */
#include "protocols/yaml.h"

#include "lib/faults.h"
#include "lib/tap.h"
#include "protocols/json.h"

#include <math.h>
#include <stdio.h>

static const struct json_limits json = {.bytes = 1 << 20, .depth = 512};

static void check_val(const struct val *v, const char *want) {
    struct buf out;
    struct err e = ERR_INIT;
    buf_init(&out, 1 << 20);
    buf_add(&out, LIT("> ")); /* what was there stays */
    if (!CHECK(yaml_write(&out, v, &e))) tap_note("%s", e.text);
    CHECK_TEXT(slice_skip(buf_slice(&out), 2), slice_str(want));
    buf_release(&out);
}

static struct val parse(const char *text) {
    struct val v = val_none;
    struct err e = ERR_INIT;
    if (!CHECK(json_parse(slice_str(text), &json, &v, &e))) tap_note("%s: %s", text, e.text);
    return v;
}

static void check_doc(const char *text, const char *want) {
    struct val v = parse(text);
    check_val(&v, want);
    val_unref(&v);
}

/* --- texts of one line: as a value of a map --- */

static const struct {
    const char *text, *want;
} plain[] = {
    {"word", "word"},
    {"two words", "two words"},
    {"Hello, world (it's me)!", "Hello, world (it's me)!"}, /* marks that mean nothing inside a block */
    {"a-b_c.d/e+f=g@h", "a-b_c.d/e+f=g@h"},
    {"/media/startos/data", "/media/startos/data"},
    {"https://box.local:8443/a?b=c&d=e",
     "https://box.local:8443/a?b=c&d=e"}, /* a colon before a letter, digit or slash */
    {"a - b", "a - b"},
    {"Z\xc3\xbcrich", "Z\xc3\xbcrich"},
    {"caf\xc3\xa9 \xf0\x9f\x98\x80", "caf\xc3\xa9 \xf0\x9f\x98\x80"},
    {"yesterday", "yesterday"}, /* only the whole word has a meaning */
    {"nullify", "nullify"},
    {"e3x", "e3x"},
    {"", "\"\""}, /* null without quotes */
    /* bools of 1.1, in any case of letters */
    {"yes", "\"yes\""},
    {"No", "\"No\""},
    {"ON", "\"ON\""},
    {"off", "\"off\""},
    {"y", "\"y\""},
    {"N", "\"N\""},
    {"t", "\"t\""}, /* bools of home-grown readers */
    {"F", "\"F\""},
    {"true", "\"true\""},
    {"False", "\"False\""},
    /* nulls */
    {"~", "\"~\""},
    {"null", "\"null\""},
    {"NULL", "\"NULL\""},
    /* numbers in every form: decimal, signed, with _ (1.1), hexadecimal, octal of both versions, binary (1.1) */
    {"0", "\"0\""},
    {"-1", "\"-1\""},
    {"+1", "\"+1\""},
    {"1_000", "\"1_000\""},
    {"0x1f", "\"0x1f\""},
    {"017", "\"017\""},
    {"0o17", "\"0o17\""},
    {"0b101", "\"0b101\""},
    {"1:30", "\"1:30\""}, /* 90 in 1.1 */
    {"190:20:30", "\"190:20:30\""},
    {"1.5", "\"1.5\""},
    {"1.", "\"1.\""},
    {".5", "\".5\""},
    {"1e3", "\"1e3\""},
    {"e3", "\"e3\""}, /* a number to one reader of 1.1 */
    {"E-5", "\"E-5\""},
    {"e", "\"e\""},
    {".inf", "\".inf\""},
    {"-.INF", "\"-.INF\""},
    {".nan", "\".nan\""},
    {"inf", "\"inf\""}, /* no number in YAML, but in what some readers are written in */
    {"NaN", "\"NaN\""},
    {"Infinity", "\"Infinity\""},
    {"0.3.6", "\"0.3.6\""}, /* no number, and too like one */
    /* dates (1.1) */
    {"2001-01-01", "\"2001-01-01\""},
    {"2001-12-14t21:59:43.10-05:00", "\"2001-12-14t21:59:43.10-05:00\""},
    /* merging and default of 1.1 */
    {"<<", "\"<<\""},
    {"=", "\"=\""},
    /* spaces at the ends, which a reader drops */
    {" a", "\" a\""},
    {"a ", "\"a \""},
    {" ", "\" \""},
    /* what begins a comment, a map, a list, a document */
    {"a #b", "\"a #b\""},
    {"a#b", "\"a#b\""}, /* no comment, but so near to one that it is quoted */
    {"a: b", "\"a: b\""},
    {"a:", "\"a:\""},
    {"a :b", "a :b"},
    {"a::b", "\"a::b\""},
    {"- a", "\"- a\""},
    {"-", "\"-\""},
    {"-a", "\"-a\""},
    {"? a", "\"? a\""},
    {": a", "\": a\""},
    {"---", "\"---\""},
    {"...", "\"...\""},
    /* indicators at the beginning */
    {"&a", "\"&a\""},
    {"*a", "\"*a\""},
    {"!a", "\"!a\""},
    {"|", "\"|\""},
    {">", "\">\""},
    {"'a'", "\"'a'\""},
    {"%a", "\"%a\""},
    {"@a", "\"@a\""},
    {"`a`", "\"`a`\""},
    {"_a", "\"_a\""},
    /* brackets and quotes anywhere */
    {"{a}", "\"{a}\""},
    {"a]", "\"a]\""},
    {"[a", "\"[a\""},
    {"a\"b", "\"a\\\"b\""},
    {"a\\b", "\"a\\\\b\""},
    {"C:\\x", "\"C:\\\\x\""},
    {"\xc3\xa9", "\"\xc3\xa9\""}, /* begins with no letter of ASCII: quotes cost nothing */
    /* controls, DEL, C1; the line ends of 1.1; the byte order mark; non-characters */
    {"a\tb", "\"a\\tb\""},
    {"a\rb", "\"a\\rb\""},
    {"\b\f\x1b[0m", "\"\\b\\f\\u001b[0m\""},
    {"a\x7f", "\"a\\u007f\""},
    {"a\xc2\x9f", "\"a\\u009f\""},
    {"a\xc2\x85z", "\"a\\u0085z\""},
    {"a\xe2\x80\xa8z", "\"a\\u2028z\""},
    {"a\xe2\x80\xa9z", "\"a\\u2029z\""},
    {"a\xef\xbb\xbfz", "\"a\\ufeffz\""},
    {"a\xef\xbf\xbe", "\"a\\ufffe\""},
    {"a\xef\xbf\xbf", "\"a\\uffff\""},
    {"a\xef\xb7\x90", "\"a\\ufdd0\""},
    {"a\xf0\x9f\xbf\xbf", "\"a\\U0001ffff\""},
    {"a\xf4\x8f\xbf\xbf", "\"a\\U0010ffff\""},
    {"a\xef\xbf\xbd", "a\xef\xbf\xbd"}, /* the last one that is allowed */
    {"a\xc2\xa0z", "a\xc2\xa0z"},
};

TEST(a_text_of_one_line_is_quoted_whenever_it_could_be_something_else) {
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        char want[200];
        struct val v = VAL_MAP_OF({"k", val_of_str(plain[i].text)});
        snprintf(want, sizeof want, "k: %s\n", plain[i].want);
        check_val(&v, want);
        val_unref(&v);
        /* The same as a key. */
        v = VAL_MAP_OF({plain[i].text, val_null()});
        snprintf(want, sizeof want, "%s: null\n", plain[i].want);
        check_val(&v, want);
        val_unref(&v);
    }
}

TEST(a_text_with_a_nul_is_escaped) {
    struct val v = val_of_text(LIT("a\0b"));
    check_val(&v, "\"a\\u0000b\"\n");
    val_unref(&v);
}

/* --- texts of several lines --- */

static const struct {
    const char *text, *want;
} lines[] = {
    {"a\nb\n", "k: |\n  a\n  b\n"},          /* one line end at the end: clip */
    {"a\nb", "k: |-\n  a\n  b\n"},           /* none: strip */
    {"a\nb\n\n\n", "k: |+\n  a\n  b\n\n\n"}, /* several: keep */
    {"a\n", "k: |\n  a\n"},                  /* a line and its end */
    {"\n\na\n", "k: |\n\n\n  a\n"},          /* empty lines in front do not say how deep it is */
    {"a\n\n\nb\n", "k: |\n  a\n\n\n  b\n"},  /* nor between */
    {"  a\nb\n", "k: |2\n    a\n  b\n"},     /* a space in front: the depth is said */
    {"\n a", "k: |2-\n\n   a\n"},            /* also behind empty lines */
    {" a\n\n", "k: |2+\n   a\n\n"},          /* with both indicators */
    {"a\n  b\n", "k: |\n  a\n    b\n"},      /* deeper lines later need nothing */
    {"a\tb\nc", "k: |-\n  a\tb\n  c\n"},     /* a tab inside is content */
    {"# a\n- b: \"c\"\n---\n", "k: |\n  # a\n  - b: \"c\"\n  ---\n"}, /* nothing has a meaning inside */
    {"\xc3\xa9\n\xf0\x9f\x98\x80\n", "k: |\n  \xc3\xa9\n  \xf0\x9f\x98\x80\n"},
    {"\n", "k: \"\\n\"\n"}, /* nothing but line ends: readers differ */
    {"\n\n", "k: \"\\n\\n\"\n"},
    {"a \nb\n", "k: \"a \\nb\\n\"\n"}, /* a space at the end of a line: editors take it off */
    {"a\n \nb", "k: \"a\\n \\nb\"\n"},
    {"a\nb ", "k: \"a\\nb \"\n"},
    {"a\t\nb", "k: \"a\\t\\nb\"\n"},
    {"\ta\nb", "k: \"\\ta\\nb\"\n"}, /* a tab in front: taken for indentation, and refused */
    {"a\n\tb", "k: \"a\\n\\tb\"\n"},
    {"a\r\nb\r\n", "k: \"a\\r\\nb\\r\\n\"\n"}, /* readers make one line end of both */
    {"a\n\x1b[0m", "k: \"a\\n\\u001b[0m\"\n"},
    {"a\xe2\x80\xa8\nb", "k: \"a\\u2028\\nb\"\n"},
};

TEST(a_text_of_several_lines_is_a_block_when_that_is_exact) {
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct val v = VAL_MAP_OF({"k", val_of_str(lines[i].text)});
        check_val(&v, lines[i].want);
        val_unref(&v);
    }
}

TEST(a_block_stands_deeper_than_what_holds_it) {
    check_doc("[\"a\\nb\",\"c\\nd\\n\\n\",1]", "- |-\n  a\n  b\n- |+\n  c\n  d\n\n- 1\n");
    check_doc("[{\"k\":\" a\\n\"},[\" b\\n\"]]", "- k: |2\n     a\n- - |2\n     b\n");
    check_doc("{\"a\":{\"b\":\" c\\nd\",\"g\":1}}", "a:\n  b: |2-\n     c\n    d\n  g: 1\n");
    check_doc("\"a\\nb\\n\"", "|\n  a\n  b\n");
    /* At the top it is not agreed on what an indicator counts from. */
    check_doc("\" a\\nb\\n\"", "\" a\\nb\\n\"\n");
    check_doc("{\"a\\nb\":1}", "\"a\\nb\": 1\n"); /* a key is one line */
}

/* --- other scalars --- */

TEST(scalars_have_one_form) {
    check_doc("null", "null\n");
    check_doc("true", "true\n");
    check_doc("false", "false\n");
    check_doc("\"a b\"", "a b\n");
    check_doc("0", "0\n");
    check_doc("-7", "-7\n");
    check_doc("18446744073709551615", "18446744073709551615\n");
    check_doc("-18446744073709551615", "-18446744073709551615\n");
    struct val v = val_of_negative(UINT64_MAX);
    check_val(&v, "-18446744073709551616\n");
}

TEST(doubles_stay_doubles_also_for_readers_of_1_1) {
    check_doc("1.5", "1.5\n");
    check_doc("1.0", "1.0\n");
    check_doc("-0.0", "-0.0\n");
    check_doc("1e22", "1.0e+22\n"); /* 1e22 and 1.0e22 are texts in 1.1 */
    check_doc("1.5e300", "1.5e+300\n");
    check_doc("1e-7", "1.0e-7\n");
    check_doc("5e-324", "5.0e-324\n");
    check_doc("-2.5e-10", "-2.5e-10\n");
    check_doc("100000.0", "100000.0\n");
    struct val v = val_of_double(NAN);
    check_val(&v, ".nan\n");
    v = val_of_double(INFINITY);
    check_val(&v, ".inf\n");
    v = val_of_double(-INFINITY);
    check_val(&v, "-.inf\n");
}

/* --- maps and arrays --- */

TEST(maps_and_arrays_nest_with_two_spaces_a_level_and_keep_their_order) {
    check_doc("[]", "[]\n");
    check_doc("{}", "{}\n");
    check_doc("[[],{}]", "- []\n- {}\n");
    check_doc("{\"b\":1,\"a\":[1,2],\"c\":{\"d\":{}}}", "b: 1\na:\n  - 1\n  - 2\nc:\n  d: {}\n");
    check_doc("[[1,[2,3]],[4]]", "- - 1\n  - - 2\n    - 3\n- - 4\n");
    check_doc("[{\"a\":1,\"b\":{\"c\":2}},{\"d\":[{\"g\":3,\"h\":4}]}]",
              "- a: 1\n  b:\n    c: 2\n- d:\n    - g: 3\n      h: 4\n");
}

TEST(a_key_that_readers_would_not_look_so_far_for_is_marked) {
    char key[1101], want[2300];
    memset(key, 'k', sizeof key);
    key[1000] = 0;
    struct val v = VAL_MAP_OF({key, val_of_u64(1)});
    snprintf(want, sizeof want, "%s: 1\n", key);
    check_val(&v, want);
    val_unref(&v);
    key[1000] = 'k';
    key[1001] = 0;
    v = VAL_MAP_OF({"a", VAL_MAP_OF({key, val_of_u64(1)}, {"z", val_null()})}, {key, VAL_ARRAY_OF(val_of_u64(2))});
    snprintf(want, sizeof want, "a:\n  ? %s\n  : 1\n  z: null\n? %s\n:\n  - 2\n", key, key);
    check_val(&v, want);
    val_unref(&v);
    v = VAL_ARRAY_OF(VAL_MAP_OF({key, VAL_MAP_OF({"b", val_of_str("x\ny")})}));
    snprintf(want, sizeof want, "- ? %s\n  :\n    b: |-\n      x\n      y\n", key);
    check_val(&v, want);
    val_unref(&v);
}

/* --- refusals --- */

static void check_refused(struct val v, const char *why) {
    struct buf out;
    struct err e = ERR_INIT;
    buf_init(&out, 1000);
    buf_byte(&out, '>');
    CHECK(!yaml_write(&out, &v, &e));
    CHECK_TEXT(slice_str(e.text), slice_str(why));
    CHECK_TEXT(buf_slice(&out), LIT(">"));
    CHECK(buf_ok(&out));
    buf_release(&out);
    val_unref(&v);
}

TEST(what_has_no_form_is_refused_and_nothing_is_written) {
    check_refused(val_none, "there is no value to write");
    check_refused(VAL_MAP_OF({"a", val_of_u64(1)}, {"b", val_of_bytes(LIT("\x01"))}),
                  "bytes have no form in YAML here");
    struct val map = val_empty_map();
    CHECK(val_set(&map, val_of_u64(1), val_null()));
    check_refused(map, "a key that is an integer has no form in YAML here");
    map = val_empty_map();
    CHECK(val_set(&map, val_null(), val_null()));
    check_refused(VAL_ARRAY_OF(map), "a key that is null has no form in YAML here");
}

TEST(a_full_buffer_is_refused_and_stays_usable) {
    struct val v = parse("{\"a\":[1,2,3],\"long\":\"a\\nb\",\"c\":\"a b c d e f g h\"}");
    struct buf whole, out;
    buf_init(&whole, 1000);
    CHECK(yaml_write(&whole, &v, NULL));
    for (size_t max = 0; max < whole.len; max++) {
        struct err e = ERR_INIT;
        buf_init(&out, max);
        CHECK(!yaml_write(&out, &v, &e));
        CHECK_INT(e.code, ERR_LIMIT);
        CHECK(buf_ok(&out) && out.len == 0);
        buf_release(&out);
    }
    buf_init(&out, whole.len);
    CHECK(yaml_write(&out, &v, NULL));
    buf_release(&out);
    buf_release(&whole);
    val_unref(&v);
}

TEST(the_deepest_value_is_written) {
    struct val v = val_of_u64(1);
    for (unsigned i = 0; i < VAL_DEPTH_MAX; i++) v = i % 2 ? VAL_ARRAY_OF(v) : VAL_MAP_OF({"k", v});
    struct buf out;
    buf_init(&out, 1 << 20);
    CHECK(!val_is_none(&v) && yaml_write(&out, &v, NULL));
    CHECK(slice_ends(buf_slice(&out), LIT("k: 1\n")));
    buf_release(&out);
    val_unref(&v);
}

static bool play(void *arg) {
    struct buf out;
    struct err e = ERR_INIT;
    buf_init(&out, 1 << 16);
    bool good = yaml_write(&out, arg, &e);
    if (!good) CHECK_INT(e.code, ERR_NOMEM);
    buf_release(&out);
    return good;
}

TEST(no_memory_is_an_error) {
    char key[1200];
    memset(key, 'k', sizeof key);
    key[1199] = 0;
    struct val v = VAL_MAP_OF({key, val_of_str("a\nb")}, {"c", VAL_ARRAY_OF(val_of_u64(1), val_of_double(1e22))});
    faults_sweep(play, &v, "writing");
    val_unref(&v);
}

TAP_MAIN(T(a_text_of_one_line_is_quoted_whenever_it_could_be_something_else), T(a_text_with_a_nul_is_escaped),
         T(a_text_of_several_lines_is_a_block_when_that_is_exact), T(a_block_stands_deeper_than_what_holds_it),
         T(scalars_have_one_form), T(doubles_stay_doubles_also_for_readers_of_1_1),
         T(maps_and_arrays_nest_with_two_spaces_a_level_and_keep_their_order),
         T(a_key_that_readers_would_not_look_so_far_for_is_marked),
         T(what_has_no_form_is_refused_and_nothing_is_written), T(a_full_buffer_is_refused_and_stays_usable),
         T(the_deepest_value_is_written), T(no_memory_is_an_error))
