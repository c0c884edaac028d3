/* ed25519ph.c - Ed25519ph: RFC 8032's example, libsodium's own form without a context, two independent makers with one, the public
 * vectors of plain Ed25519; every way a signature or a key can be wrong. */
#include "protocols/ed25519ph_play.h"

#include "protocols/json.h"

#include <sodium/crypto_core_ed25519.h>
#include <sodium/crypto_hash_sha512.h>
#include <sodium/crypto_scalarmult_ed25519.h>
#include <sodium/crypto_sign_ed25519.h>
#include <stdio.h>

static uint8_t letters[256]; /* 0, 1, 2, ... */

/* Made with Java 17 (EdDSAParameterSpec(true, context)) and with the arithmetic of RFC 8032 in whole numbers in Python; both say the
 * same. The first is RFC 8032 7.3. */
static const struct {
    const char *seed, *point;
    size_t context_n; /* that many of `letters`, if there is no context */
    const char *context, *message, *signature;
} known[] = {
    {"833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
     "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf", 0, NULL, "abc",
     "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41"
     "31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406"},
    {SEED, POINT, 0, "s9pk", "",
     "9fce63376cd5ec29c5f9635cd6272236f76d6487613e98e39bc3f7d4f20bf396"
     "64682cef894b118242a95bde34e8e3c800c02715e10718a000efa1b94932c601"},
    {SEED, POINT, 0, "s9pk", "abc",
     "e61823a81be8d503c328b609148cbcbf1ab731ffd673abef439d15a4aea27ad7"
     "46ec9c3c2593b533fe9a76d987b607ab95e09d34de86cff9a5e32151ebdd9901"},
    {SEED, POINT, 0, "registry.start9labs.com", "abc",
     "ef777ed5044f139e8c8ca882405df740f1301ddae2c2a0647d05b73beeeed634"
     "cf768704b258237c873cd477a03e342a9f9e76eb378f565913b8c76e6c89e809"},
    {SEED, POINT, 255, NULL, "",
     "c22e03c100d1dda737a7d7488e9dd29590f79b0bc603a5ce0ce7a0cc00ba54e9"
     "33c4a3c831de36b4c73e3bb898f50f1d22c6e071c98bfadff6758c9d54efbd00"},
    {SEED, POINT, 255, NULL, "abc",
     "029f668e1a0e306c2ef7b85f8f144836da463d9972566213ba539414fd845632"
     "fe5150314ac49089470447a0df4d5f6d98221c72320aaf286d3fd77f6724b00b"},
};

TEST(signatures_are_those_of_rfc_8032_and_of_two_other_makers) {
    for (size_t i = 0; i < sizeof letters; i++) letters[i] = (uint8_t)i;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct ed25519ph_key key = key_of(known[i].seed);
        struct slice message = slice_str(known[i].message);
        struct slice context = known[i].context ? slice_str(known[i].context) : slice_of(letters, known[i].context_n);
        uint8_t signature[ED25519PH_SIGNATURE], digest[ED25519PH_DIGEST];
        check_hex(slice_of(key.point, sizeof key.point), known[i].point);
        CHECK(ed25519ph_sign(&key, context, message, signature, NULL));
        check_hex(slice_of(signature, sizeof signature), known[i].signature);
        CHECK(ed25519ph_good(key.point, context, message, signature));
        memset(signature, 0, sizeof signature);
        ed25519ph_digest(message, digest);
        CHECK(ed25519ph_sign_digest(&key, context, digest, signature, NULL));
        check_hex(slice_of(signature, sizeof signature), known[i].signature);
        CHECK(ed25519ph_good_digest(key.point, context, digest, signature));
        for (size_t k = 0; k < sizeof known / sizeof *known;
             k++) { /* each belongs to its own context and message only */
            if (k == i || strcmp(known[k].seed, known[i].seed) != 0) continue;
            struct slice other = known[k].context ? slice_str(known[k].context) : slice_of(letters, known[k].context_n);
            CHECK(!ed25519ph_good(key.point, other, slice_str(known[k].message), signature));
        }
    }
}

