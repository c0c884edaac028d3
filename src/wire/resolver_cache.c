/* resolver_cache.c - see resolver_cache.h. */
#include "wire/resolver_cache.h"

#include "base/mem.h"
#include "base/must.h"
#include "protocols/dns_record.h"

/* --- sets --- */

size_t resolver_width(uint16_t type) {
    return type == DNS_TYPE_AAAA ? 16 : 4;
}

static size_t set_size(const struct resolver_set *s) {
    return sizeof *s + s->key_len + s->name_len + s->n * resolver_width(s->type);
}

struct resolver_set *resolver_set_new(const struct dns_name *key, uint16_t type, const struct dns_name *name,
                                      const uint8_t *addresses, size_t n, int64_t until_ms) {
    must(n <= LIMIT_RESOLVE_ADDRESSES);
    struct resolver_set head = {.refs = 1,
                                .type = type,
                                .exists = true,
                                .key_len = key->len,
                                .name_len = name->len,
                                .n = (uint8_t)n,
                                .until_ms = until_ms};
    struct resolver_set *s = mem_get(set_size(&head));
    if (!s) return NULL;
    *s = head;
    memcpy(s->bytes, key->bytes, key->len);
    memcpy(s->bytes + key->len, name->bytes, name->len);
    if (n) memcpy(s->bytes + key->len + name->len, addresses, n * resolver_width(type));
    return s;
}

struct resolver_set *resolver_set_ref(struct resolver_set *s) {
    s->refs++;
    return s;
}

void resolver_set_unref(struct resolver_set *s) {
    if (s && --s->refs == 0) mem_put(s, set_size(s));
}

struct address resolver_set_address(const struct resolver_set *s, size_t i) {
    struct address a = {0};
    const uint8_t *ip = s->bytes + s->key_len + s->name_len + i * resolver_width(s->type);
    if (s->type == DNS_TYPE_AAAA) {
        a.v6.sin6_family = AF_INET6;
        memcpy(&a.v6.sin6_addr, ip, 16);
        a.len = sizeof a.v6;
    } else {
        a.v4.sin_family = AF_INET;
        memcpy(&a.v4.sin_addr, ip, 4);
        a.len = sizeof a.v4;
    }
    return a;
}

struct dns_name resolver_set_name(const struct resolver_set *s) {
    struct dns_name name = {.len = s->name_len};
    memcpy(name.bytes, s->bytes + s->key_len, s->name_len);
    return name;
}

/* --- the cache --- */

static uint32_t hash_key(const struct resolver_cache *c, const uint8_t *key, size_t len, uint16_t type) {
    uint32_t h = c->seed ^ type * 0x9e3779b1u;
    for (size_t i = 0; i < len; i++) {
        h = (h ^ key[i]) * 0x85ebca6bu;
        h ^= h >> 13;
    }
    return h ^ h >> 16;
}

static struct resolver_set **find_place(struct resolver_cache *c, uint32_t hash, const uint8_t *key, size_t len,
                                        uint16_t type) {
    struct resolver_set **at = &c->bucket[hash % RESOLVER_BUCKETS];
    while (*at &&
           ((*at)->hash != hash || (*at)->type != type || (*at)->key_len != len || memcmp((*at)->bytes, key, len) != 0))
        at = &(*at)->next;
    return at;
}

static void link_newest(struct resolver_cache *c, struct resolver_set *s) {
    s->older = c->newest;
    s->newer = NULL;
    if (c->newest)
        c->newest->newer = s;
    else
        c->oldest = s;
    c->newest = s;
}

static void unlink_use(struct resolver_cache *c, struct resolver_set *s) {
    if (s->older)
        s->older->newer = s->newer;
    else
        c->oldest = s->newer;
    if (s->newer)
        s->newer->older = s->older;
    else
        c->newest = s->older;
}

static void drop(struct resolver_cache *c, struct resolver_set **at) {
    struct resolver_set *s = *at;
    must(s != NULL); /* whatever is in the list of use is in its bucket */
    *at = s->next;
    unlink_use(c, s);
    c->n--;
    resolver_set_unref(s);
}

struct resolver_set *resolver_cache_find(struct resolver_cache *c, const struct dns_name *key, uint16_t type,
                                         int64_t now_ms) {
    struct resolver_set **at = find_place(c, hash_key(c, key->bytes, key->len, type), key->bytes, key->len, type);
    if (*at && (*at)->until_ms <= now_ms)
        drop(c, at);
    else if (*at) {
        struct resolver_set *s = *at;
        unlink_use(c, s);
        link_newest(c, s);
        return s;
    }
    return NULL;
}

void resolver_cache_put(struct resolver_cache *c, struct resolver_set *s) {
    s->hash = hash_key(c, s->bytes, s->key_len, s->type);
    struct resolver_set **at = find_place(c, s->hash, s->bytes, s->key_len, s->type);
    if (*at) drop(c, at);
    s->next = c->bucket[s->hash % RESOLVER_BUCKETS];
    c->bucket[s->hash % RESOLVER_BUCKETS] = resolver_set_ref(s);
    link_newest(c, s);
    c->n++;
    struct resolver_set *old = c->n > LIMIT_RESOLVER_CACHE ? c->oldest : NULL;
    if (old) drop(c, find_place(c, old->hash, old->bytes, old->key_len, old->type));
}

void resolver_cache_clear(struct resolver_cache *c) {
    for (size_t i = 0; i < RESOLVER_BUCKETS; i++)
        while (c->bucket[i]) drop(c, &c->bucket[i]);
}
