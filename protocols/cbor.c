/* cbor.c - bytes to val; see cbor.h. Writing is cbor_write.c.
 *
 * libcbor's decoder calls back once an item head (with its string). The callbacks only note what came; everything else
 * happens behind the call, in take_item. What libcbor does not check is checked here: text is UTF-8, lengths fit into
 * size_t (it truncates 64-bit counts on 32-bit machines), counts add up. */
#include "protocols/cbor.h"

#include "base/cur.h"
#include "base/mem.h"
#include "base/utf8.h"

#include <cbor.h>

#define FIRST_FRAMES 16
#define INDEFINITE   UINT64_MAX

enum item {
    ITEM_NONE,
    ITEM_UINT,
    ITEM_NEGINT,
    ITEM_BYTES,
    ITEM_TEXT,
    ITEM_BYTES_START,
    ITEM_TEXT_START,
    ITEM_ARRAY,
    ITEM_MAP,
    ITEM_TAG,
    ITEM_FLOAT,
    ITEM_UNDEFINED,
    ITEM_NULL,
    ITEM_BOOL,
    ITEM_BREAK
};

struct cbor {
    struct cbor_limits limits;
    struct val_builder build;
    struct buf tail; /* the beginning of an item that was cut */
    size_t want;     /* bytes the tail needs before it is worth another look */
    size_t at;       /* bytes of this document understood */
    uint64_t *left;  /* items still to come, for each open container */
    unsigned depth, left_cap;
    struct buf string; /* an indefinite string being collected */
    enum item collecting;
    enum step result;
    struct err err;
    /* what the last callback noted */
    enum item item;
    uint64_t num;
    double real;
    struct slice bytes;
};

/* --- callbacks: note and return --- */

static void note(void *ctx, enum item item, uint64_t num) {
    struct cbor *c = ctx;
    c->item = item;
    c->num = num;
}
static void on_uint8(void *ctx, uint8_t n) {
    note(ctx, ITEM_UINT, n);
}
static void on_uint16(void *ctx, uint16_t n) {
    note(ctx, ITEM_UINT, n);
}
static void on_uint32(void *ctx, uint32_t n) {
    note(ctx, ITEM_UINT, n);
}
static void on_uint64(void *ctx, uint64_t n) {
    note(ctx, ITEM_UINT, n);
}
static void on_negint8(void *ctx, uint8_t n) {
    note(ctx, ITEM_NEGINT, n);
}
static void on_negint16(void *ctx, uint16_t n) {
    note(ctx, ITEM_NEGINT, n);
}
static void on_negint32(void *ctx, uint32_t n) {
    note(ctx, ITEM_NEGINT, n);
}
static void on_negint64(void *ctx, uint64_t n) {
    note(ctx, ITEM_NEGINT, n);
}
static void on_bytes_start(void *ctx) {
    note(ctx, ITEM_BYTES_START, 0);
}
static void on_text_start(void *ctx) {
    note(ctx, ITEM_TEXT_START, 0);
}
static void on_array_start(void *ctx) {
    note(ctx, ITEM_ARRAY, INDEFINITE);
}
static void on_map_start(void *ctx) {
    note(ctx, ITEM_MAP, INDEFINITE);
}
static void on_array(void *ctx, size_t n) {
    note(ctx, ITEM_ARRAY, n);
}
static void on_map(void *ctx, size_t n) {
    note(ctx, ITEM_MAP, n);
}
static void on_tag(void *ctx, uint64_t n) {
    note(ctx, ITEM_TAG, n);
}
static void on_undefined(void *ctx) {
    note(ctx, ITEM_UNDEFINED, 0);
}
static void on_null(void *ctx) {
    note(ctx, ITEM_NULL, 0);
}
static void on_bool(void *ctx, bool b) {
    note(ctx, ITEM_BOOL, b);
}
static void on_break(void *ctx) {
    note(ctx, ITEM_BREAK, 0);
}
static void on_double(void *ctx, double d) {
    note(ctx, ITEM_FLOAT, 0);
    ((struct cbor *)ctx)->real = d;
}
static void on_float(void *ctx, float f) {
    on_double(ctx, (double)f);
}
static void on_bytes(void *ctx, cbor_data p, size_t n) {
    note(ctx, ITEM_BYTES, 0);
    ((struct cbor *)ctx)->bytes = slice_of(p, n);
}
static void on_text(void *ctx, cbor_data p, size_t n) {
    note(ctx, ITEM_TEXT, 0);
    ((struct cbor *)ctx)->bytes = slice_of(p, n);
}

