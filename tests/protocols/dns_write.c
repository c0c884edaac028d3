/* dns_write.c - DNS messages written: answers, queries, compression, truncation, lists, what is refused; and that
 * none of it allocates where it is hot.
 *  Expected bytes are laid out by hand from RFC 1035 4.1. */
#include "dns_play.h"

#include "base/mem.h"
#include "lib/faults.h"

static struct dns_record a_of(enum dns_section section, const char *name, uint8_t last) {
    struct dns_name n = name_of(name);
    struct dns_record r = dns_record_of(section, &n, DNS_TYPE_A, 60);
    memcpy(r.data.ipv4, (uint8_t[]){192, 0, 2, last}, 4);
    return r;
}

TEST(an_answer_is_written_in_the_spelling_of_the_query_and_compressed) {
    struct dns_query q, again;
    struct dns_writer w;
    struct err e = ERR_INIT;
    struct buf out;
    buf_init(&out, DNS_MESSAGE);
    dns_query_read(&q, unhex("abcd 0110 0001 0000 0000 0001 01 57 01 78 00 0001 0001 00 0029 1000 00 00 8000 0000"),
                   &wide, &e);
    CHECK(dns_answer_open(&w, &out, dns_answer_room(&q, 1232), &q, DNS_RCODE_NOERROR, 1232, &e));
    w.header.aa = true;
    struct dns_record r = a_of(DNS_ANSWER, "W.x", 1);
    CHECK_INT(dns_write_record(&w, &r, &e), DNS_WROTE);
    r = a_of(DNS_ADDITIONAL, "ns.x", 2);
    CHECK_INT(dns_write_record(&w, &r, &e), DNS_WROTE);
    CHECK(dns_write_end(&w, &e) && dns_write_end(&w, &e));
    struct slice want =
        unhex("abcd 8510 0001 0001 0000 0002 01 57 01 78 00 0001 0001 c00c 0001 0001 0000003c 0004 c0000201"
              "02 6e73 c00e 0001 0001 0000003c 0004 c0000202 00 0029 04d0 00 00 8000 0000");
    CHECK(slice_eq(buf_slice(&out), want));
    CHECK_INT(dns_query_read(&again, buf_slice(&out), &wide, &e), STEP_EVENT);
    CHECK(dns_query_matches(&q, &again, true));
    again.name.bytes[1] = 'w';
    CHECK(!dns_query_matches(&q, &again, true) && dns_query_matches(&q, &again, false));
    again.header.id++;
    CHECK(!dns_query_matches(&q, &again, false));
    CHECK(!dns_query_matches(&q, &q, false));
    buf_release(&out);
}

TEST(a_query_is_written_and_read_by_the_other_side) {
    struct dns_name name = name_of("box.example");
    struct dns_edns edns = {.size = 1232, .options = unhex("000a 0008 1122334455667788")};
    struct dns_query q;
    struct err e = ERR_INIT;
    struct buf out;
    buf_init(&out, 80);
    CHECK(dns_query_write(&out, 7, &name, DNS_TYPE_A, &edns, &e));
    CHECK_INT(dns_query_read(&q, buf_slice(&out), &wide, &e), STEP_EVENT);
    CHECK(q.header.id == 7 && q.header.rd && q.type == DNS_TYPE_A && dns_name_same(&q.name, &name) &&
          q.edns.size == 1232);
    struct slice rest = q.edns.options, value;
    uint16_t code;
    CHECK(dns_option_next(&rest, &code, &value) && code == DNS_OPTION_COOKIE && value.len == 8);
    CHECK(!dns_option_next(&rest, &code, &value));
    size_t len = out.len;
    edns.options = LIT("\0\12\0\4x");
    CHECK(!dns_query_write(&out, 7, &name, DNS_TYPE_A, &edns, &e) && out.len == len);
    CHECK(!dns_query_write(&out, 7, &name, DNS_TYPE_A, &(struct dns_edns){.options = slice_of("", 0)}, &e) &&
          out.len == len); /* full */
    CHECK_INT(e.code, ERR_LIMIT);
    buf_release(&out);
}

