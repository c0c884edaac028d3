/* dial.h - a connection made: from the name of a host, addresses, or the path of a Unix socket to a connected descriptor.
 *
 * For: everything that goes out by TCP. What is then spoken on the descriptor is the caller's (loop/stream.h, TLS).
 * Owns: the attempts under way with their descriptors, and its question to the resolver.
 * Never: waits; calls back from inside dial_start, dial_start_addresses or dial_cancel; leaves a descriptor open that lost.
 *
 * Happy eyeballs (RFC 8305): both families are asked at once. IPv6 is dialled as soon as it comes; when IPv4 comes first it waits
 *   `resolution_ms` for the other. Addresses in their order, families in turns; the next one when one has failed, or after
 *   `attempt_ms` beside those that have not. The first that connects wins, all others are closed.
 * Never dialled: the unspecified address (the kernel takes it for this host), multicast, broadcast. An IPv4 address written as
 *   IPv6 (::ffff:192.0.2.1) is dialled as what it is, so that no guard can be passed with it.
 * Tried: tests/wire/dial. */
#ifndef WIRE_DIAL_H
#define WIRE_DIAL_H

#include "wire/resolver.h"

struct dial_work;

/* Embed it, zeroed but for what stands in front. */
struct dial {
    /* Once, unless cancelled. With a non-blocking, connected descriptor, which is the callee's, and who is at its other end; or
     * with -1, NULL and the reason, which tells what was tried. May free what embeds it, or dial again. TCP_NODELAY is set: what
     * is written in one piece should leave at once. */
    void (*done)(struct dial *d, int fd, const struct address *peer, const struct err *e);
    /* Optional: whether this address may be dialled; is asked for each just before, and may only answer. For callers
     * that dial what strangers name. */
    bool (*allowed)(void *arg, const struct address *a);
    void *arg;
    int64_t attempt_ms;    /* 0: 250 */
    int64_t resolution_ms; /* 0: 50 */
    /* private */
    struct dial_work *work;
    struct loop_task task;
};

/* Dials a host by name or address ("[2001:db8::1]" too), or "unix:/path", which has no port. deadline_at: absolute, for
 * everything together; 0: LIMIT_DIAL_MS from now. Nothing of what is given must stay but the resolver. */
void dial_start(struct dial *d, struct loop *l, struct resolver *r, struct slice host, uint16_t port,
                int64_t deadline_at);
/* Dials addresses, the first first, families in turns; at most LIMIT_DIAL_FAMILY of each family. */
void dial_start_addresses(struct dial *d, struct loop *l, const struct address *a, size_t n, int64_t deadline_at);
/* Nothing is called any more, every descriptor is closed. Legal at any time, also when nothing is dialled. */
void dial_cancel(struct dial *d);

/* A guard ready for use: addresses of the public internet only. Not this host, the house, a provider's inside, documentation, nor
 * IPv6 forms that carry such an IPv4 address. arg is not looked at. */
bool dial_public_only(void *arg, const struct address *a);

#endif
