/* dns_write.c - see dns_write.h.
 *  The table of names is open-addressed by the hash of a suffix and only ever grows by what was written last, so
 * undoing a record is clearing the slots that point behind the mark.
 *
 * Touches: base/slice, base/buf, base/err, base/num. No descriptor, clock, log. */
#include "protocols/dns_write.h"

#include "base/num.h"

#define NAMES_MAX   (DNS_WRITE_SLOTS * 3 / 4)
#define POINTER_END 0x4000 /* a pointer has 14 bits */
#define OPT_HEAD    11     /* root, type, class, ttl, length */

static void store_16(uint8_t *p, unsigned n) {
    p[0] = (uint8_t)(n >> 8);
    p[1] = (uint8_t)n;
}

static void put_head(struct dns_writer *w) {
    uint8_t *p = w->out->ptr + w->base;
    const struct dns_header *h = &w->header;
    store_16(p, h->id);
    p[2] = (uint8_t)(h->qr << 7 | (h->opcode & 15) << 3 | h->aa << 2 | h->tc << 1 | h->rd);
    p[3] = (uint8_t)(h->ra << 7 | h->ad << 5 | h->cd << 4 | (h->rcode & 15));
    for (unsigned i = 0; i < 4; i++) store_16(p + 4 + 2 * i, h->count[i]);
}

/* Says why the buffer took no more; the caller has rewound it. */
static bool say_fault(enum buf_fault fault, size_t max, struct err *e) {
    return fault == BUF_NOMEM ? err_nomem(e, "a message") : err_limit(e, "message", max, ERR_NOWHERE);
}

bool dns_write_open(struct dns_writer *w, struct buf *out, size_t limit, const struct dns_header *header,
                    const struct dns_edns *edns, struct err *e) {
    w->header = *header;
    w->header.tc = false;
    memset(w->header.count, 0, sizeof w->header.count);
    w->compress = true;
    w->mdns = w->full = w->ended = false;
    w->out = out;
    w->base = out->len;
    w->limit = limit < DNS_MESSAGE ? limit : DNS_MESSAGE;
    w->has_edns = edns != NULL;
    w->kept = 0;
    w->section = DNS_QUESTION;
    w->names = 0;
    memset(w->at, 0, sizeof w->at);
    if (header->opcode > 15) return err_limit(e, "opcode", 15, ERR_NOWHERE);
    if (edns) {
        w->edns = *edns;
        if (edns->options.len > DNS_MESSAGE) return err_limit(e, "options", DNS_MESSAGE, ERR_NOWHERE);
        if (!dns_options_check(edns->options, 0, e)) return false;
        w->kept = OPT_HEAD + edns->options.len;
    }
    if (w->limit < DNS_HEAD + w->kept) return err_limit(e, "message", w->limit, ERR_NOWHERE);
    if (!buf_room(out, DNS_HEAD + w->kept)) {
        enum buf_fault fault = out->fault;
        buf_rewind(out, w->base);
        return say_fault(fault, out->max, e);
    }
    buf_wrote(out, DNS_HEAD);
    put_head(w);
    return true;
}

bool dns_write_keep(struct dns_writer *w, size_t n, struct err *e) {
    size_t used = dns_write_length(w) + w->kept;
    if (used > w->limit || n > w->limit - used) return err_limit(e, "message", w->limit, ERR_NOWHERE);
    w->kept += n;
    return true;
}

/* --- names --- */

static uint32_t hash_label(uint32_t h, const uint8_t *label) {
    for (unsigned i = 0; i <= *label; i++) h = (h ^ label[i]) * 16777619u;
    return h;
}

/* Whether the name written at `at` is this suffix. What was written is well-formed and its pointers go back. */
static bool is_written(const struct dns_writer *w, size_t at, const uint8_t *suffix) {
    const uint8_t *m = w->out->ptr + w->base, *p = m + at;
    for (;;) {
        while (*p >= 0xc0) p = m + ((size_t)(*p & 0x3f) << 8 | p[1]);
        if (*p != *suffix || memcmp(p + 1, suffix + 1, *p) != 0) return false;
        if (!*p) return true;
        suffix += *p + 1;
        p += *p + 1;
    }
}

