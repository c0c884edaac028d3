/* life.c - flows in one life of a process: their order, failures, cancels at every moment, what the next life finds, progress. */
#include "flow/play.h"

TEST(a_flow_runs_its_steps_once_and_in_order_and_tells_that_it_is_over) {
    struct play p = {.fail_step = -1};
    struct err e = ERR_INIT;
    if (open_fresh(&p, "a flow")) {
        struct flow *f = play_start(&p, KIND_BACK, &e);
        CHECK(f && flow_step(f) == NULL && flow_why(f) == NULL && !flow_is_back(f) && !flow_is_final(f));
        CHECK_INT(strlen(flow_id(f)), 16);
        CHECK_INT(flow_began_ms(f), stage_now_us / 1000);
        CHECK_INT(p.runs[0], 0); /* nothing begins before it is on record */
        CHECK(flow_find(p.flows, slice_str(p.id)) == f && flow_next(p.flows, NULL) == f && !flow_next(p.flows, f));
        play_turns(&p, 3000);
        play_look(&p, FATE_DONE);
        CHECK(p.overs == 1 && p.over_done && p.drops == 1 && p.stops == 0);
        for (unsigned i = 0; i < PARTS; i++) CHECK(p.runs[i] == 1 && p.undos[i] == 0);
    }
    end_all(&p);
}

TEST(a_step_that_fails_is_undone_backwards_with_all_before_it) {
    for (unsigned kind = 0; kind < KIND_N; kind++)
        for (int step = 0; step < PARTS; step++) {
            struct play p = {.fail_step = step, .fails_left = 1};
            struct err e = ERR_INIT;
            bool final = kind >= KIND_FINAL && step >= 2;
            if (open_fresh(&p, "a step fails") && HOLDS(play_start(&p, kind, &e))) {
                play_turns(&p, 3000);
                play_look(&p, final ? FATE_DONE : FATE_UNDONE);
                CHECK(p.overs == 1 && p.over_done == final && p.drops == 1);
                CHECK(final || (p.why.code == ERR_NETWORK && !strcmp(p.why.text, "it did not work out")));
                for (int i = 0; i < PARTS; i++) {
                    CHECK_INT(p.undos[i], !final && i <= step);
                    CHECK_INT(p.runs[i], final ? 1 + (i == step) : i <= step);
                }
            }
            end_all(&p);
        }
}

TEST(undos_that_fail_are_tried_again_until_all_is_undone) {
    for (unsigned fails = 1; fails < 6; fails++) {
        struct play p = {.fail_step = 3, .fails_left = 1, .undo_fails_left = fails};
        struct err e = ERR_INIT;
        if (open_fresh(&p, "undos fail") && HOLDS(play_start(&p, KIND_ON, &e))) {
            play_turns(&p, 3000);
            play_look(&p, FATE_UNDONE);
            CHECK_INT(p.undos[3], 1 + fails); /* the first undo has met all failures */
            CHECK(p.undos[2] == 1 && p.undos[1] == 1 && p.undos[0] == 1 && p.overs == 1);
            CHECK(p.why.code == ERR_NETWORK);
        }
        end_all(&p);
    }
}

TEST(what_must_succeed_is_tried_later_and_later_up_to_a_limit) {
    struct play p = {.fail_step = 2, .fails_left = 12};
    struct err e = ERR_INIT;
    if (open_fresh(&p, "waits") && HOLDS(play_start(&p, KIND_FINAL, &e))) {
        int64_t was = 0, want = LIMIT_FLOW_AGAIN_MS;
        unsigned runs = 0, quiet = 0;
        for (unsigned i = 0; i < 100000 && flows_count(p.flows); i++) {
            unsigned told = p.told;
            play_turns(&p, 1);
            quiet += p.told == told;
            if (p.runs[2] == runs) continue;
            runs = p.runs[2];
            int64_t now = loop_now_ms(p.st.loop);
            if (runs > 1) {
                CHECK(now - was >= want && now - was <= want + 2 * TURN_MS);
                want = want * 2 > LIMIT_FLOW_AGAIN_MOST_MS ? LIMIT_FLOW_AGAIN_MOST_MS : want * 2;
            }
            const struct flow *f = flow_next(p.flows, NULL);
            if (f && runs < 13) CHECK(flow_tries(f) == runs && flow_why(f) && flow_why(f)->code == ERR_NETWORK);
            was = now;
        }
        CHECK_INT(p.runs[2], 13);
        CHECK(quiet > 1000 && p.told < 20); /* nothing is told while nothing changes */
        CHECK_INT(want, LIMIT_FLOW_AGAIN_MOST_MS);
        play_look(&p, FATE_DONE);
    }
    end_all(&p);
}

