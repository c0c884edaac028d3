/* request_answer.c - what comes back: heads, redirects, ranges, and the body's way from the connection through the decoder to the
 * asker. See request_room.h.
 *
 * A body's bytes stay in the stream until whoever takes them has taken them: so a slow taker makes the server wait. `front` says
 * how many at the front of the stream are body and already known to the HTTP reader. */
#include "base/limits.h"
#include "base/must.h"
#include "out/request_room.h"
#include "protocols/date.h"
#include "protocols/etag.h"
#include "protocols/range.h"

#define DECODE_TURN  8  /* pieces decoded in one callback: then others have their turn */
#define STRONG_AFTER 60 /* seconds a Last-Modified must lie before Date to be a strong validator (RFC 9110 8.8.2.2) */

static void fail(struct request_work *w, enum err_code code, const char *why) {
    struct err e = ERR_INIT;
    err_set(&e, code, "%s", why);
    request_fail(w, &e);
}

/* --- validators --- */

static struct slice find_value(const struct http1_head *head, struct slice name) {
    const struct http_field *f = http_field_find(head->fields, head->field_n, name);
    return f ? f->value : slice_of(NULL, 0);
}

static struct slice find_validator(const struct http1_head *head) {
    struct etag tag;
    int64_t changed, now;
    struct slice text = find_value(head, LIT("etag")), date = find_value(head, LIT("last-modified"));
    if (etag_read(text, &tag) && !tag.weak) return text;
    if (date_read(date, 0, &changed) && date_read(find_value(head, LIT("date")), 0, &now) &&
        changed <= now - STRONG_AFTER)
        return date;
    return slice_of(NULL, 0);
}

/* Whether a 206 is the rest of what we have a part of: from there to its end, and nothing says it is another thing. */
static bool is_our_rest(struct request_work *w, const struct http1_head *head) {
    struct range_content c;
    struct slice tag = find_value(head, LIT("etag")), date = find_value(head, LIT("last-modified"));
    bool by_tag = w->validator.ptr[0] == '"';
    if (!range_content_read(find_value(head, LIT("content-range")), &c, NULL)) return false;
    if (!c.has_range || !c.has_length || c.range.first != w->r->file.from || c.range.last != c.length - 1) return false;
    if (head->has_length && head->length != c.length - c.range.first) return false;
    if (by_tag ? tag.len && !slice_eq(tag, w->validator) : date.len && !slice_eq(date, w->validator)) return false;
    w->expected = c.length;
    return true;
}

/* --- heads --- */

/* What follows of this answer does not count. */
static void skip(struct request_work *w, const struct http1_head *head) {
    bool worth = w->keep_alive && head->framing != HTTP1_FRAMING_CLOSE && head->length <= LIMIT_OUT_SKIPPED;
    w->skipped = 0;
    if (worth)
        request_enter(w, REQUEST_SKIPPING);
    else
        request_next_hop(w);
}

static void fail_status(struct request_work *w, unsigned status) {
    struct err e = ERR_INIT;
    enum err_code code = status == 404 || status == 410   ? ERR_NOT_FOUND
                         : status == 401 || status == 403 ? ERR_AUTHORIZATION
                         : status == 429                  ? ERR_RATE
                                                          : ERR_NETWORK;
    const char *name = http1_status_name(status);
    err_set(&e, code, "the server answered %u%s%s where a file was wanted", status, *name ? " " : "", name);
    request_fail(w, &e);
}

/* An answer that is to go into a file. True: it may. */
static bool accept_for_file(struct request_work *w, const struct http1_head *head) {
    const struct request *r = w->r;
    bool ranged = r->file.from && w->validator.len && !w->whole;
    if (head->status == 200) return true;
    if (head->status == 206 && ranged && is_our_rest(w, head)) {
        w->r->resumed = true;
        return true;
    }
    if (ranged && (head->status == 206 || head->status == 416)) {
        w->whole = true;
        skip(w, head);
    } else
        fail_status(w, head->status);
    return false;
}

