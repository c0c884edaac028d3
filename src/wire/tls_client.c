/* tls_client.c - the client side of TLS: whom to trust, one context set up once and copied for each connection, and the sessions
 * servers gave.
 *
 * Owns: what tls.h says a client owns. The judge of certificates lives only as long as a handshake.
 * Never: resumes a session with another host, or for another protocol, than it was made with; or one older than a day.
 * Tried: tests/wire/tls, tests/wire/tls_trust. */
#include "base/limits.h"
#include "wire/tls_der.h"
#include "wire/tls_judge.h"
#include "wire/tls_pem.h"

#include "base/ascii.h"

#define SESSION_LIFE_MS ((int64_t)24 * 3600 * 1000)
#define HOST_MAX        254

struct session {
    uint8_t whom[32]; /* hash of host and protocol */
    int64_t made_at;  /* 0: an empty place */
    br_ssl_session_parameters params;
};

struct tls_client {
    struct tls_side side;
    struct arena arena;
    br_x509_trust_anchor *roots;
    unsigned root_n;
    bool pinned, learns, clock_trusted; /* learns: pinned, but not to whom yet */
    uint8_t pin[32];
    br_ssl_client_context model;
    struct session sessions[LIMIT_TLS_CLIENT_SESSIONS];
};

struct client_filter {
    struct tls_filter t;
    struct tls_client *client;
    struct tls_judge *judge; /* until the handshake is done */
    const char *protocol;    /* the list that BearSSL points to */
    bool dated;              /* the clock was trusted when this began */
    uint8_t whom[32];
    uint64_t secret; /* the master secret's first bytes while it was not computed yet */
    char host[HOST_MAX];
    br_ssl_client_context ctx;
};

static struct client_filter *client_of(const struct tls_filter *t) {
    return LOOP_OWNER(struct client_filter, t, (uintptr_t)t);
}

/* --- sessions --- */

static void name_session(uint8_t whom[32], const char *host, const char *protocol) {
    br_sha256_context h;
    br_sha256_init(&h);
    br_sha256_update(&h, host, strlen(host) + 1); /* the NUL parts them */
    if (protocol) br_sha256_update(&h, protocol, strlen(protocol));
    br_sha256_out(&h, whom);
}

static struct session *find_session(struct tls_client *c, const uint8_t whom[32]) {
    for (int i = 0; i < LIMIT_TLS_CLIENT_SESSIONS; i++)
        if (c->sessions[i].made_at && !memcmp(c->sessions[i].whom, whom, 32)) return &c->sessions[i];
    return NULL;
}

static void forget_session(struct session *s) {
    if (s) tls_wipe(s, sizeof *s);
}

/* In the place of the one for the same, an empty one, or the oldest. */
static void keep_session(struct client_filter *cf) {
    struct tls_client *c = cf->client;
    struct session *at = find_session(c, cf->whom);
    for (int i = 0; !at && i < LIMIT_TLS_CLIENT_SESSIONS; i++)
        if (!c->sessions[i].made_at) at = &c->sessions[i];
    if (!at) {
        at = &c->sessions[0];
        for (int i = 1; i < LIMIT_TLS_CLIENT_SESSIONS; i++)
            if (c->sessions[i].made_at < at->made_at) at = &c->sessions[i];
    }
    forget_session(at);
    br_ssl_engine_get_session_parameters(&cf->ctx.eng, &at->params);
    if (!at->params.session_id_len || (c->clock_trusted && !cf->dated)) {
        forget_session(at);
        return;
    }
    memcpy(at->whom, cf->whom, sizeof at->whom);
    at->made_at = loop_now_ms(c->side.loop) + 1; /* never 0 */
}

static bool offer_session(struct client_filter *cf) {
    struct session *s = find_session(cf->client, cf->whom);
    if (s && loop_now_ms(cf->client->side.loop) - s->made_at >= SESSION_LIFE_MS) {
        forget_session(s);
        s = NULL;
    }
    if (s) br_ssl_engine_set_session_parameters(&cf->ctx.eng, &s->params);
    return s != NULL;
}

