/* mail_talk.c - the dialogue: what each reply means, and the command that follows. See mail_room.h. */
#include "base/hex.h"
#include "base/log.h"
#include "base/num.h"
#include "out/mail_room.h"

#include <arpa/inet.h>
#include <stdio.h>

#define COMMAND_MAX 512   /* RFC 5321 4.5.3.1.4, CR LF included */
#define LOGIN_MAX   12288 /* RFC 4954 4 */

static void say_words(char *to, struct slice text) {
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '\n') text.len = i; /* the first line says it */
    snprintf(to, MAIL_WORDS, "%s", log_text(text));
}

/* --- saying --- */

static void fail(struct mail_work *w, enum err_code code, const char *why) {
    struct err e = ERR_INIT;
    err_set(&e, code, "%s", why);
    mail_fail(w, &e);
}

/* Takes the buf. */
static void say(struct mail_work *w, struct buf *line, enum mail_phase phase) {
    bool good = buf_add(line, LIT("\r\n")) && stream_write(&w->conn->s, buf_slice(line));
    if (line->ptr && phase == MAIL_LOGIN) explicit_bzero(line->ptr, line->cap);
    buf_release(line);
    mail_enter(w, phase);
    if (!good) fail(w, ERR_NOMEM, "no memory for a command");
}

static void say_text(struct mail_work *w, const char *text, enum mail_phase phase) {
    struct buf line;
    buf_init(&line, COMMAND_MAX);
    buf_add_str(&line, text);
    say(w, &line, phase);
}

/* --- EHLO --- */

static void say_hello(struct mail_work *w) {
    struct buf line;
    struct address here = {.len = sizeof here.un};
    char text[INET6_ADDRSTRLEN] = "127.0.0.1";
    buf_init(&line, COMMAND_MAX);
    buf_add(&line, LIT("EHLO "));
    if (w->hello.len)
        buf_add(&line, w->hello);
    else { /* who has no name says its address (RFC 5321 4.1.4) */
        bool known = getsockname(w->conn->s.fd.fd, &here.any, &here.len) == 0;
        bool six = known && here.any.sa_family == AF_INET6;
        if (six)
            inet_ntop(AF_INET6, &here.v6.sin6_addr, text, sizeof text);
        else if (known && here.any.sa_family == AF_INET)
            inet_ntop(AF_INET, &here.v4.sin_addr, text, sizeof text);
        buf_printf(&line, "[%s%s]", six ? "IPv6:" : "", text);
    }
    say(w, &line, MAIL_HELLO);
}

static bool has_word(struct slice words, struct slice word) {
    while (words.len) {
        struct slice one = slice_cut(&words, ' ');
        if (slice_eq_nocase(one, word)) return true;
    }
    return false;
}

static void note_extensions(struct mail_work *w, struct slice text) {
    struct slice parameters;
    w->speaks_tls = smtp_extension(text, LIT("STARTTLS"), &parameters);
    w->takes_eight = smtp_extension(text, LIT("8BITMIME"), &parameters);
    w->takes_wide = smtp_extension(text, LIT("SMTPUTF8"), &parameters);
    w->says_size = smtp_extension(text, LIT("SIZE"), &parameters);
    w->size_most = 0; /* none, or not told (RFC 1870 3) */
    if (w->says_size && parameters.len && !num_read_u64(parameters, 0, UINT64_MAX, &w->size_most)) w->size_most = 0;
    bool auth = smtp_extension(text, LIT("AUTH"), &parameters);
    w->auth_plain = auth && has_word(parameters, LIT("PLAIN"));
    w->auth_login = auth && has_word(parameters, LIT("LOGIN"));
}

/* --- AUTH --- */

static void say_base64(struct mail_work *w, const char *before, struct slice text) {
    struct buf line;
    buf_init(&line, LOGIN_MAX);
    buf_add_str(&line, before);
    base64_add(&line, BASE64_STD, text);
    say(w, &line, MAIL_LOGIN);
}

/* RFC 4616: nobody acted for, who, the password. */
static void say_plain(struct mail_work *w, const char *before) {
    struct buf words;
    buf_init(&words, w->user.len + w->password.len + 2);
    buf_byte(&words, 0);
    buf_add(&words, buf_slice(&w->user));
    buf_byte(&words, 0);
    buf_add(&words, buf_slice(&w->password));
    bool good = buf_ok(&words);
    w->login = MAIL_LOGIN_SAID;
    if (good) say_base64(w, before, buf_slice(&words));
    if (words.ptr) explicit_bzero(words.ptr, words.cap);
    buf_release(&words);
    if (!good) fail(w, ERR_NOMEM, "no memory for a password");
}

