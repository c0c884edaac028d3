/* val.c - scalars, compact containers, owners, reading and changing; see val.h. Big containers are val_tree.c. */
#include "base/val_tree.h"

#include "base/utf8.h"

#include <math.h>

const struct val val_none = {.kind = VAL_NONE};

#ifdef STARTBOX_TEST
struct val_cost val_cost;
#endif

/* --- asking --- */

const char *val_kind_name(enum val_kind kind) {
    static const char *const names[] = {"nothing", "null",  "a bool",   "an integer", "a float",
                                        "text",    "bytes", "an array", "a map"};
    return (unsigned)kind < sizeof names / sizeof names[0] ? names[kind] : "unknown";
}

bool val_as_i64(const struct val *v, int64_t *out) {
    if (v->kind != VAL_INT || v->num > INT64_MAX) return false;
    *out = v->form ? -1 - (int64_t)v->num : (int64_t)v->num;
    return true;
}

bool val_as_u64(const struct val *v, uint64_t *out) {
    if (v->kind != VAL_INT || v->form) return false;
    *out = v->num;
    return true;
}

bool val_as_double(const struct val *v, double *out) {
    if (v->kind == VAL_FLOAT)
        *out = v->real;
    else if (v->kind == VAL_INT)
        *out = v->form ? -1.0 - (double)v->num : (double)v->num;
    else
        return false;
    return true;
}

static struct slice text_of(const struct val *v) {
    if (v->form == VAL_FORM_HEAP) return slice_of(val_blob(v)->bytes, val_blob(v)->len);
    return slice_of(v->in, v->form);
}

struct slice val_as_text(const struct val *v) {
    return v->kind == VAL_TEXT ? text_of(v) : slice_of("", 0);
}
struct slice val_as_bytes(const struct val *v) {
    return v->kind == VAL_BYTES ? text_of(v) : slice_of("", 0);
}
bool val_is_text(const struct val *v, struct slice text) {
    return v->kind == VAL_TEXT && slice_eq(text_of(v), text);
}

size_t val_count(const struct val *v) {
    if (v->form == VAL_FORM_FLAT) return v->node->n;
    return v->form == VAL_FORM_TREE ? (size_t)val_tree(v)->count : 0;
}

const struct val *val_at(const struct val *a, size_t i) {
    if (a->kind != VAL_ARRAY || i >= val_count(a)) return &val_none;
    return a->form == VAL_FORM_FLAT ? &node_items(a->node)[i] : val_tree_at(val_tree(a), i);
}

bool val_key_eq_slow(const struct val *a, const struct val *b) {
    return a->kind == b->kind && slice_eq(text_of(a), text_of(b));
}

/* The entry of a compact map, or its count. */
static size_t find_flat(const struct val_node *node, const struct val *key) {
    const struct val *items = node_items(node);
    size_t n = node->n;
    if (key->form != VAL_FORM_HEAP) {
        for (size_t i = 0; i < n; i++)
            if (val_same(&items[2 * i], key)) return i;
        return n;
    }
    for (size_t i = 0; i < n; i++)
        if (val_key_eq(&items[2 * i], key)) return i;
    return n;
}

const struct val *val_get_key(const struct val *map, const struct val *key) {
    if (map->kind != VAL_MAP) return &val_none;
    if (map->form == VAL_FORM_FLAT) {
        size_t i = find_flat(map->node, key);
        return i < map->node->n ? &node_items(map->node)[2 * i + 1] : &val_none;
    }
    if (map->form != VAL_FORM_TREE) return &val_none;
    const struct map_item *m = val_tree_find(val_tree(map), key);
    return m ? &m->value : &val_none;
}

/* A text value in the caller's hands that is never owned: long text is laid behind a head in `room`. */
#define PROBE_ROOM 256
struct probe {
    struct val v;
    size_t heap; /* bytes to give back, 0 when it fits into room */
    union {
        struct val_blob blob;
        uint8_t bytes[sizeof(struct val_blob) + PROBE_ROOM];
    } room;
};

