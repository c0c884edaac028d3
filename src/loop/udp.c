/* udp.c - see udp.h. */
#include "loop/udp.h"

#include "base/mem.h"
#include "base/must.h"
#include "loop/kernel.h"

#include <errno.h>
#include <unistd.h>

#define CONTROL (CMSG_SPACE(sizeof(struct in_pktinfo)) + CMSG_SPACE(sizeof(struct in6_pktinfo)))

struct udp_slot {
    struct address peer;
    struct iovec v;
    union {
        uint8_t bytes[CONTROL];
        struct cmsghdr align;
    } control;
};

/* Heads, slots and, behind them, the bytes of all datagrams. */
struct udp_batch {
    struct mmsghdr head[UDP_BATCH];
    struct udp_slot slot[UDP_BATCH];
    uint8_t bytes[];
};

static size_t batch_size(const struct udp *u) {
    return sizeof(struct udp_batch) + UDP_BATCH * u->most;
}

static struct udp_batch *batch_new(const struct udp *u) {
    struct udp_batch *b = mem_get(batch_size(u));
    if (!b) return NULL;
    memset(b, 0, sizeof *b);
    for (size_t i = 0; i < UDP_BATCH; i++) {
        struct udp_slot *s = &b->slot[i];
        s->v = (struct iovec){b->bytes + i * u->most, u->most};
        b->head[i].msg_hdr = (struct msghdr){
            .msg_name = &s->peer.un, .msg_iov = &s->v, .msg_iovlen = 1, .msg_control = s->control.bytes};
    }
    return b;
}

/* --- receiving --- */

static void read_control(struct msghdr *m, struct datagram *d) {
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof info);
            d->to.v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = info.ipi_spec_dst};
            d->to.len = sizeof d->to.v4;
            d->interface = (unsigned)info.ipi_ifindex;
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof info);
            d->to.v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = info.ipi6_addr};
            d->to.len = sizeof d->to.v6;
            d->interface = (unsigned)info.ipi6_ifindex;
        }
    }
}

static int receive(struct udp *u) {
    struct udp_batch *b = u->in;
    for (size_t i = 0; i < UDP_BATCH; i++) {
        b->head[i].msg_hdr.msg_namelen = sizeof b->slot[i].peer.un;
        b->head[i].msg_hdr.msg_controllen = CONTROL;
        b->head[i].msg_hdr.msg_flags = 0;
    }
    return kernel_recvmmsg(u->fd.fd, b->head, UDP_BATCH, MSG_DONTWAIT, NULL);
}

static void ready(struct loop_fd *w, unsigned what) {
    (void)what;
    struct udp *u = LOOP_OWNER(struct udp, fd, w);
    for (int done = 0; done < UDP_TURN && u->fd.loop;) {
        int n = receive(u);
        if (n <= 0) return; /* nothing there, or an ICMP answer to something we sent */
        for (int i = 0; i < n && u->fd.loop; i++) {
            struct mmsghdr *h = &u->in->head[i];
            if (h->msg_hdr.msg_flags & MSG_TRUNC) {
                u->dropped++;
                continue;
            }
            struct datagram d = {.bytes = slice_of(u->in->slot[i].v.iov_base, h->msg_len), .from = u->in->slot[i].peer};
            d.from.len = h->msg_hdr.msg_namelen;
            read_control(&h->msg_hdr, &d);
            u->received++;
            u->call(u, &d);
        }
        done += n;
        if (n < UDP_BATCH) return;
    }
}

/* --- sending --- */

static void send_out(struct udp *u) {
    unsigned at = 0;
    while (at < u->out_n) {
        int n = kernel_sendmmsg(u->fd.fd, u->out->head + at, u->out_n - at, MSG_DONTWAIT);
        if (n > 0) {
            at += (unsigned)n;
            u->sent += (unsigned)n;
            continue;
        }
        if (errno == EINTR) continue;
        /* The first of them cannot be sent (unreachable, no room): drop it, the rest may fare better. */
        at++;
        u->dropped++;
    }
    u->out_n = 0;
}

