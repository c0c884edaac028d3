/* password.c - the password: shown at a login, changed, set by the box's root. See auth.h.
 *
 * It is hashed and compared by a job of the warden. In memory it is the call's only, and wiped where it is ours to wipe. */
#include "auth/room.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "rpc/envelope.h"
#include "rpc/shapes.h"

static struct slice stored_hash(const struct auth *a) {
    const struct state *s = rpc_state(a->config.rpc);
    return s ? val_as_text(val_get(val_get(state_peek(s), LIT("private")), LIT("password"))) : slice_str(a->fallback);
}

bool auth_has_password(const struct auth *a) {
    return stored_hash(a).len != 0;
}

/* --- work on a password: one call, one or two jobs --- */

enum work_kind { WORK_LOGIN, WORK_CHANGE, WORK_SET };

struct work {
    struct call call;
    struct rpc_call *c; /* NULL: a new hash of an old password, nobody waits */
    struct auth *auth;
    enum work_kind kind;
    bool hashing, limited;
    struct buf given, fresh; /* the password shown, the new one */
};

static void work_free(struct work *w) {
    call_cancel(&w->call);
    envelope_close(&w->given);
    envelope_close(&w->fresh);
    mem_put(w, sizeof *w);
}

static int64_t now(const struct work *w) {
    return loop_now_ms(w->auth->config.loop);
}

static void work_limit(struct work *w, enum limit_outcome outcome) {
    if (w->limited) limit_end(&w->auth->limit, w->c->caller->from, now(w), outcome);
    w->limited = false;
}

static void work_fail(struct work *w, const struct err *e) {
    struct rpc_call *c = w->c;
    if (c) work_limit(w, e->code == ERR_PASSWORD ? LIMIT_WRONG : LIMIT_UNTRIED);
    work_free(w);
    if (c)
        rpc_fail(c, e);
    else
        log_note("the password was not hashed anew: %s", e->text);
}

static void work_drop(struct rpc_call *c) {
    struct work *w = c->own;
    work_limit(w, LIMIT_UNTRIED);
    work_free(w);
}

static bool start_job(struct work *w, const char *verb, struct val args, struct err *e) {
    return call_start(&w->call, w->auth->config.warden, verb, args, NULL, 0, 0, e);
}

static bool start_hash(struct work *w, struct slice password, struct err *e) {
    w->hashing = true;
    return start_job(w, "password.hash", VAL_MAP_OF({"password", val_of_bytes(password)}), e);
}

static bool start_verify(struct work *w, struct err *e) {
    return start_job(
        w, "password.verify",
        VAL_MAP_OF({"hash", val_of_text(stored_hash(w->auth))}, {"password", val_of_bytes(buf_slice(&w->given))}), e);
}

static bool keep_hash(struct work *w, struct slice hash, struct err *e) {
    struct state_txn t;
    if (!auth_begin_txn(w->auth, &t, e)) return false;
    txn_put_text(&t, LIT("/private/password"), hash, e);
    return state_commit(&t, NULL, e);
}

/* The password is the right one. */
static void let_in(struct work *w, bool again) {
    struct rpc_call *c = w->c;
    char token[TOKEN_LEN];
    struct err e = ERR_INIT;
    work_limit(w, LIMIT_RIGHT);
    bool brief = val_is_true(val_get(&c->params, LIT("ephemeral"))) || !rpc_state(c->rpc);
    again = again && rpc_state(c->rpc);
    if (!session_make(w->auth, brief, c->caller->agent, token, &e)) {
        work_fail(w, &e);
        return;
    }
    w->c = NULL;
    c->drop = NULL;
    if (!again || !start_hash(w, buf_slice(&w->given), &e)) work_free(w);
    struct val text = val_of_text(slice_of(token, TOKEN_LEN));
    explicit_bzero(token, sizeof token);
    rpc_give(c, VAL_MAP_OF({"session", text}));
}

static void verified(struct work *w, const struct val *result) {
    struct err e = ERR_INIT;
    if (!val_is_true(val_get(result, LIT("good")))) {
        err_set(&e, ERR_PASSWORD, "the password is wrong");
        work_fail(w, &e);
    } else if (w->kind == WORK_LOGIN)
        let_in(w, val_is_true(val_get(result, LIT("again"))));
    else {
        work_limit(w, LIMIT_RIGHT);
        if (!start_hash(w, buf_slice(&w->fresh), &e)) work_fail(w, &e);
    }
}

/* A changed password ends the sessions of whoever knew the old one, but for the one that changed it. */
static void hashed(struct work *w, const struct val *result) {
    struct err e = ERR_INIT;
    struct rpc_call *c = w->c;
    bool good = keep_hash(w, val_as_text(val_get(result, LIT("hash"))), &e);
    if (good && c) {
        bool session = c->caller->kind == CALLER_SESSION;
        good = session_end_others(w->auth, session ? c->caller->name : slice_of(NULL, 0), &e);
    }
    if (!good) {
        work_fail(w, &e);
        return;
    }
    work_free(w);
    if (c) rpc_give_null(c);
}

static void job_done(struct call *call, struct call_answer *a) {
    struct work *w = LOOP_OWNER(struct work, call, call);
    if (a->err.code != ERR_NONE)
        work_fail(w, &a->err);
    else if (w->hashing)
        hashed(w, &a->result);
    else
        verified(w, &a->result);
}

