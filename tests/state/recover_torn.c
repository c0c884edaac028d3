/* recover_torn.c - what a crash leaves behind and what no crash does: torn batches, proofs that more was durable, records that
 * cannot be right. */
#include "state/recovered.h"

/* --- torn writes --- */

/* Every subset of the blocks of the last batch may be missing, in a new file or over an earlier life; what was before must be there. */
TEST(a_crash_in_the_middle_of_a_batch_never_stops_a_start) {
    for (int again = 0; again < 2; again++)
        for (unsigned subset = 0; subset < 32; subset++) {
            struct written w;
            small(&w);
            if (again) { /* what stood there was a journal with batches of its own */
                w.serial = 0;
                for (uint64_t i = 2; i < 12; i++) written_record(&w, true, i, i - 1, false);
                w.serial = 1;
                w.at = 512;
            }
            struct buf was;
            buf_init(&was, 8192);
            written_record(&w, true, 2, 1, true);
            buf_add(&was, buf_slice(w.segment));
            CHECK_INT(w.at, 1024);
            /* Two heads lie across two blocks, two begin with a block. */
            CHECK(written_record_to(&w, false, 5, 2, 1536 - 20));
            CHECK(written_record_to(&w, false, 7, 2, 2048));
            CHECK(written_record_to(&w, false, 9, 2, 2560 - 43));
            CHECK(written_record_to(&w, false, 11, 2, 3072));
            CHECK(written_record_to(&w, true, 13, 2, 3372));
            CHECK_INT(w.at, 3584);
            for (unsigned i = 0; i < 5; i++)
                if (!(subset >> i & 1)) memcpy(w.segment->ptr + 1024 + i * 512, was.ptr + 1024 + i * 512, 512);
            struct recover_result r = recover(&w, &start);
            static const uint64_t ends[] = {2, 5, 7, 9, 11, 13}; /* with so many blocks from the first on */
            unsigned n = 0;
            while (n < 5 && subset >> n & 1) n++;
            bool good = CHECK(!r.damaged && is_tree(&w, &r)) && CHECK_INT(r.revision, ends[n]);
            good = CHECK(!r.mended && r.journalled == r.revision) && good;
            /* Blocks in which no head begins leave nothing to be seen. */
            if (subset & 21 && subset != 31) good = CHECK(find(&r, RECOVER_TORN, "journal-0000000000000001")) && good;
            if (!good) {
                tap_note("blocks %u%s", subset, again ? ", used again" : "");
                print(&r);
            }
            recover_result_release(&r);
            buf_release(&was);
            written_free(&w);
        }
}

TEST(a_first_batch_that_was_torn_in_any_way_never_began) {
    for (unsigned subset = 0; subset < 8; subset++) {
        struct written w;
        small(&w);
        written_record(&w, false, 2, 1, true);
        written_record_of(&w, 1, true, 3, 1, LIT("\x80"));
        for (unsigned i = 0; i < 2; i++)
            if (!(subset >> i & 1)) wipe(&w, i * 512, i * 512 + 512);
        struct recover_result r = recover(&w, &start);
        bool head = subset & 1, batch = subset & 2;
        CHECK(!r.damaged && r.revision == (head && batch ? 3 : 1));
        CHECK_INT(r.begun_serial, head);
        CHECK((find(&r, RECOVER_TORN, NULL) != NULL) == (!head && batch));
        recover_result_release(&r);
        written_free(&w);
    }
}

TEST(whole_records_in_front_of_a_torn_end_are_kept) {
    struct written w;
    small(&w);
    written_record(&w, false, 2, 1, true);
    written_record(&w, false, 4, 1, true);
    size_t third = (size_t)w.at;
    written_record(&w, true, 6, 1, true);
    w.segment->ptr[third + 50] ^= 1;
    struct recover_result r = recover(&w, &start);
    CHECK(!r.damaged && r.revision == 4 && r.journalled == 4 && is_tree(&w, &r));
    const struct recover_finding *f = find(&r, RECOVER_TORN, "journal-0000000000000001");
    CHECK(f && f->at == third && f->first == 6 && f->last == 6);
    recover_result_release(&r);
    written_free(&w);
}

