/* plan_check.c - who may change what, and whether it fits; see plan.h. Recursion is bounded: no value nests deeper than
 * VAL_DEPTH_MAX, and none is entered that is not there. */
#include "protocols/jsonptr.h"
#include "state/plan_room.h"
#include "state/trail.h"

#include <stdio.h>

#define OWNERS_SHOWN 60 /* bytes of the names in a refusal */

/* --- may --- */

struct judge {
    const struct plan *p;
    uint64_t owners;
    struct slice pointer;
    struct err *e;
};

static void name_owners(const struct plan *p, uint64_t owners, char out[OWNERS_SHOWN]) {
    size_t n = 0;
    snprintf(out, OWNERS_SHOWN, "nobody");
    for (unsigned i = 0; i < p->owner_n && n < OWNERS_SHOWN; i++)
        if (owners >> i & 1) n += (size_t)snprintf(out + n, OWNERS_SHOWN - n, "%s%s", n ? ", " : "", p->owners[i]);
    if (n >= OWNERS_SHOWN) memcpy(out + OWNERS_SHOWN - 4, "...", 4);
}

static bool refuse(const struct judge *j, const struct plan_node *node, const struct trail *at) {
    char place[TRAIL_PLACE], owner[OWNERS_SHOWN], asked[OWNERS_SHOWN];
    name_owners(j->p, node->owner, owner);
    name_owners(j->p, j->owners, asked);
    return err_set(j->e, ERR_INVALID, "%s: want a change by its owner, which is %s, found one by %s",
                   trail_place(place, j->pointer, at), owner, asked);
}

struct judge_map {
    const struct judge *judge;
    const struct plan_node *node; /* of the map */
    const struct trail *at;
};

static bool judge_place(const struct judge *j, const struct plan_node *node, const struct val *was,
                        const struct val *is, const struct trail *at);

static bool judge_entry(void *arg, const struct val *key, const struct val *was, const struct val *is) {
    const struct judge_map *m = arg;
    const struct plan_node *kid = plan_step_val(m->node, key);
    struct trail down = trail_entry(m->at, key);
    if (kid) return judge_place(m->judge, kid, was, is, &down);
    /* Off the plan: as the map. */
    return (m->node->owner & m->judge->owners) || val_equal(was, is) || refuse(m->judge, m->node, &down);
}

static const struct val *as_map(const struct val *v) {
    static const struct val empty = {.kind = VAL_MAP};
    return v->kind == VAL_MAP ? v : &empty;
}

/* Of a place that is theirs: what others have below it is the same. */
static bool judge_own(const struct judge *j, const struct plan_node *node, const struct val *was, const struct val *is,
                      const struct trail *at) {
    struct judge_map m = {j, node, at};
    if (!(node->owners_below & ~j->owners)) return true;
    was = as_map(was);
    is = as_map(is);
    if (node->any && ((node->any->owner | node->any->owners_below) & ~j->owners))
        return val_diff_maps(was, is, judge_entry, &m);
    for (unsigned i = 0; i < node->kid_n; i++) {
        const struct plan_node *kid = node->kids[i];
        struct trail down = {at, kid->key, 0};
        if (!((kid->owner | kid->owners_below) & ~j->owners)) continue;
        if (!judge_place(j, kid, val_get(was, kid->key), val_get(is, kid->key), &down)) return false;
    }
    return true;
}

/* Of a place that is not theirs: nothing differs but what they have below it. */
static bool judge_other(const struct judge *j, const struct plan_node *node, const struct val *was,
                        const struct val *is, const struct trail *at) {
    struct judge_map m = {j, node, at};
    if (!(node->owners_below & j->owners) || was->kind != VAL_MAP || is->kind != VAL_MAP)
        return val_equal(was, is) || refuse(j, node, at);
    return val_diff_maps(was, is, judge_entry, &m);
}

