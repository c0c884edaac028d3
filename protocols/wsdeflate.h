/* wsdeflate.h - permessage-deflate (RFC 7692) with zlib, and whole WebSocket messages, compressed or not.
 *
 * Three nouns:
 *   wsinflate  one direction's inflater: streaming, in pieces as small as the caller's room, so that no
 *              message can become larger than somebody agreed to.
 *   wsdeflate  one direction's compressor: one call makes one whole frame. Without context takeover the
 *              same frame is good for every subscriber that agreed on at least its window: compress once,
 *              send to many.
 *   wsmessage  a reader over struct websocket that gives whole messages, inflated and checked, up to a
 *              limit.
 * Owns: zlib's state, made with the first message that needs it and given back by _release. Without
 *   context takeover _release may be called between any two messages; the next one starts anew by itself
 *   (wsmessage does that).
 * Memory: all through base/mem.h; wsinflate_cost and wsdeflate_cost say how much, for whoever keeps a
 *   budget.
 * Never: keeps a pointer into the caller's bytes. zlib's own streams never leave these files.
 * Tried: tests/protocols/wsdeflate, fuzz/wsdeflate, `startbox codec websocket --deflate`. */
#ifndef PROTOCOLS_WSDEFLATE_H
#define PROTOCOLS_WSDEFLATE_H

#include "protocols/websocket.h"

#define WSDEFLATE_BITS_MIN 8 /* windows of 2^8 to 2^15 bytes */
#define WSDEFLATE_BITS_MAX 15

/* What both sides agreed on; see wshandshake.h. */
struct wsdeflate_params {
    uint8_t server_bits, client_bits; /* the largest window of that side's compressor */
    bool server_no_context, client_no_context;
};

/* --- inflating --- */

struct wsinflate {
    void *zlib;
    bool keep;    /* context between messages */
    bool clean;   /* at a block's end on a whole byte: nothing is open */
    bool inside;  /* of a message */
    uint8_t tail; /* bytes of the implied tail eaten */
};

/* The window is always the largest: with a smaller one, whether zlib sees that a peer looks back further than
 * it promised depends on the pieces. So a peer that breaks that promise is understood, and one that asked for
 * less costs as much. */
void wsinflate_init(struct wsinflate *z, bool keep);
void wsinflate_release(struct wsinflate *z);
size_t wsinflate_cost(void);

/* Inflates from the front of *in (which shrinks) into out, at most `room` > 0 bytes; *wrote says how many.
 * `last`: the message ends with *in.
 *   STEP_EVENT  the room is full, there may be more: call again.
 *   STEP_MORE   all of *in is eaten and all it says is written.
 *   STEP_END    the message is over as well (only when `last`).
 *   STEP_BAD    it is not DEFLATE, or no memory (ERR_NOMEM). What was written before that counts. */
enum step wsinflate_run(struct wsinflate *z, struct slice *in, bool last, uint8_t *out, size_t room, size_t *wrote,
                        struct err *e);

/* --- compressing --- */

struct wsdeflate {
    void *zlib;
    uint8_t bits, memory, level;
    bool keep;
};

/* `memory` 1 to 9 and `level` 0 to 9 are zlib's memLevel and level. Good on small boards: bits 12, memory 5,
 * level 1. */
void wsdeflate_init(struct wsdeflate *z, unsigned bits, unsigned memory, unsigned level, bool keep);
void wsdeflate_release(struct wsdeflate *z);
size_t wsdeflate_cost(unsigned bits, unsigned memory);

/* Appends a whole TEXT or BINARY message as one compressed frame, or nothing. Without context it is sent
 * plain when that is not longer. Text must be UTF-8. The buffer needs room to spare: up to an eighth and 100
 * bytes more than the payload. */
bool wsdeflate_write(struct wsdeflate *z, struct buf *out, enum websocket_op op, struct slice payload,
                     const uint8_t *mask, struct err *e);

/* --- whole messages --- */

struct wsmessage {
    struct websocket ws; /* ws.close_code after STEP_BAD */
    struct wsinflate inflate;
    struct buf data;
    struct utf8 utf8;
    size_t max;
    bool given; /* data was handed out and may go with the next call */
};

/* `params`: what was agreed on, or NULL without compression. The scratch as in websocket_init. */
void wsmessage_init(struct wsmessage *m, enum websocket_role role, const struct websocket_limits *limits,
                    const struct wsdeflate_params *params, uint8_t *scratch, size_t scratch_len);
void wsmessage_release(struct wsmessage *m);
/* As websocket_feed, but WEBSOCKET_DATA is always a whole message (first and last are set). A small message
 * in one piece is not copied: its slice is the piece. Errors of compressed data name the offset where the
 * message began. */
struct fed wsmessage_feed(struct wsmessage *m, struct slice in, struct websocket_event *ev, struct err *e);
static inline bool wsmessage_eof(const struct wsmessage *m) {
    return websocket_eof(&m->ws);
}

#endif
