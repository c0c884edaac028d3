/* must.c - the one place where a broken belief ends the process. */
#include "base/must.h"

#include <stdio.h>
#include <stdlib.h>

void must_fail(const char *what, const char *file, int line) {
    fprintf(stderr, "startbox: broken invariant at %s:%d: %s\n", file, line, what);
    abort();
}
