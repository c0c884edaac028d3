/* scenario.c - plays the scenarios of tests/scenario/http against the real server and the real routes of `startbox serve`, on the
 * twin of the kernel: as written, with reads and writes of one byte, in random cuts, and again and again with the n-th accept, read,
 * write, registration or allocation failing.
 *
 * A scenario is lines: who, what, more.        # begins a comment
 *     c1 dial                                  connects; c1 to c9
 *     c1 send "text\r\n" ...                   a number before a text repeats it
 *     c1 answer 200 "body"                     a whole answer is there: its status and body; without a text any body
 *     c1 hears "bytes"                         exactly these bytes come next
 *     c1 hears-some "bytes"                    among what has come; all of it is then forgotten
 *     c1 quiet | over | open                   nothing came; the server has closed, or not
 *     c1 window N | half-close | close | reset
 *     pass MS                                  the clock moves
 *     stop, stopped                            the server is asked to end; it has ended
 *     counts open=N ...                        open refused evicted timeouts held */
#include "base/limits.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/rng.h"
#include "cli/serve.h"
#include "lib/tap.h"
#include "lib/twin.h"
#include "loop/fault.h"
#include "protocols/http1.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

struct stage {
    struct loop *loop;
    struct port disk;
    struct serve_routes *routes;
    struct http_server *server;
    int listener;
    struct twin_client client[10];
    bool there[10];
    bool stopped, strict, failed;
    const char *file;
    unsigned line;
};

static bool wrong(struct stage *g, const char *what, struct slice more) {
    if (g->strict && !g->failed)
        tap_note("%s:%u: %s %.*s", g->file, g->line, what, (int)(more.len < 600 ? more.len : 600),
                 (const char *)more.ptr);
    g->failed = true;
    return false;
}

/* --- reading the file --- */

static struct slice word(struct slice *rest) {
    while (rest->len && rest->ptr[0] == ' ') *rest = slice_skip(*rest, 1);
    size_t n = 0;
    while (n < rest->len && rest->ptr[n] != ' ') n++;
    struct slice w = slice_head(*rest, n);
    *rest = slice_skip(*rest, n);
    return w;
}

