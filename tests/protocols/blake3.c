/* blake3.c - BLAKE3 against its public vectors and against a second implementation, written from the description for one byte after
 * the other and without a thought for speed; every width against the plain road. */
#include "protocols/blake3.h"

#include "base/hex.h"
#include "lib/cuts.h"
#include "lib/tap.h"
#include "protocols/json.h"

#include <stdio.h>
#include <stdlib.h>

/* --- the second implementation --- */

struct slow {
    uint32_t key[8], flags;
};

static uint32_t turn(uint32_t x, int n) {
    return x >> n | x << (32 - n);
}
static void mix(uint32_t *v, int a, int b, int c, int d, uint32_t x, uint32_t y) {
    v[a] = v[a] + v[b] + x;
    v[d] = turn(v[d] ^ v[a], 16);
    v[c] = v[c] + v[d];
    v[b] = turn(v[b] ^ v[c], 12);
    v[a] = v[a] + v[b] + y;
    v[d] = turn(v[d] ^ v[a], 8);
    v[c] = v[c] + v[d];
    v[b] = turn(v[b] ^ v[c], 7);
}

static const uint32_t start[8] = {0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A,
                                  0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19};

/* 64 bytes out: words in the order in which the root gives them. */
static void slow_block(const uint32_t cv[8], const uint8_t bytes[64], uint64_t counter, uint32_t len, uint32_t flags,
                       uint8_t out[64]) {
    static const int order[16] = {2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8};
    uint32_t m[16], v[16], next[16];
    for (int i = 0; i < 16; i++)
        m[i] = bytes[4 * i] + bytes[4 * i + 1] * 256u + bytes[4 * i + 2] * 65536u + bytes[4 * i + 3] * 16777216u;
    for (int i = 0; i < 8; i++) v[i] = cv[i];
    for (int i = 0; i < 4; i++) v[8 + i] = start[i];
    v[12] = (uint32_t)counter;
    v[13] = (uint32_t)(counter >> 32);
    v[14] = len;
    v[15] = flags;
    for (int round = 0; round < 7; round++) {
        for (int i = 0; i < 4; i++) mix(v, i, 4 + i, 8 + i, 12 + i, m[2 * i], m[2 * i + 1]);
        for (int i = 0; i < 4; i++)
            mix(v, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4, m[8 + 2 * i], m[9 + 2 * i]);
        for (int i = 0; i < 16; i++) next[i] = m[order[i]];
        memcpy(m, next, sizeof m);
    }
    for (int i = 0; i < 64; i++) {
        uint32_t word = i < 32 ? v[i / 4] ^ v[i / 4 + 8] : v[i / 4] ^ cv[i / 4 - 8];
        out[i] = (uint8_t)(word >> 8 * (i % 4));
    }
}

static void words_of(const uint8_t bytes[32], uint32_t words[8]) {
    memset(words, 0, 32);
    for (int i = 0; i < 32; i++) words[i / 4] += (uint32_t)bytes[i] << 8 * (i % 4);
}

/* The node over these bytes, the first of which is in that chunk: its chaining value, or as the root `len` bytes out. */
static void slow_node(const struct slow *s, struct slice in, uint64_t chunk, bool root, uint8_t *out, size_t len) {
    uint8_t block[64] = {0}, all[64];
    uint32_t cv[8], flags, block_len = 64;
    memcpy(cv, s->key, sizeof cv);
    if (in.len <= 1024) {
        flags = s->flags | 1;
        while (in.len > 64) {
            slow_block(cv, in.ptr, chunk, 64, flags, all);
            words_of(all, cv);
            flags = s->flags;
            in = slice_skip(in, 64);
        }
        if (in.len) memcpy(block, in.ptr, in.len);
        block_len = (uint32_t)in.len;
        flags |= 2;
    } else {
        size_t left = 1024; /* as many whole chunks as a power of two has, with something on the right */
        while (2 * left < in.len) left *= 2;
        slow_node(s, slice_head(in, left), chunk, false, block, 32);
        slow_node(s, slice_skip(in, left), chunk + left / 1024, false, block + 32, 32);
        flags = s->flags | 4;
        chunk = 0;
    }
    if (!root) {
        slow_block(cv, block, chunk, block_len, flags, all);
        memcpy(out, all, len);
        return;
    }
    for (size_t at = 0; at < len; at += 64) {
        slow_block(cv, block, at / 64, block_len, flags | 8, all);
        memcpy(out + at, all, len - at < 64 ? len - at : 64);
    }
}

