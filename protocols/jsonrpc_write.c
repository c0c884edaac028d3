/* jsonrpc_write.c - writing, see jsonrpc.h.
 *
 * Touches: base/slice, base/buf, base/err, base/utf8, base/val, protocols/json. No descriptor, clock, log. */
#include "base/utf8.h"
#include "protocols/jsonrpc.h"

/* Whether all of it was written; else the buffer is as it was at the mark. */
static bool settle(struct buf *out, size_t mark, bool good, struct err *e) {
    if (good && buf_ok(out)) return true;
    /* json_write has said why itself; a plain append that failed has not. */
    enum buf_fault fault = out->fault;
    buf_rewind(out, mark);
    if (!good) return false;
    return fault == BUF_OVER ? err_limit(e, "output", out->max, ERR_NOWHERE) : err_nomem(e, "a message");
}

static bool add_id(struct buf *out, const struct val *id, enum json_form form, struct err *e) {
    if (!id || val_is_none(id)) {
        buf_add(out, LIT("null"));
        return true;
    }
    return json_write(out, id, form, e);
}

static bool add_tail(struct buf *out, const struct val *id, enum json_form form, struct err *e) {
    buf_add(out, LIT(",\"id\":"));
    if (!buf_ok(out)) return true;
    bool good = add_id(out, id, form, e);
    buf_byte(out, '}');
    return good;
}

/* A text in the wanted form; it may be an inline value that lives only here. */
static bool add_text(struct buf *out, struct slice text, enum json_form form, struct err *e) {
    if (form != JSON_ASCII) {
        if (!utf8_ok(text)) return err_set(e, ERR_UTF8, "want a text in UTF-8, found other bytes");
        json_write_text(out, text);
        return true;
    }
    struct val v = val_of_text(text);
    if (val_is_none(&v))
        return utf8_ok(text) ? err_nomem(e, "a text") : err_set(e, ERR_UTF8, "want a text in UTF-8, found other bytes");
    bool good = json_write(out, &v, form, e);
    val_unref(&v);
    return good;
}

bool jsonrpc_write_result_head(struct buf *out, struct err *e) {
    size_t mark = buf_mark(out);
    buf_add(out, LIT("{\"jsonrpc\":\"2.0\",\"result\":"));
    return settle(out, mark, true, e);
}

bool jsonrpc_write_result_tail(struct buf *out, const struct val *id, enum json_form form, struct err *e) {
    size_t mark = buf_mark(out);
    return settle(out, mark, add_tail(out, id, form, e), e);
}

bool jsonrpc_write_result(struct buf *out, const struct val *result, const struct val *id, enum json_form form,
                          struct err *e) {
    size_t mark = buf_mark(out);
    bool good = jsonrpc_write_result_head(out, e) && json_write(out, result, form, e) && add_tail(out, id, form, e);
    return settle(out, mark, good, e);
}

bool jsonrpc_write_error(struct buf *out, int64_t code, struct slice message, const struct val *data,
                         const struct val *id, enum json_form form, struct err *e) {
    size_t mark = buf_mark(out);
    buf_add(out, LIT("{\"jsonrpc\":\"2.0\",\"error\":{\"code\":"));
    buf_i64(out, code);
    buf_add(out, LIT(",\"message\":"));
    if (!buf_ok(out)) return settle(out, mark, true, e);
    bool good = add_text(out, message, form, e);
    if (good && data && !val_is_none(data)) {
        buf_add(out, LIT(",\"data\":"));
        if (!buf_ok(out)) return settle(out, mark, true, e);
        good = json_write(out, data, form, e);
    }
    buf_byte(out, '}');
    return settle(out, mark, good && buf_ok(out) ? add_tail(out, id, form, e) : good, e);
}

static bool is_protocol(enum err_code code) {
    return code == ERR_RPC_PARSE || code == ERR_RPC_REQUEST || code == ERR_RPC_METHOD || code == ERR_RPC_PARAMS ||
           code == ERR_RPC_INTERNAL;
}

/* The data of an error: VAL_NONE both when there is none and without memory; *good tells which. */
static struct val error_data(const struct err *why, const struct val *info, bool *good) {
    *good = true;
    if (is_protocol(why->code) && !why->text[0]) return val_none;
    struct slice text = slice_str(why->text[0] ? why->text : err_label(why->code));
    struct val details = val_of_text_lossy(text);
    struct val data = val_none;
    if (is_protocol(why->code))
        data = details;
    else {
        struct val debug = val_ref(&details);
        data = VAL_MAP_OF({"details", details}, {"debug", debug},
                          {"info", info && !val_is_none(info) ? val_ref(info) : val_null()});
    }
    *good = !val_is_none(&data);
    return data;
}

