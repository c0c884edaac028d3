/* ed25519ph_play.h - what the tests of Ed25519ph share: a fixed key, and bytes from hexadecimal. */
#ifndef TESTS_ED25519PH_PLAY_H
#define TESTS_ED25519PH_PLAY_H

#include "base/hex.h"
#include "lib/tap.h"
#include "protocols/ed25519ph.h"

#include <stdlib.h>

static inline void unhex(const char *hex, uint8_t *out, size_t len) {
    struct buf b;
    buf_init(&b, 1000);
    if (!hex_read(&b, slice_str(hex), NULL) || b.len != len) abort();
    memcpy(out, b.ptr, len);
    buf_release(&b);
}

static inline void check_hex(struct slice bytes, const char *want) {
    struct buf hex;
    buf_init(&hex, 1000);
    hex_add(&hex, bytes);
    CHECK_TEXT(buf_slice(&hex), slice_str(want));
    buf_release(&hex);
}

/* SHA-256 of "startbox seed"; its public part by the programs named in ed25519ph.c. */
#define SEED  "acafe607db65350a2bb0145f98e2455b70a69b9fca5af002389d4ed09c9d7139"
#define POINT "f3cea96c4c0181de2aefe72ccf2e5568561fa3e18305822e0afd0bb7de9ebe8b"

static inline struct ed25519ph_key key_of(const char *hex) {
    struct ed25519ph_key key;
    uint8_t seed[ED25519PH_SEED];
    unhex(hex, seed, sizeof seed);
    ed25519ph_key_set(&key, seed);
    return key;
}

#endif
