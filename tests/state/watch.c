/* watch.c - what watchers are told, when, how often it is encoded, and what it costs; what they may do meanwhile. */
#include "state/watch_stage.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- what is said --- */

TEST(the_value_comes_first_then_what_touches_it_and_nothing_else) {
    start("{\"serverInfo\":{\"ntpSynced\":false},\"ui\":{}}");
    struct eye all = EYE(.format = &watch_json), ui = EYE(.format = &watch_json), inside = EYE(.inside = true);
    begin(&all, "");
    begin(&ui, "/ui");
    begin(&inside, "/serverInfo/ntpSynced");
    CHECK_INT(all.told, 0); /* never from inside watch_begin */
    turn();
    said(&all, "{\"id\":10,\"value\":{\"serverInfo\":{\"ntpSynced\":false},\"ui\":{}}}");
    said(&ui, "{\"id\":10,\"value\":{}}");
    said(&inside, "false");
    settle("[{\"op\":\"replace\",\"path\":\"/serverInfo/ntpSynced\",\"value\":true}]");
    turn();
    said(&all, "{\"id\":11,\"patch\":[{\"op\":\"replace\",\"path\":\"/serverInfo/ntpSynced\",\"value\":true}]}");
    said(&ui, "");
    said(&inside, "11[{\"op\":\"replace\",\"path\":\"\",\"value\":true}]");
    settle("[{\"op\":\"add\",\"path\":\"/ui/theme\",\"value\":\"dark\"},{\"op\":\"remove\",\"path\":\"/serverInfo\"}]");
    turn();
    said(&ui, "{\"id\":12,\"patch\":[{\"op\":\"add\",\"path\":\"/theme\",\"value\":\"dark\"}]}");
    said(&inside, "12[{\"op\":\"replace\",\"path\":\"\",\"value\":null}]");
    CHECK_INT(all.told, 3);
    CHECK_INT(ui.told, 2);
    CHECK(all.revision == 12 && all.wholes == 1);
    watch_end(&all.w);
    watch_end(&all.w); /* nothing */
    watch_end(&ui.w);
    watch_end(&inside.w);
    stop();
}

TEST(what_is_not_there_yet_is_null_until_it_appears) {
    start("{\"a\":1}");
    struct eye e = EYE(.format = &watch_json);
    begin(&e, "/b/c");
    turn();
    said(&e, "{\"id\":10,\"value\":null}");
    settle("[{\"op\":\"add\",\"path\":\"/b\",\"value\":{\"c\":[1]}}]");
    turn();
    said(&e, "{\"id\":11,\"patch\":[{\"op\":\"add\",\"path\":\"\",\"value\":[1]}]}");
    settle("[{\"op\":\"replace\",\"path\":\"/b\",\"value\":7}]");
    turn();
    said(&e, "{\"id\":12,\"patch\":[{\"op\":\"replace\",\"path\":\"\",\"value\":null}]}");
    watch_end(&e.w);
    stop();
}

static void scopes_to(const char *patch, const char *pointer, const char *want) {
    struct val p = json(patch), w = want ? json(want) : val_none;
    struct err e = ERR_INIT;
    struct val got = watch_scope_patch(&p, slice_str(pointer), &e);
    CHECK(e.code == ERR_NONE);
    if (!CHECK(want ? val_equal(&got, &w) : val_is_none(&got))) tap_note("%s at %s", patch, pointer);
    val_unref(&got);
    val_unref(&p);
    val_unref(&w);
}

