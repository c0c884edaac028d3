/* refusals.c - what flows refuse (limits, tables that err), what the state refuses them, and flows side by side. */
#include "flow/play.h"

/* --- limits and refusals --- */

TEST(there_are_so_many_flows_at_once_and_each_has_an_id_of_its_own) {
    struct play p = {.fail_step = -1, .dead = false};
    struct err e = ERR_INIT;
    if (open_fresh(&p, "many")) {
        for (unsigned i = 0; i < LIMIT_FLOWS; i++) HOLDS(play_start(&p, KIND_BACK, &e));
        for (struct flow *f = flow_next(p.flows, NULL); f; f = flow_next(p.flows, f))
            CHECK(flow_find(p.flows, slice_str(flow_id(f))) == f);
        CHECK_INT(flows_count(p.flows), LIMIT_FLOWS);
        CHECK(!play_start(&p, KIND_BACK, &e) && e.code == ERR_LIMIT && e.http == 503);
        CHECK_TEXT(slice_str(e.limit), LIT("flows"));
    }
    end_all(&p);
}

/* A text whose CBOR has so many bytes; it has 3 of head from 256 on, 5 from 65536 on. */
static struct val text_of(size_t bytes) {
    static char many[70000];
    memset(many, 'x', sizeof many);
    return val_of_text(slice_of(many, bytes - (bytes > 65538 ? 5 : 3)));
}

static void try_notes(struct flow *f) {
    struct play *p = play_of(f);
    struct err e = ERR_INIT;
    char key[20];
    CHECK(flow_note(f, "long", text_of(LIMIT_FLOW_NOTE), &e));
    CHECK(!flow_note(f, "longer", text_of(LIMIT_FLOW_NOTE + 1), &e) && e.code == ERR_LIMIT);
    CHECK_TEXT(slice_str(e.limit), LIT("flow note"));
    CHECK(!flow_note(f, "none", val_none, &e) && e.code == ERR_NOMEM);
    for (unsigned i = 1; i < LIMIT_FLOW_NOTES; i++) {
        snprintf(key, sizeof key, "note%u", i);
        CHECK(flow_note(f, key, val_of_u64(i), &e));
    }
    CHECK(!flow_note(f, "more", val_of_u64(1), &e) && e.code == ERR_LIMIT);
    CHECK_TEXT(slice_str(e.limit), LIT("flow notes"));
    CHECK(flow_note(f, "note1", val_of_str("other"), &e)); /* in the place of an older one */
    CHECK(val_is_text(flow_get(f, "note1"), LIT("other")) && val_is_none(flow_get(f, "more")));
    p->told = 77;
    flow_done(f);
}

/* A process with one kind of its own. */
static struct flows *flows_with(struct play *p, const struct flow_kind *kind, struct err *e) {
    const struct flow_kind *const kinds[] = {kind};
    static const struct flow_kind *kept[1];
    kept[0] = kinds[0];
    const struct flows_config config = {
        .loop = p->st.loop, .state = p->st.state, .plan = p->plan, .kinds = kept, .kind_n = 1};
    return flows_new(&config, e);
}

TEST(arguments_and_notes_have_limits) {
    struct play p = {.fail_step = -1};
    struct err e = ERR_INIT;
    static const struct flow_step steps[] = {{.name = "only", .run = try_notes}};
    stage_begin_at("limits");
    if (play_open(&p, mem_disk_new())) {
        const struct flow_kind kind = {.name = "own", .steps = steps, .step_n = 1, .arg = &p};
        p.flows = flows_with(&p, &kind, &e);
        if (HOLDS(p.flows)) {
            /* A map of one entry with a key of 3 bytes: 1 + 4, and the text. */
            CHECK(!flow_start(p.flows, &kind, VAL_MAP_OF({"key", text_of(LIMIT_FLOW_ARGS - 4)}), &e));
            CHECK(e.code == ERR_LIMIT && !strcmp(e.limit, "flow args"));
            CHECK(!flow_start(p.flows, &kind, val_of_u64(3), &e) && e.code == ERR_INVALID);
            CHECK(!flow_start(p.flows, &kind, val_none, &e) && e.code == ERR_NOMEM);
            CHECK_INT(flows_count(p.flows), 0);
            CHECK(flow_start(p.flows, &kind, VAL_MAP_OF({"key", text_of(LIMIT_FLOW_ARGS - 5)}), &e));
            for (unsigned i = 0; i < 100 && flows_count(p.flows); i++) play_rest(&p, 1);
            CHECK(p.told == 77 && !flows_count(p.flows));
        }
    }
    end_all(&p);
}

