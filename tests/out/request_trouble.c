/* request_trouble.c - requests that take too long, are stopped anywhere, are too many, or run out of memory. */
#include "out/one_host.h"

#include "lib/faults.h"

#include <zlib.h>

static void answer_pattern(struct visit *v, struct slice request) {
    const uint8_t *at = memmem(request.ptr, request.len, "/", 1);
    unsigned long n = strtoul((const char *)at + 1, NULL, 10);
    visit_say(v, "HTTP/1.1 200 OK\r\nContent-Length: %lu\r\n\r\n", n);
    visit_pattern(v, 0, n);
}

static void answer_nothing(struct visit *v, struct slice request) {
    (void)v, (void)request;
}

static void answer_bytes(struct visit *v, struct slice request) {
    (void)request;
    const struct answers *a = v->host->arg;
    visit_say(v, "HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %zu\r\n\r\n", a->text, a->bytes.len);
    visit_bytes(v, a->bytes);
}

static struct slice gzip_zeros(size_t len) {
    static uint8_t bytes[1 << 18], zeros[65536];
    z_stream z = {0};
    if (deflateInit2(&z, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) != Z_OK) abort();
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

/* --- time --- */

static void begin_silent(void) {
    begin(answer_nothing);
}

TEST(a_server_that_says_nothing_or_too_little_is_not_waited_for) {
    begin_silent();
    struct asker a = asker_of(here("/"));
    CHECK(asker_start(&a));
    settle();
    pass(59000);
    CHECK(!a.over && answers.asked == 1);
    pass(2000);
    CHECK(a.failed == 1 && a.r.err.code == ERR_TIMEOUT && strstr(a.r.err.text, "no answer was there within 60 s"));
    asker_release(&a);
    /* A head that drips: bytes come, but it must be whole in its time. */
    a = asker_of(here("/"));
    a.r.pace_ms = 10000;
    CHECK(asker_start(&a));
    settle();
    for (unsigned i = 0; i < 12 && !a.over; i++) {
        if (host.last) visit_bytes(host.last, slice_of(&"HTTP/1.1 200 OK"[i], 1));
        pass(1000);
    }
    CHECK(a.failed == 1);
    asker_release(&a);
    /* A body that drips below its pace, and one that does not. */
    for (int fast = 0; fast < 2; fast++) {
        a = asker_of(here("/"));
        a.r.pace_ms = 10000;
        a.r.pace_bytes = 100;
        CHECK(asker_start(&a));
        settle();
        if (host.last) visit_say(host.last, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
        for (unsigned i = 0; i < 30 && !a.over; i++) {
            if (host.last) visit_say(host.last, "%0*d", fast ? 50 : 5, 0);
            pass(1000);
        }
        CHECK(fast ? a.done == 1 : a.failed == 1);
        if (!fast) CHECK(strstr(a.r.err.text, "less than 100 bytes of the answer came within 10 s"));
        asker_release(&a);
        out_forget(out);
        settle();
    }
    if (host.last) stream_abort(&host.last->s);
    end();
}

TEST(one_deadline_holds_for_everything) {
    begin_silent();
    struct asker a = asker_of(here("/"));
    a.r.deadline_at = now_us / 1000 + 5000;
    CHECK(asker_start(&a));
    settle();
    pass(4999);
    CHECK(!a.over);
    pass(2);
    CHECK(a.failed == 1 && a.r.err.code == ERR_TIMEOUT &&
          strstr(a.r.err.text, "its time was over while the answer was waited for"));
    asker_release(&a);
    /* Also while the asker does not eat. */
    answers.answer = answer_pattern;
    a = asker_of(here("/100"));
    a.r.into = REQUEST_PIECES;
    a.eat_nothing = true;
    a.r.deadline_at = now_us / 1000 + 5000;
    CHECK(asker_start(&a));
    settle();
    pass(6000);
    CHECK(a.failed == 1 && a.r.err.code == ERR_TIMEOUT && a.heads == 1);
    asker_release(&a);
    /* And one that is over before it begins. */
    a = asker_of(here("/100"));
    a.r.deadline_at = now_us / 1000 - 1;
    CHECK(asker_start(&a));
    until(&a.over);
    CHECK(a.failed == 1 && a.r.err.code == ERR_TIMEOUT);
    asker_release(&a);
    end();
}

static void heard_not(struct visit *v) {
    stream_pause(&v->s);
}

TEST(a_server_that_does_not_take_the_body_is_not_waited_for) {
    stage_begin(false);
    host_open(&host, heard_not, false);
    size_t size = 30u << 20;
    uint8_t *bytes = calloc(1, size);
    struct asker a = asker_of(here("/"));
    a.r.method = LIT("PUT");
    a.r.body = slice_of(bytes, size);
    CHECK(asker_start(&a));
    settle();
    CHECK(!a.over);
    pass(61000);
    pass(61000);
    CHECK(a.failed == 1 && a.r.err.code == ERR_TIMEOUT && strstr(a.r.err.text, "the server took less than 1 bytes"));
    asker_release(&a);
    free(bytes);
    settle();
    if (host.last) stream_abort(&host.last->s);
    host_close(&host);
    stage_end();
}

/* --- stopping --- */

TEST(a_request_may_be_stopped_and_freed_in_any_event_and_between) {
    begin(answer_pattern);
    unsigned freed = 0, expected = 0;
    for (int event = REQUEST_HEAD; event <= REQUEST_FAILED; event++) {
        struct asker *a = calloc(1, sizeof *a);
        *a = asker_of(event == REQUEST_FAILED ? "http://none.invalid/" : here("/100000"));
        a->r.into = REQUEST_PIECES;
        a->heap = true;
        a->freed = &freed;
        a->stop_at = event;
        CHECK(asker_start(a));
        expected++;
        for (unsigned i = 0; i < 5000 && freed < expected; i++) loop_turn(loop, 2);
        CHECK_INT(freed, expected);
        settle();
    }
    for (unsigned n = 0; n < 30; n++) { /* after so many turns */
        struct asker *a = calloc(1, sizeof *a);
        *a = asker_of(here("/3000000"));
        a->r.into = n % 2 ? REQUEST_PIECES : REQUEST_GATHERED;
        a->r.most = 4000000;
        CHECK(asker_start(a));
        for (unsigned i = 0; i < n; i++) loop_turn(loop, 0);
        asker_release(a);
        memset(a, 0xee, sizeof *a);
        free(a);
        settle();
    }
    /* And used again at once. */
    struct asker a = asker_of(here("/10"));
    CHECK(asker_start(&a));
    request_stop(&a.r);
    CHECK(asker_ask(&a) && a.r.size == 10);
    asker_release(&a);
    end();
}

/* --- many, and too many --- */

TEST(sixty_four_at_once_all_come_right_and_too_many_are_refused) {
    begin(answer_pattern);
    enum { N = 64 };
    struct asker *all = calloc(N, sizeof *all);
    unsigned right = 0;
    for (unsigned i = 0; i < N; i++) {
        all[i] = asker_of(here(url_of("/%u", 100000 + i)));
        all[i].r.into = i % 2 ? REQUEST_PIECES : REQUEST_GATHERED;
        CHECK(asker_start(&all[i]));
    }
    for (unsigned i = 0; i < N; i++) {
        until(&all[i].over);
        right += all[i].done == 1 && all[i].got.len == 100000 + i && is_pattern(buf_slice(&all[i].got), 0);
        asker_release(&all[i]);
    }
    CHECK_INT(right, N);
    CHECK_INT(host.visits, N);
    CHECK_INT(out_counts(out).resting, 4); /* LIMIT_OUT_RESTING_HOST */
    free(all);
    end();
    begin(answer_pattern);
    out_free(out);
    stage_out(&(struct out_config){.requests = 2});
    struct asker a = asker_of(here("/1")), b = asker_of(here("/1")), c = asker_of(here("/1"));
    CHECK(asker_start(&a) && asker_start(&b) && !asker_start(&c) && err.limit &&
          !strcmp(err.limit, "LIMIT_OUT_REQUESTS"));
    until(&a.over);
    CHECK(asker_start(&c));
    until(&b.over);
    until(&c.over);
    CHECK(a.done && b.done && c.done);
    asker_release(&a);
    asker_release(&b);
    asker_release(&c);
    end();
}

/* --- memory --- */

static bool one_of_each(void *arg) {
    (void)arg;
    static struct slice zipped;
    if (!zipped.len) zipped = gzip_zeros(30000);
    answers.bytes = zipped;
    struct asker a = asker_of(here("/"));
    a.r.decode = true;
    a.r.method = LIT("PUT");
    a.r.body = LIT("a body");
    a.got.max = 0; /* its own buffer is not what is tried */
    bool good = asker_start(&a);
    if (good) until_late(&a.over);
    good = good && a.done == 1;
    asker_release(&a);
    out_forget(out);
    settle();
    return good;
}

TEST(any_allocation_may_fail) {
    begin(answer_bytes);
    answers.text = "gzip";
    buf_init(&answers.log, 0); /* nothing is kept */
    one_of_each(NULL);
    unsigned files = open_now();
    faults_sweep(one_of_each, NULL, "a request");
    CHECK_INT(open_now(), files);
    end();
}

TAP_MAIN(T(a_server_that_says_nothing_or_too_little_is_not_waited_for), T(one_deadline_holds_for_everything),
         T(a_server_that_does_not_take_the_body_is_not_waited_for),
         T(a_request_may_be_stopped_and_freed_in_any_event_and_between),
         T(sixty_four_at_once_all_come_right_and_too_many_are_refused), T(any_allocation_may_fail))
