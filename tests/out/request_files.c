/* request_files.c - answers into files and files as bodies, through a real disk hand: sums, resuming, servers that answer other
 * ranges than asked, constant memory. */
#include "warden/disk_box.h"
#define STAGE_HAS_LOOP
#include "out/asker.h"

#include "lib/faults.h"

#include <bearssl.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1 /* freed memory is kept for a while: its growth says nothing */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static struct host host;
static struct answers answers;

static bool open_stage(void (*answer)(struct visit *, struct slice)) {
    if (!begin()) return false;
    stage_begin(false);
    answers_open(&answers, &host, false, answer);
    return true;
}

static void close_stage(void) {
    answers_close(&answers, &host);
    stage_end();
    end();
}

static struct asker to_file(const char *path, uint64_t from, const char *validator) {
    struct asker a = asker_of(url_of("http://box.test:%u%s", host_port(&host), path));
    a.r.into = REQUEST_FILE;
    a.r.file.disk = &port;
    a.r.file.root = "data";
    a.r.file.path = LIT("down");
    a.r.file.from = from;
    a.r.file.validator = slice_str(validator);
    return a;
}

static uint64_t size_of(const char *name) {
    struct stat st;
    return fstatat(data_dir, name, &st, 0) ? UINT64_MAX : (uint64_t)st.st_size;
}

/* The pattern's bytes [from, from+len), as a file. */
static void put_pattern(const char *name, uint64_t from, size_t len) {
    uint8_t *p = malloc(len + 1);
    pattern(p, len, from);
    put_file(data_dir, name, slice_of(p, len));
    free(p);
}

static bool file_is_pattern(const char *name, size_t len) {
    struct buf b;
    buf_init(&b, 1u << 27);
    bool good = file_read_all(data_dir, name, 1u << 27, &b, &err) && b.len == len && is_pattern(buf_slice(&b), 0);
    buf_release(&b);
    return good;
}

static bool sum_is_right(const uint8_t *sum, uint64_t len) {
    static uint8_t bytes[65536];
    br_sha256_context c;
    uint8_t own[32];
    br_sha256_init(&c);
    for (uint64_t at = 0; at < len;) {
        size_t n = len - at < sizeof bytes ? (size_t)(len - at) : sizeof bytes;
        pattern(bytes, n, at);
        br_sha256_update(&c, bytes, n);
        at += n;
    }
    br_sha256_out(&c, own);
    return !memcmp(own, sum, sizeof own);
}

static uint64_t asked_from(struct slice request) {
    const uint8_t *at = memmem(request.ptr, request.len, "Range: bytes=", 13);
    return at ? strtoull((const char *)at + 13, NULL, 10) : 0;
}

#define SIZE 300001u

/* A server as it should be: "v1" is the pattern. */
static void answer_file(struct visit *v, struct slice request) {
    uint64_t from = asked_from(request);
    if (from && from < SIZE && has(request, "If-Range: \"v1\"\r\n")) {
        visit_say(v,
                  "HTTP/1.1 206 Partial Content\r\nETag: \"v1\"\r\nContent-Length: %u\r\nContent-Range: bytes "
                  "%u-%u/%u\r\n\r\n",
                  (unsigned)(SIZE - from), (unsigned)from, SIZE - 1, SIZE);
        visit_pattern(v, from, SIZE - from);
    } else {
        visit_say(v, "HTTP/1.1 200 OK\r\nETag: \"v1\"\r\nContent-Length: %u\r\n\r\n", SIZE);
        visit_pattern(v, 0, SIZE);
    }
}

