/* child.h - forking, as the warden does it for the reactor, for hands and for jobs alike.
 *
 * A child shares the parent's memory but nothing else: what was buffered is written first, every descriptor not named is closed,
 *   signals are as at the start but those of a terminal and of a service manager, which are the warden's to pass on.
 * Never: lets a child return into the parent's code; it ends with child_exit.
 * Tried: tests/warden/warden. */
#ifndef WARDEN_CHILD_H
#define WARDEN_CHILD_H

#include "base/err.h"

#include <sys/types.h>

/* 0: in the child, begun (jail_begin). The name is shown by ps, 15 bytes of it. -1 with the reason. */
pid_t child_fork(const char *name, const int *keep, unsigned keep_n, struct err *e);
_Noreturn void child_exit(int code);
/* Both ends of a link (link.h). */
bool child_socketpair(int fds[2], struct err *e);

#endif
