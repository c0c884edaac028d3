/* blake3_width.h - blake3_many for one width. blake3_many.c includes it once for each, having defined
 *
 *   LANES            inputs at once: word i of a vector belongs to input i
 *   NAME(word)       makes names of this width
 *   TARGET           attributes of its functions: what the processor must have
 *   ZIP_LOW, _HIGH   indices that take the first (last) halves of two vectors in turn
 *   ROR16, ROR12, ROR8, ROR7
 *
 * and takes them back afterwards. */
#ifdef LANES

typedef uint32_t NAME(vec) __attribute__((vector_size(4 * LANES)));

/* LANES rows of as many words: each becomes a column. */
static inline TARGET void NAME(turn)(NAME(vec) * row) {
    NAME(vec) was[LANES];
    UNROLL
    for (int step = 1; step < LANES; step *= 2) {
        UNROLL
        for (int i = 0; i < LANES; i++) was[i] = row[i];
        UNROLL
        for (int i = 0; i < LANES / 2; i++) {
            row[2 * i] = __builtin_shufflevector(was[i], was[i + LANES / 2], ZIP_LOW);
            row[2 * i + 1] = __builtin_shufflevector(was[i], was[i + LANES / 2], ZIP_HIGH);
        }
    }
}

/* Word k of each input's block at `at`, for k from 0 to 15. */
static inline TARGET void NAME(load)(NAME(vec) m[16], const uint8_t *const in[LANES], size_t at) {
    UNROLL
    for (int part = 0; part < 16; part += LANES) {
        UNROLL
        for (int i = 0; i < LANES; i++) memcpy(&m[part + i], in[i] + at + 4 * (size_t)part, sizeof m[0]);
        NAME(turn)(m + part);
    }
}

/* At most LANES inputs; where there are fewer, lanes do the first one's work again and it is dropped. */
static TARGET void NAME(hash)(const struct blake3_work *work, const uint8_t *const *in, size_t n,
                              uint8_t (*out)[BLAKE3_SUM]) {
    const NAME(vec) zero = {0};
    const uint8_t *lane[LANES];
    uint32_t words[8][LANES];
    NAME(vec) cv[8], low, high;
    for (size_t i = 0; i < LANES; i++) {
        uint64_t counter = work->counts ? work->counter + i : 0;
        lane[i] = in[i < n ? i : 0];
        words[0][i] = (uint32_t)counter;
        words[1][i] = (uint32_t)(counter >> 32);
    }
    memcpy(&low, words[0], sizeof low);
    memcpy(&high, words[1], sizeof high);
    for (size_t i = 0; i < 8; i++) cv[i] = zero + work->key[i];
    for (size_t b = 0; b < work->blocks; b++) {
        NAME(vec) m[16];
        unsigned flags = work->flags | (b == 0 ? work->first : 0) | (b + 1 == work->blocks ? work->last : 0);
        NAME(load)(m, lane, b * BLAKE3_BLOCK);
        NAME(vec)
        v[16] = {cv[0],
                 cv[1],
                 cv[2],
                 cv[3],
                 cv[4],
                 cv[5],
                 cv[6],
                 cv[7],
                 zero + blake3_iv[0],
                 zero + blake3_iv[1],
                 zero + blake3_iv[2],
                 zero + blake3_iv[3],
                 low,
                 high,
                 zero + BLAKE3_BLOCK,
                 zero + flags};
        BLAKE3_ROUNDS;
        UNROLL
        for (int i = 0; i < 8; i++) cv[i] = v[i] ^ v[i + 8];
    }
    for (size_t k = 0; k < 8; k++) memcpy(words[k], &cv[k], sizeof cv[k]);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < 8; k++) memcpy(out[i] + 4 * k, &words[k][i], 4);
}

#undef LANES
#undef NAME
#undef TARGET
#undef ZIP_LOW
#undef ZIP_HIGH
#undef ROR16
#undef ROR12
#undef ROR8
#undef ROR7

#endif
