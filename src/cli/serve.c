/* serve.c - options, the reactor and its wiring; see serve.h. */
#include "cli/serve.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/file.h"
#include "loop/listen.h"
#include "warden/warden.h"
#include "wire/tls.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#define DOORS_MOST 8
#define RELOAD_MS  1000 /* answers under way have so long when certificates are read anew: new clients wait as long */

struct serve_door {
    const char *address;
    bool tls;
};

struct serve_options {
    struct serve_door doors[DOORS_MOST];
    unsigned door_n;
    const char *cert, *key, *user, *folder, *upload;
    int64_t began_us;
};

struct serve;

struct serve_listen {
    struct call call;
    struct serve *serve;
    const struct serve_door *door;
};

/* The reactor's own things. */
struct serve {
    const struct serve_options *options;
    struct loop *loop;
    struct port warden, disk;
    struct http_server *server;
    struct tls_server *tls;
    struct serve_routes *routes;
    struct serve_listen listens[DOORS_MOST];
    struct call restart;
    unsigned listening;
    bool reloads;
};

static const char usage[] =
    "usage: startbox serve --http ADDR:PORT [--https ADDR:PORT --cert FILE --key FILE] [--upload DIR] [--user NAME] "
    "[DIR]\n"
    "\n"
    "Serves DIR over HTTP/1.1, and beside it /hello, POST /echo, /ws/echo, /ws/all and /events.\n"
    "--http and --https may be given several times; an address is like 127.0.0.1:8080, [::1]:8080 or :8080.\n";

/* --- options --- */

static int refuse(const char *why, const char *what) {
    fprintf(stderr, "startbox serve: %s%s%s\n\n%s", why, what ? " " : "", what ? what : "", usage);
    return 2;
}

static int add_door(struct serve_options *o, const char *address, bool tls) {
    struct address a;
    struct err e = ERR_INIT;
    if (!address_read(slice_str(address), &a, &e)) return refuse(e.text, NULL);
    if (o->door_n == DOORS_MOST) return refuse("one address too many:", address);
    o->doors[o->door_n++] = (struct serve_door){address, tls};
    return 0;
}

static int read_options(int argc, char **argv, struct serve_options *o) {
    for (int i = 0; i < argc; i++) {
        const char *word = argv[i];
        if (word[0] != '-') {
            if (o->folder) return refuse("one folder at most, found a second:", word);
            o->folder = word;
            continue;
        }
        if (!strcmp(word, "--help")) {
            fputs(usage, stdout);
            exit(0);
        }
        const char *value = i + 1 < argc ? argv[++i] : NULL;
        if (!value) return refuse("want a value behind", word);
        int code = 0;
        if (!strcmp(word, "--http"))
            code = add_door(o, value, false);
        else if (!strcmp(word, "--https"))
            code = add_door(o, value, true);
        else if (!strcmp(word, "--cert"))
            o->cert = value;
        else if (!strcmp(word, "--key"))
            o->key = value;
        else if (!strcmp(word, "--user"))
            o->user = value;
        else if (!strcmp(word, "--upload"))
            o->upload = value;
        else
            return refuse("there is no option", word);
        if (code) return code;
    }
    bool tls = false;
    for (unsigned i = 0; i < o->door_n; i++) tls |= o->doors[i].tls;
    if (!o->door_n) return refuse("want --http or --https with an address", NULL);
    if (tls && (!o->cert || !o->key)) return refuse("--https wants --cert and --key", NULL);
    if (!tls && (o->cert || o->key)) return refuse("--cert and --key want --https", NULL);
    return 0;
}

/* --- the reactor --- */

static void fail(struct serve *s, const struct err *e) {
    log_warn("startbox serve: %s", e->text);
    loop_stop(s->loop, err_exit(e->code)); /* of the first reactor that is the end (docs/warden.md) */
}

static struct stream_filter *cipher(void *arg, struct err *e) {
    return tls_accept(arg, e);
}

