/* call.h - asking the warden or a hand to do something, and hearing how it went.
 *
 * For: everyone in the reactor. Embed a struct call in what waits for the answer.
 * Owns: a port owns the link and knows the calls that are open. What is asked is counted by LIMIT_LINK_CALLS.
 * Never: answers from inside call_start, call_cancel or port_stop; calls anything of a call after done, or after
 *        call_cancel.
 * Inside any callback the call, the port, or what embeds them may be freed (an open call cancelled, a port stopped
 * first). An answer or a progress that cannot be read ends its call with the reason. Answers to calls that are not open
 * are dropped, descriptors closed. Has no clock: the other side holds deadlines; who needs one of its own cancels.
 * Tried: tests/warden/call. */
#ifndef WARDEN_CALL_H
#define WARDEN_CALL_H

#include "warden/link.h"

/* What came of it. It is released behind the callback, so what is to be kept must be taken out: the result set to
 * VAL_NONE, a descriptor to -1 (call_answer_take_fd does). */
struct call_answer {
    struct val result; /* VAL_NONE on failure */
    int fds[LIMIT_LINK_FDS];
    unsigned fd_n;
    struct err err; /* code ERR_NONE: it went well */
};

static inline int call_answer_take_fd(struct call_answer *a, unsigned i) {
    int fd = i < a->fd_n ? a->fds[i] : -1;
    if (i < a->fd_n) a->fds[i] = -1;
    return fd;
}

struct call {
    void (*done)(struct call *c, struct call_answer *a);
    void (*progress)(struct call *c, const struct val *value); /* may be NULL */
    void (*line)(struct call *c, struct slice text);           /* a log line; NULL: goes to the log */
    /* private */
    struct port_room *room; /* NULL: not open */
    uint64_t id;
    struct call *next, *prev;
};

/* The asking end of a link. */
struct port {
    /* What came unasked; frame holds its descriptors (link_frame_take_fd). May be NULL. */
    void (*notice)(struct port *p, struct slice name, const struct val *value, struct link_frame *frame);
    /* The other end is gone: every open call has been answered with ERR_NETWORK before. The port is stopped. May be
     * NULL. */
    void (*gone)(struct port *p);
    const char *name;
    /* private */
    struct link link;
    struct port_room *room; /* the open calls; on the heap: it outlives the port until they are answered */
};
/* Takes the descriptor. On failure it is closed. */
bool port_start(struct port *p, struct loop *l, int fd, struct err *e);
/* Calls that are open are answered with ERR_CANCELLED in the loop's next phase LOOP_ANSWER, but for those cancelled by
 * then. The port itself may be freed, or started again, right behind it. Nothing when it is not started. */
void port_stop(struct port *p);
static inline bool port_up(const struct port *p) {
    return p->link.fd.loop != NULL;
}

/* Takes args; descriptors stay the caller's. False: it could not be sent, done will not be called. most_ms 0: the
 * verb's own deadline. */
bool call_start(struct call *c, struct port *p, const char *verb, struct val args, const int *fds, unsigned fd_n,
                uint64_t most_ms, struct err *e);
/* Nothing of this call is heard again; the other end is told to stop. Nothing when it is not open. */
void call_cancel(struct call *c);
static inline bool call_is_open(const struct call *c) {
    return c->room != NULL;
}
/* The port of an open call; NULL when it is not open, or its port is stopped and the call about to be answered. */
struct port *call_port(const struct call *c);

#endif
