/* journal.c - any bytes as the one segment behind a small snapshot: no crash, no loop, no read out of bounds, every byte wanted at most
 * once or so, and nothing but a tree that its own records lead to. The first byte says in which state the disk is. */
#include "state/written.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1 || size > 1 << 16) return 0;
    struct written w = {.version = 1};
    written_note(&w, 1);
    written_snapshot(&w, WRITTEN_STORE, 1, 1, "testd");
    written_segment(&w, 1, 0);
    if (!buf_add(w.segment, slice_of(data + 1, size - 1))) abort();
    /* Heads whose checksums and marks are wrong are made right when the first byte says so: else nothing gets behind them. */
    if (data[0] & 1 && size > 512) {
        uint8_t *p = w.segment->ptr;
        memcpy(p, "SBJRNL1\n", 8);
        written_put(p + 32, WRITTEN_STORE, 8);
        written_put(p + 44, written_sum(p, 44), 4);
        for (size_t at = 512; at + 44 <= w.segment->len; at++) {
            p = w.segment->ptr + at;
            if (memcmp(p, "SBr", 3) != 0) continue;
            uint32_t len = (uint32_t)p[8] << 24 | (uint32_t)p[9] << 16 | (uint32_t)p[10] << 8 | p[11];
            if (len <= w.segment->len - at - 44) written_put(p + 12, written_sum(p + 44, len), 4);
            written_put(p + 16, written_mark(WRITTEN_STORE, 1), 8);
            written_put(p + 40, written_sum(p, 40), 4);
        }
    }
    struct recover_config config = {.name = "testd", .version = 1, .most = WRITTEN_BYTES};
    config.all = data[0] & 2;
    config.past_damage = data[0] & 4;
    struct written_trouble t = {.file = 1};
    if (data[0] & 8) {
        t.from = data[0] >> 4 << 10;
        t.to = t.from + 1;
    }
    struct recover_result r;
    struct err e = ERR_INIT;
    if (!written_recover(&w, &config, &t, &r, &e)) abort();
    if (r.refused || r.empty) abort();
    if (r.damaged && (!r.why.text[0] || !r.finding_n)) abort();
    if (val_is_none(&r.root) == (!r.damaged || config.past_damage)) abort();
    if (r.revision < 1 || r.journalled > r.revision || r.next_serial != 2) abort();
    /* Twice in small pieces, once in large ones, and what lies across two. */
    if (t.bytes > 4 * size + (1 << 18)) abort();
    recover_result_release(&r);
    written_free(&w);
    return 0;
}
