/* txn.c - transactions: what one may change, what becomes of it, what it costs; on a disk in memory. */
#include "state/stage.h"

#include "lib/tap.h"

/* --- a plan with owners, shapes and every attribute --- */

static const struct shape text_shape = {.kind = SHAPE_TEXT, .max = 20};
static const struct shape bool_shape = {.kind = SHAPE_BOOL};
static const struct shape count_shape = {.kind = SHAPE_INT, .min = 0, .max = 9};
static const struct shape_field package_fields[] = {{.name = "title", .shape = &text_shape},
                                                    {.name = "on", .shape = &bool_shape, .optional = true},
                                                    {.name = "hosts", .optional = true},
                                                    {.name = "progress", .optional = true, .attrs = PLAN_VOLATILE}};
static const struct shape package_shape = {.kind = SHAPE_RECORD, .fields = package_fields, .field_n = 4};
static const struct shape packages_shape = {.kind = SHAPE_MAP, .item = &package_shape};
static const struct plan_branch branches[] = {
    {.pattern = "", .owner = "core"},
    {.pattern = "/public/count", .shape = &count_shape},
    {.pattern = "/public/packages", .owner = "service", .shape = &packages_shape},
    {.pattern = "/public/packages/*/hosts", .owner = "net"},
    {.pattern = "/private", .attrs = PLAN_PRIVATE},
};
static const struct plan_config plan_rows = {
    .name = "txn",
    .version = 1,
    .birth = "{\"public\":{\"count\":0,\"list\":[1,2,3],\"packages\":{},\"big\":{}},\"private\":{}}",
    .branches = branches,
    .branch_n = sizeof branches / sizeof branches[0],
};

struct box {
    struct mem_disk *disk;
    struct loop *loop;
    struct port port;
    struct plan *plan;
    struct state *state;
    enum state_mode mode;
    struct err why;
};

static struct err err;

static void box_changed(struct state *s, enum state_mode mode, const struct err *why) {
    struct box *b = state_arg(s);
    b->mode = mode;
    if (why) b->why = *why;
}

static void turn(struct box *b, unsigned n) {
    while (n--) {
        loop_turn(b->loop, 0);
        mem_disk_turn(b->disk);
    }
}

/* Takes the disk; NULL: a new one. */
static bool box_open(struct box *b, struct mem_disk *disk) {
    stage_begin();
    *b = (struct box){.disk = disk ? disk : mem_disk_new(), .mode = STATE_OPENING, .port = {.name = "disk"}};
    err = (struct err)ERR_INIT;
    b->loop = loop_new(&err);
    b->plan = plan_new(&plan_rows, &err);
    if (!CHECK(b->loop && b->plan && mem_disk_connect(b->disk, b->loop, &b->port))) {
        tap_note("%s", err.text);
        return false;
    }
    const struct state_config config = {.loop = b->loop,
                                        .disk = &b->port,
                                        .root = "data",
                                        .folder = "a/b",
                                        .plan = b->plan,
                                        .changed = box_changed,
                                        .arg = b};
    b->state = state_new(&config, &err);
    for (unsigned i = 0; i < 3000 && b->mode == STATE_OPENING; i++) turn(b, 1);
    return CHECK(b->mode == STATE_UP);
}

/* Closed in order; gives the disk. */
static struct mem_disk *box_close(struct box *b) {
    state_close(b->state);
    for (unsigned i = 0; i < 1000 && b->mode != STATE_CLOSED; i++) turn(b, 1);
    CHECK(b->mode == STATE_CLOSED);
    state_free(b->state);
    port_stop(&b->port);
    turn(b, 3);
    loop_free(b->loop);
    plan_free(b->plan);
    stage_end();
    return b->disk;
}

static void box_end(struct box *b) {
    mem_disk_free(box_close(b));
}

static bool begin(struct box *b, struct state_txn *t, const char *owner) {
    err = (struct err)ERR_INIT;
    return CHECK(state_begin(b->state, t, owner ? plan_owner(b->plan, owner) : PLAN_ALL_OWNERS, &err));
}