static bool make_probe(struct probe *p, struct slice text) {
    p->heap = 0;
    p->v = (struct val){.kind = VAL_TEXT, .form = (uint8_t)text.len};
    if (text.len <= VAL_INLINE) {
        if (text.len) memcpy(p->v.in, text.ptr, text.len);
        return true;
    }
    if (text.len > UINT32_MAX) return false;
    struct val_blob *blob = &p->room.blob;
    if (text.len > PROBE_ROOM) {
        p->heap = sizeof *blob + text.len;
        blob = mem_get(p->heap);
        if (!blob) return false;
    }
    blob->refs = 1;
    blob->len = (uint32_t)text.len;
    memcpy(blob->bytes, text.ptr, text.len);
    p->v = val_of_node(VAL_TEXT, VAL_FORM_HEAP, (struct val_node *)(void *)blob);
    return true;
}

const struct val *val_get(const struct val *map, struct slice key) {
    if (map->kind != VAL_MAP || !val_counted(map)) return &val_none;
    if (map->form == VAL_FORM_FLAT && key.len > VAL_INLINE) {
        const struct val *items = node_items(map->node);
        for (size_t i = 0; i < map->node->n; i++)
            if (items[2 * i].form == VAL_FORM_HEAP && items[2 * i].kind == VAL_TEXT &&
                slice_eq(text_of(&items[2 * i]), key))
                return &items[2 * i + 1];
        return &val_none;
    }
    struct probe p;
    if (!make_probe(&p, key)) return &val_none;
    const struct val *found = val_get_key(map, &p.v);
    if (p.heap) mem_put(val_blob(&p.v), p.heap);
    return found;
}

struct val_iter val_iter(const struct val *c) {
    struct val_iter it = {.key = &val_none, .value = &val_none, .index = (size_t)-1, .whole = c};
    it.stride = c->kind == VAL_MAP ? 2 * sizeof(struct val) : sizeof(struct val);
    if (c->form == VAL_FORM_FLAT) {
        it.at = (const uint8_t *)node_items(c->node);
        it.end = it.at + c->node->n * it.stride;
    } else if (c->form == VAL_FORM_TREE && c->kind == VAL_MAP)
        it.stride = sizeof(struct map_item);
    return it;
}

bool val_iter_refill(struct val_iter *it) {
    if (it->whole->form != VAL_FORM_TREE) return false;
    const void *items;
    size_t n;
    if (it->end && it->stride == sizeof(struct map_item))
        it->next = ((const struct map_item *)(const void *)it->end)[-1].seq + 1;
    if (!val_tree_run(val_tree(it->whole), it->next, &items, &n)) return false;
    it->at = items;
    it->end = it->at + n * it->stride;
    if (it->stride == sizeof(struct val)) it->next += n;
    return true;
}

unsigned val_depth(const struct val *v) {
    if (v->kind < VAL_ARRAY) return 0;
    return val_counted(v) ? v->node->depth : 1;
}

/* --- making --- */

struct val val_of_double(double d) {
    struct val v = {.kind = VAL_FLOAT};
    v.real = d;
    if (isnan(d)) v.num = UINT64_C(0x7ff8000000000000);
    return v;
}

/* Copies up to VAL_INLINE bytes with two overlapping moves of a fixed length; most texts of a document take this road. */
static void copy_inline(uint8_t *to, const uint8_t *from, size_t len) {
    if (len >= 8) {
        memcpy(to, from, 8);
        memcpy(to + len - 8, from + len - 8, 8);
    } else if (len >= 4) {
        memcpy(to, from, 4);
        memcpy(to + len - 4, from + len - 4, 4);
    } else
        for (size_t i = 0; i < len; i++) to[i] = from[i];
}

static struct val make_text(enum val_kind kind, struct slice s) {
    struct val v = {.kind = (uint8_t)kind, .form = (uint8_t)s.len};
    if (s.len <= VAL_INLINE) {
        copy_inline(v.in, s.ptr, s.len);
        return v;
    }
    if (s.len > UINT32_MAX - sizeof(struct val_blob)) return val_none;
    struct val_blob *blob = mem_get(sizeof *blob + s.len);
    if (!blob) return val_none;
    blob->refs = 1;
    blob->len = (uint32_t)s.len;
    memcpy(blob->bytes, s.ptr, s.len);
    return val_of_node(kind, VAL_FORM_HEAP, (struct val_node *)(void *)blob);
}

