/* stage.h - servers of the test itself on the loop of what is tried, in the plain and with TLS, on a monotonic clock the test
 * turns; a resolver that knows a few names of 127.0.0.1; and struct out. Included by the tests of this folder. */
#ifndef TESTS_OUT_STAGE_H
#define TESTS_OUT_STAGE_H

#include "base/clock.h"
#include "base/mem.h"
#include "lib/tap.h"
#include "loop/file.h"
#include "out/out.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define STAGE __attribute__((unused)) static

#ifndef STAGE_HAS_LOOP /* tests that have one already */
static struct loop *loop;
static struct err err;
#endif
static struct resolver *resolver;
static struct out *out;
static struct tls_server *tls_side;
static struct tls_client *tls_trusts;
static int64_t now_us;

/* --- time --- */

static int64_t tell_mono(void *arg) {
    (void)arg;
    return now_us;
}

static int64_t tell_wall(void *arg) {
    (void)arg;
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000;
}

STAGE void turns(unsigned n) {
    while (n--) loop_turn(loop, 0);
}

STAGE void pass(int64_t ms) {
    now_us += ms * 1000;
    turns(6);
}

/* Until it is so; the clock stands still. */
STAGE bool until(const bool *flag) {
    for (unsigned i = 0; i < 20000 && !*flag; i++) loop_turn(loop, 5);
    return CHECK(*flag);
}

/* The same where somebody may have lost what he would have said: then time passes. */
STAGE void until_late(const bool *flag) {
    for (unsigned idle = 0; !*flag && idle < 100000; idle++) {
        if (loop_turn(loop, 0)) continue;
        if (!loop_turn(loop, 2)) now_us += 5000000;
    }
    CHECK(*flag);
}

/* Until nothing happens any more. */
STAGE void settle(void) {
    for (unsigned idle = 0; idle < 4;) idle = loop_turn(loop, 1) ? 0 : idle + 1;
}

/* --- certificates --- */

static char stage_folder[64];

static void drop_folder(void) {
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", stage_folder);
    if (stage_folder[0] && system(command)) fprintf(stderr, "%s stays\n", stage_folder);
}

static struct slice stage_text(const char *name) {
    char path[100];
    snprintf(path, sizeof path, "%s/%s", stage_folder, name);
    return tap_file(path);
}

/* Once a program. False: there is no openssl. */
STAGE bool certificates(void) {
    static int state;
    if (state) return state > 0;
    state = -1;
    if (system("openssl version >/dev/null 2>&1")) return false;
    snprintf(stage_folder, sizeof stage_folder, "/tmp/startbox-out-XXXXXX");
    if (!mkdtemp(stage_folder)) abort();
    atexit(drop_folder);
    char command[1400];
    snprintf(command, sizeof command,
             "cd %s && exec >/dev/null 2>&1 && key() { openssl ecparam -name prime256v1 -genkey -noout -out $1.key &&"
             " openssl req -new -key $1.key -subj /CN=$1 -out $1.req; } &&"
             " printf 'basicConstraints=critical,CA:TRUE\\nkeyUsage=critical,keyCertSign\\n' > ca.ext &&"
             " printf 'subjectAltName=DNS:box.test,DNS:other.test,IP:127.0.0.1\\n' > box.ext && key ca && key box &&"
             " openssl x509 -req -in ca.req -days 30 -signkey ca.key -extfile ca.ext -out ca.pem &&"
             " openssl x509 -req -in box.req -days 30 -CA ca.pem -CAkey ca.key -CAcreateserial -extfile box.ext -out "
             "box.pem",
             stage_folder);
    if (system(command)) {
        fprintf(stderr, "openssl makes no certificates here\n");
        exit(1);
    }
    state = 1;
    return true;
}
#define NEEDS_OPENSSL()                                                                                                \
    if (!certificates()) {                                                                                             \
        tap_skip("there is no openssl to make certificates with");                                                     \
        return;                                                                                                        \
    }

