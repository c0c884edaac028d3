/* conn.c - a connection: its waits, its exchange, its end. See server.h and room.h. Requests are read by request.c. */
#include "http/room.h"

#include "base/must.h"

/* --- the list of those that wait for a request, by last use --- */

void http_conn_unlist(struct http_conn *c) {
    struct http_server *s = c->server;
    if (!c->listed) return;
    c->listed = false;
    *(c->older ? &c->older->newer : &s->oldest) = c->newer;
    *(c->newer ? &c->newer->older : &s->newest) = c->older;
}

void http_conn_newest(struct http_conn *c) {
    struct http_server *s = c->server;
    if (c->listed && s->newest == c) return;
    http_conn_unlist(c);
    c->listed = true;
    c->newer = NULL;
    c->older = s->newest;
    *(s->newest ? &s->newest->newer : &s->oldest) = c;
    s->newest = c;
}

/* --- waiting --- */

/* What the client has moved. What it has not acknowledged does not count, and what it acknowledges of a full buffer does: a slow
 * reader moves though nothing can be written for a long time. Costs a system call where something is written. */
static uint64_t moved(const struct http_conn *c, enum http_wait w) {
    uint64_t all = c->s.read_bytes + c->s.written_bytes;
    uint64_t unheard = w == HTTP_WAIT_WRITE || c->closing ? stream_unheard(&c->s) : 0;
    return all > unheard ? all - unheard : 0;
}

static int64_t time_for(const struct http_conn *c, enum http_wait w) {
    const struct http_limits *l = &c->server->limits;
    switch (w) {
    case HTTP_WAIT_FIRST:
    case HTTP_WAIT_HEAD: return l->head_ms;
    case HTTP_WAIT_IDLE: return l->idle_ms;
    case HTTP_WAIT_BODY:
    case HTTP_WAIT_WRITE: return l->pace_ms;
    case HTTP_WAIT_HANDLER: return l->answer_ms;
    case HTTP_WAIT_UPPER: return l->ping_ms;
    }
    return l->pace_ms;
}

/* The wait that goes on keeps its deadline; waiting for a request begins anew each time. False: nobody waits without one. */
bool http_conn_wait(struct http_conn *c, enum http_wait w) {
    bool good = true;
    if (w != c->wait || w == HTTP_WAIT_IDLE || w == HTTP_WAIT_FIRST) {
        /* What is written is only looked at when it is late: until then it costs no system call. */
        c->mark = w == HTTP_WAIT_WRITE ? 0 : moved(c, w);
        good = stream_deadline(&c->s, loop_now_ms(c->server->loop) + time_for(c, w));
    }
    c->wait = w;
    if (w == HTTP_WAIT_IDLE || w == HTTP_WAIT_FIRST)
        http_conn_newest(c);
    else
        http_conn_unlist(c);
    if (!good) {
        c->closing = true;
        stream_abort(&c->s);
    }
    return good;
}

static enum http_wait find_wait(const struct http_conn *c) {
    if (c->stalled) return HTTP_WAIT_WRITE;
    if (c->x && c->x->phase == HTTP_ANSWERING) return HTTP_WAIT_WRITE;
    if (c->x && c->x->phase == HTTP_ANSWER_DUE) return HTTP_WAIT_HANDLER;
    if (c->parser) return c->parser->state == HTTP1_STATE_HEAD ? HTTP_WAIT_HEAD : HTTP_WAIT_BODY;
    return HTTP_WAIT_IDLE;
}

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

static void be_ready(struct http_conn *c, enum loop_phase phase) {
    struct http_server *s = c->server;
    if (c->ready) return;
    c->ready = true;
    c->ready_next = s->ready;
    s->ready = c;
    loop_task_queue(s->loop, &s->ready_task, phase);
}

void http_conn_yield(struct http_conn *c) {
    be_ready(c, LOOP_LATER);
}

