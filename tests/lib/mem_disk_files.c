/* mem_disk_files.c - the files and names of the disk in memory, in the kernel's cache and on the disk; see mem_disk.h. */
#include "lib/mem_disk_room.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

void *mem_disk_get(void *old, size_t size) {
    void *p = realloc(old, size ? size : 1);
    if (!p) abort();
    return p;
}

/* The usual splitting of a counter into well-mixed words. */
uint64_t mem_disk_draw(uint64_t *seed) {
    uint64_t z = *seed += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* --- files --- */

struct mem_file *mem_file_make(struct mem_disk *d, bool folder) {
    struct mem_file *f = mem_disk_get(NULL, sizeof *f);
    *f = (struct mem_file){.folder = folder, .id = ++d->last_id};
    return f;
}

struct mem_file *mem_file_ref(struct mem_file *f) {
    f->refs++;
    return f;
}

void mem_file_unref(struct mem_file *f) {
    if (--f->refs) return;
    free(f->cache);
    free(f->disk);
    free(f->dirty);
    free(f);
}

static size_t sectors(size_t len) {
    return (len + MEM_SECTOR - 1) / MEM_SECTOR;
}

static void file_reserve(struct mem_file *f, size_t len) {
    size_t cap = sectors(len) * MEM_SECTOR;
    if (cap <= f->cap) return;
    f->cache = mem_disk_get(f->cache, cap);
    f->disk = mem_disk_get(f->disk, cap);
    f->dirty = mem_disk_get(f->dirty, cap / MEM_SECTOR);
    memset(f->cache + f->cap, 0, cap - f->cap);
    memset(f->disk + f->cap, 0, cap - f->cap);
    memset(f->dirty + f->cap / MEM_SECTOR, 0, (cap - f->cap) / MEM_SECTOR);
    f->cap = cap;
}

void mem_file_write(struct mem_file *f, size_t at, struct slice bytes) {
    if (!bytes.len) return;
    size_t end = at + bytes.len;
    file_reserve(f, end);
    memcpy(f->cache + at, bytes.ptr, bytes.len);
    for (size_t i = at / MEM_SECTOR; i < sectors(end); i++) f->dirty[i] = 1;
    if (end > f->cache_len) f->cache_len = end;
}

static void sector_lands(struct mem_file *f, size_t i) {
    memcpy(f->disk + i * MEM_SECTOR, f->cache + i * MEM_SECTOR, MEM_SECTOR);
    f->dirty[i] = 0;
}

void mem_file_sync(struct mem_file *f) {
    for (size_t i = 0; i < f->cap / MEM_SECTOR; i++)
        if (f->dirty[i]) sector_lands(f, i);
    f->disk_len = f->cache_len;
}

/* Some of it is on the disk, the rest never will be. */
void mem_file_sync_fails(struct mem_file *f, uint64_t *seed) {
    for (size_t i = 0; i < f->cap / MEM_SECTOR; i++) {
        if (!f->dirty[i]) continue;
        if (mem_disk_draw(seed) & 1) {
            sector_lands(f, i);
            size_t end = (i + 1) * MEM_SECTOR < f->cache_len ? (i + 1) * MEM_SECTOR : f->cache_len;
            if (end > f->disk_len) f->disk_len = end;
        }
        f->dirty[i] = 0;
    }
}

/* --- names --- */

static size_t names_place(const struct mem_names *names, const char *path, bool *there) {
    size_t low = 0, high = names->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strcmp(names->list[middle].path, path) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *there = low < names->n && !strcmp(names->list[low].path, path);
    return low;
}

struct mem_file *mem_names_find(const struct mem_names *names, const char *path) {
    bool there;
    size_t i = names_place(names, path, &there);
    return there ? names->list[i].file : NULL;
}

static void names_drop(struct mem_names *names, const char *path) {
    bool there;
    size_t i = names_place(names, path, &there);
    if (!there) return;
    mem_file_unref(names->list[i].file);
    memmove(names->list + i, names->list + i + 1, (--names->n - i) * sizeof *names->list);
}

static void names_put(struct mem_names *names, const char *path, struct mem_file *file) {
    mem_file_ref(file);
    names_drop(names, path);
    bool there;
    size_t i = names_place(names, path, &there);
    if (names->n == names->cap) {
        names->cap = names->cap ? names->cap * 2 : 16;
        names->list = mem_disk_get(names->list, names->cap * sizeof *names->list);
    }
    memmove(names->list + i + 1, names->list + i, (names->n++ - i) * sizeof *names->list);
    names->list[i].file = file;
    snprintf(names->list[i].path, sizeof names->list[i].path, "%s", path);
}

void mem_names_release(struct mem_names *names) {
    for (size_t i = 0; i < names->n; i++) mem_file_unref(names->list[i].file);
    free(names->list);
}

static void apply(struct mem_names *names, const struct mem_change *c) {
    if (c->from[0]) names_drop(names, c->from);
    if (c->to[0]) names_put(names, c->to, c->file);
}

/* In the cache at once. */
void mem_disk_change_name(struct mem_disk *d, const char *from, const char *to, struct mem_file *file) {
    if (d->change_n == d->change_cap) {
        d->change_cap = d->change_cap ? d->change_cap * 2 : 8;
        d->changes = mem_disk_get(d->changes, d->change_cap * sizeof *d->changes);
    }
    struct mem_change *c = &d->changes[d->change_n++];
    *c = (struct mem_change){.file = mem_file_ref(file)};
    snprintf(c->from, sizeof c->from, "%s", from);
    snprintf(c->to, sizeof c->to, "%s", to);
    apply(&d->cache, c);
}

/* The part of a path before its last slash. */
struct slice mem_folder_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slice_of(path, slash ? (size_t)(slash - path) : 0);
}

