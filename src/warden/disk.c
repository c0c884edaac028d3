/* disk.c - the disk hand's life, its roots and the files it keeps open; see disk.h. The verbs are disk_verbs.c and
 * disk_list.c, the pumps disk_pull.c and disk_push.c. */
#include "base/log.h"
#include "base/mem.h"
#include "loop/fault.h"
#include "loop/file.h"
#include "warden/disk_room.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

/* --- places --- */

bool disk_root(const struct disk *d, const struct val *args, bool write, unsigned *root, struct err *e) {
    struct slice name = val_as_text(val_get(args, LIT("root")));
    *root = 0;
    for (unsigned i = 0; i < d->root_n; i++) {
        if (!slice_eq(name, slice_str(d->names[i]))) continue;
        if (write && !d->roots[i].write)
            return err_set(e, ERR_AUTHORIZATION, "nothing may be written beneath the root \"%s\"", d->names[i]);
        *root = i;
        return true;
    }
    return err_set(e, ERR_NOT_FOUND, "there is no root \"%.*s\"", (int)name.len, (const char *)name.ptr);
}

bool disk_about(const struct disk *d, unsigned root, const char *path, struct err *e) {
    if (e && e->os == ENOTDIR) e->code = ERR_NOT_FOUND; /* beneath a file there is nothing */
    err_context(e, "%s:%s", d->names[root], path);
    return false;
}

bool disk_place_open(const struct disk *d, const struct val *args, const char *key, bool write, struct disk_place *p,
                     struct err *e) {
    if (!disk_root(d, args, write, &p->root, e)) return false;
    struct slice path = val_as_text(val_get(args, slice_str(key))); /* its row has checked that it fits */
    memcpy(p->path, path.ptr, path.len);
    p->path[path.len] = 0;
    char *slash = strrchr(p->path, '/');
    p->base = slash ? slash + 1 : p->path;
    p->folder = d->roots[p->root].dir;
    if (!slash) return true;
    *slash = 0;
    p->folder = file_open(d->roots[p->root].dir, p->path, O_RDONLY | O_DIRECTORY, 0, e);
    *slash = '/';
    return p->folder >= 0 || disk_about(d, p->root, p->path, e);
}

void disk_place_close(const struct disk *d, struct disk_place *p) {
    if (p->folder != d->roots[p->root].dir) close(p->folder);
}

int disk_open(int folder, const char *base, int flags, bool folder_too, struct stat *st, struct err *e) {
    int fd = file_open(folder, base, flags | O_NONBLOCK | O_NOCTTY, 0600, e);
    if (fd < 0) return -1;
    bool good = fstat(fd, st) == 0 || err_os(e, ERR_FILESYSTEM, errno, "looking at %s", base);
    if (good && !S_ISREG(st->st_mode) && !(folder_too && S_ISDIR(st->st_mode)))
        good =
            err_set(e, ERR_INVALID, "%s is %s, not a plain file", base, S_ISDIR(st->st_mode) ? "a folder" : "special");
    if (good) return fd;
    close(fd);
    return -1;
}

bool disk_sync_folder(int folder, struct err *e) {
    int failed = fault_next(FAULT_SYNC) ? -1 : fsync(folder);
    return !failed || err_os(e, ERR_FILESYSTEM, errno, "making a name durable");
}

struct val disk_describe(const struct stat *st) {
    bool folder = S_ISDIR(st->st_mode);
    int64_t mtime_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
    return VAL_MAP_OF({"size", val_of_u64(folder ? 0 : (uint64_t)st->st_size)}, {"mtime_ns", val_of_i64(mtime_ns)},
                      {"id", val_of_u64(st->st_ino)}, {"folder", val_of_bool(folder)});
}

/* --- files kept open --- */

static void forget(struct disk_file *f) {
    close(f->fd);
    f->fd = -1;
}

static struct disk_file *find_file(struct disk *d, unsigned root, const char *path) {
    for (size_t i = 0; i < LIMIT_DISK_FILES; i++) {
        struct disk_file *f = &d->files[i];
        if (f->fd >= 0 && f->root == root && !strcmp(f->path, path)) return f;
    }
    return NULL;
}

/* A free slot, or the one that was not used for longest. */
static struct disk_file *free_slot(struct disk *d) {
    struct disk_file *oldest = &d->files[0];
    for (size_t i = 0; i < LIMIT_DISK_FILES; i++) {
        if (d->files[i].fd < 0) return &d->files[i];
        if (d->files[i].used < oldest->used) oldest = &d->files[i];
    }
    forget(oldest);
    return oldest;
}

/* Opens it, or makes it; then its name is durable before anything is written into it. Also when it is there already: who made it may
 * have died before the name was durable. */
static int open_to_write(const struct disk_place *p, struct err *e) {
    struct stat st;
    struct err own = ERR_INIT;
    int fd = disk_open(p->folder, p->base, O_RDWR, false, &st, &own);
    if (fd >= 0) {
        if (disk_sync_folder(p->folder, e)) return fd;
        close(fd);
        return -1;
    }
    if (own.code != ERR_NOT_FOUND) {
        if (e) *e = own;
        return -1;
    }
    fd = disk_open(p->folder, p->base, O_RDWR | O_CREAT | O_EXCL, false, &st, e);
    if (fd < 0 || disk_sync_folder(p->folder, e)) return fd;
    close(fd);
    file_remove(p->folder, p->base, NULL);
    return -1;
}