static const struct cbor_callbacks callbacks = {
    .uint8 = on_uint8,
    .uint16 = on_uint16,
    .uint32 = on_uint32,
    .uint64 = on_uint64,
    .negint8 = on_negint8,
    .negint16 = on_negint16,
    .negint32 = on_negint32,
    .negint64 = on_negint64,
    .byte_string_start = on_bytes_start,
    .byte_string = on_bytes,
    .string = on_text,
    .string_start = on_text_start,
    .indef_array_start = on_array_start,
    .array_start = on_array,
    .indef_map_start = on_map_start,
    .map_start = on_map,
    .tag = on_tag,
    .float2 = on_float,
    .float4 = on_float,
    .float8 = on_double,
    .undefined = on_undefined,
    .null = on_null,
    .boolean = on_bool,
    .indef_break = on_break,
};

/* --- building --- */

static bool built(struct cbor *c, bool good) {
    return good || val_build_err(&c->build, c->at, &c->err);
}

/* A value is whole: count it in its container, and close what is full. */
static bool after_value(struct cbor *c) {
    while (c->depth) {
        uint64_t *left = &c->left[c->depth - 1];
        if (*left == INDEFINITE || --*left) return true;
        c->depth--;
        if (!val_build_close(&c->build)) return built(c, false);
    }
    c->result = STEP_END;
    return true;
}

static bool give(struct cbor *c, struct val v) {
    return built(c, val_build_add(&c->build, v)) && after_value(c);
}

static bool open_container(struct cbor *c, enum val_kind kind) {
    if (c->depth == c->limits.depth) return err_limit(&c->err, "depth", c->limits.depth, c->at);
    if (c->depth == c->left_cap) {
        unsigned cap = c->left_cap ? c->left_cap * 2 : FIRST_FRAMES;
        uint64_t *left = mem_grow(c->left, c->left_cap * sizeof *left, cap * sizeof *left);
        if (!left) return err_nomem(&c->err, "a CBOR reader");
        c->left = left;
        c->left_cap = cap;
    }
    if (!val_build_open(&c->build, kind)) return built(c, false);
    uint64_t n = c->num;
    if (n != INDEFINITE && kind == VAL_MAP) n *= 2; /* the count was held against the limit of bytes: no overflow */
    c->left[c->depth++] = n;
    if (n) return true;
    c->depth--;
    return built(c, val_build_close(&c->build)) && after_value(c);
}

static bool take_break(struct cbor *c) {
    if (!c->depth || c->left[c->depth - 1] != INDEFINITE)
        return err_at(&c->err, ERR_SYNTAX, c->at, "a break outside an item of indefinite length");
    c->depth--;
    return built(c, val_build_close(&c->build)) && after_value(c);
}

static bool take_string(struct cbor *c, struct slice s, bool text) {
    if (text && !utf8_ok(s)) return err_at(&c->err, ERR_UTF8, c->at, "a text that is not UTF-8");
    if (!text) return give(c, val_of_bytes(s));
    if (val_build_wants_key(&c->build)) return built(c, val_build_key(&c->build, s)) && after_value(c);
    return give(c, val_of_text_checked(s));
}

/* Inside an indefinite string only definite ones of the same kind may stand, each of them whole UTF-8. */
static bool take_chunk(struct cbor *c) {
    bool text = c->collecting == ITEM_TEXT;
    if (c->item == ITEM_BREAK) {
        c->collecting = ITEM_NONE;
        bool good = take_string(c, buf_slice(&c->string), text);
        buf_reset(&c->string);
        return good;
    }
    if (c->item != c->collecting)
        return err_at(&c->err, ERR_SYNTAX, c->at, "a string of indefinite length holds something else than its pieces");
    if (text && !utf8_ok(c->bytes)) return err_at(&c->err, ERR_UTF8, c->at, "a piece of a text that is not UTF-8");
    if (buf_add(&c->string, c->bytes)) return true;
    if (c->string.fault == BUF_NOMEM) return err_nomem(&c->err, "a string");
    return err_limit(&c->err, "string", c->limits.string, c->at);
}

