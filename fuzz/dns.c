/* dns.c - any bytes as a DNS message: what was read and written again reads the same, compressed or not, and cut
 * short it is still whole; names survive as text; a TCP stream of frames obeys the law of division.
 *
 * First byte: bit 0 mDNS rules, bit 1 frames instead of one message. Second: the cuts, or the size for the cut
 * message. */
#include "protocols/dns_write.h"

#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void show_record(struct buf *out, const struct dns_record *r) {
    buf_printf(out, "\n%d %d %u %u %d %u ", r->section, r->form, r->type, r->klass, r->flush, r->ttl);
    dns_name_add(out, &r->name);
    switch (r->form) {
    case DNS_FORM_NAMES:
    case DNS_FORM_SOA:
        if (r->form == DNS_FORM_SOA) buf_printf(out, " %u %u ", r->data.serial, r->data.minimum);
        dns_name_add(out, &r->data.other);
        dns_name_add(out, &r->data.name);
        break;
    case DNS_FORM_NAME: dns_name_add(out, &r->data.name); break;
    case DNS_FORM_MX:
        buf_printf(out, " %u ", r->data.preference);
        dns_name_add(out, &r->data.name);
        break;
    case DNS_FORM_SRV:
        buf_printf(out, " %u %u %u ", r->data.preference, r->data.weight, r->data.port);
        dns_name_add(out, &r->data.name);
        break;
    case DNS_FORM_OPT:
        buf_printf(out, "%u %u %u %d", r->data.edns.size, r->data.edns.rcode_high, r->data.edns.version,
                   r->data.edns.dnssec_ok);
        buf_add(out, r->data.edns.options);
        break;
    default: buf_add(out, r->rdata); /* shapes without names are the same bytes */
    }
}

static void check_name(const struct dns_name *name) {
    uint8_t bytes[DNS_NAME_TEXT];
    struct buf text = {.ptr = bytes, .cap = sizeof bytes, .max = sizeof bytes};
    struct dns_name again, lower = *name;
    must(dns_name_add(&text, name));
    must(dns_name_from(buf_slice(&text), &again, NULL) && dns_name_same(&again, name));
    dns_name_lower(&lower);
    must(dns_name_eq(&lower, name) && dns_name_under(&lower, name));
    struct dns_name parent = dns_name_parent(name);
    must(dns_name_under(name, &parent) && dns_name_labels(name) == dns_name_labels(&parent) + (name->len > 1));
}

/* Reads; shows everything but OPT's place among the additional records; writes it again when w is given. */
static enum step read_all(struct slice m, const struct dns_limits *limits, struct buf *out, struct dns_edns *edns,
                          struct dns_reader *r, struct dns_writer *w) {
    struct dns_record record;
    struct err e = ERR_INIT;
    enum step step = dns_open(r, m, limits, &e);
    if (step != STEP_EVENT) return step;
    while ((step = dns_next(r, &record, &e)) == STEP_EVENT) {
        check_name(&record.name);
        if (record.form == DNS_FORM_OPT) {
            *edns = record.data.edns;
            continue;
        }
        show_record(out, &record);
        if (!w) continue;
        if (record.form == DNS_FORM_QUESTION) {
            if (!dns_write_question(w, &record.name, record.type, record.klass, record.flush, &e))
                must(e.code == ERR_LIMIT);
        } else
            must(dns_write_record(w, &record, &e) != DNS_REFUSED);
    }
    if (step != STEP_END) must(e.code != ERR_NONE && e.at <= m.len);
    return step;
}

static void check_message(struct slice m, bool mdns, size_t small) {
    const struct dns_limits limits = {.bytes = DNS_MESSAGE, .records = 200, .jumps = DNS_JUMPS, .mdns = mdns};
    struct dns_reader r, again;
    struct dns_edns edns = {.options = slice_of("", 0)}, edns2 = edns;
    struct buf shown, shown2, out;
    buf_init(&shown, 1u << 26);
    buf_init(&shown2, 1u << 26);
    buf_init(&out, DNS_MESSAGE);
    if (read_all(m, &limits, &shown, &edns, &r, NULL) == STEP_END) {
        for (int round = 0; round < 3; round++) {
            struct dns_writer w;
            struct err e = ERR_INIT;
            bool compress = round != 1;
            size_t limit = round == 2 ? small : DNS_MESSAGE;
            struct dns_header h = r.header;
            h.rcode = (uint16_t)(h.rcode | edns.rcode_high << 4);
            buf_reset(&out);
            buf_reset(&shown2);
            if (!dns_write_open(&w, &out, limit, &h, r.has_edns ? &edns : NULL, &e)) continue;
            w.mdns = mdns;
            w.compress = compress;
            read_all(m, &limits, &shown2, &edns2, &again, &w);
            bool full = w.full;
            must(dns_write_end(&w, &e) && out.len <= limit);
            buf_reset(&shown2);
            must(read_all(buf_slice(&out), &limits, &shown2, &edns2, &again, NULL) == STEP_END);
            must(again.has_edns == r.has_edns && again.header.id == r.header.id);
            if (round == 0 && !full && out.len < DNS_MESSAGE - 600)
                must(slice_eq(buf_slice(&shown), buf_slice(&shown2)));
        }
    }
    struct dns_query q;
    if (dns_query_read(&q, m, &limits, NULL) == STEP_EVENT) must(dns_query_matches(&q, &q, true) == q.header.qr);
    buf_release(&shown);
    buf_release(&shown2);
    buf_release(&out);
}

static void read_frames(struct slice in, size_t step, struct buf *out) {
    struct dns_frame f;
    struct slice message;
    struct err e = ERR_INIT;
    enum step now = STEP_MORE;
    dns_frame_init(&f, 600);
    while (now == STEP_MORE && in.len) {
        struct slice piece = slice_head(in, step);
        in = slice_skip(in, piece.len);
        do {
            struct fed fed = dns_frame_feed(&f, piece, &message, &e);
            now = fed.step;
            piece = slice_skip(piece, fed.used);
            if (now == STEP_EVENT) must(dns_frame_write(out, message, NULL));
        } while (now == STEP_EVENT);
    }
    buf_printf(out, "%d %zu %d", now, now == STEP_BAD ? e.at : 0, dns_frame_eof(&f));
    dns_frame_release(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2 || size > 1u << 16) return 0;
    struct slice in = slice_of(data + 2, size - 2);
    if (!(data[0] & 2)) {
        check_message(in, data[0] & 1, 12 + data[1] * 2u);
        return 0;
    }
    struct buf whole, cut;
    buf_init(&whole, 1u << 20);
    buf_init(&cut, 1u << 20);
    read_frames(in, SIZE_MAX, &whole);
    read_frames(in, 1 + data[1] % 16u, &cut);
    must(slice_eq(buf_slice(&whole), buf_slice(&cut)));
    buf_release(&whole);
    buf_release(&cut);
    return 0;
}
