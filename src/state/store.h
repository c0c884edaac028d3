/* store.h - the folder of a store, through the disk hand: asking about its files, and reading all of it.
 *
 * For: the rooms of src/state that own files in it, and the offline tools, which read one they do not open.
 * Tried: with the journal and state.c. */
#ifndef STATE_STORE_H
#define STATE_STORE_H

#include "base/limits.h"
#include "state/record.h"
#include "state/recover.h"
#include "warden/call.h"

/* Where the store's files are. */
struct store_disk {
    struct loop *loop;
    struct port *port;
    const char *root, *folder;
    uint64_t next_serial; /* of the segment to be made next */
    uint64_t reuse;       /* serial of a segment of full size that nobody needs; 0: none */
};

/* The arguments of a verb: {root, path: folder/name}; VAL_NONE: no memory. */
struct val store_args(const struct store_disk *d, const char *name);
/* One more argument; takes the value. Without memory args becomes VAL_NONE: a question that has lost a part would be another one. */
void store_arg(struct val *args, const char *key, struct val value);
/* Asks. False: it could not be sent (e). Takes args. */
bool store_ask(const struct store_disk *d, struct call *c, const char *verb, struct val args, struct err *e);
/* Asks to rename a file within the folder; `to` may have a folder of its own below it. */
bool store_rename(const struct store_disk *d, struct call *c, const char *from, const char *to, struct err *e);
/* Whether a failure is the hand's end and not the disk's word. */
bool store_lost(const struct err *e);

/* Reading everything: the list of files, then what recovery (recover.h) asks for. */
struct store_reader {
    /* It is read (NULL; the result is there), or could not be. From the loop. */
    void (*done)(struct store_reader *r, const struct err *e);
    struct store_disk *disk;
    struct recover_result result; /* the caller's to release */
    struct recover_file *files;   /* until store_read_stop */
    size_t file_n;
    uint64_t bytes; /* read so far */
    /* private */
    size_t file_cap;
    char after[256]; /* the last name of the page before */
    struct recover *recover;
    const struct recover_config *config;
    struct recover_want want;
    bool listed;
    struct call call;
};
bool store_read(struct store_reader *r, struct store_disk *disk, const struct recover_config *config, struct err *e);
/* Releases all but the result. */
void store_read_stop(struct store_reader *r);

#endif