TEST(what_cannot_be_read_is_answered_with_its_head) {
    struct dns_query q;
    struct err e = ERR_INIT;
    struct buf out;
    buf_init(&out, 100);
    CHECK_INT(dns_query_read(&q, unhex("abcd 1900 0001 0000 0000 0000 c0ff"), &wide, &e), STEP_BAD);
    CHECK(dns_refusal_write(&out, &q, DNS_RCODE_FORMERR, &e));
    CHECK(slice_eq(buf_slice(&out), unhex("abcd 9901 0000 0000 0000 0000")));
    CHECK(!dns_refusal_write(&out, &q, DNS_RCODE_BADVERS, &e));
    q.header.qr = true;
    CHECK(!dns_refusal_write(&out, &q, DNS_RCODE_FORMERR, &e)); /* two servers would talk for ever */
    buf_release(&out);
}

TEST(rcodes_above_15_need_edns) {
    struct dns_query q;
    struct dns_writer w;
    struct err e = ERR_INIT;
    struct buf out;
    buf_init(&out, 100);
    dns_query_read(&q, unhex(QUERY "00 0001 0001"), &wide, &e);
    CHECK(!dns_answer_open(&w, &out, 512, &q, DNS_RCODE_BADVERS, 1232, &e));
    dns_query_read(&q, unhex("1234 0100 0001 0000 0000 0001 00 0001 0001 00 0029 04d0 00 01 0000 0000"), &wide, &e);
    CHECK_INT(q.edns.version, 1);
    CHECK(dns_answer_open(&w, &out, 512, &q, DNS_RCODE_BADVERS, 1232, &e) && dns_write_end(&w, &e));
    CHECK_INT(dns_query_read(&q, buf_slice(&out), &wide, &e), STEP_EVENT);
    CHECK(q.rcode == DNS_RCODE_BADVERS && q.header.rcode == 0);
    buf_reset(&out);
    CHECK(dns_write_open(&w, &out, 512, &(struct dns_header){.rcode = 16}, NULL, &e) && !dns_write_end(&w, &e));
    w.has_edns = true;
    w.header.rcode = 4096;
    CHECK(!dns_write_end(&w, &e));
    buf_release(&out);
}

TEST(a_record_that_does_not_fit_leaves_no_trace) {
    struct dns_writer w;
    struct dns_reader r;
    struct dns_record record;
    struct err e = ERR_INIT;
    struct buf out;
    struct dns_edns edns = {.size = 512, .options = slice_of("", 0)};
    buf_init(&out, DNS_MESSAGE);
    /* 12 + one record of 5 + 14 bytes + OPT of 11 = 42, and 16 for each further one. */
    for (size_t limit = 12; limit < 80; limit++) {
        buf_reset(&out);
        bool good = dns_write_open(&w, &out, limit, &(struct dns_header){.qr = true}, &edns, &e);
        CHECK_INT(good, limit >= 23);
        if (!good) continue;
        unsigned fit = limit < 42 ? 0 : 1 + (unsigned)(limit - 42) / 16;
        if (fit > 2) fit = 2;
        unsigned wrote = 0;
        for (unsigned i = 0; i < 2; i++) {
            record = a_of(DNS_ANSWER, "a.b", (uint8_t)i);
            wrote += dns_write_record(&w, &record, &e) == DNS_WROTE;
        }
        record = a_of(DNS_ADDITIONAL, "c", 9);
        dns_write_record(&w, &record, &e);
        CHECK(dns_write_end(&w, &e));
        CHECK_INT(wrote, fit);
        CHECK(out.len <= limit && w.header.tc == (fit < 2));
        CHECK_INT(dns_open(&r, buf_slice(&out), &wide, &e), STEP_EVENT);
        CHECK(r.header.tc == w.header.tc && r.header.count[DNS_ANSWER] == fit);
        while (dns_next(&r, &record, &e) == STEP_EVENT) continue;
        CHECK(r.end == STEP_END && r.has_edns);
    }
    buf_release(&out);
}

TEST(additional_records_are_left_out_without_the_truncation_bit) {
    struct dns_writer w;
    struct err e = ERR_INIT;
    struct buf out;
    buf_init(&out, DNS_MESSAGE);
    CHECK(dns_write_open(&w, &out, 40, &(struct dns_header){.qr = true}, NULL, &e));
    struct dns_record r = a_of(DNS_ADDITIONAL, "name-that-is-too-long", 1);
    CHECK_INT(dns_write_record(&w, &r, &e), DNS_CUT);
    r = a_of(DNS_ADDITIONAL, "b", 1);
    CHECK_INT(dns_write_record(&w, &r, &e), DNS_CUT); /* nothing after it, though it would fit */
    CHECK(dns_write_end(&w, &e) && !w.header.tc && out.len == 12);
    buf_reset(&out);
    /* Room kept for a record behind the OPT. */
    CHECK(dns_write_open(&w, &out, 40, &(struct dns_header){.qr = true}, NULL, &e));
    CHECK(!dns_write_keep(&w, 29, &e) && dns_write_keep(&w, 17, &e));
    r = a_of(DNS_ANSWER, "b", 1);
    CHECK_INT(dns_write_record(&w, &r, &e), DNS_CUT);
    CHECK(dns_write_end(&w, &e) && w.header.tc);
    r = a_of(DNS_ADDITIONAL, "b", 1);
    CHECK_INT(dns_write_record(&w, &r, &e), DNS_WROTE);
    r.section = DNS_ANSWER;
    CHECK_INT(dns_write_record(&w, &r, &e), DNS_REFUSED);
    buf_release(&out);
}

