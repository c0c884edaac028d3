/* diagnose.c - the phases beside running: what broke and the ways out; how far a start is. */
#include "system/room.h"

#include "base/mem.h"

/* --- diagnostic --- */

static void run_error(struct rpc_call *c) {
    struct system_facts f = {0};
    const struct system *s = system_of(c);
    s->config.facts(s->config.arg, &f);
    struct val text = val_of_str(f.trouble ? f.trouble : "");
    rpc_give(c, VAL_MAP_OF({"code", val_of_i64(f.trouble_code)}, {"message", val_of_str("The box cannot start")},
                           {"data", VAL_MAP_OF({"details", val_ref(&text)}, {"debug", text}, {"info", val_null()})}));
}

static void run_restart(struct rpc_call *c) {
    const struct system *s = system_of(c);
    rpc_give_null(c);
    s->config.end(s->config.arg, true, LIT("asked for in trouble"));
}

/* --- init --- */

struct start_feed {
    struct feed feed;
    struct system *system;
    struct start_feed *next, **at;
};

static void opened(struct feed *f) {
    feed_send(f, LIT("{\"overall\":false,\"phases\":[]}"));
}
static void gone(struct feed *f) {
    struct start_feed *w = LOOP_OWNER(struct start_feed, feed, f);
    *w->at = w->next;
    if (w->next) w->next->at = w->at;
    mem_put(w, sizeof *w);
}
static const struct feed_kind start_kind = {.name = "init.subscribe", .open = opened, .gone = gone};

void system_started(struct system *s, const struct err *why) {
    for (struct start_feed *w = s->starting; w; w = w->next) feed_end(&w->feed, why);
}

static void run_subscribe(struct rpc_call *c) {
    struct system *s = system_of(c);
    struct err e = ERR_INIT;
    struct start_feed *w = mem_get_zero(sizeof *w);
    if (!w) {
        err_nomem(&e, "a feed");
        rpc_fail(c, &e);
        return;
    }
    w->feed.kind = &start_kind;
    if (!feed_begin(rpc_feeds(c->rpc), &w->feed, c->caller, &e)) {
        mem_put(w, sizeof *w);
        rpc_fail(c, &e);
        return;
    }
    w->next = s->starting;
    w->at = &s->starting;
    if (w->next) w->next->at = &w->next;
    s->starting = w;
    rpc_give(c, VAL_MAP_OF({"progress", VAL_MAP_OF({"overall", val_of_bool(false)}, {"phases", val_empty_array()})},
                           {"guid", val_of_str(w->feed.guid)}));
}

/* --- rows --- */

static const struct shape code_shape = {.kind = SHAPE_INT, .min = INT32_MIN, .max = INT32_MAX};
SHAPE_RECORD_OF(data_shape, {.name = "details", .shape = &shape_text}, {.name = "debug", .shape = &shape_text},
                {.name = "info", .shape = &shape_any});
SHAPE_RECORD_OF(error_result, {.name = "code", .shape = &code_shape}, {.name = "message", .shape = &shape_text},
                {.name = "data", .shape = &data_shape});
SHAPE_RECORD_OF(subscribe_result, {.name = "progress", .shape = &shape_any}, {.name = "guid", .shape = &shape_guid});

const struct method system_diagnose_rows[] = {
    {.name = "diagnostic.error",
     .about = "What broke.",
     .result = &error_result,
     .callers = CALLER_OWNER,
     .where = IN_STARTD,
     .phases = PHASE_DIAGNOSTIC,
     .run = run_error},
    {.name = "diagnostic.restart",
     .about = "Tries to start again.",
     .callers = CALLER_OWNER,
     .where = IN_STARTD,
     .phases = PHASE_DIAGNOSTIC,
     .effect = METHOD_FINAL,
     .at_once = true,
     .run = run_restart},
    {.name = "init.subscribe",
     .about = "How far the start is, and a feed of it.",
     .result = &subscribe_result,
     .callers = CALLER_ANY,
     .where = IN_STARTD,
     .phases = PHASE_INIT,
     .run = run_subscribe},
    {.name = NULL},
};
