/* der.c - X.690 both ways. Cases of our own, worked out from X.690 8 and 10 to 11. */
#include "protocols/der.h"

#include "base/hex.h"
#include "lib/faults.h"
#include "lib/tap.h"

enum how { ANY, BOOL, UNSIGNED, SMALL, OID, BITS, NAMED, TIME };

static const struct {
    enum how how;
    const char *hex, *want; /* NULL: refused */
} values[] = {
    {ANY, "0400", "4:"},
    {ANY, "040161", "4:61"},
    {ANY, "3003020105", "48:020105"},
    {ANY, "a0020500", "160:0500"},
    {ANY, "8000", "128:"},
    {ANY, "", NULL},
    {ANY, "04", NULL},
    {ANY, "0401", NULL},
    {ANY, "0480", NULL}, /* indefinite */
    {ANY, "30800000", NULL},
    {ANY, "04810161", NULL}, /* not the shortest */
    {ANY, "0482000161", NULL},
    {ANY, "048101", NULL},
    {ANY, "0484ffffffff", NULL},
    {ANY, "04850000000001", NULL},
    {ANY, "04ff", NULL},
    {ANY, "0000", NULL},       /* end of contents */
    {ANY, "1f8101ff00", NULL}, /* a longer tag */
    {ANY, "2403040161", NULL}, /* a string in pieces */
    {ANY, "1000", NULL},       /* a SEQUENCE that is not made of parts */
    {ANY, "2203020100", NULL},
    {BOOL, "010100", "0"},
    {BOOL, "0101ff", "1"},
    {BOOL, "010101", NULL},
    {BOOL, "0100", NULL},
    {BOOL, "0102ffff", NULL},
    {BOOL, "020100", NULL},
    {UNSIGNED, "020100", "00"},
    {UNSIGNED, "02017f", "7f"},
    {UNSIGNED, "02020080", "80"},
    {UNSIGNED, "0200", NULL},
    {UNSIGNED, "020180", NULL},   /* negative */
    {UNSIGNED, "0202007f", NULL}, /* not the shortest */
    {UNSIGNED, "0202ff80", NULL},
    {SMALL, "020100", "0"},
    {SMALL, "02020100", "256"},
    {SMALL, "020203e8", "1000"},
    {SMALL, "020203e9", NULL}, /* over the most */
    {SMALL, "0209010000000000000000", NULL},
    {OID, "06032a0304", "2a0304"},
    {OID, "06022a80", NULL},   /* cut */
    {OID, "06032a8001", NULL}, /* a number with a zero in front */
    {OID, "0603808001", NULL},
    {OID, "0600", NULL},
    {BITS, "030100", ""},
    {BITS, "030200ff", "ff"},
    {BITS, "030201fe", NULL}, /* not whole bytes */
    {BITS, "0300", NULL},
    {NAMED, "030100", "0"},
    {NAMED, "03020780", "1"},
    {NAMED, "03020186", "97"}, /* 1000011: 1 + 32 + 64 */
    {NAMED, "0303070080", "256"},
    {NAMED, "03020006", "96"}, /* zeros behind: let pass */
    {NAMED, "03020101", NULL}, /* a bit that is not used is not 0 */
    {NAMED, "03020880", NULL},
    {NAMED, "030107", NULL},
    {NAMED, "0306000000000001", NULL},
    {TIME, "170d3730303130313030303030305a", "0"},
    {TIME, "170d3439313233313233353935395a", "2524607999"},
    {TIME, "170d3530303130313030303030305a", "-631152000"},
    {TIME, "180f32303530303130313030303030305a", "2524608000"},
    {TIME, "180f32303234303232393030303030305a", "1709164800"},
    {TIME, "180f39393939313233313233353935395a", "253402300799"},
    {TIME, "180f32303233303232393030303030305a", NULL}, /* 2023-02-29 */
    {TIME, "180f32313030303232393030303030305a", NULL}, /* 2100-02-29 */
    {TIME, "180f30303030303130313030303030305a", NULL}, /* the year 0 */
    {TIME, "170d3730303030313030303030305a", NULL},
    {TIME, "170d3730303030303030303030305a", NULL},
    {TIME, "170d3730303130303030303030305a", NULL}, /* the day 0 */
    {TIME, "170d3730313330313030303030305a", NULL}, /* the month 13 */
    {TIME, "170d3730303130313234303030305a", NULL}, /* 24:00 */
    {TIME, "170d3730303130313030363030305a", NULL},
    {TIME, "170d3730303130313030303036305a", NULL}, /* a leap second */
    {TIME, "170b373030313031303030305a", NULL},     /* without seconds */
    {TIME, "17113730303130313030303030302b30303030", NULL},
    {TIME, "181132303530303130313030303030302e305a", NULL}, /* parts of a second */
    {TIME, "170d3730303130313030303030302b", NULL},
    {TIME, "040d3730303130313030303030305a", NULL},
};

