/* plan_model.c - random plans and trees against a plain model: rows are compared with a place one by one, trees are
 * walked whole. */
#include "state/plan.h"

#include "base/rng.h"
#include "lib/tap.h"
#include "protocols/cbor.h"
#include "protocols/json.h"
#include "protocols/jsonpatch.h"
#include "protocols/jsonptr.h"

#include <math.h>
#include <stdio.h>

#define ROUNDS 1500

/* --- the model --- */

#define DEEPEST 6
struct place {
    const char *part[DEEPEST]; /* keys; of a pattern "*" too */
    unsigned n;
};

#define ROWS 9
static struct {
    struct place at[ROWS];
    char pattern[ROWS][64];
    struct plan_branch row[ROWS];
    unsigned n;
} m;

static const char *const some_keys[] = {"a", "b", "c/~", "d", ""};
static const char *const some_owners[] = {"red", "green", "blue"};

static void say_place(const struct place *p, char out[64]) {
    struct buf b;
    buf_init(&b, 63);
    for (unsigned i = 0; i < p->n; i++) jsonptr_add(&b, slice_str(p->part[i]));
    snprintf(out, 64, "%.*s", (int)b.len, b.len ? (const char *)b.ptr : "");
    buf_release(&b);
}

static void make_rows(void) {
    m.n = 0;
    for (unsigned tries = (unsigned)rng_below(ROWS + 1); tries; tries--) {
        struct place p = {.n = (unsigned)rng_below(DEEPEST - 1)};
        for (unsigned i = 0; i < p.n; i++) p.part[i] = rng_below(3) ? some_keys[rng_below(4)] : "*";
        say_place(&p, m.pattern[m.n]);
        bool twice = false;
        for (unsigned i = 0; i < m.n; i++) twice |= strcmp(m.pattern[i], m.pattern[m.n]) == 0;
        if (twice) continue;
        unsigned attrs = p.n && rng_below(2) ? 1u << rng_below(3) : 0;
        if (attrs & (PLAN_PRIVATE | PLAN_SECRET) && rng_below(2)) attrs |= PLAN_NULL;
        m.at[m.n] = p;
        m.row[m.n] = (struct plan_branch){m.pattern[m.n], rng_below(2) ? some_owners[rng_below(3)] : NULL, attrs, NULL};
        m.n++;
    }
}

static struct plan *make_plan(void) {
    struct plan_config c = {.name = "n", .version = 1, .birth = "null", .branches = m.row, .branch_n = m.n};
    struct err e = ERR_INIT;
    struct plan *p = plan_new(&c, &e);
    if (!CHECK(p != NULL)) {
        tap_note("%s", e.text);
        exit(1);
    }
    return p;
}

static bool is_star(const char *part) {
    return strcmp(part, "*") == 0;
}

/* Whether the row names the first n parts of the place. */
static bool matches(unsigned row, const struct place *p, unsigned n) {
    if (m.at[row].n != n) return false;
    for (unsigned i = 0; i < n; i++)
        if (!is_star(m.at[row].part[i]) && strcmp(m.at[row].part[i], p->part[i]) != 0) return false;
    return true;
}

static unsigned model_attrs(const struct place *p) {
    unsigned attrs = 0;
    for (unsigned n = 0; n <= p->n; n++)
        for (unsigned r = 0; r < m.n; r++)
            if (matches(r, p, n)) attrs |= m.row[r].attrs;
    return attrs & PLAN_SECRET ? attrs | PLAN_PRIVATE : attrs;
}

/* Both match the same place: the one with the key where they differ first. */
static bool is_before(unsigned row, unsigned other) {
    for (unsigned i = 0; i < m.at[row].n; i++)
        if (is_star(m.at[row].part[i]) != is_star(m.at[other].part[i])) return !is_star(m.at[row].part[i]);
    return false;
}

static const char *model_owner(const struct place *p) {
    for (unsigned n = p->n + 1; n--;) {
        int best = -1;
        for (unsigned r = 0; r < m.n; r++)
            if (m.row[r].owner && matches(r, p, n) && (best < 0 || is_before(r, (unsigned)best))) best = (int)r;
        if (best >= 0) return m.row[best].owner;
    }
    return NULL;
}

/* Whether a row names something below the place. */
static bool leads_on(unsigned row, const struct place *p) {
    bool on = m.at[row].n > p->n;
    for (unsigned i = 0; on && i < p->n; i++)
        on = is_star(m.at[row].part[i]) || strcmp(m.at[row].part[i], p->part[i]) == 0;
    return on;
}

