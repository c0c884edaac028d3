/* state_tool.h - what the commands of `startbox state` share: a warden, its disk hand with the one root "state", a reactor that
 * ends with the command. Private to src/cli/state*.c. */
#ifndef CLI_STATE_TOOL_H
#define CLI_STATE_TOOL_H

#include "state/state.h"
#include "state/store.h"
#include "warden/warden.h"

struct state_options {
    const char *folder;
    uint64_t n;       /* of commits, or entries */
    uint64_t callers; /* at once */
    uint64_t keys;    /* that are changed */
    uint64_t bytes;   /* of each value */
    uint64_t to;      /* of repair: go back to this revision */
    bool has_to, quiet, cbor;
};

struct state_tool;

struct state_command {
    const char *name;
    bool writes;                                        /* wants the folder to be written */
    bool (*begin)(struct state_tool *t, struct err *e); /* false: cannot begin */
    void (*hand)(struct state_tool *t);                 /* another disk hand stands; NULL: then it gives up */
    void (*end)(struct state_tool *t);                  /* SIGTERM; NULL: it ends at once */
    void (*release)(struct state_tool *t);
};

struct state_tool {
    const struct state_options *options;
    const struct state_command *command;
    struct loop *loop;
    struct port warden, disk;
    struct store_disk store;
    bool failed;
    void *own; /* the command's */
};

/* Ends the program. */
void state_tool_over(struct state_tool *t, int code);
/* "startbox state check: why". Ends the program with the code of the error. */
void state_tool_fail(struct state_tool *t, const struct err *e);

extern const struct state_command state_check, state_dump, state_repair; /* state_look.c */
extern const struct state_command state_work, state_fill, state_time;    /* state_work.c */

#endif
