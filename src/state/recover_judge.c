/* recover_judge.c - what it means where the way through a segment ended: nothing, a torn batch, or damage; see recover.h and
 * docs/state.md, "Damage and torn ends".
 *
 * The law: a start may go on when every revision is there that anything says was durable. What says so: the base of a later segment, the
 * horizon of a later record, a mark. And a file that no crash leaves behind is feared, unless a later segment shows that all is there. */
#include "state/recover_room.h"

#include <stdio.h>

#define U(n) ((unsigned long long)(n))

static bool is_behind_snapshot(const struct recover *r, const struct recover_segment *g) {
    return g->serial >= r->first_serial;
}

/* --- before a segment --- */

/* The first serial that has no file, from the one behind the last that had begun up to this one; this one's own: none. */
static uint64_t missing_before(const struct recover *r, const struct recover_segment *g) {
    uint64_t expected = r->last ? r->last->serial + 1 : r->first_serial;
    for (const struct recover_segment *s = r->segments; s < g; s++)
        if (s->serial == expected) expected++;
    return expected;
}

void judge_base(struct recover *r, const struct recover_segment *g) {
    char name[STATE_NAME], other[STATE_NAME];
    if (r->lost || r->loaded == RECOVER_NOWHERE || !is_behind_snapshot(r, g)) return;
    const struct recover_segment *last = r->last;
    segment_name(name, g->serial);
    if (last && last->head.base > g->head.base)
        recover_damage(
            r, name, 0, 0, 0,
            "it says that revision %llu was the last durable one, the segment before it began behind %llu: the "
            "files contradict each other",
            U(g->head.base), U(last->head.base));
    else if (g->head.base > r->reached) {
        uint64_t missing = missing_before(r, g), first = r->reached + 1, to = g->head.base;
        if (missing < g->serial) {
            segment_name(other, missing);
            recover_damage(r, other, 0, first, to, "it is missing, and what was in it was durable");
        } else if (g->head.version != r->result.version) {
            recover_damage(
                r, name, 0, first, to,
                "it is of version %lu of the state, and the snapshot of revision %llu that led there is missing "
                "or damaged",
                (unsigned long)g->head.version, U(to));
        } else if (last) {
            segment_name(other, last->serial);
            recover_damage(r, other, r->last_at, first, to,
                           "the journal breaks off here, and what came behind was durable");
        } else
            recover_damage(r, name, 0, first, to, "it begins behind revision %llu, the snapshot ends at %llu", U(to),
                           U(r->reached));
    }
    r->last = g;
    r->last_at = RECORD_BLOCK;
}

/* --- segments with nothing to go through --- */

static const char *describe(const struct recover_segment *g) {
    switch (g->state) {
    case SEGMENT_SHORT: return "it is cut: shorter than a segment's head";
    case SEGMENT_FOREIGN: return "it is not the segment its name says, or of another store";
    case SEGMENT_REFUSED: return "the disk refuses to read its head";
    case SEGMENT_UNREAD:
    case SEGMENT_BEGUN:
    case SEGMENT_ZERO:
    case SEGMENT_OLD:
    case SEGMENT_BROKEN: break;
    }
    return "its head is damaged";
}

/* Something is wrong with a file, and nobody can say what was in it. */
static void judge_feared(struct recover *r, const struct recover_segment *g, uint64_t at, const char *what) {
    char name[STATE_NAME];
    segment_name(name, g->serial);
    if (r->loaded == RECOVER_NOWHERE)
        recover_damage(r, name, at, 0, 0, "%s, and there is no snapshot: the state cannot be reached", what);
    else if (!is_behind_snapshot(r, g))
        recover_find(r, RECOVER_MENDED, name, at, 0, 0, "%s; nothing is lost: the newest snapshot does not need it",
                     what);
    else if (r->lost)
        recover_damage(r, name, at, 0, 0, "%s", what);
    else if (g->next && g->next->head.base <= r->reached)
        recover_find(r, RECOVER_MENDED, name, at, 0, 0, "%s; nothing is lost: what was durable in it is there", what);
    else if (g->next)
        recover_damage(r, name, at, r->reached + 1, g->next->head.base, "%s, and what was in it was durable", what);
    else
        recover_damage(r, name, at, r->reached + 1, 0, "%s", what);
}

