/* server.c - the HTTP server over real sockets, on a loop whose clock the test turns: requests in every cut, answers early and
 * late, limits, slow and greedy clients, ending. */
#include "http/sse_feed.h"
#include "http/stage.h"

/* --- what is served --- */

static struct http_exchange *held; /* by /hold */
static unsigned gone, drained, stops;
static struct http_canned hello = {
    .status = 200, .type = {(const uint8_t *)"text/plain", 10}, .body = {(const uint8_t *)"hi", 2}};
static uint64_t poured, to_pour, taken;

static void say_hello(struct http_exchange *x, const struct http_request *r) {
    (void)r;
    http_reply_canned(x, &hello);
}
static void echo(struct http_exchange *x, struct slice body) {
    http_reply(x, 200, LIT("text/plain"), LIT(""), body);
}
static void hold(struct http_exchange *x, struct slice body) {
    (void)body;
    held = x;
}
static void lose(struct http_exchange *x) {
    (void)x;
    gone++;
    held = NULL;
}
static void refuse_early(struct http_exchange *x, const struct http_request *r) {
    (void)r;
    http_reply(x, 403, LIT("text/plain"), LIT(""), LIT("no"));
}
static void pour(struct http_exchange *x) {
    static const uint8_t zeros[8192];
    while (poured < to_pour && !http_is_full(x)) {
        size_t n = to_pour - poured < sizeof zeros ? (size_t)(to_pour - poured) : sizeof zeros;
        if (!http_body(x, slice_of(zeros, n))) return;
        poured += n;
    }
    if (poured == to_pour) http_finish(x);
}
static void begin_pour(struct http_exchange *x, const struct http_request *r) {
    poured = 0;
    http_head(x, 200, LIT(""), LIT("X-Poured: yes\r\n"),
              slice_eq(r->head->path, LIT("/chunks")) ? HTTP_UNKNOWN : to_pour);
    if (r->head->method == HTTP1_METHOD_HEAD)
        http_finish(x);
    else
        pour(x);
}
static void more(struct http_exchange *x) {
    drained++;
    pour(x);
}
static void take(struct http_exchange *x, struct slice piece) {
    taken += piece.len;
    if (taken == 5) http_pause(x); /* the test resumes */
    held = x;
}
static void took(struct http_exchange *x, struct slice body) {
    char text[32];
    (void)body;
    int n = snprintf(text, sizeof text, "%llu", (unsigned long long)taken);
    http_reply(x, 200, LIT("text/plain"), LIT(""), slice_of(text, (size_t)n));
}
static void open_feed(struct http_exchange *x, struct slice body) {
    (void)body;
    held = x;
    sse_feed_open(x);
}
static void stop_feed(struct http_exchange *x) {
    stops++;
    held = NULL;
    http_finish(x);
}

static const struct http_handler hello_handler = {.name = "hello", .begin = say_hello};
static const struct http_handler echo_handler = {.name = "echo", .end = echo};
static const struct http_handler hold_handler = {.name = "hold", .end = hold, .gone = lose};
static const struct http_handler early_handler = {.name = "early", .begin = refuse_early};
static const struct http_handler pour_handler = {.name = "pour", .begin = begin_pour, .drained = more, .gone = lose};
static const struct http_handler take_handler = {.name = "take", .data = take, .end = took, .gone = lose};
static const struct http_handler feed_handler = {.name = "feed", .end = open_feed, .gone = lose, .stop = stop_feed};

#define GET  HTTP_METHOD(HTTP1_METHOD_GET)
#define POST HTTP_METHOD(HTTP1_METHOD_POST)
static const struct http_route routes[] = {
    {"/hello", false, HTTP_READING, 0, &hello_handler, NULL},
    {"/echo", false, POST, 100000, &echo_handler, NULL},
    {"/hold", false, GET | POST, 100, &hold_handler, NULL},
    {"/early", false, POST, 1000, &early_handler, NULL},
    {"/early-big", false, POST, UINT64_MAX, &early_handler, NULL},
    {"/pour", false, HTTP_READING, 0, &pour_handler, NULL},
    {"/chunks", false, HTTP_READING, 0, &pour_handler, NULL},
    {"/take", false, POST, 1u << 30, &take_handler, NULL},
    {"/feed", false, GET, 0, &feed_handler, NULL},
    {"/under/", true, GET, 0, &hello_handler, NULL},
};

