/* val.h - the one value of the program: an immutable, shared node of the CBOR data model.
 *
 * For: JSON text, CBOR bytes, parameters, results, the state tree and its patches. Nothing converts between look-alikes.
 * Owns: `struct val` is 16 bytes and is passed by value when it changes hands. Small things live inside it: null, bool,
 *       integers from -2^64 to 2^64-1, doubles, texts and bytes up to VAL_INLINE. Everything else is a reference-counted
 *       node that never changes once it is shared.
 *
 * Ownership can be read off the types:
 *   struct val         an owned value. Functions that take one own it from then on, whether they succeed or fail.
 *   const struct val * a borrowed value; it lives until its owner is changed or released.
 *   val_ref(&v)        a further owner. val_unref(&v) ends one and leaves VAL_NONE behind.
 *
 * Absence and failure are one more kind, VAL_NONE, so straight code needs one check at its end:
 *   - readers answer &val_none for what is not there, and may be chained: val_get(val_get(v, LIT("a")), LIT("b"));
 *   - makers answer VAL_NONE when there is no memory, and a maker that is handed VAL_NONE answers VAL_NONE.
 *
 * Changing: val_set and its sisters work on a `struct val` the caller owns. A node that nobody else shares is changed in
 * place, a shared one is copied first along the path; so a version someone else holds never moves. On failure they
 * return false and the container is as it was.
 *
 * Maps keep insertion order; setting an existing key keeps its place. Keys are scalars (text, as a rule). Equality
 * ignores the order of maps. Up to VAL_FLAT_MAP entries (VAL_FLAT_ARRAY elements) are one compact block; beyond that a
 * tree: see val_tree.h for the shape and the cost, docs/decisions/0003-val.md for the reasons.
 *
 * Caveats:
 *   - val_as_text(v) points into *v when the text is short: it lives as long as *v stays where it is. Never take it of a
 *     temporary.
 *   - 1 and 1.0 are different values (an integer and a double); val_equal_number compares by worth.
 *   - Nothing nests deeper than LIMIT_VAL_DEPTH: makers refuse it. So walkers may recurse.
 *   - Texts are UTF-8, always: val_of_text refuses what is not (VAL_NONE). val_of_text_lossy mends instead.
 *
 * Tried: tests/base/val, tests/base/val_model (against a plain model), tests/base/val_budget, fuzz/val. */
#ifndef BASE_VAL_H
#define BASE_VAL_H

#include "base/err.h"
#include "base/limits.h"
#include "base/slice.h"

enum val_kind { VAL_NONE, VAL_NULL, VAL_BOOL, VAL_INT, VAL_FLOAT, VAL_TEXT, VAL_BYTES, VAL_ARRAY, VAL_MAP };

#define VAL_DEPTH_MAX  LIMIT_VAL_DEPTH
#define VAL_INLINE     14 /* bytes of a text that live inside the value */
#define VAL_FLAT_MAP   24 /* entries of the largest compact map */
#define VAL_FLAT_ARRAY 48 /* elements of the largest compact array */

struct val_node;

/* The fields are the room's; use the functions. */
struct val {
    union {
        struct {
            uint8_t kind;
            uint8_t form; /* texts: length inside, or VAL_FORM_HEAP; integers: 1 = negative; containers: which block */
            uint8_t in[VAL_INLINE];
        };
        struct {
            uint8_t head[8];
            union {
                uint64_t num; /* integers: n, or -1-n when negative */
                double real;
                struct val_node *node;
            };
        };
        uint64_t word[2];
    };
};

/* From VAL_FORM_FLAT on there is a node behind the value. */
enum { VAL_FORM_EMPTY = 0, VAL_FORM_FLAT = 253, VAL_FORM_TREE = 254, VAL_FORM_HEAP = 255 };

extern const struct val val_none; /* what readers answer for what is not there */

/* --- asking --- */

static inline enum val_kind val_kind(const struct val *v) {
    return (enum val_kind)v->kind;
}
static inline bool val_is_none(const struct val *v) {
    return v->kind == VAL_NONE;
}
static inline bool val_is_null(const struct val *v) {
    return v->kind == VAL_NULL;
}
const char *val_kind_name(enum val_kind kind); /* "text", "array", ... */

/* True for a bool that is true; anything else is false. */
static inline bool val_is_true(const struct val *v) {
    return v->kind == VAL_BOOL && v->num;
}
/* An integer that fits; false (and *out untouched) when it is not one or does not fit. */
bool val_as_i64(const struct val *v, int64_t *out);
bool val_as_u64(const struct val *v, uint64_t *out);
/* The worth of an integer or a double. */
bool val_as_double(const struct val *v, double *out);
/* Text, or bytes; an empty slice when it is something else. See the caveat on its life. */
struct slice val_as_text(const struct val *v);
struct slice val_as_bytes(const struct val *v);
/* Whether it is exactly this text. */
bool val_is_text(const struct val *v, struct slice text);