static void listened(struct call *c, struct call_answer *a) {
    struct serve_listen *l = LOOP_OWNER(struct serve_listen, call, c);
    struct serve *s = l->serve;
    struct err e = a->err;
    int fd = call_answer_take_fd(a, 0);
    if (e.code == ERR_NONE && fd < 0) err_set(&e, ERR_NETWORK, "the warden gave no socket for %s", l->door->address);
    if (e.code == ERR_NONE) http_server_listen(s->server, fd, l->door->tls ? cipher : NULL, s->tls, &e);
    if (e.code != ERR_NONE) {
        fail(s, &e);
        return;
    }
    struct slice text = val_as_text(val_get(&a->result, LIT("address")));
    log_note("serving %s://%.*s/", l->door->tls ? "https" : "http", (int)text.len, (const char *)text.ptr);
    if (++s->listening == s->options->door_n)
        log_note("ready after %.1f ms", (double)(clock_mono_us() - s->options->began_us) / 1000);
}

static void stopped(void *arg) {
    struct serve *s = arg;
    loop_stop(s->loop, 0);
}

static void noticed(struct port *p, struct slice name, const struct val *value, struct link_frame *frame) {
    struct serve *s = LOOP_OWNER(struct serve, warden, p);
    struct err e = ERR_INIT;
    if (slice_eq(name, LIT("end")))
        http_server_stop(s->server, s->reloads ? RELOAD_MS : 0, stopped, s);
    else if (slice_eq(name, LIT("reload"))) {
        /* Certificates are read by a new reactor: this one cannot open files. */
        s->reloads = true;
        if (!call_is_open(&s->restart) &&
            !call_start(&s->restart, &s->warden, "restart", val_empty_map(), NULL, 0, 0, &e))
            log_warn("not begun anew: %s", e.text);
    } else if (slice_eq(name, LIT("hand")) && val_is_text(val_get(value, LIT("hand")), LIT("disk"))) {
        port_stop(&s->disk);
        serve_routes_new_disk(s->routes);
        if (!port_start(&s->disk, s->loop, link_frame_take_fd(frame, 0), &e)) fail(s, &e);
    }
}

static void ignore(struct call *c, struct call_answer *a) {
    (void)c;
    if (a->err.code != ERR_NONE) log_warn("%s", a->err.text);
}

static void warden_gone(struct port *p) {
    struct serve *s = LOOP_OWNER(struct serve, warden, p);
    loop_stop(s->loop, 1);
}

/* A tenth of the board's memory: some 26 KiB each at most. */
static unsigned find_tls_connections(void) {
    struct sysinfo facts;
    if (sysinfo(&facts)) return LIMIT_TLS_CONNECTIONS;
    uint64_t n = (uint64_t)facts.totalram * facts.mem_unit / 10 / (26u << 10);
    return n < LIMIT_TLS_CONNECTIONS    ? LIMIT_TLS_CONNECTIONS
           : n > LIMIT_HTTP_CONNECTIONS ? LIMIT_HTTP_CONNECTIONS
                                        : (unsigned)n;
}

static bool read_certificates(struct serve *s, struct err *e) {
    const struct serve_options *o = s->options;
    if (!o->cert) return true;
    struct buf cert, key;
    buf_init(&cert, LIMIT_PEM);
    buf_init(&key, LIMIT_PEM);
    const struct tls_server_limits limits = {.connections = find_tls_connections()};
    bool good = file_read_path(o->cert, LIMIT_PEM, &cert, e) && file_read_path(o->key, LIMIT_PEM, &key, e) &&
                (s->tls = tls_server_new(s->loop, &limits, e)) != NULL &&
                tls_server_certificates(s->tls, &(struct tls_identity_text){buf_slice(&cert), buf_slice(&key)}, 1, e);
    if (key.ptr) explicit_bzero(key.ptr, key.len);
    buf_release(&key);
    buf_release(&cert);
    return good;
}

static struct http_limits find_limits(void) {
    struct http_limits l = http_limits;
    l.connections = http_server_room();
#ifdef STARTBOX_TEST
    /* Short, so that tests need not wait: build/test/startbox is for them. */
    l.idle_ms = 5000;
    l.head_ms = 2000;
    l.pace_ms = 2000;
    l.pace = 256;
    l.ping_ms = 3000;
    l.linger_ms = 500;
    l.end_ms = 3000;
#endif
    return l;
}

