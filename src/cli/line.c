/* line.c - see line.h. Each call has a connection of its own; a feed is a WebSocket. */
#include "cli/line.h"

#include "base/clock.h"
#include "base/hex.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/rng.h"
#include "loop/file.h"
#include "out/conn.h"
#include "protocols/authsig.h"
#include "protocols/http1.h"
#include "protocols/json.h"
#include "protocols/jsonrpc.h"
#include "protocols/url.h"
#include "protocols/websocket.h"
#include "protocols/wshandshake.h"

#include <stdio.h>

#define CONNECT_MS  10000
#define ANSWER_MOST ((size_t)256 << 20)
#define ROOTS_MOST  ((size_t)4 << 20)

enum line_state { LINE_DIALLING, LINE_ANSWER, LINE_SOCKET, LINE_OVER };

struct line {
    struct loop *loop;
    struct resolver *resolver;
    struct tls_client *tls;
    struct slice host, authority; /* of the URL; into host_text */
    uint16_t port;
    bool secure;
    char socket[200], host_text[300], cookie[300];
    bool has_key, learns;
    struct ed25519ph_key signer;

    /* the exchange at hand */
    enum line_state state;
    struct conn *conn;
    struct buf request, body;
    struct http1 reader;
    struct http_field fields[LIMIT_HTTP1_HEADERS];
    unsigned status;
    bool is_json;
    struct websocket frames;
    uint8_t key[WSHANDSHAKE_KEY_LEN];
    struct buf message;
    bool (*each)(void *arg, struct slice text);
    void *arg;
    struct err err; /* code ERR_NONE: it went well */
};

/* --- the exchange --- */

static void end(struct line *l) {
    l->state = LINE_OVER;
    if (l->conn) conn_drop(l->conn, false);
    l->conn = NULL;
    loop_stop(l->loop, 0);
}

static void fail(struct line *l, const struct err *e) {
    if (l->state == LINE_OVER) return;
    l->err = *e;
    end(l);
}

static void take_head(struct line *l, const struct http1_head *head) {
    const struct http_field *type = http_field_find(head->fields, head->field_n, LIT("content-type"));
    l->status = head->status;
    l->is_json = type && slice_eq(type->value, LIT("application/json"));
    if (!l->each || head->status != 101) return;
    const struct http_field *accept = http_field_find(head->fields, head->field_n, LIT("sec-websocket-accept"));
    const struct wshandshake_answer answer = {.status = head->status,
                                              .upgrade = LIT("websocket"),
                                              .connection = LIT("upgrade"),
                                              .accept = accept ? accept->value : slice_of(NULL, 0)};
    struct wsdeflate_params agreed;
    bool found;
    struct err e = ERR_INIT;
    if (wshandshake_check_answer(&answer, slice_of(l->key, sizeof l->key), slice_of(NULL, 0), NULL, &found, &agreed,
                                 &e))
        l->state = LINE_SOCKET;
    else
        fail(l, &e);
}

static void read_answer(struct line *l) {
    struct stream *s = &l->conn->s;
    struct err e = ERR_INIT;
    while (l->state == LINE_ANSWER) { /* the end of a message is told behind its last byte */
        struct http1_event ev = {0};
        struct fed fed = http1_feed(&l->reader, stream_data(s), &ev, &e);
        bool more = fed.step == STEP_EVENT;
        if (fed.step == STEP_BAD) {
            fail(l, &e);
            return;
        }
        if (more && ev.kind == HTTP1_EVENT_HEAD) take_head(l, ev.head);
        if (more && ev.kind == HTTP1_EVENT_BODY && !buf_add(&l->body, ev.data)) {
            err_set(&e, ERR_LIMIT, "the answer is too long");
            fail(l, &e);
            return;
        }
        if (l->state == LINE_OVER) return;
        stream_eat(s, fed.used);
        if (more && ev.kind == HTTP1_EVENT_END && l->state == LINE_ANSWER) {
            end(l);
            return;
        }
        if (!more) return;
    }
}

