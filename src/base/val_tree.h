/* val_tree.h - big arrays and maps. Private to val*.c.
 *
 * An array is an array tree of val_btree.h; a map is a map tree, which keeps the order, and an index tree, which finds.
 *
 * Cost at 1,000,000 entries of short keys and values: 40 bytes an entry and 8 to 12 for the index; replacing a value in a
 * shared map copies the head, a leaf and three or four inner blocks. tests/base/val_budget counts it.
 *
 * Hash: a polynomial over a prime field at a secret point chosen at start, so that whoever chooses keys cannot choose
 * collisions. */
#ifndef BASE_VAL_TREE_H
#define BASE_VAL_TREE_H

#include "base/val_btree.h"

struct val_tree {
    struct val_node head; /* type TREE */
    struct bt main;       /* the array tree, or the map tree */
    struct bt index;      /* maps only */
    uint64_t count;
    uint64_t next_seq;
};

static inline struct val_tree *val_tree(const struct val *v) {
    return (struct val_tree *)(void *)v->node;
}

/* Builds a tree from items that the tree takes over when it succeeds; on failure they are still the caller's.
 * Pairs: key, value, key, value. Keys that appear again: refused, or the last value wins in the first place. */
struct val_tree *val_tree_from_array(const struct val *items, size_t n);
struct val_tree *val_tree_from_pairs(struct val *pairs, size_t n, bool refuse_duplicates, enum val_build_fault *fault);

const struct val *val_tree_at(const struct val_tree *t, size_t index);
const struct map_item *val_tree_find(const struct val_tree *t, const struct val *key);

/* These want a tree with one reference. Items are taken on success only. */
struct val *val_tree_edit_at(struct val_tree *t, size_t index);
bool val_tree_insert(struct val_tree *t, size_t index, const struct val *value);
bool val_tree_remove_at(struct val_tree *t, size_t index, struct val *out);
struct map_item *val_tree_edit(struct val_tree *t, uint64_t seq);
bool val_tree_add(struct val_tree *t, const struct val *key, const struct val *value);
bool val_tree_remove(struct val_tree *t, uint64_t seq, struct map_item *out);

/* The items from `key` on (a position, or a sequence number) that stand in one leaf; false when there are none. */
bool val_tree_run(const struct val_tree *t, uint64_t key, const void **items, size_t *n);

#endif
