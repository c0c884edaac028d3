/* stream.c - a connection's life, and reading from it; see stream.h. Writing is stream_write.c, ciphers stream_filter.c. */
#include "loop/stream.h"

#include "base/must.h"
#include "loop/kernel.h"
#include "loop/stream_room.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* --- what the descriptor is watched for --- */

bool stream_wants_read(const struct stream *s) {
    if (s->ended) return false;
    if (s->state == STREAM_UP) return s->wakes || (!s->paused && s->in.len < s->in.max);
    return s->state == STREAM_LINGERING;
}

void stream_watch(struct stream *s) {
    if (s->state >= STREAM_DEAD) return;
    struct err e = ERR_INIT;
    unsigned wants =
        (stream_wants_read(s) ? LOOP_READ : 0u) | (s->waiting || s->state == STREAM_CONNECTING ? LOOP_WRITE : 0u);
    if (!s->fd.loop && !wants) return; /* parked: see ready */
    if (s->fd.loop ? !loop_fd_want(&s->fd, wants, &e) : !loop_fd_add(s->loop, &s->fd, s->fd.fd, wants, &e))
        stream_fail(s, e.code, e.os, "watching a connection");
}

/* --- ending --- */

/* The descriptor closes before sleeping, in its own phase: until then nobody's feet lose their ground. */
void stream_die(struct stream *s) {
    if (s->state >= STREAM_DEAD) return;
    s->state = STREAM_DEAD;
    s->waiting = false;
    loop_fd_remove(&s->fd);
    loop_timer_clear(&s->timer);
    loop_task_remove(&s->task);
    if (s->filter) loop_task_remove(&s->filter->more);
    loop_task_queue(s->loop, &s->task, LOOP_CLOSE);
}

void stream_fail(struct stream *s, enum err_code code, int os, const char *what) {
    if (s->state >= STREAM_DEAD) return;
    s->why = (struct stream_why){code, os, what};
    stream_die(s);
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
    stream_drop_out(s);
    if (s->filter) s->filter->ops->free(s->filter);
    s->filter = NULL;
    s->call(s, STREAM_GONE); /* may free s */
}

static void expire(struct loop_timer *t) {
    struct stream *s = LOOP_OWNER(struct stream, timer, t);
    if (s->state == STREAM_LINGERING) {
        stream_die(s); /* lingered long enough */
        return;
    }
    if (!s->deadline) return;
    if (s->deadline <= loop_now_ms(s->loop)) {
        int64_t passed = s->deadline;
        stream_tell(s, STREAM_LATE);
        if (s->state >= STREAM_DEAD || !s->deadline) return;
        if (s->deadline <= passed) {
            stream_fail(s, ERR_TIMEOUT, 0, "nothing was heard in time");
            return;
        }
    }
    /* The owner moved the deadline, now or before: moving it later costs nothing until it rings. */
    if (!loop_timer_set(s->loop, t, s->deadline)) stream_fail(s, ERR_NOMEM, 0, "no memory for a timer");
}

/* --- reading --- */

/* Brings what is kept in line with what was eaten: the rest of the scratch moves into the stream, what was eaten leaves it. */
static void settle(struct stream *s) {
    if (s->state >= STREAM_DEAD) return;
    if (s->in_scratch) {
        s->in_scratch = false;
        if (!buf_add(&s->in, s->data)) {
            stream_fail(s, ERR_NOMEM, 0, "no memory for what a connection sent");
            return;
        }
    } else
        buf_drop(&s->in, s->in.len - s->data.len);
    if (!s->in.len) buf_release(&s->in); /* an idle stream owns nothing */
    s->data = buf_slice(&s->in);
    stream_watch(s);
}

void stream_tell(struct stream *s, enum stream_event event) {
    s->in_call = true;
    s->call(s, event);
    s->in_call = false;
    settle(s);
}

/* More plain bytes stand at the start of the scratch. */
void stream_came(struct stream *s, size_t n) {
    s->read_bytes += n;
    s->data = slice_of(loop_scratch(s->loop), n);
    s->in_scratch = s->in.len == 0;
    if (!s->in_scratch) {
        if (!buf_add(&s->in, s->data)) {
            stream_fail(s, ERR_NOMEM, 0, "no memory for what a connection sent");
            return;
        }
        s->data = buf_slice(&s->in);
    }
    stream_tell(s, STREAM_DATA);
}

void stream_end(struct stream *s) {
    s->ended = true;
    if (s->state == STREAM_UP)
        stream_tell(s, STREAM_END);
    else if (s->state == STREAM_LINGERING)
        stream_die(s);
}

/* What nobody wants any more. */
static void throw_away(struct stream *s) {
    ssize_t n = kernel_read(s->fd.fd, loop_scratch(s->loop), LOOP_SCRATCH);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) stream_die(s);
}

static void read_more(struct stream *s) {
    size_t room = s->in.max - s->in.len;
    if (room > LOOP_SCRATCH) room = LOOP_SCRATCH;
    ssize_t n = kernel_read(s->fd.fd, loop_scratch(s->loop), room);
    if (n > 0)
        stream_came(s, (size_t)n);
    else if (n == 0)
        stream_end(s);
    else if (errno != EAGAIN && errno != EINTR)
        stream_fail(s, ERR_NETWORK, errno, "reading from a connection");
}

/* Room again: what waits in the filter wakes nobody by itself. */
static void nudge(struct stream *s) {
    if (s->filter && s->state == STREAM_UP && stream_wants_read(s) && s->filter->ops->plain_out(s->filter).len)
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
    stream_watch(s);
}