static void pong(struct line *l, struct slice data) {
    uint8_t mask[4];
    struct buf out;
    rng_bytes(mask, sizeof mask);
    buf_init(&out, 256);
    if (websocket_write_pong(&out, data, mask, NULL)) stream_write(&l->conn->s, buf_slice(&out));
    buf_release(&out);
}

static void take_message(struct line *l, const struct websocket_event *ev) {
    if (ev->first) buf_reset(&l->message);
    if (!buf_add(&l->message, ev->data)) {
        struct err e = ERR_INIT;
        err_nomem(&e, "a message");
        fail(l, &e);
    } else if (ev->last && !l->each(l->arg, buf_slice(&l->message)))
        end(l);
}

static void closed(struct line *l, const struct websocket_event *ev) {
    struct err e = ERR_INIT;
    if (ev->code == WEBSOCKET_CLOSE_NORMAL) {
        end(l);
        return;
    }
    err_set(&e, ev->code == WEBSOCKET_CLOSE_POLICY ? ERR_AUTHORIZATION : ERR_NETWORK, "the daemon ended it: %.*s",
            (int)ev->data.len, (const char *)ev->data.ptr);
    fail(l, &e);
}

static void read_frames(struct line *l) {
    struct stream *s = &l->conn->s;
    struct err e = ERR_INIT;
    while (l->state == LINE_SOCKET && stream_data(s).len) {
        struct websocket_event ev = {0};
        struct fed fed = websocket_feed(&l->frames, stream_data(s), &ev, &e);
        if (fed.step == STEP_BAD) {
            fail(l, &e);
            return;
        }
        if (fed.step == STEP_EVENT) switch (ev.kind) {
            case WEBSOCKET_DATA: take_message(l, &ev); break;
            case WEBSOCKET_PING: pong(l, ev.data); break;
            case WEBSOCKET_PONG: break;
            case WEBSOCKET_CLOSED: closed(l, &ev); break;
            }
        if (l->state == LINE_OVER) return;
        stream_eat(s, fed.used);
        if (fed.step != STEP_EVENT && !fed.used) return;
    }
}

static void send_request(struct line *l) {
    struct err e = ERR_INIT;
    l->state = LINE_ANSWER;
    stream_deadline(&l->conn->s, 0);
    if (stream_write(&l->conn->s, buf_slice(&l->request))) return;
    err_set(&e, ERR_LIMIT, "the call is too long");
    fail(l, &e);
}

static void heard(struct conn *c, enum conn_event event) {
    struct line *l = c->owner;
    struct err e = ERR_INIT;
    switch (event) {
    case CONN_OPEN:
        if (!l->secure)
            send_request(l);
        else if (!conn_secure(c, l->tls, l->host, NULL, &e))
            fail(l, &e);
        return;
    case CONN_SECURE: send_request(l); return;
    case CONN_DATA:
        if (l->state == LINE_ANSWER) read_answer(l);
        if (l->state == LINE_SOCKET) read_frames(l);
        return;
    case CONN_END:
    case CONN_LATE:
        err_set(&e, ERR_NETWORK, "the daemon closed the line");
        fail(l, &e);
        return;
    case CONN_DRAINED: return;
    case CONN_FAILED:
        e = c->err;
        l->conn = NULL;
        fail(l, &e);
        return;
    }
}

