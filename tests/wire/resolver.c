/* resolver.c - the stub resolver against real name servers of the test's own, honest and not, on a clock that waits for nobody. */
#include "name_server.h"

#include "base/mem.h"
#include "base/rng.h"
#include "lib/faults.h"
#include "wire/resolver_conf.h"

#define N(rows) (sizeof(rows) / sizeof((rows)[0]))

/* --- askers --- */

struct asker {
    struct resolve r;
    unsigned done, parts;
    struct err err;
    size_t n, part_n;
    bool whole;
    uint32_t ttl_s;
    char name[300], addresses[4000], part_addresses[400];
    struct asker *cancels, *starts;
    bool free_it, cancels_in_part;
    const char *starts_name;
};

static struct resolver *resolver;

static void list_addresses(const struct resolve_answer *a, char *to, size_t room) {
    struct buf text = {.ptr = (uint8_t *)to, .cap = room - 1, .max = room - 1};
    for (size_t i = 0; i < a->n; i++) {
        char one[INET6_ADDRSTRLEN];
        const struct address *at = &a->address[i];
        bool six = at->any.sa_family == AF_INET6;
        CHECK_INT(address_port(at), 0);
        CHECK_INT(at->len, six ? sizeof at->v6 : sizeof at->v4);
        inet_ntop(at->any.sa_family, six ? (const void *)&at->v6.sin6_addr : (const void *)&at->v4.sin_addr, one,
                  sizeof one);
        buf_printf(&text, "%s%s", i ? " " : "", one);
        if (six && at->v6.sin6_scope_id) buf_printf(&text, "%%%u", at->v6.sin6_scope_id);
    }
    to[text.len] = 0;
}

static void on_done(struct resolve *r, const struct resolve_answer *a) {
    struct asker *k = LOOP_OWNER(struct asker, r, r);
    k->done++;
    k->err = *a->err;
    k->n = a->n;
    k->whole = a->whole;
    k->ttl_s = a->ttl_s;
    CHECK((a->n > 0) == (a->err->code == ERR_NONE));
    if (!a->n) CHECK(a->err->text[0] != 0);
    snprintf(k->name, sizeof k->name, "%.*s", (int)a->name.len, (const char *)a->name.ptr);
    list_addresses(a, k->addresses, sizeof k->addresses);
    if (k->cancels) resolve_cancel(&k->cancels->r);
    if (k->starts) resolve_start(resolver, &k->starts->r, slice_str(k->starts_name), RESOLVE_V4, 0);
    if (k->free_it) free(k);
}

static void on_part(struct resolve *r, const struct resolve_answer *a) {
    struct asker *k = LOOP_OWNER(struct asker, r, r);
    CHECK_INT(k->done, 0);
    CHECK(!a->whole && a->n > 0);
    k->parts++;
    k->part_n = a->n;
    list_addresses(a, k->part_addresses, sizeof k->part_addresses);
    if (k->cancels_in_part) resolve_cancel(r);
}

static void ask_from(struct asker *k, const char *name, unsigned want) {
    struct asker old = *k;
    *k = (struct asker){.cancels = old.cancels,
                        .starts = old.starts,
                        .starts_name = old.starts_name,
                        .cancels_in_part = old.cancels_in_part,
                        .free_it = old.free_it};
    k->r = (struct resolve){.done = on_done, .part = on_part};
    resolve_start(resolver, &k->r, slice_str(name), want, 0);
    CHECK_INT(k->done, 0); /* never from inside */
}

/* One that is asked and waited for. */
static struct asker one;
static const char *lookup(const char *name, unsigned want) {
    memset(&one, 0, sizeof one);
    ask_from(&one, name, want);
    for (int i = 0; i < 3000 && !one.done; i++) pass_ms(i ? 50 : 0);
    CHECK_INT(one.done, 1);
    return one.n ? one.addresses : one.err.text;
}
#define LOOKUP(name, want, answer) CHECK_TEXT(slice_str(lookup(name, want)), slice_str(answer))

/* --- the stage --- */

#define SERVERS 3
static struct name_server server[SERVERS];
static char conf_text[2000];
static unsigned fds_before;

static const struct ns_record zone[] = {
    {"plain.test", DNS_TYPE_A, 300, "192.0.2.1"},
    {"plain.test", DNS_TYPE_AAAA, 200, "2001:db8::1"},
    {"only4.test", DNS_TYPE_A, 300, "192.0.2.4"},
    {"only6.test", DNS_TYPE_AAAA, 300, "2001:db8::6"},
    {"neither.test", DNS_TYPE_TXT, 300, "x"},
    {"order.test", DNS_TYPE_A, 300, "192.0.2.9"},
    {"order.test", DNS_TYPE_A, 300, "192.0.2.8"},
    {"order.test", DNS_TYPE_A, 300, "192.0.2.9"},
    {"order.test", DNS_TYPE_AAAA, 300, "fd00::1"},
    {"order.test", DNS_TYPE_AAAA, 300, "2002:c000:201::1"},
    {"order.test", DNS_TYPE_AAAA, 300, "2001::5"},
    {"order.test", DNS_TYPE_AAAA, 300, "2001:db8::2"},
    {"order.test", DNS_TYPE_AAAA, 300, "::1"},
    {"order.test", DNS_TYPE_AAAA, 300, "2001:db8::1"},
    {"order.test", DNS_TYPE_AAAA, 300, "fec0::1"},
    {"zero.test", DNS_TYPE_A, 0, "192.0.2.20"},
    {"long.test", DNS_TYPE_A, 0x7fffffff, "192.0.2.21"},
    {"a1.test", DNS_TYPE_CNAME, 50, "a2.test"},
    {"a2.test", DNS_TYPE_CNAME, 40, "a3.test"},
    {"a3.test", DNS_TYPE_CNAME, 60, "end.test"},
    {"end.test", DNS_TYPE_A, 70, "192.0.2.30"},
    {"end.test", DNS_TYPE_AAAA, 30, "2001:db8::30"},
    {"nowhere.test", DNS_TYPE_CNAME, 60, "missing.test"},
    {"round.test", DNS_TYPE_CNAME, 60, "about.test"},
    {"about.test", DNS_TYPE_CNAME, 60, "round.test"},
    {"self.test", DNS_TYPE_CNAME, 60, "self.test"},
    {"host.one.test", DNS_TYPE_A, 60, "192.0.2.41"},
    {"host.two.test", DNS_TYPE_A, 60, "192.0.2.42"},
    {"second.two.test", DNS_TYPE_A, 60, "192.0.2.43"},
    {"single", DNS_TYPE_A, 60, "192.0.2.44"},
    {"a.b", DNS_TYPE_A, 60, "192.0.2.45"},
    {"a.b.one.test", DNS_TYPE_A, 60, "192.0.2.46"},
    {0},
};

static void configure_text(size_t n, const char *more) {
    struct buf b = {.ptr = (uint8_t *)conf_text, .cap = sizeof conf_text - 1, .max = sizeof conf_text - 1};
    for (size_t i = 0; i < n; i++) buf_printf(&b, "nameserver 127.0.0.%zu\n", i + 2);
    buf_printf(&b, "options timeout:1\n%s", more ? more : "");
    conf_text[b.len] = 0;
}

static bool begin(size_t servers, const char *more, const char *hosts) {
    fds_before = count_fds();
    ns_now_us = 1000000000;
    clock_use(&ns_by_hand);
    loop = loop_new(&err);
    if (!loop) return false;
    uint16_t port = 0;
    for (int attempt = 0; attempt < 20; attempt++) {
        size_t up = 0;
        for (; up < servers; up++) {
            char host[40];
            snprintf(host, sizeof host, "127.0.0.%zu", up + 2);
            if (!ns_start(&server[up], host, up ? address_port(&server[0].at) : 0, zone)) break;
        }
        port = address_port(&server[0].at);
        if (up == servers) break;
        while (up) ns_stop(&server[--up]);
    }
    configure_text(servers, more);
    const struct resolver_config config = {slice_str(conf_text), slice_str(hosts ? hosts : ""), port};
    resolver = resolver_new(loop, &config, &err);
    return resolver != NULL;
}

static void finish(void) {
    resolver_free(resolver);
    resolver = NULL;
    for (size_t i = 0; i < SERVERS; i++) ns_stop(&server[i]);
    loop_free(loop);
    loop = NULL;
    memset(server, 0, sizeof server);
    clock_use(NULL);
    CHECK_INT(count_fds(), fds_before);
}

static unsigned asked(void) {
    unsigned n = 0;
    for (size_t i = 0; i < SERVERS; i++) n += server[i].asked;
    return n;
}

/* --- the texts --- */

static void show_conf(const struct resolver_conf *c, struct buf *out) {
    for (size_t i = 0; i < c->server_n; i++) address_write(out, &c->server[i]), buf_byte(out, ' ');
    for (size_t i = 0; i < c->search_n; i++) dns_name_add(out, &c->search[i]), buf_byte(out, ' ');
    buf_printf(out, "%u %u %u%s", c->ndots, c->timeout_s, c->attempts, c->rotate ? " rotate" : "");
}

