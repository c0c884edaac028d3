/* prometheus.c - GET /metrics: how the daemon fares, in the text form of Prometheus. For who is master of the box. */
#include "base/mem.h"
#include "startd/room.h"

#define TEXT_MOST (512u << 10)

static void add(struct buf *out, const char *name, const char *type, const char *help, uint64_t value) {
    buf_printf(out, "# HELP startbox_%s %s\n# TYPE startbox_%s %s\nstartbox_%s %llu\n", name, help, name, type, name,
               (unsigned long long)value);
}

static void add_server(struct buf *out, const struct daemon *d) {
    struct http_counts c = http_server_counts(d->server);
    add(out, "http_connections", "gauge", "Connections now.", c.open);
    add(out, "http_accepted_total", "counter", "Connections so far.", c.accepted);
    add(out, "http_requests_total", "counter", "Requests so far.", c.requests);
    add(out, "http_refused_total", "counter", "Requests and connections that were refused.", c.refused);
    add(out, "http_evicted_total", "counter", "Connections that gave way to others.", c.evicted);
    add(out, "http_timeouts_total", "counter", "Waits that were too long.", c.timeouts);
    add(out, "http_held_bytes", "gauge", "Bytes of unfinished requests.", c.held);
    add(out, "http_out_bytes", "gauge", "Bytes of answers that wait to be read.", c.out);
    add(out, "feeds", "gauge", "Feeds that are open or waited for.", feeds_count(d->feeds));
}

static void add_loop(struct buf *out, const struct daemon *d) {
    struct loop_stats l = loop_stats(d->loop);
    uint64_t us = 1, sum = 0;
    add(out, "loop_calls_total", "counter", "Callbacks of the loop.", l.calls);
    add(out, "loop_slowest_callback_us", "gauge", "The slowest callback so far.", l.slowest_us);
    buf_printf(out, "# HELP startbox_loop_turn_seconds How long turns of the loop take.\n"
                    "# TYPE startbox_loop_turn_seconds histogram\n");
    for (unsigned i = 0; i < LOOP_TURN_BUCKETS; i++) {
        sum += l.turn_us[i];
        us *= 2;
        buf_printf(out, "startbox_loop_turn_seconds_bucket{le=\"%.6f\"} %llu\n", (double)us / 1e6,
                   (unsigned long long)sum);
    }
    buf_printf(out, "startbox_loop_turn_seconds_bucket{le=\"+Inf\"} %llu\nstartbox_loop_turn_seconds_count %llu\n",
               (unsigned long long)l.turns, (unsigned long long)l.turns);
}

static void add_state(struct buf *out, const struct daemon *d) {
    struct state_counts c = state_counts(d->state);
    add(out, "state_revision", "gauge", "The newest revision of the tree.", state_revision(d->state));
    add(out, "state_commits_total", "counter", "Revisions made.", c.commits);
    add(out, "state_syncs_total", "counter", "Batches that were made durable.", c.syncs);
    add(out, "state_pending_bytes", "gauge", "Bytes that are not durable yet.", c.pending);
    add(out, "state_journal_bytes", "gauge", "Bytes of the journal since the last snapshot.", c.journal_bytes);
    add(out, "state_snapshots_total", "counter", "Snapshots written.", c.snapshots);
    struct watch_counts w = watchers_counts(state_watchers(d->state));
    add(out, "watchers", "gauge", "Subscriptions to the tree.", w.watches);
    add(out, "watchers_told_total", "counter", "Times a subscription was told something.", w.told);
    add(out, "watchers_behind_total", "counter", "Times a subscription could not keep up.", w.behind);
}

static void add_memory(struct buf *out) {
    struct mem_stats m = mem_stats();
    add(out, "memory_live_bytes", "gauge", "Bytes in use.", m.live_bytes);
    add(out, "memory_live_blocks", "gauge", "Blocks in use.", m.live_blocks);
    add(out, "memory_allocations_total", "counter", "Allocations so far.", m.calls);
}

/* Only methods that were called. */
static void add_methods(struct buf *out, const struct daemon *d) {
    const struct method *m;
    buf_printf(out, "# HELP startbox_rpc_seconds How long calls took.\n# TYPE startbox_rpc_seconds histogram\n");
    for (size_t i = 0; (m = rpc_row(d->rpc, i)); i++) {
        struct rpc_row_counts c = rpc_row_counts(d->rpc, i);
        uint64_t sum = 0, us = 100;
        for (unsigned k = 0; k < RPC_BUCKETS; k++) sum += c.took[k];
        if (!sum) continue;
        uint64_t all = sum;
        sum = 0;
        for (unsigned k = 0; k + 1 < RPC_BUCKETS; k++, us *= 10) {
            sum += c.took[k];
            buf_printf(out, "startbox_rpc_seconds_bucket{method=\"%s\",le=\"%g\"} %llu\n", m->name, (double)us / 1e6,
                       (unsigned long long)sum);
        }
        buf_printf(out,
                   "startbox_rpc_seconds_bucket{method=\"%s\",le=\"+Inf\"} %llu\n"
                   "startbox_rpc_seconds_sum{method=\"%s\"} %.6f\nstartbox_rpc_seconds_count{method=\"%s\"} %llu\n",
                   m->name, (unsigned long long)all, m->name, (double)c.us / 1e6, m->name, (unsigned long long)all);
    }
    buf_printf(out, "# HELP startbox_rpc_failed_total Calls that were answered with an error.\n"
                    "# TYPE startbox_rpc_failed_total counter\n");
    for (size_t i = 0; (m = rpc_row(d->rpc, i)); i++)
        if (rpc_row_counts(d->rpc, i).failed)
            buf_printf(out, "startbox_rpc_failed_total{method=\"%s\"} %llu\n", m->name,
                       (unsigned long long)rpc_row_counts(d->rpc, i).failed);
    add(out, "rpc_refused_total", "counter", "Calls that no handler was asked for.", rpc_counts(d->rpc).refused);
    add(out, "rpc_open", "gauge", "Calls that are not answered yet.", rpc_counts(d->rpc).open);
}

static void show(struct http_exchange *x, const struct http_request *r) {
    struct daemon *d = http_arg(x);
    struct auth_shown shown;
    struct auth_room room;
    struct rpc_caller caller;
    struct buf out;
    door_shown(x, r->head, &shown);
    auth_name(d->auth, &shown, &caller, &room);
    if (!(caller.kind & CALLER_OWNER)) {
        http_reply(x, 401, LIT("text/plain; charset=utf-8"), LIT(""), LIT("Not Authorized\n"));
        return;
    }
    buf_init(&out, TEXT_MOST);
    add_methods(&out, d);
    add_server(&out, d);
    add_loop(&out, d);
    if (d->state && d->state_stood) add_state(&out, d);
    add_memory(&out);
    if (buf_ok(&out))
        http_reply(x, 200, LIT("text/plain; version=0.0.4"), LIT("Cache-Control: no-store\r\n"), buf_slice(&out));
    else
        http_reply(x, 503, LIT("text/plain; charset=utf-8"), LIT(""), LIT("out of memory\n"));
    buf_release(&out);
}

const struct http_handler prometheus_handler = {.name = "metrics", .begin = show};
