/* record.c - heads of segments and records against bytes that were worked out from docs/state.md with other tools. */
#include "state/record.h"

#include "base/hex.h"
#include "lib/tap.h"

static struct slice from_hex(struct buf *b, const char *hex) {
    buf_init(b, 4096);
    CHECK(hex_read(b, slice_str(hex), NULL));
    return buf_slice(b);
}

/* Python: struct.pack and zlib.crc32. */
#define SEGMENT "53424a524e4c310a0000000000000007000000000000100000000000000003910123456789abcdef00000002f63b22d6"
#define PATCH   "534272010100000000000018f580b0130351596f0b497c8c0000000000000392000000000000039186f041c2"
#define MARK    "534272020100000000000000000000000351596f0b497c8c00000000000003920000000000000392740137fe"

static const struct segment_head segment = {
    .store = 0x0123456789abcdef, .serial = 7, .size = 4096, .base = 0x391, .version = 2};
static const uint8_t payload[] = "\x81\xa3\x62op\x63"
                                 "add\x64path\x62/a\x65value\x01";

TEST(a_segment_head_has_the_documented_bytes) {
    struct buf want;
    uint8_t out[RECORD_BLOCK];
    struct slice head = from_hex(&want, SEGMENT);
    memset(out, 0xaa, sizeof out);
    segment_head_write(out, &segment);
    CHECK_TEXT(slice_of(out, head.len), head);
    for (size_t i = head.len; i < RECORD_BLOCK; i++) CHECK_INT(out[i], 0);
    struct segment_head h = {0};
    CHECK(segment_head_read(tap_guarded(slice_of(out, sizeof out)).ptr, &h));
    CHECK(h.store == segment.store && h.serial == 7 && h.size == 4096 && h.base == 0x391 && h.version == 2);
    buf_release(&want);
}

TEST(a_record_head_has_the_documented_bytes) {
    struct buf want;
    uint8_t out[RECORD_HEAD];
    struct record r = {.kind = RECORD_PATCH, .last = true, .mark = record_mark(segment.store, 7), .revision = 0x392};
    r.horizon = 0x391;
    r.len = sizeof payload - 1;
    r.sum = record_sum(slice_of(payload, sizeof payload - 1));
    record_write(out, &r);
    CHECK_TEXT(slice_of(out, sizeof out), from_hex(&want, PATCH));
    buf_release(&want);
    struct record again = {0};
    CHECK(record_read(tap_guarded(slice_of(out, sizeof out)).ptr, &again));
    CHECK(again.kind == RECORD_PATCH && again.last && again.len == 24 && again.sum == 0xf580b013);
    CHECK(again.mark == 0x0351596f0b497c8c && again.revision == 0x392 && again.horizon == 0x391);
    r = (struct record){.kind = RECORD_MARK, .last = true, .mark = r.mark, .revision = 0x392, .horizon = 0x392};
    r.sum = record_sum(slice_of("", 0));
    record_write(out, &r);
    CHECK_TEXT(slice_of(out, sizeof out), from_hex(&want, MARK));
    CHECK(record_read(out, &again) && again.kind == RECORD_MARK && again.len == 0);
    buf_release(&want);
}

TEST(the_flag_of_the_last_record_goes_both_ways) {
    uint8_t out[RECORD_HEAD];
    for (int last = 0; last < 2; last++) {
        const struct record r = {.kind = RECORD_PATCH, .last = last, .revision = 3};
        struct record again = {.last = !last};
        record_write(out, &r);
        CHECK_INT(out[4], last);
        CHECK(record_read(out, &again) && again.last == last);
    }
}

/* Python, from the formula in docs/state.md. */
TEST(a_mark_is_the_documented_mix) {
    CHECK(record_mark(0x0123456789abcdef, 7) == 0x0351596f0b497c8c);
    CHECK(record_mark(0x0123456789abcdef, 8) == UINT64_C(0x962383e4e662e8fd));
    CHECK(record_mark(0, 1) == 0x71cac37448049ce4);
    CHECK(record_mark(1, 0) == UINT64_C(0xd9bf17d113f38956));
}

