/* x509_key.h - a private key on P-256: read, written, and used to sign.
 *
 * For: the certificate authority of the box, its leaves, requests to others. The number and its point lie in the struct itself,
 *      so there is one place to wipe.
 * Owns: nothing but the struct's bytes. x509_key_wipe ends its life.
 * Never: makes randomness, takes a key that is not on P-256, or one whose public part is another than its own.
 * Tried: tests/protocols/x509, fuzz/x509. */
#ifndef PROTOCOLS_X509_KEY_H
#define PROTOCOLS_X509_KEY_H

#include "base/buf.h"
#include "base/err.h"
#include "protocols/pem.h"

#define X509_POINT     65 /* a point on P-256: 4, x, y */
#define X509_SECRET    32
#define X509_KEY_ID    20
#define X509_SIGNATURE 72 /* an ECDSA signature as DER, at most */

struct x509_key {
    uint8_t secret[X509_SECRET], point[X509_POINT];
};

/* From 32 random bytes. False (and the key wiped) for those few that are no key on this curve: take others. */
bool x509_key_set(struct x509_key *key, const uint8_t secret[X509_SECRET], struct err *e);
void x509_key_wipe(struct x509_key *key);

/* What PKCS #8 ("PRIVATE KEY", RFC 5958) or SEC 1 ("EC PRIVATE KEY", RFC 5915) says, as strict DER. */
enum x509_key_form { X509_KEY_PKCS8, X509_KEY_SEC1 };
bool x509_key_read(struct x509_key *key, enum x509_key_form form, struct slice der, struct err *e);
/* The one private key of a PEM text; certificates and other blocks may stand beside it. */
bool x509_key_read_pem(struct x509_key *key, struct slice text, const struct pem_limits *limits, struct err *e);
/* Appends the key with its public part, or nothing. `out` grows once at most: give it room for X509_KEY_PEM bytes beforehand
 * when it holds something, else growing leaves a copy of that behind. Whoever owns it wipes it. */
#define X509_KEY_PEM 256
bool x509_key_write_pem(struct buf *out, const struct x509_key *key, enum x509_key_form form, struct err *e);

/* ecdsa-with-SHA256 over the bytes, as DER; the same bytes give the same signature (RFC 6979). False for a key that is none. */
bool x509_key_sign(const struct x509_key *key, struct slice bytes, uint8_t signature[X509_SIGNATURE], size_t *len,
                   struct err *e);
/* Whether the signature over the bytes is by the owner of the point. */
bool x509_key_signed(struct slice point, struct slice bytes, struct slice signature);
/* Whether the bytes are a point on the curve, and not the one at infinity. */
bool x509_point_ok(struct slice point);
/* What certificates name a key by: the first 20 bytes of the point's SHA-256 (RFC 7093 2, method 1). */
void x509_key_id(struct slice point, uint8_t id[X509_KEY_ID]);

#endif
