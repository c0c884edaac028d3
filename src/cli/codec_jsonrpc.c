/* codec_jsonrpc.c - `startbox codec jsonrpc [--rules http|socket|strict]`: a stream with one JSON value a line;
 * calls, notices and answers in it, one event each. See codec.h. */
#include "cli/codec.h"
#include "protocols/json.h"
#include "protocols/jsonrpc.h"

#include <stdio.h>

static struct val or_null(const struct val *v) {
    return val_is_none(v) ? val_null() : val_ref(v);
}

static struct val why_of(const struct err *e) {
    return val_of_text_lossy(slice_str(e->text));
}

/* The whole line is refused: no JSON, or no request at all. */
static void say_refused(struct codec_run *run, enum err_code code, const struct err *e) {
    codec_say(run, VAL_MAP_OF({"event", val_of_str("refused")}, {"id", val_null()}, {"code", val_of_i64(err_rpc(code))},
                              {"message", val_of_str(err_label(code))}, {"why", why_of(e)}));
}

static void say_item(struct codec_run *run, const struct jsonrpc_item *item, const struct err *e) {
    struct val method, params;
    switch (item->kind) {
    case JSONRPC_CALL:
        method = val_of_text(item->method), params = or_null(item->params);
        codec_say(run, VAL_MAP_OF({"event", val_of_str("call")}, {"method", method}, {"params", params},
                                  {"id", or_null(item->id)}));
        break;
    case JSONRPC_NOTICE:
        method = val_of_text(item->method), params = or_null(item->params);
        codec_say(run, VAL_MAP_OF({"event", val_of_str("notice")}, {"method", method}, {"params", params}));
        break;
    case JSONRPC_RESULT:
        codec_say(run, VAL_MAP_OF({"event", val_of_str("result")}, {"id", or_null(item->id)},
                                  {"result", val_ref(item->result)}));
        break;
    case JSONRPC_ERROR:
        codec_say(run, VAL_MAP_OF({"event", val_of_str("error")}, {"id", or_null(item->id)},
                                  {"code", val_of_i64(item->code)}, {"message", val_of_text(item->message)},
                                  {"data", or_null(item->data)}));
        break;
    case JSONRPC_REFUSED:
        codec_say(run, VAL_MAP_OF({"event", val_of_str("refused")}, {"id", or_null(item->id)},
                                  {"code", val_of_i64(item->code)}, {"message", val_of_text(item->message)},
                                  {"why", why_of(e)}));
        break;
    }
}

static void say_value(struct codec_run *run, const struct val *v, const struct jsonrpc_rules *rules) {
    struct jsonrpc_reader r;
    struct jsonrpc_item item;
    struct err e = ERR_INIT;
    if (!jsonrpc_open(&r, v, rules, &e)) {
        say_refused(run, e.code, &e);
        return;
    }
    if (r.batch) codec_say(run, VAL_MAP_OF({"event", val_of_str("batch")}, {"n", val_of_u64(r.count)}));
    while (jsonrpc_next(&r, &item, &e)) say_item(run, &item, &e);
}

static void say_line(struct codec_run *run, struct slice line, const void *arg) {
    const struct jsonrpc_rules *rules = arg;
    const struct json_limits limits = {.bytes = LIMIT_LINE_BYTES, .depth = LIMIT_VAL_DEPTH};
    struct val v = val_none;
    struct err e = ERR_INIT;
    if (json_parse(line, &limits, &v, &e))
        say_value(run, &v, rules);
    else
        say_refused(run, ERR_RPC_PARSE, &e);
    val_unref(&v);
}

static bool read_rules(const struct codec_run *run, struct jsonrpc_rules *rules) {
    const char *name = codec_option(run, "rules");
    *rules = JSONRPC_HTTP(LIMIT_RPC_BATCH);
    if (!run->argc) return true;
    if (run->argc != 2 || !name) return false;
    if (!strcmp(name, "http")) return true;
    *rules = JSONRPC_SOCKET(LIMIT_RPC_BATCH);
    if (!strcmp(name, "socket")) return true;
    *rules = JSONRPC_STRICT(LIMIT_RPC_BATCH);
    return !strcmp(name, "strict");
}

int codec_jsonrpc(struct codec_run *run) {
    struct jsonrpc_rules rules;
    if (!read_rules(run, &rules)) {
        fprintf(stderr, "usage: startbox codec jsonrpc [--rules http|socket|strict]\n");
        return 2;
    }
    return codec_each_line(run, say_line, &rules);
}
