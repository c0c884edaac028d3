/* tls_der.h - what must be known of a certificate and BearSSL does not tell: its names, its dates, its key as it stands there.
 *
 * For: choosing a server's certificate by its names, checking a server's name against its certificate, pins, and judging with a
 *      clock that is not trusted. Signatures and chains are BearSSL's.
 * Owns: nothing; slices point into the certificate.
 * Never: takes anything but DER: definite and shortest lengths, nothing behind the end, no field twice.
 * Tried: tests/wire/tls_pem, fuzz/tlspem. */
#ifndef WIRE_TLS_DER_H
#define WIRE_TLS_DER_H

#include "base/cur.h"
#include "base/err.h"

struct tls_cert {
    struct slice key;   /* SubjectPublicKeyInfo, tag and length and all */
    struct slice names; /* what subjectAltName holds; empty: there is none */
    int64_t from, to;   /* seconds since 1970, both included */
};
bool tls_cert_read(struct slice der, struct tls_cert *c, struct err *e);

enum { TLS_NAME_DNS = 2, TLS_NAME_IP = 7 };
/* The next name of a subjectAltName that was read by tls_cert_read; false at the end. */
bool tls_cert_name(struct slice *names, unsigned *kind, struct slice *name);

/* How well the certificate's names fit a host: a name, or an address in digits. */
enum tls_fit { TLS_FIT_NONE, TLS_FIT_WILDCARD, TLS_FIT_EXACT };
enum tls_fit tls_cert_fit(const struct tls_cert *c, struct slice host);

/* An IP address in digits as 4 or 16 bytes; 0: it is none. */
size_t tls_address(struct slice host, uint8_t out[16]);

#endif
