/* dial.c - see dial.h. What is needed while dialling is one block of memory, which is gone when the descriptor is there.
 *
 * Order: dial_start gathers candidates (add), `go_on` begins as many attempts as the rules allow now, and every event (an
 * attempt failed, a timer, more addresses) comes back to it. Whatever the end is, the task tells it. */
#include "wire/dial.h"
#include "base/limits.h"

#include "base/mem.h"
#include "base/must.h"
#include "base/num.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

#define ATTEMPT_MS    250 /* RFC 8305 5 */
#define RESOLUTION_MS 50  /* RFC 8305 3 */

enum try_state { TRY_NEW, TRY_UNDER_WAY, TRY_FAILED, TRY_REFUSED };

struct dial_try {
    struct dial *dial;
    struct loop_fd fd;
    struct address to;
    enum try_state state;
    int os;
};

struct dial_work {
    struct dial *dial;
    struct loop *loop;
    struct resolve resolve;
    struct loop_timer deadline, next; /* next: the resolution delay, then the delay between attempts */
    struct dial_try tries[2 * LIMIT_DIAL_FAMILY];
    size_t try_n;
    bool six_next; /* which family has its turn */
    bool begun;    /* attempts may be made: the resolution delay is over */
    bool timed_out;
    uint16_t port;
    int won; /* the descriptor, or -1 */
    struct address peer;
    struct err err;
    char what[100]; /* what is dialled, for sentences */
};

/* --- ending --- */

static void close_try(struct dial_try *t) {
    if (t->state != TRY_UNDER_WAY) return;
    loop_fd_remove(&t->fd);
    close(t->fd.fd);
    t->state = TRY_FAILED;
}

/* Nothing goes on any more but the task. */
static void stop(struct dial_work *w) {
    resolve_cancel(&w->resolve);
    loop_timer_clear(&w->deadline);
    loop_timer_clear(&w->next);
    for (size_t i = 0; i < w->try_n; i++) close_try(&w->tries[i]);
}

static void finish(struct dial_work *w) {
    stop(w);
    loop_task_queue(w->loop, &w->dial->task, LOOP_ANSWER);
}

void dial_cancel(struct dial *d) {
    struct dial_work *w = d->work;
    if (d->task.call) loop_task_remove(&d->task);
    d->work = NULL;
    if (!w) return;
    stop(w);
    if (w->won >= 0) close(w->won);
    mem_put(w, sizeof *w);
}

static bool tell(struct loop_task *t) {
    struct dial *d = LOOP_OWNER(struct dial, task, t);
    struct dial_work *w = d->work;
    struct err e = ERR_INIT;
    if (!w) {
        err_nomem(&e, "dialling");
        d->done(d, -1, NULL, &e);
        return false;
    }
    struct address peer = w->peer;
    int fd = w->won;
    e = w->err;
    w->won = -1;
    dial_cancel(d);
    d->done(d, fd, fd < 0 ? NULL : &peer, &e);
    return false;
}

static void win(struct dial_work *w, struct dial_try *t, int fd) {
    int on = 1;
    if (t->to.any.sa_family != AF_UNIX) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    w->won = fd;
    w->peer = t->to;
    w->err = (struct err)ERR_INIT;
    finish(w);
}

/* "[2001:db8::1]:80 connection refused, 192.0.2.1:80 did not answer" */
static void list_tries(const struct dial_work *w, struct buf *out) {
    for (size_t i = 0; i < w->try_n; i++) {
        const struct dial_try *t = &w->tries[i];
        size_t mark = buf_mark(out);
        if (out->len) buf_add(out, LIT(", "));
        address_write(out, &t->to);
        switch (t->state) {
        case TRY_NEW: buf_add(out, LIT(" not tried")); break;
        case TRY_UNDER_WAY: buf_add(out, LIT(" did not answer")); break;
        case TRY_REFUSED: buf_add(out, LIT(" not allowed")); break;
        case TRY_FAILED: {
            const char *why = strerror(t->os);
            buf_byte(out, ' ');
            buf_byte(out, (uint8_t)(why[0] | 32)); /* "Connection refused" in the midst of a sentence */
            buf_add_str(out, why + 1);
            break;
        }
        }
        if (buf_ok(out)) continue;
        buf_rewind(out, mark);
        return;
    }
}

