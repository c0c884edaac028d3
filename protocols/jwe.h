/* jwe.h - one encrypted text between two who never met before: JWE in the flattened JSON form (RFC 7516 7.2.2) with
 * ECDH-ES on P-256, direct (RFC 7518 4.6), and A128CBC-HS256 (RFC 7518 5.2). It is how StartOS' pages send a password
 * while there is no TLS yet.
 *
 * Opening: alg and enc must stand in the protected header; epk, apu and apv may stand beside it (a change there leads
 *   to another key). `encrypted_key` is absent or empty (clients write both). The sender's point must be on the curve.
 *   The tag is checked in constant time before anything is decrypted, and tag and padding fail with the same error.
 * Sealing: the ephemeral private key and the IV come from the caller, fresh random bytes each time.
 * Caveat: whoever can change bytes on the way can exchange the recipient's key too. This hides from listeners, no more.
 * Owns: nothing; keys it derives are wiped. The opened text is in the caller's buffer, who wipes it.
 * Limits: struct jose_limits.
 * Tried: tests/protocols/jose, fuzz/jose, `startbox codec jose`. */
#ifndef PROTOCOLS_JWE_H
#define PROTOCOLS_JWE_H

#include "protocols/jose.h"
#include "protocols/jwk.h"

#define JWE_IV_LEN  16
#define JWE_TAG_LEN 16
#define JWE_CEK_LEN 32 /* content encryption key of A128CBC-HS256 */

/* Appends the text that was encrypted for this key, or nothing. Any bytes: the caller asks whether they are UTF-8. */
bool jwe_open(const struct val *jwe, const uint8_t private_key[JWK_PRIVATE_LEN], const struct jose_limits *limits,
              struct buf *plain, struct err *e);

/* {"protected":…,"iv":…,"ciphertext":…,"tag":…} for whoever has the private key of `to`. */
bool jwe_seal(struct val *jwe, struct slice plain, const uint8_t to[JWK_PUBLIC_LEN],
              const uint8_t ephemeral[JWK_PRIVATE_LEN], const uint8_t iv[JWE_IV_LEN], struct err *e);

/* The two halves, for those who carry them otherwise. */

/* ECDH and Concat KDF with SHA-256: the key of len bytes (at most 32) for the algorithm `enc`. False when the private
 * key is out of range or the point is not on the curve. */
bool jwe_agree(const uint8_t private_key[JWK_PRIVATE_LEN], const uint8_t public_key[JWK_PUBLIC_LEN], struct slice enc,
               struct slice apu, struct slice apv, uint8_t *key, size_t len, struct err *e);

/* A128CBC-HS256: appends the ciphertext, fills the tag. */
bool jwe_cbc_seal(const uint8_t key[JWE_CEK_LEN], const uint8_t iv[JWE_IV_LEN], struct slice aad, struct slice plain,
                  struct buf *out, uint8_t tag[JWE_TAG_LEN], struct err *e);
/* Appends the plain text, or nothing. */
bool jwe_cbc_open(const uint8_t key[JWE_CEK_LEN], const uint8_t iv[JWE_IV_LEN], struct slice aad,
                  struct slice ciphertext, const uint8_t tag[JWE_TAG_LEN], struct buf *plain, struct err *e);

#endif
