/* x509_read.c - certificates of others: those openssl makes, and those that are damaged or odd in one place. */
#include "lib/faults.h"
#include "protocols/der.h"
#include "protocols/x509_oid.h"
#include "protocols/x509_play.h"

/* --- what openssl makes --- */

static const char config[] = "[req]\n"
                             "distinguished_name=dn\nprompt=no\nstring_mask=MASK:0x2802\n" /* BMP, UTF-8, Printable */
                             "[dn]\nC=DE\n0.CN=first\n1.CN=second\nO=Box & Co, Ltd.\nemailAddress=a@b.example\n"
                             "0.1.3.6.1.4.1.311.1=odd\n"
                             "[plain]\nbasicConstraints=CA:FALSE\n"
                             "[odd]\nbasicConstraints=critical,CA:TRUE,pathlen:3\n"
                             "keyUsage=critical,keyCertSign,decipherOnly,keyAgreement\n"
                             "extendedKeyUsage=serverAuth,1.2.3.4,anyExtendedKeyUsage\n"
                             "subjectAltName=@alts\n"
                             "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid:always,issuer:always\n"
                             "nameConstraints=critical,permitted;DNS:.example\n"
                             "certificatePolicies=1.2.3.4.5\n"
                             "1.2.3.4.5.6=critical,ASN1:UTF8String:hello\n"
                             "tlsfeature=status_request\n"
                             "[alts]\nDNS.1=a.example\nDNS.2=*.b.example\nIP.1=10.0.0.1\nIP.2=fe80::1\n"
                             "email.1=a@b.example\nURI.1=https://a.example/x?y\nRID.1=1.2.3.4\ndirName.1=names\n"
                             "otherName.1=1.2.3.4;UTF8:other\n"
                             "[names]\nCN=inner\n";

/* Makes NAME.pem, signed by its own key of that kind. */
static bool make(const char *name, const char *algorithm, const char *option, const char *part) {
    char key[40], pem[40];
    snprintf(key, sizeof key, "%s.key", name);
    snprintf(pem, sizeof pem, "%s.pem", name);
    if (option[0] ? PLAY_RUN("openssl", "genpkey", "-algorithm", algorithm, "-pkeyopt", option, "-out", key)
                  : PLAY_RUN("openssl", "genpkey", "-algorithm", algorithm, "-out", key))
        return false;
    return !PLAY_RUN("openssl", "req", "-x509", "-new", "-key", key, "-config", "conf", "-extensions", part, "-days",
                     "30", "-set_serial", "0x00FEDCBA9876543210", "-out", pem);
}

/* The certificate read from NAME.pem; der holds its bytes. */
static bool read_file(const char *name, struct buf *der, struct x509 *cert) {
    struct err e = ERR_INIT;
    buf_init(der, 1 << 16);
    if (!CHECK(play_read_pem(name, der))) return false;
    if (CHECK(x509_read(cert, buf_slice(der), &play_limits, &e))) return true;
    tap_note("%s: %s", name, e.text);
    return false;
}

static void check_name(const struct x509_name *name, const char *want) {
    struct buf text;
    buf_init(&text, 4000);
    CHECK(x509_name_add_text(&text, name));
    CHECK_TEXT(buf_slice(&text), slice_str(want));
    buf_release(&text);
}

