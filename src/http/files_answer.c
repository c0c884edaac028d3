/* files_answer.c - what a client hears about a file that is there: conditions, ranges, forms. See files.h. */
#include "http/files_room.h"

#include "base/clock.h"
#include "base/must.h"
#include "http/room.h"
#include "protocols/etag.h"
#include "protocols/range.h"
#include "protocols/url.h"

#include <stdio.h>

#define RANGES_MOST 16         /* parts in one answer; who wants more gets the whole */
#define SMALL       (4u << 10) /* bodies that are copied behind their head rather than referred to */

/* A big file on its way. */
struct files_send {
    struct pump pump;
    struct http_exchange *x;
    struct files_ask *ask;
    struct pump_file want; /* what the head says */
    uint64_t left;         /* not handed to the connection yet; by the kernel: not moved yet */
    bool pulled;           /* by the kernel, without coming by here */
    bool open;             /* the head is written */
    unsigned status;
    struct slice type; /* static */
    size_t fields_len;
    char fields[600];
};

static const char *const code_fields[FILES_CODE_N] = {"", "Content-Encoding: br\r\n", "Content-Encoding: gzip\r\n"};
static const char *const code_tags[FILES_CODE_N] = {"", "-br", "-gz"};

struct answer {
    struct files_entry *e;
    enum files_code code;
    char tag[56];
    char fields[512];
    size_t len;
};

static void add_fields(struct answer *a, bool full) {
    struct files_entry *e = a->e;
    bool past = e->second <= clock_wall_ms() / 1000; /* a time to come must not be told (RFC 9110 8.8.2.1) */
    bool varies = e->body[FILES_BR] || e->body[FILES_GZ];
    int n = snprintf(a->fields, sizeof a->fields, "ETag: \"%s\"\r\n%s%.*s%sCache-Control: no-cache\r\n%s%s%s", a->tag,
                     past ? "Last-Modified: " : "", past ? DATE_LEN : 0, (const char *)e->date, past ? "\r\n" : "",
                     varies ? "Vary: Accept-Encoding\r\n" : "", full ? code_fields[a->code] : "",
                     full ? "Accept-Ranges: bytes\r\nX-Content-Type-Options: nosniff\r\n" : "");
    a->len = (size_t)n;
}

static struct slice fields_of(const struct answer *a) {
    return slice_of(a->fields, a->len);
}

/* The form to send: the first that is there and accepted. Ranges are of the file itself. */
static enum files_code choose_code(const struct files_entry *e, const struct files_ask *ask) {
    if (ask->has_range) return FILES_PLAIN;
    for (enum files_code c = FILES_BR; c < FILES_CODE_N; c++)
        if (e->body[c] && ask->accepts[c]) return c;
    return FILES_PLAIN;
}

/* RFC 9110 13.2.2, in its order. 0: go on. */
static unsigned check_conditions(const struct answer *a, const struct files_ask *ask) {
    const struct etag tag = {.opaque = slice_str(a->tag)};
    int64_t second = a->e->second;
    if (ask->has_if_match) {
        if (!etag_if_match(http_list_in(ask->if_match), &tag)) return 412;
    } else if (ask->has_if_unmodified && second > ask->if_unmodified)
        return 412;
    if (ask->has_if_none_match) {
        if (!etag_if_none_match(http_list_in(ask->if_none_match), &tag)) return 304;
    } else if (ask->has_if_modified && second <= ask->if_modified)
        return 304;
    return 0;
}

static bool range_counts(const struct answer *a, const struct files_ask *ask) {
    if (!ask->has_if_range) return true;
    const struct etag tag = {.opaque = slice_str(a->tag)};
    return etag_if_range(ask->if_range, &tag, slice_of(a->e->date, DATE_LEN));
}

static void done(struct http_exchange *x, struct files_ask *ask) {
    *http_mine(x) = NULL;
    files_ask_free(ask);
}

/* --- big files --- */

static void send_over(struct files_send *s) {
    s->ask->send = NULL;
    done(s->x, s->ask);
    pump_stop(&s->pump);
    mem_put(s, sizeof *s);
}

static void send_more(struct files_send *s) {
    struct http_exchange *x = s->x;
    while (!http_is_full(x)) {
        struct slice data = slice_head(pump_data(&s->pump), s->left < SIZE_MAX ? (size_t)s->left : SIZE_MAX);
        if (!data.len) return;
        if (!http_body(x, data)) { /* the connection died; gone will be told */
            return;
        }
        s->left -= data.len;
        pump_eat(&s->pump, data.len);
    }
}

/* The kernel has moved some: as much as went is told, and the pipe is asked for more when it ran dry. */
static void pull_more(struct files_send *s) {
    struct stream *st = http_stream(s->x);
    uint64_t left = stream_pull_left(st), went = s->left - left;
    s->left = left;
    pump_gave(&s->pump, went); /* PUMP_DONE comes when it was all */
    if (!left) return;
    if (stream_pull_over(st)) { /* the file was shorter than its head said */
        struct http_exchange *x = s->x;
        send_over(s);
        http_abandon(x);
    } else
        pump_wake(&s->pump);
}

