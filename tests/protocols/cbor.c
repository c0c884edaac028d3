/* cbor.c - RFC 8949 both ways. Appendix A runs in vectors.c; these are cases of our own, worked out from the RFC. */
#include "protocols/cbor.h"

#include "base/hex.h"
#include "base/mem.h"
#include "base/rng.h"
#include "lib/cuts.h"
#include "lib/faults.h"
#include "lib/statedoc.h"
#include "lib/tap.h"
#include "protocols/json.h"

#include <math.h>

static const struct cbor_limits limits = {.bytes = 1 << 24, .string = 1 << 20, .depth = 100};

/* Reads items one after the other and writes each in diagnostic notation on a line. */
static void play(void *arg, struct cuts *cuts, struct buf *out) {
    struct cbor *c = cbor_new(arg ? arg : &limits);
    struct err e = ERR_INIT;
    bool good = true;
    for (struct slice piece; good && cuts_next(cuts, &piece);) {
        while (good && piece.len) {
            struct fed fed = cbor_feed(c, piece, &e);
            CHECK(fed.used <= piece.len);
            piece = slice_skip(piece, fed.used);
            if (fed.step == STEP_BAD)
                good = false;
            else if (fed.step == STEP_MORE)
                CHECK(piece.len == 0);
            else {
                struct val v = cbor_take(c);
                json_write(out, &v, JSON_DIAG, NULL);
                buf_byte(out, '\n');
                val_unref(&v);
                cbor_reset(c);
            }
        }
    }
    if (good) good = cbor_eof(c, &e);
    if (!good) {
        buf_printf(out, "bad at %zu: %s", e.at, e.text);
        struct err again = ERR_INIT;
        if (cbor_feed(c, LIT("\xf6"), &again).step == STEP_BAD) CHECK(!cbor_eof(c, &again));
    }
    cbor_free(c);
}

static const struct {
    const char *hex, *want;
} items[] = {
    {"00", "0\n"},
    {"1bffffffffffffffff", "18446744073709551615\n"},
    {"3bffffffffffffffff", "-18446744073709551616\n"},
    {"1800", "0\n"}, /* not the shortest head: well-formed */
    {"f4f5f6", "false\ntrue\nnull\n"},
    {"6161"
     "820102"
     "a0",
     "\"a\"\n[1, 2]\n{}\n"},
    {"9f018202039f0405ffff", "[1, [2, 3], [4, 5]]\n"},
    {"bf61610161629f0203ffff", "{\"a\": 1, \"b\": [2, 3]}\n"},
    {"7f657374726561646d696e67ff", "\"streaming\"\n"},
    {"5f42010243030405ff", "h'0102030405'\n"},
    {"7fff5fff", "\"\"\nh''\n"},
    {"9fff", "[]\n"},
    {"bfff", "{}\n"},
    {"a17f6161ff01", "{\"a\": 1}\n"},
    {"a3f601f50220f6", "{null: 1, true: 2, -1: null}\n"},
    {"a1fb3ff800000000000000", "{1.5: 0}\n"},
    {"", ""},
    {"f93e00fa47c35000fb3ff199999999999a", "1.5\n100000.0\n1.1\n"},
    {"18", "bad at 1: the bytes end in the middle of an item"},
    {"820", "hex"},
    {"8201", "bad at 2: the bytes end in the middle of an item"},
    {"62c3", "bad at 2: the bytes end in the middle of an item"},
    {"7f6161", "bad at 3: the bytes end in the middle of an item"},
    {"ff", "bad at 0: a break outside an item of indefinite length"},
    {"81ff", "bad at 1: a break outside an item of indefinite length"},
    {"bf01ff", "bad at 2: a map's key is missing its value, or is an array or a map"},
    {"a1800100", "bad at 2: a map's key is missing its value, or is an array or a map"},
    {"a1a00100", "bad at 2: a map's key is missing its value, or is an array or a map"},
    {"a2616101616102", "bad at 6: a map has the same key twice"},
    {"c000", "bad at 0: a tag (0), which has no place here"},
    {"f7", "bad at 0: \"undefined\", which has no place here"},
    {"f0", "bad at 0: a byte that begins no item of this data model: 0xf0"},
    {"f820", "bad at 0: a byte that begins no item of this data model: 0xf8"},
    {"1c", "bad at 0: a byte that begins no item of this data model: 0x1c"},
    {"1f", "bad at 0: a byte that begins no item of this data model: 0x1f"},
    {"61ff", "bad at 0: a text that is not UTF-8"},
    {"7f61c361a9ff", "bad at 1: a piece of a text that is not UTF-8"},
    {"7f4101ff", "bad at 1: a string of indefinite length holds something else than its pieces"},
    {"5f5f4100ffff", "bad at 1: a string of indefinite length holds something else than its pieces"},
    {"5f01ff", "bad at 1: a string of indefinite length holds something else than its pieces"},
    {"5bffffffffffffffff", "bad at 0: over the limit string, which allows 1048576"},
    {"9bffffffffffffffff", "bad at 0: over the limit bytes, which allows 16777216"},
    {"bb00000000ffffffff", "bad at 0: over the limit bytes, which allows 16777216"},
    {"9b0000000100000001", "bad at 0: over the limit bytes, which allows 16777216"},
};

