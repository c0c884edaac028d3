/* authsig.c - the header of signed requests: what other programs make is read and written the same to the byte, and nothing in it can
 * be changed, left out or doubled.
 *
 * The values were made by Python's urllib.parse.urlencode, b3sum 1.2.0, and Java 17's Ed25519ph. */
#include "protocols/authsig.h"

#include "lib/faults.h"
#include "protocols/ed25519ph_play.h"

static const struct authsig_limits wide = {.bytes = 4096, .pairs = 16, .size = UINT64_MAX};

#define SIGNER                                                                                                         \
    "-----BEGIN+PUBLIC+KEY-----%0AMCowBQYDK2VwAyEA886pbEwBgd4q7%2Bcszy5VaFYfo%2BGDBYIuCv0Lt96evos%3D%0A"               \
    "-----END+PUBLIC+KEY-----%0A"
#define SIGNATURE                                                                                                      \
    "-----BEGIN+SIGNATURE-----%0A"                                                                                     \
    "MEkwBQYDK2VwBEByNrGo4jOdndcFJq0C%2BH4w9O6%2B8BSS2dem7%2FyaatWK9klkTo20%0A"                                        \
    "Y3tF0kwgpSMJLdL149vRRG0oY1M9Q1%2BAoyEJ%0A-----END+SIGNATURE-----%0A"
#define HASH "F%2BKB5ppbvWWIfkFVKC%2BpQZGyhdhIZQ1XFhoKCR4lTFk%3D"
#define BODY "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"package.index\",\"params\":{}}"

static const struct {
    const char *value, *context, *body;
    int64_t timestamp;
    uint64_t nonce;
} known[] = {
    {"timestamp=1790000000&nonce=12345678901234567890&size=61&blake3=" HASH "&signer=" SIGNER "&signature=" SIGNATURE,
     "registry.example.org", BODY, 1790000000, UINT64_C(12345678901234567890)},
    {"timestamp=-9223372036854775808&nonce=18446744073709551615&size=0&blake3="
     "rxNJufX5oaagQE3qNtzJSZvLJcmtwRK3zJqTyuQfMmI%3D&signer=" SIGNER "&signature=-----BEGIN+SIGNATURE-----%0A"
     "MEkwBQYDK2VwBEDG4ukUTfp5646Ac9oCH59nd6aLgKnFKQWTA5TCchFuEHXLe7%2Bl%0A"
     "wk5WzrjQThaKKCFaK7AMEMdg6C%2FsZd%2FjNzUP%0A-----END+SIGNATURE-----%0A",
     "box.local", "", INT64_MIN, UINT64_MAX},
};

TEST(what_others_make_is_read_checked_and_made_the_same) {
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct authsig s, ours;
        struct err e = ERR_INIT;
        struct buf b;
        buf_init(&b, 1000);
        struct ed25519ph_key key = key_of(SEED);
        struct slice body = slice_str(known[i].body), context = slice_str(known[i].context);
        if (!CHECK(authsig_read(tap_guarded(slice_str(known[i].value)), &wide, &s, &e))) tap_note("%s", e.text);
        CHECK(s.timestamp == known[i].timestamp && s.nonce == known[i].nonce && s.size == body.len);
        CHECK(!memcmp(s.signer, key.point, sizeof key.point));
        CHECK(authsig_body(&s, body) && authsig_good(&s, context));
        CHECK(!authsig_good(&s, LIT("")) && !authsig_good(&s, slice_skip(context, 1)));
        CHECK(!authsig_good(&s, slice_str(known[1 - i].context)));
        CHECK(authsig_write(&b, &s, NULL));
        CHECK_TEXT(buf_slice(&b), slice_str(known[i].value));
        memset(&ours, 0xff, sizeof ours);
        ours.timestamp = known[i].timestamp, ours.nonce = known[i].nonce;
        authsig_cover(&ours, body);
        CHECK(authsig_sign(&ours, &key, context, NULL));
        buf_reset(&b);
        CHECK(authsig_write(&b, &ours, NULL));
        CHECK_TEXT(buf_slice(&b), slice_str(known[i].value));
        buf_release(&b);
    }
}

