/* blake3.h - BLAKE3: the hash, the hash with a key, and keys derived from others, of any length out.
 *
 * For: bodies of signed requests, packages and images, which may be large: whole chunks are hashed many at a time, as wide as the
 *      processor can (16, 8 or 4; blake3_many.c). Pieces of some 64 KiB and more make the most of it.
 * Owns: nothing but the struct's bytes. With a key in it, blake3_wipe ends its life.
 * Never: allocates, or fails.
 * Tried: tests/protocols/blake3, fuzz/blake3, `startbox codec blake3`; its speed: tests/bench/codecs. */
#ifndef PROTOCOLS_BLAKE3_H
#define PROTOCOLS_BLAKE3_H

#include "base/slice.h"

#define BLAKE3_SUM   32 /* bytes, unless one wants more */
#define BLAKE3_KEY   32
#define BLAKE3_CHUNK 1024
#define BLAKE3_DEPTH 55 /* subtrees that wait for their right half: 2^64 bytes are 2^54 chunks, and one on its way */

/* Fields are the room's, but for `lanes`. */
struct blake3 {
    unsigned lanes; /* chunks at once; tests set fewer than the processor has */
    unsigned flags; /* of every block */
    uint32_t key[BLAKE3_KEY / 4];
    uint64_t chunks;                         /* hashed: they are in the stack */
    unsigned depth;                          /* of the stack */
    size_t have;                             /* bytes in chunk */
    uint8_t chunk[BLAKE3_CHUNK];             /* the last one so far */
    uint8_t stack[BLAKE3_DEPTH][BLAKE3_SUM]; /* whole subtrees, the largest first */
};

void blake3_init(struct blake3 *b);
void blake3_init_keyed(struct blake3 *b, const uint8_t key[BLAKE3_KEY]);
/* What is added is key material; the context says what the derived key is for, and should be a constant of the program. */
void blake3_init_derive(struct blake3 *b, struct slice context);
void blake3_add(struct blake3 *b, struct slice bytes);
/* The first len bytes of what was added so far hashes to; fewer are the beginning of more. Adding may go on. */
void blake3_end(const struct blake3 *b, uint8_t *out, size_t len);
void blake3_wipe(struct blake3 *b);

/* All in one. */
void blake3_sum(struct slice bytes, uint8_t out[BLAKE3_SUM]);

#endif
