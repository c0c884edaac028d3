/* daemon.c - the reactor of the daemon: its rooms made, its phases, its end. See startd.h. */
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "net/authority.h"
#include "startd/room.h"
#include "state/recover.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CLOCK_MS     60000
#define EPHEMERAL_MS 3000

/* --- phases --- */

void daemon_fail(struct daemon *d, const struct err *e) {
    log_warn("startd: %s", e->text);
    loop_stop(d->loop, err_exit(e->code)); /* of the first reactor that is the end (docs/warden.md) */
}

/* Whether all that was begun stands, and which phase that makes. */
void daemon_look(struct daemon *d) {
    if (d->ending || d->listening < d->wanted || rpc_phase_now(d->rpc) == PHASE_INIT) return;
    if (d->ready) return;
    d->ready = true;
    if (d->options->ephemeral) loop_timer_set(d->loop, &d->ephemeral_timer, loop_now_ms(d->loop) + EPHEMERAL_MS);
    log_note("ready after %.1f ms", (double)(clock_mono_us() - d->options->began_us) / 1000);
    doors_ready(d);
    service_ready(d);
}

static void enter_trouble(struct daemon *d, const struct err *why) {
    d->trouble = *why;
    log_warn("the box is in trouble: %s", why->text);
    system_started(d->system, why);
    rpc_phase(d->rpc, PHASE_DIAGNOSTIC);
    rpc_set_state(d->rpc, NULL);
    keepsake_read(d);
    daemon_look(d);
}

static void state_stands(struct daemon *d) {
    struct err e = ERR_INIT;
    if (d->state_stood) return;
    d->state_stood = true;
    rpc_set_state(d->rpc, d->state);
    if (!system_state_up(d->system, &e)) {
        enter_trouble(d, &e);
        return;
    }
    auth_state_up(d->auth);
    if (!doors_certify(d, &e) || !doors_listen_tls(d, &e)) {
        enter_trouble(d, &e);
        return;
    }
    system_started(d->system, NULL);
    keepsake_begin(d);
    language_begin(d);
    bool owned = auth_has_password(d->auth);
    rpc_phase(d->rpc, owned ? PHASE_RUN : PHASE_SETUP);
    if (!owned) bootfile_begin(d);
    if (!owned && system_claim(d->system)[0])
        log_warn("the box waits for its owner; claim code: %s", system_claim(d->system));
    daemon_look(d);
}

static void state_changed(struct state *s, enum state_mode mode, const struct err *why) {
    struct daemon *d = state_arg(s);
    switch (mode) {
    case STATE_UP: state_stands(d); return;
    case STATE_FAILED: enter_trouble(d, why); return;
    case STATE_CLOSED:
        if (why) log_warn("the state: %s", why->text);
        loop_stop(d->loop, 0);
        return;
    case STATE_READ_ONLY: /* state.c has said it */
    case STATE_OPENING:
    case STATE_AWAY: return;
    }
}

static void state_found(struct state *s, const struct recover_result *r) {
    (void)s;
    for (unsigned i = 0; i < r->finding_n; i++)
        if (r->findings[i].grade != RECOVER_NOTE) log_warn("the state: %s", r->findings[i].text);
}

/* --- the end --- */

static void close_state(struct daemon *d) {
    if (d->state && d->state_stood && state_mode(d->state) != STATE_FAILED) {
        auth_end(d->auth);
        state_close(d->state);
    } else
        loop_stop(d->loop, 0);
}

static void server_stopped(void *arg) {
    struct daemon *d = arg;
    doors_unready(d, close_state);
}

static void begin_end(struct daemon *d) {
    struct err why = ERR_INIT;
    if (d->ending) return;
    d->ending = true;
    err_set(&why, ERR_CANCELLED, "the daemon ends");
    feeds_end_all(d->feeds, &why);
    http_server_stop(d->server, 0, server_stopped, d);
}

