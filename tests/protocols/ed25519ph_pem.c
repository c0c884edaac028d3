/* ed25519ph_pem.c - keys and signatures as PEM: RFC 8410's examples, what OpenSSL makes and reads, every form that is refused. */
#include "protocols/ed25519ph_play.h"

#include "lib/faults.h"
#include "protocols/x509_play.h"

static const char *read_key(struct ed25519ph_key *key, struct slice text) {
    static struct err e;
    e = (struct err)ERR_INIT;
    return ed25519ph_key_read_pem(key, text, &e) ? "" : e.text;
}
static const char *read_point(uint8_t point[32], struct slice text) {
    static struct err e;
    e = (struct err)ERR_INIT;
    return ed25519ph_point_read_pem(point, text, &e) ? "" : e.text;
}
static const char *read_signature(uint8_t signature[64], struct slice text) {
    static struct err e;
    e = (struct err)ERR_INIT;
    return ed25519ph_signature_read_pem(signature, text, &e) ? "" : e.text;
}

/* RFC 8410 10.1 and 10.3. */
#define RFC_PUBLIC                                                                                                     \
    "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"                       \
    "-----END PUBLIC KEY-----\n"
#define RFC_PRIVATE                                                                                                    \
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"                  \
    "-----END PRIVATE KEY-----\n"
#define RFC_PAIR                                                                                                       \
    "-----BEGIN PRIVATE KEY-----\n"                                                                                    \
    "MHICAQEwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"                                               \
    "oB8wHQYKKoZIhvcNAQkJFDEPDA1DdXJkbGUgQ2hhaXJzgSEAGb9ECWmEzf6FQbrB\n"                                               \
    "Z9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PRIVATE KEY-----\n"

TEST(the_keys_of_rfc_8410_are_read_and_written) {
    struct ed25519ph_key key, pair;
    uint8_t point[32];
    struct buf b;
    buf_init(&b, 1000);
    CHECK_TEXT(slice_str(read_key(&key, LIT(RFC_PRIVATE))), LIT(""));
    check_hex(slice_of(key.seed, 32), "d4ee72dbf913584ad5b6d8f1f769f8ad3afe7c28cbf1d4fbe097a88f44755842");
    CHECK_TEXT(slice_str(read_point(point, LIT(RFC_PUBLIC))), LIT(""));
    CHECK(!memcmp(point, key.point, sizeof point));
    CHECK_TEXT(slice_str(read_key(&pair, LIT(RFC_PAIR))), LIT("")); /* with attributes and its public part */
    CHECK(!memcmp(&pair, &key, sizeof key));
    CHECK(ed25519ph_key_write_pem(&b, &key, false, NULL) && b.len <= ED25519PH_KEY_PEM);
    CHECK_TEXT(buf_slice(&b), LIT(RFC_PRIVATE));
    buf_reset(&b);
    CHECK(ed25519ph_point_write_pem(&b, point, NULL));
    CHECK_TEXT(buf_slice(&b), LIT(RFC_PUBLIC));
    buf_reset(&b);
    CHECK(ed25519ph_key_write_pem(&b, &key, true, NULL) && b.len <= ED25519PH_KEY_PEM);
    CHECK_TEXT(slice_str(read_key(&pair, buf_slice(&b))), LIT(""));
    CHECK(!memcmp(&pair, &key, sizeof key));
    struct err e = ERR_INIT;
    size_t len = b.len;
    b.max = len + 10;
    CHECK(!ed25519ph_key_write_pem(&b, &key, true, &e) && e.code == ERR_LIMIT && b.len == len);
    CHECK(!ed25519ph_point_write_pem(&b, point, &e) && b.len == len);
    uint8_t signature[64] = {0};
    CHECK(!ed25519ph_signature_write_pem(&b, signature, &e) && b.len == len);
    buf_release(&b);
}

