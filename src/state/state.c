/* state.c - versions, what is settled, holds, and the disk's troubles; see state.h. */
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "protocols/jsonptr.h"
#include "state/state_room.h"

#include <stdio.h>

const struct state_limits state_limits = {
    .revision = LIMIT_STATE_REVISION,
    .pending = LIMIT_STATE_PENDING,
    .segment = LIMIT_STATE_SEGMENT,
    .journal = LIMIT_STATE_JOURNAL,
    .snapshot = LIMIT_STATE_SNAPSHOT,
    .mark_ms = 1000,
    .retry_ms = 2000,
};

#define RETRY_DOUBLINGS 5

/* --- holds: two rings --- */

static void ring_init(struct state_hold *head) {
    head->next = head->prev = head;
}

static void ring_insert(struct state_hold *behind, struct state_hold *h) {
    h->prev = behind;
    h->next = behind->next;
    behind->next->prev = h;
    behind->next = h;
}

static void ring_remove(struct state_hold *h) {
    h->prev->next = h->next;
    h->next->prev = h->prev;
    h->next = h->prev = NULL;
    h->state = NULL;
}

void state_hold(struct state *s, struct state_hold *h, uint64_t revision) {
    must(!h->state);
    h->state = s;
    h->revision = revision;
    bool dead = revision > s->settled && s->open_at == s->open_n;
    for (unsigned i = 0; i < s->taken_back_n && i < STATE_TAKEN_BACK; i++)
        dead |= revision >= s->taken_back[i].first && revision <= s->taken_back[i].last;
    struct state_hold *head = dead ? &s->failed : &s->holds, *behind = head->prev;
    while (behind != head && behind->revision > revision) behind = behind->prev;
    ring_insert(behind, h);
    if (dead || revision <= s->settled) loop_task_queue(s->loop, &s->answer_task, LOOP_ANSWER);
}

void state_hold_cancel(struct state_hold *h) {
    if (h->state) ring_remove(h);
}

static bool run_answers(struct loop_task *t) {
    struct state *s = LOOP_OWNER(struct state, answer_task, t);
    struct state_hold *h;
    while ((h = s->failed.next) != &s->failed) {
        struct err why = s->trouble;
        if (why.code == ERR_NONE) err_set(&why, ERR_DATABASE, "the change was taken back: the disk refused it");
        ring_remove(h);
        h->done(h, &why);
    }
    while ((h = s->holds.next) != &s->holds && h->revision <= s->settled) {
        ring_remove(h);
        h->done(h, NULL);
    }
    return false;
}

/* --- modes --- */

void state_enter(struct state *s, enum state_mode mode, const struct err *why) {
    s->mode = mode;
    s->trouble = why ? *why : (struct err)ERR_INIT;
    loop_task_queue(s->loop, &s->tell_task, LOOP_CLOSE);
}

/* Behind everything that was to be answered, and with nothing of this room below on the stack. */
static bool run_tell(struct loop_task *t) {
    struct state *s = LOOP_OWNER(struct state, tell_task, t);
    struct err why = s->trouble;
    if (s->told == s->mode) return false;
    s->told = s->mode;
    s->config.changed(s, s->mode, why.code == ERR_NONE ? NULL : &why);
    return false;
}

/* Nothing is under way any more, and nothing will be. */
static void close_down(struct state *s, const struct err *why) {
    struct err e = why ? *why : (struct err)ERR_INIT;
    state_open_stop(s);
    keep_stop(s);
    journal_release(&s->journal);
    loop_timer_clear(&s->retry);
    state_enter(s, STATE_CLOSED, e.code == ERR_NONE ? NULL : &e);
}

void state_queue_commit(struct state *s) {
    loop_task_queue(s->loop, &s->commit_task, LOOP_COMMIT);
}

static void set_root(struct state *s, struct val *slot, const struct val *to) {
    struct val old = *slot;
    *slot = val_ref(to);
    trash_add(&s->trash, &old);
}

/* --- settling --- */

