/* resolver_query.c - one name in one family, asked on the wire until a server can tell.
 *
 *   waiting --> udp --> (answered)           waiting: more than LIMIT_RESOLVER_SOCKETS are under way
 *               udp --> tcp --> (answered)   tcp: the answer was truncated
 *   udp, tcp --> udp                         the next server; the same without EDNS; the next name of a chain of aliases
 *   any --> (failed)                         all servers were asked `attempts` times
 *
 * Owns: a socket of its own, never used for a second question; the asking parts stay their owners'.
 * Not a struct stream for TCP: it would outlive the query until LOOP_CLOSE. Two bytes of length and one answer are less than
 *   that. Not a struct udp: its batches are some 80 KiB a socket.
 * Source ports: the kernel's choice for an unbound socket, which is random since long before 5.10 and keeps clear of
 *   reserved ports; one of our own could take the port of a service that is just about to start.
 * Tried: tests/wire/resolver. */
#include "base/ascii.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/rng.h"
#include "protocols/dns_write.h"
#include "wire/resolver_answer.h"
#include "wire/resolver_room.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define READS      16  /* datagrams in one callback */
#define QUERY_ROOM 300 /* head, name, type and class, OPT: 12 + 255 + 4 + 11 */

enum probe { PROBE_NONE, PROBE_UDP, PROBE_CONNECT, PROBE_SEND, PROBE_READ };

struct resolver_query {
    struct resolver *resolver;
    struct resolver_query *next, *prev;
    struct resolve_part *parts;
    struct dns_name key;     /* what was asked for */
    struct dns_name current; /* what is asked: the end of the aliases so far */
    struct dns_name spelled; /* as it was sent */
    uint16_t type, id;
    bool begun;    /* counted as under way */
    bool edns;     /* the question has an OPT */
    bool odd_case; /* an answer came in another spelling and was passed over */
    uint8_t order[LIMIT_RESOLV_SERVERS];
    unsigned place, round, aliases;
    uint32_t ttl_s; /* of the aliases so far */
    enum probe probe;
    struct loop_fd fd;
    struct loop_timer timer;
    struct buf out; /* by TCP */
    struct dns_frame frame;
    struct err err; /* why the server before this one could not tell */
};

static void begin_waiting(struct resolver *r);
static void next_server(struct resolver_query *q);

struct resolver_text resolver_text(const struct dns_name *name) {
    struct resolver_text out;
    struct buf b = {.ptr = (uint8_t *)out.text, .cap = sizeof out.text - 4, .max = sizeof out.text - 4};
    for (const uint8_t *p = name->bytes; *p; p += *p + 1) {
        if (p != name->bytes) buf_byte(&b, '.');
        for (unsigned i = 1; i <= *p; i++) buf_byte(&b, ascii_is_print(p[i]) ? p[i] : '?');
    }
    memcpy(out.text + b.len, "...", 4);
    if (buf_ok(&b)) out.text[b.len] = 0;
    return out;
}

/* --- the list --- */

static void link_query(struct resolver *r, struct resolver_query *q) {
    q->prev = r->last;
    if (r->last)
        r->last->next = q;
    else
        r->first = q;
    r->last = q;
    r->query_n++;
}

static void close_probe(struct resolver_query *q) {
    if (q->probe == PROBE_NONE) return;
    q->probe = PROBE_NONE;
    loop_timer_clear(&q->timer);
    loop_fd_remove(&q->fd);
    close(q->fd.fd);
    buf_release(&q->out);
    dns_frame_release(&q->frame);
}

static void free_query(struct resolver_query *q) {
    struct resolver *r = q->resolver;
    must(q->parts == NULL);
    close_probe(q);
    if (q->begun) r->under_way--;
    if (q->prev)
        q->prev->next = q->next;
    else
        r->first = q->next;
    if (q->next)
        q->next->prev = q->prev;
    else
        r->last = q->prev;
    r->query_n--;
    mem_put(q, sizeof *q);
}

static void unlink_part(struct resolve_part *p) {
    if (p->prev)
        p->prev->next = p->next;
    else
        p->query->parts = p->next;
    if (p->next) p->next->prev = p->prev;
    p->query = NULL;
    p->next = p->prev = NULL;
}

/* Tells everybody who asked: with a set, or that it failed by q->err. The query is gone. */
static void finish(struct resolver_query *q, struct resolver_set *set) {
    struct resolver *r = q->resolver;
    while (q->parts) {
        struct resolve_part *p = q->parts;
        unlink_part(p);
        if (set)
            p->set = resolver_set_ref(set);
        else {
            p->failed = true;
            p->owner->err = q->err;
        }
        loop_task_queue(r->loop, &p->owner->task, LOOP_ANSWER);
    }
    free_query(q);
    begin_waiting(r);
}

