/* tls_pem.c - certificates, keys and roots as text and as DER: what is read, what is refused, and with which words. */
#include "tls_play.h"

#include "lib/faults.h"
#include "wire/tls_der.h"
#include "wire/tls_identity.h"
#include "wire/tls_pem.h"

/* --- DER made here --- */

static void put(struct buf *b, unsigned tag, struct slice s) {
    buf_byte(b, (uint8_t)tag);
    if (s.len >= 256) {
        buf_byte(b, 0x82);
        buf_be16(b, (uint16_t)s.len);
    } else {
        if (s.len >= 128) buf_byte(b, 0x81);
        buf_byte(b, (uint8_t)s.len);
    }
    buf_add(b, s);
}

/* The bytes of `inner` in an element of `outer`; `inner` is empty then. */
static void wrap(struct buf *outer, unsigned tag, struct buf *inner) {
    put(outer, tag, buf_slice(inner));
    buf_reset(inner);
}

struct shape {
    const char *from, *to; /* 13 characters: UTCTime; 15: GeneralizedTime */
    struct slice names;    /* in the extension; ptr NULL: no extension */
    bool names_twice;
};

/* A certificate that nobody signed. */
static void make_cert(struct buf *out, const struct shape *shape) {
    struct buf tbs, part, ext, inner;
    buf_init(&tbs, 1 << 16);
    buf_init(&part, 1 << 16);
    buf_init(&ext, 1 << 16);
    buf_init(&inner, 1 << 16);
    put(&part, 0x02, slice_of("\x02", 1));
    wrap(&tbs, 0xa0, &part);
    put(&tbs, 0x02, slice_of("\x01", 1));
    put(&tbs, 0x30, LIT(""));
    put(&tbs, 0x30, LIT(""));
    put(&part, strlen(shape->from) == 13 ? 0x17 : 0x18, slice_str(shape->from));
    put(&part, strlen(shape->to) == 13 ? 0x17 : 0x18, slice_str(shape->to));
    wrap(&tbs, 0x30, &part);
    put(&tbs, 0x30, LIT(""));
    put(&tbs, 0x30, LIT("the key"));
    for (int i = 0; shape->names.ptr && i < 1 + shape->names_twice; i++) {
        put(&inner, 0x06, slice_of("\x55\x1d\x11", 3));
        put(&inner, 0x01, slice_of("\xff", 1));
        put(&part, 0x30, shape->names);
        put(&inner, 0x04, buf_slice(&part));
        buf_reset(&part);
        wrap(&ext, 0x30, &inner);
    }
    if (ext.len) {
        wrap(&part, 0x30, &ext);
        wrap(&tbs, 0xa3, &part);
    }
    wrap(&part, 0x30, &tbs);
    put(&part, 0x30, LIT(""));
    put(&part, 0x03, LIT("signature"));
    wrap(out, 0x30, &part);
    buf_release(&tbs);
    buf_release(&part);
    buf_release(&ext);
    buf_release(&inner);
}

static bool read_shape(const struct shape *shape, struct tls_cert *c, struct buf *der) {
    buf_init(der, 1 << 16);
    make_cert(der, shape);
    return tls_cert_read(tap_guarded(buf_slice(der)), c, &err);
}