TEST(an_answer_becomes_a_file_with_its_sum) {
    if (!open_stage(answer_file)) return;
    struct asker a = to_file("/f", 0, "");
    CHECK(asker_ask(&a) && !a.r.resumed && a.r.size == SIZE && sum_is_right(a.r.sum, SIZE) &&
          file_is_pattern("down", SIZE));
    CHECK(!is_there("down.part"));
    CHECK_TEXT(slice_str(a.validator), LIT("\"v1\""));
    CHECK(!has(buf_slice(&answers.log), "Range"));
    asker_release(&a);
    answers.answer = answer_text;
    static const char *const empty[] = {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
                                        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"};
    for (int i = 0; i < 2; i++) {
        answers.text = empty[i];
        a = to_file("/f", 0, "");
        CHECK(asker_ask(&a) && a.r.size == 0 && size_of("down") == 0 && sum_is_right(a.r.sum, 0));
        asker_release(&a);
    }
    close_stage();
}

TEST(a_part_is_gone_on_with_when_it_is_still_the_same) {
    if (!open_stage(answer_file)) return;
    put_pattern("down.part", 0, 100000);
    struct asker a = to_file("/f", 100000, "\"v1\"");
    CHECK(asker_ask(&a) && a.r.resumed && a.r.status == 206 && a.r.size == SIZE && sum_is_right(a.r.sum, SIZE) &&
          file_is_pattern("down", SIZE));
    CHECK(has(buf_slice(&answers.log), "Range: bytes=100000-\r\nIf-Range: \"v1\"\r\n"));
    asker_release(&a);
    /* Another version now: from the front. */
    uint8_t junk[1000];
    memset(junk, 'x', sizeof junk);
    put_file(data_dir, "down.part", slice_of(junk, sizeof junk));
    a = to_file("/f", 1000, "\"v0\"");
    CHECK(asker_ask(&a) && !a.r.resumed && a.r.status == 200 && file_is_pattern("down", SIZE));
    asker_release(&a);
    /* Without a validator nobody could tell. */
    put_file(data_dir, "down.part", slice_of(junk, sizeof junk));
    buf_reset(&answers.log);
    a = to_file("/f", 1000, "");
    CHECK(asker_ask(&a) && !a.r.resumed && file_is_pattern("down", SIZE) && !has(buf_slice(&answers.log), "Range"));
    asker_release(&a);
    /* The part is not as long as was said. */
    put_pattern("down.part", 0, 1000);
    a = to_file("/f", 2000, "\"v1\"");
    CHECK(!asker_ask(&a) && strstr(a.r.err.text, "writing the file"));
    asker_release(&a);
    close_stage();
}

static const char *odd_answer;
static unsigned odd_asks;

/* Something odd to whoever asks for a range; the file to whoever does not. */
static void answer_odd(struct visit *v, struct slice request) {
    if (asked_from(request)) {
        odd_asks++;
        visit_bytes(v, slice_str(odd_answer));
    } else
        answer_file(v, request);
}

TEST(answers_to_ranges_that_were_not_asked_lead_to_the_whole) {
    static const char *const odd[] = {
        "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\n\r\nxxxxx",
        "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nContent-Range: bytes 0-4/300001\r\n\r\nxxxxx",
        "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nContent-Range: bytes 299996-300000/*\r\n\r\nxxxxx",
        "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nContent-Range: bytes 299996-299999/300001\r\n\r\nxxxxx",
        "HTTP/1.1 206 Partial Content\r\nContent-Length: 4\r\nContent-Range: bytes 299996-300000/300001\r\n\r\nxxxx",
        "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nContent-Range: bytes nonsense\r\n\r\nxxxxx",
        "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nETag: \"v2\"\r\nContent-Range: bytes "
        "299996-300000/300001\r\n\r\nxxxxx",
        "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nETag: W/\"v1\"\r\nContent-Range: bytes "
        "299996-300000/300001\r\n\r\nxxxxx",
        "HTTP/1.1 206 Partial Content\r\nContent-Type: multipart/byteranges; boundary=x\r\nContent-Length: "
        "5\r\n\r\n--x--",
        "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-4/300001\r\n\r\nwithout an end, but the server closes",
        "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */300001\r\nContent-Length: 0\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        if (!open_stage(answer_odd)) return;
        odd_answer = odd[i];
        odd_asks = 0;
        put_pattern("down.part", 0, 299996);
        struct asker a = to_file("/f", 299996, "\"v1\"");
        CHECK(asker_ask(&a) && !a.r.resumed && a.r.redirected == 0 && a.heads == 1);
        if (!CHECK(odd_asks == 1 && file_is_pattern("down", SIZE) && sum_is_right(a.r.sum, SIZE)))
            tap_note("%s: %s", odd[i], a.r.err.text);
        asker_release(&a);
        close_stage();
    }
}

TEST(a_date_may_be_the_validator_where_it_is_strong) {
    if (!open_stage(answer_odd)) return;
    odd_answer = "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                 "Content-Range: bytes 3-7/8\r\n\r\n45678";
    put_file(data_dir, "down.part", LIT("123"));
    struct asker a = to_file("/f", 3, "Sun, 06 Nov 1994 08:49:37 GMT");
    CHECK(asker_ask(&a) && a.r.resumed && holds("down", LIT("12345678")));
    asker_release(&a);
    put_file(data_dir, "down.part", LIT("123"));
    a = to_file("/f", 3, "Sun, 06 Nov 1994 08:49:38 GMT");
    CHECK(asker_ask(&a) && !a.r.resumed && file_is_pattern("down", SIZE));
    asker_release(&a);
    answers.answer = answer_text;
    static const struct {
        const char *head, *validator;
    } rows[] = {{"Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\nDate: Sun, 06 Nov 1994 08:50:37 GMT",
                 "Sun, 06 Nov 1994 08:49:37 GMT"},
                {"Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\nDate: Sun, 06 Nov 1994 08:50:36 GMT", ""},
                {"Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT", ""},
                {"ETag: W/\"x\"", ""},
                {"ETag: \"x\"\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\nDate: Sun, 06 Nov 1994 09:00:00 GMT",
                 "\"x\""}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        answers.text = url_of("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n%s\r\n\r\n", rows[i].head);
        a = to_file("/f", 0, "");
        CHECK(asker_ask(&a));
        CHECK_TEXT(slice_str(a.validator), slice_str(rows[i].validator));
        asker_release(&a);
    }
    close_stage();
}

TEST(only_a_file_becomes_a_file) {
    static const struct {
        const char *answer;
        enum err_code code;
        const char *want;
    } rows[] = {
        {"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", ERR_NOT_FOUND,
         "the server answered 404 Not Found where a file was wanted"},
        {"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", ERR_AUTHORIZATION, "403 Forbidden"},
        {"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n", ERR_NETWORK, "500 Internal Server Error"},
        {"HTTP/1.1 204 No Content\r\n\r\n", ERR_NETWORK, "204"},
        {"HTTP/1.1 206 Partial Content\r\nContent-Length: 1\r\nContent-Range: bytes 0-0/2\r\n\r\nx", ERR_NETWORK,
         "206"}, /* not asked */
        {"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", ERR_NETWORK, "302"},
        {"HTTP/1.1 799 \r\nContent-Length: 0\r\n\r\n", ERR_NETWORK, "answered 799 where"},
    };
    if (!open_stage(answer_text)) return;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        answers.text = rows[i].answer;
        struct asker a = to_file("/f", 0, "");
        CHECK(!asker_ask(&a) && a.r.err.code == rows[i].code && a.heads == 0);
        if (!CHECK(strstr(a.r.err.text, rows[i].want) != NULL)) tap_note("%s", a.r.err.text);
        asker_release(&a);
    }
    CHECK(!is_there("down") && !is_there("down.part"));
    struct asker a = to_file("/f", 0, "");
    a.r.decode = true;
    CHECK(!asker_start(&a));
    a.r.decode = false;
    a.r.method = LIT("HEAD");
    CHECK(!asker_start(&a));
    struct http_field range = {LIT("Range"), LIT("bytes=1-")};
    a = to_file("/f", 0, "");
    a.r.fields = &range;
    a.r.field_n = 1;
    CHECK(!asker_start(&a) && strstr(err.text, "Range is written by the request itself"));
    close_stage();
}

