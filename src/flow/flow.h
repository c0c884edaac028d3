/* flow.h - one way to do many steps: a table of them, each with its undo, and a record in the tree that says how far it is. What fails
 * or is cancelled is undone backwards; what a power cut or a death of the process interrupts goes on, or back, at the next start.
 *
 * For: domains: install, update, backup, restore, certificates. A step starts what it likes (call.h) and says later how it went.
 * Owns: the records at /private/flows/ID, and a struct flow for each while the process lives.
 * Never: begins a step before the record that says so is durable; begins a step or an undo from inside flow_start, flow_cancel or
 *        flows_resume (`stop` is called from inside flow_cancel). Drops a flow that has a durable record: what the state refuses,
 *        and want of memory, are tried again.
 *
 * The record: {kind, at, back, args, notes, began, why}: the step that is begun, or (back) is to be undone; `args` and `notes` are
 *   secret to dumps. It goes away with the last step, or the last undo.
 *
 *   all goes well:  at a > a.run > at b > b.run > at c > c.run > no record > over(NULL)
 *   c.run fails:    ... > c.run > back at c > c.undo > back at b > b.undo > back at a > a.undo > no record > over(why)
 *   Each record is durable before what stands behind it begins.
 *
 * Steps and undos may be begun again, in this life or a later one: behind a power cut between the end of the work and its record, a
 *   change of the tree that the disk refused, a failure. So both must cope with their own work half done, done, or not begun.
 * Tried: tests/flow/life, refusals, crash, faults. */
#ifndef FLOW_FLOW_H
#define FLOW_FLOW_H

#include "flow/progress.h"
#include "state/state.h"

struct flow;
struct flows;

/* A row of the table. What is begun ends, at once or later, with exactly one of flow_done, flow_commit, flow_fail. */
struct flow_step {
    const char *name;  /* a word; it stands in records, so it is never renamed */
    const char *label; /* the phase's name, for people; NULL when weight is 0 */
    uint64_t weight;   /* in the progress of all; 0: no phase of its own */
    void (*run)(struct flow *f);
    /* NULL: there is nothing to undo. Called, the last first, for every step that was begun, also where all that is known is that its
     * record says so. When it fails it is tried again, later and later. */
    void (*undo)(struct flow *f);
    /* A cancel. True: what run has going on is let go of and nothing is reported of it any more; the undo is next. False: it was told to
     * end, or cannot be told, and reports as ever: for work that lasts a moment longer and must not meet the undo, such as a job
     * that is killed. NULL: as false. */
    bool (*stop)(struct flow *f);
    /* From when it is begun the flow only goes forward: it cannot be cancelled, it and the steps behind it are tried again when they
     * fail, later and later. So they have no undo. */
    bool commits;
};

struct flow_kind {
    const char *name; /* a word; it stands in records */
    const struct flow_step *steps;
    unsigned step_n;
    bool resume; /* a start goes on with it; else back, unless it has committed */
    /* It is over: done (why NULL), undone, or never begun because its first record was refused. What is on disk says so already; a
     * process that dies in between tells nobody, so what must happen belongs into a step. May be NULL. */
    void (*over)(struct flow *f, const struct err *why);
    /* A FullProgress, at most every LIMIT_FLOW_PROGRESS_MS and, if there is memory, at the end, before `over`. May be NULL. */
    void (*progress)(struct flow *f, const struct val *full);
    /* The last that is heard of it in this life: behind `over`, and from flows_free, with a step or an undo perhaps going on. Lets go
     * of all that flow_own stands for. May be NULL. */
    void (*drop)(struct flow *f);
    void *arg; /* the domain's: flow_arg */
};

/* Rows for the program's plan: the records, of owner "flow". The map that holds them is made with the first. */
extern const struct plan_branch flow_branches[];
extern const unsigned flow_branch_n;

/* --- all of a process --- */

struct flows_config {
    struct loop *loop;
    struct state *state;
    const struct plan *plan; /* the state's; flow_branches are in it */
    const struct flow_kind *const *kinds;
    unsigned kind_n;
};
/* Refuses tables that err: names that are no words or appear twice, a step without run, an undo that would never be called. The
 * config is copied, what it points to stays. */
struct flows *flows_new(const struct flows_config *config, struct err *e);
/* Before state_free; not from inside a callback of a flow, or of state_hold. What goes on is stopped and dropped; records stay, for the next
 * start. */
void flows_free(struct flows *fs);
/* Once, when the state is up: every record goes on or back. One of an unknown kind or step is left alone, and the log says so. */
void flows_resume(struct flows *fs);

/* The flow is there until `over` and `drop` have been called. Takes args (a map). Its first record is committed, and its first step
 * begins when that is durable. NULL: refused. Not inside a transaction. */
struct flow *flow_start(struct flows *fs, const struct flow_kind *kind, struct val args, struct err *e);
/* It goes back, because of `why` (a sentence). False: there is no such flow, or it only goes forward. True also when it goes back
 * already. Before the first undo is on record, a start may know nothing of it. Not inside a transaction, nor inside this flow's
 * own run or undo. */
bool flow_cancel(struct flows *fs, struct slice id, const char *why, struct err *e);
struct flow *flow_find(const struct flows *fs, struct slice id);
/* The one behind f; f NULL: the first. */
struct flow *flow_next(const struct flows *fs, const struct flow *f);
unsigned flows_count(const struct flows *fs);

/* --- looking --- */

const char *flow_id(const struct flow *f); /* 16 letters and digits; never used again */
const struct flow_kind *flow_kind(const struct flow *f);
const struct flow_step *flow_step(const struct flow *f); /* the one begun, or being undone; NULL: none yet */
bool flow_is_back(const struct flow *f);                 /* it goes back, or will as soon as the step has ended */
bool flow_is_final(const struct flow *f);                /* it only goes forward: it cannot be cancelled */
/* Why it goes back, or what failed last and is tried again; NULL: nothing has. */
const struct err *flow_why(const struct flow *f);
uint64_t flow_began_ms(const struct flow *f); /* since 1970 */
struct state *flow_state(const struct flow *f);

/* --- for steps --- */

void *flow_arg(const struct flow *f);
const struct val *flow_args(const struct flow *f);
/* What the record keeps beside args: small facts, durable with the next record: undos and later lives find them. Takes the value. */
bool flow_note(struct flow *f, const char *key, struct val value, struct err *e);
const struct val *flow_get(const struct flow *f, const char *key); /* &val_none: not noted */
void **flow_own(struct flow *f);                                   /* the steps' memory of this life; NULL at first */
/* How often this step, or undo, was begun before in this life. */
unsigned flow_tries(const struct flow *f);

/* Reports by this; flow_phase is the index of the step's phase. */
struct progress *flow_progress(struct flow *f);
uint32_t flow_phase(const struct flow *f);

void flow_done(struct flow *f);
/* Copied. Of a step: all goes back, unless it only goes forward. */
void flow_fail(struct flow *f, const struct err *why);
/* The step's own change of the tree, in one revision with the record that it is done. Begin with flow_txn (owners: the domain's), put
 * and remove, end with flow_commit (or state_abort, and flow_done or flow_fail), all in one callback. No failure on the way needs a
 * look: the transaction knows of it. When the state cannot take it now, the step is begun again later; a change that is refused for
 * itself is as flow_fail. */
void flow_txn(struct flow *f, struct state_txn *t, uint64_t owners);
void flow_commit(struct flow *f, struct state_txn *t);

#endif
