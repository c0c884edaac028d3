/* warden_room.h - what the files of the warden share. Private to warden*.c. */
#ifndef WARDEN_WARDEN_ROOM_H
#define WARDEN_WARDEN_ROOM_H

#include "base/limits.h"
#include "warden/clock_trust.h"
#include "warden/doors.h"
#include "warden/hand.h"
#include "warden/service.h"
#include "warden/warden.h"

#define OWN_JOBS 8

enum reactor_state {
    REACTOR_NONE,   /* not there. Timer: how long to rest */
    REACTOR_UP,     /* there */
    REACTOR_ENDING, /* asked to end, or left, or killed. Timer: kills */
};

/* The pipe that is everybody's standard output and error, and who reads it. */
struct warden_log {
    int from;    /* its reading end; -1: there is none */
    int real[2]; /* standard output and error as they were */
    unsigned root;
    pid_t pid; /* of the hand; 0: it rests */
    int64_t began_at;
    struct rest rest;
    struct loop_child child;
    struct loop_timer timer;
};

struct warden {
    const struct warden_config *config;
    struct loop *loop;
    bool root;
    uid_t uid; /* whom children become when we are root; else who we are */
    gid_t gid;
    char user[64];
    struct jail_root roots[LIMIT_ROOTS];
    const char *names[LIMIT_ROOTS];
    int root_dirs[LIMIT_ROOTS]; /* as the disk hand keeps them */
    unsigned root_n;
    uint64_t password_memory;
    struct job_row own_jobs[OWN_JOBS];

    enum reactor_state reactor;
    pid_t pid;
    struct loop_child child;
    struct loop_timer timer;
    struct link link;
    uint64_t last_id; /* of its requests */
    unsigned refused;
    unsigned round;
    int64_t began_at;
    struct rest rest;
    bool rested;         /* a new one may begin as soon as what belonged to the last is gone */
    bool again;          /* it was asked to end so that a new one begins */
    char why[ERR_TEXT];  /* what we know of its end before it ends */
    char last[ERR_TEXT]; /* why the last one ended */

    struct service service;
    struct warden_log log;
    struct hand disk, sampler;
    uint64_t sampler_id; /* of the request that waits for the last sampler to go; 0: none */
    struct jobs jobs;
    struct doors doors;
    struct clock_trust clock;
    struct loop_signal term, intr, hup;
    bool leaving;
    int code; /* of the program */
};

/* warden.c: looks what has to be done now, and does it: begin a reactor, or leave. */
void warden_go_on(struct warden *w);

/* warden_log.c. Nothing of it fails: without a log the box goes on. */
void warden_log_begin(struct warden *w); /* behind the roots, before everything else */
void warden_log_watch(struct warden *w); /* as soon as there is a loop */
void warden_log_end(struct warden *w);   /* behind everything else; waits until the hand has kept what was said */

/* warden_reactor.c */
bool reactor_begin(struct warden *w, struct err *e);
/* Asks it to end; kills it behind config->end_ms. */
void reactor_end(struct warden *w, const char *reason);
/* It cannot be believed, or does not listen: killed at once. */
void reactor_mad(struct warden *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void reactor_kill(struct warden *w);
/* Each takes nothing. What does not fit its link makes it mad. */
void reactor_answer(struct warden *w, uint64_t id, const struct val *result, const int *fds, unsigned fd_n,
                    const struct err *e);
void reactor_notice(struct warden *w, const char *name, struct val value, int fd); /* takes value */

/* warden_verbs.c: what the reactor asks. */
void warden_hear(struct warden *w, struct link_frame *f);
/* Answers a frame that was refused, and counts it. */
void warden_refuse(struct warden *w, uint64_t id, const struct err *e);
void warden_verbs_init(struct warden *w);
/* Begins the sampler and answers the request with its link. */
void warden_begin_sampler(struct warden *w, uint64_t id);

#endif
