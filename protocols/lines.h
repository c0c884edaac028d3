/* lines.h - a stream cut into lines: one message a line, as JSON-RPC over Unix sockets and logs want it.
 *
 * Reading: a line ends with LF; one CR before it goes with it. Lines that are empty or hold only spaces and tabs are
 *   passed over. What stands behind the last LF when the stream ends is a line too.
 * Slices: a line that is whole in the input points into it, else into the reader; it lives until the next call.
 * Owns: the beginning of a line that has not ended yet, at most the limit. lines_release.
 * Offsets in errors count from lines_init.
 * Limits: `max`, bytes of a line without its end.
 * Tried: tests/protocols/lines, fuzz/lines, `startbox codec lines`. */
#ifndef PROTOCOLS_LINES_H
#define PROTOCOLS_LINES_H

#include "base/buf.h"
#include "base/err.h"
#include "protocols/step.h"

struct lines {
    /* The fields are the room's. */
    struct buf part;  /* what came of a line that has not ended */
    size_t max;       /* bytes of a line */
    uint64_t at;      /* of the stream's bytes, how many were eaten */
    uint64_t line_at; /* where the line at hand began */
    bool given, bad;  /* part was handed out and begins anew; refused for good */
};

void lines_init(struct lines *l, size_t max);
void lines_release(struct lines *l);
/* STEP_EVENT: *line is filled. Refused: a line over the limit "line", and running out of memory. */
struct fed lines_feed(struct lines *l, struct slice in, struct slice *line, struct err *e);
/* The stream has ended: STEP_EVENT with the last line once, when there is one; then STEP_END. STEP_BAD stays. */
enum step lines_eof(struct lines *l, struct slice *line, struct err *e);

/* Appends the line and LF. Refused: a line that would not read back as it is (a LF in it, a CR at its end, or
 * blank). */
bool lines_write(struct buf *out, struct slice line, struct err *e);

#endif
