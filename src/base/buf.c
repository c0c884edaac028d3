/* buf.c - see buf.h. Capacity doubles, so appending is linear in the bytes appended. */
#include "base/buf.h"

#include "base/mem.h"
#include "base/must.h"
#include "base/num.h"

#include <stdarg.h>
#include <stdio.h>

#define BUF_FIRST 64 /* the first capacity: most small replies and frames */

void buf_init(struct buf *b, size_t max) {
    *b = (struct buf){.max = max};
}

void buf_release(struct buf *b) {
    mem_put(b->ptr, b->cap);
    *b = (struct buf){.max = b->max};
}

static bool grow_to(struct buf *b, size_t need) {
    size_t cap = b->cap ? b->cap : BUF_FIRST;
    while (cap < need) cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    if (cap > b->max) cap = b->max;
    uint8_t *p = mem_grow(b->ptr, b->cap, cap);
    if (!p) {
        b->fault = BUF_NOMEM;
        return false;
    }
    b->ptr = p;
    b->cap = cap;
    return true;
}

uint8_t *buf_room(struct buf *b, size_t n) {
    if (b->fault) return NULL;
    if (n > b->max - b->len) {
        b->fault = BUF_OVER;
        return NULL;
    }
    if ((n > b->cap - b->len || !b->ptr) && !grow_to(b, b->len + n)) return NULL;
    return b->ptr + b->len;
}

bool buf_add(struct buf *b, struct slice s) {
    uint8_t *at = buf_room(b, s.len);
    if (!at) return false;
    if (s.len) memcpy(at, s.ptr, s.len);
    b->len += s.len;
    return true;
}

bool buf_byte(struct buf *b, uint8_t c) {
    uint8_t *at = buf_room(b, 1);
    if (!at) return false;
    *at = c;
    b->len++;
    return true;
}

bool buf_u64(struct buf *b, uint64_t n) {
    uint8_t text[NUM_U64_MAX];
    return buf_add(b, slice_of(text, num_write_u64(text, n)));
}

bool buf_i64(struct buf *b, int64_t n) {
    if (n >= 0) return buf_u64(b, (uint64_t)n);
    return buf_byte(b, '-') && buf_u64(b, 0 - (uint64_t)n);
}

static bool add_be(struct buf *b, uint64_t n, size_t width) {
    uint8_t *at = buf_room(b, width);
    if (!at) return false;
    for (size_t i = 0; i < width; i++) at[i] = (uint8_t)(n >> (8 * (width - 1 - i)));
    b->len += width;
    return true;
}

bool buf_be16(struct buf *b, uint16_t n) {
    return add_be(b, n, 2);
}
bool buf_be32(struct buf *b, uint32_t n) {
    return add_be(b, n, 4);
}
bool buf_be64(struct buf *b, uint64_t n) {
    return add_be(b, n, 8);
}

bool buf_printf(struct buf *b, const char *fmt, ...) {
    if (b->fault) return false;
    char small[256];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(small, sizeof small, fmt, ap);
    va_end(ap);
    if (n < 0) return false;
    if ((size_t)n < sizeof small) return buf_add(b, slice_of(small, (size_t)n));
    uint8_t *at = buf_room(b, (size_t)n + 1);
    if (!at) return false;
    va_start(ap, fmt);
    vsnprintf((char *)at, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->len += (size_t)n;
    return true;
}

void buf_rewind(struct buf *b, size_t mark) {
    must(mark <= b->len);
    b->len = mark;
    b->fault = BUF_FINE;
}

void buf_drop(struct buf *b, size_t n) {
    must(n <= b->len);
    if (n == 0) return;
    b->len -= n;
    memmove(b->ptr, b->ptr + n, b->len);
}

uint8_t *buf_take(struct buf *b, size_t *len, size_t *cap) {
    uint8_t *p = b->ptr;
    *len = b->len;
    *cap = b->cap;
    b->ptr = NULL;
    buf_release(b);
    return p;
}
