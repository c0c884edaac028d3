/* auth.h - who is calling: sessions, keys, the cookie of the box's own root; and the passwords behind them.
 *
 * For: doors, which ask auth_name of every call; main, which joins the rows and the branches.
 * Owns: /private/password, /private/sessions, /private/authKeys; sessions that are only in memory.
 * Never: knows a transport but by the texts it is shown; keeps a password; says which part of what was shown is wrong.
 *
 * Three ways, in this order: the local cookie (a Unix socket, a peer that is root or who began the program, and the cookie of the file),
 *   a signature, a session. What is shown and not good counts as nothing shown.
 * Tried: tests/cli/startd.sh. */
#ifndef AUTH_AUTH_H
#define AUTH_AUTH_H

#include "rpc/rpc.h"
#include "state/plan.h"
#include "warden/call.h"

struct auth;
struct envelope;

struct auth_config {
    struct loop *loop;
    struct rpc *rpc;
    struct port *warden;
    struct envelope *envelope;
    unsigned local_uid;                               /* beside root: who began the program */
    bool (*knows_name)(void *arg, struct slice host); /* whether a host name is the box's own: for signatures */
    void *arg;
};
struct auth *auth_new(const struct auth_config *config, struct err *e);
/* Every call must have been ended (rpc_free). */
void auth_free(struct auth *a);
/* The hash of the password as a small file of its own has it: what logins are held against while there is no state (PHASE_DIAGNOSTIC).
 * Sessions are only in memory then. */
void auth_fallback(struct auth *a, struct slice hash);
/* The state stands: sessions nobody used for long go, now and then. */
void auth_state_up(struct auth *a);
/* The program ends: what is only in memory and lasts is written. Before state_close. */
void auth_end(struct auth *a);

/* --- the local cookie --- */

#define AUTH_COOKIE 44 /* 32 random bytes in base64 */
/* Drawn anew at each start; main writes it to the run directory. */
struct slice auth_cookie(const struct auth *a);

/* --- who calls --- */

struct auth_shown {
    struct slice cookies; /* value of the Cookie field */
    struct slice from;    /* rpc_caller.from */
    struct slice agent;
    bool local;   /* by a Unix socket... */
    unsigned uid; /* ...of this user */
};
/* Fills a caller; its texts are in `room`, or are those that were shown. */
#define AUTH_NAME 52 /* a session's: SHA-256 of its token in base32 */
struct auth_room {
    char name[AUTH_NAME];
};
void auth_name(struct auth *a, const struct auth_shown *shown, struct rpc_caller *caller, struct auth_room *room);

/* A request that was signed; behind auth_name, when its body is whole. False: it counts for nothing, and caller->why says why. */
struct auth_signed {
    struct slice header; /* value of X-StartOS-Auth-Sig (protocols/authsig.h) */
    struct slice host;   /* of the Host field, without port */
    struct slice body;
};
bool auth_sign(struct auth *a, const struct auth_signed *shown, struct rpc_caller *caller, struct auth_room *room);
/* Whether the wall clock may be believed; at first it may not, and signed requests are refused. */
void auth_clock(struct auth *a, bool trusted);

/* Whether a password is set: else the box waits for its owner. */
bool auth_has_password(const struct auth *a);

/* --- what main joins --- */

extern const struct method *const auth_tables[]; /* up to NULL; each up to a row without a name */
extern const struct plan_branch auth_branches[];
extern const unsigned auth_branch_n;

#endif
