/* tls_trust.c - which certificate answers, and which is believed. */
#include "tls_play.h"

#include "wire/tls_pem.h"
#include "wire/tls_room.h"

/* --- names and certificates --- */

/* The certificate a bare client gets that asks for a name: its place in the bytes of the server's answer tells. */
static bool is_given(struct bare *b, const char *name, const char *pem_name) {
    struct stream_filter *f = tls_accept(server, &err);
    bare_reset(b, name, NULL, false);
    bare_talk(b, f);
    tls_drop(f);
    struct slice pem = play_read(pem_name), label, text = buf_slice(&b->from_server);
    struct buf der;
    bool found = false;
    buf_init(&der, 1 << 16);
    CHECK_INT(tls_pem_next(&pem, &label, &der, &err), TLS_PEM_BLOCK);
    for (size_t i = 0; i + der.len <= text.len && !found; i++) found = !memcmp(text.ptr + i, der.ptr, der.len);
    buf_release(&der);
    return found;
}

TEST(the_name_asked_for_chooses_the_certificate) {
    PLAY_NEEDS_OPENSSL();
    SERVER("ip", "box", "big", "rsa", "both");
    struct bare *b = bare_new("box");
    CHECK(is_given(b, NULL, "ip.pem")); /* the first is the default */
    CHECK(is_given(b, "nobody.test", "ip.pem"));
    CHECK(is_given(b, "box.test", "box.pem"));
    CHECK(is_given(b, "BOX.Test", "box.pem"));
    CHECK(is_given(b, "any.box.test", "box.pem"));
    CHECK(is_given(b, "one.box.test", "big.pem")); /* the exact name before the wildcard */
    CHECK(is_given(b, "a.b.box.test", "ip.pem"));  /* a wildcard is one label */
    CHECK(is_given(b, "xbox.test", "ip.pem"));
    CHECK(is_given(b, "rsa.test", "rsa.pem"));
    CHECK(is_given(b, "both.test", "rsa.pem")); /* of two that fit alike the first */
    /* A client that cannot use RSA keys gets the other one; and whoever only can, an RSA key. */
    static const uint16_t ec_only[] = {BR_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256};
    static const uint16_t rsa_only[] = {BR_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384};
    static const uint16_t old[] = {BR_TLS_RSA_WITH_AES_128_GCM_SHA256, BR_TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA};
    br_ssl_engine_set_suites(&b->ctx.eng, ec_only, 1);
    CHECK(is_given(b, "both.test", "both.pem"));
    br_ssl_engine_set_suites(&b->ctx.eng, rsa_only, 1);
    CHECK(is_given(b, "box.test", "rsa.pem"));
    br_ssl_engine_set_suites(&b->ctx.eng, old, 2);
    CHECK(!is_given(b, "rsa.test", "rsa.pem"));
    CHECK_INT(br_ssl_engine_last_error(&b->ctx.eng), BR_ERR_RECV_FATAL_ALERT + 40);
    bare_free(b);
    finish();
}

TEST(certificates_change_without_disturbing_who_stands_or_shakes) {
    PLAY_NEEDS_OPENSSL();
    SERVER("box");
    trust_root("root.pem");
    struct end c[3], s[3];
    if (!connect_both(&c[0], &s[0], NULL, "box.test", NULL, 0)) return;
    shake(&c[0], &s[0], NULL);
    if (!connect_both(&c[1], &s[1], NULL, "three.box.test", NULL, 0)) return; /* not yet shaken */
    struct tls_identity_text text = play_identity("big"), bad = {text.chain, play_identity("box").key};
    CHECK(!tls_server_certificates(server, &bad, 1, &err)); /* nothing is taken of what is wrong */
    CHECK_TEXT(slice_str(err.text), LIT("certificate 1 of 1: the private key does not belong to the certificate"));
    CHECK(!tls_server_certificates(server, &bad, 0, &err));
    CHECK(tls_server_certificates(server, &text, 1, &err));
    shake(&c[1], &s[1], NULL);
    CHECK_INT(c[1].open, 1);
    if (!connect_both(&c[2], &s[2], NULL, "big.test", NULL, 0)) return;
    shake(&c[2], &s[2], NULL);
    CHECK_INT(c[2].open, 1);
    for (int i = 0; i < 3; i++) CHECK(stream_write(&c[i].s, LIT("still here")));
    turns(5);
    for (int i = 0; i < 3; i++) {
        CHECK_TEXT(buf_slice(&s[i].got), LIT("still here"));
        end_release(&c[i]);
        end_release(&s[i]);
    }
    tls_server_free(server);
    server = tls_server_new(loop, NULL, &err);
    CHECK(!tls_accept(server, &err));
    CHECK_TEXT(slice_str(err.text), LIT("the TLS server has no certificate yet"));
    finish();
}