/* Elements of an array, entries of a map; 0 for anything else. */
size_t val_count(const struct val *v);
/* An element, or &val_none. */
const struct val *val_at(const struct val *array, size_t index);
/* The value under a text key, or &val_none. */
const struct val *val_get(const struct val *map, struct slice key);
const struct val *val_get_key(const struct val *map, const struct val *key);

/* Walks an array or a map in order. The container must stay as it is meanwhile.
 *     for (struct val_iter it = val_iter(v); val_next(&it);) use(it.key, it.value); */
struct val_iter {
    const struct val *key; /* &val_none in arrays */
    const struct val *value;
    size_t index; /* of the entry just given */
    /* private */
    const uint8_t *at, *end;
    const struct val *whole;
    uint64_t next;
    uint32_t stride;
};
struct val_iter val_iter(const struct val *container);
bool val_iter_refill(struct val_iter *it); /* private: the next block of a tree */
static inline bool val_next(struct val_iter *it) {
    if (it->at == it->end && !val_iter_refill(it)) return false;
    const struct val *slot = (const struct val *)(const void *)it->at;
    it->at += it->stride;
    it->index++;
    if (it->stride == sizeof(struct val))
        it->value = slot;
    else {
        it->key = slot;
        it->value = slot + 1;
    }
    return true;
}

/* The very same node, or the same scalar: costs nothing and never errs on the side of "same". */
static inline bool val_same(const struct val *a, const struct val *b) {
    return a->word[0] == b->word[0] && a->word[1] == b->word[1];
}
/* Equal as values of the data model; skips what both share. NaN equals itself. */
bool val_equal(const struct val *a, const struct val *b);
/* The same, but numbers compare by worth: 1 equals 1.0 (RFC 6902 "test"). */
bool val_equal_number(const struct val *a, const struct val *b);
/* 0 for scalars, 1 for [] and {}, and so on; for big containers that were changed it may be too high, never too low. */
unsigned val_depth(const struct val *v);
/* How many values it holds, itself included, counting a shared one as often as it appears; stops at `most`. */
size_t val_weight(const struct val *v, size_t most);

/* --- making --- */

#define VAL_NULL_INIT                                                                                                  \
    { .kind = VAL_NULL }
static inline struct val val_null(void) {
    return (struct val){.kind = VAL_NULL};
}
static inline struct val val_of_bool(bool b) {
    struct val v = {.kind = VAL_BOOL};
    v.num = b;
    return v;
}
static inline struct val val_of_u64(uint64_t n) {
    struct val v = {.kind = VAL_INT};
    v.num = n;
    return v;
}
/* -1 - n, so that every CBOR integer has a place. */
static inline struct val val_of_negative(uint64_t n) {
    struct val v = {.kind = VAL_INT, .form = 1};
    v.num = n;
    return v;
}
static inline struct val val_of_i64(int64_t n) {
    return n < 0 ? val_of_negative((uint64_t)(-(n + 1))) : val_of_u64((uint64_t)n);
}
/* Every NaN becomes the one quiet NaN. */
struct val val_of_double(double d);
struct val val_of_text(struct slice text); /* VAL_NONE when it is not UTF-8 */
struct val val_of_text_lossy(struct slice text);
struct val val_of_text_checked(struct slice text); /* the caller has checked that it is UTF-8 */
struct val val_of_str(const char *text);
struct val val_of_bytes(struct slice bytes);

static inline struct val val_empty_array(void) {
    return (struct val){.kind = VAL_ARRAY};
}
static inline struct val val_empty_map(void) {
    return (struct val){.kind = VAL_MAP};
}

/* A map or an array in one expression; takes every value:
 *     struct val v = VAL_MAP_OF({"id", val_of_u64(7)}, {"patch", patch});
 *     struct val a = VAL_ARRAY_OF(val_of_u64(1), val_null()); */
struct val_pair {
    const char *key;
    struct val value;
};
struct val val_map_of(const struct val_pair *pairs, size_t n);
struct val val_array_of(const struct val *values, size_t n);
#define VAL_MAP_OF(...)                                                                                                \
    val_map_of((const struct val_pair[]){__VA_ARGS__},                                                                 \
               sizeof((const struct val_pair[]){__VA_ARGS__}) / sizeof(struct val_pair))
#define VAL_ARRAY_OF(...)                                                                                              \
    val_array_of((const struct val[]){__VA_ARGS__}, sizeof((const struct val[]){__VA_ARGS__}) / sizeof(struct val))

/* --- owners --- */

struct val val_ref(const struct val *v);
void val_unref(struct val *v);

/* Releasing something huge in slices: put it here and call val_trash_run now and then. */
struct val_trash {
    struct val_node *head;
};
#define VAL_TRASH_INIT                                                                                                 \
    { NULL }
