/* name_server.h - name servers for tests: real UDP and TCP sockets of the test's own loop on 127.0.0.2 and further, with a zone
 * and a way to misbehave. And a clock by hand that moves only when nothing is left to do. */
#ifndef TESTS_NAME_SERVER_H
#define TESTS_NAME_SERVER_H

#include "base/clock.h"
#include "lib/tap.h"
#include "protocols/dns_write.h"
#include "wire/resolver.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* --- the clock and the loop --- */

static int64_t ns_now_us;
static int64_t ns_ask_clock(void *arg) {
    (void)arg;
    return ns_now_us;
}
static const struct clock_source ns_by_hand = {ns_ask_clock, ns_ask_clock, NULL};

static struct loop *loop;
static struct err err;

/* Turns until nothing happens, the clock standing still. */
static inline void settle(void) {
    for (int idle = 0, n = 0; idle < 3 && n < 100000; n++) idle = loop_turn(loop, idle ? 1 : 0) ? 0 : idle + 1;
}
/* Lets time pass in steps, with everything that happens in it. */
static inline void pass_ms(int64_t ms) {
    int64_t until = ns_now_us + ms * 1000;
    settle();
    while (ns_now_us < until) {
        int64_t step = until - ns_now_us < 10000 ? until - ns_now_us : 10000;
        ns_now_us += step;
        if (loop_turn(loop, 0)) settle();
    }
}

/* Lets time pass in one step. */
static inline void jump_ms(int64_t ms) {
    ns_now_us += ms * 1000;
    settle();
}

/* Timers that never ring in this test: the next one makes the loop's heap grow, so that its memory can fail too. */
static struct loop_timer ns_crowd[64];
static inline void ns_never(struct loop_timer *t) {
    (void)t;
}
static inline void crowd_timers(unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        ns_crowd[i] = (struct loop_timer){.call = ns_never, .name = "crowd"};
        loop_timer_set(loop, &ns_crowd[i], ns_now_us / 1000 + 1000000000);
    }
}
static inline void clear_timers(void) {
    for (unsigned i = 0; i < 64; i++) loop_timer_clear(&ns_crowd[i]);
}

/* Open descriptors of this process. */
static inline unsigned count_fds(void) {
    unsigned n = 0;
    DIR *d = opendir("/proc/self/fd");
    for (struct dirent *entry; d && (entry = readdir(d));) n += entry->d_name[0] != '.';
    if (d) closedir(d);
    return n;
}

/* --- what a server knows --- */

struct ns_record {
    const char *name;
    unsigned type;
    uint32_t ttl;
    const char *data;
};

enum ns_way {
    NS_HONEST,
    NS_SILENT,
    NS_ERROR,      /* rcode */
    NS_BARE_ERROR, /* rcode, without the question */
    NS_WRONG_ID,   /* only wrong ones */
    NS_WRONG_NAME, /* another question */
    NS_WRONG_TYPE,
    NS_NO_ANSWER_BIT,
    NS_LIES_FIRST,    /* forged answers of every kind, then the true one */
    NS_GARBAGE,       /* its id and question, then bytes that make no sense */
    NS_TINY,          /* fewer bytes than a head, and nothing else */
    NS_TRUNCATE,      /* by UDP only the bit */
    NS_TRUNCATE_MID,  /* by UDP the bit, and a record that ends in its midst */
    NS_TRUNCATE_MUTE, /* and by TCP nothing */
    NS_TCP_CLOSE,     /* by TCP the connection ends after half of the answer */
    NS_TCP_BYTES,     /* by TCP one byte a turn */
    NS_TCP_LENGTH,    /* by TCP a length that cannot be */
    NS_TCP_WRONG,     /* by TCP the wrong id */
    NS_NO_EDNS,       /* FORMERR to whoever has an OPT */
    NS_OLD_EDNS,      /* BADVERS to whoever has an OPT */
    NS_LOWER,         /* gives names back in lower case */
    NS_CUT,           /* tells one alias and no more */
    NS_REVERSED,      /* the records of a chain the other way round */
    NS_LAME,          /* nothing, and no recursion */
    NS_NO_SOA,        /* "no" without saying for how long */
    NS_OTHER_SOA,     /* "no" for a zone the name is not in */
    NS_NOISE,         /* addresses of the name in other classes and sections as well */
    NS_MUTE_V6,       /* silent to AAAA */
    NS_MUTE_V4,
};