static void close_now(struct http_conn *c) {
    const struct http_server *s = c->server;
    http_conn_unlist(c);
    if (c->parser) { /* what was begun is counted no longer */
        http1_release(c->parser);
        mem_put(c->parser, sizeof *c->parser);
        c->parser = NULL;
    }
    http_conn_account(c, 0);
    c->mark = 0;
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
    c->early = !x->whole;
    http_exchange_free(x);
    if (!keep) {
        http_conn_close(c, !polite);
        return;
    }
    if (c->s.paused) stream_resume(&c->s);
    if (!c->running) be_ready(c, LOOP_ANSWER);
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
enum http1_method http_method(const struct http_exchange *x) {
    return x->method;
}

bool http_is_secure(const struct http_exchange *x) {
    return x->conn->secure;
}

/* --- the other end, asked of the kernel once a connection --- */

static void set_from(struct http_conn *c, const void *bytes, uint8_t len) {
    memcpy(c->from, bytes, len);
    c->from_len = len;
}

static void find_from(struct http_conn *c) {
    struct address a;
    set_from(c, "none", 4); /* gone already: its own */
    if (!stream_peer(&c->s, &a)) return;
    switch (a.any.sa_family) {
    case AF_INET: set_from(c, &a.v4.sin_addr, 4); return;
    case AF_INET6:
        if (IN6_IS_ADDR_V4MAPPED(&a.v6.sin6_addr))
            set_from(c, a.v6.sin6_addr.s6_addr + 12, 4);
        else
            set_from(c, &a.v6.sin6_addr, 8);
        return;
    }
}

struct slice http_from(struct http_exchange *x) {
    struct http_conn *c = x->conn;
    if (c->from_len == FROM_UNKNOWN) find_from(c);
    return slice_of(c->from, c->from_len);
}

bool http_is_local(struct http_exchange *x) {
    return !http_from(x).len;
}

bool http_unix_peer(const struct http_exchange *x, struct unix_peer *peer, struct err *e) {
    return stream_unix_peer(&x->conn->s, peer, e);
}

void http_pause(struct http_exchange *x) {
    stream_pause(&x->conn->s);
}

void http_resume(struct http_exchange *x) {
    stream_resume(&x->conn->s);
    if (!x->conn->running) be_ready(x->conn, LOOP_ANSWER);
}

/* An answer that no handler gives: the error, then the end of the connection. */
void http_conn_refuse_plain(struct http_conn *c, const struct err *e, bool head) {
    struct http_exchange plain = {.conn = c, .method = HTTP1_METHOD_OTHER, .phase = HTTP_ANSWER_DUE};
    struct http_head_text h;
    char room[HTTP_ERROR_TEXT];
    struct slice text = http_error_text(room, e);
    c->server->counts.refused++;
    if (http_head_write(&plain, &h, (unsigned)err_http(e), LIT("text/plain; charset=utf-8"), LIT(""), text.len) &&
        stream_write(&c->s, slice_of(h.text, h.len)) && (head || stream_write(&c->s, text)))
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
    bool head = c->x && c->x->method == HTTP1_METHOD_HEAD;
    bool clean = drop_exchange(c);
    if (clean && c->early)
        http_conn_close(c, true); /* this request has its answer */
    else if (clean)
        http_conn_refuse_plain(c, e, head);
    else {
        c->closing = true;
        stream_abort(&c->s);
    }
}

static void run(struct http_conn *c) {
    c->running = true;
    http_conn_read(c);
    c->running = false;
    if (c->upper) return;
    if (c->closing) {
        close_now(c);
        return;
    }
    bool more = c->stalled || c->ready || stream_data(&c->s).len;         /* of what was read already */
    if (c->eof && !more && (!c->x || c->x->phase == HTTP_READING_BODY)) { /* a half request is no request */
        drop_exchange(c);
        http_conn_close(c, false);
        return;
    }
    if (http_conn_wait(c, find_wait(c)) && c->wait == HTTP_WAIT_IDLE && c->server->stopping && !more)
        http_conn_close(c, true);
}

bool http_conns_ready(struct loop_task *t) {
    struct http_server *s = LOOP_OWNER(struct http_server, ready_task, t);
    struct http_conn *c = s->ready;
    s->ready = NULL; /* who yields again does it for the next time */
    for (struct http_conn *next; c; c = next) {
        next = c->ready_next;
        c->ready = false;
        if (c->closing) continue;
        if (c->upper)
            c->upper->call(c->upper, STREAM_DATA);
        else
            run(c);
    }
    return false;
}

/* --- the stream's events --- */

/* Whether the client moves, or it is not its turn: a body that the handler does not want yet, an answer that has nothing to be
 * written yet. */
static bool keeps_pace(struct http_conn *c) {
    bool ours = c->wait == HTTP_WAIT_BODY ? c->s.paused : !stream_pending(&c->s) && !stream_pull_left(&c->s);
    uint64_t before = c->mark;
    c->mark = moved(c, c->wait);
    return (ours && !c->closing) || c->mark >= before + c->server->limits.pace;
}

static void late(struct http_conn *c) {
    struct http_server *s = c->server;
    struct err e = ERR_INIT;
    if ((c->closing || c->wait == HTTP_WAIT_BODY || c->wait == HTTP_WAIT_WRITE) && keeps_pace(c)) {
        stream_deadline(&c->s, loop_now_ms(s->loop) + s->limits.pace_ms);
        return;
    }
    s->counts.timeouts++;
    if (c->closing || c->wait == HTTP_WAIT_WRITE) return;          /* aborted */
    if (c->wait == HTTP_WAIT_IDLE || c->wait == HTTP_WAIT_FIRST) { /* nothing was asked */
        http_conn_close(c, false);
        return;
    }
    bool ours = c->wait == HTTP_WAIT_HANDLER;
    err_set(&e, ERR_TIMEOUT, ours ? "there was no answer in time" : "the request did not come in time");
    err_status(&e, ours ? 504 : 408);
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
    *(c->prev ? &c->prev->next : &s->conns) = c->next;
    if (c->next) c->next->prev = c->prev;
    s->counts.open--;
    s->counts.local -= c->from_len == FROM_LOCAL;
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
    if (c->door && event == STREAM_DATA) {
        http_conn_first(c);
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
        if (!c->closing) {
            http_conn_account(c, stream_data(st).len);
            run(c);
        }
        break;
    case STREAM_LATE: late(c); break;
    case STREAM_GONE: break;
    }
}
