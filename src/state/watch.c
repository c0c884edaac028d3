/* watch.c - watchers begin, end and come back; revisions come in; see watch.h. Telling is spread.c. */
#include "state/watch.h"
#include "base/limits.h"

#include "base/must.h"
#include "base/rng.h"
#include "protocols/jsonptr.h"
#include "state/watch_room.h"

const struct watch_limits watch_limits = {
    .watches = LIMIT_STATE_WATCHES,
    .spread = LIMIT_STATE_SPREAD,
    .history = LIMIT_STATE_HISTORY,
    .history_bytes = LIMIT_STATE_HISTORY_BYTES,
    .slice = LIMIT_STATE_SLICE,
};

struct watchers *watchers_new(struct loop *l, const struct plan *plan, const struct val *root, uint64_t revision,
                              const struct watch_limits *limits, struct err *e) {
    must(limits->spread && limits->slice);
    struct watchers *ws = mem_get_zero(sizeof *ws);
    if (!ws) {
        err_nomem(e, "watchers");
        return NULL;
    }
    ws->loop = l;
    ws->plan = plan;
    ws->limits = *limits;
    trash_init(&ws->trash, l);
    ws->life = (rng_u64() >> 11) | 1;
    ws->now = val_ref(root);
    ws->told = val_ref(root);
    ws->settled = ws->now_revision = ws->told_revision = revision;
    ws->history.base = ws->pending.base = ws->batch.base = revision;
    ws->spread = (struct loop_task)LOOP_TASK(spread_run, "spread");
    ws->later = (struct loop_task)LOOP_TASK(whole_run, "whole values");
    ws->again = (struct loop_timer){.call = whole_again, .name = "whole values again"};
    ws->fresh = (struct loop_timer){.call = whole_unkeep, .name = "kept values"};
    return ws;
}

void watchers_free(struct watchers *ws) {
    if (!ws) return;
    must(ws->counts.watches == 0 && ws->scope_n == 0 && !ws->calling);
    loop_task_remove(&ws->spread);
    loop_task_remove(&ws->later);
    loop_timer_clear(&ws->again);
    loop_timer_clear(&ws->fresh);
    history_release(&ws->history, &ws->trash.held);
    history_release(&ws->pending, &ws->trash.held);
    history_release(&ws->batch, &ws->trash.held);
    val_trash_add(&ws->trash.held, &ws->now);
    val_trash_add(&ws->trash.held, &ws->told);
    trash_release(&ws->trash);
    mem_put(ws->scopes, ws->scope_cap * sizeof(struct scope *));
    mem_put(ws, sizeof *ws);
}

uint64_t watchers_life(const struct watchers *ws) {
    return ws->life;
}

const struct val *watchers_told(const struct watchers *ws, uint64_t *revision) {
    *revision = ws->told_revision;
    return &ws->told;
}

struct watch_counts watchers_counts(const struct watchers *ws) {
    struct watch_counts c = ws->counts;
    c.scopes = ws->scope_n;
    c.history = ws->history.n;
    c.history_bytes = ws->history.bytes;
    return c;
}

void watchers_run_trash(struct watchers *ws) {
    if (ws->trash.held.head) loop_task_queue(ws->loop, &ws->trash.task, LOOP_LATER);
}

void watchers_drop_issue(struct watchers *ws, struct issue **i) {
    issue_free(*i, &ws->trash.held);
    *i = NULL;
    watchers_run_trash(ws);
}

/* --- revisions --- */

/* Notes a revision for the next round. When there are too many, or no memory, those touched get the value: then none is needed. */
static bool keep_pending(struct watchers *ws, uint64_t revision, const struct val *patch, size_t bytes) {
    struct history *p = &ws->pending;
    size_t most = ws->limits.history_bytes;
    most = most > SIZE_MAX / LIMIT_WATCH_PENDING ? SIZE_MAX : most * LIMIT_WATCH_PENDING;
    if (ws->pending_lost) return true;
    bool fits = p->n == 0 || (p->n < ws->limits.history && bytes <= most && p->bytes <= most - bytes);
    if (fits && history_add(p, revision, val_ref(patch), bytes)) return true;
    ws->pending_lost = true;
    history_clear(p, revision, &ws->trash.held);
    return !fits;
}

bool watchers_settle(struct watchers *ws, uint64_t revision, struct val patch) {
    must(!ws->calling && revision > ws->settled);
    size_t most = ws->limits.history_bytes, bytes = history_weigh(&patch, most < SIZE_MAX ? most + 1 : most);
    ws->settled = revision;
    scopes_touch(ws, &patch);
    bool kept = keep_pending(ws, revision, &patch, bytes);
    if (!history_add(&ws->history, revision, patch, bytes)) {
        history_clear(&ws->history, revision, &ws->trash.held);
        kept = false;
    }
    history_trim(&ws->history, ws->limits.history, most, &ws->trash.held);
    watchers_run_trash(ws);
    return kept;
}

void watchers_now(struct watchers *ws, const struct val *root) {
    must(!ws->calling);
    struct val was = ws->now;
    ws->now = val_ref(root);
    ws->now_revision = ws->settled;
    trash_add(&ws->trash, &was);
    spread_wake(ws, NULL);
}

/* --- watches --- */

static bool add(struct watchers *ws, struct watch *w, struct slice pointer, enum part part, struct err *e) {
    must(!w->scope && w->tell && !(w->inside && w->format));
    if (!jsonptr_check(pointer, e)) return false;
    if (pointer.len > LIMIT_WATCH_POINTER) return err_limit(e, "watch_pointer", LIMIT_WATCH_POINTER, ERR_NOWHERE);
    if (ws->counts.watches >= ws->limits.watches) return err_limit(e, "watches", ws->limits.watches, ERR_NOWHERE);
    if (ws->plan && !w->inside && plan_attrs(ws->plan, pointer) & PLAN_PRIVATE) return jsonptr_hide(pointer, e);
    struct scope *s = scope_find(ws, pointer, w->inside);
    if (!s || !scope_add(s, w, part)) {
        if (s) scope_drop_idle(s);
        return err_nomem(e, "a watch");
    }
    ws->counts.watches++;
    if (part != PART_DONE) spread_wake(ws, s);
    return true;
}

bool watch_begin(struct watchers *ws, struct watch *w, struct slice pointer, uint64_t life, uint64_t have,
                 struct err *e) {
    bool knows = life == ws->life && have <= ws->told_revision && have >= ws->history.base;
    bool current = life == ws->life && have == ws->told_revision;
    if (!add(ws, w, pointer, current ? PART_DONE : knows ? PART_RESUME : PART_WHOLE, e)) return false;
    w->have = current || knows ? have : 0;
    w->resumes = knows && !current;
    ws->counts.resumed += current;
    return true;
}

bool watch_begin_behind_told(struct watchers *ws, struct watch *w, struct slice pointer, struct err *e) {
    if (!add(ws, w, pointer, PART_DONE, e)) return false;
    w->have = ws->told_revision;
    w->resumes = false;
    return true;
}

void watch_ready(struct watch *w) {
    struct scope *s = w->scope;
    if (!s || w->place < part_start(s, PART_BEHIND)) return;
    scope_move(s, w, PART_WHOLE);
    spread_wake(s->owner, s);
}

void watch_end(struct watch *w) {
    struct scope *s = w->scope;
    if (!s) return;
    struct watchers *ws = s->owner;
    scope_remove(s, w);
    ws->counts.watches--;
    if (ws->telling == w) ws->telling = NULL;
    scope_drop_idle(s);
}
