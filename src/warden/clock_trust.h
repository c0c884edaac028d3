/* clock_trust.h - whether the wall clock may be believed: boards have no battery, and begin in 1970 or where they stopped.
 *
 * For: clock.get and clock.trust of the warden, which alone may set the clock.
 * Trusted is a time that the kernel says is kept by a time service, or that the operator says is right; and that is neither before
 *   this program was written nor before the floor (the last time that stands in the journal). The floor only goes up.
 * Tried: tests/warden/clock. */
#ifndef WARDEN_CLOCK_TRUST_H
#define WARDEN_CLOCK_TRUST_H

#include "base/err.h"

#include <stdint.h>

/* 2026-01-01T00:00:00Z. Not the time of the build: that would make every build another. Raise it with each release year. */
#define CLOCK_BUILD_MS INT64_C(1767225600000)
#define CLOCK_MOST_MS  (CLOCK_BUILD_MS + INT64_C(100) * 365 * 86400 * 1000) /* who sets a clock beyond errs */

struct clock_trust {
    int64_t floor_ms;
    bool by_operator;
};
#define CLOCK_TRUST_INIT                                                                                               \
    { .floor_ms = CLOCK_BUILD_MS }

struct clock_state {
    int64_t wall_ms;
    bool synced, trusted;
    const char *why; /* one sentence, static */
};
struct clock_state clock_trust_state(const struct clock_trust *t);
/* The same for given facts. */
struct clock_state clock_trust_judge(const struct clock_trust *t, int64_t wall_ms, bool synced);

void clock_trust_floor(struct clock_trust *t, int64_t floor_ms); /* a lower one changes nothing */
/* Sets the clock of the machine. */
bool clock_trust_set(const struct clock_trust *t, int64_t wall_ms, struct err *e);

#endif
