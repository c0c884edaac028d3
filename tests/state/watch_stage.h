/* watch_stage.h - a tree, its watchers on a loop, a clock the test turns, and eyes that note what they are told. Included by the tests
 * of watchers. */
#ifndef TESTS_STATE_WATCH_STAGE_H
#define TESTS_STATE_WATCH_STAGE_H

#include "base/clock.h"
#include "base/mem.h"
#include "lib/tap.h"
#include "protocols/json.h"
#include "protocols/jsonpatch.h"
#include "state/watch.h"

#include <stdio.h>
#include <stdlib.h>

#define STAGE __attribute__((unused)) static

STAGE int64_t now_us;
STAGE int64_t ask(void *arg) {
    (void)arg;
    return now_us;
}
STAGE const struct clock_source by_hand = {ask, ask, NULL};

STAGE struct loop *l;
STAGE struct watchers *ws;
STAGE struct val root;
STAGE uint64_t revision;

STAGE struct val json(const char *text) {
    static const struct json_limits limits = {.bytes = 1 << 20, .depth = 100};
    struct val v = val_none;
    struct err e = ERR_INIT;
    if (!CHECK(json_parse(slice_str(text), &limits, &v, &e))) tap_note("%s: %s", text, e.text);
    return v;
}

STAGE void start_with(const char *text, const struct watch_limits *limits, const struct plan *plan) {
    struct err e = ERR_INIT;
    clock_use(&by_hand);
    now_us = 1000000;
    revision = 10;
    root = json(text);
    CHECK((l = loop_new(&e)) != NULL);
    CHECK((ws = watchers_new(l, plan, &root, revision, limits, &e)) != NULL);
}
STAGE void start(const char *text) {
    start_with(text, &watch_limits, NULL);
}
STAGE void stop(void) {
    watchers_free(ws);
    for (int i = 0; i < 3; i++) loop_turn(l, 0);
    loop_free(l);
    val_unref(&root);
    clock_use(NULL);
}

/* Until nothing is left to do; returns the turns in which something was. */
STAGE unsigned turn(void) {
    unsigned n = 0;
    while (n < 100000 && loop_turn(l, 0)) n++;
    return n;
}

STAGE bool settle_only(struct val patch) {
    static const struct jsonpatch_limits wide = {.ops = 100000, .copied = 0};
    struct err e = ERR_INIT;
    if (!CHECK(jsonpatch_apply(&root, &patch, &wide, &e))) tap_note("%s", e.text);
    return watchers_settle(ws, ++revision, patch);
}
/* A revision is settled, and the tree is now as it says. */
STAGE void settle(const char *patch) {
    CHECK(settle_only(json(patch)));
    watchers_now(ws, &root);
}

struct eye {
    struct watch w;
    unsigned told, wholes;
    uint64_t revision;
    size_t revisions; /* of the last news */
    char last[400];   /* its bytes, or what it says as JSON */
    struct shared *bytes;
    bool refuses, keeps;
    void (*also)(struct eye *e);
};

STAGE void note(struct eye *e, struct slice s) {
    snprintf(e->last, sizeof e->last, "%.*s", (int)(s.len < 390 ? s.len : 390), (const char *)s.ptr);
}

STAGE bool tell(struct watch *w, const struct news *news) {
    struct eye *e = LOOP_OWNER(struct eye, w, w);
    bool takes = !e->refuses;
    e->told++;
    e->wholes += news->whole;
    e->revision = news->revision;
    e->revisions = news->revision_n;
    if (e->keeps && news->whole) e->bytes = shared_ref(news->bytes);
    if (!e->keeps) e->bytes = news->bytes;
    if (news->bytes) {
        note(e, shared_slice(news->bytes));
    } else {
        struct buf out;
        buf_init(&out, 1 << 20);
        if (news->whole) json_write(&out, news->value, JSON_COMPACT, NULL);
        for (size_t i = 0; i < news->revision_n; i++) {
            buf_u64(&out, news->revisions[i].id);
            json_write(&out, &news->revisions[i].patch, JSON_COMPACT, NULL);
        }
        note(e, buf_slice(&out));
        buf_release(&out);
    }
    if (e->also) e->also(e);
    return takes;
}

#define EYE(...)                                                                                                       \
    {                                                                                                                  \
        .w = {.tell = tell, __VA_ARGS__ }                                                                              \
    }

STAGE void begin(struct eye *e, const char *pointer) {
    struct err err = ERR_INIT;
    if (!CHECK(watch_begin(ws, &e->w, slice_str(pointer), 0, 0, &err))) tap_note("%s", err.text);
}

STAGE void said(struct eye *e, const char *want) {
    CHECK_TEXT(slice_str(e->last), slice_str(want));
    e->last[0] = 0;
}

STAGE size_t in_brackets(uint8_t *out, uint64_t len) {
    return (size_t)snprintf((char *)out, WATCH_HEAD, "<%u>", (unsigned)len);
}
STAGE const struct watch_format bracketed = {.name = "bracketed", .head = in_brackets},
                                bracketed_cbor = {.name = "bracketed cbor", .cbor = true, .head = in_brackets};

/* Many who watch the same. */
STAGE struct eye *crowd;
STAGE unsigned crowd_n;

STAGE void gather(unsigned n, const char *pointer, const struct watch_format *format) {
    crowd = calloc(n, sizeof *crowd);
    crowd_n = n;
    for (unsigned i = 0; i < n; i++) {
        crowd[i].w = (struct watch){.tell = tell, .format = format};
        begin(&crowd[i], pointer);
    }
}
STAGE void disperse(void) {
    for (unsigned i = 0; i < crowd_n; i++) watch_end(&crowd[i].w);
    free(crowd);
}

#endif
