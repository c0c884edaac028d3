/* jail_seccomp.c - the part of the jail that knows about system calls.
 *
 * One table of calls for all kinds of children: which kinds may make it, and what its arguments must be. Calls an
 * architecture lacks fall out by #ifdef, so the time64 calls of 32-bit ARM stand beside their elder sisters. From the table a
 * filter is written: the architecture must be ours (else the process dies: numbers would mean other calls), then the calls one
 * by one, the frequent ones first. Kernels from 5.11 on remember what is always allowed and do not run the filter for it.
 * Everything else, and a call with a forbidden argument, gets ENOSYS and a line in the kernel's log.
 * Arguments are compared in their low 32 bits: all of those checked here are int or unsigned int to the kernel, or flags
 *   whose dangerous bits are low. What a pointer points to cannot be seen from here.
 * Tried: tests/warden/jail. */
#include "warden/jail_room.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OUR_ARCH AUDIT_ARCH_AARCH64
#elif defined(__arm__) && defined(__ARM_EABI__)
#define OUR_ARCH AUDIT_ARCH_ARM
/* Elsewhere OUR_ARCH is missing and this does not compile: a list of calls must be looked through for each architecture. */
#endif

/* --- who --- */

enum {
    R = 1 << JAIL_REACTOR,
    D = 1 << JAIL_DISK,
    S = 1 << JAIL_SAMPLER,
    C = 1 << JAIL_COUNT,
    ALL = R | D | S | C,
    LOOP = R | D | S, /* those that turn a loop; a job that counts has its link and waits */
};

/* --- what the arguments must be --- */

#define ANY_VALUE 0xffffffffu /* as a mask */
#define OWN_PID   0xfffffffeu /* as a value: the number of this process */

struct want {
    int arg; /* -1: the list ends */
    uint32_t mask;
    int n;
    uint32_t values[10];
};

#define WANT_END                                                                                                       \
    { .arg = -1 }

static const struct want socket_wants[] = {
    {0, ANY_VALUE, 3, {AF_UNIX, AF_INET, AF_INET6}},
    {1, ~(uint32_t)(SOCK_NONBLOCK | SOCK_CLOEXEC), 2, {SOCK_STREAM, SOCK_DGRAM}},
    {2, ANY_VALUE, 3, {0, 6, 17}}, /* TCP, UDP; others would make the kernel load modules */
    WANT_END,
};
static const struct want pair_wants[] = {{0, ANY_VALUE, 1, {AF_UNIX}}, WANT_END};
static const struct want fcntl_wants[] = {
    {1, ANY_VALUE, 8, {F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD, F_DUPFD_CLOEXEC, F_GETPIPE_SZ, F_SETPIPE_SZ}},
    WANT_END,
};
/* How much waits in a socket, and the number of an interface by its name (fe80::1%eth0). */
static const struct want ioctl_wants[] = {{1, ANY_VALUE, 4, {FIONREAD, FIONBIO, TIOCOUTQ, 0x8933}}, WANT_END};
/* Names of threads and of memory; what a process is dies with it. */
static const struct want prctl_wants[] = {{0, ANY_VALUE, 3, {PR_SET_NAME, PR_GET_NAME, 0x53564d41}}, WANT_END};
static const struct want self_wants[] = {{0, ANY_VALUE, 1, {OWN_PID}}, WANT_END};
static const struct want read_only_wants[] = {
    {2, O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | O_APPEND | (O_TMPFILE & ~O_DIRECTORY), 1, {0}},
    WANT_END,
};
static const struct want no_exec_wants[] = {{2, PROT_EXEC, 1, {0}}, WANT_END};

/* --- the table --- */

struct call_row {
    int nr;
    unsigned who;
    const struct want *wants; /* NULL: any arguments */
};

#define X(name, who)         {__NR_##name, who, NULL},
#define XW(name, who, wants) {__NR_##name, who, wants},

