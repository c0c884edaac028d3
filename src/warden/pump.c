/* pump.c - see pump.h.
 *
 *     ASKING    the disk hand was asked; writing: it reads back what is there
 *     READING   bytes come
 *     WRITING   bytes are fed
 *     SEALING   all are fed, and how many was said
 *     OVER      nothing is called any more
 *
 * What has life of its own (calls, the stream) lives in a room on the heap, which goes when the stream is closed. */
#include "warden/pump.h"

#include "base/mem.h"
#include "base/must.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define FULL LOOP_SCRATCH /* bytes waiting for the disk from which on a feeder is told to wait */

enum pump_state { PUMP_ASKING, PUMP_READING, PUMP_WRITING, PUMP_SEALING, PUMP_OVER };

struct pump_room {
    struct pump *pump; /* NULL: OVER */
    struct loop *loop;
    enum pump_state state;
    struct call call, seal;
    struct stream stream;
    bool stream_up;     /* until it is gone */
    bool lent;          /* others take the bytes out of the pipe */
    bool full;          /* the feeder waits for PUMP_DRAINED */
    uint64_t from, len; /* asked for; READING: len is how many bytes will come */
    uint64_t number;    /* of the push */
    struct err err;
    struct loop_task tell; /* DONE, or FAILED when err says something, from the loop */
    struct loop_task bye;
};

/* --- ending --- */

static bool say_bye(struct loop_task *t) {
    struct pump_room *r = LOOP_OWNER(struct pump_room, bye, t);
    mem_put(r, sizeof *r);
    return false;
}

/* Nobody is told anything any more. */
static void retire(struct pump_room *r) {
    r->pump->room = NULL;
    r->pump = NULL;
    r->state = PUMP_OVER;
    loop_task_remove(&r->tell);
    call_cancel(&r->call);
    call_cancel(&r->seal);
    if (r->stream_up)
        stream_abort(&r->stream);
    else
        loop_task_queue(r->loop, &r->bye, LOOP_CLOSE);
}

void pump_stop(struct pump *p) {
    if (p->room) retire(p->room);
}

static void succeed(struct pump_room *r) {
    struct pump *p = r->pump;
    retire(r);
    p->call(p, PUMP_DONE);
}

static void fail(struct pump_room *r, const struct err *e) {
    struct pump *p = r->pump;
    p->err = *e;
    retire(r);
    p->call(p, PUMP_FAILED);
}

static bool tell_end(struct loop_task *t) {
    struct pump_room *r = LOOP_OWNER(struct pump_room, tell, t);
    if (r->err.code)
        fail(r, &r->err);
    else
        succeed(r);
    return false;
}

/* From inside a function of the pump: it is told from the loop. */
static void end_later(struct pump_room *r, const struct err *e) {
    if (r->err.code) return;
    if (e) r->err = *e;
    loop_task_queue(r->loop, &r->tell, LOOP_LATER);
}

static void fail_short(struct pump_room *r) {
    struct err e = ERR_INIT;
    err_set(&e, ERR_FILESYSTEM, "the file could not be read to its end: %llu of %llu bytes came (the log says why)",
            (unsigned long long)r->pump->moved, (unsigned long long)r->len);
    fail(r, &e);
}

/* --- reading --- */

static void read_event(struct pump_room *r, enum stream_event event) {
    struct pump *p = r->pump;
    struct err e = ERR_INIT;
    switch (event) {
    case STREAM_DATA:
        if (r->lent) {
            p->call(p, PUMP_DATA);
            return;
        }
        p->moved = r->stream.read_bytes;
        if (p->moved > r->len) {
            fail_short(r); /* the hand is mad */
            return;
        }
        p->call(p, PUMP_DATA);
        return;
    case STREAM_END:
        if (p->moved < r->len)
            fail_short(r);
        else if (!stream_data(&r->stream).len)
            succeed(r);
        return;
    case STREAM_GONE:
        stream_error(&r->stream, &e);
        if (r->stream.why.code)
            fail(r, &e);
        else
            fail_short(r);
        return;
    case STREAM_OPEN:
    case STREAM_DRAINED:
    case STREAM_LATE: return;
    }
}

struct slice pump_data(const struct pump *p) {
    return p->room && p->room->state == PUMP_READING ? stream_data(&p->room->stream) : slice_of(NULL, 0);
}

void pump_eat(struct pump *p, size_t n) {
    struct pump_room *r = p->room;
    if (n == 0 || !r) return;
    must(r->state == PUMP_READING);
    stream_eat(&r->stream, n);
    if (p->moved == r->len && !stream_data(&r->stream).len) end_later(r, NULL);
}

