/* password.h - passwords as Argon2id hashes, in the text form libsodium and others write ($argon2id$v=19$m=...,t=...,p=...$salt$hash).
 *
 * For: the jobs password.hash and password.verify. Both take long and much memory on purpose: never in the reactor or the warden.
 * Never: says anything of a password or a hash in an error.
 * Tried: tests/warden/password. */
#ifndef WARDEN_PASSWORD_H
#define WARDEN_PASSWORD_H

#include "base/err.h"
#include "base/slice.h"

#include <stdint.h>

#define PASSWORD_MOST   1024 /* bytes: a sentence of anybody's; more only serves to waste work */
#define PASSWORD_HASH   128  /* bytes of a hash with its NUL */
#define PASSWORD_PASSES 3

/* What a hash made here costs on a board of so much memory: the smaller of 64 MiB and an eighth. In whole KiB. */
uint64_t password_memory(uint64_t board);

/* Memory of the process that does it, beside the program itself. Call once before a jail; false: no randomness. */
bool password_prepare(struct err *e);
bool password_hash(struct slice password, uint64_t memory, char out[PASSWORD_HASH], struct err *e);

struct password_answer {
    bool good;
    bool again; /* good, but made with other parameters than today's: hash it anew */
};
/* False: the hash is none, or wants more than `memory`. */
bool password_verify(struct slice hash, struct slice password, uint64_t memory, struct password_answer *out,
                     struct err *e);

#endif
