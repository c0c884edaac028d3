/* flows.c - all flows of a process: the tables of kinds, beginning, resuming, and the one timer of all waits. See flow.h. */
#include "base/ascii.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/rng.h"
#include "flow/flow_room.h"
#include "protocols/cbor.h"

#include <stdio.h>

#define NEVER (INT64_MAX / 2)

/* --- what a table must be --- */

static bool is_word(const char *s) {
    size_t n = 0;
    if (!s) return false;
    for (; s[n]; n++)
        if (!(ascii_is_alnum((uint8_t)s[n]) && !ascii_is_upper((uint8_t)s[n])) && s[n] != '-') return false;
    return n > 0 && n <= 64;
}

static bool check_step(const struct flow_kind *k, unsigned i, struct err *e) {
    const struct flow_step *s = &k->steps[i];
    if (!is_word(s->name)) return err_set(e, ERR_INVALID, "flow %s: step %u has a name that is no word", k->name, i);
    for (unsigned n = 0; n < i; n++)
        if (!strcmp(k->steps[n].name, s->name))
            return err_set(e, ERR_DUPLICATE, "flow %s: two steps are called %s", k->name, s->name);
    if (!s->run) return err_set(e, ERR_INVALID, "flow %s: step %s has nothing to run", k->name, s->name);
    if (s->weight && !s->label)
        return err_set(e, ERR_INVALID, "flow %s: step %s has a weight and no label", k->name, s->name);
    if (s->undo && flow_kind_commits(k, i))
        return err_set(e, ERR_INVALID, "flow %s: step %s has an undo, and behind %s nothing is undone", k->name,
                       s->name, s->commits ? "its beginning" : "a step that commits");
    return true;
}

static bool check_kinds(const struct flows_config *c, struct err *e) {
    for (unsigned i = 0; i < c->kind_n; i++) {
        const struct flow_kind *k = c->kinds[i];
        if (!is_word(k->name)) return err_set(e, ERR_INVALID, "flow %u has a name that is no word", i);
        for (unsigned n = 0; n < i; n++)
            if (!strcmp(c->kinds[n]->name, k->name))
                return err_set(e, ERR_DUPLICATE, "two flows are called %s", k->name);
        if (!k->step_n) return err_set(e, ERR_INVALID, "flow %s has no steps", k->name);
        if (k->step_n > LIMIT_FLOW_STEPS) return err_limit(e, "flow steps", LIMIT_FLOW_STEPS, ERR_NOWHERE);
        for (unsigned n = 0; n < k->step_n; n++)
            if (!check_step(k, n, e)) return false;
    }
    return true;
}

/* --- the timer --- */

static int64_t earlier(int64_t a, int64_t b) {
    return b && b < a ? b : a;
}

void flows_schedule(struct flows *fs) {
    int64_t at = earlier(NEVER, fs->resume_at);
    for (const struct flow *f = fs->first; f; f = f->next) {
        at = earlier(at, f->due_at);
        if (f->stirred) at = earlier(at, f->tell_at > 1 ? f->tell_at : 1);
    }
    must(loop_timer_set(fs->config.loop, &fs->timer, at)); /* it is set, so this only moves it */
}

static void look_again(struct flows *fs, bool first);

/* Nothing called in here takes a flow away: that comes from what the state says. A new one stands before the first. */
static void ring(struct loop_timer *t) {
    struct flows *fs = LOOP_OWNER(struct flows, timer, t);
    int64_t now = loop_now_ms(fs->config.loop);
    must(loop_timer_set(fs->config.loop, t, NEVER)); /* its place has just become free */
    if (fs->resume_at && fs->resume_at <= now) look_again(fs, false);
    for (struct flow *f = fs->first; f; f = f->next) {
        if (f->stirred && f->tell_at <= now) flow_tell(f);
        if (f->due_at && f->due_at <= now) flow_wake(f);
    }
    flows_schedule(fs);
}

/* --- life --- */

struct flows *flows_new(const struct flows_config *config, struct err *e) {
    uint64_t owner = plan_owner(config->plan, flow_branches[0].owner);
    if (!owner) {
        err_set(e, ERR_INVALID, "the plan has no rows for flows");
        return NULL;
    }
    if (!check_kinds(config, e)) return NULL;
    struct flows *fs = mem_get_zero(sizeof *fs);
    if (fs) {
        fs->config = *config;
        fs->owner = owner;
        fs->timer = (struct loop_timer){.call = ring, .name = "flows"};
        if (loop_timer_set(config->loop, &fs->timer, NEVER)) return fs;
        mem_put(fs, sizeof *fs);
    }
    err_nomem(e, "the flows");
    return NULL;
}

void flows_free(struct flows *fs) {
    if (!fs) return;
    struct flow *f;
    while ((f = fs->first)) {
        const struct flow_step *s = flow_row(f, f->is.at);
        state_hold_cancel(&f->hold);
        flow_unlink(f);
        if (f->doing == FLOW_STEP && !f->is.back && s->stop) s->stop(f); /* whatever it says: drop comes */
        if (f->kind->drop) f->kind->drop(f);
        flow_free(f);
    }
    loop_timer_clear(&fs->timer);
    mem_put(fs, sizeof *fs);
}

struct flow *flow_new(struct flows *fs, const struct flow_kind *kind, struct val args, struct val notes,
                      struct err *e) {
    struct flow *f = mem_get_zero(sizeof *f);
    if (!f) {
        val_unref(&args);
        val_unref(&notes);
        err_nomem(e, "a flow");
        return NULL;
    }
    f->flows = fs;
    f->kind = kind;
    f->args = args;
    f->notes = notes;
    f->why = (struct err)ERR_INIT;
    if (flow_phases_make(f, e)) return f;
    flow_free(f);
    return NULL;
}

