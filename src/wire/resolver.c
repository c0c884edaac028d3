/* resolver.c - who asks: what a name may be answered with at once, the search list, both families brought together, and the
 * order of addresses. See resolver.h; the wire is resolver_query.c.
 *
 * Every answer is given by a task of the asker's own, so nobody is called from inside anything, and whoever is called may free
 * whatever it likes. */
#include "wire/resolver.h"
#include "base/limits.h"

#include "base/mem.h"
#include "base/must.h"
#include "base/rng.h"
#include "protocols/dns_record.h"
#include "wire/resolver_room.h"

enum stage {
    STAGE_FAILED, /* err says it */
    STAGE_HERE,   /* an address in text */
    STAGE_LOOPBACK,
    STAGE_HOSTS,
    STAGE_ASKING,
};

static const uint16_t type_of[2] = {DNS_TYPE_A, DNS_TYPE_AAAA}; /* by part; the bit of RESOLVE_* is 1 << part */

/* --- the resolver --- */

static bool read_config(const struct resolver_config *config, struct resolver_conf *conf, struct resolver_hosts *hosts,
                        struct err *e) {
    return resolver_conf_read(conf, config->resolv_conf, config->port ? config->port : 53, e) &&
           resolver_hosts_read(hosts, config->hosts, e);
}

struct resolver *resolver_new(struct loop *l, const struct resolver_config *config, struct err *e) {
    struct resolver *r = mem_get_zero(sizeof *r);
    if (!r) {
        err_nomem(e, "the resolver");
        return NULL;
    }
    r->loop = l;
    rng_bytes(&r->cache.seed, sizeof r->cache.seed);
    if (read_config(config, &r->conf, &r->hosts, e)) return r;
    mem_put(r, sizeof *r);
    return NULL;
}

bool resolver_configure(struct resolver *r, const struct resolver_config *config, struct err *e) {
    struct resolver_conf conf;
    struct resolver_hosts hosts;
    if (!read_config(config, &conf, &hosts, e)) return false;
    resolver_hosts_release(&r->hosts);
    r->conf = conf;
    r->hosts = hosts;
    memset(r->server, 0, sizeof r->server);
    resolver_cache_clear(&r->cache);
    resolver_query_restart_all(r);
    return true;
}

void resolver_free(struct resolver *r) {
    if (!r) return;
    must(r->askers == 0);
    resolver_query_drop_all(r);
    resolver_cache_clear(&r->cache);
    resolver_hosts_release(&r->hosts);
    mem_put(r, sizeof *r);
}

struct resolver_stats resolver_stats(const struct resolver *r) {
    struct resolver_stats s = r->stats;
    s.asking = r->query_n;
    s.sockets = r->under_way;
    s.remember = r->cache.n;
    return s;
}

/* --- the order of addresses --- */

/* RFC 6724 2.1. */
static int precedence(const struct address *a) {
    if (a->any.sa_family != AF_INET6) return 35;
    const struct in6_addr *ip = &a->v6.sin6_addr;
    const uint8_t *b = ip->s6_addr;
    if (IN6_IS_ADDR_LOOPBACK(ip)) return 50;
    if (IN6_IS_ADDR_V4MAPPED(ip)) return 35;
    if (b[0] == 0x20 && b[1] == 0x02) return 30;                          /* 6to4 */
    if (b[0] == 0x20 && b[1] == 0x01 && b[2] == 0 && b[3] == 0) return 5; /* Teredo */
    if ((b[0] & 0xfe) == 0xfc) return 3;                                  /* unique local */
    if (IN6_IS_ADDR_V4COMPAT(ip) || IN6_IS_ADDR_SITELOCAL(ip)) return 1;  /* long out of use, as the next */
    return b[0] == 0x3f && b[1] == 0xfe ? 1 : 40;
}

/* By insertion: they are few, and equal ones keep their order. */
static void sort_addresses(struct address *a, size_t n) {
    for (size_t i = 1; i < n; i++) {
        struct address moved = a[i];
        size_t k = i;
        for (; k > 0 && precedence(&a[k - 1]) < precedence(&moved); k--) a[k] = a[k - 1];
        a[k] = moved;
    }
}

/* --- ending --- */

static void forget_parts(struct resolve *r) {
    for (int i = 0; i < 2; i++) {
        resolver_query_leave(&r->parts[i]);
        resolver_set_unref(r->parts[i].set);
        r->parts[i].set = NULL;
        r->parts[i].failed = false;
    }
}

void resolve_cancel(struct resolve *r) {
    if (!r->resolver) return;
    forget_parts(r);
    loop_timer_clear(&r->timer);
    loop_task_remove(&r->task);
    r->resolver->askers--;
    r->resolver = NULL;
}

