/* bytes.c - slices, buffers, cursors, arenas, numbers, hex and base64, clock and randomness. */
#include "base/arena.h"
#include "base/ascii.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/cur.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/rng.h"
#include "lib/faults.h"
#include "lib/tap.h"

#include <float.h>
#include <math.h>

TEST(slices_are_cut_compared_and_trimmed) {
    struct slice s = LIT("a,b,,c");
    CHECK_TEXT(slice_cut(&s, ','), LIT("a"));
    CHECK_TEXT(slice_cut(&s, ','), LIT("b"));
    CHECK_TEXT(slice_cut(&s, ','), LIT(""));
    CHECK_TEXT(slice_cut(&s, ','), LIT("c"));
    CHECK_INT(s.len, 0);
    CHECK_TEXT(slice_trim(LIT(" \t x y\t ")), LIT("x y"));
    CHECK_TEXT(slice_trim(LIT(" \t")), LIT(""));
    CHECK_TEXT(slice_head(LIT("abc"), 9), LIT("abc"));
    CHECK_TEXT(slice_skip(LIT("abc"), 9), LIT(""));
    CHECK_TEXT(slice_skip(LIT("abc"), 1), LIT("bc"));
    CHECK(slice_eq_nocase(LIT("Content-Length"), LIT("cONTENT-lENGTH")));
    CHECK(!slice_eq_nocase(LIT("a"), LIT("ab")));
    CHECK(!slice_eq_nocase(LIT("[a"), LIT("{a")));
    CHECK(slice_starts(LIT("abc"), LIT("ab")) && !slice_starts(LIT("a"), LIT("ab")));
    CHECK(slice_ends(LIT("abc"), LIT("bc")) && !slice_ends(LIT("c"), LIT("bc")));
    CHECK_INT(slice_cmp(LIT("a"), LIT("ab")), -1);
    CHECK_INT(slice_cmp(LIT("b"), LIT("ab")), 1);
    CHECK_INT(slice_cmp(LIT("ab"), LIT("ab")), 0);
    CHECK_INT(slice_cmp(LIT("ab"), LIT("a")), 1);
    CHECK_INT(slice_cmp(slice_of("\xff", 1), slice_of("a", 1)), 1);
    CHECK_INT(slice_find(slice_of(NULL, 0), 'x'), 0);
}

TEST(characters_are_ascii_whatever_the_locale) {
    unsigned letters = 0, digits = 0, hex = 0, print = 0;
    for (unsigned c = 0; c < 256; c++) {
        letters += ascii_is_alpha((uint8_t)c);
        digits += ascii_is_digit((uint8_t)c);
        hex += ascii_hex((uint8_t)c) >= 0;
        print += ascii_is_print((uint8_t)c);
        CHECK_INT(ascii_is_alnum((uint8_t)c), ascii_is_alpha((uint8_t)c) || ascii_is_digit((uint8_t)c));
    }
    CHECK_INT(letters, 52);
    CHECK_INT(digits, 10);
    CHECK_INT(hex, 22);
    CHECK_INT(print, 95);
}

TEST(a_buffer_stops_at_its_maximum_and_remembers) {
    struct buf b;
    buf_init(&b, 10);
    CHECK(buf_add(&b, LIT("12345")));
    CHECK(buf_byte(&b, '6'));
    CHECK(!buf_add(&b, LIT("78901")));
    CHECK_INT(b.fault, BUF_OVER);
    CHECK(!buf_byte(&b, 'x')); /* sticky, though it would fit */
    CHECK_TEXT(buf_slice(&b), LIT("123456"));
    buf_rewind(&b, 2);
    CHECK(buf_ok(&b));
    CHECK(buf_add(&b, LIT("abcdefgh")));
    CHECK_TEXT(buf_slice(&b), LIT("12abcdefgh"));
    buf_drop(&b, 3);
    CHECK_TEXT(buf_slice(&b), LIT("bcdefgh"));
    buf_drop(&b, 0);
    buf_reset(&b);
    CHECK(buf_room(&b, 11) == NULL);
    CHECK(buf_room(&b, 1) == NULL);
    buf_release(&b);
    CHECK(buf_room(&b, 0) != NULL);
    buf_release(&b);
}

