/* snapshot.c - see snapshot.h. */
#include "state/snapshot.h"

#include "base/clock.h"
#include "base/must.h"

/* Bytes before a sync: who commits meanwhile waits for these at most. */
#define UNSYNCED (1u << 20)

static void finish(struct snapshot *s, const struct err *e) {
    snapshot_stop(s);
    s->done(s, e);
}

static void renamed(struct call *c, struct call_answer *a) {
    struct snapshot *s = LOOP_OWNER(struct snapshot, call, c);
    finish(s, a->err.code == ERR_NONE ? NULL : &a->err);
}

static bool rename_it(struct snapshot *s, struct err *e) {
    char name[STATE_NAME];
    snapshot_name(name, s->revision);
    s->naming = true;
    s->call = (struct call){.done = renamed};
    return store_rename(s->disk, &s->call, SNAPSHOT_FRESH, name, e);
}

static void piece_done(struct call *c, struct call_answer *a) {
    struct snapshot_piece *p = LOOP_OWNER(struct snapshot_piece, call, c);
    struct snapshot *s = p->snapshot;
    s->open--;
    if (a->err.code != ERR_NONE)
        finish(s, &a->err);
    else
        loop_task_queue(s->disk->loop, &s->task, LOOP_LATER);
}

static struct snapshot_piece *find_free(struct snapshot *s) {
    for (unsigned i = 0; i < SNAPSHOT_CALLS; i++)
        if (!call_is_open(&s->pieces[i].call)) return &s->pieces[i];
    return NULL;
}

/* Encodes one slice and makes pieces of what is there. */
static bool encode(struct snapshot *s, struct err *e) {
    if (s->writer) {
        enum step step = cbor_write_run(s->writer, &s->body, s->slice, e);
        if (step == STEP_BAD) return false;
        if (step == STEP_END) {
            cbor_write_free(s->writer);
            s->writer = NULL;
        }
    }
    size_t done = 0;
    while (s->body.len - done >= SNAPFILE_PIECE || (!s->writer && s->body.len > done)) {
        struct slice piece = slice_head(slice_skip(buf_slice(&s->body), done), SNAPFILE_PIECE);
        snapfile_write_piece(&s->out, piece);
        done += piece.len;
        s->body_total += piece.len;
    }
    buf_drop(&s->body, done);
    if (!s->writer && !s->ended) {
        snapfile_write_end(&s->out, s->body_total);
        s->ended = true;
    }
    return (buf_ok(&s->out) && buf_ok(&s->body)) || err_nomem(e, "a snapshot");
}

static bool send(struct snapshot *s, struct snapshot_piece *p, struct err *e) {
    struct slice bytes = slice_head(buf_slice(&s->out), LIMIT_DISK_BYTES);
    if (s->size + bytes.len > s->most) return err_limit(e, "snapshot", s->most, ERR_NOWHERE);
    struct val args = store_args(s->disk, SNAPSHOT_FRESH);
    bool last = s->ended && bytes.len == s->out.len;
    s->unsynced += bytes.len;
    bool sync = last || s->unsynced >= UNSYNCED;
    if (sync) s->unsynced = 0;
    store_arg(&args, "at", val_of_u64(s->size));
    store_arg(&args, "bytes", val_of_bytes(bytes));
    store_arg(&args, "sync", val_of_bool(sync));
    *p = (struct snapshot_piece){.call = {.done = piece_done}, .snapshot = s};
    if (!store_ask(s->disk, &p->call, "disk.write", args, e)) return false;
    s->open++;
    s->size += bytes.len;
    buf_drop(&s->out, bytes.len);
    return true;
}

/* One slice. Returns whether there is more to do at once. */
static bool work(struct snapshot *s, struct err *e, bool *good) {
    struct snapshot_piece *p = find_free(s);
    if (!p) return false;
    if (!s->ended && s->out.len < LIMIT_DISK_BYTES && !encode(s, e)) return *good = false;
    if (s->out.len && (s->ended || s->out.len >= LIMIT_DISK_BYTES)) {
        if (!send(s, p, e)) return *good = false;
        return true;
    }
    if (!s->ended) return true;
    if (!s->open && !s->naming && !rename_it(s, e)) *good = false;
    return false;
}

static bool run(struct loop_task *t) {
    struct snapshot *s = LOOP_OWNER(struct snapshot, task, t);
    struct err e = ERR_INIT;
    bool good = true;
    int64_t began = clock_mono_us();
    bool more = work(s, &e, &good);
    uint64_t took = (uint64_t)(clock_mono_us() - began);
    if (took > s->slowest_us) s->slowest_us = took;
    if (!good) finish(s, &e);
    return good && more;
}

static void cleared(struct call *c, struct call_answer *a) {
    struct snapshot *s = LOOP_OWNER(struct snapshot, call, c);
    if (a->err.code != ERR_NONE)
        finish(s, &a->err);
    else
        loop_task_queue(s->disk->loop, &s->task, LOOP_LATER);
}

bool snapshot_start(struct snapshot *s, struct store_disk *disk, const struct plan *plan, const struct val *root,
                    const struct snapfile_about *about, size_t slice, uint64_t most, struct err *e) {
    void (*done)(struct snapshot *, const struct err *) = s->done;
    must(!snapshot_is_running(s) && slice <= SNAPFILE_PIECE);
    *s = (struct snapshot){.done = done,
                           .disk = disk,
                           .most = most,
                           .slice = slice,
                           .revision = about->revision,
                           .root = val_ref(root),
                           .part = {plan, PLAN_VOLATILE},
                           .task = LOOP_TASK(run, "snapshot"),
                           .call = {.done = cleared}};
    buf_init(&s->body, SIZE_MAX / 2); /* one text may be as long as a revision */
    buf_init(&s->out, SIZE_MAX / 2);
    s->writer = cbor_write_open_part(&s->root, plan_part_step, &s->part, plan_part_root(&s->part));
    /* What an unfinished one left goes first: it may be longer. */
    if ((s->writer || err_nomem(e, "a snapshot")) && snapfile_write_head(&s->out, about, e) &&
        store_ask(disk, &s->call, "disk.remove", store_args(disk, SNAPSHOT_FRESH), e))
        return true;
    snapshot_stop(s);
    return false;
}

void snapshot_stop(struct snapshot *s) {
    if (!snapshot_is_running(s)) return;
    loop_task_remove(&s->task);
    call_cancel(&s->call);
    for (unsigned i = 0; i < SNAPSHOT_CALLS; i++) call_cancel(&s->pieces[i].call);
    cbor_write_free(s->writer);
    s->writer = NULL;
    buf_release(&s->body);
    buf_release(&s->out);
    val_unref(&s->root);
}
