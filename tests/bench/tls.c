/* tls.c - what a handshake costs a server: CPU of full and resumed ones, in one run, rounds interleaved, beside
 *   limit       a bare BearSSL engine with the same implementations, its context a copy: nothing of ours around it;
 *   naive       a bare engine whose context is set up anew for each connection, with BearSSL's own X25519;
 *   primitives  one signature and our half of one key agreement, nothing else.
 *
 * Client and server talk in memory; only what happens on the server's side is timed. Figures are the tenth part from below of
 * all rounds, which strangers on the machine disturb least; nothing fails for being slow. */
#include "wire/tls.h"
#include "base/rng.h"
#include "lib/box_pair.h"
#include "wire/tls_room.h"

#include <stdio.h>
#include <stdlib.h>

#define ROUNDS 200

enum { FULL_X25519, FULL_P256, RESUMED, SHAKES };                                          /* what kind of handshake, */
enum { OURS, LIMIT = SHAKES, NAIVE = 2 * SHAKES, SIGN = 3 * SHAKES, X25519, P256, KINDS }; /* and whose */
static double took[KINDS][ROUNDS];

static double now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double low(int kind) {
    qsort(took[kind], ROUNDS, sizeof(double), by_size);
    return took[kind][ROUNDS / 10];
}

/* --- the client, which is not timed --- */

static struct {
    br_ssl_client_context ctx;
    br_x509_knownkey_context known;
    br_x509_decoder_context leaf;
    unsigned char in[BR_SSL_BUFSIZE_INPUT], out[BR_SSL_BUFSIZE_OUTPUT];
} client;

static unsigned char cert_der[2000];
static br_x509_certificate cert = {cert_der, 0};
static br_skey_decoder_context secret;

static void append_cert(void *arg, const void *bytes, size_t len) {
    (void)arg;
    if (cert.data_len + len > sizeof cert_der) abort();
    memcpy(cert_der + cert.data_len, bytes, len);
    cert.data_len += len;
}

static void append_key(void *arg, const void *bytes, size_t len) {
    br_skey_decoder_push(arg, bytes, len);
}

static void read_pem(const char *text, void (*append)(void *, const void *, size_t), void *arg) {
    br_pem_decoder_context d;
    br_pem_decoder_init(&d);
    size_t len = strlen(text), done = 0;
    while (done < len && br_pem_decoder_event(&d) != BR_PEM_END_OBJ) {
        done += br_pem_decoder_push(&d, text + done, len - done);
        if (br_pem_decoder_event(&d) == BR_PEM_BEGIN_OBJ) br_pem_decoder_setdest(&d, append, arg);
    }
}

static void make_client(void) {
    br_x509_minimal_context unused;
    br_ssl_client_init_full(&client.ctx, &unused, NULL, 0);
    br_ssl_engine_set_versions(&client.ctx.eng, BR_TLS12, BR_TLS12);
    br_x509_decoder_init(&client.leaf, NULL, NULL);
    br_x509_decoder_push(&client.leaf, cert.data, cert.data_len);
    br_x509_pkey *known = br_x509_decoder_get_pkey(&client.leaf);
    if (!known) abort();
    br_x509_knownkey_init_ec(&client.known, &known->key.ec, BR_KEYTYPE_SIGN | BR_KEYTYPE_KEYX);
    br_ssl_engine_set_x509(&client.ctx.eng, &client.known.vtable);
}

static void reset_client(bool p256_only, bool resume) {
    static const br_ec_impl *all;
    if (!all) all = br_ec_get_default();
    br_ssl_engine_set_ec(&client.ctx.eng, p256_only ? &br_ec_p256_m31 : all);
    br_ssl_engine_set_buffers_bidi(&client.ctx.eng, client.in, sizeof client.in, client.out, sizeof client.out);
    if (!br_ssl_client_reset(&client.ctx, "box.test", resume)) abort();
}

static bool is_up(void) {
    return br_ssl_engine_current_state(&client.ctx.eng) & BR_SSL_SENDAPP;
}