TEST(dates_are_read_to_the_second) {
    static const struct {
        const char *text;
        int64_t at;
    } good[] = {
        {"700101000000Z", 0},
        {"691231235959Z", -1},
        {"491231235959Z", 2524607999},
        {"500101000000Z", -631152000},
        {"000229000000Z", 951782400},
        {"20000301000000Z", 951868800},
        {"19000301000000Z", -2203891200},
        {"20380119031408Z", 2147483648},
        {"21000228235959Z", 4107542399},
        {"99991231235959Z", 253402300799},
        {"00000101000000Z", -62167219200},
    };
    static const char *const bad[] = {"701301000000Z",   "700001000000Z",   "700132000000Z",   "700100000000Z",
                                      "700101240000Z",   "700101006000Z",   "700101000060Z",   "700101000000z",
                                      "7001010000000",   "70010100000AZ",   "20230229000000Z", "21000229000000Z",
                                      "2023022900000+Z", "20230431000000Z", "- 0101000000Z"};
    struct tls_cert c;
    struct buf der;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        CHECK(read_shape(&(struct shape){.from = good[i].text, .to = "20500101000000Z"}, &c, &der));
        CHECK_INT(c.from, good[i].at);
        CHECK_INT(c.to, 2524608000);
        buf_release(&der);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (!CHECK(!read_shape(&(struct shape){.from = bad[i], .to = "20500101000000Z"}, &c, &der)))
            tap_note("%s", bad[i]);
        CHECK_TEXT(slice_str(err.text), LIT("this is not a certificate, or it is damaged"));
        buf_release(&der);
    }
}

TEST(a_certificate_is_read_whole_or_not_at_all) {
    static const char names[] = "\x82\x03"
                                "a.b\x87\x04\x7f\0\0\x01\x81\x03x@y";
    const struct shape shape = {"250101000000Z", "260101000000Z", {(const uint8_t *)names, sizeof names - 1}, false};
    struct tls_cert c;
    struct buf der, longer;
    unsigned kind;
    struct slice name;
    CHECK(read_shape(&shape, &c, &der));
    CHECK_TEXT(c.key, LIT("0\x07the key"));
    CHECK(tls_cert_name(&c.names, &kind, &name) && kind == TLS_NAME_DNS);
    CHECK_TEXT(name, LIT("a.b"));
    CHECK(tls_cert_name(&c.names, &kind, &name) && kind == TLS_NAME_IP && name.len == 4);
    CHECK(tls_cert_name(&c.names, &kind, &name) && kind == 1);
    CHECK(!tls_cert_name(&c.names, &kind, &name));
    for (size_t n = 0; n < der.len; n++) CHECK(!tls_cert_read(tap_guarded(slice_head(buf_slice(&der), n)), &c, NULL));
    buf_init(&longer, 1 << 16);
    buf_add(&longer, buf_slice(&der));
    buf_byte(&longer, 0);
    CHECK(!tls_cert_read(buf_slice(&longer), &c, NULL));
    /* Every byte that says how long something is, one more or less. */
    unsigned refused = 0;
    for (size_t i = 0; i < der.len; i++) {
        for (int step = -1; step <= 1; step += 2) {
            longer.ptr[i] = (uint8_t)(der.ptr[i] + step);
            refused += !tls_cert_read(tap_guarded(slice_head(buf_slice(&longer), der.len)), &c, NULL);
            longer.ptr[i] = der.ptr[i];
        }
    }
    tap_note("%u of %zu changes refused", refused, 2 * der.len);
    CHECK(refused > der.len / 2);
    buf_release(&longer);
    buf_release(&der);
    CHECK(!read_shape(&(struct shape){shape.from, shape.to, shape.names, true}, &c, &der)); /* names twice */
    buf_release(&der);
    CHECK(!read_shape(&(struct shape){shape.from, shape.to, LIT(""), false}, &c, &der));
    buf_release(&der);
    CHECK(!read_shape(&(struct shape){shape.from, shape.to, LIT("\x02\x01x"), false}, &c, &der));
    buf_release(&der);
    CHECK(!read_shape(&(struct shape){shape.from, shape.to, LIT("\x82\x02x"), false}, &c, &der));
    buf_release(&der);
}

TEST(lengths_are_in_their_shortest_form) {
    static const char *const indefinite = "\x30\x80\x30\x00\x00\x00";
    struct tls_cert c;
    CHECK(!tls_cert_read(slice_of(indefinite, 6), &c, &err));
    CHECK(!tls_cert_read(slice_of("\x30\x81\x05\x30\x03\x02\x01\x01", 8), &c, &err));
    CHECK(!tls_cert_read(slice_of("\x30\x82\0\x05\x30\x03\x02\x01\x01", 9), &c, &err));
    CHECK(!tls_cert_read(slice_of("\x30\x84\xff\xff\xff\xff", 6), &c, &err));
    CHECK(!tls_cert_read(slice_of("\x30\x83\xff\xff\xff", 5), &c, &err));
    CHECK(!tls_cert_read(slice_of("", 0), &c, &err));
}