TEST(openssl_reads_what_is_written_and_its_keys_are_read) {
    PLAY_NEEDS_OPENSSL();
    struct ed25519ph_key key, theirs;
    struct buf b;
    uint8_t point[32], signature[64];
    buf_init(&b, 1000);
    CHECK_INT(PLAY_RUN("openssl", "genpkey", "-algorithm", "ED25519", "-out", "k"), 0);
    CHECK_INT(PLAY_RUN("openssl", "pkey", "-in", "k", "-pubout", "-out", "p"), 0);
    struct slice k = play_read("k"), p = play_read("p");
    CHECK_TEXT(slice_str(read_key(&theirs, k)), LIT(""));
    CHECK_TEXT(slice_str(read_point(point, p)), LIT(""));
    CHECK(!memcmp(point, theirs.point, sizeof point));
    tap_free(k), tap_free(p);
    key = key_of(SEED);
    ed25519ph_key_write_pem(&b, &key, false, NULL);
    play_write("mine", buf_slice(&b));
    CHECK_INT(PLAY_RUN("openssl", "pkey", "-in", "mine", "-noout", "-text"), 0);
    CHECK(play_said("ac:af:e6:07") && play_said("f3:ce:a9:6c"));
    buf_reset(&b);
    ed25519ph_point_write_pem(&b, key.point, NULL);
    play_write("mine.pub", buf_slice(&b));
    CHECK_INT(PLAY_RUN("openssl", "pkey", "-pubin", "-in", "mine.pub", "-noout", "-text"), 0);
    CHECK(play_said("f3:ce:a9:6c"));
    buf_reset(&b);
    CHECK(ed25519ph_sign(&key, LIT("x"), LIT("y"), signature, NULL));
    CHECK(ed25519ph_signature_write_pem(&b, signature, NULL));
    play_write("s", buf_slice(&b));
    CHECK_INT(PLAY_RUN("openssl", "asn1parse", "-in", "s"), 0);
    CHECK(play_said(":ED25519") && play_said("hl=2 l=  64 prim: OCTET STRING") && play_said("hl=2 l=   5 cons"));
    buf_release(&b);
}

/* A block of that label with the bytes of the hexadecimal text. */
static struct slice pem_of(struct buf *b, const char *label, const char *hex) {
    struct buf der;
    buf_init(&der, 2000);
    if (!hex_read(&der, slice_str(hex), NULL)) abort();
    buf_reset(b);
    CHECK(pem_write(b, slice_str(label), buf_slice(&der), NULL));
    buf_release(&der);
    return buf_slice(b);
}

#define OID     "06032b6570"
#define KIND    "3005" OID
#define ONES    "0101010101010101010101010101010101010101010101010101010101010101"
#define NO_KEY  "the private key is damaged, or is none on Ed25519"
#define NO_PUB  "the public key is damaged, or is none on Ed25519"
#define NO_SIGN "the signature is damaged, or is none on Ed25519"