TEST(nothing_that_is_signed_can_be_changed) {
    struct authsig s;
    struct slice context = slice_str(known[0].context);
    CHECK(authsig_read(slice_str(known[0].value), &wide, &s, NULL));
    struct {
        void *at;
        size_t len;
    } parts[] = {{&s.timestamp, sizeof s.timestamp}, {&s.nonce, sizeof s.nonce},  {&s.size, sizeof s.size},
                 {s.blake3, sizeof s.blake3},        {s.signer, sizeof s.signer}, {s.signature, sizeof s.signature}};
    for (size_t p = 0; p < sizeof parts / sizeof *parts; p++)
        for (size_t bit = 0; bit < 8 * parts[p].len; bit++) {
            uint8_t *at = (uint8_t *)parts[p].at + bit / 8;
            *at ^= (uint8_t)(1 << bit % 8);
            if (!CHECK(!authsig_good(&s, context))) tap_note("part %zu, bit %zu", p, bit);
            *at ^= (uint8_t)(1 << bit % 8);
        }
    CHECK(authsig_good(&s, context));
}

TEST(the_body_is_held_against_its_size_and_hash) {
    struct authsig s;
    uint8_t sum[BLAKE3_SUM];
    char body[] = BODY;
    CHECK(authsig_read(slice_str(known[0].value), &wide, &s, NULL));
    for (size_t i = 0; i < sizeof body - 1; i++) {
        body[i] ^= 1;
        CHECK(!authsig_body(&s, slice_of(body, sizeof body - 1)));
        body[i] ^= 1;
        CHECK(!authsig_body(&s, slice_of(body, i)));
    }
    CHECK(authsig_body(&s, slice_of(body, sizeof body - 1)) && !authsig_body(&s, slice_of(body, sizeof body)));
    blake3_sum(slice_of(body, sizeof body - 1), sum);
    CHECK(authsig_sum(&s, sizeof body - 1, sum) && !authsig_sum(&s, sizeof body, sum));
    sum[31] ^= 0x80;
    CHECK(!authsig_sum(&s, sizeof body - 1, sum));
}

/* --- what is refused --- */

static const char *const names[] = {"timestamp", "nonce", "size", "blake3", "signer", "signature"};
static const char *const values[] = {"1790000000", "12345678901234567890", "61", HASH, SIGNER, SIGNATURE};

/* All fields in their order but `without`, with another value for `changed`, and `twice` once more at the end. */
static void make(struct buf *b, int without, int changed, const char *value, int twice) {
    buf_reset(b);
    for (int i = 0; i < 6; i++)
        if (i != without) buf_printf(b, "%s%s=%s", b->len ? "&" : "", names[i], i == changed ? value : values[i]);
    if (twice >= 0) buf_printf(b, "&%s=%s", names[twice], values[twice]);
}

static const char *read_text(struct slice value, const struct authsig_limits *limits) {
    static struct err e;
    struct authsig s, before;
    e = (struct err)ERR_INIT;
    memset(&s, 0x5a, sizeof s);
    memcpy(&before, &s, sizeof s);
    if (authsig_read(tap_guarded(value), limits, &s, &e)) return "";
    CHECK(!memcmp(&s, &before, sizeof s));
    return e.text;
}

TEST(what_is_missing_or_doubled_is_refused_by_its_name) {
    struct buf b, want;
    buf_init(&b, 4000), buf_init(&want, 200);
    for (int i = 0; i < 6; i++) {
        make(&b, i, -1, NULL, -1);
        buf_reset(&want);
        buf_printf(&want, "X-StartOS-Auth-Sig: %s is missing", names[i]);
        CHECK_TEXT(slice_str(read_text(buf_slice(&b), &wide)), buf_slice(&want));
        make(&b, -1, -1, NULL, i);
        buf_reset(&want);
        buf_printf(&want, "X-StartOS-Auth-Sig: %s stands there twice", names[i]);
        CHECK_TEXT(slice_str(read_text(buf_slice(&b), &wide)), buf_slice(&want));
    }
    CHECK_TEXT(slice_str(read_text(LIT(""), &wide)), LIT("X-StartOS-Auth-Sig: timestamp is missing"));
    buf_release(&b), buf_release(&want);
}

