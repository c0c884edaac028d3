/* link.c - packets with descriptors over a socket, and those that wait; see link.h. What stands in a packet is
 * link_frame.c. */
#include "base/mem.h"
#include "base/must.h"
#include "warden/link_room.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define SMALL    1024 /* a frame up to this size is written on the stack */
#define AGAIN_MS 10   /* when the kernel was short of memory, or of room for descriptors in flight */

static_assert(LIMIT_LINK_FRAME > LOOP_SCRATCH, "what is beyond the scratch has a tail of its own");

/* --- packets with descriptors --- */

union control {
    uint8_t bytes[CMSG_SPACE(sizeof(int) * LIMIT_LINK_FDS)];
    struct cmsghdr align;
};

static ssize_t send_packet(int fd, struct slice packet, const int *fds, unsigned fd_n, int flags) {
    union control control = {{0}};
    struct iovec v = {(void *)(uintptr_t)packet.ptr, packet.len};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
    if (fd_n) {
        m.msg_control = control.bytes;
        m.msg_controllen = CMSG_SPACE(sizeof(int) * fd_n);
        struct cmsghdr *c = &control.align; /* the first of them */
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * fd_n);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * fd_n);
    }
    ssize_t n;
    do n = sendmsg(fd, &m, MSG_NOSIGNAL | flags);
    while (n < 0 && errno == EINTR);
    return n;
}

/* Puts the descriptors of a packet into the frame. What does not fit the room for them the kernel closes, and says so
 * in the packet's flags; so is what we close. */
static void collect_fds(struct msghdr *m, struct link_frame *f) {
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            if (f->fd_n < LIMIT_LINK_FDS)
                f->fds[f->fd_n++] = fd;
            else {
                close(fd);
                m->msg_flags |= MSG_CTRUNC;
            }
        }
    }
}

/* One packet into two pieces of memory: its bytes, or 0 at the end, or -1 with errno. */
static ssize_t receive_packet(int fd, struct iovec *v, struct link_frame *f, int *flags) {
    union control control;
    struct msghdr m;
    ssize_t n;
    do {
        m = (struct msghdr){.msg_iov = v, .msg_iovlen = 2};
        m.msg_control = control.bytes;
        m.msg_controllen = sizeof control.bytes;
        n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC | *flags);
    } while (n < 0 && errno == EINTR);
    if (n >= 0) collect_fds(&m, f);
    *flags = m.msg_flags;
    return n;
}

/* The frame of a packet. On failure its descriptors are closed; kind and id are there when they could be read. */
static bool make_frame(struct slice packet, int flags, struct link_frame *f, struct err *e) {
    struct link_frame got;
    bool good = false;
    if (flags & MSG_TRUNC) {
        got = (struct link_frame){0};
        link_frame_head(packet, &got);
        err_limit(e, "link frame", LIMIT_LINK_FRAME, LIMIT_LINK_FRAME);
    } else
        good = link_frame_read(packet, &got, e);
    if (good && flags & MSG_CTRUNC)
        good = err_limit(e, "link descriptors", LIMIT_LINK_FDS, ERR_NOWHERE);
    else if (good && f->fd_n && !link_kind_has_fds(got.kind))
        good = err_set(e, ERR_SYNTAX, "descriptors came with a frame that has none");
    memcpy(got.fds, f->fds, sizeof got.fds);
    got.fd_n = f->fd_n;
    *f = got;
    if (!good) link_frame_release(f);
    return good;
}

/* --- the link: ending --- */

struct link_waiting {
    struct link_waiting *next;
    size_t len;
    int fds[LIMIT_LINK_FDS];
    unsigned fd_n;
    uint8_t bytes[];
};

static size_t weigh(size_t len, unsigned fd_n) {
    return sizeof(struct link_waiting) + len + (size_t)fd_n * LINK_FD_WEIGHT;
}

static void drop_first(struct link *l) {
    struct link_waiting *w = l->first;
    l->first = w->next;
    if (!l->first) l->last = NULL;
    l->waiting_bytes -= weigh(w->len, w->fd_n);
    for (unsigned i = 0; i < w->fd_n; i++) close(w->fds[i]);
    mem_put(w, sizeof *w + w->len);
}

