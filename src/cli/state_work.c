/* state_work.c - `startbox state work`, `fill` and `time`: a store of their own, driven as the daemon drives its own. */
#include "base/clock.h"
#include "base/mem.h"
#include "cli/state_tool.h"

#include <stdio.h>

#define FILL_CHUNK  5000  /* entries of one revision */
#define TIME_SINGLE 500   /* commits, one after the other */
#define TIME_FIFTY  25000 /* by fifty callers */
#define TIME_BATCH  500   /* made in one turn of the loop, where nobody waits for them */
#define TIME_MEMORY 50000

static const struct plan_branch branches[] = {{.pattern = "/public", .owner = "work"},
                                              {.pattern = "/private", .owner = "work", .attrs = PLAN_PRIVATE}};
static const struct plan_config work_plan = {.name = "work",
                                             .version = 1,
                                             .birth = "{\"public\":{\"entries\":{}},\"private\":{}}",
                                             .branches = branches,
                                             .branch_n = 2};

struct worker {
    struct state_hold hold;
    struct work *work;
};

enum work_phase { WORK_OPENING, WORK_SINGLE, WORK_FIFTY, WORK_MEMORY, WORK_SNAPSHOT, WORK_CLOSING };

struct work {
    struct state_tool *tool;
    struct plan *plan;
    struct state *state;
    struct worker *workers;
    uint64_t worker_n, begun, done, want;
    uint64_t filled;
    uint64_t base; /* where counting goes on, so that every commit is a change */
    int64_t began_us;
    enum work_phase phase;
    struct loop_task task;
    struct loop_timer look;
    uint64_t syncs, snapshots;
};

static double ms_since(int64_t us) {
    return (double)(clock_mono_us() - us) / 1000;
}

/* --- a commit --- */

static bool commit_one(struct work *w, uint64_t n, uint64_t *revision, struct err *e) {
    const struct state_options *o = w->tool->options;
    struct state_txn t;
    static const char digits[] = "0123456789";
    char pointer[] = "/public/entries/key-00000000";
    uint8_t short_text[64], *text = o->bytes > sizeof short_text ? mem_get(o->bytes) : short_text;
    if (!text) return err_nomem(e, "a value");
    uint64_t key = n % o->keys;
    n += w->base;
    uint64_t rest = n;
    for (size_t i = sizeof pointer - 2; key; key /= 10) pointer[i--] = digits[key % 10];
    /* The number, then dots. */
    size_t len = 1;
    for (uint64_t more = n / 10; more; more /= 10) len++;
    for (size_t i = len; i; rest /= 10) text[--i] = (uint8_t)digits[rest % 10];
    if (o->bytes > len) memset(text + len, '.', o->bytes - len);
    bool good = state_begin(w->state, &t, PLAN_ALL_OWNERS, e);
    if (good) {
        good =
            txn_put_text(&t, slice_of(pointer, sizeof pointer - 1), slice_of(text, len > o->bytes ? len : o->bytes), e);
        if (good)
            good = state_commit(&t, revision, e);
        else
            state_abort(&t);
    }
    if (text != short_text) mem_put(text, o->bytes);
    return good;
}

static void work_over(struct work *w);

static void go_on(struct worker *k) {
    struct work *w = k->work;
    struct err e = ERR_INIT;
    uint64_t revision = 0;
    if (w->begun == w->want) return;
    if (commit_one(w, w->begun++, &revision, &e))
        state_hold(w->state, &k->hold, revision);
    else
        state_tool_fail(w->tool, &e);
}

static void settled(struct state_hold *h, const struct err *why) {
    struct worker *k = LOOP_OWNER(struct worker, hold, h);
    struct work *w = k->work;
    if (why) {
        state_tool_fail(w->tool, why);
        return;
    }
    if (w->tool->command == &state_work && !w->tool->options->quiet) {
        printf("ACK %llu\n", (unsigned long long)h->revision);
        if (fflush(stdout)) { /* nobody hears it any more */
            state_tool_over(w->tool, 0);
            return;
        }
    }
    if (++w->done == w->want)
        work_over(w);
    else
        go_on(k);
}

static bool begin_callers(struct work *w, uint64_t callers, uint64_t commits) {
    mem_put(w->workers, w->worker_n * sizeof *w->workers);
    w->workers = mem_get_zero(callers * sizeof *w->workers);
    w->worker_n = w->workers ? callers : 0;
    w->begun = w->done = 0;
    w->want = commits;
    w->syncs = state_counts(w->state).syncs;
    w->began_us = clock_mono_us();
    struct err e = ERR_INIT;
    if (!w->workers) {
        err_nomem(&e, "callers");
        state_tool_fail(w->tool, &e);
        return false;
    }
    for (uint64_t i = 0; i < callers; i++) {
        w->workers[i] = (struct worker){.hold = {.done = settled}, .work = w};
        go_on(&w->workers[i]);
    }
    return true;
}