void val_trash_add(struct val_trash *t, struct val *v); /* v is VAL_NONE afterwards */
/* Frees up to some `budget` nodes; false when the trash is empty. */
bool val_trash_run(struct val_trash *t, size_t budget);

/* --- changing --- */

/* Puts a value under a key. Takes both. */
bool val_set(struct val *map, struct val key, struct val value);
bool val_set_str(struct val *map, const char *key, struct val value);
/* Removes a key; true also when it was not there. */
bool val_del(struct val *map, const struct val *key);
/* Replaces an element; the index must be there. */
bool val_set_at(struct val *array, size_t index, struct val value);
/* Inserts before index; index == count appends. */
bool val_insert(struct val *array, size_t index, struct val value);
bool val_push(struct val *array, struct val value);
bool val_del_at(struct val *array, size_t index);

/* The slot of a value inside a container, made safe to change in place; NULL when it is not there or there is no memory
 * (val_get tells which). Whatever is put there may add at most `below` levels of nesting under the slot. This is how a
 * path is changed without holding a second owner on the way. */
struct val *val_edit(struct val *map, const struct val *key, unsigned below);
struct val *val_edit_at(struct val *array, size_t index, unsigned below);

/* --- comparing versions --- */

/* Calls `each` for every key whose value is not the very same in both maps: was and is are &val_none for what was added or
 * removed. Shared parts of big maps are skipped without a look, so it costs what changed. First all that was removed or
 * changed, in the order of `was`; then what was added, in the order of `is`. Stops and returns false when each does. */
typedef bool val_diff_fn(void *arg, const struct val *key, const struct val *was, const struct val *is);
bool val_diff_maps(const struct val *was, const struct val *is, val_diff_fn *each, void *arg);
/* Whether removing, replacing and adding entries leads from one map to the other, order and all: what both have stands in the same
 * order, and what only `is` has stands behind it. Costs what changed when one was made from the other. */
bool val_same_order(const struct val *was, const struct val *is);
/* How many leading and trailing elements are the very same in both arrays (together at most the shorter's count). */
void val_diff_arrays(const struct val *was, const struct val *is, size_t *head, size_t *tail);

/* --- building from a stream of events (codecs) --- */

enum val_build_fault { VAL_BUILD_FINE, VAL_BUILD_NOMEM, VAL_BUILD_DEPTH, VAL_BUILD_KEY, VAL_BUILD_DUPLICATE };

struct val_build_frame {
    size_t start; /* in items */
    enum val_kind kind;
    uint32_t depth; /* of the deepest finished thing inside */
};

struct val_builder {
    struct val *items; /* finished values of all open containers; those of the innermost on top */
    size_t n, cap;
    struct val_build_frame *frames;
    uint32_t depth, frames_cap, depth_max;
    bool refuse_duplicates; /* else the last one wins */
    enum val_build_fault fault;
    struct val *keys; /* long keys seen lately, so that repeated ones share a node */
};
void val_build_init(struct val_builder *b, unsigned depth_max, bool refuse_duplicates);
void val_build_release(struct val_builder *b);
bool val_build_add_slow(struct val_builder *b, struct val v); /* private */
/* A finished value; in a map, keys and values alternate. Takes it. Each returns false once there is a fault. What may not
 * be a key is found when the map closes. */
static inline bool val_build_add(struct val_builder *b, struct val v) {
    if (b->fault || v.kind == VAL_NONE || b->n == b->cap) return val_build_add_slow(b, v);
    b->items[b->n++] = v;
    return true;
}
/* A text key: as val_build_add(b, val_of_text_checked(key)), sharing with an equal long key seen before. */
bool val_build_key(struct val_builder *b, struct slice key);
bool val_build_open(struct val_builder *b, enum val_kind kind);
bool val_build_close(struct val_builder *b);
/* What a map wants next is a key. */
static inline bool val_build_wants_key(const struct val_builder *b) {
    if (!b->depth) return false;
    const struct val_build_frame *f = &b->frames[b->depth - 1];
    return f->kind == VAL_MAP && (b->n - f->start) % 2 == 0;
}
/* Values at the top that were finished: 0 or 1 for a whole document. */
static inline size_t val_build_ready(const struct val_builder *b) {
    return b->depth == 0 ? b->n : 0;
}
struct val val_build_take(struct val_builder *b);
/* Says the fault as an error with its place. Returns false. */
bool val_build_err(const struct val_builder *b, size_t at, struct err *e);

#ifdef STARTBOX_TEST
/* What changing has cost since the last val_count_reset. */
struct val_cost {
    uint64_t nodes, bytes; /* copied or made */
    uint64_t refs;         /* reference counts touched */
    uint64_t visited;      /* nodes looked at by val_diff_* */
};
extern struct val_cost val_cost;
#endif

#endif
