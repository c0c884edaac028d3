/* val_btree.h - persistent B+ trees of three kinds. Private to val*.c; what arrays and maps make of them is val_tree.h.
 *
 *   array  items are values, found by position; children carry the count below them
 *   map    items are (key, value, sequence number), found by sequence number: insertion order for ever, also after
 *          removals. Children carry the first number below them
 *   index  items are 64 bits, hash of the key above its sequence number, in order
 *
 * A change copies the shared blocks on its path and nothing else; blocks held by nobody else are changed in place. Every
 * block a change will need is allocated before the first byte moves, so a failed allocation leaves the tree as it was. */
#ifndef BASE_VAL_BTREE_H
#define BASE_VAL_BTREE_H

#include "base/val_node.h"

#define VAL_INNER_MAX      31
#define VAL_LEAF_ARRAY_MAX 63
#define VAL_LEAF_MAP_MAX   31
#define VAL_LEAF_INDEX_MAX 63
#define VAL_TREE_HEIGHT    16 /* neighbours that fit into one block are joined, so 2^32 entries stay below 9 levels */

struct bt_child {
    struct val_node *node;
    uint64_t tag; /* items below (array) or the first key below (map, index) */
};

struct map_item {
    struct val key, value;
    uint64_t seq;
};

struct bt {
    struct val_node *root;
    uint32_t height; /* 1: the root is a leaf; 0: empty */
};

struct bt_kind {
    uint16_t item, leaf_max;
    uint8_t type;    /* of its leaves */
    uint8_t vals;    /* values at the head of an item */
    uint8_t counted; /* found by position; else by key */
    uint8_t key_at;  /* where the key stands in an item */
};
extern const struct bt_kind bt_array, bt_map, bt_index;

static inline uint8_t *bt_item(const struct bt_kind *k, const struct val_node *leaf, size_t i) {
    return (uint8_t *)node_items(leaf) + i * k->item;
}

static inline uint64_t bt_item_key(const struct bt_kind *k, const uint8_t *item) {
    uint64_t key;
    memcpy(&key, item + k->key_at, sizeof key);
    return key;
}

/* The first item not below the key (a position in arrays), and how many follow it in its leaf, itself included; NULL at
 * the end. */
const uint8_t *bt_find(const struct bt_kind *k, const struct bt *bt, uint64_t key, size_t *run);

/* A way down to an item. */
struct bt_path {
    struct val_node *node[VAL_TREE_HEIGHT];
    uint16_t at[VAL_TREE_HEIGHT]; /* which child, in the last level which item */
    unsigned n;
};
/* Goes down to the place of the key and makes every block on the way the tree's own. Content does not change; false: no
 * memory. `past` allows the place behind the last. */
bool bt_open(const struct bt_kind *k, struct bt *bt, uint64_t key, bool past, struct bt_path *p);
static inline uint8_t *bt_opened(const struct bt_kind *k, const struct bt_path *p) {
    return bt_item(k, p->node[p->n - 1], p->at[p->n - 1]);
}

bool bt_insert(const struct bt_kind *k, struct bt *bt, uint64_t key, const void *item);
/* Removes the item a path was opened to. Needs no memory. */
void bt_remove(const struct bt_kind *k, struct bt *bt, struct bt_path *p);

/* Fills leaves from `n` items given one after the other by `next`, then level upon level of inner blocks. */
bool bt_build(const struct bt_kind *k, struct bt *bt, size_t n, void (*next)(void *arg, void *item), void *arg);
/* Frees a tree but not what its items hold. */
void bt_free_shells(struct val_node *node);

/* Calls for the items of two map trees that do not stand in shared blocks, each side in its order. `arg` decides to stop. */
struct bt_walk {
    bool (*was)(void *arg, const struct map_item *item);
    bool (*is)(void *arg, const struct map_item *item);
    void *arg;
};
bool bt_unshared(const struct bt *was, const struct bt *is, const struct bt_walk *walk);

/* How many items the largest shared block holds that begins (tail: ends) at these positions in both array trees; 0: none. */
size_t bt_shared_run(const struct bt *was, uint64_t at_was, const struct bt *is, uint64_t at_is, bool tail);

#endif
