/* watch_back.c - who refuses, comes back, is refused, or finds no memory; what is kept for that. */
#include "state/watch_stage.h"

#include "lib/faults.h"

/* --- refusing, and coming back --- */

TEST(who_refuses_is_left_alone_until_it_is_ready_and_then_gets_the_value) {
    start("{\"a\":0}");
    struct eye e = EYE(.format = &watch_json);
    begin(&e, "/a");
    turn();
    e.refuses = true;
    settle("[{\"op\":\"replace\",\"path\":\"/a\",\"value\":1}]");
    turn();
    settle("[{\"op\":\"replace\",\"path\":\"/a\",\"value\":2}]");
    turn();
    CHECK_INT(e.told, 2);
    CHECK_INT(watchers_counts(ws).behind, 1);
    e.refuses = false;
    watch_ready(&e.w);
    watch_ready(&e.w);
    turn();
    said(&e, "{\"id\":12,\"value\":2}");
    CHECK_INT(e.told, 3);
    watch_ready(&e.w); /* nothing: it is not behind */
    turn();
    CHECK_INT(e.told, 3);
    watch_end(&e.w);
    watch_ready(&e.w);
    stop();
}

TEST(who_comes_back_gets_what_it_missed_and_no_more) {
    start("{\"a\":0,\"b\":0}");
    struct eye keep = EYE(.format = &watch_json);
    begin(&keep, "/a");
    for (int i = 1; i <= 4; i++) {
        char patch[80];
        snprintf(patch, sizeof patch, "[{\"op\":\"replace\",\"path\":\"/%c\",\"value\":%d}]", i % 2 ? 'a' : 'b', i);
        settle(patch);
        turn();
    }
    uint64_t life = watchers_life(ws);
    CHECK(life && life < UINT64_C(1) << 53);
    struct eye one = EYE(.format = &watch_json), two = one, three = one, four = one, five = one, six = one;
    struct err e = ERR_INIT;
    CHECK(watch_begin(ws, &one.w, LIT("/a"), life, 14, &e));
    CHECK(watch_begin(ws, &two.w, LIT("/a"), life, 12, &e));
    CHECK(watch_begin(ws, &three.w, LIT("/a"), life, 10, &e));
    CHECK(watch_begin(ws, &four.w, LIT("/a"), life + 1, 14, &e));
    CHECK(watch_begin(ws, &five.w, LIT("/a"), life, 15, &e));
    CHECK(watch_begin(ws, &six.w, LIT("/a"), life, 13, &e));
    turn();
    CHECK_INT(one.told, 0);
    CHECK_INT(six.told, 0); /* what it missed was elsewhere */
    said(&two, "{\"id\":13,\"patch\":[{\"op\":\"replace\",\"path\":\"\",\"value\":3}]}");
    CHECK_INT(two.revision, 14);
    said(&three, "{\"id\":11,\"patch\":[{\"op\":\"replace\",\"path\":\"\",\"value\":1}]}"
                 "{\"id\":13,\"patch\":[{\"op\":\"replace\",\"path\":\"\",\"value\":3}]}");
    said(&four, "{\"id\":14,\"value\":3}");
    said(&five, "{\"id\":14,\"value\":3}");
    CHECK_INT(watchers_counts(ws).resumed, 4);
    settle("[{\"op\":\"replace\",\"path\":\"/a\",\"value\":5}]");
    turn();
    CHECK(one.told == 1 && two.told == 2 && three.told == 2 && four.told == 2 && five.told == 2 && six.told == 1);
    said(&one, "{\"id\":15,\"patch\":[{\"op\":\"replace\",\"path\":\"\",\"value\":5}]}");
    watch_end(&keep.w), watch_end(&one.w), watch_end(&two.w), watch_end(&three.w), watch_end(&four.w),
        watch_end(&five.w);
    watch_end(&six.w);
    stop();
}