TEST(a_quota_is_met_before_or_while_it_comes) {
    if (!open_stage(answer_file)) return;
    struct asker a = to_file("/f", 0, "");
    a.r.most = SIZE - 1;
    CHECK(!asker_ask(&a) && a.r.err.code == ERR_LIMIT && !is_there("down.part"));
    asker_release(&a);
    put_pattern("down.part", 0, 100000);
    a = to_file("/f", 100000, "\"v1\"");
    a.r.most = SIZE - 1;
    CHECK(!asker_ask(&a) && a.r.err.code == ERR_LIMIT && size_of("down.part") == 100000); /* nothing was lost */
    asker_release(&a);
    a = to_file("/f", 100000, "\"v1\"");
    a.r.most = SIZE;
    CHECK(asker_ask(&a) && file_is_pattern("down", SIZE));
    asker_release(&a);
    answers.answer = answer_text;
    answers.text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n4\r\nefgh\r\n0\r\n\r\n";
    a = to_file("/f", 0, "");
    a.r.most = 7;
    CHECK(!asker_ask(&a) && a.r.err.code == ERR_LIMIT);
    asker_release(&a);
    close_stage();
}

static uint64_t cut_at;

static void answer_cut(struct visit *v, struct slice request) {
    uint64_t from = asked_from(request);
    if (from)
        visit_say(
            v,
            "HTTP/1.1 206 Partial Content\r\nContent-Length: %llu\r\nContent-Range: bytes %llu-1999999/2000000\r\n\r\n",
            2000000ull - from, (unsigned long long)from);
    else
        visit_say(v, "HTTP/1.1 200 OK\r\nETag: \"c\"\r\nContent-Length: 2000000\r\n\r\n");
    visit_pattern(v, from, cut_at - from);
    visit_close(v);
}

