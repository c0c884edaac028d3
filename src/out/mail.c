/* mail.c - the life of a mail: beginning, its connection, time, the end. See mail.h and mail_room.h. */
#include "base/ascii.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/must.h"
#include "out/mail_room.h"
#include "out/mailbox.h"

const char *mail_phase_words(enum mail_phase phase) {
    static const char *const words[] = {
#define X(name, text, ms) [name] = text,
        MAIL_PHASES(X)
#undef X
    };
    return words[phase];
}

static int64_t phase_ms(enum mail_phase phase) {
    static const int64_t times[] = {
#define X(name, text, ms) [name] = (ms),
        MAIL_PHASES(X)
#undef X
    };
    return times[phase];
}

/* --- the end --- */

static void wipe(struct buf *b) {
    if (b->ptr) explicit_bzero(b->ptr, b->cap);
    buf_release(b);
}

static bool say_bye(struct loop_task *t) {
    struct mail_work *w = LOOP_OWNER(struct mail_work, bye, t);
    smtp_reply_release(&w->reply);
    wipe(&w->user);
    wipe(&w->password);
    arena_release(&w->arena);
    mem_put(w, sizeof *w);
    return false;
}

static void let_go(struct mail_work *w, bool polite) {
    struct conn *c = w->conn;
    w->conn = NULL;
    if (!c) return;
    if (polite && c->up && c->s.state == STREAM_UP) polite = stream_write(&c->s, LIT("QUIT\r\n"));
    conn_drop(c, polite);
}

/* Nobody is told anything any more. The block stays until everybody who stands on it has returned. */
static void retire(struct mail_work *w, bool polite) {
    w->m->work = NULL;
    w->m = NULL;
    w->phase = MAIL_OVER;
    loop_task_remove(&w->task);
    loop_timer_clear(&w->timer);
    source_stop(&w->source);
    let_go(w, polite);
    out_left(w->out);
    loop_task_queue(w->loop, &w->bye, LOOP_CLOSE);
}

void mail_stop(struct mail *m) {
    if (m->work) retire(m->work, false);
}

static void fail(struct mail_work *w, const struct err *e, bool polite) {
    struct mail *m = w->m;
    struct slice host = slice_head(w->host, 60);
    m->err = *e;
    m->unknown = w->phase == MAIL_ENDING && !polite;
    if (m->unknown)
        err_context(&m->err, "mail by %.*s, whether it was taken is not known", (int)host.len, (const char *)host.ptr);
    else
        err_context(&m->err, "mail by %.*s, %s", (int)host.len, (const char *)host.ptr, mail_phase_words(w->phase));
    retire(w, polite);
    m->call(m, MAIL_FAILED);
}

void mail_fail(struct mail_work *w, const struct err *e) {
    fail(w, e, false);
}

void mail_fail_politely(struct mail_work *w, const struct err *e) {
    fail(w, e, true);
}

void mail_done(struct mail_work *w) {
    struct mail *m = w->m;
    retire(w, true);
    m->call(m, MAIL_DONE);
}

/* --- time --- */

static uint64_t count_written(const struct mail_work *w) {
    return w->conn ? w->conn->s.written_bytes : 0;
}

static void arm(struct mail_work *w) {
    int64_t at = w->phase_at && w->phase_at < w->deadline_at ? w->phase_at : w->deadline_at;
    if (loop_timer_is_set(&w->timer) && w->timer.at_ms <= at) return; /* looked at when it rings */
    if (loop_timer_set(w->loop, &w->timer, at)) return;
    w->no_timer = true; /* nobody waits without a deadline */
    loop_task_queue(w->loop, &w->task, LOOP_LATER);
}

void mail_enter(struct mail_work *w, enum mail_phase phase) {
    int64_t ms = phase_ms(phase);
    w->phase = phase;
    w->mark = count_written(w);
    w->phase_at = ms ? loop_now_ms(w->loop) + ms : 0;
    arm(w);
}