TEST(a_server_that_is_let_go_of_lasts_until_its_last_connection) {
    PLAY_NEEDS_OPENSSL();
    struct end c, s;
    SERVER("box");
    trust_root("root.pem");
    if (!connect_both(&c, &s, NULL, "box.test", NULL, 0)) return;
    tls_server_free(server);
    tls_client_free(client);
    server = NULL;
    client = NULL;
    shake(&c, &s, NULL);
    CHECK(stream_write(&c.s, LIT("hello")));
    turns(5);
    CHECK_TEXT(buf_slice(&s.got), LIT("hello"));
    end_release(&c);
    end_release(&s);
    finish();
}

TEST(protocols_are_agreed_on_by_the_servers_preference) {
    PLAY_NEEDS_OPENSSL();
    static const char *const two[] = {"b", "a", NULL}, *const names[] = {"box"};
    static const struct {
        const char *asked, *got;
        bool up;
    } cases[] = {{"a", "a", true}, {"b", "b", true}, {NULL, "", true}, {"c", "", false}};
    make_server(&(struct tls_server_limits){.protocols = two}, names, 1);
    trust_root("root.pem");
    for (int i = 0; i < 4; i++) {
        struct end c, s;
        if (!connect_both(&c, &s, NULL, "box.test", cases[i].asked, 0)) return;
        shake(&c, &s, NULL);
        CHECK_INT(c.open, cases[i].up);
        if (cases[i].up) {
            CHECK_TEXT(tls_protocol(c.s.filter), slice_str(cases[i].got));
            CHECK_TEXT(tls_protocol(s.s.filter), slice_str(cases[i].got));
            CHECK(tls_cipher(c.s.filter) && tls_cipher(c.s.filter) == tls_cipher(s.s.filter));
        } else {
            CHECK_TEXT(slice_str(c.s.why.text), LIT("the peer speaks none of the protocols we named"));
            CHECK_TEXT(slice_str(s.s.why.text), LIT("the peer names only protocols that are not spoken here"));
        }
        end_release(&c);
        end_release(&s);
    }
    finish();
}

/* --- trust --- */

struct refusal {
    const char *identity, *root, *host, *client_says, *server_says;
};

static void check_refusal(const struct refusal *r) {
    struct end c, s;
    make_server(NULL, &r->identity, 1);
    trust_root(r->root);
    if (!connect_both(&c, &s, NULL, r->host, NULL, 0)) return;
    CHECK(stream_write(&c.s, LIT("secret")) && stream_write(&s.s, LIT("secret")));
    shake(&c, &s, NULL);
    CHECK_INT(c.open, r->client_says == NULL);
    CHECK_TEXT(slice_str(c.s.why.text ? c.s.why.text : ""), slice_str(r->client_says ? r->client_says : ""));
    CHECK_TEXT(slice_str(s.s.why.text ? s.s.why.text : ""), slice_str(r->server_says ? r->server_says : ""));
    CHECK_INT(c.got.len, r->client_says ? 0 : 6);
    CHECK_INT(s.got.len, r->client_says ? 0 : 6);
    if (r->client_says) {
        CHECK_INT(tls_client_counts(client).failed, 1);
        CHECK_INT(tls_server_counts(server).failed, 1);
    }
    end_release(&c);
    end_release(&s);
    finish();
}

