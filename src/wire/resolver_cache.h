/* resolver_cache.h - what a question came to, kept as long as its time to live says. Private to the resolver.
 *
 * A set is the addresses of one name in one family, or the knowledge that there are none. It is shared by the cache and by
 * everybody who asked, and never changes.
 * Owns (the cache): one reference of each set in it; at most LIMIT_RESOLVER_CACHE, the one used longest ago leaves first.
 * Tried: tests/wire/resolver. */
#ifndef WIRE_RESOLVER_CACHE_H
#define WIRE_RESOLVER_CACHE_H

#include "base/limits.h"
#include "loop/listen.h"
#include "protocols/dns_name.h"

#define RESOLVER_BUCKETS 256

struct resolver_set {
    struct resolver_set *next;          /* in its bucket */
    struct resolver_set *older, *newer; /* by use */
    uint32_t refs, hash;
    uint16_t type;
    bool exists; /* the name does, be it without an address */
    uint8_t key_len, name_len, n;
    int64_t until_ms;
    uint8_t bytes[]; /* the name asked for, the name at the end of aliases, n addresses of 4 or 16 bytes */
};

/* `addresses`: n of them, 4 or 16 bytes each by the type. NULL: no memory. */
struct resolver_set *resolver_set_new(const struct dns_name *key, uint16_t type, const struct dns_name *name,
                                      const uint8_t *addresses, size_t n, int64_t until_ms);
struct resolver_set *resolver_set_ref(struct resolver_set *s);
void resolver_set_unref(struct resolver_set *s); /* NULL is allowed */
struct address resolver_set_address(const struct resolver_set *s, size_t i);
struct dns_name resolver_set_name(const struct resolver_set *s);
/* Bytes of one address of the type. */
size_t resolver_width(uint16_t type);

struct resolver_cache {
    struct resolver_set *bucket[RESOLVER_BUCKETS];
    struct resolver_set *oldest, *newest;
    unsigned n;
    uint32_t seed; /* of the hash: names are chosen by strangers */
};
/* A borrowed set that still holds, which is the newest then; NULL: not known. */
struct resolver_set *resolver_cache_find(struct resolver_cache *c, const struct dns_name *key, uint16_t type,
                                         int64_t now_ms);
/* Takes a reference of its own, and the place of what was there. */
void resolver_cache_put(struct resolver_cache *c, struct resolver_set *s);
void resolver_cache_clear(struct resolver_cache *c);

#endif
