/* warden_reactor.c - the life of the reactor: begun, heard, asked to end, killed, and what its end means. */
#include "warden/warden_room.h"

#include "base/log.h"
#include "warden/child.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define END_MS  10000
#define LEFT_MS 1000 /* from the end of its link to its own */

/* --- speaking --- */

static bool can_hear(const struct warden *w) {
    return w->link.loop != NULL;
}

/* False: not sent, and the reactor is not at fault. */
static bool try_send(struct warden *w, const struct link_frame *f, struct err *e) {
    if (!can_hear(w) || link_send(&w->link, f, e)) return true;
    if (e->code == ERR_NETWORK) return true; /* it is about to be gone */
    if (!e->limit || strcmp(e->limit, "link queue") != 0) return false;
    reactor_mad(w, "it does not read its answers (%s)", e->text);
    return true;
}

void reactor_answer(struct warden *w, uint64_t id, const struct val *result, const int *fds, unsigned fd_n,
                    const struct err *e) {
    struct link_frame f = {.kind = LINK_RESULT, .id = id, .fd_n = fd_n};
    struct err own = ERR_INIT;
    if (result) {
        if (fd_n) memcpy(f.fds, fds, fd_n * sizeof *fds);
        f.value = *result;
        if (try_send(w, &f, &own)) return;
        e = &own; /* too long, or no memory */
    }
    struct err last = ERR_INIT;
    f = (struct link_frame){.kind = LINK_ERROR, .id = id, .value = link_error_value(e)};
    /* Whoever waits for an answer that is lost waits for ever. */
    if (!try_send(w, &f, &last)) reactor_mad(w, "an answer could not be sent to it (%s)", last.text);
    val_unref(&f.value);
}

void reactor_notice(struct warden *w, const char *name, struct val value, int fd) {
    struct link_frame f = {.kind = LINK_NOTICE, .name = val_of_str(name), .value = value};
    if (fd >= 0) {
        f.fds[0] = fd;
        f.fd_n = 1;
    }
    struct err e = ERR_INIT;
    if (!try_send(w, &f, &e)) log_warn("the reactor was not told \"%s\": %s", name, e.text);
    val_unref(&f.name);
    val_unref(&f.value);
}

/* --- ending --- */

static void set_kill_timer(struct warden *w, int64_t ms) {
    if (!loop_timer_set(w->loop, &w->timer, loop_now_ms(w->loop) + ms)) kill(w->pid, SIGKILL);
}

void reactor_end(struct warden *w, const char *reason) {
    if (w->reactor == REACTOR_NONE) return;
    int64_t ms = w->config->end_ms ? (int64_t)w->config->end_ms : END_MS;
    w->reactor = REACTOR_ENDING;
    set_kill_timer(w, can_hear(w) ? ms : LEFT_MS);
    reactor_notice(w, "end", VAL_MAP_OF({"reason", val_of_str(reason)}, {"most_ms", val_of_i64(ms)}), -1);
}

void reactor_kill(struct warden *w) {
    if (w->reactor == REACTOR_NONE) return;
    w->reactor = REACTOR_ENDING;
    kill(w->pid, SIGKILL);
}

void reactor_mad(struct warden *w, const char *fmt, ...) {
    if (w->reactor == REACTOR_NONE || w->why[0]) return;
    va_list ap;
    va_start(ap, fmt);
    int n = snprintf(w->why, sizeof w->why, "taken for mad: ");
    vsnprintf(w->why + n, sizeof w->why - (size_t)n, fmt, ap);
    va_end(ap);
    log_warn("the reactor is killed: %s", w->why);
    link_stop(&w->link);
    reactor_kill(w);
}

static void say_end(struct warden *w, int status) {
    if (w->why[0])
        snprintf(w->last, sizeof w->last, "%s", w->why);
    else if (w->again)
        snprintf(w->last, sizeof w->last, "it was asked to begin again");
    else if (WIFSIGNALED(status))
        snprintf(w->last, sizeof w->last, "signal %d", WTERMSIG(status));
    else
        snprintf(w->last, sizeof w->last, "code %d", WEXITSTATUS(status));
}

static void decide(struct warden *w, int status) {
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    bool asked = w->again && !w->leaving;
    /* The first one says so when it cannot begin at all. */
    bool last = code == 0 || code == 2 || (w->round == 0 && (code == 3 || code == 4 || code == 71));
    if (!w->leaving && !asked && (last || w->config->once)) {
        w->leaving = true;
        w->code = code >= 0 ? code : 70;
    } else if (w->leaving)
        w->code = code >= 0 ? code : 70; /* it had to be killed */
    if (w->leaving) return;
    log_warn("the reactor ended and is begun again: %s round=%u", w->last, w->round + 1);
}

