/* range.h - byte ranges (RFC 9110 14): what a client asks for, against what there is.
 *
 * Never: answers with more parts than asked for in the caller's array, nor with overlapping ones: a request
 * for many small or overlapping ranges is an attack, and the whole is sent instead. Tried:
 * tests/protocols/http1_values, fuzz/httpfields. */
#ifndef PROTOCOLS_RANGE_H
#define PROTOCOLS_RANGE_H

#include "base/buf.h"
#include "base/err.h"

struct range {
    uint64_t first, last; /* both included */
};

enum range_found {
    RANGE_WHOLE,   /* send 200: another unit, not by the grammar, too many, or nothing to cut */
    RANGE_PARTS,   /* send 206 */
    RANGE_OUTSIDE, /* send 416, and Content-Range with the length alone */
};

#define RANGE_SPECS_MOST 64 /* ranges in one field that are looked at; players and download tools ask for one or two */

/* The value of a Range field against a representation of `length` bytes. Parts come in the order asked; such
 * as overlap or touch a part before them are joined with it. */
enum range_found range_read(struct slice text, uint64_t length, struct range *parts, size_t most, size_t *n);

/* Content-Range. */
struct range_content {
    bool has_range, has_length; /* "bytes 0-4/10", and with a star for what is not there; never both stars */
    struct range range;
    uint64_t length;
};
bool range_content_write(struct buf *out, const struct range_content *c, struct err *e);
bool range_content_read(struct slice text, struct range_content *c, struct err *e);

#endif