/* One exchange: what l->request says, and what comes of it. */
static bool talk(struct line *l, struct err *e) {
    static const struct http1_limits limits = {.line = LIMIT_HTTP1_LINE,
                                               .head = LIMIT_HTTP1_HEAD,
                                               .trailer = LIMIT_HTTP1_TRAILER,
                                               .chunk_line = LIMIT_HTTP1_CHUNK_LINE,
                                               .chunk_extensions = LIMIT_HTTP1_CHUNK_EXT,
                                               .body = ANSWER_MOST};
    static const struct websocket_limits frames = {
        .frame = ANSWER_MOST, .message = ANSWER_MOST, .fragments = LIMIT_WS_FRAGMENTS, .controls = LIMIT_WS_CONTROLS};
    l->err = (struct err)ERR_INIT;
    l->state = LINE_DIALLING;
    l->status = 0;
    buf_reset(&l->body);
    http1_init(&l->reader, HTTP1_CLIENT, &limits, l->fields, LIMIT_HTTP1_HEADERS);
    http1_ask(&l->reader, l->each ? HTTP1_METHOD_GET : HTTP1_METHOD_POST);
    websocket_init(&l->frames, WEBSOCKET_CLIENT, &frames, false, NULL, 0);
    if (!(l->conn = conn_new(l->loop, l, heard, e))) return false;
    struct slice where = l->host.len ? l->host : slice_str(l->socket);
    conn_dial(l->conn, l->resolver, where, l->port, NULL, NULL, loop_now_ms(l->loop) + CONNECT_MS);
    loop_run(l->loop);
    http1_release(&l->reader);
    loop_turn(l->loop, 0); /* what was dropped is closed */
    if (l->err.code == ERR_NONE) return true;
    if (e) *e = l->err;
    return false;
}

static bool write_head(struct line *l, struct slice method, struct slice target, const struct http_field *more,
                       size_t more_n, struct err *e) {
    struct http_field fields[12] = {{LIT("Host"), l->host.len ? l->authority : LIT("localhost")},
                                    {LIT("User-Agent"), LIT("start-cli/" STARTBOX_VERSION)}};
    size_t n = 2;
    if (l->cookie[0]) fields[n++] = (struct http_field){LIT("Cookie"), slice_str(l->cookie)};
    for (size_t i = 0; i < more_n; i++) fields[n++] = more[i];
    buf_reset(&l->request);
    return http1_write_request(&l->request, method, target, fields, n, e);
}

/* --- calls --- */

static bool read_result(struct line *l, struct val *result, struct err *e) {
    static const struct json_limits limits = {.bytes = ANSWER_MOST, .depth = LIMIT_VAL_DEPTH};
    static const struct jsonrpc_rules rules = JSONRPC_HTTP(1);
    struct jsonrpc_item item;
    struct val v = val_none;
    if (l->status != 200 || !l->is_json) {
        struct slice text = slice_head(buf_slice(&l->body), 160);
        while (text.len && text.ptr[text.len - 1] == '\n') text.len--;
        return err_set(e, l->status == 413 ? ERR_LIMIT : ERR_NETWORK, "the daemon answered %.*s", (int)text.len,
                       (const char *)text.ptr);
    }
    if (!json_parse(buf_slice(&l->body), &limits, &v, e)) return false;
    bool good = jsonrpc_read_response(&v, &rules, &item, e);
    if (good && item.kind == JSONRPC_ERROR) good = jsonrpc_to_err(&item, e);
    if (good) *result = val_ref(item.result);
    val_unref(&v);
    return good;
}

/* Who has no session may sign: X-StartOS-Auth-Sig. */
static bool write_signature(const struct line *l, struct slice body, struct buf *out, struct err *e) {
    struct authsig s = {.timestamp = clock_wall_ms() / 1000, .nonce = rng_u64()};
    authsig_cover(&s, body);
    return authsig_sign(&s, &l->signer, l->host, e) && authsig_write(out, &s, e);
}