TEST(thousands_who_come_back_at_once_share_what_they_missed) {
    start("{\"a\":0}");
    for (int i = 0; i < 20; i++) settle("[{\"op\":\"replace\",\"path\":\"/a\",\"value\":1}]");
    turn();
    struct eye *e = calloc(3000, sizeof *e);
    struct err err = ERR_INIT;
    for (unsigned i = 0; i < 3000; i++) {
        e[i].w = (struct watch){.tell = tell, .format = &watch_json};
        CHECK(watch_begin(ws, &e[i].w, LIT("/a"), watchers_life(ws), 15, &err));
        if (i % 16 == 0) loop_turn(l, 0);
    }
    turn();
    CHECK_INT(watchers_counts(ws).encoded, 1);
    CHECK_INT(watchers_counts(ws).resumed, 3000);
    CHECK_INT(watchers_counts(ws).wholes, 0);
    CHECK(e[0].revisions == 15 && e[2999].revisions == 15 && e[2999].revision == 30);
    for (unsigned i = 0; i < 3000; i++) watch_end(&e[i].w);
    free(e);
    stop();
}

TEST(the_history_is_bounded_by_number_and_by_bytes) {
    struct watch_limits limits = watch_limits;
    limits.history = 4;
    limits.history_bytes = 4000;
    start_with("{\"a\":0}", &limits, NULL);
    for (int i = 0; i < 10; i++) {
        settle("[{\"op\":\"replace\",\"path\":\"/a\",\"value\":1}]");
        turn();
    }
    struct watch_counts c = watchers_counts(ws);
    CHECK(c.history == 4 && c.history_bytes > 4 * 40 && c.history_bytes < 4000);
    struct eye old = EYE(.format = &watch_json), young = EYE(.format = &watch_json);
    struct err e = ERR_INIT;
    CHECK(watch_begin(ws, &old.w, LIT("/a"), watchers_life(ws), 15, &e)); /* 17 to 20 are kept: one too old */
    CHECK(watch_begin(ws, &young.w, LIT("/a"), watchers_life(ws), 16, &e));
    turn();
    CHECK(old.wholes == 1 && young.wholes == 0 && young.revisions == 4);
    char large[3200], text[3000];
    memset(text, 'x', sizeof text);
    text[1500] = 0;
    snprintf(large, sizeof large, "[{\"op\":\"replace\",\"path\":\"/a\",\"value\":\"%s\"}]", text);
    settle(large);
    settle(large);
    turn();
    c = watchers_counts(ws);
    CHECK(c.history >= 2 && c.history_bytes >= 3000 && c.history_bytes <= 4000);
    settle(large); /* a third does not fit beside them */
    turn();
    CHECK_INT(watchers_counts(ws).history, 2);
    memset(text, 'x', 2999);
    text[2999] = 0;
    struct val patch =
        json("[{\"op\":\"replace\",\"path\":\"/a\",\"value\":0},{\"op\":\"add\",\"path\":\"/b\",\"value\":0}]");
    struct val *op = val_edit_at(&patch, 0, 4), *op2 = val_edit_at(&patch, 1, 4);
    CHECK(op && op2 && val_set_str(op, "value", val_of_str(text)) && val_set_str(op2, "value", val_of_str(text)));
    CHECK(settle_only(patch)); /* larger than all that may be kept: nothing is */
    watchers_now(ws, &root);
    turn();
    c = watchers_counts(ws);
    CHECK(c.history == 0 && c.history_bytes == 0);
    CHECK(old.revision == 24 && old.wholes == 1 && old.revisions == 1); /* but it is told */
    watch_end(&old.w), watch_end(&young.w);
    CHECK(watch_begin(ws, &old.w, LIT("/a"), watchers_life(ws), 24, &e));
    CHECK(watch_begin(ws, &young.w, LIT("/a"), watchers_life(ws), 23, &e));
    old.told = young.wholes = 0;
    turn();
    CHECK(old.told == 0 && young.wholes == 1);
    watch_end(&old.w), watch_end(&young.w);
    stop();
}

TEST(too_many_revisions_at_once_become_the_value_for_those_they_touch) {
    struct watch_limits limits = watch_limits;
    limits.history = 3;
    start_with("{\"a\":0,\"b\":0}", &limits, NULL);
    struct eye a = EYE(.format = &watch_json), b = EYE(.format = &watch_json);
    begin(&a, "/a");
    begin(&b, "/b");
    turn();
    for (int i = 0; i < 4; i++) CHECK(settle_only(json("[{\"op\":\"replace\",\"path\":\"/a\",\"value\":1}]")));
    watchers_now(ws, &root);
    turn();
    CHECK(a.wholes == 2 && a.revision == 14 && b.told == 1);
    settle("[{\"op\":\"replace\",\"path\":\"/b\",\"value\":1}]");
    turn();
    CHECK(a.told == 2 && b.told == 2 && b.wholes == 1 && b.revision == 15);
    watch_end(&a.w), watch_end(&b.w);
    stop();
}

