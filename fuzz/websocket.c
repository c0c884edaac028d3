/* websocket.c - any bytes, both roles: the law of division, what the limits promise, and that what was
 * understood can be written and read again.
 *
 * First byte: bit 0 role, bit 1 compression agreed on, the rest the scratch; then two for the cuts; then two
 * limits. */
#include "protocols/websocket.h"

#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct story {
    struct buf text; /* the events, pieces of a message glued */
    enum step step;
    size_t at;
    unsigned code;
};

static struct story read_all(const uint8_t *h, struct slice in, uint16_t cuts) {
    const struct websocket_limits limits = {4 + h[3], 4 + h[3] + h[4], 1 + (h[4] & 15), 1 + (h[3] & 7)};
    uint8_t scratch[64];
    struct websocket w;
    struct err e = ERR_INIT;
    struct story s = {.step = STEP_MORE, .at = 0};
    uint64_t message = 0;
    buf_init(&s.text, 1u << 24);
    websocket_init(&w, h[0] & 1 ? WEBSOCKET_CLIENT : WEBSOCKET_SERVER, &limits, h[0] & 2, scratch, 1 + (h[0] >> 2));
    while (s.step == STEP_MORE) {
        size_t n = cuts ? 1 + cuts % 7u : in.len;
        bool over = in.len == 0;
        struct slice piece = slice_head(in, n);
        in = slice_skip(in, n);
        cuts = (uint16_t)(cuts * 25173u + 13849u) | (cuts ? 1 : 0);
        do {
            struct websocket_event ev;
            struct fed fed = websocket_feed(&w, piece, &ev, &e);
            must(fed.used <= piece.len);
            piece = slice_skip(piece, fed.used);
            s.step = fed.step;
            if (s.step != STEP_EVENT) continue;
            if (ev.first || ev.kind != WEBSOCKET_DATA) buf_printf(&s.text, "[%d %d %u]", ev.kind, ev.op, ev.code);
            buf_add(&s.text, ev.data);
            if (ev.kind == WEBSOCKET_DATA) {
                message = ev.first ? ev.data.len : message + ev.data.len;
                must(message <= limits.message + (ev.compressed ? limits.message / 8 + 64 : 0));
                if (ev.last) buf_byte(&s.text, '.');
            } else
                must(ev.data.len <= WEBSOCKET_CONTROL_MAX);
            if (ev.kind == WEBSOCKET_CLOSED) {
                struct buf out;
                buf_init(&out, 200);
                must(websocket_write_close(&out, ev.code, ev.data, NULL, &e));
                buf_release(&out);
            }
        } while (s.step == STEP_EVENT);
        if (over) break;
    }
    s.at = s.step == STEP_BAD ? e.at : websocket_eof(&w);
    s.code = w.close_code;
    must((s.step == STEP_BAD) == (s.code != 0));
    return s;
}

static void check_written(struct slice payload, const uint8_t *mask) {
    const struct websocket_limits limits = {1u << 20, 1u << 20, 1, 1};
    uint8_t scratch[4096];
    struct websocket w;
    struct websocket_event ev;
    struct err e = ERR_INIT;
    struct buf out;
    buf_init(&out, 1u << 20);
    bool text = websocket_write_text(&out, payload, mask, &e);
    must(text == utf8_ok(payload) && (text || out.len == 0));
    if (!text) must(websocket_write_binary(&out, payload, mask, &e));
    websocket_init(&w, mask ? WEBSOCKET_SERVER : WEBSOCKET_CLIENT, &limits, false, scratch, sizeof scratch);
    struct slice in = buf_slice(&out), left = payload;
    do {
        struct fed fed = websocket_feed(&w, in, &ev, &e);
        must(fed.step == STEP_EVENT && slice_starts(left, ev.data));
        must(ev.op == (text ? WEBSOCKET_OP_TEXT : WEBSOCKET_OP_BINARY));
        in = slice_skip(in, fed.used);
        left = slice_skip(left, ev.data.len);
    } while (!ev.last);
    must(!left.len && !in.len);
    buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 5 || size > 1u << 16) return 0;
    struct slice in = slice_of(data + 5, size - 5);
    struct story whole = read_all(data, in, 0), cut = read_all(data, in, (uint16_t)(data[1] << 8 | data[2] | 1));
    must(whole.step == cut.step && whole.at == cut.at && whole.code == cut.code);
    must(slice_eq(buf_slice(&whole.text), buf_slice(&cut.text)));
    buf_release(&whole.text);
    buf_release(&cut.text);
    check_written(in, data[0] & 1 ? data : NULL);
    return 0;
}
