/* damage.c - a store that was closed as it should be, and then a bit flips, a file is cut, a file is gone: it comes up with the very
 * state it had, or it says which file is damaged. Never anything in between.
 *
 * In `make check` a sample of the places; STARTBOX_LONG=1 takes every byte and every length. STARTBOX_SEED=n: another store. */
#include "lib/tap.h"
#include "state/scenario.h"

static bool is_long(void) {
    return getenv("STARTBOX_LONG") != NULL;
}

static uint64_t first_seed(void) {
    const char *s = getenv("STARTBOX_SEED");
    return s ? strtoull(s, NULL, 10) : 3;
}

static struct {
    struct mem_disk *disk;
    struct book book;
    uint64_t last;
    struct val final; /* what a start finds */
} store;

static void store_begin(void) {
    struct stage st;
    struct err e = ERR_INIT;
    uint64_t seed = first_seed();
    stage_begin();
    snprintf(stage_where, sizeof stage_where, "making the store");
    store.disk = mem_disk_new();
    for (unsigned life = 0; life < 3; life++) {
        if (!stage_up(&st, store.disk, &store.book, 1)) break;
        for (unsigned i = 0; i < (life == 2 ? 25 : 90); i++) {
            stage_act(&st, &seed, &e);
            stage_pass_ms(stage_below(&seed, 6));
            stage_turns(&st, stage_below(&seed, 4));
        }
        stage_quiet(&st);
        stage_close(&st);
    }
    if (stage_up(&st, store.disk, &store.book, 1)) {
        HOLDS(st.mended + st.torn + st.damage == 0);
        store.last = state_revision(st.state);
        store.final = val_ref(state_peek(st.state));
        /* The last records are behind the newest snapshot, and a mark behind them. */
        for (unsigned i = 0; i < 3; i++) {
            stage_txn(&st);
            stage_put(&st, "/public/name", val_of_u64(i));
            stage_commit(&st, &e);
            stage_turns(&st, 6);
        }
        stage_quiet(&st);
        store.last = state_revision(st.state);
        val_unref(&store.final);
        store.final = book_calm(state_peek(st.state));
    }
    stage_close(&st);
}

static void store_end(void) {
    val_unref(&store.final);
    book_release(&store.book);
    mem_disk_free(store.disk);
    stage_end();
}

static struct { unsigned up, mended, failed; } seen;

/* Of a segment that is missing: numbers may be passed over, so a sentence may name where it begins and where it ends. */
static bool is_between(const char *text, const char *name) {
    const char *first = strstr(text, "journal-"), *last = strstr(text, " up to journal-");
    return first && last && strncmp(first, name, strlen(name)) <= 0 && strncmp(last + 7, name, strlen(name)) >= 0;
}

/* Opens a damaged copy; takes it. */
static void judge(struct mem_disk *disk, const char *path) {
    struct stage st;
    struct book book = {0};
    const char *name = strrchr(path, '/') + 1;
    if (stage_open(&st, disk, &book)) {
        stage_opening(&st);
        if (st.mode == STATE_UP) {
            seen.up++;
            seen.mended += st.mended > 0;
            HOLDS(st.damage == 0);
            HOLDS(state_revision(st.state) == store.last);
            if (!HOLDS(is_same(state_peek(st.state), &store.final)))
                stage_tell_difference(state_peek(st.state), &store.final);
            /* Its life goes on, and the next start has nothing to mend. */
            if (seen.up % 16 == 0) {
                book_put(&book, store.last, state_peek(st.state), true);
                stage_adopt(&st);
                disk = stage_live_on(&st, seen.up, 3);
                mem_disk_free(disk);
                book_release(&book);
                return;
            }
        } else {
            seen.failed++;
            HOLDS(st.mode == STATE_FAILED);
            bool named =
                strstr(st.why.text, name) || (!mem_disk_bytes(disk, path).ptr && is_between(st.why.text, name));
            if (!HOLDS(named)) printf("#   it says: %s\n", st.why.text);
        }
    }
    mem_disk_free(stage_kill(&st));
    book_release(&book);
}

static bool is_lock(const char *path) {
    return !strcmp(path, "state/lock");
}