static int hex_digit(uint8_t c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* All texts of the line, each repeated as often as the number before it says. */
static bool texts(struct slice rest, struct buf *out) {
    bool any = false;
    uint64_t times = 1;
    for (;;) {
        while (rest.len && rest.ptr[0] == ' ') rest = slice_skip(rest, 1);
        if (!rest.len) return any;
        if (rest.ptr[0] != '"') {
            if (!num_read_u64(word(&rest), 1, 10000000, &times)) return false;
            continue;
        }
        size_t mark = out->len;
        for (rest = slice_skip(rest, 1); rest.len && rest.ptr[0] != '"'; rest = slice_skip(rest, 1)) {
            uint8_t c = rest.ptr[0];
            if (c == '\\' && rest.len > 1) {
                rest = slice_skip(rest, 1);
                c = rest.ptr[0];
                if (c == 'x' && rest.len > 2) {
                    c = (uint8_t)(hex_digit(rest.ptr[1]) * 16 + hex_digit(rest.ptr[2]));
                    rest = slice_skip(rest, 2);
                } else
                    c = c == 'r' ? '\r' : c == 'n' ? '\n' : c;
            }
            buf_byte(out, c);
        }
        rest = slice_skip(rest, 1);
        size_t len = out->len - mark;
        while (--times) {
            uint8_t *at = buf_room(out, len);
            if (!at) return false; /* the fault that is played hit the player */
            memcpy(at, out->ptr + mark, len);
            buf_wrote(out, len);
        }
        times = 1;
        any = true;
    }
}

/* --- playing --- */

static void note_stopped(void *arg) {
    ((struct stage *)arg)->stopped = true;
}

/* Takes one whole answer off what came. */
static bool take_answer(struct stage *g, struct twin_client *c, struct slice rest) {
    uint64_t status = 0;
    struct slice number = word(&rest);
    num_read_u64(number, 100, 599, &status);
    struct buf want, body;
    buf_init(&want, 1u << 26);
    buf_init(&body, 1u << 26);
    bool has_want = texts(rest, &want), good = false;
    struct http_field fields[64];
    struct http1 h;
    const struct http1_limits l = {8192, 65536, 8192, 256, 8192, 0};
    http1_init(&h, HTTP1_CLIENT, &l, fields, 64);
    struct slice in = buf_slice(&c->got);
    size_t used = 0;
    unsigned found = 0;
    for (;;) {
        struct http1_event ev = {0};
        struct err e = ERR_INIT;
        struct fed f = http1_feed(&h, slice_skip(in, used), &ev, &e);
        used += f.used;
        if (f.step != STEP_EVENT && c->over && f.step == STEP_MORE) f = http1_eof(&h, &ev, &e);
        if (f.step != STEP_EVENT) break;
        if (ev.kind == HTTP1_EVENT_HEAD) found = ev.head->status;
        if (ev.kind == HTTP1_EVENT_BODY) buf_add(&body, ev.data);
        if (ev.kind == HTTP1_EVENT_END) {
            good = true;
            break;
        }
    }
    http1_release(&h);
    if (!good)
        wrong(g, "no whole answer in:", in);
    else if (found != status || (has_want && !slice_eq(buf_slice(&body), buf_slice(&want))))
        good = wrong(g, "another answer:", in);
    buf_drop(&c->got, used);
    buf_release(&want);
    buf_release(&body);
    return good;
}

static bool play_client(struct stage *g, unsigned i, struct slice what, struct slice rest) {
    struct twin_client *c = &g->client[i];
    uint64_t n = 0;
    struct buf text;
    buf_init(&text, 1u << 26);
    if (slice_eq(what, LIT("dial"))) {
        if (g->there[i]) twin_client_release(c);
        g->there[i] = true;
        twin_dial(c, g->listener);
    } else if (!g->there[i])
        wrong(g, "has not dialled", what);
    else if (slice_eq(what, LIT("send"))) {
        if (!texts(rest, &text)) wrong(g, "want a text:", rest);
        twin_send(c, buf_slice(&text));
    } else if (slice_eq(what, LIT("answer")))
        take_answer(g, c, rest);
    else if (slice_eq(what, LIT("hears"))) {
        texts(rest, &text);
        if (slice_starts(buf_slice(&c->got), buf_slice(&text)))
            buf_drop(&c->got, text.len);
        else
            wrong(g, "something else came:", buf_slice(&c->got));
    } else if (slice_eq(what, LIT("hears-some"))) {
        texts(rest, &text);
        if (!c->got.len || !text.len || !memmem(c->got.ptr, c->got.len, text.ptr, text.len))
            wrong(g, "not among:", buf_slice(&c->got));
        buf_reset(&c->got);
    } else if (slice_eq(what, LIT("quiet"))) {
        if (c->got.len) wrong(g, "something came:", buf_slice(&c->got));
    } else if (slice_eq(what, LIT("over"))) {
        if (!c->over) wrong(g, "the server has not closed", LIT(""));
    } else if (slice_eq(what, LIT("open"))) {
        if (c->over) wrong(g, "the server has closed", LIT(""));
    } else if (slice_eq(what, LIT("window")) && num_read_u64(word(&rest), 0, SIZE_MAX / 2, &n))
        twin_window(c, (size_t)n);
    else if (slice_eq(what, LIT("half-close")))
        twin_half_close(c);
    else if (slice_eq(what, LIT("close")))
        twin_close(c);
    else if (slice_eq(what, LIT("reset")))
        twin_reset(c);
    else
        wrong(g, "nobody knows how to", what);
    buf_release(&text);
    return !g->failed;
}

static void check_counts(struct stage *g, struct slice rest) {
    struct http_counts c = http_server_counts(g->server);
    for (struct slice w; (w = word(&rest)).len;) {
        struct slice name = slice_cut(&w, '=');
        uint64_t want = 0, is = slice_eq(name, LIT("open"))       ? c.open
                                : slice_eq(name, LIT("refused"))  ? c.refused
                                : slice_eq(name, LIT("evicted"))  ? c.evicted
                                : slice_eq(name, LIT("timeouts")) ? c.timeouts
                                : slice_eq(name, LIT("held"))     ? c.held
                                                                  : UINT64_MAX;
        num_read_u64(w, 0, UINT64_MAX, &want);
        if (is == want) continue;
        char text[80];
        int n =
            snprintf(text, sizeof text, "%.*s is %llu", (int)name.len, (const char *)name.ptr, (unsigned long long)is);
        wrong(g, "counts:", slice_of(text, (size_t)n));
    }
}

static void play_line(struct stage *g, struct slice line) {
    struct slice rest = line, first = word(&rest);
    uint64_t n = 0;
    if (!first.len || first.ptr[0] == '#') return;
    if (first.len == 2 && first.ptr[0] == 'c')
        play_client(g, first.ptr[1] - '0', word(&rest), rest);
    else if (slice_eq(first, LIT("pass")) && num_read_u64(word(&rest), 0, 1000000000, &n))
        twin_pass(g->loop, (int64_t)n);
    else if (slice_eq(first, LIT("stop")))
        http_server_stop(g->server, 0, note_stopped, g);
    else if (slice_eq(first, LIT("stopped"))) {
        if (!g->stopped) wrong(g, "it has not stopped", LIT(""));
    } else if (slice_eq(first, LIT("counts")))
        check_counts(g, rest);
    else
        wrong(g, "nobody knows", line);
    twin_settle(g->loop);
}

/* After whatever was done to it the server must answer an honest client. */
static bool serves_still(struct stage *g) {
    struct twin_client c;
    twin_dial(&c, g->listener);
    twin_settle(g->loop);
    twin_pass(g->loop, 200); /* a listener that was starved rests for a moment */
    twin_send(&c, LIT("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"));
    twin_settle(g->loop);
    bool good = slice_ends(buf_slice(&c.got), LIT("Hello, world!"));
    twin_client_release(&c);
    twin_settle(g->loop);
    return good;
}

struct how {
    size_t read_cut, write_cut;
    const char *fault; /* NULL: none, and everything must be as the file says */
};

/* True: as the file says, nothing left behind. */
static bool play(struct slice text, const char *file, const struct how *how, bool *hit) {
    struct stage g = {.file = file, .strict = !how->fault};
    struct err e = ERR_INIT;
    uint64_t blocks = mem_stats().live_blocks;
    bool good = true;
    twin_begin();
    twin_cut(how->read_cut, how->write_cut);
    g.loop = loop_new(&e);
    g.routes = serve_routes_new(g.loop, &g.disk, false, false, &e);
    unsigned n;
    const struct http_route *table = serve_routes_table(g.routes, &n);
    g.server = http_server_new(g.loop, table, n, &http_limits, &e);
    serve_routes_server(g.routes, g.server);
    g.listener = twin_listen();
    good = CHECK(http_server_listen(g.server, g.listener, NULL, NULL, &e)) && good;
    if (how->fault) fault_set(how->fault);
    for (struct slice rest = text; rest.len && !(g.failed && g.strict);) {
        g.line++;
        play_line(&g, slice_cut(&rest, '\n'));
    }
    if (how->fault) {
        *hit = fault_hit() || mem_fault_hit();
        fault_set(NULL);
        mem_fault(0, 0);
    }
    twin_cut(0, 0);
    if (!g.stopped) {
        for (unsigned i = 0; i < 10; i++)
            if (g.there[i]) twin_reset(&g.client[i]);
        twin_settle(g.loop);
        if (!serves_still(&g))
            good = wrong(&g, "an honest client is not served behind it", slice_str(how->fault ? how->fault : ""));
        http_server_stop(g.server, 0, note_stopped, &g);
    }
    twin_pass(g.loop, 60000);
    good = CHECK(g.stopped) && good;
    http_server_free(g.server);
    serve_routes_free(g.routes);
    good = CHECK_INT(loop_stats(g.loop).fds, 0) && good;
    good = CHECK_INT(loop_stats(g.loop).timers, 0) && good;
    loop_free(g.loop);
    for (unsigned i = 0; i < 10; i++)
        if (g.there[i]) twin_client_release(&g.client[i]);
    good = CHECK_INT(twin_end(), 0) && good;
    good = CHECK_INT(mem_stats().live_blocks, blocks) && good;
    if (!good) tap_note("in %s, fault %s", file, how->fault ? how->fault : "none");
    return good && !(g.strict && g.failed);
}

/* --- all of them --- */

static unsigned files, played;

static void each_file(void (*one)(struct slice text, const char *name)) {
    static const char folder[] = "tests/scenario/http";
    struct dirent **names;
    int n = scandir(folder, &names, NULL, alphasort);
    files = 0;
    for (int i = 0; i < n; i++) {
        char path[512];
        if (strstr(names[i]->d_name, ".txt")) {
            snprintf(path, sizeof path, "%s/%s", folder, names[i]->d_name);
            struct slice text = tap_file(path);
            one(text, names[i]->d_name);
            tap_free(text);
            files++;
        }
        free(names[i]);
    }
    if (n >= 0) free(names);
    CHECK(files >= 10); /* run from the root of the tree */
}

static void as_written(struct slice text, const char *name) {
    CHECK(play(text, name, &(struct how){0}, NULL));
}
TEST(every_scenario_plays_as_written) {
    each_file(as_written);
}

static bool has_megabytes(struct slice text) {
    return memmem(text.ptr, text.len, "0000 \"", 6) != NULL || memmem(text.ptr, text.len, "524288", 6) != NULL ||
           memmem(text.ptr, text.len, "983040", 6) != NULL;
}

static void in_cuts(struct slice text, const char *name) {
    static const struct how small[] = {{1, 0, NULL}, {0, 1, NULL}, {1, 1, NULL}, {7, 13, NULL}, {100, 1000, NULL}};
    static const struct how large[] = {{5003, 0, NULL}, {0, 5003, NULL}, {7001, 60013, NULL}};
    /* Megabytes byte by byte would take minutes and show nothing more. */
    bool is_large = has_megabytes(text);
    const struct how *hows = is_large ? large : small;
    for (unsigned i = 0; i < (is_large ? 3 : 5); i++)
        if (!CHECK(play(text, name, &hows[i], NULL)))
            tap_note("reads of %zu, writes of %zu", hows[i].read_cut, hows[i].write_cut);
}
TEST(reads_and_writes_of_any_size_change_nothing) {
    each_file(in_cuts);
}

static void with_faults(struct slice text, const char *name) {
    static const char *const plans[] = {"accept:%u:emfile", "recv:%u:eio", "send:%u:eio", "epoll:%u:enospc",
                                        "mem:%u:fail"};
    for (unsigned p = 0; p < sizeof plans / sizeof plans[0]; p++) {
        bool hit = true;
        unsigned most = has_megabytes(text) ? 6 : 3000; /* they are slow, and have the same calls as the others */
        for (unsigned n = 1; hit && n < most; n++) {
            char plan[40];
            snprintf(plan, sizeof plan, plans[p], n);
            if (!CHECK(play(text, name, &(struct how){.fault = plan}, &hit))) return;
            played++;
        }
        CHECK(!hit || most < 3000);
    }
}
TEST(any_call_may_fail_and_the_server_stands) {
    played = 0;
    each_file(with_faults);
    tap_note("%u times something failed", played);
    CHECK(played > 500);
}

TAP_MAIN(T(every_scenario_plays_as_written), T(reads_and_writes_of_any_size_change_nothing),
         T(any_call_may_fail_and_the_server_stands))