static void asked(struct call *c, struct call_answer *a) {
    (void)c;
    if (a->err.code != ERR_NONE) log_warn("%s", a->err.text);
}

void daemon_end(void *arg, bool again, struct slice reason) {
    struct daemon *d = arg;
    struct err e = ERR_INIT;
    log_note("the daemon %s: %s", again ? "begins again" : "ends", reason.len ? log_text(reason) : "it was asked to");
    if (!again)
        begin_end(d);
    else if (!call_is_open(&d->ask) && !call_start(&d->ask, &d->warden, "restart", val_empty_map(), NULL, 0, 0, &e))
        log_warn("not begun anew: %s", e.text);
}

/* With --ephemeral: nobody has been here, by the local socket, since the last look and the one before. */
static void look_for_clients(struct loop_timer *t) {
    struct daemon *d = LOOP_OWNER(struct daemon, ephemeral_timer, t);
    struct http_counts c = http_server_counts(d->server);
    bool quiet = !c.local && c.accepted == d->accepted_before;
    d->accepted_before = c.accepted;
    if (quiet) {
        log_note("the daemon ends: its last local client is gone");
        begin_end(d);
    } else
        loop_timer_set(d->loop, t, loop_now_ms(d->loop) + EPHEMERAL_MS);
}

static void noticed(struct port *p, struct slice name, const struct val *value, struct link_frame *frame) {
    struct daemon *d = LOOP_OWNER(struct daemon, warden, p);
    struct err e = ERR_INIT;
    if (slice_eq(name, LIT("end")))
        begin_end(d);
    else if (slice_eq(name, LIT("hand")) && val_is_text(val_get(value, LIT("hand")), LIT("disk"))) {
        port_stop(&d->disk);
        if (!port_start(&d->disk, d->loop, link_frame_take_fd(frame, 0), &e)) {
            daemon_fail(d, &e);
            return;
        }
        if (d->files) http_files_restart(d->files);
        if (d->state) state_new_disk(d->state);
    }
}

static void warden_gone(struct port *p) {
    loop_stop(LOOP_OWNER(struct daemon, warden, p)->loop, 1);
}

/* --- the clock --- */

static void ask_clock(struct loop_timer *t) {
    struct daemon *d = LOOP_OWNER(struct daemon, clock_timer, t);
    if (!call_is_open(&d->clock) && !call_start(&d->clock, &d->warden, "clock.get", val_empty_map(), NULL, 0, 0, NULL))
        log_note("the clock could not be asked for");
    loop_timer_set(d->loop, t, loop_now_ms(d->loop) + CLOCK_MS);
}

static void heard_clock(struct call *c, struct call_answer *a) {
    struct daemon *d = LOOP_OWNER(struct daemon, clock, c);
    struct err e = ERR_INIT;
    if (a->err.code != ERR_NONE) return;
    d->clock_trusted = val_is_true(val_get(&a->result, LIT("trusted")));
    auth_clock(d->auth, d->clock_trusted);
    /* Certificates wear out, and names change. */
    if (d->state_stood && state_mode(d->state) == STATE_UP && !doors_certify(d, &e))
        log_warn("the certificate could not be renewed: %s", e.text);
}

/* --- the beginning --- */

static void tell_facts(void *arg, struct system_facts *out) {
    const struct daemon *d = arg;
    *out = (struct system_facts){.clients = http_server_counts(d->server).open,
                                 .local = http_server_counts(d->server).local,
                                 .watchers = (unsigned)feeds_count(d->feeds),
                                 .trouble = d->trouble.code == ERR_NONE ? NULL : d->trouble.text,
                                 .trouble_code = err_rpc(d->trouble.code)};
}

static void renamed(void *arg) {
    struct daemon *d = arg;
    struct err e = ERR_INIT;
    if (!doors_certify(d, &e)) log_warn("there is no certificate for the new name: %s", e.text);
    machine_name(d);
}

