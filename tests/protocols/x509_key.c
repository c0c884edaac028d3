/* x509_key.c - private keys on P-256: their range, their files, what they sign. */
#include "protocols/x509_key.h"

#include "lib/faults.h"
#include "protocols/x509_play.h"

static bool set_hex(struct x509_key *key, const char *hex, struct err *e) {
    struct buf b;
    buf_init(&b, 100);
    bool good = hex_read(&b, slice_str(hex), NULL) && b.len == X509_SECRET && x509_key_set(key, b.ptr, e);
    buf_release(&b);
    return good;
}

static void check_hex(struct slice bytes, const char *want) {
    struct buf hex;
    buf_init(&hex, 1000);
    hex_add(&hex, bytes);
    CHECK_TEXT(buf_slice(&hex), slice_str(want));
    buf_release(&hex);
}

TEST(signatures_are_those_of_rfc_6979) {
    /* RFC 6979 A.2.5, with SHA-256; r and s in DER. */
    struct x509_key key;
    uint8_t signature[X509_SIGNATURE];
    size_t len;
    CHECK(set_hex(&key, "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721", NULL));
    check_hex(play_point(&key), "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
                                "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299");
    CHECK(x509_key_sign(&key, LIT("sample"), signature, &len, NULL));
    check_hex(slice_of(signature, len), "3046022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
                                        "022100f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8");
    CHECK(x509_key_signed(play_point(&key), LIT("sample"), slice_of(signature, len)));
    CHECK(!x509_key_signed(play_point(&key), LIT("samplE"), slice_of(signature, len)));
    CHECK(x509_key_sign(&key, LIT("test"), signature, &len, NULL));
    check_hex(slice_of(signature, len), "3045022100f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367"
                                        "0220019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083");
    CHECK(x509_key_signed(play_point(&key), LIT("test"), slice_of(signature, len)));
    x509_key_wipe(&key);
    struct err e = ERR_INIT;
    CHECK(!x509_key_sign(&key, LIT("test"), signature, &len, &e) && e.code == ERR_INVALID);
}

TEST(a_signature_in_another_form_is_none) {
    struct x509_key key = play_key(1);
    uint8_t bytes[X509_SIGNATURE + 2];
    size_t len;
    CHECK(x509_key_sign(&key, LIT("x"), bytes, &len, NULL));
    CHECK(x509_key_signed(play_point(&key), LIT("x"), slice_of(bytes, len)));
    for (size_t i = 0; i < len; i++) { /* no bit can be changed */
        bytes[i] ^= 1;
        CHECK(!x509_key_signed(play_point(&key), LIT("x"), slice_of(bytes, len)));
        bytes[i] ^= 1;
        CHECK(!x509_key_signed(play_point(&key), LIT("x"), slice_of(bytes, i)));
    }
    bytes[len] = 0; /* something behind it */
    CHECK(!x509_key_signed(play_point(&key), LIT("x"), slice_of(bytes, len + 1)));
    memmove(bytes + 3, bytes + 2, len - 2); /* a length that is not the shortest */
    bytes[2] = bytes[1], bytes[1] = 0x81;
    CHECK(!x509_key_signed(play_point(&key), LIT("x"), slice_of(bytes, len + 1)));
    struct slice point = play_point(&key);
    point.len--;
    CHECK(!x509_key_signed(point, LIT("x"), slice_of(bytes, len)));
}

TEST(only_numbers_below_the_order_are_keys) {
    static const struct {
        const char *hex;
        bool good;
    } cases[] = {
        {"0000000000000000000000000000000000000000000000000000000000000000", false},
        {"0000000000000000000000000000000000000000000000000000000000000001", true},
        {"ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550", true}, /* the order less 1 */
        {"ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", false},
        {"ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632552", false},
        {"ffffffff00000001000000000000000000000000000000000000000000000000", false},
        {"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", false},
    };
    static const struct x509_key none;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct x509_key key;
        struct err e = ERR_INIT;
        CHECK(set_hex(&key, cases[i].hex, &e) == cases[i].good);
        if (!cases[i].good) CHECK(e.code == ERR_INVALID && !memcmp(&key, &none, sizeof key));
        if (cases[i].good) CHECK(x509_point_ok(play_point(&key)));
    }
}

