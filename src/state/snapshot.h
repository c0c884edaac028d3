/* snapshot.h - writes a version of the tree to a file beside the running loop. Private to src/state.
 *
 * The version cannot change under it, so there is nothing to lock and nothing to copy: what it costs in memory is what changes
 * meanwhile. Encoded in slices in LOOP_LATER, a few on their way to the disk hand at once, synced now and then so that no sync
 * takes long; renamed to its name when all of it is durable (recover.h, reliance 1). The bytes are snapfile.h's.
 * Tried: with state.c; tests/state/crash kills it everywhere. */
#ifndef STATE_SNAPSHOT_H
#define STATE_SNAPSHOT_H

#include "protocols/cbor.h"
#include "state/plan.h"
#include "state/segment.h"
#include "state/snapfile.h"

#define SNAPSHOT_CALLS 3
#define SNAPSHOT_FRESH "snapshot.new" /* until it has its name */

struct snapshot_piece {
    struct call call;
    struct snapshot *snapshot;
};

struct snapshot {
    /* NULL: it is there, durable, under its name. From the loop. */
    void (*done)(struct snapshot *s, const struct err *e);
    struct store_disk *disk;
    uint64_t most;       /* bytes of the file */
    size_t slice;        /* bytes encoded at once; at most SNAPFILE_PIECE */
    uint64_t size;       /* of the file so far */
    uint64_t slowest_us; /* of the slices */
    uint64_t revision;
    /* private */
    struct val root;
    struct cbor_writer *writer; /* NULL: all is encoded */
    struct plan_part part;
    struct buf body, out; /* encoded and not in a piece yet; pieces that wait to be sent */
    uint64_t body_total, unsynced;
    struct loop_task task;
    struct snapshot_piece pieces[SNAPSHOT_CALLS];
    struct call call;
    unsigned open;
    bool ended, naming; /* the end is in `out`; the rename is on its way */
};

/* Shares the root. `about` is borrowed. More than `most` bytes are no snapshot: none could be read again. False: not begun (e). */
bool snapshot_start(struct snapshot *s, struct store_disk *disk, const struct plan *plan, const struct val *root,
                    const struct snapfile_about *about, size_t slice, uint64_t most, struct err *e);
static inline bool snapshot_is_running(const struct snapshot *s) {
    return !val_is_none(&s->root);
}
/* Leaves it unfinished; nothing is called any more. */
void snapshot_stop(struct snapshot *s);

#endif
