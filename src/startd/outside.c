/* outside.c - the daemon's way out: names, roots of trust and connections for requests and mail. Made when it is first wanted, since
 * most boxes hardly ever ask anybody: the roots are some 200 KB of text. */
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "startd/room.h"

#define ROOTS "ca-certificates.crt"

struct outside_wait {
    struct outside_wait *next;
    void (*ready)(void *who, struct out *out, const struct err *e);
    void *who;
};

static void tell_all(struct daemon *d, const struct err *e) {
    struct outside *o = &d->outside;
    struct outside_wait *w;
    while ((w = o->waiting)) {
        o->waiting = w->next;
        w->ready(w->who, o->out, e);
        mem_put(w, sizeof *w);
    }
}

/* Without roots nothing goes by TLS; a mail server of the house may do without. */
static void open_out(struct daemon *d) {
    struct outside *o = &d->outside;
    struct err e = ERR_INIT;
    const struct tls_trust trust = {.roots = buf_slice(&o->roots), .clock_trusted = d->clock_trusted};
    if (o->roots.len && !(o->tls = tls_client_new(d->loop, &trust, &e)))
        log_warn("no TLS to other servers: %s", e.text);
    buf_release(&o->roots);
    e = (struct err)ERR_INIT;
    const struct out_config config = {.loop = d->loop, .resolver = o->resolver, .tls = o->tls};
    o->out = out_new(&config, &e);
    tell_all(d, o->out ? NULL : &e);
}

static bool ask_piece(struct daemon *d) {
    struct val args = VAL_MAP_OF({"root", val_of_str("certs")}, {"path", val_of_str(ROOTS)},
                                 {"most", val_of_u64(LIMIT_DISK_BYTES)}, {"at", val_of_u64(d->outside.roots.len)});
    return call_start(&d->outside.call, &d->disk, "disk.read", args, NULL, 0, 0, NULL);
}

static void got_piece(struct call *c, struct call_answer *a) {
    struct daemon *d = LOOP_OWNER(struct daemon, outside.call, c);
    struct slice piece = val_as_bytes(val_get(&a->result, LIT("bytes")));
    bool good = a->err.code == ERR_NONE && buf_add(&d->outside.roots, piece);
    if (!good) {
        log_warn("the roots of trust cannot be read: %s", a->err.code == ERR_NONE ? "they are too long" : a->err.text);
        buf_release(&d->outside.roots);
    }
    if (!good || piece.len < LIMIT_DISK_BYTES || !ask_piece(d)) open_out(d);
}

void outside_ask(void *daemon, void (*ready)(void *who, struct out *out, const struct err *e), void *who) {
    struct daemon *d = daemon;
    struct outside *o = &d->outside;
    struct err e = ERR_INIT;
    if (o->out) {
        ready(who, o->out, NULL);
        return;
    }
    struct outside_wait *w = mem_get(sizeof *w);
    if (!w) {
        err_nomem(&e, "a request");
        ready(who, NULL, &e);
        return;
    }
    *w = (struct outside_wait){.next = o->waiting, .ready = ready, .who = who};
    o->waiting = w;
    if (call_is_open(&o->call)) return;
    o->call = (struct call){.done = got_piece};
    if (!d->options->certs || !ask_piece(d)) open_out(d);
}

void outside_forget(void *daemon, void *who) {
    struct daemon *d = daemon;
    for (struct outside_wait **at = &d->outside.waiting; *at; at = &(*at)->next) {
        struct outside_wait *w = *at;
        if (w->who != who) continue;
        *at = w->next;
        mem_put(w, sizeof *w);
        return;
    }
}

/* What can only be read before the process is sealed. */
bool outside_init(struct daemon *d, struct err *e) {
    struct buf conf, hosts;
    buf_init(&conf, LIMIT_RESOLV_BYTES + 1);
    buf_init(&hosts, LIMIT_HOSTS_BYTES + 1);
    file_read_path("/etc/resolv.conf", LIMIT_RESOLV_BYTES, &conf, NULL);
    file_read_path("/etc/hosts", LIMIT_HOSTS_BYTES, &hosts, NULL);
    const struct resolver_config names = {.resolv_conf = buf_slice(&conf), .hosts = buf_slice(&hosts)};
    d->outside.resolver = resolver_new(d->loop, &names, e);
    buf_release(&conf);
    buf_release(&hosts);
    buf_init(&d->outside.roots, LIMIT_TLS_ROOTS_TEXT);
    return d->outside.resolver != NULL;
}

void outside_release(struct daemon *d) {
    struct outside *o = &d->outside;
    call_cancel(&o->call);
    buf_release(&o->roots);
    out_free(o->out);
    resolver_free(o->resolver);
    tls_client_free(o->tls);
}
