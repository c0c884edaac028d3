/* clock.c - see clock.h. */
#include "base/clock.h"

#include <stddef.h>
#include <time.h>

static const struct clock_source *source; /* a hook for tests; NULL is the system */

static int64_t ask(clockid_t id) {
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_mono_us(void) {
    return source ? source->mono_us(source->arg) : ask(CLOCK_MONOTONIC);
}
int64_t clock_mono_ms(void) {
    return clock_mono_us() / 1000;
}
int64_t clock_wall_ms(void) {
    return (source ? source->wall_us(source->arg) : ask(CLOCK_REALTIME)) / 1000;
}
void clock_use(const struct clock_source *s) {
    source = s;
}
