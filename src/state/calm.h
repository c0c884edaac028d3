/* calm.h - for who wants rest instead of every step: what happened is told once it has been quiet for a while, but no later
 * than some time after the first of it.
 *
 * For: MCP's notices (500 ms from the first change), reconcilers. Knows nothing of revisions: whoever hears of one says calm_stir.
 * Owns: a timer.
 * Tried: tests/state/calm. */
#ifndef STATE_CALM_H
#define STATE_CALM_H

#include "loop/loop.h"

struct calm {
    void (*call)(struct calm *c); /* from the loop; c->stirs of it happened since the last time, at least one */
    const char *name;
    struct loop *loop;
    uint32_t quiet_ms; /* told when nothing happened for so long; 0: only first_ms counts */
    uint32_t
        first_ms; /* told at the latest so long after the first; 0: only quiet_ms counts. Both 0: when timers are called next */
    uint64_t stirs; /* inside call: how many there were */
    /* private */
    struct loop_timer timer;
    uint64_t fresh; /* not told yet */
    int64_t first_at, last_at;
};
/* From anywhere, also inside call. False: no memory; then it is told with the next stir that finds some. */
bool calm_stir(struct calm *c);
/* Tells what waits to nobody. Legal inside call, and so is freeing what embeds it. */
void calm_stop(struct calm *c);

#endif
