/* stage.h - a small store on a disk in memory, and a plain model of what it must hold.
 *
 * The model (struct book) has the root of every revision that was ever committed, made by the test's own hand with jsonptr_change;
 * what is volatile is taken out by name. HOLDS is CHECK for what must hold at any moment: it says where in the scenario it broke.
 * stage_turn turns the reactor and the disk once each and looks at everything that may be looked at. */
#ifndef TESTS_STATE_STAGE_H
#define TESTS_STATE_STAGE_H

#include "base/clock.h"
#include "base/log.h"
#include "base/rng.h"
#include "lib/mem_disk.h"
#include "protocols/cbor.h"
#include "protocols/json.h"
#include "protocols/jsonpatch.h"
#include "protocols/jsonptr.h"
#include "state/recover.h"
#include "state/state.h"

#include <stdio.h>
#include <stdlib.h>

#define UNUSED __attribute__((unused))

/* --- what holds --- */

static unsigned stage_bad;
static char stage_where[400];

static bool stage_holds(bool good, const char *file, int line, const char *what) {
    if (good) return true;
    if (stage_bad++ < 12) printf("# %s:%d: does not hold: %s (%s)\n", file, line, what, stage_where);
#ifdef STAGE_ABORTS
    fflush(stdout);
    abort();
#endif
    return false;
}
#define HOLDS(x) stage_holds((x), __FILE__, __LINE__, #x)

/* --- time, chance, silence --- */

static int64_t stage_now_us;

static int64_t stage_tell_time(void *arg) {
    (void)arg;
    return stage_now_us;
}

static void stage_say_nothing(void *arg, enum log_level level, const char *line) {
    (void)arg, (void)level;
    if (getenv("STAGE_LOG")) printf("# log: %s\n", line);
}

UNUSED static void stage_begin(void) {
    static const struct clock_source source = {stage_tell_time, stage_tell_time, NULL};
    stage_now_us = INT64_C(1800000000) * 1000000; /* 2027 */
    clock_use(&source);
    log_use(stage_say_nothing, NULL);
    stage_bad = 0;
}

UNUSED static void stage_begin_at(const char *where) {
    stage_begin();
    snprintf(stage_where, sizeof stage_where, "%s", where);
}

UNUSED static void stage_end(void) {
    clock_use(NULL);
    log_use(NULL, NULL);
}

UNUSED static void stage_pass_ms(int64_t ms) {
    stage_now_us += ms * 1000;
}

