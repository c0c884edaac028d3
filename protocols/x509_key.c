/* x509_key.c - see x509_key.h. Curve, signatures and hashes are BearSSL's, comparing secret numbers is libsodium's. */
#include "protocols/x509_key.h"

#include "protocols/der.h"
#include "protocols/x509_oid.h"

#include <bearssl.h>
#include <sodium/utils.h>

#define DER_BYTES 192 /* of a key that is written: 138 */

static const br_ec_impl *const curve = &br_ec_p256_m31;

static br_ec_private_key lend_secret(const struct x509_key *key) {
    return (br_ec_private_key){BR_EC_secp256r1, (unsigned char *)(uintptr_t)key->secret, sizeof key->secret};
}

/* --- the number and its point --- */

/* 1 <= secret < order, in constant time. */
static bool is_in_range(const uint8_t secret[X509_SECRET]) {
    size_t len;
    const unsigned char *order = curve->order(BR_EC_secp256r1, &len);
    uint8_t a[X509_SECRET], b[X509_SECRET]; /* the lowest byte first, as libsodium wants them */
    for (size_t i = 0; i < X509_SECRET; i++) {
        a[i] = secret[X509_SECRET - 1 - i];
        b[i] = len == X509_SECRET ? order[X509_SECRET - 1 - i] : 0;
    }
    bool good = sodium_compare(a, b, sizeof a) < 0 && !sodium_is_zero(a, sizeof a);
    explicit_bzero(a, sizeof a);
    return good;
}

void x509_key_wipe(struct x509_key *key) {
    explicit_bzero(key, sizeof *key);
}

bool x509_key_set(struct x509_key *key, const uint8_t secret[X509_SECRET], struct err *e) {
    memmove(key->secret, secret, X509_SECRET);
    br_ec_private_key sk = lend_secret(key);
    if (is_in_range(key->secret) && br_ec_compute_pub(curve, NULL, key->point, &sk) == X509_POINT) return true;
    x509_key_wipe(key);
    return err_set(e, ERR_INVALID, "these bytes are not a private key on P-256");
}

bool x509_point_ok(struct slice point) {
    uint8_t copy[X509_POINT];
    static const uint8_t one = 1;
    if (point.len != X509_POINT) return false;
    memcpy(copy, point.ptr, sizeof copy);
    return curve->mul(copy, sizeof copy, &one, 1, BR_EC_secp256r1) == 1;
}

/* --- signing --- */

static void hash_bytes(struct slice bytes, uint8_t hash[br_sha256_SIZE]) {
    br_sha256_context sha;
    br_sha256_init(&sha);
    br_sha256_update(&sha, bytes.ptr, bytes.len);
    br_sha256_out(&sha, hash);
}

void x509_key_id(struct slice point, uint8_t id[X509_KEY_ID]) {
    uint8_t hash[br_sha256_SIZE];
    hash_bytes(point, hash);
    memcpy(id, hash, X509_KEY_ID);
}

bool x509_key_sign(const struct x509_key *key, struct slice bytes, uint8_t signature[X509_SIGNATURE], size_t *len,
                   struct err *e) {
    uint8_t hash[br_sha256_SIZE];
    br_ec_private_key sk = lend_secret(key);
    hash_bytes(bytes, hash);
    *len = br_ecdsa_i31_sign_asn1(curve, &br_sha256_vtable, hash, &sk, signature);
    return *len || err_set(e, ERR_INVALID, "this private key cannot sign: it is not one on P-256");
}

/* BearSSL takes some signatures whose DER is not strict. */
static bool is_signature(struct slice s) {
    struct cur c = cur_of(s), parts = der_take(&c, DER_SEQUENCE);
    struct slice r = der_unsigned(&parts, DER_INTEGER), t = der_unsigned(&parts, DER_INTEGER);
    return cur_done(&c) && cur_done(&parts) && r.len <= X509_SECRET && t.len <= X509_SECRET;
}

bool x509_key_signed(struct slice point, struct slice bytes, struct slice signature) {
    uint8_t hash[br_sha256_SIZE];
    br_ec_public_key pk = {BR_EC_secp256r1, (unsigned char *)(uintptr_t)point.ptr, point.len};
    if (point.len != X509_POINT || !is_signature(signature)) return false;
    hash_bytes(bytes, hash);
    return br_ecdsa_i31_vrfy_asn1(curve, hash, sizeof hash, &pk, signature.ptr, signature.len) == 1;
}

/* --- reading --- */

/* ECPrivateKey. Without PKCS #8 around it, it must name its curve itself. */
static bool read_sec1(struct cur *c, bool wants_curve, struct slice *secret, struct slice *point, struct slice *on) {
    struct cur parts = der_take(c, DER_SEQUENCE);
    if (der_small(&parts, 1) != 1) return false;
    *secret = der_octets(&parts, DER_OCTETS);
    if (der_peek(&parts) == DER_PART(0)) {
        struct cur named = der_take(&parts, DER_PART(0));
        *on = der_oid(&named);
        if (!cur_done(&named)) return false;
    } else if (wants_curve)
        return false;
    if (der_peek(&parts) == DER_PART(1)) {
        struct cur public = der_take(&parts, DER_PART(1));
        *point = der_bits(&public);
        if (!cur_done(&public) || !point->len) return false;
    }
    return cur_done(c) && cur_done(&parts);
}

