/* recover.c - see recover.h: the list of files, what is wanted next, the result. */
#include "base/mem.h"
#include "base/must.h"
#include "state/recover_room.h"

#include <stdio.h>

/* --- the list --- */

static int by_serial(const void *a, const void *b) {
    const struct recover_segment *x = a, *y = b;
    return (x->serial > y->serial) - (x->serial < y->serial);
}
static int newest_first(const void *a, const void *b) {
    const struct recover_snapshot *x = a, *y = b;
    return (x->revision < y->revision) - (x->revision > y->revision);
}

void recover_count_serial(struct recover *r, uint64_t serial) {
    if (serial >= r->next_serial) r->next_serial = serial + 1;
}

/* Names that look like the store's and are none. */
static void sort_stranger(struct recover *r, const char *text) {
    struct slice name = slice_str(text);
    uint64_t serial;
    bool fresh = slice_ends(name, LIT(".new"));
    bool ours = slice_starts(name, LIT("journal-")) || slice_starts(name, LIT("snapshot-"));
    if (slice_ends(name, LIT(".new")) && segment_name_read(slice_head(name, name.len - 4), &serial))
        recover_count_serial(r, serial);
    if (fresh)
        recover_find(r, RECOVER_NOTE, text, 0, 0, 0, "an unfinished file; it is not read");
    else if (ours)
        recover_find(r, RECOVER_NOTE, text, 0, 0, 0, "this is no name of the store's; it is left alone");
}

static void sort_file(struct recover *r, const struct recover_file *f) {
    char text[STATE_NAME];
    uint64_t n;
    snprintf(text, sizeof text, "%.*s", (int)strnlen(f->name, sizeof f->name), f->name);
    if (segment_name_read(slice_str(text), &n)) {
        r->segments[r->segment_n++] = (struct recover_segment){.serial = n, .size = f->size};
        recover_count_serial(r, n);
    } else if (snapshot_name_read(slice_str(text), &n))
        r->snapshots[r->snapshot_n++] =
            (struct recover_snapshot){.revision = n, .size = f->size, .finding = RECOVER_NOWHERE};
    else
        sort_stranger(r, text);
}

/* A folder has each name once; whoever makes up lists may not know that. */
static void drop_doubles(struct recover *r) {
    size_t n = 0;
    for (size_t i = 0; i < r->segment_n; i++)
        if (!n || r->segments[n - 1].serial != r->segments[i].serial) r->segments[n++] = r->segments[i];
    r->segment_n = n;
    n = 0;
    for (size_t i = 0; i < r->snapshot_n; i++)
        if (!n || r->snapshots[n - 1].revision != r->snapshots[i].revision) r->snapshots[n++] = r->snapshots[i];
    r->snapshot_n = n;
}

static void count_names(const struct recover_file *files, size_t n, size_t *segments, size_t *snapshots) {
    for (size_t i = 0; i < n; i++) {
        struct slice name = slice_of(files[i].name, strnlen(files[i].name, sizeof files[i].name));
        uint64_t number;
        *segments += segment_name_read(name, &number);
        *snapshots += snapshot_name_read(name, &number);
    }
}

/* The two lists, sorted. */
static bool make_lists(struct recover *r, const struct recover_file *files, size_t n, struct err *e) {
    size_t segments = 0, snapshots = 0;
    count_names(files, n, &segments, &snapshots);
    if (segments + snapshots > LIMIT_STATE_FILES)
        return err_limit(e, "LIMIT_STATE_FILES", LIMIT_STATE_FILES, ERR_NOWHERE);
    r->segments = mem_get_zero(segments * sizeof *r->segments);
    if (!r->segments) return err_nomem(e, "the files of a state");
    r->segment_cap = segments;
    r->snapshots = mem_get_zero(snapshots * sizeof *r->snapshots);
    if (!r->snapshots) return err_nomem(e, "the files of a state");
    r->snapshot_cap = snapshots;
    for (size_t i = 0; i < n; i++) sort_file(r, &files[i]);
    qsort(r->segments, r->segment_n, sizeof *r->segments, by_serial);
    qsort(r->snapshots, r->snapshot_n, sizeof *r->snapshots, newest_first);
    drop_doubles(r);
    return true;
}

struct recover *recover_new(const struct recover_config *config, const struct recover_file *files, size_t n,
                            struct err *e) {
    struct recover *r = mem_get_zero(sizeof *r);
    if (!r) {
        err_nomem(e, "recovering a state");
        return NULL;
    }
    r->config = *config;
    r->loaded = RECOVER_NOWHERE;
    r->next_serial = 1;
    r->result.why = (struct err)ERR_INIT;
    buf_init(&r->have, RECORD_HEAD + (size_t)LIMIT_STATE_REVISION + 2 * RECOVER_PIECE);
    if (make_lists(r, files, n, e) && (r->snapshot_n ? recover_snapshot_begin(r, e) : recover_begin_segments(r, e)))
        return r;
    recover_free(r);
    return NULL;
}