void link_stop(struct link *l) {
    if (!l->loop) return;
    if (l->stopped) *l->stopped = true;
    l->stopped = NULL;
    loop_task_remove(&l->gone);
    loop_timer_clear(&l->again);
    while (l->first) drop_first(l);
    int fd = l->fd.fd;
    loop_fd_remove(&l->fd);
    close(fd);
    link_frame_release(&l->frame);
    l->loop = NULL;
}

/* Tells the owner that it is over, who may free the link. */
static void end(struct link *l, int os) {
    if (os)
        err_os(&l->err, ERR_NETWORK, os, "%s: the link is broken", l->name);
    else
        err_set(&l->err, ERR_NETWORK, "%s: the other end is closed", l->name);
    link_stop(l);
    l->call(l, LINK_GONE);
}

/* --- reading --- */

/* False: the link was stopped inside, and may be freed. */
static bool tell(struct link *l, enum link_event event) {
    bool stopped = false;
    /* Taken back below, or by link_stop. */
    /* cppcheck-suppress autoVariables */
    l->stopped = &stopped;
    l->call(l, event);
    if (stopped) return false;
    l->stopped = NULL;
    link_frame_release(&l->frame);
    return true;
}

static bool refuse(struct link *l) {
    l->refused++;
    return tell(l, LINK_REFUSED);
}

static bool take_packet(struct link *l, const struct iovec *v, size_t len, int flags) {
    struct slice packet = slice_of(v[0].iov_base, len);
    uint8_t *joined = NULL;
    bool good = true;
    if (len > v[0].iov_len) {
        joined = mem_get(len);
        if (joined) {
            memcpy(joined, v[0].iov_base, v[0].iov_len);
            memcpy(joined + v[0].iov_len, v[1].iov_base, len - v[0].iov_len);
            packet = slice_of(joined, len);
        } else {
            packet.len = v[0].iov_len;
            link_frame_head(packet, &l->frame);
            link_frame_close(&l->frame);
            good = err_nomem(&l->err, "a frame");
        }
    }
    good = good && make_frame(packet, flags, &l->frame, &l->err);
    mem_put(joined, joined ? len : 0);
    if (!good) return refuse(l);
    l->received++;
    return tell(l, LINK_FRAME);
}

enum taken { TAKEN_FRAMES, TAKEN_ALL, TAKEN_END };

static bool is_full(const struct link *l) {
    return l->slow && l->first && !l->over;
}

/* Takes up to LINK_BATCH packets. TAKEN_ALL: there are no more now. TAKEN_END: the link is over and must not be
 * touched. An empty packet looks like the end; after the end there are only more of them. */
static enum taken take_some(struct link *l, bool hung_up) {
    uint8_t tail[LIMIT_LINK_FRAME - LOOP_SCRATCH];
    unsigned empty = 0;
    for (int i = 0; i < LINK_BATCH; i++) {
        if (is_full(l) && !hung_up) return TAKEN_ALL;
        struct iovec v[2] = {{loop_scratch(l->loop), LOOP_SCRATCH}, {NULL, sizeof tail}};
        v[1].iov_base = tail;
        int flags = MSG_DONTWAIT;
        l->frame = (struct link_frame){0};
        ssize_t n = receive_packet(l->fd.fd, v, &l->frame, &flags);
        if (n < 0 && errno == ECONNRESET) continue; /* said once; what was sent before is still there */
        if (n < 0 && errno != EAGAIN) {
            end(l, errno);
            return TAKEN_END;
        }
        if (n == 0 && (hung_up || i + 1 == LINK_BATCH)) {
            link_frame_close(&l->frame);
            end(l, 0);
            return TAKEN_END;
        }
        if (n == 0) {
            link_frame_close(&l->frame);
            empty++;
            continue;
        }
        if (n > 0 && !take_packet(l, v, (size_t)n, flags)) return TAKEN_END;
        for (; empty; empty--) {
            l->frame = (struct link_frame){0};
            err_set(&l->err, ERR_SYNTAX, "an empty frame");
            if (!refuse(l)) return TAKEN_END;
        }
        if (n < 0) return TAKEN_ALL;
    }
    return TAKEN_FRAMES;
}

/* --- writing --- */

/* Sending cannot succeed any more. What the other end had sent before is still read, then the owner is told. */
static bool drain(struct loop_task *t) {
    struct link *l = LOOP_OWNER(struct link, gone, t);
    switch (take_some(l, true)) {
    case TAKEN_FRAMES: return true;
    case TAKEN_ALL: end(l, EPIPE); break;
    case TAKEN_END: break;
    }
    return false;
}

