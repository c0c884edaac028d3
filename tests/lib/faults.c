/* faults.c - see faults.h. */
#include "lib/faults.h"

#include "base/mem.h"
#include "lib/tap.h"

#define MOST 200000 /* allocations of one scenario: beyond that it is a load test, not a scenario */

bool faults_sweep(bool (*scenario)(void *arg), void *arg, const char *name) {
    for (int sticky = 0; sticky < 2; sticky++) {
        uint64_t n = 1;
        for (;; n++) {
            uint64_t before = mem_stats().live_blocks;
            mem_fault(n, sticky);
            bool good = scenario(arg);
            bool hit = mem_fault_hit();
            mem_fault(0, 0);
            if (mem_stats().live_blocks != before) {
                tap_note("%s: allocation %llu failed and %lld blocks leaked", name, (unsigned long long)n,
                         (long long)(mem_stats().live_blocks - before));
                return CHECK(!"no leak after a failed allocation");
            }
            if (!hit) {
                if (!good) return CHECK(!"the scenario succeeds when memory suffices");
                break;
            }
            if (n == MOST) return CHECK(!"the scenario is small enough to sweep");
        }
        tap_note("%s: %llu allocations failed in turn%s", name, (unsigned long long)(n - 1),
                 sticky ? ", and all after them" : "");
        if (n == 1) return CHECK(!"the scenario allocates");
    }
    return true;
}
