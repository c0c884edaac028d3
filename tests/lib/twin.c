/* twin.c - see twin.h. */
#include "lib/twin.h"

#include "base/clock.h"
#include "lib/tap.h"
#include "loop/kernel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST 1000000 /* descriptors of the twin begin here, so that a mix-up with real ones shows */
#define MOST  4096
#define WAITS 64 /* connections in a listener's queue */

enum kind { FREE, EPOLL, LISTENER, STREAM };

struct end {
    enum kind kind;
    /* of a listener */
    int queue[WAITS];
    unsigned queued;
    /* of a stream: what the room can read, and the client at the far end */
    struct buf in;
    struct twin_client *client;
    bool in_over, broken, out_over;
    size_t window;
    /* its place in the epoll */
    bool watched;
    struct epoll_event watch;
};

static struct end ends[MOST];
static size_t read_cut, write_cut;
static int64_t now_us;

static int64_t tell_now(void *arg) {
    (void)arg;
    return now_us;
}

static struct end *find(int fd) {
    if (fd < FIRST || fd >= FIRST + MOST || ends[fd - FIRST].kind == FREE) {
        printf("# a descriptor that is not open was used: %d\n", fd);
        abort();
    }
    return &ends[fd - FIRST];
}

static int make(enum kind kind) {
    for (int i = 0; i < MOST; i++) {
        if (ends[i].kind != FREE) continue;
        ends[i] = (struct end){.kind = kind, .window = SIZE_MAX};
        buf_init(&ends[i].in, SIZE_MAX / 2);
        return FIRST + i;
    }
    errno = EMFILE;
    return -1;
}

/* --- what the rooms ask --- */

static int do_epoll_create1(int flags) {
    (void)flags;
    return make(EPOLL);
}

static int do_epoll_ctl(int epoll, int op, int fd, struct epoll_event *ev) {
    find(epoll);
    struct end *e = find(fd);
    if (e->watched != (op != EPOLL_CTL_ADD)) {
        errno = op == EPOLL_CTL_ADD ? EEXIST : ENOENT;
        return -1;
    }
    e->watched = op != EPOLL_CTL_DEL;
    if (e->watched) e->watch = *ev;
    return 0;
}

static uint32_t ready(const struct end *e) {
    uint32_t r = 0;
    if (e->kind == LISTENER) return e->queued ? EPOLLIN : 0;
    if (e->in.len || e->in_over || e->broken) r |= EPOLLIN;
    if (e->in_over) r |= EPOLLRDHUP;
    if (e->window) r |= EPOLLOUT;
    if (e->broken) r |= EPOLLERR | EPOLLHUP;
    if (e->in_over && e->out_over) r |= EPOLLHUP;
    return r & (e->watch.events | EPOLLERR | EPOLLHUP);
}

static int do_epoll_wait(int epoll, struct epoll_event *ev, int most, int ms) {
    find(epoll);
    (void)ms; /* the test moves the clock */
    int n = 0;
    for (int i = 0; i < MOST && n < most; i++) {
        uint32_t r = ends[i].kind > EPOLL && ends[i].watched ? ready(&ends[i]) : 0;
        if (r) ev[n++] = (struct epoll_event){.events = r, .data = ends[i].watch.data};
    }
    return n;
}

static ssize_t do_read(int fd, void *to, size_t len) {
    struct end *e = find(fd);
    if (e->broken) {
        errno = ECONNRESET;
        return -1;
    }
    if (!e->in.len) {
        if (e->in_over) return 0;
        errno = EAGAIN;
        return -1;
    }
    if (len > e->in.len) len = e->in.len;
    if (read_cut && len > read_cut) len = read_cut;
    memcpy(to, e->in.ptr, len);
    buf_drop(&e->in, len);
    return (ssize_t)len;
}

static ssize_t do_writev(int fd, const struct iovec *v, int n) {
    struct end *e = find(fd);
    if (e->broken || e->out_over || !e->client) {
        errno = EPIPE;
        return -1;
    }
    size_t room = e->window, done = 0;
    if (write_cut && room > write_cut) room = write_cut;
    for (int i = 0; i < n && done < room; i++) {
        struct slice s = slice_head(slice_of(v[i].iov_base, v[i].iov_len), room - done);
        buf_add(&e->client->got, s);
        done += s.len;
    }
    if (!done) {
        errno = EAGAIN;
        return -1;
    }
    if (e->window != SIZE_MAX) e->window -= done;
    return (ssize_t)done;
}

static ssize_t do_send(int fd, const void *from, size_t len, int flags) {
    (void)flags;
    return do_writev(fd, &(struct iovec){(void *)(uintptr_t)from, len}, 1);
}

static ssize_t do_sendmsg(int fd, const struct msghdr *m, int flags) {
    (void)flags;
    return do_writev(fd, m->msg_iov, (int)m->msg_iovlen);
}

static int do_accept4(int fd, struct sockaddr *from, socklen_t *len, int flags) {
    (void)flags;
    struct end *e = find(fd);
    if (!e->queued) {
        errno = EAGAIN;
        return -1;
    }
    int near = e->queue[0];
    memmove(e->queue, e->queue + 1, --e->queued * sizeof *e->queue);
    from->sa_family = AF_INET;
    *len = sizeof(struct sockaddr);
    return near;
}

