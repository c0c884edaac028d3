/* state_look.c - `startbox state check`, `dump` and `repair`: what a start would make of a store, and what can be done about it. */
#include "base/clock.h"
#include "base/mem.h"
#include "cli/state_tool.h"
#include "protocols/cbor.h"
#include "protocols/json.h"
#include "state/plan.h"
#include "state/snapshot.h"

#include <stdio.h>

struct look {
    struct state_tool *tool;
    struct recover_config config;
    struct store_reader reader;
    /* repair */
    enum { REPAIR_FOLDER, REPAIR_WRITES, REPAIR_MOVES } step;
    struct call call;
    struct snapshot snapshot;
    struct plan *plan;
    char aside[STATE_NAME];
    size_t moved;
};

static const char *const grades[] = {"note", "torn", "mended", "damage"};

static void say_findings(const struct recover_result *r) {
    for (unsigned i = 0; i < r->finding_n; i++)
        fprintf(stderr, "%s: %s\n", grades[r->findings[i].grade], r->findings[i].text);
    if (r->finding_all > r->finding_n) fprintf(stderr, "and %u more\n", r->finding_all - r->finding_n);
}

static bool is_damaged(const struct recover_result *r) {
    bool damaged = r->damaged || r->mended;
    for (unsigned i = 0; i < r->finding_n; i++) damaged |= r->findings[i].grade >= RECOVER_MENDED;
    return damaged;
}

typedef void read_fn(struct store_reader *r, const struct err *e);

static struct look *make_look(struct state_tool *t, read_fn *done, struct err *e) {
    struct look *l = mem_get_zero(sizeof *l);
    if (!l) {
        err_nomem(e, "looking at a store");
        return NULL;
    }
    t->own = l;
    l->tool = t;
    l->config = (struct recover_config){.all = true, .past_damage = true, .most = LIMIT_STATE_SNAPSHOT};
    l->reader.done = done;
    return l;
}

static bool begin_reading(struct state_tool *t, read_fn *done, struct err *e) {
    struct look *l = make_look(t, done, e);
    return l && store_read(&l->reader, &t->store, &l->config, e);
}

static void release(struct state_tool *t) {
    struct look *l = t->own;
    if (!l) return;
    call_cancel(&l->call);
    snapshot_stop(&l->snapshot);
    store_read_stop(&l->reader);
    recover_result_release(&l->reader.result);
    plan_free(l->plan);
    mem_put(l, sizeof *l);
}

/* Whether there is something to go on with; else the program ends. */
static bool has_read(struct look *l, const struct err *e) {
    struct err none = ERR_INIT;
    if (!e && l->reader.result.empty) {
        err_set(&none, ERR_NOT_FOUND, "there is no store in %s", l->tool->options->folder);
        e = &none;
    }
    if (e) state_tool_fail(l->tool, e);
    return !e;
}

/* --- check --- */

static void checked(struct store_reader *reader, const struct err *e) {
    struct look *l = LOOP_OWNER(struct look, reader, reader);
    const struct recover_result *r = &reader->result;
    if (!has_read(l, e)) return;
    printf("revision %llu\n", (unsigned long long)r->revision);
    struct slice name = val_as_text(&r->name);
    fprintf(
        stderr,
        "state \"%.*s\" version %u, snapshot of revision %llu (%llu bytes), journal to revision %llu (%llu bytes)\n",
        (int)name.len, (const char *)name.ptr, (unsigned)r->version, (unsigned long long)r->snapshot_revision,
        (unsigned long long)r->snapshot_bytes, (unsigned long long)r->journalled, (unsigned long long)r->journal_bytes);
    say_findings(r);
    state_tool_over(l->tool, is_damaged(r) || r->refused ? 1 : 0);
}

static bool begin_check(struct state_tool *t, struct err *e) {
    return begin_reading(t, checked, e);
}
const struct state_command state_check = {.name = "check", .begin = begin_check, .release = release};

/* --- dump --- */

