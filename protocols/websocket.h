/* websocket.h - RFC 6455 frames, both roles, without I/O.
 *
 * Reading: websocket_feed gives the data of messages in pieces as it comes (never held back) and control
 *   frames whole. Everything chapters 5 and 7 forbid is refused at the first byte that shows it;
 *   close_code then says what the close frame should carry. Text is checked as UTF-8 byte by byte, across
 *   fragments, unless it is compressed: then whoever inflates it checks (wsdeflate.h). After a close frame
 *   comes STEP_END: what follows is not looked at.
 * Slices: of data point into the input (client) or into the scratch (server, where the mask must come
 *   off); of control frames into the reader. They live until the next call. One scratch may serve any
 *   number of readers of one thread, if each is done with its event before another is fed.
 * Owns: its position. No allocation, some 250 bytes. The fields are the room's, but for close_code.
 * Offsets in errors count from websocket_init.
 * Limits: struct websocket_limits. Too long is 1009, too many is 1008.
 * Writing: whole frames, in one call. A frame from a server has no mask, so its bytes can be made once in
 *   a buf and sent to any number of clients.
 * Tried: tests/protocols/websocket, fuzz/websocket, `startbox codec websocket`. */
#ifndef PROTOCOLS_WEBSOCKET_H
#define PROTOCOLS_WEBSOCKET_H

#include "base/buf.h"
#include "base/err.h"
#include "base/utf8.h"
#include "protocols/step.h"

#define WEBSOCKET_HEAD_MAX    14  /* bytes of the longest frame head */
#define WEBSOCKET_CONTROL_MAX 125 /* bytes in a control frame */
#define WEBSOCKET_REASON_MAX  123 /* bytes of text in a close frame */

/* What a frame is: number on the wire, name. */
#define WEBSOCKET_OPS(X)                                                                                               \
    X(WEBSOCKET_OP_CONTINUATION, 0x0, "continuation")                                                                  \
    X(WEBSOCKET_OP_TEXT, 0x1, "text")                                                                                  \
    X(WEBSOCKET_OP_BINARY, 0x2, "binary")                                                                              \
    X(WEBSOCKET_OP_CLOSE, 0x8, "close")                                                                                \
    X(WEBSOCKET_OP_PING, 0x9, "ping")                                                                                  \
    X(WEBSOCKET_OP_PONG, 0xa, "pong")

enum websocket_op {
#define X(op, wire, name) op = (wire),
    WEBSOCKET_OPS(X)
#undef X
};

const char *websocket_op_name(enum websocket_op op); /* "text"; "reserved" for what is no op */
bool websocket_op_from(unsigned wire, enum websocket_op *op);

/* Why a connection closes: the codes that may stand in a close frame, beside 3000 to 4999. */
#define WEBSOCKET_CODES(X)                                                                                             \
    X(WEBSOCKET_CLOSE_NORMAL, 1000, "normal")                                                                          \
    X(WEBSOCKET_CLOSE_GOING_AWAY, 1001, "going away")                                                                  \
    X(WEBSOCKET_CLOSE_PROTOCOL, 1002, "protocol error")                                                                \
    X(WEBSOCKET_CLOSE_UNSUPPORTED, 1003, "unsupported data")                                                           \
    X(WEBSOCKET_CLOSE_DATA, 1007, "invalid data")                                                                      \
    X(WEBSOCKET_CLOSE_POLICY, 1008, "policy violation")                                                                \
    X(WEBSOCKET_CLOSE_TOO_BIG, 1009, "message too big")                                                                \
    X(WEBSOCKET_CLOSE_EXTENSION, 1010, "extension wanted")                                                             \
    X(WEBSOCKET_CLOSE_INTERNAL, 1011, "internal error")                                                                \
    X(WEBSOCKET_CLOSE_RESTART, 1012, "service restart")                                                                \
    X(WEBSOCKET_CLOSE_LATER, 1013, "try again later")                                                                  \
    X(WEBSOCKET_CLOSE_GATEWAY, 1014, "bad gateway")

enum websocket_code {
    WEBSOCKET_CLOSE_NONE = 0, /* a close frame without a code */
#define X(code, wire, name) code = (wire),
    WEBSOCKET_CODES(X)
#undef X
};

/* "normal"; "registered" from 3000 on, "private" from 4000 on, "none" for 0, "reserved" for the rest. */
const char *websocket_code_name(unsigned code);
/* Whether the number may stand in a close frame; *code (may be NULL) is then it. */
bool websocket_code_from(unsigned wire, uint16_t *code);

