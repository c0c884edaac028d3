/* recovered.h - the stores that tests of the recovery begin with, and looking at what it said. */
#ifndef TESTS_STATE_RECOVERED_H
#define TESTS_STATE_RECOVERED_H

#include "base/limits.h"
#include "base/mem.h"
#include "lib/tap.h"
#include "state/written.h"

#include <stdio.h>

static const struct recover_config start = {.name = "testd", .version = 1, .most = WRITTEN_BYTES};

/* --- the stores --- */

#define SIZE 2560 /* of a segment: a head and four blocks */

enum shape { SHAPE_PATCH_LAST, SHAPE_MARK_LAST, SHAPE_MARK_FIRST, SHAPE_ONE_BATCH, SHAPE_SKIPS, SHAPE_N };

struct built {
    struct written w;
    uint64_t full;
    unsigned last_file; /* the last batch: nothing behind it says that it was durable */
    uint64_t last_from, last_to, last_first;
};

static inline void prepare_again(struct written *w, uint64_t serial) {
    written_segment(w, serial, SIZE);
    w->serial = 0; /* its earlier life */
    written_head(w, WRITTEN_STORE, 0, 0);
    written_record(w, true, 1, 0, false);
    written_record(w, false, 2, 1, false);
    written_record(w, true, 3, 1, false);
    written_mark_record(w, 3);
}

/* Remembers that the next batch is the last. */
static inline void last_batch(struct built *b, uint64_t first) {
    b->last_file = b->w.file_n - 1;
    b->last_from = b->w.at;
    b->last_first = first;
}

static inline void build(struct built *b, enum shape shape) {
    struct written *w = &b->w;
    *b = (struct built){.w.version = 1};
    written_note(w, 3);
    written_note(w, 8);
    written_segment(w, 1, SIZE);
    written_head(w, WRITTEN_STORE, 1, 8);
    written_record(w, false, 9, 8, true);
    written_record(w, true, 10, 8, true);
    struct buf *one = w->segment;
    uint64_t at = w->at;
    written_snapshot(w, WRITTEN_STORE, 10, 1, "testd");
    w->segment = one;
    w->at = at;
    written_record(w, true, 12, 10, true);
    written_mark_record(w, 12);
    written_record(w, false, 13, 12, true);
    written_record(w, false, 14, 12, true);
    written_record(w, true, 15, 12, true);
    written_segment(w, 2, SIZE);
    written_head(w, WRITTEN_STORE, 2, 15);
    written_record(w, true, 16, 15, true);
    written_record(w, false, 17, 16, true);
    written_record(w, true, 18, 16, true);
    struct buf *two = w->segment;
    at = w->at;
    if (shape != SHAPE_SKIPS) written_snapshot(w, WRITTEN_STORE, 18, 2, "testd");
    w->segment = two;
    w->at = at;
    written_record(w, true, 21, 18, true);
    written_mark_record(w, 21);
    if (shape == SHAPE_SKIPS) written_snapshot(w, WRITTEN_STORE, 21, 2, "testd");
    written_segment(w, 3, SIZE);
    written_head(w, WRITTEN_STORE, 3, 21);
    switch (shape) {
    case SHAPE_PATCH_LAST:
    case SHAPE_MARK_LAST:
    case SHAPE_SKIPS:
        written_record(w, true, 22, 21, true);
        written_record(w, false, 25, 22, true);
        written_record(w, true, 26, 22, true);
        last_batch(b, 27);
        written_record(w, true, b->full = 27, 26, true);
        if (shape == SHAPE_MARK_LAST) {
            last_batch(b, 28);
            written_mark_record(w, 27);
        }
        break;
    case SHAPE_MARK_FIRST:
        written_mark_record(w, 21);
        last_batch(b, 25);
        written_record(w, false, 25, 21, true);
        written_record(w, true, b->full = 28, 21, true);
        break;
    case SHAPE_ONE_BATCH:
        last_batch(b, 24);
        b->last_from = 0; /* it carries the head */
        written_record(w, false, 24, 21, true);
        written_record(w, true, b->full = 26, 21, true);
        break;
    case SHAPE_N: break;
    }
    b->last_to = w->at;
    if (shape == SHAPE_MARK_LAST)
        written_segment(w, 4, SIZE);
    else
        prepare_again(w, 4);
}

/* A store with a snapshot of revision 1 and one segment with base 1. */
static inline void small(struct written *w) {
    *w = (struct written){.version = 1};
    written_note(w, 1);
    written_snapshot(w, WRITTEN_STORE, 1, 1, "testd");
    written_segment(w, 1, 8192);
    written_head(w, WRITTEN_STORE, 1, 1);
}

static inline void wipe(struct written *w, size_t from, size_t to) {
    memset(w->segment->ptr + from, 0, to - from);
}

/* --- what a start says --- */

static inline bool is_tree(const struct written *w, const struct recover_result *r) {
    struct val want = written_tree(w, r->revision);
    bool same = val_equal(&want, &r->root);
    val_unref(&want);
    return same;
}

static const struct recover_finding *find(const struct recover_result *r, enum recover_grade grade, const char *name) {
    for (unsigned i = 0; i < r->finding_n; i++)
        if (r->findings[i].grade == grade && (!name || !strcmp(r->findings[i].name, name))) return &r->findings[i];
    return NULL;
}

static inline void print(const struct recover_result *r) {
    tap_note("revision %llu%s%s%s", (unsigned long long)r->revision, r->empty ? ", empty" : "",
             r->damaged ? ", damaged" : "", r->refused ? ", refused" : "");
    if (r->damaged || r->refused) tap_note("why: %s", r->why.text);
    for (unsigned i = 0; i < r->finding_n; i++)
        tap_note("grade %d, %llu to %llu: %s", (int)r->findings[i].grade, (unsigned long long)r->findings[i].first,
                 (unsigned long long)r->findings[i].last, r->findings[i].text);
}

static inline struct recover_result recover(const struct written *w, const struct recover_config *config) {
    static struct recover_result r;
    struct err e = ERR_INIT;
    if (!CHECK(written_recover(w, config, NULL, &r, &e))) tap_note("%s", e.text);
    return r;
}

static inline void flip(struct built *b, const char *name, size_t at) {
    for (unsigned i = 0; i < b->w.file_n; i++)
        if (!strcmp(b->w.files[i].name, name)) b->w.files[i].bytes.ptr[at] ^= 0x10;
}

static inline bool says(const struct recover_result *r, const char *text) {
    for (unsigned i = 0; i < r->finding_n; i++)
        if (!strcmp(r->findings[i].text, text)) return true;
    tap_note("wanted: %s", text);
    print(r);
    return false;
}

#endif