static bool is_wanted(const struct files_send *s) {
    const struct pump_file *is = &s->pump.file;
    return is->size == s->want.size && is->id == s->want.id && is->mtime_ns == s->want.mtime_ns;
}

/* The file is open: only now is anything promised. */
static void send_head(struct files_send *s) {
    s->open = true;
    http_head(s->x, s->status, s->type, slice_of(s->fields, s->fields_len), s->left);
    if (stream_can_pull(http_stream(s->x))) s->pulled = http_body_pull(s->x, pump_lend(&s->pump));
}

/* Before anything was promised: another file stands there by now, or it cannot be had. */
static void send_failed(struct files_send *s, struct err *why) {
    struct http_exchange *x = s->x;
    struct files_ask *ask = s->ask;
    ask->send = NULL;
    pump_stop(&s->pump);
    mem_put(s, sizeof *s);
    if (!why && files_again(x, ask)) return;
    struct err changing = ERR_INIT;
    if (why)
        files_hide(why);
    else {
        err_set(&changing, ERR_FILESYSTEM, "the file changes while it is read");
        err_status(&changing, 503);
    }
    done(x, ask);
    http_reply_error(x, why ? why : &changing);
}

static void sent(struct pump *p, enum pump_event event) {
    struct files_send *s = LOOP_OWNER(struct files_send, pump, p);
    struct http_exchange *x = s->x;
    switch (event) {
    case PUMP_OPEN:
        if (is_wanted(s))
            send_head(s);
        else
            send_failed(s, NULL);
        return;
    case PUMP_DATA:
        if (s->pulled)
            stream_pull_on(http_stream(x));
        else
            send_more(s);
        return;
    case PUMP_DRAINED: return;
    case PUMP_DONE:
        if (s->left) break;
        send_over(s);
        http_finish(x);
        return;
    case PUMP_FAILED: {
        if (s->open) break;
        struct err why = p->err; /* the pump goes with what is freed */
        send_failed(s, &why);
        return;
    }
    }
    /* The head promised more than there is: the client must see that it has not got it. */
    send_over(s);
    http_abandon(x);
}

void files_send_drained(struct files_send *s) {
    if (s->pulled)
        pull_more(s);
    else
        send_more(s);
}

void files_send_stop(struct files_send *s) {
    if (!s) return;
    pump_stop(&s->pump);
    mem_put(s, sizeof *s);
}

static void pump_out(struct http_exchange *x, struct files_ask *ask, struct files_entry *e, unsigned status,
                     struct slice type, struct slice fields, uint64_t from, uint64_t len) {
    struct http_files *f = e->files;
    struct err why = ERR_INIT;
    if (http_method(x) == HTTP1_METHOD_HEAD || !len) {
        done(x, ask);
        http_head(x, status, type, fields, len);
        http_finish(x);
        return;
    }
    struct files_send *s = mem_get_zero(sizeof *s);
    if (!s || fields.len > sizeof s->fields) {
        mem_put(s, sizeof *s);
        err_nomem(&why, "a file");
        done(x, ask);
        http_reply_error(x, &why);
        return;
    }
    s->x = x;
    s->ask = ask;
    s->want = e->file;
    s->left = len;
    s->status = status;
    s->type = type;
    s->fields_len = fields.len;
    memcpy(s->fields, fields.ptr, fields.len);
    s->pump.call = sent;
    s->pump.name = "files.send";
    f->counts.pumped++;
    if (pump_read(&s->pump, f->loop, f->disk, f->root, shared_slice(e->path), from, len, &why)) {
        ask->send = s;
        return;
    }
    mem_put(s, sizeof *s);
    done(x, ask);
    files_hide(&why);
    http_reply_error(x, &why);
}

/* --- ranges --- */

static struct slice cut(const struct shared *body, const struct range *r) {
    return slice_of(body->bytes + r->first, (size_t)(r->last - r->first + 1));
}

static void add_content_range(struct answer *a, const struct range *r) {
    int n = snprintf(a->fields + a->len, sizeof a->fields - a->len, "Content-Range: bytes %llu-%llu/%llu\r\n",
                     (unsigned long long)r->first, (unsigned long long)r->last, (unsigned long long)a->e->file.size);
    a->len += (size_t)n;
}

