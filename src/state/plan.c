/* plan.c - a plan made of its config, and walking its nodes; see plan.h. */
#include "base/limits.h"
#include "base/mem.h"
#include "protocols/json.h"
#include "protocols/jsonptr.h"
#include "state/plan_room.h"

/* --- walking --- */

/* Orders a part of a pointer against a key, bytewise. */
static int compare_part(struct slice part, bool escaped, struct slice key) {
    size_t k = 0;
    for (size_t i = 0; i < part.len; i++, k++) {
        uint8_t c = part.ptr[i];
        if (escaped && c == '~' && i + 1 < part.len) c = part.ptr[++i] == '1' ? '/' : '~';
        if (k == key.len) return 1;
        if (c != key.ptr[k]) return c < key.ptr[k] ? -1 : 1;
    }
    return k < key.len ? -1 : 0;
}

static const struct plan_node *find_kid(const struct plan_node *node, struct slice part, bool escaped) {
    unsigned low = 0, high = node->kid_n;
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        int order = compare_part(part, escaped, node->kids[middle]->key);
        if (order == 0) return node->kids[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return node->any;
}

const struct plan_node *plan_step(const struct plan_node *node, struct slice key) {
    return key.ptr ? find_kid(node, key, false) : node->any;
}

const struct plan_node *plan_step_part(const struct plan_node *node, struct slice part) {
    return find_kid(node, part, true);
}

const struct plan_node *plan_step_val(const struct plan_node *node, const struct val *key) {
    return key->kind == VAL_TEXT ? find_kid(node, val_as_text(key), false) : node->any;
}

const struct plan_node *plan_walk(const struct plan *p, struct slice pointer, bool *off) {
    const struct plan_node *node = p->root;
    *off = false;
    for (struct slice part; jsonptr_next(&pointer, &part);) {
        const struct plan_node *next = plan_step_part(node, part);
        if (!next) {
            *off = true;
            break;
        }
        node = next;
    }
    return node;
}

struct shape_spot plan_spot(const struct plan *p) {
    return (struct shape_spot){p->root->shape, plan_leads_on(p->root) ? p->root : NULL, p->root->attrs};
}

void plan_enter(struct shape_spot *spot, struct slice key) {
    const struct plan_node *node = plan_step(spot->where, key);
    spot->where = node && plan_leads_on(node) ? node : NULL;
    if (!node) return;
    spot->attrs |= node->attrs;
    if (node->shape) spot->shape = node->shape;
}

/* --- asking --- */

uint64_t plan_owner(const struct plan *p, const char *owner) {
    for (unsigned i = 0; i < p->owner_n; i++)
        if (strcmp(p->owners[i], owner) == 0) return UINT64_C(1) << i;
    return 0;
}

unsigned plan_attrs(const struct plan *p, struct slice pointer) {
    bool off;
    return plan_walk(p, pointer, &off)->attrs;
}

bool plan_below(const struct plan *p, struct slice pointer, unsigned attrs) {
    bool off;
    const struct plan_node *node = plan_walk(p, pointer, &off);
    return !off && (node->below & attrs);
}

const struct plan_config *plan_config_of(const struct plan *p) {
    return &p->config;
}

/* --- making --- */

bool plan_attrs_ok(unsigned attrs, const char *place, struct err *e) {
    if (attrs & ~PLAN_ATTRS) return err_set(e, ERR_INVALID, "%s: an attribute that nobody knows (%#x)", place, attrs);
    if ((attrs & PLAN_NULL) && !(attrs & (PLAN_PRIVATE | PLAN_SECRET)))
        return err_set(e, ERR_INVALID, "%s: null is for readers of what is private, and it is not private", place);
    return true;
}

static bool check_config(const struct plan_config *c, struct err *e) {
    if (!c->name || !*c->name) return err_set(e, ERR_INVALID, "a plan wants a name");
    if (!c->version) return err_set(e, ERR_INVALID, "versions of a state count from 1, found 0");
    if (c->oldest > c->version)
        return err_set(e, ERR_INVALID, "the oldest version (%u) is newer than the plan's own (%u)", c->oldest,
                       c->version);
    for (unsigned i = 0; i < c->migration_n; i++) {
        const struct plan_migration *m = &c->migrations[i];
        if (!m->run || !m->about)
            return err_set(e, ERR_INVALID, "the migration from version %u says nothing or does nothing", m->from);
        if (i && m->from <= m[-1].from)
            return err_set(e, ERR_INVALID, "migrations out of order: from version %u behind the one from %u", m->from,
                           m[-1].from);
        if (m->from < (c->oldest ? c->oldest : 1) || m->from >= c->version)
            return err_set(e, ERR_INVALID, "a migration from version %u, which is never reached (%u to %u)", m->from,
                           c->oldest ? c->oldest : 1, c->version - 1);
    }
    return true;
}

static bool check_birth(const struct plan *p, struct err *e) {
    static const struct json_limits limits = {.bytes = LIMIT_JSON_BYTES, .depth = LIMIT_VAL_DEPTH};
    struct val birth = val_none;
    if (!p->config.birth) return err_set(e, ERR_INVALID, "a plan wants a birth: the first value of a new tree");
    bool good = json_parse(slice_str(p->config.birth), &limits, &birth, e) && plan_check(p, &birth, e);
    if (!good) err_context(e, "the birth");
    val_unref(&birth);
    return good;
}

struct plan *plan_new(const struct plan_config *config, struct err *e) {
    if (!check_config(config, e)) return NULL;
    struct plan *p = mem_get_zero(sizeof *p);
    if (!p) {
        err_nomem(e, "a plan");
        return NULL;
    }
    p->config = *config;
    arena_init(&p->arena, LIMIT_PLAN_BYTES);
    if (plan_learn_shapes(p, e) && plan_make_nodes(p, e) && check_birth(p, e)) return p;
    plan_free(p);
    return NULL;
}

void plan_free(struct plan *p) {
    if (!p) return;
    arena_release(&p->arena);
    mem_put(p->shapes, p->shape_cap * sizeof *p->shapes);
    mem_put(p, sizeof *p);
}
