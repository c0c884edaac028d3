/* watch_model.c - random trees and revisions, and watchers that refuse, end, begin and come back at random. Each applies what it is
 * told to a copy of its own; behind every revision it is told, and whenever all is quiet, the copy must be what a naive reader
 * finds at its pointer, with private things taken out by hand. */
#include "base/clock.h"
#include "base/mem.h"
#include "lib/tap.h"
#include "protocols/cbor.h"
#include "protocols/json.h"
#include "protocols/jsonpatch.h"
#include "protocols/jsonptr.h"
#include "state/watch.h"

#include <stdio.h>
#include <stdlib.h>

static uint64_t state = 88172645463325252u;
static uint32_t next(uint32_t below) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)((state >> 11) % below);
}

static int64_t now_us;
static int64_t ask(void *arg) {
    (void)arg;
    return now_us;
}
static const struct clock_source by_hand = {ask, ask, NULL};

/* --- random trees; few keys, so that much happens in the same places --- */

#define LONG_KEY "a key longer than fourteen bytes"
static const char *const keys[] = {"a", "b", "0", "1", "2", "x~y", "p/q", LONG_KEY};
#define KEYS (sizeof keys / sizeof keys[0])

static struct val make(unsigned depth) {
    uint32_t what = next(depth ? 10 : 4);
    if (what == 0) return val_null();
    if (what == 1) return val_of_str("a text that lives in a block of its own");
    if (what < 4) return val_of_u64(next(1000));
    bool map = what < 8;
    struct val v = map ? val_empty_map() : val_empty_array();
    for (uint32_t n = next(5); n; n--)
        CHECK(map ? val_set_str(&v, keys[next(KEYS)], make(depth - 1)) : val_push(&v, make(depth - 1)));
    return v;
}

static void change(struct val *v, unsigned depth);

static void change_map(struct val *v, unsigned depth) {
    struct val k = val_of_str(keys[next(KEYS)]);
    uint32_t what = next(6);
    if (what == 0) {
        CHECK(val_del(v, &k));
    } else if (what < 3 || val_is_none(val_get_key(v, &k))) {
        CHECK(val_set(v, val_ref(&k), make(depth - 1)));
    } else {
        struct val below = val_ref(val_get_key(v, &k));
        change(&below, depth - 1);
        CHECK(val_set(v, val_ref(&k), below));
    }
    val_unref(&k);
}

static void change_array(struct val *v, unsigned depth) {
    size_t n = val_count(v);
    uint32_t what = next(5);
    if (n == 0 || (what == 0 && n < 6)) {
        CHECK(val_insert(v, next((uint32_t)n + 1), make(depth - 1)));
    } else if (what == 1) {
        CHECK(val_del_at(v, next((uint32_t)n)));
    } else {
        size_t at = next((uint32_t)n);
        struct val below = val_ref(val_at(v, at));
        change(&below, depth - 1);
        CHECK(val_set_at(v, at, below));
    }
}

/* Changes something somewhere. */
static void change(struct val *v, unsigned depth) {
    if (depth == 0 || val_kind(v) < VAL_ARRAY || next(12) == 0) {
        val_unref(v);
        *v = make(depth);
    } else if (val_kind(v) == VAL_MAP) {
        change_map(v, depth);
    } else {
        change_array(v, depth);
    }
}

static const char *const pointers[] = {
    "",     "/a",       "/b",   "/a/a", "/a/b", "/a/0",     "/a/1",    "/a/2",          "/b/0/a", "/b/1/0",
    "/0/1", "/x~0y",    "/-",   "/a/-", "/0",   "/1/a/0",   "/p~1q/a", "/b/10",         "/a/01",  "/a/1/1/1",
    "/2",   "/nowhere", "/b/b", "/0/0", "/1",   "/a/0/0/0", "/b/x~0y", ("/a/" LONG_KEY)};
#define POINTERS (sizeof pointers / sizeof pointers[0])

/* --- what is private: /a/b, /b/x~y (null instead), LONG_KEY in any map below the root; by hand and as a plan --- */

