/* journal.h - revisions on their way to the disk: encoded when they are committed, written in batches, one batch at a time.
 *
 * For: state.c. The bytes are record.h's; what a start makes of them stands in recover.h, whose numbered reliances are kept here.
 * Owns: the current segment and the next, which is prepared in time; what is committed and not durable.
 * Never: waits; writes behind anything whose fate is unknown: then it goes on in a new segment.
 *
 *   SHUT ----begin----> MAKING --ready--> IDLE <---durable--- WRITING
 *    ^                    ^  \                \---flush------^  | |
 *    |                    |   \-- no disk hand --> AWAY <-------/ |
 *    |                    \------- new disk hand ----/            |
 *    \------------------------- the disk refused ----------------/
 *
 *   SHUT     nothing can be added        MAKING  waits for a segment; adding goes on
 *   IDLE     nothing is on its way       WRITING one batch is
 *   AWAY     the disk hand is lost: what was on its way is written again, into a new segment
 *
 * Events may come from inside journal_begin, journal_flush and journal_new_disk.
 * Tried: tests/state/crash, faults, trouble, hand. */
#ifndef STATE_JOURNAL_H
#define STATE_JOURNAL_H

#include "state/record.h"
#include "state/segment.h"
#include "warden/call.h"

enum journal_state { JOURNAL_SHUT, JOURNAL_MAKING, JOURNAL_IDLE, JOURNAL_WRITING, JOURNAL_AWAY };
enum journal_event {
    JOURNAL_SEGMENT, /* j->serial is a segment that was not written to before */
    JOURNAL_READY,   /* a segment stands: what was begun can be written to */
    JOURNAL_DURABLE, /* j->durable has moved */
    JOURNAL_REFUSED, /* the disk refused (j->err): all that was not durable is dropped; SHUT until it is begun again */
};

#define JOURNAL_CALLS 4 /* pieces of a batch on their way at once */

/* Records of one batch, and their bytes: RECORD_BLOCK bytes of room for a segment's head, then record behind record. */
struct journal_batch {
    struct buf bytes;
    struct record *records;
    uint32_t n, cap;
};

struct journal_piece {
    struct call call;
    struct journal *journal;
};

struct journal {
    void (*call)(struct journal *j, enum journal_event event);
    struct err err;
    uint64_t distrusted; /* serial of the segment the disk refused last: what is in it is not known */
    uint64_t durable;    /* the last revision that is */
    uint64_t written;    /* bytes of batches since journal_begin; whoever wants to know since when subtracts */
    uint64_t syncs;
    /* private */
    struct loop *loop;
    struct store_disk *disk;
    uint64_t store;
    uint32_t version;
    size_t segment_bytes, most, pending_most;
    uint32_t mark_ms;
    enum journal_state state;
    struct segment_maker maker;
    uint64_t serial;  /* of the current segment; 0: none yet */
    uint64_t at;      /* where the next batch goes in it; 0: its head was not written */
    bool next_failed; /* making the next segment has: it is tried again when it is needed */
    bool doubt;       /* what stands at `at` is unknown: the current segment must not be written to */
    bool marked;      /* the journal says that all is durable */
    bool mark_wanted, mark_synced;
    struct journal_batch gather, flight;
    bool flight_mark;
    uint64_t flight_at; /* in the segment */
    size_t flight_from, flight_sent;
    unsigned flight_open;
    struct journal_piece pieces[JOURNAL_CALLS];
    struct loop_timer quiet, again;
};

struct journal_config {
    struct loop *loop;
    struct store_disk *disk;
    uint64_t store;
    uint32_t version;
    size_t segment_bytes; /* of a new segment; a multiple of RECORD_BLOCK */
    size_t most;          /* bytes of one record */
    size_t pending;       /* bytes that may wait */
    uint32_t mark_ms;
};
void journal_init(struct journal *j, const struct journal_config *config);
void journal_release(struct journal *j);

/* Makes a segment; then JOURNAL_READY. `durable`: the last journalled revision that is. */
void journal_begin(struct journal *j, uint64_t durable);
/* Adds a revision. False: refused, nothing has changed. */
bool journal_add(struct journal *j, uint64_t revision, const struct val *patch, struct err *e);
/* Sends what was gathered, unless something is on its way. For the loop's phase LOOP_COMMIT. */
void journal_flush(struct journal *j);
/* Whether all that was added is durable. */
bool journal_clean(const struct journal *j);
static inline size_t journal_pending(const struct journal *j) {
    return j->gather.bytes.len + j->flight.bytes.len;
}
/* The disk hand is lost; another one stands: what was on its way is written again, or (JOURNAL_READY comes) a segment made. When nothing
 * was, it is IDLE at once. */
void journal_lost(struct journal *j);
void journal_new_disk(struct journal *j);
/* The next journal_flush that finds all durable notes that, durably; then JOURNAL_DURABLE comes once more with j->marked. */
void journal_mark(struct journal *j);

#endif