/* The slot that holds the suffix, or the free one where it belongs. */
static unsigned find_slot(const struct dns_writer *w, uint16_t hash, const uint8_t *suffix) {
    unsigned slot = hash % DNS_WRITE_SLOTS;
    while (w->at[slot] && (w->hash[slot] != hash || !is_written(w, w->at[slot], suffix)))
        slot = (slot + 1) % DNS_WRITE_SLOTS;
    return slot;
}

static void add_plain(struct dns_writer *w, const struct dns_name *name) {
    buf_add(w->out, slice_of(name->bytes, name->len));
}

/* Appends the labels before the longest suffix that stands already, and a pointer to that; notes the new suffixes. */
static void add_name(struct dns_writer *w, const struct dns_name *name) {
    if (!w->compress || name->len == 1) {
        add_plain(w, name);
        return;
    }
    uint8_t label[DNS_NAME_MAX / 2 + 1];
    uint16_t hash[DNS_NAME_MAX / 2 + 1];
    unsigned n = 0, known;
    for (unsigned i = 0; name->bytes[i]; i += name->bytes[i] + 1u) label[n++] = (uint8_t)i;
    uint32_t h = 2166136261u;
    for (unsigned i = n; i-- > 0;) {
        h = hash_label(h, name->bytes + label[i]);
        hash[i] = (uint16_t)(h ^ h >> 16);
    }
    size_t at = dns_write_length(w);
    unsigned target = 0;
    for (known = 0; known < n && !target; known++)
        target = w->at[find_slot(w, hash[known], name->bytes + label[known])];
    if (target) known--;
    size_t plain = known < n ? label[known] : (size_t)name->len - 1;
    uint8_t *p = buf_room(w->out, plain + 2);
    if (!p) return;
    memcpy(p, name->bytes, plain);
    if (target)
        store_16(p + plain, 0xc000u | target);
    else
        p[plain] = 0;
    buf_wrote(w->out, plain + (target ? 2 : 1));
    for (unsigned i = 0; i < known && w->names < NAMES_MAX && at + label[i] < POINTER_END; i++) {
        unsigned slot = find_slot(w, hash[i], name->bytes + label[i]);
        w->hash[slot] = hash[i];
        w->at[slot] = (uint16_t)(at + label[i]);
        w->names++;
    }
}

static void undo(struct dns_writer *w, size_t mark) {
    buf_rewind(w->out, mark);
    for (unsigned i = 0; i < DNS_WRITE_SLOTS; i++) {
        if (!w->at[i] || w->at[i] < mark - w->base) continue;
        w->at[i] = 0;
        w->names--;
    }
}

/* --- questions and records --- */

/* Names are built by dns_name.h; one that was not is a fault of ours that must not reach the wire. */
static bool check_name(const struct dns_name *name, struct err *e) {
    size_t at = 0;
    if (!name->len) return err_set(e, ERR_INVALID, "want a name, found an empty one");
    struct dns_name again;
    if (dns_name_read(slice_of(name->bytes, name->len), &at, name->len, 0, &again, e) != STEP_EVENT) return false;
    return at == name->len || err_set(e, ERR_INVALID, "want one name, found more bytes behind it");
}

/* Whether what was added since the mark fits; else everything is as before. */
static bool fits(const struct dns_writer *w) {
    return buf_ok(w->out) && dns_write_length(w) + w->kept <= w->limit && w->header.count[w->section] < UINT16_MAX;
}

static bool enter_section(struct dns_writer *w, enum dns_section section, struct err *e) {
    static const char *const names[] = {"question", "answer", "authority", "additional"};
    if (section < w->section || (w->ended && section != DNS_ADDITIONAL))
        return err_set(e, ERR_INVALID, "want sections in order, found the %s section behind the %s section",
                       names[section & 3], names[w->ended ? DNS_ADDITIONAL : w->section]);
    if (section > DNS_ADDITIONAL) return err_set(e, ERR_INVALID, "want a section, found number %d", section);
    w->section = section;
    return true;
}

