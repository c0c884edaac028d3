/* feed_door.c - see feed_door.h. */
#include "http/feed_door.h"

static bool send_text(void *line, struct slice text) {
    struct websocket_peer *w = line;
    if (websocket_send(w, WEBSOCKET_OP_TEXT, text)) return true;
    websocket_owe_drained(w);
    return false;
}

static bool send_frames(void *line, struct shared *frames) {
    struct websocket_peer *w = line;
    if (websocket_send_frame(w, frames)) return true;
    websocket_owe_drained(w);
    return false;
}

/* A reason must be UTF-8 when it is cut. */
static struct slice cut(struct slice text) {
    size_t n = text.len < WEBSOCKET_REASON_MAX ? text.len : WEBSOCKET_REASON_MAX;
    while (n && n < text.len && (text.ptr[n] & 0xc0) == 0x80) n--;
    return slice_head(text, n);
}

static void end_line(void *line, const struct err *why) {
    struct websocket_peer *w = line;
    if (!why)
        websocket_close(w, WEBSOCKET_CLOSE_NORMAL, LIT("complete"));
    else
        websocket_close(w, why->code == ERR_AUTHORIZATION ? WEBSOCKET_CLOSE_POLICY : WEBSOCKET_CLOSE_INTERNAL,
                        cut(slice_str(why->text)));
}

static const struct feed_line_ops ops = {send_text, send_frames, end_line};

static bool admit(struct http_exchange *x, const struct http_request *r, void **mine, struct err *e) {
    const struct websocket_door *door = http_arg(x);
    const struct feed_door *d = door->arg;
    struct slice guid = slice_skip(r->head->path, sizeof "/ws/rpc/" - 1);
    return (*mine = feed_claim(d->feeds, guid)) != NULL || err_set(e, ERR_NOT_FOUND, "Not Found");
}

static void dropped(void *mine) {
    feed_left(mine);
}

static void opened(struct websocket_peer *w) {
    feed_opened(*websocket_mine(w), &ops, w);
}

static void came(struct websocket_peer *w, enum websocket_op op, struct slice data) {
    feed_came(*websocket_mine(w), op == WEBSOCKET_OP_TEXT, data);
}

static void drained(struct websocket_peer *w) {
    feed_drained(*websocket_mine(w));
}

static void left(struct websocket_peer *w) {
    feed_left(*websocket_mine(w));
}

void feed_door_init(struct feed_door *d, struct feeds *feeds) {
    d->feeds = feeds;
    d->door = (struct websocket_door){.admit = admit,
                                      .dropped = dropped,
                                      .open = opened,
                                      .drained = drained,
                                      .message = came,
                                      .gone = left,
                                      .arg = d};
}
