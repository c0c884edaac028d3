/* serve_routes.c - what `startbox serve` answers; see serve.h and man/startbox.1. */
#include "cli/serve.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/val.h"
#include "http/files.h"
#include "http/sse_feed.h"
#include "http/upload.h"
#include "http/websocket_door.h"
#include "protocols/json.h"

#include <stdio.h>

#define TICK_MS 1000
#define ROUTES  16

struct feed {
    struct http_exchange *x;
    struct feed *next, *prev;
    uint64_t sent;
};

struct serve_routes {
    struct loop *loop;
    struct http_server *server;
    struct http_canned hello;
    struct websocket_door echo, all;
    struct websocket_peer **peers; /* of /ws/all */
    size_t peer_n, peer_cap;
    struct feed *feeds;
    struct loop_timer tick;
    struct http_files *files;
    struct http_upload upload;
    struct http_route table[ROUTES];
    unsigned n;
};

/* --- /hello, /echo --- */

static void say_hello(struct http_exchange *x, const struct http_request *r) {
    (void)r;
    http_reply_canned(x, &((struct serve_routes *)http_arg(x))->hello);
}
static const struct http_handler hello_handler = {.name = "hello", .begin = say_hello};

/* The type goes back as it came; it is kept beside the exchange while the body is read. */
static void keep_type(struct http_exchange *x, const struct http_request *r) {
    const struct http_field *f = http_field_find(r->head->fields, r->head->field_n, LIT("content-type"));
    if (f && f->value.len <= 256) *http_mine(x) = shared_new(f->value);
}
static void drop_type(struct http_exchange *x) {
    shared_unref(*http_mine(x));
    *http_mine(x) = NULL;
}
static void echo_body(struct http_exchange *x, struct slice body) {
    struct shared *type = *http_mine(x);
    *http_mine(x) = NULL;
    http_reply(x, 200, type ? shared_slice(type) : LIT("application/octet-stream"), LIT(""), body);
    shared_unref(type);
}
static const struct http_handler echo_handler = {
    .name = "echo", .begin = keep_type, .end = echo_body, .gone = drop_type};

/* --- WebSockets --- */

static void echo_message(struct websocket_peer *w, enum websocket_op op, struct slice data) {
    if (!websocket_send(w, op, data)) websocket_close(w, WEBSOCKET_CLOSE_POLICY, LIT("limit out: you do not read"));
}

static void join(struct websocket_peer *w) {
    struct serve_routes *r = websocket_arg(w);
    if (r->peer_n == r->peer_cap) {
        size_t cap = r->peer_cap ? r->peer_cap * 2 : 64;
        struct websocket_peer **grown =
            mem_grow(r->peers, r->peer_cap * sizeof(struct websocket_peer *), cap * sizeof(struct websocket_peer *));
        if (!grown) {
            websocket_close(w, WEBSOCKET_CLOSE_LATER, LIT("out of memory"));
            return;
        }
        r->peers = grown;
        r->peer_cap = cap;
    }
    *websocket_mine(w) = (void *)(uintptr_t)(r->peer_n + 1); /* its place, from 1 */
    r->peers[r->peer_n++] = w;
}

static void leave(struct websocket_peer *w) {
    struct serve_routes *r = websocket_arg(w);
    size_t place = (size_t)(uintptr_t)*websocket_mine(w);
    if (!place) return;
    r->peers[place - 1] = r->peers[--r->peer_n];
    *websocket_mine(r->peers[place - 1]) = (void *)(uintptr_t)place;
}

/* The frame is made once for all. Who does not read is closed: one slow peer must not hold memory for the rest. */
static void tell_all(struct websocket_peer *w, enum websocket_op op, struct slice data) {
    struct serve_routes *r = websocket_arg(w);
    struct shared *frame = websocket_frame(op, data);
    if (!frame) return;
    for (size_t i = 0; i < r->peer_n; i++)
        if (!websocket_send_frame(r->peers[i], frame))
            websocket_close(r->peers[i], WEBSOCKET_CLOSE_POLICY, LIT("limit out: you do not read"));
    shared_unref(frame);
}

/* --- /events --- */

static void open_feed(struct http_exchange *x, struct slice body) {
    (void)body;
    struct serve_routes *r = http_arg(x);
    struct feed *f = mem_get_zero(sizeof *f);
    if (!f || (!loop_timer_is_set(&r->tick) && !loop_timer_set(r->loop, &r->tick, loop_now_ms(r->loop) + TICK_MS))) {
        struct err e = ERR_INIT;
        mem_put(f, sizeof *f);
        err_nomem(&e, "a feed");
        http_reply_error(x, &e);
        return;
    }
    *f = (struct feed){.x = x, .next = r->feeds};
    if (f->next) f->next->prev = f;
    r->feeds = f;
    *http_mine(x) = f;
    sse_feed_open(x);
}

