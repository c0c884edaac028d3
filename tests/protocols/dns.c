/* dns.c - DNS messages read: names, every type, refusals with their place, limits, frames over TCP in every cut.
 *
 * Expected bytes are laid out by hand from the RFCs named at each case. */
#include "dns_play.h"

#include "lib/cuts.h"

TEST(names_go_from_text_to_the_wire_and_back) {
    static const struct {
        const char *text;
        struct slice wire;
        const char *back;
    } rows[] = {
        {".", LIT_INIT("\0"), "."},
        {"com", LIT_INIT("\3com\0"), "com."},
        {"Example.com.", LIT_INIT("\7Example\3com\0"), "Example.com."},
        {"a\\.b.c", LIT_INIT("\3a.b\1c\0"), "a\\.b.c."},
        {"a\\\\b", LIT_INIT("\3a\\b\0"), "a\\\\b."},
        {"\\000\\255x", LIT_INIT("\3\0\xffx\0"), "\\000\\255x."},
        {"\\032.", LIT_INIT("\1 \0"), "\\032."},
        {"a\\097", LIT_INIT("\2aa\0"), "aa."},
        {"\\@.x\\$\\;", LIT_INIT("\1@\3x$;\0"), "\\@.x\\$\\;."},
        {"*._tcp-1", LIT_INIT("\1*\6_tcp-1\0"), "*._tcp-1."},
    };
    for (size_t i = 0; i < N(rows); i++) {
        struct dns_name name;
        if (!CHECK(dns_name_from(slice_str(rows[i].text), &name, NULL))) tap_note("%s", rows[i].text);
        CHECK_TEXT(slice_of(name.bytes, name.len), rows[i].wire);
        name_is(&name, rows[i].back);
    }
}

TEST(wrong_names_in_text_are_refused_with_their_place) {
    static const struct {
        const char *text;
        size_t at;
    } rows[] = {
        {"", 0},     {"..", 0},    {".a", 0},    {"a..b", 2},    {"a.b..", 4},       {"a b", 1},  {"a\\", 1},
        {"\\25", 0}, {"\\256", 0}, {"\\2a1", 0}, {"x\\\x01", 2}, {"caf\xc3\xa9", 3}, {"a\tb", 1}, {"a\x7f", 1},
    };
    struct dns_name name;
    for (size_t i = 0; i < N(rows); i++) {
        struct err e = ERR_INIT;
        if (!CHECK(!dns_name_from(slice_str(rows[i].text), &name, &e)) || !CHECK_INT(e.at, rows[i].at))
            tap_note("%s: %s", rows[i].text, e.text);
    }
}

TEST(labels_of_63_and_names_of_255_bytes_are_the_most) {
    char text[300];
    struct dns_name name;
    memset(text, 'a', sizeof text);
    CHECK(dns_name_from(slice_of(text, 63), &name, NULL));
    CHECK(!dns_name_from(slice_of(text, 64), &name, NULL));
    text[63] = text[127] = text[191] = '.';
    /* Three labels of 63 and one of 61: 3 * 64 + 62 + 1 = 255. */
    CHECK(dns_name_from(slice_of(text, 192 + 61), &name, NULL));
    CHECK_INT(name.len, 255);
    CHECK(!dns_name_from(slice_of(text, 192 + 62), &name, NULL));
    CHECK(!dns_name_prepend(&name, LIT("x")));
    struct dns_name again;
    size_t at = 0;
    CHECK_INT(dns_name_read(slice_of(name.bytes, name.len), &at, name.len, 0, &again, NULL), STEP_EVENT);
    CHECK(at == 255 && dns_name_same(&name, &again));
    uint8_t wire[300] = {0};
    for (size_t i = 0; i < 128; i++) wire[i * 2] = 1; /* 128 labels of one byte and the zero: 257 */
    struct err e = ERR_INIT;
    at = 0;
    CHECK_INT(dns_name_read(slice_of(wire, 257), &at, 257, 0, &again, &e), STEP_BAD);
    CHECK_INT(e.at, 254);
    at = 2;
    CHECK_INT(dns_name_read(slice_of(wire, 257), &at, 257, 0, &again, &e), STEP_EVENT);
    CHECK_INT(dns_name_labels(&again), 127);
}

