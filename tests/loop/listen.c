/* listen.c - addresses, listeners and datagrams on the loopback and on Unix sockets. */
#include "loop/listen.h"

#include "base/mem.h"
#include "lib/tap.h"
#include "loop/stream.h"
#include "loop/udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

TEST(addresses_are_read_and_written) {
    static const struct {
        const char *text, *back; /* back NULL: refused */
    } forms[] = {{"127.0.0.1:80", "127.0.0.1:80"},
                 {"[::1]:65535", "[::1]:65535"},
                 {"[2001:db8::0:1]:0", "[2001:db8::1]:0"},
                 {":443", "[::]:443"},
                 {"*:443", "[::]:443"},
                 {"[fe80::1%1]:5353", "[fe80::1%1]:5353"},
                 {"unix:/run/x.sock", "unix:/run/x.sock"},
                 {"127.0.0.1", NULL},
                 {"127.0.0.1:", NULL},
                 {"127.0.0.1:65536", NULL},
                 {"127.0.0:80", NULL},
                 {"::1:80", NULL},
                 {"[::1:80", NULL},
                 {"[::1]80", NULL},
                 {"[::1%nosuchinterface]:80", NULL},
                 {"localhost:80", NULL},
                 {"unix:", NULL},
                 {"", NULL}};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct address a;
        struct err e = ERR_INIT;
        struct buf b;
        buf_init(&b, 200);
        bool good = address_read(slice_str(forms[i].text), &a, &e);
        if (!CHECK(good == (forms[i].back != NULL))) tap_note("%s", forms[i].text);
        if (good) {
            CHECK(address_write(&b, &a));
            CHECK_TEXT(buf_slice(&b), slice_str(forms[i].back));
        }
        buf_release(&b);
    }
    struct address a;
    char longest[200];
    memset(longest, 'x', sizeof longest);
    memcpy(longest, "unix:", 5);
    CHECK(!address_read(slice_of(longest, sizeof longest), &a, NULL));
    CHECK(!address_read(slice_of(longest + 5, 150), &a, NULL));
}

static struct loop *loop;
static struct err err;
static int accepted[100];
static unsigned accepted_n;
static bool stop_at_first;

static void take(struct listener *li, int fd, const struct address *peer) {
    CHECK(peer->len > 0);
    if (accepted_n < 100) accepted[accepted_n++] = fd;
    if (stop_at_first) listener_stop(li);
}

static void begin(void) {
    loop = loop_new(&err);
    accepted_n = 0;
    stop_at_first = false;
}
static void end(void) {
    for (unsigned i = 0; i < accepted_n; i++) close(accepted[i]);
    loop_free(loop);
}
static void turns(unsigned n) {
    while (n--) loop_turn(loop, 0);
}

static int dial(const struct address *a) {
    int fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(connect(fd, &a->any, a->len) == 0);
    return fd;
}

static bool listen_on(const char *text, struct listener *li, struct address *bound) {
    struct address a;
    if (!CHECK(address_read(slice_str(text), &a, &err))) return false;
    int fd = listen_open(&a, &err);
    if (!CHECK(fd >= 0)) {
        tap_note("%s", err.text);
        return false;
    }
    return CHECK(listen_address(fd, bound, &err)) && CHECK(listener_start(li, loop, fd, &err));
}

