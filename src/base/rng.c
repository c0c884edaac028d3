/* rng.c - see rng.h. */
#include "base/rng.h"

#include "base/must.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

static uint64_t seed_state; /* a hook for tests; 0 is the kernel */

void rng_use_seed(uint64_t seed) {
    seed_state = seed;
}

/* The usual splitting of a counter into well-mixed words; for tests only. */
static uint64_t next_seeded(void) {
    uint64_t z = seed_state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

void rng_bytes(void *out, size_t len) {
    uint8_t *p = out;
    while (len) {
        if (seed_state) {
            uint64_t word = next_seeded();
            size_t n = len < 8 ? len : 8;
            memcpy(p, &word, n);
            p += n;
            len -= n;
            continue;
        }
        ssize_t n = getrandom(p, len, 0);
        if (n < 0) {
            must(errno == EINTR);
            continue;
        }
        p += n;
        len -= (size_t)n;
    }
}

uint64_t rng_u64(void) {
    uint64_t n;
    rng_bytes(&n, sizeof n);
    return n;
}

uint64_t rng_below(uint64_t below) {
    must(below != 0);
    uint64_t skip = (0 - below) % below; /* the uneven rest at the bottom */
    uint64_t n;
    do n = rng_u64();
    while (n < skip);
    return n % below;
}