void tls_client_clock(struct tls_client *c, bool trusted) {
    if (trusted && !c->clock_trusted) tls_wipe(c->sessions, sizeof c->sessions);
    c->clock_trusted = trusted;
}

/* --- a connection --- */

static void drop_judge(struct client_filter *cf) {
    if (!cf->judge) return;
    br_ssl_engine_set_x509(&cf->ctx.eng, NULL);
    tls_judge_release(cf->judge);
    mem_put(cf->judge, sizeof *cf->judge);
    cf->judge = NULL;
}

/* Each certificate that was checked; and what comes between the last of them and the key: the server's signature, two
 * multiplications. */
static bool has_worked(struct tls_filter *t) {
    struct client_filter *cf = client_of(t);
    struct tls_judge *j = cf->judge;
    if (!j) {
        t->spent = true;
        return false;
    }
    bool worked = j->worked || j->done;
    j->worked = false;
    if (tls_filter_secret(t) != cf->secret) t->spent = true;
    return worked;
}

static const char *tell_judgement(const struct tls_filter *t, enum tls_alert *alert) {
    struct client_filter *cf = client_of(t);
    forget_session(find_session(cf->client, cf->whom)); /* a handshake that failed is not tried again the same way */
    if (!cf->judge || !cf->judge->why) return NULL;
    *alert = cf->judge->alert;
    return cf->judge->why;
}

static void stand(struct tls_filter *t) {
    struct client_filter *cf = client_of(t);
    t->resumed = !cf->judge->began;
    if (!t->resumed) keep_session(cf);
    drop_judge(cf);
}

static void free_filter(struct tls_filter *t) {
    struct client_filter *cf = client_of(t);
    drop_judge(cf);
    tls_wipe(cf, sizeof *cf);
    mem_put(cf, sizeof *cf);
}

static const struct tls_role role = {
    .worked = has_worked,
    .judged = tell_judgement,
    .up = stand,
    .free = free_filter,
};

/* In lower case, without the root's dot. */
static bool take_host(struct client_filter *cf, struct slice host, struct err *e) {
    uint8_t address[16];
    if (host.len > 1 && host.ptr[host.len - 1] == '.') host.len--;
    if (!tls_address(host, address) && !tls_is_name(host))
        return err_set(e, ERR_INVALID, "\"%.*s\" is no host name", (int)(host.len < 60 ? host.len : 60),
                       (const char *)host.ptr);
    for (size_t i = 0; i < host.len; i++) cf->host[i] = (char)ascii_lower(host.ptr[i]);
    cf->host[host.len] = 0;
    return true;
}

static bool make_judge(struct client_filter *cf) {
    struct tls_client *c = cf->client;
    uint8_t address[16];
    cf->judge = mem_get(sizeof *cf->judge);
    if (!cf->judge) return false;
    *cf->judge = (struct tls_judge){
        .roots = c->roots,
        .root_n = c->root_n,
        .pin = c->pinned ? c->pin : NULL,
        .learns = c->learns ? &c->learns : NULL,
        .host = cf->host,
        .by_address = tls_address(slice_str(cf->host), address) != 0,
        .dated = cf->dated,
    };
    tls_judge_init(cf->judge);
    br_ssl_engine_set_x509(&cf->ctx.eng, &cf->judge->vtable);
    return true;
}

/* From here on `cf` is a filter that can be freed as one. */
static bool start(struct client_filter *cf, const char *protocol) {
    cf->protocol = protocol;
    if (!make_judge(cf) || !tls_filter_engine(&cf->t, &cf->ctx.eng)) return false;
    if (protocol) br_ssl_engine_set_protocol_names(&cf->ctx.eng, &cf->protocol, 1);
    name_session(cf->whom, cf->host, protocol);
    bool offered = offer_session(cf);
    cf->secret = tls_filter_secret(&cf->t);
    /* An address is not a name to be asked for (RFC 6066 3). */
    if (!br_ssl_client_reset(&cf->ctx, cf->judge->by_address ? NULL : cf->host, offered)) return false;
    tls_filter_settle(&cf->t); /* the hello waits in the shared buffer */
    return cf->t.phase != TLS_FAILED;
}

