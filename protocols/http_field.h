/* http_field.h - header fields once they are read: finding one, walking lists, parameters and quality values.
 *
 * For: whoever asks what the fields say. A field is two slices, borrowed from wherever it was read.
 * Never: copies, allocates or changes bytes. Quoted strings are recognised, so a comma inside one divides
 * nothing. Tried: tests/protocols/http1_parts, fuzz/httpfields. */
#ifndef PROTOCOLS_HTTP_FIELD_H
#define PROTOCOLS_HTTP_FIELD_H

#include "base/buf.h"

struct http_field {
    struct slice name, value; /* value without blanks at its ends */
};

/* The first field of that name (case does not count), or NULL. */
const struct http_field *http_field_find(const struct http_field *fields, size_t n, struct slice name);

/* Walks the elements of a comma-separated list over all fields of one name, as if they were one; empty
 * elements are left out, blanks around elements too (RFC 9110 5.6.1). struct http_list l =
 * http_list_of(fields, n, LIT("accept")); for (struct slice element; http_list_next(&l, &element);) ... */
struct http_list {
    const struct http_field *field, *end;
    struct slice name, rest;
};
struct http_list http_list_of(const struct http_field *fields, size_t n, struct slice name);
/* The list in one value. */
struct http_list http_list_in(struct slice value);
bool http_list_next(struct http_list *l, struct slice *element);
/* Whether a list has this element (case does not count). */
bool http_list_has(struct http_list l, struct slice element);

/* Takes what stands before the next `mark` outside quoted strings off *rest, and the mark with it; trimmed.
 * False when *rest is used up (its ptr is NULL then). */
bool http_part_next(struct slice *rest, uint8_t mark, struct slice *part);

/* The next parameter of `;name=value;name="value"`. value keeps its quotes; without "=" it has ptr NULL.
 * Returns false at the end, and with *bad set where the text is no parameter. */
bool http_param_next(struct slice *rest, struct slice *name, struct slice *value, bool *bad);

/* The content of a quoted string, or a token as it is, appended to out. False (nothing appended) on anything
 * else. */
bool http_unquote(struct buf *out, struct slice text);
/* Appends text as a quoted string. False when it has bytes that cannot stand in one. */
bool http_quote(struct buf *out, struct slice text);

/* A quality value in thousandths, 0 to 1000, or -1. */
int http_quality(struct slice text);

#endif
