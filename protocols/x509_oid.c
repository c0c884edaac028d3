/* x509_oid.c - see x509_oid.h. */
#include "protocols/x509_oid.h"

struct row {
    struct slice oid;
    const char *name;
};

static const struct row rows[] = {
#define X(id, bytes, text) [id] = {LIT_INIT(bytes), text},
    X509_OIDS(X)
#undef X
};

/* Those that are only named. */
static const struct row others[] = {
    {LIT_INIT("\x55\x04\x04"), "SN"},
    {LIT_INIT("\x55\x04\x05"), "serialNumber"},
    {LIT_INIT("\x55\x04\x06"), "C"},
    {LIT_INIT("\x55\x04\x07"), "L"},
    {LIT_INIT("\x55\x04\x08"), "ST"},
    {LIT_INIT("\x55\x04\x09"), "street"},
    {LIT_INIT("\x55\x04\x0c"), "title"},
    {LIT_INIT("\x55\x04\x0f"), "businessCategory"},
    {LIT_INIT("\x55\x04\x11"), "postalCode"},
    {LIT_INIT("\x55\x04\x2a"), "GN"},
    {LIT_INIT("\x55\x04\x61"), "organizationIdentifier"},
    {LIT_INIT("\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01"), "UID"},
    {LIT_INIT("\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19"), "DC"},
    {LIT_INIT("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01"), "emailAddress"},
    {LIT_INIT("\x2b\x06\x01\x04\x01\x82\x37\x3c\x02\x01\x01"), "jurisdictionL"},
    {LIT_INIT("\x2b\x06\x01\x04\x01\x82\x37\x3c\x02\x01\x02"), "jurisdictionST"},
    {LIT_INIT("\x2b\x06\x01\x04\x01\x82\x37\x3c\x02\x01\x03"), "jurisdictionC"},
    {LIT_INIT("\x55\x1d\x09"), "subjectDirectoryAttributes"},
    {LIT_INIT("\x55\x1d\x10"), "privateKeyUsagePeriod"},
    {LIT_INIT("\x55\x1d\x12"), "issuerAltName"},
    {LIT_INIT("\x55\x1d\x1e"), "nameConstraints"},
    {LIT_INIT("\x55\x1d\x1f"), "cRLDistributionPoints"},
    {LIT_INIT("\x55\x1d\x20"), "certificatePolicies"},
    {LIT_INIT("\x55\x1d\x21"), "policyMappings"},
    {LIT_INIT("\x55\x1d\x24"), "policyConstraints"},
    {LIT_INIT("\x55\x1d\x2e"), "freshestCRL"},
    {LIT_INIT("\x55\x1d\x36"), "inhibitAnyPolicy"},
    {LIT_INIT("\x2b\x06\x01\x05\x05\x07\x01\x01"), "authorityInfoAccess"},
    {LIT_INIT("\x2b\x06\x01\x05\x05\x07\x01\x03"), "qcStatements"},
    {LIT_INIT("\x2b\x06\x01\x05\x05\x07\x01\x0b"), "subjectInfoAccess"},
    {LIT_INIT("\x2b\x06\x01\x05\x05\x07\x01\x18"), "tlsFeature"},
    {LIT_INIT("\x2b\x06\x01\x04\x01\xd6\x79\x02\x04\x02"), "signedCertificateTimestamps"},
    {LIT_INIT("\x2b\x06\x01\x04\x01\xd6\x79\x02\x04\x03"), "precertificatePoison"},
    {LIT_INIT("\x60\x86\x48\x01\x86\xf8\x42\x01\x01"), "netscapeCertType"},
    {LIT_INIT("\x60\x86\x48\x01\x86\xf8\x42\x01\x0d"), "netscapeComment"},
    {LIT_INIT("\x2b\x65\x6e"), "X25519"},
    {LIT_INIT("\x2b\x65\x6f"), "X448"},
    {LIT_INIT("\x2b\x81\x04\x00\x0a"), "secp256k1"},
    {LIT_INIT("\x2b\x24\x03\x03\x02\x08\x01\x01\x07"), "brainpoolP256r1"},
    {LIT_INIT("\x2b\x24\x03\x03\x02\x08\x01\x01\x0b"), "brainpoolP384r1"},
    {LIT_INIT("\x2a\x86\x48\xce\x3d\x04\x01"), "ecdsa-with-SHA1"},
    {LIT_INIT("\x2a\x86\x48\xce\x3d\x04\x03\x01"), "ecdsa-with-SHA224"},
    {LIT_INIT("\x2a\x86\x48\xce\x3d\x04\x03\x03"), "ecdsa-with-SHA384"},
    {LIT_INIT("\x2a\x86\x48\xce\x3d\x04\x03\x04"), "ecdsa-with-SHA512"},
    {LIT_INIT("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04"), "md5WithRSAEncryption"},
    {LIT_INIT("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05"), "sha1WithRSAEncryption"},
    {LIT_INIT("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"), "sha256WithRSAEncryption"},
    {LIT_INIT("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c"), "sha384WithRSAEncryption"},
    {LIT_INIT("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d"), "sha512WithRSAEncryption"},
    {LIT_INIT("\x2b\x06\x01\x05\x05\x07\x03\x01"), "serverAuth"},
    {LIT_INIT("\x2b\x06\x01\x05\x05\x07\x03\x02"), "clientAuth"},
    {LIT_INIT("\x2b\x06\x01\x05\x05\x07\x03\x03"), "codeSigning"},
    {LIT_INIT("\x2b\x06\x01\x05\x05\x07\x03\x04"), "emailProtection"},
    {LIT_INIT("\x2b\x06\x01\x05\x05\x07\x03\x08"), "timeStamping"},
    {LIT_INIT("\x2b\x06\x01\x05\x05\x07\x03\x09"), "OCSPSigning"},
    {LIT_INIT("\x55\x1d\x25\x00"), "anyExtendedKeyUsage"},
};

struct slice x509_oid(enum x509_oid oid) {
    return (unsigned)oid < X509_OID_N ? rows[oid].oid : slice_of("", 0);
}

static const char *find_name(const struct row *row, size_t n, struct slice oid) {
    for (; n--; row++)
        if (slice_eq(row->oid, oid)) return row->name;
    return NULL;
}

const char *x509_oid_name(struct slice oid) {
    const char *name = find_name(rows, X509_OID_N, oid);
    return name ? name : find_name(others, sizeof others / sizeof *others, oid);
}

bool x509_oid_add_text(struct buf *out, struct slice oid) {
    uint64_t n = 0;
    bool first = true, over = false;
    for (size_t i = 0; i < oid.len; i++) {
        over |= n >> 57 != 0;
        n = n << 7 | (oid.ptr[i] & 0x7f);
        if (oid.ptr[i] & 0x80) continue;
        if (first &&
            !over) { /* the first two numbers are one: 40 times the first, which is at most 2, and the second */
            uint64_t top = n < 80 ? n / 40 : 2;
            buf_u64(out, top);
            n -= 40 * top;
        } else if (first)
            buf_byte(out, '2');
        buf_byte(out, '.');
        if (over)
            buf_byte(out, '?');
        else
            buf_u64(out, n);
        n = 0;
        first = over = false;
    }
    return buf_ok(out);
}
