/* val_build.c - a value from a stream of events: what codecs drive. See val.h.
 *
 * Finished values wait on one stack; closing a container makes its block in one step from the top of it, so nothing is
 * copied twice and a big map is built bottom-up. */
#include "base/val_tree.h"

#define KEY_SLOTS    256 /* long keys remembered: a document has few different ones */
#define KEY_MAX      64  /* longer keys are rarely repeated */
#define FIRST_ITEMS  64
#define FIRST_FRAMES 16

void val_build_init(struct val_builder *b, unsigned depth_max, bool refuse_duplicates) {
    if (depth_max > LIMIT_VAL_DEPTH) depth_max = LIMIT_VAL_DEPTH;
    *b = (struct val_builder){.depth_max = depth_max, .refuse_duplicates = refuse_duplicates};
}

void val_build_release(struct val_builder *b) {
    while (b->n) val_unref(&b->items[--b->n]);
    mem_put(b->items, b->cap * sizeof *b->items);
    mem_put(b->frames, b->frames_cap * sizeof *b->frames);
    for (size_t i = 0; b->keys && i < KEY_SLOTS; i++) val_unref(&b->keys[i]);
    mem_put(b->keys, b->keys ? KEY_SLOTS * sizeof *b->keys : 0);
    val_build_init(b, b->depth_max, b->refuse_duplicates);
}

static bool fault(struct val_builder *b, enum val_build_fault f) {
    if (!b->fault) b->fault = f;
    return false;
}

static bool grow_items(struct val_builder *b) {
    size_t cap = b->cap ? b->cap * 2 : FIRST_ITEMS;
    struct val *items = mem_grow(b->items, b->cap * sizeof *items, cap * sizeof *items);
    if (!items) return false;
    b->items = items;
    b->cap = cap;
    return true;
}

bool val_build_add_slow(struct val_builder *b, struct val v) {
    if (!b->fault && (v.kind == VAL_NONE || (b->n == b->cap && !grow_items(b)))) fault(b, VAL_BUILD_NOMEM);
    if (b->fault) {
        val_unref(&v);
        return false;
    }
    b->items[b->n++] = v;
    return true;
}

bool val_build_key(struct val_builder *b, struct slice key) {
    if (key.len <= VAL_INLINE || key.len > KEY_MAX) return val_build_add(b, val_of_text_checked(key));
    if (!b->keys) b->keys = mem_get_zero(KEY_SLOTS * sizeof *b->keys);
    uint64_t head, tail;
    memcpy(&head, key.ptr, 8);
    memcpy(&tail, key.ptr + key.len - 8, 8);
    uint64_t h = (head ^ (tail + key.len) * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xff51afd7ed558ccd);
    struct val *slot = b->keys ? &b->keys[h >> 56] : NULL;
    if (slot && val_is_text(slot, key)) return val_build_add(b, val_ref(slot));
    struct val v = val_of_text_checked(key);
    if (slot && v.kind != VAL_NONE) {
        val_unref(slot);
        *slot = val_ref(&v);
    }
    return val_build_add(b, v);
}

bool val_build_open(struct val_builder *b, enum val_kind kind) {
    if (b->fault) return false;
    if (b->depth == b->depth_max) return fault(b, VAL_BUILD_DEPTH);
    if (b->depth == b->frames_cap) {
        uint32_t cap = b->frames_cap ? b->frames_cap * 2 : FIRST_FRAMES;
        struct val_build_frame *f = mem_grow(b->frames, b->frames_cap * sizeof *f, cap * sizeof *f);
        if (!f) return fault(b, VAL_BUILD_NOMEM);
        b->frames = f;
        b->frames_cap = cap;
    }
    b->frames[b->depth++] = (struct val_build_frame){b->n, kind, 0};
    return true;
}

/* One bit of 64 for a key: keys with different bits are different. */
static uint64_t key_bit(const struct val *key) {
    uint64_t w = key->word[1] ^ key->word[0];
    if (key->form == VAL_FORM_HEAP) memcpy(&w, val_blob(key)->bytes + val_blob(key)->len - sizeof w, sizeof w);
    return UINT64_C(1) << (w * UINT64_C(0x9e3779b97f4a7c15) >> 58);
}

