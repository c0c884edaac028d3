/* slice.h - a borrowed run of bytes: pointer and length, passed by value.
 *
 * For: everything that is read. A slice never owns; whoever hands one out says how long it lives.
 * Never: is expected to end in NUL. Foreign bytes meet these functions, not str*.
 * Tried: tests/base/bytes. */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const uint8_t *ptr;
    size_t len;
};

/* A slice over a string literal, usable in expressions and (LIT_INIT) in static tables. */
#define LIT(text) ((struct slice){(const uint8_t *)("" text), sizeof(text) - 1})
#define LIT_INIT(text)                                                                                                 \
    { (const uint8_t *)("" text), sizeof(text) - 1 }

static inline struct slice slice_of(const void *ptr, size_t len) {
    return (struct slice){(const uint8_t *)ptr, len};
}

/* Over a NUL-terminated string of our own. */
static inline struct slice slice_str(const char *s) {
    return (struct slice){(const uint8_t *)s, strlen(s)};
}

static inline bool slice_eq(struct slice a, struct slice b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* The first n bytes; all of them when there are fewer. */
static inline struct slice slice_head(struct slice s, size_t n) {
    return (struct slice){s.ptr, n < s.len ? n : s.len};
}

/* What follows the first n bytes; empty when there are fewer. */
static inline struct slice slice_skip(struct slice s, size_t n) {
    if (n > s.len) n = s.len;
    return (struct slice){s.len ? s.ptr + n : s.ptr, s.len - n};
}

static inline bool slice_starts(struct slice s, struct slice head) {
    return s.len >= head.len && (head.len == 0 || memcmp(s.ptr, head.ptr, head.len) == 0);
}

static inline bool slice_ends(struct slice s, struct slice tail) {
    return s.len >= tail.len && (tail.len == 0 || memcmp(s.ptr + (s.len - tail.len), tail.ptr, tail.len) == 0);
}

/* Where byte c first stands, or s.len. */
static inline size_t slice_find(struct slice s, uint8_t c) {
    if (s.len == 0) return 0;
    const uint8_t *p = memchr(s.ptr, c, s.len);
    return p ? (size_t)(p - s.ptr) : s.len;
}

/* Takes what stands before the first c off *s, and c with it. Without a c it takes everything. */
struct slice slice_cut(struct slice *s, uint8_t c);

/* Equal but for the case of ASCII letters. */
bool slice_eq_nocase(struct slice a, struct slice b);

/* Without leading and trailing spaces and tabs. */
struct slice slice_trim(struct slice s);

/* Bytewise order; a shorter slice sorts before a longer one that begins with it. */
int slice_cmp(struct slice a, struct slice b);

#endif
