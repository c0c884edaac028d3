/* jwk.h - keys on the curve P-256 as JSON (RFC 7517, RFC 7518 6.2) and their thumbprint (RFC 7638).
 *
 * A private key is 32 bytes, a number from 1 to the curve's order less one. A public key is a point: the byte 4, x, y.
 * What jwk_read gives out is a point on the curve: BearSSL's multiplication refuses every other one, and coordinates
 * that are not below the field's prime.
 * Never: looks at `use`, `key_ops`, `alg` or `kid`; who asks for a key knows what it is for.
 * Tried: tests/protocols/jose, fuzz/jose, `startbox codec jose`. */
#ifndef PROTOCOLS_JWK_H
#define PROTOCOLS_JWK_H

#include "base/val.h"

#define JWK_PRIVATE_LEN    32
#define JWK_PUBLIC_LEN     65
#define JWK_THUMBPRINT_LEN 32

/* The public key of a private one. False when the number is not in its range: of random bytes one in 2^32 is not, then
 * draw again. */
bool jwk_public(const uint8_t private_key[JWK_PRIVATE_LEN], uint8_t public_key[JWK_PUBLIC_LEN], struct err *e);
bool jwk_private_ok(const uint8_t private_key[JWK_PRIVATE_LEN]);

/* {"kty":"EC","crv":"P-256","x":…,"y":…}; VAL_NONE without memory. */
struct val jwk_write(const uint8_t public_key[JWK_PUBLIC_LEN]);
/* Further members are passed over, but a private part is refused: it should never have been sent. */
bool jwk_read(const struct val *jwk, uint8_t public_key[JWK_PUBLIC_LEN], struct err *e);
/* A key with its private part `d`; x and y must be its own. */
bool jwk_read_private(const struct val *jwk, uint8_t private_key[JWK_PRIVATE_LEN], uint8_t public_key[JWK_PUBLIC_LEN],
                      struct err *e);

/* SHA-256 over the required members, in their order, without spaces. */
void jwk_thumbprint(const uint8_t public_key[JWK_PUBLIC_LEN], uint8_t out[JWK_THUMBPRINT_LEN]);

#endif