/* Every address was tried, or the time is over. */
static void lose(struct dial_work *w) {
    uint8_t bytes[ERR_TEXT];
    struct buf list = {.ptr = bytes, .cap = sizeof bytes, .max = sizeof bytes};
    size_t refused = 0;
    int os = 0;
    list_tries(w, &list);
    for (size_t i = 0; i < w->try_n; i++) {
        refused += w->tries[i].state == TRY_REFUSED;
        if (w->tries[i].state == TRY_FAILED) os = w->tries[i].os;
    }
    if (w->timed_out && !w->try_n)
        err_set(&w->err, ERR_TIMEOUT, "%s was not reached: its address was not found in time", w->what);
    else if (refused == w->try_n && w->try_n)
        err_set(&w->err, ERR_INVALID, "%s may not be dialled: %.*s", w->what, (int)list.len, (const char *)bytes);
    else
        err_set(&w->err, w->timed_out ? ERR_TIMEOUT : ERR_NETWORK, "no address of %s answered%s: %.*s", w->what,
                w->timed_out ? " in time" : "", (int)list.len, (const char *)bytes);
    w->err.os = os;
    finish(w);
}

/* --- attempts --- */

static void go_on(struct dial_work *w);

/* Whether a socket has met itself: dialling a port of our own that nobody listens on can do that. */
static bool is_own_echo(int fd, const struct address *to) {
    struct address here = {.len = sizeof here.un};
    if (to->any.sa_family == AF_UNIX || getsockname(fd, &here.any, &here.len)) return false;
    if (address_port(&here) != address_port(to)) return false;
    return to->any.sa_family == AF_INET ? here.v4.sin_addr.s_addr == to->v4.sin_addr.s_addr
                                        : IN6_ARE_ADDR_EQUAL(&here.v6.sin6_addr, &to->v6.sin6_addr);
}

static void try_ready(struct loop_fd *fd, unsigned ready) {
    (void)ready;
    struct dial_try *t = LOOP_OWNER(struct dial_try, fd, fd);
    struct dial_work *w = t->dial->work;
    int os = 0;
    socklen_t len = sizeof os;
    if (getsockopt(fd->fd, SOL_SOCKET, SO_ERROR, &os, &len)) os = errno;
    if (!os && is_own_echo(fd->fd, &t->to)) {
        struct linger at_once = {.l_onoff = 1}; /* or the port would rest for a minute */
        setsockopt(fd->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        os = ECONNREFUSED;
    }
    if (!os) {
        loop_fd_remove(fd);
        t->state = TRY_FAILED; /* its descriptor is not ours any more */
        win(w, t, fd->fd);
        return;
    }
    close_try(t);
    t->os = os;
    go_on(w);
}

/* True: it is under way, or has won. */
static bool begin_try(struct dial_work *w, struct dial_try *t) {
    struct dial *d = w->dial;
    t->state = TRY_REFUSED;
    if (d->allowed && !d->allowed(d->arg, &t->to)) return false;
    t->state = TRY_FAILED;
    int fd = socket(t->to.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        t->os = errno;
        return false;
    }
    if (connect(fd, &t->to.any, t->to.len) == 0) {
        win(w, t, fd);
        return true;
    }
    struct err e = ERR_INIT;
    t->os = errno;
    t->fd = (struct loop_fd){.call = try_ready, .name = "dial"};
    if (t->os == EINPROGRESS) {
        if (loop_fd_add(w->loop, &t->fd, fd, LOOP_WRITE, &e)) {
            t->state = TRY_UNDER_WAY;
            return true;
        }
        t->os = e.os;
    }
    close(fd);
    return false;
}

/* The next address: of the family that has its turn, or else of the other. */
static struct dial_try *choose_try(struct dial_work *w) {
    struct dial_try *other = NULL;
    for (size_t i = 0; i < w->try_n; i++) {
        struct dial_try *t = &w->tries[i];
        if (t->state != TRY_NEW) continue;
        if ((t->to.any.sa_family == AF_INET6) == w->six_next) return t;
        if (!other) other = t;
    }
    return other;
}

static bool any_under_way(const struct dial_work *w) {
    for (size_t i = 0; i < w->try_n; i++)
        if (w->tries[i].state == TRY_UNDER_WAY) return true;
    return false;
}

/* Begins one attempt; more when they fail at once. */
static void go_on(struct dial_work *w) {
    struct dial_try *t;
    if (!w->begun) return;
    while ((t = choose_try(w))) {
        w->six_next = t->to.any.sa_family != AF_INET6;
        if (!begin_try(w, t)) continue;
        if (w->won >= 0) return;
        int64_t delay_ms = w->dial->attempt_ms > 0 ? w->dial->attempt_ms : ATTEMPT_MS;
        /* Without memory for the timer the next attempt waits for this one to fail. */
        loop_timer_set(w->loop, &w->next, loop_now_ms(w->loop) + delay_ms);
        return;
    }
    if (!any_under_way(w) && !w->resolve.resolver) lose(w);
}

static void next_due(struct loop_timer *t) {
    struct dial_work *w = LOOP_OWNER(struct dial_work, next, t);
    w->begun = true;
    go_on(w);
}

static void deadline_passed(struct loop_timer *t) {
    struct dial_work *w = LOOP_OWNER(struct dial_work, deadline, t);
    w->timed_out = true;
    lose(w);
}

/* --- addresses --- */

/* What nobody can be at. */
static bool is_nowhere(const struct address *a) {
    if (a->any.sa_family == AF_INET) {
        uint32_t ip = ntohl(a->v4.sin_addr.s_addr);
        return ip >> 24 == 0 || ip >> 28 == 14 || ip == UINT32_MAX;
    }
    return a->any.sa_family == AF_INET6 &&
           (IN6_IS_ADDR_UNSPECIFIED(&a->v6.sin6_addr) || IN6_IS_ADDR_MULTICAST(&a->v6.sin6_addr));
}

/* ::ffff:192.0.2.1 as 192.0.2.1. */
static struct address plain_address(const struct address *a) {
    if (a->any.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr)) return *a;
    struct address plain = {.len = sizeof plain.v4};
    plain.v4.sin_family = AF_INET;
    plain.v4.sin_port = a->v6.sin6_port;
    memcpy(&plain.v4.sin_addr, a->v6.sin6_addr.s6_addr + 12, 4);
    return plain;
}

