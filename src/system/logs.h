/* logs.h - our own log read backwards, a piece of a file at a time, through the disk hand. Private to src/system.
 *
 * For: logs.c (pages of it) and logs_follow.c (what was said lately, then what comes).
 * A cursor is the number of a line, as text. Lines that are none (torn by a power cut) are passed over.
 * Tried: tests/cli/logs.sh. */
#ifndef SYSTEM_LOGS_H
#define SYSTEM_LOGS_H

#include "system/room.h"

#define LOGS_ROOT   "data"
#define LOGS_FOLDER "logs"
#define LOGS_FILES  8

/* What is wanted. */
struct logs_want {
    uint64_t limit;
    uint64_t cursor; /* 0: none */
    bool before;     /* of the cursor: what came before it; else behind it */
    bool by_index;   /* of boots: how many back from the newest; 0: this one */
    unsigned index;
    char boot[33]; /* this one; "": all */
};
bool logs_want_read(const struct val *params, struct logs_want *w, struct err *e);

struct logs_entry {
    uint64_t seq;
    struct val shown; /* {timestamp, message, bootId} */
};

struct logs_scan {
    void (*done)(struct logs_scan *s, const struct err *why);
    struct system *system;
    struct logs_want want;
    /* what was found: oldest first */
    struct logs_entry *entries;
    size_t n;
    /* where the newest file ended when the scan began */
    uint64_t end, newest_id;
    /* private */
    size_t cap;
    struct call call;
    struct {
        char name[24];
        uint64_t size;
    } files[LOGS_FILES]; /* newest first */
    unsigned file_n, file;
    uint64_t at; /* of the file at hand: what stands before is still to be read */
    struct buf carry;
    char boots[16][33];
    unsigned boot_n;
    bool over;
};
/* done comes later. logs_scan_end: nothing is called any more; what was found is given back. */
bool logs_scan_begin(struct logs_scan *s, struct err *e);
void logs_scan_end(struct logs_scan *s);

/* One line of a file as clients see it; VAL_NONE: it is none. */
struct val logs_show(struct slice line, uint64_t *seq, char boot[33]);
struct val logs_cursor(uint64_t seq);

extern const struct shape logs_params_shape, logs_follow_params_shape, logs_result_shape, logs_follow_result_shape;
void logs_run_follow(struct rpc_call *c);
void logs_run_kernel(struct rpc_call *c);
void logs_run_kernel_follow(struct rpc_call *c);

#endif