bool line_call(struct line *l, const char *method, const struct val *params, struct val *result, struct err *e) {
    struct buf body, signature;
    char length[24];
    uint64_t id = 0;
    const struct val none = val_empty_map();
    l->each = NULL;
    buf_init(&body, ANSWER_MOST);
    buf_init(&signature, 4096);
    bool good = jsonrpc_write_request(&body, true, slice_str(method), params ? params : &none, &id, JSON_COMPACT, e);
    snprintf(length, sizeof length, "%zu", body.len);
    good = good && (!l->has_key || write_signature(l, buf_slice(&body), &signature, e));
    const struct http_field fields[] = {{LIT("Content-Type"), LIT("application/json")},
                                        {LIT("Content-Length"), slice_str(length)},
                                        {LIT(AUTHSIG_HEADER), buf_slice(&signature)}};
    good = good && write_head(l, LIT("POST"), LIT("/rpc/v1"), fields, signature.len ? 3 : 2, e) &&
           (buf_add(&l->request, buf_slice(&body)) || err_nomem(e, "a call")) && talk(l, e) &&
           read_result(l, result, e);
    if (body.ptr) explicit_bzero(body.ptr, body.len); /* it may hold a password */
    buf_release(&body);
    buf_release(&signature);
    if (l->request.ptr) explicit_bzero(l->request.ptr, l->request.len);
    return good;
}

bool line_feed(struct line *l, struct slice guid, bool (*each)(void *arg, struct slice text), void *arg,
               struct err *e) {
    char target[80];
    uint8_t nonce[16];
    rng_bytes(nonce, sizeof nonce);
    wshandshake_key(nonce, l->key);
    snprintf(target, sizeof target, "/ws/rpc/%.*s", (int)guid.len, (const char *)guid.ptr);
    const struct http_field fields[] = {{LIT("Upgrade"), LIT("websocket")},
                                        {LIT("Connection"), LIT("Upgrade")},
                                        {LIT("Sec-WebSocket-Version"), LIT(WSHANDSHAKE_VERSION)},
                                        {LIT("Sec-WebSocket-Key"), slice_of(l->key, sizeof l->key)}};
    l->each = each;
    l->arg = arg;
    if (!write_head(l, LIT("GET"), slice_str(target), fields, 4, e) || !talk(l, e)) return false;
    return l->status == 101 || err_set(e, ERR_NETWORK, "the daemon answered %u instead of a feed", l->status);
}

/* --- opening --- */

static bool read_file(const char *path, size_t most, struct buf *out, struct err *e) {
    buf_init(out, most + 1);
    return file_read_path(path, most, out, e);
}

static bool read_local_cookie(struct line *l, const char *run, struct err *e) {
    char path[260];
    struct buf text;
    snprintf(path, sizeof path, "%s/rpc.authcookie", run);
    bool good = read_file(path, 128, &text, e);
    if (good)
        snprintf(l->cookie, sizeof l->cookie, "local=%.*s", (int)text.len, (const char *)text.ptr);
    else
        err_context(e, "no daemon seems to run here (start it, or name its folder with --run)");
    buf_release(&text);
    return good;
}

static bool read_roots(struct line *l, const char *path, struct err *e) {
    struct buf text;
    struct tls_trust trust = {.clock_trusted = true};
    bool good = read_file(path, ROOTS_MOST, &text, e);
    trust.roots = buf_slice(&text);
    good = good && (l->tls = tls_client_new(l->loop, &trust, e)) != NULL;
    buf_release(&text);
    return good;
}

static bool open_pinned(struct line *l, const char *pin, struct err *e) {
    struct tls_trust trust = {.learn = !pin, .clock_trusted = true};
    struct buf bytes;
    buf_init(&bytes, 64);
    bool good = !pin || (hex_read(&bytes, slice_str(pin), NULL) && bytes.len == 32) ||
                err_set(e, ERR_INVALID, "what is remembered of this host is no pin");
    if (pin) trust.pin = bytes.ptr;
    l->learns = !pin;
    good = good && (l->tls = tls_client_new(l->loop, &trust, e)) != NULL;
    buf_release(&bytes);
    return good;
}

