/* logs_kernel.c - the kernel's own log, by the warden's verb; pages of it and as it grows. See logs.h. */
#include "base/clock.h"
#include "base/mem.h"
#include "protocols/json.h"
#include "system/logs.h"

#define LOOK_MS 2000

struct kernel {
    struct call call;
    struct rpc_call *c; /* until it is answered */
    struct system *system;
    struct logs_want want;
    bool follows;
    struct feed feed;
    struct loop_timer timer;
    uint64_t last;
    struct val backlog; /* until the feed is open */
};

static void kernel_free(struct kernel *k) {
    call_cancel(&k->call);
    loop_timer_clear(&k->timer);
    val_unref(&k->backlog);
    mem_put(k, sizeof *k);
}

/* The kernel counts from its start; cursors count from 1. */
static struct val show(const struct kernel *k, const struct val *entry, uint64_t *seq) {
    uint64_t usec = 0;
    val_as_u64(val_get(entry, LIT("usec")), &usec);
    val_as_u64(val_get(entry, LIT("seq")), seq);
    int64_t ms = clock_wall_ms() - clock_mono_ms() + (int64_t)(usec / 1000);
    return VAL_MAP_OF({"timestamp", system_time(ms)}, {"message", val_ref(val_get(entry, LIT("text")))},
                      {"bootId", val_of_str(k->system->config.boot_id)});
}

static struct val show_all(struct kernel *k, const struct val *entries, uint64_t *first, uint64_t *last) {
    struct val list = val_empty_array();
    bool any = false;
    for (struct val_iter it = val_iter(entries); val_next(&it);) {
        uint64_t seq = 0;
        if (!val_push(&list, show(k, it.value, &seq))) {
            val_unref(&list);
            break;
        }
        if (!any) *first = seq;
        any = true;
        *last = seq;
    }
    return list;
}

static bool ask(struct kernel *k, uint64_t limit, struct err *e) {
    struct val args = VAL_MAP_OF({"limit", val_of_u64(limit < 1 ? 1 : limit)});
    if (k->want.cursor) val_set_str(&args, k->want.before ? "before" : "after", val_of_u64(k->want.cursor - 1));
    return call_start(&k->call, k->system->config.warden, "log.kernel", args, NULL, 0, 0, e);
}

/* --- following --- */

static void tick(struct loop_timer *t) {
    struct kernel *k = LOOP_OWNER(struct kernel, timer, t);
    struct err e = ERR_INIT;
    k->want.cursor = k->last + 1;
    k->want.before = false;
    if (!ask(k, 200, &e)) feed_end(&k->feed, &e);
}

static void look_later(struct kernel *k) {
    struct loop *l = k->system->config.loop;
    if (feed_is_open(&k->feed)) loop_timer_set(l, &k->timer, loop_now_ms(l) + LOOK_MS);
}

static void send_all(struct kernel *k, const struct val *list) {
    for (struct val_iter it = val_iter(list); val_next(&it);) {
        struct buf text;
        buf_init(&text, 65536);
        if (json_write(&text, it.value, JSON_COMPACT, NULL)) feed_send(&k->feed, buf_slice(&text));
        buf_release(&text);
    }
}

static void opened(struct feed *f) {
    struct kernel *k = LOOP_OWNER(struct kernel, feed, f);
    send_all(k, &k->backlog);
    val_unref(&k->backlog);
    look_later(k);
}

static void gone(struct feed *f) {
    kernel_free(LOOP_OWNER(struct kernel, feed, f));
}
static const struct feed_kind kernel_kind = {.name = "kernel logs", .open = opened, .gone = gone};

/* --- the answer --- */

static void answer(struct kernel *k, struct val list, uint64_t first, uint64_t last) {
    struct rpc_call *c = k->c;
    struct err e = ERR_INIT;
    bool any = val_count(&list) != 0;
    struct val from = any ? logs_cursor(first + 1) : val_null();
    if (!k->follows) {
        kernel_free(k);
        rpc_give(c, VAL_MAP_OF({"entries", list}, {"startCursor", from},
                               {"endCursor", any ? logs_cursor(last + 1) : val_null()}));
        return;
    }
    k->feed.kind = &kernel_kind;
    k->backlog = list;
    k->last = last;
    if (!feed_begin(rpc_feeds(c->rpc), &k->feed, c->caller, &e)) {
        val_unref(&from);
        kernel_free(k);
        rpc_fail(c, &e);
        return;
    }
    k->c = NULL;
    rpc_give(c, VAL_MAP_OF({"startCursor", from}, {"guid", val_of_str(k->feed.guid)}));
}

static void heard(struct call *call, struct call_answer *a) {
    struct kernel *k = LOOP_OWNER(struct kernel, call, call);
    struct rpc_call *c = k->c;
    uint64_t first = 0, last = k->last;
    if (a->err.code != ERR_NONE) {
        struct err e = a->err;
        if (c) {
            kernel_free(k);
            rpc_fail(c, &e);
        } else
            feed_end(&k->feed, &e);
        return;
    }
    struct val list = show_all(k, val_get(&a->result, LIT("entries")), &first, &last);
    if (c) {
        answer(k, list, first, last);
        return;
    }
    k->last = last;
    send_all(k, &list);
    val_unref(&list);
    look_later(k);
}

static void drop(struct rpc_call *c) {
    kernel_free(c->own);
}

static void run(struct rpc_call *c, bool follows) {
    struct err e = ERR_INIT;
    struct kernel *k = mem_get_zero(sizeof *k);
    if (!k) err_nomem(&e, "the log");
    if (k)
        *k = (struct kernel){.call = {.done = heard},
                             .c = c,
                             .system = system_of(c),
                             .follows = follows,
                             .timer = {.call = tick, .name = "kernel logs"}};
    if (!k || !logs_want_read(&c->params, &k->want, &e) || !ask(k, k->want.limit, &e)) {
        mem_put(k, sizeof *k);
        rpc_fail(c, &e);
        return;
    }
    c->own = k;
    c->drop = drop;
}

void logs_run_kernel(struct rpc_call *c) {
    run(c, false);
}
void logs_run_kernel_follow(struct rpc_call *c) {
    run(c, true);
}
