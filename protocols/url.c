/* url.c - see url.h. */
#include "protocols/url.h"

#include "base/ascii.h"
#include "base/num.h"
#include "protocols/http_chars.h"

static const char *const host_names[] = {
#define X(name, text) [name] = text,
    URL_HOSTS(X)
#undef X
};

const char *url_host_name(enum url_host kind) {
    return (unsigned)kind <= URL_FUTURE ? host_names[kind] : "?";
}

bool url_host_from(struct slice text, enum url_host *kind) {
    for (unsigned i = 0; i <= URL_FUTURE; i++) {
        if (!slice_eq(text, slice_str(host_names[i]))) continue;
        *kind = (enum url_host)i;
        return true;
    }
    return false;
}

static bool refuse(struct err *e, size_t at, const char *want, struct slice text, size_t i) {
    if (i < text.len) return err_at(e, ERR_SYNTAX, at + i, "want %s, found %s", want, http_seen(text.ptr[i]).text);
    return err_at(e, ERR_SYNTAX, at + i, "want %s, found the end", want);
}

/* All of the text is of these characters or an escape. */
static bool check_chars(struct slice text, unsigned bits, const char *more, const char *want, size_t at,
                        struct err *e) {
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (http_is(c, bits)) continue;
        if (c == '%') {
            for (size_t k = i + 1; k < i + 3; k++)
                if (k >= text.len || ascii_hex(text.ptr[k]) < 0)
                    return refuse(e, at, "two hexadecimal digits behind %", text, k < text.len ? k : text.len);
            i += 2;
            continue;
        }
        if (c && strchr(more, c)) continue;
        return refuse(e, at, want, text, i);
    }
    return true;
}

bool url_read_ipv4(struct slice text, uint8_t out[4]) {
    for (int i = 0; i < 4; i++) {
        struct slice part = slice_head(text, slice_find(text, '.'));
        uint64_t n;
        if (!part.len || part.len > 3 || (part.len > 1 && part.ptr[0] == '0')) return false;
        if (!num_read_u64(part, 0, 255, &n)) return false;
        out[i] = (uint8_t)n;
        text = slice_skip(text, part.len);
        if (i < 3) {
            if (!text.len) return false;
            text = slice_skip(text, 1);
        }
    }
    return text.len == 0;
}

bool url_read_ipv6(struct slice text, uint8_t out[16]) {
    uint8_t got[16] = {0};
    size_t n = 0, gap = 17, i = 0; /* n bytes so far; gap: where "::" stood */
    if (slice_starts(text, LIT("::"))) {
        gap = 0;
        i = 2;
    }
    while (i < text.len) {
        struct slice rest = slice_skip(text, i);
        struct slice part = slice_head(rest, slice_find(rest, ':'));
        if (part.len == rest.len && slice_find(part, '.') < part.len) {
            if (n > 12 || !url_read_ipv4(part, got + n)) return false;
            n += 4;
            break;
        }
        uint64_t group;
        if (n > 14 || part.len > 4 || !num_read_hex(part, 0xffff, &group)) return false;
        got[n++] = (uint8_t)(group >> 8);
        got[n++] = (uint8_t)group;
        i += part.len;
        if (i == text.len) break;
        i++; /* the colon: one must be followed by a group, two are the gap */
        if (i == text.len) return false;
        if (text.ptr[i] == ':') {
            if (gap != 17) return false;
            gap = n;
            i++;
        }
    }
    if (gap == 17 ? n != 16 : n > 14) return false;
    if (gap == 17) gap = n;
    memset(out, 0, 16);
    if (gap) memcpy(out, got, gap);
    memcpy(out + 16 - (n - gap), got + gap, n - gap);
    return true;
}

static bool read_literal(struct slice inside, struct url *u, size_t at, struct err *e) {
    u->host = inside;
    if (url_read_ipv6(inside, u->address)) {
        u->host_kind = URL_IPV6;
        return true;
    }
    u->host_kind = URL_FUTURE;
    if (inside.len && (inside.ptr[0] | 32) == 'v') {
        size_t dot = slice_find(inside, '.');
        bool good = dot > 1 && dot + 1 < inside.len;
        for (size_t i = 1; good && i < dot; i++) good = ascii_hex(inside.ptr[i]) >= 0;
        for (size_t i = dot + 1; good && i < inside.len; i++)
            good = http_is(inside.ptr[i], HTTP_REGNAME) || inside.ptr[i] == ':';
        if (good) return true;
    }
    return err_at(e, ERR_SYNTAX, at, "want an IPv6 address between [ and ]");
}

