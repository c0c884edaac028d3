/* obey.h - the obeying end of a link, inside a hand: takes requests, holds them against their rows, answers.
 *
 * For: the disk hand and the sampler.
 * Owns: the link. Ids count up; one that does not is refused.
 * Never: ends because of what it is asked: a bad frame, an unknown verb or a bad argument is answered with the reason
 *        (when it has an id to answer to) and the next one is read. Reads no further requests while answers wait to be
 *        taken (link.slow).
 * When the link is gone the loop is stopped with code 0.
 * Tried: tests/warden/disk, tests/warden/sampler. */
#ifndef WARDEN_OBEY_H
#define WARDEN_OBEY_H

#include "warden/link.h"
#include "warden/verb.h"

/* A request that was found good. */
struct obey_ask {
    uint64_t id;
    unsigned row; /* which of the rows */
    const struct val *args;
    struct link_frame *frame; /* its descriptors */
    /* the answer */
    struct val result;
    int fd;       /* goes with the result; -1: none */
    bool keep_fd; /* it is not closed behind that */
    bool later;   /* somebody answers by id, now is nothing to be said */
};

struct obey {
    const char *name;
    const struct verb *rows;
    unsigned row_n;
    /* Does it. False: refused, e says why. */
    bool (*act)(struct obey *o, struct obey_ask *ask, struct err *e);
    void (*cancel)(struct obey *o, uint64_t id); /* of any id; may be NULL */
    /* private */
    struct loop *loop;
    struct link link;
    uint64_t last_id;
};

/* Takes the descriptor. On failure it is closed. */
bool obey_start(struct obey *o, struct loop *l, int fd, struct err *e);
void obey_stop(struct obey *o);
/* Takes the value. The descriptor stays the caller's. */
void obey_result(struct obey *o, uint64_t id, struct val result, int fd);
void obey_error(struct obey *o, uint64_t id, const struct err *e);
/* Takes the value. False: it could not be sent. */
bool obey_progress(struct obey *o, uint64_t id, struct val value, struct err *e);

#endif
