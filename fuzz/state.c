/* state.c - bytes decide over a store's life: transactions, watchers that come, refuse, leave and come back, time, faults, power cuts, deaths.
 * Held against a model: the root of every revision, and each watcher's own copy, made from nothing but what it was told. */
#define STAGE_ABORTS
#include "lib/mem_disk.c" /* a fuzz target is linked with the library alone */
#include "lib/mem_disk_files.c"
#include "tests/state/scenario.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define WATCHES 5
#define STEPS   300

struct onlooker {
    struct watch watch;
    struct stage *stage;
    const char *pointer;
    struct val copy;
    uint64_t told, life;
    bool refuses;
};

static const struct {
    const char *pointer;
    bool inside;
} places[WATCHES] = {
    {"", true}, {"", false}, {"/public/packageData/p1", false}, {"/public/list", false}, {"/private/secrets", true}};

static struct val see(const struct onlooker *w, const struct val *root) {
    struct val all = val_ref(root);
    if (!w->watch.inside) jsonptr_change(&all, JSONPTR_REMOVE, LIT("/private"), val_none, NULL);
    const struct val *found = jsonptr_get(&all, slice_str(w->pointer), NULL);
    struct val v = val_is_none(found) ? val_null() : val_ref(found);
    val_unref(&all);
    return v;
}

static bool tell(struct watch *watch, const struct news *news) {
    static const struct jsonpatch_limits limits = {.ops = 10000, .copied = 100000};
    struct onlooker *w = LOOP_OWNER(struct onlooker, watch, watch);
    if (w->refuses) return false;
    HOLDS(news->revision <= state_settled(w->stage->state));
    if (news->whole) {
        val_unref(&w->copy);
        w->copy = val_ref(news->value);
    } else
        for (size_t i = 0; i < news->revision_n; i++)
            HOLDS(jsonpatch_apply(&w->copy, &news->revisions[i].patch, &limits, NULL));
    w->told = news->revision;
    w->life = watchers_life(state_watchers(w->stage->state));
    struct val want = see(w, book_root(w->stage->book, w->told));
    HOLDS(val_equal(&w->copy, &want));
    val_unref(&want);
    return true;
}

struct life {
    const uint8_t *at, *end;
    struct stage st;
    struct book book;
    struct onlooker onlookers[WATCHES];
};

static unsigned next(struct life *l) {
    return l->at < l->end ? *l->at++ : 0;
}

static void watch_again(struct life *l, unsigned i, bool resume) {
    struct onlooker *w = &l->onlookers[i];
    if (watch_is_begun(&w->watch)) return;
    w->stage = &l->st;
    w->pointer = places[i].pointer;
    w->watch = (struct watch){.tell = tell, .inside = places[i].inside};
    w->refuses = false;
    if (!resume) w->told = w->life = 0;
    HOLDS(watch_begin(state_watchers(l->st.state), &w->watch, slice_str(w->pointer), w->life, w->told, NULL));
}

static void end_watches(struct life *l) {
    for (unsigned i = 0; i < WATCHES; i++) watch_end(&l->onlookers[i].watch);
}

static void turns(struct life *l, unsigned n) {
    while (n--) {
        stage_turn(&l->st);
        if (l->st.port_gone && n % 2 == 0) stage_new_hand(&l->st);
    }
}

/* All faults are over, and it comes back. */
static void calm_down(struct life *l) {
    struct stage *st = &l->st;
    mem_disk_fail_at(st->disk, 0, MEM_NONE, 0, 0);
    mem_disk_capacity(st->disk, UINT64_MAX);
    /* A hand that was killed a moment ago is noticed a turn or two later. */
    for (unsigned i = 0, good = 0; i < 2000 && good < 6; i++) {
        if (st->port_gone) stage_new_hand(st);
        stage_turn(st);
        good = st->mode == STATE_UP && !st->port_gone ? good + 1 : 0;
        if (!good) stage_pass_ms(10);
    }
    HOLDS(st->mode == STATE_UP && !st->port_gone);
}

static void start_again(struct life *l, struct mem_disk *disk, uint64_t least) {
    mem_disk_fail_at(disk, 0, MEM_NONE, 0, 0);
    mem_disk_capacity(disk, UINT64_MAX);
    HOLDS(stage_up(&l->st, disk, &l->book, least));
}

static void die(struct life *l, unsigned how) {
    struct stage *st = &l->st;
    uint64_t least = state_settled(st->state);
    end_watches(l);
    if (how % 4 == 0) { /* closed as it should be */
        calm_down(l);
        stage_quiet(st);
        least = state_revision(st->state);
        start_again(l, stage_close(st), least);
        return;
    }
    struct mem_disk *disk = stage_kill(st);
    if (how % 4 != 1) {
        struct mem_disk *cut = mem_disk_cut(disk, how / 4);
        mem_disk_free(disk);
        disk = cut;
    }
    start_again(l, disk, least);
}

static void step(struct life *l) {
    struct stage *st = &l->st;
    struct err e = ERR_INIT;
    unsigned what = next(l), n = next(l);
    uint64_t seed = n;
    switch (what % 16) {
    default:
        seed = seed << 8 | next(l);
        stage_act(st, &seed, &e);
        if (what & 64) stage_hold(st);
        if (what & 128) turns(l, 1);
        return;
    case 7: turns(l, n % 12); return;
    case 8:
        stage_pass_ms(n);
        turns(l, 2);
        return;
    case 9: watch_again(l, n % WATCHES, n & 128); return;
    case 10: watch_end(&l->onlookers[n % WATCHES].watch); return;
    case 11: {
        struct onlooker *w = &l->onlookers[n % WATCHES];
        w->refuses = n & 128;
        if (!w->refuses && watch_is_begun(&w->watch)) watch_ready(&w->watch);
        return;
    }
    case 12: state_snapshot(st->state, &e); return;
    case 13: die(l, n); return;
    case 14:
        if (n & 128)
            mem_disk_kill_hands(st->disk);
        else
            mem_disk_fail_at(st->disk, 1 + n % 16, MEM_KILL_HAND, MEM_ANY, 1);
        return;
    case 15:
        mem_disk_seed(st->disk, what * 256 + n);
        if (n >= 240)
            mem_disk_capacity(st->disk, mem_disk_used(st->disk) + 1500);
        else
            mem_disk_fail_at(st->disk, 1 + n % 12, MEM_EIO + (n / 12) % 3, n & 128 ? MEM_SYNC : MEM_ANY, 1 + n % 5);
        return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct life l = {.at = data, .end = data + size};
    rng_use_seed(7);
    stage_begin();
    start_again(&l, mem_disk_new(), 0);
    for (unsigned i = 0; i < STEPS && l.at < l.end; i++) step(&l);
    calm_down(&l);
    for (unsigned i = 0; i < WATCHES; i++) {
        l.onlookers[i].refuses = false;
        if (watch_is_begun(&l.onlookers[i].watch)) watch_ready(&l.onlookers[i].watch);
        watch_again(&l, i, true);
    }
    stage_quiet(&l.st);
    stage_turns(&l.st, 8);
    for (unsigned i = 0; i < WATCHES; i++) {
        struct val want = see(&l.onlookers[i], state_settled_root(l.st.state));
        HOLDS(val_equal(&l.onlookers[i].copy, &want));
        val_unref(&want);
    }
    die(&l, 0);
    die(&l, 1);
    mem_disk_free(stage_kill(&l.st));
    for (unsigned i = 0; i < WATCHES; i++) val_unref(&l.onlookers[i].copy);
    book_release(&l.book);
    stage_end();
    rng_use_seed(0);
    return 0;
}
