/* dns_name.c - see dns_name.h.
 *
 * Touches: base/slice, base/buf, base/err, base/ascii. No descriptor, clock, log, malloc. */
#include "protocols/dns_name.h"

#include "base/ascii.h"

static enum step refuse_end(size_t at, bool may_grow, struct err *e) {
    err_at(e, ERR_SYNTAX, at, "want the rest of a name, found the end of %s", may_grow ? "the message" : "its place");
    return may_grow ? STEP_MORE : STEP_BAD;
}

enum step dns_name_read(struct slice message, size_t *at, size_t end, unsigned jumps, struct dns_name *out,
                        struct err *e) {
    const uint8_t *m = message.ptr;
    size_t start = *at, pos = start, n = 0;
    unsigned jumped = 0;
    for (;;) {
        /* Only where the name itself stands can more bytes still come. */
        bool may_grow = !jumped && end == message.len;
        if (pos >= end) return refuse_end(end, may_grow, e);
        uint8_t c = m[pos];
        if (c == 0) {
            out->bytes[n++] = 0;
            out->len = (uint8_t)n;
            if (!jumped) *at = pos + 1;
            return STEP_EVENT;
        }
        if (c <= DNS_LABEL_MAX) {
            if (n + 1 + c + 1 > DNS_NAME_MAX) {
                err_at(e, ERR_SYNTAX, pos, "want a name of at most 255 bytes, found a longer one");
                return STEP_BAD;
            }
            if (c >= end - pos) return refuse_end(end, may_grow, e);
            memcpy(out->bytes + n, m + pos, (size_t)c + 1);
            n += (size_t)c + 1;
            pos += (size_t)c + 1;
            continue;
        }
        if (c < 0xc0) {
            err_at(e, ERR_SYNTAX, pos, "want a label or a pointer, found a label of the unknown kind 0x%02x",
                   c & 0xc0u);
            return STEP_BAD;
        }
        if (!jumps) {
            err_at(e, ERR_SYNTAX, pos, "want a name without compression, found a pointer");
            return STEP_BAD;
        }
        if (end - pos < 2) return refuse_end(end, may_grow, e);
        size_t target = (size_t)(c & 0x3f) << 8 | m[pos + 1];
        if (target >= start || target < DNS_HEAD) {
            err_at(e, ERR_SYNTAX, pos, "want a pointer back to an earlier name, found one to byte %zu", target);
            return STEP_BAD;
        }
        if (jumped == jumps) {
            err_limit(e, "jumps", jumps, pos);
            return STEP_BAD;
        }
        if (!jumped++) *at = pos + 2;
        end = start;
        start = pos = target;
    }
}

/* One character of text, which may be an escape. False: refused. */
static bool read_char(struct slice text, size_t *i, uint8_t *c, struct err *e) {
    size_t at = *i;
    *c = text.ptr[(*i)++];
    if (!ascii_is_print(*c) || *c == ' ')
        return err_at(e, ERR_SYNTAX, at,
                      "want a name in visible ASCII (international names as xn--...), found byte 0x%02x", *c);
    if (*c != '\\') return true;
    if (*i == text.len)
        return err_at(e, ERR_SYNTAX, at, "want a character behind the backslash, found the end of the name");
    *c = text.ptr[*i];
    if (!ascii_is_digit(*c)) {
        if (!ascii_is_print(*c))
            return err_at(e, ERR_SYNTAX, *i, "want a visible character behind the backslash, found byte 0x%02x", *c);
        ++*i;
        return true;
    }
    unsigned n = 0;
    for (size_t k = 0; k < 3; k++) {
        if (*i + k >= text.len || !ascii_is_digit(text.ptr[*i + k]))
            return err_at(e, ERR_SYNTAX, at, "want three digits behind the backslash, found fewer");
        n = n * 10 + (unsigned)(text.ptr[*i + k] - '0');
    }
    if (n > 255) return err_at(e, ERR_SYNTAX, at, "want \\000 to \\255, found \\%u", n);
    *i += 3;
    *c = (uint8_t)n;
    return true;
}

