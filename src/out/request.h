/* request.h - one HTTP request of ours and its answer: redirects, proxies, compression, resuming.
 *
 * For: downloads, registries, whoever asks another server for something.
 * Owns: while it is under way, everything it needs, in one block that outlives the request until its connection is gone. The request
 *       itself may be freed or used again behind request_stop and inside any callback behind it, and inside REQUEST_DONE and
 *       REQUEST_FAILED; it is over then.
 * Never: calls back from inside one of its own functions; calls anything after REQUEST_DONE, REQUEST_FAILED or request_stop.
 *
 * Events: REQUEST_HEAD once, with the answer that counts (after redirects, without 1xx); REQUEST_DATA as pieces come; at last
 *   REQUEST_DONE or REQUEST_FAILED. An answer with any status is a success, but for REQUEST_FILE, which wants 200 or 206.
 *
 * Redirects: 301, 302, 303, 307, 308, at most `redirects` of them. 303 becomes GET (HEAD stays), 301 and 302 make GET of POST, the
 *   rest is sent again as it was. When scheme, host or port change, Authorization and Cookie stay behind for good. Never from https
 *   to http unless `downgrade`; never to a URL with a user name.
 * Sent again, once, on a new connection: when a reused connection ends before a byte of an answer came. That may be done only with
 *   methods that may be repeated (RFC 9110 9.2.2) or when `repeatable` says so; all others always get a connection of their own.
 * Proxies: as proxy.h says; https goes through CONNECT. A request with a guard goes straight or not at all: what a proxy dials
 *   nobody sees here.
 * Time: `deadline_at` for everything; and the pace: whenever the other side is waited for, so many bytes must move in so much time.
 *   Waiting for the asker, or for the disk, is not counted. A head must be whole within one such time, however many bytes come.
 * Files: the answer goes into root/path by a pump. With `from` > 0 and a validator the rest is asked for (Range, If-Range). 206 with
 *   the right place and the same validator goes on there; 200 begins anew; anything else about ranges makes it ask for the whole,
 *   once. What was written stays when it fails: see pump.h. The validator to keep is r->validator at REQUEST_HEAD.
 * Tried: tests/out/request, request_ways, request_redirects, request_files. */
#ifndef OUT_REQUEST_H
#define OUT_REQUEST_H

#include "out/out.h"
#include "out/source.h"
#include "protocols/http1.h"

enum request_event { REQUEST_HEAD, REQUEST_DATA, REQUEST_DONE, REQUEST_FAILED };

enum request_into {
    REQUEST_PIECES,   /* REQUEST_DATA, request_data, request_eat */
    REQUEST_GATHERED, /* r->gathered at REQUEST_DONE */
    REQUEST_FILE,     /* r->file */
};

#define REQUEST_REDIRECTS 10 /* what is usual */

struct request_work;

/* Embed it, zeroed but for what is asked. */
struct request {
    void (*call)(struct request *r, enum request_event event);
    const char *name; /* static */

    /* What is asked. Texts and fields are copied by request_start; the body must stay until it is over.
     * url: "https://user:password@host:port/path?query"; user and password become Basic authorization.
     * fields: none of those this room writes (Host, Content-Length, Connection, of a file Range, ...).
     * most: bytes of the body, decoded; of a file as a whole. 0: LIMIT_OUT_GATHERED, LIMIT_OUT_FILE, and for pieces
     *   LIMIT_OUT_DECODED when they come compressed, else none. */
    struct slice method; /* empty: GET */
    struct slice url;
    const struct http_field *fields;
    size_t field_n;
    struct slice body;
    struct source_file body_file; /* with a disk: this instead of `body` */
    bool decode;                  /* gzip and deflate are asked for, and undone. Not into a file */
    bool downgrade;               /* redirects from https to http are followed */
    bool repeatable;              /* sending it twice does no harm, whatever the method */
    unsigned redirects;           /* 0: not followed, the answer is the redirect */
    struct tls_client *tls;       /* NULL: that of struct out */
    bool (*allowed)(void *arg, const struct address *a); /* as of dial.h */
    void *allowed_arg;
    int64_t deadline_at; /* absolute; 0: none but the pace */
    int64_t pace_ms;     /* 0: LIMIT_OUT_PACE_MS */
    uint64_t pace_bytes; /* 0: 1 */
    enum request_into into;
    uint64_t most;
    struct {
        struct port *disk;
        const char *root; /* static */
        struct slice path;
        uint64_t from;          /* how long root/path.part is */
        struct slice validator; /* of what is in it; empty: begins anew */
    } file;

    /* What came of it. Of REQUEST_HEAD, and gone behind it: head; final_url, after redirects and without user and password;
     * validator, a strong ETag or Last-Modified, fit for file.validator, or empty. */
    unsigned status; /* from REQUEST_HEAD on */
    const struct http1_head *head;
    struct slice final_url, validator;
    unsigned redirected;   /* how often */
    bool resumed;          /* it goes on at file.from */
    struct buf *gathered;  /* REQUEST_DONE only; buf_take moves it out */
    uint64_t size;         /* of the body, decoded; of the file as a whole */
    uint8_t sum[PUMP_SUM]; /* of the file: SHA-256 */
    struct err err;        /* of REQUEST_FAILED */
    /* private */
    struct request_work *work;
};

/* False: nothing will be called. */
bool request_start(struct request *r, struct out *o, struct err *e);
/* REQUEST_PIECES: what came and was not eaten; lives until the callback returns or request_eat. It does not grow while it is not
 * eaten: the server is made to wait. */
struct slice request_data(const struct request *r);
void request_eat(struct request *r, size_t n);
/* Legal at any time, also when nothing is under way. */
void request_stop(struct request *r);

#endif
