/* codec_json.c - `startbox codec json`, `jsonptr` and `jsonpatch`: documents in, one document out. */
#include "cli/codec.h"
#include "protocols/json.h"
#include "protocols/jsonpatch.h"
#include "protocols/jsonptr.h"

#include <stdio.h>

static int print(struct codec_run *run, const struct val *v, enum json_form form, const char *name) {
    struct err e = ERR_INIT;
    if (!json_write(&run->out, v, form, &e)) return codec_fail(name, &e);
    buf_byte(&run->out, '\n');
    return 0;
}

int codec_json(struct codec_run *run) {
    struct err e = ERR_INIT;
    struct val doc = val_none;
    if (!codec_document(run, &doc, &e)) return codec_fail("json", &e);
    enum json_form form = JSON_COMPACT;
    for (int i = 0; i < run->argc; i++) {
        if (!strcmp(run->argv[i], "--indent")) form = JSON_INDENTED;
        if (!strcmp(run->argv[i], "--ascii")) form = JSON_ASCII;
    }
    int code = print(run, &doc, form, "json");
    val_unref(&doc);
    return code;
}

int codec_jsonptr(struct codec_run *run) {
    struct err e = ERR_INIT;
    struct val in = val_none;
    if (!codec_document(run, &in, &e)) return codec_fail("jsonptr", &e);
    const struct val *doc = val_get(&in, LIT("doc")), *pointer = val_get(&in, LIT("pointer"));
    int code;
    if (val_is_none(doc) || pointer->kind != VAL_TEXT) {
        err_set(&e, ERR_SYNTAX, "want {\"doc\":any,\"pointer\":text}");
        code = codec_fail("jsonptr", &e);
    } else {
        const struct val *found = jsonptr_get(doc, val_as_text(pointer), &e);
        code = val_is_none(found) ? codec_fail("jsonptr", &e) : print(run, found, JSON_COMPACT, "jsonptr");
    }
    val_unref(&in);
    return code;
}

int codec_jsonpatch(struct codec_run *run) {
    struct err e = ERR_INIT;
    struct val in = val_none;
    if (!codec_document(run, &in, &e)) return codec_fail("jsonpatch", &e);
    struct jsonpatch_limits limits = {.ops = LIMIT_PATCH_OPS, .copied = LIMIT_PATCH_COPIED};
    struct val doc = val_ref(val_get(&in, LIT("doc")));
    int code;
    if (val_is_none(&doc)) {
        err_set(&e, ERR_SYNTAX, "want {\"doc\":any,\"patch\":[...]}");
        code = codec_fail("jsonpatch", &e);
    } else if (!jsonpatch_apply(&doc, val_get(&in, LIT("patch")), &limits, &e))
        code = codec_fail("jsonpatch", &e);
    else
        code = print(run, &doc, JSON_COMPACT, "jsonpatch");
    val_unref(&doc);
    val_unref(&in);
    return code;
}