TEST(every_item_is_read_or_refused_with_its_place_in_any_cut) {
    for (size_t i = 0; i < sizeof items / sizeof items[0]; i++) {
        struct buf bytes;
        buf_init(&bytes, 1000);
        if (hex_read(&bytes, slice_str(items[i].hex), NULL))
            cuts_check(play, NULL, buf_slice(&bytes), slice_str(items[i].want), items[i].hex);
        else
            CHECK(slice_eq(slice_str(items[i].want), LIT("hex")));
        buf_release(&bytes);
    }
}

TEST(limits_are_held_and_named) {
    struct cbor_limits tiny = {.bytes = 12, .string = 4, .depth = 2};
    cuts_check(play, &tiny, LIT("\x81\x81\x00"), LIT("[[0]]\n"), "at the depth");
    cuts_check(play, &tiny, LIT("\x81\x81\x80"), LIT("bad at 2: over the limit depth, which allows 2"), "too deep");
    cuts_check(play, &tiny,
               LIT("\x64"
                   "abcd"),
               LIT("\"abcd\"\n"), "at the length");
    cuts_check(play, &tiny,
               LIT("\x65"
                   "abcde"),
               LIT("bad at 0: over the limit string, which allows 4"), "too long");
    cuts_check(play, &tiny,
               LIT("\x7f\x63"
                   "abc\x62"
                   "de\xff"),
               LIT("bad at 5: over the limit string, which allows 4"), "too long in pieces");
    cuts_check(play, &tiny, LIT("\x8c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"),
               LIT("bad at 12: over the limit bytes, which allows 12"), "too many");
    cuts_check(play, &tiny, LIT("\x84\x44\x01\x02\x03\x04\x44\x01\x02\x03\x04\x44\x01\x02"),
               LIT("bad at 11: over the limit bytes, which allows 12"), "a string that would not fit");
    struct cbor_limits huge = {.bytes = SIZE_MAX, .string = 100, .depth = 100000};
    cuts_check(play, &huge, LIT("\x81\x00"), LIT("[0]\n"), "huge limits");
}

TEST(a_document_is_exactly_one_item) {
    struct val v = val_none;
    struct err e = ERR_INIT;
    CHECK(cbor_parse(LIT("\x81\x00"), &limits, &v, &e));
    val_unref(&v);
    CHECK(!cbor_parse(LIT("\x81\x00\x00"), &limits, &v, &e) && e.at == 2);
    CHECK(!cbor_parse(LIT("\x82\x00"), &limits, &v, &e) && e.at == 2);
    CHECK(!cbor_parse(LIT(""), &limits, &v, &e));
    CHECK(!cbor_parse(LIT("\xff"), &limits, &v, &e) && e.at == 0);
}

static void check_written(struct val v, const char *plain, const char *sorted) {
    struct buf b, hex;
    buf_init(&b, 1000);
    buf_init(&hex, 2000);
    CHECK(cbor_write(&b, &v, NULL) && hex_add(&hex, buf_slice(&b)));
    CHECK_TEXT(buf_slice(&hex), slice_str(plain));
    buf_reset(&b);
    buf_reset(&hex);
    CHECK(cbor_write_sorted(&b, &v, NULL) && hex_add(&hex, buf_slice(&b)));
    CHECK_TEXT(buf_slice(&hex), slice_str(sorted));
    buf_release(&b);
    buf_release(&hex);
    val_unref(&v);
}

