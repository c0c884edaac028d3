/* sse.c - see sse.h.
 *
 * Every byte is looked at once when it comes, and once more when its line is whole. A CR ends a line at once;
 * a LF after it is then swallowed, so an event never waits for the byte behind it.
 *
 * Touches: base/slice, base/buf, base/err, base/num, base/utf8. No descriptor, clock, log. */
#include "protocols/sse.h"

#include "base/ascii.h"
#include "base/num.h"
#include "base/utf8.h"

#define BOM_DONE 3
#define KEEP_CAP 4096 /* bytes a buffer may keep between events */

static const uint8_t bom_bytes[BOM_DONE] = {0xef, 0xbb, 0xbf};

void sse_init(struct sse *s, const struct sse_limits *limits) {
    *s = (struct sse){.limits = *limits};
    /* Text may grow to three bytes for one by U+FFFD; the sum is held against the limit in fits. */
    size_t most = limits->line > SIZE_MAX / 4 ? SIZE_MAX : limits->line * 3;
    buf_init(&s->line, limits->line);
    buf_init(&s->type, most);
    buf_init(&s->id, most);
    buf_init(&s->id_next, most);
    buf_init(&s->data, limits->event > SIZE_MAX - most - 1 ? SIZE_MAX : limits->event + most + 1);
}

void sse_release(struct sse *s) {
    buf_release(&s->line);
    buf_release(&s->type);
    buf_release(&s->id);
    buf_release(&s->id_next);
    buf_release(&s->data);
}

bool sse_eof(const struct sse *s) {
    return s->line.len == 0 && (s->given || (s->data.len == 0 && s->type.len == 0 && !s->has_id_next)) &&
           (s->bom == 0 || s->bom == BOM_DONE);
}

static bool refuse_limit(struct sse *s, const char *limit, size_t allowed, uint64_t at, struct err *e) {
    s->bad = true;
    return err_limit(e, limit, allowed, (size_t)at);
}

static bool refuse_memory(struct sse *s, struct err *e) {
    s->bad = true;
    return err_nomem(e, "an event");
}

static void forget(struct buf *b) {
    if (b->cap > KEEP_CAP) buf_release(b);
    buf_reset(b);
}

/* The event was handed out: its buffers begin anew. */
static void begin_event(struct sse *s) {
    s->given = false;
    forget(&s->data);
    forget(&s->type);
}

/* Replaces the content by the text. */
static bool set_text(struct buf *b, struct slice text) {
    buf_reset(b);
    return utf8_add_lossy(b, text);
}

static void set_retry(struct sse *s, struct slice value) {
    if (!value.len) return;
    for (size_t i = 0; i < value.len; i++)
        if (!ascii_is_digit(value.ptr[i])) return;
    s->has_retry = true;
    if (!num_read_u64(value, 0, UINT64_MAX, &s->retry_ms)) s->retry_ms = UINT64_MAX;
}

static bool add_field(struct sse *s, struct slice name, struct slice value, struct err *e) {
    bool good = true;
    if (slice_eq(name, LIT("data"))) {
        good = utf8_add_lossy(&s->data, value) && buf_byte(&s->data, '\n');
    } else if (slice_eq(name, LIT("event"))) {
        good = set_text(&s->type, value);
    } else if (slice_eq(name, LIT("id"))) {
        if (slice_find(value, 0) == value.len) {
            good = set_text(&s->id_next, value);
            s->has_id_next = true;
        }
    } else if (slice_eq(name, LIT("retry"))) {
        set_retry(s, value);
    }
    if (!good && s->data.fault != BUF_OVER) return refuse_memory(s, e);
    size_t size = (s->data.len ? s->data.len - 1 : 0) + s->type.len + (s->has_id_next ? s->id_next.len : 0);
    if (!good || size > s->limits.event) return refuse_limit(s, "event", s->limits.event, s->line_at, e);
    return true;
}

/* A line without its end. STEP_EVENT when it was the blank one behind an event with data. */
static enum step take_line(struct sse *s, struct slice line, struct sse_event *ev, struct err *e) {
    if (line.len) {
        size_t colon = slice_find(line, ':');
        struct slice value = slice_skip(line, colon + 1);
        if (value.len && *value.ptr == ' ') value = slice_skip(value, 1);
        if (colon == 0) return STEP_MORE; /* a comment */
        return add_field(s, slice_head(line, colon), value, e) ? STEP_MORE : STEP_BAD;
    }
    if (s->has_id_next) {
        struct buf old = s->id;
        s->id = s->id_next;
        s->id_next = old;
        s->has_id_next = false;
        forget(&s->id_next);
    }
    if (!s->data.len) {
        begin_event(s);
        return STEP_MORE;
    }
    s->given = true;
    *ev = (struct sse_event){
        .type = s->type.len ? buf_slice(&s->type) : LIT("message"),
        .data = slice_of(s->data.ptr, s->data.len - 1),
        .id = buf_slice(&s->id),
    };
    return STEP_EVENT;
}

/* Takes a byte order mark off the very start; false when more bytes must come to tell. What looked like one
 * and was not belongs to the first line. */