/* --- cancelling --- */

TEST(a_cancel_at_any_moment_undoes_all_or_is_refused_where_it_only_goes_forward) {
    unsigned taken = 0, refused = 0;
    for (unsigned kind = 0; kind < KIND_N; kind++)
        for (unsigned fail = 0; fail < 2; fail++)
            for (unsigned nth = 1; nth < 1000; nth++) {
                struct play p = {.fail_step = fail ? 1 : -1,
                                 .fails_left = fail,
                                 .undo_fails_left = fail,
                                 .way = WAY_CANCEL,
                                 .at_moment = nth};
                struct err e = ERR_INIT;
                char where[80];
                snprintf(where, sizeof where, "kind %u, fail %u, cancelled at moment %u", kind, fail, nth);
                if (open_fresh(&p, where) && HOLDS(play_start(&p, kind, &e))) {
                    play_turns(&p, 3000);
                    play_look(&p, fail || (p.hit && p.cancel_taken) ? FATE_UNDONE : FATE_DONE);
                    CHECK(p.overs == 1 && p.drops == 1);
                    if (!fail && p.hit && p.cancel_taken)
                        CHECK(p.why.code == ERR_CANCELLED && strstr(p.why.text, "changed her mind"));
                    taken += p.hit && p.cancel_taken;
                    refused += p.hit && !p.cancel_taken;
                }
                bool hit = p.hit;
                end_all(&p);
                if (!hit) break;
            }
    tap_note("%u taken, %u refused", taken, refused);
    CHECK(taken > 100 && refused > 20);
}

/* The step that is begun is let go of at once, or, when it has no stop, ends before anything is undone. */
TEST(a_cancel_stops_what_runs_or_waits_for_its_end) {
    for (unsigned kind = KIND_BACK; kind <= KIND_FINAL; kind += KIND_FINAL) {
        struct play p = {.fail_step = -1};
        struct err e = ERR_INIT;
        if (open_fresh(&p, "stop") && HOLDS(play_start(&p, kind, &e))) {
            for (unsigned i = 0; i < 300 && !(p.runs[1] && p.work); i++) play_turns(&p, 1);
            CHECK(flow_cancel(p.flows, slice_str(p.id), NULL, &e));
            struct flow *f = flow_find(p.flows, slice_str(p.id));
            CHECK(f && flow_is_back(f) && flow_why(f)->code == ERR_CANCELLED);
            CHECK(p.stops == 1 && (kind == KIND_BACK) == !p.work);
            CHECK(flow_cancel(p.flows, slice_str(p.id), "again", &e)); /* it goes back already */
            CHECK_INT(p.stops, 1);
            play_turns(&p, 3000);
            play_look(&p, FATE_UNDONE);
            CHECK(p.undos[1] == 1 && p.undos[0] == 1 && p.runs[2] == 0);
            CHECK(!strcmp(p.why.text, "it was cancelled"));
        }
        CHECK(!flow_cancel(p.flows, slice_str(p.id), "late", &e) && e.code == ERR_NOT_FOUND);
        end_all(&p);
    }
}

TEST(a_step_is_not_begun_once_its_flow_is_cancelled) {
    for (unsigned ended = 0; ended < 3; ended++) {
        struct play p = {.fail_step = -1};
        struct err e = ERR_INIT;
        if (open_fresh(&p, "cancelled while a record is on its way") && HOLDS(play_start(&p, KIND_BACK, &e))) {
            for (unsigned i = 0; i < 300 && ended && !(p.parts[ended - 1] == WHOLE && !p.work); i++) play_turns(&p, 1);
            CHECK_INT(p.runs[ended], 0);
            CHECK(flow_cancel(p.flows, slice_str(p.id), "stop", &e));
            play_turns(&p, 3000);
            play_look(&p, FATE_UNDONE);
            for (unsigned i = 0; i < PARTS; i++) CHECK(p.runs[i] == (i < ended) && p.undos[i] == (i < ended));
            CHECK(p.overs == 1 && p.stops == 0 && p.why.code == ERR_CANCELLED);
        }
        end_all(&p);
    }
}

