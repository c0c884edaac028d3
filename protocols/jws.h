/* jws.h - signed bytes in the flattened JSON form (RFC 7515 7.2.2): ES256 as ACME wants its requests (RFC 8555 6.2),
 * HS256 for its external account binding (RFC 8555 7.3.4).
 *
 * The key says the algorithm, and the header must say the same: a header never chooses.
 * Signatures of ES256 are deterministic (RFC 6979), so no randomness is asked for.
 * Limits: struct jose_limits.
 * Tried: tests/protocols/jose, fuzz/jose, `startbox codec jose`. */
#ifndef PROTOCOLS_JWS_H
#define PROTOCOLS_JWS_H

#include "protocols/jose.h"
#include "protocols/jwk.h"

#define JWS_ALGS(X)                                                                                                    \
    X(JWS_ES256, "ES256")                                                                                              \
    X(JWS_HS256, "HS256")

enum jws_alg {
#define X(name, text) name,
    JWS_ALGS(X)
#undef X
};
const char *jws_alg_name(enum jws_alg alg);

/* ES256: the private key (32 bytes) to sign, the public one (65 bytes) to verify. HS256: the secret, at least 32 bytes
 * (RFC 7518 3.2 asks for as many as the hash has). */
struct jws_key {
    enum jws_alg alg;
    struct slice bytes;
};

/* {"protected":…,"payload":…,"signature":…}. `header` is a map: its entries follow "alg", which is put in here and must
 * not stand in it. An empty payload is the empty text, ACME's POST-as-GET. */
bool jws_sign(struct val *jws, const struct val *header, struct slice payload, const struct jws_key *key,
              struct err *e);

/* Gives the protected header and appends the payload when the signature is this key's; otherwise neither. */
bool jws_verify(const struct val *jws, const struct jws_key *key, const struct jose_limits *limits, struct val *header,
                struct buf *payload, struct err *e);

#endif
