/* disk_verbs.c - the disk hand's rows and what is done at once; see disk.h. */
#include "base/mem.h"
#include "loop/fault.h"
#include "loop/file.h"
#include "warden/disk_room.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define ROOT                                                                                                           \
    { .key = "root", .type = VERB_WORD }
#define PATH(name)                                                                                                     \
    { .key = (name), .type = VERB_PATH, .min = 1, .max = LIMIT_DISK_PATH }
#define PATH_OR_ROOT                                                                                                   \
    { .key = "path", .type = VERB_PATH, .optional = true, .min = 1, .max = LIMIT_DISK_PATH }
#define NUMBER(name, least, most)                                                                                      \
    { .key = (name), .type = VERB_U64, .min = (least), .max = (most) }
#define ARGS(list) .args = (list), .arg_n = sizeof(list) / sizeof(list)[0]

static const struct verb_arg path_args[] = {ROOT, PATH("path")};
static const struct verb_arg read_args[] = {
    ROOT,
    PATH("path"),
    NUMBER("most", 0, LIMIT_DISK_BYTES),
    {.key = "at", .type = VERB_U64, .optional = true, .max = INT64_MAX - LIMIT_DISK_BYTES}};
static const struct verb_arg write_args[] = {ROOT,
                                             PATH("path"),
                                             NUMBER("at", 0, INT64_MAX - LIMIT_DISK_BYTES),
                                             {.key = "bytes", .type = VERB_BYTES, .max = LIMIT_DISK_BYTES},
                                             {.key = "sync", .type = VERB_BOOL, .optional = true}};
static const struct verb_arg replace_args[] = {ROOT,
                                               PATH("path"),
                                               {.key = "bytes", .type = VERB_BYTES, .max = LIMIT_DISK_BYTES},
                                               {.key = "mode", .type = VERB_U64, .optional = true, .max = 0777}};
static const struct verb_arg rename_args[] = {ROOT, PATH("from"), PATH("to")};
static const struct verb_arg list_args[] = {ROOT,
                                            PATH_OR_ROOT,
                                            {.key = "after", .type = VERB_TEXT, .optional = true, .min = 1, .max = 255},
                                            NUMBER("most", 1, LIMIT_DISK_LIST)};
static const struct verb_arg space_args[] = {ROOT};
static const struct verb_arg watch_args[] = {ROOT, PATH_OR_ROOT};
static const struct verb_arg unwatch_args[] = {NUMBER("watch", 1, INT32_MAX)};
static const struct verb_arg pull_args[] = {ROOT, PATH("path"), NUMBER("from", 0, INT64_MAX),
                                            NUMBER("len", 0, UINT64_MAX)};
static const struct verb_arg push_args[] = {ROOT,
                                            PATH("path"),
                                            NUMBER("from", 0, INT64_MAX),
                                            NUMBER("quota", 0, INT64_MAX),
                                            {.key = "replace", .type = VERB_BOOL, .optional = true}};
static const struct verb_arg seal_args[] = {NUMBER("push", 1, INT64_MAX), NUMBER("size", 0, INT64_MAX)};

