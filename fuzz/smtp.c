/* smtp.c - any bytes as replies of an SMTP server: the law of division, the limits, and that a reply that was understood reads the same
 * when it is written again.
 *
 * First byte: the cuts. Second: the limits. */
#include "base/must.h"
#include "out/smtp_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_again(const struct smtp_reply_event *event, struct buf *to) {
    struct slice rest = event->text;
    for (bool last = false; !last;) {
        size_t n = slice_find(rest, '\n');
        last = n == rest.len;
        buf_printf(to, "%u%c", event->code, last ? ' ' : '-');
        buf_add(to, slice_head(rest, n));
        buf_add(to, LIT("\r\n"));
        rest = slice_skip(rest, n + 1);
    }
}

static void check_event(const struct smtp_reply_event *event, const struct smtp_reply_limits *limits) {
    static const struct smtp_reply_limits wide = {1 << 20, 1 << 20, 1 << 20};
    struct smtp_reply again;
    struct smtp_reply_event same;
    struct slice parameters;
    struct buf text;
    size_t lines = 1;
    must(event->code >= 200 && event->code <= 559 && event->text.len <= limits->bytes);
    for (size_t i = 0; i < event->text.len; i++) lines += event->text.ptr[i] == '\n';
    must(lines <= limits->lines);
    buf_init(&text, 1 << 20);
    write_again(event, &text);
    smtp_reply_init(&again, &wide);
    struct fed fed = smtp_reply_feed(&again, buf_slice(&text), &same, NULL);
    must(fed.step == STEP_EVENT && fed.used == text.len && same.code == event->code &&
         slice_eq(same.text, event->text));
    if (smtp_extension(event->text, LIT("SIZE"), &parameters))
        must(parameters.ptr >= event->text.ptr && parameters.len <= event->text.len);
    smtp_reply_release(&again);
    buf_release(&text);
}

static void read_all(struct slice in, const struct smtp_reply_limits *limits, size_t step, struct buf *out) {
    struct smtp_reply r;
    struct err e = ERR_INIT;
    bool bad = false;
    smtp_reply_init(&r, limits);
    while (!bad && in.len) {
        struct slice piece = slice_head(in, step);
        struct smtp_reply_event event;
        struct fed fed;
        in = slice_skip(in, piece.len);
        do {
            fed = smtp_reply_feed(&r, piece, &event, &e);
            piece = slice_skip(piece, fed.used);
            if (fed.step != STEP_EVENT) continue;
            check_event(&event, limits);
            buf_printf(out, "%u:", event.code);
            buf_add(out, event.text);
        } while (fed.step == STEP_EVENT);
        bad = fed.step == STEP_BAD;
    }
    buf_printf(out, "%d %d %zu", bad, !bad && smtp_reply_idle(&r), bad ? e.at : 0);
    smtp_reply_release(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2 || size > 1u << 15) return 0;
    struct slice in = slice_of(data + 2, size - 2);
    struct smtp_reply_limits limits = {.line = 4 + data[1], .lines = 1 + data[1] % 16u, .bytes = 2u * data[1]};
    struct buf whole, cut;
    buf_init(&whole, 1u << 20);
    buf_init(&cut, 1u << 20);
    read_all(in, &limits, SIZE_MAX, &whole);
    read_all(in, &limits, 1 + data[0] % 16u, &cut);
    must(slice_eq(buf_slice(&whole), buf_slice(&cut)));
    buf_release(&whole);
    buf_release(&cut);
    return 0;
}