bool jsonrpc_write_err_as(struct buf *out, const struct err *why, struct slice label, const struct val *info,
                          const struct val *id, enum json_form form, struct err *e) {
    bool good;
    struct val data = error_data(why, info, &good);
    if (!good) return err_nomem(e, "an error");
    if (is_protocol(why->code)) label = slice_str(err_label(why->code));
    good = jsonrpc_write_error(out, err_rpc(why->code), label, &data, id, form, e);
    val_unref(&data);
    return good;
}

bool jsonrpc_write_err(struct buf *out, const struct err *why, const struct val *info, const struct val *id,
                       enum json_form form, struct err *e) {
    return jsonrpc_write_err_as(out, why, slice_str(err_label(why->code)), info, id, form, e);
}

bool jsonrpc_write_request(struct buf *out, bool version, struct slice method, const struct val *params,
                           const uint64_t *id, enum json_form form, struct err *e) {
    size_t mark = buf_mark(out);
    bool has_params = params && !val_is_none(params);
    buf_byte(out, '{');
    if (version) buf_add(out, LIT("\"jsonrpc\":\"2.0\","));
    if (id) {
        buf_add(out, LIT("\"id\":"));
        buf_u64(out, *id);
        buf_byte(out, ',');
    }
    buf_add(out, LIT("\"method\":"));
    if (!buf_ok(out)) return settle(out, mark, true, e);
    if (!add_text(out, method, form, e)) return settle(out, mark, false, e);
    if (has_params && params->kind != VAL_MAP)
        return settle(out, mark,
                      err_set(e, ERR_INVALID, "want params to be a map, found %s", val_kind_name(val_kind(params))), e);
    if (has_params || !version) buf_add(out, LIT(",\"params\":"));
    if (!buf_ok(out)) return settle(out, mark, true, e);
    bool good = true;
    if (has_params)
        good = json_write(out, params, form, e);
    else if (!version)
        buf_add(out, LIT("{}"));
    buf_byte(out, '}');
    return settle(out, mark, good, e);
}

static bool add_one(struct buf *out, uint8_t c, struct err *e) {
    size_t mark = buf_mark(out);
    buf_byte(out, c);
    return settle(out, mark, true, e);
}

bool jsonrpc_batch_begin(struct jsonrpc_batch *b, struct buf *out, struct err *e) {
    b->any = false;
    return add_one(out, '[', e);
}

bool jsonrpc_batch_next(struct jsonrpc_batch *b, struct buf *out, struct err *e) {
    if (b->any) return add_one(out, ',', e);
    b->any = true;
    return true;
}

bool jsonrpc_batch_end(struct jsonrpc_batch *b, struct buf *out, struct err *e) {
    (void)b;
    return add_one(out, ']', e);
}

/* --- as values --- */

static struct val id_of(const struct val *id) {
    return id && !val_is_none(id) ? val_ref(id) : val_null();
}

struct val jsonrpc_result(struct val result, const struct val *id) {
    return VAL_MAP_OF({"jsonrpc", val_of_str("2.0")}, {"result", result}, {"id", id_of(id)});
}

struct val jsonrpc_error_object(const struct err *why, const struct val *info) {
    bool good;
    struct val data = error_data(why, info, &good);
    if (!good) return val_none;
    struct val error =
        VAL_MAP_OF({"code", val_of_i64(err_rpc(why->code))}, {"message", val_of_str(err_label(why->code))});
    if (val_is_none(&data) || val_is_none(&error)) {
        val_unref(&data);
        return error;
    }
    if (!val_set_str(&error, "data", data)) val_unref(&error);
    return error;
}

struct val jsonrpc_error(const struct err *why, const struct val *info, const struct val *id) {
    return VAL_MAP_OF({"jsonrpc", val_of_str("2.0")}, {"error", jsonrpc_error_object(why, info)}, {"id", id_of(id)});
}

struct val jsonrpc_request(bool version, struct slice method, struct val params, const uint64_t *id) {
    struct val request = val_empty_map();
    bool has_params = !val_is_none(&params);
    bool good = (!version || val_set_str(&request, "jsonrpc", val_of_str("2.0"))) &&
                (!id || val_set_str(&request, "id", val_of_u64(*id))) &&
                val_set_str(&request, "method", val_of_text(method));
    if (!good)
        val_unref(&params);
    else if (has_params || !version)
        good = val_set_str(&request, "params", has_params ? params : val_empty_map());
    if (!good) val_unref(&request);
    return request;
}