TEST(keys_of_all_kinds_are_described) {
    PLAY_NEEDS_OPENSSL();
    static const struct {
        const char *name, *algorithm, *option;
        enum x509_key_kind kind;
        unsigned bits;
        const char *signed_with;
    } kinds[] = {
        {"p256", "EC", "ec_paramgen_curve:P-256", X509_KEY_P256, 256, "ecdsa-with-SHA256"},
        {"p384", "EC", "ec_paramgen_curve:P-384", X509_KEY_P384, 384, "ecdsa-with-SHA256"},
        {"p521", "EC", "ec_paramgen_curve:P-521", X509_KEY_P521, 521, "ecdsa-with-SHA256"},
        {"k256", "EC", "ec_paramgen_curve:secp256k1", X509_KEY_CURVE, 256, "ecdsa-with-SHA256"},
        {"rsa", "RSA", "rsa_keygen_bits:1024", X509_KEY_RSA, 1024, "sha256WithRSAEncryption"},
        {"odd-rsa", "RSA", "rsa_keygen_bits:1031", X509_KEY_RSA, 1031, "sha256WithRSAEncryption"},
        {"pss", "RSA-PSS", "rsa_keygen_bits:1024", X509_KEY_RSA, 1024, "RSASSA-PSS"},
        {"ed25519", "ED25519", "", X509_KEY_ED25519, 256, "Ed25519"},
        {"ed448", "ED448", "", X509_KEY_ED448, 456, "Ed448"},
    };
    play_write("conf", slice_str(config));
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char pem[40];
        struct buf der;
        struct x509 cert;
        CHECK(make(kinds[i].name, kinds[i].algorithm, kinds[i].option, "plain"));
        snprintf(pem, sizeof pem, "%s.pem", kinds[i].name);
        if (read_file(pem, &der, &cert)) {
            CHECK_TEXT(slice_str(x509_kind_name(cert.key.kind)), slice_str(x509_kind_name(kinds[i].kind)));
            CHECK_INT(cert.key.bits, kinds[i].bits);
            CHECK_TEXT(slice_str(x509_oid_name(cert.signed_with)), slice_str(kinds[i].signed_with));
            CHECK_INT(cert.key.point.len, kinds[i].kind == X509_KEY_P256 ? 65 : 0);
            CHECK_INT(cert.not_after - cert.not_before, 30 * DAYS);
            CHECK(slice_eq(cert.serial, LIT("\xfe\xdc\xba\x98\x76\x54\x32\x10")) && cert.version == 3);
            if (kinds[i].kind == X509_KEY_P256) CHECK(x509_key_signed(cert.key.point, cert.body, cert.signature));
            check_name(&cert.subject, "C=DE, CN=first, CN=second, O=Box & Co\\, Ltd., emailAddress=a@b.example, "
                                      "1.3.6.1.4.1.311.1=odd");
            CHECK_TEXT(cert.subject.common_name, LIT("first"));
            CHECK(!cert.subject.organization.len); /* for & openssl takes a BMPString, which is no UTF-8 */
        }
        buf_release(&der);
    }
}

TEST(odd_extensions_are_understood_or_named) {
    PLAY_NEEDS_OPENSSL();
    static const char *const alts[] = {"dns a.example",
                                       "dns *.b.example",
                                       "ip 0a000001",
                                       "ip fe800000000000000000000000000001",
                                       "email a@b.example",
                                       "uri https://a.example/x?y",
                                       "id 2a0304",
                                       "name CN=inner",
                                       "other 06032a0304a0070c056f74686572"};
    struct buf der, text;
    struct x509 cert;
    play_write("conf", slice_str(config));
    CHECK(make("odd", "EC", "ec_paramgen_curve:P-256", "odd"));
    buf_init(&text, 4000);
    if (read_file("odd.pem", &der, &cert)) {
        CHECK(cert.is_ca && cert.path_length == 3 && cert.has_usage);
        CHECK_INT(cert.usage, X509_USAGE_SIGN_CERT | X509_USAGE_DECIPHER_ONLY | X509_USAGE_AGREE);
        CHECK_INT(cert.purposes, X509_PURPOSE_SERVER | X509_PURPOSE_OTHER | X509_PURPOSE_ANY);
        CHECK(cert.subject_key_id.len == 20 && slice_eq(cert.authority_key_id, cert.subject_key_id));
        CHECK(slice_eq(cert.authority_serial, cert.serial) && slice_eq(cert.authority_name.der, cert.subject.der));
        struct slice rest = cert.alts;
        struct x509_alt alt;
        unsigned n = 0;
        for (; x509_alt_next(&rest, &alt) && n < 9; n++) {
            struct x509_name inner = {.der = alt.value};
            buf_reset(&text);
            buf_printf(&text, "%s ", x509_alt_name(alt.kind));
            if (alt.kind == X509_ALT_NAME)
                x509_name_add_text(&text, &inner);
            else if (alt.kind == X509_ALT_DNS || alt.kind == X509_ALT_EMAIL || alt.kind == X509_ALT_URI)
                buf_add(&text, alt.value);
            else
                hex_add(&text, alt.value);
            CHECK_TEXT(buf_slice(&text), slice_str(alts[n]));
        }
        CHECK_INT(n, 9);
        CHECK_INT(cert.unknown_critical, 2);
        struct x509_extension x;
        buf_reset(&text);
        for (rest = cert.extensions; x509_extension_next(&rest, &x);) {
            if (x.understood) continue;
            x509_oid_add_text(&text, x.oid);
            buf_printf(&text, " %s %d\n", x509_oid_name(x.oid) ? x509_oid_name(x.oid) : "?", x.critical);
        }
        CHECK_TEXT(buf_slice(&text), LIT("2.5.29.30 nameConstraints 1\n2.5.29.32 certificatePolicies 0\n"
                                         "1.2.3.4.5.6 ? 1\n1.3.6.1.5.5.7.1.24 tlsFeature 0\n"));
        /* It is an authority, but what it may sign is not known here. */
        struct x509_key key = play_key(3);
        struct x509_want want = {.serial = LIT("\x01"),
                                 .issuer = &cert,
                                 .subject = {.common_name = LIT("x")},
                                 .point = play_point(&key),
                                 .path_length = -1,
                                 .authority = X509_BY_KEY};
        struct err e = ERR_INIT;
        CHECK(!x509_write_body(&text, &want, &e));
        CHECK_TEXT(slice_str(e.text),
                   LIT("the certificate of the issuer has a critical extension that is not understood"));
    }
    buf_release(&text);
    buf_release(&der);
}

