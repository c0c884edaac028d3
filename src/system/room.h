/* room.h - what the files of this folder share. Private to src/system. */
#ifndef SYSTEM_ROOM_H
#define SYSTEM_ROOM_H

#include "rpc/feed.h"
#include "rpc/shapes.h"
#include "state/state.h"
#include "system/system.h"

#define SYSTEM_CLAIM 9 /* "k3mn-p8qx" */

struct system {
    struct system_config config;
    int64_t began_ms;  /* monotonic */
    struct val kernel; /* what the warden told of this machine; VAL_NONE until it did */
    struct call kernel_call;
    /* the setup */
    char claim[SYSTEM_CLAIM + 1];
    unsigned claim_wrong;
    bool setup_done;
    struct setup *setting_up; /* under way */
    struct start_feed *starting;
    /* metrics.c */
    struct port sampler;
    struct call sampler_call, sample_call, space_call;
    struct loop_timer sample_timer;
    struct val sample, before; /* the newest two */
    int64_t sampled_ms, metrics_wanted_ms, disk_asked_ms;
    uint64_t disk_total, disk_free;
    bool tell_due; /* a sample waits for the disk's figures */
    struct metrics_wait *waiting;
    struct metrics_feed *followers;
};

struct system *system_of(const struct rpc_call *c);
bool system_begin_txn(struct system *s, struct state_txn *t, const char *owner, struct err *e);
struct val system_time(int64_t wall_ms);
/* A handler's end: null, or the reason. */
void system_answer(struct rpc_call *c, bool good, const struct err *e);

extern const struct method system_root_rows[], system_db_rows[], system_kernel_rows[], system_setup_rows[],
    system_server_rows[], system_notice_rows[], system_diagnose_rows[], system_ssh_rows[], system_metrics_rows[],
    system_mail_rows[], system_logs_rows[], system_disk_rows[];
extern const struct shape disks_result_shape;
void disks_run_list(struct rpc_call *c);
void setup_claim_make(struct system *s);
void metrics_init(struct system *s);
void metrics_release(struct system *s);

#endif
