/* num.h - numbers as text, read strictly and written exactly; and byte-wise loads.
 *
 * Never: reads a locale, skips space, accepts a sign where none was asked for, or wraps around.
 * Tried: tests/base/bytes. */
#ifndef BASE_NUM_H
#define BASE_NUM_H

#include "base/slice.h"

#define NUM_U64_MAX    20 /* digits of the largest uint64_t */
#define NUM_DOUBLE_MAX 32 /* bytes that num_write_double may need */

/* The whole slice as a decimal number in [min, max]; leading zeros are allowed. */
bool num_read_u64(struct slice s, uint64_t min, uint64_t max, uint64_t *out);
/* The same in hexadecimal, at most 16 digits, either case, no prefix. */
bool num_read_hex(struct slice s, uint64_t max, uint64_t *out);

/* Writes decimal digits, returns how many. */
size_t num_write_u64(uint8_t *out, uint64_t n);

/* The shortest text that reads back as the same double, always with '.' or 'e' in it. Only for finite numbers. */
size_t num_write_double(uint8_t *out, double d);

/* The whole slice as a JSON number (RFC 8259 grammar). False when it is not one. A number beyond the range of double
 * gives false with *out = +-infinity; one longer than 127 characters for which there is no memory, false with NaN. */
bool num_read_double(struct slice s, double *out);

/* The value of a half-precision float, and of a double as half or single where that loses nothing. */
double num_from_half(uint16_t half);
bool num_to_half(double d, uint16_t *half);
bool num_to_single(double d, uint32_t *bits);

static inline uint16_t num_be16(const uint8_t *p) {
    return (uint16_t)(p[0] << 8 | p[1]);
}
static inline uint32_t num_be32(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static inline void num_put_be32(uint8_t *p, uint32_t n) {
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(n >> (24 - 8 * i));
}
static inline void num_put_be64(uint8_t *p, uint64_t n) {
    num_put_be32(p, (uint32_t)(n >> 32));
    num_put_be32(p + 4, (uint32_t)n);
}
static inline uint64_t num_be64(const uint8_t *p) {
    return (uint64_t)num_be32(p) << 32 | num_be32(p + 4);
}

#endif
