/* service.c - see service.h. */
#include "warden/service.h"

#include "base/log.h"
#include "base/num.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FIRST_FD 3 /* of those that were handed in */

/* A path, or a name of the abstract kind that begins with @. */
static bool read_address(const char *text, struct address *a) {
    size_t len = strlen(text);
    if ((text[0] != '/' && text[0] != '@') || len < 2 || len >= sizeof a->un.sun_path) return false;
    *a = (struct address){0};
    a->un.sun_family = AF_UNIX;
    memcpy(a->un.sun_path, text, len);
    if (text[0] == '@') a->un.sun_path[0] = 0;
    a->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (text[0] == '/'));
    return true;
}

/* A number that is for this process: both variables name it, or the second is not there. */
static bool read_own(const char *name, const char *whose, uint64_t most, uint64_t *out) {
    const char *text = getenv(name), *pid = getenv(whose);
    uint64_t number;
    if (!text || !num_read_u64(slice_str(text), 1, most, out)) return false;
    return !pid || (num_read_u64(slice_str(pid), 1, INT32_MAX, &number) && number == (uint64_t)getpid());
}

static void take_sockets(struct service *s) {
    uint64_t n = 0;
    if (!getenv("LISTEN_PID") || !read_own("LISTEN_FDS", "LISTEN_PID", 1024, &n)) return;
    for (int fd = FIRST_FD; fd < FIRST_FD + (int)n; fd++) {
        int listens = 0;
        socklen_t len = sizeof listens;
        bool good = getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 && listens &&
                    fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0;
        if (good && s->socket_n < SERVICE_FDS)
            s->sockets[s->socket_n++] = fd;
        else {
            log_warn("a socket the service manager gave is not used: fd=%d", fd);
            close(fd);
        }
    }
}

void service_init(struct service *s) {
    const char *where = getenv("NOTIFY_SOCKET");
    uint64_t usec = 0;
    *s = (struct service){.fd = -1};
    if (where && read_address(where, &s->to)) s->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->fd >= 0 && read_own("WATCHDOG_USEC", "WATCHDOG_PID", UINT32_MAX, &usec)) s->watchdog_ms = usec / 1000;
    take_sockets(s);
    /* Whoever we begin is not the service. */
    static const char *const names[] = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID",
                                        "LISTEN_FDS",    "LISTEN_PID",    "LISTEN_FDNAMES"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) unsetenv(names[i]);
}

void service_release(struct service *s) {
    if (s->fd >= 0) close(s->fd);
    s->fd = -1;
    while (s->socket_n) close(s->sockets[--s->socket_n]);
}

void service_tell(const struct service *s, const char *text) {
    if (s->fd < 0) return;
    ssize_t n;
    do n = sendto(s->fd, text, strlen(text), MSG_NOSIGNAL, &s->to.any, s->to.len);
    while (n < 0 && errno == EINTR);
}
