/* must.h - assertions as language.
 *
 * must(x)   an invariant of ours; stays in release, prints where and aborts. The warden restarts us and the journal is
 *           whole, so stopping is safer than going on with a broken belief.
 * never(x)  a branch believed dead, kept for defence: aborts in tests, is the plain condition in release.
 * Bytes from outside never decide either of them: they get an error. */
#ifndef BASE_MUST_H
#define BASE_MUST_H

#include <stdbool.h>

_Noreturn void must_fail(const char *what, const char *file, int line);

#define must(x) ((x) ? (void)0 : must_fail(#x, __FILE__, __LINE__))

#ifdef STARTBOX_TEST
#define never(x) ((x) ? (must_fail("never: " #x, __FILE__, __LINE__), true) : false)
#else
#define never(x) (x)
#endif

#endif
