/* file.c - see file.h. */
#include "loop/file.h"

#include "loop/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NAME_MOST 200 /* bytes of a name with its folders: room for .new within NAME_MAX */
#define PIECE     65536

/* --- names --- */

/* Each part is a plain name. */
static bool check_name(const char *name, struct err *e) {
    struct slice rest = slice_str(name);
    bool good = rest.len > 0 && rest.len <= NAME_MOST && rest.ptr[rest.len - 1] != '/';
    while (good && rest.len) {
        struct slice part = slice_cut(&rest, '/');
        good = part.len && !slice_eq(part, LIT(".")) && !slice_eq(part, LIT(".."));
    }
    return good || err_set(e, ERR_INVALID, "want a name beneath its directory, found \"%.60s\"", name);
}

/* Where the kernel has no openat2 (a seccomp filter, an emulator): part by part, each not to be a symlink. */
static int open_by_hand(int dir, const char *name, int flags, mode_t mode) {
    int at = dir;
    struct slice rest = slice_str(name);
    for (;;) {
        struct slice part = slice_cut(&rest, '/');
        char text[NAME_MOST + 1];
        memcpy(text, part.ptr, part.len);
        text[part.len] = 0;
        int next = rest.len ? openat(at, text, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                            : openat(at, text, flags | O_NOFOLLOW, mode);
        int os = errno;
        if (at != dir) close(at);
        errno = os;
        if (next < 0 || !rest.len) return next;
        at = next;
    }
}

int file_open_dir(const char *path, struct err *e) {
    int fd = fault_next(FAULT_OPEN) ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) err_os(e, ERR_FILESYSTEM, errno, "opening the directory %s", path);
    return fd;
}

bool file_make_dir(const char *path, mode_t mode, struct err *e) {
    return (!fault_next(FAULT_OPEN) && mkdir(path, mode) == 0) || errno == EEXIST ||
           err_os(e, ERR_FILESYSTEM, errno, "making the directory %s", path);
}

