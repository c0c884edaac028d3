/* wshandshake.h - the opening handshake of a WebSocket, both sides (RFC 6455 chapter 4, RFC 7692 chapter 7).
 *
 * Never: speaks HTTP itself. Values of headers come as slices (ptr NULL when the header is absent; several
 *   headers of one name joined with ", ", as HTTP allows), values of headers go out into a struct buf.
 *   Whoever calls has seen to it that the request is HTTP/1.1 and has no body.
 * Owns: nothing. No allocation but through the buf that is written to.
 * Errors: carry the status to answer with (err_http): 400, 405 for another method, 426 for another
 *   version. Offsets count from the start of the header's value.
 * Tried: tests/protocols/wshandshake, fuzz/wsdeflate. */
#ifndef PROTOCOLS_WSHANDSHAKE_H
#define PROTOCOLS_WSHANDSHAKE_H

#include "protocols/wsdeflate.h"

#define WSHANDSHAKE_KEY_LEN    24 /* base64 of 16 bytes */
#define WSHANDSHAKE_ACCEPT_LEN 28 /* base64 of a SHA-1 */
#define WSHANDSHAKE_VERSION    "13"

/* The Sec-WebSocket-Accept that answers a key. */
void wshandshake_accept(struct slice key, uint8_t out[WSHANDSHAKE_ACCEPT_LEN]);
/* The Sec-WebSocket-Key of a client, from 16 random bytes. */
void wshandshake_key(const uint8_t nonce[16], uint8_t out[WSHANDSHAKE_KEY_LEN]);

/* --- the server's side --- */

struct wshandshake_request {
    struct slice method, upgrade, connection, version, key;
};
/* Whether this is a request for a WebSocket that can be answered with 101. */
bool wshandshake_check_request(const struct wshandshake_request *r, struct err *e);

/* Chooses a subprotocol: the first in the client's list that is among the n we speak. *chosen points into
 * `offer` and is empty when there is none; then the answer has no Sec-WebSocket-Protocol. False when the list
 * is no list of tokens, or names one twice. */
bool wshandshake_choose_protocol(struct slice offer, const struct slice *ours, size_t n, struct slice *chosen,
                                 struct err *e);

/* What we are ready to do about permessage-deflate. On a server: our own compressor's window (server_bits),
 * the one we allow the client (client_bits: smaller than 15 only if the client can obey), and whether either
 * keeps no context. */
#define WSHANDSHAKE_PARAMS_INIT                                                                                        \
    { .server_bits = 15, .client_bits = 15 }

/* Looks for an acceptable offer of permessage-deflate, in the client's order. On success *agreed is what both
 * will do, and the value of the answer's Sec-WebSocket-Extensions is appended to `answer`; when nothing
 * acceptable was offered, *found is false and nothing is appended. Unknown extensions are passed over. An
 * offer with a parameter that is unknown, doubled or has a wrong value is declined, as RFC 7692 wants it.
 * False when the header breaks the grammar. */
bool wshandshake_choose_deflate(struct slice offers, const struct wsdeflate_params *ours, struct buf *answer,
                                bool *found, struct wsdeflate_params *agreed, struct err *e);

/* --- the client's side --- */

/* Appends the value of Sec-WebSocket-Extensions that asks for permessage-deflate. On a client `ours` reads:
 * the window we want of the server (server_bits), the largest of our own compressor (client_bits), who shall
 * keep no context. */
bool wshandshake_write_offer(struct buf *out, const struct wsdeflate_params *ours, struct err *e);

struct wshandshake_answer {
    unsigned status;
    struct slice upgrade, connection, accept, protocol, extensions;
};
/* Whether the server's answer opens the WebSocket that was asked for with `key`. `protocols` is the
 * Sec-WebSocket-Protocol that was sent, or absent; `ours` what was offered with wshandshake_write_offer, or
 * NULL. *found: permessage-deflate is on, as *agreed says. */
bool wshandshake_check_answer(const struct wshandshake_answer *a, struct slice key, struct slice protocols,
                              const struct wsdeflate_params *ours, bool *found, struct wsdeflate_params *agreed,
                              struct err *e);

#endif
