/* yaml.c - see yaml.h. */
#include "protocols/yaml.h"

#include "base/ascii.h"
#include "base/num.h"

#include <math.h>

#define STEP     2    /* spaces a level */
#define KEY_LONG 1000 /* bytes of a written key: readers look for its colon within 1024 characters */

/* Where a value begins. */
enum place { PLACE_TOP, PLACE_KEY, PLACE_DASH };

static bool write_node(struct buf *out, const struct val *v, size_t indent, enum place place, struct err *e);

static void add_spaces(struct buf *out, size_t n) {
    uint8_t *at = buf_room(out, n);
    if (!at) return;
    memset(at, ' ', n);
    buf_wrote(out, n);
}

/* --- characters --- */

/* The character at s, which is UTF-8, and its length. */
static uint32_t read_point(struct slice s, size_t *len) {
    uint8_t c = s.ptr[0];
    unsigned more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : 0;
    uint32_t point = more ? c & (0x3fu >> more) : c;
    for (unsigned i = 1; i <= more && i < s.len; i++) point = point << 6 | (s.ptr[i] & 0x3f);
    *len = 1 + more;
    return point;
}

/* Controls, non-characters, the byte order mark, and the line ends that only YAML 1.1 knows (U+0085, U+2028,
 * U+2029). */
static bool needs_escape(uint32_t point) {
    if (point < 0x20 || (point >= 0x7f && point < 0xa0)) return true;
    if (point == 0x2028 || point == 0x2029 || point == 0xfeff) return true;
    return (point >= 0xfdd0 && point <= 0xfdef) || (point & 0xfffe) == 0xfffe;
}

static void write_escape(struct buf *out, uint32_t point) {
    switch (point) {
    case '"': buf_add(out, LIT("\\\"")); return;
    case '\\': buf_add(out, LIT("\\\\")); return;
    case '\b': buf_add(out, LIT("\\b")); return;
    case '\t': buf_add(out, LIT("\\t")); return;
    case '\n': buf_add(out, LIT("\\n")); return;
    case '\f': buf_add(out, LIT("\\f")); return;
    case '\r': buf_add(out, LIT("\\r")); return;
    default: buf_printf(out, point > 0xffff ? "\\U%08x" : "\\u%04x", (unsigned)point);
    }
}

static void write_quoted(struct buf *out, struct slice s) {
    buf_byte(out, '"');
    size_t run = 0;
    while (run < s.len) {
        size_t len;
        uint32_t point = read_point(slice_skip(s, run), &len);
        if (point != '"' && point != '\\' && !needs_escape(point)) {
            run += len;
            continue;
        }
        buf_add(out, slice_head(s, run));
        write_escape(out, point);
        s = slice_skip(s, run + len);
        run = 0;
    }
    buf_add(out, s);
    buf_byte(out, '"');
}

/* --- texts --- */

/* Words that some reader takes for a bool, a null or a number, in any case of letters. Those with a sign, a point or a
 * digit at their start are quoted anyway. */