static void say_rate(const struct work *w, const char *what) {
    double ms = ms_since(w->began_us);
    uint64_t syncs = state_counts(w->state).syncs - w->syncs;
    fprintf(stderr, "%s: %llu in %.1f ms, %.0f a second, %llu syncs\n", what, (unsigned long long)w->want, ms,
            (double)w->want / ms * 1000, (unsigned long long)syncs);
}

/* --- time --- */

/* Whether the snapshot is still waited for; looks again soon, or ends the program when it failed. */
static bool is_writing(struct work *w) {
    struct state_counts c = state_counts(w->state);
    struct err e = ERR_INIT;
    if (c.snapshots != w->snapshots) return false;
    if (c.writing) {
        loop_timer_set(w->tool->loop, &w->look, loop_now_ms(w->tool->loop) + 1);
        return true;
    }
    err_set(&e, ERR_DATABASE, "the snapshot could not be written");
    state_tool_fail(w->tool, &e);
    return true;
}

/* A load of commits while the snapshot is written: what the loop's worst pause is then. */
static bool run_memory(struct loop_task *t) {
    struct work *w = LOOP_OWNER(struct work, task, t);
    struct err e = ERR_INIT;
    uint64_t revision = 0;
    bool snapshot = w->phase == WORK_SNAPSHOT;
    for (unsigned i = 0; i < (snapshot ? 50 : TIME_BATCH); i++)
        if (!commit_one(w, w->begun++, &revision, &e)) {
            state_tool_fail(w->tool, &e);
            return false;
        }
    if (!snapshot && w->begun < TIME_MEMORY) return true;
    if (!snapshot) {
        w->want = w->begun;
        say_rate(w, "commits nobody waits for");
        w->phase = WORK_SNAPSHOT;
        w->snapshots = UINT64_MAX;
        return true;
    }
    if (w->snapshots == UINT64_MAX) { /* from here on it is measured: this turn is not */
        w->snapshots = state_counts(w->state).snapshots;
        w->began_us = clock_mono_us();
        loop_stats_reset(w->tool->loop);
        if (state_snapshot(w->state, &e)) return true;
        state_tool_fail(w->tool, &e);
        return false;
    }
    if (is_writing(w)) return false;
    struct state_counts c = state_counts(w->state);
    struct loop_stats l = loop_stats(w->tool->loop);
    fprintf(stderr, "snapshot under commits: %llu bytes in %.1f ms; longest callback %llu us (%s)\n",
            (unsigned long long)c.snapshot_bytes, ms_since(w->began_us), (unsigned long long)l.slowest_us,
            l.slowest ? l.slowest : "-");
    w->phase = WORK_CLOSING;
    state_close(w->state);
    return false;
}

static void look_again(struct loop_timer *t) {
    struct work *w = LOOP_OWNER(struct work, look, t);
    loop_task_queue(w->tool->loop, &w->task, LOOP_LATER);
}

/* --- fill --- */

static bool run_last(struct loop_task *task) {
    struct work *w = LOOP_OWNER(struct work, task, task);
    struct err e = ERR_INIT;
    if (w->phase == WORK_OPENING) {
        w->snapshots = state_counts(w->state).snapshots;
        w->phase = WORK_SNAPSHOT;
        if (!state_snapshot(w->state, &e)) {
            state_tool_fail(w->tool, &e);
            return false;
        }
    }
    if (is_writing(w)) return false;
    w->phase = WORK_CLOSING;
    state_close(w->state);
    return false;
}

static void filled(struct state_hold *h, const struct err *why) {
    struct work *w = LOOP_OWNER(struct worker, hold, h)->work;
    if (why) {
        state_tool_fail(w->tool, why);
        return;
    }
    w->task.call = run_last;
    loop_task_queue(w->tool->loop, &w->task, LOOP_LATER);
}

static bool run_fill(struct loop_task *task) {
    struct work *w = LOOP_OWNER(struct work, task, task);
    struct err e = ERR_INIT;
    struct state_txn t;
    uint64_t revision = 0, want = w->tool->options->n;
    if (state_counts(w->state).pending > LIMIT_STATE_PENDING / 2) {
        loop_timer_set(w->tool->loop, &w->look, loop_now_ms(w->tool->loop) + 1);
        return false;
    }
    bool good = state_begin(w->state, &t, PLAN_ALL_OWNERS, &e);
    for (unsigned i = 0; good && i < FILL_CHUNK && w->filled < want; i++) {
        char pointer[48], text[24];
        snprintf(pointer, sizeof pointer, "/public/entries/key-%08llu", (unsigned long long)w->filled);
        snprintf(text, sizeof text, "%08llu", (unsigned long long)w->filled++);
        good = txn_put_text(&t, slice_str(pointer), slice_str(text), &e);
    }
    good = good && state_commit(&t, &revision, &e);
    if (!good) state_tool_fail(w->tool, &e);
    if (!good || w->filled < want) return good;
    /* Whoever opens it should have little to read behind the snapshot. */
    w->workers = mem_get_zero(sizeof *w->workers);
    w->worker_n = w->workers != NULL;
    if (!w->workers) return false;
    w->workers->work = w;
    w->workers->hold.done = filled;
    state_hold(w->state, &w->workers->hold, revision);
    return false;
}