void recover_free(struct recover *r) {
    if (!r) return;
    snapfile_free(r->reader);
    buf_release(&r->have);
    recover_result_release(&r->result);
    mem_put(r->segments, r->segment_cap * sizeof *r->segments);
    mem_put(r->snapshots, r->snapshot_cap * sizeof *r->snapshots);
    mem_put(r, sizeof *r);
}

/* --- what is wanted --- */

void recover_ask(struct recover *r, const char *name, uint64_t at, uint64_t size) {
    struct recover_want want = {.at = at};
    uint64_t left = size - at;
    snprintf(want.name, sizeof want.name, "%s", name);
    want.len = left < RECOVER_PIECE ? (uint32_t)left : RECOVER_PIECE;
    r->want = want;
}

enum recover_step recover_next(struct recover *r, struct recover_want *want) {
    if (r->phase == PHASE_DONE) return RECOVER_DONE;
    *want = r->want;
    return RECOVER_READ;
}

static bool feed(struct recover *r, struct slice bytes, const struct err *refused, struct err *e) {
    bytes = slice_head(bytes, r->want.len);
    switch (r->phase) {
    case PHASE_SNAPSHOT:
    case PHASE_OLDER: return recover_snapshot_feed(r, bytes, refused, e);
    case PHASE_HEADS: recover_head_feed(r, bytes, refused != NULL); return recover_heads_on(r, e);
    case PHASE_SEGMENTS: return recover_segment_feed(r, bytes, refused, e);
    case PHASE_DONE: break;
    }
    return err_set(e, ERR_INVALID, "nothing is wanted any more");
}

/* Whatever went wrong with us is no word about the store, but there is no state to go on with. */
static bool feed_or_fail(struct recover *r, struct slice bytes, const struct err *refused, struct err *e) {
    struct err own = ERR_INIT;
    if (feed(r, bytes, refused, &own)) return true;
    if (r->phase != PHASE_DONE) {
        r->phase = PHASE_DONE;
        val_unref(&r->result.root);
        r->result.damaged = true;
        r->result.why = own;
    }
    if (e) *e = own;
    return false;
}

bool recover_feed(struct recover *r, struct slice bytes, struct err *e) {
    return feed_or_fail(r, bytes, NULL, e);
}

bool recover_unreadable(struct recover *r, const struct err *why, struct err *e) {
    return feed_or_fail(r, slice_of(NULL, 0), why, e);
}

/* --- the end --- */

bool recover_begin_segments(struct recover *r, struct err *e) {
    r->phase = PHASE_HEADS;
    r->index = 0;
    return recover_heads_on(r, e);
}

uint64_t recover_begun(const struct recover *r) {
    uint64_t begun = r->loaded != RECOVER_NOWHERE && r->first_serial ? r->first_serial - 1 : 0;
    for (size_t i = 0; i < r->segment_n; i++) {
        const struct recover_segment *g = &r->segments[i];
        if (g->state == SEGMENT_BEGUN && g->serial > begun) begun = g->serial;
    }
    return begun;
}

void recover_finish(struct recover *r) {
    struct recover_result *res = &r->result;
    r->phase = PHASE_DONE;
    snapfile_free(r->reader);
    r->reader = NULL;
    buf_release(&r->have);
    if (!res->refused) recover_snapshot_judge(r);
    if (r->next_serial > RECORD_MOST) {
        char name[STATE_NAME];
        segment_name(name, r->next_serial - 1);
        recover_damage(r, name, 0, 0, 0,
                       "no store has ever come to this number, and none is left behind it: take it away");
    }
    res->empty = !r->snapshot_n && !res->damaged;
    res->revision = r->reached;
    res->journalled = r->journalled;
    res->begun_serial = recover_begun(r);
    res->next_serial = res->begun_serial + 1;
    /* One that is there and may hold something is left behind: nothing is written where it is not known what stands there. */
    for (size_t i = 0; i < r->segment_n; i++) {
        const struct recover_segment *g = &r->segments[i];
        if (g->serial != res->next_serial) continue;
        res->next_is_there = g->blank;
        res->next_size = g->size;
        if (g->blank) break;
        res->next_serial++;
    }
    if (res->refused || (res->damaged && !r->config.past_damage)) val_unref(&res->root);
}

void recover_take(struct recover *r, struct recover_result *out) {
    must(r->phase == PHASE_DONE);
    *out = r->result;
    r->result.root = r->result.name = r->result.priv = r->result.secret = val_none;
}

void recover_result_release(struct recover_result *out) {
    val_unref(&out->root);
    val_unref(&out->name);
    val_unref(&out->priv);
    val_unref(&out->secret);
}
