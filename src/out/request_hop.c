/* request_hop.c - see request_hop.h. */
#include "out/request_hop.h"
#include "base/limits.h"

#include "base/ascii.h"
#include "base/mem.h"
#include "out/reference.h"

#include <stdio.h>

#define HOST_MAX 253

void hop_init(struct hop *h) {
    *h = (struct hop){0};
    buf_init(&h->text, LIMIT_OUT_URL);
}

void hop_release(struct hop *h) {
    buf_release(&h->text);
}

static bool check_host(const struct url *u, struct err *e) {
    if (!u->host.len) return err_set(e, ERR_INVALID, "want a host in the URL, found none");
    if (u->host_kind == URL_IPV6 || u->host_kind == URL_IPV4) return true;
    if (u->host_kind == URL_FUTURE || u->host.len > HOST_MAX)
        return err_set(e, ERR_INVALID, "want the name or the IP address of a host in the URL");
    for (size_t i = 0; i < u->host.len; i++) {
        uint8_t c = u->host.ptr[i];
        if (!ascii_is_alnum(c) && c != '-' && c != '.' && c != '_')
            return err_set(e, ERR_INVALID, "want a host of letters, digits, dots and hyphens in the URL");
    }
    return true;
}

static void add_lower(struct buf *out, struct slice s) {
    for (size_t i = 0; i < s.len; i++) buf_byte(out, ascii_lower(s.ptr[i]));
}

static void add_host(struct buf *out, const struct url *u) {
    if (u->host_kind == URL_IPV6) buf_byte(out, '[');
    add_lower(out, u->host);
    if (u->host_kind == URL_IPV6) buf_byte(out, ']');
}

static bool set(struct hop *h, struct slice text, struct slice *userinfo, struct err *e) {
    struct url u;
    if (text.len > LIMIT_OUT_URL) return err_limit(e, "LIMIT_OUT_URL", LIMIT_OUT_URL, ERR_NOWHERE);
    if (!url_read(text, &u, e)) return false;
    h->secure = slice_eq_nocase(u.scheme, LIT("https"));
    if (!h->secure && !slice_eq_nocase(u.scheme, LIT("http")))
        return err_set(e, ERR_UNSUPPORTED, "want a URL of http or https, found the scheme %.*s",
                       (int)(u.scheme.len < 20 ? u.scheme.len : 20), (const char *)u.scheme.ptr);
    if (!check_host(&u, e)) return false;
    if (u.has_port && !u.port) return err_set(e, ERR_INVALID, "want a port from 1 to 65535 in the URL, found 0");
    if (u.has_userinfo && !userinfo)
        return err_set(e, ERR_INVALID, "want no user name in the URL of a redirect, found one");
    if (userinfo) *userinfo = u.userinfo;
    h->port = u.has_port ? u.port : h->secure ? 443 : 80;
    add_lower(&h->text, u.scheme);
    buf_add(&h->text, LIT("://"));
    add_host(&h->text, &u);
    if (h->port != (h->secure ? 443 : 80)) buf_printf(&h->text, ":%u", h->port);
    if (!u.path.len) buf_byte(&h->text, '/');
    buf_add(&h->text, u.path);
    if (u.has_query) buf_byte(&h->text, '?'), buf_add(&h->text, u.query);
    if (h->text.fault == BUF_OVER) return err_limit(e, "LIMIT_OUT_URL", LIMIT_OUT_URL, ERR_NOWHERE);
    if (!buf_ok(&h->text)) return err_nomem(e, "a URL");
    return url_read(buf_slice(&h->text), &h->url, e);
}

bool hop_set(struct hop *h, struct slice text, struct slice *userinfo, struct err *e) {
    buf_reset(&h->text);
    if (set(h, text, userinfo, e)) return true;
    buf_reset(&h->text);
    h->url = (struct url){0};
    return false;
}

/* Servers write blanks and bytes beyond ASCII as they are; every browser escapes them. */
static bool escape(struct buf *out, struct slice location) {
    for (size_t i = 0; i < location.len; i++) {
        uint8_t c = location.ptr[i];
        if (c == ' ' || c >= 0x80)
            buf_printf(out, "%%%02X", c);
        else
            buf_byte(out, c);
    }
    return buf_ok(out);
}

bool hop_follow(struct hop *h, struct slice location, struct err *e) {
    struct buf reference, url;
    struct hop next;
    hop_init(&next);
    buf_init(&reference, LIMIT_OUT_URL);
    buf_init(&url, LIMIT_OUT_URL);
    bool good = escape(&reference, location);
    if (!good && reference.fault == BUF_OVER)
        err_limit(e, "LIMIT_OUT_URL", LIMIT_OUT_URL, ERR_NOWHERE);
    else if (!good)
        err_nomem(e, "a URL");
    good = good && reference_resolve(&url, buf_slice(&h->text), buf_slice(&reference), e) &&
           hop_set(&next, buf_slice(&url), NULL, e);
    buf_release(&reference);
    buf_release(&url);
    if (good) {
        hop_release(h);
        *h = next;
    } else
        hop_release(&next);
    return good;
}

bool hop_write_authority(struct buf *out, const struct hop *h, bool always) {
    add_host(out, &h->url);
    if (always || h->port != (h->secure ? 443 : 80)) buf_printf(out, ":%u", h->port);
    return buf_ok(out);
}

struct hop_name hop_name(const struct hop *h) {
    struct hop_name n = {""};
    struct slice text = buf_slice(&h->text);
    if (h->url.has_query) text.len -= h->url.query.len + 1;
    bool cut = text.len > sizeof n.text - 4;
    int len = (int)(cut ? sizeof n.text - 4 : text.len);
    snprintf(n.text, sizeof n.text, "%.*s%s", len, (const char *)(text.ptr ? text.ptr : (const uint8_t *)""),
             cut ? "..." : "");
    return n;
}
