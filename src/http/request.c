/* request.c - reading requests off a connection and giving them to their routes. See server.h. */
#include "http/room.h"

#define REQUESTS_TURN 64          /* answered at once on one connection */
#define GREEDY        (64u << 10) /* bytes of answers that wait, of one connection, from which on it may have to give way */
#define SWALLOW_MOST  (256u << 10) /* of a body nobody wants, before the connection is closed instead */

static const struct http_route *find_route(const struct http_server *s, struct slice path, unsigned method,
                                           unsigned *allowed) {
    *allowed = 0;
    if (slice_eq(path, LIT("*"))) { /* OPTIONS *: what any route has */
        for (unsigned i = 0; i < s->route_n; i++) *allowed |= s->routes[i].methods;
        return NULL;
    }
    for (unsigned i = 0; i < s->route_n; i++) {
        const struct http_route *r = &s->routes[i];
        struct slice want = slice_str(r->path);
        if (r->prefix ? !slice_starts(path, want) : !slice_eq(path, want)) continue;
        if (r->methods & method) return r;
        *allowed |= r->methods;
    }
    return NULL;
}

static void answer_no_route(struct http_exchange *x, unsigned allowed) {
    struct err e = ERR_INIT;
    if (!allowed) {
        err_set(&e, ERR_NOT_FOUND, "there is nothing here");
        http_reply_error(x, &e);
        return;
    }
    uint8_t text[160];
    struct buf fields;
    buf_init(&fields, sizeof text);
    buf_add(&fields, LIT("Allow: OPTIONS"));
    for (unsigned m = 0; m < HTTP1_METHOD_OTHER; m++)
        if (allowed & HTTP_METHOD(m)) buf_printf(&fields, ", %s", http1_method_name((enum http1_method)m));
    buf_add(&fields, LIT("\r\n"));
    if (!buf_ok(&fields))
        http_abandon(x);
    else if (x->method == HTTP1_METHOD_OPTIONS)
        http_reply(x, 204, LIT(""), buf_slice(&fields), LIT(""));
    else if (x->method == HTTP1_METHOD_OTHER)
        http_reply(x, 501, LIT("text/plain; charset=utf-8"), buf_slice(&fields),
                   LIT("501 Not Implemented: no such method\n"));
    else
        http_reply(x, 405, LIT("text/plain; charset=utf-8"), buf_slice(&fields),
                   LIT("405 Method Not Allowed: see Allow\n"));
    buf_release(&fields);
}

/* Answers that wait take more memory than they may. */
static bool is_short(const struct http_server *s) {
    return s->counts.out > s->limits.out_all;
}

/* Whoever lets most wait gives way: else a few slow readers would keep everybody out. */
static bool relieve(struct http_server *s, const struct http_conn *asks) {
    struct http_conn *most = NULL;
    for (struct http_conn *c = s->conns; c; c = c->next)
        if (c != asks && !c->closing && c->s.own.cap >= GREEDY && (!most || c->s.own.cap > most->s.own.cap)) most = c;
    if (!most) return false;
    most->closing = true;
    stream_abort(&most->s);
    s->counts.evicted++;
    return true;
}

/* The same thing by https, where this door is. */
static void send_to_https(struct http_exchange *x, const struct http1_head *head) {
    uint8_t text[2048];
    struct buf fields = {.ptr = text, .cap = sizeof text, .max = sizeof text}; /* never grows */
    bool plain = head->form == HTTP1_FORM_ORIGIN && head->host.len;
    if (plain)
        buf_printf(&fields, "Location: https://%.*s%.*s\r\n", (int)head->host.len, (const char *)head->host.ptr,
                   (int)head->target.len, (const char *)head->target.ptr);
    x->keep_alive = false;
    if (plain && buf_ok(&fields))
        http_reply(x, 307, LIT(""), buf_slice(&fields), LIT(""));
    else
        http_reply(x, 400, LIT("text/plain; charset=utf-8"), LIT(""), LIT("Host header required\n"));
}

