/* state.h - the tree: one root, one revision number, changed by transactions, kept by the journal, shown to watchers.
 *
 * For: everything above. Reading is free: state_peek hands out the root; a val_ref of it is a version that never changes.
 * Owns: the current root, the last settled one, the store's files (through the disk hand).
 * Never: waits. A commit is seen by state_peek at once; it is *settled* when it is durable (a purely volatile one: when all before
 *        it are settled). Replies, patches to watchers and starts of jobs wait for that (state_hold).
 *
 * When the disk refuses, the root returns to the last settled one, held callers get the error, and commits are refused with the
 * reason (STATE_READ_ONLY); volatile ones go on. Every few seconds a new snapshot in a new file is tried; when it is durable the
 * store is as before. When only the disk hand is lost, commits are held until a new one stands.
 *
 * One transaction at a time, begun and ended within one callback.
 * Tried: tests/state/txn, crash, faults, trouble, damage, hand, fuzz/state. */
#ifndef STATE_STATE_H
#define STATE_STATE_H

#include "loop/loop.h"
#include "state/plan.h"
#include "state/watch.h"
#include "warden/call.h"

struct state;
struct recover_result;

struct state_limits {
    size_t revision, pending, segment, journal, snapshot; /* LIMIT_STATE_* */
    uint32_t mark_ms;                                     /* of quiet before the journal notes what is durable */
    uint32_t retry_ms; /* between tries when the disk refused; doubles up to 32 times as much */
};
extern const struct state_limits state_limits;

enum state_mode {
    STATE_OPENING,
    STATE_UP,
    STATE_AWAY,      /* the disk hand is lost: commits are held */
    STATE_READ_ONLY, /* the disk refused: commits are refused */
    STATE_FAILED,    /* it could not be opened, or another process has it */
    STATE_CLOSED,
};

struct state_config {
    struct loop *loop;
    struct port *disk;  /* of the disk hand; up */
    const char *root;   /* name of its root */
    const char *folder; /* beneath it; made when it is not there */
    const struct plan *plan;
    const struct state_limits *limits;
    const struct watch_limits *watch_limits;
    /* The mode has changed; why says so for STATE_READ_ONLY and STATE_FAILED. First STATE_UP: it is open. From the loop, in LOOP_CLOSE,
     * behind what was to be answered; anything may be done in it, state_free too. */
    void (*changed)(struct state *s, enum state_mode mode, const struct err *why);
    /* What a start found in the store that the operator should know; may be NULL. Called once, before STATE_UP or STATE_FAILED. */
    void (*found)(struct state *s, const struct recover_result *r);
    void *arg;
};

/* Begins to open; config->changed tells how it went. The config is copied, what it points to stays. */
struct state *state_new(const struct state_config *config, struct err *e);
/* Everything held must have been released, every watch ended; not inside state_hold's done or a watch's tell. Without state_close what is not durable yet may be lost. */
void state_free(struct state *s);
void *state_arg(const struct state *s);
enum state_mode state_mode(const struct state *s);
/* Another disk hand stands where config->disk is. */
void state_new_disk(struct state *s);
/* Settles what is committed, notes in the journal that all of it is durable, and lets go; then changed says STATE_CLOSED (with the
 * reason if that failed). Nothing can be committed any more. While the disk hand is away it waits for another: who cannot wait frees the
 * state. */
void state_close(struct state *s);

/* --- reading --- */

/* The root as of the last commit; borrowed until the next one. Who keeps it takes a val_ref: that version never changes. */
const struct val *state_peek(const struct state *s);
uint64_t state_revision(const struct state *s);
/* The newest settled revision, and its root. */
uint64_t state_settled(const struct state *s);
const struct val *state_settled_root(const struct state *s);
/* The newest revision that changed what readers outside may see, and the newest such one known to be settled. 0: none since the
 * start. Who watches from the root of what is public hears of each. */
uint64_t state_shown(const struct state *s);
uint64_t state_shown_settled(const struct state *s);
/* What a reader outside may see at a pointer of the settled tree: without private things. VAL_NONE: nothing there (e). */
struct val state_show(const struct state *s, struct slice pointer, struct err *e);

