/* snapfile.h - the bytes of a snapshot: a head that says what it is, the tree as CBOR in checked pieces, an end. No I/O.
 *
 *   head   "SBSNAP1\n", length and checksum of the description, a checksum of these; the description, a CBOR map
 *   pieces length (1 to SNAPFILE_PIECE), checksum of length and bytes, so many bytes of the root's CBOR
 *   end    length 0, count of all bytes of the pieces, checksum of both; nothing follows
 *
 * docs/state.md has it to the byte. A reader believes nothing it has not checked, and gives a value only when the end was seen.
 * Tried: tests/state/snapfile, fuzz/snapshot, tests/golden/state. */
#ifndef STATE_SNAPFILE_H
#define STATE_SNAPFILE_H

#include "base/buf.h"
#include "base/val.h"
#include "protocols/step.h"

#define SNAPFILE_PIECE (48u << 10)

struct snapfile_about {
    uint64_t store;     /* number of the store */
    uint64_t revision;  /* of the root */
    uint64_t serial;    /* the journal goes on in this segment: nothing before it is needed */
    uint32_t version;   /* of the state */
    int64_t written_ms; /* wall clock */
    struct val name;    /* of the personality: text */
    struct val priv;    /* patterns of what is private, and of what is secret: arrays of texts */
    struct val secret;
};
void snapfile_about_release(struct snapfile_about *a);

/* Refused is what a reader would refuse. Values that are VAL_NONE count as "no memory": patterns must not get lost unseen. */
bool snapfile_write_head(struct buf *out, const struct snapfile_about *about, struct err *e);
/* One piece of the root's CBOR; at most SNAPFILE_PIECE bytes, at least one. */
bool snapfile_write_piece(struct buf *out, struct slice bytes);
/* `total`: bytes of all pieces. */
bool snapfile_write_end(struct buf *out, uint64_t total);

/* Reading, fed in any cut. STEP_EVENT once: the description is there (snapfile_about_of). STEP_END: the root can be taken. The
 * err says what is wrong and where: e->at is an offset in the file. ERR_NOMEM is no word about the file. */
struct snapfile;
/* `most`: bytes of the largest file. NULL: no memory. */
struct snapfile *snapfile_new(uint64_t most);
struct fed snapfile_feed(struct snapfile *s, struct slice in, struct err *e);
/* The file ends here: false when that is too early (or behind the end something follows, which feed says). */
bool snapfile_eof(const struct snapfile *s, struct err *e);
/* NULL before the description is there. */
const struct snapfile_about *snapfile_about_of(const struct snapfile *s);
/* VAL_NONE before the end, and when it was taken. */
struct val snapfile_take(struct snapfile *s);
void snapfile_free(struct snapfile *s);

#endif
