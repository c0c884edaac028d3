/* websocket.c - WebSockets over real sockets: the handshake, messages whole and in pieces, closing both ways, silence, many. */
#include "http/websocket_door.h"

#include "http/stage.h"
#include "protocols/wshandshake.h"

static unsigned opened, messages, gone;
static struct websocket_peer *last;
static struct websocket_peer *peers[64];
static unsigned peer_n;

static void open_one(struct websocket_peer *w) {
    opened++;
    last = w;
    if (peer_n < 64) peers[peer_n++] = w;
}
static void answer(struct websocket_peer *w, enum websocket_op op, struct slice data) {
    messages++;
    if (!websocket_send(w, op, data)) websocket_close(w, WEBSOCKET_CLOSE_POLICY, LIT("full"));
}
static void lose(struct websocket_peer *w) {
    gone++;
    for (unsigned i = 0; i < peer_n; i++)
        if (peers[i] == w) peers[i] = peers[--peer_n];
    if (last == w) last = NULL;
}
static struct websocket_door door = {.open = open_one, .message = answer, .gone = lose};
static const struct http_route routes[] = {
    {"/ws", false, HTTP_METHOD(HTTP1_METHOD_GET), 0, &websocket_begin_handler, &door}};

static void begin_with(struct http_limits l) {
    opened = messages = gone = peer_n = 0;
    last = NULL;
    stage_begin(l, routes, 1);
}

#define UPGRADE                                                                                                        \
    "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"        \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

/* A client that is through the handshake. The accept value is that of RFC 6455 1.3. */
static int join(void) {
    int fd = dial();
    say(fd, LIT(UPGRADE));
    struct buf got = hear(fd, NULL);
    CHECK(slice_starts(buf_slice(&got), LIT("HTTP/1.1 101 Switching Protocols\r\n")));
    CHECK(contains(&got, LIT("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n")));
    CHECK(slice_ends(buf_slice(&got), LIT("\r\n\r\n")));
    buf_release(&got);
    return fd;
}

static const uint8_t mask[4] = {1, 2, 3, 4};

static void send_frame(int fd, enum websocket_op op, unsigned flags, struct slice data) {
    struct buf b;
    buf_init(&b, 1u << 22);
    CHECK(websocket_write_frame(&b, op, flags, data, mask, NULL));
    say(fd, buf_slice(&b));
    buf_release(&b);
}

/* The frames that came, as "text:hello close:1000:bye". */
static struct buf frames(int fd, bool *over) {
    struct buf raw = hear(fd, over), out;
    buf_init(&out, 1u << 22);
    struct websocket w;
    const struct websocket_limits l = {1u << 22, 1u << 22, 1000, 1000};
    websocket_init(&w, WEBSOCKET_CLIENT, &l, false, NULL, 0);
    struct slice rest = buf_slice(&raw);
    for (;;) {
        struct websocket_event ev = {0};
        struct err e = ERR_INIT;
        struct fed f = websocket_feed(&w, rest, &ev, &e);
        rest = slice_skip(rest, f.used);
        if (f.step != STEP_EVENT) break;
        if (out.len && (ev.kind != WEBSOCKET_DATA || ev.first)) buf_byte(&out, ' ');
        if (ev.kind == WEBSOCKET_CLOSED)
            buf_printf(&out, "close:%u:", ev.code);
        else if (ev.kind != WEBSOCKET_DATA || ev.first)
            buf_printf(&out, "%s:",
                       ev.kind == WEBSOCKET_PING   ? "ping"
                       : ev.kind == WEBSOCKET_PONG ? "pong"
                                                   : websocket_op_name(ev.op));
        buf_add(&out, ev.data);
    }
    buf_release(&raw);
    return out;
}
static void expect(int fd, struct slice want, bool want_over) {
    bool over;
    struct buf got = frames(fd, &over);
    CHECK_TEXT(buf_slice(&got), want);
    CHECK_INT(over, want_over);
    buf_release(&got);
}

TEST(a_handshake_that_is_none_is_refused) {
    static const struct {
        const char *request;
        unsigned status;
    } cases[] = {
        {"GET /ws HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 8\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
         426},
        {"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
         "Sec-WebSocket-Key: short\r\n\r\n",
         400},
        {"POST /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nContent-Length: 0\r\n\r\n",
         405},
    };
    begin_with(http_limits);
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CHECK_INT(ask_once(slice_str(cases[i].request), NULL, NULL), cases[i].status);
    CHECK_INT(opened, 0);
    stage_end();
}

