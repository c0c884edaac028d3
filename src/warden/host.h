/* host.h - the machine itself: its name, its power, the keys that may log in. The jobs host.name, host.power and host.keys.
 *
 * For: a warden whose configuration says that it owns the machine; any other answers ERR_UNSUPPORTED.
 * Each is done with the warden's rights before the job's jail closes, from arguments that were checked; files are replaced durably.
 * Never: runs anything but /bin/systemctl poweroff or /bin/systemctl reboot.
 * Tried: tests/warden/host (as root; power only by a stand-in). */
#ifndef WARDEN_HOST_H
#define WARDEN_HOST_H

#include "warden/job.h"

/* Their facts are the warden's configuration (warden.h). */
extern const struct job_row host_name_row, host_power_row, host_keys_row;

/* A label as of RFC 1123: letters, digits and - (not at the ends), 1 to 63. */
bool host_name_check(struct slice name, struct err *e);
/* Every line is a public key as OpenSSH writes one: type, base64 and perhaps a comment; no options, no empty line. No line at all is
 * good: then nobody logs in by a key. */
bool host_keys_check(struct slice text, struct err *e);

#endif