struct val val_of_text_checked(struct slice text) {
    return make_text(VAL_TEXT, text);
}
struct val val_of_text(struct slice text) {
    return utf8_ok(text) ? make_text(VAL_TEXT, text) : val_none;
}
struct val val_of_str(const char *text) {
    return val_of_text(slice_str(text));
}
struct val val_of_bytes(struct slice bytes) {
    return make_text(VAL_BYTES, bytes);
}

struct val val_of_text_lossy(struct slice text) {
    if (utf8_ok(text)) return make_text(VAL_TEXT, text);
    struct buf b;
    buf_init(&b, SIZE_MAX / 4);
    struct val v = utf8_add_lossy(&b, text) ? make_text(VAL_TEXT, buf_slice(&b)) : val_none;
    buf_release(&b);
    return v;
}

static struct val_node *flat_new(enum val_node_type type, size_t n) {
    size_t size = VAL_NODE_HEAD + n * (type == VAL_NODE_FLAT_MAP ? 2 : 1) * sizeof(struct val);
    struct val_node *node = mem_get(size);
    if (!node) return NULL;
    *node = (struct val_node){.refs = 1, .n = (uint16_t)n, .type = type & 7, .depth = 1};
    COST(nodes, 1);
    COST(bytes, size);
    return node;
}

static void raise_depth(struct val_node *node, unsigned depth) {
    if (depth > node->depth) node->depth = depth & 0x1fff;
}

struct val val_map_of(const struct val_pair *pairs, size_t n) {
    struct val map = val_empty_map();
    bool good = true;
    for (size_t i = 0; i < n; i++) {
        struct val value = pairs[i].value;
        if (good)
            good = val_set_str(&map, pairs[i].key, value);
        else
            val_unref(&value);
    }
    if (!good) val_unref(&map);
    return map;
}

struct val val_array_of(const struct val *values, size_t n) {
    struct val array = val_empty_array();
    bool good = true;
    for (size_t i = 0; i < n; i++) {
        struct val value = values[i];
        if (good)
            good = val_push(&array, value);
        else
            val_unref(&value);
    }
    if (!good) val_unref(&array);
    return array;
}

/* --- owners --- */

struct val val_ref(const struct val *v) {
    val_share(v);
    return *v;
}

void val_unref(struct val *v) {
    if (val_counted(v)) {
        struct val_trash t = VAL_TRASH_INIT;
        val_trash_add(&t, v);
        val_trash_run(&t, SIZE_MAX);
    }
    *v = val_none;
}

void node_drop(struct val_node *node) {
    struct val v = val_of_node(VAL_ARRAY, VAL_FORM_TREE, node);
    if (node) val_unref(&v);
}

/* A block whose last reference is gone waits in the trash, linked through the place of its first item, which has been
 * let go before. So releasing needs neither memory nor recursion, however deep the value. */
struct trash_link {
    struct val_node *next;
};

static void drop_blob(struct val_blob *blob) {
    if (--blob->refs == 0) mem_put(blob, sizeof *blob + blob->len);
}

/* Ends one reference of a value; a container that dies of it is returned. */
static struct val_node *let_go(const struct val *v) {
    if (!val_counted(v)) return NULL;
    COST(refs, 1);
    if (v->form == VAL_FORM_HEAP) {
        drop_blob(val_blob(v));
        return NULL;
    }
    return --v->node->refs ? NULL : v->node;
}

/* Puts a dead block into the trash, and those that die by letting its first item go. */
static void bury(struct val_trash *t, struct val_node *node) {
    while (node) {
        struct val_node *next = NULL;
        if (node->type == VAL_NODE_TREE) {
            next = ((struct val_tree *)(void *)node)->main.root;
            if (next && --next->refs) next = NULL;
        } else if (node->type == VAL_NODE_INNER) {
            next = ((struct bt_child *)(void *)node_items(node))->node;
            COST(refs, 1);
            if (--next->refs) next = NULL;
        } else if (node->n && node->type != VAL_NODE_LEAF_INDEX)
            next = let_go(node_items(node));
        if (node->n == 0 && node->type != VAL_NODE_TREE) {
            mem_put(node, node_size(node));
        } else {
            ((struct trash_link *)(void *)node_items(node))->next = t->head;
            t->head = node;
        }
        node = next;
    }
}

