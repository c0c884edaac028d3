/* plan_make.c - a plan's nodes, made of its rows and of the marked fields of their shapes; see plan_room.h.
 *
 * The rows become a tree of their own first, one rung for each part of a pattern. A node of the plan stands for all
 * rungs that may be meant by one place, the more exact ones first: /a/b for the rungs of "/a/b", "/a/ *", "/ * /b" and
 * "/ * / *" (without the spaces). So walking has one path, and what rows with "*" say is in every sibling.
 * A node also knows which shapes may stand there: one, as a rule; more where the alternatives of a tag differ. */
#include "base/limits.h"
#include "base/utf8.h"
#include "protocols/json.h"
#include "protocols/jsonptr.h"
#include "state/plan_room.h"

#include <stdio.h>
#include <stdlib.h>

static const struct shape shape_any = {.kind = SHAPE_ANY};

/* One part of a pattern. */
struct rung {
    struct slice key;
    const struct plan_branch *row; /* that ends here, or NULL */
    struct rung *kids, *any, *next;
};

/* What may be meant by one place. */
struct meaning {
    const struct rung **rungs;
    const struct shape **shapes;
    size_t rung_n, shape_n;
};

struct maker {
    struct plan *p;
    struct arena work;
    struct buf pattern; /* of the node being made */
    unsigned node_n;
    struct err *e;
};

static bool refuse(const struct maker *m, const char *why) {
    struct slice s = buf_slice(&m->pattern);
    if (!buf_ok(&m->pattern)) return err_nomem(m->e, "a plan");
    return err_set(m->e, ERR_INVALID, "%.*s: %s", s.len ? (int)s.len : 8, s.len ? (const char *)s.ptr : "the root",
                   why);
}

/* --- rows to rungs --- */

static bool is_star(struct slice part) {
    return slice_eq(part, LIT("*"));
}

/* The key of a part, in the plan's arena. */
static struct slice copy_key(struct maker *m, struct slice part) {
    uint8_t *bytes = arena_get(&m->p->arena, part.len + 1);
    if (!bytes) return slice_of(NULL, 0);
    size_t n = 0;
    for (size_t i = 0; i < part.len; i++) {
        uint8_t c = part.ptr[i];
        if (c == '~') c = part.ptr[++i] == '1' ? '/' : '~'; /* jsonptr_check has seen it */
        bytes[n++] = c;
    }
    return slice_of(bytes, n);
}

static struct rung *new_rung(struct maker *m) {
    struct rung *s = arena_get(&m->work, sizeof *s);
    if (s) *s = (struct rung){.row = NULL};
    return s;
}

static struct rung *go_rung(struct maker *m, struct rung *from, struct slice part) {
    if (is_star(part)) {
        if (!from->any) from->any = new_rung(m);
        return from->any;
    }
    struct slice key = copy_key(m, part);
    if (!key.ptr) return NULL;
    for (struct rung *s = from->kids; s; s = s->next)
        if (slice_eq(s->key, key)) return s;
    struct rung *s = new_rung(m);
    if (!s) return NULL;
    s->key = key;
    s->next = from->kids;
    from->kids = s;
    return s;
}

static bool check_row(struct maker *m, const struct plan_branch *row) {
    struct slice pattern = slice_str(row->pattern);
    struct err own = ERR_INIT;
    if (!jsonptr_check(pattern, &own)) return err_set(m->e, ERR_INVALID, "the row \"%s\": %s", row->pattern, own.text);
    if (row->owner &&
        (!*row->owner || strlen(row->owner) > 40 || strchr(row->owner, ' ') || !utf8_ok(slice_str(row->owner))))
        return err_set(m->e, ERR_INVALID, "the row \"%s\": want the owner to be a word", row->pattern);
    if (!pattern.len && row->attrs)
        return err_set(m->e, ERR_INVALID,
                       "the root has no attributes, as nothing would be left of the tree: mark \"/*\"");
    return plan_attrs_ok(row->attrs, row->pattern, m->e);
}

static bool add_owner(struct maker *m, const char *owner) {
    struct plan *p = m->p;
    if (!owner || plan_owner(p, owner)) return true;
    if (p->owner_n == LIMIT_STATE_OWNERS) return err_limit(m->e, "owners", LIMIT_STATE_OWNERS, ERR_NOWHERE);
    p->owners[p->owner_n++] = owner;
    return true;
}

