/* recover_room.h - what the files of the recovery share. Private to recover*.c.
 *
 *   recover.c           the list of files, what is wanted next, the result
 *   recover_snapshot.c  choosing and reading snapshots
 *   recover_segment.c   heads of segments, and the way through one
 *   recover_judge.c     what it means where that way ended
 *   recover_find.c      findings, in words */
#ifndef STATE_RECOVER_ROOM_H
#define STATE_RECOVER_ROOM_H

#include "base/limits.h"
#include "state/recover.h"
#include "state/snapfile.h"

#define RECOVER_PIECE   65536u
#define RECOVER_CAREFUL 4096u /* bytes asked at once where the disk refused more */
#define RECOVER_NOWHERE SIZE_MAX

struct recover_snapshot {
    uint64_t revision, size;
    size_t finding; /* its place among the findings when it is damaged; RECOVER_NOWHERE: none */
    bool bad;
};

enum segment_state {
    SEGMENT_UNREAD,
    SEGMENT_BEGUN,
    SEGMENT_ZERO,   /* prepared, never written to */
    SEGMENT_OLD,    /* prepared from a file that had an earlier life: the head is that life's */
    SEGMENT_BROKEN, /* something stands there that is no head */
    /* No state a crash leaves behind. */
    SEGMENT_SHORT,   /* shorter than a head */
    SEGMENT_FOREIGN, /* of another store, or another segment under this name */
    SEGMENT_REFUSED, /* its head cannot be read from the disk */
};

struct recover_segment {
    uint64_t serial, size;
    enum segment_state state;
    bool blank;                         /* it has not begun, and nothing of it is in it */
    struct segment_head head;           /* when it can be read */
    const struct recover_segment *next; /* that has begun, behind this one */
};

/* Why the way through a segment ended. */
enum stop {
    STOP_NONE,
    STOP_END,     /* nothing stands there that looks like a record of this segment */
    STOP_HEAD,    /* something does, and its head does not read; or a batch breaks off */
    STOP_ORDER,   /* a good head in the wrong order, or with a length that is none */
    STOP_CUT,     /* the file ends in a record or a batch */
    STOP_SUM,     /* a good head with a payload that is damaged */
    STOP_DISK,    /* the disk refuses to read it */
    STOP_GAP,     /* a good record that says that something before it is missing */
    STOP_WRONG,   /* a good record that cannot be applied: a program erred */
    STOP_VERSION, /* a good record of another version of the state */
    STOP_UNBEGUN, /* there is no head to begin with */
};

struct recover_walk {
    struct recover_segment *segment;
    uint64_t mark;
    bool any_mark;                                    /* the store's number is unknown: any record counts */
    bool apply;                                       /* else its bytes are only checked */
    bool in_batch;                                    /* the last record was not the last of its batch */
    uint64_t at;                                      /* where the next record is looked for */
    uint64_t seen;                                    /* last revision in this segment, at first its base */
    uint64_t limit;                                   /* revisions above it never became real */
    uint64_t dropped_first, dropped_last, dropped_at; /* such that were there */
    /* where it ended, and what was seen behind that */
    enum stop stop;
    bool traced; /* bytes of a record of this segment, in one block, and damaged: no torn write leaves that behind */
    uint64_t stop_at;
    struct err why;           /* the beginning of a sentence */
    uint64_t promised;        /* highest revision that something says was durable */
    uint64_t lowest, highest; /* revisions that good heads name, from the stop on; 0: none */
    uint64_t behind;          /* the highest of those behind the stop */
    uint64_t chain;           /* where the first batch of a segment without a head goes on; 0: it is over */
    unsigned heads;           /* good ones */
    bool beyond;              /* one of them does not belong to the segment's first batch */
    bool refused;             /* a part of it cannot be read from the disk */
    bool broken_off;          /* the last batch was not finished */
};

enum recover_phase { PHASE_SNAPSHOT, PHASE_OLDER, PHASE_HEADS, PHASE_SEGMENTS, PHASE_DONE };

struct recover {
    struct recover_config config;
    struct recover_snapshot *snapshots; /* newest first */
    struct recover_segment *segments;   /* by serial */
    size_t snapshot_n, segment_n, snapshot_cap, segment_cap;
    uint64_t next_serial;
    enum recover_phase phase;
    size_t index; /* of the file at hand */
    struct recover_want want;

    /* snapshots */
    struct snapfile *reader;
    size_t loaded;         /* the one the root comes from; RECOVER_NOWHERE: none */
    uint64_t first_serial; /* of the segments it needs */

    /* segments: bytes of the one at hand */
    struct buf have;
    uint64_t have_at;
    uint64_t careful_until;           /* up to here in small pieces */
    uint64_t refused_at, refused_end; /* what the disk refused last */
    struct err refused_why;
    struct recover_walk walk;
    bool untidy; /* something was passed over: what was seen is perhaps not all that was journalled */

    /* the last segment that had begun, among those behind the snapshot */
    const struct recover_segment *last;
    uint64_t last_at; /* where the way through it ended */

    uint64_t reached;    /* revision of the root */
    uint64_t journalled; /* last one in the journal up to here */
    bool lost;           /* damage was found: nothing more is applied */
    struct recover_result result;
};

/* --- recover.c --- */

void recover_ask(struct recover *r, const char *name, uint64_t at, uint64_t size);
/* A number that is taken. */
void recover_count_serial(struct recover *r, uint64_t serial);
/* The journal's turn; then the end. */
bool recover_begin_segments(struct recover *r, struct err *e);
void recover_finish(struct recover *r);
/* The last segment that has begun, or that no snapshot needs. */
uint64_t recover_begun(const struct recover *r);

/* --- recover_snapshot.c --- */

bool recover_snapshot_begin(struct recover *r, struct err *e);
bool recover_snapshot_feed(struct recover *r, struct slice bytes, const struct err *refused, struct err *e);
/* Behind the journal: what damaged snapshots mean. */
void recover_snapshot_judge(struct recover *r);

/* --- recover_segment.c --- */

/* Reads heads from r->index on, then goes through the segments. */
bool recover_heads_on(struct recover *r, struct err *e);
void recover_head_feed(struct recover *r, struct slice block, bool refused);
bool recover_segments_on(struct recover *r, struct err *e);
bool recover_segment_feed(struct recover *r, struct slice bytes, const struct err *refused, struct err *e);

/* --- recover_judge.c --- */

/* Before a segment that has begun: whether everything before its base is there. */
void judge_base(struct recover *r, const struct recover_segment *g);
/* A segment with nothing to go through. */
void judge_closed(struct recover *r, const struct recover_segment *g);
/* The way through it has ended. */
void judge_walk(struct recover *r);
/* Behind the last. */
void judge_end(struct recover *r);

/* --- recover_find.c --- */

/* A sentence about a place; `at` 0 is not named. Returns where it is kept, or RECOVER_NOWHERE. */
size_t recover_find(struct recover *r, enum recover_grade grade, const char *name, uint64_t at, uint64_t first,
                    uint64_t last, const char *fmt, ...) __attribute__((format(printf, 7, 8)));
/* Something is lost: the sentence goes on with what that is and what can be done. Last 0: what, is unknown. */
void recover_damage(struct recover *r, const char *name, uint64_t at, uint64_t first, uint64_t last, const char *fmt,
                    ...) __attribute__((format(printf, 6, 7)));
/* More words for a finding. */
void recover_add(struct recover *r, size_t finding, const char *text);
/* A finding of before turns out to be damage. */
void recover_worsen(struct recover *r, size_t finding, const char *name, uint64_t first, uint64_t last);

#endif
