/* resolver_conf.h - what resolv.conf and hosts say, read from their texts; and what may be the name of a host.
 *
 * resolv.conf: nameserver (IPv4, IPv6, with zone), search, domain, options ndots, timeout, attempts, rotate, with the bounds
 *   glibc has. Everything else, and lines that are not understood, are passed over. Without a nameserver: 127.0.0.1.
 * hosts: an address and any number of names a line; a name on several lines has all their addresses.
 * Never: fails because of what a text says; only over its length or without memory.
 * Tried: tests/wire/resolver, fuzz/resolvconf. */
#ifndef WIRE_RESOLVER_CONF_H
#define WIRE_RESOLVER_CONF_H

#include "base/limits.h"
#include "loop/listen.h"
#include "protocols/dns_name.h"

struct resolver_conf {
    struct address server[LIMIT_RESOLV_SERVERS];
    size_t server_n; /* at least 1 */
    struct dns_name search[LIMIT_RESOLV_SEARCH];
    size_t search_n;
    unsigned ndots, timeout_s, attempts;
    bool rotate;
};
/* False: over a limit. */
bool resolver_conf_read(struct resolver_conf *c, struct slice text, uint16_t port, struct err *e);

struct hosts_entry;

struct resolver_hosts {
    /* The fields are the room's. */
    struct hosts_entry *entry;
    uint32_t n, cap;
    struct buf names;
    uint32_t *bucket;
    uint32_t bucket_n;
};
/* False: over a limit, or no memory; then there is nothing to release. */
bool resolver_hosts_read(struct resolver_hosts *h, struct slice text, struct err *e);
void resolver_hosts_release(struct resolver_hosts *h);
/* Up to `room` addresses of a name in lower case, of the wanted families (RESOLVE_*), in the order of the text. *known: the name
 * stands there, whatever its families. */
size_t resolver_hosts_find(const struct resolver_hosts *h, const struct dns_name *name, unsigned want,
                           struct address *out, size_t room, bool *known);

/* An IPv4 or IPv6 address in text, without port; brackets and a zone are allowed for IPv6. */
bool host_address_read(struct slice text, struct address *a);
/* A host's name: letters, digits, - and _, labels of 1 to 63 that do not begin with -, 253 in all; not like a number at the end.
 * Comes out in lower case. *absolute (may be NULL): it ends with a dot. */
bool host_name_read(struct slice text, struct dns_name *name, bool *absolute, struct err *e);

#endif
