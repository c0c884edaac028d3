/* snapfile.c - the bytes of snapshots, both ways, in any cut. The golden ones were worked out from docs/state.md with Python. */
#include "state/snapfile.h"

#include "base/hex.h"
#include "base/mem.h"
#include "lib/cuts.h"
#include "lib/faults.h"
#include "lib/statedoc.h"
#include "lib/tap.h"
#include "protocols/cbor.h"
#include "protocols/json.h"

#include <zlib.h>

#define HEAD                                                                                                           \
    "5342534e4150310a0000007292c178291353c634a86573746f72651b0123456789abcdef687265766973696f6e190391667365"           \
    "7269616c076776657273696f6e02677772697474656e1b0000018bcfe56800646e616d6566737461727464677072697661746581"         \
    "682f7072697661746566736563726574816d2f707269766174652f6b657973"
#define PIECE "000000042781ccaea1616101"
#define END   "0000000000000000000000047cb80276"

#define MOST (1u << 24)

static struct snapfile_about make_about(void) {
    return (struct snapfile_about){.store = 0x0123456789abcdef,
                                   .revision = 0x391,
                                   .serial = 7,
                                   .version = 2,
                                   .written_ms = 1700000000000,
                                   .name = val_of_str("startd"),
                                   .priv = VAL_ARRAY_OF(val_of_str("/private")),
                                   .secret = VAL_ARRAY_OF(val_of_str("/private/keys"))};
}

static void add_hex(struct buf *b, const char *hex) {
    CHECK(hex_read(b, slice_str(hex), NULL));
}

static void make_golden(struct buf *b) {
    buf_init(b, MOST);
    add_hex(b, HEAD PIECE END);
}

TEST(writing_gives_the_documented_bytes) {
    struct buf out, want;
    struct snapfile_about a = make_about();
    struct err e = ERR_INIT;
    make_golden(&want);
    buf_init(&out, MOST);
    CHECK(snapfile_write_head(&out, &a, &e));
    CHECK(snapfile_write_piece(&out, LIT("\xa1\x61\x61\x01")));
    CHECK(snapfile_write_end(&out, 4));
    CHECK_TEXT(buf_slice(&out), buf_slice(&want));
    buf_release(&out);
    buf_release(&want);
    snapfile_about_release(&a);
}

/* Everything that is read, as text. */
static void play(void *arg, struct cuts *cuts, struct buf *out) {
    struct snapfile *s = snapfile_new(arg ? *(uint64_t *)arg : MOST);
    struct err e = ERR_INIT;
    bool good = true;
    if (!s) return;
    for (struct slice piece; good && cuts_next(cuts, &piece);)
        while (good && piece.len) {
            struct fed fed = snapfile_feed(s, piece, &e);
            CHECK(fed.used <= piece.len);
            piece = slice_skip(piece, fed.used);
            if (fed.step == STEP_BAD) good = false;
            if (fed.step == STEP_MORE) CHECK(piece.len == 0 && fed.need > 0);
            if (fed.step == STEP_END) buf_add_str(out, "end ");
            if (fed.step != STEP_EVENT) continue;
            const struct snapfile_about *a = snapfile_about_of(s);
            buf_printf(out, "%llx %llu %llu %lu %lld ", (unsigned long long)a->store, (unsigned long long)a->revision,
                       (unsigned long long)a->serial, (unsigned long)a->version, (long long)a->written_ms);
            json_write(out, &a->name, JSON_COMPACT, NULL);
            json_write(out, &a->priv, JSON_COMPACT, NULL);
            json_write(out, &a->secret, JSON_COMPACT, NULL);
            buf_byte(out, ' ');
        }
    if (good) good = snapfile_eof(s, &e);
    struct val root = snapfile_take(s);
    if (good) {
        json_write(out, &root, JSON_DIAG, NULL);
        struct val again = snapfile_take(s);
        CHECK(val_is_none(&again));
    } else {
        CHECK(val_is_none(&root));
        buf_printf(out, "bad at %zu: %s", e.at, e.text);
        struct err again = ERR_INIT;
        if (snapfile_feed(s, LIT("x"), &again).step == STEP_BAD) CHECK(!snapfile_eof(s, &again));
    }
    val_unref(&root);
    snapfile_free(s);
}

