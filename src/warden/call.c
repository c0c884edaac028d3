/* call.c - see call.h. Open calls stand in chains by their id: ids count up, so the chains stay even. */
#include "warden/call.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"

#include <unistd.h>

#define CHAINS 256

struct port_room {
    struct port *port; /* NULL: stopped, or gone */
    struct loop *loop;
    struct loop_task end;
    struct err why; /* what open calls are answered with at the end */
    uint64_t last_id;
    unsigned open;
    struct call *first[CHAINS], *last[CHAINS];
};

/* --- which calls are open --- */

static void add_call(struct port_room *r, struct call *c) {
    unsigned i = c->id % CHAINS;
    c->room = r;
    c->next = NULL;
    c->prev = r->last[i];
    if (c->prev)
        c->prev->next = c;
    else
        r->first[i] = c;
    r->last[i] = c;
    r->open++;
}

static void remove_call(struct call *c) {
    struct port_room *r = c->room;
    unsigned i = c->id % CHAINS;
    if (c->prev)
        c->prev->next = c->next;
    else
        r->first[i] = c->next;
    if (c->next)
        c->next->prev = c->prev;
    else
        r->last[i] = c->prev;
    r->open--;
    c->room = NULL;
}

static struct call *find_call(const struct port_room *r, uint64_t id) {
    struct call *c = r->first[id % CHAINS];
    while (c && c->id != id) c = c->next;
    return c;
}

/* --- answering --- */

static void release_answer(struct call_answer *a) {
    val_unref(&a->result);
    for (unsigned i = 0; i < a->fd_n; i++)
        if (a->fds[i] >= 0) close(a->fds[i]);
}

static void answer(struct call *c, struct call_answer *a) {
    remove_call(c);
    c->done(c, a); /* may free c */
    release_answer(a);
}

static void answer_error(struct call *c, const struct err *e) {
    struct call_answer a = {.err = *e};
    answer(c, &a);
}

/* Everything that is still open ends, then the room. */
static bool end_all(struct loop_task *t) {
    struct port_room *r = LOOP_OWNER(struct port_room, end, t);
    for (unsigned i = 0; i < CHAINS; i++)
        while (r->first[i]) answer_error(r->first[i], &r->why);
    struct port *p = r->port;
    if (p) p->room = NULL;
    loop_task_remove(&r->end); /* the port may have been stopped inside */
    mem_put(r, sizeof *r);
    if (p && p->gone) p->gone(p); /* may free p */
    return false;
}

/* --- what comes --- */

static void take_frame(struct port *p, struct call *c, struct link_frame *f) {
    struct call_answer a = {.err = ERR_INIT};
    switch (f->kind) {
    case LINK_RESULT:
        a.result = f->value;
        f->value = val_none;
        memcpy(a.fds, f->fds, sizeof a.fds);
        a.fd_n = f->fd_n;
        f->fd_n = 0;
        answer(c, &a);
        return;
    case LINK_ERROR:
        link_error_read(&f->value, &a.err);
        answer(c, &a);
        return;
    case LINK_PROGRESS:
        if (c->progress) c->progress(c, &f->value);
        return;
    case LINK_LOG:
        if (c->line)
            c->line(c, val_as_text(&f->value));
        else
            log_note("%s says: %s", p->name, log_text(val_as_text(&f->value)));
        return;
    case LINK_REQUEST:
    case LINK_CANCEL:
    case LINK_NOTICE: return; /* none of them belongs to a call */
    }
}

static void take(struct port *p) {
    struct link_frame f = p->link.frame; /* ours from here on: the callbacks may stop the port */
    p->link.frame = (struct link_frame){0};
    if (f.kind == LINK_NOTICE) {
        if (p->notice) p->notice(p, val_as_text(&f.name), &f.value, &f);
    } else if (f.kind == LINK_REQUEST || f.kind == LINK_CANCEL)
        log_warn("%s asks where it has to answer", p->name);
    else {
        struct call *c = find_call(p->room, f.id);
        if (c) take_frame(p, c, &f);
    }
    link_frame_release(&f);
}

