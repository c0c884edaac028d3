/* verb.c - the grammar of verbs: each type at its edges, what is missing and what is too much, and that the reference page has
 * every row with every key. */
#include "warden/verb.h"

#include "lib/faults.h"
#include "lib/tap.h"
#include "warden/warden.h"

#include <stdio.h>

#define ARGS(list) .args = (list), .arg_n = sizeof(list) / sizeof(list)[0]

static bool accepts_val(const struct verb_arg *a, struct val v) {
    struct verb verb = {.name = "try", .args = a, .arg_n = 1};
    struct err e = ERR_INIT;
    struct val args = VAL_MAP_OF({a->key, v});
    bool good = verb_check(&verb, &args, 0, &e);
    val_unref(&args);
    if (!good) {
        CHECK_INT(e.code, ERR_INVALID);
        CHECK(strstr(e.text, "try: ") == e.text && strstr(e.text, a->key) != NULL); /* it says where */
    }
    return good;
}

static bool accepts(enum verb_type type, const char *text) {
    struct verb_arg a = {.key = "key", .type = type, .max = type == VERB_PATH ? 20 : 0, .words = "one two-b three"};
    return accepts_val(&a, val_of_str(text));
}

TEST(a_word_is_lower_case_short_and_begins_plainly) {
    static const char *const good[] = {"a",
                                       "0",
                                       "data",
                                       "web-2",
                                       "a.b_c-d",
                                       "9lives",
                                       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    static const char *const bad[] = {"",
                                      "A",
                                      "-a",
                                      "_a",
                                      ".a",
                                      "..",
                                      "a b",
                                      "a/b",
                                      "a\n",
                                      "\xc3\xa4",
                                      "aB",
                                      "a:",
                                      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) CHECK(accepts(VERB_WORD, good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) CHECK(!accepts(VERB_WORD, bad[i]));
    struct verb_arg a = {.key = "k", .type = VERB_WORD};
    CHECK(!accepts_val(&a, val_of_text(slice_of("a\0b", 3))));
    CHECK(!accepts_val(&a, val_of_bytes(LIT("a"))));
    CHECK(!accepts_val(&a, val_null()));
}

TEST(a_path_stays_beneath_its_root) {
    static const char *const good[] = {"a",    "a/b",   "a b",      ".hidden", "...",
                                       "a..b", "..a/b", "\xc3\xa4", "-",       "01234567890123456789"};
    static const char *const bad[] = {"",
                                      "/",
                                      "/a",
                                      "a/",
                                      "a//b",
                                      ".",
                                      "..",
                                      "../a",
                                      "a/..",
                                      "./a",
                                      "a/.",
                                      "a/./b",
                                      "a/../b",
                                      "a\n",
                                      "a\x1f",
                                      "a\x7f",
                                      "\xc2\x80",
                                      "\xc2\x9f",
                                      "012345678901234567890"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) CHECK(accepts(VERB_PATH, good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        bool taken = accepts(VERB_PATH, bad[i]);
        if (taken) tap_note("taken: %s", bad[i]);
        CHECK(!taken);
    }
    struct verb_arg a = {.key = "k", .type = VERB_PATH, .max = 20};
    CHECK(!accepts_val(&a, val_of_text(slice_of("a\0b", 3))));
    CHECK(accepts(VERB_PATH, "\xc2\xa0")); /* the first behind the control characters of UTF-8 */
}

TEST(an_address_is_one_of_the_network) {
    static const char *const good[] = {"127.0.0.1:0", "[::1]:65535", ":80", "*:80", "192.0.2.1:00080", "[fe80::1%1]:5"};
    static const char *const bad[] = {"",       "127.0.0.1", "unix:/a", "unix:",         "127.0.0.1:65536",
                                      "host:1", "[::1:1",    "1.2.3:4", "127.0.0.1:1\n", " :1"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) CHECK(accepts(VERB_ADDRESS, good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) CHECK(!accepts(VERB_ADDRESS, bad[i]));
}

TEST(one_of_is_exactly_one_of) {
    CHECK(accepts(VERB_ONE_OF, "one") && accepts(VERB_ONE_OF, "two-b") && accepts(VERB_ONE_OF, "three"));
    static const char *const bad[] = {"", " ", "on", "one ", "one two-b", "three\n", "ONE", "two"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) CHECK(!accepts(VERB_ONE_OF, bad[i]));
}

TEST(numbers_texts_and_bytes_keep_their_bounds) {
    struct verb_arg n = {.key = "n", .type = VERB_U64, .min = 3, .max = 10};
    CHECK(!accepts_val(&n, val_of_u64(2)) && accepts_val(&n, val_of_u64(3)));
    CHECK(accepts_val(&n, val_of_u64(10)) && !accepts_val(&n, val_of_u64(11)));
    CHECK(!accepts_val(&n, val_of_i64(-3)) && !accepts_val(&n, val_of_negative(UINT64_MAX)));
    CHECK(!accepts_val(&n, val_of_double(4.0)) && !accepts_val(&n, val_of_str("4")) &&
          !accepts_val(&n, val_of_bool(true)));
    struct verb_arg all = {.key = "n", .type = VERB_U64, .max = UINT64_MAX};
    CHECK(accepts_val(&all, val_of_u64(UINT64_MAX)) && accepts_val(&all, val_of_u64(0)));
    struct verb_arg text = {.key = "t", .type = VERB_TEXT, .min = 2, .max = 4};
    CHECK(!accepts_val(&text, val_of_str("a")) && accepts_val(&text, val_of_str("ab")));
    CHECK(accepts_val(&text, val_of_str("abcd")) && !accepts_val(&text, val_of_str("abcde")));
    CHECK(!accepts_val(&text, val_of_str("\xc3\xa4\xc3\xa4\xc3\xa4"))); /* bytes count, not letters */
    CHECK(!accepts_val(&text, val_of_str("a\tb")) && !accepts_val(&text, val_of_text(slice_of("a\0b", 3))));
    CHECK(!accepts_val(&text, val_of_bytes(LIT("ab"))));
    struct verb_arg lines = {.key = "l", .type = VERB_LINES, .max = 4};
    CHECK(accepts_val(&lines, val_of_str("a\nb\n")) && accepts_val(&lines, val_of_str("")));
    CHECK(!accepts_val(&lines, val_of_str("a\r\n")) && !accepts_val(&lines, val_of_str("a\nbcd")));
    CHECK(!accepts_val(&lines, val_of_text(slice_of("a\0b", 3))) && !accepts_val(&lines, val_of_bytes(LIT("ab"))));
    struct verb_arg bytes = {.key = "b", .type = VERB_BYTES, .min = 1, .max = 3};
    CHECK(!accepts_val(&bytes, val_of_bytes(LIT(""))) && accepts_val(&bytes, val_of_bytes(LIT("\x00\xff\n"))));
    CHECK(!accepts_val(&bytes, val_of_bytes(LIT("1234"))) && !accepts_val(&bytes, val_of_str("12")));
    struct verb_arg yes = {.key = "y", .type = VERB_BOOL};
    CHECK(accepts_val(&yes, val_of_bool(false)) && !accepts_val(&yes, val_of_u64(1)) && !accepts_val(&yes, val_null()));
}

static const struct verb_arg two[] = {
    {.key = "must", .type = VERB_U64, .max = 9},
    {.key = "may", .type = VERB_BOOL, .optional = true},
};
static const struct verb row = {.name = "row", ARGS(two), .fds = 1};

static bool checks(struct val args, unsigned fds, const char *why) {
    struct err e = ERR_INIT;
    bool good = verb_check(&row, &args, fds, &e);
    val_unref(&args);
    if (!good && !strstr(e.text, why)) tap_note("%s", e.text);
    return good ? !why[0] : why[0] && strstr(e.text, why) != NULL;
}

TEST(what_is_missing_or_too_much_is_named) {
    CHECK(checks(VAL_MAP_OF({"must", val_of_u64(1)}), 1, ""));
    CHECK(checks(VAL_MAP_OF({"may", val_of_bool(true)}, {"must", val_of_u64(1)}), 1, ""));
    CHECK(checks(VAL_MAP_OF({"may", val_of_bool(true)}), 1, "\"must\" is missing"));
    CHECK(checks(val_empty_map(), 1, "\"must\" is missing"));
    CHECK(checks(VAL_MAP_OF({"must", val_of_u64(1)}, {"other", val_null()}), 1, "no argument \"other\""));
    CHECK(checks(VAL_MAP_OF({"must", val_of_u64(1)}, {"bad\nkey", val_null()}), 1, "a key that is no argument"));
    CHECK(checks(VAL_MAP_OF({"must", val_of_u64(1)}, {"mus", val_null()}), 1, "no argument \"mus\""));
    CHECK(checks(VAL_MAP_OF({"must", val_null()}), 1, "found null")); /* null is a value, not absence */
    CHECK(checks(val_empty_array(), 1, "want a map"));
    CHECK(checks(val_null(), 1, "want a map"));
    CHECK(checks(VAL_MAP_OF({"must", val_of_u64(1)}), 0, "want 1 descriptors with it, found 0"));
    CHECK(checks(VAL_MAP_OF({"must", val_of_u64(1)}), 2, "want 1 descriptors with it, found 2"));
    struct val odd = val_empty_map();
    CHECK(val_set(&odd, val_of_u64(7), val_of_u64(7)) && val_set_str(&odd, "must", val_of_u64(1)));
    CHECK(checks(odd, 1, "a key that is no argument"));
}

TEST(an_error_never_repeats_what_was_given) {
    static const enum verb_type types[] = {VERB_TEXT, VERB_LINES, VERB_BYTES, VERB_U64,
                                           VERB_BOOL, VERB_WORD,  VERB_PATH,  VERB_ONE_OF};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        struct verb_arg a = {.key = "password", .type = types[i], .max = 3, .words = "x"};
        struct verb verb = {.name = "try", .args = &a, .arg_n = 1};
        for (int k = 0; k < 2; k++) {
            struct val secret = k ? val_of_bytes(LIT("Hunter2/../SECRET")) : val_of_str("Hunter2/../SECRET");
            struct val args = VAL_MAP_OF({"password", secret});
            struct err e = ERR_INIT;
            CHECK(!verb_check(&verb, &args, 0, &e));
            CHECK(!strstr(e.text, "Hunter") && !strstr(e.text, "SECRET"));
            val_unref(&args);
        }
    }
}

TEST(a_row_is_found_by_its_whole_name) {
    static const struct verb rows[] = {{.name = "clock.get"}, {.name = "clock"}, {.name = "listen"}};
    CHECK(verb_find(rows, 3, LIT("clock")) == &rows[1]);
    CHECK(verb_find(rows, 3, LIT("listen")) == &rows[2]);
    CHECK(!verb_find(rows, 3, LIT("listen ")) && !verb_find(rows, 3, LIT("")) && !verb_find(rows, 3, LIT("clock.")));
    CHECK(!verb_find(rows, 2, LIT("listen")) && !verb_find(rows, 3, slice_of("listen\0", 7)));
}

/* --- the reference page --- */

/* The part of the page from this verb's heading to the next. */
static struct slice find_section(struct slice page, const char *name) {
    char head[100];
    snprintf(head, sizeof head, "\n### %s\n", name);
    for (size_t i = 0; i + strlen(head) <= page.len; i++) {
        struct slice rest = slice_skip(page, i);
        if (!slice_starts(rest, slice_str(head))) continue;
        rest = slice_skip(rest, strlen(head));
        size_t n = 0;
        while (n < rest.len && !slice_starts(slice_skip(rest, n), LIT("\n### ")) &&
               !slice_starts(slice_skip(rest, n), LIT("\n## ")))
            n++;
        return slice_head(rest, n);
    }
    return slice_of("", 0);
}

static bool contains(struct slice s, const char *text) {
    for (size_t i = 0; i < s.len; i++)
        if (slice_starts(slice_skip(s, i), slice_str(text))) return true;
    return false;
}

TEST(the_reference_page_has_every_verb_with_every_argument) {
    struct slice page = tap_file("docs/warden.md");
    unsigned n = 0;
    for (const struct verb *v; (v = warden_verb(n)); n++) {
        struct slice section = find_section(page, v->name);
        char text[100];
        if (!section.len) tap_note("docs/warden.md has no heading for %s", v->name);
        CHECK(section.len > 0);
        CHECK(v->about && contains(section, v->about));
        for (unsigned i = 0; i < v->arg_n; i++) {
            snprintf(text, sizeof text, "`%s`%s", v->args[i].key, v->args[i].optional ? "?" : " ");
            if (!contains(section, text)) tap_note("%s: no argument %s", v->name, text);
            CHECK(contains(section, text));
        }
        snprintf(text, sizeof text, "%llu s", (unsigned long long)v->most_ms / 1000);
        CHECK(contains(section, v->most_ms ? text : "at once"));
        CHECK(contains(section, v->who == VERB_JOB ? "job" : "warden"));
    }
    CHECK_INT(n, 16);
    /* And nothing that is not there. */
    unsigned headings = 0;
    for (size_t i = 0; i < page.len; i++) headings += slice_starts(slice_skip(page, i), LIT("\n### "));
    CHECK_INT(headings, n);
    tap_free(page);
}

static bool check_row(void *arg) {
    (void)arg;
    struct err e = ERR_INIT;
    struct val args = VAL_MAP_OF({"must", val_of_u64(1)}, {"may", val_of_bool(true)});
    bool good = !val_is_none(&args) && verb_check(&row, &args, 1, &e);
    val_unref(&args);
    return good;
}

TEST(a_check_survives_a_lack_of_memory) {
    CHECK(faults_sweep(check_row, NULL, "a check"));
}

TAP_MAIN(T(a_word_is_lower_case_short_and_begins_plainly), T(a_path_stays_beneath_its_root),
         T(an_address_is_one_of_the_network), T(one_of_is_exactly_one_of), T(numbers_texts_and_bytes_keep_their_bounds),
         T(what_is_missing_or_too_much_is_named), T(an_error_never_repeats_what_was_given),
         T(a_row_is_found_by_its_whole_name), T(the_reference_page_has_every_verb_with_every_argument),
         T(a_check_survives_a_lack_of_memory))
