/* mem_disk_room.h - what the two files of the disk in memory share: its files and names (mem_disk_files.c), and what a kernel and a hand
 * do with them (mem_disk.c). Private to them. */
#ifndef TESTS_MEM_DISK_ROOM_H
#define TESTS_MEM_DISK_ROOM_H

#include "base/limits.h"
#include "lib/mem_disk.h"
#include "warden/obey.h"

#define MEM_SECTOR 512

struct mem_file {
    unsigned refs;
    bool folder;
    uint64_t id;
    uint8_t *cache, *disk, *dirty; /* dirty: one byte a sector */
    size_t cap, cache_len, disk_len;
    struct mem_hand *lock;
};

struct mem_name {
    char path[LIMIT_DISK_PATH + 8];
    struct mem_file *file;
};

struct mem_names {
    struct mem_name *list; /* in order */
    size_t n, cap;
};

/* A change of names that is not durable: made (no from), moved, removed (no to). */
struct mem_change {
    char from[LIMIT_DISK_PATH + 8], to[LIMIT_DISK_PATH + 8];
    struct mem_file *file;
};

struct mem_hand {
    struct obey obey;
    struct mem_disk *disk;
    struct mem_hand *next;
    bool dead;
    const struct mem_file *opened[LIMIT_DISK_FILES]; /* to be written: their names were made durable then */
    unsigned opened_n;
};

struct mem_disk {
    struct loop *loop; /* made with the first hand */
    struct mem_hand *hands;
    struct mem_names cache, disk;
    struct mem_change *changes;
    size_t change_n, change_cap;
    uint64_t last_id, ops, reads, capacity, seed;
    uint64_t fail_at, fail_times;
    enum mem_disk_act fail_act;
    unsigned fail_kinds;
    bool failed, cut, reactor_killed;
    void (*each)(void *arg, unsigned kind);
    void *each_arg;
};

void *mem_disk_get(void *old, size_t size);
/* The usual splitting of a counter into well-mixed words. */
uint64_t mem_disk_draw(uint64_t *seed);
struct mem_file *mem_file_make(struct mem_disk *d, bool folder);
struct mem_file *mem_file_ref(struct mem_file *f);
void mem_file_unref(struct mem_file *f);
void mem_file_write(struct mem_file *f, size_t at, struct slice bytes);
void mem_file_sync(struct mem_file *f);
/* Some of it is on the disk, the rest never will be. */
void mem_file_sync_fails(struct mem_file *f, uint64_t *seed);
struct mem_file *mem_names_find(const struct mem_names *names, const char *path);
void mem_names_release(struct mem_names *names);
/* In the cache at once. */
void mem_disk_change_name(struct mem_disk *d, const char *from, const char *to, struct mem_file *file);
/* The part of a path before its last slash. */
struct slice mem_folder_of(const char *path);
void mem_disk_land(struct mem_disk *d, struct slice folder);
/* The parent must be there. */
bool mem_disk_has_parent(const struct mem_disk *d, const char *path, struct err *e);

#endif
