/* cgroup.c - see cgroup.h. */
#include "warden/cgroup.h"

#include "base/log.h"
#include "base/num.h"
#include "base/slice.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_MOST 32768 /* of /proc/self/mountinfo: boxes with many mounts have some 10 KiB */
#define PATH_MOST 1024
#define PREFIX    "startbox-"

const char *cgroup_kind_name(enum cgroup_kind kind) {
    static const char *const names[] = {"none", "v1", "v2"};
    return names[kind];
}

/* --- small files of the kernel --- */

static size_t read_small(int dir, const char *name, char *to, size_t most) {
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    size_t len = 0;
    for (ssize_t n = 1; n > 0 && len<most; len += n> 0 ? (size_t)n : 0) {
        n = read(fd, to + len, most - len);
        if (n < 0 && errno == EINTR) n = 0;
        if (n <= 0) break;
    }
    close(fd);
    return len;
}

static bool write_small(int dir, const char *name, const char *text) {
    int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t n = write(fd, text, strlen(text));
    close(fd);
    return n == (ssize_t)strlen(text);
}

static bool has_word(struct slice text, struct slice word, uint8_t between) {
    while (text.len)
        if (slice_eq(slice_cut(&text, between), word)) return true;
    return false;
}

/* --- where we live --- */

/* The path of our group in a hierarchy: controller "" is v2. From lines like "4:memory:/a/b" and "0::/a/b". */
static bool find_path(struct slice text, struct slice controller, struct slice *path) {
    while (text.len) {
        struct slice line = slice_cut(&text, '\n');
        slice_cut(&line, ':');
        struct slice names = slice_cut(&line, ':');
        if (controller.len ? has_word(names, controller, ',') : names.len == 0) {
            *path = line;
            return line.len > 0 && line.ptr[0] == '/';
        }
    }
    return false;
}

struct mount_line {
    struct slice root, point, type, options;
};

/* "36 35 98:0 /root /point opts ... - type source options" */
static bool read_mount(struct slice line, struct mount_line *m) {
    for (int i = 0; i < 3; i++) slice_cut(&line, ' ');
    m->root = slice_cut(&line, ' ');
    m->point = slice_cut(&line, ' ');
    while (line.len && !slice_eq(slice_cut(&line, ' '), LIT("-"))) {
    }
    m->type = slice_cut(&line, ' ');
    slice_cut(&line, ' ');
    m->options = line;
    return m->point.len > 0 && m->type.len > 0;
}

static bool is_hierarchy(const struct mount_line *m, struct slice controller) {
    if (!controller.len) return slice_eq(m->type, LIT("cgroup2"));
    return slice_eq(m->type, LIT("cgroup")) && has_word(m->options, controller, ',');
}

static int open_home(struct slice mounts, struct slice groups, struct slice controller) {
    struct slice path;
    if (!find_path(groups, controller, &path)) return -1;
    while (mounts.len) {
        struct mount_line m;
        if (!read_mount(slice_cut(&mounts, '\n'), &m) || !is_hierarchy(&m, controller)) continue;
        struct slice rest = path;
        if (m.root.len > 1) { /* what is mounted is a part of the hierarchy */
            if (!slice_starts(path, m.root)) continue;
            rest = slice_skip(path, m.root.len);
        }
        char full[PATH_MOST];
        int n = snprintf(full, sizeof full, "%.*s%.*s", (int)m.point.len, (const char *)m.point.ptr, (int)rest.len,
                         (const char *)rest.ptr);
        if (n < 0 || (size_t)n >= sizeof full) continue;
        int dir = open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir >= 0 && faccessat(dir, ".", W_OK, AT_EACCESS) == 0) return dir;
        if (dir >= 0) close(dir);
    }
    return -1;
}

