/* rng.h - random bytes from the kernel, and a way to fix them in tests.
 *
 * Never: falls back to anything weaker. If the kernel cannot give randomness the process ends: every key and id of the
 *        program would be guessable.
 * Tried: tests/base/bytes. */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

void rng_bytes(void *out, size_t len);
uint64_t rng_u64(void);
/* Evenly in [0, below); below must not be 0. */
uint64_t rng_below(uint64_t below);

/* Replaces the kernel by a sequence from this seed (tests, fuzzing). 0 brings the kernel back. */
void rng_use_seed(uint64_t seed);

#endif
