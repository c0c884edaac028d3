/* http1_frame.h - what a head says about its message: the head itself, and the rules by which fields decide
 * where the body ends, whose host is meant and whether the connection goes on. One place for readers and
 * writers.
 *
 * Never: forgives a contradiction. Each function is fed field by field, so that the place of the error is
 * known. Tried: tests/protocols/http1, http1_attacks, http1_write. */
#ifndef PROTOCOLS_HTTP1_FRAME_H
#define PROTOCOLS_HTTP1_FRAME_H

#include "base/err.h"
#include "protocols/http_field.h"

/* Methods we know by name; any other token is HTTP1_METHOD_OTHER. */
#define HTTP1_METHODS(X)                                                                                               \
    X(HTTP1_METHOD_GET, "GET")                                                                                         \
    X(HTTP1_METHOD_HEAD, "HEAD")                                                                                       \
    X(HTTP1_METHOD_POST, "POST")                                                                                       \
    X(HTTP1_METHOD_PUT, "PUT")                                                                                         \
    X(HTTP1_METHOD_DELETE, "DELETE")                                                                                   \
    X(HTTP1_METHOD_CONNECT, "CONNECT")                                                                                 \
    X(HTTP1_METHOD_OPTIONS, "OPTIONS")                                                                                 \
    X(HTTP1_METHOD_TRACE, "TRACE")                                                                                     \
    X(HTTP1_METHOD_PATCH, "PATCH")

enum http1_method {
#define X(name, text) name,
    HTTP1_METHODS(X)
#undef X
        HTTP1_METHOD_OTHER
};
const char *http1_method_name(enum http1_method method); /* "?" for OTHER */
enum http1_method http1_method_from(struct slice text);

/* Forms of the request target, RFC 9112 3.2. */
#define HTTP1_FORMS(X)                                                                                                 \
    X(HTTP1_FORM_ORIGIN, "origin")                                                                                     \
    X(HTTP1_FORM_ABSOLUTE, "absolute")                                                                                 \
    X(HTTP1_FORM_AUTHORITY, "authority")                                                                               \
    X(HTTP1_FORM_ASTERISK, "asterisk")

enum http1_form {
#define X(name, text) name,
    HTTP1_FORMS(X)
#undef X
};
const char *http1_form_name(enum http1_form form);
bool http1_form_from(struct slice text, enum http1_form *form);

/* How the end of the body is found. */
#define HTTP1_FRAMINGS(X)                                                                                              \
    X(HTTP1_FRAMING_NONE, "none") /* there is no body */                                                               \
    X(HTTP1_FRAMING_LENGTH, "length")                                                                                  \
    X(HTTP1_FRAMING_CHUNKED, "chunked")                                                                                \
    X(HTTP1_FRAMING_CLOSE, "close") /* it lasts until the connection ends; responses only */

enum http1_framing {
#define X(name, text) name,
    HTTP1_FRAMINGS(X)
#undef X
};
const char *http1_framing_name(enum http1_framing framing);
bool http1_framing_from(struct slice text, enum http1_framing *framing);

struct http1_head {
    /* of a request */
    enum http1_method method;
    enum http1_form form;
    struct slice method_text, target;
    struct slice host;  /* authority that is meant: of an absolute target, else Host; empty when there is none (1.0) */
    struct slice path;  /* "/" for an absolute target without one, "*" for asterisk; empty for CONNECT */
    struct slice query; /* without the question mark; ptr is NULL when there was none */
    bool expect;        /* Expect: 100-continue */
    /* of a response */
    unsigned status;
    struct slice reason; /* may be empty */
    /* of both */
    unsigned minor;         /* 0 for HTTP/1.0, else 1: a higher one counts as 1 */
    unsigned minor_written; /* as it was written */
    enum http1_framing framing;
    bool has_length; /* length is what Content-Length says; HEAD and 304 may have one without a body */
    bool keep_alive; /* a further message may follow on this connection */
    bool upgrade;    /* Upgrade and Connection: upgrade are there; which protocols, the field says */
    uint64_t length;
    const struct http_field *fields;
    size_t field_n;
};

/* What was learned from the fields so far. The fields are the room's. */
struct http1_frame {
    bool response, old;          /* old: HTTP/1.0 */
    bool close, keep_alive;      /* of Connection */
    bool upgrade, upgrade_named; /* Connection: upgrade; the Upgrade field */
    bool expect;
    bool coded, chunked, unknown; /* Transfer-Encoding: there; its last is chunked; has one we do not know */
    bool has_length, has_host;
    uint64_t length;
    struct slice host;
    size_t host_at;
};

void http1_frame_init(struct http1_frame *f, bool response, unsigned minor);
/* The next field; at is where its value stands, for errors. */
bool http1_frame_note(struct http1_frame *f, const struct http_field *field, size_t at, struct err *e);
/* All fields were noted: fills in what they decide. For a request, method, form and (absolute form) host of
 * *head are filled in already; for a response the status. */
bool http1_frame_request(const struct http1_frame *f, struct http1_head *head, size_t at, struct err *e);
bool http1_frame_response(const struct http1_frame *f, enum http1_method asked, struct http1_head *head, size_t at,
                          struct err *e);
/* Whether a field must not stand in a trailer section: it frames, routes, authenticates or says what the body
 * is. */
bool http1_trailer_banned(struct slice name);

/* The request target (RFC 9112 3.2): fills in form, path, query and, in absolute form, host. */
bool http1_target_read(struct slice target, enum http1_method method, struct http1_head *head, size_t at,
                       struct err *e);

#endif
