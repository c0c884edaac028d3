/* cur.h - a bounded reader over a slice, with a sticky fault.
 *
 * For: binary formats. A read beyond the end gives zero (or an empty slice) and marks the reader bad; so a parser is
 *      straight code with one look at `bad` at the end. A nested length gives a sub-reader that cannot leave its part.
 * Never: owns or changes the bytes.
 * Tried: tests/base/bytes. */
#ifndef BASE_CUR_H
#define BASE_CUR_H

#include "base/slice.h"

struct cur {
    const uint8_t *at, *end, *start;
    bool bad;
};

static inline struct cur cur_of(struct slice s) {
    return (struct cur){s.ptr, s.len ? s.ptr + s.len : s.ptr, s.ptr, false};
}
static inline size_t cur_left(const struct cur *c) {
    return (size_t)(c->end - c->at);
}
static inline size_t cur_pos(const struct cur *c) {
    return (size_t)(c->at - c->start);
}
/* Everything was read, and nothing beyond. */
static inline bool cur_done(const struct cur *c) {
    return !c->bad && c->at == c->end;
}

struct slice cur_bytes(struct cur *c, size_t n);
struct slice cur_rest(struct cur *c);
uint8_t cur_u8(struct cur *c);
uint16_t cur_be16(struct cur *c);
uint32_t cur_be32(struct cur *c);
uint64_t cur_be64(struct cur *c);
/* A reader over the next n bytes, which this one has then passed. A part that does not fit marks both bad. */
struct cur cur_sub(struct cur *c, size_t n);

#endif
