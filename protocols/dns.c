/* dns.c - see dns.h.
 *
 * Touches: base/slice, base/buf, base/err, base/num. No descriptor, clock, log; memory only for a TCP frame in
 * pieces. */
#include "protocols/dns.h"

#include "base/num.h"

#define KEEP_CAP 4096 /* bytes a frame reader may keep between messages */

static const char *const section_names[] = {"question", "answer", "authority", "additional"};

static enum step finish(struct dns_reader *r, enum step step) {
    r->end = step;
    return step;
}

enum step dns_open(struct dns_reader *r, struct slice message, const struct dns_limits *limits, struct err *e) {
    r->has_edns = false;
    r->message = message;
    r->limits = *limits;
    r->at = DNS_HEAD;
    r->section = r->done = 0;
    r->end = STEP_EVENT;
    if (message.len < DNS_HEAD) {
        err_at(e, ERR_SYNTAX, message.len, "want the 12 bytes of a message's head, found %zu", message.len);
        return finish(r, STEP_MORE);
    }
    const uint8_t *m = message.ptr;
    struct dns_header *h = &r->header;
    h->id = num_be16(m);
    h->qr = m[2] & 0x80;
    h->opcode = m[2] >> 3 & 15;
    h->aa = m[2] & 4;
    h->tc = m[2] & 2;
    h->rd = m[2] & 1;
    h->ra = m[3] & 0x80;
    h->ad = m[3] & 0x20;
    h->cd = m[3] & 0x10;
    h->rcode = m[3] & 15;
    size_t records = 0;
    for (unsigned i = 0; i < 4; i++) records += h->count[i] = num_be16(m + 4 + 2 * i);
    if (message.len > limits->bytes) {
        err_limit(e, "message", limits->bytes, limits->bytes);
        return finish(r, STEP_BAD);
    }
    if (records > limits->records) {
        err_limit(e, "records", limits->records, 4);
        return finish(r, STEP_BAD);
    }
    return STEP_EVENT;
}

static enum step refuse_end(const struct dns_reader *r, const char *what, struct err *e) {
    err_at(e, ERR_SYNTAX, r->message.len, "want %s of entry %u in the %s section, found the end of the message", what,
           r->done + 1, section_names[r->section]);
    return STEP_MORE;
}

static bool check_opt(struct dns_reader *r, const struct dns_record *out, struct err *e) {
    if (out->section != DNS_ADDITIONAL)
        return err_at(e, ERR_SYNTAX, out->at, "want OPT in the additional section, found it in the %s section",
                      section_names[out->section]);
    if (out->name.len != 1) return err_at(e, ERR_SYNTAX, out->at, "want the root as name of OPT, found another");
    if (r->has_edns) return err_at(e, ERR_SYNTAX, out->at, "want at most one OPT, found a second");
    r->has_edns = true;
    return true;
}

static void split_class(const struct dns_reader *r, struct dns_record *out) {
    out->flush = false;
    if (!r->limits.mdns || out->type == DNS_TYPE_OPT) return;
    out->flush = out->klass >> 15;
    out->klass &= 0x7fff;
}

static enum step read_entry(struct dns_reader *r, struct dns_record *out, struct err *e) {
    struct slice m = r->message;
    size_t at = r->at;
    out->section = r->section;
    out->at = at;
    enum step step = dns_name_read(m, &at, m.len, r->limits.jumps, &out->name, e);
    if (step != STEP_EVENT) return step;
    size_t head = out->section == DNS_QUESTION ? 4 : 10;
    if (m.len - at < head) return refuse_end(r, "the type, class and length", e);
    const uint8_t *p = m.ptr + at;
    at += head;
    out->type = num_be16(p);
    out->klass = num_be16(p + 2);
    split_class(r, out);
    if (out->section == DNS_QUESTION) {
        out->form = DNS_FORM_QUESTION;
        out->ttl = 0;
        out->rdata = slice_of(p, 0);
        r->at = at;
        return STEP_EVENT;
    }
    out->ttl = num_be32(p + 4);
    size_t len = num_be16(p + 8);
    if (out->type == DNS_TYPE_OPT && !check_opt(r, out, e)) return STEP_BAD;
    if (m.len - at < len) return refuse_end(r, "all of the data", e);
    struct dns_data_rules rules = {
        .jumps = r->limits.jumps, .update = r->header.opcode == DNS_OPCODE_UPDATE, .mdns = r->limits.mdns};
    if (!dns_data_read(m, at, at + len, &rules, out, e)) return STEP_BAD;
    if (out->ttl > INT32_MAX) out->ttl = 0;
    r->at = at + len;
    return STEP_EVENT;
}

enum step dns_next(struct dns_reader *r, struct dns_record *out, struct err *e) {
    if (r->end != STEP_EVENT) {
        if (r->end != STEP_END) err_at(e, ERR_SYNTAX, r->at, "the message was refused before");
        return r->end;
    }
    while (r->section < 4 && r->done == r->header.count[r->section]) {
        r->section++;
        r->done = 0;
    }
    if (r->section == 4) {
        if (r->at == r->message.len) return finish(r, STEP_END);
        err_at(e, ERR_SYNTAX, r->at, "want the end of the message, found %zu bytes more", r->message.len - r->at);
        return finish(r, STEP_BAD);
    }
    enum step step = read_entry(r, out, e);
    if (step != STEP_EVENT) return finish(r, step);
    r->done++;
    return STEP_EVENT;
}