TEST(a_flow_whose_first_record_is_refused_never_was) {
    struct play p = {.fail_step = -1};
    struct err e = ERR_INIT;
    if (open_fresh(&p, "refused")) {
        play_rest(&p, 20);
        mem_disk_fail_at(p.st.disk, 1, MEM_EIO, MEM_WRITE | MEM_SYNC, 1);
        CHECK(play_start(&p, KIND_ON, &e));
        play_turns(&p, 3000);
        CHECK(p.overs == 1 && !p.over_done && p.drops == 1 && strstr(p.why.text, "the disk refuses"));
        CHECK_INT(p.runs[0], 0);
        play_rest(&p, 100);
        play_look(&p, FATE_UNDONE);
        CHECK(p.st.mode == STATE_UP && play_start(&p, KIND_ON, &e));
        play_turns(&p, 3000);
        play_look(&p, FATE_DONE);
    }
    end_all(&p);
}

/* b's change is refused by the disk, and the flow is cancelled meanwhile: b is not begun again. */
TEST(a_cancel_holds_when_the_record_before_it_is_refused) {
    struct play p = {.fail_step = -1};
    struct err e = ERR_INIT;
    if (open_fresh(&p, "refused and cancelled") && HOLDS(play_start(&p, KIND_ON, &e))) {
        for (unsigned i = 0; i < 300 && !(p.parts[1] == WHOLE && !p.work); i++) play_turns(&p, 1);
        CHECK(val_is_true(val_get(val_get(state_peek(p.st.state), LIT("public")), LIT("made"))));
        mem_disk_fail_at(p.st.disk, 1, MEM_EIO, MEM_WRITE | MEM_SYNC, 1);
        CHECK(flow_cancel(p.flows, slice_str(p.id), "stop", &e));
        play_turns(&p, 3000);
        CHECK(mem_disk_failed(p.st.disk));
        CHECK(p.runs[1] == 1 && p.undos[1] == 1 && p.undos[0] == 1 && p.runs[2] == 0);
        CHECK(p.overs == 1 && p.why.code == ERR_CANCELLED);
        play_look(&p, FATE_UNDONE);
    }
    end_all(&p);
}

/* --- what is kept --- */

TEST(arguments_notes_the_time_and_the_reason_survive_a_restart) {
    struct play p = {.fail_step = 3, .fails_left = 1};
    struct err e = ERR_INIT;
    if (open_fresh(&p, "kept") && HOLDS(play_start(&p, KIND_ON, &e))) {
        uint64_t began = flow_began_ms(flow_next(p.flows, NULL));
        for (unsigned i = 0; i < 300 && !(p.runs[1] && p.work); i++) play_turns(&p, 1);
        struct mem_disk *disk = play_end(&p, MEM_CUT_NOTHING);
        stage_pass_ms(5000);
        if (play_open(&p, disk) && HOLDS(play_flows(&p, &e))) {
            struct flow *f = flow_find(p.flows, slice_str(p.id));
            CHECK(f && flow_kind(f) == &p.kinds[KIND_ON] && flow_step(f) == &play_steps[1]);
            CHECK(f && flow_began_ms(f) == began);
            struct val want = play_args();
            CHECK(f && val_equal(flow_args(f), &want));
            CHECK(f && val_is_text(val_get(flow_get(f, "made"), LIT("by")), LIT("the first step, for all others")));
            CHECK(f && val_is_none(flow_get(f, "other")) && *flow_own(f) == NULL);
            val_unref(&want);
            CHECK_INT(p.runs[1], 0); /* not from inside flows_resume */
            for (unsigned i = 0; i < 300 && !p.undos[2]; i++) play_turns(&p, 1);
        }
        CHECK_INT(p.runs[0], 0);
        disk = play_end(&p, MEM_CUT_NOTHING);
        if (play_open(&p, disk) && HOLDS(play_flows(&p, &e))) {
            const struct flow *f = flow_find(p.flows, slice_str(p.id));
            CHECK(f && flow_is_back(f) && flow_why(f)->code == ERR_NETWORK);
            play_turns(&p, 3000);
            play_look(&p, FATE_UNDONE);
            CHECK(p.why.code == ERR_NETWORK && !strcmp(p.why.text, "it did not work out"));
        }
    }
    end_all(&p);
}