static const struct plan_branch branches[] = {{.pattern = "", .owner = "all"},
                                              {.pattern = "/a/b", .attrs = PLAN_PRIVATE},
                                              {.pattern = "/b/x~0y", .attrs = PLAN_PRIVATE | PLAN_NULL},
                                              {.pattern = "/*/" LONG_KEY, .attrs = PLAN_SECRET}};
static const struct plan_config plan_config = {
    .name = "model", .version = 1, .birth = "{}", .branches = branches, .branch_n = 4};

static void strip_key(struct val *root, const char *branch, const char *key, bool null) {
    struct val *below, k = val_of_str(branch), leaf = val_of_str(key);
    const struct val *was = val_get_key(root, &k);
    if (val_kind(root) == VAL_MAP && val_kind(was) == VAL_MAP && !val_is_none(val_get_key(was, &leaf))) {
        CHECK((below = val_edit(root, &k, 4)) != NULL);
        if (null)
            CHECK(val_set(below, val_ref(&leaf), val_null()));
        else
            CHECK(val_del(below, &leaf));
    }
    val_unref(&k);
    val_unref(&leaf);
}

static struct val strip(const struct val *root) {
    struct val v = val_ref(root);
    strip_key(&v, "a", "b", false);
    strip_key(&v, "b", "x~y", true);
    for (size_t i = 0; i < KEYS; i++) strip_key(&v, keys[i], LONG_KEY, false);
    return v;
}

static bool is_private(const char *pointer) {
    return !strcmp(pointer, "/a/b") || !strcmp(pointer, "/b/x~0y") || !strcmp(pointer, "/a/" LONG_KEY);
}

/* --- the stage --- */

#define EYES     60
#define DEPTH    4
#define VERSIONS 140000

struct eye {
    struct watch w;
    struct val copy; /* VAL_NONE: nothing yet */
    uint64_t have;
    const char *pointer;
    unsigned session;
    bool behind, wants_whole; /* wants_whole: what it is told first must be that */
};

static struct {
    struct loop *l;
    struct watchers *ws;
    struct plan *plan;
    struct val roots[VERSIONS]; /* every version, by revision */
    uint64_t revision;
    struct eye eyes[EYES];
    unsigned refuse, meddle; /* in a hundred */
    bool faults;
    uint64_t wholes, changes, several, silent;
} g;

static const struct jsonpatch_limits wide = {.ops = 100000, .copied = 0};

/* What a naive reader finds. */
static struct val look(uint64_t revision, const struct eye *e) {
    struct val root = g.plan && !e->w.inside ? strip(&g.roots[revision]) : val_ref(&g.roots[revision]);
    const struct val *v = jsonptr_get(&root, slice_str(e->pointer), NULL);
    struct val out = val_is_none(v) ? val_null() : val_ref(v);
    val_unref(&root);
    return out;
}

static bool check_copy(const struct eye *e, uint64_t revision, const struct val *copy, const char *when) {
    struct val want = look(revision, e);
    bool good = CHECK(val_equal(copy, &want));
    if (!good) {
        struct buf out;
        buf_init(&out, 1 << 20);
        buf_printf(&out, "%s: revision %u at \"%s\"%s: have ", when, (unsigned)revision, e->pointer,
                   e->w.inside ? " inside" : "");
        json_write(&out, copy, JSON_COMPACT, NULL);
        buf_add_str(&out, " want ");
        json_write(&out, &want, JSON_COMPACT, NULL);
        tap_note("%.*s", (int)out.len, (const char *)out.ptr);
        buf_release(&out);
    }
    val_unref(&want);
    return good;
}

/* --- the bytes: each message is headed by its length as a number of differing width and a colon --- */

static size_t write_len(uint8_t *out, uint64_t len) {
    char text[16];
    snprintf(text, sizeof text, "%u:", (unsigned)len);
    memcpy(out, text, strlen(text));
    return strlen(text);
}
static const struct watch_format headed = {.name = "headed", .head = write_len},
                                 binary = {.name = "binary", .cbor = true, .head = write_len};

