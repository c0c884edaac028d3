/* tls_attack.c - what a peer of TLS may do to us, and what must not come of it; and the primitives. */
#include "tls_play.h"

#include "wire/tls_room.h"

/* --- attacks --- */

/* Without tls_hello this kills the process: BearSSL 0.6 reads its list of protocols at index 65534. */
TEST(a_resumed_session_with_a_foreign_protocol_is_refused) {
    PLAY_NEEDS_OPENSSL();
    SERVER("box");
    struct bare *b = bare_new("box");
    struct stream_filter *f = tls_accept(server, &err);
    bare_reset(b, "box.test", "http/1.1", false);
    bare_talk(b, f);
    CHECK(bare_is_up(b));
    CHECK_TEXT(tls_protocol(f), LIT("http/1.1"));
    tls_drop(f);
    f = tls_accept(server, &err);
    bare_reset(b, "box.test", "foo", true);
    bare_talk(b, f);
    CHECK_INT(f->ops->state(f), STREAM_FILTER_FAILED);
    CHECK_TEXT(slice_str(f->why), LIT("the peer names only protocols that are not spoken here"));
    CHECK_INT(br_ssl_engine_last_error(&b->ctx.eng), BR_ERR_RECV_FATAL_ALERT + 120);
    tls_drop(f);
    bare_free(b);
    finish();
}

TEST(a_changed_byte_ends_the_connection_without_letting_anything_through) {
    PLAY_NEEDS_OPENSSL();
    SERVER("box");
    trust_root("root.pem");
    for (int way = 0; way < 2; way++) {
        for (int where = 0; where < 3; where++) { /* in the nonce, the text, the tag */
            struct end c, s;
            struct relay r;
            if (!connect_both(&c, &s, &r, "box.test", NULL, 0)) return;
            shake(&c, &s, &r);
            struct end *from = way ? &s : &c, *to = way ? &c : &s;
            CHECK(stream_write(&from->s, LIT("the first")));
            run(&r, 5);
            size_t record = 5 + 8 + 10 + 16;
            r.flip_at[way] = r.moved[way] + (where == 0 ? 6 : where == 1 ? 15 : record - 1);
            if (strstr(tls_cipher(from->s.filter), "CHACHA20")) r.flip_at[way] -= where ? 8 : 0;
            CHECK(stream_write(&from->s, LIT("the second")));
            run(&r, 5);
            CHECK_TEXT(buf_slice(&to->got), LIT("the first"));
            CHECK_INT(to->gone, 1);
            CHECK_TEXT(slice_str(to->s.why.text), LIT("what the peer sent was changed on the way"));
            end_release(&c);
            end_release(&s);
            relay_release(&r);
        }
    }
    finish();
}

/* Each byte of a full handshake changed once (many of them): either side may notice, none may go on as if nothing were. */
TEST(a_changed_byte_in_a_handshake_is_noticed) {
    PLAY_NEEDS_OPENSSL();
    SERVER("box");
    unsigned tried = 0, stood = 0;
    for (int way = 0; way < 2; way++) {
        for (size_t at = 1; at < (way ? 1700 : 500); at += 1 + (at * 7) % 23) {
            struct end c, s;
            struct relay r;
            trust_root("root.pem");
            if (!connect_both(&c, &s, &r, "box.test", "http/1.1", 0)) return;
            r.flip_at[way] = at;
            CHECK(stream_write(&c.s, LIT("secret")));
            for (int i = 0; i < 100; i++) run(&r, 1);
            bool flipped = r.moved[way] >= at;
            bool through = s.got.len && c.open;
            tried += flipped;
            /* Record headers: the minor version of the first record, which nobody looks at. */
            if (flipped && through && !(at == 3 && way == 0)) {
                stood++;
                tap_note("way %d byte %zu", way, at);
            }
            end_release(&c);
            end_release(&s);
            relay_release(&r);
            tls_client_free(client);
            client = NULL;
        }
    }
    tap_note("%u bytes changed", tried);
    CHECK(tried > 60);
    CHECK_INT(stood, 0);
    finish();
}

struct nonsense {
    const char *bytes;
    size_t len;
    const char *says;
    int alert; /* 0: none */
};

