/* crash.c - the process dies, or the power goes, at every moment and at every operation of the disk, again and again: at the end all of
 * a flow is done or none of it, as its kind says, and no record is left.
 *
 * STARTBOX_LONG=1: more rounds of chance. STARTBOX_SEED=n: others. */
#include "flow/play.h"

static uint64_t first_seed(void) {
    const char *s = getenv("STARTBOX_SEED");
    return s ? strtoull(s, NULL, 10) : 5;
}

static bool is_long(void) {
    return getenv("STARTBOX_LONG") != NULL;
}

/* How the first life ends: the process alone, or with the power, and what is left of what was not synced. */
enum { END_PROCESS = -1, END_NOTHING = MEM_CUT_NOTHING, END_ALL = MEM_CUT_ALL, END_CHANCE = 2, ENDS = 4 };

static void arm(struct play *p, enum way way, uint64_t nth, bool power) {
    p->way = way;
    p->at_moment = (unsigned)nth;
    if (way == WAY_OPERATION) mem_disk_fail_at(p->st.disk, nth, power ? MEM_POWER_CUT : MEM_KILL_REACTOR, MEM_ANY, 1);
}

/* Behind a death: the world is as the tree promises. Frees the disk. */
static void recover(struct play *p, struct mem_disk *disk, unsigned kind, bool wrong) {
    struct err e = ERR_INIT;
    p->way = WAY_NONE;
    if (play_open(p, disk)) {
        enum fate fate = play_fate(p, kind);
        if (wrong && fate == FATE_DONE && !all_are(p, WHOLE)) fate = FATE_EITHER;
        if (HOLDS(play_flows(p, &e))) play_turns(p, 3000);
        play_look(p, fate);
    }
    mem_disk_free(play_end(p, -1));
}

/* False: that moment was never reached. */
static bool die_once(const struct mem_disk *old, unsigned kind, enum way way, uint64_t nth, int end, bool unseen,
                     int fail_step, unsigned undo_fails) {
    static const char *const ways[] = {"", "moment", "operation"};
    struct play p = {.finish_unseen = unseen, .fail_step = fail_step, .fails_left = 1, .undo_fails_left = undo_fails};
    struct err e = ERR_INIT;
    snprintf(stage_where, sizeof stage_where, "kind %u dies at %s %llu, end %d, unseen %d, step %d fails, %u undos too",
             kind, ways[way], (unsigned long long)nth, end, unseen, fail_step, undo_fails);
    bool reached = false, failed = false;
    if (play_open(&p, mem_disk_cut(old, MEM_CUT_ALL))) {
        if (HOLDS(play_flows(&p, &e))) {
            arm(&p, way, nth, end >= 0);
            HOLDS(play_start(&p, kind, &e));
            play_turns(&p, 3000);
            reached = p.dead;
            failed = fail_step >= 0 && !p.fails_left;
            HOLDS(reached || (p.overs == 1 && p.over_done == (!failed || p.committed)));
        }
    }
    struct mem_disk *disk = play_end(&p, end == END_CHANCE ? (int)(nth + 2) : end);
    recover(&p, disk, kind, fail_step >= 0);
    play_release(&p);
    return reached;
}

static unsigned die_everywhere(enum way way, int fail_step, unsigned undo_fails, bool fast) {
    unsigned runs = 0;
    struct mem_disk *old = make_old();
    for (unsigned kind = 0; kind < KIND_N; kind++)
        for (int end = END_PROCESS; end < ENDS - 1; end++)
            for (unsigned unseen = 0; unseen < 2; unseen++) {
                if (fast && (unsigned)(end + 1) % 2 != unseen) continue;
                uint64_t nth = 1;
                while (nth < 2000 && stage_bad < 12 &&
                       die_once(old, kind, way, nth, end, unseen, fail_step, undo_fails))
                    nth++, runs++;
                CHECK(nth > 10 && nth < 2000);
            }
    mem_disk_free(old);
    return runs;
}

TEST(whoever_dies_at_any_moment_leaves_all_or_nothing) {
    stage_begin();
    tap_note("%u deaths", die_everywhere(WAY_MOMENT, -1, 0, false));
    CHECK_INT(stage_bad, 0);
    stage_end();
}

TEST(whoever_dies_at_any_operation_of_the_disk_leaves_all_or_nothing) {
    stage_begin();
    tap_note("%u deaths", die_everywhere(WAY_OPERATION, -1, 0, false));
    CHECK_INT(stage_bad, 0);
    stage_end();
}

