/* loop.c - epoll, the turn, and before sleeping; see loop.h. Timers are timer.c, signals and children signal.c. */
#include "loop/kernel.h"
#include "loop/loop_room.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"

#include <errno.h>
#include <unistd.h>

struct loop *loop_new(struct err *e) {
    struct loop *l = mem_get_zero(sizeof *l);
    if (!l) {
        err_nomem(e, "the loop");
        return NULL;
    }
    l->epoll = kernel_epoll_create1(EPOLL_CLOEXEC);
    if (l->epoll < 0) {
        err_os(e, ERR_UNKNOWN, errno, "making an epoll descriptor");
        mem_put(l, sizeof *l);
        return NULL;
    }
    l->signal_fd.fd = -1;
    l->now_us = clock_mono_us();
    return l;
}

void loop_free(struct loop *l) {
    if (!l) return;
    must(l->timer_n == 0 && l->signals == NULL);
    loop_signal_close(l);
    must(l->stats.fds == 0);
    kernel_close(l->epoll);
    mem_put(l->timers, l->timer_cap * sizeof *l->timers);
    mem_put(l, sizeof *l);
}

int64_t loop_now_ms(const struct loop *l) {
    return l->now_us / 1000;
}

uint8_t *loop_scratch(struct loop *l) {
    return l->scratch;
}

/* --- descriptors --- */

static uint32_t epoll_bits(unsigned wants) {
    return (wants & LOOP_READ ? (uint32_t)(EPOLLIN | EPOLLRDHUP) : 0) | (wants & LOOP_WRITE ? (uint32_t)EPOLLOUT : 0);
}

bool loop_fd_add(struct loop *l, struct loop_fd *w, int fd, unsigned wants, struct err *e) {
    must(w->loop == NULL && w->call && w->name);
    struct epoll_event ev = {.events = epoll_bits(wants), .data.ptr = w};
    if (kernel_epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &ev))
        return err_os(e, ERR_UNKNOWN, errno, "watching a descriptor (%s)", w->name);
    w->loop = l;
    w->fd = fd;
    w->wants = wants;
    l->stats.fds++;
    return true;
}

bool loop_fd_want(struct loop_fd *w, unsigned wants, struct err *e) {
    must(w->loop != NULL);
    if (w->wants == wants) return true;
    struct epoll_event ev = {.events = epoll_bits(wants), .data.ptr = w};
    if (kernel_epoll_ctl(w->loop->epoll, EPOLL_CTL_MOD, w->fd, &ev))
        return err_os(e, ERR_UNKNOWN, errno, "watching a descriptor (%s)", w->name);
    w->wants = wants;
    return true;
}

void loop_fd_remove(struct loop_fd *w) {
    struct loop *l = w->loop;
    if (!l) return;
    struct epoll_event ev = {0};
    int failed = kernel_epoll_ctl(l->epoll, EPOLL_CTL_DEL, w->fd, &ev);
    must(failed == 0); /* it was closed before it was removed: another watch may have its number by now */
    /* What waits for it in this turn's batch must not find it. */
    for (int i = l->event_at; i < l->event_n; i++)
        if (l->events[i].data.ptr == w) l->events[i].data.ptr = NULL;
    l->stats.fds--;
    w->loop = NULL;
}

/* --- measuring --- */

void loop_called(struct loop *l, const char *name) {
    int64_t now = clock_mono_us(), took = now - l->mark_us;
    l->mark_us = now; /* the next callback begins where this one ended */
    l->stats.calls++;
    if (took > 0 && (uint64_t)took > l->stats.slowest_us) {
        l->stats.slowest_us = (uint64_t)took;
        l->stats.slowest = name;
    }
}

struct loop_stats loop_stats(const struct loop *l) {
    struct loop_stats s = l->stats;
    s.timers = (unsigned)l->timer_n;
    return s;
}

