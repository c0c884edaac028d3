/* jsonpatch.c - see jsonpatch.h. */
#include "protocols/jsonpatch.h"

#include "base/buf.h"
#include "protocols/jsonptr.h"

const char *jsonpatch_op_name(enum jsonpatch_op op) {
    static const char *const names[] = {
#define X(name, word) word,
        JSONPATCH_OPS(X)
#undef X
    };
    return (unsigned)op < JSONPATCH_OP_N ? names[op] : "?";
}

bool jsonpatch_op_from(struct slice word, enum jsonpatch_op *op) {
    for (unsigned i = 0; i < JSONPATCH_OP_N; i++)
        if (slice_eq(word, slice_str(jsonpatch_op_name((enum jsonpatch_op)i)))) {
            *op = (enum jsonpatch_op)i;
            return true;
        }
    return false;
}

/* --- applying --- */

static bool member_pointer(const struct val *entry, const char *name, struct slice *out, struct err *e) {
    const struct val *v = val_get(entry, slice_str(name));
    if (v->kind != VAL_TEXT)
        return err_set(e, ERR_SYNTAX, "want \"%s\" to be a pointer, found %s", name, val_kind_name(val_kind(v)));
    *out = val_as_text(v);
    return jsonptr_check(*out, e);
}

static bool member_value(const struct val *entry, struct val *out, struct err *e) {
    const struct val *v = val_get(entry, LIT("value"));
    if (val_is_none(v)) return err_set(e, ERR_SYNTAX, "the member \"value\" is missing");
    *out = val_ref(v);
    return true;
}

static bool apply_move(struct val *doc, struct slice from, struct slice path, struct err *e) {
    const struct val *found = jsonptr_get(doc, from, e);
    if (val_is_none(found)) return false;
    if (slice_eq(from, path)) return true;
    if (slice_starts(path, from) && path.len > from.len && path.ptr[from.len] == '/')
        return err_set(e, ERR_INVALID, "a value cannot be moved into itself");
    struct val value = val_ref(found);
    if (!jsonptr_change(doc, JSONPTR_REMOVE, from, val_none, e)) {
        val_unref(&value);
        return false;
    }
    return jsonptr_change(doc, JSONPTR_ADD, path, value, e);
}

static bool apply_copy(struct val *doc, struct slice from, struct slice path, size_t *left, struct err *e) {
    const struct val *found = jsonptr_get(doc, from, e);
    if (val_is_none(found)) return false;
    size_t weight = val_weight(found, *left + 1);
    if (weight > *left) return err_limit(e, "copied", *left, ERR_NOWHERE);
    *left -= weight;
    return jsonptr_change(doc, JSONPTR_ADD, path, val_ref(found), e);
}

static bool apply_test(const struct val *doc, struct slice path, struct val want, struct err *e) {
    const struct val *found = jsonptr_get(doc, path, e);
    bool there = !val_is_none(found), same = there && val_equal_number(found, &want);
    val_unref(&want);
    return same || (there && err_set(e, ERR_INVALID, "the value there is another than the test wants"));
}

static bool apply_one(struct val *doc, const struct val *entry, size_t *copied_left, struct err *e) {
    if (entry->kind != VAL_MAP)
        return err_set(e, ERR_SYNTAX, "want an operation in braces, found %s", val_kind_name(val_kind(entry)));
    const struct val *word = val_get(entry, LIT("op"));
    enum jsonpatch_op op;
    if (!jsonpatch_op_from(val_as_text(word), &op))
        return err_set(e, ERR_SYNTAX, "the member \"op\" is none of the six operations");
    struct slice path = {NULL, 0}, from = {NULL, 0};
    struct val value = val_none;
    if (!member_pointer(entry, "path", &path, e)) return false;
    switch (op) {
    case JSONPATCH_ADD: return member_value(entry, &value, e) && jsonptr_change(doc, JSONPTR_ADD, path, value, e);
    case JSONPATCH_REPLACE:
        return member_value(entry, &value, e) && jsonptr_change(doc, JSONPTR_REPLACE, path, value, e);
    case JSONPATCH_REMOVE: return jsonptr_change(doc, JSONPTR_REMOVE, path, val_none, e);
    case JSONPATCH_MOVE: return member_pointer(entry, "from", &from, e) && apply_move(doc, from, path, e);
    case JSONPATCH_COPY: return member_pointer(entry, "from", &from, e) && apply_copy(doc, from, path, copied_left, e);
    case JSONPATCH_TEST: return member_value(entry, &value, e) && apply_test(doc, path, value, e);
    case JSONPATCH_OP_N: break;
    }
    return false;
}

