/* jsonptr.c - see jsonptr.h. */
#include "protocols/jsonptr.h"

#include "base/num.h"
#include "base/utf8.h"

#define PART_SHOWN 60 /* bytes of a part in an error */

bool jsonptr_check(struct slice p, struct err *e) {
    if (p.len && p.ptr[0] != '/') return err_at(e, ERR_SYNTAX, 0, "a pointer is empty or begins with \"/\"");
    for (size_t i = 0; i < p.len; i++)
        if (p.ptr[i] == '~' && (i + 1 == p.len || (p.ptr[i + 1] != '0' && p.ptr[i + 1] != '1')))
            return err_at(e, ERR_SYNTAX, i, "a tilde in a pointer that is not ~0 or ~1");
    size_t good = utf8_valid(p);
    return good == p.len || err_at(e, ERR_UTF8, good, "a pointer that is not UTF-8");
}

bool jsonptr_next(struct slice *rest, struct slice *part) {
    if (!rest->len) return false;
    struct slice s = slice_skip(*rest, 1);
    size_t n = slice_find(s, '/');
    *part = slice_head(s, n);
    *rest = slice_skip(s, n);
    return true;
}

bool jsonptr_unescape(struct buf *out, struct slice part) {
    size_t tilde;
    while ((tilde = slice_find(part, '~')) < part.len) {
        buf_add(out, slice_head(part, tilde));
        buf_byte(out, tilde + 1 < part.len && part.ptr[tilde + 1] == '1' ? '/' : '~');
        part = slice_skip(part, tilde + 2);
    }
    return buf_add(out, part);
}

bool jsonptr_add(struct buf *out, struct slice part) {
    buf_byte(out, '/');
    for (size_t i = 0; i < part.len; i++) {
        if (part.ptr[i] == '~')
            buf_add(out, LIT("~0"));
        else if (part.ptr[i] == '/')
            buf_add(out, LIT("~1"));
        else
            buf_byte(out, part.ptr[i]);
    }
    return buf_ok(out);
}

/* A part as a key. */
static struct val make_key(struct slice part) {
    if (slice_find(part, '~') == part.len) return val_of_text(part);
    struct buf b;
    buf_init(&b, part.len);
    struct val key = jsonptr_unescape(&b, part) ? val_of_text(buf_slice(&b)) : val_none;
    buf_release(&b);
    return key;
}

static bool missing(struct slice pointer, struct slice part, const char *why, struct err *e) {
    size_t n = part.len < PART_SHOWN ? part.len : PART_SHOWN;
    return err_at(e, ERR_NOT_FOUND, (size_t)(part.ptr - pointer.ptr), "nothing at \"%.*s\": %s", (int)n,
                  (const char *)part.ptr, why);
}

/* A part as an index below `end`. */
static bool read_index(struct slice part, size_t end, size_t *index) {
    uint64_t n;
    if (part.len == 0 || (part.ptr[0] == '0' && part.len > 1)) return false;
    if (!num_read_u64(part, 0, SIZE_MAX, &n) || n >= end) return false;
    *index = (size_t)n;
    return true;
}

static const struct val *step_into(const struct val *v, struct slice part, struct err *e) {
    if (v->kind == VAL_MAP) {
        if (slice_find(part, '~') == part.len) return val_get(v, part);
        struct val key = make_key(part);
        if (val_is_none(&key)) {
            err_nomem(e, "a pointer");
            return &val_none;
        }
        const struct val *found = val_get_key(v, &key);
        val_unref(&key);
        return found;
    }
    size_t index;
    if (v->kind == VAL_ARRAY && read_index(part, val_count(v), &index)) return val_at(v, index);
    return &val_none;
}

static const char *why_missing(const struct val *v, struct slice part) {
    if (v->kind == VAL_MAP) return "the map has no such key";
    if (v->kind != VAL_ARRAY) return "it would be inside a value that is no array or map";
    return slice_eq(part, LIT("-")) ? "\"-\" is the place behind the last element" : "the array has no such index";
}

const struct val *jsonptr_get(const struct val *root, struct slice pointer, struct err *e) {
    if (!jsonptr_check(pointer, e)) return &val_none;
    struct slice rest = pointer, part;
    const struct val *v = root;
    while (jsonptr_next(&rest, &part)) {
        struct err own = ERR_INIT;
        const struct val *next = step_into(v, part, &own);
        if (val_is_none(next)) {
            if (own.code == ERR_NONE) missing(pointer, part, why_missing(v, part), &own);
            if (e) *e = own;
            return &val_none;
        }
        v = next;
    }
    return v;
}

bool jsonptr_find(const struct val *root, struct slice pointer, const struct val **found) {
    struct slice part;
    const struct val *v = root;
    struct err own = ERR_INIT;
    while (!val_is_none(v) && jsonptr_next(&pointer, &part)) v = step_into(v, part, &own);
    *found = v;
    return own.code == ERR_NONE;
}

