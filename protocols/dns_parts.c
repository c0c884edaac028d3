/* dns_parts.c - the names of DNS numbers and the lists inside records: TXT strings, SVCB parameters, EDNS options, CAA
 * tags. See dns_record.h.
 *
 * Touches: base/slice, base/buf, base/err, base/num, base/ascii. No descriptor, clock, log, malloc. */
#include "base/ascii.h"
#include "base/num.h"
#include "protocols/dns_record.h"

/* --- numbers and names --- */

struct row {
    const char *name;
    uint16_t number;
};
#define X(name, number) {#name, number},
static const struct row types[] = {DNS_TYPES(X)};
static const struct row classes[] = {DNS_CLASSES(X)};
static const struct row opcodes[] = {DNS_OPCODES(X)};
static const struct row rcodes[] = {DNS_RCODES(X)};
static const struct row options[] = {DNS_OPTIONS(X)};
#undef X
#define X(name, number, text) {text, number},
static const struct row params[] = {DNS_PARAMS(X)};
#undef X
#define ROWS(table) table, sizeof(table) / sizeof((table)[0])

static const char *find_name(const struct row *rows, size_t n, unsigned number) {
    for (size_t i = 0; i < n; i++)
        if (rows[i].number == number) return rows[i].name;
    return NULL;
}

static bool find_number(const struct row *rows, size_t n, struct slice prefix, uint64_t max, struct slice text,
                        uint16_t *out) {
    for (size_t i = 0; i < n; i++) {
        if (!slice_eq_nocase(text, slice_str(rows[i].name))) continue;
        *out = rows[i].number;
        return true;
    }
    uint64_t number;
    if (!slice_eq_nocase(slice_head(text, prefix.len), prefix)) return false;
    if (!num_read_u64(slice_skip(text, prefix.len), 0, max, &number)) return false;
    *out = (uint16_t)number;
    return true;
}

const char *dns_type_name(unsigned type) {
    return find_name(ROWS(types), type);
}
const char *dns_class_name(unsigned klass) {
    return find_name(ROWS(classes), klass);
}
const char *dns_opcode_name(unsigned opcode) {
    return find_name(ROWS(opcodes), opcode);
}
const char *dns_rcode_name(unsigned rcode) {
    return find_name(ROWS(rcodes), rcode);
}
const char *dns_param_name(unsigned key) {
    return find_name(ROWS(params), key);
}
const char *dns_option_name(unsigned code) {
    return find_name(ROWS(options), code);
}
bool dns_type_from(struct slice text, uint16_t *type) {
    return find_number(ROWS(types), LIT("TYPE"), UINT16_MAX, text, type);
}
bool dns_class_from(struct slice text, uint16_t *klass) {
    return find_number(ROWS(classes), LIT("CLASS"), UINT16_MAX, text, klass);
}
bool dns_opcode_from(struct slice text, uint16_t *opcode) {
    return find_number(ROWS(opcodes), LIT("OPCODE"), 15, text, opcode);
}
bool dns_rcode_from(struct slice text, uint16_t *rcode) {
    return find_number(ROWS(rcodes), LIT("RCODE"), 4095, text, rcode);
}
bool dns_param_from(struct slice text, uint16_t *key) {
    return find_number(ROWS(params), LIT("key"), UINT16_MAX, text, key);
}

/* --- strings --- */

bool dns_text_next(struct slice *rest, struct slice *text) {
    if (!rest->len) return false;
    *text = slice_head(slice_skip(*rest, 1), *rest->ptr);
    *rest = slice_skip(*rest, text->len + 1);
    return true;
}

bool dns_text_add(struct buf *out, struct slice text, struct err *e) {
    if (text.len > 255) return err_limit(e, "string", 255, ERR_NOWHERE);
    size_t mark = buf_mark(out);
    if (buf_byte(out, (uint8_t)text.len) && buf_add(out, text)) return true;
    buf_rewind(out, mark);
    return err_set(e, ERR_LIMIT, "no room for a string");
}