/* Then no array may stand there. */
static bool model_leads_on(const struct place *p) {
    for (unsigned r = 0; r < m.n; r++)
        if (leads_on(r, p)) return true;
    return false;
}

static unsigned model_below(const struct place *p) {
    unsigned attrs = 0;
    for (unsigned r = 0; r < m.n; r++)
        if (leads_on(r, p)) attrs |= m.row[r].attrs;
    return (attrs & PLAN_SECRET ? attrs | PLAN_PRIVATE : attrs) & ~model_attrs(p);
}

/* --- trees --- */

static struct place go_down(const struct place *p, const char *key) {
    struct place down = *p;
    down.part[down.n++] = key;
    return down;
}

static struct val make_tree(const struct place *p) {
    if (p->n < DEEPEST && rng_below(10) < (p->n < 3 ? 9 : 6)) {
        struct val map = val_empty_map();
        for (uint64_t i = rng_below(5); i; i--) {
            const char *key = some_keys[rng_below(5)];
            struct place down = go_down(p, key);
            val_set_str(&map, key, make_tree(&down));
        }
        return map;
    }
    switch (rng_below(5)) {
    case 0: return val_null();
    case 1: return val_of_str("a text that is long");
    case 2:
        return model_leads_on(p) ? val_null() : VAL_ARRAY_OF(VAL_MAP_OF({"a", val_of_u64(rng_below(3))}), val_null());
    default: return val_of_u64(rng_below(3));
    }
}

/* Changes some place of the tree, perhaps to what it was. */
static void mutate(struct val *v, const struct place *p) {
    if (v->kind == VAL_MAP && p->n < DEEPEST && rng_below(6)) {
        const char *key = some_keys[rng_below(5)];
        struct val k = val_of_str(key), inner = val_ref(val_get(v, slice_str(key)));
        struct place down = go_down(p, key);
        if (!val_is_none(&inner) && rng_below(4) == 0) {
            val_del(v, &k);
            val_unref(&inner);
        } else {
            if (val_is_none(&inner)) inner = make_tree(&down);
            mutate(&inner, &down);
            val_set(v, val_ref(&k), inner);
        }
        val_unref(&k);
        return;
    }
    val_unref(v);
    *v = make_tree(p);
}

static const char *static_key(struct slice key) {
    for (unsigned i = 0; i < 5; i++)
        if (slice_eq(slice_str(some_keys[i]), key)) return some_keys[i];
    return "?";
}

/* With `hide` null stands in the place of everything marked, as plan_hide does it. */
static struct val model_strip(const struct val *v, const struct place *p, unsigned attrs, bool hide) {
    if (v->kind != VAL_MAP) return val_ref(v);
    struct val out = val_empty_map();
    for (struct val_iter it = val_iter(v); val_next(&it);) {
        struct place down = go_down(p, static_key(val_as_text(it.key)));
        unsigned has = model_attrs(&down);
        if (!(has & attrs))
            val_set(&out, val_ref(it.key), model_strip(it.value, &down, attrs, hide));
        else if (hide || (attrs & PLAN_PRIVATE && has & PLAN_PRIVATE && has & PLAN_NULL))
            val_set(&out, val_ref(it.key), val_null());
    }
    return out;
}

static void show(const char *what, const struct val *v) {
    struct buf b;
    buf_init(&b, 1 << 16);
    json_write(&b, v, JSON_DIAG, NULL);
    tap_note("%s %.*s", what, (int)b.len, (const char *)b.ptr);
    buf_release(&b);
}

static bool check_same(const struct val *got, const struct val *want, const struct val *from) {
    if (CHECK(val_equal(got, want))) return true;
    for (unsigned i = 0; i < m.n; i++)
        tap_note("row %s %s %u", m.pattern[i], m.row[i].owner ? m.row[i].owner : "-", m.row[i].attrs);
    show("of", from);
    show("got", got);
    show("wanted", want);
    return false;
}

static const unsigned some_attrs[] = {PLAN_PRIVATE, PLAN_SECRET, PLAN_VOLATILE, PLAN_PRIVATE | PLAN_VOLATILE};
static const struct place root = {.n = 0};

/* --- what is proven --- */