void judge_closed(struct recover *r, const struct recover_segment *g) {
    judge_feared(r, g, 0, describe(g));
}

/* --- behind a way --- */

static void find_torn(struct recover *r, const char *name, uint64_t at, uint64_t first, uint64_t last) {
    r->untidy = true;
    /* Where a later segment has begun, whoever began it has dropped it and said so, or written it again. */
    if (r->walk.segment->next)
        recover_find(r, RECOVER_NOTE, name, at, 0, 0,
                     "a write was cut off here; the journal goes on behind revision %llu in a later segment",
                     U(r->walk.segment->next->head.base));
    else if (last > first)
        recover_find(r, RECOVER_TORN, name, at, first, last,
                     "a write was cut off here: revisions %llu to %llu never became real and are dropped", U(first),
                     U(last));
    else if (last)
        recover_find(r, RECOVER_TORN, name, at, first, last,
                     "a write was cut off here: revision %llu never became real and is dropped", U(first));
    else
        recover_find(r, RECOVER_TORN, name, at, first, 0,
                     "a write was cut off here: what came behind revision %llu never became real and is dropped",
                     U(first - 1));
}

/* It has no head that can be read: had it begun? */
static void judge_unbegun(struct recover *r, const char *name) {
    const struct recover_walk *w = &r->walk;
    const struct recover_segment *g = w->segment;
    bool broken = g->state == SEGMENT_BROKEN;
    if (r->loaded == RECOVER_NOWHERE) {
        if (w->heads || broken || g->state == SEGMENT_OLD || w->refused)
            recover_damage(r, name, 0, 0, 0,
                           "a segment of a journal, and there is no snapshot: the state cannot be reached");
        return;
    }
    if (!w->apply) {
        if ((broken && w->heads) || w->refused) judge_feared(r, g, 0, describe(g));
        return;
    }
    bool needed = g->next && g->next->head.base > r->reached;
    if (w->promised > r->reached)
        recover_damage(r, name, 0, r->reached + 1, w->promised, "its head is damaged, and what was in it was durable");
    else if (needed && (broken || w->heads || w->refused))
        judge_feared(r, g, 0, "its head is damaged");
    else if (w->refused)
        judge_feared(r, g, 0, "the disk refuses to read a part of it");
    else if (broken && w->beyond && w->highest > r->reached && !g->next)
        recover_damage(r, name, 0, r->reached + 1, w->highest,
                       "its head is damaged, and behind it are batches that came later");
    else if (w->highest > r->reached)
        find_torn(r, name, RECORD_BLOCK, w->lowest > r->reached ? w->lowest : r->reached + 1, w->highest);
    else if (broken)
        recover_find(r, RECOVER_NOTE, name, 0, 0, 0, "its head cannot be read, and nothing is in it");
}

/* One that is only looked at: an older one, or one behind damage. */
static void judge_checked(struct recover *r, const char *name) {
    const struct recover_walk *w = &r->walk;
    const struct recover_segment *g = w->segment;
    bool cut = g->size < g->head.size;
    bool more = w->promised > w->seen;
    if (!more && !cut && !w->refused) return;
    const char *what = more || w->refused ? w->why.text : "it is cut: shorter than it was made";
    uint64_t at = more || w->refused ? w->stop_at : g->size;
    if (!is_behind_snapshot(r, g))
        recover_find(r, RECOVER_MENDED, name, at, 0, 0, "%s; nothing is lost: the newest snapshot does not need it",
                     what);
    else
        recover_damage(r, name, at, 0, 0, "%s", what);
}

