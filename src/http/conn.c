/* conn.c - a connection: its waits, its exchange, its end. See server.h and room.h. Requests are read by request.c. */
#include "http/room.h"

#include "base/must.h"

#include <stdio.h>

/* --- the list by last use --- */

void http_conn_unlist(struct http_conn *c) {
    struct http_server *s = c->server;
    *(c->older ? &c->older->newer : &s->oldest) = c->newer;
    *(c->newer ? &c->newer->older : &s->newest) = c->older;
}

void http_conn_newest(struct http_conn *c) {
    struct http_server *s = c->server;
    c->newer = NULL;
    c->older = s->newest;
    *(s->newest ? &s->newest->newer : &s->oldest) = c;
    s->newest = c;
}

/* --- waiting --- */

static uint64_t moved(const struct http_conn *c) {
    return c->s.read_bytes + c->s.written_bytes;
}

static void wait_for(struct http_conn *c, enum http_wait w) {
    const struct http_limits *l = &c->server->limits;
    int64_t now = loop_now_ms(c->server->loop);
    if (w == HTTP_WAIT_IDLE)
        stream_deadline(&c->s, now + l->idle_ms);
    else if (w != c->wait) {
        c->mark = moved(c);
        bool in_time = stream_deadline(&c->s, w == HTTP_WAIT_HEAD      ? now + l->head_ms
                                              : w == HTTP_WAIT_HANDLER ? 0
                                                                       : now + l->pace_ms);
        if (!in_time) stream_abort(&c->s); /* nobody waits without a deadline */
    }
    c->wait = w;
}

static enum http_wait find_wait(const struct http_conn *c) {
    if (c->stalled) return HTTP_WAIT_WRITE;
    if (c->x && c->x->phase == HTTP_ANSWERING) return HTTP_WAIT_WRITE;
    if (c->x && c->x->phase == HTTP_ANSWER_DUE) return HTTP_WAIT_HANDLER;
    if (c->parser) return c->parser->state == HTTP1_STATE_HEAD ? HTTP_WAIT_HEAD : HTTP_WAIT_BODY;
    return HTTP_WAIT_IDLE;
}

/* What is unfinished on this connection, counted for all of them together. False: too much. */
bool http_conn_account(struct http_conn *c, size_t kept) {
    struct http_server *s = c->server;
    size_t cost = kept + (c->parser ? sizeof *c->parser + c->parser->held.cap : 0) + (c->x ? c->x->body.cap : 0);
    s->counts.held = s->counts.held - c->cost + cost;
    bool good = cost <= c->cost || s->counts.held <= s->limits.held;
    c->cost = cost;
    return good;
}

/* --- exchanges --- */

void http_exchange_free(struct http_exchange *x) {
    x->conn->x = NULL;
    buf_release(&x->body);
    mem_put(x, sizeof *x);
}

static void be_ready(struct http_conn *c) {
    struct http_server *s = c->server;
    if (c->ready || c->running) return;
    c->ready = true;
    c->ready_next = s->ready;
    s->ready = c;
    loop_task_queue(s->loop, &s->ready_task, LOOP_ANSWER);
}

static void close_now(struct http_conn *c) {
    const struct http_server *s = c->server;
    c->mark = moved(c);
    stream_deadline(&c->s, loop_now_ms(s->loop) + s->limits.pace_ms);
    /* What the client still sends would make the kernel throw our answer away. */
    if (c->linger && !c->eof)
        stream_linger(&c->s, s->limits.linger_ms);
    else
        stream_close(&c->s);
}

/* Ends the connection once what was written is out. */
void http_conn_close(struct http_conn *c, bool linger) {
    if (c->closing) return;
    c->closing = true;
    c->linger = linger;
    if (!c->running) close_now(c);
}

void http_over(struct http_exchange *x) {
    struct http_conn *c = x->conn;
    bool keep = x->keep_alive, polite = x->whole && x->asked_close;
    http_exchange_free(x);
    if (!keep) {
        http_conn_close(c, !polite);
        return;
    }
    if (c->s.paused) stream_resume(&c->s);
    be_ready(c);
}

void http_abandon(struct http_exchange *x) {
    struct http_conn *c = x->conn;
    http_exchange_free(x);
    c->closing = true;
    stream_abort(&c->s);
}

void http_become(struct http_exchange *x, struct http_upper *u) {
    struct http_conn *c = x->conn;
    http_exchange_free(x);
    c->upper = u;
}

void *http_arg(const struct http_exchange *x) {
    return x->route->arg;
}
void **http_mine(struct http_exchange *x) {
    return &x->mine;
}
struct http_server *http_server_of(const struct http_exchange *x) {
    return x->conn->server;
}
enum http1_method http_method(const struct http_exchange *x) {
    return x->method;
}

bool http_peer(const struct http_exchange *x, struct address *a) {
    *a = (struct address){.len = sizeof a->un};
    return getpeername(x->conn->s.fd.fd, &a->any, &a->len) == 0;
}

void http_pause(struct http_exchange *x) {
    stream_pause(&x->conn->s);
}

void http_resume(struct http_exchange *x) {
    stream_resume(&x->conn->s);
    be_ready(x->conn);
}

