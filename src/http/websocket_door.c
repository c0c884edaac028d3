/* websocket_door.c - see websocket_door.h. */
#include "http/websocket_door.h"

#include "http/room.h"
#include "protocols/wshandshake.h"

#define FRAMES_TURN 64    /* read at once from one peer: each may be told to thousands */
#define SCRATCH     16384 /* bytes unmasked at a time; on the loop's stack, so that a peer at rest owns none */

/* A handshake that is good; its exchange keeps it until the request is whole. */
struct handshake {
    uint8_t accept[WSHANDSHAKE_ACCEPT_LEN];
    void *mine;
};

struct websocket_peer {
    struct http_upper upper;
    const struct websocket_door *door;
    struct http_conn *conn;
    void *mine;
    struct websocket reader;
    struct buf message;   /* of a message in pieces */
    uint64_t heard_bytes; /* read by the stream at the last look */
    uint64_t moved;       /* to the peer, and acknowledged, at the last look */
    uint64_t half_at;     /* where the message that was open at the last look began, from 1; 0: none was */
    size_t half_len;      /* of it that had come */
    bool asked;           /* a ping is out */
    bool closing;         /* a close frame of ours is out */
    bool over;
};

static void finish(struct websocket_peer *w) {
    if (w->over) return;
    w->over = true;
    w->conn->closing = true;
    struct http_server *s = w->conn->server;
    stream_deadline(&w->conn->s, loop_now_ms(s->loop) + s->limits.linger_ms);
    stream_linger(&w->conn->s, (uint32_t)s->limits.linger_ms);
}

static bool send_head_and(struct websocket_peer *w, enum websocket_op op, struct slice data) {
    uint8_t head[WEBSOCKET_HEAD_MAX];
    size_t n = websocket_put_head(head, op, WEBSOCKET_FIN, data.len, NULL);
    struct stream *s = &w->conn->s;
    if (n + data.len > s->out_max - stream_pending(s)) return false;
    if (!stream_write(s, slice_of(head, n))) return false;
    if (!data.len || stream_write(s, data)) return true;
    stream_abort(s); /* half a frame must not be followed by another */
    return false;
}

bool websocket_send(struct websocket_peer *w, enum websocket_op op, struct slice data) {
    return !w->closing && !w->over && send_head_and(w, op, data);
}

struct shared *websocket_frame(enum websocket_op op, struct slice data) {
    uint8_t head[WEBSOCKET_HEAD_MAX];
    size_t n = websocket_put_head(head, op, WEBSOCKET_FIN, data.len, NULL);
    struct shared *frame = mem_get(sizeof *frame + n + data.len);
    if (!frame) return NULL;
    frame->refs = 1;
    frame->len = n + data.len;
    memcpy(frame->bytes, head, n);
    if (data.len) memcpy(frame->bytes + n, data.ptr, data.len);
    return frame;
}

bool websocket_send_frame(struct websocket_peer *w, struct shared *frame) {
    return !w->closing && !w->over && stream_share(&w->conn->s, frame, 0);
}

size_t websocket_pending(const struct websocket_peer *w) {
    return stream_pending(&w->conn->s);
}

void websocket_owe_drained(struct websocket_peer *w) {
    stream_owe_drained(&w->conn->s);
}

void *websocket_arg(const struct websocket_peer *w) {
    return w->door->arg;
}
void **websocket_mine(struct websocket_peer *w) {
    return &w->mine;
}

void websocket_close(struct websocket_peer *w, enum websocket_code code, struct slice reason) {
    if (w->closing || w->over) return;
    w->closing = true;
    uint8_t text[WEBSOCKET_CONTROL_MAX];
    size_t n = 0;
    if (code != WEBSOCKET_CLOSE_NONE) {
        text[n++] = (uint8_t)((unsigned)code >> 8);
        text[n++] = (uint8_t)code;
        reason = slice_head(reason, sizeof text - 2);
        if (reason.len) memcpy(text + n, reason.ptr, reason.len);
        n += reason.len;
    }
    struct http_server *s = w->conn->server;
    if (!send_head_and(w, WEBSOCKET_OP_CLOSE, slice_of(text, n)) ||
        !stream_deadline(&w->conn->s, loop_now_ms(s->loop) + s->limits.linger_ms))
        stream_abort(&w->conn->s);
}

/* --- what comes --- */

static void take_piece(struct websocket_peer *w, const struct websocket_event *ev) {
    if (w->closing) return; /* we said goodbye: nothing is heard any more */
    if (ev->first && ev->last) {
        w->door->message(w, ev->op, ev->data);
        return;
    }
    if (!buf_add(&w->message, ev->data)) {
        websocket_close(w, w->message.fault == BUF_OVER ? WEBSOCKET_CLOSE_TOO_BIG : WEBSOCKET_CLOSE_INTERNAL,
                        w->message.fault == BUF_OVER ? LIT("limit message") : LIT("out of memory"));
        buf_release(&w->message);
        return;
    }
    if (!ev->last) return;
    w->door->message(w, ev->op, buf_slice(&w->message));
    buf_release(&w->message);
}

