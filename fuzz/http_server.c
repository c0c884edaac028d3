/* http_server.c (fuzz) - the real server with the real routes of `startbox serve`, on the twin of the kernel: whatever up to four
 * clients do, and in whatever order, what they are answered is HTTP, the books are right at any time, nobody waits without a
 * deadline, an honest client is served behind it, the server ends in time, and nothing is left.
 *
 * The input is a little program of letters; what is no letter of it is skipped. Clients are 0 to 3; one at a time is meant:
 *     0 1 2 3      the client the next letters are about
 *     d h c r      dials, says that it sends no more, closes, resets
 *     s TEXT       sends the text up to the end of the line; | is CR LF, \xNN a byte
 *     x C N        sends the byte C, 4^N times (N: 0 to 8)
 *     g U p n      a whole request: GET /hello; to open /ws/echo; POST /echo of three bytes; GET of nothing. a: to open /ws/all
 *     f OP LEN     a masked frame (OP: a hexadecimal digit, or without FIN a letter G to V; LEN: 0 to 8, 4^LEN - 1 bytes)
 *     F N          4^N masked messages of one byte (N: 0 to 7)
 *     w N          its window: 0, 1, 10, 1000, 100,000 bytes; from 5 on all
 *     t N          time passes: 10 ms, 0.2, 1, 2.5, 6, 11, 16, 31, 62, 90 s
 *     k R W        at most so many bytes a read, a write: 0 all, 1, 7, 100, 4096
 *     m N          the N-th allocation behind the next letter that does something fails (N: 1 to 9)
 *     q            the server is asked to end */
#include "base/must.h"
#include "cli/serve.h"
#include "http/room.h"
#include "loop/loop_room.h"
#include "protocols/websocket.h"

#include "lib/twin.c" /* a fuzz target is linked with the library alone; and time may jump here */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CLIENTS  4
#define FDS      32      /* of the twin that are looked at */
#define SEND_ALL 400000u /* bytes that one program sends */
#define ASKED    4096    /* requests of one client that are followed */

void tap_note(const char *fmt, ...) { /* the twin's last words */
    puts(fmt);
}

enum reading { READING_HTTP, READING_FRAMES, READING_OVER, READING_BLIND };

struct client {
    struct twin_client twin;
    bool there;
    /* What it sent, read as the server should. */
    struct http1 sent;
    struct http_field sent_fields[LIMIT_HTTP1_HEADERS];
    bool sent_bad, sent_upgrade, sent_open; /* open: within a request whose head was whole */
    unsigned asked_n, answered;
    uint8_t asked[ASKED];
    /* What it heard. */
    enum reading reading;
    struct http1 heard;
    struct http_field heard_fields[64];
    struct websocket frames;
};

struct game {
    struct loop *loop;
    struct http_server *server;
    struct http_limits limits;
    int listener;
    bool stopping, stopped;
    size_t budget;
    unsigned starve; /* which allocation fails; 0: none */
    unsigned dials;
    struct client client[CLIENTS];
};

/* --- the twin, with few descriptors, so that a turn is short --- */

static int wait_few(int epoll, struct epoll_event *ev, int most, int ms) {
    (void)epoll, (void)ms;
    int n = 0;
    for (int i = 0; i < FDS && n < most; i++) {
        uint32_t r = ends[i].kind > EPOLL && ends[i].watched ? ready(&ends[i]) : 0;
        if (r) ev[n++] = (struct epoll_event){.events = r, .data = ends[i].watch.data};
    }
    return n;
}

static void pass(struct game *g, int64_t ms) {
    int64_t until = now_us + ms * 1000;
    twin_settle(g->loop);
    while (now_us < until) {
        int64_t next = g->loop->timer_n ? g->loop->timers[0]->at_ms * 1000 : until;
        now_us = next > until ? until : next > now_us ? next : now_us + 1000;
        twin_settle(g->loop);
    }
}

/* --- routes: those of serve, but for fixtures that end the process or never end --- */

static const struct http_handler *fixture;