TEST(compression_points_only_where_a_pointer_can_and_keeps_spelling) {
    struct dns_writer w;
    struct dns_reader r;
    struct dns_record record;
    struct err e = ERR_INIT;
    struct buf out;
    buf_init(&out, DNS_MESSAGE);
    CHECK(dns_write_open(&w, &out, DNS_MESSAGE, &(struct dns_header){.qr = true}, NULL, &e));
    unsigned n = 0;
    /* Past 2^14 bytes and far past the size of the table. */
    for (; n < 1000; n++) {
        char text[40];
        snprintf(text, sizeof text, "%s-%u.%u.Example.org", n % 2 ? "host" : "HOST", n, n % 7);
        record = a_of(DNS_ANSWER, text, (uint8_t)n);
        if (!CHECK_INT(dns_write_record(&w, &record, &e), DNS_WROTE)) break;
    }
    CHECK(dns_write_end(&w, &e));
    CHECK(out.len > 0x4000 && out.len < 1000 * 30);
    CHECK_INT(dns_open(&r, buf_slice(&out), &wide, &e), STEP_EVENT);
    for (unsigned i = 0; i < n; i++) {
        char text[40];
        snprintf(text, sizeof text, "%s-%u.%u.Example.org.", i % 2 ? "host" : "HOST", i, i % 7);
        if (!CHECK_INT(dns_next(&r, &record, &e), STEP_EVENT) || !name_is(&record.name, text)) break;
    }
    CHECK_INT(dns_next(&r, &record, &e), STEP_END);
    buf_release(&out);
}

static struct slice write_one(struct buf *out, const struct dns_record *r, bool mdns) {
    struct dns_writer w;
    struct err e = ERR_INIT;
    buf_reset(out);
    CHECK(dns_write_open(&w, out, DNS_MESSAGE, &(struct dns_header){.id = 0x1234, .qr = true}, NULL, &e));
    w.mdns = mdns;
    if (!CHECK_INT(dns_write_record(&w, r, &e), DNS_WROTE)) tap_note("%s", e.text);
    CHECK(dns_write_end(&w, &e));
    return slice_skip(buf_slice(out), DNS_HEAD);
}

TEST(names_in_data_are_compressed_only_in_the_types_that_allow_it) {
    struct dns_name owner = name_of("a.b"), target = name_of("x.b");
    struct buf out;
    buf_init(&out, DNS_MESSAGE);
    struct {
        unsigned type;
        const char *want;
        bool mdns;
    } rows[] = {
        {DNS_TYPE_CNAME, "01 61 01 62 00 0005 0001 0000003c 0004 01 78 c00e", false},
        {DNS_TYPE_NS, "01 61 01 62 00 0002 0001 0000003c 0004 01 78 c00e", false},
        {DNS_TYPE_MX, "01 61 01 62 00 000f 0001 0000003c 0006 0001 01 78 c00e", false},
        {DNS_TYPE_RT, "01 61 01 62 00 0015 0001 0000003c 0007 0001 01 78 01 62 00", false},
        {DNS_TYPE_MINFO, "01 61 01 62 00 000e 0001 0000003c 0006 01 78 c00e c00c", false},
        {DNS_TYPE_RP, "01 61 01 62 00 0011 0001 0000003c 000a 01 78 01 62 00 01 61 01 62 00", false},
        {DNS_TYPE_SOA,
         "01 61 01 62 00 0006 0001 0000003c 001a 01 78 c00e c00c 00000001 00000002 00000003 00000004 00000005", false},
        {DNS_TYPE_SRV, "01 61 01 62 00 0021 0001 0000003c 000b 0001 0002 0003 01 78 01 62 00", false},
        {DNS_TYPE_SRV, "01 61 01 62 00 0021 8001 0000003c 000a 0001 0002 0003 01 78 c00e", true},
        {DNS_TYPE_HTTPS, "01 61 01 62 00 0041 0001 0000003c 0007 0001 01 78 01 62 00", false},
    };
    for (size_t i = 0; i < N(rows); i++) {
        struct dns_record r = dns_record_of(DNS_ANSWER, &owner, rows[i].type, 60), again;
        r.data.name = target;
        r.data.other = owner;
        r.data.preference = 1;
        if (rows[i].type == DNS_TYPE_SRV) r.data.weight = 2, r.data.port = 3;
        if (rows[i].type == DNS_TYPE_SOA)
            r.data.serial = 1, r.data.refresh = 2, r.data.retry = 3, r.data.expire = 4, r.data.minimum = 5;
        r.data.params = slice_of("", 0);
        r.flush = true; /* without mDNS rules it is not written */
        struct slice got = write_one(&out, &r, rows[i].mdns);
        if (!CHECK(slice_eq(got, unhex(rows[i].want)))) tap_note("type %u", rows[i].type);
        CHECK_INT(read_all(buf_slice(&out), rows[i].mdns ? &mdns_rules : &wide, &again, NULL), STEP_END);
        CHECK(again.form == r.form && dns_name_same(&again.data.name, &target));
    }
    buf_release(&out);
}

