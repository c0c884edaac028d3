/* scenario.h - what tests do with a store on a stage: transactions of many kinds beside the model, waiting, and living on. */
#ifndef TESTS_STATE_SCENARIO_H
#define TESTS_STATE_SCENARIO_H

#include "state/stage.h"

/* --- changing --- */

UNUSED static bool stage_txn(struct stage *st) {
    struct err e = ERR_INIT;
    if (!HOLDS(state_begin(st->state, &st->txn, PLAN_ALL_OWNERS, &e))) return false;
    st->draft = val_ref(&st->now);
    st->broken = false;
    return true;
}

/* The last part names an element, not the place behind the last. */
static bool is_element(const struct val *root, const char *pointer) {
    const char *slash = strrchr(pointer, '/');
    const struct val *parent = jsonptr_get(root, slice_of(pointer, slash ? (size_t)(slash - pointer) : 0), NULL);
    return parent->kind == VAL_ARRAY && strcmp(slash, "/-") != 0;
}

static bool stage_step(struct stage *st, bool did, enum jsonptr_change how, const char *pointer, struct val v) {
    bool want = !st->broken && jsonptr_change(&st->draft, how, slice_str(pointer), val_ref(&v), NULL);
    val_unref(&v);
    st->broken |= !want;
    return HOLDS(did == want);
}

/* Each takes the value. */
UNUSED static void stage_put(struct stage *st, const char *pointer, struct val v) {
    bool element = is_element(&st->draft, pointer);
    bool did = txn_put(&st->txn, slice_str(pointer), val_ref(&v), NULL);
    stage_step(st, did, element ? JSONPTR_REPLACE : JSONPTR_ADD, pointer, v);
}
UNUSED static void stage_insert(struct stage *st, const char *pointer, struct val v) {
    bool did = txn_insert(&st->txn, slice_str(pointer), val_ref(&v), NULL);
    stage_step(st, did, JSONPTR_ADD, pointer, v);
}
UNUSED static void stage_remove(struct stage *st, const char *pointer) {
    bool did = txn_remove(&st->txn, slice_str(pointer), NULL);
    stage_step(st, did, JSONPTR_REMOVE, pointer, val_none);
}

/* Whether a new revision was made. */
UNUSED static bool stage_commit(struct stage *st, struct err *e) {
    uint64_t revision = 0;
    struct val was = book_calm(&st->now), is = book_calm(&st->draft);
    bool differs = !st->broken && !val_equal(&st->now, &st->draft), kept = differs && !val_equal(&was, &is);
    bool good = state_commit(&st->txn, &revision, e), made = good && differs;
    val_unref(&was);
    val_unref(&is);
    if (st->broken) HOLDS(!good);
    if (good && !differs) HOLDS(revision == st->revision && state_revision(st->state) == st->revision);
    if (made) {
        HOLDS(revision > st->given);
        HOLDS(state_revision(st->state) == revision);
        HOLDS(val_equal(state_peek(st->state), &st->draft));
        st->revision = st->given = revision;
        /* The order of keys is the state's own affair, but it must be the same for ever. */
        book_put(st->book, revision, state_peek(st->state), kept);
        val_unref(&st->now);
        st->now = val_ref(state_peek(st->state));
    }
    HOLDS(is_same(state_peek(st->state), &st->now));
    val_unref(&st->draft);
    return made;
}

static void stage_answered(struct state_hold *hold, const struct err *why) {
    struct stage_hold *h = LOOP_OWNER(struct stage_hold, hold, hold);
    struct stage *st = h->stage;
    if (why) {
        HOLDS(why->code != ERR_NONE && why->text[0]);
        HOLDS(h->revision > state_settled(st->state));
        st->last_error = *why;
        st->errors++;
    } else {
        HOLDS(h->revision <= state_settled(st->state));
        st->oks++;
    }
    struct stage_hold **at = &st->holds;
    while (*at != h) at = &(*at)->next;
    *at = h->next;
    free(h);
}

