/* cbor.c - any bytes: the law of division, that what is accepted survives writing, and that the deterministic form is
 * stable. */
#include "protocols/cbor.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct cbor_limits limits = {.bytes = 1 << 16, .string = 1 << 14, .depth = 30};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1) return 0;
    size_t step = 1 + data[0] % 13;
    struct slice bytes = slice_of(data + 1, size - 1);
    struct val v = val_none, cut = val_none, again = val_none;
    struct err a = ERR_INIT, b = ERR_INIT;
    struct cbor *c = cbor_new(&limits);
    if (!c) abort();
    struct fed whole = cbor_feed(c, bytes, &a);
    if (whole.step == STEP_END) v = cbor_take(c);
    cbor_reset(c);
    size_t used = 0;
    enum step result = STEP_MORE;
    while (used < bytes.len && result == STEP_MORE) {
        struct fed fed = cbor_feed(c, slice_head(slice_skip(bytes, used), step), &b);
        result = fed.step;
        used += fed.used;
    }
    if (bytes.len && result != whole.step) abort();
    if (result == STEP_END && used != whole.used) abort();
    if (result == STEP_BAD && (a.at != b.at || a.code != b.code)) abort();
    if (result == STEP_END) {
        cut = cbor_take(c);
        if (!val_equal(&v, &cut)) abort();
        struct buf out, sorted;
        buf_init(&out, 1 << 20);
        buf_init(&sorted, 1 << 20);
        struct cbor_limits wide = {.bytes = 1 << 20, .string = 1 << 20, .depth = 30};
        if (!cbor_write(&out, &v, NULL) || !cbor_parse(buf_slice(&out), &wide, &again, NULL) || !val_equal(&v, &again))
            abort();
        val_unref(&again);
        buf_reset(&out);
        if (!cbor_write_sorted(&out, &v, NULL) || !cbor_parse(buf_slice(&out), &wide, &again, NULL)) abort();
        if (!cbor_write_sorted(&sorted, &again, NULL) || !slice_eq(buf_slice(&out), buf_slice(&sorted))) abort();
        buf_release(&out);
        buf_release(&sorted);
    }
    val_unref(&v);
    val_unref(&cut);
    val_unref(&again);
    cbor_free(c);
    return 0;
}