TEST(messages_come_back_whole_in_pieces_and_in_any_cut) {
    begin_with(http_limits);
    int fd = join();
    send_frame(fd, WEBSOCKET_OP_TEXT, WEBSOCKET_FIN, LIT("hello"));
    expect(fd, LIT("text:hello"), false);
    send_frame(fd, WEBSOCKET_OP_BINARY, WEBSOCKET_FIN, LIT(""));
    expect(fd, LIT("binary:"), false);
    send_frame(fd, WEBSOCKET_OP_TEXT, 0, LIT("one "));
    send_frame(fd, WEBSOCKET_OP_PING, WEBSOCKET_FIN, LIT("in between"));
    send_frame(fd, WEBSOCKET_OP_CONTINUATION, 0, LIT("two "));
    send_frame(fd, WEBSOCKET_OP_CONTINUATION, WEBSOCKET_FIN, LIT("three"));
    expect(fd, LIT("pong:in between text:one two three"), false);
    struct buf b;
    buf_init(&b, 1000);
    websocket_write_text(&b, LIT("byte by byte"), mask, NULL);
    for (size_t i = 0; i < b.len; i++) say(fd, slice_of(b.ptr + i, 1));
    expect(fd, LIT("text:byte by byte"), false);
    buf_release(&b);
    close(fd);
    turns(3);
    CHECK_INT(gone, 1);
    stage_end();
}

TEST(a_large_message_comes_back_and_a_larger_one_is_refused_by_its_limit) {
    begin_with(http_limits);
    int fd = join();
    static uint8_t big[LIMIT_HTTP_WS_MESSAGE];
    memset(big, 'x', sizeof big);
    send_frame(fd, WEBSOCKET_OP_TEXT, WEBSOCKET_FIN, slice_of(big, sizeof big));
    bool over;
    struct buf got = frames(fd, &over);
    CHECK(got.len == sizeof big + 5 && !over);
    buf_release(&got);
    send_frame(fd, WEBSOCKET_OP_TEXT, 0, slice_of(big, sizeof big));
    send_frame(fd, WEBSOCKET_OP_CONTINUATION, WEBSOCKET_FIN, LIT("y"));
    got = frames(fd, &over);
    CHECK(slice_starts(buf_slice(&got), LIT("close:1009:")) && over);
    buf_release(&got);
    close(fd);
    stage_end();
}

TEST(what_comes_in_one_piece_with_the_handshake_is_heard) {
    begin_with(http_limits);
    struct buf b;
    buf_init(&b, 1000);
    buf_add_str(&b, UPGRADE);
    websocket_write_text(&b, LIT("early"), mask, NULL);
    int fd = dial();
    say(fd, buf_slice(&b));
    struct buf got = hear(fd, NULL);
    CHECK(slice_ends(buf_slice(&got), LIT("\r\n\r\n\x81\x05"
                                          "early")));
    buf_release(&got);
    buf_release(&b);
    close(fd);
    stage_end();
}

TEST(closing_is_polite_from_both_sides) {
    begin_with(http_limits);
    int fd = join();
    send_frame(fd, WEBSOCKET_OP_CLOSE, WEBSOCKET_FIN,
               LIT("\x03\xe8"
                   "bye"));
    expect(fd, LIT("close:1000:"), true);
    close(fd);
    turns(3);
    fd = join();
    if (CHECK(last != NULL)) websocket_close(last, WEBSOCKET_CLOSE_GOING_AWAY, LIT("done"));
    expect(fd, LIT("close:1001:done"), false); /* it waits for ours */
    CHECK_INT(gone, 1);
    send_frame(fd, WEBSOCKET_OP_CLOSE, WEBSOCKET_FIN, LIT("\x03\xe9"));
    expect(fd, LIT(""), true);
    CHECK_INT(http_server_counts(server).open, 1); /* lingering until we close too */
    close(fd);
    turns(3);
    CHECK_INT(gone, 2);
    fd = join();
    if (CHECK(last != NULL)) websocket_close(last, WEBSOCKET_CLOSE_NORMAL, LIT(""));
    pass(limits.linger_ms + 1); /* no answer: it ends all the same */
    CHECK_INT(gone, 3);
    close(fd);
    stage_end();
}

TEST(what_breaks_the_protocol_is_closed_with_its_code) {
    static const struct {
        const char *bytes;
        size_t len;
        const char *want;
    } cases[] = {
        {"\x81\x05hello", 7, "close:1002:"},                     /* not masked */
        {"\xf1\x80\1\2\3\4", 6, "close:1002:"},                  /* reserved bits */
        {"\x83\x80\1\2\3\4", 6, "close:1002:"},                  /* reserved op */
        {"\x80\x80\1\2\3\4", 6, "close:1002:"},                  /* continues nothing */
        {"\x81\x81\1\2\3\4\xfe", 7, "close:1007:"},              /* 0xff: not UTF-8 */
        {"\x81\xff\0\0\0\0\1\0\0\0\1\2\3\4", 14, "close:1009:"}, /* 16 MiB announced */
    };
    begin_with(http_limits);
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int fd = join();
        say(fd, slice_of(cases[i].bytes, cases[i].len));
        bool over;
        struct buf got = frames(fd, &over);
        if (!CHECK(slice_starts(buf_slice(&got), slice_str(cases[i].want)) && over))
            tap_note("case %u: %.*s", i, (int)got.len, (const char *)got.ptr);
        buf_release(&got);
        close(fd);
        turns(3);
    }
    CHECK_INT(messages, 0);
    CHECK_INT(http_server_counts(server).open, 0);
    stage_end();
}

