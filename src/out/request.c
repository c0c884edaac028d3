/* request.c - the life of a request: beginning, its hops and their connections, time, the end. See request.h and request_room.h. */
#include "base/limits.h"
#include "base/mem.h"
#include "base/must.h"
#include "out/request_room.h"
#include "protocols/http_chars.h"

static const char *const phase_names[] = {
    [REQUEST_OPENING] = "the file to be sent was looked at",
    [REQUEST_DIALLING] = "the connection was made",
    [REQUEST_TUNNELLING] = "the proxy was asked",
    [REQUEST_SHAKING] = "the TLS handshake went on",
    [REQUEST_ASKING] = "the answer was waited for",
    [REQUEST_ANSWERED] = "the answer came",
    [REQUEST_SKIPPING] = "a redirect was read",
    [REQUEST_SEALING] = "the file was made durable",
    [REQUEST_OVER] = "nothing was done",
};

/* --- the end --- */

static bool say_bye(struct loop_task *t) {
    struct request_work *w = LOOP_OWNER(struct request_work, bye, t);
    http1_release(&w->http);
    coding_free(w->coding);
    buf_release(&w->gathered);
    buf_release(&w->authorization);
    hop_release(&w->hop);
    arena_release(&w->arena);
    mem_put(w, sizeof *w);
    return false;
}

/* Nobody is told anything any more. The block stays until everybody who stands on it has returned. */
static void retire(struct request_work *w) {
    w->r->work = NULL;
    w->r = NULL;
    w->phase = REQUEST_OVER;
    loop_task_remove(&w->task);
    loop_timer_clear(&w->timer);
    source_stop(&w->source);
    pump_stop(&w->pump);
    request_let_go(w, false);
    out_left(w->out);
    loop_task_queue(w->loop, &w->bye, LOOP_CLOSE);
}

void request_stop(struct request *r) {
    if (r->work) retire(r->work);
}

void request_fail(struct request_work *w, const struct err *e) {
    struct request *r = w->r;
    struct hop_name name = hop_name(&w->hop);
    r->err = *e;
    if (r->redirected)
        err_context(&r->err, "%.*s %s (redirected %u times)", (int)w->method.len, (const char *)w->method.ptr,
                    name.text, r->redirected);
    else
        err_context(&r->err, "%.*s %s", (int)w->method.len, (const char *)w->method.ptr, name.text);
    retire(w);
    r->call(r, REQUEST_FAILED);
}

void request_done(struct request_work *w) {
    struct request *r = w->r;
    r->gathered = &w->gathered;
    r->size = w->came;
    retire(w);
    r->call(r, REQUEST_DONE);
}

/* --- time --- */

static uint64_t count_moved(const struct request_work *w) {
    return w->conn ? w->conn->s.read_bytes + w->conn->s.written_bytes : 0;
}

static void arm(struct request_work *w) {
    int64_t at = w->pace_at;
    if (w->r->deadline_at && w->r->deadline_at < at) at = w->r->deadline_at;
    if (loop_timer_is_set(&w->timer) && w->timer.at_ms <= at) return; /* looked at when it rings */
    if (loop_timer_set(w->loop, &w->timer, at)) return;
    w->no_timer = true; /* nobody waits without a deadline */
    loop_task_queue(w->loop, &w->task, LOOP_LATER);
}

void request_pace(struct request_work *w) {
    w->mark = count_moved(w);
    w->pace_at = loop_now_ms(w->loop) + (w->r->pace_ms > 0 ? w->r->pace_ms : LIMIT_OUT_PACE_MS);
    arm(w);
}

void request_enter(struct request_work *w, enum request_phase phase) {
    w->phase = phase;
    request_pace(w);
}

/* We are waited for, and not the other side. */
static bool is_held_up(const struct request_work *w) {
    switch (w->phase) {
    case REQUEST_OPENING:
    case REQUEST_DIALLING: /* has a deadline of its own */
    case REQUEST_SEALING: return true;
    case REQUEST_ASKING: return w->sending && !w->conn->s.out_len;
    case REQUEST_ANSWERED:
        return request_offer(w).len || (w->r->into == REQUEST_FILE && (!w->sink_open || w->sink_full));
    case REQUEST_TUNNELLING:
    case REQUEST_SHAKING:
    case REQUEST_SKIPPING:
    case REQUEST_OVER: return false;
    }
    return false;
}

