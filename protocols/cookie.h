/* cookie.h - cookies (RFC 6265): the Cookie field read as browsers send it, Set-Cookie written strictly and
 * read.
 *
 * Never: decodes or unquotes a value; a cookie's value is the bytes that stand there.
 * Tried: tests/protocols/http1_values, fuzz/httpfields. */
#ifndef PROTOCOLS_COOKIE_H
#define PROTOCOLS_COOKIE_H

#include "base/buf.h"
#include "base/err.h"

/* Walks the pairs of a Cookie field's value. A part without "=" is a value without a name (browsers send
 * such), empty parts are passed over. The slices point into the value. False at the end. */
bool cookie_next(struct slice *rest, struct slice *name, struct slice *value);
/* The first pair of that name: browsers send the most exact path first. */
bool cookie_find(struct slice cookies, struct slice name, struct slice *value);

#define COOKIE_SITES(X)                                                                                                \
    X(COOKIE_SITE_UNSAID, "")                                                                                          \
    X(COOKIE_SITE_STRICT, "Strict")                                                                                    \
    X(COOKIE_SITE_LAX, "Lax")                                                                                          \
    X(COOKIE_SITE_NONE, "None")

enum cookie_site {
#define X(name, text) name,
    COOKIE_SITES(X)
#undef X
};
const char *cookie_site_name(enum cookie_site site);
/* Case does not count; what is not known is UNSAID. */
enum cookie_site cookie_site_from(struct slice text);

struct cookie {
    struct slice name, value;
    struct slice path, domain; /* empty when not there */
    int64_t max_age, expires;  /* seconds; seconds since 1970 */
    bool has_max_age, has_expires, secure, http_only;
    enum cookie_site site;
};

/* Appends the value of a Set-Cookie field. Refused: names and values outside the grammar of RFC 6265 4.1 (a
 * value has no space, comma, semicolon, quote or back slash), SameSite=None without Secure, and what browsers
 * would refuse of the name prefixes __Host- and __Secure-. */
bool cookie_write(struct buf *out, const struct cookie *cookie, struct err *e);

/* Reads the value of a Set-Cookie field by the forgiving rules of RFC 6265 5.2; slices point into it. False
 * when it has to be ignored as a whole. A leading dot of the domain is left out; a path that does not begin
 * with / counts as none. */
bool cookie_read(struct slice text, struct cookie *cookie);

#endif
