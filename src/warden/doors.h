/* doors.h - the sockets the warden bound for the reactor, and keeps: a reactor that comes after gets the very same ones, and who
 * connects meanwhile waits in their queues.
 *
 * For: the verbs listen and unlisten.
 * Owns: a duplicate of every descriptor it handed out, at most LIMIT_LISTENERS.
 * Never: accepts; hands out a socket that a reactor has spoilt (shut down, connected): then it is bound anew.
 * Unix sockets stand beneath a named root, on a way without symlinks, made with the rights of whom the root belongs to.
 * Tried: tests/warden/warden, tests/warden/mad. */
#ifndef WARDEN_DOORS_H
#define WARDEN_DOORS_H

#include "base/limits.h"
#include "base/val.h"
#include "warden/jail.h"

struct door;

struct doors {
    struct door *all[LIMIT_LISTENERS];
    unsigned n;
    const struct jail_root *roots; /* borrowed */
    const char *const *names;
    unsigned root_n;
    bool as_owner; /* we are root: Unix sockets are made as their root's owner */
};

/* Arguments as the rows of listen and unlisten have them. The descriptor stays the doors'; *address is where it really is. */
int doors_open(struct doors *d, const struct val *args, struct val *address, struct err *e);
/* Takes a listening TCP socket somebody else has bound: who asks for its address gets it. */
void doors_adopt(struct doors *d, int fd);
bool doors_shut(struct doors *d, const struct val *args, struct err *e);
void doors_release(struct doors *d);

#endif