static void print_value(struct cur *c, enum how how, struct buf *out) {
    unsigned tag;
    struct cur in;
    switch (how) {
    case ANY:
        in = der_take_any(c, &tag);
        buf_printf(out, "%u:", tag);
        hex_add(out, cur_rest(&in));
        break;
    case BOOL: buf_printf(out, "%d", der_bool(c)); break;
    case UNSIGNED: hex_add(out, der_unsigned(c, DER_INTEGER)); break;
    case SMALL: buf_u64(out, der_small(c, 1000)); break;
    case OID: hex_add(out, der_oid(c)); break;
    case BITS: hex_add(out, der_bits(c)); break;
    case NAMED: buf_u64(out, der_named_bits(c)); break;
    case TIME: buf_i64(out, der_time(c)); break;
    }
}

TEST(every_value_is_read_or_refused) {
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct buf bytes, out;
        buf_init(&bytes, 100);
        buf_init(&out, 200);
        CHECK(hex_read(&bytes, slice_str(values[i].hex), NULL));
        struct cur c = cur_of(tap_guarded(buf_slice(&bytes)));
        print_value(&c, values[i].how, &out);
        if (!CHECK(cur_done(&c) == (values[i].want != NULL))) tap_note("%s", values[i].hex);
        if (values[i].want && cur_done(&c)) CHECK_TEXT(buf_slice(&out), slice_str(values[i].want));
        if (!values[i].want) { /* and stays so: nothing is read any more, nothing begins */
            CHECK(der_peek(&c) == 0 && cur_left(&c) == 0);
            struct cur in = der_take(&c, DER_OCTETS);
            CHECK(in.bad && !der_whole_any(&c).len && !der_whole(&c, DER_OCTETS).len);
        }
        buf_release(&bytes);
        buf_release(&out);
    }
}

TEST(another_tag_than_the_wanted_is_refused) {
    struct cur c = cur_of(LIT("\x04\x00"));
    CHECK(der_take(&c, DER_SEQUENCE).bad && c.bad);
    c = cur_of(LIT("\x04\x00"));
    CHECK(!der_whole(&c, DER_SEQUENCE).len && c.bad);
    c = cur_of(LIT("\x04\x00\x05\x00"));
    CHECK_INT(der_whole(&c, DER_OCTETS).len, 2);
    CHECK_INT(der_peek(&c), DER_NULL);
}

static void check_hex(struct buf *b, const char *want) {
    struct buf hex;
    buf_init(&hex, 2000);
    CHECK(buf_ok(b) && hex_add(&hex, buf_slice(b)));
    CHECK_TEXT(buf_slice(&hex), slice_str(want));
    buf_release(&hex);
    buf_release(b);
}

