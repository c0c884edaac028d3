/* server.c - the server as a whole: its limits, accepting, ending. See server.h. Connections are conn.c, requests request.c, answers
 * reply.c. */
#include "http/room.h"

#include "base/must.h"
#include "loop/kernel.h"

#include <netinet/tcp.h>
#include <sys/resource.h>

#define IN_MAX (64u << 10) /* read ahead of one connection: what is pipelined behind a request under way */

const struct http_limits http_limits = {
    .parse = {.line = LIMIT_HTTP1_LINE,
              .head = LIMIT_HTTP1_HEAD,
              .trailer = LIMIT_HTTP1_TRAILER,
              .chunk_line = LIMIT_HTTP1_CHUNK_LINE,
              .chunk_extensions = LIMIT_HTTP1_CHUNK_EXT,
              .body = 0},
    .connections = LIMIT_HTTP_CONNECTIONS,
    .held = LIMIT_HTTP_HELD,
    .kept = IN_MAX,
    .out = LIMIT_HTTP_OUT,
    .out_all = LIMIT_HTTP_OUT_ALL,
    .idle_ms = 75000,
    .head_ms = 15000,
    .pace_ms = 30000,
    .pace = 16u << 10,
    .linger_ms = 2000,
    .answer_ms = 300000,
    .ping_ms = 30000,
    .end_ms = 10000,
};

/* --- accepting --- */

/* Room for one more: the connection idle for longest goes. */
static bool make_room(struct http_server *s) {
    if (s->counts.open < s->limits.connections) return true;
    struct http_conn *c = s->oldest;
    for (unsigned looks = 256; c && looks && stream_pending(&c->s); looks--) c = c->newer; /* an answer is on its way */
    if (!c || stream_pending(&c->s)) return false;
    http_conn_unlist(c);
    c->closing = true;
    stream_abort(&c->s);
    s->counts.evicted++;
    return true; /* one over the cap until the end of this turn */
}

static void accepted(struct listener *li, int fd, const struct address *peer) {
    struct http_door *d = LOOP_OWNER(struct http_door, li, li);
    struct http_server *s = d->server;
    struct err e = ERR_INIT;
    struct http_conn *c = make_room(s) ? mem_get_zero(sizeof *c) : NULL;
    if (!c) {
        s->counts.refused++;
        kernel_close(fd);
        return;
    }
    /* Which address it is, the kernel is asked when somebody wants to know: 100 bytes a connection otherwise. */
    bool local = peer->any.sa_family == AF_UNIX;
    c->server = s;
    c->s.call = http_conn_heard;
    c->s.name = d->cipher ? "https" : "http";
    c->secure = d->cipher != NULL;
    c->from_len = local ? FROM_LOCAL : FROM_UNKNOWN;
    if (!stream_start(&c->s, s->loop, fd, false, s->limits.kept, s->limits.out, &e)) {
        s->counts.refused++;
        mem_put(c, sizeof *c);
        return;
    }
    c->s.own_total = &s->counts.out;
    c->next = s->conns;
    if (c->next) c->next->prev = c;
    s->conns = c;
    s->counts.open++;
    s->counts.local += local;
    s->counts.accepted++;
    if (!http_conn_wait(c, HTTP_WAIT_FIRST) || !d->cipher) return;
    c->door = d;
    stream_wake(&c->s);
}

/* Who speaks plain HTTP at a door with TLS is not thrown out with a riddle: a person who typed the address is sent to the right one. */
void http_conn_first(struct http_conn *c) {
    struct http_door *d = c->door;
    struct err e = ERR_INIT;
    uint8_t first = 0;
    c->door = NULL;
    c->astray = stream_peek(&c->s, &first, 1) && first >= 'A' && first <= 'Z';
    struct stream_filter *f = c->astray ? NULL : d->cipher(d->cipher_arg, &e);
    if (f) stream_filter(&c->s, f);
    if (f || c->astray) {
        c->secure = !c->astray;
        stream_resume(&c->s);
        return;
    }
    c->closing = true;
    stream_abort(&c->s);
}

/* --- the server --- */

