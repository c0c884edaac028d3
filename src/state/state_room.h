/* state_room.h - what the files of the state share. Private to state*.c and txn.c. */
#ifndef STATE_STATE_ROOM_H
#define STATE_STATE_ROOM_H

#include "state/journal.h"
#include "state/recover.h"
#include "state/snapshot.h"
#include "state/state.h"
#include "state/trash.h"

/* A revision that is not settled yet. */
struct state_open_revision {
    uint64_t id;
    struct val patch;
};

/* Revisions that were refused: of each roll-back the first and the last. */
struct state_taken_back {
    uint64_t first, last;
};
#define STATE_TAKEN_BACK 8 /* the newest so many are known */

struct state_segment {
    uint64_t serial, size;
};
struct state_kept {
    uint64_t revision;
    uint64_t serial; /* segments before it are not needed by it */
};
#define STATE_KEPT 2

struct state {
    struct state_config config;
    struct state_limits limits;
    struct loop *loop;
    const struct plan *plan;
    bool has_volatile; /* some branch is */
    char root_name[65], folder[LIMIT_DISK_PATH + 1];
    struct store_disk disk;
    struct journal journal;
    struct watchers *watchers;
    struct trash trash;
    enum state_mode mode, told; /* told: the owner */
    struct err trouble;         /* why it is read only, or failed */
    bool in_txn, closing;
    bool relocking; /* another disk hand stands, and the store is not held yet: nothing may be written */

    /* versions: the current one, the one of the batch on its way, the settled one */
    struct val root, flight_root, settled_root;
    uint64_t revision, flight_revision, settled;
    uint64_t shown, shown_settled; /* that readers hear of */
    uint64_t opened;               /* revision the start settled at: journalled, or led here by a migration */
    uint64_t given;                /* the last number given out: none is given twice in one life */
    struct state_open_revision *open;
    size_t open_at, open_n, open_cap; /* [open_at, open_n) are waiting */
    struct loop_task commit_task, answer_task, tell_task;
    struct state_hold holds, failed; /* heads of rings */
    struct state_taken_back taken_back[STATE_TAKEN_BACK];
    unsigned taken_back_n;

    /* the folder (state_keep.c) */
    uint64_t store;
    struct snapshot snapshot;
    struct state_kept kept[STATE_KEPT]; /* newest first; revision 0: none */
    struct state_kept making;           /* the snapshot that is being written */
    struct state_segment *segments;
    size_t segment_n, segment_cap;
    uint64_t *old_snapshots; /* revisions of files that go when the next one stands */
    size_t old_n, old_cap;
    struct call clean_call;
    bool cleaning, snapshot_due;
    uint64_t making_written;                /* of journal.written when it was begun */
    uint64_t written_before;                /* of journal.written when the newest snapshot was begun */
    uint64_t snapshot_bytes, snapshot_wait; /* journal bytes before a failed one is tried again */
    struct loop_timer retry;
    uint32_t retry_ms;
    struct state_counts counts;

    /* opening (state_open.c) */
    struct state_opening *opening;
};

/* --- state.c --- */

void state_enter(struct state *s, enum state_mode mode, const struct err *why);
void state_queue_commit(struct state *s);
/* The disk is tried again after a while, each time a longer one until something was durable. */
void state_try_later(struct state *s);
/* All that is not settled is gone. */
void state_roll_back(struct state *s, const struct err *why);

/* --- state_open.c --- */

bool state_open_begin(struct state *s, struct err *e);
void state_open_stop(struct state *s);
/* A new disk hand: the store is held again, then the journal goes on. */
void state_open_relock(struct state *s);
/* The first snapshot of this start stands, or could not be written. */
void state_open_snapshot_done(struct state *s, const struct err *e);

/* --- state_keep.c --- */

bool keep_segment(struct state *s, uint64_t serial, uint64_t size, struct err *e);
bool keep_old_snapshot(struct state *s, uint64_t revision, struct err *e);
void keep_forget_old(struct state *s, uint64_t revision);
/* A segment that is removed in its time, and never used again. */
void keep_distrust(struct state *s, uint64_t serial);
/* Begins a snapshot of the settled version. */
bool keep_snapshot(struct state *s, struct err *e);
/* Whether it is time for one, and begins it. */
void keep_look(struct state *s);
/* Removes what nobody needs any more, one file after the other. */
void keep_clean(struct state *s);
/* Removes a segment that was being made: the disk may be full of it. */
void keep_tidy(struct state *s);
void keep_stop(struct state *s);

#endif
