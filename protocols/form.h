/* form.h - application/x-www-form-urlencoded, both ways, as browsers write it (WHATWG URL, 5.1 and 5.2).
 *
 * For: the bodies of HTML forms and the query of a URL.
 * Reading forgives as the standard says: a stray % stays, ill-formed UTF-8 becomes U+FFFD, empty parts are
 * passed over. Owns: nothing. A pair is decoded into the caller's buf and lives until the next call with it.
 * Limits: struct form_limits; 0 stands for none.
 * Tried: tests/protocols/http1_values, fuzz/url. */
#ifndef PROTOCOLS_FORM_H
#define PROTOCOLS_FORM_H

#include "base/buf.h"
#include "base/err.h"
#include "protocols/step.h"

struct form_limits {
    size_t pairs;
    size_t bytes; /* of one decoded pair */
};

struct form {
    struct slice rest;
    size_t at, pairs;
    struct form_limits limits;
};

struct form_pair {
    struct slice name, value; /* UTF-8 */
};

void form_init(struct form *f, struct slice text, const struct form_limits *limits);
/* STEP_EVENT: a pair, decoded into scratch, which is emptied first. STEP_END after the last. STEP_BAD: a
 * limit or no memory; the place counts from the start of the text. */
enum step form_next(struct form *f, struct buf *scratch, struct form_pair *pair, struct err *e);

/* Appends one pair, and "&" before it unless it is the first. Text that is not UTF-8 would not read back:
 * refused. */
bool form_write(struct buf *out, bool first, struct slice name, struct slice value, struct err *e);

#endif