static const struct call_row calls[] = {
/* every turn */
#ifdef __NR_epoll_wait
    X(epoll_wait, LOOP)
#endif
        X(epoll_pwait, LOOP)
#ifdef __NR_epoll_pwait2
            X(epoll_pwait2, LOOP)
#endif
                X(clock_gettime, ALL)
#ifdef __NR_clock_gettime64
                    X(clock_gettime64, ALL)
#endif
                        X(recvmsg, ALL) X(sendmsg, ALL) X(read, ALL) X(write, ALL) X(readv, ALL) X(writev, ALL)
                            X(sendto, ALL) X(recvfrom, ALL)
#ifdef __NR_send
                                X(send, ALL) X(recv, ALL)
#endif
                                    X(recvmmsg, R) X(sendmmsg, R)
#ifdef __NR_recvmmsg_time64
                                        X(recvmmsg_time64, R)
#endif
                                            X(epoll_ctl, LOOP) X(accept4, R) X(close, ALL) X(splice, R | D)
                                                X(pwrite64, D) X(pread64, D | S) X(fdatasync, D)
    /* memory */
    X(brk, ALL) X(munmap, ALL) X(mremap, ALL) X(madvise, ALL)
#ifdef __NR_mmap
        XW(mmap, ALL, no_exec_wants)
#endif
#ifdef __NR_mmap2
            XW(mmap2, ALL, no_exec_wants)
#endif
                XW(mprotect, ALL, no_exec_wants)
    /* time, randomness, who am I */
    X(getrandom, ALL) X(clock_getres, ALL) X(gettimeofday, ALL) X(nanosleep, ALL) X(clock_nanosleep, ALL)
#ifdef __NR_clock_getres_time64
        X(clock_getres_time64, ALL) X(clock_nanosleep_time64, ALL)
#endif
#ifdef __NR_time
            X(time, ALL)
#endif
                X(getpid, ALL) X(gettid, ALL) X(getppid, ALL) X(getuid, ALL) X(geteuid, ALL) X(getgid, ALL) X(getegid,
                                                                                                              ALL)
#ifdef __NR_getuid32
                    X(getuid32, ALL) X(geteuid32, ALL) X(getgid32, ALL) X(getegid32, ALL)
#endif
                        X(uname, ALL) X(sysinfo, ALL) X(getrusage, ALL) X(times, ALL) X(sched_yield, ALL) X(futex, ALL)
#ifdef __NR_futex_time64
                            X(futex_time64, ALL)
#endif
    /* signals to itself only, and ending */
    X(rt_sigaction, ALL) X(rt_sigprocmask, ALL) X(rt_sigreturn, ALL) X(restart_syscall, ALL)
#ifdef __NR_sigreturn
        X(sigreturn, ALL)
#endif
            X(signalfd4, LOOP) XW(tgkill, ALL, self_wants) XW(tkill, ALL, self_wants) X(exit, ALL) X(exit_group, ALL)
    /* descriptors */
    X(epoll_create1, LOOP) XW(fcntl, ALL, fcntl_wants)
#ifdef __NR_fcntl64
        XW(fcntl64, ALL, fcntl_wants)
#endif
            X(dup, ALL) X(dup3, ALL)
#ifdef __NR_dup2
                X(dup2, ALL)
#endif
                    X(pipe2, R | D) XW(ioctl, ALL, ioctl_wants)
#ifdef __NR_poll
                        X(poll, ALL)
#endif
                            X(ppoll, ALL)
#ifdef __NR_ppoll_time64
                                X(ppoll_time64, ALL)
#endif
                                    X(lseek, ALL) X(fstat, ALL)
#ifdef __NR__llseek
                                        X(_llseek, ALL)
#endif
#ifdef __NR_fstat64
                                            X(fstat64, ALL)
#endif
                                                XW(prctl, ALL, prctl_wants)
    /* sockets. No listen: that is the warden's, and it would bind without asking Landlock */
    XW(socket, R, socket_wants) XW(socketpair, R | D, pair_wants) X(connect, R) X(bind, R) X(shutdown, ALL)
        X(getsockname, ALL) X(getpeername, ALL) X(getsockopt, ALL) X(setsockopt, ALL)
    /* files */
    X(openat, D) XW(openat, S, read_only_wants) X(openat2, D) X(statx, D | S)
#ifdef __NR_newfstatat
        X(newfstatat, D | S)
#endif
#ifdef __NR_fstatat64
            X(fstatat64, D | S)
#endif
                X(getdents64, D | S) X(readlinkat, D | S) X(statfs, D | S) X(fstatfs, D | S)
#ifdef __NR_statfs64
                    X(statfs64, D | S) X(fstatfs64, D | S)
#endif
                        X(preadv, D | S) X(pwritev, D) X(preadv2, D) X(pwritev2, D) X(fsync, D) X(ftruncate, D)
                            X(fallocate, D)
#ifdef __NR_ftruncate64
                                X(ftruncate64, D)
#endif
                                    X(mkdirat, D) X(fchdir, D) X(unlinkat, D) X(renameat2, D)
#ifdef __NR_renameat
                                        X(renameat, D)
#endif
                                            X(fchmod, D) X(fchmodat, D) X(utimensat, D)
#ifdef __NR_utimensat_time64
                                                X(utimensat_time64, D)
#endif
                                                    X(flock, D) X(umask, D) X(faccessat, D) X(sendfile, D)
                                                        X(copy_file_range, D)
#ifdef __NR_sendfile64
                                                            X(sendfile64, D)
#endif
#ifdef __NR_fadvise64
                                                                X(fadvise64, D)
#endif
#ifdef __NR_fadvise64_64
                                                                    X(fadvise64_64, D)
#endif
#ifdef __NR_arm_fadvise64_64
                                                                        X(arm_fadvise64_64, D)
#endif
#ifdef __NR_sync_file_range
                                                                            X(sync_file_range, D)
#endif
#ifdef __NR_arm_sync_file_range
                                                                                X(arm_sync_file_range, D)
#endif
                                                                                    X(inotify_init1, D)
                                                                                        X(inotify_add_watch, D)
                                                                                            X(inotify_rm_watch, D)
#if JAIL_SANITIZED && defined(STARTBOX_TEST)
    /* THE WIDER LIST OF THE SANITIZERS, in test builds only: alternate stacks, and what their reports ask. No file, no child. */
    X(sigaltstack, ALL) X(prlimit64, ALL) X(sched_getaffinity, ALL)
#ifdef __NR_getrlimit
        X(getrlimit, ALL)
#endif
#endif
};

