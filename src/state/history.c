/* history.c - see history.h. */
#include "state/history.h"

#include "base/mem.h"
#include "base/must.h"

#define FIRST_CAP 16
/* What an entry costs beside its patch. */
#define ENTRY_BYTES 96

/* Recursion is bounded: no value nests deeper than VAL_DEPTH_MAX. */
static size_t weigh(const struct val *v, size_t most) {
    size_t bytes = sizeof *v;
    if (v->form == VAL_FORM_HEAP) return bytes + (v->kind == VAL_TEXT ? val_as_text(v).len : val_as_bytes(v).len);
    if (v->kind < VAL_ARRAY) return bytes;
    for (struct val_iter it = val_iter(v); bytes < most && val_next(&it);) {
        if (!val_is_none(it.key)) bytes += weigh(it.key, most);
        bytes += weigh(it.value, bytes < most ? most - bytes : 0);
    }
    return bytes;
}

size_t history_weigh(const struct val *patch, size_t most) {
    size_t bytes = ENTRY_BYTES + weigh(patch, most);
    return bytes < most ? bytes : most;
}

static bool make_room(struct history *h) {
    if (h->first + h->n < h->cap) return true;
    if (h->first > h->cap / 2) { /* so that moving is paid for by what has left */
        memmove(h->all, h->all + h->first, h->n * sizeof *h->all);
        h->first = 0;
        return true;
    }
    size_t cap = h->cap ? h->cap * 2 : FIRST_CAP;
    struct settled *grown = mem_grow(h->all, h->cap * sizeof *grown, cap * sizeof *grown);
    if (!grown) return false;
    h->all = grown;
    h->cap = cap;
    return true;
}

bool history_add(struct history *h, uint64_t id, struct val patch, size_t bytes) {
    if (!make_room(h)) {
        val_unref(&patch);
        return false;
    }
    h->all[h->first + h->n++] = (struct settled){.id = id, .patch = patch, .outside = val_none, .bytes = bytes};
    h->bytes += bytes;
    return true;
}

static void drop_first(struct history *h, struct val_trash *trash) {
    struct settled *s = &h->all[h->first];
    h->base = s->id;
    h->bytes -= s->bytes;
    val_trash_add(trash, &s->patch);
    val_trash_add(trash, &s->outside);
    h->first++;
    if (--h->n == 0) h->first = 0;
}

void history_trim(struct history *h, size_t most, size_t most_bytes, struct val_trash *trash) {
    while (h->n && (h->n > most || h->bytes > most_bytes)) drop_first(h, trash);
}

void history_clear(struct history *h, uint64_t base, struct val_trash *trash) {
    while (h->n) drop_first(h, trash);
    h->base = base;
}

void history_release(struct history *h, struct val_trash *trash) {
    history_clear(h, h->base, trash);
    mem_put(h->all, h->cap * sizeof *h->all);
    h->all = NULL;
    h->cap = 0;
}

/* Where the first revision behind `have` stands. */
static size_t find_behind(const struct history *h, uint64_t have) {
    size_t from = 0, to = h->n;
    while (from < to) {
        size_t mid = (from + to) / 2;
        if (h->all[h->first + mid].id > have)
            to = mid;
        else
            from = mid + 1;
    }
    return from;
}

struct settled *history_range(const struct history *h, uint64_t have, uint64_t to, size_t *n) {
    must(have >= h->base);
    size_t from = find_behind(h, have), end = find_behind(h, to);
    *n = end > from ? end - from : 0;
    return *n ? h->all + h->first + from : NULL;
}

static struct val strip_patch(const struct val *patch, const struct plan *plan, struct err *e) {
    struct val out = val_empty_array();
    bool same = true;
    for (struct val_iter it = val_iter(patch); val_next(&it);) {
        bool gone = false;
        struct val op = plan_strip_op(plan, it.value, PLAN_PRIVATE, &gone, e);
        if (gone) {
            val_unref(&op);
            same = false;
            continue;
        }
        same = same && val_same(&op, it.value);
        bool made = !val_is_none(&op);
        if (!made || !val_push(&out, op)) {
            val_unref(&out);
            if (made) err_nomem(e, "a patch for watchers");
            return val_none;
        }
    }
    if (!same) return out;
    val_unref(&out);
    return val_ref(patch);
}

const struct val *settled_patch(struct settled *s, bool inside, const struct plan *plan, struct err *e) {
    if (inside || !plan) return &s->patch;
    if (val_is_none(&s->outside)) s->outside = strip_patch(&s->patch, plan, e);
    return val_is_none(&s->outside) ? NULL : &s->outside;
}