/* Several parts of a file in memory. */
static void answer_parts(struct http_exchange *x, struct files_ask *ask, struct answer *a, const struct range *parts,
                         size_t n) {
    char mark[72], type[120], head[RANGES_MOST][200];
    struct files_entry *e = a->e;
    uint64_t total = 0;
    int len[RANGES_MOST];
    snprintf(mark, sizeof mark, "startbox-%s", a->tag);
    for (char *c = mark; *c; c++)
        if (*c == '"') *c = '-';
    for (size_t i = 0; i < n; i++) {
        len[i] = snprintf(
            head[i], sizeof head[i], "%s--%s\r\nContent-Type: %.*s\r\nContent-Range: bytes %llu-%llu/%llu\r\n\r\n",
            i ? "\r\n" : "", mark, (int)e->type.len, (const char *)e->type.ptr, (unsigned long long)parts[i].first,
            (unsigned long long)parts[i].last, (unsigned long long)e->file.size);
        total += (uint64_t)len[i] + (parts[i].last - parts[i].first + 1);
    }
    char tail[60];
    int tail_len = snprintf(tail, sizeof tail, "\r\n--%s--\r\n", mark);
    int type_len = snprintf(type, sizeof type, "multipart/byteranges; boundary=%s", mark);
    struct shared *body = shared_ref(e->body[FILES_PLAIN]);
    done(x, ask);
    http_head(x, 206, slice_of(type, (size_t)type_len), fields_of(a), total + (uint64_t)tail_len);
    bool good = true;
    if (http_method(x) != HTTP1_METHOD_HEAD) {
        for (size_t i = 0; i < n && good; i++)
            good = http_body(x, slice_of(head[i], (size_t)len[i])) && http_body(x, cut(body, &parts[i]));
        good = good && http_body(x, slice_of(tail, (size_t)tail_len));
    }
    shared_unref(body);
    if (good)
        http_finish(x);
    else
        http_abandon(x);
}

/* False: the whole is to be sent. */
static bool answer_range(struct http_exchange *x, struct files_ask *ask, struct answer *a) {
    struct files_entry *e = a->e;
    struct range parts[RANGES_MOST];
    size_t n = 0;
    if (!ask->has_range || !range_counts(a, ask)) return false;
    enum range_found found = range_read(ask->range, e->file.size, parts, RANGES_MOST, &n);
    if (found == RANGE_OUTSIDE) {
        char field[64];
        int len = snprintf(field, sizeof field, "Content-Range: bytes */%llu\r\n", (unsigned long long)e->file.size);
        done(x, ask);
        http_reply(x, 416, LIT("text/plain; charset=utf-8"), slice_of(field, (size_t)len),
                   LIT("416 Range Not Satisfiable: the file is shorter\n"));
        return true;
    }
    if (found != RANGE_PARTS || (n > 1 && !e->body[FILES_PLAIN])) return false;
    if (n > 1) {
        answer_parts(x, ask, a, parts, n);
        return true;
    }
    add_content_range(a, &parts[0]);
    if (e->body[FILES_PLAIN]) {
        done(x, ask);
        http_reply(x, 206, e->type, fields_of(a), cut(e->body[FILES_PLAIN], &parts[0]));
    } else
        pump_out(x, ask, e, 206, e->type, fields_of(a), parts[0].first, parts[0].last - parts[0].first + 1);
    return true;
}

/* --- the whole --- */

static void answer_folder(struct http_exchange *x, struct files_ask *ask) {
    char field[3200];
    struct buf path;
    buf_init(&path, sizeof field - 64);
    /* Relative to the server, so it is right behind any proxy. */
    bool good = buf_add(&path, LIT("/")) && url_encode(&path, URL_PATH, ask->path) && buf_add(&path, LIT("/"));
    if (ask->query.len) good = good && buf_add(&path, LIT("?")) && buf_add(&path, ask->query);
    int n = good ? snprintf(field, sizeof field, "Location: %.*s\r\n", (int)path.len, (const char *)path.ptr) : 0;
    buf_release(&path);
    done(x, ask);
    if (good)
        http_reply(x, 308, LIT("text/plain; charset=utf-8"), slice_of(field, (size_t)n),
                   LIT("308: it is a folder, with a slash\n"));
    else
        http_abandon(x);
}

void files_answer(struct http_exchange *x, struct files_ask *ask, struct files_entry *e) {
    if (e->file.folder) {
        if (!ask->folder) {
            answer_folder(x, ask);
            return;
        }
        struct err why = ERR_INIT; /* a folder called index.html */
        err_set(&why, ERR_NOT_FOUND, "there is nothing here");
        done(x, ask);
        http_reply_error(x, &why);
        return;
    }
    struct answer a = {.e = e, .code = choose_code(e, ask)};
    snprintf(a.tag, sizeof a.tag, "%s%s", e->tag, code_tags[a.code]);
    unsigned status = check_conditions(&a, ask);
    add_fields(&a, status == 0);
    if (status == 304) {
        done(x, ask);
        http_reply(x, 304, LIT(""), fields_of(&a), LIT(""));
        return;
    }
    if (status == 412) {
        done(x, ask);
        http_reply(x, 412, LIT("text/plain; charset=utf-8"), fields_of(&a),
                   LIT("412 Precondition Failed: the file is another by now\n"));
        return;
    }
    if (answer_range(x, ask, &a)) return;
    struct shared *body = e->body[a.code];
    if (!body) {
        pump_out(x, ask, e, 200, e->type, fields_of(&a), 0, e->file.size);
        return;
    }
    done(x, ask);
    if (body->len <= SMALL)
        http_reply(x, 200, e->type, fields_of(&a), shared_slice(body));
    else
        http_reply_shared(x, 200, e->type, fields_of(&a), body);
}
