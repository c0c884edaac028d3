/* resolver_room.h - what the files of the resolver share. Private to the resolver.
 *
 * A *query* is one name in one family, asked for everybody who wants it; a *part* (resolver.h) is one who does.
 * resolver.c has the askers: names, search, both families together. resolver_query.c has the wire. */
#ifndef WIRE_RESOLVER_ROOM_H
#define WIRE_RESOLVER_ROOM_H

#include "protocols/dns.h"
#include "wire/resolver.h"
#include "wire/resolver_cache.h"
#include "wire/resolver_conf.h"

/* What was learned of a server. */
struct resolver_server {
    int64_t rests_until_ms; /* it let the time pass: it is asked behind the others */
    bool keeps_case;        /* it gave the spelling of a name back */
};

struct resolver {
    struct loop *loop;
    struct resolver_conf conf;
    struct resolver_hosts hosts;
    struct resolver_server server[LIMIT_RESOLV_SERVERS];
    struct resolver_cache cache;
    struct resolver_query *first, *last; /* the one that came first stands first */
    unsigned query_n, under_way;
    unsigned rotation; /* which server is asked first, with `options rotate` */
    unsigned askers;
    bool beginning; /* queries are being begun: see begin_waiting */
    struct resolver_stats stats;
};

/* Asks for a part, or lets it share in what is asked already. It may have failed at once: then part->query is NULL, and the
 * owner's err says why. */
void resolver_query_join(struct resolver *r, struct resolve_part *part, const struct dns_name *name, uint16_t type);
/* The part wants it no more. What is under way goes on for the cache. */
void resolver_query_leave(struct resolve_part *part);
/* All of them begin anew, or are dropped. */
void resolver_query_restart_all(struct resolver *r);
void resolver_query_drop_all(struct resolver *r);

/* A name for a sentence, cut when it is long. */
struct resolver_text {
    char text[84];
};
struct resolver_text resolver_text(const struct dns_name *name);

#endif
