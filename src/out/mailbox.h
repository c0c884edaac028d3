/* mailbox.h - mail addresses, read strictly (RFC 5321 4.1.2, RFC 5322 3.4, RFC 6531): what people type, and what SMTP is told.
 *
 * For: mime.h and mail.h.
 * Never: takes comments, routes, groups, source quoting or control characters; so no line break ever reaches a header or a command.
 * Tried: tests/out/mime. */
#ifndef OUT_MAILBOX_H
#define OUT_MAILBOX_H

#include "base/arena.h"
#include "base/err.h"

struct mailbox {
    struct slice name;    /* as people read it, UTF-8; may be empty */
    struct slice address; /* local@domain */
    bool wide;            /* the address has characters beyond ASCII: only servers with SMTPUTF8 take it */
};

/* local@domain. The local part: atoms and dots, or a quoted string. The domain: a host name, or an address in brackets. */
bool mailbox_check(struct slice address, bool *wide, struct err *e);
/* "a@b.org", "Name <a@b.org>", "\"Last, First\" <a@b.org>". The address points into the text, the name into the arena. */
bool mailbox_read(struct arena *arena, struct slice text, struct mailbox *m, struct err *e);

/* What an atom is made of (RFC 5322 3.2.3), and the characters beyond ASCII. */
bool mailbox_is_atext(uint8_t c);

#endif
