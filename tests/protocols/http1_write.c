/* http1_write.c - what is written reads back, and what would not read back is not written. */
#include "http1_play.h"
#include "lib/faults.h"
#include "lib/tap.h"

#define FIELD(name, value)                                                                                             \
    { LIT_INIT(name), LIT_INIT(value) }
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static void check_reads(enum http1_role role, enum http1_method asked, struct slice wire, const char *want) {
    struct http1_play how = HTTP1_PLAY(role);
    how.asked = asked;
    cuts_check(http1_play, &how, wire, slice_str(want), "what was written");
}

TEST(requests_are_written_and_read_by_the_other_role) {
    static const struct http_field get[] = {FIELD("Host", "a"), FIELD("A", ""), FIELD("B", "x  y\t\xff")};
    static const struct http_field put[] = {FIELD("Host", "a"), FIELD("Transfer-Encoding", "chunked")};
    static const struct http_field trailers[] = {FIELD("Sum", "1")};
    struct buf b;
    struct err e = ERR_INIT;
    buf_init(&b, 4096);
    CHECK(http1_write_request(&b, LIT("GET"), LIT("/x?y"), get, COUNT(get), &e));
    CHECK_TEXT(buf_slice(&b), LIT("GET /x?y HTTP/1.1\r\nHost: a\r\nA: \r\nB: x  y\t\xff\r\n\r\n"));
    CHECK(http1_write_request(&b, LIT("PUT"), LIT("http://b/"), put, COUNT(put), &e));
    CHECK(chunked_write(&b, LIT("0123456789abcdefg")));
    CHECK(chunked_write(&b, LIT("")));
    CHECK(chunked_write(&b, LIT("h")));
    CHECK(http1_write_last(&b, trailers, 1, &e));
    CHECK(http1_write_request(&b, LIT("OPTIONS"), LIT("*"), get, 1, &e));
    CHECK(http1_write_request(&b, LIT("CONNECT"), LIT("c:1"), get, 1, &e));
    check_reads(HTTP1_SERVER, HTTP1_METHOD_GET, buf_slice(&b),
                "head GET /x?y origin host=a path=/x query=y 1.1 framing=none keep\n| Host: a\n| A: \n| B: x "
                " y\t\xff\nend\n"
                "head PUT http://b/ absolute host=b path=/ 1.1 framing=chunked keep\n| Host: a\n| "
                "Transfer-Encoding: chunked\n"
                "body 0123456789abcdefgh\ntrailers\n| Sum: 1\nend\n"
                "head OPTIONS * asterisk host=a path=* 1.1 framing=none keep\n| Host: a\nend\n"
                "head CONNECT c:1 authority host=c:1 path= 1.1 framing=none\n| Host: a\nend\nover, 0 left\n");
    CHECK_INT(e.code, ERR_NONE);
    buf_release(&b);
}

TEST(responses_are_written_and_read_by_the_other_role) {
    static const struct http_field length[] = {FIELD("Content-Length", "2")};
    static const struct http_field chunked[] = {FIELD("Transfer-Encoding", "chunked")};
    struct buf b;
    buf_init(&b, 4096);
    CHECK(http1_write_response(&b, HTTP1_METHOD_GET, 100, LIT(""), NULL, 0, NULL));
    CHECK(http1_write_response(&b, HTTP1_METHOD_GET, 200, LIT(""), length, 1, NULL));
    CHECK(buf_add(&b, LIT("hi")));
    CHECK(http1_write_response(&b, HTTP1_METHOD_GET, 299, LIT(""), chunked, 1, NULL));
    CHECK(http1_write_last(&b, NULL, 0, NULL));
    CHECK(http1_write_response(&b, HTTP1_METHOD_GET, 418, LIT("I'm a teapot"), NULL, 0, NULL));
    check_reads(HTTP1_CLIENT, HTTP1_METHOD_GET, buf_slice(&b),
                "head 100 'Continue' 1.1 framing=none keep\nend\nhead 200 'OK' 1.1 framing=length(2) keep\n"
                "| Content-Length: 2\nbody hi\nend\nhead 299 '' 1.1 framing=chunked keep\n| "
                "Transfer-Encoding: chunked\nend\n"
                "head 418 'I'm a teapot' 1.1 framing=close\nend\nidle\n");
    buf_reset(&b);
    CHECK(http1_write_response(&b, HTTP1_METHOD_HEAD, 200, LIT(""), length, 1, NULL));
    check_reads(HTTP1_CLIENT, HTTP1_METHOD_HEAD, buf_slice(&b),
                "head 200 'OK' 1.1 framing=none(2) keep\n| Content-Length: 2\nend\nidle\n");
    buf_release(&b);
}

