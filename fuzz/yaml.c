/* yaml.c - any JSON text as YAML: what is written has no character that a reader may refuse, no line that ends in a
 * space, which would be lost, and ends in a line end; and writing twice gives the same. */
#include "protocols/yaml.h"
#include "base/utf8.h"
#include "protocols/json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct slice s) {
    if (!s.len || s.ptr[s.len - 1] != '\n' || !utf8_ok(s)) abort();
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.ptr[i], next = i + 1 < s.len ? s.ptr[i + 1] : 0, third = i + 2 < s.len ? s.ptr[i + 2] : 0;
        if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f) abort();
        if ((c == ' ' || c == '\t') && next == '\n') abort();
        if (c == '\n' && next == '\t') abort();
        if (c == 0xc2 && next < 0xa0) abort();                                      /* C1 */
        if (c == 0xe2 && next == 0x80 && (third == 0xa8 || third == 0xa9)) abort(); /* U+2028, U+2029 */
        if (c == 0xef && next == 0xbb && third == 0xbf) abort();                    /* byte order mark */
        if (c == 0xef && next == 0xbf && third >= 0xbe) abort();                    /* U+FFFE, U+FFFF */
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct json_limits limits = {.bytes = 1 << 16, .depth = 60};
    struct val v = val_none;
    if (!json_parse(slice_of(data, size), &limits, &v, NULL)) return 0;
    struct buf out, again;
    buf_init(&out, 1 << 24);
    buf_init(&again, 1 << 24);
    if (!yaml_write(&out, &v, NULL) || !yaml_write(&again, &v, NULL)) abort();
    if (!slice_eq(buf_slice(&out), buf_slice(&again))) abort();
    check(buf_slice(&out));
    buf_release(&out);
    buf_release(&again);
    val_unref(&v);
    return 0;
}