TEST(a_certificate_of_version_1_is_read) {
    PLAY_NEEDS_OPENSSL();
    struct buf der;
    struct x509 cert;
    CHECK_INT(PLAY_RUN("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "v1.key"), 0);
    CHECK_INT(PLAY_RUN("openssl", "req", "-new", "-key", "v1.key", "-subj", "/O=a+OU=b/CN=c", "-multivalue-rdn", "-out",
                       "v1.csr"),
              0);
    CHECK_INT(PLAY_RUN("openssl", "x509", "-req", "-in", "v1.csr", "-signkey", "v1.key", "-out", "v1.pem"), 0);
    if (read_file("v1.pem", &der, &cert)) {
        CHECK(cert.version == 1 && !cert.has_basic && !cert.has_usage && !cert.extensions.len && !cert.is_ca);
        check_name(&cert.subject, "O=a + OU=b, CN=c");
    }
    buf_release(&der);
}

/* --- pieces put together by hand --- */

/* A certificate of which each piece can be replaced; pieces are hexadecimal. */
enum piece { VERSION, SERIAL, INNER, ISSUER, DATES, SUBJECT, KEY, IDS, EXTENSIONS, BEHIND, OUTER, SIGNATURE, PIECES };

#define ALG   "300a06082a8648ce3d040302"
#define NAME_ "300c310a300806035504030c0178"
#define RSA   "301b300d06092a864886f70d0101010500030a003007020200ff020103"
static const char *const whole[PIECES] = {
    "a003020102", "020101",  ALG, NAME_, "301e170d3236303130313030303030305a170d3237303130313030303030305a",
    NAME_,        RSA,       "",  "",    "",
    ALG,          "030200ff"};

static void put(struct buf *out, const char *hex) {
    CHECK(hex_read(out, slice_str(hex), NULL));
}

static void assemble(struct buf *out, enum piece piece, const char *hex) {
    buf_reset(out);
    size_t all = der_open(out, DER_SEQUENCE), body = der_open(out, DER_SEQUENCE);
    for (int i = 0; i < PIECES; i++) {
        if (i == BEHIND) der_close(out, body);
        if ((enum piece)i != EXTENSIONS || piece != EXTENSIONS) {
            put(out, (enum piece)i == piece ? hex : whole[i]);
            continue;
        }
        size_t part = der_open(out, DER_PART(3)), list = der_open(out, DER_SEQUENCE);
        put(out, hex);
        der_close(out, list);
        der_close(out, part);
    }
    der_close(out, all);
}

#define BASIC "0603551d13"
#define USAGE "0603551d0f"
#define SKI   "0603551d0e"
#define AKI   "0603551d23"
#define ALT   "0603551d11"
#define EKU   "0603551d25"
#define ACME                                                                                                           \
    "06082b06010505070"                                                                                                \
    "11f"
#define OTHER "06022a03"

static const struct {
    enum piece piece;
    const char *hex, *why; /* "": it is read */
} pieces[] = {
    {VERSION, "a003020102", ""},
    {VERSION, "", ""},
    {VERSION, "a003020101", ""},
    {VERSION, "a003020100", "its version"}, /* the default stands there */
    {VERSION, "a003020103", "its version"},
    {VERSION, "a00402010200", "its version"},
    {SERIAL, "020100", ""}, /* not allowed, but there are some */
    {SERIAL, "021600ffffffffffffffffffffffffffffffffffffffffff", ""},
    {SERIAL, "0201ff", "its serial number"}, /* negative */
    {SERIAL, "02020001", "its serial number"},
    {SERIAL, "0200", "its serial number"},
    {SERIAL, "040101", "its serial number"},
    {INNER, "300a06082a8648ce3d040303", "its signature"}, /* not the algorithm that stands outside */
    {INNER, "0500", "its algorithm"},
    {ISSUER, "3000", ""},
    {ISSUER, "30023100", "the name of its issuer"},
    {ISSUER, "300c310a300806035504030c01ff", "the name of its issuer"}, /* not UTF-8 */
    {ISSUER, "300c310a300806035504031301e4", "the name of its issuer"}, /* not ASCII */
    {ISSUER, "300c310a300806035504031e0178", "the name of its issuer"}, /* half a character */
    {ISSUER, "300c310a300806035504031401e4", ""},                       /* Latin-1 */
    {ISSUER, "300e310c300a06035504030c01780500", "the name of its issuer"},
    {ISSUER, "300b3109300706035504030c00", ""},
    {ISSUER, "3009310730050603550403", "the name of its issuer"},
    {ISSUER, "30163114300806035504030c0178300806035504030c0179", ""},
    {ISSUER, "30163114300806035504030c0179300806035504030c0178", "the name of its issuer"}, /* order */
    {DATES, "301e170d3237303130313030303030305a170d3236303130313030303030305a", ""}, /* never valid, but well-formed */
    {DATES, "300f170d3236303130313030303030305a", "its dates"},
    {DATES, "301e170d3236303133313030303030305a170d3236303233303030303030305a", "its dates"},
    {DATES, "302d170d3236303130313030303030305a170d3237303130313030303030305a170d3237303130313030303030305a",
     "its dates"},
    {DATES, "3020180f32303236303130313030303030305a170d3237303130313030303030305a", ""}, /* 2026 in the long form */
    {KEY, "301b300d06092a864886f70d0101010500030a003007020200ff020103", ""},
    {KEY, "301a300d06092a864886f70d01010105000309003006020100020103", "its public key"},   /* modulus 0 */
    {KEY, "301b300d06092a864886f70d0101010500030a0030070202ff00020103", "its public key"}, /* negative */
    {KEY, "301b300d06092a864886f70d0101010500030a013007020200ff020102", "its public key"},
    {KEY, "301d300d06092a864886f70d0101010500030a003007020200ff0201030500", "its public key"},
    {KEY, "301d300f06092a864886f70d01010105000500030a003007020200ff020103", "its public key"},
    {KEY, "3019301306072a8648ce3d020106082a8648ce3d03010703020004", "its public key"}, /* a short point */
    {KEY,
     "3039301306072a8648ce3d020106082a8648ce3d0301070322000201010101010101010101010101010101010101010101010101010101010"
     "10101",
     ""}, /* compressed */
    {KEY,
     "3039301306072a8648ce3d020106082a8648ce3d0301070322000501010101010101010101010101010101010101010101010101010101010"
     "10101",
     "its public key"},
    {KEY, "3014300b06072a8648ce3d0201050003050004010101", "its public key"}, /* no curve */
    {KEY, "3013300d06072a8648ce3d02013002050003020004", ""},                 /* a curve in numbers */
    {KEY, "300c300506032b65700303000101", "its public key"},                 /* Ed25519 of two bytes */
    {KEY, "3016300f06072a8648ce3804013004020200ff0303000201", ""},           /* DSA, p and no more */
    {KEY, "3010300906072a8648ce3804010303000201", ""},
    {KEY, "300b300406022a030303000201", ""}, /* unknown */
    {IDS, "810200ff820200ff", ""},
    {IDS, "820200ff810200ff", "its extensions"},
    {IDS, "0500", "its extensions"},
    {EXTENSIONS, "", "its extensions"}, /* none, but the list stands there */
    {EXTENSIONS, "300c" BASIC "040530030101ff", ""},
    {EXTENSIONS, "300f" BASIC "040830060101ff020100", ""},
    {EXTENSIONS, "300c" BASIC "04053003020101", ""},
    {EXTENSIONS, "300c" BASIC "04053003010100", "basicConstraints"}, /* the default stands there */
    {EXTENSIONS, "300c" BASIC "04053003010101", "basicConstraints"},
    {EXTENSIONS, "300f" BASIC "040830060101ff0201ff", "basicConstraints"},
    {EXTENSIONS, "300b" BASIC "040430000500", "basicConstraints"},
    {EXTENSIONS, "300c" BASIC "0101ff04023000", ""},
    {EXTENSIONS, "300c" BASIC "01010004023000", "its extensions"}, /* not critical, and says so */
    {EXTENSIONS, "3009" BASIC "040230003009" BASIC "04023000", "an extension stands there twice"},
    {EXTENSIONS, "300906022a030403300100300606022a030400", "an extension stands there twice"},
    {EXTENSIONS, "3006" OTHER "0400", ""},
    {EXTENSIONS, "3009" OTHER "0101ff0400", ""},
    {EXTENSIONS, "3008" OTHER "04000500", "its extensions"},
    {EXTENSIONS, "300b" USAGE "040403020106", ""},
    {EXTENSIONS, "300b" USAGE "040403020006", ""}, /* zeros behind: some roots have them */
    {EXTENSIONS, "300a" USAGE "0403030100", "keyUsage"},
    {EXTENSIONS, "300b" USAGE "040403020107", "keyUsage"},
    {EXTENSIONS, "300a" SKI "04030401aa", ""},
    {EXTENSIONS, "3009" SKI "04020400", "subjectKeyIdentifier"},
    {EXTENSIONS, "300c" AKI "040530038001aa", ""},
    {EXTENSIONS, "3009" AKI "04023000", ""},
    {EXTENSIONS, "300b" AKI "040430028000", "authorityKeyIdentifier"},
    {EXTENSIONS, "300c" AKI "04053003820101", "authorityKeyIdentifier"},
    {EXTENSIONS, "300f" AKI "04083006a10482026162", "authorityKeyIdentifier"}, /* a name without serial */
    {EXTENSIONS, "3012" AKI "040b3009a10482026162820101", ""},
    {EXTENSIONS, "300c" ALT "04053003820161", ""},
    {EXTENSIONS, "3009" ALT "04023000", "subjectAltName"},
    {EXTENSIONS, "300c" ALT "04053003820100", "subjectAltName"}, /* a NUL */
    {EXTENSIONS, "300c" ALT "040530038201e4", "subjectAltName"},
    {EXTENSIONS, "300b" ALT "040430028200", "subjectAltName"},
    {EXTENSIONS, "300f" ALT "0408300687040a000001", ""},
    {EXTENSIONS, "300e" ALT "0407300587030a0000", "subjectAltName"},
    {EXTENSIONS, "300c" ALT "04053003890161", "subjectAltName"},
    {EXTENSIONS, "300c" ALT "04053003a20161", "subjectAltName"},
    {EXTENSIONS, "300c" ALT "04053003840161", "subjectAltName"},
    {EXTENSIONS, "300d" ALT "04063004a4023000", ""},
    {EXTENSIONS, "300d" ALT "04063004a4020500", "subjectAltName"},
    {EXTENSIONS, "300c" ALT "04053003880180", "subjectAltName"},
    {EXTENSIONS, "300d" EKU "0406300406022a03", ""},
    {EXTENSIONS, "3009" EKU "04023000", "extKeyUsage"},
    {EXTENSIONS, "300d" EKU "0406300406022a83", "extKeyUsage"},
    {EXTENSIONS, "3010" ACME "040404020102", "acmeIdentifier"},
    {BEHIND, "0500", "its signature"},
    {OUTER, "300c06082a8648ce3d0403020500", "its signature"},
    {SIGNATURE, "030100", "its signature"},
    {SIGNATURE, "030201fe", "its signature"},
    {SIGNATURE, "030200ff0500", "its signature"},
    {SIGNATURE, "", "its signature"},
};

TEST(every_piece_is_read_or_refused_by_name) {
    struct buf der, why;
    buf_init(&der, 4000);
    buf_init(&why, 400);
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        struct x509 cert = {.version = 77};
        struct err e = ERR_INIT;
        assemble(&der, pieces[i].piece, pieces[i].hex);
        bool good = x509_read(&cert, tap_guarded(buf_slice(&der)), &play_limits, &e);
        buf_reset(&why);
        if (pieces[i].why[0]) {
            buf_printf(&why, "this is not a certificate, or it is damaged: %s", pieces[i].why);
            CHECK(e.code == ERR_SYNTAX && e.at < der.len && cert.version == 77);
        }
        if (!CHECK(good == !pieces[i].why[0]) || !CHECK_TEXT(slice_str(e.text), buf_slice(&why)))
            tap_note("case %zu: %s", i, pieces[i].hex);
    }
    buf_release(&der);
    buf_release(&why);
}

TEST(a_version_without_extensions_has_none) {
    struct buf der;
    struct x509 cert;
    struct err e = ERR_INIT;
    buf_init(&der, 4000);
    assemble(&der, EXTENSIONS, "3009" BASIC "04023000");
    CHECK(x509_read(&cert, buf_slice(&der), &play_limits, &e) && cert.has_basic);
    size_t at = 4; /* the body's content; its version is the byte with the 2 */
    while (der.ptr[at] != 0xa0) at++;
    der.ptr[at + 4] = 1;
    CHECK(!x509_read(&cert, buf_slice(&der), &play_limits, &e));
    buf_release(&der);
}

TEST(no_cut_and_nothing_behind_is_a_certificate) {
    struct play_chain c;
    struct x509 cert;
    struct err e = ERR_INIT;
    CHECK(play_chain_make(&c, NULL));
    struct slice der = buf_slice(&c.leaf_der);
    for (size_t len = 0; len < der.len; len++)
        CHECK(!x509_read(&cert, tap_guarded(slice_head(der, len)), &play_limits, &e) && e.code == ERR_SYNTAX);
    CHECK(buf_byte(&c.leaf_der, 0) && !x509_read(&cert, buf_slice(&c.leaf_der), &play_limits, &e));
    CHECK(e.at == 0);
    /* Any byte changed: what is still read is read within its bounds (the sanitizers look). */
    unsigned read = 0;
    for (size_t i = 0; i < der.len; i++)
        for (int bit = 0; bit < 8; bit++) {
            c.leaf_der.ptr[i] ^= (uint8_t)(1 << bit);
            read += x509_read(&cert, tap_guarded(slice_head(buf_slice(&c.leaf_der), der.len)), &play_limits, &e);
            c.leaf_der.ptr[i] ^= (uint8_t)(1 << bit);
        }
    CHECK(read > 500 && read < 8 * der.len);
    play_chain_release(&c);
}

TEST(limits_are_held_and_named) {
    struct buf der;
    struct x509 cert;
    struct err e = ERR_INIT;
    buf_init(&der, 4000);
    assemble(&der, EXTENSIONS, "300f" ALT "040830068201618201623006" OTHER "0400");
    struct x509_limits tiny = {.bytes = der.len, .extensions = 2, .alts = 2};
    CHECK(x509_read(&cert, buf_slice(&der), &tiny, &e));
    tiny.bytes--;
    CHECK(!x509_read(&cert, buf_slice(&der), &tiny, &e) && e.code == ERR_LIMIT);
    CHECK_TEXT(slice_str(e.limit), LIT("bytes"));
    tiny.bytes++, tiny.extensions--;
    CHECK(!x509_read(&cert, buf_slice(&der), &tiny, &e) && e.code == ERR_LIMIT);
    CHECK_TEXT(slice_str(e.limit), LIT("extensions"));
    tiny.extensions++, tiny.alts--;
    CHECK(!x509_read(&cert, buf_slice(&der), &tiny, &e) && e.code == ERR_LIMIT);
    CHECK_TEXT(slice_str(e.limit), LIT("alts"));
    buf_release(&der);
}

/* --- names as text --- */

static const struct {
    const char *hex, *want; /* the parts of a name, hexadecimal */
} names[] = {
    {"", ""},
    {"310a300806035504030c0178", "CN=x"},
    {"310c300a060355040a0c03612662", "O=a&b"},
    {"3110300e06035504030c07612c2b225c3c20", "CN=a\\,\\+\\\"\\\\\\<\\ "},
    {"310d300b06035504030c0420232023", "CN=\\ # #"},
    {"310b300906035504030c022378", "CN=\\#x"},
    {"310d300b06035504030c04003d3e3b", "CN=\\00\\=\\>\\;"},
    {"310d300b06035504030c041b7f0a0d", "CN=\\1b\\7f\\0a\\0d"},
    {"310d300b06035504030c04c29bc3a4", "CN=\\c2\\9b\xc3\xa4"}, /* a control character of Latin-1 */
    {"310d300b06035504030c04e280ae78", "CN=\\e2\\80\\aex"},    /* turns the direction of writing */
    {"310d300b06035504030c04f09f8f9a", "CN=\xf0\x9f\x8f\x9a"},
    {"310d300b06035504031e0400e4263a", "CN=\xc3\xa4\xe2\x98\xba"}, /* BMPString */
    {"310d300b06035504031e04d8000041", "CN=\xef\xbf\xbd"
                                       "A"},                   /* half a pair is no character */
    {"310d300b06035504031c040001f3da", "CN=\xf0\x9f\x8f\x9a"}, /* UniversalString */
    {"310d300b06035504031c0400110000", "CN=\xef\xbf\xbd"},
    {"310b300906035504031402e441", "CN=\xc3\xa4"
                                   "A"},        /* TeletexString, taken for Latin-1 */
    {"310a30080603550403030100", "CN=#030100"}, /* bits are no text */
    {"3109300706022a030c0178", "1.2.3=x"},
    {"310e300c0607883767883767880c0178", NULL},
    {"310c300a060588376788370c0178", "2.999.103.1079=x"},
    {"31153013060e2affffffffffffffffffffffff7f0c0178", "1.2.?=x"},
};

TEST(names_are_printed_without_harm) {
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct buf der;
        struct x509 cert;
        struct err e = ERR_INIT;
        char hex[200];
        snprintf(hex, sizeof hex, "30%02x%s", (unsigned)strlen(names[i].hex) / 2, names[i].hex);
        buf_init(&der, 4000);
        assemble(&der, SUBJECT, hex);
        bool good = x509_read(&cert, buf_slice(&der), &play_limits, &e);
        if (!CHECK(good == (names[i].want != NULL))) tap_note("%s: %s", names[i].hex, e.text);
        if (good && names[i].want) check_name(&cert.subject, names[i].want);
        buf_release(&der);
    }
}

