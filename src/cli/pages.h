/* pages.h - `startbox methods`: the reference of all methods, made from their rows and from nothing else.
 *
 * For: main, which has the rows. The four forms stand in the repository too (docs/methods.md, the section COMMANDS of
 *      man/start-cli.1, web/api.d.ts, docs/methods.json); tests/cli/methods.sh holds them against what is printed here.
 * Owns: nothing that lasts.
 * Never: prints what depends on the machine, the time or the order of the tables.
 * Tried: tests/cli/pages, tests/cli/rows, tests/cli/methods.sh. */
#ifndef CLI_PAGES_H
#define CLI_PAGES_H

#include "rpc/method.h"

#define PAGES_MOST ((size_t)16 << 20) /* bytes of a page: some hundred rows make less than one MiB */

/* Appends the whole page or nothing. form: "md", "man", "ts" or "json". name: a method, another name of one, or the first words of
 * several; NULL: all. */
bool pages_write(struct buf *out, const char *form, const char *name, const struct method *const *rows, size_t row_n,
                 struct err *e);

/* argv: what follows `methods`. Returns the exit code. */
int pages_main(int argc, char **argv, const struct method *const *rows, size_t row_n);

#endif