bool dns_name_from(struct slice text, struct dns_name *out, struct err *e) {
    struct dns_name name = {.len = 0};
    size_t n = 0, i = 0;
    if (!text.len) return err_at(e, ERR_SYNTAX, 0, "want a name, found nothing");
    if (slice_eq(text, LIT("."))) i = 1;
    while (i < text.len) {
        size_t head = n++, label_at = i;
        for (bool dot = false; i < text.len && !dot;) {
            uint8_t c;
            if (text.ptr[i] == '.') {
                dot = true;
                i++;
                continue;
            }
            size_t at = i;
            if (!read_char(text, &i, &c, e)) return false;
            if (n - head > DNS_LABEL_MAX)
                return err_at(e, ERR_SYNTAX, at, "want labels of at most 63 bytes, found a longer one");
            /* The root's zero needs the last byte. */
            if (n + 1 >= DNS_NAME_MAX)
                return err_at(e, ERR_SYNTAX, at, "want a name of at most 255 bytes, found a longer one");
            name.bytes[n++] = c;
        }
        if (n == head + 1) return err_at(e, ERR_SYNTAX, label_at, "want a label, found nothing between two dots");
        name.bytes[head] = (uint8_t)(n - head - 1);
    }
    name.bytes[n++] = 0;
    name.len = (uint8_t)n;
    *out = name;
    return true;
}

bool dns_name_add(struct buf *out, const struct dns_name *name) {
    uint8_t text[DNS_NAME_TEXT];
    size_t n = 0;
    const uint8_t *p = name->bytes;
    if (!*p) text[n++] = '.';
    for (; *p; p += *p + 1) {
        for (unsigned i = 1; i <= *p; i++) {
            uint8_t c = p[i];
            if (c <= ' ' || c >= 0x7f) {
                text[n++] = '\\';
                text[n++] = (uint8_t)('0' + c / 100);
                text[n++] = (uint8_t)('0' + c / 10 % 10);
                text[n++] = (uint8_t)('0' + c % 10);
                continue;
            }
            if (memchr(".\\\"();@$", c, 8)) text[n++] = '\\';
            text[n++] = c;
        }
        text[n++] = '.';
    }
    return buf_add(out, slice_of(text, n));
}

/* Lengths are below 64, so they have no case and may be compared like letters. */
static bool eq_nocase(const uint8_t *a, const uint8_t *b, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (a[i] != b[i] && ascii_lower(a[i]) != ascii_lower(b[i])) return false;
    return true;
}

bool dns_name_eq(const struct dns_name *a, const struct dns_name *b) {
    return a->len == b->len && eq_nocase(a->bytes, b->bytes, a->len);
}

bool dns_name_under(const struct dns_name *name, const struct dns_name *parent) {
    if (name->len < parent->len) return false;
    size_t at = 0, want = (size_t)name->len - parent->len;
    while (at < want) at += (size_t)name->bytes[at] + 1;
    return at == want && eq_nocase(name->bytes + at, parent->bytes, parent->len);
}

struct dns_name dns_name_parent(const struct dns_name *name) {
    struct dns_name out = DNS_NAME_ROOT;
    if (name->len <= 1) return out;
    size_t skip = (size_t)name->bytes[0] + 1;
    out.len = (uint8_t)(name->len - skip);
    memcpy(out.bytes, name->bytes + skip, out.len);
    return out;
}

bool dns_name_prepend(struct dns_name *name, struct slice label) {
    if (!label.len || label.len > DNS_LABEL_MAX || name->len + label.len + 1 > DNS_NAME_MAX) return false;
    memmove(name->bytes + label.len + 1, name->bytes, name->len);
    name->bytes[0] = (uint8_t)label.len;
    memcpy(name->bytes + 1, label.ptr, label.len);
    name->len = (uint8_t)(name->len + label.len + 1);
    return true;
}

unsigned dns_name_labels(const struct dns_name *name) {
    unsigned n = 0;
    for (const uint8_t *p = name->bytes; *p; p += *p + 1) n++;
    return n;
}

void dns_name_lower(struct dns_name *name) {
    for (size_t i = 0; i < name->len; i++) name->bytes[i] = ascii_lower(name->bytes[i]);
}
