/* reference.c - see reference.h. The steps and their names are those of RFC 3986 5.2. */
#include "out/reference.h"

#include "base/ascii.h"

struct parts {
    struct slice scheme, authority, path, query, fragment;
    bool has_scheme, has_authority, has_query, has_fragment;
};

/* How long the scheme is; 0: there is none. */
static size_t run_scheme(struct slice text) {
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c == ':') return i;
        if (!ascii_is_alpha(c) && (i == 0 || !(ascii_is_digit(c) || c == '+' || c == '-' || c == '.'))) return 0;
    }
    return 0;
}

static struct parts split(struct slice text) {
    struct parts p = {0};
    size_t n = run_scheme(text);
    p.has_scheme = n > 0;
    p.scheme = slice_head(text, n);
    if (n) text = slice_skip(text, n + 1);
    n = slice_find(text, '#');
    p.has_fragment = n < text.len;
    p.fragment = slice_skip(text, n + 1);
    text = slice_head(text, n);
    n = slice_find(text, '?');
    p.has_query = n < text.len;
    p.query = slice_skip(text, n + 1);
    text = slice_head(text, n);
    p.has_authority = slice_starts(text, LIT("//"));
    if (p.has_authority) {
        text = slice_skip(text, 2);
        n = slice_find(text, '/');
        p.authority = slice_head(text, n);
        text = slice_skip(text, n);
    }
    p.path = text;
    return p;
}

/* Takes the last segment and its slash off what was written since `mark`. */
static void drop_segment(struct buf *out, size_t mark) {
    while (out->len > mark && out->ptr[out->len - 1] != '/') out->len--;
    if (out->len > mark) out->len--;
}

/* 5.2.4. Each turn looks at one segment with the slash in front of it. */
static void add_without_dots(struct buf *out, struct slice in) {
    size_t mark = buf_mark(out);
    while (in.len && buf_ok(out)) {
        bool slash = in.ptr[0] == '/';
        size_t end = slice_find(slice_skip(in, slash), '/') + slash;
        struct slice segment = slice_of(in.ptr + slash, end - slash);
        bool one = slice_eq(segment, LIT(".")), two = slice_eq(segment, LIT(".."));
        bool last = end == in.len;
        if (one || two) {
            if (two && slash) drop_segment(out, mark);
            if (last && slash) buf_byte(out, '/');
            in = slice_skip(in, !slash && !last ? end + 1 : end); /* "./" and "../" at the start go with their slash */
            continue;
        }
        buf_add(out, slice_head(in, end));
        in = slice_skip(in, end);
    }
}

/* 5.2.3: the base's path up to its last slash, then the reference's. */
static void merge(struct buf *out, const struct parts *base, struct slice path) {
    size_t n = base->path.len;
    while (n && base->path.ptr[n - 1] != '/') n--;
    if (base->has_authority && !base->path.len) buf_byte(out, '/');
    buf_add(out, slice_head(base->path, n));
    buf_add(out, path);
}

static void add_path(struct buf *out, const struct parts *base, const struct parts *r) {
    if (r->has_scheme || r->has_authority || (r->path.len && r->path.ptr[0] == '/')) {
        add_without_dots(out, r->path);
        return;
    }
    if (!r->path.len) {
        buf_add(out, base->path);
        return;
    }
    struct buf merged;
    buf_init(&merged, out->max);
    merge(&merged, base, r->path);
    add_without_dots(out, buf_slice(&merged));
    if (!buf_ok(&merged)) out->fault = merged.fault;
    buf_release(&merged);
}

bool reference_resolve(struct buf *out, struct slice base_text, struct slice reference, struct err *e) {
    struct parts base = split(base_text), r = split(reference);
    if (!base.has_scheme) return err_set(e, ERR_INVALID, "want an absolute URL to resolve a reference against");
    if (!buf_ok(out)) return err_nomem(e, "a URL");
    size_t mark = buf_mark(out);
    const struct parts *of = r.has_scheme || r.has_authority ? &r : &base;
    buf_add(out, r.has_scheme ? r.scheme : base.scheme);
    buf_byte(out, ':');
    if (of->has_authority) buf_add(out, LIT("//")), buf_add(out, of->authority);
    add_path(out, &base, &r);
    bool keep = of == &base && !r.path.len && !r.has_query; /* the base's query belongs to its path */
    if (keep ? base.has_query : r.has_query) buf_byte(out, '?'), buf_add(out, keep ? base.query : r.query);
    if (r.has_fragment) buf_byte(out, '#'), buf_add(out, r.fragment);
    if (buf_ok(out)) return true;
    enum buf_fault fault = out->fault;
    buf_rewind(out, mark);
    return fault == BUF_OVER ? err_limit(e, "url", out->max, ERR_NOWHERE) : err_nomem(e, "a URL");
}
