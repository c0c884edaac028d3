/* rpc_door.h - JSON-RPC over HTTP: POST /rpc/v1 as StartOS' clients send it, one call or a batch.
 *
 * For: a route (prefix "/rpc/") whose handler is rpc_door_handler and whose arg is a struct rpc_door.
 * Owns: calls that are under way with their exchanges. A connection that dies takes its calls with it (rpc_cancel).
 * What it says: 200 with Content-Type: application/json exactly, also for errors of calls; the answers of a batch in its order;
 *   X-Patch-Sequence where a row wants it; the cookie of a login. What is no call at all is an HTTP error: a page of another
 *   origin (403), a host name that is none of ours (421), a body over LIMIT_RPC_BODY (413).
 * Tried: tests/http/rpc_door, tests/cli/startd.sh, live.sh, hostile.sh. */
#ifndef HTTP_RPC_DOOR_H
#define HTTP_RPC_DOOR_H

#include "auth/auth.h"
#include "http/server.h"
#include "words/words.h"

struct rpc_door {
    struct rpc *rpc;
    struct auth *auth;
    /* Whether a host name beyond those of every house (an address, localhost, a single label, .local, ...) is the box's. */
    bool (*knows_host)(void *arg, struct slice host);
    void *arg;
    /* Pages of these origins may call too: "https://box.example", separated by spaces. */
    const char *origins;
    /* Of the labels of errors; may change at any time. */
    enum words_language language;
    /* private */
    struct buf out;
};
void rpc_door_init(struct rpc_door *d);
void rpc_door_release(struct rpc_door *d);
extern const struct http_handler rpc_door_handler;
extern const struct http_handler rpc_preflight_handler; /* of OPTIONS; the same arg */

/* What is shown with a request, for auth_name. */
void door_shown(struct http_exchange *x, const struct http1_head *head, struct auth_shown *shown);

/* The host a request names, without its port. */
struct slice door_host(const struct http1_head *head);

/* Whether a browser's page may ask this: the host is one of ours, and the page is from here, or from a known origin. `origin`: its
 * value when answers must say that it may read them, else empty. */
bool door_may_ask(const struct rpc_door *d, const struct http1_head *head, struct slice *origin, struct err *e);

#endif