static struct work *work_new(struct rpc_call *c, enum work_kind kind, struct err *e) {
    struct auth *a = auth_of(c);
    struct work *w = mem_get_zero(sizeof *w);
    if (!w) {
        err_nomem(e, "a password");
        return NULL;
    }
    *w = (struct work){.call = {.done = job_done}, .c = c, .auth = a, .kind = kind};
    if (envelope_open(&w->given, e) && envelope_open(&w->fresh, e)) return w;
    work_free(w);
    return NULL;
}

static bool check_fresh(const struct work *w, struct err *e) {
    return w->fresh.len || err_set(e, ERR_INVALID, "the new password is empty");
}

static bool begin_work(struct work *w, struct err *e) {
    struct auth *a = w->auth;
    struct rpc_call *c = w->c;
    const struct val *params = &c->params;
    bool login = w->kind == WORK_LOGIN, set = w->kind == WORK_SET;
    const char *shown = login ? "password" : "oldPassword", *fresh = set ? "password" : "newPassword";
    if (!set && !auth_has_password(a)) return err_set(e, ERR_PASSWORD, "no password is set yet");
    if (!set && !(w->limited = limit_begin(&a->limit, c->caller->from, now(w), e))) return false;
    if (!set && !envelope_read(a->config.envelope, val_get(params, slice_str(shown)), &w->given, e)) return false;
    if (!login &&
        (!envelope_read(a->config.envelope, val_get(params, slice_str(fresh)), &w->fresh, e) || !check_fresh(w, e)))
        return false;
    if (!set && !w->given.len) return err_set(e, ERR_PASSWORD, "the password is wrong");
    return set ? start_hash(w, buf_slice(&w->fresh), e) : start_verify(w, e);
}

static void run_work(struct rpc_call *c, enum work_kind kind) {
    struct err e = ERR_INIT;
    struct work *w = work_new(c, kind, &e);
    if (!w) {
        rpc_fail(c, &e);
        return;
    }
    if (!begin_work(w, &e)) {
        work_fail(w, &e);
        return;
    }
    c->own = w;
    c->drop = work_drop;
}

static void run_login(struct rpc_call *c) {
    run_work(c, WORK_LOGIN);
}
static void run_change(struct rpc_call *c) {
    run_work(c, WORK_CHANGE);
}
static void run_set(struct rpc_call *c) {
    run_work(c, WORK_SET);
}

static void run_pubkey(struct rpc_call *c) {
    struct err e = ERR_INIT;
    struct val key = envelope_key(auth_of(c)->config.envelope, &e);
    if (val_is_none(&key))
        rpc_fail(c, &e);
    else
        rpc_give(c, key);
}

/* --- the rows --- */

SHAPE_RECORD_OF(
    login_params,
    {.name = "password", .shape = &password_shape, .attrs = PLAN_SECRET, .about = "The password of the box."},
    {.name = "ephemeral",
     .shape = &shape_bool,
     .fallback = "false",
     .about = "The session ends with the program, and nothing of it is written down."});
SHAPE_RECORD_OF(login_result, {.name = "session", .shape = &shape_text, .attrs = PLAN_SECRET});
SHAPE_RECORD_OF(change_params,
                {.name = "oldPassword",
                 .shape = &password_shape,
                 .alias = "old-password",
                 .fallback = "\"\"",
                 .attrs = PLAN_SECRET,
                 .about = "The password as it is."},
                {.name = "newPassword",
                 .shape = &password_shape,
                 .alias = "new-password",
                 .fallback = "\"\"",
                 .attrs = PLAN_SECRET,
                 .about = "The password from now on."});
SHAPE_RECORD_OF(set_params, {.name = "password",
                             .shape = &password_shape,
                             .attrs = PLAN_SECRET,
                             .about = "The password from now on."});
const struct method auth_password_rows[] = {
    {.name = "auth.login",
     .about = "Begins a session with the password.",
     .params = &login_params,
     .result = &login_result,
     .callers = CALLER_ANY,
     .where = METHOD_EVERYWHERE,
     .phases = PHASE_RUN | PHASE_DIAGNOSTIC,
     .effect = METHOD_CHANGES,
     .flags = METHOD_LOGIN,
     .run = run_login},
    {.name = "auth.reset-password",
     .about = "Changes the password; every other session ends.",
     .params = &change_params,
     .callers = CALLER_OWNER,
     .where = METHOD_EVERYWHERE,
     .phases = PHASE_RUN,
     .effect = METHOD_FINAL,
     .run = run_change},
    {.name = "auth.set-password",
     .about = "Sets the password without the old one, which only the root of the box may; every session ends.",
     .params = &set_params,
     .callers = CALLER_LOCAL,
     .where = METHOD_EVERYWHERE,
     .phases = PHASE_RUN,
     .effect = METHOD_FINAL,
     .run = run_set},
    {.name = "auth.get-pubkey",
     .about = "The key that passwords may be sealed to while there is no TLS.",
     .result = &envelope_key_shape,
     .callers = CALLER_ANY,
     .where = METHOD_EVERYWHERE,
     .phases = PHASE_RUN,
     .run = run_pubkey},
    {.name = NULL},
};