static bool same_address(const struct address *a, const struct address *b) {
    if (a->any.sa_family != b->any.sa_family) return false;
    if (a->any.sa_family == AF_INET)
        return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr && a->v4.sin_port == b->v4.sin_port;
    if (a->any.sa_family == AF_INET6)
        return IN6_ARE_ADDR_EQUAL(&a->v6.sin6_addr, &b->v6.sin6_addr) && a->v6.sin6_port == b->v6.sin6_port &&
               a->v6.sin6_scope_id == b->v6.sin6_scope_id;
    return a->len == b->len && memcmp(&a->un, &b->un, a->len) == 0;
}

static void add(struct dial_work *w, const struct address *given, uint16_t port) {
    struct address a = plain_address(given);
    size_t of_family = 0;
    if (port && a.any.sa_family == AF_INET) a.v4.sin_port = htons(port);
    if (port && a.any.sa_family == AF_INET6) a.v6.sin6_port = htons(port);
    for (size_t i = 0; i < w->try_n; i++) {
        if (same_address(&w->tries[i].to, &a)) return;
        of_family += (w->tries[i].to.any.sa_family == AF_INET6) == (a.any.sa_family == AF_INET6);
    }
    if (of_family == LIMIT_DIAL_FAMILY) return;
    if (!w->try_n) w->six_next = a.any.sa_family == AF_INET6;
    w->tries[w->try_n++] = (struct dial_try){.dial = w->dial, .to = a, .state = is_nowhere(&a) ? TRY_REFUSED : TRY_NEW};
}

static void add_answer(struct dial_work *w, const struct resolve_answer *a) {
    for (size_t i = 0; i < a->n; i++) add(w, &a->address[i], w->port);
}

/* One family has come. IPv6 need not wait for the other; IPv4 gives it a moment. */
static void resolved_part(struct resolve *r, const struct resolve_answer *a) {
    struct dial_work *w = LOOP_OWNER(struct dial_work, resolve, r);
    add_answer(w, a);
    w->begun = a->address[0].any.sa_family == AF_INET6;
    if (!w->begun) {
        int64_t delay_ms = w->dial->resolution_ms > 0 ? w->dial->resolution_ms : RESOLUTION_MS;
        w->begun = !loop_timer_set(w->loop, &w->next, loop_now_ms(w->loop) + delay_ms);
    }
    go_on(w);
}

static void resolved(struct resolve *r, const struct resolve_answer *a) {
    struct dial_work *w = LOOP_OWNER(struct dial_work, resolve, r);
    if (!a->n) {
        w->err = *a->err;
        err_context(&w->err, "dialling %s", w->what);
        finish(w);
        return;
    }
    bool waited = !w->begun;
    if (waited) {
        loop_timer_clear(&w->next);
        w->six_next = a->address[0].any.sa_family == AF_INET6; /* nothing was tried: the order is that of both */
    }
    add_answer(w, a);
    w->begun = true;
    /* What came late waits for its turn like the rest. */
    if (waited || !any_under_way(w))
        go_on(w);
    else if (!loop_timer_is_set(&w->next))
        loop_timer_set(w->loop, &w->next, loop_now_ms(w->loop));
}

/* --- beginning --- */

