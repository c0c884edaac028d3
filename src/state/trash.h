/* trash.h - old versions released in slices: a version may hold a million nodes that nobody else does. Private to src/state.
 *
 * Owns: what was put in, until the loop's phase LOOP_LATER has worked it off. */
#ifndef STATE_TRASH_H
#define STATE_TRASH_H

#include "base/val.h"
#include "loop/loop.h"

#define TRASH_SLICE 200 /* blocks at once, each with some thirty counts to lower: some 0.2 ms */

struct trash {
    struct loop *loop;
    struct val_trash held;
    struct loop_task task;
};

static inline bool trash_run(struct loop_task *t) {
    return val_trash_run(&LOOP_OWNER(struct trash, task, t)->held, TRASH_SLICE);
}
static inline void trash_init(struct trash *t, struct loop *l) {
    *t = (struct trash){.loop = l, .task = LOOP_TASK(trash_run, "releasing")};
}
/* The value is VAL_NONE afterwards. */
static inline void trash_add(struct trash *t, struct val *v) {
    val_trash_add(&t->held, v);
    if (t->held.head) loop_task_queue(t->loop, &t->task, LOOP_LATER);
}
static inline void trash_release(struct trash *t) {
    val_trash_run(&t->held, SIZE_MAX);
    loop_task_remove(&t->task);
}

#endif
