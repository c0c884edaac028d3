/* sse_feed.c - see sse_feed.h. */
#include "http/sse_feed.h"

#define EVENT_MOST (1u << 20)

void sse_feed_open(struct http_exchange *x) {
    http_head(x, 200, LIT("text/event-stream"), LIT("Cache-Control: no-cache\r\nX-Accel-Buffering: no\r\n"),
              HTTP_UNKNOWN);
}

bool sse_feed_send(struct http_exchange *x, const struct sse_message *m) {
    struct buf text;
    buf_init(&text, EVENT_MOST);
    bool made = sse_write(&text, m, NULL);
    bool good = made && http_body(x, buf_slice(&text));
    buf_release(&text);
    return good;
}