/* --- ours --- */

static struct loop *loop;
static struct tls_server *server;

static double shake_ours(void) {
    br_ssl_engine_context *c = &client.ctx.eng;
    double sum = 0, at = now_us();
    struct stream_filter *f = tls_accept(server, NULL);
    if (!f) abort();
    sum += now_us() - at;
    for (int idle = 0; idle < 2 && !is_up();) {
        size_t n, room = 0;
        uint8_t *from, *to;
        idle++;
        while ((from = br_ssl_engine_sendrec_buf(c, &n))) {
            at = now_us();
            to = f->ops->raw_room(f, &room);
            if (room) {
                if (n > room) n = room;
                memcpy(to, from, n);
                f->ops->raw_came(f, n);
            }
            sum += now_us() - at;
            if (!room) break;
            br_ssl_engine_sendrec_ack(c, n);
            idle = 0;
        }
        for (;;) {
            at = now_us();
            struct slice raw = f->ops->raw_out(f);
            sum += now_us() - at;
            to = br_ssl_engine_recvrec_buf(c, &room);
            if (!raw.len || !to) break;
            raw = slice_head(raw, room);
            memcpy(to, raw.ptr, raw.len);
            at = now_us();
            f->ops->raw_sent(f, raw.len);
            sum += now_us() - at;
            br_ssl_engine_recvrec_ack(c, raw.len);
            idle = 0;
        }
        loop_turn(loop, 0); /* gives the next step */
    }
    if (!is_up()) abort();
    at = now_us();
    tls_drop(f);
    return sum + now_us() - at;
}

/* --- bare engines --- */

/* With what a bare engine begins a connection. */
static void begin_naive(br_ssl_server_context *ctx) {
    static br_ssl_session_cache_lru cache;
    static unsigned char store[100000];
    if (!cache.vtable) br_ssl_session_cache_lru_init(&cache, store, sizeof store);
    br_ssl_server_init_full_ec(ctx, &cert, 1, BR_KEYTYPE_EC, br_skey_decoder_get_ec(&secret));
    br_ssl_server_set_cache(ctx, &cache.vtable);
}

static void begin_limit(br_ssl_server_context *ctx) {
    static br_ssl_server_context model;
    static br_ssl_session_cache_lru cache;
    static unsigned char store[100000], space[BR_SSL_BUFSIZE_BIDI];
    unsigned char seed[48];
    if (!cache.vtable) {
        br_ssl_session_cache_lru_init(&cache, store, sizeof store);
        br_ssl_server_zero(&model);
        tls_engine_setup(&model.eng, &tls_ec);
        br_ssl_server_set_cache(&model, &cache.vtable);
        br_ssl_engine_set_buffer(&model.eng, space, sizeof space, 1);
        br_ssl_server_reset(&model);
    }
    *ctx = model;
    br_ssl_server_set_single_ec(ctx, &cert, 1, br_skey_decoder_get_ec(&secret), BR_KEYTYPE_SIGN, 0, &br_ec_all_m31,
                                br_ecdsa_i31_sign_asn1);
    rng_bytes(seed, sizeof seed);
    br_ssl_engine_inject_entropy(&ctx->eng, seed, sizeof seed);
}

static double shake_bare(void (*begin)(br_ssl_server_context *)) {
    static br_ssl_server_context ctx;
    static unsigned char in[BR_SSL_BUFSIZE_INPUT], out[BR_SSL_BUFSIZE_OUTPUT];
    br_ssl_engine_context *c = &client.ctx.eng, *s = &ctx.eng;
    double sum = 0, at = now_us();
    begin(&ctx);
    br_ssl_engine_set_buffers_bidi(s, in, sizeof in, out, sizeof out);
    br_ssl_server_reset(&ctx);
    sum += now_us() - at;
    for (bool moved = true; moved && !is_up();) {
        size_t n, room;
        uint8_t *from, *to;
        moved = false;
        while ((from = br_ssl_engine_sendrec_buf(c, &n)) && (to = br_ssl_engine_recvrec_buf(s, &room))) {
            if (n > room) n = room;
            memcpy(to, from, n);
            at = now_us();
            br_ssl_engine_recvrec_ack(s, n);
            sum += now_us() - at;
            br_ssl_engine_sendrec_ack(c, n);
            moved = true;
        }
        while ((from = br_ssl_engine_sendrec_buf(s, &n)) && (to = br_ssl_engine_recvrec_buf(c, &room))) {
            if (n > room) n = room;
            memcpy(to, from, n);
            br_ssl_engine_recvrec_ack(c, n);
            at = now_us();
            br_ssl_engine_sendrec_ack(s, n);
            sum += now_us() - at;
            moved = true;
        }
    }
    if (!is_up()) abort();
    return sum;
}

