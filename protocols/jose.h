/* jose.h - what JWK, JWE and JWS share: members in base64url, and the header of the flattened JSON form
 * (RFC 7515 7.2.2, RFC 7516 7.2.2).
 *
 * The header is what the protected part says; it is JSON inside base64url, so it is read here, with a limit. What
 * stands unprotected beside it is refused where it contradicts: a name twice, or a name that decides how to open.
 * Extensions (`crit`), compression (`zip`) and unencoded payloads (`b64`) are refused: none is known here.
 * Owns: nothing.
 * Never: takes randomness or keys from anywhere but its arguments.
 * Tried: tests/protocols/jose, fuzz/jose, `startbox codec jose`. */
#ifndef PROTOCOLS_JOSE_H
#define PROTOCOLS_JOSE_H

#include "base/buf.h"
#include "base/val.h"

struct jose_limits {
    size_t header; /* bytes of the protected header, decoded */
    size_t body;   /* bytes of a payload or a ciphertext, decoded */
};

/* The text member of that name; refused when it is missing or something else. */
bool jose_text(const struct val *form, const char *name, struct slice *text, struct err *e);
/* Appends the bytes of a base64url member. More than `most` are refused under the limit's name, a static string. */
bool jose_bytes(const struct val *form, const char *name, size_t most, const char *limit, struct buf *out,
                struct err *e);
/* A base64url member of exactly len bytes. */
bool jose_fixed(const struct val *form, const char *name, uint8_t *out, size_t len, struct err *e);
/* A text of base64url; VAL_NONE without memory. */
struct val jose_base64(struct slice bytes);

/* The protected header of a flattened form, a map. False when it is none, or when the form is not to be trusted. */
bool jose_read_header(const struct val *form, const struct jose_limits *limits, struct val *header, struct err *e);
/* The header as it stands in `protected`: compact JSON in base64url. */
bool jose_write_header(const struct val *header, struct val *text, struct err *e);

/* Whether the header's member of that name is this text; `want` is named in the sentence. */
bool jose_want(const struct val *header, const char *name, const char *want, struct err *e);

#endif
