/* doors.c - what the daemon listens on, what stands behind it, and the files of the run directory that tell of it. */
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "net/authority.h"
#include "protocols/json.h"
#include "startd/room.h"

#include <stdio.h>
#include <sys/sysinfo.h>
#include <unistd.h>

/* --- pages --- */

#define PAGE(title, text)                                                                                              \
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" "                                \
    "content=\"width=device-width\">" title "<body>\n" text
#define TITLE(text) "<title>startbox</title>\n<h1>" text "</h1>\n"

/* Until the real page is built in: what the box waits for, and where to go on. */
static const char *page_of(unsigned phase) {
    switch (phase) {
    case PHASE_INIT:
        return PAGE("<meta http-equiv=\"refresh\" content=\"1\"><title>startbox</title>",
                    "<h1>Loading</h1>\n<p>The box is starting.</p>\n");
    case PHASE_SETUP:
        return PAGE(
            TITLE("This box waits for its owner"),
            "<p>Its page is not built in yet. On the box: <code>start-cli setup execute --name NAME</code>, then "
            "<code>start-cli setup exit</code>. Or put <code>startbox-setup.json</code> on its boot "
            "partition.</p>\n");
    case PHASE_DIAGNOSTIC:
        return PAGE(TITLE("This box is in trouble"),
                    "<p>It cannot start. <code>start-cli diagnostic error</code> says why, <code>start-cli diagnostic "
                    "logs</code> what came before, and <code>start-cli diagnostic restart</code> tries again.</p>\n");
    default:
        return PAGE(
            TITLE("startbox"),
            "<p>This box is up. Its page is not built in yet: use <code>start-cli</code>, or give the daemon a page "
            "with <code>--web DIR</code>.</p>\n");
    }
}

static void show_page(struct http_exchange *x, const struct http_request *r) {
    struct daemon *d = http_arg(x);
    (void)r;
    http_reply(x, 200, LIT("text/html; charset=utf-8"),
               LIT("Cache-Control: no-cache\r\nContent-Security-Policy: default-src 'self'\r\n"
                   "X-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\n"),
               slice_str(page_of(rpc_phase_now(d->rpc))));
}
static const struct http_handler page_handler = {.name = "page", .begin = show_page};

static void show_health(struct http_exchange *x, const struct http_request *r) {
    struct daemon *d = http_arg(x);
    (void)r;
    switch (rpc_phase_now(d->rpc)) {
    case PHASE_RUN:
    case PHASE_SETUP: http_reply(x, 200, LIT("text/plain"), LIT(""), LIT("ok\n")); return;
    case PHASE_INIT: http_reply(x, 503, LIT("text/plain"), LIT("Retry-After: 1\r\n"), LIT("starting\n")); return;
    default: http_reply(x, 503, LIT("text/plain"), LIT(""), LIT("in trouble\n")); return;
    }
}
static const struct http_handler health_handler = {.name = "health", .begin = show_health};

static void refuse_get(struct http_exchange *x, const struct http_request *r) {
    (void)r;
    http_reply(x, 405, LIT("text/plain; charset=utf-8"), LIT("Allow: POST, OPTIONS\r\n"), LIT("Method Not Allowed\n"));
}
static const struct http_handler only_post_handler = {.name = "only post", .begin = refuse_get};

/* No call begins a transfer yet, so every guid is unknown. */
static void refuse_guid(struct http_exchange *x, const struct http_request *r) {
    (void)r;
    http_reply(x, 404, LIT("text/plain; charset=utf-8"), LIT(""), LIT("Not Found\n"));
}
static const struct http_handler no_transfer_handler = {.name = "no transfer", .begin = refuse_guid};

static void show_root(struct http_exchange *x, const struct http_request *r) {
    struct daemon *d = http_arg(x);
    struct slice root = d->state && d->state_stood ? authority_identity(d->state).root : slice_of(NULL, 0);
    (void)r;
    if (root.len)
        http_reply(x, 200, LIT("application/x-x509-ca-cert"),
                   LIT("Content-Disposition: attachment; filename=\"startbox.crt\"\r\nCache-Control: no-cache\r\n"),
                   root);
    else
        http_reply(x, 404, LIT("text/plain; charset=utf-8"), LIT(""), LIT("Not Found\n"));
}
static const struct http_handler root_handler = {.name = "root ca", .begin = show_root};

