/* reply.c - writing answers; see server.h. */
#include "http/room.h"

#include "base/clock.h"
#include "base/must.h"
#include "base/num.h"
#include "protocols/chunked.h"

#include <stdio.h>

#define THROUGH (16u << 10)  /* pieces from here on are not worth a copy */
#define FULL    (128u << 10) /* bytes waiting from which on a producer should rest */

void http_date_refresh(struct http_server *s) {
    int64_t now = loop_now_ms(s->loop);
    if (now < s->date_until) return;
    int64_t wall = clock_wall_ms();
    s->date_second = wall / 1000;
    s->date_until = now + 1000 - wall % 1000;
    date_write(s->date_second, s->date);
}

static void add(struct http_head_text *h, struct slice s) {
    if (s.len > sizeof h->text - h->len) {
        h->len = sizeof h->text + 1; /* never fits again */
        return;
    }
    memcpy(h->text + h->len, s.ptr, s.len);
    h->len += s.len;
}

static void add_number(struct http_head_text *h, uint64_t n) {
    uint8_t digits[NUM_U64_MAX];
    add(h, slice_of(digits, num_write_u64(digits, n)));
}

static bool has_no_body(unsigned status) {
    return status < 200 || status == 204 || status == 304;
}

bool http_head_write(struct http_exchange *x, struct http_head_text *h, unsigned status, struct slice type,
                     struct slice fields, uint64_t length) {
    struct http_server *s = x->conn->server;
    http_date_refresh(s);
    h->len = 0;
    add(h, LIT("HTTP/1.1 "));
    add_number(h, status);
    add(h, LIT(" "));
    add(h, slice_str(http1_status_name(status)));
    add(h, LIT("\r\nServer: startbox\r\nDate: "));
    add(h, slice_of(s->date, DATE_LEN));
    if (type.len) {
        add(h, LIT("\r\nContent-Type: "));
        add(h, type);
    }
    if (length != HTTP_UNKNOWN) {
        if (!has_no_body(status)) {
            add(h, LIT("\r\nContent-Length: "));
            add_number(h, length);
        }
    } else if (x->chunked && !has_no_body(status))
        add(h, LIT("\r\nTransfer-Encoding: chunked"));
    if (!x->keep_alive)
        add(h, LIT("\r\nConnection: close"));
    else if (x->old)
        add(h, LIT("\r\nConnection: keep-alive"));
    add(h, LIT("\r\n"));
    add(h, fields);
    add(h, LIT("\r\n"));
    return h->len <= sizeof h->text;
}

/* --- whole answers --- */

/* An answer before the request is whole: the rest of a small body is read and forgotten, behind a large one the connection ends. */
static void settle_request(struct http_exchange *x) {
    if (x->conn->server->stopping) x->keep_alive = false;
    if (!x->whole && x->conn->swallow == 0 && x->phase == HTTP_READING_BODY) x->keep_alive = false;
}

static bool write_head(struct http_exchange *x, unsigned status, struct slice type, struct slice fields,
                       uint64_t length) {
    struct http_head_text h;
    settle_request(x);
    if (http_head_write(x, &h, status, type, fields, length) && stream_write(&x->conn->s, slice_of(h.text, h.len)))
        return true;
    x->conn->closing = true;
    stream_abort(&x->conn->s);
    return false;
}

void http_reply(struct http_exchange *x, unsigned status, struct slice type, struct slice fields, struct slice body) {
    must(x->phase != HTTP_ANSWERING);
    if (!write_head(x, status, type, fields, body.len))
        http_abandon(x);
    else if (x->method != HTTP1_METHOD_HEAD && !has_no_body(status) && body.len && !stream_write(&x->conn->s, body))
        http_abandon(x);
    else
        http_over(x);
}

void http_reply_shared(struct http_exchange *x, unsigned status, struct slice type, struct slice fields,
                       struct shared *body) {
    must(x->phase != HTTP_ANSWERING);
    if (!write_head(x, status, type, fields, body->len))
        http_abandon(x);
    else if (x->method != HTTP1_METHOD_HEAD && !has_no_body(status) && !stream_share(&x->conn->s, body, 0))
        http_abandon(x);
    else
        http_over(x);
}