static void tell_cancelled(struct port_room *r, uint64_t id) {
    struct link_frame f = {.kind = LINK_CANCEL, .id = id};
    /* Where it cannot be sent the other end is gone, or so slow that the answer is dropped when it comes. */
    if (r->port && port_up(r->port)) link_send(&r->port->link, &f, NULL);
}

/* What came for a call and cannot be read ends it: an answer will not come twice, and nobody knows what a progress
 * meant. */
static void refused(struct port *p) {
    log_warn("%s sent a frame that cannot be read: %s", p->name, log_text(slice_str(p->link.err.text)));
    enum link_kind kind = p->link.frame.kind;
    bool ends = kind == LINK_RESULT || kind == LINK_ERROR || kind == LINK_PROGRESS;
    struct call *c = ends ? find_call(p->room, p->link.frame.id) : NULL;
    if (!c) return;
    struct err e = p->link.err;
    err_context(&e, "what %s sent cannot be read", p->name);
    if (kind == LINK_PROGRESS) tell_cancelled(p->room, c->id);
    answer_error(c, &e);
}

static void heard(struct link *l, enum link_event event) {
    struct port *p = LOOP_OWNER(struct port, link, l);
    switch (event) {
    case LINK_FRAME: take(p); break;
    case LINK_REFUSED: refused(p); break;
    case LINK_GONE:
        p->room->why = l->err;
        loop_task_queue(p->room->loop, &p->room->end, LOOP_ANSWER);
        break;
    }
}

/* --- the port --- */

bool port_start(struct port *p, struct loop *l, int fd, struct err *e) {
    must(p->name);
    p->room = mem_get_zero(sizeof *p->room);
    if (!p->room) {
        close(fd);
        return err_nomem(e, "a link");
    }
    *p->room = (struct port_room){.port = p, .loop = l, .end = LOOP_TASK(end_all, p->name)};
    p->link = (struct link){.call = heard, .name = p->name};
    if (link_start(&p->link, l, fd, e)) return true;
    mem_put(p->room, sizeof *p->room);
    p->room = NULL;
    return false;
}

void port_stop(struct port *p) {
    struct port_room *r = p->room;
    if (!r) return;
    if (port_up(p)) err_set(&r->why, ERR_CANCELLED, "%s: the link was closed", p->name);
    link_stop(&p->link);
    p->room = NULL;
    r->port = NULL;
    loop_task_queue(r->loop, &r->end, LOOP_ANSWER);
}

/* --- a call --- */

static bool send_request(struct port *p, struct link_frame *f, struct err *e) {
    struct port_room *r = p->room;
    if (r->open >= LIMIT_LINK_CALLS) return err_limit(e, "calls", LIMIT_LINK_CALLS, ERR_NOWHERE);
    if (r->last_id == LINK_ID_MAX) return err_set(e, ERR_LIMIT, "%s: every id was used", p->name);
    f->id = r->last_id + 1;
    if (!link_send(&p->link, f, e)) return false;
    r->last_id++;
    return true;
}

bool call_start(struct call *c, struct port *p, const char *verb, struct val args, const int *fds, unsigned fd_n,
                uint64_t most_ms, struct err *e) {
    must(c->done && !c->room && fd_n <= LIMIT_LINK_FDS);
    if (!p->room || !port_up(p)) {
        val_unref(&args);
        return err_set(e, ERR_NETWORK, "%s: the other end is gone", p->name ? p->name : "a link");
    }
    struct link_frame f = {
        .kind = LINK_REQUEST, .name = val_of_str(verb), .value = args, .most_ms = most_ms, .fd_n = fd_n};
    if (fd_n) memcpy(f.fds, fds, fd_n * sizeof *fds);
    bool good = send_request(p, &f, e);
    if (good) {
        c->id = f.id;
        add_call(p->room, c);
    }
    val_unref(&f.name);
    val_unref(&f.value);
    return good;
}

struct port *call_port(const struct call *c) {
    return c->room ? c->room->port : NULL;
}

void call_cancel(struct call *c) {
    struct port_room *r = c->room;
    if (!r) return;
    remove_call(c);
    tell_cancelled(r, c->id);
}