TEST(without_a_context_it_is_what_libsodium_makes) {
    uint8_t message[300], point[32], both[64], theirs[64], ours[64];
    crypto_hash_sha512_state seeds;
    for (size_t n = 0; n < 100; n++) {
        struct ed25519ph_key key;
        crypto_sign_ed25519ph_state state;
        uint8_t seed[64];
        crypto_hash_sha512_init(&seeds);
        crypto_hash_sha512_update(&seeds, (const unsigned char *)&n, sizeof n);
        crypto_hash_sha512_final(&seeds, seed);
        for (size_t i = 0; i < 3 * n; i++) message[i] = (uint8_t)(i * n + seed[i % 64]);
        ed25519ph_key_set(&key, seed);
        crypto_sign_ed25519_seed_keypair(point, both, seed);
        CHECK(!memcmp(key.point, point, sizeof point));
        crypto_sign_ed25519ph_init(&state);
        crypto_sign_ed25519ph_update(&state, message, 3 * n);
        crypto_sign_ed25519ph_final_create(&state, theirs, NULL, both);
        CHECK(ed25519ph_sign(&key, LIT(""), slice_of(message, 3 * n), ours, NULL));
        CHECK(!memcmp(ours, theirs, sizeof ours));
        CHECK(ed25519ph_good(point, LIT(""), slice_of(message, 3 * n), theirs));
        CHECK(!ed25519ph_good(point, slice_of("", 1), slice_of(message, 3 * n), theirs));
    }
}

