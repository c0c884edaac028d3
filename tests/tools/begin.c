/* begin.c - how long programs take, for benchmarks.
 *
 *     begin first ADDR ping|echo COMMAND...  begins a server; from there until its first answer, polling all the while: "ms value"
 *     begin wall  N COMMAND...               N runs of a command, one after the other: milliseconds, a line each
 * ADDR is 127.0.0.1:PORT. Exit 1: what should be answered was not. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct sockaddr_in server;
static const char call[] =
    "POST /rpc/v1 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 65\r\n\r\n"
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":{\"message\":\"a\"}}";

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static _Noreturn void die(const char *what) {
    fprintf(stderr, "begin: %s\n", what);
    exit(1);
}

static void read_address(const char *text) {
    char host[64];
    const char *colon = strrchr(text, ':');
    if (!colon || (size_t)(colon - text) >= sizeof host) die("want ADDR:PORT");
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = 0;
    server.sin_family = AF_INET;
    server.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    if (inet_pton(AF_INET, host, &server.sin_addr) != 1) die("what address?");
}

static bool send_all(int fd, const char *s, size_t n) {
    while (n) {
        ssize_t k = send(fd, s, n, MSG_NOSIGNAL);
        if (k < 0) return false;
        s += k;
        n -= (size_t)k;
    }
    return true;
}

/* Servers have the first processor, and their clients the second. */
static void take_processor(int which) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(which, &set);
    if (sysconf(_SC_NPROCESSORS_ONLN) > 1) sched_setaffinity(0, sizeof set, &set);
}

static bool answers(int fd, const char *ask, size_t len, const char *want) {
    struct timeval limit = {1, 0};
    char heard[4096];
    size_t n = 0;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (!send_all(fd, ask, len)) return false;
    for (ssize_t k; (k = recv(fd, heard + n, sizeof heard - n, 0)) > 0;) {
        n += (size_t)k;
        if (memmem(heard, n, want, strlen(want))) return true;
        if (memmem(heard, n, "\"error\":", 8)) return false; /* answered, and not yet as it should be */
    }
    return false;
}

static int run_first(bool ping, char **command) {
    const char *ask = ping ? "PING\r\n" : call, *want = ping ? "+PONG\r\n" : "\"result\":\"a\"";
    take_processor(1);
    double begin = now(), took_it = 0;
    pid_t child = fork();
    if (child < 0) die("no process");
    if (!child) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        take_processor(0);
        dup2(null, 1);
        dup2(null, 2);
        execvp(command[0], command);
        _exit(127);
    }
    while (!(took_it > 0) && now() < begin + 10) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0) die("no socket");
        if (!connect(fd, (struct sockaddr *)&server, sizeof server) && answers(fd, ask, strlen(ask), want))
            took_it = now() - begin;
        close(fd);
    }
    kill(child, SIGTERM);
    waitpid(child, NULL, 0);
    if (!(took_it > 0)) die("the server does not answer");
    printf("ms %.3f\n", took_it * 1e3);
    return 0;
}

static int run_wall(unsigned n, char **command) {
    extern char **environ;
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    for (unsigned i = 0; i < n; i++) {
        pid_t child;
        int status;
        double begin = now();
        if (posix_spawnp(&child, command[0], &files, NULL, command, environ)) die("no such command");
        if (waitpid(child, &status, 0) != child || status) die("the command failed");
        printf("%.3f\n", (now() - begin) * 1e3);
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc > 3 && !strcmp(argv[1], "wall")) return run_wall((unsigned)strtoul(argv[2], NULL, 10), argv + 3);
    if (argc > 4 && !strcmp(argv[1], "first")) {
        read_address(argv[2]);
        return run_first(!strcmp(argv[3], "ping"), argv + 4);
    }
    fprintf(stderr, "see the head of tests/tools/begin.c\n");
    return 2;
}