static void run_nothing(struct flow *f) {
    flow_done(f);
}

TEST(tables_that_err_are_refused) {
    static const struct flow_step good[] = {{.name = "a", .run = run_nothing}};
    static const struct flow_step rows[][2] = {
        {{.name = "A", .run = run_nothing}, {.name = "b", .run = run_nothing}},
        {{.name = "a", .run = run_nothing}, {.name = "a", .run = run_nothing}},
        {{.name = "", .run = run_nothing}, {.name = "b", .run = run_nothing}},
        {{.name = "a", .run = run_nothing}, {.name = NULL, .run = run_nothing}},
        {{.name = "a", .run = run_nothing}, {.name = "b"}},
        {{.name = "a", .run = run_nothing, .weight = 1}, {.name = "b", .run = run_nothing}},
        {{.name = "a", .run = run_nothing, .commits = true, .undo = run_nothing}, {.name = "b", .run = run_nothing}},
        {{.name = "a", .run = run_nothing, .commits = true}, {.name = "b", .run = run_nothing, .undo = run_nothing}},
    };
    struct play p = {.fail_step = -1};
    struct err e = ERR_INIT;
    stage_begin_at("tables");
    if (play_open(&p, mem_disk_new())) {
        struct flow_kind kind = {.name = "own", .step_n = 2};
        for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            e = (struct err)ERR_INIT;
            kind.steps = rows[i];
            if (!CHECK(!flows_with(&p, &kind, &e) && e.code != ERR_NONE)) tap_note("row %u", i);
        }
        kind = (struct flow_kind){.name = "own", .steps = good};
        CHECK(!flows_with(&p, &kind, &e));
        kind.step_n = 1;
        kind.name = "Own";
        CHECK(!flows_with(&p, &kind, &e));
        struct flow_kind one = {.name = "own", .steps = good, .step_n = 1};
        const struct flow_kind *const twice[] = {&one, &one};
        struct flows_config config = {
            .loop = p.st.loop, .state = p.st.state, .plan = p.plan, .kinds = twice, .kind_n = 2};
        CHECK(!flows_new(&config, &e) && e.code == ERR_DUPLICATE);
        struct plan *other = plan_new(&stage_plan, &e);
        config.plan = other;
        config.kind_n = 1;
        CHECK(other && !flows_new(&config, &e) && strstr(e.text, "no rows for flows"));
        plan_free(other);
        struct flows *fs = flows_with(&p, &one, &e);
        CHECK(fs != NULL);
        flows_free(fs);
    }
    end_all(&p);
}

/* --- changes of the tree --- */

static unsigned tries_seen;

static void commit_what_is_not_ours(struct flow *f) {
    struct state_txn t;
    tries_seen++;
    flow_txn(f, &t, 0);
    txn_put_bool(&t, LIT("/public/made"), true, NULL);
    flow_commit(f, &t);
}

static void give_up(struct flow *f) {
    struct state_txn t;
    struct err e = ERR_INIT;
    flow_txn(f, &t, plan_owner(play_of(f)->plan, "app"));
    txn_put_bool(&t, LIT("/public/made"), true, NULL);
    state_abort(&t);
    err_set(&e, ERR_TIMEOUT, "it took too long");
    flow_fail(f, &e);
}

static void hear_over(struct flow *f, const struct err *why) {
    struct play *p = play_of(f);
    p->overs++;
    p->why = why ? *why : (struct err)ERR_INIT;
}

TEST(a_change_that_is_refused_for_itself_fails_the_step) {
    static const struct flow_step steps[][1] = {{{.name = "only", .run = commit_what_is_not_ours}},
                                                {{.name = "only", .run = give_up}}};
    for (unsigned i = 0; i < 2; i++) {
        struct play p = {.fail_step = -1};
        struct err e = ERR_INIT;
        stage_begin_at("a change that is refused");
        tries_seen = 0;
        if (play_open(&p, mem_disk_new())) {
            const struct flow_kind kind = {.name = "own", .steps = steps[i], .step_n = 1, .over = hear_over, .arg = &p};
            p.flows = flows_with(&p, &kind, &e);
            if (HOLDS(p.flows && flow_start(p.flows, &kind, val_empty_map(), &e)))
                for (unsigned n = 0; n < 100 && flows_count(p.flows); n++) play_rest(&p, 1);
            CHECK(p.overs == 1 && tries_seen == !i);
            CHECK(i ? p.why.code == ERR_TIMEOUT : p.why.code == ERR_INVALID && strstr(p.why.text, "owner"));
            CHECK(!val_is_true(val_get(val_get(state_peek(p.st.state), LIT("public")), LIT("made"))));
        }
        end_all(&p);
    }
}