bool dns_text_check(struct slice strings, size_t at, struct err *e) {
    if (!strings.len) return err_at(e, ERR_SYNTAX, at, "want at least one string, found none");
    for (size_t i = 0; i < strings.len; i += (size_t)strings.ptr[i] + 1)
        if (strings.ptr[i] >= strings.len - i)
            return err_at(e, ERR_SYNTAX, at + i, "want a string of %u bytes, found %zu", strings.ptr[i],
                          strings.len - i - 1);
    return true;
}

/* --- pairs of number and value, each with a length: parameters and options --- */

static bool take_pair(struct slice *rest, uint16_t *number, struct slice *value) {
    if (rest->len < 4) return false;
    *number = num_be16(rest->ptr);
    *value = slice_head(slice_skip(*rest, 4), num_be16(rest->ptr + 2));
    *rest = slice_skip(*rest, value->len + 4);
    return true;
}

bool dns_param_next(struct slice *rest, uint16_t *key, struct slice *value) {
    return take_pair(rest, key, value);
}
bool dns_option_next(struct slice *rest, uint16_t *code, struct slice *value) {
    return take_pair(rest, code, value);
}

static bool add_pair(struct buf *out, unsigned number, struct slice value, struct err *e) {
    if (number > UINT16_MAX || value.len > UINT16_MAX) return err_limit(e, "value", UINT16_MAX, ERR_NOWHERE);
    size_t mark = buf_mark(out);
    if (buf_be16(out, (uint16_t)number) && buf_be16(out, (uint16_t)value.len) && buf_add(out, value)) return true;
    buf_rewind(out, mark);
    return err_set(e, ERR_LIMIT, "no room for a value");
}

bool dns_option_add(struct buf *out, unsigned code, struct slice value, struct err *e) {
    return add_pair(out, code, value, e);
}

static bool check_pairs(struct slice s, size_t at, const char *what, struct err *e) {
    for (size_t i = 0; i < s.len;) {
        if (s.len - i < 4)
            return err_at(e, ERR_SYNTAX, at + i, "want the head of %s, found only %zu bytes", what, s.len - i);
        size_t len = num_be16(s.ptr + i + 2);
        if (len > s.len - i - 4)
            return err_at(e, ERR_SYNTAX, at + i + 2, "want %zu bytes in %s, found %zu", len, what, s.len - i - 4);
        i += len + 4;
    }
    return true;
}

bool dns_options_check(struct slice list, size_t at, struct err *e) {
    return check_pairs(list, at, "an EDNS option", e);
}

/* --- SVCB --- */

/* Whether the value has the form of its key (RFC 9460 7 and 8). */
static bool check_value(uint16_t key, struct slice value, size_t at, struct err *e) {
    switch (key) {
    case DNS_PARAM_MANDATORY:
        if (!value.len || value.len % 2)
            return err_at(e, ERR_SYNTAX, at, "want keys of two bytes in mandatory, found %zu bytes", value.len);
        for (size_t i = 0; i < value.len; i += 2) {
            uint16_t n = num_be16(value.ptr + i);
            if (n == DNS_PARAM_MANDATORY) return err_at(e, ERR_SYNTAX, at + i, "the key mandatory may not name itself");
            if (i && n <= num_be16(value.ptr + i - 2))
                return err_at(e, ERR_SYNTAX, at + i, "want the keys in mandatory in rising order, found %u", n);
        }
        return true;
    case DNS_PARAM_ALPN:
        if (!dns_text_check(value, at, e)) {
            err_context(e, "alpn");
            return false;
        }
        for (size_t i = 0; i < value.len; i += (size_t)value.ptr[i] + 1)
            if (!value.ptr[i]) return err_at(e, ERR_SYNTAX, at + i, "want a protocol in alpn, found an empty one");
        return true;
    case DNS_PARAM_NO_DEFAULT_ALPN:
        return !value.len || err_at(e, ERR_SYNTAX, at, "want no value of no-default-alpn, found %zu bytes", value.len);
    case DNS_PARAM_PORT:
        return value.len == 2 || err_at(e, ERR_SYNTAX, at, "want a port of two bytes, found %zu", value.len);
    case DNS_PARAM_IPV4HINT:
        return (value.len && value.len % 4 == 0) ||
               err_at(e, ERR_SYNTAX, at, "want addresses of four bytes in ipv4hint, found %zu bytes", value.len);
    case DNS_PARAM_IPV6HINT:
        return (value.len && value.len % 16 == 0) ||
               err_at(e, ERR_SYNTAX, at, "want addresses of 16 bytes in ipv6hint, found %zu bytes", value.len);
    case DNS_PARAM_ECH: return value.len || err_at(e, ERR_SYNTAX, at, "want a value of ech, found none");
    case UINT16_MAX: return err_at(e, ERR_SYNTAX, at, "want a parameter, found the reserved key 65535");
    default: return true;
    }
}