TEST(lists_are_made_part_by_part) {
    struct dns_name owner = name_of("b");
    struct buf list, out;
    struct err e = ERR_INIT;
    uint8_t big[256] = {0};
    buf_init(&list, 2000);
    buf_init(&out, DNS_MESSAGE);
    struct dns_record r = dns_record_of(DNS_ANSWER, &owner, DNS_TYPE_TXT, 60);
    CHECK(dns_text_add(&list, LIT("hi"), &e) && dns_text_add(&list, LIT(""), &e) &&
          !dns_text_add(&list, slice_of(big, 256), &e));
    r.rdata = buf_slice(&list);
    CHECK(slice_eq(write_one(&out, &r, false), unhex("01 62 00 0010 0001 0000003c 0004 02 6869 00")));
    buf_reset(&list);
    CHECK(dns_param_add(&list, DNS_PARAM_ALPN, LIT("\2h2"), &e) &&
          dns_param_add(&list, DNS_PARAM_PORT, LIT("\1\273"), &e));
    CHECK(!dns_param_add(&list, DNS_PARAM_PORT, LIT("\1\273"), &e) &&
          !dns_param_add(&list, DNS_PARAM_IPV4HINT, LIT("abc"), &e));
    CHECK(!dns_param_add(&list, 65536, LIT(""), &e));
    r = dns_record_of(DNS_ANSWER, &owner, DNS_TYPE_HTTPS, 60);
    r.data.preference = 1;
    r.data.name = name_of(".");
    r.data.params = buf_slice(&list);
    CHECK(slice_eq(write_one(&out, &r, false),
                   unhex("01 62 00 0041 0001 0000003c 0010 0001 00 0001 0003 02 6832 0003 0002 01bb")));
    r = dns_record_of(DNS_ANSWER, &owner, DNS_TYPE_CAA, 60);
    r.data.caa.flags = 0;
    r.data.caa.tag = LIT("issue");
    r.data.caa.value = LIT(";");
    CHECK(slice_eq(write_one(&out, &r, false), unhex("01 62 00 0101 0001 0000003c 0008 00 05 6973737565 3b")));
    buf_reset(&list);
    CHECK(dns_option_add(&list, DNS_OPTION_COOKIE, LIT("12345678"), &e) &&
          !dns_option_add(&list, 1u << 16, LIT(""), &e));
    CHECK(slice_eq(buf_slice(&list), unhex("000a 0008 3132333435363738")));
    buf_release(&list);
    buf_init(&list, 3);
    CHECK(!dns_text_add(&list, LIT("abc"), &e) && !dns_option_add(&list, 1, LIT(""), &e) && list.len == 0);
    buf_release(&list);
    buf_release(&out);
}

