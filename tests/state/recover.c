/* recover.c - starts from stores that were written byte by byte (written.h): whole, with every byte changed, every file cut at every
 * length, every file missing. The law: whatever was promised is there, or the start says that it is not and names the file. */
#include "protocols/json.h"
#include "state/recovered.h"

static bool thorough(void) {
    return getenv("STARTBOX_LONG") != NULL;
}

/* The first revision behind another. */
static uint64_t next_of(const struct written *w, uint64_t revision) {
    for (unsigned i = 0; i < w->revision_n; i++)
        if (w->revisions[i] > revision) return w->revisions[i];
    return UINT64_MAX;
}

/* The law, behind a change of one file at one place (`cut`: from there to its end). Returns false when it does not hold. */
static bool judge(const struct built *b, const char *name, unsigned file, uint64_t at, bool cut) {
    const struct written *w = &b->w;
    struct recover_config past = start, all = start;
    past.past_damage = true;
    all.all = true;
    struct recover_result r = recover(w, &start);
    bool good = !r.refused && !r.empty && r.next_serial >= 4, whole = false;
    if (r.damaged) {
        const struct recover_finding *f = find(&r, RECOVER_DAMAGE, NULL);
        good = good && val_is_none(&r.root) && f && !strcmp(f->name, name) && strstr(r.why.text, name);
    } else {
        good = good && is_tree(w, &r) && r.journalled >= r.revision;
        whole = r.revision == b->full;
    }
    bool in_last = file == b->last_file && !cut && at >= b->last_from && at < b->last_to;
    if (good && !r.damaged && !whole) {
        /* Only the last batch may be dropped, or its end, and what is dropped is named. */
        const struct recover_finding *f = find(&r, RECOVER_TORN, name);
        good = in_last && next_of(w, r.revision) >= b->last_first && f && f->first > r.revision &&
               f->first <= next_of(w, r.revision) && (!f->last || f->last == b->full);
    }
    if (!good) {
        tap_note("%s at %llu%s:", name, (unsigned long long)at, cut ? ", cut" : "");
        print(&r);
    }
    bool damaged = r.damaged;
    uint64_t revision = r.revision;
    recover_result_release(&r);
    if (!good || (!thorough() && at % 8)) return good;
    /* Repair gets the same place, and the tree of it. */
    r = recover(w, &past);
    bool same = r.damaged == damaged && r.revision == revision &&
                (val_is_none(&r.root) ? !r.snapshot_revision : is_tree(w, &r));
    recover_result_release(&r);
    /* A look at everything comes to the same end. */
    r = recover(w, &all);
    same = same && r.damaged == damaged && r.revision == revision;
    if (!same) {
        tap_note("%s at %llu%s, everything:", name, (unsigned long long)at, cut ? ", cut" : "");
        print(&r);
    }
    recover_result_release(&r);
    return good && same;
}

/* Whether a place is worth a try: zeros far from anything are as good as each other. */
static bool matters(struct slice s, size_t at) {
    if (thorough() || at % 16 == 0) return true;
    for (size_t i = at > 4 ? at - 4 : 0; i < s.len && i < at + 4; i++)
        if (s.ptr[i]) return true;
    return false;
}

#define TELL 5 /* faults that are told of one store */

/* With the newest snapshot, and without it: then the older one and one segment more are needed. */
static void each_store(void (*each)(struct built *b, const char *what)) {
    for (int shape = 0; shape < SHAPE_N; shape++)
        for (int without = 0; without < 2; without++) {
            struct built b;
            char what[64];
            build(&b, (enum shape)shape);
            for (unsigned i = 0; without && i < b.w.file_n; i++)
                if (!strcmp(b.w.files[i].name,
                            shape == SHAPE_SKIPS ? "snapshot-0000000000000015" : "snapshot-0000000000000012"))
                    b.w.files[i].gone = true;
            snprintf(what, sizeof what, "shape %d%s", shape, without ? " without its newest snapshot" : "");
            each(&b, what);
            written_free(&b.w);
        }
}

