/* rpc.c - see rpc.h. */
#include "rpc/rpc.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"

#include <stdlib.h>

struct rpc_name {
    struct slice text;
    const struct method *row;
    struct rpc_row_counts *counts;
};

struct rpc {
    struct rpc_config config;
    unsigned phase;
    const struct method **rows; /* by name */
    size_t row_n;
    struct rpc_row_counts *row_counts; /* as rows */
    struct rpc_name *names;            /* by hash; a power of two */
    size_t name_n, name_cap;
    struct rpc_call *calls; /* open ones */
    struct rpc_counts counts;
    struct {
        const void *room;
        void *own;
    } owns[RPC_OWNS];
#ifdef STARTBOX_TEST
    void (*heard)(void *arg, const struct method *m, const struct val *params, const struct val *result);
    void *heard_arg;
#endif
};

/* --- the index --- */

static uint32_t hash_name(struct slice s) {
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < s.len; i++) h = (h ^ s.ptr[i]) * 16777619u;
    return h ^ h >> 15;
}

static struct rpc_name *find_name(const struct rpc *r, struct slice name) {
    size_t i = hash_name(name);
    for (;; i++) {
        struct rpc_name *n = &r->names[i & (r->name_cap - 1)];
        if (!n->row || slice_eq(n->text, name)) return n;
    }
}

static bool add_name(struct rpc *r, struct slice name, const struct method *m, struct err *e) {
    struct rpc_name *n = find_name(r, name);
    if (n->row)
        return err_set(e, ERR_DUPLICATE, "two methods are called %.*s: %s and %s", (int)name.len,
                       (const char *)name.ptr, n->row->name, m->name);
    *n = (struct rpc_name){.text = name, .row = m};
    return true;
}

static size_t count_names(const struct method *m) {
    size_t n = 1;
    struct slice aliases = slice_str(m->aliases ? m->aliases : "");
    for (; aliases.len; n++) slice_cut(&aliases, ' ');
    return n;
}

static bool add_row(struct rpc *r, const struct method *m, struct err *e) {
    struct slice aliases = slice_str(m->aliases ? m->aliases : "");
    if (!method_check(m, e) || !add_name(r, slice_str(m->name), m, e)) return false;
    while (aliases.len)
        if (!add_name(r, slice_cut(&aliases, ' '), m, e)) return false;
    r->rows[r->row_n++] = m;
    return true;
}

static int by_name(const void *a, const void *b) {
    const struct method *x = *(const struct method *const *)a, *y = *(const struct method *const *)b;
    return strcmp(x->name, y->name);
}

static bool make_index(struct rpc *r, struct err *e) {
    size_t names = 0;
    for (size_t i = 0; i < r->config.row_n; i++) names += count_names(r->config.rows[i]);
    for (r->name_cap = 16; r->name_cap < 2 * names; r->name_cap *= 2) {
    }
    r->names = mem_get_zero(r->name_cap * sizeof *r->names);
    r->rows = mem_get_zero(r->config.row_n * sizeof *r->rows);
    r->row_counts = mem_get_zero(r->config.row_n * sizeof *r->row_counts);
    if (!r->names || !r->rows || !r->row_counts) return err_nomem(e, "the table of methods");
    for (size_t i = 0; i < r->config.row_n; i++)
        if (r->config.rows[i]->where & r->config.where && !add_row(r, r->config.rows[i], e)) return false;
    qsort(r->rows, r->row_n, sizeof *r->rows, by_name);
    for (size_t i = 0; i < r->row_n; i++)
        for (size_t k = 0; k < r->name_cap; k++)
            if (r->names[k].row == r->rows[i]) r->names[k].counts = &r->row_counts[i];
    return true;
}

struct rpc *rpc_new(const struct rpc_config *config, struct err *e) {
    struct rpc *r = mem_get_zero(sizeof *r);
    if (!r) {
        err_nomem(e, "the table of methods");
        return NULL;
    }
    r->config = *config;
    r->phase = PHASE_RUN;
    if (make_index(r, e)) return r;
    rpc_free(r);
    return NULL;
}

