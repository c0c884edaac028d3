/* plan_strip.c - leaving out what is marked: of values, of patches, while writing; and the patterns that say what is.
 * See plan.h.
 * Recursion is bounded: no value nests deeper than VAL_DEPTH_MAX. */
#include "base/limits.h"
#include "protocols/cbor.h"
#include "protocols/jsonpatch.h"
#include "protocols/jsonptr.h"
#include "state/plan_room.h"

/* --- values --- */

/* Readers find null in the place of a marked node. */
static bool is_null(const struct plan_node *node, unsigned attrs) {
    return (attrs & PLAN_PRIVATE) && (node->attrs & PLAN_PRIVATE) && (node->attrs & PLAN_NULL);
}

static struct val strip(const struct plan_node *node, const struct val *v, unsigned attrs, struct err *e);

/* Puts into *out what is left of an entry at its node. */
static bool strip_entry(struct val *out, const struct plan_node *node, const struct val *key, const struct val *v,
                        unsigned attrs, struct err *e) {
    struct val left = val_null();
    if (!(node->attrs & attrs))
        left = strip(node, v, attrs, e);
    else if (!is_null(node, attrs))
        return val_del(out, key) || err_nomem(e, "leaving out what is private");
    if (val_is_none(&left)) return false;
    if (!val_same(&left, v)) return val_set(out, val_ref(key), left) || err_nomem(e, "leaving out what is private");
    val_unref(&left);
    return true;
}

/* All entries, as "*" may mean any of them. */
static bool strip_all(struct val *out, const struct plan_node *node, const struct val *v, unsigned attrs,
                      struct err *e) {
    for (struct val_iter it = val_iter(v); val_next(&it);) {
        const struct plan_node *kid = plan_step_val(node, it.key);
        if (!kid || !((kid->attrs | kid->below) & attrs)) continue;
        if (!strip_entry(out, kid, it.key, it.value, attrs, e)) return false;
    }
    return true;
}

static bool strip_named(struct val *out, const struct plan_node *node, const struct val *v, unsigned attrs,
                        struct err *e) {
    for (unsigned i = 0; i < node->kid_n; i++) {
        const struct plan_node *kid = node->kids[i];
        if (!((kid->attrs | kid->below) & attrs)) continue;
        struct val key = val_of_text(kid->key);
        if (val_is_none(&key)) return err_nomem(e, "leaving out what is private");
        const struct val *found = val_get_key(v, &key);
        bool good = val_is_none(found) || strip_entry(out, kid, &key, found, attrs, e);
        val_unref(&key);
        if (!good) return false;
    }
    return true;
}

/* At a node that is not marked itself. */
static struct val strip(const struct plan_node *node, const struct val *v, unsigned attrs, struct err *e) {
    struct val out = val_ref(v);
    if (!(node->below & attrs) || v->kind != VAL_MAP) return out;
    bool any = node->any && ((node->any->attrs | node->any->below) & attrs);
    if (!(any ? strip_all : strip_named)(&out, node, v, attrs, e)) val_unref(&out);
    return out;
}

/* Where a pointer leads among what is marked. */
enum place {
    PLACE_OPEN,   /* nothing marked at or above it */
    PLACE_NULL,   /* marked there, and null for readers */
    PLACE_MARKED, /* at or below something marked */
};

static enum place find_place(const struct plan *p, struct slice pointer, unsigned attrs, const struct plan_node **out,
                             bool *off) {
    const struct plan_node *node = p->root;
    *off = false;
    for (struct slice part; jsonptr_next(&pointer, &part);) {
        const struct plan_node *next = plan_step_part(node, part);
        if (!next) {
            *off = true;
            break;
        }
        node = next;
        if (node->attrs & attrs) return !pointer.len && is_null(node, attrs) ? PLACE_NULL : PLACE_MARKED;
    }
    *out = node;
    return PLACE_OPEN;
}

