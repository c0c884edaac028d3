/* trail.h - the way down to a value while a tree is walked, and what stands there, in words for a refusal.
 *
 * For: shapes and the plan. Walkers keep a trail on their stack; it becomes text only when something is refused, so
 *      walking a tree that is right builds no pointers.
 * Owns: nothing. Never allocates.
 * Tried: tests/state/shape. */
#ifndef STATE_TRAIL_H
#define STATE_TRAIL_H

#include "base/val.h"

struct trail {
    const struct trail *up; /* NULL: directly below the base */
    struct slice key;       /* ptr NULL: an element */
    size_t index;           /* of the element */
};

/* The key of an entry; "*" for one that is no text. */
struct trail trail_entry(const struct trail *up, const struct val *key);
struct trail trail_element(const struct trail *up, size_t index);

/* The pointer `base` and the trail behind it (NULL: none): escaped as log_text does, long ones cut in their middle.
 * "the root" for the empty pointer. */
#define TRAIL_PLACE 128
const char *trail_place(char out[TRAIL_PLACE], struct slice base, const struct trail *at);

/* What was found: numbers and words as they are, of a text its first 40 bytes, escaped; of containers and bytes how
 * many. With `hide` only the kind. */
#define TRAIL_FOUND 224
const char *trail_found(char out[TRAIL_FOUND], const struct val *v, bool hide);

#endif
