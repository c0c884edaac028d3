/* http_chars.h - what a byte may be in HTTP and in a URI, as one table of bits.
 *
 * For: every room of HTTP/1.1; a run of bytes is checked with one look a byte (RFC 9110 5.6, RFC 6265 4.1,
 * RFC 3986). Never: depends on a locale or on the sign of char. Tried: tests/protocols/http1_parts. */
#ifndef PROTOCOLS_HTTP_CHARS_H
#define PROTOCOLS_HTTP_CHARS_H

#include "base/slice.h"

enum {
    HTTP_TOKEN = 1,       /* tchar */
    HTTP_VALUE = 2,       /* inside a field value: tab, space, visible, obs-text */
    HTTP_TARGET = 4,      /* may stand anywhere in a request target */
    HTTP_ODD = 8,         /* may stand in a target under conditions: % [ ] */
    HTTP_PCHAR = 16,      /* pchar of RFC 3986 but for % */
    HTTP_REGNAME = 32,    /* unreserved and sub-delims */
    HTTP_UNRESERVED = 64, /* letters, digits, - . _ ~ */
    HTTP_COOKIE = 128,    /* cookie-octet */
};

extern const uint8_t http_chars[256];

static inline bool http_is(uint8_t c, unsigned bits) {
    return (http_chars[c] & bits) != 0;
}

/* How many leading bytes of s have one of the bits. */
static inline size_t http_run(struct slice s, unsigned bits) {
    size_t n = 0;
    while (n < s.len && http_is(s.ptr[n], bits)) n++;
    return n;
}

static inline bool http_is_token(struct slice s) {
    return s.len && http_run(s, HTTP_TOKEN) == s.len;
}

/* A byte as a sentence names it: 'x', space, CR, byte 0x9f. Use it inside the call: http_seen(c).text. */
struct http_seen {
    char text[16];
};
struct http_seen http_seen(uint8_t c);

#endif
