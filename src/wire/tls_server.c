/* tls_server.c - the server side of TLS: one context set up once and copied for each connection, its certificates, and the
 * sessions it remembers.
 *
 * Owns: what tls.h says a server owns. A filter is one small block until its peer has said hello, then a BearSSL context and an
 *       input buffer join it.
 * Never: hands out a copy of the context without fresh randomness (tls_filter_engine).
 * Sessions: BearSSL's LRU. What it is asked for is not the session's id but a hash of the id, the host name, and the eight hours
 *       it was made in: so a session serves only the name it was made for, and for 16 to 24 hours (RFC 5246 F.1.4).
 * Tried: tests/wire/tls, tests/wire/tls_trust. */
#include "base/limits.h"
#include "wire/tls_identity.h"

#include "base/ascii.h"

#define SESSION_BYTES  100
#define SESSION_AGE_MS ((int64_t)8 * 3600 * 1000) /* of one age */
#define SESSION_AGES   3                          /* that count */

struct sessions {
    const br_ssl_session_cache_class *vtable;
    struct tls_server *server;
    br_ssl_session_cache_lru lru;
    uint8_t *store;
    size_t store_len;
};

struct tls_server {
    struct tls_side side;
    unsigned most;
    const char *const *protocols;
    struct tls_identities *identities;
    struct sessions sessions;
    br_ssl_server_context model; /* what every connection's context is a copy of */
};

struct server_filter {
    struct tls_filter t;
    struct tls_server *server;
    struct tls_identities *identities; /* until the handshake is done */
    struct tls_context *context;
};

/* What exists once the peer has said hello. */
struct tls_context {
    br_ssl_server_context ctx;
    struct tls_policy policy;
    struct server_filter *owner;
    uint64_t secret; /* the master secret's first bytes while it was not computed yet */
};

static struct server_filter *server_of(const struct tls_filter *t) {
    return LOOP_OWNER(struct server_filter, t, (uintptr_t)t);
}

/* --- sessions --- */

/* The id a session is kept under. */
static void derive_id(unsigned char id[32], const unsigned char *from, struct slice name, int64_t age) {
    br_sha256_context h;
    unsigned char big[8], lower;
    for (int i = 0; i < 8; i++) big[i] = (unsigned char)((uint64_t)age >> (56 - 8 * i));
    br_sha256_init(&h);
    br_sha256_update(&h, big, sizeof big);
    br_sha256_update(&h, from, 32);
    for (size_t i = 0; i < name.len; i++) {
        lower = ascii_lower(name.ptr[i]);
        br_sha256_update(&h, &lower, 1);
    }
    br_sha256_out(&h, id);
}

static void save_session(const br_ssl_session_cache_class **me, br_ssl_server_context *ctx,
                         const br_ssl_session_parameters *params) {
    struct sessions *s = LOOP_OWNER(struct sessions, vtable, me);
    br_ssl_session_parameters p = *params;
    int64_t age = loop_now_ms(s->server->side.loop) / SESSION_AGE_MS;
    derive_id(p.session_id, params->session_id, slice_str(br_ssl_engine_get_server_name(&ctx->eng)), age);
    s->lru.vtable->save(&s->lru.vtable, ctx, &p);
    tls_wipe(&p, sizeof p);
}

/* Called before BearSSL has read the host name; but we have. */
static int load_session(const br_ssl_session_cache_class **me, br_ssl_server_context *ctx,
                        br_ssl_session_parameters *params) {
    struct sessions *s = LOOP_OWNER(struct sessions, vtable, me);
    struct server_filter *sf = LOOP_OWNER(struct tls_context, ctx, ctx)->owner;
    int64_t now = loop_now_ms(s->server->side.loop) / SESSION_AGE_MS;
    br_ssl_session_parameters p = *params;
    bool found = false;
    for (int64_t age = now; !found && age > now - SESSION_AGES; age--) {
        derive_id(p.session_id, params->session_id, sf->t.hello.name, age);
        found = s->lru.vtable->load(&s->lru.vtable, ctx, &p);
    }
    if (found) {
        params->version = p.version;
        params->cipher_suite = p.cipher_suite;
        memcpy(params->master_secret, p.master_secret, sizeof p.master_secret);
    }
    tls_wipe(&p, sizeof p);
    return found;
}

static bool make_sessions(struct tls_server *s, unsigned n, struct err *e) {
    static const br_ssl_session_cache_class class = {sizeof(struct sessions), save_session, load_session};
    s->sessions = (struct sessions){.vtable = &class, .server = s};
    if (n == TLS_NO_SESSIONS) return true;
    if (!n) n = LIMIT_TLS_SESSIONS;
    if (n > LIMIT_TLS_SESSIONS_MOST)
        return err_limit(e, "LIMIT_TLS_SESSIONS_MOST", LIMIT_TLS_SESSIONS_MOST, ERR_NOWHERE);
    s->sessions.store_len = (size_t)n * SESSION_BYTES;
    s->sessions.store = mem_get(s->sessions.store_len);
    if (!s->sessions.store) return err_nomem(e, "TLS sessions");
    br_ssl_session_cache_lru_init(&s->sessions.lru, s->sessions.store, s->sessions.store_len);
    br_ssl_server_set_cache(&s->model, &s->sessions.vtable);
    return true;
}

/* --- a connection --- */

static const char *const *tell_protocols(const struct tls_filter *t) {
    return server_of(t)->server->protocols;
}