TEST(places_have_the_attributes_and_owners_of_the_model) {
    rng_use_seed(11);
    for (unsigned round = 0; round < ROUNDS; round++) {
        make_rows();
        struct plan *p = make_plan();
        for (unsigned i = 0; i < 40; i++) {
            struct place at = {.n = (unsigned)rng_below(DEEPEST + 1)};
            for (unsigned k = 0; k < at.n; k++) at.part[k] = some_keys[rng_below(5)];
            char pointer[64];
            say_place(&at, pointer);
            if (!CHECK_INT(plan_attrs(p, slice_str(pointer)), model_attrs(&at)))
                tap_note("round %u: %s", round, pointer);
            for (unsigned bit = 1; bit <= PLAN_NULL; bit *= 2)
                CHECK(plan_below(p, slice_str(pointer), bit) == ((model_below(&at) & bit) != 0));
            const char *owner = model_owner(&at);
            struct val was = val_of_u64(1), is = val_of_u64(2);
            for (unsigned k = 0; k < 3; k++) {
                uint64_t bit = plan_owner(p, some_owners[k]);
                bool may = plan_may(p, bit, slice_str(pointer), &was, &is, NULL);
                if (!CHECK(may == (owner && strcmp(owner, some_owners[k]) == 0)))
                    tap_note("round %u: %s", round, pointer);
            }
        }
        plan_free(p);
    }
    rng_use_seed(0);
}

TEST(what_readers_see_is_what_the_model_leaves) {
    rng_use_seed(12);
    static const struct cbor_limits limits = {.bytes = 1 << 20, .string = 1 << 10, .depth = 100};
    unsigned changed = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        make_rows();
        struct plan *p = make_plan();
        struct val tree = make_tree(&root);
        unsigned attrs = some_attrs[rng_below(4)];
        struct val want = model_strip(&tree, &root, attrs, false), got = plan_strip(p, LIT(""), &tree, attrs, NULL);
        check_same(&got, &want, &tree);
        if (val_equal(&want, &tree)) CHECK(val_same(&got, &tree));
        changed += !val_equal(&want, &tree);
        /* Written while leaving out, in any budget. */
        struct plan_part part = {p, attrs};
        struct buf b;
        buf_init(&b, 1 << 20);
        struct cbor_writer *w = cbor_write_open_part(&tree, plan_part_step, &part, plan_part_root(&part));
        size_t budget = 1 + rng_below(60);
        while (cbor_write_run(w, &b, budget, NULL) == STEP_MORE) {
        }
        cbor_write_free(w);
        struct val back = val_none;
        CHECK(cbor_parse(buf_slice(&b), &limits, &back, NULL));
        check_same(&back, &want, &tree);
        buf_release(&b);
        val_unref(&back);
        /* A place of it alone. */
        struct place at = root;
        const struct val *v = &tree;
        while (v->kind == VAL_MAP && val_count(v) && rng_below(4)) {
            struct val_iter it = val_iter(v);
            for (uint64_t i = 1 + rng_below(val_count(v)); i; i--) val_next(&it);
            at = go_down(&at, static_key(val_as_text(it.key)));
            v = it.value;
        }
        char pointer[64];
        say_place(&at, pointer);
        struct val alone = plan_strip(p, slice_str(pointer), v, attrs, NULL);
        const struct val *seen = jsonptr_get(&want, slice_str(pointer), NULL);
        CHECK(val_is_none(seen) ? val_is_none(&alone) : val_equal(seen, &alone));
        val_unref(&alone);
        val_unref(&got);
        val_unref(&want);
        val_unref(&tree);
        plan_free(p);
    }
    tap_note("%u trees had something to leave out", changed);
    CHECK(changed > 200);
    rng_use_seed(0);
}

