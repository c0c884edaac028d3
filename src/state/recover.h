/* recover.h - from the files of a store to the newest state that can be vouched for. No I/O: it says what it wants to read, and
 * is given it. So the daemon (whose disk hand reads), the tools (which read themselves) and the fuzzer run the very same.
 *
 * What it relies on (journal.h keeps it):
 *   1 a snapshot under its own name is whole: it was synced before it was renamed
 *   2 a segment under its own name is as long as it was made: written out and synced before it was renamed
 *   3 a batch is written only when everything before it is durable; so of at most one batch, the last, parts may be missing. Only a
 *     mark need not be: of it and the batch behind it parts may be missing
 *   4 a segment's first batch carries its head, whose base says what was durable then: records of the segment before that
 *     are newer than it never became real
 *   5 a start begins a new segment; so does a lost disk hand, and a disk that refused. Behind a torn batch nothing is ever written
 *   6 two snapshots are kept, and the journal from the older one on
 *   7 bases, horizons and marks name revisions that are in the journal (or the snapshot the journal began behind), and so does the
 *     name of a snapshot: what a damaged one promised must be found in the journal
 *   8 a file that is used again comes from a segment with a smaller number, and keeps its length
 *   9 serials have no gaps: a segment is made only when the one before it has its name
 *
 * What it concludes:
 *   - The state is the newest good snapshot and all records behind it, in order.
 *   - The first record that cannot be read ends the journal. It is TORN when nothing says that it was durable: no later
 *     head of a record or of a segment, no mark. Then it and what follows is dropped, named, and the start goes on. Whole records of
 *     a torn batch in front of that place are kept: they were not promised, but each is a good state, and less is lost.
 *   - It is DAMAGE when something does: a record whose horizon, or a segment whose base, is behind what can be reached. So is what
 *     no crash leaves behind where nothing later shows that all is there: a file shorter than it was made, a segment of another
 *     store, a block with a damaged head and good records behind it. Then the start stops.
 *   - What is damaged and not needed is MENDED: a snapshot with an older one and the journal, a record with a snapshot behind it.
 *   - A segment that is missing is DAMAGE when a later one is there, begun or not: the next one is made as soon as one begins.
 *   - A state of another personality, or of a newer version, is refused, however damaged: no older one is taken instead.
 * Tried: tests/state/recover, tests/state/crash, fuzz/recover. */
#ifndef STATE_RECOVER_H
#define STATE_RECOVER_H

#include "base/err.h"
#include "base/val.h"
#include "state/record.h"

/* Everything in the folder; what is none of the store's names is left alone. */
struct recover_file {
    char name[STATE_NAME];
    uint64_t size;
};

enum recover_grade {
    RECOVER_NOTE,   /* worth knowing: an unfinished file that goes away */
    RECOVER_TORN,   /* what never was promised is dropped */
    RECOVER_MENDED, /* damage, but nothing is lost: a snapshot or a later segment made up for it */
    RECOVER_DAMAGE, /* something promised is lost, or must be feared to be */
};

#define RECOVER_TEXT 480

struct recover_finding {
    enum recover_grade grade;
    char name[STATE_NAME];   /* of the file */
    uint64_t at;             /* offset in it */
    uint64_t first, last;    /* revisions that are lost or dropped; 0: none, or (only last) nobody knows */
    char text[RECOVER_TEXT]; /* a sentence: what was wanted, what was found, what is lost */
};
#define RECOVER_FINDINGS 64 /* the first so many are kept; what comes after is only counted */

struct recover_config {
    const char *name; /* of the personality; NULL: any (tools). It stays while the recovery runs */
    unsigned version; /* newest version that is understood; 0: any */
    bool all;         /* look at every file, also those the start would not need (check) */
    bool past_damage; /* give what was reached before damage, for repair: never for a start */
    uint64_t most;    /* bytes of the largest snapshot */
};

struct recover;
/* Copies the list. NULL: no memory. */
struct recover *recover_new(const struct recover_config *config, const struct recover_file *files, size_t n,
                            struct err *e);
void recover_free(struct recover *r);

enum recover_step { RECOVER_READ, RECOVER_DONE };
/* What is wanted next: at most `len` bytes of a file from an offset on. */
struct recover_want {
    char name[STATE_NAME];
    uint64_t at;
    uint32_t len; /* at most 65536 */
};
enum recover_step recover_next(struct recover *r, struct recover_want *want);
/* Gives what was wanted; fewer bytes: the file ends there. False: no memory (e), which is no word about the store; it is over then. */
bool recover_feed(struct recover *r, struct slice bytes, struct err *e);
/* It could not be read: counts as damage of that place. Of segments it is asked for once more in smaller pieces. */
bool recover_unreadable(struct recover *r, const struct err *why, struct err *e);

struct recover_result {
    bool empty;        /* there is no store here yet */
    bool damaged;      /* a start must not go on */
    bool refused;      /* another personality, or newer: `why` */
    struct err why;    /* of damaged and refused: the sentence for the operator */
    struct val root;   /* what was reached; VAL_NONE when nothing was, and of a damaged store without past_damage */
    uint64_t revision; /* of the root */
    uint64_t
        journalled; /* last revision known to be in the journal, else that of the root: the base of the next segment */
    uint64_t
        durable; /* newest revision of which something says that it is: one behind it may be in the kernel's memory only */
    uint64_t store;
    uint32_t version;
    struct val name, priv, secret; /* as in struct snapfile_about */
    uint64_t journal_bytes;        /* of records read behind the snapshot */
    uint64_t snapshot_revision;    /* newest good one */
    uint64_t snapshot_bytes;       /* its size */
    uint64_t next_serial;          /* of the next segment: behind all that have begun or may have */
    bool next_is_there;            /* it was made already, and never written to; next_size bytes */
    uint64_t next_size;
    uint64_t begun_serial; /* the last segment that has begun, or that the snapshot does not need; 0: none */
    struct {
        uint64_t revision,
            serial; /* newest good snapshots, newest first; segments before `serial` are not needed by it */
    } kept[2];
    bool mended; /* something was damaged, and nothing is lost by it: a new snapshot should be written */
    struct recover_finding findings[RECOVER_FINDINGS];
    unsigned finding_n, finding_all;
};
/* Behind RECOVER_DONE. Its values are the caller's to release (recover_result_release). */
void recover_take(struct recover *r, struct recover_result *out);
void recover_result_release(struct recover_result *out);

#endif