static void bury_items(struct val_trash *t, struct val_node *node, size_t item, size_t vals) {
    const uint8_t *p = (const uint8_t *)node_items(node);
    /* The blocks behind the items are scattered: ask for all of them before touching the first. */
    for (size_t i = 0; i < node->n; i++)
        for (size_t j = 0; j < vals; j++) {
            const struct val *v = (const struct val *)(const void *)(p + i * item) + j;
            if ((i || j) && val_counted(v)) __builtin_prefetch(v->node, 1);
        }
    for (size_t i = 0; i < node->n; i++)
        for (size_t j = 0; j < vals; j++)
            if (i || j) bury(t, let_go((const struct val *)(const void *)(p + i * item) + j));
}

void val_trash_add(struct val_trash *t, struct val *v) {
    bury(t, let_go(v));
    *v = val_none;
}

bool val_trash_run(struct val_trash *t, size_t budget) {
    for (; t->head && budget; budget--) {
        struct val_node *node = t->head;
        t->head = ((struct trash_link *)(void *)node_items(node))->next;
        switch ((enum val_node_type)node->type) {
        case VAL_NODE_FLAT_ARRAY:
        case VAL_NODE_LEAF_ARRAY: bury_items(t, node, sizeof(struct val), 1); break;
        case VAL_NODE_FLAT_MAP: bury_items(t, node, 2 * sizeof(struct val), 2); break;
        case VAL_NODE_LEAF_MAP: bury_items(t, node, sizeof(struct map_item), 2); break;
        case VAL_NODE_TREE: {
            struct val_node *index = ((struct val_tree *)(void *)node)->index.root;
            if (index && --index->refs == 0) bury(t, index);
            break;
        }
        case VAL_NODE_INNER:
            for (size_t i = 1; i < node->n; i++) {
                struct val_node *child = ((struct bt_child *)(void *)node_items(node))[i].node;
                COST(refs, 1);
                if (--child->refs == 0) bury(t, child);
            }
            break;
        case VAL_NODE_LEAF_INDEX: break;
        }
        mem_put(node, node_size(node));
    }
    return t->head != NULL;
}

/* --- changing --- */

/* Makes the node behind v the caller's own. */
static bool own_node(struct val *v) {
    if (v->node->refs == 1) return true;
    struct val_node *copy = node_copy(v->node);
    if (!copy) return false;
    v->node = copy;
    return true;
}

static bool refuse(struct val *a, struct val *b) {
    val_unref(a);
    val_unref(b);
    return false;
}

static bool too_deep(const struct val *v) {
    return val_depth(v) >= LIMIT_VAL_DEPTH;
}

/* A compact container with room for one more, its items moved (if it was the caller's own) or shared. The new place is
 * not filled. NULL: no memory, nothing changed. */
static struct val_node *flat_grow(struct val *v, enum val_node_type type) {
    size_t width = (type == VAL_NODE_FLAT_MAP ? 2 : 1) * sizeof(struct val);
    size_t n = v->form == VAL_FORM_FLAT ? v->node->n : 0;
    struct val_node *node;
    if (n && v->node->refs == 1) {
        node = mem_grow(v->node, VAL_NODE_HEAD + n * width, VAL_NODE_HEAD + (n + 1) * width);
        if (!node) return NULL;
    } else {
        node = flat_new(type, n + 1);
        if (!node) return NULL;
        if (n) {
            memcpy(node_items(node), node_items(v->node), n * width);
            node->n = (uint16_t)n;
            node->depth = v->node->depth;
            node_share_items(node);
            v->node->refs--;
        }
    }
    node->n = (uint16_t)(n + 1);
    *v = val_of_node(type == VAL_NODE_FLAT_MAP ? VAL_MAP : VAL_ARRAY, VAL_FORM_FLAT, node);
    return node;
}

