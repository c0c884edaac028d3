/* smtp_reply.c - see smtp_reply.h. */
#include "out/smtp_reply.h"

#include "base/ascii.h"

void smtp_reply_init(struct smtp_reply *r, const struct smtp_reply_limits *limits) {
    *r = (struct smtp_reply){.limits = *limits};
    buf_init(&r->text, limits->bytes);
}

void smtp_reply_release(struct smtp_reply *r) {
    buf_release(&r->text);
}

bool smtp_reply_idle(const struct smtp_reply *r) {
    return r->state == SMTP_REPLY_CODE && !r->digits && !r->lines;
}

static bool refuse(struct smtp_reply *r, const char *want, struct err *e) {
    r->state = SMTP_REPLY_BAD;
    return err_at(e, ERR_SYNTAX, (size_t)r->at, "want %s in an SMTP reply", want);
}

static bool refuse_limit(struct smtp_reply *r, const char *name, size_t allowed, struct err *e) {
    r->state = SMTP_REPLY_BAD;
    return err_limit(e, name, allowed, (size_t)r->at);
}

static bool add_text(struct smtp_reply *r, uint8_t c, struct err *e) {
    if (buf_byte(&r->text, c)) return true;
    if (r->text.fault == BUF_OVER) return refuse_limit(r, "bytes", r->limits.bytes, e);
    r->state = SMTP_REPLY_BAD;
    return err_nomem(e, "a reply");
}

static bool take_digit(struct smtp_reply *r, uint8_t c, struct err *e) {
    static const uint8_t most[3] = {'5', '5', '9'};
    if (c < (r->digits ? '0' : '2') || c > most[r->digits]) return refuse(r, "a code from 200 to 559", e);
    r->code = r->code * 10 + (c - (unsigned)'0');
    if (++r->digits < 3) return true;
    r->state = SMTP_REPLY_MARK;
    if (r->lines && r->code != r->said) return refuse(r, "one code on all lines", e);
    r->said = r->code;
    return true;
}

static bool end_line(struct smtp_reply *r, struct err *e) {
    if (++r->lines > r->limits.lines) return refuse_limit(r, "lines", r->limits.lines, e);
    r->state = SMTP_REPLY_CODE;
    r->code = r->digits = 0;
    r->line = 0;
    return r->last || add_text(r, '\n', e);
}

static bool take(struct smtp_reply *r, uint8_t c, struct err *e) {
    if (r->state == SMTP_REPLY_LF) {
        if (c != '\n') return refuse(r, "LF behind CR", e);
        return end_line(r, e);
    }
    if (c == '\r' && r->state != SMTP_REPLY_CODE) {
        if (r->state == SMTP_REPLY_MARK) r->last = true; /* a code alone */
        r->state = SMTP_REPLY_LF;
        return true;
    }
    if (++r->line > r->limits.line) return refuse_limit(r, "line", r->limits.line, e);
    switch (r->state) {
    case SMTP_REPLY_CODE: return take_digit(r, c, e);
    case SMTP_REPLY_MARK:
        if (c != ' ' && c != '-') return refuse(r, "a blank or a hyphen behind the code", e);
        r->last = c == ' ';
        r->state = SMTP_REPLY_TEXT;
        return true;
    case SMTP_REPLY_TEXT:
        if ((c < 0x20 && c != '\t') || c == 0x7f) return refuse(r, "text without control characters, and CR LF", e);
        return add_text(r, c, e);
    case SMTP_REPLY_LF:
    case SMTP_REPLY_BAD: break;
    }
    return false;
}

struct fed smtp_reply_feed(struct smtp_reply *r, struct slice in, struct smtp_reply_event *event, struct err *e) {
    if (r->state == SMTP_REPLY_BAD) {
        err_set(e, ERR_INVALID, "the replies were refused before");
        return fed_bad(0);
    }
    if (r->given) {
        buf_reset(&r->text);
        r->given = false;
    }
    for (size_t used = 0; used < in.len;) {
        if (!take(r, in.ptr[used], e)) return fed_bad(used);
        used++;
        r->at++;
        if (!r->lines || r->digits || r->line || r->state != SMTP_REPLY_CODE || !r->last) continue;
        *event = (struct smtp_reply_event){r->said, buf_slice(&r->text)};
        r->given = true;
        r->lines = 0;
        r->last = false;
        return fed_event(used);
    }
    return fed_more(in.len, 1);
}

bool smtp_extension(struct slice text, struct slice name, struct slice *parameters) {
    slice_cut(&text, '\n'); /* the first line greets */
    while (text.len) {
        struct slice rest = slice_cut(&text, '\n');
        size_t n = 0;
        while (n < rest.len && rest.ptr[n] != ' ' && rest.ptr[n] != '=') n++; /* "AUTH=PLAIN" of old servers */
        if (!slice_eq_nocase(slice_head(rest, n), name)) continue;
        *parameters = slice_trim(slice_skip(rest, n + 1));
        return true;
    }
    return false;
}
