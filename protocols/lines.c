/* lines.c - see lines.h.
 *
 * Every byte is searched for LF once, when it comes, and copied at most once.
 *
 * Touches: base/slice, base/buf, base/err, base/ascii. No descriptor, clock, log. */
#include "protocols/lines.h"

#include "base/ascii.h"

#define KEEP_CAP 4096 /* bytes the reader may keep between lines */

void lines_init(struct lines *l, size_t max) {
    if (max > SIZE_MAX - 1) max = SIZE_MAX - 1;
    *l = (struct lines){.max = max};
    buf_init(&l->part, max + 1); /* one more for a CR that may belong to the end */
}

void lines_release(struct lines *l) {
    buf_release(&l->part);
}

static bool is_blank(struct slice line) {
    for (size_t i = 0; i < line.len; i++)
        if (!ascii_is_blank(line.ptr[i])) return false;
    return true;
}

static struct slice drop_cr(struct slice line) {
    return line.len && line.ptr[line.len - 1] == '\r' ? slice_head(line, line.len - 1) : line;
}

static void begin_line(struct lines *l) {
    if (!l->given) return;
    l->given = false;
    if (l->part.cap > KEEP_CAP) buf_release(&l->part);
    buf_reset(&l->part);
}

static bool refuse(struct lines *l, struct err *e) {
    l->bad = true;
    return err_limit(e, "line", l->max, (size_t)(l->line_at + l->max));
}

static bool keep(struct lines *l, struct slice more, struct err *e) {
    if (buf_add(&l->part, more)) return true;
    if (l->part.fault == BUF_OVER) return refuse(l, e);
    l->bad = true;
    return err_nomem(e, "a line");
}

/* Whether what came of an unfinished line may still become one: one byte over is allowed when it is a CR. */
static bool check_part(struct lines *l, struct err *e) {
    struct slice part = buf_slice(&l->part);
    return drop_cr(part).len <= l->max || refuse(l, e);
}

struct fed lines_feed(struct lines *l, struct slice in, struct slice *line, struct err *e) {
    if (l->bad) {
        err_set(e, ERR_SYNTAX, "the lines were refused before");
        return fed_bad(0);
    }
    begin_line(l);
    size_t used = 0;
    while (used < in.len) {
        struct slice rest = slice_skip(in, used);
        size_t n = slice_find(rest, '\n');
        if (n == rest.len) {
            if (!keep(l, rest, e) || !check_part(l, e)) return fed_bad(used);
            l->at += rest.len;
            return fed_more(in.len, 1);
        }
        struct slice whole = slice_head(rest, n);
        if (l->part.len) {
            if (!keep(l, whole, e)) return fed_bad(used);
            whole = buf_slice(&l->part);
            l->given = true;
        }
        whole = drop_cr(whole);
        if (whole.len > l->max) {
            refuse(l, e);
            return fed_bad(used);
        }
        used += n + 1;
        l->at += n + 1;
        l->line_at = l->at;
        if (!is_blank(whole)) {
            *line = whole;
            return fed_event(used);
        }
        begin_line(l);
    }
    return fed_more(used, 1);
}

enum step lines_eof(struct lines *l, struct slice *line, struct err *e) {
    if (l->bad) {
        err_set(e, ERR_SYNTAX, "the lines were refused before");
        return STEP_BAD;
    }
    begin_line(l);
    struct slice last = drop_cr(buf_slice(&l->part));
    l->given = true;
    if (is_blank(last)) return STEP_END;
    *line = last;
    return STEP_EVENT;
}

bool lines_write(struct buf *out, struct slice line, struct err *e) {
    size_t lf = slice_find(line, '\n');
    if (lf != line.len) return err_at(e, ERR_INVALID, lf, "want a line, found a line feed inside it");
    if (drop_cr(line).len != line.len)
        return err_at(e, ERR_INVALID, line.len - 1, "want a line, found a carriage return at its end");
    if (is_blank(line)) return err_set(e, ERR_INVALID, "want a line, found a blank one");
    size_t mark = buf_mark(out);
    if (buf_add(out, line) && buf_byte(out, '\n')) return true;
    bool over = out->fault == BUF_OVER;
    buf_rewind(out, mark);
    return over ? err_limit(e, "output", out->max, ERR_NOWHERE) : err_nomem(e, "a line");
}