TEST(a_buffer_writes_numbers_and_formats) {
    struct buf b;
    buf_init(&b, 2000);
    buf_u64(&b, UINT64_MAX);
    buf_byte(&b, ' ');
    buf_i64(&b, INT64_MIN);
    buf_byte(&b, ' ');
    buf_i64(&b, 7);
    buf_printf(&b, " %s-%d", "x", 5);
    CHECK_TEXT(buf_slice(&b), LIT("18446744073709551615 -9223372036854775808 7 x-5"));
    buf_reset(&b);
    buf_be16(&b, 0x0102);
    buf_be32(&b, 0x03040506);
    buf_be64(&b, UINT64_C(0x0708090a0b0c0d0e));
    CHECK_TEXT(buf_slice(&b), slice_of("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e", 14));
    buf_reset(&b);
    CHECK(buf_printf(&b, "%0*d", 700, 1)); /* longer than the road for short texts */
    CHECK_INT(b.len, 700);
    CHECK(!buf_printf(&b, "%0*d", 1500, 1));
    CHECK(!buf_printf(&b, "x"));
    CHECK(!buf_be16(&b, 1));
    size_t len, cap;
    buf_rewind(&b, 3);
    uint8_t *p = buf_take(&b, &len, &cap);
    CHECK_INT(len, 3);
    CHECK(b.ptr == NULL && b.len == 0);
    mem_put(p, cap);
}

static bool fill_buffer(void *arg) {
    (void)arg;
    struct buf b;
    buf_init(&b, 1 << 20);
    for (int i = 0; i < 1000; i++) buf_printf(&b, "line %d\n", i);
    buf_printf(&b, "%0*d", 500, 1);
    bool good = buf_ok(&b);
    CHECK(good || b.fault == BUF_NOMEM);
    buf_release(&b);
    return good;
}

static bool fill_arena(void *arg) {
    (void)arg;
    struct arena a;
    arena_init(&a, 1 << 20);
    bool good = true;
    for (size_t i = 1; i < 300; i++)
        good = arena_copy(&a, LIT("some text for the arena")).ptr && arena_get(&a, i) && good;
    arena_release(&a);
    return good;
}

TEST(a_failed_allocation_is_an_error_of_that_call) {
    faults_sweep(fill_buffer, NULL, "buffer");
    faults_sweep(fill_arena, NULL, "arena");
}

TEST(a_cursor_never_leaves_its_bytes) {
    struct slice s = tap_guarded(slice_of("\x01\x02\x03\x04\x05\x06\x07\x08\x09", 9));
    struct cur c = cur_of(s);
    CHECK_INT(cur_u8(&c), 1);
    CHECK_INT(cur_be16(&c), 0x0203);
    CHECK_INT(cur_be32(&c), 0x04050607);
    CHECK_INT(cur_pos(&c), 7);
    CHECK_INT(cur_left(&c), 2);
    struct cur sub = cur_sub(&c, 1);
    CHECK_INT(cur_u8(&sub), 8);
    CHECK(cur_done(&sub));
    CHECK_INT(cur_u8(&sub), 0);
    CHECK(sub.bad && !c.bad);
    CHECK_INT(cur_be16(&c), 0); /* one byte short */
    CHECK(c.bad && !cur_done(&c));
    CHECK_INT(cur_u8(&c), 0); /* sticky, though a byte was there */
    CHECK_INT(cur_rest(&c).len, 0);
    sub = cur_sub(&c, 0);
    CHECK(sub.bad);
    c = cur_of(s);
    CHECK(cur_be64(&c) == UINT64_C(0x0102030405060708));
    CHECK_TEXT(cur_rest(&c), slice_of("\x09", 1));
    CHECK(cur_done(&c));
    c = cur_of(s);
    sub = cur_sub(&c, 10);
    CHECK(sub.bad && c.bad);
}