TEST(a_change_the_disk_refuses_now_is_made_later) {
    struct play p = {.fail_step = -1};
    struct state_txn t;
    struct err e = ERR_INIT;
    if (open_fresh(&p, "read only") && HOLDS(play_start(&p, KIND_BACK, &e))) {
        for (unsigned i = 0; i < 300 && !(p.runs[1] && p.work); i++) play_turns(&p, 1);
        p.work->left = 1000; /* until the disk has refused somebody else */
        mem_disk_fail_at(p.st.disk, 1, MEM_EIO, MEM_ANY, UINT64_MAX);
        if (HOLDS(state_begin(p.st.state, &t, plan_owner(p.plan, "app"), &e))) {
            txn_put_u64(&t, LIT("/public/other"), 1, &e);
            HOLDS(state_commit(&t, NULL, &e));
        }
        for (unsigned i = 0; i < 50 && p.st.mode != STATE_READ_ONLY; i++) play_turns(&p, 1);
        CHECK(p.st.mode == STATE_READ_ONLY && p.work);
        p.work->left = 2;
        play_turns(&p, 200);
        CHECK(!p.work && p.runs[1] == 1 && flows_count(p.flows) == 1); /* waits for the disk */
        mem_disk_fail_at(p.st.disk, 0, MEM_NONE, 0, 0);
        play_turns(&p, 3000);
        play_look(&p, FATE_DONE);
        CHECK(p.runs[1] == 2 && p.overs == 1 && p.over_done);
    }
    end_all(&p);
}

static void commit_without_memory(struct flow *f) {
    struct state_txn t;
    tries_seen++;
    flow_txn(f, &t, plan_owner(play_of(f)->plan, "app"));
    txn_put_bool(&t, LIT("/public/made"), true, NULL);
    mem_fault(1, tries_seen < 3);
    if (tries_seen >= 3) mem_fault(0, 0);
    flow_commit(f, &t);
    mem_fault(0, 0);
}

TEST(a_change_for_which_there_is_no_memory_now_is_made_later) {
    static const struct flow_step steps[] = {{.name = "only", .run = commit_without_memory}};
    struct play p = {.fail_step = -1};
    struct err e = ERR_INIT;
    stage_begin_at("no memory for a change");
    tries_seen = 0;
    if (play_open(&p, mem_disk_new())) {
        const struct flow_kind kind = {.name = "own", .steps = steps, .step_n = 1, .over = hear_over, .arg = &p};
        p.flows = flows_with(&p, &kind, &e);
        if (HOLDS(p.flows && flow_start(p.flows, &kind, val_empty_map(), &e)))
            for (unsigned n = 0; n < 300 && flows_count(p.flows); n++) play_rest(&p, 1);
        CHECK(p.overs == 1 && p.why.code == ERR_NONE);
        CHECK_INT(tries_seen, 3);
        CHECK(val_is_true(val_get(val_get(state_peek(p.st.state), LIT("public")), LIT("made"))));
    }
    end_all(&p);
}

static struct flow *waiting;

static void wait_here(struct flow *f) {
    waiting = f;
}

static void commit_ours(struct flow *f, bool made) {
    struct state_txn t;
    flow_txn(f, &t, plan_owner(play_of(f)->plan, "app"));
    txn_put_bool(&t, LIT("/public/made"), made, NULL);
    flow_commit(f, &t);
}

static void unmake(struct flow *f) {
    commit_ours(f, false);
}

