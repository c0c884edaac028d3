/* files.c - which file is meant, and getting it into memory; see files.h. Answers are made in files_answer.c. */
#include "http/files_room.h"

#include "base/must.h"
#include "protocols/etag.h"
#include "protocols/negotiate.h"
#include "protocols/url.h"

#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

#define FOLDERS_MOST 512
#define PATH_MOST    1024

static const struct slice code_names[FILES_CODE_N] = {LIT_INIT("identity"), LIT_INIT("br"), LIT_INIT("gzip")};
static const char *const code_ends[FILES_CODE_N] = {"", ".br", ".gz"};

/* --- types --- */

static const struct {
    const char *end, *type;
    bool text; /* worth a look for a compressed form */
} types[] = {
    {".html", "text/html; charset=utf-8", true},
    {".js", "text/javascript; charset=utf-8", true},
    {".css", "text/css; charset=utf-8", true},
    {".json", "application/json", true},
    {".svg", "image/svg+xml", true},
    {".txt", "text/plain; charset=utf-8", true},
    {".md", "text/plain; charset=utf-8", true},
    {".png", "image/png", false},
    {".jpg", "image/jpeg", false},
    {".jpeg", "image/jpeg", false},
    {".webp", "image/webp", false},
    {".avif", "image/avif", false},
    {".gif", "image/gif", false},
    {".ico", "image/x-icon", true},
    {".woff2", "font/woff2", false},
    {".woff", "font/woff", false},
    {".ttf", "font/ttf", true},
    {".mjs", "text/javascript; charset=utf-8", true},
    {".htm", "text/html; charset=utf-8", true},
    {".xml", "application/xml", true},
    {".map", "application/json", true},
    {".webmanifest", "application/manifest+json", true},
    {".wasm", "application/wasm", true},
    {".csv", "text/csv; charset=utf-8", true},
    {".yaml", "application/yaml", true},
    {".log", "text/plain; charset=utf-8", true},
    {".pdf", "application/pdf", false},
    {".mp4", "video/mp4", false},
    {".webm", "video/webm", false},
    {".mp3", "audio/mpeg", false},
    {".ogg", "audio/ogg", false},
    {".flac", "audio/flac", false},
    {".zip", "application/zip", false},
    {".gz", "application/gzip", false},
    {".crt", "application/x-x509-ca-cert", false},
    {".mobileconfig", "application/x-apple-aspen-config", true},
};

static int find_type(struct slice name) {
    for (unsigned i = 0; i < sizeof types / sizeof types[0]; i++) {
        struct slice end = slice_str(types[i].end);
        if (name.len > end.len && slice_eq_nocase(slice_skip(name, name.len - end.len), end)) return (int)i;
    }
    return -1;
}

struct slice http_files_type(struct slice name) {
    int i = find_type(name);
    return i < 0 ? LIT("application/octet-stream") : slice_str(types[i].type);
}

/* --- the table --- */

static unsigned hash(struct slice path) {
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < path.len; i++) h = (h ^ path.ptr[i]) * 16777619u;
    return (h ^ h >> 15) % FILES_BUCKETS;
}

static struct files_entry *find_entry(struct http_files *f, struct slice path) {
    for (struct files_entry *e = f->bucket[hash(path)]; e; e = e->chain)
        if (slice_eq(shared_slice(e->path), path)) return e;
    return NULL;
}

static void unlist(struct files_entry *e) {
    struct http_files *f = e->files;
    *(e->older ? &e->older->newer : &f->oldest) = e->newer;
    *(e->newer ? &e->newer->older : &f->newest) = e->older;
}

static void list_newest(struct files_entry *e) {
    struct http_files *f = e->files;
    e->newer = NULL;
    e->older = f->newest;
    *(f->newest ? &f->newest->newer : &f->oldest) = e;
    f->newest = e;
}

static void free_entry(struct files_entry *e) {
    must(!e->waits);
    call_cancel(&e->call);
    pump_stop(&e->pump);
    buf_release(&e->got);
    for (int i = 0; i < FILES_CODE_N; i++) {
        if (!e->body[i]) continue;
        e->files->counts.bytes -= e->body[i]->len;
        shared_unref(e->body[i]);
    }
    shared_unref(e->path);
    mem_put(e, sizeof *e);
}

/* Out of the table: the next request looks at the disk. */
static void untable(struct files_entry *e) {
    if (e->state == FILES_DROPPED) return;
    struct files_entry **at = &e->files->bucket[hash(shared_slice(e->path))];
    while (*at != e) at = &(*at)->chain;
    *at = e->chain;
    unlist(e);
    e->files->counts.files--;
    e->state = FILES_DROPPED;
}

