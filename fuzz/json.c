/* json.c - any bytes: the law of division, agreement of the ways in, and that what is accepted survives writing. */
#include "protocols/json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct json_limits limits = {.bytes = 1 << 20, .depth = 40};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1) return 0;
    size_t step = 1 + data[0] % 17;
    struct slice text = slice_of(data + 1, size - 1);
    struct val whole = val_none, cut = val_none, again = val_none;
    struct err a = ERR_INIT, b = ERR_INIT;
    bool good = json_parse(text, &limits, &whole, &a);
    struct json *j = json_new(&limits);
    if (!j) abort();
    enum step result = STEP_MORE;
    for (size_t at = 0; at < text.len && result == STEP_MORE; at += step)
        result = json_feed(j, slice_head(slice_skip(text, at), step), &b).step;
    if (result == STEP_MORE) result = json_eof(j, &b);
    if (good != (result == STEP_END)) abort();
    if (!good && (a.at != b.at || a.code != b.code)) abort();
    if (good) {
        cut = json_take(j);
        if (!val_equal(&whole, &cut)) abort();
        struct buf out;
        for (int form = JSON_COMPACT; form <= JSON_ASCII; form++) {
            buf_init(&out, 1 << 24);
            if (!json_write(&out, &whole, (enum json_form)form, NULL) || out.len < 1) abort();
            struct json_limits wide = {.bytes = 1 << 24, .depth = 40};
            if (!json_parse(buf_slice(&out), &wide, &again, NULL) || !val_equal(&whole, &again)) abort();
            val_unref(&again);
            buf_release(&out);
        }
    }
    json_free(j);
    val_unref(&whole);
    val_unref(&cut);
    return 0;
}
