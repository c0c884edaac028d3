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
 *   one call. More than out_max is refused, and nothing of it taken. STREAM_DRAINED comes when something had to wait and
 *   all of it is written.
 * Closing: stream_close lets go of what is still to be written, as far as the peer takes it until the deadline of the stream;
 *   stream_abort does not. The descriptor closes in the phase LOOP_CLOSE; then comes STREAM_GONE, once, and the owner may
 *   free what embeds the stream, but not before.
 * Every state that waits has a deadline: the owner sets it with stream_deadline; when it passes the stream is aborted
 *   with ERR_TIMEOUT.
 * Tried: tests/loop/stream. */
#ifndef LOOP_STREAM_H
#define LOOP_STREAM_H

#include "base/buf.h"
#include "base/shared.h"
#include "loop/loop.h"

enum stream_event {
    STREAM_OPEN,    /* a connection that was being made stands */
    STREAM_DATA,    /* there is more to read */
    STREAM_END,     /* the peer will send no more; writing may go on */
    STREAM_DRAINED, /* what waited to be written is written */
    STREAM_GONE,    /* over; s->err says why when it was not asked for */
};

enum stream_state { STREAM_CONNECTING, STREAM_UP, STREAM_CLOSING, STREAM_DEAD, STREAM_OVER };

struct stream_part;

struct stream {
    void (*call)(struct stream *s, enum stream_event event);
    const char *name;
    struct err err; /* code ERR_NONE: closed because it was asked */
    /* private */
    struct loop *loop;
    struct loop_fd fd;
    struct loop_task out_task, close_task;
    struct loop_timer timer;
    enum stream_state state;
    bool ended, paused, waiting, in_call, in_scratch;
    struct buf in;     /* kept */
    struct slice data; /* what there is to read now: of the scratch or of `in` */
    struct buf own;    /* copied bytes to write; the first own_done of them are written */
    size_t own_done, own_parted;
    struct stream_part *parts; /* in what order own and shared bytes leave; NULL: only own bytes */
    uint32_t part_n, part_cap, part_at;
    size_t out_len, out_max;
    uint64_t read_bytes, written_bytes, writes;
};

/* Takes the descriptor (non-blocking, connected, or connecting). On failure it is closed. */
bool stream_start(struct stream *s, struct loop *l, int fd, bool connecting, size_t in_max, size_t out_max,
                  struct err *e);

/* What can be read now. */
static inline struct slice stream_data(const struct stream *s) {
    return s->data;
}
void stream_eat(struct stream *s, size_t n);
/* Stops reading until stream_resume, whatever room there is. */
void stream_pause(struct stream *s);
void stream_resume(struct stream *s);

bool stream_write(struct stream *s, struct slice bytes);
/* Writes shared bytes from an offset on, without copying; takes a reference of its own. */
bool stream_share(struct stream *s, struct shared *shared, size_t from);
/* Bytes accepted and not written yet. */
static inline size_t stream_pending(const struct stream *s) {
    return s->out_len;
}

void stream_close(struct stream *s);
void stream_abort(struct stream *s);
/* The stream is aborted at this time unless it is moved; 0: never. False: no memory. */
bool stream_deadline(struct stream *s, int64_t at_ms);

#endif