TEST(any_flipped_bit_of_a_head_is_seen) {
    struct buf b;
    struct record r;
    struct segment_head h;
    struct slice record = from_hex(&b, PATCH);
    uint8_t copy[RECORD_BLOCK];
    for (size_t bit = 0; bit < record.len * 8; bit++) {
        memcpy(copy, record.ptr, record.len);
        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
        CHECK(!record_read(copy, &r));
    }
    buf_release(&b);
    for (size_t bit = 0; bit < 48 * 8; bit++) {
        segment_head_write(copy, &segment);
        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
        CHECK(!segment_head_read(copy, &h));
    }
}

/* The checksum is right: somebody wrote it so. */
static bool reads_with(size_t at, uint8_t byte) {
    struct record r = {.kind = RECORD_PATCH, .revision = 3};
    uint8_t out[RECORD_HEAD];
    record_write(out, &r);
    out[at] = byte;
    uint32_t sum = record_sum(slice_of(out, 40));
    for (int i = 0; i < 4; i++) out[40 + i] = (uint8_t)(sum >> (24 - 8 * i));
    return record_read(out, &r);
}

TEST(what_this_version_does_not_know_is_no_record) {
    CHECK(reads_with(4, 1));
    CHECK(!reads_with(3, 0));
    CHECK(!reads_with(3, 3));
    CHECK(!reads_with(4, 2));
    for (size_t i = 5; i < 8; i++) CHECK(!reads_with(i, 1));
    CHECK(reads_with(24, 0x3f));
    CHECK(!reads_with(24, 0x41)); /* a revision above 2^62 */
    CHECK(!reads_with(32, 0x41));
    const struct record mark = {.kind = RECORD_MARK, .len = 1, .revision = 3};
    struct record r;
    uint8_t out[RECORD_HEAD];
    record_write(out, &mark);
    CHECK(!record_read(out, &r)); /* a mark has no payload */
    uint8_t block[RECORD_BLOCK];
    struct segment_head h = segment;
    h.base = RECORD_MOST;
    segment_head_write(block, &h);
    CHECK(segment_head_read(block, &h));
    h.base = RECORD_MOST + 1;
    segment_head_write(block, &h);
    CHECK(!segment_head_read(block, &h));
}

TEST(names_go_both_ways_and_have_one_form) {
    char name[STATE_NAME];
    uint64_t n = 5;
    segment_name(name, 7);
    CHECK_TEXT(slice_str(name), LIT("journal-0000000000000007"));
    CHECK(segment_name_read(slice_str(name), &n) && n == 7);
    CHECK(!snapshot_name_read(slice_str(name), &n));
    snapshot_name(name, 0x391);
    CHECK_TEXT(slice_str(name), LIT("snapshot-0000000000000391"));
    CHECK(snapshot_name_read(slice_str(name), &n) && n == 0x391);
    CHECK(!segment_name_read(slice_str(name), &n));
    segment_name(name, RECORD_MOST);
    CHECK_TEXT(slice_str(name), LIT("journal-4000000000000000"));
    CHECK(segment_name_read(slice_str(name), &n) && n == RECORD_MOST);
    static const char *const bad[] = {"",
                                      "journal-",
                                      "journal-7",
                                      "journal-000000000000007",
                                      "journal-00000000000000007",
                                      "journal-000000000000000A",
                                      "journal-000000000000000g",
                                      "journal-0000000000000007.new",
                                      "Journal-0000000000000007",
                                      "journal-4000000000000001",
                                      "journal-ffffffffffffffff",
                                      "journal- 000000000000007"};
    n = 5;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) CHECK(!segment_name_read(slice_str(bad[i]), &n));
    CHECK(n == 5);
}

TAP_MAIN(T(a_segment_head_has_the_documented_bytes), T(a_record_head_has_the_documented_bytes),
         T(the_flag_of_the_last_record_goes_both_ways), T(a_mark_is_the_documented_mix),
         T(any_flipped_bit_of_a_head_is_seen), T(what_this_version_does_not_know_is_no_record),
         T(names_go_both_ways_and_have_one_form))