TEST(resolv_conf_is_read_as_the_c_library_reads_it) {
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"", "127.0.0.1:53 1 5 2"},
        {"nameserver 192.0.2.1", "192.0.2.1:53 1 5 2"},
        {"nameserver\t192.0.2.1  \r\n nameserver 2001:db8::1 # mine\n", "192.0.2.1:53 [2001:db8::1]:53 1 5 2"},
        {"nameserver fe80::1%1\n", "[fe80::1%1]:53 1 5 2"},
        {"nameserver fe80::1%lo\n", "[fe80::1%1]:53 1 5 2"},
        {"nameserver fe80::1%nosuch0\nnameserver 1.2.3\nnameserver\nnameserver x.test\nnameserver 1.2.3.4:5\n",
         "127.0.0.1:53 1 5 2"},
        {"nameserver unix\nnameserver unix:/x\nnameserver [::1]\nnameserver ::1\nnameserver *\n", "[::1]:53 1 5 2"},
        {"nameserver 1.0.0.1\nnameserver 1.0.0.2\nnameserver 1.0.0.3\nnameserver 1.0.0.4\n",
         "1.0.0.1:53 1.0.0.2:53 1.0.0.3:53 1 5 2"},
        {"#nameserver 1.0.0.1\n;nameserver 1.0.0.1\nnameservers 1.0.0.1\nNAMESERVER 1.0.0.1\n", "127.0.0.1:53 1 5 2"},
        {"search One.Test two.test\n", "127.0.0.1:53 one.test. two.test. 1 5 2"},
        {"search a b c d e f g h\n", "127.0.0.1:53 a. b. c. d. e. f. 1 5 2"},
        {"search a b\ndomain c d\n", "127.0.0.1:53 c. 1 5 2"}, /* the last line of both kinds */
        {"domain c\nsearch a # b\n", "127.0.0.1:53 a. 1 5 2"},
        {"search a\nsearch\n", "127.0.0.1:53 1 5 2"},
        {"search . ..  a..b -a b-. 10 x\xc3\xa4 ok.test.\n", "127.0.0.1:53 b-. ok.test. 1 5 2"},
        {"options ndots:0 timeout:0 attempts:0\n", "127.0.0.1:53 0 1 1"},
        {"options ndots:15 timeout:30 attempts:5 rotate\n", "127.0.0.1:53 15 30 5 rotate"},
        {"options ndots:16 timeout:31 attempts:6\n", "127.0.0.1:53 15 30 5"},
        {"options ndots:99999999999999999999 timeout:4294967297\n", "127.0.0.1:53 1 30 2"},
        {"options ndots:2 edns0 ndots: ndots:x ndots:-1 ndots timeout:3x trust-ad attempts:4\noptions rotate",
         "127.0.0.1:53 2 5 4 rotate"},
        {"sortlist 1.2.3.4\nlookup file bind\nfamily inet4\n", "127.0.0.1:53 1 5 2"},
    };
    for (size_t i = 0; i < N(rows); i++) {
        struct resolver_conf c;
        uint8_t bytes[2000];
        struct buf out = {.ptr = bytes, .cap = sizeof bytes, .max = sizeof bytes};
        CHECK(resolver_conf_read(&c, tap_guarded(slice_str(rows[i].text)), 53, &err));
        show_conf(&c, &out);
        CHECK_TEXT(buf_slice(&out), slice_str(rows[i].want));
    }
    struct resolver_conf c;
    static uint8_t big[LIMIT_RESOLV_BYTES + 1];
    memset(big, '\n', sizeof big);
    memcpy(big + sizeof big - 30, "nameserver 192.0.2.77\n", 22);
    CHECK(resolver_conf_read(&c, slice_of(big, sizeof big - 1), 53, &err));
    CHECK_INT(c.server[0].v4.sin_addr.s_addr, htonl(0xc000024d));
    CHECK(!resolver_conf_read(&c, slice_of(big, sizeof big), 53, &err) && err.code == ERR_LIMIT);
}

static const char *in_hosts(const struct resolver_hosts *h, const char *name, unsigned want) {
    static char text[400];
    struct address a[8];
    struct dns_name n;
    bool known;
    if (!dns_name_from(slice_str(name), &n, NULL)) return "?";
    struct resolve_answer answer = {.address = a};
    answer.n = resolver_hosts_find(h, &n, want, a, N(a), &known);
    if (!known) return "unknown";
    list_addresses(&answer, text, sizeof text);
    return text;
}

TEST(hosts_are_read_with_many_names_a_line_and_both_families) {
    struct resolver_hosts h;
    CHECK(resolver_hosts_read(&h,
                              tap_guarded(LIT("# made by hand\n"
                                              "192.0.2.1\tbox.lan box   Other.LAN.\r\n"
                                              "2001:db8::1 box.lan # and so on.lan\n"
                                              "\n   192.0.2.2 box.lan\n"
                                              "fe80::2%1 zoned.lan\n"
                                              "300.1.1.1 bad.lan\n"
                                              "bad2.lan 192.0.2.3\n"
                                              "192.0.2.4 under_score.lan -no.lan b\xc3\xa4.lan 1.2.3.4 last.lan\n"
                                              "192.0.2.5")),
                              &err));
    CHECK_TEXT(slice_str(in_hosts(&h, "box.lan", RESOLVE_BOTH)), LIT("192.0.2.1 2001:db8::1 192.0.2.2"));
    CHECK_TEXT(slice_str(in_hosts(&h, "box.lan", RESOLVE_V4)), LIT("192.0.2.1 192.0.2.2"));
    CHECK_TEXT(slice_str(in_hosts(&h, "box.lan", RESOLVE_V6)), LIT("2001:db8::1"));
    CHECK_TEXT(slice_str(in_hosts(&h, "box", RESOLVE_V6)), LIT("")); /* known, but not in this family */
    CHECK_TEXT(slice_str(in_hosts(&h, "other.lan", RESOLVE_BOTH)), LIT("192.0.2.1"));
    CHECK_TEXT(slice_str(in_hosts(&h, "zoned.lan", RESOLVE_BOTH)), LIT("fe80::2%1"));
    CHECK_TEXT(slice_str(in_hosts(&h, "under_score.lan", RESOLVE_BOTH)), LIT("192.0.2.4"));
    CHECK_TEXT(slice_str(in_hosts(&h, "last.lan", RESOLVE_BOTH)), LIT("192.0.2.4"));
    static const char *const unknown[] = {"so", "on.lan", "bad.lan", "bad2.lan", "b", "lan", "xbox.lan", "box.lan.x"};
    for (size_t i = 0; i < N(unknown); i++)
        CHECK_TEXT(slice_str(in_hosts(&h, unknown[i], RESOLVE_BOTH)), LIT("unknown"));
    resolver_hosts_release(&h);
    CHECK(resolver_hosts_read(&h, LIT(""), &err));
    CHECK_TEXT(slice_str(in_hosts(&h, "box", RESOLVE_BOTH)), LIT("unknown"));
    resolver_hosts_release(&h);
}

TEST(hosts_beyond_a_limit_are_refused_by_its_name) {
    struct resolver_hosts h;
    struct buf text;
    buf_init(&text, 2 * LIMIT_HOSTS_BYTES);
    for (unsigned i = 0; i < LIMIT_HOSTS_NAMES; i++) buf_printf(&text, "10.%u.%u.1 n%u.lan\n", i >> 8, i & 255, i);
    CHECK(resolver_hosts_read(&h, buf_slice(&text), &err));
    CHECK_TEXT(slice_str(in_hosts(&h, "n19999.lan", RESOLVE_BOTH)), LIT("10.78.31.1"));
    CHECK_TEXT(slice_str(in_hosts(&h, "n0.lan", RESOLVE_BOTH)), LIT("10.0.0.1"));
    resolver_hosts_release(&h);
    buf_add(&text, LIT("10.0.0.1 onemore.lan"));
    CHECK(!resolver_hosts_read(&h, buf_slice(&text), &err) && err.code == ERR_LIMIT);
    CHECK_TEXT(slice_str(err.limit), LIT("names in hosts"));
    while (text.len <= LIMIT_HOSTS_BYTES) buf_add(&text, LIT("\n# filling it up, line by line, until it is too long"));
    CHECK(!resolver_hosts_read(&h, slice_head(buf_slice(&text), LIMIT_HOSTS_BYTES + 1), &err));
    CHECK_TEXT(slice_str(err.limit), LIT("hosts"));
    buf_release(&text);
}

static bool read_texts(void *arg) {
    (void)arg;
    struct resolver_hosts h;
    struct buf text = {.ptr = (uint8_t *)conf_text, .cap = sizeof conf_text, .max = sizeof conf_text};
    for (int i = 0; i < 40; i++) buf_printf(&text, "192.0.2.%d name%d.lan other%d\n", i, i, i);
    struct err e = ERR_INIT;
    if (!resolver_hosts_read(&h, buf_slice(&text), &e)) {
        CHECK_INT(e.code, ERR_NOMEM);
        return false;
    }
    CHECK_TEXT(slice_str(in_hosts(&h, "other39", RESOLVE_BOTH)), LIT("192.0.2.39"));
    resolver_hosts_release(&h);
    return true;
}

