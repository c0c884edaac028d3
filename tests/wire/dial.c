/* dial.c - connections made to real sockets on the loopback: races of families, refusals, black holes, guards, deadlines. */
#include "name_server.h"

#include "base/mem.h"
#include "lib/faults.h"
#include "wire/dial.h"

#include <fcntl.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define N(rows) (sizeof(rows) / sizeof((rows)[0]))

struct caller {
    struct dial d;
    unsigned done;
    int fd;
    struct address peer;
    struct err err;
    bool free_it, again;
    struct caller *cancels;
    /* what the guard was asked, and what it says */
    char asked[400];
    const char *only; /* an address that alone is allowed; NULL: all */
};

static struct resolver *resolver;
static struct name_server server;
static char path[100], folder[60];
static unsigned fds_before;

static void write_address(const struct address *a, char *to, size_t room) {
    struct buf text = {.ptr = (uint8_t *)to, .cap = room - 1, .max = room - 1};
    address_write(&text, a);
    to[text.len] = 0;
}

static void on_done(struct dial *d, int fd, const struct address *peer, const struct err *e) {
    struct caller *c = LOOP_OWNER(struct caller, d, d);
    c->done++;
    c->fd = fd;
    c->err = *e;
    CHECK((fd >= 0) == (peer != NULL));
    if (peer) c->peer = *peer;
    if (fd < 0) CHECK(e->code != ERR_NONE && e->text[0]);
    if (c->cancels) dial_cancel(&c->cancels->d);
    if (c->again) {
        c->again = false;
        if (fd >= 0) close(fd);
        dial_start(d, loop, resolver, LIT("192.0.2.1"), 0, 0);
    }
    if (c->free_it) {
        if (fd >= 0) close(fd);
        free(c);
    }
}

static bool guard(void *arg, const struct address *a) {
    struct caller *c = arg;
    char text[140];
    write_address(a, text, sizeof text);
    size_t len = strlen(c->asked);
    snprintf(c->asked + len, sizeof c->asked - len, "%s ", text);
    return !c->only || !strcmp(c->only, text);
}

static void prepare(struct caller *c) {
    *c = (struct caller){.fd = -1};
    c->d = (struct dial){.done = on_done, .allowed = guard, .arg = c};
}

/* --- the stage --- */

static bool begin(const struct ns_record *zone, const char *hosts) {
    fds_before = count_fds();
    ns_now_us = 1000000000;
    clock_use(&ns_by_hand);
    loop = loop_new(&err);
    if (!loop) return false;
    if (!ns_start(&server, "127.0.0.2", 0, zone)) return false;
    const struct resolver_config config = {LIT("nameserver 127.0.0.2\noptions timeout:1\n"),
                                           slice_str(hosts ? hosts : ""), address_port(&server.at)};
    resolver = resolver_new(loop, &config, &err);
    return resolver != NULL;
}

static void finish(void) {
    resolver_free(resolver);
    resolver = NULL;
    ns_stop(&server);
    loop_free(loop);
    loop = NULL;
    memset(&server, 0, sizeof server);
    clock_use(NULL);
    CHECK_INT(count_fds(), fds_before);
}

/* --- the other ends --- */

/* A port that is free on 127.0.0.1 and on ::1. */
static uint16_t free_port(void) {
    for (int attempt = 0; attempt < 50; attempt++) {
        struct address a, b;
        address_read(LIT("127.0.0.1:0"), &a, NULL);
        int four = listen_open(&a, &err);
        if (four < 0 || !listen_address(four, &a, &err)) return 0;
        address_read(LIT("[::1]:0"), &b, NULL);
        b.v6.sin6_port = a.v4.sin_port;
        int six = listen_open(&b, &err);
        close(four);
        if (six < 0) continue;
        close(six);
        return ntohs(a.v4.sin_port);
    }
    return 0;
}

static struct address at(const char *host, uint16_t port) {
    char text[80];
    struct address a;
    snprintf(text, sizeof text, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);
    CHECK(address_read(slice_str(text), &a, &err));
    return a;
}

static int listen_at(const char *host, uint16_t port) {
    struct address a = at(host, port);
    int fd = listen_open(&a, &err);
    if (!CHECK(fd >= 0)) tap_note("%s", err.text);
    return fd;
}

