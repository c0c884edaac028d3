/* play.h - a world that flows change: it stands outside of the tree and survives a crash, as containers and files do; and lives of a
 * process in it, which end at any moment.
 *
 * Four steps, a b c d. Each makes its part of the world: at once half, some turns later whole; one turn later it says so. An undo takes
 * it away the same way. b says so together with a change of the tree (/public/made); c does all at once; d has no stop.
 * A `moment` is one turn, or one callback's beginning, middle or end. */
#ifndef TESTS_FLOW_PLAY_H
#define TESTS_FLOW_PLAY_H

#include "base/mem.h"
#include "flow/flow.h"
#include "lib/tap.h"
#include "state/stage.h"

enum { PARTS = 4, TURN_MS = 40 };
enum part { NONE, HALF, WHOLE };

struct play;

struct work {
    struct flow *flow;
    unsigned step, left;
    bool undo;
};

enum way { WAY_NONE, WAY_MOMENT, WAY_OPERATION, WAY_CANCEL };

struct play {
    struct stage st;
    struct plan *plan;
    struct flows *flows;
    struct flow_kind kinds[4];
    const struct flow_kind *list[4];
    /* the world */
    enum part parts[PARTS];
    bool finish_unseen; /* work that is going on at a death comes to its end */
    /* what is to go wrong */
    enum way way;
    unsigned at_moment, moments;
    bool dead, hit;
    int fail_step;            /* whose run fails; -1: none */
    unsigned fails_left;      /* so many times */
    unsigned undo_fails_left; /* undos that fail, whichever */
    /* this life */
    struct work *work;
    unsigned runs[PARTS], undos[PARTS], stops, drops, told;
    bool cancel_asked, cancel_taken, cancel_final;
    /* all lives */
    unsigned overs;
    bool over_done, committed;
    struct err why;
    char id[32];
    struct val last_full;
};

static const struct flow_step play_steps[PARTS];

static struct play *play_of(const struct flow *f) {
    return flow_arg(f);
}

static unsigned play_index(const struct flow *f) {
    return (unsigned)(flow_step(f) - flow_kind(f)->steps);
}

/* Nothing leaves the process any more; what its callbacks do from here on is not done. */
static void play_die(struct play *p) {
    p->dead = p->hit = true;
    port_stop(&p->st.port);
}

/* False: the process is dead. */
static bool moment(struct play *p, bool outside) {
    if (p->dead) return false;
    if (p->way == WAY_MOMENT && ++p->moments == p->at_moment) play_die(p);
    if (p->way == WAY_CANCEL && outside && ++p->moments == p->at_moment && flows_count(p->flows)) {
        struct err e = ERR_INIT;
        const struct flow *f = flow_next(p->flows, NULL);
        p->hit = p->cancel_asked = true;
        p->cancel_final = flow_is_final(f);
        p->cancel_taken = flow_cancel(p->flows, slice_str(flow_id(f)), "the owner has changed her mind", &e);
        HOLDS(p->cancel_taken == !p->cancel_final);
        HOLDS(p->cancel_taken || (e.code == ERR_INVALID && strstr(e.text, "cannot be cancelled")));
    }
    return !p->dead;
}

/* --- what must hold whenever a step or an undo is begun --- */

static const struct val *play_record(const struct val *root, const char *id) {
    return val_get(val_get(val_get(root, LIT("private")), LIT("flows")), slice_str(id));
}

static void look_at_record(struct flow *f, unsigned i, bool back) {
    const struct play *p = play_of(f);
    const struct val *r = play_record(state_settled_root(p->st.state), flow_id(f));
    HOLDS(val_is_text(val_get(r, LIT("at")), slice_str(flow_kind(f)->steps[i].name)));
    HOLDS(val_is_text(val_get(r, LIT("kind")), slice_str(flow_kind(f)->name)));
    HOLDS(val_is_true(val_get(r, LIT("back"))) == back);
    HOLDS(val_is_text(val_get(flow_args(f), LIT("who")), LIT("a name that is kept")));
    if (i > 0) /* a has ended, so what it noted is there */
        HOLDS(val_is_text(val_get(flow_get(f, "made"), LIT("by")), LIT("the first step, for all others")));
    for (unsigned k = 0; k < PARTS; k++)
        if (back ? k > i : k < i) HOLDS(p->parts[k] == (back ? NONE : WHOLE));
}

/* --- work --- */

static void work_end(struct play *p) {
    mem_put(p->work, sizeof *p->work);
    p->work = NULL;
}