bool jsonpatch_apply(struct val *doc, const struct val *patch, const struct jsonpatch_limits *limits, struct err *e) {
    if (patch->kind != VAL_ARRAY)
        return err_set(e, ERR_SYNTAX, "want a patch to be an array, found %s", val_kind_name(val_kind(patch)));
    if (val_count(patch) > limits->ops) return err_limit(e, "ops", limits->ops, ERR_NOWHERE);
    struct val work = val_ref(doc); /* shares everything; the document itself does not move */
    size_t copied_left = limits->copied;
    for (struct val_iter it = val_iter(patch); val_next(&it);) {
        struct err own = ERR_INIT;
        if (apply_one(&work, it.value, &copied_left, &own)) continue;
        struct slice op = val_as_text(val_get(it.value, LIT("op")));
        err_context(&own, "operation %zu (%.*s)", it.index, (int)(op.len < 20 ? op.len : 20), (const char *)op.ptr);
        if (e) *e = own;
        val_unref(&work);
        return false;
    }
    val_unref(doc);
    *doc = work;
    return true;
}

/* --- making --- */

struct differ {
    struct val *ops;
    struct buf path;
    bool failed;
};

static bool emit(struct differ *d, enum jsonpatch_op op, const struct val *value) {
    struct val path = buf_ok(&d->path) ? val_of_text(buf_slice(&d->path)) : val_none;
    struct val entry = op == JSONPATCH_REMOVE ? VAL_MAP_OF({"op", val_of_str("remove")}, {"path", path})
                                              : VAL_MAP_OF({"op", val_of_str(jsonpatch_op_name(op))}, {"path", path},
                                                           {"value", val_ref(value)});
    if (!val_push(d->ops, entry)) d->failed = true;
    return !d->failed;
}

static bool diff(struct differ *d, const struct val *was, const struct val *is);

static bool diff_entry(void *arg, const struct val *key, const struct val *was, const struct val *is) {
    struct differ *d = arg;
    size_t mark = buf_mark(&d->path);
    if (!jsonptr_add(&d->path, val_as_text(key))) {
        d->failed = true;
        return false;
    }
    bool good = val_is_none(is)    ? emit(d, JSONPATCH_REMOVE, is)
                : val_is_none(was) ? emit(d, JSONPATCH_ADD, is)
                                   : diff(d, was, is);
    buf_rewind(&d->path, mark);
    return good;
}

static bool diff_index(struct differ *d, size_t index, enum jsonpatch_op op, const struct val *was,
                       const struct val *is) {
    size_t mark = buf_mark(&d->path);
    buf_byte(&d->path, '/');
    if (!buf_u64(&d->path, index)) {
        d->failed = true;
        return false;
    }
    bool good = op == JSONPATCH_TEST ? diff(d, was, is) : emit(d, op, is);
    buf_rewind(&d->path, mark);
    return good;
}

/* What both ends share stays; the middle is compared pairwise, and what is left over removed from the back or added. */
static bool diff_arrays(struct differ *d, const struct val *was, const struct val *is) {
    size_t head, tail;
    val_diff_arrays(was, is, &head, &tail);
    size_t n = val_count(was) - tail, m = val_count(is) - tail, both = n < m ? n : m;
    for (size_t i = head; i < both; i++)
        if (!diff_index(d, i, JSONPATCH_TEST, val_at(was, i), val_at(is, i))) return false;
    for (size_t i = n; i > both; i--)
        if (!diff_index(d, i - 1, JSONPATCH_REMOVE, &val_none, &val_none)) return false;
    for (size_t i = both; i < m; i++)
        if (!diff_index(d, i, JSONPATCH_ADD, &val_none, val_at(is, i))) return false;
    return true;
}

/* Whether every key that differs can be named by a pointer. */
static bool key_is_text(void *arg, const struct val *key, const struct val *was, const struct val *is) {
    (void)arg, (void)was, (void)is;
    return key->kind == VAL_TEXT;
}

static bool diff(struct differ *d, const struct val *was, const struct val *is) {
    if (val_same(was, is)) return true;
    if (was->kind == VAL_MAP && is->kind == VAL_MAP && val_same_order(was, is) &&
        val_diff_maps(was, is, key_is_text, NULL))
        return val_diff_maps(was, is, diff_entry, d);
    if (was->kind == VAL_ARRAY && is->kind == VAL_ARRAY) return diff_arrays(d, was, is);
    if (was->kind < VAL_ARRAY && val_equal(was, is)) return true;
    return emit(d, JSONPATCH_REPLACE, is);
}

bool jsonpatch_diff_at(struct slice pointer, const struct val *was, const struct val *is, struct val *ops,
                       struct err *e) {
    struct differ d = {.ops = ops};
    buf_init(&d.path, SIZE_MAX / 2);
    if (!buf_add(&d.path, pointer))
        d.failed = true;
    else if (!val_is_none(was) && !val_is_none(is))
        diff(&d, was, is);
    else if (!val_is_none(was) || !val_is_none(is))
        emit(&d, val_is_none(is) ? JSONPATCH_REMOVE : JSONPATCH_ADD, is);
    buf_release(&d.path);
    return !d.failed || err_nomem(e, "a patch");
}

bool jsonpatch_diff(const struct val *was, const struct val *is, struct val *ops, struct err *e) {
    return jsonpatch_diff_at(LIT(""), was, is, ops, e);
}
