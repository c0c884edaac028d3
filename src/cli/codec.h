/* codec.h - `startbox codec NAME`: any codec of protocols/ tried from a shell.
 *
 * The bytes of standard input go through the same _feed as in a server, in one piece or (--cut SEED) in random cuts, and
 * what was understood is printed, one JSON text a line. Exit 0: understood. Exit 1: refused, with what was wrong and where.
 * The outputs are a fixed form that outside test suites rely on: man startbox.1 is their contract.
 * A driver is one file, src/cli/codec_NAME.c, and one row in codec.c. It does no I/O but through struct codec_run. */
#ifndef CLI_CODEC_H
#define CLI_CODEC_H

#include "base/buf.h"
#include "base/err.h"
#include "base/val.h"

struct codec_run {
    struct slice input; /* what has not been fed yet */
    uint64_t cut;       /* 0: one piece; else the state of the random cuts */
    int argc;           /* words behind the codec's name, options of the frame taken out */
    char **argv;
    struct buf out; /* written to standard output when full enough and at the end */
};

/* The next piece of the input, empty at its end. The driver may keep pieces as the input itself stays. */
struct slice codec_piece(struct codec_run *run);
/* The value of `--NAME VALUE` or NULL. */
const char *codec_option(const struct codec_run *run, const char *name);
/* Prints one event line; takes it. VAL_NONE is out of memory and ends the process. */
void codec_say(struct codec_run *run, struct val event);
/* {"event":"need"}: the input ended in the middle. */
void codec_say_need(struct codec_run *run);
/* {"event":"bad","status":…,"limit":…,"at":N,"why":"…"}; status 0 stands for none (null). Returns 1, the exit code. */
int codec_say_bad(struct codec_run *run, int status, const struct err *e);
/* For codecs that print a result and no events: "startbox codec NAME: why (at byte N)" on standard error. Returns 1. */
int codec_fail(const char *name, const struct err *e);
/* A text of lower-case hexadecimal. */
struct val codec_hex(struct slice bytes);
void codec_flush(struct codec_run *run);
/* The whole input as one JSON document; with the word --drop-reserved without keys that begin with "__". */
bool codec_document(struct codec_run *run, struct val *out, struct err *e);
/* Feeds the input through the line reader and calls for each line; says bad when one is too long. Returns the exit code. */
typedef void codec_line_fn(struct codec_run *run, struct slice line, const void *arg);
int codec_each_line(struct codec_run *run, codec_line_fn *each, const void *arg);

int codec_json(struct codec_run *run);
int codec_cbor(struct codec_run *run);
int codec_jsonptr(struct codec_run *run);
int codec_jsonpatch(struct codec_run *run);
int codec_jsonrpc(struct codec_run *run);
int codec_lines(struct codec_run *run);
int codec_http1(struct codec_run *run);
int codec_websocket(struct codec_run *run);
int codec_sse(struct codec_run *run);
int codec_dns(struct codec_run *run);
int codec_jose(struct codec_run *run);
int codec_x509(struct codec_run *run);
int codec_blake3(struct codec_run *run);
int codec_ed25519ph(struct codec_run *run);
int codec_authsig(struct codec_run *run);
int codec_yaml(struct codec_run *run);

/* `startbox codec ...`: argv[0] is the codec's name. */
int codec_main(int argc, char **argv);

#endif
