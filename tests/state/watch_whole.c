/* watch_whole.c - large values, in slices; and values and changes without what is private. */
#include "state/watch_stage.h"

#include "protocols/jsonptr.h"

/* --- large values --- */

static struct val large_map(unsigned n) {
    struct val v = val_empty_map();
    for (unsigned i = 0; i < n; i++) {
        char key[24];
        snprintf(key, sizeof key, "k%u", i);
        CHECK(val_set_str(&v, key, val_of_u64(i)));
    }
    return v;
}

static void start_large(const struct watch_limits *limits) {
    start_with("{\"big\":{},\"other\":0}", limits, NULL);
    struct val big = large_map(3000);
    CHECK(settle_only(
        VAL_ARRAY_OF(VAL_MAP_OF({"op", val_of_str("replace")}, {"path", val_of_str("/big")}, {"value", big}))));
    watchers_now(ws, &root);
    turn();
}

static void check_large(const struct eye *e, uint64_t id, unsigned entries, uint64_t k0) {
    static const struct json_limits limits = {.bytes = 1 << 20, .depth = 10};
    struct val v = val_none;
    uint64_t n = 0;
    CHECK(json_parse(shared_slice(e->bytes), &limits, &v, NULL));
    CHECK(val_as_u64(val_get(&v, LIT("id")), &n) && n == id);
    CHECK_INT(val_count(val_get(&v, LIT("value"))), entries);
    CHECK(val_as_u64(val_get(val_get(&v, LIT("value")), LIT("k0")), &n) && n == k0);
    val_unref(&v);
}

TEST(a_large_value_is_encoded_in_slices_and_shared_and_what_comes_meanwhile_follows) {
    struct watch_limits limits = watch_limits;
    limits.slice = 1000;
    start_large(&limits);
    struct eye one = EYE(.format = &watch_json), two = one, small = one, inside = EYE(.inside = true);
    one.keeps = true;
    begin(&one, "/big");
    begin(&inside, "/big");
    for (int i = 0; i < 4; i++) loop_turn(l, 0);
    CHECK(one.told == 0 && inside.told == 1); /* who wants no bytes has it at once */
    begin(&two, "/big");
    begin(&small, "/other");
    two.keeps = true;
    settle("[{\"op\":\"replace\",\"path\":\"/big/k0\",\"value\":77}]");
    for (int i = 0; i < 8; i++) loop_turn(l, 0);
    CHECK(one.told == 0 && small.told == 1); /* a small one does not wait for a large one */
    unsigned turns = 0;
    while (!one.told && turns < 1000) turns += loop_turn(l, 0) ? 1 : 0;
    CHECK(turns > 10 && two.told >= 1 && one.bytes == two.bytes);
    check_large(&one, 11, 3000, 0);
    shared_unref(one.bytes);
    shared_unref(two.bytes);
    one.keeps = two.keeps = false;
    turn();
    said(&one, "{\"id\":12,\"patch\":[{\"op\":\"replace\",\"path\":\"/k0\",\"value\":77}]}");
    said(&two, "{\"id\":12,\"patch\":[{\"op\":\"replace\",\"path\":\"/k0\",\"value\":77}]}");
    CHECK(one.told == 2 && two.told == 2 && inside.told == 2);
    CHECK_INT(watchers_counts(ws).encoded, 3); /* two values, one change */
    /* The large bytes are gone with those who waited: the next who comes has them made again. */
    struct eye three = EYE(.format = &watch_json);
    three.keeps = true;
    begin(&three, "/big");
    turn();
    check_large(&three, 12, 3000, 77);
    shared_unref(three.bytes);
    CHECK_INT(watchers_counts(ws).encoded, 4);
    struct eye four = EYE(.format = &watch_json);
    begin(&four, "/big");
    turn();
    CHECK(four.told == 1 && watchers_counts(ws).encoded == 5);
    watch_end(&four.w);
    watch_end(&one.w), watch_end(&two.w), watch_end(&three.w), watch_end(&small.w), watch_end(&inside.w);
    stop();
}