static struct val read_message(struct slice *in, bool cbor) {
    static const struct json_limits json_limits = {.bytes = 1 << 20, .depth = 100};
    static const struct cbor_limits cbor_limits = {.bytes = 1 << 20, .string = 1 << 20, .depth = 100};
    struct slice len = slice_cut(in, ':');
    size_t n = 0;
    for (size_t i = 0; i < len.len; i++) n = n * 10 + (size_t)(len.ptr[i] - '0');
    struct val out = val_none;
    if (!CHECK(n <= in->len)) return out;
    struct slice body = slice_head(*in, n);
    *in = slice_skip(*in, n);
    CHECK(cbor ? cbor_parse(body, &cbor_limits, &out, NULL) : json_parse(body, &json_limits, &out, NULL));
    return out;
}

static void check_message(struct slice *in, bool cbor, uint64_t id, const char *name, const struct val *want) {
    struct val got = read_message(in, cbor);
    uint64_t n = 0;
    CHECK(val_as_u64(val_get(&got, LIT("id")), &n));
    CHECK_INT(n, id);
    CHECK(val_equal(val_get(&got, slice_str(name)), want));
    CHECK_INT(val_count(&got), 2);
    val_unref(&got);
}

static void check_bytes(const struct eye *e, const struct news *news) {
    if (!e->w.format) {
        CHECK(!news->bytes);
        return;
    }
    if (!CHECK(news->bytes != NULL)) return;
    struct slice in = shared_slice(news->bytes);
    bool cbor = e->w.format->cbor;
    if (news->whole) check_message(&in, cbor, news->revision, "value", news->value);
    for (size_t i = 0; i < news->revision_n; i++)
        check_message(&in, cbor, news->revisions[i].id, "patch", &news->revisions[i].patch);
    CHECK_INT(in.len, 0);
}

/* --- watchers --- */

static void begin(struct eye *e);

static void meddle(void) {
    struct eye *e = &g.eyes[next(EYES)];
    uint32_t what = next(4);
    if (what == 0) {
        watch_end(&e->w);
        e->session++;
        if (next(2)) begin(e);
    } else if (what == 1) {
        if (!watch_is_begun(&e->w)) begin(e);
    } else if (what == 2) {
        if (e->behind && watch_is_begun(&e->w)) {
            e->behind = false;
            watch_ready(&e->w);
        }
    } else if (next(2)) {
        watch_ready(&e->w); /* nothing, or as above */
        e->behind = false;
    }
}

static void apply(struct eye *e, const struct news *news) {
    CHECK(news->whole || !e->wants_whole);
    CHECK(news->revision >= e->have);
    check_bytes(e, news);
    if (news->whole) {
        CHECK(news->revision_n == 0 && news->value);
        g.wholes++;
        val_unref(&e->copy);
        e->copy = val_ref(news->value);
        check_copy(e, news->revision, &e->copy, "value");
    } else {
        CHECK(news->revision_n > 0 && !news->value && !val_is_none(&e->copy));
        g.changes++;
        g.several += news->revision_n > 1;
    }
    for (size_t i = 0; i < news->revision_n; i++) {
        const struct watch_revision *r = &news->revisions[i];
        struct err err = ERR_INIT;
        CHECK(r->id > e->have && r->id <= news->revision && val_count(&r->patch) > 0);
        if (!CHECK(jsonpatch_apply(&e->copy, &r->patch, &wide, &err))) tap_note("%s: %s", e->pointer, err.text);
        check_copy(e, r->id, &e->copy, "change");
        e->have = r->id;
    }
    e->have = news->revision;
    e->wants_whole = false;
}

static bool tell(struct watch *w, const struct news *news) {
    struct eye *e = LOOP_OWNER(struct eye, w, w);
    mem_fault(0, 0);
    CHECK(!e->behind && watch_is_begun(w));
    bool refuses = next(100) < g.refuse;
    unsigned session = e->session;
    if (!refuses) apply(e, news);
    if (next(100) < g.meddle) meddle();
    if (next(100) < g.meddle) meddle();
    if (refuses && session == e->session) {
        e->behind = true;
        e->wants_whole = true;
    }
    return !refuses;
}

static void forget(struct eye *e) {
    val_unref(&e->copy);
    e->have = 0;
    e->wants_whole = true;
}

