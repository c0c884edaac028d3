/* request_room.h - inside of request.h: what a request needs while it is under way.
 *
 *     OPENING     the body's file is asked how long it is
 *     DIALLING    a connection is made
 *     TUNNELLING  a proxy was sent CONNECT
 *     SHAKING     TLS
 *     ASKING      the request is being sent, or its answer's head is waited for
 *     ANSWERED    the body comes
 *     SKIPPING    the body of an answer that does not count is read, so that its connection can rest
 *     SEALING     all has come; the file is being made durable
 *     OVER
 *
 * One hop is one request on one connection; a redirect, a dead connection or a useless range leads to the next hop. */
#ifndef OUT_REQUEST_ROOM_H
#define OUT_REQUEST_ROOM_H

#include "base/arena.h"
#include "out/coding.h"
#include "out/request.h"
#include "out/request_hop.h"

enum request_phase {
    REQUEST_OPENING,
    REQUEST_DIALLING,
    REQUEST_TUNNELLING,
    REQUEST_SHAKING,
    REQUEST_ASKING,
    REQUEST_ANSWERED,
    REQUEST_SKIPPING,
    REQUEST_SEALING,
    REQUEST_OVER,
};

#define REQUEST_FIELDS 100 /* of an answer; LIMIT_HTTP1_HEADERS */

struct request_work {
    struct request *r; /* NULL: OVER */
    struct out *out;
    struct loop *loop;
    struct loop_task task, bye;
    struct loop_timer timer;
    int64_t pace_at; /* so many bytes must have moved by then */
    uint64_t mark;   /* bytes moved when that began */
    enum request_phase phase;
    bool begun, no_timer;
    bool in_call, told; /* told: the asker knows of the piece at hand */

    /* what is asked */
    bool private_dropped; /* Authorization and Cookie stay behind */
    bool body_dropped;
    bool whole;   /* no range any more */
    bool again;   /* sent again already */
    bool sending; /* the body is on its way */
    struct arena arena;
    struct slice method, path, validator; /* path and validator: of the file */
    struct http_field *fields;
    size_t field_n;
    struct buf authorization; /* out of the URL */
    struct hop hop;
    struct source source;
    struct source_part part;

    /* the connection of this hop */
    struct conn *conn;
    struct conn_key key;
    char host[256];       /* of the key */
    uint64_t read_before; /* bytes it had read before this hop */
    bool reused, fresh;   /* fresh: this hop wants a new one */
    bool interim;         /* the head at hand is of a 1xx */
    bool keep_alive;      /* of the answer that counts */
    struct http1 http;
    size_t front; /* bytes at the front of the stream that are body, and not taken yet */
    size_t skipped;
    struct http_field answer_fields[REQUEST_FIELDS];

    /* the answer's body */
    struct coding *coding;
    struct slice piece;  /* decoded, not taken yet */
    uint64_t expected;   /* of 206: how long the file is as a whole */
    uint64_t most, came; /* bytes; of a file with those before */
    struct buf gathered;
    struct pump pump;
    bool more_inside;                 /* the decoder may have more without further input */
    bool sink_open, sink_full, ended; /* of the pump; all has come */
};

/* request.c */
void request_fail(struct request_work *w, const struct err *e);
void request_done(struct request_work *w);
void request_enter(struct request_work *w, enum request_phase phase);
/* The pace is counted from here. */
void request_pace(struct request_work *w);
/* The connection of this hop is not needed any more. */
void request_let_go(struct request_work *w, bool reusable);
void request_next_hop(struct request_work *w);
/* True: the hop is begun once more on a new connection. */
bool request_again(struct request_work *w);

/* request_send.c */
bool request_check_fields(const struct request *r, struct err *e);
/* All that is asked in this hop, as bytes. */
bool request_write_head(struct request_work *w, struct buf *out, struct err *e);
bool request_send_head(struct request_work *w, struct err *e);
bool request_send_connect(struct request_work *w, struct err *e);
/* Sends of the body what there is and the peer takes. */
void request_send_body(struct request_work *w);

/* request_answer.c */
void request_read(struct request_work *w);
void request_pump_heard(struct pump *p, enum pump_event event);
struct slice request_offer(const struct request_work *w);
void request_take(struct request_work *w, size_t n);

#endif
