/* jose.c - JWK, JWE and JWS against the RFCs' own examples and against values made with other tools.
 *
 * The values under "our own" were computed with Python 3 (hashlib, hmac) and pyca/cryptography on OpenSSL 3; their keys
 * are SHA-256 of "startbox recipient" and "startbox ephemeral", the IV is the first half of SHA-256 of "startbox iv".
 * Both directions were tried against jwcrypto 1.1 with random keys. */
#include "base/hex.h"
#include "lib/faults.h"
#include "lib/tap.h"
#include "protocols/json.h"
#include "protocols/jwe.h"
#include "protocols/jws.h"

static const struct jose_limits limits = {.header = 2000, .body = 5000};

static struct val parse(const char *text) {
    static const struct json_limits json = {.bytes = 100000, .depth = 20};
    struct val v = val_none;
    struct err e = ERR_INIT;
    if (!CHECK(json_parse(slice_str(text), &json, &v, &e))) tap_note("%s at %zu: %s", e.text, e.at, text);
    return v;
}

static void unhex(const char *text, uint8_t *out, size_t len) {
    struct buf b;
    buf_init(&b, 10000);
    if (CHECK(hex_read(&b, slice_str(text), NULL)) && CHECK_INT(b.len, len)) memcpy(out, b.ptr, len);
    buf_release(&b);
}

static void unbase64(const char *text, uint8_t *out, size_t len) {
    struct val v = VAL_MAP_OF({"x", val_of_str(text)});
    CHECK(jose_fixed(&v, "x", out, len, NULL));
    val_unref(&v);
}

static bool text_is(const struct val *v, const char *name, const char *want) {
    return CHECK_TEXT(val_as_text(val_get(v, slice_str(name))), slice_str(want));
}

/* --- our own --- */

static const char SECRET[] = "4222fcb8bd1ad181bf8f7d8ffba9af78af789741c0d98de05ae391d0d582a3b2";
static const char KEY[] = "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"sQB_ZayMNoURm1_kcolwaGA86BBxpO4_cWfka2MFBhE\","
                          "\"y\":\"GWGzMbstFIcnC1UhBLx0hWfjRxTQ7F171zFZH4Ly6r0\"}";
static const char EPHEMERAL[] = "be620f124a422ac69cf686b6e3db86efdb442ccd8ecdb68b7fbc188a7d88dbc2";
static const char IV[] = "5d40436f4ceff42ddf851d593030bea0";
static const char PLAIN[] = "correct horse, Z\xc3\xbcrich";

#define EPK                                                                                                            \
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"0jAE1nN8f80JGpiSCrZqThuSpL7fvQMZTG6TvSAVp4M\","                         \
    "\"y\":\"639xEfM6naLRpxhmv33qDcmc1EVrXhAkhSJoFgLh0vg\"}"
/* {"alg":"ECDH-ES","enc":"A128CBC-HS256","epk":EPK} */
#define HEAD                                                                                                           \
    "eyJhbGciOiJFQ0RILUVTIiwiZW5jIjoiQTEyOENCQy1IUzI1NiIsImVwayI6eyJrdHkiOiJFQyIsImNydiI6IlAtMjU2IiwieCI6IjBqQUUx"     \
    "bk44ZjgwSkdwaVNDclpxVGh1U3BMN2Z2UU1aVEc2VHZTQVZwNE0iLCJ5IjoiNjM5eEVmTTZuYUxScHhobXYzM3FEY21jMUVWclhoQWtoU0pv"     \
    "RmdMaDB2ZyJ9fQ"
#define FORM(ciphertext, tag, more)                                                                                    \
    "{\"protected\":\"" HEAD "\",\"iv\":\"XUBDb0zv9C3fhR1ZMDC-oA\",\"ciphertext\":\"" ciphertext "\",\"tag\":\"" tag   \
    "\"" more "}"
#define GOOD_TEXT "oo5xssE7dLzvuuvXZ5XOuzmKdjZ_TwyMPPDSSm3juIg"
#define GOOD_TAG  "xrrYjyjTfoqgoyoCY3iStg"

static bool open_with(const char *secret, const char *form, struct buf *plain, struct err *e) {
    uint8_t key[JWK_PRIVATE_LEN];
    unhex(secret, key, sizeof key);
    struct val v = parse(form);
    bool good = jwe_open(&v, key, &limits, plain, e);
    val_unref(&v);
    return good;
}

static void check_opens(const char *form, const char *want) {
    struct buf plain;
    buf_init(&plain, 1000);
    buf_byte(&plain, '>');
    struct err e = ERR_INIT;
    if (!CHECK(open_with(SECRET, form, &plain, &e))) tap_note("%s", e.text);
    CHECK_TEXT(slice_skip(buf_slice(&plain), 1), slice_str(want));
    buf_release(&plain);
}

static void check_closed(const char *form, enum err_code code, const char *why) {
    struct buf plain;
    buf_init(&plain, 1000);
    struct err e = ERR_INIT;
    CHECK(!open_with(SECRET, form, &plain, &e));
    CHECK_INT(plain.len, 0);
    CHECK_TEXT(slice_str(e.text), slice_str(why));
    CHECK_INT(e.code, code);
    buf_release(&plain);
}

static const char CLOSED[] =
    "the encrypted text does not open: it was encrypted for another key, or changed on the way";

/* --- JWK --- */

