/* conn.h - a connection of ours: dialled, perhaps enciphered, perhaps resting until it is needed again.
 *
 * For: the rooms of this folder. It lives on the heap, since a stream outlives whoever used it until its descriptor is closed.
 * Owns: its dial, its stream.
 * Never: calls back from inside one of its own functions; calls anything after CONN_FAILED or conn_drop.
 * Driven: conn_dial, then CONN_OPEN; conn_secure at once or later, then CONN_SECURE.
 * Tried: by tests/out/request and mail. */
#ifndef OUT_CONN_H
#define OUT_CONN_H

#include "loop/stream.h"
#include "out/proxy.h"
#include "wire/dial.h"
#include "wire/tls.h"

/* What is sent in one piece, and from how much on a sender rests until it is gone. */
#define CONN_PIECE ((size_t)32 << 10)
#define CONN_FULL  ((size_t)64 << 10)

enum conn_event {
    CONN_OPEN,   /* it stands; nothing is enciphered */
    CONN_SECURE, /* the handshake is done */
    CONN_DATA,
    CONN_END,     /* the peer will send no more */
    CONN_DRAINED, /* all is written */
    CONN_LATE,    /* it rested too long */
    CONN_FAILED,  /* c->err says why; c is gone when this returns */
};

/* Whom a resting connection may serve. */
struct conn_key {
    struct slice host; /* lower case */
    uint16_t port;
    bool secure;
    const struct proxy *proxy;
    const struct tls_client *tls;
};

struct conn {
    void (*call)(struct conn *c, enum conn_event event); /* NULL: let go */
    void *owner;
    struct err err;
    struct stream s; /* behind CONN_OPEN; everything but closing it may be done directly */
    struct address peer;
    /* private */
    struct loop *loop;
    struct dial dial;
    bool up; /* the stream stands, until it is gone */
    /* out.c's */
    struct conn *newer, *older;
    struct conn_key key;
    char host[256];
};

/* NULL: no memory. */
struct conn *conn_new(struct loop *l, void *owner, void (*call)(struct conn *c, enum conn_event event), struct err *e);
void conn_dial(struct conn *c, struct resolver *r, struct slice host, uint16_t port,
               bool (*allowed)(void *arg, const struct address *a), void *arg, int64_t deadline_at);
/* Everything that came before must be eaten. */
bool conn_secure(struct conn *c, struct tls_client *tls, struct slice host, const char *protocol, struct err *e);
/* Nothing is called any more, and c is gone. `polite`: what was written leaves first. */
void conn_drop(struct conn *c, bool polite);

#endif
