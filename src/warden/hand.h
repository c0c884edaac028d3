/* hand.h - a hand: a child that stands beside the reactor and does one kind of work for it over a link of its own.
 *
 * For: the warden, which starts it, begins it again when it dies, and ends it with its reactor.
 * Owns: the child. The link's two ends are the child's and the reactor's; the warden keeps neither.
 * Ends by itself when the reactor's end of the link is closed; who does not within HAND_GRACE_MS is killed.
 * Tried: tests/warden/warden. */
#ifndef WARDEN_HAND_H
#define WARDEN_HAND_H

#include "loop/loop.h"

#define HAND_KEEP 16

#define HAND_GRACE_MS 2000

/* How long to wait before the next try: 100 ms, doubling to 10 s; what lived that long begins anew. */
#define REST_FIRST_MS 100
#define REST_MOST_MS  10000
struct rest {
    int64_t ms;
};
int64_t rest_next(struct rest *r, int64_t lived_ms);

enum hand_state {
    HAND_DOWN,    /* not there, and not wanted */
    HAND_UP,      /* there and wanted */
    HAND_ENDING,  /* there and not wanted. Timer: kills */
    HAND_RESTING, /* died, wanted. Timer: begins again */
};

struct hand {
    const char *name;    /* "disk", "sampler" */
    const char *process; /* as ps shows it */
    const int *keep;     /* descriptors the child has beside its link */
    unsigned keep_n;
    bool lasting; /* also begun again when it ended well: else its link was closed on purpose */
    int (*body)(struct hand *h, int link_fd); /* in the child */
    void (*again)(struct hand *h, int fd);    /* it was begun again; fd is the callee's */
    void (*down)(struct hand *h);             /* it is gone, and not begun again */
    struct loop *loop;
    /* private */
    enum hand_state state;
    pid_t pid;
    int status; /* of the last one, as of waitpid */
    int64_t began_at;
    struct rest rest;
    struct loop_child child;
    struct loop_timer timer;
};

/* The reactor's end of its link, or -1. Wants HAND_DOWN. */
int hand_start(struct hand *h, struct err *e);
/* It is no longer wanted; h->down is called when it is gone, unless it is down already. */
void hand_end(struct hand *h);
/* The same without grace. */
void hand_kill(struct hand *h);

#endif
