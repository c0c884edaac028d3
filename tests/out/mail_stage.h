/* mail_stage.h - a mail server that plays a part, line by line, and who sends mail to it. Included by the tests of mail.h. */
#ifndef TESTS_OUT_MAIL_STAGE_H
#define TESTS_OUT_MAIL_STAGE_H

#include "warden/disk_box.h"
#define STAGE_HAS_LOOP
#include "out/stage.h"

#include "out/mail.h"

/* What the client must say (its beginning; NULL: nothing, it is the greeting), and what is answered. "!" alone closes; NULL says nothing. */
struct part {
    const char *want, *say;
};

static const struct part *parts;
static unsigned part_at;
static bool in_data, part_tls, quit_in_data;
static struct host host;
static struct buf log_text_, message;

static void answer(struct visit *v) {
    const char *say = parts[part_at++].say;
    if (!say) return;
    if (!strcmp(say, "!")) {
        visit_close(v);
        return;
    }
    in_data = !strncmp(say, "354", 3);
    visit_bytes(v, slice_str(say));
    bool tls = part_at > 1 && parts[part_at - 1].want && !strcmp(parts[part_at - 1].want, "STARTTLS") && *say == '2';
    if (tls && part_tls) visit_secure(v);
}

static void smtp_came(struct visit *v) {
    if (!part_at) answer(v);
}

static void smtp_heard(struct visit *v) {
    while (v->s.state == STREAM_UP) {
        struct slice got = buf_slice(&v->got);
        const char *end_mark = in_data ? "\r\n.\r\n" : "\r\n";
        if (in_data && slice_starts(got, LIT(".\r\n"))) end_mark = ".\r\n"; /* an empty message */
        quit_in_data |= in_data && slice_ends(got, LIT("QUIT\r\n"));
        const uint8_t *end = got.len ? memmem(got.ptr, got.len, end_mark, strlen(end_mark)) : NULL;
        if (!end) return;
        size_t n = (size_t)(end - got.ptr) + strlen(end_mark);
        if (in_data)
            buf_add(&message, slice_head(got, n));
        else {
            buf_add(&log_text_, slice_head(got, n));
            const char *want = parts[part_at].want;
            if (want && !slice_starts(got, slice_str(want)) && CHECK(!"what the client says is what was expected"))
                tap_note("%.*s", (int)n, (const char *)got.ptr);
            if (!want) { /* the part is over */
                visit_ate(v, n);
                continue;
            }
        }
        in_data = false;
        visit_ate(v, n);
        answer(v);
    }
}

struct sender {
    struct mail m;
    struct mail_recipient to[3];
    struct source_part part;
    unsigned done, failed;
    bool over, inside;
};

static void sender_heard(struct mail *m, enum mail_event event) {
    struct sender *s = LOOP_OWNER(struct sender, m, m);
    CHECK(!s->inside && !s->over && !m->work);
    s->over = true;
    if (event == MAIL_DONE)
        s->done++;
    else {
        s->failed++;
        CHECK(m->err.code && m->err.text[0]);
    }
}

static void sender_init(struct sender *s, enum mail_way way) {
    *s = (struct sender){.m = {.call = sender_heard, .name = "test mail"}};
    s->m.host = LIT("box.test");
    s->m.port = host_port(&host);
    s->m.way = way;
    s->m.hello = LIT("home.test");
    s->m.from = LIT("me@home.test");
    s->to[0].address = LIT("a@x.test");
    s->to[1].address = LIT("b@x.test");
    s->to[2].address = LIT("c@x.test");
    s->m.recipients = s->to;
    s->m.recipient_n = 1;
    s->part.bytes = LIT("Subject: x\r\n\r\nhello\r\n");
    s->m.parts = &s->part;
    s->m.part_n = 1;
}

static bool sender_start(struct sender *s) {
    s->inside = true;
    err = (struct err)ERR_INIT;
    bool good = mail_start(&s->m, out, &err);
    s->inside = false;
    return good;
}

static void play(const struct part *list) {
    parts = list;
    part_at = 0;
    in_data = quit_in_data = false;
    buf_reset(&log_text_);
    buf_reset(&message);
}

STAGE bool sender_send(struct sender *s, const struct part *list) {
    play(list);
    if (!CHECK(sender_start(s))) {
        tap_note("%s", err.text);
        return false;
    }
    until(&s->over);
    settle();
    return s->done == 1 && !s->failed;
}

STAGE void open_mail(bool tls, bool host_tls) {
    loop = loop_new(&err);
    stage_begin(tls);
    host_open(&host, smtp_heard, host_tls);
    host.came = smtp_came;
    part_tls = tls;
    buf_init(&log_text_, 1 << 20);
    buf_init(&message, 1u << 28);
}

STAGE void close_mail(void) {
    if (host.last) stream_abort(&host.last->s);
    host_close(&host);
    stage_end();
    loop_turn(loop, 0);
    loop_free(loop);
    loop = NULL;
    buf_release(&log_text_);
    buf_release(&message);
}

STAGE void check_failure(const struct sender *s, enum err_code code, const char *want) {
    if (!CHECK(s->failed == 1 && s->m.err.code == code && strstr(s->m.err.text, want)))
        tap_note("%d: %s", s->m.err.code, s->m.err.text);
}

#define TO_HELLO                                                                                                       \
    {NULL, "220 box.test ready\r\n"}, {                                                                                \
        "EHLO home.test\r\n", "250-box.test\r\n250 SIZE\r\n"                                                           \
    }
#define TO_END                                                                                                         \
    {"MAIL FROM:<me@home.test>", "250 ok\r\n"}, {"RCPT TO:<a@x.test>\r\n", "250 ok\r\n"}, {"DATA\r\n", "354 go\r\n"},  \
        {"", "250 2.0.0 queued as 7\r\n"}, {"QUIT\r\n", "221 bye\r\n"}, {                                              \
        NULL, NULL                                                                                                     \
    }

/* The body of a message as nobody would write it: so many bytes in lines of 64. */
STAGE char *long_text(size_t size) {
    char *text = malloc(size);
    if (!text) abort();
    for (size_t k = 0; k < size; k++) text[k] = k % 64 == 63 ? '\n' : 'x';
    return text;
}

#endif
