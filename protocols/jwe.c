/* jwe.c - see jwe.h. */
#include "protocols/jwe.h"

#include "base/hex.h"
#include "base/must.h"
#include "base/num.h"

#include <bearssl.h>
#include <sodium/utils.h>

#define BLOCK 16
#define HALF  16 /* of the content key: the first for the tag, the second for the cipher */

static const char ALG[] = "ECDH-ES", ENC[] = "A128CBC-HS256";

static bool say_closed(struct err *e) {
    return err_set(e, ERR_INVALID,
                   "the encrypted text does not open: it was encrypted for another key, or changed on the way");
}

/* --- the key --- */

static void hash_be32(br_sha256_context *hash, size_t n) {
    uint8_t be[4];
    num_put_be32(be, (uint32_t)n);
    br_sha256_update(hash, be, sizeof be);
}

static void hash_sized(br_sha256_context *hash, struct slice s) {
    hash_be32(hash, s.len);
    br_sha256_update(hash, s.ptr, s.len);
}

bool jwe_agree(const uint8_t private_key[JWK_PRIVATE_LEN], const uint8_t public_key[JWK_PUBLIC_LEN], struct slice enc,
               struct slice apu, struct slice apv, uint8_t *key, size_t len, struct err *e) {
    must(len <= br_sha256_SIZE); /* one round of the KDF */
    if (!jwk_private_ok(private_key)) return err_set(e, ERR_INVALID, "want a private key in the range of P-256");
    if (enc.len > UINT32_MAX / 8 || apu.len > UINT32_MAX / 8 || apv.len > UINT32_MAX / 8)
        return err_set(e, ERR_LIMIT, "a party's name is too long for a key agreement");
    const br_ec_impl *ec = br_ec_get_default();
    uint8_t point[JWK_PUBLIC_LEN], out[br_sha256_SIZE];
    memcpy(point, public_key, sizeof point);
    bool good = ec->mul(point, sizeof point, private_key, JWK_PRIVATE_LEN, BR_EC_secp256r1) == 1;
    if (good) {
        size_t x_len, x_at = ec->xoff(BR_EC_secp256r1, &x_len);
        br_sha256_context hash;
        br_sha256_init(&hash);
        hash_be32(&hash, 1); /* the first and only round */
        br_sha256_update(&hash, point + x_at, x_len);
        hash_sized(&hash, enc);
        hash_sized(&hash, apu);
        hash_sized(&hash, apv);
        hash_be32(&hash, len * 8);
        br_sha256_out(&hash, out);
        memcpy(key, out, len);
        explicit_bzero(&hash, sizeof hash);
        explicit_bzero(out, sizeof out);
    }
    explicit_bzero(point, sizeof point);
    return good || err_set(e, ERR_INVALID, "want a key that is a point on the curve P-256");
}

/* --- the content --- */

static void compute_tag(const uint8_t key[JWE_CEK_LEN], const uint8_t iv[JWE_IV_LEN], struct slice aad,
                        struct slice ciphertext, uint8_t tag[JWE_TAG_LEN]) {
    br_hmac_key_context schedule;
    br_hmac_context mac;
    uint8_t bits[8];
    num_put_be64(bits, (uint64_t)aad.len * 8);
    br_hmac_key_init(&schedule, &br_sha256_vtable, key, HALF);
    br_hmac_init(&mac, &schedule, JWE_TAG_LEN);
    br_hmac_update(&mac, aad.ptr, aad.len);
    br_hmac_update(&mac, iv, JWE_IV_LEN);
    br_hmac_update(&mac, ciphertext.ptr, ciphertext.len);
    br_hmac_update(&mac, bits, sizeof bits);
    br_hmac_out(&mac, tag);
    explicit_bzero(&schedule, sizeof schedule);
    explicit_bzero(&mac, sizeof mac);
}

static bool say_full(const struct buf *b, const char *what, struct err *e) {
    return b->fault == BUF_NOMEM ? err_nomem(e, what) : err_limit(e, "max", b->max, ERR_NOWHERE);
}