TEST(names_are_compared_without_case_and_label_by_label) {
    struct dns_name a = name_of("WWW.Example.COM"), b = name_of("www.example.com"), c = name_of("com"),
                    d = name_of("ample.com"), root = name_of("."), dot = name_of("x.a\\.com");
    CHECK(dns_name_eq(&a, &b) && !dns_name_same(&a, &b) && !dns_name_eq(&a, &c));
    CHECK(dns_name_under(&a, &b) && dns_name_under(&a, &c) && dns_name_under(&a, &root) && !dns_name_under(&c, &a));
    CHECK(!dns_name_under(&b, &d));
    CHECK(!dns_name_under(&dot, &c)); /* the dot is inside a label */
    struct dns_name p = dns_name_parent(&b);
    name_is(&p, "example.com.");
    p = dns_name_parent(&root);
    name_is(&p, ".");
    CHECK(dns_name_prepend(&p, LIT("a.b")));
    name_is(&p, "a\\.b.");
    CHECK(!dns_name_prepend(&p, LIT("")));
    CHECK_TEXT(dns_name_label(&a), LIT("WWW"));
    dns_name_lower(&a);
    CHECK(dns_name_same(&a, &b));
    CHECK_INT(dns_name_labels(&root), 0);
}

TEST(a_query_is_read) {
    struct dns_query q;
    struct err e = ERR_INIT;
    /* id, RD; one question: eXample. AAAA IN; OPT of 1232 bytes with DO (RFC 6891 6.1.2) */
    CHECK_INT(dns_query_read(
                  &q,
                  unhex("1234 0110 0001 0000 0000 0001 07 6558616d706c65 00 001c 0001 00 0029 04d0 00 00 8000 0000"),
                  &wide, &e),
              STEP_EVENT);
    CHECK(q.header.id == 0x1234 && q.header.rd && q.header.cd && !q.header.qr && !q.header.aa && !q.header.ra &&
          !q.header.tc);
    CHECK(q.type == DNS_TYPE_AAAA && q.klass == DNS_CLASS_IN && q.has_edns && q.edns.size == 1232 && q.edns.dnssec_ok);
    name_is(&q.name, "eXample.");
    CHECK_INT(dns_answer_room(&q, 4096), 1232);
    CHECK_INT(dns_answer_room(&q, 600), 600);
    q.edns.size = 100;
    CHECK_INT(dns_answer_room(&q, 4096), 512);
    q.has_edns = false;
    CHECK_INT(dns_answer_room(&q, 4096), 512);
    CHECK_INT(dns_query_read(&q, unhex("1234 0100 0000 0000 0000 0000"), &wide, &e), STEP_BAD);
    CHECK(q.has_header && e.at == 4);
    CHECK_INT(dns_query_read(&q, unhex("1234 0100"), &wide, &e), STEP_MORE);
    CHECK(!q.has_header);
    CHECK_INT(dns_query_read(&q, unhex(QUERY "01"), &wide, &e), STEP_MORE);
    CHECK(q.has_header);
}