TEST(heads_and_floats_are_the_shortest) {
    check_written(val_of_u64(23), "17", "17");
    check_written(val_of_u64(24), "1818", "1818");
    check_written(val_of_u64(256), "190100", "190100");
    check_written(val_of_u64(65536), "1a00010000", "1a00010000");
    check_written(val_of_u64(UINT64_C(1) << 32), "1b0000000100000000", "1b0000000100000000");
    check_written(val_of_i64(-1), "20", "20");
    check_written(val_of_i64(-257), "390100", "390100");
    check_written(val_of_double(0.0), "f90000", "f90000");
    check_written(val_of_double(-0.0), "f98000", "f98000");
    check_written(val_of_double(NAN), "f97e00", "f97e00");
    check_written(val_of_double(-INFINITY), "f9fc00", "f9fc00");
    check_written(val_of_double(65504.0), "f97bff", "f97bff");
    check_written(val_of_double(65536.0), "fa47800000", "fa47800000");
    check_written(val_of_double(5.960464477539063e-8), "f90001", "f90001");
    check_written(val_of_double(259.0 / 16777216.0), "f90103", "f90103"); /* subnormal: 259 * 2^-24 */
    check_written(val_of_double(1.1), "fb3ff199999999999a", "fb3ff199999999999a");
    check_written(val_of_bytes(LIT("\x01")), "4101", "4101");
    check_written(VAL_ARRAY_OF(val_null(), val_of_bool(true), val_empty_map()), "83f6f5a0", "83f6f5a0");
}

TEST(the_deterministic_form_sorts_keys_by_their_bytes) {
    /* RFC 8949 4.2.1: 10, 100, -1, "z", "aa", [100], [-1], false; without those that are arrays. */
    struct val m = val_empty_map();
    val_set(&m, val_of_str("aa"), val_of_u64(5));
    val_set(&m, val_of_bool(false), val_of_u64(6));
    val_set(&m, val_of_str("z"), val_of_u64(4));
    val_set(&m, val_of_i64(-1), val_of_u64(3));
    val_set(&m, val_of_u64(100), val_of_u64(2));
    val_set(&m, val_of_u64(10), val_of_u64(1));
    check_written(m,
                  "a66261610"
                  "5f406617a042003186402"
                  "0a01",
                  "a60a01186402"
                  "2003617a04626161"
                  "05f406");
    struct val inner = VAL_MAP_OF({"b", val_of_u64(1)}, {"a", val_of_u64(2)});
    check_written(VAL_ARRAY_OF(inner), "81a2616201616102", "81a2616102616201");
}

TEST(a_state_survives_in_slices_too) {
    struct val doc = statedoc_make(20, 2);
    struct buf whole, sliced;
    buf_init(&whole, 1 << 22);
    buf_init(&sliced, 1 << 22);
    struct err e = ERR_INIT;
    CHECK(cbor_write(&whole, &doc, &e));
    struct cbor_writer *w = cbor_write_open(&doc);
    unsigned turns = 0;
    while (cbor_write_run(w, &sliced, 100, &e) == STEP_MORE) turns++;
    CHECK(turns > 300 && slice_eq(buf_slice(&whole), buf_slice(&sliced)));
    cbor_write_free(w);
    cbor_write_free(NULL);
    struct val back = val_none;
    CHECK(cbor_parse(buf_slice(&whole), &limits, &back, &e) && val_equal(&doc, &back));
    /* The deterministic form does not depend on the order of keys; reading it gives an equal value. */
    buf_reset(&sliced);
    CHECK(cbor_write_sorted(&sliced, &doc, &e));
    val_unref(&back);
    CHECK(cbor_parse(buf_slice(&sliced), &limits, &back, &e) && val_equal(&doc, &back));
    buf_reset(&whole);
    CHECK(cbor_write_sorted(&whole, &back, &e) && slice_eq(buf_slice(&whole), buf_slice(&sliced)));
    val_unref(&back);
    val_unref(&doc);
    buf_release(&whole);
    buf_release(&sliced);
    cbor_free(NULL);
}