TEST(a_watch_can_begin_behind_a_value_taken_elsewhere) {
    start("{\"a\":0}");
    settle("[{\"op\":\"replace\",\"path\":\"/a\",\"value\":1}]");
    struct eye e = EYE(.format = &watch_json);
    struct err err = ERR_INIT;
    uint64_t told = 0;
    const struct val *v = val_get(watchers_told(ws, &told), LIT("a"));
    uint64_t n = 9;
    CHECK(told == 10 && val_as_u64(v, &n) && n == 0);
    CHECK(watch_begin_behind_told(ws, &e.w, LIT("/a"), &err));
    turn();
    said(&e, "{\"id\":11,\"patch\":[{\"op\":\"replace\",\"path\":\"\",\"value\":1}]}");
    CHECK_INT(e.told, 1);
    watch_end(&e.w);
    stop();
}

/* --- refusals, and no memory --- */

TEST(what_cannot_be_watched_is_refused_with_the_reason) {
    struct watch_limits limits = watch_limits;
    limits.watches = 2;
    start_with("{\"a\":0}", &limits, NULL);
    struct eye a = EYE(.format = &watch_json), b = a, c = a;
    struct err e = ERR_INIT;
    CHECK(!watch_begin(ws, &a.w, LIT("a"), 0, 0, &e) && e.code == ERR_SYNTAX);
    CHECK(!watch_begin(ws, &a.w, LIT("/~2"), 0, 0, &e) && !watch_is_begun(&a.w));
    static char deep[4000];
    memset(deep, '/', sizeof deep);
    CHECK(!watch_begin(ws, &a.w, slice_of(deep, sizeof deep), 0, 0, &e) && e.code == ERR_LIMIT);
    CHECK(watch_begin(ws, &a.w, LIT(""), 0, 0, &e) && watch_begin(ws, &b.w, LIT("/a"), 0, 0, &e));
    CHECK(!watch_begin(ws, &c.w, LIT("/a"), 0, 0, &e) && e.code == ERR_LIMIT);
    CHECK_TEXT(slice_str(e.limit), LIT("watches"));
    watch_end(&a.w);
    CHECK(watch_begin(ws, &c.w, LIT("/a"), 0, 0, &e));
    watch_end(&b.w), watch_end(&c.w);
    stop();
}

TEST(a_revision_without_memory_becomes_the_value) {
    start("{\"a\":0,\"b\":0}");
    struct eye a = EYE(.format = &watch_json), b = EYE(.format = &watch_json);
    begin(&a, "/a");
    begin(&b, "/b");
    turn();
    struct val patch = json("[{\"op\":\"replace\",\"path\":\"/a\",\"value\":1}]");
    static const struct jsonpatch_limits wide = {.ops = 10, .copied = 0};
    CHECK(jsonpatch_apply(&root, &patch, &wide, NULL));
    mem_fault(1, 1);
    CHECK(!watchers_settle(ws, ++revision, patch));
    mem_fault(0, 0);
    watchers_now(ws, &root);
    turn();
    said(&a, "{\"id\":11,\"value\":1}");
    CHECK_INT(b.told, 1);
    CHECK_INT(watchers_counts(ws).history, 0);
    watch_end(&a.w), watch_end(&b.w);
    stop();
}

TEST(what_has_no_bytes_is_tried_again_until_it_has) {
    start("{\"a\":0}");
    struct eye e = EYE(.format = &watch_json);
    begin(&e, "/a");
    turn();
    struct val value = val_of_bytes(LIT("raw"));
    CHECK(val_set_str(&root, "a", val_ref(&value)));
    CHECK(watchers_settle(
        ws, ++revision,
        VAL_ARRAY_OF(VAL_MAP_OF({"op", val_of_str("replace")}, {"path", val_of_str("/a")}, {"value", value}))));
    watchers_now(ws, &root);
    CHECK(turn() < 20); /* and does not spin */
    CHECK_INT(e.told, 1);
    mem_fault(1, 1);
    now_us += 1100000;
    turn();
    mem_fault(0, 0);
    now_us += 1100000;
    turn();
    CHECK_INT(e.told, 1);
    settle("[{\"op\":\"replace\",\"path\":\"/a\",\"value\":2}]");
    turn();
    said(&e, "{\"id\":12,\"value\":2}");
    watch_end(&e.w);
    stop();
}

