/* jail.c - what a jailed child can no longer do, what it still can, and that this is for ever: in real processes. */
#include "jails.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>

/* --- beginning --- */

static void look_at_descriptors(void *arg) {
    (void)arg;
    struct err e = ERR_INIT;
    int keep[3];
    for (int i = 0; i < 3; i++) keep[i] = -1;
    for (int i = 10; i < 300; i += 7) dup2(0, i);
    keep[0] = 24;
    keep[1] = 17;
    keep[2] = 24; /* named twice */
    must_do(jail_begin(keep, 3, getppid(), &e), &e);
    for (int i = 3; i < 1000; i++)
        if (fcntl(i, F_GETFD) >= 0) note("open", i);
}

TEST(a_child_keeps_the_descriptors_it_was_given_and_no_other) {
    CHECK_INT(in_child(look_at_descriptors, NULL), 0);
    CHECK_INT(*note_n, 2);
    CHECK_INT(notes[0].got, 17);
    CHECK_INT(notes[1].got, 24);
}

static void look_at_process(void *arg) {
    (void)arg;
    struct err e = ERR_INIT;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGUSR1, SIG_IGN);
    must_do(jail_begin(NULL, 0, getppid(), &e), &e);
    struct rlimit core;
    getrlimit(RLIMIT_CORE, &core);
    note("core, now", (long long)core.rlim_cur);
    note("core, ever", (long long)core.rlim_max);
    note("dumpable", prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
    note("new privileges are possible", !prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    int death = 0;
    prctl(PR_GET_PDEATHSIG, &death, 0, 0, 0);
    note("signal at the parent's death", death - SIGKILL);
    sigprocmask(SIG_BLOCK, NULL, &set);
    note("SIGTERM is blocked", sigismember(&set, SIGTERM));
    struct sigaction was;
    sigaction(SIGUSR1, NULL, &was);
    note("SIGUSR1 is ignored", was.sa_handler != SIG_DFL);
}

TEST(a_child_begins_without_cores_new_privileges_and_inherited_signals) {
    CHECK_INT(in_child(look_at_process, NULL), 0);
    check_notes(7, 0);
}

static void be_orphan(void *arg) {
    (void)arg;
    struct err e = ERR_INIT;
    note("begun by a stranger", jail_begin(NULL, 0, getppid() + 1, &e));
}

TEST(a_child_whose_parent_is_gone_already_does_not_begin) {
    CHECK_INT(in_child(be_orphan, NULL), 0);
    check_notes(1, 0);
}

/* A parent whose jailed child holds one end of a pipe: its end tells that the child is gone too. */
TEST(a_jailed_child_dies_with_its_parent_also_after_it_changed_its_user) {
    int p[2];
    share();
    CHECK(pipe2(p, O_CLOEXEC) == 0);
    fflush(NULL);
    pid_t parent = fork();
    if (parent == 0) {
        pid_t me = getpid();
        if (fork() == 0) {
            struct err e = ERR_INIT;
            struct jail j = {.kind = JAIL_REACTOR, .change_user = geteuid() == 0, .uid = 65534, .gid = 65534};
            must_do(jail_begin(&p[1], 1, me, &e), &e);
            must_do(jail_enter(&j, NULL, &e), &e);
            if (write(p[1], "x", 1) != 1) _exit(1);
            for (;;) pause();
        }
        for (;;) pause();
    }
    close(p[1]);
    char c;
    CHECK_INT(read(p[0], &c, 1), 1);
    if (CHECK(parent > 1)) kill(parent, SIGKILL);
    waitpid(parent, NULL, 0);
    struct pollfd wait = {.fd = p[0], .events = POLLIN};
    if (CHECK_INT(poll(&wait, 1, 10000), 1)) CHECK_INT(read(p[0], &c, 1), 0);
    close(p[0]);
}

/* --- the reactor --- */

static void try_forbidden(void *arg) {
    (void)arg;
    struct jail_report r;
    struct jail j = {.kind = JAIL_REACTOR};
    char text[] = "/bin/true";
    char *argv[] = {text, NULL};
    pid_t parent = getppid();
    int tcp = socket(AF_INET, SOCK_STREAM, 0);
    dup2(tcp, 2); /* survives jail_begin */
    jail_me(&j, &r);
    TRY(syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY));
    TRY(syscall(SYS_openat2, AT_FDCWD, "/", NULL, 0));
    TRY(syscall(SYS_execve, text, argv, argv + 1));
    TRY(syscall(SYS_execveat, AT_FDCWD, text, argv, argv + 1, 0));
    TRY(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
    TRY(syscall(SYS_clone3, NULL, 0));
    TRY(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
    TRY(kill(parent, 0));
    TRY(kill(getpid(), 0));
    TRY(syscall(SYS_tgkill, parent, parent, 0));
    TRY(syscall(SYS_pidfd_open, parent, 0));
    TRY(syscall(SYS_process_vm_readv, parent, NULL, 0, NULL, 0, 0));
    TRY(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
    TRY(socket(AF_NETLINK, SOCK_DGRAM, 0));
    TRY(socket(AF_PACKET, SOCK_DGRAM, 0));
    TRY(socket(AF_INET, SOCK_STREAM, 132)); /* SCTP */
    TRY(socket(AF_UNIX, SOCK_SEQPACKET, 0));
    TRY(listen(2, 1));
    TRY(fcntl(2, F_SETOWN, parent));
    TRY(fcntl(2, F_SETSIG, SIGKILL));
    TRY(ioctl(0, TIOCSTI, "x"));
    TRY(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
    TRY(prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0));
    TRY(syscall(SYS_setresuid, 0, 0, 0));
    TRY(syscall(SYS_setgroups, 0, NULL));
    TRY(syscall(SYS_unshare, 0));
    TRY(syscall(SYS_mount, "", "", "", 0, NULL));
    TRY(syscall(SYS_chroot, "/"));
    TRY(syscall(SYS_memfd_create, "x", 0));
    TRY(syscall(SYS_bpf, 0, NULL, 0));
    TRY(syscall(SYS_io_uring_setup, 1, NULL));
    TRY(syscall(SYS_userfaultfd, 0));
    TRY(syscall(SYS_keyctl, 0, 0, 0, 0, 0));
    TRY(syscall(SYS_perf_event_open, NULL, 0, 0, 0, 0));
    TRY(syscall(SYS_unlinkat, AT_FDCWD, "/tmp/startbox-none", 0));
    TRY(syscall(SYS_mkdirat, AT_FDCWD, "/tmp/startbox-none", 0700));
    TRY(syscall(SYS_clock_settime, 0, NULL));
    TRY(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL));
    TRY(syscall(SYS_mprotect, NULL, 4096, PROT_READ | PROT_EXEC));
    TRY(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0);
    TRY(syscall(9999));
}

TEST(the_reactor_can_neither_open_nor_run_nor_fork_nor_touch_others) {
    if (!has_seccomp()) return;
    CHECK_INT(in_child(try_forbidden, NULL), 0);
    check_notes(41, ENOSYS);
}

static void try_allowed(void *arg) {
    (void)arg;
    struct jail_report r;
    struct jail j = {.kind = JAIL_REACTOR};
    jail_me(&j, &r);
    int pair[2], pipes[2];
    struct epoll_event ev = {.events = EPOLLIN};
    sigset_t none;
    sigemptyset(&none);
    struct timespec moment = {0, 1000};
    uint8_t bytes[16];
    TRY(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair));
    TRY(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
    TRY(pipe2(pipes, O_CLOEXEC | O_NONBLOCK));
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    TRY(epoll);
    TRY(epoll_ctl(epoll, EPOLL_CTL_ADD, pair[0], &ev));
    TRY(epoll_wait(epoll, &ev, 1, 0));
    TRY(signalfd(-1, &none, SFD_NONBLOCK));
    TRY(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP));
    TRY(socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, IPPROTO_TCP));
    TRY(socket(AF_UNIX, SOCK_STREAM, 0));
    TRY(fcntl(pair[0], F_SETFL, O_NONBLOCK));
    TRY(fcntl(pair[0], F_DUPFD_CLOEXEC, 3));
    TRY(nanosleep(&moment, NULL));
    TRY(getpid());
    TRY(write(pipes[1], "hello", 5));
    TRY(splice(pipes[0], NULL, pair[1], NULL, 5, SPLICE_F_NONBLOCK));
    TRY(read(pair[0], bytes, sizeof bytes));
    TRY(syscall(SYS_getrandom, bytes, sizeof bytes, 0));
    TRY(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &(int){65536}, sizeof(int)));
    TRY(shutdown(pair[1], SHUT_RDWR));
    struct iovec part = {bytes, 1};
    union {
        struct cmsghdr head;
        uint8_t room[CMSG_SPACE(sizeof(int))];
    } control = {.head = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
    memcpy(CMSG_DATA(&control.head), &pipes[0], sizeof(int));
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    TRY(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    TRY(sendmsg(pair[0], &m, 0));
    struct mmsghdr many = {.msg_hdr = m};
    TRY(recvmmsg(pair[1], &many, 1, MSG_DONTWAIT, NULL));
    TRY(sendmmsg(pair[0], &many, 1, 0));
    uint8_t *volatile big = malloc(50 << 20);
    note("50 MiB of memory", big ? 0 : ENOMEM);
    if (big) memset(big, 1, 50 << 20);
    free(big);
    note("the number of an interface", if_nametoindex("lo") == 1 ? 0 : errno);
    note("seccomp is told as not in force", !r.seccomp);
    note("so is Landlock", r.landlock != (r.landlock_abi > 0));
}

TEST(the_reactor_still_has_its_loop_its_sockets_and_memory) {
    CHECK_INT(in_child(try_allowed, NULL), 0);
    CHECK_INT(*note_n, 28);
    for (unsigned i = 0; i < *note_n; i++)
        if (notes[i].got && !(i == 26 && !jail_has_seccomp())) CHECK_TEXT(slice_str(notes[i].what), LIT("done"));
}

static void try_network(void *arg) {
    struct jail_report r;
    struct jail j = {.kind = JAIL_REACTOR};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    to.sin_port = *(const uint16_t *)arg;
    struct sockaddr_in any = to;
    any.sin_port = 0;
    jail_me(&j, &r);
    int tcp = socket(AF_INET, SOCK_STREAM, 0), udp = socket(AF_INET, SOCK_DGRAM, 0);
    TRY(connect(tcp, (struct sockaddr *)&to, sizeof to));
    TRY(bind(udp, (struct sockaddr *)&any, sizeof any));
    tcp = socket(AF_INET, SOCK_STREAM, 0);
    note("abi", r.landlock_abi);
    TRY(bind(tcp, (struct sockaddr *)&any, sizeof any));
}

TEST(the_reactor_may_connect_but_not_bind_tcp) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    CHECK(bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 5) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&at, &len) == 0);
    uint16_t port = at.sin_port;
    CHECK_INT(in_child(try_network, &port), 0);
    close(fd);
    CHECK_INT(*note_n, 4);
    CHECK_INT(notes[0].got, 0);
    CHECK_INT(notes[1].got, 0);
    if (notes[2].got >= 4)
        CHECK_INT(notes[3].got, EACCES);
    else
        tap_skip("this kernel's Landlock knows nothing of the network");
}