/* NULL: the task will say that there is no memory. */
static struct dial_work *prepare(struct dial *d, struct loop *l, int64_t deadline_at) {
    must(d->done && !d->work && (!d->task.call || d->task.phase < 0));
    d->task = (struct loop_task)LOOP_TASK(tell, "dial");
    struct dial_work *w = d->work = mem_get_zero(sizeof *w);
    if (w) {
        w->dial = d;
        w->loop = l;
        w->won = -1;
        w->deadline = (struct loop_timer){.call = deadline_passed, .name = "dial"};
        w->next = (struct loop_timer){.call = next_due, .name = "dial"};
        if (loop_timer_set(l, &w->deadline, deadline_at ? deadline_at : loop_now_ms(l) + LIMIT_DIAL_MS)) return w;
        mem_put(w, sizeof *w);
        d->work = NULL;
    }
    loop_task_queue(l, &d->task, LOOP_ANSWER);
    return NULL;
}

static void say_what(struct dial_work *w, struct slice text) {
    struct buf what = {.ptr = (uint8_t *)w->what, .cap = sizeof w->what - 1, .max = sizeof w->what - 1};
    bool cut = text.len > 80;
    for (size_t i = 0; i < text.len && i < 80; i++)
        buf_byte(&what, text.ptr[i] >= 0x20 && text.ptr[i] < 0x7f ? text.ptr[i] : '?');
    if (cut) buf_add(&what, LIT("..."));
}

void dial_start(struct dial *d, struct loop *l, struct resolver *r, struct slice host, uint16_t port,
                int64_t deadline_at) {
    struct dial_work *w = prepare(d, l, deadline_at);
    if (!w) return;
    say_what(w, host);
    w->port = port;
    if (slice_starts(host, LIT("unix:"))) {
        struct address a;
        if (!address_read(host, &a, &w->err)) {
            finish(w);
            return;
        }
        add(w, &a, 0);
        w->begun = true;
        go_on(w);
        return;
    }
    if (!port) {
        err_set(&w->err, ERR_INVALID, "want a port from 1 to 65535 to dial %s, found 0", w->what);
        finish(w);
        return;
    }
    w->resolve = (struct resolve){.done = resolved, .part = resolved_part};
    /* The deadline is this room's own: it knows better what to say. */
    resolve_start(r, &w->resolve, host, RESOLVE_BOTH, w->deadline.at_ms + 1);
}

void dial_start_addresses(struct dial *d, struct loop *l, const struct address *a, size_t n, int64_t deadline_at) {
    struct dial_work *w = prepare(d, l, deadline_at);
    if (!w) return;
    say_what(w, LIT("the host"));
    for (size_t i = 0; i < n; i++) add(w, &a[i], 0);
    w->begun = true;
    if (w->try_n) {
        go_on(w);
        return;
    }
    err_set(&w->err, ERR_INVALID, "want an address to dial, found none");
    finish(w);
}

/* --- a guard --- */

static bool is_public_v4(uint32_t ip) {
    static const struct {
        uint32_t net;
        unsigned bits;
    } closed[] = {
        {0x00000000, 8},  /* this network */
        {0x0a000000, 8},  /* private */
        {0x64400000, 10}, /* a provider's inside */
        {0x7f000000, 8},  /* this host */
        {0xa9fe0000, 16}, /* link-local */
        {0xac100000, 12}, /* private */
        {0xc0000000, 24}, /* protocol assignments */
        {0xc0000200, 24}, /* documentation */
        {0xc0586300, 24}, /* 6to4 relays */
        {0xc0a80000, 16}, /* private */
        {0xc6120000, 15}, /* benchmarks */
        {0xc6336400, 24}, /* documentation */
        {0xcb007100, 24}, /* documentation */
        {0xe0000000, 3},  /* multicast, reserved, broadcast */
    };
    for (size_t i = 0; i < sizeof closed / sizeof closed[0]; i++)
        if ((ip ^ closed[i].net) >> (32 - closed[i].bits) == 0) return false;
    return true;
}

bool dial_public_only(void *arg, const struct address *a) {
    (void)arg;
    if (a->any.sa_family == AF_INET) return is_public_v4(ntohl(a->v4.sin_addr.s_addr));
    if (a->any.sa_family != AF_INET6) return false;
    const uint8_t *b = a->v6.sin6_addr.s6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr)) return is_public_v4(num_be32(b + 12));
    /* NAT64 carries an IPv4 address at its end. */
    static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};
    if (memcmp(b, nat64, sizeof nat64) == 0) return is_public_v4(num_be32(b + 12));
    if (b[0] >> 5 != 1) return false;                                       /* only 2000::/3 is given out */
    if (b[0] == 0x20 && b[1] == 0x02) return is_public_v4(num_be32(b + 2)); /* 6to4 */
    if (b[0] == 0x20 && b[1] == 0x01 && b[2] < 2) return false;             /* 2001::/23: Teredo, benchmarks, others */
    return !(b[0] == 0x20 && b[1] == 0x01 && b[2] == 0x0d && b[3] == 0xb8) && /* documentation */
           !(b[0] == 0x3f && b[1] == 0xff && b[2] < 0x10);
}