static bool add_row(struct maker *m, struct rung *root, const struct plan_branch *row) {
    if (!check_row(m, row) || !add_owner(m, row->owner)) return false;
    struct slice rest = slice_str(row->pattern), part;
    unsigned depth = 0;
    struct rung *s = root;
    while (s && jsonptr_next(&rest, &part)) {
        if (depth++ == LIMIT_VAL_DEPTH) return err_limit(m->e, "depth", LIMIT_VAL_DEPTH, ERR_NOWHERE);
        s = go_rung(m, s, part);
    }
    if (!s) return err_nomem(m->e, "a plan");
    if (s->row) return err_set(m->e, ERR_INVALID, "two rows with the pattern \"%s\"", row->pattern);
    s->row = row;
    return true;
}

/* --- shapes of a place --- */

/* The records a map of this shape may be. */
static unsigned count_records(const struct shape *s) {
    return s->kind == SHAPE_RECORD ? 1 : s->kind == SHAPE_TAGGED ? s->field_n : 0;
}
static const struct shape *get_record(const struct shape *s, unsigned i) {
    return s->kind == SHAPE_RECORD ? s : s->fields[i].shape;
}

static bool is_tag(const struct shape *s, struct slice key) {
    return s->kind == SHAPE_TAGGED && slice_eq(slice_str(s->tag), key);
}

static bool is_marked_field(const struct plan *p, const struct shape_field *f) {
    return f->attrs || plan_shape_marked(p, f->shape);
}

/* Whether something can stand below a value of this shape: under the key, or (NULL) under any. */
static bool admits(const struct shape *s, const struct slice *key) {
    if (s->kind == SHAPE_ANY || s->kind == SHAPE_MAP || (key && is_tag(s, *key))) return true;
    for (unsigned i = 0; i < count_records(s); i++) {
        const struct shape *r = get_record(s, i);
        if (!key || r->open || shape_field(r, *key)) return true;
    }
    return false;
}

static void add_shape(struct meaning *to, const struct shape *s) {
    if (!s) s = &shape_any;
    for (size_t i = 0; i < to->shape_n; i++)
        if (to->shapes[i] == s) return;
    to->shapes[to->shape_n++] = s;
}

/* How many shapes may stand below one place, at most. */
static size_t count_below(const struct meaning *of) {
    size_t n = 1;
    for (size_t i = 0; i < of->shape_n; i++) {
        n++;
        for (unsigned k = 0; k < count_records(of->shapes[i]); k++) n += get_record(of->shapes[i], k)->field_n;
    }
    return n;
}

/* --- nodes --- */

static bool has_kid(const struct plan_node *node, struct slice key) {
    for (unsigned i = 0; i < node->kid_n; i++)
        if (slice_eq(node->kids[i]->key, key)) return true;
    return false;
}

/* What stands under a key, or (NULL) under the other keys, of places that mean `of`. *attrs: what fields say. */
static void find_shapes(const struct maker *m, const struct plan_node *up, const struct meaning *of,
                        const struct slice *key, struct meaning *to, unsigned *attrs) {
    for (size_t i = 0; i < of->shape_n; i++) {
        const struct shape *s = of->shapes[i];
        if (s->kind == SHAPE_MAP) add_shape(to, s->item);
        if (s->kind == SHAPE_ANY || (key && is_tag(s, *key))) add_shape(to, NULL);
        for (unsigned k = 0; k < count_records(s); k++) {
            const struct shape *r = get_record(s, k);
            if (r->open && !(key && shape_field(r, *key))) add_shape(to, NULL);
            for (unsigned n = 0; n < r->field_n; n++) {
                const struct shape_field *f = &r->fields[n];
                struct slice name = slice_str(f->name);
                if (key ? !slice_eq(name, *key) : has_kid(up, name) || is_marked_field(m->p, f)) continue;
                add_shape(to, f->shape);
                *attrs |= shape_attrs(f->attrs);
            }
        }
    }
}

static void find_rungs(const struct meaning *of, const struct slice *key, struct meaning *to) {
    for (size_t i = 0; i < of->rung_n; i++) {
        const struct rung *s = of->rungs[i]->kids;
        while (s && key && !slice_eq(s->key, *key)) s = s->next;
        if (s && key) to->rungs[to->rung_n++] = s;
        if (of->rungs[i]->any) to->rungs[to->rung_n++] = of->rungs[i]->any;
    }
}