static struct slice tell_root(void *arg) {
    const struct daemon *d = arg;
    return authority_identity(d->state).root;
}

void daemon_set_up(struct daemon *d) {
    rpc_phase(d->rpc, PHASE_RUN);
    renamed(d);
    doors_ready(d); /* the claim code is worth nothing any more */
    bootfile_owned(d);
}

static void set_up(void *arg) {
    daemon_set_up(arg);
}

static struct http_limits find_limits(void) {
    struct http_limits l = http_limits;
    l.connections = http_server_room();
#ifdef STARTBOX_TEST
    l.end_ms = 2000;
#endif
    return l;
}

#ifdef STARTBOX_TEST
/* Every result is held against its row, and every row that gave one is named once: tests/rows.sh. */
static void heard_row(void *arg, const struct method *m, const struct val *params, const struct val *result) {
    struct daemon *d = arg;
    struct err e = ERR_INIT;
    (void)params;
    if (!method_result(m, result, &e)) log_warn("row broken: %s: %s", m->name, e.text);
    for (size_t i = 0; rpc_row(d->rpc, i); i++) {
        if (rpc_row(d->rpc, i) != m || d->row_told[i]) continue;
        d->row_told[i] = true;
        log_note("row tried: %s", m->name);
    }
}
#endif

static bool make_rooms(struct daemon *d, struct err *e) {
    const struct method *rows[STARTD_ROWS];
    size_t n = startd_rows(rows);
    if (!(d->feeds = feeds_new(d->loop, e))) return false;
    const struct rpc_config rpc = {.loop = d->loop, .feeds = d->feeds, .where = IN_STARTD, .rows = rows, .row_n = n};
    if (!(d->rpc = rpc_new(&rpc, e))) return false;
    rpc_phase(d->rpc, PHASE_INIT);
#ifdef STARTBOX_TEST
    rpc_listen(d->rpc, heard_row, d);
#endif
    const struct auth_config auth = {.loop = d->loop,
                                     .rpc = d->rpc,
                                     .warden = &d->warden,
                                     .envelope = &d->envelope,
                                     .local_uid = d->options->uid,
                                     .knows_name = doors_know,
                                     .arg = d};
    const struct system_config system = {.loop = d->loop,
                                         .rpc = d->rpc,
                                         .warden = &d->warden,
                                         .disk = &d->disk,
                                         .facts = tell_facts,
                                         .end = daemon_end,
                                         .ssh_changed = machine_keys,
                                         .renamed = renamed,
                                         .power = machine_power,
                                         .outside = outside_ask,
                                         .forget = outside_forget,
                                         .set_up = set_up,
                                         .root_ca = tell_root,
                                         .envelope = &d->envelope,
                                         .boot_id = d->options->boot_id,
                                         .claims = !d->options->no_claim,
                                         .arg = d};
    return (d->auth = auth_new(&auth, e)) && (d->system = system_new(&system, e)) && (d->plan = startd_plan(e));
}

static bool open_state(struct daemon *d, struct err *e) {
    const struct state_config config = {.loop = d->loop,
                                        .disk = &d->disk,
                                        .root = "data",
                                        .folder = "state",
                                        .plan = d->plan,
                                        .changed = state_changed,
                                        .found = state_found,
                                        .arg = d};
    return (d->state = state_new(&config, e)) != NULL;
}

#ifdef STARTBOX_TEST
/* STARTBOX_INIT_MS: so long the box is starting. */
static void open_late(struct loop_timer *t) {
    struct daemon *d = LOOP_OWNER(struct daemon, late_timer, t);
    struct err e = ERR_INIT;
    if (!open_state(d, &e)) daemon_fail(d, &e);
}

