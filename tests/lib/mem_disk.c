/* mem_disk.c - what a kernel and a hand do with the disk in memory; its files are mem_disk_files.c. See mem_disk.h. */
#include "lib/mem_disk_room.h"
#include "warden/disk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

/* --- operations --- */

static bool fails(struct mem_disk *d, unsigned kind) {
    if (!d->fail_at || !(d->fail_kinds & kind)) return false;
    if (d->fail_at > 1) {
        d->fail_at--;
        return false;
    }
    if (--d->fail_times == 0) d->fail_at = 0;
    d->failed = true;
    return true;
}

/* One operation of the kernel. MEM_NONE: it is to be done; else the hand has died, or e says what the kernel does. */
static enum mem_disk_act begin(struct mem_hand *h, unsigned kind, struct err *e) {
    struct mem_disk *d = h->disk;
    if (d->each && kind != MEM_READ) d->each(d->each_arg, kind);
    d->ops += kind != MEM_READ;
    d->reads += kind == MEM_READ;
    enum mem_disk_act act = fails(d, kind) ? d->fail_act : MEM_NONE;
    if (act == MEM_SHORT && kind != MEM_WRITE) act = MEM_EIO;
    switch (act) {
    case MEM_NONE: break;
    case MEM_KILL_HAND: h->dead = true; break;
    case MEM_KILL_REACTOR: d->reactor_killed = true; return MEM_NONE;
    case MEM_POWER_CUT: d->cut = h->dead = true; break;
    case MEM_EIO: err_os(e, ERR_FILESYSTEM, EIO, "the disk in memory"); break;
    case MEM_ENOSPC:
    case MEM_SHORT: err_os(e, ERR_FILESYSTEM, ENOSPC, "the disk in memory"); break;
    }
    return act;
}

static bool sync_folder(struct mem_hand *h, const char *path, struct err *e) {
    if (begin(h, MEM_FOLDER_SYNC, e)) return false;
    mem_disk_land(h->disk, mem_folder_of(path));
    return true;
}

static bool sync_data(struct mem_hand *h, struct mem_file *f, struct err *e) {
    enum mem_disk_act act = begin(h, MEM_SYNC, e);
    if (act == MEM_EIO || act == MEM_ENOSPC) mem_file_sync_fails(f, &h->disk->seed);
    if (act) {
        err_context(e, "this file must not be trusted any more");
        return false;
    }
    mem_file_sync(f);
    return true;
}

static bool write_bytes(struct mem_hand *h, struct mem_file *f, uint64_t at, struct slice bytes, struct err *e) {
    struct mem_disk *d = h->disk;
    enum mem_disk_act act = begin(h, MEM_WRITE, e);
    uint64_t end = at + bytes.len, grows = end > f->cache_len ? end - f->cache_len : 0;
    if (!act && grows && mem_disk_used(d) + grows > d->capacity)
        return err_os(e, ERR_FILESYSTEM, ENOSPC, "the disk in memory");
    if (act == MEM_SHORT) bytes = slice_head(bytes, bytes.len / 2);
    if (!act || act == MEM_SHORT) mem_file_write(f, (size_t)at, bytes);
    return !act;
}

static struct mem_file *make_file(struct mem_hand *h, const char *path, bool folder, struct err *e) {
    if (!mem_disk_has_parent(h->disk, path, e) || begin(h, MEM_CREATE, e)) return NULL;
    struct mem_file *f = mem_file_make(h->disk, folder);
    mem_disk_change_name(h->disk, "", path, f);
    return f;
}

static struct mem_file *find_plain(const struct mem_disk *d, const char *path, struct err *e) {
    struct mem_file *f = mem_names_find(&d->cache, path);
    if (!f)
        err_os(e, ERR_NOT_FOUND, ENOENT, "opening %s", path);
    else if (f->folder) {
        err_set(e, ERR_INVALID, "%s is a folder, not a plain file", path);
        return NULL;
    }
    return f;
}

/* --- verbs; p is the path, checked by its row --- */

typedef bool act_fn(struct mem_hand *h, const char *p, struct obey_ask *ask, struct err *e);

static struct val describe(const struct mem_file *f) {
    return VAL_MAP_OF({"size", val_of_u64(f->folder ? 0 : f->cache_len)}, {"mtime_ns", val_of_u64(1)},
                      {"id", val_of_u64(f->id)}, {"folder", val_of_bool(f->folder)});
}

