/* tls_filter.c - the doors of a TLS connection, the same for servers and clients; and what the connections of a side share.
 *
 * For: struct stream_filter_ops over a BearSSL engine.
 * Owns: a private input buffer a connection (of which only touched pages count), what waits to be sent, and per side one output
 *      buffer for all engines. BearSSL reaches it only by the pointer it was given and keeps nothing in an idle one but
 *      positions, so whoever writes next may overwrite it. In the test variants it is scribbled over whenever another
 *      connection begins to use it.
 * Never: lets anything stand in the shared buffer when it returns to the loop. What a handshake says is moved out at once
 *      (settle); plain bytes go from plain_room to raw_sent or raw_keep within one pass of the stream.
 * Phases: HELLO -> SHAKING -> UP -> ENDED; FAILED from any. A client begins with SHAKING.
 * Tried: tests/wire/tls, tests/wire/tls_attack, fuzz/tls. */
#include "wire/tls_room.h"

#include "base/rng.h"

#define TYPE_CCS    20
#define TYPE_ALERT  21
#define RECORD_HEAD 5 /* bytes */

static const struct stream_filter_ops doors;

struct tls_filter *tls_filter_of(const struct stream_filter *f) {
    return f && f->ops == &doors ? LOOP_OWNER(struct tls_filter, f, (uintptr_t)f) : NULL;
}

/* --- who is here, by when bytes last moved --- */

static void leave(struct tls_filter *t) {
    struct tls_list *l = t->list;
    if (!l) return;
    *(t->older ? &t->older->newer : &l->oldest) = t->newer;
    *(t->newer ? &t->newer->older : &l->newest) = t->older;
    t->older = t->newer = NULL;
    t->list = NULL;
    l->n--;
}

static void enter(struct tls_filter *t, struct tls_list *l) {
    t->older = l->newest;
    *(l->newest ? &l->newest->newer : &l->oldest) = t;
    l->newest = t;
    t->list = l;
    l->n++;
}

static void touch(struct tls_filter *t) {
    struct tls_list *l = t->list;
    if (!l || l->newest == t) return;
    leave(t);
    enter(t, l);
}

/* The oldest that has a stream to be aborted. */
static struct tls_filter *oldest_of(const struct tls_list *l) {
    struct tls_filter *t = l->oldest;
    while (t && !t->f.stream) t = t->newer;
    return t;
}

bool tls_side_evict(struct tls_side *side) {
    /* Handshakes may take a quarter of the places before they are the ones to go: who floods us with new connections must not
     * push out those that stand. */
    bool crowd = side->shaking.n > (side->shaking.n + side->up.n) / 4;
    struct tls_filter *t = oldest_of(crowd ? &side->shaking : &side->up);
    if (!t) t = oldest_of(crowd ? &side->up : &side->shaking);
    if (!t) return false;
    leave(t);
    side->counts.evicted++;
    stream_abort(t->f.stream);
    return true;
}

/* --- steps --- */

static bool end_turn(struct loop_task *task) {
    LOOP_OWNER(struct tls_side, turn, task)->steps_now = 0;
    return false;
}

static void take_step(struct tls_side *side) {
    side->counts.steps++;
    if (++side->steps_now > side->counts.most_steps) side->counts.most_steps = side->steps_now;
    loop_task_queue(side->loop, &side->turn, LOOP_LATER);
}

/* --- the side --- */

bool tls_side_init(struct tls_side *side, struct loop *l, void (*release)(struct tls_side *), struct err *e) {
    *side = (struct tls_side){.loop = l, .turn = LOOP_TASK(end_turn, "tls turn"), .refs = 1, .release = release};
    side->out = mem_get(BR_SSL_BUFSIZE_OUTPUT);
    return side->out || err_nomem(e, "TLS");
}

void tls_side_unref(struct tls_side *side) {
    if (--side->refs) return;
    loop_task_remove(&side->turn);
    if (side->out) tls_wipe(side->out, BR_SSL_BUFSIZE_OUTPUT);
    mem_put(side->out, BR_SSL_BUFSIZE_OUTPUT);
    side->release(side);
}

/* This connection's engine is about to use the shared buffer. */
static void use_out(struct tls_filter *t) {
    if (t->side->out_user == t) return;
    t->side->out_user = t;
#ifdef STARTBOX_TEST
    memset(t->side->out, 0xa5, BR_SSL_BUFSIZE_OUTPUT);
#endif
}

/* --- ends --- */

static void fail(struct tls_filter *t, const char *why, enum tls_alert alert) {
    if (t->phase == TLS_FAILED) return;
    if (t->phase < TLS_UP) t->side->counts.failed++;
    t->phase = TLS_FAILED;
    t->f.why = why;
    if (alert == TLS_ALERT_NONE || t->ciphered) return;
    /* BearSSL says nothing when it fails by itself. Without memory the peer has to guess. */
    buf_add(&t->kept, slice_of((const uint8_t[]){TYPE_ALERT, 3, 3, 0, 2, 2, (uint8_t)alert}, 7));
}

