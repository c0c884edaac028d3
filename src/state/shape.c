/* shape.c - see shape.h. Recursion is bounded: no value nests deeper than VAL_DEPTH_MAX. */
#include "state/shape.h"

#include "protocols/json.h"
#include "state/plan.h"
#include "state/trail.h"

#include <math.h>
#include <stdio.h>

#define WANT_SHOWN 120  /* bytes of what a shape wants in a refusal */
#define WANT_BYTES 4096 /* of them before they are cut */

/* --- in words --- */

static void say_bound(struct buf *out, int64_t n, const char *unit) {
    buf_i64(out, n);
    if (unit) buf_printf(out, " %s%s", unit, n == 1 ? "" : "s");
}

/* Behind "an integer" (unit NULL: " from 1 to 9") or "text" (unit "byte": " of 1 to 64 bytes"). */
static void say_bounds(const struct shape *s, struct buf *out, const char *unit) {
    if (!s->min && !s->max) return;
    bool low = s->min != INT64_MIN && !(unit && s->min == 0), high = s->max != INT64_MAX;
    if (!low && !high) return;
    if (low && high && s->min == s->max) {
        buf_add_str(out, unit ? " of exactly " : " that is ");
        say_bound(out, s->min, unit);
    } else if (low && high) {
        buf_add_str(out, unit ? " of " : " from ");
        say_bound(out, s->min, NULL);
        buf_add_str(out, " to ");
        say_bound(out, s->max, unit);
    } else {
        buf_add_str(out, low ? " of at least " : " of at most ");
        say_bound(out, low ? s->min : s->max, unit);
    }
}

static void say_tags(const struct shape *s, struct buf *out) {
    buf_add_str(out, s->field_n == 1 ? "the word" : "one of");
    for (unsigned i = 0; i < s->field_n; i++) buf_printf(out, " %s", s->fields[i].name);
}

void shape_say(const struct shape *s, struct buf *out) {
    switch (s->kind) {
    case SHAPE_ANY: buf_add_str(out, "anything"); return;
    case SHAPE_BOOL: buf_add_str(out, "true or false"); break;
    case SHAPE_INT:
        buf_add_str(out, "an integer");
        say_bounds(s, out, NULL);
        break;
    case SHAPE_NUMBER:
        buf_add_str(out, "a number");
        say_bounds(s, out, NULL);
        break;
    case SHAPE_TEXT:
        buf_add_str(out, "text");
        say_bounds(s, out, "byte");
        break;
    case SHAPE_BYTES:
        buf_add_str(out, "a string of bytes");
        say_bounds(s, out, "byte");
        break;
    case SHAPE_WORD: buf_printf(out, strchr(s->words, ' ') ? "one of %s" : "the word %s", s->words); break;
    case SHAPE_LIST:
        buf_add_str(out, "an array");
        say_bounds(s, out, "element");
        break;
    case SHAPE_MAP:
        buf_add_str(out, "a map");
        say_bounds(s, out, "key");
        break;
    case SHAPE_RECORD: buf_add_str(out, "a map"); break;
    case SHAPE_TAGGED:
        buf_printf(out, "a map whose \"%s\" is ", s->tag);
        say_tags(s, out);
        break;
    }
    if (s->null) buf_add_str(out, " or null");
}

/* --- refusing --- */

struct checker {
    shape_other *other;
    struct slice base;
    struct err *e;
};

/* Walkers recurse and must not carry the room for sentences along. */
#define APART __attribute__((noinline))

APART static bool refuse_text(const struct checker *c, const struct trail *at, const char *want,
                              const struct val *found, unsigned attrs) {
    if (!c->e) return false;
    char place[TRAIL_PLACE], text[TRAIL_FOUND];
    return err_set(c->e, ERR_INVALID, "%s: want %s, found %s", trail_place(place, c->base, at), want,
                   trail_found(text, found, attrs & PLAN_SECRET));
}

/* What a shape wants, or (tags) its tag. */
APART static bool refuse(const struct checker *c, const struct trail *at, const struct shape *s, bool tags,
                         const struct val *found, unsigned attrs) {
    static const struct shape any = {.kind = SHAPE_ANY};
    struct buf b;
    buf_init(&b, WANT_BYTES);
    if (tags)
        say_tags(s, &b);
    else
        shape_say(s ? s : &any, &b);
    char want[WANT_SHOWN + sizeof "..."];
    snprintf(want, sizeof want, "%.*s%s", (int)(b.len < WANT_SHOWN ? b.len : WANT_SHOWN),
             b.len ? (const char *)b.ptr : "", b.len <= WANT_SHOWN && buf_ok(&b) ? "" : "...");
    buf_release(&b);
    return refuse_text(c, at, want, found, attrs);
}

