/* log_hand.h - the log hand: a child of the warden that keeps what all the others say.
 *
 * For: the warden (warden_log.c), which forks it before anything else. Standard output and error of warden, reactor, hands and jobs
 *      are one pipe; this child has its reading end. What comes is kept in the ring (log_ring.h), line by line, and shown on the
 *      standard error the program was begun with, byte by byte as it came.
 * Owns: the ring.
 * Never: has a link, hears signals, opens anything but its folder; ends because of what is said, of a disk or of a terminal that
 *   does not take it. What standard error does not take within LIMIT_LOG_SHOW_MS is not shown there, and then how much that was.
 * Ends: when nobody is left who could write, also behind the warden's death: then everything has been kept.
 * Tried: tests/warden/log_hand. */
#ifndef WARDEN_LOG_HAND_H
#define WARDEN_LOG_HAND_H

#include "warden/jail.h"

struct log_hand {
    int from; /* the pipe's reading end */
    int to;   /* the real standard error */
    struct jail_root root;
    const char *folder; /* a plain name in it */
    bool change_user;
};

/* The child's whole life; gives the exit code. */
int log_hand(const struct log_hand *h);

#endif