static bool do_stat(struct mem_hand *h, const char *p, struct obey_ask *ask, struct err *e) {
    const struct mem_file *f = mem_names_find(&h->disk->cache, p);
    if (!f) return err_os(e, ERR_NOT_FOUND, ENOENT, "opening %s", p);
    ask->result = describe(f);
    return true;
}

static bool do_read(struct mem_hand *h, const char *p, struct obey_ask *ask, struct err *e) {
    const struct mem_file *f = find_plain(h->disk, p, e);
    uint64_t most = 0, at = 0;
    if (!f || begin(h, MEM_READ, e)) return false;
    val_as_u64(val_get(ask->args, LIT("most")), &most);
    bool piece = val_as_u64(val_get(ask->args, LIT("at")), &at);
    if (!piece && f->cache_len > most) return err_limit(e, "file", most, ERR_NOWHERE);
    struct slice all = slice_of(f->cache, f->cache_len);
    if (at > all.len) at = all.len;
    ask->result = describe(f);
    val_set_str(&ask->result, "bytes", val_of_bytes(slice_head(slice_skip(all, (size_t)at), (size_t)most)));
    return true;
}

static void close_file(struct mem_hand *h, const struct mem_file *f) {
    for (unsigned i = 0; i < LIMIT_DISK_FILES; i++)
        if (h->opened[i] == f) h->opened[i] = NULL;
}

/* What is to be written, made when it is not there; its name is durable first. */
static struct mem_file *get_to_write(struct mem_hand *h, const char *p, struct err *e) {
    struct mem_disk *d = h->disk;
    struct mem_file *f = mem_names_find(&d->cache, p);
    if (f && !(f = find_plain(d, p, e))) return NULL;
    for (unsigned i = 0; f && i < LIMIT_DISK_FILES; i++)
        if (h->opened[i] == f) return f;
    bool made = !f;
    if (made) f = make_file(h, p, false, e);
    if (f && sync_folder(h, p, e)) {
        h->opened[h->opened_n++ % LIMIT_DISK_FILES] = f;
        return f;
    }
    if (!f || !made) return NULL;
    if (!h->dead && !begin(h, MEM_UNLINK, NULL)) mem_disk_change_name(d, p, "", f);
    return NULL;
}

static bool do_write(struct mem_hand *h, const char *p, struct obey_ask *ask, struct err *e) {
    uint64_t at = 0;
    val_as_u64(val_get(ask->args, LIT("at")), &at);
    struct mem_file *f = get_to_write(h, p, e);
    if (!f || !write_bytes(h, f, at, val_as_bytes(val_get(ask->args, LIT("bytes"))), e)) return false;
    return !val_is_true(val_get(ask->args, LIT("sync"))) || sync_data(h, f, e);
}

static bool do_sync(struct mem_hand *h, const char *p, struct obey_ask *ask, struct err *e) {
    (void)ask;
    struct mem_file *f = find_plain(h->disk, p, e);
    return f && sync_data(h, f, e);
}

static bool move(struct mem_hand *h, const char *from, const char *to, struct err *e) {
    struct mem_file *f = mem_names_find(&h->disk->cache, from);
    if (!mem_disk_has_parent(h->disk, to, e) || begin(h, MEM_RENAME, e)) return false;
    if (!f) return err_os(e, ERR_NOT_FOUND, ENOENT, "renaming it to %s", to);
    mem_disk_change_name(h->disk, from, to, f);
    close_file(h, f);
    if (!sync_folder(h, to, e)) return false;
    return slice_eq(mem_folder_of(from), mem_folder_of(to)) || sync_folder(h, from, e);
}

static bool do_replace(struct mem_hand *h, const char *p, struct obey_ask *ask, struct err *e) {
    char fresh[LIMIT_DISK_PATH + 8];
    snprintf(fresh, sizeof fresh, "%s.new", p);
    struct mem_file *f = make_file(h, fresh, false, e);
    return f && write_bytes(h, f, 0, val_as_bytes(val_get(ask->args, LIT("bytes"))), e) && sync_data(h, f, e) &&
           move(h, fresh, p, e);
}

static void copy_text(const struct val *args, const char *key, char *to) {
    struct slice s = val_as_text(val_get(args, slice_str(key)));
    memcpy(to, s.ptr, s.len);
    to[s.len] = 0;
}

static bool do_rename(struct mem_hand *h, const char *p, struct obey_ask *ask, struct err *e) {
    (void)p;
    char from[LIMIT_DISK_PATH + 8], to[LIMIT_DISK_PATH + 8];
    copy_text(ask->args, "from", from);
    copy_text(ask->args, "to", to);
    return move(h, from, to, e);
}

