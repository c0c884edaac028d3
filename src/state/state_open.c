/* state_open.c - a start: hold the store, see what is in it, read it, and begin; see recover.h for what is made of it. */
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "protocols/json.h"
#include "state/state_room.h"

enum opening_step { OPENING_FOLDER, OPENING_LOCK, OPENING_READ, OPENING_SYNC, OPENING_FIRST, OPENING_RELOCK };

struct state_opening {
    struct state *state;
    enum opening_step step;
    struct call call;
    struct store_reader reader;
    struct recover_config config;
    size_t synced; /* files that were looked at for syncing */
    bool fresh;
};

static void answered(struct call *c, struct call_answer *a);

static bool ask(struct state *s, const char *verb, struct val args, struct err *e) {
    s->opening->call = (struct call){.done = answered};
    return store_ask(&s->disk, &s->opening->call, verb, args, e);
}

static void give_up(struct state *s, const struct err *why) {
    struct err e = *why;
    state_open_stop(s);
    state_enter(s, STATE_FAILED, &e);
}

static void was_read(struct store_reader *r, const struct err *e);

static bool read_all(struct state *s, struct err *e) {
    struct state_opening *o = s->opening;
    const struct plan_config *plan = plan_config_of(s->plan);
    o->step = OPENING_READ;
    o->config = (struct recover_config){.name = plan->name, .version = plan->version, .most = s->limits.snapshot};
    o->reader.done = was_read;
    return store_read(&o->reader, &s->disk, &o->config, e);
}

/* --- beginning --- */

static bool begin(struct state *s, struct err *e);

/* What was read may have been in the kernel's memory only: it becomes a promise from here on, so it is made durable first. What was
 * never finished goes: on a full disk it would be in the way. */
static bool sync_on(struct state *s, struct err *e) {
    struct state_opening *o = s->opening;
    uint64_t serial;
    o->step = OPENING_SYNC;
    for (; o->synced < o->reader.file_n; o->synced++) {
        struct recover_file *f = &o->reader.files[o->synced];
        bool rubbish = !strcmp(f->name, SEGMENT_FRESH) || !strcmp(f->name, SNAPSHOT_FRESH);
        bool needed = segment_name_read(slice_str(f->name), &serial) && serial >= o->reader.result.kept[0].serial;
        if (!rubbish && !needed) continue;
        o->synced++;
        return ask(s, rubbish ? "disk.remove" : "disk.sync", store_args(&s->disk, f->name), e);
    }
    return begin(s, e);
}

static void was_read(struct store_reader *r, const struct err *e) {
    struct state_opening *o = LOOP_OWNER(struct state_opening, reader, r);
    struct state *s = o->state;
    struct err own = ERR_INIT;
    if (e) {
        give_up(s, e);
        return;
    }
    if (s->config.found) s->config.found(s, &r->result);
    if (r->result.damaged || r->result.refused)
        give_up(s, &r->result.why);
    else if (!sync_on(s, &own))
        give_up(s, &own);
}

static bool make_first(struct state *s, struct val *root, struct err *e) {
    const struct plan_config *plan = plan_config_of(s->plan);
    struct state_opening *o = s->opening;
    const struct json_limits limits = {.bytes = LIMIT_JSON_BYTES, .depth = LIMIT_VAL_DEPTH};
    if (!json_parse(slice_str(plan->birth), &limits, root, e)) return false;
    uint8_t number[8];
    rng_bytes(number, sizeof number);
    memcpy(&o->reader.result.store, number, sizeof o->reader.result.store);
    o->reader.result.store >>= 1; /* a plain positive number everywhere */
    o->reader.result.store |= 1;
    o->reader.result.revision = o->reader.result.journalled = 1;
    o->reader.result.next_serial = 1;
    o->reader.result.version = plan->version;
    return true;
}

static void note_step(const char *about) {
    log_note("state: %s", about);
}

/* The files that are there, and what becomes of each. */
static bool sort_files(struct state *s, struct err *e) {
    struct state_opening *o = s->opening;
    for (size_t i = 0; i < STATE_KEPT; i++)
        s->kept[i] = (struct state_kept){o->reader.result.kept[i].revision, o->reader.result.kept[i].serial};
    for (size_t i = 0; i < o->reader.file_n; i++) {
        struct slice name = slice_str(o->reader.files[i].name);
        uint64_t n;
        if (segment_name_read(name, &n)) {
            /* From the next one on they are made again under the same name, or are that one. */
            if (n < o->reader.result.next_serial && !keep_segment(s, n, o->reader.files[i].size, e)) return false;
        } else if (snapshot_name_read(name, &n) && n != s->kept[0].revision && n != s->kept[1].revision &&
                   !keep_old_snapshot(s, n, e))
            return false;
    }
    return true;
}

