/* caller.c - clients of the daemon for benchmarks: on one thread, counting and timing.
 *
 *     caller follow ADDR COOKIE N SECONDS RATE PIDS  N subscribers of the UI's part of the tree, and one client that changes it
 *     caller cast   ADDR PATH   N SECONDS RATE PIDS  the same against a server that tells all WebSockets what one of them says
 *                     RATE 0: flat out, up to 4 changes under way. Else so many changes a second, each timed from when it was due.
 *                     PIDS, like 4,5: whose CPU is counted from the first change on
 *     caller pace   ADDR FROM BODY RATE SECONDS      POSTs BODY to /rpc/v1 from the address FROM, each timed from when it was due
 * ADDR is 127.0.0.1:PORT. The line it prints is "name value ...". Exit 1: what should be answered was not. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define PART     2048 /* bytes of a message that may come in pieces */
#define SPEAKERS 4    /* connections of the one client that changes things: calls of one connection go one by one */
#define RING     1024 /* changes that may be on their way */
#define CALLERS  64   /* connections of a paced client */
#define TIMER    UINT64_MAX

static struct sockaddr_in server, from;
static int epoll, timer;
static char scratch[1 << 20];
static double *took; /* seconds */
static size_t took_n, took_max;

/* What one connection has sent and is not whole yet. */
struct part {
    int fd;
    bool busy;
    size_t len;
    double due;
    uint64_t heard;
    char bytes[PART];
};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static _Noreturn void die(const char *what) {
    fprintf(stderr, "caller: %s\n", what);
    exit(1);
}

static void *room(size_t n, size_t size) {
    void *p = calloc(n ? n : 1, size);
    if (!p) die("no memory");
    return p;
}

static void read_address(const char *text) {
    char host[64];
    const char *colon = strrchr(text, ':');
    if (!colon || (size_t)(colon - text) >= sizeof host) die("want ADDR:PORT");
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = 0;
    server.sin_family = AF_INET;
    server.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    if (inet_pton(AF_INET, host, &server.sin_addr) != 1) die("what address?");
}

/* -1: nobody listens there. */
static int dial(void) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0) die("no socket");
    if (from.sin_family && bind(fd, (struct sockaddr *)&from, sizeof from)) die("no such source address");
    if (connect(fd, (struct sockaddr *)&server, sizeof server)) {
        close(fd);
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static int must_dial(void) {
    int fd = dial();
    if (fd < 0) die("nobody listens");
    return fd;
}

static void watch(int fd, uint64_t data) {
    struct epoll_event ev = {.events = EPOLLIN, .data.u64 = data};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev)) die("epoll");
}

static bool send_all(int fd, const char *s, size_t n) {
    while (n) {
        ssize_t k = send(fd, s, n, MSG_NOSIGNAL);
        if (k < 0) return false;
        s += k;
        n -= (size_t)k;
    }
    return true;
}

static bool has(const char *s, size_t n, const char *what) {
    return memmem(s, n, what, strlen(what)) != NULL;
}

/* Bytes of the HTTP answer that begins here; 0: it is not whole. */
static size_t http_whole(const char *s, size_t n) {
    static const char field[] = "\r\nContent-Length: ";
    const char *blank = memmem(s, n, "\r\n\r\n", 4);
    if (!blank) return 0;
    size_t head = (size_t)(blank - s) + 4;
    const char *length = memmem(s, head, field, sizeof field - 1);
    if (!length) return head;
    size_t all = head + strtoul(length + sizeof field - 1, NULL, 10);
    return n < all ? 0 : all;
}

/* Reads one answer into scratch and ends it as a text. 0: it does not come. */
static size_t hear_http(int fd) {
    size_t n = 0, whole;
    while (n < sizeof scratch - 1) {
        ssize_t k = recv(fd, scratch + n, sizeof scratch - 1 - n, 0);
        if (k <= 0) return 0;
        scratch[n += (size_t)k] = 0;
        if ((whole = http_whole(scratch, n))) return whole;
    }
    return 0;
}

static size_t make_post(char *out, size_t cap, const char *cookie, const char *body) {
    int n = snprintf(out, cap,
                     "POST /rpc/v1 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                     "%s%s%sContent-Length: %zu\r\n\r\n%s",
                     cookie ? "Cookie: " : "", cookie ? cookie : "", cookie ? "\r\n" : "", strlen(body), body);
    if (n < 0 || (size_t)n >= cap) die("the call is too long");
    return (size_t)n;
}

