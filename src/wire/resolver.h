/* resolver.h - names to addresses, on the loop: what a stub resolver does, and nothing it would have to wait for.
 *
 * For: whoever has the name of a host and wants its addresses; mostly dial.h.
 * Owns: what the texts of resolv.conf and hosts said, the questions in flight with their sockets, the cache.
 * Never: opens a file (the caller hands the texts in, also new ones); calls back from inside resolve_start or resolve_cancel.
 *
 * Answered without a server: addresses in text (also "[2001:db8::1]" and "fe80::1%eth0"), localhost and what is below it (always
 *   loopback, RFC 6761), names of the hosts text. Never asked: what is below invalid and onion, and names that end like a
 *   number (no top-level domain does, and some programs take "127.1" for an address).
 * Search: a name with fewer dots than ndots is tried with each domain of the search list, then as it is; with so many dots only
 *   as it is. A trailing dot: only as it is. The next one is tried when a name does not exist or has no address; a failure ends
 *   the search, or a broken server would decide which host a name means.
 * Asking: A and AAAA at the same time, each from a socket and an id of its own. Server by server; one that lets the time pass
 *   goes behind the others for a while. Truncated answers are asked for by TCP.
 * Trust: an answer counts when it comes from the asked address and port to the port of this question, with its id and question.
 *   Letters leave in mixed case: a server that kept the spelling once is held to it; one that did not is believed without.
 *   What does not fit is passed over and the wait goes on.
 * Order of addresses: by the precedence of RFC 6724 2.1 alone, else as the server gave them. Our own source addresses are not
 *   looked at: who dials tries several.
 * Caveat: a name server in the house can point a name anywhere, also at this box: see the guard in dial.h.
 * Tried: tests/wire/resolver, fuzz/resolvconf. */
#ifndef WIRE_RESOLVER_H
#define WIRE_RESOLVER_H

#include "loop/listen.h"
#include "protocols/dns_name.h"

struct resolver;

/* --- the one a process has --- */

struct resolver_config {
    struct slice resolv_conf, hosts; /* the texts; empty where there is no such file. Not kept */
    uint16_t port;                   /* where servers are asked; 0: 53 */
};
/* NULL: no memory, or a text over its limit. Lines that are not understood are passed over, as every resolver does. */
struct resolver *resolver_new(struct loop *l, const struct resolver_config *config, struct err *e);
/* The files have changed. Forgets the cache; what is being asked is asked anew. On failure the old ones stay. */
bool resolver_configure(struct resolver *r, const struct resolver_config *config, struct err *e);
/* Every question must be done or cancelled. NULL is allowed. */
void resolver_free(struct resolver *r);

struct resolver_stats {
    uint64_t sent;     /* questions sent to servers, by UDP or TCP */
    uint64_t tcp;      /* of these by TCP */
    uint64_t cached;   /* answered from the cache */
    uint64_t joined;   /* asked already for somebody else */
    uint64_t foreign;  /* datagrams passed over: another id, question or spelling */
    unsigned asking;   /* questions to servers that are open now, waiting ones too */
    unsigned sockets;  /* of these under way */
    unsigned remember; /* answers in the cache */
};
struct resolver_stats resolver_stats(const struct resolver *r);

/* --- a question --- */

enum { RESOLVE_V4 = 1, RESOLVE_V6 = 2, RESOLVE_BOTH = 3 };

struct resolve_answer {
    const struct address *address; /* sorted, port 0; until the callback returns */
    size_t n;
    bool whole;        /* false only in `part`: the other family is still asked */
    uint32_t ttl_s;    /* how long they hold; 0: ask again next time */
    struct slice name; /* at the end of all aliases, as text with its last dot; empty for an address in text */
    const struct err
        *err; /* code ERR_NONE when there is an address. ERR_NOT_FOUND: surely none. ERR_NETWORK, ERR_TIMEOUT: the
                              servers could not tell. ERR_INVALID: no name of a host. ERR_NOMEM, ERR_LIMIT: ours */
};

struct resolver_query;
struct resolver_set;
struct resolve;

/* One family of a question. The fields are the room's. */
struct resolve_part {
    struct resolve *owner;
    struct resolver_query *query; /* that asks for it */
    struct resolve_part *next, *prev;
    struct resolver_set *set; /* what came */
    bool wanted, failed;
};

/* Embed it, zeroed but for the callbacks. */
struct resolve {
    /* Once, unless cancelled. May free what embeds it. */
    void (*done)(struct resolve *r, const struct resolve_answer *a);
    /* Optional: one family has addresses while the other is still asked. At most once, before done. May cancel. */
    void (*part)(struct resolve *r, const struct resolve_answer *a);
    /* private */
    struct resolver *resolver; /* NULL: not asked */
    struct loop_task task;
    struct loop_timer timer;
    struct dns_name name;
    uint8_t stage, want;
    bool searching, told, exists;
    size_t candidate;    /* the next one */
    struct address here; /* an address in text */
    struct resolve_part parts[2];
    struct err err;
};

/* Asks for the addresses of a host; `want` of RESOLVE_*. deadline_at: absolute; 0: LIMIT_RESOLVE_MS from now. The name is copied.
 * Whatever goes wrong is told by `done`. */
void resolve_start(struct resolver *resolver, struct resolve *r, struct slice name, unsigned want, int64_t deadline_at);
/* Nothing is called any more. Legal at any time, also when nothing was asked. */
void resolve_cancel(struct resolve *r);

#endif