TEST(nobody_is_told_a_value_older_than_what_it_has) {
    struct watch_limits limits = watch_limits;
    limits.slice = 1000;
    start_large(&limits);
    struct eye one = EYE(.format = &watch_json), two = one;
    struct err e = ERR_INIT;
    CHECK(watch_begin_behind_told(ws, &two.w, LIT("/big"), &e));
    begin(&one, "/big");
    for (int i = 0; i < 4; i++) loop_turn(l, 0);
    settle("[{\"op\":\"replace\",\"path\":\"/big/k0\",\"value\":12}]");
    loop_turn(l, 0);
    CHECK(two.told == 1 && two.revision == 12 && one.told == 0);
    two.refuses = true;
    settle("[{\"op\":\"replace\",\"path\":\"/big/k0\",\"value\":13}]");
    loop_turn(l, 0);
    two.refuses = false;
    watch_ready(&two.w);
    turn();
    CHECK(one.told == 2 && one.wholes == 1 && one.revisions == 2 && one.revision == 13);
    CHECK(two.told == 3 && two.wholes == 1 && two.revision == 13);
    watch_end(&one.w), watch_end(&two.w);
    stop();
}

TEST(an_encoding_that_an_array_moved_away_from_begins_again) {
    struct watch_limits limits = watch_limits;
    limits.slice = 1000;
    start_with("{\"list\":[0]}", &limits, NULL);
    CHECK(settle_only(VAL_ARRAY_OF(
        VAL_MAP_OF({"op", val_of_str("add")}, {"path", val_of_str("/list/1")}, {"value", large_map(3000)}))));
    watchers_now(ws, &root);
    turn();
    struct eye e = EYE(.format = &watch_json);
    begin(&e, "/list/1");
    for (int i = 0; i < 4; i++) loop_turn(l, 0);
    settle("[{\"op\":\"add\",\"path\":\"/list/0\",\"value\":7}]");
    turn();
    said(&e, "{\"id\":12,\"value\":0}");
    CHECK_INT(e.told, 1);
    watch_end(&e.w);
    stop();
}

TEST(an_encoding_that_nobody_waits_for_any_more_is_dropped) {
    struct watch_limits limits = watch_limits;
    limits.slice = 1000;
    start_large(&limits);
    struct eye one = EYE(.format = &watch_json), stays = EYE(.format = NULL);
    begin(&stays, "/big");
    begin(&one, "/big");
    for (int i = 0; i < 6; i++) loop_turn(l, 0);
    watch_end(&one.w);
    CHECK(turn() < 6);
    CHECK_INT(watchers_counts(ws).encoded, 0);
    begin(&one, "/big");
    for (int i = 0; i < 6; i++) loop_turn(l, 0);
    watch_end(&one.w);
    watch_end(&stays.w); /* with the scope itself */
    CHECK(turn() < 6);
    stop();
}

TEST(a_value_that_changes_faster_than_it_can_be_encoded_is_told_all_the_same) {
    struct watch_limits limits = watch_limits;
    limits.slice = 500;
    limits.history = 2;
    start_large(&limits);
    struct eye e = EYE(.format = &watch_json);
    e.keeps = true;
    begin(&e, "/big");
    unsigned turns = 0;
    for (; !e.told && turns < 2000; turns++) {
        for (int i = 0; i < 3; i++) settle("[{\"op\":\"replace\",\"path\":\"/big/k0\",\"value\":5}]");
        loop_turn(l, 0);
    }
    tap_note("%u turns", turns);
    CHECK(e.told == 1 && e.wholes == 1 && turns > 150 && turns < 500);
    check_large(&e, revision, 3000, 5); /* of this very moment */
    CHECK(e.revision == revision);
    shared_unref(e.bytes);
    e.keeps = false;
    CHECK_INT(watchers_counts(ws).encoded, 4);
    watch_end(&e.w);
    stop();
}

TEST(old_versions_are_released_in_slices) {
    start_large(&watch_limits);
    val_unref(&root);
    root = json("{\"big\":0,\"other\":0}");
    /* Only the watchers hold the large map now. */
    CHECK(watchers_settle(ws, ++revision, json("[{\"op\":\"replace\",\"path\":\"/big\",\"value\":0}]")));
    struct val large = large_map(200000), patch = json("[{\"op\":\"replace\",\"path\":\"/big\",\"value\":0}]");
    CHECK(val_set_str(&root, "big", large));
    uint64_t blocks = mem_stats().live_blocks;
    watchers_now(ws, &root);
    turn();
    val_unref(&root);
    root = json("{\"big\":0,\"other\":0}");
    CHECK(watchers_settle(ws, ++revision, patch));
    watchers_now(ws, &root);
    loop_turn(l, 0);
    CHECK(mem_stats().live_blocks + 2200 > blocks); /* not at once */
    CHECK(turn() > 2);
    CHECK(mem_stats().live_blocks + 4000 < blocks);
    stop();
}

/* --- private things --- */

