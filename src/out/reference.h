/* reference.h - relative references of URLs, resolved against where they stood (RFC 3986 5).
 *
 * For: Location fields.
 * Never: looks at what the characters are: url_read does, with the result. Knows no scheme.
 * Tried: tests/out/parts (the table of RFC 3986 5.4). */
#ifndef OUT_REFERENCE_H
#define OUT_REFERENCE_H

#include "base/buf.h"
#include "base/err.h"

/* Appends what `reference` means where `base` stands, an absolute URL; or appends nothing. Strict: a reference with a scheme is
 * absolute, also when the scheme is that of the base. */
bool reference_resolve(struct buf *out, struct slice base, struct slice reference, struct err *e);

#endif
