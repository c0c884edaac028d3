/* server.h - HTTP/1.1 for others: connections, requests by a table of routes, answers gathered and written once a turn.
 *
 * For: everything that is served over HTTP. A route is a row; what answers it is a handler; one request with its answer is
 *      an exchange. WebSocket (websocket_door.h) and server-sent events (sse_feed.h) begin as an exchange.
 * Owns: the connections, listeners that were handed in, one parser for all requests that come in one piece.
 * Never: knows a domain, a file or a descriptor. Calls a handler again once its exchange is over.
 *
 * An exchange: begin (the head is here) -> data... (or the body is gathered) -> end -> the handler answers, at once or later, whole
 *   (http_reply) or bit by bit (http_head, http_body, http_finish) -> over. `gone` comes instead when the connection died first.
 *   A handler may answer as early as begin. One exchange at a time on a connection: pipelined requests wait for it, and the
 *   answers of all that came in one read leave in one write.
 * Slow and greedy clients: every wait has a deadline, bodies and answers a least rate, and all unfinished requests together a
 *   budget (struct http_limits); what exceeds is refused with the limit's name.
 * A connection at rest owns no buffer and no parser: some 520 bytes.
 * Tried: tests/http/server, tests/http/scenario, fuzz/http_server, and from outside tests/cli/serve.sh. */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include "loop/stream.h"
#include "protocols/http1.h"

struct http_server;
struct http_exchange;

struct http_limits {
    struct http1_limits parse;
    unsigned connections; /* at once; the one idle for longest makes room */
    size_t held;          /* bytes of unfinished requests, all connections together */
    size_t kept;          /* bytes of one connection that wait for their turn */
    size_t out;           /* bytes of answers that wait to be written, of one connection */
    size_t out_all;       /* memory of such answers, all connections together: beyond it new requests are refused */
    int64_t idle_ms;      /* between two requests */
    int64_t head_ms;      /* from the first byte of a head to its last; also from the connection to the first byte */
    int64_t pace_ms;      /* how often a body, or an answer, must have moved... */
    size_t pace;          /* ...by so many bytes */
    int64_t linger_ms;    /* how long what comes behind the last answer is read and thrown away */
    int64_t answer_ms;    /* a handler, from the whole request to its answer */
    int64_t ping_ms;      /* a WebSocket that says nothing is asked, and after as long again closed */
    int64_t end_ms;       /* how long http_server_stop waits for answers that are under way */
};
extern const struct http_limits http_limits;
/* As many connections as there are descriptors for them, when LIMIT_HTTP_SPARE_FILES are kept for all else. */
unsigned http_server_room(void);

struct http_request {
    const struct http1_head *head; /* its slices live until begin returns */
    bool secure;                   /* it came by TLS */
};

/* Any may be NULL but begin or end. */
struct http_handler {
    const char *name; /* static */
    void (*begin)(struct http_exchange *x, const struct http_request *r);
    void (*data)(struct http_exchange *x, struct slice piece); /* NULL: the body is gathered for `end` */
    void (*end)(struct http_exchange *x, struct slice body); /* the request is whole; the body lives until it returns */
    void (*drained)(struct http_exchange *x);                /* after http_is_full */
    void (*gone)(struct http_exchange *x);                   /* the connection died: nothing can be answered any more */
    void (*stop)(struct http_exchange *x);                   /* the server ends: an endless answer should */
};

#define HTTP_METHOD(m) (1u << (m))
#define HTTP_READING   (HTTP_METHOD(HTTP1_METHOD_GET) | HTTP_METHOD(HTTP1_METHOD_HEAD))

struct http_route {
    const char *path; /* decoded bytes are not compared: exactly as the target says it */
    bool prefix;      /* what begins with it */
    unsigned methods; /* HTTP_METHOD bits */
    uint64_t body;    /* most bytes of a body; 0: it must be empty */
    const struct http_handler *handler;
    void *arg;
};

