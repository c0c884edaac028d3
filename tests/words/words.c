/* words.c - the words of every language against what there is to say: nothing missing, nothing left over, in the form of the English.
 * Each rule is tried on what breaks it as well. */
#include "base/utf8.h"
#include "cli/start_words.h"
#include "lib/faults.h"
#include "lib/tap.h"
#include "protocols/jsonrpc.h"
#include "startd/tables.h"
#include "words/room.h"

#include <stdio.h>

#define WANTED_MOST 8192
#define KEY_MOST    160

/* Everything that is said, with its English. */
static struct wanted {
    char key[KEY_MOST];
    const char *english;
} wanted[WANTED_MOST];
static size_t wanted_n;

static bool want(const char *english, const char *head, const char *middle, const char *tail) {
    struct wanted *w = &wanted[wanted_n];
    int n = wanted_n < WANTED_MOST ? snprintf(w->key, KEY_MOST, "%s%s%s", head, middle, tail) : KEY_MOST;
    if (n >= KEY_MOST || !english) return false;
    w->english = english;
    wanted_n++;
    return true;
}

static bool want_code(enum err_code code) {
    char name[KEY_MOST];
    size_t n = 0;
    for (const char *c = err_name(code) + 4; *c; c++) name[n++] = (char)(*c == '_' ? '-' : *c >= 'A' ? *c | 32 : *c);
    name[n] = 0;
    return want(err_label(code), "error.", name, "");
}

/* Rows without a sentence are tests/cli/rows' concern; here they say nothing. */
static bool want_all(void) {
    static const struct method *rows[STARTD_ROWS];
    bool good = true;
    size_t n = startd_rows(rows);
    wanted_n = 0;
    for (size_t i = 0; i < n; i++) {
        const struct method *m = rows[i];
        good = (!m->about || want(m->about, "about.", m->name, "")) && good;
        for (unsigned k = 0; m->params && k < m->params->field_n; k++) {
            char tail[KEY_MOST];
            snprintf(tail, sizeof tail, ".%s", m->params->fields[k].name);
            good = (!m->params->fields[k].about || want(m->params->fields[k].about, "help.", m->name, tail)) && good;
        }
    }
    for (int i = ERR_NONE + 1; i < ERR_CODE_N; i++) good = want_code((enum err_code)i) && good;
    for (int i = 0; i < START_WORD_N; i++)
        good = want(start_word_english((enum start_word)i), start_word_key((enum start_word)i), "", "") && good;
    return good && n && wanted_n > n;
}

static const char *const names[WORDS_LANGUAGE_N] = {"English", "German", "Spanish", "French", "Polish"};

/* The next entry of a table, without its zero byte; false: there is none, or the rest of the table is no entry (*table is not empty). */
static bool next_entry(struct slice *table, struct slice *key, struct slice *text) {
    size_t n = slice_find(*table, 0);
    if (n == table->len) return false;
    *text = slice_head(*table, n);
    if (slice_find(*text, '=') == n) return false;
    *table = slice_skip(*table, n + 1);
    *key = slice_cut(text, '=');
    return true;
}

static bool is_table(struct slice table) {
    struct slice key, text, before = {0};
    while (next_entry(&table, &key, &text)) {
        if (!key.len || !text.len || (before.ptr && slice_cmp(before, key) >= 0)) {
            tap_note("at %.*s", (int)key.len, (const char *)key.ptr);
            return false;
        }
        before = key;
    }
    return !table.len;
}

TEST(every_table_is_sorted_and_has_each_key_once) {
    CHECK(is_table(LIT("a=x\0a.b=y\0b=z\0")) && is_table(LIT("")) && is_table(LIT("a-b=x\0a.b=x\0")));
    CHECK(!is_table(LIT("b=x\0a=y\0")));
    CHECK(!is_table(LIT("a=x\0a=y\0")));
    CHECK(!is_table(LIT("a.b=x\0a=x\0")));
    CHECK(!is_table(LIT("a=x\0b\0")) && !is_table(LIT("a=x\0b=y")) && !is_table(LIT("=x\0")) && !is_table(LIT("a=\0")));
    for (unsigned l = WORDS_EN + 1; l < WORDS_LANGUAGE_N; l++) {
        CHECK(words_table((enum words_language)l).len);
        CHECK(is_table(words_table((enum words_language)l)));
    }
}