TEST(a_stripped_patch_leads_the_stripped_tree_to_the_stripped_next_one) {
    rng_use_seed(13);
    static const struct jsonpatch_limits limits = {.ops = 1000, .copied = 0};
    unsigned gone_n = 0, op_n = 0, changed_n = 0;
    for (unsigned round = 0; round < 3 * ROUNDS; round++) {
        make_rows();
        struct plan *p = make_plan();
        unsigned attrs = some_attrs[rng_below(4)];
        struct val was = make_tree(&root), is = val_ref(&was), patch = val_empty_array(), left = val_empty_array();
        for (uint64_t i = 1 + rng_below(5); i; i--) mutate(&is, &root);
        CHECK(jsonpatch_diff(&was, &is, &patch, NULL));
        for (struct val_iter it = val_iter(&patch); val_next(&it);) {
            bool gone;
            struct val op = plan_strip_op(p, it.value, attrs, &gone, NULL);
            CHECK(gone == val_is_none(&op));
            op_n++;
            gone_n += gone;
            changed_n += !gone && !val_same(&op, it.value);
            if (!gone) CHECK(val_push(&left, op));
        }
        struct val seen = plan_strip(p, LIT(""), &was, attrs, NULL), want = plan_strip(p, LIT(""), &is, attrs, NULL);
        struct err e = ERR_INIT;
        if (!CHECK(jsonpatch_apply(&seen, &left, &limits, &e))) tap_note("round %u: %s", round, e.text);
        if (!check_same(&seen, &want, &was)) {
            show("patch", &patch);
            show("left", &left);
            break;
        }
        val_unref(&seen);
        val_unref(&want);
        val_unref(&was);
        val_unref(&is);
        val_unref(&patch);
        val_unref(&left);
        plan_free(p);
    }
    CHECK(gone_n > 100 && changed_n > 100 && op_n > gone_n + changed_n);
    tap_note("%u operations, %u gone, %u changed", op_n, gone_n, changed_n);
    rng_use_seed(0);
}

static bool covers(const char *wide, const char *narrow) {
    struct slice w = slice_str(wide), n = slice_str(narrow), a, b;
    while (jsonptr_next(&w, &a))
        if (!jsonptr_next(&n, &b) || !(slice_eq(a, LIT("*")) || slice_eq(a, b))) return false;
    return true;
}

TEST(hiding_by_patterns_hides_what_the_model_marks) {
    rng_use_seed(14);
    for (unsigned round = 0; round < ROUNDS; round++) {
        make_rows();
        struct plan *p = make_plan();
        unsigned attr = 1u << rng_below(3);
        struct val list = plan_patterns(p, attr, NULL), tree = make_tree(&root), hidden = val_ref(&tree);
        struct val want = model_strip(&tree, &root, attr, true);
        CHECK(plan_hide(&hidden, &list, NULL));
        check_same(&hidden, &want, &tree);
        for (size_t i = 0; i < val_count(&list); i++)
            for (size_t k = 0; k < val_count(&list); k++) {
                char a[64], b[64];
                struct slice s = val_as_text(val_at(&list, i)), t = val_as_text(val_at(&list, k));
                snprintf(a, sizeof a, "%.*s", (int)s.len, (const char *)s.ptr);
                snprintf(b, sizeof b, "%.*s", (int)t.len, (const char *)t.ptr);
                CHECK(i == k || !covers(a, b));
            }
        val_unref(&want);
        val_unref(&hidden);
        val_unref(&tree);
        val_unref(&list);
        plan_free(p);
    }
    rng_use_seed(0);
}

/* Every place that differs: another kind, another scalar, come or gone. */
static bool model_may_below(const struct place *p, const char *const *owners, const struct val *was,
                            const struct val *is) {
    static const struct val empty = {.kind = VAL_MAP};
    bool both = was->kind == VAL_MAP && is->kind == VAL_MAP;
    if (!both && !val_equal(was, is)) {
        const char *owner = model_owner(p);
        bool theirs = false;
        for (unsigned i = 0; i < 3; i++) theirs |= owner && owners[i] && strcmp(owner, owners[i]) == 0;
        if (!theirs) return false;
    }
    const struct val *a = was->kind == VAL_MAP ? was : &empty, *b = is->kind == VAL_MAP ? is : &empty;
    for (unsigned i = 0; i < 5; i++) {
        struct slice key = slice_str(some_keys[i]);
        if (p->n == DEEPEST || (val_is_none(val_get(a, key)) && val_is_none(val_get(b, key)))) continue;
        struct place down = go_down(p, some_keys[i]);
        if (!model_may_below(&down, owners, val_get(a, key), val_get(b, key))) return false;
    }
    return true;
}