void rpc_free(struct rpc *r) {
    if (!r) return;
    while (r->calls) rpc_cancel(r->calls);
    mem_put(r->names, r->name_cap * sizeof *r->names);
    mem_put(r->rows, r->config.row_n * sizeof *r->rows);
    mem_put(r->row_counts, r->config.row_n * sizeof *r->row_counts);
    mem_put(r, sizeof *r);
}

void rpc_phase(struct rpc *r, unsigned phase) {
    r->phase = phase;
}
unsigned rpc_phase_now(const struct rpc *r) {
    return r->phase;
}
struct state *rpc_state(const struct rpc *r) {
    return r->config.state;
}
void rpc_set_state(struct rpc *r, struct state *s) {
    r->config.state = s;
}
struct feeds *rpc_feeds(const struct rpc *r) {
    return r->config.feeds;
}

void rpc_set_own(struct rpc *r, const void *room, void *own) {
    size_t i = 0;
    while (r->owns[i].room && r->owns[i].room != room) must(++i < RPC_OWNS);
    r->owns[i].room = room;
    r->owns[i].own = own;
}

void *rpc_own(const struct rpc *r, const void *room) {
    for (size_t i = 0; i < RPC_OWNS && r->owns[i].room; i++)
        if (r->owns[i].room == room) return r->owns[i].own;
    return NULL;
}

const struct method *rpc_row(const struct rpc *r, size_t i) {
    return i < r->row_n ? r->rows[i] : NULL;
}

struct rpc_counts rpc_counts(const struct rpc *r) {
    return r->counts;
}

struct rpc_row_counts rpc_row_counts(const struct rpc *r, size_t i) {
    return r->row_counts[i];
}

static void count_row(struct rpc_call *c, bool failed) {
    uint64_t us = (uint64_t)(clock_mono_us() - c->began_us), most = 100;
    unsigned i = 0;
    for (; i + 1 < RPC_BUCKETS && us > most; i++) most *= 10;
    c->counts->took[i]++;
    c->counts->us += us;
    c->counts->failed += failed;
}

#ifdef STARTBOX_TEST
void rpc_listen(struct rpc *r,
                void (*heard)(void *arg, const struct method *m, const struct val *params, const struct val *result),
                void *arg) {
    r->heard = heard;
    r->heard_arg = arg;
}
#endif

/* --- a call's life --- */

static void leave(struct rpc_call *c) {
    struct rpc *r = c->rpc;
    if (c->prev)
        c->prev->next = c->next;
    else
        r->calls = c->next;
    if (c->next) c->next->prev = c->prev;
    c->next = c->prev = NULL;
    c->open = false;
    r->counts.open--;
    loop_timer_clear(&c->timer);
    state_hold_cancel(&c->hold);
}

/* The end of every call that was begun. */
static void end(struct rpc_call *c, const struct err *why) {
    struct val result = c->result, params = c->params;
    uint64_t revision = c->revision;
    c->result = c->params = val_none;
    if (c->over) *c->over = true;
    c->over = NULL;
    if (c->open) leave(c);
    c->rpc->counts.failed += why != NULL;
#ifdef STARTBOX_TEST
    if (!why && c->rpc->heard) c->rpc->heard(c->rpc->heard_arg, c->method, &params, &result);
#endif
    val_unref(&params);
    if (c->counts) count_row(c, why != NULL);
    const struct state *s = c->rpc->config.state;
    if (why) c->shown = s ? state_shown_settled(s) : 0;
    c->done(c, &result, why ? 0 : revision, why);
    val_unref(&result); /* what was not taken; the call may be gone */
}

static void was_settled(struct state_hold *h, const struct err *why) {
    end(LOOP_OWNER(struct rpc_call, hold, h), why);
}

void rpc_give(struct rpc_call *c, struct val result) {
    struct err e = ERR_INIT;
    must(c->open && !c->answered);
    c->answered = true;
    c->drop = NULL;
    c->result = result;
    if (val_is_none(&result)) {
        err_nomem(&e, "an answer");
        end(c, &e);
        return;
    }
    struct state *s = c->rpc->config.state;
    bool waits = s && c->method->effect != METHOD_READS && !c->method->at_once;
    c->revision = s ? state_revision(s) : 0;
    c->shown = s ? state_shown(s) : 0;
    if (!waits || c->revision <= state_settled(s)) {
        end(c, NULL);
        return;
    }
    loop_timer_clear(&c->timer); /* how long the disk takes is the state's to say */
    c->hold.done = was_settled;
    state_hold(s, &c->hold, c->revision);
}

