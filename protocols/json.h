/* json.h - RFC 8259, text to val and val to text.
 *
 * Reading: jsmn cuts the tokens in small batches, this room holds them against the grammar, byte by byte what stands
 *   between them too. Exactly RFC 8259: what must be accepted is, what must be refused is, with the place and the reason.
 * Numbers: an integer in [-2^64, 2^64-1] is exact. Everything else is a double: 1.0, 1e2, -0 and 2^64. A number that no
 *   finite double can hold (1e400) is refused. Written back, a double always has '.' or 'e', so it stays one.
 * Duplicate keys: the last wins, in the place of the first.
 * Owns: its tokens, and in the feeding form the bytes that came. Values given out are the caller's.
 * Limits: struct json_limits.
 * Tried: tests/protocols/json, fuzz/json, `startbox codec json`. */
#ifndef PROTOCOLS_JSON_H
#define PROTOCOLS_JSON_H

#include "base/buf.h"
#include "base/val.h"
#include "protocols/step.h"

struct json_limits {
    size_t bytes;       /* of one document */
    unsigned depth;     /* of nesting; at most LIMIT_VAL_DEPTH has effect */
    bool drop_reserved; /* leave out map entries whose key begins with "__" */
};

/* A whole document at once. */
bool json_parse(struct slice text, const struct json_limits *limits, struct val *out, struct err *e);

/* The same in slices: json_open, then json_run until it says something else than STEP_MORE. The text must stay. */
struct json;
struct json *json_open(struct slice text, const struct json_limits *limits);
/* Works on some `budget` bytes. STEP_END: the value can be taken. */
enum step json_run(struct json *j, size_t budget, struct err *e);
struct val json_take(struct json *j);
void json_free(struct json *j);

/* The same from a stream whose end only its carrier knows: bytes are collected, work goes along with them. */
struct json *json_new(const struct json_limits *limits);
struct fed json_feed(struct json *j, struct slice in, struct err *e);
/* No more will come: STEP_END with a value to take, or STEP_BAD. */
enum step json_eof(struct json *j, struct err *e);

enum json_form {
    JSON_COMPACT,
    JSON_INDENTED, /* two spaces a level, one entry a line */
    JSON_ASCII,    /* compact, everything beyond ASCII as \u escapes */
    JSON_DIAG,     /* CBOR diagnostic notation: bytes, NaN and keys of any kind have a form */
};

/* Appends the whole text or nothing. Refused: bytes, NaN, infinities and keys that are not text (but in JSON_DIAG). */
bool json_write(struct buf *out, const struct val *v, enum json_form form, struct err *e);

/* The same in slices: json_write_open, then json_write_run until it is not STEP_MORE. The value must stay. */
struct json_writer;
struct json_writer *json_write_open(const struct val *v, enum json_form form);
/* Appends some `budget` bytes more. */
enum step json_write_run(struct json_writer *w, struct buf *out, size_t budget, struct err *e);
void json_write_free(struct json_writer *w);

/* Appends one JSON string with its quotes. The text must be UTF-8. */
bool json_write_text(struct buf *out, struct slice text);

#endif