TEST(a_point_lies_on_the_curve) {
    struct x509_key key = play_key(1);
    struct slice point = play_point(&key);
    CHECK(x509_point_ok(point));
    CHECK(!x509_point_ok(slice_head(point, 64)) && !x509_point_ok(slice_of("", 1)));
    key.point[64] ^= 1;
    CHECK(!x509_point_ok(point));
    key.point[64] ^= 1;
    key.point[0] = 3;
    CHECK(!x509_point_ok(point));
    memset(key.point + 1, 0, 64);
    key.point[0] = 4;
    CHECK(!x509_point_ok(point));
    memset(key.point + 1, 0xff, 64); /* coordinates beyond the field */
    CHECK(!x509_point_ok(point));
}

TEST(a_key_id_is_the_head_of_the_sha_256) {
    struct x509_key key = play_key(1);
    uint8_t id[X509_KEY_ID], hash[X509_FINGERPRINT];
    x509_key_id(play_point(&key), id);
    x509_fingerprint(play_point(&key), hash); /* the same hash, of anything */
    CHECK(!memcmp(id, hash, sizeof id));
}

/* --- files --- */

static const char *read_text(struct x509_key *key, struct slice text) {
    static struct err e;
    e = (struct err)ERR_INIT;
    return x509_key_read_pem(key, text, &play_pem, &e) ? "" : e.text;
}

TEST(what_is_written_reads_back_and_openssl_reads_it) {
    bool openssl = play_begin();
    for (int form = X509_KEY_PKCS8; form <= X509_KEY_SEC1; form++) {
        struct x509_key key = play_key(0x42), again;
        struct buf text;
        buf_init(&text, X509_KEY_PEM);
        CHECK(x509_key_write_pem(&text, &key, (enum x509_key_form)form, NULL));
        CHECK(slice_starts(buf_slice(&text),
                           form ? LIT("-----BEGIN EC PRIVATE KEY-----\n") : LIT("-----BEGIN PRIVATE KEY-----\n")));
        CHECK_TEXT(slice_str(read_text(&again, buf_slice(&text))), LIT(""));
        CHECK(!memcmp(&key, &again, sizeof key));
        if (openssl) {
            play_write("key.pem", buf_slice(&text));
            CHECK_INT(PLAY_RUN("openssl", "pkey", "-in", "key.pem", "-check", "-noout", "-text"), 0);
            CHECK(play_said("Key is valid") && play_said("42:42:42:42") && play_said("prime256v1"));
        }
        struct err e = ERR_INIT;
        size_t len = text.len;
        CHECK(!x509_key_write_pem(&text, &key, (enum x509_key_form)form, &e) && e.code == ERR_LIMIT && text.len == len);
        buf_release(&text);
    }
    if (!openssl) tap_skip("openssl is not there");
}

