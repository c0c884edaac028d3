/* x509_name.c - names of subjects and of hosts; see x509.h and x509_room.h. */
#include "base/ascii.h"
#include "base/hex.h"
#include "base/num.h"
#include "base/utf8.h"
#include "protocols/x509_room.h"

#define NAME_MAX_POINTS 64  /* characters of a part: ub-common-name and its like (RFC 5280 A.1) */
#define DNS_MAX         253 /* bytes of a host name */
#define LABEL_MAX       63

const char *x509_alt_name(enum x509_alt_kind kind) {
    switch (kind) {
#define X(name, number, text)                                                                                          \
    case name: return text;
        X509_ALTS(X)
#undef X
    }
    return "";
}

/* --- reading --- */

static bool is_ascii(struct slice s) {
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] >= 0x80) return false;
    return true;
}

/* Whether the bytes can be a text of that kind. */
static bool is_text(unsigned tag, struct slice s) {
    switch (tag) {
    case DER_UTF8: return utf8_ok(s);
    case DER_NUMERIC:
    case DER_PRINTABLE:
    case DER_VISIBLE:
    case DER_IA5: return is_ascii(s);
    case DER_BMP: return s.len % 2 == 0;
    case DER_UNIVERSAL: return s.len % 4 == 0;
    default: return true;
    }
}

static bool is_utf8_kind(unsigned tag) {
    return tag == DER_UTF8 || tag == DER_NUMERIC || tag == DER_PRINTABLE || tag == DER_VISIBLE || tag == DER_IA5;
}

static bool take_part(struct cur *set, struct x509_part *part) {
    struct cur c = der_take(set, DER_SEQUENCE);
    part->oid = der_oid(&c);
    part->whole = der_whole_any(&c);
    struct cur whole = cur_of(part->whole), value = der_take_any(&whole, &part->tag);
    part->value = cur_rest(&value);
    return !set->bad && cur_done(&c) && part->tag;
}

static void keep_text(struct slice *field, const struct x509_part *part, enum x509_oid oid) {
    if (!field->len && is_utf8_kind(part->tag) && slice_eq(part->oid, x509_oid(oid))) *field = part->value;
}

/* Parts side by side stand in the order of their bytes. */
static bool read_set(struct cur set, struct x509_name *name) {
    struct slice before = {NULL, 0};
    if (!cur_left(&set)) return false;
    while (cur_left(&set)) {
        struct x509_part part;
        const uint8_t *from = set.at;
        if (!take_part(&set, &part) || !is_text(part.tag, part.value)) return false;
        struct slice whole = slice_of(from, (size_t)(set.at - from));
        if (before.len && slice_cmp(before, whole) > 0) return false;
        before = whole;
        keep_text(&name->common_name, &part, X509_OID_CN);
        keep_text(&name->organization, &part, X509_OID_O);
        keep_text(&name->unit, &part, X509_OID_OU);
    }
    return !set.bad;
}

bool x509_name_take(struct cur *c, struct x509_name *name) {
    *name = (struct x509_name){.der = der_whole(c, DER_SEQUENCE)};
    struct cur whole = cur_of(name->der), list = der_take(&whole, DER_SEQUENCE);
    while (!list.bad && cur_left(&list))
        if (!read_set(der_take(&list, DER_SET), name)) return false;
    return !c->bad && cur_done(&list);
}

bool x509_name_is_empty(const struct x509_name *name) {
    if (name->der.len) return name->der.len == 2;
    return !name->common_name.len && !name->organization.len && !name->unit.len;
}

struct x509_parts x509_name_parts(const struct x509_name *name) {
    struct cur whole = cur_of(name->der), list = der_take(&whole, DER_SEQUENCE);
    return (struct x509_parts){.rest = cur_rest(&list)};
}

bool x509_part_next(struct x509_parts *parts, struct x509_part *part) {
    part->joined = parts->set.len;
    if (!parts->set.len) {
        struct cur list = cur_of(parts->rest), set = der_take(&list, DER_SET);
        parts->set = cur_rest(&set);
        parts->rest = cur_rest(&list);
    }
    struct cur set = cur_of(parts->set);
    if (!set.end || !cur_left(&set) || !take_part(&set, part)) return false;
    parts->set = cur_rest(&set);
    return true;
}

/* --- as text --- */

