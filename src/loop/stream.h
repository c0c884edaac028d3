/* stream.h - a connection: bytes in with backpressure, bytes out gathered and written once a turn.
 *
 * For: everything above that talks over a stream socket (or a pipe pair). Above this room nobody knows about sockets.
 * Owns: the descriptor, what came and was not eaten, what is to be written.
 * Never: calls back from inside one of its own functions; calls anything after STREAM_GONE.
 *
 * Reading: STREAM_DATA says that stream_data has more bytes than before. They stand in the loop's scratch or in the stream
 *   and live until the callback returns or stream_eat. What is not eaten is kept, up to in_max; then the stream stops
 *   reading until something is eaten: that is the backpressure. A stream that keeps nothing owns no memory.
 * Writing: stream_write copies, stream_share refers; nothing is written before the phase LOOP_WRITE_OUT, then all of it in
 *   one call. More than out_max is refused, and nothing of it taken; so are more than out_max / 256 pieces, since each costs
 *   memory beside its bytes. STREAM_DRAINED comes when something had to wait and
 *   all of it is written.
 * Closing: stream_close lets go of what is still to be written, as far as the peer takes it until the deadline of the stream;
 *   stream_abort does not. stream_linger is stream_close that first says "no more", then reads what still comes and throws it
 *   away for a while: closing a socket with unread bytes resets it, and the peer might lose the answer.
 *   The descriptor closes in the phase LOOP_CLOSE; then comes STREAM_GONE, once, and the owner may free what embeds the stream,
 *   but not before.
 * Every state that waits has a deadline: the owner sets it with stream_deadline (free when it only moves later); when it
 *   passes STREAM_LATE is the last chance to move it, then the stream is aborted with ERR_TIMEOUT.
 * Ciphers: a filter (stream_filter) stands between the socket and all of this. With one, STREAM_OPEN comes when its handshake
 *   is done, and written bytes wait for that.
 * Tried: tests/loop/stream. */
#ifndef LOOP_STREAM_H
#define LOOP_STREAM_H

#include "base/buf.h"
#include "base/shared.h"
#include "loop/listen.h"
#include "loop/loop.h"

enum stream_event {
    STREAM_OPEN,    /* a connection that was being made stands; with a filter: the handshake is done */
    STREAM_DATA,    /* there is more to read */
    STREAM_END,     /* the peer will send no more; writing may go on */
    STREAM_DRAINED, /* what waited to be written is written */
    STREAM_LATE,    /* the deadline has passed: who does not move it now, or close, is aborted with ERR_TIMEOUT */
    STREAM_GONE,    /* over; s->why says why when it was not asked for */
};

enum stream_state { STREAM_CONNECTING, STREAM_UP, STREAM_CLOSING, STREAM_LINGERING, STREAM_DEAD, STREAM_OVER };

struct stream_part;
struct stream;

/* What stands between the socket and the owner, as four doors: raw bytes in and out, plain bytes in and out. The stream does
 * all moving; a filter never calls the stream. */
enum stream_filter_state { STREAM_FILTER_SHAKING, STREAM_FILTER_UP, STREAM_FILTER_ENDED, STREAM_FILTER_FAILED };

struct stream_filter {
    const struct stream_filter_ops *ops;
    /* private to the stream */
    struct stream *stream;
    struct loop_task more; /* plain bytes wait in the filter, and there is room again */
    bool open_told, close_told;
    /* the filter's */
    const char *why; /* of FAILED: a static sentence */
};

struct stream_filter_ops {
    /* Where raw bytes may be read to now; *len 0: none are wanted now (plain bytes wait, or it has done enough for this turn; the
     * loop calls again). */
    uint8_t *(*raw_room)(struct stream_filter *f, size_t *len);
    void (*raw_came)(struct stream_filter *f, size_t n);
    /* What is to be sent, and how much of it was. raw_keep: the socket takes no more now; keep the rest where it lasts. */
    struct slice (*raw_out)(struct stream_filter *f);
    void (*raw_sent)(struct stream_filter *f, size_t n);
    bool (*raw_keep)(struct stream_filter *f);
    struct slice (*plain_out)(struct stream_filter *f);
    void (*plain_taken)(struct stream_filter *f, size_t n);
    /* Where plain bytes may be put; *len 0: none now. `last`: nothing follows in this turn, so let it out. */
    uint8_t *(*plain_room)(struct stream_filter *f, size_t *len);
    void (*plain_came)(struct stream_filter *f, size_t n, bool last);
    void (*close)(struct stream_filter *f); /* says goodbye to the peer */
    enum stream_filter_state (*state)(const struct stream_filter *f);
    void (*free)(struct stream_filter *f); /* once, with the stream */
};

/* Why a stream ended; code ERR_NONE: it was asked to. */
struct stream_why {
    enum err_code code;
    int os;
    const char *text; /* static */
};

