/* request.c - requests against servers of the test: what is sent, what is understood, compression. Beside it: connections, proxies
 * and TLS in request_ways.c, redirects in request_redirects.c, files in request_files.c, time and memory in request_trouble.c. */
#include "out/one_host.h"

#include "out/coding.h"

#include <zlib.h>

/* --- what is sent --- */

TEST(a_request_is_what_it_must_be_and_its_answer_is_gathered) {
    begin(answer_text);
    answers.text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: \"x\"\r\n\r\nhello";
    struct asker a = asker_of(here("/a/b?c#d"));
    struct http_field fields[] = {{LIT("X-One"), LIT("1")}, {LIT("Cookie"), LIT("a=b")}};
    a.r.fields = fields;
    a.r.field_n = 2;
    CHECK(asker_ask(&a));
    CHECK(a.r.status == 200 && a.r.size == 5 && a.fields == 2);
    CHECK_TEXT(buf_slice(&a.got), LIT("hello"));
    CHECK_TEXT(slice_str(a.validator), LIT("\"x\""));
    CHECK_TEXT(slice_str(a.final_url), slice_str(here("/a/b?c")));
    CHECK_TEXT(
        buf_slice(&answers.log),
        slice_str(url_of("GET /a/b?c HTTP/1.1\r\nHost: box.test:%u\r\nUser-Agent: test\r\nAccept: */*\r\nX-One: 1\r\n"
                         "Cookie: a=b\r\n\r\n",
                         host_port(&host))));
    asker_release(&a);
    end();
}

TEST(bodies_are_sent_with_their_length_and_only_where_there_is_one) {
    static const struct {
        const char *method, *body, *want; /* of the request, from behind Accept on */
    } rows[] = {{"POST", "abc", "Content-Length: 3\r\n\r\nabc"},
                {"POST", "", "Content-Length: 0\r\n\r\n"},
                {"PUT", "", "Content-Length: 0\r\n\r\n"},
                {"DELETE", "", "\r\n"},
                {"OPTIONS", "", "\r\n"},
                {"PROPFIND", "x", "Content-Length: 1\r\n\r\nx"},
                {"GET", "q", "Content-Length: 1\r\n\r\nq"}};
    begin(answer_text);
    answers.text = "HTTP/1.1 204 No Content\r\n\r\n";
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct asker a = asker_of(here("/"));
        a.r.method = slice_str(rows[i].method);
        a.r.body = slice_str(rows[i].body);
        buf_reset(&answers.log);
        CHECK(asker_ask(&a) && a.r.status == 204 && a.r.size == 0);
        struct slice log = buf_slice(&answers.log);
        const uint8_t *at = memmem(log.ptr, log.len, "Accept: */*\r\n", 13);
        CHECK(at && slice_starts(log, slice_str(rows[i].method)));
        if (at) CHECK_TEXT(slice_skip(log, (size_t)(at - log.ptr) + 13), slice_str(rows[i].want));
        asker_release(&a);
    }
    end();
}

