/* session.c - sessions: made by a login, known by the hash of their token, ended. See auth.h.
 *
 * When a session was used last is kept in memory and written to the tree once an hour: else every call would be a write. */
#include "auth/room.h"

#include "base/clock.h"
#include "base/hex.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "protocols/date.h"
#include "protocols/jsonptr.h"
#include "rpc/feed.h"
#include "rpc/shapes.h"

#include <bearssl.h>
#include <stdlib.h>

#define USED_MS 60000                            /* how exactly it is known when a session was used last */
#define IDLE_MS (INT64_C(30) * 24 * 3600 * 1000) /* unused for so long it ends */

void session_hash(struct slice token, char hash[AUTH_NAME]) {
    uint8_t sum[br_sha256_SIZE];
    br_sha256_context sha;
    br_sha256_init(&sha);
    br_sha256_update(&sha, token.ptr, token.len);
    br_sha256_out(&sha, sum);
    base32_put(hash, BASE32_LOWER, slice_of(sum, sizeof sum));
}

static const struct val *stored(const struct auth *a) {
    const struct state *s = rpc_state(a->config.rpc);
    return s ? val_get(val_get(state_peek(s), LIT("private")), LIT("sessions")) : &val_none;
}

static struct auth_brief *find_brief(const struct auth *a, struct slice hash) {
    struct auth_brief *b = a->briefs;
    while (b && !slice_eq(slice_of(b->hash, AUTH_NAME), hash)) b = b->next;
    return b;
}

bool session_use(struct auth *a, const char hash[AUTH_NAME]) {
    struct slice name = slice_of(hash, AUTH_NAME);
    int64_t now = clock_wall_ms(), seen = 0;
    struct auth_brief *b = find_brief(a, name);
    if (b) {
        b->last_active = now;
        return true;
    }
    if (val_is_none(val_get(stored(a), name))) return false;
    val_as_i64(val_get(&a->seen, name), &seen);
    if (now - seen >= USED_MS || now < seen)
        val_set(&a->seen, val_of_text(name), val_of_i64(now)); /* else: less exact */
    return true;
}

/* --- making --- */

static void place(char pointer[32 + AUTH_NAME], struct slice hash, const char *behind) {
    snprintf(pointer, 32 + AUTH_NAME, "/private/sessions/%.*s%s", (int)hash.len, (const char *)hash.ptr, behind);
}

static bool store(struct auth *a, struct slice hash, int64_t now, struct val *agent, struct err *e) {
    char pointer[32 + AUTH_NAME];
    struct state_txn t;
    if (val_count(stored(a)) >= LIMIT_AUTH_SESSIONS) return err_limit(e, "sessions", LIMIT_AUTH_SESSIONS, ERR_NOWHERE);
    if (!auth_begin_txn(a, &t, e)) return false;
    place(pointer, hash, "");
    txn_put(&t, slice_str(pointer),
            VAL_MAP_OF({"loggedIn", auth_time(now)}, {"lastActive", auth_time(now)}, {"userAgent", val_ref(agent)}), e);
    return state_commit(&t, NULL, e);
}

static bool keep_brief(struct auth *a, struct slice hash, int64_t now, struct val *agent, struct err *e) {
    unsigned n = 0;
    for (const struct auth_brief *b = a->briefs; b; b = b->next) n++;
    if (n >= LIMIT_AUTH_SESSIONS) return err_limit(e, "sessions", LIMIT_AUTH_SESSIONS, ERR_NOWHERE);
    struct auth_brief *b = mem_get_zero(sizeof *b);
    if (!b) return err_nomem(e, "a session");
    memcpy(b->hash, hash.ptr, AUTH_NAME);
    b->logged_in = b->last_active = now;
    b->agent = val_ref(agent);
    b->next = a->briefs;
    a->briefs = b;
    return true;
}

bool session_make(struct auth *a, bool brief, struct slice agent, char token[TOKEN_LEN], struct err *e) {
    uint8_t bytes[16];
    char hash[AUTH_NAME];
    rng_bytes(bytes, sizeof bytes);
    base32_put(token, BASE32_LOWER, slice_of(bytes, sizeof bytes));
    session_hash(slice_of(token, TOKEN_LEN), hash);
    struct val name = agent.len ? val_of_text_lossy(agent) : val_null();
    bool good = (brief ? keep_brief : store)(a, slice_of(hash, AUTH_NAME), clock_wall_ms(), &name, e);
    val_unref(&name);
    return good;
}