TEST(what_cannot_be_written_leaves_nothing) {
    struct buf b;
    buf_init(&b, 5);
    struct err e = ERR_INIT;
    CHECK(!cbor_write(&b, &val_none, &e) && e.code == ERR_SERIALIZE);
    CHECK(!cbor_write_sorted(&b, &val_none, &e));
    struct val v = VAL_ARRAY_OF(val_of_str("abcdef"));
    CHECK(!cbor_write(&b, &v, &e) && e.code == ERR_LIMIT && b.len == 0);
    CHECK(!cbor_write_sorted(&b, &v, &e) && e.code == ERR_LIMIT && b.len == 0);
    val_unref(&v);
    v = VAL_MAP_OF({"abcdef", VAL_MAP_OF({"abcdef", val_null()})});
    CHECK(!cbor_write(&b, &v, &e) && !cbor_write_sorted(&b, &v, &e) && buf_ok(&b));
    val_unref(&v);
    buf_release(&b);
}

static bool read_and_write(void *arg) {
    struct slice bytes = *(struct slice *)arg;
    struct err e = ERR_INIT;
    struct cbor *c = cbor_new(&limits);
    bool good = c != NULL;
    enum step step = STEP_MORE;
    while (good && bytes.len && step == STEP_MORE) {
        struct slice piece = slice_head(bytes, 7);
        struct fed fed = cbor_feed(c, piece, &e);
        step = fed.step;
        good = step != STEP_BAD;
        bytes = slice_skip(bytes, fed.used);
    }
    CHECK(good || !c || e.code == ERR_NOMEM);
    struct val v = good ? cbor_take(c) : val_none;
    cbor_free(c);
    struct buf b;
    buf_init(&b, 1 << 20);
    if (good) {
        good = cbor_write(&b, &v, &e) && cbor_write_sorted(&b, &v, &e);
        CHECK(good || e.code == ERR_NOMEM);
    }
    struct cbor_writer *w = good ? cbor_write_open(&v) : NULL;
    if (good) {
        step = STEP_BAD;
        while (w && (step = cbor_write_run(w, &b, 50, &e)) == STEP_MORE) {
        }
        good = step == STEP_END;
    }
    cbor_write_free(w);
    buf_release(&b);
    val_unref(&v);
    return good;
}

TEST(every_failed_allocation_is_an_error_of_that_call) {
    struct val doc = VAL_ARRAY_OF(statedoc_make(1, 3), val_of_bytes(LIT("some bytes that are more than fourteen"))),
               deep = val_empty_array();
    for (int i = 0; i < 30; i++) {
        struct val outer = VAL_ARRAY_OF(deep);
        deep = outer;
    }
    CHECK(val_push(&doc, deep));
    struct buf b;
    buf_init(&b, 1 << 20);
    CHECK(cbor_write(&b, &doc, NULL));
    b.ptr[0]++; /* one element more: an indefinite string in two pieces */
    buf_add(&b, LIT("\x7f\x6f"
                    "123456789012345\x61"
                    "6\xff"));
    struct slice bytes = buf_slice(&b);
    faults_sweep(read_and_write, &bytes, "reading and writing a state");
    buf_release(&b);
    val_unref(&doc);
}

/* What may be left out, as texts: the keys of a map, each with a sign: '-' left out, '0' null, '>' goes on with the next text. */
static const void *step_signs(const void *arg, const void *where, const struct val *key) {
    const char *const *texts = arg, *signs = where;
    unsigned next = signs == texts[0] ? 1 : 2;
    struct slice name = val_as_text(key);
    if (name.len != 1) return NULL;
    const char *at = strchr(signs, name.ptr[0]);
    if (!at) return NULL;
    return at[1] == '-' ? cbor_leave_out : at[1] == '0' ? cbor_write_null : texts[next];
}