TEST(what_is_not_tls_is_named_and_refused) {
    PLAY_NEEDS_OPENSSL();
    static const char http[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n", garbage[] = "hello, is there anybody?\r\n";
    static const char sslv2[] = "\x80\x2e\x01\x03\x01\0\x15", old[] = "\x16\x02\0\0\x05hello";
    static const char empty[] = "\x16\x03\x01\0\0", huge[] = "\x16\x03\x01\x40\x01", data[] = "\x17\x03\x03\0\x01x";
    static const char other[] = "\x16\x03\x01\0\x04\x02\0\0\0", giant[] = "\x16\x03\x01\0\x04\x01\0\x40\0";
    static const char more[] = "\x16\x03\x01\0\x05\x01\0\0\0\0", none[] = "\x16\x03\x01\0\x04\x01\0\0\0";
#define N(text, says, alert)                                                                                           \
    { text, sizeof(text) - 1, says, alert }
    static const struct nonsense cases[] = {
        N(http, "the peer speaks plain HTTP where TLS is spoken", 0),
        N(garbage, "what the peer sent is not TLS", 10),
        N(sslv2, "what the peer sent is not TLS", 10),
        N(old, "what the peer sent is not TLS", 70),
        N(empty, "the peer sent a TLS record of a forbidden length", 50),
        N(huge, "the peer sent a TLS record of a forbidden length", 50),
        N(data, "what the peer sent is not TLS", 10),
        N(other, "the peer sent a TLS message out of turn", 10),
        N(giant, "the peer's first message is too long", 50),
        N(more, "the peer sent a TLS message out of turn", 10),
        N(none, "the peer's handshake cannot be read", 50),
    };
    SERVER("box");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct end s;
        int fd[2];
        uint8_t in[100];
        if (!CHECK(play_pair(fd, 0))) return;
        CHECK(end_start(&s, fd[0], tls_accept(server, &err)));
        CHECK(write(fd[1], cases[i].bytes, cases[i].len) == (ssize_t)cases[i].len);
        turns(5);
        CHECK_INT(s.gone, 1);
        CHECK_TEXT(slice_str(s.s.why.text ? s.s.why.text : ""), slice_str(cases[i].says));
        ssize_t n = read(fd[1], in, sizeof in);
        if (cases[i].alert)
            CHECK(n == 7 && in[0] == 21 && in[5] == 2 && in[6] == cases[i].alert);
        else
            CHECK_INT(n > 0, 0);
        close(fd[1]);
        end_release(&s);
    }
    CHECK_INT(tls_server_counts(server).failed, sizeof cases / sizeof *cases);
    CHECK_INT(tls_server_counts(server).steps, 0);
    finish();
}

/* A ClientHello as a bare client makes it, with room to change it. */
static struct slice make_hello(struct bare *b, const char *name, const char *protocol) {
    size_t n;
    bare_reset(b, name, protocol, false);
    const uint8_t *p = br_ssl_engine_sendrec_buf(&b->ctx.eng, &n);
    return slice_of(p, n);
}

/* Feeds bytes by the doors, in steps; what became of the filter. The caller drops it. */
static struct stream_filter *feed(struct slice bytes, size_t step) {
    struct stream_filter *f = tls_accept(server, &err);
    for (int i = 0; bytes.len && i < 100000; i++) {
        size_t room;
        uint8_t *to = f->ops->raw_room(f, &room);
        if (!room) {
            turns(1);
            if (f->ops->state(f) == STREAM_FILTER_FAILED) break;
            continue;
        }
        struct slice part = slice_head(bytes, room < step ? room : step);
        memcpy(to, part.ptr, part.len);
        f->ops->raw_came(f, part.len);
        bytes = slice_skip(bytes, part.len);
    }
    return f;
}

