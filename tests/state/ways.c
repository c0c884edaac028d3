/* ways.c - a change of one place and the same change made the general way come to the same; a migration whose first snapshot fails. */
#include "lib/tap.h"
#include "state/scenario.h"

static const struct shape zoom = {.kind = SHAPE_INT, .min = 1, .max = 9, .null = true};
static const struct shape word = {.kind = SHAPE_WORD, .words = "red green blue"};
static const struct shape text = {.kind = SHAPE_TEXT, .min = 1, .max = 8};
static const struct shape_field ui_fields[] = {{.name = "zoom", .shape = &zoom},
                                               {.name = "word", .shape = &word, .optional = true},
                                               {.name = "list", .optional = true}};
static const struct shape ui = {.kind = SHAPE_RECORD, .fields = ui_fields, .field_n = 3};
static const struct shape texts = {.kind = SHAPE_MAP, .item = &text, .max = 4, .min = 0};
static const struct plan_branch rows[] = {{"", "core", 0, NULL},
                                          {"/ui", "ui", 0, &ui},
                                          {"/texts", "net", 0, &texts},
                                          {"/p/*/progress", NULL, PLAN_VOLATILE, NULL},
                                          {"/p/*/hosts", "net", 0, NULL},
                                          {"/private", NULL, PLAN_PRIVATE, NULL},
                                          {"/private/key", NULL, PLAN_SECRET, NULL}};
static const struct plan_config plan_one = {.name = "x",
                                            .version = 1,
                                            .birth = "{\"ui\":{\"zoom\":1,\"list\":[1,2,[3,4],{\"a\":1}]},\"texts\":{"
                                                     "\"a\":\"b\"},\"free\":{\"a\":1,\"b\":{\"c\":null}},"
                                                     "\"p\":{\"x\":{\"progress\":1,\"hosts\":{\"h\":1},\"n\":0},\"y\":{"
                                                     "\"n\":[0]}},\"private\":{\"key\":\"k\",\"b\":1}}",
                                            .branches = rows,
                                            .branch_n = sizeof rows / sizeof rows[0]};

static bool open_plan(struct stage *st, struct mem_disk *disk, const struct plan_config *config) {
    struct err e = ERR_INIT;
    *st = (struct stage){.disk = disk, .mode = STATE_OPENING, .port = {.name = "disk", .gone = stage_port_gone}};
    st->loop = loop_new(&e);
    st->plan = plan_new(config, &e);
    if (!st->plan) tap_note("%s", e.text);
    if (!HOLDS(st->loop && st->plan && mem_disk_connect(disk, st->loop, &st->port))) return false;
    const struct state_config c = {.loop = st->loop,
                                   .disk = &st->port,
                                   .root = "data",
                                   .folder = "state",
                                   .plan = st->plan,
                                   .limits = &stage_limits,
                                   .watch_limits = &watch_limits,
                                   .changed = stage_changed,
                                   .found = stage_found,
                                   .arg = st};
    st->state = state_new(&c, &e);
    return HOLDS(st->state);
}

static void turns(struct stage *st, unsigned n) {
    while (n--) {
        loop_turn(st->loop, 0);
        mem_disk_turn(st->disk);
    }
}

static struct val draw(uint64_t *seed, unsigned depth) {
    switch (stage_below(seed, depth ? 12 : 8)) {
    case 0: return val_null();
    case 1: return val_of_bool(stage_below(seed, 2));
    case 2:
    case 3: return val_of_u64(stage_below(seed, 12));
    case 4: return val_of_str("red");
    case 5: return val_of_str("far too long a text");
    case 6: return val_of_bytes(LIT("abc"));
    case 7: return stage_below(seed, 2) ? val_empty_map() : val_empty_array();
    case 8:
    case 9: {
        struct val v = val_empty_array();
        for (unsigned i = stage_below(seed, 3); i; i--) val_push(&v, draw(seed, depth - 1));
        return v;
    }
    default: {
        static const char *const keys[] = {"zoom", "word", "a", "hosts", "progress", "key", "n", "c"};
        struct val v = val_empty_map();
        for (unsigned i = stage_below(seed, 4); i; i--)
            val_set_str(&v, keys[stage_below(seed, 8)], draw(seed, depth - 1));
        return v;
    }
    }
}

