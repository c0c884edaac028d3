/* room.h - what the files of this folder share. Private to src/http. */
#ifndef HTTP_ROOM_H
#define HTTP_ROOM_H

#include "http/server.h"

#include "base/limits.h"
#include "loop/listen.h"
#include "protocols/date.h"

enum http_wait {
    HTTP_WAIT_FIRST,
    HTTP_WAIT_IDLE,
    HTTP_WAIT_HEAD,
    HTTP_WAIT_BODY,
    HTTP_WAIT_WRITE,
    HTTP_WAIT_HANDLER,
    HTTP_WAIT_UPPER
};

/* What a connection became after 101: it hears what the stream hears. */
struct http_upper {
    void (*call)(struct http_upper *u, enum stream_event event); /* STREAM_GONE: frees itself */
    void (*stop)(struct http_upper *u);                          /* the server ends: says goodbye */
};

#define FROM_UNKNOWN 255
#define FROM_LOCAL   0

struct http_conn {
    struct stream s;
    struct http_server *server;
    struct http_conn *next, *prev;   /* all of them */
    struct http_conn *older, *newer; /* of those that wait for a request, by last use */
    struct http_conn *ready_next;
    struct http1 *parser; /* own one, while a request is unfinished; NULL: the server's */
    struct http_exchange *x;
    struct http_upper *upper;
    struct http_door *door; /* with TLS, until the first byte tells what is spoken */
    uint64_t mark;          /* bytes moved when the present wait began */
    size_t cost;            /* of what is unfinished, as counted in the server */
    uint64_t swallow;       /* bytes of a refused body that are still read and forgotten */
    enum http_wait wait;
    uint8_t from_len, from[8]; /* http_from; FROM_UNKNOWN until asked */
    bool running, ready, secure, closing, linger, eof;
    bool listed;   /* among those that wait for a request */
    bool deferred; /* a request had to wait a turn for memory */
    bool early;    /* the request that is being read has its answer already */
    bool astray;   /* plain HTTP where TLS is spoken: sent to https */
    bool stalled;  /* too many answers wait to be read: no more requests until they are */
};

enum http_phase { HTTP_READING_BODY, HTTP_ANSWER_DUE, HTTP_ANSWERING };

struct http_exchange {
    struct http_conn *conn;
    const struct http_route *route;
    void *mine;
    enum http_phase phase;
    enum http1_method method;
    bool keep_alive, asked_close, old, chunked, whole; /* whole: the request is */
    uint64_t left;                                     /* of the announced length of the answer */
    struct buf body;
    struct slice body_lent; /* the body when it came in one piece */
};

struct http_door {
    struct listener li;
    struct http_server *server;
    http_cipher *cipher; /* NULL: plain */
    void *cipher_arg;
    struct http_door *next;
};

struct http_server {
    struct loop *loop;
    const struct http_route *routes;
    unsigned route_n;
    struct http_limits limits;
    struct http_door *doors;
    struct http_conn *conns, *oldest, *newest;
    struct http_conn *ready;
    struct loop_task ready_task, stop_task;
    struct loop_timer stop_timer;
    bool stopping;
    void (*stopped)(void *arg);
    void *stopped_arg;
    struct http_counts counts;
    int64_t date_until, date_second; /* loop time until which the date is right; the second it says */
    uint8_t date[DATE_LEN];
    struct http1 parser;
    struct http_field fields[LIMIT_HTTP1_HEADERS];
};

/* conn.c. The list of those that wait for a request: */
void http_conn_unlist(struct http_conn *c);
void http_conn_newest(struct http_conn *c);
/* It goes on in the next turn, behind others. */
void http_conn_yield(struct http_conn *c);
bool http_conn_wait(struct http_conn *c, enum http_wait w);
void http_conn_heard(struct stream *s, enum stream_event event);
/* The connections that can go on reading. */
bool http_conns_ready(struct loop_task *t);
/* server.c: the first byte at a door with TLS is there. */
void http_conn_first(struct http_conn *c);
/* Once what was written is out. linger: the client may still be sending. */
void http_conn_close(struct http_conn *c, bool linger);
/* An answer that no handler gives: the error, then the end. The plain one when there is no exchange. */
void http_conn_refuse(struct http_conn *c, const struct err *e);
void http_conn_refuse_plain(struct http_conn *c, const struct err *e, bool head);
/* What is unfinished, with `kept` bytes more, counted for all connections together. False: too much. */
bool http_conn_account(struct http_conn *c, size_t kept);
void http_exchange_free(struct http_exchange *x);
/* request.c: reads and answers what can be read and answered now. */
void http_conn_read(struct http_conn *c);

/* The head of an answer: status line, date, type, length or chunked, connection, further fields. False: too long. */
struct http_head_text {
    uint8_t text[4096];
    size_t len;
};
bool http_head_write(struct http_exchange *x, struct http_head_text *h, unsigned status, struct slice type,
                     struct slice fields, uint64_t length);
/* What is said about an error: status, sentence, limit. */
#define HTTP_ERROR_TEXT (ERR_TEXT + 80)
struct slice http_error_text(char text[HTTP_ERROR_TEXT], const struct err *e);
void http_date_refresh(struct http_server *s);
/* The exchange is answered; what becomes of the connection is decided. */
void http_over(struct http_exchange *x);
/* Makes the connection an upper one; the exchange is over, without an answer of its own. */
void http_become(struct http_exchange *x, struct http_upper *u);

#endif