TEST(an_arena_gives_aligned_blocks_up_to_its_maximum) {
    struct arena a;
    arena_init(&a, 8192);
    for (size_t i = 0; i < 20; i++) {
        uint8_t *p = arena_get(&a, i);
        if (!CHECK(p && (uintptr_t)p % sizeof(double) == 0)) break;
        memset(p, 1, i);
    }
    CHECK(arena_get(&a, 9000) == NULL);
    CHECK(arena_get(&a, SIZE_MAX) == NULL);
    CHECK(arena_get(&a, 4000) != NULL);
    CHECK(a.held <= 8192);
    arena_reset(&a);
    CHECK(a.held <= 8192);
    CHECK_TEXT(arena_copy(&a, LIT("kept")), LIT("kept"));
    CHECK(arena_copy(&a, LIT("")).ptr != NULL);
    CHECK(arena_copy(&a, slice_of(&a, 100000)).ptr == NULL);
    arena_release(&a);
    arena_reset(&a);
    arena_release(&a);
}

TEST(numbers_are_read_strictly) {
    static const struct {
        const char *text;
        bool good;
        uint64_t value;
    } cases[] = {{"0", true, 0},
                 {"007", true, 7},
                 {"18446744073709551615", true, UINT64_MAX},
                 {"18446744073709551616", false, 0},
                 {"99999999999999999999", false, 0},
                 {"", false, 0},
                 {"+1", false, 0},
                 {"-1", false, 0},
                 {" 1", false, 0},
                 {"1 ", false, 0},
                 {"1x", false, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t n = 0;
        if (!CHECK(num_read_u64(slice_str(cases[i].text), 0, UINT64_MAX, &n) == cases[i].good))
            tap_note("%s", cases[i].text);
        CHECK(!cases[i].good || n == cases[i].value);
    }
    uint64_t n = 1;
    CHECK(!num_read_u64(LIT("5"), 6, 9, &n) && !num_read_u64(LIT("10"), 6, 9, &n) && n == 1);
    CHECK(num_read_hex(LIT("fFFf"), 0xffff, &n) && n == 0xffff);
    CHECK(!num_read_hex(LIT("10000"), 0xffff, &n));
    CHECK(!num_read_hex(LIT(""), 0xffff, &n));
    CHECK(!num_read_hex(LIT("0x1"), 0xffff, &n));
    CHECK(!num_read_hex(LIT("12345678123456781"), UINT64_MAX, &n));
}

static bool double_round_trips(double d) {
    uint8_t text[NUM_DOUBLE_MAX];
    double back = 0;
    struct slice s = slice_of(text, num_write_double(text, d));
    return s.len <= NUM_DOUBLE_MAX && num_read_double(s, &back) && memcmp(&back, &d, sizeof d) == 0;
}

TEST(doubles_print_short_and_read_back_the_same) {
    static const struct {
        double d;
        const char *text;
    } cases[] = {{0.0, "0.0"},       {-0.0, "-0.0"},
                 {1.0, "1.0"},       {0.1, "0.1"},
                 {1e22, "1e22"},     {1e21, "1e21"},
                 {-1.5, "-1.5"},     {1e-7, "1e-7"},
                 {5e-324, "5e-324"}, {123456.75, "123456.75"},
                 {1e5, "100000.0"},  {0.3, "0.3"},
                 {2.5e-5, "2.5e-5"}, {1.7976931348623157e308, "1.7976931348623157e308"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t text[NUM_DOUBLE_MAX];
        CHECK_TEXT(slice_of(text, num_write_double(text, cases[i].d)), slice_str(cases[i].text));
    }
    rng_use_seed(7);
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = rng_u64();
        double d;
        memcpy(&d, &bits, sizeof d);
        if (isfinite(d) && !CHECK(double_round_trips(d))) break;
        d = (double)(int64_t)rng_below(2000000000) / 1000.0 - 1e6;
        if (!CHECK(double_round_trips(d))) break;
    }
    rng_use_seed(0);
    CHECK(double_round_trips(DBL_MIN) && double_round_trips(DBL_MAX) && double_round_trips(DBL_EPSILON));
}

TEST(doubles_are_read_by_the_grammar_of_json) {
    static const struct {
        const char *text;
        double want;
    } good[] = {{"0", 0},
                {"-0", -0.0},
                {"10", 10},
                {"0.5", 0.5},
                {"1e3", 1000},
                {"1E+3", 1000},
                {"1e-3", .001},
                {"1.25e2", 125},
                {"123456789012345678901234567890", 123456789012345678901234567890.0},
                {"0.000000000000000000000000000000000000000001", 1e-42},
                {"9007199254740993", 9007199254740992.0},
                {"1e-400", 0},
                {"0e999999999", 0},
                {"179769313486231570000000000000000000000e270", 1.7976931348623157e308}};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        double d = 99;
        if (!CHECK(num_read_double(slice_str(good[i].text), &d) && d == good[i].want))
            tap_note("%s gave %g", good[i].text, d);
    }
    static const char *const bad[] = {"",     "-",    "+1", "01", "-01", "1.",  ".5",    "1e",  "1e+",
                                      "1.e3", "0x10", "1 ", " 1", "inf", "nan", "1e5.5", "--1", "1-"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        double d = 0;
        if (!CHECK(!num_read_double(slice_str(bad[i]), &d) && d == 0)) tap_note("%s", bad[i]);
    }
    double d = 0;
    CHECK(!num_read_double(LIT("1e400"), &d) && isinf(d));
    CHECK(!num_read_double(LIT("-1e400"), &d) && isinf(d) && d < 0);
    char longest[400];
    memset(longest, '7', sizeof longest);
    longest[1] = '.';
    CHECK(num_read_double(slice_of(longest, sizeof longest), &d) && d > 7.7 && d < 7.8);
}