/* One record in the answer section, behind a head of 12 bytes; its data begins at 12 + 1 + 10 = 23. */
TEST(the_data_of_each_type_is_held_against_its_shape) {
    static const struct {
        const char *name, *hex;
        int form; /* -1: refused */
        size_t at;
    } rows[] = {
        {"A", "00 0001 0001 0000003c 0004 c0000201", DNS_FORM_IPV4, 0},
        {"A of 3 bytes", "00 0001 0001 0000003c 0003 c00002", -1, 23},
        {"A of 5 bytes", "00 0001 0001 0000003c 0005 c000020100", -1, 27},
        {"A in class CH is raw", "00 0001 0003 0000003c 0005 c000020100", DNS_FORM_RAW, 0},
        {"A without data outside UPDATE", "00 0001 00ff 00000000 0000", DNS_FORM_RAW, 0},
        {"AAAA", "00 001c 0001 0000003c 0010 20010db8000000000000000000000001", DNS_FORM_IPV6, 0},
        {"AAAA of 15 bytes", "00 001c 0001 0000003c 000f 20010db80000000000000000000000", -1, 23},
        {"CNAME", "00 0005 0001 0000003c 0003 01 61 00", DNS_FORM_NAME, 0},
        {"CNAME, one byte behind the name", "00 0005 0001 0000003c 0004 01 61 00 00", -1, 26},
        {"CNAME, the name runs over its length", "00 0005 0001 0000003c 0002 01 61 00", -1, 25},
        {"CNAME, a pointer over its length", "00 0005 0001 0000003c 0001 c0 0c", -1, 24},
        {"CNAME with no data", "00 0005 0001 0000003c 0000", -1, 23},
        {"PTR compressed", "00 000c 0001 0000003c 0002 c00c", DNS_FORM_NAME, 0},
        {"NS compressed behind a label", "00 0002 0001 0000003c 0004 01 61 c00c", DNS_FORM_NAME, 0},
        {"MX", "00 000f 0001 0000003c 0005 000a 01 61 00", DNS_FORM_MX, 0},
        {"MX without a name", "00 000f 0001 0000003c 0002 000a", -1, 25},
        {"MX of one byte", "00 000f 0001 0000003c 0001 00", -1, 23},
        {"MINFO", "00 000e 0001 0000003c 0002 00 00", DNS_FORM_NAMES, 0},
        {"SOA", "00 0006 0001 0000003c 0016 00 00 00000001 00000002 00000003 00000004 00000005", DNS_FORM_SOA, 0},
        {"SOA cut", "00 0006 0001 0000003c 0015 00 00 00000001 00000002 00000003 00000004 000000", -1, 41},
        {"SRV", "00 0021 0001 0000003c 0009 0001 0002 0003 01 61 00", DNS_FORM_SRV, 0},
        {"SRV compressed is understood (RFC 3597 4)", "00 0021 0001 0000003c 0008 0001 0002 0003 c00c", DNS_FORM_SRV,
         0},
        {"TXT", "00 0010 0001 0000003c 0005 02 6869 00 00", DNS_FORM_TXT, 0},
        {"TXT without a string (RFC 1035 3.3.14)", "00 0010 0001 0000003c 0000", -1, 23},
        {"TXT, the string runs over", "00 0010 0001 0000003c 0004 01 61 02 62", -1, 25},
        {"CAA (RFC 8659 4.1)", "00 0101 0001 0000003c 0008 80 05 6973737565 3b", DNS_FORM_CAA, 0},
        {"CAA without a value", "00 0101 0001 0000003c 0007 00 05 6973737565", DNS_FORM_CAA, 0},
        {"CAA with an empty tag", "00 0101 0001 0000003c 0003 00 00 3b", -1, 25},
        {"CAA with a tag of other characters", "00 0101 0001 0000003c 0005 00 03 61 2d 62", -1, 26},
        {"CAA, the tag runs over", "00 0101 0001 0000003c 0004 00 03 61 61", -1, 25},
        {"CAA of one byte", "00 0101 0001 0000003c 0001 00", -1, 23},
        {"an unknown type", "00 ff00 0001 0000003c 0003 c00c00", DNS_FORM_RAW, 0},
        {"an unknown type without data", "00 ff00 0001 0000003c 0000", DNS_FORM_RAW, 0},
        {"OPT in the answer section", "00 0029 04d0 00000000 0000", -1, 12},
        {"bytes behind the last record", "00 ff00 0001 0000003c 0000 00", -1, 23},
    };
    for (size_t i = 0; i < N(rows); i++) {
        char hex[400];
        struct dns_record r = {.form = DNS_FORM_QUESTION};
        struct err e = ERR_INIT;
        snprintf(hex, sizeof hex, ONE "%s", rows[i].hex);
        enum step step = read_all(unhex(hex), &wide, &r, &e);
        bool good = CHECK_INT(step, rows[i].form < 0 ? STEP_BAD : STEP_END);
        good = (rows[i].form < 0 ? CHECK_INT(e.at, rows[i].at) : CHECK_INT(r.form, rows[i].form)) && good;
        if (!good) tap_note("case %s: %s", rows[i].name, e.text);
    }
}

