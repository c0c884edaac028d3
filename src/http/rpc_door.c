/* rpc_door.c - see rpc_door.h. */
#include "http/rpc_door.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "protocols/cookie.h"
#include "protocols/json.h"
#include "protocols/jsonrpc.h"
#include "rpc/rpc.h"

#define ORIGIN_MOST 256                   /* bytes of an origin that may read answers */
#define AGENT_MOST  120                   /* bytes of what a client calls itself that are kept */
#define FIELDS_MOST 1024                  /* bytes of header fields of our making */
#define FOREVER     INT64_C(253402300799) /* 9999-12-31T23:59:59Z, as StartOS has it */
#define OUT_MOST    ((size_t)64 << 20)    /* bytes of an answer */
#define OUT_KEPT    ((size_t)64 << 10)    /* of the buffer for the next one */
static const struct slice json_type = LIT_INIT("application/json");
static const struct err no_memory = {
    .code = ERR_NOMEM, .at = ERR_NOWHERE, .text = "there is no memory to say what went wrong"};

struct ask;

/* One call of a request. */
struct ask_call {
    struct rpc_call call;
    struct ask *ask;
    struct val id, result;
    const struct err *why; /* NULL: it went well. Else its own block, or &no_memory */
};

/* One request. */
struct ask {
    struct rpc_door *door;
    struct http_exchange *x;
    struct rpc_caller caller;
    struct auth_room room;
    char agent[AGENT_MOST];
    struct shared *header, *host; /* of a signed request */
    struct shared *origin;        /* that may read the answer; NULL: only our own pages */
    bool batch, started;
    size_t call_n, open;
    struct ask_call *calls; /* call_n of them; &first for one */
    struct ask_call first;
};

void rpc_door_init(struct rpc_door *d) {
    buf_init(&d->out, OUT_MOST);
}
void rpc_door_release(struct rpc_door *d) {
    buf_release(&d->out);
}

/* --- the end of a request --- */

/* A copy of why it went wrong. */
static const struct err *keep_why(const struct err *why) {
    struct err *own = mem_get(sizeof *own);
    if (!own) return &no_memory; /* an error all the same */
    *own = *why;
    return own;
}

static void release_call(struct ask_call *k) {
    rpc_cancel(&k->call);
    val_unref(&k->id);
    val_unref(&k->result);
    if (k->why != &no_memory) mem_put((struct err *)k->why, sizeof *k->why);
    k->why = NULL;
}

static void ask_free(struct ask *a) {
    for (size_t i = 0; i < a->call_n; i++) release_call(&a->calls[i]);
    if (a->calls != &a->first) mem_put(a->calls, a->call_n * sizeof *a->calls);
    shared_unref(a->header);
    shared_unref(a->host);
    shared_unref(a->origin);
    mem_put(a, sizeof *a);
}

static void gone(struct http_exchange *x) {
    struct ask *a = *http_mine(x);
    if (a) ask_free(a);
    *http_mine(x) = NULL;
}

static void add_cookie(const struct ask *a, struct buf *fields, struct slice token) {
    const struct cookie cookie = {.name = LIT("session"),
                                  .value = token,
                                  .path = LIT("/"),
                                  .has_max_age = !token.len,
                                  .has_expires = token.len != 0,
                                  .expires = FOREVER,
                                  .secure = http_is_secure(a->x),
                                  .http_only = true,
                                  .site = COOKIE_SITE_STRICT};
    buf_add_str(fields, "Set-Cookie: ");
    if (!cookie_write(fields, &cookie, NULL)) fields->fault = BUF_OVER;
    buf_add_str(fields, "\r\n");
}

/* Header fields that come from what was called. */
static void add_fields(const struct ask *a, struct buf *fields) {
    if (a->origin)
        buf_printf(fields,
                   "Access-Control-Allow-Origin: %.*s\r\nAccess-Control-Allow-Credentials: true\r\n"
                   "Access-Control-Expose-Headers: X-Patch-Sequence\r\nVary: Origin\r\n",
                   (int)a->origin->len, (const char *)a->origin->bytes);
    for (size_t i = 0; i < a->call_n; i++) {
        const struct ask_call *k = &a->calls[i];
        unsigned flags = k->call.method ? k->call.method->flags : 0;
        if (flags & METHOD_SYNC) buf_printf(fields, "X-Patch-Sequence: %llu\r\n", (unsigned long long)k->call.shown);
        if (k->why || a->caller.kind == CALLER_LOCAL) continue;
        if (flags & METHOD_LOGIN) add_cookie(a, fields, val_as_text(val_get(&k->result, LIT("session"))));
        if (flags & METHOD_LOGOUT) add_cookie(a, fields, LIT(""));
    }
}