bool jwe_cbc_seal(const uint8_t key[JWE_CEK_LEN], const uint8_t iv[JWE_IV_LEN], struct slice aad, struct slice plain,
                  struct buf *out, uint8_t tag[JWE_TAG_LEN], struct err *e) {
    size_t pad = BLOCK - plain.len % BLOCK, mark = buf_mark(out);
    if (!buf_ok(out)) return say_full(out, "an encrypted text", e);
    if (plain.len > SIZE_MAX / 2) return err_limit(e, "max", out->max, ERR_NOWHERE);
    uint8_t *at = buf_room(out, plain.len + pad);
    if (!at) {
        say_full(out, "an encrypted text", e);
        buf_rewind(out, mark);
        return false;
    }
    if (plain.len) memcpy(at, plain.ptr, plain.len);
    memset(at + plain.len, (int)pad, pad);
    br_aes_ct_cbcenc_keys cipher;
    uint8_t chain[JWE_IV_LEN];
    memcpy(chain, iv, sizeof chain);
    br_aes_ct_cbcenc_init(&cipher, key + HALF, HALF);
    br_aes_ct_cbcenc_run(&cipher, chain, at, plain.len + pad);
    explicit_bzero(&cipher, sizeof cipher);
    buf_wrote(out, plain.len + pad);
    compute_tag(key, iv, aad, slice_of(at, plain.len + pad), tag);
    return true;
}

/* How many bytes of padding the last block ends in, 0 when it is none; the same work for any content. */
static size_t read_padding(const uint8_t last[BLOCK]) {
    uint32_t pad = last[BLOCK - 1], bad = (pad - 1) >> 4; /* not 0 unless it is 1 to 16 */
    for (uint32_t i = 0; i < BLOCK; i++) {
        uint32_t inside = 0 - ((BLOCK - 1 - i - pad) >> 31); /* all ones where 16 - i <= pad */
        bad |= inside & (last[i] ^ pad);
    }
    uint32_t good = ((bad | (0 - bad)) >> 31) - 1; /* all ones when bad is 0 */
    return pad & good;
}

bool jwe_cbc_open(const uint8_t key[JWE_CEK_LEN], const uint8_t iv[JWE_IV_LEN], struct slice aad,
                  struct slice ciphertext, const uint8_t tag[JWE_TAG_LEN], struct buf *plain, struct err *e) {
    uint8_t want[JWE_TAG_LEN];
    compute_tag(key, iv, aad, ciphertext, want);
    bool good = sodium_memcmp(want, tag, sizeof want) == 0;
    explicit_bzero(want, sizeof want);
    if (!good || !ciphertext.len || ciphertext.len % BLOCK) return say_closed(e);
    if (!buf_ok(plain)) return say_full(plain, "a decrypted text", e);
    size_t mark = buf_mark(plain);
    uint8_t *at = buf_room(plain, ciphertext.len);
    if (!at) {
        say_full(plain, "a decrypted text", e);
        buf_rewind(plain, mark);
        return false;
    }
    memcpy(at, ciphertext.ptr, ciphertext.len);
    br_aes_ct_cbcdec_keys cipher;
    uint8_t chain[JWE_IV_LEN];
    memcpy(chain, iv, sizeof chain);
    br_aes_ct_cbcdec_init(&cipher, key + HALF, HALF);
    br_aes_ct_cbcdec_run(&cipher, chain, at, ciphertext.len);
    explicit_bzero(&cipher, sizeof cipher);
    size_t pad = read_padding(at + ciphertext.len - BLOCK);
    if (!pad) {
        explicit_bzero(at, ciphertext.len);
        return say_closed(e);
    }
    buf_wrote(plain, ciphertext.len - pad);
    return true;
}

/* --- the form --- */

/* Where a parameter of the key agreement stands: in the protected header or beside it; names are in one place only. */
static const struct val *find_parameter(const struct val *jwe, const struct val *header, const char *name) {
    const struct val *all[] = {header, val_get(jwe, LIT("header")), val_get(jwe, LIT("unprotected"))};
    for (size_t i = 0; i < 3; i++)
        if (!val_is_none(val_get(all[i], slice_str(name)))) return all[i];
    return header;
}

/* One of the two parties' names; neither has to be there. */
static bool read_party(const struct val *jwe, const struct val *header, const char *name,
                       const struct jose_limits *limits, struct buf *out, struct err *e) {
    const struct val *in = find_parameter(jwe, header, name);
    return val_is_none(val_get(in, slice_str(name))) || jose_bytes(in, name, limits->header, "header", out, e);
}

static bool read_key(const struct val *jwe, const struct val *header, const uint8_t private_key[JWK_PRIVATE_LEN],
                     const struct jose_limits *limits, uint8_t key[JWE_CEK_LEN], struct err *e) {
    if (!jose_want(header, "alg", ALG, e) || !jose_want(header, "enc", ENC, e)) return false;
    uint8_t sender[JWK_PUBLIC_LEN];
    if (!jwk_read(val_get(find_parameter(jwe, header, "epk"), LIT("epk")), sender, e)) {
        err_context(e, "reading \"epk\"");
        return false;
    }
    struct buf apu, apv;
    buf_init(&apu, limits->header);
    buf_init(&apv, limits->header);
    bool good = read_party(jwe, header, "apu", limits, &apu, e) && read_party(jwe, header, "apv", limits, &apv, e) &&
                jwe_agree(private_key, sender, slice_str(ENC), buf_slice(&apu), buf_slice(&apv), key, JWE_CEK_LEN, e);
    buf_release(&apu);
    buf_release(&apv);
    return good;
}

