/* verb.h - the rows of what the warden and its hands can be asked: name, grammar of arguments, who does it, how long.
 *
 * For: the side that obeys. The same rows check a request again, whoever sent it; docs/warden.md describes each row, and a test
 *      holds the two together.
 * Never: takes a raw argument vector, or a path outside named roots.
 * Tried: tests/warden/verb. */
#ifndef WARDEN_VERB_H
#define WARDEN_VERB_H

#include "base/err.h"
#include "base/val.h"

enum verb_type {
    VERB_TEXT,  /* min..max bytes of text, no control characters */
    VERB_LINES, /* the same, but newlines */
    VERB_BYTES, /* min..max bytes */
    VERB_U64,   /* min..max */
    VERB_BOOL,
    VERB_WORD, /* lower-case letters, digits and - _ . ; 1..64, begins with a letter or digit */
    VERB_PATH, /* beneath a root: no leading slash, no empty part, no "." or "..", no control character; 1..max bytes */
    VERB_ADDRESS, /* as loop/listen.h reads one; not unix: */
    VERB_ONE_OF,  /* a text among `words` (space-separated) */
};

struct verb_arg {
    const char *key;
    enum verb_type type;
    bool optional;
    uint64_t min, max;
    const char *words;
};

enum verb_who {
    VERB_WARDEN, /* the warden itself, at once: it must not block */
    VERB_JOB,    /* a child made for it */
    VERB_DISK,   /* the disk hand */
    VERB_SAMPLER /* the sampler */
};

struct verb {
    const char *name;
    enum verb_who who;
    const struct verb_arg *args;
    unsigned arg_n;
    unsigned fds;      /* exactly so many descriptors come with it */
    uint64_t most_ms;  /* deadline unless the request has an earlier one; 0: none */
    const char *about; /* one sentence */
};

/* The row of a name among n rows, or NULL. */
const struct verb *verb_find(const struct verb *rows, unsigned n, struct slice name);
/* A map with the row's keys, of the row's types, and no other key. The error names the key, what was wanted and found. */
bool verb_check(const struct verb *v, const struct val *args, unsigned fd_n, struct err *e);

/* A fault of the test variants (loop/fault.h, operation "verb"): true, and the verb fails. */
bool verb_fault(struct err *e);

#endif