int pump_lend(struct pump *p) {
    struct pump_room *r = p->room;
    if (!r) return -1;
    must(r->state == PUMP_READING && p->moved == 0);
    r->lent = true;
    stream_pause(&r->stream);
    return r->stream.fd.fd;
}

void pump_gave(struct pump *p, uint64_t n) {
    struct pump_room *r = p->room;
    if (!r || !n) return;
    must(r->lent && n <= r->len - p->moved);
    p->moved += n;
    if (p->moved == r->len) end_later(r, NULL);
}

void pump_wake(struct pump *p) {
    if (p->room && p->room->lent) stream_wake(&p->room->stream);
}

/* --- writing --- */

static void write_event(struct pump_room *r, enum stream_event event) {
    /* When the hand closes its end, the answer says why. */
    if (event != STREAM_DRAINED || !r->full) return;
    r->full = false;
    if (r->state == PUMP_WRITING) r->pump->call(r->pump, PUMP_DRAINED);
}

bool pump_feed(struct pump *p, struct slice bytes) {
    struct pump_room *r = p->room;
    must(!r || (r->state == PUMP_WRITING && bytes.len <= PUMP_PIECE));
    if (!r || !r->stream_up || r->err.code) return false; /* the answer, or the loop, says why */
    if (!stream_write(&r->stream, bytes)) {
        struct err e = ERR_INIT;
        if (r->stream.state == STREAM_UP) {
            err_nomem(&e, "bytes on their way to the disk");
            end_later(r, &e);
        }
        return false;
    }
    p->moved += bytes.len;
    if (stream_pending(&r->stream) < FULL) return true;
    r->full = true;
    stream_owe_drained(&r->stream);
    return false;
}

static void sealed(struct call *c, struct call_answer *a) {
    struct pump_room *r = LOOP_OWNER(struct pump_room, seal, c);
    if (a->err.code) fail(r, &a->err);
}

void pump_finish(struct pump *p) {
    struct pump_room *r = p->room;
    if (!r) return;
    must(r->state == PUMP_WRITING);
    struct err e = ERR_INIT;
    struct port *port = call_port(&r->call);
    r->state = PUMP_SEALING;
    if (!port || r->err.code) return; /* the call is about to be answered, or the end to be told */
    r->seal.done = sealed;
    struct val args = VAL_MAP_OF({"push", val_of_u64(r->number)}, {"size", val_of_u64(r->from + p->moved)});
    if (!call_start(&r->seal, port, "disk.seal", args, NULL, 0, 0, &e)) end_later(r, &e);
}

/* --- the stream --- */

static void heard(struct stream *s, enum stream_event event) {
    struct pump_room *r = LOOP_OWNER(struct pump_room, stream, s);
    if (event == STREAM_GONE) r->stream_up = false;
    switch (r->state) {
    case PUMP_READING: read_event(r, event); break;
    case PUMP_ASKING:
    case PUMP_WRITING:
    case PUMP_SEALING: write_event(r, event); break;
    case PUMP_OVER:
        if (event == STREAM_GONE) mem_put(r, sizeof *r);
        break;
    }
}

/* Takes the descriptor. */
static bool start_stream(struct pump_room *r, int fd, size_t in_max, size_t out_max, struct err *e) {
    r->stream = (struct stream){.call = heard, .name = r->pump->name};
    r->stream_up = stream_start(&r->stream, r->loop, fd, false, in_max, out_max, e);
    return r->stream_up;
}

/* --- answers --- */

static bool read_file(const struct val *v, struct pump_file *f) {
    const struct val *folder = val_get(v, LIT("folder"));
    f->folder = val_is_true(folder);
    return val_as_u64(val_get(v, LIT("size")), &f->size) && val_as_i64(val_get(v, LIT("mtime_ns")), &f->mtime_ns) &&
           val_as_u64(val_get(v, LIT("id")), &f->id) && val_kind(folder) == VAL_BOOL;
}

/* How many bytes will come, of what was asked. */
static uint64_t expected(const struct pump_room *r, const struct pump_file *f) {
    uint64_t left = f->folder || r->from >= f->size ? 0 : f->size - r->from;
    return r->len < left ? r->len : left;
}

