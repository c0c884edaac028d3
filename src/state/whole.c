/* whole.c - whole values as bytes: small ones are kept for a while, large ones made in slices and shared by all who wait; see
 * watch_room.h.
 *
 * An encoding is of the value as it was told when it began. When it is done the history leads those who get it on to what is
 * told by then. When it cannot, because it is bounded, the encoding was for nothing and begins again; after TRIES times it is made
 * at once, in the very callback that gives it: then nothing can come between, at the price of one long callback. Else a tree that
 * changes faster than it can be encoded would never be seen. */
#include "base/limits.h"
#include "state/watch_room.h"

#define TRIES 3

/* --- what is kept --- */

static void unkeep_now(struct watchers *ws) {
    ws->unkeeping = true;
    loop_task_queue(ws->loop, &ws->later, LOOP_LATER);
}

void whole_keep(struct scope *s, size_t bytes) {
    struct watchers *ws = s->owner;
    s->kept += bytes;
    ws->kept += bytes;
    list_add(s, LIST_KEPT);
    if (ws->kept > ws->limits.history_bytes)
        unkeep_now(ws);
    else if (!loop_timer_is_set(&ws->fresh) &&
             !loop_timer_set(ws->loop, &ws->fresh, loop_now_ms(ws->loop) + LIMIT_WATCH_KEPT_MS))
        unkeep_now(ws);
}

void whole_forget(struct scope *s) {
    struct watchers *ws = s->owner;
    list_remove(s, LIST_KEPT);
    ws->kept -= s->kept;
    s->kept = 0;
    watchers_drop_issue(ws, &s->now);
    watchers_drop_issue(ws, &s->resume);
}

void whole_unkeep(struct loop_timer *t) {
    unkeep_now(LOOP_OWNER(struct watchers, fresh, t));
}

static void run_unkeeping(struct watchers *ws) {
    for (unsigned n = 0; n < LIMIT_WATCH_UNKEPT && ws->first[LIST_KEPT]; n++) whole_forget(ws->first[LIST_KEPT]);
    ws->unkeeping = ws->first[LIST_KEPT] != NULL;
}

/* --- begin and end --- */

static void close_encoder(struct whole *h) {
    if (h->open) encoder_release(&h->encoder);
    h->open = false;
}

void whole_stop(struct scope *s) {
    struct watchers *ws = s->owner;
    struct whole *h = s->whole;
    if (!h) return;
    list_remove(s, LIST_ENCODED);
    for (unsigned i = 0; i < LIMIT_WATCH_ENCODED; i++)
        if (ws->encoding[i] == s) ws->encoding[i] = NULL;
    close_encoder(h);
    watchers_drop_issue(ws, &h->issue);
    mem_put(h, sizeof *h);
    s->whole = NULL;
}

/* Nothing can be done for those who wait. */
static void stick(struct scope *s) {
    struct watchers *ws = s->owner;
    whole_stop(s);
    list_add(s, LIST_STUCK);
    /* Without memory even for the timer the next revision does it. */
    if (!loop_timer_is_set(&ws->again))
        (void)loop_timer_set(ws->loop, &ws->again, loop_now_ms(ws->loop) + LIMIT_WATCH_AGAIN_MS);
}

static void look_again(struct scope *s) {
    s->end[PART_WAIT] = s->end[PART_OWED];
    spread_wake(s->owner, s);
}

void whole_unstick(struct watchers *ws) {
    for (struct scope *s; (s = ws->first[LIST_STUCK]);) {
        list_remove(s, LIST_STUCK);
        look_again(s);
    }
}

void whole_again(struct loop_timer *t) {
    whole_unstick(LOOP_OWNER(struct watchers, again, t));
}

/* Queues the value as it is told now. */
static bool begin(struct scope *s, const struct watch_format *format) {
    struct watchers *ws = s->owner;
    struct view v = scope_view(s);
    struct whole *h = s->whole ? s->whole : mem_get_zero(sizeof *h);
    if (!h) return false;
    s->whole = h;
    h->format = format;
    h->ready = false;
    close_encoder(h);
    watchers_drop_issue(ws, &h->issue);
    h->issue = issue_value(&v, &ws->told, ws->told_revision);
    if (!h->issue) return false;
    list_add(s, LIST_ENCODED);
    loop_task_queue(ws->loop, &ws->later, LOOP_LATER);
    return true;
}

/* --- in LOOP_LATER --- */

static void make_ready(struct scope *s) {
    struct whole *h = s->whole;
    struct shared *bytes = encoder_take(&h->encoder);
    close_encoder(h);
    if (!bytes || !issue_put(h->issue, h->format, bytes)) {
        shared_unref(bytes);
        stick(s);
        return;
    }
    s->owner->counts.encoded++;
    h->ready = true;
    look_again(s);
}

