/* http1_play.h - plays bytes through the HTTP/1.1 reader and writes down what it said, for the tests of that
 * room.
 *
 * One line an event; body data is glued together, since only its bytes are promised:
 *     head GET /a host=x path=/a query= framing=none keep
 *     | Host: x
 *     body hello
 *     trailers
 *     | X: 1
 *     end
 * and last: `bad STATUS [limit] @OFFSET`, `need`, `over` with what was left uneaten, or `idle`. */
#ifndef TESTS_HTTP1_PLAY_H
#define TESTS_HTTP1_PLAY_H

#include "base/hex.h"
#include "base/utf8.h"
#include "lib/cuts.h"
#include "protocols/http1.h"

struct http1_play {
    enum http1_role role;
    enum http1_method asked;
    struct http1_limits limits;
    size_t headers;
};

#define HTTP1_PLAY(which)                                                                                              \
    { .role = (which), .asked = HTTP1_METHOD_GET, .limits = {1000, 4000, 500, 60, 100, 0}, .headers = 16 }

static inline void http1_play_fields(struct buf *out, const struct http_field *fields, size_t n) {
    for (size_t i = 0; i < n; i++) {
        buf_add(out, LIT("| "));
        buf_add(out, fields[i].name);
        buf_add(out, LIT(": "));
        buf_add(out, fields[i].value);
        buf_byte(out, '\n');
    }
}

static inline void http1_play_event(struct buf *out, struct buf *body, enum http1_role role,
                                    const struct http1_event *ev) {
    if (ev->kind == HTTP1_EVENT_BODY) {
        buf_add(body, ev->data);
        return;
    }
    if (body->len) {
        buf_add(out, LIT("body "));
        buf_add(out, buf_slice(body));
        buf_byte(out, '\n');
        buf_reset(body);
    }
    const struct http1_head *h = ev->head;
    switch (ev->kind) {
    case HTTP1_EVENT_HEAD:
        buf_add(out, LIT("head "));
        if (role == HTTP1_SERVER) {
            buf_add(out, h->method_text);
            buf_byte(out, ' ');
            buf_add(out, h->target);
            buf_printf(out, " %s host=", http1_form_name(h->form));
            buf_add(out, h->host);
            buf_add(out, LIT(" path="));
            buf_add(out, h->path);
            if (h->query.ptr) buf_add(out, LIT(" query="));
            buf_add(out, h->query);
        } else {
            buf_printf(out, "%u '", h->status);
            buf_add(out, h->reason);
            buf_byte(out, '\'');
        }
        buf_printf(out, " 1.%u framing=%s", h->minor, http1_framing_name(h->framing));
        if (h->has_length) buf_printf(out, "(%llu)", (unsigned long long)h->length);
        buf_printf(out, "%s%s%s\n", h->keep_alive ? " keep" : "", h->upgrade ? " upgrade" : "",
                   h->expect ? " expect" : "");
        http1_play_fields(out, h->fields, h->field_n);
        break;
    case HTTP1_EVENT_TRAILERS:
        buf_add(out, LIT("trailers\n"));
        http1_play_fields(out, ev->fields, ev->field_n);
        break;
    case HTTP1_EVENT_END: buf_add(out, LIT("end\n")); break;
    case HTTP1_EVENT_BODY: break;
    }
}

/* A cuts_play; arg is a struct http1_play. */
static inline void http1_play(void *arg, struct cuts *c, struct buf *out) {
    const struct http1_play *how = arg;
    struct http_field fields[64];
    struct http1 h;
    struct http1_event ev;
    struct err e = ERR_INIT;
    struct buf body;
    buf_init(&body, 1 << 20);
    http1_init(&h, how->role, &how->limits, fields, how->headers);
    enum step step = STEP_MORE;
    for (struct slice piece; step != STEP_BAD && step != STEP_END && cuts_next(c, &piece);) {
        for (;;) {
            http1_ask(&h, how->asked);
            struct fed fed = http1_feed(&h, piece, &ev, &e);
            step = fed.step;
            piece = slice_skip(piece, fed.used);
            if (step == STEP_EVENT)
                http1_play_event(out, &body, how->role, &ev);
            else
                break;
        }
        if (step == STEP_END) {
            buf_printf(out, "over, %zu left\n", piece.len + c->rest.len);
        } else if (step == STEP_MORE && piece.len)
            buf_add(out, LIT("STUCK\n"));
    }
    if (step == STEP_BAD) {
        buf_printf(out, "bad %d%s%s @%zu\n", err_http(&e), e.limit ? " " : "", e.limit ? e.limit : "", e.at);
        if (http1_feed(&h, LIT("x"), &ev, NULL).step != STEP_BAD) buf_add(out, LIT("IT DID NOT STAY BAD\n"));
    } else if (step == STEP_MORE) {
        struct fed fed;
        while ((fed = http1_eof(&h, &ev, &e)).step == STEP_EVENT) http1_play_event(out, &body, how->role, &ev);
        buf_add(out, fed.step == STEP_END ? LIT("idle\n") : LIT("need\n"));
    }
    buf_release(&body);
    http1_release(&h);
}

#endif