static bool says(const char *text) {
    bool found = strstr(err.text, text) != NULL;
    if (!found) tap_note("it says: %s", err.text);
    return found;
}

static const struct val *at(const struct box *b, const char *pointer) {
    return jsonptr_get(state_peek(b->state), slice_str(pointer), NULL);
}

static bool put_package(struct box *b, const char *owner, const char *pointer, struct val v) {
    struct state_txn t;
    uint64_t revision;
    if (!begin(b, &t, owner)) return false;
    txn_put(&t, slice_str(pointer), v, &err);
    return state_commit(&t, &revision, &err);
}

/* --- one revision or nothing --- */

TEST(many_changes_are_one_revision_and_none_is_none) {
    struct box b;
    struct state_txn t;
    uint64_t revision = 0, before;
    if (!box_open(&b, NULL)) return;
    before = state_revision(b.state);
    CHECK_INT(before, 1);
    begin(&b, &t, NULL);
    CHECK(txn_put_u64(&t, LIT("/public/count"), 5, &err) && txn_put_text(&t, LIT("/public/big/a"), LIT("x"), &err));
    CHECK(txn_put_bool(&t, LIT("/public/big/b"), true, &err) && txn_put_null(&t, LIT("/private/n"), &err));
    CHECK_INT(txn_get_u64(&t, LIT("/public/count"), 7), 5); /* it sees itself */
    CHECK_TEXT(txn_get_text(&t, LIT("/public/big/a")), LIT("x"));
    CHECK(txn_get_bool(&t, LIT("/public/big/b"), false) && txn_get_bool(&t, LIT("/none"), true));
    CHECK_INT(val_count(at(&b, "/public/big")), 0); /* nobody else does */
    CHECK(state_commit(&t, &revision, &err));
    CHECK_INT(revision, 2);
    CHECK_INT(state_revision(b.state), 2);
    CHECK_INT(val_count(at(&b, "/public/big")), 2);
    CHECK_INT(state_settled(b.state), 1); /* seen at once, settled later */
    /* The same again, there and back, and nothing at all: no revision. */
    begin(&b, &t, NULL);
    CHECK(txn_put_u64(&t, LIT("/public/count"), 5, &err) && state_commit(&t, &revision, &err));
    CHECK_INT(revision, 2);
    begin(&b, &t, NULL);
    txn_put_u64(&t, LIT("/public/count"), 6, &err);
    txn_put_u64(&t, LIT("/public/count"), 5, &err);
    txn_put_null(&t, LIT("/public/big/c"), &err);
    txn_remove(&t, LIT("/public/big/c"), &err);
    CHECK(state_commit(&t, &revision, &err));
    begin(&b, &t, NULL);
    CHECK(state_commit(&t, &revision, &err));
    CHECK_INT(revision, 2);
    turn(&b, 10);
    CHECK_INT(state_settled(b.state), 2);
    CHECK_INT(state_counts(b.state).commits, 1);
    box_end(&b);
}

