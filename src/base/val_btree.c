/* val_btree.c - see val_btree.h. */
#include "base/val_btree.h"

#include "base/val_tree.h"

/* --- kinds of leaf --- */

const struct bt_kind bt_array = {sizeof(struct val), VAL_LEAF_ARRAY_MAX, VAL_NODE_LEAF_ARRAY, 1, 1, 0};
const struct bt_kind bt_map = {sizeof(struct map_item),       VAL_LEAF_MAP_MAX, VAL_NODE_LEAF_MAP, 2, 0,
                               offsetof(struct map_item, seq)};
const struct bt_kind bt_index = {sizeof(uint64_t), VAL_LEAF_INDEX_MAX, VAL_NODE_LEAF_INDEX, 0, 0, 0};

static const struct bt_kind *kind_of(const struct val_node *leaf) {
    return leaf->type == VAL_NODE_LEAF_ARRAY ? &bt_array : leaf->type == VAL_NODE_LEAF_MAP ? &bt_map : &bt_index;
}

static bool is_inner(const struct val_node *node) {
    return node->type == VAL_NODE_INNER;
}

static struct bt_child *children(const struct val_node *inner) {
    return (struct bt_child *)(void *)node_items(inner);
}

/* --- blocks --- */

static size_t block_size(unsigned type) {
    switch ((enum val_node_type)type) {
    case VAL_NODE_LEAF_ARRAY: return VAL_NODE_HEAD + VAL_LEAF_ARRAY_MAX * sizeof(struct val);
    case VAL_NODE_LEAF_MAP: return VAL_NODE_HEAD + VAL_LEAF_MAP_MAX * sizeof(struct map_item);
    case VAL_NODE_LEAF_INDEX: return VAL_NODE_HEAD + VAL_LEAF_INDEX_MAX * sizeof(uint64_t);
    case VAL_NODE_INNER: return VAL_NODE_HEAD + VAL_INNER_MAX * sizeof(struct bt_child);
    case VAL_NODE_TREE: return sizeof(struct val_tree);
    case VAL_NODE_FLAT_ARRAY:
    case VAL_NODE_FLAT_MAP: break;
    }
    return 0;
}

size_t node_size(const struct val_node *node) {
    if (node->type == VAL_NODE_FLAT_ARRAY) return VAL_NODE_HEAD + node->n * sizeof(struct val);
    if (node->type == VAL_NODE_FLAT_MAP) return VAL_NODE_HEAD + node->n * 2 * sizeof(struct val);
    return block_size(node->type);
}

static struct val_node *block_new(unsigned type) {
    struct val_node *node = mem_get(block_size(type));
    if (!node) return NULL;
    *node = (struct val_node){.refs = 1, .type = type & 7};
    COST(nodes, 1);
    COST(bytes, block_size(type));
    return node;
}

static void share_items(const struct bt_kind *k, const struct val_node *leaf) {
    for (size_t i = 0; k->vals && i < leaf->n; i++) {
        const struct val *v = (const struct val *)(const void *)bt_item(k, leaf, i);
        for (size_t j = 0; j < k->vals; j++) val_share(&v[j]);
    }
}

void node_share_items(const struct val_node *node) {
    switch ((enum val_node_type)node->type) {
    case VAL_NODE_FLAT_ARRAY:
        for (size_t i = 0; i < node->n; i++) val_share(&node_items(node)[i]);
        break;
    case VAL_NODE_FLAT_MAP:
        for (size_t i = 0; i < 2u * node->n; i++) val_share(&node_items(node)[i]);
        break;
    case VAL_NODE_TREE: {
        const struct val_tree *t = (const struct val_tree *)(const void *)node;
        COST(refs, 2);
        if (t->main.root) t->main.root->refs++;
        if (t->index.root) t->index.root->refs++;
        break;
    }
    case VAL_NODE_LEAF_ARRAY:
    case VAL_NODE_LEAF_MAP:
    case VAL_NODE_LEAF_INDEX: share_items(kind_of(node), node); break;
    case VAL_NODE_INNER:
        COST(refs, node->n);
        for (size_t i = 0; i < node->n; i++) children(node)[i].node->refs++;
        break;
    }
}

