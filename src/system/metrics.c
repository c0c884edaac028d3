/* metrics.c - how the machine is: processor, memory, disk, temperature, as StartOS shows it: every figure a text with its unit.
 *
 * The sampler (a hand of the warden's) is begun when somebody asks, and let go when nobody has for a while. Figures of the processor
 * are the difference of two samples; of the first, of all time since the start. */
#include "system/room.h"

#include "base/log.h"
#include "base/mem.h"
#include "protocols/json.h"

#include <stdio.h>

#define SAMPLE_MS 4000
#define QUIET_MS  60000
#define DISK_MS   60000

/* Somebody who waits for the next sample. */
struct metrics_wait {
    struct rpc_call *c;
    struct metrics_wait *next;
};

struct metrics_feed {
    struct feed feed;
    struct metrics_feed *next, **at;
};

/* --- figures --- */

static struct val leaf(double value, const char *unit, int decimals) {
    char text[40];
    snprintf(text, sizeof text, "%.*f", decimals, value);
    return VAL_MAP_OF({"value", val_of_str(text)}, {"unit", val_of_str(unit)});
}

static double number(const struct val *map, const char *key) {
    double d = 0;
    val_as_double(val_get(map, slice_str(key)), &d);
    return d;
}

static struct val say_cpu(const struct system *s) {
    static const char *const keys[] = {"user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"};
    const struct val *now = val_at(val_get(&s->sample, LIT("cpu")), 0),
                     *was = val_at(val_get(&s->before, LIT("cpu")), 0);
    double d[8], all = 0;
    for (size_t i = 0; i < 8; i++) all += d[i] = number(now, keys[i]) - number(was, keys[i]);
    if (all <= 0) all = 1;
    return VAL_MAP_OF({"percentageUsed", leaf((all - d[3] - d[4]) * 100 / all, "%", 2)},
                      {"idle", leaf(d[3] * 100 / all, "%", 2)}, {"userSpace", leaf((d[0] + d[1]) * 100 / all, "%", 2)},
                      {"kernelSpace", leaf((d[2] + d[5] + d[6]) * 100 / all, "%", 2)},
                      {"wait", leaf(d[4] * 100 / all, "%", 2)});
}

static struct val say_memory(const struct system *s) {
    const double mib = 1 << 20;
    const struct val *m = val_get(&s->sample, LIT("memory"));
    double total = number(m, "total"), available = number(m, "available"), swap = number(m, "swap_total"),
           swap_free = number(m, "swap_free");
    return VAL_MAP_OF({"percentageUsed", leaf(total > 0 ? (total - available) * 100 / total : 0, "%", 2)},
                      {"total", leaf(total / mib, "MiB", 2)}, {"available", leaf(available / mib, "MiB", 2)},
                      {"used", leaf((total - available) / mib, "MiB", 2)}, {"zramTotal", leaf(swap / mib, "MiB", 2)},
                      {"zramAvailable", leaf(swap_free / mib, "MiB", 2)},
                      {"zramUsed", leaf((swap - swap_free) / mib, "MiB", 2)});
}

static struct val say_disk(const struct system *s) {
    double total = (double)s->disk_total / 1e9, available = (double)s->disk_free / 1e9;
    return VAL_MAP_OF({"percentageUsed", leaf(total > 0 ? (total - available) * 100 / total : 0, "%", 2)},
                      {"used", leaf(total - available, "GB", 2)}, {"available", leaf(available, "GB", 2)},
                      {"capacity", leaf(total, "GB", 2)});
}

/* The hottest sensor. */
static struct val say_temperature(const struct system *s) {
    double hottest = -1000;
    for (struct val_iter it = val_iter(val_get(&s->sample, LIT("temperatures"))); val_next(&it);)
        if (number(it.value, "milli_c") / 1000 > hottest) hottest = number(it.value, "milli_c") / 1000;
    return hottest > -1000 ? leaf(hottest,
                                  "\xc2\xb0"
                                  "C",
                                  1)
                           : val_null();
}

static struct val say_all(const struct system *s) {
    return VAL_MAP_OF({"general", VAL_MAP_OF({"temperature", say_temperature(s)})}, {"memory", say_memory(s)},
                      {"cpu", say_cpu(s)}, {"disk", say_disk(s)});
}

/* --- sampling --- */

static void end_sampler(struct system *s) {
    call_cancel(&s->sample_call);
    port_stop(&s->sampler);
    loop_timer_clear(&s->sample_timer);
    val_unref(&s->before);
    val_unref(&s->sample);
}