struct ns_connection {
    struct loop_fd fd;
    struct loop_task task;
    struct name_server *server;
    struct dns_frame frame;
    uint8_t out[DNS_MESSAGE + 2];
    size_t out_len, out_done;
    bool open;
};

#define NS_LOG 2048

struct name_server {
    struct address at;
    const struct ns_record *zone;
    enum ns_way way;
    unsigned rcode;
    uint32_t minimum; /* of its SOA */
    unsigned asked, asked_tcp;
    unsigned edns_asked; /* questions with an OPT */
    unsigned mixed;      /* questions with upper-case letters */
    uint16_t id[NS_LOG], port[NS_LOG];
    int64_t at_ms[NS_LOG];
    char last[300]; /* the last name asked for, lower case */
    unsigned last_size;
    struct loop_fd udp;
    struct listener tcp;
    struct ns_connection connection[4];
    uint8_t message[DNS_MESSAGE];
};

static inline bool ns_name_is(const struct dns_name *name, const char *text) {
    struct dns_name other;
    return dns_name_from(slice_str(text), &other, NULL) && dns_name_eq(name, &other);
}

static inline void ns_put(struct dns_writer *w, enum dns_section section, const struct dns_name *name,
                          const struct ns_record *row) {
    struct dns_record r = dns_record_of(section, name, row->type, row->ttl);
    if (row->type == DNS_TYPE_A)
        inet_pton(AF_INET, row->data, r.data.ipv4);
    else if (row->type == DNS_TYPE_AAAA)
        inet_pton(AF_INET6, row->data, r.data.ipv6);
    else
        dns_name_from(slice_str(row->data), &r.data.name, NULL);
    dns_write_record(w, &r, NULL);
}

/* The honest answer of a recursive server. Returns its length. */
static inline size_t ns_answer(struct name_server *s, const struct dns_query *q, uint8_t *to, size_t room) {
    struct buf out = {.ptr = to, .cap = DNS_MESSAGE, .max = DNS_MESSAGE};
    struct dns_writer w;
    struct dns_name at = q->name;
    struct dns_query asked = *q;
    const struct ns_record *alias[40];
    size_t alias_n = 0, found = 0;
    bool exists = false;
    if (s->way == NS_LOWER) dns_name_lower(&asked.name);
    for (bool more = true; more && alias_n < 40;) {
        more = false;
        for (const struct ns_record *row = s->zone; row && row->name && !more; row++) {
            if (!ns_name_is(&at, row->name)) continue;
            exists = true;
            if (row->type != DNS_TYPE_CNAME) continue;
            alias[alias_n++] = row;
            dns_name_from(slice_str(row->data), &at, NULL);
            more = true;
        }
        if (s->way == NS_CUT && more) break;
        if (more) exists = false; /* the next one may not */
    }
    dns_answer_open(&w, &out, room, &asked, exists || s->way == NS_LAME ? DNS_RCODE_NOERROR : DNS_RCODE_NXDOMAIN, 1232,
                    NULL);
    w.header.ra = s->way != NS_LAME;
    for (size_t i = 0; i < alias_n; i++) {
        const struct ns_record *row = alias[s->way == NS_REVERSED ? alias_n - 1 - i : i];
        struct dns_name name;
        dns_name_from(slice_str(row->name), &name, NULL);
        ns_put(&w, DNS_ANSWER, &name, row);
    }
    for (const struct ns_record *row = s->zone; row && row->name && s->way != NS_LAME; row++) {
        if (row->type != q->type || !ns_name_is(&at, row->name) || (s->way == NS_CUT && alias_n)) continue;
        ns_put(&w, DNS_ANSWER, &at, row);
        found++;
    }
    if (s->way == NS_NOISE) {
        static const struct ns_record lie[] = {{"", DNS_TYPE_A, 1, "203.0.113.66"},
                                               {"", DNS_TYPE_AAAA, 1, "2001:db8::66"}};
        const struct ns_record *row = &lie[q->type == DNS_TYPE_AAAA];
        struct dns_record r = dns_record_of(DNS_ANSWER, &at, row->type, 1);
        r.klass = DNS_CLASS_CH;
        r.form = DNS_FORM_RAW;
        r.rdata = LIT("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10");
        if (row->type == DNS_TYPE_A) r.rdata.len = 4;
        CHECK(dns_write_record(&w, &r, &err) == DNS_WROTE);
        ns_put(&w, DNS_AUTHORITY, &at, row);
        ns_put(&w, DNS_ADDITIONAL, &at, row);
    }
    bool silent = s->way == NS_LAME || s->way == NS_NO_SOA || (s->way == NS_CUT && alias_n);
    if (!found && !silent) {
        struct dns_name zone = DNS_NAME_ROOT;
        struct dns_record r = dns_record_of(DNS_AUTHORITY, &zone, DNS_TYPE_SOA, 3600);
        dns_name_from(LIT("ns.test"), &r.data.name, NULL);
        if (s->way == NS_OTHER_SOA) r.name = r.data.name;
        r.data.other = r.data.name;
        r.data.minimum = s->minimum;
        dns_write_record(&w, &r, NULL);
    }
    dns_write_end(&w, NULL);
    return out.len;
}