static void abort_there(void *arg) {
    (void)arg;
    struct jail j = {.kind = JAIL_REACTOR};
    jail_me(&j, NULL);
    abort();
}

TEST(a_broken_belief_still_ends_the_reactor_by_SIGABRT) {
    int status = in_child(abort_there, NULL);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void who_am_i(void *arg) {
    struct jail_report r;
    struct jail j = {.kind = *(enum jail_kind *)arg};
    jail_me(&j, &r);
    note("uid", getuid());
    note("euid", geteuid());
    note("gid", getgid());
    note("user is told", r.user);
}

/* What the kernel says of a process that waits: its groups and capabilities. */
static void check_status(pid_t pid) {
    char path[40], text[8000];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "r");
    if (!CHECK(f != NULL)) return;
    size_t n = fread(text, 1, sizeof text - 1, f);
    text[n] = 0;
    fclose(f);
    CHECK(strstr(text, "\nGroups:\t \n") != NULL);
    CHECK(strstr(text, "\nUid:\t65534\t65534\t65534\t65534\n") != NULL);
    CHECK(strstr(text, "\nGid:\t65534\t65534\t65534\t65534\n") != NULL);
    CHECK(strstr(text, "\nCapPrm:\t0000000000000000\n") && strstr(text, "\nCapEff:\t0000000000000000\n"));
    CHECK(strstr(text, "\nCapBnd:\t0000000000000000\n") && strstr(text, "\nCapAmb:\t0000000000000000\n"));
    CHECK(strstr(text, "\nNoNewPrivs:\t1\n") != NULL);
    CHECK(strstr(text, "\nSeccomp:\t2\n") || !jail_has_seccomp());
}

