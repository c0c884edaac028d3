/* tls_pem.h - PEM text into certificates, keys and roots that lie in an arena.
 *
 * For: the files an admin or ACME gives: chains, keys, Debian's ca-certificates.crt.
 * Owns: nothing; everything made is the arena's. Keys must be wiped before the arena goes: tls_key_wipe.
 * Never: guesses. Text between the blocks is passed over; a block that is damaged is an error.
 * Tried: tests/wire/tls_pem, fuzz/tlspem. */
#ifndef WIRE_TLS_PEM_H
#define WIRE_TLS_PEM_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#include <bearssl.h>

enum tls_pem_step { TLS_PEM_END, TLS_PEM_BLOCK, TLS_PEM_BAD };
/* Takes the next block off the text: its label ("CERTIFICATE") points into the text, its bytes go to `der` (reset first). */
enum tls_pem_step tls_pem_next(struct slice *text, struct slice *label, struct buf *der, struct err *e);

/* The certificates, in their order; at least one. */
bool tls_chain_read(struct arena *a, struct slice pem, br_x509_certificate **chain, unsigned *n, struct err *e);

struct tls_key {
    int type; /* BR_KEYTYPE_EC, BR_KEYTYPE_RSA */
    union {
        br_ec_private_key ec;
        br_rsa_private_key rsa;
    };
    struct slice secret; /* all its bytes */
};
/* The one private key in the text. */
bool tls_key_read(struct arena *a, struct slice pem, struct tls_key *key, struct err *e);
/* Whether the key belongs to the certificate, and is of a kind a server may use. */
bool tls_key_fits(const struct tls_key *key, const br_x509_certificate *cert, struct err *e);
void tls_key_wipe(struct tls_key *key);

/* The certificates as roots of trust. Those with a key that BearSSL does not know are left out; at least one must be left. */
bool tls_roots_read(struct arena *a, struct slice pem, br_x509_trust_anchor **roots, unsigned *n, struct err *e);

#endif