bool line_pin(const struct line *l, char pin[LINE_PIN]) {
    uint8_t bytes[32];
    struct buf text = {.ptr = (uint8_t *)pin, .cap = LINE_PIN - 1, .max = LINE_PIN - 1}; /* never grows */
    if (!l->learns || !l->tls || !tls_client_pin(l->tls, bytes)) return false;
    hex_add(&text, slice_of(bytes, sizeof bytes));
    pin[LINE_PIN - 1] = 0;
    return true;
}

static bool read_key(struct line *l, const char *path, struct err *e) {
    struct buf text;
    bool good =
        read_file(path, 4096, &text, e) && (l->has_key = ed25519ph_key_read_pem(&l->signer, buf_slice(&text), e));
    if (text.ptr) explicit_bzero(text.ptr, text.cap);
    buf_release(&text);
    return good;
}

static bool read_host(struct line *l, const struct line_config *c, struct err *e) {
    struct url u;
    snprintf(l->host_text, sizeof l->host_text, "%s%s", strstr(c->host, "://") ? "" : "https://", c->host);
    if (!url_read(slice_str(l->host_text), &u, e)) return false;
    l->secure = slice_eq_nocase(u.scheme, LIT("https"));
    if (!l->secure && !slice_eq_nocase(u.scheme, LIT("http")))
        return err_set(e, ERR_USAGE, "want http:// or https:// in front of the host");
    l->host = u.host;
    l->port = u.has_port ? u.port : url_default_port(u.scheme);
    l->authority =
        slice_of(u.host.ptr, (size_t)((u.path.len ? u.path.ptr : (const uint8_t *)l->host_text + strlen(l->host_text)) -
                                      u.host.ptr));
    if (u.host_kind == URL_IPV6) l->authority = slice_of(l->authority.ptr - 1, l->authority.len + 1);
    if (c->key && !read_key(l, c->key, e)) return false;
    if (c->cookie) snprintf(l->cookie, sizeof l->cookie, "%s", c->cookie);
    if (!l->secure) return true;
    return c->cacert ? read_roots(l, c->cacert, e) : open_pinned(l, c->pin, e);
}

/* Names are found as every program of this machine finds them. */
static bool open_resolver(struct line *l, struct err *e) {
    struct buf conf, hosts;
    read_file("/etc/resolv.conf", LIMIT_RESOLV_BYTES, &conf, NULL);
    read_file("/etc/hosts", LIMIT_HOSTS_BYTES, &hosts, NULL);
    const struct resolver_config names = {.resolv_conf = buf_slice(&conf), .hosts = buf_slice(&hosts)};
    l->resolver = resolver_new(l->loop, &names, e);
    buf_release(&conf);
    buf_release(&hosts);
    return l->resolver != NULL;
}

struct line *line_open(const struct line_config *c, struct err *e) {
    struct line *l = mem_get_zero(sizeof *l);
    if (!l) {
        err_nomem(e, "a line");
        return NULL;
    }
    buf_init(&l->request, ANSWER_MOST);
    buf_init(&l->body, ANSWER_MOST);
    buf_init(&l->message, ANSWER_MOST);
    bool good = (l->loop = loop_new(e)) != NULL;
    if (good && !c->host) {
        snprintf(l->socket, sizeof l->socket, "unix:%s/rpc.sock", c->run);
        good = read_local_cookie(l, c->run, e);
    } else if (good)
        good = open_resolver(l, e) && read_host(l, c, e);
    if (good) return l;
    line_close(l);
    return NULL;
}

void line_close(struct line *l) {
    if (!l) return;
    if (l->loop) loop_turn(l->loop, 0);
    resolver_free(l->resolver);
    tls_client_free(l->tls);
    buf_release(&l->request);
    buf_release(&l->body);
    buf_release(&l->message);
    explicit_bzero(l->cookie, sizeof l->cookie);
    ed25519ph_key_wipe(&l->signer);
    if (l->loop) loop_free(l->loop);
    mem_put(l, sizeof *l);
}