TEST(a_download_that_is_cut_again_and_again_comes_right_in_the_end) {
    if (!open_stage(answer_cut)) return;
    char validator[120] = "";
    uint64_t have = 0;
    unsigned tries = 0;
    for (bool done = false; !done && tries < 50; tries++) {
        cut_at = have + 700001 < 2000000 ? have + 700001 : 2000000;
        struct asker a = to_file("/f", have, validator);
        CHECK(asker_start(&a));
        until(&a.over);
        done = a.done == 1;
        if (done) CHECK(a.r.resumed && a.r.size == 2000000 && sum_is_right(a.r.sum, 2000000));
        if (!done) CHECK(strstr(a.r.err.text, "in the middle of its answer"));
        if (a.validator[0]) snprintf(validator, sizeof validator, "%s", a.validator);
        asker_release(&a);
        settle();
        CHECK(does("disk.space", VAL_MAP_OF({"root", val_of_str("ro")}))); /* the hand has taken note */
        uint64_t now = size_of("down.part");
        CHECK(done || (now != UINT64_MAX && now >= have));
        have = now;
    }
    CHECK(tries >= 3 && file_is_pattern("down", 2000000));
    close_stage();
}

TEST(a_stopped_download_leaves_its_part_wherever_it_is_stopped) {
    if (!open_stage(answer_file)) return;
    unsigned freed = 0;
    for (unsigned n = 0; n < 25; n++) {
        struct asker *a = calloc(1, sizeof *a);
        *a = to_file("/f", 0, "");
        CHECK(asker_start(a));
        for (unsigned i = 0; i < n; i++) loop_turn(loop, 1);
        asker_release(a);
        memset(a, 0xee, sizeof *a);
        free(a);
        settle();
    }
    for (int event = REQUEST_HEAD; event <= REQUEST_DONE; event += 2) {
        struct asker *a = calloc(1, sizeof *a);
        *a = to_file("/f", 0, "");
        a->stop_at = event;
        a->heap = true;
        a->freed = &freed;
        unsigned before = freed;
        CHECK(asker_start(a));
        for (unsigned i = 0; i < 20000 && freed == before; i++) loop_turn(loop, 5);
        CHECK_INT(freed, before + 1);
        settle();
    }
    CHECK(file_is_pattern("down", SIZE));
    close_stage();
}

