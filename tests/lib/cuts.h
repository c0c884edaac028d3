/* cuts.h - the law of division as a test: a reader is driven with the same bytes whole, byte by byte and in random cuts,
 * each time writing a transcript; all transcripts must be the same.
 *
 *     static void play(void *arg, struct cuts *c, struct buf *out) {
 *         make a fresh reader;
 *         for (struct slice piece; cuts_next(c, &piece);) feed it all of the piece, print events to out;
 *         print what the end of the stream means; release;
 *     }
 *     cuts_check(play, arg, input, expected, "name of the case");
 *
 * Pieces end at a protected page. */
#ifndef TESTS_CUTS_H
#define TESTS_CUTS_H

#include "base/buf.h"

struct cuts {
    struct slice rest;
    int how;       /* 0 whole, 1 byte by byte, else random */
    uint64_t seed; /* of the random cuts */
};

bool cuts_next(struct cuts *c, struct slice *piece);

typedef void cuts_play(void *arg, struct cuts *c, struct buf *out);

/* Checks every way of cutting against `want`; says the first difference. */
bool cuts_check(cuts_play *play, void *arg, struct slice input, struct slice want, const char *name);
/* The same against the transcript of the whole input; that is appended to out (may be NULL). */
bool cuts_agree(cuts_play *play, void *arg, struct slice input, struct buf *out, const char *name);

#endif