/* Everything up to a revision is, and `root` is the tree then. */
static void settle(struct state *s, uint64_t revision, const struct val *root) {
    if (revision <= s->settled) return;
    while (s->open_at < s->open_n && s->open[s->open_at].id <= revision) {
        struct state_open_revision *r = &s->open[s->open_at++];
        watchers_settle(s->watchers, r->id, r->patch);
    }
    if (s->open_at == s->open_n) s->open_at = s->open_n = 0;
    set_root(s, &s->settled_root, root);
    s->settled = revision;
    if (s->shown <= revision) s->shown_settled = s->shown;
    watchers_now(s->watchers, &s->settled_root);
    loop_task_queue(s->loop, &s->answer_task, LOOP_ANSWER);
}

static bool run_commit(struct loop_task *t) {
    struct state *s = LOOP_OWNER(struct state, commit_task, t);
    struct journal *j = &s->journal;
    if (j->state == JOURNAL_IDLE && j->gather.n) {
        set_root(s, &s->flight_root, &s->root);
        s->flight_revision = s->revision;
    }
    if (s->closing && (s->mode == STATE_READ_ONLY || s->mode == STATE_OPENING || s->mode == STATE_FAILED)) {
        if (s->mode == STATE_READ_ONLY) settle(s, s->revision, &s->root); /* what is left is volatile */
        close_down(s, &s->trouble);
        return false;
    }
    journal_flush(j);
    if (journal_clean(j)) settle(s, s->revision, &s->root); /* what is left is volatile */
    if (s->mode == STATE_UP && j->state == JOURNAL_AWAY) state_enter(s, STATE_AWAY, NULL);
    return false;
}

static void landed(struct state *s) {
    if (!val_is_none(&s->flight_root)) {
        settle(s, s->flight_revision, &s->flight_root);
        trash_add(&s->trash, &s->flight_root);
    }
    state_queue_commit(s);
    keep_look(s);
}

void state_roll_back(struct state *s, const struct err *why) {
    s->trouble = *why;
    for (; s->open_at < s->open_n; s->open_at++) trash_add(&s->trash, &s->open[s->open_at].patch);
    s->open_at = s->open_n = 0;
    trash_add(&s->trash, &s->flight_root);
    set_root(s, &s->root, &s->settled_root);
    s->taken_back[s->taken_back_n++ % STATE_TAKEN_BACK] = (struct state_taken_back){s->settled + 1, s->given};
    s->revision = s->settled;
    s->shown = s->shown_settled;
    while (s->holds.prev != &s->holds && s->holds.prev->revision > s->settled) {
        struct state_hold *h = s->holds.prev;
        ring_remove(h);
        h->state = s;
        ring_insert(&s->failed, h);
    }
    loop_task_queue(s->loop, &s->answer_task, LOOP_ANSWER);
}

/* --- what the journal says --- */

void state_try_later(struct state *s) {
    if (s->retry_ms < s->limits.retry_ms << RETRY_DOUBLINGS)
        s->retry_ms = s->retry_ms ? s->retry_ms * 2 : s->limits.retry_ms;
    loop_timer_set(s->loop, &s->retry, loop_now_ms(s->loop) + s->retry_ms);
}

static void refused(struct state *s) {
    struct err why = s->journal.err;
    keep_distrust(s, s->journal.distrusted);
    snapshot_stop(&s->snapshot);
    err_context(&why, "the disk refuses what is to be kept, so nothing can be changed until it recovers");
    state_roll_back(s, &why);
    state_try_later(s);
    keep_tidy(s);
    if (s->mode == STATE_READ_ONLY) return; /* it was told */
    log_warn("state: %s", why.text);
    state_enter(s, STATE_READ_ONLY, &why);
}

static void journal_says(struct journal *j, enum journal_event event) {
    struct state *s = LOOP_OWNER(struct state, journal, j);
    switch (event) {
    case JOURNAL_SEGMENT:
        if (!keep_segment(s, j->serial, j->segment_bytes, NULL))
            log_warn("state: no memory to remember a segment; it stays until the next start");
        return;
    case JOURNAL_READY:
        state_queue_commit(s);
        if (s->mode == STATE_OPENING || s->mode == STATE_READ_ONLY || s->mode == STATE_AWAY)
            state_enter(s, STATE_UP, NULL);
        keep_look(s);
        return;
    case JOURNAL_DURABLE:
        s->retry_ms = 0;
        landed(s); /* before anybody hears of it: a snapshot begun inside changed is of what j->durable says */
        if (s->mode == STATE_AWAY) state_enter(s, STATE_UP, NULL);
        if (s->closing && j->marked && journal_clean(j)) close_down(s, NULL);
        return;
    case JOURNAL_REFUSED:
        if (s->mode == STATE_OPENING) {
            state_open_snapshot_done(s, &j->err);
            return;
        }
        refused(s);
        if (s->closing) close_down(s, &s->trouble);
        return;
    }
}

