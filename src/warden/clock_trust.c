/* clock_trust.c - see clock_trust.h. */
#include "warden/clock_trust.h"

#include "base/clock.h"

#include <errno.h>
#include <sys/timex.h>
#include <time.h>

static bool ask_synced(void) {
    struct timex t = {0};
    int state = adjtimex(&t);
    return state >= 0 && state != TIME_ERROR && !(t.status & STA_UNSYNC);
}

struct clock_state clock_trust_judge(const struct clock_trust *t, int64_t wall_ms, bool synced) {
    struct clock_state s = {.wall_ms = wall_ms, .synced = synced};
    if (wall_ms < CLOCK_BUILD_MS)
        s.why = "the clock stands before the time this program was written";
    else if (wall_ms < t->floor_ms)
        s.why = "the clock stands before a time this box has already seen";
    else if (synced)
        s.why = "a time service keeps the clock";
    else if (t->by_operator)
        s.why = "the operator said the clock is right";
    else
        s.why = "no time service keeps the clock, and nobody said it is right";
    s.trusted = wall_ms >= CLOCK_BUILD_MS && wall_ms >= t->floor_ms && (synced || t->by_operator);
    return s;
}

struct clock_state clock_trust_state(const struct clock_trust *t) {
    return clock_trust_judge(t, clock_wall_ms(), ask_synced());
}

void clock_trust_floor(struct clock_trust *t, int64_t floor_ms) {
    if (floor_ms > t->floor_ms) t->floor_ms = floor_ms;
}

bool clock_trust_set(const struct clock_trust *t, int64_t wall_ms, struct err *e) {
    if (wall_ms < t->floor_ms || wall_ms > CLOCK_MOST_MS)
        return err_set(e, ERR_INVALID, "the clock is not set to a time before the floor, nor a century ahead");
    if (ask_synced()) return err_set(e, ERR_INVALID, "a time service keeps the clock: it is not set by hand");
    struct timespec at = {.tv_sec = (time_t)(wall_ms / 1000), .tv_nsec = (long)(wall_ms % 1000) * 1000000};
    if (clock_settime(CLOCK_REALTIME, &at) == 0) return true;
    if (errno == EPERM)
        return err_set(e, ERR_AUTHORIZATION,
                       "setting the clock needs CAP_SYS_TIME: start this program as root, or give it that capability");
    return err_os(e, ERR_UNKNOWN, errno, "setting the clock");
}