static void is_whole(struct built *b, const char *what) {
    struct recover_config all = start;
    all.all = true;
    for (int i = 0; i < 2; i++) {
        struct recover_result r = recover(&b->w, i ? &all : &start);
        if (!CHECK(!r.damaged && !r.refused && !r.empty && r.revision == b->full && r.journalled == b->full) ||
            !CHECK(is_tree(&b->w, &r)) || !CHECK(!r.finding_all && !r.mended)) {
            tap_note("%s", what);
            print(&r);
        }
        CHECK(r.store == WRITTEN_STORE && r.version == 1 && r.next_serial == 4 && r.next_is_there &&
              r.begun_serial == 3);
        CHECK(val_is_text(&r.name, LIT("testd")));
        CHECK(val_is_text(val_at(&r.priv, 0), LIT("/private")) &&
              val_is_text(val_at(&r.secret, 0), LIT("/private/keys")));
        recover_result_release(&r);
    }
}

TEST(a_whole_store_is_read_to_its_last_revision_without_a_word) {
    each_store(is_whole);
}

TEST(what_is_kept_and_where_the_journal_goes_on_is_told) {
    struct built b;
    build(&b, SHAPE_PATCH_LAST);
    struct recover_result r = recover(&b.w, &start);
    CHECK(r.snapshot_revision == 18 && r.kept[0].revision == 18 && r.kept[0].serial == 2);
    CHECK(r.kept[1].revision == 10 && r.kept[1].serial == 1);
    CHECK_INT(r.snapshot_bytes, b.w.files[3].bytes.len);
    /* 21, 22, 25, 26, 27: heads of 44 bytes, and patches of two operations; 24 and above takes one byte more, twice. */
    struct buf p;
    buf_init(&p, 4096);
    written_patch(&p, 21);
    CHECK_INT(r.journal_bytes, 5 * (44 + p.len) + 3 * 2);
    buf_release(&p);
    recover_result_release(&r);
    written_free(&b.w);
}

static void flip_all(struct built *b, const char *what) {
    static const uint8_t how[] = {0x01, 0xff};
    unsigned wrong = 0;
    for (unsigned i = 0; i < b->w.file_n; i++) {
        struct written_file *f = &b->w.files[i];
        for (size_t k = 0; !f->gone && k < 2 * f->bytes.len; k++) {
            uint8_t *p = f->bytes.ptr + k / 2, was = *p;
            if (!matters(buf_slice(&f->bytes), k / 2) || (!thorough() && (k + k / 2 + b->full) % 2)) continue;
            *p ^= k % 2 ? how[1] : (uint8_t)(how[0] << k / 2 % 8);
            wrong += wrong < TELL && !CHECK(judge(b, f->name, i, k / 2, false));
            *p = was;
        }
    }
    if (wrong) tap_note("%s", what);
}

TEST(no_changed_byte_loses_a_promised_revision_unsaid) {
    each_store(flip_all);
}

static void cut_all(struct built *b, const char *what) {
    unsigned wrong = 0;
    for (unsigned i = 0; i < b->w.file_n; i++) {
        struct written_file *f = &b->w.files[i];
        size_t len = f->bytes.len;
        for (size_t k = 0; !f->gone && k < len; k++) {
            f->bytes.len = len;
            if (!matters(buf_slice(&f->bytes), k)) continue;
            f->bytes.len = k;
            wrong += wrong < TELL && !CHECK(judge(b, f->name, i, k, true));
        }
        f->bytes.len = len;
    }
    if (wrong) tap_note("%s", what);
}

TEST(no_cut_file_loses_a_promised_revision_unsaid) {
    each_store(cut_all);
}

