/* http1.h - HTTP/1.1 messages (RFC 9110, RFC 9112), both roles, both directions, without I/O.
 *
 * For: a server reads requests and writes responses, a client reads responses and writes requests. Strict
 * wherever two readers that differ could be played against each other:
 * docs/decisions/0006-http1-strictness.md. Owns: the position in the stream, and a copy of the head (or
 * trailer section) only while it is cut in two. Touches: base, http_chars, http_field, http1_frame,
 * http1_target, chunked, url. No descriptor, clock, log. Never: merges trailers into the head, decodes a
 * content coding, unfolds lines, or eats bytes that belong to whatever comes behind the last message of a
 * connection. Driven: http1_feed until it wants more; at the end of the stream http1_eof. A client says what
 * it asked (http1_ask) before each response. A server that takes an upgrade stops feeding at HTTP1_EVENT_END:
 * nothing behind it was eaten. Slices: of a head and of trailers point into `in` when the section came in one
 * piece, else into the reader; body data points into `in`. All live until the next call. The caller's array
 * of fields is used between the last byte of a section and the next call only, so many readers can share one.
 * Errors: `at` counts from the start of the stream. err_http tells the status a server should answer with.
 * Limits: struct http1_limits, and the size of the array of fields ("headers").
 * Tried: tests/protocols/http1, http1_attacks and http1_write, fuzz/http1, `startbox codec http1`. */
#ifndef PROTOCOLS_HTTP1_H
#define PROTOCOLS_HTTP1_H

#include "base/buf.h"
#include "base/err.h"
#include "protocols/chunked.h"
#include "protocols/http1_frame.h"
#include "protocols/http_field.h"
#include "protocols/step.h"

#define HTTP1_ROLES(X)                                                                                                 \
    X(HTTP1_SERVER, "server") /* reads requests */                                                                     \
    X(HTTP1_CLIENT, "client") /* reads responses */

enum http1_role {
#define X(name, text) name,
    HTTP1_ROLES(X)
#undef X
};
const char *http1_role_name(enum http1_role role);
bool http1_role_from(struct slice text, enum http1_role *role);

struct http1_limits {
    size_t line;             /* start line, without its CR LF */
    size_t head;             /* start line and header section, all of it; also caps the line */
    size_t trailer;          /* trailer section, all of it */
    size_t chunk_line;       /* size line of a chunk, without its CR LF; 0 for none */
    size_t chunk_extensions; /* bytes of chunk extensions in one body; 0 for none */
    uint64_t body;           /* 0 for none */
};

enum http1_event_kind { HTTP1_EVENT_HEAD, HTTP1_EVENT_BODY, HTTP1_EVENT_TRAILERS, HTTP1_EVENT_END };

struct http1_event {
    enum http1_event_kind kind;
    const struct http1_head *head;   /* HEAD */
    struct slice data;               /* BODY: never empty */
    const struct http_field *fields; /* TRAILERS: at least one */
    size_t field_n;
};

enum http1_state {
    HTTP1_STATE_HEAD,
    HTTP1_STATE_LENGTH,
    HTTP1_STATE_CHUNKED,
    HTTP1_STATE_CLOSE,
    HTTP1_STATE_TRAILER,
    HTTP1_STATE_END,  /* the message is whole; END is still to be said */
    HTTP1_STATE_OVER, /* nothing more belongs to HTTP/1.1 */
    HTTP1_STATE_BAD,
};

/* The fields are the room's. Places are offsets from the start of the section, so they outlive a moving
 * buffer. */
struct http1 {
    enum http1_role role;
    enum http1_state state;
    uint8_t phase; /* where in the section; see http1.c */
    uint8_t odd;   /* what kinds of characters the target has */
    uint8_t empty; /* empty lines skipped */
    uint8_t minor;
    uint8_t interim; /* 1xx responses since the last final one */
    bool whole;      /* the held section was given out */
    enum http1_method asked;
    size_t pos;                  /* bytes of the section that were read */
    size_t line, mark;           /* where the start line begins; where version or value begin */
    size_t part;                 /* where target, reason or field name begin */
    size_t name_len, target_len; /* of the method or field name; of the target */
    size_t offset;               /* of the section in the stream */
    struct http_field *fields_lent;
    size_t field_max, field_n;
    struct http1_limits limits;
    struct buf held;
    uint64_t left, body_max; /* of the present body */
    struct http1_frame frame;
    struct http1_head head;
    struct chunked chunked;
};

/* fields: where heads and trailers are laid out, room for field_max. Does not allocate. */
void http1_init(struct http1 *h, enum http1_role role, const struct http1_limits *limits, struct http_field *fields,
                size_t field_max);
