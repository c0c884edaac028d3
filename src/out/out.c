/* out.c - see out.h. Few connections rest at once, so the list is simply walked. */
#include "out/out.h"
#include "base/limits.h"

#include "base/mem.h"
#include "base/must.h"

struct out {
    struct out_config config;
    struct out_counts counts;
    struct conn *newest, *oldest;
};

struct out *out_new(const struct out_config *config, struct err *e) {
    must(config->loop && config->resolver);
    struct out *o = mem_get_zero(sizeof *o);
    if (!o) {
        err_nomem(e, "outgoing requests");
        return NULL;
    }
    o->config = *config;
    if (!o->config.agent) o->config.agent = "startbox/" STARTBOX_VERSION;
    if (!o->config.requests) o->config.requests = LIMIT_OUT_REQUESTS;
    if (!o->config.resting) o->config.resting = LIMIT_OUT_RESTING;
    if (o->config.resting == OUT_NO_REST) o->config.resting = 0;
    if (!o->config.rest_ms) o->config.rest_ms = LIMIT_OUT_REST_MS;
    return o;
}

const struct out_config *out_config(const struct out *o) {
    return &o->config;
}

struct out_counts out_counts(const struct out *o) {
    return o->counts;
}

bool out_enter(struct out *o, struct err *e) {
    if (o->counts.open >= o->config.requests)
        return err_limit(e, "LIMIT_OUT_REQUESTS", o->config.requests, ERR_NOWHERE);
    o->counts.open++;
    return true;
}

void out_left(struct out *o) {
    o->counts.open--;
}
void out_note_dialled(struct out *o) {
    o->counts.dialled++;
}
void out_note_again(struct out *o) {
    o->counts.again++;
}

/* --- resting connections --- */

static void unlist(struct out *o, struct conn *c) {
    *(c->older ? &c->older->newer : &o->oldest) = c->newer;
    *(c->newer ? &c->newer->older : &o->newest) = c->older;
    c->newer = c->older = NULL;
    o->counts.resting--;
}

/* Whatever happens to a resting connection ends it: nothing was asked. */
static void rest_ended(struct conn *c, enum conn_event event) {
    if (event == CONN_DRAINED) return;
    unlist(c->owner, c);
    if (event != CONN_FAILED) conn_drop(c, event == CONN_LATE);
}

static bool same_place(const struct conn_key *a, const struct conn_key *b) {
    return a->port == b->port && a->secure == b->secure && a->proxy == b->proxy && a->tls == b->tls &&
           slice_eq(a->host, b->host);
}

struct conn *out_take(struct out *o, const struct conn_key *key, bool (*allowed)(void *arg, const struct address *a),
                      void *arg) {
    for (struct conn *c = o->newest; c; c = c->older) {
        if (!same_place(&c->key, key) || (allowed && !allowed(arg, &c->peer))) continue;
        unlist(o, c);
        stream_deadline(&c->s, 0);
        o->counts.reused++;
        return c;
    }
    return NULL;
}

static void let_go(struct out *o, struct conn *c) {
    unlist(o, c);
    conn_drop(c, true);
}

void out_rest(struct out *o, struct conn *c, const struct conn_key *key) {
    struct conn *oldest_same = NULL;
    unsigned same = 0;
    if (!o->config.resting || key->host.len >= sizeof c->host ||
        !stream_deadline(&c->s, loop_now_ms(o->config.loop) + o->config.rest_ms)) {
        conn_drop(c, true);
        return;
    }
    for (struct conn *other = o->newest; other; other = other->older) {
        if (!same_place(&other->key, key)) continue;
        oldest_same = other;
        same++;
    }
    if (same >= LIMIT_OUT_RESTING_HOST)
        let_go(o, oldest_same);
    else if (o->counts.resting >= o->config.resting)
        let_go(o, o->oldest);
    memcpy(c->host, key->host.ptr, key->host.len);
    c->key = *key;
    c->key.host = slice_of(c->host, key->host.len);
    c->owner = o;
    c->call = rest_ended;
    c->newer = NULL;
    c->older = o->newest;
    *(o->newest ? &o->newest->newer : &o->oldest) = c;
    o->newest = c;
    o->counts.resting++;
}

void out_forget(struct out *o) {
    while (o->oldest) let_go(o, o->oldest);
}

void out_free(struct out *o) {
    if (!o) return;
    must(!o->counts.open);
    out_forget(o);
    mem_put(o, sizeof *o);
}
