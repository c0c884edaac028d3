/* hand.c - see hand.h. */
#include "warden/hand.h"

#include "base/log.h"
#include "base/must.h"
#include "warden/child.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

int64_t rest_next(struct rest *r, int64_t lived_ms) {
    if (lived_ms >= REST_MOST_MS || r->ms == 0)
        r->ms = REST_FIRST_MS;
    else
        r->ms = r->ms * 2 < REST_MOST_MS ? r->ms * 2 : REST_MOST_MS;
    return r->ms;
}

static void reaped(struct loop_child *c, int status);
static void timed(struct loop_timer *t);

static bool watch(struct hand *h, struct err *e) {
    h->child = (struct loop_child){.call = reaped, .name = h->name};
    if (loop_child_add(h->loop, &h->child, h->pid, e)) return true;
    kill(h->pid, SIGKILL);
    while (waitpid(h->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    return false;
}

int hand_start(struct hand *h, struct err *e) {
    int pair[2], keep[HAND_KEEP + 1];
    must(h->keep_n <= HAND_KEEP);
    h->timer.call = timed;
    h->timer.name = h->name;
    if (!child_socketpair(pair, e)) return -1;
    for (unsigned i = 0; i < h->keep_n; i++) keep[i] = h->keep[i];
    keep[h->keep_n] = pair[1];
    h->pid = child_fork(h->process, keep, h->keep_n + 1, e);
    if (h->pid == 0) child_exit(h->body(h, pair[1]));
    close(pair[1]);
    if (h->pid < 0 || !watch(h, e)) {
        close(pair[0]);
        return -1;
    }
    h->state = HAND_UP;
    h->began_at = loop_now_ms(h->loop);
    return pair[0];
}

static void go_down(struct hand *h) {
    h->state = HAND_DOWN;
    loop_timer_clear(&h->timer);
    h->down(h);
}

static void rest(struct hand *h) {
    int64_t now = loop_now_ms(h->loop), ms = rest_next(&h->rest, now - h->began_at);
    h->state = HAND_RESTING;
    if (!loop_timer_set(h->loop, &h->timer, now + ms)) go_down(h);
}

static void reaped(struct loop_child *c, int status) {
    struct hand *h = LOOP_OWNER(struct hand, child, c);
    bool well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (h->state == HAND_ENDING || (well && !h->lasting)) {
        go_down(h);
        return;
    }
    h->status = status; /* told when it is begun again: its reactor may be about to end, and then this was in order */
    rest(h);
}

static void timed(struct loop_timer *t) {
    struct hand *h = LOOP_OWNER(struct hand, timer, t);
    struct err e = ERR_INIT;
    if (h->state == HAND_ENDING) {
        kill(h->pid, SIGKILL);
        return;
    }
    if (h->state != HAND_RESTING) return;
    h->state = HAND_DOWN;
    if (WIFSIGNALED(h->status))
        log_warn("a hand died and is begun again: hand=%s signal=%d", h->name, WTERMSIG(h->status));
    else
        log_warn("a hand ended and is begun again: hand=%s code=%d", h->name, WEXITSTATUS(h->status));
    int fd = hand_start(h, &e);
    if (fd >= 0) {
        h->again(h, fd);
        return;
    }
    log_warn("a hand could not be begun: hand=%s %s", h->name, e.text);
    h->began_at = loop_now_ms(h->loop);
    rest(h);
}

void hand_end(struct hand *h) {
    switch (h->state) {
    case HAND_DOWN:
    case HAND_ENDING: return;
    case HAND_RESTING: go_down(h); return;
    case HAND_UP: break;
    }
    h->state = HAND_ENDING;
    if (!loop_timer_set(h->loop, &h->timer, loop_now_ms(h->loop) + HAND_GRACE_MS)) kill(h->pid, SIGKILL);
}

void hand_kill(struct hand *h) {
    hand_end(h);
    if (h->state == HAND_ENDING) kill(h->pid, SIGKILL);
}