TEST(operations_are_cut_to_the_pointer) {
    const char *deep = "[{\"op\":\"add\",\"path\":\"/a/b/c\",\"value\":{\"d\":1}}]";
    scopes_to(deep, "", deep);
    scopes_to(deep, "/a", "[{\"op\":\"add\",\"path\":\"/b/c\",\"value\":{\"d\":1}}]");
    scopes_to(deep, "/a/b/c", "[{\"op\":\"add\",\"path\":\"\",\"value\":{\"d\":1}}]");
    scopes_to(deep, "/a/b/c/d", "[{\"op\":\"add\",\"path\":\"\",\"value\":1}]");
    scopes_to(deep, "/a/b/c/x/y", "[{\"op\":\"add\",\"path\":\"\",\"value\":null}]");
    scopes_to(deep, "/a/b/cc", NULL);
    scopes_to(deep, "/a/bb", NULL);
    scopes_to(deep, "/b", NULL);
    const char *removes = "[{\"op\":\"remove\",\"path\":\"/a/b\"}]";
    scopes_to(removes, "/a", "[{\"op\":\"remove\",\"path\":\"/b\"}]");
    scopes_to(removes, "/a/b", "[{\"op\":\"replace\",\"path\":\"\",\"value\":null}]");
    scopes_to(removes, "/a/b/c", "[{\"op\":\"replace\",\"path\":\"\",\"value\":null}]");
    scopes_to("[{\"op\":\"remove\",\"path\":\"\"}]", "", "[{\"op\":\"replace\",\"path\":\"\",\"value\":null}]");
    scopes_to("[{\"op\":\"replace\",\"path\":\"\",\"value\":{\"a\":2}}]", "/a",
              "[{\"op\":\"replace\",\"path\":\"\",\"value\":2}]");
    scopes_to("[{\"op\":\"replace\",\"path\":\"/x\",\"value\":1},{\"op\":\"add\",\"path\":\"/a~1b/c~0d\",\"value\":2},"
              "{\"op\":\"remove\",\"path\":\"/a~1b/e\"}]",
              "/a~1b", "[{\"op\":\"add\",\"path\":\"/c~0d\",\"value\":2},{\"op\":\"remove\",\"path\":\"/e\"}]");
    scopes_to("[]", "", NULL);
    scopes_to("[]", "/a", NULL);
    struct val bad = json("[{\"op\":\"move\",\"from\":\"/x\",\"path\":\"/a\"}]");
    struct err e = ERR_INIT;
    struct val got = watch_scope_patch(&bad, LIT("/a"), &e);
    CHECK(val_is_none(&got));
    CHECK_TEXT(slice_str(e.text), LIT("a settled patch may only add, remove and replace"));
    val_unref(&bad);
    bad = json("[{\"op\":\"add\",\"path\":\"/a\"}]");
    e = (struct err)ERR_INIT;
    got = watch_scope_patch(&bad, LIT("/a"), &e);
    CHECK(val_is_none(&got) && e.code == ERR_INVALID);
    val_unref(&bad);
}

TEST(a_watch_below_an_array_that_moves_gets_the_value_that_stands_there_now) {
    start("{\"list\":[\"a\",\"b\",\"c\"],\"map\":{\"1\":\"x\",\"2\":\"y\"}}");
    struct eye at1 = EYE(.format = &watch_json), at0 = EYE(.format = &watch_json), list = EYE(.format = &watch_json),
               key2 = EYE(.format = &watch_json), dash = EYE(.format = &watch_json);
    begin(&at1, "/list/1");
    begin(&at0, "/list/0");
    begin(&list, "/list");
    begin(&key2, "/map/2");
    begin(&dash, "/list/-");
    turn();
    said(&at1, "{\"id\":10,\"value\":\"b\"}");
    said(&at0, "{\"id\":10,\"value\":\"a\"}");
    said(&dash, "{\"id\":10,\"value\":null}");
    list.last[0] = key2.last[0] = 0;
    settle("[{\"op\":\"remove\",\"path\":\"/list/1\"}]");
    turn();
    said(&at1, "{\"id\":11,\"value\":\"c\"}");
    said(&at0, "");
    said(&list, "{\"id\":11,\"patch\":[{\"op\":\"remove\",\"path\":\"/1\"}]}");
    settle("[{\"op\":\"add\",\"path\":\"/list/0\",\"value\":\"z\"}]");
    turn();
    said(&at1, "{\"id\":12,\"value\":\"a\"}");
    said(&at0, "{\"id\":12,\"patch\":[{\"op\":\"add\",\"path\":\"\",\"value\":\"z\"}]}");
    settle("[{\"op\":\"add\",\"path\":\"/list/-\",\"value\":\"end\"}]");
    turn();
    CHECK(at1.wholes == 3 || at1.wholes == 4); /* it cannot know where the end is */
    CHECK_INT(at1.revision, at1.wholes == 4 ? 13 : 12);
    said(&dash, "{\"id\":13,\"value\":null}");
    /* In a map the same keys move nothing. */
    settle("[{\"op\":\"remove\",\"path\":\"/map/1\"}]");
    turn();
    said(&key2, "");
    settle("[{\"op\":\"remove\",\"path\":\"/map/2\"}]");
    turn();
    said(&key2, "{\"id\":15,\"patch\":[{\"op\":\"replace\",\"path\":\"\",\"value\":null}]}");
    settle("[{\"op\":\"add\",\"path\":\"/map/1\",\"value\":0}]");
    turn();
    said(&key2, "");
    CHECK_INT(key2.wholes, 1);
    watch_end(&at1.w), watch_end(&at0.w), watch_end(&list.w), watch_end(&key2.w), watch_end(&dash.w);
    stop();
}