static bool is_at_handshake(const struct tls_filter *t) {
    return t->phase == TLS_HELLO || t->phase == TLS_SHAKING;
}

/* Moves what the engine wants to send to where it lasts. In a handshake it begins with a whole record each time. */
static bool drain(struct tls_filter *t) {
    size_t n;
    uint8_t *p;
    while ((p = br_ssl_engine_sendrec_buf(t->eng, &n))) {
        if (p[0] == TYPE_CCS) t->ciphered = true;
        if (!buf_add(&t->kept, slice_of(p, n))) {
            bool over = t->kept.fault == BUF_OVER;
            buf_release(&t->kept); /* nobody reads it: not worth another wait */
            t->kept_done = 0;
            fail(t, over ? "the peer does not read what we answer" : "no memory for a handshake", TLS_ALERT_NONE);
            return false;
        }
        br_ssl_engine_sendrec_ack(t->eng, n);
    }
    return true;
}

void tls_filter_settle(struct tls_filter *t) {
    if (t->phase == TLS_FAILED || !drain(t)) return;
    if (br_ssl_engine_current_state(t->eng) == BR_SSL_CLOSED) {
        enum tls_alert alert;
        int number = br_ssl_engine_last_error(t->eng);
        if (number == BR_ERR_OK && t->phase == TLS_UP) {
            t->phase = TLS_ENDED;
            return;
        }
        const char *why = t->role->judged ? t->role->judged(t, &alert) : NULL;
        if (!why) why = tls_why(number, &alert);
        fail(t, why, alert);
        return;
    }
    size_t n;
    if (t->phase == TLS_SHAKING && br_ssl_engine_sendapp_buf(t->eng, &n)) {
        t->phase = TLS_UP;
        t->role->up(t);
        t->side->counts.handshakes++;
        t->side->counts.resumed += t->resumed;
        if (t->list) {
            leave(t);
            enter(t, &t->side->up);
        }
    }
}

/* --- raw bytes in --- */

/* Gives BearSSL the whole hello, in one record. */
static void hand_over(struct tls_filter *t) {
    uint8_t header[RECORD_HEAD];
    tls_hello_record(&t->hello, header);
    if (!t->role->begin(t)) {
        fail(t, "no memory for a connection", TLS_ALERT_INTERNAL);
        return;
    }
    t->phase = TLS_SHAKING;
    struct slice parts[] = {slice_of(header, RECORD_HEAD), buf_slice(&t->hello.message)};
    use_out(t);
    for (int i = 0; i < 2; i++) {
        size_t room;
        uint8_t *to;
        while (parts[i].len && (to = br_ssl_engine_recvrec_buf(t->eng, &room))) {
            struct slice part = slice_head(parts[i], room);
            memcpy(to, part.ptr, part.len);
            if ((size_t)(to - t->in) + part.len > t->in_touched) t->in_touched = (size_t)(to - t->in) + part.len;
            br_ssl_engine_recvrec_ack(t->eng, part.len);
            parts[i] = slice_skip(parts[i], part.len);
        }
    }
    t->hello.name = slice_of(NULL, 0);
    buf_release(&t->hello.message);
}

static uint8_t *raw_room(struct stream_filter *f, size_t *len) {
    struct tls_filter *t = tls_filter_of(f);
    bool may_work = t->side->steps_now < LIMIT_TLS_STEPS, payload;
    uint8_t *to = NULL;
    *len = 0;
    if (t->phase == TLS_HELLO) {
        to = tls_hello_room(&t->hello, len, &payload);
        if (!to) fail(t, "no memory for a handshake", TLS_ALERT_INTERNAL);
        if (payload && !may_work) to = NULL;
    } else if (t->phase == TLS_SHAKING || t->phase == TLS_UP) {
        to = br_ssl_engine_recvrec_buf(t->eng, len);
        payload = to && to - t->in >= RECORD_HEAD;
        if (t->phase == TLS_SHAKING && payload && !t->spent) {
            if (!may_work) to = NULL;
            if (*len > LIMIT_TLS_CLIENT_BITE && !t->role->begin) *len = LIMIT_TLS_CLIENT_BITE;
        }
    }
    if (!to) *len = 0;
    return to;
}