static void give_up(struct resolver_query *q) {
    struct err why = q->err;
    if (why.code != ERR_NOMEM)
        err_set(&q->err, why.code, "no name server could tell the address of %s; the last one asked, %s",
                resolver_text(&q->key).text, why.text);
    q->err.os = why.os;
    finish(q, NULL);
}

/* --- asking --- */

static struct resolver_server *server_of(const struct resolver_query *q) {
    return &q->resolver->server[q->order[q->place]];
}
static const struct address *server_address(const struct resolver_query *q) {
    return &q->resolver->conf.server[q->order[q->place]];
}

/* Why the server cannot tell: "192.0.2.1:53 answered SERVFAIL". Returns false. */
static bool blame(struct resolver_query *q, enum err_code code, int os, const char *what) {
    uint8_t bytes[80];
    struct buf text = {.ptr = bytes, .cap = sizeof bytes, .max = sizeof bytes};
    address_write(&text, server_address(q));
    err_set(&q->err, code, "%.*s %s%s%s", (int)text.len, (const char *)bytes, what, os ? ": " : "",
            os ? strerror(os) : "");
    q->err.os = os;
    return false;
}

/* A new id, and letters in random case: what a forger would have to guess besides the port. */
static bool write_question(struct resolver_query *q, struct buf *out) {
    static const struct dns_edns ours = {.size = LIMIT_RESOLVE_DATAGRAM, .options = LIT_INIT("")};
    uint8_t bits[DNS_NAME_MAX / 8 + 1];
    rng_bytes(bits, sizeof bits);
    rng_bytes(&q->id, sizeof q->id);
    q->spelled = q->current;
    for (const uint8_t *p = q->current.bytes; *p; p += *p + 1) {
        for (unsigned i = 1; i <= *p; i++) {
            size_t at = (size_t)(p - q->current.bytes) + i;
            if (ascii_is_alpha(p[i]) && bits[at / 8] >> at % 8 & 1) q->spelled.bytes[at] ^= 32;
        }
    }
    return dns_query_write(out, q->id, &q->spelled, q->type, q->edns ? &ours : NULL, &q->err);
}

static void time_out(struct loop_timer *t) {
    struct resolver_query *q = LOOP_OWNER(struct resolver_query, timer, t);
    struct resolver_server *server = server_of(q);
    blame(q, ERR_TIMEOUT, 0, "did not answer in time");
    server->rests_until_ms = loop_now_ms(q->resolver->loop) + LIMIT_RESOLVE_REST_MS;
    /* It kept the spelling of names once, but not this time: do not wait in vain again. */
    if (q->odd_case) server->keeps_case = false;
    next_server(q);
}

static bool start_timer(struct resolver_query *q) {
    int64_t wait_ms = q->resolver->conf.timeout_s * INT64_C(1000) << q->round;
    if (wait_ms > LIMIT_RESOLVE_WAIT_MS) wait_ms = LIMIT_RESOLVE_WAIT_MS;
    return loop_timer_set(q->resolver->loop, &q->timer, loop_now_ms(q->resolver->loop) + wait_ms) ||
           err_nomem(&q->err, "a timer");
}

static void udp_ready(struct loop_fd *w, unsigned ready);
static void tcp_ready(struct loop_fd *w, unsigned ready);

/* A watched socket with its timer; on failure nothing stays. */
static bool open_probe(struct resolver_query *q, enum probe probe, int fd) {
    bool tcp = probe != PROBE_UDP;
    q->fd = (struct loop_fd){.call = tcp ? tcp_ready : udp_ready, .name = "name server"};
    if (!loop_fd_add(q->resolver->loop, &q->fd, fd, tcp ? LOOP_WRITE : LOOP_READ, &q->err)) {
        close(fd);
        return false;
    }
    q->probe = probe;
    q->odd_case = false;
    buf_init(&q->out, QUERY_ROOM + 2);
    dns_frame_init(&q->frame, DNS_MESSAGE);
    q->resolver->stats.sent++;
    if (tcp) q->resolver->stats.tcp++;
    if (start_timer(q)) return true;
    close_probe(q);
    return false;
}