#define ABOUT "123456789abcdef 913 7 2 1700000000000 \"startd\"[\"/private\"][\"/private/keys\"] "

TEST(reading_gives_what_was_written_in_any_cut) {
    struct buf b;
    make_golden(&b);
    cuts_check(play, NULL, buf_slice(&b), LIT(ABOUT "end {\"a\": 1}"), "golden");
    buf_release(&b);
}

static const struct {
    const char *hex, *want;
} bad[] = {
    {"", "bad at 0: the file ends in its middle"},
    {"5342534e41", "bad at 5: the file ends in its middle"},
    {HEAD, ABOUT "bad at 134: the file ends in its middle"},
    {HEAD PIECE, ABOUT "bad at 146: the file ends in its middle"},
    {HEAD PIECE "00000000", ABOUT "bad at 150: the file ends in its middle"},
    {HEAD PIECE END "00", ABOUT "end bad at 162: something follows behind the end of the snapshot"},
    {"4342534e4150310a0000007292c178291353c634", "bad at 0: it does not begin as a snapshot does"},
    {"5342534e4150310a0000007392c178291353c634", "bad at 0: the checksum of its head is wrong"},
    {HEAD "000000042781ccaea1616102", ABOUT "bad at 142: the checksum of a piece is wrong"},
    {HEAD "000000032781ccaea1616102", ABOUT "bad at 142: the checksum of a piece is wrong"},
    {HEAD "0000c0012781ccae", ABOUT "bad at 134: a piece that claims to be 49153 bytes long"},
    {HEAD PIECE "0000000000000000000000047cb80277", ABOUT "bad at 154: the checksum of its end is wrong"},
};

TEST(what_is_wrong_is_named_with_its_place) {
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct buf b;
        buf_init(&b, MOST);
        add_hex(&b, bad[i].hex);
        cuts_check(play, NULL, buf_slice(&b), slice_str(bad[i].want), bad[i].hex);
        buf_release(&b);
    }
}

/* Head of a snapshot around any description, with right checksums. */
static void add_head(struct buf *b, struct slice about) {
    size_t mark = buf_mark(b);
    buf_add(b, LIT("SBSNAP1\n"));
    buf_be32(b, (uint32_t)about.len);
    buf_be32(b, (uint32_t)crc32(0, about.ptr, (uInt)about.len));
    buf_be32(b, (uint32_t)crc32(0, b->ptr + mark, 16));
    buf_add(b, about);
}

static void check_about(const char *json, const char *want) {
    static const struct json_limits limits = {.bytes = 1 << 16, .depth = 10};
    struct buf b, about, got;
    struct val v = val_none;
    buf_init(&b, MOST);
    buf_init(&about, MOST);
    buf_init(&got, MOST);
    CHECK(json_parse(slice_str(json), &limits, &v, NULL) && cbor_write(&about, &v, NULL));
    add_head(&b, buf_slice(&about));
    cuts_agree(play, NULL, buf_slice(&b), &got, json);
    CHECK_TEXT(buf_slice(&got), slice_str(want));
    val_unref(&v);
    buf_release(&b);
    buf_release(&about);
    buf_release(&got);
}

#define REST "\"written\":0,\"name\":\"x\",\"private\":[],\"secret\":[]"

