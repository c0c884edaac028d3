/* kernel.c - the daemon about itself, and its end: kernel.status, kernel.shutdown. */
#include "system/room.h"

#include "base/clock.h"
#include "base/mem.h"

#include <unistd.h>

static void run_status(struct rpc_call *c) {
    const struct system *s = system_of(c);
    struct system_facts f = {0};
    const struct state *state = rpc_state(c->rpc);
    s->config.facts(s->config.arg, &f);
    rpc_give(c, VAL_MAP_OF({"pid", val_of_u64((uint64_t)getppid())},
                           {"uptime", val_of_i64((clock_mono_ms() - s->began_ms) / 1000)},
                           {"version", val_of_str(STARTBOX_VERSION)}, {"clients", val_of_u64(f.clients)},
                           {"localClients", val_of_u64(f.local)}, {"subscriptions", val_of_u64(f.watchers)},
                           {"revision", val_of_u64(state ? state_revision(state) : 0)},
                           {"memory", val_of_u64(mem_stats().live_bytes)},
                           {"kernel", val_is_none(&s->kernel) ? val_null() : val_ref(&s->kernel)}));
}

static void run_shutdown(struct rpc_call *c) {
    const struct system *s = system_of(c);
    struct val reason = val_ref(val_get(&c->params, LIT("reason")));
    rpc_give_null(c);
    s->config.end(s->config.arg, false, val_as_text(&reason));
    val_unref(&reason);
}

static const struct shape any_or_null = {.kind = SHAPE_MAP, .null = true};
SHAPE_RECORD_OF(status_result, {.name = "pid", .shape = &shape_u64}, {.name = "uptime", .shape = &shape_u64},
                {.name = "version", .shape = &shape_text}, {.name = "clients", .shape = &shape_u64},
                {.name = "localClients", .shape = &shape_u64}, {.name = "subscriptions", .shape = &shape_u64},
                {.name = "revision", .shape = &shape_u64}, {.name = "memory", .shape = &shape_u64},
                {.name = "kernel", .shape = &any_or_null});
static const struct shape reason_shape = {.kind = SHAPE_TEXT, .max = 200};
SHAPE_RECORD_OF(shutdown_params,
                {.name = "reason", .shape = &reason_shape, .fallback = "\"\"", .about = "Why, for the log."});

const struct method system_kernel_rows[] = {
    {.name = "kernel.status",
     .about = "How the daemon is: its process, its clients, its revision, what the kernel gives it.",
     .result = &status_result,
     .callers = CALLER_OWNER,
     .where = IN_STARTD,
     .phases = PHASE_EVER,
     .run = run_status},
    {.name = "kernel.shutdown",
     .about = "Ends the daemon; the machine goes on.",
     .params = &shutdown_params,
     .callers = CALLER_LOCAL | CALLER_SESSION,
     .where = IN_STARTD,
     .phases = PHASE_EVER,
     .effect = METHOD_FINAL,
     .at_once = true,
     .run = run_shutdown},
    {.name = NULL},
};
