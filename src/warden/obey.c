/* obey.c - see obey.h. */
#include "warden/obey.h"

#include "base/log.h"
#include "base/must.h"

#include <unistd.h>

void obey_error(struct obey *o, uint64_t id, const struct err *e) {
    struct link_frame f = {.kind = LINK_ERROR, .id = id, .value = link_error_value(e)};
    struct err own = ERR_INIT;
    bool sent = link_send(&o->link, &f, &own);
    /* An asker that has left needs no answer: so every ordinary end looks. */
    if (!sent && own.code == ERR_NETWORK)
        log_debug("%s could not answer: %s", o->name, log_text(slice_str(own.text)));
    else if (!sent)
        log_warn("%s could not answer: %s", o->name, log_text(slice_str(own.text)));
    link_frame_release(&f);
}

void obey_result(struct obey *o, uint64_t id, struct val result, int fd) {
    struct link_frame f = {.kind = LINK_RESULT, .id = id, .value = result, .fds = {fd}, .fd_n = fd >= 0};
    struct err e = ERR_INIT;
    bool sent = link_send(&o->link, &f, &e);
    f.fd_n = 0;
    link_frame_release(&f);
    if (!sent) obey_error(o, id, &e);
}

bool obey_progress(struct obey *o, uint64_t id, struct val value, struct err *e) {
    struct link_frame f = {.kind = LINK_PROGRESS, .id = id, .value = value};
    bool sent = link_send(&o->link, &f, e);
    link_frame_release(&f);
    return sent;
}

static bool check(struct obey *o, struct link_frame *f, unsigned *row, struct err *e) {
    if (f->id <= o->last_id) return err_set(e, ERR_INVALID, "%s: ids count up, and this one does not", o->name);
    o->last_id = f->id;
    struct slice name = val_as_text(&f->name);
    const struct verb *v = verb_find(o->rows, o->row_n, name);
    if (!v) return err_set(e, ERR_INVALID, "%s: there is no verb \"%.60s\"", o->name, log_text(name));
    *row = (unsigned)(v - o->rows);
    return !verb_fault(e) && verb_check(v, &f->value, f->fd_n, e);
}

static void request(struct obey *o, struct link_frame *f) {
    struct obey_ask ask = {.id = f->id, .args = &f->value, .frame = f, .fd = -1};
    struct err e = ERR_INIT;
    if (!check(o, f, &ask.row, &e) || !o->act(o, &ask, &e)) {
        val_unref(&ask.result);
        obey_error(o, f->id, &e);
    } else if (!ask.later)
        obey_result(o, f->id, ask.result, ask.fd);
    if (ask.fd >= 0 && !ask.keep_fd) close(ask.fd);
}

static void heard(struct link *l, enum link_event event) {
    struct obey *o = LOOP_OWNER(struct obey, link, l);
    switch (event) {
    case LINK_FRAME:
        if (l->frame.kind == LINK_REQUEST)
            request(o, &l->frame);
        else if (l->frame.kind == LINK_CANCEL) {
            if (o->cancel) o->cancel(o, l->frame.id);
        } else
            log_warn("%s was sent what is no request: kind=%d", o->name, (int)l->frame.kind);
        return;
    case LINK_REFUSED:
        log_warn("%s refuses a frame: %s", o->name, log_text(slice_str(l->err.text)));
        if (l->frame.kind == LINK_REQUEST && l->frame.id > o->last_id) {
            o->last_id = l->frame.id;
            obey_error(o, l->frame.id, &l->err);
        }
        return;
    case LINK_GONE: loop_stop(o->loop, 0); return;
    }
}

bool obey_start(struct obey *o, struct loop *l, int fd, struct err *e) {
    must(o->act && o->name && o->rows);
    o->loop = l;
    o->last_id = 0;
    o->link = (struct link){.call = heard, .name = o->name, .slow = true};
    return link_start(&o->link, l, fd, e);
}

void obey_stop(struct obey *o) {
    link_stop(&o->link);
}