bool dns_write_question(struct dns_writer *w, const struct dns_name *name, unsigned type, unsigned klass, bool unicast,
                        struct err *e) {
    if (type > UINT16_MAX || klass > UINT16_MAX) return err_set(e, ERR_INVALID, "want type and class of 16 bits");
    if (!check_name(name, e) || !enter_section(w, DNS_QUESTION, e)) return false;
    size_t mark = buf_mark(w->out);
    add_name(w, name);
    buf_be16(w->out, (uint16_t)type);
    buf_be16(w->out, (uint16_t)(w->mdns && unicast ? klass | 0x8000 : klass));
    if (!fits(w)) {
        enum buf_fault fault = w->out->fault;
        undo(w, mark);
        return say_fault(fault, w->limit, e);
    }
    w->header.count[DNS_QUESTION]++;
    put_head(w);
    return true;
}

/* Whether raw data would read back. Data that holds a compressed name does not: the pointer meant another message. */
static bool check_raw(const struct dns_writer *w, const struct dns_record *r, struct err *e) {
    struct dns_record again = {.type = r->type, .klass = r->klass, .ttl = 0};
    struct dns_data_rules rules = {.jumps = 0, .update = w->header.opcode == DNS_OPCODE_UPDATE, .mdns = w->mdns};
    return dns_data_read(r->rdata, 0, r->rdata.len, &rules, &again, e);
}

static bool check_record(const struct dns_writer *w, const struct dns_record *r, struct err *e) {
    if (!check_name(&r->name, e)) return false;
    if (r->ttl > INT32_MAX) return err_limit(e, "ttl", INT32_MAX, ERR_NOWHERE);
    if (r->type == DNS_TYPE_OPT)
        return err_set(e, ERR_INVALID, "want OPT told when the message is opened, found it as a record");
    if (w->mdns && r->klass >> 15)
        return err_set(e, ERR_INVALID, "want a class of 15 bits in mDNS, found %u", r->klass);
    bool shaped = r->form != DNS_FORM_RAW && r->form != DNS_FORM_TXT && r->form != DNS_FORM_EMPTY;
    if (shaped && r->form != dns_form_of(r->type, r->klass))
        return err_set(e, ERR_INVALID, "want data in the form of type %u, found another form", r->type);
    switch (r->form) {
    case DNS_FORM_RAW:
    case DNS_FORM_TXT:
        if (r->rdata.len > UINT16_MAX) return err_limit(e, "data", UINT16_MAX, ERR_NOWHERE);
        break;
    case DNS_FORM_EMPTY:
        if (w->header.opcode == DNS_OPCODE_UPDATE && (r->klass == DNS_CLASS_ANY || r->klass == DNS_CLASS_NONE))
            return true;
        return err_set(e, ERR_INVALID, "want data, found a record without any");
    case DNS_FORM_NAMES:
    case DNS_FORM_SOA:
        if (!check_name(&r->data.other, e)) return false;
        return check_name(&r->data.name, e);
    case DNS_FORM_NAME:
    case DNS_FORM_MX:
    case DNS_FORM_SRV: return check_name(&r->data.name, e);
    case DNS_FORM_CAA:
        if (r->data.caa.value.len > UINT16_MAX) return err_limit(e, "data", UINT16_MAX, ERR_NOWHERE);
        return dns_caa_check(r->data.caa.tag, 0, e);
    case DNS_FORM_SVCB:
        if (r->data.params.len > UINT16_MAX) return err_limit(e, "data", UINT16_MAX, ERR_NOWHERE);
        return check_name(&r->data.name, e) && dns_params_check(r->data.params, r->data.preference, 0, e);
    case DNS_FORM_IPV4:
    case DNS_FORM_IPV6: return true;
    case DNS_FORM_QUESTION:
    case DNS_FORM_OPT: return err_set(e, ERR_INVALID, "want a record, found a question or an OPT");
    }
    return check_raw(w, r, e);
}

