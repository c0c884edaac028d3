/* watch.h - who wants to hear of changes: a pointer each; the value first, then the revisions that touch it, scoped to it.
 *
 * For: WebSockets, events, MCP, and actors inside the process. It hears of revisions when they are settled (durable, or volatile
 *      with nothing before them open), so nobody is told what may yet be taken back.
 * Owns: per distinct pointer a *scope* with its watchers; a bounded history of revisions; encoded bytes while they are spread.
 *      Its rooms: watch_scope (who watches what, how far each is), spread (telling), whole (large encodings), news (what a
 *      revision is to a scope), history.
 * Never: calls a watcher from inside one of its own functions; keeps a queue for a watcher.
 *
 * Telling: all revisions settled since the last time go out together, as one struct news per scope, encoded once per format however
 *   many watchers share it. Watchers are called in the loop's phase LOOP_SPREAD, some LIMIT_STATE_SPREAD a turn.
 * Behind: a watcher that answers false (its connection holds too much already) is told nothing more until it says watch_ready;
 *   then it gets the whole value. So it never makes anything grow.
 * Outside: private things are stripped (plan.h), and a revision of which nothing is left is not told. Inside watchers see all.
 * Resume: who has revision n of this life of the store (watchers_life) gets what it missed while the history reaches back, else
 *   the whole value. Numbers of another life mean nothing: volatile revisions are not journalled.
 * Whole values: encoded in slices in LOOP_LATER, once per scope, format and revision.
 * Arrays: an insertion or a removal changes what a pointer through a later index means. Which value stands there after each
 *   revision is not known any more when several go out together; so those scopes get the whole value.
 * Memory: what cannot be made for want of it becomes a whole value later; what cannot be encoded at all is tried again with the
 *   next revision, and once a second.
 * Tried: tests/state/watch, watch_back, watch_whole, watch_model; fuzz/watch. */
#ifndef STATE_WATCH_H
#define STATE_WATCH_H

#include "base/limits.h"
#include "base/shared.h"
#include "base/val.h"
#include "loop/loop.h"
#include "state/plan.h"

/* How a watcher wants its bytes. Static rows; compared by address. */
struct watch_format {
    const char *name;
    bool cbor; /* else JSON */
    /* Writes what stands before a message of so many bytes (a frame's head) and returns its length, at most WATCH_HEAD; NULL: nothing.
     * Each revision, and each whole value, is one message. */
    size_t (*head)(uint8_t *out, uint64_t len);
};
#define WATCH_HEAD 16
/* {"id":n,"patch":[...]} and {"id":n,"value":...}, one behind the other. */
extern const struct watch_format watch_json, watch_cbor;

struct watch_revision {
    uint64_t id;
    struct val patch; /* scoped: an array of {op, path, value} */
};

struct news {
    bool whole;                             /* the value, and not what changed */
    uint64_t revision;                      /* the watcher is up to date with this one */
    const struct val *value;                /* of whole: what stands there, null when nothing does */
    const struct watch_revision *revisions; /* of changes, in order */
    size_t revision_n;
    struct shared
        *bytes; /* in the watcher's format: all messages; NULL without a format. Take a reference to keep it */
};

struct watchers;
struct scope;

struct watch {
    /* False: cannot take it, is behind. Inside it any watch may be ended, this one too, and begun; what is settled meanwhile
     * is not: no revision may be settled inside. */
    bool (*tell)(struct watch *w, const struct news *news);
    const struct watch_format *format; /* NULL: values only */
    bool inside;                       /* sees private things; format must be NULL */
    /* private */
    struct scope *scope;
    uint32_t place; /* in the scope's array */
    bool resumes;   /* began with a revision of its own and has not been served yet */
    uint64_t have;  /* revision it was told last */
};

struct watch_limits {
    size_t watches;       /* all together */
    size_t spread;        /* called in one turn */
    size_t history;       /* revisions kept */
    size_t history_bytes; /* about so many bytes of them */
    size_t slice;         /* bytes encoded in one slice */
};
extern const struct watch_limits watch_limits;

/* The root is as of a settled revision. Without a plan (NULL) nothing is private. */
struct watchers *watchers_new(struct loop *l, const struct plan *plan, const struct val *root, uint64_t revision,
                              const struct watch_limits *limits, struct err *e);
/* Every watch must have been ended. */
void watchers_free(struct watchers *ws);
/* A further revision is settled; takes the patch (add, remove, replace). False: no memory: then every watcher it touches gets its
 * whole value instead. */
bool watchers_settle(struct watchers *ws, uint64_t revision, struct val patch);
/* Behind the last of them: what the tree is now. Borrowed; shared. Nothing is told before. */
void watchers_now(struct watchers *ws, const struct val *root);
/* Never 0, and below 2^53, so that a JavaScript client can hold it. */
uint64_t watchers_life(const struct watchers *ws);

/* Begins a watch; the first news comes later in this turn or soon. `life` and `have` of who resumes; 0, 0: gets the value. The
 * pointer is copied; nothing needs to stand there. Refused: what is no pointer, too many watches, and for a watcher outside what
 * is private (with the words of what is not there). */
bool watch_begin(struct watchers *ws, struct watch *w, struct slice pointer, uint64_t life, uint64_t have,
                 struct err *e);
/* The same for who took the value elsewhere: watchers_told is the revision it must be of, and the root to take it from. */
bool watch_begin_behind_told(struct watchers *ws, struct watch *w, struct slice pointer, struct err *e);
const struct val *watchers_told(const struct watchers *ws, uint64_t *revision);
/* It can take news again. Nothing when it was not behind. */
void watch_ready(struct watch *w);
void watch_end(struct watch *w); /* nothing when it is not begun */
static inline bool watch_is_begun(const struct watch *w) {
    return w->scope != NULL;
}

/* A patch as a watcher of a pointer sees it: operations below it with their path cut, above it with the value found there. VAL_NONE
 * with *e untouched: nothing of it touches the pointer. It takes every part of a path for a key: what insertions move in an array
 * it cannot know. */
struct val watch_scope_patch(const struct val *patch, struct slice pointer, struct err *e);

struct watch_counts {
    uint64_t told;    /* calls of tell */
    uint64_t encoded; /* news that were encoded */
    uint64_t behind;  /* times a watcher refused */
    uint64_t wholes, resumed;
    size_t watches, scopes, history, history_bytes;
};
struct watch_counts watchers_counts(const struct watchers *ws);

#endif
