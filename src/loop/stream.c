/* stream.c - see stream.h. */
#include "loop/stream.h"

#include "base/must.h"
#include "loop/kernel.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define PARTS_FIRST 8
#define VECTORS     64 /* parts written in one call */

/* A run of bytes to write: shared ones, or (NULL) the next `len` of the stream's own. */
struct stream_part {
    struct shared *shared;
    size_t from, len;
};

static bool is_open(const struct stream *s) {
    return s->state == STREAM_CONNECTING || s->state == STREAM_UP;
}

/* --- what the descriptor is watched for --- */

static bool wants_read(const struct stream *s) {
    if (s->ended) return false;
    if (s->state == STREAM_UP) return s->wakes || (!s->paused && s->in.len < s->in.max);
    return s->state == STREAM_LINGERING;
}

static void fail(struct stream *s, enum err_code code, int os, const char *what);

static void watch(struct stream *s) {
    if (s->state >= STREAM_DEAD) return;
    struct err e = ERR_INIT;
    unsigned wants = (wants_read(s) ? LOOP_READ : 0u) | (s->waiting || s->state == STREAM_CONNECTING ? LOOP_WRITE : 0u);
    if (!s->fd.loop && !wants) return; /* parked: see ready */
    if (s->fd.loop ? !loop_fd_want(&s->fd, wants, &e) : !loop_fd_add(s->loop, &s->fd, s->fd.fd, wants, &e))
        fail(s, e.code, e.os, "watching a connection");
}

/* --- ending --- */

static void drop_out(struct stream *s) {
    for (; s->part_at < s->part_n; s->part_at++) shared_unref(s->parts[s->part_at].shared);
    mem_put(s->parts, s->part_cap * sizeof *s->parts);
    s->parts = NULL;
    s->part_n = s->part_cap = s->part_at = 0;
    if (s->own_total) *s->own_total -= s->own.cap;
    buf_release(&s->own);
    s->own_done = s->own_parted = s->out_len = 0;
}

/* The descriptor closes before sleeping, in its own phase: until then nobody's feet lose their ground. */
static void die(struct stream *s) {
    if (s->state >= STREAM_DEAD) return;
    s->state = STREAM_DEAD;
    s->waiting = false;
    loop_fd_remove(&s->fd);
    loop_timer_clear(&s->timer);
    loop_task_remove(&s->task);
    if (s->filter) loop_task_remove(&s->filter->more);
    loop_task_queue(s->loop, &s->task, LOOP_CLOSE);
}

static void fail(struct stream *s, enum err_code code, int os, const char *what) {
    if (s->state >= STREAM_DEAD) return;
    s->why = (struct stream_why){code, os, what};
    die(s);
}

void stream_error(const struct stream *s, struct err *e) {
    if (s->why.os)
        err_os(e, s->why.code, s->why.os, "%s", s->why.text);
    else
        err_set(e, s->why.code, "%s", s->why.text ? s->why.text : "closed");
}

static void finish(struct stream *s) {
    kernel_close(s->fd.fd);
    s->state = STREAM_OVER;
    s->data = slice_of(NULL, 0);
    buf_release(&s->in);
    drop_out(s);
    if (s->filter) s->filter->ops->free(s->filter);
    s->filter = NULL;
    s->call(s, STREAM_GONE); /* may free s */
}

static void tell(struct stream *s, enum stream_event event);

static void expire(struct loop_timer *t) {
    struct stream *s = LOOP_OWNER(struct stream, timer, t);
    if (s->state == STREAM_LINGERING) {
        die(s); /* lingered long enough */
        return;
    }
    if (!s->deadline) return;
    if (s->deadline <= loop_now_ms(s->loop)) {
        int64_t passed = s->deadline;
        tell(s, STREAM_LATE);
        if (s->state >= STREAM_DEAD || !s->deadline) return;
        if (s->deadline <= passed) {
            fail(s, ERR_TIMEOUT, 0, "nothing was heard in time");
            return;
        }
    }
    /* The owner moved the deadline, now or before: moving it later costs nothing until it rings. */
    if (!loop_timer_set(s->loop, t, s->deadline)) fail(s, ERR_NOMEM, 0, "no memory for a timer");
}

/* --- reading --- */

/* Brings what is kept in line with what was eaten: the rest of the scratch moves into the stream, what was eaten leaves it. */
static void settle(struct stream *s) {
    if (s->state >= STREAM_DEAD) return;
    if (s->in_scratch) {
        s->in_scratch = false;
        if (!buf_add(&s->in, s->data)) {
            fail(s, ERR_NOMEM, 0, "no memory for what a connection sent");
            return;
        }
    } else
        buf_drop(&s->in, s->in.len - s->data.len);
    if (!s->in.len) buf_release(&s->in); /* an idle stream owns nothing */
    s->data = buf_slice(&s->in);
    watch(s);
}

