/* state.h - `startbox state`: looks at, mends, tries and times a store of the state, offline.
 *
 * check, dump and repair read the files themselves, with the very same recovery as a start; nothing is changed but by repair.
 * work, time and fill run as the daemon does: a warden, its disk hand, a reactor.
 * Contract: man startbox.1. Tried: tests/cli/state.sh. */
#ifndef CLI_STATE_H
#define CLI_STATE_H

/* argv[0] is the word behind "state". Returns the exit code. */
int state_main(int argc, char **argv);

#endif
