/* state_keep.c - which files a store keeps: two snapshots, and the journal from the older one on. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "state/state_room.h"

/* Segments behind the newest snapshot before another is due, beside what the journal may hold: every start begins one. */
#define SPARE_SEGMENTS 6

bool keep_segment(struct state *s, uint64_t serial, uint64_t size, struct err *e) {
    if (s->segment_n == s->segment_cap) {
        size_t cap = s->segment_cap ? s->segment_cap * 2 : 16;
        struct state_segment *g = mem_grow(s->segments, s->segment_cap * sizeof *g, cap * sizeof *g);
        if (!g) return err_nomem(e, "the list of segments");
        s->segments = g;
        s->segment_cap = cap;
    }
    s->segments[s->segment_n++] = (struct state_segment){serial, size};
    return true;
}

bool keep_old_snapshot(struct state *s, uint64_t revision, struct err *e) {
    if (s->old_n == s->old_cap) {
        size_t cap = s->old_cap ? s->old_cap * 2 : 8;
        uint64_t *g = mem_grow(s->old_snapshots, s->old_cap * sizeof *g, cap * sizeof *g);
        if (!g) return err_nomem(e, "the list of snapshots");
        s->old_snapshots = g;
        s->old_cap = cap;
    }
    s->old_snapshots[s->old_n++] = revision;
    return true;
}

void keep_distrust(struct state *s, uint64_t serial) {
    for (size_t i = 0; i < s->segment_n; i++)
        if (s->segments[i].serial == serial) s->segments[i].size = 0;
}

void keep_forget_old(struct state *s, uint64_t revision) {
    for (size_t i = 0; i < s->old_n; i++)
        if (s->old_snapshots[i] == revision) s->old_snapshots[i--] = s->old_snapshots[--s->old_n];
}

/* --- snapshots --- */

bool keep_snapshot(struct state *s, struct err *e) {
    const struct plan_config *plan = plan_config_of(s->plan);
    const struct journal *j = &s->journal;
    if (s->relocking) return err_set(e, ERR_NETWORK, "another disk hand is about to hold the store");
    /* Its name is a promise, which the journal must be able to keep: so no number of a volatile revision. */
    s->making.revision = j->durable > s->opened ? j->durable : s->opened;
    /* Where the journal goes on: a shut one begins with the segment that was ready, if one was. */
    s->making.serial = j->serial && j->state != JOURNAL_SHUT ? j->serial
                       : j->maker.state == MAKER_READY       ? j->maker.serial
                                                             : s->disk.next_serial;
    struct snapfile_about about = {.store = s->store,
                                   .revision = s->making.revision,
                                   .serial = s->making.serial,
                                   .version = plan->version,
                                   .written_ms = clock_wall_ms(),
                                   .name = val_of_str(plan->name),
                                   .priv = plan_patterns(s->plan, PLAN_PRIVATE, e),
                                   .secret = plan_patterns(s->plan, PLAN_SECRET, e)};
    s->making_written = j->written;
    bool good = snapshot_start(&s->snapshot, &s->disk, s->plan, &s->settled_root, &about, LIMIT_STATE_SLICE,
                               s->limits.snapshot, e);
    snapfile_about_release(&about);
    return good;
}

static bool is_due(const struct state *s) {
    uint64_t room = s->snapshot_bytes > s->limits.journal ? s->snapshot_bytes : s->limits.journal;
    if (s->snapshot_due || s->journal.written - s->written_before > room) return true;
    size_t behind = 0;
    for (size_t i = 0; i < s->segment_n; i++) behind += s->segments[i].serial >= s->kept[0].serial;
    return behind > SPARE_SEGMENTS + room / s->limits.segment;
}

void keep_look(struct state *s) {
    if (s->mode != STATE_UP || s->closing || s->cleaning || snapshot_is_running(&s->snapshot)) return;
    if (s->journal.written < s->snapshot_wait || !is_due(s)) return;
    struct err e = ERR_INIT;
    if (keep_snapshot(s, &e)) return;
    s->snapshot_due = true;
    s->snapshot_wait = s->journal.written + s->limits.journal / 4;
    log_warn("state: a snapshot could not be begun: %s", e.text);
}

/* --- cleaning --- */

static void cleaned(struct call *c, struct call_answer *a) {
    struct state *s = LOOP_OWNER(struct state, clean_call, c);
    s->cleaning = false;
    if (a->err.code == ERR_NONE)
        keep_clean(s);
    else if (!store_lost(&a->err))
        log_warn("state: an old file could not be removed: %s", a->err.text);
}

static bool remove_file(struct state *s, const char *name) {
    struct err e = ERR_INIT;
    s->clean_call = (struct call){.done = cleaned};
    s->cleaning = store_ask(&s->disk, &s->clean_call, "disk.remove", store_args(&s->disk, name), &e);
    if (!s->cleaning && !store_lost(&e)) log_warn("state: an old file could not be removed: %s", e.text);
    return s->cleaning;
}

void keep_tidy(struct state *s) {
    if (!s->cleaning && !s->closing) remove_file(s, SEGMENT_FRESH);
}

void keep_clean(struct state *s) {
    char name[STATE_NAME];
    if (s->cleaning || s->closing) return;
    if (s->old_n) {
        snapshot_name(name, s->old_snapshots[s->old_n - 1]);
        if (remove_file(s, name)) s->old_n--;
        return;
    }
    uint64_t needed = s->kept[1].revision ? s->kept[1].serial : s->kept[0].serial;
    for (size_t i = 0; i < s->segment_n; i++) {
        struct state_segment g = s->segments[i];
        if (g.serial >= needed || g.serial == s->journal.serial) continue;
        bool reuse = !s->disk.reuse && g.size >= s->limits.segment;
        if (reuse) s->disk.reuse = g.serial;
        segment_name(name, g.serial);
        if (!reuse && !remove_file(s, name)) return;
        s->segments[i--] = s->segments[--s->segment_n];
        if (!reuse) return;
    }
}

void keep_stop(struct state *s) {
    snapshot_stop(&s->snapshot);
    call_cancel(&s->clean_call);
    s->cleaning = false;
}