TEST(what_is_left_off_or_has_failed_changes_nothing) {
    struct box b;
    struct state_txn t;
    uint64_t revision;
    if (!box_open(&b, NULL)) return;
    struct val before = val_ref(state_peek(b.state));
    begin(&b, &t, NULL);
    txn_put_u64(&t, LIT("/public/count"), 5, &err);
    state_abort(&t);
    state_abort(&t); /* twice is once */
    begin(&b, &t, NULL);
    CHECK(txn_put_u64(&t, LIT("/public/count"), 5, &err));
    CHECK(!txn_remove(&t, LIT("/public/none"), &err) && err.code == ERR_NOT_FOUND);
    err = (struct err)ERR_INIT;
    CHECK(!txn_put_u64(&t, LIT("/public/count"), 6, &err) && says("none")); /* it stays failed */
    CHECK(!state_commit(&t, &revision, &err) && err.code == ERR_NOT_FOUND);
    CHECK(!txn_put_u64(&t, LIT("/public/count"), 6, &err) && !state_commit(&t, &revision, &err) && says("over"));
    static const char *const bad[] = {"public",         "/public/none/x",  "/public/count/x",
                                      "/public/list/4", "/public/list/01", "/~2"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        begin(&b, &t, NULL);
        CHECK(!txn_put_u64(&t, slice_str(bad[i]), 1, &err));
        CHECK(!state_commit(&t, &revision, &err));
    }
    begin(&b, &t, NULL);
    CHECK(!txn_put_text(&t, LIT("/public/big/a"), LIT("\xff"), &err) && err.code == ERR_UTF8);
    CHECK(!txn_put(&t, LIT("/public/big/a"), val_none, &err));
    state_abort(&t);
    CHECK(val_same(&before, state_peek(b.state)) && state_revision(b.state) == 1);
    val_unref(&before);
    box_end(&b);
}

TEST(arrays_are_replaced_inserted_into_appended_to_and_taken_from) {
    struct box b;
    struct state_txn t;
    uint64_t revision;
    if (!box_open(&b, NULL)) return;
    begin(&b, &t, NULL);
    CHECK(txn_put_u64(&t, LIT("/public/list/1"), 20, &err) && txn_put_u64(&t, LIT("/public/list/-"), 40, &err));
    CHECK(txn_insert(&t, LIT("/public/list/0"), val_of_u64(0), &err) && txn_remove(&t, LIT("/public/list/3"), &err));
    CHECK(state_commit(&t, &revision, &err));
    /* [1,2,3] -> [1,20,3] -> [1,20,3,40] -> [0,1,20,3,40] -> [0,1,20,40] */
    struct val want = VAL_ARRAY_OF(val_of_u64(0), val_of_u64(1), val_of_u64(20), val_of_u64(40));
    CHECK(val_equal(at(&b, "/public/list"), &want));
    struct val patch = VAL_ARRAY_OF(VAL_MAP_OF({"op", val_of_str("move")}, {"from", val_of_str("/public/list/0")},
                                               {"path", val_of_str("/public/big/moved")}));
    begin(&b, &t, NULL);
    CHECK(txn_patch(&t, &patch, &err) && state_commit(&t, &revision, &err));
    CHECK_INT(val_count(at(&b, "/public/list")), 3);
    CHECK_INT(revision, 3);
    val_unref(&patch);
    val_unref(&want);
    want = val_ref(state_peek(b.state));
    struct mem_disk *disk = box_close(&b);
    if (box_open(&b, disk)) CHECK(is_same(state_peek(b.state), &want));
    val_unref(&want);
    box_end(&b);
}

TEST(more_places_than_are_remembered_still_make_the_exact_patch) {
    struct box b;
    struct state_txn t;
    uint64_t revision;
    if (!box_open(&b, NULL)) return;
    for (unsigned round = 1; round < 4; round++) {
        begin(&b, &t, NULL);
        for (unsigned i = 0; i < 20 * round; i++) {
            char p[40];
            snprintf(p, sizeof p, "/public/big/%u~1%u", i, round);
            CHECK(txn_put_u64(&t, slice_str(p), i, &err));
        }
        /* A key that goes and comes again stands at the end, and must do so behind a restart too. */
        if (round > 1) {
            CHECK(txn_remove(&t, LIT("/public/big/0~11"), &err));
            CHECK(txn_put_u64(&t, LIT("/public/big/0~11"), round, &err));
        }
        CHECK(state_commit(&t, &revision, &err));
        CHECK_INT(revision, round + 1);
    }
    struct val want = val_ref(state_peek(b.state));
    struct mem_disk *disk = box_close(&b);
    if (box_open(&b, disk)) CHECK(is_same(state_peek(b.state), &want));
    val_unref(&want);
    box_end(&b);
}

/* --- whose it is, and what it looks like --- */

