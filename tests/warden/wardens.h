/* wardens.h - a real warden for a test: run in a child of the test, with a reactor that the test writes.
 *
 * Three processes write to one shared page: the test (which judges), the warden (what it held before and after), the reactor
 * (SEE: what it found; a jailed process has no other way to say it). */
#ifndef TESTS_WARDEN_WARDENS_H
#define TESTS_WARDEN_WARDENS_H

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "lib/tap.h"
#include "warden/warden.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAYBE    __attribute__((unused))
#define MAP(...) VAL_MAP_OF(__VA_ARGS__)
#define NO_ARGS  val_empty_map()

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

struct shared {
    bool filters;       /* this kernel has filters of system calls; an emulator has not, and much else neither */
    volatile int stage; /* how the sides tell each other to go on */
    volatile pid_t reactor;
    volatile unsigned rounds;
    volatile unsigned seen, failed;
    char text[30][240];
    volatile long long number[40];
    char words[4][240];
    volatile long long blocks_before, blocks_after;
    volatile int fds_before, fds_after;
    volatile unsigned warnings;
    char warning[20][300];
};
static struct shared *sh;

static MAYBE void shared_begin(void) {
    if (!sh) sh = mmap(NULL, sizeof *sh, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (sh == MAP_FAILED) abort();
    memset(sh, 0, sizeof *sh);
    sh->filters = jail_has_seccomp();
}

static MAYBE bool see(bool good, int line, const char *what, const char *why) {
    sh->seen++;
    if (good) return true;
    unsigned n = sh->failed++;
    if (n < 30) snprintf(sh->text[n], sizeof sh->text[n], "line %d: %s (%s)", line, what, why ? why : "");
    return false;
}
#define SEE(x)         see((x), __LINE__, #x, NULL)
#define SEE_E(x, e)    see((x), __LINE__, #x, (e)->text)
#define SEE_INT(a, b)  see_int((long long)(a), (long long)(b), __LINE__, #a)
#define SEE_CODE(r, c) see((r)->err.code == (c), __LINE__, #r " is " #c, (r)->err.text)
static MAYBE bool see_int(long long got, long long want, int line, const char *what) {
    char text[80];
    snprintf(text, sizeof text, "is %lld, wanted %lld", got, want);
    return see(got == want, line, what, text);
}

/* What the reactor saw, judged by the test. */
static MAYBE void check_seen(unsigned at_least) {
    for (unsigned i = 0; i < sh->failed && i < 30; i++) tap_note("in the reactor, %s", sh->text[i]);
    CHECK_INT(sh->failed, 0);
    if (!CHECK(sh->seen >= at_least))
        tap_note("it saw %u of %u, and was begun %u times", sh->seen, at_least, sh->rounds);
    if (sh->failed || sh->seen < at_least)
        for (unsigned i = 0; i < sh->warnings && i < 20; i++) tap_note("the warden said: %s", sh->warning[i]);
}

static MAYBE int count_fds(pid_t pid) {
    char path[40];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *d = opendir(path);
    int n = 0;
    if (!d) return -1;
    for (struct dirent *entry; (entry = readdir(d));) n += entry->d_name[0] != '.';
    closedir(d);
    return pid == getpid() ? n - 1 : n;
}

static MAYBE bool is_there(pid_t pid) {
    return pid > 1 && kill(pid, 0) == 0;
}

/* Never a group: a test that lost a process must not kill others for it. */
static MAYBE bool kill_one(pid_t pid, int number) {
    return pid > 1 && kill(pid, number) == 0;
}

/* Waits until it holds, for at most some 20 s. */
#define UNTIL(x)                                                                                                       \
    ({                                                                                                                 \
        bool until_held = false;                                                                                       \
        for (int until_n = 0; until_n < 4000 && !(until_held = (x)); until_n++) usleep(5000);                          \
        until_held;                                                                                                    \
    })

static MAYBE void keep_warning(void *arg, enum log_level level, const char *line) {
    (void)arg;
    if (level > LOG_WARN) return;
    unsigned n = sh->warnings++;
    if (n < 20) snprintf(sh->warning[n], sizeof sh->warning[n], "%s", line);
}

static MAYBE bool was_warned(const char *part) {
    for (unsigned i = 0; i < sh->warnings && i < 20; i++)
        if (strstr(sh->warning[i], part)) return true;
    return false;
}

/* --- the warden --- */

static MAYBE pid_t warden_begin(const struct warden_config *config, bool as_nobody) {
    fflush(NULL);
    pid_t pid = fork();
    if (pid) return pid;
    log_use(keep_warning, NULL);
    if (as_nobody && geteuid() == 0 && (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))) _exit(99);
    sh->blocks_before = (long long)mem_stats().live_blocks;
    sh->fds_before = count_fds(getpid());
    mem_fault((uint64_t)sh->number[9], 0); /* 0: none */
    int code = warden_run(config);
    sh->number[10] = mem_fault_hit();
    mem_fault(0, 0);
    sh->blocks_after = (long long)mem_stats().live_blocks;
    sh->fds_after = count_fds(getpid());
    _exit(code);
}