TEST(walkers_over_anything_end) {
    /* Names that nobody has read before: nothing is shown, or what there is. */
    static const char *const any[] = {"", "30", "3000", "300231", "30023100", "3004310230003100", "0500", "300ba4"};
    for (size_t i = 0; i < sizeof any / sizeof *any; i++) {
        struct buf b, text;
        buf_init(&b, 100);
        buf_init(&text, 100);
        put(&b, any[i]);
        struct x509_name name = {.der = buf_slice(&b)};
        struct slice rest = buf_slice(&b), oid;
        struct x509_alt alt;
        struct x509_extension x;
        CHECK(x509_name_add_text(&text, &name) && !text.len);
        CHECK(!x509_alt_next(&rest, &alt) && !x509_extension_next(&rest, &x) && !x509_purpose_next(&rest, &oid));
        buf_release(&b);
        buf_release(&text);
    }
}

TAP_MAIN(T(keys_of_all_kinds_are_described), T(odd_extensions_are_understood_or_named),
         T(a_certificate_of_version_1_is_read), T(every_piece_is_read_or_refused_by_name),
         T(a_version_without_extensions_has_none), T(no_cut_and_nothing_behind_is_a_certificate),
         T(limits_are_held_and_named), T(names_are_printed_without_harm), T(walkers_over_anything_end))