static void begin(struct eye *e) {
    static const struct watch_format *const formats[] = {NULL, &headed, &binary, &watch_json};
    struct err err = ERR_INIT;
    if (!e->pointer || val_is_none(&e->copy) || next(3) == 0) { /* else it comes back to where it was */
        e->pointer = pointers[next(POINTERS)];
        e->w.inside = next(3) == 0;
        e->w.format = e->w.inside ? NULL : formats[next(3)];
        forget(e);
    }
    e->behind = false;
    e->session++;
    if (g.plan && !e->w.inside && is_private(e->pointer)) {
        CHECK(!watch_begin(g.ws, &e->w, slice_str(e->pointer), 0, 0, &err) && err.code == ERR_NOT_FOUND);
        CHECK(!watch_is_begun(&e->w));
        return;
    }
    uint64_t life = watchers_life(g.ws), told;
    bool good;
    if (next(6) == 0) {
        watchers_told(g.ws, &told);
        val_unref(&e->copy);
        e->copy = look(told, e);
        e->have = told;
        e->wants_whole = false;
        good = watch_begin_behind_told(g.ws, &e->w, slice_str(e->pointer), &err);
    } else if (val_is_none(&e->copy) || e->wants_whole) {
        forget(e);
        good = watch_begin(g.ws, &e->w, slice_str(e->pointer), next(2) ? life : 0, 1000000, &err);
    } else if (next(5) == 0) {
        forget(e);
        good = watch_begin(g.ws, &e->w, slice_str(e->pointer), life + 2, 1, &err);
    } else {
        good = watch_begin(g.ws, &e->w, slice_str(e->pointer), life, e->have, &err);
    }
    if (!CHECK(good)) tap_note("%s", err.text);
}

/* --- the play --- */

/* With a plan the root is a map, as the plan's patterns have it: an index is no key. */
static void keep_map(struct val *root) {
    if (g.plan && val_kind(root) != VAL_MAP) *root = VAL_MAP_OF({"a", *root});
}

static void settle(void) {
    for (uint32_t n = 1 + next(3); n && g.revision + 1 < VERSIONS; n--) {
        struct val root = val_ref(&g.roots[g.revision]), ops = val_empty_array();
        for (uint32_t k = 1 + next(3); k; k--) {
            change(&root, DEPTH);
            keep_map(&root);
        }
        CHECK(jsonpatch_diff(&g.roots[g.revision], &root, &ops, NULL));
        if (!val_count(&ops)) {
            val_unref(&ops);
            val_unref(&root);
            continue;
        }
        g.roots[++g.revision] = root;
        if (g.faults) mem_fault(1 + next(8), (int)next(2));
        bool kept = watchers_settle(g.ws, g.revision, ops);
        CHECK(kept || g.faults);
        mem_fault(0, 0);
        if (next(20) == 0 && n == 1 && g.revision + 1 < VERSIONS) loop_turn(g.l, 0); /* nothing is told before `now` */
    }
    watchers_now(g.ws, &g.roots[g.revision]);
}

static void turn(void) {
    if (g.faults && next(3) == 0) mem_fault(1 + next(40), (int)next(2));
    loop_turn(g.l, 0);
    mem_fault(0, 0);
}

/* Until nothing happens: a loop that has nothing to do would wait. */
static void quieten(void) {
    for (int round = 0; round < 3; round++) {
        unsigned idle = 0;
        for (int i = 0; i < 20000 && idle < 3; i++) idle = loop_turn(g.l, 0) ? 0 : idle + 1;
        if (!CHECK(idle == 3)) return;
        now_us += 1500000; /* what there was no memory for is tried again */
    }
    for (size_t i = 0; i < EYES; i++) {
        struct eye *e = &g.eyes[i];
        if (!watch_is_begun(&e->w) || e->behind) continue;
        CHECK(!e->wants_whole);
        check_copy(e, g.revision, &e->copy, "quiet");
    }
}

