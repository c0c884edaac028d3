/* line.h - a command's line to a daemon: calls with their answers, feeds, and the cookie that says who calls.
 *
 * For: start-cli and what else is a client. It waits: commands have nothing else to do. By the local socket of a run directory, or by
 *      HTTP and HTTPS to another machine.
 * Owns: a loop of its own, one connection at a time.
 * Tried: tests/cli/startd.sh. */
#ifndef CLI_LINE_H
#define CLI_LINE_H

#include "base/err.h"
#include "base/val.h"

struct line;

struct line_config {
    const char *run;    /* folder with rpc.sock; used when there is no host */
    const char *host;   /* http://name[:port] or https://...; NULL: the box itself */
    const char *cacert; /* file of roots for https; NULL: by the pin */
    const char *pin; /* of the server's key, 64 hexadecimal digits; NULL: whoever is met first is believed (line_pin) */
    const char *cookie; /* "session=..." for a host; NULL: none */
    const char *key;    /* file of a private key (Ed25519, PEM) that calls of a host are signed with; NULL: none */
};
struct line *line_open(const struct line_config *config, struct err *e);
void line_close(struct line *l);

/* The pin of who was believed without one: to be remembered. False: there is none. */
#define LINE_PIN 65
bool line_pin(const struct line *l, char pin[LINE_PIN]);
/* The answer, or the daemon's reason. */
bool line_call(struct line *l, const char *method, const struct val *params, struct val *result, struct err *e);
/* Reads a feed until it ends; each message is a text. `each` answers whether to go on. True also when it was complete. */
bool line_feed(struct line *l, struct slice guid, bool (*each)(void *arg, struct slice text), void *arg, struct err *e);

#endif
