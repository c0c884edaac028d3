/* out.h - what all outgoing requests of a process share: the loop, names, trust, proxies, and connections that rest between requests.
 *
 * For: request.h and mail.h.
 * Owns: resting connections. Everything it was given stays the caller's and must outlast it.
 * Caveat: when it is freed connections still have to close: the loop turns at least once more before it is freed too.
 * Tried: tests/out/request. */
#ifndef OUT_OUT_H
#define OUT_OUT_H

#include "out/conn.h"

struct out_config {
    struct loop *loop;
    struct resolver *resolver;
    struct tls_client *tls;        /* NULL: nothing goes by TLS */
    const struct proxies *proxies; /* NULL: none */
    const char *agent;             /* of User-Agent, static; NULL: "startbox/VERSION" */
    unsigned requests;             /* open at once; 0: LIMIT_OUT_REQUESTS */
    unsigned resting;              /* connections; 0: LIMIT_OUT_RESTING; OUT_NO_REST: none */
    int64_t rest_ms;               /* 0: LIMIT_OUT_REST_MS */
};
#define OUT_NO_REST 0xffffffffu

struct out_counts {
    uint64_t dialled; /* connections that were begun */
    uint64_t reused;
    uint64_t again;   /* requests sent once more, since a reused connection was dead */
    unsigned open;    /* requests and mails now */
    unsigned resting; /* connections now */
};

struct out;

struct out *out_new(const struct out_config *config, struct err *e);
/* Every request and mail must be over. NULL is allowed. */
void out_free(struct out *o);
struct out_counts out_counts(const struct out *o);
/* Connections that rest are closed: the network, or who is trusted, has changed. */
void out_forget(struct out *o);

/* --- for the rooms of this folder --- */

const struct out_config *out_config(const struct out *o);
/* One more request or mail; false: too many. out_left when it is over. */
bool out_enter(struct out *o, struct err *e);
void out_left(struct out *o);
void out_note_dialled(struct out *o);
void out_note_again(struct out *o);
/* A resting connection for this key that `allowed` (may be NULL) lets pass, or NULL. */
struct conn *out_take(struct out *o, const struct conn_key *key, bool (*allowed)(void *arg, const struct address *a),
                      void *arg);
/* Takes a connection that may be used again; its host is copied. */
void out_rest(struct out *o, struct conn *c, const struct conn_key *key);

#endif