TEST(a_description_must_say_everything) {
    check_about("{\"store\":1,\"revision\":2,\"serial\":3,\"version\":4," REST ",\"later\":{}}",
                "1 2 3 4 0 \"x\"[][] bad at 95: the file ends in its middle");
    check_about("[]", "bad at 20: the description is no map");
    check_about("{\"store\":-1}", "bad at 20: the description has no number of the store");
    check_about("{\"store\":1,\"revision\":4611686018427387905}", "bad at 20: the description has no revision");
    check_about("{\"store\":1,\"revision\":1}", "bad at 20: the description has no serial of a segment");
    check_about("{\"store\":1,\"revision\":1,\"serial\":1,\"version\":4294967296}",
                "bad at 20: the description has no version");
    check_about("{\"store\":1,\"revision\":1,\"serial\":1,\"version\":1,\"written\":0.5}",
                "bad at 20: the description has no time");
    check_about("{\"store\":1,\"revision\":1,\"serial\":1,\"version\":1,\"written\":5,\"name\":5}",
                "bad at 20: the description has no name");
    check_about("{\"store\":1,\"revision\":1,\"serial\":1,\"version\":1,\"written\":5,\"name\":\"\",\"private\":[1]}",
                "bad at 20: the description has no patterns of what is private and secret");
    struct buf b;
    buf_init(&b, MOST);
    add_head(&b, LIT("\xa1\x61"));
    cuts_check(play, NULL, buf_slice(&b), LIT("bad at 20: the description: the bytes end in the middle of an item"),
               "cut description");
    buf_release(&b);
    buf_init(&b, MOST);
    buf_add(&b, LIT("SBSNAP1\n\x00\x04\x00\x01\x00\x00\x00\x00"));
    buf_be32(&b, (uint32_t)crc32(0, b.ptr, 16));
    struct buf got;
    buf_init(&got, MOST);
    cuts_agree(play, NULL, buf_slice(&b), &got, "long description");
    CHECK(slice_starts(buf_slice(&got), LIT("bad at 8: ")));
    buf_release(&got);
    buf_release(&b);
}

/* A body of our own pieces, then an end that says so many bytes. */
static void make_body(struct buf *b, const struct slice *pieces, size_t n, uint64_t total) {
    buf_init(b, MOST);
    add_hex(b, HEAD);
    for (size_t i = 0; i < n; i++) CHECK(snapfile_write_piece(b, pieces[i]));
    CHECK(snapfile_write_end(b, total));
}

TEST(the_tree_and_the_end_must_agree) {
    const struct slice two[] = {LIT_INIT("\x83\x01\x61"), LIT_INIT("x\x02")};
    const struct slice beyond[] = {LIT_INIT("\x01"), LIT_INIT("\x01")}, inside[] = {LIT_INIT("\x01\x02")};
    const struct slice cut[] = {LIT_INIT("\x82\x01")}, wrong[] = {LIT_INIT("\x82\x01"), LIT_INIT("\x02\xff")};
    struct buf b;
    make_body(&b, two, 2, 5);
    cuts_check(play, NULL, buf_slice(&b), LIT(ABOUT "end [1, \"x\", 2]"), "two pieces");
    buf_release(&b);
    make_body(&b, two, 2, 6);
    cuts_check(play, NULL, buf_slice(&b), LIT(ABOUT "bad at 163: pieces are missing: 5 bytes of 6 are there"), "count");
    buf_release(&b);
    make_body(&b, beyond, 2, 2);
    cuts_check(play, NULL, buf_slice(&b), LIT(ABOUT "bad at 151: something follows behind the tree"), "second item");
    buf_release(&b);
    make_body(&b, inside, 1, 2);
    cuts_check(play, NULL, buf_slice(&b), LIT(ABOUT "bad at 143: something follows behind the tree"), "second item");
    buf_release(&b);
    make_body(&b, cut, 1, 2);
    cuts_check(play, NULL, buf_slice(&b), LIT(ABOUT "bad at 152: the tree ends in its middle"), "cut tree");
    buf_release(&b);
    make_body(&b, NULL, 0, 0);
    cuts_check(play, NULL, buf_slice(&b), LIT(ABOUT "bad at 142: the tree ends in its middle"), "no tree");
    buf_release(&b);
    make_body(&b, wrong, 2, 4);
    cuts_check(play, NULL, buf_slice(&b), LIT(ABOUT "bad at 153: something follows behind the tree"), "behind");
    buf_release(&b);
    const struct slice tag[] = {LIT_INIT("\x82"), LIT_INIT("\x01\xc1")};
    make_body(&b, tag, 2, 3);
    struct buf got;
    buf_init(&got, MOST);
    cuts_agree(play, NULL, buf_slice(&b), &got, "tag");
    CHECK(slice_starts(buf_slice(&got), LIT(ABOUT "bad at 152: the tree: ")));
    buf_release(&got);
    buf_release(&b);
}