/* An entry that is still being read is read to its end for those who wait, and not kept. */
void files_drop(struct files_entry *e) {
    if (e->state == FILES_LOOKING || e->state == FILES_READING) {
        e->changed = true;
        return;
    }
    untable(e);
    free_entry(e);
}

static void make_room(struct http_files *f) {
    struct files_entry *e = f->oldest;
    while (e && (f->counts.bytes > LIMIT_HTTP_CACHE || f->counts.files > LIMIT_HTTP_CACHED_FILES)) {
        struct files_entry *next = e->newer;
        if (e->state == FILES_HERE || e->state == FILES_BIG) files_drop(e);
        e = next;
    }
}

void http_files_forget(struct http_files *f) {
    for (struct files_entry *e = f->oldest, *next; e; e = next) {
        next = e->newer;
        files_drop(e);
    }
}

/* --- watching --- */

static void hear_change(struct http_files *f, const struct inotify_event *ev) {
    for (struct files_entry *e = f->oldest, *next; e; e = next) {
        next = e->newer;
        if (ev->mask & IN_Q_OVERFLOW || (e->folder && e->folder->watch == (uint64_t)ev->wd)) files_drop(e);
    }
    /* The folder itself is gone, or another stands in its place. */
    if (!(ev->mask & (IN_IGNORED | IN_MOVE_SELF | IN_DELETE_SELF))) return;
    for (struct files_folder *d = f->folders; d; d = d->next)
        if (d->watch == (uint64_t)ev->wd) d->watch = 0;
}

static void read_changes(struct loop_fd *w, unsigned ready) {
    (void)ready;
    struct http_files *f = LOOP_OWNER(struct http_files, changes, w);
    uint8_t *buffer = loop_scratch(f->loop);
    ssize_t n = read(w->fd, buffer, LOOP_SCRATCH);
    for (size_t at = 0; n > 0 && at + sizeof(struct inotify_event) <= (size_t)n;) {
        const struct inotify_event *ev = (const struct inotify_event *)(const void *)(buffer + at);
        hear_change(f, ev);
        at += sizeof *ev + ev->len;
    }
}

static void look(struct files_entry *e);
static void give_up(struct files_entry *e, const struct err *why);

/* What cannot be watched (as a rule it is not there) is not remembered: names that clients make up must not fill the list. */
static void forget_folder(struct http_files *f, struct files_folder *d) {
    for (struct files_entry *e = f->oldest; e; e = e->newer)
        if (e->folder == d) e->folder = NULL;
    struct files_folder **at = &f->folders;
    while (*at != d) at = &(*at)->next;
    *at = d->next;
    f->folder_n--;
    shared_unref(d->path);
    mem_put(d, sizeof *d);
}

/* Everything waiting for this folder's watch goes on, with or without it. */
static void watched(struct call *c, struct call_answer *a) {
    struct http_files *f = LOOP_OWNER(struct http_files, watch_call, c);
    struct files_folder *d = f->watching;
    f->watching = NULL;
    uint64_t number = 0;
    if (a->err.code == ERR_NONE && val_as_u64(val_get(&a->result, LIT("watch")), &number)) d->watch = number;
    if (a->fd_n && !f->changes.loop) {
        struct err e = ERR_INIT;
        f->changes = (struct loop_fd){.call = read_changes, .name = "files.changes"};
        if (loop_fd_add(f->loop, &f->changes, a->fds[0], LOOP_READ, &e))
            a->fds[0] = -1;
        else
            d->watch = 0;
    }
    if (!d->watch) forget_folder(f, d);
    for (struct files_entry *e = f->oldest, *next; e; e = next) {
        next = e->newer;
        if (e->state == FILES_LOOKING && !call_is_open(&e->call)) look(e);
    }
}

static bool ask_watch(struct http_files *f, struct files_folder *d) {
    struct err e = ERR_INIT;
    struct slice path = shared_slice(d->path);
    struct val args = path.len ? VAL_MAP_OF({"root", val_of_str(f->root)}, {"path", val_of_text(path)})
                               : VAL_MAP_OF({"root", val_of_str(f->root)});
    f->watch_call.done = watched;
    f->watching = d;
    if (call_start(&f->watch_call, f->disk, "disk.watch", args, NULL, 0, 0, &e)) return true;
    f->watching = NULL;
    return false;
}

