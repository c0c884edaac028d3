/* cbor_write.c - val to bytes, in slices, and the deterministic form; see cbor.h. Heads are libcbor's. */
#include "base/mem.h"
#include "base/num.h"
#include "protocols/cbor.h"

#include <cbor.h>
#include <math.h>
#include <stdlib.h>

#define HEAD_MAX     9
#define FIRST_FRAMES 16
#define MAP_OPEN     0xbf /* a map of indefinite length, and the end of one */
#define BREAK        0xff
#define SKIP_COST    8 /* bytes of the budget that an entry costs which is left out */

const char cbor_leave_out[1] = "", cbor_write_null[1] = "";

struct cbor_writer {
    const struct val *value;
    bool started;
    struct val_iter *frames;
    unsigned depth, cap;
    cbor_part_step *step; /* NULL: everything is written */
    const void *arg, *root;
    const void **wheres; /* with a step: of each frame; NULL: nothing is left out below */
};

static size_t encode_double(uint8_t *p, double d) {
    uint16_t half;
    uint32_t single;
    if (isnan(d)) { /* the one quiet NaN, in the form of every deterministic encoder */
        memcpy(p, "\xf9\x7e\x00", 3);
        return 3;
    }
    if (num_to_half(d, &half)) { /* libcbor 0.8 loses bits of subnormal halves */
        p[0] = 0xf9;
        p[1] = (uint8_t)(half >> 8);
        p[2] = (uint8_t)half;
        return 3;
    }
    if (num_to_single(d, &single)) return cbor_encode_single((float)d, p, HEAD_MAX);
    return cbor_encode_double(d, p, HEAD_MAX);
}

/* A scalar whole; of a container the head. */
static bool write_head(struct buf *out, const struct val *v) {
    uint8_t p[HEAD_MAX];
    size_t n = 0;
    struct slice s = {NULL, 0};
    switch (val_kind(v)) {
    case VAL_NULL: n = cbor_encode_null(p, HEAD_MAX); break;
    case VAL_BOOL: n = cbor_encode_bool(val_is_true(v), p, HEAD_MAX); break;
    case VAL_INT: n = v->form ? cbor_encode_negint(v->num, p, HEAD_MAX) : cbor_encode_uint(v->num, p, HEAD_MAX); break;
    case VAL_FLOAT: n = encode_double(p, v->real); break;
    case VAL_TEXT:
        s = val_as_text(v);
        n = cbor_encode_string_start(s.len, p, HEAD_MAX);
        break;
    case VAL_BYTES:
        s = val_as_bytes(v);
        n = cbor_encode_bytestring_start(s.len, p, HEAD_MAX);
        break;
    case VAL_ARRAY: n = cbor_encode_array_start(val_count(v), p, HEAD_MAX); break;
    case VAL_MAP: n = cbor_encode_map_start(val_count(v), p, HEAD_MAX); break;
    case VAL_NONE: return false;
    }
    uint8_t *to = buf_room(out, n + s.len);
    if (!to) return false;
    memcpy(to, p, n);
    if (s.len) memcpy(to + n, s.ptr, s.len);
    buf_wrote(out, n + s.len);
    return true;
}

static bool say_why(const struct buf *out, struct err *e) {
    if (out->fault == BUF_NOMEM) return err_nomem(e, "writing a value");
    if (out->fault == BUF_OVER) return err_limit(e, "max", out->max, out->len);
    return err_set(e, ERR_SERIALIZE, "there is no value to write");
}

static bool grow_frames(struct cbor_writer *w) {
    unsigned cap = w->cap ? w->cap * 2 : FIRST_FRAMES;
    const void **wheres = w->step ? mem_get(cap * sizeof *wheres) : NULL;
    if (w->step && !wheres) return false;
    struct val_iter *f = mem_grow(w->frames, w->cap * sizeof *f, cap * sizeof *f);
    if (!f) {
        if (wheres) mem_put(wheres, cap * sizeof *wheres);
        return false;
    }
    if (w->wheres && wheres) {
        memcpy(wheres, w->wheres, w->cap * sizeof *wheres);
        mem_put(w->wheres, w->cap * sizeof *wheres);
    }
    w->frames = f;
    w->wheres = wheres;
    w->cap = cap;
    return true;
}

/* `where` is NULL when nothing in it is left out. */
static bool begin(struct cbor_writer *w, struct buf *out, const struct val *v, const void *where, struct err *e) {
    bool part = where && v->kind == VAL_MAP && val_count(v);
    if (!(part ? buf_byte(out, MAP_OPEN) : write_head(out, v))) return say_why(out, e);
    if (v->kind < VAL_ARRAY || val_count(v) == 0) return true;
    if (w->depth == w->cap && !grow_frames(w)) return err_nomem(e, "writing a value");
    if (w->step) w->wheres[w->depth] = part ? where : NULL;
    w->frames[w->depth++] = val_iter(v);
    return true;
}