TEST(no_more_than_the_most_is_read) {
    const struct slice two[] = {LIT_INIT("\x83\x01\x61"), LIT_INIT("x\x02")};
    struct buf b, got;
    uint64_t most = 4;
    make_body(&b, two, 2, 5);
    buf_init(&got, MOST);
    cuts_agree(play, &most, buf_slice(&b), &got, "most");
    CHECK(slice_starts(buf_slice(&got), LIT(ABOUT "bad at 145: ")));
    buf_release(&b);
    buf_release(&got);
}

TEST(any_changed_byte_is_seen) {
    struct buf b;
    make_golden(&b);
    static const uint8_t how[] = {1, 0x80, 0xff};
    for (size_t i = 0; i < b.len * 3; i++) {
        b.ptr[i / 3] ^= how[i % 3];
        struct snapfile *s = snapfile_new(MOST);
        struct slice rest = buf_slice(&b);
        struct fed fed = {STEP_MORE, 0, 0};
        while (rest.len && fed.step != STEP_BAD) {
            fed = snapfile_feed(s, rest, NULL);
            rest = slice_skip(rest, fed.used);
        }
        CHECK(!snapfile_eof(s, NULL));
        snapfile_free(s);
        b.ptr[i / 3] ^= how[i % 3];
    }
    for (size_t n = 0; n < b.len; n++) {
        struct snapfile *s = snapfile_new(MOST);
        struct slice rest = slice_head(buf_slice(&b), n);
        while (rest.len) rest = slice_skip(rest, snapfile_feed(s, rest, NULL).used);
        CHECK(!snapfile_eof(s, NULL));
        snapfile_free(s);
    }
    buf_release(&b);
}

static bool write_tree(struct buf *out, const struct val *root, size_t piece, struct err *e) {
    struct snapfile_about a = make_about();
    struct buf body;
    buf_init(&body, MOST);
    bool good = snapfile_write_head(out, &a, e) && cbor_write(&body, root, e);
    for (struct slice rest = buf_slice(&body); good && rest.len; rest = slice_skip(rest, piece))
        good = snapfile_write_piece(out, slice_head(rest, piece)) || err_nomem(e, "a piece");
    if (good) good = snapfile_write_end(out, body.len) || err_nomem(e, "the end");
    buf_release(&body);
    snapfile_about_release(&a);
    return good;
}

TEST(a_big_tree_survives_in_pieces_of_any_size) {
    static const size_t sizes[] = {SNAPFILE_PIECE, 7001, 100};
    struct val root = statedoc_make(20, 3);
    for (size_t i = 0; i < 3; i++) {
        struct buf b;
        struct err e = ERR_INIT;
        buf_init(&b, MOST);
        CHECK(write_tree(&b, &root, sizes[i], &e));
        CHECK(b.len > 2 * SNAPFILE_PIECE);
        struct snapfile *s = snapfile_new(MOST);
        struct slice rest = buf_slice(&b);
        struct fed fed = {STEP_MORE, 0, 0};
        while (rest.len && fed.step != STEP_BAD && fed.step != STEP_END) {
            fed = snapfile_feed(s, slice_head(rest, 65536), &e);
            rest = slice_skip(rest, fed.used);
        }
        CHECK(fed.step == STEP_END && !rest.len && snapfile_eof(s, &e));
        struct val got = snapfile_take(s);
        CHECK(val_equal(&got, &root));
        val_unref(&got);
        snapfile_free(s);
        buf_release(&b);
    }
    val_unref(&root);
}

