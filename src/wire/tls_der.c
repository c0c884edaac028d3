/* tls_der.c - see tls_der.h. */
#include "wire/tls_der.h"
#include "base/limits.h"

#include "base/ascii.h"
#include "protocols/date.h"

#include <arpa/inet.h>

enum {
    DER_INTEGER = 0x02,
    DER_OCTETS = 0x04,
    DER_OID = 0x06,
    DER_BOOLEAN = 0x01,
    DER_BITS = 0x03,
    DER_UTC = 0x17,
    DER_TIME = 0x18,
    DER_SEQUENCE = 0x30,
    DER_VERSION = 0xa0,
    DER_ISSUER_ID = 0x81,
    DER_SUBJECT_ID = 0x82,
    DER_EXTENSIONS = 0xa3,
};

/* --- elements --- */

/* The content of the next element, which must have this tag. */
static struct cur open_element(struct cur *c, unsigned tag) {
    if (cur_u8(c) != tag) c->bad = true;
    size_t len = cur_u8(c);
    if (len >= 0x80) {
        unsigned n = len & 0x7f;
        if (n < 1 || n > 3) c->bad = true; /* indefinite, or larger than anything we take */
        len = 0;
        for (unsigned i = 0; i < n && !c->bad; i++) len = len << 8 | cur_u8(c);
        if (len < 0x80 || (n > 1 && len >> (8 * (n - 1)) == 0)) c->bad = true; /* not the shortest form */
    }
    if (c->bad) len = cur_left(c) + 1;
    return cur_sub(c, len);
}

static unsigned peek_tag(const struct cur *c) {
    return cur_left(c) && !c->bad ? *c->at : 0;
}

static bool skip_element(struct cur *c, unsigned tag) {
    return !open_element(c, tag).bad;
}

/* The whole next element. */
static struct slice take_element(struct cur *c, unsigned tag) {
    const uint8_t *from = c->at;
    return skip_element(c, tag) ? slice_of(from, (size_t)(c->at - from)) : slice_of(NULL, 0);
}

/* --- dates --- */

static int two_digits(struct cur *c) {
    uint8_t a = cur_u8(c), b = cur_u8(c);
    if (!ascii_is_digit(a) || !ascii_is_digit(b)) c->bad = true;
    return c->bad ? 0 : (a - '0') * 10 + b - '0';
}

static bool read_time(struct cur *c, int64_t *out) {
    unsigned tag = peek_tag(c);
    if (tag != DER_UTC && tag != DER_TIME) return false;
    struct cur t = open_element(c, tag);
    struct date_moment m = {.year = two_digits(&t)};
    if (tag == DER_TIME)
        m.year = m.year * 100 + two_digits(&t);
    else
        m.year += m.year < 50 ? 2000 : 1900;
    m.month = two_digits(&t);
    m.day = two_digits(&t);
    m.hour = two_digits(&t);
    m.minute = two_digits(&t);
    m.second = two_digits(&t);
    if (cur_u8(&t) != 'Z' || !cur_done(&t) || !date_moment_ok(&m, 59)) return false;
    *out = date_seconds(&m);
    return true;
}

/* --- the certificate --- */

bool tls_cert_name(struct slice *names, unsigned *kind, struct slice *name) {
    if (!names->len) return false;
    struct cur c = cur_of(*names);
    unsigned tag = peek_tag(&c);
    struct cur content = open_element(&c, tag);
    if (c.bad) return false;
    *kind = tag & 0x1f;
    *name = cur_rest(&content);
    *names = cur_rest(&c);
    return true;
}

/* GeneralNames: all are looked at, so that tls_cert_name meets none that cannot be read. */
static bool read_names(struct slice octets, struct slice *out) {
    struct cur c = cur_of(octets), list = open_element(&c, DER_SEQUENCE);
    unsigned kind, n = 0;
    struct slice name;
    if (!cur_done(&c) || !cur_left(&list)) return false;
    struct slice rest = cur_rest(&list);
    *out = rest;
    for (; rest.len; n++)
        if (n == LIMIT_TLS_CERT_NAMES || (rest.ptr[0] & 0xc0) != 0x80 || (rest.ptr[0] & 0x1f) > 8 ||
            !tls_cert_name(&rest, &kind, &name))
            return false;
    return true;
}