/* Calls `part` or, when it is whole, `done`; the question is over then, and may be gone. */
static void deliver(struct resolve *r, struct address *address, size_t n, uint32_t ttl_s, const struct dns_name *name,
                    bool whole) {
    uint8_t text_bytes[DNS_NAME_TEXT];
    struct buf text = {.ptr = text_bytes, .cap = sizeof text_bytes, .max = sizeof text_bytes};
    struct err e = ERR_INIT;
    if (!n) e = r->err;
    if (n && name) dns_name_add(&text, name);
    sort_addresses(address, n);
    struct resolve_answer answer = {
        .address = address, .n = n, .whole = whole, .ttl_s = ttl_s, .name = buf_slice(&text), .err = &e};
    if (!whole) {
        r->part(r, &answer);
        return;
    }
    resolve_cancel(r);
    r->done(r, &answer);
}

static void deliver_error(struct resolve *r) {
    deliver(r, NULL, 0, 0, NULL, true);
}

static void say_no_address(struct resolve *r, const char *name) {
    err_set(&r->err, ERR_NOT_FOUND, "%s has no %saddress", name,
            r->want == RESOLVE_BOTH ? ""
            : r->want == RESOLVE_V4 ? "IPv4 "
                                    : "IPv6 ");
}

/* Addresses that no server told. */
static void deliver_known(struct resolve *r, struct address *address, size_t n, const struct dns_name *name) {
    if (!n) say_no_address(r, name ? resolver_text(name).text : "a host of the other family");
    deliver(r, address, n, 0, name, true);
}

static void deliver_parts(struct resolve *r, bool whole) {
    struct address address[2 * LIMIT_RESOLVE_ADDRESSES];
    struct dns_name name = DNS_NAME_ROOT;
    int64_t left_ms = INT64_MAX, now = loop_now_ms(r->resolver->loop);
    size_t n = 0;
    for (int i = 0; i < 2; i++) {
        const struct resolver_set *set = r->parts[i].set;
        if (!set || !set->n) continue;
        for (size_t k = 0; k < set->n; k++) address[n++] = resolver_set_address(set, k);
        name = resolver_set_name(set);
        if (set->until_ms - now < left_ms) left_ms = set->until_ms - now;
    }
    deliver(r, address, n, left_ms < 0 ? 0 : (uint32_t)(left_ms / 1000), &name, whole);
}

/* --- going through the candidates --- */

/* The i-th name to ask for. False: there is none (a domain of the search list that does not fit behind). */
static bool make_candidate(const struct resolve *r, size_t i, struct dns_name *name) {
    const struct resolver_conf *conf = &r->resolver->conf;
    *name = r->name;
    if (!r->searching || i >= conf->search_n) return true;
    const struct dns_name *domain = &conf->search[i];
    size_t head = (size_t)name->len - 1; /* without its end */
    if (head + domain->len > DNS_NAME_MAX) return false;
    memcpy(name->bytes + head, domain->bytes, domain->len);
    name->len = (uint8_t)(head + domain->len);
    return true;
}

static void ask_candidate(struct resolve *r, const struct dns_name *name) {
    struct resolver *resolver = r->resolver;
    forget_parts(r);
    for (int i = 0; i < 2; i++) {
        struct resolve_part *p = &r->parts[i];
        if (!p->wanted) continue;
        struct resolver_set *set = resolver_cache_find(&resolver->cache, name, type_of[i], loop_now_ms(resolver->loop));
        if (set) {
            p->set = resolver_set_ref(set);
            resolver->stats.cached++;
        } else
            resolver_query_join(resolver, p, name, type_of[i]);
    }
}

/* Asks for the next candidate. False: that was the last one. */
static bool next_candidate(struct resolve *r) {
    struct dns_name name;
    size_t n = r->searching ? r->resolver->conf.search_n + 1 : 1;
    while (r->candidate < n) {
        if (!make_candidate(r, r->candidate++, &name)) continue;
        ask_candidate(r, &name);
        return true;
    }
    return false;
}

struct standing {
    unsigned open, failed, found;
};

static struct standing look(struct resolve *r) {
    struct standing s = {0};
    for (int i = 0; i < 2; i++) {
        const struct resolve_part *p = &r->parts[i];
        if (!p->wanted) continue;
        s.open += p->query != NULL;
        s.failed += p->failed;
        s.found += p->set && p->set->n;
        r->exists |= p->set && p->set->exists;
    }
    return s;
}

static void say_not_found(struct resolve *r) {
    if (r->exists)
        say_no_address(r, resolver_text(&r->name).text);
    else
        err_set(&r->err, ERR_NOT_FOUND, "there is no host named %s", resolver_text(&r->name).text);
}

