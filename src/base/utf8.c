/* utf8.c - see utf8.h. */
#include "base/utf8.h"

/* What a leading byte says: how many continuation bytes follow and which range the first of them has. */
static bool lead(struct utf8 *u, uint8_t c) {
    u->low = 0x80;
    u->high = 0xbf;
    if (c >= 0xc2 && c <= 0xdf)
        u->left = 1;
    else if (c >= 0xe0 && c <= 0xef) {
        u->left = 2;
        if (c == 0xe0) u->low = 0xa0;  /* overlong below */
        if (c == 0xed) u->high = 0x9f; /* surrogates above */
    } else if (c >= 0xf0 && c <= 0xf4) {
        u->left = 3;
        if (c == 0xf0) u->low = 0x90;
        if (c == 0xf4) u->high = 0x8f; /* beyond U+10FFFF above */
    } else
        return false;
    return true;
}

bool utf8_feed(struct utf8 *u, struct slice s, size_t *bad) {
    size_t i = 0;
    while (i < s.len) {
        uint8_t c = s.ptr[i];
        if (u->left == 0) {
            if (c < 0x80) {
                uint64_t word;
                i++;
                while (s.len - i >= 8 && (memcpy(&word, s.ptr + i, 8), (word & 0x8080808080808080u) == 0)) i += 8;
                continue;
            }
            if (!lead(u, c)) break;
        } else {
            if (c < u->low || c > u->high) break;
            u->low = 0x80;
            u->high = 0xbf;
            u->left--;
        }
        i++;
    }
    if (i == s.len) return true;
    if (bad) *bad = i;
    return false;
}

/* All ASCII, for any length in whole words: the last word overlaps the one before. */
static bool is_ascii(struct slice s) {
    const uint64_t high = 0x8080808080808080u;
    uint64_t word, all = 0;
    if (s.len >= 8) {
        for (size_t i = 0; i + 8 <= s.len; i += 8) {
            memcpy(&word, s.ptr + i, 8);
            if (word & high) return false;
        }
        memcpy(&all, s.ptr + s.len - 8, 8);
    } else if (s.len >= 4) {
        uint32_t a, b;
        memcpy(&a, s.ptr, 4);
        memcpy(&b, s.ptr + s.len - 4, 4);
        all = a | b;
    } else
        for (size_t i = 0; i < s.len; i++) all |= s.ptr[i];
    return (all & high) == 0;
}

size_t utf8_valid(struct slice s) {
    if (is_ascii(s)) return s.len;
    size_t i = 0;
    while (i < s.len) {
        uint64_t word;
        while (s.len - i >= 8 && (memcpy(&word, s.ptr + i, 8), (word & 0x8080808080808080u) == 0)) i += 8;
        if (i == s.len) break;
        if (s.ptr[i] < 0x80) {
            i++;
            continue;
        }
        struct utf8 u;
        if (!lead(&u, s.ptr[i])) return i;
        size_t more = u.left;
        if (s.len - i <= more || !utf8_feed(&u, slice_of(s.ptr + i + 1, more), NULL)) return i;
        i += 1 + more;
    }
    return i;
}

size_t utf8_write(uint8_t *out, uint32_t p) {
    if (p < 0x80) {
        out[0] = (uint8_t)p;
        return 1;
    }
    if (p < 0x800) {
        out[0] = (uint8_t)(0xc0 | p >> 6);
        out[1] = (uint8_t)(0x80 | (p & 0x3f));
        return 2;
    }
    if (p < 0x10000) {
        if (p >= 0xd800 && p <= 0xdfff) return 0;
        out[0] = (uint8_t)(0xe0 | p >> 12);
        out[1] = (uint8_t)(0x80 | (p >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (p & 0x3f));
        return 3;
    }
    if (p > 0x10ffff) return 0;
    out[0] = (uint8_t)(0xf0 | p >> 18);
    out[1] = (uint8_t)(0x80 | (p >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (p >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (p & 0x3f));
    return 4;
}

bool utf8_add_lossy(struct buf *b, struct slice s) {
    while (s.len) {
        size_t good = utf8_valid(s);
        buf_add(b, slice_head(s, good));
        s = slice_skip(s, good);
        if (!s.len) break;
        buf_add(b, LIT("\xef\xbf\xbd"));
        /* Skip the ill-formed piece: the longest start of a character, at least one byte. */
        struct utf8 u;
        utf8_init(&u);
        size_t bad = s.len;
        utf8_feed(&u, s, &bad);
        s = slice_skip(s, bad ? bad : 1);
    }
    return buf_ok(b);
}