/* A mark is not always synced before the next batch is on its way: of both, any part may be there. */
TEST(a_mark_that_is_missing_in_front_of_an_unfinished_batch_is_no_damage) {
    for (unsigned subset = 0; subset < 8; subset++)
        for (uint64_t next = 3; next < 5; next++) {
            struct written w;
            small(&w);
            written_record(&w, true, 2, 1, true);
            written_mark_record(&w, 2);
            written_record(&w, true, next, 2, true);
            if (!(subset & 1)) wipe(&w, 1024, 1536);
            if (!(subset & 2)) wipe(&w, 1536, 2048);
            struct recover_result r = recover(&w, &start);
            if (!CHECK(!r.damaged && !r.mended && r.revision >= 2 && is_tree(&w, &r))) print(&r);
            if ((subset & 3) == 3 || (subset & 3) == 2) CHECK(r.revision == next || next == 4);
            recover_result_release(&r);
            written_free(&w);
            /* The same with the head of a segment on its way. */
            small(&w);
            written_mark_record(&w, 1);
            written_record(&w, true, next, 1, true);
            for (unsigned i = 0; i < 3; i++)
                if (!(subset >> i & 1)) wipe(&w, i * 512, i * 512 + 512);
            r = recover(&w, &start);
            if (!CHECK(!r.damaged && !r.mended && is_tree(&w, &r))) print(&r);
            recover_result_release(&r);
            written_free(&w);
        }
}

TEST(what_a_later_segment_says_never_became_real_is_dropped) {
    struct written w;
    small(&w);
    written_record(&w, true, 2, 1, true);
    written_record(&w, false, 3, 2, false);
    written_record(&w, true, 4, 2, false);
    size_t four = (size_t)w.at;
    written_segment(&w, 2, SIZE);
    written_head(&w, WRITTEN_STORE, 2, 2);
    written_record(&w, false, 3, 2, true); /* written once more */
    written_record(&w, true, 6, 2, true);
    written_mark_record(&w, 6);
    struct recover_result r = recover(&w, &start);
    /* Whoever began the later one knew. */
    const struct recover_finding *f = find(&r, RECOVER_NOTE, "journal-0000000000000001");
    CHECK(!r.damaged && r.revision == 6 && is_tree(&w, &r) && r.finding_all == 1);
    CHECK(f && f->at == 1024 && strstr(f->text, "goes on behind revision 2 in a later segment"));
    recover_result_release(&r);
    /* Torn as well. */
    w.files[1].bytes.ptr[four - 512 + 200] ^= 1;
    r = recover(&w, &start);
    CHECK(!r.damaged && r.revision == 6 && is_tree(&w, &r));
    recover_result_release(&r);
    /* But a proof that it was durable contradicts that. */
    w.segment = &w.files[1].bytes;
    w.serial = 1;
    w.at = 1536;
    written_record(&w, true, 7, 4, false);
    r = recover(&w, &start);
    CHECK(!r.damaged || strstr(r.why.text, "contradict"));
    recover_result_release(&r);
    written_free(&w);
}

/* --- proofs --- */

TEST(a_record_that_says_more_was_durable_than_there_is_is_a_gap) {
    struct written w;
    small(&w);
    written_record(&w, true, 2, 1, true);
    written_record(&w, true, 7, 5, false);
    struct recover_result r = recover(&w, &start);
    CHECK(r.damaged && r.revision == 2);
    CHECK(strstr(r.why.text,
                 "journal-0000000000000001 at 1024: it says that revision 5 was durable, but only 2 is to be found"));
    recover_result_release(&r);
    written_free(&w);
    small(&w);
    written_record(&w, true, 2, 1, true);
    written_mark_record(&w, 3);
    r = recover(&w, &start);
    CHECK(r.damaged && r.revision == 2 && strstr(r.why.text, "revision 3 is lost"));
    recover_result_release(&r);
    written_free(&w);
}

TEST(a_block_that_was_lost_in_the_middle_is_damage) {
    struct written w;
    small(&w);
    written_record(&w, true, 2, 1, true);
    written_record(&w, true, 4, 2, true);
    written_record(&w, true, 6, 4, true);
    wipe(&w, 1024, 1536);
    struct recover_result r = recover(&w, &start);
    CHECK(r.damaged && r.revision == 2);
    CHECK(strstr(r.why.text,
                 "journal-0000000000000001 at 1024: the journal ends behind revision 2 and was durable: revisions 3 to "
                 "4 are lost"));
    recover_result_release(&r);
    written_free(&w);
}

TEST(segments_that_contradict_each_other_are_damage) {
    struct written w;
    small(&w);
    written_record(&w, true, 2, 1, true);
    written_segment(&w, 2, SIZE);
    written_head(&w, WRITTEN_STORE, 2, 0);
    written_record(&w, true, 3, 0, true);
    struct recover_result r = recover(&w, &start);
    CHECK(r.damaged && strstr(r.why.text, "contradict each other"));
    recover_result_release(&r);
    written_free(&w);
}

