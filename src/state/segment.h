/* segment.h - making segments for the journal. Private to src/state.
 *
 * A segment is written out with zeros, synced, then renamed to its name: so whatever has the name is whole (recover.h, reliance 2). One
 * whose records nobody needs any more is renamed instead: its old records have another mark.
 * Tried: with the journal. */
#ifndef STATE_SEGMENT_H
#define STATE_SEGMENT_H

#include "state/store.h"

#define SEGMENT_FRESH "segment.new" /* until it has its name */

enum segment_maker_state { MAKER_RESTING, MAKER_CLEARING, MAKER_FILLING, MAKER_NAMING, MAKER_READY };

struct segment_maker {
    void (*done)(struct segment_maker *m, const struct err *e); /* NULL: READY; from the loop */
    struct store_disk *disk;
    size_t size;
    uint64_t serial;
    enum segment_maker_state state;
    size_t filled;
    struct call call;
};
/* Begins to make the next segment, when it rests. False: it could not (e). */
bool segment_make(struct segment_maker *m, struct err *e);
/* There is one already, made before this start and never written to. */
void segment_adopt(struct segment_maker *m, uint64_t serial);
/* Takes the one that is ready: its serial; the maker rests. */
uint64_t segment_take(struct segment_maker *m);
/* Whatever it does is over; a segment that was ready stays so. */
void segment_stop(struct segment_maker *m);

#endif
