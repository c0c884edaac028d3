/* val_node.h - the blocks behind a struct val. Private to val*.c.
 *
 * Every container block begins with struct val_node; `type` says what follows at VAL_NODE_HEAD:
 *   FLAT_ARRAY  n values            FLAT_MAP  n pairs of key and value      (block as long as n needs)
 *   TREE        struct val_tree     a big array or map: its trees and counts
 *   LEAF_*      up to the kind's leaf_max items; INNER  up to VAL_INNER_MAX children   (blocks of fixed length)
 * Texts and bytes beyond VAL_INLINE are a struct val_blob. A block with more than one reference never changes. */
#ifndef BASE_VAL_NODE_H
#define BASE_VAL_NODE_H

#include "base/limits.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/val.h"

#include <assert.h>

enum val_node_type {
    VAL_NODE_FLAT_ARRAY,
    VAL_NODE_FLAT_MAP,
    VAL_NODE_TREE,
    VAL_NODE_LEAF_ARRAY,
    VAL_NODE_LEAF_MAP,
    VAL_NODE_LEAF_INDEX,
    VAL_NODE_INNER,
};

struct val_node {
    uint32_t refs;
    uint16_t n;
    uint16_t type : 3,
        depth : 13; /* depth only in FLAT_* and TREE: levels of nesting, itself included; never too low */
};
#define VAL_NODE_HEAD sizeof(struct val_node)
static_assert(sizeof(struct val_node) == 8, "blocks begin with eight bytes");
static_assert(sizeof(struct val) == 16, "a value is two words");
static_assert(LIMIT_VAL_DEPTH < 1 << 13, "depth has its place in the head");

struct val_blob {
    uint32_t refs;
    uint32_t len;
    uint8_t bytes[];
};

static inline struct val *node_items(const struct val_node *node) {
    return (struct val *)(void *)((uint8_t *)(uintptr_t)node + VAL_NODE_HEAD);
}

static inline struct val_blob *val_blob(const struct val *v) {
    return (struct val_blob *)(void *)v->node;
}

/* Whether there is a block behind the value. */
static inline bool val_counted(const struct val *v) {
    return v->form >= VAL_FORM_FLAT;
}

#ifdef STARTBOX_TEST
#define COST(field, n) ((void)(val_cost.field += (n)))
#else
#define COST(field, n) ((void)0)
#endif

static inline void val_share(const struct val *v) {
    if (!val_counted(v)) return;
    COST(refs, 1);
    v->node->refs++; /* struct val_blob has its count in the same place */
}

static inline struct val val_of_node(enum val_kind kind, uint8_t form, struct val_node *node) {
    struct val v = {.kind = (uint8_t)kind, .form = form};
    v.node = node;
    return v;
}

/* How long the block is that a node lives in. */
size_t node_size(const struct val_node *node);
/* Makes further owners of everything inside. */
void node_share_items(const struct val_node *node);
/* A copy of a shared node with one reference, its items shared; the old one loses one reference. NULL: no memory. */
struct val_node *node_copy(struct val_node *node);
/* One reference less; frees at zero. */
void node_drop(struct val_node *node);

bool val_key_eq_slow(const struct val *a, const struct val *b);
/* Whether two keys are the same scalar. What lives inside is equal only when the words are; two blocks may hold the same
 * bytes. */
static inline bool val_key_eq(const struct val *a, const struct val *b) {
    if (val_same(a, b)) return true;
    return a->form == VAL_FORM_HEAP && b->form == VAL_FORM_HEAP && val_key_eq_slow(a, b);
}
static inline bool val_may_be_key(const struct val *v) {
    return v->kind >= VAL_NULL && v->kind <= VAL_BYTES;
}

#endif
