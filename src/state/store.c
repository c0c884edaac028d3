/* store.c - see store.h. */
#include "state/store.h"

#include "base/mem.h"

#include <errno.h>
#include <stdio.h>

#define PAGE LIMIT_DISK_LIST /* names asked at once */

/* --- asking --- */

struct val store_args(const struct store_disk *d, const char *name) {
    char path[LIMIT_DISK_PATH + 1];
    snprintf(path, sizeof path, "%s%s%s", d->folder, d->folder[0] && name[0] ? "/" : "", name);
    return VAL_MAP_OF({"root", val_of_str(d->root)}, {"path", val_of_str(path)});
}

void store_arg(struct val *args, const char *key, struct val value) {
    if (!val_set_str(args, key, value)) val_unref(args);
}

bool store_ask(const struct store_disk *d, struct call *c, const char *verb, struct val args, struct err *e) {
    if (val_is_none(&args)) return err_nomem(e, "asking the disk hand");
    if (port_up(d->port)) return call_start(c, d->port, verb, args, NULL, 0, 0, e);
    val_unref(&args);
    return err_set(e, ERR_NETWORK, "the disk hand is away");
}

bool store_rename(const struct store_disk *d, struct call *c, const char *from, const char *to, struct err *e) {
    struct val old = store_args(d, from), new = store_args(d, to);
    struct val args = VAL_MAP_OF({"root", val_of_str(d->root)}, {"from", val_ref(val_get(&old, LIT("path")))},
                                 {"to", val_ref(val_get(&new, LIT("path")))});
    val_unref(&old);
    val_unref(&new);
    return store_ask(d, c, "disk.rename", args, e);
}

bool store_lost(const struct err *e) {
    return e->code == ERR_NETWORK || e->code == ERR_CANCELLED;
}

/* --- what is there --- */

static void answered(struct call *c, struct call_answer *a);

static bool ask(struct store_reader *r, const char *verb, struct val args, struct err *e) {
    r->call = (struct call){.done = answered};
    return store_ask(r->disk, &r->call, verb, args, e);
}

static bool ask_list(struct store_reader *r, struct err *e) {
    struct val args = VAL_MAP_OF({"root", val_of_str(r->disk->root)}, {"most", val_of_u64(PAGE)});
    if (r->disk->folder[0]) store_arg(&args, "path", val_of_str(r->disk->folder));
    if (r->after[0]) store_arg(&args, "after", val_of_str(r->after));
    return ask(r, "disk.list", args, e);
}

static bool add_file(struct store_reader *r, const struct val *row, struct err *e) {
    struct slice name = val_as_text(val_at(row, 0));
    uint64_t size = 0;
    if (name.len >= STATE_NAME || val_is_true(val_at(row, 3)) || !val_as_u64(val_at(row, 1), &size)) return true;
    if (r->file_n == LIMIT_STATE_FILES) return err_limit(e, "files", LIMIT_STATE_FILES, ERR_NOWHERE);
    if (r->file_n == r->file_cap) {
        size_t cap = r->file_cap ? r->file_cap * 2 : 32;
        struct recover_file *f = mem_grow(r->files, r->file_cap * sizeof *f, cap * sizeof *f);
        if (!f) return err_nomem(e, "the files of the state");
        r->files = f;
        r->file_cap = cap;
    }
    struct recover_file *f = &r->files[r->file_n++];
    memcpy(f->name, name.ptr, name.len);
    f->name[name.len] = 0;
    f->size = size;
    return true;
}

/* --- reading --- */

/* *over: all is read. */
static bool read_on(struct store_reader *r, bool *over, struct err *e) {
    if (recover_next(r->recover, &r->want) == RECOVER_READ) {
        struct val args = store_args(r->disk, r->want.name);
        store_arg(&args, "at", val_of_u64(r->want.at));
        store_arg(&args, "most", val_of_u64(r->want.len));
        return ask(r, "disk.read", args, e);
    }
    recover_take(r->recover, &r->result);
    *over = true;
    return true;
}

static bool take_list(struct store_reader *r, const struct val *result, bool *over, struct err *e) {
    const struct val *names = val_get(result, LIT("names"));
    for (struct val_iter it = val_iter(names); val_next(&it);)
        if (!add_file(r, it.value, e)) return false;
    size_t n = val_count(names);
    if (val_is_true(val_get(result, LIT("more"))) && n) {
        struct slice last = val_as_text(val_at(val_at(names, n - 1), 0));
        snprintf(r->after, sizeof r->after, "%.*s", (int)last.len, (const char *)last.ptr); /* names are shorter */
        return ask_list(r, e);
    }
    r->listed = true;
    r->recover = recover_new(r->config, r->files, r->file_n, e);
    return r->recover && read_on(r, over, e);
}

static bool take_bytes(struct store_reader *r, struct call_answer *a, bool *over, struct err *e) {
    struct slice bytes = val_as_bytes(val_get(&a->result, LIT("bytes")));
    r->bytes += bytes.len;
    if (a->err.code == ERR_NONE) return recover_feed(r->recover, bytes, e) && read_on(r, over, e);
    /* Who may not read a file, or has no descriptor left, says nothing about the file. */
    int os = a->err.os;
    bool ours = a->err.code == ERR_NOMEM || os == EACCES || os == EPERM || os == EMFILE || os == ENFILE || os == ENOMEM;
    if (!store_lost(&a->err) && !ours) return recover_unreadable(r->recover, &a->err, e) && read_on(r, over, e);
    *e = a->err;
    return false;
}

static void answered(struct call *c, struct call_answer *a) {
    struct store_reader *r = LOOP_OWNER(struct store_reader, call, c);
    struct err e = a->err;
    bool over = false, good;
    if (r->listed)
        good = take_bytes(r, a, &over, &e);
    else
        good = e.code == ERR_NONE && take_list(r, &a->result, &over, &e);
    if (!good || over) r->done(r, good ? NULL : &e);
}

bool store_read(struct store_reader *r, struct store_disk *disk, const struct recover_config *config, struct err *e) {
    void (*done)(struct store_reader *, const struct err *) = r->done;
    *r = (struct store_reader){.done = done, .disk = disk, .config = config};
    return ask_list(r, e);
}

void store_read_stop(struct store_reader *r) {
    call_cancel(&r->call);
    recover_free(r->recover);
    r->recover = NULL;
    mem_put(r->files, r->file_cap * sizeof *r->files);
    r->files = NULL;
    r->file_n = r->file_cap = 0;
}