/* One line of UTF-8 that neither begins nor ends with a blank. */
static bool is_line(struct slice text) {
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < 0x20 || text.ptr[i] == 0x7f) return false;
    return text.len && utf8_ok(text) && slice_trim(text).len == text.len;
}

TEST(every_text_is_one_line_of_utf8) {
    CHECK(is_line(LIT("\xc5\xbb\xc3\xb3\xc5\x82w.")) && is_line(LIT("a b")));
    CHECK(!is_line(LIT("\xff")) && !is_line(LIT("\xc5")) && !is_line(LIT("a\n")) && !is_line(LIT("a\x7f")));
    CHECK(!is_line(LIT("a ")) && !is_line(LIT(" a")) && !is_line(LIT("")));
    for (unsigned l = WORDS_EN + 1; l < WORDS_LANGUAGE_N; l++) {
        struct slice table = words_table((enum words_language)l), key, text;
        while (next_entry(&table, &key, &text))
            if (!CHECK(is_line(text))) tap_note("%s: %.*s", names[l], (int)key.len, (const char *)key.ptr);
    }
}

TEST(no_key_is_missing) {
    CHECK(want_all());
    for (unsigned l = WORDS_EN + 1; l < WORDS_LANGUAGE_N; l++)
        for (size_t i = 0; i < wanted_n; i++)
            if (!words_say((enum words_language)l, wanted[i].key, NULL)) {
                CHECK(!"there are words");
                tap_note("%s has no words for %s: %s", names[l], wanted[i].key, wanted[i].english);
            }
}

static bool is_wanted(struct slice key) {
    for (size_t i = 0; i < wanted_n; i++)
        if (slice_eq(key, slice_str(wanted[i].key))) return true;
    return false;
}

TEST(no_key_is_left_over) {
    CHECK(want_all());
    CHECK(is_wanted(LIT("about.echo")) && is_wanted(LIT("help.echo.message")) && is_wanted(LIT("error.rpc-parse")));
    CHECK(is_wanted(LIT("cli.want.null")) && !is_wanted(LIT("about.ech")) && !is_wanted(LIT("help.echo")));
    for (unsigned l = WORDS_EN + 1; l < WORDS_LANGUAGE_N; l++) {
        struct slice table = words_table((enum words_language)l), key, text;
        while (next_entry(&table, &key, &text))
            if (!CHECK(is_wanted(key)))
                tap_note("%s: nothing has the key %.*s", names[l], (int)key.len, (const char *)key.ptr);
    }
}

/* The placeholders of a text, in order: "%s", and the bytes of whatever else follows a percent sign. */
static void list_places(const char *text, char out[64]) {
    size_t n = 0;
    for (; (text = strchr(text, '%')) && n + 3 < 64; text++) {
        out[n++] = '%';
        if (text[1]) out[n++] = *++text;
    }
    out[n] = 0;
}

static bool has_stop(const char *text) {
    size_t n = strlen(text);
    return n && text[n - 1] == '.';
}

/* Whether two texts end alike and take the same things. */
static bool is_alike(const char *english, const char *text) {
    char one[64], other[64];
    list_places(english, one);
    list_places(text, other);
    return has_stop(english) == has_stop(text) && !strcmp(one, other);
}

TEST(texts_end_as_the_english_do_and_take_the_same) {
    CHECK(is_alike("Default: %s.", "Vorgabe: %s.") && is_alike("a", "b"));
    CHECK(!is_alike("A.", "B") && !is_alike("A", "B."));
    CHECK(!is_alike("%s", "a") && !is_alike("%s", "%d") && !is_alike("a", "%s") && !is_alike("%s", "%s %s"));
    CHECK(!is_alike("a", "%"));
    CHECK(want_all());
    for (unsigned l = WORDS_EN + 1; l < WORDS_LANGUAGE_N; l++)
        for (size_t i = 0; i < wanted_n; i++)
            if (!CHECK(
                    is_alike(wanted[i].english, words_say((enum words_language)l, wanted[i].key, wanted[i].english))))
                tap_note("%s: %s", names[l], wanted[i].key);
}

