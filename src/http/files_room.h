/* files_room.h - what the files about files share. Private to src/http. */
#ifndef HTTP_FILES_ROOM_H
#define HTTP_FILES_ROOM_H

#include "base/limits.h"
#include "http/files.h"
#include "protocols/date.h"
#include "warden/pump.h"

enum files_code { FILES_PLAIN, FILES_BR, FILES_GZ, FILES_CODE_N };

enum files_state {
    FILES_LOOKING, /* the disk hand was asked what it is */
    FILES_READING,
    FILES_HERE, /* in memory */
    FILES_BIG   /* known, but not in memory */
};

/* Somebody who waits for a file to be there. */
struct files_wait {
    struct http_exchange *x;
    struct files_ask *ask;
    struct files_wait *next, *prev;
};

struct files_entry {
    struct http_files *files;
    struct files_entry *chain;         /* of the same hash */
    struct files_entry *older, *newer; /* by last use */
    struct shared *path;               /* beneath the root */
    struct slice type;
    struct files_folder *folder; /* NULL: not watched */
    enum files_state state;
    enum files_code reading;
    bool tabled; /* else: changed meanwhile, and only for those who wait for it */
    struct loop_timer timer;
    struct call call;
    struct pump pump;
    struct buf got;
    struct pump_file file;
    struct shared *body[FILES_CODE_N];
    char tag[48]; /* opaque part of the entity tag */
    uint8_t date[DATE_LEN];
    int64_t second; /* of the last change */
    struct files_wait *waits;
};

/* A folder on which there is a watch. */
struct files_folder {
    struct files_folder *next;
    struct shared *path;         /* beneath the root; empty: the root itself */
    uint64_t watch;              /* 0: none yet */
    struct files_folder *parent; /* NULL: it is the root */
    bool changed;
};

#define FILES_BUCKETS 256

struct http_files {
    struct loop *loop;
    struct port *disk;
    const char *root;
    bool one_page;
    struct files_entry *bucket[FILES_BUCKETS];
    struct files_entry *oldest, *newest;
    struct files_folder *folders;
    unsigned folder_n;
    struct call watch_call; /* one watch is asked for at a time */
    struct files_folder *watching;
    struct loop_fd changes; /* the inotify descriptor */
    struct http_files_counts counts;
};

/* What a request wants of a file; made in begin, used when the file is there. */
struct files_ask {
    struct http_files *files;
    struct slice path; /* decoded, beneath the root; in `text` */
    bool folder;       /* the target ended in a slash */
    bool again;        /* it was looked for twice */
    bool fallen;       /* there was nothing: the one page is looked for */
    bool accepts[FILES_CODE_N];
    bool has_if_match, has_if_none_match, has_if_modified, has_if_unmodified, has_range, has_if_range;
    int64_t if_modified, if_unmodified;
    struct slice if_match, if_none_match, if_range, range, query; /* in `text` */
    struct files_wait wait;
    struct files_entry *entry; /* waited for */
    struct files_send *send;
    size_t size;    /* of all of this */
    uint8_t text[]; /* what the slices point to */
};

/* files_answer.c: the file is there (HERE or BIG). */
void files_answer(struct http_exchange *x, struct files_ask *ask, struct files_entry *e);
/* The exchange is over, or gone: whatever was asked for it ends. */
void files_ask_free(struct files_ask *ask);
void files_send_drained(struct files_send *send);
void files_send_stop(struct files_send *send);
/* files.c. Out of the table, and gone unless somebody waits for it. */
void files_drop(struct files_entry *e);
/* What clients may hear of an error. */
void files_hide(struct err *e);
/* Whoever waited for a watch goes on. */
void files_look_again(struct http_files *f);
/* Asks for the file once more: another stands in its place than the one that was looked at. False: it was asked for again
 * already, or there is no memory. */
bool files_again(struct http_exchange *x, struct files_ask *ask);
/* files_watch.c. Whether the entry may be looked at; else it waits for a watch, and files_look_again is called. */
bool files_watch(struct files_entry *e);
bool files_is_watched(const struct files_entry *e);
/* Reads what changed: before anything is answered from memory. */
void files_hear(struct http_files *f);
struct files_folder *files_folder_of(struct http_files *f, struct slice path);
/* The watch that is asked for does not come. */
void files_watch_late(struct http_files *f);
void files_watch_reset(struct http_files *f);
void files_watch_end(struct http_files *f);

#endif
