/* codec_cbor.c - `startbox codec cbor [roundtrip]`: hex of one item in; JSON, diagnostic notation or hex out. */
#include "base/ascii.h"
#include "base/hex.h"
#include "cli/codec.h"
#include "protocols/cbor.h"
#include "protocols/json.h"

#include <math.h>

/* Hex text may be broken into lines and groups. */
static bool read_hex(struct codec_run *run, struct buf *bytes, struct err *e) {
    struct buf text;
    buf_init(&text, LIMIT_CODEC_INPUT);
    for (size_t i = 0; i < run->input.len; i++) {
        uint8_t c = run->input.ptr[i];
        if (!ascii_is_blank(c) && c != '\n' && c != '\r') buf_byte(&text, c);
    }
    size_t bad = 0;
    bool good = buf_ok(&text) && hex_read(bytes, buf_slice(&text), &bad);
    if (!good) err_at(e, ERR_SYNTAX, bad, "want hexadecimal digits in pairs");
    buf_release(&text);
    return good;
}

static bool read_item(struct codec_run *run, struct val *out, struct err *e) {
    struct cbor_limits limits = {.bytes = LIMIT_CBOR_BYTES, .string = LIMIT_CBOR_STRING, .depth = LIMIT_VAL_DEPTH};
    struct cbor *c = cbor_new(&limits);
    if (!c) return err_nomem(e, "a CBOR reader");
    struct fed fed = {STEP_MORE, 0, 0};
    size_t at = 0;
    for (struct slice piece; fed.step == STEP_MORE && (piece = codec_piece(run)).len;) {
        fed = cbor_feed(c, piece, e);
        at += fed.used;
        if (fed.step == STEP_END && (fed.used < piece.len || run->input.len)) {
            err_at(e, ERR_SYNTAX, at, "bytes behind the end of the item");
            fed.step = STEP_BAD;
        }
    }
    if (fed.step == STEP_MORE) err_at(e, ERR_SYNTAX, at, "the bytes end in the middle of an item");
    if (fed.step == STEP_END) *out = cbor_take(c);
    cbor_free(c);
    return fed.step == STEP_END;
}

/* Whether JSON has a form for all of it. */
static bool fits_json(const struct val *v) {
    if (v->kind == VAL_BYTES || (v->kind == VAL_FLOAT && !isfinite(v->real))) return false;
    if (v->kind < VAL_ARRAY) return true;
    for (struct val_iter it = val_iter(v); val_next(&it);)
        if ((v->kind == VAL_MAP && it.key->kind != VAL_TEXT) || !fits_json(it.value)) return false;
    return true;
}

int codec_cbor(struct codec_run *run) {
    struct err e = ERR_INIT;
    struct buf bytes;
    buf_init(&bytes, LIMIT_CODEC_INPUT);
    struct val v = val_none;
    bool good = read_hex(run, &bytes, &e);
    run->input = buf_slice(&bytes);
    good = good && read_item(run, &v, &e);
    if (good && run->argc && !strcmp(run->argv[0], "roundtrip")) {
        struct buf out;
        buf_init(&out, SIZE_MAX / 4);
        good = cbor_write_sorted(&out, &v, &e);
        hex_add(&run->out, buf_slice(&out));
        buf_release(&out);
    } else if (good)
        good = json_write(&run->out, &v, fits_json(&v) ? JSON_COMPACT : JSON_DIAG, &e);
    if (good) buf_byte(&run->out, '\n');
    val_unref(&v);
    buf_release(&bytes);
    return good ? 0 : codec_fail("cbor", &e);
}
