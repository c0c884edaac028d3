/* val_tree.c - see val_tree.h. */
#include "base/val_tree.h"

#include "base/rng.h"

/* --- hashing --- */

#define PRIME ((UINT64_C(1) << 61) - 1)

static uint64_t secret[3]; /* the point, and the two numbers of the last step; made at first use */

static uint64_t mul_mod(uint64_t a, uint64_t b) {
#ifdef __SIZEOF_INT128__
    unsigned __int128 m = (unsigned __int128)a * b;
    uint64_t low = (uint64_t)m & PRIME, high = (uint64_t)(m >> 61);
#else
    uint64_t al = (uint32_t)a, ah = a >> 32, bl = (uint32_t)b, bh = b >> 32;
    uint64_t ll = al * bl, mid = al * bh + (ll >> 32), mid2 = ah * bl + (uint32_t)mid;
    uint64_t lo = mid2 << 32 | (uint32_t)ll, hi = ah * bh + (mid >> 32) + (mid2 >> 32);
    uint64_t low = lo & PRIME, high = hi << 3 | lo >> 61;
#endif
    uint64_t sum = low + high;
    return sum >= PRIME ? sum - PRIME : sum;
}

static uint32_t hash_key(const struct val *key) {
    if (!secret[0])
        for (int i = 0; i < 3; i++) secret[i] = 1 + rng_below(PRIME - 1);
    uint64_t h = (uint64_t)key->kind << 8 | key->form;
    const uint8_t *p = key->in;
    size_t left = VAL_INLINE;
    if (val_counted(key)) {
        p = val_blob(key)->bytes;
        left = val_blob(key)->len;
        h = h << 32 | left;
    }
    while (left) { /* seven bytes a step stay below the prime */
        uint64_t piece = 0;
        size_t n = left < 7 ? left : 7;
        memcpy(&piece, p, n);
        h = mul_mod(h, secret[0]) + piece;
        if (h >= PRIME) h -= PRIME;
        p += n;
        left -= n;
    }
    h = mul_mod(h, secret[1]) + secret[2];
    if (h >= PRIME) h -= PRIME;
    return (uint32_t)(h >> 29);
}

static uint64_t index_item(uint32_t hash, uint64_t seq) {
    return (uint64_t)hash << 32 | seq;
}

/* Least significant byte first, on the hash only; the numbers below it are in order already. */
static bool sort_index(uint64_t *items, size_t n) {
    if (n < 200) {
        for (size_t i = 1; i < n; i++) {
            uint64_t x = items[i];
            size_t j = i;
            for (; j > 0 && items[j - 1] > x; j--) items[j] = items[j - 1];
            items[j] = x;
        }
        return true;
    }
    uint64_t *other = mem_get(n * sizeof *other);
    if (!other) return false;
    uint64_t *from = items, *to = other;
    for (unsigned shift = 32; shift < 64; shift += 8) {
        size_t start[257] = {0};
        for (size_t i = 0; i < n; i++) start[(from[i] >> shift & 255) + 1]++;
        for (size_t i = 0; i < 256; i++) start[i + 1] += start[i];
        for (size_t i = 0; i < n; i++) to[start[from[i] >> shift & 255]++] = from[i];
        uint64_t *swap = from;
        from = to;
        to = swap;
    }
    mem_put(other, n * sizeof *other); /* four passes: the result is back in items */
    return true;
}

/* --- arrays --- */

static struct val_tree *tree_new(void) {
    struct val_tree *t = mem_get_zero(sizeof *t);
    if (!t) return NULL;
    t->head = (struct val_node){.refs = 1, .type = VAL_NODE_TREE, .depth = 1};
    COST(nodes, 1);
    COST(bytes, sizeof *t);
    return t;
}

static void raise_depth(struct val_tree *t, const struct val *v) {
    unsigned d = val_depth(v) + 1;
    if (d > t->head.depth) t->head.depth = d & 0x1fff;
}

static void next_value(void *arg, void *item) {
    const struct val **at = arg;
    memcpy(item, (*at)++, sizeof **at);
}

