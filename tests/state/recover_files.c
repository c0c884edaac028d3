/* recover_files.c - which files there are: births, strange names, other stores and programs, a disk that refuses; and want of memory. */
#include "lib/faults.h"
#include "state/recovered.h"

/* --- beginnings --- */

static void check_empty(const struct written *w, bool empty, bool next_is_there) {
    struct recover_result r = recover(w, &start);
    CHECK(r.empty == empty && r.damaged == !empty && !r.refused && val_is_none(&r.root));
    if (empty) CHECK(r.next_serial == 1 && r.next_is_there == next_is_there && !r.begun_serial);
    if (r.empty != empty) print(&r);
    recover_result_release(&r);
}

TEST(an_empty_folder_and_a_birth_that_was_cut_are_empty) {
    struct written w = {.version = 1};
    check_empty(&w, true, false);
    written_segment(&w, 1, SIZE);
    check_empty(&w, true, true);
    struct written_file *f = &w.files[w.file_n++];
    snprintf(f->name, sizeof f->name, "snapshot.new");
    buf_init(&f->bytes, 10);
    snprintf(w.files[w.file_n].name, sizeof f->name, "notes.txt");
    buf_init(&w.files[w.file_n++].bytes, 10);
    check_empty(&w, true, true);
    /* A journal without any snapshot is no birth: whether its head can be read or not. */
    w.segment = &w.files[0].bytes;
    written_record(&w, true, 5, 4, false);
    check_empty(&w, false, false);
    written_head(&w, WRITTEN_STORE, 1, 4);
    check_empty(&w, false, false);
    w.segment->ptr[20] ^= 1;
    check_empty(&w, false, false);
    w.segment->len = 100;
    check_empty(&w, false, false);
    written_free(&w);
}

TEST(a_first_snapshot_whose_segment_was_not_made_yet_is_a_good_store) {
    struct written w = {.version = 1};
    written_note(&w, 1);
    written_snapshot(&w, WRITTEN_STORE, 1, 1, "testd");
    struct recover_result r = recover(&w, &start);
    CHECK(!r.damaged && !r.empty && r.revision == 1 && r.journalled == 1 && !r.begun_serial);
    CHECK(r.next_serial == 1 && !r.next_is_there);
    CHECK(is_tree(&w, &r) && !r.finding_all);
    recover_result_release(&r);
    written_segment(&w, 1, SIZE); /* prepared, and not begun: it is the next one */
    r = recover(&w, &start);
    CHECK(!r.damaged && r.revision == 1 && !r.begun_serial && !r.finding_all);
    CHECK(r.next_serial == 1 && r.next_is_there && r.next_size == SIZE);
    recover_result_release(&r);
    snprintf(w.files[1].name, sizeof w.files[1].name, "journal-0000000000000002");
    r = recover(&w, &start);
    CHECK(r.damaged &&
          find(&r, RECOVER_DAMAGE, "journal-0000000000000001")); /* the second is made when the first begins */
    recover_result_release(&r);
    written_free(&w);
}

TEST(unfinished_and_strange_names_are_told_and_never_read) {
    static const char *const names[] = {"segment.new",
                                        "snapshot.new",
                                        "journal-0000000000000009.new",
                                        "segment-3.new",
                                        "journal-00000000000000AA",
                                        "snapshot-x",
                                        "lock",
                                        "notes"};
    struct built b;
    build(&b, SHAPE_PATCH_LAST);
    struct recover_file files[20];
    size_t n = 0;
    for (unsigned i = 0; i < b.w.file_n; i++) {
        memcpy(files[n].name, b.w.files[i].name, STATE_NAME);
        files[n++].size = b.w.files[i].bytes.len;
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(files[n].name, STATE_NAME, "%s", names[i]);
        files[n++].size = 12345;
    }
    memset(files[n].name, 'j', STATE_NAME); /* no end */
    files[n++].size = 5;
    files[n] = files[0]; /* twice */
    n++;
    struct recover *r = recover_new(&start, files, n, NULL);
    struct recover_want want;
    while (recover_next(r, &want) == RECOVER_READ) {
        unsigned file;
        CHECK(recover_feed(r, written_read(&b.w, &want, &file), NULL)); /* stops at a name that is not there */
    }
    struct recover_result out;
    recover_take(r, &out);
    CHECK(!out.damaged && out.revision == 27 && out.next_serial == 4);
    CHECK_INT(out.finding_all, 6);
    for (size_t i = 0; i < 6; i++) CHECK(find(&out, RECOVER_NOTE, names[i]));
    CHECK(says(&out, "segment.new: an unfinished file; it is not read"));
    CHECK(says(&out, "snapshot-x: this is no name of the store's; it is left alone"));
    recover_result_release(&out);
    recover_free(r);
    written_free(&b.w);
}

