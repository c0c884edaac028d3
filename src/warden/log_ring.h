/* log_ring.h - the files of our own log: startd.log, and behind it startd.log.1 (younger) to the oldest, in one folder.
 *
 * For: the log hand. Lines are numbered here, over files and starts: the first number of a start follows the last that is kept.
 * Owns: its folder and the file that is written, and the lines since the last flush.
 * Never: fails its caller. What cannot be kept is counted; LIMIT_LOG_AGAIN_MS later it is tried anew, and then a line says how
 *   many are missing and why. Syncs a single line: after a power cut the last half a minute may be missing.
 * A last line that is not whole (a power cut) is dropped at the next start. A file that was removed or cut by somebody else is
 *   begun anew.
 * Tried: tests/warden/log_ring (every call failing in turn, killed at every call). */
#ifndef WARDEN_LOG_RING_H
#define WARDEN_LOG_RING_H

#include "warden/logline.h"

#define LOG_RING_NAME "startd.log"

struct log_ring {
    int root;           /* descriptor of the folder above; the caller's */
    const char *folder; /* its name there; made when it is missing */
    char boot[LOGLINE_BOOT + 1];
    /* how it fares */
    bool broken;     /* what comes is lost for now */
    struct err why;  /* the last reason */
    uint64_t missed; /* lines since then */
    uint64_t seq;    /* number of the last line */
    /* private */
    int dir, fd;
    uint64_t size;
    int64_t again_at;
    bool numbered;      /* it is known where the files ended */
    struct buf out;     /* lines to be written together */
    uint64_t out_lines; /* how many these are */
};

/* Opens nothing yet. */
void log_ring_init(struct log_ring *r, int root, const char *folder, const char *boot);
/* One line, without its newline. It is on its way; log_ring_flush writes it. */
void log_ring_add(struct log_ring *r, struct slice line);
void log_ring_flush(struct log_ring *r);
/* Flushes and closes. */
void log_ring_release(struct log_ring *r);

#endif
