/* slice.c - the slice functions that are too long to stand in the header. */
#include "base/slice.h"

#include "base/ascii.h"

struct slice slice_cut(struct slice *s, uint8_t c) {
    size_t at = slice_find(*s, c);
    struct slice head = slice_head(*s, at);
    *s = slice_skip(*s, at < s->len ? at + 1 : at);
    return head;
}

bool slice_eq_nocase(struct slice a, struct slice b) {
    if (a.len != b.len) return false;
    for (size_t i = 0; i < a.len; i++)
        if (ascii_lower(a.ptr[i]) != ascii_lower(b.ptr[i])) return false;
    return true;
}

struct slice slice_trim(struct slice s) {
    while (s.len && ascii_is_blank(s.ptr[0])) s = slice_skip(s, 1);
    while (s.len && ascii_is_blank(s.ptr[s.len - 1])) s.len--;
    return s;
}

int slice_cmp(struct slice a, struct slice b) {
    size_t n = a.len < b.len ? a.len : b.len;
    int d = n ? memcmp(a.ptr, b.ptr, n) : 0;
    if (d) return d < 0 ? -1 : 1;
    return a.len < b.len ? -1 : a.len > b.len;
}