static bool open_all(struct serve *s, const struct warden_birth *birth, struct err *e) {
    const struct serve_options *o = s->options;
    if (!(s->loop = loop_new(e)) || !read_certificates(s, e)) return false;
    const struct http_limits limits = find_limits();
    s->warden.notice = noticed;
    s->warden.gone = warden_gone;
    s->warden.name = "warden";
    s->disk.name = "disk";
    s->restart.done = ignore;
    if (!port_start(&s->warden, s->loop, birth->warden_fd, e)) return false;
    if (birth->disk_fd >= 0 && !port_start(&s->disk, s->loop, birth->disk_fd, e)) return false;
    if (!(s->routes = serve_routes_new(s->loop, &s->disk, o->folder != NULL, o->upload != NULL, e))) return false;
    unsigned n;
    const struct http_route *table = serve_routes_table(s->routes, &n);
    if (!(s->server = http_server_new(s->loop, table, n, &limits, e))) return false;
    serve_routes_server(s->routes, s->server);
    struct jail_report report = {0};
    if (!jail_enter(&birth->jail, &report, e)) return false;
    if (birth->round == 0)
        log_note("sealed: seccomp %s, landlock %s, uid %u", report.seccomp ? "on" : "off",
                 report.landlock ? "on" : "off", (unsigned)getuid());
    for (unsigned i = 0; i < o->door_n; i++) {
        struct serve_listen *l = &s->listens[i];
        *l = (struct serve_listen){.call = {.done = listened}, .serve = s, .door = &o->doors[i]};
        char what[16];
        snprintf(what, sizeof what, "door%u", i);
        struct val args = VAL_MAP_OF({"kind", val_of_str("tcp")}, {"address", val_of_str(o->doors[i].address)},
                                     {"for", val_of_str(what)});
        if (!call_start(&l->call, &s->warden, "listen", args, NULL, 0, 0, e)) return false;
    }
    return true;
}

static void tell_counts(const struct serve *s) {
    struct http_counts c = http_server_counts(s->server);
    struct loop_stats l = loop_stats(s->loop);
    log_note("served requests=%llu connections=%llu refused=%llu evicted=%llu timeouts=%llu slowest_us=%llu slowest=%s",
             (unsigned long long)c.requests, (unsigned long long)c.accepted, (unsigned long long)c.refused,
             (unsigned long long)c.evicted, (unsigned long long)c.timeouts, (unsigned long long)l.slowest_us,
             l.slowest ? l.slowest : "-");
}

static int run_reactor(const struct warden_birth *birth, void *arg) {
    struct serve s = {.options = arg};
    struct err e = ERR_INIT;
    int code = 1;
    if (open_all(&s, birth, &e)) {
        code = loop_run(s.loop);
        tell_counts(&s);
    } else {
        log_warn("startbox serve: %s", e.text);
        code =
            birth->round == 0 ? err_exit(e.code) : 1; /* a later one tries again: the mistake may be mended meanwhile */
    }
    /* All is given back, so that a sanitizer has the last word. */
    if (s.server) {
        http_server_abort(s.server);
        loop_turn(s.loop, 0);
        http_server_free(s.server);
    }
    serve_routes_free(s.routes);
    tls_server_free(s.tls);
    port_stop(&s.disk);
    port_stop(&s.warden);
    if (s.loop) {
        loop_turn(s.loop, 0);
        loop_free(s.loop);
    }
    return code;
}

int serve_main(int argc, char **argv) {
    struct serve_options o = {.began_us = clock_mono_us()};
    int code = read_options(argc, argv, &o);
    if (code) return code;
    struct warden_root roots[2];
    unsigned n = 0;
    if (o.folder) roots[n++] = (struct warden_root){"web", o.folder, false};
    if (o.upload) roots[n++] = (struct warden_root){"upload", o.upload, true};
    const struct warden_config config = {
        .user = o.user ? o.user : "startbox", .roots = roots, .root_n = n, .reactor = run_reactor, .arg = &o};
    return warden_run(&config);
}
