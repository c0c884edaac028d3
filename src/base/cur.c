/* cur.c - see cur.h. */
#include "base/cur.h"

struct slice cur_bytes(struct cur *c, size_t n) {
    if (c->bad || n > cur_left(c)) {
        c->bad = true;
        c->at = c->end;
        return slice_of(c->end, 0);
    }
    struct slice s = slice_of(c->at, n);
    c->at += n;
    return s;
}

struct slice cur_rest(struct cur *c) {
    return cur_bytes(c, cur_left(c));
}

static uint64_t read_be(struct cur *c, size_t width) {
    struct slice s = cur_bytes(c, width);
    uint64_t n = 0;
    for (size_t i = 0; i < s.len; i++) n = n << 8 | s.ptr[i];
    return n;
}

uint8_t cur_u8(struct cur *c) {
    return (uint8_t)read_be(c, 1);
}
uint16_t cur_be16(struct cur *c) {
    return (uint16_t)read_be(c, 2);
}
uint32_t cur_be32(struct cur *c) {
    return (uint32_t)read_be(c, 4);
}
uint64_t cur_be64(struct cur *c) {
    return read_be(c, 8);
}

struct cur cur_sub(struct cur *c, size_t n) {
    struct cur sub = cur_of(cur_bytes(c, n));
    sub.bad = c->bad;
    return sub;
}