enum step dns_query_read(struct dns_query *q, struct slice message, const struct dns_limits *limits, struct err *e) {
    struct dns_reader r;
    struct dns_record record;
    enum step step = dns_open(&r, message, limits, e);
    q->has_header = step != STEP_MORE;
    q->has_edns = false;
    if (!q->has_header) return step;
    q->header = r.header;
    q->rcode = r.header.rcode;
    if (step != STEP_EVENT) return step;
    if (r.header.count[DNS_QUESTION] != 1) {
        err_at(e, ERR_SYNTAX, 4, "want exactly one question, found %u", r.header.count[DNS_QUESTION]);
        return STEP_BAD;
    }
    while ((step = dns_next(&r, &record, e)) == STEP_EVENT) {
        if (record.section == DNS_QUESTION) {
            q->name.len = record.name.len;
            memcpy(q->name.bytes, record.name.bytes, record.name.len);
            q->type = record.type;
            q->klass = record.klass;
            q->unicast = record.flush;
        } else if (record.form == DNS_FORM_OPT) {
            q->has_edns = true;
            q->edns = record.data.edns;
            q->rcode = (uint16_t)(record.data.edns.rcode_high << 4 | r.header.rcode);
        }
    }
    return step == STEP_END ? STEP_EVENT : step;
}

bool dns_query_matches(const struct dns_query *asked, const struct dns_query *answer, bool exact) {
    return answer->header.qr && answer->header.id == asked->header.id &&
           answer->header.opcode == asked->header.opcode && answer->type == asked->type &&
           answer->klass == asked->klass &&
           (exact ? dns_name_same(&asked->name, &answer->name) : dns_name_eq(&asked->name, &answer->name));
}

size_t dns_answer_room(const struct dns_query *q, size_t ours) {
    size_t room = q->has_edns && q->edns.size > DNS_UDP_SIZE ? q->edns.size : DNS_UDP_SIZE;
    return room < ours ? room : ours;
}

/* --- over TCP --- */

void dns_frame_init(struct dns_frame *f, size_t max) {
    if (max > DNS_MESSAGE) max = DNS_MESSAGE;
    *f = (struct dns_frame){.max = max};
    buf_init(&f->part, max + 2);
}

void dns_frame_release(struct dns_frame *f) {
    buf_release(&f->part);
}

bool dns_frame_eof(const struct dns_frame *f) {
    return !f->bad && (f->given || !f->part.len);
}

static bool check_length(struct dns_frame *f, size_t len, struct err *e) {
    if (len >= DNS_HEAD && len <= f->max) return true;
    f->bad = true;
    if (len > f->max) return err_limit(e, "message", f->max, (size_t)f->at);
    return err_at(e, ERR_SYNTAX, (size_t)f->at, "want a message of at least 12 bytes, found the length %zu", len);
}

/* Appends up to n bytes of *in to the part; false without memory. */
static bool gather(struct dns_frame *f, struct slice *in, size_t n, struct err *e) {
    struct slice more = slice_head(*in, n);
    if (!buf_add(&f->part, more)) {
        f->bad = true;
        return err_nomem(e, "a message");
    }
    *in = slice_skip(*in, more.len);
    return true;
}

struct fed dns_frame_feed(struct dns_frame *f, struct slice in, struct slice *message, struct err *e) {
    if (f->bad) {
        err_set(e, ERR_SYNTAX, "the messages were refused before");
        return fed_bad(0);
    }
    if (f->given) {
        f->given = false;
        if (f->part.cap > KEEP_CAP) buf_release(&f->part);
        buf_reset(&f->part);
    }
    size_t all = in.len;
    if (!f->part.len && in.len >= 2) {
        size_t len = num_be16(in.ptr);
        if (!check_length(f, len, e)) return fed_bad(0);
        if (in.len - 2 >= len) {
            *message = slice_of(in.ptr + 2, len);
            f->at += len + 2;
            return fed_event(len + 2);
        }
    }
    if (f->part.len < 2) {
        if (!gather(f, &in, 2 - f->part.len, e)) return fed_bad(0);
        if (f->part.len < 2) return fed_more(all, 2 - f->part.len);
        if (!check_length(f, num_be16(f->part.ptr), e)) return fed_bad(all - in.len);
    }
    size_t len = num_be16(f->part.ptr);
    if (!gather(f, &in, len + 2 - f->part.len, e)) return fed_bad(0);
    if (f->part.len < len + 2) return fed_more(all, len + 2 - f->part.len);
    *message = slice_of(f->part.ptr + 2, len);
    f->given = true;
    f->at += len + 2;
    return fed_event(all - in.len);
}

bool dns_frame_write(struct buf *out, struct slice message, struct err *e) {
    if (message.len < DNS_HEAD)
        return err_set(e, ERR_INVALID, "want a message of at least 12 bytes, found %zu", message.len);
    if (message.len > DNS_MESSAGE) return err_limit(e, "message", DNS_MESSAGE, ERR_NOWHERE);
    size_t mark = buf_mark(out);
    if (buf_be16(out, (uint16_t)message.len) && buf_add(out, message)) return true;
    bool over = out->fault == BUF_OVER;
    buf_rewind(out, mark);
    return over ? err_limit(e, "output", out->max, ERR_NOWHERE) : err_nomem(e, "a message");
}
