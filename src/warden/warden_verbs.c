/* warden_verbs.c - what the reactor may ask of the warden: the rows, the gate before them, and what is done at once.
 *
 * Never: believes the reactor. Every frame is held against link.h, its id against those before, its arguments against their row;
 *   what is wrong is answered with the reason. What breaks the frames' own rules is counted as well: LIMIT_LINK_REFUSED of these,
 *   and the reactor is taken for mad. A wrong argument is not counted: it may be a person's.
 * Never: shows an argument's content in an error or a log. */
#include "base/limits.h"
#include "base/log.h"
#include "warden/host.h"
#include "warden/journal_log.h"
#include "warden/kernel_log.h"
#include "warden/password.h"
#include "warden/probe.h"
#include "warden/warden_room.h"

#include <inttypes.h>
#include <sodium/utils.h>
#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

/* --- */

#define PASSWORD_MS    30000
#define PASSWORD_CPU_S 20
/* What a job's process is beside the memory its hash takes: program, libraries, stack. */
#define PASSWORD_ROOM (UINT64_C(96) << 20)
#define PASSWORD_N    2 /* the first of the own jobs */
#define YEAR_9999_MS  UINT64_C(253402300799999)

struct request {
    struct warden *w;
    uint64_t id;
    const struct val *args;
    struct val result;
    int fd;     /* goes with the result; stays whose it is */
    bool later; /* it will be answered by somebody else */
};

/* --- the rows --- */

static bool do_listen(struct request *r, struct err *e);
static bool do_unlisten(struct request *r, struct err *e);
static bool do_clock_get(struct request *r, struct err *e);
static bool do_clock_trust(struct request *r, struct err *e);
static bool do_restart(struct request *r, struct err *e);
static bool do_sampler(struct request *r, struct err *e);
static bool do_status(struct request *r, struct err *e);
static bool do_tell(struct request *r, struct err *e);
static bool run_hash(struct job_call *c, struct val *result, struct err *e);
static bool run_verify(struct job_call *c, struct val *result, struct err *e);

#define ARGS(list) .args = (list), .arg_n = sizeof(list) / sizeof(list)[0]
#define MOST_PATH  200 /* as loop/file.h has it */

static const struct verb_arg listen_args[] = {
    {.key = "kind", .type = VERB_ONE_OF, .words = "tcp udp unix"},
    {.key = "address", .type = VERB_ADDRESS, .optional = true},
    {.key = "root", .type = VERB_WORD, .optional = true},
    {.key = "path", .type = VERB_PATH, .optional = true, .max = MOST_PATH},
    {.key = "mode", .type = VERB_U64, .optional = true, .max = 0777},
    {.key = "for", .type = VERB_WORD, .optional = true},
};
static const struct verb_arg unlisten_args[] = {
    {.key = "kind", .type = VERB_ONE_OF, .words = "tcp udp unix"},
    {.key = "address", .type = VERB_ADDRESS, .optional = true},
    {.key = "root", .type = VERB_WORD, .optional = true},
    {.key = "path", .type = VERB_PATH, .optional = true, .max = MOST_PATH},
    {.key = "for", .type = VERB_WORD, .optional = true},
};
static const struct verb_arg hash_args[] = {
    {.key = "password", .type = VERB_BYTES, .min = 1, .max = PASSWORD_MOST},
};
static const struct verb_arg verify_args[] = {
    {.key = "hash", .type = VERB_TEXT, .min = 1, .max = PASSWORD_HASH - 1},
    {.key = "password", .type = VERB_BYTES, .min = 1, .max = PASSWORD_MOST},
};
static const struct verb_arg trust_args[] = {
    {.key = "floor_ms", .type = VERB_U64, .optional = true, .max = YEAR_9999_MS},
    {.key = "by_operator", .type = VERB_BOOL, .optional = true},
    {.key = "wall_ms", .type = VERB_U64, .optional = true, .max = YEAR_9999_MS},
};

static const struct verb_arg tell_args[] = {
    {.key = "ready", .type = VERB_BOOL, .optional = true},
    {.key = "alive", .type = VERB_BOOL, .optional = true},
    {.key = "status", .type = VERB_TEXT, .optional = true, .max = 200},
};