/* Turns a full compact container into a tree. */
static bool flat_to_tree(struct val *v) {
    struct val_node *old = v->node;
    enum val_build_fault fault;
    struct val_tree *t = v->kind == VAL_MAP ? val_tree_from_pairs(node_items(old), old->n, true, &fault)
                                            : val_tree_from_array(node_items(old), old->n);
    if (!t) return false;
    if (old->refs == 1)
        mem_put(old, node_size(old));
    else {
        node_share_items(old);
        old->refs--;
    }
    v->form = VAL_FORM_TREE;
    v->node = &t->head;
    return true;
}

bool val_set(struct val *map, struct val key, struct val value) {
    must(map->kind == VAL_MAP || map->kind == VAL_NONE);
    if (map->kind == VAL_NONE || !val_may_be_key(&key) || value.kind == VAL_NONE || too_deep(&value))
        return refuse(&key, &value);
    if (map->form != VAL_FORM_TREE) {
        size_t n = val_count(map), i = n ? find_flat(map->node, &key) : 0;
        if (i < n) {
            if (!own_node(map)) return refuse(&key, &value);
            struct val *slot = &node_items(map->node)[2 * i + 1];
            raise_depth(map->node, val_depth(&value) + 1);
            val_unref(&key);
            val_unref(slot);
            *slot = value;
            return true;
        }
        if (n < VAL_FLAT_MAP) {
            struct val_node *node = flat_grow(map, VAL_NODE_FLAT_MAP);
            if (!node) return refuse(&key, &value);
            node_items(node)[2 * n] = key;
            node_items(node)[2 * n + 1] = value;
            raise_depth(node, val_depth(&value) + 1);
            return true;
        }
        if (!flat_to_tree(map)) return refuse(&key, &value);
    }
    const struct map_item *found = val_tree_find(val_tree(map), &key);
    if (!own_node(map)) return refuse(&key, &value);
    struct val_tree *t = val_tree(map);
    if (!found) return val_tree_add(t, &key, &value) || refuse(&key, &value);
    struct map_item *m = val_tree_edit(t, found->seq);
    if (!m) return refuse(&key, &value);
    raise_depth(&t->head, val_depth(&value) + 1);
    val_unref(&key);
    val_unref(&m->value);
    m->value = value;
    return true;
}

bool val_set_str(struct val *map, const char *key, struct val value) {
    return val_set(map, val_of_str(key), value);
}

/* Takes one entry (`width` values) out of a compact container, always into a shorter block, as a block's length follows
 * from its count. */
static bool flat_cut(struct val *v, size_t at, size_t width) {
    struct val_node *old = v->node, *node = NULL;
    struct val *items = node_items(old);
    size_t n = old->n - 1u;
    if (n) {
        node = flat_new((enum val_node_type)old->type, n);
        if (!node) return false;
        memcpy(node_items(node), items, at * width * sizeof(struct val));
        memcpy(node_items(node) + at * width, items + (at + 1) * width, (n - at) * width * sizeof(struct val));
        node->depth = old->depth;
    }
    if (old->refs == 1) {
        for (size_t i = 0; i < width; i++) val_unref(&items[at * width + i]);
        mem_put(old, node_size(old));
    } else {
        if (node) node_share_items(node);
        old->refs--;
    }
    if (node)
        v->node = node;
    else
        *v = (struct val){.kind = v->kind};
    return true;
}

/* A tree that became small turns compact again; without memory for that it may stay a tree. */
static void tree_to_flat(struct val *v) {
    struct val_tree *t = val_tree(v);
    bool map = v->kind == VAL_MAP;
    if (t->count > (map ? VAL_FLAT_MAP : VAL_FLAT_ARRAY) / 2) return;
    struct val_node *node = NULL;
    if (t->count) {
        node = flat_new(map ? VAL_NODE_FLAT_MAP : VAL_NODE_FLAT_ARRAY, (size_t)t->count);
        if (!node) return;
        struct val *to = node_items(node);
        for (struct val_iter it = val_iter(v); val_next(&it);) {
            if (map) *to++ = val_ref(it.key);
            *to++ = val_ref(it.value);
        }
        node->depth = t->head.depth;
    }
    struct val old = *v;
    *v = node ? val_of_node(val_kind(&old), VAL_FORM_FLAT, node) : (struct val){.kind = old.kind};
    val_unref(&old);
}