TEST(the_writer_refuses_what_would_not_read_back) {
    struct dns_name b = name_of("b");
    struct dns_writer w;
    struct err e = ERR_INIT;
    struct buf out;
    buf_init(&out, DNS_MESSAGE);
    CHECK(!dns_write_open(&w, &out, 11, &(struct dns_header){.id = 1}, NULL, &e));
    CHECK(!dns_write_open(&w, &out, 100, &(struct dns_header){.opcode = 16}, NULL, &e));
    CHECK(dns_write_open(&w, &out, DNS_MESSAGE, &(struct dns_header){.id = 1}, NULL, &e));
    struct dns_record good = a_of(DNS_AUTHORITY, "b", 1), r;
#define REFUSED(change) (r = good, change, dns_write_record(&w, &r, &e) == DNS_REFUSED)
    CHECK(REFUSED(r.section = DNS_QUESTION));
    CHECK(REFUSED(r.section = 4));
    CHECK(REFUSED(r.ttl = 1u << 31));
    CHECK(REFUSED(r.type = DNS_TYPE_OPT));
    CHECK(REFUSED(r.type = DNS_TYPE_AAAA));
    CHECK(REFUSED(r.form = DNS_FORM_QUESTION));
    CHECK(REFUSED(r.form = DNS_FORM_EMPTY));
    CHECK(REFUSED(r.name.len = 0));
    CHECK(REFUSED(r.name.len = 2));
    CHECK(REFUSED((r.name.len = 4, r.name.bytes[3] = 0)));
    CHECK(REFUSED((r.form = DNS_FORM_RAW, r.rdata = LIT("abc"))));
    CHECK(REFUSED((r.form = DNS_FORM_RAW, r.type = DNS_TYPE_CNAME, r.rdata = LIT("\300\014"))));
    CHECK(REFUSED((r.form = DNS_FORM_RAW, r.type = 999, r.rdata = slice_of(good.name.bytes, 65536))));
    CHECK(REFUSED((r = dns_record_of(DNS_ANSWER, &b, DNS_TYPE_TXT, 1), r.rdata = slice_of("", 0))));
    CHECK(REFUSED((r = dns_record_of(DNS_ANSWER, &b, DNS_TYPE_CAA, 1), r.data.caa.tag = LIT("a b"))));
    CHECK(
        REFUSED((r = dns_record_of(DNS_ANSWER, &b, DNS_TYPE_CAA, 1), r.data.caa.tag = slice_of(good.name.bytes, 256))));
    CHECK(REFUSED(
        (r = dns_record_of(DNS_ANSWER, &b, DNS_TYPE_CAA, 1), r.data.caa.value = slice_of(good.name.bytes, 65536))));
    CHECK(REFUSED((r = dns_record_of(DNS_ANSWER, &b, DNS_TYPE_CNAME, 1), r.data.name.len = 0)));
    CHECK(REFUSED((r = dns_record_of(DNS_ANSWER, &b, DNS_TYPE_SOA, 1), r.data.other.len = 0)));
    CHECK(REFUSED(
        (r = dns_record_of(DNS_ANSWER, &b, DNS_TYPE_SVCB, 1), r.data.params = slice_of(good.name.bytes, 65536))));
    CHECK(REFUSED((r = dns_record_of(DNS_ANSWER, &b, DNS_TYPE_SVCB, 1), r.data.name = b, r.data.preference = 1,
                   r.data.params = LIT("\0\3\0\0"))));
    w.mdns = true;
    CHECK(REFUSED(r.klass = 0x8001));
    w.mdns = false;
    CHECK(!dns_write_question(&w, &b, 65536, 1, false, &e));
    CHECK_INT(out.len, 12);
    CHECK_INT(dns_write_record(&w, &good, &e), DNS_WROTE);
    CHECK(!dns_write_question(&w, &b, 1, 1, false, &e));
    CHECK(REFUSED(r.section = DNS_ANSWER));
    buf_reset(&out);
    CHECK(dns_write_open(&w, &out, 20, &(struct dns_header){.opcode = DNS_OPCODE_UPDATE}, NULL, &e));
    CHECK(!dns_write_question(&w, &(struct dns_name){.len = 6, .bytes = "\4abcd"}, 1, 1, false, &e) &&
          e.code == ERR_LIMIT && out.len == 12);
    CHECK(dns_write_question(&w, &b, DNS_TYPE_SOA, 1, false, &e));
    buf_reset(&out);
    CHECK(dns_write_open(&w, &out, 100, &(struct dns_header){.opcode = DNS_OPCODE_UPDATE}, NULL, &e));
    r = good;
    r.form = DNS_FORM_EMPTY;
    r.klass = DNS_CLASS_ANY;
    r.ttl = 0;
    CHECK_INT(dns_write_record(&w, &r, &e), DNS_WROTE);
    buf_release(&out);
}