UNUSED static void stage_hold(struct stage *st) {
    struct stage_hold *h = calloc(1, sizeof *h);
    if (!h) abort();
    *h =
        (struct stage_hold){.hold = {.done = stage_answered}, .stage = st, .next = st->holds, .revision = st->revision};
    st->holds = h;
    state_hold(st->state, &h->hold, st->revision);
}

/* A text of so many bytes, another one for every seed. */
UNUSED static struct val stage_text(size_t len, uint64_t seed) {
    char *p = malloc(len + 1);
    if (!p) abort();
    for (size_t i = 0; i < len; i++) p[i] = (char)('a' + stage_draw(&seed) % 26);
    struct val v = val_of_text(slice_of(p, len));
    free(p);
    return v;
}

/* --- the scenario: one transaction of many kinds --- */

static void stage_package(struct stage *st, char *p, size_t size, unsigned n) {
    snprintf(p, size, "/public/packageData/p%u", n);
    if (val_is_none(jsonptr_get(&st->draft, slice_str(p), NULL))) stage_put(st, p, VAL_MAP_OF({"id", val_of_u64(n)}));
}

static void stage_stats(struct stage *st, uint64_t *seed) {
    if (val_is_none(jsonptr_get(&st->draft, LIT("/public/stats"), NULL)))
        stage_put(st, "/public/stats", val_empty_map());
    stage_put(st, stage_below(seed, 2) ? "/public/stats/cpu" : "/public/stats/memory",
              val_of_u64(stage_draw(seed) >> 1));
}

static void stage_one_change(struct stage *st, uint64_t *seed) {
    char p[100], q[140];
    uint64_t n = stage_draw(seed);
    switch (stage_below(seed, 16)) {
    default:
        stage_package(st, p, sizeof p, stage_below(seed, 8));
        snprintf(q, sizeof q, "%s/f%u", p, stage_below(seed, 6));
        stage_put(st, q, val_of_u64(n >> 1));
        return;
    case 0: stage_stats(st, seed); return;
    case 1:
        stage_package(st, p, sizeof p, stage_below(seed, 8));
        snprintf(q, sizeof q, "%s/progress", p);
        stage_put(st, q, VAL_MAP_OF({"done", val_of_u64(n % 100)}));
        return;
    case 2:
    case 3: {
        size_t count = val_count(jsonptr_get(&st->draft, LIT("/public/list"), NULL));
        snprintf(q, sizeof q, "/public/list/%u", stage_below(seed, (unsigned)count + 1));
        if (count > 12 || (count && n % 3 == 0)) {
            snprintf(q, sizeof q, "/public/list/%u", stage_below(seed, (unsigned)count));
            stage_remove(st, q);
        } else if (n % 3 == 1)
            stage_put(st, "/public/list/-", stage_text(n % 40, n));
        else
            stage_insert(st, q, val_of_u64(n >> 1));
        return;
    }
    case 4:
        snprintf(p, sizeof p, "/public/packageData/p%u", stage_below(seed, 8));
        if (!val_is_none(jsonptr_get(&st->draft, slice_str(p), NULL))) stage_remove(st, p);
        return;
    case 5:
        snprintf(p, sizeof p, "/public/big%u", stage_below(seed, 2));
        stage_put(st, p, stage_text(n % 13 ? n % 900 : n % 9000, n));
        return;
    case 6:
        snprintf(p, sizeof p, "/private/secrets/k%u", stage_below(seed, 3));
        stage_put(st, p, val_of_bytes(slice_of((const uint8_t *)&n, sizeof n)));
        return;
    case 7: stage_put(st, "/public/name", stage_text(n % 30, n)); return;
    }
}