TEST(connections_are_accepted_a_few_a_turn) {
    begin();
    struct listener li = {.call = take, .name = "test"};
    struct address at;
    if (!listen_on("127.0.0.1:0", &li, &at)) return;
    CHECK(address_port(&at) != 0);
    int fds[40];
    for (int i = 0; i < 40; i++) fds[i] = dial(&at);
    turns(1);
    CHECK_INT(accepted_n, LISTEN_BATCH);
    turns(2);
    CHECK_INT(accepted_n, 40);
    CHECK_INT(fcntl(accepted[0], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    CHECK_INT(fcntl(accepted[0], F_GETFD), FD_CLOEXEC);
    struct err e = ERR_INIT;
    CHECK(listen_open(&at, &e) < 0 && e.os == EADDRINUSE && strstr(e.text, "listening on 127.0.0.1:"));
    stop_at_first = true;
    int more[2] = {dial(&at), dial(&at)};
    turns(2);
    CHECK_INT(accepted_n, 41); /* stopped inside its own callback */
    listener_stop(&li);
    for (int i = 0; i < 40; i++) close(fds[i]);
    close(more[0]);
    close(more[1]);
    end();
}

TEST(without_descriptors_a_listener_rests_and_comes_back) {
    begin();
    struct listener li = {.call = take, .name = "test"};
    struct address at;
    if (!listen_on("127.0.0.1:0", &li, &at)) return;
    int fd = dial(&at);
    struct rlimit was, tight;
    getrlimit(RLIMIT_NOFILE, &was);
    int probe = dup(0);
    tight = (struct rlimit){(rlim_t)probe, was.rlim_max};
    close(probe);
    setrlimit(RLIMIT_NOFILE, &tight);
    turns(5);
    setrlimit(RLIMIT_NOFILE, &was);
    CHECK_INT(accepted_n, 0);
    CHECK_INT(li.starved, 1); /* it did not spin */
    for (int i = 0; i < 100 && !accepted_n; i++) loop_turn(loop, 20);
    CHECK_INT(accepted_n, 1);
    listener_stop(&li);
    close(fd);
    end();
}

TEST(a_unix_socket_knows_its_peer_and_a_stale_one_is_replaced) {
    begin();
    char dir[] = "/tmp/startbox-test-XXXXXX", text[80];
    CHECK(mkdtemp(dir) != NULL);
    snprintf(text, sizeof text, "unix:%s/s", dir);
    struct listener li = {.call = take, .name = "test"}, again = {.call = take, .name = "again"};
    struct address at, same;
    if (!listen_on(text, &li, &at)) return;
    struct err e = ERR_INIT;
    CHECK(listen_open(&at, &e) < 0 && e.os == EADDRINUSE); /* somebody answers there */
    int fd = dial(&at);
    turns(1);
    struct unix_peer peer;
    CHECK_INT(accepted_n, 2); /* the one that asked whether somebody answers, and ours */
    CHECK(unix_peer(accepted[1], &peer, &e) && peer.pid == getpid() && peer.uid == getuid());
    listener_stop(&li); /* the file stays behind */
    CHECK(listen_on(text, &again, &same));
    listener_stop(&again);
    CHECK(!unix_peer(-1, &peer, &e));
    close(fd);
    unlink(text + 5);
    rmdir(dir);
    end();
}

static unsigned got_n;
static bool answer, stop_on_data;

static void hear(struct udp *u, const struct datagram *d) {
    got_n++;
    CHECK(d->to.any.sa_family == AF_INET || d->to.any.sa_family == AF_INET6);
    CHECK(d->interface > 0);
    if (answer) CHECK(udp_send(u, &d->from, d, d->bytes));
    if (stop_on_data) udp_stop(u);
}

static bool udp_on(const char *text, struct udp *u, struct address *bound) {
    struct address a;
    if (!CHECK(address_read(slice_str(text), &a, &err))) return false;
    int fd = udp_open(&a, &err);
    if (!CHECK(fd >= 0)) {
        tap_note("%s", err.text);
        return false;
    }
    return CHECK(listen_address(fd, bound, &err)) && CHECK(udp_start(u, loop, fd, 600, &err));
}

TEST(datagrams_come_in_batches_and_are_answered_from_where_they_were_asked) {
    begin();
    struct udp u = {.call = hear, .name = "udp"};
    struct address at;
    if (!udp_on("0.0.0.0:0", &u, &at)) return;
    at.v4.sin_addr.s_addr = htonl(0x7f000002); /* one of many addresses of the loopback */
    answer = true;
    stop_on_data = false;
    got_n = 0;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    for (int i = 0; i < 100; i++) CHECK(sendto(fd, &i, sizeof i, 0, &at.any, at.len) == sizeof i);
    char big[700] = {0};
    CHECK(sendto(fd, big, sizeof big, 0, &at.any, at.len) == sizeof big);
    turns(1);
    CHECK_INT(got_n, UDP_TURN);
    turns(2);
    CHECK_INT(got_n, 100);
    CHECK_INT(u.dropped, 1); /* too long, and not handed out cut */
    for (int i = 0; i < 100; i++) {
        int back = -1;
        struct address from = {.len = sizeof from.un};
        CHECK(recvfrom(fd, &back, sizeof back, 0, &from.any, &from.len) == sizeof back && back == i);
        CHECK_INT(from.v4.sin_addr.s_addr, at.v4.sin_addr.s_addr);
    }
    CHECK_INT(u.sent, 100);
    CHECK(!udp_send(&u, &at, NULL, slice_of(big, sizeof big)));
    struct address nowhere;
    CHECK(address_read(LIT("127.0.0.1:0"), &nowhere, NULL));
    CHECK(udp_send(&u, &nowhere, NULL, LIT("lost"))); /* port 0 cannot be sent to: dropped, the next one leaves */
    struct address me = {.len = sizeof me.un};
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int other = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    CHECK(bind(other, (struct sockaddr *)&any, sizeof any) == 0 && getsockname(other, &me.any, &me.len) == 0);
    CHECK(udp_send(&u, &me, NULL, LIT("kept")));
    turns(1);
    CHECK(read(other, big, sizeof big) == 4);
    CHECK_INT(u.dropped, 2);
    stop_on_data = true;
    CHECK(sendto(fd, "x", 1, 0, &at.any, at.len) == 1 && sendto(fd, "y", 1, 0, &at.any, at.len) == 1);
    turns(2);
    CHECK_INT(got_n, 101);
    udp_stop(&u);
    close(fd);
    close(other);
    end();
}

TEST(datagrams_over_ipv6_know_their_address_too) {
    begin();
    struct udp u = {.call = hear, .name = "udp"};
    struct address at;
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in6 self = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    if (fd < 0 || bind(fd, (struct sockaddr *)&self, sizeof self))
        tap_skip("this machine has no IPv6 loopback");
    else if (udp_on("[::1]:0", &u, &at)) {
        answer = true;
        stop_on_data = false;
        got_n = 0;
        CHECK(sendto(fd, "six", 3, 0, &at.any, at.len) == 3);
        turns(1);
        char in[10];
        CHECK_INT(got_n, 1);
        CHECK(read(fd, in, sizeof in) == 3);
        udp_stop(&u);
    }
    if (fd >= 0) close(fd);
    end();
}

TEST(memory_that_is_missing_is_an_error_of_that_call) {
    begin();
    struct udp u = {.call = hear, .name = "udp"};
    struct address a;
    CHECK(address_read(LIT("127.0.0.1:0"), &a, NULL));
    int fd = udp_open(&a, &err);
    for (int n = 1; n <= 2; n++) {
        struct err e = ERR_INIT;
        mem_fault((uint64_t)n, 0);
        CHECK(!udp_start(&u, loop, fd, 600, &e) && e.code == ERR_NOMEM);
        mem_fault(0, 0);
    }
    CHECK(!udp_send(&u, &a, NULL, LIT("x")));
    udp_stop(&u);
    struct address taken;
    CHECK(listen_address(fd, &taken, &err));
    CHECK(udp_open(&taken, &err) < 0 && err.os == EADDRINUSE);
    close(fd);
    CHECK(!udp_start(&u, loop, -1, 600, &err));
    end();
}

TAP_MAIN(T(addresses_are_read_and_written), T(connections_are_accepted_a_few_a_turn),
         T(without_descriptors_a_listener_rests_and_comes_back),
         T(a_unix_socket_knows_its_peer_and_a_stale_one_is_replaced),
         T(datagrams_come_in_batches_and_are_answered_from_where_they_were_asked),
         T(datagrams_over_ipv6_know_their_address_too), T(memory_that_is_missing_is_an_error_of_that_call))
