/* method.h - a method is one row: what it is called, what it takes and gives, who may call it, what it does.
 *
 * For: domains and servers, which have static tables of rows; main joins them (rpc.h). From a row come validation, dispatch, the
 *      command line, JSON Schema and the reference: nothing about a method is written twice.
 * Parameters and results are shapes (state/shape.h). Parameters are a record: names it does not have are ignored, as StartOS does;
 *   null is as good as absent where the field is optional; a `fallback` is the parameter's default.
 * Tried: tests/rpc/rpc, tests/rpc/schema. */
#ifndef RPC_METHOD_H
#define RPC_METHOD_H

#include "state/shape.h"

struct rpc_call;

/* Who calls. A row names who may. */
enum caller_kind {
    CALLER_NOBODY = 1,   /* has shown nothing */
    CALLER_LOCAL = 2,    /* on the box itself, with the cookie of its root */
    CALLER_SESSION = 4,  /* has logged in */
    CALLER_KEY = 8,      /* has signed with a known key */
    CALLER_GUEST = 16,   /* a service, from inside its container */
    CALLER_RELAY = 32,   /* an account of the relay */
    CALLER_CAPSULE = 64, /* a capsule of the kernel */
};
#define CALLER_OWNER (CALLER_LOCAL | CALLER_SESSION | CALLER_KEY) /* whoever is master of the box */
#define CALLER_ANY   127u

/* In which phase of its life. */
enum { PHASE_INIT = 1, PHASE_SETUP = 2, PHASE_RUN = 4, PHASE_DIAGNOSTIC = 8, PHASE_EVER = 15 };

enum method_effect {
    METHOD_READS,
    METHOD_CHANGES, /* something that can be changed back */
    METHOD_FINAL,   /* cannot be undone */
    METHOD_FLOW,    /* begins what goes on behind the answer */
};
const char *method_effect_name(enum method_effect effect); /* "reads", ... */

#define METHOD_EVERYWHERE (~0u) /* of `where`: in every program */

/* What the doors and the command line do with a method beside calling it. */
enum {
    METHOD_SYNC = 1,   /* the answer says which revision a reader must have to see what was done (X-Patch-Sequence) */
    METHOD_LOGIN = 2,  /* its result's `session` becomes a cookie */
    METHOD_LOGOUT = 4, /* the cookie is taken back */
    METHOD_NO_COMMAND = 8, /* programs call it, no command of its own */
};

/* Tables of rows end with one without a name. */
struct method {
    const char *name;           /* "server.set-hostname": words of small letters, digits and dashes between dots */
    const char *about;          /* one sentence */
    const struct shape *params; /* a record; NULL: none */
    const struct shape *result; /* NULL: null */
    unsigned callers;           /* CALLER_* */
    unsigned where;             /* bits of the programs that have it; which is which, main knows */
    unsigned phases;            /* PHASE_* */
    enum method_effect effect;
    unsigned flags;      /* METHOD_SYNC, ... */
    bool at_once;        /* the answer does not wait until what was changed is durable */
    uint32_t most_ms;    /* how long an answer may take that is not given at once; 0: LIMIT_RPC_MS */
    const char *aliases; /* other names, separated by spaces; may be NULL */
    const char *
        words; /* parameters that stand without a flag on the command line, in order, separated by spaces; may be NULL */
    /* Answers now (rpc_give, rpc_fail) or later. The call stays until it is answered or cancelled (rpc_call.drop). */
    void (*run)(struct rpc_call *c);
};

/* A row's own mistakes: a name that is none, parameters that are no record, a result or a word that does not exist, nobody who may
 * call it, a fallback that does not fit. */
bool method_check(const struct method *m, struct err *e);

/* A parameter's default as a value; the field has one. */
bool method_default(const struct shape_field *f, struct val *out, struct err *e);
/* What came as parameters (&val_none and null: none) as the row wants it: aliases under their names, defaults put in, what the row does
 * not know left out. VAL_NONE: refused (ERR_RPC_PARAMS), with the name, what was wanted and what was found. */
struct val method_params(const struct method *m, const struct val *given, struct err *e);
/* Whether a result is what the row says. */
bool method_result(const struct method *m, const struct val *result, struct err *e);

/* JSON Schema (draft 2020-12) of a shape: what it takes or gives, with sentences and defaults. VAL_NONE: no memory. */
struct val schema_of_shape(const struct shape *shape);
/* The same of a row's parameters: always an object. */
struct val schema_of_params(const struct method *m);

#endif