static void give_up(struct link *l) {
    l->over = true;
    while (l->first) drop_first(l);
    loop_timer_clear(&l->again);
    loop_task_queue(l->loop, &l->gone, LOOP_LATER);
}

/* The socket takes nothing now. */
static bool is_busy(int os) {
    return os == EAGAIN || os == ENOBUFS || os == ENOMEM || os == ETOOMANYREFS;
}

static void watch(struct link *l, int os) {
    unsigned wants = is_full(l) ? 0u : LOOP_READ;
    if (l->first && os == EAGAIN) wants |= LOOP_WRITE;
    /* No event tells when the kernel has memory again. */
    if (l->first && os != EAGAIN && !loop_timer_set(l->loop, &l->again, loop_now_ms(l->loop) + AGAIN_MS))
        wants |= LOOP_WRITE;
    if (!loop_fd_want(&l->fd, wants, NULL)) give_up(l);
}

static void write_waiting(struct link *l) {
    while (l->first) {
        struct link_waiting *w = l->first;
        if (send_packet(l->fd.fd, slice_of(w->bytes, w->len), w->fds, w->fd_n, MSG_DONTWAIT) < 0) {
            if (is_busy(errno))
                watch(l, errno);
            else
                give_up(l);
            return;
        }
        l->sent++;
        drop_first(l);
    }
    watch(l, EAGAIN);
}

static void try_again(struct loop_timer *t) {
    write_waiting(LOOP_OWNER(struct link, again, t));
}

/* Puts a packet and duplicates of its descriptors into the queue. */
static bool wait_to_send(struct link *l, struct slice packet, const int *fds, unsigned fd_n, struct err *e) {
    size_t weight = weigh(packet.len, fd_n);
    if (weight > LIMIT_LINK_QUEUE - l->waiting_bytes) return err_limit(e, "link queue", LIMIT_LINK_QUEUE, ERR_NOWHERE);
    struct link_waiting *w = mem_get(sizeof *w + packet.len);
    if (!w) return err_nomem(e, "a frame that has to wait");
    *w = (struct link_waiting){.len = packet.len};
    memcpy(w->bytes, packet.ptr, packet.len);
    for (; w->fd_n < fd_n; w->fd_n++) {
        w->fds[w->fd_n] = fcntl(fds[w->fd_n], F_DUPFD_CLOEXEC, 3);
        if (w->fds[w->fd_n] >= 0) continue;
        err_os(e, ERR_UNKNOWN, errno, "keeping a descriptor that has to wait");
        while (w->fd_n) close(w->fds[--w->fd_n]);
        mem_put(w, sizeof *w + packet.len);
        return false;
    }
    if (l->last)
        l->last->next = w;
    else
        l->first = w;
    l->last = w;
    l->waiting_bytes += weight;
    return true;
}

static bool send_or_wait(struct link *l, struct slice packet, const struct link_frame *f, struct err *e) {
    if (l->first) return wait_to_send(l, packet, f->fds, f->fd_n, e);
    if (send_packet(l->fd.fd, packet, f->fds, f->fd_n, MSG_DONTWAIT) >= 0) {
        l->sent++;
        return true;
    }
    int os = errno;
    if (is_busy(os)) {
        bool good = wait_to_send(l, packet, f->fds, f->fd_n, e);
        if (good) watch(l, os);
        return good;
    }
    if (os == EMSGSIZE) return err_limit(e, "link frame", LIMIT_LINK_FRAME, ERR_NOWHERE);
    if (os == EBADF) return err_os(e, ERR_INVALID, os, "a descriptor to be sent");
    give_up(l);
    return err_os(e, ERR_NETWORK, os, "%s: sending a frame", l->name);
}

/* A frame as bytes: on the stack when it is small. ptr NULL: e says why. */
static struct slice encode(const struct link_frame *f, struct buf *small, struct buf *big, struct err *e) {
    const struct slice none = {NULL, 0};
    struct err own = ERR_INIT;
    buf_init(big, LIMIT_LINK_FRAME);
    if (f->fd_n > LIMIT_LINK_FDS || (f->fd_n && !link_kind_has_fds(f->kind))) {
        err_limit(e, "link descriptors", f->fd_n > LIMIT_LINK_FDS ? LIMIT_LINK_FDS : 0, ERR_NOWHERE);
        return none;
    }
    if (link_frame_write(small, f, &own)) return buf_slice(small);
    if (own.code == ERR_LIMIT) return link_frame_write(big, f, e) ? buf_slice(big) : none;
    if (e) *e = own;
    return none;
}

