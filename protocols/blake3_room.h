/* blake3_room.h - what the files of BLAKE3 share; see blake3.h.
 *
 *   blake3.c         modes, chunks, the tree
 *   blake3_many.c    one block, and many chunks or parents at once
 *   blake3_width.h   the latter, compiled once for each width */
#ifndef PROTOCOLS_BLAKE3_ROOM_H
#define PROTOCOLS_BLAKE3_ROOM_H

#include "protocols/blake3.h"

#define BLAKE3_BLOCK  64
#define BLAKE3_BLOCKS (BLAKE3_CHUNK / BLAKE3_BLOCK)

enum {
    BLAKE3_START = 1, /* the first block of a chunk */
    BLAKE3_END = 2,   /* its last */
    BLAKE3_PARENT = 4,
    BLAKE3_ROOT = 8,
    BLAKE3_KEYED = 16,
    BLAKE3_CONTEXT = 32,
    BLAKE3_MATERIAL = 64,
};

extern const uint32_t blake3_iv[8];

/* A block under a chaining value: the new chaining value, and as many words again that only the root has a use for. */
struct blake3_block {
    uint32_t cv[8];
    uint8_t bytes[BLAKE3_BLOCK];
    uint64_t counter;
    unsigned len, flags;
};
void blake3_compress(const struct blake3_block *block, uint32_t out[16]);

/* What many inputs have in common. */
struct blake3_work {
    const uint32_t *key;
    size_t blocks;               /* of one input, all full */
    unsigned flags, first, last; /* of all blocks, and of the first and last of an input besides */
    bool counts;                 /* the inputs are chunks, with numbers from `counter` on */
    uint64_t counter;
};
/* The chaining value of each input. `out` may begin where the inputs do, if they lie one behind the other. */
void blake3_many(unsigned lanes, const struct blake3_work *work, const uint8_t *const *in, size_t n,
                 uint8_t (*out)[BLAKE3_SUM]);
/* How many inputs this processor hashes at once. */
unsigned blake3_lanes(void);

/* The seven rounds over v[16] and m[16], which are words or vectors of them. Who uses it defines ROR16, ROR12, ROR8 and ROR7. */
#define BLAKE3_MIX(a, b, c, d, x, y)                                                                                   \
    v[a] += v[b] + m[x], v[d] = ROR16(v[d] ^ v[a]), v[c] += v[d], v[b] = ROR12(v[b] ^ v[c]);                           \
    v[a] += v[b] + m[y], v[d] = ROR8(v[d] ^ v[a]), v[c] += v[d], v[b] = ROR7(v[b] ^ v[c])
#define BLAKE3_ROUND(a, b, c, d, e, f, g, h, i, j, k, l, n, o, p, q)                                                   \
    BLAKE3_MIX(0, 4, 8, 12, a, b);                                                                                     \
    BLAKE3_MIX(1, 5, 9, 13, c, d);                                                                                     \
    BLAKE3_MIX(2, 6, 10, 14, e, f);                                                                                    \
    BLAKE3_MIX(3, 7, 11, 15, g, h);                                                                                    \
    BLAKE3_MIX(0, 5, 10, 15, i, j);                                                                                    \
    BLAKE3_MIX(1, 6, 11, 12, k, l);                                                                                    \
    BLAKE3_MIX(2, 7, 8, 13, n, o);                                                                                     \
    BLAKE3_MIX(3, 4, 9, 14, p, q)
#define BLAKE3_ROUNDS                                                                                                  \
    BLAKE3_ROUND(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);                                                \
    BLAKE3_ROUND(2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8);                                                \
    BLAKE3_ROUND(3, 4, 10, 12, 13, 2, 7, 14, 6, 5, 9, 0, 11, 15, 8, 1);                                                \
    BLAKE3_ROUND(10, 7, 12, 9, 14, 3, 13, 15, 4, 0, 11, 2, 5, 8, 1, 6);                                                \
    BLAKE3_ROUND(12, 13, 9, 11, 15, 10, 14, 8, 7, 2, 5, 3, 0, 1, 6, 4);                                                \
    BLAKE3_ROUND(9, 14, 11, 5, 8, 12, 15, 1, 13, 3, 0, 10, 2, 6, 4, 7);                                                \
    BLAKE3_ROUND(11, 15, 5, 0, 1, 9, 8, 6, 14, 10, 2, 12, 3, 4, 7, 13)

#endif