TEST(a_hello_may_come_in_many_records_but_not_in_too_many) {
    PLAY_NEEDS_OPENSSL();
    SERVER("box");
    struct bare *b = bare_new("box");
    struct slice hello = make_hello(b, "box.test", "http/1.1");
    for (size_t piece = 1; piece < hello.len; piece = piece * 2 + 1) {
        struct buf cut;
        buf_init(&cut, 1 << 16);
        unsigned records = 0;
        for (struct slice rest = slice_skip(hello, 5); rest.len; records++) {
            struct slice part = slice_head(rest, piece);
            buf_add(&cut, slice_of("\x16\x03\x01", 3));
            buf_be16(&cut, (uint16_t)part.len);
            buf_add(&cut, part);
            rest = slice_skip(rest, part.len);
        }
        struct stream_filter *f = feed(buf_slice(&cut), piece % 3 ? 1 : 100);
        CHECK_INT(f->ops->state(f), records > 64 ? STREAM_FILTER_FAILED : STREAM_FILTER_SHAKING);
        if (records > 64)
            CHECK_TEXT(slice_str(f->why), LIT("the peer's first message is too long"));
        else
            CHECK_TEXT(tls_name(f), LIT("box.test"));
        tls_drop(f);
        buf_release(&cut);
    }
    bare_free(b);
    finish();
}

/* One extension of its own in a hello that is otherwise right. */
static struct stream_filter *feed_extension(struct bare *b, struct slice extensions) {
    struct buf all;
    struct slice plain = make_hello(b, NULL, NULL);
    /* header 5, type 1, length 3, version 2, random 32, session 1 (empty), suites 2 + n, compression 2, extensions 2 + n */
    size_t suites = 5 + 4 + 2 + 32 + 1, end = suites + 2 + ((size_t)plain.ptr[suites] << 8 | plain.ptr[suites + 1]) + 2;
    CHECK_INT(plain.ptr[suites - 1], 0);
    struct slice old = slice_skip(plain, end + 2);
    size_t total = end - 9 + 2 + old.len + extensions.len;
    buf_init(&all, 1 << 16);
    buf_add(&all, slice_of("\x16\x03\x01", 3));
    buf_be16(&all, (uint16_t)(total + 4));
    buf_add(&all, slice_of("\x01\0", 2));
    buf_be16(&all, (uint16_t)total);
    buf_add(&all, slice_of(plain.ptr + 9, end - 9));
    buf_be16(&all, (uint16_t)(old.len + extensions.len));
    buf_add(&all, old);
    buf_add(&all, extensions);
    struct stream_filter *f = feed(buf_slice(&all), 1000);
    buf_release(&all);
    return f;
}

TEST(extensions_that_mean_two_things_are_refused) {
    PLAY_NEEDS_OPENSSL();
    static const char name[] = "\0\0\0\x0d\0\x0b\0\0\x08"
                               "box.test";
    static const char twice[] = "\0\0\0\x0d\0\x0b\0\0\x08"
                                "box.test\0\0\0\x0d\0\x0b\0\0\x08"
                                "big.test";
    static const char two_names[] = "\0\0\0\x18\0\x16\0\0\x08"
                                    "box.test\0\0\x08"
                                    "big.test";
    static const char bad_name[] = "\0\0\0\x0d\0\x0b\0\0\x08"
                                   "box\ntest";
    static const char nul_name[] = "\0\0\0\x0d\0\x0b\0\0\x08"
                                   "box\0test";
    static const char no_name[] = "\0\0\0\x05\0\x03\0\0\0", over[] = "\0\0\0\x0d\0\x0b\0\0\x09"
                                                                     "box.test";
    static const char other_kind[] = "\0\0\0\x0d\0\x0b\x01\0\x08"
                                     "box.test";
    static const char alpn[] = "\0\x10\0\x0b\0\x09\x08http/1.1", alpn_empty[] = "\0\x10\0\x03\0\x01\0";
    static const char alpn_two[] = "\0\x10\0\x0e\0\x0c\x02h2\x08http/1.1", alpn_other[] = "\0\x10\0\x05\0\x03\x02h2";
    static const char alpn_twice[] = "\0\x10\0\x0b\0\x09\x08http/1.1\0\x10\0\x0b\0\x09\x08http/1.1";
    static const char only_13[] = "\0\x2b\0\x03\x02\x03\x04", both[] = "\0\x2b\0\x05\x04\x03\x04\x03\x03";
    static const char unknown[] = "\xfa\xfa\0\x01x\xfa\xfa\0\x01x", cut_short[] = "\0\x2b\0\x05\x04";
    static const struct nonsense cases[] = {
        N(name, NULL, 0),
        N(unknown, NULL, 0),
        N(alpn, NULL, 0),
        N(alpn_two, NULL, 0),
        N(both, NULL, 0),
        N(other_kind, NULL, 0),
        N(twice, "the peer's handshake cannot be read", 50),
        N(two_names, "the host name the peer asks for is none", 47),
        N(bad_name, "the host name the peer asks for is none", 47),
        N(nul_name, "the host name the peer asks for is none", 47),
        N(no_name, "the host name the peer asks for is none", 47),
        N(over, "the host name the peer asks for is none", 47),
        N(alpn_empty, "the peer's handshake cannot be read", 50),
        N(alpn_other, "the peer names only protocols that are not spoken here", 120),
        N(alpn_twice, "the peer's handshake cannot be read", 50),
        N(only_13, "the peer does not speak TLS 1.2", 70),
        N(cut_short, "the peer's handshake cannot be read", 50),
    };
    SERVER("box");
    struct bare *b = bare_new("box");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stream_filter *f = feed_extension(b, slice_of(cases[i].bytes, cases[i].len));
        bool good = !cases[i].says;
        CHECK_INT(f->ops->state(f), good ? STREAM_FILTER_SHAKING : STREAM_FILTER_FAILED);
        if (!good) {
            CHECK_TEXT(slice_str(f->why), slice_str(cases[i].says));
            struct slice out = f->ops->raw_out(f);
            CHECK(out.len == 7 && out.ptr[6] == cases[i].alert);
        } else
            CHECK(f->ops->raw_out(f).len > 100);
        tls_drop(f);
    }
    bare_free(b);
    finish();
}