TEST(a_flipped_bit_anywhere_is_mended_or_named) {
    uint64_t seed = first_seed();
    store_begin();
    seen.up = seen.mended = seen.failed = 0;
    const char *path;
    for (size_t f = 0; (path = mem_disk_name(store.disk, f)) && stage_bad < 12; f++) {
        uint64_t len = mem_disk_bytes(store.disk, path).len, step = is_long() ? 1 : 1 + len / 120;
        for (uint64_t at = step > 1 ? stage_below(&seed, (unsigned)step) : 0; at < len; at += step) {
            uint8_t bit = (uint8_t)(1u << stage_below(&seed, 8));
            struct mem_disk *copy = mem_disk_cut(store.disk, MEM_CUT_ALL);
            snprintf(stage_where, sizeof stage_where, "%s: bit %02x of byte %llu of %llu", path, bit,
                     (unsigned long long)at, (unsigned long long)len);
            mem_disk_flip(copy, path, at, bit);
            judge(copy, path);
            if (step > 1) at += stage_below(&seed, 5); /* not always the same column */
        }
    }
    tap_note("%u came up (%u mended), %u were refused", seen.up, seen.mended, seen.failed);
    CHECK(seen.up > 50 && seen.mended > 20 && seen.failed > 0);
    store_end();
    CHECK_INT(stage_bad, 0);
}

TEST(a_file_cut_at_any_length_is_mended_or_named) {
    uint64_t seed = first_seed() + 1;
    store_begin();
    seen.up = seen.mended = seen.failed = 0;
    const char *path;
    for (size_t f = 0; (path = mem_disk_name(store.disk, f)) && stage_bad < 12; f++) {
        uint64_t len = mem_disk_bytes(store.disk, path).len, step = is_long() ? 1 : 1 + len / 40;
        for (uint64_t at = 0; at < len && !is_lock(path);
             at += step > 1 ? 1 + stage_below(&seed, (unsigned)(2 * step)) : 1) {
            struct mem_disk *copy = mem_disk_cut(store.disk, MEM_CUT_ALL);
            snprintf(stage_where, sizeof stage_where, "%s: cut from %llu to %llu bytes", path, (unsigned long long)len,
                     (unsigned long long)at);
            mem_disk_shorten(copy, path, at);
            judge(copy, path);
        }
    }
    tap_note("%u came up (%u mended), %u were refused", seen.up, seen.mended, seen.failed);
    CHECK(seen.mended > 5 && seen.failed > 20);
    store_end();
    CHECK_INT(stage_bad, 0);
}

TEST(a_missing_file_is_mended_or_named) {
    store_begin();
    seen.up = seen.mended = seen.failed = 0;
    char path[LIMIT_DISK_PATH + 8];
    for (size_t f = 0; mem_disk_name(store.disk, f) && stage_bad < 12; f++) {
        snprintf(path, sizeof path, "%s", mem_disk_name(store.disk, f));
        struct mem_disk *copy = mem_disk_cut(store.disk, MEM_CUT_ALL);
        snprintf(stage_where, sizeof stage_where, "%s is missing", path);
        mem_disk_remove(copy, path);
        judge(copy, path);
    }
    tap_note("%u came up (%u mended), %u were refused", seen.up, seen.mended, seen.failed);
    CHECK(seen.up + seen.failed > 4);
    store_end();
    CHECK_INT(stage_bad, 0);
}

TEST(a_file_that_cannot_be_read_is_mended_or_named) {
    store_begin();
    seen.up = seen.mended = seen.failed = 0;
    for (uint64_t nth = 1; nth < 60 && stage_bad < 12; nth++) {
        struct stage st;
        struct book book = {0};
        struct mem_disk *copy = mem_disk_cut(store.disk, MEM_CUT_ALL);
        snprintf(stage_where, sizeof stage_where, "the disk fails at the %lluth read", (unsigned long long)nth);
        mem_disk_fail_at(copy, nth, MEM_EIO, MEM_READ, 1);
        if (stage_open(&st, copy, &book)) {
            stage_opening(&st);
            if (st.mode == STATE_UP)
                HOLDS(is_same(state_peek(st.state), &store.final) && state_revision(st.state) == store.last);
            else
                HOLDS(st.mode == STATE_FAILED && st.why.text[0]);
        }
        bool reached = mem_disk_failed(copy);
        mem_disk_free(stage_kill(&st));
        book_release(&book);
        if (!reached) break;
    }
    store_end();
    CHECK_INT(stage_bad, 0);
}

TAP_MAIN(T(a_flipped_bit_anywhere_is_mended_or_named), T(a_file_cut_at_any_length_is_mended_or_named),
         T(a_missing_file_is_mended_or_named), T(a_file_that_cannot_be_read_is_mended_or_named))