static void ring(struct loop_timer *t) {
    struct mail_work *w = LOOP_OWNER(struct mail_work, timer, t);
    struct err e = ERR_INIT;
    int64_t now = loop_now_ms(w->loop);
    bool late = now >= w->deadline_at;
    if (!late && (!w->phase_at || now < w->phase_at)) {
        arm(w);
        return;
    }
    /* While the message leaves, what counts is that it does; waiting for the disk is not the server's fault. */
    if (!late && w->phase == MAIL_SENDING && (count_written(w) > w->mark || !stream_pending(&w->conn->s))) {
        mail_enter(w, MAIL_SENDING);
        return;
    }
    if (late)
        err_set(&e, ERR_TIMEOUT, "the time for all of it was over");
    else
        err_set(&e, ERR_TIMEOUT, "nothing was heard for %lld s", (long long)phase_ms(w->phase) / 1000);
    mail_fail(w, &e);
}

/* --- the connection --- */

bool mail_is_in_house(const struct mail_work *w) {
    return !dial_public_only(NULL, &w->conn->peer);
}

void mail_shake(struct mail_work *w) {
    struct err e = ERR_INIT;
    struct tls_client *tls = w->m->tls ? w->m->tls : out_config(w->out)->tls;
    if (!tls)
        err_set(&e, ERR_UNSUPPORTED, "TLS needs certificates to trust, and none were loaded");
    else if (conn_secure(w->conn, tls, w->host, NULL, &e)) {
        mail_enter(w, MAIL_SHAKING);
        return;
    }
    mail_fail(w, &e);
}

static void heard(struct conn *c, enum conn_event event) {
    struct mail_work *w = c->owner;
    struct err e = ERR_INIT;
    switch (event) {
    case CONN_OPEN:
        if (w->m->way == MAIL_TLS)
            mail_shake(w);
        else
            mail_enter(w, MAIL_GREETING);
        return;
    case CONN_SECURE:
        w->secure = true;
        mail_hear(w); /* behind STARTTLS it is our turn */
        return;
    case CONN_DATA: mail_hear(w); return;
    case CONN_DRAINED:
        if (w->sending) mail_send_body(w);
        return;
    case CONN_END:
        err_set(&e, ERR_NETWORK, "the server closed the connection");
        mail_fail(w, &e);
        return;
    case CONN_LATE: return;
    case CONN_FAILED:
        e = c->err;
        w->conn = NULL; /* it is gone by itself */
        mail_fail(w, &e);
        return;
    }
}

static void dial_server(struct mail_work *w) {
    struct err e = ERR_INIT;
    struct mail *m = w->m;
    w->conn = conn_new(w->loop, w, heard, &e);
    if (!w->conn) {
        mail_fail(w, &e);
        return;
    }
    mail_enter(w, MAIL_DIALLING);
    out_note_dialled(w->out);
    conn_dial(w->conn, out_config(w->out)->resolver, w->host, w->port, m->allowed, m->allowed_arg, 0);
}

/* --- beginning --- */

static void source_heard(struct source *s, enum source_event event) {
    struct mail_work *w = LOOP_OWNER(struct mail_work, source, s);
    struct err e = s->err;
    switch (event) {
    case SOURCE_OPEN: dial_server(w); return;
    case SOURCE_DATA:
        if (w->sending) mail_send_body(w);
        return;
    case SOURCE_FAILED: mail_fail(w, &e); return;
    }
}

static bool go_on(struct loop_task *t) {
    struct mail_work *w = LOOP_OWNER(struct mail_work, task, t);
    struct err e = ERR_INIT;
    if (w->no_timer) {
        err_nomem(&e, "a timer");
        mail_fail(w, &e);
        return false;
    }
    source_open(&w->source, w->loop);
    return false;
}

static bool check_host_name(struct slice name, const char *what, struct err *e) {
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        if (!ascii_is_alnum(c) && c != '-' && c != '.' && c != '_' && c != ':' && c != '[' && c != ']')
            return err_set(e, ERR_INVALID, "want a host name or an address for %s", what);
    }
    return name.len <= 255 || err_set(e, ERR_INVALID, "want at most 255 bytes for %s", what);
}

