/* feed_door.h - feeds carried by WebSockets: GET /ws/rpc/GUID.
 *
 * For: a route (prefix "/ws/rpc/") whose handler is websocket_begin_handler and whose arg is &feed_door.door. The guid is all that must
 *   be shown. One message a frame of text; what is said behind the last is the close: 1000 "complete", or 1011 with the reason, or
 *   1008 when the session was ended.
 * Tried: tests/cli/startd.sh. */
#ifndef HTTP_FEED_DOOR_H
#define HTTP_FEED_DOOR_H

#include "http/websocket_door.h"
#include "rpc/feed.h"

struct feed_door {
    struct feeds *feeds;
    struct websocket_door door;
};
void feed_door_init(struct feed_door *d, struct feeds *feeds);

#endif
