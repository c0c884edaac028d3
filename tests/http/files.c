/* files.c - a folder served and files taken in, with a real disk hand in a child: conditions, ranges, forms, changes, faults. */
#include "http/files.h"

#include "http/upload.h"
#include "warden/disk_box.h"
#define STAGE_HAS_LOOP
#include "base/hex.h"
#include "http/stage.h"

#include <bearssl.h>
#include <sys/time.h>

static struct http_files *files;
static struct http_upload upload = {.root = "data", .prefix = sizeof "/up/" - 1, .quota = 3000000};
static struct http_route routes[3];

static void serve_file(const char *name, struct slice content) {
    CHECK(file_replace(ro_dir, name, content, 0644, &err));
}

static void begin_with(const char *fault) {
    log_use(say_nothing, NULL);
    if (!folders_begin() || !hand_begin(fault)) return;
    files = http_files_new(loop, &port, "ro", &err);
    upload.loop = loop;
    upload.disk = &port;
    const unsigned some = HTTP_METHOD(HTTP1_METHOD_PUT) | HTTP_METHOD(HTTP1_METHOD_PATCH);
    const unsigned rest = HTTP_METHOD(HTTP1_METHOD_HEAD) | HTTP_METHOD(HTTP1_METHOD_DELETE);
    routes[0] = (struct http_route){"/up/", true, some, UINT64_MAX, &http_upload_handler, &upload};
    routes[1] = (struct http_route){"/up/", true, rest, 0, &http_upload_handler, &upload};
    routes[2] = (struct http_route){"/", true, HTTP_READING, 0, &http_files_handler, files};
    stage_begin(http_limits, routes, 3);
}

static int finish_hand(void) {
    http_server_abort(server);
    loop_turn(loop, 0);
    http_files_free(files);
    stage_end();
    int code = hand_end();
    folders_end();
    return code;
}
static void finish(void) {
    CHECK_INT(finish_hand(), 0);
}

/* An answer, taken apart. */
struct got {
    unsigned status;
    bool whole;
    struct buf raw, body;
    char fields[4096];
};
static void got_release(struct got *g) {
    buf_release(&g->raw);
    buf_release(&g->body);
}
static const char *field_of(const struct got *g, const char *name, char *out, size_t len) {
    char start[64];
    snprintf(start, sizeof start, "\n%s: ", name);
    const char *at = strcasestr(g->fields, start);
    if (!at) return NULL;
    at += strlen(start);
    snprintf(out, len, "%.*s", (int)strcspn(at, "\r\n"), at);
    return out;
}

static bool parse(struct got *g, bool head, bool over) {
    struct http_field fields[64];
    struct http1 h;
    const struct http1_limits l = {8192, 65536, 8192, 256, 8192, 0};
    http1_init(&h, HTTP1_CLIENT, &l, fields, 64);
    if (head) http1_ask(&h, HTTP1_METHOD_HEAD);
    struct slice in = buf_slice(&g->raw);
    size_t used = 0;
    buf_reset(&g->body);
    for (;;) {
        struct http1_event ev = {0};
        struct err e = ERR_INIT;
        struct fed f = http1_feed(&h, slice_skip(in, used), &ev, &e);
        used += f.used;
        if (f.step == STEP_MORE && over) f = http1_eof(&h, &ev, &e);
        if (f.step != STEP_EVENT) break;
        if (ev.kind == HTTP1_EVENT_HEAD) {
            g->status = ev.head->status;
            snprintf(g->fields, sizeof g->fields, "%.*s", (int)used, (const char *)in.ptr);
        }
        if (ev.kind == HTTP1_EVENT_BODY) buf_add(&g->body, ev.data);
        if (ev.kind == HTTP1_EVENT_END) g->whole = true;
        if (g->whole) break;
    }
    http1_release(&h);
    return g->whole;
}