static enum step run(struct cbor_writer *w, struct buf *out, size_t budget, struct err *e) {
    static const struct val null = VAL_NULL_INIT;
    size_t start = out->len, skipped = 0;
    if (!w->started) {
        w->started = true;
        if (!begin(w, out, w->value, w->root, e)) return STEP_BAD;
    }
    while (w->depth && out->len - start + skipped < budget) {
        struct val_iter *it = &w->frames[w->depth - 1];
        const void *where = w->step ? w->wheres[w->depth - 1] : NULL;
        if (!val_next(it)) {
            if (where && !buf_byte(out, BREAK)) return say_why(out, e), STEP_BAD;
            w->depth--;
            continue;
        }
        const void *below = where ? w->step(w->arg, where, it->key) : NULL;
        if (below == cbor_leave_out) {
            skipped += SKIP_COST;
            continue;
        }
        if (!val_is_none(it->key) && !write_head(out, it->key)) return say_why(out, e), STEP_BAD;
        bool nulled = below == cbor_write_null;
        if (!begin(w, out, nulled ? &null : it->value, nulled ? NULL : below, e)) return STEP_BAD;
    }
    return w->depth ? STEP_MORE : STEP_END;
}

static void release(struct cbor_writer *w) {
    mem_put(w->frames, w->cap * sizeof *w->frames);
    if (w->wheres) mem_put(w->wheres, w->cap * sizeof *w->wheres);
}

bool cbor_write(struct buf *out, const struct val *v, struct err *e) {
    struct cbor_writer w = {.value = v};
    size_t mark = buf_mark(out);
    bool good = run(&w, out, SIZE_MAX, e) == STEP_END;
    if (!good) buf_rewind(out, mark);
    release(&w);
    return good;
}

struct cbor_writer *cbor_write_open(const struct val *v) {
    struct cbor_writer *w = mem_get_zero(sizeof *w);
    if (w) w->value = v;
    return w;
}

struct cbor_writer *cbor_write_open_part(const struct val *v, cbor_part_step *step, const void *arg,
                                         const void *where) {
    struct cbor_writer *w = cbor_write_open(v);
    if (!w || !where) return w;
    w->step = step;
    w->arg = arg;
    w->root = where;
    return w;
}

enum step cbor_write_run(struct cbor_writer *w, struct buf *out, size_t budget, struct err *e) {
    return run(w, out, budget, e);
}

void cbor_write_free(struct cbor_writer *w) {
    if (!w) return;
    release(w);
    mem_put(w, sizeof *w);
}

/* --- deterministic --- */

struct entry {
    struct slice key; /* as encoded */
    const struct val *value;
};

static int compare_entries(const void *a, const void *b) {
    return slice_cmp(((const struct entry *)a)->key, ((const struct entry *)b)->key);
}

static bool write_sorted(struct buf *out, const struct val *v, struct err *e);

static bool write_map_sorted(struct buf *out, const struct val *v, struct err *e) {
    size_t n = val_count(v), i = 0, size = n * sizeof(struct entry);
    struct entry *entries = mem_get(size);
    if (!entries) return err_nomem(e, "sorting a map");
    struct buf keys; /* all keys encoded, one behind the other */
    buf_init(&keys, SIZE_MAX / 2);
    for (struct val_iter it = val_iter(v); val_next(&it); i++) {
        size_t mark = buf_mark(&keys);
        write_head(&keys, it.key);
        entries[i] = (struct entry){slice_of(NULL, keys.len - mark), it.value};
    }
    bool good = buf_ok(&keys) || say_why(&keys, e);
    size_t at = 0;
    for (i = 0; good && i < n; i++) { /* the buffer stands still now */
        entries[i].key.ptr = keys.ptr + at;
        at += entries[i].key.len;
    }
    if (good) qsort(entries, n, sizeof *entries, compare_entries);
    for (i = 0; good && i < n; i++)
        good = (buf_add(out, entries[i].key) || say_why(out, e)) && write_sorted(out, entries[i].value, e);
    buf_release(&keys);
    mem_put(entries, size);
    return good;
}

/* Recursion is bounded: no value nests deeper than VAL_DEPTH_MAX. */
static bool write_sorted(struct buf *out, const struct val *v, struct err *e) {
    if (!write_head(out, v)) return say_why(out, e);
    if (v->kind < VAL_ARRAY || val_count(v) == 0) return true;
    if (v->kind == VAL_MAP) return write_map_sorted(out, v, e);
    for (struct val_iter it = val_iter(v); val_next(&it);)
        if (!write_sorted(out, it.value, e)) return false;
    return true;
}

bool cbor_write_sorted(struct buf *out, const struct val *v, struct err *e) {
    size_t mark = buf_mark(out);
    bool good = write_sorted(out, v, e);
    if (!good) buf_rewind(out, mark);
    return good;
}
