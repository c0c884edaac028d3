/* snapshot.c - any bytes as a snapshot: the law of division; and what is accepted survives writing. */
#include "base/mem.h"
#include "protocols/cbor.h"
#include "state/snapfile.h"

#include <stdlib.h>
#include <zlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST (1u << 20)

struct seen {
    bool good, told;
    struct err e;
    struct val root;
    uint64_t revision;
};

static struct seen play(struct slice bytes, size_t step) {
    struct seen s = {.e = ERR_INIT, .root = val_none};
    struct snapfile *f = snapfile_new(MOST);
    if (!f) abort();
    s.good = true;
    while (bytes.len && s.good) {
        struct fed fed = snapfile_feed(f, slice_head(bytes, step), &s.e);
        bytes = slice_skip(bytes, fed.used);
        if (fed.step == STEP_BAD) s.good = false;
        if (fed.step != STEP_EVENT) continue;
        if (s.told || !snapfile_about_of(f)) abort();
        s.told = true;
        s.revision = snapfile_about_of(f)->revision;
    }
    if (s.good) s.good = snapfile_eof(f, &s.e);
    if (s.good) {
        struct buf head;
        buf_init(&head, MOST);
        if (!snapfile_write_head(&head, snapfile_about_of(f), NULL)) abort();
        buf_release(&head);
        s.root = snapfile_take(f);
        if (val_is_none(&s.root)) abort();
    }
    snapfile_free(f);
    return s;
}

static uint32_t be32(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static void put_sum(uint8_t *p, uLong sum) {
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(sum >> (24 - 8 * i));
}

/* Makes all checksums right, so that what is behind them is reached too. */
static void mend(uint8_t *p, size_t n) {
    if (n < 20) return;
    size_t len = be32(p + 8);
    if (len > n - 20) return;
    memcpy(p, "SBSNAP1\n", 8);
    put_sum(p + 12, crc32(0, p + 20, (uInt)len));
    put_sum(p + 16, crc32(0, p, 16));
    for (size_t at = 20 + len; at + 8 <= n;) {
        len = be32(p + at);
        if (!len && at + 16 <= n) put_sum(p + at + 12, crc32(0, p + at, 12));
        if (!len || len > n - at - 8) return;
        put_sum(p + at + 4, crc32(crc32(0, p + at, 4), p + at + 8, (uInt)len));
        at += 8 + len;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1 || size > 1 << 16) return 0;
    uint8_t *copy = malloc(size);
    if (!copy) abort();
    memcpy(copy, data + 1, size - 1);
    if (data[0] & 1) mend(copy, size - 1);
    struct slice bytes = slice_of(copy, size - 1);
    struct seen a = play(bytes, SIZE_MAX), b = play(bytes, 1 + data[0] % 29);
    if (a.good != b.good || a.told != b.told || a.revision != b.revision) abort();
    if (!a.good && (a.e.at != b.e.at || a.e.code != b.e.code || strcmp(a.e.text, b.e.text) != 0)) abort();
    if (a.good && !val_equal(&a.root, &b.root)) abort();
    val_unref(&a.root);
    val_unref(&b.root);
    free(copy);
    return 0;
}