TEST(what_became_a_map_later_was_an_array_before) {
    start("{\"x\":{\"l\":[\"a\",\"b\",\"c\"]}}");
    struct eye e = EYE(.format = &watch_json);
    begin(&e, "/x/l/1");
    turn();
    CHECK(settle_only(json("[{\"op\":\"remove\",\"path\":\"/x/l/1\"}]")));
    CHECK(settle_only(json("[{\"op\":\"replace\",\"path\":\"/x\",\"value\":{\"l\":{\"1\":\"m\"}}}]")));
    watchers_now(ws, &root);
    turn();
    said(&e, "{\"id\":12,\"value\":\"m\"}");
    watch_end(&e.w);
    stop();
}

TEST(each_revision_is_a_message_with_its_head) {
    start("{\"a\":1}");
    struct eye e = EYE(.format = &bracketed), c = EYE(.format = &bracketed_cbor);
    begin(&e, "/a");
    begin(&c, "/a");
    turn();
    said(&e, "<19>{\"id\":10,\"value\":1}");
    said(&c, "<12>\xa2\x62id\x0a\x65value\x01");
    CHECK(settle_only(json("[{\"op\":\"replace\",\"path\":\"/a\",\"value\":2}]")));
    CHECK(settle_only(json("[{\"op\":\"add\",\"path\":\"/b\",\"value\":2}]")));
    CHECK(settle_only(
        json("[{\"op\":\"replace\",\"path\":\"/a\",\"value\":\"a text of more than a hundred bytes, so that the "
             "length in front of it has another number of digits, and then one more\"}]")));
    watchers_now(ws, &root);
    turn();
    said(&e, "<56>{\"id\":11,\"patch\":[{\"op\":\"replace\",\"path\":\"\",\"value\":2}]}"
             "<175>{\"id\":13,\"patch\":[{\"op\":\"replace\",\"path\":\"\",\"value\":\"a text of more than a hundred "
             "bytes, so "
             "that the length in front of it has another number of digits, and then one more\"}]}");
    CHECK_INT(e.revisions, 2);
    CHECK(slice_starts(slice_str(c.last),
                       LIT("<37>\xa2\x62id\x0b\x65patch\x81\xa3\x62op\x67replace\x64path\x60\x65value\x02<")));
    watch_end(&e.w);
    watch_end(&c.w);
    stop();
}

/* --- many --- */

#define CROWD 5000

struct ticker {
    struct loop_task t;
    unsigned ticks, most;
    uint64_t before;
};
static bool tick(struct loop_task *t) {
    struct ticker *k = LOOP_OWNER(struct ticker, t, t);
    uint64_t told = watchers_counts(ws).told;
    if (told - k->before > k->most) k->most = (unsigned)(told - k->before);
    if (told == k->before && k->ticks) return false;
    k->before = told;
    k->ticks++;
    return true;
}

