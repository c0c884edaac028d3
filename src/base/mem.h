/* mem.h - the one door to memory. Every allocation of the program goes through mem_get and mem_grow.
 *
 * For: blocks whose size the owner knows; it gives the size back when it frees, so no block carries a header.
 *      Up to MEM_SLAB_MAX bytes come from slabs of one size each (8-byte steps at the bottom), above that from malloc.
 * Owns: the slabs, the only mutable state in base beside the clock, rng and log hooks (docs/decisions/0002-memory.md).
 * Never: aborts. NULL means there is no memory; the caller reports it as an error of that call.
 * Faults: in the test variants mem_fault makes the n-th allocation fail. Under sanitizers every block is malloc's own,
 *         so that they see each one.
 * Tried: tests/base/mem, and every test that runs under tests/lib/faults.h. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

#define MEM_SLAB_MAX 2048

/* A block of `size` bytes, not cleared; NULL when there is none. size 0 is served as 1. */
void *mem_get(size_t size);

/* The same, cleared. */
void *mem_get_zero(size_t size);

/* Gives a block back; `size` is what it was asked with. NULL is allowed. */
void mem_put(void *ptr, size_t size);

/* Moves a block to a new size, keeping the smaller of both sizes of content. On NULL the old block stays as it was.
 * A NULL block with old size 0 is a plain mem_get. */
void *mem_grow(void *ptr, size_t old_size, size_t size);

/* Gives memory that is kept for the next need back to the kernel. For quiet moments. */
void mem_trim(void);

struct mem_stats {
    uint64_t live_bytes;  /* asked for and not given back */
    uint64_t live_blocks; /* how many blocks that are */
    uint64_t calls;       /* allocations since the start */
    uint64_t span_bytes;  /* address space held for slabs */
};
struct mem_stats mem_stats(void);

#ifdef STARTBOX_TEST
/* Makes the n-th allocation from now fail (1 = the next), and every one after it when `sticky`. 0 turns it off.
 * mem_fault_hit tells whether it has happened. */
void mem_fault(uint64_t nth, int sticky);
int mem_fault_hit(void);
#endif

#endif
