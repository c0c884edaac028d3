/* form.c - see form.h. */
#include "protocols/form.h"

#include "base/ascii.h"
#include "base/utf8.h"

void form_init(struct form *f, struct slice text, const struct form_limits *limits) {
    *f = (struct form){.rest = text, .limits = *limits};
}

/* Appends what the text stands for, as bytes. */
static void add_plain(struct buf *out, struct slice text) {
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c == '+')
            c = ' ';
        else if (c == '%' && i + 2 < text.len && ascii_hex(text.ptr[i + 1]) >= 0 && ascii_hex(text.ptr[i + 2]) >= 0) {
            c = (uint8_t)(ascii_hex(text.ptr[i + 1]) << 4 | ascii_hex(text.ptr[i + 2]));
            i += 2;
        }
        buf_byte(out, c);
    }
}

/* Decodes behind what is in out already, and mends what is not UTF-8. */
static void add_text(struct buf *out, struct slice text) {
    size_t mark = buf_mark(out);
    add_plain(out, text);
    if (!buf_ok(out)) return;
    struct slice plain = slice_skip(buf_slice(out), mark);
    if (!plain.len || utf8_ok(plain)) return;
    struct buf mended;
    buf_init(&mended, out->max);
    utf8_add_lossy(&mended, plain);
    if (buf_ok(&mended)) {
        buf_rewind(out, mark);
        buf_add(out, buf_slice(&mended));
    } else
        out->fault = mended.fault;
    buf_release(&mended);
}

enum step form_next(struct form *f, struct buf *scratch, struct form_pair *pair, struct err *e) {
    struct slice part;
    size_t at;
    do {
        if (!f->rest.len) return STEP_END;
        at = f->at;
        part = slice_head(f->rest, slice_find(f->rest, '&'));
        size_t eaten = part.len < f->rest.len ? part.len + 1 : part.len;
        f->at += eaten;
        f->rest = slice_skip(f->rest, eaten);
    } while (!part.len);
    if (f->limits.pairs && f->pairs++ == f->limits.pairs) {
        err_limit(e, "pairs", f->limits.pairs, at);
        f->rest.len = 0;
        return STEP_BAD;
    }
    size_t equals = slice_find(part, '=');
    buf_reset(scratch);
    add_text(scratch, slice_head(part, equals));
    size_t name = scratch->len;
    add_text(scratch, slice_skip(part, equals + 1));
    if (buf_ok(scratch) && (!f->limits.bytes || scratch->len <= f->limits.bytes)) {
        *pair = (struct form_pair){slice_head(buf_slice(scratch), name), slice_skip(buf_slice(scratch), name)};
        return STEP_EVENT;
    }
    if (scratch->fault == BUF_NOMEM)
        err_nomem(e, "a form field");
    else
        err_limit(e, "bytes", scratch->fault ? scratch->max : f->limits.bytes, at);
    f->rest.len = 0;
    return STEP_BAD;
}

static void add_encoded(struct buf *out, struct slice text) {
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        uint8_t escape[3] = {'%', (uint8_t)digits[c >> 4], (uint8_t)digits[c & 15]};
        if (ascii_is_alnum(c) || (c && strchr("*-._", c)))
            buf_byte(out, c);
        else if (c == ' ')
            buf_byte(out, '+');
        else
            buf_add(out, slice_of(escape, 3));
    }
}

bool form_write(struct buf *out, bool first, struct slice name, struct slice value, struct err *e) {
    if (!utf8_ok(name) || !utf8_ok(value)) return err_set(e, ERR_UTF8, "want UTF-8 in a form field");
    if (!buf_ok(out)) return err_nomem(e, "a form field");
    size_t mark = buf_mark(out);
    if (!first) buf_byte(out, '&');
    add_encoded(out, name);
    buf_byte(out, '=');
    add_encoded(out, value);
    if (buf_ok(out)) return true;
    buf_rewind(out, mark);
    return err_nomem(e, "a form field");
}