TEST(a_record_that_is_too_long_ends_the_connection) {
    PLAY_NEEDS_OPENSSL();
    SERVER("box");
    struct bare *b = bare_new("box");
    struct stream_filter *f = tls_accept(server, &err);
    bare_reset(b, "box.test", NULL, false);
    bare_talk(b, f);
    CHECK(bare_is_up(b));
    size_t room;
    uint8_t *to = f->ops->raw_room(f, &room);
    CHECK_INT(room, 5);
    memcpy(to, "\x17\x03\x03\x41\x00", 5); /* 16640: more than any cipher adds */
    f->ops->raw_came(f, 5);
    CHECK_INT(f->ops->state(f), STREAM_FILTER_FAILED);
    CHECK_TEXT(slice_str(f->why), LIT("the peer sent a TLS record of a forbidden length"));
    f->ops->raw_room(f, &room);
    CHECK_INT(room, 0);
    tls_drop(f);
    bare_free(b);
    finish();
}

TEST(a_handshake_is_not_begun_anew) {
    PLAY_NEEDS_OPENSSL();
    SERVER("box");
    struct bare *b = bare_new("box");
    struct stream_filter *f = tls_accept(server, &err);
    bare_reset(b, "box.test", NULL, false);
    bare_talk(b, f);
    CHECK(bare_is_up(b));
    uint64_t steps = tls_server_counts(server).steps;
    CHECK(br_ssl_engine_renegotiate(&b->ctx.eng));
    bare_talk(b, f);
    CHECK_INT(f->ops->state(f), STREAM_FILTER_UP);
    CHECK_INT(tls_server_counts(server).steps, steps);
    CHECK_INT(tls_server_counts(server).handshakes, 1);
    tls_drop(f);
    /* A peer that asks again and again and does not read the answers is left. BearSSL's client would not do that, so its
     * cipher is borrowed. */
    f = tls_accept(server, &err);
    bare_reset(b, "box.test", NULL, false);
    bare_talk(b, f);
    unsigned rounds = 0;
    while (f->ops->state(f) == STREAM_FILTER_UP && rounds++ < 20000) {
        uint8_t space[100] = {0};
        size_t n = 4, room;
        memcpy(space + 40, "\x01\0\0\0", 4);
        struct slice record =
            slice_of(b->ctx.eng.out.vtable->encrypt(&b->ctx.eng.out.vtable, 22, BR_TLS12, space + 40, &n), 0);
        record.len = n;
        while (record.len) {
            uint8_t *to = f->ops->raw_room(f, &room);
            if (!room) break;
            struct slice part = slice_head(record, room);
            memcpy(to, part.ptr, part.len);
            f->ops->raw_came(f, part.len);
            record = slice_skip(record, part.len);
        }
    }
    CHECK_INT(f->ops->state(f), STREAM_FILTER_FAILED);
    CHECK_TEXT(slice_str(f->why ? f->why : ""), LIT("the peer does not read what we answer"));
    CHECK_INT(f->ops->raw_out(f).len, 0);
    tap_note("left after %u times", rounds);
    tls_drop(f);
    bare_free(b);
    finish();
}