/* --- bytes that look like nothing, and the same every time --- */

STAGE void pattern(uint8_t *to, size_t len, uint64_t at) {
    for (size_t i = 0; i < len; i++) to[i] = (uint8_t)(((at + i) * UINT64_C(0x9e3779b97f4a7c15)) >> 56);
}

STAGE bool is_pattern(struct slice s, uint64_t at) {
    static uint8_t want[65536];
    for (size_t done = 0; done < s.len;) {
        size_t n = s.len - done < sizeof want ? s.len - done : sizeof want;
        pattern(want, n, at + done);
        if (memcmp(want, s.ptr + done, n) != 0) return false;
        done += n;
    }
    return true;
}

/* --- a server --- */

struct visit;

struct host {
    /* There is more to read in v->got, or (got_all) the peer has ended. Takes off what it understood with visit_ate. */
    void (*heard)(struct visit *v);
    void (*came)(struct visit *v); /* optional */
    void *arg;
    bool tls;
    struct listener li;
    struct address where;
    unsigned visits, open;
    struct visit *last; /* NULL once it is gone */
};

/* One connection to it. */
struct visit {
    struct stream s;
    struct host *host;
    unsigned number; /* of this connection, from 1 */
    unsigned asks;   /* the test's */
    struct buf got;
    bool got_all, secure_next;
    uint64_t at, left; /* of the pattern that is being sent */
    bool close_behind;
};

STAGE void visit_bytes(struct visit *v, struct slice s) {
    if (v->s.state == STREAM_UP && !stream_write(&v->s, s))
        stream_abort(&v->s); /* no memory: some tests take it away */
}

__attribute__((format(printf, 2, 3))) STAGE void visit_say(struct visit *v, const char *fmt, ...) {
    char text[4096];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    visit_bytes(v, slice_of(text, (size_t)n));
}

static void visit_pour(struct visit *v) {
    static uint8_t bytes[32768];
    while (v->left && stream_pending(&v->s) < 65536) {
        size_t n = v->left < sizeof bytes ? (size_t)v->left : sizeof bytes;
        pattern(bytes, n, v->at);
        if (!stream_write(&v->s, slice_of(bytes, n))) {
            stream_abort(&v->s);
            return;
        }
        v->at += n;
        v->left -= n;
    }
    if (v->left)
        stream_owe_drained(&v->s);
    else if (v->close_behind)
        stream_close(&v->s);
}

/* Sends [from, from+len) of the pattern as the peer takes it. */
STAGE void visit_pattern(struct visit *v, uint64_t from, uint64_t len) {
    v->at = from;
    v->left = len;
    visit_pour(v);
}

STAGE void visit_ate(struct visit *v, size_t n) {
    buf_drop(&v->got, n);
}

STAGE void visit_close(struct visit *v) {
    v->close_behind = true;
    if (!v->left) stream_close(&v->s);
}

/* A plain connection goes on with TLS once what was written is out. */
STAGE void visit_secure(struct visit *v) {
    v->secure_next = true;
    stream_owe_drained(&v->s);
}

static void visit_filter(struct visit *v) {
    struct stream_filter *f = tls_accept(tls_side, &err);
    if (f)
        stream_filter(&v->s, f);
    else
        stream_abort(&v->s);
}

static void visit_event(struct stream *s, enum stream_event event) {
    struct visit *v = LOOP_OWNER(struct visit, s, s);
    switch (event) {
    case STREAM_DATA:
        if (!buf_add(&v->got, stream_data(s))) {
            stream_abort(s);
            return;
        }
        stream_eat(s, stream_data(s).len);
        v->host->heard(v);
        return;
    case STREAM_END:
        v->got_all = true;
        v->host->heard(v);
        if (s->state == STREAM_UP && !v->left) stream_close(s);
        return;
    case STREAM_DRAINED:
        if (v->secure_next) {
            v->secure_next = false;
            visit_filter(v);
        } else if (v->left)
            visit_pour(v);
        return;
    case STREAM_OPEN:
        if (v->host->came) v->host->came(v);
        return;
    case STREAM_LATE: return;
    case STREAM_GONE:
        v->host->open--;
        if (v->host->last == v) v->host->last = NULL;
        buf_release(&v->got);
        free(v);
    }
}

