/* x509_oid.h - the object identifiers that certificates are made of, with the names people know.
 *
 * Never: tells what is understood: many are only named.
 * Tried: tests/protocols/x509. */
#ifndef PROTOCOLS_X509_OID_H
#define PROTOCOLS_X509_OID_H

#include "base/buf.h"

/* Content of the OBJECT IDENTIFIER; name. Those that the program itself looks for or writes. */
#define X509_OIDS(X)                                                                                                   \
    X(X509_OID_CN, "\x55\x04\x03", "CN")                                                                               \
    X(X509_OID_O, "\x55\x04\x0a", "O")                                                                                 \
    X(X509_OID_OU, "\x55\x04\x0b", "OU")                                                                               \
    X(X509_OID_SUBJECT_KEY, "\x55\x1d\x0e", "subjectKeyIdentifier")                                                    \
    X(X509_OID_USAGE, "\x55\x1d\x0f", "keyUsage")                                                                      \
    X(X509_OID_ALT, "\x55\x1d\x11", "subjectAltName")                                                                  \
    X(X509_OID_BASIC, "\x55\x1d\x13", "basicConstraints")                                                              \
    X(X509_OID_AUTHORITY_KEY, "\x55\x1d\x23", "authorityKeyIdentifier")                                                \
    X(X509_OID_PURPOSE, "\x55\x1d\x25", "extKeyUsage")                                                                 \
    X(X509_OID_ACME, "\x2b\x06\x01\x05\x05\x07\x01\x1f", "acmeIdentifier")                                             \
    X(X509_OID_REQUEST, "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e", "extensionRequest")                                    \
    X(X509_OID_EC, "\x2a\x86\x48\xce\x3d\x02\x01", "ecPublicKey")                                                      \
    X(X509_OID_P256, "\x2a\x86\x48\xce\x3d\x03\x01\x07", "P-256")                                                      \
    X(X509_OID_P384, "\x2b\x81\x04\x00\x22", "P-384")                                                                  \
    X(X509_OID_P521, "\x2b\x81\x04\x00\x23", "P-521")                                                                  \
    X(X509_OID_RSA, "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", "rsaEncryption")                                           \
    X(X509_OID_RSA_PSS, "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a", "RSASSA-PSS")                                          \
    X(X509_OID_ED25519, "\x2b\x65\x70", "Ed25519")                                                                     \
    X(X509_OID_ED448, "\x2b\x65\x71", "Ed448")                                                                         \
    X(X509_OID_DSA, "\x2a\x86\x48\xce\x38\x04\x01", "DSA")                                                             \
    X(X509_OID_ECDSA_SHA256, "\x2a\x86\x48\xce\x3d\x04\x03\x02", "ecdsa-with-SHA256")

enum x509_oid {
#define X(name, bytes, text) name,
    X509_OIDS(X)
#undef X
        X509_OID_N
};

struct slice x509_oid(enum x509_oid oid);
/* The name, or NULL. */
const char *x509_oid_name(struct slice oid);
/* Appends it as numbers with dots. It must be well-formed (der_oid_ok); a number beyond 2^64 is written as "?". */
bool x509_oid_add_text(struct buf *out, struct slice oid);

#endif