TEST(a_certificate_is_believed_for_its_names_and_from_whom_we_trust) {
    PLAY_NEEDS_OPENSSL();
    const char *name = "the certificate is for another name", *cannot = "the peer cannot use our certificate";
    const struct refusal cases[] = {
        {"box", "root.pem", "box.test", NULL, NULL},
        {"box", "root.pem", "Box.Test.", NULL, NULL}, /* case, and the root's dot */
        {"box", "root.pem", "x.box.test", NULL, NULL},
        {"rsa", "root.pem", "both.test", NULL, NULL},
        {"big", "root.pem", "big.test", NULL, NULL},
        {"ip", "root.pem", "127.0.0.1", NULL, NULL},
        {"ip", "root.pem", "FD00:0::1", NULL, NULL},
        {"box", "middle.pem", "box.test", NULL, NULL}, /* whom we trust may stand in the middle */
        {"self", "self.pem", "self.test", NULL, NULL}, /* or be the server itself */
        {"box", "root.pem", "other.test", name, cannot},
        {"box", "root.pem", "a.b.box.test", name, cannot},
        {"box", "root.pem", "127.0.0.1", name, cannot},
        {"ip", "root.pem", "127.0.0.2", name, cannot},
        {"bare", "root.pem", "bare.test", name, cannot}, /* a common name is no name */
        {"box", "stranger.pem", "box.test", "the certificate was issued by nobody we trust",
         "the peer does not trust our certificate"},
        {"under", "root.pem", "under.test", "a certificate of the peer's chain may not sign others", cannot},
        {"self", "root.pem", "self.test", "the certificate was issued by nobody we trust",
         "the peer does not trust our certificate"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tap_note("%s for %s by %s", cases[i].identity, cases[i].host, cases[i].root);
        check_refusal(&cases[i]);
    }
}

TEST(dates_are_judged_when_the_clock_is_trusted_and_only_then) {
    PLAY_NEEDS_OPENSSL();
    const struct refusal expired = {"box", "root.pem", "box.test",
                                    "the peer's certificate has expired, or is not valid yet",
                                    "the peer holds our certificate for expired"};
    static const int days[] = {31, -1, 40 * 365, -40 * 365};
    clock_use(&clock_ahead);
    for (int i = 0; i < 4; i++) {
        wall_ahead_us = days[i] * 24 * HOUR_US;
        check_refusal(&expired);
        /* Not trusted: all but the dates. */
        SERVER("box");
        trust_root("root.pem");
        tls_client_clock(client, false);
        for (int k = 0; k < 4; k++) {
            struct end c, s;
            if (!connect_both(&c, &s, NULL, k == 2 ? "other.test" : "box.test", NULL, 0)) return;
            shake(&c, &s, NULL);
            CHECK_INT(c.open, k != 2 && k != 3);
            CHECK_INT(c.s.filter && tls_is_resumed(c.s.filter), k == 1);
            end_release(&c);
            end_release(&s);
            if (k == 2) tls_client_clock(client, true); /* and what was made without dates is worth nothing any more */
        }
        finish();
    }
    wall_ahead_us = 29 * 24 * HOUR_US;
    check_refusal(&(struct refusal){"box", "root.pem", "box.test", NULL, NULL});
    wall_ahead_us = 0;
    clock_use(NULL);
}

/* SHA-256 of the SubjectPublicKeyInfo, as openssl tells it. */
static bool read_pin(const char *name, uint8_t pin[32]) {
    char pem[40], der[40], sum[40];
    snprintf(pem, sizeof pem, "%s.key", name);
    snprintf(der, sizeof der, "%s.spki", name);
    snprintf(sum, sizeof sum, "%s.sum", name);
    if (PLAY_RUN("openssl", "pkey", "-in", pem, "-pubout", "-outform", "DER", "-out", der) ||
        PLAY_RUN("openssl", "dgst", "-sha256", "-binary", "-out", sum, der))
        return false;
    struct slice s = play_read(sum);
    memcpy(pin, s.ptr, 32);
    return s.len == 32;
}

TEST(a_pin_replaces_name_dates_and_chain) {
    PLAY_NEEDS_OPENSSL();
    static const char *const kinds[] = {"box", "rsa", "self"};
    uint8_t pin[32];
    clock_use(&clock_ahead);
    wall_ahead_us = 500 * 24 * HOUR_US;
    for (int i = 0; i < 6; i++) {
        SERVER(kinds[i % 3]);
        CHECK(read_pin(kinds[i % 3], pin));
        if (i >= 3) pin[31] ^= 1;
        client = tls_client_new(loop, &(struct tls_trust){.pin = pin, .clock_trusted = true}, &err);
        struct end c, s;
        if (!connect_both(&c, &s, NULL, "whatever.example", NULL, 0)) return;
        CHECK(stream_write(&c.s, LIT("hi")));
        shake(&c, &s, NULL);
        CHECK_INT(s.got.len, i < 3 ? 2 : 0);
        if (i >= 3) CHECK_TEXT(slice_str(c.s.why.text), LIT("the peer's key is not the one that is pinned"));
        end_release(&c);
        end_release(&s);
        finish();
    }
    wall_ahead_us = 0;
    clock_use(NULL);
}

TEST(hosts_and_roots_that_are_none_are_refused) {
    PLAY_NEEDS_OPENSSL();
    static const char *const bad[] = {"", ".", "a b", "a\nb", "ex\xc3\xa4mple", "[::1]", "http://x", "a:1"};
    char is_long[300];
    memset(is_long, 'a', sizeof is_long - 1);
    is_long[sizeof is_long - 1] = 0;
    SERVER("box");
    trust_root("root.pem");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (i != 1) CHECK(!tls_connect(client, slice_str(bad[i]), NULL, &err));
    CHECK(!tls_connect(client, slice_str(is_long), NULL, &err));
    CHECK(!tls_connect(client, slice_of("a\0b", 3), NULL, &err));
    CHECK(!tls_client_new(loop, &(struct tls_trust){.roots = LIT("")}, &err));
    CHECK(!tls_client_new(loop, &(struct tls_trust){.roots = LIT("-----BEGIN CERTIFICATE-----\nAAAA\n")}, &err));
    CHECK_TEXT(slice_str(err.text), LIT("the PEM block CERTIFICATE is damaged"));
    CHECK(!tls_client_new(
        loop, &(struct tls_trust){.roots = LIT("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")},
        &err));
    CHECK_TEXT(slice_str(err.text), LIT("none of the certificates can be used as a root of trust"));
    finish();
}

TEST(debians_roots_are_read) {
    if (access("/etc/ssl/certs/ca-certificates.crt", R_OK)) {
        tap_skip("there is no /etc/ssl/certs/ca-certificates.crt");
        return;
    }
    struct slice text = tap_file("/etc/ssl/certs/ca-certificates.crt");
    loop = loop_new(&err);
    uint64_t before = mem_stats().live_bytes;
    int64_t at = clock_mono_us();
    client = tls_client_new(loop, &(struct tls_trust){.roots = text, .clock_trusted = true}, &err);
    if (!CHECK(client)) tap_note("%s", err.text);
    tap_note("%zu bytes of text: %llu bytes kept, read in %lld us", text.len,
             (unsigned long long)(mem_stats().live_bytes - before), (long long)(clock_mono_us() - at));
    tap_free(text);
    finish();
}

TAP_MAIN(T(the_name_asked_for_chooses_the_certificate), T(certificates_change_without_disturbing_who_stands_or_shakes),
         T(a_server_that_is_let_go_of_lasts_until_its_last_connection),
         T(protocols_are_agreed_on_by_the_servers_preference),
         T(a_certificate_is_believed_for_its_names_and_from_whom_we_trust),
         T(dates_are_judged_when_the_clock_is_trusted_and_only_then), T(a_pin_replaces_name_dates_and_chain),
         T(hosts_and_roots_that_are_none_are_refused), T(debians_roots_are_read))