static bool judge_place(const struct judge *j, const struct plan_node *node, const struct val *was,
                        const struct val *is, const struct trail *at) {
    if (val_same(was, is)) return true;
    return (node->owner & j->owners ? judge_own : judge_other)(j, node, was, is, at);
}

bool plan_may(const struct plan *p, uint64_t owners, struct slice pointer, const struct val *was, const struct val *is,
              struct err *e) {
    struct judge j = {p, owners, pointer, e};
    bool off;
    if (!jsonptr_check(pointer, e)) return false;
    if (owners == PLAN_ALL_OWNERS) return true;
    const struct plan_node *node = plan_walk(p, pointer, &off);
    if (pointer.len && !(node->owner & owners)) return refuse(&j, node, NULL);
    return off || judge_place(&j, node, was, is, NULL);
}

/* --- fits --- */

struct fit {
    struct slice pointer;
    const struct val *v; /* what was put there */
    struct err *e;
};

static bool say_missing(const struct fit *f, struct slice path) {
    char place[TRAIL_PLACE];
    return err_set(f->e, ERR_NOT_FOUND, "%s: want a place that is in the tree, found nothing",
                   trail_place(place, path, NULL));
}

static bool fit_place(const struct fit *f, const struct shape_spot *spot, const struct val *v, size_t at);

/* `at`: where in the pointer the value stands; there is more behind it. */
static bool fit_below(const struct fit *f, const struct shape_spot *spot, const struct val *v, size_t at) {
    struct slice path = slice_head(f->pointer, at), rest = slice_skip(f->pointer, at), part, key;
    jsonptr_next(&rest, &part);
    size_t next = f->pointer.len - rest.len;
    bool last = !rest.len, good = true;
    struct shape_spot own = *spot;
    struct buf b;
    if (v->kind != VAL_MAP && v->kind != VAL_ARRAY) return say_missing(f, path);
    if (last && !shape_check_own(spot, v, path, plan_enter, f->e)) return false;
    buf_init(&b, part.len);
    key = part;
    if (slice_find(part, '~') < part.len) {
        if (!jsonptr_unescape(&b, part)) good = err_nomem(f->e, "a pointer");
        key = buf_slice(&b);
    }
    /* Which record it is, is said by the tag: then everything in it may be another. */
    bool tag = good && last && spot->shape && spot->shape->kind == SHAPE_TAGGED && v->kind == VAL_MAP &&
               slice_eq(key, slice_str(spot->shape->tag));
    if (!good)
        ;
    else if (tag)
        good = shape_check_with(spot, v, path, plan_enter, f->e);
    else {
        if (v->kind == VAL_MAP)
            shape_enter(&own, v, key, plan_enter);
        else
            shape_enter_array(&own);
        const struct val *inner = f->v;
        if (!last || v->kind == VAL_MAP) inner = jsonptr_get(v, slice_of(f->pointer.ptr + at, next - at), NULL);
        if (last && val_is_none(f->v))
            good = true;
        else if (val_is_none(inner))
            good = say_missing(f, slice_head(f->pointer, next));
        else
            good = fit_place(f, &own, last ? f->v : inner, next);
    }
    buf_release(&b);
    return good && (tag || shape_check_rule(spot, v, path, f->e));
}

static bool fit_place(const struct fit *f, const struct shape_spot *spot, const struct val *v, size_t at) {
    if (at == f->pointer.len) return shape_check_with(spot, v, f->pointer, plan_enter, f->e);
    return fit_below(f, spot, v, at);
}

bool plan_fits(const struct plan *p, const struct val *root, struct slice pointer, const struct val *v, struct err *e) {
    struct fit f = {pointer, v, e};
    struct shape_spot spot = plan_spot(p);
    return jsonptr_check(pointer, e) && fit_place(&f, &spot, root, 0);
}

bool plan_check(const struct plan *p, const struct val *root, struct err *e) {
    struct shape_spot spot = plan_spot(p);
    return shape_check_with(&spot, root, LIT(""), plan_enter, e);
}