static void answer_count(struct visit *v, struct slice request) {
    const uint8_t *at = memmem(request.ptr, request.len, "\r\n\r\n", 4);
    size_t head = (size_t)(at - request.ptr) + 4;
    char text[40];
    int n = snprintf(text, sizeof text, "%zu %d", request.len - head, is_pattern(slice_skip(request, head), 0));
    visit_say(v, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", n, text);
}

TEST(a_large_body_arrives_whole) {
    begin(answer_count);
    size_t size = 3000001;
    uint8_t *bytes = malloc(size);
    pattern(bytes, size, 0);
    struct asker a = asker_of(here("/"));
    a.r.method = LIT("PUT");
    a.r.body = slice_of(bytes, size);
    CHECK(asker_ask(&a));
    CHECK_TEXT(buf_slice(&a.got), LIT("3000001 1"));
    asker_release(&a);
    free(bytes);
    end();
}

TEST(user_and_password_of_a_url_become_basic_authorization) {
    begin(answer_text);
    answers.text = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    struct asker a = asker_of(url_of("http://Aladdin:open%%20sesame@127.0.0.1:%u/", host_port(&host)));
    CHECK(asker_ask(&a));
    CHECK(has(buf_slice(&answers.log), "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n")); /* of RFC 7617 2 */
    CHECK(!strstr(a.final_url, "Aladdin"));
    asker_release(&a);
    end();
}

TEST(what_cannot_be_asked_is_refused_at_once) {
    begin(answer_text);
    struct http_field bad[] = {{LIT("Host"), LIT("x")},
                               {LIT("content-length"), LIT("1")},
                               {LIT("Connection"), LIT("close")},
                               {LIT("X-A"), LIT("a\r\nB: c")},
                               {LIT("X A"), LIT("a")},
                               {LIT("Expect"), LIT("100-continue")},
                               {LIT("Transfer-Encoding"), LIT("chunked")},
                               {LIT("Accept-Encoding"), LIT("gzip")}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct asker a = asker_of(here("/"));
        a.r.fields = &bad[i];
        a.r.field_n = 1;
        a.r.decode = true;
        if (!CHECK(!asker_start(&a) && err.code == ERR_INVALID)) tap_note("field %zu", i);
        asker_release(&a);
    }
    static const char *const urls[] = {"", "ftp://x/", "http://a b/", "http:///", "https://x:0/", "http://u:p\x01@x/"};
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        struct asker a = asker_of(urls[i]);
        CHECK(!asker_start(&a) && err.text[0]);
        asker_release(&a);
    }
    static const char *const methods[] = {"CONNECT", "GE T", "G\r\nT"};
    for (size_t i = 0; i < 3; i++) {
        struct asker a = asker_of(here("/"));
        a.r.method = slice_str(methods[i]);
        CHECK(!asker_start(&a) && err.code == ERR_INVALID);
        asker_release(&a);
    }
    struct http_field many[65], long_one = {LIT("X"), LIT("y")};
    static uint8_t filler[25000];
    memset(filler, 'x', sizeof filler);
    for (size_t i = 0; i < 65; i++) many[i] = long_one;
    struct asker a = asker_of(here("/"));
    a.r.fields = many;
    a.r.field_n = 65;
    CHECK(!asker_start(&a) && err.limit && !strcmp(err.limit, "LIMIT_OUT_FIELDS"));
    a.r.field_n = 64;
    CHECK(asker_start(&a));
    request_stop(&a.r);
    long_one.value = slice_of(filler, sizeof filler);
    a.r.fields = &long_one;
    a.r.field_n = 1;
    CHECK(!asker_start(&a) && err.limit && !strcmp(err.limit, "LIMIT_OUT_FIELD_BYTES"));
    /* Two ways to say who we are. */
    struct http_field who = {LIT("Authorization"), LIT("x")};
    a.r.fields = &who;
    a.r.url = LIT("http://u:p@x/");
    CHECK(!asker_start(&a) && err.code == ERR_INVALID);
    a.r.into = REQUEST_FILE;
    CHECK(!asker_start(&a) && err.code == ERR_INVALID); /* no disk */
    asker_release(&a);
    settle();
    end();
}

/* --- what is understood --- */

struct dialogue {
    const char *method, *answer;
    unsigned status;
    const char *want; /* the body; NULL: it fails */
    const char *error;
    bool close; /* the server closes behind it */
};