/* Takes the next character of a text; what is none is the replacement character. */
static uint32_t take_point(unsigned tag, struct slice *s) {
    size_t n = tag == DER_UNIVERSAL ? 4 : tag == DER_BMP ? 2 : 1;
    const uint8_t *p = s->ptr;
    uint32_t point = p[0];
    if (n > 1 && s->len < n)
        n = s->len, point = 0xfffd;
    else if (n == 4)
        point = num_be32(p);
    else if (n == 2)
        point = num_be16(p);
    else if (tag == DER_UTF8 && p[0] >= 0x80) {
        n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
        if (utf8_valid(slice_head(*s, n)) < n) /* nobody has looked at it before */
            n = 1, point = 0xfffd;
        else {
            point = p[0] & (0x7fu >> n);
            for (size_t i = 1; i < n; i++) point = point << 6 | (p[i] & 0x3f);
        }
    }
    *s = slice_skip(*s, n);
    return point;
}

/* What a terminal would obey: control characters, and those that turn the direction of writing. */
static bool is_control(uint32_t point) {
    return point < 0x20 || (point >= 0x7f && point < 0xa0) || (point >= 0x200e && point <= 0x200f) ||
           (point >= 0x2028 && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069);
}

static void add_point(struct buf *out, uint32_t point, bool first, bool last) {
    uint8_t bytes[4];
    size_t n = utf8_write(bytes, point);
    if (!n) n = utf8_write(bytes, 0xfffd);
    if (is_control(point)) {
        for (size_t i = 0; i < n; i++) {
            buf_byte(out, '\\');
            hex_add(out, slice_of(&bytes[i], 1));
        }
        return;
    }
    bool special = point < 0x80 && strchr(",+\"\\<>;=", (int)point);
    if (special || (first && point == '#') || ((first || last) && point == ' ')) buf_byte(out, '\\');
    buf_add(out, slice_of(bytes, n));
}

static void add_value(struct buf *out, const struct x509_part *part) {
    if (!is_utf8_kind(part->tag) && part->tag != DER_TELETEX && part->tag != DER_BMP && part->tag != DER_UNIVERSAL) {
        buf_byte(out, '#');
        hex_add(out, part->whole);
        return;
    }
    struct slice rest = part->value;
    for (bool first = true; rest.len; first = false) {
        uint32_t point = take_point(part->tag, &rest);
        add_point(out, point, first, !rest.len);
    }
}

bool x509_name_add_text(struct buf *out, const struct x509_name *name) {
    struct x509_parts parts = x509_name_parts(name);
    struct x509_part part;
    for (bool first = true; x509_part_next(&parts, &part); first = false) {
        const char *known = x509_oid_name(part.oid);
        if (!first) buf_add(out, part.joined ? LIT(" + ") : LIT(", "));
        if (known)
            buf_add_str(out, known);
        else
            x509_oid_add_text(out, part.oid);
        buf_byte(out, '=');
        add_value(out, &part);
    }
    return buf_ok(out);
}

/* --- writing --- */

static bool add_part(struct buf *out, enum x509_oid oid, struct slice text, struct err *e) {
    if (!text.len) return true;
    size_t points = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)
            return err_set(e, ERR_INVALID, "want no control characters in the name of a certificate");
        points += (text.ptr[i] & 0xc0) != 0x80;
    }
    if (!utf8_ok(text)) return err_set(e, ERR_UTF8, "the name of a certificate is not UTF-8");
    if (points > NAME_MAX_POINTS)
        return err_set(e, ERR_INVALID, "want at most %d characters in %s of the name of a certificate, found %zu",
                       NAME_MAX_POINTS, x509_oid_name(x509_oid(oid)), points);
    size_t set = der_open(out, DER_SET), part = der_open(out, DER_SEQUENCE);
    der_add(out, DER_OID, x509_oid(oid));
    der_add(out, DER_UTF8, text);
    der_close(out, part);
    der_close(out, set);
    return true;
}

bool x509_name_add(struct buf *out, const struct x509_name *name, struct err *e) {
    if (name->der.len) {
        struct cur c = cur_of(name->der);
        struct x509_name same;
        if (!x509_name_take(&c, &same) || !cur_done(&c))
            return err_set(e, ERR_INVALID, "this is not the name of a certificate as DER");
        buf_add(out, name->der);
        return true;
    }
    size_t mark = der_open(out, DER_SEQUENCE);
    if (!add_part(out, X509_OID_CN, name->common_name, e) || !add_part(out, X509_OID_O, name->organization, e) ||
        !add_part(out, X509_OID_OU, name->unit, e))
        return false;
    der_close(out, mark);
    return true;
}