enum websocket_role { WEBSOCKET_SERVER, WEBSOCKET_CLIENT }; /* who reads */

struct websocket_limits {
    uint64_t frame;     /* bytes in one frame */
    uint64_t message;   /* bytes in one message; a compressed one may be an eighth longer on the wire */
    uint32_t fragments; /* frames of one message */
    uint32_t controls;  /* control frames in a row */
};

enum websocket_kind {
    WEBSOCKET_DATA,   /* a piece of a message: op, first, last, compressed, data (may be empty when last) */
    WEBSOCKET_PING,   /* data; to be answered with a pong of the same data */
    WEBSOCKET_PONG,   /* data */
    WEBSOCKET_CLOSED, /* code (0: none was given), data is the reason */
};

struct websocket_event {
    enum websocket_kind kind;
    enum websocket_op op; /* of a message: TEXT or BINARY */
    bool first, last;     /* piece of the message */
    bool compressed;
    uint16_t code;
    struct slice data;
};

struct websocket {
    uint16_t close_code; /* after STEP_BAD: what to close with */

    uint8_t role, state, deflate;
    uint8_t head_len, head_want, control_len;
    uint8_t op, final;                                   /* of this frame */
    uint8_t message_op, started, compressed, in_message; /* of the open message */
    uint8_t head[WEBSOCKET_HEAD_MAX];
    uint8_t mask[4]; /* turned so that the first byte is for the next byte of payload */
    uint8_t control[WEBSOCKET_CONTROL_MAX];
    struct utf8 utf8;
    uint32_t fragments, controls;
    uint64_t at;          /* bytes eaten before this call */
    uint64_t frame_at;    /* where this frame began */
    uint64_t message_at;  /* where the message began */
    uint64_t left;        /* payload of this frame still to come */
    uint64_t message_len; /* announced by the frames of the message so far */
    struct websocket_limits limits;
    uint8_t *scratch_lent;
    size_t scratch_len;
};

/* `deflate`: permessage-deflate was agreed on, so RSV1 is allowed. The scratch (at least one byte; 4 to 64
 * KiB are good) is needed by a server only, and bounds the pieces that it gives. Nothing needs releasing. */
void websocket_init(struct websocket *w, enum websocket_role role, const struct websocket_limits *limits, bool deflate,
                    uint8_t *scratch, size_t scratch_len);
struct fed websocket_feed(struct websocket *w, struct slice in, struct websocket_event *ev, struct err *e);
/* Whether the stream may end here: after a close frame, or between two messages. */
bool websocket_eof(const struct websocket *w);
/* Forgets the control frames counted so far. A peer that only listens sends nothing but pongs for days:
 * whoever has a clock calls this once an interval. */
void websocket_forgive(struct websocket *w);
/* Makes the reader bad from outside, with the code to close with. */
void websocket_refuse(struct websocket *w, unsigned code);

enum { WEBSOCKET_FIN = 0x80, WEBSOCKET_RSV1 = 0x40 };

/* Writers append one whole frame or nothing. `mask`: four random bytes from a client, NULL from a server.
 * Refused: what a reader would refuse. The text of fragments and compressed payload are the caller's word. */
bool websocket_write_frame(struct buf *out, enum websocket_op op, unsigned flags, struct slice payload,
                           const uint8_t *mask, struct err *e);
bool websocket_write_text(struct buf *out, struct slice text, const uint8_t *mask, struct err *e);
bool websocket_write_binary(struct buf *out, struct slice data, const uint8_t *mask, struct err *e);
bool websocket_write_ping(struct buf *out, struct slice data, const uint8_t *mask, struct err *e);
bool websocket_write_pong(struct buf *out, struct slice data, const uint8_t *mask, struct err *e);
/* Code 0 is a close frame without a code, and then the reason must be empty. */
bool websocket_write_close(struct buf *out, unsigned code, struct slice reason, const uint8_t *mask, struct err *e);

/* Only the head of a frame of `len` bytes; the caller sends the payload after it, masked with websocket_mask. */
bool websocket_write_head(struct buf *out, enum websocket_op op, unsigned flags, uint64_t len, const uint8_t *mask,
                          struct err *e);
/* The same into WEBSOCKET_HEAD_MAX bytes, unchecked; returns how many. */
size_t websocket_put_head(uint8_t *out, enum websocket_op op, unsigned flags, uint64_t len, const uint8_t *mask);
/* Masks or unmasks n bytes, of which the first stands `phase` bytes behind the start of the payload. to may
 * be from. */
void websocket_mask(uint8_t *to, const uint8_t *from, size_t n, const uint8_t *mask, size_t phase);

#endif
