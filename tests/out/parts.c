/* parts.c - what outgoing requests are made of: references resolved, URLs in one form, proxies chosen, bodies decompressed. */
#include "out/coding.h"
#include "out/proxy.h"
#include "out/reference.h"
#include "out/request_hop.h"

#include "base/mem.h"
#include "base/rng.h"
#include "lib/cuts.h"
#include "lib/faults.h"
#include "lib/tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

static struct err err;

/* --- references --- */

TEST(references_resolve_as_the_table_of_rfc_3986_says) {
    static const char *const rows[][2] = {
        /* 5.4.1 */
        {"g:h", "g:h"},
        {"g", "http://a/b/c/g"},
        {"./g", "http://a/b/c/g"},
        {"g/", "http://a/b/c/g/"},
        {"/g", "http://a/g"},
        {"//g", "http://g"},
        {"?y", "http://a/b/c/d;p?y"},
        {"g?y", "http://a/b/c/g?y"},
        {"#s", "http://a/b/c/d;p?q#s"},
        {"g#s", "http://a/b/c/g#s"},
        {"g?y#s", "http://a/b/c/g?y#s"},
        {";x", "http://a/b/c/;x"},
        {"g;x", "http://a/b/c/g;x"},
        {"g;x?y#s", "http://a/b/c/g;x?y#s"},
        {"", "http://a/b/c/d;p?q"},
        {".", "http://a/b/c/"},
        {"./", "http://a/b/c/"},
        {"..", "http://a/b/"},
        {"../", "http://a/b/"},
        {"../g", "http://a/b/g"},
        {"../..", "http://a/"},
        {"../../", "http://a/"},
        {"../../g", "http://a/g"},
        /* 5.4.2 */
        {"../../../g", "http://a/g"},
        {"../../../../g", "http://a/g"},
        {"/./g", "http://a/g"},
        {"/../g", "http://a/g"},
        {"g.", "http://a/b/c/g."},
        {".g", "http://a/b/c/.g"},
        {"g..", "http://a/b/c/g.."},
        {"..g", "http://a/b/c/..g"},
        {"./../g", "http://a/b/g"},
        {"./g/.", "http://a/b/c/g/"},
        {"g/./h", "http://a/b/c/g/h"},
        {"g/../h", "http://a/b/c/h"},
        {"g;x=1/./y", "http://a/b/c/g;x=1/y"},
        {"g;x=1/../y", "http://a/b/c/y"},
        {"g?y/./x", "http://a/b/c/g?y/./x"},
        {"g?y/../x", "http://a/b/c/g?y/../x"},
        {"g#s/./x", "http://a/b/c/g#s/./x"},
        {"g#s/../x", "http://a/b/c/g#s/../x"},
        {"http:g", "http:g"},
        /* of our own, by the same rules */
        {"//g/../x/./y?z", "http://g/x/y?z"},
        {"1:2", "http://a/b/c/1:2"}, /* no scheme begins with a digit */
        {"a/b:c", "http://a/b/c/a/b:c"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf out;
        buf_init(&out, 1000);
        CHECK(reference_resolve(&out, LIT("http://a/b/c/d;p?q"), slice_str(rows[i][0]), &err));
        CHECK_TEXT(buf_slice(&out), slice_str(rows[i][1]));
        buf_release(&out);
    }
}

TEST(a_base_without_a_path_gets_a_slash_and_limits_are_met_without_a_trace) {
    struct buf out;
    buf_init(&out, 20);
    CHECK(reference_resolve(&out, LIT("http://a"), LIT("g"), &err));
    CHECK_TEXT(buf_slice(&out), LIT("http://a/g"));
    err = (struct err)ERR_INIT;
    CHECK(!reference_resolve(&out, LIT("http://a"), LIT("0123456789"), &err) && err.code == ERR_LIMIT);
    CHECK_TEXT(buf_slice(&out), LIT("http://a/g"));
    CHECK(!reference_resolve(&out, LIT("//a"), LIT("g"), &err) && err.code == ERR_INVALID);
    buf_release(&out);
}

/* --- URLs --- */

TEST(urls_are_brought_into_one_form) {
    static const struct {
        const char *url, *want, *authority, *always, *user;
    } rows[] = {
        {"HTTP://Example.ORG", "http://example.org/", "example.org", "example.org:80", ""},
        {"https://a:443/x?y#z", "https://a/x?y", "a", "a:443", ""},
        {"https://a:80/", "https://a:80/", "a:80", "a:80", ""},
        {"http://[2001:DB8::1]:8080/a", "http://[2001:db8::1]:8080/a", "[2001:db8::1]:8080", "[2001:db8::1]:8080", ""},
        {"http://[::1]", "http://[::1]/", "[::1]", "[::1]:80", ""},
        {"http://me:pw@10.0.0.1:/", "http://10.0.0.1/", "10.0.0.1", "10.0.0.1:80", "me:pw"},
        {"http://a?q", "http://a/?q", "a", "a:80", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct hop h;
        struct buf out;
        struct slice user = {0};
        hop_init(&h);
        buf_init(&out, 300);
        CHECK(hop_set(&h, slice_str(rows[i].url), &user, &err));
        CHECK_TEXT(buf_slice(&h.text), slice_str(rows[i].want));
        CHECK_TEXT(user, slice_str(rows[i].user));
        hop_write_authority(&out, &h, false);
        CHECK_TEXT(buf_slice(&out), slice_str(rows[i].authority));
        buf_reset(&out);
        hop_write_authority(&out, &h, true);
        CHECK_TEXT(buf_slice(&out), slice_str(rows[i].always));
        buf_release(&out);
        hop_release(&h);
    }
}

TEST(urls_that_lead_nowhere_are_refused) {
    static const char *const bad[] = {"ftp://a/",    "http:///x",      "http://a:0/", "http://a%62/",
                                      "//a/",        "http://[v1.x]/", "http://a b/", "http://a:99999",
                                      "http://a;b/", "javascript:1",   "http:",       ""};
    struct hop h;
    struct slice user;
    char text[9000];
    hop_init(&h);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (!CHECK(!hop_set(&h, slice_str(bad[i]), &user, &err))) tap_note("%s", bad[i]);
        CHECK_INT(h.text.len, 0);
    }
    memset(text, 'a', sizeof text);
    memcpy(text, "http://a/", 9);
    err = (struct err)ERR_INIT;
    CHECK(!hop_set(&h, slice_of(text, sizeof text), &user, &err) && err.code == ERR_LIMIT);
    CHECK(hop_set(&h, slice_of(text, 8000), &user, &err));
    /* One byte more than fits once the path's slash is there. */
    memset(text, 'a', sizeof text);
    memcpy(text, "http://a?", 9);
    err = (struct err)ERR_INIT;
    CHECK(!hop_set(&h, slice_of(text, 8000), &user, &err) && err.code == ERR_LIMIT);
    memset(text, 'a', sizeof text);
    memcpy(text, "http://", 7);
    CHECK(!hop_set(&h, slice_of(text, 7 + 254), &user, &err));
    CHECK(hop_set(&h, slice_of(text, 7 + 253), &user, &err));
    CHECK(!hop_set(&h, LIT("http://me@a/"), NULL, &err)); /* not in a redirect */
    hop_release(&h);
}

TEST(locations_are_followed_as_servers_write_them) {
    struct hop h;
    struct slice user;
    hop_init(&h);
    CHECK(hop_set(&h, LIT("https://me:pw@a.test:8443/b/c?secret"), &user, &err));
    CHECK_TEXT(slice_str(hop_name(&h).text), LIT("https://a.test:8443/b/c"));
    CHECK(hop_follow(&h, LIT("../\xc3\xa4 x?\xff"), &err));
    CHECK_TEXT(buf_slice(&h.text), LIT("https://a.test:8443/%C3%A4%20x?%FF"));
    CHECK(!hop_follow(&h, LIT("http://me@b/"), &err) && !hop_follow(&h, LIT("mailto:x"), &err) &&
          !hop_follow(&h, LIT("http://b/<"), &err));
    CHECK_TEXT(buf_slice(&h.text), LIT("https://a.test:8443/%C3%A4%20x?%FF"));
    CHECK(hop_follow(&h, LIT("//B/#frag"), &err));
    CHECK_TEXT(buf_slice(&h.text), LIT("https://b/"));
    hop_release(&h);
}

/* --- proxies --- */

static const char *found(const struct proxies *p, bool secure, const char *host, uint16_t port) {
    static char text[300];
    const struct proxy *x = proxies_find(p, secure, slice_str(host), port);
    if (!x) return "";
    snprintf(text, sizeof text, "%.*s:%u %.*s", (int)x->host.len, (const char *)x->host.ptr, x->port,
             (int)x->credentials.len, (const char *)x->credentials.ptr);
    return text;
}

TEST(proxies_are_read_in_lower_case_first_and_for_each_scheme) {
    const char *const both[] = {"HTTP_PROXY=upper:1", "http_proxy=lower:2", "HTTPS_PROXY=http://us%65r:p%40w@s.test",
                                NULL};
    struct proxies *p = proxies_new(both, &err);
    CHECK(p && !strcmp(found(p, false, "x", 80), "lower:2 "));
    CHECK(!strcmp(found(p, true, "x", 443), "s.test:80 Basic dXNlcjpwQHc=")); /* user:p@w */
    proxies_free(p);
    const char *const empty[] = {"http_proxy=", "HTTP_PROXY=upper:1", "ALL_PROXY=all:9", "XHTTPS_PROXY=no:1", NULL};
    p = proxies_new(empty, &err);
    CHECK(p && !strcmp(found(p, false, "x", 80), "")); /* said, and said to be none */
    CHECK(!strcmp(found(p, true, "x", 443), "all:9 "));
    proxies_free(p);
    const char *const six[] = {"http_proxy=http://[::1]:3128/", NULL};
    p = proxies_new(six, &err);
    CHECK(p && !strcmp(found(p, false, "x", 80), "::1:3128 ") && !strcmp(found(p, true, "x", 80), ""));
    proxies_free(p);
    CHECK(proxies_find(NULL, true, LIT("x"), 1) == NULL);
}

TEST(a_proxy_that_is_not_understood_is_refused_by_the_name_of_its_variable) {
    static const char *const bad[] = {
        "http_proxy=socks5://x:1", "http_proxy=https://x:1", "http_proxy=http://x:1/path",
        "http_proxy=http://x:0",   "http_proxy=http://",     "http_proxy=a b",
        "http_proxy=http://x?y",   "http_proxy=u%3Ar:p@x",   "http_proxy=http://u%0d:p@x"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *const environment[] = {bad[i], NULL};
        err = (struct err)ERR_INIT;
        if (!CHECK(!proxies_new(environment, &err))) tap_note("%s", bad[i]);
        CHECK(slice_starts(slice_str(err.text), LIT("reading the environment variable http_proxy: ")));
    }
    char long_list[5000] = "no_proxy=";
    memset(long_list + 9, 'a', 4097);
    const char *const environment[] = {long_list, NULL};
    CHECK(!proxies_new(environment, &err) && err.code == ERR_LIMIT);
}

TEST(no_proxy_knows_names_addresses_networks_and_ports) {
    const char *const environment[] = {"http_proxy=p",
                                       "no_proxy=.a.test, B.test:8080 10.1.2.3,192.168.0.0/16,fd00::/8,[::1]:99 "
                                       "*.c.test,2001:db8::5,172.16.0.1:7,1.2.3.4/33,/8,:,x/y",
                                       NULL};
    static const struct {
        const char *host;
        uint16_t port;
        bool straight;
    } rows[] = {
        {"a.test", 80, true},       {"x.A.test", 80, true},    {"xa.test", 80, false},    {"b.test", 8080, true},
        {"b.test", 80, false},      {"y.b.test", 8080, true},  {"10.1.2.3", 80, true},    {"10.1.2.4", 80, false},
        {"192.168.255.1", 1, true}, {"192.169.0.1", 1, false}, {"fd12::1", 1, true},      {"fe00::1", 1, false},
        {"::1", 99, true},          {"::1", 98, false},        {"c.test", 1, true},       {"z.c.test", 1, true},
        {"2001:db8:0::5", 1, true}, {"2001:db8::6", 1, false}, {"172.16.0.1", 7, true},   {"172.16.0.1", 8, false},
        {"test", 80, false},        {"a.test.", 80, true},     {"x.10.1.2.3", 80, false}, {"1.2.3.4", 80, false},
    };
    struct proxies *p = proxies_new(environment, &err);
    for (size_t i = 0; p && i < sizeof rows / sizeof rows[0]; i++)
        if (!CHECK((proxies_find(p, false, slice_str(rows[i].host), rows[i].port) == NULL) == rows[i].straight))
            tap_note("%s:%u", rows[i].host, rows[i].port);
    proxies_free(p);
    const char *const all[] = {"http_proxy=p", "NO_PROXY=*", NULL};
    p = proxies_new(all, &err);
    CHECK(p && proxies_find(p, false, LIT("a"), 1) == NULL);
    proxies_free(p);
}

static bool make_proxies(void *arg) {
    (void)arg;
    const char *const environment[] = {"http_proxy=http://u:p@x:1", "https_proxy=y", "no_proxy=z", NULL};
    struct proxies *p = proxies_new(environment, &err);
    proxies_free(p);
    return p != NULL;
}

TEST(any_allocation_of_proxies_may_fail) {
    faults_sweep(make_proxies, NULL, "proxies");
}

/* --- codings --- */

enum frame { FRAME_GZIP, FRAME_ZLIB, FRAME_RAW };

/* Compressed by zlib itself, which is the other side. */
static struct slice compress_text(struct slice text, enum frame frame) {
    static uint8_t out[1 << 17];
    z_stream z = {0};
    static const int window[] = {31, 15, -15};
    if (deflateInit2(&z, 6, Z_DEFLATED, window[frame], 8, Z_DEFAULT_STRATEGY) != Z_OK) abort();
    z.next_in = (Bytef *)(uintptr_t)text.ptr;
    z.avail_in = (uInt)text.len;
    z.next_out = out;
    z.avail_out = sizeof out;
    if (deflate(&z, Z_FINISH) != Z_STREAM_END) abort();
    deflateEnd(&z);
    return slice_of(out, sizeof out - z.avail_out);
}

struct play {
    enum coding_kind kind;
};

static void play_coding(void *arg, struct cuts *c, struct buf *out) {
    const struct play *p = arg;
    struct coding *coding = coding_new(p->kind, &err);
    bool bad = coding == NULL;
    for (struct slice piece; cuts_next(c, &piece) && !bad;) {
        struct slice got;
        struct fed fed;
        do {
            fed = coding_feed(coding, piece, &got, &err);
            CHECK(fed.used <= piece.len && (fed.step == STEP_EVENT ? got.len > 0 : true));
            piece = slice_skip(piece, fed.used);
            if (fed.step == STEP_EVENT) buf_add(out, got);
        } while (fed.step == STEP_EVENT);
        CHECK(fed.step == STEP_BAD || piece.len == 0);
        bad = fed.step == STEP_BAD;
    }
    buf_add_str(out, bad ? "|bad" : coding_whole(coding) ? "|whole" : "|cut");
    coding_free(coding);
}

static void check_coding(enum coding_kind kind, struct slice in, struct slice text, const char *end, const char *name) {
    struct play p = {kind};
    struct buf want;
    buf_init(&want, 1 << 20);
    buf_add(&want, text);
    buf_add_str(&want, end);
    cuts_check(play_coding, &p, in, buf_slice(&want), name);
    buf_release(&want);
}

TEST(gzip_and_both_kinds_of_deflate_are_undone_in_any_cut) {
    struct buf text, two;
    buf_init(&text, 1 << 17);
    buf_init(&two, 1 << 17);
    for (unsigned i = 0; text.len < 50000; i++)
        buf_printf(&text, "line %u of a text that has a pattern, %u\n", i, i * i);
    check_coding(CODING_GZIP, compress_text(buf_slice(&text), FRAME_GZIP), buf_slice(&text), "|whole", "gzip");
    check_coding(CODING_DEFLATE, compress_text(buf_slice(&text), FRAME_ZLIB), buf_slice(&text), "|whole", "zlib");
    check_coding(CODING_DEFLATE, compress_text(buf_slice(&text), FRAME_RAW), buf_slice(&text), "|whole", "raw");
    check_coding(CODING_GZIP, compress_text(LIT(""), FRAME_GZIP), LIT(""), "|whole", "gzip of nothing");
    check_coding(CODING_DEFLATE, compress_text(LIT("x"), FRAME_RAW), LIT("x"), "|whole", "raw of a byte");
    check_coding(CODING_GZIP, LIT(""), LIT(""), "|whole", "nothing at all");
    /* Members one behind the other are one body (RFC 1952 2.2). */
    buf_add(&two, compress_text(LIT("one "), FRAME_GZIP));
    buf_add(&two, compress_text(LIT("two"), FRAME_GZIP));
    check_coding(CODING_GZIP, buf_slice(&two), LIT("one two"), "|whole", "two members");
    buf_release(&text);
    buf_release(&two);
}

TEST(damaged_cut_and_overlong_bodies_are_told_apart) {
    struct slice good = compress_text(LIT("some text"), FRAME_GZIP);
    struct buf b;
    buf_init(&b, 1000);
    check_coding(CODING_GZIP, slice_head(good, good.len - 1), LIT("some text"), "|cut", "a byte short");
    check_coding(CODING_GZIP, slice_head(good, 5), LIT(""), "|cut", "inside the head");
    buf_add(&b, good);
    b.ptr[b.len - 5] ^= 1; /* of the check sum, which is looked at behind the text */
    struct play p = {CODING_GZIP};
    struct buf out;
    buf_init(&out, 1000);
    cuts_agree(play_coding, &p, buf_slice(&b), &out, "wrong check sum");
    CHECK(slice_ends(buf_slice(&out), LIT("|bad")));
    buf_release(&out);
    buf_reset(&b);
    buf_add(&b, compress_text(LIT("some text"), FRAME_ZLIB));
    buf_byte(&b, 0);
    check_coding(CODING_DEFLATE, buf_slice(&b), LIT("some text"), "|bad", "a byte behind the end");
    check_coding(CODING_GZIP, LIT("plain text"), LIT(""), "|bad", "no gzip");
    check_coding(CODING_DEFLATE, LIT("\xff\xff\xff"), LIT(""), "|bad", "no deflate");
    buf_release(&b);
}

TEST(a_piece_is_never_longer_than_it_says_whatever_it_was) {
    uint8_t *zeros = calloc(1, 1 << 20);
    struct slice small = compress_text(slice_of(zeros, 1 << 20), FRAME_GZIP), piece;
    struct coding *c = coding_new(CODING_GZIP, &err);
    size_t total = 0, most = 0;
    struct fed fed;
    CHECK(small.len < 2000);
    while ((fed = coding_feed(c, small, &piece, &err)).step == STEP_EVENT) {
        small = slice_skip(small, fed.used);
        total += piece.len;
        if (piece.len > most) most = piece.len;
    }
    CHECK(fed.step == STEP_MORE && total == 1 << 20 && most <= CODING_PIECE && coding_whole(c));
    coding_free(c);
    free(zeros);
}

TEST(content_encoding_is_read_strictly) {
    static const struct {
        const char *value;
        int want; /* -1: refused */
    } rows[] = {{"gzip", CODING_GZIP},
                {"X-GZIP", CODING_GZIP},
                {"deflate", CODING_DEFLATE},
                {"identity", CODING_NONE},
                {"gzip, identity", CODING_GZIP},
                {"br", -1},
                {"gzip, gzip", -1},
                {"", CODING_NONE}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct http_field f = {LIT("Content-Encoding"), slice_str(rows[i].value)};
        enum coding_kind kind;
        bool good = coding_from(&f, 1, &kind, &err);
        if (!CHECK(good ? (int)kind == rows[i].want : rows[i].want < 0)) tap_note("%s", rows[i].value);
    }
}

static bool decode_once(void *arg) {
    (void)arg;
    struct slice in = compress_text(LIT("text"), FRAME_RAW), piece;
    err = (struct err)ERR_INIT;
    struct coding *c = coding_new(CODING_DEFLATE, &err);
    bool good = c && coding_feed(c, in, &piece, &err).step == STEP_EVENT;
    CHECK(good || err.code == ERR_NOMEM);
    coding_free(c);
    return good;
}

TEST(any_allocation_of_a_decoder_may_fail) {
    faults_sweep(decode_once, NULL, "decode");
}

TAP_MAIN(T(references_resolve_as_the_table_of_rfc_3986_says),
         T(a_base_without_a_path_gets_a_slash_and_limits_are_met_without_a_trace), T(urls_are_brought_into_one_form),
         T(urls_that_lead_nowhere_are_refused), T(locations_are_followed_as_servers_write_them),
         T(proxies_are_read_in_lower_case_first_and_for_each_scheme),
         T(a_proxy_that_is_not_understood_is_refused_by_the_name_of_its_variable),
         T(no_proxy_knows_names_addresses_networks_and_ports), T(any_allocation_of_proxies_may_fail),
         T(gzip_and_both_kinds_of_deflate_are_undone_in_any_cut), T(damaged_cut_and_overlong_bodies_are_told_apart),
         T(a_piece_is_never_longer_than_it_says_whatever_it_was), T(content_encoding_is_read_strictly),
         T(any_allocation_of_a_decoder_may_fail))
