/* spread.c - telling, so many watchers a turn; see watch_room.h for how far each may be.
 *
 * All that was settled since the last time is taken at once: from then on that is what is told. Each scope it touches has a
 * round, in which its OWED is told the news; only when all rounds are over is more taken. So revisions that come faster than they
 * can be told go out together, as one news. */
#include "state/watch_room.h"

#define BATCH_KEPT 256 /* entries of the array of revisions being told that are kept for the next */

/* What a turn may do, in calls of tell. */
struct turn {
    size_t left;
};

/* What looking through so many revisions costs. */
static size_t cost_of(size_t revisions) {
    return 1 + revisions / 2;
}

static void spend(struct turn *t, size_t n) {
    t->left -= n < t->left ? n : t->left;
}

void spread_wake(struct watchers *ws, struct scope *s) {
    if (s) list_add(s, LIST_BUSY);
    loop_task_queue(ws->loop, &ws->spread, LOOP_SPREAD);
}

/* --- one watcher --- */

/* Tells a watcher that stands in its new part already. */
static void tell(struct scope *s, struct watch *w, const struct issue *i, struct shared *bytes) {
    struct watchers *ws = s->owner;
    struct news news = {.whole = i->kind == ISSUE_VALUE,
                        .revision = i->to,
                        .value = i->kind == ISSUE_VALUE ? &i->value : NULL,
                        .revisions = i->revisions,
                        .revision_n = i->n,
                        .bytes = bytes};
    ws->counts.told++;
    ws->counts.wholes += news.whole;
    ws->telling = w;
    ws->calling = true;
    bool took = w->tell(w, &news);
    ws->calling = false;
    if (!ws->telling) return; /* it ended; what stands at w now is none of ours */
    ws->telling = NULL;
    if (took) {
        w->have = i->to;
        return;
    }
    ws->counts.behind++;
    scope_move(s, w, PART_BEHIND);
}

/* The bytes a watcher wants of an issue. False: there is no memory for them. */
static bool bytes_for(struct scope *s, struct issue *i, const struct watch_format *format, struct shared **bytes) {
    *bytes = format ? issue_find(i, format) : NULL;
    if (!format || *bytes) return true;
    *bytes = issue_encode(i, format);
    s->owner->counts.encoded += *bytes != NULL;
    return *bytes != NULL;
}

/* --- a round --- */

static void end_round(struct scope *s) {
    s->end[PART_DONE] = s->end[PART_OWED];
    s->round = false;
    s->owner->rounds--;
    watchers_drop_issue(s->owner, &s->news);
}

/* False: the round is over already. */
static bool begin_round(struct scope *s, struct turn *t) {
    struct watchers *ws = s->owner;
    struct view v = scope_view(s);
    spend(t, cost_of(ws->batch.n));
    s->news = issue_changes(&v, ws->batch.all + ws->batch.first, ws->batch.n, &ws->told, 0, ws->told_revision);
    if (s->news && s->news->kind == ISSUE_CHANGES) return true;
    if (s->news && s->news->kind == ISSUE_NOTHING)
        end_round(s);
    else
        scope_spoil(s);
    return false;
}

static void run_round(struct scope *s, struct turn *t) {
    if (!s->round || (part_n(s, PART_OWED) && !s->news && !begin_round(s, t))) return;
    while (part_n(s, PART_OWED) && t->left) {
        uint32_t at = s->end[PART_DONE];
        struct watch *w = s->watches[at];
        if (at + 1 < s->end[PART_OWED]) __builtin_prefetch(s->watches[at + 1]);
        struct shared *bytes;
        spend(t, 1);
        if (!bytes_for(s, s->news, w->format, &bytes)) {
            scope_move(s, w, PART_WHOLE);
            continue;
        }
        s->end[PART_DONE]++;
        tell(s, w, s->news, bytes);
    }
    if (!part_n(s, PART_OWED)) end_round(s);
}

/* --- those who come back --- */

struct issue *spread_missed(struct scope *s, uint64_t from, size_t *cost) {
    struct watchers *ws = s->owner;
    struct issue *i = s->resume;
    if (i && i->from == from && i->to == ws->told_revision) return i;
    if (from < ws->history.base) return NULL;
    watchers_drop_issue(ws, &s->resume);
    size_t n;
    struct settled *all = history_range(&ws->history, from, ws->told_revision, &n);
    struct view v = scope_view(s);
    *cost += cost_of(n);
    s->resume = issue_changes(&v, all, n, &ws->told, from, ws->told_revision);
    if (s->resume) whole_keep(s, s->resume->cap * sizeof *s->resume->revisions);
    return s->resume;
}

/* It is up to date without a word. */
static void settle_silently(struct scope *s, struct watch *w) {
    s->owner->counts.resumed += w->resumes;
    w->resumes = false;
    w->have = s->owner->told_revision;
    scope_move(s, w, PART_DONE);
}

