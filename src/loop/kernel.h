/* kernel.h - what the loop, its streams and its listeners ask of the kernel. In a release these are the calls themselves; in
 * the test variants a fault (fault.h) or a twin may stand in for each.
 *
 * The twin: a kernel of the test's own making, with sockets that exist only in memory and a clock that it turns, so the very
 * same rooms can be played byte for byte and in any order of events (tests/lib/twin.h).
 * Tried: tests/http/scenario. */
#ifndef LOOP_KERNEL_H
#define LOOP_KERNEL_H

#include <fcntl.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

/* result, name, parameters, arguments; the fault operation it counts as */
#define KERNEL_CALLS(X)                                                                                                \
    X(int, epoll_create1, (int flags), (flags), EPOLL)                                                                 \
    X(int, epoll_ctl, (int epoll, int op, int fd, struct epoll_event *ev), (epoll, op, fd, ev), EPOLL_CTL)             \
    X(int, epoll_wait, (int epoll, struct epoll_event *ev, int most, int ms), (epoll, ev, most, ms), NEVER)            \
    X(ssize_t, read, (int fd, void *to, size_t len), (fd, to, len), RECV)                                              \
    X(ssize_t, send, (int fd, const void *from, size_t len, int flags), (fd, from, len, flags), SEND)                  \
    X(ssize_t, sendmsg, (int fd, const struct msghdr *m, int flags), (fd, m, flags), SEND)                             \
    X(ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n), SEND)                                       \
    X(int, recvmmsg, (int fd, struct mmsghdr *m, unsigned n, int flags, struct timespec *t), (fd, m, n, flags, t),     \
      RECV)                                                                                                            \
    X(int, sendmmsg, (int fd, struct mmsghdr *m, unsigned n, int flags), (fd, m, n, flags), SEND)                      \
    X(int, accept4, (int fd, struct sockaddr *from, socklen_t *len, int flags), (fd, from, len, flags), ACCEPT)        \
    X(int, socket, (int family, int type, int protocol), (family, type, protocol), SOCKET)                             \
    X(int, connect, (int fd, const struct sockaddr *to, socklen_t len), (fd, to, len), CONNECT)                        \
    X(int, getsockopt, (int fd, int level, int name, void *to, socklen_t *len), (fd, level, name, to, len), NEVER)     \
    X(ssize_t, splice, (int in, off64_t *at, int out, off64_t *to, size_t len, unsigned flags),                        \
      (in, at, out, to, len, flags), SEND)                                                                             \
    X(int, ioctl, (int fd, unsigned long what, int *out), (fd, what, out), NEVER)                                      \
    X(int, shutdown, (int fd, int how), (fd, how), NEVER)                                                              \
    X(int, close, (int fd), (fd), NEVER)

#ifdef STARTBOX_TEST
struct kernel_twin {
#define X(result, name, params, args, op) result(*name) params;
    KERNEL_CALLS(X)
#undef X
};
/* NULL brings the real one back. */
void kernel_use(const struct kernel_twin *twin);
#define X(result, name, params, args, op) result kernel_##name params;
KERNEL_CALLS(X)
#undef X
#else
#define X(result, name, params, args, op)                                                                              \
    static inline result kernel_##name params {                                                                        \
        return name args;                                                                                              \
    }
KERNEL_CALLS(X)
#undef X
#endif

#endif