/* Until what belonged to it is gone, no other begins. */
static void bury(struct warden *w) {
    link_stop(&w->link);
    jobs_silence(&w->jobs);
    w->sampler_id = 0;
    hand_end(&w->disk);
    hand_end(&w->sampler);
}

static void rest(struct warden *w) {
    int64_t now = loop_now_ms(w->loop), ms = w->again ? 0 : rest_next(&w->rest, now - w->began_at);
    w->again = false;
    w->rested = ms == 0 || !loop_timer_set(w->loop, &w->timer, now + ms);
}

static void reaped(struct loop_child *c, int status) {
    struct warden *w = LOOP_OWNER(struct warden, child, c);
    say_end(w, status);
    decide(w, status);
    w->reactor = REACTOR_NONE;
    w->round++;
    loop_timer_clear(&w->timer);
    bury(w);
    rest(w);
    warden_go_on(w);
}

static void timed(struct loop_timer *t) {
    struct warden *w = LOOP_OWNER(struct warden, timer, t);
    if (w->reactor == REACTOR_NONE) {
        w->rested = true;
        warden_go_on(w);
        return;
    }
    if (!w->why[0]) snprintf(w->why, sizeof w->why, "it did not end in time and was killed");
    reactor_kill(w);
}

/* --- hearing --- */

static void heard(struct link *l, enum link_event event) {
    struct warden *w = LOOP_OWNER(struct warden, link, l);
    switch (event) {
    case LINK_FRAME: warden_hear(w, &l->frame); break;
    case LINK_REFUSED: warden_refuse(w, l->frame.id, &l->err); break;
    case LINK_GONE: /* it ends, or has closed what it lives by */
        if (w->reactor != REACTOR_UP) break;
        w->reactor = REACTOR_ENDING;
        set_kill_timer(w, LEFT_MS);
        break;
    }
}

/* --- beginning --- */

static _Noreturn void be_reactor(struct warden *w, int warden_fd, int disk_fd) {
    struct warden_birth birth = {
        .warden_fd = warden_fd,
        .disk_fd = disk_fd,
        .round = w->round,
        .last = w->round ? w->last : NULL,
        .jail = {.kind = JAIL_REACTOR, .change_user = w->root, .uid = w->uid, .gid = w->gid},
    };
    child_exit(w->config->reactor(&birth, w->config->arg));
}

/* Forks it and watches both. False: it is not there. */
static bool fork_reactor(struct warden *w, int pair[2], int disk_fd, struct err *e) {
    int keep[2] = {pair[1], disk_fd};
    w->pid = child_fork("sb-reactor", keep, disk_fd >= 0 ? 2 : 1, e);
    if (w->pid == 0) be_reactor(w, pair[1], disk_fd);
    close(pair[1]);
    if (w->pid < 0) {
        close(pair[0]);
        return false;
    }
    w->child = (struct loop_child){.call = reaped, .name = "reactor"};
    bool good = loop_child_add(w->loop, &w->child, w->pid, e);
    if (!good) close(pair[0]);
    w->link = (struct link){.call = heard, .name = "reactor"};
    if (good && !link_start(&w->link, w->loop, pair[0], e)) {
        loop_child_remove(&w->child);
        good = false;
    }
    if (good) return true;
    kill(w->pid, SIGKILL);
    while (waitpid(w->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    return false;
}

static bool try_begin(struct warden *w, struct err *e) {
    int pair[2], disk_fd = -1;
    w->timer.call = timed;
    w->timer.name = "reactor";
    w->why[0] = 0;
    w->last_id = 0;
    w->refused = 0;
    w->began_at = loop_now_ms(w->loop);
    if (w->root_n && (disk_fd = hand_start(&w->disk, e)) < 0) return false;
    bool good = child_socketpair(pair, e) && fork_reactor(w, pair, disk_fd, e);
    if (disk_fd >= 0) close(disk_fd);
    if (good) w->reactor = REACTOR_UP;
    return good;
}

bool reactor_begin(struct warden *w, struct err *e) {
    w->rested = false;
    if (try_begin(w, e)) return true;
    snprintf(w->last, sizeof w->last, "it could not be begun");
    bury(w);
    rest(w);
    return false;
}