TEST(any_order_and_unknown_names_are_fine) {
    struct buf b;
    struct authsig s;
    buf_init(&b, 4000);
    for (int i = 5; i >= 0; i--) buf_printf(&b, "&&x%d=%%zz%%ff&%s=%s", i, names[i], values[i]);
    buf_add(&b, LIT("&Nonce=7&nonce+=8&"));
    CHECK(authsig_read(buf_slice(&b), &wide, &s, NULL) && authsig_good(&s, slice_str(known[0].context)));
    buf_release(&b);
}

#define NUMBER  "want a decimal number of 64 bits"
#define SECONDS "want seconds as a decimal number of 64 bits"
#define BYTES   "want 32 bytes as base64 with padding"

static const struct {
    int field;
    const char *value, *why;
} cases[] = {
    {0, "9223372036854775807", ""},
    {0, "-9223372036854775808", ""},
    {0, "-1", ""},
    {0, "9223372036854775808", SECONDS},
    {0, "-9223372036854775809", SECONDS},
    {0, "18446744073709551615", SECONDS},
    {0, "", SECONDS},
    {0, "-", SECONDS},
    {0, "--1", SECONDS},
    {0, "+1", SECONDS},   /* a blank */
    {0, "%2B1", SECONDS}, /* a plus */
    {0, "1.5", SECONDS},
    {0, "1790000000+", SECONDS},
    {1, "18446744073709551615", ""},
    {1, "18446744073709551616", NUMBER},
    {1, "-1", NUMBER},
    {1, "0x10", NUMBER},
    {1, "", NUMBER},
    {1, "%00", NUMBER},
    {2, "18446744073709551615", ""},
    {2, "18446744073709551616", NUMBER},
    {2, "61+", NUMBER},
    {3, "", BYTES},
    {3, "F+KB5ppbvWWIfkFVKC%2BpQZGyhdhIZQ1XFhoKCR4lTFk%3D", BYTES},   /* a plus that was not escaped */
    {3, "F-KB5ppbvWWIfkFVKC-pQZGyhdhIZQ1XFhoKCR4lTFk%3D", BYTES},     /* the other alphabet */
    {3, "F%2BKB5ppbvWWIfkFVKC%2BpQZGyhdhIZQ1XFhoKCR4lTFk", BYTES},    /* no padding */
    {3, "F%2BKB5ppbvWWIfkFVKC%2BpQZGyhdhIZQ1XFhoKCR4lTFl%3D", BYTES}, /* bits left over */
    {3, "F%2BKB5ppbvWWIfkFVKC%2BpQZGyhdhIZQ1XFhoKCR4lTA%3D%3D", BYTES},
    {3, "F%2BKB5ppbvWWIfkFVKC%2BpQZGyhdhIZQ1XFhoKCR4lTFkA", BYTES},
    {3, "17e281e69a5bbd65887e4155282fa94191b285d848650d57161a0a091e254c59", BYTES},
    {4, "", "there is no public key in the text (want -----BEGIN PUBLIC KEY-----)"},
    {4, SIGNATURE, "there is no public key in the text (want -----BEGIN PUBLIC KEY-----)"},
    {4, SIGNER SIGNER, "over the limit blocks, which allows 1"},
    {4,
     "-----BEGIN+PUBLIC+KEY-----%0AMCowBQYDK2VwAyEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA%3D%0A-----END+PUBLIC+"
     "KEY-----",
     "the public key is no point that a key may be"},
    {5, "", "there is no signature in the text (want -----BEGIN SIGNATURE-----)"},
    {5, SIGNER, "there is no signature in the text (want -----BEGIN SIGNATURE-----)"},
    {5, "-----BEGIN+SIGNATURE-----%0AMAA%3D%0A-----END+SIGNATURE-----%0A",
     "the signature is damaged, or is none on Ed25519"},
};