TEST(nobody_commits_outside_of_what_is_his) {
    struct box b;
    if (!box_open(&b, NULL)) return;
    CHECK(put_package(&b, "service", "/public/packages/notes", VAL_MAP_OF({"title", val_of_str("Notes")})));
    CHECK(put_package(&b, "net", "/public/packages/notes/hosts", VAL_MAP_OF({"main", val_null()})));
    CHECK(!put_package(&b, "net", "/public/packages/notes/title", val_of_str("x")) &&
          says("/public/packages/notes/title") && says("service") && says("net"));
    CHECK(!put_package(&b, "service", "/public/packages/notes/hosts", val_empty_map()));
    CHECK(!put_package(&b, "service", "/public/count", val_of_u64(1)) && says("core"));
    /* Replacing what is his must not take along what is another's... */
    CHECK(!put_package(&b, "service", "/public/packages/notes", VAL_MAP_OF({"title", val_of_str("New")})) &&
          says("hosts"));
    /* ...but may when that stays as it is. */
    CHECK(put_package(&b, "service", "/public/packages/notes",
                      VAL_MAP_OF({"title", val_of_str("New")}, {"hosts", VAL_MAP_OF({"main", val_null()})})));
    CHECK(val_is_text(at(&b, "/public/packages/notes/title"), LIT("New")));
    CHECK_INT(state_revision(b.state), 4);
    struct state_txn t;
    CHECK(state_begin(b.state, &t, plan_owner(b.plan, "service") | plan_owner(b.plan, "net"), &err));
    CHECK(txn_remove(&t, LIT("/public/packages/notes"), &err) && state_commit(&t, NULL, &err));
    box_end(&b);
}

TEST(what_does_not_fit_its_shape_is_refused_with_path_wanted_and_found) {
    struct box b;
    if (!box_open(&b, NULL)) return;
    CHECK(!put_package(&b, NULL, "/public/count", val_of_u64(10)) && says("/public/count") && says("9") && says("10"));
    CHECK(!put_package(&b, NULL, "/public/packages/a", val_empty_map()) && says("title"));
    CHECK(!put_package(&b, NULL, "/public/packages/a", VAL_MAP_OF({"title", val_of_str("A")}, {"odd", val_null()})) &&
          says("odd"));
    CHECK(put_package(&b, NULL, "/public/packages/a", VAL_MAP_OF({"title", val_of_str("A")})));
    CHECK(!put_package(&b, NULL, "/public/packages/a/on", val_of_str("yes")) && says("/public/packages/a/on"));
    struct state_txn t;
    begin(&b, &t, NULL);
    CHECK(txn_remove(&t, LIT("/public/packages/a/title"), &err) && !state_commit(&t, NULL, &err) && says("title"));
    /* JSON has no form for these, so only what is private may hold them. */
    CHECK(!put_package(&b, NULL, "/public/big/b", val_of_bytes(LIT("x"))) && says("/public/big/b"));
    CHECK(put_package(&b, NULL, "/private/b", val_of_bytes(LIT("x"))));
    CHECK_INT(state_revision(b.state), 3);
    box_end(&b);
}

TEST(what_is_volatile_is_told_and_not_kept) {
    struct box b;
    uint64_t synced;
    if (!box_open(&b, NULL)) return;
    CHECK(put_package(&b, NULL, "/public/packages/a",
                      VAL_MAP_OF({"title", val_of_str("A")}, {"progress", val_of_u64(1)})));
    turn(&b, 10);
    synced = state_counts(b.state).syncs;
    CHECK(put_package(&b, NULL, "/public/packages/a/progress", val_of_u64(2)));
    CHECK_INT(state_revision(b.state), 3);
    turn(&b, 10);
    CHECK_INT(state_settled(b.state), 3);
    CHECK_INT(state_counts(b.state).syncs, synced); /* no disk heard of it */
    struct val shown = state_show(b.state, LIT("/public/packages/a"), &err);
    CHECK(val_count(&shown) == 2);
    val_unref(&shown);
    shown = state_show(b.state, LIT("/private"), &err);
    CHECK(val_is_none(&shown) && err.code == ERR_NOT_FOUND);
    struct mem_disk *disk = box_close(&b);
    if (!box_open(&b, disk)) return;
    CHECK_INT(val_count(at(&b, "/public/packages/a")), 1);
    CHECK_INT(state_revision(b.state), 2); /* the last that was kept */
    box_end(&b);
}

