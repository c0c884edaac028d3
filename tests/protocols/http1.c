/* http1.c - what the HTTP/1.1 reader understands, in any cut. What it refuses: http1_attacks.c. */
#include "protocols/http1.h"

#include "http1_play.h"
#include "lib/faults.h"
#include "lib/tap.h"

struct good {
    const char *name, *input, *want;
};

static void check_all(const struct good *cases, size_t n, struct http1_play how) {
    for (size_t i = 0; i < n; i++)
        cuts_check(http1_play, &how, slice_str(cases[i].input), slice_str(cases[i].want), cases[i].name);
}

#define CHECK_ALL(cases, how) check_all(cases, sizeof(cases) / sizeof(cases)[0], how)

TEST(requests_are_understood_in_any_cut) {
    static const struct good cases[] = {
        {"the smallest one", "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
         "head GET / origin host=a path=/ 1.1 framing=none keep\n| Host: a\nend\nidle\n"},
        {"one empty line ahead", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
         "head GET / origin host=a path=/ 1.1 framing=none keep\n| Host: a\nend\nidle\n"},
        {"an empty line behind", "GET / HTTP/1.1\r\nHost: a\r\n\r\n\r\n",
         "head GET / origin host=a path=/ 1.1 framing=none keep\n| Host: a\nend\nidle\n"},
        {"blanks around values, inside values, empty values",
         "GET / HTTP/1.1\r\nHost:a\r\nA: \t x\ty  z\t \r\nB:\r\nC: \t\r\n!#$%&'*+-.^_`|~09az: \"\\,;\r\n\r\n",
         "head GET / origin host=a path=/ 1.1 framing=none keep\n| Host: a\n| A: x\ty  z\n| B: \n| C: \n"
         "| !#$%&'*+-.^_`|~09az: \"\\,;\nend\nidle\n"},
        {"obs-text in a value", "GET / HTTP/1.1\r\nHost: a\r\nA: \x80\xff-and-some-more\r\n\r\n",
         "head GET / origin host=a path=/ 1.1 framing=none keep\n| Host: a\n| A: "
         "\x80\xff-and-some-more\nend\nidle\n"},
        {"a query, escapes, every character a path may have",
         "GET /a-._~!$&'()*+,;=:@/%7e//%41?x=/?&y=%00? HTTP/1.1\r\nHost: a\r\n\r\n",
         "head GET /a-._~!$&'()*+,;=:@/%7e//%41?x=/?&y=%00? origin host=a path=/a-._~!$&'()*+,;=:@/%7e//%41 "
         "query=x=/?&y=%00? 1.1 framing=none keep\n| Host: a\nend\nidle\n"},
        {"an empty query is one", "GET /? HTTP/1.1\r\nHost: a\r\n\r\n",
         "head GET /? origin host=a path=/ query= 1.1 framing=none keep\n| Host: a\nend\nidle\n"},
        {"any token is a method", "get-it / HTTP/1.1\r\nHost: a\r\n\r\n",
         "head get-it / origin host=a path=/ 1.1 framing=none keep\n| Host: a\nend\nidle\n"},
        {"a length", "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
         "head POST /p origin host=a path=/p 1.1 framing=length(5) keep\n| Host: a\n| Content-Length: "
         "5\nbody hello\nend\nidle\n"},
        {"a length of nothing", "POST / HTTP/1.1\r\nHost: a\r\ncontent-length: 0000\r\n\r\n",
         "head POST / origin host=a path=/ 1.1 framing=length(0) keep\n| Host: a\n| content-length: "
         "0000\nend\nidle\n"},
        {"a body cut off", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel",
         "head POST / origin host=a path=/ 1.1 framing=length(5) keep\n| Host: a\n| Content-Length: "
         "5\nneed\n"},
        {"chunks",
         "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
         "chunked\r\n\r\n3\r\nabc\r\n00A\r\n0123456789\r\n0\r\n\r\n",
         "head PUT / origin host=a path=/ 1.1 framing=chunked keep\n| Host: a\n| Transfer-Encoding: chunked\n"
         "body abc0123456789\nend\nidle\n"},
        {"chunked in any case; CR inside a quoted string",
         "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: CHUNKED\r\n\r\n"
         "2;a;b=c;d=\"e;\\\"\r\t\" ; f\r\nxy\r\n",
         "head PUT / origin host=a path=/ 1.1 framing=chunked keep\n| Host: a\n| Transfer-Encoding: "
         "CHUNKED\nbad 400 @70\n"},
        {"chunk extensions, trailers",
         "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
         "2;a;b=c;d=\"e;\\\"\t\" ; f\t=\t\"\"\r\nxy\r\n0;z\r\nA: 1\r\nB:2\r\n\r\n",
         "head PUT / origin host=a path=/ 1.1 framing=chunked keep\n| Host: a\n| Transfer-Encoding: "
         "chunked\nbody xy\n"
         "trailers\n| A: 1\n| B: 2\nend\nidle\n"},
        {"one behind the other",
         "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nabPOST /2 HTTP/1.1\r\nHost: "
         "a\r\nTransfer-Encoding: "
         "chunked\r\n\r\n1\r\nc\r\n0\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\nGET",
         "head POST /1 origin host=a path=/1 1.1 framing=length(2) keep\n| Host: a\n| Content-Length: "
         "2\nbody ab\nend\n"
         "head POST /2 origin host=a path=/2 1.1 framing=chunked keep\n| Host: a\n| Transfer-Encoding: "
         "chunked\nbody c\nend\n"
         "head GET /3 origin host=a path=/3 1.1 framing=none keep\n| Host: a\nend\nneed\n"},
        {"close leaves the rest", "GET / HTTP/1.1\r\nHost: a\r\nConnection: x, , Close\r\n\r\nGET /",
         "head GET / origin host=a path=/ 1.1 framing=none\n| Host: a\n| Connection: x, , Close\nend\nover, "
         "5 left\n"},
        {"close wins over keep-alive",
         "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nConnection: keep-alive\r\n\r\n",
         "head GET / origin host=a path=/ 1.1 framing=none\n| Host: a\n| Connection: close\n| Connection: "
         "keep-alive\nend\nover, 0 left\n"},
        {"1.0 closes", "GET / HTTP/1.0\r\n\r\nx",
         "head GET / origin host= path=/ 1.0 framing=none\nend\nover, 1 left\n"},
        {"1.0 stays when asked", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\nGET / HTTP/1.0\r\nHost: b\r\n\r\n",
         "head GET / origin host= path=/ 1.0 framing=none keep\n| Connection: Keep-Alive\nend\n"
         "head GET / origin host=b path=/ 1.0 framing=none\n| Host: b\nend\nover, 0 left\n"},
        {"a higher minor version counts as 1.1", "GET / HTTP/1.9\r\nHost: a\r\n\r\n",
         "head GET / origin host=a path=/ 1.1 framing=none keep\n| Host: a\nend\nidle\n"},
        {"an absolute target replaces Host", "GET http://B:81/p?q HTTP/1.1\r\nHost: a\r\n\r\n",
         "head GET http://B:81/p?q absolute host=B:81 path=/p query=q 1.1 framing=none keep\n| Host: "
         "a\nend\nidle\n"},
        {"an absolute target without a path", "GET HTTPS://[::1]?q HTTP/1.1\r\nHost:\r\n\r\n",
         "head GET HTTPS://[::1]?q absolute host=[::1] path=/ query=q 1.1 framing=none keep\n| Host: "
         "\nend\nidle\n"},
        {"asterisk", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
         "head OPTIONS * asterisk host=a path=* 1.1 framing=none keep\n| Host: a\nend\nidle\n"},
        {"asterisk with an empty Host", "OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n",
         "head OPTIONS * asterisk host= path=* 1.1 framing=none keep\n| Host: \nend\nidle\n"},
        {"CONNECT is the last", "CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n\x16\x03",
         "head CONNECT b:443 authority host=b:443 path= 1.1 framing=none\n| Host: b:443\nend\nover, 2 "
         "left\n"},
        {"upgrade", "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n",
         "head GET / origin host=a path=/ 1.1 framing=none keep upgrade\n| Host: a\n| Connection: "
         "keep-alive, Upgrade\n"
         "| Upgrade: websocket\nend\nidle\n"},
        {"Upgrade alone is none", "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n",
         "head GET / origin host=a path=/ 1.1 framing=none keep\n| Host: a\n| Upgrade: "
         "websocket\nend\nidle\n"},
        {"upgrade is ignored in 1.0", "GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
         "head GET / origin host= path=/ 1.0 framing=none\n| Connection: upgrade\n| Upgrade: x\nend\nover, 0 "
         "left\n"},
        {"expect", "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\nx",
         "head PUT / origin host=a path=/ 1.1 framing=length(1) keep expect\n| Host: a\n| Expect: "
         "100-Continue\n"
         "| Content-Length: 1\nbody x\nend\nidle\n"},
        {"expect is ignored in 1.0", "PUT / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
         "head PUT / origin host= path=/ 1.0 framing=length(1)\n| Expect: 100-continue\n| Content-Length: "
         "1\nbody x\nend\nover, 0 left\n"},
        {"hosts of every kind",
         "GET / HTTP/1.1\r\nHost: [2001:db8::1]:8080\r\n\r\nGET / HTTP/1.1\r\nHost: a-b.c_d:\r\n\r\n",
         "head GET / origin host=[2001:db8::1]:8080 path=/ 1.1 framing=none keep\n| Host: "
         "[2001:db8::1]:8080\nend\n"
         "head GET / origin host=a-b.c_d: path=/ 1.1 framing=none keep\n| Host: a-b.c_d:\nend\nidle\n"},
        {"only an empty line", "\r\n", "idle\n"},
        {"half a line", "GET / HT", "need\n"},
    };
    CHECK_ALL(cases, (struct http1_play)HTTP1_PLAY(HTTP1_SERVER));
}