/* Until the answer is whole, the server closes, or three seconds have passed. */
static struct got hear_answer(int fd, bool head) {
    struct got g = {0};
    buf_init(&g.raw, 1u << 28);
    buf_init(&g.body, 1u << 28);
    bool over = false;
    for (int i = 0; i < 3000 && !over; i++) {
        loop_turn(loop, 1);
        uint8_t *at = buf_room(&g.raw, 1u << 17);
        ssize_t n = recv(fd, at, 1u << 17, 0);
        over = n == 0 || (n < 0 && errno != EAGAIN);
        if (n > 0) buf_wrote(&g.raw, (size_t)n);
        if ((n > 0 || over) && parse(&g, head, over)) break;
    }
    return g;
}
static struct got fetch(const char *request) {
    int fd = dial();
    say(fd, slice_str(request));
    struct got g = hear_answer(fd, !strncmp(request, "HEAD", 4));
    close(fd);
    turns(3);
    return g;
}
static struct got get_with(const char *path, const char *more) {
    char text[2048];
    snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n", path, more);
    return fetch(text);
}
static unsigned status_with(const char *path, const char *more) {
    struct got g = get_with(path, more);
    unsigned s = g.whole ? g.status : 0;
    got_release(&g);
    return s;
}

static void fill_bytes(uint8_t *to, size_t n) {
    for (size_t i = 0; i < n; i++) to[i] = (uint8_t)(i * 2654435761u >> 11);
}

TEST(conditions_are_judged_in_the_order_of_the_rfc) {
    begin_with(NULL);
    serve_file("f.txt", LIT("content"));
    struct timespec at[2] = {{1000000000, 0}, {1000000000, 0}}; /* Sun, 09 Sep 2001 01:46:40 GMT */
    CHECK(utimensat(ro_dir, "f.txt", at, 0) == 0);
    struct got g = get_with("/f.txt", "");
    char tag[80], date[80];
    CHECK(g.whole && g.status == 200 && field_of(&g, "ETag", tag, sizeof tag) &&
          field_of(&g, "Last-Modified", date, sizeof date));
    CHECK_TEXT(slice_str(date), LIT("Sun, 09 Sep 2001 01:46:40 GMT"));
    CHECK_TEXT(buf_slice(&g.body), LIT("content"));
    got_release(&g);
    static const struct {
        const char *fields; /* %s: the tag */
        unsigned status;
    } cases[] = {
        {"If-None-Match: %s\r\n", 304},
        {"If-None-Match: \"other\", W/%s\r\n", 304},
        {"If-None-Match: \"other\"\r\n", 200},
        {"If-None-Match: *\r\n", 304},
        {"If-Match: %s\r\n", 200},
        {"If-Match: W/%s\r\n", 412},
        {"If-Match: *\r\n", 200},
        {"If-Match: \"other\"\r\nIf-None-Match: %s\r\n", 412},
        {"If-Modified-Since: Sun, 09 Sep 2001 01:46:40 GMT\r\n", 304},
        {"If-Modified-Since: Sun, 09 Sep 2001 01:46:39 GMT\r\n", 200},
        {"If-Modified-Since: yesterday\r\n", 200},
        {"If-None-Match: \"other\"\r\nIf-Modified-Since: Sun, 09 Sep 2001 01:46:40 GMT\r\n", 200}, /* the tag decides */
        {"If-Unmodified-Since: Sun, 09 Sep 2001 01:46:40 GMT\r\n", 200},
        {"If-Unmodified-Since: Sun, 09 Sep 2001 01:46:39 GMT\r\n", 412},
        {"Range: bytes=0-1\r\nIf-Range: %s\r\n", 206},
        {"Range: bytes=0-1\r\nIf-Range: W/%s\r\n", 200},
        {"Range: bytes=0-1\r\nIf-Range: Sun, 09 Sep 2001 01:46:40 GMT\r\n", 206},
        {"Range: bytes=0-1\r\nIf-Range: Sun, 09 Sep 2001 01:46:39 GMT\r\n", 200},
        {"Range: bytes=0-1\r\nIf-None-Match: %s\r\n", 304},
        {"Range: bytes=7-\r\n", 416},
        {"Range: bytes=-0\r\n", 416},
        {"Range: bytes=6-100\r\n", 206},
        {"Range: lines=1-2\r\n", 200},
        {"Range: bytes=2-1\r\n", 200},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char more[400];
        snprintf(more, sizeof more, cases[i].fields, tag);
        if (!CHECK_INT(status_with("/f.txt", more), cases[i].status)) tap_note("%s", more);
    }
    g = get_with("/f.txt", "Range: bytes=0-0,-1\r\n");
    CHECK_INT(g.status, 206);
    CHECK(contains(&g.body, LIT("Content-Range: bytes 0-0/7\r\n\r\nc\r\n--")) &&
          contains(&g.body, LIT("Content-Range: bytes 6-6/7\r\n\r\nt\r\n--")));
    got_release(&g);
    g = fetch("HEAD /f.txt HTTP/1.1\r\nHost: a\r\nRange: bytes=1-3\r\n\r\n");
    CHECK(g.whole && g.status == 200 && strstr(g.fields, "Content-Length: 7\r\n")); /* Range is GET's (RFC 9110 14.2) */
    got_release(&g);
    finish();
}