static struct files_folder *find_folder(struct http_files *f, struct slice path) {
    size_t end = path.len;
    while (end && path.ptr[end - 1] != '/') end--;
    struct slice folder = slice_head(path, end ? end - 1 : 0);
    for (struct files_folder *d = f->folders; d; d = d->next)
        if (slice_eq(shared_slice(d->path), folder)) return d;
    if (f->folder_n == FOLDERS_MOST) return NULL;
    struct files_folder *d = mem_get_zero(sizeof *d);
    if (!d || !(d->path = shared_new(folder))) {
        mem_put(d, sizeof *d);
        return NULL;
    }
    d->next = f->folders;
    f->folders = d;
    f->folder_n++;
    return d;
}

/* --- reading a file in --- */

static void answer_all(struct files_entry *e, const struct err *why) {
    while (e->waits) {
        struct files_wait *w = e->waits;
        e->waits = w->next;
        w->ask->entry = NULL;
        if (why)
            http_reply_error(w->x, why);
        else
            files_answer(w->x, w->ask, e);
        if (why) files_ask_free(w->ask);
    }
}

static void give_up(struct files_entry *e, const struct err *why) {
    untable(e);
    answer_all(e, why);
    free_entry(e);
}

/* The file is known, and in memory if it is small. */
static void settle(struct files_entry *e) {
    struct http_files *f = e->files;
    e->state = e->body[FILES_PLAIN] ? FILES_HERE : FILES_BIG;
    bool keep = e->folder && e->folder->watch && !e->changed;
    f->counts.loads++;
    if (!keep) untable(e);
    answer_all(e, NULL);
    if (keep)
        make_room(f);
    else
        free_entry(e);
}

static void make_tag(struct files_entry *e) {
    snprintf(e->tag, sizeof e->tag, "%llx-%llx-%llx", (unsigned long long)e->file.mtime_ns,
             (unsigned long long)e->file.size, (unsigned long long)e->file.id);
    e->second = e->file.mtime_ns / 1000000000;
    if (date_write(e->second, e->date)) return;
    e->second = 0;
    date_write(0, e->date);
}

static void read_next(struct files_entry *e);

static void pumped(struct pump *p, enum pump_event event) {
    struct files_entry *e = LOOP_OWNER(struct files_entry, pump, p);
    switch (event) {
    case PUMP_OPEN: break;
    case PUMP_DATA:
        buf_add(&e->got, pump_data(p));
        pump_eat(p, pump_data(p).len);
        break;
    case PUMP_DRAINED: break;
    case PUMP_DONE: {
        bool plain = e->reading == FILES_PLAIN;
        /* A compressed form that is older or larger than the file is of no use. */
        if (buf_ok(&e->got) && (plain || (p->file.mtime_ns >= e->file.mtime_ns && e->got.len < e->file.size)))
            e->body[e->reading] = shared_new(buf_slice(&e->got));
        if (plain) {
            e->file = p->file;
            make_tag(e);
        }
        if (e->body[e->reading]) e->files->counts.bytes += e->body[e->reading]->len;
        buf_release(&e->got);
        if (plain && (!e->body[FILES_PLAIN] || e->body[FILES_PLAIN]->len != e->file.size)) {
            struct err why = ERR_INIT;
            err_set(&why, ERR_FILESYSTEM, "the file changed while it was read, or there is no memory for it");
            err_status(&why, 503);
            give_up(e, &why);
            return;
        }
        read_next(e);
        break;
    }
    case PUMP_FAILED:
        buf_release(&e->got);
        if (e->reading == FILES_PLAIN)
            give_up(e, &p->err);
        else
            read_next(e);
        break;
    }
}

static bool read_form(struct files_entry *e, enum files_code code) {
    char name[PATH_MOST + 8];
    struct slice path = shared_slice(e->path);
    int n = snprintf(name, sizeof name, "%.*s%s", (int)path.len, (const char *)path.ptr, code_ends[code]);
    struct err why = ERR_INIT;
    e->reading = code;
    e->state = FILES_READING;
    e->pump = (struct pump){.call = pumped, .name = "files.read"};
    buf_init(&e->got, LIMIT_HTTP_CACHED_FILE);
    return pump_read(&e->pump, e->files->loop, e->files->disk, e->files->root, slice_of(name, (size_t)n), 0, UINT64_MAX,
                     &why);
}

static void read_next(struct files_entry *e) {
    int type = find_type(shared_slice(e->path));
    while (type >= 0 && types[type].text && e->reading + 1 < FILES_CODE_N)
        if (read_form(e, e->reading + 1)) return;
    settle(e);
}