/* Groups of processes that are no more and left nobody behind. A living one is never touched. */
static void sweep(int home) {
    int fd = openat(home, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    if (!d) {
        if (fd >= 0) close(fd);
        return;
    }
    for (struct dirent *entry; (entry = readdir(d));) {
        struct slice name = slice_str(entry->d_name);
        uint64_t pid;
        if (!slice_starts(name, LIT(PREFIX))) continue;
        name = slice_skip(name, strlen(PREFIX));
        if (!num_read_u64(slice_cut(&name, '-'), 1, INT32_MAX, &pid)) continue;
        if (kill((pid_t)pid, 0) && errno == ESRCH) unlinkat(home, entry->d_name, AT_REMOVEDIR);
    }
    closedir(d);
}

static bool counts_memory(int home, enum cgroup_kind kind, char *text, size_t most) {
    if (kind == CGROUP_V2) {
        struct slice names = slice_of(text, read_small(home, "cgroup.controllers", text, most));
        if (has_word(slice_cut(&names, '\n'), LIT("memory"), ' ')) return true;
    }
    /* memory hierarchy 12 enabled */
    struct slice all = slice_of(text, read_small(AT_FDCWD, "/proc/cgroups", text, most));
    while (all.len) {
        struct slice line = slice_cut(&all, '\n');
        if (!slice_eq(slice_cut(&line, '\t'), LIT("memory"))) continue;
        bool v1 = !slice_eq(slice_cut(&line, '\t'), LIT("0"));
        return v1 && slice_ends(line, LIT("\t1"));
    }
    return false;
}

void cgroup_open(struct cgroup_home *h) {
    static const struct slice order[] = {LIT_INIT(""), LIT_INIT("freezer"), LIT_INIT("pids"), LIT_INIT("name=systemd")};
    char mount_text[TEXT_MOST], group_text[4096];
    struct slice mounts = slice_of(mount_text, read_small(AT_FDCWD, "/proc/self/mountinfo", mount_text, TEXT_MOST));
    struct slice groups =
        slice_of(group_text, read_small(AT_FDCWD, "/proc/self/cgroup", group_text, sizeof group_text));
    *h = (struct cgroup_home){.dir = -1};
    for (size_t i = 0; i < sizeof order / sizeof order[0] && h->dir < 0; i++) {
        h->dir = open_home(mounts, groups, order[i]);
        if (h->dir >= 0) h->kind = i ? CGROUP_V1 : CGROUP_V2;
    }
    h->memory = counts_memory(h->dir, h->kind, mount_text, TEXT_MOST);
    if (h->dir >= 0) sweep(h->dir);
}

void cgroup_close(struct cgroup_home *h) {
    if (h->dir >= 0) close(h->dir);
    h->dir = -1;
}

/* --- one group --- */

bool cgroup_make(struct cgroup_home *h, struct cgroup *g, uint64_t memory, struct err *e) {
    *g = (struct cgroup)CGROUP_INIT;
    if (h->dir < 0) return err_set(e, ERR_UNSUPPORTED, "there is no control group this process may write to");
    snprintf(g->name, sizeof g->name, PREFIX "%d-%u", (int)getpid(), ++h->made);
    if (mkdirat(h->dir, g->name, 0755)) return err_os(e, ERR_UNKNOWN, errno, "making the control group %s", g->name);
    g->home = h->dir;
    g->dir = openat(h->dir, g->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (g->dir >= 0) g->join = openat(g->dir, "cgroup.procs", O_WRONLY | O_CLOEXEC);
    if (g->join < 0) {
        err_os(e, ERR_UNKNOWN, errno, "opening the control group %s", g->name);
        cgroup_remove(g);
        return false;
    }
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)memory);
    if (memory && h->kind == CGROUP_V2) write_small(g->dir, "memory.max", text); /* absent: the process limit holds */
    return true;
}

bool cgroup_enter(struct cgroup *g, struct err *e) {
    if (g->join < 0) return true;
    ssize_t n = write(g->join, "0", 1); /* the writer itself */
    int os = errno;
    close(g->join);
    g->join = -1;
    return n == 1 || err_os(e, ERR_UNKNOWN, os, "entering the control group %s", g->name);
}

/* Before 5.14, and in v1: as long as somebody is in it, but not for ever: who forks faster than we kill stays for the next try. */
static void kill_listed(int dir) {
    char text[4096];
    for (int round = 0; round < 8; round++) {
        struct slice all = slice_of(text, read_small(dir, "cgroup.procs", text, sizeof text));
        if (!all.len) return;
        while (all.len) {
            uint64_t pid;
            if (num_read_u64(slice_cut(&all, '\n'), 2, INT32_MAX, &pid)) kill((pid_t)pid, SIGKILL);
        }
    }
}

void cgroup_kill(const struct cgroup *g) {
    if (g->dir >= 0 && !write_small(g->dir, "cgroup.kill", "1")) kill_listed(g->dir);
}

bool cgroup_remove(struct cgroup *g) {
    if (g->home < 0) return true;
    if (unlinkat(g->home, g->name, AT_REMOVEDIR) && errno == EBUSY) return false;
    if (g->join >= 0) close(g->join);
    if (g->dir >= 0) close(g->dir);
    *g = (struct cgroup)CGROUP_INIT;
    return true;
}
