/* canned_fan.c - the floor under a broadcast: an epoll loop that lets everybody in as a WebSocket, and sends what one of them says to
 * each with a call of its own. It reads no head and no frame: the head is what ends with a blank line, and a frame comes whole, short,
 * with a mask of zero.
 *
 *     canned_fan PORT */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST 8192

static bool in[MOST]; /* by descriptor */
static int top;

/* The frame without its mask, to all of them. */
static void spread(const uint8_t *frame, size_t n) {
    uint8_t out[128];
    size_t len = frame[1] & 127u;
    if (len > 125 || n < 6 + len) return;
    out[0] = frame[0];
    out[1] = (uint8_t)len;
    memcpy(out + 2, frame + 6, len);
    for (int fd = 0; fd <= top; fd++)
        if (in[fd]) send(fd, out, 2 + len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void hear(int fd) {
    static const char yes[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                              "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    uint8_t heard[4096];
    ssize_t n = recv(fd, heard, sizeof heard, MSG_DONTWAIT);
    if (n <= 0) {
        in[fd] = false;
        close(fd);
    } else if (in[fd]) {
        for (size_t i = 0, all = (size_t)n; i + 6 <= all; i += 6 + (heard[i + 1] & 127u)) spread(heard + i, all - i);
    } else if (memmem(heard, (size_t)n, "\r\n\r\n", 4)) {
        in[fd] = true;
        if (fd > top) top = fd;
        send(fd, yes, sizeof yes - 1, MSG_NOSIGNAL);
    }
}

int main(int argc, char **argv) {
    int door = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1, epoll = epoll_create1(0);
    setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(door, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    at.sin_port = htons((uint16_t)strtoul(argc > 1 ? argv[1] : "0", NULL, 10));
    struct epoll_event ev[512] = {{.events = EPOLLIN, .data.fd = door}};
    if (bind(door, (struct sockaddr *)&at, sizeof at) || listen(door, 511) ||
        epoll_ctl(epoll, EPOLL_CTL_ADD, door, &ev[0])) {
        perror("canned_fan");
        return 1;
    }
    for (;;) {
        int k = epoll_wait(epoll, ev, 512, -1);
        for (int i = 0; i < k; i++) {
            if (ev[i].data.fd != door) {
                hear(ev[i].data.fd);
                continue;
            }
            int fd = accept4(door, NULL, NULL, SOCK_CLOEXEC);
            struct epoll_event new = {.events = EPOLLIN, .data.fd = fd};
            if (fd >= MOST)
                close(fd);
            else if (fd >= 0)
                epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &new);
        }
    }
}
