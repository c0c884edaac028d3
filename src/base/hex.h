/* hex.h - bytes as hexadecimal, base64 and base32 text.
 *
 * Tried: tests/base/bytes. */
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include "base/buf.h"

/* Appends lower-case hexadecimal. */
bool hex_add(struct buf *b, struct slice s);
/* Appends the bytes of hexadecimal text, either case. On bad text appends nothing, returns false and sets *bad (may be
 * NULL) to the offset of the trouble. */
bool hex_read(struct buf *b, struct slice text, size_t *bad);

enum base64_form { BASE64_STD, BASE64_URL }; /* with padding; URL alphabet without */

/* Writes it to memory that has room for BASE64_LEN(s.len) bytes; returns how many were written. */
#define BASE64_LEN(n) (((n) + 2) / 3 * 4)
size_t base64_put(uint8_t *out, enum base64_form form, struct slice s);
/* Appends it, or nothing. */
bool base64_add(struct buf *b, enum base64_form form, struct slice s);
/* Strict: no spaces, the padding the form asks for, no bits left over. Appends nothing on bad text. */
bool base64_read(struct buf *b, enum base64_form form, struct slice text);

/* Base32 (RFC 4648) without padding, in its upper or lower case: BASE32_LEN(len) characters; returns how many. */
#define BASE32_LEN(n) (((n)*8 + 4) / 5)
enum base32_form { BASE32_UPPER, BASE32_LOWER };
size_t base32_put(char *out, enum base32_form form, struct slice s);

#endif