static bool ask_by_udp(struct resolver_query *q) {
    uint8_t bytes[QUERY_ROOM];
    struct buf message = {.ptr = bytes, .cap = sizeof bytes, .max = sizeof bytes};
    const struct address *to = server_address(q);
    if (!write_question(q, &message)) return false;
    int fd = socket(to->any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return blame(q, ERR_NETWORK, errno, "cannot be asked");
    /* Connected: the kernel drops what comes from elsewhere, and says when nobody listens there. */
    if (connect(fd, &to->any, to->len) || send(fd, bytes, message.len, MSG_NOSIGNAL) < 0) {
        blame(q, ERR_NETWORK, errno, "cannot be asked");
        close(fd);
        return false;
    }
    return open_probe(q, PROBE_UDP, fd);
}

static bool ask_by_tcp(struct resolver_query *q) {
    uint8_t bytes[QUERY_ROOM];
    struct buf message = {.ptr = bytes, .cap = sizeof bytes, .max = sizeof bytes};
    const struct address *to = server_address(q);
    if (!write_question(q, &message)) return false;
    int fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return blame(q, ERR_NETWORK, errno, "cannot be asked by TCP");
    if (connect(fd, &to->any, to->len) && errno != EINPROGRESS) {
        blame(q, ERR_NETWORK, errno, "cannot be asked by TCP");
        close(fd);
        return false;
    }
    if (!open_probe(q, PROBE_CONNECT, fd)) return false;
    if (dns_frame_write(&q->out, buf_slice(&message), &q->err)) return true;
    close_probe(q);
    return false;
}

static void ask(struct resolver_query *q) {
    const struct resolver_conf *conf = &q->resolver->conf;
    for (;; q->place++) {
        if (q->place >= conf->server_n) {
            q->place = 0;
            if (++q->round >= conf->attempts) break;
        }
        q->edns = true;
        if (ask_by_udp(q)) return;
    }
    give_up(q);
}

static void next_server(struct resolver_query *q) {
    close_probe(q);
    q->place++;
    ask(q);
}

/* The same server again, by another way. */
static void ask_again(struct resolver_query *q, bool tcp) {
    close_probe(q);
    if (tcp ? !ask_by_tcp(q) : !ask_by_udp(q)) next_server(q);
}

/* --- what came --- */

/* Follows the aliases of an answer from q->current on. False: too many. */
static bool follow_aliases(struct resolver_query *q, const struct resolver_answer *a) {
    for (size_t i = 0; i < a->alias_n; i++) {
        if (!dns_name_eq(&a->alias[i].from, &q->current)) continue;
        if (q->aliases++ == LIMIT_RESOLVE_ALIASES) return false;
        q->current = a->alias[i].to;
        if (a->alias[i].ttl_s < q->ttl_s) q->ttl_s = a->alias[i].ttl_s;
        i = (size_t)-1; /* from the beginning: they stand in any order */
    }
    return true;
}

/* The set of what was found; it goes into the cache for as long as it holds. */
static void remember(struct resolver_query *q, const uint8_t *ip, size_t n, bool exists, uint32_t ttl_s) {
    struct resolver *r = q->resolver;
    int64_t now = loop_now_ms(r->loop);
    struct resolver_set *set = resolver_set_new(&q->key, q->type, &q->current, ip, n, now + ttl_s * INT64_C(1000));
    if (!set) {
        err_nomem(&q->err, "an answer");
        finish(q, NULL);
        return;
    }
    set->exists = exists;
    if (ttl_s) resolver_cache_put(&r->cache, set);
    finish(q, set);
    resolver_set_unref(set);
}

static void conclude(struct resolver_query *q, struct slice message, const struct resolver_answer *a) {
    uint8_t ip[LIMIT_RESOLVE_ADDRESSES * 16];
    unsigned before = q->aliases;
    bool exists = a->rcode == DNS_RCODE_NOERROR;
    if (!follow_aliases(q, a)) {
        err_set(&q->err, ERR_NETWORK, "looking up %s: its aliases lead in a circle, or are more than %d",
                resolver_text(&q->key).text, LIMIT_RESOLVE_ALIASES);
        finish(q, NULL);
        return;
    }
    size_t n = exists ? resolver_answer_collect(message, q->type, &q->current, ip, &q->ttl_s) : 0;
    bool cut = exists && !n && !a->has_soa; /* neither addresses nor "there are none" */
    if (n) {
        uint32_t ttl_s = q->ttl_s < LIMIT_RESOLVE_TTL_LEAST_S ? LIMIT_RESOLVE_TTL_LEAST_S : q->ttl_s;
        remember(q, ip, n, true, ttl_s > LIMIT_RESOLVE_TTL_S ? LIMIT_RESOLVE_TTL_S : ttl_s);
    } else if (cut && q->aliases != before) {
        q->edns = true;
        ask_again(q, false);
    } else if (cut && !a->header.aa && !a->header.ra) {
        blame(q, ERR_NETWORK, 0, "does not ask others for us");
        next_server(q);
    } else {
        uint32_t ttl_s = a->has_soa && dns_name_under(&q->current, &a->zone) ? a->negative_s : 0;
        if (ttl_s > q->ttl_s) ttl_s = q->ttl_s;
        remember(q, NULL, 0, exists, ttl_s > LIMIT_RESOLVE_TTL_NO_S ? LIMIT_RESOLVE_TTL_NO_S : ttl_s);
    }
}

/* Whether the spelling of an answer is that of a forger: this server used to give it back as it was. */
static bool is_odd_spelling(struct resolver_query *q, const struct resolver_answer *a) {
    struct resolver_server *server = server_of(q);
    if (a->spelling == SPELLING_KEPT) server->keeps_case = true;
    if (a->spelling != SPELLING_CHANGED || !server->keeps_case || q->probe != PROBE_UDP) return false;
    q->odd_case = true;
    return true;
}

/* True: it was nothing for us, and the wait goes on. Else the query has moved on, or is gone. */
static bool take_message(struct resolver_query *q, struct slice message) {
    bool udp = q->probe == PROBE_UDP;
    struct resolver_answer a;
    enum verdict verdict = resolver_answer_read(&a, message, q->id, &q->spelled, q->type, udp);
    if (udp && (verdict == VERDICT_FOREIGN || is_odd_spelling(q, &a))) {
        q->resolver->stats.foreign++;
        return true;
    }
    server_of(q)->rests_until_ms = 0;
    if (verdict != VERDICT_FITS) {
        blame(q, ERR_NETWORK, 0, "sent an answer that makes no sense");
        next_server(q);
        return false;
    }
    if (a.header.tc && udp) {
        ask_again(q, true);
        return false;
    }
    switch (a.rcode) {
    case DNS_RCODE_NOERROR:
    case DNS_RCODE_NXDOMAIN: conclude(q, message, &a); return false;
    case DNS_RCODE_FORMERR:
    case DNS_RCODE_NOTIMP:
    case DNS_RCODE_BADVERS:
        if (q->edns) { /* it may be too old to know an OPT */
            q->edns = false;
            ask_again(q, false);
            return false;
        }
        break;
    default: break;
    }
    char what[40];
    const char *name = dns_rcode_name(a.rcode);
    if (name)
        snprintf(what, sizeof what, "answered %s", name);
    else
        snprintf(what, sizeof what, "answered with error %u", a.rcode);
    blame(q, ERR_NETWORK, 0, what);
    next_server(q);
    return false;
}

/* --- sockets --- */

static void udp_ready(struct loop_fd *w, unsigned ready) {
    (void)ready;
    struct resolver_query *q = LOOP_OWNER(struct resolver_query, fd, w);
    uint8_t *to = loop_scratch(q->resolver->loop);
    for (int i = 0; i < READS; i++) {
        ssize_t n = recv(w->fd, to, LOOP_SCRATCH, 0);
        if (n < 0) {
            if (errno == EAGAIN || errno == EINTR) return;
            blame(q, ERR_NETWORK, errno, "cannot be reached");
            next_server(q);
            return;
        }
        if (!take_message(q, slice_of(to, (size_t)n))) return;
    }
}

static bool tcp_connected(struct resolver_query *q) {
    int os = 0;
    socklen_t len = sizeof os;
    if (getsockopt(q->fd.fd, SOL_SOCKET, SO_ERROR, &os, &len)) os = errno;
    if (os) return blame(q, ERR_NETWORK, os, "cannot be reached by TCP");
    q->probe = PROBE_SEND;
    return true;
}

static bool tcp_send(struct resolver_query *q) {
    ssize_t n = send(q->fd.fd, q->out.ptr, q->out.len, MSG_NOSIGNAL);
    if (n < 0) return errno == EAGAIN || errno == EINTR || blame(q, ERR_NETWORK, errno, "broke the connection off");
    buf_drop(&q->out, (size_t)n);
    if (q->out.len) return true;
    q->probe = PROBE_READ;
    return loop_fd_want(&q->fd, LOOP_READ, &q->err);
}

static void tcp_read(struct resolver_query *q) {
    uint8_t *to = loop_scratch(q->resolver->loop);
    struct slice message;
    ssize_t n = recv(q->fd.fd, to, LOOP_SCRATCH, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0)
        blame(q, ERR_NETWORK, n ? errno : 0, "broke the connection off");
    else {
        struct fed fed = dns_frame_feed(&q->frame, slice_of(to, (size_t)n), &message, &q->err);
        if (fed.step == STEP_MORE) return;
        if (fed.step == STEP_EVENT) {
            take_message(q, message);
            return;
        }
        if (q->err.code != ERR_NOMEM) blame(q, ERR_NETWORK, 0, "sent an answer that makes no sense");
    }
    next_server(q);
}

static void tcp_ready(struct loop_fd *w, unsigned ready) {
    (void)ready;
    struct resolver_query *q = LOOP_OWNER(struct resolver_query, fd, w);
    if (q->probe == PROBE_READ)
        tcp_read(q);
    else if ((q->probe == PROBE_CONNECT && !tcp_connected(q)) || !tcp_send(q))
        next_server(q);
}

/* --- beginning --- */

/* The servers in their order, or one place further each time; those that rest behind the others. */
static void choose_order(struct resolver_query *q) {
    struct resolver *r = q->resolver;
    size_t n = r->conf.server_n, at = 0, first = r->conf.rotate ? r->rotation++ % n : 0;
    for (int resting = 0; resting < 2; resting++)
        for (size_t i = 0; i < n; i++) {
            size_t k = (first + i) % n;
            if ((r->server[k].rests_until_ms > loop_now_ms(r->loop)) == resting) q->order[at++] = (uint8_t)k;
        }
}

/* Begins what waits while there are sockets for it. A query that fails at once comes here again through finish; the loop that
 * runs already takes the next. */
static void begin_waiting(struct resolver *r) {
    if (r->beginning) return;
    r->beginning = true;
    for (struct resolver_query *q = r->first; q && r->under_way < LIMIT_RESOLVER_SOCKETS;) {
        if (q->begun) {
            q = q->next;
            continue;
        }
        q->begun = true;
        r->under_way++;
        q->current = q->key;
        q->place = q->round = q->aliases = 0;
        q->ttl_s = UINT32_MAX;
        choose_order(q);
        ask(q);
        q = r->first; /* it may be gone */
    }
    r->beginning = false;
}

/* Makes room: one that nobody waits for any more. */
static bool drop_orphan(struct resolver *r) {
    struct resolver_query *q = r->first;
    while (q && q->parts) q = q->next;
    if (!q) return false;
    free_query(q);
    return true;
}

static struct resolver_query *find_query(const struct resolver *r, const struct dns_name *name, uint16_t type) {
    struct resolver_query *q = r->first;
    while (q && (q->type != type || !dns_name_same(&q->key, name))) q = q->next;
    return q;
}

static struct resolver_query *new_query(struct resolver *r, const struct dns_name *name, uint16_t type, struct err *e) {
    if (r->query_n >= LIMIT_RESOLVER_QUERIES && !drop_orphan(r)) {
        err_limit(e, "names looked up at once", LIMIT_RESOLVER_QUERIES, ERR_NOWHERE);
        return NULL;
    }
    struct resolver_query *q = mem_get_zero(sizeof *q);
    if (!q) {
        err_nomem(e, "looking up a name");
        return NULL;
    }
    q->resolver = r;
    q->type = type;
    q->key = *name;
    q->timer = (struct loop_timer){.call = time_out, .name = "name server"};
    link_query(r, q);
    return q;
}

void resolver_query_join(struct resolver *r, struct resolve_part *part, const struct dns_name *name, uint16_t type) {
    struct resolver_query *q = find_query(r, name, type);
    if (q)
        r->stats.joined++;
    else if (!(q = new_query(r, name, type, &part->owner->err))) {
        part->failed = true;
        return;
    }
    part->query = q;
    part->prev = NULL;
    part->next = q->parts;
    if (q->parts) q->parts->prev = part;
    q->parts = part;
    begin_waiting(r);
}

void resolver_query_leave(struct resolve_part *part) {
    struct resolver_query *q = part->query;
    if (!q) return;
    unlink_part(part);
    if (!q->parts && !q->begun) free_query(q);
}

void resolver_query_restart_all(struct resolver *r) {
    for (struct resolver_query *q = r->first; q; q = q->next) {
        close_probe(q);
        q->begun = false;
    }
    r->under_way = 0;
    while (drop_orphan(r)) {
    }
    begin_waiting(r);
}

void resolver_query_drop_all(struct resolver *r) {
    while (r->first) free_query(r->first);
}