struct val plan_strip(const struct plan *p, struct slice pointer, const struct val *v, unsigned attrs, struct err *e) {
    const struct plan_node *node = NULL;
    bool off;
    if (!jsonptr_check(pointer, e) || val_is_none(v)) return val_none;
    switch (find_place(p, pointer, attrs, &node, &off)) {
    case PLACE_NULL: return val_null();
    case PLACE_MARKED: return val_none;
    case PLACE_OPEN: break;
    }
    return off ? val_ref(v) : strip(node, v, attrs, e);
}

/* --- patches --- */

static struct val change_value(const struct val *op, struct val value, struct err *e) {
    struct val out = val_ref(op);
    if (!val_set_str(&out, "value", value)) {
        val_unref(&out);
        err_nomem(e, "leaving out what is private");
    }
    return out;
}

/* Of what readers see as null, only coming and going is to be told. */
static struct val strip_op_null(const struct val *op, enum jsonpatch_op kind, bool *gone, struct err *e) {
    if (kind == JSONPATCH_REMOVE) return val_ref(op);
    if (kind == JSONPATCH_ADD) return change_value(op, val_null(), e);
    *gone = true;
    return val_none;
}

struct val plan_strip_op(const struct plan *p, const struct val *op, unsigned attrs, bool *gone, struct err *e) {
    *gone = false;
    const struct val *path = val_get(op, LIT("path")), *value = val_get(op, LIT("value"));
    struct slice pointer = val_as_text(path);
    enum jsonpatch_op kind;
    if (!jsonpatch_op_from(val_as_text(val_get(op, LIT("op"))), &kind) ||
        (kind != JSONPATCH_ADD && kind != JSONPATCH_REMOVE && kind != JSONPATCH_REPLACE)) {
        err_set(e, ERR_SYNTAX, "want an operation of a revision to be add, remove or replace");
        return val_none;
    }
    if (path->kind != VAL_TEXT || (kind != JSONPATCH_REMOVE && val_is_none(value))) {
        err_set(e, ERR_SYNTAX, "want an operation to have a path, and a value unless it removes");
        return val_none;
    }
    if (!jsonptr_check(pointer, e)) return val_none;
    const struct plan_node *node = NULL;
    bool off;
    switch (find_place(p, pointer, attrs, &node, &off)) {
    case PLACE_NULL: return strip_op_null(op, kind, gone, e);
    case PLACE_MARKED: *gone = true; return val_none;
    case PLACE_OPEN: break;
    }
    if (off || kind == JSONPATCH_REMOVE) return val_ref(op);
    struct val left = strip(node, value, attrs, e);
    if (val_is_none(&left)) return val_none;
    if (!val_same(&left, value)) return change_value(op, left, e);
    val_unref(&left);
    return val_ref(op);
}

/* --- writers --- */

const void *plan_part_root(const struct plan_part *part) {
    const struct plan_node *root = part->plan->root;
    return root->below & part->attrs ? root : NULL;
}

const void *plan_part_step(const void *arg, const void *where, const struct val *key) {
    const struct plan_part *part = arg;
    const struct plan_node *node = plan_step_val(where, key);
    if (!node) return NULL;
    if (node->attrs & part->attrs) return is_null(node, part->attrs) ? cbor_write_null : cbor_leave_out;
    return node->below & part->attrs ? node : NULL;
}

/* --- patterns --- */

static bool is_star(struct slice part) {
    return slice_eq(part, LIT("*"));
}

/* Whether everything that `narrow` names is at or below what `wide` names. */
static bool covers(struct slice wide, struct slice narrow) {
    struct slice w, n;
    while (jsonptr_next(&wide, &w))
        if (!jsonptr_next(&narrow, &n) || !(is_star(w) || slice_eq(w, n))) return false;
    return true;
}

static bool add_patterns(const struct plan_node *node, unsigned attr, struct buf *path, struct val *out) {
    if (node->attrs & attr) return buf_ok(path) && val_push(out, val_of_text(buf_slice(path)));
    if (!(node->below & attr)) return true;
    size_t mark = buf_mark(path);
    for (unsigned i = 0; i <= node->kid_n; i++) {
        const struct plan_node *kid = i < node->kid_n ? node->kids[i] : node->any;
        if (!kid) continue;
        if (kid == node->any)
            buf_add(path, LIT("/*"));
        else
            jsonptr_add(path, kid->key);
        if (!add_patterns(kid, attr, path, out)) return false;
        buf_rewind(path, mark);
    }
    return true;
}

