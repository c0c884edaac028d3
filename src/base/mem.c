/* mem.c - slabs by size class over 64 KiB spans; see mem.h for the contract.
 *
 * A span is 64 KiB, aligned to its size, so the span of a block is found by masking its address. It serves one size
 * class: first by handing out untouched memory in order (pages that are never reached cost nothing), then from its list
 * of freed blocks. Spans with room stand in a list per class; full ones stand in none. Spans are carved from regions of
 * REGION bytes; an empty span goes to a reserve and beyond that back to the kernel. mem_trim empties the reserve. */
#include "base/mem.h"

#include "base/must.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SPAN         65536u
#define REGION       (16 * SPAN)
#define SPAN_RESERVE 64 /* empty spans kept for the next need, until mem_trim */
#define CLASSES      72

struct free_block {
    struct free_block *next;
};

struct span {
    struct span *next, *prev; /* in the list of its class (when it has room) or of the reserve */
    struct free_block *freed;
    uint32_t used;  /* blocks handed out now */
    uint32_t fresh; /* offset of the first byte never handed out */
    uint16_t size;  /* of a block */
    uint8_t class;
    uint8_t listed;
};

static struct {
    struct span *room[CLASSES];
    struct span *reserve;
    uint32_t reserve_n;
    uint8_t *region_at, *region_end; /* spans mapped and never touched */
    struct mem_stats stats;
#ifdef STARTBOX_TEST
    uint64_t fault_in;
    int fault_sticky, fault_hit;
#endif
} mem;

static int refuse_now(void) {
#ifdef STARTBOX_TEST
    if (mem.fault_in && (--mem.fault_in == 0)) {
        if (mem.fault_sticky) mem.fault_in = 1;
        mem.fault_hit = 1;
        return 1;
    }
#endif
    return 0;
}

#ifdef MEM_PLAIN

static void *small_get(size_t size) {
    return malloc(size);
}
static void small_put(void *ptr) {
    free(ptr);
}

#else

/* Steps of 8 to 128, of 16 to 256, of 32 to 512, of 64 to 1024, of 32 to 2048: at most an eighth is lost, and nothing of the
 * leaves of big maps (1248 bytes). A class costs nothing until it is used. */
static unsigned class_of(size_t size) {
    if (size <= 128) return (unsigned)((size + 7) / 8 - 1);
    if (size <= 256) return (unsigned)(16 + (size - 128 + 15) / 16 - 1);
    if (size <= 512) return (unsigned)(24 + (size - 256 + 31) / 32 - 1);
    if (size <= 1024) return (unsigned)(32 + (size - 512 + 63) / 64 - 1);
    return (unsigned)(40 + (size - 1024 + 31) / 32 - 1);
}

static uint16_t class_size(unsigned class) {
    if (class < 16) return (uint16_t)((class + 1) * 8);
    if (class < 24) return (uint16_t)(128 + (class - 15) * 16);
    if (class < 32) return (uint16_t)(256 + (class - 23) * 32);
    if (class < 40) return (uint16_t)(512 + (class - 31) * 64);
    return (uint16_t)(1024 + (class - 39) * 32);
}

static void list_push(struct span **head, struct span *s) {
    s->prev = NULL;
    s->next = *head;
    if (*head) (*head)->prev = s;
    *head = s;
    s->listed = 1;
}

static void list_remove(struct span **head, struct span *s) {
    if (s->prev)
        s->prev->next = s->next;
    else
        *head = s->next;
    if (s->next) s->next->prev = s->prev;
    s->listed = 0;
}

