/* cgroup.h - a job's own control group: what it forks is counted with it and dies with it.
 *
 * For: job.c, kernel.status.
 * Owns: a descriptor of the group this process lives in; the groups it made beneath, named startbox-PID-N after this process.
 * Never: changes a group it has not made, nor which controllers a group hands down; touches the memory hierarchy of v1.
 * v2 (also where it stands beside v1): cgroup.kill, or before 5.14 the list of processes, one by one. v1: the same by the list,
 *   in the freezer, pids or systemd hierarchy, the first that is there.
 * A child enters its group itself, before it does anything else, so nothing it forks can stay outside.
 * Tried: tests/warden/warden. */
#ifndef WARDEN_CGROUP_H
#define WARDEN_CGROUP_H

#include "base/err.h"

#include <stdint.h>

enum cgroup_kind { CGROUP_NONE, CGROUP_V1, CGROUP_V2 };

struct cgroup_home {
    enum cgroup_kind kind;
    int dir;     /* of our own group; -1: none we could find and write to */
    bool memory; /* the kernel counts memory per group here */
    unsigned made;
};

/* Finds it, and removes empty groups that processes left who are no more. Nothing found is no failure. */
void cgroup_open(struct cgroup_home *h);
void cgroup_close(struct cgroup_home *h);
const char *cgroup_kind_name(enum cgroup_kind kind); /* "none", "v1", "v2" */

struct cgroup {
    int home; /* borrowed */
    int dir;  /* -1: there is none */
    int join; /* for cgroup_enter; -1 in none */
    char name[48];
};
#define CGROUP_INIT                                                                                                    \
    { .home = -1, .dir = -1, .join = -1 }

/* memory: the most its processes may have together where groups can say so, 0: any. False: the child goes without. */
bool cgroup_make(struct cgroup_home *h, struct cgroup *g, uint64_t memory, struct err *e);
/* In the child; closes what it had of it. */
bool cgroup_enter(struct cgroup *g, struct err *e);
/* Kills every process in it. Nothing when there is none. */
void cgroup_kill(const struct cgroup *g);
/* Removes the group. False: there are still processes in it; try again a little later. */
bool cgroup_remove(struct cgroup *g);

#endif
