/* pem.c - any bytes as PEM: the law of division, the limits, and that a block that was read reads the same when it is written again.
 *
 * First byte: the cuts. Second: the limits. */
#include "protocols/pem.h"
#include "base/hex.h"
#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct pem_limits wide = {.bytes = 1 << 20, .blocks = 10};

static void add_block(struct buf *out, const struct pem_block *block) {
    buf_printf(out, "%llu ", (unsigned long long)block->at);
    buf_add(out, block->label);
    buf_byte(out, ' ');
    hex_add(out, block->bytes);
    buf_byte(out, '\n');
}

static void write_again(const struct pem_block *block) {
    struct buf text;
    struct pem p;
    struct pem_block same;
    buf_init(&text, 1 << 20);
    must(pem_write(&text, block->label, block->bytes, NULL) && text.len == pem_len(block->label, block->bytes));
    pem_init(&p, &wide);
    struct fed fed = pem_feed(&p, buf_slice(&text), &same, NULL);
    must(fed.step == STEP_EVENT && fed.used == text.len && slice_eq(same.label, block->label) &&
         slice_eq(same.bytes, block->bytes) && same.at == 0);
    must(pem_eof(&p, &same, NULL) == STEP_END);
    pem_release(&p);
    buf_release(&text);
}

/* The transcript of the bytes in pieces of at most so many. */
static void play(struct slice in, size_t step, const struct pem_limits *limits, struct buf *out) {
    struct pem p;
    struct pem_block block;
    struct err e = ERR_INIT;
    enum step said = STEP_MORE;
    unsigned blocks = 0;
    pem_init(&p, limits);
    while (said != STEP_BAD && said != STEP_END) {
        struct slice piece = slice_head(in, step);
        if (piece.len) {
            struct fed fed = pem_feed(&p, piece, &block, &e);
            must(fed.used <= piece.len && (fed.step != STEP_MORE || fed.used == piece.len));
            in = slice_skip(in, fed.used);
            said = fed.step;
        } else
            said = pem_eof(&p, &block, &e);
        if (said != STEP_EVENT) continue;
        must(block.bytes.len && block.bytes.len <= limits->bytes && ++blocks <= limits->blocks);
        add_block(out, &block);
        if (step == SIZE_MAX) write_again(&block);
    }
    if (said == STEP_BAD) buf_printf(out, "bad %d at %zu: %s", e.code, e.at, e.text);
    pem_release(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2 || size > 1 << 15) return 0;
    struct pem_limits limits = wide;
    struct buf whole, cut;
    if (data[1] & 1) limits.bytes = data[1] >> 1;
    if (data[1] & 1) limits.blocks = data[1] >> 5;
    struct slice in = slice_of(data + 2, size - 2);
    buf_init(&whole, 1 << 20);
    buf_init(&cut, 1 << 20);
    play(in, SIZE_MAX, &limits, &whole);
    play(in, 1 + data[0] % 17, &limits, &cut);
    must(slice_eq(buf_slice(&whole), buf_slice(&cut)));
    buf_release(&whole);
    buf_release(&cut);
    return 0;
}
