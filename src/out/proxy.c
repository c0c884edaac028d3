/* proxy.c - see proxy.h. All texts are copied into one buffer; the slices point into it once it moves no more. */
#include "out/proxy.h"
#include "base/limits.h"

#include "base/ascii.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/num.h"
#include "protocols/url.h"

struct proxies {
    struct proxy plain, secure; /* host empty: none */
    struct buf texts[2];        /* of these: host, then credentials */
    struct buf none;            /* no_proxy */
};

/* The value of NAME in either case; ptr is NULL when there is none. */
static struct slice find_value(const char *const *environment, const char *lower, const char *upper) {
    const char *names[2] = {lower, upper};
    for (int i = 0; i < 2; i++)
        for (const char *const *v = environment; *v; v++) {
            struct slice text = slice_str(*v), name = slice_str(names[i]);
            if (slice_starts(text, name) && text.len > name.len && text.ptr[name.len] == '=')
                return slice_trim(slice_skip(text, name.len + 1));
        }
    return slice_of(NULL, 0);
}

static bool decode(struct buf *out, struct slice text, const char *what, struct err *e) {
    size_t mark = buf_mark(out);
    if (!url_decode(out, text, e)) return false;
    for (size_t i = mark; i < out->len; i++) {
        if (out->ptr[i] < 0x20 || out->ptr[i] == 0x7f)
            return err_set(e, ERR_INVALID, "want no control characters in the %s of a URL", what);
        if (*what == 'u' && out->ptr[i] == ':')
            return err_set(e, ERR_INVALID, "want no colon in the user name of a URL: HTTP cannot carry it");
    }
    return true;
}

bool proxy_credentials(struct buf *out, struct slice userinfo, struct err *e) {
    struct buf plain;
    size_t mark = buf_mark(out), colon = slice_find(userinfo, ':');
    if (userinfo.len > LIMIT_OUT_USERINFO) return err_limit(e, "LIMIT_OUT_USERINFO", LIMIT_OUT_USERINFO, ERR_NOWHERE);
    buf_init(&plain, LIMIT_OUT_USERINFO + 1);
    bool good = decode(&plain, slice_head(userinfo, colon), "user name", e);
    if (good) {
        good = buf_byte(&plain, ':') && decode(&plain, slice_skip(userinfo, colon + 1), "password", e);
        if (!buf_ok(&plain)) err_nomem(e, "a password");
    }
    if (good && !(buf_add(out, LIT("Basic ")) && base64_add(out, BASE64_STD, buf_slice(&plain)))) {
        buf_rewind(out, mark);
        good = err_nomem(e, "a password");
    }
    buf_release(&plain);
    return good;
}

static bool read_proxy(struct proxy *p, struct buf *texts, struct slice value, const char *name, struct err *e) {
    struct url u = {0};
    struct buf url;
    if (!value.len) return true;
    size_t scheme = slice_find(value, ':');
    bool bare = !slice_starts(slice_skip(value, scheme), LIT("://"));
    buf_init(&url, value.len + 8);
    if (bare) buf_add(&url, LIT("http://"));
    buf_add(&url, value);
    bool good = buf_ok(&url) ? url_read(buf_slice(&url), &u, e) : err_nomem(e, "a proxy");
    if (good && !slice_eq_nocase(u.scheme, LIT("http")))
        good = err_set(e, ERR_UNSUPPORTED, "want a proxy as in http://host:port, found the scheme %.*s",
                       (int)(u.scheme.len < 20 ? u.scheme.len : 20), (const char *)u.scheme.ptr);
    if (good && (!u.host.len || (u.has_port && !u.port) || u.path.len > 1 || u.has_query || u.has_fragment))
        good = err_set(e, ERR_INVALID, "want a proxy as in http://host:port, and nothing behind it");
    if (good) {
        buf_add(texts, u.host);
        p->port = u.has_port ? u.port : 80;
        good =
            (!u.has_userinfo || proxy_credentials(texts, u.userinfo, e)) && (buf_ok(texts) || err_nomem(e, "a proxy"));
    }
    if (good) {
        p->host = slice_head(buf_slice(texts), u.host.len);
        p->credentials = slice_skip(buf_slice(texts), u.host.len);
    }
    buf_release(&url);
    if (!good && e && e->code != ERR_NOMEM) err_context(e, "reading the environment variable %s", name);
    return good;
}

