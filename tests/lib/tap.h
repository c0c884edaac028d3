/* tap.h - the smallest test frame: named cases, checks inside them, one TAP line a case.
 *
 *     TEST(a_text_keeps_its_bytes) { struct val v = ...; CHECK(val_is_text(&v, LIT("x"))); val_unref(&v); }
 *     TAP_MAIN(T(a_text_keeps_its_bytes), T(...))
 *
 * A case fails when any check in it fails; the rest of it still runs. After each case the live blocks of base/mem are
 * compared with those before it: a leak is a failure. A name says what is proven. */
#ifndef TESTS_TAP_H
#define TESTS_TAP_H

#include "base/slice.h"

#include <stdbool.h>

struct tap_case {
    const char *name;
    void (*run)(void);
};

#define TEST(name) static void name(void)
#define T(name)                                                                                                        \
    { #name, name }
#define TAP_MAIN(...)                                                                                                  \
    int main(int argc, char **argv) {                                                                                  \
        static const struct tap_case tap_cases[] = {__VA_ARGS__};                                                      \
        return tap_run(argc, argv, tap_cases, sizeof tap_cases / sizeof tap_cases[0]);                                 \
    }

/* Runs all cases, or those named on the command line. */
int tap_run(int argc, char **argv, const struct tap_case *cases, unsigned n);

bool tap_check(bool good, const char *file, int line, const char *what);
bool tap_check_text(struct slice got, struct slice want, const char *file, int line, const char *what);
bool tap_check_int(long long got, long long want, const char *file, int line, const char *what);
/* A line of explanation under the current case. */
void tap_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Marks the current case as skipped, with the reason. */
void tap_skip(const char *why);

#define CHECK(x)              tap_check((x), __FILE__, __LINE__, #x)
#define CHECK_TEXT(got, want) tap_check_text((got), (want), __FILE__, __LINE__, #got)
#define CHECK_INT(got, want)  tap_check_int((long long)(got), (long long)(want), __FILE__, __LINE__, #got)

/* A copy of s that ends at a protected page: reading one byte too far is a crash, not luck. One at a time; the next call
 * ends the life of the one before. */
struct slice tap_guarded(struct slice s);

/* The whole file, allocated; exits when it cannot be read. Free with tap_free. */
struct slice tap_file(const char *path);
void tap_free(struct slice s);

#endif
