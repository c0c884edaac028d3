/* flow.c - one flow's life, from record to record; see flow.h.
 *
 *   STEP          run or undo was begun   done: RECORD (back at once, if it is cancelled)
 *                                         failed: RECORD of going back; what must be done: STEP_LATER
 *   RECORD        a record is committed   settled: the next STEP, or it is over
 *                                         refused: RECORD_LATER; with the step's own changes STEP_LATER; the first one: over
 *   STEP_LATER    waits                   due, and the state takes changes: STEP
 *   RECORD_LATER  waits                   due: RECORD
 *
 * flow_start comes in by RECORD, flows_resume by STEP_LATER or RECORD_LATER. All ends are in was_settled and was_refused.
 * A step and an undo differ only in which of them is called and where it goes from there. */
#include "base/log.h"
#include "base/must.h"
#include "flow/flow_room.h"

/* --- where it goes --- */

bool flow_kind_commits(const struct flow_kind *kind, unsigned at) {
    for (unsigned i = 0; i <= at && i < kind->step_n; i++)
        if (kind->steps[i].commits) return true;
    return false;
}

static struct flow_place place_on(const struct flow *f) {
    struct flow_place p = {.at = f->is.at + 1};
    if (p.at == f->kind->step_n) p = (struct flow_place){.at = f->is.at, .gone = true};
    return p;
}

struct flow_place flow_place_back(const struct flow *f, int from) {
    while (from >= 0 && !flow_row(f, (unsigned)from)->undo) from--;
    return (struct flow_place){.at = from < 0 ? 0 : (unsigned)from, .back = true, .gone = from < 0};
}

static struct flow_place place_behind(const struct flow *f) {
    return f->is.back ? flow_place_back(f, (int)f->is.at - 1) : place_on(f);
}

/* What the record says, or is about to. */
static const struct flow_place *heading(const struct flow *f) {
    return f->doing == FLOW_RECORD || f->doing == FLOW_RECORD_LATER ? &f->will : &f->is;
}

bool flow_is_back(const struct flow *f) {
    return f->cancelled || heading(f)->back;
}

bool flow_is_final(const struct flow *f) {
    const struct flow_place *p = heading(f);
    return !p->back && (p->gone || flow_kind_commits(f->kind, p->at));
}

/* --- records --- */

void flow_rest(struct flow *f, enum flow_doing doing, int64_t ms) {
    f->doing = doing;
    f->due_at = loop_now_ms(f->flows->config.loop) + ms;
    if (f->due_at < 1) f->due_at = 1;
    flows_schedule(f->flows);
}

static void was_settled(struct state_hold *h, const struct err *why);

/* Ends the transaction. */
static bool commit(struct flow *f, struct state_txn *t, struct err *e) {
    uint64_t revision;
    flow_record_put(f, t);
    if (!state_commit(t, &revision, e)) return false;
    f->doing = FLOW_RECORD;
    f->due_at = 0;
    f->hold.done = was_settled;
    state_hold(f->flows->config.state, &f->hold, revision);
    return true;
}

bool flow_begin(struct flow *f, struct err *e) {
    struct state_txn t;
    f->fresh = true;
    f->will = (struct flow_place){0};
    return state_begin(f->flows->config.state, &t, f->flows->owner, e) && commit(f, &t, e);
}

void flow_keep(struct flow *f) {
    struct state_txn t;
    struct err e = ERR_INIT;
    f->changes = false;
    if (state_begin(f->flows->config.state, &t, f->flows->owner, &e) && commit(f, &t, &e)) return;
    log_debug("a record is tried again: flow=%s kind=%s why=%s", f->id, f->kind->name, log_text(slice_str(e.text)));
    flow_rest(f, FLOW_RECORD_LATER, LIMIT_FLOW_RECORD_MS);
}

static void move(struct flow *f, struct flow_place to) {
    f->will = to;
    flow_keep(f);
}

/* From this step downwards all is undone; f->why says why. -1: none was begun. */
static void turn_back(struct flow *f, int from) {
    f->cancelled = false;
    f->tries = 0;
    move(f, flow_place_back(f, from));
}

/* --- steps --- */

static void begin(struct flow *f) {
    const struct flow_step *s = flow_row(f, f->is.at);
    f->doing = FLOW_STEP;
    f->due_at = 0;
    if (f->is.back)
        s->undo(f);
    else
        s->run(f);
}

/* It has failed, and must be done. */
static void again(struct flow *f, const struct err *why) {
    int64_t ms = LIMIT_FLOW_AGAIN_MS;
    for (unsigned i = 0; i < f->tries && ms < LIMIT_FLOW_AGAIN_MOST_MS; i++) ms *= 2;
    if (ms > LIMIT_FLOW_AGAIN_MOST_MS) ms = LIMIT_FLOW_AGAIN_MOST_MS;
    f->tries++;
    log_warn("%s failed and is tried again: flow=%s kind=%s step=%s wait_ms=%lld why=%s",
             f->is.back ? "an undo" : "a step", f->id, f->kind->name, flow_row(f, f->is.at)->name, (long long)ms,
             log_text(slice_str(why->text)));
    flow_rest(f, FLOW_STEP_LATER, ms);
}

void flow_wake(struct flow *f) {
    enum state_mode mode = state_mode(f->flows->config.state);
    f->due_at = 0;
    if (f->doing == FLOW_RECORD_LATER)
        flow_keep(f);
    else if (mode == STATE_UP || mode == STATE_AWAY)
        begin(f);
    else /* its end could not be recorded */
        flow_rest(f, f->doing, LIMIT_FLOW_RECORD_MS);
}

/* --- the end --- */