/* A listener whose queue is full: the kernel drops what would connect, so nothing ever comes back. */
struct hole {
    int fd, filler[8];
};
static struct hole dig_hole(const char *host, uint16_t port) {
    struct hole h = {.fd = -1};
    struct address a = at(host, port);
    h.fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    if (a.any.sa_family == AF_INET6) setsockopt(h.fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    CHECK(bind(h.fd, &a.any, a.len) == 0 && listen(h.fd, 0) == 0);
    for (size_t i = 0; i < N(h.filler); i++) {
        h.filler[i] = socket(a.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        CHECK(connect(h.filler[i], &a.any, a.len) == 0 || errno == EINPROGRESS);
    }
    return h;
}
static void fill_hole(struct hole *h) {
    for (size_t i = 0; i < N(h->filler); i++) close(h->filler[i]);
    close(h->fd);
}

static bool is_connected(int fd) {
    struct address a = {.len = sizeof a.un};
    int flags = fcntl(fd, F_GETFL);
    return getpeername(fd, &a.any, &a.len) == 0 && flags & O_NONBLOCK && fcntl(fd, F_GETFD) & FD_CLOEXEC;
}

static const struct ns_record both[] = {
    {"both.test", DNS_TYPE_A, 60, "127.0.0.1"}, {"both.test", DNS_TYPE_AAAA, 60, "::1"}, {0}};

static const char *peer_text(const struct caller *c) {
    static char text[140];
    write_address(&c->peer, text, sizeof text);
    return text;
}

static void check_text(const char *got, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void check_text(const char *got, const char *fmt, ...) {
    char want[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(want, sizeof want, fmt, ap);
    va_end(ap);
    CHECK_TEXT(slice_str(got), slice_str(want));
}

/* --- what connects --- */

TEST(an_address_or_a_name_becomes_a_connected_descriptor) {
    if (!CHECK(begin(both, "127.0.0.1 four.test\n"))) return;
    uint16_t port = free_port();
    int four = listen_at("127.0.0.1", port), six = listen_at("::1", port);
    static const struct {
        const char *host, *peer;
    } rows[] = {
        {"127.0.0.1", "127.0.0.1"}, {"::1", "[::1]"},       {"[::1]", "[::1]"},      {"localhost", "[::1]"},
        {"four.test", "127.0.0.1"}, {"both.test", "[::1]"}, {"BOTH.test.", "[::1]"},
    };
    for (size_t i = 0; i < N(rows); i++) {
        struct caller c;
        prepare(&c);
        dial_start(&c.d, loop, resolver, slice_str(rows[i].host), port, 0);
        CHECK_INT(c.done, 0);
        settle();
        CHECK_INT(c.done, 1);
        if (!CHECK(c.fd >= 0 && is_connected(c.fd))) {
            tap_note("%s: %s", rows[i].host, c.err.text);
            continue;
        }
        check_text(peer_text(&c), "%s:%u", rows[i].peer, port);
        int on = 0;
        socklen_t len = sizeof on;
        CHECK(getsockopt(c.fd, IPPROTO_TCP, TCP_NODELAY, &on, &len) == 0 && on);
        CHECK(c.err.code == ERR_NONE && !c.d.work);
        close(c.fd);
    }
    close(four);
    close(six);
    finish();
}

static void make_path(void) {
    snprintf(folder, sizeof folder, "/tmp/startbox-dial-%d", (int)getpid());
    mkdir(folder, 0700);
    snprintf(path, sizeof path, "unix:%s/s", folder);
}

TEST(a_unix_socket_is_dialled_by_its_path) {
    if (!CHECK(begin(NULL, NULL))) return;
    make_path();
    struct address a;
    CHECK(address_read(slice_str(path), &a, &err));
    int fd = listen_open(&a, &err);
    struct caller c;
    prepare(&c);
    dial_start(&c.d, loop, resolver, slice_str(path), 0, 0);
    CHECK_INT(c.done, 0); /* although it stands already */
    settle();
    CHECK(c.done == 1 && c.fd >= 0 && is_connected(c.fd));
    CHECK_TEXT(slice_str(peer_text(&c)), slice_str(path));
    if (c.fd >= 0) close(c.fd);
    /* Cancelled before it is told: closed. */
    prepare(&c);
    dial_start(&c.d, loop, resolver, slice_str(path), 0, 0);
    dial_cancel(&c.d);
    settle();
    CHECK_INT(c.done, 0);
    close(fd);
    prepare(&c);
    dial_start(&c.d, loop, resolver, slice_str(path), 0, 0);
    settle();
    CHECK_INT(c.done, 1);
    check_text(c.err.text, "no address of %s answered: %s connection refused", path, path);
    unlink(path + 5);
    prepare(&c);
    dial_start(&c.d, loop, resolver, slice_str(path), 0, 0);
    settle();
    check_text(c.err.text, "no address of %s answered: %s no such file or directory", path, path);
    CHECK_INT(c.err.os, ENOENT);
    prepare(&c);
    dial_start(&c.d, loop, resolver, LIT("unix:"), 0, 0);
    settle();
    CHECK(c.done == 1 && c.err.code == ERR_INVALID);
    rmdir(folder);
    finish();
}

/* --- happy eyeballs --- */

TEST(when_ipv6_is_refused_ipv4_connects_at_once) {
    if (!CHECK(begin(both, NULL))) return;
    uint16_t port = free_port();
    int four = listen_at("127.0.0.1", port);
    struct caller c;
    prepare(&c);
    int64_t before = ns_now_us;
    dial_start(&c.d, loop, resolver, LIT("both.test"), port, 0);
    settle();
    CHECK(c.done == 1 && c.fd >= 0);
    CHECK_INT(ns_now_us, before);
    check_text(c.asked, "[::1]:%u 127.0.0.1:%u ", port, port);
    check_text(peer_text(&c), "127.0.0.1:%u", port);
    close(c.fd);
    close(four);
    finish();
}

TEST(when_ipv6_leads_nowhere_ipv4_is_tried_after_the_delay_and_the_loser_is_closed) {
    if (!CHECK(begin(both, NULL))) return;
    uint16_t port = free_port();
    int four = listen_at("127.0.0.1", port);
    struct hole hole = dig_hole("::1", port);
    unsigned fds = count_fds();
    struct caller c;
    prepare(&c);
    dial_start(&c.d, loop, resolver, LIT("both.test"), port, 0);
    pass_ms(240);
    check_text(c.asked, "[::1]:%u ", port);
    CHECK_INT(c.done, 0);
    CHECK_INT(count_fds(), fds + 1);
    pass_ms(20);
    CHECK(c.done == 1 && c.fd >= 0 && is_connected(c.fd));
    check_text(peer_text(&c), "127.0.0.1:%u", port);
    CHECK_INT(count_fds(), fds + 1); /* the winner */
    close(c.fd);
    /* With a delay of one's own. */
    prepare(&c);
    c.d.attempt_ms = 1000;
    dial_start(&c.d, loop, resolver, LIT("both.test"), port, 0);
    pass_ms(990);
    CHECK_INT(c.done, 0);
    pass_ms(20);
    CHECK(c.done == 1 && c.fd >= 0);
    close(c.fd);
    fill_hole(&hole);
    close(four);
    finish();
}

TEST(a_slow_first_attempt_may_still_win) {
    if (!CHECK(begin(both, NULL))) return;
    uint16_t port = free_port();
    struct hole six = dig_hole("::1", port), four = dig_hole("127.0.0.1", port);
    unsigned fds = count_fds();
    struct caller c;
    prepare(&c);
    dial_start(&c.d, loop, resolver, LIT("both.test"), port, 0);
    pass_ms(260);
    CHECK_INT(count_fds(), fds + 2); /* both are under way */
    CHECK_INT(c.done, 0);
    /* The queue of the first is emptied; the kernel asks again within a second of its own time. */
    for (size_t i = 0; i < N(six.filler); i++) close(six.filler[i]);
    for (int i = 0; i < 5000 && !c.done; i++) {
        int fd = accept4(six.fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) close(fd);
        loop_turn(loop, 1);
    }
    CHECK(c.done == 1 && c.fd >= 0);
    if (c.done) {
        check_text(peer_text(&c), "[::1]:%u", port);
        close(c.fd);
    }
    CHECK_INT(count_fds(), fds - N(six.filler));
    close(six.fd);
    fill_hole(&four);
    finish();
}

TEST(when_both_are_down_the_error_names_both) {
    if (!CHECK(begin(both, NULL))) return;
    uint16_t port = free_port();
    struct caller c;
    prepare(&c);
    unsigned fds = count_fds();
    dial_start(&c.d, loop, resolver, LIT("both.test"), port, 0);
    settle();
    CHECK_INT(c.done, 1);
    CHECK_INT(c.err.code, ERR_NETWORK);
    CHECK_INT(c.err.os, ECONNREFUSED);
    check_text(c.err.text,
               "no address of both.test answered: [::1]:%u connection refused, 127.0.0.1:%u connection refused", port,
               port);
    CHECK_INT(count_fds(), fds);
    finish();
}

TEST(the_deadline_holds_for_everything_together) {
    if (!CHECK(begin(both, NULL))) return;
    uint16_t port = free_port();
    struct hole six = dig_hole("::1", port), four = dig_hole("127.0.0.1", port);
    unsigned fds = count_fds();
    struct caller c;
    prepare(&c);
    dial_start(&c.d, loop, resolver, LIT("both.test"), port, ns_now_us / 1000 + 2000);
    pass_ms(1980);
    CHECK_INT(c.done, 0);
    pass_ms(40);
    CHECK_INT(c.done, 1);
    CHECK_INT(c.err.code, ERR_TIMEOUT);
    check_text(c.err.text,
               "no address of both.test answered in time: [::1]:%u did not answer, 127.0.0.1:%u did not answer", port,
               port);
    CHECK_INT(count_fds(), fds);
    prepare(&c);
    c.d.attempt_ms = 5000;
    dial_start(&c.d, loop, resolver, LIT("both.test"), port, ns_now_us / 1000 + 2000);
    pass_ms(2020);
    CHECK_INT(c.done, 1);
    check_text(c.err.text, "no address of both.test answered in time: [::1]:%u did not answer, 127.0.0.1:%u not tried",
               port, port);
    fill_hole(&six);
    fill_hole(&four);
    /* The name is not found in time. */
    server.way = NS_SILENT;
    prepare(&c);
    dial_start(&c.d, loop, resolver, LIT("slow.test"), 80, ns_now_us / 1000 + 500);
    pass_ms(520);
    CHECK_INT(c.done, 1);
    CHECK_INT(c.err.code, ERR_TIMEOUT);
    CHECK_TEXT(slice_str(c.err.text), LIT("slow.test was not reached: its address was not found in time"));
    /* None was given: 30 seconds. */
    server.way = NS_HONEST;
    six = dig_hole("::1", port);
    prepare(&c);
    struct address a = at("::1", port);
    dial_start_addresses(&c.d, loop, &a, 1, 0);
    pass_ms(29900);
    CHECK_INT(c.done, 0);
    pass_ms(200);
    CHECK(c.done == 1 && c.err.code == ERR_TIMEOUT);
    fill_hole(&six);
    finish();
}

TEST(ipv4_waits_a_moment_for_ipv6_and_then_goes) {
    if (!CHECK(begin(both, NULL))) return;
    uint16_t port = free_port();
    int four = listen_at("127.0.0.1", port), six = listen_at("::1", port);
    server.way = NS_MUTE_V6;
    struct caller c;
    prepare(&c);
    dial_start(&c.d, loop, resolver, LIT("both.test"), port, 0);
    pass_ms(40);
    CHECK(!c.done && !c.asked[0]);
    pass_ms(20);
    CHECK(c.done == 1 && c.fd >= 0);
    check_text(peer_text(&c), "127.0.0.1:%u", port);
    close(c.fd);
    /* IPv6 waits for nobody. */
    const struct resolver_config config = {LIT("nameserver 127.0.0.2\noptions timeout:1\n"), LIT(""),
                                           address_port(&server.at)};
    CHECK(resolver_configure(resolver, &config, &err));
    server.way = NS_MUTE_V4;
    prepare(&c);
    dial_start(&c.d, loop, resolver, LIT("both.test"), port, 0);
    settle();
    CHECK(c.done == 1 && c.fd >= 0);
    check_text(peer_text(&c), "[::1]:%u", port);
    close(c.fd);
    /* When IPv6 comes within the moment, it is first. */
    CHECK(resolver_configure(resolver, &config, &err));
    server.way = NS_MUTE_V6;
    prepare(&c);
    c.d.resolution_ms = 1500;
    dial_start(&c.d, loop, resolver, LIT("both.test"), port, 0);
    settle();
    server.way = NS_HONEST; /* its second attempt, after a second */
    pass_ms(990);
    CHECK(!c.done && !c.asked[0]);
    pass_ms(30);
    CHECK(c.done == 1 && c.fd >= 0);
    check_text(c.asked, "[::1]:%u ", port);
    close(c.fd);
    close(four);
    close(six);
    finish();
}

TEST(what_comes_late_is_still_tried) {
    if (!CHECK(begin(both, NULL))) return;
    uint16_t port = free_port();
    int six = listen_at("::1", port);
    server.way = NS_MUTE_V6;
    struct caller c;
    prepare(&c);
    dial_start(&c.d, loop, resolver, LIT("both.test"), port, 0);
    pass_ms(100); /* IPv4 is refused by now, and IPv6 not known yet */
    CHECK_INT(c.done, 0);
    check_text(c.asked, "127.0.0.1:%u ", port);
    server.way = NS_HONEST;
    pass_ms(1000);
    CHECK(c.done == 1 && c.fd >= 0);
    check_text(peer_text(&c), "[::1]:%u", port);
    close(c.fd);
    close(six);
    /* And beside one that leads nowhere. */
    const struct resolver_config config = {LIT("nameserver 127.0.0.2\noptions timeout:1\n"), LIT(""),
                                           address_port(&server.at)};
    CHECK(resolver_configure(resolver, &config, &err));
    struct hole hole = dig_hole("127.0.0.1", port);
    six = listen_at("::1", port);
    server.way = NS_MUTE_V6;
    prepare(&c);
    dial_start(&c.d, loop, resolver, LIT("both.test"), port, 0);
    pass_ms(900);
    CHECK_INT(c.done, 0);
    server.way = NS_HONEST;
    pass_ms(200);
    CHECK(c.done == 1 && c.fd >= 0);
    check_text(peer_text(&c), "[::1]:%u", port);
    close(c.fd);
    /* There it has its turn like any other: 250 ms behind the one before. */
    CHECK(resolver_configure(resolver, &config, &err));
    server.way = NS_MUTE_V6;
    prepare(&c);
    c.d.resolution_ms = 900;
    dial_start(&c.d, loop, resolver, LIT("both.test"), port, 0);
    pass_ms(950);
    check_text(c.asked, "127.0.0.1:%u ", port);
    server.way = NS_HONEST; /* it comes at 1000 */
    pass_ms(180);
    CHECK_INT(c.done, 0);
    check_text(c.asked, "127.0.0.1:%u ", port);
    pass_ms(40);
    CHECK(c.done == 1 && c.fd >= 0);
    close(c.fd);
    close(six);
    fill_hole(&hole);
    finish();
}

TEST(addresses_are_tried_in_their_order_with_the_families_in_turns) {
    if (!CHECK(begin(NULL, NULL))) return;
    uint16_t port = free_port();
    const struct address list[] = {at("127.0.0.11", port), at("127.0.0.12", port), at("127.0.0.11", port),
                                   at("::1", port),        at("127.0.0.13", port), at("::ffff:127.0.0.12", port)};
    struct caller c;
    prepare(&c);
    dial_start_addresses(&c.d, loop, list, N(list), 0);
    settle();
    CHECK(c.done == 1 && c.fd < 0);
    check_text(c.asked, "127.0.0.11:%u [::1]:%u 127.0.0.12:%u 127.0.0.13:%u ", port, port, port, port);
    CHECK(slice_starts(slice_str(c.err.text), LIT("no address of the host answered: 127.0.0.11:")));
    /* The same one twice is tried once, whatever its family. */
    make_path();
    struct address un;
    CHECK(address_read(slice_str(path), &un, &err));
    rmdir(folder);
    const struct address twice[] = {at("::1", port), at("::1", port), un, un, at("::1", port)};
    prepare(&c);
    dial_start_addresses(&c.d, loop, twice, N(twice), 0);
    settle();
    check_text(c.asked, "[::1]:%u %s ", port, path);
    /* Eight of each family, and a sentence that does not run over. */
    struct address many[40];
    char host[40];
    for (unsigned i = 0; i < 40; i++) {
        snprintf(host, sizeof host, i < 20 ? "127.0.1.%u" : "2001:db8::%u", i + 1);
        many[i] = at(host, port);
    }
    prepare(&c);
    c.only = "none";
    dial_start_addresses(&c.d, loop, many, 20, 0);
    settle();
    CHECK_INT(c.done, 1);
    unsigned n = 0;
    for (const char *p = c.asked; *p; p++) n += *p == ' ';
    CHECK_INT(n, 8);
    prepare(&c);
    c.only = "none";
    dial_start_addresses(&c.d, loop, many, 40, 0);
    settle();
    n = 0;
    for (const char *p = c.asked; *p; p++) n += *p == ' ';
    CHECK_INT(n, 16);
    CHECK(strlen(c.err.text) < ERR_TEXT);
    prepare(&c);
    dial_start_addresses(&c.d, loop, NULL, 0, 0);
    settle();
    CHECK(c.done == 1 && c.err.code == ERR_INVALID);
    finish();
}

/* --- what is refused --- */

TEST(a_guard_is_asked_for_each_address_just_before_it_is_dialled) {
    if (!CHECK(begin(both, NULL))) return;
    uint16_t port = free_port();
    int four = listen_at("127.0.0.1", port), six = listen_at("::1", port);
    char only[40];
    snprintf(only, sizeof only, "127.0.0.1:%u", port);
    struct caller c;
    prepare(&c);
    c.only = only;
    dial_start(&c.d, loop, resolver, LIT("both.test"), port, 0);
    settle();
    CHECK(c.done == 1 && c.fd >= 0);
    check_text(c.asked, "[::1]:%u 127.0.0.1:%u ", port, port);
    check_text(peer_text(&c), "%s", only);
    close(c.fd);
    prepare(&c);
    c.only = "nothing";
    dial_start(&c.d, loop, resolver, LIT("both.test"), port, 0);
    settle();
    CHECK(c.done == 1 && c.fd < 0 && c.err.code == ERR_INVALID);
    check_text(c.err.text, "both.test may not be dialled: [::1]:%u not allowed, 127.0.0.1:%u not allowed", port, port);
    /* An IPv4 address in the clothes of IPv6 is shown as what it is, and those nobody can be at are not dialled at all. */
    static const char *const mapped[] = {"::ffff:127.0.0.1", "[::ffff:7f00:1]"};
    for (size_t i = 0; i < N(mapped); i++) {
        prepare(&c);
        dial_start(&c.d, loop, resolver, slice_str(mapped[i]), port, 0);
        settle();
        check_text(c.asked, "%s ", only);
        CHECK(c.fd >= 0);
        close(c.fd);
    }
    static const char *const nowhere[] = {"0.0.0.0",   "0.1.2.3",         "::",       "::ffff:0.0.0.0",
                                          "224.0.0.1", "255.255.255.255", "ff02::1%1"};
    for (size_t i = 0; i < N(nowhere); i++) {
        prepare(&c);
        dial_start(&c.d, loop, resolver, slice_str(nowhere[i]), port, 0);
        settle();
        CHECK(c.done == 1 && c.fd < 0 && c.err.code == ERR_INVALID && !c.asked[0]);
    }
    close(four);
    close(six);
    finish();
}

TEST(the_public_guard_lets_only_the_internet_through) {
    static const char *const open[] = {"1.1.1.1",        "8.8.8.8",        "9.255.255.255",    "11.0.0.1",
                                       "100.63.255.255", "100.128.0.1",    "172.15.255.255",   "172.32.0.1",
                                       "192.167.1.1",    "192.169.0.1",    "223.255.255.1",    "198.17.255.255",
                                       "198.20.0.1",     "2606:4700::1",   "2a00:1450::1",     "2001:4860:4860::8888",
                                       "2001:200::1",    "2002:101:101::", "64:ff9b::101:101", "::ffff:8.8.8.8"};
    static const char *const closed[] = {"0.0.0.0",
                                         "10.0.0.1",
                                         "10.255.255.255",
                                         "100.64.0.1",
                                         "100.127.255.255",
                                         "127.0.0.1",
                                         "127.9.9.9",
                                         "169.254.169.254",
                                         "172.16.0.1",
                                         "172.31.255.255",
                                         "192.0.0.1",
                                         "192.0.2.1",
                                         "192.88.99.1",
                                         "192.168.0.1",
                                         "192.168.255.255",
                                         "198.18.0.1",
                                         "198.19.255.255",
                                         "198.51.100.1",
                                         "203.0.113.1",
                                         "224.0.0.1",
                                         "240.0.0.1",
                                         "255.255.255.255",
                                         "::",
                                         "::1",
                                         "fe80::1",
                                         "fec0::1",
                                         "fc00::1",
                                         "fd00::1",
                                         "ff02::1",
                                         "2001:db8::1",
                                         "2001::1",
                                         "2001:2::1",
                                         "2002:a00:1::",
                                         "2002:c0a8:1::",
                                         "64:ff9b::a00:1",
                                         "64:ff9b:1::1",
                                         "3fff::1",
                                         "4000::1",
                                         "::ffff:10.0.0.1",
                                         "::10.0.0.1",
                                         "::ffff:127.0.0.1",
                                         "100::1"};
    for (size_t i = 0; i < N(open); i++) {
        struct address a = at(open[i], 80);
        if (!CHECK(dial_public_only(NULL, &a))) tap_note("%s", open[i]);
    }
    for (size_t i = 0; i < N(closed); i++) {
        struct address a = at(closed[i], 80);
        if (!CHECK(!dial_public_only(NULL, &a))) tap_note("%s", closed[i]);
    }
    struct address a;
    CHECK(address_read(LIT("unix:/x"), &a, &err) && !dial_public_only(NULL, &a));
}

TEST(what_cannot_be_dialled_is_said) {
    if (!CHECK(begin(both, NULL))) return;
    struct caller c;
    prepare(&c);
    dial_start(&c.d, loop, resolver, LIT("both.test"), 0, 0);
    settle();
    CHECK_TEXT(slice_str(c.err.text), LIT("want a port from 1 to 65535 to dial both.test, found 0"));
    prepare(&c);
    dial_start(&c.d, loop, resolver, LIT("missing.test"), 80, 0);
    settle();
    CHECK_TEXT(slice_str(c.err.text), LIT("dialling missing.test: there is no host named missing.test"));
    CHECK_INT(c.err.code, ERR_NOT_FOUND);
    prepare(&c);
    dial_start(&c.d, loop, resolver, LIT("a\nb"), 80, 0);
    settle();
    CHECK(c.err.code == ERR_INVALID && !strchr(c.err.text, '\n'));
    finish();
}

/* In a network namespace of its own the kernel has a single source port to give, so a dial to it meets itself. */
static int meet_oneself(void) {
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    FILE *f = NULL;
    if (unshare(CLONE_NEWNET) || close(s) || (s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) < 0 ||
        ioctl(s, SIOCSIFFLAGS, &lo) || !(f = fopen("/proc/sys/net/ipv4/ip_local_port_range", "w")) ||
        fputs("40000 40000", f) < 0 || fclose(f))
        return 77;
    close(s);
    clock_use(&ns_by_hand);
    if (!(loop = loop_new(&err))) return 1; /* and no name server, which would take the port */
    struct address a = at("127.0.0.1", 40000);
    struct linger at_once = {.l_onoff = 1};
    unsigned good = 0, met = 0;
    for (int i = 0; i < 20; i++) { /* what the kernel does when nobody looks */
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        met += connect(fd, &a.any, a.len) == 0;
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        close(fd);
    }
    for (int i = 0; i < 20; i++) {
        struct caller c;
        prepare(&c);
        dial_start_addresses(&c.d, loop, &a, 1, 0);
        settle();
        good += c.done == 1 && c.fd < 0 && c.err.os == ECONNREFUSED;
    }
    loop_free(loop);
    return met != 20 ? 2 : good != 20;
}

TEST(a_socket_that_meets_itself_is_refused) {
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) _exit(meet_oneself());
    int status = 0;
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        tap_skip("not root: no network namespace of its own");
    else
        CHECK_INT(WEXITSTATUS(status), 0);
}

/* --- cancelling --- */

TEST(cancelled_at_any_moment_nothing_is_called_and_nothing_stays_open) {
    if (!CHECK(begin(both, NULL))) return;
    uint16_t port = free_port();
    struct hole six = dig_hole("::1", port);
    int four = listen_at("127.0.0.1", port);
    unsigned fds = count_fds();
    struct caller c;
    prepare(&c);
    dial_cancel(&c.d); /* never dialled */
    static const int64_t after_ms[] = {-1, 0, 10, 100, 240};
    for (size_t i = 0; i < N(after_ms); i++) {
        prepare(&c);
        dial_start(&c.d, loop, resolver, LIT("both.test"), port, 0);
        if (after_ms[i] >= 0) pass_ms(after_ms[i]);
        CHECK_INT(c.done, 0);
        dial_cancel(&c.d);
        dial_cancel(&c.d);
        pass_ms(500);
        CHECK_INT(c.done, 0);
        CHECK_INT(count_fds(), fds);
    }
    /* Turn by turn. */
    for (int turns = 0; turns < 12; turns++) {
        prepare(&c);
        dial_start(&c.d, loop, resolver, LIT("127.0.0.1"), port, 0);
        for (int i = 0; i < turns && !c.done; i++) loop_turn(loop, 0);
        if (c.done)
            close(c.fd);
        else
            dial_cancel(&c.d);
        unsigned done = c.done;
        settle();
        CHECK_INT(c.done, done);
        CHECK_INT(count_fds(), fds);
    }
    fill_hole(&six);
    close(four);
    finish();
}

TEST(a_callback_may_cancel_another_dial_again_and_free_itself) {
    if (!CHECK(begin(both, NULL))) return;
    uint16_t port = free_port();
    int four = listen_at("127.0.0.1", port);
    unsigned fds = count_fds();
    static struct caller a, b;
    prepare(&a);
    prepare(&b);
    a.cancels = &b;
    b.cancels = &a;
    dial_start(&a.d, loop, resolver, LIT("127.0.0.1"), port, 0);
    dial_start(&b.d, loop, resolver, LIT("127.0.0.1"), port, 0);
    settle();
    CHECK_INT(a.done + b.done, 1);
    close(a.done ? a.fd : b.fd);
    prepare(&a);
    a.again = true;
    dial_start(&a.d, loop, resolver, LIT("127.0.0.1"), port, 0);
    settle();
    CHECK_INT(a.done, 2);
    struct caller *f = calloc(1, sizeof *f);
    prepare(f);
    f->free_it = true;
    dial_start(&f->d, loop, resolver, LIT("both.test"), port, 0);
    settle();
    CHECK_INT(count_fds(), fds);
    close(four);
    finish();
}

TEST(out_of_descriptors_is_an_error_that_says_so) {
    if (!CHECK(begin(both, NULL))) return;
    uint16_t port = free_port();
    int four = listen_at("127.0.0.1", port);
    struct address a = at("127.0.0.1", port);
    struct rlimit old, low;
    CHECK(getrlimit(RLIMIT_NOFILE, &old) == 0);
    low = (struct rlimit){count_fds() + 40, old.rlim_max};
    CHECK(setrlimit(RLIMIT_NOFILE, &low) == 0);
    int taken[400];
    size_t n = 0;
    while (n < N(taken) && (taken[n] = dup(four)) >= 0) n++;
    CHECK(n < N(taken));
    struct caller c;
    prepare(&c);
    dial_start_addresses(&c.d, loop, &a, 1, 0);
    settle();
    CHECK(c.done == 1 && c.err.os == EMFILE);
    prepare(&c);
    dial_start(&c.d, loop, resolver, LIT("other.test"), port, 0);
    settle();
    CHECK(c.done == 1 && c.err.os == EMFILE);
    while (n) close(taken[--n]);
    CHECK(setrlimit(RLIMIT_NOFILE, &old) == 0);
    close(four);
    finish();
}

/* --- without memory --- */

static uint16_t sweep_port;
static unsigned crowd;

static bool dial_once(void *arg) {
    (void)arg;
    bool good = false;
    if (begin(both, NULL)) {
        struct caller c;
        prepare(&c);
        crowd_timers(crowd);
        dial_start(&c.d, loop, resolver, LIT("both.test"), sweep_port, 0);
        pass_ms(2500);
        clear_timers();
        CHECK_INT(c.done, 1);
        good = c.fd >= 0;
        if (c.fd >= 0) close(c.fd);
        CHECK(good || c.err.code != ERR_NONE);
    }
    if (loop)
        finish();
    else
        clock_use(NULL);
    return good;
}

TEST(without_memory_dialling_fails_or_succeeds_and_nothing_is_left) {
    sweep_port = free_port();
    int four = listen_at("127.0.0.1", sweep_port);
    faults_sweep(dial_once, NULL, "dialling");
    for (crowd = 60; crowd <= 64; crowd++) faults_sweep(dial_once, NULL, "dialling among many timers");
    crowd = 0;
    close(four);
}

TAP_MAIN(T(an_address_or_a_name_becomes_a_connected_descriptor), T(a_unix_socket_is_dialled_by_its_path),
         T(when_ipv6_is_refused_ipv4_connects_at_once),
         T(when_ipv6_leads_nowhere_ipv4_is_tried_after_the_delay_and_the_loser_is_closed),
         T(a_slow_first_attempt_may_still_win), T(when_both_are_down_the_error_names_both),
         T(the_deadline_holds_for_everything_together), T(ipv4_waits_a_moment_for_ipv6_and_then_goes),
         T(what_comes_late_is_still_tried), T(addresses_are_tried_in_their_order_with_the_families_in_turns),
         T(a_guard_is_asked_for_each_address_just_before_it_is_dialled),
         T(the_public_guard_lets_only_the_internet_through), T(what_cannot_be_dialled_is_said),
         T(a_socket_that_meets_itself_is_refused), T(cancelled_at_any_moment_nothing_is_called_and_nothing_stays_open),
         T(a_callback_may_cancel_another_dial_again_and_free_itself), T(out_of_descriptors_is_an_error_that_says_so),
         T(without_memory_dialling_fails_or_succeeds_and_nothing_is_left))
