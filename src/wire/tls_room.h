/* tls_room.h - what the files of the TLS room share. Nobody else includes it.
 *
 *   tls_filter.c   the doors, the same for both sides; steps, eviction, the shared output buffer
 *   tls_server.c   the server side: context, sessions          tls_identity.c  its certificates, and which one answers
 *   tls_client.c   the client side: context, sessions          tls_judge.c     whether a server's certificate is believed
 *   tls_hello.c    a ClientHello, read before BearSSL sees it  tls_why.c       sentences for numbers
 *   tls_pem.c      PEM into owned memory                       tls_der.c       what must be known of a certificate
 *   tls_x25519.c   what libsodium does for BearSSL */
#ifndef WIRE_TLS_ROOM_H
#define WIRE_TLS_ROOM_H

#include "base/limits.h"
#include "wire/tls.h"

#include <bearssl.h>

/* Alerts we send ourselves (RFC 5246 7.2). */
enum tls_alert {
    TLS_ALERT_NONE = 0,
    TLS_ALERT_UNEXPECTED = 10,
    TLS_ALERT_BAD_CERTIFICATE = 42,
    TLS_ALERT_EXPIRED = 45,
    TLS_ALERT_ILLEGAL = 47,
    TLS_ALERT_UNKNOWN_CA = 48,
    TLS_ALERT_DECODE = 50,
    TLS_ALERT_VERSION = 70,
    TLS_ALERT_INTERNAL = 80,
    TLS_ALERT_NO_PROTOCOL = 120,
};

/* --- tls_why.c --- */

/* A number of BearSSL's as a sentence, and the alert that tells the peer (when BearSSL has not told it). */
const char *tls_why(int number, enum tls_alert *alert);
const char *tls_suite_name(uint16_t suite);

/* --- tls_x25519.c --- */

/* X25519 by libsodium, P-256 by BearSSL. */
extern const br_ec_impl tls_ec;
/* With P-384 and P-521, which keys in certificates may lie on. */
extern const br_ec_impl tls_ec_client;
/* ChaCha20 by libsodium. */
uint32_t tls_chacha20(const void *key, const void *iv, uint32_t counter, void *data, size_t len);
/* libsodium chooses its code for this processor; once, before any of these. */
bool tls_sodium(struct err *e);
/* Zeroes that no compiler leaves out. */
void tls_wipe(void *p, size_t len);

/* --- tls_hello.c: see there --- */

enum tls_hello_step { TLS_HELLO_MORE, TLS_HELLO_WHOLE, TLS_HELLO_BAD };

struct tls_hello {
    uint8_t head[5]; /* of the record that is coming */
    uint8_t head_n;
    uint16_t records;
    size_t left; /* of the record */
    struct buf message;
    const char *why; /* of BAD */
    enum tls_alert alert;
    struct slice name; /* of WHOLE, in the message; empty: none */
};

/* Where the next bytes of a hello go; `payload` says whether they may complete it. NULL: no memory. */
uint8_t *tls_hello_room(struct tls_hello *h, size_t *len, bool *payload);
/* So many came. `protocols`: one of them must be named if any is. */
enum tls_hello_step tls_hello_came(struct tls_hello *h, size_t n, const char *const *protocols);
/* The header of one record that holds the message. */
void tls_hello_record(const struct tls_hello *h, uint8_t header[5]);
/* Whether it is a name that may be asked for: letters, digits, '.', '-', '_'; 1 to 253 of them. */
bool tls_is_name(struct slice s);

/* --- tls_filter.c --- */

enum tls_phase {
    TLS_HELLO, /* a server that has not got a whole ClientHello; nothing is allocated for BearSSL */
    TLS_SHAKING,
    TLS_UP,
    TLS_ENDED, /* the peer said goodbye */
    TLS_FAILED,
};

struct tls_filter;

/* By when bytes last moved. */
struct tls_list {
    struct tls_filter *oldest, *newest;
    unsigned n;
};

/* What all connections of a server, or of a client, share. */
struct tls_side {
    struct loop *loop;
    /* The output buffer of all engines. Nothing lasts in it from one call of the loop to the next. */
    uint8_t *out;
    const struct tls_filter *out_user;
    struct loop_task turn; /* gives back the budget of steps, behind everything else of a turn */
    unsigned steps_now;
    struct tls_list shaking, up;
    struct tls_counts counts;
    unsigned refs; /* the owner's, and one a filter */
    void (*release)(struct tls_side *side);
};

bool tls_side_init(struct tls_side *side, struct loop *l, void (*release)(struct tls_side *), struct err *e);
void tls_side_unref(struct tls_side *side);
/* Makes the connection give way that was idle longest; false: there is none. */
bool tls_side_evict(struct tls_side *side);

/* What differs between the sides. */
struct tls_role {
    const char *const *(*protocols)(const struct tls_filter *t); /* of a server, for the hello */
    bool (*begin)(struct tls_filter *t);  /* of a server, the hello is whole: makes the engine; false: no memory */
    bool (*worked)(struct tls_filter *t); /* whether the bytes just handled took an expensive step */
    const char *(*judged)(const struct tls_filter *t,
                          enum tls_alert *alert); /* a better reason for a failure, or NULL */
    void (*up)(struct tls_filter *t);
    void (*free)(struct tls_filter *t); /* all that is not the filter's own, and the block it lies in */
};

struct tls_filter {
    struct stream_filter f;
    const struct tls_role *role;
    struct tls_side *side;
    struct tls_list *list; /* NULL: evicted, or free */
    struct tls_filter *older, *newer;
    enum tls_phase phase;
    bool ciphered; /* we have changed to ciphers: alerts of our own making are no longer possible */
    bool half;     /* plain bytes stand in the output buffer, in no record yet */
    bool resumed;
    bool spent; /* no expensive step is left in this handshake */
    br_ssl_engine_context *eng;
    uint8_t *in; /* BR_SSL_BUFSIZE_INPUT */
    size_t in_touched;
    struct buf kept; /* to be sent, behind kept_done */
    size_t kept_done;
    struct tls_hello hello;
};

/* Takes its place in a side, which it refers to from then on. */
void tls_filter_init(struct tls_filter *t, struct tls_side *side, const struct tls_role *role);
/* Gives the engine its buffers and fresh randomness; false: no memory. */
bool tls_filter_engine(struct tls_filter *t, br_ssl_engine_context *eng);
/* Brings everything in line with what the engine has become. */
void tls_filter_settle(struct tls_filter *t);
struct tls_filter *tls_filter_of(const struct stream_filter *f); /* NULL: not one of ours */
/* The first bytes of the master secret: not before the key exchange is computed do they change. */
uint64_t tls_filter_secret(const struct tls_filter *t);

/* --- what both contexts are made of --- */

void tls_engine_setup(br_ssl_engine_context *eng, const br_ec_impl *ec);

#endif
