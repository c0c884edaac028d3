/* root.c - the methods that stand alone: echo, git-info, state. */
#include "system/room.h"

#ifndef STARTBOX_COMMIT /* the build tells (GNUmakefile) */
#define STARTBOX_COMMIT "unknown"
#endif

static void run_echo(struct rpc_call *c) {
    rpc_give(c, val_ref(val_get(&c->params, LIT("message"))));
}

static void run_git_info(struct rpc_call *c) {
    rpc_give(c, val_of_str(STARTBOX_COMMIT));
}

static void run_state(struct rpc_call *c) {
    switch (rpc_phase_now(c->rpc)) {
    case PHASE_INIT: rpc_give(c, val_of_str("initializing")); return;
    case PHASE_SETUP: rpc_give(c, val_of_str("setup")); return;
    case PHASE_DIAGNOSTIC: rpc_give(c, val_of_str("error")); return;
    default: rpc_give(c, val_of_str("running")); return;
    }
}

SHAPE_RECORD_OF(echo_params, {.name = "message", .shape = &shape_text, .about = "What comes back."});
static const struct shape state_shape = {.kind = SHAPE_WORD, .words = "initializing setup running error"};

const struct method system_root_rows[] = {
    {.name = "echo",
     .about = "Says what it was told.",
     .params = &echo_params,
     .result = &shape_text,
     .callers = CALLER_ANY,
     .where = METHOD_EVERYWHERE,
     .phases = PHASE_RUN,
     .words = "message",
     .run = run_echo},
    {.name = "git-info",
     .about = "The commit this program was built from.",
     .result = &shape_text,
     .callers = CALLER_OWNER,
     .where = METHOD_EVERYWHERE,
     .phases = PHASE_EVER,
     .run = run_git_info},
    {.name = "state",
     .about = "Which phase of its life the box is in.",
     .result = &state_shape,
     .callers = CALLER_ANY,
     .where = METHOD_EVERYWHERE,
     .phases = PHASE_EVER,
     .run = run_state},
    {.name = NULL},
};