static void add_data(struct dns_writer *w, const struct dns_record *r) {
    struct buf *out = w->out;
    switch (r->form) {
    case DNS_FORM_RAW:
    case DNS_FORM_TXT: buf_add(out, r->rdata); break;
    case DNS_FORM_IPV4: buf_add(out, slice_of(r->data.ipv4, 4)); break;
    case DNS_FORM_IPV6: buf_add(out, slice_of(r->data.ipv6, 16)); break;
    case DNS_FORM_NAME: add_name(w, &r->data.name); break;
    case DNS_FORM_NAMES:
        (r->type == DNS_TYPE_MINFO ? add_name : add_plain)(w, &r->data.name);
        (r->type == DNS_TYPE_MINFO ? add_name : add_plain)(w, &r->data.other);
        break;
    case DNS_FORM_MX:
        buf_be16(out, r->data.preference);
        (r->type == DNS_TYPE_MX ? add_name : add_plain)(w, &r->data.name);
        break;
    case DNS_FORM_SOA:
        add_name(w, &r->data.name);
        add_name(w, &r->data.other);
        buf_be32(out, r->data.serial);
        buf_be32(out, r->data.refresh);
        buf_be32(out, r->data.retry);
        buf_be32(out, r->data.expire);
        buf_be32(out, r->data.minimum);
        break;
    case DNS_FORM_SRV:
        buf_be16(out, r->data.preference);
        buf_be16(out, r->data.weight);
        buf_be16(out, r->data.port);
        (w->mdns ? add_name : add_plain)(w, &r->data.name);
        break;
    case DNS_FORM_CAA:
        buf_byte(out, r->data.caa.flags);
        buf_byte(out, (uint8_t)r->data.caa.tag.len);
        buf_add(out, r->data.caa.tag);
        buf_add(out, r->data.caa.value);
        break;
    case DNS_FORM_SVCB:
        buf_be16(out, r->data.preference);
        add_plain(w, &r->data.name);
        buf_add(out, r->data.params);
        break;
    case DNS_FORM_EMPTY:
    case DNS_FORM_QUESTION:
    case DNS_FORM_OPT: break;
    }
}

enum dns_wrote dns_write_record(struct dns_writer *w, const struct dns_record *r, struct err *e) {
    if (r->section == DNS_QUESTION) {
        err_set(e, ERR_INVALID, "want a record's section, found the question section");
        return DNS_REFUSED;
    }
    if (!check_record(w, r, e) || !enter_section(w, r->section, e)) return DNS_REFUSED;
    if (w->full) return DNS_CUT;
    size_t mark = buf_mark(w->out);
    add_name(w, &r->name);
    buf_be16(w->out, r->type);
    buf_be16(w->out, (uint16_t)(w->mdns && r->flush ? r->klass | 0x8000 : r->klass));
    buf_be32(w->out, r->ttl);
    size_t length_at = buf_mark(w->out);
    buf_be16(w->out, 0);
    add_data(w, r);
    if (!fits(w)) {
        bool no_memory = w->out->fault == BUF_NOMEM;
        undo(w, mark);
        if (no_memory) {
            err_nomem(e, "a message");
            return DNS_REFUSED;
        }
        w->full = true;
        if (r->section != DNS_ADDITIONAL) w->header.tc = true;
        put_head(w);
        return DNS_CUT;
    }
    /* The whole message is at most 65535 bytes, so the length fits. */
    store_16(w->out->ptr + length_at, (unsigned)(w->out->len - length_at - 2));
    w->header.count[w->section]++;
    put_head(w);
    return DNS_WROTE;
}