static inline size_t ns_error(const struct dns_query *q, unsigned rcode, bool bare, uint8_t *to) {
    struct buf out = {.ptr = to, .cap = DNS_MESSAGE, .max = DNS_MESSAGE};
    struct dns_writer w;
    if (bare)
        dns_refusal_write(&out, q, rcode, NULL);
    else if (dns_answer_open(&w, &out, 512, q, rcode, 1232, NULL))
        dns_write_end(&w, NULL);
    return out.len;
}

/* --- by UDP --- */

static inline void ns_send(int fd, const uint8_t *bytes, size_t len, const struct address *to) {
    if (sendto(fd, bytes, len, 0, &to->any, to->len) < 0) tap_note("sendto: %s", strerror(errno));
}

static inline void ns_forge(struct name_server *s, const struct dns_query *q, const struct address *to) {
    static const struct ns_record lie[] = {{"", DNS_TYPE_A, 60, "203.0.113.66"},
                                           {"", DNS_TYPE_AAAA, 60, "2001:db8::66"}};
    uint8_t bytes[DNS_MESSAGE];
    for (int kind = 0; kind < 6; kind++) {
        struct buf out = {.ptr = bytes, .cap = sizeof bytes, .max = sizeof bytes};
        struct dns_query forged = *q;
        struct dns_writer w;
        if (kind == 0) forged.header.id ^= 1;
        if (kind == 1) forged.type = forged.type == DNS_TYPE_A ? DNS_TYPE_AAAA : DNS_TYPE_A;
        if (kind == 2) dns_name_from(LIT("other.test"), &forged.name, NULL);
        dns_answer_open(&w, &out, 1232, &forged, kind == 5 ? DNS_RCODE_NXDOMAIN : DNS_RCODE_NOERROR, 1232, NULL);
        if (kind == 3) w.header.qr = false;
        if (kind == 5) w.header.id = (uint16_t)(w.header.id + 7);
        ns_put(&w, DNS_ANSWER, &forged.name, &lie[q->type == DNS_TYPE_AAAA]);
        dns_write_end(&w, NULL);
        int from = s->udp.fd;
        if (kind == 4) { /* right in everything, but from elsewhere */
            struct address other;
            address_read(LIT("127.0.0.99:0"), &other, NULL);
            from = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
            CHECK(bind(from, &other.any, other.len) == 0);
        }
        ns_send(from, bytes, out.len, to);
        if (kind == 4) close(from);
    }
}