static bool print_tree(const struct val *root, bool cbor, struct err *e) {
    struct buf out;
    buf_init(&out, SIZE_MAX / 2);
    bool good = cbor ? cbor_write(&out, root, e) : json_write(&out, root, JSON_INDENTED, e);
    if (!good && !cbor && e->code == ERR_SERIALIZE) { /* bytes, somewhere private */
        buf_reset(&out);
        good = json_write(&out, root, JSON_DIAG, e);
    }
    if (good && !cbor) buf_byte(&out, '\n');
    good = good && (buf_ok(&out) || err_nomem(e, "the dump"));
    if (good && fwrite(out.ptr, 1, out.len, stdout) != out.len)
        good = err_set(e, ERR_FILESYSTEM, "standard output takes no more");
    buf_release(&out);
    return good;
}

static void dumped(struct store_reader *reader, const struct err *e) {
    struct look *l = LOOP_OWNER(struct look, reader, reader);
    struct recover_result *r = &reader->result;
    struct err own = ERR_INIT;
    if (!has_read(l, e)) return;
    say_findings(r);
    if (val_is_none(&r->root))
        state_tool_fail(l->tool, &r->why);
    else if (!plan_hide(&r->root, &r->secret, &own) || !print_tree(&r->root, l->tool->options->cbor, &own))
        state_tool_fail(l->tool, &own);
    else
        state_tool_over(l->tool, is_damaged(r) ? 1 : 0);
}

static bool begin_dump(struct state_tool *t, struct err *e) {
    return begin_reading(t, dumped, e);
}
const struct state_command state_dump = {.name = "dump", .begin = begin_dump, .release = release};

/* --- repair: a new snapshot of what can be had; everything else goes aside, nothing is removed --- */

static void go_on(struct call *c, struct call_answer *a);

static bool set_aside(struct look *l, const char *name, struct err *e) {
    char to[2 * STATE_NAME + 2];
    snprintf(to, sizeof to, "%s/%s", l->aside, name);
    l->call = (struct call){.done = go_on};
    return store_rename(&l->tool->store, &l->call, name, to, e);
}

/* Everything the new snapshot has made superfluous. */
static bool move_next(struct look *l, struct err *e) {
    struct state_tool *t = l->tool;
    char fresh[STATE_NAME];
    snapshot_name(fresh, l->reader.result.revision);
    while (l->moved < l->reader.file_n) {
        const char *name = l->reader.files[l->moved++].name;
        uint64_t n;
        if (!segment_name_read(slice_str(name), &n) && !snapshot_name_read(slice_str(name), &n)) continue;
        if (strcmp(name, fresh) != 0) return set_aside(l, name, e);
    }
    printf("revision %llu\n", (unsigned long long)l->reader.result.revision);
    fprintf(stderr, "the store is at revision %llu; what it was before is in %s/%s\n",
            (unsigned long long)l->reader.result.revision, t->options->folder, l->aside);
    state_tool_over(t, 0);
    return true;
}

static bool begin_snapshot(struct look *l, struct err *e);

/* A damaged snapshot of the very number would be replaced: it goes aside before. A good one is where the tree comes from. */
static bool make_way(struct look *l, struct err *e) {
    const struct recover_result *r = &l->reader.result;
    char fresh[STATE_NAME];
    snapshot_name(fresh, r->revision);
    l->step = REPAIR_WRITES;
    for (size_t i = 0; r->revision != r->snapshot_revision && i < l->reader.file_n; i++)
        if (!strcmp(l->reader.files[i].name, fresh)) return set_aside(l, fresh, e);
    return begin_snapshot(l, e);
}

static bool take_step(struct look *l, struct err *e) {
    switch (l->step) {
    case REPAIR_FOLDER: return make_way(l, e);
    case REPAIR_WRITES: return begin_snapshot(l, e);
    case REPAIR_MOVES: break;
    }
    return move_next(l, e);
}

static void go_on(struct call *c, struct call_answer *a) {
    struct look *l = LOOP_OWNER(struct look, call, c);
    struct err e = a->err;
    if (e.code != ERR_NONE || !take_step(l, &e)) state_tool_fail(l->tool, &e);
}

