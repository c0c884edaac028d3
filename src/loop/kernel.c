/* kernel.c - see kernel.h. */
#include "loop/kernel.h"

#include "loop/fault.h"

#ifdef STARTBOX_TEST

static const struct kernel_twin *twin; /* NULL: the kernel itself */

void kernel_use(const struct kernel_twin *t) {
    twin = t;
}

#define FAULT_NEVER     (-1)
#define FAULT_EPOLL_CTL (op == EPOLL_CTL_DEL ? -1 : (int)FAULT_EPOLL) /* taking out never fails */
/* A fault fails the call before it happens. "short" has no meaning here and counts as an error. */
#define X(result, name, params, args, fault)                                                                           \
    result kernel_##name params {                                                                                      \
        if ((int)FAULT_##fault >= 0 && fault_next((enum fault_op)FAULT_##fault) != FAULT_NONE) return -1;              \
        return twin ? twin->name args : name args;                                                                     \
    }
KERNEL_CALLS(X)
#undef X

#else
typedef int kernel_c_is_empty;
#endif