struct stream_filter *tls_connect(struct tls_client *c, struct slice host, const char *protocol, struct err *e) {
    struct client_filter *cf = mem_get(sizeof *cf);
    if (!cf) {
        err_nomem(e, "a connection");
        return NULL;
    }
    if (!take_host(cf, host, e)) {
        mem_put(cf, sizeof *cf);
        return NULL;
    }
    cf->client = c;
    cf->judge = NULL;
    cf->dated = c->clock_trusted;
    cf->ctx = c->model;
    tls_filter_init(&cf->t, &c->side, &role);
    if (start(cf, protocol)) return &cf->t.f;
    tls_drop(&cf->t.f);
    err_nomem(e, "a connection");
    return NULL;
}

/* --- the client --- */

static void release(struct tls_side *side) {
    struct tls_client *c = LOOP_OWNER(struct tls_client, side, side);
    arena_release(&c->arena);
    tls_wipe(c, sizeof *c);
    mem_put(c, sizeof *c);
}

static bool make_trust(struct tls_client *c, const struct tls_trust *trust, struct err *e) {
    c->clock_trusted = trust->clock_trusted;
    arena_init(&c->arena, LIMIT_TLS_ROOTS_BYTES);
    if (trust->learn) {
        c->pinned = c->learns = true;
        return true;
    }
    if (trust->pin) {
        c->pinned = true;
        memcpy(c->pin, trust->pin, sizeof c->pin);
        return true;
    }
    if (trust->roots.len > LIMIT_TLS_ROOTS_TEXT)
        return err_limit(e, "LIMIT_TLS_ROOTS_TEXT", LIMIT_TLS_ROOTS_TEXT, ERR_NOWHERE);
    return tls_roots_read(&c->arena, trust->roots, &c->roots, &c->root_n, e);
}

/* Through one reset, as the server's model is. */
static bool make_model(struct tls_client *c, struct err *e) {
    uint8_t *in = mem_get(BR_SSL_BUFSIZE_INPUT);
    if (!in) return err_nomem(e, "TLS");
    br_ssl_client_zero(&c->model);
    tls_engine_setup(&c->model.eng, &tls_ec_client);
    br_ssl_engine_set_buffers_bidi(&c->model.eng, in, BR_SSL_BUFSIZE_INPUT, c->side.out, BR_SSL_BUFSIZE_OUTPUT);
    bool good = br_ssl_client_reset(&c->model, NULL, 0);
    mem_put(in, BR_SSL_BUFSIZE_INPUT);
    return good || err_set(e, ERR_UNKNOWN, "there is no randomness to make keys from");
}

bool tls_client_pin(const struct tls_client *c, uint8_t pin[32]) {
    if (!c->pinned || c->learns) return false;
    memcpy(pin, c->pin, sizeof c->pin);
    return true;
}

struct tls_client *tls_client_new(struct loop *l, const struct tls_trust *trust, struct err *e) {
    if (!tls_sodium(e)) return NULL;
    struct tls_client *c = mem_get_zero(sizeof *c);
    if (!c) {
        err_nomem(e, "TLS");
        return NULL;
    }
    if (tls_side_init(&c->side, l, release, e) && make_trust(c, trust, e) && make_model(c, e)) return c;
    tls_side_unref(&c->side);
    return NULL;
}

void tls_client_free(struct tls_client *c) {
    if (c) tls_side_unref(&c->side);
}

struct tls_counts tls_client_counts(const struct tls_client *c) {
    struct tls_counts counts = c->side.counts;
    counts.shaking = c->side.shaking.n;
    return counts;
}