TEST(a_missing_file_is_named_or_not_needed) {
    static const struct {
        const char *name;
        const char *also;   /* missing as well */
        const char *damage; /* the file that is named; NULL: the start goes on */
        uint64_t revision;
    } rows[] = {
        {"journal-0000000000000001", NULL, NULL, 27},
        {"snapshot-000000000000000a", NULL, NULL, 27},
        {"snapshot-0000000000000012", NULL, NULL, 27},
        {"journal-0000000000000004", NULL, NULL, 27},
        {"journal-0000000000000002", NULL, "journal-0000000000000002", 18},
        {"journal-0000000000000001", "snapshot-0000000000000012", "journal-0000000000000001", 10},
        {"journal-0000000000000002", "snapshot-0000000000000012", "journal-0000000000000002", 15},
        {"snapshot-000000000000000a", "snapshot-0000000000000012", "journal-0000000000000001", 0},
        {"journal-0000000000000001", "journal-0000000000000002", "journal-0000000000000002", 18},
        /* The last one that had begun: the one behind it says that it was there. Without that too nothing does (docs/state.md). */
        {"journal-0000000000000003", NULL, "journal-0000000000000003", 21},
        {"journal-0000000000000003", "journal-0000000000000004", NULL, 21},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct built b;
        build(&b, SHAPE_PATCH_LAST);
        for (unsigned k = 0; k < b.w.file_n; k++)
            b.w.files[k].gone =
                !strcmp(b.w.files[k].name, rows[i].name) || (rows[i].also && !strcmp(b.w.files[k].name, rows[i].also));
        struct recover_result r = recover(&b.w, &start);
        bool good = CHECK(r.damaged == (rows[i].damage != NULL)) && CHECK_INT(r.revision, rows[i].revision);
        if (rows[i].damage)
            good = CHECK(find(&r, RECOVER_DAMAGE, rows[i].damage)) && CHECK(strstr(r.why.text, rows[i].damage)) && good;
        else
            good = CHECK(is_tree(&b.w, &r)) && good;
        if (!good) {
            tap_note("without %s:", rows[i].name);
            print(&r);
        }
        recover_result_release(&r);
        written_free(&b.w);
    }
}

/* --- sentences --- */

TEST(what_is_lost_and_what_can_be_done_is_said_in_words) {
    static const struct {
        const char *name;
        size_t at;
        const char *text;
    } rows[] = {
        {"journal-0000000000000003", 560,
         "journal-0000000000000003 at 512: revision 22 is damaged (its checksum is wrong) and was durable: revisions "
         "22 to 26 "
         "are lost unless the file is mended; `startbox state repair DIR --to 21` goes back to 21"},
        {"journal-0000000000000003", 1025,
         "journal-0000000000000003 at 1024: the record behind revision 22 is damaged (the checksum of its head is "
         "wrong) and "
         "was durable: revisions 23 to 26 are lost unless the file is mended; `startbox state repair DIR --to 22` goes "
         "back "
         "to 22"},
        {"journal-0000000000000003", 30,
         "journal-0000000000000003: its head is damaged, and what was in it was durable: revisions 22 to 26 are lost "
         "unless "
         "the file is mended; `startbox state repair DIR --to 21` goes back to 21"},
        {"journal-0000000000000003", 1600,
         "journal-0000000000000003 at 1536: a write was cut off here: revision 27 never became real and is dropped"},
        {"journal-0000000000000003", 1540,
         "journal-0000000000000003 at 1536: a write was cut off here: what came behind revision 26 never became real "
         "and is "
         "dropped"},
        {"snapshot-0000000000000012", 3,
         "snapshot-0000000000000012: it is damaged (it does not begin as a snapshot does); nothing is lost: an older "
         "one and "
         "the journal have it all"},
        {"snapshot-000000000000000a", 3,
         "snapshot-000000000000000a: it is damaged (it does not begin as a snapshot does); nothing is lost: a newer "
         "one is "
         "good"},
        {"journal-0000000000000002", 600,
         "journal-0000000000000002 at 512: revision 16 is damaged (its checksum is wrong); the snapshot has it, "
         "nothing is "
         "lost"},
        {"journal-0000000000000002", 2050,
         "journal-0000000000000002 at 2048: the record behind revision 21 is damaged (the checksum of its head is "
         "wrong)"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0] - 1; i++) {
        struct built b;
        build(&b, SHAPE_PATCH_LAST);
        flip(&b, rows[i].name, rows[i].at);
        struct recover_result r = recover(&b.w, &start);
        if (CHECK(says(&r, rows[i].text)) && r.damaged) CHECK(!strcmp(r.why.text, rows[i].text));
        CHECK(r.mended == (find(&r, RECOVER_MENDED, NULL) != NULL));
        recover_result_release(&r);
        written_free(&b.w);
    }
}

