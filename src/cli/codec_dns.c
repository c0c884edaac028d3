/* codec_dns.c - `startbox codec dns [roundtrip] [--mdns]`: hex of one message a line in; one JSON object a message
 * out, or the hex of what our writer makes of it. See codec.h. */
#include "base/ascii.h"
#include "base/num.h"
#include "base/utf8.h"
#include "cli/codec.h"
#include "protocols/dns_write.h"

#include <arpa/inet.h>
#include <stdio.h>

static struct val text_of_name(const struct dns_name *name) {
    struct buf b;
    buf_init(&b, DNS_NAME_TEXT);
    struct val v = dns_name_add(&b, name) ? val_of_text(buf_slice(&b)) : val_none;
    buf_release(&b);
    return v;
}

/* A number's name, or PREFIX and the number. */
static struct val name_or(const char *name, const char *prefix, unsigned number) {
    char text[24];
    snprintf(text, sizeof text, "%s%u", prefix, number);
    return val_of_str(name ? name : text);
}

static struct val type_of(unsigned type) {
    return name_or(dns_type_name(type), "TYPE", type);
}

/* Bytes that are meant for people: text where they are, else {"hex":"..."}. */
static struct val text_of(struct slice s) {
    return utf8_ok(s) ? val_of_text_checked(s) : VAL_MAP_OF({"hex", codec_hex(s)});
}

static struct val address_of(int family, const uint8_t *bytes) {
    char text[INET6_ADDRSTRLEN];
    return inet_ntop(family, bytes, text, sizeof text) ? val_of_str(text) : val_none;
}

/* Takes v; false (and the array gone) without memory. */
static bool push(struct val *array, struct val v) {
    if (val_push(array, v)) return true;
    val_unref(array);
    return false;
}

static struct val strings_of(struct slice rest) {
    struct val list = val_empty_array();
    for (struct slice s; dns_text_next(&rest, &s);)
        if (!push(&list, text_of(s))) break;
    return list;
}

static struct val addresses_of(int family, struct slice s, size_t size) {
    struct val list = val_empty_array();
    for (size_t i = 0; i + size <= s.len; i += size)
        if (!push(&list, address_of(family, s.ptr + i))) break;
    return list;
}

static struct val keys_of(struct slice s) {
    struct val list = val_empty_array();
    for (size_t i = 0; i + 2 <= s.len; i += 2) {
        unsigned key = num_be16(s.ptr + i);
        if (!push(&list, name_or(dns_param_name(key), "key", key))) break;
    }
    return list;
}

static struct val param_of(uint16_t key, struct slice value) {
    switch (key) {
    case DNS_PARAM_MANDATORY: return keys_of(value);
    case DNS_PARAM_ALPN: return strings_of(value);
    case DNS_PARAM_NO_DEFAULT_ALPN: return val_of_bool(true);
    case DNS_PARAM_PORT: return val_of_u64(num_be16(value.ptr));
    case DNS_PARAM_IPV4HINT: return addresses_of(AF_INET, value, 4);
    case DNS_PARAM_IPV6HINT: return addresses_of(AF_INET6, value, 16);
    default: return codec_hex(value);
    }
}

/* In alias mode the values were not checked and mean nothing. */
static struct val params_of(struct slice rest, bool alias) {
    struct val map = val_empty_map();
    struct slice value;
    for (uint16_t key; dns_param_next(&rest, &key, &value);) {
        struct val name = name_or(dns_param_name(key), "key", key);
        if (val_set(&map, name, alias ? codec_hex(value) : param_of(key, value))) continue;
        val_unref(&map);
        break;
    }
    return map;
}

static struct val data_of(const struct dns_record *r) {
    switch (r->form) {
    case DNS_FORM_IPV4: return VAL_MAP_OF({"address", address_of(AF_INET, r->data.ipv4)});
    case DNS_FORM_IPV6: return VAL_MAP_OF({"address", address_of(AF_INET6, r->data.ipv6)});
    case DNS_FORM_NAME: return VAL_MAP_OF({"target", text_of_name(&r->data.name)});
    case DNS_FORM_NAMES:
        return VAL_MAP_OF({"mailbox", text_of_name(&r->data.name)}, {"other", text_of_name(&r->data.other)});
    case DNS_FORM_MX:
        return VAL_MAP_OF({"preference", val_of_u64(r->data.preference)}, {"exchange", text_of_name(&r->data.name)});
    case DNS_FORM_SOA:
        return VAL_MAP_OF({"mname", text_of_name(&r->data.name)}, {"rname", text_of_name(&r->data.other)},
                          {"serial", val_of_u64(r->data.serial)}, {"refresh", val_of_u64(r->data.refresh)},
                          {"retry", val_of_u64(r->data.retry)}, {"expire", val_of_u64(r->data.expire)},
                          {"minimum", val_of_u64(r->data.minimum)});
    case DNS_FORM_SRV:
        return VAL_MAP_OF({"priority", val_of_u64(r->data.preference)}, {"weight", val_of_u64(r->data.weight)},
                          {"port", val_of_u64(r->data.port)}, {"target", text_of_name(&r->data.name)});
    case DNS_FORM_TXT: return VAL_MAP_OF({"strings", strings_of(r->rdata)});
    case DNS_FORM_CAA:
        return VAL_MAP_OF({"flags", val_of_u64(r->data.caa.flags)}, {"critical", val_of_bool(r->data.caa.flags & 0x80)},
                          {"tag", val_of_text(r->data.caa.tag)}, {"value", text_of(r->data.caa.value)});
    case DNS_FORM_SVCB:
        return VAL_MAP_OF({"priority", val_of_u64(r->data.preference)}, {"target", text_of_name(&r->data.name)},
                          {"params", params_of(r->data.params, !r->data.preference)});
    default: return VAL_MAP_OF({"hex", codec_hex(r->rdata)});
    }
}

