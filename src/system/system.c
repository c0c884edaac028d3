/* system.c - see system.h. */
#include "system/room.h"

#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "protocols/date.h"

#include <stdio.h>
#include <sys/sysinfo.h>

static const char room_key; /* our place in rpc_own */

struct system *system_of(const struct rpc_call *c) {
    return rpc_own(c->rpc, &room_key);
}

bool system_begin_txn(struct system *s, struct state_txn *t, const char *owner, struct err *e) {
    struct state *state = rpc_state(s->config.rpc);
    if (!state) return err_set(e, ERR_DATABASE, "the state is not there");
    return state_begin(state, t, state_owner(state, owner), e);
}

struct val system_time(int64_t wall_ms) {
    uint8_t text[DATE_ISO_LEN];
    return date_write_iso(wall_ms, text) ? val_of_text(slice_of(text, sizeof text))
                                         : val_of_str("1970-01-01T00:00:00.000Z");
}

void system_answer(struct rpc_call *c, bool good, const struct err *e) {
    if (good)
        rpc_give_null(c);
    else
        rpc_fail(c, e);
}

/* --- life --- */

static void heard_kernel(struct call *c, struct call_answer *a) {
    struct system *s = LOOP_OWNER(struct system, kernel_call, c);
    if (a->err.code != ERR_NONE) {
        log_warn("what this kernel can do is not known: %s", a->err.text);
        return;
    }
    s->kernel = a->result;
    a->result = val_none;
}

struct system *system_new(const struct system_config *config, struct err *e) {
    struct system *s = mem_get_zero(sizeof *s);
    if (!s) {
        err_nomem(e, "the box itself");
        return NULL;
    }
    s->config = *config;
    s->began_ms = clock_mono_ms();
    s->kernel_call.done = heard_kernel;
    setup_claim_make(s);
    metrics_init(s);
    rpc_set_own(config->rpc, &room_key, s);
    if (call_start(&s->kernel_call, config->warden, "kernel.status", val_empty_map(), NULL, 0, 0, e)) return s;
    system_free(s);
    return NULL;
}

void system_free(struct system *s) {
    if (!s) return;
    call_cancel(&s->kernel_call);
    val_unref(&s->kernel);
    metrics_release(s);
    mem_put(s, sizeof *s);
}

const char *system_claim(const struct system *s) {
    return s->config.claims ? s->claim : "";
}

/* A random UUID, version 4. */
static void make_id(char out[37]) {
    uint8_t b[16];
    rng_bytes(b, sizeof b);
    b[6] = (uint8_t)((b[6] & 15) | 64);
    b[8] = (uint8_t)((b[8] & 63) | 128);
    snprintf(out, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3],
             b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

bool system_state_up(struct system *s, struct err *e) {
    struct state_txn t;
    struct sysinfo facts;
    char id[37], name[24];
    uint8_t few[2];
    if (!system_begin_txn(s, &t, "system", e)) return false;
    if (!txn_get_text(&t, LIT("/public/serverInfo/id")).len) {
        make_id(id);
        rng_bytes(few, sizeof few);
        snprintf(name, sizeof name, "startbox-%02x%02x", few[0], few[1]);
        txn_put_text(&t, LIT("/public/serverInfo/id"), slice_str(id), e);
        txn_put_text(&t, LIT("/public/serverInfo/name"), slice_str(name), e);
        txn_put_text(&t, LIT("/public/serverInfo/hostname"), slice_str(name), e);
    }
    /* Volatile things are not there behind a start. */
    txn_put_null(&t, LIT("/public/serverInfo/statusInfo/backupProgress"), e);
    txn_put_null(&t, LIT("/public/serverInfo/statusInfo/updateProgress"), e);
    txn_put_bool(&t, LIT("/public/serverInfo/statusInfo/shuttingDown"), false, e);
    txn_put_bool(&t, LIT("/public/serverInfo/statusInfo/restarting"), false, e);
    txn_put_null(&t, LIT("/public/serverInfo/statusInfo/restart"), e);
    if (!sysinfo(&facts)) txn_put_u64(&t, LIT("/public/serverInfo/ram"), (uint64_t)facts.totalram * facts.mem_unit, e);
    return state_commit(&t, NULL, e);
}

const struct method *const system_tables[] = {system_root_rows,
                                              system_db_rows,
                                              system_kernel_rows,
                                              system_setup_rows,
                                              system_server_rows,
                                              system_notice_rows,
                                              system_diagnose_rows,
                                              system_ssh_rows,
                                              system_metrics_rows,
                                              system_mail_rows,
                                              system_logs_rows,
                                              system_disk_rows,
                                              NULL};