TEST(names_that_must_not_be_served_are_not) {
    static const struct {
        const char *path;
        unsigned status;
    } cases[] = {
        {"/none", 404},     {"/.hidden", 404},      {"/sub/.hidden", 404}, {"/.well-known/x", 200}, {"/link", 404},
        {"/linked/x", 404}, {"/sub", 308},          {"/sub/", 404},        {"/sub/x", 200},         {"/sub//x", 200},
        {"/sub/./x", 200},  {"/sub/../sub/x", 200}, {"/../x", 400},        {"/%2e%2e/x", 400},      {"/sub%2fx", 400},
        {"/x%00", 400},     {"/x%5cy", 400},        {"/x/", 404},          {"/sub/x/y", 404},       {"/fifo", 404},
    };
    begin_with(NULL);
    CHECK(mkdirat(ro_dir, "sub", 0755) == 0 && mkdirat(ro_dir, ".well-known", 0755) == 0);
    serve_file("x", LIT("x"));
    serve_file(".hidden", LIT("x"));
    serve_file("sub/x", LIT("x"));
    serve_file("sub/.hidden", LIT("x"));
    serve_file(".well-known/x", LIT("x"));
    CHECK(symlinkat("x", ro_dir, "link") == 0 && symlinkat("sub", ro_dir, "linked") == 0 &&
          mkfifoat(ro_dir, "fifo", 0644) == 0);
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (!CHECK_INT(status_with(cases[i].path, ""), cases[i].status)) tap_note("%s", cases[i].path);
    struct got g = get_with("/sub", "");
    CHECK(strstr(g.fields, "Location: /sub/\r\n") != NULL);
    got_release(&g);
    finish();
}

TEST(a_page_that_makes_its_own_paths_answers_where_there_is_nothing) {
    static const struct {
        const char *path;
        const char *body; /* NULL: 404 */
    } cases[] = {
        {"/login", "page"},      {"/login", "page"},    {"/services/a/logs", "page"}, {"/sub/", "page"},
        {"/sub.d/none", "page"}, {"/file", "the file"}, {"/none.js", NULL},           {"/sub/none.css", NULL},
        {"/.hidden", NULL},      {"/", "page"},
    };
    begin_with(NULL);
    http_files_one_page(files);
    CHECK_INT(status_with("/login", ""), 404); /* not even the page is there */
    CHECK_INT(status_with("/", ""), 404);
    CHECK(mkdirat(ro_dir, "sub", 0755) == 0);
    serve_file("index.html", LIT("page"));
    serve_file("file", LIT("the file"));
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct got g = get_with(cases[i].path, "");
        bool good =
            cases[i].body ? g.status == 200 && slice_eq(buf_slice(&g.body), slice_str(cases[i].body)) : g.status == 404;
        if (!CHECK(good)) tap_note("%s", cases[i].path);
        got_release(&g);
    }
    struct got g = get_with("/login", "");
    char tag[64];
    CHECK(strstr(g.fields, "text/html") && field_of(&g, "etag", tag, sizeof tag));
    char match[128];
    snprintf(match, sizeof match, "If-None-Match: %s\r\n", tag);
    CHECK_INT(status_with("/other", match), 304);
    got_release(&g);
    finish();
}

