/* json_write.c - val to text, in slices; see json.h. */
#include "base/hex.h"
#include "base/mem.h"
#include "base/num.h"
#include "protocols/json.h"

#include <math.h>

#define FIRST_FRAMES 16

struct frame {
    struct val_iter it;
    bool map, first;
};

struct json_writer {
    const struct val *value;
    enum json_form form;
    bool started;
    struct frame *frames;
    unsigned depth, cap;
};

/* --- strings --- */

/* What a byte becomes: 0 itself, 'u' a \u escape, else the letter behind the backslash. */
static const char escapes[256] = {
    [0] = 'u',  [1] = 'u',    [2] = 'u',    [3] = 'u',    [4] = 'u',   [5] = 'u',    [6] = 'u',
    [7] = 'u',  ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', [11] = 'u',  ['\f'] = 'f', ['\r'] = 'r',
    [14] = 'u', [15] = 'u',   [16] = 'u',   [17] = 'u',   [18] = 'u',  [19] = 'u',   [20] = 'u',
    [21] = 'u', [22] = 'u',   [23] = 'u',   [24] = 'u',   [25] = 'u',  [26] = 'u',   [27] = 'u',
    [28] = 'u', [29] = 'u',   [30] = 'u',   [31] = 'u',   ['"'] = '"', ['\\'] = '\\'};

/* Whether eight bytes hold a quote, a backslash or a control character (bytes beyond ASCII stand for themselves). */
static bool special8(uint64_t w) {
    const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
    uint64_t slash = w ^ ones * '\\', quote = w ^ ones * '"';
    /* A byte with its high bit set can only make this say yes too often. */
    return (((w - ones * 0x20) | (slash - ones) | (quote - ones)) & ~w & high) != 0;
}

static size_t plain_run(struct slice s) {
    size_t i = 0;
    uint64_t w;
    while (s.len - i >= 8 && (memcpy(&w, s.ptr + i, 8), !special8(w))) i += 8;
    if (i && s.len - i < 8 && (memcpy(&w, s.ptr + s.len - 8, 8), !special8(w))) return s.len;
    while (i < s.len && !escapes[s.ptr[i]]) i++;
    return i;
}

static bool write_escape(struct buf *out, uint8_t c) {
    static const char digits[] = "0123456789abcdef";
    if (escapes[c] != 'u') return buf_byte(out, '\\') && buf_byte(out, (uint8_t)escapes[c]);
    uint8_t text[6] = {'\\', 'u', '0', '0', (uint8_t)digits[c >> 4], (uint8_t)digits[c & 15]};
    return buf_add(out, slice_of(text, 6));
}

bool json_write_text(struct buf *out, struct slice s) {
    uint8_t *p = buf_room(out, s.len + 2);
    if (!p) return false;
    size_t run = plain_run(s);
    p[0] = '"';
    if (run) memcpy(p + 1, s.ptr, run);
    if (run == s.len) {
        p[run + 1] = '"';
        buf_wrote(out, run + 2);
        return true;
    }
    buf_wrote(out, run + 1);
    while (run < s.len) {
        write_escape(out, s.ptr[run]);
        s = slice_skip(s, run + 1);
        run = plain_run(s);
        buf_add(out, slice_head(s, run));
    }
    return buf_byte(out, '"');
}

static bool write_ascii(struct buf *out, struct slice s) {
    buf_byte(out, '"');
    for (size_t i = 0; i < s.len;) {
        uint8_t c = s.ptr[i];
        if (c < 0x80) {
            if (escapes[c])
                write_escape(out, c);
            else
                buf_byte(out, c);
            i++;
            continue;
        }
        /* The text is UTF-8, so the lead byte tells the length. */
        unsigned more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
        uint32_t point = c & (0x3fu >> more);
        for (unsigned k = 1; k <= more && i + k < s.len; k++) point = point << 6 | (s.ptr[i + k] & 0x3f);
        i += 1 + more;
        if (point < 0x10000)
            buf_printf(out, "\\u%04x", (unsigned)point);
        else
            buf_printf(out, "\\u%04x\\u%04x", (unsigned)(0xd7c0 + (point >> 10)), (unsigned)(0xdc00 + (point & 0x3ff)));
    }
    return buf_byte(out, '"');
}

/* --- scalars --- */

static bool write_integer(struct buf *out, const struct val *v) {
    if (!v->form) return buf_u64(out, v->num);
    if (v->num == UINT64_MAX) return buf_add(out, LIT("-18446744073709551616"));
    return buf_byte(out, '-') && buf_u64(out, v->num + 1);
}