TEST(a_number_that_leaves_none_behind_it_stops_the_start) {
    struct built b;
    build(&b, SHAPE_PATCH_LAST);
    written_segment(&b.w, RECORD_MOST, SIZE);
    struct recover_result r = recover(&b.w, &start);
    CHECK(r.damaged && strstr(r.why.text, "journal-4000000000000000: no store has ever come to this number"));
    recover_result_release(&r);
    written_free(&b.w);
}

TEST(too_many_files_are_refused) {
    size_t n = LIMIT_STATE_FILES + 1;
    struct recover_file *files = mem_get_zero(n * sizeof *files);
    struct err e = ERR_INIT;
    for (size_t i = 0; i < n; i++) segment_name(files[i].name, i + 1);
    CHECK(!recover_new(&start, files, n, &e) && e.code == ERR_LIMIT && strstr(e.text, "LIMIT_STATE_FILES"));
    struct recover *r = recover_new(&start, files, n - 1, &e);
    CHECK(r != NULL);
    recover_free(r);
    mem_put(files, n * sizeof *files);
}

/* --- refusals --- */

TEST(a_state_of_another_personality_or_a_newer_program_is_refused) {
    struct built b;
    build(&b, SHAPE_PATCH_LAST);
    struct recover_config other = start;
    other.name = "otherd";
    struct recover_result r = recover(&b.w, &other);
    CHECK(r.refused && !r.damaged && !r.empty && val_is_none(&r.root));
    CHECK_TEXT(slice_str(r.why.text),
               LIT("snapshot-0000000000000012 is of \"testd\", and the state of \"otherd\" is wanted here"));
    recover_result_release(&r);
    other.name = NULL;
    r = recover(&b.w, &other);
    CHECK(!r.refused && r.revision == 27);
    recover_result_release(&r);
    written_free(&b.w);
    struct written w = {.version = 2};
    written_note(&w, 1);
    written_snapshot(&w, WRITTEN_STORE, 1, 1, "testd");
    r = recover(&w, &start);
    CHECK(r.refused && val_is_none(&r.root));
    CHECK_TEXT(slice_str(r.why.text),
               LIT("snapshot-0000000000000001 is of version 2, made by a newer program; this one "
                   "understands up to version 1"));
    recover_result_release(&r);
    /* Also when the rest of it is damaged: an older state must not be taken instead. */
    w.files[0].bytes.len -= 5;
    w.version = 1;
    written_snapshot(&w, WRITTEN_STORE, 0, 1, "testd");
    r = recover(&w, &start);
    CHECK(r.refused);
    recover_result_release(&r);
    other = start;
    other.version = 0; /* any */
    r = recover(&w, &other);
    CHECK(!r.refused && r.damaged); /* its name promised revision 1 */
    recover_result_release(&r);
    written_free(&w);
}

TEST(records_of_another_version_than_the_snapshots_are_not_applied) {
    struct written w = {.version = 1};
    struct recover_config two = start;
    two.version = 2;
    written_note(&w, 1);
    written_snapshot(&w, WRITTEN_STORE, 1, 1, "testd");
    written_segment(&w, 1, SIZE);
    written_head(&w, WRITTEN_STORE, 1, 1);
    written_record(&w, true, 2, 1, true);
    written_segment(&w, 2, SIZE); /* behind a migration at revision 3, whose snapshot is not there */
    w.version = 2;
    written_head(&w, WRITTEN_STORE, 2, 3);
    written_record(&w, true, 4, 3, true);
    struct recover_result r = recover(&w, &two);
    CHECK(r.damaged && r.revision == 2);
    CHECK(strstr(r.why.text,
                 "journal-0000000000000002: it is of version 2 of the state, and the snapshot of revision 3 that led "
                 "there is missing or damaged"));
    recover_result_release(&r);
    written_head(&w, WRITTEN_STORE, 2, 2); /* the migration took no number */
    w.at = 512;
    written_record(&w, true, 4, 2, false);
    r = recover(&w, &two);
    CHECK(r.damaged && r.revision == 2);
    CHECK(strstr(r.why.text, "journal-0000000000000002 at 512: revision 4 is of version 2 of the state"));
    recover_result_release(&r);
    written_free(&w);
}

/* --- strangers --- */