/* --- routes --- */

bool doors_know(void *arg, struct slice host) {
    const struct daemon *d = arg;
    if (!d->state || state_mode(d->state) == STATE_OPENING) return false;
    const struct val *server = val_get(val_get(state_peek(d->state), LIT("public")), LIT("serverInfo"));
    const struct val *net = val_get(val_get(server, LIT("network")), LIT("host"));
    struct slice name = val_as_text(val_get(server, LIT("hostname"))), local = host;
    if (slice_ends(host, LIT(".local"))) local.len -= sizeof ".local" - 1;
    return slice_eq_nocase(local, name) || !val_is_none(val_get(val_get(net, LIT("publicDomains")), host)) ||
           !val_is_none(val_get(val_get(net, LIT("privateDomains")), host));
}

static void add(struct daemon *d, struct http_route route) {
    must(d->route_n < ROUTES_MOST);
    d->routes[d->route_n++] = route;
}

bool doors_make(struct daemon *d, const struct http_limits *limits, struct err *e) {
    const struct startd_options *o = d->options;
    const unsigned get = HTTP_METHOD(HTTP1_METHOD_GET), post = HTTP_METHOD(HTTP1_METHOD_POST),
                   options = HTTP_METHOD(HTTP1_METHOD_OPTIONS);
    d->rpc_door =
        (struct rpc_door){.rpc = d->rpc, .auth = d->auth, .knows_host = doors_know, .arg = d, .origins = o->origins};
    rpc_door_init(&d->rpc_door);
    feed_door_init(&d->feed_door, d->feeds);
    if (o->web && !(d->files = http_files_new(d->loop, &d->disk, "web", e))) return false;
    if (d->files) http_files_one_page(d->files);
    add(d, (struct http_route){"/rpc/", true, post, LIMIT_RPC_BODY, &rpc_door_handler, &d->rpc_door});
    add(d, (struct http_route){"/rpc/", true, options, 0, &rpc_preflight_handler, &d->rpc_door});
    add(d, (struct http_route){"/rpc/", true, get, 0, &only_post_handler, d});
    add(d, (struct http_route){"/ws/rpc/", true, get, 0, &websocket_begin_handler, &d->feed_door.door});
    const unsigned any = HTTP_READING | post | HTTP_METHOD(HTTP1_METHOD_PUT);
    add(d, (struct http_route){"/rest/rpc/", true, any, UINT64_MAX, &no_transfer_handler, d});
    add(d, (struct http_route){"/metrics", false, HTTP_READING, 0, &prometheus_handler, d});
    add(d, (struct http_route){"/healthz", false, HTTP_READING, 0, &health_handler, d});
    add(d, (struct http_route){"/static/local-root-ca.crt", false, HTTP_READING, 0, &root_handler, d});
    if (d->files)
        add(d, (struct http_route){"/", true, HTTP_READING, 0, &http_files_handler, d->files});
    else
        add(d, (struct http_route){"/", true, HTTP_READING, 0, &page_handler, d});
    return (d->server = http_server_new(d->loop, d->routes, d->route_n, limits, e)) != NULL;
}

/* --- listening --- */

static struct stream_filter *cipher(void *arg, struct err *e) {
    return tls_accept(arg, e);
}

static void listened(struct call *c, struct call_answer *a) {
    struct daemon_listen *l = LOOP_OWNER(struct daemon_listen, call, c);
    struct daemon *d = l->daemon;
    struct err e = a->err;
    int fd = call_answer_take_fd(a, 0);
    if (e.code == ERR_NONE && fd < 0) err_set(&e, ERR_NETWORK, "the warden gave no socket");
    bool tls = l->door && l->door->tls;
    if (e.code == ERR_NONE) http_server_listen(d->server, fd, tls ? cipher : NULL, d->tls, &e);
    if (e.code != ERR_NONE) {
        if (l->door) err_context(&e, "%s", l->door->address);
        daemon_fail(d, &e);
        return;
    }
    l->address = val_ref(val_get(&a->result, LIT("address")));
    d->listening++;
    daemon_look(d);
}