int file_open(int dir, const char *name, int flags, mode_t mode, struct err *e) {
    if (!check_name(name, e)) return -1;
    flags |= O_CLOEXEC | (flags & O_PATH ? 0 : O_NONBLOCK); /* a pipe in the place of a file must not make us wait */
    struct open_how how = {.flags = (uint64_t)(unsigned)flags,
                           .mode = flags & O_CREAT ? mode : 0,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    int fd = -1;
    if (!fault_next(FAULT_OPEN)) {
        fd = (int)syscall(SYS_openat2, dir, name, &how, sizeof how);
        if (fd < 0 && (errno == ENOSYS || errno == EPERM)) fd = open_by_hand(dir, name, flags, mode);
    }
    if (fd < 0) err_os(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_FILESYSTEM, errno, "opening %s", name);
    return fd;
}

/* --- bytes --- */

ssize_t file_read_at(int fd, void *to, size_t len, uint64_t at, struct err *e) {
    size_t done = 0;
    while (done < len) {
        size_t want = len - done;
        enum fault_act act = fault_next(FAULT_READ);
        if (act == FAULT_SHORT) want = (want + 1) / 2;
        ssize_t n = act && act != FAULT_SHORT ? -1 : pread(fd, (uint8_t *)to + done, want, (off_t)(at + done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            err_os(e, ERR_FILESYSTEM, errno, "reading a file");
            return -1;
        }
        if (n == 0) break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

bool file_write_at(int fd, struct slice bytes, uint64_t at, struct err *e) {
    while (bytes.len) {
        size_t want = bytes.len;
        enum fault_act act = fault_next(FAULT_WRITE);
        if (act == FAULT_SHORT) want = (want + 1) / 2;
        ssize_t n = act && act != FAULT_SHORT ? -1 : pwrite(fd, bytes.ptr, want, (off_t)at);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return err_os(e, ERR_FILESYSTEM, errno, "writing a file");
        bytes = slice_skip(bytes, (size_t)n);
        at += (uint64_t)n;
    }
    return true;
}

bool file_sync(int fd, struct err *e) {
    int failed = fault_next(FAULT_SYNC) ? -1 : fdatasync(fd);
    return !failed || err_os(e, ERR_FILESYSTEM, errno, "making a file durable");
}

bool file_size(int fd, uint64_t *size, struct err *e) {
    struct stat st;
    if (fstat(fd, &st)) return err_os(e, ERR_FILESYSTEM, errno, "asking for the size of a file");
    *size = (uint64_t)st.st_size;
    return true;
}

/* --- whole files --- */

/* Takes the descriptor. A file that grows meanwhile is read until its end. */
static bool read_to_end(int fd, size_t most, struct buf *out, struct err *e) {
    size_t mark = buf_mark(out);
    bool good = true;
    ssize_t n = 1;
    while (good && n > 0) {
        size_t left = most - (out->len - mark) + 1, piece = left < PIECE ? left : PIECE; /* one more than may be */
        uint8_t *at = buf_room(out, piece);
        if (!at) {
            good = err_nomem(e, "a file");
            break;
        }
        n = file_read_at(fd, at, piece, out->len - mark, e);
        good = n >= 0;
        if (n > 0) buf_wrote(out, (size_t)n);
        if (good && out->len - mark > most) good = err_limit(e, "file", most, most);
    }
    close(fd);
    if (!good) buf_rewind(out, mark);
    return good;
}

bool file_read_all(int dir, const char *name, size_t most, struct buf *out, struct err *e) {
    int fd = file_open(dir, name, O_RDONLY, 0, e);
    if (fd < 0) return false;
    if (read_to_end(fd, most, out, e)) return true;
    err_context(e, "%s", name);
    return false;
}

void file_fill_standard(void) {
    int fd;
    do fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO) close(fd);
}

bool file_read_path(const char *path, size_t most, struct buf *out, struct err *e) {
    int fd = fault_next(FAULT_OPEN) ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return err_os(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_FILESYSTEM, errno, "opening %s", path);
    if (read_to_end(fd, most, out, e)) return true;
    err_context(e, "%s", path);
    return false;
}

/* The folder a name stands in, on a way without symlinks, and its last part; dir itself when it has none. -1 with the reason. */
static int open_parent(int dir, const char *name, const char **last, struct err *e) {
    const char *slash = strrchr(name, '/');
    *last = slash ? slash + 1 : name;
    if (!slash) return dir;
    char folder[NAME_MOST + 1];
    memcpy(folder, name, (size_t)(slash - name));
    folder[slash - name] = 0;
    return file_open(dir, folder, O_RDONLY | O_DIRECTORY, 0, e);
}

static void close_parent(int dir, int parent) {
    int os = errno;
    if (parent >= 0 && parent != dir) close(parent);
    errno = os;
}

bool file_rename(int dir, const char *from, const char *to, struct err *e) {
    if (!check_name(from, e) || !check_name(to, e)) return false;
    const char *old, *new;
    int source = open_parent(dir, from, &old, e);
    if (source < 0) return false;
    int target = open_parent(dir, to, &new, e);
    bool good = target >= 0;
    if (good && (fault_next(FAULT_RENAME) || renameat(source, old, target, new)))
        good = err_os(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_FILESYSTEM, errno, "renaming %s to %s", from, to);
    if (good && (fault_next(FAULT_SYNC) || fsync(target)))
        good = err_os(e, ERR_FILESYSTEM, errno, "making a rename durable");
    close_parent(dir, source);
    close_parent(dir, target);
    return good;
}

bool file_remove(int dir, const char *name, struct err *e) {
    if (!check_name(name, e)) return false;
    struct err why = ERR_INIT;
    const char *last;
    int parent = open_parent(dir, name, &last, &why);
    if (parent < 0) {
        if (why.code == ERR_NOT_FOUND) return true;
        if (e) *e = why;
        return false;
    }
    int failed = fault_next(FAULT_UNLINK) ? -1 : unlinkat(parent, last, 0);
    close_parent(dir, parent);
    return !failed || errno == ENOENT || err_os(e, ERR_FILESYSTEM, errno, "removing %s", name);
}

bool file_replace(int dir, const char *name, struct slice content, mode_t mode, struct err *e) {
    char fresh[NAME_MOST + 8];
    if (!check_name(name, e)) return false;
    if ((size_t)snprintf(fresh, sizeof fresh, "%s.new", name) > NAME_MOST)
        return err_set(e, ERR_INVALID, "a name longer than %d bytes", NAME_MOST - 4);
    int fd = file_open(dir, fresh, O_WRONLY | O_CREAT | O_TRUNC, mode, e);
    if (fd < 0) return false;
    bool good = file_write_at(fd, content, 0, e) && file_sync(fd, e);
    close(fd);
    good = good && file_rename(dir, fresh, name, e);
    if (good) return true;
    err_context(e, "%s", name);
    file_remove(dir, fresh, NULL); /* if that fails too, the next try begins by truncating it */
    return false;
}
