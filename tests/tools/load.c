/* load.c - clients for benchmarks and whole-box tests: many at once, on one thread, counting.
 *
 *     load echo  ADDR PATH N BYTES SECONDS      N WebSockets, each sends when its echo is there; round trips a second
 *     load fan   ADDR PATH N SECONDS            N WebSockets and one that says something to all; deliveries a second
 *     load redis ADDR      N SECONDS            the same with redis: N subscribers and one publisher
 *     load idle  ADDR PATH N                    N connections after one answered request each; "ready", then until standard input ends
 *     load storm ADDR N SECONDS                 N of each kind at once: trickling heads, trickling bodies, huge heads, half-open ones,
 *                                               pipeliners that do not read, resetters; and honest clients all the while
 * ADDR is 127.0.0.1:PORT. Every line it prints is "name value ..." for scripts. Exit 1: what should be answered was not. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct sockaddr_in server;
static int epoll;
static char scratch[1 << 20];

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static _Noreturn void die(const char *what) {
    perror(what);
    exit(1);
}

static void read_address(const char *text) {
    char host[64];
    const char *colon = strrchr(text, ':');
    if (!colon || (size_t)(colon - text) >= sizeof host) die("want ADDR:PORT");
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = 0;
    server.sin_family = AF_INET;
    server.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    if (inet_pton(AF_INET, host, &server.sin_addr) != 1) die("address");
}

/* Many connections from one address exhaust its ports: each thousand has a source address of its own. */
static int dial(unsigned i) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) die("socket");
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000002u + i / 10000)};
    bind(fd, (struct sockaddr *)&from, sizeof from);
    if (connect(fd, (struct sockaddr *)&server, sizeof server)) {
        close(fd);
        return -1;
    }
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static int must_dial(unsigned i) {
    int fd = dial(i);
    if (fd < 0) die("connect");
    return fd;
}

