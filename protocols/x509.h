/* x509.h - X.509 certificates (RFC 5280) written and read, and certificate requests (PKCS #10, RFC 2986) written.
 *
 * For: the certificate authority of the box (root, intermediate, leaves), requests for ACME and its challenge certificates, and
 *      reading any certificate for lists, expiry and names. All that is written is signed ecdsa-with-SHA256 on P-256.
 * Writing: x509_write is all there is to it. The certificate of the issuer is handed in, not its name: name, key id and what it
 *      may sign come from there, and what would not verify is refused. Where the key lies elsewhere (behind the warden), the
 *      same in two halves: x509_write_body, the signature made there, x509_write_signed.
 * Reading: strict DER. Keys that are not on P-256 are described by kind and size only. A critical extension that is not
 *      understood does not hinder reading; it is counted and can be named: who relies on the certificate must refuse it.
 * Owns: nothing. All slices of what was read point into the bytes it was read from.
 * Never: judges a chain, a date or a host (BearSSL does), makes randomness, knows the time.
 * Limits: struct x509_limits.
 * Tried: tests/protocols/x509, fuzz/x509, `startbox codec x509`. */
#ifndef PROTOCOLS_X509_H
#define PROTOCOLS_X509_H

#include "protocols/x509_key.h"

/* --- names --- */

/* Whose certificate it is. Written in this order, as UTF-8; what is empty is left out. Read: the first of each that is text in
 * a kind that is UTF-8 as it stands; the others are in `der`. */
struct x509_name {
    struct slice common_name, organization, unit;
    struct slice der; /* all of it as it stands. Not empty: it is what is written, and the others do not count */
};

/* The parts of a name as it was read, in order. False at the end. */
struct x509_part {
    struct slice oid, value;
    struct slice whole; /* the value with tag and length */
    unsigned tag;       /* of the value: DER_UTF8, ... */
    bool joined;        /* stands beside the part before it, not below */
};
struct x509_parts {
    struct slice rest, set; /* private */
};
struct x509_parts x509_name_parts(const struct x509_name *name);
bool x509_part_next(struct x509_parts *parts, struct x509_part *part);
/* Appends "CN=box, O=home": the parts in their order, written as RFC 4514 has it; always UTF-8 without control characters. */
bool x509_name_add_text(struct buf *out, const struct x509_name *name);

/* Subject alternative names. The numbers are those of GeneralName. */
#define X509_ALTS(X)                                                                                                   \
    X(X509_ALT_OTHER, 0, "other")                                                                                      \
    X(X509_ALT_EMAIL, 1, "email")                                                                                      \
    X(X509_ALT_DNS, 2, "dns")                                                                                          \
    X(X509_ALT_X400, 3, "x400")                                                                                        \
    X(X509_ALT_NAME, 4, "name")                                                                                        \
    X(X509_ALT_EDI, 5, "edi")                                                                                          \
    X(X509_ALT_URI, 6, "uri")                                                                                          \
    X(X509_ALT_IP, 7, "ip")                                                                                            \
    X(X509_ALT_ID, 8, "id")
enum x509_alt_kind {
#define X(name, number, text) name = number,
    X509_ALTS(X)
#undef X
};
const char *x509_alt_name(enum x509_alt_kind kind);

struct x509_alt {
    enum x509_alt_kind kind;
    struct slice
        value; /* dns, email, uri: printable ASCII; ip: 4 or 16 bytes; name: a Name as DER; others: as they stand */
};
/* The next of x509.alts. False at the end. */
bool x509_alt_next(struct slice *rest, struct x509_alt *alt);

/* --- what a key may do --- */

/* keyUsage: bit; its name in RFC 5280. */
#define X509_USAGES(X)                                                                                                 \
    X(X509_USAGE_SIGNATURE, 0, "digitalSignature")                                                                     \
    X(X509_USAGE_COMMITMENT, 1, "nonRepudiation")                                                                      \
    X(X509_USAGE_ENCIPHER_KEY, 2, "keyEncipherment")                                                                   \
    X(X509_USAGE_ENCIPHER_DATA, 3, "dataEncipherment")                                                                 \
    X(X509_USAGE_AGREE, 4, "keyAgreement")                                                                             \
    X(X509_USAGE_SIGN_CERT, 5, "keyCertSign")                                                                          \
    X(X509_USAGE_SIGN_CRL, 6, "cRLSign")                                                                               \
    X(X509_USAGE_ENCIPHER_ONLY, 7, "encipherOnly")                                                                     \
    X(X509_USAGE_DECIPHER_ONLY, 8, "decipherOnly")
enum {
#define X(name, bit, text) name = 1 << bit,
    X509_USAGES(X)
#undef X
};
/* The name of a single one. */
const char *x509_usage_name(unsigned usage);

/* extKeyUsage: bit of our own; last byte of id-kp. */
#define X509_PURPOSES(X)                                                                                               \
    X(X509_PURPOSE_SERVER, 0, 1)                                                                                       \
    X(X509_PURPOSE_CLIENT, 1, 2)                                                                                       \
    X(X509_PURPOSE_CODE, 2, 3)                                                                                         \
    X(X509_PURPOSE_EMAIL, 3, 4)                                                                                        \
    X(X509_PURPOSE_STAMP, 4, 8)                                                                                        \
    X(X509_PURPOSE_OCSP, 5, 9)
enum {
#define X(name, bit, last) name = 1 << bit,
    X509_PURPOSES(X)
#undef X
        X509_PURPOSE_ANY = 1 << 6, /* anyExtendedKeyUsage */
    X509_PURPOSE_OTHER = 1 << 7,   /* read only: others are there too */
};

/* --- reading --- */