struct val_node *node_copy(struct val_node *node) {
    size_t size = node_size(node);
    struct val_node *copy = mem_get(size);
    if (!copy) return NULL;
    COST(nodes, 1);
    COST(bytes, size);
    COST(refs, 1);
    size_t used = size;
    if (is_inner(node))
        used = VAL_NODE_HEAD + node->n * sizeof(struct bt_child);
    else if (node->type >= VAL_NODE_LEAF_ARRAY)
        used = VAL_NODE_HEAD + (size_t)node->n * kind_of(node)->item;
    memcpy(copy, node, used);
    copy->refs = 1;
    node_share_items(copy);
    must(node->refs > 1);
    node->refs--;
    return copy;
}

/* Makes *slot a block with one reference. False: no memory, *slot as it was. */
static bool own(struct val_node **slot) {
    if ((*slot)->refs == 1) return true;
    struct val_node *copy = node_copy(*slot);
    if (!copy) return false;
    *slot = copy;
    return true;
}

/* --- finding --- */

/* What the parent says about a node. */
static uint64_t tag_of(const struct bt_kind *k, const struct val_node *node) {
    if (!is_inner(node)) return k->counted ? node->n : bt_item_key(k, bt_item(k, node, 0));
    if (!k->counted) return children(node)[0].tag;
    uint64_t sum = 0;
    for (size_t i = 0; i < node->n; i++) sum += children(node)[i].tag;
    return sum;
}

/* The child to go down to. By position *key becomes the position inside it; `past` allows the place behind the last. */
static size_t pick_child(const struct bt_kind *k, const struct val_node *inner, uint64_t *key, bool past) {
    const struct bt_child *c = children(inner);
    size_t i = 0;
    if (k->counted) {
        while (i + 1 < inner->n && (past ? *key > c[i].tag : *key >= c[i].tag)) *key -= c[i++].tag;
        return i;
    }
    size_t low = 0, high = inner->n; /* the last child whose tag is not above the key */
    while (high - low > 1) {
        size_t mid = (low + high) / 2;
        if (c[mid].tag <= *key)
            low = mid;
        else
            high = mid;
    }
    return low;
}

