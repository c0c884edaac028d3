/* mail.c - a real mail to try the mail server with: server.test-smtp. The settings may be those that are about to be kept. */
#include "system/room.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "out/mail.h"
#include "out/mime.h"

#include <stdio.h>

#define TEST_MS 60000

struct test {
    struct rpc_call *c;
    struct system *system;
    struct mail mail;
    struct mail_recipient to;
    struct mime mime;
    struct arena arena;
    bool has_mime, asking; /* for a way out */
};

static void test_free(struct test *t) {
    if (t->asking) t->system->config.forget(t->system->config.arg, t);
    mail_stop(&t->mail);
    if (t->has_mime) mime_release(&t->mime);
    arena_release(&t->arena);
    mem_put(t, sizeof *t);
}

static void drop(struct rpc_call *c) {
    test_free(c->own);
}

static void test_fail(struct test *t, const struct err *why) {
    struct rpc_call *c = t->c;
    struct err e = *why;
    if (e.code != ERR_NOMEM && e.code != ERR_INVALID) e.code = ERR_SMTP;
    test_free(t);
    rpc_fail(c, &e);
}

static void heard(struct mail *m, enum mail_event event) {
    struct test *t = LOOP_OWNER(struct test, mail, m);
    struct rpc_call *c = t->c;
    if (event == MAIL_FAILED) {
        test_fail(t, &m->err);
        return;
    }
    test_free(t);
    rpc_give_null(c);
}

static struct slice text_of(const struct test *t, const char *name) {
    return val_as_text(val_get(&t->c->params, slice_str(name)));
}

static bool write_message(struct test *t, struct err *e) {
    struct mailbox from, to;
    char id[80];
    arena_init(&t->arena, 16384);
    if (!mailbox_read(&t->arena, text_of(t, "from"), &from, e) || !mailbox_read(&t->arena, text_of(t, "to"), &to, e))
        return false;
    snprintf(id, sizeof id, "%016llx@startbox.invalid", (unsigned long long)rng_u64());
    const struct mime_message message = {.from = from,
                                         .to = &to,
                                         .to_n = 1,
                                         .subject = LIT("Test mail of your startbox"),
                                         .date = clock_wall_ms() / 1000,
                                         .message_id = slice_str(id),
                                         .text = LIT("This is a test. If you can read it, your box can send mail.\n"),
                                         .automatic = true};
    if (!(t->has_mime = mime_write(&t->mime, &message, e))) return false;
    t->to.address = to.address;
    t->mail.from = from.address;
    t->mail.wide = t->mime.wide;
    return true;
}

/* The way out is there, or not. */
static void go_on(void *who, struct out *out, const struct err *why) {
    struct test *t = who;
    struct err e = why ? *why : (struct err)ERR_INIT;
    uint64_t port = 0;
    t->asking = false;
    if (!out || !write_message(t, &e)) {
        test_fail(t, &e);
        return;
    }
    val_as_u64(val_get(&t->c->params, LIT("port")), &port);
    t->mail.call = heard;
    t->mail.name = "test mail";
    t->mail.host = text_of(t, "host");
    t->mail.port = (uint16_t)port;
    t->mail.plain_in_house = true;
    t->mail.way = slice_eq(text_of(t, "security"), LIT("tls")) ? MAIL_TLS : MAIL_STARTTLS;
    t->mail.user = text_of(t, "username");
    t->mail.password = text_of(t, "password");
    t->mail.recipients = &t->to;
    t->mail.recipient_n = 1;
    t->mail.parts = t->mime.parts;
    t->mail.part_n = t->mime.part_n;
    t->mail.deadline_at = loop_now_ms(t->system->config.loop) + TEST_MS - 5000;
    if (!t->mail.password.len) t->mail.user = slice_of(NULL, 0);
    if (!mail_start(&t->mail, out, &e)) test_fail(t, &e);
}

static void run_test(struct rpc_call *c) {
    struct system *s = system_of(c);
    struct test *t = mem_get_zero(sizeof *t);
    struct err e = ERR_INIT;
    if (!t) {
        err_nomem(&e, "a mail");
        rpc_fail(c, &e);
        return;
    }
    t->c = c;
    t->system = s;
    t->asking = true;
    c->own = t;
    c->drop = drop;
    s->config.outside(s->config.arg, go_on, t);
}

static const struct shape words_shape = {.kind = SHAPE_TEXT, .max = 500};
static const struct shape secret_shape = {.kind = SHAPE_TEXT, .max = 500, .null = true};
static const struct shape security_shape = {.kind = SHAPE_WORD, .words = "starttls tls"};
SHAPE_RECORD_OF(
    test_params, {.name = "host", .shape = &words_shape, .alias = "server", .about = "The mail server."},
    {.name = "port", .shape = &shape_port, .about = "Its port."},
    {.name = "from", .shape = &words_shape, .about = "Whom the mail is from."},
    {.name = "to", .shape = &words_shape, .about = "Who gets it."},
    {.name = "username", .shape = &words_shape, .alias = "login", .fallback = "\"\"", .about = "Who logs in there."},
    {.name = "password",
     .shape = &secret_shape,
     .optional = true,
     .attrs = PLAN_SECRET,
     .about = "The password for it."},
    {.name = "security",
     .shape = &security_shape,
     .fallback = "\"starttls\"",
     .about = "TLS from the first byte, or begun in the plain."});

const struct method system_mail_rows[] = {
    {.name = "server.test-smtp",
     .about = "Sends a mail to try a mail server with.",
     .params = &test_params,
     .callers = CALLER_OWNER,
     .where = IN_STARTD,
     .phases = PHASE_RUN,
     .most_ms = TEST_MS,
     .run = run_test},
    {.name = NULL},
};