TEST(responses_are_understood_in_any_cut) {
    static const struct good cases[] = {
        {"length", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
         "head 200 'OK' 1.1 framing=length(2) keep\n| Content-Length: 2\nbody hi\nend\n"
         "head 404 'Not Found' 1.1 framing=length(0) keep\n| Content-Length: 0\nend\nidle\n"},
        {"no reason", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n",
         "head 200 '' 1.1 framing=length(0) keep\n| Content-Length: 0\nend\nidle\n"},
        {"a reason of any characters", "HTTP/1.1 299 \tsehr sch\xf6n \r\nContent-Length: 0\r\n\r\n",
         "head 299 '\tsehr sch\xf6n ' 1.1 framing=length(0) keep\n| Content-Length: 0\nend\nidle\n"},
        {"until close", "HTTP/1.1 200 OK\r\n\r\nall of it\r\n\r\n",
         "head 200 'OK' 1.1 framing=close\nbody all of it\r\n\r\n\nend\nidle\n"},
        {"until close, and nothing came", "HTTP/1.0 200 OK\r\n\r\n", "head 200 'OK' 1.0 framing=close\nend\nidle\n"},
        {"chunks and trailers", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: y\r\n\r\n",
         "head 200 'OK' 1.1 framing=chunked keep\n| Transfer-Encoding: chunked\nbody a\ntrailers\n| X: "
         "y\nend\nidle\n"},
        {"interim responses are messages of their own",
         "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No "
         "Content\r\n\r\n",
         "head 100 'Continue' 1.1 framing=none keep\nend\nhead 103 'Early Hints' 1.1 framing=none keep\n| "
         "Link: x\nend\n"
         "head 204 'No Content' 1.1 framing=none keep\nend\nidle\n"},
        {"close on an interim response ends nothing",
         "HTTP/1.1 100 Continue\r\nConnection: close\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
         "head 100 'Continue' 1.1 framing=none\n| Connection: close\nend\nhead 204 'No Content' 1.1 "
         "framing=none keep\nend\nidle\n"},
        {"204 and 304 have no body whatever they say",
         "HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: "
         "7\r\n\r\n"
         "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n",
         "head 204 'No Content' 1.1 framing=none keep\n| Content-Length: 7\nend\n"
         "head 304 'Not Modified' 1.1 framing=none(7) keep\n| Content-Length: 7\nend\n"
         "head 304 'Not Modified' 1.1 framing=none keep\n| Transfer-Encoding: chunked\nend\nidle\n"},
        {"switching protocols ends HTTP", "HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: w\r\n\r\n\x81\x01",
         "head 101 'Go' 1.1 framing=none upgrade\n| Connection: upgrade\n| Upgrade: w\nend\nover, 2 left\n"},
        {"1.0 that stays", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx",
         "head 200 'OK' 1.0 framing=length(1) keep\n| Connection: keep-alive\n| Content-Length: 1\nbody "
         "x\nend\nidle\n"},
        {"close", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nxy",
         "head 200 'OK' 1.1 framing=length(1)\n| Connection: close\n| Content-Length: 1\nbody x\nend\nover, "
         "1 left\n"},
        {"a status we do not know", "HTTP/1.1 999 \r\nContent-Length: 0\r\n\r\n",
         "head 999 '' 1.1 framing=length(0) keep\n| Content-Length: 0\nend\nidle\n"},
        {"fields of requests mean nothing here", "HTTP/1.1 204 \r\nHost: ,\r\nHost: ,\r\nExpect: x\r\n\r\n",
         "head 204 '' 1.1 framing=none keep\n| Host: ,\n| Host: ,\n| Expect: x\nend\nidle\n"},
    };
    CHECK_ALL(cases, (struct http1_play)HTTP1_PLAY(HTTP1_CLIENT));
}