static int do_getsockopt(int fd, int level, int name, void *to, socklen_t *len) {
    (void)level, (void)name, (void)len;
    *(int *)to = find(fd)->broken ? ECONNRESET : 0;
    return 0;
}

static int do_shutdown(int fd, int how) {
    (void)how;
    struct end *e = find(fd);
    e->out_over = true;
    if (e->client) e->client->over = true;
    return 0;
}

static int do_close(int fd) {
    struct end *e = find(fd);
    if (e->client) {
        e->client->over = true;
        e->client->reset = e->in.len > 0;
        e->client->far = -1;
    }
    for (unsigned i = 0; i < e->queued; i++) do_close(e->queue[i]);
    buf_release(&e->in);
    e->kind = FREE;
    return 0;
}

static int no_socket(int family, int type, int protocol) {
    (void)family, (void)type, (void)protocol;
    errno = ENOSYS;
    return -1;
}
static int no_connect(int fd, const struct sockaddr *to, socklen_t len) {
    (void)fd, (void)to, (void)len;
    errno = ENOSYS;
    return -1;
}
static int no_recvmmsg(int fd, struct mmsghdr *m, unsigned n, int flags, struct timespec *t) {
    (void)fd, (void)m, (void)n, (void)flags, (void)t;
    errno = ENOSYS;
    return -1;
}
static int no_sendmmsg(int fd, struct mmsghdr *m, unsigned n, int flags) {
    (void)fd, (void)m, (void)n, (void)flags;
    errno = ENOSYS;
    return -1;
}

static int do_ioctl(int fd, unsigned long what, int *out) {
    (void)what;
    find(fd);
    *out = 0; /* the far end has heard all that was written */
    return 0;
}
static ssize_t no_splice(int in, off64_t *at, int out, off64_t *to, size_t len, unsigned flags) {
    (void)in, (void)at, (void)out, (void)to, (void)len, (void)flags;
    errno = ENOSYS;
    return -1;
}

static const struct kernel_twin twin = {
    .epoll_create1 = do_epoll_create1,
    .epoll_ctl = do_epoll_ctl,
    .epoll_wait = do_epoll_wait,
    .read = do_read,
    .send = do_send,
    .sendmsg = do_sendmsg,
    .writev = do_writev,
    .recvmmsg = no_recvmmsg,
    .sendmmsg = no_sendmmsg,
    .accept4 = do_accept4,
    .socket = no_socket,
    .connect = no_connect,
    .getsockopt = do_getsockopt,
    .splice = no_splice,
    .ioctl = do_ioctl,
    .shutdown = do_shutdown,
    .close = do_close,
};

/* --- the test's side --- */

void twin_begin(void) {
    static const struct clock_source source = {tell_now, tell_now, NULL};
    now_us = INT64_C(1000000) * 1000000;
    read_cut = write_cut = 0;
    clock_use(&source);
    kernel_use(&twin);
}

unsigned twin_end(void) {
    unsigned left = 0;
    for (int i = 0; i < MOST; i++) {
        if (ends[i].kind == FREE) continue;
        left++;
        buf_release(&ends[i].in);
        ends[i].kind = FREE;
    }
    kernel_use(NULL);
    clock_use(NULL);
    return left;
}

void twin_cut(size_t read_most, size_t write_most) {
    read_cut = read_most;
    write_cut = write_most;
}

int twin_listen(void) {
    return make(LISTENER);
}

void twin_dial(struct twin_client *c, int listener) {
    struct end *l = find(listener);
    *c = (struct twin_client){.far = make(STREAM)};
    buf_init(&c->got, SIZE_MAX / 2);
    ends[c->far - FIRST].client = c;
    l->queue[l->queued++] = c->far;
}

static struct end *near_of(const struct twin_client *c) {
    return c->far < 0 ? NULL : find(c->far);
}

void twin_send(struct twin_client *c, struct slice bytes) {
    struct end *e = near_of(c);
    if (e) buf_add(&e->in, bytes);
}

void twin_half_close(struct twin_client *c) {
    struct end *e = near_of(c);
    if (e) e->in_over = true;
}

void twin_close(struct twin_client *c) {
    struct end *e = near_of(c);
    if (!e) return;
    e->in_over = true;
    e->client = NULL; /* whatever is written now finds nobody */
    c->far = -1;
}

void twin_reset(struct twin_client *c) {
    struct end *e = near_of(c);
    if (!e) return;
    e->broken = true;
    e->client = NULL;
    c->far = -1;
}

void twin_window(struct twin_client *c, size_t bytes) {
    struct end *e = near_of(c);
    if (e) e->window = bytes;
}

void twin_client_release(struct twin_client *c) {
    twin_close(c);
    buf_release(&c->got);
}

void twin_settle(struct loop *l) {
    for (int i = 0; i < 2000000; i++)
        if (!loop_turn(l, 0)) return;
    tap_note("the loop does not come to rest");
    abort();
}

void twin_pass(struct loop *l, int64_t ms) {
    twin_settle(l);
    for (; ms > 0; ms -= 100) { /* a tenth of a second at a time: timers ring in their order */
        now_us += (ms < 100 ? ms : 100) * 1000;
        twin_settle(l);
    }
}