#undef X
#undef XW

/* --- writing the filter --- */

#define FILTER_MOST 1024 /* the kernel takes 4096 */

struct filter {
    struct sock_filter code[FILTER_MOST];
    unsigned n;
};

static void put(struct filter *f, uint16_t code, uint8_t if_true, uint8_t if_false, uint32_t k) {
    if (f->n < FILTER_MOST) f->code[f->n] = (struct sock_filter){code, if_true, if_false, k};
    f->n++;
}

static void put_answer(struct filter *f, uint32_t answer) {
    put(f, BPF_RET | BPF_K, 0, 0, answer);
}

static void put_load(struct filter *f, size_t offset) {
    put(f, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)offset);
}

#define REFUSE (SECCOMP_RET_ERRNO | (ENOSYS & SECCOMP_RET_DATA))

/* Refuses unless the argument, masked, is one of the values. */
static void put_want(struct filter *f, const struct want *w, uint32_t own_pid) {
    put_load(f,
             offsetof(struct seccomp_data, args) + (size_t)w->arg * sizeof(uint64_t)); /* little endian: the low half */
    if (w->mask != ANY_VALUE) put(f, BPF_ALU | BPF_AND | BPF_K, 0, 0, w->mask);
    for (int i = 0; i < w->n; i++) {
        uint32_t value = w->values[i] == OWN_PID ? own_pid : w->values[i];
        put(f, BPF_JMP | BPF_JEQ | BPF_K, (uint8_t)(w->n - i), 0, value); /* over the other values and the refusal */
    }
    put_answer(f, REFUSE);
}

static void put_call(struct filter *f, const struct call_row *row, uint32_t own_pid) {
    unsigned jump = f->n;
    put(f, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, (uint32_t)row->nr);
    for (const struct want *w = row->wants; w && w->arg >= 0; w++) put_want(f, w, own_pid);
    put_answer(f, SECCOMP_RET_ALLOW);
    /* The accumulator holds an argument behind a check, but every way through one ends in an answer. */
    if (f->n <= FILTER_MOST) f->code[jump].jf = (uint8_t)(f->n - jump - 1);
}

static bool write_filter(struct filter *f, enum jail_kind kind) {
    f->n = 0;
    put_load(f, offsetof(struct seccomp_data, arch));
    put(f, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, OUR_ARCH);
    put_answer(f, SECCOMP_RET_KILL_PROCESS);
    put_load(f, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        if (calls[i].who & 1u << kind) put_call(f, &calls[i], (uint32_t)getpid());
    put_answer(f, REFUSE);
    return f->n <= FILTER_MOST;
}

/* Kernels without filters refuse the question, and so do emulators. */
bool jail_has_seccomp(void) {
    int os = errno;
    bool has = prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0;
    errno = os;
    return has;
}

bool jail_seccomp(enum jail_kind kind, bool *in_force, struct err *e) {
    struct filter f;
    *in_force = false;
    if (!write_filter(&f, kind)) return err_set(e, ERR_UNKNOWN, "the list of system calls is too long for one filter");
    struct sock_fprog program = {(unsigned short)f.n, f.code};
    if (syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_LOG, &program) == 0) {
        *in_force = true;
        return true;
    }
    return !jail_has_seccomp() || err_os(e, ERR_UNKNOWN, errno, "putting the filter of system calls in force");
}
