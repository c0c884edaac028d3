/* twin.h - a kernel in memory for the loop (loop/kernel.h): sockets that only the test sees, and a clock that only the test turns.
 *
 * The rooms under test are the real ones; only what they ask of the kernel is answered here. So a scenario plays the same way on
 * every machine, byte for byte, in no time, and can be played again with one-byte reads and with every call failing in turn.
 *
 * For: stream sockets and listeners. The far end of each connection is the test's: struct twin_client.
 * Order: events come by descriptor, lowest first. Nothing happens but what the test or the loop does. */
#ifndef TESTS_TWIN_H
#define TESTS_TWIN_H

#include "base/buf.h"
#include "loop/loop.h"

/* Puts the twin and its clock in place; the clock begins at one million seconds. */
void twin_begin(void);
/* Brings the kernel back. Returns how many descriptors the rooms left open. */
unsigned twin_end(void);

/* How many bytes one read gives at most, and one write takes; 0: as many as there are. */
void twin_cut(size_t read_most, size_t write_most);

/* A listening descriptor. */
int twin_listen(void);

/* The far end of a connection to a listener. */
struct twin_client {
    int far;        /* private */
    struct buf got; /* what came and was not looked at */
    bool over;      /* the near end closed, or said that it will send no more */
    bool reset;     /* it closed with bytes unread: a real one would have got a reset */
};
void twin_dial(struct twin_client *c, int listener);
void twin_send(struct twin_client *c, struct slice bytes);
/* Says that no more comes. */
void twin_half_close(struct twin_client *c);
void twin_close(struct twin_client *c);
/* Breaks it: the near end gets ECONNRESET. */
void twin_reset(struct twin_client *c);
/* How many further bytes the far end takes; SIZE_MAX (at first): all. */
void twin_window(struct twin_client *c, size_t bytes);
void twin_client_release(struct twin_client *c);

/* Turns the loop until nothing happens any more. */
void twin_settle(struct loop *l);
/* Moves the clock by ms, a tenth of a second at a time, so that timers ring in their order. */
void twin_pass(struct loop *l, int64_t ms);

#endif
