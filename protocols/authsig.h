/* authsig.h - the header X-StartOS-Auth-Sig: a request signed by the key of whoever sends it.
 *
 * For: registries, tunnels and the command line without a password. The value is a form (form.h) with
 *
 *   timestamp   seconds since 1970, signed       nonce   64 random bits       size   of the body in bytes
 *   blake3      of the body, base64              signer, signature   PEM (ed25519ph.h)
 *
 *      and what is signed is timestamp, nonce and size as 64 bits each, the highest byte first, and the 32 bytes of the hash: by
 *      Ed25519ph, with the name of the host that the client asked, without a port, as the context.
 * Reading: unknown names are passed over; one that is missing or stands there twice is refused by its name. A claimed size over
 *      the limit is refused before anything is read or checked for it.
 * Never: knows the time, what nonces were seen, or who may sign: whoever asks looks at these.
 * Limits: struct authsig_limits.
 * Tried: tests/protocols/authsig, fuzz/authsig, `startbox codec authsig`. */
#ifndef PROTOCOLS_AUTHSIG_H
#define PROTOCOLS_AUTHSIG_H

#include "base/buf.h"
#include "base/err.h"
#include "protocols/blake3.h"
#include "protocols/ed25519ph.h"

#define AUTHSIG_HEADER  "X-StartOS-Auth-Sig"
#define AUTHSIG_MESSAGE (3 * 8 + BLAKE3_SUM)

struct authsig_limits {
    size_t bytes;  /* of the value */
    size_t pairs;  /* names in it */
    uint64_t size; /* what a body may claim */
};

struct authsig {
    int64_t timestamp;
    uint64_t nonce, size;
    uint8_t blake3[BLAKE3_SUM], signer[ED25519PH_POINT], signature[ED25519PH_SIGNATURE];
};

/* The value of the header. On failure *out is as it was. */
bool authsig_read(struct slice value, const struct authsig_limits *limits, struct authsig *out, struct err *e);
/* Appends the value, or nothing. It is plain ASCII without blanks. */
bool authsig_write(struct buf *out, const struct authsig *s, struct err *e);

/* Size and hash of a body that lies in memory. */
void authsig_cover(struct authsig *s, struct slice body);
/* Fills in signer and signature, once all else stands there. */
bool authsig_sign(struct authsig *s, const struct ed25519ph_key *key, struct slice context, struct err *e);

/* Whether the signer signed this for that host. A server with several names asks for each. */
bool authsig_good(const struct authsig *s, struct slice context);
/* Whether this is the body that was signed; authsig_sum: the same of one that was hashed as it came. */
bool authsig_body(const struct authsig *s, struct slice body);
bool authsig_sum(const struct authsig *s, uint64_t size, const uint8_t sum[BLAKE3_SUM]);

#endif