void http1_release(struct http1 *h);
struct fed http1_feed(struct http1 *h, struct slice in, struct http1_event *event, struct err *e);
/* The stream ended. STEP_EVENT: the END of a body that lasted until now; call again. STEP_END: fine.
 * STEP_BAD: in the middle of something. */
struct fed http1_eof(struct http1 *h, struct http1_event *event, struct err *e);
/* Client: the method of the request that the next final response answers; GET when it is not said. Interim
 * (1xx) responses leave it, the END of a final response forgets it. */
void http1_ask(struct http1 *h, enum http1_method method);
/* Right after HTTP1_EVENT_HEAD: another limit for this body. False when it is announced to be longer (413),
 * and the stream is refused then. 0 stands for none. */
bool http1_limit_body(struct http1 *h, uint64_t most, struct err *e);
/* Nothing of a further message has come yet: the connection may be closed politely. */
static inline bool http1_idle(const struct http1 *h) {
    return h->state == HTTP1_STATE_HEAD && h->pos == 0;
}

/* Writers append a whole head or nothing; what our own reader in the other role would refuse is refused here.
 * Out of room or memory in `out` is ERR_NOMEM or the limit "out". */
bool http1_write_request(struct buf *out, struct slice method, struct slice target, const struct http_field *fields,
                         size_t field_n, struct err *e);
/* asked: the method of the request that is answered. An empty reason stands for the usual one. */
bool http1_write_response(struct buf *out, enum http1_method asked, unsigned status, struct slice reason,
                          const struct http_field *fields, size_t field_n, struct err *e);
/* A chunk: chunked_write. The end of a chunked body with its trailers: */
bool http1_write_last(struct buf *out, const struct http_field *trailers, size_t n, struct err *e);

#define HTTP1_STATUSES(X)                                                                                              \
    X(100, "Continue")                                                                                                 \
    X(101, "Switching Protocols")                                                                                      \
    X(103, "Early Hints")                                                                                              \
    X(200, "OK")                                                                                                       \
    X(201, "Created")                                                                                                  \
    X(202, "Accepted")                                                                                                 \
    X(203, "Non-Authoritative Information")                                                                            \
    X(204, "No Content")                                                                                               \
    X(205, "Reset Content")                                                                                            \
    X(206, "Partial Content")                                                                                          \
    X(300, "Multiple Choices")                                                                                         \
    X(301, "Moved Permanently")                                                                                        \
    X(302, "Found")                                                                                                    \
    X(303, "See Other")                                                                                                \
    X(304, "Not Modified")                                                                                             \
    X(307, "Temporary Redirect")                                                                                       \
    X(308, "Permanent Redirect")                                                                                       \
    X(400, "Bad Request")                                                                                              \
    X(401, "Unauthorized")                                                                                             \
    X(402, "Payment Required")                                                                                         \
    X(403, "Forbidden")                                                                                                \
    X(404, "Not Found")                                                                                                \
    X(405, "Method Not Allowed")                                                                                       \
    X(406, "Not Acceptable")                                                                                           \
    X(407, "Proxy Authentication Required")                                                                            \
    X(408, "Request Timeout")                                                                                          \
    X(409, "Conflict")                                                                                                 \
    X(410, "Gone")                                                                                                     \
    X(411, "Length Required")                                                                                          \
    X(412, "Precondition Failed")                                                                                      \
    X(413, "Content Too Large")                                                                                        \
    X(414, "URI Too Long")                                                                                             \
    X(415, "Unsupported Media Type")                                                                                   \
    X(416, "Range Not Satisfiable")                                                                                    \
    X(417, "Expectation Failed")                                                                                       \
    X(421, "Misdirected Request")                                                                                      \
    X(422, "Unprocessable Content")                                                                                    \
    X(425, "Too Early")                                                                                                \
    X(426, "Upgrade Required")                                                                                         \
    X(428, "Precondition Required")                                                                                    \
    X(429, "Too Many Requests")                                                                                        \
    X(431, "Request Header Fields Too Large")                                                                          \
    X(500, "Internal Server Error")                                                                                    \
    X(501, "Not Implemented")                                                                                          \
    X(502, "Bad Gateway")                                                                                              \
    X(503, "Service Unavailable")                                                                                      \
    X(504, "Gateway Timeout")                                                                                          \
    X(505, "HTTP Version Not Supported")                                                                               \
    X(507, "Insufficient Storage")

/* The usual reason; "" for a status not in the list. */
const char *http1_status_name(unsigned status);
/* The status of a usual reason, as written, or 0. */
unsigned http1_status_from(struct slice reason);

#endif