TEST(compressed_forms_go_to_who_accepts_them_unless_they_are_older) {
    begin_with(NULL);
    char text[4000];
    memset(text, 'a', sizeof text);
    serve_file("s.css", slice_of(text, sizeof text));
    serve_file("s.css.gz", LIT("gzip form"));
    serve_file("s.css.br", LIT("brotli form"));
    struct got g = get_with("/s.css", "Accept-Encoding: gzip, br\r\n");
    CHECK_TEXT(buf_slice(&g.body), LIT("brotli form"));
    CHECK(strstr(g.fields, "Content-Encoding: br\r\n") && strstr(g.fields, "Vary: Accept-Encoding\r\n") &&
          strstr(g.fields, "text/css"));
    got_release(&g);
    g = get_with("/s.css", "Accept-Encoding: gzip;q=0.5, br;q=0\r\n");
    CHECK_TEXT(buf_slice(&g.body), LIT("gzip form"));
    got_release(&g);
    g = get_with("/s.css", "Accept-Encoding: identity\r\n");
    CHECK_INT(g.body.len, sizeof text);
    CHECK(strstr(g.fields, "Vary: Accept-Encoding\r\n") && !strstr(g.fields, "Content-Encoding"));
    got_release(&g);
    g = get_with("/s.css", "Accept-Encoding: gzip\r\nRange: bytes=0-3\r\n"); /* ranges are of the file itself */
    CHECK_TEXT(buf_slice(&g.body), LIT("aaaa"));
    got_release(&g);
    struct timespec old[2] = {{1000, 0}, {1000, 0}};
    CHECK(utimensat(ro_dir, "s.css.br", old, 0) == 0);
    g = get_with("/s.css", "Accept-Encoding: br, gzip\r\n");
    CHECK_TEXT(buf_slice(&g.body), LIT("gzip form"));
    got_release(&g);
    finish();
}

TEST(what_is_served_is_what_is_on_the_disk_though_it_comes_from_memory) {
    begin_with(NULL);
    char text[32];
    for (int i = 0; i < 50; i++) {
        int n = snprintf(text, sizeof text, "version %d", i);
        if (i % 2)
            serve_file("f.txt", slice_of(text, (size_t)n)); /* another file in its place */
        else {
            int fd = openat(ro_dir, "f.txt", O_CREAT | O_WRONLY | O_TRUNC, 0644);
            CHECK(write(fd, text, (size_t)n) == n);
            close(fd);
        }
        struct got g = get_with("/f.txt", "");
        if (!CHECK_TEXT(buf_slice(&g.body), slice_of(text, (size_t)n))) i = 50;
        got_release(&g);
        CHECK_INT(status_with("/f.txt", ""), 200);
    }
    struct http_files_counts c = http_files_counts(files);
    CHECK(c.hits >= 50 && c.loads >= 50); /* each version was read once and then came from memory */
    CHECK(file_remove(ro_dir, "f.txt", &err));
    CHECK_INT(status_with("/f.txt", ""), 404);
    finish();
}

TEST(a_folder_above_that_changes_is_noticed) {
    begin_with(NULL);
    CHECK(mkdirat(ro_dir, "a", 0755) == 0 && mkdirat(ro_dir, "a/b", 0755) == 0 && mkdirat(ro_dir, "c", 0755) == 0 &&
          mkdirat(ro_dir, "c/b", 0755) == 0);
    serve_file("a/b/f.txt", LIT("one"));
    serve_file("c/b/f.txt", LIT("two"));
    for (int round = 0; round < 100; round++) { /* more often than there are watches */
        struct got g = get_with("/a/b/f.txt", "");
        if (!CHECK_TEXT(buf_slice(&g.body), round % 2 ? LIT("two") : LIT("one"))) round = 1000;
        got_release(&g);
        CHECK_INT(status_with("/a/b/f.txt", ""), 200);
        CHECK(renameat(ro_dir, "a", ro_dir, "x") == 0 && renameat(ro_dir, "c", ro_dir, "a") == 0 &&
              renameat(ro_dir, "x", ro_dir, "c") == 0);
    }
    CHECK(http_files_counts(files).hits > 50); /* it still comes from memory in between */
    CHECK_INT(status_with("/a/b/f.txt", ""), 200);
    CHECK(renameat(ro_dir, "a", ro_dir, "y") == 0 && symlinkat("y", ro_dir, "a") == 0);
    CHECK_INT(status_with("/a/b/f.txt", ""), 404); /* a symlink stands there now */
    finish();
}

