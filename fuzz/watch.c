/* watch.c - operations on a tree, and watchers that begin, end, refuse and come back, as the input says: whoever applies what it is
 * told has what stands at its pointer, behind every revision and whenever all is quiet. */
#include "state/watch.h"
#include "base/clock.h"
#include "protocols/json.h"
#include "protocols/jsonpatch.h"
#include "protocols/jsonptr.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define EYES     12
#define VERSIONS 200

static const char *const pointers[] = {"",     "/a",   "/a/0",   "/a/1", "/a/2/b", "/b",   "/b/0",  "/b/0/1",
                                       "/b/1", "/a/-", "/b/a/0", "/0",   "/1",     "/1/b", "/a/10", "/b/-"};
static const char *const values[] = {"1",
                                     "null",
                                     "\"some text that is not short\"",
                                     "[]",
                                     "[1,[2,3]]",
                                     "{\"0\":1,\"1\":[7]}",
                                     "{\"b\":[0,{\"b\":1},2],\"a\":{}}",
                                     "[[0],{\"1\":2},4,{\"b\":9}]"};
#define N(table) (sizeof(table) / sizeof(table)[0])

struct eye {
    struct watch w;
    struct val copy;
    uint64_t have;
    const char *pointer;
    bool behind, refuses;
};

static struct {
    struct val roots[VERSIONS];
    uint64_t revision;
    int64_t now_us;
} g;

static int64_t ask(void *arg) {
    (void)arg;
    return g.now_us;
}

static void check(const struct eye *e, uint64_t revision) {
    struct val null = val_null();
    const struct val *want = jsonptr_get(&g.roots[revision], slice_str(e->pointer), NULL);
    if (!val_equal(&e->copy, val_is_none(want) ? &null : want)) abort();
}

static bool tell(struct watch *w, const struct news *news) {
    static const struct jsonpatch_limits wide = {.ops = 1000, .copied = 0};
    struct eye *e = LOOP_OWNER(struct eye, w, w);
    if (e->behind || news->revision < e->have || (news->bytes != NULL) != (w->format != NULL)) abort();
    if (e->refuses) {
        e->behind = true;
        return false;
    }
    if (news->whole) {
        val_unref(&e->copy);
        e->copy = val_ref(news->value);
        check(e, news->revision);
    } else if (val_is_none(&e->copy)) {
        abort();
    }
    for (size_t i = 0; i < news->revision_n; i++) {
        if (news->revisions[i].id <= e->have || news->revisions[i].id > news->revision) abort();
        if (!jsonpatch_apply(&e->copy, &news->revisions[i].patch, &wide, NULL)) abort();
        e->have = news->revisions[i].id;
        check(e, e->have);
    }
    e->have = news->revision;
    return true;
}

/* One operation; nothing when it does not apply. */
static void settle(struct watchers *ws, uint8_t a, uint8_t b) {
    static const struct json_limits limits = {.bytes = 1000, .depth = 20};
    static const struct jsonpatch_limits wide = {.ops = 10, .copied = 0};
    static const char *const words[] = {"add", "replace", "remove"};
    if (g.revision + 1 == VERSIONS) return;
    struct val value = val_none, root = val_ref(&g.roots[g.revision]);
    if (!json_parse(slice_str(values[b % N(values)]), &limits, &value, NULL)) abort();
    struct val path = val_of_str(pointers[a % N(pointers)]), word = val_of_str(words[b / N(values) % 3]);
    struct val patch = VAL_ARRAY_OF(VAL_MAP_OF({"op", word}, {"path", path}, {"value", value}));
    if (!jsonpatch_apply(&root, &patch, &wide, NULL)) {
        val_unref(&root);
        val_unref(&patch);
        return;
    }
    g.roots[++g.revision] = root;
    if (!watchers_settle(ws, g.revision, patch)) abort();
}

static void begin(struct watchers *ws, struct eye *e, uint8_t b) {
    if (watch_is_begun(&e->w)) return;
    bool back = b & 1 && !val_is_none(&e->copy) && !e->behind;
    if (!back) {
        e->pointer = pointers[b / 4 % N(pointers)];
        e->w.format = b & 2 ? &watch_json : NULL;
        val_unref(&e->copy);
        e->have = 0;
    }
    e->behind = false;
    if (!watch_begin(ws, &e->w, slice_str(e->pointer), back ? watchers_life(ws) : 0, e->have, NULL)) abort();
}

static void quieten(struct loop *l, const struct eye *eyes) {
    for (int idle = 0, i = 0; idle < 3; i++) {
        idle = loop_turn(l, 0) ? 0 : idle + 1;
        if (i > 100000) abort();
    }
    for (size_t i = 0; i < EYES; i++)
        if (watch_is_begun(&eyes[i].w) && !eyes[i].behind) check(&eyes[i], g.revision);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct clock_source by_hand = {ask, ask, NULL};
    clock_use(&by_hand);
    g.revision = 0;
    g.now_us = 1000000;
    g.roots[0] = val_empty_map();
    uint8_t how = size ? data[0] : 0;
    struct watch_limits limits = {
        .watches = EYES, .spread = 1 + how % 8, .history = how / 8 % 8, .history_bytes = 3000, .slice = 1 + how};
    struct loop *l = loop_new(NULL);
    struct watchers *ws = l ? watchers_new(l, NULL, &g.roots[0], 0, &limits, NULL) : NULL;
    struct eye eyes[EYES];
    if (!ws) abort();
    for (size_t i = 0; i < EYES; i++) eyes[i] = (struct eye){.w = {.tell = tell}, .copy = val_none, .pointer = ""};
    for (size_t i = 1; i + 2 < size && i < 1500; i += 3) {
        uint8_t op = data[i] % 10, a = data[i + 1], b = data[i + 2];
        struct eye *e = &eyes[a % EYES];
        if (op < 3) {
            settle(ws, a, b);
            if (op) watchers_now(ws, &g.roots[g.revision]);
        } else if (op < 5) {
            begin(ws, e, b);
        } else if (op == 5) {
            watch_end(&e->w);
        } else if (op == 6) {
            e->refuses = b & 1;
        } else if (op == 7) {
            e->behind = e->behind && !watch_is_begun(&e->w);
            watch_ready(&e->w);
        } else if (op == 8) {
            for (unsigned k = b % 8; k; k--) loop_turn(l, 0);
        } else {
            watchers_now(ws, &g.roots[g.revision]);
            quieten(l, eyes);
            g.now_us += 1100000;
        }
    }
    watchers_now(ws, &g.roots[g.revision]);
    quieten(l, eyes);
    for (size_t i = 0; i < EYES; i++) {
        watch_end(&eyes[i].w);
        val_unref(&eyes[i].copy);
    }
    watchers_free(ws);
    for (int i = 0; i < 3; i++) loop_turn(l, 0);
    loop_free(l);
    for (uint64_t i = 0; i <= g.revision; i++) val_unref(&g.roots[i]);
    clock_use(NULL);
    return 0;
}