/* Joins equal keys of a few pairs; returns how many are left, SIZE_MAX when they are to be refused. */
static size_t join_few(struct val *pairs, size_t n, bool refuse) {
    size_t kept = 0;
    uint64_t seen = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t bit = key_bit(&pairs[2 * i]);
        size_t j = seen & bit ? 0 : kept; /* mostly the bit says that the key is new */
        seen |= bit;
        while (j < kept && !val_key_eq(&pairs[2 * j], &pairs[2 * i])) j++;
        if (j < kept) {
            if (refuse) return SIZE_MAX;
            val_unref(&pairs[2 * j + 1]);
            pairs[2 * j + 1] = pairs[2 * i + 1];
            val_unref(&pairs[2 * i]);
        } else {
            if (i != kept) memcpy(&pairs[2 * kept], &pairs[2 * i], 2 * sizeof *pairs);
            kept++;
        }
    }
    return kept;
}

static bool close_map(struct val_builder *b, struct val_build_frame *f, struct val *out) {
    struct val *pairs = b->items + f->start;
    size_t n = (b->n - f->start) / 2;
    for (size_t i = 0; i < n; i++)
        if (!val_may_be_key(&pairs[2 * i])) return fault(b, VAL_BUILD_KEY);
    if (n > VAL_FLAT_MAP) {
        enum val_build_fault why;
        struct val_tree *t = val_tree_from_pairs(pairs, n, b->refuse_duplicates, &why);
        if (!t) return fault(b, why);
        b->n = f->start;
        *out = val_of_node(VAL_MAP, VAL_FORM_TREE, &t->head);
        return true;
    }
    size_t kept = join_few(pairs, n, b->refuse_duplicates);
    if (kept == SIZE_MAX) return fault(b, VAL_BUILD_DUPLICATE);
    b->n = f->start + 2 * kept;
    struct val_node *node = mem_get(VAL_NODE_HEAD + 2 * kept * sizeof *pairs);
    if (!node) return fault(b, VAL_BUILD_NOMEM);
    *node = (struct val_node){.refs = 1, .n = (uint16_t)kept, .type = VAL_NODE_FLAT_MAP};
    memcpy(node_items(node), pairs, 2 * kept * sizeof *pairs);
    b->n = f->start;
    *out = val_of_node(VAL_MAP, VAL_FORM_FLAT, node);
    return true;
}

static bool close_array(struct val_builder *b, struct val_build_frame *f, struct val *out) {
    struct val *items = b->items + f->start;
    size_t n = b->n - f->start;
    if (n > VAL_FLAT_ARRAY) {
        struct val_tree *t = val_tree_from_array(items, n);
        if (!t) return fault(b, VAL_BUILD_NOMEM);
        *out = val_of_node(VAL_ARRAY, VAL_FORM_TREE, &t->head);
    } else {
        struct val_node *node = mem_get(VAL_NODE_HEAD + n * sizeof *items);
        if (!node) return fault(b, VAL_BUILD_NOMEM);
        *node = (struct val_node){.refs = 1, .n = (uint16_t)n, .type = VAL_NODE_FLAT_ARRAY};
        memcpy(node_items(node), items, n * sizeof *items);
        *out = val_of_node(VAL_ARRAY, VAL_FORM_FLAT, node);
    }
    b->n = f->start;
    return true;
}

bool val_build_close(struct val_builder *b) {
    if (b->fault) return false;
    must(b->depth > 0);
    struct val_build_frame *f = &b->frames[b->depth - 1];
    size_t n = b->n - f->start;
    if (f->kind == VAL_MAP && n % 2) return fault(b, VAL_BUILD_KEY); /* a key without its value */
    struct val v = f->kind == VAL_MAP ? val_empty_map() : val_empty_array();
    if (n) {
        if (!(f->kind == VAL_MAP ? close_map(b, f, &v) : close_array(b, f, &v))) return false;
        v.node->depth = (f->depth + 1) & 0x1fff;
    }
    uint32_t depth = f->depth + 1;
    b->depth--;
    if (b->depth && b->frames[b->depth - 1].depth < depth) b->frames[b->depth - 1].depth = depth;
    return val_build_add(b, v);
}

struct val val_build_take(struct val_builder *b) {
    if (b->fault || b->depth || !b->n) return val_none;
    return b->items[--b->n];
}

bool val_build_err(const struct val_builder *b, size_t at, struct err *e) {
    switch (b->fault) {
    case VAL_BUILD_NOMEM: return err_nomem(e, "a value");
    case VAL_BUILD_DEPTH: return err_limit(e, "depth", b->depth_max, at);
    case VAL_BUILD_KEY: return err_at(e, ERR_SYNTAX, at, "a map's key is missing its value, or is an array or a map");
    case VAL_BUILD_DUPLICATE: return err_at(e, ERR_SYNTAX, at, "a map has the same key twice");
    case VAL_BUILD_FINE: break;
    }
    return false;
}
