/* fan.c - one change told to many: the watchers of a pointer over stream sockets beside redis-server's publish and subscribe,
 * started here on a port of its own.
 *
 * The same client (a process of its own on another processor) holds the same number of connections and counts bytes; a delivery is
 * one revision, or one published message, at one subscriber; the texts are equally long. Both servers have processor 0, and their
 * processor time is taken from the kernel; nobody may be more than AHEAD messages ahead of the client. Paced: some 100,000
 * deliveries a second, one message at a time. Flat out: PIPELINE at a time, settled together as by a journal, or published in one
 * go. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "loop/listen.h"
#include "loop/stream.h"
#include "state/watch.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST       5000
#define FOR_US     2000000
#define PACED      100000 /* deliveries a second */
#define AHEAD      64
#define PIPELINE   16
#define FIRST_ID   1000000000u /* so that every message is equally long */
#define REDIS_HEAD "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$"

static void fail(const char *what) {
    fprintf(stderr, "fan: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void pin(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof set, &set); /* where there is one processor only, all share it */
}

/* --- the client, in a process of its own --- */

struct tally {
    volatile uint64_t bytes;
    volatile uint32_t connected;
};
static struct tally *tally;
static pid_t client_pid;

static int dial(uint16_t port) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a)) fail("connecting");
    return fd;
}

_Noreturn static void run_client(uint16_t port, unsigned n, bool redis) {
    static char in[65536];
    pin(1);
    int epoll = epoll_create1(0);
    for (unsigned i = 0; i < n; i++) {
        int fd = dial(port);
        static const char subscribe[] = "SUBSCRIBE c\r\n";
        if (redis && write(fd, subscribe, sizeof subscribe - 1) < 0) _exit(1);
        struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev)) _exit(1);
        tally->connected++;
    }
    for (;;) {
        struct epoll_event ev[256];
        int k = epoll_wait(epoll, ev, 256, -1);
        for (int i = 0; i < k; i++) {
            ssize_t got = read(ev[i].data.fd, in, sizeof in);
            if (got <= 0) _exit(0); /* the server is done */
            tally->bytes += (uint64_t)got;
        }
    }
}

static void start_client(uint16_t port, unsigned n, bool redis) {
    tally->bytes = 0;
    tally->connected = 0;
    client_pid = fork();
    if (client_pid < 0) fail("fork");
    if (client_pid == 0) run_client(port, n, redis);
}

static void stop_client(void) {
    kill(client_pid, SIGKILL);
    waitpid(client_pid, NULL, 0);
}

/* --- our server --- */

struct sub {
    struct stream stream;
    struct watch watch;
};
static struct loop *l;
static struct watchers *ws;
static struct sub *subs[MOST];
static unsigned sub_n;
static struct val root;
static uint64_t revision;

static bool tell(struct watch *w, const struct news *news) {
    return stream_share(&LOOP_OWNER(struct sub, watch, w)->stream, news->bytes, 0);
}

static void stream_call(struct stream *s, enum stream_event event) {
    struct sub *sub = LOOP_OWNER(struct sub, stream, s);
    if (event == STREAM_DRAINED) watch_ready(&sub->watch);
    if (event == STREAM_END) stream_abort(s);
    if (event != STREAM_GONE) return;
    watch_end(&sub->watch);
    for (unsigned i = 0; i < sub_n; i++)
        if (subs[i] == sub) subs[i] = subs[--sub_n];
    mem_put(sub, sizeof *sub);
}

static void accepted(struct listener *li, int fd, const struct address *peer) {
    (void)li, (void)peer;
    struct err e = ERR_INIT;
    struct sub *sub = mem_get_zero(sizeof *sub);
    if (!sub) fail("memory");
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sub->stream.call = stream_call;
    sub->stream.name = "subscriber";
    sub->watch = (struct watch){.tell = tell, .format = &watch_json};
    if (!stream_start(&sub->stream, l, fd, false, 1024, 1 << 20, &e) ||
        !watch_begin(ws, &sub->watch, LIT("/public/metrics"), 0, 0, &e)) {
        fprintf(stderr, "fan: %s\n", e.text);
        exit(1);
    }
    subs[sub_n++] = sub;
}