static void think_asking(struct resolve *r) {
    for (;;) {
        struct standing s = look(r);
        if (s.open && !s.found) return;
        if (s.open) {
            if (r->told) return;
            r->told = true;
            int64_t until = loop_now_ms(r->resolver->loop) + LIMIT_RESOLVE_GRACE_MS;
            if (until < r->timer.at_ms) loop_timer_set(r->resolver->loop, &r->timer, until);
            if (r->part) deliver_parts(r, false);
            return;
        }
        if (s.found) {
            deliver_parts(r, true);
            return;
        }
        if (!s.failed && next_candidate(r)) continue;
        if (!s.failed) say_not_found(r);
        deliver_error(r);
        return;
    }
}

static bool think(struct loop_task *t) {
    struct resolve *r = LOOP_OWNER(struct resolve, task, t);
    struct address known[LIMIT_RESOLVE_ADDRESSES];
    size_t n = 0;
    switch ((enum stage)r->stage) {
    case STAGE_FAILED: deliver_error(r); break;
    case STAGE_HERE:
        known[0] = r->here;
        deliver_known(r, known, r->want & (r->here.any.sa_family == AF_INET6 ? RESOLVE_V6 : RESOLVE_V4) ? 1 : 0, NULL);
        break;
    case STAGE_LOOPBACK:
        if (r->want & RESOLVE_V6) host_address_read(LIT("::1"), &known[n++]);
        if (r->want & RESOLVE_V4) host_address_read(LIT("127.0.0.1"), &known[n++]);
        deliver_known(r, known, n, &r->name);
        break;
    case STAGE_HOSTS: {
        bool there;
        n = resolver_hosts_find(&r->resolver->hosts, &r->name, r->want, known, LIMIT_RESOLVE_ADDRESSES, &there);
        deliver_known(r, known, n, &r->name);
        break;
    }
    case STAGE_ASKING: think_asking(r); break;
    }
    return false;
}

static void expire(struct loop_timer *t) {
    struct resolve *r = LOOP_OWNER(struct resolve, timer, t);
    struct standing s = look(r);
    if (!s.found)
        err_set(&r->err, ERR_TIMEOUT, "no name server could tell the address of %s in time",
                resolver_text(&r->name).text);
    for (int i = 0; i < 2; i++) {
        struct resolve_part *p = &r->parts[i];
        if (!p->query) continue;
        resolver_query_leave(p);
        p->failed = true;
    }
    loop_task_queue(r->resolver->loop, &r->task, LOOP_ANSWER);
}

/* --- beginning --- */

static bool is_below(const struct dns_name *name, const char *parent) {
    struct dns_name top;
    return dns_name_from(slice_str(parent), &top, NULL) && dns_name_under(name, &top);
}

static enum stage choose_stage(struct resolve *r, struct slice text) {
    bool absolute, known;
    if (host_address_read(text, &r->here)) return STAGE_HERE;
    if (!host_name_read(text, &r->name, &absolute, &r->err)) return STAGE_FAILED;
    if (is_below(&r->name, "localhost")) return STAGE_LOOPBACK;
    resolver_hosts_find(&r->resolver->hosts, &r->name, r->want, NULL, 0, &known);
    if (known) return STAGE_HOSTS;
    if (is_below(&r->name, "invalid")) {
        err_set(&r->err, ERR_NOT_FOUND, "there is no host named %s, and there never will be",
                resolver_text(&r->name).text);
        return STAGE_FAILED;
    }
    if (is_below(&r->name, "onion")) { /* RFC 7686: asking would tell the world what is visited */
        err_set(&r->err, ERR_NOT_FOUND, "%s can only be reached through Tor", resolver_text(&r->name).text);
        return STAGE_FAILED;
    }
    r->searching = !absolute && dns_name_labels(&r->name) - 1 < r->resolver->conf.ndots;
    return STAGE_ASKING;
}

void resolve_start(struct resolver *resolver, struct resolve *r, struct slice name, unsigned want,
                   int64_t deadline_at) {
    must(r->done && !r->resolver && want && want <= RESOLVE_BOTH);
    *r = (struct resolve){.done = r->done, .part = r->part, .resolver = resolver, .want = (uint8_t)want};
    r->task = (struct loop_task)LOOP_TASK(think, "resolve");
    r->timer = (struct loop_timer){.call = expire, .name = "resolve"};
    r->err.at = ERR_NOWHERE;
    for (int i = 0; i < 2; i++) r->parts[i] = (struct resolve_part){.owner = r, .wanted = want >> i & 1};
    resolver->askers++;
    r->stage = (uint8_t)choose_stage(r, name);
    if (!deadline_at) deadline_at = loop_now_ms(resolver->loop) + LIMIT_RESOLVE_MS;
    if (r->stage == STAGE_ASKING) {
        if (loop_timer_set(resolver->loop, &r->timer, deadline_at))
            next_candidate(r);
        else {
            err_nomem(&r->err, "looking up a name");
            r->stage = STAGE_FAILED;
        }
    }
    loop_task_queue(resolver->loop, &r->task, LOOP_ANSWER);
}
