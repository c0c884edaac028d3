/* codec_websocket.c - `startbox codec websocket --role server|client [--deflate [no-context]]`: what that
 * side reads after the handshake. See codec.h. */
#include "base/limits.h"
#include "cli/codec.h"
#include "protocols/wsdeflate.h"

#include <stdio.h>

#define SCRATCH 16384 /* bytes unmasked at a time */

struct choice {
    bool role_given, deflate, no_context;
    enum websocket_role role;
};

static bool read_choice(const struct codec_run *run, struct choice *c) {
    for (int i = 0; i < run->argc; i++) {
        const char *word = run->argv[i], *value = i + 1 < run->argc ? run->argv[i + 1] : "";
        if (!strcmp(word, "--role")) {
            c->role_given = true;
            if (!strcmp(value, "server"))
                c->role = WEBSOCKET_SERVER;
            else if (!strcmp(value, "client"))
                c->role = WEBSOCKET_CLIENT;
            else
                return false;
            i++;
        } else if (!strcmp(word, "--deflate")) {
            c->deflate = true;
            if (!strcmp(value, "no-context")) {
                c->no_context = true;
                i++;
            }
        } else
            return false;
    }
    return c->role_given;
}

static void say_message(struct codec_run *run, const struct websocket_event *ev) {
    struct val kind = val_of_str(websocket_op_name(ev->op)), compressed = val_of_bool(ev->compressed);
    if (ev->op == WEBSOCKET_OP_TEXT)
        codec_say(run, VAL_MAP_OF({"event", val_of_str("message")}, {"kind", kind}, {"data", codec_hex(ev->data)},
                                  {"text", val_of_text_checked(ev->data)}, {"compressed", compressed}));
    else
        codec_say(run, VAL_MAP_OF({"event", val_of_str("message")}, {"kind", kind}, {"data", codec_hex(ev->data)},
                                  {"compressed", compressed}));
}

static void say_event(struct codec_run *run, const struct websocket_event *ev) {
    switch (ev->kind) {
    case WEBSOCKET_DATA: say_message(run, ev); break;
    case WEBSOCKET_PING:
    case WEBSOCKET_PONG:
        codec_say(run, VAL_MAP_OF({"event", val_of_str(ev->kind == WEBSOCKET_PING ? "ping" : "pong")},
                                  {"data", codec_hex(ev->data)}));
        break;
    case WEBSOCKET_CLOSED:
        codec_say(run,
                  VAL_MAP_OF({"event", val_of_str("close")}, {"code", ev->code ? val_of_u64(ev->code) : val_null()},
                             {"reason", val_of_text_checked(ev->data)}));
        break;
    }
}

int codec_websocket(struct codec_run *run) {
    struct choice choice = {0};
    if (!read_choice(run, &choice)) {
        fprintf(stderr, "usage: startbox codec websocket --role server|client [--deflate [no-context]]\n");
        return 2;
    }
    const struct websocket_limits limits = {.frame = LIMIT_WS_FRAME,
                                            .message = LIMIT_WS_MESSAGE,
                                            .fragments = LIMIT_WS_FRAGMENTS,
                                            .controls = LIMIT_WS_CONTROLS};
    const struct wsdeflate_params params = {.server_bits = WSDEFLATE_BITS_MAX,
                                            .client_bits = WSDEFLATE_BITS_MAX,
                                            .server_no_context = choice.no_context,
                                            .client_no_context = choice.no_context};
    uint8_t scratch[SCRATCH];
    struct wsmessage m;
    struct err e = ERR_INIT;
    int code = 0;
    wsmessage_init(&m, choice.role, &limits, choice.deflate ? &params : NULL, scratch, sizeof scratch);
    enum step step = STEP_MORE;
    while (step == STEP_MORE) {
        struct slice piece = codec_piece(run);
        bool over = piece.len == 0;
        do {
            struct websocket_event ev = {0};
            struct fed fed = wsmessage_feed(&m, piece, &ev, &e);
            piece = slice_skip(piece, fed.used);
            step = fed.step;
            if (step == STEP_EVENT) say_event(run, &ev);
        } while (step == STEP_EVENT);
        if (over) break;
    }
    if (step == STEP_BAD)
        code = codec_say_bad(run, m.ws.close_code, &e);
    else if (!wsmessage_eof(&m))
        codec_say_need(run);
    wsmessage_release(&m);
    return code;
}
