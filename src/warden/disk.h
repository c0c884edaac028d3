/* disk.h - the disk hand: a child beside the reactor that does what blocks on a disk.
 *
 * For: the warden, which forks it; the reactor reaches it by calls (call.h) and pumps (pump.h). docs/warden-hands.md
 *      has the grammar of each verb.
 * Owns: its loop, a few open files, its pumps.
 * Never: leaves its roots (no "..", no symlink, nothing but plain files and folders), writes beneath a read-only one,
 *        says "done" of what is not durable when durability was asked for, ends because of what it is asked.
 * Caveat: one thread; while it waits for the disk nobody else is served. What is pumped in is synced every few MiB, so
 *   that no sync takes long.
 * Tried: tests/warden/disk, tests/warden/disk_pumps, tests/warden/pump. */
#ifndef WARDEN_DISK_H
#define WARDEN_DISK_H

#include "warden/jail.h"
#include "warden/verb.h"

/* The child's whole life: enters the jail, serves until its link is gone, returns the exit code. Takes link_fd. */
int disk_hand(int link_fd, const struct jail_root *roots, const char *const *names, unsigned root_n,
              const struct jail *jail);

const struct verb *disk_rows(unsigned *n);

#endif