TEST(hosts_without_memory_are_an_error_and_nothing_more) {
    faults_sweep(read_texts, NULL, "hosts");
}

TEST(what_is_no_name_of_a_host_is_refused) {
    char label64[80], long254[300];
    memset(label64, 'a', 64);
    memcpy(label64 + 64, ".test", 6);
    for (int i = 0; i < 127; i++) memcpy(long254 + 2 * i, "a.", 3);
    static const char *const bad[] = {
        "",          ".",         "..",      "a..b", ".a",   "a..",      "a b",      "a/b",       "a\\.b",    "-a",
        "x.-y.test", "b\xc3\xbc", "a\n",     "a%b",  "1",    "127.1",    "1.2.3.4.", "0x7f.1",    "a.0x10",   "a.12.",
        "0x",        "a@b",       "user:pw", "[::1", "::1]", "[a.test]", "[]",       "[1.2.3.4]", "1.2.3.256"};
    struct dns_name name;
    struct address a;
    for (size_t i = 0; i < N(bad); i++) {
        struct slice text = tap_guarded(slice_str(bad[i]));
        if (!CHECK(!host_name_read(text, &name, NULL, &err) && err.code == ERR_INVALID) ||
            !CHECK(!host_address_read(text, &a)))
            tap_note("case %zu: %s", i, bad[i]);
    }
    CHECK(!host_name_read(slice_str(label64), &name, NULL, &err));
    CHECK(host_name_read(slice_skip(slice_str(label64), 1), &name, NULL, &err));
    CHECK_INT(strlen(long254), 254);
    bool absolute;
    CHECK(host_name_read(slice_str(long254), &name, &absolute, &err) && absolute); /* 253 and the dot */
    long254[253] = 'b';
    CHECK(!host_name_read(slice_str(long254), &name, NULL, &err)); /* 254 */
    long254[253] = 0;
    CHECK(host_name_read(slice_str(long254), &name, &absolute, &err) && !absolute);
    static const char *const good[] = {"a",           "unix", "A.test", "x--y.test", "xn--bcher-kva.test",
                                       "_dmarc.test", "1a",   "3.com",  "a-.b"};
    for (size_t i = 0; i < N(good); i++) CHECK(host_name_read(slice_str(good[i]), &name, NULL, &err));
    for (size_t i = 0; i < N(good); i++) CHECK(!host_address_read(slice_str(good[i]), &a));
    CHECK(host_address_read(LIT("192.0.2.1"), &a) && a.any.sa_family == AF_INET);
    CHECK(host_address_read(LIT("[2001:db8::1]"), &a) && a.any.sa_family == AF_INET6);
    CHECK(host_address_read(LIT("fe80::1%lo"), &a) && a.v6.sin6_scope_id == 1);
}

/* --- without a server --- */

TEST(what_needs_no_server_is_answered_without_one) {
    if (!CHECK(begin(1, NULL, "192.0.2.50 mine.lan mine\n2001:db8::50 mine.lan\n127.0.1.1 localhost\n"))) return;
    static const struct {
        const char *name;
        unsigned want;
        const char *answer;
    } rows[] = {
        {"192.0.2.1", RESOLVE_BOTH, "192.0.2.1"},
        {"192.0.2.1", RESOLVE_V4, "192.0.2.1"},
        {"192.0.2.1", RESOLVE_V6, "a host of the other family has no IPv6 address"},
        {"2001:db8::1", RESOLVE_BOTH, "2001:db8::1"},
        {"[2001:db8::1]", RESOLVE_V6, "2001:db8::1"},
        {"fe80::1%1", RESOLVE_BOTH, "fe80::1%1"},
        {"localhost", RESOLVE_BOTH, "::1 127.0.0.1"},
        {"LocalHost.", RESOLVE_V4, "127.0.0.1"},
        {"a.b.localhost", RESOLVE_V6, "::1"},
        {"mine.lan", RESOLVE_BOTH, "2001:db8::50 192.0.2.50"},
        {"MINE.lan.", RESOLVE_V4, "192.0.2.50"},
        {"mine", RESOLVE_BOTH, "192.0.2.50"},
        {"mine", RESOLVE_V6, "mine has no IPv6 address"},
        {"x.invalid", RESOLVE_BOTH, "there is no host named x.invalid, and there never will be"},
        {"INVALID.", RESOLVE_BOTH, "there is no host named invalid, and there never will be"},
        {"abc.onion", RESOLVE_BOTH, "abc.onion can only be reached through Tor"},
        {"127.1", RESOLVE_BOTH, "want an address or the name of a host, found \"127.1\", which is neither"},
        {"a b", RESOLVE_BOTH, "want letters, digits, - and dots in the name of a host, found byte 0x20"},
    };
    for (size_t i = 0; i < N(rows); i++) LOOKUP(rows[i].name, rows[i].want, rows[i].answer);
    CHECK_INT(one.err.code, ERR_INVALID);
    LOOKUP("localhost.test", RESOLVE_BOTH, "there is no host named localhost.test"); /* and this one is asked for */
    CHECK_INT(one.err.code, ERR_NOT_FOUND);
    CHECK_INT(asked(), 2);
    finish();
}

/* --- honest servers --- */

TEST(both_families_are_asked_at_once_and_come_together) {
    if (!CHECK(begin(1, NULL, NULL))) return;
    struct asker k = {0};
    ask_from(&k, "Plain.TEST", RESOLVE_BOTH);
    CHECK_INT(resolver_stats(resolver).sockets, 2); /* before anybody has answered */
    settle();
    CHECK_INT(k.done, 1);
    CHECK_TEXT(slice_str(k.addresses), LIT("2001:db8::1 192.0.2.1"));
    CHECK_TEXT(slice_str(k.name), LIT("plain.test."));
    CHECK_INT(k.ttl_s, 200); /* the shorter of both */
    CHECK(k.whole && k.err.code == ERR_NONE);
    CHECK_INT(server[0].asked, 2);
    CHECK_INT(server[0].edns_asked, 2);
    CHECK_INT(server[0].last_size, 1232);
    LOOKUP("plain.test", RESOLVE_V4, "192.0.2.1");
    LOOKUP("plain.test.", RESOLVE_V6, "2001:db8::1");
    CHECK_INT(server[0].asked, 2); /* known by now */
    CHECK_INT(resolver_stats(resolver).cached, 2);
    LOOKUP("only4.test", RESOLVE_BOTH, "192.0.2.4");
    LOOKUP("only6.test", RESOLVE_BOTH, "2001:db8::6");
    LOOKUP("only6.test", RESOLVE_V4, "only6.test has no IPv4 address");
    CHECK_INT(one.err.code, ERR_NOT_FOUND);
    LOOKUP("neither.test", RESOLVE_BOTH, "neither.test has no address");
    LOOKUP("missing.test", RESOLVE_BOTH, "there is no host named missing.test");
    CHECK_INT(one.err.code, ERR_NOT_FOUND);
    finish();
}

TEST(addresses_come_in_the_order_of_precedence_and_once) {
    if (!CHECK(begin(1, NULL, NULL))) return;
    LOOKUP("order.test", RESOLVE_BOTH,
           "::1 2001:db8::2 2001:db8::1 192.0.2.9 192.0.2.8 2002:c000:201::1 2001::5 fd00::1 fec0::1");
    finish();
}

TEST(a_short_name_goes_through_the_search_list) {
    if (!CHECK(begin(1, "search one.test two.test invalid-but-long.test\n", NULL))) return;
    LOOKUP("host", RESOLVE_V4, "192.0.2.41");
    CHECK_TEXT(slice_str(one.name), LIT("host.one.test."));
    CHECK_INT(server[0].asked, 1);
    LOOKUP("second", RESOLVE_V4, "192.0.2.43");
    CHECK_INT(server[0].asked, 3);
    LOOKUP("single", RESOLVE_V4, "192.0.2.44"); /* after the three domains, as it is */
    CHECK_INT(server[0].asked, 7);
    LOOKUP("host.", RESOLVE_V4, "there is no host named host"); /* with the dot only as it is */
    CHECK_INT(server[0].asked, 8);
    LOOKUP("a.b", RESOLVE_V4, "192.0.2.45"); /* enough dots: only as it is */
    LOOKUP("host.two", RESOLVE_V4, "there is no host named host.two");
    CHECK_INT(server[0].asked, 10);
    CHECK_TEXT(slice_str(server[0].last), LIT("host.two."));
    LOOKUP("nobody", RESOLVE_BOTH, "there is no host named nobody");
    CHECK_INT(server[0].asked, 18);
    /* A family that only a later candidate has does not mix with the first that has any. */
    LOOKUP("host", RESOLVE_BOTH, "192.0.2.41");
    /* A domain that does not fit behind the name is passed over. */
    char name[300];
    memset(name, 'a', 250);
    for (int i = 50; i < 250; i += 50) name[i] = '.';
    name[250] = 0;
    LOOKUP(name, RESOLVE_V4,
           "there is no host named "
           "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."
           "aaaaaaaaaaaaaaaaaaaaaaaaaaaaa...");
    finish();
    if (!CHECK(begin(1, "search one.test\noptions ndots:2\n", NULL))) return;
    LOOKUP("a.b", RESOLVE_V4, "192.0.2.46");
    LOOKUP("plain.test", RESOLVE_V4, "192.0.2.1");
    CHECK_INT(server[0].asked, 3);
    for (int i = 0; i < 125; i++) memcpy(name + 2 * i, "a.", 3);
    name[249] = 0; /* 249 bytes, but 125 labels: only as it is */
    LOOKUP(name, RESOLVE_V4,
           "there is no host named "
           "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a....");
    finish();
    if (!CHECK(begin(1, "search one.test\noptions ndots:15\n", NULL))) return;
    LOOKUP(
        "x.y.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        RESOLVE_V4,
        "there is no host named x.y.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaa...");
    CHECK_INT(server[0].asked, 1);
    finish();
}