TEST(every_half_float_survives) {
    for (unsigned h = 0; h < 65536; h++) {
        double d = num_from_half((uint16_t)h);
        uint16_t back = 0;
        if (isnan(d)) continue;
        if (!CHECK(num_to_half(d, &back) && back == h)) break;
    }
    uint16_t half;
    uint32_t single;
    CHECK(!num_to_half(65536.0, &half) && !num_to_half(1e-9, &half) && !num_to_half(0.1, &half));
    CHECK(!num_to_half(2049.0 / 2048.0, &half));
    CHECK(num_to_single(0.5, &single) && single == 0x3f000000u);
    CHECK(!num_to_single(0.1, &single));
}

TEST(hex_and_base64_go_both_ways) {
    static const struct {
        const char *plain, *std, *url;
    } cases[] = {{"", "", ""},
                 {"f", "Zg==", "Zg"},
                 {"fo", "Zm8=", "Zm8"},
                 {"foo", "Zm9v", "Zm9v"},
                 {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
                 {"\xff\xfe\xfd", "//79", "__79"}};
    struct buf b;
    buf_init(&b, 100);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct slice plain = slice_str(cases[i].plain);
        buf_reset(&b);
        CHECK(base64_add(&b, BASE64_STD, plain));
        CHECK_TEXT(buf_slice(&b), slice_str(cases[i].std));
        buf_reset(&b);
        CHECK(base64_add(&b, BASE64_URL, plain));
        CHECK_TEXT(buf_slice(&b), slice_str(cases[i].url));
        buf_reset(&b);
        CHECK(base64_read(&b, BASE64_STD, slice_str(cases[i].std)));
        CHECK_TEXT(buf_slice(&b), plain);
        buf_reset(&b);
        CHECK(base64_read(&b, BASE64_URL, slice_str(cases[i].url)));
        CHECK_TEXT(buf_slice(&b), plain);
    }
    static const char *const bad[] = {"Zg", "Zg=", "Z===", "Zh==", "Zm9=", "Zm 9", "Zm-_", "====", "Zg==Zg=="};
    buf_reset(&b);
    buf_byte(&b, 'x');
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (!CHECK(!base64_read(&b, BASE64_STD, slice_str(bad[i])))) tap_note("%s", bad[i]);
    CHECK(!base64_read(&b, BASE64_URL, LIT("Zg==")));
    CHECK(!base64_read(&b, BASE64_URL, LIT("Z")));
    CHECK_TEXT(buf_slice(&b), LIT("x"));
    size_t at = 0;
    CHECK(!hex_read(&b, LIT("00x0"), &at) && at == 2);
    CHECK(!hex_read(&b, LIT("000"), &at) && at == 3);
    CHECK(!hex_read(&b, LIT("0g"), &at) && at == 1);
    CHECK(hex_read(&b, LIT("00fFaB"), NULL));
    CHECK_TEXT(buf_slice(&b), slice_of("x\x00\xff\xab", 4));
    struct slice all = buf_slice(&b);
    struct buf text;
    buf_init(&text, 7);
    CHECK(!hex_add(&text, all));
    buf_release(&text);
    buf_init(&text, 8);
    CHECK(hex_add(&text, all));
    CHECK_TEXT(buf_slice(&text), LIT("7800ffab"));
    CHECK(!base64_add(&text, BASE64_STD, LIT("abc")));
    CHECK(!hex_read(&text, LIT("00"), NULL));
    buf_release(&text);
    buf_release(&b);
}

