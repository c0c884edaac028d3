/* mime.h - mail messages written: a text, perhaps HTML beside it, attachments from memory and from files (RFC 5322, RFC 2045 to 2047,
 * RFC 2231).
 *
 * For: whoever sends mail; what is made is a list of parts for mail.h. Everything in it is 7-bit and ends its lines in CR LF, but
 *      for addresses beyond ASCII.
 * Owns: the text of the message without attached files; those are read when it is sent, so it stays small.
 * Never: takes a line break into a header; writes Bcc (recipients are told to mail.h); looks at a clock.
 * Tried: tests/out/mime, which has python3's email module read it. */
#ifndef OUT_MIME_H
#define OUT_MIME_H

#include "out/mailbox.h"
#include "out/source.h"

struct mime_attachment {
    struct slice name;       /* of the file, UTF-8 */
    struct slice type;       /* "application/pdf"; empty: application/octet-stream. No multipart, no message */
    struct slice bytes;      /* copied */
    struct source_file file; /* with a disk: this instead. Its texts must stay until the message is sent */
};

struct mime_message {
    struct mailbox from, reply_to; /* reply_to without an address: none */
    const struct mailbox *to, *cc;
    size_t to_n, cc_n;
    struct slice subject;    /* empty: no such field */
    int64_t date;            /* seconds since 1970 */
    struct slice message_id; /* "left@right", no brackets */
    struct slice text, html; /* UTF-8; html may be empty */
    const struct mime_attachment *attachments;
    size_t attachment_n;
    bool automatic; /* nobody wrote it by hand: vacation programs should not answer (RFC 3834) */
};

struct mime {
    struct source_part *parts; /* for mail.h */
    size_t part_n;
    bool wide; /* has addresses beyond ASCII in its header */
    /* private */
    struct buf text;
    size_t part_cap;
};

/* Nothing of the message must stay but what says so. On failure there is nothing to release. */
bool mime_write(struct mime *m, const struct mime_message *message, struct err *e);
void mime_release(struct mime *m);

#endif