static void host_accept(struct listener *li, int fd, const struct address *peer) {
    (void)peer;
    struct host *h = LOOP_OWNER(struct host, li, li);
    struct visit *v = calloc(1, sizeof *v);
    if (!v) abort();
    v->s = (struct stream){.call = visit_event, .name = "visit"};
    v->host = h;
    v->number = ++h->visits;
    buf_init(&v->got, 1u << 26);
    if (!stream_start(&v->s, loop, fd, false, 65536, 1u << 26, &err)) {
        free(v);
        return;
    }
    h->open++;
    h->last = v;
    if (h->tls)
        visit_filter(v);
    else if (h->came)
        h->came(v);
}

STAGE void host_open(struct host *h, void (*heard)(struct visit *v), bool tls) {
    *h = (struct host){.heard = heard, .tls = tls, .li = {.call = host_accept, .name = "host"}};
    CHECK(address_read(LIT("127.0.0.1:0"), &h->where, &err));
    int fd = listen_open(&h->where, &err);
    CHECK(fd >= 0 && listener_start(&h->li, loop, fd, &err) && listen_address(fd, &h->where, &err));
}

STAGE uint16_t host_port(const struct host *h) {
    return address_port(&h->where);
}

/* Connections that still stand are the test's to end: here all of them must be gone in the end. */
STAGE void host_close(struct host *h) {
    listener_stop(&h->li);
    settle();
    CHECK_INT(h->open, 0);
}

/* --- all of it --- */

STAGE unsigned open_now(void) {
    unsigned n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (d && readdir(d)) n++;
    if (d) closedir(d);
    return n;
}

static unsigned stage_files;

STAGE void stage_out(const struct out_config *more) {
    struct out_config config = more ? *more : (struct out_config){0};
    config.loop = loop;
    config.resolver = resolver;
    config.tls = tls_trusts;
    if (!config.agent) config.agent = "test";
    out = out_new(&config, &err);
    CHECK(out);
}

STAGE void stage_begin(bool tls) {
    static const struct clock_source source = {tell_mono, tell_wall, NULL};
    static const struct resolver_config names = {.hosts =
                                                     LIT_INIT("127.0.0.1 box.test other.test wrong.test p.test\n")};
    stage_files = open_now();
    now_us = INT64_C(1000000000);
    clock_use(&source);
    err = (struct err)ERR_INIT;
#ifndef STAGE_HAS_LOOP
    loop = loop_new(&err);
#endif
    resolver = resolver_new(loop, &names, &err);
    if (tls) {
        struct tls_trust trust = {.roots = stage_text("ca.pem"), .clock_trusted = true};
        struct tls_identity_text id = {stage_text("box.pem"), stage_text("box.key")};
        tls_side = tls_server_new(loop, NULL, &err);
        CHECK(tls_side && tls_server_certificates(tls_side, &id, 1, &err));
        tls_trusts = tls_client_new(loop, &trust, &err);
        CHECK(tls_trusts);
        tap_free(trust.roots);
        tap_free(id.chain);
        tap_free(id.key);
    }
    stage_out(NULL);
}

STAGE void stage_end(void) {
    CHECK_INT(out_counts(out).open, 0);
    out_free(out);
    settle();
    tls_client_free(tls_trusts);
    tls_server_free(tls_side);
    tls_trusts = NULL;
    tls_side = NULL;
    resolver_free(resolver);
    CHECK_INT(loop_stats(loop).timers, 0);
#ifndef STAGE_HAS_LOOP
    CHECK_INT(loop_stats(loop).fds, 0);
    loop_free(loop);
#endif
    clock_use(NULL);
    CHECK_INT(open_now(), stage_files);
}

#endif
