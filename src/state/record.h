/* record.h - the journal's bytes: segments, their heads, batches and records. No I/O.
 *
 * A segment is a file of a fixed size, written out with zeros before it is used and then overwritten in place; one that nobody needs any
 * more is used again as it is. docs/state.md has the layout to the byte; all integers are big-endian, all checksums zlib's crc32.
 *
 *   0          the head (RECORD_BLOCK bytes)
 *   512 * n    a batch: records without gaps between them, the last one flagged; the next batch begins at the next multiple
 *              of 512. A batch is written and made durable as a whole, one at a time.
 *
 * A record belongs to its segment by `mark`, made of the store's secret number and the segment's serial: what an earlier life of the
 * file left behind, and what a value in the tree pretends to be, is none.
 * Tried: tests/state/record, fuzz/journal. */
#ifndef STATE_RECORD_H
#define STATE_RECORD_H

#include "base/buf.h"
#include "base/err.h"

#define RECORD_BLOCK 512
#define RECORD_HEAD  44
/* Serials and revisions above this are no work of ours; so one can be added to any number that was read. */
#define RECORD_MOST (UINT64_C(1) << 62)

struct segment_head {
    uint64_t store;   /* number of the store, drawn when it was made */
    uint64_t serial;  /* of this segment, as in its name */
    uint64_t size;    /* bytes the file was made with */
    uint64_t base;    /* last journalled revision before this segment: all up to it was durable */
    uint32_t version; /* of the state its records change (plan.h) */
};
/* Writes RECORD_BLOCK bytes. */
void segment_head_write(uint8_t out[RECORD_BLOCK], const struct segment_head *h);
/* `block` has at least RECORD_BLOCK bytes. False: it is none, or damaged. */
bool segment_head_read(const uint8_t *block, struct segment_head *h);

enum record_kind {
    RECORD_PATCH = 1, /* payload: the CBOR of an RFC 6902 patch (add, remove, replace only) */
    RECORD_MARK = 2,  /* no payload: everything up to `revision` is durable */
};

struct record {
    enum record_kind kind;
    bool last;         /* of its batch */
    uint32_t len;      /* of the payload */
    uint32_t sum;      /* of the payload */
    uint64_t mark;     /* record_mark of its segment */
    uint64_t revision; /* goes up from record to record, not always by one; of a mark: the last durable one */
    uint64_t horizon;  /* last journalled revision known durable when this was written */
};
uint64_t record_mark(uint64_t store, uint64_t serial);
uint32_t record_sum(struct slice payload);
void record_write(uint8_t out[RECORD_HEAD], const struct record *r);
/* `head` has at least RECORD_HEAD bytes. False: it is none, or damaged: a head has a checksum of its own. */
bool record_read(const uint8_t *head, struct record *r);

/* File names: "journal-0000000000000007" (serial), "snapshot-0000000000000391" (revision): 16 hexadecimal digits, small letters. Names
 * with a number above RECORD_MOST are none. */
#define STATE_NAME 48
void segment_name(char out[STATE_NAME], uint64_t serial);
bool segment_name_read(struct slice name, uint64_t *serial);
void snapshot_name(char out[STATE_NAME], uint64_t revision);
bool snapshot_name_read(struct slice name, uint64_t *revision);

#endif