static void begin_tame(struct http_exchange *x, const struct http_request *r) {
    struct slice path = r->head->path;
    size_t digits = 0;
    while (digits < path.len && path.ptr[path.len - 1 - digits] >= '0' && path.ptr[path.len - 1 - digits] <= '9')
        digits++;
    if (slice_starts(path, LIT("/fixture/die")) || slice_starts(path, LIT("/fixture/stats")) || digits > 6) {
        http_reply(x, 404, LIT(""), LIT(""), LIT(""));
        return;
    }
    fixture->begin(x, r);
}

/* --- what a client heard --- */

static void hear_frames(struct client *c) {
    struct buf *got = &c->twin.got;
    for (size_t used = 0;;) {
        struct websocket_event ev = {0};
        struct err e = ERR_INIT;
        struct fed f = websocket_feed(&c->frames, slice_skip(buf_slice(got), used), &ev, &e);
        used += f.used;
        must(f.step != STEP_BAD);
        if (f.step == STEP_EVENT) continue;
        buf_drop(got, used);
        must(f.step != STEP_END || !got->len); /* nothing behind a close frame */
        return;
    }
}

/* An answer must answer something: a request, or one that never became whole. */
static void count_answer(struct client *c) {
    bool half_head = !c->sent_open && (c->sent_bad || !http1_idle(&c->sent));
    must(c->sent_upgrade || c->answered < c->asked_n + (half_head ? 1u : 0u)); /* behind one it is not followed */
    c->answered++;
}

static void hear(struct client *c) {
    struct buf *got = &c->twin.got;
    size_t used = 0;
    if (!buf_ok(got)) c->reading = READING_BLIND; /* more came at once than was reserved, and the fault hit the twin */
    while (c->reading == READING_HTTP) {
        struct http1_event ev = {0};
        struct err e = ERR_INIT;
        if (c->heard.state == HTTP1_STATE_HEAD)
            http1_ask(&c->heard,
                      c->answered < c->asked_n ? (enum http1_method)c->asked[c->answered] : HTTP1_METHOD_GET);
        struct fed f = http1_feed(&c->heard, slice_skip(buf_slice(got), used), &ev, &e);
        used += f.used;
        must(f.step != STEP_BAD);
        if (f.step == STEP_END) { /* no more belongs to HTTP: nothing may come */
            must(used == got->len);
            c->reading = READING_OVER;
        }
        if (f.step != STEP_EVENT) break;
        if (ev.kind == HTTP1_EVENT_HEAD && ev.head->status >= 200) count_answer(c);
        if (ev.kind == HTTP1_EVENT_HEAD && ev.head->status == 101) {
            count_answer(c);
            must(c->sent_upgrade);
            const struct websocket_limits all = {1u << 24, 1u << 24, UINT32_MAX, UINT32_MAX};
            websocket_init(&c->frames, WEBSOCKET_CLIENT, &all, false, NULL, 0);
            c->reading = READING_FRAMES;
        }
    }
    buf_drop(got, used);
    if (c->reading == READING_FRAMES) hear_frames(c);
    if (c->reading == READING_OVER) must(!got->len);
    if (c->reading == READING_BLIND) buf_reset(got);
}

/* --- what must hold at any time --- */

static void check_conn(const struct game *g, const struct http_conn *c, size_t *costs) {
    *costs += c->cost;
    if (c->s.state >= STREAM_DEAD) return;
    must(stream_pending(&c->s) <= g->limits.out);
    must(c->s.own.len - c->s.own_done <= g->limits.out && c->s.in.len <= g->limits.kept);
    /* What waits to be written is bounded in memory, not only in bytes. */
    must(c->s.part_cap * sizeof(void *) * 3 <= g->limits.out);
    /* Nobody waits without a deadline, but for a handler. */
    bool on_handler = !c->closing && !c->upper && c->wait == HTTP_WAIT_HANDLER;
    must(on_handler || (c->s.deadline && loop_timer_is_set(&c->s.timer)));
    if (c->closing) {
        must(c->s.state != STREAM_UP);
        return;
    }
    /* What is counted is what there is. */
    size_t cost = (c->parser ? sizeof *c->parser + c->parser->held.cap : 0) + (c->x ? c->x->body.cap : 0);
    must(c->upper ? !c->parser && !c->x : c->cost == cost + c->s.data.len);
    must(!c->x || c->x->conn == c);
    must(c->upper || c->wait != HTTP_WAIT_IDLE || (!c->x && !c->parser));
}