/* Wakes epoll_wait whenever something is due; when that is, is reckoned from the time it answers. */
static double begin_timer(double rate) {
    double step = 1 / rate;
    struct timespec t = {(time_t)step, (long)((step - (double)(time_t)step) * 1e9)};
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (timer < 0 || timerfd_settime(timer, 0, &(struct itimerspec){t, t}, NULL)) die("timer");
    watch(timer, TIMER);
    return now();
}

static void quiet_timer(void) {
    uint64_t rings;
    if (read(timer, &rings, sizeof rings) < 0) return; /* nothing rang: as good */
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void note(double seconds) {
    if (took_n == took_max) {
        took_max = took_max ? 2 * took_max : 65536;
        took = realloc(took, took_max * sizeof *took);
        if (!took) die("no memory");
    }
    took[took_n++] = seconds;
}

static double at(double *v, size_t n, unsigned percent) {
    return n ? v[(n - 1) * percent / 100] * 1e6 : 0;
}

/* --- one speaks, many hear --- */

struct fan {
    const char *cookie; /* NULL: the speaker is a WebSocket */
    unsigned n;
    struct part *parts, speakers[SPEAKERS];
    uint64_t said, deliveries, all_heard, behind;
    double said_at[RING], *last;
    unsigned left[RING];
    size_t last_n;
    bool timed;
};

static void upgrade(int fd, const char *path) {
    char ask[512];
    int n = snprintf(ask, sizeof ask,
                     "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                     path);
    if (!send_all(fd, ask, (size_t)n) || !hear_http(fd) || !strstr(scratch, " 101 ")) die("no WebSocket");
}

/* The daemon is asked for a feed, on a connection of its own, and followed on another. */
static void subscribe(const struct fan *f, struct part *p, int asker) {
    static const char guid[] = "\"guid\":\"";
    char ask[1024], path[64];
    size_t len =
        make_post(ask, sizeof ask, f->cookie,
                  "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"db.subscribe\",\"params\":{\"pointer\":\"/public/ui\"}}");
    if (!send_all(asker, ask, len) || !hear_http(asker)) die("db.subscribe is not answered");
    const char *found = strstr(scratch, guid);
    if (!found) die("db.subscribe is refused");
    snprintf(path, sizeof path, "/ws/rpc/%.32s", found + sizeof guid - 1);
    p->fd = must_dial();
    upgrade(p->fd, path);
}

/* The next change; false: the speaker is not done with those before. */
static bool say(struct fan *f, double due) {
    char body[256], out[1024];
    size_t n = 0;
    struct part *p = f->speakers;
    while (p < f->speakers + SPEAKERS && p->busy) p++;
    if (p == f->speakers + SPEAKERS) return false;
    unsigned long long seq = f->said++;
    if (f->timed && f->left[seq % RING]) die("what was changed long ago is not told yet");
    f->said_at[seq % RING] = due;
    f->left[seq % RING] = f->n;
    if (f->cookie) {
        snprintf(body, sizeof body,
                 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"db.put.ui\",\"params\":"
                 "{\"pointer\":\"/bench\",\"value\":\"seq=%010llu\"}}",
                 seq);
        n = make_post(out, sizeof out, f->cookie, body);
        p->busy = true;
    } else { /* what the daemon's subscribers get, in one masked frame; the mask is zero, the server unmasks all the same */
        int len = snprintf(
            body, sizeof body,
            "{\"id\":%llu,\"patch\":[{\"op\":\"replace\",\"path\":\"/bench\",\"value\":\"seq=%010llu\"}]}", seq, seq);
        out[n++] = (char)0x81;
        out[n++] = (char)(0x80 | len); /* below 126 */
        memset(out + n, 0, 4);
        memcpy(out + n + 4, body, (size_t)len);
        n += 4 + (size_t)len;
    }
    if (!send_all(p->fd, out, n)) die("the speaker's connection is gone");
    return true;
}

static void hear_answer(struct part *p) {
    ssize_t r = recv(p->fd, p->bytes + p->len, sizeof p->bytes - p->len, 0);
    if (r <= 0) die("the speaker's connection is gone");
    p->len += (size_t)r;
    if (!http_whole(p->bytes, p->len)) return;
    if (!has(p->bytes, p->len, "\"result\":null")) die("a change is refused");
    p->len = 0;
    p->busy = false;
}

/* One message of a subscriber. */
static void hear_message(struct fan *f, struct part *p, const char *s, size_t n, double t) {
    const char *mark = memmem(s, n, "seq=", 4);
    if (!mark || mark + 14 > s + n) return;
    uint64_t seq = strtoull(mark + 4, NULL, 10);
    f->deliveries++;
    if (!has(s, n, "\"patch\"")) { /* the whole value, because this one could not keep up: it has all there is */
        f->behind++;
        f->all_heard += f->said - p->heard;
        p->heard = f->said;
    } else if (p->heard < f->said) {
        p->heard++;
        f->all_heard++;
    }
    if (!f->timed || seq >= f->said) return;
    note(t - f->said_at[seq % RING]);
    if (f->left[seq % RING] && !--f->left[seq % RING]) f->last[f->last_n++] = t - f->said_at[seq % RING];
}

static void hear_frames(struct fan *f, struct part *p) {
    memcpy(scratch, p->bytes, p->len);
    ssize_t r = recv(p->fd, scratch + p->len, sizeof scratch - p->len, 0);
    if (r <= 0) die("a subscriber's connection is gone");
    double t = f->timed ? now() : 0;
    size_t n = p->len + (size_t)r, i = 0;
    while (n - i >= 4) {
        const uint8_t *s = (const uint8_t *)scratch + i;
        size_t len = s[1] & 127, head = len == 126 ? 4 : 2;
        if (len == 127 || (s[0] & 15) == 8) die("a subscriber was sent away, or a message is too long");
        if (len == 126) len = (size_t)s[2] << 8 | s[3];
        if (n - i < head + len) break;
        if ((s[0] & 15) <= 2) hear_message(f, p, scratch + i + head, len, t);
        i += head + len;
    }
    p->len = n - i;
    if (p->len > PART) die("a message is too long");
    memcpy(p->bytes, scratch + i, p->len);
}

static void turn(struct fan *f) {
    struct epoll_event ev[512];
    int k = epoll_wait(epoll, ev, 512, 100);
    for (int j = 0; j < k; j++) {
        uint64_t i = ev[j].data.u64;
        if (i == TIMER)
            quiet_timer();
        else if (i < f->n)
            hear_frames(f, &f->parts[i]);
        else if (f->cookie)
            hear_answer(&f->speakers[i - f->n]);
        else
            while (recv(f->speakers[i - f->n].fd, scratch, sizeof scratch, MSG_DONTWAIT) > 0) continue;
    }
}

/* Microseconds that these processes have had so far. */
static double cpu(const char *pids) {
    unsigned long ticks = 0;
    for (char *end; *pids; pids = *end ? end + 1 : end) {
        char path[64], line[1024];
        snprintf(path, sizeof path, "/proc/%lu/stat", strtoul(pids, &end, 10));
        FILE *f = fopen(path, "re");
        char *field = f && fgets(line, sizeof line, f) ? strrchr(line, ')') : NULL;
        for (int i = 2; i < 14 && field; i++) field = strchr(field + 1, ' '); /* proc(5): the 14th and the 15th */
        if (!field) die("no such process");
        ticks += strtoul(field, &field, 10);
        ticks += strtoul(field, NULL, 10);
        fclose(f);
    }
    return (double)ticks * 1e6 / (double)sysconf(_SC_CLK_TCK);
}

static int run_fan(bool daemon, const char *how, unsigned n, double seconds, double rate, const char *pids) {
    struct fan f = {.cookie = daemon ? how : NULL, .n = n, .timed = rate > 0};
    int asker = must_dial();
    f.parts = room(n, sizeof *f.parts);
    f.last = room((size_t)(seconds * rate) + 2, sizeof *f.last);
    for (unsigned i = 0; i < n; i++) {
        if (daemon)
            subscribe(&f, &f.parts[i], asker);
        else {
            f.parts[i].fd = must_dial();
            upgrade(f.parts[i].fd, how);
        }
        watch(f.parts[i].fd, i);
    }
    for (unsigned i = 0; i < SPEAKERS; i++) {
        f.speakers[i].fd = must_dial();
        if (!daemon) upgrade(f.speakers[i].fd, how);
        watch(f.speakers[i].fd, n + i);
    }
    double used = cpu(pids), begin = f.timed ? begin_timer(rate) : now(), end = begin + seconds;
    for (;;) {
        double t = now();
        if (t >= end) break;
        if (!f.timed)
            while (f.said * n - f.all_heard <= UINT64_C(3) * n && say(&f, t)) continue;
        else
            for (double due; (due = begin + (double)(f.said + 1) / rate) <= t && say(&f, due);) continue;
        turn(&f);
    }
    double spent = now() - begin;
    used = cpu(pids) - used;
    uint64_t deliveries = f.deliveries;
    while (f.all_heard < f.said * n && now() < end + 5) turn(&f);
    qsort(took, took_n, sizeof *took, compare);
    qsort(f.last, f.last_n, sizeof *f.last, compare);
    printf("deliveries %llu per_s %.0f cpu_us %.0f changes %llu behind %llu missing %llu p50_us %.0f p99_us %.0f "
           "last_us %.0f "
           "worst_us %.0f\n",
           (unsigned long long)deliveries, (double)deliveries / spent, used, (unsigned long long)f.said,
           (unsigned long long)f.behind, (unsigned long long)(f.said * n - f.all_heard), at(took, took_n, 50),
           at(took, took_n, 99), at(f.last, f.last_n, 50), at(f.last, f.last_n, 100));
    return f.all_heard < f.said * n;
}

/* --- calls at a steady pace --- */

struct paced {
    uint64_t begun, answered, good;
    char ask[4096];
    size_t len;
};

static void hear_paced(struct paced *c, struct part *p) {
    ssize_t r = recv(p->fd, p->bytes + p->len, sizeof p->bytes - p->len, 0);
    if (r <= 0) die("a caller's connection is gone");
    p->len += (size_t)r;
    if (!http_whole(p->bytes, p->len)) {
        if (p->len == sizeof p->bytes) die("an answer is too long");
        return;
    }
    note(now() - p->due);
    c->answered++;
    c->good += has(p->bytes, p->len, "\"result\":");
    p->len = 0;
    p->busy = false;
}

static int run_pace(const char *source, const char *body, double rate, double seconds) {
    static struct paced c;
    struct part *parts = room(CALLERS, sizeof *parts);
    struct epoll_event ev[CALLERS + 1];
    from.sin_family = AF_INET;
    if (inet_pton(AF_INET, source, &from.sin_addr) != 1) die("what source address?");
    c.len = make_post(c.ask, sizeof c.ask, NULL, body);
    for (unsigned i = 0; i < CALLERS; i++) watch(parts[i].fd = must_dial(), i);
    double begin = begin_timer(rate), end = begin + seconds;
    for (;;) {
        double t = now();
        if (t >= end && (c.answered == c.begun || t >= end + 5)) break;
        for (unsigned i = 0; i < CALLERS && t < end; i++) {
            double due = begin + (double)(c.begun + 1) / rate;
            if (due > t) break;
            if (parts[i].busy) continue;
            parts[i].busy = true;
            parts[i].due = due;
            c.begun++;
            if (!send_all(parts[i].fd, c.ask, c.len)) die("a caller's connection is gone");
        }
        int k = epoll_wait(epoll, ev, CALLERS + 1, 100);
        for (int j = 0; j < k; j++)
            if (ev[j].data.u64 == TIMER)
                quiet_timer();
            else
                hear_paced(&c, &parts[ev[j].data.u64]);
    }
    qsort(took, took_n, sizeof *took, compare);
    printf("answered %llu good %llu silent %llu p50_us %.0f p99_us %.0f worst_us %.0f\n",
           (unsigned long long)c.answered, (unsigned long long)c.good, (unsigned long long)(c.begun - c.answered),
           at(took, took_n, 50), at(took, took_n, 99), at(took, took_n, 100));
    return c.answered < c.begun || !c.answered;
}

int main(int argc, char **argv) {
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    const char *mode = argc > 3 ? argv[1] : "";
    if (argc > 3) read_address(argv[2]);
    bool daemon = !strcmp(mode, "follow");
    if ((daemon || !strcmp(mode, "cast")) && argc == 8)
        return run_fan(daemon, argv[3], (unsigned)strtoul(argv[4], NULL, 10), strtod(argv[5], NULL),
                       strtod(argv[6], NULL), argv[7]);
    if (!strcmp(mode, "pace") && argc == 7)
        return run_pace(argv[3], argv[4], strtod(argv[5], NULL), strtod(argv[6], NULL));
    fprintf(stderr, "see the head of tests/tools/caller.c\n");
    return 2;
}
