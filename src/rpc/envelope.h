/* envelope.h - a key of this process that passwords are sealed to by pages that came without TLS (JWE, protocols/jwe.h).
 *
 * For: rows that take passwords (auth, setup). Drawn when it is first wanted; gone with the process.
 * Caveat: it hides from listeners, not from whoever can change the page on its way.
 * Tried: tests/cli/startd.sh. */
#ifndef RPC_ENVELOPE_H
#define RPC_ENVELOPE_H

#include "protocols/jwk.h"
#include "state/shape.h"

struct envelope {
    bool drawn;
    uint8_t key[JWK_PRIVATE_LEN], point[JWK_PUBLIC_LEN];
};
void envelope_wipe(struct envelope *v);
/* The public half as a JWK; VAL_NONE on failure. */
struct val envelope_key(struct envelope *v, struct err *e);
/* What was given as a password: a text, or {"encrypted": JWE}; &val_none and null: nothing. Appended to out, which the caller wipes.
 * out has room for ENVELOPE_ROOM bytes, so that it does not move. */
#define ENVELOPE_ROOM (LIMIT_AUTH_PASSWORD + 64)
bool envelope_read(struct envelope *v, const struct val *given, struct buf *out, struct err *e);
/* A buffer for it, and its end. */
bool envelope_open(struct buf *out, struct err *e);
void envelope_close(struct buf *out);

/* What may be given. */
extern const struct shape password_shape, password_optional_shape;
extern const struct shape envelope_key_shape;

#endif
