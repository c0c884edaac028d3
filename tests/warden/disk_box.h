/* disk_box.h - a real disk hand in a child of the test, jailed, with two roots in a temporary folder: "data", and "ro",
 * which must not be written. The test is the reactor. */
#ifndef TESTS_DISK_BOX_H
#define TESTS_DISK_BOX_H

#include "base/log.h"
#include "base/mem.h"
#include "lib/tap.h"
#include "loop/fault.h"
#include "loop/file.h"
#include "warden/call.h"
#include "warden/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define UNUSED __attribute__((unused))

static char top[64];
static int data_dir = -1, ro_dir = -1;
static struct err err;
static struct loop *loop;
static struct port port;
static pid_t hand_pid;
static bool hand_gone;
static int hand_status;

static void port_gone(struct port *p) {
    (void)p;
    hand_gone = true;
}

static void say_nothing(void *arg, enum log_level level, const char *line) {
    (void)arg, (void)level, (void)line;
}

/* The child: what the warden does, then the hand. Leaked blocks are exit code 99. */
_Noreturn static void be_the_hand(int link_fd, const char *fault) {
    static const char *const names[] = {"data", "ro"};
    struct jail_root roots[] = {{data_dir, true}, {ro_dir, false}};
    struct jail jail = {.kind = JAIL_DISK, .roots = roots, .root_n = 2};
    struct err e = ERR_INIT;
    int keep[] = {link_fd, data_dir, ro_dir};
    uint64_t before = mem_stats().live_blocks;
    log_use(say_nothing, NULL);
    if (!jail_begin(keep, 3, getppid(), &e)) _exit(98);
    fault_set(fault);
    int code = disk_hand(link_fd, roots, names, 2, &jail);
    _exit(mem_stats().live_blocks != before ? 99 : code);
}

/* fault: as behind STARTBOX_FAULT=, for the child only. */
static bool hand_begin(const char *fault) {
    int fd[2];
    fault_set(NULL);
    err = (struct err)ERR_INIT;
    hand_gone = false;
    if (!CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) == 0)) return false;
    fflush(stdout);
    hand_pid = fork();
    if (hand_pid == 0) be_the_hand(fd[1], fault);
    close(fd[1]);
    loop = loop_new(&err);
    port = (struct port){.name = "disk", .gone = port_gone};
    return CHECK(loop && port_start(&port, loop, fd[0], &err));
}

/* Closes the link; how the hand ended. */
static int hand_end(void) {
    port_stop(&port);
    loop_turn(loop, 0);
    loop_turn(loop, 0);
    hand_status = 0;
    waitpid(hand_pid, &hand_status, 0);
    loop_free(loop);
    loop = NULL;
    return WIFEXITED(hand_status) ? WEXITSTATUS(hand_status) : -WTERMSIG(hand_status);
}

static bool folders_begin(void) {
    snprintf(top, sizeof top, "/tmp/startbox-test-XXXXXX");
    if (!CHECK(mkdtemp(top) != NULL)) return false;
    char path[80];
    snprintf(path, sizeof path, "%s/data", top);
    CHECK(mkdir(path, 0700) == 0);
    data_dir = file_open_dir(path, &err);
    snprintf(path, sizeof path, "%s/ro", top);
    CHECK(mkdir(path, 0700) == 0);
    ro_dir = file_open_dir(path, &err);
    return CHECK(data_dir >= 0 && ro_dir >= 0);
}

static void folders_end(void) {
    char command[100];
    fault_set(NULL);
    close(data_dir);
    close(ro_dir);
    snprintf(command, sizeof command, "rm -rf %s", top);
    CHECK(system(command) == 0);
}

UNUSED static void end(void) {
    CHECK_INT(hand_end(), 0);
    folders_end();
}

/* --- asking, and waiting for the answer --- */

struct reply {
    struct call call;
    bool done;
    struct val result;
    struct err err;
    int fd;
    struct val progress; /* the last word of it */
};

