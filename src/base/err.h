/* err.h - what went wrong: a code from one list, where, which limit, and a sentence a user can act on.
 *
 * For: every function that can fail takes `struct err *e` last and returns false or NULL. *e is untouched on success. The
 *      place that fails fills it; callers on the way up only put context in front ("reading manifest: ...").
 * Owns: nothing outside the struct; no allocation, so "out of memory" can be said too. e may be NULL.
 * Tried: tests/base/err. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>
#include <stddef.h>

/* code, number on the JSON-RPC wire, HTTP status, exit code of a command, label.
 * Exit codes: 1 the input or request was refused, 2 wrong usage, 3 not allowed, 4 not found, 70 our own fault, 71 the system
 * failed (memory, disk, network), 75 try again later. Positive wire numbers are the kinds that StartOS clients know. */
#define ERR_CODES(X)                                                                                                   \
    X(ERR_UNKNOWN, 1, 500, 70, "Unknown error")                                                                        \
    X(ERR_FILESYSTEM, 2, 500, 71, "Filesystem error")                                                                  \
    X(ERR_NOT_FOUND, 6, 404, 4, "Not found")                                                                           \
    X(ERR_PASSWORD, 7, 401, 3, "Incorrect password")                                                                   \
    X(ERR_NETWORK, 9, 502, 71, "Network error")                                                                        \
    X(ERR_SERIALIZE, 11, 500, 70, "Serialization error")                                                               \
    X(ERR_SYNTAX, 12, 400, 1, "Deserialization error")                                                                 \
    X(ERR_UTF8, 13, 400, 1, "UTF-8 error")                                                                             \
    X(ERR_AUTHORIZATION, 34, 401, 3, "Unauthorized")                                                                   \
    X(ERR_RATE, 37, 429, 75, "Rate limited")                                                                           \
    X(ERR_INVALID, 38, 400, 1, "Invalid request")                                                                      \
    X(ERR_LIMIT, 38, 413, 1, "Over a limit")                                                                           \
    X(ERR_DATABASE, 29, 500, 71, "Database error")                                                                     \
    X(ERR_DUPLICATE, 53, 409, 1, "Already there")                                                                      \
    X(ERR_TIMEOUT, 71, 504, 75, "Timed out")                                                                           \
    X(ERR_SMTP, 78, 502, 71, "SMTP error")                                                                             \
    X(ERR_CANCELLED, 73, 499, 75, "Cancelled")                                                                         \
    X(ERR_NOMEM, 1, 503, 71, "Out of memory")                                                                          \
    X(ERR_UNSUPPORTED, 38, 501, 1, "Not supported")                                                                    \
    X(ERR_USAGE, 38, 400, 2, "Wrong usage")                                                                            \
    X(ERR_RPC_PARSE, -32700, 400, 1, "Parse error")                                                                    \
    X(ERR_RPC_REQUEST, -32600, 400, 1, "Invalid Request")                                                              \
    X(ERR_RPC_METHOD, -32601, 404, 4, "Method not found")                                                              \
    X(ERR_RPC_PARAMS, -32602, 400, 1, "Invalid params")                                                                \
    X(ERR_RPC_INTERNAL, -32603, 500, 70, "Internal error")

enum err_code {
    ERR_NONE,
#define X(name, rpc, http, exit_code, label) name,
    ERR_CODES(X)
#undef X
        ERR_CODE_N
};

#define ERR_NOWHERE ((size_t)-1)
#define ERR_TEXT    240

struct err {
    enum err_code code;
    int os;            /* errno of the system, or 0 */
    size_t at;         /* offset in the input, or ERR_NOWHERE */
    int http;          /* a status more exact than the code's own, or 0 */
    const char *limit; /* name of the limit that was met (static), or NULL */
    char text[ERR_TEXT];
};

/* A struct err that says nothing yet. */
#define ERR_INIT                                                                                                       \
    { .code = ERR_NONE, .at = ERR_NOWHERE }

/* All of these return false, so that a leaf can say `return err_set(...)`. A sentence too long is cut with "...". */
bool err_set(struct err *e, enum err_code code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The same, with the place in the input. */
bool err_at(struct err *e, enum err_code code, size_t at, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* A limit was met: its name (a static string), what it allows, where. Code ERR_LIMIT. */
bool err_limit(struct err *e, const char *limit, unsigned long long allowed, size_t at);
/* A system call failed: the sentence is followed by the text of os. */
bool err_os(struct err *e, enum err_code code, int os, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* No memory for what is named. */
bool err_nomem(struct err *e, const char *what);
/* Puts "context: " in front of the sentence. */
void err_context(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A more exact HTTP status for this error. Returns false as well. */
bool err_status(struct err *e, int http);

const char *err_name(enum err_code code);  /* "ERR_SYNTAX" */
const char *err_label(enum err_code code); /* "Deserialization error" */
int err_rpc(enum err_code code);
int err_http(const struct err *e); /* the exact status where one was set, else the code's */
int err_exit(enum err_code code);

#endif