TEST(what_was_asked_decides_about_the_body) {
    static const struct good head[] = {
        {"HEAD",
         "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
         "HTTP/1.1 100 \r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
         "head 200 'OK' 1.1 framing=none(9) keep\n| Content-Length: 9\nend\n"
         "head 200 'OK' 1.1 framing=none keep\n| Transfer-Encoding: chunked\nend\n"
         "head 100 '' 1.1 framing=none keep\nend\nhead 200 'OK' 1.1 framing=none keep\nend\nidle\n"},
    };
    static const struct good connect[] = {
        {"a tunnel", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nraw",
         "head 200 'OK' 1.1 framing=none\n| Content-Length: 9\nend\nover, 3 left\n"},
        {"no tunnel", "HTTP/1.1 403 No\r\nContent-Length: 1\r\n\r\nx",
         "head 403 'No' 1.1 framing=length(1) keep\n| Content-Length: 1\nbody x\nend\nidle\n"},
    };
    struct http1_play how = HTTP1_PLAY(HTTP1_CLIENT);
    how.asked = HTTP1_METHOD_HEAD;
    CHECK_ALL(head, how);
    how.asked = HTTP1_METHOD_CONNECT;
    CHECK_ALL(connect, how);
}

TEST(the_method_asked_lasts_over_interim_responses_and_no_longer) {
    struct http_field fields[8];
    struct http1 h;
    struct http1_event ev;
    struct http1_limits limits = {100, 1000, 100, 0, 0, 0};
    http1_init(&h, HTTP1_CLIENT, &limits, fields, 8);
    http1_ask(&h, HTTP1_METHOD_HEAD);
    struct slice in = LIT("HTTP/1.1 100 \r\n\r\nHTTP/1.1 200 \r\nContent-Length: 1\r\n\r\nHTTP/1.1 200 "
                          "\r\nContent-Length: 1\r\n\r\nx");
    static const enum http1_event_kind want[] = {HTTP1_EVENT_HEAD, HTTP1_EVENT_END,  HTTP1_EVENT_HEAD, HTTP1_EVENT_END,
                                                 HTTP1_EVENT_HEAD, HTTP1_EVENT_BODY, HTTP1_EVENT_END};
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        struct fed fed = http1_feed(&h, in, &ev, NULL);
        CHECK_INT(fed.step, STEP_EVENT);
        CHECK_INT(ev.kind, want[i]);
        in = slice_skip(in, fed.used);
    }
    CHECK(http1_idle(&h));
    http1_release(&h);
}

