/* txn.c - transactions: private versions of the tree that become one revision or nothing; see state.h. */
#include "base/mem.h"
#include "base/must.h"
#include "base/utf8.h"
#include "protocols/jsonpatch.h"
#include "protocols/jsonptr.h"
#include "state/change.h"
#include "state/state_room.h"

#define POINTER_MOST 8192 /* bytes of all places a transaction remembers; longer: it compares the whole tree */

bool state_begin(struct state *s, struct state_txn *t, uint64_t owners, struct err *e) {
    must(!s->in_txn);
    if (s->mode != STATE_UP && s->mode != STATE_AWAY && s->mode != STATE_READ_ONLY)
        return err_set(e, ERR_DATABASE, "the state is not open");
    if (s->closing) return err_set(e, ERR_DATABASE, "the state is being closed");
    t->state = s;
    t->root = t->single = val_none;
    t->owners = owners;
    t->err = (struct err)ERR_INIT;
    t->compare_all = t->removed = false;
    t->touched_n = 0;
    buf_init(&t->touched, POINTER_MOST);
    s->in_txn = true;
    return true;
}

static void end(struct state_txn *t) {
    t->state->in_txn = false;
    t->state = NULL;
    buf_release(&t->touched);
}

void state_abort(struct state_txn *t) {
    if (!t->state) return;
    trash_add(&t->state->trash, &t->root);
    trash_add(&t->state->trash, &t->single);
    end(t);
}

/* --- one place --- */

/* As a rule a transaction puts another value in one place, and then no private version is needed: the place is remembered, and changed
 * in the tree itself when it is committed. So no path is copied but where somebody holds an older version. */

static struct slice single_place(const struct state_txn *t) {
    return slice_of(t->touched.ptr, t->touched_end[0]);
}

static bool is_single(const struct state_txn *t) {
    return !val_is_none(&t->single);
}

/* Remembers it: true, and the value is taken. */
static bool put_single(struct state_txn *t, struct slice pointer, struct val *value) {
    const struct val *was;
    if (!val_is_none(&t->root) || is_single(t) || !pointer.len || !jsonptr_check(pointer, NULL)) return false;
    if (!jsonptr_find(&t->state->root, pointer, &was) || val_is_none(was)) return false;
    size_t levels = 0;
    for (size_t i = 0; i < pointer.len; i++) levels += pointer.ptr[i] == '/';
    if (levels + val_depth(value) > VAL_DEPTH_MAX) return false; /* to be refused in the usual way */
    buf_reset(&t->touched);
    if (!buf_add(&t->touched, pointer)) return false;
    t->touched_end[0] = (uint32_t)pointer.len;
    t->touched_n = 1;
    t->single = *value;
    *value = val_none;
    return true;
}

/* The private version, for whatever is more than one place. False: no memory. */
static bool open_root(struct state_txn *t) {
    if (!val_is_none(&t->root)) return true;
    t->root = val_ref(&t->state->root);
    if (!is_single(t)) return true;
    struct err e = ERR_INIT;
    struct val *slot = jsonptr_edit(&t->root, single_place(t), val_depth(&t->single), &e);
    if (!slot) {
        if (t->err.code == ERR_NONE) t->err = e;
        return false;
    }
    val_unref(slot);
    *slot = t->single;
    t->single = val_none;
    return true;
}

/* --- reading --- */

const struct val *txn_get(struct state_txn *t, struct slice pointer) {
    if (!t->state || !open_root(t)) return &val_none;
    return jsonptr_get(&t->root, pointer, NULL);
}

uint64_t txn_get_u64(struct state_txn *t, struct slice pointer, uint64_t fallback) {
    uint64_t n = fallback;
    val_as_u64(txn_get(t, pointer), &n);
    return n;
}

bool txn_get_bool(struct state_txn *t, struct slice pointer, bool fallback) {
    const struct val *v = txn_get(t, pointer);
    return v->kind == VAL_BOOL ? val_is_true(v) : fallback;
}

struct slice txn_get_text(struct state_txn *t, struct slice pointer) {
    return val_as_text(txn_get(t, pointer));
}

