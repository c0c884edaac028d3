/* limit.h - how often a source may try a password: some tries at once, then longer and longer waits, and never two at a time.
 *
 * For: logins. A source is an address (IPv4), or the /64 of one (IPv6). Success forgives. Sources are few and forgotten when they
 *   have been quiet; when the table is full the one that was quiet for longest makes room, but never one that is being tried.
 * Never: locks anybody out for good, or a source for what another one did.
 * Tried: tests/auth/limit. */
#ifndef AUTH_LIMIT_H
#define AUTH_LIMIT_H

#include "base/err.h"
#include "base/slice.h"

#include <stdint.h>

#define AUTH_SOURCES   1024
#define AUTH_FREE      5                      /* wrong tries before the first wait */
#define AUTH_WAIT_MS   1000                   /* the first; each further one doubles it... */
#define AUTH_WAIT_MOST 60000                  /* ...up to this */
#define AUTH_QUIET_MS  (int64_t)(3600 * 1000) /* a source without a try for so long begins anew */

struct auth_source {
    uint8_t key[8], len; /* len 0: nobody's */
    bool trying;
    uint16_t wrong;
    int64_t last_at; /* monotonic */
};

struct auth_limit {
    struct auth_source of[AUTH_SOURCES];
};

/* Whether this source may try now; then limit_end must follow. The box itself (an empty source) always may. */
bool limit_begin(struct auth_limit *l, struct slice from, int64_t now, struct err *e);
enum limit_outcome { LIMIT_RIGHT, LIMIT_WRONG, LIMIT_UNTRIED };
void limit_end(struct auth_limit *l, struct slice from, int64_t now, enum limit_outcome outcome);

#endif