/* --- alternative names --- */

/* Name, others and the like hold elements; the others bytes. */
static bool is_alt_tag(unsigned tag) {
    unsigned number = tag & 0x1f;
    bool made =
        number == X509_ALT_OTHER || number == X509_ALT_X400 || number == X509_ALT_NAME || number == X509_ALT_EDI;
    return number <= X509_ALT_ID && (tag & 0xe0) == (made ? 0xa0u : 0x80u);
}

static bool is_printable(struct slice s) {
    for (size_t i = 0; i < s.len; i++)
        if (!ascii_is_print(s.ptr[i])) return false;
    return s.len;
}

static bool is_alt(const struct x509_alt *alt) {
    struct cur c = cur_of(alt->value);
    struct x509_name name;
    switch (alt->kind) {
    case X509_ALT_EMAIL:
    case X509_ALT_DNS:
    case X509_ALT_URI: return is_printable(alt->value);
    case X509_ALT_IP: return alt->value.len == 4 || alt->value.len == 16;
    case X509_ALT_NAME: return x509_name_take(&c, &name) && cur_done(&c);
    case X509_ALT_ID: return der_oid_ok(alt->value);
    case X509_ALT_OTHER:
    case X509_ALT_X400:
    case X509_ALT_EDI: break;
    }
    return alt->value.len;
}

bool x509_alt_next(struct slice *rest, struct x509_alt *alt) {
    struct cur c = cur_of(*rest);
    unsigned tag;
    if (!rest->len) return false;
    struct cur value = der_take_any(&c, &tag);
    if (!is_alt_tag(tag)) return false;
    *alt = (struct x509_alt){(enum x509_alt_kind)(tag & 0x1f), cur_rest(&value)};
    *rest = cur_rest(&c);
    return true;
}

bool x509_alts_ok(struct slice content, unsigned most, bool *over) {
    struct x509_alt alt;
    unsigned n = 0;
    *over = false;
    for (; x509_alt_next(&content, &alt); n++) {
        if (n == most) return !(*over = true);
        if (!is_alt(&alt)) return false;
    }
    return n && !content.len;
}

/* Letters, digits and dashes, no dash at the ends (RFC 5280 4.2.1.6, RFC 1123 2.1); a star may stand for the first label. */
static bool is_host(struct slice name) {
    struct slice rest = slice_starts(name, LIT("*.")) ? slice_skip(name, 2) : name;
    if (!name.len || name.len > DNS_MAX || name.ptr[name.len - 1] == '.') return false;
    while (rest.len) {
        struct slice label = slice_cut(&rest, '.');
        if (!label.len || label.len > LABEL_MAX || label.ptr[0] == '-' || label.ptr[label.len - 1] == '-') return false;
        for (size_t i = 0; i < label.len; i++)
            if (!ascii_is_alnum(label.ptr[i]) && label.ptr[i] != '-') return false;
    }
    return true;
}

bool x509_alts_add(struct buf *out, const struct x509_alt *alts, size_t n, struct err *e) {
    size_t mark = der_open(out, DER_SEQUENCE);
    for (; n--; alts++) {
        if (alts->kind == X509_ALT_IP) {
            if (alts->value.len != 4 && alts->value.len != 16)
                return err_set(e, ERR_INVALID, "want an IP address of 4 or 16 bytes for a certificate, found %zu",
                               alts->value.len);
        } else if (alts->kind != X509_ALT_DNS)
            return err_set(e, ERR_UNSUPPORTED, "want only host names and IP addresses as names of a host");
        else if (!is_host(alts->value)) {
            struct slice shown = slice_head(alts->value, is_printable(alts->value) ? 80 : 0);
            return err_set(e, ERR_INVALID, "want a host name of labels of letters, digits and dashes, found \"%.*s\"",
                           (int)shown.len, (const char *)shown.ptr);
        }
        der_add(out, DER_CONTEXT((unsigned)alts->kind), alts->value);
    }
    der_close(out, mark);
    return true;
}