TEST(no_child_of_root_is_root_nor_has_a_group_or_a_capability) {
    if (geteuid() != 0) {
        tap_skip("not root: there is no user to change");
        return;
    }
    for (int kind = JAIL_REACTOR; kind <= JAIL_COUNT; kind++) {
        CHECK_INT(in_child(who_am_i, &kind), 0);
        CHECK_INT(*note_n, 4);
        for (unsigned i = 0; i < 3; i++) CHECK_INT(notes[i].got, 65534);
        CHECK_INT(notes[3].got, 1);
        int p[2];
        char c;
        CHECK(pipe2(p, O_CLOEXEC) == 0);
        pid_t pid = fork();
        if (pid == 0) {
            struct jail j = {.kind = (enum jail_kind)kind};
            dup2(p[1], 1);
            jail_me(&j, NULL);
            if (write(1, "x", 1) != 1) _exit(1);
            for (;;) poll(NULL, 0, 1000);
        }
        CHECK_INT(read(p[0], &c, 1), 1);
        check_status(pid);
        if (CHECK(pid > 1)) kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        close(p[0]);
        close(p[1]);
    }
}

static void enter_as_nobody(void *arg) {
    (void)arg;
    struct jail_report r;
    struct err e = ERR_INIT;
    struct jail j = {.kind = JAIL_REACTOR};
    if (geteuid() == 0 && (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))) _exit(98);
    must_do(jail_begin(NULL, 0, getppid(), &e), &e);
    must_do(jail_enter(&j, &r, &e), &e);
    note("user", r.user);
    TRY(syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY));
    j.change_user = true;
}

