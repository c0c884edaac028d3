/* x509.c - any bytes as a certificate ('c'), a private key as PKCS #8 ('p') or SEC 1 ('s'), or a PEM text with a key in it.
 *
 * Beyond not crashing: what was read lies within the bytes; all that is walked over ends; what a certificate says can be wanted
 * again, and is then read again as the same. A key that was read, written and read again is the same. */
#include "protocols/x509.h"
#include "base/must.h"
#include "base/utf8.h"
#include "protocols/der.h"
#include "protocols/x509_oid.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct x509_limits limits = {.bytes = 1 << 15, .extensions = 20, .alts = 100};

static bool lies_in(struct slice part, struct slice whole) {
    return !part.len || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

static void check_name(const struct x509_name *name, struct slice der) {
    struct buf text;
    must(lies_in(name->der, der) && lies_in(name->common_name, der) && lies_in(name->organization, der) &&
         lies_in(name->unit, der) && utf8_ok(name->common_name) && utf8_ok(name->organization) && utf8_ok(name->unit));
    buf_init(&text, 1 << 20);
    must(x509_name_add_text(&text, name) && utf8_ok(buf_slice(&text)));
    for (size_t i = 0; i < text.len; i++) must(text.ptr[i] >= 0x20 && text.ptr[i] != 0x7f);
    buf_release(&text);
}

/* Everything that can be walked over; what of the names of hosts can be written goes to alts. */
static size_t walk(const struct x509 *cert, struct x509_alt *alts) {
    struct slice rest = cert->extensions, oid;
    struct x509_extension x;
    struct x509_alt alt;
    struct buf text;
    size_t n = 0;
    unsigned critical = 0;
    buf_init(&text, 1 << 20);
    while (x509_extension_next(&rest, &x)) {
        must(lies_in(x.value, cert->der) && x509_oid_add_text(&text, x.oid));
        critical += x.critical && !x.understood;
    }
    must(!rest.len && critical == cert->unknown_critical);
    for (rest = cert->purpose_oids; x509_purpose_next(&rest, &oid);) must(lies_in(oid, cert->der));
    must(!rest.len);
    for (rest = cert->alts; x509_alt_next(&rest, &alt);) {
        must(lies_in(alt.value, cert->der) && x509_alt_name(alt.kind)[0]);
        if (alt.kind == X509_ALT_DNS || alt.kind == X509_ALT_IP) alts[n++] = alt;
    }
    must(!rest.len);
    buf_release(&text);
    return n;
}

/* The same subject, dates and uses in a certificate of our own, signed by a signature that is none: only read. */
static void want_again(const struct x509 *cert, const struct x509_alt *alts, size_t n) {
    static struct x509_key key;
    static const uint8_t secret[X509_SECRET] = {1};
    struct x509 same;
    struct buf body, whole;
    struct err e = ERR_INIT;
    if (!key.point[0]) must(x509_key_set(&key, secret, NULL));
    struct x509_want want = {
        .serial = cert->serial,
        .subject = cert->subject,
        .not_before = cert->not_before,
        .not_after = cert->not_after,
        .point = slice_of(key.point, X509_POINT),
        .is_ca = cert->is_ca && cert->usage & X509_USAGE_SIGN_CERT,
        .path_length = cert->path_length,
        .usage = cert->usage & 0x1ff,
        .purposes = cert->purposes & (X509_PURPOSE_OTHER - 1u),
        .alts = alts,
        .alts_n = n,
        .authority = X509_BY_KEY | X509_BY_SERIAL,
        .acme = cert->acme,
    };
    if (!want.is_ca) want.path_length = -1, want.usage &= ~(unsigned)X509_USAGE_SIGN_CERT;
    buf_init(&body, 1 << 18);
    buf_init(&whole, 1 << 18);
    if (x509_write_body(&body, &want, &e)) {
        size_t all = der_open(&whole, DER_SEQUENCE);
        buf_add(&whole, buf_slice(&body));
        size_t algorithm = der_open(&whole, DER_SEQUENCE);
        der_add(&whole, DER_OID, x509_oid(X509_OID_ECDSA_SHA256));
        der_close(&whole, algorithm);
        der_add_bits(&whole, LIT("none"));
        der_close(&whole, all);
        struct x509_limits wide = {1 << 18, 20, 200};
        must(x509_read(&same, buf_slice(&whole), &wide, NULL));
        must(slice_eq(same.subject.der, cert->subject.der) && slice_eq(same.issuer.der, cert->subject.der) &&
             slice_eq(same.authority_name.der, cert->subject.der) && slice_eq(same.authority_serial, same.serial));
        must(same.not_before == cert->not_before && same.not_after == cert->not_after && same.is_ca == want.is_ca &&
             same.path_length == want.path_length && same.usage == want.usage && same.purposes == want.purposes &&
             slice_eq(same.acme, want.acme) && slice_eq(same.serial, cert->serial) && !same.unknown_critical);
        struct slice rest = same.alts;
        struct x509_alt alt;
        for (size_t i = 0; i < n; i++)
            must(x509_alt_next(&rest, &alt) && alt.kind == alts[i].kind && slice_eq(alt.value, alts[i].value));
        must(!rest.len);
    } else
        must(e.code == ERR_INVALID || e.code == ERR_UTF8);
    buf_release(&body);
    buf_release(&whole);
}

static void check_certificate(struct slice der) {
    struct x509 cert;
    struct err e = ERR_INIT;
    struct x509_alt alts[100];
    if (!x509_read(&cert, der, &limits, &e)) {
        must((e.code == ERR_SYNTAX && e.at <= der.len) || e.code == ERR_LIMIT);
        return;
    }
    must(cert.version >= 1 && cert.version <= 3 && slice_eq(cert.der, der) && lies_in(cert.body, der));
    must(lies_in(cert.serial, der) && cert.serial.len && lies_in(cert.key.der, der) && lies_in(cert.signature, der));
    must(lies_in(cert.subject_key_id, der) && lies_in(cert.authority_key_id, der) && lies_in(cert.acme, der));
    must(!cert.key.point.len || cert.key.point.len == X509_POINT);
    check_name(&cert.issuer, der);
    check_name(&cert.subject, der);
    check_name(&cert.authority_name, der);
    want_again(&cert, alts, walk(&cert, alts));
}

static void check_key(const struct x509_key *key) {
    for (int form = X509_KEY_PKCS8; form <= X509_KEY_SEC1; form++) {
        const struct pem_limits wide = {1000, 1};
        struct x509_key same;
        struct buf text;
        buf_init(&text, X509_KEY_PEM);
        must(x509_key_write_pem(&text, key, (enum x509_key_form)form, NULL) &&
             x509_key_read_pem(&same, buf_slice(&text), &wide, NULL) && !memcmp(key, &same, sizeof same));
        buf_release(&text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!size || size > 1 << 15) return 0;
    struct slice in = slice_of(data + 1, size - 1);
    struct x509_key key;
    struct err e = ERR_INIT;
    const struct pem_limits wide = {1 << 14, 10};
    switch (data[0]) {
    case 'c': check_certificate(in); break;
    case 'p':
    case 's':
        if (x509_key_read(&key, data[0] == 's' ? X509_KEY_SEC1 : X509_KEY_PKCS8, in, &e)) check_key(&key);
        break;
    default:
        if (x509_key_read_pem(&key, in, &wide, &e)) check_key(&key);
    }
    return 0;
}
