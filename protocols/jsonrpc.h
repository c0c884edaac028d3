/* jsonrpc.h - JSON-RPC over struct val: calls, notices, answers and batches, read by the rules of a transport and
 * written in the key order that StartOS clients know.
 *
 * Reading: jsonrpc_open takes a parsed value, jsonrpc_next gives item after item: one, or those of a batch. An item
 *   that is refused does not end a batch: it comes with the code and the sentence to answer, and its id where that
 *   could be read.
 * Ids are opaque: null, text or number. An absent one is val_none, so that it can be told from null.
 * Slices and values of an item point into the value that was read; it must stay.
 * Writing: straight into a buffer (whole or nothing), or as values.
 * Owns: nothing.
 * Limits: `batch` in struct jsonrpc_rules.
 * Tried: tests/protocols/jsonrpc, fuzz/jsonrpc, `startbox codec jsonrpc`. */
#ifndef PROTOCOLS_JSONRPC_H
#define PROTOCOLS_JSONRPC_H

#include "base/buf.h"
#include "base/val.h"
#include "protocols/json.h"
#include "protocols/step.h"

/* The protocol's own codes, and their fixed messages. */
#define JSONRPC_CODES(X)                                                                                               \
    X(PARSE, -32700, "Parse error")                                                                                    \
    X(REQUEST, -32600, "Invalid Request")                                                                              \
    X(METHOD, -32601, "Method not found")                                                                              \
    X(PARAMS, -32602, "Invalid params")                                                                                \
    X(INTERNAL, -32603, "Internal error")                                                                              \
    X(GENERAL, -1, "General error")
#define X(name, code, message) JSONRPC_CODE_##name = code,
enum jsonrpc_code { JSONRPC_CODES(X) };
#undef X
/* The fixed message of a code, or NULL; and back. */
const char *jsonrpc_code_name(int64_t code);
bool jsonrpc_code_from(struct slice message, enum jsonrpc_code *code);

enum jsonrpc_flags {
    JSONRPC_VERSION = 1,      /* "jsonrpc":"2.0" must be there */
    JSONRPC_ID_NULL_BAD = 2,  /* a request's id may not be null */
    JSONRPC_NOTICES = 4,      /* a request without id is a notice; else a call whose answer has the id null */
    JSONRPC_NEED_PARAMS = 8,  /* params must be there */
    JSONRPC_NULL_PARAMS = 16, /* "params":null is as good as none (but in a single request see NEED_PARAMS) */
    JSONRPC_PARSE_CODE = 32,  /* what is no request is answered -32700, as StartOS does over HTTP; else -32600 */
    JSONRPC_EMPTY_BATCH = 64, /* [] is a batch of nothing, answered []; else it is refused */
    JSONRPC_FLAT_BAD = 128, /* params of a wrong kind make the request invalid (-32600), not only the params (-32602) */
    JSONRPC_LISTS =
        256, /* params may be a list, by position; else an empty list counts as none and others are -32602 */
};

struct jsonrpc_rules {
    unsigned flags;
    size_t batch; /* items in one batch */
};
/* POST /rpc: params must be there; null counts as missing in a single request and as a wrong kind in a batch. */
#define JSONRPC_HTTP(most)                                                                                             \
    ((struct jsonrpc_rules){JSONRPC_NEED_PARAMS | JSONRPC_PARSE_CODE | JSONRPC_EMPTY_BATCH, (most)})
/* The line sockets between host and guest: as lenient as what real peers leave out. */
#define JSONRPC_SOCKET(most)                                                                                           \
    ((struct jsonrpc_rules){JSONRPC_NOTICES | JSONRPC_NULL_PARAMS | JSONRPC_EMPTY_BATCH, (most)})
/* JSON-RPC 2.0 by the letter, but for the id, which may not be null (MCP). */
#define JSONRPC_STRICT(most)                                                                                           \
    ((struct jsonrpc_rules){                                                                                           \
        JSONRPC_VERSION | JSONRPC_ID_NULL_BAD | JSONRPC_NOTICES | JSONRPC_FLAT_BAD | JSONRPC_LISTS, (most)})

enum jsonrpc_kind { JSONRPC_CALL, JSONRPC_NOTICE, JSONRPC_RESULT, JSONRPC_ERROR, JSONRPC_REFUSED };

