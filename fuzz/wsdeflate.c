/* wsdeflate.c - compressed messages from a hostile peer in any cut, messages compressed and read again, and
 * the handshake's headers.
 *
 * First byte: what is tried, and whether contexts are kept; then the window, the cuts, the limit. */
#include "base/must.h"
#include "protocols/wshandshake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct wsdeflate_params params_of(uint8_t a, uint8_t b) {
    return (struct wsdeflate_params){(uint8_t)(8 + a % 8), (uint8_t)(8 + b % 8), a & 8, b & 8};
}

/* Appends what was understood; the last word is how it ended. */
static void read_all(const uint8_t *h, struct slice in, unsigned step, struct buf *out) {
    const struct websocket_limits limits = {4096, 1 + h[3] * 16u, 100, 100};
    struct wsdeflate_params params = params_of(h[0] >> 2, h[1]);
    struct wsmessage m;
    struct err e = ERR_INIT;
    enum step now = STEP_MORE;
    wsmessage_init(&m, WEBSOCKET_CLIENT, &limits, &params, NULL, 0);
    for (bool over = false; now == STEP_MORE && !over;) {
        struct slice piece = step ? slice_head(in, step) : in;
        over = in.len == 0;
        in = slice_skip(in, piece.len);
        do {
            struct websocket_event ev;
            struct fed fed = wsmessage_feed(&m, piece, &ev, &e);
            now = fed.step;
            piece = slice_skip(piece, fed.used);
            if (now != STEP_EVENT) continue;
            buf_printf(out, "[%d %d %zu]", ev.kind, ev.op, ev.data.len);
            buf_add(out, ev.data);
            must(ev.kind != WEBSOCKET_DATA || ev.data.len <= limits.message);
            must(ev.kind != WEBSOCKET_DATA || ev.op != WEBSOCKET_OP_TEXT || utf8_ok(ev.data));
        } while (now == STEP_EVENT);
    }
    buf_printf(out, "%d %u %zu %s", now, m.ws.close_code, now == STEP_BAD ? e.at : wsmessage_eof(&m),
               e.limit ? e.limit : "");
    wsmessage_release(&m);
}

/* The input, in messages of some size, there and back. */
static void check_written(const uint8_t *h, struct slice in) {
    const struct websocket_limits limits = {1u << 17, 1u << 17, 100, 100};
    struct wsdeflate_params params = params_of(h[0] >> 2, h[1]);
    struct wsdeflate z;
    struct wsmessage m;
    struct err e = ERR_INIT;
    struct buf out;
    buf_init(&out, 1u << 17);
    wsdeflate_init(&z, params.server_bits, 1 + h[2] % 9u, h[2] / 16u % 10, !params.server_no_context);
    wsmessage_init(&m, WEBSOCKET_CLIENT, &limits, &params, NULL, 0);
    for (unsigned i = 0; i < 8; i++) {
        struct websocket_event ev;
        struct slice message = slice_head(in, h[3] * 32u + i * 7);
        in = slice_skip(in, message.len);
        buf_reset(&out);
        must(wsdeflate_write(&z, &out, WEBSOCKET_OP_BINARY, message, NULL, &e));
        struct fed fed = wsmessage_feed(&m, buf_slice(&out), &ev, &e);
        must(fed.step == STEP_EVENT && fed.used == out.len && slice_eq(ev.data, message));
    }
    wsmessage_release(&m);
    wsdeflate_release(&z);
    buf_release(&out);
}

/* Whatever a client's header says: an answer to it holds only what RFC 7692 allows, and is itself read
 * without trouble. */
static void check_header(const uint8_t *h, struct slice in) {
    struct wsdeflate_params ours = params_of(h[1], h[2]), agreed, again;
    struct slice chosen, speak[] = {LIT("a"), LIT("chat")};
    struct buf answer;
    struct err e = ERR_INIT;
    bool found;
    buf_init(&answer, 1000);
    if (wshandshake_choose_protocol(in, speak, 2, &chosen, &e))
        must(!chosen.len || slice_eq(chosen, speak[0]) || slice_eq(chosen, speak[1]));
    if (wshandshake_choose_deflate(in, &ours, &answer, &found, &agreed, &e) && found) {
        must(agreed.server_bits >= 8 && agreed.server_bits <= ours.server_bits && agreed.client_bits >= 8);
        must(agreed.server_no_context || !ours.server_no_context);
        uint8_t accept[WSHANDSHAKE_ACCEPT_LEN];
        wshandshake_accept(LIT("k"), accept);
        struct wshandshake_answer a = {101,
                                       LIT("websocket"),
                                       LIT("upgrade"),
                                       slice_of(accept, sizeof accept),
                                       slice_of(NULL, 0),
                                       buf_slice(&answer)};
        struct wsdeflate_params any = WSHANDSHAKE_PARAMS_INIT;
        must(wshandshake_check_answer(&a, LIT("k"), slice_of(NULL, 0), &any, &found, &again, &e) && found);
        must(again.server_bits == agreed.server_bits && again.client_bits == agreed.client_bits);
    } else
        must(answer.len == 0);
    struct wshandshake_answer a = {101, in, in, in, in, in};
    wshandshake_check_answer(&a, in, in, &ours, &found, &again, &e);
    struct wshandshake_request r = {LIT("GET"), in, in, in, in};
    wshandshake_check_request(&r, &e);
    buf_release(&answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 4 || size > 1u << 16) return 0;
    struct slice in = slice_of(data + 4, size - 4);
    if ((data[0] & 3) == 1)
        check_written(data, in);
    else if ((data[0] & 3) == 2)
        check_header(data, in);
    else {
        struct buf whole, cut;
        buf_init(&whole, 1u << 24);
        buf_init(&cut, 1u << 24);
        read_all(data, in, 0, &whole);
        read_all(data, in, 1 + data[2] % 16u, &cut);
        must(slice_eq(buf_slice(&whole), buf_slice(&cut)));
        buf_release(&whole);
        buf_release(&cut);
    }
    return 0;
}
