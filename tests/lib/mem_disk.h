/* mem_disk.h - a disk in memory behind a link: the reactor asks it what it asks the disk hand, and the test says when the power
 * goes, when the hand dies, what the disk refuses.
 *
 * It turns in a loop of its own, alternately with the reactor's, so that everything happens in the same order every time. Requests
 * are held against the disk hand's very rows (disk_rows); files, locks, lists and syncs are as in disk_verbs.c, pumps and watches
 * are not there.
 *
 * Every verb does what the real hand asks of the kernel, one operation after the other, each counted. Of every file there is what
 * the kernel's cache holds and what the disk holds:
 *   - written bytes are in the cache at once, on the disk when they are synced; after a power cut any subset of the unsynced
 *     sectors is there, and any of the lengths that go with them
 *   - names change in the cache at once, on the disk when their folder is synced; after a power cut the first so many of the
 *     changes are there
 *   - a data sync that fails leaves some of the unsynced sectors on the disk; the others never get there, though the cache goes on
 *     showing them, and a later sync that succeeds says nothing about them (so Linux does it)
 * Memory is malloc's own: faults of base/mem do not meet it, but they meet its link. */
#ifndef TESTS_MEM_DISK_H
#define TESTS_MEM_DISK_H

#include "base/slice.h"
#include "warden/call.h"

struct mem_disk;

enum {
    MEM_CREATE = 1,
    MEM_FOLDER_SYNC = 2,
    MEM_WRITE = 4,
    MEM_SYNC = 8,
    MEM_RENAME = 16,
    MEM_UNLINK = 32,
    MEM_ANY = 63,
    MEM_READ = 64, /* reads and lists: not among the counted ones */
};

enum mem_disk_act {
    MEM_NONE,
    MEM_KILL_HAND,    /* the hand ends before the operation; the cache stays */
    MEM_KILL_REACTOR, /* the test is told (mem_disk_reactor_killed); the hand goes on */
    MEM_POWER_CUT,    /* everything stops before the operation */
    MEM_EIO,
    MEM_ENOSPC,
    MEM_SHORT, /* of a write half is done, then there is no space; else as EIO */
};

/* The folder "data" is there and is empty. */
struct mem_disk *mem_disk_new(void);
void mem_disk_free(struct mem_disk *d);

/* A new hand, and the reactor's port to it. */
bool mem_disk_connect(struct mem_disk *d, struct loop *reactor, struct port *port);
/* One turn of its loop; hands that were left or have died are gone behind it. Returns how many callbacks were called. */
unsigned mem_disk_turn(struct mem_disk *d);
unsigned mem_disk_hands(const struct mem_disk *d);
void mem_disk_kill_hands(struct mem_disk *d);

/* The nth operation of these kinds from now (1: the next), and `times` - 1 behind it. */
void mem_disk_fail_at(struct mem_disk *d, uint64_t nth, enum mem_disk_act act, unsigned kinds, uint64_t times);
/* Whether it has happened. */
bool mem_disk_failed(const struct mem_disk *d);
bool mem_disk_reactor_killed(const struct mem_disk *d);
bool mem_disk_is_cut(const struct mem_disk *d);
/* Bytes all files together may have: beyond it nothing grows. */
void mem_disk_capacity(struct mem_disk *d, uint64_t bytes);
/* Which unsynced sectors a failed sync loses. */
void mem_disk_seed(struct mem_disk *d, uint64_t seed);

/* Operations so far. */
uint64_t mem_disk_ops(const struct mem_disk *d);
uint64_t mem_disk_reads(const struct mem_disk *d);
/* Hears of every operation before it is done. NULL: nobody. */
void mem_disk_each(struct mem_disk *d, void (*each)(void *arg, unsigned kind), void *arg);

/* What a power cut now would leave, as a new disk without hands. Seeds: nothing of what is not durable, all of it, or by chance. */
enum { MEM_CUT_NOTHING = 0, MEM_CUT_ALL = 1 };
struct mem_disk *mem_disk_cut(const struct mem_disk *d, uint64_t seed);

/* --- its files, as the cache shows them; paths without the root --- */

/* The i-th plain file in the order of names; NULL: there are not so many. */
const char *mem_disk_name(const struct mem_disk *d, size_t i);
/* ptr NULL: not there. */
struct slice mem_disk_bytes(const struct mem_disk *d, const char *path);
uint64_t mem_disk_used(const struct mem_disk *d);
void mem_disk_flip(struct mem_disk *d, const char *path, uint64_t at, uint8_t mask);
void mem_disk_shorten(struct mem_disk *d, const char *path, uint64_t len);
void mem_disk_remove(struct mem_disk *d, const char *path);

#endif