/* Maps a region aligned to SPAN; nothing in it is touched yet. */
static int map_region(void) {
    uint8_t *raw = mmap(NULL, REGION + SPAN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (raw == MAP_FAILED) return 0;
    size_t before = (0 - (uintptr_t)raw) & (SPAN - 1);
    if (before) munmap(raw, before);
    munmap(raw + before + REGION, SPAN - before);
    mem.region_at = raw + before;
    mem.region_end = mem.region_at + REGION;
    mem.stats.span_bytes += REGION;
    return 1;
}

static struct span *span_new(unsigned class) {
    struct span *s = mem.reserve;
    if (s) {
        list_remove(&mem.reserve, s);
        mem.reserve_n--;
    } else {
        if (mem.region_at == mem.region_end && !map_region()) return NULL;
        s = (struct span *)(void *)mem.region_at;
        mem.region_at += SPAN;
    }
    s->freed = NULL;
    s->used = 0;
    s->fresh = (sizeof *s + 15) & ~15u;
    s->class = (uint8_t) class;
    s->size = class_size(class);
    list_push(&mem.room[class], s);
    return s;
}

static void span_retire(struct span *s) {
    list_remove(&mem.room[s->class], s);
    if (mem.reserve_n >= SPAN_RESERVE) {
        munmap(s, SPAN);
        mem.stats.span_bytes -= SPAN;
        return;
    }
    list_push(&mem.reserve, s);
    mem.reserve_n++;
}

static int span_has_room(const struct span *s) {
    return s->freed || s->fresh + s->size <= SPAN;
}

static void *small_get(size_t size) {
    unsigned class = class_of(size);
    struct span *s = mem.room[class];
    if (!s && !(s = span_new(class))) return NULL;
    void *block;
    if (s->freed) {
        block = s->freed;
        s->freed = s->freed->next;
    } else {
        block = (uint8_t *)s + s->fresh;
        s->fresh += s->size;
    }
    s->used++;
    if (!span_has_room(s)) list_remove(&mem.room[class], s);
    return block;
}

static void small_put(void *ptr) {
    struct span *s = (struct span *)((uintptr_t)ptr & ~(uintptr_t)(SPAN - 1));
    struct free_block *b = ptr;
    b->next = s->freed;
    s->freed = b;
    if (!s->listed) list_push(&mem.room[s->class], s);
    /* One empty span a class stays, so that a lone block that comes and goes does not map and unmap. */
    if (--s->used == 0 && (s->next || s->prev)) span_retire(s);
}

#endif

void mem_trim(void) {
#ifndef MEM_PLAIN
    while (mem.reserve) {
        struct span *s = mem.reserve;
        list_remove(&mem.reserve, s);
        munmap(s, SPAN);
        mem.stats.span_bytes -= SPAN;
    }
    mem.reserve_n = 0;
#endif
    malloc_trim(0);
}

void *mem_get(size_t size) {
    if (size == 0) size = 1;
    if (refuse_now()) return NULL;
    void *p = size <= MEM_SLAB_MAX ? small_get(size) : malloc(size);
    if (!p) return NULL;
    mem.stats.live_bytes += size;
    mem.stats.live_blocks++;
    mem.stats.calls++;
    return p;
}

void *mem_get_zero(size_t size) {
    void *p = mem_get(size);
    if (p) memset(p, 0, size ? size : 1);
    return p;
}

void mem_put(void *ptr, size_t size) {
    if (!ptr) return;
    if (size == 0) size = 1;
    mem.stats.live_bytes -= size;
    mem.stats.live_blocks--;
    if (size <= MEM_SLAB_MAX)
        small_put(ptr);
    else
        free(ptr);
}

void *mem_grow(void *ptr, size_t old_size, size_t size) {
    if (!ptr) {
        must(old_size == 0);
        return mem_get(size);
    }
    if (size == 0) size = 1;
    if (old_size == 0) old_size = 1;
    if (old_size > MEM_SLAB_MAX && size > MEM_SLAB_MAX) {
        if (refuse_now()) return NULL;
        void *p = realloc(ptr, size);
        if (!p) return NULL;
        mem.stats.live_bytes += size - old_size;
        mem.stats.calls++;
        return p;
    }
    void *p = mem_get(size);
    if (!p) return NULL;
    memcpy(p, ptr, old_size < size ? old_size : size);
    mem_put(ptr, old_size);
    return p;
}

struct mem_stats mem_stats(void) {
    return mem.stats;
}

#ifdef STARTBOX_TEST
void mem_fault(uint64_t nth, int sticky) {
    mem.fault_in = nth;
    mem.fault_sticky = sticky;
    mem.fault_hit = 0;
}

int mem_fault_hit(void) {
    return mem.fault_hit;
}
#endif