static bool send_task(struct loop_task *t) {
    send_out(LOOP_OWNER(struct udp, out_task, t));
    return false;
}

/* The source of an answer: the address that was asked, by the interface it was asked on. */
static size_t write_control(uint8_t *to, const struct datagram *d) {
    struct cmsghdr *c = (struct cmsghdr *)(void *)to;
    if (d->to.any.sa_family == AF_INET) {
        struct in_pktinfo info = {.ipi_ifindex = (int)d->interface, .ipi_spec_dst = d->to.v4.sin_addr};
        *c = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof info), .cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO};
        memcpy(CMSG_DATA(c), &info, sizeof info);
        return CMSG_SPACE(sizeof info);
    }
    struct in6_pktinfo info = {.ipi6_addr = d->to.v6.sin6_addr, .ipi6_ifindex = d->interface};
    *c = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof info), .cmsg_level = IPPROTO_IPV6, .cmsg_type = IPV6_PKTINFO};
    memcpy(CMSG_DATA(c), &info, sizeof info);
    return CMSG_SPACE(sizeof info);
}

bool udp_send(struct udp *u, const struct address *to, const struct datagram *answered, struct slice bytes) {
    if (!u->loop || bytes.len > u->most) return false;
    if (u->out_n == UDP_BATCH) send_out(u);
    struct udp_slot *s = &u->out->slot[u->out_n];
    struct mmsghdr *h = &u->out->head[u->out_n++];
    s->peer = *to;
    if (bytes.len) memcpy(s->v.iov_base, bytes.ptr, bytes.len);
    s->v.iov_len = bytes.len;
    h->msg_hdr.msg_namelen = to->len;
    bool source = answered && answered->to.any.sa_family != AF_UNSPEC;
    h->msg_hdr.msg_control = source ? s->control.bytes : NULL;
    h->msg_hdr.msg_controllen = source ? write_control(s->control.bytes, answered) : 0;
    loop_task_queue(u->loop, &u->out_task, LOOP_WRITE_OUT);
    return true;
}

/* --- beginning and ending --- */

int udp_open(const struct address *a, struct err *e) {
    int family = a->any.sa_family, on = 1, off = 0;
    int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        err_os(e, ERR_NETWORK, errno, "making a socket");
        return -1;
    }
    if (family == AF_INET6) {
        bool any = IN6_IS_ADDR_UNSPECIFIED(&a->v6.sin6_addr);
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, any ? &off : &on, sizeof on);
        setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
    }
    if (family == AF_INET) setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
    if (!bind(fd, &a->any, a->len)) return fd;
    int os = errno;
    struct buf text;
    buf_init(&text, 200);
    address_write(&text, a);
    err_os(e, ERR_NETWORK, os, "binding to %.*s", (int)text.len, (const char *)text.ptr);
    buf_release(&text);
    close(fd);
    return -1;
}

bool udp_start(struct udp *u, struct loop *l, int fd, size_t most, struct err *e) {
    must(u->call && u->name);
    *u = (struct udp){.call = u->call, .name = u->name, .most = most};
    u->fd = (struct loop_fd){.call = ready, .name = u->name};
    u->out_task = (struct loop_task)LOOP_TASK(send_task, u->name);
    u->in = batch_new(u);
    u->out = batch_new(u);
    if (!u->in || !u->out)
        err_nomem(e, "a batch of datagrams");
    else if (loop_fd_add(l, &u->fd, fd, LOOP_READ, e)) {
        u->loop = l;
        return true;
    }
    mem_put(u->in, u->in ? batch_size(u) : 0);
    mem_put(u->out, u->out ? batch_size(u) : 0);
    u->in = u->out = NULL;
    return false;
}

void udp_stop(struct udp *u) {
    if (!u->loop) return;
    loop_task_remove(&u->out_task);
    loop_fd_remove(&u->fd);
    close(u->fd.fd);
    mem_put(u->out, batch_size(u));
    u->out = NULL;
    u->loop = NULL;
    mem_put(u->in, batch_size(u));
    u->in = NULL;
}
