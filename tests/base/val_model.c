/* val_model.c - arrays and maps against a plain model, over long random histories with shared versions kept alive. */
#include "base/val_tree.h"
#include "lib/faults.h"
#include "lib/tap.h"

#include <stdio.h>
#include <stdlib.h>

#define MOST 4000

struct model {
    uint32_t key[MOST], value[MOST]; /* in order; arrays use value only */
    size_t n;
};

static uint64_t state = 88172645463325252u;
static uint32_t next(uint32_t below) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)((state >> 11) % below);
}

/* Some keys are short, some long, some no text at all. */
static struct val make_key(uint32_t k) {
    char text[64];
    switch (k % 4) {
    case 0: return val_of_u64(k);
    case 1: snprintf(text, sizeof text, "k%u", k); break;
    case 2: snprintf(text, sizeof text, "a key that is longer than fourteen bytes %u", k); break;
    default: snprintf(text, sizeof text, "fourteen-%05u", k); break;
    }
    return val_of_str(text);
}

static struct val make_value(uint32_t v) {
    if (v % 3 == 0) return val_of_u64(v);
    if (v % 3 == 1) return VAL_ARRAY_OF(val_of_u64(v), val_of_str("nested"));
    char text[64];
    snprintf(text, sizeof text, "a value that lives in a block of its own: %u", v);
    return val_of_str(text);
}

static bool value_is(const struct val *v, uint32_t want) {
    struct val w = make_value(want);
    bool same = val_equal(v, &w);
    val_unref(&w);
    return same;
}

/* The invariants of a tree: tags, fill, counts. Returns items below. */
static uint64_t check_block(const struct val_node *node, unsigned height) {
    if (!CHECK(node->refs > 0) || !CHECK(node->n > 0)) return 0;
    if (height == 1) {
        CHECK(node->type != VAL_NODE_INNER);
        return node->n;
    }
    if (!CHECK(node->type == VAL_NODE_INNER)) return 0;
    const struct bt_child *c = (const struct bt_child *)(const void *)node_items(node);
    uint64_t sum = 0;
    for (size_t i = 0; i < node->n; i++) {
        uint64_t below = check_block(c[i].node, height - 1);
        const struct val_node *leaf = c[i].node;
        while (leaf->type == VAL_NODE_INNER) leaf = ((const struct bt_child *)(const void *)node_items(leaf))[0].node;
        if (leaf->type == VAL_NODE_LEAF_ARRAY) CHECK_INT(c[i].tag, below);
        if (leaf->type == VAL_NODE_LEAF_MAP) CHECK_INT(c[i].tag, ((struct map_item *)(void *)node_items(leaf))[0].seq);
        if (leaf->type == VAL_NODE_LEAF_INDEX) CHECK(c[i].tag == *(uint64_t *)(void *)node_items(leaf));
        if (i) CHECK(leaf->type == VAL_NODE_LEAF_ARRAY || c[i].tag > c[i - 1].tag);
        sum += below;
    }
    return sum;
}

static void check_shape(const struct val *v) {
    if (v->form != VAL_FORM_TREE) return;
    const struct val_tree *t = val_tree(v);
    CHECK_INT(check_block(t->main.root, t->main.height), t->count);
    if (v->kind == VAL_MAP) CHECK_INT(check_block(t->index.root, t->index.height), t->count);
}

static void check_map(const struct val *map, const struct model *m) {
    check_shape(map);
    if (!CHECK_INT(val_count(map), m->n)) return;
    size_t i = 0;
    for (struct val_iter it = val_iter(map); val_next(&it); i++) {
        struct val key = make_key(m->key[i]);
        CHECK(val_equal(it.key, &key));
        CHECK(value_is(it.value, m->value[i]));
        CHECK_INT(it.index, i);
        CHECK(val_get_key(map, &key) == it.value);
        val_unref(&key);
    }
    CHECK_INT(i, m->n);
}

static void check_array(const struct val *a, const struct model *m) {
    check_shape(a);
    if (!CHECK_INT(val_count(a), m->n)) return;
    size_t i = 0;
    for (struct val_iter it = val_iter(a); val_next(&it); i++) {
        CHECK(value_is(it.value, m->value[i]));
        CHECK(val_at(a, i) == it.value);
    }
    CHECK_INT(i, m->n);
    CHECK(val_is_none(val_at(a, m->n)));
}