static inline void ns_note(struct name_server *s, const struct dns_query *q, const struct address *from, bool tcp) {
    unsigned n = (s->asked + s->asked_tcp) % NS_LOG;
    struct dns_name lower = q->name;
    dns_name_lower(&lower);
    s->id[n] = q->header.id;
    s->port[n] = address_port(from);
    s->at_ms[n] = ns_now_us / 1000;
    s->edns_asked += q->has_edns;
    s->mixed += !dns_name_same(&lower, &q->name);
    s->last_size = q->has_edns ? q->edns.size : 0;
    struct buf text = {.ptr = (uint8_t *)s->last, .cap = sizeof s->last - 1, .max = sizeof s->last - 1};
    dns_name_add(&text, &lower);
    s->last[text.len] = 0;
    CHECK(q->header.rd && !q->header.qr && q->klass == DNS_CLASS_IN);
    if (tcp)
        s->asked_tcp++;
    else
        s->asked++;
}

static const struct dns_limits ns_limits = {.bytes = DNS_MESSAGE, .records = 10, .jumps = DNS_JUMPS};

/* The answer in s->message, or 0 for none. */
static inline size_t ns_think(struct name_server *s, struct dns_query *q, bool tcp) {
    uint8_t *to = s->message;
    switch (s->way) {
    case NS_SILENT:
    case NS_TINY: return 0;
    case NS_MUTE_V6:
        if (q->type == DNS_TYPE_AAAA) return 0;
        break;
    case NS_MUTE_V4:
        if (q->type == DNS_TYPE_A) return 0;
        break;
    case NS_ERROR: return ns_error(q, s->rcode, false, to);
    case NS_BARE_ERROR: return ns_error(q, s->rcode, true, to);
    case NS_NO_EDNS:
        if (q->has_edns) return ns_error(q, DNS_RCODE_FORMERR, s->rcode != 0, to);
        break;
    case NS_OLD_EDNS:
        if (q->has_edns) return ns_error(q, DNS_RCODE_BADVERS, false, to);
        break;
    case NS_WRONG_ID: q->header.id ^= 0x100; break;
    case NS_WRONG_NAME: dns_name_from(LIT("other.test"), &q->name, NULL); break;
    case NS_WRONG_TYPE: q->type = DNS_TYPE_TXT; break;
    default: break;
    }
    if (tcp && s->way == NS_TCP_WRONG) q->header.id ^= 0x100;
    bool cut = s->way >= NS_TRUNCATE && s->way <= NS_TCP_WRONG && !tcp;
    size_t room = tcp ? DNS_MESSAGE : dns_answer_room(q, 1232), len = ns_answer(s, q, to, room);
    if (cut) to[2] |= 2; /* TC */
    if (s->way == NS_TRUNCATE_MID && !tcp) len -= 6;
    if (s->way == NS_NO_ANSWER_BIT) to[2] &= 0x7f;
    if (s->way == NS_GARBAGE) {
        to[7] = 5; /* five answers are promised */
        to[11] = 0;
    }
    return len;
}

static inline void ns_udp_ready(struct loop_fd *w, unsigned ready) {
    (void)ready;
    struct name_server *s = LOOP_OWNER(struct name_server, udp, w);
    uint8_t bytes[2000];
    struct address from = {.len = sizeof from.un};
    ssize_t n;
    while ((n = recvfrom(w->fd, bytes, sizeof bytes, MSG_DONTWAIT, &from.any, &from.len)) > 0) {
        struct dns_query q;
        if (!CHECK(dns_query_read(&q, slice_of(bytes, (size_t)n), &ns_limits, &err) == STEP_EVENT)) continue;
        ns_note(s, &q, &from, false);
        if (s->way == NS_LIES_FIRST) ns_forge(s, &q, &from);
        if (s->way == NS_TINY) {
            ns_send(w->fd, bytes, 11, &from);
            ns_send(w->fd, bytes, 0, &from);
        }
        size_t len = ns_think(s, &q, false);
        if (len) ns_send(w->fd, s->message, len, &from);
        from.len = sizeof from.un;
    }
}

/* --- by TCP --- */

static inline void ns_hang_up(struct ns_connection *c) {
    if (!c->open) return;
    c->open = false;
    loop_task_remove(&c->task);
    loop_fd_remove(&c->fd);
    close(c->fd.fd);
    dns_frame_release(&c->frame);
}