static int64_t fixed(void *arg) {
    return *(int64_t *)arg;
}

TEST(base32_is_that_of_rfc_4648_without_padding) {
    static const char *const plain[] = {"", "f", "fo", "foo", "foob", "fooba", "foobar"};
    static const char *const coded[] = {"", "MY", "MZXQ", "MZXW6", "MZXW6YQ", "MZXW6YTB", "MZXW6YTBOI"};
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        char out[BASE32_LEN(6)];
        struct slice s = slice_str(plain[i]);
        size_t n = base32_put(out, BASE32_UPPER, s);
        CHECK_INT(n, BASE32_LEN(s.len));
        CHECK_TEXT(slice_of(out, n), slice_str(coded[i]));
        n = base32_put(out, BASE32_LOWER, s);
        CHECK(slice_eq_nocase(slice_of(out, n), slice_str(coded[i])) && (!n || (out[0] >= 'a' && out[0] <= 'z')));
    }
}

TEST(clock_and_randomness_can_be_turned) {
    int64_t now = 5000123;
    struct clock_source source = {fixed, fixed, &now};
    CHECK(clock_mono_ms() > 0 && clock_wall_ms() > 1600000000000);
    clock_use(&source);
    CHECK_INT(clock_mono_us(), 5000123);
    CHECK_INT(clock_mono_ms(), 5000);
    CHECK_INT(clock_wall_ms(), 5000);
    clock_use(NULL);
    uint8_t a[13], b[13];
    rng_use_seed(1);
    rng_bytes(a, sizeof a);
    rng_use_seed(1);
    rng_bytes(b, sizeof b);
    CHECK(memcmp(a, b, sizeof a) == 0);
    rng_use_seed(0);
    rng_bytes(a, sizeof a);
    CHECK(memcmp(a, b, sizeof a) != 0);
    unsigned seen[7] = {0};
    for (int i = 0; i < 2000; i++) seen[rng_below(7)]++;
    for (int i = 0; i < 7; i++) CHECK(seen[i] > 100);
}

TAP_MAIN(T(slices_are_cut_compared_and_trimmed), T(characters_are_ascii_whatever_the_locale),
         T(a_buffer_stops_at_its_maximum_and_remembers), T(a_buffer_writes_numbers_and_formats),
         T(a_failed_allocation_is_an_error_of_that_call), T(a_cursor_never_leaves_its_bytes),
         T(an_arena_gives_aligned_blocks_up_to_its_maximum), T(numbers_are_read_strictly),
         T(doubles_print_short_and_read_back_the_same), T(doubles_are_read_by_the_grammar_of_json),
         T(every_half_float_survives), T(hex_and_base64_go_both_ways), T(base32_is_that_of_rfc_4648_without_padding),
         T(clock_and_randomness_can_be_turned))