TEST(what_a_record_holds_is_private_and_its_arguments_are_secret) {
    struct play p = {.fail_step = -1};
    struct err e = ERR_INIT;
    if (open_fresh(&p, "secret")) {
        static const char *const secret[] = {"/private/flows/x/args", "/private/flows/x/notes"};
        for (unsigned i = 0; i < 2; i++) CHECK(plan_attrs(p.plan, slice_str(secret[i])) & PLAN_SECRET);
        CHECK_INT(plan_attrs(p.plan, LIT("/private/flows/x/at")), PLAN_PRIVATE);
        HOLDS(play_start(&p, KIND_ON, &e));
        play_rest(&p, 3);
        struct val shown = state_show(p.st.state, LIT("/private/flows"), &e);
        CHECK(val_is_none(&shown) && e.code == ERR_NOT_FOUND);
    }
    end_all(&p);
}

TEST(what_a_restart_interrupts_goes_back_and_says_why) {
    struct play p = {.fail_step = -1};
    struct err e = ERR_INIT;
    if (open_fresh(&p, "interrupted") && HOLDS(play_start(&p, KIND_BACK, &e))) {
        for (unsigned i = 0; i < 300 && !(p.runs[1] && p.work); i++) play_turns(&p, 1);
        struct mem_disk *disk = play_end(&p, -1);
        CHECK(p.stops == 1 && p.drops == 1); /* what went on was let go of */
        if (play_open(&p, disk) && HOLDS(play_flows(&p, &e))) {
            CHECK(flow_cancel(p.flows, slice_str(p.id), "now", &e)); /* it goes back already */
            play_turns(&p, 3000);
            play_look(&p, FATE_UNDONE);
            CHECK(p.why.code == ERR_CANCELLED && strstr(p.why.text, "interrupted"));
        }
    }
    end_all(&p);
}

static unsigned left_alone;
static void hear_log(void *arg, enum log_level level, const char *line) {
    (void)arg;
    left_alone += level == LOG_WARN && strstr(line, "left alone") != NULL;
}

TEST(records_of_unknown_kinds_and_steps_are_left_alone) {
    static const char *const rows[][2] = {{"unknown", "a"}, {"back", "unknown"}, {"on", "b"}};
    struct play p = {.fail_step = -1, .parts = {WHOLE, HALF, NONE, NONE}};
    struct state_txn t;
    struct err e = ERR_INIT;
    stage_begin_at("unknown kinds");
    left_alone = 0;
    if (play_open(&p, mem_disk_new()) && HOLDS(state_begin(p.st.state, &t, PLAN_ALL_OWNERS, &e))) {
        txn_put(&t, LIT("/private/flows"), val_empty_map(), &e);
        for (unsigned i = 0; i < 3; i++) {
            char place[60];
            snprintf(place, sizeof place, "/private/flows/record%u", i);
            struct val notes = VAL_MAP_OF({"made", VAL_MAP_OF({"by", val_of_str("the first step, for all others")})});
            txn_put(&t, slice_str(place),
                    VAL_MAP_OF({"kind", val_of_str(rows[i][0])}, {"at", val_of_str(rows[i][1])},
                               {"back", val_of_bool(false)}, {"args", play_args()}, {"notes", notes},
                               {"began", val_of_u64(7)}, {"why", val_null()}),
                    &e);
        }
        HOLDS(state_commit(&t, NULL, &e));
        play_rest(&p, 20);
        log_use(hear_log, NULL);
        if (HOLDS(play_flows(&p, &e))) {
            CHECK_INT(left_alone, 2);
            CHECK_INT(flows_count(p.flows), 1);
            CHECK_INT(flow_began_ms(flow_next(p.flows, NULL)), 7);
            play_turns(&p, 3000);
            CHECK(p.overs == 1 && p.over_done);
            const struct val *left = val_get(val_get(state_peek(p.st.state), LIT("private")), LIT("flows"));
            CHECK_INT(val_count(left), 2);
            CHECK(val_is_text(val_get(val_get(left, LIT("record0")), LIT("kind")), LIT("unknown")));
            CHECK(val_is_text(val_get(val_get(left, LIT("record1")), LIT("at")), LIT("unknown")));
        }
        CHECK_INT(left_alone, 2);
    }
    end_all(&p);
}