static const struct own_row {
    struct verb verb;
    bool (*act)(struct request *r, struct err *e);
} rows[] = {
    {{.name = "listen",
      ARGS(listen_args),
      .about = "Binds a socket and keeps it, also for the reactor that comes after."},
     do_listen},
    {{.name = "unlisten", ARGS(unlisten_args), .about = "Closes the kept duplicate of a bound socket."}, do_unlisten},
    {{.name = "clock.get", .about = "Tells the wall clock and whether it may be believed."}, do_clock_get},
    {{.name = "clock.trust", ARGS(trust_args), .about = "Says what makes the clock believed, or sets it."},
     do_clock_trust},
    {{.name = "restart", .about = "Ends the reactor and begins a new one with the same listeners."}, do_restart},
    {{.name = "sampler", .about = "Begins the sampler and gives the link to it."}, do_sampler},
    {{.name = "kernel.status", .about = "Tells what this kernel and this start give."}, do_status},
    {{.name = "service.tell", ARGS(tell_args), .about = "Tells the service manager that the box is ready, and alive."},
     do_tell},
};
#define ROW_N (sizeof rows / sizeof rows[0])

static const struct job_row password_rows[] = {
    {.verb = {.name = "password.hash",
              .who = VERB_JOB,
              ARGS(hash_args),
              .most_ms = PASSWORD_MS,
              .about = "Hashes a password with Argon2id."},
     .run = run_hash},
    {.verb = {.name = "password.verify",
              .who = VERB_JOB,
              ARGS(verify_args),
              .most_ms = PASSWORD_MS,
              .about = "Tells whether a password is the one of a hash, and whether to hash it anew."},
     .run = run_verify},
};

static const struct job_row *const job_rows[OWN_JOBS] = {
    &password_rows[0], &password_rows[1], &kernel_log_row, &host_name_row,
    &host_power_row,   &host_keys_row,    &probe_row,      &journal_log_row,
};

const struct verb *warden_verb(unsigned i) {
    if (i < ROW_N) return &rows[i].verb;
    return i < ROW_N + OWN_JOBS ? &job_rows[i - ROW_N]->verb : NULL;
}

void warden_verbs_init(struct warden *w) {
    for (unsigned i = 0; i < OWN_JOBS; i++) {
        struct job_row *row = &w->own_jobs[i];
        *row = *job_rows[i];
        row->facts = w->config;
        if (i >= PASSWORD_N) continue;
        row->prepare = password_prepare;
        row->facts = &w->password_memory;
        row->jail = JAIL_COUNT;
        row->memory = w->password_memory + PASSWORD_ROOM;
        row->cpu_s = PASSWORD_CPU_S;
        row->files = 16;
        row->group = 1; /* one password at a time, whichever of the two it is */
        row->at_once = 1;
        row->queue = LIMIT_PASSWORD_QUEUE;
    }
}

/* --- done at once --- */

static bool do_listen(struct request *r, struct err *e) {
    struct val address = val_none;
    r->fd = doors_open(&r->w->doors, r->args, &address, e);
    if (r->fd < 0) return false;
    r->result = VAL_MAP_OF({"address", address});
    return true;
}

static bool do_unlisten(struct request *r, struct err *e) {
    r->result = val_empty_map();
    return doors_shut(&r->w->doors, r->args, e);
}

static struct val describe_clock(const struct warden *w) {
    struct clock_state s = clock_trust_state(&w->clock);
    return VAL_MAP_OF({"wall_ms", val_of_i64(s.wall_ms)}, {"synced", val_of_bool(s.synced)},
                      {"trusted", val_of_bool(s.trusted)}, {"why", val_of_str(s.why)},
                      {"floor_ms", val_of_i64(w->clock.floor_ms)});
}

static bool do_clock_get(struct request *r, struct err *e) {
    (void)e;
    r->result = describe_clock(r->w);
    return true;
}

static bool do_clock_trust(struct request *r, struct err *e) {
    struct clock_trust *t = &r->w->clock;
    uint64_t ms;
    const struct val *by_operator = val_get(r->args, LIT("by_operator"));
    if (val_as_u64(val_get(r->args, LIT("floor_ms")), &ms)) clock_trust_floor(t, (int64_t)ms);
    if (val_as_u64(val_get(r->args, LIT("wall_ms")), &ms) && !clock_trust_set(t, (int64_t)ms, e)) return false;
    if (!val_is_none(by_operator)) t->by_operator = val_is_true(by_operator);
    r->result = describe_clock(r->w);
    return true;
}

