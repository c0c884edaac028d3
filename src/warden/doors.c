/* doors.c - see doors.h. */
#include "warden/doors.h"

#include "base/log.h"
#include "base/mem.h"
#include "loop/file.h"
#include "loop/udp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_MOST  320 /* a root's name and a path of 200 bytes, with room */
#define MODE      0660
#define PATH_MOST 200 /* as loop/file.h has it */

struct door {
    char asked[KEY_MOST]; /* kind and address as they were asked for */
    char real[KEY_MOST];  /* as they turned out: a port 0 has become a number */
    int fd;
};

struct wish {
    struct slice kind;
    const struct jail_root *root; /* of a Unix socket */
    char path[PATH_MOST + 1];
    struct address address; /* of the others */
    char key[KEY_MOST];
};

static bool is_kind(const struct wish *w, const char *kind) {
    return slice_eq(w->kind, slice_str(kind));
}

/* --- what is asked --- */

static bool write_key(char key[KEY_MOST], struct slice kind, const struct address *a, struct err *e) {
    struct buf text;
    buf_init(&text, KEY_MOST);
    bool good = address_write(&text, a);
    if (good)
        snprintf(key, KEY_MOST, "%.*s %.*s", (int)kind.len, (const char *)kind.ptr, (int)text.len,
                 (const char *)text.ptr);
    buf_release(&text);
    return good || err_nomem(e, "an address");
}

static bool read_unix(const struct doors *d, const struct val *args, struct wish *w, struct err *e) {
    struct slice root = val_as_text(val_get(args, LIT("root"))), path = val_as_text(val_get(args, LIT("path")));
    if (!root.len || !path.len || !val_is_none(val_get(args, LIT("address"))))
        return err_set(e, ERR_INVALID, "a unix socket wants \"root\" and \"path\" and no \"address\"");
    for (unsigned i = 0; i < d->root_n; i++)
        if (slice_eq(root, slice_str(d->names[i]))) w->root = &d->roots[i];
    if (!w->root)
        return err_set(e, ERR_NOT_FOUND, "there is no root named \"%.*s\"", (int)root.len, (const char *)root.ptr);
    if (!w->root->write)
        return err_set(e, ERR_AUTHORIZATION, "the root \"%.*s\" is for reading only", (int)root.len,
                       (const char *)root.ptr);
    if (path.len > PATH_MOST) return err_limit(e, "path", PATH_MOST, PATH_MOST);
    memcpy(w->path, path.ptr, path.len);
    snprintf(w->key, sizeof w->key, "unix %.*s/%s", (int)root.len, (const char *)root.ptr, w->path);
    return true;
}

static bool read_wish(const struct doors *d, const struct val *args, struct wish *w, struct err *e) {
    *w = (struct wish){.kind = val_as_text(val_get(args, LIT("kind")))};
    if (is_kind(w, "unix")) return read_unix(d, args, w, e);
    struct slice address = val_as_text(val_get(args, LIT("address")));
    if (!address.len || !val_is_none(val_get(args, LIT("root"))) || !val_is_none(val_get(args, LIT("path"))) ||
        !val_is_none(val_get(args, LIT("mode"))))
        return err_set(e, ERR_INVALID, "a %.*s socket wants \"address\", and no \"root\", \"path\" or \"mode\"",
                       (int)w->kind.len, (const char *)w->kind.ptr);
    if (!address_read(address, &w->address, e) || !write_key(w->key, w->kind, &w->address, e)) return false;
    /* So that two sockets on port 0 are two. */
    struct slice what = val_as_text(val_get(args, LIT("for")));
    size_t len = strlen(w->key);
    if (what.len) snprintf(w->key + len, sizeof w->key - len, " for %.*s", (int)what.len, (const char *)what.ptr);
    return true;
}

static struct door **find_door(struct doors *d, const char *key) {
    for (unsigned i = 0; i < d->n; i++)
        if (!strcmp(d->all[i]->asked, key) || !strcmp(d->all[i]->real, key)) return &d->all[i];
    return NULL;
}

static void shut(struct doors *d, struct door **at) {
    struct door *door = *at;
    close(door->fd);
    mem_put(door, sizeof *door);
    *at = d->all[--d->n];
}

/* --- Unix sockets --- */

struct owner {
    uid_t uid;
    gid_t gid;
};

