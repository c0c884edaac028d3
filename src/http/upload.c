/* upload.c - see upload.h. */
#include "http/upload.h"

#include "base/hex.h"
#include "base/mem.h"
#include "base/num.h"
#include "warden/pump.h"

#include <errno.h>
#include <stdio.h>

#define NAME_MOST 128

enum upload_kind { UPLOAD_WRITE, UPLOAD_LOOK, UPLOAD_REMOVE };

struct upload {
    struct http_exchange *x;
    struct http_upload *where;
    struct upload *next, *prev;
    enum upload_kind kind;
    struct pump pump;
    struct call call;
    uint64_t from, part, whole; /* where it goes on; how much there is */
    bool asked_part, has_part, has_whole, folder;
    bool open, ended;
    char name[NAME_MOST + 8];
};

/* --- its life --- */

static void forget(struct upload *u) {
    *(u->prev ? &u->prev->next : &u->where->first) = u->next;
    if (u->next) u->next->prev = u->prev;
    pump_stop(&u->pump);
    call_cancel(&u->call);
    mem_put(u, sizeof *u);
}

static void answer_error(struct upload *u, const struct err *e) {
    struct http_exchange *x = u->x;
    forget(u);
    http_reply_error(x, e);
}

static bool is_name(struct slice s) {
    if (!s.len || s.len > NAME_MOST || s.ptr[0] == '.' || slice_ends(s, LIT(".part"))) return false;
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.ptr[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && c != '.' && c != '-' &&
            c != '_')
            return false;
    }
    return true;
}

static struct upload *find(struct http_upload *w, struct slice name) {
    for (struct upload *u = w->first; u; u = u->next)
        if (u->kind != UPLOAD_LOOK && slice_eq(slice_str(u->name), name)) return u;
    return NULL;
}

/* --- writing --- */

static void tell_done(struct upload *u) {
    struct http_exchange *x = u->x;
    unsigned status = u->has_whole ? 200 : 201; /* another file stood there before, or none */
    uint8_t text[200];
    struct buf b;
    buf_init(&b, sizeof text);
    bool good =
        buf_add(&b, LIT("Repr-Digest: sha-256=:")) && base64_add(&b, BASE64_STD, slice_of(u->pump.sum, PUMP_SUM)) &&
        buf_printf(&b, ":\r\nUpload-Complete: ?1\r\nUpload-Offset: %llu\r\n", (unsigned long long)u->pump.file.size);
    forget(u);
    if (good)
        http_reply(x, status, LIT(""), buf_slice(&b), LIT(""));
    else
        http_abandon(x);
    buf_release(&b);
}

static void pumped(struct pump *p, enum pump_event event) {
    struct upload *u = LOOP_OWNER(struct upload, pump, p);
    switch (event) {
    case PUMP_OPEN:
        u->open = true;
        if (u->ended)
            pump_finish(p);
        else
            http_resume(u->x);
        break;
    case PUMP_DRAINED: http_resume(u->x); break;
    case PUMP_DATA: break;
    case PUMP_DONE: tell_done(u); break;
    case PUMP_FAILED: {
        struct err e = p->err;
        if (e.code == ERR_LIMIT) err_status(&e, e.limit && !strcmp(e.limit, "quota") ? 413 : 503);
        if (e.os == ENOSPC || e.os == EDQUOT) err_status(&e, 507);
        answer_error(u, &e);
        break;
    }
    }
}

static void start_writing(struct upload *u) {
    struct err e = ERR_INIT;
    u->pump.call = pumped;
    u->pump.name = "upload";
    http_pause(u->x); /* until the file is open, and what is there was read back */
    if (!pump_write(&u->pump, u->where->loop, u->where->disk, u->where->root, slice_str(u->name), u->from,
                    u->where->quota, &e))
        answer_error(u, &e);
}

static void data(struct http_exchange *x, struct slice piece) {
    struct upload *u = *http_mine(x);
    if (!u) return; /* refused */
    bool room = true;
    while (piece.len) {
        struct slice head = slice_head(piece, PUMP_PIECE);
        room = pump_feed(&u->pump, head);
        piece = slice_skip(piece, head.len);
    }
    if (!room) http_pause(x);
}

static void end(struct http_exchange *x, struct slice body) {
    (void)body;
    struct upload *u = *http_mine(x);
    if (!u || u->kind != UPLOAD_WRITE) return;
    u->ended = true;
    if (u->open) pump_finish(&u->pump);
}

/* --- looking --- */

static void tell_offset(struct http_exchange *x, unsigned status, uint64_t offset, bool complete, struct slice text) {
    char fields[120];
    int n =
        snprintf(fields, sizeof fields, "Upload-Offset: %llu\r\nUpload-Complete: ?%d\r\nCache-Control: no-store\r\n",
                 (unsigned long long)offset, complete);
    http_reply(x, status, text.len ? LIT("text/plain; charset=utf-8") : LIT(""), slice_of(fields, (size_t)n), text);
}

static bool ask(struct upload *u, const char *verb, const char *ending, struct err *e) {
    char path[NAME_MOST + 16];
    int n = snprintf(path, sizeof path, "%s%s", u->name, ending);
    struct val args =
        VAL_MAP_OF({"root", val_of_str(u->where->root)}, {"path", val_of_text(slice_of(path, (size_t)n))});
    return call_start(&u->call, u->where->disk, verb, args, NULL, 0, 0, e);
}

static void removed(struct call *c, struct call_answer *a);