static void pulled(struct call *c, struct call_answer *a) {
    struct pump_room *r = LOOP_OWNER(struct pump_room, call, c);
    struct pump *p = r->pump;
    struct err e = a->err;
    if (!e.code && (!a->fd_n || !read_file(&a->result, &p->file)))
        err_set(&e, ERR_SYNTAX, "the disk hand gave an answer that is none");
    if (!e.code) {
        r->len = expected(r, &p->file);
        start_stream(r, call_answer_take_fd(a, 0), LOOP_SCRATCH, 0, &e);
    }
    if (e.code) {
        fail(r, &e);
        return;
    }
    r->state = PUMP_READING;
    p->call(p, PUMP_OPEN); /* even without a byte the end of the pipe comes by the loop */
}

static void push_progress(struct call *c, const struct val *value) {
    struct pump_room *r = LOOP_OWNER(struct pump_room, call, c);
    uint64_t size;
    if (r->state != PUMP_ASKING || !val_as_u64(val_get(value, LIT("push")), &r->number) ||
        !val_as_u64(val_get(value, LIT("size")), &size))
        return; /* how much was read back */
    r->state = PUMP_WRITING;
    r->pump->file = (struct pump_file){.size = size};
    r->pump->call(r->pump, PUMP_OPEN);
}

static void pushed(struct call *c, struct call_answer *a) {
    struct pump_room *r = LOOP_OWNER(struct pump_room, call, c);
    struct pump *p = r->pump;
    struct slice sum = val_as_bytes(val_get(&a->result, LIT("sum")));
    uint64_t size = 0;
    struct err e = a->err;
    if (!e.code && (r->state != PUMP_SEALING || sum.len != PUMP_SUM ||
                    !val_as_u64(val_get(&a->result, LIT("size")), &size) || size != r->from + p->moved))
        err_set(&e, ERR_SYNTAX, "the disk hand gave an answer that is none");
    if (e.code) {
        fail(r, &e);
        return;
    }
    memcpy(p->sum, sum.ptr, PUMP_SUM);
    p->file.size = size;
    succeed(r);
}

/* --- beginning --- */

static struct pump_room *make_room(struct pump *p, struct loop *l, uint64_t from, struct err *e) {
    must(p->call && p->name);
    struct pump_room *r = mem_get_zero(sizeof *r);
    if (!r) {
        err_nomem(e, "a pump");
        return NULL;
    }
    r->pump = p;
    r->loop = l;
    r->from = from;
    r->tell = (struct loop_task)LOOP_TASK(tell_end, p->name);
    r->bye = (struct loop_task)LOOP_TASK(say_bye, p->name);
    r->err.at = ERR_NOWHERE;
    p->err = (struct err)ERR_INIT;
    p->file = (struct pump_file){0};
    p->moved = 0;
    memset(p->sum, 0, sizeof p->sum);
    return r;
}

bool pump_read(struct pump *p, struct loop *l, struct port *disk, const char *root, struct slice path, uint64_t from,
               uint64_t len, struct err *e) {
    struct pump_room *r = make_room(p, l, from, e);
    if (!r) return false;
    r->len = len;
    r->call.done = pulled;
    struct val args = VAL_MAP_OF({"root", val_of_str(root)}, {"path", val_of_text(path)}, {"from", val_of_u64(from)},
                                 {"len", val_of_u64(len)});
    if (call_start(&r->call, disk, "disk.pull", args, NULL, 0, 0, e)) {
        p->room = r;
        return true;
    }
    mem_put(r, sizeof *r);
    return false;
}

bool pump_write(struct pump *p, struct loop *l, struct port *disk, const char *root, struct slice path, uint64_t from,
                uint64_t quota, struct err *e) {
    int ends[2];
    struct pump_room *r = make_room(p, l, from, e);
    if (!r) return false;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends)) {
        err_os(e, ERR_UNKNOWN, errno, "making a way to the disk hand");
        mem_put(r, sizeof *r);
        return false;
    }
    r->call.done = pushed;
    r->call.progress = push_progress;
    struct val args = VAL_MAP_OF({"root", val_of_str(root)}, {"path", val_of_text(path)}, {"from", val_of_u64(from)},
                                 {"quota", val_of_u64(quota)}, {"replace", val_of_bool(true)});
    bool good = call_start(&r->call, disk, "disk.push", args, &ends[1], 1, 0, e);
    close(ends[1]);
    if (!good) {
        close(ends[0]);
        mem_put(r, sizeof *r);
        return false;
    }
    if (!start_stream(r, ends[0], 1, PUMP_PIECE + FULL, e)) {
        call_cancel(&r->call);
        mem_put(r, sizeof *r);
        return false;
    }
    p->room = r;
    return true;
}