/* What rows say of the node's place; the more exact ones first. */
static void apply_rows(const struct maker *m, struct plan_node *node, struct meaning *means) {
    const char *owner = NULL;
    for (size_t i = 0; i < means->rung_n; i++) {
        const struct plan_branch *row = means->rungs[i]->row;
        if (!row) continue;
        if (!owner) owner = row->owner;
        if (!node->shape) node->shape = row->shape;
        node->attrs |= shape_attrs(row->attrs);
    }
    if (owner) node->owner = plan_owner(m->p, owner);
    if (!node->shape) return;
    means->shape_n = 0;
    add_shape(means, node->shape);
}

static bool check_arrays(const struct maker *m, const struct plan_node *node, const struct meaning *means) {
    for (size_t i = 0; i < means->shape_n; i++)
        if (means->shapes[i]->kind == SHAPE_LIST && plan_leads_on(node))
            return refuse(m, "an array, and rows or attributes below it, where patterns do not reach");
    return true;
}

/* A fallback that goes where rows have more to say than the field's own shape does. */
static bool check_fallback(const struct maker *m, const struct plan_node *node, const struct shape_field *f) {
    static const struct json_limits limits = {.bytes = LIMIT_JSON_BYTES, .depth = LIMIT_VAL_DEPTH};
    struct slice name = slice_str(f->name);
    if (!f->fallback || !plan_step(node, name)) return true;
    struct shape_spot spot = {f->shape, node, node->attrs | shape_attrs(f->attrs)};
    plan_enter(&spot, name);
    struct val v = val_none;
    bool good =
        json_parse(slice_str(f->fallback), &limits, &v, m->e) && shape_check_with(&spot, &v, LIT(""), plan_enter, m->e);
    if (!good) err_context(m->e, "the fallback of the field \"%s\"", f->name);
    val_unref(&v);
    return good;
}

static bool check_fallbacks(const struct maker *m, const struct plan_node *node, const struct meaning *means) {
    for (size_t i = 0; i < means->shape_n; i++)
        for (unsigned r = 0; r < count_records(means->shapes[i]); r++) {
            const struct shape *record = get_record(means->shapes[i], r);
            for (unsigned f = 0; f < record->field_n; f++)
                if (!check_fallback(m, node, &record->fields[f])) return false;
        }
    return true;
}

static bool make_below(struct maker *m, struct plan_node *node, const struct meaning *means, unsigned depth);

/* What is volatile is gone after a restart: nothing may count on it. */
static bool check_volatile(const struct maker *m, const struct meaning *of, const struct slice *key) {
    for (size_t i = 0; i < of->shape_n; i++) {
        const struct shape *s = of->shapes[i];
        if (s->kind == SHAPE_TAGGED && (!key || is_tag(s, *key))) return refuse(m, "a tag cannot be volatile");
        if (s->kind == SHAPE_MAP && s->min > 0)
            return refuse(m, "volatile, and the map around it wants to have some: it has none after a restart");
    }
    return true;
}

/* The node for a key (NULL: for the others) below one that means `of`; *out NULL when nothing is to be said of it. */
static bool make_kid(struct maker *m, struct plan_node *up, const struct meaning *of, const struct slice *key,
                     unsigned depth, struct plan_node **out) {
    *out = NULL;
    struct meaning means = {.rung_n = 0};
    size_t most = count_below(of);
    means.rungs = arena_get(&m->work, (2 * of->rung_n + 1) * sizeof *means.rungs);
    means.shapes = arena_get(&m->work, most * sizeof *means.shapes);
    if (!means.rungs || !means.shapes) return err_nomem(m->e, "a plan");
    unsigned attrs = up->attrs;
    find_rungs(of, key, &means);
    find_shapes(m, up, of, key, &means, &attrs);
    if (!key) {
        bool any = means.rung_n != 0;
        for (size_t i = 0; i < means.shape_n; i++) any |= plan_shape_marked(m->p, means.shapes[i]);
        if (!any) return true;
    }
    bool admitted = of->shape_n == 0;
    for (size_t i = 0; i < of->shape_n; i++) admitted |= admits(of->shapes[i], key);
    size_t mark = buf_mark(&m->pattern);
    if (key)
        jsonptr_add(&m->pattern, *key);
    else
        buf_add_str(&m->pattern, "/*");
    if (!admitted) return refuse(m, "a row where the shape above it has nothing of this name");
    if (m->node_n++ == LIMIT_PLAN_NODES) return err_limit(m->e, "plan nodes", LIMIT_PLAN_NODES, ERR_NOWHERE);
    struct plan_node *node = arena_get(&m->p->arena, sizeof *node);
    if (!node) return err_nomem(m->e, "a plan");
    *node = (struct plan_node){.key = key ? *key : slice_of("", 0), .attrs = attrs, .owner = up->owner};
    apply_rows(m, node, &means);
    if ((node->attrs & ~up->attrs & PLAN_VOLATILE) && !check_volatile(m, of, key)) return false;
    if (!make_below(m, node, &means, depth + 1)) return false;
    buf_rewind(&m->pattern, mark);
    *out = node;
    return true;
}