TEST(a_damaged_snapshot_whose_revisions_the_journal_does_not_have_is_a_loss) {
    struct built b;
    build(&b, SHAPE_PATCH_LAST);
    flip(&b, "snapshot-0000000000000012", 30);
    for (unsigned i = 0; i < b.w.file_n; i++)
        b.w.files[i].gone = !strncmp(b.w.files[i].name, "journal", 7) && b.w.files[i].name[23] != '1';
    struct recover_result r = recover(&b.w, &start);
    const struct recover_finding *f = find(&r, RECOVER_DAMAGE, "snapshot-0000000000000012");
    CHECK(r.damaged && r.revision == 15 && val_is_none(&r.root));
    CHECK(f && f->first == 16 && f->last == 18);
    recover_result_release(&r);
    /* No snapshot at all: there is nothing to go back to. */
    flip(&b, "snapshot-000000000000000a", 30);
    r = recover(&b.w, &start);
    CHECK(r.damaged && !r.empty && find(&r, RECOVER_DAMAGE, "snapshot-000000000000000a"));
    CHECK(find(&r, RECOVER_DAMAGE, "snapshot-0000000000000012") && !strstr(r.why.text, "repair"));
    recover_result_release(&r);
    written_free(&b.w);
}

TEST(a_snapshot_under_another_revisions_name_is_damaged) {
    struct built b;
    build(&b, SHAPE_PATCH_LAST);
    for (unsigned i = 0; i < b.w.file_n; i++)
        if (!strcmp(b.w.files[i].name, "snapshot-0000000000000012")) b.w.files[i].name[24] = '3';
    struct recover_result r = recover(&b.w, &start);
    CHECK(!r.damaged && r.revision == 27 && r.mended && is_tree(&b.w, &r));
    CHECK(says(&r,
               "snapshot-0000000000000013: it is damaged (it holds revision 18, its name says 19); nothing is lost: an "
               "older one and the journal have it all"));
    recover_result_release(&r);
    written_free(&b.w);
}

/* --- the committed store --- */

#define GOLDEN "tests/golden/state/v1/"

/* What it holds was decided by hand: see make_golden. */
#define GOLDEN_TREE                                                                                                    \
    "{\"n\":9,\"all\":[1,2,4,5,6,9],\"text\":\"gr\\u00fc\\u00df "                                                      \
    "dich\",\"deep\":{\"a\":[{\"b\":null}],\"f\":1.5,\"t\":true},"                                                     \
    "\"big\":18446744073709551615,\"small\":-7}"

static void add_golden(struct written *w, const char *json, bool last, uint64_t revision, uint64_t horizon) {
    static const struct json_limits limits = {.bytes = 4096, .depth = 20};
    struct val v = val_none;
    struct buf p;
    buf_init(&p, 4096);
    CHECK(json_parse(slice_str(json), &limits, &v, NULL) && cbor_write(&p, &v, NULL));
    written_note(w, revision);
    written_record_of(w, 1, last, revision, horizon, buf_slice(&p));
    val_unref(&v);
    buf_release(&p);
}