TEST(each_value_is_read_strictly_and_refused_with_its_name) {
    struct buf b, want;
    buf_init(&b, 4000), buf_init(&want, 400);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        make(&b, -1, cases[i].field, cases[i].value, -1);
        buf_reset(&want);
        if (cases[i].why[0]) buf_printf(&want, "X-StartOS-Auth-Sig: %s: %s", names[cases[i].field], cases[i].why);
        if (!CHECK_TEXT(slice_str(read_text(buf_slice(&b), &wide)), buf_slice(&want))) tap_note("%s", cases[i].value);
    }
    buf_release(&b), buf_release(&want);
}

TEST(limits_are_held_and_named) {
    struct authsig_limits limits = wide;
    struct slice value = slice_str(known[0].value);
    limits.bytes = value.len, limits.pairs = 6, limits.size = 61;
    CHECK_TEXT(slice_str(read_text(value, &limits)), LIT(""));
    limits.size = 60;
    CHECK_TEXT(slice_str(read_text(value, &limits)), LIT("X-StartOS-Auth-Sig: over the limit size, which allows 60"));
    limits = wide, limits.pairs = 5;
    CHECK_TEXT(slice_str(read_text(value, &limits)), LIT("X-StartOS-Auth-Sig: over the limit pairs, which allows 5"));
    limits = wide, limits.bytes = value.len - 1;
    CHECK_TEXT(slice_str(read_text(value, &limits)), LIT("X-StartOS-Auth-Sig: over the limit bytes, which allows 424"));
}

TEST(a_value_is_written_whole_or_not_at_all) {
    struct authsig s;
    struct err e = ERR_INIT;
    struct buf b;
    CHECK(authsig_read(slice_str(known[1].value), &wide, &s, NULL));
    size_t len = strlen(known[1].value);
    buf_init(&b, len + 2);
    buf_add(&b, LIT("abc"));
    CHECK(!authsig_write(&b, &s, &e) && e.code == ERR_LIMIT && b.len == 3 && buf_ok(&b));
    buf_reset(&b);
    buf_add(&b, LIT("ab"));
    CHECK(authsig_write(&b, &s, &e) && b.len == len + 2);
    buf_release(&b);
}

TEST(a_context_that_is_too_long_is_an_error) {
    static uint8_t name[256];
    struct ed25519ph_key key = key_of(SEED);
    struct authsig s = {.timestamp = 1};
    struct err e = ERR_INIT;
    CHECK(!authsig_sign(&s, &key, slice_of(name, sizeof name), &e) && e.code == ERR_INVALID);
    CHECK(authsig_sign(&s, &key, slice_of(name, 255), &e) && authsig_good(&s, slice_of(name, 255)));
    CHECK(!authsig_good(&s, slice_of(name, 256)));
}

static bool read_and_write(void *arg) {
    struct authsig s;
    struct err e = ERR_INIT;
    struct buf b;
    (void)arg;
    buf_init(&b, 1000);
    bool good = authsig_read(slice_str(known[0].value), &wide, &s, &e) && authsig_write(&b, &s, &e);
    if (good)
        CHECK_TEXT(buf_slice(&b), slice_str(known[0].value));
    else
        CHECK(e.code == ERR_NOMEM && b.len == 0);
    buf_release(&b);
    return good;
}

TEST(memory_that_fails_is_an_error) {
    faults_sweep(read_and_write, NULL, "a header read and written");
}

TAP_MAIN(T(what_others_make_is_read_checked_and_made_the_same), T(nothing_that_is_signed_can_be_changed),
         T(the_body_is_held_against_its_size_and_hash), T(what_is_missing_or_doubled_is_refused_by_its_name),
         T(any_order_and_unknown_names_are_fine), T(each_value_is_read_strictly_and_refused_with_its_name),
         T(limits_are_held_and_named), T(a_value_is_written_whole_or_not_at_all),
         T(a_context_that_is_too_long_is_an_error), T(memory_that_fails_is_an_error))
