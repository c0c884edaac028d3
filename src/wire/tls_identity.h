/* tls_identity.h - the certificates of a server with their keys, and which of them answers whom.
 *
 * For: tls_server.c. A set is never changed, only replaced; connections hold on to the one they began with.
 * Owns: chains, keys (wiped when the set goes), names.
 * Never: takes names from anywhere but the certificate's own subjectAltName. A list beside it could say something else than
 *        the certificate, and the browser believes only the certificate.
 * Tried: tests/wire/tls_pem, tests/wire/tls_trust. */
#ifndef WIRE_TLS_IDENTITY_H
#define WIRE_TLS_IDENTITY_H

#include "wire/tls_pem.h"
#include "wire/tls_room.h"

struct tls_identity {
    br_x509_certificate *chain;
    unsigned chain_n;
    struct tls_key key;
    struct slice names; /* for tls_cert_fit */
};

struct tls_identities {
    unsigned refs, n;
    struct arena arena;
    struct tls_identity *of;
};

struct tls_identities *tls_identities_new(const struct tls_identity_text *pem, unsigned n, struct err *e);
struct tls_identities *tls_identities_ref(struct tls_identities *set);
void tls_identities_unref(struct tls_identities *set); /* NULL is allowed */

/* BearSSL's policy of one connection: chooses and signs. */
struct tls_policy {
    const br_ssl_server_policy_class *vtable;
    struct tls_identities *set;
    const struct tls_identity *chosen;
    bool signed_now; /* set by each signature; whoever counts clears it */
};
void tls_policy_init(struct tls_policy *p, struct tls_identities *set);

#endif
