/* rpc.h - the table of methods, and calls on their way: found by name, held against their row, run, answered.
 *
 * For: everyone who brings calls (HTTP, the local socket, guests, MCP, the command line of the same process). They meet all of them in
 *      the same shape: a caller and a call; a handler never asks which way a call came.
 * Owns: the index of names; calls that are not answered yet.
 * Never: knows a transport. Answers a call twice.
 *
 * The order of refusals is StartOS': no such method (also for who may not call it), then who calls, then the parameters.
 * An answer given in the handler reaches rpc_call.done at once, from inside rpc_start, unless it has to wait until what was changed
 *   is settled (state.h): every change but of rows marked at_once. What never becomes durable is answered with the reason.
 * Tried: tests/rpc/rpc. */
#ifndef RPC_RPC_H
#define RPC_RPC_H

#include "rpc/method.h"
#include "state/state.h"

/* Who calls; the way it came in fills it, and it stays while the call does. */
struct rpc_caller {
    enum caller_kind kind;
    struct slice name; /* of the session, the key, the service, ...; empty for nobody and local */
    struct slice
        from; /* the other end's address, for logs and limits: an IPv6 one by its /64; empty: on the box itself */
    struct slice agent; /* what the other end calls itself; may be empty */
    const char *why;    /* of nobody: why what was shown counts for nothing; NULL: nothing was shown. Static */
};

struct rpc;

struct rpc_call {
    /* The answer: a result (taken out by setting it to VAL_NONE, else it is released behind the callback), or the reason. `revision`: the
     * newest that the answer tells of; 0: none. The call is over, and may be used again or freed. */
    void (*done)(struct rpc_call *c, struct val *result, uint64_t revision, const struct err *why);
    const struct rpc_caller *caller;
    /* In done: a revision that every reader of the tree hears of (it touches what they see), the newest one that the answer, or the
     * refusal, may rest on. */
    uint64_t shown;

    /* for handlers */
    const struct method *method;
    struct rpc *rpc;
    struct val params; /* as the row wants them */
    /* Set by a handler that answers later: it was cancelled, or its time is over; nothing may be answered any more. */
    void (*drop)(struct rpc_call *c);
    void *own; /* the handler's */

    /* private */
    struct rpc_call *next, *prev;
    struct loop_timer timer;
    struct state_hold hold;
    struct val result;
    uint64_t revision;
    bool open, answered;
    int64_t began_us;
    struct rpc_row_counts *counts; /* of its row, once it was admitted */
    bool *over;                    /* of the rpc_start that is running it */
};

struct rpc_config {
    struct loop *loop;
    struct state *state; /* NULL: nothing is changed */
    struct feeds *feeds; /* NULL: no row begins one */
    unsigned where;      /* this program's bit: rows that live elsewhere are left out */
    const struct method *const *rows;
    size_t row_n;
};

/* Refuses rows that method_check refuses, and names that appear twice. */
struct rpc *rpc_new(const struct rpc_config *config, struct err *e);
/* Calls that are open are dropped, without an answer. */
void rpc_free(struct rpc *r);
void rpc_phase(struct rpc *r, unsigned phase); /* PHASE_*: rows of other phases are not there; at first PHASE_RUN */
unsigned rpc_phase_now(const struct rpc *r);
struct state *rpc_state(const struct rpc *r);
/* It came later, or is gone (NULL). No call may be waiting until something is settled. */
void rpc_set_state(struct rpc *r, struct state *s);
struct feeds *rpc_feeds(const struct rpc *r);
/* What a room keeps for its handlers, under an address of its own. Set once each, before anything is called. */
#define RPC_OWNS 16
void rpc_set_own(struct rpc *r, const void *room, void *own);
void *rpc_own(const struct rpc *r, const void *room); /* NULL: not set */

/* The i-th row by name; NULL behind the last. */
const struct method *rpc_row(const struct rpc *r, size_t i);

/* Begins a call whose done and caller are set. `params` is borrowed. done comes, from inside or later, unless it is cancelled. */
void rpc_start(struct rpc *r, struct rpc_call *c, struct slice method, const struct val *params);
/* Nothing of it is heard again. Nothing when it is over. */
void rpc_cancel(struct rpc_call *c);

/* --- for handlers; once --- */

/* The result is taken; VAL_NONE: no memory. */
void rpc_give(struct rpc_call *c, struct val result);
void rpc_give_null(struct rpc_call *c);
void rpc_fail(struct rpc_call *c, const struct err *why);

/* --- looking --- */

struct rpc_counts {
    uint64_t calls, failed, refused, late; /* refused: before a handler was asked; late: their time was over */
    size_t open;
};
struct rpc_counts rpc_counts(const struct rpc *r);
/* Of the i-th row (rpc_row). How long: from its beginning to its answer; [i]: up to 10^i times 100 microseconds, the last all longer. */
#define RPC_BUCKETS 6
struct rpc_row_counts {
    uint64_t failed, us, took[RPC_BUCKETS];
};
struct rpc_row_counts rpc_row_counts(const struct rpc *r, size_t i);

#ifdef STARTBOX_TEST
/* Hears of every answered call: so a test knows which rows were tried, and that results are as their rows say. */
void rpc_listen(struct rpc *r,
                void (*heard)(void *arg, const struct method *m, const struct val *params, const struct val *result),
                void *arg);
#endif

#endif