static struct slow slow_plain(void) {
    struct slow s = {.flags = 0};
    memcpy(s.key, start, sizeof s.key);
    return s;
}

/* --- the bytes --- */

#define MOST (400u * 1024)
static uint8_t *text; /* i mod 251, as in the vectors */

static void make_text(void) {
    if (text) return;
    text = malloc(MOST);
    if (!text) abort();
    for (size_t i = 0; i < MOST; i++) text[i] = (uint8_t)(i % 251);
}

/* Every width this processor has hashes them to what the slow one says. */
static bool all_widths(struct slice in) {
    static const unsigned widths[] = {1, 4, 8, 16};
    struct slow s = slow_plain();
    uint8_t want[32], got[32];
    struct blake3 b;
    bool good = true;
    slow_node(&s, in, 0, true, want, sizeof want);
    blake3_init(&b);
    const unsigned most = b.lanes;
    for (size_t i = 0; i < 4 && widths[i] <= most; i++) {
        blake3_init(&b);
        b.lanes = widths[i];
        blake3_add(&b, in);
        blake3_end(&b, got, sizeof got);
        if (!CHECK(!memcmp(got, want, sizeof want))) tap_note("%zu bytes, %u at once", in.len, widths[i]);
        good = good && !memcmp(got, want, sizeof want);
    }
    return good;
}

TEST(every_length_to_some_thousand_is_hashed_right_in_every_width) {
    struct blake3 b;
    make_text();
    blake3_init(&b);
    tap_note("up to %u at once", b.lanes);
    for (size_t len = 0; len <= 5 * 1024 + 2; len++)
        if (!all_widths(slice_of(text, len))) return;
}

TEST(every_number_of_chunks_is_hashed_right_in_every_width) {
    make_text();
    for (size_t chunks = 1; chunks <= 70; chunks++)
        for (size_t more = 0; more < 2; more++)
            if (!all_widths(slice_of(text + chunks % 5, 1024 * chunks + more))) return;
    static const size_t large[] = {126, 127, 128, 129, 130, 144, 192, 255, 256, 257, 300, 384, 385};
    for (size_t i = 0; i < sizeof large / sizeof *large; i++)
        for (size_t more = 0; more < 3; more++)
            if (!all_widths(slice_of(text + i, 1024 * large[i] + more - 1))) return;
}

TEST(no_byte_beyond_the_input_is_read) {
    make_text();
    for (size_t chunks = 0; chunks < 40; chunks++) all_widths(tap_guarded(slice_of(text, 1024 * chunks + chunks % 3)));
}

static void play(void *arg, struct cuts *cuts, struct buf *out) {
    struct blake3 b;
    uint8_t sum[32], again[32];
    (void)arg;
    blake3_init(&b);
    for (struct slice piece; cuts_next(cuts, &piece);) blake3_add(&b, piece);
    blake3_end(&b, sum, sizeof sum);
    blake3_end(&b, again, sizeof again); /* asking changes nothing */
    CHECK(!memcmp(sum, again, sizeof sum));
    hex_add(out, slice_of(sum, sizeof sum));
}

TEST(any_cut_gives_the_same) {
    static const size_t lens[] = {0, 1, 63, 64, 65, 1023, 1024, 1025, 2047, 2048, 2049, 5000, 16384, 30000};
    struct slow s = slow_plain();
    make_text();
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        uint8_t want[32];
        struct buf hex;
        buf_init(&hex, 64);
        slow_node(&s, slice_of(text, lens[i]), 0, true, want, sizeof want);
        hex_add(&hex, slice_of(want, sizeof want));
        cuts_check(play, NULL, slice_of(text, lens[i]), buf_slice(&hex), "cut");
        buf_release(&hex);
    }
}

