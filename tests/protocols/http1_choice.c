/* http1_choice.c - choosing by Accept and its sisters, and conditions on entity tags. */
#include "lib/faults.h"
#include "lib/tap.h"
#include "protocols/etag.h"
#include "protocols/negotiate.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

struct choice {
    const char *accept; /* NULL: no field */
    int want;
};

TEST(the_best_type_is_chosen) {
    static const struct slice offered[] = {LIT_INIT("text/html"), LIT_INIT("text/html;level=1"), LIT_INIT("image/jpeg"),
                                           LIT_INIT("text/plain")};
    static const struct choice cases[] = {
        {NULL, 0},
        {"", 0},
        {"*/*", 0},
        {"image/*", 2},
        {"text/plain", 3},
        {"TEXT/Plain", 3},
        {"text/*, image/jpeg", 0},
        {"text/*;q=0.5, image/jpeg", 2},
        {"text/html;level=1", 1},
        {"text/html;LEVEL=\"1\"", 1},
        {"text/html;level=2", -1},
        {"application/json", -1},
        {"text/html;q=0", -1}, /* level=1 is a text/html too */
        {"text/html;q=0, */*;q=0.1", 2},
        {"text/html;q=0.2, text/plain ; q=0.3", 3},
        {"text/html;level=1;q=0.2;ext=1, text/plain;q=0.3", 3},
        /* the example of RFC 9110 12.5.1: html;level=1 is worth 1, html 0.7, jpeg 0.5, plain 0.3 */
        {"text/*;q=0.3, text/html;q=0.7, text/html;level=1, text/html;level=2;q=0.4, */*;q=0.5", 1},
        {"text/html;q=2, text/plain;q=0.1", 3},
        {"text/html;q=, text/plain;q=0.1", 3},
        {"text/html;;;q=0.5;, text/plain;q=0.1", 0},
        {"html, text/plain", 3},
        {"text/, */plain, text/plain", 3},
        {"text/html level=1, text/plain", 3},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct http_list list =
            cases[i].accept ? http_list_in(slice_str(cases[i].accept)) : http_list_of(NULL, 0, LIT("accept"));
        if (!CHECK_INT(negotiate_type(list, offered, COUNT(offered)), cases[i].want))
            tap_note("case %s", cases[i].accept);
    }
    CHECK_INT(negotiate_type(http_list_in(LIT("*/*")), NULL, 0), -1);
}