/* A snapshot of revision 2, and behind it 4, a batch of 5 and 6, a mark, and 9. */
static void make_golden(struct written *w) {
    *w = (struct written){.version = 1};
    written_note(w, 1);
    written_note(w, 2);
    written_snapshot(w, WRITTEN_STORE, 2, 1, "testd");
    written_segment(w, 1, 4096);
    written_head(w, WRITTEN_STORE, 1, 2);
    add_golden(w,
               "[{\"op\":\"replace\",\"path\":\"/n\",\"value\":4},{\"op\":\"add\",\"path\":\"/all/-\",\"value\":4},"
               "{\"op\":\"add\",\"path\":\"/text\",\"value\":\"gr\\u00fc\\u00df\"}]",
               true, 4, 2);
    add_golden(w,
               "[{\"op\":\"replace\",\"path\":\"/n\",\"value\":5},{\"op\":\"add\",\"path\":\"/all/-\",\"value\":5},"
               "{\"op\":\"add\",\"path\":\"/deep\",\"value\":{\"a\":[],\"gone\":1,\"f\":1.5}}]",
               false, 5, 4);
    add_golden(
        w,
        "[{\"op\":\"replace\",\"path\":\"/n\",\"value\":6},{\"op\":\"add\",\"path\":\"/all/-\",\"value\":6},"
        "{\"op\":\"add\",\"path\":\"/deep/a/0\",\"value\":{\"b\":null}},{\"op\":\"remove\",\"path\":\"/deep/gone\"},"
        "{\"op\":\"add\",\"path\":\"/deep/t\",\"value\":true}]",
        true, 6, 4);
    written_mark_record(w, 6);
    add_golden(w,
               "[{\"op\":\"replace\",\"path\":\"/n\",\"value\":9},{\"op\":\"add\",\"path\":\"/all/-\",\"value\":9},"
               "{\"op\":\"add\",\"path\":\"/big\",\"value\":18446744073709551615},"
               "{\"op\":\"add\",\"path\":\"/small\",\"value\":-7},"
               "{\"op\":\"replace\",\"path\":\"/text\",\"value\":\"gr\\u00fc\\u00df dich\"}]",
               true, 9, 6);
}

TEST(a_store_of_version_1_loads_for_ever) {
    struct written w;
    bool write = getenv("GOLDEN") && !strcmp(getenv("GOLDEN"), "write");
    make_golden(&w);
    for (unsigned i = 0; i < w.file_n; i++) {
        char path[200];
        struct buf *b = &w.files[i].bytes;
        snprintf(path, sizeof path, GOLDEN "%s", w.files[i].name);
        FILE *f = write ? fopen(path, "wb") : NULL;
        if (f) {
            CHECK(fwrite(b->ptr, 1, b->len, f) == b->len);
            fclose(f);
        }
        struct slice kept = tap_file(path);
        CHECK_TEXT(buf_slice(b), kept); /* nor does anybody write other bytes unseen */
        buf_reset(b);
        CHECK(buf_add(b, kept));
        tap_free(kept);
    }
    static const struct json_limits limits = {.bytes = 4096, .depth = 20};
    struct val want = val_none;
    CHECK(json_parse(LIT(GOLDEN_TREE), &limits, &want, NULL));
    struct recover_result r = recover(&w, &start);
    CHECK(!r.damaged && !r.finding_all && r.revision == 9 && r.version == 1 && val_equal(&r.root, &want));
    recover_result_release(&r);
    val_unref(&want);
    written_free(&w);
}

TAP_MAIN(T(a_whole_store_is_read_to_its_last_revision_without_a_word),
         T(what_is_kept_and_where_the_journal_goes_on_is_told), T(no_changed_byte_loses_a_promised_revision_unsaid),
         T(no_cut_file_loses_a_promised_revision_unsaid), T(a_missing_file_is_named_or_not_needed),
         T(what_is_lost_and_what_can_be_done_is_said_in_words),
         T(a_damaged_snapshot_whose_revisions_the_journal_does_not_have_is_a_loss),
         T(a_snapshot_under_another_revisions_name_is_damaged), T(a_store_of_version_1_loads_for_ever))
