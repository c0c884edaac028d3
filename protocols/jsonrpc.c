/* jsonrpc.c - reading, see jsonrpc.h.
 *
 * Touches: base/slice, base/err, base/val. No descriptor, clock, log, malloc. */
#include "protocols/jsonrpc.h"

static const struct code_row {
    int64_t code;
    struct slice message;
} codes[] = {
#define X(name, code, message) {code, LIT_INIT(message)},
    JSONRPC_CODES(X)
#undef X
};
#define CODES_N (sizeof codes / sizeof codes[0])

const char *jsonrpc_code_name(int64_t code) {
    for (size_t i = 0; i < CODES_N; i++)
        if (codes[i].code == code) return (const char *)codes[i].message.ptr;
    return NULL;
}

bool jsonrpc_code_from(struct slice message, enum jsonrpc_code *code) {
    for (size_t i = 0; i < CODES_N; i++) {
        if (!slice_eq(codes[i].message, message)) continue;
        *code = (enum jsonrpc_code)codes[i].code;
        return true;
    }
    return false;
}

static enum err_code invalid_code(const struct jsonrpc_rules *rules) {
    return rules->flags & JSONRPC_PARSE_CODE ? ERR_RPC_PARSE : ERR_RPC_REQUEST;
}

static bool mark_refused(struct jsonrpc_item *item, enum err_code code) {
    item->kind = JSONRPC_REFUSED;
    item->code = err_rpc(code);
    item->message = slice_str(err_label(code));
    return false;
}

/* Fills *e and marks the item; false. */
#define REFUSE(item, code, e, ...) (err_set(e, code, __VA_ARGS__), mark_refused(item, code))

static bool is_id(const struct val *id) {
    return id->kind == VAL_NULL || id->kind == VAL_TEXT || id->kind == VAL_INT || id->kind == VAL_FLOAT;
}

/* What requests and answers have in common: an object, the version, an id of a right kind. */
static bool read_frame(const struct val *v, const struct jsonrpc_rules *rules, struct jsonrpc_item *item,
                       struct err *e) {
    *item = (struct jsonrpc_item){.kind = JSONRPC_REFUSED,
                                  .id = &val_none,
                                  .params = &val_none,
                                  .result = &val_none,
                                  .data = &val_none,
                                  .method = slice_of("", 0),
                                  .message = slice_of("", 0)};
    enum err_code invalid = invalid_code(rules);
    if (v->kind != VAL_MAP) return REFUSE(item, invalid, e, "want an object, found %s", val_kind_name(val_kind(v)));
    const struct val *id = val_get(v, LIT("id")), *version = val_get(v, LIT("jsonrpc"));
    bool id_good = val_is_none(id) || is_id(id);
    if (id_good) item->id = id;
    if (!id_good)
        return REFUSE(item, invalid, e, "want id to be a text, a number or null, found %s",
                      val_kind_name(val_kind(id)));
    if ((rules->flags & JSONRPC_VERSION) && !val_is_text(version, LIT("2.0")))
        return REFUSE(item, invalid, e, "want \"jsonrpc\":\"2.0\", found %s",
                      val_is_none(version) ? "nothing" : "something else");
    return true;
}

static bool read_params(const struct val *v, const struct jsonrpc_rules *rules, bool single, struct jsonrpc_item *item,
                        struct err *e) {
    const struct val *params = val_get(v, LIT("params"));
    enum err_code flat = rules->flags & JSONRPC_FLAT_BAD ? ERR_RPC_REQUEST : ERR_RPC_PARAMS;
    bool needed = rules->flags & JSONRPC_NEED_PARAMS;
    switch (val_kind(params)) {
    case VAL_MAP: item->params = params; return true;
    case VAL_ARRAY:
        if (rules->flags & JSONRPC_LISTS) {
            item->params = params;
            return true;
        }
        if (!val_count(params)) return true;
        return REFUSE(item, ERR_RPC_PARAMS, e, "want params by name, in an object, found an array");
    case VAL_NONE:
        if (!needed) return true;
        return REFUSE(item, invalid_code(rules), e, "want params, found none");
    case VAL_NULL:
        if (needed && single) return REFUSE(item, invalid_code(rules), e, "want params, found null");
        if (rules->flags & JSONRPC_NULL_PARAMS) return true;
        return REFUSE(item, flat, e, "want params to be an object, found null");
    default: return REFUSE(item, flat, e, "want params to be an object, found %s", val_kind_name(val_kind(params)));
    }
}

static bool read_request(const struct val *v, const struct jsonrpc_rules *rules, bool single, struct jsonrpc_item *item,
                         struct err *e) {
    const struct val *method = val_get(v, LIT("method"));
    enum err_code invalid = invalid_code(rules);
    if (val_is_none(method)) return REFUSE(item, invalid, e, "want a method, found none");
    if (method->kind != VAL_TEXT)
        return REFUSE(item, invalid, e, "want method to be a text, found %s", val_kind_name(val_kind(method)));
    if ((rules->flags & JSONRPC_ID_NULL_BAD) && val_is_null(item->id))
        return REFUSE(item, invalid, e, "want id to be a text or a number, found null");
    if (!read_params(v, rules, single, item, e)) return false;
    item->method = val_as_text(method);
    item->kind = val_is_none(item->id) && (rules->flags & JSONRPC_NOTICES) ? JSONRPC_NOTICE : JSONRPC_CALL;
    return true;
}