TEST(records_out_of_order_end_the_journal) {
    struct written w;
    small(&w);
    written_record(&w, true, 5, 1, true);
    written_record(&w, true, 5, 1, false);
    written_record(&w, true, 9, 5, false);
    struct recover_result r = recover(&w, &start);
    CHECK(r.damaged && r.revision == 5 && strstr(r.why.text, "revision 5 stands behind 5, which is no order"));
    recover_result_release(&r);
    written_free(&w);
}

TEST(a_record_that_claims_too_much_is_none) {
    struct written w;
    small(&w);
    written_record(&w, true, 2, 1, true);
    uint64_t at = w.at;
    written_record(&w, true, 3, 2, false);
    uint8_t *p = w.segment->ptr + at;
    written_put(p + 8, LIMIT_STATE_REVISION + 1, 4);
    written_put(p + 40, written_sum(p, 40), 4);
    struct recover_result r = recover(&w, &start);
    CHECK(!r.damaged && r.revision == 2 && find(&r, RECOVER_TORN, NULL));
    recover_result_release(&r);
    written_put(p + 8, LIMIT_STATE_REVISION, 4); /* it would fit, but not into the file */
    written_put(p + 40, written_sum(p, 40), 4);
    r = recover(&w, &start);
    CHECK(!r.damaged && r.revision == 2 && find(&r, RECOVER_TORN, NULL));
    recover_result_release(&r);
    written_free(&w);
}

TEST(a_record_of_the_largest_size_grows_its_file_and_is_read) {
    struct written w;
    small(&w);
    w.segment->max = 8u << 20;
    struct buf p;
    buf_init(&p, LIMIT_STATE_REVISION);
    static uint8_t fill[LIMIT_STATE_REVISION];
    struct val patch = VAL_ARRAY_OF(VAL_MAP_OF({"op", val_of_str("replace")}, {"path", val_of_str("/n")},
                                               {"value", val_of_bytes(slice_of(fill, LIMIT_STATE_REVISION - 32))}));
    CHECK(cbor_write(&p, &patch, NULL));
    val_unref(&patch);
    CHECK_INT(p.len, LIMIT_STATE_REVISION);
    written_record_of(&w, 1, true, 2, 1, buf_slice(&p));
    written_record(&w, true, 3, 2, true);
    struct recover_result r;
    struct err e = ERR_INIT;
    struct written_trouble t = {0};
    CHECK(written_recover(&w, &start, &t, &r, &e));
    CHECK(!r.damaged && r.revision == 3);
    uint64_t all = w.files[0].bytes.len + w.files[1].bytes.len;
    CHECK(t.bytes <= all + 65536); /* each byte is read once; a head, again */
    CHECK(val_as_bytes(val_get(&r.root, LIT("n"))).len == 0);
    recover_result_release(&r);
    buf_release(&p);
    written_free(&w);
}

static void check_wrong(struct slice payload, const char *why) {
    struct written w;
    small(&w);
    written_record(&w, true, 2, 1, true);
    written_record_of(&w, 1, true, 3, 2, payload);
    struct recover_result r = recover(&w, &start);
    if (!CHECK(r.damaged && r.revision == 2 && strstr(r.why.text, why)) ||
        !CHECK(strstr(r.why.text, "journal-0000000000000001 at 1024: revision 3 is whole and cannot be applied")))
        print(&r);
    recover_result_release(&r);
    written_free(&w);
}

TEST(a_record_beyond_the_largest_size_is_none_though_all_of_it_is_there) {
    struct written w;
    static const uint8_t fill[LIMIT_STATE_REVISION + 1] = {0x80}; /* an empty patch, and something */
    small(&w);
    w.segment->max = 8u << 20;
    written_record_of(&w, 1, true, 2, 1, slice_of(fill, sizeof fill));
    struct recover_result r = recover(&w, &start);
    CHECK(!r.damaged && r.revision == 1 && find(&r, RECOVER_TORN, NULL));
    recover_result_release(&r);
    written_free(&w);
}

TEST(a_whole_record_that_cannot_be_applied_is_a_programs_fault) {
    check_wrong(LIT("\x81\xa2\x62op\x66remove\x64path\x62/x"), "the program that wrote it erred");
    check_wrong(LIT("\x81\xa3\x62op\x64test\x64path\x62/n\x65value\x02"), "only add, remove and replace");
    check_wrong(LIT("\xa0"), "want a patch to be an array");
    check_wrong(LIT("\x81"), "end in the middle");
    check_wrong(LIT(""), "cannot be applied");
}

/* --- what snapshots and later segments make up for --- */

