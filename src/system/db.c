/* db.c - the tree as clients see it: read whole, followed, and the part of it that is the UI's own.
 *
 * A subscription is what StartOS' UI expects: the value with its revision, then a WebSocket with one message a revision. It begins to
 * watch when the socket is open, from the revision it was given: what it missed in between comes from the history. */
#include "system/room.h"

#include "base/limits.h"
#include "base/mem.h"
#include "protocols/json.h"
#include "protocols/jsonptr.h"
#include "protocols/websocket.h"

/* --- db.dump --- */

/* What stands at a pointer, null when nothing that may be seen does. */
static bool show(const struct state *s, struct slice pointer, struct val *out, struct err *e) {
    struct err own = ERR_INIT;
    *out = state_show(s, pointer, &own);
    if (!val_is_none(out)) return true;
    if (own.code == ERR_NOT_FOUND) {
        *out = val_null();
        return true;
    }
    if (e) *e = own;
    return false;
}

static void run_dump(struct rpc_call *c) {
    const struct state *s = rpc_state(c->rpc);
    struct val value;
    struct err e = ERR_INIT;
    if (show(s, val_as_text(val_get(&c->params, LIT("pointer"))), &value, &e))
        rpc_give(c, VAL_MAP_OF({"id", val_of_u64(state_settled(s))}, {"value", value}));
    else
        rpc_fail(c, &e);
}

/* --- db.subscribe --- */

struct subscription {
    struct feed feed;
    struct watch watch;
    struct state *state;
    uint64_t life, have;
    struct val pointer;
};

static size_t put_head(uint8_t *out, uint64_t len) {
    return websocket_put_head(out, WEBSOCKET_OP_TEXT, WEBSOCKET_FIN, len, NULL);
}
static const struct watch_format frames = {.name = "websocket json", .head = put_head};

static bool tell(struct watch *w, const struct news *news) {
    return feed_send_frames(&LOOP_OWNER(struct subscription, watch, w)->feed, news->bytes);
}

static void opened(struct feed *f) {
    struct subscription *s = LOOP_OWNER(struct subscription, feed, f);
    struct err e = ERR_INIT;
    if (!watch_begin(state_watchers(s->state), &s->watch, val_as_text(&s->pointer), s->life, s->have, &e))
        feed_end(f, &e);
}

static void drained(struct feed *f) {
    watch_ready(&LOOP_OWNER(struct subscription, feed, f)->watch);
}

static void gone(struct feed *f) {
    struct subscription *s = LOOP_OWNER(struct subscription, feed, f);
    watch_end(&s->watch);
    val_unref(&s->pointer);
    mem_put(s, sizeof *s);
}

static const struct feed_kind subscription_kind = {
    .name = "db.subscribe", .open = opened, .drained = drained, .gone = gone};

/* Who comes back with a revision of this life of the store gets only what it missed. */
static bool find_start(struct rpc_call *c, struct subscription *s, struct val *dump, struct err *e) {
    struct watchers *ws = state_watchers(s->state);
    uint64_t life = 0, since = 0;
    bool resumes = val_as_u64(val_get(&c->params, LIT("life")), &life) &&
                   val_as_u64(val_get(&c->params, LIT("since")), &since) && life == watchers_life(ws);
    s->life = watchers_life(ws);
    s->have = resumes ? since : state_settled(s->state);
    *dump = val_null();
    if (resumes) return true;
    struct val value;
    if (!show(s->state, val_as_text(&s->pointer), &value, e)) return false;
    *dump = VAL_MAP_OF({"id", val_of_u64(s->have)}, {"value", value});
    return !val_is_none(dump) || err_nomem(e, "a subscription");
}

static void run_subscribe(struct rpc_call *c) {
    struct err e = ERR_INIT;
    struct val dump = val_none;
    struct subscription *s = mem_get_zero(sizeof *s);
    if (!s) {
        err_nomem(&e, "a subscription");
        rpc_fail(c, &e);
        return;
    }
    s->state = rpc_state(c->rpc);
    s->feed.kind = &subscription_kind;
    s->watch = (struct watch){.tell = tell, .format = &frames};
    s->pointer = val_ref(val_get(&c->params, LIT("pointer")));
    if (!find_start(c, s, &dump, &e) || !feed_begin(rpc_feeds(c->rpc), &s->feed, c->caller, &e)) {
        val_unref(&dump);
        val_unref(&s->pointer);
        mem_put(s, sizeof *s);
        rpc_fail(c, &e);
        return;
    }
    rpc_give(c, VAL_MAP_OF({"dump", dump}, {"guid", val_of_str(s->feed.guid)}, {"life", val_of_u64(s->life)}));
}

/* --- db.put.ui, db.apply --- */

