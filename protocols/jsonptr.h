/* jsonptr.h - RFC 6901: a place in a value, read and changed.
 *
 * Only text keys can be named. An array index is "0" or a number without leading zeros; "-" is the place behind the last
 * element, and only adding may use it. Setting never makes parents.
 * Changing: the value is the caller's own; what others share is copied along the path (val_edit). All or nothing.
 * Tried: tests/protocols/jsonptr, fuzz/jsonpatch, `startbox codec jsonptr`. */
#ifndef PROTOCOLS_JSONPTR_H
#define PROTOCOLS_JSONPTR_H

#include "base/buf.h"
#include "base/val.h"

/* Whether the text is a pointer at all: empty, or "/" before each part and only ~0 and ~1 behind a tilde. */
bool jsonptr_check(struct slice pointer, struct err *e);
/* Takes the next part off a checked pointer, still escaped. False at its end. */
bool jsonptr_next(struct slice *rest, struct slice *part);
/* Appends the part without its escapes. */
bool jsonptr_unescape(struct buf *out, struct slice part);
/* Appends "/" and the part with its escapes. */
bool jsonptr_add(struct buf *out, struct slice part);

/* What stands there; &val_none with the reason when nothing does (e->code ERR_NOT_FOUND) or the pointer is none. */
const struct val *jsonptr_get(const struct val *root, struct slice pointer, struct err *e);

/* The same of a pointer that was checked, without a reason. False: no memory. */
bool jsonptr_find(const struct val *root, struct slice pointer, const struct val **found);

/* The error of jsonptr_get for a key that is not there: for who must not tell one that is hidden from it. */
bool jsonptr_hide(struct slice pointer, struct err *e);

/* The slot of what stands there, made safe to change (val_edit): what is put into it may nest `below` levels deep. NULL: nothing
 * stands there, or there is no memory (e). */
struct val *jsonptr_edit(struct val *root, struct slice pointer, unsigned below, struct err *e);

enum jsonptr_change {
    JSONPTR_ADD,     /* a key set or added; an element inserted */
    JSONPTR_REPLACE, /* must be there */
    JSONPTR_REMOVE,  /* must be there; at the root: null stays */
};
/* Takes the value, on failure too (val_none for JSONPTR_REMOVE). */
bool jsonptr_change(struct val *root, enum jsonptr_change how, struct slice pointer, struct val value, struct err *e);

#endif