TEST(a_cancel_that_was_taken_holds_though_the_last_step_ends_well) {
    static const struct flow_step steps[] = {{.name = "only", .run = wait_here, .undo = unmake}};
    for (unsigned commits = 0; commits < 2; commits++) {
        struct play p = {.fail_step = -1};
        struct err e = ERR_INIT;
        stage_begin_at("the last step ends behind a cancel");
        waiting = NULL;
        if (play_open(&p, mem_disk_new())) {
            const struct flow_kind kind = {.name = "own", .steps = steps, .step_n = 1, .over = hear_over, .arg = &p};
            p.flows = flows_with(&p, &kind, &e);
            if (HOLDS(p.flows && flow_start(p.flows, &kind, val_empty_map(), &e)))
                for (unsigned n = 0; n < 100 && !waiting; n++) play_rest(&p, 1);
            if (HOLDS(waiting)) {
                CHECK(flow_cancel(p.flows, slice_str(flow_id(waiting)), "stop", &e));
                if (commits)
                    commit_ours(waiting, true);
                else
                    flow_done(waiting);
                for (unsigned n = 0; n < 100 && flows_count(p.flows); n++) play_rest(&p, 1);
            }
            CHECK(p.overs == 1 && p.why.code == ERR_CANCELLED);
            CHECK(!val_is_true(val_get(val_get(state_peek(p.st.state), LIT("public")), LIT("made"))));
        }
        end_all(&p);
    }
}

TEST(what_is_closed_keeps_its_record_for_the_next_life) {
    struct play p = {.fail_step = -1};
    struct err e = ERR_INIT;
    if (open_fresh(&p, "closed") && HOLDS(play_start(&p, KIND_ON, &e))) {
        for (unsigned i = 0; i < 300 && !(p.runs[1] && p.work); i++) play_turns(&p, 1);
        state_close(p.st.state); /* b's change is refused from here on */
        play_turns(&p, 100);
        CHECK(p.st.mode == STATE_CLOSED && p.overs == 0 && flows_count(p.flows) == 1);
        CHECK_INT(p.runs[1], 1); /* a step is not begun again whose end could not be recorded */
        struct mem_disk *disk = play_end(&p, -1);
        if (play_open(&p, disk) && HOLDS(play_flows(&p, &e))) {
            play_turns(&p, 3000);
            play_look(&p, FATE_DONE);
        }
    }
    end_all(&p);
}

/* --- several at once, and one begun by another --- */

static unsigned chain_left, chain_over;

static void begin_the_next(struct flow *f, const struct err *why);

static const struct flow_step chain_steps[] = {{.name = "one", .run = run_nothing, .undo = run_nothing},
                                               {.name = "two", .run = run_nothing}};
static struct flow_kind chain_kind = {.name = "chain", .steps = chain_steps, .step_n = 2, .over = begin_the_next};

static void begin_the_next(struct flow *f, const struct err *why) {
    struct play *p = play_of(f);
    struct err e = ERR_INIT;
    HOLDS(!why);
    chain_over++;
    if (chain_left && HOLDS(flow_start(p->flows, &chain_kind, val_empty_map(), &e))) chain_left--;
}

TEST(flows_go_on_side_by_side_and_may_be_begun_where_one_ends) {
    struct play p = {.fail_step = -1};
    struct err e = ERR_INIT;
    stage_begin_at("a chain");
    chain_left = 40;
    chain_over = 0;
    chain_kind.arg = &p;
    if (play_open(&p, mem_disk_new())) {
        p.flows = flows_with(&p, &chain_kind, &e);
        for (unsigned i = 0; i < 10 && p.flows; i++) HOLDS(flow_start(p.flows, &chain_kind, val_empty_map(), &e));
        for (unsigned i = 0; i < 3000 && flows_count(p.flows); i++) play_rest(&p, 1);
        CHECK_INT(chain_over, 50);
        CHECK_INT(val_count(flow_next(p.flows, NULL) ? &val_none : val_get(state_peek(p.st.state), LIT("private"))), 1);
        CHECK_INT(val_count(val_get(val_get(state_peek(p.st.state), LIT("private")), LIT("flows"))), 0);
    }
    end_all(&p);
}

TAP_MAIN(T(there_are_so_many_flows_at_once_and_each_has_an_id_of_its_own), T(arguments_and_notes_have_limits),
         T(tables_that_err_are_refused), T(a_change_that_is_refused_for_itself_fails_the_step),
         T(a_change_the_disk_refuses_now_is_made_later), T(a_change_for_which_there_is_no_memory_now_is_made_later),
         T(a_cancel_that_was_taken_holds_though_the_last_step_ends_well),
         T(what_is_closed_keeps_its_record_for_the_next_life),
         T(flows_go_on_side_by_side_and_may_be_begun_where_one_ends))