/* What may be the same in two languages; the rest is forgotten when it is. */
TEST(hardly_a_text_is_the_english_one) {
    static const char *const same[] = {"json, json-pretty, yaml or table"};
    CHECK(want_all());
    for (unsigned l = WORDS_EN + 1; l < WORDS_LANGUAGE_N; l++) {
        size_t equal = 0;
        for (size_t i = 0; i < wanted_n; i++) {
            bool known = false;
            for (size_t k = 0; k < sizeof same / sizeof same[0]; k++)
                known = known || !strcmp(same[k], wanted[i].english);
            const char *text = words_say((enum words_language)l, wanted[i].key, wanted[i].english);
            equal += !known && !strcmp(text, wanted[i].english);
        }
        if (!CHECK(equal * 20 <= wanted_n)) tap_note("%s: %zu of %zu", names[l], equal, wanted_n);
    }
}

TEST(every_entry_is_found_and_nothing_beside_it) {
    char key[KEY_MOST + 2];
    for (unsigned l = WORDS_EN + 1; l < WORDS_LANGUAGE_N; l++) {
        enum words_language language = (enum words_language)l;
        struct slice table = words_table(language), name, text;
        while (next_entry(&table, &name, &text)) {
            snprintf(key, sizeof key, "%.*s", (int)name.len, (const char *)name.ptr);
            CHECK(words_say(language, key, "x") == (const char *)text.ptr);
            snprintf(key, sizeof key, "%.*s!", (int)name.len, (const char *)name.ptr); /* sorts right behind it */
            CHECK(!words_say(language, key, NULL));
            key[name.len] = 0;
            key[name.len - 1]--; /* and before it */
            CHECK(!words_say(language, key, NULL) || is_wanted(slice_str(key)));
        }
        CHECK(!words_say(language, "", NULL) && !words_say(language, "zzz", NULL) &&
              !words_say(language, "about", NULL));
        CHECK(!words_say(language, "about.echo=", NULL));
    }
    const char *english = "Says what it was told.";
    CHECK(words_say(WORDS_EN, "about.echo", english) == english);
    CHECK(words_say(WORDS_LANGUAGE_N, "about.echo", english) == english);
}

TEST(a_language_is_known_by_its_first_part) {
    static const struct {
        const char *tag;
        enum words_language language;
    } rows[] = {{"en_US", WORDS_EN},       {"de_DE", WORDS_DE},    {"es_ES", WORDS_ES},
                {"fr_FR", WORDS_FR},       {"pl_PL", WORDS_PL},    {"pl_PL.UTF-8", WORDS_PL},
                {"pl", WORDS_PL},          {"pl-PL", WORDS_PL},    {"de_AT@euro", WORDS_DE},
                {"de@x", WORDS_DE},        {"fr.UTF-8", WORDS_FR}, {"DE", WORDS_DE},
                {"en_GB.UTF-8", WORDS_EN}, {"C", WORDS_EN},        {"C.UTF-8", WORDS_EN},
                {"POSIX", WORDS_EN},       {"", WORDS_EN},         {"d", WORDS_EN},
                {"deu", WORDS_EN},         {"xx_PL", WORDS_EN},    {"_de", WORDS_EN}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct slice tag = tap_guarded(slice_str(rows[i].tag));
        if (!CHECK_INT(words_from_tag(tag), rows[i].language)) tap_note("%s", rows[i].tag);
    }
    CHECK_INT(words_from_tag(LIT("pl\0xx")), WORDS_PL);
    CHECK_INT(words_from_tag(slice_of(NULL, 0)), WORDS_EN);
}

TEST(an_error_has_its_label_in_every_language) {
    for (int i = ERR_NONE; i < ERR_CODE_N; i++)
        CHECK(words_label(WORDS_EN, (enum err_code)i) == err_label((enum err_code)i));
    CHECK(!strcmp(words_label(WORDS_DE, ERR_NOT_FOUND), "Nicht gefunden"));
    CHECK(!strcmp(words_label(WORDS_PL, ERR_UTF8), words_say(WORDS_PL, "error.utf8", "")));
    CHECK(!strcmp(words_label(WORDS_FR, ERR_RPC_PARSE), words_say(WORDS_FR, "error.rpc-parse", "")));
    CHECK(!strcmp(words_label(WORDS_ES, ERR_NONE), "No error")); /* nobody is told of it */
}