static bool take_item(struct cbor *c) {
    if (c->collecting) return take_chunk(c);
    switch (c->item) {
    case ITEM_UINT: return give(c, val_of_u64(c->num));
    case ITEM_NEGINT: return give(c, val_of_negative(c->num));
    case ITEM_FLOAT: return give(c, val_of_double(c->real));
    case ITEM_NULL: return give(c, val_null());
    case ITEM_BOOL: return give(c, val_of_bool(c->num != 0));
    case ITEM_BYTES: return take_string(c, c->bytes, false);
    case ITEM_TEXT: return take_string(c, c->bytes, true);
    case ITEM_BYTES_START: c->collecting = ITEM_BYTES; return true;
    case ITEM_TEXT_START: c->collecting = ITEM_TEXT; return true;
    case ITEM_ARRAY: return open_container(c, VAL_ARRAY);
    case ITEM_MAP: return open_container(c, VAL_MAP);
    case ITEM_BREAK: return take_break(c);
    case ITEM_TAG:
        return err_at(&c->err, ERR_UNSUPPORTED, c->at, "a tag (%llu), which has no place here",
                      (unsigned long long)c->num);
    case ITEM_UNDEFINED: return err_at(&c->err, ERR_UNSUPPORTED, c->at, "\"undefined\", which has no place here");
    case ITEM_NONE: break;
    }
    return err_at(&c->err, ERR_SYNTAX, c->at, "a byte that begins no item");
}

/* Lengths and counts before libcbor sees them: what claims more than may ever come is refused at its head. */
static bool check_head(struct cbor *c, struct slice in) {
    unsigned major = in.ptr[0] >> 5, info = in.ptr[0] & 31;
    if (major < 2 || major > 5 || info > 27) return true;
    if (info < 24 && c->limits.string >= 24 && c->limits.bytes >= 24) return true; /* most heads */
    size_t width = info < 24 ? 0 : (size_t)1 << (info - 24);
    if (in.len < 1 + width) return true;
    struct cur head = cur_of(slice_of(in.ptr + 1, width));
    uint64_t n = width == 0   ? info
                 : width == 1 ? cur_u8(&head)
                 : width == 2 ? cur_be16(&head)
                 : width == 4 ? cur_be32(&head)
                              : cur_be64(&head);
    if (major < 4 && n > c->limits.string) return err_limit(&c->err, "string", c->limits.string, c->at);
    if (n > c->limits.bytes) return err_limit(&c->err, "bytes", c->limits.bytes, c->at);
    return true;
}

enum looked { LOOKED_ITEM, LOOKED_SHORT, LOOKED_BAD };

/* One item at the start of `in`. LOOKED_SHORT: *n is how many bytes it takes to know more. */
static enum looked look(struct cbor *c, struct slice in, size_t *n) {
    if (!check_head(c, in)) return LOOKED_BAD;
    c->item = ITEM_NONE;
    struct cbor_decoder_result r = cbor_stream_decode(in.ptr, in.len, &callbacks, c);
    if (r.status == CBOR_DECODER_NEDATA) {
        *n = r.required > in.len ? r.required : in.len + 1;
        if (c->at + *n <= c->limits.bytes) return LOOKED_SHORT;
        err_limit(&c->err, "bytes", c->limits.bytes, c->at);
        return LOOKED_BAD;
    }
    if (r.status == CBOR_DECODER_ERROR) {
        err_at(&c->err, ERR_SYNTAX, c->at, "a byte that begins no item of this data model: 0x%02x", in.ptr[0]);
        return LOOKED_BAD;
    }
    *n = r.read;
    if (c->at + *n > c->limits.bytes) {
        err_limit(&c->err, "bytes", c->limits.bytes, c->at);
        return LOOKED_BAD;
    }
    if (!take_item(c)) return LOOKED_BAD;
    c->at += *n;
    return LOOKED_ITEM;
}

static struct fed fail(struct cbor *c, size_t used, struct err *e) {
    c->result = STEP_BAD;
    if (e) *e = c->err;
    return fed_bad(used);
}