/* --- progress --- */

TEST(progress_is_told_now_and_then_and_at_the_end) {
    struct play p = {.fail_step = -1};
    struct err e = ERR_INIT;
    if (open_fresh(&p, "progress") && HOLDS(play_start(&p, KIND_BACK, &e))) {
        int64_t began = loop_now_ms(p.st.loop), last = 0;
        unsigned told = 0;
        uint64_t was = 0;
        for (unsigned i = 0; i < 300 && flows_count(p.flows); i++) {
            play_turns(&p, 1);
            if (p.told == told || !flows_count(p.flows)) continue;
            CHECK_INT(p.told, told + 1);
            CHECK(!told || loop_now_ms(p.st.loop) - last >= LIMIT_FLOW_PROGRESS_MS);
            told = p.told;
            last = loop_now_ms(p.st.loop);
            uint64_t done = 0;
            const struct val *all = val_get(&p.last_full, LIT("overall"));
            CHECK(val_as_u64(val_get(all, LIT("done")), &done) && done >= was && done <= 111);
            was = done;
        }
        CHECK(told > 2 && told <= (loop_now_ms(p.st.loop) - began) / LIMIT_FLOW_PROGRESS_MS + 1);
        CHECK(was >= 10);
        CHECK(val_is_true(val_get(&p.last_full, LIT("overall"))));
        const struct val *phases = val_get(&p.last_full, LIT("phases"));
        CHECK_INT(val_count(phases), 3); /* c has none */
        CHECK(val_is_text(val_get(val_at(phases, 1), LIT("name")), LIT("Second")));
        for (unsigned i = 0; i < 3; i++) CHECK(val_is_true(val_get(val_at(phases, i), LIT("progress"))));
    }
    end_all(&p);
}

TEST(a_flow_that_goes_on_shows_the_phases_before_it_as_complete) {
    struct play p = {.fail_step = -1};
    struct err e = ERR_INIT;
    if (open_fresh(&p, "progress") && HOLDS(play_start(&p, KIND_ON, &e))) {
        for (unsigned i = 0; i < 300 && !(p.runs[1] && p.work); i++) play_turns(&p, 1);
        struct mem_disk *disk = play_end(&p, -1);
        if (play_open(&p, disk) && HOLDS(play_flows(&p, &e))) {
            struct val full = progress_value(flow_progress(flow_next(p.flows, NULL)));
            const struct val *phases = val_get(&full, LIT("phases"));
            CHECK(val_is_true(val_get(val_at(phases, 0), LIT("progress"))));
            CHECK(val_at(phases, 1)->kind == VAL_MAP && val_get(val_at(phases, 1), LIT("progress"))->kind == VAL_BOOL);
            CHECK(val_is_null(val_get(val_at(phases, 2), LIT("progress"))));
            val_unref(&full);
        }
    }
    end_all(&p);
}

TAP_MAIN(T(a_flow_runs_its_steps_once_and_in_order_and_tells_that_it_is_over),
         T(a_step_that_fails_is_undone_backwards_with_all_before_it),
         T(undos_that_fail_are_tried_again_until_all_is_undone),
         T(what_must_succeed_is_tried_later_and_later_up_to_a_limit),
         T(a_cancel_at_any_moment_undoes_all_or_is_refused_where_it_only_goes_forward),
         T(a_cancel_stops_what_runs_or_waits_for_its_end), T(a_step_is_not_begun_once_its_flow_is_cancelled),
         T(a_flow_whose_first_record_is_refused_never_was), T(a_cancel_holds_when_the_record_before_it_is_refused),
         T(arguments_notes_the_time_and_the_reason_survive_a_restart),
         T(what_a_record_holds_is_private_and_its_arguments_are_secret),
         T(what_a_restart_interrupts_goes_back_and_says_why), T(records_of_unknown_kinds_and_steps_are_left_alone),
         T(progress_is_told_now_and_then_and_at_the_end), T(a_flow_that_goes_on_shows_the_phases_before_it_as_complete))