static const struct dialogue dialogues[] = {
    {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-T: 1\r\n\r\n", 200,
     "abcde", NULL, false},
    {"GET",
     "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: "
     "1\r\n\r\nx",
     200, "x", NULL, false},
    {"GET", "HTTP/1.0 200 OK\r\n\r\nall of it", 200, "all of it", NULL, true},
    {"GET", "HTTP/1.1 200 OK\r\n\r\nuntil the end", 200, "until the end", NULL, true},
    {"GET", "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", 404, "no", NULL, false},
    {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", 200, "", NULL, false},
    {"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n", 304, "", NULL, false},
    {"GET", "HTTP/1.1 204 No Content\r\n\r\n", 204, "", NULL, false},
    {"GET", "HTTP/1.1 206 Partial Content\r\nContent-Length: 1\r\nContent-Range: bytes 0-0/9\r\n\r\nx", 206, "x", NULL,
     false},
    {"GET", "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", 302, "", NULL, false}, /* to nowhere */
    {"GET", "", 0, NULL, "without an answer", true},
    {"GET", "HTTP/1.1 100 Continue\r\n\r\n", 0, NULL, "without an answer", true},
    {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", 200, NULL, "in the middle of its answer", true},
    {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", 200, NULL,
     "in the middle of its answer", true},
    {"GET", "HTTP/1.1 200 OK\r\nContent-Le", 0, NULL, "in the middle of its answer", true},
    {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 200, NULL,
     "reading the answer: want a chunk size", false},
    {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n", 200, NULL, "reading the answer",
     false},
    {"GET", "SSH-2.0-x\r\n", 0, NULL, "status line", false},
    {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 0, NULL, "second", false},
    {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 0, NULL, "both", false},
    {"GET", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", 0, NULL,
     "was not asked for", false},
    {"GET", "HTTP/1.1 200 OK\nContent-Length: 1\n\nx", 0, NULL, "reading the answer", false},
};

static const struct dialogue *dialogue;

static void answer_dialogue(struct visit *v, struct slice request) {
    (void)request;
    visit_bytes(v, slice_str(dialogue->answer));
    if (dialogue->close) visit_close(v);
}

/* Byte by byte: what is left of the answer waits in the visit's own pattern fields. */
static void drip(struct visit *v) {
    struct slice text = slice_str(dialogue->answer);
    if (v->s.state != STREAM_UP) return;
    if (v->at < text.len)
        visit_bytes(v, slice_of(text.ptr + v->at++, 1));
    else if (dialogue->close && !v->close_behind)
        visit_close(v);
}

static void answer_nothing(struct visit *v, struct slice request) {
    (void)v, (void)request;
}

static void check_dialogue(const struct asker *a, const struct dialogue *d, const char *how) {
    bool good = a->r.status == d->status && (d->want ? a->done == 1 : a->failed == 1);
    good = CHECK(good) && (d->want ? CHECK_TEXT(buf_slice(&a->got), slice_str(d->want))
                                   : CHECK(strstr(a->r.err.text, d->error) != NULL));
    if (!good) tap_note("%s, %s: %u %s", d->answer, how, a->r.status, a->r.err.text);
}

TEST(answers_are_understood_or_refused_with_a_sentence_whole_and_byte_by_byte) {
    begin(answer_dialogue);
    for (size_t i = 0; i < sizeof dialogues / sizeof dialogues[0]; i++) {
        dialogue = &dialogues[i];
        for (int way = 0; way < 3; way++) {
            struct asker a = asker_of(here("/x"));
            a.r.method = slice_str(dialogue->method);
            if (way == 2) a.r.into = REQUEST_PIECES;
            answers.answer = way ? answer_nothing : answer_dialogue;
            CHECK(asker_start(&a));
            unsigned before = answers.asked;
            for (unsigned k = 0; k < 5000 && !a.over; k++) {
                loop_turn(loop, 1);
                if (way && host.last && answers.asked > before) drip(host.last);
            }
            CHECK(a.over);
            if (way == 2 && !dialogue->want) buf_reset(&a.got); /* pieces had come */
            check_dialogue(&a, dialogue, way == 0 ? "whole" : way == 1 ? "dripped" : "in pieces");
            if (a.failed)
                CHECK(
                    slice_starts(slice_str(a.r.err.text), slice_str(url_of("%s %s: ", dialogue->method, here("/x")))));
            asker_release(&a);
            out_forget(out);
            settle();
        }
    }
    end();
}

static void answer_huge(struct visit *v, struct slice request) {
    static char text[40000];
    memset(text, 'x', sizeof text);
    visit_say(v, "HTTP/1.1 200 OK\r\n");
    if (has(request, "/line")) {
        visit_say(v, "X: ");
        visit_bytes(v, slice_of(text, sizeof text));
    } else
        for (unsigned i = 0; i < 101; i++) visit_say(v, "X-%u: y\r\n", i);
    visit_say(v, "\r\nContent-Length: 0\r\n\r\n");
}

TEST(heads_have_limits) {
    begin(answer_huge);
    for (int i = 0; i < 2; i++) {
        struct asker a = asker_of(here(i ? "/line" : "/many"));
        CHECK(!asker_ask(&a) && a.r.err.code == ERR_LIMIT && !strcmp(a.r.err.limit, i ? "head" : "headers"));
        asker_release(&a);
    }
    end();
}

static void answer_pattern(struct visit *v, struct slice request) {
    const uint8_t *at = memmem(request.ptr, request.len, "/", 1);
    unsigned long n = strtoul((const char *)at + 1, NULL, 10);
    visit_say(v, "HTTP/1.1 200 OK\r\nContent-Length: %lu\r\n\r\n", n);
    visit_pattern(v, 0, n);
}

TEST(a_body_over_its_limit_is_refused_before_or_when_it_is_met) {
    begin(answer_pattern);
    struct asker a = asker_of(here("/1001"));
    a.r.most = 1000;
    CHECK(!asker_ask(&a) && a.r.err.code == ERR_LIMIT && a.heads == 0);
    asker_release(&a);
    a = asker_of(here("/1000"));
    a.r.most = 1000;
    CHECK(asker_ask(&a) && a.r.size == 1000 && is_pattern(buf_slice(&a.got), 0));
    asker_release(&a);
    a = asker_of(here("/1048577")); /* by itself: LIMIT_OUT_GATHERED */
    CHECK(!asker_ask(&a) && a.r.err.code == ERR_LIMIT);
    asker_release(&a);
    answers.answer = answer_text;
    answers.text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n";
    a = asker_of(here("/"));
    a.r.most = 5;
    CHECK(!asker_ask(&a) && a.r.err.code == ERR_LIMIT && a.heads == 1);
    asker_release(&a);
    end();
}

TEST(who_does_not_eat_makes_the_server_wait_and_loses_nothing) {
    begin(answer_pattern);
    struct asker a = asker_of(here("/8000001"));
    a.r.into = REQUEST_PIECES;
    a.is_pattern = a.eat_nothing = true;
    CHECK(asker_start(&a));
    settle();
    settle();
    CHECK(a.datas == 1 && request_data(&a.r).len && host.last && host.last->left > 1000000);
    for (unsigned i = 0; i < 200; i++) pass(1000000); /* waiting for us is not counted as the server's */
    CHECK(!a.over);
    for (unsigned i = 0; i < 200000 && !a.over; i++) { /* from outside, bit by bit */
        asker_eat(&a, 7919);
        loop_turn(loop, request_data(&a.r).len || a.over ? 0 : 5);
    }
    CHECK(a.done == 1 && a.right && a.pattern_at == 8000001 && a.r.size == 8000001);
    asker_release(&a);
    /* In the callback, a part of each: what is left comes when it is eaten. */
    a = asker_of(here("/500000"));
    a.r.into = REQUEST_PIECES;
    a.is_pattern = true;
    a.eat_most = 1000;
    CHECK(asker_start(&a));
    for (unsigned i = 0; i < 20000 && !a.over; i++) {
        loop_turn(loop, request_data(&a.r).len ? 0 : 5);
        if (!a.over && request_data(&a.r).len) asker_eat(&a, 3000);
    }
    CHECK(a.done == 1 && a.right && a.pattern_at == 500000);
    asker_release(&a);
    end();
}

/* --- an answer ahead of the request's end --- */

static void heard_early(struct visit *v) {
    if (v->asks++ || v->got.len < 20) return;
    visit_say(v, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig");
    stream_pause(&v->s);
}

TEST(an_answer_before_the_body_was_sent_is_heard_and_ends_the_sending) {
    stage_begin(false);
    host_open(&host, heard_early, false);
    size_t size = 20u << 20;
    uint8_t *bytes = calloc(1, size);
    struct asker a = asker_of(here("/"));
    a.r.method = LIT("POST");
    a.r.body = slice_of(bytes, size);
    CHECK(asker_ask(&a) && a.r.status == 413);
    CHECK_TEXT(buf_slice(&a.got), LIT("big"));
    CHECK_INT(out_counts(out).resting, 0);
    asker_release(&a);
    free(bytes);
    settle();
    if (host.last) stream_abort(&host.last->s);
    host_close(&host);
    stage_end();
}

/* --- compression --- */

static void answer_bytes(struct visit *v, struct slice request) {
    (void)request;
    const struct answers *a = v->host->arg;
    visit_say(v, "HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %zu\r\n\r\n", a->text, a->bytes.len);
    visit_bytes(v, a->bytes);
}

static struct slice deflate_zeros(size_t len, int window) {
    static uint8_t bytes[1 << 18], zeros[65536];
    z_stream z = {0};
    if (deflateInit2(&z, 9, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY) != Z_OK) abort();
    z.next_out = bytes;
    z.avail_out = sizeof bytes;
    while (len) {
        z.next_in = zeros;
        z.avail_in = len < sizeof zeros ? (uInt)len : (uInt)sizeof zeros;
        len -= z.avail_in;
        if (deflate(&z, len ? Z_NO_FLUSH : Z_FINISH) == Z_STREAM_ERROR) abort();
    }
    deflateEnd(&z);
    return slice_of(bytes, sizeof bytes - z.avail_out);
}

static struct slice gzip_zeros(size_t len) {
    return deflate_zeros(len, 31);
}

TEST(compressed_answers_are_undone_when_that_was_wanted_and_else_left_alone) {
    begin(answer_bytes);
    answers.text = "gzip";
    answers.bytes = gzip_zeros(300000);
    struct asker a = asker_of(here("/"));
    a.r.decode = true;
    CHECK(asker_ask(&a) && a.got.len == 300000 && a.r.size == 300000 && a.got.ptr[299999] == 0);
    CHECK(has(buf_slice(&answers.log), "Accept-Encoding: gzip, deflate\r\n"));
    asker_release(&a);
    a = asker_of(here("/"));
    a.r.decode = true;
    a.r.into = REQUEST_PIECES;
    a.eat_nothing = true;
    CHECK(asker_start(&a));
    settle();
    CHECK(a.datas == 1 && request_data(&a.r).len <= 16384);
    for (unsigned i = 0; i < 10000 && !a.over; i++) {
        asker_eat(&a, 10000);
        loop_turn(loop, 0);
    }
    CHECK(a.done == 1 && a.got.len == 300000);
    asker_release(&a);
    buf_reset(&answers.log);
    a = asker_of(here("/"));
    CHECK(asker_ask(&a) && slice_eq(buf_slice(&a.got), answers.bytes));
    CHECK(!has(buf_slice(&answers.log), "Accept-Encoding"));
    asker_release(&a);
    end();
}

TEST(what_the_decoder_still_holds_when_all_input_is_eaten_is_not_lost) {
    begin(answer_bytes);
    answers.text = "deflate";
    /* Raw deflate has nothing behind its last match, which the end of a piece cuts in two here. */
    for (size_t len = CODING_PIECE; len < CODING_PIECE + 300; len += 11) {
        answers.bytes = deflate_zeros(len, -15);
        struct asker a = asker_of(here("/"));
        a.r.decode = true;
        CHECK(asker_ask(&a));
        CHECK_INT(a.got.len, len);
        asker_release(&a);
    }
    end();
}

TEST(bombs_meet_their_limit_and_damage_is_told) {
    begin(answer_bytes);
    answers.text = "gzip";
    answers.bytes = gzip_zeros(64u << 20);
    CHECK(answers.bytes.len < 100000);
    struct asker a = asker_of(here("/"));
    a.r.decode = true;
    CHECK(!asker_ask(&a) && a.r.err.code == ERR_LIMIT && !strcmp(a.r.err.limit, "most"));
    asker_release(&a);
    a = asker_of(here("/"));
    a.r.decode = true;
    a.r.into = REQUEST_PIECES;
    a.r.most = 5000000;
    CHECK(asker_start(&a));
    unsigned most = 0;
    for (unsigned i = 0; i < 20000 && !a.over; i++) {
        unsigned before = a.datas;
        loop_turn(loop, 5);
        if (a.datas - before > most) most = a.datas - before;
    }
    CHECK(a.failed == 1 && a.r.err.code == ERR_LIMIT && a.got.len <= 5000000 && a.got.len > 4900000);
    CHECK(most > 0 && most <= 24); /* 16 KiB each: others have their turn */
    asker_release(&a);
    answers.bytes = slice_head(answers.bytes, answers.bytes.len - 9);
    answers.bytes = gzip_zeros(1000);
    answers.bytes.len -= 3;
    a = asker_of(here("/"));
    a.r.decode = true;
    CHECK(!asker_ask(&a) && strstr(a.r.err.text, "ended too early"));
    asker_release(&a);
    answers.bytes = LIT("no gzip at all");
    a = asker_of(here("/"));
    a.r.decode = true;
    CHECK(!asker_ask(&a) && strstr(a.r.err.text, "compressed body is damaged"));
    asker_release(&a);
    answers.text = "br";
    a = asker_of(here("/"));
    a.r.decode = true;
    CHECK(!asker_ask(&a) && a.r.err.code == ERR_UNSUPPORTED);
    asker_release(&a);
    answers.text = "gzip";
    answers.bytes = LIT("");
    a = asker_of(here("/"));
    a.r.decode = true;
    CHECK(asker_ask(&a) && !a.got.len);
    asker_release(&a);
    end();
}

TAP_MAIN(T(a_request_is_what_it_must_be_and_its_answer_is_gathered),
         T(bodies_are_sent_with_their_length_and_only_where_there_is_one), T(a_large_body_arrives_whole),
         T(user_and_password_of_a_url_become_basic_authorization), T(what_cannot_be_asked_is_refused_at_once),
         T(answers_are_understood_or_refused_with_a_sentence_whole_and_byte_by_byte), T(heads_have_limits),
         T(a_body_over_its_limit_is_refused_before_or_when_it_is_met),
         T(who_does_not_eat_makes_the_server_wait_and_loses_nothing),
         T(an_answer_before_the_body_was_sent_is_heard_and_ends_the_sending),
         T(compressed_answers_are_undone_when_that_was_wanted_and_else_left_alone),
         T(what_the_decoder_still_holds_when_all_input_is_eaten_is_not_lost),
         T(bombs_meet_their_limit_and_damage_is_told))
