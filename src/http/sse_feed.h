/* sse_feed.h - server-sent events as an endless answer.
 *
 * For: a handler that turned its exchange into a feed and keeps it until `gone`.
 * Never: lets a reader that does not read grow: sse_feed_send is refused then, and the owner should end the feed.
 * Tried: tests/http/server, tests/cli/serve.sh. */
#ifndef HTTP_SSE_FEED_H
#define HTTP_SSE_FEED_H

#include "http/server.h"
#include "protocols/sse.h"

/* Writes the head. The exchange stays open; it ends by http_finish. */
void sse_feed_open(struct http_exchange *x);
/* One event. False: it breaks the grammar or there is no memory for it; or the reader does not read (limit "out"), then the
 * connection is over and `gone` comes. */
bool sse_feed_send(struct http_exchange *x, const struct sse_message *m);

#endif
