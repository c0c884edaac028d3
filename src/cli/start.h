/* start.h - start-cli: every method of the daemon as a command, made from its row. man/start-cli.1 is its page.
 *
 * For: main, which has the rows.
 * Owns: nothing that lasts but the cookies and pins of ~/.config/startbox.
 * Never: knows a method but by its row; the few that are more than a call (login, logs -f, db watch) stand in start_ways.c.
 * Tried: tests/cli/startd.sh. */
#ifndef CLI_START_H
#define CLI_START_H

#include "rpc/method.h"

int start_cli_main(int argc, char **argv, const struct method *const *rows, size_t row_n);

#endif