struct bad_request {
    const char *why, *method, *target;
    struct http_field fields[2];
    size_t n;
};

TEST(requests_that_would_not_read_back_are_refused) {
    static const struct bad_request cases[] = {
        {"no method", "", "/", {FIELD("Host", "a")}, 1},
        {"a method with a space", "G T", "/", {FIELD("Host", "a")}, 1},
        {"a method with CR LF", "GET / HTTP/1.1\r\nX:", "/", {FIELD("Host", "a")}, 1},
        {"a target with a space", "GET", "/ x", {FIELD("Host", "a")}, 1},
        {"a target with CR LF", "GET", "/\r\nX: y", {FIELD("Host", "a")}, 1},
        {"a target of the wrong form", "GET", "*", {FIELD("Host", "a")}, 1},
        {"no target", "GET", "", {FIELD("Host", "a")}, 1},
        {"no Host", "GET", "/", {FIELD("A", "a")}, 1},
        {"two Hosts", "GET", "/", {FIELD("Host", "a"), FIELD("host", "a")}, 2},
        {"a bad Host", "GET", "/", {FIELD("Host", "a b")}, 1},
        {"no name", "GET", "/", {FIELD("Host", "a"), FIELD("", "b")}, 2},
        {"a name with a space", "GET", "/", {FIELD("Host", "a"), FIELD("A ", "b")}, 2},
        {"a name with a colon", "GET", "/", {FIELD("Host", "a"), FIELD("A:", "b")}, 2},
        {"a value with CR", "GET", "/", {FIELD("Host", "a"), FIELD("A", "b\rc")}, 2},
        {"a value with LF", "GET", "/", {FIELD("Host", "a"), FIELD("A", "b\nc")}, 2},
        {"a value with NUL", "GET", "/", {FIELD("Host", "a"), FIELD("A", "b\0c")}, 2},
        {"a blank ahead", "GET", "/", {FIELD("Host", "a"), FIELD("A", " b")}, 2},
        {"a blank behind", "GET", "/", {FIELD("Host", "a"), FIELD("A", "b\t")}, 2},
        {"a length that is none", "GET", "/", {FIELD("Host", "a"), FIELD("Content-Length", "x")}, 2},
        {"a coding we cannot read", "GET", "/", {FIELD("Host", "a"), FIELD("Transfer-Encoding", "gzip")}, 2},
        {"both framings", "GET", "/", {FIELD("Transfer-Encoding", "chunked"), FIELD("Content-Length", "1")}, 2},
    };
    struct buf b;
    buf_init(&b, 4096);
    buf_add(&b, LIT("before"));
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct err e = ERR_INIT;
        bool done = http1_write_request(&b, slice_str(cases[i].method), slice_str(cases[i].target), cases[i].fields,
                                        cases[i].n, &e);
        if (done || e.code == ERR_NONE || !slice_eq(buf_slice(&b), LIT("before"))) {
            tap_note("case %s", cases[i].why);
            CHECK(!"it is refused and nothing is written");
        }
    }
    buf_release(&b);
}

