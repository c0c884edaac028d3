/* stream.c - see stream.h. */
#include "loop/stream.h"

#include "base/must.h"

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
    return s->state == STREAM_UP && !s->ended && !s->paused && s->in.len < s->in.max;
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
    loop_task_remove(&s->out_task);
    loop_task_queue(s->loop, &s->close_task, LOOP_CLOSE);
}

static void fail(struct stream *s, enum err_code code, int os, const char *what) {
    if (s->state >= STREAM_DEAD) return;
    if (os)
        err_os(&s->err, code, os, "%s", what);
    else
        err_set(&s->err, code, "%s", what);
    die(s);
}

static bool finish(struct loop_task *t) {
    struct stream *s = LOOP_OWNER(struct stream, close_task, t);
    close(s->fd.fd);
    s->state = STREAM_OVER;
    s->data = slice_of(NULL, 0);
    buf_release(&s->in);
    drop_out(s);
    s->call(s, STREAM_GONE); /* may free s */
    return false;
}

static void expire(struct loop_timer *t) {
    fail(LOOP_OWNER(struct stream, timer, t), ERR_TIMEOUT, 0, "nothing was heard in time");
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

static void read_more(struct stream *s) {
    size_t room = s->in.max - s->in.len;
    if (room > LOOP_SCRATCH) room = LOOP_SCRATCH;
    uint8_t *to = loop_scratch(s->loop);
    ssize_t n = read(s->fd.fd, to, room);
    if (n < 0) {
        if (errno != EAGAIN && errno != EINTR) fail(s, ERR_NETWORK, errno, "reading from a connection");
        return;
    }
    if (n == 0) {
        s->ended = true;
        tell(s, STREAM_END);
        return;
    }
    s->read_bytes += (uint64_t)n;
    s->data = slice_of(to, (size_t)n);
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

void stream_eat(struct stream *s, size_t n) {
    must(n <= s->data.len);
    s->data = slice_skip(s->data, n);
    if (!s->in_call) settle(s);
}

void stream_pause(struct stream *s) {
    s->paused = true;
    watch(s);
}

void stream_resume(struct stream *s) {
    s->paused = false;
    watch(s);
}

/* --- writing --- */

static bool room_for(struct stream *s, size_t n) {
    return is_open(s) && n <= s->out_max - s->out_len;
}

static void took(struct stream *s, size_t n) {
    s->out_len += n;
    if (!s->waiting && s->state != STREAM_CONNECTING) loop_task_queue(s->loop, &s->out_task, LOOP_WRITE_OUT);
}

bool stream_write(struct stream *s, struct slice bytes) {
    if (!room_for(s, bytes.len)) return false;
    /* Written bytes leave when they are the greater part, or in the way. */
    if (s->own_done && (s->own_done >= s->own.len / 2 || bytes.len > s->own.max - s->own.len)) {
        buf_drop(&s->own, s->own_done);
        s->own_parted -= s->own_parted < s->own_done ? s->own_parted : s->own_done;
        s->own_done = 0;
    }
    if (!buf_add(&s->own, bytes)) {
        s->own.fault = BUF_FINE;
        return false;
    }
    took(s, bytes.len);
    return true;
}

static bool add_part(struct stream *s, struct shared *shared, size_t from, size_t len) {
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
    uint32_t before = s->part_n;
    if ((loose && !add_part(s, NULL, 0, loose)) || !add_part(s, shared, from, len)) {
        s->part_n = before;
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

/* Writes as much as the peer takes. False: the stream is dead. */
static bool write_out(struct stream *s) {
    while (s->out_len) {
        struct iovec v[VECTORS];
        struct msghdr m = {.msg_iov = v, .msg_iovlen = (size_t)gather(s, v)};
        ssize_t n = sendmsg(s->fd.fd, &m, MSG_NOSIGNAL);
        if (n < 0 && errno == ENOTSOCK) n = writev(s->fd.fd, v, (int)m.msg_iovlen);
        s->writes++;
        if (n < 0) {
            if (errno == EINTR) continue;
            if (errno == EAGAIN) break;
            fail(s, ERR_NETWORK, errno, "writing to a connection");
            return false;
        }
        advance(s, (size_t)n);
    }
    if (!s->out_len) drop_out(s); /* an idle stream owns nothing */
    return true;
}

static bool write_task(struct loop_task *t) {
    struct stream *s = LOOP_OWNER(struct stream, out_task, t);
    if (!write_out(s)) return false;
    if (s->out_len) {
        s->waiting = true;
        watch(s);
    } else if (s->state == STREAM_CLOSING)
        die(s);
    return false;
}

static void write_ready(struct stream *s) {
    if (!s->waiting || !write_out(s) || s->out_len) return;
    s->waiting = false;
    if (s->state == STREAM_CLOSING) {
        die(s);
        return;
    }
    watch(s);
    tell(s, STREAM_DRAINED);
}

/* --- the descriptor --- */

static void connected(struct stream *s) {
    int os = 0;
    socklen_t len = sizeof os;
    if (getsockopt(s->fd.fd, SOL_SOCKET, SO_ERROR, &os, &len)) os = errno;
    if (os) {
        fail(s, ERR_NETWORK, os, "connecting");
        return;
    }
    s->state = STREAM_UP;
    if (s->out_len) loop_task_queue(s->loop, &s->out_task, LOOP_WRITE_OUT);
    watch(s);
    tell(s, STREAM_OPEN);
}

/* A hang-up comes unasked and again and again. While nobody reads (paused, or full) the stream is parked: not watched, its
 * bytes left where they are, until somebody wants them. */
static void gone(struct stream *s) {
    int os = 0;
    socklen_t len = sizeof os;
    if (getsockopt(s->fd.fd, SOL_SOCKET, SO_ERROR, &os, &len)) os = 0;
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
    if (what & (LOOP_READ | LOOP_GONE) && wants_read(s))
        read_more(s);
    else if (what & LOOP_GONE)
        gone(s);
    if (what & LOOP_WRITE && s->state < STREAM_DEAD) write_ready(s);
}

bool stream_start(struct stream *s, struct loop *l, int fd, bool connecting, size_t in_max, size_t out_max,
                  struct err *e) {
    must(s->call && s->name);
    *s = (struct stream){.call = s->call, .name = s->name, .loop = l, .out_max = out_max};
    s->err.at = ERR_NOWHERE;
    s->state = connecting ? STREAM_CONNECTING : STREAM_UP;
    s->fd = (struct loop_fd){.call = ready, .name = s->name};
    s->out_task = (struct loop_task)LOOP_TASK(write_task, s->name);
    s->close_task = (struct loop_task)LOOP_TASK(finish, s->name);
    s->timer = (struct loop_timer){.call = expire, .name = s->name};
    buf_init(&s->in, in_max);
    buf_init(&s->own, out_max);
    if (loop_fd_add(l, &s->fd, fd, connecting ? LOOP_WRITE : LOOP_READ, e)) return true;
    close(fd);
    return false;
}

void stream_close(struct stream *s) {
    if (!is_open(s)) return;
    if (s->state == STREAM_CONNECTING || !s->out_len) {
        die(s);
        return;
    }
    s->state = STREAM_CLOSING;
    watch(s);
}

void stream_abort(struct stream *s) {
    die(s);
}

bool stream_deadline(struct stream *s, int64_t at_ms) {
    if (s->state >= STREAM_DEAD) return true;
    if (at_ms) return loop_timer_set(s->loop, &s->timer, at_ms);
    loop_timer_clear(&s->timer);
    return true;
}