/* Whether enough has moved; only where bytes that move are a good sign. */
static bool is_moving(const struct request_work *w) {
    uint64_t least = w->r->pace_bytes ? w->r->pace_bytes : 1, moved = count_moved(w) - w->mark;
    if (w->phase == REQUEST_ASKING) return (w->sending || stream_pending(&w->conn->s)) && moved >= least;
    return w->phase == REQUEST_ANSWERED && moved >= least;
}

static void fail_late(struct request_work *w) {
    struct err e = ERR_INIT;
    long long seconds = (w->r->pace_ms > 0 ? w->r->pace_ms : LIMIT_OUT_PACE_MS) / 1000;
    switch (w->phase) {
    case REQUEST_TUNNELLING: err_set(&e, ERR_TIMEOUT, "the proxy did not answer within %lld s", seconds); break;
    case REQUEST_SHAKING: err_set(&e, ERR_TIMEOUT, "the TLS handshake was not done within %lld s", seconds); break;
    case REQUEST_ASKING:
        if (w->sending || stream_pending(&w->conn->s))
            err_set(&e, ERR_TIMEOUT, "the server took less than %llu bytes of the request within %lld s",
                    (unsigned long long)(w->r->pace_bytes ? w->r->pace_bytes : 1), seconds);
        else
            err_set(&e, ERR_TIMEOUT, "no answer was there within %lld s", seconds);
        break;
    default:
        err_set(&e, ERR_TIMEOUT, "less than %llu bytes of the answer came within %lld s",
                (unsigned long long)(w->r->pace_bytes ? w->r->pace_bytes : 1), seconds);
    }
    request_fail(w, &e);
}

static void ring(struct loop_timer *t) {
    struct request_work *w = LOOP_OWNER(struct request_work, timer, t);
    int64_t now = loop_now_ms(w->loop);
    if (w->r->deadline_at && now >= w->r->deadline_at) {
        struct err e = ERR_INIT;
        err_set(&e, ERR_TIMEOUT, "its time was over while %s", phase_names[w->phase]);
        request_fail(w, &e);
    } else if (now < w->pace_at)
        arm(w);
    else if (w->phase == REQUEST_SKIPPING)
        request_next_hop(w); /* not worth waiting for */
    else if (is_held_up(w) || is_moving(w))
        request_pace(w);
    else
        fail_late(w);
}

/* --- one hop --- */

/* Bytes that were not eaten, or not written, would meet the next one who uses it. */
void request_let_go(struct request_work *w, bool reusable) {
    struct conn *c = w->conn;
    if (!c) return;
    w->conn = NULL;
    w->front = 0;
    if (reusable && c->up && c->s.state == STREAM_UP && !c->s.ended && !stream_pending(&c->s) &&
        !stream_data(&c->s).len && http1_idle(&w->http))
        out_rest(w->out, c, &w->key);
    else
        conn_drop(c, false);
}

bool request_again(struct request_work *w) {
    if (!w->reused || w->again || w->phase != REQUEST_ASKING || !w->conn) return false;
    if (w->conn->s.read_bytes != w->read_before) return false;
    w->again = w->fresh = true;
    out_note_again(w->out);
    request_next_hop(w);
    return true;
}

static void ask(struct request_work *w) {
    static const struct http1_limits limits = {.line = LIMIT_HTTP1_LINE,
                                               .head = LIMIT_HTTP1_HEAD,
                                               .trailer = LIMIT_HTTP1_TRAILER,
                                               .chunk_line = LIMIT_HTTP1_CHUNK_LINE,
                                               .chunk_extensions = LIMIT_HTTP1_CHUNK_EXT};
    struct err e = ERR_INIT;
    http1_release(&w->http);
    http1_init(&w->http, HTTP1_CLIENT, &limits, w->answer_fields, REQUEST_FIELDS);
    http1_ask(&w->http, http1_method_from(w->method));
    w->interim = w->sending = false;
    w->front = 0;
    w->read_before = w->conn->s.read_bytes;
    request_enter(w, REQUEST_ASKING);
    if (!request_send_head(w, &e) || (w->source.part_n && !w->body_dropped && !source_begin(&w->source, &e))) {
        request_fail(w, &e);
        return;
    }
    w->sending = w->source.part_n && !w->body_dropped;
    if (w->sending)
        request_send_body(w);
    else
        stream_owe_drained(&w->conn->s);
}