static void raw_came(struct stream_filter *f, size_t n) {
    struct tls_filter *t = tls_filter_of(f);
    touch(t);
    if (t->phase == TLS_HELLO) {
        enum tls_hello_step step = tls_hello_came(&t->hello, n, t->role->protocols(t));
        if (step == TLS_HELLO_BAD) fail(t, t->hello.why, t->hello.alert);
        if (step != TLS_HELLO_WHOLE) return;
        hand_over(t);
    } else if (t->eng) {
        size_t room;
        uint8_t *to = br_ssl_engine_recvrec_buf(t->eng, &room);
        if (!to || n > room) return;
        if ((size_t)(to - t->in) + n > t->in_touched) t->in_touched = (size_t)(to - t->in) + n;
        use_out(t);
        br_ssl_engine_recvrec_ack(t->eng, n);
    }
    if (!t->eng) return;
    tls_filter_settle(t);
    if (!t->spent && t->role->worked(t)) take_step(t->side);
}

/* --- raw bytes out --- */

static struct slice raw_out(struct stream_filter *f) {
    struct tls_filter *t = tls_filter_of(f);
    if (t->kept.len > t->kept_done) return slice_skip(buf_slice(&t->kept), t->kept_done);
    if (!t->eng || t->phase == TLS_FAILED) return slice_of(NULL, 0);
    if (t->half) {
        t->half = false;
        br_ssl_engine_flush(t->eng, 0);
    }
    size_t n;
    const uint8_t *p = br_ssl_engine_sendrec_buf(t->eng, &n);
    return slice_of(p, p ? n : 0);
}

static void raw_sent(struct stream_filter *f, size_t n) {
    struct tls_filter *t = tls_filter_of(f);
    touch(t);
    if (t->kept.len > t->kept_done) {
        t->kept_done += n;
        if (t->kept_done < t->kept.len) return;
        buf_release(&t->kept);
        t->kept_done = 0;
    } else if (t->eng)
        br_ssl_engine_sendrec_ack(t->eng, n);
}

static bool raw_keep(struct stream_filter *f) {
    struct tls_filter *t = tls_filter_of(f);
    buf_drop(&t->kept, t->kept_done);
    t->kept_done = 0;
    return !t->eng || t->phase == TLS_FAILED || drain(t);
}

/* --- plain bytes --- */

static struct slice plain_out(struct stream_filter *f) {
    struct tls_filter *t = tls_filter_of(f);
    size_t n = 0;
    const uint8_t *p = t->phase == TLS_UP ? br_ssl_engine_recvapp_buf(t->eng, &n) : NULL;
    return slice_of(p, p ? n : 0);
}

static void plain_taken(struct stream_filter *f, size_t n) {
    struct tls_filter *t = tls_filter_of(f);
    if (n) br_ssl_engine_recvapp_ack(t->eng, n);
}

static uint8_t *plain_room(struct stream_filter *f, size_t *len) {
    struct tls_filter *t = tls_filter_of(f);
    *len = 0;
    if (t->phase == TLS_ENDED) fail(t, "the peer said goodbye before it had everything", TLS_ALERT_NONE);
    if (t->phase != TLS_UP) return NULL;
    use_out(t);
    return br_ssl_engine_sendapp_buf(t->eng, len);
}

static void plain_came(struct stream_filter *f, size_t n, bool last) {
    struct tls_filter *t = tls_filter_of(f);
    br_ssl_engine_sendapp_ack(t->eng, n);
    t->half = !last;
    if (last) br_ssl_engine_flush(t->eng, 0);
}

/* --- the rest --- */

static void say_goodbye(struct stream_filter *f) {
    struct tls_filter *t = tls_filter_of(f);
    if (t->phase != TLS_UP) return;
    use_out(t);
    br_ssl_engine_close(t->eng);
}

static enum stream_filter_state tell_state(const struct stream_filter *f) {
    switch (tls_filter_of(f)->phase) {
    case TLS_HELLO:
    case TLS_SHAKING: return STREAM_FILTER_SHAKING;
    case TLS_UP: return STREAM_FILTER_UP;
    case TLS_ENDED: return STREAM_FILTER_ENDED;
    case TLS_FAILED: break;
    }
    return STREAM_FILTER_FAILED;
}

static void let_go(struct stream_filter *f) {
    struct tls_filter *t = tls_filter_of(f);
    struct tls_side *side = t->side;
    /* An evicted one stands in no list and was counted then. */
    if (is_at_handshake(t) && t->list) side->counts.failed++;
    leave(t);
    if (side->out_user == t) side->out_user = NULL;
    if (t->in) tls_wipe(t->in, t->in_touched);
    mem_put(t->in, BR_SSL_BUFSIZE_INPUT);
    buf_release(&t->kept);
    buf_release(&t->hello.message);
    side->counts.open--;
    t->role->free(t);
    tls_side_unref(side);
}

static const struct stream_filter_ops doors = {
    .raw_room = raw_room,
    .raw_came = raw_came,
    .raw_out = raw_out,
    .raw_sent = raw_sent,
    .raw_keep = raw_keep,
    .plain_out = plain_out,
    .plain_taken = plain_taken,
    .plain_room = plain_room,
    .plain_came = plain_came,
    .close = say_goodbye,
    .state = tell_state,
    .free = let_go,
};

