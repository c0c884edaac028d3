/* progress.c - see progress.h. */
#include "flow/progress.h"

#include "base/mem.h"

#define FIRST_CAP 4

enum part_state { PART_NULL, PART_BEGUN, PART_COUNTED, PART_ENDED };

struct progress_part {
    struct val name;
    enum part_state state;
    enum progress_units units;
    bool bounded; /* there is a total */
    uint64_t done, total;
    uint64_t weight, given; /* given: of the weight, to what all have done */
};

void progress_init(struct progress *p) {
    *p = (struct progress){0};
}

void progress_release(struct progress *p) {
    for (uint32_t i = 0; i < p->n; i++) val_unref(&p->parts[i].name);
    mem_put(p->parts, p->cap * sizeof *p->parts);
    progress_init(p);
}

static void stir(struct progress *p) {
    if (p->stir) p->stir(p);
}

static struct progress_part *part_at(const struct progress *p, uint32_t i) {
    return i < p->n ? &p->parts[i] : NULL;
}

uint32_t progress_phase(struct progress *p, const char *name, uint64_t weight) {
    if (p->n == LIMIT_PROGRESS_PHASES) return PROGRESS_NONE;
    if (p->n == p->cap) {
        uint32_t cap = p->cap ? p->cap * 2 : FIRST_CAP;
        struct progress_part *grown = mem_grow(p->parts, p->cap * sizeof *grown, cap * sizeof *grown);
        if (!grown) return PROGRESS_NONE;
        p->parts = grown;
        p->cap = cap;
    }
    struct progress_part part = {.name = val_of_str(name), .weight = weight};
    if (val_is_none(&part.name)) return PROGRESS_NONE;
    if (part.weight > LIMIT_PROGRESS_WEIGHT) part.weight = LIMIT_PROGRESS_WEIGHT;
    p->parts[p->n++] = part;
    p->weighs |= weight != 0;
    p->total += part.weight;
    stir(p);
    return p->n - 1;
}

/* floor(w * done / total) for done <= total, where the product may need more than 64 bits: one bit of w after the other, with the
 * remainder kept below total. */
static uint64_t share(uint64_t w, uint64_t done, uint64_t total) {
    uint64_t whole = 0, rest = 0;
    if (!total) return 0;
    if (done == total) return w;
    for (int bit = 63; bit >= 0; bit--) {
        bool over = rest >= total - rest;
        whole = whole * 2 + over;
        rest = over ? rest - (total - rest) : rest * 2;
        if (!(w >> bit & 1)) continue;
        over = rest >= total - done;
        whole += over;
        rest = over ? rest - (total - done) : rest + done;
    }
    return whole;
}

/* Something about a part has changed. */
static void weigh(struct progress *p, struct progress_part *part) {
    uint64_t gives = part->state == PART_ENDED ? part->weight
                     : part->bounded           ? share(part->weight, part->done, part->total)
                                               : 0;
    if (gives > part->given) {
        p->done += gives - part->given;
        part->given = gives;
    }
    stir(p);
}

void progress_begin(struct progress *p, uint32_t phase) {
    struct progress_part *part = part_at(p, phase);
    if (!part || part->state != PART_NULL) return;
    part->state = PART_BEGUN;
    stir(p);
}

void progress_total(struct progress *p, uint32_t phase, uint64_t total, enum progress_units units) {
    struct progress_part *part = part_at(p, phase);
    if (!part || part->state == PART_ENDED) return;
    part->state = PART_COUNTED;
    part->bounded = true;
    part->total = total;
    part->units = units;
    if (part->done > total) part->done = total;
    weigh(p, part);
}

void progress_done(struct progress *p, uint32_t phase, uint64_t done) {
    struct progress_part *part = part_at(p, phase);
    if (!part || part->state == PART_ENDED) return;
    if (part->bounded && done > part->total) done = part->total;
    if (part->state == PART_COUNTED && part->done == done) return;
    part->state = PART_COUNTED;
    part->done = done;
    weigh(p, part);
}

void progress_add(struct progress *p, uint32_t phase, uint64_t more) {
    const struct progress_part *part = part_at(p, phase);
    if (part) progress_done(p, phase, more > UINT64_MAX - part->done ? UINT64_MAX : part->done + more);
}

void progress_phase_end(struct progress *p, uint32_t phase) {
    struct progress_part *part = part_at(p, phase);
    if (!part || part->state == PART_ENDED) return;
    part->state = PART_ENDED;
    weigh(p, part);
}

void progress_end(struct progress *p) {
    if (p->ended) return;
    p->ended = true;
    stir(p);
}

/* --- as a value --- */

static struct val count_value(uint64_t done, struct val total, enum progress_units units) {
    static const char *const names[] = {NULL, "bytes", "steps"};
    return VAL_MAP_OF({"done", val_of_u64(done)}, {"total", total},
                      {"units", names[units] ? val_of_str(names[units]) : val_null()});
}

static struct val part_value(const struct progress_part *part) {
    switch (part->state) {
    case PART_NULL: return val_null();
    case PART_BEGUN: return val_of_bool(false);
    case PART_COUNTED:
        return count_value(part->done, part->bounded ? val_of_u64(part->total) : val_null(), part->units);
    case PART_ENDED: return val_of_bool(true);
    }
    return val_none;
}

struct val progress_value(const struct progress *p) {
    struct val overall = p->ended    ? val_of_bool(true)
                         : p->weighs ? count_value(p->done, val_of_u64(p->total), PROGRESS_PLAIN)
                                     : val_null();
    struct val phases = val_empty_array();
    for (uint32_t i = 0; i < p->n; i++) {
        const struct progress_part *part = &p->parts[i];
        struct val one = VAL_MAP_OF({"name", val_ref(&part->name)}, {"progress", part_value(part)});
        if (!val_is_none(&one) && val_push(&phases, one)) continue;
        val_unref(&phases);
        val_unref(&overall);
        return val_none;
    }
    return VAL_MAP_OF({"overall", overall}, {"phases", phases});
}
