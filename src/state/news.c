/* news.c - what a patch is to a watcher of a pointer; see news.h and watch.h. Bytes are news_bytes.c. */
#include "state/news.h"

#include "base/mem.h"
#include "protocols/jsonptr.h"

enum relation { UNRELATED, BELOW, EQUAL, ABOVE };

/* How a path lies to a pointer. */
static enum relation relate(struct slice path, struct slice pointer) {
    if (path.len >= pointer.len) {
        if (!slice_starts(path, pointer)) return UNRELATED;
        if (path.len == pointer.len) return EQUAL;
        return path.ptr[pointer.len] == '/' ? BELOW : UNRELATED;
    }
    return slice_starts(pointer, path) && pointer.ptr[path.len] == '/' ? ABOVE : UNRELATED;
}

enum change { CHANGE_ADD, CHANGE_REMOVE, CHANGE_REPLACE };

/* An operation of a settled patch. */
struct op {
    enum change change;
    struct slice path;
    const struct val *value;
};

static bool read_op(const struct val *entry, struct op *op, struct err *e) {
    const struct val *word = val_get(entry, LIT("op")), *path = val_get(entry, LIT("path"));
    op->value = val_get(entry, LIT("value"));
    op->path = val_as_text(path);
    op->change = CHANGE_REPLACE;
    if (val_is_text(word, LIT("add")))
        op->change = CHANGE_ADD;
    else if (val_is_text(word, LIT("remove")))
        op->change = CHANGE_REMOVE;
    else if (!val_is_text(word, LIT("replace")))
        return err_set(e, ERR_INVALID, "a settled patch may only add, remove and replace");
    if (val_kind(path) != VAL_TEXT || (op->change != CHANGE_REMOVE && val_is_none(op->value)))
        return err_set(e, ERR_INVALID, "an operation of a settled patch lacks its path or its value");
    return true;
}

/* --- one operation, one patch --- */

/* What stands at the rest of a pointer inside a value; null when nothing does. */
static struct val value_at(const struct val *v, struct slice rest, struct err *e) {
    struct err own = ERR_INIT;
    const struct val *found = jsonptr_get(v, rest, &own);
    if (!val_is_none(found)) return val_ref(found);
    if (own.code != ERR_NOMEM) return val_null();
    if (e) *e = own;
    return val_none;
}

static struct val scope_op(const struct op *op, enum relation how, struct slice pointer, struct err *e) {
    struct slice path = how == BELOW ? slice_skip(op->path, pointer.len) : slice_skip(op->path, op->path.len);
    bool removes = op->change == CHANGE_REMOVE;
    struct val out;
    if (how == BELOW && removes) {
        out = VAL_MAP_OF({"op", val_of_str("remove")}, {"path", val_of_text_checked(path)});
    } else {
        struct val value = how == BELOW ? val_ref(op->value)
                           : removes    ? val_null()
                                        : value_at(op->value, slice_skip(pointer, op->path.len), e);
        if (val_is_none(&value)) return val_none;
        out = VAL_MAP_OF({"op", val_of_str(op->change == CHANGE_ADD ? "add" : "replace")},
                         {"path", val_of_text_checked(path)}, {"value", value});
    }
    if (val_is_none(&out)) err_nomem(e, "a patch for watchers");
    return out;
}

/* From the root a patch looks as it is, but for the removal of everything. */
static bool is_as_it_is(const struct val *patch) {
    for (struct val_iter it = val_iter(patch); val_next(&it);)
        if (val_as_text(val_get(it.value, LIT("path"))).len == 0 &&
            val_is_text(val_get(it.value, LIT("op")), LIT("remove")))
            return false;
    return val_count(patch) != 0;
}

struct val watch_scope_patch(const struct val *patch, struct slice pointer, struct err *e) {
    if (!pointer.len && is_as_it_is(patch)) return val_ref(patch);
    struct val out = val_empty_array();
    for (struct val_iter it = val_iter(patch); val_next(&it);) {
        struct op op;
        if (!read_op(it.value, &op, e)) {
            val_unref(&out);
            return val_none;
        }
        enum relation how = relate(op.path, pointer);
        if (how == UNRELATED) continue;
        struct val scoped = scope_op(&op, how, pointer, e);
        bool good = !val_is_none(&scoped);
        if (!good || !val_push(&out, scoped)) {
            if (good) err_nomem(e, "a patch for watchers");
            val_unref(&out);
            return val_none;
        }
    }
    if (val_count(&out) == 0) val_unref(&out);
    return out;
}

/* --- arrays --- */

static bool is_index(struct slice part) {
    if (part.len == 0 || (part.len > 1 && part.ptr[0] == '0')) return false;
    for (size_t i = 0; i < part.len; i++)
        if (part.ptr[i] < '0' || part.ptr[i] > '9') return false;
    return true;
}

/* By worth; both are indices. */
static int compare_index(struct slice a, struct slice b) {
    if (a.len != b.len) return a.len < b.len ? -1 : 1;
    return slice_cmp(a, b);
}