static bool read_error(const struct val *error, const struct jsonrpc_rules *rules, struct jsonrpc_item *item,
                       struct err *e) {
    enum err_code invalid = invalid_code(rules);
    if (error->kind != VAL_MAP)
        return REFUSE(item, invalid, e, "want error to be an object, found %s", val_kind_name(val_kind(error)));
    const struct val *message = val_get(error, LIT("message"));
    int64_t code;
    if (!val_as_i64(val_get(error, LIT("code")), &code))
        return REFUSE(item, invalid, e, "want the code of an error to be an integer of 64 bits, found something else");
    if (message->kind != VAL_TEXT)
        return REFUSE(item, invalid, e, "want the message of an error to be a text, found something else");
    item->code = code;
    item->message = val_as_text(message);
    item->data = val_get(error, LIT("data"));
    item->kind = JSONRPC_ERROR;
    return true;
}

static bool read_response(const struct val *v, const struct jsonrpc_rules *rules, struct jsonrpc_item *item,
                          struct err *e) {
    const struct val *result = val_get(v, LIT("result")), *error = val_get(v, LIT("error"));
    enum err_code invalid = invalid_code(rules);
    if (val_is_none(result) == val_is_none(error))
        return REFUSE(item, invalid, e, "want either a result or an error, found %s",
                      val_is_none(result) ? "neither" : "both");
    if (val_is_none(result)) return read_error(error, rules, item, e);
    /* An error may come without an id, when ours could not be read; a result belongs to a call. */
    if (val_is_none(item->id)) return REFUSE(item, invalid, e, "want the id of a result, found none");
    item->result = result;
    item->kind = JSONRPC_RESULT;
    return true;
}

static bool read_item(const struct val *v, const struct jsonrpc_rules *rules, bool single, struct jsonrpc_item *item,
                      struct err *e) {
    if (!read_frame(v, rules, item, e)) return false;
    bool answer = val_is_none(val_get(v, LIT("method"))) &&
                  !(val_is_none(val_get(v, LIT("result"))) && val_is_none(val_get(v, LIT("error"))));
    return answer ? read_response(v, rules, item, e) : read_request(v, rules, single, item, e);
}

bool jsonrpc_open(struct jsonrpc_reader *r, const struct val *v, const struct jsonrpc_rules *rules, struct err *e) {
    *r = (struct jsonrpc_reader){.whole = v, .rules = *rules, .batch = v->kind == VAL_ARRAY, .count = 1};
    if (!r->batch) {
        if (v->kind == VAL_MAP) return true;
        return err_set(e, invalid_code(rules), "want an object or an array of them, found %s",
                       val_kind_name(val_kind(v)));
    }
    r->count = val_count(v);
    if (!r->count && !(rules->flags & JSONRPC_EMPTY_BATCH))
        return err_set(e, ERR_RPC_REQUEST, "want a batch of at least one request, found []");
    if (r->count > rules->batch) {
        err_set(e, ERR_RPC_REQUEST, "over the limit batch, which allows %zu", rules->batch);
        if (e) e->limit = "batch";
        return false;
    }
    return true;
}

bool jsonrpc_next(struct jsonrpc_reader *r, struct jsonrpc_item *item, struct err *e) {
    if (r->next == r->count) return false;
    const struct val *v = r->batch ? val_at(r->whole, r->next) : r->whole;
    r->next++;
    read_item(v, &r->rules, !r->batch, item, e);
    return true;
}

bool jsonrpc_read_request(const struct val *v, const struct jsonrpc_rules *rules, struct jsonrpc_item *item,
                          struct err *e) {
    return read_frame(v, rules, item, e) && read_request(v, rules, true, item, e);
}

bool jsonrpc_read_response(const struct val *v, const struct jsonrpc_rules *rules, struct jsonrpc_item *item,
                           struct err *e) {
    return read_frame(v, rules, item, e) && read_response(v, rules, item, e);
}

bool jsonrpc_id_eq(const struct val *a, const struct val *b) {
    return val_equal_number(a, b);
}

bool jsonrpc_to_err(const struct jsonrpc_item *item, struct err *e) {
    enum err_code code = ERR_UNKNOWN;
    if (item->code == JSONRPC_CODE_METHOD)
        code = ERR_NOT_FOUND;
    else if (item->code == JSONRPC_CODE_PARSE || item->code == JSONRPC_CODE_REQUEST ||
             item->code == JSONRPC_CODE_PARAMS)
        code = ERR_SYNTAX;
    else
        for (int i = ERR_CODE_N - 1; i > ERR_NONE && item->code > 0; i--)
            if (err_rpc((enum err_code)i) == item->code) code = (enum err_code)i;
    const struct val *details = val_get(item->data, LIT("details"));
    struct slice text = item->message;
    if (item->data->kind == VAL_TEXT)
        text = val_as_text(item->data);
    else if (details->kind == VAL_TEXT)
        text = val_as_text(details);
    return err_set(e, code, "%.*s", (int)(text.len < ERR_TEXT ? text.len : ERR_TEXT), (const char *)text.ptr);
}