void flow_free(struct flow *f) {
    mem_put(f->phases, f->phases ? f->kind->step_n * sizeof *f->phases : 0);
    progress_release(&f->progress);
    val_unref(&f->args);
    val_unref(&f->notes);
    mem_put(f, sizeof *f);
}

void flow_link(struct flow *f) {
    struct flows *fs = f->flows;
    f->next = fs->first;
    if (fs->first) fs->first->prev = f;
    fs->first = f;
    fs->n++;
}

void flow_unlink(struct flow *f) {
    if (f->prev)
        f->prev->next = f->next;
    else
        f->flows->first = f->next;
    if (f->next) f->next->prev = f->prev;
    f->next = f->prev = NULL;
    f->flows->n--;
}

struct flow *flow_find(const struct flows *fs, struct slice id) {
    struct flow *f = fs->first;
    while (f && !slice_eq(slice_str(f->id), id)) f = f->next;
    return f;
}

struct flow *flow_next(const struct flows *fs, const struct flow *f) {
    return f ? f->next : fs->first;
}

unsigned flows_count(const struct flows *fs) {
    return fs->n;
}

/* --- beginning --- */

/* 80 bits: never again in the life of a tree. */
static void make_id(struct flow *f) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
    uint8_t bytes[FLOW_ID];
    rng_bytes(bytes, sizeof bytes);
    for (size_t i = 0; i < FLOW_ID; i++) f->id[i] = letters[bytes[i] & 31];
}

/* Whether a value has at most so many bytes as CBOR. */
static bool is_small(const struct val *v, size_t most, const char *limit, struct err *e) {
    struct buf bytes;
    struct err own = ERR_INIT;
    buf_init(&bytes, most);
    bool good = cbor_write(&bytes, v, &own);
    buf_release(&bytes);
    if (good) return true;
    if (own.code == ERR_LIMIT) return err_limit(e, limit, most, ERR_NOWHERE);
    if (e) *e = own;
    return false;
}

static bool knows(const struct flows *fs, const struct flow_kind *kind) {
    for (unsigned i = 0; i < fs->config.kind_n; i++)
        if (fs->config.kinds[i] == kind) return true;
    return false;
}

struct flow *flow_start(struct flows *fs, const struct flow_kind *kind, struct val args, struct err *e) {
    must(knows(fs, kind));
    bool good = true;
    if (args.kind == VAL_NONE)
        good = err_nomem(e, "what a flow is begun with");
    else if (args.kind != VAL_MAP)
        good = err_set(e, ERR_INVALID, "want a map to begin a flow with, found %s", val_kind_name(val_kind(&args)));
    else if (fs->n >= LIMIT_FLOWS) {
        err_limit(e, "flows", LIMIT_FLOWS, ERR_NOWHERE);
        good = err_status(e, 503);
    } else
        good = is_small(&args, LIMIT_FLOW_ARGS, "flow args", e);
    if (!good) {
        val_unref(&args);
        return NULL;
    }
    struct flow *f = flow_new(fs, kind, args, val_empty_map(), e);
    if (!f) return NULL;
    int64_t now = clock_wall_ms();
    f->began = now > 0 ? (uint64_t)now : 0;
    do make_id(f);
    while (!val_is_none(val_get(flow_records(fs->config.state), slice_str(f->id))) || flow_find(fs, slice_str(f->id)));
    if (!flow_begin(f, e)) {
        flow_free(f);
        return NULL;
    }
    flow_link(f);
    return f;
}

bool flow_note(struct flow *f, const char *key, struct val value, struct err *e) {
    bool good = true;
    if (val_is_none(&value))
        good = err_nomem(e, "a note");
    else if (val_is_none(flow_get(f, key)) && val_count(&f->notes) >= LIMIT_FLOW_NOTES)
        good = err_limit(e, "flow notes", LIMIT_FLOW_NOTES, ERR_NOWHERE);
    else
        good = is_small(&value, LIMIT_FLOW_NOTE, "flow note", e);
    if (!good) {
        val_unref(&value);
        return false;
    }
    return val_set_str(&f->notes, key, value) || err_nomem(e, "a note");
}

/* --- resuming --- */

static void resume(struct flow *f) {
    struct flow_place back = flow_place_back(f, (int)f->is.at);
    bool final = flow_kind_commits(f->kind, f->is.at);
    flow_link(f);
    flow_phases_move(f);
    f->will = back;
    if (f->is.back ? !back.gone && back.at == f->is.at : f->kind->resume || final) {
        flow_rest(f, FLOW_STEP_LATER, 0);
        return;
    }
    if (!f->is.back) err_set(&f->why, ERR_CANCELLED, "it was interrupted, by a power cut or a restart");
    flow_rest(f, FLOW_RECORD_LATER, 0);
}

/* Records without a flow get theirs. */
static void look_again(struct flows *fs, bool first) {
    fs->resume_at = 0;
    for (struct val_iter it = val_iter(flow_records(fs->config.state)); val_next(&it);) {
        struct slice id = val_as_text(it.key);
        struct err e = ERR_INIT;
        if (flow_find(fs, id)) continue;
        struct flow *f = flow_record_read(fs, id, it.value, &e);
        if (f)
            resume(f);
        else if (e.code == ERR_NOMEM)
            fs->resume_at = loop_now_ms(fs->config.loop) + LIMIT_FLOW_RECORD_MS;
        else if (first)
            log_warn("a flow is left alone, this program does not know it: flow=%s why=%s", log_text(id),
                     log_text(slice_str(e.text)));
    }
    flows_schedule(fs);
}

void flows_resume(struct flows *fs) {
    look_again(fs, true);
}
