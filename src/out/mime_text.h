/* mime_text.h - text as mail carries it: folded header fields, encoded-words (RFC 2047), parameters (RFC 2231), quoted-printable and
 * base64 (RFC 2045).
 *
 * Never: writes a line over 78 bytes where there is a place to fold it (76 with encoded-words in it), nor one over 998 at all; cuts
 *        a character in two; takes control characters into a header.
 * Appends; what went wrong with the buf is seen at its end.
 * Tried: tests/out/mime. */
#ifndef OUT_MIME_TEXT_H
#define OUT_MIME_TEXT_H

#include "base/buf.h"
#include "out/mailbox.h"

/* Whether the text may go into a header: UTF-8, no control characters. `what` is for the sentence. */
bool mime_check_text(struct slice text, const char *what, struct err *e);

/* "Name: text", folded. The text was checked. */
void mime_add_text_field(struct buf *out, const char *name, struct slice text);
/* "Name: a@b, C <d@e>". */
void mime_add_mailboxes(struct buf *out, const char *name, const struct mailbox *list, size_t n);
/* ";\r\n name=value" behind something in the same field. */
void mime_add_parameter(struct buf *out, const char *name, struct slice value);

/* The body of a text, with CR LF for every kind of line break. Ends in CR LF unless it is empty. */
void mime_add_quoted_printable(struct buf *out, struct slice text);
void mime_add_base64(struct buf *out, struct slice bytes);
/* How many bytes the first would append. */
size_t mime_quoted_printable_size(struct slice text);

#endif