struct slice http_error_text(char text[HTTP_ERROR_TEXT], const struct err *e) {
    int status = err_http(e);
    int len = snprintf(text, HTTP_ERROR_TEXT, "%d %s: %s%s%s%s\n", status, http1_status_name((unsigned)status), e->text,
                       e->limit ? " (limit " : "", e->limit ? e->limit : "", e->limit ? ")" : "");
    return slice_of(text, len < HTTP_ERROR_TEXT ? (size_t)len : HTTP_ERROR_TEXT - 1);
}

void http_reply_error(struct http_exchange *x, const struct err *e) {
    char text[HTTP_ERROR_TEXT];
    http_reply(x, (unsigned)err_http(e), LIT("text/plain; charset=utf-8"), LIT(""), http_error_text(text, e));
}

void http_reply_canned(struct http_exchange *x, struct http_canned *c) {
    struct http_server *s = x->conn->server;
    settle_request(x);
    if (!x->keep_alive || x->old || x->method == HTTP1_METHOD_HEAD) {
        http_reply(x, c->status, c->type, LIT(""), c->body);
        return;
    }
    http_date_refresh(s);
    if (c->made != s->date_second || !c->block.len) {
        struct http_head_text h;
        if (!c->block.max) buf_init(&c->block, sizeof h.text + c->body.len);
        buf_reset(&c->block);
        if (!http_head_write(x, &h, c->status, c->type, LIT(""), c->body.len) ||
            !buf_add(&c->block, slice_of(h.text, h.len)) || !buf_add(&c->block, c->body)) {
            buf_reset(&c->block);
            http_abandon(x);
            return;
        }
        c->made = s->date_second;
    }
    if (stream_write(&x->conn->s, buf_slice(&c->block)))
        http_over(x);
    else
        http_abandon(x);
}

void http_canned_release(struct http_canned *c) {
    buf_release(&c->block);
}

/* --- bit by bit --- */

void http_head(struct http_exchange *x, unsigned status, struct slice type, struct slice fields, uint64_t length) {
    must(x->phase != HTTP_ANSWERING);
    settle_request(x);
    if (length == HTTP_UNKNOWN) {
        x->chunked = !x->old;
        if (x->old) x->keep_alive = false;
    }
    x->left = length;
    write_head(x, status, type, fields, length);
    if (x->method == HTTP1_METHOD_HEAD || has_no_body(status)) x->left = 0;
    x->phase = HTTP_ANSWERING;
}

static bool write_body(struct http_exchange *x, struct slice bytes) {
    struct stream *s = &x->conn->s;
    if (x->left != HTTP_UNKNOWN) {
        must(bytes.len <= x->left);
        x->left -= bytes.len;
    }
    if (!x->chunked) return bytes.len >= THROUGH ? stream_write_through(s, bytes) : stream_write(s, bytes);
    char size[20];
    int n = snprintf(size, sizeof size, "%zx\r\n", bytes.len);
    return stream_write(s, slice_of(size, (size_t)n)) && stream_write(s, bytes) && stream_write(s, LIT("\r\n"));
}

bool http_body(struct http_exchange *x, struct slice bytes) {
    must(x->phase == HTTP_ANSWERING);
    if (!bytes.len || x->method == HTTP1_METHOD_HEAD || write_body(x, bytes)) return true;
    x->conn->closing = true;
    stream_abort(&x->conn->s);
    return false;
}

bool http_body_pull(struct http_exchange *x, int pipe) {
    must(x->phase == HTTP_ANSWERING && x->left != HTTP_UNKNOWN);
    if (!stream_pull(&x->conn->s, pipe, x->left)) return false;
    x->left = 0;
    return true;
}

struct stream *http_stream(struct http_exchange *x) {
    return &x->conn->s;
}

bool http_is_full(struct http_exchange *x) {
    const struct http_server *server = x->conn->server;
    size_t full = server->counts.out > server->limits.out_all ? 1 : FULL; /* memory is short: one piece at a time */
    if (stream_pending(&x->conn->s) < full) return false;
    stream_owe_drained(&x->conn->s);
    return true;
}

void http_finish(struct http_exchange *x) {
    must(x->phase == HTTP_ANSWERING);
    bool good = x->left == HTTP_UNKNOWN || x->left == 0;
    if (good && x->chunked && x->left == HTTP_UNKNOWN && x->method != HTTP1_METHOD_HEAD)
        good = stream_write(&x->conn->s, LIT("0\r\n\r\n"));
    if (good)
        http_over(x);
    else
        http_abandon(x);
}
