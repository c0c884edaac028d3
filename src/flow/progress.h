/* progress.h - how far some work is, as people see it: phases one behind the other, and all of it together.
 *
 * For: flows (flow.h), and whoever reports without one. progress_value makes StartOS' FullProgress of it:
 *      {"overall": P, "phases": [{"name": text, "progress": P}, ...]}, where P is null (not begun), false (begun, nobody knows how
 *      far), true (complete) or {"done": n, "total": n or null, "units": "bytes", "steps" or null}.
 * Owns: the phases and their names.
 * Never: has a clock, calls but `stir`.
 *
 * A phase with weight w adds w to the total of all. It gives of that floor(w * done / total), all of w once it is complete; what was
 * given is not taken back, whatever is said later. What is complete stays so.
 * Tried: tests/flow/progress. */
#ifndef FLOW_PROGRESS_H
#define FLOW_PROGRESS_H

#include "base/val.h"

enum progress_units { PROGRESS_PLAIN, PROGRESS_BYTES, PROGRESS_STEPS };

/* The index of no phase: every function takes it, and does nothing. */
#define PROGRESS_NONE UINT32_MAX

struct progress_part;

struct progress {
    void (*stir)(struct progress *p); /* what progress_value would give has changed; may be NULL */
    /* private */
    struct progress_part *parts;
    uint32_t n, cap;
    bool weighs, ended; /* a phase has a weight; all is complete */
    uint64_t done, total;
};
/* Does not allocate; stir is NULL. */
void progress_init(struct progress *p);
void progress_release(struct progress *p);

/* Adds a phase. Weight 0: it is shown and counts for nothing; more than LIMIT_PROGRESS_WEIGHT counts as that. PROGRESS_NONE: no
 * memory, a name that is not UTF-8, or LIMIT_PROGRESS_PHASES are there. */
uint32_t progress_phase(struct progress *p, const char *name, uint64_t weight);
/* It goes on, nobody knows how far. Nothing when it is known to. */
void progress_begin(struct progress *p, uint32_t phase);
void progress_total(struct progress *p, uint32_t phase, uint64_t total, enum progress_units units);
/* So much, or so much more, of its total is done; never more than the total. */
void progress_done(struct progress *p, uint32_t phase, uint64_t done);
void progress_add(struct progress *p, uint32_t phase, uint64_t more);
void progress_phase_end(struct progress *p, uint32_t phase);
/* All is complete; phases stay as they are. */
void progress_end(struct progress *p);

/* VAL_NONE: no memory. */
struct val progress_value(const struct progress *p);

#endif
