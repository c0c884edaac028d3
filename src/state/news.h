/* news.h - what is told to the watchers of one scope: a value or revisions, as they see them, and the bytes of it in every format
 * they want. Private to src/state.
 *
 * An `issue` is made once and told to many. It keeps its bytes as long as it lives; whoever wants them longer takes a reference.
 * Tried: tests/state/watch, tests/state/watch_model. */
#ifndef STATE_NEWS_H
#define STATE_NEWS_H

#include "base/buf.h"
#include "protocols/cbor.h"
#include "protocols/json.h"
#include "state/history.h"
#include "state/watch.h"

struct issue_bytes {
    struct issue_bytes *next;
    const struct watch_format *format;
    struct shared *shared;
};

enum issue_kind {
    ISSUE_VALUE,
    ISSUE_CHANGES,
    ISSUE_NOTHING, /* no change touches the scope */
    ISSUE_SHIFTED, /* an array moved under it: only the value will do */
};

struct issue {
    enum issue_kind kind;
    uint64_t from, to; /* of changes: what they lead from; what they lead to, or the value is of */
    struct val value;
    struct watch_revision *revisions;
    size_t n, cap;
    struct issue_bytes *bytes;
};

/* Where somebody stands, and what may be seen from there. */
struct view {
    struct slice pointer;
    bool inside;
    const struct plan *plan;
};

/* The value at the view's place in a root. NULL: no memory. */
struct issue *issue_value(const struct view *v, const struct val *root, uint64_t revision);
/* What revisions are to the view; `root` is the tree behind the last of them. NULL: no memory, or a patch that cannot be told. */
struct issue *issue_changes(const struct view *v, struct settled *all, size_t n, const struct val *root, uint64_t from,
                            uint64_t to);
void issue_free(struct issue *i, struct val_trash *trash);

/* The bytes in a format, if they were made. */
struct shared *issue_find(const struct issue *i, const struct watch_format *format);
/* Makes them, all at once. NULL: no memory, or it has no such form. */
struct shared *issue_encode(struct issue *i, const struct watch_format *format);
/* Adds bytes made elsewhere; takes them on success. */
bool issue_put(struct issue *i, const struct watch_format *format, struct shared *bytes);

/* A whole value becoming bytes, in slices. */
struct encoder {
    const struct watch_format *format;
    struct buf out;
    size_t guess; /* bytes left free for the head of the message */
    struct json_writer *json;
    struct cbor_writer *cbor;
};
/* The value must stay until the end. False: no memory. */
bool encoder_open(struct encoder *c, const struct watch_format *format, const struct issue *i);
enum step encoder_run(struct encoder *c, size_t budget);
/* Behind STEP_END. NULL: no memory. */
struct shared *encoder_take(struct encoder *c);
void encoder_release(struct encoder *c);

#endif
