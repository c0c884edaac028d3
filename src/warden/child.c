/* child.c - see child.h. */
#include "warden/child.h"

#include "base/log.h"
#include "loop/fault.h"
#include "warden/jail.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Ctrl-C goes to every process of a terminal, a stop of the service to every process of its group: only the warden hears
 * them, and asks the others to end in their order. */
static void leave_signals_to_parent(void) {
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) sigaction(numbers[i], &ignore, NULL);
}

pid_t child_fork(const char *name, const int *keep, unsigned keep_n, struct err *e) {
    pid_t parent = getpid();
    fflush(NULL); /* else both write it */
    pid_t pid = fault_next(FAULT_FORK) ? -1 : fork();
    if (pid < 0) {
        err_os(e, ERR_UNKNOWN, errno, "making a process (%s)", name);
        return -1;
    }
    if (pid > 0) return pid;
    struct err own = ERR_INIT;
    prctl(PR_SET_NAME, name, 0, 0, 0);
    if (!jail_begin(keep, keep_n, parent, &own)) {
        log_warn("a process could not begin: %s name=%s", own.text, name);
        child_exit(70);
    }
    leave_signals_to_parent();
    return 0;
}

void child_exit(int code) {
    fflush(NULL); /* its own only: the parent's were written before the fork */
    _exit(code);  /* what the parent would do at its end is not ours to do */
}

bool child_socketpair(int fds[2], struct err *e) {
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0 ||
           err_os(e, ERR_UNKNOWN, errno, "making a link");
}