TEST(names_fit_hosts_as_browsers_hold_it) {
    static const char dns[] = "\x82\x08"
                              "box.test\x82\x0a*.box.test\x82\x06"
                              "*.long\x82\x08xn*.test\x82\x01*\x82\x0c"
                              "192.168.0.99";
    static const char ip[] = "\x87\x04\xc0\xa8\0\x01\x87\x10\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x87\x03"
                             "bad";
    static const struct {
        const char *host;
        enum tls_fit dns, ip;
    } cases[] = {
        {"box.test", TLS_FIT_EXACT, TLS_FIT_NONE},
        {"BOX.tesT", TLS_FIT_EXACT, TLS_FIT_NONE},
        {"a.box.test", TLS_FIT_WILDCARD, TLS_FIT_NONE},
        {"a.b.box.test", TLS_FIT_NONE, TLS_FIT_NONE},
        {".box.test", TLS_FIT_NONE, TLS_FIT_NONE},
        {"xbox.test", TLS_FIT_NONE, TLS_FIT_NONE},
        {"test", TLS_FIT_NONE, TLS_FIT_NONE},
        {"a.long", TLS_FIT_WILDCARD, TLS_FIT_NONE},
        {"xnx.test", TLS_FIT_NONE, TLS_FIT_NONE}, /* a star is a whole label */
        {"", TLS_FIT_NONE, TLS_FIT_NONE},
        {"192.168.0.1", TLS_FIT_NONE, TLS_FIT_EXACT},
        {"192.168.0.99", TLS_FIT_NONE, TLS_FIT_NONE}, /* an address is not a name */
        {"192.168.0.2", TLS_FIT_NONE, TLS_FIT_NONE},
        {"fd00::1", TLS_FIT_NONE, TLS_FIT_EXACT},
        {"fd00:0:0::0001", TLS_FIT_NONE, TLS_FIT_EXACT},
        {"fd00::2", TLS_FIT_NONE, TLS_FIT_NONE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tls_cert d = {.names = slice_of(dns, sizeof dns - 1)}, a = {.names = slice_of(ip, sizeof ip - 1)};
        if (!CHECK_INT(tls_cert_fit(&d, slice_str(cases[i].host)), cases[i].dns) ||
            !CHECK_INT(tls_cert_fit(&a, slice_str(cases[i].host)), cases[i].ip))
            tap_note("%s", cases[i].host);
    }
}

/* --- PEM --- */

static void check_blocks(struct slice text, const char *want) {
    struct buf der, got;
    struct slice label;
    enum tls_pem_step step;
    buf_init(&der, 1000);
    buf_init(&got, 10000);
    text = tap_guarded(text);
    while ((step = tls_pem_next(&text, &label, &der, &err)) == TLS_PEM_BLOCK) {
        buf_add(&got, label);
        buf_byte(&got, '=');
        buf_add(&got, buf_slice(&der));
        buf_byte(&got, ';');
    }
    if (step == TLS_PEM_BAD) buf_printf(&got, "%s", err.text);
    CHECK_TEXT(buf_slice(&got), slice_str(want));
    buf_release(&der);
    buf_release(&got);
}

TEST(pem_is_read_between_other_text_and_strictly_inside) {
#define B "-----BEGIN A-----\n"
#define E "-----END A-----\n"
    check_blocks(LIT(""), "");
    check_blocks(LIT("no block\nat all"), "");
    check_blocks(LIT(B "aGVsbG8=\n" E), "A=hello;");
    check_blocks(
        LIT("subject: x\n" B "aGVs\nbG8=\n" E "between\n-----BEGIN B C-----\r\naGVsbG8h\r\n-----END B C-----\r\n"),
        "A=hello;B C=hello!;");
    check_blocks(LIT(B "aGVsbG8=\n-----END A-----"), "A=hello;");
    check_blocks(LIT(B " aGV s\tbG8= \n" E), "A=hello;");
    check_blocks(LIT(B "aG\nVsbG\n8=\n" E), "A=hello;");
    check_blocks(LIT(B E), "the PEM block A is damaged");
    check_blocks(LIT(B "aGVsbG8=\n"), "the PEM block A is damaged");
    check_blocks(LIT(B "aGVsbG8=\n-----END B-----\n"), "the PEM block A is damaged");
    check_blocks(LIT(B "aGVsbG8\n" E), "the PEM block A is damaged");
    check_blocks(LIT(B "aGVsbG8=aGVs\n" E), "the PEM block A is damaged");
    check_blocks(LIT(B "aGVsbG9=\n" E), "the PEM block A is damaged"); /* bits left over */
    check_blocks(LIT(B "aGVs*G8=\n" E), "the PEM block A is damaged");
    check_blocks(LIT(B "aGVsbG8=\n" B "aGVsbG8=\n" E), "the PEM block A is damaged");
    check_blocks(LIT(B "Proc-Type: 4,ENCRYPTED\n\naGVsbG8=\n" E),
                 "the PEM block A is encrypted; it is needed without a passphrase");
    check_blocks(LIT("-----BEGIN -----\naGVs\n-----END -----\n"), "=hel;");
    check_blocks(LIT("-----BEGIN A----\naGVs\n" E), "");
    struct buf big;
    buf_init(&big, 1 << 16);
    buf_add_str(&big, B);
    for (int i = 0; i < 400; i++) buf_add_str(&big, "aGVs\n");
    buf_add_str(&big, E);
    check_blocks(buf_slice(&big), "over the limit LIMIT_TLS_DER, which allows 1000");
    buf_release(&big);
}

/* --- keys --- */

static const char *read_key(struct slice text, int *type) {
    static char why[ERR_TEXT];
    struct arena a;
    struct tls_key key;
    err = (struct err)ERR_INIT;
    arena_init(&a, 1 << 20);
    bool good = tls_key_read(&a, text, &key, &err);
    *type = key.type;
    CHECK_INT(good, key.type != 0);
    if (good) tls_key_wipe(&key);
    arena_release(&a);
    memcpy(why, err.text, sizeof why);
    return good ? "" : why;
}

static struct slice join(struct buf *b, struct slice x, struct slice y) {
    buf_init(b, 1 << 20);
    buf_add(b, x);
    buf_add(b, y);
    return buf_slice(b);
}

TEST(keys_of_every_usual_form_are_read) {
    PLAY_NEEDS_OPENSSL();
    static const struct {
        const char *name;
        int type;
        const char *why;
        const char *how[12];
    } cases[] = {
        {"ec1", BR_KEYTYPE_EC, "", {"ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "ec1"}},
        {"ec2",
         BR_KEYTYPE_EC,
         "",
         {"ecparam", "-name", "secp384r1", "-genkey", "-out", "ec2"}}, /* with its parameters */
        {"ec3", BR_KEYTYPE_EC, "", {"pkcs8", "-topk8", "-nocrypt", "-in", "ec1", "-out", "ec3"}},
        {"rsa1", BR_KEYTYPE_RSA, "", {"genrsa", "-out", "rsa1", "2048"}},
        {"rsa2", BR_KEYTYPE_RSA, "", {"rsa", "-traditional", "-in", "rsa1", "-out", "rsa2"}},
        {"rsa3", 0, "the RSA key has 1024 bits; want 2048 to 4096", {"genrsa", "-out", "rsa3", "1024"}},
        {"ec4",
         0,
         "the private key lies on a curve that is not used here; want P-256 or P-384",
         {"ecparam", "-name", "secp521r1", "-genkey", "-noout", "-out", "ec4"}},
        {"ed",
         0,
         "the private key cannot be read; EC and RSA keys are known",
         {"genpkey", "-algorithm", "ED25519", "-out", "ed"}},
        {"enc1",
         0,
         "the private key is encrypted; it is needed without a passphrase",
         {"pkcs8", "-topk8", "-passout", "pass:x", "-in", "ec1", "-out", "enc1"}},
        {"enc2",
         0,
         "the PEM block EC PRIVATE KEY is encrypted; it is needed without a passphrase",
         {"ec", "-aes128", "-passout", "pass:x", "-in", "ec1", "-out", "enc2"}},
    };
    int type;
    struct buf b;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *args[14] = {"openssl"};
        for (int k = 0; k < 12; k++) args[k + 1] = cases[i].how[k];
        CHECK_INT(play_run(args), 0);
        if (!CHECK_TEXT(slice_str(read_key(play_read(cases[i].name), &type)), slice_str(cases[i].why)))
            tap_note("%s", cases[i].name);
        CHECK_INT(type, cases[i].type);
    }
    CHECK_TEXT(slice_str(read_key(play_read("box.pem"), &type)),
               LIT("there is no private key in the text (want -----BEGIN PRIVATE KEY-----)"));
    CHECK_TEXT(slice_str(read_key(join(&b, play_read("ec1"), play_read("rsa1")), &type)),
               LIT("there is more than one private key in the text"));
    buf_release(&b);
    CHECK_TEXT(slice_str(read_key(join(&b, play_read("box.pem"), play_read("ec1")), &type)),
               LIT("")); /* one file of all */
    buf_release(&b);
}

static const char *read_identities(const struct tls_identity_text *text, unsigned n) {
    err = (struct err)ERR_INIT;
    struct tls_identities *set = tls_identities_new(text, n, &err);
    tls_identities_unref(set);
    return set ? "" : err.text;
}

TEST(identities_are_whole_or_refused_with_words) {
    PLAY_NEEDS_OPENSSL();
    struct tls_identity_text box = play_identity("box"), rsa = play_identity("rsa"), both = play_identity("both");
    struct tls_identity_text many[65], mixed[2] = {box, {box.chain, rsa.key}};
    struct buf b;
    CHECK_TEXT(slice_str(read_identities(&box, 1)), LIT(""));
    CHECK_TEXT(slice_str(read_identities((const struct tls_identity_text[]){box, rsa, both}, 3)), LIT(""));
    CHECK_TEXT(slice_str(read_identities(mixed, 2)),
               LIT("certificate 2 of 2: the private key does not belong to the certificate"));
    mixed[1] = (struct tls_identity_text){rsa.chain, box.key};
    CHECK_TEXT(slice_str(read_identities(mixed, 2)),
               LIT("certificate 2 of 2: the private key does not belong to the certificate"));
    mixed[1] = (struct tls_identity_text){rsa.chain, play_read("middle.key")};
    CHECK(read_identities(mixed, 2)[0]);
    CHECK_TEXT(slice_str(read_identities(&(struct tls_identity_text){box.key, box.key}, 1)),
               LIT("certificate 1 of 1: there is no certificate in the text (want -----BEGIN CERTIFICATE-----)"));
    CHECK_TEXT(slice_str(read_identities(&(struct tls_identity_text){LIT(""), box.key}, 1)),
               LIT("certificate 1 of 1: there is no certificate in the text (want -----BEGIN CERTIFICATE-----)"));
    CHECK_TEXT(slice_str(read_identities(NULL, 0)), LIT("a TLS server needs at least one certificate"));
    CHECK(read_identities(many, 65)[0]);
    CHECK_TEXT(slice_str(err.limit), LIT("LIMIT_TLS_IDENTITIES"));
    /* The chain in the wrong order: its first certificate has another key. */
    CHECK_TEXT(slice_str(read_identities(
                   &(struct tls_identity_text){join(&b, play_read("middle.pem"), play_read("box.pem")), box.key}, 1)),
               LIT("certificate 1 of 1: the private key does not belong to the certificate"));
    buf_release(&b);
    /* Eleven certificates. */
    buf_init(&b, 1 << 20);
    for (int i = 0; i < 11; i++) buf_add(&b, play_read("box.pem"));
    CHECK(read_identities(&(struct tls_identity_text){buf_slice(&b), box.key}, 1)[0]);
    CHECK_TEXT(slice_str(err.limit), LIT("LIMIT_TLS_CHAIN"));
    buf_release(&b);
    buf_init(&b, 4 << 20);
    while (b.len < (1 << 20))
        buf_add_str(&b, "a long letter before the certificate ....................................\n");
    CHECK(read_identities(&(struct tls_identity_text){buf_slice(&b), box.key}, 1)[0]);
    CHECK_TEXT(slice_str(err.limit), LIT("LIMIT_TLS_IDENTITY_TEXT"));
    buf_release(&b);
}

TEST(roots_that_cannot_be_used_are_left_out) {
    PLAY_NEEDS_OPENSSL();
    struct arena a;
    struct buf b;
    br_x509_trust_anchor *roots;
    unsigned n;
    CHECK_INT(PLAY_RUN("openssl", "genpkey", "-algorithm", "ED25519", "-out", "odd.key"), 0);
    CHECK_INT(PLAY_RUN("openssl", "req", "-x509", "-key", "odd.key", "-subj", "/CN=odd", "-out", "odd.pem"), 0);
    arena_init(&a, 1 << 20);
    CHECK(tls_roots_read(&a, join(&b, play_read("odd.pem"), play_read("root.pem")), &roots, &n, &err));
    CHECK_INT(n, 1);
    CHECK_INT(roots[0].flags, BR_X509_TA_CA);
    CHECK_INT(roots[0].pkey.key_type, BR_KEYTYPE_EC);
    buf_release(&b);
    CHECK(!tls_roots_read(&a, play_read("odd.pem"), &roots, &n, &err));
    CHECK_TEXT(slice_str(err.text), LIT("none of the certificates can be used as a root of trust"));
    CHECK(tls_roots_read(&a, play_read("self.pem"), &roots, &n, &err));
    CHECK_INT(roots[0].flags, 0); /* may be trusted itself, and signs nothing */
    arena_release(&a);
    arena_init(&a, 100);
    CHECK(!tls_roots_read(&a, play_read("root.pem"), &roots, &n, &err));
    CHECK_INT(err.code, ERR_NOMEM);
    arena_release(&a);
}

static bool read_all(void *arg) {
    struct tls_identity_text text[2] = {play_identity("box"), play_identity("rsa")};
    struct err e = ERR_INIT;
    struct arena a;
    br_x509_trust_anchor *roots;
    unsigned n;
    (void)arg;
    struct tls_identities *set = tls_identities_new(text, 2, &e);
    arena_init(&a, 1 << 20);
    bool good = set && tls_roots_read(&a, play_read("root.pem"), &roots, &n, &e);
    arena_release(&a);
    tls_identities_unref(set);
    return good;
}

TEST(memory_may_fail_anywhere_in_reading) {
    PLAY_NEEDS_OPENSSL();
    faults_sweep(read_all, NULL, "certificates, keys and roots");
}

TAP_MAIN(T(dates_are_read_to_the_second), T(a_certificate_is_read_whole_or_not_at_all),
         T(lengths_are_in_their_shortest_form), T(names_fit_hosts_as_browsers_hold_it),
         T(pem_is_read_between_other_text_and_strictly_inside), T(keys_of_every_usual_form_are_read),
         T(identities_are_whole_or_refused_with_words), T(roots_that_cannot_be_used_are_left_out),
         T(memory_may_fail_anywhere_in_reading))