/* Whether an operation would, if its parent were an array, move what the pointer means: then *parent is that. */
static bool might_shift(const struct op *op, struct slice pointer, struct slice *parent) {
    if (op->change == CHANGE_REPLACE || !op->path.len) return false;
    size_t slash = op->path.len;
    while (slash && op->path.ptr[slash - 1] != '/') slash--;
    if (!slash) return false;
    *parent = slice_head(op->path, slash - 1);
    if (relate(*parent, pointer) != ABOVE) return false;
    struct slice at = slice_skip(op->path, slash), rest = slice_skip(pointer, slash), part;
    part = slice_cut(&rest, '/');
    bool last = slice_eq(at, LIT("-"));
    if (!last && !is_index(at)) return false;
    if (!is_index(part)) return last && slice_eq(part, at); /* in an array nothing ever stands at "-" */
    if (last) return true;
    int order = compare_index(part, at);
    /* What was inserted at the very index is what the operation says, in a map and in an array. */
    return order > 0 || (order == 0 && op->change == CHANGE_REMOVE);
}

/* Whether what stands at `parent` behind all these revisions is a map and none of them put it there: then it was one all the
 * time. */
static bool was_a_map(const struct view *v, struct settled *all, size_t n, const struct val *root,
                      struct slice parent) {
    if (val_kind(jsonptr_get(root, parent, NULL)) != VAL_MAP) return false;
    for (size_t i = 0; i < n; i++) {
        const struct val *patch = settled_patch(&all[i], v->inside, v->plan, NULL);
        if (!patch) return false;
        for (struct val_iter it = val_iter(patch); val_next(&it);) {
            enum relation how = relate(val_as_text(val_get(it.value, LIT("path"))), parent);
            if (how == EQUAL || how == ABOVE) return false;
        }
    }
    return true;
}

/* Parents found to be maps. They are parts of the pointer, so their length tells which. Further ones are not asked about:
 * no real tree has so many maps of numbers within each other. */
#define MAPS 8
struct maps {
    size_t len[MAPS];
    unsigned n;
};

static bool shifts(const struct view *v, const struct val *patch, struct settled *all, size_t n, const struct val *root,
                   struct maps *maps) {
    if (!v->pointer.len) return false;
    for (struct val_iter it = val_iter(patch); val_next(&it);) {
        struct op op;
        struct slice parent;
        if (!read_op(it.value, &op, NULL) || !might_shift(&op, v->pointer, &parent)) continue;
        unsigned k = 0;
        while (k < maps->n && maps->len[k] != parent.len) k++;
        if (k < maps->n) continue;
        if (k == MAPS || !was_a_map(v, all, n, root, parent)) return true;
        maps->len[maps->n++] = parent.len;
    }
    return false;
}

/* --- issues --- */

static struct issue *make(enum issue_kind kind, uint64_t from, uint64_t to) {
    struct issue *i = mem_get_zero(sizeof *i);
    if (!i) return NULL;
    i->kind = kind;
    i->from = from;
    i->to = to;
    i->value = val_none;
    return i;
}

struct issue *issue_value(const struct view *v, const struct val *root, uint64_t revision) {
    struct issue *i = make(ISSUE_VALUE, revision, revision);
    if (!i) return NULL;
    struct err e = ERR_INIT;
    i->value = value_at(root, v->pointer, &e);
    if (v->plan && !v->inside && e.code == ERR_NONE) {
        struct val seen = plan_strip(v->plan, v->pointer, &i->value, PLAN_PRIVATE, &e);
        val_unref(&i->value);
        i->value = val_is_none(&seen) && e.code == ERR_NONE ? val_null() : seen;
    }
    if (!val_is_none(&i->value)) return i;
    mem_put(i, sizeof *i);
    return NULL;
}

/* Adds a revision; false: no memory, or it cannot be told. */
static bool add_revision(struct issue *i, const struct view *v, struct settled *s, size_t most) {
    struct err e = ERR_INIT;
    const struct val *patch = settled_patch(s, v->inside, v->plan, &e);
    if (!patch) return false;
    struct val scoped = watch_scope_patch(patch, v->pointer, &e);
    if (val_is_none(&scoped)) return e.code == ERR_NONE;
    if (i->n == i->cap) {
        size_t cap = i->cap ? i->cap * 2 : 1;
        if (cap > most) cap = most;
        struct watch_revision *grown = mem_grow(i->revisions, i->cap * sizeof *grown, cap * sizeof *grown);
        if (!grown) {
            val_unref(&scoped);
            return false;
        }
        i->revisions = grown;
        i->cap = cap;
    }
    i->revisions[i->n++] = (struct watch_revision){s->id, scoped};
    return true;
}

struct issue *issue_changes(const struct view *v, struct settled *all, size_t n, const struct val *root, uint64_t from,
                            uint64_t to) {
    struct issue *i = make(ISSUE_NOTHING, from, to);
    struct maps maps = {.n = 0};
    for (size_t k = 0; i && k < n; k++) {
        const struct val *patch = settled_patch(&all[k], v->inside, v->plan, NULL);
        if (patch && shifts(v, patch, all, n, root, &maps)) {
            i->kind = ISSUE_SHIFTED;
            return i;
        }
        if (!add_revision(i, v, &all[k], n)) {
            struct val_trash now = VAL_TRASH_INIT;
            issue_free(i, &now);
            val_trash_run(&now, SIZE_MAX);
            return NULL;
        }
    }
    if (i && i->n) i->kind = ISSUE_CHANGES;
    return i;
}

void issue_free(struct issue *i, struct val_trash *trash) {
    if (!i) return;
    for (struct issue_bytes *b = i->bytes, *next; b; b = next) {
        next = b->next;
        shared_unref(b->shared);
        mem_put(b, sizeof *b);
    }
    for (size_t k = 0; k < i->n; k++) val_trash_add(trash, &i->revisions[k].patch);
    mem_put(i->revisions, i->cap * sizeof *i->revisions);
    val_trash_add(trash, &i->value);
    mem_put(i, sizeof *i);
}