static bool open_state_now_or_late(struct daemon *d, struct err *e) {
    const char *text = getenv("STARTBOX_INIT_MS");
    uint64_t ms = 0;
    if (!text || !num_read_u64(slice_str(text), 1, 60000, &ms)) return open_state(d, e);
    d->late_timer = (struct loop_timer){.call = open_late, .name = "late"};
    return loop_timer_set(d->loop, &d->late_timer, loop_now_ms(d->loop) + (int64_t)ms);
}
#define open_state open_state_now_or_late
#endif

static bool open_all(struct daemon *d, const struct warden_birth *birth, struct err *e) {
    const struct http_limits limits = find_limits();
    if (!(d->loop = loop_new(e))) return false;
    d->warden.notice = noticed;
    d->warden.gone = warden_gone;
    d->warden.name = "warden";
    d->disk.name = "disk";
    d->ask.done = asked;
    d->ephemeral_timer = (struct loop_timer){.call = look_for_clients, .name = "ephemeral"};
    d->accepted_before = UINT64_MAX;
    if (!port_start(&d->warden, d->loop, birth->warden_fd, e) || !port_start(&d->disk, d->loop, birth->disk_fd, e))
        return false;
    if (!outside_init(d, e) || !make_rooms(d, e) || !doors_make(d, &limits, e)) return false;
    struct jail_report report = {0};
    if (!jail_enter(&birth->jail, &report, e)) return false;
    if (birth->round == 0)
        log_note("sealed: seccomp %s, landlock %s, uid %u", report.seccomp ? "on" : "off",
                 report.landlock ? "on" : "off", (unsigned)getuid());
    else
        log_warn("begun again, since the last one ended: %s", birth->last);
    d->clock = (struct call){.done = heard_clock};
    d->clock_timer = (struct loop_timer){.call = ask_clock, .name = "clock"};
    if (d->options->trust_clock && !call_start(&d->clock, &d->warden, "clock.trust",
                                               VAL_MAP_OF({"by_operator", val_of_bool(true)}), NULL, 0, 0, e))
        return false;
    ask_clock(&d->clock_timer);
    if (!open_state(d, e) || !doors_listen(d, e)) return false;
    doors_cookie(d);
    return true;
}

/* All is given back, so that a sanitizer has the last word. */
static void close_all(struct daemon *d) {
    if (d->server) {
        http_server_abort(d->server);
        loop_turn(d->loop, 0);
        http_server_free(d->server);
    }
    tls_server_free(d->tls);
    rpc_door_release(&d->rpc_door);
    for (unsigned i = 0; i <= DOORS_MOST; i++) {
        call_cancel(&d->listens[i].call);
        val_unref(&d->listens[i].address);
    }
    call_cancel(&d->files_call);
    call_cancel(&d->ask);
    call_cancel(&d->clock);
    call_cancel(&d->host);
    service_over(d);
    loop_timer_clear(&d->clock_timer);
    loop_timer_clear(&d->ephemeral_timer);
#ifdef STARTBOX_TEST
    loop_timer_clear(&d->late_timer);
#endif
    rpc_free(d->rpc);
    bootfile_end(d);
    feeds_free(d->feeds);
    outside_release(d);
    auth_free(d->auth);
    envelope_wipe(&d->envelope);
    system_free(d->system);
    http_files_free(d->files);
    keepsake_end(d);
    language_end(d);
    state_free(d->state);
    plan_free(d->plan);
    port_stop(&d->disk);
    port_stop(&d->warden);
    if (d->loop) {
        loop_turn(d->loop, 0);
        loop_free(d->loop);
    }
}

int daemon_run(const struct warden_birth *birth, void *options) {
    struct daemon *d = mem_get_zero(sizeof *d);
    struct err e = ERR_INIT;
    int code = 1;
    if (!d) return 71;
    d->options = options;
    d->trouble = (struct err)ERR_INIT;
    if (open_all(d, birth, &e))
        code = loop_run(d->loop);
    else {
        log_warn("startd: %s", e.text);
        code = birth->round == 0 ? err_exit(e.code) : 1;
    }
    close_all(d);
    mem_put(d, sizeof *d);
    return code;
}