TEST(owners_may_change_what_the_model_says) {
    rng_use_seed(15);
    unsigned allowed = 0, refused = 0;
    for (unsigned round = 0; round < 3 * ROUNDS; round++) {
        make_rows();
        struct plan *p = make_plan();
        struct val was = make_tree(&root), is = val_ref(&was);
        for (uint64_t i = 1 + rng_below(3); i; i--) mutate(&is, &root);
        const char *owners[3] = {NULL};
        uint64_t bits = 0;
        for (unsigned i = 0; i < 3; i++)
            if (rng_below(3)) {
                owners[i] = some_owners[i];
                bits |= plan_owner(p, some_owners[i]);
            }
        struct place at = {.n = (unsigned)rng_below(4)};
        for (unsigned k = 0; k < at.n; k++) at.part[k] = some_keys[rng_below(5)];
        char pointer[64];
        say_place(&at, pointer);
        const struct val *a = jsonptr_get(&was, slice_str(pointer), NULL),
                         *b = jsonptr_get(&is, slice_str(pointer), NULL);
        const char *owner = model_owner(&at);
        bool theirs = !at.n;
        for (unsigned i = 0; i < 3; i++) theirs |= owner && owners[i] && strcmp(owner, owners[i]) == 0;
        bool want = theirs && model_may_below(&at, owners, a, b);
        if (!CHECK(plan_may(p, bits, slice_str(pointer), a, b, NULL) == want)) {
            tap_note("round %u, %s: %s", round, pointer, want ? "allowed" : "refused");
            show("was", a);
            show("is", b);
        }
        if (!val_equal(a, b)) want ? allowed++ : refused++;
        val_unref(&was);
        val_unref(&is);
        plan_free(p);
    }
    CHECK(allowed > 100 && refused > 100);
    tap_note("%u allowed, %u refused", allowed, refused);
    rng_use_seed(0);
}

/* --- single operations and whole trees --- */

#define FIELD(field, of, ...)                                                                                          \
    { .name = field, .shape = of, __VA_ARGS__ }
#define RECORD(list) .kind = SHAPE_RECORD, .fields = list, .field_n = sizeof(list) / sizeof(list)[0]

static bool is_short(const struct val *v, struct err *e) {
    return val_weight(v, 12) < 12 || err_set(e, ERR_INVALID, "want few things, found many");
}

static const struct shape digit = {.kind = SHAPE_INT, .min = 0, .max = 9},
                          text = {.kind = SHAPE_TEXT, .max = 5, .null = true},
                          pair = {.kind = SHAPE_LIST, .item = &digit, .min = 1, .max = 2},
                          lists = {.kind = SHAPE_LIST, .item = &pair, .max = 3},
                          bytes = {.kind = SHAPE_BYTES, .null = true};
static const struct shape_field up_fields[] = {FIELD("a", &digit), FIELD("d", &pair, .optional = true)};
static const struct shape_field down_fields[] = {FIELD("b", &text, .optional = true),
                                                 FIELD("a", &text, .attrs = PLAN_VOLATILE)};
static const struct shape up = {RECORD(up_fields)}, down = {RECORD(down_fields), .open = true};
static const struct shape_field way_fields[] = {FIELD("up", &up), FIELD("down", &down)};
static const struct shape way = {.kind = SHAPE_TAGGED, .tag = "", .fields = way_fields, .field_n = 2, .null = true};
static const struct shape ways = {.kind = SHAPE_MAP, .item = &way, .min = 1, .max = 3, .check = is_short};
static const struct shape_field top_fields[] = {
    FIELD("a", &ways, .optional = true),    FIELD("b", NULL),
    FIELD("c/~", &lists, .optional = true), FIELD("d", &bytes, .attrs = PLAN_SECRET, .optional = true),
    FIELD("", NULL, .optional = true),
};
static const struct shape top = {RECORD(top_fields)}, loose_top = {RECORD(top_fields), .null = true};
static const struct plan_branch shaped[] = {{"", "red", 0, &top},
                                            {"/b", "green", 0, &loose_top},
                                            {"/b/a/*/b", NULL, PLAN_PRIVATE, NULL},
                                            {"//a", NULL, 0, &digit},
                                            {"//d", NULL, PLAN_PRIVATE, NULL}};

static const char *const pool[] = {
    "null",
    "5",
    "77",
    "-1",
    "\"\"",
    "\"up\"",
    "\"down\"",
    "\"too long\"",
    "[]",
    "[1]",
    "[1,2]",
    "[[1],[2]]",
    "[[1],[]]",
    "{}",
    "{\"\":\"up\",\"a\":1}",
    "{\"\":\"down\",\"b\":null}",
    "{\"\":\"down\",\"b\":\"x\",\"a\":\"y\",\"more\":[1,2]}",
    "{\"\":\"up\",\"a\":1,\"d\":[1]}",
    "{\"a\":{\"\":\"up\",\"a\":3}}",
    "{\"a\":1}",
    "{\"b\":null}",
};

