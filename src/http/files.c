/* files.c - which file is meant, and getting it into memory; see files.h. Answers are made in files_answer.c. */
#include "http/files_room.h"

#include "base/log.h"
#include "base/must.h"
#include "base/utf8.h"
#include "protocols/etag.h"
#include "protocols/negotiate.h"
#include "protocols/url.h"

#include <errno.h>
#include <stdio.h>

#define PATH_MOST       1024
#define CONDITIONS_MOST 8192 /* bytes of conditions, ranges and query that are kept while a file is read */

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
    must(!e->waits && !e->tabled);
    unlist(e);
    loop_timer_clear(&e->timer);
    call_cancel(&e->call);
    pump_stop(&e->pump);
    buf_release(&e->got);
    e->files->counts.files--;
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
    if (!e->tabled) return;
    struct files_entry **at = &e->files->bucket[hash(shared_slice(e->path))];
    while (*at != e) at = &(*at)->chain;
    *at = e->chain;
    e->tabled = false;
}

static bool is_ready(const struct files_entry *e) {
    return e->state == FILES_HERE || e->state == FILES_BIG;
}

/* One that is still being read is read to its end for those who wait already, and not kept. */
void files_drop(struct files_entry *e) {
    untable(e);
    if (is_ready(e)) free_entry(e);
}

static void make_room(struct http_files *f) {
    struct files_entry *e = f->oldest;
    while (e && (f->counts.bytes > LIMIT_HTTP_CACHE || f->counts.files > LIMIT_HTTP_CACHED_FILES)) {
        struct files_entry *next = e->newer;
        if (is_ready(e)) files_drop(e);
        e = next;
    }
}

void http_files_forget(struct http_files *f) {
    for (struct files_entry *e = f->oldest, *next; e; e = next) {
        next = e->newer;
        files_drop(e);
    }
}

static void look(struct files_entry *e);

/* --- reading a file in --- */

/* What clients hear of it: what may not be read is not there, and what the disk hand cannot do now it may do later. */
void files_hide(struct err *e) {
    bool hidden = e->code == ERR_NOT_FOUND || e->code == ERR_INVALID || e->code == ERR_AUTHORIZATION ||
                  e->os == EACCES || e->os == EPERM || e->os == ELOOP || e->os == ENOTDIR || e->os == ENAMETOOLONG ||
                  e->os == EXDEV || e->os == ENXIO;
    if (hidden) {
        *e = (struct err){.code = ERR_NOT_FOUND, .at = ERR_NOWHERE};
        snprintf(e->text, sizeof e->text, "there is nothing here");
    } else if (e->code == ERR_LIMIT || e->code == ERR_NOMEM || e->code == ERR_NETWORK || e->code == ERR_CANCELLED)
        err_status(e, 503);
    else if (e->code == ERR_FILESYSTEM) { /* paths of the disk are nobody's business */
        log_warn("a file could not be served: %s", log_text(slice_str(e->text)));
        snprintf(e->text, sizeof e->text, "the disk could not be read");
    }
}

static bool fall_back(struct http_exchange *x, struct files_ask *ask);

/* Those who wait hear of it; the entry is theirs no more. */
static void answer_all(struct files_entry *e, const struct err *why) {
    while (e->waits) {
        struct files_wait *w = e->waits;
        struct http_exchange *x = w->x;
        e->waits = w->next;
        if (w->next) w->next->prev = NULL;
        w->ask->entry = NULL;
        if (!why) {
            files_answer(x, w->ask, e);
            continue;
        }
        if (why->code == ERR_NOT_FOUND && fall_back(x, w->ask)) continue;
        *http_mine(x) = NULL;
        files_ask_free(w->ask);
        http_reply_error(x, why);
    }
}

static void give_up(struct files_entry *e, const struct err *why) {
    struct err told = *why;
    files_hide(&told);
    untable(e);
    answer_all(e, &told);
    free_entry(e);
}

static void be_late(struct loop_timer *t) {
    struct files_entry *e = LOOP_OWNER(struct files_entry, timer, t);
    struct http_files *f = e->files;
    struct err why = ERR_INIT;
    err_set(&why, ERR_TIMEOUT, "the disk did not answer in time");
    give_up(e, &why);
    files_watch_late(f); /* the watch may be what did not come */
    files_look_again(f);
}

void files_look_again(struct http_files *f) {
    for (struct files_entry *e = f->oldest, *next; e; e = next) {
        next = e->newer;
        if (e->state == FILES_LOOKING && !call_is_open(&e->call)) look(e);
    }
}

