/* room.h - what the files of this folder share. Private to src/startd. */
#ifndef STARTD_ROOM_H
#define STARTD_ROOM_H

#include "auth/auth.h"
#include "http/feed_door.h"
#include "http/files.h"
#include "http/rpc_door.h"
#include "loop/file.h"
#include "out/out.h"
#include "rpc/envelope.h"
#include "rpc/feed.h"
#include "startd/tables.h"
#include "state/state.h"
#include "system/system.h"
#include "warden/warden.h"
#include "wire/tls.h"

#define DOORS_MOST  16
#define ROUTES_MOST 24

struct startd_door {
    const char *address;
    bool tls;
};

struct startd_options {
    const char *data, *run, *web, *user;
    char origins[1024]; /* separated by spaces */
    const char *boot;   /* the boot partition; NULL: none */
    const char *certs;  /* folder with the machine's roots of trust; NULL: there is none */
    struct startd_door doors[DOORS_MOST];
    unsigned door_n;
    const char *ssh_keys; /* the file of authorized keys; NULL: none */
    bool ephemeral, no_claim, trust_clock, machine;
    char boot_id[33];
    unsigned uid; /* of who began the program */
    int64_t began_us;
};

struct daemon;

/* The way to other servers. */
struct outside {
    struct resolver *resolver;
    struct tls_client *tls; /* NULL: nothing goes by TLS */
    struct out *out;        /* NULL: not wanted yet */
    struct buf roots;       /* while they are read */
    struct call call;
    struct outside_wait *waiting;
};

/* The first start from the boot partition (bootfile.c). */
enum boot_step {
    BOOT_OVER,
    BOOT_CLAIM, /* the claim code is written there */
    BOOT_READ,
    BOOT_EXECUTE,
    BOOT_TELL,   /* what was wrong */
    BOOT_REMOVE, /* the file with the password */
    BOOT_UNCLAIM,
};
struct bootfile {
    enum boot_step step;
    bool done;
    struct call call;
    struct rpc_call setup;
    struct err why;
};

/* One listener on its way. */
struct daemon_listen {
    struct call call;
    struct daemon *daemon;
    const struct startd_door *door; /* NULL: the local socket */
    struct val address;             /* where it really is; VAL_NONE until it listens */
};

struct daemon {
    const struct startd_options *options;
    struct loop *loop;
    struct port warden, disk;
    struct feeds *feeds;
    struct rpc *rpc;
#ifdef STARTBOX_TEST
    bool row_told[STARTD_ROWS];
    struct loop_timer late_timer;
#endif
    struct auth *auth;
    struct system *system;
    struct plan *plan;
    struct state *state;
    struct watch language; /* of the tree: which language the door speaks */
    struct watch password; /* of the tree: kept in a file of its own, for when the tree cannot be read */
    struct call password_call;
    struct err trouble; /* why PHASE_DIAGNOSTIC */

    struct http_server *server;
    struct http_route routes[ROUTES_MOST];
    unsigned route_n;
    struct rpc_door rpc_door;
    struct feed_door feed_door;
    struct http_files *files;
    struct tls_server *tls;

    struct daemon_listen listens[DOORS_MOST + 1];
    unsigned wanted, listening, file_step;
    bool state_stood; /* once */
    bool ready, ending, clock_trusted;
    bool password_due, name_due, keys_due; /* to be written when what is being written is */
    struct outside outside;
    struct bootfile boot;
    struct call files_call; /* of the run directory, one after the other: file_step */
    void (*gone)(struct daemon *d);
    struct call ask;   /* restart */
    struct call host;  /* of the machine: its name, keys, power */
    struct call clock; /* whether it may be believed; asked now and then */
    struct call tell;  /* the service manager */
    struct loop_timer clock_timer, ephemeral_timer, alive_timer;
    uint64_t accepted_before; /* connections, at the last look of ephemeral_timer */
    struct envelope envelope;
};

/* doors.c */
bool doors_make(struct daemon *d, const struct http_limits *limits, struct err *e);
/* Whether a host name is the box's: its own, with or without .local, or one of its domains. arg: the daemon. */
bool doors_know(void *arg, struct slice host);
bool doors_listen(struct daemon *d, struct err *e);
/* The box's own certificate, and behind it the doors with TLS: once the state stands. */
bool doors_certify(struct daemon *d, struct err *e);
bool doors_listen_tls(struct daemon *d, struct err *e);
/* The cookie alone, as soon as something answers: for who looks at a start. */
void doors_cookie(struct daemon *d);
/* The files of the run directory, once everything stands. */
void doors_ready(struct daemon *d);
/* They go, then `gone` is called. */
void doors_unready(struct daemon *d, void (*gone)(struct daemon *d));

/* prometheus.c */
extern const struct http_handler prometheus_handler; /* GET /metrics; arg: the daemon */

/* outside.c; daemon: a void * for rooms that know no daemon */
bool outside_init(struct daemon *d, struct err *e);
void outside_release(struct daemon *d);
void outside_ask(void *daemon, void (*ready)(void *who, struct out *out, const struct err *e), void *who);
void outside_forget(void *daemon, void *who);

/* bootfile.c: when the box waits for its owner, when it has one, and at the end (rpc_free first) */
void bootfile_begin(struct daemon *d);
void bootfile_owned(struct daemon *d);
void bootfile_end(struct daemon *d);

/* machine.c: what the box says is done to the machine, where the instance owns it */
void machine_name(struct daemon *d);
void machine_keys(void *daemon);
void machine_power(void *daemon, bool again);
/* ...and the service manager: all doors are open; the end. */
void service_ready(struct daemon *d);
void service_over(struct daemon *d);

/* keepsake.c: the hash of the password beside the tree, data/password */
void keepsake_begin(struct daemon *d);
void keepsake_end(struct daemon *d);
void keepsake_read(struct daemon *d);

/* language.c: the door speaks the language that the tree names */
void language_begin(struct daemon *d);
void language_end(struct daemon *d);

/* daemon.c */
int daemon_run(const struct warden_birth *birth, void *options);
void daemon_fail(struct daemon *d, const struct err *e);
void daemon_look(struct daemon *d);
/* It ends, or begins again: whoever asked has the answer first. */
void daemon_end(void *daemon, bool again, struct slice reason);
/* The first start is over: the box runs. */
void daemon_set_up(struct daemon *d);

#endif
