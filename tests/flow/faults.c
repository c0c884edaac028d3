/* faults.c - the disk refuses some operations, its hand dies, memory is short once or for a while, at any place: a flow that has a
 * durable record still comes to its end, all of it done or none. */
#include "flow/play.h"

static unsigned again; /* runs of b and d beyond the first */

/* Behind everything: whether it began, how it ended, and that the next life finds nothing left. */
static void look_and_leave(struct play *p, bool began, bool may_go_back) {
    HOLDS(p->st.mode == STATE_UP);
    play_look(p, began && !may_go_back ? FATE_DONE : FATE_EITHER);
    HOLDS(began || all_are(p, NONE));
    HOLDS(p->overs == began);
    HOLDS(p->drops == began);
    HOLDS(!p->overs || p->over_done == all_are(p, WHOLE));
    for (unsigned i = 0; i < PARTS; i++) again += p->runs[i] > 1;
    play_rest(p, 100); /* what was committed last becomes durable */
    struct mem_disk *disk = play_end(p, MEM_CUT_NOTHING);
    struct err e = ERR_INIT;
    if (play_open(p, disk) && HOLDS(play_flows(p, &e))) {
        play_turns(p, 3000);
        play_look(p, FATE_EITHER);
    }
    mem_disk_free(play_end(p, -1));
    play_release(p);
}

/* --- the disk --- */

/* False: that operation was never reached. */
static bool refuse(const struct mem_disk *old, unsigned kind, enum mem_disk_act act, uint64_t nth, unsigned times) {
    struct play p = {.fail_step = -1};
    struct err e = ERR_INIT;
    snprintf(stage_where, sizeof stage_where, "kind %u, act %d at operation %llu, %u times", kind, (int)act,
             (unsigned long long)nth, times);
    if (!play_open(&p, mem_disk_cut(old, MEM_CUT_ALL)) || !HOLDS(play_flows(&p, &e))) return false;
    mem_disk_seed(p.st.disk, nth);
    mem_disk_fail_at(p.st.disk, nth, act, MEM_ANY, times);
    bool began = HOLDS(play_start(&p, kind, &e));
    for (unsigned i = 0; i < 3000 && flows_count(p.flows); i++) {
        play_turns(&p, 1);
        if (p.st.port_gone && i % 7 == 0) stage_new_hand(&p.st);
    }
    bool reached = mem_disk_failed(p.st.disk);
    mem_disk_fail_at(p.st.disk, 0, MEM_NONE, 0, 0);
    if (p.st.port_gone) stage_new_hand(&p.st);
    play_rest(&p, 200);
    /* Its first record may have been refused: then it never was. */
    look_and_leave(&p, began, reached && !p.over_done && !p.runs[0]);
    return reached;
}

TEST(what_the_disk_refuses_is_tried_again_until_the_flow_is_done) {
    unsigned runs = 0;
    stage_begin();
    struct mem_disk *old = make_old();
    again = 0;
    for (unsigned kind = 0; kind < KIND_N; kind++)
        for (unsigned act = MEM_EIO; act <= MEM_SHORT; act++)
            for (unsigned times = 1; times < 30; times += 14)
                for (uint64_t nth = 1; nth < 500 && stage_bad < 12; nth++, runs++)
                    if (!refuse(old, kind, (enum mem_disk_act)act, nth, times)) break;
    tap_note("%u runs, %u times a step was begun again", runs, again);
    CHECK(runs > 200 && again > 20);
    mem_disk_free(old);
    CHECK_INT(stage_bad, 0);
    stage_end();
}

TEST(a_disk_hand_that_dies_holds_a_flow_up_and_no_more) {
    unsigned runs = 0;
    stage_begin();
    struct mem_disk *old = make_old();
    for (unsigned kind = 0; kind < KIND_N; kind++)
        for (uint64_t nth = 1; nth < 500 && stage_bad < 12; nth++, runs++)
            if (!refuse(old, kind, MEM_KILL_HAND, nth, 1)) break;
    tap_note("%u runs", runs);
    CHECK(runs > 40);
    mem_disk_free(old);
    CHECK_INT(stage_bad, 0);
    stage_end();
}

/* --- memory --- */

static struct {
    uint64_t left;  /* allocations until one fails; 0: none does any more */
    unsigned turns; /* in which all fail from then on */
    bool hit;
} want;

static uint64_t arm(void) {
    if (want.left) mem_fault(want.left, want.turns > 0);
    return mem_stats().calls;
}

static void disarm(uint64_t before) {
    uint64_t made = mem_stats().calls - before;
    if (!want.left) return;
    want.hit |= mem_fault_hit();
    mem_fault(0, 0);
    want.left -= made < want.left ? made : want.left;
    if (want.hit) want.left = want.turns && --want.turns ? 1 : 0;
}