struct http_counts {
    uint64_t accepted, requests, refused, evicted, timeouts;
    unsigned open;  /* connections now */
    unsigned local; /* of them, by a Unix socket */
    size_t held;    /* bytes of unfinished requests and messages now */
    size_t out;     /* memory of answers that wait */
};

/* Routes are tried in order; they must last. */
struct http_server *http_server_new(struct loop *l, const struct http_route *routes, unsigned n,
                                    const struct http_limits *limits, struct err *e);
/* Takes a listening descriptor. With a cipher (wire/tls.h's tls_accept, as a rule) each connection gets a filter of its making. */
typedef struct stream_filter *http_cipher(void *arg, struct err *e);
bool http_server_listen(struct http_server *s, int fd, http_cipher *cipher, void *arg, struct err *e);
/* No new connections; idle ones close, answers under way get Connection: close and most_ms (0: end_ms); then `stopped` is called, once, from
 * the loop. */
void http_server_stop(struct http_server *s, int64_t most_ms, void (*stopped)(void *arg), void *arg);
/* When `stopped` was called, or a turn after http_server_abort. */
void http_server_free(struct http_server *s);
/* No new connections; every old one is gone after one more turn. */
void http_server_abort(struct http_server *s);
struct http_counts http_server_counts(const struct http_server *s);

/* --- in a handler --- */

void *http_arg(const struct http_exchange *x); /* of the route */
/* A place for what the handler keeps about this exchange. */
void **http_mine(struct http_exchange *x);
enum http1_method http_method(const struct http_exchange *x);
bool http_is_secure(const struct http_exchange *x);
/* The other end, for limits: the 4 bytes of an IPv4 address, the first 8 of an IPv6 one (a house has so many), nothing on a
 * Unix socket. Good as long as the exchange. */
struct slice http_from(struct http_exchange *x);
bool http_is_local(struct http_exchange *x); /* it came by a Unix socket */

/* The body comes no faster than it can be used. */
void http_pause(struct http_exchange *x);
void http_resume(struct http_exchange *x);

/* Who is at the other end of a Unix socket. */
bool http_unix_peer(const struct http_exchange *x, struct unix_peer *peer, struct err *e);

/* A whole answer; the exchange is over behind it. type may be empty. fields: further header lines, each ended by CR LF, of our
 * own making. */
void http_reply(struct http_exchange *x, unsigned status, struct slice type, struct slice fields, struct slice body);
/* The same with bytes that many own, or a part of them. */
void http_reply_shared(struct http_exchange *x, unsigned status, struct slice type, struct slice fields,
                       struct shared *body);
/* The error as plain text, with its status. */
void http_reply_error(struct http_exchange *x, const struct err *e);

/* An answer that never changes but for its date: made once a second. */
struct http_canned {
    unsigned status;
    struct slice type, body;
    /* private */
    struct buf block;
    int64_t made;
};
void http_reply_canned(struct http_exchange *x, struct http_canned *c);
void http_canned_release(struct http_canned *c);

#define HTTP_UNKNOWN UINT64_MAX
/* An answer bit by bit; when it cannot be written the connection ends, and `gone` says so. length HTTP_UNKNOWN: chunked, or until the end of the connection for HTTP/1.0. A HEAD needs no body. */
void http_head(struct http_exchange *x, unsigned status, struct slice type, struct slice fields, uint64_t length);
/* False: the connection is over (it died, or the bytes do not fit what waits already, or there is no memory): `gone` comes. */
bool http_body(struct http_exchange *x, struct slice bytes);
/* The rest of the announced length comes out of a pipe, moved by the kernel (stream_pull): `drained` comes when all of it went, the
 * pipe ran dry, or ended. False: the bytes must be copied. */
bool http_body_pull(struct http_exchange *x, int pipe);
struct stream *http_stream(struct http_exchange *x);
/* Whether a producer should stop; then `drained` comes. */
bool http_is_full(struct http_exchange *x);
/* All of the announced length must have been written. */
void http_finish(struct http_exchange *x);
/* An answer that was begun cannot be ended: the connection is cut, so that the client sees it. */
void http_abandon(struct http_exchange *x);

#endif