/* --- the parts of a shape --- */

unsigned shape_attrs(unsigned attrs) {
    return attrs & PLAN_SECRET ? attrs | PLAN_PRIVATE : attrs;
}

const struct shape_field *shape_field(const struct shape *record, struct slice name) {
    for (unsigned i = 0; i < record->field_n; i++)
        if (slice_eq(slice_str(record->fields[i].name), name)) return &record->fields[i];
    return NULL;
}

const struct shape *shape_record(const struct shape *s, const struct val *map) {
    if (!s || map->kind != VAL_MAP) return NULL;
    if (s->kind == SHAPE_RECORD) return s;
    if (s->kind != SHAPE_TAGGED) return NULL;
    const struct val *tag = val_get(map, slice_str(s->tag));
    const struct shape_field *f = tag->kind == VAL_TEXT ? shape_field(s, val_as_text(tag)) : NULL;
    return f ? f->shape : NULL;
}

void shape_enter(struct shape_spot *spot, const struct val *map, struct slice key, shape_other *other) {
    const struct shape *s = spot->shape, *record = shape_record(s, map);
    spot->shape = NULL;
    if (record && key.ptr) {
        const struct shape_field *f = shape_field(record, key);
        if (f) {
            spot->shape = f->shape;
            spot->attrs |= shape_attrs(f->attrs);
        }
    } else if (s && s->kind == SHAPE_MAP)
        spot->shape = s->item;
    if (spot->where && other) other(spot, key);
}

void shape_enter_array(struct shape_spot *spot) {
    spot->shape = spot->shape && spot->shape->kind == SHAPE_LIST ? spot->shape->item : NULL;
    spot->where = NULL;
}

/* The key as walkers hand it on. */
static struct slice text_key(const struct val *key) {
    return key->kind == VAL_TEXT ? val_as_text(key) : slice_of(NULL, 0);
}

/* --- checking --- */

static bool is_bounded(const struct shape *s) {
    return s->min || s->max;
}

static bool is_within(const struct shape *s, const struct val *v) {
    int64_t n;
    if (!is_bounded(s)) return true;
    if (v->kind == VAL_FLOAT)
        return (s->min == INT64_MIN ? !isnan(v->real) : v->real >= (double)s->min) &&
               (s->max == INT64_MAX ? !isnan(v->real) : v->real <= (double)s->max);
    if (val_as_i64(v, &n)) return n >= s->min && n <= s->max;
    return v->form ? s->min == INT64_MIN : s->max == INT64_MAX; /* beyond int64_t */
}

static bool is_count(const struct shape *s, size_t n) {
    return !is_bounded(s) || ((uint64_t)n >= (uint64_t)s->min && (uint64_t)n <= (uint64_t)s->max);
}

static bool is_word(const char *words, struct slice word) {
    struct slice rest = slice_str(words);
    while (rest.len)
        if (slice_eq(slice_cut(&rest, ' '), word)) return word.len != 0;
    return false;
}

static bool is_kind(const struct shape *s, const struct val *v) {
    switch (s->kind) {
    case SHAPE_ANY: return true;
    case SHAPE_BOOL: return v->kind == VAL_BOOL;
    case SHAPE_INT: return v->kind == VAL_INT && is_within(s, v);
    case SHAPE_NUMBER: return (v->kind == VAL_INT || v->kind == VAL_FLOAT) && is_within(s, v);
    case SHAPE_TEXT: return v->kind == VAL_TEXT && is_count(s, val_as_text(v).len);
    case SHAPE_BYTES: return v->kind == VAL_BYTES && is_count(s, val_as_bytes(v).len);
    case SHAPE_WORD: return v->kind == VAL_TEXT && is_word(s->words, val_as_text(v));
    case SHAPE_LIST: return v->kind == VAL_ARRAY && is_count(s, val_count(v));
    case SHAPE_MAP: return v->kind == VAL_MAP && is_count(s, val_count(v));
    case SHAPE_RECORD:
    case SHAPE_TAGGED: return v->kind == VAL_MAP;
    }
    return false;
}

static bool check_missing(const struct checker *c, const struct shape_spot *spot, const struct shape *record,
                          const struct val *v, const struct trail *at) {
    for (unsigned i = 0; i < record->field_n; i++) {
        const struct shape_field *f = &record->fields[i];
        struct slice name = slice_str(f->name);
        if (f->optional || !val_is_none(val_get(v, name))) continue;
        struct shape_spot own = *spot;
        shape_enter(&own, v, name, c->other);
        /* Gone at a restart, and not there before someone puts it. */
        if ((f->attrs | (own.attrs & ~spot->attrs)) & PLAN_VOLATILE) continue;
        struct trail down = {at, name, 0};
        return refuse(c, &down, own.shape, false, &val_none, own.attrs);
    }
    return true;
}

