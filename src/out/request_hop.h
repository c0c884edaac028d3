/* request_hop.h - where a request goes: a URL of http or https, brought into one form, and what a Location makes of it.
 *
 * Owns: its text.
 * Tried: tests/out/parts, tests/out/request. */
#ifndef OUT_REQUEST_HOP_H
#define OUT_REQUEST_HOP_H

#include "protocols/url.h"

struct hop {
    struct buf text; /* scheme and host in lower case, no default port, no user, no fragment, a path */
    struct url url;  /* of it */
    bool secure;
    uint16_t port;
};

void hop_init(struct hop *h);
void hop_release(struct hop *h);
/* `userinfo` (of the text; empty: none) is NULL where there may not be any. On failure the hop is empty. */
bool hop_set(struct hop *h, struct slice text, struct slice *userinfo, struct err *e);
/* Goes where a Location field says; on failure it stays where it is. */
bool hop_follow(struct hop *h, struct slice location, struct err *e);
/* host or host:port, an IPv6 address in brackets. `always`: the port also when it is the usual one. */
bool hop_write_authority(struct buf *out, const struct hop *h, bool always);
/* For sentences: without the query, which may hold secrets; cut. */
struct hop_name {
    char text[104];
};
struct hop_name hop_name(const struct hop *h);

#endif
