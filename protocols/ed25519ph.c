/* ed25519ph.c - see ed25519ph.h. Names as in RFC 8032 5.1: A the public point, R and S the halves of a signature, B the base point,
 * L its order, k what binds them to the message. */
#include "protocols/ed25519ph.h"

#include "protocols/der.h"
#include "protocols/pem.h"
#include "protocols/x509_oid.h"

#include <sodium/crypto_core_ed25519.h>
#include <sodium/crypto_hash_sha512.h>
#include <sodium/crypto_scalarmult_ed25519.h>
#include <sodium/crypto_sign_ed25519.h>
#include <sodium/utils.h>

#define HALF    32  /* a point or a scalar */
#define BLOCK   512 /* bytes of one PEM block: the forms have at most 85, some writers put attributes beside a key */
#define MARK    LIT("SigEd25519 no Ed25519 collisions")
#define PREHASH 1

/* --- the key --- */

void ed25519ph_key_set(struct ed25519ph_key *key, const uint8_t seed[ED25519PH_SEED]) {
    uint8_t both[crypto_sign_ed25519_SECRETKEYBYTES];
    memmove(key->seed, seed, ED25519PH_SEED);
    crypto_sign_ed25519_seed_keypair(key->point, both, key->seed);
    explicit_bzero(both, sizeof both);
}

void ed25519ph_key_wipe(struct ed25519ph_key *key) {
    explicit_bzero(key, sizeof *key);
}

bool ed25519ph_point_ok(const uint8_t point[ED25519PH_POINT]) {
    return crypto_core_ed25519_is_valid_point(point) == 1;
}

/* --- hashes --- */

static void add(crypto_hash_sha512_state *hash, struct slice bytes) {
    if (bytes.len) crypto_hash_sha512_update(hash, bytes.ptr, bytes.len);
}

void ed25519ph_digest(struct slice message, uint8_t digest[ED25519PH_DIGEST]) {
    crypto_hash_sha512_state hash;
    crypto_hash_sha512_init(&hash);
    add(&hash, message);
    crypto_hash_sha512_final(&hash, digest);
    explicit_bzero(&hash, sizeof hash);
}

/* What hashes begin with (dom2), and what is signed. Plain Ed25519 has no dom2. */
struct subject {
    bool plain;
    struct slice context, message;
};

/* SHA-512 over dom2, the parts and the message, as a scalar. */
static void hash_to_scalar(uint8_t out[HALF], const struct subject *s, struct slice a, struct slice b) {
    crypto_hash_sha512_state hash;
    uint8_t wide[crypto_hash_sha512_BYTES];
    const uint8_t how[2] = {PREHASH, (uint8_t)s->context.len};
    crypto_hash_sha512_init(&hash);
    if (!s->plain) {
        add(&hash, MARK);
        add(&hash, slice_of(how, sizeof how));
        add(&hash, s->context);
    }
    add(&hash, a);
    add(&hash, b);
    add(&hash, s->message);
    crypto_hash_sha512_final(&hash, wide);
    crypto_core_ed25519_scalar_reduce(out, wide);
    explicit_bzero(&hash, sizeof hash);
    explicit_bzero(wide, sizeof wide);
}

/* --- signing --- */

/* The secret scalar below L, and what makes r unguessable. */
static void open_seed(const struct ed25519ph_key *key, uint8_t scalar[HALF], uint8_t prefix[HALF]) {
    uint8_t hash[crypto_hash_sha512_BYTES], wide[crypto_core_ed25519_NONREDUCEDSCALARBYTES] = {0};
    crypto_hash_sha512(hash, key->seed, sizeof key->seed);
    memcpy(prefix, hash + HALF, HALF);
    memcpy(wide, hash, HALF);
    wide[0] &= 248;
    wide[31] &= 127;
    wide[31] |= 64;
    crypto_core_ed25519_scalar_reduce(scalar, wide);
    explicit_bzero(hash, sizeof hash);
    explicit_bzero(wide, sizeof wide);
}