static bool check_unknown(const struct checker *c, const struct shape_spot *spot, const struct shape *record,
                          const struct val *v, const struct trail *at) {
    if (record->open) return true;
    for (struct val_iter it = val_iter(v); val_next(&it);) {
        if (it.key->kind == VAL_TEXT && shape_field(record, val_as_text(it.key))) continue;
        if (spot->shape->kind == SHAPE_TAGGED && val_is_text(it.key, slice_str(spot->shape->tag))) continue;
        struct trail down = trail_entry(at, it.key);
        return refuse_text(c, &down, "nothing of this name here", it.value, spot->attrs);
    }
    return true;
}

static bool check_own(const struct checker *c, const struct shape_spot *spot, const struct val *v,
                      const struct trail *at) {
    const struct shape *s = spot->shape;
    bool plain = !(spot->attrs & PLAN_PRIVATE); /* else JSON never meets it */
    if (v->kind == VAL_NONE) return refuse(c, at, s, false, v, spot->attrs);
    if (s && !(v->kind == VAL_NULL && s->null) && !is_kind(s, v)) return refuse(c, at, s, false, v, spot->attrs);
    if (plain && (v->kind == VAL_BYTES || (v->kind == VAL_FLOAT && !isfinite(v->real))))
        return refuse_text(c, at, "what JSON has a form for, as the place is not private", v, spot->attrs);
    if (v->kind == VAL_ARRAY && spot->where)
        return refuse_text(c, at, "a map, as the plan knows what stands below", v, spot->attrs);
    if (!s || v->kind != VAL_MAP) return true;
    const struct shape *record = shape_record(s, v);
    if (s->kind == SHAPE_TAGGED && !record) {
        struct slice name = slice_str(s->tag);
        struct trail down = {at, name, 0};
        struct shape_spot own = *spot;
        shape_enter(&own, v, name, c->other);
        return refuse(c, &down, s, true, val_get(v, name), own.attrs);
    }
    return !record || (check_missing(c, spot, record, v, at) && check_unknown(c, spot, record, v, at));
}

APART static bool ask_rule(const struct checker *c, const struct shape *s, unsigned attrs, const struct val *v,
                           const struct trail *at) {
    if (!s->check) return true;
    struct err own = ERR_INIT;
    if (s->check(v, &own)) return true;
    if (attrs & PLAN_SECRET) return refuse_text(c, at, "what this place has a rule of its own for", v, attrs);
    if (own.code == ERR_NONE) err_set(&own, ERR_INVALID, "refused by a rule of this place");
    char place[TRAIL_PLACE];
    err_context(&own, "%s", trail_place(place, c->base, at));
    if (c->e) *c->e = own;
    return false;
}

static bool check_rule(const struct checker *c, const struct shape_spot *spot, const struct val *v,
                       const struct trail *at) {
    const struct shape *s = spot->shape;
    if (!s || (v->kind == VAL_NULL && s->null)) return true;
    const struct shape *record = s->kind == SHAPE_TAGGED ? shape_record(s, v) : NULL;
    return (!record || ask_rule(c, record, spot->attrs, v, at)) && ask_rule(c, s, spot->attrs, v, at);
}

static bool check_value(const struct checker *c, const struct shape_spot *spot, const struct val *v,
                        const struct trail *at);

static bool check_elements(const struct checker *c, const struct shape_spot *spot, const struct val *v,
                           const struct trail *at) {
    struct shape_spot own = *spot;
    shape_enter_array(&own);
    for (struct val_iter it = val_iter(v); val_next(&it);) {
        struct trail down = trail_element(at, it.index);
        if (!check_value(c, &own, it.value, &down)) return false;
    }
    return true;
}

static bool check_entries(const struct checker *c, const struct shape_spot *spot, const struct val *v,
                          const struct trail *at) {
    bool texts = !(spot->attrs & PLAN_PRIVATE) || (spot->shape && spot->shape->kind == SHAPE_MAP);
    for (struct val_iter it = val_iter(v); val_next(&it);) {
        if (texts && it.key->kind != VAL_TEXT) return refuse_text(c, at, "keys that are text", it.key, spot->attrs);
        struct shape_spot own = *spot;
        shape_enter(&own, v, text_key(it.key), c->other);
        struct trail down = trail_entry(at, it.key);
        if (!check_value(c, &own, it.value, &down)) return false;
    }
    return true;
}

