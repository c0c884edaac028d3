/* smtp_reply.h - the replies of an SMTP server (RFC 5321 4.2), without I/O.
 *
 * For: mail_talk.c. A reply is one code and one or more lines of text.
 * Owns: the text of the reply at hand, at most the limit. smtp_reply_release.
 * Touches: base/buf, base/err, base/ascii, protocols/step. No descriptor, clock, log.
 * Never: forgives: three digits from 200 to 559, the same on every line; "-" for more, a blank or nothing before the last; CR LF;
 *        no control characters but tab. Bytes beyond ASCII are let through: who shows them escapes them.
 * Driven: smtp_reply_feed until STEP_MORE. Eats nothing behind the end of a reply, so that who talks out of turn is seen.
 * Slices: the text lives in the reader until the next call. Errors count from smtp_reply_init.
 * Limits: struct smtp_reply_limits.
 * Tried: tests/out/smtp_reply, fuzz/smtp. */
#ifndef OUT_SMTP_REPLY_H
#define OUT_SMTP_REPLY_H

#include "base/buf.h"
#include "base/err.h"
#include "protocols/step.h"

struct smtp_reply_limits {
    size_t line;  /* a line without its CR LF */
    size_t lines; /* in one reply */
    size_t bytes; /* of text in one reply */
};

struct smtp_reply_event {
    unsigned code;
    struct slice text; /* lines, divided by LF; without codes */
};

enum smtp_reply_state {
    SMTP_REPLY_CODE, /* in the three digits */
    SMTP_REPLY_MARK, /* the character behind them */
    SMTP_REPLY_TEXT,
    SMTP_REPLY_LF, /* CR came */
    SMTP_REPLY_BAD,
};

/* The fields are the room's. */
struct smtp_reply {
    enum smtp_reply_state state;
    unsigned code, said; /* of this line so far; of the reply's first line */
    unsigned digits;
    bool last, given; /* this is the last line; the text was given out */
    size_t line, lines;
    uint64_t at;
    struct smtp_reply_limits limits;
    struct buf text;
};

void smtp_reply_init(struct smtp_reply *r, const struct smtp_reply_limits *limits);
void smtp_reply_release(struct smtp_reply *r);
struct fed smtp_reply_feed(struct smtp_reply *r, struct slice in, struct smtp_reply_event *event, struct err *e);
/* Nothing of a further reply has come yet. */
bool smtp_reply_idle(const struct smtp_reply *r);

/* Whether a line of the answer to EHLO names this extension (case does not count), and the parameters behind it. */
bool smtp_extension(struct slice text, struct slice name, struct slice *parameters);

#endif