/* --- ending --- */

static void tell_ended(struct auth *a, struct slice hash) {
    struct err e = ERR_INIT;
    err_set(&e, ERR_AUTHORIZATION, "the session was ended");
    feeds_end_of(rpc_feeds(a->config.rpc), CALLER_SESSION, hash, &e);
}

static void drop_brief(struct auth *a, struct slice hash) {
    for (struct auth_brief **at = &a->briefs; *at; at = &(*at)->next) {
        struct auth_brief *b = *at;
        if (!slice_eq(slice_of(b->hash, AUTH_NAME), hash)) continue;
        *at = b->next;
        val_unref(&b->agent);
        mem_put(b, sizeof *b);
        return;
    }
}

static bool is_hash(struct slice text) {
    if (text.len != AUTH_NAME) return false;
    for (size_t i = 0; i < text.len; i++)
        if (!((text.ptr[i] >= 'a' && text.ptr[i] <= 'z') || (text.ptr[i] >= '2' && text.ptr[i] <= '7'))) return false;
    return true;
}

static bool remove_stored(struct auth *a, const struct val *hashes, struct err *e) {
    char pointer[32 + AUTH_NAME];
    struct state_txn t;
    if (!rpc_state(a->config.rpc)) return true;
    if (!auth_begin_txn(a, &t, e)) return false;
    for (struct val_iter it = val_iter(hashes); val_next(&it);) {
        struct slice hash = val_as_text(it.value);
        if (!is_hash(hash)) continue;
        place(pointer, hash, "");
        if (!val_is_none(txn_get(&t, slice_str(pointer)))) txn_remove(&t, slice_str(pointer), e);
    }
    return state_commit(&t, NULL, e);
}

bool session_end(struct auth *a, const struct val *hashes, struct err *e) {
    if (!remove_stored(a, hashes, e)) return false;
    for (struct val_iter it = val_iter(hashes); val_next(&it);) {
        struct slice hash = val_as_text(it.value);
        drop_brief(a, hash);
        val_del(&a->seen, it.value);
        tell_ended(a, hash);
    }
    return true;
}

bool session_end_others(struct auth *a, struct slice but, struct err *e) {
    struct val all = val_empty_array();
    bool good = true;
    for (struct val_iter it = val_iter(stored(a)); good && val_next(&it);)
        if (!val_is_text(it.key, but)) good = val_push(&all, val_ref(it.key));
    for (const struct auth_brief *b = a->briefs; good && b; b = b->next)
        if (!slice_eq(slice_of(b->hash, AUTH_NAME), but))
            good = val_push(&all, val_of_text(slice_of(b->hash, AUTH_NAME)));
    good = good ? session_end(a, &all, e) : err_nomem(e, "a list of sessions");
    val_unref(&all);
    return good;
}

/* --- keeping --- */

void session_flush(struct auth *a) {
    char pointer[32 + AUTH_NAME];
    struct state_txn t;
    struct err e = ERR_INIT;
    if (!val_count(&a->seen) || !rpc_state(a->config.rpc) || !auth_begin_txn(a, &t, &e)) return;
    for (struct val_iter it = val_iter(&a->seen); val_next(&it);) {
        int64_t ms = 0;
        val_as_i64(it.value, &ms);
        place(pointer, val_as_text(it.key), "/lastActive");
        if (!val_is_none(txn_get(&t, slice_str(pointer)))) txn_put(&t, slice_str(pointer), auth_time(ms), &e);
    }
    if (!state_commit(&t, NULL, &e)) {
        log_note("when sessions were used last is not written down: %s", e.text);
        return;
    }
    val_unref(&a->seen);
    a->seen = val_empty_map();
}