TEST(a_segment_of_another_store_is_no_end_of_the_journal) {
    struct built b;
    build(&b, SHAPE_PATCH_LAST);
    struct written *w = &b.w;
    for (unsigned i = 0; i < w->file_n; i++)
        if (!strcmp(w->files[i].name, "journal-0000000000000003")) w->segment = &w->files[i].bytes;
    written_head(w, WRITTEN_STORE + 1, 3, 21);
    struct recover_result r = recover(w, &start);
    CHECK(r.damaged && r.revision == 21);
    CHECK(strstr(r.why.text,
                 "journal-0000000000000003: it is not the segment its name says, or of another store: what came "
                 "behind revision 21 may be lost"));
    recover_result_release(&r);
    written_head(w, WRITTEN_STORE, 5, 21); /* ours, but a later one */
    r = recover(w, &start);
    CHECK(r.damaged && find(&r, RECOVER_DAMAGE, "journal-0000000000000003"));
    recover_result_release(&r);
    written_free(w);
    build(&b, SHAPE_PATCH_LAST);
    /* One that nobody needs: told by a look at everything only. */
    w->segment = &w->files[0].bytes;
    written_head(w, WRITTEN_STORE + 1, 1, 8);
    r = recover(w, &start);
    CHECK(!r.damaged && r.revision == 27 && !r.finding_all);
    recover_result_release(&r);
    struct recover_config all = start;
    all.all = true;
    r = recover(w, &all);
    CHECK(!r.damaged && r.revision == 27 && find(&r, RECOVER_MENDED, "journal-0000000000000001"));
    recover_result_release(&r);
    written_free(w);
}

TEST(an_older_snapshot_of_another_store_is_not_counted_on) {
    struct written w = {.version = 1};
    written_note(&w, 1);
    written_snapshot(&w, WRITTEN_STORE + 1, 1, 1, "testd");
    written_note(&w, 2);
    written_snapshot(&w, WRITTEN_STORE, 2, 1, "testd");
    struct recover_result r = recover(&w, &start);
    CHECK(!r.damaged && r.revision == 2 && r.kept[0].revision == 2 && !r.kept[1].revision && r.mended);
    recover_result_release(&r);
    written_free(&w);
}

TEST(a_look_at_everything_finds_damage_nobody_needs) {
    struct built b;
    struct recover_config all = start;
    all.all = true;
    static const size_t places[] = {30, 520, 600, 1050, 1100};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        build(&b, SHAPE_PATCH_LAST);
        flip(&b, "journal-0000000000000001", places[i]);
        struct recover_result r = recover(&b.w, &all);
        if (!CHECK(!r.damaged && r.revision == 27 && find(&r, RECOVER_MENDED, "journal-0000000000000001"))) print(&r);
        recover_result_release(&r);
        r = recover(&b.w, &start);
        CHECK(!r.finding_all);
        recover_result_release(&r);
        written_free(&b.w);
    }
    build(&b, SHAPE_PATCH_LAST);
    flip(&b, "snapshot-000000000000000a", b.w.files[1].bytes.len - 1); /* behind its description */
    struct recover_result r = recover(&b.w, &start);
    CHECK(!r.finding_all && r.kept[1].revision == 10);
    recover_result_release(&r);
    r = recover(&b.w, &all);
    CHECK(!r.damaged && find(&r, RECOVER_MENDED, "snapshot-000000000000000a"));
    recover_result_release(&r);
    /* Damage in two files: both are named. */
    flip(&b, "journal-0000000000000002", 1560);
    flip(&b, "journal-0000000000000003", 560);
    r = recover(&b.w, &all);
    CHECK(r.damaged && r.revision == 18 && find(&r, RECOVER_DAMAGE, "journal-0000000000000002"));
    CHECK(find(&r, RECOVER_DAMAGE, "journal-0000000000000003"));
    recover_result_release(&r);
    written_free(&b.w);
}

/* --- a disk that refuses --- */