TEST(without_root_the_jail_is_the_same_but_for_the_user) {
    CHECK_INT(in_child(enter_as_nobody, NULL), 0);
    CHECK_INT(notes[0].got, 0);
    CHECK(notes[1].got != 0 || !(jail_has_seccomp() || jail_landlock_abi())); /* an emulator has neither */
}

static void change_as_nobody(void *arg) {
    (void)arg;
    struct err e = ERR_INIT;
    struct jail j = {.kind = JAIL_REACTOR, .change_user = true, .uid = 1, .gid = 1};
    if (geteuid() == 0 && (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))) _exit(98);
    note("entered", jail_enter(&j, NULL, &e));
    note("said", e.os);
}

TEST(a_user_that_cannot_be_changed_is_a_failure_and_not_a_weaker_jail) {
    CHECK_INT(in_child(change_as_nobody, NULL), 0);
    CHECK_INT(notes[0].got, 0);
    CHECK_INT(notes[1].got, EPERM);
}

TAP_MAIN(T(a_child_keeps_the_descriptors_it_was_given_and_no_other),
         T(a_child_begins_without_cores_new_privileges_and_inherited_signals),
         T(a_child_whose_parent_is_gone_already_does_not_begin),
         T(a_jailed_child_dies_with_its_parent_also_after_it_changed_its_user),
         T(the_reactor_can_neither_open_nor_run_nor_fork_nor_touch_others),
         T(the_reactor_still_has_its_loop_its_sockets_and_memory), T(the_reactor_may_connect_but_not_bind_tcp),
         T(a_broken_belief_still_ends_the_reactor_by_SIGABRT),
         T(no_child_of_root_is_root_nor_has_a_group_or_a_capability),
         T(without_root_the_jail_is_the_same_but_for_the_user),
         T(a_user_that_cannot_be_changed_is_a_failure_and_not_a_weaker_jail))
