/* chunked.c - see chunked.h. One switch lists every state; a line costs one look a byte, data is not looked
 * at. */
#include "protocols/chunked.h"

#include "base/ascii.h"
#include "protocols/http_chars.h"

#define DIGITS_MOST 16 /* of a size, leading zeros included */

static const char *const wants[] = {
#define X(name, want) [name] = want,
    CHUNKED_STATES(X)
#undef X
};

void chunked_init(struct chunked *c, const struct chunked_limits *limits, size_t offset) {
    *c = (struct chunked){.state = CHUNKED_SIZE_FIRST, .offset = offset, .limits = *limits};
}

static bool refuse_byte(const struct chunked *c, uint8_t seen, struct err *e) {
    return err_at(e, ERR_SYNTAX, c->offset, "want %s, found %s", wants[c->state], http_seen(seen).text);
}

/* The line is whole: is the size one that we take? */
static bool take_size(struct chunked *c, struct err *e) {
    if (c->left > (uint64_t)INT64_MAX - c->body)
        return err_at(e, ERR_SYNTAX, c->offset, "want a chunk size that fits 63 bits with all before it");
    c->body += c->left;
    if (c->limits.body && c->body > c->limits.body) return err_limit(e, "body", c->limits.body, c->offset);
    return true;
}

/* One byte of anything but data. */
static bool take_byte(struct chunked *c, uint8_t b, struct err *e) {
    bool name = http_is(b, HTTP_TOKEN), blank = ascii_is_blank(b);
    enum chunked_state to = CHUNKED_BROKEN;
    switch (c->state) {
    case CHUNKED_SIZE_FIRST:
    case CHUNKED_SIZE:
        if (ascii_hex(b) >= 0) {
            if (++c->digits > DIGITS_MOST)
                return err_at(e, ERR_SYNTAX, c->offset, "want a chunk size of at most %d digits", DIGITS_MOST);
            c->left = c->left << 4 | (unsigned)ascii_hex(b);
            to = CHUNKED_SIZE;
        } else if (c->state == CHUNKED_SIZE) {
            to = b == '\r' ? CHUNKED_LINE_LF : b == ';' ? CHUNKED_NAME_FIRST : blank ? CHUNKED_SIZE_BLANK : to;
        }
        break;
    case CHUNKED_SIZE_BLANK: to = blank ? c->state : b == ';' ? CHUNKED_NAME_FIRST : to; break;
    case CHUNKED_NAME_FIRST: to = blank ? c->state : name ? CHUNKED_NAME : to; break;
    case CHUNKED_NAME:
        to = name        ? c->state
             : b == '='  ? CHUNKED_VALUE_FIRST
             : b == ';'  ? CHUNKED_NAME_FIRST
             : b == '\r' ? CHUNKED_LINE_LF
             : blank     ? CHUNKED_NAME_BLANK
                         : to;
        break;
    case CHUNKED_NAME_BLANK:
        to = blank ? c->state : b == '=' ? CHUNKED_VALUE_FIRST : b == ';' ? CHUNKED_NAME_FIRST : to;
        break;
    case CHUNKED_VALUE_FIRST: to = blank ? c->state : b == '"' ? CHUNKED_QUOTED : name ? CHUNKED_VALUE : to; break;
    case CHUNKED_VALUE:
        if (name) {
            to = c->state;
            break;
        }
        __attribute__((fallthrough));
    case CHUNKED_VALUE_END:
        to = b == ';' ? CHUNKED_NAME_FIRST : b == '\r' ? CHUNKED_LINE_LF : blank ? CHUNKED_VALUE_BLANK : to;
        break;
    case CHUNKED_QUOTED:
        to = b == '"' ? CHUNKED_VALUE_END : b == '\\' ? CHUNKED_ESCAPED : http_is(b, HTTP_VALUE) ? c->state : to;
        break;
    case CHUNKED_ESCAPED: to = http_is(b, HTTP_VALUE) ? CHUNKED_QUOTED : to; break;
    case CHUNKED_VALUE_BLANK: to = blank ? c->state : b == ';' ? CHUNKED_NAME_FIRST : to; break;
    case CHUNKED_LINE_LF:
        if (b != '\n') break;
        if (!take_size(c, e)) return false;
        to = c->left ? CHUNKED_BODY : CHUNKED_OVER;
        break;
    case CHUNKED_BODY_CR: to = b == '\r' ? CHUNKED_BODY_LF : to; break;
    case CHUNKED_BODY_LF:
        if (b != '\n') break;
        to = CHUNKED_SIZE_FIRST;
        c->digits = 0;
        c->line = 0;
        break;
    case CHUNKED_BODY:
    case CHUNKED_OVER:
    case CHUNKED_BROKEN: break;
    }
    if (to == CHUNKED_BROKEN) return refuse_byte(c, b, e);
    if (to < CHUNKED_LINE_LF) { /* still inside the line */
        if (c->limits.line && to != CHUNKED_SIZE_FIRST && ++c->line > c->limits.line)
            return err_limit(e, "chunk_line", c->limits.line, c->offset), err_status(e, 400);
        if (to > CHUNKED_SIZE && c->limits.extensions && ++c->extensions > c->limits.extensions)
            return err_limit(e, "chunk_extensions", c->limits.extensions, c->offset), err_status(e, 400);
    }
    c->state = to;
    c->offset++;
    return true;
}

struct fed chunked_feed(struct chunked *c, struct slice in, struct chunked_event *event, struct err *e) {
    size_t used = 0;
    for (;;) {
        if (c->state == CHUNKED_BODY) {
            if (used == in.len) return fed_more(used, 1);
            size_t n = in.len - used;
            if (n > c->left) n = (size_t)c->left;
            *event = (struct chunked_event){CHUNKED_DATA, slice_of(in.ptr + used, n)};
            c->left -= n;
            c->offset += n;
            if (!c->left) c->state = CHUNKED_BODY_CR;
            return fed_event(used + n);
        }
        if (c->state == CHUNKED_OVER) return fed_end(used);
        if (c->state == CHUNKED_BROKEN) {
            err_at(e, ERR_INVALID, c->offset, "the body was refused before");
            return fed_bad(used);
        }
        if (used == in.len) return fed_more(used, 1);
        if (!take_byte(c, in.ptr[used], e)) {
            c->state = CHUNKED_BROKEN;
            return fed_bad(used);
        }
        used++;
        if (c->state == CHUNKED_OVER) {
            *event = (struct chunked_event){.kind = CHUNKED_LAST};
            return fed_event(used);
        }
    }
}

bool chunked_write(struct buf *out, struct slice data) {
    if (!buf_ok(out)) return false;
    if (!data.len) return true;
    uint8_t line[2 * sizeof(size_t) + 2];
    size_t at = sizeof line;
    line[--at] = '\n';
    line[--at] = '\r';
    for (size_t n = data.len; n; n >>= 4) line[--at] = (uint8_t) "0123456789abcdef"[n & 15];
    size_t mark = buf_mark(out);
    if (buf_add(out, slice_of(line + at, sizeof line - at)) && buf_add(out, data) && buf_add(out, LIT("\r\n")))
        return true;
    buf_rewind(out, mark);
    return false;
}