static void fail_waiting(struct system *s, const struct err *e) {
    while (s->waiting) {
        struct metrics_wait *w = s->waiting;
        s->waiting = w->next;
        rpc_fail(w->c, e);
        mem_put(w, sizeof *w);
    }
    struct metrics_feed *f = s->followers, *next;
    for (; f; f = next) {
        next = f->next;
        feed_end(&f->feed, e);
    }
    end_sampler(s);
}

static void tell_all(struct system *s) {
    struct val all = say_all(s);
    struct buf text;
    struct err e = ERR_INIT;
    while (s->waiting) {
        struct metrics_wait *w = s->waiting;
        s->waiting = w->next;
        rpc_give(w->c, val_ref(&all));
        mem_put(w, sizeof *w);
    }
    buf_init(&text, 16384);
    if (s->followers && json_write(&text, &all, JSON_COMPACT, &e))
        for (struct metrics_feed *f = s->followers; f; f = f->next)
            feed_send(&f->feed, buf_slice(&text)); /* who is slow misses one */
    buf_release(&text);
    val_unref(&all);
}

static bool ask_sample(struct system *s, struct err *e);

static void sampled(struct call *c, struct call_answer *a) {
    struct system *s = LOOP_OWNER(struct system, sample_call, c);
    if (a->err.code != ERR_NONE) {
        fail_waiting(s, &a->err);
        return;
    }
    val_unref(&s->before);
    s->before = s->sample;
    s->sample = a->result;
    a->result = val_none;
    s->sampled_ms = loop_now_ms(s->config.loop);
    s->tell_due = call_is_open(&s->space_call); /* it comes soon */
    if (!s->tell_due) tell_all(s);
    if (loop_now_ms(s->config.loop) - s->metrics_wanted_ms > QUIET_MS && !s->followers)
        end_sampler(s);
    else
        loop_timer_set(s->config.loop, &s->sample_timer, s->sampled_ms + SAMPLE_MS);
}

static void heard_disk(struct call *c, struct call_answer *a) {
    struct system *s = LOOP_OWNER(struct system, space_call, c);
    if (a->err.code == ERR_NONE) {
        val_as_u64(val_get(&a->result, LIT("total")), &s->disk_total);
        val_as_u64(val_get(&a->result, LIT("free")), &s->disk_free);
    }
    if (s->tell_due) tell_all(s);
    s->tell_due = false;
}

static void tick(struct loop_timer *t) {
    struct system *s = LOOP_OWNER(struct system, sample_timer, t);
    struct err e = ERR_INIT;
    if (!ask_sample(s, &e)) fail_waiting(s, &e);
}

static void sampler_gone(struct port *p) {
    struct system *s = LOOP_OWNER(struct system, sampler, p);
    struct err e = ERR_INIT;
    err_set(&e, ERR_NETWORK, "the sampler is gone");
    fail_waiting(s, &e);
}

static void got_sampler(struct call *c, struct call_answer *a) {
    struct system *s = LOOP_OWNER(struct system, sampler_call, c);
    struct err e = a->err;
    int fd = call_answer_take_fd(a, 0);
    s->sampler = (struct port){.name = "sampler", .gone = sampler_gone};
    bool good = e.code == ERR_NONE && fd >= 0 && port_start(&s->sampler, s->config.loop, fd, &e) && ask_sample(s, &e);
    if (!good) fail_waiting(s, &e);
}

static bool ask_sample(struct system *s, struct err *e) {
    int64_t now = loop_now_ms(s->config.loop);
    if (now - s->disk_asked_ms >= DISK_MS && !call_is_open(&s->space_call) && port_up(s->config.disk)) {
        s->disk_asked_ms = now;
        call_start(&s->space_call, s->config.disk, "disk.space", VAL_MAP_OF({"root", val_of_str("data")}), NULL, 0, 0,
                   NULL);
    }
    if (call_is_open(&s->sample_call) || call_is_open(&s->sampler_call)) return true;
    if (!port_up(&s->sampler))
        return call_start(&s->sampler_call, s->config.warden, "sampler", val_empty_map(), NULL, 0, 0, e);
    return call_start(&s->sample_call, &s->sampler, "sample", val_empty_map(), NULL, 0, 0, e);
}

void metrics_init(struct system *s) {
    s->sampler_call = (struct call){.done = got_sampler};
    s->sample_call = (struct call){.done = sampled};
    s->space_call = (struct call){.done = heard_disk};
    s->sample_timer = (struct loop_timer){.call = tick, .name = "metrics"};
    s->disk_asked_ms = -DISK_MS;
}

void metrics_release(struct system *s) {
    call_cancel(&s->sampler_call);
    call_cancel(&s->space_call);
    end_sampler(s);
}

/* --- the rows --- */

static void drop_wait(struct rpc_call *c) {
    struct metrics_wait *w = c->own;
    for (struct metrics_wait **at = &system_of(c)->waiting; *at; at = &(*at)->next)
        if (*at == w) {
            *at = w->next;
            break;
        }
    mem_put(w, sizeof *w);
}

