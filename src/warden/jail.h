/* jail.h - what a child of the warden may still do: nothing but what it needs.
 *
 * For: the reactor, hands and jobs, each right after its fork (close, rlimits), and once more when it has opened what it needs
 *      (identity, Landlock, seccomp).
 * Never: fails open. What the kernel lacks is told in struct jail_report, and whoever shows the state shows it.
 * Seccomp: a list of allowed calls per kind of child and per architecture (x86-64, arm64, arm, with the time64 calls); anything
 *   else is answered with ENOSYS and logged by the kernel (SECCOMP_FILTER_FLAG_LOG), so an update of libc does not kill
 *   boxes. Dangerous arguments (socket families, prctl, ioctl, fcntl F_SETOWN, mprotect PROT_EXEC) are refused likewise.
 * Tried: tests/warden/jail (as root and not). */
#ifndef WARDEN_JAIL_H
#define WARDEN_JAIL_H

#include "base/err.h"

#include <stdint.h>
#include <sys/types.h>

enum jail_kind {
    JAIL_REACTOR, /* sockets, no files at all, no children */
    JAIL_DISK,    /* files beneath its roots, no new sockets */
    JAIL_SAMPLER, /* reads /proc and /sys, no sockets */
    JAIL_COUNT    /* computes (Argon2id): memory and its link, nothing else */
};

struct jail_root {
    int dir;
    bool write;
};

struct jail {
    enum jail_kind kind;
    bool change_user; /* to uid and gid, with no further groups and no capability */
    uid_t uid;
    gid_t gid;
    const struct jail_root *roots; /* what Landlock leaves open */
    unsigned root_n;
};

struct jail_report {
    bool seccomp, landlock, user; /* each: in force */
    int landlock_abi;             /* 0: the kernel has none */
};

/* Closes every descriptor but 0, 1, 2 and those named; the parent's death kills this process; no core dumps. */
bool jail_begin(const int *keep, unsigned keep_n, pid_t parent, struct err *e);
/* Memory (address space) and CPU seconds and descriptors a child may use; 0: as it is. */
bool jail_limit(uint64_t memory, uint64_t cpu_s, uint64_t files, struct err *e);
/* For ever. False: the child must not go on. */
bool jail_enter(const struct jail *j, struct jail_report *report, struct err *e);

/* What this kernel has: its Landlock (0: none), filters of system calls. */
int jail_landlock_abi(void);
bool jail_has_seccomp(void);

#endif