static void leave(struct flow *f, const struct err *why) {
    flow_unlink(f);
    if (!why) progress_end(&f->progress);
    flow_tell(f);
    if (f->kind->over) f->kind->over(f, why);
    if (f->kind->drop) f->kind->drop(f);
    flow_free(f);
}

/* --- what the state says --- */

static void was_refused(struct flow *f, const struct err *why) {
    if (f->fresh)
        leave(f, why);
    else if (f->cancelled)
        turn_back(f, (int)f->is.at);
    else if (f->changes) {
        f->tries++;
        flow_rest(f, FLOW_STEP_LATER, LIMIT_FLOW_RECORD_MS);
    } else
        flow_rest(f, FLOW_RECORD_LATER, LIMIT_FLOW_RECORD_MS);
}

static void was_settled(struct state_hold *h, const struct err *why) {
    struct flow *f = LOOP_OWNER(struct flow, hold, h);
    int begun = f->fresh ? -1 : (int)f->is.at;
    if (why) {
        was_refused(f, why);
        return;
    }
    f->fresh = false;
    f->tries = 0;
    f->is = f->will;
    if (!f->is.back) f->why = f->cancelled ? f->why : (struct err)ERR_INIT;
    flow_phases_move(f);
    if (f->is.gone) {
        struct err last = f->why;
        leave(f, f->is.back ? &last : NULL);
    } else if (f->cancelled)
        turn_back(f, begun);
    else
        begin(f);
}

/* --- how a step went --- */

/* A step was cancelled and had to end first. */
static bool gave_way(struct flow *f) {
    if (!f->cancelled) return false;
    turn_back(f, (int)f->is.at);
    return true;
}

void flow_done(struct flow *f) {
    must(f->doing == FLOW_STEP);
    if (!gave_way(f)) move(f, place_behind(f));
}

void flow_fail(struct flow *f, const struct err *why) {
    struct err own = ERR_INIT;
    must(f->doing == FLOW_STEP);
    if (gave_way(f)) return;
    if (why) own = *why;
    if (own.code == ERR_NONE) err_set(&own, ERR_UNKNOWN, "it failed and did not say why");
    if (f->is.back) {
        again(f, &own);
        return;
    }
    f->why = own;
    if (flow_kind_commits(f->kind, f->is.at))
        again(f, &own);
    else
        turn_back(f, (int)f->is.at);
}

void flow_txn(struct flow *f, struct state_txn *t, uint64_t owners) {
    struct err e = ERR_INIT;
    must(f->doing == FLOW_STEP);
    if (state_begin(f->flows->config.state, t, owners | f->flows->owner, &e)) return;
    *t = (struct state_txn){.err = e}; /* one that is over: it takes nothing, and is refused as such */
}

/* The state would take it at another time. */
static bool will_pass(const struct flow *f, const struct err *e) {
    enum state_mode mode = state_mode(f->flows->config.state);
    return e->code == ERR_NOMEM || e->code == ERR_DATABASE || (e->code == ERR_LIMIT && e->http == 503) ||
           (mode != STATE_UP && mode != STATE_AWAY);
}

void flow_commit(struct flow *f, struct state_txn *t) {
    struct err e = ERR_INIT;
    must(f->doing == FLOW_STEP);
    if (f->cancelled) {
        state_abort(t);
        turn_back(f, (int)f->is.at);
        return;
    }
    f->will = place_behind(f);
    f->changes = true;
    if (commit(f, t, &e)) return;
    if (will_pass(f, &e)) {
        f->tries++;
        flow_rest(f, FLOW_STEP_LATER, LIMIT_FLOW_RECORD_MS);
    } else
        flow_fail(f, &e);
}

/* --- beginning and cancelling --- */

bool flow_cancel(struct flows *fs, struct slice id, const char *why, struct err *e) {
    struct flow *f = flow_find(fs, id);
    if (!f) return err_set(e, ERR_NOT_FOUND, "nothing of this name is under way: it is over, or never was");
    if (flow_is_back(f)) return true;
    if (flow_is_final(f)) {
        const struct flow_step *s = flow_row(f, heading(f)->at);
        err_set(e, ERR_INVALID, "this cannot be cancelled any more: it is at \"%s\" and will be finished",
                s->label ? s->label : s->name);
        return err_status(e, 409);
    }
    struct err reason = ERR_INIT;
    err_set(&reason, ERR_CANCELLED, "%s", why && *why ? why : "it was cancelled");
    f->why = reason;
    const struct flow_step *s = flow_row(f, f->is.at);
    f->cancelled = true;
    bool goes_on = f->doing == FLOW_RECORD || (f->doing == FLOW_STEP && !(s->stop && s->stop(f)));
    if (!goes_on) turn_back(f, (int)f->is.at);
    return true;
}

/* --- looking --- */

const char *flow_id(const struct flow *f) {
    return f->id;
}
const struct flow_kind *flow_kind(const struct flow *f) {
    return f->kind;
}
const struct flow_step *flow_step(const struct flow *f) {
    return f->fresh ? NULL : flow_row(f, f->is.at);
}
const struct err *flow_why(const struct flow *f) {
    return f->why.code == ERR_NONE ? NULL : &f->why;
}
uint64_t flow_began_ms(const struct flow *f) {
    return f->began;
}
struct state *flow_state(const struct flow *f) {
    return f->flows->config.state;
}
void *flow_arg(const struct flow *f) {
    return f->kind->arg;
}
const struct val *flow_args(const struct flow *f) {
    return &f->args;
}
const struct val *flow_get(const struct flow *f, const char *key) {
    return val_get(&f->notes, slice_str(key));
}
void **flow_own(struct flow *f) {
    return &f->own;
}
unsigned flow_tries(const struct flow *f) {
    return f->tries;
}
