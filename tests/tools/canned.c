/* canned.c - the floor under a web server: an epoll loop that parses nothing and answers every blank line with the same bytes.
 *
 *     canned PORT */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST 64

static char answers[MOST * 256], in[65536];

int main(int argc, char **argv) {
    static const char one[] = "HTTP/1.1 200 OK\r\nServer: canned\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                              "Content-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world!";
    const size_t len = sizeof one - 1;
    for (int i = 0; i < MOST; i++) memcpy(answers + (size_t)i * len, one, len);
    int door = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(door, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    at.sin_port = htons((uint16_t)strtoul(argc > 1 ? argv[1] : "0", NULL, 10));
    if (bind(door, (struct sockaddr *)&at, sizeof at) || listen(door, 511)) {
        perror("canned");
        return 1;
    }
    int epoll = epoll_create1(0);
    struct epoll_event ev = {.events = EPOLLIN, .data.fd = door}, ready[256];
    epoll_ctl(epoll, EPOLL_CTL_ADD, door, &ev);
    for (;;) {
        int n = epoll_wait(epoll, ready, 256, -1);
        for (int i = 0; i < n; i++) {
            int fd = ready[i].data.fd;
            if (fd == door) {
                ev.data.fd = accept4(door, NULL, NULL, SOCK_NONBLOCK);
                if (ev.data.fd >= 0) epoll_ctl(epoll, EPOLL_CTL_ADD, ev.data.fd, &ev);
                continue;
            }
            ssize_t got = read(fd, in, sizeof in);
            size_t count = 0;
            for (char *p = in; got > 0 && count < MOST && (p = memmem(p, (size_t)(in + got - p), "\r\n\r\n", 4));
                 p += 4)
                count++;
            if (got <= 0 || write(fd, answers, count * len) < 0) close(fd);
        }
    }
}
