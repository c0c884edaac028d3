/* etag.c - see etag.h. */
#include "protocols/etag.h"

/* 0x21, 0x23-0x7e, obs-text */
static bool is_etagc(uint8_t c) {
    return c == 0x21 || (c >= 0x23 && c != 0x7f);
}

/* How long the tag is that text begins with, or 0. */
static size_t read_tag(struct slice text, struct etag *tag) {
    tag->weak = slice_starts(text, LIT("W/"));
    size_t start = tag->weak ? 3 : 1, i = start;
    if (text.len < start || text.ptr[start - 1] != '"') return 0;
    while (i < text.len && is_etagc(text.ptr[i])) i++;
    if (i == text.len || text.ptr[i] != '"') return 0;
    tag->opaque = slice_of(text.ptr + start, i - start);
    return i + 1;
}

bool etag_read(struct slice text, struct etag *tag) {
    size_t n = read_tag(text, tag);
    return n && n == text.len;
}

bool etag_write(struct buf *out, const struct etag *tag) {
    for (size_t i = 0; i < tag->opaque.len; i++)
        if (!is_etagc(tag->opaque.ptr[i])) return false;
    if (!buf_ok(out)) return false;
    size_t mark = buf_mark(out);
    if (tag->weak) buf_add(out, LIT("W/"));
    buf_byte(out, '"');
    buf_add(out, tag->opaque);
    if (buf_byte(out, '"')) return true;
    buf_rewind(out, mark);
    return false;
}

bool etag_same_strong(const struct etag *a, const struct etag *b) {
    return !a->weak && !b->weak && slice_eq(a->opaque, b->opaque);
}
bool etag_same_weak(const struct etag *a, const struct etag *b) {
    return slice_eq(a->opaque, b->opaque);
}

/* A back slash in a tag escapes nothing, so a tag may hold what the common list takes for the end of a
 * string; the walk over one value is done here. */
static bool find_tag(struct http_list list, const struct etag *is,
                     bool (*same)(const struct etag *, const struct etag *)) {
    struct slice rest = list.rest;
    for (;;) {
        while (rest.len) {
            struct etag tag;
            rest = slice_trim(rest);
            if (!rest.len) break;
            if (rest.ptr[0] == ',') {
                rest = slice_skip(rest, 1);
                continue;
            }
            size_t n = read_tag(rest, &tag);
            if (!n) {
                if (slice_eq(rest, LIT("*"))) return true;
                break;
            }
            if (same(&tag, is)) return true;
            rest = slice_trim(slice_skip(rest, n));
            if (rest.len && rest.ptr[0] != ',') break;
        }
        const struct http_field *f = http_field_find(list.field, (size_t)(list.end - list.field), list.name);
        if (!f) return false;
        rest = f->value;
        list.field = f + 1;
    }
}

bool etag_if_match(struct http_list list, const struct etag *is) {
    return is && find_tag(list, is, etag_same_strong);
}

bool etag_if_none_match(struct http_list list, const struct etag *is) {
    return !is || !find_tag(list, is, etag_same_weak);
}

bool etag_if_range(struct slice text, const struct etag *is, struct slice is_date) {
    struct etag tag;
    if (etag_read(text, &tag)) return is && etag_same_strong(&tag, is);
    return is_date.len && slice_eq(text, is_date);
}