/* What the tag covers beside the ciphertext: the header as it came, and `aad` as it came. */
static bool read_aad(const struct val *jwe, const struct jose_limits *limits, struct buf *aad, struct err *e) {
    struct slice text;
    if (!jose_text(jwe, "protected", &text, e)) return false;
    buf_add(aad, text);
    if (!val_is_none(val_get(jwe, LIT("aad")))) {
        struct buf bytes; /* only to see that it is base64url */
        buf_init(&bytes, SIZE_MAX / 4);
        bool good = jose_text(jwe, "aad", &text, e) && jose_bytes(jwe, "aad", limits->body, "body", &bytes, e);
        buf_release(&bytes);
        if (!good) return false;
        buf_byte(aad, '.');
        buf_add(aad, text);
    }
    return buf_ok(aad) || say_full(aad, "an encrypted text", e);
}

static bool check_no_key(const struct val *jwe, struct err *e) {
    const struct val *v = val_get(jwe, LIT("encrypted_key"));
    if (val_is_none(v) || val_is_text(v, LIT(""))) return true;
    return err_set(e, ERR_SYNTAX, "want no \"encrypted_key\" with %s", ALG);
}

bool jwe_open(const struct val *jwe, const uint8_t private_key[JWK_PRIVATE_LEN], const struct jose_limits *limits,
              struct buf *plain, struct err *e) {
    struct val header = val_none;
    if (!jose_read_header(jwe, limits, &header, e)) return false;
    struct buf aad, bytes;
    buf_init(&aad, SIZE_MAX / 2);
    buf_init(&bytes, SIZE_MAX / 2);
    uint8_t key[JWE_CEK_LEN], iv[JWE_IV_LEN], tag[JWE_TAG_LEN];
    bool good = check_no_key(jwe, e) && jose_fixed(jwe, "iv", iv, sizeof iv, e) &&
                jose_fixed(jwe, "tag", tag, sizeof tag, e) && read_aad(jwe, limits, &aad, e) &&
                jose_bytes(jwe, "ciphertext", limits->body, "body", &bytes, e) &&
                read_key(jwe, &header, private_key, limits, key, e) &&
                jwe_cbc_open(key, iv, buf_slice(&aad), buf_slice(&bytes), tag, plain, e);
    explicit_bzero(key, sizeof key);
    buf_release(&aad);
    buf_release(&bytes);
    val_unref(&header);
    return good;
}

bool jwe_seal(struct val *jwe, struct slice plain, const uint8_t to[JWK_PUBLIC_LEN],
              const uint8_t ephemeral[JWK_PRIVATE_LEN], const uint8_t iv[JWE_IV_LEN], struct err *e) {
    uint8_t sender[JWK_PUBLIC_LEN], key[JWE_CEK_LEN], tag[JWE_TAG_LEN];
    struct slice none = {NULL, 0};
    if (!jwk_public(ephemeral, sender, e) || !jwe_agree(ephemeral, to, slice_str(ENC), none, none, key, sizeof key, e))
        return false;
    struct val header = VAL_MAP_OF({"alg", val_of_str(ALG)}, {"enc", val_of_str(ENC)}, {"epk", jwk_write(sender)});
    struct val text = val_none, form = val_none;
    struct buf bytes;
    buf_init(&bytes, SIZE_MAX / 2);
    bool good = val_is_none(&header) ? err_nomem(e, "an encrypted text") : jose_write_header(&header, &text, e);
    good = good && jwe_cbc_seal(key, iv, val_as_text(&text), plain, &bytes, tag, e);
    explicit_bzero(key, sizeof key);
    if (good) {
        form =
            VAL_MAP_OF({"protected", val_ref(&text)}, {"iv", jose_base64(slice_of(iv, JWE_IV_LEN))},
                       {"ciphertext", jose_base64(buf_slice(&bytes))}, {"tag", jose_base64(slice_of(tag, sizeof tag))});
        good = !val_is_none(&form) || err_nomem(e, "an encrypted text");
    }
    buf_release(&bytes);
    val_unref(&header);
    val_unref(&text);
    if (good) *jwe = form;
    return good;
}
