/* tls.h - TLS 1.2 both ways, by BearSSL, as filters for streams (loop/stream.h).
 *
 * For: a server side that listens with certificates, a client side that dials with roots of trust or a pin. Each connection
 *      is one struct stream_filter: put into a stream with stream_filter() it is the stream's; before that, tls_drop.
 * Owns: keys, certificates, roots, remembered sessions. A side is let go of with _free and lasts until its last filter is gone.
 * Never: TLS 1.0, 1.1 or 1.3 (BearSSL has none); a key exchange without forward secrecy; a handshake begun anew; a client's
 *      certificate; a session ticket. Calls the stream, but for stream_abort on a connection that gives way to another.
 *
 * What comes out of a stream with a filter, beside its own errors: s->why.text is one of the sentences of tls_why.c.
 *   STREAM_END with s->cut unset: the peer said goodbye. In TLS 1.2 that ends both directions: what is written after it fails
 *   with a sentence. With s->cut set the connection was cut, by an accident or on purpose.
 *
 * A handshake has no deadline of its own: the stream has (stream_deadline). The loop outlasts all of this.
 * The longest slice of work is one public key operation (some 0.4 ms on a PC, several on a board): a side takes at most one such
 *   step a turn of the loop, whoever waits is called again in the next turn.
 * A connection costs 300 bytes until its peer has said hello, then 21 KiB, of which some 9 are touched.
 * Tried: tests/wire/tls*, among them tls_real against OpenSSL and curl; fuzz/tls, fuzz/tlspem; tests/bench/tls. */
#ifndef WIRE_TLS_H
#define WIRE_TLS_H

#include "base/slice.h"
#include "loop/stream.h"

/* Since the side was made, but for the two gauges. */
struct tls_counts {
    uint64_t handshakes; /* that succeeded, resumed ones among them */
    uint64_t resumed;
    uint64_t failed;     /* handshakes that did not succeed, whoever ended them */
    uint64_t evicted;    /* connections that gave way */
    uint64_t steps;      /* expensive ones */
    unsigned most_steps; /* in one turn */
    unsigned open;       /* filters now */
    unsigned shaking;    /* of them, without a finished handshake */
};

/* --- a server --- */

struct tls_server;

/* 0 and NULL: what is usual (tls_server.c). */
struct tls_server_limits {
    unsigned connections; /* at once; beyond it the one that was idle longest gives way */
    unsigned sessions; /* remembered for resumption, 100 bytes each; none for a server that must not: TLS_NO_SESSIONS */
    /* Protocols by preference (ALPN), ending in NULL, static; NULL: "http/1.1". A client that names only others is refused. */
    const char *const *protocols;
};
#define TLS_NO_SESSIONS 0xffffffffu

struct tls_server *tls_server_new(struct loop *l, const struct tls_server_limits *limits, struct err *e);
/* NULL is allowed. */
void tls_server_free(struct tls_server *s);

/* A certificate with what leads to its root (PEM, the server's own first), and its key (PEM; EC P-256 or P-384, RSA 2048 to
 * 4096; not encrypted). */
struct tls_identity_text {
    struct slice chain, key;
};
/* Replaces all certificates. Which one a client gets is decided by the names in them (subjectAltName, dNSName; "*" for a whole
 * leftmost label): an exact one before a wildcard, then the first that was given. Of several that fit alike, the first whose
 * kind of key the client can use. Connections that stand, and handshakes under way, go on with what they began with. */
bool tls_server_certificates(struct tls_server *s, const struct tls_identity_text *pem, unsigned n, struct err *e);

struct stream_filter *tls_accept(struct tls_server *s, struct err *e);

struct tls_counts tls_server_counts(const struct tls_server *s);

/* --- a client --- */

struct tls_client;

/* Whom to trust: either roots, then the chain, the name and (with a trusted clock) the dates are judged; or a pin, which is the
 * SHA-256 of the SubjectPublicKeyInfo of the server's own certificate and replaces all of that. The key and not the
 * certificate, because it may stay when the certificate is renewed. */
struct tls_trust {
    struct slice roots; /* PEM, many certificates */
    const uint8_t *pin; /* 32 bytes, or NULL */
    bool learn; /* whoever is met first is believed, and pinned: tls_client_pin tells whom. For who asks a person */
    bool clock_trusted;
};

/* Reading Debian's 140 roots takes some 10 ms on a PC: at start, not while serving. */
struct tls_client *tls_client_new(struct loop *l, const struct tls_trust *trust, struct err *e);
void tls_client_free(struct tls_client *c);
/* The pin it has, or has learnt; false: none yet. */
bool tls_client_pin(const struct tls_client *c, uint8_t pin[32]);
/* Whether the wall clock is right. While it is not, the dates in certificates are not judged; all else is. Sessions made
 * without dates are forgotten once they can be judged. */
void tls_client_clock(struct tls_client *c, bool trusted);

/* A connection to that host: a name, or an IP address in digits (then the certificate must name the address). `protocol`: for
 * ALPN, static; NULL: none is asked for. */
struct stream_filter *tls_connect(struct tls_client *c, struct slice host, const char *protocol, struct err *e);

struct tls_counts tls_client_counts(const struct tls_client *c);

/* --- a connection --- */

/* The host name the client asked for (SNI), in its spelling; empty: none. Letters, digits, '.', '-' and '_' only. */
struct slice tls_name(const struct stream_filter *f);
/* The protocol agreed on (ALPN); empty: none. */
struct slice tls_protocol(const struct stream_filter *f);
/* Name of the cipher suite; NULL before the handshake is done. */
const char *tls_cipher(const struct stream_filter *f);
bool tls_is_resumed(const struct stream_filter *f);

/* Lets go of a filter that was not put into a stream. */
void tls_drop(struct stream_filter *f);

#endif