/* Fresh enough, or soon. */
static void run_metrics(struct rpc_call *c) {
    struct system *s = system_of(c);
    struct err e = ERR_INIT;
    s->metrics_wanted_ms = loop_now_ms(s->config.loop);
    if (!val_is_none(&s->sample) && s->metrics_wanted_ms - s->sampled_ms < 2 * SAMPLE_MS) {
        rpc_give(c, say_all(s));
        return;
    }
    struct metrics_wait *w = mem_get_zero(sizeof *w);
    if (!w || !ask_sample(s, &e)) {
        if (!w) err_nomem(&e, "a call");
        mem_put(w, sizeof *w);
        rpc_fail(c, &e);
        return;
    }
    *w = (struct metrics_wait){.c = c, .next = s->waiting};
    s->waiting = w;
    c->own = w;
    c->drop = drop_wait;
}

static void follower_gone(struct feed *f) {
    struct metrics_feed *m = LOOP_OWNER(struct metrics_feed, feed, f);
    *m->at = m->next;
    if (m->next) m->next->at = m->at;
    mem_put(m, sizeof *m);
}
static const struct feed_kind follow_kind = {.name = "server.metrics.follow", .gone = follower_gone};

static void run_follow(struct rpc_call *c) {
    struct system *s = system_of(c);
    struct err e = ERR_INIT;
    struct metrics_feed *m = mem_get_zero(sizeof *m);
    s->metrics_wanted_ms = loop_now_ms(s->config.loop);
    if (!m) {
        err_nomem(&e, "a feed");
        rpc_fail(c, &e);
        return;
    }
    m->feed.kind = &follow_kind;
    if (!feed_begin(rpc_feeds(c->rpc), &m->feed, c->caller, &e)) {
        mem_put(m, sizeof *m);
        rpc_fail(c, &e);
        return;
    }
    m->next = s->followers;
    m->at = &s->followers;
    if (m->next) m->next->at = &m->next;
    s->followers = m;
    if (!ask_sample(s, &e)) {
        feed_end(&m->feed, &e);
        rpc_fail(c, &e);
        return;
    }
    rpc_give(c, VAL_MAP_OF({"guid", val_of_str(m->feed.guid)},
                           {"metrics", val_is_none(&s->sample) ? val_null() : say_all(s)}));
}

SHAPE_RECORD_OF(leaf_shape, {.name = "value", .shape = &shape_text}, {.name = "unit", .shape = &shape_text});
static const struct shape leaf_or_null = {
    .kind = SHAPE_RECORD, .null = true, .fields = leaf_shape_fields, .field_n = 2};
#define LEAF(name_)                                                                                                    \
    { .name = (name_), .shape = &leaf_shape }
SHAPE_RECORD_OF(general_shape, {.name = "temperature", .shape = &leaf_or_null});
SHAPE_RECORD_OF(memory_shape, LEAF("percentageUsed"), LEAF("total"), LEAF("available"), LEAF("used"), LEAF("zramTotal"),
                LEAF("zramAvailable"), LEAF("zramUsed"));
SHAPE_RECORD_OF(cpu_shape, LEAF("percentageUsed"), LEAF("idle"), LEAF("userSpace"), LEAF("kernelSpace"), LEAF("wait"));
SHAPE_RECORD_OF(disk_shape, LEAF("percentageUsed"), LEAF("used"), LEAF("available"), LEAF("capacity"));
SHAPE_RECORD_OF(metrics_result, {.name = "general", .shape = &general_shape},
                {.name = "memory", .shape = &memory_shape}, {.name = "cpu", .shape = &cpu_shape},
                {.name = "disk", .shape = &disk_shape});
static const struct shape metrics_or_null = {
    .kind = SHAPE_RECORD, .null = true, .fields = metrics_result_fields, .field_n = 4};
SHAPE_RECORD_OF(follow_result, {.name = "guid", .shape = &shape_guid}, {.name = "metrics", .shape = &metrics_or_null});

const struct method system_metrics_rows[] = {
    {.name = "server.metrics",
     .about = "How the machine is: processor, memory, disk, temperature.",
     .result = &metrics_result,
     .callers = CALLER_OWNER,
     .where = IN_STARTD,
     .phases = PHASE_RUN,
     .run = run_metrics},
    {.name = "server.metrics.follow",
     .about = "The same, and then again every few seconds by a feed.",
     .result = &follow_result,
     .callers = CALLER_OWNER,
     .where = IN_STARTD,
     .phases = PHASE_RUN,
     .flags = METHOD_NO_COMMAND,
     .run = run_follow},
    {.name = NULL},
};