int disk_file_get(struct disk *d, unsigned root, const char *path, const struct val *args, struct err *e) {
    struct disk_file *f = find_file(d, root, path);
    if (!f) {
        struct disk_place p;
        if (!disk_place_open(d, args, "path", true, &p, e)) return -1;
        int fd = open_to_write(&p, e);
        disk_place_close(d, &p);
        if (fd < 0) {
            disk_about(d, root, path, e);
            return -1;
        }
        f = free_slot(d);
        f->fd = fd;
        f->root = root;
        memcpy(f->path, path, strlen(path) + 1);
    }
    f->used = ++d->uses;
    return f->fd;
}

void disk_file_drop(struct disk *d, unsigned root, const char *path) {
    size_t len = strlen(path);
    for (size_t i = 0; i < LIMIT_DISK_FILES; i++) {
        struct disk_file *f = &d->files[i];
        if (f->fd >= 0 && f->root == root && !strncmp(f->path, path, len) && (f->path[len] == 0 || f->path[len] == '/'))
            forget(f);
    }
}

/* --- pumps --- */

struct disk_pump *disk_pump_new(struct disk *d, size_t size, struct err *e) {
    if (d->pump_n >= LIMIT_DISK_PUMPS) {
        err_limit(e, "pumps", LIMIT_DISK_PUMPS, ERR_NOWHERE);
        return NULL;
    }
    struct disk_pump *p = mem_get_zero(size);
    if (!p) {
        err_nomem(e, "a pump");
        return NULL;
    }
    *p = (struct disk_pump){.disk = d, .next = d->pumps, .size = size, .pipe = {.fd = -1}, .file = -1};
    if (d->pumps) d->pumps->prev = p;
    d->pumps = p;
    d->pump_n++;
    return p;
}

void disk_pump_free(struct disk_pump *p) {
    struct disk *d = p->disk;
    if (p->prev)
        p->prev->next = p->next;
    else
        d->pumps = p->next;
    if (p->next) p->next->prev = p->prev;
    d->pump_n--;
    loop_fd_remove(&p->pipe);
    if (p->pipe.fd >= 0) close(p->pipe.fd);
    if (p->file >= 0) close(p->file);
    mem_put(p, p->size);
}

void disk_pump_cancel(struct obey *o, uint64_t id) {
    struct disk *d = LOOP_OWNER(struct disk, obey, o);
    struct err e = ERR_INIT;
    err_set(&e, ERR_CANCELLED, "it was cancelled");
    for (struct disk_pump *p = d->pumps; p; p = p->next)
        if (p->waits_for_answer && p->id == id) {
            p->end(p, &e);
            return;
        }
}

/* --- life --- */

static bool begin(struct disk *d, int link_fd, const struct jail *jail, struct err *e) {
    struct jail_report report;
    signal(SIGPIPE, SIG_IGN); /* a reader that left is an ordinary error */
    signal(SIGXFSZ, SIG_IGN); /* so is a file too big for a limit of the system */
    umask(0);                 /* modes are said, not inherited */
    d->loop = loop_new(e);
    if (!d->loop) {
        close(link_fd);
        return false;
    }
    d->obey = (struct obey){.name = "disk", .act = disk_act, .cancel = disk_pump_cancel};
    d->obey.rows = disk_rows(&d->obey.row_n);
    return obey_start(&d->obey, d->loop, link_fd, e) && jail_enter(jail, &report, e);
}

int disk_hand(int link_fd, const struct jail_root *roots, const char *const *names, unsigned root_n,
              const struct jail *jail) {
    struct err e = ERR_INIT;
    int code = 71;
    struct disk *d = mem_get_zero(sizeof *d);
    if (!d) return code;
    d->roots = roots;
    d->names = names;
    d->root_n = root_n;
    d->inotify = -1;
    for (size_t i = 0; i < LIMIT_DISK_FILES; i++) d->files[i].fd = -1;
    for (size_t i = 0; i < LIMIT_DISK_LOCKS; i++) d->locks[i].fd = -1;
    if (begin(d, link_fd, jail, &e))
        code = loop_run(d->loop);
    else
        log_warn("the disk hand cannot begin: %s", e.text);
    while (d->pumps) d->pumps->end(d->pumps, NULL);
    obey_stop(&d->obey);
    for (size_t i = 0; i < LIMIT_DISK_FILES; i++)
        if (d->files[i].fd >= 0) forget(&d->files[i]);
    for (size_t i = 0; i < LIMIT_DISK_LOCKS; i++)
        if (d->locks[i].fd >= 0) forget(&d->locks[i]);
    if (d->inotify >= 0) close(d->inotify);
    loop_free(d->loop);
    mem_put(d, sizeof *d);
    return code;
}