static bool write_scalar(struct buf *out, const struct val *v, enum json_form form, struct err *e) {
    bool diag = form == JSON_DIAG;
    switch (val_kind(v)) {
    case VAL_NULL: return buf_add(out, LIT("null"));
    case VAL_BOOL: return buf_add(out, val_is_true(v) ? LIT("true") : LIT("false"));
    case VAL_INT: return write_integer(out, v);
    case VAL_FLOAT:
        if (isfinite(v->real)) {
            uint8_t text[NUM_DOUBLE_MAX];
            return buf_add(out, slice_of(text, num_write_double(text, v->real)));
        }
        if (diag) return buf_add_str(out, isnan(v->real) ? "NaN" : v->real > 0 ? "Infinity" : "-Infinity");
        return err_set(e, ERR_SERIALIZE, "%s has no form in JSON", isnan(v->real) ? "NaN" : "an infinite number");
    case VAL_TEXT: return form == JSON_ASCII ? write_ascii(out, val_as_text(v)) : json_write_text(out, val_as_text(v));
    case VAL_BYTES:
        if (diag) return buf_add(out, LIT("h'")) && hex_add(out, val_as_bytes(v)) && buf_byte(out, '\'');
        return err_set(e, ERR_SERIALIZE, "bytes have no form in JSON");
    case VAL_NONE:
    case VAL_ARRAY:
    case VAL_MAP: break;
    }
    return err_set(e, ERR_SERIALIZE, "there is no value to write");
}

/* --- the walk --- */

static bool push(struct json_writer *w, const struct val *v, struct err *e) {
    if (w->depth == w->cap) {
        unsigned cap = w->cap ? w->cap * 2 : FIRST_FRAMES;
        struct frame *f = mem_grow(w->frames, w->cap * sizeof *f, cap * sizeof *f);
        if (!f) return err_nomem(e, "writing a value");
        w->frames = f;
        w->cap = cap;
    }
    w->frames[w->depth++] = (struct frame){val_iter(v), v->kind == VAL_MAP, true};
    return true;
}

static void new_line(struct buf *out, unsigned depth) {
    buf_byte(out, '\n');
    for (unsigned i = 0; i < depth; i++) buf_add(out, LIT("  "));
}

/* Begins a value: all of a scalar, or the opening bracket. */
static bool begin(struct json_writer *w, struct buf *out, const struct val *v, struct err *e) {
    if (v->kind < VAL_ARRAY) return write_scalar(out, v, w->form, e);
    if (val_count(v) == 0) return buf_add(out, v->kind == VAL_MAP ? LIT("{}") : LIT("[]"));
    return buf_byte(out, v->kind == VAL_MAP ? '{' : '[') && push(w, v, e);
}

static bool write_key(struct json_writer *w, struct buf *out, const struct val *key, struct err *e) {
    if (w->form != JSON_DIAG && key->kind != VAL_TEXT)
        return err_set(e, ERR_SERIALIZE, "a key that is %s has no form in JSON", val_kind_name(val_kind(key)));
    return write_scalar(out, key, w->form, e) &&
           buf_add(out, w->form == JSON_INDENTED || w->form == JSON_DIAG ? LIT(": ") : LIT(":"));
}

/* The next entry of the innermost container, or its end. */
static bool step(struct json_writer *w, struct buf *out, struct err *e) {
    struct frame *f = &w->frames[w->depth - 1];
    if (!val_next(&f->it)) {
        w->depth--;
        if (w->form == JSON_INDENTED) new_line(out, w->depth);
        return buf_byte(out, f->map ? '}' : ']');
    }
    if (!f->first) buf_add(out, w->form == JSON_DIAG ? LIT(", ") : LIT(","));
    f->first = false;
    if (w->form == JSON_INDENTED) new_line(out, w->depth);
    if (f->map && !write_key(w, out, f->it.key, e)) return false;
    return begin(w, out, f->it.value, e);
}

static enum step run(struct json_writer *w, struct buf *out, size_t budget, struct err *e) {
    size_t start = out->len;
    struct err own = ERR_INIT;
    bool good = true;
    if (!w->started) {
        w->started = true;
        good = begin(w, out, w->value, &own);
    }
    while (good && w->depth && out->len - start < budget) good = step(w, out, &own);
    if (good) return w->depth ? STEP_MORE : STEP_END;
    if (own.code == ERR_NONE) {
        if (out->fault == BUF_NOMEM)
            err_nomem(&own, "writing a value");
        else
            err_limit(&own, "max", out->max, out->len);
    }
    if (e) *e = own;
    return STEP_BAD;
}

static void release(struct json_writer *w) {
    mem_put(w->frames, w->cap * sizeof *w->frames);
}

bool json_write(struct buf *out, const struct val *v, enum json_form form, struct err *e) {
    struct json_writer w = {.value = v, .form = form};
    size_t mark = buf_mark(out);
    bool good = run(&w, out, SIZE_MAX, e) == STEP_END;
    if (!good) buf_rewind(out, mark);
    release(&w);
    return good;
}

struct json_writer *json_write_open(const struct val *v, enum json_form form) {
    struct json_writer *w = mem_get_zero(sizeof *w);
    if (!w) return NULL;
    w->value = v;
    w->form = form;
    return w;
}

enum step json_write_run(struct json_writer *w, struct buf *out, size_t budget, struct err *e) {
    return run(w, out, budget, e);
}

void json_write_free(struct json_writer *w) {
    if (!w) return;
    release(w);
    mem_put(w, sizeof *w);
}
