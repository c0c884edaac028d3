/* jws.c - see jws.h. */
#include "protocols/jws.h"

#include "base/hex.h"

#include <bearssl.h>
#include <sodium/utils.h>

#define ES256_LEN 64 /* r and s, 32 bytes each */
#define HS256_LEN br_sha256_SIZE

static const char *const names[] = {
#define X(name, text) [name] = text,
    JWS_ALGS(X)
#undef X
};

const char *jws_alg_name(enum jws_alg alg) {
    return (unsigned)alg <= JWS_HS256 ? names[alg] : "";
}

static bool check_key(const struct jws_key *key, size_t es256_len, struct err *e) {
    if (key->alg == JWS_ES256) {
        if (key->bytes.len == es256_len) return true;
        return err_set(e, ERR_INVALID, "want a key of %zu bytes for ES256", es256_len);
    }
    if (key->bytes.len >= HS256_LEN) return true;
    return err_set(e, ERR_INVALID, "want a secret of at least %d bytes for HS256, found %zu", HS256_LEN,
                   key->bytes.len);
}

static void hash_input(struct slice protected_text, struct slice payload_text, uint8_t out[br_sha256_SIZE]) {
    br_sha256_context hash;
    br_sha256_init(&hash);
    br_sha256_update(&hash, protected_text.ptr, protected_text.len);
    br_sha256_update(&hash, ".", 1);
    br_sha256_update(&hash, payload_text.ptr, payload_text.len);
    br_sha256_out(&hash, out);
}

static void mac_input(struct slice secret, struct slice protected_text, struct slice payload_text,
                      uint8_t out[HS256_LEN]) {
    br_hmac_key_context schedule;
    br_hmac_context mac;
    br_hmac_key_init(&schedule, &br_sha256_vtable, secret.ptr, secret.len);
    br_hmac_init(&mac, &schedule, 0);
    br_hmac_update(&mac, protected_text.ptr, protected_text.len);
    br_hmac_update(&mac, ".", 1);
    br_hmac_update(&mac, payload_text.ptr, payload_text.len);
    br_hmac_out(&mac, out);
    explicit_bzero(&schedule, sizeof schedule);
    explicit_bzero(&mac, sizeof mac);
}

/* --- signing --- */

static bool sign_input(const struct jws_key *key, struct slice protected_text, struct slice payload_text,
                       uint8_t out[ES256_LEN], size_t *len, struct err *e) {
    if (key->alg == JWS_HS256) {
        mac_input(key->bytes, protected_text, payload_text, out);
        *len = HS256_LEN;
        return true;
    }
    uint8_t hash[br_sha256_SIZE], secret[JWK_PRIVATE_LEN];
    hash_input(protected_text, payload_text, hash);
    memcpy(secret, key->bytes.ptr, sizeof secret); /* BearSSL wants it writable */
    br_ec_private_key ec = {BR_EC_secp256r1, secret, sizeof secret};
    *len = br_ecdsa_sign_raw_get_default()(br_ec_get_default(), &br_sha256_vtable, hash, &ec, out);
    explicit_bzero(secret, sizeof secret);
    return *len == ES256_LEN || err_set(e, ERR_INVALID, "the key cannot sign");
}

static bool write_protected(const struct val *header, enum jws_alg alg, struct val *text, struct err *e) {
    if (header->kind != VAL_MAP) return err_set(e, ERR_INVALID, "want the header of a signature to be a map");
    if (!val_is_none(val_get(header, LIT("alg"))))
        return err_set(e, ERR_INVALID, "want the header of a signature without \"alg\": the key says it");
    struct val whole = VAL_MAP_OF({"alg", val_of_str(jws_alg_name(alg))});
    bool good = !val_is_none(&whole);
    for (struct val_iter it = val_iter(header); good && val_next(&it);)
        good = val_set(&whole, val_ref(it.key), val_ref(it.value));
    good = good ? jose_write_header(&whole, text, e) : err_nomem(e, "a header");
    val_unref(&whole);
    return good;
}

bool jws_sign(struct val *jws, const struct val *header, struct slice payload, const struct jws_key *key,
              struct err *e) {
    if (!check_key(key, JWK_PRIVATE_LEN, e)) return false;
    if (key->alg == JWS_ES256 && !jwk_private_ok(key->bytes.ptr))
        return err_set(e, ERR_INVALID, "want a private key in the range of P-256");
    struct val head = val_none, body = val_none, form = val_none;
    if (!write_protected(header, key->alg, &head, e)) return false;
    body = jose_base64(payload);
    uint8_t signature[ES256_LEN];
    size_t len = 0;
    bool good = val_is_none(&body) ? err_nomem(e, "a signed text")
                                   : sign_input(key, val_as_text(&head), val_as_text(&body), signature, &len, e);
    if (good) {
        form = VAL_MAP_OF({"protected", val_ref(&head)}, {"payload", val_ref(&body)},
                          {"signature", jose_base64(slice_of(signature, len))});
        good = !val_is_none(&form) || err_nomem(e, "a signed text");
    }
    val_unref(&head);
    val_unref(&body);
    if (good) *jws = form;
    return good;
}

/* --- verifying --- */

static bool verify_input(const struct jws_key *key, struct slice protected_text, struct slice payload_text,
                         const uint8_t *signature) {
    if (key->alg == JWS_HS256) {
        uint8_t want[HS256_LEN];
        mac_input(key->bytes, protected_text, payload_text, want);
        bool same = sodium_memcmp(want, signature, sizeof want) == 0;
        explicit_bzero(want, sizeof want);
        return same;
    }
    uint8_t hash[br_sha256_SIZE], point[JWK_PUBLIC_LEN];
    hash_input(protected_text, payload_text, hash);
    memcpy(point, key->bytes.ptr, sizeof point);
    br_ec_public_key ec = {BR_EC_secp256r1, point, sizeof point};
    return br_ecdsa_vrfy_raw_get_default()(br_ec_get_default(), hash, sizeof hash, &ec, signature, ES256_LEN) == 1;
}

bool jws_verify(const struct val *jws, const struct jws_key *key, const struct jose_limits *limits, struct val *header,
                struct buf *payload, struct err *e) {
    if (!check_key(key, JWK_PUBLIC_LEN, e)) return false;
    struct val head = val_none;
    if (!jose_read_header(jws, limits, &head, e)) return false;
    uint8_t signature[ES256_LEN];
    struct slice head_text, body_text;
    size_t mark = buf_mark(payload);
    bool good = jose_want(&head, "alg", jws_alg_name(key->alg), e) &&
                jose_fixed(jws, "signature", signature, key->alg == JWS_ES256 ? ES256_LEN : HS256_LEN, e) &&
                jose_text(jws, "protected", &head_text, e) && jose_text(jws, "payload", &body_text, e) &&
                jose_bytes(jws, "payload", limits->body, "body", payload, e);
    if (good && !verify_input(key, head_text, body_text, signature)) {
        buf_rewind(payload, mark);
        good = err_set(e, ERR_INVALID, "the signature is not of this key and these bytes");
    }
    if (good)
        *header = head;
    else
        val_unref(&head);
    return good;
}