void tls_filter_init(struct tls_filter *t, struct tls_side *side, const struct tls_role *role) {
    *t = (struct tls_filter){.f.ops = &doors, .role = role, .side = side};
    t->phase = role->begin ? TLS_HELLO : TLS_SHAKING;
    buf_init(&t->kept, LIMIT_TLS_KEPT);
    enter(t, &side->shaking);
    side->counts.open++;
    side->refs++;
}

bool tls_filter_engine(struct tls_filter *t, br_ssl_engine_context *eng) {
    uint8_t seed[48];
    t->in = mem_get(BR_SSL_BUFSIZE_INPUT);
    if (!t->in) return false;
    t->eng = eng;
    use_out(t);
    br_ssl_engine_set_buffers_bidi(eng, t->in, BR_SSL_BUFSIZE_INPUT, t->side->out, BR_SSL_BUFSIZE_OUTPUT);
    /* The context is a copy: without this all copies would share one sequence of random numbers. */
    rng_bytes(seed, sizeof seed);
    br_ssl_engine_inject_entropy(eng, seed, sizeof seed);
    tls_wipe(seed, sizeof seed);
    return true;
}

uint64_t tls_filter_secret(const struct tls_filter *t) {
    br_ssl_session_parameters p;
    uint64_t first;
    br_ssl_engine_get_session_parameters(t->eng, &p);
    memcpy(&first, p.master_secret, sizeof first);
    tls_wipe(&p, sizeof p);
    return first;
}

/* Every context is made of this; only once a side, because asking the processor what it can do is dear under a hypervisor. */
void tls_engine_setup(br_ssl_engine_context *eng, const br_ec_impl *ec) {
    static const uint16_t with_aes[] = {
        BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,       BR_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,       BR_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        BR_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, BR_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    };
    static const uint16_t without[] = {
        BR_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, BR_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,       BR_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,       BR_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    };
    bool aes = br_aes_x86ni_ctr_get_vtable() || br_aes_pwr8_ctr_get_vtable();
    br_ssl_engine_set_versions(eng, BR_TLS12, BR_TLS12);
    br_ssl_engine_set_suites(eng, aes ? with_aes : without, sizeof with_aes / sizeof *with_aes);
    /* With AES in the processor the client's order is as good as ours, and it may be a telephone that has none. */
    br_ssl_engine_set_all_flags(eng, BR_OPT_NO_RENEGOTIATION | BR_OPT_FAIL_ON_ALPN_MISMATCH |
                                         (aes ? 0 : BR_OPT_ENFORCE_SERVER_PREFERENCES));
    br_ssl_engine_set_hash(eng, br_sha256_ID, &br_sha256_vtable);
    br_ssl_engine_set_hash(eng, br_sha384_ID, &br_sha384_vtable);
    br_ssl_engine_set_hash(eng, br_sha512_ID, &br_sha512_vtable);
    br_ssl_engine_set_prf_sha256(eng, br_tls12_sha256_prf);
    br_ssl_engine_set_prf_sha384(eng, br_tls12_sha384_prf);
    br_ssl_engine_set_default_aes_gcm(eng);
    br_ssl_engine_set_default_chapol(eng);
    br_ssl_engine_set_chacha20(eng, tls_chacha20);
    br_ssl_engine_set_default_rsavrfy(eng);
    br_ssl_engine_set_default_ecdsa(eng); /* brings an own choice of curves */
    br_ssl_engine_set_ec(eng, ec);
}

/* --- what is told of a connection --- */

struct slice tls_name(const struct stream_filter *f) {
    const struct tls_filter *t = tls_filter_of(f);
    return t && t->eng ? slice_str(br_ssl_engine_get_server_name(t->eng)) : slice_of(NULL, 0);
}

struct slice tls_protocol(const struct stream_filter *f) {
    const struct tls_filter *t = tls_filter_of(f);
    const char *name = t && t->eng && t->phase >= TLS_UP ? br_ssl_engine_get_selected_protocol(t->eng) : NULL;
    return name ? slice_str(name) : slice_of(NULL, 0);
}

const char *tls_cipher(const struct stream_filter *f) {
    const struct tls_filter *t = tls_filter_of(f);
    br_ssl_session_parameters p;
    if (!t || !t->eng || t->phase < TLS_UP) return NULL;
    br_ssl_engine_get_session_parameters(t->eng, &p);
    const char *name = tls_suite_name(p.cipher_suite);
    tls_wipe(&p, sizeof p);
    return name;
}

bool tls_is_resumed(const struct stream_filter *f) {
    const struct tls_filter *t = tls_filter_of(f);
    return t && t->resumed;
}

void tls_drop(struct stream_filter *f) {
    if (f) f->ops->free(f);
}
