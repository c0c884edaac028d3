/* shared.h - bytes that many own: made once, then sent to any number of peers.
 *
 * For: a frame that goes to thousands of subscribers, a file held in memory. Never changes once it was shared.
 * Tried: tests/loop/stream. */
#ifndef BASE_SHARED_H
#define BASE_SHARED_H

#include "base/buf.h"
#include "base/mem.h"

struct shared {
    uint32_t refs;
    size_t len;
    uint8_t bytes[];
};

/* A copy with one owner; NULL: no memory. */
static inline struct shared *shared_new(struct slice s) {
    struct shared *sh = mem_get(sizeof *sh + s.len);
    if (!sh) return NULL;
    sh->refs = 1;
    sh->len = s.len;
    if (s.len) memcpy(sh->bytes, s.ptr, s.len);
    return sh;
}

/* The bytes of a buffer without copying them, for what is too large to be there twice: its first SHARED_ROOM bytes were left free
 * (buf_room, buf_wrote), what stands behind them is shared. The buffer is empty then. NULL: no memory; it is as it was. */
#define SHARED_ROOM sizeof(struct shared)
static inline struct shared *shared_of_buf(struct buf *b) {
    if (!buf_ok(b) || b->len < SHARED_ROOM) return NULL;
    void *block = b->cap == b->len ? b->ptr : mem_grow(b->ptr, b->cap, b->len);
    if (!block) return NULL;
    struct shared *sh = block;
    sh->refs = 1;
    sh->len = b->len - SHARED_ROOM;
    *b = (struct buf){.max = b->max};
    return sh;
}

static inline struct shared *shared_ref(struct shared *sh) {
    sh->refs++;
    return sh;
}

static inline void shared_unref(struct shared *sh) {
    if (sh && --sh->refs == 0) mem_put(sh, sizeof *sh + sh->len);
}

static inline struct slice shared_slice(const struct shared *sh) {
    return slice_of(sh->bytes, sh->len);
}

#endif