static const struct {
    const char *label, *hex, *why;
} forms[] = {
    {"PRIVATE KEY", "302e020100" KIND "04220420" SEED, ""},
    {"PRIVATE KEY", "3051020101" KIND "04220420" SEED "812100" POINT, ""},
    {"PRIVATE KEY", "302e020101" KIND "04220420" SEED, ""},
    {"PRIVATE KEY", "3030020100" KIND "04220420" SEED "a000", ""},
    {"PRIVATE KEY", "3051020101" KIND "04220420" ONES "812100" POINT,
     "the private key is damaged: its public part is not its own"},
    {"PRIVATE KEY", "3051020100" KIND "04220420" SEED "812100" POINT, NO_KEY},     /* version 0 has none */
    {"PRIVATE KEY", "3051020101" KIND "04220420" SEED "812101" POINT, NO_KEY},     /* bits left over */
    {"PRIVATE KEY", "3053020101" KIND "04220420" SEED "a123032100" POINT, NO_KEY}, /* explicit, as some had it once */
    {"PRIVATE KEY", "3031020101" KIND "04220420" SEED "810100", NO_KEY},
    {"PRIVATE KEY", "302e020102" KIND "04220420" SEED, NO_KEY},
    {"PRIVATE KEY", "302f020100" KIND "04220420" SEED "00", NO_KEY},
    {"PRIVATE KEY", "302e020100" KIND "04220420" SEED "00", NO_KEY}, /* behind it all */
    {"PRIVATE KEY",
     "302d020100" KIND "0421041f"
     "01010101010101010101010101010101010101010101010101010101010101",
     NO_KEY},
    {"PRIVATE KEY", "302c020100" KIND "0420" SEED, NO_KEY},
    {"PRIVATE KEY", "302f020100" KIND "04230420" SEED "00", NO_KEY},
    {"PRIVATE KEY",
     "3030020100"
     "3007" OID "0500"
     "04220420" SEED,
     NO_KEY}, /* parameters */
    {"PRIVATE KEY",
     "302e020100"
     "300506032b6571"
     "04220420" SEED,
     "the private key is of another kind (Ed448); want Ed25519"},
    {"PRIVATE KEY",
     "302e020100"
     "300506032b6501"
     "04220420" SEED,
     "the private key is of another kind (unknown); want Ed25519"},
    {"PRIVATE KEY", "30812e020100" KIND "04220420" SEED, NO_KEY}, /* not the shortest length */
    {"EC PRIVATE KEY", "302e020100" KIND "04220420" SEED,
     "there is no private key in the text (want -----BEGIN PRIVATE KEY-----)"},
    {"PUBLIC KEY", "302a" KIND "032100" POINT, ""},
    {"PUBLIC KEY", "302a" KIND "032101" POINT, NO_PUB},
    {"PUBLIC KEY", "302a" KIND "042100" POINT, NO_PUB},
    {"PUBLIC KEY", "302b" KIND "032200" POINT "00", NO_PUB},
    {"PUBLIC KEY",
     "302c"
     "3007" OID "0500"
     "032100" POINT,
     NO_PUB},
    {"PUBLIC KEY",
     "302a"
     "300506032b656e"
     "032100" POINT,
     "the public key is of another kind (X25519); want Ed25519"},
    {"PUBLIC KEY",
     "302a" KIND "032100"
     "0000000000000000000000000000000000000000000000000000000000000000",
     "the public key is no point that a key may be"},
    {"PUBLIC KEY",
     "302a" KIND "032100"
     "0200000000000000000000000000000000000000000000000000000000000000",
     "the public key is no point that a key may be"},
    {"SIGNATURE", "3049" KIND "0440" SEED POINT, ""},
    {"SIGNATURE", "304a" KIND "034100" SEED POINT, NO_SIGN},
    {"SIGNATURE", "3048" KIND "043f" SEED "01010101010101010101010101010101010101010101010101010101010101", NO_SIGN},
    {"SIGNATURE", "304a" KIND "0441" SEED POINT "00", NO_SIGN},
    {"SIGNATURE",
     "304b"
     "3007" OID "0500"
     "0440" SEED POINT,
     NO_SIGN},
    {"SIGNATURE",
     "3049"
     "300506032b6571"
     "0440" SEED POINT,
     "the signature is of another kind (Ed448); want Ed25519"},
    {"SIGNATURE", "3049" KIND "0440" SEED POINT "0500", NO_SIGN},
};

TEST(every_form_is_read_or_refused_with_words) {
    struct buf b;
    buf_init(&b, 4000);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        static const struct ed25519ph_key none;
        struct ed25519ph_key key, want = key_of(SEED);
        uint8_t bytes[64];
        const char *why;
        struct slice text = tap_guarded(pem_of(&b, forms[i].label, forms[i].hex));
        if (slice_ends(slice_str(forms[i].label), LIT("PRIVATE KEY"))) {
            why = read_key(&key, text);
            CHECK(!memcmp(&key, forms[i].why[0] ? &none : &want, sizeof key));
        } else if (forms[i].label[0] == 'P') {
            memset(bytes, 7, sizeof bytes);
            why = read_point(bytes, text);
            CHECK(forms[i].why[0] ? bytes[0] == 7 && bytes[31] == 7 : !memcmp(bytes, want.point, 32));
        } else {
            memset(bytes, 7, sizeof bytes);
            why = read_signature(bytes, text);
            CHECK(forms[i].why[0] ? bytes[0] == 7 && bytes[63] == 7 : !memcmp(bytes, want.seed, 32));
        }
        if (!CHECK_TEXT(slice_str(why), slice_str(forms[i].why))) tap_note("%zu: %s", i, forms[i].hex);
    }
    buf_release(&b);
}

