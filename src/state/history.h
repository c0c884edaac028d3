/* history.h - settled revisions in a row, oldest first: what waits to be told, and what is kept for those who come back.
 * Private to src/state.
 *
 * Owns: its patches, and beside each what is left of it for watchers outside, once somebody has asked.
 * Tried: tests/state/watch. */
#ifndef STATE_HISTORY_H
#define STATE_HISTORY_H

#include "base/err.h"
#include "base/val.h"
#include "state/plan.h"

struct settled {
    uint64_t id;
    struct val patch;
    struct val outside; /* the patch without private things; VAL_NONE: not made yet */
    size_t bytes;       /* about so many, patch and all */
};

struct history {
    struct settled *all; /* from `first` on */
    size_t first, n, cap;
    size_t bytes;
    uint64_t base; /* everything behind this revision is here */
};

/* About how many bytes a patch holds; stops at `most`. */
size_t history_weigh(const struct val *patch, size_t most);
/* Takes the patch. False: no memory; the history is as it was. */
bool history_add(struct history *h, uint64_t id, struct val patch, size_t bytes);
/* Lets the oldest go until there are at most so many, and bytes; their values go to the trash. */
void history_trim(struct history *h, size_t most, size_t most_bytes, struct val_trash *trash);
/* Empties it, keeping the memory: what comes next is behind `base`. */
void history_clear(struct history *h, uint64_t base, struct val_trash *trash);
void history_release(struct history *h, struct val_trash *trash);
/* The revisions behind `have` up to `to`; have must not be before base. */
struct settled *history_range(const struct history *h, uint64_t have, uint64_t to, size_t *n);

/* The patch as it may be seen: inside all of it. NULL: no memory (or a patch that is none; e says). Borrowed. */
const struct val *settled_patch(struct settled *s, bool inside, const struct plan *plan, struct err *e);

#endif