static struct val map_of(const struct model *m) {
    struct val map = val_empty_map();
    for (size_t i = 0; i < m->n; i++) val_set(&map, make_key(m->key[i]), make_value(m->value[i]));
    return map;
}

static void map_step(struct val *map, struct model *m, uint32_t keys) {
    uint32_t k = next(keys), v = next(1000000);
    size_t at = 0;
    while (at < m->n && m->key[at] != k) at++;
    struct val key = make_key(k);
    if (next(100) < 40 + (m->n < keys / 2 ? 25u : 0u)) {
        CHECK(val_set(map, key, make_value(v)));
        if (at == m->n) m->key[m->n++] = k;
        m->value[at] = v;
        return;
    }
    CHECK(val_del(map, &key));
    val_unref(&key);
    if (at == m->n) return;
    memmove(m->key + at, m->key + at + 1, (m->n - at - 1) * sizeof m->key[0]);
    memmove(m->value + at, m->value + at + 1, (m->n - at - 1) * sizeof m->value[0]);
    m->n--;
}

static void array_step(struct val *a, struct model *m, size_t most) {
    uint32_t v = next(1000000), what = next(100);
    if (m->n == 0 || (what < (m->n < most / 2 ? 60u : 40u) && m->n < most)) {
        size_t at = next(4) ? next((uint32_t)m->n + 1) : m->n;
        CHECK(val_insert(a, at, make_value(v)));
        memmove(m->value + at + 1, m->value + at, (m->n - at) * sizeof m->value[0]);
        m->value[at] = v;
        m->n++;
    } else if (what < 75) {
        size_t at = next((uint32_t)m->n);
        CHECK(val_set_at(a, at, make_value(v)));
        m->value[at] = v;
    } else {
        size_t at = next((uint32_t)m->n);
        CHECK(val_del_at(a, at));
        memmove(m->value + at, m->value + at + 1, (m->n - at - 1) * sizeof m->value[0]);
        m->n--;
    }
}

/* Plays a history; some versions are kept with a copy of the model and looked at again in the end. */
static void play(bool map, size_t steps, uint32_t size) {
    static struct model m, kept_model[4];
    struct val v = map ? val_empty_map() : val_empty_array(), kept[4] = {{.kind = VAL_NONE}};
    m.n = 0;
    for (size_t i = 0; i < 4; i++) kept[i] = val_none;
    for (size_t i = 0; i < steps; i++) {
        if (map)
            map_step(&v, &m, size);
        else
            array_step(&v, &m, size);
        if (next(steps < 200 ? 10 : (uint32_t)(steps / 40)) == 0) {
            size_t k = next(4);
            if (!val_is_none(&kept[k])) {
                if (map)
                    check_map(&kept[k], &kept_model[k]);
                else
                    check_array(&kept[k], &kept_model[k]);
            }
            val_unref(&kept[k]);
            kept[k] = val_ref(&v);
            memcpy(&kept_model[k], &m, sizeof m);
        }
    }
    if (map) {
        check_map(&v, &m);
        struct val again = map_of(&m);
        CHECK(val_equal(&v, &again));
        val_unref(&again);
    } else
        check_array(&v, &m);
    for (size_t k = 0; k < 4; k++) {
        if (val_is_none(&kept[k])) continue;
        if (map)
            check_map(&kept[k], &kept_model[k]);
        else
            check_array(&kept[k], &kept_model[k]);
        val_unref(&kept[k]);
    }
    val_unref(&v);
}

static size_t rounds(size_t n) {
    return getenv("STARTBOX_LONG") ? n * 20 : n;
}

TEST(maps_follow_a_model_through_random_histories) {
    for (size_t i = 0; i < rounds(60); i++) play(true, 300, 8 + next(40));
    for (size_t i = 0; i < rounds(4); i++) play(true, 6000, 300 + next(1500));
}

TEST(arrays_follow_a_model_through_random_histories) {
    for (size_t i = 0; i < rounds(60); i++) play(false, 300, 20 + next(80));
    for (size_t i = 0; i < rounds(4); i++) play(false, 6000, 300 + next(3000));
}