/* host[:port]; at is where it stands in the whole text. */
static bool read_authority(struct slice text, struct url *u, size_t at, struct err *e) {
    size_t n;
    if (text.len && text.ptr[0] == '[') {
        size_t close = slice_find(text, ']');
        if (close == text.len) return refuse(e, at, "] behind the address", text, close);
        if (!read_literal(slice_of(text.ptr + 1, close - 1), u, at + 1, e)) return false;
        n = close + 1;
        if (n < text.len && text.ptr[n] != ':') return refuse(e, at, "a colon or the end behind ]", text, n);
    } else {
        n = slice_find(text, ':');
        u->host = slice_head(text, n);
        if (!check_chars(u->host, HTTP_REGNAME, "", "a host name", at, e)) return false;
        u->host_kind = url_read_ipv4(u->host, u->address) ? URL_IPV4 : URL_NAME;
    }
    if (n == text.len) return true;
    struct slice port = slice_skip(text, n + 1);
    if (!port.len) return true; /* "host:" is allowed, and means no port */
    uint64_t number;
    if (port.len > 5 || !num_read_u64(port, 0, 65535, &number))
        return err_at(e, ERR_SYNTAX, at + n + 1, "want a port from 0 to 65535");
    u->port = (uint16_t)number;
    u->has_port = true;
    return true;
}

bool url_read_authority(struct slice text, struct url *u, struct err *e) {
    *u = (struct url){0};
    return read_authority(text, u, 0, e);
}

/* Path and query; fragments were cut off. */
static bool read_path(struct slice text, struct url *u, size_t at, struct err *e) {
    size_t n = slice_find(text, '?');
    u->path = slice_head(text, n);
    u->has_query = n < text.len;
    u->query = slice_skip(text, n + u->has_query);
    return check_chars(u->path, HTTP_PCHAR, "/", "a character that may stand in a path", at, e) &&
           check_chars(u->query, HTTP_PCHAR, "/?", "a character that may stand in a query", at + n + 1, e);
}

bool url_read_origin(struct slice text, struct url *u, struct err *e) {
    *u = (struct url){0};
    if (!text.len || text.ptr[0] != '/') return refuse(e, 0, "a path that begins with /", text, 0);
    return read_path(text, u, 0, e);
}

bool url_read(struct slice text, struct url *u, struct err *e) {
    *u = (struct url){0};
    size_t n = slice_find(text, ':');
    u->scheme = slice_head(text, n);
    for (size_t i = 0; i < n || i == 0; i++) {
        uint8_t c = i < text.len ? text.ptr[i] : 0;
        if (i < n && (ascii_is_alpha(c) || (i && (ascii_is_digit(c) || c == '+' || c == '-' || c == '.')))) continue;
        return refuse(e, 0, "a scheme such as https:", text, i);
    }
    struct slice rest = slice_skip(text, n);
    if (!slice_starts(rest, LIT("://"))) return err_at(e, ERR_SYNTAX, n, "want :// behind the scheme");
    size_t at = n + 3;
    rest = slice_skip(rest, 3);

    size_t len = 0;
    while (len < rest.len && rest.ptr[len] != '/' && rest.ptr[len] != '?' && rest.ptr[len] != '#') len++;
    struct slice authority = slice_head(rest, len);
    rest = slice_skip(rest, len);
    size_t user = slice_find(authority, '@');
    if (user < authority.len) {
        u->has_userinfo = true;
        u->userinfo = slice_head(authority, user);
        if (!check_chars(u->userinfo, HTTP_REGNAME, ":", "a user name", at, e)) return false;
        authority = slice_skip(authority, user + 1);
        if (!read_authority(authority, u, at + user + 1, e)) return false;
    } else if (!read_authority(authority, u, at, e))
        return false;
    at += len;

    size_t hash = slice_find(rest, '#');
    u->has_fragment = hash < rest.len;
    u->fragment = slice_skip(rest, hash + u->has_fragment);
    return read_path(slice_head(rest, hash), u, at, e) &&
           check_chars(u->fragment, HTTP_PCHAR, "/?", "a character that may stand in a fragment", at + hash + 1, e);
}