static void written(struct snapshot *s, const struct err *e) {
    struct look *l = LOOP_OWNER(struct look, snapshot, s);
    struct err own = ERR_INIT;
    l->step = REPAIR_MOVES;
    if (e)
        state_tool_fail(l->tool, e);
    else if (!move_next(l, &own))
        state_tool_fail(l->tool, &own);
}

static bool begin_snapshot(struct look *l, struct err *e) {
    struct recover_result *r = &l->reader.result;
    /* Of the plan only the name matters here: the lists of what is private are taken over as they are. */
    static const struct plan_config none = {.name = "repair", .version = 1, .birth = "null"};
    struct snapfile_about about = {.store = r->store,
                                   .revision = r->revision,
                                   .serial = r->next_serial,
                                   .version = r->version,
                                   .written_ms = clock_wall_ms(),
                                   .name = val_ref(&r->name),
                                   .priv = val_ref(&r->priv),
                                   .secret = val_ref(&r->secret)};
    l->snapshot.done = written;
    bool good =
        (l->plan = plan_new(&none, e)) != NULL && snapshot_start(&l->snapshot, &l->tool->store, l->plan, &r->root,
                                                                 &about, LIMIT_STATE_SLICE, LIMIT_STATE_SNAPSHOT, e);
    snapfile_about_release(&about);
    return good;
}

static void looked(struct store_reader *reader, const struct err *e) {
    struct look *l = LOOP_OWNER(struct look, reader, reader);
    const struct state_options *o = l->tool->options;
    const struct recover_result *r = &reader->result;
    struct err own = ERR_INIT;
    if (!has_read(l, e)) return;
    say_findings(r);
    if (val_is_none(&r->root)) {
        state_tool_fail(l->tool, &r->why);
        return;
    }
    if (!o->has_to) {
        if (!is_damaged(r))
            fprintf(stderr, "nothing has to be repaired: a start reaches revision %llu\n",
                    (unsigned long long)r->revision);
        else if (!r->damaged)
            fprintf(stderr, "nothing is lost: a start reaches revision %llu and writes a new snapshot\n",
                    (unsigned long long)r->revision);
        else
            fprintf(stderr,
                    "what can be had is revision %llu. Copy the folder first, and mend the named file from a copy if "
                    "there is one.\n"
                    "Else: startbox state repair %s --to %llu\n"
                    "gives up what came after it and sets the damaged files aside\n",
                    (unsigned long long)r->revision, o->folder, (unsigned long long)r->revision);
        state_tool_over(l->tool, is_damaged(r) ? 1 : 0);
        return;
    }
    if (o->to != r->revision) {
        err_set(&own, ERR_INVALID, "revision %llu cannot be had; what can is %llu", (unsigned long long)o->to,
                (unsigned long long)r->revision);
        state_tool_fail(l->tool, &own);
        return;
    }
    snprintf(l->aside, sizeof l->aside, "before-repair-%lld", (long long)clock_wall_ms());
    l->call = (struct call){.done = go_on};
    if (!store_ask(&l->tool->store, &l->call, "disk.folder", store_args(&l->tool->store, l->aside), &own))
        state_tool_fail(l->tool, &own);
}

static void held(struct call *c, struct call_answer *a) {
    struct look *l = LOOP_OWNER(struct look, call, c);
    struct err e = a->err;
    if (e.code != ERR_NONE || !store_read(&l->reader, &l->tool->store, &l->config, &e)) state_tool_fail(l->tool, &e);
}

/* Nobody else may have it while it is looked at and mended. */
static bool begin_repair(struct state_tool *t, struct err *e) {
    struct look *l = make_look(t, looked, e);
    if (!l) return false;
    l->call = (struct call){.done = held};
    return store_ask(&t->store, &l->call, "disk.lock", store_args(&t->store, "lock"), e);
}
const struct state_command state_repair = {.name = "repair", .writes = true, .begin = begin_repair, .release = release};