static void write_part(struct buf *out, const struct val *v, const char *const *texts, const void *where, size_t budget,
                       unsigned *turns) {
    struct cbor_writer *w = cbor_write_open_part(v, step_signs, texts, where);
    struct err e = ERR_INIT;
    enum step step;
    for (*turns = 1; (step = cbor_write_run(w, out, budget, &e)) == STEP_MORE; ++*turns) {
    }
    CHECK(step == STEP_END);
    cbor_write_free(w);
}

static void check_part(struct val v, const char *first, const char *second, const char *want) {
    const char *texts[] = {first, second, "x-"};
    struct buf b, hex;
    unsigned turns;
    buf_init(&hex, 2000);
    for (size_t budget = 1; budget < 80; budget++) {
        buf_init(&b, 1000);
        write_part(&b, &v, texts, first, budget, &turns);
        buf_reset(&hex);
        CHECK(hex_add(&hex, buf_slice(&b)));
        CHECK_TEXT(buf_slice(&hex), slice_str(want));
        buf_release(&b);
    }
    buf_release(&hex);
    val_unref(&v);
}

TEST(parts_are_left_out_at_every_budget) {
    /* {_ "b": 2} */
    check_part(VAL_MAP_OF({"a", val_of_u64(1)}, {"b", val_of_u64(2)}), "a-", "", "bf616202ff");
    /* Everything, nothing, and what is not there. */
    check_part(VAL_MAP_OF({"a", val_of_u64(1)}, {"b", val_of_u64(2)}), "a-b-", "", "bfff");
    check_part(VAL_MAP_OF({"a", val_of_u64(1)}), "z-", "", "bf616101ff");
    /* null in its place: {_ "a": null, "b": 2} */
    check_part(VAL_MAP_OF({"a", VAL_ARRAY_OF(val_of_u64(1))}, {"b", val_of_u64(2)}), "a0", "", "bf6161f6616202ff");
    /* Only below "a" anything is left out; "b" has definite length and is not asked: {_ "a": {_ "y": 1}, "b": {"x": 1}} */
    check_part(VAL_MAP_OF({"a", VAL_MAP_OF({"x", val_of_u64(1)}, {"y", val_of_u64(1)})},
                          {"b", VAL_MAP_OF({"x", val_of_u64(1)})}),
               "a>", "x-", "bf6161bf617901ff6162a1617801ff");
    /* Nothing is left out of what stands in an array: {_ "a": [{"x": 1}]} */
    check_part(VAL_MAP_OF({"a", VAL_ARRAY_OF(VAL_MAP_OF({"x", val_of_u64(1)}))}), "a>", "x-", "bf616181a1617801ff");
    /* Empty maps and scalars where something might have been. */
    check_part(VAL_MAP_OF({"a", val_empty_map()}), "a>", "x-", "bf6161a0ff");
    check_part(VAL_MAP_OF({"a", val_of_u64(7)}), "a>", "x-", "bf616107ff");
    check_part(val_empty_map(), "a-", "", "a0");
    check_part(VAL_ARRAY_OF(VAL_MAP_OF({"a", val_null()})), "a-", "", "81a16161f6");
    /* Three levels; the third is left by its own text: {_ "a": {_ "b": {_ "y": 2}}} */
    check_part(VAL_MAP_OF({"a", VAL_MAP_OF({"b", VAL_MAP_OF({"x", val_of_u64(1)}, {"y", val_of_u64(2)})})}), "a>", "b>",
               "bf6161bf6162bf617902ffffff");
}

TEST(leaving_out_nothing_is_writing_as_ever) {
    struct val doc = statedoc_make(5, 2);
    struct buf whole, part;
    unsigned turns;
    buf_init(&whole, 1 << 22);
    buf_init(&part, 1 << 22);
    CHECK(cbor_write(&whole, &doc, NULL));
    uint64_t before = mem_stats().calls;
    struct cbor_writer *plain = cbor_write_open(&doc);
    while (cbor_write_run(plain, &part, 1000, NULL) == STEP_MORE) {
    }
    cbor_write_free(plain);
    uint64_t cost = mem_stats().calls - before;
    buf_reset(&part);
    before = mem_stats().calls;
    write_part(&part, &doc, NULL, NULL, 1000, &turns);
    CHECK(slice_eq(buf_slice(&whole), buf_slice(&part)));
    CHECK(mem_stats().calls - before <= cost);
    buf_release(&whole);
    buf_release(&part);
    val_unref(&doc);
}