TEST(a_revision_too_large_is_refused_whole) {
    struct box b;
    if (!box_open(&b, NULL)) return;
    size_t len = LIMIT_STATE_REVISION + 1;
    char *text = malloc(len);
    memset(text, 'x', len);
    CHECK(!put_package(&b, NULL, "/public/big/a", val_of_text(slice_of(text, len))) && err.code == ERR_LIMIT);
    CHECK(!strcmp(err.limit, "revision") && state_revision(b.state) == 1);
    CHECK(put_package(&b, NULL, "/public/big/a", val_of_text(slice_of(text, len - 1000))));
    turn(&b, 200);
    CHECK_INT(state_settled(b.state), 2);
    free(text);
    struct mem_disk *disk = box_close(&b);
    if (!box_open(&b, disk)) return;
    CHECK_INT(val_as_text(at(&b, "/public/big/a")).len, len - 1000);
    box_end(&b);
}

TEST(a_commit_that_found_no_memory_stands_in_the_way_of_no_other) {
    uint64_t nth = 1;
    for (bool hit = true; hit; nth++) {
        struct box b;
        if (!box_open(&b, NULL)) return;
        err = (struct err)ERR_INIT;
        mem_fault(nth, 0);
        bool good = put_package(&b, NULL, "/public/big/a", val_of_u64(1));
        hit = mem_fault_hit();
        mem_fault(0, 0);
        CHECK(good || err.code == ERR_NOMEM);
        CHECK(put_package(&b, NULL, "/public/big/b", val_of_u64(2)));
        turn(&b, 20);
        CHECK_INT(state_settled(b.state), good ? 3 : 2);
        box_end(&b);
    }
    CHECK(nth > 5);
}

/* shown: what readers hear of, so that a client that waits for a number is told it. */
TEST(the_newest_revision_that_readers_hear_of_is_known) {
    struct box b;
    if (!box_open(&b, NULL)) return;
    CHECK_INT(state_shown(b.state), 0);
    CHECK(put_package(&b, NULL, "/public/count", val_of_u64(1)));
    CHECK(state_shown(b.state) == 2 && state_shown_settled(b.state) == 0);
    CHECK(put_package(&b, NULL, "/private/x", val_of_u64(1)));
    CHECK(state_revision(b.state) == 3 && state_shown(b.state) == 2);
    turn(&b, 20);
    CHECK(state_settled(b.state) == 3 && state_shown_settled(b.state) == 2);
    /* What the disk refuses is taken back, and its number too. */
    mem_disk_fail_at(b.disk, 1, MEM_EIO, MEM_SYNC, UINT64_MAX);
    CHECK(put_package(&b, NULL, "/public/count", val_of_u64(2)) && state_shown(b.state) == 4);
    turn(&b, 20);
    CHECK(state_shown(b.state) == 2 && state_shown_settled(b.state) == 2);
    box_end(&b);
}

/* --- holds --- */

struct hold_log {
    struct state_hold hold;
    unsigned done, failed, order;
};
static unsigned answers;

static void hold_done(struct state_hold *h, const struct err *why) {
    struct hold_log *l = LOOP_OWNER(struct hold_log, hold, h);
    l->done++;
    l->failed += why != NULL;
    l->order = ++answers;
}