static bool write_call(struct buf *out, const struct ask_call *k, struct err *e) {
    if (k->why) {
        const char *label = words_label(k->ask->door->language, k->why->code);
        return jsonrpc_write_err_as(out, k->why, slice_str(label), NULL, &k->id, JSON_COMPACT, e);
    }
    return jsonrpc_write_result(out, &k->result, &k->id, JSON_COMPACT, e);
}

static bool write_all(struct ask *a, struct err *e) {
    struct buf *out = &a->door->out;
    struct jsonrpc_batch batch;
    buf_reset(out);
    if (!a->batch) return write_call(out, &a->calls[0], e);
    bool good = jsonrpc_batch_begin(&batch, out, e);
    for (size_t i = 0; good && i < a->call_n; i++)
        good = jsonrpc_batch_next(&batch, out, e) && write_call(out, &a->calls[i], e);
    return good && jsonrpc_batch_end(&batch, out, e);
}

static void reply(struct ask *a) {
    struct http_exchange *x = a->x;
    struct rpc_door *d = a->door;
    struct err e = ERR_INIT;
    uint8_t room[FIELDS_MOST];
    struct buf fields = {.ptr = room, .cap = sizeof room, .max = sizeof room}; /* never grows, so is never released */
    bool good = write_all(a, &e);
    if (!good) {
        struct val none = val_none;
        log_warn("an answer could not be written: %s", e.text);
        buf_reset(&d->out);
        err_set(&e, ERR_RPC_INTERNAL, "the answer could not be written");
        good = jsonrpc_write_err(&d->out, &e, NULL, a->batch ? &none : &a->calls[0].id, JSON_COMPACT, NULL);
    }
    if (good) add_fields(a, &fields);
    *http_mine(x) = NULL;
    ask_free(a);
    if (good && buf_ok(&fields))
        http_reply(x, 200, json_type, buf_slice(&fields), buf_slice(&d->out));
    else {
        err_set(&e, ERR_NOMEM, "there is no memory for an answer");
        http_reply_error(x, &e);
    }
    if (d->out.cap > OUT_KEPT) buf_release(&d->out);
}

static void done(struct rpc_call *c, struct val *result, uint64_t revision, const struct err *why) {
    struct ask_call *k = LOOP_OWNER(struct ask_call, call, c);
    struct ask *a = k->ask;
    (void)revision;
    if (why)
        k->why = keep_why(why);
    else {
        k->result = *result;
        *result = val_none;
    }
    a->open--;
    if (a->started && !a->open) reply(a);
}

/* --- the beginning --- */

static bool keep(struct shared **kept, struct slice text) {
    return !text.len || (*kept = shared_new(text)) != NULL;
}

/* What must last until the body is whole. */
static bool keep_texts(struct ask *a, const struct http1_head *head, struct slice origin) {
    const struct http_field *f = http_field_find(head->fields, head->field_n, LIT("x-startos-auth-sig"));
    if (!keep(&a->origin, origin) || !f || f->value.len > LIMIT_AUTH_SIGNATURE) return !origin.len || a->origin;
    return keep(&a->header, f->value) && keep(&a->host, door_host(head));
}

static void begin(struct http_exchange *x, const struct http_request *r) {
    struct rpc_door *d = http_arg(x);
    struct err e = ERR_INIT;
    struct auth_shown shown;
    struct slice origin = {0};
    door_shown(x, r->head, &shown);
    if (!shown.local && !door_may_ask(d, r->head, &origin, &e)) {
        http_reply_error(x, &e);
        return;
    }
    if (origin.len > ORIGIN_MOST) origin.len = 0;
    struct ask *a = mem_get_zero(sizeof *a);
    if (!a || !keep_texts(a, r->head, origin)) {
        if (a) ask_free(a);
        err_nomem(&e, "a call");
        http_reply_error(x, &e);
        return;
    }
    a->door = d;
    a->x = x;
    a->calls = &a->first;
    auth_name(d->auth, &shown, &a->caller, &a->room);
    a->caller.agent = slice_head(shown.agent, AGENT_MOST);
    if (a->caller.agent.len) memcpy(a->agent, a->caller.agent.ptr, a->caller.agent.len);
    a->caller.agent.ptr = (const uint8_t *)a->agent;
    *http_mine(x) = a;
}