struct stream {
    void (*call)(struct stream *s, enum stream_event event);
    const char *name;
    struct stream_why why;
    /* private */
    struct loop *loop;
    struct loop_fd fd;
    struct loop_task task; /* writes out, or closes */
    struct loop_timer timer;
    int64_t deadline; /* what the owner asked; the timer may be earlier */
    enum stream_state state;
    bool ended, paused, waiting, in_call, in_scratch, owes_drained;
    uint32_t linger_ms; /* 0: closes at once */
    bool cut;           /* the peer ended without the filter's goodbye: what lasts until the end may be cut short */
    struct buf in;      /* kept */
    struct slice data;  /* what there is to read now: of the scratch or of `in` */
    struct buf own;     /* copied bytes to write; the first own_done of them are written */
    size_t own_done, own_parted;
    size_t *own_total;         /* the owner's: memory of copied bytes, all its streams together; may be NULL */
    struct stream_part *parts; /* in what order own and shared bytes leave; NULL: only own bytes */
    uint32_t part_n, part_cap, part_at;
    uint32_t writes; /* system calls */
    size_t out_len, out_max;
    uint64_t read_bytes, written_bytes; /* plain ones */
    struct stream_filter *filter;
    uint64_t pull_left;
    int pull_fd;
    bool pull_stuck, pull_over, wakes;
};

/* Takes the descriptor (non-blocking, connected, or connecting). On failure it is closed. */
bool stream_start(struct stream *s, struct loop *l, int fd, bool connecting, size_t in_max, size_t out_max,
                  struct err *e);

/* Puts a filter in: right behind stream_start, or later when all was eaten and written (CONNECT, STARTTLS). It is the stream's from then on. */
void stream_filter(struct stream *s, struct stream_filter *f);
/* The sentence of s->why. */
void stream_error(const struct stream *s, struct err *e);

/* What can be read now. */
static inline struct slice stream_data(const struct stream *s) {
    return s->data;
}
void stream_eat(struct stream *s, size_t n);
/* Stops reading until stream_resume, whatever room there is. */
void stream_pause(struct stream *s);
void stream_resume(struct stream *s);
/* For a pipe whose bytes others take, and a socket that is to be looked at first: STREAM_DATA comes once there is something to read, or the end, and nothing was read; the
 * stream is paused then as before. */
void stream_wake(struct stream *s);

bool stream_write(struct stream *s, struct slice bytes);
/* The same for a large piece: what the socket takes at once is not copied. It leaves before other streams' bytes do. */
bool stream_write_through(struct stream *s, struct slice bytes);
/* Writes shared bytes from an offset on, without copying; takes a reference of its own. */
bool stream_share(struct stream *s, struct shared *shared, size_t from);
/* Lets `len` bytes out of a pipe go straight to the socket, behind what was written, moved by the kernel alone. Nothing may be written
 * before they are gone. The pipe stays the caller's. STREAM_DRAINED comes when all are gone, and also when the pipe ran dry, or
 * ended: then stream_pull_left is not 0, and who has seen the pipe readable says stream_pull_on. False: a filter stands
 * between, so they must be copied. */
bool stream_pull(struct stream *s, int pipe, uint64_t len);
static inline bool stream_can_pull(const struct stream *s) {
    return !s->filter && s->state == STREAM_UP;
}
static inline uint64_t stream_pull_left(const struct stream *s) {
    return s->pull_left;
}
void stream_pull_on(struct stream *s);
/* The pipe ended before all were there. */
static inline bool stream_pull_over(const struct stream *s) {
    return s->pull_over;
}

/* Bytes accepted and not written yet. */
static inline size_t stream_pending(const struct stream *s) {
    return s->out_len;
}

/* STREAM_DRAINED will come once all is written, also when nothing has to wait: for producers that stopped. */
static inline void stream_owe_drained(struct stream *s) {
    s->owes_drained = true;
}

/* Written bytes the peer has not acknowledged yet, where the kernel tells; a slow peer moves though nothing can be written. */
uint64_t stream_unheard(const struct stream *s);
/* The next bytes of a socket, which stay to be read; 0 when there are none (yet, or any more). Without a filter. */
size_t stream_peek(const struct stream *s, uint8_t *to, size_t len);
/* Who is at the other end of the socket. */
bool stream_peer(const struct stream *s, struct address *peer);
bool stream_unix_peer(const struct stream *s, struct unix_peer *peer, struct err *e);

void stream_close(struct stream *s);
void stream_abort(struct stream *s);
/* What still comes behind the last written byte is thrown away, for so long. */
void stream_linger(struct stream *s, uint32_t linger_ms);
/* The stream is aborted at this time unless it is moved; 0: never. False: no memory. */
bool stream_deadline(struct stream *s, int64_t at_ms);

#endif
