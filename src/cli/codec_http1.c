/* codec_http1.c - `startbox codec http1 --role server|client [--method METHOD] [--limit NAME=N]...`.
 *
 * Prints one line an event; the pieces of a body are glued together, so that the lines are the same in any
 * cut. See codec.h and protocols/http1.h. */
#include "base/limits.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/utf8.h"
#include "cli/codec.h"
#include "protocols/http1.h"

#include <stdio.h>

struct options {
    enum http1_role role;
    enum http1_method asked;
    struct http1_limits limits;
    uint64_t headers;
};

static int usage(void) {
    fprintf(stderr, "usage: startbox codec http1 --role server|client [--method METHOD] [--limit NAME=N]...\n"
                    "METHOD (client) is what was asked; NAME is line, head, headers, trailer, chunk_line, "
                    "chunk_extensions or body.\n");
    return 2;
}

static bool set_limit(struct options *o, struct slice text) {
    struct slice name = slice_head(text, slice_find(text, '='));
    uint64_t n;
    if (!num_read_u64(slice_skip(text, name.len + 1), 0, SIZE_MAX / 4, &n)) return false;
    if (slice_eq(name, LIT("line")))
        o->limits.line = (size_t)n;
    else if (slice_eq(name, LIT("head")))
        o->limits.head = (size_t)n;
    else if (slice_eq(name, LIT("trailer")))
        o->limits.trailer = (size_t)n;
    else if (slice_eq(name, LIT("chunk_line")))
        o->limits.chunk_line = (size_t)n;
    else if (slice_eq(name, LIT("chunk_extensions")))
        o->limits.chunk_extensions = (size_t)n;
    else if (slice_eq(name, LIT("body")))
        o->limits.body = n;
    else if (slice_eq(name, LIT("headers")) && n <= 10000)
        o->headers = n;
    else
        return false;
    return true;
}

static bool read_options(const struct codec_run *run, struct options *o) {
    *o = (struct options){.asked = HTTP1_METHOD_GET,
                          .limits = {.line = LIMIT_HTTP1_LINE,
                                     .head = LIMIT_HTTP1_HEAD,
                                     .trailer = LIMIT_HTTP1_TRAILER,
                                     .chunk_line = LIMIT_HTTP1_CHUNK_LINE,
                                     .chunk_extensions = LIMIT_HTTP1_CHUNK_EXT},
                          .headers = LIMIT_HTTP1_HEADERS};
    bool role = false, method = false;
    for (int i = 0; i < run->argc; i += 2) {
        if (i + 1 == run->argc) return false;
        struct slice name = slice_str(run->argv[i]), value = slice_str(run->argv[i + 1]);
        if (slice_eq(name, LIT("--role")) && !role) {
            if (!http1_role_from(value, &o->role)) return false;
            role = true;
        } else if (slice_eq(name, LIT("--method")) && !method) {
            if (!value.len) return false;
            o->asked = http1_method_from(value);
            method = true;
        } else if (!slice_eq(name, LIT("--limit")) || !set_limit(o, value))
            return false;
    }
    return role && (!method || o->role == HTTP1_CLIENT);
}

/* Text as it is; where it is not UTF-8, every byte from 0x80 on as the character of that number (ISO-8859-1,
 * which is what such bytes in a head meant), so that nothing is lost. */
static struct val text_of(struct slice s) {
    if (utf8_ok(s)) return val_of_text_checked(s);
    struct buf b;
    buf_init(&b, 2 * s.len);
    for (size_t i = 0; i < s.len; i++) {
        uint8_t point[4];
        buf_add(&b, slice_of(point, utf8_write(point, s.ptr[i])));
    }
    struct val v = buf_ok(&b) ? val_of_text_checked(buf_slice(&b)) : val_none;
    buf_release(&b);
    return v;
}

static struct val fields_of(const struct http_field *fields, size_t n) {
    struct val all = val_empty_array();
    for (size_t i = 0; i < n; i++) {
        struct val pair = VAL_ARRAY_OF(text_of(fields[i].name), text_of(fields[i].value));
        if (val_is_none(&pair) || !val_push(&all, pair)) {
            val_unref(&all);
            return val_none;
        }
    }
    return all;
}

/* Puts a pair in and takes the value; without memory the map becomes VAL_NONE and stays it. */
static void put(struct val *map, const char *key, struct val v) {
    if (val_is_none(map))
        val_unref(&v);
    else if (val_is_none(&v) || !val_set_str(map, key, v))
        val_unref(map);
}

