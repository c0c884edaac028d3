/* stream_filter.c - moving bytes through what stands between the socket and the owner; see stream.h. */
#include "base/must.h"
#include "loop/kernel.h"
#include "loop/stream_room.h"

#include <errno.h>

static bool has_filter_failed(struct stream *s) {
    if (s->filter->ops->state(s->filter) != STREAM_FILTER_FAILED) return false;
    stream_fail(s, ERR_NETWORK, 0, s->filter->why ? s->filter->why : "the handshake failed");
    return true;
}

/* Moves what is to be written into the filter, as far as it has room. */
static bool fill_filter(struct stream *s) {
    struct stream_filter *f = s->filter;
    bool moved = false;
    while (s->out_len) {
        struct iovec v[STREAM_VECTORS];
        int n = stream_gather(s, v);
        size_t room, took = 0;
        uint8_t *to = f->ops->plain_room(f, &room);
        if (!room) break;
        for (int i = 0; i < n && took < room; i++) {
            size_t part = v[i].iov_len < room - took ? v[i].iov_len : room - took;
            memcpy(to + took, v[i].iov_base, part);
            took += part;
        }
        stream_advance(s, took);
        f->ops->plain_came(f, took, !s->out_len);
        moved = true;
    }
    return moved;
}

bool stream_write_filtered(struct stream *s) {
    struct stream_filter *f = s->filter;
    for (;;) {
        struct slice raw = f->ops->raw_out(f);
        if (raw.len) {
            ssize_t n = stream_send_runs(s, &(struct iovec){(void *)(uintptr_t)raw.ptr, raw.len}, 1);
            if (n < 0 && errno == EINTR) continue;
            if (n < 0 && errno == EAGAIN) {
                s->waiting = true;
                if (f->ops->raw_keep(f)) return true;
                stream_fail(s, ERR_NOMEM, 0, "no memory for what waits to be sent");
                return false;
            }
            if (n < 0 && f->close_told && !s->out_len) { /* the peer left without hearing our goodbye: no harm */
                stream_die(s);
                return false;
            }
            if (n < 0) {
                stream_fail(s, ERR_NETWORK, errno, "writing to a connection");
                return false;
            }
            f->ops->raw_sent(f, (size_t)n);
            continue;
        }
        if (has_filter_failed(s)) return false;
        if (f->ops->state(f) == STREAM_FILTER_SHAKING) return true;
        if (fill_filter(s)) continue;
        if (s->out_len || s->state != STREAM_CLOSING || f->close_told) return true;
        f->close_told = true;
        f->ops->close(f);
    }
}

/* Deciphered bytes into the scratch, at most so many. */
static size_t take_plain(struct stream *s, size_t room) {
    struct stream_filter *f = s->filter;
    size_t n = 0;
    while (n < room) {
        struct slice plain = slice_head(f->ops->plain_out(f), room - n);
        if (!plain.len) break;
        memcpy(loop_scratch(s->loop) + n, plain.ptr, plain.len);
        f->ops->plain_taken(f, plain.len);
        n += plain.len;
    }
    return n;
}

/* Something of the filter's own may be waiting to leave: answers of the handshake, alerts. */
static void let_out(struct stream *s) {
    if (s->state < STREAM_DEAD && !s->waiting) loop_task_queue(s->loop, &s->task, LOOP_WRITE_OUT);
}

void stream_read_filtered(struct stream *s) {
    struct stream_filter *f = s->filter;
    size_t most = s->in.max - s->in.len, got = 0;
    if (most > LOOP_SCRATCH) most = LOOP_SCRATCH;
    bool over = false;
    /* At most a few records a callback; what is left wakes us again. */
    for (int i = 0;; i++) {
        enum stream_filter_state is = f->ops->state(f);
        if (!f->open_told && (is == STREAM_FILTER_UP || is == STREAM_FILTER_ENDED)) {
            f->open_told = true;
            let_out(s); /* what was written before */
            stream_tell(s, STREAM_OPEN);
            if (s->state != STREAM_UP) return;
        }
        got = take_plain(s, most);
        if (got || over || i == 4) break;
        size_t room;
        uint8_t *to = f->ops->raw_room(f, &room);
        if (!room) break;
        ssize_t n = kernel_read(s->fd.fd, to, room);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            stream_fail(s, ERR_NETWORK, errno, "reading from a connection");
            return;
        }
        if (n < 0) break;
        over = n == 0;
        if (n) f->ops->raw_came(f, (size_t)n);
    }
    enum stream_filter_state now = f->ops->state(f);
    if (f->ops->raw_out(f).len)
        let_out(s);
    else if (has_filter_failed(s))
        return;
    if (got) stream_came(s, got);
    if (s->state != STREAM_UP) return;
    if (f->ops->plain_out(f).len) {
        if (stream_wants_read(s)) loop_task_queue(s->loop, &f->more, LOOP_LATER);
    } else if (over || now == STREAM_FILTER_ENDED) {
        s->cut = now != STREAM_FILTER_ENDED;
        stream_end(s);
    }
}

static bool run_more(struct loop_task *t) {
    struct stream_filter *f = LOOP_OWNER(struct stream_filter, more, t);
    if (stream_wants_read(f->stream) && f->stream->state == STREAM_UP) stream_read_filtered(f->stream);
    return false;
}

void stream_filter(struct stream *s, struct stream_filter *f) {
    must(!s->filter);
    s->filter = f;
    f->stream = s;
    f->more = (struct loop_task)LOOP_TASK(run_more, s->name);
    f->open_told = f->close_told = false;
    if (s->state == STREAM_UP) let_out(s); /* a client begins */
}