static void begin_with(struct http_limits l) {
    held = NULL;
    gone = drained = stops = 0;
    taken = 0;
    stage_begin(l, routes, sizeof routes / sizeof routes[0]);
}
static void begin(void) {
    begin_with(http_limits);
}
static void finish(void) {
    stage_end();
    http_canned_release(&hello);
}

/* --- requests and answers --- */

TEST(requests_are_answered_by_their_route) {
    static const struct {
        const char *request;
        unsigned status;
        bool over;
        const char *contains;
    } cases[] = {
        {"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", 200, false, "\r\nContent-Length: 2\r\n\r\nhi"},
        {"HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n", 200, false, "\r\nContent-Length: 2\r\n\r\n"},
        {"GET /under/x HTTP/1.1\r\nHost: a\r\n\r\n", 200, false, "hi"},
        {"GET http://a/hello HTTP/1.1\r\nHost: a\r\n\r\n", 200, false, "hi"},
        {"GET /hello?x=1 HTTP/1.1\r\nHost: a\r\n\r\n", 200, false, "hi"},
        {"GET /hello HTTP/1.0\r\n\r\n", 200, true, "Connection: close\r\n"},
        {"GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200, false, "Connection: keep-alive\r\n"},
        {"GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 200, true, "Connection: close\r\n"},
        {"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n", 404, false, "404 Not Found"},
        {"POST /nothing HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", 404, false, "404 Not Found"},
        {"PUT /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 405, false, "Allow: OPTIONS, GET, HEAD\r\n"},
        {"OPTIONS /echo HTTP/1.1\r\nHost: a\r\n\r\n", 204, false, "Allow: OPTIONS, POST\r\n"},
        {"BREW /hello HTTP/1.1\r\nHost: a\r\n\r\n", 501, false, "Allow: "},
        {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", 200, false, "\r\n\r\nhello"},
        {"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", 200,
         false, "\r\n\r\nhello"},
        {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 200, false, "Content-Length: 0\r\n"},
        {"GET /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx", 413, true, "limit body"},
        {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100001\r\n\r\n", 413, true, "limit body"},
        {"POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", 403, false, "no"},
        {"GET /hello HTTP/1.1\r\n\r\n", 400, true, "400 Bad Request"},
        {"GET /hello HTTP/2.0\r\nHost: a\r\n\r\n", 505, true, "505"},
        {"nonsense\r\n\r\n", 400, true, "400"},
        {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, true, "400"},
    };
    begin();
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf got;
        bool over;
        bool good = CHECK_INT(ask_once(slice_str(cases[i].request), &got, &over), cases[i].status);
        good = CHECK_INT(over, cases[i].over) && good;
        good = CHECK(contains(&got, slice_str(cases[i].contains))) && good;
        if (!good) tap_note("case %u: %s\n%.*s", i, cases[i].request, (int)got.len, (const char *)got.ptr);
        buf_release(&got);
    }
    finish();
}

TEST(a_request_in_any_cut_gives_the_same_answer_and_leaves_nothing_held) {
    static const char request[] = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello world"
                                  "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
    begin();
    size_t whole = sizeof request - 1;
    for (size_t cut = 1; cut < whole; cut++) {
        int fd = dial();
        say(fd, slice_of(request, cut));
        turns(2);
        say(fd, slice_of(request + cut, whole - cut));
        struct buf got = hear(fd, NULL);
        if (!CHECK(contains(&got, LIT("\r\n\r\nhello worldHTTP/1.1 200 OK\r\n")) &&
                   slice_ends(buf_slice(&got), LIT("\r\n\r\nhi"))))
            tap_note("cut at %zu", cut);
        buf_release(&got);
        CHECK_INT(http_server_counts(server).held, 0);
        close(fd);
        turns(2);
    }
    int fd = dial();
    for (size_t i = 0; i < whole; i++) say(fd, slice_of(request + i, 1));
    struct buf got = hear(fd, NULL);
    CHECK(contains(&got, LIT("hello world")) && slice_ends(buf_slice(&got), LIT("hi")));
    buf_release(&got);
    close(fd);
    finish();
}

TEST(a_hundred_pipelined_requests_are_answered_in_order_with_few_writes) {
    begin();
    struct buf all;
    buf_init(&all, 1u << 20);
    for (int i = 0; i < 100; i++)
        buf_printf(&all, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n%03d", i);
    int fd = dial();
    say(fd, buf_slice(&all));
    struct buf got = hear(fd, NULL);
    CHECK_INT(count(&got, LIT("HTTP/1.1 200 OK")), 100);
    const uint8_t *at = got.ptr;
    for (int i = 0; i < 100 && at; i++) {
        char want[16];
        snprintf(want, sizeof want, "\r\n\r\n%03d", i);
        at = memmem(at, (size_t)(got.ptr + got.len - at), want, 7);
        CHECK(at != NULL);
    }
    buf_release(&got);
    buf_release(&all);
    close(fd);
    finish();
}

TEST(a_held_exchange_keeps_the_next_waiting_and_is_answered_later) {
    begin();
    int fd = dial();
    say(fd, LIT("GET /hold HTTP/1.1\r\nHost: a\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n"));
    struct buf got = hear(fd, NULL);
    CHECK_INT(got.len, 0);
    buf_release(&got);
    CHECK(held != NULL);
    if (held) http_reply(held, 200, LIT("text/plain"), LIT("X-A: b\r\n"), LIT("late"));
    got = hear(fd, NULL);
    CHECK(contains(&got, LIT("X-A: b\r\n\r\nlateHTTP/1.1 200 OK")) && slice_ends(buf_slice(&got), LIT("hi")));
    buf_release(&got);
    close(fd);
    turns(3);
    CHECK_INT(gone, 0);
    finish();
}

TEST(a_client_that_goes_is_told_to_the_handler_once) {
    begin();
    int fd = dial();
    say(fd, LIT("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n"));
    close(fd); /* with a FIN: half-closed, so the answer would still be taken; a reset ends it */
    turns(4);
    CHECK(held != NULL);
    if (held) http_reply(held, 200, LIT(""), LIT(""), LIT("into the void"));
    turns(4);
    CHECK_INT(http_server_counts(server).open, 0);
    fd = dial();
    say(fd, LIT("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n"));
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
    close(fd);
    turns(4);
    CHECK_INT(gone, 1);
    CHECK_INT(http_server_counts(server).open, 0);
    finish();
}

TEST(a_half_closed_client_gets_its_answer) {
    begin();
    int fd = dial();
    say(fd, LIT("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n"));
    shutdown(fd, SHUT_WR);
    turns(4);
    if (CHECK(held != NULL)) http_reply(held, 200, LIT(""), LIT(""), LIT("still"));
    bool over;
    struct buf got = hear(fd, &over);
    CHECK(slice_ends(buf_slice(&got), LIT("still")) && over);
    buf_release(&got);
    close(fd);
    finish();
}

TEST(half_a_request_and_the_end_is_no_request) {
    begin();
    int fd = dial();
    say(fd, LIT("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf"));
    shutdown(fd, SHUT_WR);
    bool over;
    struct buf got = hear(fd, &over);
    CHECK(over && got.len == 0);
    buf_release(&got);
    close(fd);
    finish();
}

TEST(expect_100_is_answered_when_the_body_is_wanted) {
    begin();
    int fd = dial();
    say(fd, LIT("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"));
    struct buf got = hear(fd, NULL);
    CHECK_TEXT(buf_slice(&got), LIT("HTTP/1.1 100 Continue\r\n\r\n"));
    buf_release(&got);
    say(fd, LIT("abc"));
    got = hear(fd, NULL);
    CHECK(slice_ends(buf_slice(&got), LIT("abc")));
    buf_release(&got);
    close(fd);
    bool over;
    CHECK_INT(ask_once(LIT("POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"),
                       &got, &over),
              403);
    CHECK(over); /* whether the body comes is open: the connection cannot be trusted any more */
    buf_release(&got);
    finish();
}

TEST(an_answer_before_a_large_body_arrives_though_the_body_is_not_read) {
    begin();
    int fd = dial();
    say(fd, LIT("POST /early-big HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n"));
    static uint8_t junk[65536];
    for (int i = 0; i < 32; i++) { /* it goes on sending: a reset would lose the answer */
        if (send(fd, junk, sizeof junk, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EAGAIN) break;
        turns(2);
    }
    bool over;
    struct buf got = hear(fd, &over);
    CHECK_INT(status_of(&got), 403);
    CHECK(contains(&got, LIT("Connection: close\r\n")) && over);
    buf_release(&got);
    close(fd);
    turns(3);
    CHECK_INT(http_server_counts(server).open, 0);
    finish();
}

TEST(answers_bit_by_bit_stop_when_nobody_reads) {
    begin();
    to_pour = 32u << 20;
    int fd = dial();
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){65536}, sizeof(int));
    say(fd, LIT("GET /pour HTTP/1.1\r\nHost: a\r\n\r\n"));
    turns(50);
    CHECK(poured < 16u << 20); /* kernel buffers and what may wait, not all of it */
    CHECK(mem_stats().live_bytes < 2u << 20);
    struct buf got = hear(fd, NULL);
    CHECK_INT(poured, to_pour);
    CHECK(got.len > to_pour && drained > 0);
    buf_release(&got);
    say(fd, LIT("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")); /* and the connection goes on */
    got = hear(fd, NULL);
    CHECK(slice_ends(buf_slice(&got), LIT("hi")));
    buf_release(&got);
    close(fd);
    finish();
}

TEST(a_length_that_is_not_known_is_chunked_or_lasts_until_the_end) {
    begin();
    to_pour = 10000;
    struct buf got;
    bool over;
    CHECK_INT(ask_once(LIT("GET /chunks HTTP/1.1\r\nHost: a\r\n\r\n"), &got, &over), 200);
    CHECK(!over && contains(&got, LIT("Transfer-Encoding: chunked\r\n")) &&
          slice_ends(buf_slice(&got), LIT("\r\n0\r\n\r\n")));
    CHECK(contains(&got, LIT("\r\n\r\n2000\r\n")));
    buf_release(&got);
    CHECK_INT(ask_once(LIT("GET /chunks HTTP/1.0\r\n\r\n"), &got, &over), 200);
    CHECK(over && !contains(&got, LIT("chunked")) && !contains(&got, LIT("Content-Length")) && got.len > to_pour);
    buf_release(&got);
    CHECK_INT(ask_once(LIT("HEAD /chunks HTTP/1.1\r\nHost: a\r\n\r\n"), &got, &over), 200);
    CHECK(!over && slice_ends(buf_slice(&got), LIT("\r\n\r\n")) && got.len < 400);
    buf_release(&got);
    finish();
}

TEST(a_body_is_taken_no_faster_than_the_handler_wants) {
    begin();
    int fd = dial();
    say(fd, LIT("POST /take HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabcde"));
    turns(3);
    CHECK_INT(taken, 5);
    say(fd, LIT("fghij"));
    turns(3);
    CHECK_INT(taken, 5);
    taken++; /* so that it does not pause again at 5 */
    if (CHECK(held != NULL)) http_resume(held);
    struct buf got = hear(fd, NULL);
    CHECK(slice_ends(buf_slice(&got), LIT("\r\n\r\n11")));
    buf_release(&got);
    close(fd);
    finish();
}

/* --- slow, greedy and many --- */

TEST(an_idle_connection_is_closed_in_time_and_a_used_one_later) {
    begin();
    int idle = dial(), used = dial();
    say(used, LIT("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"));
    pass(limits.head_ms + 1);
    bool over;
    struct buf got = hear(idle, &over);
    CHECK(over && got.len == 0); /* it never said a word */
    buf_release(&got);
    got = hear(used, &over);
    CHECK(!over);
    buf_release(&got);
    pass(limits.idle_ms - limits.head_ms - 1000);
    say(used, LIT("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"));
    got = hear(used, &over);
    CHECK(!over && got.len);
    buf_release(&got);
    pass(2000);
    got = hear(used, &over);
    CHECK(!over);
    buf_release(&got);
    pass(limits.idle_ms);
    got = hear(used, &over);
    CHECK(over);
    buf_release(&got);
    close(idle);
    close(used);
    finish();
}

TEST(a_head_that_trickles_is_refused_with_408) {
    begin();
    int fd = dial();
    say(fd, LIT("GET /hello HTTP/1.1\r\n"));
    for (int i = 0; i < 14; i++) {
        pass(1000);
        say(fd, LIT("X-A: b\r\n"));
    }
    pass(2000);
    bool over;
    struct buf got = hear(fd, &over);
    CHECK_INT(status_of(&got), 408);
    buf_release(&got);
    pass(limits.linger_ms + 1);
    CHECK_INT(http_server_counts(server).open, 0);
    CHECK_INT(http_server_counts(server).timeouts, 1);
    close(fd);
    finish();
}

TEST(a_body_that_trickles_is_refused_and_one_that_moves_is_not) {
    begin();
    int slow = dial(), good = dial();
    say(slow, LIT("POST /take HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n"));
    say(good, LIT("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"));
    static uint8_t piece[20000];
    struct buf got;
    bool over;
    for (int i = 0; i < 5; i++) {
        say(slow, LIT("x"));
        say(good, slice_of(piece, sizeof piece));
        pass(limits.pace_ms - 1000);
    }
    got = hear(good, &over);
    CHECK_INT(status_of(&got), 200);
    buf_release(&got);
    got = hear(slow, &over);
    CHECK_INT(status_of(&got), 408);
    buf_release(&got);
    close(slow);
    close(good);
    finish();
}

TEST(a_reader_that_does_not_read_is_cut) {
    begin();
    to_pour = 64u << 20;
    int fd = dial();
    say(fd, LIT("GET /pour HTTP/1.1\r\nHost: a\r\n\r\n"));
    for (int i = 0; i < 20 && !gone; i++)
        pass(limits.pace_ms + 1); /* the kernel's buffers still take some for a while */
    CHECK_INT(gone, 1);
    CHECK_INT(http_server_counts(server).open, 0);
    close(fd);
    finish();
}

TEST(unfinished_requests_together_have_a_budget_named_held) {
    struct http_limits l = http_limits;
    l.held = 40000;
    begin_with(l);
    static uint8_t body[9000];
    int fd[8];
    unsigned refused = 0;
    for (int i = 0; i < 8; i++) {
        fd[i] = dial();
        say(fd[i], LIT("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10000\r\n\r\n"));
        say(fd[i], slice_of(body, sizeof body));
        CHECK(http_server_counts(server).held <= l.held + 32768);
    }
    for (int i = 0; i < 8; i++) {
        struct buf got = hear(fd[i], NULL);
        if (got.len) {
            CHECK_INT(status_of(&got), 503);
            CHECK(contains(&got, LIT("limit held")));
            refused++;
        }
        buf_release(&got);
    }
    CHECK(refused >= 4 && refused < 8);
    unsigned good = 0;
    for (int i = 0; i < 8; i++) { /* who was in time is served */
        say(fd[i], slice_of(body, 1000));
        struct buf got = hear(fd[i], NULL);
        good += status_of(&got) == 200;
        buf_release(&got);
        close(fd[i]);
    }
    CHECK_INT(good + refused, 8);
    finish();
}

TEST(over_the_cap_the_one_idle_longest_makes_room) {
    struct http_limits l = http_limits;
    l.connections = 4;
    begin_with(l);
    int fd[6];
    for (int i = 0; i < 4; i++) {
        fd[i] = dial();
        say(fd[i], LIT("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"));
        struct buf got = hear(fd[i], NULL);
        buf_release(&got);
    }
    say(fd[0], LIT("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")); /* so the second is the oldest */
    struct buf got = hear(fd[0], NULL);
    buf_release(&got);
    fd[4] = dial();
    bool over;
    got = hear(fd[1], &over);
    CHECK(over);
    buf_release(&got);
    got = hear(fd[0], &over);
    CHECK(!over);
    buf_release(&got);
    CHECK_INT(http_server_counts(server).evicted, 1);
    for (int i = 0; i < 5; i++) close(fd[i]);
    turns(3);
    for (int i = 0; i < 4; i++) {
        fd[i] = dial();
        say(fd[i], LIT("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n"));
    }
    fd[4] = dial(); /* nobody is idle: refused */
    got = hear(fd[4], &over);
    CHECK(over && http_server_counts(server).refused == 1);
    buf_release(&got);
    for (int i = 0; i < 5; i++) close(fd[i]);
    finish();
}

TEST(heads_over_a_limit_are_refused_with_its_name) {
    begin();
    struct buf request, got;
    buf_init(&request, 1u << 20);
    buf_add_str(&request, "GET /");
    for (int i = 0; i < 9000; i++) buf_byte(&request, 'a');
    buf_add_str(&request, " HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK_INT(ask_once(buf_slice(&request), &got, NULL), 414);
    CHECK(contains(&got, LIT("limit line")));
    buf_release(&got);
    buf_reset(&request);
    buf_add_str(&request, "GET /hello HTTP/1.1\r\nHost: a\r\n");
    for (int i = 0; i < 200; i++) buf_printf(&request, "X-%d: y\r\n", i);
    buf_add_str(&request, "\r\n");
    CHECK_INT(ask_once(buf_slice(&request), &got, NULL), 431);
    CHECK(contains(&got, LIT("limit headers")));
    buf_release(&got);
    buf_release(&request);
    finish();
}

/* --- ending --- */

static bool was_stopped;
static void stopped(void *arg) {
    (void)arg;
    was_stopped = true;
}

TEST(stopping_lets_answers_finish_and_closes_the_rest) {
    begin();
    was_stopped = false;
    int idle = dial(), busy = dial(), feed = dial();
    say(idle, LIT("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"));
    say(feed, LIT("GET /feed HTTP/1.1\r\nHost: a\r\n\r\n"));
    CHECK(held && sse_feed_send(held, &(struct sse_message){.data = LIT("x")}));
    say(busy, LIT("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n"));
    http_server_stop(server, 0, stopped, NULL);
    turns(4);
    CHECK(!was_stopped);
    CHECK_INT(stops, 1);
    bool over;
    struct buf got = hear(idle, &over);
    CHECK(over && slice_ends(buf_slice(&got), LIT("hi")));
    buf_release(&got);
    got = hear(feed, &over);
    CHECK(over && contains(&got, LIT("data: x\n\n")) && slice_ends(buf_slice(&got), LIT("0\r\n\r\n")));
    buf_release(&got);
    close(idle);
    close(feed);
    turns(3);
    CHECK(!was_stopped);
    int late = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(connect(late, &where.any, where.len) != 0); /* nobody listens any more */
    close(late);
    held = NULL;
    say(busy, LIT("")); /* the exchange is still there */
    pass(limits.end_ms + 1);
    CHECK(was_stopped && gone == 1);
    close(busy);
    finish();
}

TEST(many_connections_at_rest_cost_little_each) {
    begin();
    enum { MANY = 200 };
    static int fd[MANY];
    uint64_t before = 0;
    for (int i = 0; i < MANY; i++) {
        fd[i] = dial();
        say(fd[i], LIT("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"));
        struct buf got = hear(fd[i], NULL);
        CHECK(got.len);
        buf_release(&got);
        if (i == MANY / 2 - 1) before = mem_stats().live_bytes;
    }
    uint64_t each = (mem_stats().live_bytes - before) / (MANY / 2);
    tap_note("%llu bytes a connection at rest", (unsigned long long)each);
    CHECK(each <= 640); /* 1 KiB is the bar; timers' heap and slabs come on top */
    for (int i = 0; i < MANY; i++) close(fd[i]);
    turns(20);
    finish();
}

TEST(every_allocation_may_fail) {
    begin();
    bool all_good = false;
    unsigned swept = 0;
    for (uint64_t n = 1; n < 200 && !all_good; n++, swept++) {
        int fd = dial();
        say(fd, LIT("POST /echo HTTP/1.1\r\nHost: a\r\nConte"));
        mem_fault(n, 0);
        say(fd, LIT("nt-Length: 5\r\n\r\nhe"));
        say(fd, LIT("llo"));
        turns(4);
        bool hit = mem_fault_hit();
        mem_fault(0, 0);
        bool over;
        struct buf got = hear(fd, &over);
        CHECK(status_of(&got) == 200 || status_of(&got) == 503 || over);
        all_good = !hit && status_of(&got) == 200;
        buf_release(&got);
        close(fd);
        turns(4);
        pass(limits.linger_ms + 1);
        CHECK_INT(http_server_counts(server).open, 0);
    }
    CHECK(all_good);
    tap_note("%u allocations failed in turn", swept);
    finish();
}

TAP_MAIN(T(requests_are_answered_by_their_route), T(a_request_in_any_cut_gives_the_same_answer_and_leaves_nothing_held),
         T(a_hundred_pipelined_requests_are_answered_in_order_with_few_writes),
         T(a_held_exchange_keeps_the_next_waiting_and_is_answered_later),
         T(a_client_that_goes_is_told_to_the_handler_once), T(a_half_closed_client_gets_its_answer),
         T(half_a_request_and_the_end_is_no_request), T(expect_100_is_answered_when_the_body_is_wanted),
         T(an_answer_before_a_large_body_arrives_though_the_body_is_not_read),
         T(answers_bit_by_bit_stop_when_nobody_reads), T(a_length_that_is_not_known_is_chunked_or_lasts_until_the_end),
         T(a_body_is_taken_no_faster_than_the_handler_wants),
         T(an_idle_connection_is_closed_in_time_and_a_used_one_later), T(a_head_that_trickles_is_refused_with_408),
         T(a_body_that_trickles_is_refused_and_one_that_moves_is_not), T(a_reader_that_does_not_read_is_cut),
         T(unfinished_requests_together_have_a_budget_named_held), T(over_the_cap_the_one_idle_longest_makes_room),
         T(heads_over_a_limit_are_refused_with_its_name), T(stopping_lets_answers_finish_and_closes_the_rest),
         T(many_connections_at_rest_cost_little_each), T(every_allocation_may_fail))