static void play_report(struct flow *f, unsigned i, bool undo) {
    struct play *p = play_of(f);
    if (i == 1) {
        struct state_txn t;
        flow_txn(f, &t, plan_owner(p->plan, "app"));
        if (!moment(p, false)) {
            state_abort(&t);
            return;
        }
        txn_put_bool(&t, LIT("/public/made"), !undo, NULL);
        flow_commit(f, &t);
    } else
        flow_done(f);
    moment(p, false);
}

static void begin_work(struct flow *f, unsigned i, bool undo) {
    struct play *p = play_of(f);
    struct err e = ERR_INIT;
    bool fails = undo ? p->undo_fails_left > 0 : p->fail_step == (int)i && p->fails_left > 0;
    if (undo ? p->parts[i] != NONE : p->parts[i] != WHOLE) p->parts[i] = HALF;
    if (!moment(p, false)) return;
    if (fails) {
        if (undo)
            p->undo_fails_left--;
        else
            p->fails_left--;
        err_set(&e, ERR_NETWORK, "it did not work out");
        flow_fail(f, &e);
        moment(p, false);
        return;
    }
    if (i == 0 && !undo &&
        !flow_note(f, "made", VAL_MAP_OF({"by", val_of_str("the first step, for all others")}), &e)) {
        flow_fail(f, &e);
        return;
    }
    if (i == 2) {
        p->parts[i] = undo ? NONE : WHOLE;
        play_report(f, i, undo);
        return;
    }
    if (!HOLDS(!p->work)) return;
    p->work = mem_get(sizeof *p->work);
    if (!p->work) {
        err_nomem(&e, "the work");
        flow_fail(f, &e);
        return;
    }
    *p->work = (struct work){.flow = f, .step = i, .left = 3, .undo = undo};
    *flow_own(f) = p->work;
}

static void work_turn(struct play *p) {
    struct work *w = p->work;
    if (!w || p->dead) return;
    w->left--;
    if (w->left == 1) p->parts[w->step] = w->undo ? NONE : WHOLE;
    if (w->left) {
        progress_total(flow_progress(w->flow), flow_phase(w->flow), 3, PROGRESS_STEPS);
        progress_done(flow_progress(w->flow), flow_phase(w->flow), 3 - w->left);
        return;
    }
    struct work was = *w;
    *flow_own(was.flow) = NULL;
    work_end(p);
    play_report(was.flow, was.step, was.undo);
}

/* --- the table --- */

static void run_step(struct flow *f) {
    struct play *p = play_of(f);
    unsigned i = play_index(f);
    if (!moment(p, false)) return;
    p->runs[i]++;
    p->committed |= flow_step(f)->commits;
    HOLDS(flow_tries(f) + 1 == p->runs[i]);
    look_at_record(f, i, false);
    begin_work(f, i, false);
}

static void undo_step(struct flow *f) {
    struct play *p = play_of(f);
    unsigned i = play_index(f);
    if (!moment(p, false)) return;
    p->undos[i]++;
    HOLDS(!p->committed);
    HOLDS(flow_tries(f) + 1 == p->undos[i]);
    look_at_record(f, i, true);
    begin_work(f, i, true);
}

/* What goes on at a death may come to its end though nobody hears of it. */
static void cut_work(struct flow *f) {
    struct play *p = play_of(f);
    if (!*flow_own(f)) return;
    HOLDS(*flow_own(f) == p->work && p->work->flow == f);
    if (p->dead && p->finish_unseen) p->parts[p->work->step] = p->work->undo ? NONE : WHOLE;
    *flow_own(f) = NULL;
    work_end(p);
}

static bool stop_step(struct flow *f) {
    struct play *p = play_of(f);
    p->stops++;
    HOLDS(p->dead || *flow_own(f));
    cut_work(f);
    return true;
}

/* What goes on lasts a turn longer; then it has come to nothing, and says so. */
static bool hurry_step(struct flow *f) {
    struct play *p = play_of(f);
    p->stops++;
    if (HOLDS(p->dead || p->work) && p->work) p->work->left = 1;
    return false;
}

static void over_flow(struct flow *f, const struct err *why) {
    struct play *p = play_of(f);
    if (p->dead) return;
    HOLDS(val_is_none(play_record(state_settled_root(p->st.state), flow_id(f))));
    HOLDS(!flow_find(p->flows, slice_str(flow_id(f))));
    HOLDS(why || !flow_why(f));
    for (unsigned i = 0; i < PARTS; i++) HOLDS(p->parts[i] == (why ? NONE : WHOLE));
    p->overs++;
    p->over_done = !why;
    p->why = why ? *why : (struct err)ERR_INIT;
    moment(p, false);
}