struct jsonrpc_item {
    enum jsonrpc_kind kind;
    const struct val *id;     /* null, text, number, or &val_none when absent or unreadable */
    struct slice method;      /* CALL, NOTICE */
    const struct val *params; /* CALL, NOTICE: a map (with JSONRPC_LISTS also an array), or &val_none */
    const struct val *result; /* RESULT */
    int64_t code;             /* ERROR; REFUSED: what to answer */
    struct slice message;     /* ERROR; REFUSED: the code's fixed message */
    const struct val *data;   /* ERROR: any, or &val_none */
};

struct jsonrpc_reader {
    bool batch;
    size_t count; /* items there are */

    /* The rest is the room's. */
    const struct val *whole;
    struct jsonrpc_rules rules;
    size_t next;
};

/* False: the value as a whole is refused (no object or array, a batch that is empty or over the limit "batch").
 * err_rpc(e->code) is what to answer then, with the id null. */
bool jsonrpc_open(struct jsonrpc_reader *r, const struct val *v, const struct jsonrpc_rules *rules, struct err *e);
/* The next item; false when there is none. For JSONRPC_REFUSED *e says why, and its code is one of ERR_RPC_*. */
bool jsonrpc_next(struct jsonrpc_reader *r, struct jsonrpc_item *item, struct err *e);

/* One object that must be a request (CALL or NOTICE), or an answer (RESULT or ERROR). False: item->kind is
 * JSONRPC_REFUSED. */
bool jsonrpc_read_request(const struct val *v, const struct jsonrpc_rules *rules, struct jsonrpc_item *item,
                          struct err *e);
bool jsonrpc_read_response(const struct val *v, const struct jsonrpc_rules *rules, struct jsonrpc_item *item,
                           struct err *e);
/* Whether two ids are the same. 1 and 1.0 are: JavaScript peers cannot tell them apart. */
bool jsonrpc_id_eq(const struct val *a, const struct val *b);
/* An error answer as a struct err: the code by its number, the sentence from data.details, data or message. Returns
 * false. */
bool jsonrpc_to_err(const struct jsonrpc_item *item, struct err *e);

/* --- writing text --- `id` NULL or VAL_NONE is written null. Each appends all or nothing. `form`: JSON_COMPACT or
 * JSON_ASCII. */

/* An answer around a result that somebody else writes: head, the result's JSON, tail. */
bool jsonrpc_write_result_head(struct buf *out, struct err *e);
bool jsonrpc_write_result_tail(struct buf *out, const struct val *id, enum json_form form, struct err *e);
bool jsonrpc_write_result(struct buf *out, const struct val *result, const struct val *id, enum json_form form,
                          struct err *e);
/* `data` NULL or VAL_NONE: the key is left out. */
bool jsonrpc_write_error(struct buf *out, int64_t code, struct slice message, const struct val *data,
                         const struct val *id, enum json_form form, struct err *e);
/* The error that `why` is. One of ERR_RPC_*: fixed message, the sentence as data. Else the domain's number, its
 * label as message, and data {details, debug, info}. `info` NULL or VAL_NONE: null. */
bool jsonrpc_write_err(struct buf *out, const struct err *why, const struct val *info, const struct val *id,
                       enum json_form form, struct err *e);
/* The same with another label, like one in another language; of ERR_RPC_* the message stays the fixed one. */
bool jsonrpc_write_err_as(struct buf *out, const struct err *why, struct slice label, const struct val *info,
                          const struct val *id, enum json_form form, struct err *e);
/* A request; without an id (NULL) a notice. `version`: whether the key jsonrpc is written:
 * {"jsonrpc":"2.0","id":…,"method":…, "params":…}; the sockets leave it out. `params` NULL or VAL_NONE is {} without
 * version, left out with it. */
bool jsonrpc_write_request(struct buf *out, bool version, struct slice method, const struct val *params,
                           const uint64_t *id, enum json_form form, struct err *e);
/* Batches: begin, `next` before each answer, end. */
struct jsonrpc_batch {
    bool any;
};
bool jsonrpc_batch_begin(struct jsonrpc_batch *b, struct buf *out, struct err *e);
bool jsonrpc_batch_next(struct jsonrpc_batch *b, struct buf *out, struct err *e);
bool jsonrpc_batch_end(struct jsonrpc_batch *b, struct buf *out, struct err *e);

/* --- the same as values --- Owned ones are taken; VAL_NONE: no memory. */

struct val jsonrpc_result(struct val result, const struct val *id);
struct val jsonrpc_error(const struct err *why, const struct val *info, const struct val *id);
/* Only the error object: {code, message[, data]}. */
struct val jsonrpc_error_object(const struct err *why, const struct val *info);
struct val jsonrpc_request(bool version, struct slice method, struct val params, const uint64_t *id);

#endif