/* RFC 9460; the parameters begin at 23 + 2 + 1 = 26. */
TEST(service_parameters_are_held_against_their_rules) {
    static const struct {
        const char *name, *params;
        unsigned priority;
        size_t bad; /* 0: fine */
    } rows[] = {
        {"none", "", 1, 0},
        {"all that are known",
         "0000 0004 0001 0003 0001 0003 02 6832 0002 0000 0003 0002 01bb 0004 0004 c0000201 0005 0001 00 0006 0010 "
         "20010db8000000000000000000000001",
         1, 0},
        {"unknown keys", "0007 0000 029b 0003 616263 fffe 0000", 1, 0},
        {"the reserved key", "ffff 0000", 1, 30},
        {"a key twice", "0003 0002 01bb 0003 0002 01bb", 1, 32},
        {"keys falling", "0003 0002 01bb 0001 0003 02 6832", 1, 32},
        {"keys falling in alias mode", "0003 0000 0001 0000", 0, 30},
        {"wrong values in alias mode mean nothing", "0001 0000 0003 0001 00", 0, 0},
        {"a head cut", "0003 00", 1, 26},
        {"a value cut", "0003 0002 01", 1, 28},
        {"port of one byte", "0003 0001 01", 1, 30},
        {"no-default-alpn with a value", "0001 0003 02 6832 0002 0001 00", 1, 37},
        {"no-default-alpn without alpn (2.4.3)", "0002 0000", 1, 26},
        {"alpn empty", "0001 0000", 1, 30},
        {"alpn with an empty protocol", "0001 0004 02 6832 00", 1, 33},
        {"alpn over its length", "0001 0003 03 6832", 1, 30},
        {"ipv4hint empty", "0004 0000", 1, 30},
        {"ipv4hint of 5 bytes", "0004 0005 c000020100", 1, 30},
        {"two addresses in ipv4hint", "0004 0008 c0000201c0000202", 1, 0},
        {"ipv6hint of 4 bytes", "0006 0004 c0000201", 1, 30},
        {"ech empty", "0005 0000", 1, 30},
        {"mandatory empty", "0000 0000", 1, 30},
        {"mandatory of 3 bytes", "0000 0003 000100 0001 0003 02 6832", 1, 30},
        {"mandatory names itself", "0000 0002 0000", 1, 30},
        {"mandatory names a key twice", "0000 0004 0001 0001 0001 0003 02 6832", 1, 32},
        {"mandatory names a key that is not there", "0000 0002 0003", 1, 26},
        {"mandatory names keys that are there", "0000 0004 0003 029b 0003 0002 01bb 029b 0000", 1, 0},
    };
    for (size_t i = 0; i < N(rows); i++) {
        char hex[400];
        struct dns_record r;
        struct err e = ERR_INIT;
        size_t len = unhex(rows[i].params).len;
        snprintf(hex, sizeof hex, ONE "00 0041 0001 0000003c %04zx %04x 00 %s", len + 3, rows[i].priority,
                 rows[i].params);
        enum step step = read_all(unhex(hex), &wide, &r, &e);
        bool good = CHECK_INT(step, rows[i].bad ? STEP_BAD : STEP_END);
        if (rows[i].bad) good = CHECK_INT(e.at, rows[i].bad) && good;
        if (!good) tap_note("case %s: %s", rows[i].name, e.text);
    }
    struct err e = ERR_INIT;
    struct dns_record r;
    CHECK_INT(read_all(unhex(ONE "00 0041 0001 0000003c 0004 0001 c00c"), &wide, &r, &e),
              STEP_BAD); /* 2.2: never compressed */
    CHECK_INT(e.at, 25);
}

