/* logs.c - pages of the log, and the rows of all phases that show it. See logs.h.
 *
 * Only who is master of the box may read it: it tells of visitors, and during the setup of the claim code. */
#include "system/logs.h"

#include "base/mem.h"

struct page {
    struct logs_scan scan;
    struct rpc_call *c;
};

static void page_free(struct page *p) {
    logs_scan_end(&p->scan);
    mem_put(p, sizeof *p);
}

static void drop(struct rpc_call *c) {
    page_free(c->own);
}

static void done(struct logs_scan *s, const struct err *why) {
    struct page *p = LOOP_OWNER(struct page, scan, s);
    struct rpc_call *c = p->c;
    struct val list = val_empty_array(), first = val_null(), last = val_null();
    for (size_t i = 0; i < s->n; i++)
        if (!val_push(&list, val_ref(&s->entries[i].shown))) {
            val_unref(&list);
            break;
        }
    if (s->n) {
        first = logs_cursor(s->entries[0].seq);
        last = logs_cursor(s->entries[s->n - 1].seq);
    }
    page_free(p);
    struct val answer = VAL_MAP_OF({"entries", list}, {"startCursor", first}, {"endCursor", last});
    if (!why) {
        rpc_give(c, answer);
        return;
    }
    val_unref(&answer);
    rpc_fail(c, why);
}

static void run_logs(struct rpc_call *c) {
    struct err e = ERR_INIT;
    struct page *p = mem_get_zero(sizeof *p);
    if (!p) err_nomem(&e, "the log");
    if (p) {
        p->scan.done = done;
        p->scan.system = system_of(c);
        p->c = c;
    }
    if (!p || !logs_want_read(&c->params, &p->scan.want, &e) || !logs_scan_begin(&p->scan, &e)) {
        if (p) page_free(p);
        rpc_fail(c, &e);
        return;
    }
    c->own = p;
    c->drop = drop;
}

/* --- rows --- */

static bool check_boot(const struct val *v, struct err *e) {
    int64_t back;
    return val_as_i64(v, &back) || (val_kind(v) == VAL_TEXT && val_as_text(v).len == 32) ||
           err_set(e, ERR_INVALID, "want 0, -1, ... or the 32 digits of a boot, found something else");
}
static const struct shape limit_shape = {.kind = SHAPE_INT, .min = 0, .max = 1000};
static const struct shape cursor_shape = {.kind = SHAPE_TEXT, .max = 40};
static const struct shape boot_shape = {.kind = SHAPE_ANY, .check = check_boot};

#define LIMIT_FIELD                                                                                                    \
    { .name = "limit", .shape = &limit_shape, .fallback = "50", .about = "At most so many lines." }
#define CURSOR_FIELD                                                                                                   \
    { .name = "cursor", .shape = &cursor_shape, .optional = true, .about = "Where an earlier answer began or ended." }
#define BOOT_FIELD                                                                                                     \
    {                                                                                                                  \
        .name = "boot", .shape = &boot_shape, .optional = true,                                                        \
        .about = "Only of one start of the machine: 0 is this one, -1 the one before, or its id."                      \
    }
static const struct shape_field params_fields[] = {LIMIT_FIELD,
                                                   CURSOR_FIELD,
                                                   BOOT_FIELD,
                                                   {.name = "before",
                                                    .shape = &shape_bool,
                                                    .fallback = "false",
                                                    .about = "What came before the cursor, not what came behind it."}};
const struct shape logs_params_shape = {.kind = SHAPE_RECORD, .fields = params_fields, .field_n = 4};
const struct shape logs_follow_params_shape = {.kind = SHAPE_RECORD, .fields = params_fields, .field_n = 3};
SHAPE_RECORD_OF(entry_shape, {.name = "timestamp", .shape = &shape_time}, {.name = "message", .shape = &shape_text},
                {.name = "bootId", .shape = &shape_text});
SHAPE_LIST_OF(entries_shape, entry_shape);
static const struct shape_field result_fields[] = {{.name = "entries", .shape = &entries_shape},
                                                   {.name = "startCursor", .shape = &shape_text_or_null},
                                                   {.name = "endCursor", .shape = &shape_text_or_null}};
const struct shape logs_result_shape = {.kind = SHAPE_RECORD, .fields = result_fields, .field_n = 3};
static const struct shape_field follow_fields[] = {{.name = "startCursor", .shape = &shape_text_or_null},
                                                   {.name = "guid", .shape = &shape_guid}};
const struct shape logs_follow_result_shape = {.kind = SHAPE_RECORD, .fields = follow_fields, .field_n = 2};

#define LOGS_ROW(name_, about_, phase_, run_)                                                                          \
    {                                                                                                                  \
        .name = (name_), .about = (about_), .callers = CALLER_OWNER, .where = IN_STARTD, .phases = (phase_),           \
        .run = (run_), .params = &logs_params_shape, .result = &logs_result_shape                                      \
    }
#define FOLLOW_ROW(name_, about_, phase_, run_)                                                                        \
    {                                                                                                                  \
        .name = (name_), .about = (about_), .callers = CALLER_OWNER, .where = IN_STARTD, .phases = (phase_),           \
        .run = (run_), .params = &logs_follow_params_shape, .result = &logs_follow_result_shape,                       \
        .flags = METHOD_NO_COMMAND                                                                                     \
    }

#define OURS   "Shows what the daemon has said."
#define LIVE   "The same, and then by a feed what it says from now on."
#define KERNEL "Shows what the kernel has said."
#define KLIVE  "The same of the kernel, and then by a feed what it says from now on."

const struct method system_logs_rows[] = {
    LOGS_ROW("server.logs", OURS, PHASE_RUN, run_logs),
    FOLLOW_ROW("server.logs.follow", LIVE, PHASE_RUN, logs_run_follow),
    LOGS_ROW("server.kernel-logs", KERNEL, PHASE_RUN, logs_run_kernel),
    FOLLOW_ROW("server.kernel-logs.follow", KLIVE, PHASE_RUN, logs_run_kernel_follow),
    LOGS_ROW("init.logs", OURS, PHASE_INIT, run_logs),
    FOLLOW_ROW("init.logs.follow", LIVE, PHASE_INIT, logs_run_follow),
    LOGS_ROW("init.kernel-logs", KERNEL, PHASE_INIT, logs_run_kernel),
    FOLLOW_ROW("init.kernel-logs.follow", KLIVE, PHASE_INIT, logs_run_kernel_follow),
    LOGS_ROW("setup.logs", OURS, PHASE_SETUP, run_logs),
    FOLLOW_ROW("setup.logs.follow", LIVE, PHASE_SETUP, logs_run_follow),
    LOGS_ROW("diagnostic.logs", OURS, PHASE_DIAGNOSTIC, run_logs),
    FOLLOW_ROW("diagnostic.logs.follow", LIVE, PHASE_DIAGNOSTIC, logs_run_follow),
    LOGS_ROW("diagnostic.kernel-logs", KERNEL, PHASE_DIAGNOSTIC, logs_run_kernel),
    FOLLOW_ROW("diagnostic.kernel-logs.follow", KLIVE, PHASE_DIAGNOSTIC, logs_run_kernel_follow),
    {.name = NULL},
};
