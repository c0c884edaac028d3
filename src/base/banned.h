/* banned.h - functions that do not belong here, made into compile errors. Forced into every file by the build.
 *
 * Unbounded string functions, what depends on a locale or hides state, what forks or resolves names behind the loop's
 * back. memory: base/mem.h. */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

#if defined(__GNUC__) && !defined(STARTBOX_UNBANNED)
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#undef asprintf /* clang's fortified headers make macros of these */
#undef sprintf
#undef vsprintf
#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf gets strtok strtok_r strdup strndup asprintf
#pragma GCC poison atoi atol atoll setlocale rand srand random srandom tmpnam mktemp tempnam
#pragma GCC poison gethostbyname getaddrinfo gmtime localtime ctime asctime popen
#endif

#endif
