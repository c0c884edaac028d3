/* sampler.h - the sampler: a child beside the reactor that reads what the kernel tells of the machine.
 *
 * For: the warden, which forks it when somebody asks; the reactor reaches it by calls. One verb, `sample`:
 *      docs/warden-hands.md.
 * Owns: its loop and the files of /proc and /sys it opened before its jail closed; it opens none later.
 * Never: fails because a file is not there or says something unheard of: that field is absent.
 * Tried: tests/warden/sampler. */
#ifndef WARDEN_SAMPLER_H
#define WARDEN_SAMPLER_H

#include "base/limits.h"
#include "warden/jail.h"
#include "warden/verb.h"

/* The child's whole life: opens, enters the jail, serves until its link is gone. Takes link_fd; gives the exit code. */
int sampler_hand(int link_fd, const struct jail *jail);

const struct verb *sampler_rows(unsigned *n);

/* --- the texts of the kernel as values; VAL_NONE when one is not what it should be (or there is no memory) --- */

/* /proc/uptime: milliseconds since the start. */
struct val sampler_uptime(struct slice text);
/* /proc/loadavg: the three averages. */
struct val sampler_load(struct slice text);
/* /proc/stat: for all processors together and then for each, a map of milliseconds; hz: ticks in a second. */
struct val sampler_cpu(struct slice text, unsigned hz);
/* /proc/meminfo: bytes. */
struct val sampler_memory(struct slice text);
/* /proc/net/dev: [{name, rx_bytes, tx_bytes}] */
struct val sampler_net(struct slice text);
/* /proc/pressure/X: {some: {avg10, avg60, avg300, total_us}, full: ...} */
struct val sampler_pressure(struct slice text);
/* A sensor and its name: {name, milli_c}. */
struct val sampler_temperature(struct slice name, struct slice text);

#endif
