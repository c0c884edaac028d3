/* arena.h - memory that dies all at once.
 *
 * For: what belongs to one call or one message. Blocks are bumped off chunks; arena_reset makes everything invalid and
 *      keeps one chunk. Unused bytes are poisoned for the address sanitizer, so it is not blind inside.
 * Owns: its chunks. The most it may hold is fixed at birth.
 * Tried: tests/base/bytes. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/slice.h"

struct arena_chunk;

struct arena {
    struct arena_chunk *chunks; /* newest first */
    uint8_t *at, *end;          /* what is left of the newest */
    size_t held, max;           /* bytes in chunks, and the most of them */
};

/* Does not allocate. */
void arena_init(struct arena *a, size_t max);
void arena_release(struct arena *a);
/* Forgets every block, keeps the newest chunk. */
void arena_reset(struct arena *a);
/* A block aligned for any type, not cleared; NULL at the maximum or without memory. */
void *arena_get(struct arena *a, size_t size);
/* A copy of the bytes; ptr is NULL when there was no room (an empty slice has a non-NULL ptr). */
struct slice arena_copy(struct arena *a, struct slice s);

#endif