static bool read_extensions(struct cur *tbs, struct tls_cert *out) {
    struct cur outer = open_element(tbs, DER_EXTENSIONS), list = open_element(&outer, DER_SEQUENCE);
    bool found = false;
    if (!cur_done(&outer)) return false;
    while (cur_left(&list)) {
        struct cur ext = open_element(&list, DER_SEQUENCE), oid = open_element(&ext, DER_OID);
        if (peek_tag(&ext) == DER_BOOLEAN) skip_element(&ext, DER_BOOLEAN);
        struct cur value = open_element(&ext, DER_OCTETS);
        if (!cur_done(&ext) || list.bad) return false;
        if (!slice_eq(cur_rest(&oid), slice_of((const uint8_t[]){0x55, 0x1d, 0x11}, 3))) continue;
        if (found || !read_names(cur_rest(&value), &out->names)) return false;
        found = true;
    }
    return !list.bad;
}

static bool read_cert(struct slice der, struct tls_cert *out) {
    struct cur c = cur_of(der), cert = open_element(&c, DER_SEQUENCE), tbs = open_element(&cert, DER_SEQUENCE);
    if (!cur_done(&c)) return false;
    if (peek_tag(&tbs) == DER_VERSION) skip_element(&tbs, DER_VERSION);
    skip_element(&tbs, DER_INTEGER);
    skip_element(&tbs, DER_SEQUENCE); /* signature algorithm */
    skip_element(&tbs, DER_SEQUENCE); /* issuer */
    struct cur dates = open_element(&tbs, DER_SEQUENCE);
    if (tbs.bad || !read_time(&dates, &out->from) || !read_time(&dates, &out->to) || !cur_done(&dates)) return false;
    skip_element(&tbs, DER_SEQUENCE); /* subject */
    out->key = take_element(&tbs, DER_SEQUENCE);
    if (peek_tag(&tbs) == DER_ISSUER_ID) skip_element(&tbs, DER_ISSUER_ID);
    if (peek_tag(&tbs) == DER_SUBJECT_ID) skip_element(&tbs, DER_SUBJECT_ID);
    if (peek_tag(&tbs) == DER_EXTENSIONS && !read_extensions(&tbs, out)) return false;
    skip_element(&cert, DER_SEQUENCE);
    skip_element(&cert, DER_BITS);
    return cur_done(&tbs) && cur_done(&cert);
}

bool tls_cert_read(struct slice der, struct tls_cert *c, struct err *e) {
    struct tls_cert got = {{0}, {0}, 0, 0};
    if (!read_cert(der, &got)) return err_set(e, ERR_SYNTAX, "this is not a certificate, or it is damaged");
    *c = got;
    return true;
}

/* --- names --- */

size_t tls_address(struct slice host, uint8_t out[16]) {
    char text[INET6_ADDRSTRLEN];
    if (!host.len || host.len >= sizeof text || slice_find(host, 0) < host.len) return 0;
    memcpy(text, host.ptr, host.len);
    text[host.len] = 0;
    if (inet_pton(AF_INET, text, out) == 1) return 4;
    return inet_pton(AF_INET6, text, out) == 1 ? 16 : 0;
}

/* A wildcard stands for one whole leftmost label. */
static enum tls_fit fit_name(struct slice pattern, struct slice host) {
    if (slice_eq_nocase(pattern, host)) return TLS_FIT_EXACT;
    size_t dot = slice_find(host, '.');
    if (!slice_starts(pattern, LIT("*.")) || dot == 0 || dot == host.len) return TLS_FIT_NONE;
    return slice_eq_nocase(slice_skip(pattern, 1), slice_skip(host, dot)) ? TLS_FIT_WILDCARD : TLS_FIT_NONE;
}

enum tls_fit tls_cert_fit(const struct tls_cert *c, struct slice host) {
    uint8_t address[16];
    size_t address_len = tls_address(host, address);
    enum tls_fit best = TLS_FIT_NONE;
    struct slice names = c->names, name;
    unsigned kind;
    while (best != TLS_FIT_EXACT && tls_cert_name(&names, &kind, &name)) {
        enum tls_fit fit = TLS_FIT_NONE;
        if (address_len)
            fit = kind == TLS_NAME_IP && slice_eq(name, slice_of(address, address_len)) ? TLS_FIT_EXACT : TLS_FIT_NONE;
        else if (kind == TLS_NAME_DNS)
            fit = fit_name(name, host);
        if (fit > best) best = fit;
    }
    return best;
}