static void run_put_ui(struct rpc_call *c) {
    struct state_txn t;
    struct err e = ERR_INIT;
    struct buf pointer;
    struct slice below = val_as_text(val_get(&c->params, LIT("pointer")));
    buf_init(&pointer, LIMIT_WATCH_POINTER);
    bool good = (buf_add(&pointer, LIT("/public/ui")) && buf_add(&pointer, below)) || err_nomem(&e, "a pointer");
    if (good && (good = system_begin_txn(system_of(c), &t, "ui", &e))) {
        txn_put(&t, buf_slice(&pointer), val_ref(val_get(&c->params, LIT("value"))), &e);
        good = state_commit(&t, NULL, &e);
    }
    buf_release(&pointer);
    system_answer(c, good, &e);
}

/* The operator's own hand, for repairs. StartOS takes a program of jq here; we take a JSON Patch, and hold it against the shapes. */
static void run_apply(struct rpc_call *c) {
    static const struct json_limits limits = {.bytes = LIMIT_RPC_BODY, .depth = LIMIT_RPC_DEPTH};
    struct state_txn t;
    struct val patch = val_none;
    struct err e = ERR_INIT;
    bool good = json_parse(val_as_text(val_get(&c->params, LIT("expr"))), &limits, &patch, &e);
    if (!good) err_context(&e, "want a JSON Patch (RFC 6902), not a program of jq");
    if (good && (good = state_begin(rpc_state(c->rpc), &t, PLAN_ALL_OWNERS, &e))) {
        txn_patch(&t, &patch, &e);
        good = state_commit(&t, NULL, &e);
    }
    val_unref(&patch);
    system_answer(c, good, &e);
}

/* --- rows --- */

static bool check_pointer(const struct val *v, struct err *e) {
    return jsonptr_check(val_as_text(v), e);
}
static const struct shape pointer_shape = {.kind = SHAPE_TEXT, .max = LIMIT_WATCH_POINTER - 16, .check = check_pointer};
static const struct shape life_shape = {.kind = SHAPE_INT, .min = 1, .max = INT64_C(1) << 53};
SHAPE_RECORD_OF(dump_params, {.name = "pointer",
                              .shape = &pointer_shape,
                              .fallback = "\"/public\"",
                              .about = "Where in the tree, as a JSON Pointer."});
SHAPE_RECORD_OF(dump_result, {.name = "id", .shape = &shape_u64}, {.name = "value", .shape = &shape_any});
SHAPE_RECORD_OF(subscribe_params,
                {.name = "pointer",
                 .shape = &pointer_shape,
                 .fallback = "\"/public\"",
                 .about = "Where in the tree, as a JSON Pointer."},
                {.name = "life",
                 .shape = &life_shape,
                 .optional = true,
                 .about = "With since: the life that an earlier subscription told."},
                {.name = "since",
                 .shape = &shape_u64,
                 .optional = true,
                 .about = "The last revision that is known: only what came behind it is sent."});
static const struct shape dump_or_null = {
    .kind = SHAPE_RECORD, .null = true, .fields = dump_result_fields, .field_n = 2};
SHAPE_RECORD_OF(subscribe_result, {.name = "dump", .shape = &dump_or_null}, {.name = "guid", .shape = &shape_guid},
                {.name = "life", .shape = &life_shape});
SHAPE_RECORD_OF(ui_params,
                {.name = "pointer", .shape = &pointer_shape, .about = "Where in what is the UI's, as a JSON Pointer."},
                {.name = "value", .shape = &shape_any, .about = "What stands there from now on."});
SHAPE_RECORD_OF(apply_params, {.name = "expr", .shape = &shape_text, .about = "The change, a JSON Patch."});

const struct method system_db_rows[] = {
    {.name = "db.dump",
     .about = "Shows the tree, or a part of it.",
     .params = &dump_params,
     .result = &dump_result,
     .callers = CALLER_OWNER,
     .where = METHOD_EVERYWHERE,
     .phases = PHASE_RUN,
     .words = "pointer",
     .run = run_dump},
    {.name = "db.subscribe",
     .about = "Shows the tree, or a part of it, and then every change of it by a feed.",
     .params = &subscribe_params,
     .result = &subscribe_result,
     .callers = CALLER_OWNER,
     .where = METHOD_EVERYWHERE,
     .phases = PHASE_RUN,
     .flags = METHOD_NO_COMMAND,
     .words = "pointer",
     .run = run_subscribe},
    {.name = "db.put.ui",
     .about = "Keeps something for the web page.",
     .params = &ui_params,
     .callers = CALLER_OWNER,
     .where = METHOD_EVERYWHERE,
     .phases = PHASE_RUN,
     .effect = METHOD_CHANGES,
     .flags = METHOD_SYNC,
     .words = "pointer value",
     .run = run_put_ui},
    {.name = "db.apply",
     .about = "Changes the tree by hand, for repairs.",
     .params = &apply_params,
     .callers = CALLER_LOCAL,
     .where = METHOD_EVERYWHERE,
     .phases = PHASE_RUN,
     .effect = METHOD_FINAL,
     .words = "expr",
     .run = run_apply},
    {.name = NULL},
};
