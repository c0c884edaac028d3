/* disk_room.h - what the files of the disk hand share. Private to disk*.c. */
#ifndef WARDEN_DISK_ROOM_H
#define WARDEN_DISK_ROOM_H

#include "base/limits.h"
#include "loop/loop.h"
#include "warden/disk.h"
#include "warden/obey.h"

#include <sys/stat.h>

struct disk_pump;

/* A file kept open between writes. */
struct disk_file {
    int fd; /* -1: free */
    unsigned root;
    uint64_t used; /* when, by count */
    char path[LIMIT_DISK_PATH + 1];
};

struct disk_watch {
    int number; /* as inotify gave it */
    unsigned times;
};

struct disk {
    struct obey obey;
    struct loop *loop;
    const struct jail_root *roots;
    const char *const *names;
    unsigned root_n;
    struct disk_file files[LIMIT_DISK_FILES];
    uint64_t uses;
    struct disk_file locks[LIMIT_DISK_LOCKS];
    int inotify; /* -1: nobody has watched yet */
    bool inotify_told;
    struct disk_watch watches[LIMIT_DISK_WATCHES];
    unsigned watch_n;
    struct disk_pump *pumps;
    unsigned pump_n;
    uint64_t last_push;
};

/* --- places (disk.c) --- */

/* A name beneath a root, and its folder opened. */
struct disk_place {
    unsigned root;
    char path[LIMIT_DISK_PATH + 8]; /* room for an ending */
    const char *base;               /* in path: behind the last slash */
    int folder;                     /* a descriptor; the root's own when the path has no slash */
};

/* The root an argument names. `write`: it must be one that may be written. */
bool disk_root(const struct disk *d, const struct val *args, bool write, unsigned *root, struct err *e);
bool disk_place_open(const struct disk *d, const struct val *args, const char *key, bool write, struct disk_place *p,
                     struct err *e);
void disk_place_close(const struct disk *d, struct disk_place *p);
/* Says which file an error is about. Returns false. */
bool disk_about(const struct disk *d, unsigned root, const char *path, struct err *e);

/* The folder `path` beneath a root, or (without) the root itself; a descriptor of its own. */
bool disk_open_folder(struct disk *d, const struct val *args, unsigned *root, int *fd, struct err *e);
/* Opens what must be a plain file, or (with folder_too) a folder; never waits for a pipe's other end. -1 with the
 * reason. */
int disk_open(int folder, const char *base, int flags, bool folder_too, struct stat *st, struct err *e);
/* Makes names in a folder durable. */
bool disk_sync_folder(int folder, struct err *e);
/* {size, mtime_ns, id, folder} */
struct val disk_describe(const struct stat *st);

/* --- files kept open (disk.c) --- */

/* The descriptor of a file to be written, opened or made; the room's. -1 with the reason. */
int disk_file_get(struct disk *d, unsigned root, const char *path, const struct val *args, struct err *e);
/* Forgets a path, and what lies beneath it: it was renamed, removed, or must not be trusted. */
void disk_file_drop(struct disk *d, unsigned root, const char *path);

/* --- verbs (disk_verbs.c, disk_list.c, disk_pull.c, disk_push.c) --- */

bool disk_act(struct obey *o, struct obey_ask *ask, struct err *e);
bool disk_list(struct disk *d, struct obey_ask *ask, struct err *e);
bool disk_pull(struct disk *d, struct obey_ask *ask, struct err *e);
bool disk_push(struct disk *d, struct obey_ask *ask, struct err *e);
bool disk_seal(struct disk *d, struct obey_ask *ask, struct err *e);

/* --- pumps (disk_pull.c, disk_push.c) --- */

struct disk_pump {
    struct disk *disk;
    struct disk_pump *next, *prev;
    size_t size;                                             /* of the block it lives in */
    void (*end)(struct disk_pump *p, const struct err *why); /* NULL: the hand itself ends, nobody is answered */
    uint64_t id;                                             /* of the request */
    bool waits_for_answer;                                   /* a cancel of the request ends it */
    struct loop_fd pipe;
    int file;
    uint64_t at;
};
/* A new one of so many bytes, in the hand's list; NULL with the reason. */
struct disk_pump *disk_pump_new(struct disk *d, size_t size, struct err *e);
/* Closes what it has and frees it. */
void disk_pump_free(struct disk_pump *p);
void disk_pump_cancel(struct obey *o, uint64_t id);

#endif
