/* resolver_answer.c - see resolver_answer.h. */
#include "wire/resolver_answer.h"

#include "base/ascii.h"
#include "base/limits.h"
#include "wire/resolver_cache.h"

static const struct dns_limits limits = {
    .bytes = DNS_MESSAGE, .records = LIMIT_RESOLVE_RECORDS, .jumps = LIMIT_DNS_JUMPS};

static bool has_upper(const struct dns_name *name) {
    for (size_t i = 0; i < name->len; i++)
        if (ascii_is_upper(name->bytes[i])) return true; /* lengths are below 64 */
    return false;
}

/* Whether the head and the question are those that were asked. */
static enum verdict check_question(struct resolver_answer *a, struct dns_reader *reader, struct slice message,
                                   uint16_t id, const struct dns_name *spelled, uint16_t type) {
    struct dns_record record;
    enum step step = dns_open(reader, message, &limits, NULL);
    if (step == STEP_MORE) return VERDICT_FOREIGN; /* shorter than a head: it says nothing of whom it is for */
    a->header = reader->header;
    a->rcode = reader->header.rcode;
    if (!a->header.qr || a->header.id != id || a->header.opcode != DNS_OPCODE_QUERY) return VERDICT_FOREIGN;
    if (step != STEP_EVENT) return VERDICT_BROKEN;
    /* Old servers send errors back without the question. */
    if (!a->header.count[DNS_QUESTION] && a->rcode != DNS_RCODE_NOERROR && a->rcode != DNS_RCODE_NXDOMAIN)
        return VERDICT_FITS;
    if (a->header.count[DNS_QUESTION] != 1 || dns_next(reader, &record, NULL) != STEP_EVENT) return VERDICT_BROKEN;
    if (record.type != type || record.klass != DNS_CLASS_IN || !dns_name_eq(&record.name, spelled))
        return VERDICT_FOREIGN;
    if (!dns_name_same(&record.name, spelled))
        a->spelling = SPELLING_CHANGED;
    else if (has_upper(spelled))
        a->spelling = SPELLING_KEPT;
    return VERDICT_FITS;
}

static void note_record(struct resolver_answer *a, const struct dns_record *r) {
    if (r->form == DNS_FORM_OPT) a->rcode |= (unsigned)r->data.edns.rcode_high << 4;
    if (r->klass != DNS_CLASS_IN) return;
    if (r->section == DNS_ANSWER && r->type == DNS_TYPE_CNAME && a->alias_n < LIMIT_RESOLVE_ALIASES)
        a->alias[a->alias_n++] = (struct resolver_alias){r->name, r->data.name, r->ttl};
    if (r->section == DNS_AUTHORITY && r->type == DNS_TYPE_SOA && !a->has_soa) {
        a->has_soa = true;
        a->zone = r->name;
        a->negative_s = r->ttl < r->data.minimum ? r->ttl : r->data.minimum;
    }
}

enum verdict resolver_answer_read(struct resolver_answer *a, struct slice message, uint16_t id,
                                  const struct dns_name *spelled, uint16_t type, bool udp) {
    struct dns_reader reader;
    struct dns_record record;
    enum step step;
    a->alias_n = 0;
    a->has_soa = false;
    a->spelling = SPELLING_UNKNOWN;
    enum verdict verdict = check_question(a, &reader, message, id, spelled, type);
    if (verdict != VERDICT_FITS || (a->header.tc && udp)) return verdict;
    while ((step = dns_next(&reader, &record, NULL)) == STEP_EVENT) note_record(a, &record);
    return step == STEP_END ? VERDICT_FITS : VERDICT_BROKEN;
}

size_t resolver_answer_collect(struct slice message, uint16_t type, const struct dns_name *name, uint8_t *out,
                               uint32_t *ttl_s) {
    struct dns_reader reader;
    struct dns_record r;
    size_t n = 0, width = resolver_width(type);
    if (dns_open(&reader, message, &limits, NULL) != STEP_EVENT) return 0;
    while (n < LIMIT_RESOLVE_ADDRESSES && dns_next(&reader, &r, NULL) == STEP_EVENT) {
        if (r.section != DNS_ANSWER || r.type != type || r.klass != DNS_CLASS_IN || r.rdata.len != width ||
            !dns_name_eq(&r.name, name))
            continue;
        bool there = false;
        for (size_t i = 0; i < n; i++) there |= memcmp(out + i * width, r.rdata.ptr, width) == 0;
        if (r.ttl < *ttl_s) *ttl_s = r.ttl;
        if (!there) memcpy(out + n++ * width, r.rdata.ptr, width);
    }
    return n;
}