TEST(a_failure_ends_the_search_so_that_no_other_host_is_meant) {
    if (!CHECK(begin(1, "search one.test two.test\n", NULL))) return;
    server[0].way = NS_ERROR;
    server[0].rcode = DNS_RCODE_SERVFAIL;
    lookup("second", RESOLVE_V4);
    CHECK_INT(one.err.code, ERR_NETWORK);
    CHECK_TEXT(slice_str(server[0].last), LIT("second.one.test."));
    finish();
}

/* --- aliases --- */

TEST(chains_of_aliases_are_followed_in_the_answer_in_any_order_and_asked_on_when_cut) {
    static const enum ns_way ways[] = {NS_HONEST, NS_REVERSED, NS_CUT};
    static const unsigned asks[] = {2, 2, 8};
    for (size_t i = 0; i < N(ways); i++) {
        if (!CHECK(begin(1, NULL, NULL))) return;
        server[0].way = ways[i];
        LOOKUP("a1.test", RESOLVE_BOTH, "2001:db8::30 192.0.2.30");
        CHECK_TEXT(slice_str(one.name), LIT("end.test."));
        CHECK_INT(one.ttl_s, 30); /* the shortest on the way, of both families */
        CHECK_INT(server[0].asked, asks[i]);
        LOOKUP("a1.test", RESOLVE_V4, "192.0.2.30");
        CHECK_INT(one.ttl_s, 40);
        CHECK_INT(server[0].asked, asks[i]); /* known under the name that was asked for */
        LOOKUP("nowhere.test", RESOLVE_BOTH, "there is no host named nowhere.test");
        finish();
    }
}

TEST(aliases_in_a_circle_end) {
    static const enum ns_way ways[] = {NS_HONEST, NS_CUT};
    for (size_t i = 0; i < N(ways); i++) {
        if (!CHECK(begin(1, NULL, NULL))) return;
        server[0].way = ways[i];
        LOOKUP("round.test", RESOLVE_V4, "looking up round.test: its aliases lead in a circle, or are more than 16");
        CHECK_INT(one.err.code, ERR_NETWORK);
        LOOKUP("self.test", RESOLVE_V6, "looking up self.test: its aliases lead in a circle, or are more than 16");
        CHECK(server[0].asked <= 34);
        finish();
    }
}

TEST(sixteen_aliases_are_followed_and_one_more_is_not) {
    static char names[20][24];
    static struct ns_record chain[20];
    for (int i = 0; i < 19; i++) {
        snprintf(names[i], sizeof names[i], "c%d.test", i);
        if (i) chain[i - 1] = (struct ns_record){names[i - 1], DNS_TYPE_CNAME, 60, names[i]};
    }
    chain[17] = (struct ns_record){names[17], DNS_TYPE_A, 60, "192.0.2.60"};
    chain[18] = (struct ns_record){0};
    for (int way = 0; way < 2; way++) {
        if (!CHECK(begin(1, NULL, NULL))) return;
        server[0].zone = chain;
        server[0].way = way ? NS_CUT : NS_HONEST;
        LOOKUP("c1.test", RESOLVE_V4, "192.0.2.60"); /* c1 to c17: 16 of them */
        lookup("c0.test", RESOLVE_V4);
        CHECK_INT(one.err.code, ERR_NETWORK);
        finish();
    }
}

TEST(only_the_answer_section_in_the_class_of_the_internet_counts) {
    if (!CHECK(begin(1, NULL, NULL))) return;
    server[0].way = NS_NOISE;
    LOOKUP("plain.test", RESOLVE_BOTH, "2001:db8::1 192.0.2.1");
    CHECK_INT(one.ttl_s, 200);
    LOOKUP("only6.test", RESOLVE_V4, "only6.test has no IPv4 address");
    finish();
}

/* --- time to live --- */

TEST(answers_are_kept_as_long_as_they_hold) {
    if (!CHECK(begin(1, NULL, NULL))) return;
    LOOKUP("only4.test", RESOLVE_V4, "192.0.2.4");
    pass_ms(299000);
    LOOKUP("only4.test", RESOLVE_V4, "192.0.2.4");
    CHECK_INT(one.ttl_s, 1);
    CHECK_INT(server[0].asked, 1);
    pass_ms(1000);
    LOOKUP("only4.test", RESOLVE_V4, "192.0.2.4");
    CHECK_INT(one.ttl_s, 300);
    CHECK_INT(server[0].asked, 2);
    /* 0 is kept for a second, and forever for a day. */
    LOOKUP("zero.test", RESOLVE_V4, "192.0.2.20");
    pass_ms(990);
    LOOKUP("zero.test", RESOLVE_V4, "192.0.2.20");
    CHECK_INT(server[0].asked, 3);
    pass_ms(10);
    LOOKUP("zero.test", RESOLVE_V4, "192.0.2.20");
    CHECK_INT(server[0].asked, 4);
    LOOKUP("long.test", RESOLVE_V4, "192.0.2.21");
    CHECK_INT(one.ttl_s, 86400);
    jump_ms(86400000);
    LOOKUP("long.test", RESOLVE_V4, "192.0.2.21");
    CHECK_INT(server[0].asked, 6);
    finish();
}

TEST(no_is_kept_as_long_as_the_zone_says_and_at_most_five_minutes) {
    if (!CHECK(begin(1, NULL, NULL))) return;
    server[0].minimum = 60;
    LOOKUP("missing.test", RESOLVE_V4, "there is no host named missing.test");
    LOOKUP("only6.test", RESOLVE_V4, "only6.test has no IPv4 address");
    pass_ms(59000);
    LOOKUP("missing.test", RESOLVE_V4, "there is no host named missing.test");
    LOOKUP("only6.test", RESOLVE_V4, "only6.test has no IPv4 address");
    CHECK_INT(server[0].asked, 2);
    pass_ms(1000);
    LOOKUP("missing.test", RESOLVE_V4, "there is no host named missing.test");
    LOOKUP("only6.test", RESOLVE_V4, "only6.test has no IPv4 address");
    CHECK_INT(server[0].asked, 4);
    server[0].minimum = 100000; /* the SOA itself holds for 3600 s */
    LOOKUP("absent.test", RESOLVE_V4, "there is no host named absent.test");
    jump_ms(299000);
    lookup("absent.test", RESOLVE_V4);
    CHECK_INT(server[0].asked, 5);
    jump_ms(1000);
    lookup("absent.test", RESOLVE_V4);
    CHECK_INT(server[0].asked, 6);
    server[0].way = NS_NO_SOA; /* RFC 2308 5: not kept at all */
    lookup("unsaid.test", RESOLVE_V4);
    lookup("unsaid.test", RESOLVE_V4);
    CHECK_INT(one.err.code, ERR_NOT_FOUND);
    CHECK_INT(server[0].asked, 8);
    server[0].way = NS_OTHER_SOA;
    lookup("elsewhere.test", RESOLVE_V4);
    lookup("elsewhere.test", RESOLVE_V4);
    CHECK_INT(server[0].asked, 10);
    /* An alias on the way holds 60 s, so "no" holds no longer. */
    server[0].way = NS_HONEST;
    server[0].minimum = 200;
    lookup("nowhere.test", RESOLVE_V4);
    jump_ms(59000);
    lookup("nowhere.test", RESOLVE_V4);
    CHECK_INT(server[0].asked, 11);
    jump_ms(1000);
    lookup("nowhere.test", RESOLVE_V4);
    CHECK_INT(server[0].asked, 12);
    server[0].minimum = 0;
    lookup("zero-minimum.test", RESOLVE_V4);
    lookup("zero-minimum.test", RESOLVE_V4);
    CHECK_INT(server[0].asked, 14);
    finish();
}