/* Both names were looked at. */
static void decide(struct upload *u) {
    struct http_exchange *x = u->x;
    struct err e = ERR_INIT;
    enum http1_method m = http_method(x);
    if (u->folder)
        err_set(&e, ERR_DUPLICATE, "a folder has this name");
    else if (m == HTTP1_METHOD_PUT || (m == HTTP1_METHOD_PATCH && u->has_part && u->part == u->from)) {
        start_writing(u);
        return;
    } else if (!u->has_part && !(u->has_whole && m != HTTP1_METHOD_DELETE))
        err_set(&e, ERR_NOT_FOUND, "nothing of it is here");
    else if (m == HTTP1_METHOD_DELETE) {
        u->call.done = removed;
        if (ask(u, "disk.remove", ".part", &e)) return;
    } else {
        uint64_t offset = u->has_part ? u->part : u->whole;
        bool complete = !u->has_part;
        forget(u);
        if (m == HTTP1_METHOD_HEAD)
            tell_offset(x, 204, offset, complete, LIT(""));
        else
            tell_offset(x, 409, offset, complete,
                        complete ? LIT("409 Conflict: it is complete\n")
                                 : LIT("409 Conflict: it goes on at Upload-Offset\n"));
        return;
    }
    answer_error(u, &e);
}

static void looked(struct call *c, struct call_answer *a) {
    struct upload *u = LOOP_OWNER(struct upload, call, c);
    uint64_t size = 0;
    struct err e = a->err;
    bool there = e.code == ERR_NONE && val_as_u64(val_get(&a->result, LIT("size")), &size);
    if (!there && e.code != ERR_NOT_FOUND) {
        answer_error(u, &e);
        return;
    }
    if (there && val_is_true(val_get(&a->result, LIT("folder")))) u->folder = true;
    if (!u->asked_part) {
        u->has_whole = there;
        u->whole = size;
        decide(u);
        return;
    }
    u->asked_part = false;
    u->has_part = there;
    u->part = size;
    e = (struct err)ERR_INIT;
    if (!ask(u, "disk.stat", "", &e)) answer_error(u, &e);
}

static void removed(struct call *c, struct call_answer *a) {
    struct upload *u = LOOP_OWNER(struct upload, call, c);
    struct http_exchange *x = u->x;
    if (a->err.code != ERR_NONE) {
        answer_error(u, &a->err);
        return;
    }
    forget(u);
    http_reply(x, 204, LIT(""), LIT(""), LIT(""));
}

/* --- requests --- */

static struct slice field(const struct http1_head *head, struct slice name) {
    const struct http_field *f = http_field_find(head->fields, head->field_n, name);
    return f ? f->value : slice_of(NULL, 0);
}

static bool check(const struct http_upload *w, const struct http_request *r, struct slice name, struct err *e) {
    bool patch = r->head->method == HTTP1_METHOD_PATCH;
    struct slice complete = field(r->head, LIT("upload-complete"));
    if (!is_name(name))
        return err_set(e, ERR_INVALID, "want a name of up to %d letters, digits and . _ - that is not .part",
                       NAME_MOST);
    if (slice_eq(complete, LIT("?0")))
        return err_set(e, ERR_UNSUPPORTED, "want all of the rest in one request (Upload-Complete: ?1)");
    if (field(r->head, LIT("content-encoding")).len)
        return err_status((err_set(e, ERR_INVALID, "want the bytes as they are, without an encoding"), e), 415);
    if (r->head->method == HTTP1_METHOD_PUT && http_field_find(r->head->fields, r->head->field_n, LIT("content-range")))
        return err_set(e, ERR_INVALID, "want the rest of a file by PATCH with Upload-Offset, not by Content-Range");
    uint64_t from = 0;
    if (patch && !num_read_u64(field(r->head, LIT("upload-offset")), 0, UINT64_MAX / 2, &from))
        return err_set(e, ERR_INVALID, "want Upload-Offset: where the rest begins");
    if (r->head->has_length && (r->head->length > w->quota || from > w->quota - r->head->length))
        return err_limit(e, "quota", w->quota, ERR_NOWHERE);
    return true;
}

static void begin(struct http_exchange *x, const struct http_request *r) {
    struct http_upload *w = http_arg(x);
    struct slice name = slice_skip(r->head->path, w->prefix);
    struct err e = ERR_INIT;
    enum http1_method m = r->head->method;
    struct upload *u = NULL;
    if (check(w, r, name, &e)) {
        if (m != HTTP1_METHOD_HEAD && find(w, name))
            err_set(&e, ERR_DUPLICATE, "somebody writes this file just now");
        else if (!(u = mem_get_zero(sizeof *u)))
            err_nomem(&e, "an upload");
    }
    if (!u) {
        http_reply_error(x, &e);
        return;
    }
    u->x = x;
    u->where = w;
    u->kind = m == HTTP1_METHOD_HEAD ? UPLOAD_LOOK : m == HTTP1_METHOD_DELETE ? UPLOAD_REMOVE : UPLOAD_WRITE;
    memcpy(u->name, name.ptr, name.len);
    u->next = w->first;
    if (u->next) u->next->prev = u;
    w->first = u;
    *http_mine(x) = u;
    u->call.done = looked;
    u->asked_part = true;
    if (m == HTTP1_METHOD_PATCH) num_read_u64(field(r->head, LIT("upload-offset")), 0, UINT64_MAX / 2, &u->from);
    if (u->kind == UPLOAD_WRITE) http_pause(x); /* until it is known where it goes on */
    if (!ask(u, "disk.stat", ".part", &e)) answer_error(u, &e);
}

static void gone(struct http_exchange *x) {
    struct upload *u = *http_mine(x);
    *http_mine(x) = NULL;
    if (u) forget(u);
}

const struct http_handler http_upload_handler = {
    .name = "upload", .begin = begin, .data = data, .end = end, .gone = gone};
