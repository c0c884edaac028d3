/* change.h - from a tree and its next version to the patch between them. Private to src/state.
 *
 * Whoever changed the tree says which places it touched, so nothing else is looked at: the cost follows what changed. The patch
 * has add, remove and replace only, parents before children, and leads the old tree to the new one exactly.
 * Tried: tests/state/txn. */
#ifndef STATE_CHANGE_H
#define STATE_CHANGE_H

#include "base/err.h"
#include "base/val.h"

/* A place that was touched, and what stands there in both trees; &val_none: nothing does. */
struct change {
    struct slice place; /* a checked pointer */
    const struct val *was, *is;
};
bool change_find(struct change *c, const struct val *was, const struct val *is, struct err *e);
/* Appends to ops (an array) what turns `was` into `is`. */
bool change_make(const struct change *c, struct val *ops, struct err *e);
/* Drops places that lie within another one of the list; returns how many are left, in their order. What lies beside them is the same
 * in both trees. */
unsigned change_outermost(struct change *list, unsigned n);

#endif
