/* stream_write.c - what is to be written: the queue of own and shared bytes, pieces that pass it, and pipes. See stream.h. */
#include "base/must.h"
#include "loop/kernel.h"
#include "loop/stream_room.h"

#include <errno.h>

#define PARTS_FIRST 8

/* A run of bytes to write: shared ones, or (NULL) the next `len` of the stream's own. */
struct stream_part {
    struct shared *shared;
    size_t from, len;
};

void stream_drop_out(struct stream *s) {
    for (; s->part_at < s->part_n; s->part_at++) shared_unref(s->parts[s->part_at].shared);
    mem_put(s->parts, s->part_cap * sizeof *s->parts);
    s->parts = NULL;
    s->part_n = s->part_cap = s->part_at = 0;
    if (s->own_total) *s->own_total -= s->own.cap;
    buf_release(&s->own);
    s->own_done = s->own_parted = s->out_len = 0;
}

static bool room_for(struct stream *s, size_t n) {
    return stream_is_open(s) && !s->pull_left && n <= s->out_max - s->out_len;
}

static void took(struct stream *s, size_t n) {
    s->out_len += n;
    if (!s->waiting && s->state != STREAM_CONNECTING) loop_task_queue(s->loop, &s->task, LOOP_WRITE_OUT);
}

bool stream_write(struct stream *s, struct slice bytes) {
    if (!room_for(s, bytes.len)) return false;
    /* Written bytes leave when they are the greater part, or in the way. */
    if (s->own_done && (s->own_done >= s->own.len / 2 || bytes.len > s->own.max - s->own.len)) {
        buf_drop(&s->own, s->own_done);
        s->own_parted -= s->own_parted < s->own_done ? s->own_parted : s->own_done;
        s->own_done = 0;
    }
    size_t before = s->own.cap;
    bool good = buf_add(&s->own, bytes);
    if (s->own_total) *s->own_total += s->own.cap - before;
    if (!good) {
        s->own.fault = BUF_FINE;
        return false;
    }
    took(s, bytes.len);
    return true;
}

static bool add_part(struct stream *s, struct shared *shared, size_t from, size_t len) {
    if (s->part_n - s->part_at >= PARTS_FIRST + s->out_max / 256) return false;
    if (s->part_at >
        s->part_n / 2) { /* written ones leave: a reader that is always a little behind must not cost more and more */
        memmove(s->parts, s->parts + s->part_at, (s->part_n - s->part_at) * sizeof *s->parts);
        s->part_n -= s->part_at;
        s->part_at = 0;
    }
    if (s->part_n == s->part_cap) {
        uint32_t cap = s->part_cap ? s->part_cap * 2 : PARTS_FIRST;
        struct stream_part *p = mem_grow(s->parts, s->part_cap * sizeof *p, cap * sizeof *p);
        if (!p) return false;
        s->parts = p;
        s->part_cap = cap;
    }
    s->parts[s->part_n++] = (struct stream_part){shared, from, len};
    return true;
}

bool stream_share(struct stream *s, struct shared *shared, size_t from) {
    must(from <= shared->len);
    size_t len = shared->len - from;
    size_t loose = s->own.len - (s->own_parted > s->own_done ? s->own_parted : s->own_done);
    if (!room_for(s, len)) return false;
    if (!len) return true;
    /* Own bytes written before come first: they get a part of their own. */
    bool split = loose && add_part(s, NULL, 0, loose);
    if ((loose && !split) || !add_part(s, shared, from, len)) {
        if (split) s->part_n--;
        return false;
    }
    s->own_parted = s->own.len;
    shared_ref(shared);
    took(s, len);
    return true;
}

/* Gathers what is to be written, in order. */
int stream_gather(const struct stream *s, struct iovec *v) {
    int n = 0;
    size_t own = s->own_done;
    for (uint32_t i = s->part_at; i < s->part_n && n < STREAM_VECTORS; i++) {
        const struct stream_part *p = &s->parts[i];
        const uint8_t *at = p->shared ? p->shared->bytes + p->from : s->own.ptr + own;
        if (!p->shared) own += p->len;
        v[n++] = (struct iovec){(void *)(uintptr_t)at, p->len};
    }
    if (n < STREAM_VECTORS && own < s->own.len) /* behind the last part */
        v[n++] = (struct iovec){s->own.ptr + own, s->own.len - own};
    return n;
}