static inline bool ns_write_on(struct loop_task *t) {
    struct ns_connection *c = LOOP_OWNER(struct ns_connection, task, t);
    size_t step = c->server->way == NS_TCP_BYTES ? 1 : c->out_len - c->out_done;
    ssize_t n = send(c->fd.fd, c->out + c->out_done, step, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN) {
        ns_hang_up(c);
        return false;
    }
    if (n > 0) c->out_done += (size_t)n;
    if (c->out_done < c->out_len) return true;
    if (c->server->way == NS_TCP_CLOSE) ns_hang_up(c);
    return false;
}

static inline void ns_tcp_ready(struct loop_fd *w, unsigned ready) {
    (void)ready;
    struct ns_connection *c = LOOP_OWNER(struct ns_connection, fd, w);
    struct name_server *s = c->server;
    uint8_t bytes[2000];
    struct slice message;
    struct address from = {.len = sizeof from.un};
    ssize_t n = recv(w->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n <= 0) {
        if (n == 0 || errno != EAGAIN) ns_hang_up(c);
        return;
    }
    getpeername(w->fd, &from.any, &from.len);
    if (dns_frame_feed(&c->frame, slice_of(bytes, (size_t)n), &message, NULL).step != STEP_EVENT) return;
    struct dns_query q;
    if (!CHECK(dns_query_read(&q, message, &ns_limits, &err) == STEP_EVENT)) return;
    ns_note(s, &q, &from, true);
    if (s->way == NS_TRUNCATE_MUTE) return;
    size_t len = ns_think(s, &q, true);
    c->out[0] = (uint8_t)(len >> 8);
    c->out[1] = (uint8_t)len;
    memcpy(c->out + 2, s->message, len);
    c->out_len = len + 2;
    c->out_done = 0;
    if (s->way == NS_TCP_CLOSE) c->out_len = len / 2;
    if (s->way == NS_TCP_LENGTH) {
        c->out[0] = 0;
        c->out[1] = 3;
    }
    loop_task_queue(loop, &c->task, LOOP_LATER);
}

static inline void ns_accept(struct listener *li, int fd, const struct address *peer) {
    (void)peer;
    struct name_server *s = LOOP_OWNER(struct name_server, tcp, li);
    for (size_t i = 0; i < sizeof s->connection / sizeof s->connection[0]; i++) {
        struct ns_connection *c = &s->connection[i];
        if (c->open) continue;
        c->open = true;
        c->server = s;
        c->task = (struct loop_task)LOOP_TASK(ns_write_on, "server");
        c->fd = (struct loop_fd){.call = ns_tcp_ready, .name = "server"};
        dns_frame_init(&c->frame, DNS_MESSAGE);
        if (loop_fd_add(loop, &c->fd, fd, LOOP_READ, NULL)) return;
        c->open = false;
        break;
    }
    close(fd);
}

/* --- beginning and ending --- */

/* On 127.0.0.2 (or `host`) at this port; 0: one is found. */
static inline bool ns_start(struct name_server *s, const char *host, uint16_t port, const struct ns_record *zone) {
    char text[60];
    *s = (struct name_server){.zone = zone, .minimum = 60};
    for (int attempt = 0; attempt < 20; attempt++) {
        snprintf(text, sizeof text, "%s:%u", host, port);
        if (!address_read(slice_str(text), &s->at, &err)) return false;
        int fd = socket(s->at.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (bind(fd, &s->at.any, s->at.len) || !listen_address(fd, &s->at, &err)) {
            close(fd);
            return false;
        }
        int tcp = listen_open(&s->at, &err);
        if (tcp < 0) {
            close(fd);
            if (port) return false;
            continue;
        }
        s->udp = (struct loop_fd){.call = ns_udp_ready, .name = "server"};
        s->tcp = (struct listener){.call = ns_accept, .name = "server"};
        return loop_fd_add(loop, &s->udp, fd, LOOP_READ, &err) && listener_start(&s->tcp, loop, tcp, &err);
    }
    return false;
}

static inline void ns_stop(struct name_server *s) {
    if (!s->udp.loop) return;
    for (size_t i = 0; i < sizeof s->connection / sizeof s->connection[0]; i++) ns_hang_up(&s->connection[i]);
    listener_stop(&s->tcp);
    loop_fd_remove(&s->udp);
    close(s->udp.fd);
}

#endif