/* An answer that no handler gives: the error, then the end of the connection. */
void http_conn_refuse_plain(struct http_conn *c, const struct err *e) {
    struct http_exchange plain = {.conn = c, .method = HTTP1_METHOD_OTHER, .phase = HTTP_ANSWER_DUE};
    struct http_head_text h;
    char text[ERR_TEXT + 80];
    int status = err_http(e);
    int len = snprintf(text, sizeof text, "%d %s: %s%s%s%s\n", status, http1_status_name((unsigned)status), e->text,
                       e->limit ? " (limit " : "", e->limit ? e->limit : "", e->limit ? ")" : "");
    if (len < 0 || (size_t)len >= sizeof text) len = (int)sizeof text - 1;
    c->server->counts.refused++;
    if (http_head_write(&plain, &h, (unsigned)status, LIT("text/plain; charset=utf-8"), LIT(""), (uint64_t)len) &&
        stream_write(&c->s, slice_of(h.text, h.len)) && stream_write(&c->s, slice_of(text, (size_t)len)))
        http_conn_close(c, true);
    else {
        c->closing = true;
        stream_abort(&c->s);
    }
}

/* The request under way, if any, is over without an answer of its handler. True: nothing of an answer was written yet. */
static bool drop_exchange(struct http_conn *c) {
    struct http_exchange *x = c->x;
    if (!x) return true;
    bool clean = x->phase != HTTP_ANSWERING;
    if (x->route && x->route->handler->gone) x->route->handler->gone(x);
    if (c->x) http_exchange_free(c->x);
    return clean;
}

void http_conn_refuse(struct http_conn *c, const struct err *e) {
    if (drop_exchange(c))
        http_conn_refuse_plain(c, e);
    else {
        c->closing = true;
        stream_abort(&c->s);
    }
}

static void run(struct http_conn *c) {
    c->running = true;
    http_conn_read(c);
    c->running = false;
    if (c->closing) close_now(c);
    if (c->closing || c->upper) return;
    if (c->eof && (!c->x || c->x->phase == HTTP_READING_BODY)) { /* a half request is no request */
        drop_exchange(c);
        http_conn_close(c, false);
        return;
    }
    wait_for(c, find_wait(c));
    if (c->wait != HTTP_WAIT_IDLE) return;
    if (c->server->stopping)
        http_conn_close(c, true);
    else if (c->server->newest != c) {
        http_conn_unlist(c);
        http_conn_newest(c);
    }
}

bool http_conns_ready(struct loop_task *t) {
    struct http_server *s = LOOP_OWNER(struct http_server, ready_task, t);
    while (s->ready) {
        struct http_conn *c = s->ready;
        s->ready = c->ready_next;
        c->ready = false;
        if (!c->closing && !c->upper) run(c);
    }
    return false;
}

/* --- the stream's events --- */

static void late(struct http_conn *c) {
    struct http_server *s = c->server;
    uint64_t now = moved(c);
    struct err e = ERR_INIT;
    if ((c->closing || c->wait == HTTP_WAIT_BODY || c->wait == HTTP_WAIT_WRITE) && now - c->mark >= s->limits.pace) {
        c->mark = now;
        stream_deadline(&c->s, loop_now_ms(s->loop) + s->limits.pace_ms);
        return;
    }
    s->counts.timeouts++;
    if (c->closing || c->wait == HTTP_WAIT_WRITE) return;                         /* aborted */
    if (c->wait == HTTP_WAIT_IDLE || (c->wait == HTTP_WAIT_HEAD && !c->parser)) { /* nothing was asked */
        http_conn_close(c, false);
        return;
    }
    err_set(&e, ERR_TIMEOUT, "the request did not come in time");
    err_status(&e, 408);
    http_conn_refuse(c, &e);
}

static void forget(struct http_conn *c) {
    struct http_server *s = c->server;
    drop_exchange(c);
    if (c->parser) {
        http1_release(c->parser);
        mem_put(c->parser, sizeof *c->parser);
    }
    if (c->ready)
        for (struct http_conn **at = &s->ready; *at; at = &(*at)->ready_next)
            if (*at == c) {
                *at = c->ready_next;
                break;
            }
    s->counts.held -= c->cost;
    http_conn_unlist(c);
    s->counts.open--;
    struct http_upper *u = c->upper;
    if (u) u->call(u, STREAM_GONE);
    mem_put(c, sizeof *c);
    if (s->stopping && !s->counts.open) loop_task_queue(s->loop, &s->stop_task, LOOP_LATER);
}

void http_conn_heard(struct stream *st, enum stream_event event) {
    struct http_conn *c = LOOP_OWNER(struct http_conn, s, st);
    if (event == STREAM_GONE) {
        c->closing = true;
        forget(c);
        return;
    }
    if (c->upper) {
        c->upper->call(c->upper, event);
        return;
    }
    switch (event) {
    case STREAM_OPEN: break;
    case STREAM_END:
        c->eof = true;
        if (!c->closing) run(c);
        break;
    case STREAM_DATA:
        if (c->closing)
            stream_eat(st, stream_data(st).len);
        else
            run(c);
        break;
    case STREAM_DRAINED:
        if (c->closing) break;
        c->stalled = false;
        if (c->x && c->x->phase == HTTP_ANSWERING && c->x->route->handler->drained) c->x->route->handler->drained(c->x);
        if (!c->closing) run(c);
        break;
    case STREAM_LATE: late(c); break;
    case STREAM_GONE: break;
    }
}