static struct val patch_of(uint64_t i) {
    return VAL_ARRAY_OF(VAL_MAP_OF({"op", val_of_str("replace")},
                                   {"path", val_of_str("/public/metrics/cpu/percentageUsed")},
                                   {"value", val_of_u64(1000000 + i % 1000000)}));
}

static void commit(unsigned n) {
    for (; n; n--) {
        revision++;
        if (!watchers_settle(ws, revision, patch_of(revision))) fail("memory");
    }
    struct val metrics = VAL_MAP_OF({"cpu", VAL_MAP_OF({"percentageUsed", val_of_u64(1000000 + revision % 1000000)})});
    val_unref(&root);
    root = VAL_MAP_OF({"public", VAL_MAP_OF({"metrics", metrics})});
    watchers_now(ws, &root);
}

/* --- measuring --- */

static double own_cpu_us(void) {
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1e6 + (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

static double cpu_us_of(pid_t pid) {
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f) fclose(f);
    text[n] = 0;
    const char *at = strrchr(text, ')');
    for (int field = 2; at && field < 14; field++) at = strchr(at + 1, ' ');
    if (!at) return 0;
    char *end;
    unsigned long long user = strtoull(at, &end, 10), sys = strtoull(end, NULL, 10);
    return (double)(user + sys) * 1e6 / (double)sysconf(_SC_CLK_TCK);
}

static size_t resident(void) {
    unsigned long all = 0, held = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f) {
        if (fscanf(f, "%lu %lu", &all, &held) != 2) held = 0;
        fclose(f);
    }
    return held * (size_t)sysconf(_SC_PAGESIZE);
}

struct figure {
    double per_second, cpu_us, commits, encodings, revisions_a_news;
};

/* Turns until the client has counted what it should. */
static void await_own(uint64_t bytes) {
    for (int64_t until = clock_mono_us() + 10000000; tally->bytes < bytes && clock_mono_us() < until;) loop_turn(l, 1);
    if (tally->bytes != bytes)
        fprintf(stderr, "fan: %llu bytes came, not %llu\n", (unsigned long long)tally->bytes,
                (unsigned long long)bytes);
}

static struct figure measure_own(unsigned n, size_t len, bool flat) {
    uint64_t base = tally->bytes, commits = 0;
    struct watch_counts before = watchers_counts(ws);
    double cpu = own_cpu_us();
    int64_t start = clock_mono_us(), now, gap = (int64_t)n * 1000000 / PACED;
    unsigned batch = flat ? PIPELINE : 1;
    while ((now = clock_mono_us()) - start < FOR_US) {
        bool may = (commits + batch) * n * len <= tally->bytes - base + (uint64_t)AHEAD * n * len;
        int64_t due = flat ? now : start + (int64_t)commits * gap;
        if (may && now >= due) {
            commit(batch);
            commits += batch;
            loop_turn(l, 0);
        } else {
            int64_t wait = may ? due - now : 100;
            if (wait < 1000) usleep((useconds_t)wait); /* shorter than the loop can wait */
            loop_turn(l, wait / 1000);
        }
    }
    await_own(base + commits * n * len);
    double took = (double)(clock_mono_us() - start) / 1e6, all = (double)commits * n;
    struct watch_counts after = watchers_counts(ws);
    double told = (double)(after.told - before.told);
    if (after.behind != before.behind) printf("  %u times behind\n", (unsigned)(after.behind - before.behind));
    return (struct figure){all / took, (own_cpu_us() - cpu) / all, (double)commits / took,
                           (double)(after.encoded - before.encoded) / (double)commits, told > 0 ? all / told : 0};
}

/* --- redis --- */

static pid_t redis_pid;
static uint16_t redis_port;
static char dir[] = "/tmp/startbox-bench-XXXXXX";

static uint16_t free_port(void) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(fd, (struct sockaddr *)&a, sizeof a) || getsockname(fd, (struct sockaddr *)&a, &len)) fail("a port");
    close(fd);
    return ntohs(a.sin_port);
}