/* The disk is tried with what matters most: a snapshot of all that is known to be true, in a new file. */
static void retry(struct loop_timer *t) {
    struct state *s = LOOP_OWNER(struct state, retry, t);
    struct err e = ERR_INIT;
    if (s->relocking && port_up(s->config.disk)) {
        state_open_relock(s);
        return;
    }
    if (s->mode != STATE_READ_ONLY || snapshot_is_running(&s->snapshot) || s->journal.state != JOURNAL_SHUT) return;
    if (!port_up(s->config.disk) || !keep_snapshot(s, &e)) state_try_later(s);
}

static void snapshot_done(struct snapshot *sn, const struct err *e) {
    struct state *s = LOOP_OWNER(struct state, snapshot, sn);
    if (sn->slowest_us > s->counts.slowest_us) s->counts.slowest_us = sn->slowest_us;
    if (e) {
        if (s->mode == STATE_OPENING)
            state_open_snapshot_done(s, e);
        else if (s->mode == STATE_READ_ONLY)
            state_try_later(s);
        else {
            s->snapshot_due = true;
            if (!store_lost(e)) {
                log_warn("state: a snapshot could not be written, the journal grows meanwhile: %s", e->text);
                s->snapshot_wait = s->journal.written + s->limits.journal / 4;
            }
        }
        return;
    }
    s->counts.snapshots++;
    s->written_before = s->making_written;
    s->snapshot_due = false;
    keep_forget_old(s, s->making.revision); /* it has taken the place of a damaged one */
    s->snapshot_bytes = sn->size;
    if (s->kept[0].revision != s->making.revision) { /* else it has taken that one's place */
        if (s->kept[1].revision && !keep_old_snapshot(s, s->kept[1].revision, NULL))
            log_warn("state: no memory to remember an old snapshot; it stays until the next start");
        s->kept[1] = s->kept[0];
    }
    s->kept[0] = s->making;
    if (s->mode == STATE_OPENING)
        state_open_snapshot_done(s, NULL);
    else if (s->mode == STATE_READ_ONLY)
        journal_begin(&s->journal, s->journal.durable);
    keep_clean(s);
}

/* --- life --- */

struct state *state_new(const struct state_config *config, struct err *e) {
    struct state *s = mem_get_zero(sizeof *s);
    if (!s) {
        err_nomem(e, "the state");
        return NULL;
    }
    s->config = *config;
    s->limits = config->limits ? *config->limits : state_limits;
    s->loop = config->loop;
    s->plan = config->plan;
    s->has_volatile = plan_below(s->plan, LIT(""), PLAN_VOLATILE);
    s->trouble = (struct err)ERR_INIT;
    snprintf(s->root_name, sizeof s->root_name, "%s", config->root);
    snprintf(s->folder, sizeof s->folder, "%s", config->folder);
    s->disk = (struct store_disk){.loop = s->loop, .port = config->disk, .root = s->root_name, .folder = s->folder};
    s->commit_task = (struct loop_task)LOOP_TASK(run_commit, "commit");
    s->answer_task = (struct loop_task)LOOP_TASK(run_answers, "answers");
    s->tell_task = (struct loop_task)LOOP_TASK(run_tell, "state mode");
    s->told = STATE_OPENING;
    s->retry = (struct loop_timer){.call = retry, .name = "disk retry"};
    s->journal.call = journal_says;
    s->snapshot.done = snapshot_done;
    trash_init(&s->trash, s->loop);
    ring_init(&s->holds);
    ring_init(&s->failed);
    if (strlen(config->folder) + STATE_NAME + 1 > LIMIT_DISK_PATH)
        err_set(e, ERR_INVALID, "the folder of the state has too long a name");
    else if (state_open_begin(s, e))
        return s;
    state_free(s);
    return NULL;
}

