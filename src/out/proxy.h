/* proxy.h - which proxy stands between us and a host, as the environment says it: http_proxy, https_proxy, all_proxy, no_proxy.
 *
 * Names are looked for in lower case first, then in upper case; a name that is there and empty says "none". A value is
 *   [http://][user:password@]host[:port], port 80 unless it is said. Proxies reached by TLS and SOCKS are not spoken.
 * no_proxy: a list divided by commas or blanks. "*": never a proxy. "example.org" and ".example.org": that host and all below it.
 *   An address: that address. "192.168.0.0/16", "fd00::/8": the addresses in it (names are not resolved for this). Any of these
 *   but the last with ":port" behind it counts for that port only; an IPv6 address stands in brackets then.
 * Never: reads the environment itself; the caller hands it in.
 * Tried: tests/out/parts. */
#ifndef OUT_PROXY_H
#define OUT_PROXY_H

#include "base/buf.h"
#include "base/err.h"

struct proxies;

struct proxy {
    struct slice host;
    struct slice credentials; /* "Basic dXNlcjpwdw==", or empty */
    uint16_t port;
};

/* environment: "NAME=value" texts, then NULL, as `environ` is. Not kept. A value that is not understood is refused here,
 * before anything goes a way that was not meant. */
struct proxies *proxies_new(const char *const *environment, struct err *e);
/* NULL is allowed. */
void proxies_free(struct proxies *p);
/* NULL: none, go straight. Lives as long as p. `secure`: for https. The host is without brackets. p may be NULL. */
const struct proxy *proxies_find(const struct proxies *p, bool secure, struct slice host, uint16_t port);

/* "user:password" out of a URL, as the value of an Authorization field (RFC 7617). Appends it, or nothing. */
bool proxy_credentials(struct buf *out, struct slice userinfo, struct err *e);

#endif