static void shake(struct request_work *w) {
    struct err e = ERR_INIT;
    struct tls_client *tls = w->r->tls ? w->r->tls : out_config(w->out)->tls;
    if (conn_secure(w->conn, tls, w->hop.url.host, "http/1.1", &e))
        request_enter(w, REQUEST_SHAKING);
    else
        request_fail(w, &e);
}

static void ask_proxy(struct request_work *w) {
    static const struct http1_limits limits = {.line = LIMIT_HTTP1_LINE, .head = LIMIT_HTTP1_HEAD};
    struct err e = ERR_INIT;
    http1_release(&w->http);
    http1_init(&w->http, HTTP1_CLIENT, &limits, w->answer_fields, REQUEST_FIELDS);
    http1_ask(&w->http, HTTP1_METHOD_CONNECT);
    if (request_send_connect(w, &e))
        request_enter(w, REQUEST_TUNNELLING);
    else
        request_fail(w, &e);
}

/* The proxy's word on CONNECT. Behind it everything is the server's, which says nothing before TLS begins. */
static void read_proxy(struct request_work *w) {
    struct http1_event event;
    struct err e = ERR_INIT;
    struct proxy proxy = *w->key.proxy;
    for (;;) {
        struct fed fed = http1_feed(&w->http, stream_data(&w->conn->s), &event, &e);
        if (fed.step == STEP_EVENT && event.kind == HTTP1_EVENT_HEAD && event.head->status >= 200) {
            if (event.head->status >= 300)
                err_set(&e, ERR_NETWORK, "the proxy %.*s answered %u %s", (int)proxy.host.len,
                        (const char *)proxy.host.ptr, event.head->status, http1_status_name(event.head->status));
            else if (fed.used < stream_data(&w->conn->s).len)
                err_set(&e, ERR_NETWORK, "the proxy %.*s sent bytes before TLS began", (int)proxy.host.len,
                        (const char *)proxy.host.ptr);
            else {
                stream_eat(&w->conn->s, fed.used);
                shake(w);
                return;
            }
        } else if (fed.step == STEP_EVENT) {
            stream_eat(&w->conn->s, fed.used);
            continue;
        } else if (fed.step == STEP_MORE && !w->conn->s.ended) {
            stream_eat(&w->conn->s, fed.used);
            return;
        } else if (!e.code)
            err_set(&e, ERR_NETWORK, "the proxy %.*s closed the connection", (int)proxy.host.len,
                    (const char *)proxy.host.ptr);
        else
            err_context(&e, "reading the answer of the proxy %.*s", (int)proxy.host.len, (const char *)proxy.host.ptr);
        request_fail(w, &e);
        return;
    }
}

static void connection_failed(struct request_work *w) {
    struct err e = w->conn->err;
    bool skipping = w->phase == REQUEST_SKIPPING;
    bool again = w->reused && !w->again && w->phase == REQUEST_ASKING && w->conn->s.read_bytes == w->read_before;
    w->conn = NULL; /* it is gone by itself */
    w->front = 0;
    if (again) {
        w->again = w->fresh = true;
        out_note_again(w->out);
    }
    if (skipping || again)
        request_next_hop(w);
    else
        request_fail(w, &e);
}

static void heard(struct conn *c, enum conn_event event) {
    struct request_work *w = c->owner;
    struct err e = ERR_INIT;
    bool reading = w->phase == REQUEST_ASKING || w->phase == REQUEST_ANSWERED || w->phase == REQUEST_SKIPPING;
    switch (event) {
    case CONN_OPEN:
        if (w->hop.secure && w->key.proxy)
            ask_proxy(w);
        else if (w->hop.secure)
            shake(w);
        else
            ask(w);
        return;
    case CONN_SECURE: ask(w); return;
    case CONN_DATA:
    case CONN_END:
        if (reading)
            request_read(w);
        else if (w->phase == REQUEST_TUNNELLING)
            read_proxy(w);
        else if (event == CONN_END) {
            err_set(&e, ERR_NETWORK, "the server closed the connection during the TLS handshake");
            request_fail(w, &e);
        }
        return;
    case CONN_DRAINED:
        if (w->sending)
            request_send_body(w);
        else if (w->phase == REQUEST_ASKING)
            request_pace(w);
        return;
    case CONN_LATE: return;
    case CONN_FAILED: connection_failed(w); return;
    }
}