TEST(what_the_disk_refuses_to_read_is_damage_of_that_place) {
    static const struct {
        const char *name;
        uint64_t from, to;
        bool damaged;
        uint64_t revision;
    } rows[] = {
        {"journal-0000000000000001", 0, 512, false, 27},
        {"snapshot-0000000000000012", 0, 1, false, 27},
        {"snapshot-000000000000000a", 0, 1, false, 27},
        {"journal-0000000000000002", 0, 512, true, 18},
        {"journal-0000000000000003", 0, 1, true, 21},
        {"journal-0000000000000003", 2000, 2001, true, 21}, /* small pieces are 4096 bytes: all of this file */
        {"journal-0000000000000004", 0, 1, true, 27},
        {"journal-0000000000000004", 2000, 2001, true, 27},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct built b;
        build(&b, SHAPE_PATCH_LAST);
        struct written_trouble t = {.from = rows[i].from, .to = rows[i].to};
        while (strcmp(b.w.files[t.file].name, rows[i].name) != 0) t.file++;
        struct recover_result r;
        CHECK(written_recover(&b.w, &start, &t, &r, NULL));
        bool good = CHECK(r.damaged == rows[i].damaged) && CHECK_INT(r.revision, rows[i].revision);
        if (r.damaged) good = CHECK(find(&r, RECOVER_DAMAGE, rows[i].name)) && good;
        if (!good) {
            tap_note("%s", rows[i].name);
            print(&r);
        }
        recover_result_release(&r);
        written_free(&b.w);
    }
}

TEST(around_a_place_the_disk_refuses_everything_is_still_read) {
    struct written w;
    struct recover_config past = start;
    past.past_damage = true;
    small(&w);
    uint64_t n = 2;
    while (w.at < 40000) {
        written_record(&w, true, n, n - 1, true);
        n++;
    }
    struct written_trouble t = {.file = 1, .from = 20000, .to = 20001};
    struct recover_result r;
    CHECK(written_recover(&w, &past, &t, &r, NULL));
    /* Of the journal, what is in front of the piece of 4096 bytes. One batch a block: revision n stands in block n - 1. */
    CHECK(r.damaged && is_tree(&w, &r));
    CHECK(r.revision >= 16384 / 512 - 1 && r.revision <= 20000 / 512 + 1);
    const struct recover_finding *f = find(&r, RECOVER_DAMAGE, "journal-0000000000000001");
    CHECK(f && f->first == r.revision + 1 && f->last == n - 2 && strstr(f->text, "the disk refuses to read"));
    recover_result_release(&r);
    written_free(&w);
}

/* --- ourselves --- */

TEST(findings_beyond_the_table_are_counted) {
    struct recover_file files[RECOVER_FINDINGS + 10];
    for (size_t i = 0; i < RECOVER_FINDINGS + 10; i++) {
        snprintf(files[i].name, STATE_NAME, "x%zu.new", i);
        files[i].size = 0;
    }
    snapshot_name(files[RECOVER_FINDINGS + 9].name, 5);
    struct recover *r = recover_new(&start, files, RECOVER_FINDINGS + 10, NULL);
    struct recover_want want;
    struct recover_result out;
    CHECK(recover_next(r, &want) == RECOVER_DONE); /* an empty snapshot */
    recover_take(r, &out);
    CHECK(out.finding_n == RECOVER_FINDINGS && out.finding_all == RECOVER_FINDINGS + 10);
    CHECK(out.damaged && strstr(out.why.text, "snapshot-0000000000000005"));
    recover_result_release(&out);
    recover_free(r);
}

static bool sweep(void *arg) {
    struct built *b = arg;
    struct recover_result r;
    struct err e = ERR_INIT;
    if (!written_recover(&b->w, &start, NULL, &r, &e)) {
        CHECK(e.code == ERR_NOMEM);
        return false;
    }
    bool good = !r.damaged && r.revision == b->full && !r.finding_all;
    recover_result_release(&r);
    /* Want of memory must never pass for a state, nor for damage that an operator would repair away. */
    return CHECK(good);
}

TEST(without_memory_recovery_fails_and_never_calls_it_damage) {
    struct built b;
    build(&b, SHAPE_PATCH_LAST);
    faults_sweep(sweep, &b, "a start");
    written_free(&b.w);
}

/* --- more of files --- */

TEST(a_segment_under_a_smaller_number_than_its_own_was_never_used_again) {
    struct built b;
    build(&b, SHAPE_PATCH_LAST);
    struct written *w = &b.w;
    w->segment = &w->files[w->file_n - 1].bytes;
    written_head(w, WRITTEN_STORE, 9, 21); /* somebody moved it */
    struct recover_result r = recover(w, &start);
    CHECK(r.damaged && r.revision == 27 && find(&r, RECOVER_DAMAGE, "journal-0000000000000004"));
    recover_result_release(&r);
    written_free(w);
}

