/* listen.h - accepting connections, and the small facts about sockets: addresses, who is on a Unix socket.
 *
 * For: a listening descriptor (made here, or by the warden) whose connections go to one callback.
 * Fair: at most LISTEN_BATCH connections a turn. Out of descriptors: the listener rests for LISTEN_REST_MS instead of spinning;
 *   `starved` counts it.
 * Tried: tests/loop/listen. */
#ifndef LOOP_LISTEN_H
#define LOOP_LISTEN_H

#include "base/buf.h"
#include "loop/loop.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#define LISTEN_BATCH   16
#define LISTEN_REST_MS 100
#define LISTEN_BACKLOG 511

struct address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un un;
    };
    socklen_t len;
};
/* "192.0.2.1:80", "[2001:db8::1]:80", "[fe80::1%2]:80", ":80" and "*:80" (any, both families), "unix:/path". */
bool address_read(struct slice text, struct address *a, struct err *e);
/* The same form; an unnamed Unix socket is "unix:". */
bool address_write(struct buf *out, const struct address *a);
uint16_t address_port(const struct address *a);

/* Who is at the other end of a Unix socket, as the kernel knows it. */
struct unix_peer {
    pid_t pid;
    uid_t uid;
    gid_t gid;
};
bool unix_peer(int fd, struct unix_peer *peer, struct err *e);

/* A bound, listening, non-blocking descriptor; -1 with the reason. A stale Unix socket that nobody answers on is replaced. */
int listen_open(const struct address *a, struct err *e);
/* The address a descriptor is bound to (a port 0 has become a number). */
bool listen_address(int fd, struct address *a, struct err *e);

struct listener {
    void (*call)(struct listener *li, int fd,
                 const struct address *peer); /* the descriptor is the callee's; non-blocking */
    const char *name;
    uint64_t accepted, starved;
    /* private */
    struct loop_fd fd;
    struct loop_timer rest;
};
/* Takes the descriptor on success. */
bool listener_start(struct listener *li, struct loop *l, int fd, struct err *e);
/* Closes the descriptor. Legal inside its callback. */
void listener_stop(struct listener *li);

#endif