static bool is_redirect(unsigned status) {
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static void follow(struct request_work *w, const struct http1_head *head, struct slice location) {
    struct request *r = w->r;
    struct err e = ERR_INIT;
    struct hop_name before = hop_name(&w->hop);
    if (r->redirected >= r->redirects) {
        err_set(&e, ERR_NETWORK, "it was redirected more than %u times", r->redirects);
        request_fail(w, &e);
        return;
    }
    if (!hop_follow(&w->hop, location, &e)) {
        err_context(&e, "following a redirect from %s", before.text);
        request_fail(w, &e);
        return;
    }
    r->redirected++;
    if (w->key.secure && !w->hop.secure && !r->downgrade) {
        err_set(&e, ERR_NETWORK, "%s redirects there, from https to http, which is not followed", before.text);
        request_fail(w, &e);
        return;
    }
    if (w->key.secure != w->hop.secure || w->key.port != w->hop.port || !slice_eq(w->key.host, w->hop.url.host))
        w->private_dropped = true;
    bool see_other = head->status == 303 && !slice_eq(w->method, LIT("HEAD"));
    bool moved_post = (head->status == 301 || head->status == 302) && slice_eq(w->method, LIT("POST"));
    if (see_other || moved_post) {
        w->method = LIT("GET");
        w->body_dropped = true;
    }
    skip(w, head);
}

static void start_file(struct request_work *w) {
    struct request *r = w->r;
    struct err e = ERR_INIT;
    uint64_t from = r->resumed ? r->file.from : 0;
    w->pump = (struct pump){.call = request_pump_heard, .name = r->name};
    if (pump_write(&w->pump, w->loop, r->file.disk, r->file.root, w->path, from, w->most, &e)) return;
    err_context(&e, "writing the file");
    request_fail(w, &e);
}

static void accept_answer(struct request_work *w, const struct http1_head *head) {
    struct request *r = w->r;
    struct err e = ERR_INIT;
    enum coding_kind kind = CODING_NONE;
    if (r->into == REQUEST_FILE && !accept_for_file(w, head)) return;
    w->came = r->resumed ? r->file.from : 0;
    if (r->decode && head->framing != HTTP1_FRAMING_NONE &&
        (!coding_from(head->fields, head->field_n, &kind, &e) || (kind && !(w->coding = coding_new(kind, &e))))) {
        request_fail(w, &e);
        return;
    }
    if (w->coding && w->most == UINT64_MAX) w->most = LIMIT_OUT_DECODED;
    if (!w->coding && head->framing == HTTP1_FRAMING_LENGTH &&
        (w->came > w->most || head->length > w->most - w->came)) {
        err_limit(&e, "most", w->most, ERR_NOWHERE);
        request_fail(w, &e);
        return;
    }
    request_enter(w, REQUEST_ANSWERED);
    r->head = head;
    r->final_url = buf_slice(&w->hop.text);
    r->validator = find_validator(head);
    w->in_call = true;
    r->call(r, REQUEST_HEAD);
    w->in_call = false;
    if (!w->r) return;
    r->head = NULL;
    r->final_url = r->validator = slice_of(NULL, 0);
    if (r->into == REQUEST_FILE) start_file(w);
}

static void take_head(struct request_work *w, const struct http1_head *head) {
    struct request *r = w->r;
    if (head->status == 101) {
        fail(w, ERR_NETWORK, "the server changes to a protocol that was not asked for");
        return;
    }
    w->interim = head->status < 200;
    if (w->interim) return;
    /* An answer ahead of the request's end: the rest is not sent, and the connection cannot be used again. */
    w->keep_alive = head->keep_alive && !w->sending;
    w->sending = false;
    r->status = head->status;
    struct slice location = find_value(head, LIT("location"));
    if (r->redirects && is_redirect(head->status) && location.ptr)
        follow(w, head, location);
    else
        accept_answer(w, head);
}

/* --- the body --- */

struct slice request_offer(const struct request_work *w) {
    if (w->coding) return w->piece;
    return w->conn ? slice_head(stream_data(&w->conn->s), w->front) : slice_of(NULL, 0);
}

void request_take(struct request_work *w, size_t n) {
    w->came += n;
    if (w->coding) {
        w->piece = slice_skip(w->piece, n);
        return;
    }
    w->front -= n;
    stream_eat(&w->conn->s, n);
}

/* True: there is a piece. False: more input is wanted, or it is over. */
static bool decode(struct request_work *w) {
    struct err e = ERR_INIT;
    if (!w->coding || (!w->front && !w->more_inside)) return false;
    struct fed fed = coding_feed(w->coding, slice_head(stream_data(&w->conn->s), w->front), &w->piece, &e);
    w->front -= fed.used;
    stream_eat(&w->conn->s, fed.used);
    w->more_inside = fed.step == STEP_EVENT;
    if (fed.step == STEP_BAD) request_fail(w, &e);
    return fed.step == STEP_EVENT;
}

/* True: all of the piece is taken. */
static bool give(struct request_work *w, struct slice piece) {
    struct request *r = w->r;
    struct err e = ERR_INIT;
    if (w->came > w->most || piece.len > w->most - w->came) {
        err_limit(&e, "most", w->most, ERR_NOWHERE);
        request_fail(w, &e);
        return false;
    }
    switch (r->into) {
    case REQUEST_PIECES:
        if (w->told) return false; /* it knows, and does not want it yet */
        w->told = w->in_call = true;
        r->call(r, REQUEST_DATA);
        w->in_call = false;
        return w->r && !request_offer(w).len;
    case REQUEST_GATHERED:
        if (!buf_add(&w->gathered, piece)) {
            err_nomem(&e, "the answer");
            request_fail(w, &e);
            return false;
        }
        break;
    case REQUEST_FILE:
        if (!w->sink_open || w->sink_full) return false;
        w->sink_full = !pump_feed(&w->pump, piece);
        break;
    }
    request_take(w, piece.len);
    return true;
}

/* True: all that is known to be body is taken. False: somebody must be waited for, or it is over. */
static bool pour(struct request_work *w) {
    for (unsigned decoded = 0;;) {
        struct slice piece = request_offer(w);
        if (piece.len) {
            if (!give(w, piece)) return false;
            continue;
        }
        w->told = false;
        if (decoded == DECODE_TURN) {
            loop_task_queue(w->loop, &w->task, LOOP_LATER);
            return false;
        }
        if (!decode(w)) return w->r != NULL;
        decoded++;
    }
}

/* --- the end of the message --- */

static void finish(struct request_work *w) {
    request_let_go(w, w->keep_alive);
    if (w->coding && !coding_whole(w->coding)) {
        fail(w, ERR_NETWORK, "the compressed body ended too early");
        return;
    }
    if (w->r->into != REQUEST_FILE) {
        request_done(w);
        return;
    }
    if (w->expected && w->came != w->expected) {
        fail(w, ERR_NETWORK, "the rest of the file was shorter or longer than announced");
        return;
    }
    w->ended = true;
    request_enter(w, REQUEST_SEALING);
    if (w->sink_open) pump_finish(&w->pump);
}

void request_pump_heard(struct pump *p, enum pump_event event) {
    struct request_work *w = LOOP_OWNER(struct request_work, pump, p);
    struct err e = p->err;
    switch (event) {
    case PUMP_OPEN:
        w->sink_open = true;
        if (w->ended)
            pump_finish(p);
        else
            request_pace(w), request_read(w);
        return;
    case PUMP_DATA: return;
    case PUMP_DRAINED:
        w->sink_full = false;
        if (w->phase == REQUEST_ANSWERED) request_pace(w), request_read(w);
        return;
    case PUMP_DONE:
        memcpy(w->r->sum, p->sum, sizeof w->r->sum);
        request_done(w);
        return;
    case PUMP_FAILED:
        err_context(&e, "writing the file");
        request_fail(w, &e);
        return;
    }
}

/* The other side has ended the connection, and all it sent is read. True: that was the end of the message. */
static bool end_of_stream(struct request_work *w) {
    struct http1_event event;
    struct err e = ERR_INIT;
    bool lasted = w->http.state == HTTP1_STATE_CLOSE;
    struct fed fed = http1_eof(&w->http, &event, &e);
    if (fed.step == STEP_EVENT && lasted && w->key.secure && w->conn->s.cut)
        fail(w, ERR_NETWORK, "the connection was cut, so the answer may not be whole");
    else if (fed.step == STEP_EVENT)
        return true;
    else if (w->phase == REQUEST_SKIPPING)
        request_next_hop(w);
    else if (request_again(w))
        return false;
    else if (fed.step == STEP_END)
        fail(w, ERR_NETWORK, "the server closed the connection without an answer");
    else
        fail(w, ERR_NETWORK, "the server closed the connection in the middle of its answer");
    return false;
}

/* True: the message goes on. */
static bool take_event(struct request_work *w, const struct http1_event *event, struct slice in, size_t used) {
    struct conn *c = w->conn;
    switch (event->kind) {
    case HTTP1_EVENT_HEAD:
        take_head(w, event->head);
        if (!w->r || w->conn != c) return false;
        stream_eat(&c->s, used);
        return true;
    case HTTP1_EVENT_BODY: {
        size_t before = (size_t)(event->data.ptr - in.ptr);
        must(before + event->data.len == used);
        if (w->phase != REQUEST_SKIPPING) {
            w->front = event->data.len;
            stream_eat(&c->s, before);
            return true;
        }
        w->skipped += event->data.len;
        stream_eat(&c->s, used);
        if (w->skipped <= LIMIT_OUT_SKIPPED) return true;
        request_next_hop(w);
        return false;
    }
    case HTTP1_EVENT_TRAILERS: stream_eat(&c->s, used); return true;
    case HTTP1_EVENT_END:
        stream_eat(&c->s, used);
        if (w->interim) {
            w->interim = false;
            return true;
        }
        if (w->phase == REQUEST_SKIPPING) {
            request_let_go(w, w->keep_alive);
            request_next_hop(w);
        } else
            finish(w);
        return false;
    }
    return false;
}

void request_read(struct request_work *w) {
    while (w->conn && pour(w)) {
        struct http1_event event;
        struct err e = ERR_INIT;
        struct slice in = stream_data(&w->conn->s);
        struct fed fed = http1_feed(&w->http, in, &event, &e);
        if (fed.step == STEP_EVENT) {
            if (!take_event(w, &event, in, fed.used)) return;
            continue;
        }
        if (fed.step == STEP_BAD) {
            if (w->phase == REQUEST_SKIPPING) {
                request_next_hop(w);
                return;
            }
            err_context(&e, "reading the answer");
            if (e.code != ERR_NOMEM && e.code != ERR_LIMIT) e.code = ERR_NETWORK;
            request_fail(w, &e);
            return;
        }
        stream_eat(&w->conn->s, fed.used);
        if (!w->conn->s.ended || stream_data(&w->conn->s).len) return;
        if (end_of_stream(w)) {
            if (w->phase == REQUEST_SKIPPING)
                request_next_hop(w);
            else
                finish(w);
        }
        return;
    }
}