static void log_in(struct mail_work *w) {
    size_t plain = BASE64_LEN(w->user.len + w->password.len + 2);
    if (!w->secure)
        fail(w, ERR_AUTHORIZATION, "the password is not sent without TLS");
    else if (w->auth_plain && plain + sizeof "AUTH PLAIN \r\n" <= COMMAND_MAX)
        say_plain(w, "AUTH PLAIN ");
    else if (w->auth_plain) {
        w->login = MAIL_LOGIN_PLAIN;
        say_text(w, "AUTH PLAIN", MAIL_LOGIN);
    } else if (w->auth_login) {
        w->login = MAIL_LOGIN_USER;
        say_text(w, "AUTH LOGIN", MAIL_LOGIN);
    } else
        fail(w, ERR_UNSUPPORTED, "the server takes no login by PLAIN or LOGIN");
}

static void go_on_login(struct mail_work *w) {
    switch (w->login) {
    case MAIL_LOGIN_PLAIN: say_plain(w, ""); return;
    case MAIL_LOGIN_USER:
        w->login = MAIL_LOGIN_PASSWORD;
        say_base64(w, "", buf_slice(&w->user));
        return;
    case MAIL_LOGIN_PASSWORD:
        w->login = MAIL_LOGIN_SAID;
        say_base64(w, "", buf_slice(&w->password));
        return;
    case MAIL_LOGIN_SAID: fail(w, ERR_NETWORK, "the server asks for more than name and password"); return;
    }
}

/* --- the envelope --- */

static void say_from(struct mail_work *w) {
    struct buf line;
    struct err e = ERR_INIT;
    uint64_t size = w->source.size + w->grows;
    if (w->wide && !w->takes_wide)
        err_set(&e, ERR_UNSUPPORTED, "the server takes no addresses beyond ASCII (it does not offer SMTPUTF8)");
    else if (w->eight && !w->takes_eight)
        err_set(&e, ERR_UNSUPPORTED,
                "the message has bytes beyond ASCII and the server takes none (it does not offer 8BITMIME)");
    else if (w->size_most && size > w->size_most)
        err_set(&e, ERR_LIMIT, "the message has %llu bytes and the server takes %llu", (unsigned long long)size,
                (unsigned long long)w->size_most);
    if (e.code) {
        mail_fail_politely(w, &e);
        return;
    }
    w->eight_left = w->unseen && !w->takes_eight;
    buf_init(&line, COMMAND_MAX + 100); /* parameters may make it longer (RFC 1870 4, RFC 6531 3.4) */
    buf_add(&line, LIT("MAIL FROM:<"));
    buf_add(&line, w->from);
    buf_byte(&line, '>');
    if (w->says_size) buf_add(&line, LIT(" SIZE=")), buf_u64(&line, size);
    if (w->takes_eight && (w->eight || w->unseen)) buf_add(&line, LIT(" BODY=8BITMIME"));
    if (w->wide) buf_add(&line, LIT(" SMTPUTF8"));
    say(w, &line, MAIL_FROM);
}

static void say_to(struct mail_work *w) {
    struct buf line;
    buf_init(&line, COMMAND_MAX);
    buf_add(&line, LIT("RCPT TO:<"));
    buf_add(&line, w->m->recipients[w->at].address);
    buf_byte(&line, '>');
    say(w, &line, MAIL_TO);
}

static void fail_refused(struct mail_work *w, unsigned code, const char *words) {
    struct err e = ERR_INIT;
    enum err_code as = code == 530 || code == 535 || code == 534 || code == 538 ? ERR_AUTHORIZATION
                       : code < 500                                             ? ERR_RATE
                       : w->phase == MAIL_TO                                    ? ERR_NOT_FOUND
                                                                                : ERR_NETWORK;
    err_set(&e, as, "the server answered %u \"%s\"", code, words);
    if (w->phase == MAIL_SENDING) /* what we said now would be part of the message */
        mail_fail(w, &e);
    else
        mail_fail_politely(w, &e);
}

/* Every recipient was asked. */
static void end_recipients(struct mail_work *w) {
    struct mail *m = w->m;
    if (m->accepted && !(m->all_or_none && m->accepted < m->recipient_n)) {
        say_text(w, "DATA", MAIL_DATA);
        return;
    }
    for (size_t i = 0; i < m->recipient_n; i++) {
        if (m->recipients[i].accepted) continue;
        m->code = m->recipients[i].code;
        memcpy(m->words, m->recipients[i].words, sizeof m->words);
        fail_refused(w, m->recipients[i].code, m->recipients[i].words);
        return;
    }
}

