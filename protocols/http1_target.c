/* http1_target.c - the four forms of a request target. See http1_frame.h. */
#include "protocols/http1_frame.h"

#include "protocols/url.h"

static bool refuse_part(size_t at, struct err *e) {
    if (e && e->at != ERR_NOWHERE) e->at += at;
    err_context(e, "request target");
    return false;
}

static bool read_authority_form(struct slice target, struct http1_head *head, size_t at, struct err *e) {
    struct url u;
    if (!url_read_authority(target, &u, e)) return refuse_part(at, e);
    if (!u.host.len || !u.port) return err_at(e, ERR_SYNTAX, at, "want host:port behind CONNECT");
    head->form = HTTP1_FORM_AUTHORITY;
    head->path = slice_of(target.ptr, 0);
    return true;
}

static bool read_absolute(struct slice target, struct http1_head *head, size_t at, struct err *e) {
    struct url u;
    if (!url_read(target, &u, e)) return refuse_part(at, e);
    if (!slice_eq_nocase(u.scheme, LIT("http")) && !slice_eq_nocase(u.scheme, LIT("https")))
        return err_at(e, ERR_INVALID, at, "want a request target that is a path or begins with http:// or https://");
    if (u.has_userinfo) return err_at(e, ERR_INVALID, at, "want no user name in the request target");
    if (u.has_fragment) return err_at(e, ERR_INVALID, at, "want no fragment in the request target");
    if (!u.host.len) return err_at(e, ERR_INVALID, at, "want a host in the request target, found none");
    head->form = HTTP1_FORM_ABSOLUTE;
    size_t start = u.scheme.len + 3;
    head->host = slice_of(target.ptr + start, (size_t)(u.path.ptr - target.ptr) - start);
    head->path = u.path.len ? u.path : LIT("/");
    head->query = u.has_query ? u.query : slice_of(NULL, 0);
    return true;
}

bool http1_target_read(struct slice target, enum http1_method method, struct http1_head *head, size_t at,
                       struct err *e) {
    head->query = slice_of(NULL, 0);
    if (method == HTTP1_METHOD_CONNECT) return read_authority_form(target, head, at, e);
    if (slice_eq(target, LIT("*"))) {
        if (method != HTTP1_METHOD_OPTIONS) return err_at(e, ERR_INVALID, at, "want the target * only behind OPTIONS");
        head->form = HTTP1_FORM_ASTERISK;
        head->path = target;
        return true;
    }
    if (!target.len || target.ptr[0] != '/') return read_absolute(target, head, at, e);
    struct url u;
    if (!url_read_origin(target, &u, e)) return refuse_part(at, e);
    head->form = HTTP1_FORM_ORIGIN;
    head->path = u.path;
    head->query = u.has_query ? u.query : slice_of(NULL, 0);
    return true;
}