static void looked(struct call *c, struct call_answer *a) {
    struct files_entry *e = LOOP_OWNER(struct files_entry, call, c);
    uint64_t size = 0, id = 0;
    int64_t mtime = 0;
    struct err why = a->err;
    if (why.code == ERR_NONE &&
        (!val_as_u64(val_get(&a->result, LIT("size")), &size) || !val_as_u64(val_get(&a->result, LIT("id")), &id) ||
         !val_as_i64(val_get(&a->result, LIT("mtime_ns")), &mtime)))
        err_set(&why, ERR_FILESYSTEM, "the disk hand gave no answer that can be used");
    if (why.code != ERR_NONE) {
        /* What may not be read is not there, as far as clients need to know. */
        if (why.code != ERR_NOMEM && why.code != ERR_NETWORK) why.code = ERR_NOT_FOUND;
        if (why.code == ERR_NOT_FOUND) snprintf(why.text, sizeof why.text, "there is nothing here");
        give_up(e, &why);
        return;
    }
    e->file = (struct pump_file){
        .size = size, .mtime_ns = mtime, .id = id, .folder = val_is_true(val_get(&a->result, LIT("folder")))};
    make_tag(e);
    if (e->file.folder || size > LIMIT_HTTP_CACHED_FILE)
        settle(e);
    else if (!read_form(e, FILES_PLAIN)) {
        err_nomem(&why, "a file");
        give_up(e, &why);
    }
}

/* Watches first, then looks, then reads: so nothing that changes behind the look goes unheard. */
static void look(struct files_entry *e) {
    struct http_files *f = e->files;
    struct files_folder *d = e->folder;
    if (d && !d->watch) {
        if (f->watching || ask_watch(f, d)) return;
        forget_folder(f, d);
    }
    struct err why = ERR_INIT;
    e->call.done = looked;
    struct val args = VAL_MAP_OF({"root", val_of_str(f->root)}, {"path", val_of_text(shared_slice(e->path))});
    if (!call_start(&e->call, f->disk, "disk.stat", args, NULL, 0, 0, &why)) give_up(e, &why);
}

static struct files_entry *make_entry(struct http_files *f, struct slice path) {
    struct files_entry *e = mem_get_zero(sizeof *e);
    if (!e || !(e->path = shared_new(path))) {
        mem_put(e, sizeof *e);
        return NULL;
    }
    e->files = f;
    e->type = http_files_type(path);
    e->folder = find_folder(f, path);
    struct files_entry **bucket = &f->bucket[hash(path)];
    e->chain = *bucket;
    *bucket = e;
    list_newest(e);
    f->counts.files++;
    return e;
}

/* --- requests --- */

static bool is_hidden(struct slice path) {
    while (path.len) {
        struct slice part = slice_cut(&path, '/');
        if (slice_starts(part, LIT(".")) && !slice_eq(part, LIT(".well-known"))) return true;
    }
    return false;
}

static bool add_list(struct buf *text, const struct http1_head *head, struct slice name) {
    struct http_list l = http_list_of(head->fields, head->field_n, name);
    bool any = false;
    for (struct slice part; http_list_next(&l, &part); any = true) {
        if (any) buf_add(text, LIT(","));
        buf_add(text, part);
    }
    return any;
}

static bool add_field(struct buf *text, const struct http1_head *head, struct slice name) {
    const struct http_field *field = http_field_find(head->fields, head->field_n, name);
    return field && buf_add(text, field->value);
}

static bool read_when(const struct http1_head *head, const char *name, int64_t *when) {
    const struct http_field *f = http_field_find(head->fields, head->field_n, slice_str(name));
    return f && date_read(f->value, INT64_MAX / 2, when);
}

static void read_accepted(struct files_ask *ask, const struct http1_head *head) {
    ask->accepts[FILES_PLAIN] = true;
    bool there = http_field_find(head->fields, head->field_n, LIT("accept-encoding")) != NULL;
    if (!there) return;
    for (int i = FILES_BR; i < FILES_CODE_N; i++)
        ask->accepts[i] = negotiate_encoding(http_list_of(head->fields, head->field_n, LIT("accept-encoding")), true,
                                             &code_names[i], 1) == 0;
}

