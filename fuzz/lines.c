/* lines.c - any bytes as lines: the law of division, the limit, and that each line can be written and read again.
 *
 * First byte: the cuts. Second: the limit. */
#include "protocols/lines.h"

#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_line(struct slice line, size_t max, struct buf *out) {
    struct buf again;
    struct lines l;
    struct slice read;
    struct err e = ERR_INIT;
    must(line.len && line.len <= max && slice_find(line, '\n') == line.len);
    buf_printf(out, "%zu:", line.len);
    buf_add(out, line);
    buf_init(&again, line.len + 1);
    lines_init(&l, line.len);
    if (lines_write(&again, line, &e)) {
        struct fed fed = lines_feed(&l, buf_slice(&again), &read, &e);
        must(fed.step == STEP_EVENT && fed.used == again.len && slice_eq(read, line));
    } else
        must(line.ptr[line.len - 1] == '\r');
    lines_release(&l);
    buf_release(&again);
}

static void read_all(struct slice in, size_t max, size_t step, struct buf *out) {
    struct lines l;
    struct slice line;
    struct err e = ERR_INIT;
    enum step now = STEP_MORE;
    lines_init(&l, max);
    while (now == STEP_MORE && in.len) {
        struct slice piece = slice_head(in, step);
        in = slice_skip(in, piece.len);
        do {
            struct fed fed = lines_feed(&l, piece, &line, &e);
            now = fed.step;
            piece = slice_skip(piece, fed.used);
            if (now == STEP_EVENT) check_line(line, max, out);
        } while (now == STEP_EVENT);
    }
    if (now == STEP_MORE && (now = lines_eof(&l, &line, &e)) == STEP_EVENT) check_line(line, max, out);
    buf_printf(out, "%d %zu", now, now == STEP_BAD ? e.at : 0);
    lines_release(&l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2 || size > 1u << 16) return 0;
    struct slice in = slice_of(data + 2, size - 2);
    struct buf whole, cut;
    buf_init(&whole, 1u << 22);
    buf_init(&cut, 1u << 22);
    read_all(in, data[1], SIZE_MAX, &whole);
    read_all(in, data[1], 1 + data[0] % 16u, &cut);
    must(slice_eq(buf_slice(&whole), buf_slice(&cut)));
    buf_release(&whole);
    buf_release(&cut);
    return 0;
}