static void turn_without_memory(struct play *p) {
    uint64_t before = arm();
    loop_turn(p->st.loop, 0);
    disarm(before);
    mem_disk_turn(p->st.disk);
    if (p->st.port_gone) stage_new_hand(&p->st); /* the link to it had no memory */
    stage_pass_ms(TURN_MS);
    before = arm();
    work_turn(p);
    disarm(before);
}

static void turns_without_memory(struct play *p) {
    for (unsigned i = 0; i < 3000 && (i < 60 || flows_count(p->flows)); i++) turn_without_memory(p);
}

/* False: that allocation was never made. */
static bool starve(const struct mem_disk *old, unsigned kind, uint64_t nth, unsigned turns) {
    struct play p = {.fail_step = -1};
    struct err e = ERR_INIT;
    snprintf(stage_where, sizeof stage_where, "kind %u, no memory at allocation %llu, and %u turns", kind,
             (unsigned long long)nth, turns);
    want.left = nth;
    want.turns = turns;
    want.hit = false;
    if (!play_open(&p, mem_disk_cut(old, MEM_CUT_ALL))) return false;
    for (unsigned i = 0; !p.flows && i < 100; i++) {
        uint64_t before = arm();
        HOLDS(play_flows(&p, &e) || e.code == ERR_NOMEM);
        disarm(before);
    }
    uint64_t before = arm();
    e = (struct err)ERR_INIT;
    bool began = play_start(&p, kind, &e) != NULL;
    disarm(before);
    HOLDS(began || e.code == ERR_NOMEM);
    turns_without_memory(&p);
    bool hit = want.hit;
    want.left = 0;
    play_rest(&p, 200);
    look_and_leave(&p, began, hit);
    return hit;
}

TEST(want_of_memory_anywhere_leaves_all_or_nothing) {
    unsigned runs = 0;
    stage_begin();
    struct mem_disk *old = make_old();
    for (unsigned kind = 0; kind < KIND_N; kind++)
        for (unsigned turns = 0; turns < 30; turns += 10)
            for (uint64_t nth = 1; nth < 3000 && stage_bad < 12; nth += 1 + kind % 2, runs++)
                if (!starve(old, kind, nth, turns)) break;
    CHECK(runs > 500);
    mem_disk_free(old);
    CHECK_INT(stage_bad, 0);
    stage_end();
}

/* A record with the process that made it dead: at some step, on the way forward or back. */
static struct mem_disk *make_cut(const struct mem_disk *old, struct play *p, unsigned kind, unsigned at_moment) {
    struct err e = ERR_INIT;
    if (play_open(p, mem_disk_cut(old, MEM_CUT_ALL)) && HOLDS(play_flows(p, &e))) {
        p->way = WAY_MOMENT;
        p->at_moment = at_moment;
        HOLDS(play_start(p, kind, &e));
        play_turns(p, 3000);
    }
    struct mem_disk *disk = play_end(p, -1);
    p->way = WAY_NONE;
    p->overs = 0;
    return disk;
}

static bool starve_resumed(const struct mem_disk *old, unsigned kind, unsigned at_moment, uint64_t nth,
                           unsigned turns) {
    struct play p = {.fail_step = kind % 2 ? 3 : -1, .fails_left = 1};
    struct err e = ERR_INIT;
    snprintf(stage_where, sizeof stage_where, "kind %u, dead at %u, then no memory at allocation %llu, and %u turns",
             kind, at_moment, (unsigned long long)nth, turns);
    want.left = 0;
    struct mem_disk *disk = make_cut(old, &p, kind, at_moment);
    if (!play_open(&p, disk)) return false;
    if (!HOLDS(!val_is_none(play_record(state_peek(p.st.state), p.id)))) return false;
    want.left = nth;
    want.turns = turns;
    want.hit = false;
    for (unsigned i = 0; !p.flows && i < 100; i++) {
        uint64_t before = arm();
        HOLDS(play_flows(&p, &e) || e.code == ERR_NOMEM);
        disarm(before);
    }
    turns_without_memory(&p);
    bool hit = want.hit;
    want.left = 0;
    play_rest(&p, 200);
    look_and_leave(&p, true, true);
    return hit;
}

TEST(want_of_memory_at_a_start_forgets_no_record) {
    unsigned runs = 0;
    stage_begin();
    struct mem_disk *old = make_old();
    for (unsigned kind = 0; kind < KIND_N; kind++)
        for (unsigned moment = 8; moment < 44; moment += 6)
            for (unsigned turns = 0; turns < 40; turns += 35)
                for (uint64_t nth = 1; nth < 3000 && stage_bad < 12; nth += 3, runs++)
                    if (!starve_resumed(old, kind, moment, nth, turns)) break;
    CHECK(runs > 200);
    mem_disk_free(old);
    CHECK_INT(stage_bad, 0);
    stage_end();
}

TAP_MAIN(T(what_the_disk_refuses_is_tried_again_until_the_flow_is_done),
         T(a_disk_hand_that_dies_holds_a_flow_up_and_no_more), T(want_of_memory_anywhere_leaves_all_or_nothing),
         T(want_of_memory_at_a_start_forgets_no_record))
