/* dns_record.c - the data of records, read by the shape of their type. See dns_record.h.
 *
 * Every shape must use up RDLENGTH exactly.
 *
 * Touches: base/slice, base/buf, base/err, base/num. No descriptor, clock, log, malloc. */
#include "protocols/dns_record.h"

#include "base/num.h"

enum dns_form dns_form_of(unsigned type, unsigned klass) {
    /* In an UPDATE, class NONE takes a record of the zone away: same data as in IN. */
    bool in = klass == DNS_CLASS_IN || klass == DNS_CLASS_NONE;
    switch (type) {
    case DNS_TYPE_A: return in ? DNS_FORM_IPV4 : DNS_FORM_RAW;
    case DNS_TYPE_AAAA: return in ? DNS_FORM_IPV6 : DNS_FORM_RAW;
    case DNS_TYPE_SRV: return in ? DNS_FORM_SRV : DNS_FORM_RAW;
    case DNS_TYPE_SVCB:
    case DNS_TYPE_HTTPS: return in ? DNS_FORM_SVCB : DNS_FORM_RAW;
    case DNS_TYPE_NS:
    case DNS_TYPE_MD:
    case DNS_TYPE_MF:
    case DNS_TYPE_CNAME:
    case DNS_TYPE_MB:
    case DNS_TYPE_MG:
    case DNS_TYPE_MR:
    case DNS_TYPE_PTR: return DNS_FORM_NAME;
    case DNS_TYPE_MINFO:
    case DNS_TYPE_RP: return DNS_FORM_NAMES;
    case DNS_TYPE_MX:
    case DNS_TYPE_AFSDB:
    case DNS_TYPE_RT: return DNS_FORM_MX;
    case DNS_TYPE_SOA: return DNS_FORM_SOA;
    case DNS_TYPE_TXT: return DNS_FORM_TXT;
    case DNS_TYPE_CAA: return DNS_FORM_CAA;
    case DNS_TYPE_OPT: return DNS_FORM_OPT;
    default: return DNS_FORM_RAW;
    }
}

/* Where the reader of one record's data stands. */
struct place {
    struct slice message;
    size_t pos, end;
    unsigned jumps;
    struct err *e;
};

static bool want_bytes(struct place *p, size_t n) {
    if (p->end - p->pos >= n) return true;
    return err_at(p->e, ERR_SYNTAX, p->pos, "want %zu bytes more of data, found %zu", n, p->end - p->pos);
}

static bool read_16(struct place *p, uint16_t *out) {
    if (!want_bytes(p, 2)) return false;
    *out = num_be16(p->message.ptr + p->pos);
    p->pos += 2;
    return true;
}

static bool read_32(struct place *p, uint32_t *out) {
    if (!want_bytes(p, 4)) return false;
    *out = num_be32(p->message.ptr + p->pos);
    p->pos += 4;
    return true;
}

static bool read_bytes(struct place *p, uint8_t *out, size_t n) {
    if (!want_bytes(p, n)) return false;
    memcpy(out, p->message.ptr + p->pos, n);
    p->pos += n;
    return true;
}

/* A name must end where its data ends, even when that is the end of the message so far. */
static bool read_name(struct place *p, unsigned jumps, struct dns_name *out) {
    return dns_name_read(p->message, &p->pos, p->end, jumps, out, p->e) == STEP_EVENT;
}

static struct slice take_rest(struct place *p) {
    struct slice s = slice_of(p->message.ptr + p->pos, p->end - p->pos);
    p->pos = p->end;
    return s;
}

static bool read_caa(struct place *p, struct dns_record *r) {
    if (!want_bytes(p, 2)) return false;
    const uint8_t *at = p->message.ptr + p->pos;
    r->data.caa.flags = at[0];
    p->pos += 2;
    if (!want_bytes(p, at[1])) return false;
    r->data.caa.tag = slice_of(at + 2, at[1]);
    if (!dns_caa_check(r->data.caa.tag, p->pos, p->e)) return false;
    p->pos += at[1];
    r->data.caa.value = take_rest(p);
    return true;
}

static bool read_opt(struct place *p, struct dns_record *r) {
    uint32_t raw_ttl = r->ttl; /* not a time here, so all 32 bits */
    r->data.edns.size = r->klass;
    r->data.edns.rcode_high = (uint8_t)(raw_ttl >> 24);
    r->data.edns.version = (uint8_t)(raw_ttl >> 16);
    r->data.edns.dnssec_ok = raw_ttl >> 15 & 1;
    size_t at = p->pos;
    r->data.edns.options = take_rest(p);
    return dns_options_check(r->data.edns.options, at, p->e);
}

static bool read_shape(struct place *p, const struct dns_data_rules *rules, struct dns_record *r) {
    size_t at;
    switch (r->form) {
    case DNS_FORM_QUESTION:
    case DNS_FORM_EMPTY: return true;
    case DNS_FORM_RAW: p->pos = p->end; return true;
    case DNS_FORM_IPV4: return read_bytes(p, r->data.ipv4, 4);
    case DNS_FORM_IPV6: return read_bytes(p, r->data.ipv6, 16);
    case DNS_FORM_NAME: return read_name(p, p->jumps, &r->data.name);
    case DNS_FORM_NAMES: return read_name(p, p->jumps, &r->data.name) && read_name(p, p->jumps, &r->data.other);
    case DNS_FORM_MX: return read_16(p, &r->data.preference) && read_name(p, p->jumps, &r->data.name);
    case DNS_FORM_SOA:
        return read_name(p, p->jumps, &r->data.name) && read_name(p, p->jumps, &r->data.other) &&
               read_32(p, &r->data.serial) && read_32(p, &r->data.refresh) && read_32(p, &r->data.retry) &&
               read_32(p, &r->data.expire) && read_32(p, &r->data.minimum);
    case DNS_FORM_SRV:
        return read_16(p, &r->data.preference) && read_16(p, &r->data.weight) && read_16(p, &r->data.port) &&
               read_name(p, p->jumps, &r->data.name);
    case DNS_FORM_TXT:
        at = p->pos;
        r->rdata = take_rest(p);
        return (rules->mdns && !r->rdata.len) || dns_text_check(r->rdata, at, p->e);
    case DNS_FORM_CAA: return read_caa(p, r);
    case DNS_FORM_SVCB:
        if (!read_16(p, &r->data.preference) || !read_name(p, 0, &r->data.name)) return false;
        at = p->pos;
        r->data.params = take_rest(p);
        return dns_params_check(r->data.params, r->data.preference, at, p->e);
    case DNS_FORM_OPT: return read_opt(p, r);
    }
    return false;
}

bool dns_data_read(struct slice message, size_t start, size_t end, const struct dns_data_rules *rules,
                   struct dns_record *r, struct err *e) {
    struct place p = {.message = message, .pos = start, .end = end, .jumps = rules->jumps, .e = e};
    r->rdata = slice_of(message.ptr + start, end - start);
    r->form = dns_form_of(r->type, r->klass);
    bool names_set = r->klass == DNS_CLASS_ANY || r->klass == DNS_CLASS_NONE;
    if (rules->update && start == end && names_set && r->form != DNS_FORM_OPT) r->form = DNS_FORM_EMPTY;
    bool good = read_shape(&p, rules, r);
    if (good && p.pos != end)
        good = err_at(e, ERR_SYNTAX, p.pos, "want the end of the data after %zu bytes, found %zu more", p.pos - start,
                      end - p.pos);
    if (!good) {
        const char *name = dns_type_name(r->type);
        err_context(e, "data of a record of type %s", name ? name : "unknown");
    }
    return good;
}
