/* negotiate.h - choosing what to send from what a client accepts (RFC 9110 12.5).
 *
 * For: Accept, Accept-Encoding, Accept-Language. Each function takes the list (http_list_of over the head's
 * fields, or http_list_in one value) and what is offered in our order of preference, and answers an index or
 * -1. Elements that are not by the grammar are passed over. A field that is not there accepts everything, an
 * empty list is the same as none, but for Accept-Encoding, where an empty one wants nothing encoded. Tried:
 * tests/protocols/http1_choice, fuzz/httpfields. */
#ifndef PROTOCOLS_NEGOTIATE_H
#define PROTOCOLS_NEGOTIATE_H

#include "protocols/http_field.h"

/* offered: "text/html", or with parameters "text/html;level=1". The highest quality wins, among equals the
 * first offered. */
int negotiate_type(struct http_list accept, const struct slice *offered, size_t n);

/* offered: "gzip", "identity". Without the field (there = false) only identity is chosen: whoever does not
 * ask for an encoding gets none. -1 also when identity itself was refused and nothing else fits. */
int negotiate_encoding(struct http_list accept, bool there, const struct slice *offered, size_t n);

/* offered: "de", "en-GB". A range fits a tag that is equal or goes on with "-" (RFC 4647 basic filtering);
 * failing that, the range is shortened part by part (lookup), so "de-CH" finds "de". -1 when nothing fits:
 * send the default. */
int negotiate_language(struct http_list accept, const struct slice *offered, size_t n);

#endif
