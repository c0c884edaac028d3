/* http1_values.c - values that fields and bodies carry: forms, cookies, dates, ranges. Expected values come
 * from the RFCs' own examples or are counted by hand. */
#include "lib/faults.h"
#include "lib/tap.h"
#include "protocols/cookie.h"
#include "protocols/date.h"
#include "protocols/form.h"
#include "protocols/range.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* --- form --- */

static void print_form(const char *text, const struct form_limits *limits, struct buf *out) {
    struct form f;
    struct form_pair pair;
    struct buf scratch;
    struct err e = ERR_INIT;
    enum step step;
    buf_init(&scratch, 4096);
    form_init(&f, tap_guarded(slice_str(text)), limits);
    while ((step = form_next(&f, &scratch, &pair, &e)) == STEP_EVENT) {
        buf_byte(out, '[');
        buf_add(out, pair.name);
        buf_byte(out, '|');
        buf_add(out, pair.value);
        buf_byte(out, ']');
    }
    if (step == STEP_BAD) buf_printf(out, "bad %s @%zu", e.limit, e.at);
    if (form_next(&f, &scratch, &pair, &e) != STEP_END) buf_add(out, LIT("no end"));
    buf_release(&scratch);
}

TEST(forms_are_read_as_browsers_write_them) {
    static const struct {
        const char *text, *want;
        struct form_limits limits;
    } cases[] = {
        {"", "", {0}},
        {"a=b", "[a|b]", {0}},
        {"a=b&c=d", "[a|b][c|d]", {0}},
        {"=", "[|]", {0}}, /* nothing was ever in the buffer: found by fuzz/url */
        {"&&a&=b&&=&", "[a|][|b][|]", {0}},
        {"a=b=c", "[a|b=c]", {0}},
        {"a+b=%2B+%20", "[a b|+  ]", {0}},
        {"%26=%3d", "[&|=]", {0}},
        {"%=%4&%zz=%e4", "[%|%4][%zz|\xef\xbf\xbd]", {0}},
        {"%c3%a4=\xc3\xa4", "[\xc3\xa4|\xc3\xa4]", {0}},
        {"%EF%BB%BFtest=%EF%BB%BF", "[\xef\xbb\xbftest|\xef\xbb\xbf]", {0}}, /* the mark stays: "without BOM" */
        {"a&b&c", "[a|][b|]bad pairs @4", {2, 0}},
        {"a&b&", "[a|][b|]", {2, 0}},
        {"ab=c&ab=cd", "[ab|c]bad bytes @5", {0, 3}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf b;
        buf_init(&b, 4096);
        print_form(cases[i].text, &cases[i].limits, &b);
        if (!CHECK_TEXT(buf_slice(&b), slice_str(cases[i].want))) tap_note("case %s", cases[i].text);
        buf_release(&b);
    }
    struct buf tiny;
    struct form f;
    struct form_pair pair;
    struct err e = ERR_INIT;
    buf_init(&tiny, 2);
    form_init(&f, LIT("abc=d"), &(struct form_limits){0});
    CHECK_INT(form_next(&f, &tiny, &pair, &e), STEP_BAD);
    CHECK_TEXT(slice_str(e.limit), LIT("bytes"));
    buf_release(&tiny);
}

static bool form_both_ways(void *arg) {
    (void)arg;
    struct buf b, scratch;
    struct form f;
    struct form_pair pair;
    struct err e = ERR_INIT;
    buf_init(&b, 4096);
    buf_init(&scratch, 4096);
    bool good =
        form_write(&b, true, LIT("a b*-._"), LIT("\xc3\xa4&=+%~"), &e) && form_write(&b, false, LIT(""), LIT(""), &e);
    if (good) {
        CHECK_TEXT(buf_slice(&b), LIT("a+b*-._=%C3%A4%26%3D%2B%25%7E&="));
        form_init(&f, buf_slice(&b), &(struct form_limits){0});
        good = form_next(&f, &scratch, &pair, &e) == STEP_EVENT;
        if (good) CHECK(slice_eq(pair.name, LIT("a b*-._")) && slice_eq(pair.value, LIT("\xc3\xa4&=+%~")));
        form_init(&f, LIT("%ff%ff%ff%ff%ff%ff%ff%ff%ff%ff%ff%ff%ff%ff%ff%ff%ff%ff%ff%ff%ff%ff%ff%ff%ff%ff%ff"),
                  &(struct form_limits){0});
        good = good && form_next(&f, &scratch, &pair, &e) == STEP_EVENT;
    }
    if (!good) CHECK_INT(e.code, ERR_NOMEM);
    buf_release(&b);
    buf_release(&scratch);
    return good;
}

TEST(forms_are_written_and_read_back) {
    faults_sweep(form_both_ways, NULL, "a form");
    struct buf b;
    buf_init(&b, 4);
    CHECK(!form_write(&b, true, LIT("\xff"), LIT(""), NULL));
    CHECK(!form_write(&b, true, LIT("abcd"), LIT(""), NULL));
    CHECK_INT(b.len, 0);
    buf_release(&b);
}

/* --- cookie --- */

TEST(cookies_are_read_as_browsers_send_them) {
    struct slice rest = LIT(" a=b; c = d=e ;;e;=f; a=\"x y\""), name, value;
    static const char *const want[][2] = {{"a", "b"}, {"c", "d=e"}, {"", "e"}, {"", "f"}, {"a", "\"x y\""}};
    for (size_t i = 0; i < COUNT(want); i++) {
        CHECK(cookie_next(&rest, &name, &value));
        CHECK_TEXT(name, slice_str(want[i][0]));
        CHECK_TEXT(value, slice_str(want[i][1]));
    }
    CHECK(!cookie_next(&rest, &name, &value));
    CHECK(cookie_find(LIT("b=1; a=2; a=3"), LIT("a"), &value));
    CHECK_TEXT(value, LIT("2"));
    CHECK(!cookie_find(LIT("A=1; ab=2"), LIT("a"), &value));
}

TEST(cookies_are_written_strictly_and_read_back) {
    struct cookie full = {.name = LIT("__Host-s"),
                          .value = LIT("a.b-c"),
                          .path = LIT("/"),
                          .max_age = 60,
                          .has_max_age = true,
                          .expires = 784111777,
                          .has_expires = true,
                          .secure = true,
                          .http_only = true,
                          .site = COOKIE_SITE_LAX};
    struct cookie back;
    struct buf b;
    struct err e = ERR_INIT;
    buf_init(&b, 200);
    CHECK(cookie_write(&b, &full, &e));
    CHECK_TEXT(buf_slice(&b), LIT("__Host-s=a.b-c; Expires=Sun, 06 Nov 1994 08:49:37 GMT; Max-Age=60; "
                                  "Path=/; Secure; HttpOnly; SameSite=Lax"));
    CHECK(cookie_read(buf_slice(&b), &back));
    CHECK(slice_eq(back.name, full.name) && slice_eq(back.value, full.value) && slice_eq(back.path, full.path));
    CHECK(back.has_expires && back.expires == full.expires && back.has_max_age && back.max_age == 60);
    CHECK(back.secure && back.http_only && back.site == COOKIE_SITE_LAX && !back.domain.len);
    buf_reset(&b);
    struct cookie small = {.name = LIT("a"), .domain = LIT("x.example"), .max_age = -1, .has_max_age = true};
    CHECK(cookie_write(&b, &small, &e));
    CHECK_TEXT(buf_slice(&b), LIT("a=; Max-Age=-1; Domain=x.example"));
    buf_reset(&b);
    static const struct cookie bad[] = {
        {.name = LIT_INIT("")},
        {.name = LIT_INIT("a b")},
        {.name = LIT_INIT("a="), .value = LIT_INIT("b")},
        {.name = LIT_INIT("a"), .value = LIT_INIT("b c")},
        {.name = LIT_INIT("a"), .value = LIT_INIT("b;c")},
        {.name = LIT_INIT("a"), .value = LIT_INIT("b\r\n")},
        {.name = LIT_INIT("a"), .value = LIT_INIT("\"b\"")},
        {.name = LIT_INIT("a"), .value = LIT_INIT("\xc3\xa4")},
        {.name = LIT_INIT("a"), .path = LIT_INIT("b")},
        {.name = LIT_INIT("a"), .path = LIT_INIT("/b;c")},
        {.name = LIT_INIT("a"), .path = LIT_INIT("/b\n")},
        {.name = LIT_INIT("a"), .domain = LIT_INIT(".b")},
        {.name = LIT_INIT("a"), .domain = LIT_INIT("b;c")},
        {.name = LIT_INIT("a"), .site = COOKIE_SITE_NONE},
        {.name = LIT_INIT("__Secure-a")},
        {.name = LIT_INIT("__Host-a"), .secure = true},
        {.name = LIT_INIT("__host-a"), .secure = true, .path = LIT_INIT("/"), .domain = LIT_INIT("b")},
        {.name = LIT_INIT("a"), .has_expires = true, .expires = INT64_MAX},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        if (!CHECK(!cookie_write(&b, &bad[i], &e))) tap_note("case %zu", i);
        CHECK_INT(b.len, 0);
    }
    buf_release(&b);
    buf_init(&b, 10);
    CHECK(!cookie_write(&b, &small, &e));
    CHECK_INT(b.len, 0);
    buf_release(&b);
    for (unsigned i = 0; i <= COOKIE_SITE_NONE; i++)
        CHECK_INT(cookie_site_from(slice_str(cookie_site_name((enum cookie_site)i))), i);
    CHECK_INT(cookie_site_from(LIT("lAX")), COOKIE_SITE_LAX);
}

TEST(set_cookie_is_read_by_the_forgiving_rules) {
    struct cookie c;
    CHECK(cookie_read(LIT(" a = b c ; EXPIRES=Sunday, 6-Nov-94 8:49:37 GMT; max-age=1x; Domain=.X.example; "
                          "path=y; x; HttpOnly=1; samesite=odd"),
                      &c));
    CHECK_TEXT(c.name, LIT("a"));
    CHECK_TEXT(c.value, LIT("b c"));
    CHECK(c.has_expires && c.expires == 784111777);
    CHECK(!c.has_max_age && !c.path.len && c.http_only && !c.secure && c.site == COOKIE_SITE_UNSAID);
    CHECK_TEXT(c.domain, LIT("X.example"));
    CHECK(cookie_read(LIT("a=b; Max-Age=99999999999999999999; Max-Age=; Max-Age=-"), &c) && c.max_age == INT64_MAX);
    CHECK(cookie_read(LIT("a=b; Max-Age=-5; Domain=; Expires=never"), &c) && c.max_age == -5 && !c.domain.len &&
          !c.has_expires);
    CHECK(!cookie_read(LIT("a"), &c) && !cookie_read(LIT("=b"), &c) && !cookie_read(LIT(""), &c) &&
          !cookie_read(LIT("a=\x01"), &c));
}

/* --- date --- */

#define EXAMPLE 784111777 /* the example of RFC 9110: 1994-11-06 08:49:37 */

TEST(dates_are_written_and_read_back) {
    static const struct {
        int64_t when;
        const char *want;
    } cases[] = {
        {0, "Thu, 01 Jan 1970 00:00:00 GMT"},
        {-1, "Wed, 31 Dec 1969 23:59:59 GMT"},
        {EXAMPLE, "Sun, 06 Nov 1994 08:49:37 GMT"},
        {951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},
        {1709251199, "Thu, 29 Feb 2024 23:59:59 GMT"},
        {4107542400, "Mon, 01 Mar 2100 00:00:00 GMT"},
        {253402300799, "Fri, 31 Dec 9999 23:59:59 GMT"},
        {-62135596800, "Mon, 01 Jan 0001 00:00:00 GMT"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint8_t out[DATE_LEN];
        int64_t back = 1;
        CHECK(date_write(cases[i].when, out));
        CHECK_TEXT(slice_of(out, DATE_LEN), slice_str(cases[i].want));
        CHECK(date_read(slice_of(out, DATE_LEN), 0, &back));
        CHECK_INT(back, cases[i].when);
    }
    uint8_t out[DATE_LEN];
    CHECK(!date_write(253402300800, out) && !date_write(-62135596801, out) && !date_write(INT64_MIN, out) &&
          !date_write(INT64_MAX, out));
    for (int64_t when = -62135596800; when < 253402300799; when += 86400 * 97 + 12345) {
        int64_t back = 0;
        if (!date_write(when, out) || !date_read(slice_of(out, DATE_LEN), 0, &back) || back != when) {
            CHECK_INT(back, when);
            break;
        }
    }
}

TEST(the_three_forms_of_dates_are_read_exactly) {
    static const char *const good[] = {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                                       "Sun Nov  6 08:49:37 1994"};
    for (size_t i = 0; i < COUNT(good); i++) {
        int64_t when = 0;
        CHECK(date_read(tap_guarded(slice_str(good[i])), 1700000000, &when));
        CHECK_INT(when, EXAMPLE);
        /* Any byte changed to something that fits nowhere is refused. */
        for (size_t k = 0; k < strlen(good[i]); k++) {
            char copy[40];
            memcpy(copy, good[i], strlen(good[i]) + 1);
            copy[k] = '#';
            if (!CHECK(!date_read(slice_str(copy), 1700000000, &when))) tap_note("case %s", copy);
            CHECK(!date_read(slice_of(good[i], k), 1700000000, &when));
        }
    }
    static const char *const wrong[] = {
        "Mon, 06 Nov 1994 08:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        " Sun, 06 Nov 1994 08:49:37 GMT",
        "Tue, 31 Nov 1994 08:49:37 GMT",
        "Wed, 29 Feb 2023 00:00:00 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Sunday, 06 Nov 1994 08:49:37 GMT",
        "Sun Nov 06 08:49:37 94",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 +000",
        "784111777",
        ",",
        "Sun,",
        "",
    };
    int64_t when;
    for (size_t i = 0; i < COUNT(wrong); i++)
        if (!CHECK(!date_read(slice_str(wrong[i]), 1700000000, &when))) tap_note("case %s", wrong[i]);
    CHECK(date_read(LIT("Sun Nov 06 08:49:37 1994"), 0, &when) && when == EXAMPLE);
    CHECK(date_read(LIT("Sat, 31 Dec 2016 23:59:60 GMT"), 0, &when) && when == 1483228800);
}

TEST(two_digit_years_are_at_most_fifty_years_ahead) {
    const int64_t now = 1700000000; /* 2023-11-14 22:13:20, a Tuesday */
    int64_t when;
    /* 2073-11-14, the very same time 50 years later, is a Tuesday too (13 leap days are passed): the last
     * second that counts. */
    CHECK(date_read(LIT("Tuesday, 14-Nov-73 22:13:20 GMT"), now, &when));
    uint8_t out[DATE_LEN];
    CHECK(date_write(when, out));
    CHECK_TEXT(slice_of(out, DATE_LEN), LIT("Tue, 14 Nov 2073 22:13:20 GMT"));
    /* One second later it is 1973, when that day was a Wednesday. */
    CHECK(!date_read(LIT("Tuesday, 14-Nov-73 22:13:21 GMT"), now, &when));
    CHECK(date_read(LIT("Wednesday, 14-Nov-73 22:13:21 GMT"), now, &when));
    CHECK_INT(when, 122163201); /* 1973-11-14: 1413 days after the epoch, and 22:13:21 */
    CHECK(date_read(LIT("Thursday, 29-Feb-24 00:00:00 GMT"), now, &when) && when == 1709164800);
    CHECK(date_read(LIT("Saturday, 29-Feb-72 00:00:00 GMT"), now, &when) == false); /* 2072: a Monday */
    CHECK(date_read(LIT("Monday, 29-Feb-72 00:00:00 GMT"), now, &when));
    CHECK(!date_read(LIT("Monday, 29-Feb-72 00:00:00 GMT"), INT64_MAX, &when));
}

TEST(cookie_dates_are_forgiven_much) {
    static const char *const good[] = {
        "Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06-Nov-94 08:49:37", "06 november 1994 8:49:37", "1994 6 Nov 08:49:37x",
        "08:49:37 6th nov;94",           "Nov/6/1994@8:49:37",      "Sun Nov  6 08:49:37 1994"};
    int64_t when;
    for (size_t i = 0; i < COUNT(good); i++)
        if (!CHECK(date_read_cookie(tap_guarded(slice_str(good[i])), &when) && when == EXAMPLE))
            tap_note("case %s", good[i]);
    static const char *const wrong[] = {"",
                                        "Nov 1994 08:49:37",
                                        "06 1994 08:49:37",
                                        "06 Nov 08:49:37",
                                        "06 Nov 1994",
                                        "06 Nov 1994 08:49",
                                        "32 Nov 1994 08:49:37",
                                        "06 Nov 1600 08:49:37",
                                        "06 Nov 1994 25:49:37",
                                        "06 Nov 1994 08:49:60",
                                        "006 Nov 19940 08:49:37",
                                        "31 Feb 1994 08:49:37"};
    for (size_t i = 0; i < COUNT(wrong); i++)
        if (!CHECK(!date_read_cookie(slice_str(wrong[i]), &when))) tap_note("case %s", wrong[i]);
    CHECK(date_read_cookie(LIT("1 Jan 69 0:0:0"), &when) && when == 3124224000);
    CHECK(date_read_cookie(LIT("1 Jan 70 0:0:0"), &when) && when == 0);
}

/* --- range --- */

TEST(ranges_are_held_against_the_length) {
    static const struct {
        const char *text;
        uint64_t length;
        const char *want;
    } cases[] = {
        /* RFC 9110 14.1.2, on 10000 bytes */
        {"bytes=0-499", 10000, "parts 0-499"},
        {"bytes=500-999", 10000, "parts 500-999"},
        {"bytes=-500", 10000, "parts 9500-9999"},
        {"bytes=9500-", 10000, "parts 9500-9999"},
        {"bytes=0-0,-1", 10000, "parts 0-0 9999-9999"},
        {"bytes= 0-999, 4500-5499, -1000", 10000, "parts 0-999 4500-5499 9000-9999"},
        {"bytes=500-600,601-999", 10000, "parts 500-999"},
        {"bytes=500-700,601-999", 10000, "parts 500-999"},
        {"Bytes=0-", 1, "parts 0-0"},
        {"bytes=0-99999", 10, "parts 0-9"},
        {"bytes=-99999", 10, "parts 0-9"},
        {"bytes=0-18446744073709551615", 10, "parts 0-9"},
        {"bytes=0-99999999999999999999999", 10, "parts 0-9"},
        {"bytes=5-6,20-30", 10, "parts 5-6"},
        {"bytes=,5-6,,", 10, "parts 5-6"},
        {"bytes=3-4,0-1", 10, "parts 3-4 0-1"},
        {"bytes=6-7,0-1,2-5", 10, "parts 0-7"},
        {"bytes=0-9,0-9,0-9,0-9", 10, "parts 0-9"},
        {"bytes=0-,0-,-1", 18446744073709551615u, "parts 0-18446744073709551614"},
        {"bytes=10-", 10, "outside"},
        {"bytes=-0", 10, "outside"},
        {"bytes=10-20,-0", 10, "outside"},
        {"bytes=99999999999999999999999-", 10, "outside"},
        {"bytes=5-4", 10, "whole"},
        {"bytes=5", 10, "whole"},
        {"bytes=-", 10, "whole"},
        {"bytes=", 10, "whole"},
        {"bytes", 10, "whole"},
        {"", 10, "whole"},
        {"bytes=a-b", 10, "whole"},
        {"bytes=0-1,x", 10, "whole"},
        {"bytes=1-2-3", 10, "whole"},
        {"bytes=+1-2", 10, "whole"},
        {"bytes=0 -1", 10, "whole"},
        {"bytes=--1", 10, "whole"},
        {"lines=0-1", 10, "whole"},
        {"bytes=0-", 0, "whole"},
        {"bytes=-5", 0, "whole"},
        {"bytes =0-1", 10, "whole"},
        {"bytes=0-0,2-2,4-4,6-6", 10, "whole"},
        {"bytes=0-0;1-1", 10, "whole"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        static const char *const names[] = {"whole", "parts", "outside"};
        struct range parts[3];
        size_t n = 99;
        struct buf b;
        buf_init(&b, 400);
        enum range_found found = range_read(tap_guarded(slice_str(cases[i].text)), cases[i].length, parts, 3, &n);
        buf_add_str(&b, names[found]);
        CHECK(found == RANGE_PARTS || n == 0);
        for (size_t k = 0; k < n && k < 3; k++)
            buf_printf(&b, " %llu-%llu", (unsigned long long)parts[k].first, (unsigned long long)parts[k].last);
        if (!CHECK_TEXT(buf_slice(&b), slice_str(cases[i].want))) tap_note("case %s", cases[i].text);
        buf_release(&b);
    }
    struct buf many;
    struct range parts[3];
    size_t n;
    buf_init(&many, 4096);
    buf_add(&many, LIT("bytes="));
    for (int i = 0; i < RANGE_SPECS_MOST; i++) buf_add(&many, LIT("0-0,"));
    CHECK_INT(range_read(buf_slice(&many), 10, parts, 3, &n), RANGE_PARTS);
    buf_add(&many, LIT("0-0"));
    CHECK_INT(range_read(buf_slice(&many), 10, parts, 3, &n), RANGE_WHOLE);
    buf_release(&many);
}

TEST(content_range_goes_both_ways) {
    static const char *const good[] = {"bytes 0-499/1234", "bytes */1234", "bytes 0-499/*", "bytes 0-0/1", "bytes */0"};
    for (size_t i = 0; i < COUNT(good); i++) {
        struct range_content c;
        struct buf b;
        buf_init(&b, 100);
        CHECK(range_content_read(slice_str(good[i]), &c, NULL));
        CHECK(range_content_write(&b, &c, NULL));
        CHECK_TEXT(buf_slice(&b), slice_str(good[i]));
        buf_release(&b);
    }
    static const char *const wrong[] = {"",
                                        "bytes",
                                        "bytes ",
                                        "bytes */*",
                                        "bytes 0-499/499",
                                        "bytes 5-4/10",
                                        "bytes 0-4",
                                        "bytes 0/10",
                                        "bytes -4/10",
                                        "bytes 0-/10",
                                        "lines 0-4/10",
                                        "bytes=0-4/10",
                                        "bytes 0-4/x",
                                        "bytes 0-4/",
                                        "bytes 0-18446744073709551616/*",
                                        "bytes/10",
                                        "/"};
    struct range_content c;
    for (size_t i = 0; i < COUNT(wrong); i++)
        if (!CHECK(!range_content_read(slice_str(wrong[i]), &c, NULL))) tap_note("case %s", wrong[i]);
    struct buf b;
    buf_init(&b, 5);
    CHECK(!range_content_write(&b, &(struct range_content){0}, NULL));
    CHECK(!range_content_write(&b, &(struct range_content){.has_length = true}, NULL));
    CHECK_INT(b.len, 0);
    buf_release(&b);
}

TEST(times_of_rfc_3339_go_both_ways) {
    static const struct {
        const char *text;
        int64_t ms;
        bool same; /* written just so */
    } good[] = {
        {"1970-01-01T00:00:00.000Z", 0, true},
        {"1985-04-12T23:20:50.520Z", 482196050520, true}, /* RFC 3339 5.8, with one digit more */
        {"1985-04-12T23:20:50.52Z", 482196050520, false},
        {"1996-12-19T16:39:57-08:00", 851042397000, false},
        {"1990-12-31T23:59:60Z", 662688000000, false}, /* a leap second is the one behind it */
        {"1990-12-31T15:59:60-08:00", 662688000000, false},
        {"1937-01-01T12:00:27.87+00:20", -1041337172130, false},
        {"2024-02-29t00:00:00z", 1709164800000, false},
        {"0000-01-01T00:00:00.000Z", -62167219200000, true},
        {"9999-12-31T23:59:59.999Z", 253402300799999, true},
        {"2026-03-01T08:15:30.123456789Z", 1772352930123, false},
    };
    static const char *const bad[] = {"",
                                      "2026-03-01",
                                      "2026-03-01T08:15:30",
                                      "2026-03-01 08:15:30Z",
                                      "2026-02-29T08:15:30Z",
                                      "2026-13-01T08:15:30Z",
                                      "2026-03-01T24:15:30Z",
                                      "2026-03-01T08:15:61Z",
                                      "2026-03-01T08:15:30.Z",
                                      "2026-03-01T08:15:30+0100",
                                      "2026-03-01T08:15:30+24:00",
                                      "2026-03-01T08:15:30ZZ",
                                      "2026-3-01T08:15:30Z",
                                      "2026-03-01T08:15Z"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        int64_t ms = 1;
        uint8_t out[DATE_ISO_LEN];
        CHECK(date_read_iso(tap_guarded(slice_str(good[i].text)), &ms));
        CHECK_INT(ms, good[i].ms);
        CHECK(date_write_iso(good[i].ms, out));
        if (good[i].same) CHECK_TEXT(slice_of(out, sizeof out), slice_str(good[i].text));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t ms = 7;
        CHECK(!date_read_iso(tap_guarded(slice_str(bad[i])), &ms) && ms == 7);
    }
    uint8_t out[DATE_ISO_LEN];
    CHECK(!date_write_iso(253402300800000, out) && !date_write_iso(-62167219200001, out));
}

TAP_MAIN(T(times_of_rfc_3339_go_both_ways), T(forms_are_read_as_browsers_write_them),
         T(forms_are_written_and_read_back), T(cookies_are_read_as_browsers_send_them),
         T(cookies_are_written_strictly_and_read_back), T(set_cookie_is_read_by_the_forgiving_rules),
         T(dates_are_written_and_read_back), T(the_three_forms_of_dates_are_read_exactly),
         T(two_digit_years_are_at_most_fifty_years_ahead), T(cookie_dates_are_forgiven_much),
         T(ranges_are_held_against_the_length), T(content_range_goes_both_ways))