/* Returns whether a revision was made; also tries what must fail. */
UNUSED static bool stage_act(struct stage *st, uint64_t *seed, struct err *e) {
    unsigned kind = stage_below(seed, 12), steps = 1 + (stage_below(seed, 4) ? 0 : stage_below(seed, 6));
    if (!stage_txn(st)) return false;
    if (kind == 0) /* only what is volatile */
        stage_stats(st, seed);
    else
        while (steps--) stage_one_change(st, seed);
    if (kind == 1) { /* a step fails, so all of it does */
        stage_remove(st, "/public/nowhere");
        stage_put(st, "/public/name", val_of_u64(1));
    }
    if (kind == 2 && stage_below(seed, 3) == 0) {
        state_abort(&st->txn);
        val_unref(&st->draft);
        return false;
    }
    return stage_commit(st, e);
}

/* Everything as it is when nothing is left to do: all settled, all holds answered, the watcher up to date. */
UNUSED static bool stage_quiet(struct stage *st) {
    for (unsigned i = 0; i < 400; i++) {
        if (state_settled(st->state) == state_revision(st->state) && !st->holds && !state_counts(st->state).pending &&
            (!st->watching || st->told == state_settled(st->state)))
            break;
        if (st->port_gone) stage_new_hand(st);
        stage_turn(st);
        stage_pass_ms(1);
    }
    bool good = HOLDS(state_settled(st->state) == state_revision(st->state)) && HOLDS(!st->holds);
    if (st->watching) {
        HOLDS(st->told == state_settled(st->state));
        HOLDS(val_equal(&st->seen, state_settled_root(st->state)));
    }
    return good;
}

/* Some more life: commits, closed, opened again, still right. Takes the disk's ownership back. */
UNUSED static struct mem_disk *stage_live_on(struct stage *st, uint64_t seed, unsigned commits) {
    struct err e = ERR_INIT;
    struct book *book = st->book;
    for (unsigned i = 0; i < commits; i++) {
        stage_act(st, &seed, &e);
        if (stage_below(&seed, 2)) stage_hold(st);
        stage_turns(st, stage_below(&seed, 4));
    }
    stage_quiet(st);
    uint64_t last = state_revision(st->state);
    struct mem_disk *disk = stage_close(st);
    stage_up(st, disk, book, last);
    return stage_kill(st);
}

/* --- small things --- */

UNUSED static bool says(const struct err *e, const char *what) {
    return strstr(e->text, what) != NULL;
}

/* A commit that is only volatile: goes whatever the disk does. */
UNUSED static void commit_volatile(struct stage *st, uint64_t n) {
    struct err e = ERR_INIT;
    if (!stage_txn(st)) return;
    if (val_is_none(jsonptr_get(&st->draft, LIT("/public/stats"), NULL)))
        stage_put(st, "/public/stats", val_empty_map());
    stage_put(st, "/public/stats/n", val_of_u64(n));
    HOLDS(stage_commit(st, &e));
}

UNUSED static bool commit_name(struct stage *st, uint64_t n, struct err *e) {
    if (!stage_txn(st)) return false;
    stage_put(st, "/public/name", val_of_u64(n));
    return stage_commit(st, e);
}

/* A store with some history, closed. */
UNUSED static struct mem_disk *make_old(struct book *book) {
    struct stage st;
    struct err e = ERR_INIT;
    uint64_t seed = 5;
    struct mem_disk *disk = mem_disk_new();
    if (stage_up(&st, disk, book, 0)) {
        for (unsigned i = 0; i < 40; i++) {
            stage_act(&st, &seed, &e);
            stage_turns(&st, 2);
        }
        stage_quiet(&st);
    }
    return stage_close(&st);
}

/* Time passes until it is as before. */
UNUSED static bool await_up(struct stage *st) {
    for (unsigned i = 0; i < 1000 && st->mode != STATE_UP; i++) {
        stage_turn(st);
        stage_pass_ms(10);
    }
    return HOLDS(st->mode == STATE_UP);
}

#endif