TEST(whoever_dies_while_a_step_has_failed_and_undos_fail_leaves_all_or_nothing) {
    unsigned runs = 0;
    stage_begin();
    for (int step = 0; step < PARTS; step++) runs += die_everywhere(WAY_MOMENT, step, (unsigned)step % 3, !is_long());
    runs += die_everywhere(WAY_OPERATION, 1, 1, true);
    tap_note("%u deaths", runs);
    CHECK_INT(stage_bad, 0);
    stage_end();
}

/* Cancelled at some moment, dead some turns later. */
TEST(whoever_dies_behind_a_cancel_leaves_all_or_nothing) {
    unsigned runs = 0, taken = 0;
    stage_begin();
    struct mem_disk *old = make_old();
    for (unsigned kind = 0; kind < KIND_N; kind++)
        for (unsigned turns = 0; turns < 20; turns += is_long() ? 1 : 3)
            for (unsigned nth = 1; nth < 500 && stage_bad < 12; nth++, runs++) {
                struct play p = {.fail_step = -1, .finish_unseen = nth % 2, .way = WAY_CANCEL, .at_moment = nth};
                struct err e = ERR_INIT;
                snprintf(stage_where, sizeof stage_where, "kind %u cancelled at moment %u, dead %u turns later", kind,
                         nth, turns);
                if (play_open(&p, mem_disk_cut(old, MEM_CUT_ALL)) && HOLDS(play_flows(&p, &e)) &&
                    HOLDS(play_start(&p, kind, &e))) {
                    for (unsigned i = 0; i < 3000 && !p.hit && flows_count(p.flows); i++) play_turns(&p, 1);
                    play_turns(&p, turns);
                }
                bool hit = p.hit;
                taken += p.cancel_taken;
                recover(&p, play_end(&p, (int)(nth + turns) % 4 - 1), kind, false);
                play_release(&p);
                if (!hit) break;
            }
    tap_note("%u deaths, %u behind a cancel that was taken", runs, taken);
    CHECK(taken > 100 && runs > taken + 50);
    mem_disk_free(old);
    CHECK_INT(stage_bad, 0);
    stage_end();
}

/* The first life begins the flow; each further one finds what the last has left, and dies too. */
TEST(one_death_after_the_other_leaves_all_or_nothing) {
    unsigned lives = 0, done = 0, undone = 0;
    stage_begin();
    struct mem_disk *old = make_old();
    for (unsigned round = 0; round < (is_long() ? 5000 : 300) && stage_bad < 12; round++) {
        uint64_t seed = first_seed() * 100000 + round;
        unsigned kind = round % KIND_N;
        struct play p = {.fail_step = (int)stage_below(&seed, 12) < 3 ? (int)stage_below(&seed, PARTS) : -1,
                         .fails_left = 1 + stage_below(&seed, 2),
                         .undo_fails_left = stage_below(&seed, 3)};
        struct mem_disk *disk = mem_disk_cut(old, MEM_CUT_ALL);
        bool wrong = p.fail_step >= 0;
        for (unsigned life = 0; life < 7; life++, lives++) {
            struct err e = ERR_INIT;
            bool power = stage_below(&seed, 2);
            snprintf(stage_where, sizeof stage_where, "round %u, kind %u, life %u", round, kind, life);
            p.finish_unseen = stage_below(&seed, 2);
            p.way = WAY_NONE;
            if (!play_open(&p, disk)) break;
            if (life) play_fate(&p, kind); /* holds the world against the tree */
            arm(&p, stage_below(&seed, 2) ? WAY_MOMENT : WAY_OPERATION, 1 + stage_below(&seed, life ? 30 : 60), power);
            if (HOLDS(play_flows(&p, &e)) && (life || HOLDS(play_start(&p, kind, &e)))) play_turns(&p, 3000);
            disk = play_end(&p, power ? (int)(stage_draw(&seed) % 1000) : END_PROCESS);
        }
        recover(&p, disk, kind, wrong);
        done += all_are(&p, WHOLE);
        undone += all_are(&p, NONE);
        play_release(&p);
    }
    tap_note("%u lives, %u times all was done, %u times nothing", lives, done, undone);
    CHECK(done > 20 && undone > 20);
    mem_disk_free(old);
    CHECK_INT(stage_bad, 0);
    stage_end();
}

TAP_MAIN(T(whoever_dies_at_any_moment_leaves_all_or_nothing),
         T(whoever_dies_at_any_operation_of_the_disk_leaves_all_or_nothing),
         T(whoever_dies_while_a_step_has_failed_and_undos_fail_leaves_all_or_nothing),
         T(whoever_dies_behind_a_cancel_leaves_all_or_nothing), T(one_death_after_the_other_leaves_all_or_nothing))