/* --- changing --- */

static struct slice last_touched(const struct state_txn *t) {
    uint32_t from = t->touched_n > 1 ? t->touched_end[t->touched_n - 2] : 0;
    return t->touched_n ? slice_of(t->touched.ptr + from, t->touched_end[t->touched_n - 1] - from) : slice_of(NULL, 0);
}

static void touch(struct state_txn *t, struct slice place) {
    if (t->compare_all || (t->touched_n && slice_eq(last_touched(t), place))) return;
    if (t->touched_n == STATE_TOUCHED || !buf_add(&t->touched, place))
        t->compare_all = true;
    else
        t->touched_end[t->touched_n++] = (uint32_t)t->touched.len;
}

/* The first failure is kept: a transaction of which a step failed is none. */
static bool remember(struct state_txn *t, bool good, const struct err *own, struct err *e) {
    if (good) return true;
    if (t->err.code == ERR_NONE) t->err = *own;
    if (e) *e = *own;
    return false;
}

static struct slice parent_of(struct slice pointer) {
    while (pointer.len && pointer.ptr[pointer.len - 1] != '/') pointer.len--;
    return slice_head(pointer, pointer.len ? pointer.len - 1 : 0);
}

static bool in_array(const struct state_txn *t, struct slice pointer) {
    if (!pointer.len) return false;
    uint8_t last = pointer.ptr[pointer.len - 1]; /* only "-" and numbers name elements */
    return (last == '-' || (last >= '0' && last <= '9')) &&
           jsonptr_get(&t->root, parent_of(pointer), NULL)->kind == VAL_ARRAY;
}

/* Takes the value. What moves the elements of an array touches all of the array. */
static bool change(struct state_txn *t, enum jsonptr_change how, struct slice pointer, struct val value,
                   struct err *e) {
    struct err own = ERR_INIT;
    if (!t->state || t->err.code != ERR_NONE) {
        val_unref(&value);
        if (e) *e = t->err;
        return t->state ? false : err_set(e, ERR_DATABASE, "the transaction is over");
    }
    if (how != JSONPTR_REMOVE && val_is_none(&value)) return remember(t, err_nomem(&own, "a value"), &own, e);
    if (!open_root(t)) {
        val_unref(&value);
        if (e) *e = t->err;
        return false;
    }
    struct slice place = pointer;
    bool element = how != JSONPTR_REPLACE && in_array(t, pointer);
    if (element) place = parent_of(pointer);
    bool good = jsonptr_change(&t->root, how, pointer, value, &own);
    if (good) touch(t, place);
    t->removed |= how == JSONPTR_REMOVE && !element;
    return remember(t, good, &own, e);
}

bool txn_put(struct state_txn *t, struct slice pointer, struct val value, struct err *e) {
    if (t->state && t->err.code == ERR_NONE && !val_is_none(&value) && put_single(t, pointer, &value)) return true;
    if (t->state && !open_root(t)) {
        val_unref(&value);
        if (e) *e = t->err;
        return false;
    }
    bool element = t->state && !slice_ends(pointer, LIT("/-")) && in_array(t, pointer);
    return change(t, element ? JSONPTR_REPLACE : JSONPTR_ADD, pointer, value, e);
}

bool txn_put_text(struct state_txn *t, struct slice pointer, struct slice text, struct err *e) {
    struct val v = val_of_text(text);
    struct err own = ERR_INIT;
    if (val_is_none(&v) && utf8_valid(text) != text.len)
        return remember(t, err_set(&own, ERR_UTF8, "a text that is not UTF-8"), &own, e);
    return txn_put(t, pointer, v, e);
}

bool txn_put_u64(struct state_txn *t, struct slice pointer, uint64_t n, struct err *e) {
    return txn_put(t, pointer, val_of_u64(n), e);
}

bool txn_put_bool(struct state_txn *t, struct slice pointer, bool b, struct err *e) {
    return txn_put(t, pointer, val_of_bool(b), e);
}

bool txn_put_null(struct state_txn *t, struct slice pointer, struct err *e) {
    return txn_put(t, pointer, val_null(), e);
}

