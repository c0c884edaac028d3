/* startd.h - the daemon: options, the reactor and its wiring. man/startd.8 is its page.
 *
 * For: main. Holds no logic of any domain: it makes the rooms, joins their tables, opens the doors, and tells each what happens.
 * Owns: the run directory's files: rpc.sock, rpc.authcookie, ready.
 * Tried: tests/cli/startd.sh. */
#ifndef STARTD_STARTD_H
#define STARTD_STARTD_H

int startd_main(int argc, char **argv);

#endif