TEST(frames_are_written_around_messages) {
    struct buf out;
    struct dns_writer w;
    struct err e = ERR_INIT;
    buf_init(&out, 40);
    CHECK(dns_frame_write(&out, LIT("abcdefghijkl"), &e) && !dns_frame_write(&out, LIT("abc"), &e));
    CHECK(!dns_frame_write(&out, LIT("abcdefghijklmnopqrstuvwxyzabcd"), &e) && out.len == 14);
    CHECK(!dns_frame_write(&out, slice_of(&out, 65536), &e));
    size_t begun = dns_frame_begin(&out);
    CHECK(dns_write_open(&w, &out, 512, &(struct dns_header){.id = 0x4142}, NULL, &e) && dns_write_end(&w, &e) &&
          dns_frame_end(&out, begun, &e));
    CHECK(slice_eq(slice_skip(buf_slice(&out), 14), LIT("\0\014AB\0\0\0\0\0\0\0\0\0\0")));
    begun = dns_frame_begin(&out);
    CHECK(!dns_frame_end(&out, begun, &e) && out.len == 28);
    buf_release(&out);
}

static bool talk(void *arg) {
    (void)arg;
    struct dns_frame f;
    struct dns_writer w;
    struct err e = ERR_INIT;
    struct slice m;
    struct buf out;
    struct dns_record r = a_of(DNS_ANSWER, "a-name-that-makes-the-buffer-grow.example", 1);
    buf_init(&out, DNS_MESSAGE);
    dns_frame_init(&f, DNS_MESSAGE);
    bool good = dns_write_open(&w, &out, 512, &(struct dns_header){.qr = true}, NULL, &e);
    for (int i = 0; i < 4 && good; i++) good = dns_write_record(&w, &r, &e) == DNS_WROTE;
    good = good && dns_write_end(&w, &e);
    struct buf wire;
    buf_init(&wire, DNS_MESSAGE);
    good = good && dns_frame_write(&wire, buf_slice(&out), &e);
    if (good) {
        enum step step = dns_frame_feed(&f, slice_head(buf_slice(&wire), 1), &m, &e).step;
        if (step == STEP_MORE) step = dns_frame_feed(&f, slice_skip(buf_slice(&wire), 1), &m, &e).step;
        good = step == STEP_EVENT && slice_eq(m, buf_slice(&out));
    }
    if (!good) CHECK_INT(e.code, ERR_NOMEM);
    buf_release(&wire);
    buf_release(&out);
    dns_frame_release(&f);
    return good;
}

TEST(a_failed_allocation_is_an_error_and_no_leak) {
    faults_sweep(talk, NULL, "dns");
}

TEST(reading_and_answering_a_query_allocates_nothing) {
    struct dns_query q;
    struct dns_writer w;
    struct err e = ERR_INIT;
    struct buf out;
    struct slice query = unhex("abcd 0100 0001 0000 0000 0000 03 777777 07 6578616d706c65 03 636f6d 00 0001 0001");
    struct dns_record r = a_of(DNS_ANSWER, "www.example.com", 1);
    buf_init(&out, 512);
    buf_room(&out, 512);
    uint64_t before = mem_stats().calls;
    for (int i = 0; i < 1000; i++) {
        buf_reset(&out);
        if (dns_query_read(&q, query, &wide, &e) != STEP_EVENT || !dns_answer_open(&w, &out, 512, &q, 0, 1232, &e) ||
            dns_write_record(&w, &r, &e) != DNS_WROTE || !dns_write_end(&w, &e)) {
            CHECK(!"answered");
            break;
        }
    }
    CHECK_INT(mem_stats().calls - before, 0);
    CHECK_INT(out.len, query.len + 16);
    buf_release(&out);
}

TAP_MAIN(T(an_answer_is_written_in_the_spelling_of_the_query_and_compressed),
         T(a_query_is_written_and_read_by_the_other_side), T(what_cannot_be_read_is_answered_with_its_head),
         T(rcodes_above_15_need_edns), T(a_record_that_does_not_fit_leaves_no_trace),
         T(additional_records_are_left_out_without_the_truncation_bit),
         T(compression_points_only_where_a_pointer_can_and_keeps_spelling),
         T(names_in_data_are_compressed_only_in_the_types_that_allow_it), T(lists_are_made_part_by_part),
         T(the_writer_refuses_what_would_not_read_back), T(frames_are_written_around_messages),
         T(a_failed_allocation_is_an_error_and_no_leak), T(reading_and_answering_a_query_allocates_nothing))