/* The same within PrivateKeyInfo. *kind: of the key, when it is another than one on a curve. */
static bool read_pkcs8(struct cur *c, struct slice *secret, struct slice *point, struct slice *on, struct slice *kind) {
    struct cur parts = der_take(c, DER_SEQUENCE);
    uint64_t version = der_small(&parts, 1);
    struct cur algorithm = der_take(&parts, DER_SEQUENCE);
    struct slice oid = der_oid(&algorithm);
    if (!algorithm.bad && !slice_eq(oid, x509_oid(X509_OID_EC))) {
        *kind = oid;
        return false;
    }
    struct slice named = der_oid(&algorithm), inner = der_octets(&parts, DER_OCTETS);
    struct cur key = cur_of(inner);
    *on = named;
    if (!cur_done(&algorithm) || !read_sec1(&key, false, secret, point, on) || !slice_eq(*on, named)) return false;
    if (der_peek(&parts) == DER_PART(0)) der_take(&parts, DER_PART(0)); /* attributes: nothing for us */
    if (der_peek(&parts) == DER_CONTEXT(1) && version == 1) {
        struct slice again = der_octets(&parts, DER_CONTEXT(1)); /* a BIT STRING by another name */
        if (!again.len || again.ptr[0]) return false;
        again = slice_skip(again, 1);
        if (point->len && !slice_eq(*point, again)) return false;
        *point = again;
    }
    return cur_done(c) && cur_done(&parts);
}

static bool refuse_kind(struct slice oid, struct err *e) {
    const char *name = x509_oid_name(oid);
    return err_set(e, ERR_UNSUPPORTED, "the private key is of another kind (%s); want one on P-256",
                   name ? name : "unknown");
}

bool x509_key_read(struct x509_key *key, enum x509_key_form form, struct slice der, struct err *e) {
    struct cur c = cur_of(der);
    struct slice secret = {NULL, 0}, point = {NULL, 0}, on = {NULL, 0}, kind = {NULL, 0};
    bool good =
        form == X509_KEY_SEC1 ? read_sec1(&c, true, &secret, &point, &on) : read_pkcs8(&c, &secret, &point, &on, &kind);
    if (kind.len) return refuse_kind(kind, e);
    if (!good) return err_set(e, ERR_SYNTAX, "the private key is damaged, or is none");
    if (!slice_eq(on, x509_oid(X509_OID_P256))) return refuse_kind(on, e);
    if (secret.len != X509_SECRET) return err_set(e, ERR_SYNTAX, "the private key must have 32 bytes");
    if (!x509_key_set(key, secret.ptr, e)) return false;
    if (!point.len || slice_eq(point, slice_of(key->point, X509_POINT))) return true;
    x509_key_wipe(key);
    return err_set(e, ERR_INVALID, "the private key is damaged: its public part is not its own");
}

static bool take_block(struct x509_key *key, const struct pem_block *block, unsigned *n, struct err *e) {
    if (!slice_ends(block->label, LIT("PRIVATE KEY"))) return true;
    if (slice_starts(block->label, LIT("ENCRYPTED")))
        return err_set(e, ERR_UNSUPPORTED, "the private key is encrypted; it is needed without a passphrase");
    if (++*n > 1) return err_set(e, ERR_INVALID, "there is more than one private key in the text");
    if (slice_eq(block->label, LIT("PRIVATE KEY"))) return x509_key_read(key, X509_KEY_PKCS8, block->bytes, e);
    if (slice_eq(block->label, LIT("EC PRIVATE KEY"))) return x509_key_read(key, X509_KEY_SEC1, block->bytes, e);
    return err_set(e, ERR_UNSUPPORTED, "the private key is of another kind (%.*s); want one on P-256",
                   (int)(block->label.len - sizeof "PRIVATE KEY"), (const char *)block->label.ptr);
}

bool x509_key_read_pem(struct x509_key *key, struct slice text, const struct pem_limits *limits, struct err *e) {
    struct pem p;
    struct pem_block block;
    unsigned n = 0;
    pem_init(&p, limits);
    bool good = true;
    for (struct fed fed; good;) {
        fed = pem_feed(&p, text, &block, e);
        text = slice_skip(text, fed.used);
        if (fed.step == STEP_MORE) fed.step = pem_eof(&p, &block, e);
        if (fed.step == STEP_END) break;
        good = fed.step == STEP_EVENT && take_block(key, &block, &n, e);
    }
    pem_release(&p);
    if (good && n) return true;
    x509_key_wipe(key);
    return good ? err_set(e, ERR_INVALID, "there is no private key in the text (want -----BEGIN PRIVATE KEY-----)")
                : false;
}

/* --- writing --- */

bool x509_key_write_pem(struct buf *out, const struct x509_key *key, enum x509_key_form form, struct err *e) {
    uint8_t der[DER_BYTES];
    br_ec_private_key sk = lend_secret(key);
    br_ec_public_key pk = {BR_EC_secp256r1, (unsigned char *)(uintptr_t)key->point, X509_POINT};
    bool sec1 = form == X509_KEY_SEC1;
    size_t len = sec1 ? br_encode_ec_raw_der(NULL, &sk, &pk) : br_encode_ec_pkcs8_der(NULL, &sk, &pk);
    if (!len || len > sizeof der) return err_set(e, ERR_INVALID, "this private key cannot be written");
    len = sec1 ? br_encode_ec_raw_der(der, &sk, &pk) : br_encode_ec_pkcs8_der(der, &sk, &pk);
    bool good = pem_write(out, sec1 ? LIT("EC PRIVATE KEY") : LIT("PRIVATE KEY"), slice_of(der, len), e);
    explicit_bzero(der, sizeof der);
    return good;
}
