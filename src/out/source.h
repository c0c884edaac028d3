/* source.h - bytes to be sent, from wherever they are: pieces in memory and files, one behind the other.
 *
 * For: bodies of requests and mails. A file may be sent as base64 in lines of 76, as mail wants it. Constant memory: what is read
 *      ahead is the pump's.
 * Owns: its pump and, for base64, one piece of text. The list of parts, and what it points to, stays the caller's until source_stop.
 * Never: calls back from inside one of its own functions; calls anything after SOURCE_FAILED or source_stop.
 * Driven: source_open asks how long all files are; SOURCE_OPEN, and s->size is known. Then source_begin, and take what
 *   source_data gives; when that is empty and not source_over, SOURCE_DATA comes. source_begin again begins from the front.
 * A file that has changed between the question and its end is a failure: what was announced would not be what is sent.
 * Tried: tests/out/request, mail and mime. */
#ifndef OUT_SOURCE_H
#define OUT_SOURCE_H

#include "warden/pump.h"

struct source_file {
    struct port *disk; /* NULL: there is no file */
    const char *root;  /* static */
    struct slice path;
};

struct source_part {
    struct slice bytes;
    struct source_file file; /* with a disk: this instead of the bytes */
    bool base64;             /* of a file */
    /* private: what the file was when it was asked */
    struct pump_file was;
};

enum source_event { SOURCE_OPEN, SOURCE_DATA, SOURCE_FAILED };

struct source_text; /* base64 */

/* Embed it, zeroed but for the first four. */
struct source {
    void (*call)(struct source *s, enum source_event event);
    const char *name;
    struct source_part *parts;
    size_t part_n;
    uint64_t size;  /* of all, as it is sent */
    struct err err; /* of SOURCE_FAILED */
    /* private */
    struct loop *loop;
    struct pump pump;
    struct loop_task task;
    bool asking;    /* sizes, not bytes */
    size_t at;      /* the part at hand */
    uint64_t moved; /* bytes of it that are taken, before base64 */
    struct source_text *text;
};

void source_open(struct source *s, struct loop *l);
bool source_begin(struct source *s, struct err *e);
/* What can be taken now; until the next call or turn. */
struct slice source_data(struct source *s);
void source_eat(struct source *s, size_t n);
/* Everything was taken. */
static inline bool source_over(const struct source *s) {
    return s->at == s->part_n;
}
/* Legal at any time, also when nothing was opened. */
void source_stop(struct source *s);

#endif
