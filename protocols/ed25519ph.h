/* ed25519ph.h - Ed25519ph (RFC 8032 5.1): signatures over the SHA-512 of a message, bound to a context; and the keys and signatures
 * as the wire has them.
 *
 * For: who signs requests, packages and images: StartOS gives each use a context of its own.
 * Group, scalars and hash are libsodium's; its own ed25519ph knows no context, so the scheme around them is ours.
 * Checking is strict: S below the order, the key a canonical point and not one of the few whose order is small, R the very bytes
 *      that S, the key and the message lead to, and not of small order either.
 * Owns: nothing but the bytes of struct ed25519ph_key. ed25519ph_key_wipe ends its life; what is computed from it is wiped.
 * Never: makes randomness. A context may be empty, and has at most 255 bytes.
 * Tried: tests/protocols/ed25519ph, tests/protocols/ed25519ph_pem, fuzz/ed25519ph, `startbox codec ed25519ph`. */
#ifndef PROTOCOLS_ED25519PH_H
#define PROTOCOLS_ED25519PH_H

#include "base/buf.h"
#include "base/err.h"

#define ED25519PH_SEED      32
#define ED25519PH_POINT     32 /* a public key */
#define ED25519PH_DIGEST    64 /* SHA-512 */
#define ED25519PH_SIGNATURE 64
#define ED25519PH_CONTEXT   255 /* bytes at most */

struct ed25519ph_key {
    uint8_t seed[ED25519PH_SEED], point[ED25519PH_POINT];
};

/* Any 32 random bytes are a key. */
void ed25519ph_key_set(struct ed25519ph_key *key, const uint8_t seed[ED25519PH_SEED]);
void ed25519ph_key_wipe(struct ed25519ph_key *key);
/* Whether the bytes are a public key that signatures can be checked with. */
bool ed25519ph_point_ok(const uint8_t point[ED25519PH_POINT]);

/* --- signing and checking --- */

void ed25519ph_digest(struct slice message, uint8_t digest[ED25519PH_DIGEST]);
/* The same message and context give the same signature. False for a context that is too long. */
bool ed25519ph_sign(const struct ed25519ph_key *key, struct slice context, struct slice message,
                    uint8_t signature[ED25519PH_SIGNATURE], struct err *e);
bool ed25519ph_good(const uint8_t point[ED25519PH_POINT], struct slice context, struct slice message,
                    const uint8_t signature[ED25519PH_SIGNATURE]);
/* The same for a message whose digest is known. */
bool ed25519ph_sign_digest(const struct ed25519ph_key *key, struct slice context,
                           const uint8_t digest[ED25519PH_DIGEST], uint8_t signature[ED25519PH_SIGNATURE],
                           struct err *e);
bool ed25519ph_good_digest(const uint8_t point[ED25519PH_POINT], struct slice context,
                           const uint8_t digest[ED25519PH_DIGEST], const uint8_t signature[ED25519PH_SIGNATURE]);

#ifdef STARTBOX_TEST
/* Plain Ed25519 by the same equation, because it has public vectors. */
bool ed25519ph_good_plain(const uint8_t point[ED25519PH_POINT], struct slice message,
                          const uint8_t signature[ED25519PH_SIGNATURE]);
#endif

/* --- PEM: a text with the one block that is asked for, and no other --- */

/* PKCS #8 ("PRIVATE KEY", RFC 8410 7), with or without the public part; one that is not its own is refused. On failure the key is
 * wiped. */
bool ed25519ph_key_read_pem(struct ed25519ph_key *key, struct slice text, struct err *e);
/* Appends it, or nothing. OpenSSL 3.0 reads only what has no public part. `out` grows once at most: give it room for
 * ED25519PH_KEY_PEM bytes beforehand when it holds something, else growing leaves a copy of that behind. Whoever owns it wipes
 * it. */
#define ED25519PH_KEY_PEM 192
bool ed25519ph_key_write_pem(struct buf *out, const struct ed25519ph_key *key, bool with_public, struct err *e);

/* SubjectPublicKeyInfo ("PUBLIC KEY", RFC 8410 4). What was read is ed25519ph_point_ok. */
bool ed25519ph_point_read_pem(uint8_t point[ED25519PH_POINT], struct slice text, struct err *e);
bool ed25519ph_point_write_pem(struct buf *out, const uint8_t point[ED25519PH_POINT], struct err *e);

/* As StartOS writes them ("SIGNATURE"): SEQUENCE { SEQUENCE { OID 1.3.101.112 }, OCTET STRING }. */
bool ed25519ph_signature_read_pem(uint8_t signature[ED25519PH_SIGNATURE], struct slice text, struct err *e);
bool ed25519ph_signature_write_pem(struct buf *out, const uint8_t signature[ED25519PH_SIGNATURE], struct err *e);

#endif
