/* watch_room.h - what the files of the watchers share. Private to src/state.
 *
 * A scope keeps its watchers in one array that is divided into parts; which part a watcher stands in says how far it is, and
 * nothing else does:
 *
 *     DONE | OWED | WAIT | WHOLE | RESUME | BEHIND
 *
 *   DONE    up to date with `told`
 *   OWED    up to date with the told before; the round under way tells it the news
 *   WAIT    wants the whole value, was looked at, and waits until its bytes are there
 *   WHOLE   wants the whole value, and is to be looked at
 *   RESUME  has the revision w->have, and gets what came since out of the history
 *   BEHIND  refused; says watch_ready
 *
 * The order makes what happens to many cheap: a round begins by moving a boundary, and so on. Moving one watcher from part to part
 * is one exchange for each boundary between. */
#ifndef STATE_WATCH_ROOM_H
#define STATE_WATCH_ROOM_H

#include "base/limits.h"
#include "state/news.h"
#include "state/trash.h"

enum part { PART_DONE, PART_OWED, PART_WAIT, PART_WHOLE, PART_RESUME, PART_BEHIND, PART_N };

/* The lists a scope may be in. */
enum scope_list {
    LIST_TOUCHED, /* a revision that is not told yet touches it */
    LIST_BUSY,    /* some watcher of it is to be called */
    LIST_ENCODED, /* its whole value is to be encoded, when one of the places is free */
    LIST_STUCK,   /* that failed: it is tried again later */
    LIST_KEPT,    /* it keeps issues that could serve others */
    LIST_N,
};

/* An encoding of a scope's whole value. */
struct whole {
    struct issue *issue;
    const struct watch_format *format;
    struct encoder encoder;
    bool open;  /* the encoder is */
    bool ready; /* the issue has the bytes */
    unsigned tries;
    uint64_t checked; /* with this `told` it was seen that the history leads on from it */
};

struct scope {
    struct watchers *owner;
    struct scope *next[LIST_N], *prev[LIST_N];
    uint8_t in; /* bits of the lists it is in */
    bool inside;
    bool round; /* OWED is being told `news` */
    struct watch **watches;
    uint32_t end[PART_N]; /* of each part; the last one's is the number of all */
    uint32_t cap;
    struct issue *news;   /* of the round; NULL: not made yet */
    struct issue *resume; /* made last for one who came back */
    struct issue *now;    /* the value, with what small bytes of it were made */
    struct whole *whole;
    size_t kept; /* bytes of `now` and `resume` */
    uint32_t len;
    uint8_t pointer[];
};

struct watchers {
    struct loop *loop;
    const struct plan *plan;
    struct watch_limits limits;
    uint64_t life;
    struct val now, told;
    uint64_t settled, now_revision, told_revision;
    struct history history;
    struct history pending, batch; /* settled and not told; being told */
    bool pending_lost;             /* there was no memory or no room for some of it */
    struct scope **scopes;         /* by pointer, outside before inside */
    size_t scope_n, scope_cap;
    struct scope *first[LIST_N], *last[LIST_N];
    size_t rounds;  /* under way */
    size_t kept;    /* bytes kept by all scopes */
    bool unkeeping; /* they are being let go of */
    struct scope *encoding[LIMIT_WATCH_ENCODED];
    unsigned turn; /* whose slice is next */
    struct scope *working;
    struct watch *telling; /* whom tell was called of; NULL again once it has ended */
    bool calling;          /* tell is being called */
    struct trash trash;
    struct loop_task spread, later;
    struct loop_timer again, fresh;
    struct watch_counts counts;
};

static inline uint32_t part_start(const struct scope *s, enum part part) {
    return part ? s->end[part - 1] : 0;
}
static inline uint32_t part_n(const struct scope *s, enum part part) {
    return s->end[part] - part_start(s, part);
}
static inline struct view scope_view(const struct scope *s) {
    return (struct view){slice_of(s->pointer, s->len), s->inside, s->owner->plan};
}

/* --- watch_scope.c --- */

/* The scope of a pointer; made when there is none. NULL: no memory. */
struct scope *scope_find(struct watchers *ws, struct slice pointer, bool inside);
/* Frees it when nobody watches and nobody works on it. */
void scope_drop_idle(struct scope *s);
bool scope_add(struct scope *s, struct watch *w, enum part part);
void scope_remove(struct scope *s, struct watch *w);
void scope_move(struct scope *s, struct watch *w, enum part to);
/* All that were up to date, or on the way to it, want the whole value. */
void scope_spoil(struct scope *s);
/* Notes which scopes a patch touches. */
void scopes_touch(struct watchers *ws, const struct val *patch);
void list_add(struct scope *s, enum scope_list list);
void list_remove(struct scope *s, enum scope_list list);

/* --- watch.c --- */

/* Values put into ws->trash.held are let go of in slices. */
void watchers_run_trash(struct watchers *ws);
void watchers_drop_issue(struct watchers *ws, struct issue **i);

/* --- spread.c --- */

bool spread_run(struct loop_task *t);
/* There may be somebody to tell. */
void spread_wake(struct watchers *ws, struct scope *s);
/* What came behind `from`, for this scope; kept, and the scope's. NULL: no memory, or the history does not reach back. */
struct issue *spread_missed(struct scope *s, uint64_t from, size_t *cost);

/* --- whole.c --- */

bool whole_run(struct loop_task *t);
void whole_again(struct loop_timer *t);
void whole_unkeep(struct loop_timer *t);
/* The issue for a watcher that wants the value, with its bytes; NULL: not yet. */
struct issue *whole_for(struct scope *s, const struct watch *w);
/* Before watchers of a scope are looked at: makes sure what is ready can still be given. */
void whole_check(struct scope *s, size_t *cost);
/* Behind the last of them: begins what those who wait need. */
void whole_next(struct scope *s);
void whole_stop(struct scope *s);
/* So many bytes more are kept by a scope, for a while, for who comes and wants the same. */
void whole_keep(struct scope *s, size_t bytes);
void whole_forget(struct scope *s); /* what is kept */
/* Those who could not be served are looked at again. */
void whole_unstick(struct watchers *ws);

#endif
