/* blake3_many.c - BLAKE3's work: one block in plain C, and up to 16 inputs at once in vectors.
 *
 * The vectors are the compiler's (GCC's vector extensions): AVX-512, AVX2 or SSE2 on x86-64, chosen when the program runs, and NEON
 * on arm64. Debian's armhf promises no vectors; there, and wherever words are big-endian, the plain road is taken. */
#include "protocols/blake3_room.h"

const uint32_t blake3_iv[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                               0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

/* --- one block --- */

static uint32_t load(const uint8_t *p) {
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

#define ROR(x, n) ((x) >> (n) | (x) << (32 - (n)))
#define ROR16(x)  ROR(x, 16)
#define ROR12(x)  ROR(x, 12)
#define ROR8(x)   ROR(x, 8)
#define ROR7(x)   ROR(x, 7)
void blake3_compress(const struct blake3_block *block, uint32_t out[16]) {
    const uint32_t *cv = block->cv;
    uint32_t m[16], v[16] = {cv[0],
                             cv[1],
                             cv[2],
                             cv[3],
                             cv[4],
                             cv[5],
                             cv[6],
                             cv[7],
                             blake3_iv[0],
                             blake3_iv[1],
                             blake3_iv[2],
                             blake3_iv[3],
                             (uint32_t)block->counter,
                             (uint32_t)(block->counter >> 32),
                             block->len,
                             block->flags};
    for (size_t i = 0; i < 16; i++) m[i] = load(block->bytes + 4 * i);
    BLAKE3_ROUNDS;
    for (size_t i = 0; i < 8; i++) {
        out[i] = v[i] ^ v[i + 8];
        out[i + 8] = v[i + 8] ^ cv[i];
    }
}
#undef ROR16
#undef ROR12
#undef ROR8
#undef ROR7

static void hash_one(const struct blake3_work *work, const uint8_t *in, uint64_t number, uint8_t sum[BLAKE3_SUM]) {
    struct blake3_block block = {.counter = work->counts ? work->counter + number : 0, .len = BLAKE3_BLOCK};
    uint32_t out[16];
    memcpy(block.cv, work->key, sizeof block.cv);
    for (size_t b = 0; b < work->blocks; b++) {
        memcpy(block.bytes, in + b * BLAKE3_BLOCK, BLAKE3_BLOCK);
        block.flags = work->flags | (b == 0 ? work->first : 0) | (b + 1 == work->blocks ? work->last : 0);
        blake3_compress(&block, out);
        memcpy(block.cv, out, sizeof block.cv);
    }
    for (size_t i = 0; i < BLAKE3_SUM; i++) sum[i] = (uint8_t)(block.cv[i / 4] >> 8 * (i % 4));
}

/* --- many at once --- */

#ifdef __has_builtin
#if __has_builtin(__builtin_shufflevector) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ &&                             \
    (defined __SSE2__ || defined __ARM_NEON)
#define VECTORS
#endif
#endif

#ifdef VECTORS

#ifdef __clang__
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

#define LANES   4
#define NAME(x) x##_4
#define TARGET
#define ZIP_LOW  0, 4, 1, 5
#define ZIP_HIGH 2, 6, 3, 7
#define ROR16(x) ROR(x, 16)
#define ROR12(x) ROR(x, 12)
#define ROR8(x)  ROR(x, 8)
#define ROR7(x)  ROR(x, 7)
#include "protocols/blake3_width.h"

#ifdef __x86_64__

/* AVX2 turns no words, but moves bytes about. */
typedef uint8_t bytes_8 __attribute__((vector_size(32)));
#define EACH_WORD(a, b, c, d)                                                                                          \
    a, b, c, d, 4 + a, 4 + b, 4 + c, 4 + d, 8 + a, 8 + b, 8 + c, 8 + d, 12 + a, 12 + b, 12 + c, 12 + d, 16 + a,        \
        16 + b, 16 + c, 16 + d, 20 + a, 20 + b, 20 + c, 20 + d, 24 + a, 24 + b, 24 + c, 24 + d, 28 + a, 28 + b,        \
        28 + c, 28 + d
#define MOVE_BYTES(x, ...) ((vec_8)__builtin_shufflevector((bytes_8)(x), (bytes_8)(x), EACH_WORD(__VA_ARGS__)))

#define LANES    8
#define NAME(x)  x##_8
#define TARGET   __attribute__((target("avx2")))
#define ZIP_LOW  0, 8, 1, 9, 2, 10, 3, 11
#define ZIP_HIGH 4, 12, 5, 13, 6, 14, 7, 15
#define ROR16(x) MOVE_BYTES(x, 2, 3, 0, 1)
#define ROR12(x) ROR(x, 12)
#define ROR8(x)  MOVE_BYTES(x, 1, 2, 3, 0)
#define ROR7(x)  ROR(x, 7)
#include "protocols/blake3_width.h"

#define LANES    16
#define NAME(x)  x##_16
#define TARGET   __attribute__((target("avx512f")))
#define ZIP_LOW  0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define ZIP_HIGH 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#define ROR16(x) ROR(x, 16)
#define ROR12(x) ROR(x, 12)
#define ROR8(x)  ROR(x, 8)
#define ROR7(x)  ROR(x, 7)
#include "protocols/blake3_width.h"

#endif
#endif

unsigned blake3_lanes(void) {
#if defined VECTORS && defined __x86_64__
    return __builtin_cpu_supports("avx512f") ? 16 : __builtin_cpu_supports("avx2") ? 8 : 4;
#elif defined VECTORS
    return 4;
#else
    return 1;
#endif
}

/* The narrowest width that takes all, or the widest there is. Below two inputs the plain road is faster. */
static size_t hash_some(unsigned lanes, const struct blake3_work *work, const uint8_t *const *in, size_t n,
                        uint8_t (*out)[BLAKE3_SUM]) {
    unsigned width = n == 1 ? 1 : lanes;
    while (width > 4 && n <= width / 2) width /= 2;
    if (n > width) n = width;
    switch (width) {
#ifdef VECTORS
    case 4: hash_4(work, in, n, out); break;
#ifdef __x86_64__
    case 8: hash_8(work, in, n, out); break;
    case 16: hash_16(work, in, n, out); break;
#endif
#endif
    default:
        for (size_t i = 0; i < n; i++) hash_one(work, in[i], i, out[i]);
    }
    return n;
}

void blake3_many(unsigned lanes, const struct blake3_work *work, const uint8_t *const *in, size_t n,
                 uint8_t (*out)[BLAKE3_SUM]) {
    struct blake3_work rest = *work;
    while (n) {
        size_t did = hash_some(lanes, &rest, in, n, out);
        rest.counter += did;
        in += did;
        out += did;
        n -= did;
    }
}