static void take_recipient(struct mail_work *w, unsigned code, struct slice text) {
    struct mail *m = w->m;
    struct mail_recipient *r = &m->recipients[w->at];
    r->code = code;
    r->accepted = code < 300;
    m->accepted += r->accepted;
    say_words(r->words, text);
    if (code == 421) { /* it closes now */
        fail_refused(w, code, r->words);
        return;
    }
    if (++w->at < m->recipient_n)
        say_to(w);
    else
        end_recipients(w);
}

/* --- what a reply means --- */

/* Behind the last EHLO: who we are, then the envelope. */
static void after_hello(struct mail_work *w) {
    if (!w->secure && w->speaks_tls)
        say_text(w, "STARTTLS", MAIL_TLS_ASKED);
    else if (!w->secure && !(w->m->plain_in_house && mail_is_in_house(w)))
        fail(w, ERR_AUTHORIZATION,
             w->m->plain_in_house ? "the server has no TLS and is not in the house, so nothing is sent to it"
                                  : "the server does not offer STARTTLS, so nothing is sent to it");
    else if (w->user.len)
        log_in(w);
    else
        say_from(w);
}

static void take_reply(struct mail_work *w, unsigned code, struct slice text) {
    struct mail *m = w->m;
    m->code = code;
    say_words(m->words, text);
    unsigned kind = code / 100;
    bool good = kind == 2;
    switch (w->phase) {
    case MAIL_LOGIN:
        if (code == 334) {
            go_on_login(w);
            return;
        }
        break;
    case MAIL_TO:
        if (good || kind >= 4) {
            take_recipient(w, code, text);
            return;
        }
        break;
    case MAIL_DATA: good = code == 354; break;
    default: break;
    }
    if (kind >= 4) {
        fail_refused(w, code, m->words);
        return;
    }
    if (!good) {
        struct err e = ERR_INIT;
        err_set(&e, ERR_NETWORK, "the server answered %u \"%s\", which makes no sense there", code, m->words);
        mail_fail(w, &e);
        return;
    }
    switch (w->phase) {
    case MAIL_GREETING: say_hello(w); return;
    case MAIL_HELLO:
        note_extensions(w, text);
        after_hello(w);
        return;
    case MAIL_TLS_ASKED: mail_shake(w); return;
    case MAIL_LOGIN: say_from(w); return;
    case MAIL_FROM:
        w->at = 0;
        say_to(w);
        return;
    case MAIL_DATA: mail_begin_body(w); return;
    case MAIL_ENDING: mail_done(w); return;
    case MAIL_TO:
    case MAIL_SENDING: /* good news before all was sent: handled by who called */
    case MAIL_OPENING:
    case MAIL_DIALLING:
    case MAIL_SHAKING:
    case MAIL_OVER: return;
    }
}

/* Who answers before the command has left, or says more than one thing, is out of step, or somebody else talks between us: what he
 * says later would be taken for the answer to another command. */
static bool is_in_step(struct mail_work *w, unsigned code) {
    const struct stream *s = &w->conn->s;
    if (stream_data(s).len) {
        fail(w, ERR_NETWORK, "the server said more than it was asked");
        return false;
    }
    if (code < 400 && (stream_pending(s) || w->phase == MAIL_SENDING)) {
        fail(w, ERR_NETWORK, "the server answered before it was asked");
        return false;
    }
    return true;
}

void mail_hear(struct mail_work *w) {
    if (w->phase == MAIL_SHAKING && w->secure) {
        /* By TLS from the start the greeting comes next; behind STARTTLS it was said, and all is asked anew. */
        if (w->m->way == MAIL_TLS)
            mail_enter(w, MAIL_GREETING);
        else
            say_hello(w);
    }
    while (w->m && w->phase != MAIL_SHAKING) {
        struct smtp_reply_event event;
        struct err e = ERR_INIT;
        struct fed fed = smtp_reply_feed(&w->reply, stream_data(&w->conn->s), &event, &e);
        if (fed.step == STEP_BAD) {
            err_context(&e, "reading a reply");
            mail_fail(w, &e);
            return;
        }
        stream_eat(&w->conn->s, fed.used);
        if (fed.step != STEP_EVENT) return;
        if (!is_in_step(w, event.code)) return;
        take_reply(w, event.code, event.text);
    }
}
