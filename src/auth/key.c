/* key.c - keys of other machines and programs: a request they have signed is theirs, once, within half a minute. See auth.h.
 *
 * Replays: a nonce is remembered as long as its time is good; what was signed before this process began is refused, since it may
 *   have been seen by the one before. The context of the signature is the name we were asked by, which must be one of ours: so a
 *   request to another machine is worth nothing here. */
#include "auth/room.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "protocols/authsig.h"
#include "rpc/shapes.h"

#include <stdio.h>

#define WINDOW_S 30

static const struct val *known_keys(const struct auth *a) {
    const struct state *s = rpc_state(a->config.rpc);
    return s ? val_get(val_get(state_peek(s), LIT("private")), LIT("authKeys")) : &val_none;
}

/* The name of a signer; empty: nobody knows them. */
static struct slice find_signer(const struct auth *a, const uint8_t signer[ED25519PH_POINT]) {
    uint8_t point[ED25519PH_POINT];
    for (struct val_iter it = val_iter(known_keys(a)); val_next(&it);)
        if (ed25519ph_point_read_pem(point, val_as_text(val_get(it.value, LIT("key"))), NULL) &&
            !memcmp(point, signer, sizeof point))
            return val_as_text(it.key);
    return slice_of(NULL, 0);
}

/* Whether it is new; remembers it. Times only go up here, but for those within the window. */
static bool use_nonce(struct auth *a, const struct authsig *s, int64_t now_s) {
    struct auth_nonce *oldest = &a->nonces[0];
    uint64_t signer;
    memcpy(&signer, s->signer, sizeof signer);
    for (unsigned i = 0; i < LIMIT_AUTH_NONCES; i++) {
        struct auth_nonce *n = &a->nonces[i];
        if (n->until_s >= now_s && n->nonce == s->nonce && n->signer == signer) return false;
        if (n->until_s < oldest->until_s) oldest = n;
    }
    if (oldest->until_s >= now_s) return false; /* too many at once: nobody is let in unseen */
    *oldest = (struct auth_nonce){.nonce = s->nonce, .signer = signer, .until_s = s->timestamp + WINDOW_S};
    return true;
}

static bool refuse(const char **why, const char *text) {
    *why = text;
    return false;
}

static bool check(struct auth *a, const struct auth_signed *shown, struct authsig *s, struct slice *name,
                  const char **why) {
    static const struct authsig_limits limits = {.bytes = LIMIT_AUTH_SIGNATURE, .pairs = 16, .size = LIMIT_RPC_BODY};
    int64_t now_s = clock_wall_ms() / 1000;
    if (!authsig_read(shown->header, &limits, s, NULL)) return refuse(why, "the signature cannot be read");
    *name = find_signer(a, s->signer);
    if (!name->len) return refuse(why, "the key that signed is not known here");
    if (!a->clock_trusted)
        return refuse(why, "the clock of the box cannot be believed, so signed requests are refused");
    if (s->timestamp < now_s - WINDOW_S || s->timestamp > now_s + WINDOW_S)
        return refuse(why, "the request was signed at another time: compare the clocks");
    if (s->timestamp <= a->began_s) return refuse(why, "the box has just begun: sign the request anew");
    if (!a->config.knows_name || !a->config.knows_name(a->config.arg, shown->host))
        return refuse(why, "the request was not signed for a name of this box");
    if (!authsig_body(s, shown->body)) return refuse(why, "the body is not the one that was signed");
    if (!authsig_good(s, shown->host)) return refuse(why, "the signature is not good");
    return use_nonce(a, s, now_s) || refuse(why, "the request was seen before");
}

bool auth_sign(struct auth *a, const struct auth_signed *shown, struct rpc_caller *caller, struct auth_room *room) {
    struct authsig s;
    struct slice name = {0};
    if (!check(a, shown, &s, &name, &caller->why)) return false;
    memcpy(room->name, name.ptr, name.len); /* at most so long: key_name_shape */
    caller->kind = CALLER_KEY;
    caller->name = slice_of(room->name, name.len);
    caller->why = NULL;
    return true;
}

void auth_clock(struct auth *a, bool trusted) {
    a->clock_trusted = trusted;
}

/* --- the rows --- */

static void place(char pointer[32 + AUTH_NAME], struct slice name) {
    snprintf(pointer, 32 + AUTH_NAME, "/private/authKeys/%.*s", (int)name.len, (const char *)name.ptr);
}