void session_prune(struct auth *a) {
    struct val old = val_empty_array();
    struct err e = ERR_INIT;
    int64_t now = clock_wall_ms(), last;
    session_flush(a);
    for (struct val_iter it = val_iter(stored(a)); val_next(&it);)
        if (date_read_iso(val_as_text(val_get(it.value, LIT("lastActive"))), &last) && last < now - IDLE_MS)
            val_push(&old, val_ref(it.key)); /* what finds no memory goes another day */
    if (val_count(&old) && !session_end(a, &old, &e)) log_note("old sessions stay for now: %s", e.text);
    val_unref(&old);
}

void session_forget_all(struct auth *a) {
    while (a->briefs) {
        struct auth_brief *b = a->briefs;
        a->briefs = b->next;
        val_unref(&b->agent);
        mem_put(b, sizeof *b);
    }
    val_unref(&a->seen);
}

/* --- the rows --- */

static bool put_stored(struct auth *a, struct val *out) {
    for (struct val_iter it = val_iter(stored(a)); val_next(&it);) {
        struct val record = val_ref(it.value);
        int64_t ms;
        if (val_as_i64(val_get(&a->seen, val_as_text(it.key)), &ms) &&
            !val_set_str(&record, "lastActive", auth_time(ms)))
            val_unref(&record);
        if (!val_set(out, val_ref(it.key), record)) return false;
    }
    for (const struct auth_brief *b = a->briefs; b; b = b->next)
        if (!val_set(out, val_of_text(slice_of(b->hash, AUTH_NAME)),
                     VAL_MAP_OF({"loggedIn", auth_time(b->logged_in)}, {"lastActive", auth_time(b->last_active)},
                                {"userAgent", val_ref(&b->agent)})))
            return false;
    return true;
}

static void run_list(struct rpc_call *c) {
    struct val sessions = val_empty_map();
    if (!put_stored(auth_of(c), &sessions)) val_unref(&sessions);
    bool session = c->caller->kind == CALLER_SESSION;
    rpc_give(c, VAL_MAP_OF({"current", session ? val_of_text(c->caller->name) : val_null()}, {"sessions", sessions}));
}

static void run_kill(struct rpc_call *c) {
    struct err e = ERR_INIT;
    if (session_end(auth_of(c), val_get(&c->params, LIT("ids")), &e))
        rpc_give_null(c);
    else
        rpc_fail(c, &e);
}

static void run_logout(struct rpc_call *c) {
    struct err e = ERR_INIT;
    if (c->caller->kind != CALLER_SESSION) {
        rpc_give_null(c);
        return;
    }
    struct val ids = VAL_ARRAY_OF(val_of_text(c->caller->name));
    bool good = val_is_none(&ids) ? err_nomem(&e, "a logout") : session_end(auth_of(c), &ids, &e);
    val_unref(&ids);
    if (good)
        rpc_give_null(c);
    else
        rpc_fail(c, &e);
}

SHAPE_RECORD_OF(session_record, {.name = "loggedIn", .shape = &shape_time},
                {.name = "lastActive", .shape = &shape_time}, {.name = "userAgent", .shape = &shape_text_or_null});
SHAPE_MAP_OF(session_map, session_record);
SHAPE_RECORD_OF(list_result, {.name = "current", .shape = &shape_text_or_null},
                {.name = "sessions", .shape = &session_map});
SHAPE_RECORD_OF(kill_params, {.name = "ids", .shape = &shape_texts, .about = "Which sessions: hashes as of the list."});

const struct method auth_session_rows[] = {
    {.name = "auth.logout",
     .about = "Ends the session that asks.",
     .callers = CALLER_OWNER,
     .where = METHOD_EVERYWHERE,
     .phases = PHASE_RUN | PHASE_DIAGNOSTIC,
     .effect = METHOD_CHANGES,
     .flags = METHOD_LOGOUT,
     .run = run_logout},
    {.name = "auth.session.list",
     .about = "Lists who is logged in.",
     .result = &list_result,
     .callers = CALLER_OWNER,
     .where = METHOD_EVERYWHERE,
     .phases = PHASE_RUN,
     .run = run_list},
    {.name = "auth.session.kill",
     .about = "Ends sessions.",
     .params = &kill_params,
     .callers = CALLER_OWNER,
     .where = METHOD_EVERYWHERE,
     .phases = PHASE_RUN,
     .effect = METHOD_FINAL,
     .words = "ids",
     .run = run_kill},
    {.name = NULL},
};
