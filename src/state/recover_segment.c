/* recover_segment.c - heads of segments, and the way through one: record behind record, applied or only checked; and once one cannot be
 * read, from block to block, looking for what says that more was durable. Each byte is read at most once. */
#include "base/num.h"
#include "protocols/cbor.h"
#include "protocols/jsonpatch.h"
#include "state/recover_room.h"

#include <stdarg.h>
#include <stdio.h>

#define U(n) ((unsigned long long)(n))

static uint64_t next_block(uint64_t at) {
    return at - at % RECORD_BLOCK + RECORD_BLOCK;
}
static uint64_t round_up(uint64_t at) {
    return at % RECORD_BLOCK ? next_block(at) : at;
}

/* --- heads --- */

static bool is_zero(const uint8_t *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (p[i]) return false;
    return true;
}

static void ask_head(struct recover *r, const struct recover_segment *g) {
    char name[STATE_NAME];
    segment_name(name, g->serial);
    recover_ask(r, name, 0, RECORD_BLOCK);
}

static void note_durable(struct recover *r, uint64_t revision) {
    if (revision > r->result.durable) r->result.durable = revision;
}

void recover_head_feed(struct recover *r, struct slice block, bool refused) {
    struct recover_segment *g = &r->segments[r->index++];
    struct segment_head h;
    bool known = r->loaded != RECOVER_NOWHERE;
    if (refused)
        g->state = SEGMENT_REFUSED;
    else if (block.len < RECORD_BLOCK) {
        g->state = SEGMENT_SHORT;
        g->size = block.len;
    } else if (is_zero(block.ptr, RECORD_BLOCK))
        g->state = SEGMENT_ZERO;
    else if (!segment_head_read(block.ptr, &h))
        g->state = SEGMENT_BROKEN;
    else {
        g->head = h;
        /* A file that is used again has always had a smaller number. */
        if ((known && h.store != r->result.store) || h.serial > g->serial)
            g->state = SEGMENT_FOREIGN;
        else
            g->state = h.serial == g->serial ? SEGMENT_BEGUN : SEGMENT_OLD;
        if (g->state == SEGMENT_BEGUN) note_durable(r, h.base);
    }
}

bool recover_heads_on(struct recover *r, struct err *e) {
    for (; r->index < r->segment_n; r->index++) {
        struct recover_segment *g = &r->segments[r->index];
        if (g->serial < r->first_serial && !r->config.all) continue;
        if (g->size >= RECORD_BLOCK) {
            ask_head(r, g);
            return true;
        }
        g->state = SEGMENT_SHORT;
    }
    const struct recover_segment *next = NULL;
    for (size_t i = r->segment_n; i-- > 0;) {
        r->segments[i].next = next;
        if (r->segments[i].state == SEGMENT_BEGUN) next = &r->segments[i];
    }
    r->phase = PHASE_SEGMENTS;
    r->index = 0;
    return recover_segments_on(r, e);
}

/* --- bytes --- */

enum got { GOT, GOT_MORE, GOT_END, GOT_REFUSED };

/* Bytes of the segment at hand. GOT_MORE: they were asked for. */
static enum got get(struct recover *r, uint64_t at, uint64_t n, const uint8_t **p) {
    const struct recover_segment *g = r->walk.segment;
    if (n > g->size || at > g->size - n) return GOT_END;
    if (at < r->have_at || at > r->have_at + r->have.len) {
        buf_reset(&r->have);
        r->have_at = at;
    }
    if (at + n <= r->have_at + r->have.len) {
        *p = r->have.ptr + (size_t)(at - r->have_at);
        return GOT;
    }
    buf_drop(&r->have, (size_t)(at - r->have_at));
    r->have_at = at;
    uint64_t from = at + r->have.len;
    if (from >= r->refused_at && from < r->refused_end) return GOT_REFUSED;
    char name[STATE_NAME];
    segment_name(name, g->serial);
    recover_ask(r, name, from, g->size);
    if (from < r->careful_until && r->want.len > RECOVER_CAREFUL)
        r->want.len = RECOVER_CAREFUL - (uint32_t)(from % RECOVER_CAREFUL);
    return GOT_MORE;
}

bool recover_segment_feed(struct recover *r, struct slice bytes, const struct err *refused, struct err *e) {
    const struct recover_want *want = &r->want;
    if (refused && want->len > RECOVER_CAREFUL) {
        /* Perhaps only a part of it is bad: once more, in small pieces. */
        r->careful_until = want->at + want->len;
    } else if (refused) {
        r->refused_at = want->at;
        r->refused_end = want->at + want->len;
        r->refused_why = *refused;
    } else {
        if (bytes.len < want->len) r->walk.segment->size = want->at + bytes.len;
        if (!buf_add(&r->have, bytes)) return err_nomem(e, "reading the journal");
    }
    return recover_segments_on(r, e);
}