TEST(segments_in_front_of_the_snapshots_count_as_begun) {
    struct written w = {.version = 1};
    written_note(&w, 1);
    written_segment(&w, 1, SIZE);
    written_head(&w, WRITTEN_STORE, 1, 1);
    written_record(&w, true, 2, 1, true);
    written_segment(&w, 2, SIZE);
    written_snapshot(&w, WRITTEN_STORE, 2, 3, "testd"); /* and 3 is not made yet */
    struct recover_result r = recover(&w, &start);
    CHECK(!r.damaged && r.revision == 2 && r.begun_serial == 2 && r.next_serial == 3 && !r.finding_all);
    recover_result_release(&r);
    written_free(&w);
}

TEST(files_that_end_sooner_than_the_list_says_are_read_to_their_end) {
    struct built b;
    build(&b, SHAPE_PATCH_LAST);
    struct written_trouble t = {.longer = 70000};
    struct recover_result r;
    CHECK(written_recover(&b.w, &start, &t, &r, NULL));
    CHECK(!r.damaged && r.revision == 27 && is_tree(&b.w, &r) && !r.finding_all);
    recover_result_release(&r);
    written_free(&b.w);
}

TEST(a_snapshot_that_is_too_large_is_not_read) {
    struct written w = {.version = 1};
    struct recover_config tight = start;
    struct written_trouble t = {0};
    struct recover_result r;
    written_note(&w, 1);
    written_snapshot(&w, WRITTEN_STORE, 1, 1, "testd");
    tight.most = w.files[0].bytes.len;
    CHECK(written_recover(&w, &tight, &t, &r, NULL) && !r.damaged && r.revision == 1);
    recover_result_release(&r);
    tight.most--;
    t.reads = 0;
    CHECK(written_recover(&w, &tight, &t, &r, NULL) && r.damaged && !t.reads);
    CHECK(strstr(r.why.text, "LIMIT_STATE_SNAPSHOT"));
    recover_result_release(&r);
    written_free(&w);
}

TEST(behind_a_want_of_memory_there_is_no_state_to_go_on_with) {
    struct built b;
    struct recover_file files[WRITTEN_FILES];
    struct recover_want want;
    struct recover_result out;
    struct err e = ERR_INIT;
    build(&b, SHAPE_PATCH_LAST);
    for (unsigned i = 0; i < b.w.file_n; i++) {
        memcpy(files[i].name, b.w.files[i].name, STATE_NAME);
        files[i].size = b.w.files[i].bytes.len;
    }
    struct recover *r = recover_new(&start, files, b.w.file_n, &e);
    bool good = true;
    for (unsigned n = 0; good && recover_next(r, &want) == RECOVER_READ; n++) {
        unsigned file;
        struct slice bytes = written_read(&b.w, &want, &file);
        if (n == 5) mem_fault(1, 1); /* in the journal: a root is there already */
        good = recover_feed(r, bytes, &e);
        mem_fault(0, 0);
    }
    CHECK(!good && e.code == ERR_NOMEM && recover_next(r, &want) == RECOVER_DONE);
    e = (struct err)ERR_INIT;
    CHECK(!recover_feed(r, LIT("x"), &e) && e.code == ERR_INVALID);
    recover_take(r, &out);
    CHECK(out.damaged && out.why.code == ERR_NOMEM && val_is_none(&out.root));
    recover_result_release(&out);
    recover_free(r);
    written_free(&b.w);
}

TAP_MAIN(T(an_empty_folder_and_a_birth_that_was_cut_are_empty),
         T(a_first_snapshot_whose_segment_was_not_made_yet_is_a_good_store),
         T(unfinished_and_strange_names_are_told_and_never_read),
         T(a_number_that_leaves_none_behind_it_stops_the_start), T(too_many_files_are_refused),
         T(a_state_of_another_personality_or_a_newer_program_is_refused),
         T(records_of_another_version_than_the_snapshots_are_not_applied),
         T(a_segment_of_another_store_is_no_end_of_the_journal),
         T(an_older_snapshot_of_another_store_is_not_counted_on), T(a_look_at_everything_finds_damage_nobody_needs),
         T(what_the_disk_refuses_to_read_is_damage_of_that_place),
         T(around_a_place_the_disk_refuses_everything_is_still_read), T(findings_beyond_the_table_are_counted),
         T(without_memory_recovery_fails_and_never_calls_it_damage),
         T(a_segment_under_a_smaller_number_than_its_own_was_never_used_again),
         T(segments_in_front_of_the_snapshots_count_as_begun),
         T(files_that_end_sooner_than_the_list_says_are_read_to_their_end), T(a_snapshot_that_is_too_large_is_not_read),
         T(behind_a_want_of_memory_there_is_no_state_to_go_on_with))