TEST(what_is_left_out_costs_its_turns_too) {
    struct val left = val_empty_map();
    for (char c = 'b'; c <= 'z'; c++) CHECK(val_set_str(&left, (char[]){c, 0}, val_null()));
    const char *texts[] = {"b-c-d-e-f-g-h-i-j-k-l-m-n-o-p-q-r-s-t-u-v-w-x-y-z-", "", ""};
    struct buf b;
    unsigned turns;
    buf_init(&b, 100);
    write_part(&b, &left, texts, texts[0], 8, &turns);
    CHECK_TEXT(buf_slice(&b), LIT("\xbf\xff"));
    CHECK(turns >= 25 && turns <= 30); /* 25 entries, none of them written */
    buf_release(&b);
    val_unref(&left);
}

TEST(deep_parts_are_left_out_on_the_way_back_too) {
    struct val v = val_of_u64(1), want = val_of_u64(1), back = val_none;
    for (int i = 0; i < 70; i++) { /* more than the frames at first, twice over */
        struct val outer = VAL_MAP_OF({"a", v}, {"z", val_null()}), plain = VAL_MAP_OF({"a", want});
        v = outer;
        want = plain;
    }
    const char *texts[] = {"a>z-", "a>z-", "a>z-"};
    struct buf b;
    unsigned turns;
    buf_init(&b, 1000);
    write_part(&b, &v, texts, texts[0], 7, &turns);
    CHECK(cbor_parse(buf_slice(&b), &limits, &back, NULL) && val_equal(&back, &want));
    buf_release(&b);
    val_unref(&back);
    val_unref(&want);
    val_unref(&v);
}

static bool write_in_parts(void *arg) {
    static const char *const texts[] = {"a>z-", "a>", "a>"};
    struct buf b;
    struct err e = ERR_INIT;
    buf_init(&b, 1 << 16);
    struct cbor_writer *w = cbor_write_open_part(arg, step_signs, texts, texts[0]);
    enum step step = w ? STEP_MORE : STEP_BAD;
    while (step == STEP_MORE) step = cbor_write_run(w, &b, 20, &e);
    CHECK(!w || step == STEP_END || e.code == ERR_NOMEM);
    cbor_write_free(w);
    buf_release(&b);
    return step == STEP_END;
}

TEST(writing_parts_survives_every_failed_allocation) {
    struct val v = val_of_u64(1);
    for (int i = 0; i < 70; i++) { /* more than the frames at first, twice over */
        struct val outer = VAL_MAP_OF({"a", v}, {"z", val_null()});
        v = outer;
    }
    faults_sweep(write_in_parts, &v, "writing parts");
    const char *texts[] = {"a>z-", "a>", "a>"};
    struct buf b;
    struct err e = ERR_INIT;
    for (size_t room = 0; room < 12; room++) { /* no room, also for an end */
        buf_init(&b, room);
        struct val small = VAL_MAP_OF({"a", VAL_MAP_OF({"b", val_null()})});
        struct cbor_writer *w = cbor_write_open_part(&small, step_signs, texts, texts[0]);
        enum step step = cbor_write_run(w, &b, SIZE_MAX, &e);
        CHECK(room < 9 ? step == STEP_BAD && e.code == ERR_LIMIT : step == STEP_END);
        cbor_write_free(w);
        buf_release(&b);
        val_unref(&small);
    }
    val_unref(&v);
}

TAP_MAIN(T(every_item_is_read_or_refused_with_its_place_in_any_cut), T(limits_are_held_and_named),
         T(a_document_is_exactly_one_item), T(heads_and_floats_are_the_shortest),
         T(the_deterministic_form_sorts_keys_by_their_bytes), T(a_state_survives_in_slices_too),
         T(what_cannot_be_written_leaves_nothing), T(every_failed_allocation_is_an_error_of_that_call),
         T(parts_are_left_out_at_every_budget), T(leaving_out_nothing_is_writing_as_ever),
         T(what_is_left_out_costs_its_turns_too), T(deep_parts_are_left_out_on_the_way_back_too),
         T(writing_parts_survives_every_failed_allocation))