static uint64_t allocations_of_a_commit(unsigned n) {
    start("{\"a\":{\"b\":1}}");
    gather(n, "/a", &watch_json);
    turn();
    settle("[{\"op\":\"replace\",\"path\":\"/a/b\",\"value\":2}]"); /* the arrays for revisions are there from now on */
    turn();
    CHECK(settle_only(json("[{\"op\":\"replace\",\"path\":\"/a/b\",\"value\":3}]")));
    struct watch_counts before = watchers_counts(ws);
    watchers_now(ws, &root);
    struct ticker k = {.t = LOOP_TASK(tick, "ticker"), .before = before.told};
    loop_task_queue(l, &k.t, LOOP_CLOSE);
    uint64_t calls = mem_stats().calls;
    turn();
    calls = mem_stats().calls - calls;
    struct watch_counts after = watchers_counts(ws);
    CHECK_INT(after.encoded - before.encoded, 1);
    CHECK_INT(after.told - before.told, n);
    CHECK_INT(after.wholes, n);
    if (n > LIMIT_STATE_SPREAD) {
        CHECK_INT(k.most, LIMIT_STATE_SPREAD);
        CHECK(k.ticks >= n / LIMIT_STATE_SPREAD);
    }
    unsigned good = 0;
    for (unsigned i = 0; i < n; i++)
        good += crowd[i].told == 3 && crowd[i].revision == 12 && crowd[i].bytes == crowd[0].bytes;
    CHECK_INT(good, n);
    disperse();
    stop();
    return calls;
}

TEST(a_commit_is_encoded_once_and_costs_no_memory_for_each_of_five_thousand) {
    uint64_t few = allocations_of_a_commit(2), many = allocations_of_a_commit(CROWD);
    tap_note("%u allocations", (unsigned)many);
    CHECK_INT(many, few);
    CHECK(many > 0 && many < 20);
}

TEST(the_value_is_encoded_once_for_all_who_begin_together_and_soon_after) {
    start("{\"a\":{\"b\":1}}");
    gather(1000, "/a", &watch_json);
    struct eye cbor = EYE(.format = &watch_cbor), none = EYE(.inside = true), later = EYE(.format = &watch_json);
    begin(&cbor, "/a");
    begin(&none, "/a");
    turn();
    CHECK_INT(watchers_counts(ws).encoded, 2);
    CHECK_INT(watchers_counts(ws).wholes, 1002);
    begin(&later, "/a");
    turn();
    said(&later, "{\"id\":10,\"value\":{\"b\":1}}");
    CHECK_INT(watchers_counts(ws).encoded, 2);
    watch_end(&later.w);
    now_us += 3000000; /* nothing is kept for ever */
    turn();
    later.told = 0;
    begin(&later, "/a");
    turn();
    CHECK(later.told == 1 && watchers_counts(ws).encoded == 3);
    watch_end(&cbor.w), watch_end(&none.w), watch_end(&later.w);
    disperse();
    stop();
}

TEST(what_is_settled_while_others_are_told_goes_out_together) {
    start("{\"a\":0}");
    gather(CROWD, "/a", &watch_json);
    turn();
    settle("[{\"op\":\"replace\",\"path\":\"/a\",\"value\":1}]");
    loop_turn(l, 0); /* a part of them has heard it */
    CHECK(crowd[0].told == 2 && crowd[CROWD - 1].told == 1);
    for (int i = 0; i < 5; i++) {
        settle("[{\"op\":\"replace\",\"path\":\"/a\",\"value\":2}]");
        loop_turn(l, 0);
    }
    struct eye late = EYE(.format = &watch_json);
    begin(&late, "/a");
    loop_turn(l, 0);
    loop_turn(l, 0);
    said(&late, "{\"id\":11,\"value\":1}"); /* as of what is being told, and not of now */
    turn();
    unsigned good = 0;
    for (unsigned i = 0; i < CROWD; i++)
        good += crowd[i].told == 3 && crowd[i].revision == 16 && crowd[i].revisions == 5;
    CHECK_INT(good, CROWD);
    CHECK(late.told == 2 && late.revisions == 5 && late.revision == 16);
    watch_end(&late.w);
    disperse();
    stop();
}

