/* jsonpatch.h - RFC 6902: a list of changes, applied all or not at all; and the list that leads from one version to the
 * next.
 *
 * Applying: the six operations. "test" compares numbers by their worth (1 equals 1.0). Unknown members are ignored.
 * Making: only add, remove and replace, parents before children; what both versions share is skipped, so the cost follows
 *   the change. Applied to the old version the list gives the new one exactly; a map whose keys changed places is replaced.
 * Limits: struct jsonpatch_limits. `copied` bounds what "copy" may multiply: each operation can double a document.
 * Tried: tests/protocols/jsonpatch, fuzz/jsonpatch, `startbox codec jsonpatch`. */
#ifndef PROTOCOLS_JSONPATCH_H
#define PROTOCOLS_JSONPATCH_H

#include "base/val.h"

#define JSONPATCH_OPS(X)                                                                                               \
    X(ADD, "add") X(REMOVE, "remove") X(REPLACE, "replace") X(MOVE, "move") X(COPY, "copy") X(TEST, "test")

enum jsonpatch_op {
#define X(name, word) JSONPATCH_##name,
    JSONPATCH_OPS(X)
#undef X
        JSONPATCH_OP_N
};
const char *jsonpatch_op_name(enum jsonpatch_op op);
bool jsonpatch_op_from(struct slice word, enum jsonpatch_op *op);

struct jsonpatch_limits {
    size_t ops;    /* in one patch */
    size_t copied; /* values that all "copy" operations together may add */
};

/* On failure *doc is as it was; the err names the operation. */
bool jsonpatch_apply(struct val *doc, const struct val *patch, const struct jsonpatch_limits *limits, struct err *e);

/* Appends to *ops (an array the caller owns) what turns `was` into `is`. What has no text key is replaced as a whole. */
bool jsonpatch_diff(const struct val *was, const struct val *is, struct val *ops, struct err *e);
/* The same of what stands at a pointer of both; &val_none: nothing does. */
bool jsonpatch_diff_at(struct slice pointer, const struct val *was, const struct val *is, struct val *ops,
                       struct err *e);

#endif