TEST(messages_that_lie_are_refused_and_short_ones_want_more) {
    static const struct {
        const char *name, *hex;
        enum step step;
        size_t at;
    } rows[] = {
        {"nothing", "", STEP_MORE, 0},
        {"half a head", "1234 0100 0001", STEP_MORE, 6},
        {"a head alone", "1234 0100 0000 0000 0000 0000", STEP_END, 0},
        {"a byte behind the head", "1234 0100 0000 0000 0000 0000 00", STEP_BAD, 12},
        {"a question that is not there", QUERY, STEP_MORE, 12},
        {"a name cut in a label", QUERY "03 6162", STEP_MORE, 15},
        {"a name without its zero", QUERY "03 616263", STEP_MORE, 16},
        {"a pointer cut", "1234 0100 0002 0000 0000 0000 00 0001 0001 c0", STEP_MORE, 18},
        {"a question without its class", QUERY "00 0001 00", STEP_MORE, 16},
        {"a question", QUERY "00 0001 0001", STEP_END, 0},
        {"a second question is missing", "1234 0100 0002 0000 0000 0000 00 0001 0001", STEP_MORE, 17},
        {"a pointer to itself", QUERY "c00c 0001 0001", STEP_BAD, 12},
        {"a pointer into its own name", QUERY "01 61 c00c 0001 0001", STEP_BAD, 14},
        {"a pointer forwards", QUERY "c00e 00 0001 0001", STEP_BAD, 12},
        {"a pointer into the head", QUERY "c000 0001 0001", STEP_BAD, 12},
        {"a pointer beyond the end", QUERY "ffff 0001 0001", STEP_BAD, 12},
        {"two pointers in a ring", "1234 0100 0002 0000 0000 0000 01 61 c012 0001 0001 c00c 0001 0001", STEP_BAD, 14},
        {"labels that run into the name that points to them",
         "1234 8180 0000 0002 0000 0000 00 ff00 0001 00000000 0002 0461 c017 ff00 0001 00000000 0000", STEP_BAD, 25},
        {"a label of kind 01", QUERY "41 61 00 0001 0001", STEP_BAD, 12},
        {"a label of kind 10", QUERY "80 61 00 0001 0001", STEP_BAD, 12},
        {"a record without its length", ONE "00 0001 0001 00000000 00", STEP_MORE, 22},
        {"a record without all its data", ONE "00 0001 0001 00000000 0004 c00002", STEP_MORE, 26},
        {"two OPT", "1234 0100 0000 0000 0000 0002 00 0029 0200 00000000 0000 00 0029 0200 00000000 0000", STEP_BAD,
         23},
        {"OPT with a name", "1234 0100 0000 0000 0000 0001 01 61 00 0029 0200 00000000 0000", STEP_BAD, 12},
        {"an EDNS option cut", "1234 0100 0000 0000 0000 0001 00 0029 0200 00000000 0006 000a 0004 1122", STEP_BAD, 25},
        {"the head of an EDNS option cut", "1234 0100 0000 0000 0000 0001 00 0029 0200 00000000 0003 000a 00", STEP_BAD,
         23},
    };
    for (size_t i = 0; i < N(rows); i++) {
        struct dns_record r;
        struct err e = ERR_INIT;
        bool good = CHECK_INT(read_all(unhex(rows[i].hex), &wide, &r, &e), rows[i].step);
        if (rows[i].step != STEP_END) good = CHECK_INT(e.at, rows[i].at) && good;
        if (!good) tap_note("case %s: %s", rows[i].name, e.text);
    }
}