TEST(the_cache_is_bounded_and_the_longest_unused_leaves_first) {
    if (!CHECK(begin(1, NULL, NULL))) return;
    char name[40];
    lookup("plain.test", RESOLVE_V4);
    for (int i = 0; i < 700; i++) {
        snprintf(name, sizeof name, "n%d.test", i);
        lookup(name, RESOLVE_V4);
        if (i % 100 == 0) lookup("plain.test", RESOLVE_V4);
    }
    CHECK_INT(resolver_stats(resolver).remember, 512);
    unsigned before = server[0].asked;
    CHECK_INT(before, 701);
    lookup("plain.test", RESOLVE_V4); /* it was used */
    lookup("n699.test", RESOLVE_V4);
    lookup("n189.test", RESOLVE_V4); /* 700 - 511 = 189 is the oldest that is left */
    CHECK_INT(server[0].asked, before);
    lookup("n188.test", RESOLVE_V4);
    CHECK_INT(server[0].asked, before + 1);
    finish();
}

/* --- servers that fail --- */

TEST(a_server_that_cannot_tell_is_left_for_the_next_at_once) {
    static const struct {
        enum ns_way way;
        unsigned rcode, asks;
    } rows[] = {
        {NS_ERROR, DNS_RCODE_SERVFAIL, 1},
        {NS_ERROR, DNS_RCODE_REFUSED, 1},
        {NS_ERROR, DNS_RCODE_FORMERR, 2}, /* again without EDNS first */
        {NS_ERROR, DNS_RCODE_NOTIMP, 2},
        {NS_BARE_ERROR, DNS_RCODE_SERVFAIL, 1},
        {NS_BARE_ERROR, DNS_RCODE_FORMERR, 2},
        {NS_ERROR, 13, 1},
        {NS_GARBAGE, 0, 1},
        {NS_LAME, 0, 1},
    };
    for (size_t i = 0; i < N(rows); i++) {
        if (!CHECK(begin(2, NULL, NULL))) return;
        server[0].way = rows[i].way;
        server[0].rcode = rows[i].rcode;
        int64_t before = ns_now_us;
        LOOKUP("plain.test", RESOLVE_V4, "192.0.2.1");
        CHECK_INT(ns_now_us, before);
        CHECK_INT(server[0].asked, rows[i].asks);
        CHECK_INT(server[1].asked, 1);
        finish();
    }
}

TEST(when_no_server_can_tell_the_error_names_the_last_and_why) {
    if (!CHECK(begin(2, NULL, NULL))) return;
    char want[200];
    server[0].way = server[1].way = NS_ERROR;
    server[0].rcode = DNS_RCODE_SERVFAIL;
    server[1].rcode = DNS_RCODE_REFUSED;
    snprintf(want, sizeof want,
             "no name server could tell the address of plain.test; the last one asked, 127.0.0.3:%u answered REFUSED",
             address_port(&server[1].at));
    LOOKUP("plain.test", RESOLVE_BOTH, want);
    CHECK_INT(one.err.code, ERR_NETWORK);
    CHECK_INT(asked(), 2 * 2 * 2); /* families, servers, attempts */
    CHECK_INT(resolver_stats(resolver).remember, 0);
    server[1].rcode = 14;
    lookup("plain.test", RESOLVE_V4);
    CHECK(strstr(one.err.text, "answered with error 14") != NULL);
    /* One family that is known is an answer, whatever became of the other. */
    server[0].way = server[1].way = NS_HONEST;
    lookup("plain.test", RESOLVE_V4);
    server[0].way = server[1].way = NS_ERROR;
    LOOKUP("plain.test", RESOLVE_BOTH, "192.0.2.1");
    /* But "no" from one and nothing from the other is not "no". */
    server[0].way = server[1].way = NS_HONEST;
    LOOKUP("only6.test", RESOLVE_V4, "only6.test has no IPv4 address");
    server[0].way = server[1].way = NS_ERROR;
    lookup("only6.test", RESOLVE_BOTH);
    CHECK_INT(one.err.code, ERR_NETWORK);
    finish();
}

TEST(where_nobody_listens_the_next_is_asked_at_once) {
    if (!CHECK(begin(2, NULL, NULL))) return;
    ns_stop(&server[0]);
    int64_t before = ns_now_us;
    LOOKUP("plain.test", RESOLVE_BOTH, "2001:db8::1 192.0.2.1");
    CHECK_INT(ns_now_us, before);
    ns_stop(&server[1]);
    lookup("only4.test", RESOLVE_V4);
    CHECK_INT(one.err.code, ERR_NETWORK);
    CHECK_INT(one.err.os, ECONNREFUSED);
    CHECK_INT(ns_now_us, before);
    finish();
}

TEST(a_silent_server_costs_its_time_and_the_time_doubles) {
    if (!CHECK(begin(1, "options attempts:5\n", NULL))) return;
    server[0].way = NS_SILENT;
    struct asker k = {0};
    k.r = (struct resolve){.done = on_done};
    int64_t start = ns_now_us / 1000;
    resolve_start(resolver, &k.r, LIT("plain.test"), RESOLVE_V4, start + 600000);
    pass_ms(31100);
    CHECK_INT(server[0].asked, 5);
    static const int64_t offset[] = {0, 1000, 3000, 7000, 15000};
    for (unsigned i = 0; i < 5; i++) {
        int64_t late = server[0].at_ms[i] - start - offset[i];
        CHECK(late >= 0 && late <= 100);
    }
    CHECK_INT(k.done, 1);
    CHECK_INT(k.err.code, ERR_TIMEOUT);
    CHECK(strstr(k.err.text, "did not answer in time") != NULL);
    /* At most 30 seconds, however it doubles. */
    configure_text(1, "options timeout:20 attempts:3\n");
    const struct resolver_config config = {slice_str(conf_text), LIT(""), address_port(&server[0].at)};
    CHECK(resolver_configure(resolver, &config, &err));
    server[0].asked = 0;
    start = ns_now_us / 1000;
    memset(&k, 0, sizeof k);
    k.r = (struct resolve){.done = on_done};
    resolve_start(resolver, &k.r, LIT("plain.test"), RESOLVE_V4, start + 600000);
    pass_ms(79900);
    CHECK(!k.done && server[0].asked == 3 && server[0].at_ms[2] - start < 50100);
    pass_ms(300);
    CHECK_INT(k.done, 1);
    finish();
}

TEST(a_silent_server_goes_behind_the_others_for_a_minute) {
    if (!CHECK(begin(3, NULL, NULL))) return;
    server[0].way = NS_SILENT;
    LOOKUP("plain.test", RESOLVE_V4, "192.0.2.1");
    CHECK(server[0].asked == 1 && server[1].asked == 1);
    int64_t before = ns_now_us;
    LOOKUP("only4.test", RESOLVE_V4, "192.0.2.4");
    CHECK_INT(ns_now_us, before);
    CHECK(server[0].asked == 1 && server[1].asked == 2);
    server[1].way = server[2].way = NS_ERROR;
    server[1].rcode = server[2].rcode = DNS_RCODE_REFUSED;
    server[0].way = NS_HONEST; /* it still has its turn, as the last */
    LOOKUP("end.test", RESOLVE_V4, "192.0.2.30");
    CHECK(server[0].asked == 2 && server[1].asked == 3 && server[2].asked == 1);
    server[1].way = NS_HONEST;
    LOOKUP("zero.test", RESOLVE_V4, "192.0.2.20"); /* it answered: it is the first again */
    CHECK(server[0].asked == 3 && server[1].asked == 3);
    server[0].way = NS_SILENT;
    LOOKUP("long.test", RESOLVE_V4, "192.0.2.21");
    pass_ms(60000);
    server[0].way = NS_HONEST;
    LOOKUP("order.test", RESOLVE_V4, "192.0.2.9 192.0.2.8");
    CHECK_INT(server[0].asked, 5);
    finish();
}

TEST(rotate_begins_with_another_server_each_time) {
    if (!CHECK(begin(3, "options rotate\n", NULL))) return;
    char name[40];
    for (int i = 0; i < 9; i++) {
        snprintf(name, sizeof name, "r%d.test", i);
        lookup(name, RESOLVE_V4);
    }
    for (size_t i = 0; i < 3; i++) CHECK_INT(server[i].asked, 3);
    finish();
}

/* --- forgers --- */

TEST(forged_answers_are_passed_over_and_the_true_one_is_waited_for) {
    if (!CHECK(begin(1, NULL, NULL))) return;
    server[0].way = NS_LIES_FIRST;
    LOOKUP("plain.test", RESOLVE_BOTH, "2001:db8::1 192.0.2.1");
    CHECK_INT(asked(), 2);
    /* Wrong id, wrong type, wrong name, a question, a wrong id again: two families; the one from elsewhere never came in. */
    CHECK_INT(resolver_stats(resolver).foreign, 10);
    finish();
}

TEST(who_only_answers_wrongly_has_not_answered) {
    static const enum ns_way ways[] = {NS_WRONG_ID, NS_WRONG_NAME, NS_WRONG_TYPE, NS_NO_ANSWER_BIT, NS_TINY};
    for (size_t i = 0; i < N(ways); i++) {
        if (!CHECK(begin(2, NULL, NULL))) return;
        server[0].way = ways[i];
        int64_t before = ns_now_us;
        LOOKUP("plain.test", RESOLVE_V4, "192.0.2.1");
        CHECK(ns_now_us - before >= 1000000); /* the whole time of the first server has passed */
        CHECK(resolver_stats(resolver).foreign >= 1);
        CHECK(server[0].asked == 1 && server[1].asked == 1);
        finish();
    }
}