TEST(values_are_written_in_their_one_form) {
    struct buf b;
    buf_init(&b, 1000);
    der_add_bool(&b, true), der_add_bool(&b, false);
    check_hex(&b, "0101ff010100");
    der_add_small(&b, 0), der_add_small(&b, 127), der_add_small(&b, 128), der_add_small(&b, 65536);
    check_hex(&b, "02010002017f020200800203010000");
    der_add_small(&b, UINT64_MAX);
    check_hex(&b, "020900ffffffffffffffff");
    der_add_unsigned(&b, DER_CONTEXT(2), slice_of("\0\0\x81", 3)), der_add_unsigned(&b, DER_INTEGER, LIT(""));
    check_hex(&b, "82020081020100");
    der_add_bits(&b, LIT("\x55"));
    check_hex(&b, "03020055");
    der_add_named_bits(&b, 0), der_add_named_bits(&b, 97), der_add_named_bits(&b, 256);
    check_hex(&b, "030100030201860303070080");
    der_add_named_bits(&b, 0xffffffff);
    check_hex(&b, "030500ffffffff");
    der_add_time(&b, 0), der_add_time(&b, 2524607999);
    check_hex(&b, "170d3730303130313030303030305a170d3439313233313233353935395a");
    der_add_time(&b, 2524608000), der_add_time(&b, 253402300799);
    check_hex(&b, "180f32303530303130313030303030305a180f39393939313233313233353935395a");
    der_add_time(&b, -631152000), der_add_time(&b, 1709164800);
    check_hex(&b, "170d3530303130313030303030305a170d3234303232393030303030305a");
    CHECK(!der_add_time(&b, -631152001) && !der_add_time(&b, 253402300800) && !b.len);
    CHECK(!der_add_time(&b, INT64_MIN) && !der_add_time(&b, INT64_MAX));
}

TEST(every_day_and_length_reads_back_as_it_was_written) {
    struct buf b;
    buf_init(&b, 1 << 18);
    for (int64_t day = -631152000 / 86400; day < 253402300800 / 86400; day += day < 60000 ? 1 : 97) {
        int64_t when = day * 86400 + (day & 0xffff), back;
        buf_reset(&b);
        CHECK(der_add_time(&b, when));
        struct cur c = cur_of(buf_slice(&b));
        back = der_time(&c);
        if (back != when || !cur_done(&c)) {
            CHECK_INT(back, when);
            break;
        }
    }
    static const uint8_t zeros[70000];
    static const size_t lens[] = {0, 1, 127, 128, 255, 256, 65535, 65536, 70000};
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        buf_reset(&b);
        size_t outer = der_open(&b, DER_SEQUENCE), inner = der_open(&b, DER_PART(0));
        der_add(&b, DER_OCTETS, slice_of(zeros, lens[i]));
        CHECK(der_close(&b, inner) && der_close(&b, outer));
        struct cur c = cur_of(buf_slice(&b)), a = der_take(&c, DER_SEQUENCE), in = der_take(&a, DER_PART(0));
        struct slice back = der_octets(&in, DER_OCTETS);
        CHECK(cur_done(&c) && cur_done(&a) && cur_done(&in) && back.len == lens[i]);
    }
    buf_release(&b);
}

TEST(what_does_not_fit_is_seen_at_the_end) {
    static const uint8_t zeros[200];
    for (size_t max = 0; max < 300; max++) {
        struct buf b;
        buf_init(&b, max);
        size_t outer = der_open(&b, DER_SEQUENCE), inner = der_open(&b, DER_PART(0));
        der_add(&b, DER_OCTETS, slice_of(zeros, sizeof zeros));
        der_close(&b, inner);
        CHECK_INT(der_close(&b, outer), max >= 209);
        CHECK_INT(buf_ok(&b), max >= 209);
        buf_release(&b);
    }
}

TAP_MAIN(T(every_value_is_read_or_refused), T(another_tag_than_the_wanted_is_refused),
         T(values_are_written_in_their_one_form), T(every_day_and_length_reads_back_as_it_was_written),
         T(what_does_not_fit_is_seen_at_the_end))