static void play(const struct watch_limits *limits, unsigned steps, bool faults, bool history) {
    clock_use(&by_hand);
    now_us = 1000000;
    struct err err = ERR_INIT;
    g.faults = faults;
    g.wholes = g.changes = g.several = 0;
    g.revision = 1;
    g.roots[1] = make(DEPTH);
    keep_map(&g.roots[1]);
    CHECK((g.l = loop_new(&err)) != NULL);
    CHECK((g.ws = watchers_new(g.l, g.plan, &g.roots[1], 1, limits, &err)) != NULL);
    for (size_t i = 0; i < EYES; i++) g.eyes[i] = (struct eye){.w = {.tell = tell}, .copy = val_none};
    for (unsigned i = 0; i < steps && g.revision + 4 < VERSIONS; i++) {
        g.refuse = i / 200 % 3 * 5;
        g.meddle = i / 100 % 3 * 15;
        uint32_t what = next(10);
        if (what < 4)
            settle();
        else if (what < 7)
            turn();
        else if (what < 9)
            for (uint32_t n = next(6); n; n--) meddle();
        else if (next(4) == 0)
            quieten();
        now_us += next(20000);
    }
    quieten();
    struct watch_counts c = watchers_counts(g.ws);
    tap_note("%u revisions; values told %u, changes %u (of several revisions %u), refused %u, resumed %u",
             (unsigned)g.revision, (unsigned)g.wholes, (unsigned)g.changes, (unsigned)g.several, (unsigned)c.behind,
             (unsigned)c.resumed);
    CHECK(g.wholes > 100 && c.behind > 10);
    CHECK(!history || (g.changes > 500 && g.several > 100 && c.resumed > 10));
    for (size_t i = 0; i < EYES; i++) {
        watch_end(&g.eyes[i].w);
        val_unref(&g.eyes[i].copy);
    }
    CHECK_INT(watchers_counts(g.ws).scopes, 0);
    watchers_free(g.ws);
    for (int i = 0; i < 5; i++) loop_turn(g.l, 0);
    loop_free(g.l);
    for (uint64_t i = 1; i <= g.revision; i++) val_unref(&g.roots[i]);
    clock_use(NULL);
}

static unsigned steps(void) {
    return getenv("STARTBOX_LONG") ? 150000 : 12000;
}

TEST(copies_follow_with_a_wide_turn_and_a_long_history) {
    static const struct watch_limits l = {
        .watches = 1000, .spread = 1000, .history = 1000, .history_bytes = 1 << 20, .slice = 10000};
    play(&l, steps(), false, true);
}

TEST(copies_follow_when_few_are_told_in_a_turn) {
    static const struct watch_limits l = {
        .watches = 1000, .spread = 3, .history = 40, .history_bytes = 1 << 20, .slice = 10000};
    play(&l, steps(), false, true);
}

TEST(copies_follow_when_values_take_many_slices_and_history_is_short) {
    static const struct watch_limits l = {
        .watches = 1000, .spread = 7, .history = 6, .history_bytes = 3000, .slice = 16};
    play(&l, steps(), false, true);
}

TEST(copies_follow_without_any_history) {
    static const struct watch_limits l = {.watches = 1000, .spread = 5, .history = 0, .history_bytes = 0, .slice = 64};
    play(&l, steps() / 4, false, false);
}

TEST(copies_follow_when_memory_fails_now_and_then) {
    static const struct watch_limits l = {
        .watches = 1000, .spread = 20, .history = 30, .history_bytes = 6000, .slice = 200};
    play(&l, steps(), true, true);
}

TEST(copies_follow_with_private_things_left_out) {
    static const struct watch_limits l = {
        .watches = 1000, .spread = 10, .history = 30, .history_bytes = 6000, .slice = 100};
    struct err err = ERR_INIT;
    g.plan = plan_new(&plan_config, &err);
    if (!CHECK(g.plan != NULL)) {
        tap_note("%s", err.text);
        return;
    }
    play(&l, steps(), false, true);
    play(&l, steps(), true, true);
    plan_free(g.plan);
    g.plan = NULL;
}

TAP_MAIN(T(copies_follow_with_a_wide_turn_and_a_long_history), T(copies_follow_when_few_are_told_in_a_turn),
         T(copies_follow_when_values_take_many_slices_and_history_is_short), T(copies_follow_without_any_history),
         T(copies_follow_when_memory_fails_now_and_then), T(copies_follow_with_private_things_left_out))
