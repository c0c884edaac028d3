/* segment.c - see segment.h. */
#include "state/segment.h"

#define PIECE LIMIT_DISK_BYTES

static void answered(struct call *c, struct call_answer *a);

static bool ask(struct segment_maker *m, const char *verb, struct val args, struct err *e) {
    m->call = (struct call){.done = answered};
    return store_ask(m->disk, &m->call, verb, args, e);
}

static bool name_it(struct segment_maker *m, struct err *e) {
    char old[STATE_NAME], name[STATE_NAME];
    m->state = MAKER_NAMING;
    m->serial = m->disk->next_serial; /* until it has the name: serials are without gaps (recover.h, reliance 9) */
    segment_name(name, m->serial);
    if (m->disk->reuse) segment_name(old, m->disk->reuse);
    bool reuse = m->disk->reuse != 0;
    m->disk->reuse = 0; /* also when it fails: where it is then nobody knows */
    m->call = (struct call){.done = answered};
    return store_rename(m->disk, &m->call, reuse ? old : SEGMENT_FRESH, name, e);
}

static bool fill_on(struct segment_maker *m, struct err *e) {
    static const uint8_t zeros[PIECE];
    size_t n = m->size - m->filled < PIECE ? m->size - m->filled : PIECE;
    struct val args = store_args(m->disk, SEGMENT_FRESH);
    store_arg(&args, "at", val_of_u64(m->filled));
    store_arg(&args, "bytes", val_of_bytes(slice_of(zeros, n)));
    m->filled += n;
    store_arg(&args, "sync", val_of_bool(m->filled == m->size));
    return ask(m, "disk.write", args, e);
}

static bool clear(struct segment_maker *m, struct err *e) {
    m->state = MAKER_CLEARING;
    return ask(m, "disk.remove", store_args(m->disk, SEGMENT_FRESH), e);
}

/* What comes behind a step that went well. */
static bool step(struct segment_maker *m, struct err *e) {
    switch (m->state) {
    case MAKER_CLEARING:
        m->state = MAKER_FILLING;
        m->filled = 0;
        return fill_on(m, e);
    case MAKER_FILLING: return m->filled < m->size ? fill_on(m, e) : name_it(m, e);
    case MAKER_NAMING:
        m->state = MAKER_READY;
        m->disk->next_serial = m->serial + 1;
        return true;
    case MAKER_RESTING:
    case MAKER_READY: break;
    }
    return true;
}

static void answered(struct call *c, struct call_answer *a) {
    struct segment_maker *m = LOOP_OWNER(struct segment_maker, call, c);
    struct err e = a->err;
    bool good = e.code == ERR_NONE && step(m, &e);
    if (good && m->state != MAKER_READY) return;
    if (!good) m->state = MAKER_RESTING;
    m->done(m, good ? NULL : &e);
}

bool segment_make(struct segment_maker *m, struct err *e) {
    if (m->state != MAKER_RESTING) return true;
    if (m->disk->reuse ? name_it(m, e) : clear(m, e)) return true;
    m->state = MAKER_RESTING;
    return false;
}

void segment_adopt(struct segment_maker *m, uint64_t serial) {
    m->state = MAKER_READY;
    m->serial = serial;
    m->disk->next_serial = serial + 1;
}

uint64_t segment_take(struct segment_maker *m) {
    m->state = MAKER_RESTING;
    return m->serial;
}

void segment_stop(struct segment_maker *m) {
    call_cancel(&m->call);
    if (m->state != MAKER_READY) m->state = MAKER_RESTING;
}
