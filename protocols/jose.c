/* jose.c - see jose.h. */
#include "protocols/jose.h"

#include "base/hex.h"
#include "protocols/json.h"

#define HEADER_DEPTH 8 /* a key in a header is two deep; a chain of certificates as well */

/* These decide what happens to the bytes, so they count only where they are protected. (A key agreement's epk, apu and
 * apv decide too, but a change in them leads to another key, and so to a tag that does not fit.) */
static const char *const deciding[] = {"alg", "enc", "crit", "zip", "b64"};
#define DECIDING_N (sizeof deciding / sizeof deciding[0])

bool jose_text(const struct val *form, const char *name, struct slice *text, struct err *e) {
    const struct val *v = val_get(form, slice_str(name));
    *text = (struct slice){NULL, 0};
    if (v->kind != VAL_TEXT)
        return err_set(e, ERR_SYNTAX, "want \"%s\" to be a text, found %s", name,
                       val_is_none(v) ? "nothing" : val_kind_name(val_kind(v)));
    *text = val_as_text(v);
    return true;
}

static bool say_not_base64(const char *name, struct err *e) {
    return err_set(e, ERR_SYNTAX, "want \"%s\" in base64url without padding", name);
}

/* How many bytes a text of base64url stands for, if it is one. */
static size_t count_bytes(struct slice text) {
    return text.len / 4 * 3 + (text.len % 4 ? text.len % 4 - 1 : 0);
}

bool jose_bytes(const struct val *form, const char *name, size_t most, const char *limit, struct buf *out,
                struct err *e) {
    struct slice text;
    if (!jose_text(form, name, &text, e)) return false;
    if (count_bytes(text) > most) return err_limit(e, limit, most, ERR_NOWHERE);
    if (!buf_ok(out)) return err_nomem(e, name);
    size_t mark = buf_mark(out);
    if (base64_read(out, BASE64_URL, text)) return true;
    enum buf_fault fault = out->fault;
    buf_rewind(out, mark);
    if (fault == BUF_NOMEM) return err_nomem(e, name);
    return fault == BUF_OVER ? err_limit(e, limit, out->max, ERR_NOWHERE) : say_not_base64(name, e);
}

bool jose_fixed(const struct val *form, const char *name, uint8_t *out, size_t len, struct err *e) {
    struct slice text;
    if (!jose_text(form, name, &text, e)) return false;
    struct buf b;
    buf_init(&b, len);
    /* The length is checked first, so a wrong one and no memory are told apart. */
    size_t is = count_bytes(text);
    bool good = is == len && base64_read(&b, BASE64_URL, text), starved = b.fault == BUF_NOMEM;
    if (good) memcpy(out, b.ptr, len);
    if (b.ptr) explicit_bzero(b.ptr, b.cap);
    buf_release(&b);
    if (good) return true;
    if (starved) return err_nomem(e, name);
    return is == len ? say_not_base64(name, e)
                     : err_set(e, ERR_SYNTAX, "want \"%s\" to be %zu bytes in base64url, found %zu", name, len, is);
}

struct val jose_base64(struct slice bytes) {
    struct buf b;
    buf_init(&b, SIZE_MAX / 4);
    struct val v = base64_add(&b, BASE64_URL, bytes) ? val_of_text_checked(buf_slice(&b)) : val_none;
    buf_release(&b);
    return v;
}

/* Names are disjoint over the protected header and what stands beside it, and nothing that decides stands beside. */
static bool check_beside(const struct val *header, const struct val *beside, const struct val *other, const char *name,
                         struct err *e) {
    if (val_is_none(beside)) return true;
    if (beside->kind != VAL_MAP) return err_set(e, ERR_SYNTAX, "want \"%s\" to be a map", name);
    for (size_t i = 0; i < DECIDING_N; i++)
        if (!val_is_none(val_get(beside, slice_str(deciding[i]))))
            return err_set(e, ERR_INVALID, "want \"%s\" in the protected header, not in \"%s\"", deciding[i], name);
    for (struct val_iter it = val_iter(beside); val_next(&it);)
        if (!val_is_none(val_get_key(header, it.key)) || !val_is_none(val_get_key(other, it.key)))
            return err_set(e, ERR_INVALID, "a name in \"%s\" stands in another header too", name);
    return true;
}

static bool check_header(const struct val *form, const struct val *header, struct err *e) {
    static const char *const unknown[] = {"crit", "zip", "b64"};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        if (!val_is_none(val_get(header, slice_str(unknown[i]))))
            return err_set(e, ERR_UNSUPPORTED, "\"%s\" in a protected header is not supported", unknown[i]);
    const struct val *one = val_get(form, LIT("header")), *all = val_get(form, LIT("unprotected"));
    return check_beside(header, one, all, "header", e) && check_beside(header, all, one, "unprotected", e);
}

bool jose_read_header(const struct val *form, const struct jose_limits *limits, struct val *header, struct err *e) {
    if (form->kind != VAL_MAP) return err_set(e, ERR_SYNTAX, "want a map in the flattened JSON form");
    if (!val_is_none(val_get(form, LIT("recipients"))) || !val_is_none(val_get(form, LIT("signatures"))))
        return err_set(e, ERR_UNSUPPORTED, "want the flattened JSON form, found the general one");
    struct buf text;
    buf_init(&text, limits->header);
    struct val v = val_none;
    struct json_limits json = {.bytes = limits->header, .depth = HEADER_DEPTH};
    bool good = jose_bytes(form, "protected", limits->header, "header", &text, e);
    if (good && !json_parse(buf_slice(&text), &json, &v, e)) {
        err_context(e, "reading the protected header");
        good = false;
    }
    if (good && v.kind != VAL_MAP) good = err_set(e, ERR_SYNTAX, "want the protected header to be a map");
    good = good && check_header(form, &v, e);
    buf_release(&text);
    if (good)
        *header = v;
    else
        val_unref(&v);
    return good;
}

bool jose_write_header(const struct val *header, struct val *text, struct err *e) {
    struct buf b;
    buf_init(&b, SIZE_MAX / 4);
    struct val v = val_none;
    bool good = json_write(&b, header, JSON_COMPACT, e);
    if (good) {
        v = jose_base64(buf_slice(&b));
        good = !val_is_none(&v) || err_nomem(e, "a header");
    }
    buf_release(&b);
    if (good) *text = v;
    return good;
}

bool jose_want(const struct val *header, const char *name, const char *want, struct err *e) {
    const struct val *v = val_get(header, slice_str(name));
    if (val_is_text(v, slice_str(want))) return true;
    return err_set(e, ERR_UNSUPPORTED, "want \"%s\" to be %s", name, want);
}