struct x509_limits {
    size_t bytes;        /* of one certificate */
    unsigned extensions; /* of it */
    unsigned alts;       /* subject alternative names */
};

#define X509_KINDS(X)                                                                                                  \
    X(X509_KEY_P256, "P-256")                                                                                          \
    X(X509_KEY_P384, "P-384")                                                                                          \
    X(X509_KEY_P521, "P-521")                                                                                          \
    X(X509_KEY_CURVE, "other curve")                                                                                   \
    X(X509_KEY_RSA, "RSA")                                                                                             \
    X(X509_KEY_ED25519, "Ed25519")                                                                                     \
    X(X509_KEY_ED448, "Ed448")                                                                                         \
    X(X509_KEY_DSA, "DSA")                                                                                             \
    X(X509_KEY_OTHER, "other")
enum x509_key_kind {
#define X(name, text) name,
    X509_KINDS(X)
#undef X
};
const char *x509_kind_name(enum x509_key_kind kind);

struct x509_public {
    enum x509_key_kind kind;
    unsigned bits;      /* its size; 0 where it is not known */
    struct slice point; /* P-256, not compressed: 65 bytes, not yet looked at whether on the curve; else empty */
    struct slice oid;   /* the curve's on a curve, else the algorithm's */
    struct slice value; /* what the BIT STRING holds: what key ids are made of */
    struct slice der;   /* SubjectPublicKeyInfo */
};

struct x509 {
    struct slice der;    /* all of it */
    struct slice body;   /* what is signed */
    unsigned version;    /* 1 to 3 */
    struct slice serial; /* big-endian without zeros in front (0 is one byte) */
    struct x509_name issuer, subject;
    int64_t not_before, not_after; /* seconds since 1970, both included */
    struct x509_public key;
    struct slice signed_with; /* the object identifier of the algorithm */
    struct slice signature;

    struct slice extensions;          /* for x509_extension_next */
    unsigned unknown_critical;        /* how many nobody here understands */
    bool has_basic, has_usage, is_ca; /* is_ca: as basicConstraints says */
    int path_length;                  /* certificates of authorities below it; -1: any number */
    unsigned usage;                   /* X509_USAGE_* */
    unsigned purposes;                /* X509_PURPOSE_*; 0: the extension is not there */
    struct slice purpose_oids;        /* for x509_purpose_next */
    struct slice alts;                /* for x509_alt_next */
    struct slice subject_key_id;      /* these three: empty when not there */
    struct slice authority_key_id;    /* key id of the issuer */
    struct slice authority_serial;    /* serial of the issuer's certificate */
    struct x509_name authority_name;  /* who issued that; der is empty when not there */
    struct slice acme;                /* RFC 8737: the 32 bytes of a challenge certificate */
};
/* Exactly one certificate. On refusal *cert is not filled. */
bool x509_read(struct x509 *cert, struct slice der, const struct x509_limits *limits, struct err *e);

struct x509_extension {
    struct slice oid, value;
    bool critical, understood;
};
bool x509_extension_next(struct slice *rest, struct x509_extension *extension);
bool x509_purpose_next(struct slice *rest, struct slice *oid);

/* SHA-256 of the whole; and as text, as people compare it: upper case, with colons. */
#define X509_FINGERPRINT      32
#define X509_FINGERPRINT_TEXT 95
void x509_fingerprint(struct slice der, uint8_t out[X509_FINGERPRINT]);
bool x509_fingerprint_add(struct buf *out, struct slice der);

/* --- writing --- */

/* How the issuer is named beside its name: by its key, by the name and serial of its certificate. */
enum { X509_BY_KEY = 1, X509_BY_SERIAL = 2 };

struct x509_want {
    struct slice serial;           /* random, big-endian, not 0; at most 159 bits that count */
    const struct x509 *issuer;     /* the certificate of who signs; NULL: it is signed by its own key */
    struct x509_name subject;      /* may be empty when there are alts */
    int64_t not_before, not_after; /* seconds since 1970, in the years 1950 to 9999 */
    struct slice point;            /* the public key: 65 bytes */
    bool is_ca;                    /* then usage must have SIGN_CERT, else it must not */
    int path_length;               /* of an authority; -1: not said */
    unsigned usage;                /* X509_USAGE_*, critical; 0: not said */
    unsigned purposes;             /* X509_PURPOSE_*, 0: not said */
    const struct x509_alt
        *alts; /* dns: labels of letters, digits, dashes; *. in front; ip. Critical without a subject */
    size_t alts_n;
    unsigned authority; /* X509_BY_*; with an issuer X509_BY_KEY at least */
    struct slice acme;  /* 32 bytes or empty */
};

/* Appends the certificate as DER, or nothing. The key is that of the issuer (or of the subject, signed by itself). Beside what
 * stands above it is refused when the issuer may not sign it: no authority, no such usage, a path that is too long. The subject
 * key id is always there, basicConstraints too. */
bool x509_write(struct buf *out, const struct x509_want *want, const struct x509_key *key, struct err *e);

/* Appends a request for a certificate with these names: the subject may be empty. Signed by the key it is for. */
struct x509_request {
    struct x509_name subject;
    const struct x509_alt *alts;
    size_t alts_n;
};
bool x509_write_request(struct buf *out, const struct x509_request *want, const struct x509_key *key, struct err *e);

/* The two halves. What is to be signed; and all of it, once the signature (ECDSA with SHA-256, as DER) is there: refused when
 * it is not by the owner of the point over just these bytes. */
bool x509_write_body(struct buf *out, const struct x509_want *want, struct err *e);
bool x509_write_request_body(struct buf *out, const struct x509_request *want, struct slice point, struct err *e);
bool x509_write_signed(struct buf *out, struct slice body, struct slice point, struct slice signature, struct err *e);

#endif
