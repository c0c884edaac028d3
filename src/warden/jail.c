/* jail.c - see jail.h. Landlock is jail_landlock.c, seccomp jail_seccomp.c. */
#include "warden/jail_room.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef __NR_close_range
#define __NR_close_range 436 /* the same on every architecture */
#endif

#define KEEP_MOST 64

/* --- right behind the fork --- */

/* Before 5.9, under an emulator: one by one. */
static void close_from_to(unsigned first, unsigned last) {
    if (first > last || syscall(__NR_close_range, first, last, 0) == 0) return;
    long most = sysconf(_SC_OPEN_MAX);
    if (most < 0 || most > 65536) most = 65536;
    for (unsigned fd = first; fd <= last && fd < (unsigned)most; fd++) close((int)fd);
}

static bool close_others(const int *keep, unsigned keep_n, struct err *e) {
    int sorted[KEEP_MOST];
    unsigned n = 0;
    if (keep_n > KEEP_MOST) return err_limit(e, "descriptors a child keeps", KEEP_MOST, ERR_NOWHERE);
    for (unsigned i = 0; i < keep_n; i++) {
        if (keep[i] <= 2) continue;
        unsigned at = n++;
        for (; at > 0 && sorted[at - 1] > keep[i]; at--) sorted[at] = sorted[at - 1];
        sorted[at] = keep[i];
    }
    unsigned next = 3;
    for (unsigned i = 0; i < n; i++) {
        if ((unsigned)sorted[i] < next) continue; /* named twice */
        close_from_to(next, (unsigned)sorted[i] - 1);
        next = (unsigned)sorted[i] + 1;
    }
    close_from_to(next, ~0u);
    return true;
}

/* The parent watches signals by descriptor, so they are blocked in it: a child begins as if nothing had been set. */
static void reset_signals(void) {
    struct sigaction plain = {.sa_handler = SIG_DFL}, ignore = {.sa_handler = SIG_IGN};
    for (int i = 1; i < NSIG; i++)
#if JAIL_SANITIZED
        if (i != SIGSEGV && i != SIGBUS && i != SIGFPE && i != SIGILL && i != SIGABRT) /* the sanitizers' reports */
#endif
            sigaction(i, &plain, NULL); /* SIGKILL and SIGSTOP refuse, which is as it should be */
    sigaction(SIGPIPE, &ignore, NULL);  /* a pipe whose reader left is an ordinary error of the call */
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool die_with(pid_t parent, struct err *e) {
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))
        return err_os(e, ERR_UNKNOWN, errno, "binding a child to its parent");
    /* It may have died before that was in force. */
    return getppid() == parent || err_set(e, ERR_CANCELLED, "the parent of this process is gone");
}

bool jail_begin(const int *keep, unsigned keep_n, pid_t parent, struct err *e) {
    struct rlimit none = {0, 0};
    if (!close_others(keep, keep_n, e)) return false;
    reset_signals();
    if (!die_with(parent, e)) return false;
    /* Memory of ours is nobody else's: no core, no debugger of the same user. */
    if (setrlimit(RLIMIT_CORE, &none) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
        return err_os(e, ERR_UNKNOWN, errno, "switching core dumps off");
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ||
           err_os(e, ERR_UNKNOWN, errno, "giving up ways to new privileges");
}

/* --- how much --- */

static bool limit_one(int what, uint64_t most, const char *name, struct err *e) {
    if (!most) return true;
    struct rlimit now, want;
    if (getrlimit(what, &now)) return err_os(e, ERR_UNKNOWN, errno, "asking for the limit of %s", name);
    rlim_t to = most > (uint64_t)(rlim_t)-2 ? RLIM_INFINITY : (rlim_t)most;
    if (now.rlim_max != RLIM_INFINITY && to > now.rlim_max) to = now.rlim_max;
    want.rlim_cur = want.rlim_max = to;
    /* A second between SIGXCPU, which tells why, and SIGKILL. */
    if (what == RLIMIT_CPU && to < now.rlim_max) want.rlim_max = to + 1;
    return setrlimit(what, &want) == 0 || err_os(e, ERR_UNKNOWN, errno, "setting the limit of %s", name);
}

bool jail_limit(uint64_t memory, uint64_t cpu_s, uint64_t files, struct err *e) {
    if (JAIL_SANITIZED) memory = 0; /* their shadow alone is terabytes of addresses */
    return limit_one(RLIMIT_AS, memory, "memory", e) && limit_one(RLIMIT_CPU, cpu_s, "processor time", e) &&
           limit_one(RLIMIT_NOFILE, files, "descriptors", e);
}

/* --- who --- */

/* Wants CAP_SETPCAP; without it there was nothing to gain by exec either, and no_new_privs holds. */
static void drop_bounding(void) {
    for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
}

static bool drop_capabilities(struct err *e) {
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}, {0}};
    return syscall(SYS_capset, &head, none) == 0 || err_os(e, ERR_UNKNOWN, errno, "giving up capabilities");
}

static bool change_user(uid_t uid, gid_t gid, struct err *e) {
    if (setgroups(0, NULL)) return err_os(e, ERR_UNKNOWN, errno, "leaving the groups");
    if (setresgid(gid, gid, gid)) return err_os(e, ERR_UNKNOWN, errno, "becoming group %u", (unsigned)gid);
    if (setresuid(uid, uid, uid)) return err_os(e, ERR_UNKNOWN, errno, "becoming user %u", (unsigned)uid);
    uid_t real, effective, saved;
    if (getresuid(&real, &effective, &saved) || real != uid || effective != uid || saved != uid)
        return err_set(e, ERR_UNKNOWN, "this process did not become user %u", (unsigned)uid);
    return true;
}

/* Where root stays root and Landlock is missing: a folder that is in no folder any more, so nothing is beneath it and
 * nothing can be made in it. What is open stays open. */
static bool enter_nowhere(struct err *e) {
    char name[] = "/tmp/startbox-nowhere-XXXXXX";
    if (!mkdtemp(name)) return err_os(e, ERR_FILESYSTEM, errno, "making an empty folder");
    int failed = chdir(name), os = errno;
    if (rmdir(name) && !failed) {
        failed = -1;
        os = errno;
    }
    if (!failed && (failed = chroot("."))) os = errno;
    return !failed || err_os(e, ERR_FILESYSTEM, os, "shutting this process into an empty folder");
}

bool jail_enter(const struct jail *j, struct jail_report *report, struct err *e) {
    struct jail_report r = {0};
    pid_t parent = getppid(); /* alive: else its death had killed us */
    bool bound = false;
    int signal_set = 0;
    if (prctl(PR_GET_PDEATHSIG, &signal_set, 0, 0, 0) == 0) bound = signal_set != 0;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return err_os(e, ERR_UNKNOWN, errno, "giving up ways to new privileges");
    if (!jail_landlock(j, &r.landlock, &r.landlock_abi, e)) return false;
    uid_t then = j->change_user ? j->uid : geteuid();
    if (!r.landlock && then == 0 && geteuid() == 0 && !enter_nowhere(e)) return false;
    /* The bounding set goes first: it wants a capability. Those held go last: changing the user wants them. */
    drop_bounding();
    if (j->change_user && !change_user(j->uid, j->gid, e)) return false;
    r.user = j->change_user;
    if (!drop_capabilities(e)) return false;
    /* Changing the user has switched both of these back. */
    if (bound && !die_with(parent, e)) return false;
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)) return err_os(e, ERR_UNKNOWN, errno, "switching core dumps off");
    if (!jail_seccomp(j->kind, &r.seccomp, e)) return false;
    if (report) *report = r;
    return true;
}