bool txn_insert(struct state_txn *t, struct slice pointer, struct val value, struct err *e) {
    return change(t, JSONPTR_ADD, pointer, value, e);
}

bool txn_remove(struct state_txn *t, struct slice pointer, struct err *e) {
    return change(t, JSONPTR_REMOVE, pointer, val_none, e);
}

bool txn_patch(struct state_txn *t, const struct val *patch, struct err *e) {
    static const struct jsonpatch_limits limits = {.ops = LIMIT_PATCH_OPS, .copied = LIMIT_PATCH_COPIED};
    struct err own = ERR_INIT;
    if (!t->state || t->err.code != ERR_NONE) {
        if (e) *e = t->err;
        return t->state ? false : err_set(e, ERR_DATABASE, "the transaction is over");
    }
    if (!open_root(t)) {
        if (e) *e = t->err;
        return false;
    }
    bool good = jsonpatch_apply(&t->root, patch, &limits, &own);
    t->compare_all |= good && val_count(patch) > 0;
    return remember(t, good, &own, e);
}

/* --- committing --- */

/* What of a patch is journalled: nothing volatile. The patch itself, when that is all of it. */
static bool make_journalled(const struct state *s, const struct val *patch, struct val *out, struct err *e) {
    bool all = true, good = true;
    if (!s->has_volatile) {
        *out = val_ref(patch);
        return true;
    }
    *out = val_empty_array();
    for (struct val_iter it = val_iter(patch); good && val_next(&it);) {
        bool gone;
        struct val op = plan_strip_op(s->plan, it.value, PLAN_VOLATILE, &gone, e);
        good = gone || !val_is_none(&op);
        if (all && val_same(&op, it.value)) {
            val_unref(&op);
            continue;
        }
        for (size_t i = 0; good && all && i < it.index; i++)
            good = val_push(out, val_ref(val_at(patch, i))) || err_nomem(e, "a revision");
        all = false;
        if (good && !gone)
            good = val_push(out, op) || err_nomem(e, "a revision");
        else
            val_unref(&op);
    }
    if (good && all) *out = val_ref(patch);
    return good;
}

static bool fits(const struct state *s, const struct val *root, const struct val *patch, struct err *e) {
    for (struct val_iter it = val_iter(patch); val_next(&it);)
        if (!plan_fits(s->plan, root, val_as_text(val_get(it.value, LIT("path"))), val_get(it.value, LIT("value")), e))
            return false;
    return true;
}

static bool make_room(struct state *s, struct err *e) {
    if (s->open_n - s->open_at >= LIMIT_STATE_OPEN || s->given >= RECORD_MOST) {
        err_limit(e, "open revisions", LIMIT_STATE_OPEN, ERR_NOWHERE);
        return err_status(e, 503);
    }
    if (s->open_n < s->open_cap) return true;
    if (s->open_at) {
        memmove(s->open, s->open + s->open_at, (s->open_n - s->open_at) * sizeof *s->open);
        s->open_n -= s->open_at;
        s->open_at = 0;
        if (s->open_n < s->open_cap / 2) return true;
    }
    size_t cap = s->open_cap ? s->open_cap * 2 : 64;
    struct state_open_revision *g = mem_grow(s->open, s->open_cap * sizeof *g, cap * sizeof *g);
    if (!g) return err_nomem(e, "a revision");
    s->open = g;
    s->open_cap = cap;
    return true;
}

/* Whether any of it is seen outside. What is visible stays so when what is private in it is taken out. */
static bool is_shown(const struct state *s, const struct val *patch) {
    for (struct val_iter it = val_iter(patch); val_next(&it);)
        if (!(plan_attrs(s->plan, val_as_text(val_get(it.value, LIT("path")))) & PLAN_PRIVATE)) return true;
    return false;
}