TEST(limits_are_met_with_their_names) {
    struct dns_limits l = wide;
    struct dns_record r;
    struct err e = ERR_INIT;
    l.bytes = 16;
    CHECK_INT(read_all(unhex(QUERY "00 0001 0001"), &l, &r, &e), STEP_BAD);
    CHECK(e.limit && !strcmp(e.limit, "message"));
    l.bytes = 17;
    CHECK_INT(read_all(unhex(QUERY "00 0001 0001"), &l, &r, &e), STEP_END);
    l.records = 1;
    CHECK_INT(read_all(unhex("1234 0100 0001 0000 0000 0001"), &l, &r, &e), STEP_BAD);
    CHECK(e.limit && !strcmp(e.limit, "records") && e.at == 4);
    l = wide;
    l.jumps = 1;
    /* The third name needs two jumps. */
    struct slice m =
        unhex("1234 0100 0003 0000 0000 0000 01 61 00 0001 0001 01 62 c00c 0001 0001 01 63 c013 0001 0001");
    CHECK_INT(read_all(m, &l, &r, &e), STEP_BAD);
    CHECK(e.limit && !strcmp(e.limit, "jumps") && e.at == 21);
    l.jumps = 2;
    CHECK_INT(read_all(m, &l, &r, &e), STEP_END);
    name_is(&r.name, "c.b.a.");
}

TEST(times_of_more_than_31_bits_are_none) {
    struct dns_record r;
    CHECK_INT(read_all(unhex(ONE "00 ff00 0001 80000000 0000"), &wide, &r, NULL), STEP_END);
    CHECK_INT(r.ttl, 0);
    CHECK_INT(read_all(unhex(ONE "00 ff00 0001 7fffffff 0000"), &wide, &r, NULL), STEP_END);
    CHECK_INT(r.ttl, INT32_MAX);
}

TEST(an_update_may_name_sets_without_data) {
    struct dns_record r;
    CHECK_INT(read_all(unhex("1234 2800 0000 0000 0001 0000 00 0001 00ff 00000000 0000"), &wide, &r, NULL), STEP_END);
    CHECK_INT(r.form, DNS_FORM_EMPTY);
    CHECK_INT(read_all(unhex("1234 2800 0000 0000 0001 0000 00 0001 00fe 00000000 0000"), &wide, &r, NULL), STEP_END);
    CHECK_INT(r.form, DNS_FORM_EMPTY);
    CHECK_INT(read_all(unhex("1234 2800 0000 0000 0001 0000 00 0001 00fe 00000000 0004 c0000201"), &wide, &r, NULL),
              STEP_END);
    CHECK_INT(r.form, DNS_FORM_IPV4);
    /* 255 as size of an OPT is no class. */
    CHECK_INT(read_all(unhex("1234 2800 0000 0000 0000 0001 00 0029 00ff 00000000 0000"), &wide, &r, NULL), STEP_END);
    CHECK_INT(r.form, DNS_FORM_OPT);
}

TEST(mdns_takes_the_top_bit_off_classes) {
    struct dns_record r;
    struct err e = ERR_INIT;
    const char *q = QUERY "00 0001 8001", *a = ONE "00 0001 8001 0000003c 0004 c0000201";
    CHECK_INT(read_all(unhex(q), &mdns_rules, &r, &e), STEP_END);
    CHECK(r.flush && r.klass == DNS_CLASS_IN);
    CHECK_INT(read_all(unhex(a), &mdns_rules, &r, &e), STEP_END);
    CHECK(r.flush && r.klass == DNS_CLASS_IN && r.form == DNS_FORM_IPV4);
    CHECK_INT(read_all(unhex(a), &wide, &r, &e), STEP_END);
    CHECK(!r.flush && r.klass == 0x8001 && r.form == DNS_FORM_RAW);
    CHECK_INT(read_all(unhex(ONE "00 0010 8001 0000003c 0000"), &mdns_rules, &r, &e), STEP_END);
    /* The class of OPT is a size: all 16 bits. */
    CHECK_INT(read_all(unhex("1234 0100 0000 0000 0000 0001 00 0029 8001 00000000 0000"), &mdns_rules, &r, &e),
              STEP_END);
    CHECK_INT(r.data.edns.size, 0x8001);
}