/* A snapshot of revision 5 in the middle of a segment with 2, 3 and 5 (and 9), and perhaps another segment behind. */
static void covered(struct written *w, bool nine) {
    *w = (struct written){.version = 1};
    written_note(w, 1);
    written_segment(w, 1, 8192);
    written_head(w, WRITTEN_STORE, 1, 1);
    written_record(w, true, 2, 1, true);
    written_record(w, true, 3, 2, true);
    written_record(w, true, 5, 3, true);
    struct buf *segment = w->segment;
    uint64_t at = w->at;
    written_snapshot(w, WRITTEN_STORE, 5, 1, "testd");
    w->segment = segment;
    w->at = at;
    if (nine) written_record(w, true, 9, 5, true);
}

TEST(damage_in_front_of_a_snapshot_in_the_middle_of_a_segment_loses_nothing) {
    static const size_t heads[] = {512, 1024};
    for (size_t i = 0; i < 4; i++) {
        struct written w;
        covered(&w, true);
        w.segment->ptr[heads[i / 2] + (i % 2 ? 20 : 60)] ^= 1;
        struct recover_result r = recover(&w, &start);
        if (!CHECK(!r.damaged && r.mended && r.revision == 9 && r.journalled == 9 && is_tree(&w, &r))) print(&r);
        recover_result_release(&r);
        written_free(&w);
    }
}

TEST(a_batch_that_the_snapshot_has_is_mended_and_not_torn) {
    struct written w;
    covered(&w, false);
    w.segment->ptr[1536 + 20] ^= 1; /* revision 5 */
    struct recover_result r = recover(&w, &start);
    /* Nothing tells what was there; the next segment's base must not be less than what was promised. */
    CHECK(!r.damaged && r.revision == 5 && r.journalled == 5 && is_tree(&w, &r));
    recover_result_release(&r);
    written_segment(&w, 2, SIZE);
    written_head(&w, WRITTEN_STORE, 2, 5);
    written_record(&w, true, 6, 5, true);
    r = recover(&w, &start);
    CHECK(!r.damaged && r.revision == 6 && is_tree(&w, &r) && r.mended);
    CHECK(find(&r, RECOVER_MENDED, "journal-0000000000000001") && !find(&r, RECOVER_TORN, NULL));
    recover_result_release(&r);
    written_free(&w);
}

TEST(the_next_base_is_what_the_journal_has) {
    struct written w;
    covered(&w, false);
    struct recover_result r = recover(&w, &start);
    CHECK(r.journalled == 5);
    recover_result_release(&r);
    written_free(&w);
    /* The snapshot's number is higher than any in the journal; a later fall back to an older one must find the bases right. */
    w = (struct written){.version = 1};
    written_note(&w, 5);
    written_snapshot(&w, WRITTEN_STORE, 5, 1, "testd");
    written_segment(&w, 1, SIZE);
    written_head(&w, WRITTEN_STORE, 1, 3);
    written_mark_record(&w, 3);
    r = recover(&w, &start);
    CHECK(!r.damaged && r.revision == 5 && r.journalled == 3 && !r.finding_all);
    recover_result_release(&r);
    written_free(&w);
}

TEST(a_cut_segment_of_which_a_later_one_shows_that_all_is_there_is_mended) {
    struct written w;
    small(&w);
    written_record(&w, true, 2, 1, true);
    struct buf *one = w.segment;
    written_segment(&w, 2, SIZE);
    written_head(&w, WRITTEN_STORE, 2, 2);
    written_record(&w, true, 4, 2, true);
    one->len = 2000;
    struct recover_result r = recover(&w, &start);
    CHECK(!r.damaged && r.mended && r.revision == 4 && is_tree(&w, &r));
    CHECK(says(
        &r,
        "journal-0000000000000001 at 2000: it is cut: shorter than it was made; nothing is lost: what was durable in "
        "it is there"));
    recover_result_release(&r);
    one->len = 600; /* into revision 2 */
    r = recover(&w, &start);
    CHECK(r.damaged && r.revision == 1 && find(&r, RECOVER_DAMAGE, "journal-0000000000000001"));
    recover_result_release(&r);
    written_free(&w);
}

TEST(a_segment_that_breaks_off_in_front_of_the_next_is_named_with_the_reason) {
    struct written w;
    small(&w);
    written_record(&w, true, 2, 1, true);
    written_segment(&w, 2, SIZE);
    written_head(&w, WRITTEN_STORE, 2, 2);
    w.files[1].bytes.ptr[560] ^= 1;
    struct recover_result r = recover(&w, &start);
    CHECK(says(&r,
               "journal-0000000000000001 at 512: revision 2 is damaged (its checksum is wrong), and more was durable: "
               "revision 2 is lost unless the file is mended; `startbox state repair DIR --to 1` goes back to 1"));
    recover_result_release(&r);
    written_free(&w);
}