static bool is_word(struct slice s) {
    static const char *const words[] = {"null", "true", "false", "yes", "no",  "on",  "off",
                                        "y",    "n",    "t",     "f",   "nan", "inf", "infinity"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (slice_eq_nocase(s, slice_str(words[i]))) return true;
    return false;
}

/* "e3": an exponent alone is a number to one reader of YAML 1.1. */
static bool is_exponent(struct slice s) {
    if (ascii_lower(s.ptr[0]) != 'e') return false;
    for (size_t i = 1; i < s.len; i++)
        if (!ascii_is_digit(s.ptr[i]) && !memchr("+-_.", s.ptr[i], 4)) return false;
    return true;
}

/* What may stand inside a text without quotes. Space and colon are looked at with what follows; # " ` \ { } [ ] | > and
 * the tab are left out. */
static bool is_plain_char(uint8_t c) {
    static const uint8_t marks[] = "_-./+=@,;()!?%&*$'";
    return ascii_is_alnum(c) || memchr(marks, c, sizeof marks - 1) != NULL;
}

static bool is_plain(struct slice s) {
    if (!s.len || !(ascii_is_alpha(s.ptr[0]) || s.ptr[0] == '/')) return false;
    if (is_word(s) || is_exponent(s)) return false;
    for (size_t i = 1; i < s.len;) {
        uint8_t c = s.ptr[i], next = i + 1 < s.len ? s.ptr[i + 1] : 0;
        size_t len;
        uint32_t point = read_point(slice_skip(s, i), &len);
        if (point >= 0x80) {
            if (needs_escape(point)) return false;
        } else if (c == ' ') {
            if (!next) return false;
        } else if (c == ':') {
            if (!ascii_is_alnum(next) && next != '/') return false;
        } else if (!is_plain_char(c))
            return false;
        i += len;
    }
    return true;
}

/* Whether a literal block gives the text back. *indicator: its first line with anything in it begins with a space. */
static bool fits_block(struct slice s, bool *indicator) {
    bool any = false; /* a line with something in it was seen */
    uint8_t before = '\n';
    *indicator = false;
    for (size_t i = 0, len; i < s.len; i += len) {
        uint32_t point = read_point(slice_skip(s, i), &len);
        uint8_t c = s.ptr[i];
        if (point != '\n' && point != '\t' && needs_escape(point)) return false;
        if (c == '\t' && before == '\n') return false;
        if (c == '\n' && ascii_is_blank(before)) return false;
        if (c != '\n' && !any) {
            any = true;
            *indicator = c == ' ';
        }
        before = c;
    }
    return any && !ascii_is_blank(before);
}

static void write_block(struct buf *out, struct slice s, size_t indent, bool indicator) {
    buf_byte(out, '|');
    if (indicator) buf_byte(out, '0' + STEP);
    bool ended = slice_ends(s, LIT("\n"));
    if (!ended)
        buf_byte(out, '-');
    else if (slice_ends(s, LIT("\n\n")))
        buf_byte(out, '+');
    buf_byte(out, '\n');
    while (s.len) {
        struct slice line = slice_cut(&s, '\n');
        if (line.len) add_spaces(out, indent);
        buf_add(out, line);
        buf_byte(out, '\n');
    }
}

/* With the line end behind it. */
static void write_text(struct buf *out, struct slice s, size_t indent, enum place place) {
    bool indicator;
    /* What an indicator counts from is not agreed on at the top, so none is used there. */
    if (slice_find(s, '\n') < s.len && fits_block(s, &indicator) && !(indicator && place == PLACE_TOP)) {
        write_block(out, s, place == PLACE_TOP ? STEP : indent, indicator);
        return;
    }
    if (is_plain(s))
        buf_add(out, s);
    else
        write_quoted(out, s);
    buf_byte(out, '\n');
}

/* --- other scalars --- */

static void write_integer(struct buf *out, const struct val *v) {
    if (!v->form)
        buf_u64(out, v->num);
    else if (v->num == UINT64_MAX)
        buf_add(out, LIT("-18446744073709551616"));
    else
        buf_byte(out, '-'), buf_u64(out, v->num + 1);
}

/* The mantissa gets a point and the exponent a sign: without either a reader of YAML 1.1 sees a text. */
static void write_double(struct buf *out, double d) {
    if (!isfinite(d)) {
        buf_add_str(out, isnan(d) ? ".nan" : d > 0 ? ".inf" : "-.inf");
        return;
    }
    uint8_t text[NUM_DOUBLE_MAX];
    struct slice s = slice_of(text, num_write_double(text, d));
    size_t exponent = slice_find(s, 'e');
    struct slice mantissa = slice_head(s, exponent), power = slice_skip(s, exponent + 1);
    buf_add(out, mantissa);
    if (slice_find(mantissa, '.') == mantissa.len) buf_add(out, LIT(".0"));
    if (!power.len) return;
    buf_byte(out, 'e');
    if (power.ptr[0] != '-') buf_byte(out, '+');
    buf_add(out, power);
}

static bool write_scalar(struct buf *out, const struct val *v, size_t indent, enum place place, struct err *e) {
    switch (val_kind(v)) {
    case VAL_NULL: buf_add(out, LIT("null")); break;
    case VAL_BOOL: buf_add(out, val_is_true(v) ? LIT("true") : LIT("false")); break;
    case VAL_INT: write_integer(out, v); break;
    case VAL_FLOAT: write_double(out, v->real); break;
    case VAL_TEXT: write_text(out, val_as_text(v), indent, place); return true;
    case VAL_BYTES: return err_set(e, ERR_SERIALIZE, "bytes have no form in YAML here");
    case VAL_ARRAY: buf_add(out, LIT("[]")); break; /* empty ones only come here */
    case VAL_MAP: buf_add(out, LIT("{}")); break;
    case VAL_NONE: return err_set(e, ERR_SERIALIZE, "there is no value to write");
    }
    buf_byte(out, '\n');
    return true;
}

/* --- the walk --- */

/* The key with its colon. */
static bool write_key(struct buf *out, const struct val *key, size_t indent, struct err *e) {
    if (key->kind != VAL_TEXT)
        return err_set(e, ERR_SERIALIZE, "a key that is %s has no form in YAML here", val_kind_name(val_kind(key)));
    struct slice s = val_as_text(key);
    size_t start = out->len;
    if (is_plain(s))
        buf_add(out, s);
    else
        write_quoted(out, s);
    if (out->len - start > KEY_LONG) {
        /* Only now is its length known: make room for the mark in front. */
        if (!buf_room(out, 2)) return true;
        memmove(out->ptr + start + 2, out->ptr + start, out->len - start);
        memcpy(out->ptr + start, "? ", 2);
        buf_wrote(out, 2);
        buf_byte(out, '\n');
        add_spaces(out, indent);
    }
    buf_byte(out, ':');
    return true;
}

/* The entries of an array or a map, each at indent; the first stands where out is already when the container does. */
static bool write_entries(struct buf *out, const struct val *v, size_t indent, bool here, struct err *e) {
    for (struct val_iter it = val_iter(v); val_next(&it);) {
        if (!here) add_spaces(out, indent);
        here = false;
        if (v->kind == VAL_MAP) {
            if (!write_key(out, it.key, indent, e)) return false;
        } else
            buf_byte(out, '-');
        if (!write_node(out, it.value, indent + STEP, v->kind == VAL_MAP ? PLACE_KEY : PLACE_DASH, e)) return false;
        if (!buf_ok(out)) return true; /* told at the end; no need to walk on */
    }
    return true;
}

/* indent: of what stands inside. */
static bool write_node(struct buf *out, const struct val *v, size_t indent, enum place place, struct err *e) {
    bool entries = v->kind >= VAL_ARRAY && val_count(v) > 0;
    if (place == PLACE_TOP) return entries ? write_entries(out, v, 0, true, e) : write_scalar(out, v, 0, place, e);
    if (entries && place == PLACE_KEY) {
        buf_byte(out, '\n');
        return write_entries(out, v, indent, false, e);
    }
    buf_byte(out, ' ');
    return entries ? write_entries(out, v, indent, true, e) : write_scalar(out, v, indent, place, e);
}

bool yaml_write(struct buf *out, const struct val *v, struct err *e) {
    if (!buf_ok(out)) return err_nomem(e, "writing a value");
    size_t mark = buf_mark(out);
    if (write_node(out, v, 0, PLACE_TOP, e)) {
        if (buf_ok(out)) return true;
        if (out->fault == BUF_NOMEM)
            err_nomem(e, "writing a value");
        else
            err_limit(e, "max", out->max, out->len);
    }
    buf_rewind(out, mark);
    return false;
}
