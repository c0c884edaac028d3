/* big_map.c - a map of a million entries (12-byte keys, 8-byte texts) beside redis-server holding the same, started here on a
 * socket of its own: memory an entry, and the time of an update.
 *
 * redis is told over its socket by HSET, one at a time and sixteen in one write, so its figure holds the protocol and two
 * system calls; ours is a function call on a version somebody else holds, so every update copies its path. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/val.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define ENTRIES 1000000u
#define UPDATES 200000u
#define BATCH   1000u

static char dir[] = "/tmp/startbox-bench-XXXXXX";
static char socket_path[64];
static pid_t redis_pid;

static void key_text(char *out, unsigned i) {
    snprintf(out, 16, "key-%08u", i);
}

static struct val key_of(unsigned i) {
    char text[16];
    key_text(text, i);
    return val_of_text_checked(slice_of(text, 12));
}
static struct val value_of(unsigned i) {
    char text[16];
    snprintf(text, sizeof text, "%08u", i);
    return val_of_text_checked(slice_of(text, 8));
}

static int start_redis(void) {
    if (!mkdtemp(dir)) return -1;
    snprintf(socket_path, sizeof socket_path, "%s/s", dir);
    redis_pid = fork();
    if (redis_pid == 0) {
        execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", socket_path, "--save", "", "--appendonly",
               "no", "--dir", dir, "--logfile", "/dev/null", (char *)NULL);
        _exit(127);
    }
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof a.sun_path, "%s", socket_path);
    for (int i = 0; i < 200; i++) {
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0) return fd;
        close(fd);
        usleep(20000);
    }
    return -1;
}

static void stop_redis(void) {
    if (redis_pid > 0) {
        kill(redis_pid, SIGKILL);
        waitpid(redis_pid, NULL, 0);
    }
    unlink(socket_path);
    rmdir(dir);
}

/* Sends what is in b and waits for `replies` lines. */
static void talk(int fd, struct buf *b, unsigned replies) {
    for (size_t done = 0; done < b->len;) {
        ssize_t n = write(fd, b->ptr + done, b->len - done);
        if (n <= 0) exit(1);
        done += (size_t)n;
    }
    buf_reset(b);
    char in[65536];
    while (replies) {
        ssize_t n = read(fd, in, sizeof in);
        if (n <= 0) exit(1);
        for (ssize_t i = 0; i < n; i++) replies -= in[i] == '\n';
    }
}

static void add_hset(struct buf *b, unsigned key, unsigned value) {
    buf_printf(b, "*4\r\n$4\r\nHSET\r\n$1\r\nh\r\n$12\r\nkey-%08u\r\n$8\r\n%08u\r\n", key, value);
}

static unsigned long long redis_memory(int fd) {
    struct buf b;
    buf_init(&b, 100);
    buf_add(&b, LIT("INFO memory\r\n"));
    if (write(fd, b.ptr, b.len) < 0) exit(1);
    buf_release(&b);
    char in[16384];
    size_t len = 0;
    const char *at = NULL;
    while (len + 1 < sizeof in) {
        ssize_t n = read(fd, in + len, sizeof in - 1 - len);
        if (n <= 0) exit(1);
        len += (size_t)n;
        in[len] = 0;
        at = strstr(in, "used_memory:");
        if (at && strstr(at, "\r\n") && strstr(in, "lazyfreed_objects")) break;
    }
    return at ? strtoull(at + 12, NULL, 10) : 0;
}

static double redis_load(int fd, bool hash) {
    struct buf b;
    buf_init(&b, 1 << 20);
    unsigned long long before = redis_memory(fd);
    for (unsigned i = 0; i < ENTRIES; i++) {
        if (hash)
            add_hset(&b, i, i);
        else
            buf_printf(&b, "*3\r\n$3\r\nSET\r\n$12\r\nkey-%08u\r\n$8\r\n%08u\r\n", i, i);
        if ((i + 1) % BATCH == 0) talk(fd, &b, BATCH);
    }
    buf_release(&b);
    return (double)(redis_memory(fd) - before) / ENTRIES;
}

static double redis_update(int fd, unsigned batch) {
    struct buf b;
    buf_init(&b, 1 << 20);
    unsigned updates = batch == 1 ? UPDATES / 4 : UPDATES;
    int64_t start = clock_mono_us();
    for (unsigned i = 0; i < updates; i++) {
        add_hset(&b, (unsigned)((uint64_t)i * 7919 % ENTRIES), i);
        if ((i + 1) % batch == 0) talk(fd, &b, batch);
    }
    double each = (double)(clock_mono_us() - start) / updates;
    buf_release(&b);
    return each;
}

int main(void) {
    uint64_t before = mem_stats().live_bytes, spans = mem_stats().span_bytes;
    struct val_builder build;
    val_build_init(&build, 4, true);
    int64_t start = clock_mono_us();
    val_build_open(&build, VAL_MAP);
    for (unsigned i = 0; i < ENTRIES; i++) {
        val_build_add(&build, key_of(i));
        val_build_add(&build, value_of(i));
    }
    val_build_close(&build);
    struct val map = val_build_take(&build);
    double built_ms = (double)(clock_mono_us() - start) / 1000;
    val_build_release(&build);
    double ours = (double)(mem_stats().live_bytes - before) / ENTRIES,
           held = (double)(mem_stats().span_bytes - spans) / ENTRIES;

    start = clock_mono_us();
    for (unsigned i = 0; i < UPDATES; i++) {
        struct val old = val_ref(&map);
        if (!val_set(&map, key_of((unsigned)((uint64_t)i * 7919 % ENTRIES)), value_of(i))) return 1;
        val_unref(&old);
    }
    double shared_us = (double)(clock_mono_us() - start) / UPDATES;
    start = clock_mono_us();
    for (unsigned i = 0; i < UPDATES; i++)
        if (!val_set(&map, key_of((unsigned)((uint64_t)i * 7919 % ENTRIES)), value_of(i))) return 1;
    double own_us = (double)(clock_mono_us() - start) / UPDATES;
    start = clock_mono_us();
    val_unref(&map);
    double release_ms = (double)(clock_mono_us() - start) / 1000;

    int fd = start_redis();
    if (fd < 0) {
        stop_redis();
        fprintf(stderr, "big_map: redis-server does not start\n");
        return 1;
    }
    double keys = redis_load(fd, false);
    struct buf flush;
    buf_init(&flush, 100);
    buf_add(&flush, LIT("FLUSHALL\r\n"));
    talk(fd, &flush, 1);
    buf_release(&flush);
    double hash = redis_load(fd, true), one = redis_update(fd, 1), sixteen = redis_update(fd, 16),
           least = keys < hash ? keys : hash;
    close(fd);
    stop_redis();

    printf("a map of %u entries, 12-byte keys and 8-byte texts\n", ENTRIES);
    printf("  bytes an entry      startbox %.1f (slabs held %.1f), redis keys %.1f, redis hash %.1f: %.2f x redis "
           "(bar: 0.70)\n",
           ours, held, keys, hash, held / least);
    printf("  built at once       startbox %.0f ms, released in %.0f ms\n", built_ms, release_ms);
    printf("  an update, us       startbox %.2f on a shared version, %.2f on its own; redis HSET %.2f one at a time, "
           "%.2f sixteen at once\n",
           shared_us, own_us, one, sixteen);
    return 0;
}