struct val_tree *val_tree_from_array(const struct val *items, size_t n) {
    struct val_tree *t = tree_new();
    if (!t) return NULL;
    const struct val *at = items;
    if (!bt_build(&bt_array, &t->main, n, next_value, &at)) {
        mem_put(t, sizeof *t);
        return NULL;
    }
    t->count = n;
    for (size_t i = 0; i < n; i++) raise_depth(t, &items[i]);
    return t;
}

const struct val *val_tree_at(const struct val_tree *t, size_t index) {
    size_t run;
    return (const struct val *)(const void *)bt_find(&bt_array, &t->main, index, &run);
}

struct val *val_tree_edit_at(struct val_tree *t, size_t index) {
    struct bt_path p;
    if (!bt_open(&bt_array, &t->main, index, false, &p)) return NULL;
    return (struct val *)(void *)bt_opened(&bt_array, &p);
}

bool val_tree_insert(struct val_tree *t, size_t index, const struct val *value) {
    if (!bt_insert(&bt_array, &t->main, index, value)) return false;
    t->count++;
    raise_depth(t, value);
    return true;
}

bool val_tree_remove_at(struct val_tree *t, size_t index, struct val *out) {
    struct bt_path p;
    if (!bt_open(&bt_array, &t->main, index, false, &p)) return false;
    memcpy(out, bt_opened(&bt_array, &p), sizeof *out);
    bt_remove(&bt_array, &t->main, &p);
    t->count--;
    return true;
}

/* --- maps --- */

struct pair_feed {
    const struct val *at;
    uint64_t seq;
};

static void next_pair(void *arg, void *item) {
    struct pair_feed *f = arg;
    while (f->at->kind == VAL_NONE) { /* a key that was there before */
        f->at += 2;
        f->seq++;
    }
    struct map_item m = {f->at[0], f->at[1], f->seq++};
    memcpy(item, &m, sizeof m);
    f->at += 2;
}

static void next_index(void *arg, void *item) {
    const uint64_t **at = arg;
    memcpy(item, (*at)++, sizeof **at);
}

/* Finds keys that stand more than once among the sorted index items. The value of the last moves to the place of the
 * first; the later pair becomes VAL_NONE and its index item goes. Returns how many items are left, or SIZE_MAX. */
static size_t join_duplicates(struct val *pairs, uint64_t *index, size_t n, bool refuse) {
    size_t kept = 0, group = 0;
    for (size_t i = 0; i < n; i++) {
        if (kept == group || index[group] >> 32 != index[i] >> 32) group = kept;
        bool again = false;
        for (size_t j = group; j < kept && !again; j++) {
            struct val *first = &pairs[2 * (uint32_t)index[j]], *later = &pairs[2 * (uint32_t)index[i]];
            if (!val_key_eq(first, later)) continue;
            if (refuse) return SIZE_MAX;
            val_unref(&first[1]);
            first[1] = later[1];
            later[1] = val_none;
            val_unref(&later[0]);
            again = true;
        }
        if (!again) index[kept++] = index[i];
    }
    return kept;
}

struct val_tree *val_tree_from_pairs(struct val *pairs, size_t n, bool refuse, enum val_build_fault *fault) {
    *fault = VAL_BUILD_NOMEM;
    if (n >= UINT32_MAX) return NULL;
    size_t size = n * sizeof(uint64_t);
    uint64_t *index = mem_get(size);
    struct val_tree *t = tree_new();
    if (!index || !t) goto fail;
    for (size_t i = 0; i < n; i++) index[i] = index_item(hash_key(&pairs[2 * i]), i);
    if (!sort_index(index, n)) goto fail;
    size_t kept = join_duplicates(pairs, index, n, refuse);
    if (kept == SIZE_MAX) {
        *fault = VAL_BUILD_DUPLICATE;
        goto fail;
    }
    const uint64_t *at = index;
    if (!bt_build(&bt_index, &t->index, kept, next_index, &at)) goto fail;
    struct pair_feed feed = {pairs, 0};
    if (!bt_build(&bt_map, &t->main, kept, next_pair, &feed)) {
        bt_free_shells(t->index.root);
        goto fail;
    }
    t->count = kept;
    t->next_seq = n;
    for (size_t i = 0; i < n; i++) raise_depth(t, &pairs[2 * i + 1]);
    mem_put(index, size);
    return t;
fail:
    mem_put(index, index ? size : 0);
    mem_put(t, sizeof *t);
    return NULL;
}