static void drop_flow(struct flow *f) {
    play_of(f)->drops++;
    cut_work(f);
}

static void hear_progress(struct flow *f, const struct val *full) {
    struct play *p = play_of(f);
    p->told++;
    val_unref(&p->last_full);
    p->last_full = val_ref(full);
}

static const struct flow_step play_steps[PARTS] = {
    {.name = "a", .label = "First", .weight = 10, .run = run_step, .undo = undo_step, .stop = stop_step},
    {.name = "b", .label = "Second", .weight = 100, .run = run_step, .undo = undo_step, .stop = stop_step},
    {.name = "c", .run = run_step, .undo = undo_step},
    {.name = "d", .label = "Last", .weight = 1, .run = run_step, .undo = undo_step},
};
static const struct flow_step final_steps[PARTS] = {
    {.name = "a", .label = "First", .weight = 10, .run = run_step, .undo = undo_step, .stop = stop_step},
    {.name = "b", .label = "Second", .weight = 100, .run = run_step, .undo = undo_step, .stop = hurry_step},
    {.name = "c", .run = run_step, .commits = true},
    {.name = "d", .label = "Last", .weight = 1, .run = run_step, .stop = stop_step},
};

enum { KIND_BACK, KIND_ON, KIND_FINAL, KIND_FINAL_ON, KIND_N };

static void make_kinds(struct play *p) {
    static const char *const names[KIND_N] = {"back", "on", "final", "final-on"};
    for (unsigned i = 0; i < KIND_N; i++) {
        p->kinds[i] = (struct flow_kind){.name = names[i],
                                         .steps = i < KIND_FINAL ? play_steps : final_steps,
                                         .step_n = PARTS,
                                         .resume = i == KIND_ON || i == KIND_FINAL_ON,
                                         .over = over_flow,
                                         .progress = hear_progress,
                                         .drop = drop_flow,
                                         .arg = p};
        p->list[i] = &p->kinds[i];
    }
}

/* --- a life --- */

static const struct state_limits play_limits = {.revision = 1 << 20,
                                                .pending = 1 << 20,
                                                .segment = 16384,
                                                .journal = 32768,
                                                .snapshot = 1 << 20,
                                                .mark_ms = 100,
                                                .retry_ms = 100};

/* Takes the disk. True: the state is up. */
UNUSED static bool play_open(struct play *p, struct mem_disk *disk) {
    struct err e = ERR_INIT;
    struct stage *st = &p->st;
    const struct plan_branch rows[] = {
        {"", "core", 0, NULL}, {"/public", "app", 0, NULL}, {"/private", NULL, PLAN_PRIVATE, NULL}, flow_branches[0]};
    static struct plan_branch kept[4];
    memcpy(kept, rows, sizeof kept);
    static const struct plan_config plan = {.name = "play",
                                            .version = 1,
                                            .birth = "{\"public\":{\"made\":false},\"private\":{}}",
                                            .branches = kept,
                                            .branch_n = 4};
    *st = (struct stage){.disk = disk, .mode = STATE_OPENING, .port = {.name = "disk", .gone = stage_port_gone}};
    HOLDS(flow_branch_n == 1);
    p->dead = p->hit = false;
    p->moments = 0;
    p->work = NULL;
    memset(p->runs, 0, sizeof p->runs);
    memset(p->undos, 0, sizeof p->undos);
    p->stops = p->drops = p->told = 0;
    make_kinds(p);
    st->loop = loop_new(&e);
    st->plan = p->plan = plan_new(&plan, &e);
    if (!HOLDS(st->loop && st->plan && mem_disk_connect(disk, st->loop, &st->port))) return false;
    const struct state_config config = {.loop = st->loop,
                                        .disk = &st->port,
                                        .root = "data",
                                        .folder = "state",
                                        .plan = st->plan,
                                        .limits = &play_limits,
                                        .watch_limits = &watch_limits,
                                        .changed = stage_changed,
                                        .found = stage_found,
                                        .arg = st};
    st->state = state_new(&config, &e);
    if (!HOLDS(st->state)) return false;
    stage_opening(st);
    return HOLDS(st->mode == STATE_UP && !st->damage);
}

UNUSED static bool play_flows(struct play *p, struct err *e) {
    const struct flows_config config = {
        .loop = p->st.loop, .state = p->st.state, .plan = p->plan, .kinds = p->list, .kind_n = KIND_N};
    p->flows = flows_new(&config, e);
    if (p->flows) flows_resume(p->flows);
    return p->flows != NULL;
}

static struct val play_args(void) {
    return VAL_MAP_OF({"who", val_of_str("a name that is kept")});
}