/* Those that no other one covers. They differ from each other, so no two cover each other. */
static bool keep_widest(const struct val *all, struct val *out) {
    for (struct val_iter it = val_iter(all); val_next(&it);) {
        bool covered = false;
        for (struct val_iter other = val_iter(all); !covered && val_next(&other);)
            covered = other.index != it.index && covers(val_as_text(other.value), val_as_text(it.value));
        if (!covered && !val_push(out, val_ref(it.value))) return false;
    }
    return true;
}

struct val plan_patterns(const struct plan *p, unsigned attr, struct err *e) {
    struct val all = val_empty_array(), out = val_empty_array();
    struct buf path;
    buf_init(&path, SIZE_MAX / 2);
    if (!add_patterns(p->root, attr, &path, &all) || !keep_widest(&all, &out)) {
        val_unref(&out);
        err_nomem(e, "a list of patterns");
    }
    buf_release(&path);
    val_unref(&all);
    return out;
}

/* --- hiding --- */

static struct val hide(const struct val *v, struct slice pattern, struct err *e);

static bool hide_entry(struct val *out, const struct val *key, const struct val *v, struct slice rest, struct err *e) {
    struct val hidden = hide(v, rest, e);
    if (val_is_none(&hidden)) return false;
    if (!val_same(&hidden, v)) return val_set(out, val_ref(key), hidden) || err_nomem(e, "hiding what is secret");
    val_unref(&hidden);
    return true;
}

static bool hide_key(struct val *out, const struct val *v, struct slice part, struct slice rest, struct err *e) {
    struct buf b;
    buf_init(&b, part.len);
    struct val key = jsonptr_unescape(&b, part) ? val_of_text(b.len ? buf_slice(&b) : LIT("")) : val_none;
    buf_release(&b);
    if (val_is_none(&key)) return err_nomem(e, "hiding what is secret");
    const struct val *found = val_get_key(v, &key);
    bool good = val_is_none(found) || hide_entry(out, &key, found, rest, e);
    val_unref(&key);
    return good;
}

static struct val hide(const struct val *v, struct slice pattern, struct err *e) {
    struct slice part;
    if (!jsonptr_next(&pattern, &part)) return val_null();
    struct val out = val_ref(v);
    if (v->kind != VAL_MAP) return out;
    bool good = true;
    if (!is_star(part))
        good = hide_key(&out, v, part, pattern, e);
    else
        for (struct val_iter it = val_iter(v); good && val_next(&it);)
            good = hide_entry(&out, it.key, it.value, pattern, e);
    if (!good) val_unref(&out);
    return out;
}

bool plan_hide(struct val *root, const struct val *patterns, struct err *e) {
    if (patterns->kind != VAL_ARRAY)
        return err_set(e, ERR_INVALID, "want a list of patterns, found %s", val_kind_name(val_kind(patterns)));
    if (val_count(patterns) > LIMIT_PLAN_PATTERNS) return err_limit(e, "patterns", LIMIT_PLAN_PATTERNS, ERR_NOWHERE);
    for (struct val_iter it = val_iter(patterns); val_next(&it);) {
        if (it.value->kind != VAL_TEXT)
            return err_set(e, ERR_INVALID, "want pattern %zu to be text, found %s", it.index,
                           val_kind_name(val_kind(it.value)));
        if (!jsonptr_check(val_as_text(it.value), e)) {
            err_context(e, "pattern %zu", it.index);
            return false;
        }
    }
    struct val work = val_ref(root);
    for (struct val_iter it = val_iter(patterns); val_next(&it);) {
        struct val hidden = hide(&work, val_as_text(it.value), e);
        val_unref(&work);
        if (val_is_none(&hidden)) return false;
        work = hidden;
    }
    val_unref(root);
    *root = work;
    return true;
}
