/* pump.h - bytes between a file and whoever has them in the reactor: the one way they go.
 *
 * For: downloads, uploads, package files, logs. The disk hand opens the file and moves the bytes through a pipe of its
 *      own, so the reactor never waits for a disk. Constant memory: a pipe and one scratch.
 * Owns: its end of the pipe and its call.
 * Never: calls back from inside one of its own functions; calls anything after PUMP_DONE or PUMP_FAILED or pump_stop.
 *        After each of these, and inside any callback behind pump_stop, the pump may be freed or used again. Waits by
 *        itself: has no deadline, whoever has one stops it.
 * Reading: PUMP_OPEN says what the file is (p->file), then PUMP_DATA as bytes come (pump_data, pump_eat: what is not
 *   eaten stays, and stops the flow), at last PUMP_DONE.
 * Writing: PUMP_OPEN says from which offset on bytes are wanted (p->file.size of what stands there already); pump_feed
 *   takes them, false when the pipe is full enough: PUMP_DRAINED says go on. pump_finish: no more will come; PUMP_DONE
 *   when all of it is synced and in its place, p->sum is the SHA-256 of the whole file, from its first byte.
 *   pump_stop leaves the part that was written, to be resumed: how long it is, disk.stat of path + ".part" tells.
 *   Between pump_write and PUMP_OPEN what is there already is read back, which takes its time.
 * Tried: tests/warden/pump. */
#ifndef WARDEN_PUMP_H
#define WARDEN_PUMP_H

#include "loop/stream.h"
#include "warden/call.h"

enum pump_event { PUMP_OPEN, PUMP_DATA, PUMP_DRAINED, PUMP_DONE, PUMP_FAILED };

struct pump_file {
    uint64_t size;    /* of the file as a whole; writing: where it goes on, at the end how long it is */
    int64_t mtime_ns; /* last change */
    uint64_t id;      /* of the file itself (inode): another file in its place has another */
    bool folder;
};

#define PUMP_SUM 32

struct pump_room;

struct pump {
    void (*call)(struct pump *p, enum pump_event event);
    const char *name;
    struct err err; /* of PUMP_FAILED */
    struct pump_file file;
    uint64_t moved; /* bytes that came, or were fed, so far */
    uint8_t sum[PUMP_SUM];
    /* private */
    struct pump_room *room; /* on the heap: it outlives the pump until its pipe is closed; NULL: not started, or over */
};

/* The bytes [from, from+len) of root/path; len UINT64_MAX: to the end. What lies behind the end, or in a folder, is no
 * bytes: PUMP_OPEN tells, then PUMP_DONE. False: nothing will be called. The port must live until it is stopped; the
 * pump then fails. */
bool pump_read(struct pump *p, struct loop *l, struct port *disk, const char *root, struct slice path, uint64_t from,
               uint64_t len, struct err *e);
/* What came and was not eaten; lives until the callback returns or pump_eat. */
struct slice pump_data(const struct pump *p);
void pump_eat(struct pump *p, size_t n);

/* Instead of reading: the pipe itself, for stream_pull, while nothing was read yet; it stays the pump's. Then pump_gave
 * tells how many bytes went (PUMP_DONE comes when all did), and pump_wake asks for one PUMP_DATA when there is more in
 * it, or its end. */
int pump_lend(struct pump *p);
void pump_gave(struct pump *p, uint64_t n);
void pump_wake(struct pump *p);

/* Bytes into root/path + ".part", from `from` on, which must be how long the part is now (0 begins anew); the whole may
 * have `quota` bytes. When it is finished the part is synced and renamed to path. */
bool pump_write(struct pump *p, struct loop *l, struct port *disk, const char *root, struct slice path, uint64_t from,
                uint64_t quota, struct err *e);
/* Takes all of the bytes, at most PUMP_PIECE, behind PUMP_OPEN. False: full after these (or failed): wait for
 * PUMP_DRAINED. */
#define PUMP_PIECE (1u << 20)
bool pump_feed(struct pump *p, struct slice bytes);
/* Once, behind PUMP_OPEN. */
void pump_finish(struct pump *p);

/* Ends it wherever it stands; nothing when it is over. The pump may be freed right behind it. */
void pump_stop(struct pump *p);

#endif
