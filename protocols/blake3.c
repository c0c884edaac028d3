/* blake3.c - see blake3.h: modes, chunks, and the tree above them.
 *
 * A chunk is hashed as soon as a byte behind it is known, for the last one may be the root. Whole subtrees wait on a stack, one for
 * each bit of the number of chunks; the last chunk joins them from the smallest to the largest. */
#include "protocols/blake3.h"

#include "protocols/blake3_room.h"

#define BATCH 128 /* chunks hashed in one go, and their parents: enough that most levels fill the widest vectors */

static void init(struct blake3 *b, const uint32_t key[8], unsigned flags) {
    memset(b, 0, sizeof *b);
    b->lanes = blake3_lanes();
    b->flags = flags;
    memcpy(b->key, key, sizeof b->key);
}

/* With bytes as the key. */
static void init_key(struct blake3 *b, const uint8_t key[BLAKE3_KEY], unsigned flags) {
    uint32_t words[8] = {0};
    for (size_t i = 0; i < BLAKE3_KEY; i++) words[i / 4] |= (uint32_t)key[i] << 8 * (i % 4);
    init(b, words, flags);
    explicit_bzero(words, sizeof words);
}

void blake3_init(struct blake3 *b) {
    init(b, blake3_iv, 0);
}

void blake3_init_keyed(struct blake3 *b, const uint8_t key[BLAKE3_KEY]) {
    init_key(b, key, BLAKE3_KEYED);
}

void blake3_init_derive(struct blake3 *b, struct slice context) {
    uint8_t key[BLAKE3_KEY];
    init(b, blake3_iv, BLAKE3_CONTEXT);
    blake3_add(b, context);
    blake3_end(b, key, sizeof key);
    init_key(b, key, BLAKE3_MATERIAL);
    explicit_bzero(key, sizeof key);
}

void blake3_wipe(struct blake3 *b) {
    explicit_bzero(b, sizeof *b);
}

/* --- the tree --- */

static void put_words(uint8_t *out, const uint32_t *words, size_t len) {
    for (size_t i = 0; i < len; i++) out[i] = (uint8_t)(words[i / 4] >> 8 * (i % 4));
}

/* n subtrees of the same height, a power of two, become one: in cv[0]. */
static void join(const struct blake3 *b, uint8_t (*cv)[BLAKE3_SUM], size_t n) {
    const struct blake3_work work = {.key = b->key, .blocks = 1, .flags = b->flags | BLAKE3_PARENT};
    const uint8_t *pairs[BATCH / 2];
    for (size_t i = 0; i < n / 2; i++) pairs[i] = cv[2 * i];
    while (n > 1) blake3_many(b->lanes, &work, pairs, n /= 2, cv);
}

/* A subtree of so many chunks is whole. */
static void push(struct blake3 *b, const uint8_t cv[BLAKE3_SUM], size_t chunks) {
    memcpy(b->stack[b->depth++], cv, BLAKE3_SUM);
    b->chunks += chunks;
    for (; b->depth > (unsigned)__builtin_popcountll(b->chunks); b->depth--) join(b, b->stack + b->depth - 2, 2);
}

static void hash_chunks(struct blake3 *b, const uint8_t *const *in, size_t n) {
    const struct blake3_work work = {.key = b->key,
                                     .blocks = BLAKE3_BLOCKS,
                                     .flags = b->flags,
                                     .first = BLAKE3_START,
                                     .last = BLAKE3_END,
                                     .counts = true,
                                     .counter = b->chunks};
    uint8_t cvs[BATCH][BLAKE3_SUM];
    blake3_many(b->lanes, &work, in, n, cvs);
    for (size_t at = 0, size; at < n; at += size) { /* the largest subtrees that begin where they may */
        for (size = 1; 2 * size <= n - at && b->chunks % (2 * size) == 0;) size *= 2;
        join(b, cvs + at, size);
        push(b, cvs[at], size);
    }
}

void blake3_add(struct blake3 *b, struct slice bytes) {
    const uint8_t *in[BATCH];
    while (bytes.len) {
        size_t n = 0, take = BLAKE3_CHUNK - b->have;
        if (take > bytes.len) take = bytes.len;
        if (b->have || take == bytes.len) {
            memcpy(b->chunk + b->have, bytes.ptr, take);
            b->have += take;
            bytes = slice_skip(bytes, take);
            if (!bytes.len) return;
            in[n++] = b->chunk;
        }
        for (; n < BATCH && bytes.len > BLAKE3_CHUNK; bytes = slice_skip(bytes, BLAKE3_CHUNK)) in[n++] = bytes.ptr;
        b->have = 0;
        hash_chunks(b, in, n);
    }
}

/* --- the root --- */

/* The last chunk, up to its last block. */
static void open_last(const struct blake3 *b, struct blake3_block *block) {
    size_t at = 0;
    uint32_t out[16];
    *block = (struct blake3_block){.counter = b->chunks, .len = BLAKE3_BLOCK, .flags = b->flags | BLAKE3_START};
    memcpy(block->cv, b->key, sizeof block->cv);
    for (; b->have - at > BLAKE3_BLOCK; at += BLAKE3_BLOCK) {
        memcpy(block->bytes, b->chunk + at, BLAKE3_BLOCK);
        blake3_compress(block, out);
        memcpy(block->cv, out, sizeof block->cv);
        block->flags = b->flags;
    }
    block->len = (unsigned)(b->have - at);
    block->flags |= BLAKE3_END;
    memset(block->bytes, 0, sizeof block->bytes);
    memcpy(block->bytes, b->chunk + at, block->len);
}

void blake3_end(const struct blake3 *b, uint8_t *out, size_t len) {
    struct blake3_block block;
    uint32_t words[16];
    open_last(b, &block);
    for (size_t i = b->depth; i--;) {
        blake3_compress(&block, words);
        memcpy(block.bytes, b->stack[i], BLAKE3_SUM);
        put_words(block.bytes + BLAKE3_SUM, words, BLAKE3_SUM);
        memcpy(block.cv, b->key, sizeof block.cv);
        block.counter = 0;
        block.len = BLAKE3_BLOCK;
        block.flags = b->flags | BLAKE3_PARENT;
    }
    block.flags |= BLAKE3_ROOT;
    for (block.counter = 0; len; block.counter++) {
        size_t n = len < sizeof words ? len : sizeof words;
        blake3_compress(&block, words);
        put_words(out, words, n);
        out += n;
        len -= n;
    }
    explicit_bzero(&block, sizeof block);
    explicit_bzero(words, sizeof words);
}

void blake3_sum(struct slice bytes, uint8_t out[BLAKE3_SUM]) {
    struct blake3 b;
    blake3_init(&b);
    blake3_add(&b, bytes);
    blake3_end(&b, out, BLAKE3_SUM);
}