static void nonblock(int fd) {
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

static void watch(int fd, uint32_t events, uint64_t data) {
    struct epoll_event ev = {.events = events, .data.u64 = data};
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

/* Reads until `end` has come. */
static bool hear(int fd, const char *end) {
    size_t n = 0;
    while (n < sizeof scratch) {
        ssize_t k = recv(fd, scratch + n, sizeof scratch - n, 0);
        if (k <= 0) return false;
        n += (size_t)k;
        if (memmem(scratch, n, end, strlen(end))) return true;
    }
    return false;
}

static void upgrade(int fd, const char *path) {
    char ask[512];
    int n = snprintf(ask, sizeof ask,
                     "GET %s HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                     path);
    if (!send_all(fd, ask, (size_t)n) || !hear(fd, "\r\n\r\n") || !strstr(scratch, " 101 ")) {
        fprintf(stderr, "no WebSocket at %s\n", path);
        exit(1);
    }
}

/* A masked frame (the mask is zero: the server unmasks all the same). */
static size_t make_frame(char *out, size_t len, char fill) {
    size_t n = 0;
    out[n++] = (char)0x82;
    if (len < 126)
        out[n++] = (char)(0x80 | len);
    else {
        out[n++] = (char)(0x80 | 126);
        out[n++] = (char)(len >> 8);
        out[n++] = (char)len;
    }
    memset(out + n, 0, 4);
    n += 4;
    memset(out + n, fill, len);
    return n + len;
}

static int run_echo(const char *path, unsigned n, size_t bytes, double seconds) {
    char frame[70000];
    size_t frame_len = make_frame(frame, bytes, 'x'), back = frame_len - 4;
    int *fds = calloc(n, sizeof *fds);
    size_t *got = calloc(n, sizeof *got);
    for (unsigned i = 0; i < n; i++) {
        fds[i] = must_dial(i);
        upgrade(fds[i], path);
        nonblock(fds[i]);
        watch(fds[i], EPOLLIN, i);
        send_all(fds[i], frame, frame_len);
    }
    uint64_t trips = 0;
    double begin = now(), end = begin + seconds;
    struct epoll_event ev[256];
    while (now() < end) {
        int k = epoll_wait(epoll, ev, 256, 100);
        for (int j = 0; j < k; j++) {
            unsigned i = (unsigned)ev[j].data.u64;
            ssize_t r = recv(fds[i], scratch, sizeof scratch, 0);
            if (r <= 0) return 1;
            got[i] += (size_t)r;
            if (got[i] < back) continue;
            got[i] -= back;
            trips++;
            if (send(fds[i], frame, frame_len, MSG_NOSIGNAL) < 0) return 1;
        }
    }
    printf("trips %llu per_s %.0f\n", (unsigned long long)trips, (double)trips / (now() - begin));
    return 0;
}

/* One speaks, n hear; up to 4 messages are under way. back: bytes of one delivery. */
static int run_fan(int speaker, const char *message, size_t message_len, size_t back, int *fds, unsigned n,
                   double seconds) {
    uint64_t heard = 0, want = 0, deliveries = 0;
    double begin = now(), end = begin + seconds;
    struct epoll_event ev[512];
    for (int i = 0; i < 4; i++, want += (uint64_t)n * back)
        if (!send_all(speaker, message, message_len)) return 1;
    while (now() < end) {
        int k = epoll_wait(epoll, ev, 512, 100);
        for (int j = 0; j < k; j++) {
            ssize_t r = recv(fds[ev[j].data.u64], scratch, sizeof scratch, MSG_DONTWAIT);
            if (r <= 0) return 1;
            heard += (uint64_t)r;
        }
        for (; want - heard <= 3 * (uint64_t)n * back; want += (uint64_t)n * back)
            if (!send_all(speaker, message, message_len)) return 1;
        while (recv(speaker, scratch, sizeof scratch, MSG_DONTWAIT) > 0) continue; /* its own copy, or redis' count */
    }
    deliveries = heard / back;
    printf("deliveries %llu per_s %.0f\n", (unsigned long long)deliveries, (double)deliveries / (now() - begin));
    return 0;
}

static int run_ws_fan(const char *path, unsigned n, double seconds) {
    char frame[128];
    size_t len = make_frame(frame, 64, 'y');
    int *fds = calloc(n, sizeof *fds);
    for (unsigned i = 0; i < n; i++) {
        fds[i] = must_dial(i);
        upgrade(fds[i], path);
        watch(fds[i], EPOLLIN, i);
    }
    int speaker = must_dial(n);
    upgrade(speaker, path);
    return run_fan(speaker, frame, len, len - 4, fds, n, seconds);
}

static int run_redis_fan(unsigned n, double seconds) {
    int *fds = calloc(n, sizeof *fds);
    static const char subscribe[] = "*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\nc\r\n";
    for (unsigned i = 0; i < n; i++) {
        fds[i] = must_dial(i);
        if (!send_all(fds[i], subscribe, sizeof subscribe - 1) || !hear(fds[i], ":1\r\n")) return 1;
        watch(fds[i], EPOLLIN, i);
    }
    char payload[65], publish[160];
    memset(payload, 'y', 64);
    payload[64] = 0;
    int len = snprintf(publish, sizeof publish, "*3\r\n$7\r\nPUBLISH\r\n$1\r\nc\r\n$64\r\n%s\r\n", payload);
    /* what a subscriber gets: *3 message c payload */
    size_t back = strlen("*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$64\r\n") + 64 + 2;
    return run_fan(must_dial(n), publish, (size_t)len, back, fds, n, seconds);
}

static int run_idle(const char *path, unsigned n) {
    char ask[256];
    int len = snprintf(ask, sizeof ask, "GET %s HTTP/1.1\r\nHost: bench\r\n\r\n", path);
    for (unsigned i = 0; i < n; i++) {
        int fd = must_dial(i);
        if (!send_all(fd, ask, (size_t)len) || !hear(fd, "\r\n\r\n")) {
            fprintf(stderr, "connection %u was not answered\n", i);
            return 1;
        }
    }
    printf("ready %u\n", n);
    fflush(stdout);
    while (read(0, scratch, sizeof scratch) > 0) continue;
    return 0;
}

/* --- the storm --- */

enum kind { HEAD_TRICKLE, BODY_TRICKLE, HUGE_HEAD, HALF_OPEN, PIPELINER, RESETTER, KINDS };

static void storm_step(enum kind k, int *fd, unsigned i, unsigned step) {
    static char pipeline[40 * 48];
    static size_t pipeline_len;
    static char huge[4096];
    if (!pipeline_len)
        for (int j = 0; j < 40; j++)
            pipeline_len += (size_t)snprintf(pipeline + pipeline_len, sizeof pipeline - pipeline_len,
                                             "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    if (!huge[0]) memset(huge, 'h', sizeof huge);
    if (*fd < 0) {
        *fd = dial(i);
        if (*fd < 0) return;
        nonblock(*fd);
    }
    static const char *const first[KINDS] = {"GET /hello HTTP/1.1\r\nX: ",
                                             "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n",
                                             "GET /hello HTTP/1.1\r\nX: ",
                                             "",
                                             "",
                                             "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc"};
    if (step == 0) send(*fd, first[k], strlen(first[k]), MSG_NOSIGNAL);
    switch (k) {
    case HEAD_TRICKLE:
    case BODY_TRICKLE: send(*fd, "x", 1, MSG_NOSIGNAL); break;
    case HUGE_HEAD: send(*fd, huge, sizeof huge, MSG_NOSIGNAL); break;
    case HALF_OPEN:
        if (step == 1) shutdown(*fd, SHUT_WR);
        break;
    case PIPELINER: send(*fd, pipeline, pipeline_len, MSG_NOSIGNAL); break;
    case RESETTER:
        setsockopt(*fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
        close(*fd);
        *fd = -1;
        break;
    case KINDS: break;
    }
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static int run_storm(unsigned n, double seconds) {
    enum { HONEST = 8, MOST = 200000 };
    static const char ask[] = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
    int *fds = malloc(sizeof *fds * n * KINDS), honest[HONEST];
    static double took[MOST];
    unsigned answered = 0, wrong = 0, again = 0;
    for (unsigned i = 0; i < n * KINDS; i++) fds[i] = -1;
    for (int i = 0; i < HONEST; i++) honest[i] = must_dial(0);
    double end = now() + seconds;
    for (unsigned step = 0; now() < end; step++) {
        for (unsigned i = 0; i < n * KINDS; i++) {
            storm_step((enum kind)(i % KINDS), &fds[i], i, step);
            if (i % 97) continue;
            int h = (int)(answered % HONEST);
            struct timeval limit = {5, 0};
            setsockopt(honest[h], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
            double t = now();
            if (!send_all(honest[h], ask, sizeof ask - 1) || !hear(honest[h], "Hello, world!")) {
                wrong++;
                close(honest[h]);
                honest[h] = must_dial(0);
                again++;
                continue;
            }
            if (answered < MOST) took[answered] = now() - t;
            answered++;
        }
        usleep(200000);
    }
    unsigned kept = answered < MOST ? answered : MOST;
    qsort(took, kept, sizeof *took, compare);
    if (!kept) return 1;
    printf("honest %u wrong %u p50_us %.0f p99_us %.0f worst_us %.0f\n", answered, wrong, took[kept / 2] * 1e6,
           took[kept * 99 / 100] * 1e6, took[kept - 1] * 1e6);
    for (unsigned i = 0; i < n * KINDS; i++)
        if (fds[i] >= 0) close(fds[i]);
    return wrong != 0;
}

int main(int argc, char **argv) {
    struct rlimit files = {1 << 17, 1 << 17};
    if (setrlimit(RLIMIT_NOFILE, &files)) {
        getrlimit(RLIMIT_NOFILE, &files);
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    epoll = epoll_create1(EPOLL_CLOEXEC);
    const char *mode = argc > 2 ? argv[1] : "";
    if (argc > 2) read_address(argv[2]);
#define NUMBER(i) (unsigned)strtoul(argv[i], NULL, 10)
    if (!strcmp(mode, "echo") && argc == 7) return run_echo(argv[3], NUMBER(4), NUMBER(5), strtod(argv[6], NULL));
    if (!strcmp(mode, "fan") && argc == 6) return run_ws_fan(argv[3], NUMBER(4), strtod(argv[5], NULL));
    if (!strcmp(mode, "redis") && argc == 5) return run_redis_fan(NUMBER(3), strtod(argv[4], NULL));
    if (!strcmp(mode, "idle") && argc == 5) return run_idle(argv[3], NUMBER(4));
    if (!strcmp(mode, "storm") && argc == 5) return run_storm(NUMBER(3), strtod(argv[4], NULL));
    fprintf(stderr, "see the head of tests/tools/load.c\n");
    return 2;
}
