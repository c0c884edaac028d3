/* faults.h - runs a scenario once per allocation it makes, failing the n-th: n = 1, 2, ... until it comes through.
 *
 * The scenario returns true when it succeeded. After each run every block must have been given back. The count of
 * allocations that were made to fail is printed, so a scenario that allocates nothing is noticed. */
#ifndef TESTS_FAULTS_H
#define TESTS_FAULTS_H

#include <stdbool.h>

bool faults_sweep(bool (*scenario)(void *arg), void *arg, const char *name);

#endif