static bool begin(struct tls_filter *t) {
    struct server_filter *sf = server_of(t);
    struct tls_context *c = mem_get(sizeof *c);
    if (!c) return false;
    c->ctx = sf->server->model;
    c->owner = sf;
    sf->context = c;
    tls_policy_init(&c->policy, sf->identities);
    if (!tls_filter_engine(t, &c->ctx.eng)) return false;
    br_ssl_server_set_policy(&c->ctx, &c->policy.vtable);
    if (!br_ssl_server_reset(&c->ctx)) return false;
    c->secret = tls_filter_secret(t);
    return true;
}

/* A full handshake has two expensive steps: making and signing our half of a key, and computing the key. A resumed one has none. */
static bool has_worked(struct tls_filter *t) {
    struct tls_context *c = server_of(t)->context;
    uint64_t secret = tls_filter_secret(t);
    if (c->policy.signed_now) {
        c->policy.signed_now = false;
        c->secret = secret;
        return true;
    }
    if (c->policy.chosen && secret == c->secret) return false;
    t->spent = true;
    return c->policy.chosen != NULL;
}

static void drop_identities(struct server_filter *sf) {
    if (sf->context) {
        tls_identities_unref(sf->context->policy.set);
        sf->context->policy.set = NULL;
        sf->context->policy.chosen = NULL;
    }
    tls_identities_unref(sf->identities);
    sf->identities = NULL;
}

static void stand(struct tls_filter *t) {
    t->resumed = !server_of(t)->context->policy.chosen;
    drop_identities(server_of(t));
}

static void free_filter(struct tls_filter *t) {
    struct server_filter *sf = server_of(t);
    drop_identities(sf);
    if (sf->context) tls_wipe(sf->context, sizeof *sf->context);
    mem_put(sf->context, sizeof *sf->context);
    mem_put(sf, sizeof *sf);
}

static const struct tls_role role = {
    .protocols = tell_protocols,
    .begin = begin,
    .worked = has_worked,
    .up = stand,
    .free = free_filter,
};

struct stream_filter *tls_accept(struct tls_server *s, struct err *e) {
    if (!s->identities) {
        err_set(e, ERR_INVALID, "the TLS server has no certificate yet");
        return NULL;
    }
    while (s->side.shaking.n + s->side.up.n >= s->most)
        if (!tls_side_evict(&s->side)) {
            err_limit(e, "LIMIT_TLS_CONNECTIONS", s->most, ERR_NOWHERE);
            return NULL;
        }
    struct server_filter *sf = mem_get(sizeof *sf);
    if (!sf) {
        err_nomem(e, "a connection");
        return NULL;
    }
    tls_filter_init(&sf->t, &s->side, &role);
    sf->server = s;
    sf->context = NULL;
    sf->identities = tls_identities_ref(s->identities);
    return &sf->t.f;
}

/* --- the server --- */

static void release(struct tls_side *side) {
    struct tls_server *s = LOOP_OWNER(struct tls_server, side, side);
    tls_identities_unref(s->identities);
    if (s->sessions.store) tls_wipe(s->sessions.store, s->sessions.store_len);
    mem_put(s->sessions.store, s->sessions.store_len);
    tls_wipe(s, sizeof *s);
    mem_put(s, sizeof *s);
}

/* The model goes through one reset of its own: BearSSL asks the system for randomness in the first, and not in the copies'. */
static bool make_model(struct tls_server *s, struct err *e) {
    br_ssl_server_zero(&s->model);
    tls_engine_setup(&s->model.eng, &tls_ec);
    size_t n = 0;
    while (s->protocols[n]) n++;
    /* BearSSL does not write to them. */
    br_ssl_engine_set_protocol_names(&s->model.eng, (const char **)(uintptr_t)s->protocols, n);
    uint8_t *in = mem_get(BR_SSL_BUFSIZE_INPUT);
    if (!in) return err_nomem(e, "TLS");
    br_ssl_engine_set_buffers_bidi(&s->model.eng, in, BR_SSL_BUFSIZE_INPUT, s->side.out, BR_SSL_BUFSIZE_OUTPUT);
    bool good = br_ssl_server_reset(&s->model);
    mem_put(in, BR_SSL_BUFSIZE_INPUT);
    return good || err_set(e, ERR_UNKNOWN, "there is no randomness to make keys from");
}

struct tls_server *tls_server_new(struct loop *l, const struct tls_server_limits *limits, struct err *e) {
    static const char *const http[] = {"http/1.1", NULL};
    if (!tls_sodium(e)) return NULL;
    struct tls_server *s = mem_get_zero(sizeof *s);
    if (!s) {
        err_nomem(e, "TLS");
        return NULL;
    }
    s->most = limits && limits->connections ? limits->connections : LIMIT_TLS_CONNECTIONS;
    s->protocols = limits && limits->protocols ? limits->protocols : http;
    if (tls_side_init(&s->side, l, release, e) && make_model(s, e) &&
        make_sessions(s, limits ? limits->sessions : 0, e))
        return s;
    tls_side_unref(&s->side);
    return NULL;
}

void tls_server_free(struct tls_server *s) {
    if (s) tls_side_unref(&s->side);
}

bool tls_server_certificates(struct tls_server *s, const struct tls_identity_text *pem, unsigned n, struct err *e) {
    struct tls_identities *set = tls_identities_new(pem, n, e);
    if (!set) return false;
    tls_identities_unref(s->identities);
    s->identities = set;
    return true;
}

struct tls_counts tls_server_counts(const struct tls_server *s) {
    struct tls_counts counts = s->side.counts;
    counts.shaking = s->side.shaking.n;
    return counts;
}
