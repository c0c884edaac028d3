/* websocket_door.h - WebSockets for whoever serves them: whole messages in, frames out, made once for any number of peers.
 *
 * For: a route whose handler is websocket_begin_handler and whose arg is a struct websocket_door.
 * Owns: the state of each open WebSocket, some 400 bytes beside its connection; a message that came in pieces until it is whole.
 * Answers pings, closes politely (both ways), asks a silent peer with a ping and closes when it stays silent.
 * No permessage-deflate: what is agreed on is per route, and no route wants it yet.
 * Never: calls `message` after `gone`; keeps more than its limits: LIMIT_HTTP_WS_MESSAGE, struct http_limits.out.
 * Tried: tests/http/websocket, tests/cli/serve.sh. */
#ifndef HTTP_WEBSOCKET_DOOR_H
#define HTTP_WEBSOCKET_DOOR_H

#include "http/server.h"
#include "protocols/websocket.h"

struct websocket_peer;

struct websocket_door {
    /* Optional: asked when the handshake is good. *mine is what websocket_mine will be. False: refused, e says why. */
    bool (*admit)(struct http_exchange *x, const struct http_request *r, void **mine, struct err *e);
    void (*dropped)(void *mine); /* what was admitted never became a WebSocket */
    void (*open)(struct websocket_peer *w);
    void (*drained)(struct websocket_peer *w); /* behind websocket_owe_drained; may be NULL */
    void (*message)(struct websocket_peer *w, enum websocket_op op, struct slice data);
    void (*gone)(struct websocket_peer *w); /* always, once, behind open */
    void *arg;
};
extern const struct http_handler websocket_begin_handler;

void *websocket_arg(const struct websocket_peer *w);
void **websocket_mine(struct websocket_peer *w);

/* False: the peer does not read what it is sent (limit "out"), or is gone; whoever keeps state for it closes it then. */
bool websocket_send(struct websocket_peer *w, enum websocket_op op, struct slice data);
/* A frame made once. NULL: no memory. */
struct shared *websocket_frame(enum websocket_op op, struct slice data);
bool websocket_send_frame(struct websocket_peer *w, struct shared *frame);
/* `drained` comes once everything that waits is written. */
void websocket_owe_drained(struct websocket_peer *w);
/* Bytes that wait for the peer. */
size_t websocket_pending(const struct websocket_peer *w);
void websocket_close(struct websocket_peer *w, enum websocket_code code, struct slice reason);

#endif
