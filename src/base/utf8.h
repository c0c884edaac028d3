/* utf8.h - UTF-8 as RFC 3629 defines it: no overlong forms, no surrogates, nothing beyond U+10FFFF.
 *
 * Tried: tests/base/utf8. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/buf.h"

/* The length of the longest valid prefix; s.len when all of it is valid. */
size_t utf8_valid(struct slice s);
static inline bool utf8_ok(struct slice s) {
    return utf8_valid(s) == s.len;
}

/* Writes a code point (1 to 4 bytes), returns the length; 0 for surrogates and what lies beyond U+10FFFF. */
size_t utf8_write(uint8_t *out, uint32_t point);

/* A checker for text that arrives in pieces. It refuses at the first byte that cannot be right. */
struct utf8 {
    uint8_t left;      /* continuation bytes still to come */
    uint8_t low, high; /* what the next one may be */
};
static inline void utf8_init(struct utf8 *u) {
    *u = (struct utf8){0, 0x80, 0xbf};
}
/* False at a byte that cannot be right; *bad (may be NULL) is then its offset in s. */
bool utf8_feed(struct utf8 *u, struct slice s, size_t *bad);
/* Whether the text may end here. */
static inline bool utf8_whole(const struct utf8 *u) {
    return u->left == 0;
}

/* Appends s with every ill-formed piece replaced by U+FFFD. */
bool utf8_add_lossy(struct buf *b, struct slice s);

#endif