/* --- randomness, primitives --- */

TEST(no_two_connections_share_their_random_numbers) {
    PLAY_NEEDS_OPENSSL();
    SERVER("box");
    struct bare *b = bare_new("box");
    uint8_t hello[8][64], key[8][32];
    for (int i = 0; i < 8; i++) {
        struct stream_filter *f = tls_accept(server, &err);
        bare_reset(b, NULL, NULL, false);
        bare_talk(b, f);
        CHECK(bare_is_up(b));
        /* ServerHello: header 5, head 4, version 2; random (4 zeros, 28), length, session id 32. */
        memcpy(hello[i], b->from_server.ptr + 11 + 4, 28);
        memcpy(hello[i] + 28, b->from_server.ptr + 11 + 33, 32);
        memcpy(key[i], b->ctx.eng.ecdhe_point, 32);
        for (int k = 0; k < i; k++) {
            CHECK(memcmp(hello[i], hello[k], 28) != 0);
            CHECK(memcmp(hello[i] + 28, hello[k] + 28, 32) != 0);
        }
        tls_drop(f);
    }
    bare_free(b);
    finish();
}

TEST(libsodium_and_bearssl_agree) {
    CHECK(tls_sodium(&err));
    rng_use_seed(3);
    for (int i = 0; i < 200; i++) {
        uint8_t scalar[32], a[65], c[65];
        rng_bytes(scalar, sizeof scalar);
        CHECK_INT(tls_ec.mulgen(a, scalar, 32, BR_EC_curve25519), 32);
        br_ec_c25519_m31.mulgen(c, scalar, 32, BR_EC_curve25519);
        CHECK(!memcmp(a, c, 32));
        if (i % 4 == 0) rng_bytes(a, 32); /* any bytes are a point; the top bit does not count */
        memcpy(c, a, 32);
        rng_bytes(scalar, sizeof scalar);
        CHECK(tls_ec.mul(a, 32, scalar, 32, BR_EC_curve25519) == 1);
        br_ec_c25519_m31.mul(c, 32, scalar, 32, BR_EC_curve25519);
        CHECK(!memcmp(a, c, 32));
    }
    uint8_t scalar[33] = {1}, point[32] = {0};
    CHECK_INT(tls_ec.mul(point, 32, scalar, 32, BR_EC_curve25519), 0); /* would be a secret of zeros */
    point[0] = 9;
    CHECK_INT(tls_ec.mul(point, 31, scalar, 32, BR_EC_curve25519), 0);
    CHECK_INT(tls_ec.mul(point, 32, scalar, 33, BR_EC_curve25519), 0);
    CHECK_INT(tls_ec.mulgen(point, scalar, 31, BR_EC_curve25519), 0);
    CHECK_INT(tls_ec.muladd(point, NULL, 32, scalar, 32, scalar, 32, BR_EC_curve25519), 0);
    for (size_t len = 0; len < 300; len++) {
        uint8_t key[32], iv[12], x[300], y[300];
        rng_bytes(key, sizeof key);
        rng_bytes(iv, sizeof iv);
        rng_bytes(x, sizeof x);
        memcpy(y, x, sizeof x);
        CHECK_INT(tls_chacha20(key, iv, 5, x, len), br_chacha20_ct_run(key, iv, 5, y, len));
        CHECK(!memcmp(x, y, sizeof x));
    }
    rng_use_seed(0);
}

TAP_MAIN(T(a_resumed_session_with_a_foreign_protocol_is_refused),
         T(a_changed_byte_ends_the_connection_without_letting_anything_through),
         T(a_changed_byte_in_a_handshake_is_noticed), T(what_is_not_tls_is_named_and_refused),
         T(a_hello_may_come_in_many_records_but_not_in_too_many), T(extensions_that_mean_two_things_are_refused),
         T(a_record_that_is_too_long_ends_the_connection), T(a_handshake_is_not_begun_anew),
         T(no_two_connections_share_their_random_numbers), T(libsodium_and_bearssl_agree))