bool val_del(struct val *map, const struct val *key) {
    must(map->kind == VAL_MAP || map->kind == VAL_NONE);
    if (map->kind == VAL_NONE) return false;
    if (!val_counted(map)) return true;
    if (map->form == VAL_FORM_FLAT) {
        size_t i = find_flat(map->node, key);
        return i == map->node->n || flat_cut(map, i, 2);
    }
    const struct map_item *found = val_tree_find(val_tree(map), key);
    if (!found) return true;
    struct map_item out;
    if (!own_node(map) || !val_tree_remove(val_tree(map), found->seq, &out)) return false;
    val_unref(&out.key);
    val_unref(&out.value);
    tree_to_flat(map);
    return true;
}

bool val_set_at(struct val *array, size_t index, struct val value) {
    must(array->kind == VAL_ARRAY || array->kind == VAL_NONE);
    struct val none = val_none;
    if (index >= val_count(array) || value.kind == VAL_NONE || too_deep(&value)) return refuse(&none, &value);
    struct val *slot = val_edit_at(array, index, val_depth(&value));
    if (!slot) return refuse(&none, &value);
    val_unref(slot);
    *slot = value;
    return true;
}

bool val_insert(struct val *array, size_t index, struct val value) {
    must(array->kind == VAL_ARRAY || array->kind == VAL_NONE);
    struct val none = val_none;
    size_t n = val_count(array);
    if (array->kind == VAL_NONE || index > n || value.kind == VAL_NONE || too_deep(&value))
        return refuse(&none, &value);
    if (array->form != VAL_FORM_TREE && n < VAL_FLAT_ARRAY) {
        struct val_node *node = flat_grow(array, VAL_NODE_FLAT_ARRAY);
        if (!node) return refuse(&none, &value);
        struct val *items = node_items(node);
        memmove(items + index + 1, items + index, (n - index) * sizeof *items);
        items[index] = value;
        raise_depth(node, val_depth(&value) + 1);
        return true;
    }
    if (array->form != VAL_FORM_TREE && !flat_to_tree(array)) return refuse(&none, &value);
    if (!own_node(array) || !val_tree_insert(val_tree(array), index, &value)) return refuse(&none, &value);
    return true;
}

bool val_push(struct val *array, struct val value) {
    return val_insert(array, val_count(array), value);
}

bool val_del_at(struct val *array, size_t index) {
    must(array->kind == VAL_ARRAY || array->kind == VAL_NONE);
    if (index >= val_count(array)) return false;
    if (array->form == VAL_FORM_FLAT) return flat_cut(array, index, 1);
    struct val out;
    if (!own_node(array) || !val_tree_remove_at(val_tree(array), index, &out)) return false;
    val_unref(&out);
    tree_to_flat(array);
    return true;
}

struct val *val_edit(struct val *map, const struct val *key, unsigned below) {
    if (map->kind != VAL_MAP || !val_counted(map) || below >= LIMIT_VAL_DEPTH) return NULL;
    struct val *slot;
    if (map->form == VAL_FORM_FLAT) {
        size_t i = find_flat(map->node, key);
        if (i == map->node->n || !own_node(map)) return NULL;
        slot = &node_items(map->node)[2 * i + 1];
    } else {
        const struct map_item *found = val_tree_find(val_tree(map), key);
        if (!found || !own_node(map)) return NULL;
        struct map_item *m = val_tree_edit(val_tree(map), found->seq);
        if (!m) return NULL;
        slot = &m->value;
    }
    raise_depth(map->node, below + 1);
    return slot;
}

struct val *val_edit_at(struct val *array, size_t index, unsigned below) {
    if (array->kind != VAL_ARRAY || index >= val_count(array) || below >= LIMIT_VAL_DEPTH) return NULL;
    if (!own_node(array)) return NULL;
    struct val *slot =
        array->form == VAL_FORM_FLAT ? &node_items(array->node)[index] : val_tree_edit_at(val_tree(array), index);
    if (slot) raise_depth(array->node, below + 1);
    return slot;
}
