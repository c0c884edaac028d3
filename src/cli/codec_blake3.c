/* codec_blake3.c - `startbox codec blake3`: the hash of standard input, in hexadecimal. See codec.h. */
#include "base/hex.h"
#include "base/limits.h"
#include "base/num.h"
#include "cli/codec.h"
#include "protocols/blake3.h"

#include <stdio.h>

static bool begin(struct blake3 *b, const char *key, const char *context) {
    struct buf bytes;
    buf_init(&bytes, BLAKE3_KEY);
    bool good = !key || (hex_read(&bytes, slice_str(key), NULL) && bytes.len == BLAKE3_KEY && !context);
    if (good && key)
        blake3_init_keyed(b, bytes.ptr);
    else if (good && context)
        blake3_init_derive(b, slice_str(context));
    else
        blake3_init(b);
    buf_release(&bytes);
    return good;
}

int codec_blake3(struct codec_run *run) {
    const char *key = codec_option(run, "key"), *context = codec_option(run, "derive"),
               *text = codec_option(run, "len");
    uint64_t len = BLAKE3_SUM;
    uint8_t sum[LIMIT_BLAKE3_OUT];
    struct blake3 b;
    if (run->argc != 2 * (!!key + !!context + !!text) || !begin(&b, key, context) ||
        (text && !num_read_u64(slice_str(text), 1, sizeof sum, &len))) {
        fprintf(stderr, "usage: startbox codec blake3 [--key HEX | --derive CONTEXT] [--len 1-%zu] < input\n",
                sizeof sum);
        return 2;
    }
    for (struct slice piece; (piece = codec_piece(run)).len;) blake3_add(&b, piece);
    blake3_end(&b, sum, (size_t)len);
    blake3_wipe(&b);
    if (hex_add(&run->out, slice_of(sum, (size_t)len)) && buf_byte(&run->out, '\n')) return 0;
    fprintf(stderr, "startbox codec blake3: out of memory\n");
    return 71;
}
