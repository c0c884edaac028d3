/* asker.h - who asks, for the tests of request.h: counts the events, keeps what came, checks that nothing comes out of turn; and the
 * answering side: whole requests off a visit. */
#ifndef TESTS_OUT_ASKER_H
#define TESTS_OUT_ASKER_H

#include "out/request.h"
#include "out/stage.h"

struct asker {
    struct request r;
    unsigned heads, datas, done, failed;
    bool over, inside; /* inside: a function of the room is being called */
    bool eat_nothing, heap;
    size_t eat_most; /* in one callback; 0: all */
    int stop_at;     /* this event stops it, and (heap) frees it; -1: none */
    unsigned *freed;
    struct buf got; /* pieces, or what was gathered */
    char validator[120], final_url[200];
    unsigned fields; /* of the head */
    bool is_pattern; /* pieces are compared with the pattern instead of kept */
    uint64_t pattern_at;
    bool right;
};

STAGE void asker_eat(struct asker *a, size_t most) {
    struct slice s = request_data(&a->r);
    if (most) s = slice_head(s, most);
    if (a->is_pattern) {
        a->right = a->right && is_pattern(s, a->pattern_at);
        a->pattern_at += s.len;
    } else
        buf_add(&a->got, s);
    a->inside = true;
    request_eat(&a->r, s.len);
    a->inside = false;
}

static void asker_heard(struct request *r, enum request_event event) {
    struct asker *a = LOOP_OWNER(struct asker, r, r);
    CHECK(!a->inside && !a->over);
    switch (event) {
    case REQUEST_HEAD:
        a->heads++;
        CHECK(a->heads == 1 && !a->datas && r->head && r->head->status == r->status);
        a->fields = (unsigned)r->head->field_n;
        snprintf(a->validator, sizeof a->validator, "%.*s", (int)r->validator.len, (const char *)r->validator.ptr);
        snprintf(a->final_url, sizeof a->final_url, "%.*s", (int)r->final_url.len, (const char *)r->final_url.ptr);
        break;
    case REQUEST_DATA:
        a->datas++;
        CHECK(a->heads == 1 && request_data(r).len);
        if (!a->eat_nothing && a->stop_at != REQUEST_DATA) asker_eat(a, a->eat_most);
        break;
    case REQUEST_DONE:
        a->done++;
        a->over = true;
        CHECK(a->heads == 1 && !r->work);
        if (r->into == REQUEST_GATHERED) buf_add(&a->got, buf_slice(r->gathered));
        break;
    case REQUEST_FAILED:
        a->failed++;
        a->over = true;
        CHECK(!r->work && r->err.code && r->err.text[0]);
        break;
    }
    if (a->stop_at != (int)event) return;
    a->over = true;
    request_stop(r);
    request_stop(r);
    CHECK(!request_data(r).len);
    buf_release(&a->got);
    if (a->heap) {
        ++*a->freed;
        memset(a, 0xee, sizeof *a);
        free(a);
    }
}

STAGE struct asker asker_of(const char *url) {
    struct asker a = {.r = {.call = asker_heard, .name = "test", .url = slice_str(url), .into = REQUEST_GATHERED}};
    a.r.redirects = REQUEST_REDIRECTS;
    a.stop_at = -1;
    a.right = true;
    buf_init(&a.got, 1u << 26);
    return a;
}

STAGE bool asker_start(struct asker *a) {
    a->inside = true;
    err = (struct err)ERR_INIT;
    bool good = request_start(&a->r, out, &err);
    a->inside = false;
    return good;
}

/* Asks and waits; false: it failed. */
STAGE bool asker_ask(struct asker *a) {
    if (!CHECK(asker_start(a))) {
        tap_note("%s", err.text);
        return false;
    }
    until(&a->over);
    return a->done == 1 && !a->failed;
}

STAGE void asker_release(struct asker *a) {
    a->inside = true;
    request_stop(&a->r);
    a->inside = false;
    buf_release(&a->got);
}

/* URLs are written for port numbers that are not known before. */
__attribute__((format(printf, 1, 2))) STAGE const char *url_of(const char *fmt, ...) {
    static char text[8][300];
    static unsigned turn;
    char *t = text[turn++ % 8];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(t, sizeof text[0], fmt, ap);
    va_end(ap);
    return t;
}

/* --- the answering side --- */

/* The next whole request in v->got, head and body; empty: none yet. */
STAGE struct slice visit_request(struct visit *v) {
    struct slice got = buf_slice(&v->got);
    const uint8_t *end = got.len ? memmem(got.ptr, got.len, "\r\n\r\n", 4) : NULL;
    if (!end) return slice_of(NULL, 0);
    size_t head = (size_t)(end - got.ptr) + 4, body = 0;
    const uint8_t *length = memmem(got.ptr, head, "Content-Length: ", 16);
    if (length) body = strtoul((const char *)length + 16, NULL, 10);
    return got.len >= head + body ? slice_head(got, head + body) : slice_of(NULL, 0);
}

STAGE bool has(struct slice text, const char *want) {
    return text.len && memmem(text.ptr, text.len, want, strlen(want)) != NULL;
}

/* A host whose requests are kept, and answered by a function that is told the whole request. */
struct answers {
    void (*answer)(struct visit *v, struct slice request);
    struct buf log; /* all requests */
    unsigned asked;
    const char *text;   /* for answer_text */
    struct slice bytes; /* for answer_bytes */
};

STAGE void answers_heard(struct visit *v) {
    struct answers *a = v->host->arg;
    for (struct slice request; (request = visit_request(v)).len && v->s.state == STREAM_UP;) {
        a->asked++;
        v->asks++;
        buf_add(&a->log, request);
        size_t n = request.len;
        a->answer(v, request);
        visit_ate(v, n);
    }
}

STAGE void answer_text(struct visit *v, struct slice request) {
    (void)request;
    const struct answers *a = v->host->arg;
    visit_bytes(v, slice_str(a->text));
}

STAGE void answers_open(struct answers *a, struct host *h, bool tls, void (*answer)(struct visit *, struct slice)) {
    *a = (struct answers){.answer = answer};
    buf_init(&a->log, 1u << 26);
    host_open(h, answers_heard, tls);
    h->arg = a;
}

STAGE void answers_close(struct answers *a, struct host *h) {
    out_forget(out);
    host_close(h);
    buf_release(&a->log);
}

#endif