static struct val record_of(const struct dns_record *r, bool mdns) {
    struct val v = VAL_MAP_OF({"name", text_of_name(&r->name)}, {"type", type_of(r->type)},
                              {"class", name_or(dns_class_name(r->klass), "CLASS", r->klass)});
    if (val_is_none(&v)) return v;
    bool question = r->form == DNS_FORM_QUESTION;
    bool good = !mdns || val_set_str(&v, question ? "unicast" : "flush", val_of_bool(r->flush));
    if (good && !question) good = val_set_str(&v, "ttl", val_of_u64(r->ttl)) && val_set_str(&v, "data", data_of(r));
    if (!good) val_unref(&v);
    return v;
}

static struct val edns_of(const struct dns_edns *edns) {
    struct val list = val_empty_array();
    struct slice rest = edns->options, value;
    for (uint16_t code; dns_option_next(&rest, &code, &value);)
        if (!push(&list,
                  VAL_MAP_OF({"code", val_of_u64(code)}, {"name", name_or(dns_option_name(code), "OPTION", code)},
                             {"hex", codec_hex(value)})))
            break;
    return VAL_MAP_OF({"size", val_of_u64(edns->size)}, {"version", val_of_u64(edns->version)},
                      {"do", val_of_bool(edns->dnssec_ok)}, {"options", list});
}

/* Reads all of the message: its sections as lists in out[], and its OPT. */
static enum step read_message(struct dns_reader *r, struct slice message, const struct dns_limits *limits,
                              struct val out[4], struct dns_edns *edns, struct err *e) {
    struct dns_record record;
    enum step step = dns_open(r, message, limits, e);
    if (step != STEP_EVENT) return step;
    while ((step = dns_next(r, &record, e)) == STEP_EVENT) {
        if (record.form == DNS_FORM_OPT)
            *edns = record.data.edns;
        else if (!out)
            continue;
        else if (!val_push(&out[record.section], record_of(&record, limits->mdns))) {
            err_nomem(e, "a message");
            return STEP_BAD;
        }
    }
    return step;
}

static unsigned whole_rcode(const struct dns_reader *r, const struct dns_edns *edns) {
    return r->header.rcode | (r->has_edns ? (unsigned)edns->rcode_high << 4 : 0);
}

static enum step say_message(struct codec_run *run, struct slice message, const struct dns_limits *limits,
                             struct err *e) {
    struct dns_reader r;
    struct dns_edns edns = {.options = slice_of("", 0)};
    struct val list[4] = {val_empty_array(), val_empty_array(), val_empty_array(), val_empty_array()};
    enum step step = read_message(&r, message, limits, list, &edns, e);
    if (step != STEP_END) {
        for (int i = 0; i < 4; i++) val_unref(&list[i]);
        return step;
    }
    const struct dns_header *h = &r.header;
    unsigned rcode = whole_rcode(&r, &edns);
    codec_say(run, VAL_MAP_OF({"event", val_of_str("message")}, {"id", val_of_u64(h->id)}, {"qr", val_of_bool(h->qr)},
                              {"opcode", name_or(dns_opcode_name(h->opcode), "OPCODE", h->opcode)},
                              {"aa", val_of_bool(h->aa)}, {"tc", val_of_bool(h->tc)}, {"rd", val_of_bool(h->rd)},
                              {"ra", val_of_bool(h->ra)}, {"ad", val_of_bool(h->ad)}, {"cd", val_of_bool(h->cd)},
                              {"rcode", name_or(dns_rcode_name(rcode), "RCODE", rcode)}, {"question", list[0]},
                              {"answer", list[1]}, {"authority", list[2]}, {"additional", list[3]},
                              {"edns", r.has_edns ? edns_of(&edns) : val_null()}));
    return step;
}

