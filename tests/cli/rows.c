/* rows.c - what every row of the daemon must look like, so that help, manual and pages read well: one sentence, plain names, words of
 * the command line in an order that can be typed. Each rule is tried on what breaks it as well. */
#include "base/ascii.h"
#include "cli/start_room.h"
#include "lib/tap.h"
#include "rpc/shapes.h"
#include "startd/tables.h"

static const struct shape list_shape = {.kind = SHAPE_LIST};
SHAPE_RECORD_OF(move_params, {.name = "name", .shape = &shape_text},
                {.name = "allWays", .shape = &list_shape, .fallback = "[]"}, {.name = "ways", .shape = &list_shape},
                {.name = "fast", .shape = &shape_bool, .optional = true});

static const struct method *startd[STARTD_ROWS];

/* Every row is held against a rule; those that break it are named. */
static bool all_rows(bool (*rule)(const struct method *m)) {
    size_t n = startd_rows(startd), bad = 0;
    for (size_t i = 0; i < n; i++) {
        if (rule(startd[i])) continue;
        tap_note("the method %s", startd[i]->name);
        bad++;
    }
    return n && !bad;
}

static bool is_sentence(const char *text) {
    size_t n = text ? strlen(text) : 0;
    if (n < 2 || text[n - 1] != '.' || ascii_is_blank((uint8_t)text[0])) return false;
    if ((uint8_t)text[0] >= 'a' && (uint8_t)text[0] <= 'z') return false;
    for (size_t i = 0; i + 1 < n; i++)
        if (strchr(".!?\n", text[i]) && (text[i] == '\n' || text[i + 1] == ' ')) return false;
    return true;
}

static bool has_sentences(const struct method *m) {
    bool good = is_sentence(m->about);
    for (unsigned i = 0; m->params && i < m->params->field_n; i++) {
        const struct shape_field *f = &m->params->fields[i];
        if (is_sentence(f->about)) continue;
        tap_note("%s: %s", f->name, f->about ? f->about : "(none)");
        good = false;
    }
    return good;
}

TEST(a_sentence_is_told_from_none) {
    CHECK(is_sentence("Shows the tree, or a part of it."));
    CHECK(is_sentence("Its language, like en_US."));
    CHECK(is_sentence("JSON 1.0 is taken."));
    CHECK(!is_sentence("No stop"));
    CHECK(!is_sentence("One. Two."));
    CHECK(!is_sentence("no capital."));
    CHECK(!is_sentence("Two\nlines."));
    CHECK(!is_sentence("."));
    CHECK(!is_sentence(NULL));
}

TEST(every_row_and_parameter_has_one_sentence) {
    CHECK(all_rows(has_sentences));
}

/* Words of small letters and digits with a dash between them. */
static bool is_kebab(struct slice name) {
    bool dash = true;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!letter && (dash || c != '-')) return false;
        dash = !letter;
    }
    return !dash;
}

static bool is_path(struct slice name) {
    bool good = name.len != 0;
    while (name.len) good = is_kebab(slice_cut(&name, '.')) && good;
    return good;
}

static bool has_names(const struct method *m) {
    char flag[80];
    bool good = is_path(slice_str(m->name));
    struct slice aliases = slice_str(m->aliases ? m->aliases : "");
    while (aliases.len) good = is_path(slice_cut(&aliases, ' ')) && good;
    for (unsigned i = 0; m->params && i < m->params->field_n; i++) {
        start_flag(m->params->fields[i].name, flag, sizeof flag);
        good = is_kebab(slice_str(flag)) && good;
    }
    return good;
}

TEST(every_name_and_flag_is_of_small_words) {
    CHECK(is_kebab(LIT("set-hostname")) && is_kebab(LIT("x1")) && is_path(LIT("a.b-c")));
    CHECK(!is_kebab(LIT("-a")) && !is_kebab(LIT("a-")) && !is_kebab(LIT("a--b")) && !is_kebab(LIT("aB")));
    CHECK(!is_kebab(LIT("a_b")) && !is_kebab(LIT("")) && !is_path(LIT("a..b")));
    CHECK(all_rows(has_names));
}

/* Required ones before those that may be left out, each one a parameter and once; only the last takes several words. */
static bool has_words(const struct method *m) {
    struct slice words = slice_str(m->words ? m->words : "");
    bool lacks_one = false, list = false;
    while (words.len) {
        struct slice word = slice_cut(&words, ' '), rest = words;
        const struct shape_field *f = m->params ? shape_field(m->params, word) : NULL;
        bool lack = f && (f->optional || f->fallback);
        if (!f || list || (lacks_one && !lack)) return false;
        while (rest.len)
            if (slice_eq(slice_cut(&rest, ' '), word)) return false;
        lacks_one = lack;
        list = f->shape && f->shape->kind == SHAPE_LIST;
    }
    return true;
}

TEST(required_words_come_first) {
    static const struct method good = {.params = &move_params, .words = "name allWays"},
                               turned = {.params = &move_params, .words = "allWays name"},
                               twice = {.params = &move_params, .words = "name name"},
                               late = {.params = &move_params, .words = "fast name"},
                               behind = {.params = &move_params, .words = "ways fast"},
                               none = {.params = &move_params, .words = "frob"}, plain = {.name = "plain"};
    CHECK(has_words(&good) && has_words(&plain));
    CHECK(!has_words(&turned) && !has_words(&twice) && !has_words(&late) && !has_words(&behind) && !has_words(&none));
    CHECK(all_rows(has_words));
}

static bool is_good(const struct method *m) {
    struct err e = ERR_INIT;
    if (method_check(m, &e)) return true;
    tap_note("%s", e.text);
    return false;
}

TEST(every_row_is_one) {
    CHECK(all_rows(is_good));
}

TAP_MAIN(T(a_sentence_is_told_from_none), T(every_row_and_parameter_has_one_sentence),
         T(every_name_and_flag_is_of_small_words), T(required_words_come_first), T(every_row_is_one))