void state_free(struct state *s) {
    if (!s) return;
    must(s->holds.next == &s->holds && s->failed.next == &s->failed && !s->in_txn);
    state_open_stop(s);
    keep_stop(s);
    journal_release(&s->journal);
    loop_timer_clear(&s->retry);
    loop_task_remove(&s->commit_task);
    loop_task_remove(&s->answer_task);
    loop_task_remove(&s->tell_task);
    watchers_free(s->watchers);
    for (; s->open_at < s->open_n; s->open_at++) trash_add(&s->trash, &s->open[s->open_at].patch);
    mem_put(s->open, s->open_cap * sizeof *s->open);
    mem_put(s->segments, s->segment_cap * sizeof *s->segments);
    mem_put(s->old_snapshots, s->old_cap * sizeof *s->old_snapshots);
    trash_add(&s->trash, &s->root);
    trash_add(&s->trash, &s->flight_root);
    trash_add(&s->trash, &s->settled_root);
    trash_release(&s->trash);
    mem_put(s, sizeof *s);
}

void state_new_disk(struct state *s) {
    if (s->mode == STATE_FAILED || s->mode == STATE_CLOSED) return;
    /* A start that has lost its hand has failed, but for the last step: the journal waits for another. */
    if (s->mode == STATE_OPENING && s->journal.state != JOURNAL_AWAY) return;
    s->snapshot_due |= snapshot_is_running(&s->snapshot);
    snapshot_stop(&s->snapshot);
    call_cancel(&s->clean_call);
    s->cleaning = false;
    if (s->mode == STATE_READ_ONLY) state_try_later(s);
    journal_lost(&s->journal);
    s->relocking = true;
    state_queue_commit(s);
    if (port_up(s->config.disk)) state_open_relock(s);
}

void state_close(struct state *s) {
    if (s->closing) return;
    s->closing = true;
    keep_stop(s);
    journal_mark(&s->journal);
    state_queue_commit(s);
}

/* --- reading and looking --- */

void *state_arg(const struct state *s) {
    return s->config.arg;
}
enum state_mode state_mode(const struct state *s) {
    return s->mode;
}
const struct val *state_peek(const struct state *s) {
    return &s->root;
}
uint64_t state_revision(const struct state *s) {
    return s->revision;
}
uint64_t state_settled(const struct state *s) {
    return s->settled;
}
uint64_t state_owner(const struct state *s, const char *owner) {
    return plan_owner(s->plan, owner);
}
uint64_t state_shown(const struct state *s) {
    return s->shown;
}
uint64_t state_shown_settled(const struct state *s) {
    return s->shown_settled;
}
const struct val *state_settled_root(const struct state *s) {
    return &s->settled_root;
}
struct watchers *state_watchers(struct state *s) {
    return s->watchers;
}

struct val state_show(const struct state *s, struct slice pointer, struct err *e) {
    const struct val *found = jsonptr_get(&s->settled_root, pointer, e);
    struct err own = ERR_INIT;
    if (val_is_none(found)) return val_none;
    struct val shown = plan_strip(s->plan, pointer, found, PLAN_PRIVATE, &own);
    if (val_is_none(&shown) && own.code == ERR_NONE) jsonptr_hide(pointer, &own);
    if (val_is_none(&shown) && e) *e = own;
    return shown;
}

struct state_counts state_counts(const struct state *s) {
    struct state_counts c = s->counts;
    c.syncs = s->journal.syncs;
    c.journal_bytes = s->journal.written - s->written_before;
    c.snapshot_bytes = s->snapshot_bytes;
    c.writing = snapshot_is_running(&s->snapshot);
    c.pending = journal_pending(&s->journal);
    c.segment = s->journal.serial;
    return c;
}

bool state_snapshot(struct state *s, struct err *e) {
    if (s->mode != STATE_UP || s->closing) return err_set(e, ERR_DATABASE, "the state cannot be written now");
    return snapshot_is_running(&s->snapshot) || keep_snapshot(s, e);
}