static const struct verb rows[] = {
    {.name = "disk.stat", .who = VERB_DISK, ARGS(path_args), .about = "Tells size and time of a file or folder."},
    {.name = "disk.read", .who = VERB_DISK, ARGS(read_args), .about = "Reads a small file whole, or a piece of one."},
    {.name = "disk.write",
     .who = VERB_DISK,
     ARGS(write_args),
     .about = "Writes bytes at an offset of a file, in place."},
    {.name = "disk.sync", .who = VERB_DISK, ARGS(path_args), .about = "Makes what was written to a file durable."},
    {.name = "disk.replace",
     .who = VERB_DISK,
     ARGS(replace_args),
     .about = "Puts a small file in place of another, whole."},
    {.name = "disk.rename", .who = VERB_DISK, ARGS(rename_args), .about = "Moves a file or folder within its root."},
    {.name = "disk.remove", .who = VERB_DISK, ARGS(path_args), .about = "Removes a file or an empty folder."},
    {.name = "disk.folder", .who = VERB_DISK, ARGS(path_args), .about = "Makes a folder, and those above it."},
    {.name = "disk.list", .who = VERB_DISK, ARGS(list_args), .about = "Lists a folder by name, page by page."},
    {.name = "disk.space", .who = VERB_DISK, ARGS(space_args), .about = "Tells how much room a root's disk has."},
    {.name = "disk.watch",
     .who = VERB_DISK,
     ARGS(watch_args),
     .about = "Tells of changes inside a folder from now on."},
    {.name = "disk.unwatch", .who = VERB_DISK, ARGS(unwatch_args), .about = "Ends a watch."},
    {.name = "disk.pull", .who = VERB_DISK, ARGS(pull_args), .about = "Moves bytes of a file into a pipe."},
    {.name = "disk.push",
     .who = VERB_DISK,
     ARGS(push_args),
     .fds = 1,
     .about = "Moves bytes from a socket into a file."},
    {.name = "disk.seal",
     .who = VERB_DISK,
     ARGS(seal_args),
     .about = "Says how long a pushed file is: it may be finished."},
    {.name = "disk.lock", .who = VERB_DISK, ARGS(path_args), .about = "Holds a file against every other process."},
};

const struct verb *disk_rows(unsigned *n) {
    *n = sizeof rows / sizeof rows[0];
    return rows;
}

static bool succeed(struct obey_ask *ask) {
    ask->result = val_empty_map();
    return true;
}

/* --- reading --- */

