/* cookie.c - see cookie.h. */
#include "protocols/cookie.h"

#include "base/ascii.h"
#include "base/num.h"
#include "protocols/date.h"
#include "protocols/http_chars.h"

static const char *const site_names[] = {
#define X(name, text) [name] = text,
    COOKIE_SITES(X)
#undef X
};

const char *cookie_site_name(enum cookie_site site) {
    return (unsigned)site <= COOKIE_SITE_NONE ? site_names[site] : "";
}

enum cookie_site cookie_site_from(struct slice text) {
    for (unsigned i = COOKIE_SITE_STRICT; i <= COOKIE_SITE_NONE; i++)
        if (slice_eq_nocase(text, slice_str(site_names[i]))) return (enum cookie_site)i;
    return COOKIE_SITE_UNSAID;
}

/* "name = value", both trimmed. False when there is no "=" (all of it is the value then). */
static bool cut_pair(struct slice part, struct slice *name, struct slice *value) {
    size_t equals = slice_find(part, '=');
    bool found = equals < part.len;
    *name = found ? slice_trim(slice_head(part, equals)) : slice_head(part, 0);
    *value = slice_trim(found ? slice_skip(part, equals + 1) : part);
    return found;
}

bool cookie_next(struct slice *rest, struct slice *name, struct slice *value) {
    while (rest->len) {
        struct slice part = slice_trim(slice_cut(rest, ';'));
        if (!part.len) continue;
        cut_pair(part, name, value);
        return true;
    }
    return false;
}

bool cookie_find(struct slice cookies, struct slice name, struct slice *value) {
    struct slice is, worth;
    while (cookie_next(&cookies, &is, &worth)) {
        if (!slice_eq(is, name)) continue;
        *value = worth;
        return true;
    }
    return false;
}

static bool is_attribute_text(struct slice s) {
    for (size_t i = 0; i < s.len; i++)
        if (!ascii_is_print(s.ptr[i]) || s.ptr[i] == ';') return false;
    return slice_trim(s).len == s.len;
}

static bool starts_nocase(struct slice s, struct slice head) {
    return s.len >= head.len && slice_eq_nocase(slice_head(s, head.len), head);
}

static bool check_cookie(const struct cookie *c, struct err *e) {
    if (!http_is_token(c->name)) return err_set(e, ERR_INVALID, "want a cookie name that is a token");
    if (http_run(c->value, HTTP_COOKIE) != c->value.len)
        return err_set(e, ERR_INVALID, "want no space, comma, semicolon, quote or back slash in the value of a cookie");
    if (c->path.len && (c->path.ptr[0] != '/' || !is_attribute_text(c->path)))
        return err_set(e, ERR_INVALID, "want a cookie path that begins with / and has no semicolon");
    if (c->domain.len && (c->domain.ptr[0] == '.' || http_run(c->domain, HTTP_UNRESERVED) != c->domain.len))
        return err_set(e, ERR_INVALID, "want a host name as domain of a cookie");
    if (c->site == COOKIE_SITE_NONE && !c->secure)
        return err_set(e, ERR_INVALID, "want Secure for a cookie with SameSite=None");
    bool host = starts_nocase(c->name, LIT("__Host-"));
    if ((host || starts_nocase(c->name, LIT("__Secure-"))) && !c->secure)
        return err_set(e, ERR_INVALID, "want Secure for a cookie with such a name prefix");
    if (host && (c->domain.len || !slice_eq(c->path, LIT("/"))))
        return err_set(e, ERR_INVALID, "want the path / and no domain for a cookie with the prefix __Host-");
    return true;
}

bool cookie_write(struct buf *out, const struct cookie *c, struct err *e) {
    uint8_t date[DATE_LEN];
    if (!check_cookie(c, e)) return false;
    if (c->has_expires && !date_write(c->expires, date))
        return err_set(e, ERR_INVALID, "want an expiry of a cookie in the years 1 to 9999");
    if (!buf_ok(out)) return err_nomem(e, "a cookie");
    size_t mark = buf_mark(out);
    buf_add(out, c->name);
    buf_byte(out, '=');
    buf_add(out, c->value);
    if (c->has_expires) buf_add(out, LIT("; Expires=")), buf_add(out, slice_of(date, DATE_LEN));
    if (c->has_max_age) buf_add(out, LIT("; Max-Age=")), buf_i64(out, c->max_age);
    if (c->domain.len) buf_add(out, LIT("; Domain=")), buf_add(out, c->domain);
    if (c->path.len) buf_add(out, LIT("; Path=")), buf_add(out, c->path);
    if (c->secure) buf_add(out, LIT("; Secure"));
    if (c->http_only) buf_add(out, LIT("; HttpOnly"));
    if (c->site != COOKIE_SITE_UNSAID) buf_printf(out, "; SameSite=%s", cookie_site_name(c->site));
    if (buf_ok(out)) return true;
    buf_rewind(out, mark);
    return err_nomem(e, "a cookie");
}

static void read_max_age(struct slice text, struct cookie *c) {
    bool minus = text.len && text.ptr[0] == '-';
    struct slice digits = slice_skip(text, minus);
    if (!digits.len) return;
    uint64_t n;
    for (size_t i = 0; i < digits.len; i++)
        if (!ascii_is_digit(digits.ptr[i])) return;
    if (!num_read_u64(digits, 0, INT64_MAX, &n)) n = INT64_MAX; /* digits only, so it was too big */
    c->max_age = minus ? -(int64_t)n : (int64_t)n;
    c->has_max_age = true;
}

bool cookie_read(struct slice text, struct cookie *c) {
    *c = (struct cookie){0};
    for (size_t i = 0; i < text.len; i++)
        if ((text.ptr[i] < 0x20 && text.ptr[i] != '\t') || text.ptr[i] == 0x7f) return false;
    if (!cut_pair(slice_cut(&text, ';'), &c->name, &c->value) || !c->name.len) return false;
    while (text.len) {
        struct slice name, value;
        /* Without "=" the whole part is the name. */
        if (!cut_pair(slice_cut(&text, ';'), &name, &value)) name = value, value = slice_of(value.ptr, 0);
        if (slice_eq_nocase(name, LIT("expires")))
            c->has_expires |= date_read_cookie(value, &c->expires);
        else if (slice_eq_nocase(name, LIT("max-age")))
            read_max_age(value, c);
        else if (slice_eq_nocase(name, LIT("domain"))) {
            if (value.len) c->domain = slice_skip(value, value.ptr[0] == '.');
        } else if (slice_eq_nocase(name, LIT("path")))
            c->path = value.len && value.ptr[0] == '/' ? value : slice_of(value.ptr, 0);
        else if (slice_eq_nocase(name, LIT("secure")))
            c->secure = true;
        else if (slice_eq_nocase(name, LIT("httponly")))
            c->http_only = true;
        else if (slice_eq_nocase(name, LIT("samesite")))
            c->site = cookie_site_from(value);
    }
    return true;
}
