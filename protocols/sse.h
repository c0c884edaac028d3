/* sse.h - server-sent events: text/event-stream as the HTML standard (9.2) reads and writes it.
 *
 * Reading: sse_feed gives an event at each blank line that ends one with data. Everything is text by its
 *   rules, nothing is a syntax error: unknown fields and comments are passed over, bytes that are no UTF-8
 *   become U+FFFD, one byte order mark at the very start goes. Refused are only lines and events over the
 *   limits, and running out of memory.
 * Slices: of an event point into the reader and live until the next call.
 * Owns: the line, the event and the last event id being gathered. A line that comes whole is not copied.
 *   sse_release.
 * Offsets in errors count from sse_init.
 * Limits: struct sse_limits.
 * Writing: whole events and comments, or nothing.
 * Tried: tests/protocols/sse, fuzz/sse, `startbox codec sse`. */
#ifndef PROTOCOLS_SSE_H
#define PROTOCOLS_SSE_H

#include "base/buf.h"
#include "base/err.h"
#include "protocols/step.h"

struct sse_limits {
    size_t line;  /* bytes of a line without its end */
    size_t event; /* bytes of data, type and id of one event, as text */
};

struct sse_event {
    struct slice type; /* "message" when the stream named none */
    struct slice data;
    struct slice id; /* the last event id, which may be an earlier event's; empty when there was none */
};

struct sse {
    /* The last event id that was dispatched: what a client that comes back sends as Last-Event-ID. */
    struct buf id;
    /* The last time to wait before coming back that the stream told. */
    bool has_retry;
    uint64_t retry_ms; /* a number too large is UINT64_MAX */

    /* The rest is the room's. */
    struct buf line, data, type, id_next;
    bool has_id_next; /* id_next replaces id when the event ends */
    bool after_cr;    /* a LF now belongs to the line before */
    bool given;       /* the event in the buffers was handed out */
    uint8_t bom;      /* bytes of a byte order mark seen; BOM_DONE afterwards */
    bool bad;
    uint64_t at;      /* bytes eaten before this call */
    uint64_t line_at; /* where the line began */
    struct sse_limits limits;
};

void sse_init(struct sse *s, const struct sse_limits *limits);
void sse_release(struct sse *s);
struct fed sse_feed(struct sse *s, struct slice in, struct sse_event *ev, struct err *e);
/* True when the stream ends between two events. An end in the middle is no error: what is unfinished is
 * dropped. */
bool sse_eof(const struct sse *s);

/* What one event says. Fields whose ptr is NULL are left out; without data it only sets the id and the time,
 * and a reader dispatches nothing. */
struct sse_message {
    struct slice type, data, id;
    bool has_retry;
    uint64_t retry_ms;
};
/* Lines of data may end in LF, CR or CRLF; a reader gets LF. Refused: what is not UTF-8, a line's end in type
 * or id, a NUL in id. */
bool sse_write(struct buf *out, const struct sse_message *m, struct err *e);
/* A comment, which readers pass over: keeps a connection from looking idle. May be empty, may have several
 * lines. */
bool sse_write_comment(struct buf *out, struct slice text, struct err *e);

#endif
