/* plan_shapes.c - all shapes of a plan's rows, held against themselves once; see plan_room.h.
 *
 * Twice along the fields: first every shape is looked at by itself; then, when it is known below which of them
 * attributes stand, arrays, circles and fallbacks. Both end, as no shape is entered a second time. */
#include "base/limits.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "protocols/json.h"
#include "state/plan_room.h"
#include "state/trail.h"

#include <stdio.h>

enum { SEEN_NOT, SEEN_OPEN, SEEN_DONE };

struct learner {
    struct plan *p;
    struct slice base; /* pattern of the row */
    struct err *e;
};

/* --- by address --- */

static struct plan_shape *find_shape(const struct plan *p, const struct shape *s) {
    size_t low = 0, high = p->shape_n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct shape *found = p->shapes[middle].shape;
        if (found == s) return &p->shapes[middle];
        if ((uintptr_t)s < (uintptr_t)found)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

bool plan_shape_marked(const struct plan *p, const struct shape *s) {
    const struct plan_shape *found = s ? find_shape(p, s) : NULL;
    return found && found->marked;
}

static bool add_shape(struct plan *p, const struct shape *s, struct err *e) {
    if (p->shape_n == LIMIT_PLAN_SHAPES) return err_limit(e, "plan shapes", LIMIT_PLAN_SHAPES, ERR_NOWHERE);
    if (p->shape_n == p->shape_cap) {
        size_t cap = p->shape_cap ? 2 * p->shape_cap : 64, size = sizeof *p->shapes;
        struct plan_shape *more = mem_grow(p->shapes, p->shape_cap * size, cap * size);
        if (!more) return err_nomem(e, "a plan");
        p->shapes = more;
        p->shape_cap = cap;
    }
    size_t at = p->shape_n++;
    for (; at && (uintptr_t)p->shapes[at - 1].shape > (uintptr_t)s; at--) p->shapes[at] = p->shapes[at - 1];
    p->shapes[at] = (struct plan_shape){.shape = s};
    return true;
}

/* --- each by itself --- */

static bool refuse(const struct learner *l, const struct trail *at, const char *why) {
    char place[TRAIL_PLACE];
    return err_set(l->e, ERR_INVALID, "%s: %s", trail_place(place, l->base, at), why);
}

static bool check_words(const struct learner *l, const struct trail *at, const char *words) {
    struct slice rest = slice_str(words ? words : "");
    if (!rest.len || rest.ptr[rest.len - 1] == ' ' || !utf8_ok(rest))
        return refuse(l, at, "want words with single spaces between them");
    while (rest.len)
        if (!slice_cut(&rest, ' ').len) return refuse(l, at, "want words with single spaces between them");
    return true;
}

static bool check_name(const struct learner *l, const struct trail *at, const struct shape *s, unsigned i) {
    const char *name = s->fields[i].name;
    if (!name || !utf8_ok(slice_str(name))) return refuse(l, at, "want each field to have a name in UTF-8");
    struct trail down = {at, slice_str(name), 0};
    if (strcmp(name, "*") == 0)
        return refuse(l, at, "a field cannot have the name \"*\", which patterns use for any key");
    for (unsigned k = 0; k < i; k++)
        if (strcmp(name, s->fields[k].name) == 0) return refuse(l, &down, "the same field twice");
    return true;
}

static bool check_field(const struct learner *l, const struct trail *at, const struct shape *s, unsigned i) {
    if (!check_name(l, at, s, i)) return false;
    const struct shape_field *f = &s->fields[i];
    struct trail down = {at, slice_str(f->name), 0};
    char place[TRAIL_PLACE];
    if (!plan_attrs_ok(f->attrs, trail_place(place, l->base, &down), l->e)) return false;
    if (f->since > l->p->config.version) return refuse(l, &down, "a field from a version that is yet to come");
    if (f->fallback && !f->since) return refuse(l, &down, "a fallback of a field that was always there is never used");
    if (f->since && !f->optional && !f->fallback && !(f->attrs & PLAN_VOLATILE))
        return refuse(l, &down, "a required field that came later wants a fallback");
    return true;
}

static bool check_alternative(const struct learner *l, const struct trail *at, const struct shape *s, unsigned i) {
    if (!check_name(l, at, s, i)) return false;
    const struct shape_field *f = &s->fields[i];
    struct trail down = {at, slice_str(f->name), 0};
    if (!f->shape || f->shape->kind != SHAPE_RECORD || f->shape->null)
        return refuse(l, &down, "want an alternative to be a record, and not null");
    if (f->attrs || f->fallback)
        return refuse(l, &down, "an alternative is no place: it has no attributes and no fallback");
    if (!f->shape->field_n) return true;
    if (!f->shape->fields) return refuse(l, &down, "fields are counted that are not there");
    for (unsigned k = 0; k < f->shape->field_n; k++)
        if (f->shape->fields[k].name && strcmp(f->shape->fields[k].name, s->tag) == 0)
            return refuse(l, &down, "an alternative does not declare the tag again");
    return true;
}

static bool check_shape(const struct learner *l, const struct trail *at, const struct shape *s) {
    bool sized = s->kind == SHAPE_TEXT || s->kind == SHAPE_BYTES || s->kind == SHAPE_LIST || s->kind == SHAPE_MAP;
    if ((unsigned)s->kind > SHAPE_TAGGED) return refuse(l, at, "a shape of a kind that nobody knows");
    if (s->min > s->max) return refuse(l, at, "the least is more than the most");
    if (sized && s->min < 0) return refuse(l, at, "a count below 0");
    if (s->kind == SHAPE_WORD && !check_words(l, at, s->words)) return false;
    if (s->kind == SHAPE_TAGGED && (!s->tag || !utf8_ok(slice_str(s->tag)) || !s->field_n))
        return refuse(l, at, "want a tag, and alternatives for it");
    if (s->kind != SHAPE_RECORD && s->kind != SHAPE_TAGGED) return true;
    if (s->field_n && !s->fields) return refuse(l, at, "fields are counted that are not there");
    for (unsigned i = 0; i < s->field_n; i++)
        if (!(s->kind == SHAPE_RECORD ? check_field : check_alternative)(l, at, s, i)) return false;
    return true;
}

/* What may stand inside a shape, one after the other. */
static unsigned count_inner(const struct shape *s) {
    if (s->kind == SHAPE_LIST || s->kind == SHAPE_MAP) return 1;
    return s->kind == SHAPE_RECORD || s->kind == SHAPE_TAGGED ? s->field_n : 0;
}
static const struct shape *get_inner(const struct shape *s, unsigned i) {
    return s->kind == SHAPE_LIST || s->kind == SHAPE_MAP ? s->item : s->fields[i].shape;
}
static struct trail get_trail(const struct trail *at, const struct shape *s, unsigned i) {
    if (s->kind == SHAPE_LIST) return trail_element(at, 0);
    return (struct trail){at, s->kind == SHAPE_MAP ? LIT("*") : slice_str(s->fields[i].name), 0};
}

static bool learn(const struct learner *l, const struct trail *at, const struct shape *s, unsigned depth) {
    if (!s || find_shape(l->p, s)) return true;
    if (depth == LIMIT_PLAN_CHAIN) return err_limit(l->e, "shapes inside each other", LIMIT_PLAN_CHAIN, ERR_NOWHERE);
    if (!check_shape(l, at, s) || !add_shape(l->p, s, l->e)) return false;
    for (unsigned i = 0; i < count_inner(s); i++) {
        struct trail down = get_trail(at, s, i);
        if (s->kind == SHAPE_TAGGED) down = (struct trail){at, LIT("*"), 0};
        if (!learn(l, s->kind == SHAPE_TAGGED ? at : &down, get_inner(s, i), depth + 1)) return false;
    }
    return true;
}

/* --- all together --- */

/* Until nothing is added any more: shapes may stand in circles. */
static void find_marks(struct plan *p) {
    for (bool more = true; more;) {
        more = false;
        for (size_t k = 0; k < p->shape_n; k++) {
            struct plan_shape *known = &p->shapes[k];
            const struct shape *s = known->shape;
            for (unsigned i = 0; !known->marked && i < count_inner(s); i++)
                if ((s->kind == SHAPE_RECORD && s->fields[i].attrs) || plan_shape_marked(p, get_inner(s, i)))
                    known->marked = more = true;
        }
    }
}

static bool check_fallback(const struct learner *l, const struct trail *at, const struct shape_field *f) {
    static const struct json_limits limits = {.bytes = LIMIT_JSON_BYTES, .depth = LIMIT_VAL_DEPTH};
    if (!f->fallback) return true;
    struct val v = val_none;
    char place[TRAIL_PLACE];
    trail_place(place, l->base, at);
    bool parsed = json_parse(slice_str(f->fallback), &limits, &v, l->e);
    if (!parsed) err_context(l->e, "%s", place);
    bool good = parsed && (!f->shape || shape_check(f->shape, &v, slice_str(place), l->e));
    if (!good) err_context(l->e, "a fallback");
    val_unref(&v);
    return good;
}

static bool inspect(const struct learner *l, const struct trail *at, const struct shape *s) {
    struct plan_shape *known = s ? find_shape(l->p, s) : NULL;
    if (!known || known->seen == SEEN_DONE) return true;
    if (known->seen == SEEN_OPEN)
        return !known->marked || refuse(l, at, "a shape that contains itself cannot have attributes inside");
    known->seen = SEEN_OPEN;
    if (s->kind == SHAPE_LIST && plan_shape_marked(l->p, s->item))
        return refuse(l, at, "an attribute below an array, where patterns do not reach");
    for (unsigned i = 0; i < count_inner(s); i++) {
        struct trail down = get_trail(at, s, i);
        if (s->kind == SHAPE_RECORD && !check_fallback(l, &down, &s->fields[i])) return false;
        if (!inspect(l, s->kind == SHAPE_TAGGED ? at : &down, get_inner(s, i))) return false;
    }
    known->seen = SEEN_DONE;
    return true;
}

bool plan_learn_shapes(struct plan *p, struct err *e) {
    const struct plan_config *c = &p->config;
    struct learner l = {p, {NULL, 0}, e};
    for (unsigned i = 0; i < c->branch_n; i++) {
        if (!c->branches[i].pattern) return err_set(e, ERR_INVALID, "row %u of the plan has no pattern", i);
        l.base = slice_str(c->branches[i].pattern);
        if (!learn(&l, NULL, c->branches[i].shape, 0)) return false;
    }
    find_marks(p);
    for (unsigned i = 0; i < c->branch_n; i++) {
        l.base = slice_str(c->branches[i].pattern);
        if (!inspect(&l, NULL, c->branches[i].shape)) return false;
    }
    return true;
}
