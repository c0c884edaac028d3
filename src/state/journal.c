/* journal.c - see journal.h. */
#include "state/journal.h"

#include "base/mem.h"
#include "base/must.h"
#include "protocols/cbor.h"

#define AGAIN_MS 100 /* until what could not be asked for want of memory is asked again */

/* --- batches --- */

/* Whatever is in it is gone; room for a head stands. */
static void batch_reset(struct journal_batch *b) {
    buf_reset(&b->bytes);
    b->n = 0;
}

static bool batch_begin(struct journal_batch *b, struct err *e) {
    if (b->bytes.len) return true;
    uint8_t *head = buf_room(&b->bytes, RECORD_BLOCK);
    if (!head) {
        buf_reset(&b->bytes); /* the next one may find memory again */
        return err_nomem(e, "the journal");
    }
    memset(head, 0, RECORD_BLOCK);
    buf_wrote(&b->bytes, RECORD_BLOCK);
    return true;
}

/* Room for one record more in the list. */
static bool batch_room(struct journal_batch *b, struct err *e) {
    if (b->n < b->cap) return true;
    uint32_t cap = b->cap ? b->cap * 2 : 64;
    struct record *r = mem_grow(b->records, b->cap * sizeof *r, cap * sizeof *r);
    if (!r) return err_nomem(e, "the journal");
    b->records = r;
    b->cap = cap;
    return true;
}

static bool batch_add(struct journal_batch *b, struct record r, const struct val *patch, size_t most, struct err *e) {
    if (!batch_begin(b, e) || !batch_room(b, e)) return false;
    size_t mark = buf_mark(&b->bytes);
    uint8_t *head = buf_room(&b->bytes, RECORD_HEAD);
    if (!head) {
        buf_rewind(&b->bytes, mark);
        return err_nomem(e, "the journal");
    }
    buf_wrote(&b->bytes, RECORD_HEAD);
    bool good = !patch || cbor_write(&b->bytes, patch, e);
    size_t len = b->bytes.len - mark - RECORD_HEAD;
    if (good && len > most) good = err_limit(e, "revision", most, ERR_NOWHERE);
    if (!good) {
        buf_rewind(&b->bytes, mark);
        return false;
    }
    r.len = (uint32_t)len;
    r.sum = record_sum(slice_of(b->bytes.ptr + mark + RECORD_HEAD, len));
    b->records[b->n++] = r;
    return true;
}

/* The heads can be written only now: which segment it will be, and what is durable then. */
static void batch_finish(struct journal_batch *b, const struct segment_head *h, uint64_t horizon) {
    uint8_t *at = b->bytes.ptr;
    segment_head_write(at, h);
    at += RECORD_BLOCK;
    for (uint32_t i = 0; i < b->n; i++) {
        struct record *r = &b->records[i];
        r->last = i + 1 == b->n;
        r->mark = record_mark(h->store, h->serial);
        r->horizon = horizon;
        record_write(at, r);
        at += RECORD_HEAD + r->len;
    }
}

static void batch_release(struct journal_batch *b) {
    buf_release(&b->bytes);
    mem_put(b->records, b->cap * sizeof *b->records);
    b->records = NULL;
    b->n = b->cap = 0;
}

/* --- on its way --- */

static bool send_on(struct journal *j, struct err *e);

static void stop_pieces(struct journal *j) {
    for (unsigned i = 0; i < JOURNAL_CALLS; i++) call_cancel(&j->pieces[i].call);
    j->flight_open = 0;
}

static void refuse(struct journal *j, const struct err *e) {
    stop_pieces(j);
    segment_stop(&j->maker);
    loop_timer_clear(&j->quiet);
    loop_timer_clear(&j->again);
    batch_reset(&j->gather);
    batch_reset(&j->flight);
    j->err = *e;
    j->state = JOURNAL_SHUT;
    j->distrusted = j->serial;
    j->serial = 0;
    j->call(j, JOURNAL_REFUSED);
}

/* A call failed: the hand is lost, or the disk has spoken. */
static void fail(struct journal *j, const struct err *e) {
    if (store_lost(e))
        journal_lost(j);
    else
        refuse(j, e);
}

/* Something could not be asked: when it was for want of memory, or of room in the link, the disk has not spoken. It is tried again. */
static void stumble(struct journal *j, const struct err *e) {
    bool shortage = e->code == ERR_NOMEM || e->code == ERR_LIMIT;
    if (!shortage || !loop_timer_set(j->loop, &j->again, loop_now_ms(j->loop) + AGAIN_MS)) fail(j, e);
}

