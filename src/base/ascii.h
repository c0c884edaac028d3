/* ascii.h - what kind of character a byte is, whatever the locale and the sign of char say.
 *
 * Tried: tests/base/bytes. */
#ifndef BASE_ASCII_H
#define BASE_ASCII_H

#include <stdbool.h>
#include <stdint.h>

static inline bool ascii_is_digit(uint8_t c) {
    return c >= '0' && c <= '9';
}
static inline bool ascii_is_upper(uint8_t c) {
    return c >= 'A' && c <= 'Z';
}
static inline bool ascii_is_alpha(uint8_t c) {
    return (c | 32) >= 'a' && (c | 32) <= 'z';
}
static inline bool ascii_is_alnum(uint8_t c) {
    return ascii_is_digit(c) || ascii_is_alpha(c);
}
static inline bool ascii_is_blank(uint8_t c) {
    return c == ' ' || c == '\t';
}
static inline bool ascii_is_print(uint8_t c) {
    return c >= 0x20 && c <= 0x7e;
}
static inline uint8_t ascii_lower(uint8_t c) {
    return ascii_is_upper(c) ? (uint8_t)(c | 32) : c;
}

/* The worth of a hexadecimal digit, or -1. */
static inline int ascii_hex(uint8_t c) {
    if (ascii_is_digit(c)) return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

#endif
