/* jail_room.h - what the files of the jail share. Private to jail*.c. */
#ifndef WARDEN_JAIL_ROOM_H
#define WARDEN_JAIL_ROOM_H

#include "warden/jail.h"

/* The sanitizers' runtime asks for more than the program does: address space without bounds, alternate stacks. */
#if defined(__SANITIZE_ADDRESS__)
#define JAIL_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define JAIL_SANITIZED 1
#endif
#endif
#ifndef JAIL_SANITIZED
#define JAIL_SANITIZED 0
#endif

/* Each: false is a failure, and the child must not go on; *in_force false with true: the kernel has no such thing. */
bool jail_seccomp(enum jail_kind kind, bool *in_force, struct err *e);
bool jail_landlock(const struct jail *j, bool *in_force, int *abi, struct err *e);

#endif
