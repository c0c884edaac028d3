/* setup.c - the first start: somebody says the password, the name, the language, and the box is theirs.
 *
 * Whoever is at the console has the claim code, so that nobody else on the network is first; the box's own root needs none. The names
 * and forms of StartOS' setup wizard are kept; what it asks about disks has one answer here: the data folder is there already. */
#include "system/room.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "rpc/envelope.h"
#include "system/hostname.h"

#include <stdio.h>

#define CLAIM_TRIES 10 /* wrong codes before the box must be started anew for another one */

/* --- the claim code --- */

void setup_claim_make(struct system *s) {
    static const char letters[] = "abcdefghjkmnpqrstuvwxyz23456789"; /* none that looks like another */
    for (unsigned i = 0; i < SYSTEM_CLAIM; i++)
        s->claim[i] = i == SYSTEM_CLAIM / 2 ? '-' : letters[rng_below(sizeof letters - 1)];
    s->claim[SYSTEM_CLAIM] = 0;
}

static bool check_claim(struct system *s, const struct rpc_call *c, struct err *e) {
    struct slice given = val_as_text(val_get(&c->params, LIT("claim")));
    if (!s->config.claims || c->caller->kind == CALLER_LOCAL) return true;
    if (s->claim_wrong >= CLAIM_TRIES)
        return err_set(e, ERR_RATE, "too many wrong claim codes; start the box anew for another one");
    uint8_t differ = given.len != SYSTEM_CLAIM;
    for (size_t i = 0; !differ && i < given.len; i++)
        differ |= (uint8_t)((given.ptr[i] | 32) ^ (uint8_t)(s->claim[i] | 32));
    if (!differ) return true;
    if (given.len) s->claim_wrong++;
    return err_set(e, ERR_AUTHORIZATION,
                   "want the claim code that the box shows on its console and in its file \"ready\"");
}

/* --- setup.status --- */

static struct val say_complete(struct system *s) {
    const struct val *server = val_get(val_get(state_peek(rpc_state(s->config.rpc)), LIT("public")), LIT("serverInfo"));
    struct slice root = s->config.root_ca ? s->config.root_ca(s->config.arg) : slice_of(NULL, 0);
    return VAL_MAP_OF({"status", val_of_str("complete")}, {"hostname", val_ref(val_get(server, LIT("hostname")))},
                      {"rootCa", val_of_text(root)}, {"needsRestart", val_of_bool(false)});
}

static struct val full_progress(const struct val *overall) {
    struct val done = val_ref(overall);
    return VAL_MAP_OF({"overall", done}, {"phases", VAL_ARRAY_OF(VAL_MAP_OF({"name", val_of_str("Setting up")},
                                                                            {"progress", val_ref(overall)}))});
}

static void run_status(struct rpc_call *c) {
    struct system *s = system_of(c);
    if (s->setup_done)
        rpc_give(c, say_complete(s));
    else
        rpc_give(c, VAL_MAP_OF({"status", val_of_str("incomplete")}, {"guid", val_null()},
                               {"attach", val_of_bool(false)}, {"mokEnrolled", val_of_bool(true)},
                               {"osDrive", val_null()}, {"claim", val_of_bool(s->config.claims)}));
}

/* --- setup.execute --- */

struct setup {
    struct call call;
    struct rpc_call *c;
    struct system *system;
    struct buf password;
    struct feed feed;
    bool has_feed;
};

static void setup_free(struct setup *w) {
    call_cancel(&w->call);
    envelope_close(&w->password);
    w->system->setting_up = NULL;
    if (!w->has_feed) mem_put(w, sizeof *w);
}

static void setup_fail(struct setup *w, const struct err *e) {
    struct rpc_call *c = w->c;
    setup_free(w);
    rpc_fail(c, e);
}

static void drop(struct rpc_call *c) {
    setup_free(c->own);
}

/* The progress is over before anybody can have come for it. */
static void progress_opened(struct feed *f) {
    feed_send(f, LIT("{\"overall\":true,\"phases\":[{\"name\":\"Setting up\",\"progress\":true}]}"));
    feed_end(f, NULL);
}
static void progress_gone(struct feed *f) {
    mem_put(LOOP_OWNER(struct setup, feed, f), sizeof(struct setup));
}
static const struct feed_kind setup_feed = {.name = "setup", .open = progress_opened, .gone = progress_gone};

