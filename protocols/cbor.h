/* cbor.h - RFC 8949, bytes to val and val to bytes.
 *
 * Reading: libcbor's streaming decoder cuts the heads, this room builds. Definite and indefinite lengths. What the data
 *   model lacks is refused with its place: tags (so bignums), undefined, other simple values, arrays and maps as keys.
 *   A map with the same key twice is refused: on disk and between programs it is damage, not style.
 * Writing: definite lengths (but where parts are left out), shortest heads, shortest floats, maps in their order; the
 *   deterministic form (4.2.1) sorts.
 * Owns: the piece of an item that was cut, and indefinite strings being collected.
 * Limits: struct cbor_limits.
 * Tried: tests/protocols/cbor, fuzz/cbor, `startbox codec cbor`. */
#ifndef PROTOCOLS_CBOR_H
#define PROTOCOLS_CBOR_H

#include "base/buf.h"
#include "base/val.h"
#include "protocols/step.h"

struct cbor_limits {
    size_t bytes;   /* of one item with everything in it */
    size_t string;  /* of one text or byte string */
    unsigned depth; /* at most VAL_DEPTH_MAX has effect */
};

/* Exactly one item. */
bool cbor_parse(struct slice bytes, const struct cbor_limits *limits, struct val *out, struct err *e);

/* From a stream. STEP_END: an item is whole and can be taken; bytes behind it are not eaten. Then cbor_reset begins the
 * next. Offsets in errors count from the start of the item. */
struct cbor;
struct cbor *cbor_new(const struct cbor_limits *limits);
struct fed cbor_feed(struct cbor *c, struct slice in, struct err *e);
/* Whether the stream may end here: between items. */
bool cbor_eof(const struct cbor *c, struct err *e);
struct val cbor_take(struct cbor *c);
void cbor_reset(struct cbor *c);
void cbor_free(struct cbor *c);

/* Appends the whole item or nothing. */
bool cbor_write(struct buf *out, const struct val *v, struct err *e);
/* The deterministic encoding. */
bool cbor_write_sorted(struct buf *out, const struct val *v, struct err *e);

/* In slices: cbor_write_open, then cbor_write_run until it is not STEP_MORE. The value must stay. */
struct cbor_writer;
struct cbor_writer *cbor_write_open(const struct val *v);
enum step cbor_write_run(struct cbor_writer *w, struct buf *out, size_t budget, struct err *e);
void cbor_write_free(struct cbor_writer *w);

/* The same, leaving parts out: at every map entry `step` says what it makes of the key's value, told what it made of
 * the map. NULL: nothing below is left out (it is not asked again); cbor_leave_out: the entry is not written;
 * cbor_write_null: null is, in the value's place; anything else is handed back at the entries of that map (elements of
 * arrays have NULL). Maps in which something may be left out are written with indefinite length. `where` is the root's;
 * NULL: as cbor_write_open. What is left out takes a little of the budget: a run may add nothing and say STEP_MORE. */
typedef const void *cbor_part_step(const void *arg, const void *where, const struct val *key);
extern const char cbor_leave_out[1], cbor_write_null[1];
struct cbor_writer *cbor_write_open_part(const struct val *v, cbor_part_step *step, const void *arg, const void *where);

#endif