/* A revision's own things: it fits, it is in the journal, it has a number. Takes neither; *patch is VAL_NONE when it was taken. */
static bool enter(struct state *s, const struct val *root, struct val *patch, struct err *e) {
    struct val journalled = val_none;
    bool good = fits(s, root, patch, e) && make_journalled(s, patch, &journalled, e) && make_room(s, e);
    if (good && val_count(&journalled)) {
        if (s->mode == STATE_READ_ONLY) {
            if (!loop_timer_is_set(&s->retry)) /* there was no memory for it */
                state_try_later(s);
            if (e) *e = s->trouble;
            good = false;
        } else
            good = journal_add(&s->journal, s->given + 1, &journalled, e);
    }
    val_unref(&journalled);
    if (!good) return false;
    bool shown = is_shown(s, patch);
    s->open[s->open_n++] = (struct state_open_revision){.id = ++s->given, .patch = *patch};
    if (shown) s->shown = s->given;
    *patch = val_none;
    s->revision = s->given;
    s->counts.commits++;
    state_queue_commit(s);
    return true;
}

/* One place, changed in the tree itself; when anything is refused it is changed back, which needs no memory. *over: it was done (or
 * refused); else it is more than that. */
static bool commit_single(struct state_txn *t, bool *over, struct err *e) {
    struct state *s = t->state;
    struct change c = {.place = single_place(t), .is = &t->single};
    struct val patch = val_empty_array();
    *over = true;
    if (!jsonptr_find(&s->root, c.place, &c.was)) return err_nomem(e, "a revision");
    if (!plan_may(s->plan, t->owners, c.place, c.was, c.is, e)) return false;
    if (val_is_none(c.was) || (c.was->kind == c.is->kind && c.is->kind >= VAL_ARRAY)) return *over = false;
    bool good = change_make(&c, &patch, e);
    if (good && val_count(&patch)) {
        struct val *slot = jsonptr_edit(&s->root, c.place, val_depth(&t->single), e);
        struct val was = slot ? *slot : val_none;
        if (slot) *slot = t->single;
        good = slot && enter(s, &s->root, &patch, e);
        if (slot && !good) *slot = was;
        if (good) {
            trash_add(&s->trash, &was);
            t->single = val_none;
        }
    }
    val_unref(&patch);
    return good;
}

static const struct jsonpatch_limits no_limits = {.ops = SIZE_MAX, .copied = SIZE_MAX};

static bool commit_root(struct state_txn *t, struct err *e) {
    struct state *s = t->state;
    struct change list[STATE_TOUCHED];
    unsigned n = 0;
    if (!open_root(t)) {
        if (e) *e = t->err;
        return false;
    }
    if (t->compare_all)
        list[n++].place = LIT("");
    else
        for (uint32_t from = 0; n < t->touched_n; n++) {
            list[n].place = slice_of(t->touched.ptr + from, t->touched_end[n] - from);
            from = t->touched_end[n];
        }
    if (n > 1) n = change_outermost(list, n);
    struct val patch = val_empty_array();
    bool good = true;
    for (unsigned i = 0; good && i < n; i++)
        good = change_find(&list[i], &s->root, &t->root, e) &&
               plan_may(s->plan, t->owners, list[i].place, list[i].was, list[i].is, e) &&
               change_make(&list[i], &patch, e);
    if (good && val_count(&patch)) {
        struct val root = val_ref(t->removed ? &s->root : &t->root);
        /* A key that went and came again stands where the patch leaves it: so a start finds it where it is now. */
        good = (!t->removed || jsonpatch_apply(&root, &patch, &no_limits, e)) && enter(s, &root, &patch, e);
        if (good) {
            struct val was = s->root;
            s->root = root;
            root = was;
        }
        trash_add(&s->trash, &root);
    }
    val_unref(&patch);
    return good;
}

bool state_commit(struct state_txn *t, uint64_t *revision, struct err *e) {
    struct state *s = t->state;
    if (!s) return err_set(e, ERR_DATABASE, "the transaction is over");
    bool good = t->err.code == ERR_NONE, over = false;
    if (!good && e) *e = t->err;
    if (good && is_single(t)) good = commit_single(t, &over, e) || !over;
    if (good && !over) good = commit_root(t, e);
    if (good && revision) *revision = s->revision;
    state_abort(t);
    return good;
}