/* A head is here. False: the connection is over, or the answer must come before anything else is read. */
static bool begin(struct http_conn *c, struct http1 *p, const struct http1_head *head) {
    struct http_server *s = c->server;
    struct err e = ERR_INIT;
    struct http_exchange *x = mem_get(sizeof *x);
    if (!x) {
        err_nomem(&e, "a request");
        http_conn_refuse_plain(c, &e, head->method == HTTP1_METHOD_HEAD);
        return false;
    }
    *x = (struct http_exchange){.conn = c,
                                .method = head->method,
                                .keep_alive = head->keep_alive,
                                .asked_close = !head->keep_alive,
                                .old = head->minor == 0};
    c->x = x;
    c->swallow = 0;
    c->early = false;
    c->wait = HTTP_WAIT_FIRST; /* so that the next wait begins anew */
    s->counts.requests++;
    if (is_short(s) && c->deferred && !relieve(s, c)) {
        err_limit(&e, "out_all", s->limits.out_all, ERR_NOWHERE);
        err_status(&e, 503);
        http_exchange_free(x);
        http_conn_refuse_plain(c, &e, head->method == HTTP1_METHOD_HEAD);
        return false;
    }
    c->deferred = false;

    if (c->astray) {
        send_to_https(x, head);
        return false;
    }
    unsigned allowed;
    unsigned method = head->method == HTTP1_METHOD_OTHER ? 0 : HTTP_METHOD(head->method);
    x->route = find_route(s, head->path, method, &allowed);
    uint64_t most = x->route ? x->route->body : SWALLOW_MOST;
    if (head->framing != HTTP1_FRAMING_NONE) {
        bool wanted = most || (head->framing == HTTP1_FRAMING_LENGTH && !head->length);
        if (!wanted) err_limit(&e, "body", 0, ERR_NOWHERE);
        if (!wanted || !http1_limit_body(p, most ? most : 1, &e)) {
            http_exchange_free(x);
            http_conn_refuse_plain(c, &e, head->method == HTTP1_METHOD_HEAD);
            return false;
        }
        /* Whoever answers early loses no connection by it; but a client that waits for 100 may never send the body. */
        if (most && most <= SWALLOW_MOST && !head->expect) c->swallow = most;
    } else
        x->whole = true;
    if (!x->route) {
        answer_no_route(x, allowed);
        return !c->closing;
    }
    const struct http_handler *h = x->route->handler;
    buf_init(&x->body, h->data ? 0 : most < 1 ? 1 : (size_t)(most < SIZE_MAX ? most : SIZE_MAX));
    if (h->begin) h->begin(x, &(struct http_request){.head = head, .secure = c->secure});
    if (c->closing) return false;
    if (c->x && head->expect && !x->whole && c->x->phase == HTTP_READING_BODY &&
        !stream_write(&c->s, LIT("HTTP/1.1 100 Continue\r\n\r\n"))) {
        stream_abort(&c->s);
        return false;
    }
    return true;
}

static bool take_body(struct http_conn *c, struct slice piece) {
    struct http_exchange *x = c->x;
    if (!x) return true; /* answered already: forgotten */
    const struct http_handler *h = x->route->handler;
    if (h->data) {
        h->data(x, piece);
        return !c->closing;
    }
    if (!x->body.len && !x->body_lent.len) {
        x->body_lent = piece; /* lives until what was read is eaten, behind `run` */
        return true;
    }
    struct slice first = x->body_lent;
    x->body_lent = slice_of(NULL, 0);
    struct err e = ERR_INIT;
    if (buf_add(&x->body, first) && buf_add(&x->body, piece)) return true;
    err_nomem(&e, "the body of a request");
    http_conn_refuse(c, &e);
    return false;
}

static void end(struct http_conn *c) {
    struct http_exchange *x = c->x;
    c->swallow = 0;
    c->early = false;
    if (!x) return;
    x->whole = true;
    if (x->phase == HTTP_READING_BODY) x->phase = HTTP_ANSWER_DUE;
    const struct http_handler *h = x->route->handler;
    struct slice body = x->body_lent.len ? x->body_lent : buf_slice(&x->body);
    if (h->end) h->end(x, body);
}