#define SMALL_BUF(memory)                                                                                              \
    { .ptr = (memory), .cap = sizeof(memory), .max = sizeof(memory) }

bool link_send(struct link *l, const struct link_frame *f, struct err *e) {
    if (!l->loop || l->over) return err_set(e, ERR_NETWORK, "%s: the other end is gone", l->name ? l->name : "a link");
    uint8_t memory[SMALL];
    struct buf small = SMALL_BUF(memory), big;
    struct slice packet = encode(f, &small, &big, e);
    bool good = packet.ptr && send_or_wait(l, packet, f, e);
    buf_release(&big);
    return good;
}

/* --- the descriptor --- */

static void ready(struct loop_fd *w, unsigned what) {
    struct link *l = LOOP_OWNER(struct link, fd, w);
    if (l->over) return; /* the task reads what is left */
    if (what & LOOP_WRITE) write_waiting(l);
    if (what & (LOOP_READ | LOOP_GONE) && !l->over) take_some(l, what & LOOP_GONE);
}

/* A frame must fit the socket's buffer whole. */
static void widen(int fd) {
    int room = 0, want = 2 * (int)LIMIT_LINK_FRAME;
    socklen_t len = sizeof room;
    if (!getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, &len) && room < want)
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &want, sizeof want);
}

bool link_start(struct link *l, struct loop *loop, int fd, struct err *e) {
    must(l->call && l->name);
    *l = (struct link){.call = l->call, .name = l->name, .slow = l->slow};
    l->err.at = ERR_NOWHERE;
    l->fd = (struct loop_fd){.call = ready, .name = l->name};
    l->gone = (struct loop_task)LOOP_TASK(drain, l->name);
    l->again = (struct loop_timer){.call = try_again, .name = l->name};
    widen(fd);
    if (loop_fd_add(loop, &l->fd, fd, LOOP_READ, e)) {
        l->loop = loop;
        return true;
    }
    close(fd);
    return false;
}

/* --- without a loop --- */

/* Waits until the descriptor is ready, when it is one that does not wait by itself. */
static bool wait_for(int fd, short what) {
    struct pollfd p = {.fd = fd, .events = what};
    if (errno == ENOBUFS || errno == ENOMEM || errno == ETOOMANYREFS) return poll(NULL, 0, AGAIN_MS) == 0;
    return errno == EAGAIN && (poll(&p, 1, -1) > 0 || errno == EINTR);
}

bool link_send_waiting(int fd, const struct link_frame *f, struct err *e) {
    uint8_t memory[SMALL];
    struct buf small = SMALL_BUF(memory), big;
    struct slice packet = encode(f, &small, &big, e);
    bool good = packet.ptr != NULL;
    while (good && send_packet(fd, packet, f->fds, f->fd_n, 0) < 0) {
        int os = errno;
        if (!wait_for(fd, POLLOUT)) good = err_os(e, ERR_NETWORK, os, "sending a frame");
    }
    buf_release(&big);
    return good;
}

bool link_receive_waiting(int fd, struct link_frame *f, struct err *e) {
    *f = (struct link_frame){0};
    uint8_t *to = mem_get(LIMIT_LINK_FRAME);
    if (!to) return err_nomem(e, "a frame");
    struct iovec v[2] = {{to, LIMIT_LINK_FRAME}, {NULL, 0}};
    int flags;
    ssize_t n;
    do {
        flags = 0;
        n = receive_packet(fd, v, f, &flags);
    } while (n < 0 && wait_for(fd, POLLIN));
    bool good = false;
    if (n > 0)
        good = make_frame(slice_of(to, (size_t)n), flags, f, e);
    else {
        link_frame_close(f);
        if (n < 0)
            err_os(e, ERR_NETWORK, errno, "receiving a frame");
        else
            err_set(e, ERR_NETWORK, "the other end of the link is closed");
    }
    mem_put(to, LIMIT_LINK_FRAME);
    return good;
}