TEST(a_new_disk_hand_makes_everything_be_looked_at_again) {
    begin_with(NULL);
    serve_file("f.txt", LIT("one"));
    CHECK_INT(status_with("/f.txt", ""), 200);
    kill(hand_pid, SIGKILL);
    for (int i = 0; i < 50 && !hand_gone; i++) loop_turn(loop, 10);
    waitpid(hand_pid, NULL, 0);
    int fd[2];
    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) == 0);
    fflush(stdout);
    hand_pid = fork();
    if (hand_pid == 0) be_the_hand(fd[1], NULL);
    close(fd[1]);
    http_files_restart(files);
    CHECK(port_start(&port, loop, fd[0], &err));
    for (int i = 0; i < 5; i++) {
        char text[20];
        int n = snprintf(text, sizeof text, "version %d", i);
        serve_file("f.txt", slice_of(text, (size_t)n));
        struct got g = get_with("/f.txt", "");
        CHECK_TEXT(buf_slice(&g.body), slice_of(text, (size_t)n));
        got_release(&g);
    }
    finish();
}

TEST(a_big_file_that_cannot_be_had_is_told_before_anything_is_promised) {
    begin_with(NULL);
    uint8_t *big = malloc(2u << 20);
    fill_bytes(big, 2u << 20);
    serve_file("big", slice_of(big, 2u << 20));
    CHECK_INT(status_with("/big", "Range: bytes=0-1\r\n"), 206);
    /* It is another file at the moment it is opened: the right one is sent all the same. */
    for (int i = 0; i < 10; i++) {
        int fd = dial();
        say(fd, LIT("GET /big HTTP/1.1\r\nHost: a\r\n\r\n"));
        big[0] = (uint8_t)i;
        serve_file("big", slice_of(big, (2u << 20) - (size_t)i));
        struct got g = hear_answer(fd, false);
        CHECK(g.whole && (g.status == 200 || g.status == 503));
        got_release(&g);
        close(fd);
        turns(3);
    }
    free(big);
    finish();
}

TEST(memory_for_files_has_its_bound) {
    begin_with(NULL);
    static uint8_t big[LIMIT_HTTP_CACHED_FILE];
    char name[32], path[32];
    fill_bytes(big, sizeof big);
    for (int i = 0; i < 12; i++) {
        snprintf(name, sizeof name, "m%d", i);
        snprintf(path, sizeof path, "/m%d", i);
        serve_file(name, slice_of(big, sizeof big));
        struct got g = get_with(path, "");
        CHECK(g.whole && slice_eq(buf_slice(&g.body), slice_of(big, sizeof big)));
        got_release(&g);
        CHECK(http_files_counts(files).bytes <= LIMIT_HTTP_CACHE);
    }
    CHECK(http_files_counts(files).files < 12);
    for (int i = 0; i < 3000; i++) { /* names that are not there leave nothing */
        snprintf(path, sizeof path, "/no%d/x", i);
        if (i < 40 || i % 500 == 0) CHECK_INT(status_with(path, ""), 404);
    }
    CHECK(http_files_counts(files).files < 12);
    http_files_forget(files);
    CHECK_INT(http_files_counts(files).bytes, 0);
    finish();
}