static void land(struct journal *j) {
    uint64_t end = j->flight_at + (j->flight.bytes.len - j->flight_from);
    j->at = (end + RECORD_BLOCK - 1) / RECORD_BLOCK * RECORD_BLOCK;
    j->written += end - j->flight_at;
    j->durable = j->flight.records[j->flight.n - 1].revision;
    j->marked = j->flight_mark && !j->mark_wanted; /* wanted meanwhile: a durable one */
    j->syncs += !j->flight_mark;
    batch_reset(&j->flight);
    if (j->flight.bytes.cap > 4 * LIMIT_DISK_BYTES) buf_release(&j->flight.bytes); /* a big one was rare */
    j->state = JOURNAL_IDLE;
    if (!j->marked) loop_timer_set(j->loop, &j->quiet, loop_now_ms(j->loop) + j->mark_ms); /* without memory: no mark */
    j->call(j, JOURNAL_DURABLE);
}

static void piece_done(struct call *c, struct call_answer *a) {
    struct journal_piece *p = LOOP_OWNER(struct journal_piece, call, c);
    struct journal *j = p->journal;
    struct err e = a->err;
    j->flight_open--;
    if (e.code != ERR_NONE)
        fail(j, &e);
    else if (!send_on(j, &e))
        stumble(j, &e);
    else if (!j->flight_open)
        land(j);
}

/* As many pieces as may be on their way at once. The last one brings the sync for all: the hand takes them in order. */
static bool send_on(struct journal *j, struct err *e) {
    struct slice whole = slice_skip(buf_slice(&j->flight.bytes), j->flight_from);
    char name[STATE_NAME];
    segment_name(name, j->serial);
    for (unsigned i = 0; i < JOURNAL_CALLS && j->flight_sent < whole.len; i++) {
        struct journal_piece *p = &j->pieces[i];
        if (call_is_open(&p->call)) continue;
        struct slice bytes = slice_head(slice_skip(whole, j->flight_sent), LIMIT_DISK_BYTES);
        bool last = j->flight_sent + bytes.len == whole.len;
        struct val args = store_args(j->disk, name);
        store_arg(&args, "at", val_of_u64(j->flight_at + j->flight_sent));
        store_arg(&args, "bytes", val_of_bytes(bytes));
        store_arg(&args, "sync", val_of_bool(last && (!j->flight_mark || j->mark_synced)));
        *p = (struct journal_piece){.call = {.done = piece_done}, .journal = j};
        if (!store_ask(j->disk, &p->call, "disk.write", args, e)) return false;
        j->flight_open++;
        j->flight_sent += bytes.len;
    }
    return true;
}

/* Whether the current segment can take so many bytes behind its head. */
static bool fits(const struct journal *j, size_t len) {
    if (!j->serial || j->doubt) return false;
    return j->at == 0 || j->at + len <= j->segment_bytes;
}

static void take_segment(struct journal *j) {
    j->serial = segment_take(&j->maker);
    j->at = 0;
    j->doubt = j->next_failed = false;
    j->call(j, JOURNAL_SEGMENT);
}

/* The flight leaves, into the current segment or the next one; waits when that is not ready. */
static void depart(struct journal *j) {
    struct err e = ERR_INIT;
    if (!fits(j, j->flight.bytes.len - RECORD_BLOCK)) {
        if (j->maker.state != MAKER_READY) {
            j->state = JOURNAL_MAKING;
            if (!segment_make(&j->maker, &e)) stumble(j, &e);
            return;
        }
        take_segment(j);
    }
    const struct segment_head head = {
        .store = j->store, .serial = j->serial, .size = j->segment_bytes, .base = j->durable, .version = j->version};
    batch_finish(&j->flight, &head, j->durable);
    j->state = JOURNAL_WRITING;
    j->flight_at = j->at;
    j->flight_from = j->at ? RECORD_BLOCK : 0;
    j->flight_sent = 0;
    if (!send_on(j, &e)) {
        stumble(j, &e);
        return;
    }
    /* The next one is made while this one fills. */
    if (j->maker.state == MAKER_RESTING && !j->next_failed && !segment_make(&j->maker, &e)) j->next_failed = true;
}

/* --- marks --- */

static void write_mark(struct journal *j, bool synced) {
    struct err e = ERR_INIT;
    const struct record mark = {.kind = RECORD_MARK, .revision = j->durable};
    j->flight_mark = true;
    j->mark_synced = synced;
    j->mark_wanted = false;
    bool room =
        fits(j, RECORD_HEAD) || j->maker.state == MAKER_READY; /* none is made for a mark: the disk may be full */
    if (room && batch_add(&j->flight, mark, NULL, 0, &e)) {
        depart(j);
        return;
    }
    batch_reset(&j->flight); /* it is only a help: who waits for it goes on */
    j->marked = true;
    if (synced) j->call(j, JOURNAL_DURABLE);
}

static void quiet_passed(struct loop_timer *t) {
    struct journal *j = LOOP_OWNER(struct journal, quiet, t);
    if (j->state == JOURNAL_IDLE && !j->gather.n && !j->marked) write_mark(j, false);
}