/* The first place in the leaf that is not below the key. */
static size_t pick_item(const struct bt_kind *k, const struct val_node *leaf, uint64_t key) {
    if (k->counted) return (size_t)key;
    size_t low = 0, high = leaf->n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (bt_item_key(k, bt_item(k, leaf, mid)) < key)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* The first item not below the key, and how many follow it in its leaf (itself included); NULL at the end. */
const uint8_t *bt_find(const struct bt_kind *k, const struct bt *bt, uint64_t key, size_t *run) {
    if (!bt->height) return NULL;
    const struct val_node *node = bt->root, *right = NULL; /* right: the subtree behind the path */
    while (is_inner(node)) {
        size_t i = pick_child(k, node, &key, false);
        if (i + 1u < node->n) right = children(node)[i + 1].node;
        node = children(node)[i].node;
    }
    size_t at = pick_item(k, node, key);
    if (at >= node->n) {
        if (!right || k->counted) return NULL;
        for (node = right; is_inner(node);) node = children(node)[0].node;
        at = 0;
    }
    *run = node->n - at;
    return bt_item(k, node, at);
}

/* --- a path to change along --- */

/* Goes down to the place of the key and makes every block on the way the tree's own. Content does not change. */
bool bt_open(const struct bt_kind *k, struct bt *bt, uint64_t key, bool past, struct bt_path *p) {
    struct val_node **slot = &bt->root;
    for (p->n = 0;; p->n++) {
        must(p->n < VAL_TREE_HEIGHT);
        if (!own(slot)) return false;
        struct val_node *node = p->node[p->n] = *slot;
        if (!is_inner(node)) break;
        size_t i = pick_child(k, node, &key, past);
        p->at[p->n] = (uint16_t)i;
        slot = &children(node)[i].node;
    }
    p->at[p->n] = (uint16_t)pick_item(k, p->node[p->n], key);
    p->n++;
    return true;
}

static void set_tags(const struct bt_kind *k, struct bt_path *p, unsigned levels) {
    for (unsigned i = levels; i-- > 0;) {
        struct bt_child *c = &children(p->node[i])[p->at[i]];
        c->tag = tag_of(k, c->node);
    }
}

/* --- inserting --- */

static size_t capacity(const struct bt_kind *k, const struct val_node *node) {
    return is_inner(node) ? VAL_INNER_MAX : k->leaf_max;
}
static size_t width(const struct bt_kind *k, const struct val_node *node) {
    return is_inner(node) ? sizeof(struct bt_child) : k->item;
}

static void put_item(const struct bt_kind *k, struct val_node *node, size_t at, const void *item) {
    size_t w = width(k, node);
    uint8_t *p = (uint8_t *)node_items(node);
    memmove(p + (at + 1) * w, p + at * w, (node->n - at) * w);
    memcpy(p + at * w, item, w);
    node->n++;
}

/* Moves the upper part of a full node into the fresh one and puts the item where it belongs. Behind the very last item the
 * old node stays full, so that filling in order leaves no holes. */
static void split(const struct bt_kind *k, struct val_node *node, struct val_node *fresh, size_t at, const void *item) {
    size_t w = width(k, node);
    size_t keep = at == node->n ? node->n : (node->n + 1u) / 2;
    fresh->n = (uint16_t)(node->n - keep);
    memcpy(node_items(fresh), (uint8_t *)node_items(node) + keep * w, fresh->n * w);
    node->n = (uint16_t)keep;
    if (at > keep || keep == capacity(k, node))
        put_item(k, fresh, at - keep, item);
    else
        put_item(k, node, at, item);
}

bool bt_insert(const struct bt_kind *k, struct bt *bt, uint64_t key, const void *item) {
    if (!bt->height) {
        struct val_node *leaf = block_new(k->type);
        if (!leaf) return false;
        put_item(k, leaf, 0, item);
        bt->root = leaf;
        bt->height = 1;
        return true;
    }
    struct bt_path p;
    if (!bt_open(k, bt, key, true, &p)) return false;
    /* Every full node from the leaf up will split; if all are full, there is a new root as well. */
    unsigned splits = 0;
    while (splits < p.n && p.node[p.n - 1 - splits]->n == capacity(k, p.node[p.n - 1 - splits])) splits++;
    struct val_node *fresh[VAL_TREE_HEIGHT + 1];
    unsigned want = splits + (splits == p.n);
    for (unsigned i = 0; i < want; i++) {
        fresh[i] = block_new(i == 0 && splits > 0 ? k->type : VAL_NODE_INNER);
        if (!fresh[i]) {
            while (i-- > 0) mem_put(fresh[i], block_size(fresh[i]->type));
            return false;
        }
    }
    /* From here on nothing can fail. */
    struct bt_child up;
    const void *add = item;
    size_t at = p.at[p.n - 1];
    for (unsigned i = 0; i < splits; i++) {
        unsigned level = p.n - 1 - i;
        split(k, p.node[level], fresh[i], at, add);
        up = (struct bt_child){fresh[i], tag_of(k, fresh[i])};
        add = &up;
        if (level > 0) {
            at = p.at[level - 1] + 1u;
            struct bt_child *c = &children(p.node[level - 1])[p.at[level - 1]];
            c->tag = tag_of(k, c->node);
        }
    }
    if (splits == p.n) {
        struct val_node *root = fresh[splits];
        struct bt_child left = {bt->root, tag_of(k, bt->root)};
        put_item(k, root, 0, &left);
        put_item(k, root, 1, &up);
        bt->root = root;
        bt->height++;
        return true;
    }
    put_item(k, p.node[p.n - 1 - splits], at, add);
    set_tags(k, &p, p.n - 1 - splits);
    return true;
}

/* --- removing --- */

static void cut_item(const struct bt_kind *k, struct val_node *node, size_t at) {
    size_t w = width(k, node);
    uint8_t *p = (uint8_t *)node_items(node);
    node->n--;
    memmove(p + at * w, p + (at + 1) * w, (node->n - at) * w);
}

/* Takes all items of the neighbour `from` into `node` (which is the tree's own) and lets the neighbour go. */
static void absorb(const struct bt_kind *k, struct val_node *node, struct val_node *from, bool before) {
    size_t w = width(k, node);
    uint8_t *p = (uint8_t *)node_items(node);
    if (before) memmove(p + from->n * w, p, node->n * w);
    memcpy(before ? p : p + node->n * w, node_items(from), from->n * w);
    node->n = (uint16_t)(node->n + from->n);
    if (from->refs == 1)
        mem_put(from, block_size(from->type));
    else {
        node_share_items(from);
        from->refs--;
    }
}

/* Removes the item at the end of the path. A node that became small joins a neighbour if both fit into one; none is ever
 * left empty. Needs no memory. */
void bt_remove(const struct bt_kind *k, struct bt *bt, struct bt_path *p) {
    unsigned level = p->n - 1;
    cut_item(k, p->node[level], p->at[level]);
    for (; level > 0; level--) {
        struct val_node *node = p->node[level], *parent = p->node[level - 1];
        size_t at = p->at[level - 1];
        struct bt_child *c = children(parent);
        if (node->n == 0) {
            mem_put(node, block_size(node->type));
            cut_item(k, parent, at);
            continue;
        }
        if (node->n < capacity(k, node) / 3) {
            size_t other = at > 0 && (at + 1u == parent->n || c[at - 1].node->n <= c[at + 1].node->n) ? at - 1 : at + 1;
            if (other < parent->n && c[other].node->n + node->n <= capacity(k, node)) {
                absorb(k, node, c[other].node, other < at);
                c[other < at ? other : at] = (struct bt_child){node, tag_of(k, node)};
                cut_item(k, parent, other < at ? at : other);
                continue;
            }
        }
        c[at].tag = tag_of(k, node);
    }
    while (bt->height && is_inner(bt->root) && bt->root->n == 1) {
        struct val_node *old = bt->root;
        bt->root = children(old)[0].node;
        mem_put(old, block_size(VAL_NODE_INNER));
        bt->height--;
    }
    if (bt->root->n == 0) {
        mem_put(bt->root, block_size(bt->root->type));
        *bt = (struct bt){NULL, 0};
    }
}

/* --- building from the bottom --- */

void bt_free_shells(struct val_node *node) {
    for (size_t i = 0; is_inner(node) && i < node->n; i++) bt_free_shells(children(node)[i].node);
    mem_put(node, block_size(node->type));
}

/* Fills leaves from `n` items given one after the other by `next`, then level upon level of inner nodes. */
bool bt_build(const struct bt_kind *k, struct bt *bt, size_t n, void (*next)(void *arg, void *item), void *arg) {
    *bt = (struct bt){NULL, 0};
    if (n == 0) return true;
    size_t level_n = (n + k->leaf_max - 1) / k->leaf_max;
    size_t cap = level_n * sizeof(struct bt_child);
    struct bt_child *level = mem_get(cap);
    if (!level) return false;
    size_t made = 0;
    for (size_t left = n; made < level_n; made++) {
        struct val_node *leaf = block_new(k->type);
        if (!leaf) goto fail;
        leaf->n = (uint16_t)(left < k->leaf_max ? left : k->leaf_max);
        for (size_t i = 0; i < leaf->n; i++) next(arg, bt_item(k, leaf, i));
        left -= leaf->n;
        level[made] = (struct bt_child){leaf, tag_of(k, leaf)};
    }
    uint32_t height = 1;
    while (level_n > 1) {
        size_t up_n = (level_n + VAL_INNER_MAX - 1) / VAL_INNER_MAX;
        for (size_t i = 0; i < up_n; i++) {
            struct val_node *inner = block_new(VAL_NODE_INNER);
            if (!inner) {
                /* Finished inner nodes stand in [0, i), untouched children from i * VAL_INNER_MAX on. */
                for (size_t j = 0; j < i; j++) bt_free_shells(level[j].node);
                for (size_t j = i * VAL_INNER_MAX; j < level_n; j++) bt_free_shells(level[j].node);
                mem_put(level, cap);
                return false;
            }
            size_t from = i * VAL_INNER_MAX, to = from + VAL_INNER_MAX;
            if (to > level_n) to = level_n;
            inner->n = (uint16_t)(to - from);
            memcpy(children(inner), level + from, inner->n * sizeof(struct bt_child));
            level[i] = (struct bt_child){inner, tag_of(k, inner)};
        }
        level_n = up_n;
        height++;
    }
    *bt = (struct bt){level[0].node, height};
    mem_put(level, cap);
    return true;
fail:
    while (made-- > 0) bt_free_shells(level[made].node);
    mem_put(level, cap);
    return false;
}

/* --- two versions --- */

/* A place in a tree, on a whole subtree: node[n-1] is the subtree. */
struct spot {
    const struct val_node *node[VAL_TREE_HEIGHT + 1];
    uint16_t at[VAL_TREE_HEIGHT + 1];
    unsigned n, height; /* height of the subtree */
};

static void spot_start(struct spot *s, const struct bt *bt) {
    s->n = bt->height ? 1 : 0;
    s->height = bt->height;
    s->node[0] = bt->root;
}

static void spot_down(struct spot *s) {
    const struct val_node *node = s->node[s->n - 1];
    s->at[s->n - 1] = 0;
    s->node[s->n++] = children(node)[0].node;
    s->height--;
}

static void spot_next(struct spot *s) {
    while (s->n > 1) {
        const struct val_node *parent = s->node[s->n - 2];
        size_t at = ++s->at[s->n - 2];
        if (at < parent->n) {
            s->node[s->n - 1] = children(parent)[at].node;
            return;
        }
        s->n--;
        s->height++;
    }
    s->n = 0;
}

static bool give_leaf(struct spot *s, bool (*each)(void *, const struct map_item *), void *arg) {
    const struct val_node *leaf = s->node[s->n - 1];
    const struct map_item *m = (const struct map_item *)(const void *)node_items(leaf);
    for (size_t i = 0; i < leaf->n; i++)
        if (!each(arg, &m[i])) return false;
    spot_next(s);
    return true;
}

bool bt_unshared(const struct bt *was, const struct bt *is, const struct bt_walk *walk) {
    struct spot a, b;
    spot_start(&a, was);
    spot_start(&b, is);
    while (a.n || b.n) {
        COST(visited, 1);
        const struct val_node *x = a.n ? a.node[a.n - 1] : NULL, *y = b.n ? b.node[b.n - 1] : NULL;
        if (x == y) { /* shared: skip both */
            spot_next(&a);
            spot_next(&b);
            continue;
        }
        uint64_t xt = x ? tag_of(&bt_map, x) : UINT64_MAX, yt = y ? tag_of(&bt_map, y) : UINT64_MAX;
        /* Go down the taller one first; at the same height the one that begins earlier; both when they begin together. */
        bool take_a = x && (!y || a.height > b.height || (a.height == b.height && xt <= yt));
        bool take_b = y && (!x || b.height > a.height || (a.height == b.height && yt <= xt));
        if (take_a) {
            if (is_inner(x))
                spot_down(&a);
            else if (!give_leaf(&a, walk->was, walk->arg))
                return false;
        }
        if (take_b) {
            if (is_inner(y))
                spot_down(&b);
            else if (!give_leaf(&b, walk->is, walk->arg))
                return false;
        }
    }
    return true;
}

/* The blocks on the way down that begin (tail: end) at the position, biggest first. */
static unsigned blocks_at(const struct bt *bt, uint64_t at, bool tail, const struct val_node **out) {
    const struct val_node *node = bt->root;
    unsigned n = 0;
    while (node) {
        if (tail ? at == tag_of(&bt_array, node) : at == 0) out[n++] = node;
        if (!is_inner(node)) break;
        /* `past` goes into the block that ends at the position. */
        node = children(node)[pick_child(&bt_array, node, &at, tail)].node;
    }
    return n;
}

size_t bt_shared_run(const struct bt *was, uint64_t at_was, const struct bt *is, uint64_t at_is, bool tail) {
    const struct val_node *a[VAL_TREE_HEIGHT], *b[VAL_TREE_HEIGHT];
    unsigned na = blocks_at(was, at_was, tail, a), nb = blocks_at(is, at_is, tail, b);
    COST(visited, na + nb);
    for (unsigned i = 0; i < na; i++)
        for (unsigned j = 0; j < nb; j++)
            if (a[i] == b[j]) return (size_t)tag_of(&bt_array, a[i]);
    return 0;
}