struct limit_case {
    const char *name, *input, *want;
    struct http1_limits limits;
    size_t headers;
};

TEST(every_limit_is_met_to_the_byte) {
#define HOST "Host: a\r\n\r\n"
    static const struct limit_case cases[] = {
        /* "GET /12 HTTP/1.1" has 16 bytes */
        {"a line at its limit",
         "GET /12 HTTP/1.1\r\n" HOST,
         "head GET /12 origin host=a path=/12 1.1 framing=none keep\n| Host: a\nend\nidle\n",
         {16, 99, 9, 9, 9, 0},
         9},
        {"a line over it", "GET /123 HTTP/1.1\r\n" HOST, "bad 414 line @17\n", {16, 99, 9, 9, 9, 0}, 9},
        {"a target over it",
         "GET /1234567890123456789 HTTP/1.1\r\n" HOST,
         "bad 414 line @17\n",
         {16, 99, 9, 9, 9, 0},
         9},
        {"a target over it is refused before it ends",
         "GET /123456789012",
         "bad 414 line @17\n",
         {16, 99, 9, 9, 9, 0},
         9},
        {"a method over it",
         "GETGETGETGETGETGETGET / HTTP/1.1\r\n" HOST,
         "bad 501 line @17\n",
         {16, 99, 9, 9, 9, 0},
         9},
        {"an empty line ahead does not count for the line",
         "\r\nGET /12 HTTP/1.1\r\n" HOST,
         "head GET /12 origin host=a path=/12 1.1 framing=none keep\n| Host: a\nend\nidle\n",
         {16, 99, 9, 9, 9, 0},
         9},
        /* "GET / HTTP/1.1\r\nHost: a\r\n\r\n" has 27 bytes */
        {"a head at its limit",
         "GET / HTTP/1.1\r\n" HOST,
         "head GET / origin host=a path=/ 1.1 framing=none keep\n| Host: a\nend\nidle\n",
         {16, 27, 9, 9, 9, 0},
         9},
        {"a head over it", "GET / HTTP/1.1\r\n" HOST, "bad 431 head @26\n", {16, 26, 9, 9, 9, 0}, 9},
        {"a head over it in the target",
         "GET /123456789 HTTP/1.1\r\n" HOST,
         "bad 414 head @12\n",
         {99, 12, 9, 9, 9, 0},
         9},
        {"headers at their limit",
         "GET / HTTP/1.1\r\nA:\r\n" HOST,
         "head GET / origin host=a path=/ 1.1 framing=none keep\n| A: \n| Host: a\nend\nidle\n",
         {16, 99, 9, 9, 9, 0},
         2},
        {"headers over it", "GET / HTTP/1.1\r\nA:\r\nB:\r\n" HOST, "bad 431 headers @24\n", {16, 99, 9, 9, 9, 0}, 2},
        {"no headers at all",
         "GET / HTTP/1.0\r\n\r\n",
         "head GET / origin host= path=/ 1.0 framing=none\nend\nover, 0 left\n",
         {16, 99, 9, 9, 9, 0},
         0},
        {"a length at the limit of bodies",
         "GET / HTTP/1.1\r\nContent-Length: 3\r\n" HOST "abc",
         "head GET / origin host=a path=/ 1.1 framing=length(3) keep\n| Content-Length: 3\n| Host: a\nbody "
         "abc\nend\nidle\n",
         {16, 99, 9, 9, 9, 3},
         9},
        {"a length over it",
         "GET / HTTP/1.1\r\nContent-Length: 4\r\n" HOST,
         "bad 413 body @46\n",
         {16, 99, 9, 9, 9, 3},
         9},
        {"chunks over the limit of bodies",
         "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" HOST "2\r\nab\r\n2\r\n",
         "head GET / origin host=a path=/ 1.1 framing=chunked keep\n| Transfer-Encoding: chunked\n| Host: "
         "a\nbad 413 body @64\n",
         {16, 99, 9, 9, 9, 3},
         9},
        {"a chunk line over its limit",
         "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" HOST "2;aaaaaaaa",
         "head GET / origin host=a path=/ 1.1 framing=chunked keep\n| Transfer-Encoding: chunked\n| Host: a\n"
         "bad 400 chunk_line @64\n",
         {16, 99, 9, 9, 0, 0},
         9},
        {"extensions over their limit",
         "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" HOST "1;aaaa\r\na\r\n1;aaaaa\r\na\r\n",
         "head GET / origin host=a path=/ 1.1 framing=chunked keep\n| Transfer-Encoding: chunked\n| Host: a\n"
         "bad 400 chunk_extensions @71\n",
         {16, 99, 9, 9, 9, 0},
         9},
        {"trailers at their limit",
         "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" HOST "0\r\nA:bcd\r\n\r\n",
         "head GET / origin host=a path=/ 1.1 framing=chunked keep\n| Transfer-Encoding: chunked\n| Host: a\n"
         "trailers\n| A: bcd\nend\nidle\n",
         {16, 99, 9, 9, 9, 0},
         9},
        {"trailers over it",
         "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" HOST "0\r\nA:bcde\r\n\r\n",
         "head GET / origin host=a path=/ 1.1 framing=chunked keep\n| Transfer-Encoding: chunked\n| Host: a\n"
         "bad 431 trailer @67\n",
         {16, 99, 9, 9, 9, 0},
         9},
        {"too many trailers",
         "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" HOST "0\r\nA:\r\nB:\r\nC:\r\n\r\n",
         "head GET / origin host=a path=/ 1.1 framing=chunked keep\n| Transfer-Encoding: chunked\n| Host: a\n"
         "bad 431 headers @66\n",
         {16, 99, 99, 9, 9, 0},
         2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http1_play how = {HTTP1_SERVER, HTTP1_METHOD_GET, cases[i].limits, cases[i].headers};
        cuts_check(http1_play, &how, slice_str(cases[i].input), slice_str(cases[i].want), cases[i].name);
    }
    struct http1_play how = HTTP1_PLAY(HTTP1_CLIENT);
    how.limits.body = 4;
    cuts_check(http1_play, &how, LIT("HTTP/1.0 200 OK\r\n\r\nabcd"),
               LIT("head 200 'OK' 1.0 framing=close\nbody abcd\nend\nidle\n"), "a body until close at its limit");
    cuts_check(http1_play, &how, LIT("HTTP/1.0 200 OK\r\n\r\nabcde"),
               LIT("head 200 'OK' 1.0 framing=close\nbad 413 body @23\n"), "a body until close over its limit");
    struct buf many;
    buf_init(&many, 1 << 16);
    for (int i = 0; i < 65; i++) buf_add(&many, LIT("HTTP/1.1 100 \r\n\r\n"));
    struct buf out;
    buf_init(&out, 1 << 16);
    cuts_agree(http1_play, &how, buf_slice(&many), &out, "interim responses");
    CHECK(slice_ends(buf_slice(&out), LIT("end\nbad 413 interim_responses @1105\n")));
    buf_release(&many);
    buf_release(&out);
}

TEST(a_body_may_get_a_limit_of_its_own) {
    struct http_field fields[8];
    struct http1_limits limits = {100, 1000, 100, 0, 0, 2};
    struct http1_event ev;
    struct err e = ERR_INIT;
    struct slice one = LIT("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab");
    struct slice chunked = LIT("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    struct http1 h;
    http1_init(&h, HTTP1_SERVER, &limits, fields, 8);
    struct fed fed = http1_feed(&h, one, &ev, &e);
    CHECK_INT(ev.kind, HTTP1_EVENT_HEAD);
    CHECK(!http1_limit_body(&h, 1, &e));
    CHECK_INT(err_http(&e), 413);
    CHECK_INT(http1_feed(&h, slice_skip(one, fed.used), &ev, &e).step, STEP_BAD);
    http1_release(&h);

    http1_init(&h, HTTP1_SERVER, &limits, fields, 8);
    fed = http1_feed(&h, chunked, &ev, &e);
    CHECK(http1_limit_body(&h, 3, &e));
    CHECK_INT(http1_feed(&h, slice_skip(chunked, fed.used), &ev, &e).step, STEP_EVENT);
    CHECK_TEXT(ev.data, LIT("abc"));
    http1_release(&h);

    /* The next message has the usual limit again. */
    http1_init(&h, HTTP1_SERVER, &limits, fields, 8);
    http1_feed(&h, one, &ev, &e);
    CHECK(http1_limit_body(&h, 9, &e));
    CHECK_INT(http1_feed(&h, LIT("ab"), &ev, &e).used, 2);
    CHECK_INT(http1_feed(&h, LIT(""), &ev, &e).step, STEP_EVENT);
    http1_feed(&h, chunked, &ev, &e);
    CHECK_INT(http1_feed(&h, LIT("3\r\n"), &ev, &e).step, STEP_BAD);
    http1_release(&h);
}

TEST(heads_in_one_piece_are_neither_copied_nor_allocated) {
    struct http_field fields[8];
    struct http1_limits limits = {100, 1000, 100, 0, 0, 0};
    struct http1_event ev;
    struct http1 h;
    struct slice in = LIT("GET /x HTTP/1.1\r\nHost: a\r\n\r\nGET /y HTTP/1.1\r\nHost: b\r\n\r\n");
    http1_init(&h, HTTP1_SERVER, &limits, fields, 8);
    struct fed fed = http1_feed(&h, in, &ev, NULL);
    CHECK_INT(fed.used, 28);
    CHECK(ev.head->target.ptr == in.ptr + 4);
    CHECK(ev.head->fields[0].value.ptr == in.ptr + 23);
    CHECK(h.held.ptr == NULL);
    CHECK(!http1_idle(&h));
    http1_feed(&h, LIT(""), &ev, NULL);
    CHECK(http1_idle(&h));
    http1_release(&h);
}

TEST(slices_of_a_head_in_pieces_outlive_the_pieces_and_readers_share_fields) {
    struct http_field shared[8];
    struct http1_limits limits = {100, 1000, 100, 0, 0, 0};
    struct http1_event ev;
    struct http1 a, b;
    uint8_t piece[] = "GET /one HTTP/1.1\r\nHost: first\r\nX: y";
    http1_init(&a, HTTP1_SERVER, &limits, shared, 8);
    http1_init(&b, HTTP1_SERVER, &limits, shared, 8);
    CHECK_INT(http1_feed(&a, slice_of(piece, sizeof piece - 1), &ev, NULL).step, STEP_MORE);
    memset(piece, '!', sizeof piece);
    http1_feed(&b, LIT("GET /two HTTP/1.1\r\nA: 1\r\nB: 2\r\nHost: second\r\n\r\n"), &ev, NULL);
    CHECK_TEXT(ev.head->host, LIT("second"));
    struct fed fed = http1_feed(&a, LIT("z\r\n\r\nrest"), &ev, NULL);
    CHECK_INT(fed.used, 5);
    CHECK_TEXT(ev.head->target, LIT("/one"));
    CHECK_TEXT(ev.head->host, LIT("first"));
    CHECK_TEXT(http_field_find(ev.head->fields, ev.head->field_n, LIT("x"))->value, LIT("yz"));
    http1_release(&a);
    http1_release(&b);
}

TEST(the_end_of_the_stream_is_allowed_between_messages_only) {
    struct http_field fields[8];
    struct http1_limits limits = {100, 1000, 100, 0, 0, 0};
    static const struct {
        const char *input;
        enum step want;
    } cases[] = {
        {"", STEP_END},
        {"\r\n", STEP_END},
        {"\r", STEP_BAD},
        {"G", STEP_BAD},
        {"GET / HTTP/1.0\r\n\r\n", STEP_END},
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", STEP_END},
        {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n", STEP_BAD},
        {"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", STEP_BAD},
        {"GET / HTTP/3.1\r\n", STEP_BAD},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http1 h;
        struct http1_event ev;
        struct err e = ERR_INIT;
        struct fed fed = {0};
        http1_init(&h, HTTP1_SERVER, &limits, fields, 8);
        for (struct slice in = slice_str(cases[i].input); (fed = http1_feed(&h, in, &ev, &e)).step == STEP_EVENT;)
            in = slice_skip(in, fed.used);
        CHECK_INT(http1_eof(&h, &ev, &e).step, cases[i].want);
        if (cases[i].want == STEP_BAD) CHECK_INT(http1_eof(&h, &ev, &e).step, STEP_BAD);
        http1_release(&h);
    }
}

static bool feed_in_pieces(void *arg) {
    (void)arg;
    struct http_field fields[8];
    struct http1_limits limits = {100, 1000, 300, 0, 0, 0};
    struct http1_event ev;
    struct http1 h;
    struct slice in = LIT("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nLong: "
                          "................................\r\n\r\n"
                          "1\r\nx\r\n0\r\nA: "
                          "............................................................................\r\n\r\n");
    unsigned ends = 0;
    http1_init(&h, HTTP1_SERVER, &limits, fields, 8);
    for (size_t i = 0; i < in.len; i++) {
        struct slice piece = slice_of(in.ptr + i, 1);
        struct err e = ERR_INIT;
        struct fed fed;
        while ((fed = http1_feed(&h, piece, &ev, &e)).step == STEP_EVENT) {
            piece = slice_skip(piece, fed.used);
            ends += ev.kind == HTTP1_EVENT_END;
        }
        if (fed.step != STEP_BAD) continue;
        CHECK_INT(e.code, ERR_NOMEM);
        http1_release(&h);
        return false;
    }
    http1_release(&h);
    return ends == 1;
}

TEST(without_memory_the_stream_is_refused_and_nothing_leaks) {
    faults_sweep(feed_in_pieces, NULL, "a request byte by byte");
}

TEST(names_go_both_ways) {
    for (unsigned i = 0; i < HTTP1_METHOD_OTHER; i++)
        CHECK_INT(http1_method_from(slice_str(http1_method_name((enum http1_method)i))), i);
    CHECK_INT(http1_method_from(LIT("get")), HTTP1_METHOD_OTHER);
    CHECK_TEXT(slice_str(http1_method_name(HTTP1_METHOD_OTHER)), LIT("?"));
    enum http1_form form;
    for (unsigned i = 0; i <= HTTP1_FORM_ASTERISK; i++)
        CHECK(http1_form_from(slice_str(http1_form_name((enum http1_form)i)), &form) && form == i);
    CHECK(!http1_form_from(LIT("x"), &form));
    enum http1_framing framing;
    for (unsigned i = 0; i <= HTTP1_FRAMING_CLOSE; i++)
        CHECK(http1_framing_from(slice_str(http1_framing_name((enum http1_framing)i)), &framing) && framing == i);
    CHECK(!http1_framing_from(LIT("x"), &framing));
    enum http1_role role;
    for (unsigned i = 0; i <= HTTP1_CLIENT; i++)
        CHECK(http1_role_from(slice_str(http1_role_name((enum http1_role)i)), &role) && role == i);
    CHECK(!http1_role_from(LIT("x"), &role));
    CHECK_TEXT(slice_str(http1_status_name(404)), LIT("Not Found"));
    CHECK_TEXT(slice_str(http1_status_name(299)), LIT(""));
    CHECK_INT(http1_status_from(LIT("Not Found")), 404);
    CHECK_INT(http1_status_from(LIT("Nothing")), 0);
}

TAP_MAIN(T(requests_are_understood_in_any_cut), T(responses_are_understood_in_any_cut),
         T(what_was_asked_decides_about_the_body), T(the_method_asked_lasts_over_interim_responses_and_no_longer),
         T(every_limit_is_met_to_the_byte), T(a_body_may_get_a_limit_of_its_own),
         T(heads_in_one_piece_are_neither_copied_nor_allocated),
         T(slices_of_a_head_in_pieces_outlive_the_pieces_and_readers_share_fields),
         T(the_end_of_the_stream_is_allowed_between_messages_only),
         T(without_memory_the_stream_is_refused_and_nothing_leaks), T(names_go_both_ways))
