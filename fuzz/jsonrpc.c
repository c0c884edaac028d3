/* jsonrpc.c - any JSON as calls and answers: each item that was read is written and reads the same; every refusal
 * has a code of the protocol, a sentence, and can be answered.
 *
 * First byte: the rules. */
#include "protocols/jsonrpc.h"

#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct json_limits limits = {.bytes = 1u << 20, .depth = LIMIT_VAL_DEPTH};

static void check_again(const struct buf *text, const struct jsonrpc_item *item, enum jsonrpc_kind kind) {
    struct val v = val_none;
    struct jsonrpc_item again;
    struct jsonrpc_rules lax = {JSONRPC_VERSION | JSONRPC_NOTICES, 1};
    struct err e = ERR_INIT;
    must(json_parse(buf_slice(text), &limits, &v, &e));
    bool request = kind == JSONRPC_CALL || kind == JSONRPC_NOTICE;
    must((request ? jsonrpc_read_request : jsonrpc_read_response)(&v, &lax, &again, &e) && again.kind == kind);
    if (request)
        must(slice_eq(again.method, item->method) && val_equal(again.params, item->params));
    else
        must(jsonrpc_id_eq(again.id, val_is_none(item->id) ? &(struct val)VAL_NULL_INIT : item->id));
    if (kind == JSONRPC_RESULT) must(val_equal(again.result, item->result));
    if (kind == JSONRPC_ERROR)
        must(again.code == item->code && slice_eq(again.message, item->message) && val_equal(again.data, item->data));
    val_unref(&v);
}

static void check_item(const struct jsonrpc_item *item, const struct err *why, struct buf *out) {
    uint64_t id = 7;
    struct err e = ERR_INIT;
    for (int form = 0; form < 2; form++) {
        enum json_form how = form ? JSON_ASCII : JSON_COMPACT;
        buf_reset(out);
        enum jsonrpc_kind kind = item->kind;
        if (kind == JSONRPC_CALL || kind == JSONRPC_NOTICE)
            must(jsonrpc_write_request(out, true, item->method, item->params, kind == JSONRPC_CALL ? &id : NULL, how,
                                       &e));
        if (kind == JSONRPC_RESULT) must(jsonrpc_write_result(out, item->result, item->id, how, &e));
        if (kind == JSONRPC_ERROR)
            must(jsonrpc_write_error(out, item->code, item->message, item->data, item->id, how, &e));
        if (kind == JSONRPC_ERROR) jsonrpc_to_err(item, &e);
        if (kind == JSONRPC_REFUSED) {
            must(why->text[0] && item->code == err_rpc(why->code) && jsonrpc_code_name(item->code));
            must(jsonrpc_write_err(out, why, NULL, item->id, how, &e));
            continue;
        }
        check_again(out, item, kind);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1 || size > 1u << 14) return 0;
    const struct jsonrpc_rules rules[] = {JSONRPC_HTTP(20), JSONRPC_SOCKET(20), JSONRPC_STRICT(20), {data[0], 20}};
    struct val v = val_none;
    struct jsonrpc_reader r;
    struct jsonrpc_item item;
    struct err e = ERR_INIT;
    struct buf out;
    if (!json_parse(slice_of(data + 1, size - 1), &limits, &v, &e)) return 0;
    buf_init(&out, 1u << 24);
    if (jsonrpc_open(&r, &v, &rules[data[0] < 3 ? data[0] : 3], &e)) {
        size_t n = 0;
        for (; jsonrpc_next(&r, &item, &e); n++) check_item(&item, &e, &out);
        must(n == r.count && n <= 20);
    } else
        must(e.text[0] && jsonrpc_code_name(err_rpc(e.code)));
    buf_release(&out);
    val_unref(&v);
    return 0;
}