/* The request is none at all: one answer without an id. */
static void refuse(struct ask *a, const struct err *why) {
    a->call_n = 1;
    a->first = (struct ask_call){.ask = a, .why = keep_why(why)};
    reply(a);
}

static void start_call(struct ask *a, size_t i, const struct jsonrpc_item *item, const struct err *why) {
    struct ask_call *k = &a->calls[i];
    k->ask = a;
    k->id = val_is_none(item->id) ? val_null() : val_ref(item->id);
    a->open++;
    if (item->kind == JSONRPC_CALL) {
        k->call.done = done;
        k->call.caller = &a->caller;
        rpc_start(a->door->rpc, &k->call, item->method, item->params);
        return;
    }
    struct val none = val_none;
    done(&k->call, &none, 0, why);
}

static bool make_room(struct ask *a, size_t n) {
    if (n > 1) {
        a->calls = mem_get_zero(n * sizeof *a->calls);
        if (!a->calls) {
            a->calls = &a->first;
            return false;
        }
    }
    a->call_n = n;
    return true;
}

static void end(struct http_exchange *x, struct slice body) {
    struct ask *a = *http_mine(x);
    static const struct json_limits limits = {.bytes = LIMIT_RPC_BODY, .depth = LIMIT_RPC_DEPTH, .drop_reserved = true};
    static const struct jsonrpc_rules rules = {JSONRPC_NEED_PARAMS | JSONRPC_PARSE_CODE | JSONRPC_EMPTY_BATCH,
                                               LIMIT_RPC_BATCH};
    struct err e = ERR_INIT;
    struct val v = val_none;
    struct jsonrpc_reader reader;
    if (a->header && a->host && a->caller.kind == CALLER_NOBODY) {
        const struct auth_signed shown = {shared_slice(a->header), shared_slice(a->host), body};
        auth_sign(a->door->auth, &shown, &a->caller, &a->room);
    }
    if (!json_parse(body, &limits, &v, &e)) {
        e.code = ERR_RPC_PARSE;
        refuse(a, &e);
        return;
    }
    if (!jsonrpc_open(&reader, &v, &rules, &e)) {
        val_unref(&v);
        refuse(a, &e);
        return;
    }
    a->batch = reader.batch;
    if (!make_room(a, reader.count)) {
        val_unref(&v);
        err_nomem(&e, "a batch");
        refuse(a, &e);
        return;
    }
    struct jsonrpc_item item;
    for (size_t i = 0; jsonrpc_next(&reader, &item, &e); i++) start_call(a, i, &item, &e);
    val_unref(&v);
    a->started = true;
    if (!a->open) reply(a);
}

static void preflight(struct http_exchange *x, const struct http_request *r) {
    const struct rpc_door *d = http_arg(x);
    struct err e = ERR_INIT;
    struct slice origin;
    uint8_t room[FIELDS_MOST];
    struct buf fields = {.ptr = room, .cap = sizeof room, .max = sizeof room};
    if (!door_may_ask(d, r->head, &origin, &e)) {
        http_reply_error(x, &e);
        return;
    }
    if (origin.len && origin.len <= ORIGIN_MOST)
        buf_printf(
            &fields,
            "Access-Control-Allow-Origin: %.*s\r\nAccess-Control-Allow-Credentials: true\r\n"
            "Access-Control-Allow-Methods: POST\r\nAccess-Control-Allow-Headers: Content-Type\r\nVary: Origin\r\n",
            (int)origin.len, (const char *)origin.ptr);
    http_reply(x, 200, LIT(""), buf_slice(&fields), LIT(""));
}

const struct http_handler rpc_door_handler = {.name = "rpc", .begin = begin, .end = end, .gone = gone};
const struct http_handler rpc_preflight_handler = {.name = "rpc preflight", .begin = preflight};