/* The file is known, and in memory if it is small. */
static void settle(struct files_entry *e) {
    struct http_files *f = e->files;
    loop_timer_clear(&e->timer);
    if (!files_is_watched(e)) untable(e);
    f->counts.loads++;
    bool keep = e->tabled;
    e->state = FILES_READING; /* whoever drops it while all are answered leaves it to us */
    answer_all(e, NULL);
    e->state = e->body[FILES_PLAIN] ? FILES_HERE : FILES_BIG;
    if (keep && e->tabled)
        make_room(f);
    else {
        untable(e);
        free_entry(e);
    }
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
    while ((type < 0 || types[type].text) && e->reading + 1 < FILES_CODE_N)
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
    if (!files_watch(e)) return;
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
    e->folder = files_folder_of(f, path);
    e->timer = (struct loop_timer){.call = be_late, .name = "files"};
    if (!loop_timer_set(f->loop, &e->timer, loop_now_ms(f->loop) + LIMIT_HTTP_DISK_MS)) {
        shared_unref(e->path);
        mem_put(e, sizeof *e);
        return NULL;
    }
    e->tabled = true;
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
    buf_init(&text, PATH_MOST + CONDITIONS_MOST);
    struct files_ask a = {.files = f, .folder = folder};
    buf_add(&text, path);
    a.path = slice_of(NULL, path.len);
    size_t at[5];
    at[0] = text.len;
    a.has_if_match = add_list(&text, head, LIT("if-match"));
    at[1] = text.len;
    a.has_if_none_match = add_list(&text, head, LIT("if-none-match"));
    at[2] = text.len;
    a.has_if_range = add_field(&text, head, LIT("if-range"));
    at[3] = text.len;
    a.has_range = head->method == HTTP1_METHOD_GET && add_field(&text, head, LIT("range"));
    at[4] = text.len;
    buf_add(&text, head->query);
    a.query.len = head->query.len;
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
        ask->range = slice_of(ask->text + at[3], at[4] - at[3]);
        ask->query.ptr = ask->text + at[4];
    }
    buf_release(&text);
    return ask;
}

void files_ask_free(struct files_ask *ask) {
    struct files_wait *w = &ask->wait;
    if (ask->entry) {
        *(w->prev ? &w->prev->next : &ask->entry->waits) = w->next;
        if (w->next) w->next->prev = w->prev;
    }
    files_send_stop(ask->send);
    mem_put(ask, ask->size);
}

static void join(struct http_exchange *x, struct files_ask *ask, struct files_entry *entry) {
    ask->wait = (struct files_wait){.x = x, .ask = ask, .next = entry->waits};
    if (entry->waits) entry->waits->prev = &ask->wait;
    ask->entry = entry;
    entry->waits = &ask->wait;
    if (entry->state == FILES_LOOKING && !call_is_open(&entry->call)) look(entry);
}

bool files_again(struct http_exchange *x, struct files_ask *ask) {
    struct http_files *f = ask->files;
    struct files_entry *old = find_entry(f, ask->path);
    if (ask->again) return false;
    ask->again = true;
    if (old) files_drop(old);
    struct files_entry *entry = find_entry(f, ask->path);
    if (!entry) entry = make_entry(f, ask->path);
    if (entry) join(x, ask, entry);
    return entry != NULL;
}

/* True: the page that makes its own paths answers, now or when it is read. */
static bool fall_back(struct http_exchange *x, struct files_ask *ask) {
    struct http_files *f = ask->files;
    struct slice page = LIT("index.html"), last = ask->path;
    for (struct slice rest = ask->path; rest.len;) last = slice_cut(&rest, '/');
    bool is_file = !ask->folder && slice_find(last, '.') < last.len;
    if (!f->one_page || ask->fallen || is_file || slice_eq(ask->path, page)) return false;
    struct files_entry *entry = find_entry(f, page);
    if (!entry && (entry = make_entry(f, page)) == NULL) return false;
    ask->fallen = true;
    ask->path = page;
    if (is_ready(entry))
        files_answer(x, ask, entry);
    else
        join(x, ask, entry);
    return true;
}

/* The name beneath the root, in `path`. */
static bool find_name(const struct http_request *r, struct buf *path, bool *folder, struct err *e) {
    buf_init(path, PATH_MOST);
    bool good = r->head->path.len <= (size_t)3 * PATH_MOST && url_file_path(path, r->head->path, e);
    *folder = path->len <= 1 || path->ptr[path->len - 1] == '/';
    if (good && *folder) buf_add(path, LIT("index.html"));
    if (path->fault == BUF_OVER || r->head->path.len > (size_t)3 * PATH_MOST)
        return err_status((err_limit(e, "path", PATH_MOST, ERR_NOWHERE), e), 414);
    if (!good) return false;
    if (!buf_ok(path)) return err_nomem(e, "the path");
    if (!utf8_ok(buf_slice(path)) || is_hidden(buf_slice(path)))
        return err_set(e, ERR_NOT_FOUND, "there is nothing here");
    return true;
}

static void begin(struct http_exchange *x, const struct http_request *r) {
    struct http_files *f = http_arg(x);
    struct err e = ERR_INIT;
    struct buf path;
    struct files_entry *entry = NULL;
    struct files_ask *ask = NULL;
    bool folder;
    files_hear(f);
    if (find_name(r, &path, &folder, &e)) {
        struct slice name = slice_skip(buf_slice(&path), 1);
        if (!(ask = make_ask(f, name, folder, r->head)))
            err_nomem(&e, "a request");
        else if ((entry = find_entry(f, name)) == NULL && (entry = make_entry(f, name)) == NULL)
            err_nomem(&e, "a file");
    }
    buf_release(&path);
    if (!ask || !entry) {
        if (ask) files_ask_free(ask);
        http_reply_error(x, &e);
        return;
    }
    *http_mine(x) = ask;
    if (!is_ready(entry)) {
        join(x, ask, entry);
        return;
    }
    f->counts.hits++;
    if (f->newest != entry) {
        unlist(entry);
        list_newest(entry);
    }
    files_answer(x, ask, entry);
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

void http_files_one_page(struct http_files *f) {
    f->one_page = true;
}

void http_files_free(struct http_files *f) {
    if (!f) return;
    while (f->oldest) {
        struct files_entry *e = f->oldest;
        untable(e);
        free_entry(e);
    }
    files_watch_end(f);
    mem_put(f, sizeof *f);
}

void http_files_restart(struct http_files *f) {
    files_watch_end(f);
}

struct http_files_counts http_files_counts(const struct http_files *f) {
    return f->counts;
}