/* What was lent to an exchange must be kept when the bytes are eaten before the body is whole. */
static bool keep_body(struct http_conn *c) {
    struct http_exchange *x = c->x;
    if (!x || !x->body_lent.len) return true;
    struct slice lent = x->body_lent;
    x->body_lent = slice_of(NULL, 0);
    if (x->phase != HTTP_READING_BODY) return true; /* the handler has had it */
    return buf_add(&x->body, lent);
}

/* A parser of its own while a request is unfinished; none at rest. */
static bool keep_parser(struct http_conn *c, struct http1 *p) {
    struct http_server *s = c->server;
    if (c->parser) {
        if (!http1_idle(c->parser)) return true;
        http1_release(c->parser);
        mem_put(c->parser, sizeof *c->parser);
        c->parser = NULL;
        return true;
    }
    if (http1_idle(p)) return true;
    c->parser = mem_get(sizeof *c->parser);
    if (c->parser)
        *c->parser = *p;
    else
        http1_release(p);
    http1_init(&s->parser, HTTP1_SERVER, &s->limits.parse, s->fields, LIMIT_HTTP1_HEADERS);
    return c->parser != NULL;
}

/* For an upper one, what came right behind the request that began it. */
static void hand_over(struct http_conn *c, size_t used) {
    stream_eat(&c->s, used);
    if (c->parser) {
        http1_release(c->parser);
        mem_put(c->parser, sizeof *c->parser);
        c->parser = NULL;
    } else
        http1_init(&c->server->parser, HTTP1_SERVER, &c->server->limits.parse, c->server->fields, LIMIT_HTTP1_HEADERS);
    http_conn_account(c, 0);
    http_conn_wait(c, HTTP_WAIT_UPPER);
    if (stream_data(&c->s).len) c->upper->call(c->upper, STREAM_DATA);
}

void http_conn_read(struct http_conn *c) {
    struct http_server *s = c->server;
    struct http1 *p = c->parser ? c->parser : &s->parser;
    struct slice in = stream_data(&c->s);
    size_t used = 0;
    struct err e = ERR_INIT;
    bool go_on = true;
    unsigned requests = 0;
    while (go_on && !c->closing && !c->upper && !c->s.paused && (!c->x || c->x->phase == HTTP_READING_BODY)) {
        if (stream_pending(&c->s) > s->limits.out / 2) { /* a client that asks and does not listen */
            stream_owe_drained(&c->s);
            c->stalled = true;
            break;
        }
        if (requests == REQUESTS_TURN && used < in.len) { /* others have their turn */
            http_conn_yield(c);
            break;
        }
        if (is_short(s) && !c->deferred && used < in.len && http1_idle(p)) { /* most of it is gone in the next turn */
            c->deferred = true;
            http_conn_yield(c);
            break;
        }
        struct http1_event ev = {0};
        struct fed fed = http1_feed(p, slice_skip(in, used), &ev, &e);
        used += fed.used;
        if (fed.step == STEP_BAD) {
            http_conn_refuse(c, &e);
            break;
        }
        if (fed.step != STEP_EVENT) break;
        switch (ev.kind) {
        case HTTP1_EVENT_HEAD: go_on = begin(c, p, ev.head); break;
        case HTTP1_EVENT_BODY: go_on = take_body(c, ev.data); break;
        case HTTP1_EVENT_TRAILERS: break; /* nobody asks for them */
        case HTTP1_EVENT_END:
            end(c);
            requests++;
            break;
        }
    }
    if (c->upper) {
        hand_over(c, used);
        return;
    }
    bool good = keep_parser(c, p) && keep_body(c);
    if (c->closing && used < in.len) c->linger = true;
    stream_eat(&c->s, c->closing ? in.len : used);
    if (c->closing) return;
    if (!good) {
        err_nomem(&e, "an unfinished request");
        http_conn_refuse(c, &e);
    } else if (!http_conn_account(c, in.len - used)) {
        err_limit(&e, "held", s->limits.held, ERR_NOWHERE);
        err_status(&e, 503);
        http_conn_refuse(c, &e);
    }
}
