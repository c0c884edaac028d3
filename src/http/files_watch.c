/* files_watch.c - hearing of changes: a file from memory is right as long as its folder, and every folder above it, is watched and
 * quiet. See files.h.
 *
 * The disk hand adds watches; the reactor reads the descriptor itself, and reads it before it answers from memory: what was
 * changed before a request was sent is heard by then. Anything about a folder (moved, removed, another in its place, other
 * rights) forgets everything and begins anew: it is rare, and paths may mean other folders now. */
#include "http/files_room.h"

#include <errno.h>
#include <sys/inotify.h>
#include <unistd.h>

/* A word to the disk hand that nobody waits for. */
struct parting {
    struct call call;
};

static void parted(struct call *c, struct call_answer *a) {
    (void)a;
    mem_put(LOOP_OWNER(struct parting, call, c), sizeof(struct parting));
}

/* Without memory the watch stays; there are only so many, and then folders are looked at with every request. */
static void unwatch(struct http_files *f, uint64_t watch) {
    struct parting *p = port_up(f->disk) ? mem_get_zero(sizeof *p) : NULL;
    if (!p) return;
    p->call.done = parted;
    if (!call_start(&p->call, f->disk, "disk.unwatch", VAL_MAP_OF({"watch", val_of_u64(watch)}), NULL, 0, 0, NULL))
        mem_put(p, sizeof *p);
}

static bool is_beneath(const struct files_folder *d, const struct files_folder *top) {
    for (; d; d = d->parent)
        if (d == top) return true;
    return false;
}

/* Takes a folder, and those beneath it, off the list. */
static void forget_folder(struct http_files *f, const struct files_folder *top) {
    for (struct files_entry *e = f->oldest; e; e = e->newer)
        if (is_beneath(e->folder, top)) e->folder = NULL;
    struct files_folder *gone = NULL;
    for (struct files_folder **at = &f->folders; *at;) {
        struct files_folder *d = *at;
        if (!is_beneath(d, top)) {
            at = &d->next;
            continue;
        }
        *at = d->next;
        d->next = gone;
        gone = d;
    }
    while (gone) {
        struct files_folder *d = gone;
        gone = d->next;
        if (d->watch) unwatch(f, d->watch);
        f->folder_n--;
        shared_unref(d->path);
        mem_put(d, sizeof *d);
    }
}

void files_watch_reset(struct http_files *f) {
    call_cancel(&f->watch_call);
    f->watching = NULL;
    for (struct files_folder *d = f->folders; d; d = d->next)
        if (!d->parent) { /* the root, and so all */
            forget_folder(f, d);
            break;
        }
    http_files_forget(f);
    files_look_again(f);
}

/* --- events --- */

void files_hear(struct http_files *f) {
    _Alignas(struct inotify_event) uint8_t buffer[8192]; /* not the scratch: a request may stand there */
    bool some = false, all = false;
    ssize_t n;
    while (f->changes.loop && (n = read(f->changes.fd, buffer, sizeof buffer)) > 0) {
        for (size_t at = 0; at + sizeof(struct inotify_event) <= (size_t)n;) {
            const struct inotify_event *ev = (const struct inotify_event *)(const void *)(buffer + at);
            at += sizeof *ev + ev->len;
            if (ev->mask & IN_Q_OVERFLOW) all = true;
            for (struct files_folder *d = f->folders; d; d = d->next) {
                if (d->watch != (uint64_t)ev->wd) continue;
                d->changed = some = true;
                all |= (ev->mask & (IN_ISDIR | IN_IGNORED | IN_UNMOUNT | IN_MOVE_SELF | IN_DELETE_SELF)) != 0;
                break;
            }
        }
    }
    if (all) {
        files_watch_reset(f);
        return;
    }
    if (!some) return;
    for (struct files_entry *e = f->oldest, *next; e; e = next) {
        next = e->newer;
        if (e->folder && e->folder->changed) files_drop(e);
    }
    for (struct files_folder *d = f->folders; d; d = d->next) d->changed = false;
}

static void heard(struct loop_fd *w, unsigned ready) {
    (void)ready;
    files_hear(LOOP_OWNER(struct http_files, changes, w));
}

void files_watch_end(struct http_files *f) {
    files_watch_reset(f);
    if (!f->changes.loop) return;
    loop_fd_remove(&f->changes);
    close(f->changes.fd);
}

/* --- asking for watches --- */

/* Whoever waits for this folder goes on, with or without its watch. */
static void watched(struct call *c, struct call_answer *a) {
    struct http_files *f = LOOP_OWNER(struct http_files, watch_call, c);
    struct files_folder *d = f->watching;
    uint64_t number = 0;
    int fd = call_answer_take_fd(a, 0);
    f->watching = NULL;
    if (a->err.code == ERR_NONE && val_as_u64(val_get(&a->result, LIT("watch")), &number)) d->watch = number;
    if (fd >= 0 && !f->changes.loop) {
        f->changes = (struct loop_fd){.call = heard, .name = "files.changes"};
        if (loop_fd_add(f->loop, &f->changes, fd, LOOP_READ, NULL)) fd = -1;
    }
    if (fd >= 0) close(fd);
    if (!f->changes.loop || !d->watch) forget_folder(f, d);
    files_look_again(f);
}

static bool ask(struct http_files *f, struct files_folder *d) {
    struct slice path = shared_slice(d->path);
    struct val args = path.len ? VAL_MAP_OF({"root", val_of_str(f->root)}, {"path", val_of_text(path)})
                               : VAL_MAP_OF({"root", val_of_str(f->root)});
    f->watch_call.done = watched;
    f->watching = d;
    if (call_start(&f->watch_call, f->disk, "disk.watch", args, NULL, 0, 0, NULL)) return true;
    f->watching = NULL;
    return false;
}

bool files_watch(struct files_entry *e) {
    struct http_files *f = e->files;
    for (;;) {
        struct files_folder *top =
            NULL; /* from the root down: what lies beneath a folder means nothing before it is watched */
        for (struct files_folder *d = e->folder; d; d = d->parent)
            if (!d->watch) top = d;
        if (!top) return true;
        if (f->watching || ask(f, top)) return false;
        forget_folder(f, top);
    }
}

bool files_is_watched(const struct files_entry *e) {
    for (const struct files_folder *d = e->folder; d; d = d->parent)
        if (!d->watch) return false;
    return e->folder != NULL;
}

void files_watch_late(struct http_files *f) {
    struct files_folder *d = f->watching;
    if (!d) return;
    call_cancel(&f->watch_call);
    f->watching = NULL;
    forget_folder(f, d);
}

struct files_folder *files_folder_of(struct http_files *f, struct slice path) {
    size_t end = path.len;
    while (end && path.ptr[end - 1] != '/') end--;
    struct slice folder = slice_head(path, end ? end - 1 : 0);
    for (struct files_folder *d = f->folders; d; d = d->next)
        if (slice_eq(shared_slice(d->path), folder)) return d;
    struct files_folder *parent = folder.len ? files_folder_of(f, folder) : NULL;
    if ((folder.len && !parent) || f->folder_n >= LIMIT_HTTP_FOLDERS) return NULL;
    struct files_folder *d = mem_get_zero(sizeof *d);
    if (!d || !(d->path = shared_new(folder))) {
        mem_put(d, sizeof *d);
        return NULL;
    }
    d->parent = parent;
    d->next = f->folders;
    f->folders = d;
    f->folder_n++;
    return d;
}