static int compare_keys(const void *a, const void *b) {
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

/* All keys that rungs or marked fields name, each once, in order. */
static struct slice *find_keys(struct maker *m, const struct meaning *means, size_t *n) {
    size_t most = count_below(means), k = 0;
    for (size_t i = 0; i < means->rung_n; i++)
        for (const struct rung *s = means->rungs[i]->kids; s; s = s->next) most++;
    struct slice *keys = arena_get(&m->work, most * sizeof *keys);
    if (!keys) return NULL;
    for (size_t i = 0; i < means->rung_n; i++)
        for (const struct rung *s = means->rungs[i]->kids; s; s = s->next) keys[k++] = s->key;
    for (size_t i = 0; i < means->shape_n; i++)
        for (unsigned r = 0; r < count_records(means->shapes[i]); r++) {
            const struct shape *record = get_record(means->shapes[i], r);
            for (unsigned f = 0; f < record->field_n; f++)
                if (is_marked_field(m->p, &record->fields[f])) keys[k++] = slice_str(record->fields[f].name);
        }
    qsort(keys, k, sizeof *keys, compare_keys);
    *n = 0;
    for (size_t i = 0; i < k; i++)
        if (!*n || !slice_eq(keys[*n - 1], keys[i])) keys[(*n)++] = keys[i];
    return keys;
}

static bool make_below(struct maker *m, struct plan_node *node, const struct meaning *means, unsigned depth) {
    if (depth > LIMIT_VAL_DEPTH) return err_limit(m->e, "depth", LIMIT_VAL_DEPTH, ERR_NOWHERE);
    size_t n = 0;
    struct slice *keys = find_keys(m, means, &n);
    node->kids = keys ? arena_get(&m->p->arena, (n + 1) * sizeof *node->kids) : NULL;
    if (!node->kids) return err_nomem(m->e, "a plan");
    for (; node->kid_n < n; node->kid_n++)
        if (!make_kid(m, node, means, &keys[node->kid_n], depth, &node->kids[node->kid_n])) return false;
    if (!make_kid(m, node, means, NULL, depth, &node->any)) return false;
    for (unsigned i = 0; i <= node->kid_n; i++) {
        const struct plan_node *kid = i < node->kid_n ? node->kids[i] : node->any;
        if (!kid) continue;
        node->below |= (kid->attrs | kid->below) & ~node->attrs;
        node->owners_below |= kid->owner | kid->owners_below;
    }
    return check_arrays(m, node, means) && check_fallbacks(m, node, means);
}

static bool make_root(struct maker *m, struct rung *first) {
    struct plan *p = m->p;
    for (unsigned i = 0; i < p->config.branch_n; i++)
        if (!add_row(m, first, &p->config.branches[i])) return false;
    p->root = arena_get(&p->arena, sizeof *p->root);
    if (!p->root) return err_nomem(m->e, "a plan");
    const struct rung *rungs[1] = {first};
    const struct shape *shapes[1] = {NULL};
    struct meaning means = {rungs, shapes, 1, 0};
    *p->root = (struct plan_node){.key = slice_of("", 0)};
    apply_rows(m, p->root, &means);
    return make_below(m, p->root, &means, 0);
}

bool plan_make_nodes(struct plan *p, struct err *e) {
    struct maker m = {.p = p, .e = e};
    arena_init(&m.work, LIMIT_PLAN_WORK);
    buf_init(&m.pattern, SIZE_MAX / 2);
    struct rung *first = new_rung(&m);
    bool good = first ? make_root(&m, first) : err_nomem(e, "a plan");
    arena_release(&m.work);
    buf_release(&m.pattern);
    return good;
}