TEST(a_label_goes_into_the_message_and_the_details_stay) {
    struct buf out;
    struct err e = ERR_INIT, why = ERR_INIT;
    buf_init(&out, 1000);
    err_set(&why, ERR_NOT_FOUND, "no such thing");
    CHECK(jsonrpc_write_err_as(&out, &why, LIT("Nicht gefunden"), NULL, NULL, JSON_COMPACT, &e));
    CHECK_TEXT(buf_slice(&out),
               LIT("{\"jsonrpc\":\"2.0\",\"error\":{\"code\":6,\"message\":\"Nicht gefunden\",\"data\":"
                   "{\"details\":\"no such thing\",\"debug\":\"no such thing\",\"info\":null}},"
                   "\"id\":null}"));
    buf_reset(&out);
    err_set(&why, ERR_RPC_METHOD, "%s", "");
    CHECK(jsonrpc_write_err_as(&out, &why, LIT("Methode nicht gefunden"), NULL, NULL, JSON_COMPACT, &e));
    CHECK_TEXT(buf_slice(&out),
               LIT("{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32601,\"message\":\"Method not found\"},\"id\":null}"));
    buf_release(&out);
}

static void check_want(const struct shape *shape, const char *german) {
    struct buf out;
    buf_init(&out, 300);
    start_want(&out, WORDS_DE, shape);
    CHECK_TEXT(buf_slice(&out), slice_str(german));
    buf_release(&out);
}

TEST(what_a_parameter_wants_is_said_with_its_bounds) {
    check_want(&(struct shape){.kind = SHAPE_ANY, .null = true}, "beliebig");
    check_want(&(struct shape){.kind = SHAPE_BOOL}, "true oder false");
    check_want(&(struct shape){.kind = SHAPE_TEXT}, "Text");
    check_want(&(struct shape){.kind = SHAPE_TEXT, .max = 64, .null = true}, "Text (<= 64 Byte) oder null");
    check_want(&(struct shape){.kind = SHAPE_BYTES, .min = 32, .max = 32}, "Bytefolge (32 Byte)");
    check_want(&(struct shape){.kind = SHAPE_INT, .min = 1, .max = 65535}, "ganze Zahl (1..65535)");
    check_want(&(struct shape){.kind = SHAPE_INT, .min = 0, .max = 9}, "ganze Zahl (0..9)");
    check_want(&(struct shape){.kind = SHAPE_INT, .min = INT64_MIN, .max = INT64_MAX}, "ganze Zahl");
    check_want(&(struct shape){.kind = SHAPE_NUMBER, .min = INT64_MIN, .max = -1}, "Zahl (<= -1)");
    check_want(&(struct shape){.kind = SHAPE_LIST, .min = 1, .max = INT64_MAX}, "Liste (>= 1)");
    check_want(&(struct shape){.kind = SHAPE_WORD, .words = "a b"}, "eines von a b");
    check_want(&(struct shape){.kind = SHAPE_MAP, .max = 3}, "Zuordnung (<= 3)");
    check_want(&(struct shape){.kind = SHAPE_RECORD}, "Zuordnung");
}

TEST(a_text_takes_what_belongs_into_it) {
    struct buf out;
    buf_init(&out, 300);
    start_fill(&out, WORDS_DE, START_DEFAULT, LIT("100%s"));
    CHECK_TEXT(buf_slice(&out), LIT("Vorgabe: 100%s."));
    buf_reset(&out);
    start_fill(&out, WORDS_EN, START_FINAL, LIT("unused"));
    CHECK_TEXT(buf_slice(&out), LIT("It cannot be undone."));
    buf_release(&out);
}

static bool say_want(void *arg) {
    static const struct shape shape = {.kind = SHAPE_TEXT, .max = 64, .null = true};
    struct buf out;
    (void)arg;
    buf_init(&out, 300);
    start_want(&out, WORDS_PL, &shape);
    bool good = buf_ok(&out);
    buf_release(&out);
    return good;
}

TEST(without_memory_nothing_is_half_said) {
    CHECK(faults_sweep(say_want, NULL, "what a parameter wants"));
}

TAP_MAIN(T(every_table_is_sorted_and_has_each_key_once), T(every_text_is_one_line_of_utf8), T(no_key_is_missing),
         T(no_key_is_left_over), T(texts_end_as_the_english_do_and_take_the_same), T(hardly_a_text_is_the_english_one),
         T(every_entry_is_found_and_nothing_beside_it), T(a_language_is_known_by_its_first_part),
         T(an_error_has_its_label_in_every_language), T(a_label_goes_into_the_message_and_the_details_stay),
         T(what_a_parameter_wants_is_said_with_its_bounds), T(a_text_takes_what_belongs_into_it),
         T(without_memory_nothing_is_half_said))
