/* num.c - see num.h.
 *
 * Doubles: libc's strtod and printf are exact in the C locale, which is the only one this program ever runs in
 * (setlocale is banned). Short decimals, which are nearly all, take an exact road of their own: up to 15 digits and a
 * power of ten up to 22 are both exact doubles, so one multiplication or division rounds correctly. */
#include "base/num.h"

#include "base/ascii.h"
#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

bool num_read_u64(struct slice s, uint64_t min, uint64_t max, uint64_t *out) {
    if (s.len == 0) return false;
    uint64_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (!ascii_is_digit(s.ptr[i])) return false;
        uint64_t digit = (uint64_t)(s.ptr[i] - '0');
        if (n > (UINT64_MAX - digit) / 10) return false;
        n = n * 10 + digit;
    }
    if (n < min || n > max) return false;
    *out = n;
    return true;
}

bool num_read_hex(struct slice s, uint64_t max, uint64_t *out) {
    if (s.len == 0 || s.len > 16) return false;
    uint64_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        int digit = ascii_hex(s.ptr[i]);
        if (digit < 0) return false;
        n = n << 4 | (uint64_t)digit;
    }
    if (n > max) return false;
    *out = n;
    return true;
}

size_t num_write_u64(uint8_t *out, uint64_t n) {
    uint8_t digits[NUM_U64_MAX];
    size_t len = 0;
    do digits[len++] = (uint8_t)('0' + n % 10);
    while ((n /= 10) != 0);
    for (size_t i = 0; i < len; i++) out[i] = digits[len - 1 - i];
    return len;
}

static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                              1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

size_t num_write_double(uint8_t *out, double d) {
    char text[NUM_DOUBLE_MAX];
    size_t len = 0;
    /* Find the fewest digits that read back the same. 17 always do. Of a normal double 15 survive text, and below that
     * printf's %g drops trailing zeros by itself; a subnormal one has fewer and may need only one. */
    for (int digits = isnormal(d) || d == 0 ? 15 : 1; digits <= 17; digits++) {
        len = (size_t)snprintf(text, sizeof text, "%.*g", digits, d);
        if (strtod(text, NULL) == d) break;
    }
    /* "1e+22" becomes "1e22", "1e-07" "1e-7"; and a whole number gets ".0", so that it reads back as a double. */
    size_t n = 0;
    bool marked = false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '.') marked = true;
        if (text[i] == 'e') {
            marked = true;
            out[n++] = 'e';
            i++;
            if (text[i] == '-') out[n++] = '-';
            i++;
            while (text[i] == '0') i++;
            i--;
            continue;
        }
        out[n++] = (uint8_t)text[i];
    }
    if (!marked) {
        out[n++] = '.';
        out[n++] = '0';
    }
    return n;
}

bool num_read_double(struct slice s, double *out) {
    size_t i = 0;
    bool negative = s.len && s.ptr[0] == '-';
    if (negative) i++;
    uint64_t digits = 0;
    size_t significant = 0;
    int exponent = 0;
    size_t start = i;
    while (i < s.len && ascii_is_digit(s.ptr[i])) {
        if (significant < 19) {
            digits = digits * 10 + (uint64_t)(s.ptr[i] - '0');
            if (digits) significant++;
        } else {
            significant++;
        }
        i++;
    }
    if (i == start || (s.ptr[start] == '0' && i > start + 1)) return false;
    if (i < s.len && s.ptr[i] == '.') {
        size_t point = ++i;
        while (i < s.len && ascii_is_digit(s.ptr[i])) {
            if (significant < 19) {
                digits = digits * 10 + (uint64_t)(s.ptr[i] - '0');
                if (digits) significant++;
                exponent--;
            } else {
                significant++;
            }
            i++;
        }
        if (i == point) return false;
    }
    if (i < s.len && (s.ptr[i] | 32) == 'e') {
        i++;
        bool down = i < s.len && s.ptr[i] == '-';
        if (i < s.len && (s.ptr[i] == '-' || s.ptr[i] == '+')) i++;
        size_t first = i;
        int e = 0;
        while (i < s.len && ascii_is_digit(s.ptr[i])) {
            if (e < 100000) e = e * 10 + (s.ptr[i] - '0');
            i++;
        }
        if (i == first) return false;
        exponent += down ? -e : e;
    }
    if (i != s.len) return false;
    double d;
    if (significant <= 15 && exponent >= -22 && exponent <= 22) {
        d = (double)digits;
        d = exponent < 0 ? d / tens[-exponent] : d * tens[exponent];
        if (negative) d = -d;
    } else {
        char small[128], *text = small;
        /* strtod wants an end; a number longer than this is rare and may allocate. */
        if (s.len >= sizeof small && !(text = mem_get(s.len + 1))) {
            *out = NAN;
            return false;
        }
        memcpy(text, s.ptr, s.len);
        text[s.len] = 0;
        d = strtod(text, NULL);
        if (text != small) mem_put(text, s.len + 1);
    }
    *out = d;
    return isfinite(d);
}

double num_from_half(uint16_t half) {
    int exponent = half >> 10 & 31;
    double mantissa = half & 1023;
    double d = exponent == 0    ? ldexp(mantissa, -24)
               : exponent == 31 ? (mantissa == 0 ? INFINITY : NAN)
                                : ldexp(mantissa + 1024, exponent - 25);
    return half & 0x8000 ? -d : d;
}

bool num_to_single(double d, uint32_t *bits) {
    float f = (float)d;
    memcpy(bits, &f, 4);
    return (double)f == d;
}

bool num_to_half(double d, uint16_t *half) {
    uint16_t sign = signbit(d) ? 0x8000 : 0;
    double a = fabs(d);
    if (a == 0) {
        *half = sign;
        return true;
    }
    if (isinf(d)) {
        *half = (uint16_t)(sign | 0x7c00);
        return true;
    }
    int e;
    frexp(a, &e); /* a = m * 2^e with m in [0.5, 1) */
    e--;
    if (e > 15 || e < -24) return false;
    int shift = e < -14 ? -24 : e - 10;
    double m = ldexp(a, -shift);
    if (m != floor(m)) return false;
    uint32_t n = (uint32_t)m;
    *half = (uint16_t)(sign | (e < -14 ? n : (uint32_t)(e + 15) << 10 | (n & 1023)));
    return true;
}
