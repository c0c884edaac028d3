/* sse.c - any bytes as an event stream: the law of division, the limits, and that every event can be written
 * and read again.
 *
 * First two bytes: the cuts and the limits. */
#include "protocols/sse.h"

#include "base/must.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_written(const struct sse_event *ev, struct buf *out, struct sse *s) {
    const struct sse_message m = {.type = ev->type, .data = ev->data, .id = ev->id.ptr ? ev->id : LIT("")};
    struct sse_event again;
    struct err e = ERR_INIT;
    buf_reset(out);
    must(sse_write_comment(out, ev->data, &e) && sse_write(out, &m, &e));
    struct fed fed = sse_feed(s, buf_slice(out), &again, &e);
    must(fed.step == STEP_EVENT && fed.used == out->len && slice_eq(again.type, ev->type));
    must(slice_eq(again.id, ev->id));
    /* Data of an event has no CR, so it comes back as it was. */
    must(slice_eq(again.data, ev->data));
}

static void read_all(const uint8_t *h, struct slice in, unsigned step, struct buf *out) {
    const struct sse_limits limits = {8 + h[1] * 4u, 8 + h[1] * 6u}, wide = {1u << 20, 1u << 20};
    struct sse s, other;
    struct err e = ERR_INIT;
    struct buf written;
    enum step now = STEP_MORE;
    sse_init(&s, &limits);
    sse_init(&other, &wide);
    buf_init(&written, 1u << 20);
    while (now == STEP_MORE && in.len) {
        struct slice piece = step ? slice_head(in, step) : in;
        in = slice_skip(in, piece.len);
        do {
            struct sse_event ev;
            struct fed fed = sse_feed(&s, piece, &ev, &e);
            now = fed.step;
            piece = slice_skip(piece, fed.used);
            if (now != STEP_EVENT) continue;
            must(ev.data.len + (slice_eq(ev.type, LIT("message")) ? 0 : ev.type.len) <= limits.event);
            must(utf8_ok(ev.data) && utf8_ok(ev.type) && utf8_ok(ev.id));
            buf_printf(out, "[%zu %zu %zu]", ev.type.len, ev.data.len, ev.id.len);
            buf_add(out, ev.type);
            buf_add(out, ev.data);
            buf_add(out, ev.id);
            check_written(&ev, &written, &other);
        } while (now == STEP_EVENT);
        must(now == STEP_BAD || !piece.len);
    }
    buf_printf(out, "%d %zu %s %llu %d", now, now == STEP_BAD ? e.at : sse_eof(&s), e.limit ? e.limit : "",
               (unsigned long long)s.retry_ms, s.has_retry);
    sse_release(&s);
    sse_release(&other);
    buf_release(&written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2 || size > 1u << 16) return 0;
    struct buf whole, cut;
    buf_init(&whole, 1u << 24);
    buf_init(&cut, 1u << 24);
    read_all(data, slice_of(data + 2, size - 2), 0, &whole);
    read_all(data, slice_of(data + 2, size - 2), 1 + data[0] % 16u, &cut);
    must(slice_eq(buf_slice(&whole), buf_slice(&cut)));
    buf_release(&whole);
    buf_release(&cut);
    return 0;
}