TEST(a_public_key_is_computed_written_and_read_back) {
    uint8_t secret[JWK_PRIVATE_LEN], point[JWK_PUBLIC_LEN], again[JWK_PUBLIC_LEN];
    unhex(SECRET, secret, sizeof secret);
    CHECK(jwk_public(secret, point, NULL));
    struct val v = jwk_write(point);
    struct buf b;
    buf_init(&b, 1000);
    CHECK(json_write(&b, &v, JSON_COMPACT, NULL));
    CHECK_TEXT(buf_slice(&b), slice_str(KEY));
    CHECK(val_set_str(&v, "kid", val_of_str("any")) && val_set_str(&v, "use", val_of_str("enc")));
    CHECK(jwk_read(&v, again, NULL) && !memcmp(point, again, sizeof point));
    buf_release(&b);
    val_unref(&v);
}

TEST(a_thumbprint_is_that_of_python_hashlib) {
    uint8_t point[JWK_PUBLIC_LEN], sum[JWK_THUMBPRINT_LEN], want[JWK_THUMBPRINT_LEN];
    struct val v = parse(KEY);
    CHECK(jwk_read(&v, point, NULL));
    jwk_thumbprint(point, sum);
    unhex("2cff88a9d5c8d8b9f80ddfe2a4f150338c4b6cd24159974ca67adf22a065b840", want, sizeof want);
    CHECK(!memcmp(sum, want, sizeof sum));
    val_unref(&v);
}

#define X       "\"x\":\"sQB_ZayMNoURm1_kcolwaGA86BBxpO4_cWfka2MFBhE\""
#define Y       "\"y\":\"GWGzMbstFIcnC1UhBLx0hWfjRxTQ7F171zFZH4Ly6r0\""
#define EC_P256 "{\"kty\":\"EC\",\"crv\":\"P-256\","
#define OFF     "want a key whose x and y are a point on the curve P-256"
static const struct {
    const char *key, *why;
} bad_keys[] = {
    {"[]", "want a key as a map (JWK)"},
    {"{}", "want \"kty\" to be EC"},
    {"{\"kty\":\"RSA\"}", "want \"kty\" to be EC"},
    {"{\"kty\":\"EC\",\"crv\":\"P-384\"," X "," Y "}", "want \"crv\" to be P-256"},
    {EC_P256 X "}", "want \"y\" to be a text, found nothing"},
    {EC_P256 "\"x\":1," Y "}", "want \"x\" to be a text, found an integer"},
    {EC_P256 "\"x\":\"sQB\"," Y "}", "want \"x\" to be 32 bytes in base64url, found 2"},
    /* Padding, the other alphabet, bits left over behind the last byte. */
    {EC_P256 "\"x\":\"sQB_ZayMNoURm1_kcolwaGA86BBxpO4_cWfka2MFBhE=\"," Y "}",
     "want \"x\" to be 32 bytes in base64url, found 33"},
    {EC_P256 "\"x\":\"sQB/ZayMNoURm1/kcolwaGA86BBxpO4/cWfka2MFBhE\"," Y "}", "want \"x\" in base64url without padding"},
    {EC_P256 "\"x\":\"sQB_ZayMNoURm1_kcolwaGA86BBxpO4_cWfka2MFBhF\"," Y "}", "want \"x\" in base64url without padding"},
    /* x and y the other way round; one bit; all zero (what stands for infinity elsewhere). */
    {EC_P256 "\"x\":\"GWGzMbstFIcnC1UhBLx0hWfjRxTQ7F171zFZH4Ly6r0\","
             "\"y\":\"sQB_ZayMNoURm1_kcolwaGA86BBxpO4_cWfka2MFBhE\"}",
     OFF},
    {EC_P256 X ",\"y\":\"GWGzMbstFIcnC1UhBLx0hWfjRxTQ7F171zFZH4Ly6rw\"}", OFF},
    {EC_P256 "\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\","
             "\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
     OFF},
    /* x = p, for 0: the point is on the curve, this way to write it is not allowed (see the next test). */
    {EC_P256 "\"x\":\"_____wAAAAEAAAAAAAAAAAAAAAD_______________8\","
             "\"y\":\"ZkhceA4vg9ckM71dhKBrtlQcKvMdrocXKL-FahdPk_Q\"}",
     OFF},
    {EC_P256 "\"x\":\"__________________________________________8\","
             "\"y\":\"__________________________________________8\"}",
     OFF},
    {EC_P256 X "," Y ",\"d\":\"QiL8uL0a0YG_j32P-6mveK94l0HA2Y3gWuOR0NWCo7I\"}",
     "want a public key, found a private one; it is no secret any more"},
};

TEST(a_key_that_is_none_or_is_off_the_curve_is_refused) {
    for (size_t i = 0; i < sizeof bad_keys / sizeof bad_keys[0]; i++) {
        uint8_t point[JWK_PUBLIC_LEN];
        struct err e = ERR_INIT;
        struct val v = parse(bad_keys[i].key);
        CHECK(!jwk_read(&v, point, &e));
        CHECK_TEXT(slice_str(e.text), slice_str(bad_keys[i].why));
        val_unref(&v);
    }
    uint8_t point[JWK_PUBLIC_LEN];
    struct val zero = parse(EC_P256 "\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\","
                                    "\"y\":\"ZkhceA4vg9ckM71dhKBrtlQcKvMdrocXKL-FahdPk_Q\"}");
    CHECK(jwk_read(&zero, point, NULL));
    val_unref(&zero);
}