TEST(a_flood_of_forged_answers_does_not_end_the_question) {
    if (!CHECK(begin(1, NULL, NULL))) return;
    server[0].way = NS_SILENT;
    struct asker k = {0};
    ask_from(&k, "plain.test", RESOLVE_V4);
    settle();
    CHECK_INT(server[0].asked, 1);
    struct address to;
    address_read(LIT("127.0.0.1:1"), &to, &err);
    to.v4.sin_port = htons(server[0].port[0]);
    /* The very address that was asked, the right port, all ids but the right one: 100 at a time, as the socket takes them. */
    uint8_t forged[] = {0,   0,   0x81, 0x80, 0, 1,   0,   0,   0,   0, 0, 0, 5, 'p',
                        'l', 'a', 'i',  'n',  4, 't', 'e', 's', 't', 0, 0, 1, 0, 1};
    forged[3] |= 3; /* there is no such host */
    for (unsigned id = 0; id < 65536; id++) {
        if (id == server[0].id[0]) continue;
        forged[0] = (uint8_t)(id >> 8);
        forged[1] = (uint8_t)id;
        ns_send(server[0].udp.fd, forged, sizeof forged, &to);
        if (id % 100 == 0) settle();
    }
    settle();
    CHECK_INT(k.done, 0);
    CHECK(resolver_stats(resolver).foreign > 60000);
    forged[0] = (uint8_t)(server[0].id[0] >> 8);
    forged[1] = (uint8_t)server[0].id[0];
    ns_send(server[0].udp.fd, forged, sizeof forged, &to); /* the right one was listened to all the time */
    settle();
    CHECK_INT(k.done, 1);
    CHECK_INT(k.err.code, ERR_NOT_FOUND);
    finish();
}

TEST(ids_and_ports_are_new_for_each_question) {
    if (!CHECK(begin(1, NULL, NULL))) return;
    char name[40];
    enum { MANY = 400 };
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "n%d.test", i);
        lookup(name, RESOLVE_V4);
    }
    static uint8_t seen_id[65536], seen_port[65536];
    memset(seen_id, 0, sizeof seen_id);
    memset(seen_port, 0, sizeof seen_port);
    unsigned ids = 0, ports = 0, steps = 0;
    for (int i = 0; i < MANY; i++) {
        ids += !seen_id[server[0].id[i]]++;
        ports += !seen_port[server[0].port[i]]++;
        if (i)
            steps +=
                abs(server[0].port[i] - server[0].port[i - 1]) < 16 || abs(server[0].id[i] - server[0].id[i - 1]) < 16;
    }
    /* Of 400 out of 28,000 ports some 3 meet by chance, of 400 out of 65,536 ids one. Neighbours as well. */
    CHECK(ids > MANY - 20 && ports > MANY - 40 && steps < 20);
    CHECK(server[0].mixed > MANY / 2); /* and the letters */
    tap_note("%u ids, %u ports, %u in mixed case of %d questions", ids, ports, server[0].mixed, MANY);
    finish();
}

TEST(a_server_that_kept_the_spelling_is_held_to_it_and_one_that_did_not_is_believed) {
    if (!CHECK(begin(1, NULL, NULL))) return;
    server[0].way = NS_LOWER;
    LOOKUP("plain.test", RESOLVE_V4, "192.0.2.1");
    LOOKUP("only4.test", RESOLVE_V4, "192.0.2.4");
    CHECK_INT(resolver_stats(resolver).foreign, 0);
    server[0].way = NS_HONEST;
    LOOKUP("a-long-name-with-many-letters-so-that-one-is-upper.test", RESOLVE_V4,
           "there is no host named a-long-name-with-many-letters-so-that-one-is-upper.test");
    server[0].way = NS_LOWER; /* now it looks forged, and is waited out once */
    int64_t before = ns_now_us;
    LOOKUP("another-long-name-with-many-letters.test", RESOLVE_V4,
           "there is no host named another-long-name-with-many-letters.test");
    CHECK(ns_now_us - before >= 1000000);
    CHECK_INT(resolver_stats(resolver).foreign, 1);
    before = ns_now_us;
    LOOKUP("and-one-more-long-name-with-many-letters.test", RESOLVE_V4,
           "there is no host named and-one-more-long-name-with-many-letters.test");
    CHECK_INT(ns_now_us, before); /* it does not any more: believed */
    finish();
}

/* --- EDNS, truncation, TCP --- */

TEST(a_server_that_does_not_know_edns_is_asked_without) {
    static const enum ns_way ways[] = {NS_NO_EDNS, NS_NO_EDNS, NS_OLD_EDNS};
    for (size_t i = 0; i < N(ways); i++) {
        if (!CHECK(begin(1, NULL, NULL))) return;
        server[0].way = ways[i];
        server[0].rcode = i == 1; /* FORMERR without the question */
        LOOKUP("plain.test", RESOLVE_V4, "192.0.2.1");
        CHECK_INT(server[0].asked, 2);
        CHECK_INT(server[0].edns_asked, 1);
        CHECK(server[0].id[0] != server[0].id[1] || server[0].port[0] != server[0].port[1]);
        finish();
    }
}

TEST(a_truncated_answer_is_asked_for_by_tcp) {
    static const enum ns_way ways[] = {NS_TRUNCATE, NS_TRUNCATE_MID, NS_TCP_BYTES};
    for (size_t i = 0; i < N(ways); i++) {
        if (!CHECK(begin(1, NULL, NULL))) return;
        server[0].way = ways[i];
        LOOKUP("order.test", RESOLVE_V4, "192.0.2.9 192.0.2.8");
        CHECK(server[0].asked == 1 && server[0].asked_tcp == 1);
        CHECK_INT(resolver_stats(resolver).tcp, 1);
        finish();
    }
}

TEST(what_goes_wrong_by_tcp_leads_to_the_next_server) {
    static const enum ns_way ways[] = {NS_TCP_CLOSE, NS_TCP_LENGTH, NS_TCP_WRONG, NS_TRUNCATE_MUTE};
    for (size_t i = 0; i < N(ways); i++) {
        if (!CHECK(begin(2, NULL, NULL))) return;
        server[0].way = ways[i];
        int64_t before = ns_now_us;
        LOOKUP("plain.test", RESOLVE_V4, "192.0.2.1");
        CHECK(server[0].asked == 1 && server[0].asked_tcp == 1 && server[1].asked == 1);
        CHECK((ns_now_us - before >= 1000000) == (ways[i] == NS_TRUNCATE_MUTE));
        finish();
    }
    if (!CHECK(begin(2, NULL, NULL))) return;
    server[0].way = NS_TRUNCATE;
    listener_stop(&server[0].tcp); /* nobody accepts */
    int64_t before = ns_now_us;
    LOOKUP("plain.test", RESOLVE_V4, "192.0.2.1");
    CHECK_INT(ns_now_us, before);
    CHECK(server[0].asked == 1 && server[0].asked_tcp == 0 && server[1].asked == 1);
    finish();
}

TEST(a_huge_answer_gives_as_many_addresses_as_are_taken) {
    static char text[1000][40];
    static struct ns_record many[1001];
    if (!CHECK(begin(2, NULL, NULL))) return;
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(text[i], sizeof text[i], "10.0.%u.%u", i >> 8, i & 255);
        many[i] = (struct ns_record){"huge.test", DNS_TYPE_A, 60, text[i]};
    }
    many[1000] = (struct ns_record){0};
    /* 500 records are read, 32 addresses kept. */
    server[0].zone = many + 500;
    LOOKUP("huge.test", RESOLVE_V6, "huge.test has no IPv6 address");
    lookup("huge.test", RESOLVE_V4);
    CHECK_INT(one.n, 32);
    CHECK(slice_starts(slice_str(one.addresses), LIT("10.0.1.244 10.0.1.245 ")));
    CHECK_INT(server[0].asked_tcp, 1); /* it did not fit a datagram, and the server said so */
    /* 1000 records are over the limit: that is no answer. */
    server[0].zone = many;
    const struct resolver_config config = {slice_str(conf_text), LIT(""), address_port(&server[0].at)};
    CHECK(resolver_configure(resolver, &config, &err));
    lookup("huge.test", RESOLVE_V4);
    CHECK_INT(one.err.code, ERR_NOT_FOUND); /* the second server knows nothing of it */
    CHECK(server[0].asked_tcp == 2 && server[1].asked == 1);
    finish();
}

/* --- many askers --- */

TEST(the_same_question_is_asked_once_for_all_who_ask) {
    if (!CHECK(begin(1, NULL, NULL))) return;
    static struct asker k[50];
    memset(k, 0, sizeof k);
    for (size_t i = 0; i < N(k); i++) ask_from(&k[i], i % 2 ? "plain.test" : "PLAIN.test.", RESOLVE_BOTH);
    CHECK_INT(resolver_stats(resolver).asking, 2);
    CHECK_INT(resolver_stats(resolver).joined, 98);
    settle();
    for (size_t i = 0; i < N(k); i++) {
        CHECK_INT(k[i].done, 1);
        CHECK_TEXT(slice_str(k[i].addresses), LIT("2001:db8::1 192.0.2.1"));
    }
    CHECK_INT(asked(), 2);
    finish();
}