static bool listen_on(struct daemon *d, unsigned i, const struct startd_door *door, struct err *e) {
    struct daemon_listen *l = &d->listens[i];
    char what[16];
    *l = (struct daemon_listen){.call = {.done = listened}, .daemon = d, .door = door};
    snprintf(what, sizeof what, "door%u", i);
    d->wanted++;
    struct val args = door ? VAL_MAP_OF({"kind", val_of_str("tcp")}, {"address", val_of_str(door->address)},
                                        {"for", val_of_str(what)})
                           : VAL_MAP_OF({"kind", val_of_str("unix")}, {"root", val_of_str("run")},
                                        {"path", val_of_str("rpc.sock")}, {"mode", val_of_u64(0600)});
    return call_start(&l->call, &d->warden, "listen", args, NULL, 0, 0, e);
}

static bool listen_all(struct daemon *d, bool tls, struct err *e) {
    for (unsigned i = 0; i < d->options->door_n; i++)
        if (d->options->doors[i].tls == tls && !listen_on(d, i, &d->options->doors[i], e)) return false;
    return true;
}

bool doors_listen(struct daemon *d, struct err *e) {
    return listen_all(d, false, e) && listen_on(d, d->options->door_n, NULL, e);
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

/* The addresses that doors are bound to stand in the certificate too. */
static size_t list_ips(const struct daemon *d, struct address *room, struct x509_alt *ips) {
    size_t n = 0;
    for (unsigned i = 0; i < d->options->door_n; i++) {
        struct address *a = &room[n];
        if (!address_read(slice_str(d->options->doors[i].address), a, NULL)) continue;
        if (a->any.sa_family == AF_INET && a->v4.sin_addr.s_addr)
            ips[n++] = (struct x509_alt){X509_ALT_IP, slice_of(&a->v4.sin_addr, 4)};
        else if (a->any.sa_family == AF_INET6 && !IN6_IS_ADDR_UNSPECIFIED(&a->v6.sin6_addr))
            ips[n++] = (struct x509_alt){X509_ALT_IP, slice_of(&a->v6.sin6_addr, 16)};
    }
    return n;
}

bool doors_certify(struct daemon *d, struct err *e) {
    struct address room[DOORS_MOST];
    struct x509_alt ips[DOORS_MOST];
    const struct val *server = val_get(val_get(state_peek(d->state), LIT("public")), LIT("serverInfo"));
    const struct authority_wants want = {.hostname = val_as_text(val_get(server, LIT("hostname"))),
                                         .ips = ips,
                                         .ip_n = list_ips(d, room, ips),
                                         .now_s = clock_wall_ms() / 1000,
                                         .clock_trusted = d->clock_trusted};
    const struct tls_server_limits limits = {.connections = find_tls_connections()};
    bool changed, first = !d->tls;
    if (!authority_keep(d->state, &want, &changed, e)) return false;
    if (!changed && !first) return true;
    if (first && !(d->tls = tls_server_new(d->loop, &limits, e))) return false;
    struct authority_identity id = authority_identity(d->state);
    struct buf chain;
    buf_init(&chain, LIMIT_PEM);
    bool good = (buf_add(&chain, id.leaf) && buf_add(&chain, id.root)) || err_nomem(e, "certificates");
    const struct tls_identity_text text = {buf_slice(&chain), id.key};
    good = good && tls_server_certificates(d->tls, &text, 1, e);
    buf_release(&chain);
    return good;
}

bool doors_listen_tls(struct daemon *d, struct err *e) {
    return listen_all(d, true, e);
}

/* --- the files of the run directory --- */

static bool put_file(struct daemon *d, const char *name, struct slice bytes, unsigned mode, struct err *e) {
    struct val args = VAL_MAP_OF({"root", val_of_str("run")}, {"path", val_of_str(name)},
                                 {"bytes", val_of_bytes(bytes)}, {"mode", val_of_u64(mode)});
    return call_start(&d->files_call, &d->disk, "disk.replace", args, NULL, 0, 0, e);
}

static bool put_ready(struct daemon *d, struct err *e) {
    struct val http = val_empty_array(), https = val_empty_array();
    struct buf text;
    bool good = true;
    buf_init(&text, 65536);
    for (unsigned i = 0; good && i < d->options->door_n; i++)
        if (!val_is_none(&d->listens[i].address))
            good = val_push(d->options->doors[i].tls ? &https : &http, val_ref(&d->listens[i].address));
    struct val ready = VAL_MAP_OF({"pid", val_of_u64((uint64_t)getppid())}, {"version", val_of_str(STARTBOX_VERSION)},
                                  {"http", http}, {"https", https}, {"socket", val_of_str("rpc.sock")});
    bool claims = rpc_phase_now(d->rpc) == PHASE_SETUP && system_claim(d->system)[0];
    if (claims) good = good && val_set_str(&ready, "claim", val_of_str(system_claim(d->system)));
    good = good && json_write(&text, &ready, JSON_COMPACT, e) && buf_byte(&text, '\n') &&
           put_file(d, "ready", buf_slice(&text), claims ? 0600 : 0644, e);
    buf_release(&text);
    val_unref(&ready);
    return good;
}

static void ignore(struct call *c, struct call_answer *a) {
    (void)c, (void)a; /* it is written again before anybody is told that it is there */
}

static void put_next(struct daemon *d);

static void file_put(struct call *c, struct call_answer *a) {
    struct daemon *d = LOOP_OWNER(struct daemon, files_call, c);
    if (a->err.code != ERR_NONE) {
        daemon_fail(d, &a->err);
        return;
    }
    put_next(d);
}

/* The cookie before the word that it is there. */
static void put_next(struct daemon *d) {
    struct err e = ERR_INIT;
    bool good = true;
    switch (d->file_step++) {
    case 0: good = put_file(d, "rpc.authcookie", auth_cookie(d->auth), 0600, &e); break;
    case 1: good = put_ready(d, &e); break;
    default: return;
    }
    if (!good) daemon_fail(d, &e);
}

void doors_cookie(struct daemon *d) {
    struct err e = ERR_INIT;
    d->files_call = (struct call){.done = ignore};
    if (!put_file(d, "rpc.authcookie", auth_cookie(d->auth), 0600, &e))
        log_warn("the cookie is not written yet: %s", e.text);
}

void doors_ready(struct daemon *d) {
    call_cancel(&d->files_call);
    d->files_call = (struct call){.done = file_put};
    d->file_step = 0;
    put_next(d);
}

/* The socket by the warden, who made it. */
static bool remove_one(struct daemon *d, unsigned step) {
    static const char *const names[] = {"ready", "rpc.authcookie"};
    struct err e = ERR_INIT;
    if (step < 2)
        return port_up(&d->disk) &&
               call_start(&d->files_call, &d->disk, "disk.remove",
                          VAL_MAP_OF({"root", val_of_str("run")}, {"path", val_of_str(names[step])}), NULL, 0, 0, &e);
    return step == 2 && call_start(&d->files_call, &d->warden, "unlisten",
                                   VAL_MAP_OF({"kind", val_of_str("unix")}, {"root", val_of_str("run")},
                                              {"path", val_of_str("rpc.sock")}),
                                   NULL, 0, 0, &e);
}

static void remove_next(struct daemon *d) {
    while (d->file_step < 3)
        if (remove_one(d, d->file_step++)) return;
    d->gone(d);
}

static void file_removed(struct call *c, struct call_answer *a) {
    (void)a; /* what stays is replaced by the next start */
    remove_next(LOOP_OWNER(struct daemon, files_call, c));
}

void doors_unready(struct daemon *d, void (*gone)(struct daemon *d)) {
    call_cancel(&d->files_call);
    d->files_call = (struct call){.done = file_removed};
    d->file_step = 0;
    d->gone = gone;
    remove_next(d);
}