void mem_disk_land(struct mem_disk *d, struct slice folder) {
    size_t kept = 0;
    for (size_t i = 0; i < d->change_n; i++) {
        struct mem_change *c = &d->changes[i];
        if (slice_eq(mem_folder_of(c->to[0] ? c->to : c->from), folder)) {
            apply(&d->disk, c);
            mem_file_unref(c->file);
        } else
            d->changes[kept++] = *c;
    }
    d->change_n = kept;
}

/* The parent must be there. */
bool mem_disk_has_parent(const struct mem_disk *d, const char *path, struct err *e) {
    char folder[LIMIT_DISK_PATH + 8];
    struct slice s = mem_folder_of(path);
    if (!s.len) return true;
    memcpy(folder, s.ptr, s.len);
    folder[s.len] = 0;
    const struct mem_file *f = mem_names_find(&d->cache, folder);
    if (f && f->folder) return true;
    return err_os(e, ERR_NOT_FOUND, ENOENT, "opening %s", folder);
}

/* --- a power cut --- */

enum { CUT_NEVER, CUT_ALWAYS, CUT_BY_CHANCE };

static bool survives(unsigned how, uint64_t *seed) {
    return how == CUT_ALWAYS || (how == CUT_BY_CHANCE && (mem_disk_draw(seed) & 1));
}

static struct mem_file *file_cut(struct mem_disk *to, const struct mem_file *f, unsigned how, uint64_t *seed) {
    struct mem_file *n = mem_file_make(to, f->folder);
    size_t len = f->disk_len;
    file_reserve(n, f->cap);
    if (f->cap) memcpy(n->cache, f->disk, f->cap);
    for (size_t i = 0; i < f->cap / MEM_SECTOR; i++) {
        if (!f->dirty[i] || !survives(how, seed)) continue;
        memcpy(n->cache + i * MEM_SECTOR, f->cache + i * MEM_SECTOR, MEM_SECTOR);
        size_t end = (i + 1) * MEM_SECTOR < f->cache_len ? (i + 1) * MEM_SECTOR : f->cache_len;
        if (end > len) len = end;
    }
    if (f->cache_len > len && survives(how, seed)) len = f->cache_len;
    n->cache_len = n->disk_len = len;
    if (n->cap > len) memset(n->cache + len, 0, n->cap - len);
    if (n->cap) memcpy(n->disk, n->cache, n->cap);
    return n;
}

struct mem_disk *mem_disk_cut(const struct mem_disk *d, uint64_t seed) {
    unsigned how = seed == MEM_CUT_NOTHING ? CUT_NEVER : seed == MEM_CUT_ALL ? CUT_ALWAYS : CUT_BY_CHANCE;
    struct mem_disk *to = mem_disk_new();
    struct mem_names names = {0};
    to->capacity = d->capacity;
    to->seed = seed + 1;
    for (size_t i = 0; i < d->disk.n; i++) names_put(&names, d->disk.list[i].path, d->disk.list[i].file);
    size_t first = how == CUT_ALWAYS  ? d->change_n
                   : how == CUT_NEVER ? 0
                                      : (size_t)(mem_disk_draw(&seed) % (d->change_n + 1));
    for (size_t i = 0; i < first; i++) apply(&names, &d->changes[i]);
    for (size_t i = 0; i < names.n; i++) { /* in order: a folder stands before what is in it */
        const struct mem_name *n = &names.list[i];
        if (!mem_disk_has_parent(to, n->path, NULL)) continue;
        struct mem_file *f = file_cut(to, n->file, how, &seed);
        names_put(&to->cache, n->path, f);
        names_put(&to->disk, n->path, f);
    }
    mem_names_release(&names);
    return to;
}

/* --- its files --- */

const char *mem_disk_name(const struct mem_disk *d, size_t i) {
    for (size_t k = 0; k < d->cache.n; k++)
        if (!d->cache.list[k].file->folder && i-- == 0) return d->cache.list[k].path;
    return NULL;
}

struct slice mem_disk_bytes(const struct mem_disk *d, const char *path) {
    const struct mem_file *f = mem_names_find(&d->cache, path);
    if (!f) return slice_of(NULL, 0);
    return f->cache_len ? slice_of(f->cache, f->cache_len) : slice_of("", 0);
}

uint64_t mem_disk_used(const struct mem_disk *d) {
    uint64_t used = 0;
    for (size_t i = 0; i < d->cache.n; i++) used += d->cache.list[i].file->cache_len;
    return used;
}

void mem_disk_flip(struct mem_disk *d, const char *path, uint64_t at, uint8_t mask) {
    struct mem_file *f = mem_names_find(&d->cache, path);
    if (!f || at >= f->cache_len) return;
    f->cache[at] ^= mask;
    f->disk[at] ^= mask;
}

void mem_disk_shorten(struct mem_disk *d, const char *path, uint64_t len) {
    struct mem_file *f = mem_names_find(&d->cache, path);
    if (!f || len >= f->cache_len) return;
    memset(f->cache + len, 0, f->cache_len - (size_t)len);
    memset(f->disk + len, 0, f->cap - (size_t)len);
    f->cache_len = f->disk_len = (size_t)len;
}

void mem_disk_remove(struct mem_disk *d, const char *path) {
    names_drop(&d->cache, path);
    names_drop(&d->disk, path);
}