/* The code the warden ended with, or -signal; and whether it gave back what it had. */
static MAYBE int warden_end(pid_t pid) {
    int status = 0;
    pid_t got = 0;
    if (!UNTIL((got = waitpid(pid, &status, WNOHANG)) != 0)) {
        CHECK(!"the warden ends");
        for (unsigned i = 0; i < sh->warnings && i < 20; i++) tap_note("it said: %s", sh->warning[i]);
        kill_one(pid, SIGKILL);
        waitpid(pid, &status, 0);
        return -SIGKILL;
    }
    if (WIFSIGNALED(status)) return -WTERMSIG(status);
    CHECK_INT(sh->blocks_after, sh->blocks_before);
    CHECK_INT(sh->fds_after, sh->fds_before);
    return WEXITSTATUS(status);
}

/* A whole life: from its beginning to the end of a reactor that ends by itself. */
static MAYBE int warden_live(const struct warden_config *config) {
    return warden_end(warden_begin(config, false));
}

/* --- the reactor's side --- */

struct reactor {
    const struct warden_birth *birth;
    struct loop *loop;
    struct port port;
    unsigned notices;
    char notice[LINK_NAME + 1];
    struct val notice_value;
    int notice_fd;
    bool gone;
};

static MAYBE void got_notice(struct port *p, struct slice name, const struct val *value, struct link_frame *frame) {
    struct reactor *r = LOOP_OWNER(struct reactor, port, p);
    r->notices++;
    snprintf(r->notice, sizeof r->notice, "%.*s", (int)name.len, (const char *)name.ptr);
    val_unref(&r->notice_value);
    r->notice_value = val_ref(value);
    if (r->notice_fd >= 0) close(r->notice_fd);
    r->notice_fd = link_frame_take_fd(frame, 0);
}

static MAYBE void got_gone(struct port *p) {
    LOOP_OWNER(struct reactor, port, p)->gone = true;
}

/* As a real one: the loop, the link, then the jail. */
static MAYBE bool reactor_open(struct reactor *r, const struct warden_birth *birth) {
    struct err e = ERR_INIT;
    *r = (struct reactor){.birth = birth, .notice_fd = -1};
    r->port.notice = got_notice;
    r->port.gone = got_gone;
    r->port.name = "warden";
    sh->reactor = getpid();
    sh->rounds = birth->round + 1;
    r->loop = loop_new(&e);
    return SEE_E(r->loop != NULL, &e) && SEE_E(port_start(&r->port, r->loop, birth->warden_fd, &e), &e) &&
           SEE_E(jail_enter(&birth->jail, NULL, &e), &e);
}

static MAYBE void turn_until(struct reactor *r, const volatile bool *done) {
    int64_t end = clock_mono_ms() + 30000;
    while (!*done && clock_mono_ms() < end) loop_turn(r->loop, 100);
}

struct reply {
    struct call call;
    volatile bool done;
    struct val result;
    int fds[LIMIT_LINK_FDS];
    unsigned fd_n;
    struct err err;
    unsigned progress, lines;
    char line[200];
    uint64_t progress_number;
};

static MAYBE void got_reply(struct call *c, struct call_answer *a) {
    struct reply *r = LOOP_OWNER(struct reply, call, c);
    r->result = a->result;
    a->result = val_none;
    r->fd_n = a->fd_n;
    for (unsigned i = 0; i < a->fd_n; i++) r->fds[i] = call_answer_take_fd(a, i);
    r->err = a->err;
    r->done = true;
}

static MAYBE void got_progress(struct call *c, const struct val *value) {
    struct reply *r = LOOP_OWNER(struct reply, call, c);
    r->progress++;
    val_as_u64(value, &r->progress_number);
}

static MAYBE void got_line(struct call *c, struct slice text) {
    struct reply *r = LOOP_OWNER(struct reply, call, c);
    r->lines++;
    snprintf(r->line, sizeof r->line, "%.*s", (int)text.len, (const char *)text.ptr);
}

static MAYBE void ask(struct reactor *r, struct reply *to, const char *verb, struct val args, uint64_t most_ms) {
    *to = (struct reply){.call = {.done = got_reply, .progress = got_progress, .line = got_line}};
    to->err.code = ERR_NONE;
    if (call_start(&to->call, &r->port, verb, args, NULL, 0, most_ms, &to->err)) return;
    to->done = true;
}

static MAYBE void await(struct reactor *r, struct reply *to) {
    turn_until(r, &to->done);
    if (!to->done) err_set(&to->err, ERR_TIMEOUT, "the test waited in vain");
}

static MAYBE struct reply ask_and_wait(struct reactor *r, const char *verb, struct val args) {
    static struct reply to; /* the call is linked into the port: it must stay where it is */
    ask(r, &to, verb, args, 0);
    await(r, &to);
    return to;
}

static MAYBE void forget(struct reply *r) {
    val_unref(&r->result);
    for (unsigned i = 0; i < r->fd_n; i++)
        if (r->fds[i] >= 0) close(r->fds[i]);
    r->fd_n = 0;
}

