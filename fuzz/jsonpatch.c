/* jsonpatch.c - a document and a patch, two JSON texts on two lines: nothing but a whole application or none; and the
 * difference of what came out leads there again. */
#include "protocols/jsonpatch.h"
#include "protocols/json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct json_limits json_limits = {.bytes = 1 << 16, .depth = 30};
    static const struct jsonpatch_limits limits = {.ops = 50, .copied = 500}, wide = {.ops = 1 << 20, .copied = 0};
    struct slice rest = slice_of(data, size), first = slice_cut(&rest, '\n');
    struct val doc = val_none, patch = val_none;
    if (json_parse(first, &json_limits, &doc, NULL) && json_parse(rest, &json_limits, &patch, NULL)) {
        struct val was = val_ref(&doc), before = val_none;
        json_parse(first, &json_limits, &before, NULL);
        if (!jsonpatch_apply(&doc, &patch, &limits, NULL) && !val_same(&doc, &was)) abort();
        if (!val_equal(&was, &before)) abort(); /* the old version did not move */
        struct val ops = val_empty_array(), made = val_ref(&was);
        if (!jsonpatch_diff(&was, &doc, &ops, NULL) || !jsonpatch_apply(&made, &ops, &wide, NULL) ||
            !val_equal(&made, &doc))
            abort();
        val_unref(&ops);
        val_unref(&made);
        val_unref(&was);
        val_unref(&before);
    }
    val_unref(&doc);
    val_unref(&patch);
    return 0;
}