TEST(responses_that_would_not_read_back_are_refused) {
    static const struct http_field length[] = {FIELD("Content-Length", "0")};
    static const struct http_field chunked[] = {FIELD("Transfer-Encoding", "chunked")};
    static const struct http_field bad[] = {FIELD("A", "b\r\n")};
    static const struct http_field host[] = {FIELD("Host", "b")};
    struct buf b;
    buf_init(&b, 4096);
    CHECK(!http1_write_response(&b, HTTP1_METHOD_GET, 99, LIT(""), NULL, 0, NULL));
    CHECK(!http1_write_response(&b, HTTP1_METHOD_GET, 600, LIT(""), NULL, 0, NULL));
    CHECK(!http1_write_response(&b, HTTP1_METHOD_GET, 200, LIT("O\nK"), NULL, 0, NULL));
    CHECK(!http1_write_response(&b, HTTP1_METHOD_GET, 200, LIT(""), bad, 1, NULL));
    CHECK(!http1_write_response(&b, HTTP1_METHOD_GET, 204, LIT(""), length, 1, NULL));
    CHECK(!http1_write_response(&b, HTTP1_METHOD_GET, 103, LIT(""), chunked, 1, NULL));
    CHECK(!http1_write_response(&b, HTTP1_METHOD_CONNECT, 200, LIT(""), length, 1, NULL));
    CHECK(!http1_write_last(&b, length, 1, NULL));
    CHECK(!http1_write_last(&b, host, 1, NULL));
    CHECK(!http1_write_last(&b, bad, 1, NULL));
    CHECK_INT(b.len, 0);
    CHECK(buf_ok(&b));
    buf_release(&b);
}

TEST(what_does_not_fit_is_not_written_at_all) {
    static const struct http_field fields[] = {FIELD("Host", "a")};
    for (size_t max = 0; max <= 28; max++) {
        struct buf b;
        struct err e = ERR_INIT;
        buf_init(&b, max);
        /* GET / HTTP/1.1 CR LF, Host: a CR LF, CR LF: 27 bytes */
        CHECK(http1_write_request(&b, LIT("GET"), LIT("/"), fields, 1, &e) == (max >= 27));
        CHECK_INT(b.len, max >= 27 ? 27 : 0);
        if (max < 27) CHECK_INT(e.code, ERR_LIMIT);
        buf_reset(&b);
        /* HTTP/1.1 200 OK CR LF CR LF: 19 bytes */
        CHECK(http1_write_response(&b, HTTP1_METHOD_GET, 200, LIT(""), NULL, 0, NULL) == (max >= 19));
        buf_reset(&b);
        CHECK(http1_write_last(&b, NULL, 0, NULL) == (max >= 5));
        buf_reset(&b);
        CHECK(chunked_write(&b, LIT("ab")) == (max >= 7));
        CHECK_INT(b.len, max >= 7 ? 7 : 0);
        buf_release(&b);
    }
    struct buf full;
    buf_init(&full, 1);
    buf_add(&full, LIT("xx"));
    CHECK(!http1_write_request(&full, LIT("GET"), LIT("/"), fields, 1, NULL));
    buf_release(&full);
}

static bool write_all(void *arg) {
    (void)arg;
    static const struct http_field fields[] = {FIELD("Host", "a"),
                                               FIELD("A-long-name-so-that-the-buffer-grows", "and a long value")};
    struct buf b;
    struct err e = ERR_INIT;
    buf_init(&b, 4096);
    bool good = http1_write_request(&b, LIT("GET"), LIT("/"), fields, 2, &e);
    if (!good) CHECK_INT(e.code, ERR_NOMEM);
    buf_release(&b);
    return good;
}

TEST(without_memory_nothing_is_written) {
    faults_sweep(write_all, NULL, "a request");
}

TAP_MAIN(T(requests_are_written_and_read_by_the_other_role), T(responses_are_written_and_read_by_the_other_role),
         T(requests_that_would_not_read_back_are_refused), T(responses_that_would_not_read_back_are_refused),
         T(what_does_not_fit_is_not_written_at_all), T(without_memory_nothing_is_written))