TEST(the_multiplication_itself_refuses_points_off_the_curve) {
    uint8_t secret[JWK_PRIVATE_LEN], point[JWK_PUBLIC_LEN], key[32];
    struct slice none = {NULL, 0};
    unhex(SECRET, secret, sizeof secret);
    CHECK(jwk_public(secret, point, NULL));
    CHECK(jwe_agree(secret, point, LIT("x"), none, none, key, 32, NULL));
    for (size_t bit = 0; bit < sizeof point * 8; bit++) {
        struct err e = ERR_INIT;
        point[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (!CHECK(!jwe_agree(secret, point, LIT("x"), none, none, key, 32, &e))) tap_note("bit %zu", bit);
        point[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

TEST(a_private_key_is_in_its_range) {
    uint8_t key[JWK_PRIVATE_LEN] = {0}, point[JWK_PUBLIC_LEN];
    struct err e = ERR_INIT;
    CHECK(!jwk_private_ok(key) && !jwk_public(key, point, &e));
    CHECK_TEXT(slice_str(e.text), LIT("want a private key in the range of P-256"));
    key[31] = 1;
    CHECK(jwk_private_ok(key));
    unhex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550", key, sizeof key); /* order less one */
    CHECK(jwk_private_ok(key));
    key[31]++;
    CHECK(!jwk_private_ok(key));
    memset(key, 0xff, sizeof key);
    CHECK(!jwk_private_ok(key));
}

TEST(a_private_key_has_its_own_point) {
    uint8_t secret[JWK_PRIVATE_LEN], want[JWK_PRIVATE_LEN], point[JWK_PUBLIC_LEN];
    struct err e = ERR_INIT;
    unhex(SECRET, want, sizeof want);
    struct val v = parse(EC_P256 X "," Y ",\"d\":\"QiL8uL0a0YG_j32P-6mveK94l0HA2Y3gWuOR0NWCo7I\"}");
    CHECK(jwk_read_private(&v, secret, point, &e) && !memcmp(secret, want, sizeof want));
    CHECK(val_set_str(&v, "d", val_of_str("QiL8uL0a0YG_j32P-6mveK94l0HA2Y3gWuOR0NWCo7M")));
    CHECK(!jwk_read_private(&v, secret, point, &e));
    CHECK_TEXT(slice_str(e.text), LIT("want a private key whose x and y are its own"));
    val_unref(&v);
}

/* --- JWE --- */

TEST(rfc_7518_appendix_c_a_key_is_agreed_on_by_both) {
    uint8_t alice[32], bob[32], alice_point[65], bob_point[65], key[16], want[16];
    unbase64("0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo", alice, 32);
    unbase64("VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw", bob, 32);
    unbase64("VqqN6vgjbSBcIijNcacQGg", want, 16);
    CHECK(jwk_public(alice, alice_point, NULL) && jwk_public(bob, bob_point, NULL));
    CHECK(jwe_agree(alice, bob_point, LIT("A128GCM"), LIT("Alice"), LIT("Bob"), key, 16, NULL));
    CHECK(!memcmp(key, want, 16));
    memset(key, 0, sizeof key);
    CHECK(jwe_agree(bob, alice_point, LIT("A128GCM"), LIT("Alice"), LIT("Bob"), key, 16, NULL));
    CHECK(!memcmp(key, want, 16));
}

static void check_content(const uint8_t key[32], const uint8_t iv[16], struct slice aad, struct slice plain,
                          struct slice ciphertext, const uint8_t tag[16]) {
    struct buf b;
    uint8_t is[JWE_TAG_LEN];
    buf_init(&b, 1000);
    CHECK(jwe_cbc_seal(key, iv, aad, plain, &b, is, NULL));
    CHECK(slice_eq(buf_slice(&b), ciphertext));
    CHECK(!memcmp(is, tag, sizeof is));
    buf_reset(&b);
    CHECK(jwe_cbc_open(key, iv, aad, ciphertext, tag, &b, NULL));
    CHECK_TEXT(buf_slice(&b), plain);
    buf_release(&b);
}

TEST(rfc_7518_appendix_b_1_a128cbc_hs256) {
    uint8_t key[32], iv[16], ciphertext[144], tag[16];
    for (uint8_t i = 0; i < 32; i++) key[i] = i;
    unhex("1af38c2dc2b96ffdd86694092341bc04", iv, 16);
    unhex("c80edfa32ddf39d5ef00c0b468834279a2e46a1b8049f792f76bfe54b903a9c9a94ac9b47ad2655c5f10f9aef71427e2fc6f9b3f399a"
          "221489f16362c703233609d45ac69864e3321cf82935ac4096c86e133314c54019e8ca7980dfa4b9cf1b384c486f3a54c51078158ee5"
          "d79de59fbd34d848b3d69550a67646344427ade54b8851ffb598f7f80074b9473c82e2db",
          ciphertext, 144);
    unhex("652c3fa36b0a7c5b3219fab3a30bc1c4", tag, 16);
    check_content(
        key, iv, LIT("The second principle of Auguste Kerckhoffs"),
        LIT("A cipher system must not be required to be secret, and it must be able to fall into the hands of the "
            "enemy without inconvenience"),
        slice_of(ciphertext, 144), tag);
}

TEST(rfc_7516_a_3_the_content_of_its_example) {
    static const uint8_t key[32] = {4,   211, 31,  197, 84,  157, 252, 254, 11,  100, 157, 250, 63,  170, 106, 206,
                                    107, 124, 212, 45,  111, 107, 9,   219, 200, 177, 0,   240, 143, 156, 44,  207};
    uint8_t iv[16], ciphertext[32], tag[16];
    unbase64("AxY8DCtDaGlsbGljb3RoZQ", iv, 16);
    unbase64("KDlTtXchhZTGufMYmOYGS4HffxPSUrfmqCHXaI9wOGY", ciphertext, 32);
    unbase64("U0m_YmjN04DJvceFICbCVQ", tag, 16);
    check_content(key, iv, LIT("eyJhbGciOiJBMTI4S1ciLCJlbmMiOiJBMTI4Q0JDLUhTMjU2In0"), LIT("Live long and prosper."),
                  slice_of(ciphertext, 32), tag);
}

TEST(an_encrypted_password_opens) {
    check_opens(FORM(GOOD_TEXT, GOOD_TAG, ""), PLAIN);
    /* What StartOS' command line writes: a key that is there and empty. Unknown members are passed over. */
    check_opens(FORM(GOOD_TEXT, GOOD_TAG, ",\"encrypted_key\":\"\",\"other\":[1]"), PLAIN);
    check_opens(FORM(GOOD_TEXT, GOOD_TAG, ",\"header\":{\"kid\":\"1\"},\"unprotected\":{\"jku\":\"2\"}"), PLAIN);
    check_opens(FORM("yZ0-Tbmytm51uNE7QvNDDA", "5Lv7sJrqKadVrd5W42lcjw", ""),
                ""); /* nothing, a whole block of padding */
}

/* {"alg":"ECDH-ES","enc":"A128CBC-HS256","kid":"k","apu":"QWxpY2U","apv":"Qm9i"} */
#define PARTIES                                                                                                        \
    "\"protected\":"                                                                                                   \
    "\"eyJhbGciOiJFQ0RILUVTIiwiZW5jIjoiQTEyOENCQy1IUzI1NiIsImtpZCI6ImsiLCJhcHUiOiJRV3hwWTJVIiwiYXB2IjoiUW"             \
    "05aSJ9\",\"iv\":\"XUBDb0zv9C3fhR1ZMDC-oA\",\"ciphertext\":\"lcREO4yTLxTAyxhGWzjCdEREbmMjtCnIMRwbYSt8MiI\","       \
    "\"tag\":\"UVenPjxyplaaqLHlDiRXgQ\",\"header\":{\"epk\":" EPK "}"

TEST(parties_and_further_data_count) {
    check_opens("{" PARTIES ",\"aad\":\"Ym94IDc\"}", "exactly 16 bytes");
    check_closed("{" PARTIES "}", ERR_INVALID, CLOSED);
    check_closed("{" PARTIES ",\"aad\":\"Ym94IDg\"}", ERR_INVALID, CLOSED);
    check_closed("{" PARTIES ",\"aad\":\"Ym94ID\"}", ERR_SYNTAX, "want \"aad\" in base64url without padding");
    check_closed("{" PARTIES ",\"aad\":7}", ERR_SYNTAX, "want \"aad\" to be a text, found an integer");
}

TEST(a_wrong_tag_and_a_wrong_padding_cannot_be_told_apart) {
    /* Tags that fit, over paddings of 0, 17, one byte wrong in four, 255; and over no block at all. */
    check_closed(FORM("UTG5oZVKPGnYTSWXhalFjw", "3BiAjd5H08YaU5G6xxgctw", ""), ERR_INVALID, CLOSED);
    check_closed(FORM("id_cCKa2qJXDHvI7UqGdDw", "o_sXu7uAuLMduGMys19gTQ", ""), ERR_INVALID, CLOSED);
    check_closed(FORM("OmA3mhRZU-kaYeeiUJ_YAA", "rDx6SUJ5p6Pdg7yWSe6ZAg", ""), ERR_INVALID, CLOSED);
    check_closed(FORM("gcKlHY_SZ8v56l6DbfntEQ", "9eZMghRofplE79Dg8lcgFA", ""), ERR_INVALID, CLOSED);
    check_closed(FORM("", "82ne9S0ftepFJBqZuHR59g", ""), ERR_INVALID, CLOSED);
    /* A tag of something else, a ciphertext changed, not whole blocks. */
    check_closed(FORM(GOOD_TEXT, "yrrYjyjTfoqgoyoCY3iStg", ""), ERR_INVALID, CLOSED);
    check_closed(FORM("po5xssE7dLzvuuvXZ5XOuzmKdjZ_TwyMPPDSSm3juIg", GOOD_TAG, ""), ERR_INVALID, CLOSED);
    check_closed(FORM("oo5xssE7dLzvuuvXZ5XOuzmKdjZ_TwyMPPDSSm3j", GOOD_TAG, ""), ERR_INVALID, CLOSED);
    /* Another private key. */
    struct buf plain;
    struct err e = ERR_INIT;
    buf_init(&plain, 1000);
    CHECK(!open_with(EPHEMERAL, FORM(GOOD_TEXT, GOOD_TAG, ""), &plain, &e));
    CHECK_TEXT(slice_str(e.text), slice_str(CLOSED));
    CHECK_INT(plain.cap, 0); /* nothing was decrypted */
    buf_release(&plain);
}

TEST(every_bit_of_a_sealed_text_counts) {
    uint8_t key[32], iv[16], tag[16];
    struct buf b, plain;
    buf_init(&b, 100);
    buf_init(&plain, 100);
    unhex(SECRET, key, 32);
    unhex(IV, iv, 16);
    CHECK(jwe_cbc_seal(key, iv, LIT("aad"), LIT("0123456789abcdef"), &b, tag, NULL));
    struct slice bytes = buf_slice(&b);
    for (size_t i = 0; i < 256 + 128 + 128; i++) {
        uint8_t *at = i < 256 ? b.ptr + i / 8 : i < 384 ? tag + (i - 256) / 8 : iv + (i - 384) / 8;
        *at ^= (uint8_t)(1 << i % 8);
        if (!CHECK(!jwe_cbc_open(key, iv, LIT("aad"), bytes, tag, &plain, NULL))) tap_note("bit %zu", i);
        *at ^= (uint8_t)(1 << i % 8);
    }
    /* The border between the further data and the IV is not to be moved. */
    CHECK(!jwe_cbc_open(key, iv, LIT("aa"), bytes, tag, &plain, NULL));
    CHECK(jwe_cbc_open(key, iv, LIT("aad"), bytes, tag, &plain, NULL));
    buf_release(&b);
    buf_release(&plain);
}

/* A form with this protected header, for refusals that come before any key. */
static void check_header(const char *header, const char *more, enum err_code code, const char *why) {
    struct val text = jose_base64(slice_str(header));
    struct buf form;
    buf_init(&form, 10000);
    buf_printf(&form, "{\"protected\":\"%.*s\",\"iv\":\"XUBDb0zv9C3fhR1ZMDC-oA\",\"ciphertext\":\"\",\"tag\":\"%s\"%s}",
               (int)val_as_text(&text).len, (const char *)val_as_text(&text).ptr, GOOD_TAG, more);
    buf_byte(&form, 0);
    check_closed((const char *)form.ptr, code, why);
    buf_release(&form);
    val_unref(&text);
}

TEST(what_is_not_this_form_is_refused) {
    check_closed("\"a.b.c.d.e\"", ERR_SYNTAX, "want a map in the flattened JSON form");
    check_closed("{}", ERR_SYNTAX, "want \"protected\" to be a text, found nothing");
    check_closed("{\"protected\":\"\",\"recipients\":[]}", ERR_UNSUPPORTED,
                 "want the flattened JSON form, found the general one");
    check_closed("{\"protected\":\"e30=\"}", ERR_SYNTAX, "want \"protected\" in base64url without padding");
    check_closed(FORM(GOOD_TEXT, GOOD_TAG, ",\"encrypted_key\":\"AAAA\""), ERR_SYNTAX,
                 "want no \"encrypted_key\" with ECDH-ES");
    check_closed(FORM(GOOD_TEXT, GOOD_TAG, ",\"encrypted_key\":null"), ERR_SYNTAX,
                 "want no \"encrypted_key\" with ECDH-ES");
    check_closed(FORM(GOOD_TEXT, "xrrYjyjTfoqgoyoCY3iS", ""), ERR_SYNTAX,
                 "want \"tag\" to be 16 bytes in base64url, found 15");
    check_closed(FORM("o", GOOD_TAG, ""), ERR_SYNTAX, "want \"ciphertext\" in base64url without padding");
    check_header("[]", "", ERR_SYNTAX, "want the protected header to be a map");
    check_header("{", "", ERR_SYNTAX,
                 "reading the protected header: want a key in quotes or \"}\", found the end of the text");
    check_header("{}", "", ERR_UNSUPPORTED, "want \"alg\" to be ECDH-ES");
    check_header("{\"alg\":\"ECDH-ES+A128KW\"}", "", ERR_UNSUPPORTED, "want \"alg\" to be ECDH-ES");
    check_header("{\"alg\":\"ECDH-ES\",\"enc\":\"A128GCM\"}", "", ERR_UNSUPPORTED, "want \"enc\" to be A128CBC-HS256");
    check_header("{\"alg\":\"ECDH-ES\",\"enc\":\"A128CBC-HS256\"}", "", ERR_SYNTAX,
                 "reading \"epk\": want a key as a map (JWK)");
    check_header("{\"crit\":[\"exp\"]}", "", ERR_UNSUPPORTED, "\"crit\" in a protected header is not supported");
    check_header("{\"zip\":\"DEF\"}", "", ERR_UNSUPPORTED, "\"zip\" in a protected header is not supported");
    check_header("{\"b64\":false}", "", ERR_UNSUPPORTED, "\"b64\" in a protected header is not supported");
    check_header("{}", ",\"header\":1", ERR_SYNTAX, "want \"header\" to be a map");
    check_header("{}", ",\"header\":{\"alg\":\"ECDH-ES\"}", ERR_INVALID,
                 "want \"alg\" in the protected header, not in \"header\"");
    check_header("{}", ",\"unprotected\":{\"enc\":\"A128CBC-HS256\"}", ERR_INVALID,
                 "want \"enc\" in the protected header, not in \"unprotected\"");
    check_header("{\"epk\":1}", ",\"header\":{\"epk\":2}", ERR_INVALID,
                 "a name in \"header\" stands in another header too");
    check_header("{}", ",\"header\":{\"kid\":2},\"unprotected\":{\"kid\":3}", ERR_INVALID,
                 "a name in \"header\" stands in another header too");
    check_header("{\"alg\":\"ECDH-ES\",\"enc\":\"A128CBC-HS256\",\"apu\":\"?\",\"epk\":" EPK "}", "", ERR_SYNTAX,
                 "want \"apu\" in base64url without padding");
    check_header("{\"alg\":\"ECDH-ES\",\"enc\":\"A128CBC-HS256\",\"epk\":{\"kty\":\"EC\",\"crv\":\"P-256\"," X ",\"y\":"
                 "\"GWGzMbstFIcnC1UhBLx0hWfjRxTQ7F171zFZH4Ly6rw\"}}",
                 "", ERR_INVALID, "reading \"epk\": " OFF);
}

TEST(limits_are_held_and_named) {
    struct jose_limits tiny = {.header = 190, .body = 32};
    uint8_t key[JWK_PRIVATE_LEN];
    unhex(SECRET, key, sizeof key);
    struct buf plain;
    struct err e = ERR_INIT;
    struct val v = parse(FORM(GOOD_TEXT, GOOD_TAG, ""));
    buf_init(&plain, 1000);
    CHECK(jwe_open(&v, key, &tiny, &plain, &e)) || (tap_note("%s", e.text), 0);
    tiny.body = 31;
    CHECK(!jwe_open(&v, key, &tiny, &plain, &e));
    CHECK_TEXT(slice_str(e.limit), LIT("body"));
    tiny = (struct jose_limits){.header = 100, .body = 32};
    CHECK(!jwe_open(&v, key, &tiny, &plain, &e));
    CHECK_TEXT(slice_str(e.limit), LIT("header"));
    buf_release(&plain);
    buf_init(&plain, 31); /* the caller's buffer is a limit too, and stays usable */
    CHECK(!jwe_open(&v, key, &limits, &plain, &e));
    CHECK_TEXT(slice_str(e.limit), LIT("max"));
    CHECK(buf_ok(&plain) && plain.len == 0);
    buf_release(&plain);
    val_unref(&v);
}

TEST(a_text_is_sealed_as_another_program_seals_it) {
    uint8_t to[JWK_PUBLIC_LEN], ephemeral[JWK_PRIVATE_LEN], iv[JWE_IV_LEN];
    struct val key = parse(KEY), want = parse(FORM(GOOD_TEXT, GOOD_TAG, "")), is = val_none;
    unhex(EPHEMERAL, ephemeral, sizeof ephemeral);
    unhex(IV, iv, sizeof iv);
    CHECK(jwk_read(&key, to, NULL));
    CHECK(jwe_seal(&is, slice_str(PLAIN), to, ephemeral, iv, NULL));
    CHECK(val_equal(&is, &want));
    val_unref(&is);
    struct err e = ERR_INIT;
    to[64] ^= 1;
    CHECK(!jwe_seal(&is, slice_str(PLAIN), to, ephemeral, iv, &e));
    CHECK_TEXT(slice_str(e.text), LIT("want a key that is a point on the curve P-256"));
    memset(ephemeral, 0, sizeof ephemeral);
    CHECK(!jwe_seal(&is, slice_str(PLAIN), to, ephemeral, iv, &e));
    CHECK_TEXT(slice_str(e.text), LIT("want a private key in the range of P-256"));
    CHECK(val_is_none(&is));
    val_unref(&key);
    val_unref(&want);
}

TEST(texts_of_any_length_are_sealed_and_opened) {
    uint8_t secret[JWK_PRIVATE_LEN], to[JWK_PUBLIC_LEN], ephemeral[JWK_PRIVATE_LEN], iv[JWE_IV_LEN], text[50];
    unhex(SECRET, secret, sizeof secret);
    unhex(EPHEMERAL, ephemeral, sizeof ephemeral);
    unhex(IV, iv, sizeof iv);
    CHECK(jwk_public(secret, to, NULL));
    for (size_t i = 0; i < sizeof text; i++) text[i] = (uint8_t)(i * 37);
    for (size_t len = 0; len <= sizeof text; len++) {
        struct val v = val_none;
        struct buf plain;
        buf_init(&plain, 100);
        CHECK(jwe_seal(&v, slice_of(text, len), to, ephemeral, iv, NULL));
        CHECK(jwe_open(&v, secret, &limits, &plain, NULL));
        CHECK(slice_eq(buf_slice(&plain), slice_of(text, len)));
        buf_release(&plain);
        val_unref(&v);
    }
}

/* --- JWS --- */

static bool verify(const char *jws, const struct jws_key *key, struct val *header, struct buf *payload, struct err *e) {
    struct val v = parse(jws);
    bool good = jws_verify(&v, key, &limits, header, payload, e);
    val_unref(&v);
    return good;
}

static void check_forged(const char *jws, const struct jws_key *key, const char *why) {
    struct val header = val_none;
    struct buf payload;
    struct err e = ERR_INIT;
    buf_init(&payload, 1000);
    CHECK(!verify(jws, key, &header, &payload, &e));
    CHECK_TEXT(slice_str(e.text), slice_str(why));
    CHECK(val_is_none(&header) && payload.len == 0);
    buf_release(&payload);
}

#define CLAIMS "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
#define JWS(head, signature, more)                                                                                     \
    "{\"protected\":\"" head "\",\"payload\":\"" CLAIMS "\",\"signature\":\"" signature "\"" more "}"
#define ES_HEAD "eyJhbGciOiJFUzI1NiJ9"
#define ES_SIGN "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
#define HS_HEAD "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
#define HS_SIGN "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
#define FORGED  "the signature is not of this key and these bytes"

static const char RFC7515_KEY[] = "{\"kty\":\"EC\",\"crv\":\"P-256\","
                                  "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
                                  "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}";

TEST(rfc_7515_a_3_and_a_7_es256_is_verified) {
    uint8_t point[JWK_PUBLIC_LEN];
    struct val v = parse(RFC7515_KEY), header = val_none;
    CHECK(jwk_read(&v, point, NULL));
    val_unref(&v);
    struct jws_key key = {JWS_ES256, {point, sizeof point}};
    struct buf payload;
    buf_init(&payload, 1000);
    CHECK(verify(JWS(ES_HEAD, ES_SIGN, ""), &key, &header, &payload, NULL));
    CHECK_TEXT(buf_slice(&payload),
               LIT("{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}"));
    text_is(&header, "alg", "ES256");
    CHECK_INT(val_count(&header), 1);
    val_unref(&header);
    /* A.7: a name beside the protected header; it is not given out. */
    CHECK(verify(JWS(ES_HEAD, ES_SIGN, ",\"header\":{\"kid\":\"e9bc097a-ce51-4036-9562-d2ade882db0d\"}"), &key, &header,
                 &payload, NULL));
    CHECK_INT(val_count(&header), 1);
    val_unref(&header);
    buf_release(&payload);

    check_forged(
        JWS(ES_HEAD, "EtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q", ""),
        &key, FORGED);
    /* r = s = 0; r and s at the order. */
    check_forged(
        JWS(ES_HEAD, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", ""),
        &key, FORGED);
    check_forged(
        JWS(ES_HEAD, "_____wAAAAD__________7zm-q2nF56E87nKwvxjJVH_____AAAAAP__________vOb6racXnoTzucrC_GMlUQ", ""),
        &key, FORGED);
    check_forged(JWS(ES_HEAD, HS_SIGN, ""), &key, "want \"signature\" to be 64 bytes in base64url, found 32");
    check_forged(JWS(HS_HEAD, ES_SIGN, ""), &key, "want \"alg\" to be ES256");
    check_forged(JWS("eyJhbGciOiJub25lIn0", "", ""), &key, "want \"alg\" to be ES256"); /* {"alg":"none"} */
    check_forged(JWS(ES_HEAD, ES_SIGN, ",\"signatures\":[]"), &key,
                 "want the flattened JSON form, found the general one");
    check_forged("{\"protected\":\"" ES_HEAD "\",\"signature\":\"" ES_SIGN "\"}", &key,
                 "want \"payload\" to be a text, found nothing");
    check_forged("{\"protected\":\"" ES_HEAD "\",\"payload\":\"\",\"signature\":\"" ES_SIGN "\"}", &key, FORGED);
    point[64] ^= 1;
    check_forged(JWS(ES_HEAD, ES_SIGN, ""), &key, FORGED);
}

TEST(rfc_7515_a_1_hs256_is_verified) {
    uint8_t secret[64];
    unbase64("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow", secret, 64);
    struct jws_key key = {JWS_HS256, {secret, sizeof secret}};
    struct val header = val_none;
    struct buf payload;
    buf_init(&payload, 1000);
    CHECK(verify(JWS(HS_HEAD, HS_SIGN, ""), &key, &header, &payload, NULL));
    text_is(&header, "typ", "JWT");
    val_unref(&header);
    buf_release(&payload);
    check_forged(JWS(HS_HEAD, "dRjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", ""), &key, FORGED);
    check_forged(JWS(ES_HEAD, HS_SIGN, ""), &key, "want \"alg\" to be HS256"); /* the key says the algorithm */
    secret[0] ^= 1;
    check_forged(JWS(HS_HEAD, HS_SIGN, ""), &key, FORGED);
    key.bytes.len = 31;
    check_forged(JWS(HS_HEAD, HS_SIGN, ""), &key, "want a secret of at least 32 bytes for HS256, found 31");
}

/* ACME: a request for what stands at its URL (the payload is empty), and the binding to an account elsewhere. */
TEST(acme_requests_are_signed_as_another_program_signs_them) {
    uint8_t secret[JWK_PRIVATE_LEN], mac[32], point[JWK_PUBLIC_LEN];
    unhex(SECRET, secret, sizeof secret);
    for (uint8_t i = 0; i < 32; i++) mac[i] = i;
    struct jws_key key = {JWS_ES256, {secret, sizeof secret}}, outer = {JWS_HS256, {mac, sizeof mac}};
    struct val header =
        parse("{\"nonce\":\"n-1\",\"url\":\"https://ca.example/new\",\"kid\":\"https://ca.example/acct/1\"}");
    struct val jws = val_none, back = val_none;
    struct err e = ERR_INIT;
    CHECK(jws_sign(&jws, &header, LIT(""), &key, &e));
    text_is(&jws, "protected",
            "eyJhbGciOiJFUzI1NiIsIm5vbmNlIjoibi0xIiwidXJsIjoiaHR0cHM6Ly9jYS5leGFtcGxlL25ldyIsImtpZCI6Imh0dHBzOi8v"
            "Y2EuZXhhbXBsZS9hY2N0LzEifQ");
    text_is(&jws, "payload", "");
    text_is(&jws, "signature",
            "kDPBqWUZA-e9tKW6ZwM7do53muUCUxmUuK6hCP3_J1c_fehQf69Ku2L-wrwpGyR8Sr6vSdyqIr_WymKzSpABNA");
    CHECK(jwk_public(secret, point, NULL));
    struct jws_key open_key = {JWS_ES256, {point, sizeof point}};
    struct buf payload;
    buf_init(&payload, 1000);
    CHECK(jws_verify(&jws, &open_key, &limits, &back, &payload, &e));
    text_is(&back, "nonce", "n-1");
    val_unref(&back);
    val_unref(&jws);
    val_unref(&header);

    header = parse("{\"kid\":\"eab-1\",\"url\":\"https://ca.example/new\"}");
    struct val account = jwk_write(point);
    CHECK(json_write(&payload, &account, JSON_COMPACT, NULL));
    CHECK(jws_sign(&jws, &header, buf_slice(&payload), &outer, &e));
    text_is(&jws, "signature", "HgX6Rp6HjyEC6jy1CkR7JT0qiKwJARxg9jfJPKLWU1I");
    val_unref(&account);
    val_unref(&jws);
    buf_release(&payload);

    CHECK(val_set_str(&header, "alg", val_of_str("none")));
    CHECK(!jws_sign(&jws, &header, LIT(""), &outer, &e));
    CHECK_TEXT(slice_str(e.text), LIT("want the header of a signature without \"alg\": the key says it"));
    val_unref(&header);
    CHECK(!jws_sign(&jws, &val_none, LIT(""), &outer, &e));
    CHECK_TEXT(slice_str(e.text), LIT("want the header of a signature to be a map"));
    header = val_empty_map();
    key.bytes.len = 31;
    CHECK(!jws_sign(&jws, &header, LIT(""), &key, &e));
    CHECK_TEXT(slice_str(e.text), LIT("want a key of 32 bytes for ES256"));
    memset(secret, 0xff, sizeof secret);
    key.bytes.len = 32;
    CHECK(!jws_sign(&jws, &header, LIT(""), &key, &e));
    CHECK_TEXT(slice_str(e.text), LIT("want a private key in the range of P-256"));
}

/* --- memory --- */

static bool play(void *arg) {
    const uint8_t *secret = arg;
    uint8_t point[JWK_PUBLIC_LEN], iv[JWE_IV_LEN] = {7};
    struct val jwe = val_none, jws = val_none, back = val_none, header = VAL_MAP_OF({"nonce", val_of_str("12345")});
    struct jws_key key = {JWS_ES256, {secret, JWK_PRIVATE_LEN}}, open_key = {JWS_ES256, {point, sizeof point}};
    struct buf out;
    struct err e = ERR_INIT;
    buf_init(&out, 1000);
    bool good = !val_is_none(&header) && jwk_public(secret, point, &e) &&
                jwe_seal(&jwe, LIT("a password of some length"), point, secret, iv, &e) &&
                jwe_open(&jwe, secret, &limits, &out, &e) && jws_sign(&jws, &header, buf_slice(&out), &key, &e) &&
                jws_verify(&jws, &open_key, &limits, &back, &out, &e);
    if (!good && !val_is_none(&header)) CHECK_INT(e.code, ERR_NOMEM) || (tap_note("%s", e.text), 0);
    val_unref(&jwe);
    val_unref(&jws);
    val_unref(&back);
    val_unref(&header);
    buf_release(&out);
    return good;
}

TEST(no_memory_is_an_error_and_nothing_leaks) {
    uint8_t secret[JWK_PRIVATE_LEN];
    unhex(SECRET, secret, sizeof secret);
    faults_sweep(play, secret, "sealing, opening, signing, verifying");
}

TAP_MAIN(T(a_public_key_is_computed_written_and_read_back), T(a_thumbprint_is_that_of_python_hashlib),
         T(a_key_that_is_none_or_is_off_the_curve_is_refused),
         T(the_multiplication_itself_refuses_points_off_the_curve), T(a_private_key_is_in_its_range),
         T(a_private_key_has_its_own_point), T(rfc_7518_appendix_c_a_key_is_agreed_on_by_both),
         T(rfc_7518_appendix_b_1_a128cbc_hs256), T(rfc_7516_a_3_the_content_of_its_example),
         T(an_encrypted_password_opens), T(parties_and_further_data_count),
         T(a_wrong_tag_and_a_wrong_padding_cannot_be_told_apart), T(every_bit_of_a_sealed_text_counts),
         T(what_is_not_this_form_is_refused), T(limits_are_held_and_named),
         T(a_text_is_sealed_as_another_program_seals_it), T(texts_of_any_length_are_sealed_and_opened),
         T(rfc_7515_a_3_and_a_7_es256_is_verified), T(rfc_7515_a_1_hs256_is_verified),
         T(acme_requests_are_signed_as_another_program_signs_them), T(no_memory_is_an_error_and_nothing_leaks))