static const struct map_item *find_seq(const struct val_tree *t, uint64_t seq) {
    size_t run;
    return (const struct map_item *)(const void *)bt_find(&bt_map, &t->main, seq, &run);
}

const struct map_item *val_tree_find(const struct val_tree *t, const struct val *key) {
    uint32_t hash = hash_key(key);
    uint64_t from = index_item(hash, 0);
    for (;;) {
        size_t run;
        const uint8_t *at = bt_find(&bt_index, &t->index, from, &run);
        if (!at) return NULL;
        uint64_t found = bt_item_key(&bt_index, at);
        if (found >> 32 != hash) return NULL;
        const struct map_item *m = find_seq(t, (uint32_t)found);
        must(m && m->seq == (uint32_t)found);
        if (val_key_eq(&m->key, key)) return m;
        if ((uint32_t)found == UINT32_MAX) return NULL;
        from = found + 1;
    }
}

struct map_item *val_tree_edit(struct val_tree *t, uint64_t seq) {
    struct bt_path p;
    if (!bt_open(&bt_map, &t->main, seq, false, &p)) return NULL;
    return (struct map_item *)(void *)bt_opened(&bt_map, &p);
}

/* Sequence numbers have 32 bits in the index. When they run out, the map is built anew and counts from zero. */
static bool renumber(struct val_tree *t) {
    size_t size = t->count * 2 * sizeof(struct val);
    struct val *pairs = mem_get(size);
    if (!pairs) return false;
    size_t n = 0, run;
    const void *items;
    for (uint64_t seq = 0; val_tree_run(t, seq, &items, &run);) {
        const struct map_item *m = items;
        for (size_t i = 0; i < run; i++) {
            pairs[2 * n] = val_ref(&m[i].key);
            pairs[2 * n + 1] = val_ref(&m[i].value);
            n++;
        }
        seq = m[run - 1].seq + 1;
    }
    enum val_build_fault fault;
    struct val_tree *fresh = val_tree_from_pairs(pairs, n, true, &fault);
    if (!fresh)
        for (size_t i = 0; i < 2 * n; i++) val_unref(&pairs[i]);
    mem_put(pairs, size);
    if (!fresh) return false;
    struct bt was_main = t->main, was_index = t->index;
    t->main = fresh->main;
    t->index = fresh->index;
    t->next_seq = fresh->next_seq;
    mem_put(fresh, sizeof *fresh);
    node_drop(was_main.root);
    node_drop(was_index.root);
    return true;
}

bool val_tree_add(struct val_tree *t, const struct val *key, const struct val *value) {
    if (t->next_seq >= UINT32_MAX && !renumber(t)) return false;
    struct map_item m = {*key, *value, t->next_seq};
    uint64_t entry = index_item(hash_key(key), m.seq);
    if (!bt_insert(&bt_map, &t->main, m.seq, &m)) return false;
    if (!bt_insert(&bt_index, &t->index, entry, &entry)) {
        /* The blocks are the tree's own now, so taking the item out again needs no memory. */
        struct bt_path p;
        bool opened = bt_open(&bt_map, &t->main, m.seq, false, &p);
        must(opened);
        bt_remove(&bt_map, &t->main, &p);
        return false;
    }
    t->next_seq++;
    t->count++;
    raise_depth(t, value);
    return true;
}

bool val_tree_remove(struct val_tree *t, uint64_t seq, struct map_item *out) {
    struct bt_path main_path, index_path;
    if (!bt_open(&bt_map, &t->main, seq, false, &main_path)) return false;
    memcpy(out, bt_opened(&bt_map, &main_path), sizeof *out);
    uint64_t entry = index_item(hash_key(&out->key), seq);
    if (!bt_open(&bt_index, &t->index, entry, false, &index_path)) return false;
    bt_remove(&bt_map, &t->main, &main_path);
    bt_remove(&bt_index, &t->index, &index_path);
    t->count--;
    return true;
}

bool val_tree_run(const struct val_tree *t, uint64_t key, const void **items, size_t *n) {
    const struct bt_kind *k = t->index.root ? &bt_map : &bt_array;
    *items = bt_find(k, &t->main, key, n);
    return *items != NULL;
}
