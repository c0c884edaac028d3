/* loop_room.h - what the files of the loop share. Private to src/loop. */
#ifndef LOOP_LOOP_ROOM_H
#define LOOP_LOOP_ROOM_H

#include "loop/loop.h"

#include <signal.h>
#include <sys/epoll.h>

#define LOOP_BATCH 256 /* events taken at once: bounds a turn, the rest is there in the next */

struct loop {
    int epoll;
    struct epoll_event events[LOOP_BATCH];
    int event_n, event_at; /* of this turn's batch, and the next one to call */
    int64_t now_us, mark_us;
    struct loop_timer **timers; /* a heap, the earliest at 0 */
    size_t timer_n, timer_cap;
    uint32_t timer_round;
    struct loop_fd signal_fd;
    sigset_t signal_set;
    struct loop_signal *signals;
    struct loop_task *first[LOOP_PHASE_N], *last[LOOP_PHASE_N];
    unsigned phase_n[LOOP_PHASE_N], tasks;
    bool stopped;
    int code;
    struct loop_stats stats;
    uint8_t scratch[LOOP_SCRATCH];
};

/* A callback has returned: measures it. */
void loop_called(struct loop *l, const char *name);
void loop_timers_run(struct loop *l);
void loop_signal_close(struct loop *l);

#endif
