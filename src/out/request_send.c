/* request_send.c - what we say: the head of a request, CONNECT for a proxy, the body. See request_room.h. */
#include "out/request_room.h"

#include "base/num.h"

#define FIELDS_MOST 80 /* the asker's and ours */
#define HOST_TEXT   280

struct fields {
    struct http_field list[FIELDS_MOST];
    size_t n;
};

static void add(struct fields *f, struct slice name, struct slice value) {
    if (f->n < FIELDS_MOST) f->list[f->n++] = (struct http_field){name, value};
}

static bool is_one_of(struct slice name, const char *const *list) {
    for (; *list; list++)
        if (slice_eq_nocase(name, slice_str(*list))) return true;
    return false;
}

bool request_check_fields(const struct request *r, struct err *e) {
    static const char *const ours[] = {"host",
                                       "content-length",
                                       "transfer-encoding",
                                       "connection",
                                       "keep-alive",
                                       "te",
                                       "proxy-connection",
                                       "proxy-authorization",
                                       "trailer",
                                       "upgrade",
                                       "expect",
                                       NULL};
    static const char *const of_decode[] = {"accept-encoding", NULL};
    static const char *const of_file[] = {"range", "if-range", NULL};
    for (size_t i = 0; i < r->field_n; i++) {
        struct slice name = r->fields[i].name;
        if (is_one_of(name, ours) || (r->decode && is_one_of(name, of_decode)) ||
            (r->into == REQUEST_FILE && is_one_of(name, of_file)))
            return err_set(e, ERR_INVALID, "the field %.*s is written by the request itself and may not be given",
                           (int)name.len, (const char *)name.ptr);
    }
    return true;
}

static bool wants_length(struct slice method) {
    return slice_eq(method, LIT("POST")) || slice_eq(method, LIT("PUT")) || slice_eq(method, LIT("PATCH"));
}

/* The asker's fields, without those that may not go here. */
static void add_asked(const struct request_work *w, struct fields *f) {
    static const char *const secret[] = {"authorization", "cookie", NULL};
    for (size_t i = 0; i < w->field_n; i++) {
        struct slice name = w->fields[i].name;
        if (w->private_dropped && is_one_of(name, secret)) continue;
        if (w->body_dropped && slice_eq_nocase(slice_head(name, 8), LIT("content-"))) continue;
        add(f, name, w->fields[i].value);
    }
}

bool request_write_head(struct request_work *w, struct buf *out, struct err *e) {
    struct fields f = {.n = 0};
    uint8_t host[HOST_TEXT], range[NUM_U64_MAX + 8], length[NUM_U64_MAX];
    struct buf host_text = {.ptr = host, .cap = sizeof host, .max = sizeof host};
    struct buf range_text = {.ptr = range, .cap = sizeof range, .max = sizeof range};
    const struct request *r = w->r;
    const struct proxy *proxy = w->hop.secure ? NULL : w->key.proxy;
    struct slice text = buf_slice(&w->hop.text);

    if (!hop_write_authority(&host_text, &w->hop, false)) return err_nomem(e, "a request");
    add(&f, LIT("Host"), buf_slice(&host_text));
    if (proxy && proxy->credentials.len) add(&f, LIT("Proxy-Authorization"), proxy->credentials);
    if (w->authorization.len && !w->private_dropped) add(&f, LIT("Authorization"), buf_slice(&w->authorization));
    if (!http_field_find(w->fields, w->field_n, LIT("user-agent")))
        add(&f, LIT("User-Agent"), slice_str(out_config(w->out)->agent));
    if (!http_field_find(w->fields, w->field_n, LIT("accept"))) add(&f, LIT("Accept"), LIT("*/*"));
    if (r->decode) add(&f, LIT("Accept-Encoding"), LIT("gzip, deflate"));
    add_asked(w, &f);
    if (r->into == REQUEST_FILE && r->file.from && w->validator.len && !w->whole) {
        buf_add(&range_text, LIT("bytes="));
        buf_u64(&range_text, r->file.from);
        buf_byte(&range_text, '-');
        add(&f, LIT("Range"), buf_slice(&range_text));
        add(&f, LIT("If-Range"), w->validator);
    }
    bool body = w->source.part_n && !w->body_dropped;
    if (body || wants_length(w->method))
        add(&f, LIT("Content-Length"), slice_of(length, num_write_u64(length, body ? w->source.size : 0)));
    /* In absolute form for a proxy; else path and query, which are the end of the text. */
    struct slice target = proxy ? text : slice_skip(text, (size_t)(w->hop.url.path.ptr - text.ptr));
    return http1_write_request(out, w->method, target, f.list, f.n, e);
}

static bool hand_over(struct request_work *w, struct buf *head, bool good, struct err *e) {
    if (good && !stream_write(&w->conn->s, buf_slice(head))) good = err_nomem(e, "a request");
    buf_release(head);
    return good;
}

bool request_send_head(struct request_work *w, struct err *e) {
    struct buf head;
    buf_init(&head, LIMIT_HTTP1_HEAD);
    return hand_over(w, &head, request_write_head(w, &head, e), e);
}

bool request_send_connect(struct request_work *w, struct err *e) {
    struct fields f = {.n = 0};
    struct buf head;
    uint8_t host[HOST_TEXT];
    struct buf authority = {.ptr = host, .cap = sizeof host, .max = sizeof host};
    if (!hop_write_authority(&authority, &w->hop, true)) return err_nomem(e, "a request");
    add(&f, LIT("Host"), buf_slice(&authority));
    if (w->key.proxy->credentials.len) add(&f, LIT("Proxy-Authorization"), w->key.proxy->credentials);
    add(&f, LIT("User-Agent"), slice_str(out_config(w->out)->agent));
    buf_init(&head, LIMIT_HTTP1_HEAD);
    return hand_over(w, &head, http1_write_request(&head, LIT("CONNECT"), buf_slice(&authority), f.list, f.n, e), e);
}

void request_send_body(struct request_work *w) {
    struct stream *s = &w->conn->s;
    while (w->sending) {
        if (stream_pending(s) >= CONN_FULL) {
            stream_owe_drained(s);
            return;
        }
        struct slice piece = slice_head(source_data(&w->source), CONN_PIECE);
        if (!piece.len) {
            w->sending = !source_over(&w->source);
            if (!w->sending) stream_owe_drained(s);
            return;
        }
        if (!stream_write(s, piece)) {
            struct err e = ERR_INIT;
            if (s->state != STREAM_UP) return; /* its end is told by the loop */
            err_nomem(&e, "the request's body");
            request_fail(w, &e);
            return;
        }
        source_eat(&w->source, piece.len);
    }
}