struct proxies *proxies_new(const char *const *environment, struct err *e) {
    struct proxies *p = mem_get_zero(sizeof *p);
    if (!p) {
        err_nomem(e, "proxies");
        return NULL;
    }
    struct slice any = find_value(environment, "all_proxy", "ALL_PROXY");
    struct slice plain = find_value(environment, "http_proxy", "HTTP_PROXY");
    struct slice secure = find_value(environment, "https_proxy", "HTTPS_PROXY");
    struct slice none = find_value(environment, "no_proxy", "NO_PROXY");
    for (int i = 0; i < 2; i++) buf_init(&p->texts[i], 2 * (LIMIT_OUT_USERINFO + 512));
    buf_init(&p->none, LIMIT_OUT_NO_PROXY);
    bool good =
        read_proxy(&p->plain, &p->texts[0], plain.ptr ? plain : any, plain.ptr ? "http_proxy" : "all_proxy", e) &&
        read_proxy(&p->secure, &p->texts[1], secure.ptr ? secure : any, secure.ptr ? "https_proxy" : "all_proxy", e);
    if (good && none.len > LIMIT_OUT_NO_PROXY)
        good = err_limit(e, "LIMIT_OUT_NO_PROXY", LIMIT_OUT_NO_PROXY, ERR_NOWHERE);
    if (good && !buf_add(&p->none, none)) good = err_nomem(e, "proxies");
    if (good) return p;
    proxies_free(p);
    return NULL;
}

void proxies_free(struct proxies *p) {
    if (!p) return;
    for (int i = 0; i < 2; i++) buf_release(&p->texts[i]);
    buf_release(&p->none);
    mem_put(p, sizeof *p);
}

/* --- no_proxy --- */

/* The length of an address in bytes; 0: no address. */
static size_t read_address(struct slice text, uint8_t out[16]) {
    if (url_read_ipv4(text, out)) return 4;
    return url_read_ipv6(text, out) ? 16 : 0;
}

static bool in_network(struct slice network, struct slice bits_text, const uint8_t *host, size_t host_len) {
    uint8_t net[16];
    uint64_t bits;
    size_t len = read_address(network, net);
    if (!len || len != host_len || !num_read_u64(bits_text, 0, len * 8, &bits)) return false;
    for (uint64_t i = 0; i < bits; i++)
        if ((net[i / 8] ^ host[i / 8]) & 0x80 >> i % 8) return false;
    return true;
}

static bool is_below(struct slice host, struct slice domain) {
    if (slice_starts(domain, LIT("*."))) domain = slice_skip(domain, 1);
    if (domain.len && domain.ptr[0] == '.') domain = slice_skip(domain, 1);
    if (!domain.len || host.len < domain.len) return false;
    size_t before = host.len - domain.len;
    return slice_eq_nocase(slice_skip(host, before), domain) && (!before || host.ptr[before - 1] == '.');
}

static bool matches(struct slice entry, struct slice host, uint16_t port) {
    uint8_t address[16], other[16];
    size_t len = read_address(host, address), slash = slice_find(entry, '/');
    struct url u;
    if (slice_eq(entry, LIT("*"))) return true;
    if (slash < entry.len)
        return len && in_network(slice_head(entry, slash), slice_skip(entry, slash + 1), address, len);
    size_t bare = read_address(entry, other); /* an IPv6 address without brackets has no port */
    if (!bare) {
        struct slice name = slice_starts(entry, LIT("*.")) ? slice_skip(entry, 2) : entry;
        if (!url_read_authority(name, &u, NULL) || (u.has_port && u.port != port)) return false;
        entry = u.host;
        bare = read_address(entry, other);
    }
    if (bare) return bare == len && memcmp(address, other, len) == 0;
    return !len && is_below(host, entry);
}

const struct proxy *proxies_find(const struct proxies *p, bool secure, struct slice host, uint16_t port) {
    if (!p) return NULL;
    const struct proxy *found = secure ? &p->secure : &p->plain;
    if (!found->host.len) return NULL;
    if (host.len && host.ptr[host.len - 1] == '.') host.len--;
    struct slice list = buf_slice(&p->none);
    while (list.len) {
        size_t n = 0;
        while (n < list.len && list.ptr[n] != ',' && list.ptr[n] != ' ' && list.ptr[n] != '\t') n++;
        if (n && matches(slice_head(list, n), host, port)) return NULL;
        list = slice_skip(list, n + 1);
    }
    return found;
}