/* --- life --- */

static void work_over(struct work *w) {
    switch (w->phase) {
    case WORK_SINGLE:
        say_rate(w, "commits by one caller");
        w->phase = WORK_FIFTY;
        w->base = state_revision(w->state);
        begin_callers(w, 50, TIME_FIFTY);
        return;
    case WORK_FIFTY:
        say_rate(w, "commits by fifty callers");
        w->phase = WORK_MEMORY;
        w->base = state_revision(w->state);
        w->begun = 0;
        w->syncs = state_counts(w->state).syncs;
        w->began_us = clock_mono_us();
        loop_task_queue(w->tool->loop, &w->task, LOOP_LATER);
        return;
    case WORK_OPENING:
    case WORK_MEMORY:
    case WORK_SNAPSHOT:
    case WORK_CLOSING: break;
    }
    if (w->tool->options->quiet) say_rate(w, "commits");
    w->phase = WORK_CLOSING;
    state_close(w->state);
}

static void opened(struct work *w) {
    w->base = state_revision(w->state);
    const struct state_options *o = w->tool->options;
    if (w->tool->command == &state_fill) {
        loop_task_queue(w->tool->loop, &w->task, LOOP_LATER);
    } else if (w->tool->command == &state_work) {
        w->phase = WORK_CLOSING;
        begin_callers(w, o->callers < o->n ? o->callers : o->n, o->n);
    } else {
        uint64_t entries = val_count(val_get(val_get(state_peek(w->state), LIT("public")), LIT("entries")));
        fprintf(stderr,
                "loaded revision %llu: %llu entries, %llu bytes of memory each, snapshot of %llu bytes, in %.1f ms\n",
                (unsigned long long)state_revision(w->state), (unsigned long long)entries,
                (unsigned long long)(entries ? mem_stats().live_bytes / entries : 0),
                (unsigned long long)state_counts(w->state).snapshot_bytes, ms_since(w->began_us));
        w->phase = WORK_SINGLE;
        begin_callers(w, 1, TIME_SINGLE);
    }
}

static void found(struct state *s, const struct recover_result *r) {
    (void)s;
    for (unsigned i = 0; i < r->finding_n; i++)
        if (r->findings[i].grade != RECOVER_NOTE) fprintf(stderr, "%s\n", r->findings[i].text);
}

static void changed(struct state *s, enum state_mode mode, const struct err *why) {
    struct work *w = state_arg(s);
    switch (mode) {
    case STATE_UP:
        if (w->phase == WORK_OPENING) opened(w);
        return;
    case STATE_CLOSED:
        if (why)
            state_tool_fail(w->tool, why);
        else
            state_tool_over(w->tool, 0);
        return;
    case STATE_READ_ONLY:
    case STATE_FAILED: state_tool_fail(w->tool, why); return;
    case STATE_OPENING:
    case STATE_AWAY: return;
    }
}

static bool begin(struct state_tool *t, struct err *e) {
    struct work *w = mem_get_zero(sizeof *w);
    if (!w) return err_nomem(e, "a store");
    t->own = w;
    w->tool = t;
    w->began_us = clock_mono_us();
    w->task = (struct loop_task)LOOP_TASK(run_memory, "commits");
    if (t->command == &state_fill) w->task.call = run_fill;
    w->look = (struct loop_timer){.call = look_again, .name = "look again"};
    if (!(w->plan = plan_new(&work_plan, e))) return false;
    const struct state_config config = {.loop = t->loop,
                                        .disk = &t->disk,
                                        .root = "state",
                                        .folder = "",
                                        .plan = w->plan,
                                        .changed = changed,
                                        .found = found,
                                        .arg = w};
    return (w->state = state_new(&config, e)) != NULL;
}

static void new_hand(struct state_tool *t) {
    struct work *w = t->own;
    state_new_disk(w->state);
}

static void end(struct state_tool *t) {
    struct work *w = t->own;
    w->want = w->begun; /* what was begun is waited for */
    w->phase = WORK_CLOSING;
    loop_task_remove(&w->task);
    loop_timer_clear(&w->look);
    state_close(w->state);
}

static void release(struct state_tool *t) {
    struct work *w = t->own;
    if (!w) return;
    loop_task_remove(&w->task);
    loop_timer_clear(&w->look);
    for (uint64_t i = 0; i < w->worker_n; i++) state_hold_cancel(&w->workers[i].hold);
    mem_put(w->workers, w->worker_n * sizeof *w->workers);
    state_free(w->state);
    plan_free(w->plan);
    mem_put(w, sizeof *w);
}

#define COMMAND(word)                                                                                                  \
    { .name = (word), .writes = true, .begin = begin, .hand = new_hand, .end = end, .release = release }
const struct state_command state_work = COMMAND("work");
const struct state_command state_fill = COMMAND("fill");
const struct state_command state_time = COMMAND("time");