UNUSED static struct flow *play_start(struct play *p, unsigned kind, struct err *e) {
    struct flow *f = flow_start(p->flows, &p->kinds[kind], play_args(), e);
    if (f) snprintf(p->id, sizeof p->id, "%s", flow_id(f));
    return f;
}

static bool play_is_over(struct play *p) {
    if (p->way == WAY_OPERATION && (mem_disk_is_cut(p->st.disk) || mem_disk_reactor_killed(p->st.disk)) && !p->dead)
        play_die(p);
    return p->dead || !flows_count(p->flows);
}

/* Turns until nothing is under way any more, or the process is dead. */
UNUSED static void play_turns(struct play *p, unsigned most) {
    for (unsigned i = 0; i < most && !play_is_over(p); i++) {
        if (!moment(p, true)) break;
        loop_turn(p->st.loop, 0);
        if (play_is_over(p)) break;
        mem_disk_turn(p->st.disk);
        if (play_is_over(p)) break;
        stage_pass_ms(TURN_MS);
        if (moment(p, true)) work_turn(p);
    }
}

/* Turns without looking. */
UNUSED static void play_rest(struct play *p, unsigned turns) {
    while (turns--) {
        loop_turn(p->st.loop, 0);
        mem_disk_turn(p->st.disk);
        stage_pass_ms(TURN_MS);
    }
}

/* The process is no more. Gives the disk: as it is (cut < 0), or as a power cut leaves it. */
UNUSED static struct mem_disk *play_end(struct play *p, int cut) {
    p->dead = true;
    flows_free(p->flows);
    p->flows = NULL;
    HOLDS(!p->work);
    struct mem_disk *disk = stage_kill(&p->st);
    mem_disk_fail_at(disk, 0, MEM_NONE, 0, 0);
    if (cut < 0) return disk;
    struct mem_disk *left = mem_disk_cut(disk, (uint64_t)cut);
    mem_disk_free(disk);
    return left;
}

/* A store that has begun. */
UNUSED static struct mem_disk *make_old(void) {
    struct play p = {.fail_step = -1};
    play_open(&p, mem_disk_new());
    play_rest(&p, 10);
    return play_end(&p, -1);
}

UNUSED static void play_release(struct play *p) {
    val_unref(&p->last_full);
}

/* --- what is to be --- */

enum fate { FATE_EITHER, FATE_UNDONE, FATE_DONE };

static bool all_are(const struct play *p, enum part part) {
    for (unsigned i = 0; i < PARTS; i++)
        if (p->parts[i] != part) return false;
    return true;
}

/* What the tree promises at a start, when nothing goes wrong behind it; a record that is not there promises that all is done or none of
 * it. */
UNUSED static enum fate play_fate(const struct play *p, unsigned kind) {
    const struct val *r = play_record(state_peek(p->st.state), p->id);
    if (val_is_none(r)) {
        HOLDS(all_are(p, NONE) || all_are(p, WHOLE));
        return all_are(p, NONE) ? FATE_UNDONE : FATE_DONE;
    }
    const struct val *at = val_get(r, LIT("at"));
    bool final = kind >= KIND_FINAL && (val_is_text(at, LIT("c")) || val_is_text(at, LIT("d")));
    if (val_is_true(val_get(r, LIT("back")))) return FATE_UNDONE;
    return final || p->kinds[kind].resume ? FATE_DONE : FATE_UNDONE;
}

/* Nothing is left but what there is to be. */
UNUSED static void play_look(const struct play *p, enum fate fate) {
    const struct val *root = state_peek(p->st.state);
    HOLDS(flows_count(p->flows) == 0);
    HOLDS(val_count(val_get(val_get(root, LIT("private")), LIT("flows"))) == 0);
    HOLDS(fate == FATE_UNDONE ? all_are(p, NONE)
          : fate == FATE_DONE ? all_are(p, WHOLE)
                              : all_are(p, NONE) || all_are(p, WHOLE));
    HOLDS(val_is_true(val_get(val_get(root, LIT("public")), LIT("made"))) == (p->parts[1] == WHOLE));
    HOLDS(!p->committed || all_are(p, WHOLE));
    HOLDS(stage_bad || !p->work);
}

/* --- tests of one life --- */

UNUSED static bool open_fresh(struct play *p, const char *where) {
    struct err e = ERR_INIT;
    stage_begin_at(where);
    return play_open(p, mem_disk_new()) && HOLDS(play_flows(p, &e));
}

UNUSED static void end_all(struct play *p) {
    mem_disk_free(play_end(p, -1));
    play_release(p);
    CHECK_INT(stage_bad, 0);
    stage_end();
}

#endif
