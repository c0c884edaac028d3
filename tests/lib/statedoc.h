/* statedoc.h - a made-up state of a box with many packages, always the same for the same seed: what benchmarks and budget
 * tests work on. The shape is that of the public tree StartOS clients know. */
#ifndef TESTS_STATEDOC_H
#define TESTS_STATEDOC_H

#include "base/val.h"

/* Some 11 kB of JSON a package. VAL_NONE when memory is short. */
struct val statedoc_make(unsigned packages, uint64_t seed);

#endif
