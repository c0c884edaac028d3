/* tls_judge.h - whether a server's certificate is believed: BearSSL's judge of chains with a clerk in front.
 *
 * For: tls_client.c, one a handshake. The clerk holds each certificate whole before BearSSL gets it. So it can
 *   - give BearSSL a time within the certificate's own dates when the clock is not trusted. BearSSL cannot be told not to judge
 *     dates; this is the same thing: every certificate is judged as of the moment it became valid;
 *   - compare a pin with the key as it stands in the certificate;
 *   - hold the host against subjectAltName itself. BearSSL does it too, but would take the common name of a certificate without
 *     names, and knows no IP addresses. Both have to agree.
 * Never: judges signatures, or who may sign what; that is BearSSL's minimal engine. Revocation is judged by nobody.
 * Tried: tests/wire/tls_trust, fuzz/tls. */
#ifndef WIRE_TLS_JUDGE_H
#define WIRE_TLS_JUDGE_H

#include "wire/tls_room.h"

struct tls_judge {
    const br_x509_class *vtable;
    /* what to judge by; lent */
    const br_x509_trust_anchor *roots;
    unsigned root_n;
    uint8_t *pin;
    bool *learns; /* with a pin that is not known yet: it is put there, and this set to false; NULL: it is known */
    const char *host;
    bool by_address; /* the host is an IP address */
    bool dated;      /* dates are judged */
    /* what was found */
    bool began, done;
    bool worked; /* a certificate was looked at; whoever counts clears it */
    const char *why;
    enum tls_alert alert;
    /* the chain so far */
    unsigned n;
    struct buf cert;
    union {
        br_x509_minimal_context minimal;
        br_x509_decoder_context leaf; /* with a pin */
    };
};

/* The fields to judge by are set by the caller. */
void tls_judge_init(struct tls_judge *j);
void tls_judge_release(struct tls_judge *j);

#endif