TEST(keys_of_openssl_are_read_and_others_refused_with_words) {
    PLAY_NEEDS_OPENSSL();
    static const struct {
        const char *how[14];
        const char *why;
    } cases[] = {
        {{"ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "k"}, ""},
        {{"ecparam", "-name", "prime256v1", "-genkey", "-out", "k2"}, ""}, /* with EC PARAMETERS in front */
        {{"pkcs8", "-topk8", "-nocrypt", "-in", "k", "-out", "k3"}, ""},
        {{"ec", "-in", "k", "-no_public", "-out", "k4"}, ""},
        {{"ecparam", "-name", "prime256v1", "-genkey", "-param_enc", "explicit", "-noout", "-out", "k5"},
         "the private key is damaged, or is none"},
        {{"ecparam", "-name", "secp384r1", "-genkey", "-noout", "-out", "k6"},
         "the private key is of another kind (P-384); want one on P-256"},
        {{"ecparam", "-name", "secp256k1", "-genkey", "-noout", "-out", "k7"},
         "the private key is of another kind (secp256k1); want one on P-256"},
        {{"genpkey", "-algorithm", "ED25519", "-out", "k8"},
         "the private key is of another kind (Ed25519); want one on P-256"},
        {{"genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024", "-out", "k9"},
         "the private key is of another kind (rsaEncryption); want one on P-256"},
        {{"rsa", "-traditional", "-in", "k9", "-out", "k10"},
         "the private key is of another kind (RSA); want one on P-256"},
        {{"pkcs8", "-topk8", "-passout", "pass:x", "-in", "k", "-out", "k11"},
         "the private key is encrypted; it is needed without a passphrase"},
        {{"ec", "-aes128", "-passout", "pass:x", "-in", "k", "-out", "k12"},
         "the PEM block EC PRIVATE KEY has header lines, as keys with a passphrase have; it is needed without them"},
        {{"ec", "-in", "k", "-pubout", "-out", "k13"},
         "there is no private key in the text (want -----BEGIN PRIVATE KEY-----)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *args[16] = {"openssl"}, *name = "";
        for (int k = 0; k < 14 && cases[i].how[k]; k++) name = args[k + 1] = cases[i].how[k];
        CHECK_INT(play_run(args), 0);
        struct slice text = play_read(name);
        struct x509_key key, same;
        if (!CHECK_TEXT(slice_str(read_text(&key, text)), slice_str(cases[i].why))) tap_note("%s", name);
        if (!cases[i].why[0]) CHECK(x509_key_set(&same, key.secret, NULL) && !memcmp(&key, &same, sizeof key));
        tap_free(text);
    }
    struct buf two;
    struct x509_key key;
    struct slice a = play_read("k"), b = play_read("k3");
    buf_init(&two, 4000);
    buf_add(&two, a);
    buf_add(&two, b);
    CHECK_TEXT(slice_str(read_text(&key, buf_slice(&two))), LIT("there is more than one private key in the text"));
    buf_release(&two);
    tap_free(a);
    tap_free(b);
}

/* ECPrivateKey and PrivateKeyInfo of play_key(1), worked out by hand; @ stands for its point. */
#define SECRET "0101010101010101010101010101010101010101010101010101010101010101"
#define CURVE  "06082a8648ce3d030107"
#define KIND   "301306072a8648ce3d0201" CURVE

static const struct {
    enum x509_key_form form;
    const char *hex, *why;
} ders[] = {
    {X509_KEY_SEC1, "30310201010420" SECRET "a00a" CURVE, ""},
    {X509_KEY_SEC1, "30770201010420" SECRET "a00a" CURVE "a144034200@", ""},
    {X509_KEY_PKCS8,
     "3041020100" KIND "0427"
     "30250201010420" SECRET,
     ""},
    {X509_KEY_PKCS8,
     "304d020100" KIND "0433"
     "30310201010420" SECRET "a00a" CURVE,
     ""},
    {X509_KEY_PKCS8,
     "304e020100" KIND "0427"
     "30250201010420" SECRET "a00b300906032a030431020500",
     ""},
    {X509_KEY_PKCS8,
     "3043020100" KIND "0427"
     "30250201010420" SECRET "a000",
     ""}, /* attributes */
    {X509_KEY_PKCS8,
     "308185020101" KIND "0427"
     "30250201010420" SECRET "814200@",
     ""}, /* version 2 */
    {X509_KEY_PKCS8,
     "308185020100" KIND "0427"
     "30250201010420" SECRET "814200@",
     NULL}, /* but says 1 */
    {X509_KEY_PKCS8,
     "308185020101" KIND "0427"
     "30250201010420" SECRET "814201@",
     NULL},
    {X509_KEY_SEC1, "30250201010420" SECRET, "the private key is damaged, or is none"}, /* which curve? */
    {X509_KEY_SEC1, "30310201020420" SECRET "a00a" CURVE, "the private key is damaged, or is none"},
    {X509_KEY_SEC1, "30310201010420" SECRET "a00a" CURVE "00", "the private key is damaged, or is none"},
    {X509_KEY_SEC1, "3031020101041f" SECRET "a00a" CURVE, "the private key is damaged, or is none"},
    {X509_KEY_SEC1,
     "30300201010410"
     "01010101010101010101010101010101"
     "a00a" CURVE,
     NULL},
    {X509_KEY_SEC1,
     "30210201010410"
     "01010101010101010101010101010101"
     "a00a" CURVE,
     "the private key must have 32 bytes"},
    {X509_KEY_SEC1, "30770201010420" SECRET "a00a" CURVE "a144034200!",
     "the private key is damaged: its public part is not its own"},
    {X509_KEY_SEC1,
     "30350201010420" SECRET "a00a" CURVE "a102"
     "0300",
     NULL},
    {X509_KEY_SEC1, "303102010104200000000000000000000000000000000000000000000000000000000000000000a00a" CURVE,
     "these bytes are not a private key on P-256"},
    {X509_KEY_PKCS8,
     "304d020100" KIND "0433"
     "30310201010420" SECRET "a00a"
     "06082a8648ce3d030106",
     "the private key is damaged, or is none"}, /* two curves */
    {X509_KEY_PKCS8,
     "3041020102" KIND "0427"
     "30250201010420" SECRET,
     "the private key is damaged, or is none"},
    {X509_KEY_PKCS8, "30250201010420" SECRET, "the private key is damaged, or is none"},
    {X509_KEY_PKCS8, "", "the private key is damaged, or is none"},
};

TEST(a_key_is_read_strictly) {
    struct x509_key key = play_key(1), got;
    for (size_t i = 0; i < sizeof ders / sizeof *ders; i++) {
        struct buf der;
        struct err e = ERR_INIT;
        const char *hex = ders[i].hex;
        size_t plain = strcspn(hex, "@!");
        buf_init(&der, 1000);
        CHECK(hex_read(&der, slice_of(hex, plain), NULL));
        if (hex[plain]) buf_add(&der, play_point(&key));
        if (hex[plain] == '!') der.ptr[der.len - 1] ^= 1;
        bool good = x509_key_read(&got, ders[i].form, tap_guarded(buf_slice(&der)), &e);
        bool want = ders[i].why && !ders[i].why[0];
        if (!CHECK(good == want)) tap_note("case %zu: %s", i, e.text);
        if (ders[i].why) CHECK_TEXT(slice_str(e.text), slice_str(ders[i].why));
        if (good) CHECK(!memcmp(&key, &got, sizeof key));
        for (size_t len = 0; good && len < der.len; len++) /* cut anywhere */
            CHECK(!x509_key_read(&got, ders[i].form, tap_guarded(slice_head(buf_slice(&der), len)), &e));
        buf_release(&der);
    }
}

static bool write_and_read(void *arg) {
    struct x509_key *key = arg, again;
    struct buf text;
    struct err e = ERR_INIT;
    buf_init(&text, 1000);
    bool good = x509_key_write_pem(&text, key, X509_KEY_PKCS8, &e) &&
                x509_key_read_pem(&again, buf_slice(&text), &play_pem, &e);
    CHECK(good || e.code == ERR_NOMEM);
    buf_release(&text);
    return good;
}

TEST(every_failed_allocation_is_an_error_of_that_call) {
    struct x509_key key = play_key(1);
    faults_sweep(write_and_read, &key, "a key");
}

TAP_MAIN(T(signatures_are_those_of_rfc_6979), T(a_signature_in_another_form_is_none),
         T(only_numbers_below_the_order_are_keys), T(a_point_lies_on_the_curve), T(a_key_id_is_the_head_of_the_sha_256),
         T(what_is_written_reads_back_and_openssl_reads_it), T(keys_of_openssl_are_read_and_others_refused_with_words),
         T(a_key_is_read_strictly), T(every_failed_allocation_is_an_error_of_that_call))