/* So many bytes are written. */
void stream_advance(struct stream *s, size_t n) {
    s->out_len -= n;
    s->written_bytes += n;
    while (n && s->part_at < s->part_n) {
        struct stream_part *p = &s->parts[s->part_at];
        size_t step = n < p->len ? n : p->len;
        if (p->shared)
            p->from += step;
        else
            s->own_done += step;
        p->len -= step;
        n -= step;
        if (p->len) return;
        shared_unref(p->shared);
        s->part_at++;
    }
    s->own_done += n;
}

/* One system call for up to STREAM_VECTORS runs of bytes. */
ssize_t stream_send_runs(struct stream *s, struct iovec *v, int n) {
    s->writes++;
    if (n == 1) {
        ssize_t sent = kernel_send(s->fd.fd, v->iov_base, v->iov_len, MSG_NOSIGNAL);
        if (sent >= 0 || errno != ENOTSOCK) return sent;
    }
    struct msghdr m = {.msg_iov = v, .msg_iovlen = (size_t)n};
    ssize_t sent = kernel_sendmsg(s->fd.fd, &m, MSG_NOSIGNAL);
    return sent < 0 && errno == ENOTSOCK ? kernel_writev(s->fd.fd, v, n) : sent;
}

/* Writes as much as the peer takes. False: the stream is dead. */
bool stream_write_plain(struct stream *s) {
    while (s->out_len) {
        struct iovec v[STREAM_VECTORS];
        ssize_t n = stream_send_runs(s, v, stream_gather(s, v));
        if (n < 0) {
            if (errno == EINTR) continue;
            if (errno == EAGAIN) break;
            stream_fail(s, ERR_NETWORK, errno, "writing to a connection");
            return false;
        }
        stream_advance(s, (size_t)n);
    }
    return true;
}

#define PULL_TURN (1u << 20) /* bytes moved at once: then others have their turn */

/* The kernel does not say which side makes it wait. Once the socket is taken for full; when it is not, the pipe is dry. */
bool stream_write_pulled(struct stream *s) {
    for (size_t moved = 0; s->pull_left;) {
        if (moved >= PULL_TURN) {
            s->waiting = true; /* the socket has room: the next turn goes on */
            return true;
        }
        size_t most = s->pull_left < PULL_TURN ? (size_t)s->pull_left : PULL_TURN;
        ssize_t n = kernel_splice(s->pull_fd, NULL, s->fd.fd, NULL, most, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        s->writes++;
        if (n > 0) {
            s->pull_left -= (uint64_t)n;
            s->written_bytes += (uint64_t)n;
            moved += (size_t)n;
            s->pull_stuck = false;
            continue;
        }
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno != EAGAIN) {
            stream_fail(s, ERR_NETWORK, errno, "writing to a connection");
            return false;
        }
        if (n == 0 || s->pull_stuck) {
            s->pull_stuck = false;
            s->pull_over = n == 0;
            s->owes_drained = true;
            return true;
        }
        s->pull_stuck = s->waiting = true;
        return true;
    }
    s->owes_drained = true;
    return true;
}

bool stream_pull(struct stream *s, int pipe, uint64_t len) {
    must(!s->pull_left);
    if (!stream_can_pull(s)) return false;
    s->pull_fd = pipe;
    s->pull_left = len;
    s->pull_stuck = s->pull_over = false;
    stream_pull_on(s);
    return true;
}

void stream_pull_on(struct stream *s) {
    if (s->state == STREAM_UP && s->pull_left && !s->waiting) loop_task_queue(s->loop, &s->task, LOOP_WRITE_OUT);
}

bool stream_write_through(struct stream *s, struct slice bytes) {
    if (s->filter || s->state != STREAM_UP || s->waiting || !room_for(s, bytes.len)) return stream_write(s, bytes);
    struct iovec v[STREAM_VECTORS + 1];
    int n = stream_gather(s, v);
    size_t before = 0;
    for (int i = 0; i < n; i++) before += v[i].iov_len;
    if (before == s->out_len) { /* nothing stands between what is queued and these */
        v[n++] = (struct iovec){(void *)(uintptr_t)bytes.ptr, bytes.len};
        ssize_t sent = stream_send_runs(s, v, n);
        if (sent > 0) {
            size_t own = (size_t)sent < before ? (size_t)sent : before;
            stream_advance(s, own);
            s->written_bytes += (size_t)sent - own;
            bytes = slice_skip(bytes, (size_t)sent - own);
            if (!s->out_len) stream_drop_out(s);
        } /* an error shows again when the rest is written */
    }
    return !bytes.len || stream_write(s, bytes);
}