static bool keep_all(struct setup *w, struct slice hash, struct err *e) {
    struct state_txn t;
    struct state *state = rpc_state(w->c->rpc);
    struct hostname_names names;
    const struct val *params = &w->c->params;
    struct slice name = val_as_text(val_get(params, LIT("name"))), host = val_as_text(val_get(params, LIT("hostname")));
    if (!state_begin(state, &t, state_owner(state, "system") | state_owner(state, "auth"), e)) return false;
    txn_put_text(&t, LIT("/private/password"), hash, e);
    if (name.len || host.len) {
        if (!hostname_find(name, host, &names, e)) {
            state_abort(&t);
            return false;
        }
        txn_put_text(&t, LIT("/public/serverInfo/name"), slice_str(names.name), e);
        txn_put_text(&t, LIT("/public/serverInfo/hostname"), slice_str(names.host), e);
    }
    struct slice language = val_as_text(val_get(params, LIT("language")));
    if (language.len) txn_put_text(&t, LIT("/public/serverInfo/language"), language, e);
    return state_commit(&t, NULL, e);
}

static void hashed(struct call *call, struct call_answer *a) {
    struct setup *w = LOOP_OWNER(struct setup, call, call);
    struct rpc_call *c = w->c;
    struct system *s = w->system;
    struct err e = a->err;
    bool good = e.code == ERR_NONE && keep_all(w, val_as_text(val_get(&a->result, LIT("hash"))), &e);
    w->feed.kind = &setup_feed;
    good = good && (w->has_feed = feed_begin(rpc_feeds(c->rpc), &w->feed, c->caller, &e));
    if (!good) {
        setup_fail(w, &e);
        return;
    }
    struct val yes = val_of_bool(true), guid = val_of_str(w->feed.guid);
    s->setup_done = true;
    log_note("the box is set up");
    setup_free(w);
    rpc_give(c, VAL_MAP_OF({"progress", full_progress(&yes)}, {"guid", guid}));
}

static bool begin_setup(struct setup *w, struct err *e) {
    struct system *s = w->system;
    struct hostname_names names;
    const struct val *params = &w->c->params;
    struct slice name = val_as_text(val_get(params, LIT("name"))), host = val_as_text(val_get(params, LIT("hostname")));
    if (s->setup_done || s->setting_up) return err_set(e, ERR_INVALID, "the box is set up already");
    if (!check_claim(s, w->c, e)) return false;
    if ((name.len || host.len) && !hostname_find(name, host, &names, e)) return false;
    if (!val_is_none(val_get(params, LIT("recoverySource"))))
        return err_set(e, ERR_UNSUPPORTED, "restoring a backup at the first start is not there yet");
    if (!envelope_read(s->config.envelope, val_get(params, LIT("password")), &w->password, e)) return false;
    if (!w->password.len) return err_set(e, ERR_INVALID, "want a password");
    return call_start(&w->call, s->config.warden, "password.hash",
                      VAL_MAP_OF({"password", val_of_bytes(buf_slice(&w->password))}), NULL, 0, 0, e);
}

static void run_execute(struct rpc_call *c) {
    struct err e = ERR_INIT;
    struct system *s = system_of(c);
    struct setup *w = mem_get_zero(sizeof *w);
    if (!w) {
        err_nomem(&e, "the setup");
        rpc_fail(c, &e);
        return;
    }
    *w = (struct setup){.call = {.done = hashed}, .c = c, .system = s};
    struct setup *other = s->setting_up;
    if (!envelope_open(&w->password, &e) || !begin_setup(w, &e)) {
        setup_fail(w, &e);
        s->setting_up = other;
        return;
    }
    s->setting_up = w;
    c->own = w;
    c->drop = drop;
}

/* --- the rest --- */

