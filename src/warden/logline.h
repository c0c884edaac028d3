/* logline.h - one line of our own log, as it stands in logs/startd.log: a JSON object that ends with a newline.
 *
 *     {"s":17,"t":1700000000000,"b":"32 hex digits","p":4,"m":"text"}
 *
 * For: the log hand, which writes them; whoever shows logs, which gets the files' bytes by disk.list and disk.read at an offset.
 * s: number of the line, rising over files and starts; a gap is lines that could not be kept. t: wall clock, milliseconds.
 * b: the boot of the machine. p: priority as of syslog, 0 (worst) to 7. m: the line, without its newline.
 * Never: does I/O. The writer puts "s" first, so that a line is found by its number without reading the rest.
 * A reader may meet a last line that is not whole yet: it is none until its newline is there.
 * Tried: tests/warden/logline, fuzz/logline. */
#ifndef WARDEN_LOGLINE_H
#define WARDEN_LOGLINE_H

#include "base/buf.h"
#include "base/val.h"

#define LOGLINE_BOOT  32 /* digits */
#define LOGLINE_USUAL 5  /* the priority of a line that does not say one */

struct logline {
    uint64_t seq;
    int64_t wall_ms;
    char boot[LOGLINE_BOOT + 1];
    unsigned priority;
    struct val text;
};

/* Reads one line, without its newline. False: it is none; nothing is held then. Keys that are not known are passed over. */
bool logline_read(struct slice line, struct logline *out, struct err *e);
void logline_release(struct logline *l);

/* Appends the line with its newline, or nothing. `text` is any bytes: what is no UTF-8 is mended, and what is longer than
 * LIMIT_LOG_LINE is cut, with "..." at its end. l->text is not looked at. */
bool logline_write(struct buf *out, const struct logline *l, struct slice text);

/* Takes "<4>" off the front of a line: the priority, LOGLINE_USUAL where there is none. */
unsigned logline_priority(struct slice *text);

/* The number at the front of a line; false: it is no line of ours. */
bool logline_seq(struct slice line, uint64_t *seq);

/* Where in a piece of a file the first whole line begins whose number is at least seq; piece.len: there is none. at_start: the piece
 * begins where a line does; else what stands before its first newline is passed over. */
size_t logline_find(struct slice piece, bool at_start, uint64_t seq);

#endif