static bool do_restart(struct request *r, struct err *e) {
    if (r->w->reactor != REACTOR_UP) return err_set(e, ERR_CANCELLED, "the reactor is ending already");
    r->result = val_empty_map();
    r->w->again = true; /* what follows is done behind the answer */
    return true;
}

void warden_begin_sampler(struct warden *w, uint64_t id) {
    struct err e = ERR_INIT;
    struct val name = VAL_MAP_OF({"hand", val_of_str(w->sampler.name)});
    int fd = hand_start(&w->sampler, &e);
    reactor_answer(w, id, fd >= 0 ? &name : NULL, &fd, fd >= 0, &e);
    if (fd >= 0) close(fd);
    val_unref(&name);
}

static bool do_sampler(struct request *r, struct err *e) {
    struct warden *w = r->w;
    if (w->sampler_id) return err_set(e, ERR_DUPLICATE, "the sampler is being begun already");
    r->later = true;
    if (w->sampler.state == HAND_DOWN) {
        warden_begin_sampler(w, r->id);
        return true;
    }
    w->sampler_id = r->id; /* the link of the one before is not wanted any more */
    hand_kill(&w->sampler);
    return true;
}

static bool has_user_namespaces(void) {
    return access("/proc/self/ns/user", F_OK) == 0;
}

static bool do_tell(struct request *r, struct err *e) {
    char text[260];
    struct slice status = val_as_text(val_get(r->args, LIT("status")));
    (void)e;
    int n = snprintf(text, sizeof text, "%s%s", val_is_true(val_get(r->args, LIT("ready"))) ? "READY=1\n" : "",
                     val_is_true(val_get(r->args, LIT("alive"))) ? "WATCHDOG=1\n" : "");
    if (status.len)
        snprintf(text + n, sizeof text - (size_t)n, "STATUS=%.*s\n", (int)status.len, (const char *)status.ptr);
    if (text[0]) service_tell(&r->w->service, text);
    r->result = VAL_MAP_OF({"watchdog_ms", val_of_u64(r->w->service.watchdog_ms)});
    return true;
}

static bool do_status(struct request *r, struct err *e) {
    (void)e;
    const struct warden *w = r->w;
    struct utsname u;
    bool known = uname(&u) == 0;
    r->result =
        VAL_MAP_OF({"release", val_of_text_lossy(slice_str(known ? u.release : ""))},
                   {"machine", val_of_text_lossy(slice_str(known ? u.machine : ""))}, {"root", val_of_bool(w->root)},
                   {"user", val_of_text_lossy(slice_str(w->user))}, {"user_change", val_of_bool(w->root)},
                   {"seccomp", val_of_bool(jail_has_seccomp())}, {"landlock", val_of_i64(jail_landlock_abi())},
                   {"user_namespaces", val_of_bool(has_user_namespaces())},
                   {"cgroup", val_of_str(cgroup_kind_name(w->jobs.home.kind))},
                   {"cgroup_memory", val_of_bool(w->jobs.home.memory)},
                   {"job_cgroups", val_of_bool(w->jobs.home.dir >= 0 && (w->jobs.groups || !w->jobs.told_groups))});
    return true;
}

/* --- passwords, in a job --- */

static bool run_hash(struct job_call *c, struct val *result, struct err *e) {
    char hash[PASSWORD_HASH];
    if (!password_hash(val_as_bytes(val_get(c->args, LIT("password"))), *(const uint64_t *)c->facts, hash, e))
        return false;
    *result = VAL_MAP_OF({"hash", val_of_str(hash)});
    return true;
}

static bool run_verify(struct job_call *c, struct val *result, struct err *e) {
    struct password_answer a;
    if (!password_verify(val_as_text(val_get(c->args, LIT("hash"))), val_as_bytes(val_get(c->args, LIT("password"))),
                         *(const uint64_t *)c->facts, &a, e))
        return false;
    *result = VAL_MAP_OF({"good", val_of_bool(a.good)}, {"again", val_of_bool(a.again)});
    return true;
}

/* --- the gate --- */