/* The code of an answer that is not needed further. */
static MAYBE enum err_code code_of(struct reactor *r, const char *verb, struct val args) {
    struct reply a = ask_and_wait(r, verb, args);
    enum err_code code = a.err.code;
    forget(&a);
    return code;
}

/* --- roots --- */

struct place {
    char base[64], data[80], web[80];
    struct warden_root roots[2];
};

static MAYBE bool place_make(struct place *p, uid_t owner) {
    snprintf(p->base, sizeof p->base, "/tmp/startbox-test-warden-XXXXXX");
    if (!CHECK(mkdtemp(p->base) != NULL)) return false;
    snprintf(p->data, sizeof p->data, "%s/data", p->base);
    snprintf(p->web, sizeof p->web, "%s/web", p->base);
    p->roots[0] = (struct warden_root){"data", p->data, true};
    p->roots[1] = (struct warden_root){"web", p->web, false};
    CHECK(chmod(p->base, 0755) == 0 && mkdir(p->data, 0755) == 0 && mkdir(p->web, 0755) == 0);
    return geteuid() != 0 || CHECK(chown(p->data, owner, owner) == 0);
}

static MAYBE void remove_tree(const char *path) {
    DIR *d = opendir(path);
    if (!d) return;
    for (struct dirent *entry; (entry = readdir(d));) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        char inner[600];
        snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        if (unlink(inner)) remove_tree(inner);
    }
    closedir(d);
    rmdir(path);
}

static MAYBE void place_remove(const struct place *p) {
    remove_tree(p->base);
}

/* --- looking from outside --- */

/* The process below a parent that calls itself so, or 0. */
static MAYBE pid_t child_named(pid_t parent, const char *name) {
    DIR *d = opendir("/proc");
    pid_t found = 0;
    if (!d) return 0;
    for (struct dirent *entry; !found && (entry = readdir(d));) {
        char path[300], text[300], comm[64];
        int pid = 0, ppid = 0;
        snprintf(path, sizeof path, "/proc/%s/stat", entry->d_name);
        FILE *f = entry->d_name[0] >= '1' && entry->d_name[0] <= '9' ? fopen(path, "r") : NULL;
        if (!f) continue;
        size_t n = fread(text, 1, sizeof text - 1, f);
        fclose(f);
        text[n] = 0;
        char state = 0;
        if (sscanf(text, "%d (%63[^)]) %c %d", &pid, comm, &state, &ppid) == 4 && ppid == parent && state != 'Z' &&
            !strcmp(comm, name))
            found = pid;
    }
    closedir(d);
    return found;
}

static MAYBE uint64_t cookie(int fd) {
    uint64_t n = 0;
    socklen_t len = sizeof n;
    getsockopt(fd, SOL_SOCKET, SO_COOKIE, &n, &len);
    return n;
}

static MAYBE struct val tcp(const char *address) {
    return MAP({"kind", val_of_str("tcp")}, {"address", val_of_str(address)});
}
/* The descriptors of a process, as "0 1 2 socket ..." without order; counts those that are neither. */
struct fds {
    unsigned std, sockets, anon, dirs, others;
    char other[300];
};

static MAYBE struct fds look_at_fds(pid_t pid, const struct place *p) {
    struct fds found = {0};
    char path[64], to[300];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *d = opendir(path);
    if (!CHECK(d != NULL)) return found;
    for (struct dirent *entry; (entry = readdir(d));) {
        if (entry->d_name[0] == '.') continue;
        ssize_t n = readlinkat(dirfd(d), entry->d_name, to, sizeof to - 1);
        to[n > 0 ? n : 0] = 0;
        if (!strcmp(entry->d_name, "0") || !strcmp(entry->d_name, "1") || !strcmp(entry->d_name, "2"))
            found.std++;
        else if (!strncmp(to, "socket:", 7))
            found.sockets++;
        else if (!strncmp(to, "anon_inode:", 11))
            found.anon++;
        else if (!strncmp(to, p->base, strlen(p->base)))
            found.dirs++;
        else {
            found.others++;
            snprintf(found.other, sizeof found.other, "%s", to);
        }
    }
    closedir(d);
    return found;
}

static MAYBE long long status_number(pid_t pid, const char *key) {
    char path[64], line[300];
    long long n = -1;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "r");
    if (!f) return -1;
    while (fgets(line, sizeof line, f))
        if (!strncmp(line, key, strlen(key)))
            n = strtoll(line + strlen(key) + 1, NULL, strcmp(key, "CapEff") ? 10 : 16);
    fclose(f);
    return n;
}

static MAYBE bool is_over(pid_t pid) {
    char path[64], text[300];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "r");
    if (!f) return true;
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = 0;
    const char *state = strrchr(text, ')');
    return !state || state[2] == 'Z' || state[2] == 'X';
}

static MAYBE bool sleep_long(struct job_call *c, struct val *result, struct err *e) {
    (void)e;
    *result = val_empty_map();
    job_progress(c, val_of_u64(1));
    for (int i = 0; i < 60; i++) usleep(500000);
    return true;
}

#endif
