/* date.c - see date.h. Days are counted by arithmetic on years that begin in March, so that the leap day
 * comes last. */
#include "protocols/date.h"

#include "base/ascii.h"
#include "base/num.h"

#define DAY ((int64_t)86400)

static const char days[7][10] = {"Thursday", "Friday",  "Saturday", "Sunday",
                                 "Monday",   "Tuesday", "Wednesday"}; /* from 1970-01-01 on */
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

static int64_t count_days(int64_t year, int month, int day) {
    int64_t y = (month <= 2 ? year - 1 : year) + 400; /* one round more, so that the year 0 has no negative quotients */
    int64_t m = month <= 2 ? month + 9 : month - 3;
    return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719468 - 146097;
}

static bool is_leap(int64_t year) {
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int month_days(int64_t year, int month) {
    static const uint8_t n[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && is_leap(year) ? 29 : n[month - 1];
}

bool date_moment_ok(const struct date_moment *m, int second_max) {
    return m->year >= 0 && m->year <= 9999 && m->month >= 1 && m->month <= 12 && m->day >= 1 &&
           m->day <= month_days(m->year, m->month) && m->hour <= 23 && m->minute <= 59 && m->second <= second_max;
}

int64_t date_seconds(const struct date_moment *m) {
    return count_days(m->year, m->month, m->day) * DAY + m->hour * 3600 + m->minute * 60 + m->second;
}

static void put_digits(uint8_t *at, int64_t n, int width) {
    for (; width--; n /= 10) at[width] = (uint8_t)('0' + n % 10);
}

static const char *day_name(int64_t day) {
    return days[(day % 7 + 7) % 7];
}

struct date_moment date_of_seconds(int64_t when) {
    int64_t second = (when % DAY + DAY) % DAY, day = (when - second) / DAY;
    /* 400 years are 146097 days; inside them every quotient is exact enough, and the year may come out one
     * too high. */
    int64_t year = (day + 719468) * 400 / 146097 + 1;
    while (count_days(year, 1, 1) > day) year--;
    int month = 12;
    while (count_days(year, month, 1) > day) month--;
    return (struct date_moment){year,
                                month,
                                (int)(day - count_days(year, month, 1)) + 1,
                                (int)(second / 3600),
                                (int)(second / 60 % 60),
                                (int)(second % 60)};
}

bool date_write(int64_t when, uint8_t out[DATE_LEN]) {
    const struct date_moment first = {.year = 1, .month = 1, .day = 1};
    const struct date_moment last = {9999, 12, 31, 23, 59, 59};
    if (when < date_seconds(&first) || when > date_seconds(&last)) return false;
    const struct date_moment m = date_of_seconds(when);
    memcpy(out, "___, __ ___ ____ __:__:__ GMT", DATE_LEN);
    memcpy(out, day_name(count_days(m.year, m.month, m.day)), 3);
    put_digits(out + 5, m.day, 2);
    memcpy(out + 8, months + 3 * (m.month - 1), 3);
    put_digits(out + 12, m.year, 4);
    put_digits(out + 17, m.hour, 2);
    put_digits(out + 20, m.minute, 2);
    put_digits(out + 23, m.second, 2);
    return true;
}

static bool read_digits(struct slice text, size_t at, size_t n, int *out) {
    uint64_t value;
    if (text.len < at + n || !num_read_u64(slice_of(text.ptr + at, n), 0, 9999, &value)) return false;
    *out = (int)value;
    return true;
}

static bool read_month(struct slice text, size_t at, int *out) {
    if (text.len < at + 3) return false;
    for (int i = 0; i < 12; i++)
        if (!memcmp(text.ptr + at, months + 3 * i, 3)) return *out = i + 1, true;
    return false;
}

/* "08:49:37" */
static bool read_clock(struct slice text, size_t at, struct date_moment *m) {
    return read_digits(text, at, 2, &m->hour) && read_digits(text, at + 3, 2, &m->minute) &&
           read_digits(text, at + 6, 2, &m->second) && text.ptr[at + 2] == ':' && text.ptr[at + 5] == ':';
}

static bool has_at(struct slice text, size_t at, struct slice part) {
    return slice_starts(slice_skip(text, at), part);
}

bool date_read(struct slice text, int64_t now, int64_t *when) {
    struct date_moment m = {0};
    int year;
    size_t comma = slice_find(text, ','), named = 3; /* length of the day's name */
    bool two = false;
    if (comma == 3 && text.len == DATE_LEN) { /* Sun, 06 Nov 1994 08:49:37 GMT */
        if (!has_at(text, 4, LIT(" ")) || !has_at(text, 7, LIT(" ")) || !has_at(text, 11, LIT(" ")) ||
            !has_at(text, 16, LIT(" ")) || !has_at(text, 25, LIT(" GMT")))
            return false;
        if (!read_digits(text, 5, 2, &m.day) || !read_month(text, 8, &m.month) || !read_digits(text, 12, 4, &year) ||
            !read_clock(text, 17, &m))
            return false;
    } else if (comma < text.len) { /* Sunday, 06-Nov-94 08:49:37 GMT */
        named = comma;
        struct slice rest = slice_skip(text, comma + 1);
        if (rest.len != 23 || !has_at(rest, 0, LIT(" ")) || !has_at(rest, 3, LIT("-")) || !has_at(rest, 7, LIT("-")) ||
            !has_at(rest, 10, LIT(" ")) || !has_at(rest, 19, LIT(" GMT")))
            return false;
        if (!read_digits(rest, 1, 2, &m.day) || !read_month(rest, 4, &m.month) || !read_digits(rest, 8, 2, &year) ||
            !read_clock(rest, 11, &m))
            return false;
        two = true;
    } else { /* Sun Nov  6 08:49:37 1994 */
        if (text.len != 24 || !has_at(text, 3, LIT(" ")) || !has_at(text, 7, LIT(" ")) || !has_at(text, 10, LIT(" ")) ||
            !has_at(text, 19, LIT(" ")))
            return false;
        bool one = text.ptr[8] == ' ';
        if (!read_month(text, 4, &m.month) || !read_digits(text, one ? 9 : 8, one ? 1 : 2, &m.day) ||
            !read_clock(text, 11, &m) || !read_digits(text, 20, 4, &year))
            return false;
    }
    m.year = year;
    if (two) {
        uint8_t today[DATE_LEN];
        int this_year;
        if (!date_write(now, today) || !read_digits(slice_of(today, DATE_LEN), 12, 4, &this_year)) return false;
        /* The latest year with these digits whose date is not more than 50 years ahead, to the second. */
        for (m.year = (this_year / 100 + 1) * 100 + year; m.year >= 1; m.year -= 100) {
            struct date_moment back = m;
            back.year -= 50;
            /* A leap day may have no anniversary 50 years before; the last of February stands for it. */
            if (back.day == 29 && back.month == 2 && !is_leap(back.year)) back.day = 28;
            if (date_seconds(&back) <= now) break;
        }
    }
    if (m.year < 1 || !date_moment_ok(&m, 60)) return false;
    const char *name = day_name(count_days(m.year, m.month, m.day));
    struct slice want = slice_str(name);
    if (!slice_eq(slice_head(text, named), two ? want : slice_head(want, 3))) return false;
    *when = date_seconds(&m);
    return true;
}

static bool is_delimiter(uint8_t c) {
    return c == 9 || (c >= 0x20 && c <= 0x2f) || (c >= 0x3b && c <= 0x40) || (c >= 0x5b && c <= 0x60) ||
           (c >= 0x7b && c <= 0x7e);
}

/* Leading digits of a token: between least and most of them, no digit behind. */
static bool read_number(struct slice token, size_t least, size_t most, int *out, size_t *used) {
    size_t n = 0;
    while (n < token.len && ascii_is_digit(token.ptr[n])) n++;
    *used = n;
    return n >= least && n <= most && read_digits(token, 0, n, out);
}

static bool read_cookie_clock(struct slice token, struct date_moment *m) {
    int *parts[] = {&m->hour, &m->minute, &m->second};
    int got[3];
    for (int i = 0; i < 3; i++) {
        size_t used;
        if (!read_number(token, 1, 2, &got[i], &used)) return false;
        token = slice_skip(token, used);
        if (i < 2 && (!token.len || token.ptr[0] != ':')) return false;
        token = slice_skip(token, i < 2);
    }
    for (int i = 0; i < 3; i++) *parts[i] = got[i];
    return true;
}

bool date_read_cookie(struct slice text, int64_t *when) {
    struct date_moment m = {0};
    bool clock = false, day = false, month = false, year = false;
    for (size_t i = 0; i < text.len;) {
        size_t start = i;
        while (i < text.len && !is_delimiter(text.ptr[i])) i++;
        struct slice token = slice_of(text.ptr + start, i - start);
        if (i == start) {
            i++;
            continue;
        }
        int n = 0;
        size_t used;
        if (!clock && read_cookie_clock(token, &m))
            clock = true;
        else if (!day && read_number(token, 1, 2, &m.day, &used))
            day = true;
        else if (!month && token.len >= 3) {
            for (int k = 0; k < 12 && !month; k++) {
                month = slice_eq_nocase(slice_head(token, 3), slice_of(months + 3 * k, 3));
                if (month) m.month = k + 1;
            }
            if (month) continue;
            if (!year && read_number(token, 2, 4, &n, &used)) year = true;
        } else if (!year && read_number(token, 2, 4, &n, &used))
            year = true;
        if (year && !m.year) m.year = n >= 100 ? n : n >= 70 ? n + 1900 : n + 2000;
    }
    if (!clock || !day || !month || !year || m.year < 1601 || !date_moment_ok(&m, 59)) return false;
    *when = date_seconds(&m);
    return true;
}

/* --- RFC 3339 --- */

bool date_write_iso(int64_t ms, uint8_t out[DATE_ISO_LEN]) {
    static const int64_t first = -62167219200000, last = 253402300799999; /* the years 0 to 9999 */
    if (ms < first || ms > last) return false;
    int64_t part = (ms % 1000 + 1000) % 1000;
    const struct date_moment m = date_of_seconds((ms - part) / 1000);
    memcpy(out, "0000-00-00T00:00:00.000Z", DATE_ISO_LEN);
    put_digits(out, m.year, 4);
    put_digits(out + 5, m.month, 2);
    put_digits(out + 8, m.day, 2);
    put_digits(out + 11, m.hour, 2);
    put_digits(out + 14, m.minute, 2);
    put_digits(out + 17, m.second, 2);
    put_digits(out + 20, part, 3);
    return true;
}

/* "Z" or "+hh:mm", to the end; minutes east of Greenwich. */
static bool read_offset(struct slice text, int *minutes) {
    int hour, minute;
    *minutes = 0;
    if (slice_eq(text, LIT("Z")) || slice_eq(text, LIT("z"))) return true;
    if (text.len != 6 || (text.ptr[0] != '+' && text.ptr[0] != '-') || text.ptr[3] != ':') return false;
    if (!read_digits(text, 1, 2, &hour) || !read_digits(text, 4, 2, &minute) || hour > 23 || minute > 59) return false;
    *minutes = (hour * 60 + minute) * (text.ptr[0] == '-' ? -1 : 1);
    return true;
}

bool date_read_iso(struct slice text, int64_t *ms) {
    struct date_moment m = {0};
    int year, minutes;
    int64_t part = 0, worth = 100;
    if (text.len < 20 || !read_digits(text, 0, 4, &year) || !has_at(text, 4, LIT("-")) ||
        !read_digits(text, 5, 2, &m.month) || !has_at(text, 7, LIT("-")) || !read_digits(text, 8, 2, &m.day) ||
        (text.ptr[10] | 32) != 't' || !read_clock(text, 11, &m))
        return false;
    size_t at = 19;
    if (text.ptr[at] == '.') {
        size_t from = ++at;
        for (; at < text.len && ascii_is_digit(text.ptr[at]); at++, worth /= 10) part += (text.ptr[at] - '0') * worth;
        if (at == from) return false;
    }
    m.year = year;
    if (!date_moment_ok(&m, 60) || !read_offset(slice_skip(text, at), &minutes)) return false;
    *ms = (date_seconds(&m) - minutes * 60) * 1000 + part;
    return true;
}
