/* resolver_answer.h - what a message says to a question: whether it belongs to it, the aliases, the addresses, how long "no" holds.
 * Private to the resolver.
 *
 * Never: touches a socket, the clock, or the resolver. Nothing is allocated.
 * Tried: tests/wire/resolver. */
#ifndef WIRE_RESOLVER_ANSWER_H
#define WIRE_RESOLVER_ANSWER_H

#include "base/limits.h"
#include "protocols/dns.h"

enum verdict {
    VERDICT_FOREIGN, /* no answer to this question */
    VERDICT_BROKEN,  /* an answer to it that makes no sense */
    VERDICT_FITS,
};

enum spelling {
    SPELLING_UNKNOWN, /* no question in it, or no upper-case letter in the question */
    SPELLING_KEPT,
    SPELLING_CHANGED,
};

struct resolver_alias {
    struct dns_name from, to;
    uint32_t ttl_s;
};

struct resolver_answer {
    struct dns_header header;
    unsigned rcode;
    enum spelling spelling;
    struct resolver_alias alias[LIMIT_RESOLVE_ALIASES];
    size_t alias_n;
    bool has_soa;
    struct dns_name zone; /* of the SOA */
    uint32_t negative_s;  /* how long it says that "no" holds */
};

/* What was asked: id, the name as it was spelled, type. `udp`: what a truncated message says behind its question is not looked
 * at. */
enum verdict resolver_answer_read(struct resolver_answer *a, struct slice message, uint16_t id,
                                  const struct dns_name *spelled, uint16_t type, bool udp);
/* The addresses of a name in a message that was read, each once, up to LIMIT_RESOLVE_ADDRESSES, 4 or 16 bytes each; *ttl_s becomes
 * the shortest time. Returns how many. */
size_t resolver_answer_collect(struct slice message, uint16_t type, const struct dns_name *name, uint8_t *out,
                               uint32_t *ttl_s);

#endif
