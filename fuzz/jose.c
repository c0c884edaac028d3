/* jose.c - any JSON text as a key, as an encrypted text and as a signed one, under fixed keys: a refusal gives nothing
 * out. And any bytes sealed and signed: they come back, and a changed letter is refused. */
#include "protocols/json.h"
#include "protocols/jwe.h"
#include "protocols/jws.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct jose_limits limits = {.header = 1000, .body = 1000};
/* SHA-256 of "startbox recipient", as in tests/protocols/jose.c, so that its examples are seeds. */
static const uint8_t secret[JWK_PRIVATE_LEN] = {0x42, 0x22, 0xfc, 0xb8, 0xbd, 0x1a, 0xd1, 0x81, 0xbf, 0x8f, 0x7d,
                                                0x8f, 0xfb, 0xa9, 0xaf, 0x78, 0xaf, 0x78, 0x97, 0x41, 0xc0, 0xd9,
                                                0x8d, 0xe0, 0x5a, 0xe3, 0x91, 0xd0, 0xd5, 0x82, 0xa3, 0xb2};
static const uint8_t mac[32] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
                                16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};

static void read_all(const struct val *v) {
    uint8_t point[JWK_PUBLIC_LEN], again[JWK_PUBLIC_LEN], own[JWK_PUBLIC_LEN];
    struct buf out;
    struct val header = val_none;
    buf_init(&out, 2000);
    if (!jwk_public(secret, own, NULL)) abort();
    if (jwk_read(v, point, NULL)) {
        struct val key = jwk_write(point);
        if (!jwk_read(&key, again, NULL) || memcmp(point, again, sizeof point) != 0) abort();
        val_unref(&key);
    }
    struct err e = ERR_INIT;
    if (!jwe_open(v, secret, &limits, &out, &e) && (out.len || e.code == ERR_NONE)) abort();
    if (out.len > limits.body) abort();
    buf_reset(&out);
    struct jws_key keys[] = {{JWS_ES256, {own, sizeof own}}, {JWS_HS256, {mac, sizeof mac}}};
    for (size_t i = 0; i < 2; i++) {
        if (jws_verify(v, &keys[i], &limits, &header, &out, NULL)) {
            if (header.kind != VAL_MAP) abort();
        } else if (out.len)
            abort();
        val_unref(&header);
        buf_reset(&out);
    }
    buf_release(&out);
}

/* A member's text with one letter changed for another one. */
static struct val spoil(const struct val *form, const char *name, size_t at) {
    struct slice text = val_as_text(val_get(form, slice_str(name)));
    struct buf b;
    buf_init(&b, 8000);
    buf_add(&b, text);
    at %= text.len;
    b.ptr[at] = b.ptr[at] == 'B' ? 'C' : 'B';
    struct val copy = val_ref(form);
    if (!val_set_str(&copy, name, val_of_text(buf_slice(&b)))) abort();
    buf_release(&b);
    return copy;
}

static void round_trip(struct slice plain, size_t at) {
    static const uint8_t iv[JWE_IV_LEN] = {1, 2, 3};
    static const char *const members[] = {"protected", "iv", "ciphertext", "tag"};
    uint8_t own[JWK_PUBLIC_LEN];
    struct val v = val_none, header = VAL_MAP_OF({"nonce", val_of_str("n")}), back = val_none;
    struct buf out;
    buf_init(&out, 2000);
    if (!jwk_public(secret, own, NULL) || !jwe_seal(&v, plain, own, mac, iv, NULL)) abort();
    if (!jwe_open(&v, secret, &limits, &out, NULL) || !slice_eq(buf_slice(&out), plain)) abort();
    struct val bad = spoil(&v, members[at % 4], at / 4);
    buf_reset(&out);
    if (jwe_open(&bad, secret, &limits, &out, NULL) || out.len) abort();
    val_unref(&bad);
    val_unref(&v);
    struct jws_key key = {JWS_HS256, {mac, sizeof mac}};
    if (!jws_sign(&v, &header, plain, &key, NULL)) abort();
    if (!jws_verify(&v, &key, &limits, &back, &out, NULL) || !slice_eq(buf_slice(&out), plain)) abort();
    val_unref(&back);
    bad = spoil(&v, at % 2 ? "protected" : "signature", at / 2);
    if (jws_verify(&bad, &key, &limits, &back, &out, NULL)) abort();
    val_unref(&bad);
    val_unref(&v);
    val_unref(&header);
    buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct json_limits json = {.bytes = 1 << 13, .depth = 20};
    if (!size) return 0;
    struct val v = val_none;
    if (json_parse(slice_of(data, size), &json, &v, NULL)) {
        read_all(&v);
        val_unref(&v);
    } else if (size <= 200)
        round_trip(slice_of(data + 1, size - 1), data[0]);
    return 0;
}
