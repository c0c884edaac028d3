/* listen.c - see listen.h. */
#include "loop/listen.h"

#include "base/must.h"
#include "base/num.h"
#include "loop/kernel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stddef.h>
#include <unistd.h>

/* --- addresses --- */

static bool read_unix(struct slice path, struct address *a, struct err *e) {
    if (!path.len || path.len >= sizeof a->un.sun_path || slice_find(path, 0) < path.len)
        return err_set(e, ERR_INVALID, "want a path of 1 to %zu bytes behind unix:", sizeof a->un.sun_path - 1);
    a->un.sun_family = AF_UNIX;
    memcpy(a->un.sun_path, path.ptr, path.len);
    a->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.len + 1);
    return true;
}

static bool read_host(struct slice host, struct address *a) {
    char text[INET6_ADDRSTRLEN + IF_NAMESIZE + 2];
    if (!host.len || slice_eq(host, LIT("*"))) { /* both families: an IPv6 socket that takes IPv4 as well */
        a->v6.sin6_family = AF_INET6;
        a->len = sizeof a->v6;
        return true;
    }
    bool six = host.ptr[0] == '[';
    if (six && !slice_ends(host, LIT("]"))) return false;
    if (six) host = slice_of(host.ptr + 1, host.len - 2);
    if (host.len >= sizeof text || slice_find(host, 0) < host.len) return false;
    memcpy(text, host.ptr, host.len);
    text[host.len] = 0;
    if (!six) {
        a->v4.sin_family = AF_INET;
        a->len = sizeof a->v4;
        return inet_pton(AF_INET, text, &a->v4.sin_addr) == 1;
    }
    size_t zone = slice_find(host, '%');
    if (zone < host.len) {
        uint64_t number = 0;
        if (!num_read_u64(slice_skip(host, zone + 1), 1, UINT32_MAX, &number)) number = if_nametoindex(text + zone + 1);
        if (!number) return false;
        a->v6.sin6_scope_id = (uint32_t)number;
        text[zone] = 0;
    }
    a->v6.sin6_family = AF_INET6;
    a->len = sizeof a->v6;
    return inet_pton(AF_INET6, text, &a->v6.sin6_addr) == 1;
}

bool address_read(struct slice text, struct address *a, struct err *e) {
    *a = (struct address){0};
    if (slice_starts(text, LIT("unix:"))) return read_unix(slice_skip(text, 5), a, e);
    size_t colon = text.len;
    while (colon > 0 && text.ptr[colon - 1] != ':') colon--;
    uint64_t port;
    if (!colon || !num_read_u64(slice_skip(text, colon), 0, 65535, &port) || !read_host(slice_head(text, colon - 1), a))
        return err_set(e, ERR_INVALID,
                       "want an address like 192.0.2.1:80, [2001:db8::1]:80, :80 or unix:/path, found \"%.*s\"",
                       (int)(text.len < 80 ? text.len : 80), (const char *)text.ptr);
    if (a->any.sa_family == AF_INET)
        a->v4.sin_port = htons((uint16_t)port);
    else
        a->v6.sin6_port = htons((uint16_t)port);
    return true;
}

bool address_write(struct buf *out, const struct address *a) {
    char text[INET6_ADDRSTRLEN];
    switch (a->any.sa_family) {
    case AF_INET:
        inet_ntop(AF_INET, &a->v4.sin_addr, text, sizeof text);
        return buf_printf(out, "%s:%u", text, ntohs(a->v4.sin_port));
    case AF_INET6:
        inet_ntop(AF_INET6, &a->v6.sin6_addr, text, sizeof text);
        if (a->v6.sin6_scope_id)
            return buf_printf(out, "[%s%%%u]:%u", text, a->v6.sin6_scope_id, ntohs(a->v6.sin6_port));
        return buf_printf(out, "[%s]:%u", text, ntohs(a->v6.sin6_port));
    case AF_UNIX: {
        size_t room =
            a->len > offsetof(struct sockaddr_un, sun_path) ? a->len - offsetof(struct sockaddr_un, sun_path) : 0;
        return buf_add(out, LIT("unix:")) && buf_add(out, slice_of(a->un.sun_path, strnlen(a->un.sun_path, room)));
    }
    default: return buf_printf(out, "family %d", a->any.sa_family);
    }
}