TEST(the_text_has_the_one_block_and_words_around_it) {
    uint8_t point[32];
    CHECK_TEXT(slice_str(read_point(point, LIT("a key\n" RFC_PUBLIC "of mine\n"))), LIT(""));
    CHECK_TEXT(slice_str(read_point(point, LIT(RFC_PUBLIC RFC_PUBLIC))), LIT("over the limit blocks, which allows 1"));
    CHECK_TEXT(slice_str(read_point(point, LIT(RFC_PUBLIC RFC_PRIVATE))), LIT("over the limit blocks, which allows 1"));
    CHECK_TEXT(slice_str(read_point(point, LIT(RFC_PRIVATE))),
               LIT("there is no public key in the text (want -----BEGIN PUBLIC KEY-----)"));
    CHECK_TEXT(slice_str(read_point(point, LIT(""))),
               LIT("there is no public key in the text (want -----BEGIN PUBLIC KEY-----)"));
    CHECK_TEXT(slice_str(read_point(point, LIT("-----BEGIN PUBLIC KEY-----\nMCow\n"))),
               LIT("the PEM block PUBLIC KEY is damaged: the text ends before its END line"));
    struct buf b;
    char hex[1100];
    memset(hex, '0', sizeof hex);
    buf_init(&b, 4000);
    hex[2 * 512] = 0;
    CHECK_TEXT(slice_str(read_point(point, pem_of(&b, "PUBLIC KEY", hex))),
               LIT("the public key is damaged, or is none on Ed25519"));
    hex[2 * 512] = '0', hex[2 * 513] = 0;
    CHECK_TEXT(slice_str(read_point(point, pem_of(&b, "PUBLIC KEY", hex))),
               LIT("over the limit bytes, which allows 512"));
    buf_release(&b);
}

/* The hexadecimal of the test's own keys needs memory too, so it is made beforehand. */
static struct ed25519ph_key fixed_key;
static bool write_and_read(void *arg) {
    struct buf b;
    struct ed25519ph_key again;
    struct err e = ERR_INIT;
    uint8_t signature[64] = {1}, same[64], point[32];
    (void)arg;
    buf_init(&b, 2000);
    size_t marks[3] = {0};
    bool good = ed25519ph_key_write_pem(&b, &fixed_key, true, &e);
    marks[0] = b.len;
    good = good && ed25519ph_point_write_pem(&b, fixed_key.point, &e);
    marks[1] = b.len;
    good = good && ed25519ph_signature_write_pem(&b, signature, &e);
    struct slice all = buf_slice(&b);
    good = good && ed25519ph_key_read_pem(&again, slice_head(all, marks[0]), &e) &&
           ed25519ph_point_read_pem(point, slice_skip(slice_head(all, marks[1]), marks[0]), &e) &&
           ed25519ph_signature_read_pem(same, slice_skip(all, marks[1]), &e) && !memcmp(same, signature, 64) &&
           !memcmp(point, again.point, 32);
    if (!good) CHECK_INT(e.code, ERR_NOMEM);
    buf_release(&b);
    return good;
}

TEST(memory_that_fails_is_an_error) {
    fixed_key = key_of(SEED);
    faults_sweep(write_and_read, NULL, "keys and signatures as PEM");
}

TAP_MAIN(T(the_keys_of_rfc_8410_are_read_and_written), T(openssl_reads_what_is_written_and_its_keys_are_read),
         T(every_form_is_read_or_refused_with_words), T(the_text_has_the_one_block_and_words_around_it),
         T(memory_that_fails_is_an_error))