static bool do_stat(struct disk *d, struct obey_ask *ask, struct err *e) {
    struct disk_place p;
    struct stat st;
    if (!disk_place_open(d, ask->args, "path", false, &p, e)) return false;
    int fd = file_open(p.folder, p.base, O_PATH, 0, e); /* of what it is nothing is opened */
    disk_place_close(d, &p);
    bool good = fd >= 0;
    if (good && fstat(fd, &st)) good = err_os(e, ERR_FILESYSTEM, errno, "looking at it");
    if (good && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
        good = err_set(e, ERR_INVALID, "it is neither a plain file nor a folder");
    if (fd >= 0) close(fd);
    if (good) ask->result = disk_describe(&st);
    return good || disk_about(d, p.root, p.path, e);
}

static bool do_read(struct disk *d, struct obey_ask *ask, struct err *e) {
    struct disk_place p;
    struct stat st;
    uint64_t most = 0;
    val_as_u64(val_get(ask->args, LIT("most")), &most);
    if (!disk_place_open(d, ask->args, "path", false, &p, e)) return false;
    int fd = disk_open(p.folder, p.base, O_RDONLY, false, &st, e);
    disk_place_close(d, &p);
    if (fd < 0) return disk_about(d, p.root, p.path, e);
    static_assert(LIMIT_DISK_BYTES <= LOOP_SCRATCH, "a small file fits the scratch");
    ssize_t n = -1;
    uint64_t at = 0;
    bool piece = val_as_u64(val_get(ask->args, LIT("at")), &at);
    if (!piece && (uint64_t)st.st_size > most)
        err_limit(e, "file", most, ERR_NOWHERE);
    else
        n = file_read_at(fd, loop_scratch(d->loop), (size_t)most, at, e);
    close(fd);
    if (n < 0) return disk_about(d, p.root, p.path, e);
    if (!piece) st.st_size = n; /* it may have changed meanwhile */
    ask->result = disk_describe(&st);
    val_set_str(&ask->result, "bytes", val_of_bytes(slice_of(loop_scratch(d->loop), (size_t)n)));
    return true;
}

static bool do_space(struct disk *d, struct obey_ask *ask, struct err *e) {
    unsigned root;
    struct statvfs s;
    if (!disk_root(d, ask->args, false, &root, e)) return false;
    if (fstatvfs(d->roots[root].dir, &s))
        return err_os(e, ERR_FILESYSTEM, errno, "asking for the room of %s", d->names[root]);
    ask->result = VAL_MAP_OF({"total", val_of_u64((uint64_t)s.f_blocks * s.f_frsize)},
                             {"free", val_of_u64((uint64_t)s.f_bavail * s.f_frsize)});
    return true;
}

/* --- writing --- */

/* The path of a request as text of ours: what the open files are found by. */
static bool copy_path(const struct disk *d, const struct val *args, unsigned *root, char *to, struct err *e) {
    if (!disk_root(d, args, true, root, e)) return false;
    struct slice path = val_as_text(val_get(args, LIT("path")));
    memcpy(to, path.ptr, path.len);
    to[path.len] = 0;
    return true;
}

static bool sync_file(struct disk *d, unsigned root, const char *path, int fd, struct err *e) {
    if (file_sync(fd, e)) return true;
    disk_file_drop(d, root, path);
    disk_about(d, root, path, e);
    err_context(e, "this file must not be trusted any more");
    return false;
}

static bool do_write(struct disk *d, struct obey_ask *ask, struct err *e) {
    unsigned root;
    char path[LIMIT_DISK_PATH + 1];
    uint64_t at = 0;
    val_as_u64(val_get(ask->args, LIT("at")), &at);
    if (!copy_path(d, ask->args, &root, path, e)) return false;
    int fd = disk_file_get(d, root, path, ask->args, e);
    if (fd < 0) return false;
    if (!file_write_at(fd, val_as_bytes(val_get(ask->args, LIT("bytes"))), at, e)) return disk_about(d, root, path, e);
    if (val_is_true(val_get(ask->args, LIT("sync"))) && !sync_file(d, root, path, fd, e)) return false;
    return succeed(ask);
}

static bool do_sync(struct disk *d, struct obey_ask *ask, struct err *e) {
    struct disk_place p;
    struct stat st;
    if (!disk_place_open(d, ask->args, "path", true, &p, e)) return false;
    int fd = disk_open(p.folder, p.base, O_RDWR, false, &st, e);
    disk_place_close(d, &p);
    if (fd < 0) return disk_about(d, p.root, p.path, e);
    bool good = sync_file(d, p.root, p.path, fd, e);
    close(fd);
    return good && succeed(ask);
}

/* What stands in the way of a file that is about to be made: opening a pipe would wait for its reader. */
static bool check_free(const struct disk_place *p, const char *ending, struct err *e) {
    char name[LIMIT_DISK_PATH + 8];
    struct stat st;
    snprintf(name, sizeof name, "%s%s", p->base, ending);
    if (fstatat(p->folder, name, &st, AT_SYMLINK_NOFOLLOW) || S_ISREG(st.st_mode)) return true;
    return err_set(e, ERR_INVALID, "%s is in the way: it is no plain file", name);
}

static bool do_replace(struct disk *d, struct obey_ask *ask, struct err *e) {
    struct disk_place p;
    uint64_t mode = 0600;
    val_as_u64(val_get(ask->args, LIT("mode")), &mode);
    if (!disk_place_open(d, ask->args, "path", true, &p, e)) return false;
    bool good = check_free(&p, "", e) && check_free(&p, ".new", e) &&
                file_replace(p.folder, p.base, val_as_bytes(val_get(ask->args, LIT("bytes"))), (mode_t)mode, e);
    disk_place_close(d, &p);
    disk_file_drop(d, p.root, p.path);
    return good ? succeed(ask) : disk_about(d, p.root, p.path, e);
}

static bool do_rename(struct disk *d, struct obey_ask *ask, struct err *e) {
    struct disk_place from, to;
    if (!disk_place_open(d, ask->args, "from", true, &from, e)) return false;
    if (!disk_place_open(d, ask->args, "to", true, &to, e)) {
        disk_place_close(d, &from);
        return false;
    }
    int failed = fault_next(FAULT_RENAME) ? -1 : renameat(from.folder, from.base, to.folder, to.base);
    bool good =
        !failed || err_os(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_FILESYSTEM, errno, "renaming it to %s", to.path);
    /* The new name first: between the two syncs there may be both, but never none. */
    good = good && disk_sync_folder(to.folder, e);
    if (good && from.folder != to.folder) good = disk_sync_folder(from.folder, e);
    disk_place_close(d, &from);
    disk_place_close(d, &to);
    disk_file_drop(d, from.root, from.path);
    disk_file_drop(d, to.root, to.path);
    return good ? succeed(ask) : disk_about(d, from.root, from.path, e);
}

static bool do_remove(struct disk *d, struct obey_ask *ask, struct err *e) {
    struct disk_place p;
    struct err own = ERR_INIT;
    if (!disk_place_open(d, ask->args, "path", true, &p, &own)) {
        if (own.code == ERR_NOT_FOUND && own.os == ENOENT) return succeed(ask); /* its folder is not there either */
        if (e) *e = own;
        return false;
    }
    bool good = file_remove(p.folder, p.base, &own);
    if (!good && own.os == EISDIR) {
        int failed = fault_next(FAULT_UNLINK) ? -1 : unlinkat(p.folder, p.base, AT_REMOVEDIR);
        good = !failed || err_os(&own, ERR_FILESYSTEM, errno, "removing a folder");
    }
    good = good && disk_sync_folder(p.folder, &own);
    disk_place_close(d, &p);
    disk_file_drop(d, p.root, p.path);
    if (good) return succeed(ask);
    if (e) *e = own;
    return disk_about(d, p.root, p.path, e);
}

static bool do_folder(struct disk *d, struct obey_ask *ask, struct err *e) {
    unsigned root;
    char part[LIMIT_DISK_PATH + 1], path[LIMIT_DISK_PATH + 1];
    if (!copy_path(d, ask->args, &root, path, e)) return false;
    struct slice rest = slice_str(path);
    int at = d->roots[root].dir;
    bool good = true;
    while (good && rest.len) {
        struct slice name = slice_cut(&rest, '/');
        memcpy(part, name.ptr, name.len);
        part[name.len] = 0;
        int failed = fault_next(FAULT_OPEN) ? -1 : mkdirat(at, part, 0700);
        if (failed && errno != EEXIST) good = err_os(e, ERR_FILESYSTEM, errno, "making the folder %s", part);
        if (good)
            good = disk_sync_folder(at, e); /* also of one that was there: who made it may have died before this */
        int next = good ? file_open(at, part, O_RDONLY | O_DIRECTORY, 0, e) : -1;
        if (good && next < 0 && e->os == ENOTDIR) err_set(e, ERR_DUPLICATE, "%s is there already, and no folder", part);
        good = next >= 0;
        if (at != d->roots[root].dir) close(at);
        at = good ? next : d->roots[root].dir;
    }
    if (at != d->roots[root].dir) close(at);
    return good ? succeed(ask) : disk_about(d, root, path, e);
}

/* --- watching --- */

#define CHANGES                                                                                                        \
    (IN_CREATE | IN_DELETE | IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF |   \
     IN_MOVE_SELF | IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK)

/* inotify wants a name: "." of the folder itself where that is allowed, else its descriptor's name below /proc. */
static int add_watch(int inotify, int fd) {
    if (fchdir(fd) == 0) return inotify_add_watch(inotify, ".", CHANGES & ~(uint32_t)IN_DONT_FOLLOW);
    char name[40];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    return inotify_add_watch(inotify, name, CHANGES & ~(uint32_t)IN_DONT_FOLLOW);
}

static bool count_watch(struct disk *d, int number, struct err *e) {
    for (unsigned i = 0; i < d->watch_n; i++)
        if (d->watches[i].number == number) {
            d->watches[i].times++;
            return true;
        }
    if (d->watch_n == LIMIT_DISK_WATCHES) {
        inotify_rm_watch(d->inotify, number);
        return err_limit(e, "watches", LIMIT_DISK_WATCHES, ERR_NOWHERE);
    }
    d->watches[d->watch_n++] = (struct disk_watch){number, 1};
    return true;
}

bool disk_open_folder(struct disk *d, const struct val *args, unsigned *root, int *fd, struct err *e) {
    if (!disk_root(d, args, false, root, e)) return false;
    struct slice path = val_as_text(val_get(args, LIT("path")));
    char name[LIMIT_DISK_PATH + 1] = ".";
    *fd = -1;
    if (path.len) {
        memcpy(name, path.ptr, path.len);
        name[path.len] = 0;
        *fd = file_open(d->roots[*root].dir, name, O_RDONLY | O_DIRECTORY, 0, e);
    } else if ((*fd = openat(d->roots[*root].dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        err_os(e, ERR_FILESYSTEM, errno, "opening a root");
    return *fd >= 0 || disk_about(d, *root, name, e);
}

static bool do_watch(struct disk *d, struct obey_ask *ask, struct err *e) {
    unsigned root;
    int fd;
    if (d->inotify < 0 && (d->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) < 0)
        return err_os(e, ERR_FILESYSTEM, errno, "making a watcher");
    if (!disk_open_folder(d, ask->args, &root, &fd, e)) return false;
    int number = add_watch(d->inotify, fd);
    int os = errno;
    close(fd);
    if (number < 0) return err_os(e, ERR_FILESYSTEM, os, "watching a folder beneath %s", d->names[root]);
    if (!count_watch(d, number, e)) return false;
    ask->result = VAL_MAP_OF({"watch", val_of_i64(number)});
    if (!d->inotify_told) ask->fd = d->inotify;
    ask->keep_fd = true;
    d->inotify_told = true;
    return true;
}

static bool do_unwatch(struct disk *d, struct obey_ask *ask, struct err *e) {
    uint64_t number = 0;
    val_as_u64(val_get(ask->args, LIT("watch")), &number);
    for (unsigned i = 0; i < d->watch_n; i++) {
        struct disk_watch *w = &d->watches[i];
        if ((uint64_t)w->number != number) continue;
        if (--w->times == 0) {
            inotify_rm_watch(d->inotify, w->number); /* fails when the folder itself is gone: it is over then anyway */
            *w = d->watches[--d->watch_n];
        }
        return succeed(ask);
    }
    return err_set(e, ERR_NOT_FOUND, "there is no watch %llu", (unsigned long long)number);
}

/* --- holding a file --- */

static bool take_lock(struct disk *d, const struct disk_place *p, struct disk_file *lock, struct err *e) {
    struct stat st;
    int fd = disk_open(p->folder, p->base, O_RDWR | O_CREAT, false, &st, e);
    if (fd < 0) return disk_about(d, p->root, p->path, e);
    if (flock(fd, LOCK_EX | LOCK_NB)) {
        int os = errno;
        close(fd);
        if (os == EWOULDBLOCK) return err_set(e, ERR_DUPLICATE, "%s is held by another process", p->path);
        return err_os(e, ERR_FILESYSTEM, os, "holding %s", p->path);
    }
    lock->fd = fd;
    lock->root = p->root;
    memcpy(lock->path, p->path, strlen(p->path) + 1);
    return true;
}

static bool do_lock(struct disk *d, struct obey_ask *ask, struct err *e) {
    struct disk_place p;
    struct disk_file *free_lock = NULL;
    if (!disk_place_open(d, ask->args, "path", true, &p, e)) return false;
    bool held = false;
    for (size_t i = 0; i < LIMIT_DISK_LOCKS && !held; i++) {
        struct disk_file *l = &d->locks[i];
        if (l->fd < 0)
            free_lock = l;
        else
            held = l->root == p.root && !strcmp(l->path, p.path);
    }
    bool good =
        held || (free_lock ? take_lock(d, &p, free_lock, e) : err_limit(e, "locks", LIMIT_DISK_LOCKS, ERR_NOWHERE));
    disk_place_close(d, &p);
    return good && succeed(ask);
}

/* --- all of them --- */

/* In the order of the rows. */
static bool (*const acts[])(struct disk *d, struct obey_ask *ask, struct err *e) = {
    do_stat,   do_read,  do_write, do_sync,    do_replace, do_rename, do_remove, do_folder,
    disk_list, do_space, do_watch, do_unwatch, disk_pull,  disk_push, disk_seal, do_lock,
};
static_assert(sizeof acts / sizeof acts[0] == sizeof rows / sizeof rows[0], "each row has its act");

bool disk_act(struct obey *o, struct obey_ask *ask, struct err *e) {
    return acts[ask->row](LOOP_OWNER(struct disk, obey, o), ask, e);
}
