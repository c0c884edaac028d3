/* tables.h - the one visible list of what startd can do: every room's rows and branches, and the tree a new box begins with.
 *
 * Owns: the joined tables, for the life of the process. */
#ifndef STARTD_TABLES_H
#define STARTD_TABLES_H

#include "rpc/method.h"
#include "state/plan.h"

#define STARTD_ROWS 512

/* All rows of all rooms; how many. */
size_t startd_rows(const struct method **rows);
struct plan *startd_plan(struct err *e);

#endif