static bool pass_bom(struct sse *s, struct slice in, size_t *used, struct err *e) {
    while (s->bom < BOM_DONE) {
        if (*used == in.len) return false;
        if (in.ptr[*used] != bom_bytes[s->bom]) {
            struct slice looked = slice_of(bom_bytes, s->bom);
            s->bom = BOM_DONE;
            if (looked.len > s->limits.line)
                refuse_limit(s, "line", s->limits.line, s->limits.line, e);
            else if (looked.len && !buf_add(&s->line, looked))
                refuse_memory(s, e);
            return !s->bad;
        }
        ++*used;
        if (++s->bom == BOM_DONE) s->line_at = BOM_DONE;
    }
    return true;
}

static size_t find_line_end(struct slice s) {
    size_t n = 0;
    while (n < s.len && s.ptr[n] != '\n' && s.ptr[n] != '\r') n++;
    return n;
}

/* Eats up to the end of one line. */
static enum step read_line(struct sse *s, struct slice in, size_t *used, struct sse_event *ev, struct err *e) {
    if (s->after_cr && *used < in.len) {
        s->after_cr = false;
        if (in.ptr[*used] == '\n') {
            ++*used;
            s->line_at++;
        }
    }
    struct slice rest = slice_skip(in, *used);
    size_t n = find_line_end(rest);
    struct slice line = slice_head(rest, n);
    if (n > s->limits.line - s->line.len) {
        refuse_limit(s, "line", s->limits.line, s->line_at + s->limits.line, e);
        return STEP_BAD;
    }
    bool whole = n < rest.len;
    if (!whole || s->line.len) {
        if (n && !buf_add(&s->line, line)) {
            refuse_memory(s, e);
            return STEP_BAD;
        }
        line = buf_slice(&s->line);
    }
    *used += n;
    if (!whole) return STEP_MORE;
    s->after_cr = in.ptr[*used] == '\r';
    ++*used;
    enum step step = take_line(s, line, ev, e);
    s->line_at = s->at + *used;
    forget(&s->line);
    return step;
}

struct fed sse_feed(struct sse *s, struct slice in, struct sse_event *ev, struct err *e) {
    size_t used = 0;
    if (s->bad) {
        err_at(e, ERR_INVALID, (size_t)s->at, "this stream was refused before");
        return fed_bad(0);
    }
    if (s->given) begin_event(s);
    enum step step = STEP_MORE;
    if (s->bom == BOM_DONE || pass_bom(s, in, &used, e)) do
            step = read_line(s, in, &used, ev, e);
        while (step == STEP_MORE && used < in.len);
    if (s->bad) step = STEP_BAD;
    s->at += used;
    if (step == STEP_MORE) return fed_more(used, 1);
    return (struct fed){step, used, 0};
}

/* --- writing --- */

static bool is_one_line(struct slice s) {
    return find_line_end(s) == s.len;
}

static void add_line(struct buf *out, struct slice name, struct slice value) {
    buf_add(out, name);
    buf_add(out, LIT(": "));
    buf_add(out, value);
    buf_byte(out, '\n');
}

/* One line for each line of the text, at least one. */
static void add_lines(struct buf *out, struct slice name, struct slice text) {
    for (;;) {
        size_t n = find_line_end(text);
        add_line(out, name, slice_head(text, n));
        if (n == text.len) return;
        bool crlf = text.ptr[n] == '\r' && n + 1 < text.len && text.ptr[n + 1] == '\n';
        text = slice_skip(text, n + (crlf ? 2 : 1));
    }
}

static bool finish(struct buf *out, size_t mark, struct err *e) {
    if (buf_ok(out)) return true;
    out->len = mark; /* the fault stays */
    if (out->fault == BUF_OVER) return err_limit(e, "output", out->max, ERR_NOWHERE);
    return err_nomem(e, "an event");
}

bool sse_write(struct buf *out, const struct sse_message *m, struct err *e) {
    if (!utf8_ok(m->data) || !utf8_ok(m->type) || !utf8_ok(m->id))
        return err_set(e, ERR_UTF8, "want an event in UTF-8, found other bytes");
    if (!is_one_line(m->type))
        return err_set(e, ERR_INVALID, "want the type of an event on one line, found a line's end");
    if (!is_one_line(m->id)) return err_set(e, ERR_INVALID, "want the id of an event on one line, found a line's end");
    if (slice_find(m->id, 0) != m->id.len) return err_set(e, ERR_INVALID, "want an id without NUL, found one");
    size_t mark = buf_mark(out);
    if (m->type.ptr) add_line(out, LIT("event"), m->type);
    if (m->id.ptr) add_line(out, LIT("id"), m->id);
    if (m->has_retry) {
        buf_add(out, LIT("retry: "));
        buf_u64(out, m->retry_ms);
        buf_byte(out, '\n');
    }
    if (m->data.ptr) add_lines(out, LIT("data"), m->data);
    buf_byte(out, '\n');
    return finish(out, mark, e);
}

bool sse_write_comment(struct buf *out, struct slice text, struct err *e) {
    if (!utf8_ok(text)) return err_set(e, ERR_UTF8, "want a comment in UTF-8, found other bytes");
    size_t mark = buf_mark(out);
    add_lines(out, LIT(""), text);
    return finish(out, mark, e);
}