static bool has_key(struct slice list, uint16_t want) {
    uint16_t key;
    struct slice value;
    while (dns_param_next(&list, &key, &value) && key <= want)
        if (key == want) return true;
    return false;
}

bool dns_params_check(struct slice list, unsigned priority, size_t at, struct err *e) {
    if (!check_pairs(list, at, "a service parameter", e)) return false;
    struct slice rest = list, value, mandatory = slice_of(NULL, 0);
    uint16_t key;
    long before = -1;
    for (size_t here = at; dns_param_next(&rest, &key, &value); here += value.len + 4) {
        if (key <= before)
            return err_at(e, ERR_SYNTAX, here, "want parameters in rising order, found key %u behind key %ld", key,
                          before);
        before = key;
        if (!priority) continue;
        if (!check_value(key, value, here + 4, e)) return false;
        if (key == DNS_PARAM_MANDATORY) mandatory = value;
        if (key == DNS_PARAM_NO_DEFAULT_ALPN && !has_key(list, DNS_PARAM_ALPN))
            return err_at(e, ERR_SYNTAX, here, "want alpn beside no-default-alpn, found none");
    }
    /* Both lists rise, so one walk through the parameters finds all. */
    rest = list;
    for (size_t i = 0; i < mandatory.len; i += 2) {
        uint16_t want = num_be16(mandatory.ptr + i);
        do
            if (!dns_param_next(&rest, &key, &value))
                return err_at(e, ERR_SYNTAX, at, "want the mandatory key %u, found none", want);
        while (key != want);
    }
    return true;
}

bool dns_param_add(struct buf *out, unsigned key, struct slice value, struct err *e) {
    uint16_t last = 0;
    bool any = false;
    struct slice rest = buf_slice(out), old;
    while (dns_param_next(&rest, &last, &old)) any = true;
    if (any && key <= last)
        return err_set(e, ERR_INVALID, "want parameters in rising order, found key %u behind key %u", key, last);
    if (key > UINT16_MAX || !check_value((uint16_t)key, value, 0, e))
        return key > UINT16_MAX ? err_limit(e, "key", UINT16_MAX, ERR_NOWHERE) : false;
    return add_pair(out, key, value, e);
}

/* --- CAA --- */

bool dns_caa_check(struct slice tag, size_t at, struct err *e) {
    if (!tag.len) return err_at(e, ERR_SYNTAX, at, "want a CAA tag, found an empty one");
    if (tag.len > 255) return err_limit(e, "tag", 255, at);
    for (size_t i = 0; i < tag.len; i++)
        if (!ascii_is_alnum(tag.ptr[i]))
            return err_at(e, ERR_SYNTAX, at + i, "want letters and digits in a CAA tag, found byte 0x%02x", tag.ptr[i]);
    return true;
}