TEST(big_files_come_through_the_pump_whole_and_in_ranges_with_little_memory) {
    begin_with(NULL);
    size_t size = 24u << 20;
    uint8_t *big = malloc(size);
    fill_bytes(big, size);
    serve_file("big", slice_of(big, size));
    uint64_t before = mem_stats().live_bytes;
    int fd = dial();
    say(fd, LIT("GET /big HTTP/1.1\r\nHost: a\r\n\r\n"));
    for (int i = 0; i < 200; i++) loop_turn(loop, 1);
    CHECK(mem_stats().live_bytes - before < 1u << 20); /* nobody reads: what waits is bounded */
    struct got g = hear_answer(fd, false);
    CHECK(g.whole && slice_eq(buf_slice(&g.body), slice_of(big, size)));
    got_release(&g);
    say(fd, LIT("GET /big HTTP/1.1\r\nHost: a\r\nRange: bytes=5000000-5999999\r\n\r\n"));
    g = hear_answer(fd, false);
    CHECK(g.whole && g.status == 206 && slice_eq(buf_slice(&g.body), slice_of(big + 5000000, 1000000)));
    got_release(&g);
    close(fd);
    g = fetch("HEAD /big HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(g.whole && g.status == 200 && strstr(g.fields, "Content-Length: 25165824\r\n"));
    got_release(&g);
    CHECK_INT(status_with("/big", "Range: bytes=0-1,5-6\r\n"), 200); /* parts of a pumped file: the whole instead */
    fd = dial();                                                     /* and one that leaves in the middle */
    say(fd, LIT("GET /big HTTP/1.1\r\nHost: a\r\n\r\n"));
    for (int i = 0; i < 50; i++) loop_turn(loop, 1);
    close(fd);
    for (int i = 0; i < 50; i++) loop_turn(loop, 1);
    free(big);
    finish();
}

/* --- uploads --- */

static struct got send_file(const char *method, const char *name, const char *more, struct slice body) {
    char head[400];
    snprintf(head, sizeof head, "%s /up/%s HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n%s\r\n", method, name,
             body.len, more);
    int fd = dial();
    say(fd, slice_str(head));
    while (body.len) {
        ssize_t n = send(fd, body.ptr, body.len < 60000 ? body.len : 60000, MSG_NOSIGNAL);
        if (n > 0)
            body = slice_skip(body, (size_t)n);
        else if (errno != EAGAIN)
            break;
        loop_turn(loop, 1);
    }
    struct got g = hear_answer(fd, false);
    close(fd);
    turns(3);
    return g;
}

static bool digest_is(const struct got *g, struct slice content) {
    uint8_t sum[32];
    char is[100];
    br_sha256_context c;
    br_sha256_init(&c);
    br_sha256_update(&c, content.ptr, content.len);
    br_sha256_out(&c, sum);
    struct buf want;
    buf_init(&want, 100);
    buf_add_str(&want, "sha-256=:");
    base64_add(&want, BASE64_STD, slice_of(sum, 32));
    buf_add_str(&want, ":");
    bool good = field_of(g, "Repr-Digest", is, sizeof is) && CHECK_TEXT(slice_str(is), buf_slice(&want));
    buf_release(&want);
    return good;
}

static bool stored(const char *name, struct slice want) {
    struct buf got;
    buf_init(&got, 1u << 26);
    bool good = file_read_all(data_dir, name, 1u << 26, &got, &err) && slice_eq(buf_slice(&got), want);
    buf_release(&got);
    return good;
}

TEST(an_upload_is_stored_and_resumed_with_the_right_hash) {
    begin_with(NULL);
    static uint8_t bytes[2000000];
    fill_bytes(bytes, sizeof bytes);
    struct slice all = slice_of(bytes, sizeof bytes);
    struct got g = send_file("PUT", "whole", "", all);
    CHECK(g.status == 201 && digest_is(&g, all) && stored("whole", all));
    got_release(&g);
    int fd = dial(); /* half of it, and the connection breaks */
    say(fd, LIT("PUT /up/half HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n"));
    for (int i = 0; i < 30; i++) loop_turn(loop, 1);
    for (size_t at = 0; at < 1000000; at += 50000) say(fd, slice_of(bytes + at, 50000));
    for (int i = 0; i < 100; i++) loop_turn(loop, 1);
    close(fd);
    for (int i = 0; i < 100; i++) loop_turn(loop, 1);
    g = fetch("HEAD /up/half HTTP/1.1\r\nHost: a\r\n\r\n");
    char text[40] = "";
    CHECK(g.status == 204 && field_of(&g, "Upload-Offset", text, sizeof text));
    CHECK(strstr(g.fields, "Upload-Complete: ?0\r\n") != NULL);
    size_t at = strtoul(text, NULL, 10);
    CHECK(at > 0 && at <= 1000000);
    got_release(&g);
    g = send_file("PATCH", "half", "Upload-Offset: 17\r\n", slice_skip(all, 17));
    CHECK(g.status == 409 && field_of(&g, "Upload-Offset", text, sizeof text) && strtoul(text, NULL, 10) == at);
    got_release(&g);
    char more[60];
    snprintf(more, sizeof more, "Upload-Offset: %zu\r\n", at);
    g = send_file("PATCH", "half", more, slice_skip(all, at));
    CHECK(g.status == 201 && digest_is(&g, all) && stored("half", all));
    got_release(&g);
    g = send_file("PUT", "empty", "", LIT(""));
    CHECK(g.status == 201 && stored("empty", LIT("")));
    got_release(&g);
    finish();
}

TEST(uploads_that_must_not_be_are_refused_with_the_reason) {
    begin_with(NULL);
    static uint8_t big[3000001];
    static const struct {
        const char *method, *name, *more;
        size_t size;
        unsigned status;
    } cases[] = {
        {"PUT", "big", "", 3000001, 413},
        {"PUT", ".hidden", "", 1, 400},
        {"PUT", "a/b", "", 1, 400},
        {"PUT", "x.part", "", 1, 400},
        {"PUT", "", "", 1, 400},
        {"PUT", "x", "Upload-Complete: ?0\r\n", 1, 501},
        {"PUT", "x", "Content-Range: bytes 0-0/1\r\n", 1, 400},
        {"PUT", "x", "Content-Encoding: gzip\r\n", 1, 415},
        {"PATCH", "x", "", 1, 400},
        {"PATCH", "x", "Upload-Offset: -1\r\n", 1, 400},
        {"PATCH", "x", "Upload-Offset: 2999999\r\n", 2, 413},
        {"PATCH", "x", "Upload-Offset: 5\r\n", 1, 404},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct got g = send_file(cases[i].method, cases[i].name, cases[i].more, slice_of(big, cases[i].size));
        if (!CHECK_INT(g.status, cases[i].status))
            tap_note("case %u: %.*s", i, (int)g.raw.len, (const char *)g.raw.ptr);
        got_release(&g);
    }
    /* Without a length the quota is met on the way. */
    int fd = dial();
    say(fd, LIT("PUT /up/chunked HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2dc6c1\r\n"));
    for (size_t at = 0; at < sizeof big; at += 50000) {
        say(fd, slice_of(big + at, sizeof big - at < 50000 ? sizeof big - at : 50000));
        loop_turn(loop, 1);
    }
    say(fd, LIT("\r\n0\r\n\r\n"));
    struct got g = hear_answer(fd, false);
    CHECK_INT(g.status, 413);
    CHECK(contains(&g.raw, LIT("limit quota")));
    got_release(&g);
    close(fd);
    int first = dial(); /* two writers of one file */
    say(first, LIT("PUT /up/two HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf"));
    for (int i = 0; i < 20; i++) loop_turn(loop, 1);
    g = send_file("PUT", "two", "", LIT("other"));
    CHECK_INT(g.status, 409);
    got_release(&g);
    say(first, LIT(" whole"));
    g = hear_answer(first, false);
    CHECK_INT(g.status, 201);
    CHECK(stored("two", LIT("half whole")));
    got_release(&g);
    close(first);
    g = fetch("DELETE /up/none HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK_INT(g.status, 404);
    got_release(&g);
    CHECK_INT(status_with("/none-such", ""), 404);
    finish();
}

/* --- faults --- */

TEST(every_allocation_may_fail_while_files_are_served_and_taken) {
    begin_with(NULL);
    serve_file("f.css", LIT("body { color: teal }"));
    serve_file("f.css.gz", LIT("gz"));
    unsigned swept = 0;
    bool over = false;
    for (uint64_t n = 1; n < 600 && !over; n++, swept++) {
        http_files_forget(files);
        mem_fault(n, 0);
        struct got g = get_with("/f.css", "Accept-Encoding: gzip\r\n");
        struct got u = send_file("PUT", "up", "", LIT("uploaded"));
        over = !mem_fault_hit();
        mem_fault(0, 0);
        CHECK(g.status == 200 || g.status == 503 || g.status == 500 || !g.whole);
        if (over) CHECK(g.status == 200 && u.status / 100 == 2 && slice_eq(buf_slice(&g.body), LIT("gz")));
        if (u.status / 100 == 2) CHECK(stored("up", LIT("uploaded")));
        got_release(&g);
        got_release(&u);
    }
    CHECK(over);
    tap_note("%u allocations failed in turn", swept);
    CHECK_INT(status_with("/f.css", ""), 200);
    finish();
}

TEST(a_disk_that_fails_is_told_and_nothing_half_is_called_whole) {
    static const char *const plans[] = {"open:%u:eio",    "read:%u:eio", "write:%u:enospc",
                                        "write:%u:short", "sync:%u:eio", "rename:%u:eio"};
    unsigned told = 0;
    for (unsigned p = 0; p < sizeof plans / sizeof plans[0]; p++) {
        for (unsigned n = 1; n <= 4; n++) {
            char plan[40];
            snprintf(plan, sizeof plan, plans[p], n);
            begin_with(plan);
            serve_file("f.txt", LIT("content"));
            struct got g = get_with("/f.txt", "");
            CHECK((g.status == 200 && slice_eq(buf_slice(&g.body), LIT("content"))) || g.status >= 400 || !g.whole);
            struct got u = send_file("PUT", "up", "", LIT("uploaded"));
            if (u.status == 201)
                CHECK(stored("up", LIT("uploaded")));
            else
                told++;
            CHECK(u.status == 201 || u.status >= 400);
            got_release(&g);
            got_release(&u);
            CHECK_INT(status_with("/f.txt", ""), 200); /* the fault was once */
            finish();
        }
    }
    CHECK(told >= 5);
    tap_note("%u uploads were refused with the reason", told);
}

TEST(a_disk_hand_that_dies_is_an_error_of_the_requests_and_no_more) {
    begin_with(NULL);
    serve_file("f.txt", LIT("content"));
    serve_file("g.txt", LIT("content"));
    CHECK_INT(status_with("/f.txt", ""), 200);
    int fd = dial();
    say(fd, LIT("PUT /up/x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf"));
    for (int i = 0; i < 20; i++) loop_turn(loop, 1);
    kill(hand_pid, SIGKILL);
    struct got g = hear_answer(fd, false);
    CHECK(g.status >= 500);
    got_release(&g);
    close(fd);
    unsigned s = status_with("/g.txt", "");
    CHECK(s >= 500);
    finish_hand();
}

TAP_MAIN(T(conditions_are_judged_in_the_order_of_the_rfc), T(names_that_must_not_be_served_are_not),
         T(a_page_that_makes_its_own_paths_answers_where_there_is_nothing),
         T(compressed_forms_go_to_who_accepts_them_unless_they_are_older),
         T(what_is_served_is_what_is_on_the_disk_though_it_comes_from_memory),
         T(a_folder_above_that_changes_is_noticed), T(a_new_disk_hand_makes_everything_be_looked_at_again),
         T(a_big_file_that_cannot_be_had_is_told_before_anything_is_promised), T(memory_for_files_has_its_bound),
         T(big_files_come_through_the_pump_whole_and_in_ranges_with_little_memory),
         T(an_upload_is_stored_and_resumed_with_the_right_hash),
         T(uploads_that_must_not_be_are_refused_with_the_reason),
         T(every_allocation_may_fail_while_files_are_served_and_taken),
         T(a_disk_that_fails_is_told_and_nothing_half_is_called_whole),
         T(a_disk_hand_that_dies_is_an_error_of_the_requests_and_no_more))
