/* blake3.c - the widest road over any cut of any bytes says what the plain road says of the whole, in every mode and however much is
 * asked for.
 *
 * Bytes: mode; length (three of them: the rest is repeated up to it); seed of the cuts; then the input. */
#include "protocols/blake3.h"
#include "base/must.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void begin(struct blake3 *b, unsigned mode, struct slice in) {
    uint8_t key[BLAKE3_KEY] = {0};
    memcpy(key, in.ptr, in.len < sizeof key ? in.len : sizeof key);
    if (mode == 0)
        blake3_init(b);
    else if (mode == 1)
        blake3_init_keyed(b, key);
    else
        blake3_init_derive(b, in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t text[256 * 1024];
    if (size < 6) return 0;
    struct slice in = slice_of(data + 5, size - 5);
    size_t len = ((size_t)data[1] << 16 | (size_t)data[2] << 8 | data[3]) % ((size_t)1024 << data[4] % 9);
    for (size_t i = 0; i < len; i++) text[i] = in.ptr[i % in.len];
    uint64_t seed = data[4];
    uint8_t want[200], got[200];
    struct blake3 plain, wide;
    begin(&plain, data[0] % 3, in);
    begin(&wide, data[0] % 3, in);
    const unsigned most = wide.lanes;
    plain.lanes = 1;
    blake3_add(&plain, slice_of(text, len));
    for (size_t at = 0, n; at < len; at += n) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        n = 1 + (size_t)(seed >> 33) % ((size_t)1 << (seed >> 50) % 18);
        if (seed >> 49 & 1) n = (n + 1023) & ~(size_t)1023;
        if (n > len - at) n = len - at;
        wide.lanes = most >> (seed >> 47 & 3) > 2 ? most >> (seed >> 47 & 3) : 1;
        blake3_add(&wide, slice_of(text + at, n));
    }
    blake3_end(&plain, want, sizeof want);
    blake3_end(&wide, got, sizeof got);
    must(!memcmp(want, got, sizeof want));
    size_t part = data[4] % sizeof got;
    memset(got, 0, sizeof got);
    blake3_end(&wide, got, part);
    must(!memcmp(want, got, part));
    return 0;
}
