/* auth.c - see auth.h. Sessions are session.c, passwords password.c, how often limit.c. */
#include "auth/room.h"

#include "base/clock.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/rng.h"
#include "protocols/cookie.h"
#include "protocols/date.h"
#include "rpc/shapes.h"

#define TEND_MS (3600 * 1000)

static const char room_key; /* our place in rpc_own */

struct auth *auth_of(const struct rpc_call *c) {
    return rpc_own(c->rpc, &room_key);
}

bool auth_begin_txn(struct auth *a, struct state_txn *t, struct err *e) {
    struct state *s = rpc_state(a->config.rpc);
    if (!s) return err_set(e, ERR_DATABASE, "the state is not there");
    return state_begin(s, t, state_owner(s, "auth"), e);
}

struct val auth_time(int64_t ms) {
    uint8_t text[DATE_ISO_LEN];
    return date_write_iso(ms, text) ? val_of_text(slice_of(text, sizeof text)) : val_of_str("1970-01-01T00:00:00.000Z");
}

static void tend(struct loop_timer *t) {
    struct auth *a = LOOP_OWNER(struct auth, timer, t);
    session_prune(a);
    loop_timer_set(a->config.loop, t, loop_now_ms(a->config.loop) + TEND_MS);
}

struct auth *auth_new(const struct auth_config *config, struct err *e) {
    struct auth *a = mem_get_zero(sizeof *a);
    uint8_t bytes[32];
    if (!a) {
        err_nomem(e, "who may call");
        return NULL;
    }
    a->config = *config;
    a->began_s = clock_wall_ms() / 1000;
    a->seen = val_empty_map();
    a->timer = (struct loop_timer){.call = tend, .name = "auth"};
    rng_bytes(bytes, sizeof bytes);
    base64_put((uint8_t *)a->cookie, BASE64_STD, slice_of(bytes, sizeof bytes));
    rpc_set_own(config->rpc, &room_key, a);
    return a;
}

void auth_free(struct auth *a) {
    if (!a) return;
    loop_timer_clear(&a->timer);
    session_forget_all(a);
    explicit_bzero(a->cookie, sizeof a->cookie);
    mem_put(a, sizeof *a);
}

void auth_state_up(struct auth *a) {
    loop_timer_set(a->config.loop, &a->timer, loop_now_ms(a->config.loop) + TEND_MS);
}

void auth_fallback(struct auth *a, struct slice hash) {
    hash = slice_head(hash, sizeof a->fallback - 1);
    if (hash.len) memcpy(a->fallback, hash.ptr, hash.len);
    a->fallback[hash.len] = 0;
}

void auth_end(struct auth *a) {
    loop_timer_clear(&a->timer);
    session_flush(a);
}

struct slice auth_cookie(const struct auth *a) {
    return slice_of(a->cookie, AUTH_COOKIE);
}

/* --- who calls --- */

/* Looks at every byte, so that the time tells nothing. */
static bool is_cookie(const struct auth *a, struct slice value) {
    uint8_t differ = 0;
    if (value.len != AUTH_COOKIE) return false;
    for (size_t i = 0; i < AUTH_COOKIE; i++) differ |= (uint8_t)((uint8_t)a->cookie[i] ^ value.ptr[i]);
    return !differ;
}

static bool is_local(const struct auth *a, const struct auth_shown *s) {
    struct slice value;
    return s->local && (s->uid == 0 || s->uid == a->config.local_uid) &&
           cookie_find(s->cookies, LIT("local"), &value) && is_cookie(a, value);
}

static bool is_session(struct auth *a, const struct auth_shown *s, struct auth_room *room) {
    struct slice token;
    if (!cookie_find(s->cookies, LIT("session"), &token) || token.len != TOKEN_LEN) return false;
    session_hash(token, room->name);
    return session_use(a, room->name);
}

void auth_name(struct auth *a, const struct auth_shown *shown, struct rpc_caller *caller, struct auth_room *room) {
    *caller = (struct rpc_caller){.kind = CALLER_NOBODY, .from = shown->from, .agent = shown->agent};
    if (is_local(a, shown))
        caller->kind = CALLER_LOCAL;
    else if (is_session(a, shown, room)) {
        caller->kind = CALLER_SESSION;
        caller->name = slice_of(room->name, AUTH_NAME);
    }
}

/* --- what main joins --- */

const struct method *const auth_tables[] = {auth_session_rows, auth_password_rows, auth_key_rows, NULL};

SHAPE_RECORD_OF(session_shape, {.name = "loggedIn", .shape = &shape_time}, {.name = "lastActive", .shape = &shape_time},
                {.name = "userAgent", .shape = &shape_text_or_null});
SHAPE_MAP_OF(sessions_shape, session_shape);

const struct plan_branch auth_branches[] = {
    {.pattern = "/private/password", .owner = "auth", .attrs = PLAN_SECRET, .shape = &shape_text_or_null},
    {.pattern = "/private/sessions", .owner = "auth", .attrs = PLAN_SECRET, .shape = &sessions_shape},
    {.pattern = "/private/authKeys", .owner = "auth", .shape = &auth_keys_shape},
};
const unsigned auth_branch_n = sizeof auth_branches / sizeof auth_branches[0];