static uint64_t stage_draw(uint64_t *seed) {
    uint64_t z = *seed += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

UNUSED static unsigned stage_below(uint64_t *seed, unsigned below) {
    return (unsigned)(stage_draw(seed) % below);
}

/* --- the plan --- */

static const struct plan_branch stage_branches[] = {
    {"", "core", 0, NULL},
    {"/public/stats", NULL, PLAN_VOLATILE, NULL},
    {"/public/packageData/*/progress", NULL, PLAN_VOLATILE, NULL},
    {"/private", NULL, PLAN_PRIVATE, NULL},
    {"/private/secrets", NULL, PLAN_SECRET, NULL},
};
static const struct plan_config stage_plan = {
    .name = "stage",
    .version = 1,
    .birth = "{\"public\":{\"name\":\"box\",\"packageData\":{},\"list\":[]},\"private\":{\"secrets\":{}}}",
    .branches = stage_branches,
    .branch_n = sizeof stage_branches / sizeof stage_branches[0],
};
static const struct state_limits stage_limits = {.revision = 16384,
                                                 .pending = 65536,
                                                 .segment = 4096,
                                                 .journal = 8192,
                                                 .snapshot = 1 << 20,
                                                 .mark_ms = 15,
                                                 .retry_ms = 50};

/* --- the model --- */

struct book {
    struct val *roots; /* by revision; VAL_NONE: never was */
    uint8_t *kept;     /* it changes what is not volatile */
    size_t n;
};

static void book_put(struct book *b, uint64_t revision, const struct val *root, bool kept) {
    if (revision >= b->n) {
        size_t n = (size_t)revision + 64;
        b->roots = realloc(b->roots, n * sizeof *b->roots);
        b->kept = realloc(b->kept, n);
        if (!b->roots || !b->kept) abort();
        for (size_t i = b->n; i < n; i++) {
            b->roots[i] = val_none;
            b->kept[i] = 0;
        }
        b->n = n;
    }
    val_unref(&b->roots[revision]);
    b->roots[revision] = val_ref(root);
    b->kept[revision] = kept;
}

static const struct val *book_root(const struct book *b, uint64_t revision) {
    return revision < b->n ? &b->roots[revision] : &val_none;
}

/* What came behind a revision is no more. */
UNUSED static void book_forget(struct book *b, uint64_t behind) {
    for (size_t i = (size_t)behind + 1; i < b->n; i++) {
        val_unref(&b->roots[i]);
        b->kept[i] = 0;
    }
}

/* The last revision up to this one that a restart must not lose. */
UNUSED static uint64_t book_floor(const struct book *b, uint64_t revision) {
    while (revision > 1 && !(revision < b->n && b->kept[revision])) revision--;
    return revision;
}

UNUSED static void book_copy(struct book *to, const struct book *from) {
    for (size_t i = 0; i < from->n; i++)
        if (!val_is_none(&from->roots[i])) book_put(to, i, &from->roots[i], from->kept[i]);
}

UNUSED static void book_release(struct book *b) {
    for (size_t i = 0; i < b->n; i++) val_unref(&b->roots[i]);
    free(b->roots);
    free(b->kept);
    *b = (struct book){0};
}

/* Without what is volatile; this file's own knowledge of the plan. */
static struct val book_calm(const struct val *root) {
    struct val v = val_ref(root);
    jsonptr_change(&v, JSONPTR_REMOVE, LIT("/public/stats"), val_none, NULL);
    const struct val *packages = jsonptr_get(root, LIT("/public/packageData"), NULL);
    for (struct val_iter it = val_iter(packages); val_next(&it);) {
        char p[100];
        struct slice name = val_as_text(it.key);
        snprintf(p, sizeof p, "/public/packageData/%.*s/progress", (int)name.len, (const char *)name.ptr);
        jsonptr_change(&v, JSONPTR_REMOVE, slice_str(p), val_none, NULL);
    }
    return v;
}

/* The same, and keys in the same order. */
static bool is_same(const struct val *a, const struct val *b) {
    struct buf x, y;
    buf_init(&x, SIZE_MAX / 2);
    buf_init(&y, SIZE_MAX / 2);
    bool same = val_same(a, b) ||
                (cbor_write(&x, a, NULL) && cbor_write(&y, b, NULL) && slice_eq(buf_slice(&x), buf_slice(&y)));
    buf_release(&x);
    buf_release(&y);
    return same;
}

/* For whoever looks for the reason. */
static void stage_tell_difference(const struct val *got, const struct val *want) {
    struct val ops = val_empty_array();
    struct buf text;
    buf_init(&text, 3000);
    if (stage_bad > 3) return;
    jsonpatch_diff(want, got, &ops, NULL);
    if (val_equal(got, want))
        printf("#   the same but for the order of keys\n");
    else if (json_write(&text, &ops, JSON_DIAG, NULL))
        printf("#   found where it differs: %.*s\n", (int)text.len, (const char *)text.ptr);
    val_unref(&ops);
    buf_release(&text);
}

/* --- the store --- */

struct stage;

struct stage_hold {
    struct state_hold hold;
    struct stage *stage;
    struct stage_hold *next;
    uint64_t revision;
};

struct stage {
    struct mem_disk *disk;
    struct loop *loop;
    struct port port;
    bool port_gone;
    struct plan *plan;
    struct state *state;
    enum state_mode mode;
    struct err why;
    unsigned changes;              /* of the mode */
    unsigned mended, torn, damage; /* findings */
    char finding[STATE_NAME];      /* file of the last finding worse than a note */
    struct book *book;             /* borrowed */
    struct val now;                /* the model's root */
    uint64_t revision, settled;    /* as last seen */
    uint64_t given;                /* the newest revision of this life */
    struct stage_hold *holds;
    unsigned oks, errors; /* holds that were answered */
    struct err last_error;
    /* the transaction */
    struct state_txn txn;
    struct val draft;
    bool broken; /* a step has failed */
    /* a watcher of everything, in the process */
    struct watch watch;
    struct val seen;
    uint64_t told;
    bool watching;
};

static void stage_changed(struct state *s, enum state_mode mode, const struct err *why) {
    struct stage *st = state_arg(s);
    st->mode = mode;
    st->changes++;
    st->why = why ? *why : (struct err)ERR_INIT;
    if (mode == STATE_READ_ONLY || mode == STATE_FAILED) HOLDS(why && why->code != ERR_NONE && why->text[0]);
}

static void stage_found(struct state *s, const struct recover_result *r) {
    struct stage *st = state_arg(s);
    for (unsigned i = 0; i < r->finding_n; i++) {
        const struct recover_finding *f = &r->findings[i];
        st->mended += f->grade == RECOVER_MENDED;
        st->torn += f->grade == RECOVER_TORN;
        st->damage += f->grade == RECOVER_DAMAGE;
        if (f->grade != RECOVER_NOTE) snprintf(st->finding, sizeof st->finding, "%s", f->name);
        if (getenv("STAGE_LOG")) printf("# found: grade %d %s: %s\n", (int)f->grade, f->name, f->text);
    }
}

static void stage_port_gone(struct port *p) {
    LOOP_OWNER(struct stage, port, p)->port_gone = true;
}

static bool stage_tell(struct watch *w, const struct news *news) {
    struct stage *st = LOOP_OWNER(struct stage, watch, w);
    static const struct jsonpatch_limits limits = {.ops = 10000, .copied = 100000};
    HOLDS(news->revision <= state_settled(st->state));
    HOLDS(news->revision >= st->told);
    if (news->whole) {
        val_unref(&st->seen);
        st->seen = val_ref(news->value);
    }
    for (size_t i = 0; !news->whole && i < news->revision_n; i++) {
        HOLDS(news->revisions[i].id > st->told && news->revisions[i].id <= news->revision);
        HOLDS(jsonpatch_apply(&st->seen, &news->revisions[i].patch, &limits, NULL));
    }
    st->told = news->revision;
    HOLDS(val_equal(&st->seen, book_root(st->book, st->told)));
    return true;
}

/* Takes the disk, also on failure. */
UNUSED static bool stage_open_with(struct stage *st, struct mem_disk *disk, struct book *book,
                                   const struct state_limits *limits) {
    struct err e = ERR_INIT;
    *st = (struct stage){
        .disk = disk, .book = book, .mode = STATE_OPENING, .port = {.name = "disk", .gone = stage_port_gone}};
    st->loop = loop_new(&e);
    st->plan = plan_new(&stage_plan, &e);
    if (!HOLDS(st->loop && st->plan && mem_disk_connect(disk, st->loop, &st->port))) return false;
    const struct state_config config = {.loop = st->loop,
                                        .disk = &st->port,
                                        .root = "data",
                                        .folder = "state",
                                        .plan = st->plan,
                                        .limits = limits,
                                        .watch_limits = &watch_limits,
                                        .changed = stage_changed,
                                        .found = stage_found,
                                        .arg = st};
    st->state = state_new(&config, &e);
    return HOLDS(st->state);
}

UNUSED static bool stage_open(struct stage *st, struct mem_disk *disk, struct book *book) {
    return stage_open_with(st, disk, book, &stage_limits);
}

/* What must hold at any moment while it is open. */
static void stage_look(struct stage *st) {
    struct state *s = st->state;
    if (st->mode == STATE_OPENING || st->mode == STATE_FAILED || !st->changes) return;
    uint64_t revision = state_revision(s), settled = state_settled(s);
    HOLDS(settled >= st->settled && settled <= revision);
    if (settled != st->settled) {
        HOLDS(is_same(state_settled_root(s), book_root(st->book, settled)));
        st->settled = settled;
    }
    if (revision != st->revision) { /* it was taken back, or has just been opened */
        HOLDS(revision < st->revision || st->revision == 0);
        HOLDS(revision == settled);
        /* What was taken back must not be missed; it may come back only when nobody is left to take it back. */
        for (uint64_t i = revision + 1; i <= st->given && i < st->book->n; i++) st->book->kept[i] = 0;
        val_unref(&st->now);
        st->now = val_ref(book_root(st->book, revision));
        st->revision = revision;
        if (revision > st->given) st->given = revision;
    }
    HOLDS(is_same(state_peek(s), &st->now));
    HOLDS(st->told <= settled);
}

UNUSED static void stage_turn(struct stage *st) {
    loop_turn(st->loop, 0);
    stage_look(st);
    mem_disk_turn(st->disk);
}

UNUSED static void stage_turns(struct stage *st, unsigned n) {
    while (n--) stage_turn(st);
}

UNUSED static bool stage_await(struct stage *st, enum state_mode mode) {
    for (unsigned i = 0; i < 3000 && st->mode != mode; i++) {
        stage_turn(st);
        if (st->mode == STATE_FAILED || mem_disk_is_cut(st->disk)) break;
    }
    return st->mode == mode;
}

/* Behind STATE_UP of a fresh start: what was found is what the model says of that revision. */
UNUSED static bool stage_adopt(struct stage *st) {
    uint64_t r = state_revision(st->state);
    struct val birth = val_none;
    if (r == 1 && val_is_none(book_root(st->book, 1))) {
        book_put(st->book, 1, state_peek(st->state), true);
        (void)birth;
    }
    struct val calm = book_calm(book_root(st->book, r));
    bool good = HOLDS(!val_is_none(&calm)) && HOLDS(is_same(state_peek(st->state), &calm));
    if (!good) stage_tell_difference(state_peek(st->state), &calm);
    book_forget(st->book, r);
    book_put(st->book, r, state_peek(st->state), st->book->kept[r]);
    val_unref(&calm);
    st->revision = st->settled = st->given = r;
    val_unref(&st->now);
    st->now = val_ref(state_peek(st->state));
    return good;
}

/* Turns until the start has come to an end, one way or the other. */
UNUSED static void stage_opening(struct stage *st) {
    for (unsigned i = 0; i < 3000 && st->mode == STATE_OPENING && !mem_disk_is_cut(st->disk); i++) {
        loop_turn(st->loop, 0);
        mem_disk_turn(st->disk);
        if (mem_disk_reactor_killed(st->disk)) return;
    }
}

/* Opens, and it must come up with what the model says, at least as far as `least`. */
UNUSED static bool stage_up(struct stage *st, struct mem_disk *disk, struct book *book, uint64_t least) {
    if (!stage_open(st, disk, book)) return false;
    stage_opening(st);
    if (st->mode == STATE_FAILED) printf("# it says: %s (%s)\n", st->why.text, stage_where);
    if (!HOLDS(st->mode == STATE_UP)) return false;
    HOLDS(st->damage == 0);
    HOLDS(state_revision(st->state) >= book_floor(book, least));
    return stage_adopt(st);
}

UNUSED static void stage_watch(struct stage *st) {
    st->watch = (struct watch){.tell = stage_tell, .inside = true};
    st->told = 0;
    st->watching = HOLDS(watch_begin(state_watchers(st->state), &st->watch, LIT(""), 0, 0, NULL));
}

/* A new hand in the place of one that is gone. */
UNUSED static void stage_new_hand(struct stage *st) {
    port_stop(&st->port);
    st->port = (struct port){.name = "disk", .gone = stage_port_gone};
    st->port_gone = false;
    if (HOLDS(mem_disk_connect(st->disk, st->loop, &st->port))) state_new_disk(st->state);
}

/* A start whose hand is lost has failed and says so, or waits with its last step for another hand. */
UNUSED static void stage_hand_lost_in_start(struct stage *st) {
    for (unsigned i = 0; i < 20 && st->mode == STATE_OPENING; i++) loop_turn(st->loop, 0);
    if (st->mode == STATE_OPENING) {
        stage_new_hand(st);
        stage_opening(st);
        if (HOLDS(st->mode == STATE_UP)) stage_adopt(st);
    } else
        HOLDS(st->mode == STATE_FAILED && st->why.text[0]);
}

/* The reactor is no more: nothing is heard or sent from now on. What the hand was sent it does. Gives the disk. */
UNUSED static struct mem_disk *stage_kill(struct stage *st) {
    struct mem_disk *disk = st->disk;
    while (st->holds) {
        struct stage_hold *h = st->holds;
        state_hold_cancel(&h->hold);
        st->holds = h->next;
        free(h);
    }
    if (st->watching) watch_end(&st->watch);
    val_unref(&st->seen);
    val_unref(&st->now);
    if (st->txn.state) state_abort(&st->txn);
    val_unref(&st->draft);
    state_free(st->state);
    port_stop(&st->port);
    if (st->loop) {
        loop_turn(st->loop, 0);
        loop_turn(st->loop, 0);
        loop_free(st->loop);
    }
    plan_free(st->plan);
    for (unsigned i = 0; i < 200 && mem_disk_hands(disk); i++) mem_disk_turn(disk);
    *st = (struct stage){.mode = STATE_CLOSED};
    return disk;
}

/* Closed as it should be. Gives the disk. */
UNUSED static struct mem_disk *stage_close(struct stage *st) {
    state_close(st->state);
    HOLDS(stage_await(st, STATE_CLOSED));
    HOLDS(st->why.code == ERR_NONE);
    HOLDS(state_settled(st->state) == state_revision(st->state));
    return stage_kill(st);
}

#endif