TEST(large_pieces_of_any_size_give_the_same) {
    struct slow s = slow_plain();
    uint8_t want[32], got[32];
    uint64_t seed = 1;
    make_text();
    slow_node(&s, slice_of(text, MOST), 0, true, want, sizeof want);
    for (int round = 0; round < 60; round++) {
        struct slice in = slice_of(text, MOST);
        struct blake3 b;
        blake3_init(&b);
        while (in.len) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            size_t n = (size_t)(seed >> 33) % ((size_t)1 << (8 + seed % 11));
            if (seed >> 20 & 1) n &= ~(size_t)1023; /* whole chunks */
            blake3_add(&b, slice_head(in, n));
            in = slice_skip(in, n);
        }
        blake3_end(&b, got, sizeof got);
        CHECK(!memcmp(got, want, sizeof want));
    }
    blake3_sum(slice_of(text, MOST), got);
    CHECK(!memcmp(got, want, sizeof want));
}

TEST(adding_may_go_on_after_an_end) {
    struct slow s = slow_plain();
    struct blake3 b;
    uint8_t want[32], got[32];
    make_text();
    blake3_init(&b);
    for (size_t at = 0; at < 9000; at += 500) {
        blake3_end(&b, got, sizeof got);
        slow_node(&s, slice_of(text, at), 0, true, want, sizeof want);
        CHECK(!memcmp(got, want, sizeof want));
        blake3_add(&b, slice_of(text + at, 500));
    }
}

TEST(fewer_bytes_out_are_the_beginning_of_more) {
    static const size_t lens[] = {0, 10, 64, 1024, 1025, 7000};
    struct slow s = slow_plain();
    uint8_t want[1000], got[1001];
    make_text();
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        struct blake3 b;
        blake3_init(&b);
        blake3_add(&b, slice_of(text, lens[i]));
        slow_node(&s, slice_of(text, lens[i]), 0, true, want, sizeof want);
        for (size_t len = 0; len <= 1000; len += len < 200 ? 1 : 37) {
            memset(got, 0xa5, sizeof got);
            blake3_end(&b, got, len);
            CHECK(!memcmp(got, want, len) && got[len] == 0xa5);
        }
    }
}

TEST(the_number_of_a_chunk_has_64_bits) {
    /* Beyond 4 TiB; the stack before it is of no hash, but the same for each width. */
    static const unsigned widths[] = {1, 4, 8, 16};
    uint8_t want[32], got[32];
    make_text();
    struct blake3 b;
    blake3_init(&b);
    const unsigned most = b.lanes;
    for (size_t i = 0; i < 4 && widths[i] <= most; i++) {
        blake3_init(&b);
        b.lanes = widths[i];
        b.chunks = (UINT64_C(1) << 32) - 24; /* 28 bits of it are 1 */
        for (b.depth = 0; b.depth < 28; b.depth++) memset(b.stack[b.depth], (int)b.depth, BLAKE3_SUM);
        CHECK_INT(b.depth, __builtin_popcountll(b.chunks));
        blake3_add(&b, slice_of(text, 60 * 1024));
        CHECK(b.chunks == (UINT64_C(1) << 32) + 35 && b.depth == 4);
        blake3_end(&b, got, sizeof got);
        if (!i) memcpy(want, got, sizeof want);
        CHECK(!memcmp(got, want, sizeof want));
    }
    /* And the last chunk by the slow one: its number counts. */
    struct slow s = slow_plain();
    uint8_t block[64], all[64];
    slow_node(&s, slice_of(text + 59 * 1024, 1024), (UINT64_C(1) << 32) + 35, false, block + 32, 32);
    uint32_t cv[8];
    for (unsigned i = b.depth; i--;) {
        memcpy(block, b.stack[i], 32);
        memcpy(cv, s.key, sizeof cv);
        slow_block(cv, block, 0, 64, i ? 4 : 12, all);
        memcpy(block + 32, all, 32);
    }
    CHECK(!memcmp(all, got, 32));
}