/* Goes on with an item that was cut: adds what it still needs, up to where it can be looked at again. */
static bool feed_tail(struct cbor *c, struct slice in, size_t *used, size_t *need) {
    struct slice part = slice_head(in, c->want - c->tail.len);
    if (!buf_add(&c->tail, part)) return err_nomem(&c->err, "a CBOR item");
    *used = part.len;
    *need = c->want - c->tail.len;
    if (*need) return true;
    size_t n;
    switch (look(c, buf_slice(&c->tail), &n)) {
    case LOOKED_ITEM: buf_reset(&c->tail); return true;
    case LOOKED_SHORT:
        c->want = n;
        *need = n - c->tail.len;
        return true;
    case LOOKED_BAD: break;
    }
    return false;
}

struct fed cbor_feed(struct cbor *c, struct slice in, struct err *e) {
    size_t used = 0;
    if (c->result == STEP_BAD) return fail(c, 0, e);
    while (c->result == STEP_MORE && used < in.len) {
        struct slice rest = slice_skip(in, used);
        size_t n = 0, need = 0;
        if (c->tail.len) {
            if (!feed_tail(c, rest, &n, &need)) return fail(c, used, e);
            used += n;
            if (need && used == in.len) return fed_more(used, need);
            continue;
        }
        switch (look(c, rest, &n)) {
        case LOOKED_ITEM: used += n; break;
        case LOOKED_SHORT:
            if (!buf_add(&c->tail, rest)) {
                err_nomem(&c->err, "a CBOR item");
                return fail(c, used, e);
            }
            c->want = n;
            return fed_more(in.len, n - rest.len);
        case LOOKED_BAD: return fail(c, used, e);
        }
    }
    return c->result == STEP_END ? fed_end(used) : fed_more(used, 1);
}

bool cbor_eof(const struct cbor *c, struct err *e) {
    if (c->result == STEP_BAD) {
        if (e) *e = c->err;
        return false;
    }
    if (c->result == STEP_END || (c->at == 0 && c->tail.len == 0)) return true;
    return err_at(e, ERR_SYNTAX, c->at + c->tail.len, "the bytes end in the middle of an item");
}

struct val cbor_take(struct cbor *c) {
    return c->result == STEP_END ? val_build_take(&c->build) : val_none;
}

void cbor_reset(struct cbor *c) {
    val_build_release(&c->build);
    buf_reset(&c->tail);
    buf_reset(&c->string);
    c->at = 0;
    c->depth = 0;
    c->collecting = ITEM_NONE;
    c->result = STEP_MORE;
}

struct cbor *cbor_new(const struct cbor_limits *limits) {
    struct cbor *c = mem_get_zero(sizeof *c);
    if (!c) return NULL;
    c->limits = *limits;
    if (c->limits.depth > VAL_DEPTH_MAX) c->limits.depth = VAL_DEPTH_MAX;
    /* Counts are doubled for maps and heads are added to lengths: keep both inside size_t. */
    if (c->limits.bytes > SIZE_MAX / 4) c->limits.bytes = SIZE_MAX / 4;
    val_build_init(&c->build, c->limits.depth, true);
    buf_init(&c->tail, c->limits.bytes);
    buf_init(&c->string, c->limits.string);
    return c;
}

void cbor_free(struct cbor *c) {
    if (!c) return;
    val_build_release(&c->build);
    buf_release(&c->tail);
    buf_release(&c->string);
    mem_put(c->left, c->left_cap * sizeof *c->left);
    mem_put(c, sizeof *c);
}

bool cbor_parse(struct slice bytes, const struct cbor_limits *limits, struct val *out, struct err *e) {
    struct cbor *c = cbor_new(limits);
    if (!c) return err_nomem(e, "a CBOR reader");
    struct fed fed = cbor_feed(c, bytes, e);
    bool good = false;
    if (fed.step == STEP_END && fed.used == bytes.len) {
        *out = cbor_take(c);
        good = true;
    } else if (fed.step == STEP_END)
        err_at(e, ERR_SYNTAX, fed.used, "bytes behind the end of the item");
    else if (fed.step == STEP_MORE)
        err_at(e, ERR_SYNTAX, bytes.len, "the bytes end in the middle of an item");
    cbor_free(c);
    return good;
}