static void check(struct game *g) {
    struct http_counts n = http_server_counts(g->server);
    size_t costs = 0, wished = 0, written = 0;
    unsigned open = 0, listed = 0;
    for (const struct http_conn *c = g->server->oldest; c; c = c->newer) {
        must(c->newer ? c->newer->older == c : g->server->newest == c);
        must(c->listed && !c->x && !c->upper);
        listed++;
    }
    for (const struct http_conn *c = g->server->conns; c; c = c->next) {
        open++;
        written += c->s.own.cap;
        if (c->listed) listed--;
        check_conn(g, c, &costs);
        if (!c->closing) wished += c->cost;
    }
    must(open == n.open && open <= g->limits.connections);
    must(!listed && written == n.out && costs == n.held && wished <= g->limits.held);
    must(!g->server->ready);
    for (unsigned i = 0; i < CLIENTS; i++)
        if (g->client[i].there) hear(&g->client[i]);
}

/* --- what the program does --- */

static void leave(struct client *c) {
    if (!c->there) return;
    http1_release(&c->sent);
    http1_release(&c->heard);
    twin_client_release(&c->twin);
    c->there = false;
}

static void dial(struct game *g, struct client *c) {
    static const struct http1_limits loose = {8192, 65536, 8192, 256, 8192, 0};
    leave(c);
    if (g->stopping || g->dials == 12) return;
    g->dials++;
    c->there = true;
    c->sent_bad = c->sent_upgrade = c->sent_open = false;
    c->asked_n = c->answered = 0;
    c->reading = READING_HTTP;
    twin_dial(&c->twin, g->listener);
    must(buf_room(&c->twin.got, SEND_ALL)); /* the twin itself must not starve */
    http1_init(&c->sent, HTTP1_SERVER, &g->limits.parse, c->sent_fields, LIMIT_HTTP1_HEADERS);
    http1_init(&c->heard, HTTP1_CLIENT, &loose, c->heard_fields, 64);
}

static void note_sent(struct client *c, struct slice in) {
    while (!c->sent_bad && !c->sent_upgrade) {
        struct http1_event ev = {0};
        struct err e = ERR_INIT;
        struct fed f = http1_feed(&c->sent, in, &ev, &e);
        in = slice_skip(in, f.used);
        if (f.step == STEP_BAD) c->sent_bad = true;
        if (f.step != STEP_EVENT) return;
        c->sent_open = ev.kind != HTTP1_EVENT_END;
        if (ev.kind != HTTP1_EVENT_HEAD) continue;
        if (c->asked_n == ASKED) {
            c->reading = READING_BLIND;
            c->sent_bad = true;
            return;
        }
        c->asked[c->asked_n++] = (uint8_t)ev.head->method;
        if (slice_starts(ev.head->path, LIT("/ws/")) && ev.head->upgrade) c->sent_upgrade = true;
    }
}

static void send_bytes(struct game *g, struct client *c, struct slice s) {
    s = slice_head(s,
                   read_cut && read_cut < 100 && g->budget > 3000 ? 3000 : g->budget); /* many reads take their time */
    if (!c->there || !s.len || c->twin.far < 0 || near_of(&c->twin)->in_over) return;
    g->budget -= s.len;
    note_sent(c, s);
    twin_send(&c->twin, s);
}

static unsigned hex(uint8_t c) {
    return c >= '0' && c <= '9' ? c - 48u : c >= 'a' && c <= 'f' ? c - 87u : 0;
}