TEST(a_map_emptied_in_any_order_is_empty) {
    for (int order = 0; order < 3; order++) {
        struct val map = val_empty_map();
        for (uint32_t k = 0; k < 3000; k++) CHECK(val_set(&map, make_key(k), val_of_u64(k)));
        for (uint32_t i = 0; i < 3000; i++) {
            uint32_t k = order == 0 ? i : order == 1 ? 2999 - i : i * 7 % 3000;
            struct val key = make_key(k);
            CHECK(val_del(&map, &key));
            val_unref(&key);
            if (i % 500 == 0) check_shape(&map);
        }
        CHECK_INT(val_count(&map), 0);
        CHECK_INT(map.form, VAL_FORM_EMPTY);
    }
}

static bool grow_past_the_last_number(void *arg) {
    (void)arg;
    struct val map = val_empty_map();
    bool good = true;
    for (uint32_t k = 0; k < 60 && good; k++) good = val_set(&map, make_key(k), val_of_u64(k));
    if (good) val_tree(&map)->next_seq = UINT32_MAX - 1; /* as if four billion keys had come and gone */
    struct val held = val_ref(&map);
    for (uint32_t k = 60; k < 64 && good; k++) good = val_set(&map, make_key(k), val_of_u64(k));
    uint64_t n = 0;
    for (struct val_iter it = val_iter(&map); val_next(&it); n++) {
        uint64_t v = 99;
        CHECK(val_as_u64(it.value, &v) && v == n && val_get_key(&map, it.key) == it.value);
    }
    CHECK_INT(n, val_count(&map));
    CHECK(!good || n == 64);
    if (good) CHECK_INT(val_tree(&map)->next_seq, 64); /* 61 keys were there when it counted from zero again */
    check_shape(&map);
    CHECK(!good || val_count(&held) == 60);
    val_unref(&held);
    val_unref(&map);
    return good;
}

TEST(a_map_outlives_its_sequence_numbers) {
    faults_sweep(grow_past_the_last_number, NULL, "numbering a map anew");
}

/* What val_diff_maps says, applied to the old version, gives the new one. */
static bool apply_diff(void *arg, const struct val *key, const struct val *was, const struct val *is) {
    struct val *map = arg;
    CHECK(!val_same(was, is));
    if (val_is_none(is)) return val_del(map, key);
    return val_set(map, val_ref(key), val_ref(is));
}

TEST(the_difference_of_two_maps_leads_from_one_to_the_other) {
    static struct model m;
    for (int round = 0; round < 200; round++) {
        m.n = 0;
        uint32_t size = round % 2 ? 30 : 1500;
        struct val was = val_empty_map();
        for (uint32_t i = 0; i < size; i++) map_step(&was, &m, size);
        struct val is = val_ref(&was);
        uint32_t changes = next(round % 4 == 0 ? size : 6);
        for (uint32_t i = 0; i < changes; i++) map_step(&is, &m, size);
        if (round % 10 == 9) { /* the same content without a common history */
            val_unref(&is);
            is = map_of(&m);
        }
        struct val made = val_ref(&was);
        CHECK(val_diff_maps(&was, &is, apply_diff, &made));
        CHECK(val_equal(&made, &is));
        val_unref(&made);
        val_unref(&was);
        val_unref(&is);
    }
}

TEST(arrays_say_how_much_they_share_at_both_ends) {
    for (int round = 0; round < 200; round++) {
        struct val was = val_empty_array();
        uint32_t n = 1 + next(round % 2 ? 60 : 3000);
        for (uint32_t i = 0; i < n; i++) val_push(&was, val_of_u64(i));
        struct val is = val_ref(&was);
        uint32_t at = next(n), what = next(3);
        if (what == 0) CHECK(val_insert(&is, at, val_of_u64(999999)));
        if (what == 1) CHECK(val_del_at(&is, at));
        if (what == 2) CHECK(val_set_at(&is, at, val_of_u64(999999)));
        size_t head, tail;
        val_diff_arrays(&was, &is, &head, &tail);
        CHECK_INT(head, at);
        CHECK_INT(tail, what == 0 ? n - at : n - at - 1);
        val_diff_arrays(&was, &was, &head, &tail);
        CHECK_INT(head, n);
        CHECK_INT(tail, 0);
        val_unref(&was);
        val_unref(&is);
    }
}

TAP_MAIN(T(maps_follow_a_model_through_random_histories), T(arrays_follow_a_model_through_random_histories),
         T(a_map_emptied_in_any_order_is_empty), T(a_map_outlives_its_sequence_numbers),
         T(the_difference_of_two_maps_leads_from_one_to_the_other), T(arrays_say_how_much_they_share_at_both_ends))