/* --- changing --- */

#define STATE_TOUCHED 32 /* places a transaction remembers; beyond that it compares the whole tree */

struct state_txn {
    /* private */
    struct state *state;
    struct val root; /* the private version; VAL_NONE while nothing but `single` was changed */
    struct val
        single; /* what one place, the first of `touched`, becomes; VAL_NONE: nothing yet, or it is in the root */
    uint64_t owners;
    struct err err; /* the first failure: the transaction cannot be committed any more */
    bool compare_all;
    bool removed; /* a key was: if it comes again it stands elsewhere */
    unsigned touched_n;
    struct buf touched; /* pointers, one behind the other */
    uint32_t touched_end[STATE_TOUCHED];
};

/* The bit of an owner in this state's plan. */
uint64_t state_owner(const struct state *s, const char *owner);
/* A transaction that may change what belongs to these owners. */
bool state_begin(struct state *s, struct state_txn *t, uint64_t owners, struct err *e);
/* Inside it: what stands there now; &val_none when nothing does. Lives until the next change. */
const struct val *txn_get(struct state_txn *t, struct slice pointer);
/* What a number, a text, a bool is; the fallback when it is not there or is something else. */
uint64_t txn_get_u64(struct state_txn *t, struct slice pointer, uint64_t fallback);
bool txn_get_bool(struct state_txn *t, struct slice pointer, bool fallback);
struct slice txn_get_text(struct state_txn *t, struct slice pointer);
/* Adds or replaces; the parent must be there. In an array: replaces an element, "-" appends. Takes the value. */
bool txn_put(struct state_txn *t, struct slice pointer, struct val value, struct err *e);
bool txn_put_text(struct state_txn *t, struct slice pointer, struct slice text, struct err *e);
bool txn_put_u64(struct state_txn *t, struct slice pointer, uint64_t n, struct err *e);
bool txn_put_bool(struct state_txn *t, struct slice pointer, bool b, struct err *e);
bool txn_put_null(struct state_txn *t, struct slice pointer, struct err *e);
/* Inserts into an array before an index. Takes the value. */
bool txn_insert(struct state_txn *t, struct slice pointer, struct val value, struct err *e);
/* Must be there. */
bool txn_remove(struct state_txn *t, struct slice pointer, struct err *e);
/* As RFC 6902, all six operations. */
bool txn_patch(struct state_txn *t, const struct val *patch, struct err *e);
/* One revision or nothing. *revision: the new one, or the current one when nothing has changed. Ends the transaction either way. */
bool state_commit(struct state_txn *t, uint64_t *revision, struct err *e);
void state_abort(struct state_txn *t);

/* --- waiting until it is real --- */

struct state_hold {
    /* The revision is settled (why NULL), or never will be. From the loop, in LOOP_ANSWER. */
    void (*done)(struct state_hold *h, const struct err *why);
    /* private */
    struct state *state;
    struct state_hold *next, *prev;
    uint64_t revision;
};
/* Also for a revision that is settled already. One that was taken back is known for a while: hold in the callback that committed. */
void state_hold(struct state *s, struct state_hold *h, uint64_t revision);
void state_hold_cancel(struct state_hold *h); /* nothing when it is not held */

/* --- watching: watch.h --- */

struct watchers *state_watchers(struct state *s);

/* --- looking --- */

struct state_counts {
    uint64_t commits;        /* revisions made */
    uint64_t syncs;          /* batches made durable */
    uint64_t journal_bytes;  /* written since the last snapshot */
    uint64_t snapshots;      /* written since the start */
    bool writing;            /* one is being written */
    uint64_t snapshot_bytes; /* size of the newest */
    uint64_t slowest_us;     /* of the slices a snapshot was written in */
    size_t pending;          /* bytes not durable yet */
    uint64_t segment;        /* serial of the journal's current one */
};
struct state_counts state_counts(const struct state *s);
/* Writes one now, unless one is being written. */
bool state_snapshot(struct state *s, struct err *e);

#endif