/* Whether something between this segment and the next that has begun may be to blame for what is missing. */
static bool others_to_blame(const struct recover *r, const struct recover_segment *g) {
    return g->next != g + 1 || g->next->serial != g->serial + 1 || g->next->head.version != r->result.version;
}

static void judge_begun(struct recover *r, const char *name) {
    const struct recover_walk *w = &r->walk;
    const struct recover_segment *g = w->segment;
    uint64_t first = r->reached + 1, base = g->next ? g->next->head.base : 0;
    bool cut = g->size < g->head.size;
    r->last_at = w->stop_at;
    if (w->stop == STOP_WRONG || w->stop == STOP_VERSION) {
        uint64_t to = w->promised > w->highest ? w->promised : w->highest;
        recover_damage(r, name, w->stop_at, first, to > base ? to : base, "%s", w->why.text);
        return;
    }
    if (w->promised > w->limit) {
        recover_damage(r, name, w->stop_at, first, w->promised,
                       "a record says that revision %llu was durable, the next segment that only %llu was: the files "
                       "contradict each other",
                       U(w->promised), U(w->limit));
        return;
    }
    if (w->promised > r->reached) {
        recover_damage(r, name, w->stop_at, first, w->promised > base ? w->promised : base,
                       w->stop == STOP_GAP ? "%s" : "%s and was durable", w->why.text);
        return;
    }
    if (base > r->reached && !others_to_blame(r, g)) {
        recover_damage(r, name, w->stop_at, first, base, "%s, and more was durable", w->why.text);
        return;
    }
    if (w->dropped_first)
        find_torn(r, name, w->dropped_at, w->dropped_first,
                  w->highest > w->dropped_last ? w->highest : w->dropped_last);
    bool torn = w->broken_off || w->traced || w->heads || w->stop == STOP_CUT;
    if (w->refused || w->stop == STOP_DISK)
        judge_feared(r, g, w->stop_at, w->why.text);
    else if (cut)
        judge_feared(r, g, g->size, "it is cut: shorter than it was made");
    else if (g->next && base <= r->reached && w->seen < base)
        recover_find(r, RECOVER_MENDED, name, w->stop_at, 0, 0, "%s; nothing is lost: the snapshot has it",
                     w->why.text);
    else if (!g->next && w->traced && w->behind > r->reached)
        /* One block with a damaged head in it, and good ones behind: that is no torn write. */
        recover_damage(r, name, w->stop_at, first, w->behind, "%s, and good records are behind it", w->why.text);
    else if (torn && !w->dropped_first)
        find_torn(r, name, w->stop_at, w->lowest > r->reached && w->stop != STOP_HEAD ? w->lowest : first,
                  w->highest > r->reached ? w->highest : 0);
}

void judge_walk(struct recover *r) {
    const struct recover_walk *w = &r->walk;
    char name[STATE_NAME];
    segment_name(name, w->segment->serial);
    if (w->segment->state == SEGMENT_BEGUN && r->loaded == RECOVER_NOWHERE)
        recover_damage(r, name, 0, 0, 0,
                       "a segment of a journal, and there is no snapshot: the state cannot be reached");
    else if (w->segment->state != SEGMENT_BEGUN)
        judge_unbegun(r, name);
    else if (w->apply)
        judge_begun(r, name);
    else
        judge_checked(r, name);
}

/* The segment behind the last that has begun: where a later one was made already, it has been there. */
static void judge_missing(struct recover *r) {
    uint64_t next = recover_begun(r) + 1;
    bool there = false, later = false;
    for (size_t i = 0; i < r->segment_n; i++) {
        there |= r->segments[i].serial == next;
        later |= r->segments[i].serial > next;
    }
    if (there || !later || r->lost || r->loaded == RECOVER_NOWHERE) return;
    char name[STATE_NAME];
    segment_name(name, next);
    recover_damage(r, name, 0, r->reached + 1, 0, "it is missing, though the one behind it is there");
}

void judge_end(struct recover *r) {
    judge_missing(r);
    if (r->untidy && r->journalled < r->reached) r->journalled = r->reached;
}
