/* jwk.c - see jwk.h. */
#include "protocols/jwk.h"

#include "base/hex.h"
#include "protocols/jose.h"

#include <bearssl.h>
#include <sodium/utils.h>

#define HALF  32 /* bytes of a coordinate */
#define POINT 4  /* the first byte of an uncompressed point */

bool jwk_private_ok(const uint8_t private_key[JWK_PRIVATE_LEN]) {
    size_t len;
    const uint8_t *order = br_ec_get_default()->order(BR_EC_secp256r1, &len);
    /* libsodium compares little-endian numbers, in constant time. */
    uint8_t key[JWK_PRIVATE_LEN], end[JWK_PRIVATE_LEN];
    for (size_t i = 0; i < JWK_PRIVATE_LEN; i++) {
        key[i] = private_key[JWK_PRIVATE_LEN - 1 - i];
        end[i] = order[JWK_PRIVATE_LEN - 1 - i];
    }
    bool good = sodium_compare(key, end, sizeof key) < 0 && !sodium_is_zero(key, sizeof key);
    explicit_bzero(key, sizeof key);
    return good;
}

bool jwk_public(const uint8_t private_key[JWK_PRIVATE_LEN], uint8_t public_key[JWK_PUBLIC_LEN], struct err *e) {
    if (!jwk_private_ok(private_key)) return err_set(e, ERR_INVALID, "want a private key in the range of P-256");
    br_ec_get_default()->mulgen(public_key, private_key, JWK_PRIVATE_LEN, BR_EC_secp256r1);
    return true;
}

struct val jwk_write(const uint8_t public_key[JWK_PUBLIC_LEN]) {
    return VAL_MAP_OF({"kty", val_of_str("EC")}, {"crv", val_of_str("P-256")},
                      {"x", jose_base64(slice_of(public_key + 1, HALF))},
                      {"y", jose_base64(slice_of(public_key + 1 + HALF, HALF))});
}

/* The point times one: BearSSL checks the point first, and a multiplier of one byte costs little. */
static bool is_on_curve(const uint8_t point[JWK_PUBLIC_LEN]) {
    static const uint8_t one[1] = {1};
    uint8_t copy[JWK_PUBLIC_LEN];
    memcpy(copy, point, sizeof copy);
    return br_ec_get_default()->mul(copy, sizeof copy, one, sizeof one, BR_EC_secp256r1) == 1;
}

static bool read_point(const struct val *jwk, uint8_t point[JWK_PUBLIC_LEN], struct err *e) {
    if (jwk->kind != VAL_MAP) return err_set(e, ERR_SYNTAX, "want a key as a map (JWK)");
    if (!jose_want(jwk, "kty", "EC", e) || !jose_want(jwk, "crv", "P-256", e)) return false;
    point[0] = POINT;
    if (!jose_fixed(jwk, "x", point + 1, HALF, e) || !jose_fixed(jwk, "y", point + 1 + HALF, HALF, e)) return false;
    return is_on_curve(point) || err_set(e, ERR_INVALID, "want a key whose x and y are a point on the curve P-256");
}

bool jwk_read(const struct val *jwk, uint8_t public_key[JWK_PUBLIC_LEN], struct err *e) {
    uint8_t point[JWK_PUBLIC_LEN];
    if (!read_point(jwk, point, e)) return false;
    if (!val_is_none(val_get(jwk, LIT("d"))))
        return err_set(e, ERR_INVALID, "want a public key, found a private one; it is no secret any more");
    memcpy(public_key, point, sizeof point);
    return true;
}

bool jwk_read_private(const struct val *jwk, uint8_t private_key[JWK_PRIVATE_LEN], uint8_t public_key[JWK_PUBLIC_LEN],
                      struct err *e) {
    uint8_t said[JWK_PUBLIC_LEN], own[JWK_PUBLIC_LEN], key[JWK_PRIVATE_LEN] = {0};
    bool good = read_point(jwk, said, e) && jose_fixed(jwk, "d", key, sizeof key, e) && jwk_public(key, own, e);
    if (good && memcmp(said, own, sizeof own) != 0)
        good = err_set(e, ERR_INVALID, "want a private key whose x and y are its own");
    if (good) {
        memcpy(private_key, key, sizeof key);
        memcpy(public_key, own, sizeof own);
    }
    explicit_bzero(key, sizeof key);
    return good;
}

void jwk_thumbprint(const uint8_t public_key[JWK_PUBLIC_LEN], uint8_t out[JWK_THUMBPRINT_LEN]) {
    static const char *const parts[] = {"{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"", "\",\"y\":\"", "\"}"};
    br_sha256_context hash;
    br_sha256_init(&hash);
    for (size_t i = 0; i < 3; i++) {
        br_sha256_update(&hash, parts[i], strlen(parts[i]));
        if (i == 2) break;
        uint8_t text[BASE64_LEN(HALF)];
        br_sha256_update(&hash, text, base64_put(text, BASE64_URL, slice_of(public_key + 1 + i * HALF, HALF)));
    }
    br_sha256_out(&hash, out);
}