TEST(scopes_without_a_change_cost_nothing) {
    start("{\"a\":{},\"b\":{}}");
    enum { N = 2000 };
    static struct eye e[N];
    memset(e, 0, sizeof e);
    for (unsigned i = 0; i < N; i++) {
        char pointer[40];
        snprintf(pointer, sizeof pointer, "/a/k%u", i);
        e[i].w = (struct watch){.tell = tell, .format = &watch_json};
        begin(&e[i], pointer);
    }
    turn();
    uint64_t encoded = watchers_counts(ws).encoded;
    settle("[{\"op\":\"add\",\"path\":\"/a/k7\",\"value\":1},{\"op\":\"add\",\"path\":\"/b/x\",\"value\":1}]");
    CHECK_INT(turn(), 1);
    CHECK_INT(watchers_counts(ws).encoded - encoded, 1);
    CHECK_INT(watchers_counts(ws).told, N + 1);
    CHECK_INT(e[7].told, 2);
    settle("[{\"op\":\"replace\",\"path\":\"/a\",\"value\":{\"k9\":3}}]");
    turn();
    CHECK_INT(watchers_counts(ws).told, 2 * N + 1);
    said(&e[9], "{\"id\":12,\"patch\":[{\"op\":\"replace\",\"path\":\"\",\"value\":3}]}");
    said(&e[10], "{\"id\":12,\"patch\":[{\"op\":\"replace\",\"path\":\"\",\"value\":null}]}");
    for (unsigned i = 0; i < N; i++) watch_end(&e[i].w);
    CHECK_INT(watchers_counts(ws).scopes, 0);
    stop();
}

/* --- what tell may do --- */

static struct eye other;
static void end_all(struct eye *e) {
    for (unsigned i = 0; i < crowd_n; i++) watch_end(&crowd[i].w);
    (void)e;
}
static void replace_itself(struct eye *e) {
    watch_end(&e->w);
    e->also = NULL;
    begin(e, "/b");
    if (!watch_is_begun(&other.w)) begin(&other, "/a");
}

TEST(tell_may_end_and_begin_any_watch) {
    start("{\"a\":0,\"b\":7}");
    gather(50, "/a", &watch_json);
    turn();
    crowd[10].also = end_all;
    crowd[10].refuses = true; /* of one that has ended it means nothing */
    settle("[{\"op\":\"replace\",\"path\":\"/a\",\"value\":1}]");
    turn();
    CHECK(crowd[10].told == 2 && crowd[11].told == 1 && watchers_counts(ws).watches == 0);
    CHECK_INT(watchers_counts(ws).behind, 0);
    disperse();
    gather(3, "/a", &watch_json);
    other = (struct eye)EYE(.format = &watch_json);
    crowd[1].also = replace_itself;
    crowd[1].refuses = true;
    turn();
    CHECK(crowd[1].told == 2 && watch_is_begun(&crowd[1].w));
    said(&crowd[1], "{\"id\":11,\"value\":7}");
    said(&other, "{\"id\":11,\"value\":1}");
    watch_end(&other.w);
    disperse();
    stop();
}

static void settle_inside(struct eye *e) {
    (void)e;
    watchers_settle(ws, revision + 1, val_empty_array());
}

TEST(settling_inside_tell_is_a_mistake_that_is_found) {
    start("{\"a\":0}");
    struct eye e = EYE(.inside = true);
    e.also = settle_inside;
    begin(&e, "/a");
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        if (!freopen("/dev/null", "w", stderr)) _exit(3);
        turn();
        _exit(0);
    }
    int status = 0;
    CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    watch_end(&e.w);
    stop();
}

TAP_MAIN(T(the_value_comes_first_then_what_touches_it_and_nothing_else),
         T(what_is_not_there_yet_is_null_until_it_appears), T(operations_are_cut_to_the_pointer),
         T(a_watch_below_an_array_that_moves_gets_the_value_that_stands_there_now),
         T(what_became_a_map_later_was_an_array_before), T(each_revision_is_a_message_with_its_head),
         T(a_commit_is_encoded_once_and_costs_no_memory_for_each_of_five_thousand),
         T(the_value_is_encoded_once_for_all_who_begin_together_and_soon_after),
         T(what_is_settled_while_others_are_told_goes_out_together), T(scopes_without_a_change_cost_nothing),
         T(tell_may_end_and_begin_any_watch), T(settling_inside_tell_is_a_mistake_that_is_found))