uint16_t address_port(const struct address *a) {
    return a->any.sa_family == AF_INET    ? ntohs(a->v4.sin_port)
           : a->any.sa_family == AF_INET6 ? ntohs(a->v6.sin6_port)
                                          : 0;
}

bool unix_peer(int fd, struct unix_peer *peer, struct err *e) {
    struct ucred cred;
    socklen_t len = sizeof cred;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
        return err_os(e, ERR_AUTHORIZATION, errno, "asking who is on a Unix socket");
    *peer = (struct unix_peer){cred.pid, cred.uid, cred.gid};
    return true;
}

/* --- opening --- */

/* A socket file left over by someone who is gone: a connection to it is refused. */
static bool is_stale(const struct address *a) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return false;
    bool stale = connect(fd, &a->any, a->len) != 0 && errno == ECONNREFUSED;
    close(fd);
    return stale;
}

int listen_open(const struct address *a, struct err *e) {
    int family = a->any.sa_family, on = 1, off = 0;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        err_os(e, ERR_NETWORK, errno, "making a socket");
        return -1;
    }
    if (family != AF_UNIX) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (family == AF_INET6) {
        bool any = IN6_IS_ADDR_UNSPECIFIED(&a->v6.sin6_addr);
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, any ? &off : &on, sizeof on);
    }
    int bound = bind(fd, &a->any, a->len);
    if (bound && errno == EADDRINUSE && family == AF_UNIX && is_stale(a) && unlink(a->un.sun_path) == 0)
        bound = bind(fd, &a->any, a->len);
    if (!bound && !listen(fd, LISTEN_BACKLOG)) return fd;
    int os = errno;
    struct buf text;
    buf_init(&text, 200);
    address_write(&text, a);
    err_os(e, ERR_NETWORK, os, "listening on %.*s", (int)text.len, (const char *)text.ptr);
    buf_release(&text);
    close(fd);
    return -1;
}

bool listen_address(int fd, struct address *a, struct err *e) {
    *a = (struct address){.len = sizeof a->un};
    return getsockname(fd, &a->any, &a->len) == 0 || err_os(e, ERR_NETWORK, errno, "asking for a socket's address");
}

/* --- accepting --- */

static void rested(struct loop_timer *t) {
    struct listener *li = LOOP_OWNER(struct listener, rest, t);
    if (loop_fd_want(&li->fd, LOOP_READ, NULL)) return;
    loop_timer_set(li->fd.loop, t,
                   loop_now_ms(li->fd.loop) + LISTEN_REST_MS); /* its place in the heap is still there */
}

static void accept_some(struct loop_fd *w, unsigned ready) {
    (void)ready;
    struct listener *li = LOOP_OWNER(struct listener, fd, w);
    for (int i = 0; i < LISTEN_BATCH && li->fd.loop; i++) {
        struct address peer = {.len = sizeof peer.un};
        int fd = kernel_accept4(w->fd, &peer.any, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            li->accepted++;
            li->call(li, fd, &peer);
            continue;
        }
        if (errno == EINTR || errno == ECONNABORTED) continue;
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            /* The connection stays in the queue and would wake us again and again. */
            li->starved++;
            if (loop_timer_set(w->loop, &li->rest, loop_now_ms(w->loop) + LISTEN_REST_MS)) loop_fd_want(w, 0, NULL);
        }
        return;
    }
}

bool listener_start(struct listener *li, struct loop *l, int fd, struct err *e) {
    must(li->call && li->name);
    li->fd = (struct loop_fd){.call = accept_some, .name = li->name};
    li->rest = (struct loop_timer){.call = rested, .name = li->name};
    li->accepted = li->starved = 0;
    return loop_fd_add(l, &li->fd, fd, LOOP_READ, e);
}

void listener_stop(struct listener *li) {
    if (!li->fd.loop) return;
    loop_timer_clear(&li->rest);
    loop_fd_remove(&li->fd);
    kernel_close(li->fd.fd);
}
