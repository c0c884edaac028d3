/* arena.c - see arena.h. Chunks start at ARENA_FIRST bytes and double up to ARENA_CHUNK. */
#include "base/arena.h"

#include "base/mem.h"

#include <stdalign.h>

#if defined(__SANITIZE_ADDRESS__)
#define HAVE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_ASAN 1
#endif
#endif
#ifdef HAVE_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(p, n)   ASAN_POISON_MEMORY_REGION(p, n)
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#else
#define POISON(p, n)   ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#endif

#define ARENA_FIRST 1024
#define ARENA_CHUNK 65536
#define ALIGN       alignof(max_align_t)

struct arena_chunk {
    struct arena_chunk *next;
    size_t size; /* the whole block, this head included */
};

#define HEAD ((sizeof(struct arena_chunk) + ALIGN - 1) & ~(ALIGN - 1))

void arena_init(struct arena *a, size_t max) {
    *a = (struct arena){.max = max};
}

static void free_chunk(struct arena *a, struct arena_chunk *c) {
    UNPOISON((uint8_t *)c, c->size);
    a->held -= c->size;
    mem_put(c, c->size);
}

void arena_release(struct arena *a) {
    while (a->chunks) {
        struct arena_chunk *c = a->chunks;
        a->chunks = c->next;
        free_chunk(a, c);
    }
    a->at = a->end = NULL;
}

void arena_reset(struct arena *a) {
    if (!a->chunks) return;
    while (a->chunks->next) {
        struct arena_chunk *c = a->chunks->next;
        a->chunks->next = c->next;
        free_chunk(a, c);
    }
    a->at = (uint8_t *)a->chunks + HEAD;
    a->end = (uint8_t *)a->chunks + a->chunks->size;
    POISON(a->at, (size_t)(a->end - a->at));
}

static bool add_chunk(struct arena *a, size_t need) {
    size_t size = a->chunks ? a->chunks->size * 2 : ARENA_FIRST;
    if (size > ARENA_CHUNK) size = ARENA_CHUNK;
    if (size < need + HEAD) size = need + HEAD;
    size_t left = a->max - a->held;
    if (size > left) size = left;
    if (size < need + HEAD) return false;
    struct arena_chunk *c = mem_get(size);
    if (!c) return false;
    c->next = a->chunks;
    c->size = size;
    a->chunks = c;
    a->held += size;
    a->at = (uint8_t *)c + HEAD;
    a->end = (uint8_t *)c + size;
    POISON(a->at, size - HEAD);
    return true;
}

void *arena_get(struct arena *a, size_t size) {
    if (size > SIZE_MAX / 2) return NULL;
    size_t step = (size + ALIGN - 1) & ~(ALIGN - 1);
    if (step == 0) step = ALIGN;
    if (step > (size_t)(a->end - a->at) && !add_chunk(a, step)) return NULL;
    uint8_t *p = a->at;
    a->at += step;
    UNPOISON(p, size);
    return p;
}

struct slice arena_copy(struct arena *a, struct slice s) {
    uint8_t *p = arena_get(a, s.len);
    if (!p) return (struct slice){NULL, 0};
    if (s.len) memcpy(p, s.ptr, s.len);
    return slice_of(p, s.len);
}
