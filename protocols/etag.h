/* etag.h - entity tags and the conditions on them (RFC 9110 8.8.3, 13.1).
 *
 * Tried: tests/protocols/http1_choice, fuzz/httpfields. */
#ifndef PROTOCOLS_ETAG_H
#define PROTOCOLS_ETAG_H

#include "base/buf.h"
#include "protocols/http_field.h"

struct etag {
    struct slice opaque; /* between the quotes */
    bool weak;
};

/* The whole text as one tag. */
bool etag_read(struct slice text, struct etag *tag);
/* Appends the tag with its quotes; false when it has characters that cannot stand in one. */
bool etag_write(struct buf *out, const struct etag *tag);
/* Strong: both strong and equal. Weak: equal. */
bool etag_same_strong(const struct etag *a, const struct etag *b);
bool etag_same_weak(const struct etag *a, const struct etag *b);

/* If-Match (strong): whether the request may go on; else 412. If-None-Match (weak): likewise; else 304 or
 * 412. `is` is the tag of what there is now, NULL when there is nothing. "*" stands for anything there is. A
 * list with something else than tags in it matches nothing beyond what was read. A field that is not there
 * lets everything pass: ask http_field_find. */
bool etag_if_match(struct http_list list, const struct etag *is);
bool etag_if_none_match(struct http_list list, const struct etag *is);

/* If-Range: whether a Range counts. is_date: the last change as a date field says it, empty when it is no
 * strong validator (RFC 9110 8.8.2.2). */
bool etag_if_range(struct slice text, const struct etag *is, struct slice is_date);

#endif