/* To the file system only: what we make is theirs, and we can do no more there than they can. */
static bool become(const struct doors *d, struct owner to, struct err *e) {
    if (!d->as_owner) return true;
    setfsgid(to.gid);
    setfsuid(to.uid);
    return ((uid_t)setfsuid((uid_t)-1) == to.uid && (gid_t)setfsgid((gid_t)-1) == to.gid) ||
           err_set(e, ERR_UNKNOWN, "this process cannot act for user %u", (unsigned)to.uid);
}

struct place {
    int dir; /* the folder it stands in */
    const char *name;
    struct address address; /* /proc/self/fd/DIR/NAME: what is in between was resolved already */
};

static bool find_place(const struct wish *w, struct place *p, struct err *e) {
    char folder[PATH_MOST + 1];
    const char *slash = strrchr(w->path, '/');
    p->name = slash ? slash + 1 : w->path;
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - w->path) : 0, w->path);
    p->dir = slash ? file_open(w->root->dir, folder, O_PATH | O_DIRECTORY, 0, e) : w->root->dir;
    if (p->dir < 0) return false;
    struct sockaddr_un *un = &p->address.un;
    p->address = (struct address){.len = sizeof *un};
    un->sun_family = AF_UNIX;
    int n = snprintf(un->sun_path, sizeof un->sun_path, "/proc/self/fd/%d/%s", p->dir, p->name);
    if (n > 0 && (size_t)n < sizeof un->sun_path) return true;
    if (slash) close(p->dir);
    return err_set(e, ERR_INVALID, "the name of a Unix socket is too long: at most some 80 bytes");
}

static void leave_place(const struct wish *w, struct place *p) {
    if (p->dir != w->root->dir) close(p->dir);
}

/* A socket (not what only leads to one), and nobody answers there. */
static bool is_stale(const struct place *p) {
    struct stat st;
    if (fstatat(p->dir, p->name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISSOCK(st.st_mode)) return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return false;
    bool stale = connect(fd, &p->address.any, p->address.len) != 0 && errno == ECONNREFUSED;
    close(fd);
    return stale;
}

static int bind_unix(const struct wish *w, const struct place *p, mode_t mode, struct err *e) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    mode_t mask = umask(0777 & ~mode); /* so it never stands there with another mode */
    int failed = fd < 0 ? -1 : bind(fd, &p->address.any, p->address.len);
    if (failed && fd >= 0 && errno == EADDRINUSE) {
        if (is_stale(p) && !unlinkat(p->dir, p->name, 0))
            failed = bind(fd, &p->address.any, p->address.len);
        else
            errno = EADDRINUSE;
    }
    int os = errno;
    umask(mask);
    if (!failed && listen(fd, LISTEN_BACKLOG) == 0) return fd;
    err_os(e, ERR_NETWORK, failed ? os : errno, "listening on the Unix socket %s", w->path);
    if (fd >= 0) close(fd);
    return -1;
}

static int open_unix(struct doors *d, const struct wish *w, mode_t mode, struct err *e) {
    struct stat st;
    struct place p;
    int fd = -1;
    if (fstat(w->root->dir, &st)) {
        err_os(e, ERR_FILESYSTEM, errno, "looking at a root");
        return -1;
    }
    struct owner self = {geteuid(), getegid()}, owner = {st.st_uid, st.st_gid};
    if (become(d, owner, e) && find_place(w, &p, e)) {
        fd = bind_unix(w, &p, mode, e);
        leave_place(w, &p);
    }
    become(d, self, NULL);
    return fd;
}

static void remove_unix(struct doors *d, const struct wish *w) {
    struct stat st;
    struct place p;
    if (fstat(w->root->dir, &st)) return;
    struct owner self = {geteuid(), getegid()}, owner = {st.st_uid, st.st_gid};
    if (become(d, owner, NULL) && find_place(w, &p, NULL)) {
        if (!fstatat(p.dir, p.name, &st, AT_SYMLINK_NOFOLLOW) && S_ISSOCK(st.st_mode)) unlinkat(p.dir, p.name, 0);
        leave_place(w, &p);
    }
    become(d, self, NULL);
}

/* --- opening --- */

/* Whether a kept socket is still what it was when it was handed out. */
static bool is_sound(const struct wish *w, int fd) {
    struct address peer = {.len = sizeof peer.un};
    if (is_kind(w, "udp")) return getpeername(fd, &peer.any, &peer.len) != 0;
    int listens = 0;
    socklen_t len = sizeof listens;
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 && listens;
}

