/* http1.c (fuzz) - the HTTP/1.1 reader: any cut gives the same events, the limits hold, and a message that
 * was understood can be written and read back the same. Byte 0: role and what was asked; bytes 1 and 2: the
 * cuts. */
#include "protocols/http1.h"
#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct http1_limits limits = {200, 600, 120, 40, 60, 4000};

static void add_fields(struct buf *out, const struct http_field *fields, size_t n) {
    must(n <= 20);
    for (size_t i = 0; i < n; i++) {
        buf_add(out, fields[i].name);
        buf_byte(out, '\0');
        buf_add(out, fields[i].value);
        buf_byte(out, '\n');
    }
}

/* What we would write must be taken by the reader of the other side. */
static void write_back(enum http1_role role, enum http1_method asked, const struct http1_head *h) {
    struct http_field fields[20];
    struct http1 again;
    struct http1_event ev;
    struct err e = ERR_INIT;
    struct buf wire;
    buf_init(&wire, 1200);
    bool wrote = role == HTTP1_SERVER
                     ? http1_write_request(&wire, h->method_text, h->target, h->fields, h->field_n, &e)
                     : http1_write_response(&wire, asked, h->status, h->reason, h->fields, h->field_n, &e);
    struct http1_limits loose = {1000, 1200, 10, 0, 0, 0};
    http1_init(&again, role, &loose, fields, 20);
    http1_ask(&again, asked);
    if (!wrote)
        must(role == HTTP1_CLIENT || h->minor == 0); /* those are read more kindly than they are written */
    else {
        struct fed fed = http1_feed(&again, buf_slice(&wire), &ev, &e);
        must(fed.step == STEP_EVENT && fed.used == wire.len);
        must(ev.head->field_n == h->field_n && ev.head->status == h->status && slice_eq(ev.head->target, h->target));
        must(h->minor == 0 || (ev.head->framing == h->framing && ev.head->length == h->length));
        for (size_t i = 0; i < h->field_n; i++)
            must(slice_eq(ev.head->fields[i].name, h->fields[i].name) &&
                 slice_eq(ev.head->fields[i].value, h->fields[i].value));
    }
    http1_release(&again);
    buf_release(&wire);
}

static void play(struct slice in, enum http1_role role, enum http1_method asked, unsigned cut, struct buf *out) {
    struct http_field fields[20];
    struct http1 h;
    struct http1_event ev;
    struct err e = ERR_INIT;
    struct fed fed = {0};
    uint64_t body = 0;
    http1_init(&h, role, &limits, fields, 20);
    while (in.len && fed.step != STEP_BAD && fed.step != STEP_END) {
        struct slice piece = in;
        if (cut) piece = slice_head(in, 1 + (cut = cut * 1103515245 + 12345) / 65536 % 37);
        in = slice_skip(in, piece.len);
        do {
            http1_ask(&h, asked);
            fed = http1_feed(&h, piece, &ev, &e);
            must(fed.used <= piece.len);
            piece = slice_skip(piece, fed.used);
            if (fed.step != STEP_EVENT) break;
            if (ev.kind == HTTP1_EVENT_HEAD) {
                body = 0;
                buf_printf(out, "\nhead %u %u %d %llu ", ev.head->status, ev.head->minor, ev.head->framing,
                           (unsigned long long)ev.head->length);
                buf_add(out, ev.head->target);
                add_fields(out, ev.head->fields, ev.head->field_n);
                if (!cut) write_back(role, asked, ev.head);
            } else if (ev.kind == HTTP1_EVENT_BODY) {
                must(ev.data.len && (body += ev.data.len) <= limits.body);
                buf_add(out, ev.data);
            } else if (ev.kind == HTTP1_EVENT_TRAILERS)
                add_fields(out, ev.fields, ev.field_n);
            else
                buf_add(out, LIT("\nend"));
        } while (fed.step == STEP_EVENT);
        must(fed.step != STEP_MORE || !piece.len);
    }
    if (fed.step == STEP_BAD)
        buf_printf(out, "\nbad %d at %zu %s", err_http(&e), e.at, e.text);
    else
        buf_printf(out, "\n%d", http1_eof(&h, &ev, &e).step);
    http1_release(&h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 3) return 0;
    struct slice in = slice_of(data + 3, size - 3);
    enum http1_role role = data[0] & 1 ? HTTP1_CLIENT : HTTP1_SERVER;
    enum http1_method asked = (enum http1_method)((data[0] >> 1) % (HTTP1_METHOD_OTHER + 1));
    struct buf whole, cut;
    buf_init(&whole, 1 << 22);
    buf_init(&cut, 1 << 22);
    play(in, role, asked, 0, &whole);
    play(in, role, asked, 1u + data[1] + 256u * data[2], &cut);
    must(slice_eq(buf_slice(&whole), buf_slice(&cut)));
    buf_release(&whole);
    buf_release(&cut);
    return 0;
}