bool ed25519ph_sign_digest(const struct ed25519ph_key *key, struct slice context,
                           const uint8_t digest[ED25519PH_DIGEST], uint8_t signature[ED25519PH_SIGNATURE],
                           struct err *e) {
    const struct subject s = {.context = context, .message = slice_of(digest, ED25519PH_DIGEST)};
    uint8_t scalar[HALF], prefix[HALF], r[HALF], k[HALF], both[ED25519PH_SIGNATURE];
    if (context.len > ED25519PH_CONTEXT)
        return err_set(e, ERR_INVALID, "the context of a signature has at most %d bytes", ED25519PH_CONTEXT);
    open_seed(key, scalar, prefix);
    hash_to_scalar(r, &s, slice_of(prefix, sizeof prefix), slice_of(NULL, 0));
    /* It fails for r = 0 only, which no one will see. */
    bool good = crypto_scalarmult_ed25519_base_noclamp(both, r) == 0;
    hash_to_scalar(k, &s, slice_of(both, HALF), slice_of(key->point, sizeof key->point));
    crypto_core_ed25519_scalar_mul(k, k, scalar);
    crypto_core_ed25519_scalar_add(both + HALF, k, r);
    if (good) memcpy(signature, both, sizeof both);
    explicit_bzero(scalar, sizeof scalar);
    explicit_bzero(prefix, sizeof prefix);
    explicit_bzero(r, sizeof r);
    explicit_bzero(k, sizeof k);
    return good || err_set(e, ERR_INVALID, "this key cannot sign this message");
}

bool ed25519ph_sign(const struct ed25519ph_key *key, struct slice context, struct slice message,
                    uint8_t signature[ED25519PH_SIGNATURE], struct err *e) {
    uint8_t digest[ED25519PH_DIGEST];
    ed25519ph_digest(message, digest);
    return ed25519ph_sign_digest(key, context, digest, signature, e);
}

/* --- checking --- */

static bool is_below_order(const uint8_t scalar[HALF]) {
    uint8_t wide[crypto_core_ed25519_NONREDUCEDSCALARBYTES] = {0}, reduced[HALF];
    memcpy(wide, scalar, HALF);
    crypto_core_ed25519_scalar_reduce(reduced, wide);
    return memcmp(reduced, scalar, HALF) == 0;
}