uint16_t url_default_port(struct slice scheme) {
    static const struct port_row {
        const char *scheme;
        uint16_t port;
    } rows[] = {{"http", 80}, {"https", 443}, {"ws", 80}, {"wss", 443}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (slice_eq_nocase(scheme, slice_str(rows[i].scheme))) return rows[i].port;
    return 0;
}

bool url_decode(struct buf *out, struct slice text, struct err *e) {
    if (!buf_ok(out)) return err_nomem(e, "the decoded text");
    size_t mark = buf_mark(out);
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c == '%') {
            int high = i + 1 < text.len ? ascii_hex(text.ptr[i + 1]) : -1;
            int low = i + 2 < text.len ? ascii_hex(text.ptr[i + 2]) : -1;
            if (high < 0 || low < 0) {
                buf_rewind(out, mark);
                return err_at(e, ERR_SYNTAX, i, "want two hexadecimal digits behind %%");
            }
            c = (uint8_t)(high << 4 | low);
            i += 2;
        }
        buf_byte(out, c);
    }
    if (buf_ok(out)) return true;
    buf_rewind(out, mark);
    return err_nomem(e, "the decoded text");
}

bool url_encode(struct buf *out, enum url_part part, struct slice bytes) {
    static const char digits[] = "0123456789ABCDEF";
    if (!buf_ok(out)) return false;
    size_t mark = buf_mark(out);
    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t c = bytes.ptr[i];
        bool plain = http_is(c, part == URL_COMPONENT ? HTTP_UNRESERVED : HTTP_PCHAR) ||
                     (part != URL_COMPONENT && c == '/') || (part == URL_QUERY && c == '?');
        uint8_t *at = buf_room(out, 3);
        if (!at) break;
        at[0] = plain ? c : '%';
        if (!plain) {
            at[1] = (uint8_t)digits[c >> 4];
            at[2] = (uint8_t)digits[c & 15];
        }
        buf_wrote(out, plain ? 1 : 3);
    }
    if (buf_ok(out)) return true;
    buf_rewind(out, mark);
    return false;
}

/* Appends one decoded segment and a slash, or acts on a dot segment. mark is where the path begins in out. */
static bool add_segment(struct buf *out, struct slice segment, size_t mark, size_t at, struct err *e) {
    size_t start = buf_mark(out);
    if (!url_decode(out, segment, e)) {
        if (e && e->at != ERR_NOWHERE) e->at += at;
        return false;
    }
    struct slice plain = slice_of(out->ptr + start, out->len - start);
    for (size_t i = 0; i < plain.len; i++) {
        uint8_t c = plain.ptr[i];
        if (c < 0x20 || c == 0x7f || c == '/' || c == '\\')
            return err_at(e, ERR_INVALID, at, "want a file name, found one with %s in it", http_seen(c).text);
    }
    if (slice_eq(plain, LIT("."))) {
        buf_rewind(out, start);
        return true;
    }
    if (slice_eq(plain, LIT(".."))) {
        buf_rewind(out, start);
        if (start == mark + 1) return err_at(e, ERR_INVALID, at, "the path leads above the root");
        size_t len = out->len - 1;
        while (out->ptr[len - 1] != '/') len--;
        buf_rewind(out, len);
        return true;
    }
    if (buf_byte(out, '/')) return true;
    return err_nomem(e, "the path");
}

bool url_file_path(struct buf *out, struct slice path, struct err *e) {
    if (!buf_ok(out)) return err_nomem(e, "the path");
    size_t mark = buf_mark(out);
    if (!path.len || path.ptr[0] != '/') return refuse(e, 0, "a path that begins with /", path, 0);
    if (!buf_byte(out, '/')) {
        buf_rewind(out, mark);
        return err_nomem(e, "the path");
    }
    bool folder = false; /* whether the path ends in a slash or a dot segment */
    for (size_t i = 1; i < path.len;) {
        struct slice rest = slice_skip(path, i);
        struct slice segment = slice_head(rest, slice_find(rest, '/'));
        size_t before = out->len;
        if (segment.len && !add_segment(out, segment, mark, i, e)) {
            buf_rewind(out, mark);
            return false;
        }
        folder = segment.len < rest.len || out->len <= before;
        i += segment.len + 1;
    }
    if (!folder && out->len > mark + 1) buf_rewind(out, out->len - 1);
    return true;
}