bool dns_write_end(struct dns_writer *w, struct err *e) {
    if (w->header.rcode > 15 && !w->has_edns)
        return err_set(e, ERR_INVALID, "want EDNS for the rcode %u, found none", w->header.rcode);
    if (w->header.rcode > 4095) return err_limit(e, "rcode", 4095, ERR_NOWHERE);
    w->section = DNS_ADDITIONAL;
    if (w->has_edns && !w->ended) {
        size_t mark = buf_mark(w->out);
        buf_byte(w->out, 0);
        buf_be16(w->out, DNS_TYPE_OPT);
        buf_be16(w->out, w->edns.size);
        buf_byte(w->out, (uint8_t)(w->header.rcode >> 4));
        buf_byte(w->out, w->edns.version);
        buf_be16(w->out, w->edns.dnssec_ok ? 0x8000 : 0);
        buf_be16(w->out, (uint16_t)w->edns.options.len);
        buf_add(w->out, w->edns.options);
        if (!buf_ok(w->out)) {
            enum buf_fault fault = w->out->fault;
            buf_rewind(w->out, mark);
            return say_fault(fault, w->out->max, e);
        }
        w->header.count[DNS_ADDITIONAL]++;
    }
    w->kept = 0;
    w->full = false;
    w->ended = true;
    put_head(w);
    return true;
}

struct dns_record dns_record_of(enum dns_section section, const struct dns_name *name, unsigned type, uint32_t ttl) {
    return (struct dns_record){.section = section,
                               .form = dns_form_of(type, DNS_CLASS_IN),
                               .name = *name,
                               .type = (uint16_t)type,
                               .klass = DNS_CLASS_IN,
                               .ttl = ttl};
}

/* --- whole messages --- */

bool dns_query_write(struct buf *out, uint16_t id, const struct dns_name *name, unsigned type,
                     const struct dns_edns *edns, struct err *e) {
    struct dns_writer w;
    struct dns_header h = {.id = id, .rd = true};
    size_t mark = buf_mark(out);
    if (dns_write_open(&w, out, DNS_MESSAGE, &h, edns, e) &&
        dns_write_question(&w, name, type, DNS_CLASS_IN, false, e) && dns_write_end(&w, e))
        return true;
    buf_rewind(out, mark);
    return false;
}

static struct dns_header answer_header(const struct dns_query *q, unsigned rcode) {
    return (struct dns_header){.id = q->header.id,
                               .qr = true,
                               .opcode = q->header.opcode,
                               .rd = q->header.rd,
                               .cd = q->header.cd,
                               .rcode = (uint16_t)rcode};
}

bool dns_answer_open(struct dns_writer *w, struct buf *out, size_t limit, const struct dns_query *q, unsigned rcode,
                     unsigned ours, struct err *e) {
    struct dns_header h = answer_header(q, rcode);
    struct dns_edns edns = {.size = (uint16_t)(ours < DNS_MESSAGE ? ours : DNS_MESSAGE),
                            .dnssec_ok = q->has_edns && q->edns.dnssec_ok,
                            .options = slice_of("", 0)};
    if (rcode > 15 && !q->has_edns)
        return err_set(e, ERR_INVALID, "want EDNS in the query for the rcode %u, found none", rcode);
    size_t mark = buf_mark(out);
    if (!dns_write_open(w, out, limit, &h, q->has_edns ? &edns : NULL, e)) return false;
    if (dns_write_question(w, &q->name, q->type, q->klass, false, e)) return true;
    buf_rewind(out, mark);
    return false;
}

bool dns_refusal_write(struct buf *out, const struct dns_query *q, unsigned rcode, struct err *e) {
    struct dns_writer w;
    struct dns_header h = answer_header(q, rcode);
    if (!q->has_header || q->header.qr) return err_set(e, ERR_INVALID, "want a query to answer, found none");
    if (rcode > 15) return err_limit(e, "rcode", 15, ERR_NOWHERE);
    return dns_write_open(&w, out, DNS_MESSAGE, &h, NULL, e) && dns_write_end(&w, e);
}

size_t dns_frame_begin(struct buf *out) {
    size_t begun = buf_mark(out);
    buf_be16(out, 0);
    return begun;
}

bool dns_frame_end(struct buf *out, size_t begun, struct err *e) {
    if (!buf_ok(out) || out->len - begun < 2 + DNS_HEAD || out->len - begun - 2 > DNS_MESSAGE) {
        buf_rewind(out, begun);
        return err_set(e, ERR_INVALID, "want a message of 12 to 65535 bytes behind the length");
    }
    store_16(out->ptr + begun, (unsigned)(out->len - begun - 2));
    return true;
}
