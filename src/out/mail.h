/* mail.h - one message handed to a mail server: SMTP submission (RFC 5321, RFC 6409, RFC 8314).
 *
 * For: notices and resets, to the mail server the operator named. No delivery by MX, no queue: who wants to try again asks again.
 * Owns: while it is under way, everything it needs, in a block that outlives the mail until its connection is gone. The mail itself may
 *       be freed or used again behind mail_stop, and inside MAIL_DONE and MAIL_FAILED.
 * Never: sends a password, or anything else, without TLS, but to hosts of the house when the asker says so, and then no password;
 *        believes anything that was said before TLS began; takes a reply for a command that was not sent yet; calls back from inside one of
 *        its own functions.
 * MAIL_DONE: the server has taken the message for all recipients that are marked accepted, at least one. MAIL_FAILED: it was not
 *   taken; m->unknown says that it may have been (the connection broke behind the last byte). m->code is the server's last word: 4xx
 *   may be tried again later.
 * The message: any lines ends, they become CR LF; dots are doubled as SMTP wants it. Lines over 998 bytes and NUL are refused; so are bytes
 *   beyond ASCII where the server does not take them. mime.h writes messages that need none of this.
 * Time: each step has its own, as RFC 5321 4.5.3.2 gives it; and `deadline_at` for everything.
 * Tried: tests/out/mail, tests/out/mail_trouble. */
#ifndef OUT_MAIL_H
#define OUT_MAIL_H

#include "out/out.h"
#include "out/source.h"

enum mail_event { MAIL_DONE, MAIL_FAILED };

enum mail_way {
    MAIL_TLS,      /* from the first byte; port 465 */
    MAIL_STARTTLS, /* begun in the plain; port 587 */
};

#define MAIL_WORDS 160

struct mail_recipient {
    struct slice address;
    unsigned code; /* what the server said, 0: it was not asked */
    bool accepted;
    char words[MAIL_WORDS]; /* escaped */
};

struct mail_work;

/* Embed it, zeroed but for what is asked. Texts are copied by mail_start; recipients, parts and what they point to must stay. */
struct mail {
    void (*call)(struct mail *m, enum mail_event event);
    const char *name; /* static */

    struct slice host;
    uint16_t port;       /* 0: the usual one */
    bool plain_in_house; /* without TLS when the server has none and its address is of this host or the house */
    bool all_or_none;    /* one recipient that is refused: nothing is sent */
    enum mail_way way;
    struct tls_client *tls;                              /* NULL: that of struct out */
    bool (*allowed)(void *arg, const struct address *a); /* as of dial.h */
    void *allowed_arg;
    struct slice user, password; /* user empty: no login */
    struct slice hello;          /* our host name; empty: our address */

    struct slice from; /* address; empty: nobody is told when it bounces */
    struct mail_recipient *recipients;
    size_t recipient_n;

    struct source_part *parts; /* of the message; mime.h makes them */
    size_t part_n;
    int64_t deadline_at; /* absolute; 0: LIMIT_MAIL_MS from now */
    bool wide;           /* its header has addresses beyond ASCII */

    /* What came of it. */
    bool unknown;
    unsigned code;
    char words[MAIL_WORDS]; /* the server's, escaped */
    size_t accepted;
    struct err err; /* of MAIL_FAILED */
    /* private */
    struct mail_work *work;
};

/* False: nothing will be called. */
bool mail_start(struct mail *m, struct out *o, struct err *e);
/* Legal at any time, also when nothing is under way. */
void mail_stop(struct mail *m);

#endif
