/* signal.c - signals and children as descriptors; see loop.h. No handler ever runs. */
#include "base/must.h"
#include "loop/loop_room.h"

#include <errno.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void signal_ready(struct loop_fd *w, unsigned ready) {
    (void)ready;
    struct loop *l = w->loop;
    struct signalfd_siginfo info;
    /* One a turn: level triggered, and a callback may take the watch away. */
    if (read(w->fd, &info, sizeof info) != (ssize_t)sizeof info) return;
    for (struct loop_signal *s = l->signals; s; s = s->next)
        if ((uint32_t)s->number == info.ssi_signo) {
            s->call(s);
            return;
        }
}

/* Opens the descriptor, or gives it the new set. */
static bool update(struct loop *l, struct err *e) {
    int fd = signalfd(l->signal_fd.loop ? l->signal_fd.fd : -1, &l->signal_set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0) return err_os(e, ERR_UNKNOWN, errno, "watching signals");
    if (l->signal_fd.loop) return true;
    l->signal_fd = (struct loop_fd){.call = signal_ready, .name = "signals"};
    if (loop_fd_add(l, &l->signal_fd, fd, LOOP_READ, e)) return true;
    close(fd);
    return false;
}

bool loop_signal_add(struct loop *l, struct loop_signal *s, int number, struct err *e) {
    must(s->call && s->name && !s->loop);
    if (!l->signals) sigemptyset(&l->signal_set);
    for (struct loop_signal *other = l->signals; other; other = other->next)
        if (other->number == number) return err_set(e, ERR_DUPLICATE, "signal %d is watched already", number);
    sigset_t one;
    sigemptyset(&one);
    if (sigaddset(&one, number) || sigprocmask(SIG_BLOCK, &one, NULL))
        return err_os(e, ERR_UNKNOWN, errno, "blocking signal %d", number);
    sigaddset(&l->signal_set, number);
    if (!update(l, e)) {
        sigdelset(&l->signal_set, number);
        return false;
    }
    s->loop = l;
    s->number = number;
    s->next = l->signals;
    l->signals = s;
    return true;
}

void loop_signal_remove(struct loop_signal *s) {
    struct loop *l = s->loop;
    if (!l) return;
    for (struct loop_signal **at = &l->signals; *at; at = &(*at)->next)
        if (*at == s) {
            *at = s->next;
            break;
        }
    sigdelset(&l->signal_set, s->number);
    update(l, NULL);
    s->loop = NULL;
}

void loop_signal_close(struct loop *l) {
    if (!l->signal_fd.loop) return;
    int fd = l->signal_fd.fd;
    loop_fd_remove(&l->signal_fd);
    close(fd);
}

/* --- children --- */

static void child_ready(struct loop_fd *w, unsigned ready) {
    (void)ready;
    struct loop_child *c = LOOP_OWNER(struct loop_child, fd, w);
    int status = 0;
    pid_t got = waitpid(c->pid, &status, WNOHANG);
    if (got == 0) return; /* not over yet */
    loop_child_remove(c);
    c->call(c, status);
}

bool loop_child_add(struct loop *l, struct loop_child *c, pid_t pid, struct err *e) {
    must(c->call && c->name && !c->fd.loop);
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0) return err_os(e, ERR_UNKNOWN, errno, "watching child %d", (int)pid);
    c->pid = pid;
    c->fd = (struct loop_fd){.call = child_ready, .name = c->name};
    if (loop_fd_add(l, &c->fd, fd, LOOP_READ, e)) return true; /* pidfds are close-on-exec by themselves */
    close(fd);
    return false;
}

void loop_child_remove(struct loop_child *c) {
    if (!c->fd.loop) return;
    int fd = c->fd.fd;
    loop_fd_remove(&c->fd);
    close(fd);
}
