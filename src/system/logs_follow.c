/* logs_follow.c - the log as it grows: what was said lately, then every line, by a feed. See logs.h.
 *
 * The file is looked at now and then from where it ended; when it was turned over, the rest of the old one comes first. */
#include "system/logs.h"

#include "base/limits.h"
#include "base/mem.h"
#include "protocols/json.h"

#define LOOK_MS  400
#define FILES(n) ((n) ? LOGS_FOLDER "/startd.log.1" : LOGS_FOLDER "/startd.log")

struct follow {
    struct logs_scan scan;
    struct rpc_call *c; /* until it is answered */
    struct feed feed;
    struct call call;
    struct loop_timer timer;
    uint64_t at, id, last; /* where the file goes on, which file it is, the last line that was sent */
    struct buf part;       /* of a line that is not whole yet */
    bool old;              /* the rest of the file before is read */
};

static void follow_free(struct follow *f) {
    logs_scan_end(&f->scan);
    call_cancel(&f->call);
    loop_timer_clear(&f->timer);
    buf_release(&f->part);
    mem_put(f, sizeof *f);
}

static bool send_entry(struct follow *f, const struct val *shown) {
    struct buf text;
    buf_init(&text, LIMIT_LOG_LINE * 8);
    bool good = json_write(&text, shown, JSON_COMPACT, NULL) && feed_send(&f->feed, buf_slice(&text));
    buf_release(&text);
    return good;
}

static void look_later(struct follow *f) {
    struct loop *l = f->scan.system->config.loop;
    loop_timer_set(l, &f->timer, loop_now_ms(l) + LOOK_MS);
}

/* Lines that are whole; who does not read them misses some. */
static void take(struct follow *f, struct slice bytes) {
    buf_add(&f->part, bytes);
    struct slice rest = buf_slice(&f->part);
    for (size_t end; (end = slice_find(rest, '\n')) < rest.len;) {
        char boot[33];
        uint64_t seq = 0;
        struct val shown = logs_show(slice_head(rest, end), &seq, boot);
        rest = slice_skip(rest, end + 1);
        if (!val_is_none(&shown) && seq > f->last) {
            send_entry(f, &shown);
            f->last = seq;
        }
        val_unref(&shown);
    }
    buf_drop(&f->part, f->part.len - rest.len);
    if (!buf_ok(&f->part)) buf_reset(&f->part);
}

static void look(struct follow *f) {
    struct val args = VAL_MAP_OF({"root", val_of_str(LOGS_ROOT)}, {"path", val_of_str(FILES(f->old))},
                                 {"at", val_of_u64(f->at)}, {"most", val_of_u64(LIMIT_DISK_BYTES / 2)});
    if (!call_start(&f->call, f->scan.system->config.disk, "disk.read", args, NULL, 0, 0, NULL)) look_later(f);
}

static void begin_new_file(struct follow *f) {
    f->old = false;
    f->at = f->id = 0;
    buf_reset(&f->part);
    look(f);
}

static void looked(struct call *c, struct call_answer *a) {
    struct follow *f = LOOP_OWNER(struct follow, call, c);
    struct slice bytes = val_as_bytes(val_get(&a->result, LIT("bytes")));
    uint64_t id = 0;
    val_as_u64(val_get(&a->result, LIT("id")), &id);
    bool turned = a->err.code == ERR_NONE && f->id && id != f->id;
    if (f->old && (a->err.code != ERR_NONE || turned)) { /* turned over more than once: what was in between is gone */
        begin_new_file(f);
    } else if (turned) {
        f->old = true;
        look(f);
    } else if (a->err.code != ERR_NONE)
        look_later(f);
    else {
        f->id = id;
        f->at += bytes.len;
        take(f, bytes);
        if (bytes.len == LIMIT_DISK_BYTES / 2)
            look(f);
        else if (f->old)
            begin_new_file(f);
        else
            look_later(f);
    }
}

static void tick(struct loop_timer *t) {
    look(LOOP_OWNER(struct follow, timer, t));
}

static void opened(struct feed *feed) {
    struct follow *f = LOOP_OWNER(struct follow, feed, feed);
    for (size_t i = 0; i < f->scan.n; i++) {
        send_entry(f, &f->scan.entries[i].shown);
        f->last = f->scan.entries[i].seq;
    }
    logs_scan_end(&f->scan);
    look(f);
}

static void gone(struct feed *feed) {
    follow_free(LOOP_OWNER(struct follow, feed, feed));
}
static const struct feed_kind follow_kind = {.name = "logs", .open = opened, .gone = gone};

static void drop(struct rpc_call *c) {
    follow_free(c->own);
}

static void scanned(struct logs_scan *s, const struct err *why) {
    struct follow *f = LOOP_OWNER(struct follow, scan, s);
    struct rpc_call *c = f->c;
    struct err e = why ? *why : (struct err)ERR_INIT;
    f->feed.kind = &follow_kind;
    if (why || !feed_begin(rpc_feeds(c->rpc), &f->feed, c->caller, &e)) {
        follow_free(f);
        rpc_fail(c, &e);
        return;
    }
    f->c = NULL;
    f->at = s->end;
    f->id = s->newest_id;
    rpc_give(c, VAL_MAP_OF({"startCursor", s->n ? logs_cursor(s->entries[0].seq) : val_null()},
                           {"guid", val_of_str(f->feed.guid)}));
}

void logs_run_follow(struct rpc_call *c) {
    struct err e = ERR_INIT;
    struct follow *f = mem_get_zero(sizeof *f);
    if (!f) err_nomem(&e, "the log");
    if (f) {
        f->scan.done = scanned;
        f->scan.system = system_of(c);
        f->c = c;
        f->call.done = looked;
        f->timer = (struct loop_timer){.call = tick, .name = "logs"};
        buf_init(&f->part, LIMIT_DISK_BYTES + LIMIT_LOG_LINE * 8);
    }
    if (!f || !logs_want_read(&c->params, &f->scan.want, &e) || !logs_scan_begin(&f->scan, &e)) {
        if (f) follow_free(f);
        rpc_fail(c, &e);
        return;
    }
    c->own = f;
    c->drop = drop;
}