/* --- where the way ends --- */

static void stop(struct recover_walk *w, enum stop why, bool traced, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
static void stop(struct recover_walk *w, enum stop why, bool traced, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(w->why.text, sizeof w->why.text, fmt, ap);
    va_end(ap);
    w->stop = why;
    /* A head that lies across two blocks can be torn. */
    w->traced = traced && w->at % RECORD_BLOCK + RECORD_HEAD <= RECORD_BLOCK;
    w->stop_at = w->at;
    w->broken_off = w->in_batch;
}

/* What a good head says, once nothing is applied any more. */
static void note_head(struct recover_walk *w, const struct record *h) {
    uint64_t says = h->kind == RECORD_MARK && h->revision > h->horizon ? h->revision : h->horizon;
    if (says > w->promised) w->promised = says;
    if (h->kind == RECORD_PATCH && (!w->lowest || h->revision < w->lowest)) w->lowest = h->revision;
    if (h->kind == RECORD_PATCH && h->revision > w->highest) w->highest = h->revision;
    if (h->kind == RECORD_PATCH && h->revision > w->behind && w->at > w->stop_at) w->behind = h->revision;
}

/* Behind a record: the next one, or the next batch. */
static uint64_t behind(const struct recover_walk *w, const struct record *h) {
    uint64_t end = w->at + RECORD_HEAD + h->len;
    return h->last ? round_up(end) : end;
}

static bool read_head(const struct recover_walk *w, const uint8_t *p, struct record *h) {
    return record_read(p, h) && (w->any_mark || h->mark == w->mark);
}

/* Whether damaged bytes are those of a head of this segment: another life's heads are whole, and have another mark. */
static bool is_trace(const struct recover_walk *w, const uint8_t *p) {
    struct record other;
    if (record_read(p, &other)) return false;
    return memcmp(p, "SBr", 3) == 0 || num_be64(p + 16) == w->mark;
}

static uint64_t reach(const struct recover *r) {
    return r->walk.apply ? r->reached : r->walk.seen;
}

/* --- looking on --- */

/* Whether reading can go on at a record behind a place that cannot be read: when no revision fits between, nothing is missing. */
static bool misses_nothing(const struct recover *r, const struct record *h) {
    const struct recover_walk *w = &r->walk;
    if (w->stop != STOP_END && w->stop != STOP_HEAD && w->stop != STOP_DISK) return false;
    if (w->heads || h->len > LIMIT_STATE_REVISION) return false;
    if (h->kind == RECORD_MARK) return h->revision >= w->seen && h->revision <= reach(r);
    return h->revision > w->seen && h->revision <= reach(r) + 1;
}

static void resume(struct recover *r) {
    struct recover_walk *w = &r->walk;
    char name[STATE_NAME];
    segment_name(name, w->segment->serial);
    r->untidy = r->untidy || w->apply;
    if (w->traced || w->stop != STOP_END)
        recover_find(r, RECOVER_MENDED, name, w->stop_at, 0, 0, "%s; no revision is missing behind it, nothing is lost",
                     w->why.text);
    else /* a mark is not synced: it may be missing in front of a batch that was being written */
        recover_find(r, RECOVER_NOTE, name, w->stop_at, 0, 0, "an unimportant record is missing here");
    w->stop = STOP_NONE;
    w->refused = w->traced = w->in_batch = w->broken_off = false;
}

/* False: more bytes are wanted, or (*over) it is done. */
static bool look_on(struct recover *r, bool *over) {
    struct recover_walk *w = &r->walk;
    const uint8_t *p = NULL;
    struct record h;
    /* All that the next segment says was durable is there, and this one ends as it should. */
    if (w->stop == STOP_END && w->segment->next && w->seen >= w->limit && !r->config.all) {
        *over = true;
        return false;
    }
    switch (get(r, w->at, RECORD_HEAD, &p)) {
    case GOT: break;
    case GOT_MORE: return false;
    case GOT_END: *over = true; return false;
    case GOT_REFUSED:
        w->refused = true;
        w->at = round_up(r->refused_end);
        return true;
    }
    if (!read_head(w, p, &h)) {
        w->at = next_block(w->at);
        return true;
    }
    if (misses_nothing(r, &h)) {
        resume(r);
        return true;
    }
    uint64_t next = behind(w, &h);
    bool sane = h.len <= LIMIT_STATE_REVISION && next <= w->segment->size;
    if (w->at == w->chain)
        w->chain = sane && !h.last ? next : 0;
    else
        w->beyond = true;
    w->heads++;
    note_head(w, &h);
    w->at = sane ? next : next_block(w->at);
    return true;
}

/* --- reading --- */

/* Whether an operation is one that the journal has. */
static bool is_plain(const struct val *patch) {
    for (struct val_iter it = val_iter(patch); val_next(&it);) {
        enum jsonpatch_op op;
        if (!jsonpatch_op_from(val_as_text(val_get(it.value, LIT("op"))), &op)) return false;
        if (op != JSONPATCH_ADD && op != JSONPATCH_REMOVE && op != JSONPATCH_REPLACE) return false;
    }
    return true;
}

static bool apply(struct recover *r, const struct record *h, struct slice payload, struct err *e) {
    static const struct cbor_limits limits = {LIMIT_STATE_REVISION, LIMIT_STATE_REVISION, LIMIT_VAL_DEPTH};
    static const struct jsonpatch_limits all = {.ops = SIZE_MAX, .copied = 0};
    struct recover_walk *w = &r->walk;
    struct err why = ERR_INIT;
    struct val patch = val_none;
    if (w->segment->head.version != r->result.version) {
        stop(w, STOP_VERSION, false,
             "revision %llu is of version %lu of the state, and the snapshot that led there from version %lu is "
             "missing or "
             "damaged",
             U(h->revision), (unsigned long)w->segment->head.version, (unsigned long)r->result.version);
        return true;
    }
    bool good = cbor_parse(payload, &limits, &patch, &why);
    if (good && !is_plain(&patch)) good = err_set(&why, ERR_INVALID, "only add, remove and replace have a place here");
    if (good) good = jsonpatch_apply(&r->result.root, &patch, &all, &why);
    val_unref(&patch);
    if (!good && why.code == ERR_NOMEM) {
        if (e) *e = why;
        return false;
    }
    if (good) {
        r->reached = h->revision;
        r->result.journal_bytes += RECORD_HEAD + h->len;
    } else
        stop(w, STOP_WRONG, false,
             "revision %llu is whole and cannot be applied (%.80s): the program that wrote it erred", U(h->revision),
             why.text);
    return true;
}

static void pass(struct recover_walk *w, const struct record *h) {
    w->seen = h->revision;
    w->in_batch = !h->last;
    w->at = behind(w, h);
}

/* Its payload is not to be had. */
static void take_damaged(struct recover *r, const struct record *h, const char *why) {
    struct recover_walk *w = &r->walk;
    if (!w->apply || h->revision > r->reached) {
        stop(w, STOP_SUM, false, "revision %llu is damaged (%s)", U(h->revision), why);
        return;
    }
    char name[STATE_NAME];
    segment_name(name, w->segment->serial);
    r->untidy = true;
    recover_find(r, RECOVER_MENDED, name, w->at, 0, 0,
                 "revision %llu is damaged (%s); the snapshot has it, nothing is lost", U(h->revision), why);
    pass(w, h);
}

/* A record whose head is good and in order. */
static bool take_record(struct recover *r, const struct record *h, struct slice payload, struct err *e) {
    struct recover_walk *w = &r->walk;
    if (record_sum(payload) != h->sum) {
        take_damaged(r, h, "its checksum is wrong");
        return true;
    }
    if (h->kind == RECORD_PATCH && h->revision > w->limit) {
        if (!w->dropped_first) {
            w->dropped_first = h->revision;
            w->dropped_at = w->at;
        }
        w->dropped_last = h->revision;
    } else if (h->kind == RECORD_PATCH && w->apply && h->revision > r->reached) {
        if (!apply(r, h, payload, e)) return false;
        if (w->stop) return true;
    }
    if (h->kind == RECORD_PATCH && w->apply && h->revision <= w->limit) r->journalled = h->revision;
    note_durable(r, h->kind == RECORD_MARK ? h->revision : h->horizon);
    pass(w, h);
    return true;
}

static void stop_at_head(struct recover_walk *w, const uint8_t *p) {
    bool traced = is_trace(w, p);
    if (w->in_batch)
        stop(w, STOP_HEAD, traced, "a batch breaks off behind revision %llu", U(w->seen));
    else if (traced)
        stop(w, STOP_HEAD, true, "the record behind revision %llu is damaged (the checksum of its head is wrong)",
             U(w->seen));
    else
        stop(w, STOP_END, false, "the journal ends behind revision %llu", U(w->seen));
}

/* False: more bytes are wanted (or no memory: e). */
static bool read_on(struct recover *r, bool *nomem, struct err *e) {
    struct recover_walk *w = &r->walk;
    const uint8_t *p = NULL;
    struct record h;
    switch (get(r, w->at, RECORD_HEAD, &p)) {
    case GOT: break;
    case GOT_MORE: return false;
    case GOT_END:
        if (w->in_batch || w->at < w->segment->size)
            stop(w, STOP_CUT, false, "the file ends behind revision %llu", U(w->seen));
        else
            stop(w, STOP_END, false, "the segment ends behind revision %llu", U(w->seen));
        return true;
    case GOT_REFUSED:
        stop(w, STOP_DISK, false, "the disk refuses to read what is behind revision %llu (%.80s)", U(w->seen),
             r->refused_why.text);
        return true;
    }
    if (!read_head(w, p, &h)) {
        stop_at_head(w, p);
        return true;
    }
    bool mark = h.kind == RECORD_MARK;
    uint64_t says = mark && h.revision > h.horizon ? h.revision : h.horizon;
    if (says > reach(r))
        stop(w, STOP_GAP, false, "it says that revision %llu was durable, but only %llu is to be found", U(says),
             U(reach(r)));
    else if (mark ? h.revision < w->seen : h.revision <= w->seen)
        stop(w, STOP_ORDER, true, "revision %llu stands behind %llu, which is no order", U(h.revision), U(w->seen));
    else if (h.len > LIMIT_STATE_REVISION)
        stop(w, STOP_ORDER, true, "revision %llu claims to be longer than any may be", U(h.revision));
    else
        switch (get(r, w->at, RECORD_HEAD + (uint64_t)h.len, &p)) {
        case GOT: *nomem = !take_record(r, &h, slice_of(p + RECORD_HEAD, h.len), e); return !*nomem;
        case GOT_MORE: return false;
        case GOT_END: stop(w, STOP_CUT, false, "the file ends in revision %llu", U(h.revision)); break;
        case GOT_REFUSED: take_damaged(r, &h, "the disk refuses to read it"); break;
        }
    return true;
}

/* --- one segment behind the other --- */

static void begin_walk(struct recover *r, struct recover_segment *g) {
    struct recover_walk *w = &r->walk;
    bool begun = g->state == SEGMENT_BEGUN;
    *w = (struct recover_walk){.segment = g,
                               .mark = record_mark(r->result.store, g->serial),
                               .any_mark = r->loaded == RECOVER_NOWHERE,
                               .apply = r->loaded != RECOVER_NOWHERE && !r->lost && g->serial >= r->first_serial,
                               .at = RECORD_BLOCK,
                               .seen = begun ? g->head.base : r->reached,
                               .limit = g->next ? g->next->head.base : UINT64_MAX};
    buf_reset(&r->have);
    r->have_at = 0;
    r->careful_until = r->refused_at = r->refused_end = 0;
    if (!begun) {
        w->stop = STOP_UNBEGUN;
        w->chain = RECORD_BLOCK;
    }
    if (begun && w->apply) r->journalled = g->head.base;
}

/* True: it is through. False: more bytes are wanted, or there is no memory. */
static bool walk(struct recover *r, bool *nomem, struct err *e) {
    struct recover_walk *w = &r->walk;
    for (bool over = false;;) {
        /* Where reading stops, looking begins: at the same head when it is good, else at the next block. */
        if (w->stop == STOP_NONE ? !read_on(r, nomem, e) : !look_on(r, &over)) return over;
    }
}

bool recover_segments_on(struct recover *r, struct err *e) {
    for (;;) {
        bool nomem = false;
        if (r->walk.segment) {
            if (!walk(r, &nomem, e)) return !nomem;
            judge_walk(r);
            bool unbegun = r->walk.segment->state == SEGMENT_ZERO || r->walk.segment->state == SEGMENT_OLD;
            r->walk.segment->blank = unbegun && !r->walk.heads && !r->walk.refused;
            r->walk.segment = NULL;
            r->index++;
        }
        while (r->index < r->segment_n && r->segments[r->index].state == SEGMENT_UNREAD) r->index++;
        bool enough = r->lost && !r->config.all;
        if (r->index == r->segment_n || enough) break;
        struct recover_segment *g = &r->segments[r->index];
        if (g->state >= SEGMENT_SHORT) {
            judge_closed(r, g);
            r->index++;
            continue;
        }
        if (g->state == SEGMENT_BEGUN) judge_base(r, g);
        if (r->lost && !r->config.all) break;
        begin_walk(r, g);
    }
    judge_end(r);
    recover_finish(r);
    return true;
}
