/* date.h - dates as HTTP writes them.
 *
 * For: Date, Last-Modified, Expires, If-Modified-Since, cookies. Times are seconds since 1970 in UTC, years 1
 * to 9999. Never: looks at a clock or a time zone; "now" is an argument where a two-digit year needs it.
 * Tried: tests/protocols/http1_values, fuzz/httpfields. */
#ifndef PROTOCOLS_DATE_H
#define PROTOCOLS_DATE_H

#include "base/slice.h"

/* --- the calendar, for every codec that has dates --- */

struct date_moment {
    int64_t year;
    int month, day, hour, minute, second; /* month and day from 1 */
};
/* Whether there is such a moment, in the years 0 to 9999; second_max: 59, or 60 where a leap second may be named. */
bool date_moment_ok(const struct date_moment *m, int second_max);
int64_t date_seconds(const struct date_moment *m);
/* Of the years 0 to 10000. */
struct date_moment date_of_seconds(int64_t when);

/* --- as RFC 3339 has it, for JSON --- */

#define DATE_ISO_LEN 24 /* "2026-03-01T08:15:30.120Z" */

/* Milliseconds since 1970, of the years 0 to 9999; no NUL. False (nothing written) for another time. */
bool date_write_iso(int64_t ms, uint8_t out[DATE_ISO_LEN]);
/* In UTC or with an offset, with or without a fraction (cut to milliseconds); a leap second is the one behind it. */
bool date_read_iso(struct slice text, int64_t *ms);

/* --- as HTTP has it --- */

#define DATE_LEN 29 /* "Sun, 06 Nov 1994 08:49:37 GMT" */

/* The preferred form, no NUL. False (nothing written) for a time that has no such form. */
bool date_write(int64_t when, uint8_t out[DATE_LEN]);

/* The three forms of RFC 9110 5.6.7, exactly; the day of the week must be right. A two-digit year that would
 * lie more than 50 years after `now` is the latest such year that does not. A leap second (:60) is the second
 * after :59. */
bool date_read(struct slice text, int64_t now, int64_t *when);

/* The forgiving rule of RFC 6265 5.1.1 for the Expires of a cookie. */
bool date_read_cookie(struct slice text, int64_t *when);

#endif