/* One slice of one encoding; true: it wants more. */
static bool run_slice(struct scope *s, size_t *budget) {
    struct whole *h = s->whole;
    if (s->end[PART_WHOLE] == s->end[PART_OWED]) { /* whoever waited has gone */
        whole_stop(s);
        return false;
    }
    if (!h->open) {
        h->open = true;
        if (!encoder_open(&h->encoder, h->format, h->issue)) {
            stick(s);
            return false;
        }
    }
    size_t before = h->encoder.out.len;
    enum step step = encoder_run(&h->encoder, *budget);
    size_t done = h->encoder.out.len - before;
    *budget -= done < *budget ? done : *budget;
    if (step == STEP_END)
        make_ready(s);
    else if (step == STEP_BAD)
        stick(s);
    return step == STEP_MORE;
}

/* Gives the free places away; false: all are empty. */
static bool fill_places(struct watchers *ws) {
    bool any = false;
    for (unsigned i = 0; i < LIMIT_WATCH_ENCODED; i++) {
        struct scope *s = ws->first[LIST_ENCODED];
        if (!ws->encoding[i] && s) {
            list_remove(s, LIST_ENCODED);
            ws->encoding[i] = s;
        }
        any = any || ws->encoding[i];
    }
    return any;
}

static bool run_encodings(struct watchers *ws) {
    size_t budget = ws->limits.slice;
    while (fill_places(ws)) {
        if (!budget) return true;
        unsigned i = ws->turn++ % LIMIT_WATCH_ENCODED;
        struct scope *s = ws->encoding[i];
        if (s && !run_slice(s, &budget)) ws->encoding[i] = NULL;
    }
    return false;
}

bool whole_run(struct loop_task *t) {
    struct watchers *ws = LOOP_OWNER(struct watchers, later, t);
    bool more = run_encodings(ws);
    if (ws->unkeeping) run_unkeeping(ws);
    return more || ws->unkeeping;
}

/* --- in LOOP_SPREAD --- */

/* Whether who gets what is ready can go on from there. */
static bool leads_on(struct scope *s, size_t *cost) {
    struct watchers *ws = s->owner;
    struct whole *h = s->whole;
    if (h->issue->to == ws->told_revision || h->checked == ws->told_revision) return true;
    const struct issue *missed = spread_missed(s, h->issue->to, cost);
    if (!missed || missed->kind == ISSUE_SHIFTED) return false;
    h->checked = ws->told_revision;
    return true;
}

static void encode_at_once(struct scope *s) {
    struct watchers *ws = s->owner;
    struct whole *h = s->whole;
    struct view v = scope_view(s);
    watchers_drop_issue(ws, &h->issue);
    h->issue = issue_value(&v, &ws->told, ws->told_revision);
    h->ready = h->issue && issue_encode(h->issue, h->format);
    ws->counts.encoded += h->ready;
    if (!h->ready) whole_stop(s);
}

void whole_check(struct scope *s, size_t *cost) {
    struct watchers *ws = s->owner;
    struct whole *h = s->whole;
    if (s->now && s->now->to != ws->told_revision) watchers_drop_issue(ws, &s->now);
    if (!h || !h->ready || leads_on(s, cost)) return;
    if (++h->tries >= TRIES)
        encode_at_once(s);
    else if (!begin(s, h->format))
        whole_stop(s);
}

struct issue *whole_for(struct scope *s, const struct watch *w) {
    struct watchers *ws = s->owner;
    const struct whole *h = s->whole;
    if (s->now && (!w->format || issue_find(s->now, w->format))) return s->now;
    if (w->format) return h && h->ready && h->format == w->format && w->have <= h->issue->to ? h->issue : NULL;
    struct view v = scope_view(s);
    s->now = issue_value(&v, &ws->told, ws->told_revision);
    if (s->now) whole_keep(s, 0);
    return s->now;
}

/* A small encoding of what is still told now is kept. */
static void keep_small(struct scope *s) {
    struct watchers *ws = s->owner;
    struct whole *h = s->whole;
    struct shared *bytes = issue_find(h->issue, h->format);
    if (h->issue->to != ws->told_revision || bytes->len > ws->limits.slice) return;
    if (!s->now) {
        s->now = h->issue;
        h->issue = NULL;
    } else if (!issue_put(s->now, h->format, shared_ref(bytes))) {
        shared_unref(bytes);
        return;
    }
    whole_keep(s, bytes->len);
}

void whole_next(struct scope *s) {
    bool waits = part_n(s, PART_WAIT) != 0;
    if (s->whole && s->whole->ready) {
        keep_small(s);
        whole_stop(s);
    }
    if (!waits)
        whole_stop(s);
    else if (!s->whole) {
        const struct watch_format *format = s->watches[s->end[PART_OWED]]->format;
        if (!format || !begin(s, format)) stick(s);
    }
}
