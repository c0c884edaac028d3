/* flow_room.h - what the files of the flow share. Private to src/flow. */
#ifndef FLOW_FLOW_ROOM_H
#define FLOW_FLOW_ROOM_H

#include "flow/flow.h"

#define FLOW_ID 16

/* What is going on with a flow; the last three wait. */
enum flow_doing {
    FLOW_STEP,         /* run or undo has been begun and has not ended */
    FLOW_STEP_LATER,   /* ... is begun at due_at */
    FLOW_RECORD,       /* a record is committed and not settled */
    FLOW_RECORD_LATER, /* ... is tried again at due_at */
};

/* What a record says. */
struct flow_place {
    unsigned at;
    bool back;
    bool gone; /* there is no record any more */
};

struct flow {
    struct flows *flows;
    struct flow *next, *prev;
    const struct flow_kind *kind;
    char id[FLOW_ID + 1];
    struct val args, notes;
    uint64_t began;

    enum flow_doing doing;
    struct flow_place is;   /* on disk */
    struct flow_place will; /* FLOW_RECORD, FLOW_RECORD_LATER: to be on disk */
    bool fresh;             /* nothing is on disk yet */
    bool changes;           /* FLOW_RECORD: changes of the step's own go with it */
    bool cancelled;         /* it goes back as soon as what goes on has ended */
    struct err why;         /* code ERR_NONE: nothing has failed */
    unsigned tries;
    int64_t due_at; /* 0: waits for no time */
    struct state_hold hold;
    void *own;

    struct progress progress;
    uint32_t *phases; /* of each step */
    bool stirred;     /* something is untold; told at tell_at */
    int64_t tell_at;
};

struct flows {
    struct flows_config config;
    uint64_t owner; /* of the records */
    struct flow *first;
    unsigned n;
    struct loop_timer timer; /* always set, so that setting it needs no memory */
    int64_t resume_at;       /* 0: all records were looked at */
};

static inline const struct flow_step *flow_row(const struct flow *f, unsigned at) {
    return &f->kind->steps[at];
}

/* flows.c */
/* Takes args and notes. NULL: no memory. */
struct flow *flow_new(struct flows *fs, const struct flow_kind *kind, struct val args, struct val notes, struct err *e);
void flow_link(struct flow *f);
void flow_unlink(struct flow *f);
/* Behind flow_unlink, or never linked. */
void flow_free(struct flow *f);
/* Some due time has changed. */
void flows_schedule(struct flows *fs);

/* flow.c */
/* Waits for so long, then does what `doing` says. */
void flow_rest(struct flow *f, enum flow_doing doing, int64_t ms);
/* Its due_at has come. */
void flow_wake(struct flow *f);
/* Puts the first record into the tree and waits for it. */
bool flow_begin(struct flow *f, struct err *e);
/* Commits or tries later what f->will says. */
void flow_keep(struct flow *f);
/* Where going back goes on, from a step downwards; -1: none was begun. */
struct flow_place flow_place_back(const struct flow *f, int from);
/* At this step it only goes forward. */
bool flow_kind_commits(const struct flow_kind *kind, unsigned at);

/* flow_progress.c */
/* A phase for each step that has a weight. */
bool flow_phases_make(struct flow *f, struct err *e);
/* `is` has moved, or was read. */
void flow_phases_move(struct flow *f);
/* Tells what is untold, now. */
void flow_tell(struct flow *f);

/* flow_record.c */
/* Puts, or removes, what f->will says. The transaction keeps its failures. */
void flow_record_put(const struct flow *f, struct state_txn *t);
/* All records; &val_none: there are none. */
const struct val *flow_records(const struct state *s);
/* What a record says, of a kind that is known. NULL: no memory (e says so), or it cannot be read. */
struct flow *flow_record_read(struct flows *fs, struct slice id, const struct val *record, struct err *e);

#endif
