/* loop.h - the reactor: one thread, one epoll, and no waiting anywhere else.
 *
 * For: descriptors, timers, signals, children, and work before sleeping. Watches are intrusive: embed one in your own
 *      struct, the callback gets it back. Adding one allocates nothing but (timers) a slot in the heap.
 * Owns: the epoll and signal descriptors, nothing that is watched.
 * Never: blocks but in epoll_wait; calls anything a callback has removed. Removing any watch, also the one being called and
 *        ones whose event waits in this turn's batch, is legal inside any callback; so is freeing what embeds it.
 *
 * A turn, in this order:
 *   1 wait for events, at most until the next timer; not at all when work is left over
 *   2 call descriptors, signals and children that are ready
 *   3 call timers that are due, the earliest first
 *   4 run what was put off until before sleeping, phase by phase (enum loop_phase)
 * Time stands still within a turn: loop_now_ms is read once, behind the wait.
 *
 * It measures itself: the slowest callback by name, and how long turns take (without the wait).
 * Caveats: a callback must not take longer than a millisecond by design; long work goes in slices as a task that asks to be
 *   run again. Level triggered: who does not read everything is called again.
 * Tried: tests/loop/loop. */
#ifndef LOOP_LOOP_H
#define LOOP_LOOP_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct loop;

/* The struct that embeds a watch, from the watch a callback is given. */
#define LOOP_OWNER(type, member, pointer) ((type *)(void *)((uint8_t *)(pointer)-offsetof(type, member)))

/* --- descriptors --- */

enum { LOOP_READ = 1, LOOP_WRITE = 2, LOOP_GONE = 4 }; /* GONE: error or hang-up; comes unasked */

struct loop_fd {
    void (*call)(struct loop_fd *w, unsigned ready);
    const char *name; /* static: for the record of slow callbacks */
    /* private */
    struct loop *loop;
    int fd;
    unsigned wants;
};
/* The callback and the name are set by the caller. The descriptor stays the caller's. */
bool loop_fd_add(struct loop *l, struct loop_fd *w, int fd, unsigned wants, struct err *e);
bool loop_fd_want(struct loop_fd *w, unsigned wants, struct err *e);
void loop_fd_remove(struct loop_fd *w); /* before the descriptor is closed; nothing when it is not added */

/* --- timers --- */

struct loop_timer {
    void (*call)(struct loop_timer *t);
    const char *name;
    /* private */
    struct loop *loop;
    int64_t at_ms;
    size_t place;   /* in the heap, from 1; 0: not set */
    uint32_t round; /* of calling timers in which it was set */
};
/* At an absolute time on the monotonic clock; moves it when it was set. False: no memory. */
bool loop_timer_set(struct loop *l, struct loop_timer *t, int64_t at_ms);
void loop_timer_clear(struct loop_timer *t);
static inline bool loop_timer_is_set(const struct loop_timer *t) {
    return t->place != 0;
}

/* --- signals and children --- */

struct loop_signal {
    void (*call)(struct loop_signal *s);
    const char *name;
    /* private */
    struct loop *loop;
    struct loop_signal *next;
    int number;
};
/* The signal is blocked from then on and comes by the loop. Removing leaves it blocked. */
bool loop_signal_add(struct loop *l, struct loop_signal *s, int number, struct err *e);
void loop_signal_remove(struct loop_signal *s);

struct loop_child {
    void (*call)(struct loop_child *c, int status); /* as of waitpid; the watch is removed already, the child reaped */
    const char *name;
    /* private */
    struct loop_fd fd;
    pid_t pid;
};
bool loop_child_add(struct loop *l, struct loop_child *c, pid_t pid, struct err *e);
void loop_child_remove(struct loop_child *c);

/* --- before sleeping --- */

/* The order is a promise: nobody hears "done" before it is durable, each stream is written once a turn, nothing is freed
 * under anybody's feet. */
enum loop_phase {
    LOOP_COMMIT,    /* hand the journal what was committed */
    LOOP_ANSWER,    /* let go of replies whose revision is durable */
    LOOP_SPREAD,    /* tell watchers what changed */
    LOOP_WRITE_OUT, /* write what was gathered, once a stream */
    LOOP_CLOSE,     /* close what asked for it */
    LOOP_LATER,     /* slices of long work: encoding, releasing */
    LOOP_PHASE_N
};

struct loop_task {
    /* Returns whether it wants to be run again in the next turn, which then does not wait. */
    bool (*call)(struct loop_task *t);
    const char *name;
    /* private */
    struct loop *loop;
    struct loop_task *next, *prev;
    int8_t phase; /* -1: not queued */
};
/* Queues it for the phase of this turn, or of the next when that phase has passed; once, however often it is called. */
void loop_task_queue(struct loop *l, struct loop_task *t, enum loop_phase phase);
void loop_task_remove(struct loop_task *t);
#define LOOP_TASK(function, text)                                                                                      \
    { .call = (function), .name = (text), .phase = -1 }

/* --- the loop --- */

struct loop *loop_new(struct err *e);
/* Everything must have been removed. */
void loop_free(struct loop *l);
/* Turns until loop_stop; returns its code. */
int loop_run(struct loop *l);
void loop_stop(struct loop *l, int code);
/* One turn that waits at most so long (-1: until something happens). Returns how many callbacks were called. */
unsigned loop_turn(struct loop *l, int64_t most_ms);
/* The time of this turn on the monotonic clock. */
int64_t loop_now_ms(const struct loop *l);

/* Bytes every reader of the loop may use until it returns: what a stream reads lands here first. */
#define LOOP_SCRATCH 65536
uint8_t *loop_scratch(struct loop *l);

#define LOOP_TURN_BUCKETS 24
struct loop_stats {
    uint64_t turns, calls;
    uint64_t turn_us[LOOP_TURN_BUCKETS]; /* turns that took [2^i, 2^(i+1)) microseconds; the first also those below 1 */
    uint64_t slowest_us;                 /* of any callback */
    const char *slowest;
    unsigned fds, timers; /* watched now */
};
struct loop_stats loop_stats(const struct loop *l);
/* Forgets the slowest callback and the histogram. */
void loop_stats_reset(struct loop *l);

#endif
