/* dns_play.h - what the tests of DNS messages share: bytes from hex, names from text, reading a message to its end. */
#ifndef TESTS_PROTOCOLS_DNS_PLAY_H
#define TESTS_PROTOCOLS_DNS_PLAY_H

#include "base/hex.h"
#include "lib/tap.h"
#include "protocols/dns_write.h"

#include <stdio.h>

#define N(rows) (sizeof(rows) / sizeof((rows)[0]))

static const struct dns_limits wide = {.bytes = DNS_MESSAGE, .records = 1000, .jumps = DNS_JUMPS};
static const struct dns_limits mdns_rules = {.bytes = DNS_MESSAGE, .records = 1000, .jumps = DNS_JUMPS, .mdns = true};

/* Hex with spaces to bytes. */
static inline struct slice unhex(const char *hex) {
    static uint8_t bytes[4096];
    static char digits[8192];
    size_t n = 0;
    for (; *hex; hex++)
        if (*hex != ' ') digits[n++] = *hex;
    struct buf b = {.ptr = bytes, .cap = sizeof bytes, .max = sizeof bytes};
    CHECK(hex_read(&b, slice_of(digits, n), NULL));
    return buf_slice(&b);
}

static inline struct dns_name name_of(const char *text) {
    struct dns_name n = DNS_NAME_ROOT;
    CHECK(dns_name_from(slice_str(text), &n, NULL));
    return n;
}

static inline bool name_is(const struct dns_name *name, const char *want) {
    uint8_t text[DNS_NAME_TEXT];
    struct buf b = {.ptr = text, .cap = sizeof text, .max = sizeof text};
    dns_name_add(&b, name);
    return tap_check_text(buf_slice(&b), slice_str(want), __FILE__, __LINE__, "name");
}

/* Reads the message to its end, or to what is wrong; *last is the last record. */
static inline enum step read_all(struct slice m, const struct dns_limits *limits, struct dns_record *last,
                                 struct err *e) {
    struct dns_reader r;
    enum step step = dns_open(&r, tap_guarded(m), limits, e);
    if (step != STEP_EVENT) return step;
    while ((step = dns_next(&r, last, e)) == STEP_EVENT) continue;
    enum step again = dns_next(&r, last, NULL);
    CHECK_INT(again, step);
    return step;
}

#define QUERY "1234 0100 0001 0000 0000 0000 "
#define ONE   "1234 8180 0000 0001 0000 0000 "

#endif