static bool begin(struct state *s, struct err *e) {
    struct state_opening *o = s->opening;
    struct recover_result *r = &o->reader.result;
    const struct plan_config *plan = plan_config_of(s->plan);
    o->step = OPENING_FIRST;
    o->fresh = r->empty;
    s->root = r->root;
    r->root = val_none;
    if (r->empty && !make_first(s, &s->root, e)) return false;
    bool led = r->version < plan->version;
    if (led && !plan_migrate(s->plan, &s->root, r->version, note_step, e)) {
        err_context(e, "leading the state from version %u to %u", (unsigned)r->version, plan->version);
        return false;
    }
    s->store = r->store;
    s->revision = s->settled = s->opened = s->given = r->revision + led;
    s->settled_root = val_ref(&s->root);
    s->disk.next_serial = r->next_serial;
    s->snapshot_bytes = r->snapshot_bytes;
    s->snapshot_due = r->mended;
    s->written_before = 0;
    if (!sort_files(s, e)) return false;
    s->watchers = watchers_new(s->loop, s->plan, &s->root, s->revision,
                               s->config.watch_limits ? s->config.watch_limits : &watch_limits, e);
    if (!s->watchers) return false;
    const struct journal_config config = {.loop = s->loop,
                                          .disk = &s->disk,
                                          .store = s->store,
                                          .version = plan->version,
                                          .segment_bytes = s->limits.segment,
                                          .most = s->limits.revision,
                                          .pending = s->limits.pending,
                                          .mark_ms = s->limits.mark_ms};
    journal_init(&s->journal, &config);
    if (r->next_is_there && r->next_size >= s->limits.segment) segment_adopt(&s->journal.maker, r->next_serial);
    s->journal.durable = r->journalled;
    s->journal.written = r->journal_bytes; /* a long journal wants a snapshot soon */
    /* Of the last batch nobody knows whether it is on the disk: a sync that failed has left it in the kernel's memory, and one that
     * succeeds now says nothing about it. So a new file comes first. */
    bool doubtful = r->journalled > r->durable && r->journalled > r->snapshot_revision;
    if (o->fresh || led || doubtful) return keep_snapshot(s, e);
    journal_begin(&s->journal, r->journalled);
    return true;
}

void state_open_snapshot_done(struct state *s, const struct err *e) {
    if (!e) {
        journal_begin(&s->journal, s->journal.durable);
        return;
    }
    struct err why = *e;
    if (s->opening->fresh || store_lost(&why)) {
        give_up(s, &why);
        return;
    }
    /* What is there can be read; the disk is tried again later. */
    err_context(&why, "the disk refuses what is to be kept, so nothing can be changed until it recovers");
    log_warn("state: %s", why.text);
    state_try_later(s);
    state_enter(s, STATE_READ_ONLY, &why);
}

/* --- the steps --- */

static bool step(struct state *s, struct call_answer *a, struct err *e) {
    struct state_opening *o = s->opening;
    if (a->err.code != ERR_NONE) {
        *e = a->err;
        return false;
    }
    switch (o->step) {
    case OPENING_FOLDER: o->step = OPENING_LOCK; return ask(s, "disk.lock", store_args(&s->disk, "lock"), e);
    case OPENING_LOCK: return read_all(s, e);
    case OPENING_SYNC: return sync_on(s, e);
    case OPENING_READ:
    case OPENING_FIRST:
    case OPENING_RELOCK: break;
    }
    return true;
}

static void relocked(struct state *s, const struct err *e) {
    if (e->code == ERR_DUPLICATE) {
        struct err why = *e;
        keep_stop(s);
        if (s->closing) state_queue_commit(s);
        err_context(&why, "the state is lost to another process");
        state_roll_back(s, &why);
        journal_release(&s->journal);
        state_enter(s, STATE_FAILED, &why);
        return;
    }
    if (e->code != ERR_NONE) { /* when that hand is lost too another one will come */
        if (!store_lost(e)) state_try_later(s);
        return;
    }
    s->relocking = false;
    if (s->mode == STATE_READ_ONLY && !loop_timer_is_set(&s->retry)) state_try_later(s);
    journal_new_disk(&s->journal);
    if (s->mode == STATE_AWAY && s->journal.state == JOURNAL_IDLE) state_enter(s, STATE_UP, NULL);
    state_queue_commit(s);
    keep_look(s);
}

static void answered(struct call *c, struct call_answer *a) {
    struct state_opening *o = LOOP_OWNER(struct state_opening, call, c);
    struct state *s = o->state;
    struct err e = ERR_INIT;
    if (o->step == OPENING_RELOCK)
        relocked(s, &a->err);
    else if (!step(s, a, &e))
        give_up(s, &e);
}

bool state_open_begin(struct state *s, struct err *e) {
    struct state_opening *o = s->opening = mem_get_zero(sizeof *o);
    if (!o) return err_nomem(e, "opening the state");
    o->state = s;
    s->mode = STATE_OPENING;
    o->step = s->folder[0] ? OPENING_FOLDER : OPENING_LOCK;
    return s->folder[0] ? ask(s, "disk.folder", store_args(&s->disk, ""), e)
                        : ask(s, "disk.lock", store_args(&s->disk, "lock"), e);
}

void state_open_relock(struct state *s) {
    struct err e = ERR_INIT;
    call_cancel(&s->opening->call);
    s->opening->step = OPENING_RELOCK;
    if (!ask(s, "disk.lock", store_args(&s->disk, "lock"), &e)) relocked(s, &e);
}

/* The little that is needed for a new hand stays until the end. */
void state_open_stop(struct state *s) {
    struct state_opening *o = s->opening;
    if (!o) return;
    call_cancel(&o->call);
    store_read_stop(&o->reader);
    recover_result_release(&o->reader.result);
    mem_put(o, sizeof *o);
    s->opening = NULL;
}
