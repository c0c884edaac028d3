/* conn.c - see conn.h. */
#include "out/conn.h"

#include "base/mem.h"

#include <unistd.h>

#define IN_MAX     ((size_t)64 << 10)
#define OUT_MAX    ((size_t)192 << 10)
#define GOODBYE_MS 5000 /* for what was written to leave when it is closed */

static void fail(struct conn *c) {
    void (*call)(struct conn *, enum conn_event) = c->call;
    c->call = NULL;
    if (call) call(c, CONN_FAILED);
    mem_put(c, sizeof *c);
}

static void heard(struct stream *s, enum stream_event event) {
    struct conn *c = LOOP_OWNER(struct conn, s, s);
    enum conn_event as = CONN_DATA;
    switch (event) {
    case STREAM_OPEN: as = CONN_SECURE; break;
    case STREAM_DATA: as = CONN_DATA; break;
    case STREAM_END: as = CONN_END; break;
    case STREAM_DRAINED: as = CONN_DRAINED; break;
    case STREAM_LATE: as = CONN_LATE; break;
    case STREAM_GONE:
        c->up = false;
        stream_error(s, &c->err);
        fail(c);
        return;
    }
    if (c->call) c->call(c, as);
}

static void dialled(struct dial *d, int fd, const struct address *peer, const struct err *e) {
    struct conn *c = LOOP_OWNER(struct conn, dial, d);
    if (fd < 0) {
        c->err = *e;
        fail(c);
        return;
    }
    c->peer = *peer;
    c->s = (struct stream){.call = heard, .name = "outgoing connection"};
    c->up = stream_start(&c->s, c->loop, fd, false, IN_MAX, OUT_MAX, &c->err);
    if (!c->up)
        fail(c);
    else
        c->call(c, CONN_OPEN);
}

struct conn *conn_new(struct loop *l, void *owner, void (*call)(struct conn *c, enum conn_event event), struct err *e) {
    struct conn *c = mem_get_zero(sizeof *c);
    if (!c) {
        err_nomem(e, "a connection");
        return NULL;
    }
    c->call = call;
    c->owner = owner;
    c->loop = l;
    c->err = (struct err)ERR_INIT;
    return c;
}

void conn_dial(struct conn *c, struct resolver *r, struct slice host, uint16_t port,
               bool (*allowed)(void *arg, const struct address *a), void *arg, int64_t deadline_at) {
    c->dial = (struct dial){.done = dialled, .allowed = allowed, .arg = arg};
    dial_start(&c->dial, c->loop, r, host, port, deadline_at);
}

bool conn_secure(struct conn *c, struct tls_client *tls, struct slice host, const char *protocol, struct err *e) {
    struct stream_filter *f = tls_connect(tls, host, protocol, e);
    if (f) stream_filter(&c->s, f);
    return f != NULL;
}

void conn_drop(struct conn *c, bool polite) {
    c->call = NULL;
    if (!c->up) {
        dial_cancel(&c->dial);
        mem_put(c, sizeof *c);
        return;
    }
    if (polite && stream_deadline(&c->s, loop_now_ms(c->loop) + GOODBYE_MS))
        stream_close(&c->s);
    else
        stream_abort(&c->s);
}
