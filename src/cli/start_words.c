/* start_words.c - see start_words.h. */
#include "cli/start_words.h"

#define WANT_MOST 300 /* bytes of what a parameter wants */

static const struct word {
    const char *key, *english;
} words[START_WORD_N] = {
#define X(name, key, english) [name] = {"cli." key, english},
    START_WORDS(X)
#undef X
};

const char *start_word_key(enum start_word word) {
    return words[word].key;
}
const char *start_word_english(enum start_word word) {
    return words[word].english;
}
const char *start_say(enum words_language language, enum start_word word) {
    return words_say(language, words[word].key, words[word].english);
}

void start_fill(struct buf *out, enum words_language language, enum start_word word, struct slice what) {
    const char *text = start_say(language, word), *place = strstr(text, "%s");
    if (!place) {
        buf_add_str(out, text);
        return;
    }
    buf_add(out, slice_of(text, (size_t)(place - text)));
    buf_add(out, what);
    buf_add_str(out, place + 2);
}

static enum start_word kind_word(const struct shape *s) {
    switch (s->kind) {
    case SHAPE_ANY: return START_WANT_ANY;
    case SHAPE_BOOL: return START_WANT_BOOL;
    case SHAPE_INT: return START_WANT_INT;
    case SHAPE_NUMBER: return START_WANT_NUMBER;
    case SHAPE_TEXT: return START_WANT_TEXT;
    case SHAPE_BYTES: return START_WANT_BYTES;
    case SHAPE_WORD: return START_WANT_ONE_OF;
    case SHAPE_LIST: return START_WANT_LIST;
    case SHAPE_MAP:
    case SHAPE_RECORD:
    case SHAPE_TAGGED: break;
    }
    return START_WANT_MAP;
}

/* "(1..65535)", "(<= 64 Byte)". `count`: of what is counted, where a lower bound of 0 says nothing. */
static void add_bounds(struct buf *out, const struct shape *s, bool count, const char *unit) {
    bool low = s->min != INT64_MIN && !(count && s->min == 0), high = s->max != INT64_MAX;
    if ((!s->min && !s->max) || (!low && !high)) return;
    buf_add_str(out, low && high ? " (" : low ? " (>= " : " (<= ");
    buf_i64(out, low ? s->min : s->max);
    if (low && high && s->min != s->max) {
        buf_add_str(out, "..");
        buf_i64(out, s->max);
    }
    if (unit) buf_printf(out, " %s", unit);
    buf_byte(out, ')');
}

void start_want(struct buf *out, enum words_language language, const struct shape *s) {
    if (language == WORDS_EN) {
        shape_say(s, out);
        return;
    }
    struct buf plain;
    buf_init(&plain, WANT_MOST);
    bool text = s->kind == SHAPE_TEXT || s->kind == SHAPE_BYTES,
         number = s->kind == SHAPE_INT || s->kind == SHAPE_NUMBER;
    start_fill(&plain, language, kind_word(s), slice_str(s->kind == SHAPE_WORD ? s->words : ""));
    if (text || number || s->kind == SHAPE_LIST || s->kind == SHAPE_MAP)
        add_bounds(&plain, s, !number, text ? start_say(language, START_WANT_UNIT) : NULL);
    if (s->null && s->kind != SHAPE_ANY)
        start_fill(out, language, START_WANT_NULL, buf_slice(&plain));
    else
        buf_add(out, buf_slice(&plain));
    if (!buf_ok(&plain)) out->fault = plain.fault;
    buf_release(&plain);
}