static bool start_redis(void) {
    if (!mkdtemp(dir)) return false;
    char port[16];
    redis_port = free_port();
    snprintf(port, sizeof port, "%u", redis_port);
    redis_pid = fork();
    if (redis_pid == 0) {
        pin(0);
        execlp("redis-server", "redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly",
               "no", "--dir", dir, "--logfile", "/dev/null", "--maxclients", "9000", "--client-output-buffer-limit",
               "pubsub 0 0 0", (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 200; i++) {
        struct sockaddr_in a = {
            .sin_family = AF_INET, .sin_port = htons(redis_port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        bool up = connect(fd, (struct sockaddr *)&a, sizeof a) == 0;
        close(fd);
        if (up) return true;
        usleep(20000);
    }
    return false;
}

static void stop_redis(void) {
    if (redis_pid > 0) {
        kill(redis_pid, SIGKILL);
        waitpid(redis_pid, NULL, 0);
    }
    rmdir(dir);
}

/* Publishes messages and waits for as many replies. */
static void publish(int fd, const struct buf *messages, unsigned count) {
    for (size_t done = 0; done < messages->len;) {
        ssize_t k = write(fd, messages->ptr + done, messages->len - done);
        if (k <= 0) fail("publishing");
        done += (size_t)k;
    }
    char in[4096];
    for (unsigned lines = 0; lines < count;) {
        ssize_t k = read(fd, in, sizeof in);
        if (k <= 0) fail("publishing");
        for (ssize_t i = 0; i < k; i++) lines += in[i] == '\n';
    }
}

static struct figure measure_redis(int fd, unsigned n, size_t text_len, bool flat) {
    struct buf messages;
    unsigned batch = flat ? PIPELINE : 1;
    buf_init(&messages, 65536);
    for (unsigned k = 0; k < batch; k++) {
        buf_printf(&messages, "*3\r\n$7\r\nPUBLISH\r\n$1\r\nc\r\n$%zu\r\n", text_len);
        for (size_t i = 0; i < text_len; i++) buf_byte(&messages, 'x');
        buf_add(&messages, LIT("\r\n"));
    }
    char digits[16];
    size_t len = sizeof REDIS_HEAD - 1 + (size_t)snprintf(digits, sizeof digits, "%zu", text_len) + 4 + text_len;
    uint64_t base = tally->bytes, sent = 0;
    double cpu = cpu_us_of(redis_pid);
    int64_t start = clock_mono_us(), now, gap = (int64_t)n * 1000000 / PACED;
    while ((now = clock_mono_us()) - start < FOR_US) {
        bool may = (sent + batch) * n * len <= tally->bytes - base + (uint64_t)AHEAD * n * len;
        int64_t due = flat ? now : start + (int64_t)sent * gap;
        if (may && now >= due) {
            publish(fd, &messages, batch);
            sent += batch;
        } else {
            usleep(may && due - now > 100 ? (useconds_t)(due - now) : 100);
        }
    }
    buf_release(&messages);
    for (int64_t until = clock_mono_us() + 10000000; tally->bytes - base < sent * n * len && clock_mono_us() < until;)
        usleep(200);
    if (tally->bytes - base != sent * n * len) fprintf(stderr, "fan: redis delivered another number of bytes\n");
    double took = (double)(clock_mono_us() - start) / 1e6, all = (double)sent * n;
    return (struct figure){
        .per_second = all / took, .cpu_us = (cpu_us_of(redis_pid) - cpu) / all, .commits = (double)sent / took};
}

/* --- the whole --- */

static size_t message_len(void) {
    struct buf b;
    buf_init(&b, 1000);
    buf_add_str(
        &b, "{\"id\":1000000001,\"patch\":[{\"op\":\"replace\",\"path\":\"/cpu/percentageUsed\",\"value\":1000000}]}");
    size_t len = b.len;
    buf_release(&b);
    return len;
}

static void quiet_own(unsigned n) {
    uint64_t seen = 0;
    int64_t changed = clock_mono_us();
    while (clock_mono_us() - changed < 300000 || sub_n < n) {
        loop_turn(l, 5);
        if (tally->bytes != seen) changed = clock_mono_us();
        seen = tally->bytes;
    }
}

static void compare(struct listener *li, unsigned n) {
    struct err e = ERR_INIT;
    struct address a;
    (void)li;
    size_t len = message_len();
    if (!listen_address(li->fd.fd, &a, &e)) fail("the listener");
    pin(0);
    uint64_t memory = mem_stats().live_bytes;
    size_t held = resident();
    start_client(address_port(&a), n, false);
    quiet_own(n);
    double each = (double)(mem_stats().live_bytes - memory) / n, pages = ((double)resident() - (double)held) / n;
    struct figure paced = measure_own(n, len, false), flat = measure_own(n, len, true);
    stop_client();
    while (sub_n) loop_turn(l, 10);

    pin(1);
    start_client(redis_port, n, true);
    int fd = dial(redis_port);
    uint64_t seen = 1;
    for (int idle = 0; idle < 3 || tally->connected < n;) {
        idle = seen == tally->bytes ? idle + 1 : 0;
        seen = tally->bytes;
        usleep(100000);
    }
    struct figure rp = measure_redis(fd, n, len, false), rf = measure_redis(fd, n, len, true);
    close(fd);
    stop_client();
    usleep(300000); /* it closes them */

    printf("%u subscribers, messages of %zu bytes\n", n, len);
    printf(
        "  paced      startbox %8.0f deliveries/s, %.2f us each; redis %8.0f, %.2f us: %.2f x redis' processor time\n",
        paced.per_second, paced.cpu_us, rp.per_second, rp.cpu_us, paced.cpu_us / rp.cpu_us);
    printf("  flat out   startbox %8.0f deliveries/s, %.2f us each; redis %8.0f, %.2f us: %.2f x, %.2f times as many\n",
           flat.per_second, flat.cpu_us, rf.per_second, rf.cpu_us, flat.cpu_us / rf.cpu_us,
           flat.per_second / rf.per_second);
    printf("  encodings a commit %.2f paced, %.2f flat out (%.1f revisions a news at %.0f commits/s)\n",
           paced.encodings, flat.encodings, flat.revisions_a_news, flat.commits);
    printf("  memory     %.0f bytes a subscriber (its connection and its watch; %.0f by pages)\n", each, pages);
}

int main(void) {
    struct rlimit r;
    getrlimit(RLIMIT_NOFILE, &r);
    if (r.rlim_max < 12000 && geteuid() == 0) r.rlim_max = 12000;
    r.rlim_cur = r.rlim_max > 12000 ? 12000 : r.rlim_max;
    setrlimit(RLIMIT_NOFILE, &r);
    signal(SIGPIPE, SIG_IGN);
    tally = mmap(NULL, sizeof *tally, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (tally == MAP_FAILED) fail("shared memory");
    struct err e = ERR_INIT;
    struct address a;
    struct listener li = {.call = accepted, .name = "fan"};
    int fd = -1;
    l = loop_new(&e);
    root = VAL_MAP_OF({"public", VAL_MAP_OF({"metrics", val_empty_map()})});
    revision = FIRST_ID;
    ws = l ? watchers_new(l, NULL, &root, revision, &watch_limits, &e) : NULL;
    if (!ws || !address_read(LIT("127.0.0.1:0"), &a, &e) || (fd = listen_open(&a, &e)) < 0 ||
        !listener_start(&li, l, fd, &e)) {
        fprintf(stderr, "fan: %s\n", e.text);
        return 1;
    }
    if (!start_redis()) {
        stop_redis();
        fprintf(stderr, "fan: redis-server does not start\n");
        return 1;
    }
    atexit(stop_redis);
    printf("one change to many subscribers over TCP, beside redis' publish and subscribe\n");
    static const unsigned sizes[] = {100, 1000, MOST};
    for (unsigned i = 0; i < 3; i++)
        if (sizes[i] + 100 < r.rlim_cur)
            compare(&li, sizes[i]);
        else
            printf("%u subscribers: only %llu descriptors are allowed\n", sizes[i], (unsigned long long)r.rlim_cur);
    listener_stop(&li);
    loop_turn(l, 0);
    watchers_free(ws);
    return 0;
}