static void reply_done(struct call *c, struct call_answer *a) {
    struct reply *r = LOOP_OWNER(struct reply, call, c);
    r->done = true;
    r->result = a->result;
    a->result = val_none;
    r->err = a->err;
    if (a->fd_n) r->fd = call_answer_take_fd(a, 0);
}

static void reply_progress(struct call *c, const struct val *value) {
    struct reply *r = LOOP_OWNER(struct reply, call, c);
    val_unref(&r->progress);
    r->progress = val_ref(value);
}

static void reply_release(struct reply *r) {
    call_cancel(&r->call);
    val_unref(&r->result);
    val_unref(&r->progress);
    if (r->fd >= 0) close(r->fd);
    r->fd = -1;
}

/* Takes args. */
static bool ask_with(struct reply *r, const char *verb, struct val args, int fd) {
    *r = (struct reply){.call = {.done = reply_done, .progress = reply_progress}, .fd = -1, .err = ERR_INIT};
    if (call_start(&r->call, &port, verb, args, &fd, fd >= 0, 0, &r->err)) return true;
    r->done = true;
    return false;
}

UNUSED static void wait_for(const bool *done) {
    for (unsigned i = 0; i < 20000 && !*done; i++) loop_turn(loop, 1000);
    CHECK(*done);
}

/* True: it went well. */
static bool ask(struct reply *r, const char *verb, struct val args) {
    ask_with(r, verb, args, -1);
    wait_for(&r->done);
    return r->err.code == ERR_NONE;
}

/* When nothing but the outcome matters; the reason is in err. */
UNUSED static bool does(const char *verb, struct val args) {
    struct reply r;
    bool good = ask(&r, verb, args);
    err = r.err;
    reply_release(&r);
    return good;
}

UNUSED static bool begin(void) {
    /* Once it has answered it has begun. */
    return folders_begin() && hand_begin(NULL) && CHECK(does("disk.space", VAL_MAP_OF({"root", val_of_str("ro")})));
}

UNUSED static enum err_code refuses(const char *verb, struct val args) {
    return does(verb, args) ? ERR_NONE : err.code;
}

#define AT(root_, path_)                                                                                               \
    {"root", val_of_str(root_)}, {                                                                                     \
        "path", val_of_str(path_)                                                                                      \
    }

UNUSED static uint64_t u64_of(const struct reply *r, const char *key) {
    uint64_t n = UINT64_MAX;
    val_as_u64(val_get(&r->result, slice_str(key)), &n);
    return n;
}

UNUSED static struct val bytes_of(const char *text) {
    return val_of_bytes(slice_str(text));
}

#define COUNT(list) (sizeof(list) / sizeof(list)[0])

UNUSED static const struct slice old_text = LIT_INIT("the old content, which is the longer one");

/* --- looking past the hand --- */

UNUSED static bool holds(const char *name, struct slice want) {
    struct buf b;
    buf_init(&b, 1 << 24);
    struct err own = ERR_INIT;
    bool good = file_read_all(data_dir, name, 1 << 23, &b, &own) && slice_eq(buf_slice(&b), want);
    buf_release(&b);
    return good;
}

UNUSED static bool is_there(const char *name) {
    struct stat st;
    return fstatat(data_dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

UNUSED static void put_file(int dir, const char *name, struct slice bytes) {
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && write(fd, bytes.ptr, bytes.len) == (ssize_t)bytes.len);
    close(fd);
}

UNUSED static unsigned open_files(pid_t pid) {
    char path[40];
    unsigned n = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *d = opendir(path);
    while (d && readdir(d)) n++;
    if (d) closedir(d);
    return n;
}

/* Descriptors of the hand; 0 when they cannot be seen. */
UNUSED static unsigned hand_files(void) {
    unsigned n = open_files(hand_pid);
    if (!n) tap_skip("counting the hand's descriptors wants root (all else was tried)");
    return n;
}

/* Bytes that look like nothing, and the same every time. */
UNUSED static void fill(uint8_t *to, size_t len, uint64_t at) {
    for (size_t i = 0; i < len; i++) to[i] = (uint8_t)(((at + i) * UINT64_C(0x9e3779b97f4a7c15)) >> 56);
}

#endif