/* The slices point into one text that is copied behind the ask. */
static struct files_ask *make_ask(struct http_files *f, struct slice path, bool folder, const struct http1_head *head) {
    struct buf text;
    buf_init(&text, LIMIT_HTTP1_HEAD);
    struct files_ask a = {.files = f, .folder = folder};
    buf_add(&text, path);
    a.path = slice_of(NULL, path.len);
    size_t at[4];
    at[0] = text.len;
    a.has_if_match = add_list(&text, head, LIT("if-match"));
    at[1] = text.len;
    a.has_if_none_match = add_list(&text, head, LIT("if-none-match"));
    at[2] = text.len;
    a.has_if_range = add_field(&text, head, LIT("if-range"));
    at[3] = text.len;
    a.has_range = add_field(&text, head, LIT("range"));
    a.has_if_modified = read_when(head, "if-modified-since", &a.if_modified);
    a.has_if_unmodified = read_when(head, "if-unmodified-since", &a.if_unmodified);
    read_accepted(&a, head);
    a.size = sizeof a + text.len;
    struct files_ask *ask = buf_ok(&text) ? mem_get(a.size) : NULL;
    if (ask) {
        *ask = a;
        if (text.len) memcpy(ask->text, text.ptr, text.len);
        ask->path.ptr = ask->text;
        ask->if_match = slice_of(ask->text + at[0], at[1] - at[0]);
        ask->if_none_match = slice_of(ask->text + at[1], at[2] - at[1]);
        ask->if_range = slice_of(ask->text + at[2], at[3] - at[2]);
        ask->range = slice_of(ask->text + at[3], text.len - at[3]);
    }
    buf_release(&text);
    return ask;
}

void files_ask_free(struct files_ask *ask) {
    if (ask->entry) {
        struct files_wait **at = &ask->entry->waits;
        while (*at != &ask->wait) at = &(*at)->next;
        *at = ask->wait.next;
    }
    files_send_stop(ask->send);
    mem_put(ask, ask->size);
}

static void begin(struct http_exchange *x, const struct http_request *r) {
    struct http_files *f = http_arg(x);
    struct err e = ERR_INIT;
    struct buf path;
    buf_init(&path, PATH_MOST);
    if (!url_file_path(&path, r->head->path, &e)) {
        buf_release(&path);
        http_reply_error(x, &e);
        return;
    }
    struct slice name = slice_skip(buf_slice(&path), 1);
    bool folder = !name.len || slice_ends(name, LIT("/"));
    if (folder) buf_add(&path, LIT("index.html"));
    name = slice_skip(buf_slice(&path), 1);
    struct files_entry *entry = NULL;
    struct files_ask *ask = NULL;
    if (!buf_ok(&path))
        err_status((err_limit(&e, "path", PATH_MOST, ERR_NOWHERE), &e), 414);
    else if (is_hidden(name))
        err_set(&e, ERR_NOT_FOUND, "there is nothing here");
    else if (!(ask = make_ask(f, name, folder, r->head)))
        err_nomem(&e, "a request");
    else if ((entry = find_entry(f, name)) == NULL && (entry = make_entry(f, name)) == NULL)
        err_nomem(&e, "a file");
    buf_release(&path);
    if (!ask || !entry) {
        if (ask) files_ask_free(ask);
        http_reply_error(x, &e);
        return;
    }
    *http_mine(x) = ask;
    if (entry->state == FILES_HERE || entry->state == FILES_BIG) {
        f->counts.hits++;
        if (f->newest != entry) {
            unlist(entry);
            list_newest(entry);
        }
        files_answer(x, ask, entry);
        return;
    }
    ask->wait = (struct files_wait){x, ask, entry->waits};
    ask->entry = entry;
    entry->waits = &ask->wait;
    if (entry->state == FILES_LOOKING && !call_is_open(&entry->call) && !entry->waits->next) look(entry);
}

static void drained(struct http_exchange *x) {
    struct files_ask *ask = *http_mine(x);
    if (ask && ask->send) files_send_drained(ask->send);
}

static void gone(struct http_exchange *x) {
    struct files_ask *ask = *http_mine(x);
    *http_mine(x) = NULL;
    if (ask) files_ask_free(ask);
}

const struct http_handler http_files_handler = {.name = "files", .begin = begin, .drained = drained, .gone = gone};

/* --- the whole --- */

struct http_files *http_files_new(struct loop *l, struct port *disk, const char *root, struct err *e) {
    struct http_files *f = mem_get_zero(sizeof *f);
    if (!f) {
        err_nomem(e, "the table of files");
        return NULL;
    }
    f->loop = l;
    f->disk = disk;
    f->root = root;
    return f;
}

void http_files_free(struct http_files *f) {
    if (!f) return;
    while (f->oldest) {
        struct files_entry *e = f->oldest;
        untable(e);
        free_entry(e);
    }
    call_cancel(&f->watch_call);
    while (f->folders) {
        struct files_folder *d = f->folders;
        f->folders = d->next;
        shared_unref(d->path);
        mem_put(d, sizeof *d);
    }
    if (f->changes.loop) {
        loop_fd_remove(&f->changes);
        close(f->changes.fd);
    }
    mem_put(f, sizeof *f);
}

struct http_files_counts http_files_counts(const struct http_files *f) {
    return f->counts;
}
