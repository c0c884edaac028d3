/* service.h - what a service manager and its service say to each other: sd_notify, the watchdog, sockets that were bound before us.
 *
 * For: the warden, which is the service's main process. Without a manager nothing is said to anybody.
 * Owns: one datagram socket; what the environment said (NOTIFY_SOCKET, WATCHDOG_USEC, LISTEN_FDS), which is taken out of it.
 * Never: waits. What the manager does not take is lost.
 * Tried: tests/warden/service. */
#ifndef WARDEN_SERVICE_H
#define WARDEN_SERVICE_H

#include "loop/listen.h"

#define SERVICE_FDS 16 /* sockets taken from a manager */

struct service {
    int fd; /* -1: there is no manager */
    struct address to;
    uint64_t watchdog_ms; /* it wants to hear within so long; 0: never */
    int sockets[SERVICE_FDS];
    unsigned socket_n;
};

void service_init(struct service *s);
void service_release(struct service *s);
/* "READY=1\nSTATUS=..." */
void service_tell(const struct service *s, const char *text);

#endif
