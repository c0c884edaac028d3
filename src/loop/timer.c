/* timer.c - timers in a binary heap by absolute time; see loop.h. A timer knows its place, so moving and clearing one
 * costs the depth of the heap. */
#include "base/mem.h"
#include "base/must.h"
#include "loop/loop_room.h"

#define FIRST_CAP 64

static void put(struct loop *l, size_t i, struct loop_timer *t) {
    l->timers[i] = t;
    t->place = i + 1;
}

static void sift_up(struct loop *l, size_t i, struct loop_timer *t) {
    while (i > 0) {
        size_t up = (i - 1) / 2;
        if (l->timers[up]->at_ms <= t->at_ms) break;
        put(l, i, l->timers[up]);
        i = up;
    }
    put(l, i, t);
}

static void sift_down(struct loop *l, size_t i, struct loop_timer *t) {
    for (;;) {
        size_t down = 2 * i + 1;
        if (down >= l->timer_n) break;
        if (down + 1 < l->timer_n && l->timers[down + 1]->at_ms < l->timers[down]->at_ms) down++;
        if (t->at_ms <= l->timers[down]->at_ms) break;
        put(l, i, l->timers[down]);
        i = down;
    }
    put(l, i, t);
}

bool loop_timer_set(struct loop *l, struct loop_timer *t, int64_t at_ms) {
    must(t->call && t->name);
    t->round = l->timer_round;
    if (t->place) {
        bool later = at_ms > t->at_ms;
        t->at_ms = at_ms;
        if (later)
            sift_down(l, t->place - 1, t);
        else
            sift_up(l, t->place - 1, t);
        return true;
    }
    if (l->timer_n == l->timer_cap) {
        size_t cap = l->timer_cap ? l->timer_cap * 2 : FIRST_CAP;
        struct loop_timer **grown = mem_grow(l->timers, l->timer_cap * sizeof *grown, cap * sizeof *grown);
        if (!grown) return false;
        l->timers = grown;
        l->timer_cap = cap;
    }
    t->loop = l;
    t->at_ms = at_ms;
    sift_up(l, l->timer_n++, t);
    return true;
}

void loop_timer_clear(struct loop_timer *t) {
    if (!t->place) return;
    struct loop *l = t->loop;
    size_t i = t->place - 1;
    t->place = 0;
    struct loop_timer *moved = l->timers[--l->timer_n];
    if (moved == t) return;
    if (i > 0 && l->timers[(i - 1) / 2]->at_ms > moved->at_ms)
        sift_up(l, i, moved);
    else
        sift_down(l, i, moved);
}

/* Calls what is due by the time of this turn. A timer set for now by one of the callbacks waits for the next turn, or this one
 * might never end. */
void loop_timers_run(struct loop *l) {
    int64_t now = loop_now_ms(l);
    l->timer_round++;
    while (l->timer_n && l->timers[0]->at_ms <= now && l->timers[0]->round != l->timer_round) {
        struct loop_timer *t = l->timers[0];
        const char *name = t->name;
        loop_timer_clear(t);
        t->call(t);
        loop_called(l, name);
    }
}