static void take(struct websocket_peer *w, const struct websocket_event *ev) {
    switch (ev->kind) {
    case WEBSOCKET_DATA: take_piece(w, ev); break;
    case WEBSOCKET_PING:
        if (!w->closing && !send_head_and(w, WEBSOCKET_OP_PONG, ev->data)) stream_abort(&w->conn->s);
        break;
    case WEBSOCKET_PONG: break;
    case WEBSOCKET_CLOSED:
        websocket_close(w, ev->code ? (enum websocket_code)ev->code : WEBSOCKET_CLOSE_NONE, LIT(""));
        finish(w);
        break;
    }
}

static void read_frames(struct websocket_peer *w) {
    struct stream *s = &w->conn->s;
    struct slice in = stream_data(s);
    size_t used = 0;
    uint8_t scratch[SCRATCH];
    w->reader.scratch_lent = scratch;
    w->reader.scratch_len = sizeof scratch;
    unsigned frames = 0;
    while (!w->over) {
        if (frames++ == FRAMES_TURN) {
            http_conn_yield(w->conn);
            break;
        }
        if (stream_pending(s) > s->out_max / 2) { /* who asks and does not read waits */
            stream_owe_drained(s);
            break;
        }
        struct websocket_event ev = {0};
        struct err e = ERR_INIT;
        struct fed fed = websocket_feed(&w->reader, slice_skip(in, used), &ev, &e);
        used += fed.used;
        if (fed.step == STEP_BAD) {
            websocket_close(w, (enum websocket_code)w->reader.close_code, slice_str(e.text));
            finish(w);
            break;
        }
        if (fed.step != STEP_EVENT) break;
        take(w, &ev);
    }
    w->reader.scratch_lent = NULL;
    stream_eat(s, w->over ? in.len : used);
    if (w->over || http_conn_account(w->conn, w->message.cap)) return;
    buf_release(&w->message);
    websocket_close(w, WEBSOCKET_CLOSE_LATER, LIT("limit held: too many unfinished messages"));
    finish(w);
}

/* A peer that lets bytes wait, or has begun a message, must move as any client must. */
static bool keeps_pace(struct websocket_peer *w) {
    struct stream *s = &w->conn->s;
    size_t pace = w->conn->server->limits.pace;
    uint64_t unheard = stream_unheard(s), moved = s->written_bytes > unheard ? s->written_bytes - unheard : 0;
    bool reads = !stream_pending(s) || moved >= w->moved + pace;
    bool half = w->reader.in_message && w->half_at == w->reader.message_at + 1;
    bool writes = !half || w->message.len >= w->half_len + pace;
    w->moved = moved;
    w->half_at = w->reader.in_message ? w->reader.message_at + 1 : 0;
    w->half_len = w->message.len;
    return reads && writes;
}

/* One silent interval: a ping. A second one: the end. */
static void be_late(struct websocket_peer *w) {
    struct http_server *s = w->conn->server;
    if (w->closing || w->over) return; /* it had its time */
    if (!keeps_pace(w)) {
        s->counts.timeouts++;
        websocket_close(w, WEBSOCKET_CLOSE_POLICY, LIT("too slow"));
        finish(w);
        return;
    }
    bool silent = w->conn->s.read_bytes == w->heard_bytes;
    if (silent && w->asked) {
        s->counts.timeouts++;
        websocket_close(w, WEBSOCKET_CLOSE_POLICY, LIT("no answer to a ping"));
        finish(w);
        return;
    }
    w->heard_bytes = w->conn->s.read_bytes;
    w->asked = silent;
    websocket_forgive(&w->reader);
    if (silent && !send_head_and(w, WEBSOCKET_OP_PING, LIT(""))) return;
    stream_deadline(&w->conn->s, loop_now_ms(s->loop) + s->limits.ping_ms);
}

static void heard(struct http_upper *u, enum stream_event event) {
    struct websocket_peer *w = LOOP_OWNER(struct websocket_peer, upper, u);
    switch (event) {
    case STREAM_OPEN: break;
    case STREAM_DATA:
    case STREAM_DRAINED:
        if (event == STREAM_DRAINED && !w->over && !w->closing && w->door->drained) w->door->drained(w);
        if (w->over)
            stream_eat(&w->conn->s, stream_data(&w->conn->s).len);
        else
            read_frames(w);
        break;
    case STREAM_END: finish(w); break;
    case STREAM_LATE: be_late(w); break;
    case STREAM_GONE:
        w->over = true;
        if (w->door->gone) w->door->gone(w);
        buf_release(&w->message);
        mem_put(w, sizeof *w);
        break;
    }
}