/* Whether it is one of the eight points whose order divides 8: they have these five y. Only for an encoding that is canonical. */
static bool is_small(const uint8_t point[HALF]) {
    static const uint8_t small_y[][HALF] = {
        {0},
        {1},
        {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
         0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
        {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
         0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
        {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
         0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    };
    uint8_t y[HALF];
    memcpy(y, point, HALF);
    y[HALF - 1] &= 0x7f; /* without the sign of x */
    for (size_t i = 0; i < sizeof small_y / sizeof *small_y; i++)
        if (memcmp(y, small_y[i], HALF) == 0) return true;
    return false;
}

/* R = S B - k A, without a cofactor. libsodium's multiplication refuses an A that is not canonical, of small order, or not in the
 * group of B (but for the point of order 2 added to it, which 1.0.18 to 1.0.20 let pass; then S decides as for any other key). */
static bool is_signed(const uint8_t point[ED25519PH_POINT], const struct subject *s,
                      const uint8_t signature[ED25519PH_SIGNATURE]) {
    uint8_t k[HALF], sb[HALF], ka[HALF], r[HALF];
    if (s->context.len > ED25519PH_CONTEXT || !is_below_order(signature + HALF)) return false;
    hash_to_scalar(k, s, slice_of(signature, HALF), slice_of(point, ED25519PH_POINT));
    return crypto_scalarmult_ed25519_base_noclamp(sb, signature + HALF) == 0 &&
           crypto_scalarmult_ed25519_noclamp(ka, k, point) == 0 && crypto_core_ed25519_sub(r, sb, ka) == 0 &&
           memcmp(r, signature, HALF) == 0 && !is_small(r);
}

bool ed25519ph_good_digest(const uint8_t point[ED25519PH_POINT], struct slice context,
                           const uint8_t digest[ED25519PH_DIGEST], const uint8_t signature[ED25519PH_SIGNATURE]) {
    const struct subject s = {.context = context, .message = slice_of(digest, ED25519PH_DIGEST)};
    return is_signed(point, &s, signature);
}

bool ed25519ph_good(const uint8_t point[ED25519PH_POINT], struct slice context, struct slice message,
                    const uint8_t signature[ED25519PH_SIGNATURE]) {
    uint8_t digest[ED25519PH_DIGEST];
    ed25519ph_digest(message, digest);
    return ed25519ph_good_digest(point, context, digest, signature);
}

#ifdef STARTBOX_TEST
bool ed25519ph_good_plain(const uint8_t point[ED25519PH_POINT], struct slice message,
                          const uint8_t signature[ED25519PH_SIGNATURE]) {
    const struct subject s = {.plain = true, .message = message};
    return is_signed(point, &s, signature);
}
#endif

/* --- the three forms as DER --- */

/* Each has one length, so it is written as a head and the bytes. */
static const uint8_t key_head[] = {0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20};
static const uint8_t pair_head[] = {0x30, 0x51, 2, 1, 1, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20};
static const uint8_t pair_point[] = {0x81, 0x21, 0};
static const uint8_t point_head[] = {0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0};
static const uint8_t signature_head[] = {0x30, 0x49, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x40};

/* What a form says. kind: of another algorithm, when it is that. */
struct parts {
    struct slice bytes, point, kind;
};

/* AlgorithmIdentifier; parameters must not be there (RFC 8410 3). */
static bool take_algorithm(struct cur *c, struct parts *p) {
    struct cur algorithm = der_take(c, DER_SEQUENCE);
    struct slice oid = der_oid(&algorithm);
    if (!algorithm.bad && !slice_eq(oid, x509_oid(X509_OID_ED25519))) p->kind = oid;
    return cur_done(&algorithm) && !p->kind.len;
}

/* OneAsymmetricKey (RFC 5958): the seed, and the public part or nothing. */
static bool read_key(struct cur *in, struct parts *p) {
    uint64_t version = der_small(in, 1);
    if (!take_algorithm(in, p)) return false;
    struct cur key = cur_of(der_octets(in, DER_OCTETS));
    p->bytes = der_octets(&key, DER_OCTETS);
    if (der_peek(in) == DER_PART(0)) der_take(in, DER_PART(0)); /* attributes: nothing for us */
    if (der_peek(in) == DER_CONTEXT(1) && version == 1) {
        struct slice bits = der_octets(in, DER_CONTEXT(1)); /* a BIT STRING by another name */
        if (bits.len != 1 + ED25519PH_POINT || bits.ptr[0]) return false;
        p->point = slice_skip(bits, 1);
    }
    return cur_done(&key) && p->bytes.len == ED25519PH_SEED;
}

static bool read_point(struct cur *in, struct parts *p) {
    if (!take_algorithm(in, p)) return false;
    p->bytes = der_bits(in);
    return p->bytes.len == ED25519PH_POINT;
}

static bool read_signature(struct cur *in, struct parts *p) {
    if (!take_algorithm(in, p)) return false;
    p->bytes = der_octets(in, DER_OCTETS);
    return p->bytes.len == ED25519PH_SIGNATURE;
}

/* --- and as PEM --- */

static const struct form {
    const char *label, *what;
    bool (*read)(struct cur *in, struct parts *p);
} forms[] = {
    {"PRIVATE KEY", "private key", read_key},
    {"PUBLIC KEY", "public key", read_point},
    {"SIGNATURE", "signature", read_signature},
};
enum { KEY, POINT, SIGNATURE };

/* The one block of the text, as a copy. */
static bool take_block(const struct form *form, struct slice text, uint8_t der[BLOCK], size_t *len, struct err *e) {
    const struct pem_limits limits = {.bytes = BLOCK, .blocks = 1};
    struct pem p;
    struct pem_block block;
    bool good = true;
    *len = 0;
    pem_init(&p, &limits);
    while (good) {
        struct fed fed = pem_feed(&p, text, &block, e);
        text = slice_skip(text, fed.used);
        if (fed.step == STEP_MORE) fed.step = pem_eof(&p, &block, e);
        if (fed.step == STEP_END) break;
        good = fed.step == STEP_EVENT;
        if (!good || !slice_eq(block.label, slice_str(form->label))) continue;
        *len = block.bytes.len;
        memcpy(der, block.bytes.ptr, *len);
    }
    pem_release(&p);
    return good && (*len || err_set(e, ERR_SYNTAX, "there is no %s in the text (want -----BEGIN %s-----)", form->what,
                                    form->label));
}

/* The slices of *p point into der. */
static bool read_text(const struct form *form, struct slice text, uint8_t der[BLOCK], struct parts *p, struct err *e) {
    size_t len;
    *p = (struct parts){0};
    if (!take_block(form, text, der, &len, e)) return false;
    struct cur c = cur_of(slice_of(der, len)), in = der_take(&c, DER_SEQUENCE);
    if (form->read(&in, p) && cur_done(&in) && cur_done(&c)) return true;
    if (!p->kind.len) return err_set(e, ERR_SYNTAX, "the %s is damaged, or is none on Ed25519", form->what);
    const char *name = x509_oid_name(p->kind);
    return err_set(e, ERR_UNSUPPORTED, "the %s is of another kind (%s); want Ed25519", form->what,
                   name ? name : "unknown");
}

bool ed25519ph_key_read_pem(struct ed25519ph_key *key, struct slice text, struct err *e) {
    uint8_t der[BLOCK];
    struct parts p;
    bool good = read_text(&forms[KEY], text, der, &p, e);
    if (good) {
        ed25519ph_key_set(key, p.bytes.ptr);
        good = !p.point.len || slice_eq(p.point, slice_of(key->point, ED25519PH_POINT)) ||
               err_set(e, ERR_INVALID, "the private key is damaged: its public part is not its own");
    }
    if (!good) ed25519ph_key_wipe(key);
    explicit_bzero(der, sizeof der);
    return good;
}

bool ed25519ph_point_read_pem(uint8_t point[ED25519PH_POINT], struct slice text, struct err *e) {
    uint8_t der[BLOCK];
    struct parts p;
    if (!read_text(&forms[POINT], text, der, &p, e)) return false;
    if (!ed25519ph_point_ok(p.bytes.ptr))
        return err_set(e, ERR_INVALID, "the public key is no point that a key may be");
    memcpy(point, p.bytes.ptr, ED25519PH_POINT);
    return true;
}

bool ed25519ph_signature_read_pem(uint8_t signature[ED25519PH_SIGNATURE], struct slice text, struct err *e) {
    uint8_t der[BLOCK];
    struct parts p;
    if (!read_text(&forms[SIGNATURE], text, der, &p, e)) return false;
    memcpy(signature, p.bytes.ptr, ED25519PH_SIGNATURE);
    return true;
}

bool ed25519ph_key_write_pem(struct buf *out, const struct ed25519ph_key *key, bool with_public, struct err *e) {
    uint8_t der[sizeof pair_head + ED25519PH_SEED + sizeof pair_point + ED25519PH_POINT], *at = der + sizeof key_head;
    _Static_assert(sizeof key_head == sizeof pair_head, "they differ in two bytes");
    memcpy(der, with_public ? pair_head : key_head, sizeof key_head);
    memcpy(at, key->seed, ED25519PH_SEED);
    memcpy(at += ED25519PH_SEED, pair_point, sizeof pair_point);
    memcpy(at + sizeof pair_point, key->point, ED25519PH_POINT);
    size_t len = with_public ? sizeof der : sizeof key_head + ED25519PH_SEED;
    bool good = pem_write(out, slice_str(forms[KEY].label), slice_of(der, len), e);
    explicit_bzero(der, sizeof der);
    return good;
}

bool ed25519ph_point_write_pem(struct buf *out, const uint8_t point[ED25519PH_POINT], struct err *e) {
    uint8_t der[sizeof point_head + ED25519PH_POINT];
    memcpy(der, point_head, sizeof point_head);
    memcpy(der + sizeof point_head, point, ED25519PH_POINT);
    return pem_write(out, slice_str(forms[POINT].label), slice_of(der, sizeof der), e);
}

bool ed25519ph_signature_write_pem(struct buf *out, const uint8_t signature[ED25519PH_SIGNATURE], struct err *e) {
    uint8_t der[sizeof signature_head + ED25519PH_SIGNATURE];
    memcpy(der, signature_head, sizeof signature_head);
    memcpy(der + sizeof signature_head, signature, ED25519PH_SIGNATURE);
    return pem_write(out, slice_str(forms[SIGNATURE].label), slice_of(der, sizeof der), e);
}
