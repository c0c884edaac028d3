/* fault.c - see fault.h. */
#include "loop/fault.h"

#ifdef STARTBOX_TEST

#include "base/mem.h"
#include "base/num.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

static struct {
    bool read; /* the environment was looked at */
    enum fault_op op;
    enum fault_act act;
    uint64_t at, calls, hits;
} plan;

static bool read_op(struct slice word, enum fault_op *op) {
    static const char *const words[] = {
#define X(name, word) word,
        FAULT_OPS(X)
#undef X
            "any"};
    for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++)
        if (slice_eq(word, slice_str(words[i]))) {
            *op = (enum fault_op)i;
            return true;
        }
    return false;
}

static bool read_act(struct slice word, enum fault_act *act) {
    static const char *const words[] = {"none", "kill", "eio", "enospc", "emfile", "short"};
    for (unsigned i = 1; i < sizeof words / sizeof words[0]; i++)
        if (slice_eq(word, slice_str(words[i]))) {
            *act = (enum fault_act)i;
            return true;
        }
    return false;
}

bool fault_set(const char *text) {
    plan.read = true;
    plan.act = FAULT_NONE;
    plan.calls = plan.hits = 0;
    if (!text) return true;
    struct slice rest = slice_str(text), op = slice_cut(&rest, ':'), n = slice_cut(&rest, ':');
    if (slice_eq(op, LIT("mem"))) {
        bool starve = slice_eq(rest, LIT("starve"));
        if (!num_read_u64(n, 1, UINT64_MAX, &plan.at) || (!starve && !slice_eq(rest, LIT("fail")))) return false;
        mem_fault(plan.at, starve);
        return true;
    }
    enum fault_act act;
    if (!read_op(op, &plan.op) || !num_read_u64(n, 1, UINT64_MAX, &plan.at) || !read_act(rest, &act)) return false;
    plan.act = act;
    return true;
}

bool fault_hit(void) {
    return plan.act != FAULT_NONE && plan.hits >= plan.at;
}

uint64_t fault_calls(void) {
    return plan.calls;
}

enum fault_act fault_next(enum fault_op op) {
    if (!plan.read) fault_set(getenv("STARTBOX_FAULT"));
    bool ours =
        op == FAULT_FORK || op == FAULT_VERB; /* no calls of the kernel by files or sockets: "any" does not mean them */
    if (!ours) plan.calls++;
    if (plan.act == FAULT_NONE || (plan.op == FAULT_ANY ? ours : plan.op != op) || ++plan.hits != plan.at)
        return FAULT_NONE;
    if (plan.act == FAULT_KILL) {
        raise(SIGKILL);
        for (;;) {
        }
    }
    errno = plan.act == FAULT_ENOSPC ? ENOSPC : plan.act == FAULT_EMFILE ? EMFILE : EIO;
    return plan.act;
}

#else
/* Nothing: a release has no faults but its own. */
typedef int fault_c_is_empty;
#endif