static bool add(struct auth *a, struct slice name, struct slice pem, struct err *e) {
    char pointer[32 + AUTH_NAME];
    uint8_t point[ED25519PH_POINT], room[256];
    struct buf text = {.ptr = room, .cap = sizeof room, .max = sizeof room}; /* never grows */
    struct state_txn t;
    if (!ed25519ph_point_read_pem(point, pem, e)) return false;
    if (find_signer(a, point).len) return err_set(e, ERR_DUPLICATE, "this key is there already");
    if (!val_is_none(val_get(known_keys(a), name))) return err_set(e, ERR_DUPLICATE, "there is a key of that name");
    if (val_count(known_keys(a)) >= LIMIT_AUTH_KEYS) return err_limit(e, "keys", LIMIT_AUTH_KEYS, ERR_NOWHERE);
    if (!ed25519ph_point_write_pem(&text, point, e) || !auth_begin_txn(a, &t, e)) return false;
    place(pointer, name);
    txn_put(&t, slice_str(pointer),
            VAL_MAP_OF({"key", val_of_text(buf_slice(&text))}, {"createdAt", auth_time(clock_wall_ms())}), e);
    return state_commit(&t, NULL, e);
}

static void run_add(struct rpc_call *c) {
    struct err e = ERR_INIT;
    bool good = add(auth_of(c), val_as_text(val_get(&c->params, LIT("name"))),
                    val_as_text(val_get(&c->params, LIT("key"))), &e);
    if (good)
        rpc_give_null(c);
    else
        rpc_fail(c, &e);
}

static void run_list(struct rpc_call *c) {
    rpc_give(c, val_ref(known_keys(auth_of(c))));
}

static void run_remove(struct rpc_call *c) {
    char pointer[32 + AUTH_NAME];
    struct auth *a = auth_of(c);
    struct state_txn t;
    struct err e = ERR_INIT;
    const struct val *name = val_get(&c->params, LIT("name"));
    bool good = !val_is_none(val_get(known_keys(a), val_as_text(name))) ||
                err_set(&e, ERR_NOT_FOUND, "there is no key of that name");
    if (good && (good = auth_begin_txn(a, &t, &e))) {
        place(pointer, val_as_text(name));
        txn_remove(&t, slice_str(pointer), &e);
        good = state_commit(&t, NULL, &e);
    }
    if (!good) {
        rpc_fail(c, &e);
        return;
    }
    err_set(&e, ERR_AUTHORIZATION, "the key was removed");
    feeds_end_of(rpc_feeds(c->rpc), CALLER_KEY, val_as_text(name), &e);
    rpc_give_null(c);
}

static bool check_name(const struct val *v, struct err *e) {
    struct slice s = val_as_text(v);
    for (size_t i = 0; i < s.len; i++) {
        bool good = (s.ptr[i] >= 'a' && s.ptr[i] <= 'z') || (s.ptr[i] >= '0' && s.ptr[i] <= '9') || s.ptr[i] == '-';
        if (!good) return err_set(e, ERR_INVALID, "want a name of small letters, digits and dashes");
    }
    return true;
}
static const struct shape key_name_shape = {.kind = SHAPE_TEXT, .min = 1, .max = 40, .check = check_name};
SHAPE_RECORD_OF(add_params, {.name = "name", .shape = &key_name_shape, .about = "What the key is called here."},
                {.name = "key", .shape = &shape_text, .about = "The public key, Ed25519, as PEM."});
SHAPE_RECORD_OF(remove_params, {.name = "name", .shape = &key_name_shape, .about = "Which key."});
SHAPE_RECORD_OF(key_shape, {.name = "key", .shape = &shape_text}, {.name = "createdAt", .shape = &shape_time});
const struct shape auth_keys_shape = {.kind = SHAPE_MAP, .item = &key_shape};

const struct method auth_key_rows[] = {
    {.name = "auth.key.add",
     .about = "Lets a key sign requests: whoever has it is master of the box.",
     .params = &add_params,
     .callers = CALLER_OWNER,
     .where = METHOD_EVERYWHERE,
     .phases = PHASE_RUN,
     .effect = METHOD_CHANGES,
     .words = "name key",
     .run = run_add},
    {.name = "auth.key.list",
     .about = "Lists the keys that may sign requests.",
     .result = &auth_keys_shape,
     .callers = CALLER_OWNER,
     .where = METHOD_EVERYWHERE,
     .phases = PHASE_RUN,
     .run = run_list},
    {.name = "auth.key.remove",
     .about = "Ends what a key may do.",
     .params = &remove_params,
     .callers = CALLER_OWNER,
     .where = METHOD_EVERYWHERE,
     .phases = PHASE_RUN,
     .effect = METHOD_CHANGES,
     .words = "name",
     .run = run_remove},
    {.name = NULL},
};
