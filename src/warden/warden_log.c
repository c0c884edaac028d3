/* warden_log.c - the warden's side of the log: the pipe that is everybody's standard output and error, and the life of the hand
 * that reads it.
 *
 * The pipe's writing end does not wait: a room that logs must not stand still because a disk does (base/log.c counts what is lost).
 * The warden keeps the reading end, so that nobody's writing fails while the hand is begun again.
 * Whatever fails here costs the kept log, never the box: then everybody goes on with the standard error there was.
 * Tried: tests/warden/log_hand. */
#include "base/log.h"
#include "warden/child.h"
#include "warden/log_hand.h"
#include "warden/warden_room.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define END_MS 5000 /* for what is still in the pipe, when the warden leaves */

static void reaped(struct loop_child *c, int status);
static void timed(struct loop_timer *t);

/* --- the pipe --- */

/* As much as the kernel gives: more than its default wants a right, or few pipes of this user. */
static void widen(int fd) {
    for (int size = LIMIT_LOG_PIPE; size > 65536; size /= 2)
        if (fcntl(fd, F_SETPIPE_SZ, size) >= 0) return;
}

static bool keep_real(struct warden_log *g, struct err *e) {
    for (int i = 0; i < 2; i++) {
        g->real[i] = fcntl(STDOUT_FILENO + i, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        if (g->real[i] < 0) return err_os(e, ERR_UNKNOWN, errno, "keeping standard output and error");
    }
    return true;
}

static void close_all(struct warden_log *g) {
    for (int i = 0; i < 2; i++)
        if (g->real[i] >= 0) close(g->real[i]);
    if (g->from >= 0) close(g->from);
    g->from = g->real[0] = g->real[1] = -1;
}

static bool put_in_place(int to[2], struct err *e) {
    fflush(NULL);
    bool good = true;
    for (int i = 0; good && i < 2; i++) good = dup2(to[i], STDOUT_FILENO + i) >= 0;
    return good || err_os(e, ERR_UNKNOWN, errno, "putting standard output and error in place");
}

/* --- the hand --- */

static bool start(struct warden *w, struct err *e) {
    struct warden_log *g = &w->log;
    struct log_hand h = {.from = g->from,
                         .to = g->real[1],
                         .root = w->roots[g->root],
                         .folder = w->config->log_folder,
                         .change_user = w->root};
    int keep[3] = {h.from, h.to, h.root.dir};
    g->pid = child_fork("sb-log", keep, 3, e);
    if (g->pid == 0) child_exit(log_hand(&h));
    return g->pid > 0;
}

static bool watch(struct warden *w, struct err *e) {
    struct warden_log *g = &w->log;
    g->began_at = loop_now_ms(w->loop);
    g->child = (struct loop_child){.call = reaped, .name = "log"};
    return loop_child_add(w->loop, &g->child, g->pid, e);
}

static void rest(struct warden *w) {
    struct warden_log *g = &w->log;
    int64_t now = loop_now_ms(w->loop), ms = rest_next(&g->rest, now - g->began_at);
    g->timer.call = timed;
    g->timer.name = "log";
    if (!loop_timer_set(w->loop, &g->timer, now + ms)) log_warn("the log hand stays away: no memory");
}

/* Without a watch nobody would see it die: then it lives unwatched. */
static void timed(struct loop_timer *t) {
    struct warden *w = LOOP_OWNER(struct warden, log.timer, t);
    struct err e = ERR_INIT;
    if (!start(w, &e)) {
        w->log.pid = 0;
        log_warn("the log hand could not be begun: %s", e.text);
        w->log.began_at = loop_now_ms(w->loop);
        rest(w);
    } else if (!watch(w, &e))
        log_warn("the log hand is not watched: %s", e.text);
}

static void reaped(struct loop_child *c, int status) {
    struct warden *w = LOOP_OWNER(struct warden, log.child, c);
    w->log.pid = 0;
    if (WIFSIGNALED(status))
        log_warn("a hand died and is begun again: hand=log signal=%d", WTERMSIG(status));
    else
        log_warn("a hand ended and is begun again: hand=log code=%d", WEXITSTATUS(status));
    rest(w);
}

/* --- beginning and end --- */

static bool find_root(struct warden *w, struct err *e) {
    const char *folder = w->config->log_folder;
    if (!folder || !*folder || strchr(folder, '/') || folder[0] == '.')
        return err_set(e, ERR_INVALID, "the folder of the log wants a plain name");
    for (unsigned i = 0; i < w->root_n; i++) {
        if (strcmp(w->names[i], w->config->log_root) != 0 || !w->roots[i].write) continue;
        w->log.root = i;
        return true;
    }
    return err_set(e, ERR_NOT_FOUND, "there is no root \"%.60s\" that may be written", w->config->log_root);
}

static bool begin(struct warden *w, struct err *e) {
    struct warden_log *g = &w->log;
    int ends[2];
    if (!find_root(w, e) || !keep_real(g, e)) return false;
    if (pipe2(ends, O_CLOEXEC)) return err_os(e, ERR_UNKNOWN, errno, "making a pipe");
    g->from = ends[0];
    widen(ends[1]);
    bool good = fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0 || err_os(e, ERR_UNKNOWN, errno, "making a pipe not wait");
    if (good) {
        /* The hand comes first: it keeps the least of our memory, and hears the first word of all others. */
        good = start(w, e) && put_in_place((int[2]){ends[1], ends[1]}, e);
        setvbuf(stdout, NULL, _IOLBF, 0); /* a line there is as whole as one on standard error */
    }
    close(ends[1]);
    return good;
}

void warden_log_begin(struct warden *w) {
    struct err e = ERR_INIT;
    w->log = (struct warden_log){.from = -1, .real = {-1, -1}};
    if (!w->config->log_root || begin(w, &e)) return;
    if (w->log.pid > 0) warden_log_end(w);
    close_all(&w->log);
    log_warn("the log is not kept: %s", e.text);
}

void warden_log_watch(struct warden *w) {
    struct err e = ERR_INIT;
    if (w->log.pid > 0 && !watch(w, &e)) log_warn("the log hand is not watched: %s", e.text);
}

/* It ends by itself when the last writer is gone, and all others are. False: it died before it had read everything. */
static bool await_end(pid_t pid) {
    int status = 0;
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int ready;
    do ready = fd >= 0 ? poll(&p, 1, END_MS) : 0;
    while (ready < 0 && errno == EINTR);
    if (ready <= 0) kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (fd >= 0) close(fd);
    return ready <= 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

void warden_log_end(struct warden *w) {
    struct warden_log *g = &w->log;
    struct err e = ERR_INIT;
    if (g->from < 0) return;
    loop_timer_clear(&g->timer);
    loop_child_remove(&g->child);
    put_in_place(g->real, NULL);
    /* Where it rests, or is dead and nobody has noticed, the last words are still in the pipe: once more. */
    for (int i = 0; i < 2; i++) {
        if (g->pid <= 0 && !start(w, &e)) {
            log_warn("the last words are not kept: %s", e.text);
            break;
        }
        if (await_end(g->pid)) break;
        g->pid = 0;
    }
    g->pid = 0;
    close_all(g);
}