/* --- the public vectors --- */

static bool same(const struct blake3 *fresh, struct slice in, const struct val *want) {
    struct blake3 b = *fresh;
    struct buf hex;
    uint8_t out[131];
    buf_init(&hex, 300);
    blake3_add(&b, in);
    blake3_end(&b, out, sizeof out);
    hex_add(&hex, slice_of(out, sizeof out));
    bool good = CHECK_TEXT(buf_slice(&hex), val_as_text(want));
    buf_release(&hex);
    return good;
}

TEST(all_modes_give_what_the_public_vectors_say) {
    const char *dir = getenv("STARTBOX_VECTORS");
    if (!dir) {
        tap_skip("STARTBOX_VECTORS is not set");
        return;
    }
    static const struct json_limits limits = {.bytes = 1 << 20, .depth = 16};
    char path[4096];
    snprintf(path, sizeof path, "%s/blake3.json", dir);
    struct slice file = tap_file(path);
    struct val all = val_none;
    CHECK(json_parse(file, &limits, &all, NULL));
    make_text();
    struct slice key = val_as_text(val_get(&all, LIT("key"))),
                 context = val_as_text(val_get(&all, LIT("context_string")));
    struct blake3 plain, keyed, derived;
    unsigned n = 0;
    if (CHECK_INT(key.len, BLAKE3_KEY)) {
        blake3_init(&plain);
        blake3_init_keyed(&keyed, key.ptr);
        blake3_init_derive(&derived, context);
        for (struct val_iter it = val_iter(val_get(&all, LIT("cases"))); val_next(&it); n++) {
            uint64_t len = MOST + 1;
            val_as_u64(val_get(it.value, LIT("input_len")), &len);
            if (!CHECK(len <= MOST)) break;
            struct slice in = slice_of(text, (size_t)len);
            bool good = same(&plain, in, val_get(it.value, LIT("hash")));
            good = same(&keyed, in, val_get(it.value, LIT("keyed_hash"))) && good;
            if (!same(&derived, in, val_get(it.value, LIT("derive_key"))) || !good) tap_note("%zu bytes", in.len);
        }
    }
    tap_note("%u lengths", n);
    CHECK(n == 35);
    val_unref(&all);
    tap_free(file);
}

TEST(the_slow_one_knows_the_hash_of_nothing) {
    /* As everybody has it: BLAKE3 of the empty text, the first of the public vectors. */
    struct slow s = slow_plain();
    uint8_t out[32];
    struct buf hex;
    buf_init(&hex, 64);
    slow_node(&s, slice_of("", 0), 0, true, out, sizeof out);
    hex_add(&hex, slice_of(out, sizeof out));
    CHECK_TEXT(buf_slice(&hex), LIT("af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"));
    buf_release(&hex);
}

TEST(a_wiped_hash_is_zeros) {
    static const struct blake3 none;
    struct blake3 b;
    uint8_t key[BLAKE3_KEY] = {1};
    blake3_init_keyed(&b, key);
    blake3_add(&b, LIT("secret"));
    blake3_wipe(&b);
    CHECK(!memcmp(&b, &none, sizeof b));
}

TAP_MAIN(T(the_slow_one_knows_the_hash_of_nothing), T(every_length_to_some_thousand_is_hashed_right_in_every_width),
         T(every_number_of_chunks_is_hashed_right_in_every_width), T(no_byte_beyond_the_input_is_read),
         T(any_cut_gives_the_same), T(large_pieces_of_any_size_give_the_same), T(adding_may_go_on_after_an_end),
         T(fewer_bytes_out_are_the_beginning_of_more), T(the_number_of_a_chunk_has_64_bits),
         T(all_modes_give_what_the_public_vectors_say), T(a_wiped_hash_is_zeros))