static void tell(struct stream *s, enum stream_event event) {
    s->in_call = true;
    s->call(s, event);
    s->in_call = false;
    settle(s);
}

/* More plain bytes stand at the start of the scratch. */
static void came(struct stream *s, size_t n) {
    s->read_bytes += n;
    s->data = slice_of(loop_scratch(s->loop), n);
    s->in_scratch = s->in.len == 0;
    if (!s->in_scratch) {
        if (!buf_add(&s->in, s->data)) {
            fail(s, ERR_NOMEM, 0, "no memory for what a connection sent");
            return;
        }
        s->data = buf_slice(&s->in);
    }
    tell(s, STREAM_DATA);
}

static void end(struct stream *s) {
    s->ended = true;
    if (s->state == STREAM_UP)
        tell(s, STREAM_END);
    else if (s->state == STREAM_LINGERING)
        die(s);
}

/* What nobody wants any more. */
static void throw_away(struct stream *s) {
    ssize_t n = kernel_read(s->fd.fd, loop_scratch(s->loop), LOOP_SCRATCH);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) die(s);
}

static void read_more(struct stream *s) {
    size_t room = s->in.max - s->in.len;
    if (room > LOOP_SCRATCH) room = LOOP_SCRATCH;
    ssize_t n = kernel_read(s->fd.fd, loop_scratch(s->loop), room);
    if (n > 0)
        came(s, (size_t)n);
    else if (n == 0)
        end(s);
    else if (errno != EAGAIN && errno != EINTR)
        fail(s, ERR_NETWORK, errno, "reading from a connection");
}

/* Room again: what waits in the filter wakes nobody by itself. */
static void nudge(struct stream *s) {
    if (s->filter && s->state == STREAM_UP && wants_read(s) && s->filter->ops->plain_out(s->filter).len)
        loop_task_queue(s->loop, &s->filter->more, LOOP_LATER);
}

void stream_eat(struct stream *s, size_t n) {
    must(n <= s->data.len);
    s->data = slice_skip(s->data, n);
    if (s->in_call) return;
    settle(s);
    nudge(s);
}

void stream_wake(struct stream *s) {
    s->paused = s->wakes = true;
    watch(s);
}

void stream_pause(struct stream *s) {
    s->paused = true;
    watch(s);
}

void stream_resume(struct stream *s) {
    s->paused = false;
    watch(s);
    nudge(s);
}

/* --- writing --- */