TEST(one_place_changes_as_many_do) {
    static const char *const places[] = {"/ui/zoom",
                                         "/ui/word",
                                         "/ui/list",
                                         "/ui/list/0",
                                         "/ui/list/2",
                                         "/ui/list/2/1",
                                         "/ui/list/3/a",
                                         "/ui/list/-",
                                         "/ui/list/00",
                                         "/ui",
                                         "/ui/other",
                                         "/texts",
                                         "/texts/a",
                                         "/texts/z",
                                         "/free",
                                         "/free/a",
                                         "/free/b",
                                         "/free/b/c",
                                         "/free/b/d",
                                         "/p",
                                         "/p/x",
                                         "/p/x/progress",
                                         "/p/x/hosts",
                                         "/p/x/hosts/h",
                                         "/p/x/n",
                                         "/p/y",
                                         "/p/y/n/0",
                                         "/p/z",
                                         "/private",
                                         "/private/key",
                                         "/private/b",
                                         "/private/c",
                                         "",
                                         "x",
                                         "/~2",
                                         "/ui/zoom/x",
                                         "/ui/list/9"};
    struct stage a, b;
    stage_begin_at("single and general");
    unsigned commits = 0, refused = 0;
    if (open_plan(&a, mem_disk_new(), &plan_one) && open_plan(&b, mem_disk_new(), &plan_one)) {
        stage_opening(&a);
        stage_opening(&b);
        uint64_t seed = 7;
        for (unsigned i = 0; i < 60000 && !stage_bad; i++) {
            const char *place = places[stage_below(&seed, sizeof places / sizeof places[0])];
            const char *names[] = {"core", "ui", "net"};
            uint64_t owners =
                stage_below(&seed, 3) ? PLAN_ALL_OWNERS : plan_owner(a.plan, names[stage_below(&seed, 3)]);
            struct val v = draw(&seed, 3);
            struct state_txn ta, tb;
            struct err ea = ERR_INIT, eb = ERR_INIT;
            uint64_t ra = 0, rb = 0;
            unsigned ro = stage_below(&seed, 40);
            enum state_mode m = STATE_UP;
            (void)ro, (void)m;
            state_begin(a.state, &ta, owners, &ea);
            state_begin(b.state, &tb, owners, &eb);
            txn_get(&tb, LIT("/ui"));
            unsigned n = stage_below(&seed, 4) ? 1 : 2;
            bool pa = true, pb = true;
            for (unsigned k = 0; k < n; k++) {
                const char *at = k ? places[stage_below(&seed, sizeof places / sizeof places[0])] : place;
                struct val w = k ? draw(&seed, 2) : val_ref(&v);
                pa = txn_put(&ta, slice_str(at), val_ref(&w), &ea);
                pb = txn_put(&tb, slice_str(at), w, &eb);
                HOLDS(pa == pb);
            }
            bool ga = state_commit(&ta, &ra, &ea), gb = state_commit(&tb, &rb, &eb);
            bool same = HOLDS(ga == gb) && HOLDS(ra == rb) && HOLDS(!strcmp(ea.text, eb.text)) &&
                        HOLDS(ea.code == eb.code) && HOLDS(is_same(state_peek(a.state), state_peek(b.state)));
            if (!same) tap_note("%s (%u): %d %d, \"%s\" \"%s\"", place, n, ga, gb, ea.text, eb.text);
            val_unref(&v);
            commits += ga;
            refused += !ga;
            if (stage_below(&seed, 8) == 0) turns(&a, 3), turns(&b, 3);
            if (i % 500 == 499) { /* back to the birth */
                struct val birth = val_none;
                static const struct json_limits limits = {.bytes = 10000, .depth = 20};
                json_parse(slice_str(plan_one.birth), &limits, &birth, NULL);
                for (int k = 0; k < 2; k++) {
                    struct state_txn t;
                    state_begin(k ? b.state : a.state, &t, PLAN_ALL_OWNERS, &ea);
                    txn_put(&t, LIT(""), val_ref(&birth), NULL);
                    HOLDS(state_commit(&t, &ra, &ea));
                }
                val_unref(&birth);
                turns(&a, 20), turns(&b, 20);
            }
        }
        tap_note("%u commits, %u refused", commits, refused);
    }
    mem_disk_free(stage_kill(&a));
    mem_disk_free(stage_kill(&b));
    CHECK_INT(stage_bad, 0);
    stage_end();
}

/* --- a migration --- */

static unsigned runs;
static bool lead(struct val *root, struct err *e) {
    runs++;
    return jsonptr_change(root, JSONPTR_ADD, LIT("/led"), val_of_u64(runs), e);
}

TEST(a_migration_whose_first_snapshot_fails_keeps_its_revision) {
    static const struct plan_migration ms[] = {{1, "led on", lead}};
    struct plan_config two = plan_one;
    two.version = 2;
    two.migrations = ms;
    two.migration_n = 1;
    struct stage st;
    struct err e = ERR_INIT;
    stage_begin_at("migration");
    struct mem_disk *disk = mem_disk_new();
    if (open_plan(&st, disk, &plan_one)) {
        stage_opening(&st);
        for (unsigned i = 0; i < 3; i++) {
            struct state_txn t;
            state_begin(st.state, &t, PLAN_ALL_OWNERS, &e);
            txn_put_u64(&t, LIT("/free/a"), 10 + i, NULL);
            state_commit(&t, NULL, &e);
            turns(&st, 20);
        }
    }
    state_close(st.state);
    turns(&st, 20);
    disk = stage_kill(&st);
    uint64_t settled = 0;
    mem_disk_fail_at(disk, 1, MEM_ENOSPC, MEM_WRITE | MEM_CREATE, 3);
    if (open_plan(&st, disk, &two)) {
        stage_opening(&st);
        CHECK_INT(st.mode, STATE_READ_ONLY);
        mem_disk_fail_at(disk, 0, MEM_NONE, 0, 0);
        for (unsigned i = 0; i < 200 && st.mode != STATE_UP; i++) {
            turns(&st, 1);
            stage_pass_ms(10);
        }
        CHECK_INT(st.mode, STATE_UP);
        settled = state_settled(st.state);
        state_close(st.state);
        turns(&st, 30);
        CHECK_INT(st.mode, STATE_CLOSED);
    }
    disk = stage_kill(&st);
    const char *name;
    for (size_t i = 0; (name = mem_disk_name(disk, i)); i++) tap_note("%s", name);
    if (open_plan(&st, disk, &two)) {
        stage_opening(&st);
        CHECK_INT(st.mode, STATE_UP);
        tap_note("settled %llu before, %llu at the next start; %u runs", (unsigned long long)settled,
                 (unsigned long long)state_settled(st.state), runs);
        CHECK(state_settled(st.state) >= settled);
    }
    mem_disk_free(stage_kill(&st));
    CHECK_INT(stage_bad, 0);
    stage_end();
}

TAP_MAIN(T(one_place_changes_as_many_do), T(a_migration_whose_first_snapshot_fails_keeps_its_revision))