static void drop_feed(struct http_exchange *x) {
    struct serve_routes *r = http_arg(x);
    struct feed *f = *http_mine(x);
    if (!f) return;
    *(f->prev ? &f->prev->next : &r->feeds) = f->next;
    if (f->next) f->next->prev = f->prev;
    mem_put(f, sizeof *f);
    *http_mine(x) = NULL;
}

static void end_feed(struct http_exchange *x) {
    drop_feed(x);
    http_finish(x);
}

static void tick(struct loop_timer *t) {
    struct serve_routes *r = LOOP_OWNER(struct serve_routes, tick, t);
    char data[64];
    for (struct feed *f = r->feeds, *next; f; f = next) {
        next = f->next;
        int n = snprintf(data, sizeof data, "{\"tick\":%llu,\"now_ms\":%lld}", (unsigned long long)++f->sent,
                         (long long)clock_wall_ms());
        char id[24];
        int id_n = snprintf(id, sizeof id, "%llu", (unsigned long long)f->sent);
        const struct sse_message m = {
            .type = LIT("tick"), .data = slice_of(data, (size_t)n), .id = slice_of(id, (size_t)id_n)};
        sse_feed_send(f->x, &m); /* when it cannot, `gone` says so */
    }
    if (r->feeds && !loop_timer_set(r->loop, t, loop_now_ms(r->loop) + TICK_MS))
        log_warn("the ticks of /events end: out of memory");
}
static const struct http_handler events_handler = {
    .name = "events", .end = open_feed, .gone = drop_feed, .stop = end_feed};

/* --- the fixtures of the test variants --- */

#ifdef STARTBOX_TEST
#include <dirent.h>

struct fixture {
    struct loop_timer timer;
    struct http_exchange *x;
    uint64_t left;
};

static void answer_late(struct loop_timer *t) {
    struct fixture *f = LOOP_OWNER(struct fixture, timer, t);
    struct http_exchange *x = f->x;
    *http_mine(x) = NULL;
    mem_put(f, sizeof *f);
    http_reply(x, 200, LIT("text/plain"), LIT(""), LIT("late\n"));
}

static void stop_fixture(struct http_exchange *x) {
    struct fixture *f = *http_mine(x);
    if (!f) return;
    loop_timer_clear(&f->timer);
    mem_put(f, sizeof *f);
    *http_mine(x) = NULL;
}

static void pour(struct http_exchange *x) {
    struct fixture *f = *http_mine(x);
    static const uint8_t piece[4096];
    while (f->left && !http_is_full(x)) {
        struct slice s = slice_of(piece, f->left < sizeof piece ? (size_t)f->left : sizeof piece);
        if (!http_body(x, s)) return; /* gone comes */
        f->left -= s.len;
    }
    if (f->left) return;
    stop_fixture(x);
    http_finish(x);
}

/* What a leak check wants to know, as JSON. */
static void tell_stats(struct http_exchange *x) {
    struct serve_routes *r = http_arg(x);
    struct http_counts c = http_server_counts(r->server);
    struct loop_stats s = loop_stats(r->loop);
    struct mem_stats m = mem_stats();
    struct val v = VAL_MAP_OF(
        {"open", val_of_u64(c.open)}, {"held", val_of_u64(c.held)}, {"requests", val_of_u64(c.requests)},
        {"refused", val_of_u64(c.refused)}, {"evicted", val_of_u64(c.evicted)}, {"timeouts", val_of_u64(c.timeouts)},
        {"watched", val_of_u64(s.fds)}, {"timers", val_of_u64(s.timers)}, {"live_bytes", val_of_u64(m.live_bytes)},
        {"live_blocks", val_of_u64(m.live_blocks)}, {"peers", val_of_u64(r->peer_n)},
        {"slowest_us", val_of_u64(s.slowest_us)}, {"slowest", val_of_str(s.slowest ? s.slowest : "")});
    struct buf text;
    buf_init(&text, 4096);
    struct err e = ERR_INIT;
    if (json_write(&text, &v, JSON_COMPACT, &e))
        http_reply(x, 200, LIT("application/json"), LIT(""), buf_slice(&text));
    else
        http_reply_error(x, &e);
    buf_release(&text);
    val_unref(&v);
}