void stream_pause(struct stream *s) {
    s->paused = true;
    stream_watch(s);
}

void stream_resume(struct stream *s) {
    s->paused = false;
    stream_watch(s);
    nudge(s);
}

/* --- writing, whichever way --- */

static bool write_out(struct stream *s) {
    s->waiting = false;
    if (!(s->filter ? stream_write_filtered(s) : stream_write_plain(s))) return false;
    if (!s->out_len && s->pull_left && !stream_write_pulled(s)) return false;
    if (!s->out_len)
        stream_drop_out(s); /* an idle stream owns nothing */
    else if (!s->filter || s->filter->ops->state(s->filter) != STREAM_FILTER_SHAKING)
        s->waiting = true;
    return true;
}

/* All is written. */
static void wind_up(struct stream *s) {
    if (!s->linger_ms || s->ended) {
        stream_die(s);
        return;
    }
    s->state = STREAM_LINGERING;
    kernel_shutdown(s->fd.fd, SHUT_WR);
    if (!loop_timer_set(s->loop, &s->timer, loop_now_ms(s->loop) + s->linger_ms)) {
        stream_die(s);
        return;
    }
    stream_watch(s);
}

static bool run_task(struct loop_task *t) {
    struct stream *s = LOOP_OWNER(struct stream, task, t);
    if (s->state == STREAM_DEAD) {
        finish(s);
        return false;
    }
    if (!write_out(s)) return false;
    if (s->waiting)
        stream_watch(s);
    else if (s->state == STREAM_CLOSING && !s->pull_left)
        wind_up(s);
    else if (s->owes_drained && !s->out_len) {
        s->owes_drained = false;
        stream_tell(s, STREAM_DRAINED);
    }
    return false;
}

static void write_ready(struct stream *s) {
    if (!s->waiting || !write_out(s) || s->waiting) return;
    if (s->state == STREAM_CLOSING && !s->pull_left) {
        wind_up(s);
        return;
    }
    stream_watch(s);
    s->owes_drained = false;
    if (!s->filter || s->filter->open_told) stream_tell(s, STREAM_DRAINED);
}

/* --- the descriptor --- */

static void connected(struct stream *s) {
    int os = 0;
    socklen_t len = sizeof os;
    if (kernel_getsockopt(s->fd.fd, SOL_SOCKET, SO_ERROR, &os, &len)) os = errno;
    if (os) {
        stream_fail(s, ERR_NETWORK, os, "connecting");
        return;
    }
    s->state = STREAM_UP;
    if (s->out_len || s->filter) loop_task_queue(s->loop, &s->task, LOOP_WRITE_OUT);
    stream_watch(s);
    if (!s->filter) stream_tell(s, STREAM_OPEN);
}

/* A hang-up comes unasked and again and again. While nobody reads (paused, or full) the stream is parked: not watched, its
 * bytes left where they are, until somebody wants them. */
static void gone(struct stream *s) {
    int os = 0;
    socklen_t len = sizeof os;
    if (kernel_getsockopt(s->fd.fd, SOL_SOCKET, SO_ERROR, &os, &len)) os = 0;
    if (os)
        stream_fail(s, ERR_NETWORK, os, "the peer is gone");
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
    if (what & (LOOP_READ | LOOP_GONE) && stream_wants_read(s)) {
        if (s->wakes) {
            s->wakes = false;
            stream_tell(s, STREAM_DATA);
        } else if (s->state == STREAM_LINGERING)
            throw_away(s);
        else if (s->filter)
            stream_read_filtered(s);
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

size_t stream_peek(const struct stream *s, uint8_t *to, size_t len) {
    ssize_t n = s->state == STREAM_UP ? recv(s->fd.fd, to, len, MSG_PEEK | MSG_DONTWAIT) : 0;
    return n > 0 ? (size_t)n : 0;
}

bool stream_peer(const struct stream *s, struct address *peer) {
    *peer = (struct address){.len = sizeof peer->un};
    return s->state != STREAM_OVER && getpeername(s->fd.fd, &peer->any, &peer->len) == 0;
}

bool stream_unix_peer(const struct stream *s, struct unix_peer *peer, struct err *e) {
    return unix_peer(s->fd.fd, peer, e);
}

uint64_t stream_unheard(const struct stream *s) {
    int n = 0;
    return s->state < STREAM_DEAD && kernel_ioctl(s->fd.fd, TIOCOUTQ, &n) == 0 && n > 0 ? (uint64_t)n : 0;
}

void stream_close(struct stream *s) {
    if (!stream_is_open(s)) return;
    if (s->state == STREAM_CONNECTING) {
        stream_die(s);
        return;
    }
    s->state = STREAM_CLOSING;
    if (!s->out_len && !s->filter && !s->linger_ms)
        stream_die(s);
    else if (!s->waiting) /* what stands in the filter, or the goodbye, leaves before sleeping */
        loop_task_queue(s->loop, &s->task, LOOP_WRITE_OUT);
    stream_watch(s);
}

void stream_linger(struct stream *s, uint32_t linger_ms) {
    if (!stream_is_open(s)) return;
    s->linger_ms = linger_ms;
    stream_close(s);
}

void stream_abort(struct stream *s) {
    stream_die(s);
}

bool stream_deadline(struct stream *s, int64_t at_ms) {
    if (s->state >= STREAM_DEAD) return true;
    s->deadline = at_ms;
    if (!at_ms || (loop_timer_is_set(&s->timer) && s->timer.at_ms <= at_ms)) return true; /* looked at when it rings */
    return loop_timer_set(s->loop, &s->timer, at_ms);
}
