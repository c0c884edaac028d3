/* fault.h - faults that come in by the door: in the test variants any call of the kernel by files, sockets and children, any
 * allocation and any verb can be made to fail.
 *
 *     STARTBOX_FAULT=OP:N:ACT    the N-th call of that kind (1 = the first), once
 *     STARTBOX_FAULT=any:N:ACT   the N-th call of files or sockets
 *     STARTBOX_FAULT=mem:N:fail  the N-th allocation (mem_fault); mem:N:starve: that and all after it
 * OP: of files open read write sync rename unlink; of sockets epoll socket connect accept recv send; of children fork; verb.
 * ACT: kill (the process dies before the call), eio, enospc, emfile, short (half of the bytes; for calls without bytes the same
 * as eio).
 * In release builds nothing of this exists.
 * Tried: tests/loop/file. */
#ifndef LOOP_FAULT_H
#define LOOP_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#define FAULT_OPS(X)                                                                                                   \
    X(OPEN, "open")                                                                                                    \
    X(READ, "read")                                                                                                    \
    X(WRITE, "write")                                                                                                  \
    X(SYNC, "sync")                                                                                                    \
    X(RENAME, "rename")                                                                                                \
    X(UNLINK, "unlink")                                                                                                \
    X(EPOLL, "epoll")                                                                                                  \
    X(SOCKET, "socket")                                                                                                \
    X(CONNECT, "connect")                                                                                              \
    X(ACCEPT, "accept")                                                                                                \
    X(RECV, "recv")                                                                                                    \
    X(SEND, "send")                                                                                                    \
    X(FORK, "fork")                                                                                                    \
    X(VERB, "verb")

enum fault_op {
#define X(name, word) FAULT_##name,
    FAULT_OPS(X)
#undef X
        FAULT_ANY
};

enum fault_act { FAULT_NONE, FAULT_KILL, FAULT_EIO, FAULT_ENOSPC, FAULT_EMFILE, FAULT_SHORT };

#ifdef STARTBOX_TEST
/* Counts a call; sets errno for EIO, ENOSPC and EMFILE, does not return for KILL. */
enum fault_act fault_next(enum fault_op op);
/* The same as the environment says, set by hand: text as behind STARTBOX_FAULT=, NULL for none. False: not understood. */
bool fault_set(const char *text);
/* Whether the fault has happened since the last fault_set (for memory see mem_fault_hit). */
bool fault_hit(void);
/* Calls counted since the last fault_set. */
uint64_t fault_calls(void);
#else
static inline enum fault_act fault_next(enum fault_op op) {
    (void)op;
    return FAULT_NONE;
}
#endif

#endif