TEST(holds_are_answered_when_their_revision_is_settled_in_order_and_not_before) {
    struct box b;
    struct hold_log l[4] = {{.hold = {.done = hold_done}},
                            {.hold = {.done = hold_done}},
                            {.hold = {.done = hold_done}},
                            {.hold = {.done = hold_done}}};
    answers = 0;
    if (!box_open(&b, NULL)) return;
    state_hold(b.state, &l[3].hold, 1); /* settled long ago */
    CHECK(l[3].done == 0);              /* but never from inside */
    for (unsigned i = 0; i < 3; i++) {
        CHECK(put_package(&b, NULL, "/public/count", val_of_u64(i + 1)));
        state_hold(b.state, &l[i].hold, state_revision(b.state));
    }
    state_hold_cancel(&l[1].hold);
    loop_turn(b.loop, 0); /* sends; the disk has not turned */
    CHECK(l[3].done == 1 && l[0].done == 0 && l[2].done == 0);
    turn(&b, 10);
    CHECK(l[0].done == 1 && l[1].done == 0 && l[2].done == 1 && l[0].failed + l[2].failed == 0);
    CHECK(l[3].order == 1 && l[0].order == 2 && l[2].order == 3);
    box_end(&b);
}

/* --- what it costs --- */

static void fill_big(struct box *b, unsigned n) {
    struct state_txn t;
    unsigned done = 0;
    while (done < n) {
        begin(b, &t, NULL);
        for (unsigned i = 0; i < 5000 && done < n; i++) {
            char p[40];
            snprintf(p, sizeof p, "/public/big/key-%08u", done++);
            txn_put_u64(&t, slice_str(p), done, &err);
        }
        CHECK(state_commit(&t, NULL, &err));
        turn(b, 20);
    }
}

/* The budgets of the ground: tests/base/val_budget has an update of a map of a million entries at 6 blocks, 3.3 kB, some 100 counts. A
 * commit copies two maps more on the way (the root and "public"), makes the patch (an array, a map, a path), and keeps it. */
TEST(a_commit_costs_what_it_changes_however_large_the_tree_is) {
    struct box b;
    uint64_t visited[2] = {0}, nodes[2] = {0};
    if (!box_open(&b, NULL)) return;
    for (unsigned size = 0; size < 2; size++) {
        fill_big(&b, size ? 100000 : 1000);
        turn(&b, 50);
        memset(&val_cost, 0, sizeof val_cost);
        CHECK(put_package(&b, NULL, "/public/big/key-00000777", val_of_u64(1000000 + size)));
        visited[size] = val_cost.visited;
        nodes[size] = val_cost.nodes;
        tap_note("in a tree of %u entries: %llu blocks copied or made, %llu bytes, %llu reference counts, %llu visited",
                 size ? 100000 : 1000, (unsigned long long)val_cost.nodes, (unsigned long long)val_cost.bytes,
                 (unsigned long long)val_cost.refs, (unsigned long long)val_cost.visited);
        CHECK(val_cost.nodes <= 20 && val_cost.bytes <= 7000 && val_cost.refs <= 300);
        turn(&b, 10);
    }
    CHECK(visited[1] <= visited[0]); /* the difference is looked for nowhere else */
    CHECK(nodes[1] <= nodes[0] + 2); /* one level of the tree more, and its block */
    box_end(&b);
}

TAP_MAIN(T(many_changes_are_one_revision_and_none_is_none), T(what_is_left_off_or_has_failed_changes_nothing),
         T(arrays_are_replaced_inserted_into_appended_to_and_taken_from),
         T(more_places_than_are_remembered_still_make_the_exact_patch), T(nobody_commits_outside_of_what_is_his),
         T(what_does_not_fit_its_shape_is_refused_with_path_wanted_and_found), T(what_is_volatile_is_told_and_not_kept),
         T(a_revision_too_large_is_refused_whole), T(a_commit_that_found_no_memory_stands_in_the_way_of_no_other),
         T(the_newest_revision_that_readers_hear_of_is_known),
         T(holds_are_answered_when_their_revision_is_settled_in_order_and_not_before),
         T(a_commit_costs_what_it_changes_however_large_the_tree_is))
