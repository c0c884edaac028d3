/* mail_room.h - inside of mail.h.
 *
 *     OPENING    the files of the message are asked how long they are
 *     DIALLING   a connection is made
 *     SHAKING    TLS, at once or behind STARTTLS
 *     GREETING   220 is waited for
 *     HELLO      EHLO was sent; twice when STARTTLS stands between
 *     TLS        STARTTLS was sent
 *     LOGIN      AUTH and what follows
 *     FROM TO DATA
 *     SENDING    the message leaves
 *     ENDING     its dot was sent
 *     OVER
 *
 * One command at a time: nothing is sent before the last one was answered, so a byte too many is a server out of step, or somebody
 * between us and it. */
#ifndef OUT_MAIL_ROOM_H
#define OUT_MAIL_ROOM_H

#include "base/arena.h"
#include "out/mail.h"
#include "out/smtp_reply.h"

/* Name, words for "while ..." and how long it may take in milliseconds (RFC 5321 4.5.3.2 for the long ones). 0: has no time of
 * its own. */
#define MAIL_PHASES(X)                                                                                                 \
    X(MAIL_OPENING, "looking at the message", 0)                                                                       \
    X(MAIL_DIALLING, "reaching the server", 0)                                                                         \
    X(MAIL_SHAKING, "beginning TLS", 60000)                                                                            \
    X(MAIL_GREETING, "waiting for the greeting", 300000)                                                               \
    X(MAIL_HELLO, "EHLO", 300000)                                                                                      \
    X(MAIL_TLS_ASKED, "STARTTLS", 120000)                                                                              \
    X(MAIL_LOGIN, "AUTH", 120000)                                                                                      \
    X(MAIL_FROM, "MAIL FROM", 300000)                                                                                  \
    X(MAIL_TO, "RCPT TO", 300000)                                                                                      \
    X(MAIL_DATA, "DATA", 120000)                                                                                       \
    X(MAIL_SENDING, "sending the message", 180000)                                                                     \
    X(MAIL_ENDING, "waiting for the message to be taken", 600000)                                                      \
    X(MAIL_OVER, "nothing", 0)

enum mail_phase {
#define X(name, words, ms) name,
    MAIL_PHASES(X)
#undef X
};

enum mail_login {
    MAIL_LOGIN_PLAIN,    /* was asked without the words; they follow */
    MAIL_LOGIN_USER,     /* LOGIN: the name follows */
    MAIL_LOGIN_PASSWORD, /* LOGIN: the password follows */
    MAIL_LOGIN_SAID,     /* all was said */
};

struct mail_work {
    struct mail *m; /* NULL: OVER */
    struct out *out;
    struct loop *loop;
    struct loop_task task, bye;
    struct loop_timer timer;
    int64_t phase_at, deadline_at;
    uint64_t mark; /* bytes written when this time began */

    struct arena arena;
    struct slice host, hello, from;
    struct buf user, password; /* wiped in the end */

    struct source source;
    uint64_t grows; /* bytes that line ends will add */
    struct conn *conn;
    struct smtp_reply reply;
    uint64_t size_most; /* the server's; 0: none */
    size_t at;          /* recipient */
    size_t column;      /* of the message's line that is being sent */

    enum mail_phase phase;
    enum mail_login login;
    uint16_t port;
    bool no_timer;
    bool wide;       /* something beyond ASCII in an address */
    bool eight;      /* the message surely has bytes beyond ASCII */
    bool unseen;     /* it has parts that could not be looked at before */
    bool eight_left; /* the server takes none, so they are looked for on the way */
    bool secure;
    bool speaks_tls, takes_eight, takes_wide, says_size, auth_plain, auth_login; /* what EHLO said */
    bool sending, line_start, cr;                                                /* of the message on its way */
};

/* mail.c */
const char *mail_phase_words(enum mail_phase phase);
void mail_fail(struct mail_work *w, const struct err *e);
/* The same behind a reply that refuses: the server is told that we go. */
void mail_fail_politely(struct mail_work *w, const struct err *e);
void mail_done(struct mail_work *w);
void mail_enter(struct mail_work *w, enum mail_phase phase);
void mail_shake(struct mail_work *w);
bool mail_is_in_house(const struct mail_work *w);

/* mail_talk.c */
void mail_hear(struct mail_work *w);

/* mail_body.c */
void mail_look_at(struct mail_work *w);
void mail_begin_body(struct mail_work *w);
void mail_send_body(struct mail_work *w);

#endif
