/* job.h - a job: a child made for one request. It may take long and much memory, it has a deadline, and it is jailed.
 *
 * For: the warden. A job's row says what may be asked (verb.h), who does it in which jail with how much, and how many at once;
 *      what is over that waits in a short queue.
 * Owns: running and waiting jobs, each with its arguments, descriptors, child, link and control group.
 * Never: believes a job: what comes from it is frames of link.h like any other's, and only progress, lines and one answer.
 * Ends: by its answer, its deadline, job_cancel, or its own death; then everything in its group is killed, and the group goes.
 *   Every job that was begun is answered exactly once, but not behind jobs_silence.
 * Tried: tests/warden/warden, tests/warden/mad. */
#ifndef WARDEN_JOB_H
#define WARDEN_JOB_H

#include "warden/cgroup.h"
#include "warden/jail.h"
#include "warden/link.h"
#include "warden/verb.h"

/* --- what a job does, in its own process --- */

struct job_call {
    const struct val *args; /* checked against the row */
    const int *fds;
    unsigned fd_n;
    const void *facts; /* the row's */
    void *own;         /* what open made for run */
    bool change_user;  /* whom run becomes */
    uid_t uid;
    gid_t gid;
    int out[LIMIT_LINK_FDS]; /* descriptors that go with the result */
    unsigned out_n;
    int link; /* private */
};
void job_progress(struct job_call *c, struct val value); /* takes it */
void job_line(struct job_call *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

struct job_row {
    struct verb verb;
    bool (*run)(struct job_call *c, struct val *result, struct err *e);
    bool (*prepare)(struct err *e); /* before the jail closes; may be NULL */
    /* The same, with the call: opens what run will read, or does what wants rights that the jail takes; may be NULL. Here stands only
     * what follows from checked arguments: whatever reads foreign bytes is done in run. */
    bool (*open)(struct job_call *c, struct err *e);
    const void *facts;
    enum jail_kind jail;
    uint64_t memory, cpu_s, files; /* 0: as it is */
    unsigned group;                /* rows with the same number (not 0) count together in at_once and queue */
    unsigned at_once, queue;       /* 0: only LIMIT_JOBS */
};

/* --- the warden's side --- */

struct job;

struct jobs {
    struct loop *loop;
    void *owner;
    /* One of result (with descriptors) and e. */
    void (*answer)(struct jobs *all, uint64_t id, const struct val *result, const int *fds, unsigned fd_n,
                   const struct err *e);
    void (*tell)(struct jobs *all, enum link_kind kind, uint64_t id, const struct val *value); /* progress, a line */
    void (*quiet)(struct jobs *all); /* the last one is over */
    bool change_user;                /* whom jobs become */
    uid_t uid;
    gid_t gid;
    struct cgroup_home home;
    bool groups; /* the last job got its own group */
    /* private */
    struct job *first;
    unsigned running, open; /* with a child; not answered yet */
    bool told_groups;
};

/* Takes args, and the descriptors of the frame. False: it was not begun, nobody will be answered. most_ms 0: the row's. */
bool job_begin(struct jobs *all, const struct job_row *row, uint64_t id, struct val *args, struct link_frame *frame,
               uint64_t most_ms, struct err *e);
/* The job with this id is ended and answered with ERR_CANCELLED. False: there is none. */
bool job_cancel(struct jobs *all, uint64_t id);
bool job_find(const struct jobs *all, uint64_t id);
/* All are ended, and nobody is answered. */
void jobs_silence(struct jobs *all);

#endif