/* --- primitives --- */

static double time_sign(void) {
    unsigned char hash[32] = {1}, signature[100];
    double at = now_us();
    br_ecdsa_i31_sign_asn1(&br_ec_p256_m31, &br_sha256_vtable, hash, br_skey_decoder_get_ec(&secret), signature);
    return now_us() - at;
}

static double time_curve(int curve) {
    unsigned char scalar[32], point[65];
    size_t len;
    memset(scalar, 7, sizeof scalar);
    double at = now_us();
    len = tls_ec.mulgen(point, scalar, sizeof scalar, curve);
    if (!tls_ec.mul(point, len, scalar, sizeof scalar, curve)) abort();
    return now_us() - at;
}

static void tell(const char *what, int shake, double primitives) {
    double ours = low(OURS + shake), limit = low(LIMIT + shake), naive = low(NAIVE + shake);
    printf("%-14s %7.1f us   limit %7.1f us (%.2f)   naive %7.1f us (%.2f)", what, ours, limit, ours / limit, naive,
           ours / naive);
    if (primitives > 0) printf("   primitives %7.1f us (%.2f)", primitives, ours / primitives);
    printf("\n");
}

static void shake_all(int i, int shake, bool p256_only, bool resume) {
    reset_client(p256_only, resume);
    took[OURS + shake][i] = shake_ours();
    reset_client(p256_only, false); /* each has sessions of its own */
    if (resume) shake_bare(begin_limit);
    reset_client(p256_only, resume);
    took[LIMIT + shake][i] = shake_bare(begin_limit);
    reset_client(p256_only, false);
    if (resume) shake_bare(begin_naive);
    reset_client(p256_only, resume);
    took[NAIVE + shake][i] = shake_bare(begin_naive);
}

int main(void) {
    struct err e = ERR_INIT;
    struct tls_identity_text text = {slice_str(chain), slice_str(key)};
    loop = loop_new(&e);
    server = tls_server_new(loop, NULL, &e);
    if (!loop || !server || !tls_server_certificates(server, &text, 1, &e)) return 1;
    br_skey_decoder_init(&secret);
    read_pem(chain, append_cert, NULL);
    read_pem(key, append_key, &secret);
    make_client();
    for (int i = 0; i < ROUNDS; i++) {
        shake_all(i, FULL_P256, true, false);
        shake_all(i, FULL_X25519, false, false);
        reset_client(false, false);
        shake_ours(); /* a session to resume */
        shake_all(i, RESUMED, false, true);
        took[SIGN][i] = time_sign();
        took[X25519][i] = time_curve(BR_EC_curve25519);
        took[P256][i] = time_curve(BR_EC_secp256r1);
    }
    struct tls_counts n = tls_server_counts(server);
    if (n.handshakes != 4 * ROUNDS || n.resumed != ROUNDS) return 1;
    double sign = low(SIGN);
    printf("TLS 1.2 handshakes, server side, P-256 key\n");
    tell("full, X25519", FULL_X25519, sign + low(X25519));
    tell("full, P-256", FULL_P256, sign + low(P256));
    tell("resumed", RESUMED, 0);
    tls_server_free(server);
    loop_turn(loop, 0);
    loop_free(loop);
    return 0;
}
