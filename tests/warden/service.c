/* service.c - what a service manager hears, and the sockets it hands in. */
#include "warden/service.h"

#include "lib/tap.h"
#include "warden/doors.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* A manager's socket, abstract; its name goes to the environment. */
static int manager(void) {
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    char name[64];
    int n = snprintf(name, sizeof name, "@startbox-test-%d", (int)getpid());
    memcpy(un.sun_path, name, (size_t)n);
    un.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0 &&
          !bind(fd, (struct sockaddr *)&un, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n)));
    setenv("NOTIFY_SOCKET", name, 1);
    return fd;
}

static const char *heard(int fd) {
    static char text[300];
    ssize_t n = recv(fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = 0;
    return text;
}

TEST(a_manager_hears_what_it_is_told_and_nobody_else_is_asked_to_speak) {
    struct service s;
    char pid[24];
    int fd = manager();
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("WATCHDOG_USEC", "30000000", 1);
    setenv("WATCHDOG_PID", pid, 1);
    service_init(&s);
    CHECK(s.fd >= 0 && s.watchdog_ms == 30000 && !s.socket_n);
    CHECK(!getenv("NOTIFY_SOCKET") && !getenv("WATCHDOG_USEC") && !getenv("WATCHDOG_PID"));
    service_tell(&s, "READY=1\nSTATUS=running\n");
    CHECK(!strcmp(heard(fd), "READY=1\nSTATUS=running\n"));
    close(fd);
    service_tell(&s, "WATCHDOG=1"); /* it is gone: nothing happens */
    service_release(&s);
    service_tell(&s, "WATCHDOG=1");
}

TEST(without_a_manager_nothing_is_said) {
    struct service s;
    service_init(&s);
    CHECK(s.fd < 0 && !s.watchdog_ms && !s.socket_n);
    service_tell(&s, "READY=1");
    setenv("NOTIFY_SOCKET", "relative/path", 1);
    service_init(&s);
    CHECK(s.fd < 0);
    char longer[200];
    memset(longer, 'a', sizeof longer);
    longer[0] = '/';
    longer[sizeof longer - 1] = 0;
    setenv("NOTIFY_SOCKET", longer, 1);
    service_init(&s);
    CHECK(s.fd < 0);
}

TEST(a_watchdog_of_another_process_is_not_ours) {
    struct service s;
    int fd = manager();
    setenv("WATCHDOG_USEC", "30000000", 1);
    setenv("WATCHDOG_PID", "1", 1);
    service_init(&s);
    CHECK(s.fd >= 0 && !s.watchdog_ms);
    service_release(&s);
    close(fd);
}

static int listening(struct address *real) {
    struct address a;
    struct err e = ERR_INIT;
    CHECK(address_read(LIT("127.0.0.1:0"), &a, &e));
    int fd = listen_open(&a, &e);
    CHECK(fd >= 0 && listen_address(fd, real, &e));
    return fd;
}

TEST(sockets_that_were_bound_before_us_are_found_by_their_address) {
    struct service s;
    struct address a;
    char pid[24];
    int was = listening(&a), kept = fcntl(3, F_DUPFD_CLOEXEC, 100), other = fcntl(4, F_DUPFD_CLOEXEC, 100);
    CHECK(dup2(was, 3) == 3 && dup2(1, 4) == 4); /* the second listens to nobody */
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("LISTEN_FDS", "2", 1);
    setenv("LISTEN_PID", "1", 1);
    service_init(&s);
    CHECK(!s.socket_n); /* for another process */
    setenv("LISTEN_FDS", "2", 1);
    setenv("LISTEN_PID", pid, 1);
    service_init(&s);
    CHECK(s.socket_n == 1 && s.sockets[0] == 3 && fcntl(3, F_GETFD) & FD_CLOEXEC && fcntl(4, F_GETFD) < 0);

    struct doors d = {0};
    struct buf text;
    struct val address = val_none;
    struct stat mine, theirs;
    struct err e = ERR_INIT;
    fstat(3, &theirs);
    doors_adopt(&d, 3);
    s.socket_n = 0;
    buf_init(&text, 64);
    address_write(&text, &a);
    struct val args = VAL_MAP_OF({"kind", val_of_str("tcp")}, {"address", val_of_text(buf_slice(&text))},
                                 {"for", val_of_str("door0")});
    int fd = doors_open(&d, &args, &address, &e);
    CHECK(fd >= 0 && !fstat(fd, &mine) && mine.st_ino == theirs.st_ino);
    CHECK(val_is_text(&address, buf_slice(&text)));
    val_unref(&address);
    /* It is somebody's now: who asks for the same thing gets the same, for another thing the port is taken. */
    CHECK(doors_open(&d, &args, &address, &e) == fd);
    val_unref(&address);
    struct val another = VAL_MAP_OF({"kind", val_of_str("tcp")}, {"address", val_of_text(buf_slice(&text))},
                                    {"for", val_of_str("door1")});
    CHECK(doors_open(&d, &another, &address, &e) < 0);
    val_unref(&args);
    val_unref(&another);
    buf_release(&text);
    doors_release(&d);
    service_release(&s);
    close(was);
    if (kept >= 0) dup2(kept, 3), close(kept);
    if (other >= 0) dup2(other, 4), close(other);
}

TAP_MAIN(T(a_manager_hears_what_it_is_told_and_nobody_else_is_asked_to_speak), T(without_a_manager_nothing_is_said),
         T(a_watchdog_of_another_process_is_not_ours), T(sockets_that_were_bound_before_us_are_found_by_their_address))