static void say_head(struct codec_run *run, enum http1_role role, const struct http1_head *h) {
    struct val m = VAL_MAP_OF({"event", val_of_str("head")});
    char version[] = "1.0";
    version[2] = (char)('0' + h->minor_written);
    if (role == HTTP1_SERVER) {
        put(&m, "method", text_of(h->method_text));
        put(&m, "target", text_of(h->target));
        put(&m, "form", val_of_str(http1_form_name(h->form)));
        put(&m, "host", text_of(h->host));
        put(&m, "path", text_of(h->path));
        put(&m, "query", h->query.ptr ? text_of(h->query) : val_null());
    } else {
        put(&m, "status", val_of_u64(h->status));
        put(&m, "reason", text_of(h->reason));
    }
    put(&m, "version", val_of_str(version));
    put(&m, "headers", fields_of(h->fields, h->field_n));
    put(&m, "framing", val_of_str(http1_framing_name(h->framing)));
    put(&m, "length", h->has_length ? val_of_u64(h->length) : val_null());
    put(&m, "keep_alive", val_of_bool(h->keep_alive));
    put(&m, "upgrade", val_of_bool(h->upgrade));
    if (role == HTTP1_SERVER) put(&m, "expect", val_of_bool(h->expect));
    codec_say(run, m);
}

static void say_body(struct codec_run *run, struct buf *body) {
    if (!buf_ok(body)) codec_say(run, val_none); /* out of memory */
    if (body->len) codec_say(run, VAL_MAP_OF({"event", val_of_str("body")}, {"data", codec_hex(buf_slice(body))}));
    buf_release(body);
}

static void say_event(struct codec_run *run, const struct options *o, const struct http1_event *event,
                      struct buf *body) {
    switch (event->kind) {
    case HTTP1_EVENT_HEAD: say_head(run, o->role, event->head); break;
    case HTTP1_EVENT_BODY: buf_add(body, event->data); break;
    case HTTP1_EVENT_TRAILERS:
        say_body(run, body);
        codec_say(run,
                  VAL_MAP_OF({"event", val_of_str("trailers")}, {"headers", fields_of(event->fields, event->field_n)}));
        break;
    case HTTP1_EVENT_END:
        say_body(run, body);
        codec_say(run, VAL_MAP_OF({"event", val_of_str("end")}));
        break;
    }
}

/* Feeds all the input, then its end. */
static enum step play(struct codec_run *run, const struct options *o, struct http1 *h, struct buf *body,
                      struct err *e) {
    struct http1_event event;
    for (struct slice piece; (piece = codec_piece(run)).len;) {
        for (;;) {
            http1_ask(h, o->asked);
            struct fed fed = http1_feed(h, piece, &event, e);
            piece = slice_skip(piece, fed.used);
            if (fed.step == STEP_END || fed.step == STEP_BAD) return fed.step;
            if (fed.step == STEP_MORE) break;
            say_event(run, o, &event, body);
        }
    }
    for (;;) {
        struct fed fed = http1_eof(h, &event, e);
        if (fed.step == STEP_BAD) return STEP_MORE;
        if (fed.step != STEP_EVENT) return fed.step;
        say_event(run, o, &event, body);
    }
}

int codec_http1(struct codec_run *run) {
    struct options o;
    if (!read_options(run, &o)) return usage();
    struct http_field *fields = mem_get((size_t)(o.headers ? o.headers : 1) * sizeof *fields);
    if (!fields) codec_say(run, val_none);
    struct http1 h;
    struct buf body;
    struct err e = ERR_INIT;
    http1_init(&h, o.role, &o.limits, fields, (size_t)o.headers);
    buf_init(&body, SIZE_MAX / 2);
    enum step step = play(run, &o, &h, &body, &e);
    int code = 0;
    if (step == STEP_BAD) {
        say_body(run, &body);
        code = codec_say_bad(run, o.role == HTTP1_SERVER ? err_http(&e) : 0, &e);
    } else if (step == STEP_MORE) {
        say_body(run, &body);
        codec_say_need(run);
    }
    buf_release(&body);
    http1_release(&h);
    mem_put(fields, (size_t)(o.headers ? o.headers : 1) * sizeof *fields);
    return code;
}