void warden_refuse(struct warden *w, uint64_t id, const struct err *e) {
    w->refused++;
    if (w->refused >= LIMIT_LINK_REFUSED) {
        reactor_mad(w, "%u of its frames were refused, the last because: %.120s", w->refused, e->text);
        return;
    }
    log_debug("a frame of the reactor was refused: %s", e->text);
    if (id)
        reactor_answer(w, id, NULL, NULL, 0, e);
    else
        reactor_notice(w, "refused", VAL_MAP_OF({"text", val_of_text_lossy(slice_str(e->text))}), -1);
}

static void refuse(struct warden *w, uint64_t id, enum err_code code, const char *text) {
    struct err e = ERR_INIT;
    err_set(&e, code, "%s", text);
    warden_refuse(w, id, &e);
}

static const struct own_row *find_own(struct slice name) {
    for (size_t i = 0; i < ROW_N; i++)
        if (slice_eq(name, slice_str(rows[i].verb.name))) return &rows[i];
    return NULL;
}

static const struct job_row *find_job(const struct warden *w, struct slice name) {
    for (size_t i = 0; i < OWN_JOBS; i++)
        if (slice_eq(name, slice_str(w->own_jobs[i].verb.name))) return &w->own_jobs[i];
    for (unsigned i = 0; i < w->config->job_n; i++)
        if (slice_eq(name, slice_str(w->config->jobs[i].verb.name))) return &w->config->jobs[i];
    return NULL;
}

static bool act(struct warden *w, const struct own_row *row, struct link_frame *f, struct err *e) {
    struct request r = {.w = w, .id = f->id, .args = &f->value, .result = val_none, .fd = -1};
    bool good = !verb_fault(e) && verb_check(&row->verb, &f->value, f->fd_n, e) && row->act(&r, e);
    if (good && !r.later) reactor_answer(w, f->id, &r.result, &r.fd, r.fd >= 0, NULL);
    val_unref(&r.result);
    if (good && w->again && w->reactor == REACTOR_UP) reactor_end(w, "restart");
    return good;
}

/* What may have been a password goes, whether it was taken or refused. The frame holds the only owner of its value. */
static void wipe(struct warden *w, struct link_frame *f) {
    for (struct val_iter it = val_iter(&f->value); val_next(&it);) {
        struct slice bytes = val_as_bytes(it.value);
        if (bytes.len) sodium_memzero((void *)(uintptr_t)bytes.ptr, bytes.len);
    }
    sodium_memzero(loop_scratch(w->loop), LOOP_SCRATCH); /* where the packet came in */
}

static void obey(struct warden *w, struct link_frame *f) {
    struct err e = ERR_INIT;
    struct slice name = val_as_text(&f->name);
    const struct own_row *own = find_own(name);
    const struct job_row *job = own ? NULL : find_job(w, name);
    bool good;
    if (w->jobs.open + (w->sampler_id != 0) >= LIMIT_LINK_CALLS)
        good = err_limit(&e, "calls", LIMIT_LINK_CALLS, ERR_NOWHERE);
    else if (own)
        good = act(w, own, f, &e);
    else if (job)
        good = !verb_fault(&e) && verb_check(&job->verb, &f->value, f->fd_n, &e) &&
               job_begin(&w->jobs, job, f->id, &f->value, f, f->most_ms, &e);
    else
        good = err_set(&e, ERR_UNSUPPORTED, "there is no verb of this name");
    uint64_t id = f->id;
    if (job) wipe(w, f);
    if (!good) reactor_answer(w, id, NULL, NULL, 0, &e);
}

void warden_hear(struct warden *w, struct link_frame *f) {
    switch (f->kind) {
    case LINK_REQUEST:
        if (f->id <= w->last_id) {
            refuse(w, f->id, ERR_INVALID, "the id of a request was used before, or goes backwards");
            return;
        }
        w->last_id = f->id;
        obey(w, f);
        return;
    case LINK_CANCEL: /* of what was answered meanwhile is no fault */
        if (!job_cancel(&w->jobs, f->id) && f->id > w->last_id)
            refuse(w, f->id, ERR_INVALID, "a cancel for a request that was never made");
        return;
    case LINK_PROGRESS:
    case LINK_LOG:
    case LINK_RESULT:
    case LINK_ERROR: refuse(w, f->id, ERR_INVALID, "the warden asked for nothing that could be answered"); return;
    case LINK_NOTICE: refuse(w, 0, ERR_INVALID, "the warden knows no notice of this name"); return;
    }
}