static struct slice text_of(struct slice *in, struct buf *out) {
    struct slice line = slice_cut(in, '\n');
    while (line.len) {
        uint8_t b = line.ptr[0];
        size_t used = 1;
        if (b == '|')
            buf_add(out, LIT("\r\n"));
        else if (b == '\\' && line.len >= 4 && line.ptr[1] == 'x') {
            buf_byte(out, (uint8_t)(hex(line.ptr[2]) * 16 + hex(line.ptr[3])));
            used = 4;
        } else
            buf_byte(out, b);
        line = slice_skip(line, used);
    }
    return buf_slice(out);
}

static struct slice frame_of(enum websocket_op op, size_t n, bool fin, struct buf *out) {
    static const uint8_t mask[4] = {1, 2, 3, 4};
    uint8_t head[WEBSOCKET_HEAD_MAX];
    size_t head_n = websocket_put_head(head, op, fin ? WEBSOCKET_FIN : 0, n, mask);
    buf_add(out, slice_of(head, head_n));
    for (size_t i = 0; i < n; i++) buf_byte(out, 'a' ^ mask[i % 4]);
    return buf_slice(out);
}

#define OPEN_WS(path)                                                                                                  \
    "GET " path " HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"   \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

static void note_stopped(void *arg) {
    ((struct game *)arg)->stopped = true;
}

static void play(struct game *g, struct slice in) {
    static const size_t cuts[] = {0, 1, 7, 100, 4096}, windows[] = {0, 1, 10, 1000, 100000};
    static const int64_t times[] = {10, 200, 1000, 2500, 6000, 11000, 16000, 31000, 62000, 90000};
    struct client *c = &g->client[0];
    for (unsigned steps = 0; in.len && steps < 400; steps++) {
        uint8_t op = in.ptr[0];
        uint8_t a = in.len > 1 ? in.ptr[1] : '0', b = in.len > 2 ? in.ptr[2] : '0';
        struct buf out;
        in = slice_skip(in, 1);
        buf_init(&out, 1u << 20);
        switch (op) {
        case '0':
        case '1':
        case '2':
        case '3': c = &g->client[op - '0']; break;
        case 'd': dial(g, c); break;
        case 'h':
            if (c->there) twin_half_close(&c->twin);
            break;
        case 'c':
            if (c->there) twin_close(&c->twin);
            break;
        case 'r':
            if (c->there) twin_reset(&c->twin);
            break;
        case 's': send_bytes(g, c, text_of(&in, &out)); break;
        case 'x':
            for (size_t n = (size_t)1 << 2 * (hex(b) % 9); n; n--) buf_byte(&out, a);
            in = slice_skip(in, in.len < 2 ? in.len : 2);
            send_bytes(g, c, buf_slice(&out));
            break;
        case 'g': send_bytes(g, c, LIT("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")); break;
        case 'p': send_bytes(g, c, LIT("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\none")); break;
        case 'n': send_bytes(g, c, LIT("GET /none HTTP/1.1\r\nHost: a\r\n\r\n")); break;
        case 'U': send_bytes(g, c, LIT(OPEN_WS("/ws/echo"))); break;
        case 'a': send_bytes(g, c, LIT(OPEN_WS("/ws/all"))); break;
        case 'f': {
            bool more = a >= 'G' && a <= 'V';
            unsigned four = hex(b) > 8 ? 8 : hex(b);
            frame_of((enum websocket_op)(more ? a - 'G' : (int)hex(a)), ((size_t)1 << 2 * four) - 1, !more, &out);
            send_bytes(g, c, buf_slice(&out));
            in = slice_skip(in, in.len < 2 ? in.len : 2);
            break;
        }
        case 'F':
            for (size_t n = (size_t)1 << 2 * (hex(a) % 8); n; n--) frame_of(WEBSOCKET_OP_TEXT, 1, 1, &out);
            in = slice_skip(in, in.len < 1 ? in.len : 1);
            send_bytes(g, c, buf_slice(&out));
            break;
        case 'w':
            if (c->there) twin_window(&c->twin, hex(a) < 5 ? windows[hex(a)] : SIZE_MAX);
            in = slice_skip(in, in.len < 1 ? in.len : 1);
            break;
        case 't':
            pass(g, times[hex(a) % 10]);
            in = slice_skip(in, in.len < 1 ? in.len : 1);
            break;
        case 'k':
            twin_cut(cuts[hex(a) % 5], cuts[hex(b) % 5]);
            in = slice_skip(in, in.len < 2 ? in.len : 2);
            break;
        case 'q':
            if (!g->stopping) http_server_stop(g->server, 0, note_stopped, g);
            g->stopping = true;
            break;
        case 'm':
            g->starve = hex(a);
            in = slice_skip(in, in.len < 1 ? in.len : 1);
            continue;
        default: steps--; continue;
        }
        buf_release(&out);
        mem_fault(g->starve, 0);
        twin_settle(g->loop);
        mem_fault(0, 0);
        g->starve = 0;
        check(g);
    }
}