static bool check_asked(struct mail_work *w, const struct mail *m, struct err *e) {
    bool wide = false;
    if (!m->host.len) return err_set(e, ERR_INVALID, "want the host of a mail server, found none");
    if (!check_host_name(m->host, "the mail server", e) || !check_host_name(m->hello, "our own host", e)) return false;
    if (m->recipient_n > LIMIT_MAIL_RECIPIENTS)
        return err_limit(e, "LIMIT_MAIL_RECIPIENTS", LIMIT_MAIL_RECIPIENTS, ERR_NOWHERE);
    if (!m->recipient_n) return err_set(e, ERR_INVALID, "want somebody the mail is for, found nobody");
    if (m->from.len && !mailbox_check(m->from, &wide, e)) return false;
    w->wide = m->wide || wide;
    for (size_t i = 0; i < m->recipient_n; i++) {
        if (!mailbox_check(m->recipients[i].address, &wide, e)) return false;
        w->wide |= wide;
    }
    if (m->user.len > LIMIT_MAIL_SECRET || m->password.len > LIMIT_MAIL_SECRET)
        return err_limit(e, "LIMIT_MAIL_SECRET", LIMIT_MAIL_SECRET, ERR_NOWHERE);
    if (slice_find(m->user, 0) < m->user.len || slice_find(m->password, 0) < m->password.len)
        return err_set(e, ERR_INVALID, "want no NUL in the user name or password of a mail server");
    return true;
}

static bool copy_asked(struct mail_work *w, const struct mail *m, struct err *e) {
    arena_init(&w->arena, 16384);
    w->host = arena_copy(&w->arena, m->host);
    w->hello = arena_copy(&w->arena, m->hello);
    w->from = arena_copy(&w->arena, m->from);
    w->port = m->port ? m->port : m->way == MAIL_TLS ? 465 : 587;
    if (w->host.ptr && w->hello.ptr && w->from.ptr && buf_add(&w->user, m->user) && buf_add(&w->password, m->password))
        return true;
    return err_nomem(e, "a mail");
}

static void init_work(struct mail_work *w, struct mail *m, struct out *o) {
    static const struct smtp_reply_limits limits = {
        .line = LIMIT_MAIL_REPLY_LINE, .lines = LIMIT_MAIL_REPLY_LINES, .bytes = LIMIT_MAIL_REPLY_BYTES};
    w->m = m;
    w->out = o;
    w->loop = out_config(o)->loop;
    w->task = (struct loop_task)LOOP_TASK(go_on, m->name);
    w->bye = (struct loop_task)LOOP_TASK(say_bye, m->name);
    w->timer = (struct loop_timer){.call = ring, .name = m->name};
    w->source = (struct source){.call = source_heard, .name = m->name, .parts = m->parts, .part_n = m->part_n};
    w->deadline_at = m->deadline_at ? m->deadline_at : loop_now_ms(w->loop) + LIMIT_MAIL_MS;
    smtp_reply_init(&w->reply, &limits);
    buf_init(&w->user, LIMIT_MAIL_SECRET);
    buf_init(&w->password, LIMIT_MAIL_SECRET);
}

bool mail_start(struct mail *m, struct out *o, struct err *e) {
    must(m->call && m->name && !m->work);
    if (!out_enter(o, e)) return false;
    struct mail_work *w = mem_get_zero(sizeof *w);
    if (!w) {
        out_left(o);
        return err_nomem(e, "a mail");
    }
    init_work(w, m, o);
    if (!check_asked(w, m, e) || !copy_asked(w, m, e)) {
        out_left(o);
        say_bye(&w->bye);
        return false;
    }
    m->code = 0;
    m->words[0] = 0;
    m->accepted = 0;
    m->unknown = false;
    m->err = (struct err)ERR_INIT;
    for (size_t i = 0; i < m->recipient_n; i++) {
        m->recipients[i].code = 0;
        m->recipients[i].accepted = false;
        m->recipients[i].words[0] = 0;
    }
    m->work = w;
    mail_look_at(w);
    mail_enter(w, MAIL_OPENING);
    loop_task_queue(w->loop, &w->task, LOOP_ANSWER);
    return true;
}