TEST(the_best_encoding_is_chosen) {
    static const struct slice offered[] = {LIT_INIT("gzip"), LIT_INIT("br"), LIT_INIT("identity")};
    static const struct choice cases[] = {
        {NULL, 2},
        {"", 2},
        {"gzip", 0},
        {"GZIP", 0},
        {"x-gzip", 0},
        {"gzip, br", 0},
        {"gzip;q=0.5, br", 1},
        {"gzip;q=0, br;q=0.001", 1},
        {"gzip;q=0", 2},
        {"identity", 2},
        {"identity;q=0.5, gzip;q=0.2", 2},
        {"compress", 2},
        {"*", 0},
        {"*;q=0.5, br", 1},
        {"*;q=0, br", 1},
        {"*;q=0", -1},
        {"identity;q=0", -1},
        {"identity;q=0, gzip;q=0.1", 0},
        {"*;q=0, identity;q=0.1", 2},
        {"gzip;q=x", 2},
        {"deflate, gzip;q=1.0, *;q=0.5", 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        bool there = cases[i].accept != NULL;
        struct http_list list = http_list_in(slice_str(there ? cases[i].accept : "gzip"));
        if (!CHECK_INT(negotiate_encoding(list, there, offered, COUNT(offered)), cases[i].want))
            tap_note("case %s", cases[i].accept);
    }
}

TEST(the_best_language_is_chosen) {
    static const struct slice offered[] = {LIT_INIT("en"), LIT_INIT("de"), LIT_INIT("en-GB"), LIT_INIT("zh-Hant")};
    static const struct choice cases[] = {
        {NULL, 0},
        {"", 0},
        {"de", 1},
        {"DE", 1},
        {"de-CH, en;q=0.9", 1},
        {"en-GB, en;q=0.8", 2},
        {"en-gb", 2},
        {"en", 0},
        {"fr", -1},
        {"fr, *;q=0.1", 0},
        {"*, de", 1},
        {"*;q=0.5, en;q=0, de;q=0.4", 3}, /* en refuses en-GB too */
        {"zh", 3},
        {"zh-Hant-TW", 3},
        {"zh-Hans", -1},
        {"d", -1},
        {"den", -1},
        {"de-x-foo", 1},
        {"da, en-gb;q=0.8, en;q=0.7", 2},
        {"de;q=0", -1},
        {"de;q=bad, en-GB;q=0.1", 2},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct http_list list =
            cases[i].accept ? http_list_in(slice_str(cases[i].accept)) : http_list_of(NULL, 0, LIT("accept"));
        if (!CHECK_INT(negotiate_language(list, offered, COUNT(offered)), cases[i].want))
            tap_note("case %s", cases[i].accept);
    }
}

TEST(entity_tags_are_read_and_written) {
    struct etag tag;
    struct buf b;
    buf_init(&b, 12);
    CHECK(etag_read(LIT("\"xyzzy\""), &tag) && !tag.weak);
    CHECK_TEXT(tag.opaque, LIT("xyzzy"));
    CHECK(etag_read(LIT("W/\"a\\,b\xff\""), &tag) && tag.weak);
    CHECK(etag_write(&b, &tag));
    CHECK_TEXT(buf_slice(&b), LIT("W/\"a\\,b\xff\""));
    CHECK(!etag_write(&b, &tag));
    CHECK_INT(b.len, 9);
    buf_release(&b);
    CHECK(etag_read(LIT("\"\""), &tag) && !tag.opaque.len);
    static const char *const wrong[] = {"",    "x",       "\"",       "W/",        "W/\"", "w/\"a\"", "\"a",
                                        "a\"", "\"a b\"", "\"a\"b\"", "\"a\x7f\"", "'a'",  "\"a\" "};
    for (size_t i = 0; i < COUNT(wrong); i++)
        if (!CHECK(!etag_read(tap_guarded(slice_str(wrong[i])), &tag))) tap_note("case %s", wrong[i]);
    CHECK(!etag_write(&b, &(struct etag){.opaque = LIT("a\"b")}) &&
          !etag_write(&b, &(struct etag){.opaque = LIT("a b")}));
}

/* The table of RFC 9110 8.8.3.2. */
TEST(entity_tags_compare_strongly_and_weakly) {
    const struct etag w1 = {LIT("1"), true}, w2 = {LIT("2"), true}, s1 = {LIT("1"), false};
    CHECK(!etag_same_strong(&w1, &w1) && etag_same_weak(&w1, &w1));
    CHECK(!etag_same_strong(&w1, &w2) && !etag_same_weak(&w1, &w2));
    CHECK(!etag_same_strong(&w1, &s1) && etag_same_weak(&w1, &s1));
    CHECK(etag_same_strong(&s1, &s1) && etag_same_weak(&s1, &s1));
}

TEST(conditions_hold_or_fail) {
    static const struct {
        const char *list;
        bool match_strong, match_weak, none_strong; /* If-Match against "a", W/"a"; If-None-Match against "a" */
    } cases[] = {
        {"\"a\"", true, false, false},
        {"W/\"a\"", false, false, false},
        {"*", true, true, false},
        {"\"b\"", false, false, true},
        {"\"b\", \"a\"", true, false, false},
        {"\"b\",,W/\"a\" ,", false, false, false},
        {"", false, false, true},
        {"a", false, false, true},
        {"\"b\" \"a\"", false, false, true},
        {"\"b\\\", \"a\"", true, false, false},
        {"\"b,\"a\"", false, false, true},
        {"*, \"a\"", false, false, true},
    };
    const struct etag strong = {LIT("a"), false}, weak = {LIT("a"), true};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct http_list l = http_list_in(slice_str(cases[i].list));
        if (!(CHECK(etag_if_match(l, &strong) == cases[i].match_strong) &&
              CHECK(etag_if_match(l, &weak) == cases[i].match_weak) &&
              CHECK(etag_if_none_match(l, &strong) == cases[i].none_strong) &&
              CHECK(etag_if_none_match(l, &weak) == cases[i].none_strong)))
            tap_note("case %s", cases[i].list);
        CHECK(!etag_if_match(l, NULL) && etag_if_none_match(l, NULL));
    }
    static const struct http_field fields[] = {{LIT_INIT("If-None-Match"), LIT_INIT("\"x\"")},
                                               {LIT_INIT("if-none-match"), LIT_INIT("\"a\"")}};
    CHECK(!etag_if_none_match(http_list_of(fields, 2, LIT("if-none-match")), &strong));
    CHECK(etag_if_none_match(http_list_of(fields, 1, LIT("if-none-match")), &strong));

    struct slice date = LIT("Sun, 06 Nov 1994 08:49:37 GMT");
    CHECK(etag_if_range(LIT("\"a\""), &strong, date) && !etag_if_range(LIT("W/\"a\""), &weak, date));
    CHECK(!etag_if_range(LIT("\"a\""), NULL, date) && etag_if_range(date, &strong, date) &&
          !etag_if_range(date, &strong, LIT("")));
}

static bool choose_quoted(void *arg) {
    (void)arg;
    static const struct slice offered[] = {LIT_INIT("a/b;c=\"d\\e\"")};
    return negotiate_type(http_list_in(LIT("a/b;c=\"\\d\\e\"")), offered, 1) == 0;
}

TEST(without_memory_quoted_parameters_are_not_the_same) {
    faults_sweep(choose_quoted, NULL, "a quoted parameter");
}

TAP_MAIN(T(the_best_type_is_chosen), T(the_best_encoding_is_chosen), T(the_best_language_is_chosen),
         T(entity_tags_are_read_and_written), T(entity_tags_compare_strongly_and_weakly), T(conditions_hold_or_fail),
         T(without_memory_quoted_parameters_are_not_the_same))