static bool check_value(const struct checker *c, const struct shape_spot *spot, const struct val *v,
                        const struct trail *at) {
    if (!check_own(c, spot, v, at)) return false;
    bool bare = (!spot->shape || spot->shape->kind == SHAPE_ANY) && !spot->where && (spot->attrs & PLAN_PRIVATE);
    if (!bare && v->kind == VAL_ARRAY && !check_elements(c, spot, v, at)) return false;
    if (!bare && v->kind == VAL_MAP && !check_entries(c, spot, v, at)) return false;
    return check_rule(c, spot, v, at);
}

bool shape_check_with(const struct shape_spot *spot, const struct val *v, struct slice path, shape_other *other,
                      struct err *e) {
    struct checker c = {other, path, e};
    return check_value(&c, spot, v, NULL);
}

bool shape_check_own(const struct shape_spot *spot, const struct val *v, struct slice path, shape_other *other,
                     struct err *e) {
    struct checker c = {other, path, e};
    return check_own(&c, spot, v, NULL);
}

bool shape_check_rule(const struct shape_spot *spot, const struct val *v, struct slice path, struct err *e) {
    struct checker c = {NULL, path, e};
    return check_rule(&c, spot, v, NULL);
}

bool shape_check(const struct shape *shape, const struct val *v, struct slice path, struct err *e) {
    /* Nobody has said that JSON will meet it. */
    struct shape_spot spot = {.shape = shape, .attrs = PLAN_PRIVATE};
    return shape_check_with(&spot, v, path, NULL, e);
}

/* --- filling --- */

struct filler {
    unsigned after, upto;
    shape_other *other;
    struct err *e;
};

static bool fill_missing(const struct filler *f, const struct shape *record, struct val *out) {
    static const struct json_limits limits = {.bytes = LIMIT_JSON_BYTES, .depth = LIMIT_VAL_DEPTH};
    for (unsigned i = 0; i < record->field_n; i++) {
        const struct shape_field *field = &record->fields[i];
        if (field->since <= f->after || field->since > f->upto || !field->fallback) continue;
        if (!val_is_none(val_get(out, slice_str(field->name)))) continue;
        struct val v = val_none;
        if (!json_parse(slice_str(field->fallback), &limits, &v, f->e)) {
            err_context(f->e, "the fallback of the field \"%s\"", field->name);
            return false;
        }
        if (!val_set_str(out, field->name, v)) return err_nomem(f->e, "the fallback of a field");
    }
    return true;
}

static struct val fill_value(const struct filler *f, const struct shape_spot *spot, const struct val *v);

static bool fill_entries(const struct filler *f, const struct shape_spot *spot, const struct val *v, struct val *out) {
    for (struct val_iter it = val_iter(v); val_next(&it);) {
        struct shape_spot own = *spot;
        if (v->kind == VAL_MAP)
            shape_enter(&own, v, text_key(it.key), f->other);
        else
            shape_enter_array(&own);
        struct val filled = fill_value(f, &own, it.value);
        if (val_is_none(&filled)) return false;
        if (val_same(&filled, it.value))
            val_unref(&filled);
        else if (!(v->kind == VAL_MAP ? val_set(out, val_ref(it.key), filled) : val_set_at(out, it.index, filled)))
            return err_nomem(f->e, "the fallback of a field");
    }
    return true;
}

/* The same value with a further owner, or a changed copy. */
static struct val fill_value(const struct filler *f, const struct shape_spot *spot, const struct val *v) {
    struct val out = val_ref(v);
    if (v->kind < VAL_ARRAY || ((!spot->shape || spot->shape->kind == SHAPE_ANY) && !spot->where)) return out;
    const struct shape *record = shape_record(spot->shape, v);
    /* The entries first: what is put in is of today already. */
    if (!fill_entries(f, spot, v, &out) || (record && !fill_missing(f, record, &out))) val_unref(&out);
    return out;
}

bool shape_fill_with(const struct shape_spot *spot, struct val *v, unsigned after, unsigned upto, shape_other *other,
                     struct err *e) {
    struct filler f = {after, upto, other, e};
    struct val filled = fill_value(&f, spot, v);
    if (val_is_none(&filled)) return false;
    val_unref(v);
    *v = filled;
    return true;
}

bool shape_fill(const struct shape *shape, struct val *v, unsigned version, struct err *e) {
    struct shape_spot spot = {.shape = shape};
    return shape_fill_with(&spot, v, version, UINT32_MAX, NULL, e);
}
