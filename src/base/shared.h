/* shared.h - bytes that many own: made once, then sent to any number of peers.
 *
 * For: a frame that goes to thousands of subscribers, a file held in memory. Never changes once it was shared.
 * Tried: tests/loop/stream. */
#ifndef BASE_SHARED_H
#define BASE_SHARED_H

#include "base/mem.h"
#include "base/slice.h"

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