static struct val pick_value(void) {
    static const struct json_limits limits = {.bytes = 1000, .depth = 10};
    struct val v = val_none;
    switch (rng_below(12)) {
    case 0: return val_of_bytes(LIT("bytes"));
    case 1: return val_of_double(NAN);
    case 2: v = val_empty_map(); return val_set(&v, val_of_u64(1), val_null()), v;
    default: CHECK(json_parse(slice_str(pool[rng_below(sizeof pool / sizeof pool[0])]), &limits, &v, NULL)); return v;
    }
}

static void change_some(struct val *v) {
    if (v->kind == VAL_MAP && rng_below(8)) {
        const char *key = some_keys[rng_below(5)];
        struct val k = val_of_str(key), inner = val_ref(val_get(v, slice_str(key)));
        if (val_is_none(&inner))
            val_set(v, val_ref(&k), pick_value());
        else if (rng_below(5) == 0)
            val_del(v, &k);
        else {
            struct val next = val_ref(&inner);
            change_some(&next);
            val_set(v, val_ref(&k), next);
        }
        val_unref(&inner);
        val_unref(&k);
    } else if (v->kind == VAL_ARRAY && val_count(v) && rng_below(5)) {
        size_t i = rng_below(val_count(v));
        struct val inner = val_ref(val_at(v, i));
        change_some(&inner);
        if (rng_below(3))
            val_set_at(v, i, inner);
        else if (rng_below(2))
            val_insert(v, i, inner);
        else {
            val_unref(&inner);
            val_del_at(v, i);
        }
    } else {
        val_unref(v);
        *v = pick_value();
    }
}

TEST(a_tree_checks_when_every_operation_that_led_there_fits) {
    rng_use_seed(16);
    struct plan_config c = {.name = "n",
                            .version = 1,
                            .birth = "{\"b\":null}",
                            .branches = shaped,
                            .branch_n = sizeof shaped / sizeof shaped[0]};
    struct err e = ERR_INIT;
    struct plan *p = plan_new(&c, &e);
    if (!CHECK(p != NULL)) {
        tap_note("%s", e.text);
        return;
    }
    struct val was = VAL_MAP_OF({"b", val_null()});
    unsigned good_n = 0, bad_n = 0, ops_n = 0;
    for (unsigned round = 0; round < 60000; round++) {
        struct val is = val_ref(&was), patch = val_empty_array();
        for (uint64_t i = 1 + rng_below(3); i; i--) change_some(&is);
        CHECK(jsonpatch_diff(&was, &is, &patch, NULL));
        bool fits = true;
        char first[ERR_TEXT] = "";
        for (struct val_iter it = val_iter(&patch); val_next(&it) && fits;) {
            fits = plan_fits(p, &is, val_as_text(val_get(it.value, LIT("path"))), val_get(it.value, LIT("value")), &e);
            if (!fits) snprintf(first, sizeof first, "%s", e.text);
            ops_n++;
        }
        bool checks = plan_check(p, &is, &e);
        if (!CHECK(fits == checks)) {
            tap_note("round %u: %s %s", round, checks ? "checks, but" : "fits, but", checks ? first : e.text);
            show("was", &was);
            show("is", &is);
            show("patch", &patch);
        }
        checks ? good_n++ : bad_n++;
        /* Not stuck with one that is hard to change: now and then from the start. */
        if (checks && rng_below(100)) {
            val_unref(&was);
            was = val_ref(&is);
        } else if (checks) {
            val_unref(&was);
            was = VAL_MAP_OF({"b", val_null()});
        }
        val_unref(&is);
        val_unref(&patch);
        if (fits != checks) break;
    }
    tap_note("%u trees check, %u do not, %u operations", good_n, bad_n, ops_n);
    CHECK(good_n > 1000 && bad_n > 1000);
    val_unref(&was);
    plan_free(p);
    rng_use_seed(0);
}

TAP_MAIN(T(places_have_the_attributes_and_owners_of_the_model), T(what_readers_see_is_what_the_model_leaves),
         T(a_stripped_patch_leads_the_stripped_tree_to_the_stripped_next_one),
         T(hiding_by_patterns_hides_what_the_model_marks), T(owners_may_change_what_the_model_says),
         T(a_tree_checks_when_every_operation_that_led_there_fits))
