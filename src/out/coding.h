/* coding.h - bodies that come compressed: gzip and deflate (RFC 9110 8.4), undone as they come.
 *
 * Owns: zlib's state (40 KiB through base/mem) and the piece that was given out.
 * Never: gives more than CODING_PIECE bytes at once, so a small body that grows to a big one costs its reader no long turn; the
 *        reader counts what it takes.
 * Forgives: "deflate" without the zlib frame it should have (many servers), and an empty body. Refuses what stands behind the end.
 * Driven: coding_feed until STEP_MORE; at the end of the body coding_whole.
 * Tried: tests/out/parts. */
#ifndef OUT_CODING_H
#define OUT_CODING_H

#include "base/err.h"
#include "protocols/http_field.h"
#include "protocols/step.h"

#define CODING_PIECE 16384

enum coding_kind { CODING_NONE, CODING_GZIP, CODING_DEFLATE };

struct coding;

/* What the Content-Encoding fields say. False: a coding, or more than one, that was not asked for. */
bool coding_from(const struct http_field *fields, size_t n, enum coding_kind *kind, struct err *e);

/* Not for CODING_NONE. */
struct coding *coding_new(enum coding_kind kind, struct err *e);
/* NULL is allowed. */
void coding_free(struct coding *c);
/* STEP_EVENT: *piece, never empty, until the next call. STEP_MORE: all of `in` is used up. */
struct fed coding_feed(struct coding *c, struct slice in, struct slice *piece, struct err *e);
/* Whether the body may end here. */
bool coding_whole(const struct coding *c);

#endif