static const struct plan_branch branches[] = {{.pattern = "", .owner = "all"},
                                              {.pattern = "/private", .attrs = PLAN_PRIVATE},
                                              {.pattern = "/users/*/password", .attrs = PLAN_PRIVATE | PLAN_NULL}};
static const struct plan_config plan_config = {
    .name = "watch", .version = 1, .birth = "{}", .branches = branches, .branch_n = 3};

TEST(private_things_are_not_told_outside) {
    struct err e = ERR_INIT;
    struct plan *plan = plan_new(&plan_config, &e);
    if (!CHECK(plan != NULL)) return;
    start_with("{\"private\":{\"key\":1},\"users\":{\"ann\":{\"password\":\"x\",\"age\":3}}}", &watch_limits, plan);
    struct eye out = EYE(.format = &watch_json), in = EYE(.inside = true), ann = EYE(.format = &watch_json),
               no = EYE(.format = &watch_json), key = EYE(.inside = true);
    begin(&out, "");
    begin(&in, "");
    begin(&ann, "/users/ann");
    begin(&key, "/private/key");
    e = (struct err)ERR_INIT;
    CHECK(!watch_begin(ws, &no.w, LIT("/private/key"), 0, 0, &e) && e.code == ERR_NOT_FOUND);
    struct err as = ERR_INIT; /* the very words of what is not there */
    struct val seen = json("{\"private\":{}}");
    CHECK(val_is_none(jsonptr_get(&seen, LIT("/private/key"), &as)));
    CHECK_TEXT(slice_str(e.text), slice_str(as.text));
    CHECK_INT(e.at, as.at);
    val_unref(&seen);
    CHECK(!watch_begin(ws, &no.w, LIT("/private"), 0, 0, &e) && e.code == ERR_NOT_FOUND);
    CHECK(!watch_begin_behind_told(ws, &no.w, LIT("/private"), &e) && e.code == ERR_NOT_FOUND);
    CHECK(!watch_begin(ws, &no.w, LIT("/users/ann/password"), 0, 0, &e) && e.code == ERR_NOT_FOUND);
    turn();
    said(&out, "{\"id\":10,\"value\":{\"users\":{\"ann\":{\"password\":null,\"age\":3}}}}");
    said(&in, "{\"private\":{\"key\":1},\"users\":{\"ann\":{\"password\":\"x\",\"age\":3}}}");
    said(&ann, "{\"id\":10,\"value\":{\"password\":null,\"age\":3}}");
    said(&key, "1");
    settle("[{\"op\":\"replace\",\"path\":\"/private/key\",\"value\":2},"
           "{\"op\":\"replace\",\"path\":\"/users/ann/password\",\"value\":\"y\"}]");
    turn();
    CHECK(out.told == 1 && ann.told == 1 && in.told == 2 && key.told == 2);
    settle("[{\"op\":\"replace\",\"path\":\"/users\",\"value\":{\"ann\":{\"password\":\"z\",\"age\":4}}},"
           "{\"op\":\"remove\",\"path\":\"/private\"}]");
    turn();
    said(&out, "{\"id\":12,\"patch\":[{\"op\":\"replace\",\"path\":\"/users\",\"value\":"
               "{\"ann\":{\"password\":null,\"age\":4}}}]}");
    said(&ann, "{\"id\":12,\"patch\":[{\"op\":\"replace\",\"path\":\"\",\"value\":{\"password\":null,\"age\":4}}]}");
    said(&key, "12[{\"op\":\"replace\",\"path\":\"\",\"value\":null}]");
    struct eye back = EYE(.format = &watch_json);
    CHECK(watch_begin(ws, &back.w, LIT("/users/ann"), watchers_life(ws), 10, &e)); /* the history is as discreet */
    turn();
    said(&back, "{\"id\":12,\"patch\":[{\"op\":\"replace\",\"path\":\"\",\"value\":{\"password\":null,\"age\":4}}]}");
    watch_end(&out.w), watch_end(&in.w), watch_end(&ann.w), watch_end(&key.w), watch_end(&back.w);
    stop();
    plan_free(plan);
}

TAP_MAIN(T(a_large_value_is_encoded_in_slices_and_shared_and_what_comes_meanwhile_follows),
         T(nobody_is_told_a_value_older_than_what_it_has), T(an_encoding_that_an_array_moved_away_from_begins_again),
         T(an_encoding_that_nobody_waits_for_any_more_is_dropped),
         T(a_value_that_changes_faster_than_it_can_be_encoded_is_told_all_the_same),
         T(old_versions_are_released_in_slices), T(private_things_are_not_told_outside))
