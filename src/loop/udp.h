/* udp.h - datagrams in batches: one system call for up to UDP_BATCH of them each way.
 *
 * For: DNS and mDNS answerers, the resolver. A datagram knows from whom, to which of our addresses and by which interface it
 *      came, so an answer leaves from the address that was asked.
 * Owns: its descriptor and one block of memory for a batch.
 * Fair: at most UDP_TURN datagrams a turn.
 * Losing: what does not fit the peer's socket buffer now is dropped, as UDP may; `dropped` counts it.
 * Tried: tests/loop/listen. */
#ifndef LOOP_UDP_H
#define LOOP_UDP_H

#include "loop/listen.h"

#define UDP_BATCH 32
#define UDP_TURN  64

struct datagram {
    struct slice bytes; /* until the callback returns */
    struct address from;
    struct address to; /* our address; family 0 when the system did not say */
    unsigned interface;
};

struct udp_batch;

struct udp {
    void (*call)(struct udp *u, const struct datagram *d);
    const char *name;
    uint64_t received, sent, dropped;
    /* private */
    struct loop *loop;
    struct loop_fd fd;
    struct loop_task out_task;
    struct udp_batch *in, *out;
    unsigned out_n;
    size_t most; /* bytes in one datagram */
};

/* A bound descriptor that tells destination addresses; -1 with the reason. */
int udp_open(const struct address *a, struct err *e);
/* Takes the descriptor on success. `most`: longer datagrams are cut, and dropped. */
bool udp_start(struct udp *u, struct loop *l, int fd, size_t most, struct err *e);
void udp_stop(struct udp *u);
/* Queues a datagram; it leaves before sleeping, or when the batch is full. `to_from`: the datagram that is answered (its `to`
 * becomes the source), or NULL. False: too long. */
bool udp_send(struct udp *u, const struct address *to, const struct datagram *answered, struct slice bytes);

#endif