/* --- and then --- */

static bool waits_on_handlers(const struct game *g) {
    for (const struct http_conn *c = g->server->conns; c; c = c->next)
        if (c->wait == HTTP_WAIT_HANDLER || c->s.pull_left) return true;
    return false;
}

static void wind_up(struct game *g) {
    twin_cut(0, 0);
    for (unsigned i = 0; i < CLIENTS; i++)
        if (g->client[i].there) twin_reset(&g->client[i].twin);
    twin_settle(g->loop);
    check(g);
    if (!g->stopping) {
        struct twin_client honest;
        if (waits_on_handlers(g)) pass(g, 1000000); /* somebody closed, and the fixture has not answered yet */
        pass(g, 60000);                             /* closed without a word: found when something is written */
        twin_dial(&honest, g->listener);
        twin_send(&honest, LIT("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"));
        twin_settle(g->loop);
        must(slice_ends(buf_slice(&honest.got), LIT("Hello, world!")));
        twin_client_release(&honest);
        http_server_stop(g->server, 0, note_stopped, g);
    }
    pass(g, g->limits.end_ms + 100);
    must(g->stopped);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct game game; /* large */
    struct game *g = &game;
    struct err e = ERR_INIT;
    uint64_t blocks = mem_stats().live_blocks;
    memset(g, 0, sizeof *g);
    g->limits = http_limits;
    g->limits.connections = 3; /* fewer than clients */
    g->limits.held = 64u << 10;
    g->limits.out = 256u << 10;
    g->limits.out_all = 400u << 10;
    g->limits.kept = 8u << 10;
    g->budget = SEND_ALL;

    twin_begin();
    struct kernel_twin few = twin;
    few.epoll_wait = wait_few;
    kernel_use(&few);
    struct port disk = {0};
    g->loop = loop_new(&e);
    struct serve_routes *routes = serve_routes_new(g->loop, &disk, false, false, &e);
    unsigned n;
    const struct http_route *table = serve_routes_table(routes, &n);
    struct http_route tame[32];
    struct http_handler handler;
    must(n <= 32);
    for (unsigned i = 0; i < n; i++) {
        tame[i] = table[i];
        if (strcmp(table[i].path, "/fixture/")) continue;
        fixture = table[i].handler;
        handler = *fixture;
        handler.begin = begin_tame;
        tame[i].handler = &handler;
    }
    g->server = http_server_new(g->loop, tame, n, &g->limits, &e);
    serve_routes_server(routes, g->server);
    g->listener = twin_listen();
    must(http_server_listen(g->server, g->listener, NULL, NULL, &e));

    play(g, slice_of(data, size));
    wind_up(g);

    http_server_free(g->server);
    serve_routes_free(routes);
    must(loop_stats(g->loop).fds == 0 && loop_stats(g->loop).timers == 0);
    loop_free(g->loop);
    for (unsigned i = 0; i < CLIENTS; i++) leave(&g->client[i]);
    must(twin_end() == 0);
    must(mem_stats().live_blocks == blocks);
    return 0;
}