/* RFC 9110 9.2.2 */
static bool may_repeat(const struct request_work *w) {
    switch (http1_method_from(w->method)) {
    case HTTP1_METHOD_GET:
    case HTTP1_METHOD_HEAD:
    case HTTP1_METHOD_PUT:
    case HTTP1_METHOD_DELETE:
    case HTTP1_METHOD_OPTIONS:
    case HTTP1_METHOD_TRACE: return true;
    case HTTP1_METHOD_POST:
    case HTTP1_METHOD_CONNECT:
    case HTTP1_METHOD_PATCH:
    case HTTP1_METHOD_OTHER: break;
    }
    return w->r->repeatable;
}

static void set_key(struct request_work *w) {
    const struct out_config *config = out_config(w->out);
    struct slice host = w->hop.url.host;
    must(host.len < sizeof w->host);
    memcpy(w->host, host.ptr, host.len);
    w->key = (struct conn_key){.host = slice_of(w->host, host.len), .port = w->hop.port, .secure = w->hop.secure};
    w->key.tls = !w->hop.secure ? NULL : w->r->tls ? w->r->tls : config->tls;
    if (!w->r->allowed) w->key.proxy = proxies_find(config->proxies, w->hop.secure, w->key.host, w->key.port);
}

void request_next_hop(struct request_work *w) {
    struct err e = ERR_INIT;
    struct request *r = w->r;
    request_let_go(w, false);
    set_key(w);
    if (w->hop.secure && !w->key.tls) {
        err_set(&e, ERR_UNSUPPORTED, "https needs certificates to trust, and none were loaded");
        request_fail(w, &e);
        return;
    }
    bool fresh = w->fresh || !may_repeat(w);
    w->fresh = false;
    w->conn = fresh ? NULL : out_take(w->out, &w->key, r->allowed, r->allowed_arg);
    w->reused = w->conn != NULL;
    if (w->reused) {
        w->conn->owner = w;
        w->conn->call = heard;
        ask(w);
        return;
    }
    w->conn = conn_new(w->loop, w, heard, &e);
    if (!w->conn) {
        request_fail(w, &e);
        return;
    }
    const struct proxy *proxy = w->key.proxy;
    request_enter(w, REQUEST_DIALLING);
    out_note_dialled(w->out);
    /* The request's own deadline says better what was done. */
    conn_dial(w->conn, out_config(w->out)->resolver, proxy ? proxy->host : w->key.host,
              proxy ? proxy->port : w->key.port, r->allowed, r->allowed_arg, 0);
}

/* --- beginning --- */

static void source_heard(struct source *s, enum source_event event) {
    struct request_work *w = LOOP_OWNER(struct request_work, source, s);
    struct err e = s->err;
    switch (event) {
    case SOURCE_OPEN: request_next_hop(w); return;
    case SOURCE_DATA:
        if (w->sending) request_send_body(w);
        return;
    case SOURCE_FAILED: request_fail(w, &e); return;
    }
}

static bool go_on(struct loop_task *t) {
    struct request_work *w = LOOP_OWNER(struct request_work, task, t);
    struct err e = ERR_INIT;
    if (w->no_timer) {
        err_nomem(&e, "a timer");
        request_fail(w, &e);
    } else if (!w->begun) {
        w->begun = true;
        if (w->source.part_n)
            source_open(&w->source, w->loop);
        else
            request_next_hop(w);
    } else if (w->phase == REQUEST_ANSWERED)
        request_read(w);
    return false;
}

/* Fields and method, so that the asker need not keep them. */
static bool copy_asked(struct request_work *w, const struct request *r, struct err *e) {
    size_t bytes = r->method.len + r->file.path.len + r->file.validator.len;
    if (r->field_n > LIMIT_OUT_FIELDS) return err_limit(e, "LIMIT_OUT_FIELDS", LIMIT_OUT_FIELDS, ERR_NOWHERE);
    for (size_t i = 0; i < r->field_n; i++) bytes += r->fields[i].name.len + r->fields[i].value.len;
    if (bytes > LIMIT_OUT_FIELD_BYTES) return err_limit(e, "LIMIT_OUT_FIELD_BYTES", LIMIT_OUT_FIELD_BYTES, ERR_NOWHERE);
    arena_init(&w->arena, 256u << 10);
    w->method = arena_copy(&w->arena, r->method.len ? r->method : LIT("GET"));
    w->path = arena_copy(&w->arena, r->file.path);
    w->validator = arena_copy(&w->arena, r->file.validator);
    w->fields = arena_get(&w->arena, (r->field_n + 1) * sizeof *w->fields);
    bool good = w->method.ptr && w->path.ptr && w->validator.ptr && w->fields;
    for (size_t i = 0; good && i < r->field_n; i++) {
        w->fields[i] =
            (struct http_field){arena_copy(&w->arena, r->fields[i].name), arena_copy(&w->arena, r->fields[i].value)};
        good = w->fields[i].name.ptr && w->fields[i].value.ptr;
    }
    w->field_n = r->field_n;
    return good || err_nomem(e, "a request");
}