void rpc_give_null(struct rpc_call *c) {
    rpc_give(c, val_null());
}

void rpc_fail(struct rpc_call *c, const struct err *why) {
    must(c->open && !c->answered);
    c->answered = true;
    c->drop = NULL;
    end(c, why);
}

static void too_late(struct loop_timer *t) {
    struct rpc_call *c = LOOP_OWNER(struct rpc_call, timer, t);
    struct err e = ERR_INIT;
    err_set(&e, ERR_TIMEOUT, "%s did not end in time", c->method->name);
    log_warn("a method did not answer in time: method=%s", c->method->name);
    c->rpc->counts.late++;
    if (c->drop) c->drop(c);
    rpc_fail(c, &e);
}

void rpc_cancel(struct rpc_call *c) {
    if (!c->open) return;
    if (c->drop) c->drop(c);
    c->drop = NULL;
    if (c->over) *c->over = true;
    c->over = NULL;
    leave(c);
    val_unref(&c->params);
    val_unref(&c->result);
}

/* --- beginning --- */

static const char *describe_caller(enum caller_kind kind) {
    switch (kind) {
    case CALLER_NOBODY: return "this needs a login";
    case CALLER_LOCAL: return "this is not for the box itself to call";
    case CALLER_SESSION: return "this cannot be called from a login session";
    case CALLER_KEY: return "this cannot be called with a key";
    case CALLER_GUEST: return "this is not for services to call";
    case CALLER_RELAY: return "this is not for accounts of the relay to call";
    case CALLER_CAPSULE: return "this is not for capsules to call";
    }
    return "this may not be called";
}

static bool admit(struct rpc *r, struct rpc_call *c, struct slice name, const struct val *params, struct err *e) {
    const struct rpc_name *found = find_name(r, name);
    c->method = found->row && found->row->phases & r->phase ? found->row : NULL;
    if (!c->method) {
        err_set(e, ERR_RPC_METHOD, "there is no method \"%s\"", log_text(slice_head(name, 80)));
        return false;
    }
    if (!(c->method->callers & c->caller->kind))
        return err_set(e, ERR_AUTHORIZATION, "%s", c->caller->why ? c->caller->why : describe_caller(c->caller->kind));
    if (r->counts.open >= LIMIT_RPC_OPEN) {
        err_limit(e, "open calls", LIMIT_RPC_OPEN, ERR_NOWHERE);
        return err_status(e, 503);
    }
    c->counts = found->counts;
    c->began_us = clock_mono_us();
    c->params = method_params(c->method, params, e);
    return !val_is_none(&c->params);
}

void rpc_start(struct rpc *r, struct rpc_call *c, struct slice method, const struct val *params) {
    struct err e = ERR_INIT;
    c->rpc = r;
    c->params = c->result = val_none;
    c->revision = c->shown = 0;
    c->drop = NULL;
    c->open = c->answered = false;
    c->over = NULL;
    c->counts = NULL;
    c->hold = (struct state_hold){0};
    c->timer = (struct loop_timer){.call = too_late, .name = "rpc deadline"};
    r->counts.calls++;
    if (!admit(r, c, method, params, &e)) {
        r->counts.refused++;
        end(c, &e);
        return;
    }
    c->open = true;
    c->prev = NULL;
    c->next = r->calls;
    if (r->calls) r->calls->prev = c;
    r->calls = c;
    r->counts.open++;
    const struct method *m = c->method;
    bool over = false;
    c->over = &over; /* cppcheck-suppress autoVariables ; until run returns */
    m->run(c);
    if (over) return; /* the call may be gone */
    c->over = NULL;
    if (c->answered) return; /* and waits until it is settled */
    uint32_t most = m->most_ms ? m->most_ms : LIMIT_RPC_MS;
    if (!loop_timer_set(r->config.loop, &c->timer, loop_now_ms(r->config.loop) + most)) {
        err_nomem(&e, "a call");
        if (c->drop) c->drop(c);
        rpc_fail(c, &e);
    }
}