static void try_again(struct loop_timer *t) {
    struct journal *j = LOOP_OWNER(struct journal, again, t);
    struct err e = ERR_INIT;
    bool good = true;
    if (j->state == JOURNAL_WRITING)
        good = send_on(j, &e);
    else if (j->state == JOURNAL_MAKING)
        good = segment_make(&j->maker, &e);
    if (!good) stumble(j, &e);
}

void journal_mark(struct journal *j) {
    j->mark_wanted = true;
}

/* --- from outside --- */

static void made(struct segment_maker *m, const struct err *e) {
    struct journal *j = LOOP_OWNER(struct journal, maker, m);
    if (e) {
        /* While the current segment does, a next one can be tried again when it is needed. */
        j->next_failed = true;
        if (j->state == JOURNAL_MAKING || store_lost(e)) stumble(j, e);
        return;
    }
    if (j->state != JOURNAL_MAKING) return;
    j->state = JOURNAL_IDLE;
    if (j->flight.n) {
        depart(j);
        return;
    }
    take_segment(j);
    loop_timer_set(j->loop, &j->quiet, loop_now_ms(j->loop) + j->mark_ms);
    j->call(j, JOURNAL_READY);
}

void journal_init(struct journal *j, const struct journal_config *c) {
    void (*call)(struct journal *, enum journal_event) = j->call;
    *j = (struct journal){.call = call,
                          .err = ERR_INIT,
                          .loop = c->loop,
                          .disk = c->disk,
                          .store = c->store,
                          .version = c->version,
                          .segment_bytes = c->segment_bytes,
                          .most = c->most,
                          .pending_most = c->pending,
                          .mark_ms = c->mark_ms,
                          .quiet = {.call = quiet_passed, .name = "journal quiet"},
                          .again = {.call = try_again, .name = "journal again"},
                          .maker = {.done = made, .disk = c->disk, .size = c->segment_bytes}};
    buf_init(&j->gather.bytes, c->pending + c->most + RECORD_BLOCK + RECORD_HEAD);
    buf_init(&j->flight.bytes, c->pending + c->most + RECORD_BLOCK + RECORD_HEAD);
}

void journal_release(struct journal *j) {
    stop_pieces(j);
    segment_stop(&j->maker);
    loop_timer_clear(&j->quiet);
    loop_timer_clear(&j->again);
    batch_release(&j->gather);
    batch_release(&j->flight);
    j->state = JOURNAL_SHUT;
}

void journal_begin(struct journal *j, uint64_t durable) {
    struct err e = ERR_INIT;
    must(j->state == JOURNAL_SHUT);
    j->durable = durable;
    j->marked = false;
    j->state = JOURNAL_MAKING;
    if (j->maker.state == MAKER_READY)
        made(&j->maker, NULL);
    else if (!segment_make(&j->maker, &e))
        stumble(j, &e);
}

bool journal_add(struct journal *j, uint64_t revision, const struct val *patch, struct err *e) {
    if (j->state == JOURNAL_SHUT) return err_set(e, ERR_DATABASE, "the journal is shut");
    if (journal_pending(j) > j->pending_most) {
        err_limit(e, "pending", j->pending_most, ERR_NOWHERE);
        return err_status(e, 503);
    }
    const struct record r = {.kind = RECORD_PATCH, .revision = revision};
    return batch_add(&j->gather, r, patch, j->most, e);
}

void journal_flush(struct journal *j) {
    if (j->state != JOURNAL_IDLE) return;
    if (!j->gather.n) {
        if (j->mark_wanted) write_mark(j, true);
        return;
    }
    struct journal_batch empty = j->flight;
    j->flight = j->gather;
    j->gather = empty;
    j->flight_mark = false;
    loop_timer_clear(&j->quiet);
    depart(j);
}

bool journal_clean(const struct journal *j) {
    return !j->gather.n && (!j->flight.n || j->flight_mark);
}

void journal_lost(struct journal *j) {
    if (j->state == JOURNAL_SHUT || j->state == JOURNAL_AWAY) return;
    stop_pieces(j);
    segment_stop(&j->maker);
    loop_timer_clear(&j->quiet);
    loop_timer_clear(&j->again);
    if (j->flight.n && j->state == JOURNAL_WRITING) j->doubt = true;
    if (j->flight_mark) {
        j->mark_wanted |= j->flight.n && j->mark_synced;
        batch_reset(&j->flight);
    }
    j->state = JOURNAL_AWAY;
}

void journal_new_disk(struct journal *j) {
    journal_lost(j);
    if (j->state != JOURNAL_AWAY) return;
    j->state = JOURNAL_IDLE;
    if (!j->marked) loop_timer_set(j->loop, &j->quiet, loop_now_ms(j->loop) + j->mark_ms);
    if (j->flight.n)
        depart(j);
    else if (!j->serial) {
        j->state = JOURNAL_SHUT;
        journal_begin(j, j->durable);
    }
}