TEST(a_silent_peer_is_asked_and_then_closed_and_one_that_answers_stays) {
    begin_with(http_limits);
    int silent = join(), awake = join();
    for (int i = 0; i < 5; i++) {
        pass(limits.ping_ms + 1);
        struct buf got = frames(awake, NULL);
        if (got.len) {
            CHECK_TEXT(buf_slice(&got), LIT("ping:"));
            send_frame(awake, WEBSOCKET_OP_PONG, WEBSOCKET_FIN, LIT(""));
        }
        buf_release(&got);
    }
    CHECK_INT(gone, 1);
    CHECK_INT(peer_n, 1);
    close(silent);
    close(awake);
    turns(3);
    stage_end();
}

TEST(one_frame_made_once_reaches_many_and_a_peer_that_does_not_read_is_told_by_false) {
    struct http_limits l = http_limits;
    l.out = 1u << 20;
    begin_with(l);
    int fd[20];
    for (int i = 0; i < 20; i++) fd[i] = join();
    struct shared *frame = websocket_frame(WEBSOCKET_OP_TEXT, LIT("to all"));
    for (unsigned i = 0; i < peer_n; i++) CHECK(websocket_send_frame(peers[i], frame));
    CHECK_INT(frame->refs, 21);
    turns(2);
    CHECK_INT(frame->refs, 1); /* all of it is written */
    shared_unref(frame);
    for (int i = 0; i < 20; i++) expect(fd[i], LIT("text:to all"), false);
    static uint8_t big[500000];
    frame = websocket_frame(WEBSOCKET_OP_BINARY, slice_of(big, sizeof big));
    bool refused = false;
    for (int i = 0; i < 100 && !refused; i++) {
        refused = !websocket_send_frame(peers[0], frame);
        turns(2);
    }
    CHECK(refused && websocket_pending(peers[0]) <= l.out);
    shared_unref(frame);
    for (int i = 0; i < 20; i++) close(fd[i]);
    turns(5);
    CHECK_INT(gone, 20);
    stage_end();
}

static bool was_stopped;
static void stopped(void *arg) {
    (void)arg;
    was_stopped = true;
}

TEST(stopping_says_goodbye_with_1001) {
    begin_with(http_limits);
    was_stopped = false;
    int fd = join();
    http_server_stop(server, 0, stopped, NULL);
    expect(fd, LIT("close:1001:the server ends"), true);
    close(fd);
    turns(4);
    CHECK(was_stopped && gone == 1);
    stage_end();
}

TEST(a_websocket_at_rest_costs_less_than_a_kilobyte) {
    begin_with(http_limits);
    enum { MANY = 60 };
    int fd[MANY];
    uint64_t before = 0;
    for (int i = 0; i < MANY; i++) {
        fd[i] = join();
        if (i == MANY / 2 - 1) before = mem_stats().live_bytes;
    }
    uint64_t each = (mem_stats().live_bytes - before) / (MANY / 2);
    tap_note("%llu bytes a WebSocket at rest", (unsigned long long)each);
    CHECK(each <= 1000);
    for (int i = 0; i < MANY; i++) close(fd[i]);
    turns(8);
    stage_end();
}

TEST(every_allocation_may_fail) {
    begin_with(http_limits);
    bool all_good = false;
    unsigned swept = 0;
    for (uint64_t n = 1; n < 100 && !all_good; n++, swept++) {
        int fd = dial();
        mem_fault(n, 0);
        say(fd, LIT(UPGRADE));
        turns(3);
        struct buf frame;
        bool hit = mem_fault_hit();
        mem_fault(0, 0);
        buf_init(&frame, 100);
        websocket_write_text(&frame, LIT("x"), mask, NULL);
        say(fd, buf_slice(&frame));
        buf_release(&frame);
        bool over;
        struct buf got = hear(fd, &over);
        all_good = !hit && contains(&got, LIT("101 Switching"));
        CHECK(all_good || over || status_of(&got) == 101 || status_of(&got) == 503);
        buf_release(&got);
        close(fd);
        pass(limits.linger_ms + 1);
        turns(4);
    }
    CHECK(all_good);
    CHECK_INT(opened, gone);
    tap_note("%u allocations failed in turn", swept);
    stage_end();
}

TAP_MAIN(T(a_handshake_that_is_none_is_refused), T(messages_come_back_whole_in_pieces_and_in_any_cut),
         T(a_large_message_comes_back_and_a_larger_one_is_refused_by_its_limit),
         T(what_comes_in_one_piece_with_the_handshake_is_heard), T(closing_is_polite_from_both_sides),
         T(what_breaks_the_protocol_is_closed_with_its_code),
         T(a_silent_peer_is_asked_and_then_closed_and_one_that_answers_stays),
         T(one_frame_made_once_reaches_many_and_a_peer_that_does_not_read_is_told_by_false),
         T(stopping_says_goodbye_with_1001), T(a_websocket_at_rest_costs_less_than_a_kilobyte),
         T(every_allocation_may_fail))
