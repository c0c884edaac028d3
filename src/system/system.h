/* system.h - the box itself: what it is called, how it is, its clock, logs and notices; the tree as clients see it; its phases.
 *
 * For: main, which joins the rows and branches and tells what happens.
 * Owns: /public/serverInfo (but network), /public/ui, /private/notifications, /private/sshPubkeys.
 * Never: opens a socket or a file; knows who carries a call.
 * Tried: tests/cli/startd.sh. */
#ifndef SYSTEM_SYSTEM_H
#define SYSTEM_SYSTEM_H

#include "rpc/rpc.h"
#include "state/plan.h"
#include "warden/call.h"

#define IN_STARTD 1u /* of method.where */

struct system;
struct envelope;
struct out;

/* What only main knows. */
struct system_facts {
    unsigned clients;    /* connections now */
    unsigned local;      /* of them, on the box itself */
    unsigned watchers;   /* subscriptions */
    const char *trouble; /* why the box is in PHASE_DIAGNOSTIC; else NULL */
    int trouble_code;
};

struct system_config {
    struct loop *loop;
    struct rpc *rpc;
    struct port *warden, *disk;
    void (*facts)(void *arg, struct system_facts *out);
    void (*end)(void *arg, bool again, struct slice reason); /* the daemon ends, or begins again */
    void (*ssh_changed)(void *arg);                          /* the keys that may log in */
    void (*renamed)(void *arg);                              /* the host name is another */
    void (*power)(void *arg, bool again);                    /* the machine goes off, or starts anew */
    /* The way to other servers, now or later; forget: whoever asked needs no answer any more. */
    void (*outside)(void *arg, void (*ready)(void *who, struct out *out, const struct err *e), void *who);
    void (*forget)(void *arg, void *who);
    void (*set_up)(void *arg);          /* the first start is over */
    struct slice (*root_ca)(void *arg); /* the box's root certificate, PEM; NULL: there is none */
    void *arg;
    struct envelope *envelope;
    const char *boot_id; /* of this start of the machine: 32 digits */
    bool claims;         /* who sets the box up must show its claim code */
};
struct system *system_new(const struct system_config *config, struct err *e);
/* Every call must have been ended (rpc_free), every feed too. */
void system_free(struct system *s);
/* The state stands: what a new box does not know of itself yet is filled in. */
bool system_state_up(struct system *s, struct err *e);

/* The phase of starting is over: why NULL, or it failed. */
void system_started(struct system *s, const struct err *why);
/* The code whoever sets the box up must show; "" when none is wanted. */
const char *system_claim(const struct system *s);

extern const struct method *const system_tables[]; /* up to NULL; each up to a row without a name */
extern const struct plan_branch system_branches[];
extern const unsigned system_branch_n;

#endif