/* The slot that the part names, made safe to change. */
static struct val *edit_into(struct val *v, struct slice part, unsigned below, struct slice pointer, struct err *e) {
    struct val *slot = NULL;
    bool there = false;
    size_t index;
    if (v->kind == VAL_MAP) {
        struct val key = make_key(part);
        there = val_is_none(&key) || !val_is_none(val_get_key(v, &key));
        if (there && !val_is_none(&key)) slot = val_edit(v, &key, below);
        val_unref(&key);
    } else if (v->kind == VAL_ARRAY && read_index(part, val_count(v), &index)) {
        there = true;
        slot = val_edit_at(v, index, below);
    }
    if (slot) return slot;
    if (there)
        err_nomem(e, "changing a value");
    else
        missing(pointer, part, why_missing(v, part), e);
    return NULL;
}

bool jsonptr_hide(struct slice pointer, struct err *e) {
    size_t at = pointer.len;
    while (at && pointer.ptr[at - 1] != '/') at--;
    return missing(pointer, slice_skip(pointer, at), "the map has no such key", e);
}

struct val *jsonptr_edit(struct val *root, struct slice pointer, unsigned below, struct err *e) {
    if (!jsonptr_check(pointer, e)) return NULL;
    unsigned levels = 0;
    for (size_t i = 0; i < pointer.len; i++) levels += pointer.ptr[i] == '/';
    if (levels + below > VAL_DEPTH_MAX) {
        err_limit(e, "depth", VAL_DEPTH_MAX, 0);
        return NULL;
    }
    struct slice rest = pointer, part;
    struct val *slot = root;
    for (; slot && jsonptr_next(&rest, &part); levels--) slot = edit_into(slot, part, levels - 1 + below, pointer, e);
    return slot;
}

static bool change_map(struct val *map, enum jsonptr_change how, struct slice part, struct val value,
                       struct slice pointer, struct err *e) {
    struct val key = make_key(part);
    if (val_is_none(&key)) {
        val_unref(&value);
        return err_nomem(e, "a pointer");
    }
    if (how != JSONPTR_ADD && val_is_none(val_get_key(map, &key))) {
        val_unref(&key);
        val_unref(&value);
        return missing(pointer, part, why_missing(map, part), e);
    }
    if (how != JSONPTR_REMOVE) return val_set(map, key, value) || err_nomem(e, "changing a value");
    bool good = val_del(map, &key);
    val_unref(&key);
    return good || err_nomem(e, "changing a value");
}

static bool change_array(struct val *a, enum jsonptr_change how, struct slice part, struct val value,
                         struct slice pointer, struct err *e) {
    size_t n = val_count(a), index = n;
    bool last = how == JSONPTR_ADD && slice_eq(part, LIT("-"));
    if (!last && !read_index(part, n + (how == JSONPTR_ADD), &index)) {
        val_unref(&value);
        return missing(pointer, part, why_missing(a, part), e);
    }
    bool good;
    if (how == JSONPTR_ADD)
        good = val_insert(a, index, value);
    else if (how == JSONPTR_REPLACE)
        good = val_set_at(a, index, value);
    else
        good = val_del_at(a, index);
    return good || err_nomem(e, "changing a value");
}

bool jsonptr_change(struct val *root, enum jsonptr_change how, struct slice pointer, struct val value, struct err *e) {
    if (!jsonptr_check(pointer, e)) {
        val_unref(&value);
        return false;
    }
    size_t levels = 0;
    for (size_t i = 0; i < pointer.len; i++) levels += pointer.ptr[i] == '/';
    if (levels + val_depth(&value) > VAL_DEPTH_MAX) {
        val_unref(&value);
        return err_limit(e, "depth", VAL_DEPTH_MAX, 0);
    }
    if (levels == 0) {
        val_unref(root);
        *root = how == JSONPTR_REMOVE ? val_null() : value;
        return true;
    }
    /* First see that every parent is there, so that a pointer to nowhere copies nothing. */
    struct slice rest = pointer, part = {NULL, 0};
    size_t last = pointer.len;
    while (pointer.ptr[last - 1] != '/') last--;
    const struct val *parent;
    if (!jsonptr_find(root, slice_head(pointer, last - 1), &parent) || val_is_none(parent)) {
        val_unref(&value);
        jsonptr_get(root, slice_head(pointer, last - 1), e); /* says why */
        return false;
    }
    struct val *v = root;
    for (unsigned below = (unsigned)levels - 1 + val_depth(&value); jsonptr_next(&rest, &part) && rest.len; below--) {
        v = edit_into(v, part, below, pointer, e);
        if (!v) {
            val_unref(&value);
            return false;
        }
    }
    if (v->kind == VAL_MAP) return change_map(v, how, part, value, pointer, e);
    if (v->kind == VAL_ARRAY) return change_array(v, how, part, value, pointer, e);
    val_unref(&value);
    return missing(pointer, part, why_missing(v, part), e);
}