TEST(numbers_have_names_both_ways) {
    uint16_t n = 0;
    CHECK(dns_type_from(LIT("aaaa"), &n) && n == 28 && !strcmp(dns_type_name(28), "AAAA"));
    CHECK(dns_type_from(LIT("TYPE65535"), &n) && n == 65535 && !dns_type_name(65535));
    CHECK(!dns_type_from(LIT("TYPE65536"), &n) && !dns_type_from(LIT("TYPE"), &n) && !dns_type_from(LIT("nope"), &n));
    CHECK(dns_class_from(LIT("ch"), &n) && n == 3 && dns_class_from(LIT("CLASS32"), &n) && n == 32 &&
          dns_class_name(1));
    CHECK(dns_opcode_from(LIT("UPDATE"), &n) && n == 5 && !dns_opcode_from(LIT("OPCODE16"), &n) && dns_opcode_name(0));
    CHECK(dns_rcode_from(LIT("NXDOMAIN"), &n) && n == 3 && dns_rcode_from(LIT("RCODE4095"), &n) && dns_rcode_name(3));
    CHECK(dns_param_from(LIT("no-default-alpn"), &n) && n == 2 && dns_param_from(LIT("key667"), &n) && n == 667 &&
          dns_param_name(1));
    CHECK(!strcmp(dns_option_name(10), "COOKIE"));
}

static void play_frames(void *arg, struct cuts *c, struct buf *out) {
    (void)arg;
    struct dns_frame f;
    struct slice message;
    struct err e = ERR_INIT;
    enum step step = STEP_MORE;
    dns_frame_init(&f, 16);
    for (struct slice piece; step == STEP_MORE && cuts_next(c, &piece);) {
        do {
            struct fed fed = dns_frame_feed(&f, piece, &message, &e);
            step = fed.step;
            piece = slice_skip(piece, fed.used);
            if (step == STEP_MORE) CHECK(fed.need > 0 && !piece.len);
            if (step != STEP_EVENT) continue;
            buf_byte(out, '<');
            buf_add(out, message);
            buf_byte(out, '>');
        } while (step == STEP_EVENT);
    }
    if (step == STEP_BAD) {
        buf_printf(out, "bad at %zu", e.at);
        CHECK_INT(dns_frame_feed(&f, LIT("a"), &message, &e).step, STEP_BAD);
    }
    buf_add_str(out, dns_frame_eof(&f) ? "end" : "");
    dns_frame_release(&f);
}

TEST(frames_over_tcp_come_out_whole_in_every_cut) {
    cuts_check(play_frames, NULL, LIT(""), LIT("end"), "nothing");
    cuts_check(play_frames, NULL, LIT("\0\014abcdefghijkl\0\016ABCDEFGHIJKLMN"),
               LIT("<abcdefghijkl><ABCDEFGHIJKLMN>end"), "two");
    cuts_check(play_frames, NULL, LIT("\0\014abcdefghijkl\0"), LIT("<abcdefghijkl>"), "half a length");
    cuts_check(play_frames, NULL, LIT("\0\014abcdefghijk"), LIT(""), "half a message");
    cuts_check(play_frames, NULL, LIT("\0\014abcdefghijkl\0\013a"), LIT("<abcdefghijkl>bad at 14"),
               "shorter than a head");
    cuts_check(play_frames, NULL, LIT("\0\021abcdefghijkl"), LIT("bad at 0"), "over the limit");
}

TAP_MAIN(T(names_go_from_text_to_the_wire_and_back), T(wrong_names_in_text_are_refused_with_their_place),
         T(labels_of_63_and_names_of_255_bytes_are_the_most), T(names_are_compared_without_case_and_label_by_label),
         T(a_query_is_read), T(the_data_of_each_type_is_held_against_its_shape),
         T(service_parameters_are_held_against_their_rules), T(messages_that_lie_are_refused_and_short_ones_want_more),
         T(limits_are_met_with_their_names), T(times_of_more_than_31_bits_are_none),
         T(an_update_may_name_sets_without_data), T(mdns_takes_the_top_bit_off_classes),
         T(numbers_have_names_both_ways), T(frames_over_tcp_come_out_whole_in_every_cut))