void loop_stats_reset(struct loop *l) {
    unsigned fds = l->stats.fds;
    l->stats = (struct loop_stats){.fds = fds};
}

/* --- before sleeping --- */

void loop_task_queue(struct loop *l, struct loop_task *t, enum loop_phase phase) {
    must(t->call && t->name);
    if (t->phase >= 0) return;
    t->loop = l;
    t->phase = (int8_t)phase;
    t->next = NULL;
    t->prev = l->last[phase];
    if (t->prev)
        t->prev->next = t;
    else
        l->first[phase] = t;
    l->last[phase] = t;
    l->phase_n[phase]++;
    l->tasks++;
}

void loop_task_remove(struct loop_task *t) {
    if (t->phase < 0) return;
    struct loop *l = t->loop;
    if (t->prev)
        t->prev->next = t->next;
    else
        l->first[t->phase] = t->next;
    if (t->next)
        t->next->prev = t->prev;
    else
        l->last[t->phase] = t->prev;
    l->phase_n[t->phase]--;
    t->phase = -1;
    l->tasks--;
}

/* Each phase runs as many tasks as stood in it when it began, so that no task can keep a turn from ending: what is queued
 * for it meanwhile, and what wants to go on, waits for the next turn. */
static void run_tasks(struct loop *l) {
    for (int phase = 0; phase < LOOP_PHASE_N; phase++) {
        for (unsigned n = l->phase_n[phase]; n && l->first[phase]; n--) {
            struct loop_task *t = l->first[phase];
            const char *name = t->name;
            loop_task_remove(t);
            /* Whoever frees what embeds the task returns false. */
            if (t->call(t)) loop_task_queue(l, t, (enum loop_phase)phase);
            loop_called(l, name);
        }
    }
}

/* --- the turn --- */

static void note_turn(struct loop *l, int64_t took_us) {
    unsigned i = 0;
    while (i + 1 < LOOP_TURN_BUCKETS && took_us >= INT64_C(2) << i) i++;
    l->stats.turn_us[i]++;
    l->stats.turns++;
}

static int wait_ms(const struct loop *l, int64_t most_ms) {
    if (l->tasks) return 0;
    int64_t ms = most_ms;
    if (l->timer_n) {
        int64_t until = l->timers[0]->at_ms - clock_mono_us() / 1000;
        if (until < 0) until = 0;
        if (ms < 0 || until < ms) ms = until;
    }
    return ms > 3600000 ? 3600000 : (int)ms;
}

unsigned loop_turn(struct loop *l, int64_t most_ms) {
    uint64_t before = l->stats.calls;
    int n = kernel_epoll_wait(l->epoll, l->events, LOOP_BATCH, wait_ms(l, most_ms));
    l->now_us = l->mark_us = clock_mono_us();
    l->event_n = n < 0 ? 0 : n; /* EINTR: a turn without events */
    for (l->event_at = 0; l->event_at < l->event_n;) {
        struct epoll_event *ev = &l->events[l->event_at++];
        struct loop_fd *w = ev->data.ptr;
        if (!w) continue;
        unsigned ready = (ev->events & (EPOLLIN | EPOLLRDHUP) ? LOOP_READ : 0u) |
                         (ev->events & EPOLLOUT ? LOOP_WRITE : 0u) |
                         (ev->events & (EPOLLERR | EPOLLHUP) ? LOOP_GONE : 0u);
        const char *name = w->name;
        w->call(w, ready);
        loop_called(l, name);
    }
    l->event_n = l->event_at = 0;
    loop_timers_run(l);
    run_tasks(l);
    note_turn(l, l->mark_us - l->now_us);
    return (unsigned)(l->stats.calls - before);
}

int loop_run(struct loop *l) {
    l->stopped = false;
    while (!l->stopped) loop_turn(l, -1);
    return l->code;
}

void loop_stop(struct loop *l, int code) {
    l->stopped = true;
    l->code = code;
}
