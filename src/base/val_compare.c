/* val_compare.c - equality, weight, and what differs between two versions; see val.h. */
#include "base/val_tree.h"

static bool equal_scalars(const struct val *a, const struct val *b, bool by_worth) {
    if (val_key_eq(a, b)) return true;
    if (!by_worth) return false;
    if (a->kind == VAL_FLOAT && b->kind == VAL_FLOAT) return a->real == b->real; /* 0.0 and -0.0 */
    const struct val *i = a->kind == VAL_INT ? a : b, *f = a->kind == VAL_FLOAT ? a : b;
    if (i->kind != VAL_INT || f->kind != VAL_FLOAT) return false;
    /* Exactly: the double must be whole and in range, then the integers are compared. */
    double d = f->real;
    if (!(d >= -18446744073709551616.0 && d < 18446744073709551616.0)) return false;
    if (d >= 0) return !i->form && (double)(uint64_t)d == d && (uint64_t)d == i->num;
    /* The integer -1-n equals d when n equals -d-1; -d is whole and at most 2^64, where only n = 2^64-1 fits. */
    double up = -d;
    if (!i->form) return false;
    if (up == 18446744073709551616.0) return i->num == UINT64_MAX;
    return (double)(uint64_t)up == up && (uint64_t)up - 1 == i->num && up >= 1;
}

static bool equal(const struct val *a, const struct val *b, bool by_worth) {
    if (val_same(a, b)) return true;
    if (a->kind < VAL_ARRAY || b->kind < VAL_ARRAY) return equal_scalars(a, b, by_worth);
    if (a->kind != b->kind || val_count(a) != val_count(b)) return false;
    if (a->kind == VAL_MAP) {
        for (struct val_iter it = val_iter(a); val_next(&it);) {
            const struct val *other = val_get_key(b, it.key);
            if (val_is_none(other) || !equal(it.value, other, by_worth)) return false;
        }
        return true;
    }
    struct val_iter ib = val_iter(b);
    for (struct val_iter ia = val_iter(a); val_next(&ia);)
        if (!val_next(&ib) || !equal(ia.value, ib.value, by_worth)) return false;
    return true;
}

bool val_equal(const struct val *a, const struct val *b) {
    return equal(a, b, false);
}
bool val_equal_number(const struct val *a, const struct val *b) {
    return equal(a, b, true);
}

size_t val_weight(const struct val *v, size_t most) {
    size_t n = 1;
    if (v->kind < VAL_ARRAY) return n;
    for (struct val_iter it = val_iter(v); n < most && val_next(&it);) n += val_weight(it.value, most - n);
    return n;
}

struct diff {
    const struct val *was, *is;
    val_diff_fn *each;
    void *arg;
    bool adding; /* the second pass: only what is new */
};

static bool tell_was(struct diff *d, const struct val *key, const struct val *was) {
    const struct val *is = val_get_key(d->is, key);
    return val_same(was, is) || d->each(d->arg, key, was, is);
}

static bool tell_is(struct diff *d, const struct val *key, const struct val *is) {
    return !val_is_none(val_get_key(d->was, key)) || d->each(d->arg, key, &val_none, is);
}

static bool item_was(void *arg, const struct map_item *m) {
    struct diff *d = arg;
    return d->adding || tell_was(d, &m->key, &m->value);
}

static bool item_is(void *arg, const struct map_item *m) {
    struct diff *d = arg;
    return !d->adding || tell_is(d, &m->key, &m->value);
}

bool val_diff_maps(const struct val *was, const struct val *is, val_diff_fn *each, void *arg) {
    struct diff d = {was, is, each, arg, false};
    if (val_same(was, is)) return true;
    if (was->form == VAL_FORM_TREE && is->form == VAL_FORM_TREE) {
        struct bt_walk walk = {item_was, item_is, &d};
        if (!bt_unshared(&val_tree(was)->main, &val_tree(is)->main, &walk)) return false;
        d.adding = true;
        return bt_unshared(&val_tree(was)->main, &val_tree(is)->main, &walk);
    }
    for (struct val_iter it = val_iter(was); val_next(&it);) {
        COST(visited, 1);
        if (!tell_was(&d, it.key, it.value)) return false;
    }
    for (struct val_iter it = val_iter(is); val_next(&it);)
        if (!tell_is(&d, it.key, it.value)) return false;
    return true;
}

/* --- order --- */

/* Entry by entry: the keys of both must come in the same order, and no new key in front of one that was there. */
static bool same_order_slowly(const struct val *was, const struct val *is) {
    struct val_iter old = val_iter(was);
    bool added = false;
    for (struct val_iter it = val_iter(is); val_next(&it);) {
        if (val_is_none(val_get_key(was, it.key))) {
            added = true;
            continue;
        }
        if (added) return false;
        do {
            if (!val_next(&old)) return false;
        } while (!val_key_eq(old.key, it.key));
    }
    return true;
}

struct order {
    const struct val_tree *was;
};

/* A version made from another keeps the numbers of its entries, and gives new ones higher numbers. */
static bool keeps_number(void *arg, const struct map_item *m) {
    const struct order *o = arg;
    const struct map_item *old = val_tree_find(o->was, &m->key);
    return old ? old->seq == m->seq : m->seq >= o->was->next_seq;
}

static bool pass_by(void *arg, const struct map_item *m) {
    (void)arg, (void)m;
    return true;
}

bool val_same_order(const struct val *was, const struct val *is) {
    if (val_same(was, is)) return true;
    if (was->form == VAL_FORM_TREE && is->form == VAL_FORM_TREE) {
        struct order o = {val_tree(was)};
        const struct bt_walk walk = {pass_by, keeps_number, &o};
        if (bt_unshared(&val_tree(was)->main, &val_tree(is)->main, &walk)) return true;
    } else if (val_count(was) <= val_count(is)) {
        /* As a rule no key goes away, and new ones are behind. */
        struct val_iter a = val_iter(was), b = val_iter(is);
        size_t same = 0;
        while (val_next(&a) && val_next(&b) && val_key_eq(a.key, b.key)) same++;
        if (same == val_count(was)) return true;
    }
    return same_order_slowly(was, is);
}

/* How many elements from the position on (tail: before it, counted from the end) are the very same. */
static size_t same_run(const struct val *was, const struct val *is, size_t most, bool tail) {
    size_t n = val_count(was), m = val_count(is), run = 0;
    bool trees = was->form == VAL_FORM_TREE && is->form == VAL_FORM_TREE;
    while (run < most) {
        size_t at_was = tail ? n - run : run, at_is = tail ? m - run : run;
        size_t shared = trees ? bt_shared_run(&val_tree(was)->main, at_was, &val_tree(is)->main, at_is, tail) : 0;
        if (!shared) {
            COST(visited, 1);
            if (!val_same(val_at(was, at_was - tail), val_at(is, at_is - tail))) break;
            shared = 1;
        }
        run += shared;
    }
    return run < most ? run : most;
}

void val_diff_arrays(const struct val *was, const struct val *is, size_t *head, size_t *tail) {
    size_t n = val_count(was), m = val_count(is), most = n < m ? n : m;
    bool same = val_same(was, is);
    *head = same ? most : same_run(was, is, most, false);
    *tail = same ? 0 : same_run(was, is, most - *head, true);
}