/* Writes the message anew; it was read whole before. */
static bool write_again(struct buf *out, struct slice message, const struct dns_limits *limits,
                        const struct dns_reader *first, const struct dns_edns *edns, struct err *e) {
    struct dns_reader r;
    struct dns_writer w;
    struct dns_record record;
    struct dns_header header = first->header;
    header.rcode = (uint16_t)whole_rcode(first, edns);
    if (!dns_write_open(&w, out, LIMIT_DNS_MESSAGE, &header, first->has_edns ? edns : NULL, e)) return false;
    w.mdns = limits->mdns;
    w.header.tc = header.tc;
    dns_open(&r, message, limits, e);
    while (dns_next(&r, &record, e) == STEP_EVENT) {
        if (record.form == DNS_FORM_OPT) continue;
        if (record.form == DNS_FORM_QUESTION) {
            if (!dns_write_question(&w, &record.name, record.type, record.klass, record.flush, e)) return false;
            continue;
        }
        enum dns_wrote wrote = dns_write_record(&w, &record, e);
        if (wrote == DNS_CUT) err_limit(e, "message", LIMIT_DNS_MESSAGE, record.at);
        if (wrote != DNS_WROTE) return false;
    }
    return dns_write_end(&w, e);
}

static enum step say_again(struct codec_run *run, struct slice message, const struct dns_limits *limits,
                           struct err *e) {
    struct dns_reader r;
    struct dns_edns edns = {.options = slice_of("", 0)};
    enum step step = read_message(&r, message, limits, NULL, &edns, e);
    if (step != STEP_END) return step;
    struct buf out;
    buf_init(&out, LIMIT_DNS_MESSAGE);
    if (!write_again(&out, message, limits, &r, &edns, e))
        step = STEP_BAD;
    else {
        struct val hex = codec_hex(buf_slice(&out));
        buf_add(&run->out, val_as_text(&hex));
        buf_byte(&run->out, '\n');
        val_unref(&hex);
    }
    buf_release(&out);
    return step;
}

/* The hex digits of one line become bytes as they come, so it does not matter how the input is cut. */
struct digits {
    struct buf bytes;
    int high; /* the first digit of a pair, or -1 */
    size_t at;
};

static bool take_digit(struct digits *d, uint8_t c, struct err *e) {
    int digit = ascii_hex(c);
    if (digit < 0) return err_at(e, ERR_SYNTAX, d->at, "want hexadecimal digits, found byte 0x%02x", c);
    if (d->high < 0) {
        d->high = digit;
        return true;
    }
    if (!buf_byte(&d->bytes, (uint8_t)(d->high << 4 | digit)))
        return d->bytes.fault == BUF_OVER ? err_limit(e, "message", LIMIT_DNS_MESSAGE, LIMIT_DNS_MESSAGE)
                                          : err_nomem(e, "a message");
    d->high = -1;
    return true;
}

static enum step end_line(struct codec_run *run, struct digits *d, bool again, const struct dns_limits *limits,
                          struct err *e) {
    if (d->high >= 0) {
        err_at(e, ERR_SYNTAX, d->at, "want hexadecimal digits in pairs, found one alone");
        return STEP_BAD;
    }
    if (!d->bytes.len) return STEP_END;
    enum step step = (again ? say_again : say_message)(run, buf_slice(&d->bytes), limits, e);
    if (step == STEP_MORE) codec_say_need(run);
    buf_reset(&d->bytes);
    return step;
}

int codec_dns(struct codec_run *run) {
    struct dns_limits limits = {.bytes = LIMIT_DNS_MESSAGE, .records = LIMIT_DNS_RECORDS, .jumps = LIMIT_DNS_JUMPS};
    bool again = false;
    for (int i = 0; i < run->argc; i++) {
        if (!strcmp(run->argv[i], "roundtrip"))
            again = true;
        else if (!strcmp(run->argv[i], "--mdns"))
            limits.mdns = true;
        else {
            fprintf(stderr, "usage: startbox codec dns [roundtrip] [--mdns]\n");
            return 2;
        }
    }
    struct digits d = {.high = -1};
    struct err e = ERR_INIT;
    bool good = true;
    buf_init(&d.bytes, LIMIT_DNS_MESSAGE);
    for (struct slice piece; good && (piece = codec_piece(run)).len;) {
        for (size_t i = 0; i < piece.len && good; i++, d.at++) {
            uint8_t c = piece.ptr[i];
            if (c == '\n')
                good = end_line(run, &d, again, &limits, &e) != STEP_BAD;
            else if (!ascii_is_blank(c) && c != '\r')
                good = take_digit(&d, c, &e);
        }
    }
    good = good && end_line(run, &d, again, &limits, &e) != STEP_BAD;
    buf_release(&d.bytes);
    return good ? 0 : codec_say_bad(run, 0, &e);
}