static bool do_remove(struct mem_hand *h, const char *p, struct obey_ask *ask, struct err *e) {
    (void)ask;
    struct mem_file *f = mem_names_find(&h->disk->cache, p);
    if (begin(h, MEM_UNLINK, e)) return false;
    if (f) {
        mem_disk_change_name(h->disk, p, "", f);
        close_file(h, f);
    }
    return sync_folder(h, p, e);
}

static bool do_folder(struct mem_hand *h, const char *p, struct obey_ask *ask, struct err *e) {
    (void)ask;
    char path[LIMIT_DISK_PATH + 8] = "";
    for (struct slice rest = slice_str(p); rest.len;) {
        struct slice name = slice_cut(&rest, '/');
        size_t len = strlen(path);
        snprintf(path + len, sizeof path - len, "%s%.*s", len ? "/" : "", (int)name.len, (const char *)name.ptr);
        const struct mem_file *f = mem_names_find(&h->disk->cache, path);
        if (f && !f->folder) return err_set(e, ERR_DUPLICATE, "%s is there already, and no folder", path);
        if ((!f && !make_file(h, path, true, e)) || !sync_folder(h, path, e)) return false;
    }
    return true;
}

static bool do_list(struct mem_hand *h, const char *p, struct obey_ask *ask, struct err *e) {
    const struct mem_names *all = &h->disk->cache;
    const struct mem_file *folder = p[0] ? mem_names_find(all, p) : NULL;
    if (p[0] && (!folder || !folder->folder)) return err_os(e, ERR_NOT_FOUND, ENOENT, "opening %s", p);
    if (begin(h, MEM_READ, e)) return false;
    struct slice after = val_as_text(val_get(ask->args, LIT("after")));
    uint64_t most = 0;
    bool more = false;
    val_as_u64(val_get(ask->args, LIT("most")), &most);
    struct val names = val_empty_array();
    for (size_t i = 0; i < all->n && !more; i++) {
        const struct mem_name *n = &all->list[i];
        if (!slice_eq(mem_folder_of(n->path), slice_str(p))) continue;
        struct slice base = slice_skip(slice_str(n->path), p[0] ? strlen(p) + 1 : 0);
        if (after.len && slice_cmp(base, after) <= 0) continue;
        more = val_count(&names) == most;
        if (!more)
            val_push(&names, VAL_ARRAY_OF(val_of_text(base), val_of_u64(n->file->folder ? 0 : n->file->cache_len),
                                          val_of_u64(1), val_of_bool(n->file->folder)));
    }
    ask->result = VAL_MAP_OF({"names", names}, {"more", val_of_bool(more)});
    return true;
}

static bool do_space(struct mem_hand *h, const char *p, struct obey_ask *ask, struct err *e) {
    (void)p, (void)e;
    uint64_t used = mem_disk_used(h->disk), all = h->disk->capacity;
    ask->result = VAL_MAP_OF({"total", val_of_u64(all)}, {"free", val_of_u64(all > used ? all - used : 0)});
    return true;
}

static bool do_lock(struct mem_hand *h, const char *p, struct obey_ask *ask, struct err *e) {
    (void)ask;
    struct mem_file *f = mem_names_find(&h->disk->cache, p);
    if (!f) f = make_file(h, p, false, e);
    if (!f) return false;
    if (f->lock && f->lock != h) return err_set(e, ERR_DUPLICATE, "%s is held by another process", p);
    f->lock = h;
    return true;
}

static const struct {
    const char *verb;
    act_fn *act;
} acts[] = {
    {"disk.stat", do_stat},       {"disk.read", do_read},     {"disk.write", do_write},   {"disk.sync", do_sync},
    {"disk.replace", do_replace}, {"disk.rename", do_rename}, {"disk.remove", do_remove}, {"disk.folder", do_folder},
    {"disk.list", do_list},       {"disk.space", do_space},   {"disk.lock", do_lock},
};

