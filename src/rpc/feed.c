/* feed.c - see feed.h. */
#include "rpc/feed.h"

#include "base/hex.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/rng.h"
#include "rpc/rpc.h"

struct feeds {
    struct loop *loop;
    struct feed *first;
    size_t n;
};

struct feeds *feeds_new(struct loop *l, struct err *e) {
    struct feeds *fs = mem_get_zero(sizeof *fs);
    if (!fs) {
        err_nomem(e, "the table of feeds");
        return NULL;
    }
    fs->loop = l;
    return fs;
}

size_t feeds_count(const struct feeds *fs) {
    return fs->n;
}

/* --- the end --- */

static void leave(struct feed *f) {
    struct feeds *fs = f->feeds;
    *(f->prev ? &f->prev->next : &fs->first) = f->next;
    if (f->next) f->next->prev = f->prev;
    fs->n--;
    loop_timer_clear(&f->timer);
    loop_task_remove(&f->task);
    mem_put((void *)(uintptr_t)f->owner.ptr, f->owner.len);
    f->owner = slice_of(NULL, 0);
    f->state = FEED_NONE;
    f->ops = NULL;
    f->line = NULL;
    if (f->kind->gone) f->kind->gone(f); /* may be freed */
}

static bool run_gone(struct loop_task *t) {
    leave(LOOP_OWNER(struct feed, task, t));
    return false;
}

static void nobody_came(struct loop_timer *t) {
    leave(LOOP_OWNER(struct feed, timer, t));
}

void feed_end(struct feed *f, const struct err *why) {
    switch (f->state) {
    case FEED_NONE:
    case FEED_ENDING: return;
    case FEED_WAITING:
        f->state = FEED_ENDING;
        loop_timer_clear(&f->timer);
        loop_task_queue(f->feeds->loop, &f->task, LOOP_CLOSE);
        return;
    case FEED_CLAIMED: f->state = FEED_ENDING; return; /* feed_opened or feed_left finds it so */
    case FEED_OPEN:
        f->state = FEED_ENDING;
        f->ops->end(f->line, why);
        return;
    }
}

void feed_left(struct feed *f) {
    if (f->state == FEED_NONE) return;
    f->state = FEED_ENDING;
    f->ops = NULL;
    loop_timer_clear(&f->timer);
    loop_task_queue(f->feeds->loop, &f->task, LOOP_CLOSE);
}

static bool is_owner(const struct feed *f, unsigned kind, struct slice owner) {
    return f->owner_kind == kind && slice_eq(f->owner, owner);
}

void feeds_end_of(struct feeds *fs, unsigned owner_kind, struct slice owner, const struct err *why) {
    for (struct feed *f = fs->first; f; f = f->next)
        if (is_owner(f, owner_kind, owner)) feed_end(f, why);
}

void feeds_end_all(struct feeds *fs, const struct err *why) {
    for (struct feed *f = fs->first; f; f = f->next) feed_end(f, why);
}

void feeds_free(struct feeds *fs) {
    if (!fs) return;
    while (fs->first) leave(fs->first);
    mem_put(fs, sizeof *fs);
}

/* --- the beginning --- */

static void make_guid(char guid[FEED_GUID + 1]) {
    uint8_t bytes[20];
    rng_bytes(bytes, sizeof bytes);
    guid[base32_put(guid, BASE32_UPPER, slice_of(bytes, sizeof bytes))] = 0;
}

bool feed_begin(struct feeds *fs, struct feed *f, const struct rpc_caller *owner, struct err *e) {
    must(f->state == FEED_NONE);
    if (fs->n >= LIMIT_RPC_FEEDS) {
        err_limit(e, "feeds", LIMIT_RPC_FEEDS, ERR_NOWHERE);
        return err_status(e, 503);
    }
    uint8_t *name = NULL;
    if (owner->name.len && !(name = mem_get(owner->name.len))) return err_nomem(e, "a feed");
    if (name) memcpy(name, owner->name.ptr, owner->name.len);
    f->owner = slice_of(name, owner->name.len);
    f->owner_kind = owner->kind;
    f->timer = (struct loop_timer){.call = nobody_came, .name = "feed"};
    f->task = (struct loop_task)LOOP_TASK(run_gone, "feed gone");
    uint32_t wait = f->kind->wait_ms ? f->kind->wait_ms : FEED_WAIT_MS;
    if (!loop_timer_set(fs->loop, &f->timer, loop_now_ms(fs->loop) + wait)) {
        mem_put(name, f->owner.len);
        f->owner = slice_of(NULL, 0);
        return err_nomem(e, "a feed");
    }
    make_guid(f->guid);
    f->feeds = fs;
    f->state = FEED_WAITING;
    f->prev = NULL;
    f->next = fs->first;
    if (f->next) f->next->prev = f;
    fs->first = f;
    fs->n++;
    return true;
}

bool feed_send(struct feed *f, struct slice text) {
    if (f->state != FEED_OPEN) return false;
    f->owes_drained = !f->ops->send(f->line, text);
    return !f->owes_drained;
}

bool feed_send_frames(struct feed *f, struct shared *frames) {
    if (f->state != FEED_OPEN) return false;
    f->owes_drained = !f->ops->send_frames(f->line, frames);
    return !f->owes_drained;
}

/* --- for doors --- */

/* Every byte of every guid is compared, so that how long it takes tells nothing of any. */
static bool is_guid(const char *guid, struct slice text) {
    uint8_t differ = 0;
    for (size_t i = 0; i < FEED_GUID; i++) differ |= (uint8_t)((uint8_t)guid[i] ^ text.ptr[i]);
    return !differ;
}

struct feed *feed_claim(struct feeds *fs, struct slice guid) {
    if (guid.len != FEED_GUID) return NULL;
    for (struct feed *f = fs->first; f; f = f->next) {
        if (f->state != FEED_WAITING || !is_guid(f->guid, guid)) continue;
        f->state = FEED_CLAIMED;
        loop_timer_clear(&f->timer);
        return f;
    }
    return NULL;
}

void feed_opened(struct feed *f, const struct feed_line_ops *ops, void *line) {
    bool ended = f->state == FEED_ENDING;
    f->ops = ops;
    f->line = line;
    f->state = FEED_OPEN;
    if (ended)
        feed_end(f, NULL);
    else if (f->kind->open)
        f->kind->open(f);
}

void feed_came(struct feed *f, bool text, struct slice data) {
    if (f->state == FEED_OPEN && f->kind->came) f->kind->came(f, text, data);
}

void feed_drained(struct feed *f) {
    if (f->state != FEED_OPEN || !f->owes_drained) return;
    f->owes_drained = false;
    if (f->kind->drained) f->kind->drained(f);
}