TEST(sockets_and_questions_are_bounded) {
    if (!CHECK(begin(1, NULL, NULL))) return;
    enum { MANY = 600 };
    static struct asker k[MANY];
    static char name[MANY][24];
    memset(k, 0, sizeof k);
    server[0].way = NS_SILENT;
    unsigned fds = count_fds();
    for (int i = 0; i < MANY; i++) {
        snprintf(name[i], sizeof name[i], "n%d.test", i);
        ask_from(&k[i], name[i], RESOLVE_V4);
    }
    CHECK_INT(resolver_stats(resolver).sockets, 64);
    CHECK_INT(count_fds(), fds + 64);
    CHECK_INT(resolver_stats(resolver).asking, 512);
    settle();
    unsigned refused = 0;
    for (int i = 0; i < MANY; i++) {
        if (!k[i].done) continue;
        refused++;
        CHECK_TEXT(slice_str(k[i].err.limit ? k[i].err.limit : ""), LIT("names looked up at once"));
        CHECK(i >= 512);
    }
    CHECK_INT(refused, MANY - 512);
    /* Whoever waits has its turn when one is done: the first 64 fail after 1 + 2 seconds. */
    server[0].way = NS_HONEST;
    pass_ms(3100);
    for (int i = 0; i < 512; i++) CHECK_INT(k[i].done, 1);
    CHECK_INT(resolver_stats(resolver).asking, 0);
    CHECK_INT(count_fds(), fds);
    finish();
}

TEST(nobody_is_called_after_cancelling_and_what_is_under_way_serves_the_cache) {
    if (!CHECK(begin(1, NULL, NULL))) return;
    static struct asker k[200];
    memset(k, 0, sizeof k);
    resolve_cancel(&k[0].r); /* never asked */
    ask_from(&k[0], "plain.test", RESOLVE_BOTH);
    ask_from(&k[1], "192.0.2.1", RESOLVE_BOTH);
    ask_from(&k[2], "plain.test", RESOLVE_V4);
    ask_from(&k[3], "a b", RESOLVE_V4);
    resolve_cancel(&k[0].r);
    resolve_cancel(&k[0].r);
    resolve_cancel(&k[1].r);
    resolve_cancel(&k[3].r);
    settle();
    CHECK(!k[0].done && !k[1].done && k[2].done == 1 && !k[3].done);
    CHECK_INT(resolver_stats(resolver).remember, 2);
    LOOKUP("plain.test", RESOLVE_V6, "2001:db8::1");
    CHECK_INT(asked(), 2);
    /* What only waited for a socket is not asked at all. */
    server[0].way = NS_SILENT;
    char name[40];
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof name, "n%d.test", i);
        ask_from(&k[i], name, RESOLVE_V4);
    }
    for (int i = 0; i < 200; i++) resolve_cancel(&k[i].r);
    CHECK_INT(resolver_stats(resolver).asking, 64);
    /* And orphans make room for those who want something. */
    for (int i = 0; i < 10; i++) {
        ask_from(&k[i], "end.test", RESOLVE_V4);
        resolve_cancel(&k[i].r);
    }
    for (int i = 0; i < 200; i++) CHECK_INT(k[i].done, 0);
    finish();
}

TEST(orphans_make_room_when_there_is_none) {
    if (!CHECK(begin(1, NULL, NULL))) return;
    static struct asker k[600];
    static char name[600][24];
    memset(k, 0, sizeof k);
    server[0].way = NS_SILENT;
    for (int i = 0; i < 512; i++) {
        snprintf(name[i], sizeof name[i], "n%d.test", i);
        ask_from(&k[i], name[i], RESOLVE_V4);
    }
    settle();
    CHECK_INT(resolver_stats(resolver).asking, 512);
    resolve_cancel(&k[5].r); /* under way: goes on without an asker */
    CHECK_INT(resolver_stats(resolver).asking, 512);
    ask_from(&k[512], "late.test", RESOLVE_V4);
    ask_from(&k[513], "later.test", RESOLVE_V4);
    settle();
    CHECK(!k[512].done && k[513].done == 1 && k[513].err.code == ERR_LIMIT);
    for (int i = 0; i < 513; i++) resolve_cancel(&k[i].r);
    finish();
}

TEST(a_callback_may_cancel_others_ask_again_and_free_itself) {
    if (!CHECK(begin(1, NULL, NULL))) return;
    static struct asker a, b, c;
    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    memset(&c, 0, sizeof c);
    a.cancels = &b;
    b.cancels = &a;
    a.starts = b.starts = &c;
    a.starts_name = b.starts_name = "only4.test";
    ask_from(&a, "plain.test", RESOLVE_V4);
    ask_from(&b, "plain.test", RESOLVE_V4);
    c.r.done = on_done;
    settle();
    CHECK_INT(a.done + b.done, 1);
    CHECK_INT(c.done, 1);
    CHECK_TEXT(slice_str(c.addresses), LIT("192.0.2.4"));
    struct asker *f = calloc(1, sizeof *f);
    f->free_it = true;
    ask_from(f, "plain.test", RESOLVE_BOTH);
    settle();
    f = calloc(1, sizeof *f);
    f->free_it = true;
    ask_from(f, "not a name", RESOLVE_BOTH);
    settle();
    /* The same struct again from its own callback. */
    memset(&a, 0, sizeof a);
    a.starts = &a;
    a.starts_name = "only4.test";
    ask_from(&a, "plain.test", RESOLVE_V4);
    loop_turn(loop, 10);
    for (int i = 0; i < 50 && a.done < 5; i++) loop_turn(loop, 1);
    CHECK(a.done >= 5);
    a.starts = NULL;
    resolve_cancel(&a.r);
    finish();
}

TEST(one_family_is_told_early_and_the_other_may_take_two_seconds_more) {
    static const struct {
        enum ns_way way;
        const char *part, *whole;
    } rows[] = {{NS_MUTE_V6, "192.0.2.1", "192.0.2.1"}, {NS_MUTE_V4, "2001:db8::1", "2001:db8::1"}};
    for (size_t i = 0; i < N(rows); i++) {
        if (!CHECK(begin(1, "options timeout:30\n", NULL))) return;
        server[0].way = rows[i].way;
        struct asker k = {0};
        ask_from(&k, "plain.test", RESOLVE_BOTH);
        settle();
        CHECK(k.parts == 1 && !k.done);
        CHECK_TEXT(slice_str(k.part_addresses), slice_str(rows[i].part));
        pass_ms(1950);
        CHECK_INT(k.done, 0);
        pass_ms(100);
        CHECK(k.parts == 1 && k.done == 1 && k.whole);
        CHECK_TEXT(slice_str(k.addresses), slice_str(rows[i].whole));
        finish();
    }
    /* When the other comes in time, both are there. */
    if (!CHECK(begin(1, NULL, NULL))) return;
    server[0].way = NS_MUTE_V6;
    struct asker k = {0};
    ask_from(&k, "plain.test", RESOLVE_BOTH);
    settle();
    CHECK_INT(k.parts, 1);
    server[0].way = NS_HONEST;
    pass_ms(1100); /* asked again after a second */
    CHECK_INT(k.done, 1);
    CHECK_TEXT(slice_str(k.addresses), LIT("2001:db8::1 192.0.2.1"));
    /* `part` may be the end of it. */
    server[0].way = NS_MUTE_V6;
    memset(&k, 0, sizeof k);
    k.cancels_in_part = true;
    ask_from(&k, "end.test", RESOLVE_BOTH);
    settle();
    CHECK_INT(k.parts, 1);
    pass_ms(10000);
    CHECK_INT(k.done, 0);
    finish();
}

TEST(the_deadline_ends_the_whole_question) {
    if (!CHECK(begin(3, "options timeout:30 attempts:5\nsearch one.test two.test\n", NULL))) return;
    for (size_t i = 0; i < 3; i++) server[i].way = NS_SILENT;
    struct asker k = {0};
    ask_from(&k, "host", RESOLVE_BOTH); /* no deadline: 30 seconds */
    pass_ms(29900);
    CHECK_INT(k.done, 0);
    pass_ms(200);
    CHECK_INT(k.done, 1);
    CHECK_INT(k.err.code, ERR_TIMEOUT);
    memset(&k, 0, sizeof k);
    k.r = (struct resolve){.done = on_done};
    resolve_start(resolver, &k.r, LIT("host"), RESOLVE_BOTH, ns_now_us / 1000 + 500);
    pass_ms(490);
    CHECK_INT(k.done, 0);
    pass_ms(30);
    CHECK_INT(k.done, 1);
    CHECK_TEXT(slice_str(k.err.text), LIT("no name server could tell the address of host in time"));
    /* The two seconds of the other family do not make it later. */
    for (size_t i = 0; i < 3; i++) server[i].way = NS_MUTE_V6;
    memset(&k, 0, sizeof k);
    k.r = (struct resolve){.done = on_done};
    resolve_start(resolver, &k.r, LIT("plain.test"), RESOLVE_BOTH, ns_now_us / 1000 + 500);
    pass_ms(490);
    CHECK_INT(k.done, 0);
    pass_ms(30);
    CHECK(k.done == 1 && k.n == 1);
    for (size_t i = 0; i < 3; i++) server[i].way = NS_SILENT;
    /* One that has passed already still is an answer, not a wait. */
    memset(&k, 0, sizeof k);
    k.r = (struct resolve){.done = on_done};
    resolve_start(resolver, &k.r, LIT("host"), RESOLVE_BOTH, 1);
    settle();
    CHECK_INT(k.done, 1);
    CHECK_INT(k.err.code, ERR_TIMEOUT);
    finish();
}