/* What it missed is told; false: it cannot be. */
static bool tell_missed(struct scope *s, struct watch *w, struct issue *i) {
    struct shared *bytes;
    bool fresh = w->format && !issue_find(i, w->format);
    if (!bytes_for(s, i, w->format, &bytes)) return false;
    if (fresh) whole_keep(s, bytes->len);
    s->owner->counts.resumed += w->resumes;
    w->resumes = false;
    scope_move(s, w, PART_DONE);
    tell(s, w, i, bytes);
    return true;
}

static void run_resume(struct scope *s, struct turn *t) {
    while (part_n(s, PART_RESUME) && t->left) {
        struct watch *w = s->watches[s->end[PART_WHOLE]];
        size_t cost = 1;
        if (w->have == s->owner->told_revision) {
            settle_silently(s, w);
            spend(t, cost);
            continue;
        }
        struct issue *i = spread_missed(s, w->have, &cost);
        spend(t, cost);
        if (i && i->kind == ISSUE_NOTHING)
            settle_silently(s, w);
        else if (!i || i->kind == ISSUE_SHIFTED || !tell_missed(s, w, i)) {
            w->resumes = false;
            scope_move(s, w, PART_WHOLE);
        }
    }
}

/* --- whole values --- */

static void run_whole(struct scope *s, struct turn *t) {
    struct watchers *ws = s->owner;
    size_t cost = 0;
    if (part_n(s, PART_WHOLE) && t->left) whole_check(s, &cost);
    spend(t, cost);
    while (part_n(s, PART_WHOLE) && t->left) {
        struct watch *w = s->watches[s->end[PART_WAIT]];
        spend(t, 1);
        struct issue *i = whole_for(s, w);
        if (!i) {
            s->end[PART_WAIT]++;
            continue;
        }
        scope_move(s, w, i->to == ws->told_revision ? PART_DONE : PART_RESUME);
        tell(s, w, i, w->format ? issue_find(i, w->format) : NULL);
    }
    /* Also when the last of them has ended by itself: others may wait. */
    if (!part_n(s, PART_WHOLE)) whole_next(s);
}

/* --- the task --- */

/* Everything settled is what is told from now on. */
static void take(struct watchers *ws) {
    struct history taken = ws->pending;
    ws->pending = ws->batch; /* empty: its memory serves again */
    ws->batch = taken;
    bool lost = ws->pending_lost;
    ws->pending_lost = false;
    struct val was = ws->told;
    ws->told = val_ref(&ws->now);
    ws->told_revision = ws->now_revision;
    trash_add(&ws->trash, &was);
    for (struct scope *s; (s = ws->first[LIST_TOUCHED]);) {
        list_remove(s, LIST_TOUCHED);
        if (lost) {
            scope_spoil(s);
        } else if (s->end[PART_OWED]) {
            s->end[PART_DONE] = 0;
            s->round = true;
            ws->rounds++;
            list_add(s, LIST_BUSY);
        }
    }
    whole_unstick(ws);
}

/* All rounds are over. Its memory serves again, unless a storm has made it large. */
static void drop_batch(struct watchers *ws) {
    history_clear(&ws->batch, ws->told_revision, &ws->trash.held);
    if (ws->batch.cap > BATCH_KEPT) history_release(&ws->batch, &ws->trash.held);
    watchers_run_trash(ws);
}

static bool more_for(const struct scope *s) {
    return s->round || part_n(s, PART_RESUME) || part_n(s, PART_WHOLE);
}

static void work(struct scope *s, struct turn *t) {
    struct watchers *ws = s->owner;
    ws->working = s;
    /* Rounds may follow each other without end: who begins or comes back has a share of its own. */
    struct turn share = {.left = t->left < ws->limits.spread / 4 + 1 ? t->left : ws->limits.spread / 4 + 1};
    size_t before = share.left;
    run_resume(s, &share);
    run_whole(s, &share);
    spend(t, before - share.left);
    run_round(s, t);
    run_resume(s, t);
    run_whole(s, t);
    ws->working = NULL;
    if (!s->end[PART_BEHIND])
        scope_drop_idle(s);
    else if (more_for(s))
        list_add(s, LIST_BUSY);
}

bool spread_run(struct loop_task *task) {
    struct watchers *ws = LOOP_OWNER(struct watchers, spread, task);
    struct turn t = {.left = ws->limits.spread};
    for (;;) {
        if (!ws->rounds) {
            if (ws->batch.n) drop_batch(ws);
            if (ws->now_revision == ws->settled && ws->told_revision != ws->settled) take(ws);
        }
        struct scope *s = ws->first[LIST_BUSY];
        if (!s) return false;
        if (!t.left) return true;
        list_remove(s, LIST_BUSY);
        work(s, &t);
    }
}
