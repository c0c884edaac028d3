/* room.h - what the files of this folder share. Private to src/auth. */
#ifndef AUTH_ROOM_H
#define AUTH_ROOM_H

#include "auth/auth.h"
#include "auth/limit.h"
#include "base/limits.h"
#include "rpc/feed.h"
#include "state/state.h"

#define TOKEN_LEN 26 /* 16 random bytes in base32 */

/* A session that dies with the program. */
struct auth_brief {
    struct auth_brief *next;
    char hash[AUTH_NAME];
    int64_t logged_in, last_active; /* ms since 1970 */
    struct val agent;               /* text or null */
};

struct auth_nonce {
    uint64_t nonce, signer; /* the first bytes of the key */
    int64_t until_s;
};

struct auth {
    struct auth_config config;
    char fallback[128]; /* a hash, or "" */
    bool clock_trusted;
    int64_t began_s; /* wall clock */
    struct auth_nonce nonces[LIMIT_AUTH_NONCES];
    char cookie[AUTH_COOKIE];
    struct auth_brief *briefs;
    struct val seen; /* hash -> last call (ms since 1970) of sessions in the tree, since it was written there last */
    struct loop_timer timer;
    struct auth_limit limit;
};

struct auth *auth_of(const struct rpc_call *c);
/* A transaction of this room's. */
bool auth_begin_txn(struct auth *a, struct state_txn *t, struct err *e);
struct val auth_time(int64_t ms);

/* --- session.c --- */

void session_hash(struct slice token, char hash[AUTH_NAME]);
/* Whether such a session stands; notes that it was used. */
bool session_use(struct auth *a, const char hash[AUTH_NAME]);
/* A new one; its token. */
bool session_make(struct auth *a, bool brief, struct slice agent, char token[TOKEN_LEN], struct err *e);
/* Ends those of a list of hashes that stand. */
bool session_end(struct auth *a, const struct val *hashes, struct err *e);
/* All but one (may be empty). */
bool session_end_others(struct auth *a, struct slice but, struct err *e);
void session_flush(struct auth *a);
void session_prune(struct auth *a);
void session_forget_all(struct auth *a);

extern const struct method auth_session_rows[], auth_password_rows[], auth_key_rows[];
extern const struct shape auth_keys_shape;

#endif
