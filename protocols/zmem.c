/* zmem.c - see zmem.h. zlib does not say how large a block is when it gives it back: its size stands in front. */
#include "protocols/zmem.h"

#include "base/mem.h"

#include <string.h>

#define BLOCK_HEAD 16 /* in front of zlib's blocks: their size; keeps what follows aligned for anything */

voidpf zmem_get(voidpf opaque, uInt items, uInt size) {
    (void)opaque;
    if (size && items > (SIZE_MAX - BLOCK_HEAD) / size) return NULL;
    size_t n = (size_t)items * size + BLOCK_HEAD;
    uint8_t *p = mem_get(n);
    if (!p) return NULL;
    memcpy(p, &n, sizeof n);
    return p + BLOCK_HEAD;
}

void zmem_put(voidpf opaque, voidpf block) {
    (void)opaque;
    uint8_t *p = (uint8_t *)block - BLOCK_HEAD;
    size_t n;
    memcpy(&n, p, sizeof n);
    mem_put(p, n);
}