static bool check_asked(const struct request *r, struct err *e) {
    if (r->method.len && !http_is_token(r->method)) return err_set(e, ERR_INVALID, "want a method that is a token");
    if (slice_eq(r->method, LIT("CONNECT")))
        return err_set(e, ERR_INVALID, "want another method than CONNECT: tunnels are made by this room itself");
    if (r->into == REQUEST_FILE) {
        if (!r->file.disk || slice_eq(r->method, LIT("HEAD")))
            return err_set(e, ERR_INVALID,
                           "want a disk and another method than HEAD for an answer that goes into a file");
        if (r->decode)
            return err_set(e, ERR_INVALID, "an answer that goes into a file is not decoded: it could not be resumed");
    }
    return request_check_fields(r, e);
}

static bool prepare(struct request_work *w, const struct request *r, struct err *e) {
    struct slice userinfo = {0};
    static const uint64_t most[] = {
        [REQUEST_PIECES] = UINT64_MAX, [REQUEST_GATHERED] = LIMIT_OUT_GATHERED, [REQUEST_FILE] = LIMIT_OUT_FILE};
    w->most = r->most ? r->most : most[r->into];
    buf_init(&w->gathered, w->most < SIZE_MAX / 2 ? (size_t)w->most : SIZE_MAX / 2);
    if (r->body.len || r->body_file.disk) {
        w->part = (struct source_part){.bytes = r->body, .file = r->body_file};
        w->source = (struct source){.call = source_heard, .name = "the request's body", .parts = &w->part, .part_n = 1};
    }
    if (!copy_asked(w, r, e) || !hop_set(&w->hop, r->url, &userinfo, e)) return false;
    if (userinfo.len) {
        if (http_field_find(r->fields, r->field_n, LIT("authorization")))
            return err_set(e, ERR_INVALID, "want a user name in the URL or an Authorization field, found both");
        if (!proxy_credentials(&w->authorization, userinfo, e)) return false;
    }
    /* What is wrong with the head is said at once and not from the loop. */
    struct buf head;
    buf_init(&head, LIMIT_HTTP1_HEAD);
    bool good = request_write_head(w, &head, e);
    buf_release(&head);
    return good;
}

bool request_start(struct request *r, struct out *o, struct err *e) {
    must(r->call && r->name && !r->work);
    if (!check_asked(r, e) || !out_enter(o, e)) return false;
    struct request_work *w = mem_get_zero(sizeof *w);
    if (!w) {
        out_left(o);
        return err_nomem(e, "a request");
    }
    r->status = r->redirected = 0;
    r->head = NULL;
    r->resumed = false;
    r->gathered = NULL;
    r->size = 0;
    r->final_url = r->validator = slice_of(NULL, 0);
    r->err = (struct err)ERR_INIT;
    w->r = r;
    w->out = o;
    w->loop = out_config(o)->loop;
    w->task = (struct loop_task)LOOP_TASK(go_on, r->name);
    w->bye = (struct loop_task)LOOP_TASK(say_bye, r->name);
    w->timer = (struct loop_timer){.call = ring, .name = r->name};
    hop_init(&w->hop);
    buf_init(&w->authorization, 4096);
    r->work = w;
    if (prepare(w, r, e)) {
        request_enter(w, REQUEST_OPENING);
        loop_task_queue(w->loop, &w->task, LOOP_ANSWER);
        return true;
    }
    r->work = NULL;
    out_left(o);
    say_bye(&w->bye);
    return false;
}

/* --- the body, for the asker --- */

struct slice request_data(const struct request *r) {
    const struct request_work *w = r->work;
    if (!w || r->into != REQUEST_PIECES || w->phase != REQUEST_ANSWERED) return slice_of(NULL, 0);
    return request_offer(w);
}

void request_eat(struct request *r, size_t n) {
    struct request_work *w = r->work;
    if (!w || !n) return;
    must(n <= request_data(r).len);
    request_take(w, n);
    if (w->in_call) return;
    request_pace(w);
    loop_task_queue(w->loop, &w->task, LOOP_LATER);
}
