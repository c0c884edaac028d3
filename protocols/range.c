/* range.c - see range.h. */
#include "protocols/range.h"

#include "base/ascii.h"
#include "base/num.h"
#include "protocols/http_field.h"

/* Digits as a number; one too big counts as the biggest. False when there are no digits, or something else. */
static bool read_number(struct slice text, uint64_t *out) {
    for (size_t i = 0; i < text.len; i++)
        if (!ascii_is_digit(text.ptr[i])) return false;
    if (!text.len) return false;
    if (!num_read_u64(text, 0, UINT64_MAX, out)) *out = UINT64_MAX;
    return true;
}

enum spec { SPEC_BAD, SPEC_OUTSIDE, SPEC_INSIDE };

/* "0-499", "500-" or "-500" against the length, which is not 0. */
static enum spec read_spec(struct slice text, uint64_t length, struct range *r) {
    size_t dash = slice_find(text, '-');
    struct slice first = slice_head(text, dash), last = slice_skip(text, dash + 1);
    if (dash == text.len) return SPEC_BAD;
    if (!first.len) {
        uint64_t suffix;
        if (!read_number(last, &suffix)) return SPEC_BAD;
        if (!suffix) return SPEC_OUTSIDE;
        *r = (struct range){suffix < length ? length - suffix : 0, length - 1};
        return SPEC_INSIDE;
    }
    *r = (struct range){.last = UINT64_MAX};
    if (!read_number(first, &r->first) || (last.len && !read_number(last, &r->last))) return SPEC_BAD;
    if (r->last < r->first) return SPEC_BAD;
    if (r->first >= length) return SPEC_OUTSIDE;
    if (r->last >= length) r->last = length - 1;
    return SPEC_INSIDE;
}

/* Joins every part that overlaps or touches part i into it, until none does. */
static void join_parts(struct range *parts, size_t *n, size_t i) {
    for (size_t k = 0; k < *n; k++) {
        struct range *a = &parts[i], *b = &parts[k];
        if (k == i || b->first > a->last + (a->last < UINT64_MAX) || a->first > b->last + (b->last < UINT64_MAX))
            continue;
        /* The joined part stands where the earlier one stood. */
        size_t low = i < k ? i : k, high = i < k ? k : i;
        struct range both = {a->first < b->first ? a->first : b->first, a->last > b->last ? a->last : b->last};
        memmove(parts + high, parts + high + 1, (*n - high - 1) * sizeof *parts);
        parts[low] = both;
        --*n;
        i = low;
        k = (size_t)-1; /* it grew: look at all of them again */
    }
}

enum range_found range_read(struct slice text, uint64_t length, struct range *parts, size_t most, size_t *n) {
    struct range found[RANGE_SPECS_MOST];
    size_t specs = 0;
    *n = 0;
    size_t equals = slice_find(text, '=');
    if (!slice_eq_nocase(slice_head(text, equals), LIT("bytes")) || !length) return RANGE_WHOLE;
    struct http_list list = http_list_in(slice_skip(text, equals + 1));
    for (struct slice spec; http_list_next(&list, &spec);) {
        if (specs++ == RANGE_SPECS_MOST) return *n = 0, RANGE_WHOLE;
        switch (read_spec(spec, length, &found[*n])) {
        case SPEC_BAD: return *n = 0, RANGE_WHOLE;
        case SPEC_OUTSIDE: break;
        case SPEC_INSIDE:
            ++*n;
            join_parts(found, n, *n - 1);
            break;
        }
    }
    if (!specs) return RANGE_WHOLE;
    if (!*n) return RANGE_OUTSIDE;
    if (*n > most) return *n = 0, RANGE_WHOLE;
    memcpy(parts, found, *n * sizeof *parts);
    return RANGE_PARTS;
}

static bool check_content(const struct range_content *c) {
    if (!c->has_range) return c->has_length;
    return c->range.first <= c->range.last && (!c->has_length || c->range.last < c->length);
}

bool range_content_write(struct buf *out, const struct range_content *c, struct err *e) {
    if (!check_content(c)) return err_set(e, ERR_INVALID, "want a range inside the length, or a length");
    if (!buf_ok(out)) return err_nomem(e, "Content-Range");
    size_t mark = buf_mark(out);
    buf_add(out, LIT("bytes "));
    if (c->has_range)
        buf_u64(out, c->range.first), buf_byte(out, '-'), buf_u64(out, c->range.last);
    else
        buf_byte(out, '*');
    buf_byte(out, '/');
    if (c->has_length)
        buf_u64(out, c->length);
    else
        buf_byte(out, '*');
    if (buf_ok(out)) return true;
    buf_rewind(out, mark);
    return err_nomem(e, "Content-Range");
}

bool range_content_read(struct slice text, struct range_content *c, struct err *e) {
    *c = (struct range_content){0};
    size_t space = slice_find(text, ' '), slash = slice_find(text, '/');
    struct slice range = slice_skip(slice_head(text, slash), space + 1), length = slice_skip(text, slash + 1);
    bool good = slash < text.len && slice_eq_nocase(slice_head(text, space), LIT("bytes"));
    if (good && !slice_eq(length, LIT("*"))) good = c->has_length = num_read_u64(length, 0, UINT64_MAX, &c->length);
    if (good && !slice_eq(range, LIT("*"))) {
        size_t dash = slice_find(range, '-');
        good = c->has_range = num_read_u64(slice_head(range, dash), 0, UINT64_MAX, &c->range.first) &&
                              num_read_u64(slice_skip(range, dash + 1), 0, UINT64_MAX, &c->range.last);
    }
    if (good && check_content(c)) return true;
    return err_at(e, ERR_SYNTAX, 0, "want Content-Range as in: bytes 0-499/1234");
}
