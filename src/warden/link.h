/* link.h - typed frames over a socketpair, with descriptors: how the reactor speaks to the warden and to its hands.
 *
 * For: both ends of such a socket. One frame is one packet (SOCK_SEQPACKET) is one CBOR array, whole or not there:
 *          request   [1, id, verb, args, deadline]   deadline in milliseconds from now, 0: the verb's own
 *          cancel    [2, id]
 *          progress  [3, id, value]
 *          log       [4, id, line]
 *          result    [5, id, value]
 *          error     [6, id, {"code": n, "os": n, "text": "...", "limit": "..."}]
 *          notice    [7, name, value]                 unasked, either way
 *      Ids count up from 1 (to 2^63-1, so they do not run out) and are never used again on one link. Names have 1 to
 *      LINK_NAME bytes. Descriptors ride with requests, results and notices.
 * Owns: the descriptor, frames that wait to be sent, descriptors of a frame until somebody takes them.
 * Never: trusts the other end. What is no such frame, too long, nests too deep, or brings too many descriptors is
 *        refused, its descriptors are closed, and the owner hears LINK_REFUSED; the link goes on.
 * Fair: at most LINK_BATCH frames a callback.
 * Limits: LIMIT_LINK_FRAME, LIMIT_LINK_FDS, LIMIT_LINK_DEPTH, LIMIT_LINK_QUEUE.
 * Tried: tests/warden/link, tests/warden/link_frame, fuzz/link. */
#ifndef WARDEN_LINK_H
#define WARDEN_LINK_H

#include "base/buf.h"
#include "base/limits.h"
#include "base/val.h"
#include "loop/loop.h"

#define LINK_NAME   64                    /* bytes of a verb or of a notice's name */
#define LINK_ID_MAX ((uint64_t)INT64_MAX) /* the largest id */
#define LINK_BATCH  32

enum link_kind {
    LINK_REQUEST = 1,
    LINK_CANCEL,
    LINK_PROGRESS,
    LINK_LOG,
    LINK_RESULT,
    LINK_ERROR,
    LINK_NOTICE,
};

struct link_frame {
    enum link_kind kind;
    uint64_t id;      /* 0 in a notice */
    struct val name;  /* verb of a request, name of a notice: text */
    struct val value; /* args, progress, line, result, error, value of a notice */
    uint64_t most_ms; /* of a request */
    int fds[LIMIT_LINK_FDS];
    unsigned fd_n;
};

/* The codec, without I/O. A frame that was read owns its values; link_frame_release ends them and closes the
 * descriptors. A packet that was read has no descriptors yet. What was refused holds no value, but its kind and id
 * where they could be read (else 0), so that whoever sent or awaits it can be told.
 * Writing a value that is VAL_NONE is "no memory", but an error frame without a value says just that. */
bool link_frame_read(struct slice packet, struct link_frame *f, struct err *e);
bool link_frame_write(struct buf *out, const struct link_frame *f, struct err *e);
void link_frame_release(struct link_frame *f);
/* Takes a descriptor out of a frame (the i-th), or -1. */
int link_frame_take_fd(struct link_frame *f, unsigned i);
/* What an error frame says, and the other way round. */
struct val link_error_value(const struct err *e);
void link_error_read(const struct val *v, struct err *e);

enum link_event {
    LINK_FRAME,   /* l->frame; released behind the callback or by link_stop, what is to be kept must be taken */
    LINK_REFUSED, /* l->err: a frame that was none; l->frame.kind and .id where they could be read */
    /* The other end is closed, or sending failed for good. Once, from the loop, never from inside link_send, and behind
     * every frame the other end had sent. The link is stopped already and may be freed. */
    LINK_GONE,
};

struct link {
    void (*call)(struct link *l, enum link_event event);
    const char *name;
    bool slow; /* reads no further frames while answers wait that the other end does not take: what obeys is set so */
    struct link_frame frame;
    struct err err;
    uint64_t received, refused, sent;
    /* private */
    struct loop *loop;
    struct loop_fd fd;
    struct loop_task gone;
    struct loop_timer again;           /* the kernel was short of something that no event tells of */
    struct link_waiting *first, *last; /* frames that did not fit the socket */
    size_t waiting_bytes;
    bool over;     /* sending has failed for good */
    bool *stopped; /* of the dispatch that is calling, if any: it was stopped inside */
};

/* Takes the descriptor (non-blocking SOCK_SEQPACKET). On failure it is closed. */
bool link_start(struct link *l, struct loop *loop, int fd, struct err *e);
/* Closes it; frames that wait are dropped. Legal inside the callback, and so is freeing it then. Nothing when it is not
 * started. */
void link_stop(struct link *l);
/* Sends a frame; borrows everything, descriptors are duplicated by the kernel and stay the caller's. Queues when the
 * socket is full; a queue over LIMIT_LINK_QUEUE is refused (a descriptor that waits counts LINK_FD_WEIGHT bytes). */
bool link_send(struct link *l, const struct link_frame *f, struct err *e);
#define LINK_FD_WEIGHT 16384
/* For a child without a loop: sends and receives waiting. */
bool link_send_waiting(int fd, const struct link_frame *f, struct err *e);
bool link_receive_waiting(int fd, struct link_frame *f, struct err *e); /* ERR_NETWORK at the end of the link */

#endif