static bool act(struct obey *o, struct obey_ask *ask, struct err *e) {
    struct mem_hand *h = LOOP_OWNER(struct mem_hand, obey, o);
    char path[LIMIT_DISK_PATH + 8];
    struct err own = ERR_INIT;
    bool good = false, known = false;
    if (h->disk->cut) h->dead = true;
    if (h->dead) return ask->later = true;
    copy_text(ask->args, "path", path);
    if (!val_is_text(val_get(ask->args, LIT("root")), LIT("data")))
        return err_set(e, ERR_NOT_FOUND, "the disk in memory has the one root \"data\"");
    for (size_t i = 0; i < sizeof acts / sizeof acts[0] && !known; i++) {
        known = !strcmp(acts[i].verb, o->rows[ask->row].name);
        if (known) good = acts[i].act(h, path, ask, &own);
    }
    if (!known) err_set(&own, ERR_UNSUPPORTED, "the disk in memory cannot %s", o->rows[ask->row].name);
    if (h->dead) { /* nobody answers any more */
        val_unref(&ask->result);
        return ask->later = true;
    }
    if (good && val_is_none(&ask->result)) ask->result = val_empty_map();
    if (good) return true;
    err_context(&own, "data:%s", path);
    *e = own;
    return false;
}

/* --- hands --- */

bool mem_disk_connect(struct mem_disk *d, struct loop *reactor, struct port *port) {
    int fd[2];
    struct err e = ERR_INIT;
    if (!d->loop && !(d->loop = loop_new(&e))) return false;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd)) return false;
    struct mem_hand *h = mem_disk_get(NULL, sizeof *h);
    *h = (struct mem_hand){.disk = d, .next = d->hands, .obey = {.name = "memory disk", .act = act}};
    h->obey.rows = disk_rows(&h->obey.row_n);
    if (!obey_start(&h->obey, d->loop, fd[1], &e)) {
        free(h);
        port_start(port, reactor, fd[0], &e);
        return false;
    }
    d->hands = h;
    return port_start(port, reactor, fd[0], &e);
}

static void sweep(struct mem_disk *d, bool all) {
    for (struct mem_hand **at = &d->hands; *at;) {
        struct mem_hand *h = *at;
        if (!all && !h->dead && !d->cut && h->obey.link.fd.loop) {
            at = &h->next;
            continue;
        }
        obey_stop(&h->obey);
        for (size_t i = 0; i < d->cache.n; i++)
            if (d->cache.list[i].file->lock == h) d->cache.list[i].file->lock = NULL;
        *at = h->next;
        free(h);
    }
}

unsigned mem_disk_turn(struct mem_disk *d) {
    unsigned n = d->loop && d->hands ? loop_turn(d->loop, 0) : 0;
    sweep(d, false);
    return n;
}

unsigned mem_disk_hands(const struct mem_disk *d) {
    unsigned n = 0;
    for (const struct mem_hand *h = d->hands; h; h = h->next) n++;
    return n;
}

void mem_disk_kill_hands(struct mem_disk *d) {
    sweep(d, true);
}

/* --- the whole --- */

struct mem_disk *mem_disk_new(void) {
    struct mem_disk *d = mem_disk_get(NULL, sizeof *d);
    *d = (struct mem_disk){.capacity = UINT64_MAX, .seed = 1};
    return d;
}

void mem_disk_free(struct mem_disk *d) {
    if (!d) return;
    sweep(d, true);
    if (d->loop) loop_free(d->loop);
    for (size_t i = 0; i < d->change_n; i++) mem_file_unref(d->changes[i].file);
    free(d->changes);
    mem_names_release(&d->cache);
    mem_names_release(&d->disk);
    free(d);
}

void mem_disk_fail_at(struct mem_disk *d, uint64_t nth, enum mem_disk_act what, unsigned kinds, uint64_t times) {
    d->fail_at = nth;
    d->fail_act = what;
    d->fail_kinds = kinds;
    d->fail_times = times;
    d->failed = d->reactor_killed = false;
}

bool mem_disk_failed(const struct mem_disk *d) {
    return d->failed;
}
bool mem_disk_reactor_killed(const struct mem_disk *d) {
    return d->reactor_killed;
}
bool mem_disk_is_cut(const struct mem_disk *d) {
    return d->cut;
}
void mem_disk_capacity(struct mem_disk *d, uint64_t bytes) {
    d->capacity = bytes;
}
void mem_disk_seed(struct mem_disk *d, uint64_t seed) {
    d->seed = seed;
}
uint64_t mem_disk_ops(const struct mem_disk *d) {
    return d->ops;
}
uint64_t mem_disk_reads(const struct mem_disk *d) {
    return d->reads;
}
void mem_disk_each(struct mem_disk *d, void (*each)(void *arg, unsigned kind), void *arg) {
    d->each = each;
    d->each_arg = arg;
}
