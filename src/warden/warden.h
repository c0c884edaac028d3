/* warden.h - the first process: parent of the reactor, of its hands and of jobs.
 *
 * For: main. warden_run forks the reactor and does what it is asked by verbs (verb.h, docs/warden.md) until it ends.
 * Owns: its children, one link to the reactor, duplicates of the listeners it bound, the roots.
 * Never: accepts a connection, parses what came from outside, holds state; believes the reactor.
 * Who restarts whom: a reactor that dies is begun again (REST_FIRST_MS between tries, doubling to REST_MOST_MS) with its hands new and its
 *   listeners as they were; the reason is logged and told to the new one. A hand that dies is begun again and the reactor gets its new
 *   end by the notice "hand". SIGTERM and SIGINT ask the reactor to end (notice "end"), and kill it after a while; a second one
 *   kills it at once. SIGHUP is passed on (notice "reload"). No two reactors, nor a hand or a job of the last one, are ever
 *   there at once. When the warden dies, all of its children die; the log hand behind the others, when it has kept their words.
 * Not root: the same without privileges; a verb that needs one answers with what is missing.
 * Tried: tests/warden/warden, tests/warden/mad, tests/warden/log_hand. */
#ifndef WARDEN_WARDEN_H
#define WARDEN_WARDEN_H

#include "warden/call.h"
#include "warden/jail.h"
#include "warden/job.h"

struct warden_root {
    const char *name; /* a word */
    const char *path; /* where the operator said */
    bool write;
};

/* What the reactor is born with. */
struct warden_birth {
    int warden_fd;    /* link to the warden */
    int disk_fd;      /* link to the disk hand; -1 when there are no roots */
    unsigned round;   /* 0: the first reactor; n: n died before */
    const char *last; /* why the last one ended, or NULL */
    struct jail jail; /* to be entered with jail_enter once everything is open */
};

struct warden_config {
    const char *user; /* to become when started as root; NULL: nobody */
    const struct warden_root *roots;
    unsigned root_n;
    int (*reactor)(const struct warden_birth *birth, void *arg); /* its code may end the warden: docs/warden.md */
    void *arg;
    bool once;       /* a tool: no reactor is begun again, the code of the first is the program's; 70: killed */
    uint64_t end_ms; /* how long the reactor has to end, from SIGTERM on; 0: 10 seconds */
    const struct job_row *jobs; /* what else may be asked beside the warden's own verbs */
    unsigned job_n;
    /* Where what everybody says is kept (log_hand.h): a root that may be written, and a folder in it, made when it is missing.
     * NULL: nowhere, and standard output and error are as they were. */
    const char *log_root, *log_folder;
    /* Whether this instance owns the machine: else host.name, host.power and host.keys are not supported (host.h). */
    bool machine;
    const char *etc;             /* where "hostname" stands; NULL: /etc */
    const char *ssh_keys;        /* the file of authorized keys, in a folder that is there; NULL: there is none */
    const char *journalctl;      /* what journal.read runs, in tests; NULL: /usr/bin/journalctl */
    const char *sys_block, *dev; /* where disk.probe looks, in tests; NULL: /sys/block, /dev */
    bool (*power)(bool reboot_it, struct err *e); /* stands in for switching the machine off, in tests; NULL: really */
};

/* Returns the exit code of the program. */
int warden_run(const struct warden_config *config);

/* The warden's own verbs, one after the other, for the reference page; NULL behind the last. */
const struct verb *warden_verb(unsigned i);

#endif