static void run_complete(struct rpc_call *c) {
    struct system *s = system_of(c);
    struct err e = ERR_INIT;
    if (!s->setup_done) {
        err_set(&e, ERR_INVALID, "the box is not set up yet");
        rpc_fail(c, &e);
        return;
    }
    struct val all = say_complete(s), key = val_of_str("status");
    if (!val_del(&all, &key)) val_unref(&all);
    rpc_give(c, all);
}

static void run_exit(struct rpc_call *c) {
    struct system *s = system_of(c);
    struct err e = ERR_INIT;
    if (!s->setup_done) {
        err_set(&e, ERR_INVALID, "the box is not set up yet");
        rpc_fail(c, &e);
        return;
    }
    rpc_give_null(c);
    s->config.set_up(s->config.arg);
}

static void run_pubkey(struct rpc_call *c) {
    struct err e = ERR_INIT;
    struct val key = envelope_key(system_of(c)->config.envelope, &e);
    if (val_is_none(&key))
        rpc_fail(c, &e);
    else
        rpc_give(c, key);
}

/* --- rows --- */

static const struct shape claim_shape = {.kind = SHAPE_TEXT, .max = 64};
SHAPE_RECORD_OF(
    execute_params,
    {.name = "guid", .shape = &shape_text_or_null, .fallback = "null", .about = "Which disk; there is one."},
    {.name = "password",
     .shape = &password_shape,
     .attrs = PLAN_SECRET,
     .about = "The password of the box from now on."},
    {.name = "recoverySource", .shape = &shape_any, .optional = true, .about = "A backup to begin with."},
    {.name = "kiosk", .shape = &shape_bool, .fallback = "false", .about = "A screen is attached; ignored."},
    {.name = "name", .shape = &shape_text, .optional = true, .about = "What the box is called."},
    {.name = "hostname", .shape = &shape_text, .optional = true, .about = "Its name on the network."},
    {.name = "language", .shape = &shape_text, .optional = true, .about = "Its language, like en_US."},
    {.name = "claim",
     .shape = &claim_shape,
     .optional = true,
     .about = "The code that the console shows; the box's own root needs none."});
SHAPE_RECORD_OF(execute_result, {.name = "progress", .shape = &shape_any}, {.name = "guid", .shape = &shape_guid});
SHAPE_RECORD_OF(complete_result, {.name = "hostname", .shape = &shape_text}, {.name = "rootCa", .shape = &shape_text},
                {.name = "needsRestart", .shape = &shape_bool});
SHAPE_RECORD_OF(incomplete_shape, {.name = "guid", .shape = &shape_text_or_null},
                {.name = "attach", .shape = &shape_bool}, {.name = "mokEnrolled", .shape = &shape_bool},
                {.name = "osDrive", .shape = &shape_text_or_null}, {.name = "claim", .shape = &shape_bool});
static const struct shape_field status_fields[] = {{.name = "incomplete", .shape = &incomplete_shape},
                                                   {.name = "complete", .shape = &complete_result}};
static const struct shape status_shape = {.kind = SHAPE_TAGGED, .tag = "status", .fields = status_fields, .field_n = 2};

#define SETUP_ROW(name_, about_, run_, ...)                                                                            \
    {                                                                                                                  \
        .name = (name_), .about = (about_), .callers = CALLER_ANY, .where = IN_STARTD, .phases = PHASE_SETUP,          \
        .run = (run_), __VA_ARGS__                                                                                     \
    }

const struct method system_setup_rows[] = {
    SETUP_ROW("setup.status", "How far the setup is.", run_status, .result = &status_shape),
    SETUP_ROW("setup.disk.list", "Lists the disks of the machine; none needs to be chosen.", disks_run_list,
              .result = &disks_result_shape),
    SETUP_ROW("setup.get-pubkey", "The key that the password may be sealed to.", run_pubkey,
              .result = &envelope_key_shape),
    SETUP_ROW("setup.execute", "Makes the box somebody's: password and names.", run_execute, .params = &execute_params,
              .result = &execute_result, .effect = METHOD_FLOW),
    SETUP_ROW("setup.complete", "What the setup led to, once it is done.", run_complete, .result = &complete_result),
    SETUP_ROW("setup.exit", "Ends the setup: the box is up.", run_exit, .effect = METHOD_FINAL),
    {.name = NULL},
};
