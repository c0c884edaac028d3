/* calm.c - see calm.h. A stir costs no more than a note: the timer is left where it is, and moves on when it rings too early. */
#include "state/calm.h"

#include "base/must.h"

/* When it is to be told, as things stand. */
static int64_t due(const struct calm *c) {
    int64_t quiet = c->last_at + c->quiet_ms, first = c->first_at + c->first_ms;
    if (!c->first_ms) return quiet;
    return !c->quiet_ms || first < quiet ? first : quiet;
}

static void ring(struct loop_timer *t) {
    struct calm *c = LOOP_OWNER(struct calm, timer, t);
    int64_t at = due(c);
    if (at > loop_now_ms(c->loop)) {
        /* Its place in the heap has just become free. If there is no memory all the same, tell too early. */
        if (loop_timer_set(c->loop, t, at)) return;
    }
    c->stirs = c->fresh;
    c->fresh = 0;
    c->call(c);
}

bool calm_stir(struct calm *c) {
    must(c->call && c->name && c->loop);
    int64_t now = loop_now_ms(c->loop);
    if (c->fresh++ == 0) c->first_at = now;
    c->last_at = now;
    if (loop_timer_is_set(&c->timer)) return true;
    c->timer.call = ring;
    c->timer.name = c->name;
    return loop_timer_set(c->loop, &c->timer, due(c));
}

void calm_stop(struct calm *c) {
    loop_timer_clear(&c->timer);
    c->fresh = 0;
}
