/* clock.h - the only two questions about time, and a way to answer them by hand in tests.
 *
 * Deadlines are absolute and monotonic (`_at`, milliseconds). Wall time is for people and certificates.
 * Tried: tests/base/bytes. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds on the monotonic clock. */
int64_t clock_mono_ms(void);
/* Microseconds on the monotonic clock, to measure with. */
int64_t clock_mono_us(void);
/* Milliseconds since 1970 on the wall clock. */
int64_t clock_wall_ms(void);

/* Puts another clock in place: both functions answer microseconds. NULL brings the system's back. */
struct clock_source {
    int64_t (*mono_us)(void *arg);
    int64_t (*wall_us)(void *arg);
    void *arg;
};
void clock_use(const struct clock_source *source);

#endif