/* /fixture/late/MS, /fixture/bytes/N, /fixture/chunks/N, /fixture/status/N, /fixture/stats, /fixture/die */
static void begin_fixture(struct http_exchange *x, const struct http_request *q) {
    struct serve_routes *r = http_arg(x);
    struct slice rest = slice_skip(q->head->path, sizeof "/fixture/" - 1), what = slice_cut(&rest, '/');
    uint64_t n = 0;
    struct err e = ERR_INIT;
    if (rest.len && !num_read_u64(rest, 0, UINT64_MAX / 2, &n)) {
        err_set(&e, ERR_INVALID, "want a number");
        http_reply_error(x, &e);
        return;
    }
    if (slice_eq(what, LIT("stats"))) {
        tell_stats(x);
        return;
    }
    if (slice_eq(what, LIT("status")) && n >= 200 && n < 600) {
        http_reply(x, (unsigned)n, LIT("text/plain"), LIT(""), LIT("as asked\n"));
        return;
    }
    if (slice_eq(what, LIT("die"))) abort();
    bool late = slice_eq(what, LIT("late")), bytes = slice_eq(what, LIT("bytes")),
         chunks = slice_eq(what, LIT("chunks"));
    struct fixture *f = late || bytes || chunks ? mem_get_zero(sizeof *f) : NULL;
    if (!f) {
        err_set(&e, ERR_NOT_FOUND, "there is no such fixture");
        http_reply_error(x, &e);
        return;
    }
    f->x = x;
    f->left = n;
    f->timer = (struct loop_timer){.call = answer_late, .name = "fixture"};
    *http_mine(x) = f;
    if (late) {
        if (!loop_timer_set(r->loop, &f->timer, loop_now_ms(r->loop) + (int64_t)n)) {
            stop_fixture(x);
            http_abandon(x);
        }
        return;
    }
    http_head(x, 200, LIT("application/octet-stream"), LIT(""), bytes ? n : HTTP_UNKNOWN);
    if (q->head->method == HTTP1_METHOD_HEAD) {
        stop_fixture(x);
        http_finish(x);
    } else
        pour(x);
}
static const struct http_handler fixture_handler = {
    .name = "fixture", .begin = begin_fixture, .drained = pour, .gone = stop_fixture};
#endif

/* --- the table --- */

static void add(struct serve_routes *r, struct http_route route) {
    r->table[r->n++] = route;
}

struct serve_routes *serve_routes_new(struct loop *l, struct port *disk, bool folder, bool upload, struct err *e) {
    struct serve_routes *r = mem_get_zero(sizeof *r);
    if (!r) {
        err_nomem(e, "the routes");
        return NULL;
    }
    r->loop = l;
    r->hello = (struct http_canned){.status = 200, .type = LIT("text/plain"), .body = LIT("Hello, world!")};
    r->echo = (struct websocket_door){.message = echo_message, .arg = r};
    r->all = (struct websocket_door){.open = join, .message = tell_all, .gone = leave, .arg = r};
    r->tick = (struct loop_timer){.call = tick, .name = "events.tick"};
    if (folder && !(r->files = http_files_new(l, disk, "web", e))) {
        mem_put(r, sizeof *r);
        return NULL;
    }
    const unsigned get = HTTP_METHOD(HTTP1_METHOD_GET), post = HTTP_METHOD(HTTP1_METHOD_POST);
    add(r, (struct http_route){"/hello", false, HTTP_READING, 0, &hello_handler, r});
    add(r, (struct http_route){"/echo", false, post, LIMIT_SERVE_ECHO, &echo_handler, r});
    add(r, (struct http_route){"/ws/echo", false, get, 0, &websocket_begin_handler, &r->echo});
    add(r, (struct http_route){"/ws/all", false, get, 0, &websocket_begin_handler, &r->all});
    add(r, (struct http_route){"/events", false, get, 0, &events_handler, r});
    if (upload) {
        r->upload = (struct http_upload){
            .loop = l, .disk = disk, .root = "upload", .prefix = sizeof "/upload/" - 1, .quota = LIMIT_SERVE_UPLOAD};
        const unsigned writing = HTTP_METHOD(HTTP1_METHOD_PUT) | HTTP_METHOD(HTTP1_METHOD_PATCH);
        const unsigned asking = HTTP_METHOD(HTTP1_METHOD_HEAD) | HTTP_METHOD(HTTP1_METHOD_DELETE);
        add(r, (struct http_route){"/upload/", true, writing, UINT64_MAX, &http_upload_handler, &r->upload});
        add(r, (struct http_route){"/upload/", true, asking, 0, &http_upload_handler, &r->upload});
    }
#ifdef STARTBOX_TEST
    add(r, (struct http_route){"/fixture/", true, HTTP_READING | post, LIMIT_SERVE_ECHO, &fixture_handler, r});
#endif
    if (folder) add(r, (struct http_route){"/", true, HTTP_READING, 0, &http_files_handler, r->files});
    return r;
}

const struct http_route *serve_routes_table(const struct serve_routes *r, unsigned *n) {
    *n = r->n;
    return r->table;
}

void serve_routes_server(struct serve_routes *r, struct http_server *s) {
    r->server = s;
}

void serve_routes_new_disk(struct serve_routes *r) {
    if (r->files) http_files_restart(r->files);
}

void serve_routes_free(struct serve_routes *r) {
    if (!r) return;
    loop_timer_clear(&r->tick);
    http_canned_release(&r->hello);
    http_files_free(r->files);
    mem_put(r->peers, r->peer_cap * sizeof(struct websocket_peer *));
    mem_put(r, sizeof *r);
}
