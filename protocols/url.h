/* url.h - URLs by the grammar of RFC 3986, taken apart in place; percent-encoding; paths made safe for files.
 *
 * For: request targets, Host, addresses that users type, links we write. Relative references are not resolved
 * here. Owns: nothing; the parts are slices into the text. What is decoded is appended to the caller's buf.
 * Never: guesses. What the grammar does not allow (spaces, raw non-ASCII, bad escapes, back slashes) is
 * refused with its place, counted from the start of the text. Caveats: a host of kind URL_NAME may look like
 * a number ("256.1.1.1", "0x7f.1"): the grammar calls that a name. Who resolves names must not hand it to
 * anything that reads such numbers as addresses. Tried: tests/protocols/http1_parts, fuzz/url. */
#ifndef PROTOCOLS_URL_H
#define PROTOCOLS_URL_H

#include "base/buf.h"
#include "base/err.h"

#define URL_HOSTS(X)                                                                                                   \
    X(URL_NAME, "name")                                                                                                \
    X(URL_IPV4, "ipv4")                                                                                                \
    X(URL_IPV6, "ipv6")                                                                                                \
    X(URL_FUTURE, "future") /* [v1.something]: legal, and nobody uses it */

enum url_host {
#define X(name, text) name,
    URL_HOSTS(X)
#undef X
};
const char *url_host_name(enum url_host kind);
bool url_host_from(struct slice text, enum url_host *kind);

struct url {
    struct slice scheme;   /* "https"; case as written */
    struct slice userinfo; /* "user:password"; HTTP must refuse it (RFC 9110 4.2.4) */
    struct slice host;     /* without the brackets of an IPv6 address */
    struct slice path;     /* with its leading slash; may be empty in an absolute URL */
    struct slice query;    /* without the question mark */
    struct slice fragment; /* without the # */
    enum url_host host_kind;
    uint8_t address[16]; /* of URL_IPV4 (4 bytes) and URL_IPV6 */
    uint16_t port;       /* 0 with has_port false when there is none, or an empty one */
    bool has_userinfo, has_port, has_query, has_fragment;
};

/* scheme://authority[/path][?query][#fragment] */
bool url_read(struct slice text, struct url *u, struct err *e);
/* /path[?query], as in a request line. */
bool url_read_origin(struct slice text, struct url *u, struct err *e);
/* host[:port], as in Host and CONNECT; userinfo is refused. The host may be empty. */
bool url_read_authority(struct slice text, struct url *u, struct err *e);
/* 80, 443 and so on for schemes we know, or 0. */
uint16_t url_default_port(struct slice scheme);

/* An address as text, without brackets: "10.0.0.1", "2001:db8::1", "::ffff:1.2.3.4". No leading zeros in
 * decimal parts, no zone. */
bool url_read_ipv4(struct slice text, uint8_t out[4]);
bool url_read_ipv6(struct slice text, uint8_t out[16]);

/* Appends the bytes that percent-encoded text stands for, or nothing. "+" is a plus. */
bool url_decode(struct buf *out, struct slice text, struct err *e);

enum url_part {
    URL_COMPONENT, /* everything but letters, digits and - . _ ~ is escaped */
    URL_PATH,      /* slashes and what a path segment may hold stay */
    URL_QUERY,     /* as a path, and question marks stay */
};
bool url_encode(struct buf *out, enum url_part part, struct slice bytes);

/* Appends the file path, below a root, that a URL path stands for: decoded once, "." and ".." resolved,
 * repeated slashes made one; it begins with a slash and keeps a trailing one (which "/." and "/.." leave
 * too). Refused: ".." above the root, an encoded slash, a back slash, NUL or another control character
 * however written, bad escapes. */
bool url_file_path(struct buf *out, struct slice path, struct err *e);

#endif