unsigned http_server_room(void) {
    const rlim_t spare = LIMIT_HTTP_SPARE_FILES;
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files)) return 256;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (getrlimit(RLIMIT_NOFILE, &files)) return 256;
    rlim_t room = files.rlim_cur > 2 * spare ? files.rlim_cur - spare : spare;
    return room < LIMIT_HTTP_CONNECTIONS ? (unsigned)room : LIMIT_HTTP_CONNECTIONS;
}

struct http_server *http_server_new(struct loop *l, const struct http_route *routes, unsigned n,
                                    const struct http_limits *limits, struct err *e) {
    struct http_server *s = mem_get_zero(sizeof *s);
    if (!s) {
        err_nomem(e, "the web server");
        return NULL;
    }
    s->loop = l;
    s->routes = routes;
    s->route_n = n;
    s->limits = *limits;
    s->ready_task = (struct loop_task)LOOP_TASK(http_conns_ready, "http.ready");
    http1_init(&s->parser, HTTP1_SERVER, &s->limits.parse, s->fields, LIMIT_HTTP1_HEADERS);
    return s;
}

bool http_server_listen(struct http_server *s, int fd, http_cipher *cipher, void *arg, struct err *e) {
    struct http_door *d = mem_get_zero(sizeof *d);
    if (!d) {
        kernel_close(fd);
        return err_nomem(e, "a listener");
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1},
               sizeof(int)); /* connections inherit it; fails on Unix sockets */
    d->li.call = accepted;
    d->li.name = cipher ? "https.listen" : "http.listen";
    d->server = s;
    d->cipher = cipher;
    d->cipher_arg = arg;
    if (!listener_start(&d->li, s->loop, fd, e)) {
        kernel_close(fd);
        mem_put(d, sizeof *d);
        return false;
    }
    d->next = s->doors;
    s->doors = d;
    return true;
}

static void drop_doors(struct http_server *s) {
    for (struct http_conn *c = s->conns; c; c = c->next)
        if (c->door) { /* it has said nothing yet */
            c->door = NULL;
            c->closing = true;
            stream_abort(&c->s);
        }
    while (s->doors) {
        struct http_door *d = s->doors;
        s->doors = d->next;
        listener_stop(&d->li);
        mem_put(d, sizeof *d);
    }
}

void http_server_abort(struct http_server *s) {
    drop_doors(s);
    for (struct http_conn *c = s->conns; c; c = c->next) {
        c->closing = true;
        stream_abort(&c->s);
    }
}

static bool tell_stopped(struct loop_task *t) {
    struct http_server *s = LOOP_OWNER(struct http_server, stop_task, t);
    loop_timer_clear(&s->stop_timer);
    s->stopped(s->stopped_arg); /* may free s */
    return false;
}

static void stop_now(struct loop_timer *t) {
    http_server_abort(LOOP_OWNER(struct http_server, stop_timer, t));
}

void http_server_stop(struct http_server *s, int64_t most_ms, void (*stopped)(void *arg), void *arg) {
    if (s->stopping) return;
    s->stopping = true;
    s->stopped = stopped;
    s->stopped_arg = arg;
    s->stop_task = (struct loop_task)LOOP_TASK(tell_stopped, "http.stop");
    s->stop_timer = (struct loop_timer){.call = stop_now, .name = "http.stop"};
    drop_doors(s);
    if (!s->counts.open) {
        loop_task_queue(s->loop, &s->stop_task, LOOP_LATER);
        return;
    }
    for (struct http_conn *c = s->conns, *next; c; c = next) {
        next = c->next;
        if (c->closing) continue;
        if (c->upper)
            c->upper->stop(c->upper);
        else if (c->x && c->x->whole && c->x->route->handler->stop)
            c->x->route->handler->stop(c->x);
        else if (c->listed && !c->ready && !c->x) /* a handler may be who asks: then its exchange is not over */
            http_conn_close(c, true);
    }
    if (!loop_timer_set(s->loop, &s->stop_timer, loop_now_ms(s->loop) + (most_ms ? most_ms : s->limits.end_ms)))
        http_server_abort(s);
}

void http_server_free(struct http_server *s) {
    if (!s) return;
    drop_doors(s);
    must(s->counts.open == 0);
    loop_task_remove(&s->ready_task);
    loop_timer_clear(&s->stop_timer);
    http1_release(&s->parser);
    mem_put(s, sizeof *s);
}

struct http_counts http_server_counts(const struct http_server *s) {
    return s->counts;
}