/* --- changing the configuration --- */

TEST(new_texts_take_the_place_of_the_old_and_open_questions_are_asked_anew) {
    if (!CHECK(begin(2, NULL, "192.0.2.90 here.test\n"))) return;
    uint16_t port = address_port(&server[0].at);
    char text[100] = "nameserver 127.0.0.3\n";
    server[0].way = NS_SILENT;
    static const struct ns_record other[] = {{"plain.test", DNS_TYPE_A, 60, "192.0.2.91"}, {0}};
    LOOKUP("here.test", RESOLVE_BOTH, "192.0.2.90");
    struct asker k = {0};
    ask_from(&k, "plain.test", RESOLVE_V4);
    settle();
    CHECK(!k.done && server[0].asked == 1);
    server[1].zone = other;
    const struct resolver_config config = {slice_str(text), LIT("192.0.2.92 there.test\n"), port};
    CHECK(resolver_configure(resolver, &config, &err));
    CHECK_INT(resolver_stats(resolver).sockets, 1);
    settle();
    CHECK_INT(k.done, 1);
    CHECK_INT(resolver_stats(resolver).sockets, 0);
    CHECK_TEXT(slice_str(k.addresses), LIT("192.0.2.91"));
    LOOKUP("there.test", RESOLVE_BOTH, "192.0.2.92");
    LOOKUP("here.test", RESOLVE_V4, "there is no host named here.test");
    CHECK_INT(resolver_stats(resolver).remember, 2);
    /* A text that is refused changes nothing. */
    static uint8_t big[LIMIT_HOSTS_BYTES + 1];
    const struct resolver_config bad = {LIT("nameserver 127.0.0.2\n"), {big, sizeof big}, port};
    CHECK(!resolver_configure(resolver, &bad, &err) && err.code == ERR_LIMIT);
    LOOKUP("there.test", RESOLVE_BOTH, "192.0.2.92");
    CHECK_INT(resolver_stats(resolver).remember, 2);
    CHECK(resolver_configure(resolver, &config, &err));
    CHECK_INT(resolver_stats(resolver).remember, 0);
    CHECK(!resolver_new(loop, &bad, &err));
    finish();
}

TEST(a_server_is_asked_over_ipv6_too) {
    if (!CHECK(begin(0, NULL, NULL))) return;
    if (!ns_start(&server[0], "[::1]", 0, zone)) {
        tap_skip("this machine has no IPv6 loopback");
        finish();
        return;
    }
    const struct resolver_config config = {LIT("nameserver ::1\n"), LIT(""), address_port(&server[0].at)};
    CHECK(resolver_configure(resolver, &config, &err));
    server[0].way = NS_TRUNCATE;
    LOOKUP("plain.test", RESOLVE_BOTH, "2001:db8::1 192.0.2.1");
    CHECK(server[0].asked == 2 && server[0].asked_tcp == 2);
    finish();
}

TEST(a_server_that_cannot_be_reached_from_here_is_left_at_once) {
    if (!CHECK(begin(1, NULL, NULL))) return;
    /* No route leads to the documentation's prefix over the loopback's zone. */
    const struct resolver_config config = {LIT("nameserver ff02::1%4000000\nnameserver 127.0.0.2\n"), LIT(""),
                                           address_port(&server[0].at)};
    CHECK(resolver_configure(resolver, &config, &err));
    int64_t before = ns_now_us;
    LOOKUP("plain.test", RESOLVE_V4, "192.0.2.1");
    CHECK_INT(ns_now_us, before);
    finish();
}

/* --- without memory --- */

static unsigned crowd;

static bool resolve_once(void *arg) {
    enum ns_way way = *(enum ns_way *)arg;
    bool good = false;
    if (begin(2, "search one.test\n", "192.0.2.50 mine.lan\n")) {
        server[0].way = way;
        struct asker k = {0};
        crowd_timers(crowd);
        ask_from(&k, "a1.test", RESOLVE_BOTH);
        pass_ms(3200);
        CHECK_INT(k.done, 1);
        good = k.n == 2;
        if (!k.n) CHECK(k.err.code == ERR_NOMEM || k.err.code == ERR_NETWORK || k.err.code == ERR_TIMEOUT);
        memset(&k, 0, sizeof k);
        ask_from(&k, "host", RESOLVE_V4);
        pass_ms(3200);
        CHECK_INT(k.done, 1);
        good &= k.n == 1;
        struct resolver_config config = {slice_str(conf_text), LIT("192.0.2.51 yours.lan\n"),
                                         address_port(&server[0].at)};
        good &= resolver_configure(resolver, &config, &err);
        memset(&k, 0, sizeof k);
        ask_from(&k, "yours.lan", RESOLVE_V4);
        settle();
        good &= k.n == 1;
        resolve_cancel(&k.r);
        clear_timers();
    }
    if (loop)
        finish();
    else
        clock_use(NULL);
    return good;
}

TEST(without_memory_a_question_fails_or_succeeds_and_nothing_is_left) {
    enum ns_way ways[] = {NS_HONEST, NS_TCP_BYTES, NS_CUT};
    for (size_t i = 0; i < N(ways); i++) faults_sweep(resolve_once, &ways[i], "a resolution");
    for (crowd = 62; crowd <= 64; crowd++) faults_sweep(resolve_once, &ways[0], "a resolution among many timers");
    crowd = 0;
}

TAP_MAIN(T(resolv_conf_is_read_as_the_c_library_reads_it), T(hosts_are_read_with_many_names_a_line_and_both_families),
         T(hosts_beyond_a_limit_are_refused_by_its_name), T(hosts_without_memory_are_an_error_and_nothing_more),
         T(what_is_no_name_of_a_host_is_refused), T(what_needs_no_server_is_answered_without_one),
         T(both_families_are_asked_at_once_and_come_together), T(addresses_come_in_the_order_of_precedence_and_once),
         T(a_short_name_goes_through_the_search_list), T(a_failure_ends_the_search_so_that_no_other_host_is_meant),
         T(chains_of_aliases_are_followed_in_the_answer_in_any_order_and_asked_on_when_cut), T(aliases_in_a_circle_end),
         T(sixteen_aliases_are_followed_and_one_more_is_not),
         T(only_the_answer_section_in_the_class_of_the_internet_counts), T(answers_are_kept_as_long_as_they_hold),
         T(no_is_kept_as_long_as_the_zone_says_and_at_most_five_minutes),
         T(the_cache_is_bounded_and_the_longest_unused_leaves_first),
         T(a_server_that_cannot_tell_is_left_for_the_next_at_once),
         T(when_no_server_can_tell_the_error_names_the_last_and_why), T(where_nobody_listens_the_next_is_asked_at_once),
         T(a_silent_server_costs_its_time_and_the_time_doubles), T(a_silent_server_goes_behind_the_others_for_a_minute),
         T(rotate_begins_with_another_server_each_time),
         T(forged_answers_are_passed_over_and_the_true_one_is_waited_for), T(who_only_answers_wrongly_has_not_answered),
         T(a_flood_of_forged_answers_does_not_end_the_question), T(ids_and_ports_are_new_for_each_question),
         T(a_server_that_kept_the_spelling_is_held_to_it_and_one_that_did_not_is_believed),
         T(a_server_that_does_not_know_edns_is_asked_without), T(a_truncated_answer_is_asked_for_by_tcp),
         T(what_goes_wrong_by_tcp_leads_to_the_next_server), T(a_huge_answer_gives_as_many_addresses_as_are_taken),
         T(the_same_question_is_asked_once_for_all_who_ask), T(sockets_and_questions_are_bounded),
         T(nobody_is_called_after_cancelling_and_what_is_under_way_serves_the_cache),
         T(orphans_make_room_when_there_is_none), T(a_callback_may_cancel_others_ask_again_and_free_itself),
         T(one_family_is_told_early_and_the_other_may_take_two_seconds_more), T(the_deadline_ends_the_whole_question),
         T(new_texts_take_the_place_of_the_old_and_open_questions_are_asked_anew), T(a_server_is_asked_over_ipv6_too),
         T(a_server_that_cannot_be_reached_from_here_is_left_at_once),
         T(without_memory_a_question_fails_or_succeeds_and_nothing_is_left))