static int open_inet(const struct wish *w, struct err *e) {
    struct err own = ERR_INIT;
    int fd = is_kind(w, "udp") ? udp_open(&w->address, &own) : listen_open(&w->address, &own);
    if (fd >= 0 || !e) return fd;
    if (own.os == EACCES && address_port(&w->address) < 1024)
        err_set(e, ERR_AUTHORIZATION, "%s: a port below 1024 wants root, or the capability CAP_NET_BIND_SERVICE",
                w->key);
    else
        *e = own;
    return -1;
}

static int open_new(struct doors *d, const struct wish *w, mode_t mode, char real[KEY_MOST], struct err *e) {
    int fd = is_kind(w, "unix") ? open_unix(d, w, mode, e) : open_inet(w, e);
    if (fd < 0) return -1;
    struct address address;
    memcpy(real, w->key, KEY_MOST);
    if (is_kind(w, "unix") || (listen_address(fd, &address, e) && write_key(real, w->kind, &address, e))) return fd;
    close(fd);
    return -1;
}

static struct door *add_door(struct doors *d, const struct wish *w, mode_t mode, struct err *e) {
    if (d->n == LIMIT_LISTENERS) {
        err_limit(e, "listeners", LIMIT_LISTENERS, ERR_NOWHERE);
        return NULL;
    }
    struct door *door = mem_get_zero(sizeof *door);
    if (!door) {
        err_nomem(e, "a listener");
        return NULL;
    }
    memcpy(door->asked, w->key, sizeof door->asked);
    door->fd = open_new(d, w, mode, door->real, e);
    if (door->fd < 0) {
        mem_put(door, sizeof *door);
        return NULL;
    }
    d->all[d->n++] = door;
    return door;
}

void doors_adopt(struct doors *d, int fd) {
    struct address address;
    struct err e = ERR_INIT;
    struct door *door = d->n < LIMIT_LISTENERS ? mem_get_zero(sizeof *door) : NULL;
    if (!door) err_nomem(&e, "a listener");
    if (!door || !listen_address(fd, &address, &e) || !write_key(door->real, LIT("tcp"), &address, &e)) {
        log_warn("a socket of the service manager is not used: %s", e.text);
        close(fd);
        mem_put(door, sizeof *door);
        return;
    }
    door->fd = fd;
    d->all[d->n++] = door; /* asked for by nobody yet */
}

/* One that was adopted, for whatever it is asked now. */
static struct door **find_adopted(struct doors *d, const struct wish *w) {
    char key[KEY_MOST];
    if (!is_kind(w, "tcp") || !write_key(key, w->kind, &w->address, NULL)) return NULL;
    for (unsigned i = 0; i < d->n; i++)
        if (!d->all[i]->asked[0] && !strcmp(d->all[i]->real, key)) {
            memcpy(d->all[i]->asked, w->key, sizeof d->all[i]->asked);
            return &d->all[i];
        }
    return NULL;
}

int doors_open(struct doors *d, const struct val *args, struct val *address, struct err *e) {
    struct wish w;
    uint64_t mode = MODE;
    val_as_u64(val_get(args, LIT("mode")), &mode);
    if (!read_wish(d, args, &w, e)) return -1;
    struct door **kept = find_door(d, w.key);
    if (!kept) kept = find_adopted(d, &w);
    if (kept && !is_sound(&w, (*kept)->fd)) {
        log_warn("a kept listener was spoilt and is bound anew: %s", (*kept)->real);
        shut(d, kept);
        kept = NULL;
    }
    struct door *door = kept ? *kept : add_door(d, &w, (mode_t)mode, e);
    if (!door) return -1;
    *address = val_of_str(door->real + w.kind.len + 1);
    return door->fd;
}

bool doors_shut(struct doors *d, const struct val *args, struct err *e) {
    struct wish w;
    if (!read_wish(d, args, &w, e)) return false;
    struct door **kept = find_door(d, w.key);
    if (!kept) return err_set(e, ERR_NOT_FOUND, "nobody listens there: %s", w.key);
    if (is_kind(&w, "unix")) remove_unix(d, &w);
    shut(d, kept);
    return true;
}

void doors_release(struct doors *d) {
    while (d->n) shut(d, &d->all[0]);
}
