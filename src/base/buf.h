/* buf.h - owned bytes that grow up to a maximum fixed at birth.
 *
 * For: everything that is written. Appending checks nothing by hand: the first append that does not fit (or finds no
 *      memory) sets a sticky fault, later ones do nothing, and the caller looks once at the end.
 * Owns: its bytes. buf_take moves them out.
 * Tried: tests/base/bytes. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/slice.h"

enum buf_fault { BUF_FINE, BUF_OVER, BUF_NOMEM };

struct buf {
    uint8_t *ptr;
    size_t len, cap, max;
    enum buf_fault fault;
};

/* Does not allocate. `max` is the most it will ever hold. */
void buf_init(struct buf *b, size_t max);
/* Frees the bytes; the buffer is as after buf_init. */
void buf_release(struct buf *b);
/* Forgets content and fault, keeps the memory. */
static inline void buf_reset(struct buf *b) {
    b->len = 0;
    b->fault = BUF_FINE;
}

static inline struct slice buf_slice(const struct buf *b) {
    return (struct slice){b->ptr, b->len};
}
static inline bool buf_ok(const struct buf *b) {
    return b->fault == BUF_FINE;
}

/* Room for n more bytes behind the content, or NULL with the fault set. buf_wrote says how many of them were used. */
uint8_t *buf_room(struct buf *b, size_t n);
static inline void buf_wrote(struct buf *b, size_t n) {
    b->len += n;
}

bool buf_add(struct buf *b, struct slice s);
static inline bool buf_add_str(struct buf *b, const char *s) {
    return buf_add(b, slice_str(s));
}
bool buf_byte(struct buf *b, uint8_t c);
/* The integer in decimal. */
bool buf_u64(struct buf *b, uint64_t n);
bool buf_i64(struct buf *b, int64_t n);
/* Big-endian integers, as the wire wants them. */
bool buf_be16(struct buf *b, uint16_t n);
bool buf_be32(struct buf *b, uint32_t n);
bool buf_be64(struct buf *b, uint64_t n);
bool buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* All or nothing: note a mark, append, and go back to it when something did not fit. Going back clears the fault, also one
 * that was there before the mark: look at buf_ok first. */
static inline size_t buf_mark(const struct buf *b) {
    return b->len;
}
void buf_rewind(struct buf *b, size_t mark);

/* Drops the first n bytes. */
void buf_drop(struct buf *b, size_t n);

/* Moves the bytes to the caller, who frees them with mem_put(ptr, *cap); the buffer is empty then. */
uint8_t *buf_take(struct buf *b, size_t *len, size_t *cap);

#endif