TEST(writers_refuse_what_would_not_read_back_and_leave_the_buffer) {
    static const uint8_t big[SNAPFILE_PIECE + 1];
    struct buf b;
    struct err e = ERR_INIT;
    buf_init(&b, 100);
    buf_byte(&b, 'x');
    CHECK(!snapfile_write_piece(&b, LIT("")));
    CHECK(!snapfile_write_piece(&b, slice_of(big, sizeof big)));
    CHECK(buf_ok(&b) && b.len == 1);
    struct snapfile_about a = make_about();
    CHECK(!snapfile_write_head(&b, &a, &e) && e.code == ERR_NOMEM && b.len == 1);
    CHECK(!snapfile_write_piece(&b, slice_of(big, 100)) && !buf_ok(&b) && b.len == 1);
    CHECK(!snapfile_write_end(&b, 0)); /* what did not fit must not go unseen */
    buf_release(&b);
    buf_init(&b, MOST);
    val_unref(&a.secret); /* whoever found no memory for the patterns must not write a snapshot without them */
    e = (struct err)ERR_INIT;
    CHECK(!snapfile_write_head(&b, &a, &e) && e.code == ERR_NOMEM && b.len == 0);
    a.secret = val_of_u64(5);
    CHECK(!snapfile_write_head(&b, &a, &e) && b.len == 0);
    CHECK(strstr(e.text, "no patterns") != NULL);
    snapfile_about_release(&a);
    buf_release(&b);
}

static bool round_trip(void *arg) {
    struct buf b;
    struct err e = ERR_INIT;
    bool good = false;
    buf_init(&b, MOST);
    if (!write_tree(&b, arg, 200, &e)) {
        CHECK(e.code == ERR_NOMEM);
        buf_release(&b);
        return false;
    }
    struct snapfile *s = snapfile_new(MOST);
    struct slice rest = buf_slice(&b);
    struct fed fed = {STEP_MORE, 0, 0};
    while (s && rest.len && fed.step != STEP_BAD) {
        fed = snapfile_feed(s, slice_head(rest, 150), &e);
        rest = slice_skip(rest, fed.used);
    }
    if (s && fed.step == STEP_BAD) CHECK(e.code == ERR_NOMEM); /* no word about the file */
    if (s && fed.step == STEP_END) {
        struct val got = snapfile_take(s);
        good = val_equal(&got, arg);
        val_unref(&got);
    }
    if (s) snapfile_free(s);
    buf_release(&b);
    return good;
}

TEST(without_memory_nothing_leaks_and_nothing_is_called_damage) {
    static const struct json_limits limits = {.bytes = 1 << 16, .depth = 10};
    struct val root = val_none;
    CHECK(
        json_parse(LIT("{\"a\":[1,2,3,{\"a long key of this map\":\"a long text in this map\"}],\"b\":{\"c\":\"d\"}}"),
                   &limits, &root, NULL));
    faults_sweep(round_trip, &root, "round trip");
    val_unref(&root);
}

TAP_MAIN(T(writing_gives_the_documented_bytes), T(reading_gives_what_was_written_in_any_cut),
         T(what_is_wrong_is_named_with_its_place), T(a_description_must_say_everything),
         T(the_tree_and_the_end_must_agree), T(no_more_than_the_most_is_read), T(any_changed_byte_is_seen),
         T(a_big_tree_survives_in_pieces_of_any_size), T(writers_refuse_what_would_not_read_back_and_leave_the_buffer),
         T(without_memory_nothing_leaks_and_nothing_is_called_damage))