TEST(a_segment_with_a_damaged_head_between_good_ones_is_the_one_to_name) {
    for (int wiped = 0; wiped < 2; wiped++) {
        struct written w;
        small(&w);
        written_record(&w, true, 2, 1, true);
        written_segment(&w, 2, SIZE);
        written_head(&w, WRITTEN_STORE, 2, 2);
        written_record(&w, true, 3, 2, true);
        if (wiped)
            wipe(&w, 0, 512);
        else
            w.segment->ptr[10] ^= 1;
        written_segment(&w, 3, SIZE);
        written_head(&w, WRITTEN_STORE, 3, 3);
        struct recover_result r = recover(&w, &start);
        CHECK(r.damaged && r.revision == 2);
        CHECK(says(
            &r,
            "journal-0000000000000002: its head is damaged, and what was in it was durable: revision 3 is lost unless "
            "the file is mended; `startbox state repair DIR --to 2` goes back to 2"));
        recover_result_release(&r);
        written_free(&w);
    }
}

/* --- marks --- */

TEST(a_mark_proves_what_it_says_whatever_its_horizon) {
    struct written w;
    small(&w);
    written_record(&w, true, 3, 1, true);
    written_record_of(&w, 2, true, 3, 1, slice_of(NULL, 0));
    w.segment->ptr[560] ^= 1;
    struct recover_result r = recover(&w, &start);
    const struct recover_finding *f = find(&r, RECOVER_DAMAGE, NULL);
    CHECK(r.damaged && r.revision == 1 && f && f->first == 2 && f->last == 3);
    recover_result_release(&r);
    written_free(&w);
}

TEST(behind_a_damaged_mark_reading_goes_on_at_the_next_one) {
    struct written w;
    small(&w);
    written_record(&w, true, 2, 1, true);
    written_mark_record(&w, 2);
    written_mark_record(&w, 2);
    written_record(&w, true, 7, 2, true);
    w.segment->ptr[1024 + 30] ^= 1;
    struct recover_result r = recover(&w, &start);
    CHECK(!r.damaged && r.revision == 7 && r.mended && is_tree(&w, &r));
    recover_result_release(&r);
    written_free(&w);
}

TEST(reading_never_goes_on_at_a_record_that_others_came_before) {
    struct written w;
    small(&w);
    written_record(&w, true, 2, 1, true);
    written_mark_record(&w, 2);
    written_record(&w, true, 9, 2, false);
    written_record(&w, true, 3, 2, false);
    w.segment->ptr[1024 + 30] ^= 1;
    struct recover_result r = recover(&w, &start);
    CHECK(r.damaged && r.revision == 2 && find(&r, RECOVER_DAMAGE, NULL)->last == 9);
    recover_result_release(&r);
    written_free(&w);
}

TAP_MAIN(T(a_crash_in_the_middle_of_a_batch_never_stops_a_start), T(a_first_batch_that_was_torn_in_any_way_never_began),
         T(whole_records_in_front_of_a_torn_end_are_kept),
         T(a_mark_that_is_missing_in_front_of_an_unfinished_batch_is_no_damage),
         T(what_a_later_segment_says_never_became_real_is_dropped),
         T(a_record_that_says_more_was_durable_than_there_is_is_a_gap),
         T(a_block_that_was_lost_in_the_middle_is_damage), T(segments_that_contradict_each_other_are_damage),
         T(records_out_of_order_end_the_journal), T(a_record_that_claims_too_much_is_none),
         T(a_record_of_the_largest_size_grows_its_file_and_is_read),
         T(a_record_beyond_the_largest_size_is_none_though_all_of_it_is_there),
         T(a_whole_record_that_cannot_be_applied_is_a_programs_fault),
         T(damage_in_front_of_a_snapshot_in_the_middle_of_a_segment_loses_nothing),
         T(a_batch_that_the_snapshot_has_is_mended_and_not_torn), T(the_next_base_is_what_the_journal_has),
         T(a_cut_segment_of_which_a_later_one_shows_that_all_is_there_is_mended),
         T(a_segment_that_breaks_off_in_front_of_the_next_is_named_with_the_reason),
         T(a_segment_with_a_damaged_head_between_good_ones_is_the_one_to_name),
         T(a_mark_proves_what_it_says_whatever_its_horizon), T(behind_a_damaged_mark_reading_goes_on_at_the_next_one),
         T(reading_never_goes_on_at_a_record_that_others_came_before))