TEST(no_bit_of_anything_can_be_changed) {
    struct ed25519ph_key key = key_of(SEED);
    uint8_t signature[64], message[20] = "twenty bytes of text", context[4] = "host";
    struct slice m = slice_of(message, sizeof message), c = slice_of(context, sizeof context);
    CHECK(ed25519ph_sign(&key, c, m, signature, NULL));
    struct {
        uint8_t *at;
        size_t len;
    } parts[] = {{signature, 64}, {message, 20}, {context, 4}, {key.point, 32}};
    for (size_t p = 0; p < 4; p++)
        for (size_t bit = 0; bit < 8 * parts[p].len; bit++) {
            parts[p].at[bit / 8] ^= (uint8_t)(1 << bit % 8);
            if (!CHECK(!ed25519ph_good(key.point, c, m, signature))) tap_note("part %zu bit %zu", p, bit);
            parts[p].at[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    CHECK(ed25519ph_good(key.point, c, m, signature));
    CHECK(!ed25519ph_good(key.point, slice_head(c, 3), m, signature));
    CHECK(!ed25519ph_good(key.point, c, slice_head(m, 19), signature));
    CHECK(!ed25519ph_good_plain(key.point, m, signature));
}

TEST(a_context_has_at_most_255_bytes) {
    struct ed25519ph_key key = key_of(SEED);
    uint8_t signature[64], before[64];
    struct err e = ERR_INIT;
    memset(signature, 7, sizeof signature);
    memcpy(before, signature, sizeof before);
    CHECK(!ed25519ph_sign(&key, slice_of(letters, 256), LIT("x"), signature, &e) && e.code == ERR_INVALID);
    CHECK(!memcmp(signature, before, sizeof before));
    /* Its length in one byte would be 0. */
    CHECK(ed25519ph_sign(&key, LIT(""), LIT("x"), signature, NULL));
    CHECK(!ed25519ph_good(key.point, slice_of(letters, 256), LIT("x"), signature));
}

/* --- strictness --- */

/* All points whose order divides 8, and every other way to write a point, worked out in whole numbers. */
static const char *const small_points[] = {
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
};
static const uint8_t other_ends[] = {0xed, 0xee, 0xf0, 0xf1, 0xf2, 0xf3, 0xf6, 0xf7, 0xfb, 0xfc, 0xfd, 0xff};

/* L, the lowest byte first (RFC 8032 5.1). */
#define ORDER "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010"

/* A signature by R and the key's scalar: it fits the equation whatever R is, when r is the scalar of R up to a small order. */
static void forge(const struct ed25519ph_key *key, const uint8_t point[32], const uint8_t r[32],
                  const uint8_t big_r[32], struct slice context, const uint8_t digest[64], uint8_t signature[64]) {
    uint8_t hash[64], wide[64] = {0}, k[32], s[32], mark[34];
    crypto_hash_sha512_state h;
    memcpy(mark, "SigEd25519 no Ed25519 collisions", 32);
    mark[32] = 1, mark[33] = (uint8_t)context.len;
    crypto_hash_sha512_init(&h);
    crypto_hash_sha512_update(&h, mark, sizeof mark);
    crypto_hash_sha512_update(&h, context.ptr, context.len);
    crypto_hash_sha512_update(&h, big_r, 32);
    crypto_hash_sha512_update(&h, point, 32);
    crypto_hash_sha512_update(&h, digest, 64);
    crypto_hash_sha512_final(&h, hash);
    crypto_core_ed25519_scalar_reduce(k, hash);
    crypto_hash_sha512(hash, key->seed, 32);
    memcpy(wide, hash, 32);
    wide[0] &= 248, wide[31] = (uint8_t)((wide[31] & 127) | 64);
    crypto_core_ed25519_scalar_reduce(s, wide);
    crypto_core_ed25519_scalar_mul(s, s, k);
    memcpy(signature, big_r, 32);
    crypto_core_ed25519_scalar_add(signature + 32, s, r);
}

TEST(r_of_small_order_or_with_a_part_of_it_is_refused) {
    struct ed25519ph_key key = key_of(SEED);
    uint8_t digest[64], signature[64], point[32], r[32] = {5}, big_r[32];
    const uint8_t none[32] = {0};
    ed25519ph_digest(LIT("abc"), digest);
    /* The same road with an honest R leads to a good signature. */
    crypto_scalarmult_ed25519_base_noclamp(big_r, r);
    forge(&key, key.point, r, big_r, LIT("host"), digest, signature);
    CHECK(ed25519ph_good_digest(key.point, LIT("host"), digest, signature));
    for (size_t i = 0; i < sizeof small_points / sizeof *small_points; i++) {
        unhex(small_points[i], point, sizeof point);
        forge(&key, key.point, none, point, LIT("host"), digest, signature);
        CHECK(!ed25519ph_good_digest(key.point, LIT("host"), digest, signature));
        uint8_t mixed[32];
        if (i == 2) continue; /* the neutral one changes nothing */
        CHECK(crypto_core_ed25519_add(mixed, big_r, point) == 0);
        forge(&key, key.point, r, mixed, LIT("host"), digest, signature);
        CHECK(!ed25519ph_good_digest(key.point, LIT("host"), digest, signature));
    }
    unhex(small_points[2], point, sizeof point); /* the neutral point in other words */
    point[31] = 0x80;
    forge(&key, key.point, none, point, LIT("host"), digest, signature);
    CHECK(!ed25519ph_good_digest(key.point, LIT("host"), digest, signature));
    memset(point, 0xff, sizeof point);
    point[0] = 0xee, point[31] = 0x7f;
    forge(&key, key.point, none, point, LIT("host"), digest, signature);
    CHECK(!ed25519ph_good_digest(key.point, LIT("host"), digest, signature));
}

TEST(a_signature_for_a_longer_context_is_refused_however_it_was_made) {
    struct ed25519ph_key key = key_of(SEED);
    uint8_t digest[64], signature[64], r[32] = {5}, big_r[32];
    ed25519ph_digest(LIT("abc"), digest);
    crypto_scalarmult_ed25519_base_noclamp(big_r, r);
    forge(&key, key.point, r, big_r, slice_of(letters, 255), digest, signature);
    CHECK(ed25519ph_good_digest(key.point, slice_of(letters, 255), digest, signature));
    forge(&key, key.point, r, big_r, slice_of(letters, 256), digest, signature); /* its length in one byte is 0 */
    CHECK(!ed25519ph_good_digest(key.point, slice_of(letters, 256), digest, signature));
}

static bool is_no_key(const uint8_t point[32]) {
    uint8_t digest[64], signature[64], r[32] = {9};
    ed25519ph_digest(LIT("abc"), digest);
    /* With a key of small order the equation holds for R = S B and one message in eight. */
    crypto_scalarmult_ed25519_base_noclamp(signature, r);
    memcpy(signature + 32, r, 32);
    for (unsigned i = 0; i < 64; i++) {
        digest[0] = (uint8_t)i;
        if (ed25519ph_good_digest(point, LIT("host"), digest, signature)) return false;
    }
    return !ed25519ph_point_ok(point);
}

TEST(keys_of_small_order_and_in_other_words_are_refused) {
    uint8_t point[32];
    for (size_t i = 0; i < sizeof small_points / sizeof *small_points; i++) {
        unhex(small_points[i], point, sizeof point);
        CHECK(is_no_key(point));
    }
    unhex(small_points[2], point, sizeof point);
    point[31] = 0x80;
    CHECK(is_no_key(point));
    memset(point, 0xff, sizeof point);
    point[0] = 0xec;
    CHECK(is_no_key(point));
    for (size_t i = 0; i < sizeof other_ends; i++)
        for (unsigned sign = 0; sign < 2; sign++) {
            memset(point, 0xff, sizeof point);
            point[0] = other_ends[i], point[31] = sign ? 0xff : 0x7f;
            CHECK(is_no_key(point));
        }
    memset(point, 0, sizeof point);
    point[0] = 2; /* no point has this y */
    CHECK(is_no_key(point));
    struct ed25519ph_key key = key_of(SEED);
    CHECK(ed25519ph_point_ok(key.point));
}

TEST(a_key_with_a_part_of_order_8_is_refused) {
    struct ed25519ph_key key = key_of(SEED);
    uint8_t eighth[32], mixed[32], digest[64], signature[64], r[32] = {5}, big_r[32];
    crypto_scalarmult_ed25519_base_noclamp(big_r, r);
    unhex(small_points[3], eighth, sizeof eighth);
    CHECK(crypto_core_ed25519_add(mixed, key.point, eighth) == 0);
    CHECK(!ed25519ph_point_ok(mixed));
    ed25519ph_digest(LIT("abc"), digest);
    for (unsigned i = 0; i < 32; i++) { /* one k in eight would fit */
        digest[0] = (uint8_t)i;
        forge(&key, mixed, r, big_r, LIT("host"), digest, signature);
        CHECK(!ed25519ph_good_digest(mixed, LIT("host"), digest, signature));
    }
}

TEST(s_is_below_the_order) {
    struct ed25519ph_key key = key_of(SEED);
    uint8_t signature[64], order[32];
    unhex(ORDER, order, sizeof order);
    CHECK(ed25519ph_sign(&key, LIT("host"), LIT("abc"), signature, NULL));
    for (int times = 1; times < 8; times++) { /* S + L, S + 2 L, ... are the same number */
        unsigned carry = 0;
        for (size_t i = 0; i < 32; i++) {
            carry += signature[32 + i] + order[i];
            signature[32 + i] = (uint8_t)carry;
            carry >>= 8;
        }
        CHECK(!ed25519ph_good(key.point, LIT("host"), LIT("abc"), signature));
    }
    memcpy(signature + 32, order, 32);
    CHECK(!ed25519ph_good(key.point, LIT("host"), LIT("abc"), signature));
    memset(signature + 32, 0, 32);
    CHECK(!ed25519ph_good(key.point, LIT("host"), LIT("abc"), signature));
    memset(signature + 32, 0xff, 32);
    CHECK(!ed25519ph_good(key.point, LIT("host"), LIT("abc"), signature));
}

static bool add_hex(struct buf *b, const struct val *v, const char *name) {
    buf_reset(b);
    return hex_read(b, val_as_text(val_get(v, slice_str(name))), NULL);
}

TEST(the_equation_passes_the_public_vectors_of_plain_ed25519) {
    const char *dir = getenv("STARTBOX_VECTORS");
    if (!dir) {
        tap_skip("STARTBOX_VECTORS is not set");
        return;
    }
    static const struct json_limits limits = {.bytes = 1 << 24, .depth = 64};
    char path[4096];
    snprintf(path, sizeof path, "%s/ed25519-wycheproof.json", dir);
    struct slice text = tap_file(path);
    struct val all = val_none;
    struct buf pk, message, signature;
    buf_init(&pk, 1000), buf_init(&message, 1 << 16), buf_init(&signature, 1000);
    CHECK(json_parse(text, &limits, &all, NULL));
    unsigned n = 0, good = 0, cut = 0;
    for (struct val_iter g = val_iter(val_get(&all, LIT("testGroups"))); val_next(&g);) {
        uint8_t point[32];
        CHECK(add_hex(&pk, val_get(g.value, LIT("publicKey")), "pk") && pk.len == 32);
        CHECK(ed25519ph_point_read_pem(point, val_as_text(val_get(g.value, LIT("publicKeyPem"))), NULL));
        CHECK(!memcmp(point, pk.ptr, 32) && ed25519ph_point_ok(point));
        for (struct val_iter t = val_iter(val_get(g.value, LIT("tests"))); val_next(&t); n++) {
            bool valid = val_is_text(val_get(t.value, LIT("result")), LIT("valid"));
            CHECK(add_hex(&message, t.value, "msg") && add_hex(&signature, t.value, "sig"));
            if (signature.len != 64) { /* has no place in our form */
                CHECK(!valid);
                cut++;
            } else
                CHECK(ed25519ph_good_plain(point, buf_slice(&message), signature.ptr) == valid);
            good += valid;
        }
    }
    tap_note("%u signatures, %u of them good, %u of another length", n, good, cut);
    CHECK(n >= 150 && good >= 80 && n - good - cut >= 20);
    val_unref(&all);
    buf_release(&pk), buf_release(&message), buf_release(&signature);
    tap_free(text);
}

TEST(a_wiped_key_is_zeros) {
    static const struct ed25519ph_key none;
    struct ed25519ph_key key = key_of(SEED);
    ed25519ph_key_wipe(&key);
    CHECK(!memcmp(&key, &none, sizeof key));
}

TAP_MAIN(T(signatures_are_those_of_rfc_8032_and_of_two_other_makers), T(without_a_context_it_is_what_libsodium_makes),
         T(no_bit_of_anything_can_be_changed), T(a_context_has_at_most_255_bytes),
         T(r_of_small_order_or_with_a_part_of_it_is_refused),
         T(a_signature_for_a_longer_context_is_refused_however_it_was_made),
         T(keys_of_small_order_and_in_other_words_are_refused), T(a_key_with_a_part_of_order_8_is_refused),
         T(s_is_below_the_order), T(the_equation_passes_the_public_vectors_of_plain_ed25519), T(a_wiped_key_is_zeros))
