/* stage.h - a web server over real sockets of this machine on a loop whose clock the test turns, and clients in the plain. Included
 * by the tests of this folder; each has routes of its own. */
#ifndef TESTS_HTTP_STAGE_H
#define TESTS_HTTP_STAGE_H

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "http/server.h"
#include "lib/tap.h"
#include "loop/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef STAGE_HAS_LOOP /* tests that have one already */
static struct loop *loop;
static struct err err;
#endif
static struct http_server *server;
static struct http_limits limits;
static struct address where;
static int64_t now_us;

static int64_t tell_time(void *arg) {
    (void)arg;
    return now_us;
}

static void stage_begin(struct http_limits l, const struct http_route *routes, unsigned route_n) {
    now_us = INT64_C(1800000000) * 1000000; /* 2027 */
    static const struct clock_source source = {tell_time, tell_time, NULL};
    clock_use(&source);
    limits = l;
#ifndef STAGE_HAS_LOOP
    loop = loop_new(&err);
#endif
    server = http_server_new(loop, routes, route_n, &limits, &err);
    CHECK(address_read(LIT("127.0.0.1:0"), &where, &err));
    int fd = listen_open(&where, &err);
    CHECK(fd >= 0 && http_server_listen(server, fd, NULL, NULL, &err) && listen_address(fd, &where, &err));
}
static void stage_end(void) {
    http_server_abort(server);
    loop_turn(loop, 0);
    CHECK_INT(http_server_counts(server).open, 0);
    CHECK_INT(http_server_counts(server).held, 0);
    http_server_free(server);
    CHECK_INT(loop_stats(loop).timers, 0);
#ifndef STAGE_HAS_LOOP
    CHECK_INT(loop_stats(loop).fds, 0);
    loop_free(loop);
#endif
    clock_use(NULL);
}
static inline void turns(unsigned n) {
    while (n--) loop_turn(loop, 0);
}
static inline void pass(int64_t ms) {
    now_us += ms * 1000;
    turns(4);
}
static inline int dial(void) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0 && connect(fd, &where.any, where.len) == 0);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    turns(2);
    return fd;
}
static inline void say(int fd, struct slice s) {
    while (s.len) {
        ssize_t n = send(fd, s.ptr, s.len, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN) return;
        if (n > 0) s = slice_skip(s, (size_t)n);
        turns(2);
    }
}
/* All that comes; *over: the server closed. */
static inline struct buf hear(int fd, bool *over) {
    struct buf b;
    buf_init(&b, 1u << 28);
    bool end = false;
    for (int idle = 0; idle < 3 && !end;) {
        for (int i = 0; i < 100 && loop_turn(loop, 0); i++) continue; /* until nothing happens any more */
        uint8_t *at = buf_room(&b, 65536);
        ssize_t n = recv(fd, at, 65536, 0);
        if (n > 0) buf_wrote(&b, (size_t)n);
        end = n == 0 || (n < 0 && errno != EAGAIN);
        idle = n > 0 ? 0 : idle + 1;
    }
    if (over) *over = end;
    return b;
}
static inline bool contains(const struct buf *b, struct slice want) {
    return b->len && memmem(b->ptr, b->len, want.ptr, want.len) != NULL;
}
static inline unsigned count(const struct buf *b, struct slice want) {
    unsigned n = 0;
    for (const uint8_t *at = b->ptr, *end = b->ptr + b->len;
         at && (at = memmem(at, (size_t)(end - at), want.ptr, want.len)); at++)
        n++;
    return n;
}
static inline unsigned status_of(const struct buf *b) {
    return b->len > 12 ? (unsigned)strtoul((const char *)b->ptr + 9, NULL, 10) : 0;
}
/* One request on a connection of its own. */
static inline unsigned ask_once(struct slice request, struct buf *answer, bool *over) {
    int fd = dial();
    say(fd, request);
    struct buf b = hear(fd, over);
    unsigned status = status_of(&b);
    if (answer)
        *answer = b;
    else
        buf_release(&b);
    close(fd);
    turns(3);
    return status;
}

#endif
