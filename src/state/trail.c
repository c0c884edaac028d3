/* trail.c - see trail.h. */
#include "state/trail.h"

#include "base/ascii.h"
#include "base/num.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define PLACE_SHOWN 112 /* characters of a place: a sentence of ERR_TEXT bytes has room for the rest */
#define PLACE_RAW   360 /* bytes of a pointer that are looked at, from its end */
#define TEXT_SHOWN  40  /* bytes of a text that was found */

struct trail trail_entry(const struct trail *up, const struct val *key) {
    return (struct trail){up, key->kind == VAL_TEXT ? val_as_text(key) : LIT("*"), 0};
}
struct trail trail_element(const struct trail *up, size_t index) {
    return (struct trail){up, {NULL, 0}, index};
}

static size_t shown_len(uint8_t c) {
    return ascii_is_print(c) && c != '"' && c != '\\' ? 1 : 4;
}

/* Room for four characters and the NUL at least. */
static char *show_byte(char *out, uint8_t c) {
    static const char hex[] = "0123456789abcdef";
    if (shown_len(c) == 1)
        *out++ = (char)c;
    else {
        *out++ = '\\';
        *out++ = 'x';
        *out++ = hex[c >> 4];
        *out++ = hex[c & 15];
    }
    return out;
}

/* All of it when that takes at most `most` characters, else both ends of it; only its end when the start was lost
 * before. */
static void show_place(char *out, struct slice s, size_t most, bool cut) {
    size_t all = 0, i = 0;
    for (size_t k = 0; k < s.len; k++) all += shown_len(s.ptr[k]);
    if (cut || all > most) {
        size_t half = cut ? 0 : most / 2, left = most - 3 - half, used = 0;
        for (; i < s.len && used + shown_len(s.ptr[i]) <= half; i++) {
            used += shown_len(s.ptr[i]);
            out = show_byte(out, s.ptr[i]);
        }
        memcpy(out, "...", 3);
        out += 3;
        i = s.len;
        for (used = 0; i > 0 && used + shown_len(s.ptr[i - 1]) <= left; i--) used += shown_len(s.ptr[i - 1]);
    }
    for (; i < s.len; i++) out = show_byte(out, s.ptr[i]);
    *out = 0;
}

/* Fills from the back. */
struct back {
    uint8_t raw[PLACE_RAW];
    size_t at; /* first byte in use */
    bool cut;
};

static void put_back(struct back *b, const void *bytes, size_t len) {
    if (len > b->at) {
        b->cut = true;
        bytes = (const uint8_t *)bytes + (len - b->at);
        len = b->at;
    }
    b->at -= len;
    if (len) memcpy(b->raw + b->at, bytes, len);
}

static void put_part_back(struct back *b, struct slice key) {
    for (size_t i = key.len; i > 0 && !b->cut; i--) {
        uint8_t c = key.ptr[i - 1];
        if (c == '~')
            put_back(b, "~0", 2);
        else if (c == '/')
            put_back(b, "~1", 2);
        else
            put_back(b, &c, 1);
    }
}

const char *trail_place(char out[TRAIL_PLACE], struct slice base, const struct trail *at) {
    struct back b = {.at = PLACE_RAW};
    for (; at && !b.cut; at = at->up) {
        uint8_t digits[NUM_U64_MAX];
        if (at->key.ptr)
            put_part_back(&b, at->key);
        else
            put_back(&b, digits, num_write_u64(digits, at->index));
        put_back(&b, "/", 1);
    }
    put_back(&b, base.ptr, base.len);
    if (b.at == PLACE_RAW) return memcpy(out, "the root", sizeof "the root");
    show_place(out, slice_of(b.raw + b.at, PLACE_RAW - b.at), PLACE_SHOWN, b.cut);
    return out;
}

static void show_text(char out[TRAIL_FOUND], struct slice s) {
    char *p = out;
    *p++ = '"';
    for (size_t i = 0; i < s.len && i < TEXT_SHOWN; i++) p = show_byte(p, s.ptr[i]);
    if (s.len > TEXT_SHOWN)
        snprintf(p, TRAIL_FOUND - (size_t)(p - out), "...\" (%zu bytes)", s.len);
    else
        memcpy(p, "\"", 2);
}

const char *trail_found(char out[TRAIL_FOUND], const struct val *v, bool hide) {
    snprintf(out, TRAIL_FOUND, "%s", val_kind_name(val_kind(v)));
    if (hide) return out;
    size_t n = val_count(v), len;
    switch (val_kind(v)) {
    case VAL_BOOL: snprintf(out, TRAIL_FOUND, "%s", val_is_true(v) ? "true" : "false"); break;
    case VAL_INT:
        if (v->form && v->num == UINT64_MAX)
            snprintf(out, TRAIL_FOUND, "-18446744073709551616");
        else
            snprintf(out, TRAIL_FOUND, "%s%" PRIu64, v->form ? "-" : "", v->form ? v->num + 1 : v->num);
        break;
    case VAL_FLOAT:
        if (isfinite(v->real)) {
            len = num_write_double((uint8_t *)out, v->real);
            out[len] = 0;
        } else
            snprintf(out, TRAIL_FOUND, "%s", isnan(v->real) ? "NaN" : v->real > 0 ? "infinity" : "-infinity");
        break;
    case VAL_TEXT: show_text(out, val_as_text(v)); break;
    case VAL_BYTES:
        n = val_as_bytes(v).len;
        snprintf(out, TRAIL_FOUND, "%zu byte%s", n, n == 1 ? "" : "s");
        break;
    case VAL_ARRAY: snprintf(out, TRAIL_FOUND, "an array of %zu", n); break;
    case VAL_MAP: snprintf(out, TRAIL_FOUND, "a map of %zu", n); break;
    case VAL_NONE:
    case VAL_NULL: break;
    }
    return out;
}