TEST(a_disk_that_fails_or_goes_is_told) {
    if (!open_stage(answer_file)) return;
    struct asker a = to_file("/f", 0, "");
    a.r.file.root = "ro";
    CHECK(!asker_ask(&a) && a.r.err.code == ERR_AUTHORIZATION && strstr(a.r.err.text, "writing the file"));
    asker_release(&a);
    a = to_file("/f", 0, "");
    a.r.file.path = LIT("../x");
    CHECK(!asker_ask(&a) && a.r.err.code == ERR_INVALID);
    asker_release(&a);
    a = to_file("/f", 0, "");
    CHECK(asker_start(&a));
    port_stop(&port);
    stage_files--; /* its descriptor */
    until(&a.over);
    CHECK(a.failed == 1);
    asker_release(&a);
    close_stage();
}

/* --- files as bodies --- */

static void answer_count(struct visit *v, struct slice request) {
    const uint8_t *at = memmem(request.ptr, request.len, "\r\n\r\n", 4);
    size_t head = (size_t)(at - request.ptr) + 4;
    if (has(slice_head(request, head), "/away") && v->asks < 2) {
        visit_say(v, "HTTP/1.1 307 Temporary Redirect\r\nLocation: /to\r\nContent-Length: 0\r\n\r\n");
        return;
    }
    char text[60];
    int n = snprintf(text, sizeof text, "%zu %d", request.len - head, is_pattern(slice_skip(request, head), 0));
    visit_say(v, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", n, text);
}

TEST(a_file_is_sent_with_its_length_also_twice) {
    if (!open_stage(answer_count)) return;
    put_pattern("up", 0, 1500000);
    put_pattern("none", 0, 0);
    CHECK(mkdirat(data_dir, "folder", 0700) == 0);
    static const struct {
        const char *path, *file, *want;
    } rows[] = {{"/", "up", "1500000 1"},
                {"/away", "up", "1500000 1"},
                {"/", "none", "0 1"},
                {"/", "missing", NULL},
                {"/", "folder", NULL}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct asker a = asker_of(url_of("http://box.test:%u%s", host_port(&host), rows[i].path));
        a.r.method = LIT("PUT");
        a.r.body_file = (struct source_file){&port, "data", slice_str(rows[i].file)};
        bool good = asker_ask(&a);
        if (CHECK(good == (rows[i].want != NULL)) && good)
            CHECK_TEXT(buf_slice(&a.got), slice_str(rows[i].want));
        else if (!good)
            tap_note("%s", a.r.err.text);
        asker_release(&a);
    }
    close_stage();
}

static void heard_not(struct visit *v) {
    if (v->got.len) stream_pause(&v->s);
}

TEST(a_file_that_changes_while_it_is_sent_is_not_sent_as_another) {
    if (!begin()) return;
    stage_begin(false);
    host_open(&host, heard_not, false);
    put_pattern("up", 0, 40u << 20);
    struct asker a = asker_of(url_of("http://box.test:%u/", host_port(&host)));
    a.r.method = LIT("PUT");
    a.r.body_file = (struct source_file){&port, "data", LIT("up")};
    CHECK(asker_start(&a));
    for (unsigned i = 0; i < 1000 && !host.last; i++) loop_turn(loop, 5); /* it was asked how long it is */
    settle();
    CHECK(!a.over);
    CHECK(truncate(url_of("%s/data/up", top), 10) == 0);
    if (host.last) stream_resume(&host.last->s), host.heard = heard_not;
    for (unsigned i = 0; i < 2000 && !a.over; i++) {
        if (host.last) stream_resume(&host.last->s);
        loop_turn(loop, 5);
    }
    CHECK(a.failed == 1 && strstr(a.r.err.text, "reading the file to be sent"));
    asker_release(&a);
    settle();
    if (host.last) stream_abort(&host.last->s);
    host_close(&host);
    stage_end();
    end();
}

/* --- much --- */

static uint64_t much;

static void answer_much(struct visit *v, struct slice request) {
    (void)request;
    visit_say(v, "HTTP/1.1 200 OK\r\nContent-Length: %llu\r\n\r\n", (unsigned long long)much);
    visit_pattern(v, 0, much);
}

static long rss_kib(pid_t pid) {
    char path[40], line[200];
    long kib = -1;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmRSS: %ld", &kib) == 1) break;
    if (f) fclose(f);
    return kib;
}

TEST(a_long_download_needs_no_more_memory_than_a_short_one) {
    if (!open_stage(answer_much)) return;
    long base = 0, most = 0;
    uint64_t live = 0, live_most = 0;
    for (int way = 0; way < 2; way++) { /* the first one to warm up */
        much = way ? 64u << 20 : 2u << 20;
        struct asker a = to_file("/f", 0, "");
        CHECK(asker_start(&a));
        base = rss_kib(getpid());
        live = mem_stats().live_bytes;
        for (unsigned i = 0; !a.over && i < 2000000; i++) {
            loop_turn(loop, 1000);
            if (!way || i % 64) continue;
            long now = rss_kib(getpid());
            if (now > most) most = now;
            if (mem_stats().live_bytes > live_most) live_most = mem_stats().live_bytes;
        }
        CHECK(a.done == 1 && a.r.size == much && sum_is_right(a.r.sum, much) && size_of("down") == much);
        asker_release(&a);
    }
    tap_note("64 MiB: grew by %ld KiB, of blocks by %lld KiB", most - base, (long long)(live_most - live) / 1024);
    CHECK(live_most - live < 2u << 20); /* both ends of it */
    if (!SANITIZED) CHECK(base > 0 && most - base < 4096);
    close_stage();
}

TEST(many_downloads_at_once_come_right) {
    if (!open_stage(answer_file)) return;
    enum { N = 64 };
    struct asker *all = calloc(N, sizeof *all);
    char names[N][16];
    unsigned right = 0;
    for (unsigned i = 0; i < N; i++) {
        snprintf(names[i], sizeof names[i], "down%u", i);
        all[i] = to_file("/f", 0, "");
        all[i].r.file.path = slice_str(names[i]);
        CHECK(asker_start(&all[i]));
    }
    for (unsigned i = 0; i < N; i++) {
        until(&all[i].over);
        right += all[i].done == 1 && sum_is_right(all[i].r.sum, SIZE);
        asker_release(&all[i]);
    }
    CHECK_INT(right, N);
    free(all);
    close_stage();
}

static bool up_and_down(void *arg) {
    (void)arg;
    struct asker a = to_file("/f", 0, "");
    a.got.max = 0;
    a.r.method = LIT("PUT");
    a.r.body_file = (struct source_file){&port, "data", LIT("up")};
    bool good = asker_start(&a);
    if (good) until_late(&a.over);
    good = good && a.done == 1;
    asker_release(&a);
    out_forget(out);
    settle();
    return good;
}

TEST(any_allocation_may_fail) {
    if (!open_stage(answer_text)) return;
    answers.text = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
    buf_init(&answers.log, 0);
    put_pattern("up", 0, 1000);
    up_and_down(NULL);
    log_use(say_nothing, NULL);
    faults_sweep(up_and_down, NULL, "a file up and a file down");
    log_use(NULL, NULL);
    close_stage();
}

TAP_MAIN(T(an_answer_becomes_a_file_with_its_sum), T(a_part_is_gone_on_with_when_it_is_still_the_same),
         T(answers_to_ranges_that_were_not_asked_lead_to_the_whole), T(a_date_may_be_the_validator_where_it_is_strong),
         T(only_a_file_becomes_a_file), T(a_quota_is_met_before_or_while_it_comes),
         T(a_download_that_is_cut_again_and_again_comes_right_in_the_end),
         T(a_stopped_download_leaves_its_part_wherever_it_is_stopped), T(a_disk_that_fails_or_goes_is_told),
         T(a_file_is_sent_with_its_length_also_twice), T(a_file_that_changes_while_it_is_sent_is_not_sent_as_another),
         T(a_long_download_needs_no_more_memory_than_a_short_one), T(many_downloads_at_once_come_right),
         T(any_allocation_may_fail))