static bool room_for(struct stream *s, size_t n) {
    return is_open(s) && !s->pull_left && n <= s->out_max - s->out_len;
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
static int gather(const struct stream *s, struct iovec *v) {
    int n = 0;
    size_t own = s->own_done;
    for (uint32_t i = s->part_at; i < s->part_n && n < VECTORS; i++) {
        const struct stream_part *p = &s->parts[i];
        const uint8_t *at = p->shared ? p->shared->bytes + p->from : s->own.ptr + own;
        if (!p->shared) own += p->len;
        v[n++] = (struct iovec){(void *)(uintptr_t)at, p->len};
    }
    if (n < VECTORS && own < s->own.len) /* behind the last part */
        v[n++] = (struct iovec){s->own.ptr + own, s->own.len - own};
    return n;
}

/* So many bytes are written. */
static void advance(struct stream *s, size_t n) {
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

/* One system call for up to VECTORS runs of bytes. */
static ssize_t send_runs(struct stream *s, struct iovec *v, int n) {
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
static bool write_plain(struct stream *s) {
    while (s->out_len) {
        struct iovec v[VECTORS];
        ssize_t n = send_runs(s, v, gather(s, v));
        if (n < 0) {
            if (errno == EINTR) continue;
            if (errno == EAGAIN) break;
            fail(s, ERR_NETWORK, errno, "writing to a connection");
            return false;
        }
        advance(s, (size_t)n);
    }
    return true;
}

#define PULL_TURN (1u << 20) /* bytes moved at once: then others have their turn */

/* The kernel does not say which side makes it wait. Once the socket is taken for full; when it is not, the pipe is dry. */
static bool write_pulled(struct stream *s) {
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
            fail(s, ERR_NETWORK, errno, "writing to a connection");
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
    struct iovec v[VECTORS + 1];
    int n = gather(s, v);
    size_t before = 0;
    for (int i = 0; i < n; i++) before += v[i].iov_len;
    if (before == s->out_len) { /* nothing stands between what is queued and these */
        v[n++] = (struct iovec){(void *)(uintptr_t)bytes.ptr, bytes.len};
        ssize_t sent = send_runs(s, v, n);
        if (sent > 0) {
            size_t own = (size_t)sent < before ? (size_t)sent : before;
            advance(s, own);
            s->written_bytes += (size_t)sent - own;
            bytes = slice_skip(bytes, (size_t)sent - own);
            if (!s->out_len) drop_out(s);
        } /* an error shows again when the rest is written */
    }
    return !bytes.len || stream_write(s, bytes);
}

static bool has_filter_failed(struct stream *s);

/* Moves what is to be written into the filter, as far as it has room. */
static bool fill_filter(struct stream *s) {
    struct stream_filter *f = s->filter;
    bool moved = false;
    while (s->out_len) {
        struct iovec v[VECTORS];
        int n = gather(s, v);
        size_t room, took = 0;
        uint8_t *to = f->ops->plain_room(f, &room);
        if (!room) break;
        for (int i = 0; i < n && took < room; i++) {
            size_t part = v[i].iov_len < room - took ? v[i].iov_len : room - took;
            memcpy(to + took, v[i].iov_base, part);
            took += part;
        }
        advance(s, took);
        f->ops->plain_came(f, took, !s->out_len);
        moved = true;
    }
    return moved;
}

static bool write_filtered(struct stream *s) {
    struct stream_filter *f = s->filter;
    for (;;) {
        struct slice raw = f->ops->raw_out(f);
        if (raw.len) {
            ssize_t n = send_runs(s, &(struct iovec){(void *)(uintptr_t)raw.ptr, raw.len}, 1);
            if (n < 0 && errno == EINTR) continue;
            if (n < 0 && errno == EAGAIN) {
                s->waiting = true;
                if (f->ops->raw_keep(f)) return true;
                fail(s, ERR_NOMEM, 0, "no memory for what waits to be sent");
                return false;
            }
            if (n < 0 && f->close_told && !s->out_len) { /* the peer left without hearing our goodbye: no harm */
                die(s);
                return false;
            }
            if (n < 0) {
                fail(s, ERR_NETWORK, errno, "writing to a connection");
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

static bool write_out(struct stream *s) {
    s->waiting = false;
    if (!(s->filter ? write_filtered(s) : write_plain(s))) return false;
    if (!s->out_len && s->pull_left && !write_pulled(s)) return false;
    if (!s->out_len)
        drop_out(s); /* an idle stream owns nothing */
    else if (!s->filter || s->filter->ops->state(s->filter) != STREAM_FILTER_SHAKING)
        s->waiting = true;
    return true;
}

/* All is written. */
static void wind_up(struct stream *s) {
    if (!s->linger_ms || s->ended) {
        die(s);
        return;
    }
    s->state = STREAM_LINGERING;
    kernel_shutdown(s->fd.fd, SHUT_WR);
    if (!loop_timer_set(s->loop, &s->timer, loop_now_ms(s->loop) + s->linger_ms)) {
        die(s);
        return;
    }
    watch(s);
}

static bool run_task(struct loop_task *t) {
    struct stream *s = LOOP_OWNER(struct stream, task, t);
    if (s->state == STREAM_DEAD) {
        finish(s);
        return false;
    }
    if (!write_out(s)) return false;
    if (s->waiting)
        watch(s);
    else if (s->state == STREAM_CLOSING && !s->pull_left)
        wind_up(s);
    else if (s->owes_drained && !s->out_len) {
        s->owes_drained = false;
        tell(s, STREAM_DRAINED);
    }
    return false;
}

static void write_ready(struct stream *s) {
    if (!s->waiting || !write_out(s) || s->waiting) return;
    if (s->state == STREAM_CLOSING && !s->pull_left) {
        wind_up(s);
        return;
    }
    watch(s);
    s->owes_drained = false;
    if (!s->filter || s->filter->open_told) tell(s, STREAM_DRAINED);
}

/* --- the filter --- */

static bool has_filter_failed(struct stream *s) {
    if (s->filter->ops->state(s->filter) != STREAM_FILTER_FAILED) return false;
    fail(s, ERR_NETWORK, 0, s->filter->why ? s->filter->why : "the handshake failed");
    return true;
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

static void read_filtered(struct stream *s) {
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
            tell(s, STREAM_OPEN);
            if (s->state != STREAM_UP) return;
        }
        got = take_plain(s, most);
        if (got || over || i == 4) break;
        size_t room;
        uint8_t *to = f->ops->raw_room(f, &room);
        if (!room) break;
        ssize_t n = kernel_read(s->fd.fd, to, room);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            fail(s, ERR_NETWORK, errno, "reading from a connection");
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
    if (got) came(s, got);
    if (s->state != STREAM_UP) return;
    if (f->ops->plain_out(f).len) {
        if (wants_read(s)) loop_task_queue(s->loop, &f->more, LOOP_LATER);
    } else if (over || now == STREAM_FILTER_ENDED) {
        s->cut = now != STREAM_FILTER_ENDED;
        end(s);
    }
}

static bool run_more(struct loop_task *t) {
    struct stream_filter *f = LOOP_OWNER(struct stream_filter, more, t);
    if (wants_read(f->stream) && f->stream->state == STREAM_UP) read_filtered(f->stream);
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

/* --- the descriptor --- */

static void connected(struct stream *s) {
    int os = 0;
    socklen_t len = sizeof os;
    if (kernel_getsockopt(s->fd.fd, SOL_SOCKET, SO_ERROR, &os, &len)) os = errno;
    if (os) {
        fail(s, ERR_NETWORK, os, "connecting");
        return;
    }
    s->state = STREAM_UP;
    if (s->out_len || s->filter) loop_task_queue(s->loop, &s->task, LOOP_WRITE_OUT);
    watch(s);
    if (!s->filter) tell(s, STREAM_OPEN);
}

/* A hang-up comes unasked and again and again. While nobody reads (paused, or full) the stream is parked: not watched, its
 * bytes left where they are, until somebody wants them. */
static void gone(struct stream *s) {
    int os = 0;
    socklen_t len = sizeof os;
    if (kernel_getsockopt(s->fd.fd, SOL_SOCKET, SO_ERROR, &os, &len)) os = 0;
    if (os)
        fail(s, ERR_NETWORK, os, "the peer is gone");
    else if (!s->waiting)
        loop_fd_remove(&s->fd);
}

static void ready(struct loop_fd *w, unsigned what) {
    struct stream *s = LOOP_OWNER(struct stream, fd, w);
    if (s->state == STREAM_CONNECTING) {
        if (what & (LOOP_WRITE | LOOP_GONE)) connected(s);
        return;
    }
    /* Reading first: bytes that came before a reset are still there. */
    if (what & (LOOP_READ | LOOP_GONE) && wants_read(s)) {
        if (s->wakes) {
            s->wakes = false;
            tell(s, STREAM_DATA);
        } else if (s->state == STREAM_LINGERING)
            throw_away(s);
        else if (s->filter)
            read_filtered(s);
        else
            read_more(s);
    } else if (what & LOOP_GONE)
        gone(s);
    if (what & LOOP_WRITE && s->state < STREAM_DEAD) write_ready(s);
}

bool stream_start(struct stream *s, struct loop *l, int fd, bool connecting, size_t in_max, size_t out_max,
                  struct err *e) {
    must(s->call && s->name);
    *s = (struct stream){.call = s->call, .name = s->name, .loop = l, .out_max = out_max};
    s->state = connecting ? STREAM_CONNECTING : STREAM_UP;
    s->fd = (struct loop_fd){.call = ready, .name = s->name};
    s->task = (struct loop_task)LOOP_TASK(run_task, s->name);
    s->timer = (struct loop_timer){.call = expire, .name = s->name};
    buf_init(&s->in, in_max);
    buf_init(&s->own, out_max);
    if (loop_fd_add(l, &s->fd, fd, connecting ? LOOP_WRITE : LOOP_READ, e)) return true;
    kernel_close(fd);
    return false;
}

uint64_t stream_unheard(const struct stream *s) {
    int n = 0;
    return s->state < STREAM_DEAD && kernel_ioctl(s->fd.fd, TIOCOUTQ, &n) == 0 && n > 0 ? (uint64_t)n : 0;
}

void stream_close(struct stream *s) {
    if (!is_open(s)) return;
    if (s->state == STREAM_CONNECTING) {
        die(s);
        return;
    }
    s->state = STREAM_CLOSING;
    if (!s->out_len && !s->filter && !s->linger_ms)
        die(s);
    else if (!s->waiting) /* what stands in the filter, or the goodbye, leaves before sleeping */
        loop_task_queue(s->loop, &s->task, LOOP_WRITE_OUT);
    watch(s);
}

void stream_linger(struct stream *s, uint32_t linger_ms) {
    if (!is_open(s)) return;
    s->linger_ms = linger_ms;
    stream_close(s);
}

void stream_abort(struct stream *s) {
    die(s);
}

bool stream_deadline(struct stream *s, int64_t at_ms) {
    if (s->state >= STREAM_DEAD) return true;
    s->deadline = at_ms;
    if (!at_ms || (loop_timer_is_set(&s->timer) && s->timer.at_ms <= at_ms)) return true; /* looked at when it rings */
    return loop_timer_set(s->loop, &s->timer, at_ms);
}