/* Whatever allocation fails, once memory is there again every watcher is where it should be. True: it has failed. */
static bool live_through(uint64_t nth, int sticky) {
    start("{\"a\":{\"b\":1}}");
    struct eye text = EYE(.format = &watch_json), cbor = EYE(.format = &bracketed_cbor), in = EYE(.inside = true),
               back = EYE(.format = &watch_json), *all[] = {&text, &cbor, &in, &back};
    static const char *const where[] = {"/a", "/a", "/a/b", "/a"};
    struct err e = ERR_INIT;
    struct val p1 = json("[{\"op\":\"replace\",\"path\":\"/a/b\",\"value\":2}]"), p2 = val_ref(&p1);
    struct val second = json("{\"a\":{\"b\":2}}");
    bool begun[4];
    mem_fault(nth, sticky);
    for (int i = 0; i < 3; i++) begun[i] = watch_begin(ws, &all[i]->w, slice_str(where[i]), 0, 0, &e);
    for (int i = 0; i < 10; i++) loop_turn(l, 0);
    watchers_settle(ws, 11, p1);
    watchers_now(ws, &second);
    for (int i = 0; i < 10; i++) loop_turn(l, 0);
    begun[3] = watch_begin(ws, &back.w, LIT("/a"), watchers_life(ws), 10, &e);
    for (int i = 0; i < 10; i++) loop_turn(l, 0);
    bool hit = mem_fault_hit();
    mem_fault(0, 0);
    watchers_settle(ws, 12, p2); /* with sticky faults not even the timer could be set */
    watchers_now(ws, &second);
    for (int k = 0; k < 3; k++) {
        turn();
        now_us += 1100000;
    }
    for (int i = 0; i < 4; i++) {
        if (!CHECK(begun[i] == watch_is_begun(&all[i]->w) && (!begun[i] || all[i]->revision == 12)))
            tap_note("watcher %d, allocation %u%s", i, (unsigned)nth, sticky ? " and all after it" : "");
        CHECK(begun[i] || e.code == ERR_NOMEM);
        watch_end(&all[i]->w);
    }
    val_unref(&second);
    stop();
    return hit;
}

TEST(no_allocation_that_fails_leaves_anybody_behind) {
    for (int sticky = 0; sticky < 2; sticky++) {
        uint64_t nth = 1;
        while (live_through(nth, sticky) && nth < 1000) nth++;
        tap_note("%u allocations failed in turn", (unsigned)nth - 1);
        CHECK(nth > 30 && nth < 1000);
    }
}

static bool make_and_begin(void *arg) {
    (void)arg;
    struct err e = ERR_INIT;
    struct val nothing = val_null();
    struct loop *loop = loop_new(&e);
    struct watchers *w = loop ? watchers_new(loop, NULL, &nothing, 1, &watch_limits, &e) : NULL;
    struct eye eye = EYE(.format = &watch_json);
    bool good = w && watch_begin(w, &eye.w, LIT("/a"), 0, 0, &e);
    CHECK(good || e.code == ERR_NOMEM);
    watch_end(&eye.w);
    watchers_free(w);
    loop_free(loop);
    return good;
}

TEST(beginning_without_memory_is_refused) {
    CHECK(faults_sweep(make_and_begin, NULL, "watchers and a watch"));
}

TAP_MAIN(T(who_refuses_is_left_alone_until_it_is_ready_and_then_gets_the_value),
         T(who_comes_back_gets_what_it_missed_and_no_more), T(thousands_who_come_back_at_once_share_what_they_missed),
         T(the_history_is_bounded_by_number_and_by_bytes),
         T(too_many_revisions_at_once_become_the_value_for_those_they_touch),
         T(a_watch_can_begin_behind_a_value_taken_elsewhere), T(what_cannot_be_watched_is_refused_with_the_reason),
         T(a_revision_without_memory_becomes_the_value), T(what_has_no_bytes_is_tried_again_until_it_has),
         T(no_allocation_that_fails_leaves_anybody_behind), T(beginning_without_memory_is_refused))