static void stop(struct http_upper *u) {
    struct websocket_peer *w = LOOP_OWNER(struct websocket_peer, upper, u);
    websocket_close(w, WEBSOCKET_CLOSE_GOING_AWAY, LIT("the server ends"));
    finish(w);
}

/* --- beginning --- */

/* The value of a field that stands once; absent when it stands twice, so that nobody need guess which counts. */
static struct slice field(const struct http1_head *head, struct slice name) {
    const struct http_field *f = http_field_find(head->fields, head->field_n, name);
    size_t rest = f ? head->field_n - (size_t)(f - head->fields) - 1 : 0;
    return f && !http_field_find(f + 1, rest, name) ? f->value : slice_of(NULL, 0);
}

/* A list that may come in several lines, if it has the element. */
static struct slice element(const struct http1_head *head, struct slice name, struct slice want) {
    return http_list_has(http_list_of(head->fields, head->field_n, name), want) ? want : slice_of(NULL, 0);
}

static void begin(struct http_exchange *x, const struct http_request *r) {
    struct err e = ERR_INIT;
    const struct wshandshake_request ask = {
        .method = r->head->method_text,
        .upgrade = r->head->minor ? element(r->head, LIT("upgrade"), LIT("websocket")) : slice_of(NULL, 0),
        .connection = element(r->head, LIT("connection"), LIT("upgrade")),
        .version = field(r->head, LIT("sec-websocket-version")),
        .key = field(r->head, LIT("sec-websocket-key")),
    };
    if (!wshandshake_check_request(&ask, &e)) {
        if (err_http(&e) == 426)
            http_reply(x, 426, LIT("text/plain; charset=utf-8"),
                       LIT("Upgrade: websocket\r\nSec-WebSocket-Version: " WSHANDSHAKE_VERSION "\r\n"),
                       LIT("426 Upgrade Required: this is a WebSocket, version " WSHANDSHAKE_VERSION "\n"));
        else
            http_reply_error(x, &e);
        return;
    }
    const struct websocket_door *door = http_arg(x);
    struct handshake *kept = mem_get_zero(sizeof *kept);
    bool good = kept ? !door->admit || door->admit(x, r, &kept->mine, &e) : err_nomem(&e, "a WebSocket");
    if (!good) {
        mem_put(kept, sizeof *kept);
        http_reply_error(x, &e);
        return;
    }
    wshandshake_accept(ask.key, kept->accept);
    *http_mine(x) = kept;
}

static void drop_handshake(struct http_exchange *x) {
    struct handshake *kept = *http_mine(x);
    const struct websocket_door *door = http_arg(x);
    if (!kept) return;
    *http_mine(x) = NULL;
    if (door->dropped) door->dropped(kept->mine);
    mem_put(kept, sizeof *kept);
}

static void end(struct http_exchange *x, struct slice body) {
    (void)body;
    struct handshake *kept = *http_mine(x);
    const struct websocket_door *door = http_arg(x);
    struct http_conn *c = x->conn;
    struct http_server *s = c->server;
    struct websocket_peer *w = mem_get_zero(sizeof *w);
    struct err e = ERR_INIT;
    if (!w || s->stopping) {
        drop_handshake(x);
        mem_put(w, sizeof *w);
        if (s->stopping)
            err_set(&e, ERR_CANCELLED, "the server ends");
        else
            err_nomem(&e, "a WebSocket");
        err_status(&e, 503);
        http_reply_error(x, &e);
        return;
    }
    uint8_t text[160];
    int len = snprintf((char *)text, sizeof text,
                       "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       "Sec-WebSocket-Accept: %.*s\r\n\r\n",
                       (int)sizeof kept->accept, (const char *)kept->accept);
    w->upper = (struct http_upper){heard, stop};
    w->door = door;
    w->conn = c;
    const struct websocket_limits limits = {.frame = LIMIT_HTTP_WS_MESSAGE,
                                            .message = LIMIT_HTTP_WS_MESSAGE,
                                            .fragments = LIMIT_WS_FRAGMENTS,
                                            .controls = LIMIT_WS_CONTROLS};
    websocket_init(&w->reader, WEBSOCKET_SERVER, &limits, false, text, 1);
    buf_init(&w->message, LIMIT_HTTP_WS_MESSAGE);
    if (!stream_write(&c->s, slice_of(text, (size_t)len))) {
        mem_put(w, sizeof *w);
        drop_handshake(x);
        http_abandon(x);
        return;
    }
    w->mine = kept->mine;
    mem_put(kept, sizeof *kept);
    *http_mine(x) = NULL;
    http_become(x, &w->upper);
    w->heard_bytes = c->s.read_bytes;
    stream_deadline(&c->s, loop_now_ms(s->loop) + s->limits.ping_ms);
    if (door->open) door->open(w);
}

const struct http_handler websocket_begin_handler = {
    .name = "websocket", .begin = begin, .end = end, .gone = drop_handshake};
