/* reenter.c - what owners do inside changed: begin a snapshot, free the state; and want of memory while a store is held again. */
#include "base/mem.h"
#include "lib/faults.h"
#include "lib/tap.h"
#include "state/scenario.h"

#include <sys/wait.h>
#include <unistd.h>

static void (*inside)(struct state *s, enum state_mode mode);
static void changed(struct state *s, enum state_mode mode, const struct err *why) {
    stage_changed(s, mode, why);
    if (inside) inside(s, mode);
}

static bool open_changed(struct stage *st, struct mem_disk *disk, struct book *book) {
    struct err e = ERR_INIT;
    *st = (struct stage){
        .disk = disk, .book = book, .mode = STATE_OPENING, .port = {.name = "disk", .gone = stage_port_gone}};
    st->loop = loop_new(&e);
    st->plan = plan_new(&stage_plan, &e);
    if (!HOLDS(st->loop && st->plan && mem_disk_connect(disk, st->loop, &st->port))) return false;
    const struct state_config config = {.loop = st->loop,
                                        .disk = &st->port,
                                        .root = "data",
                                        .folder = "state",
                                        .plan = st->plan,
                                        .limits = &stage_limits,
                                        .watch_limits = &watch_limits,
                                        .changed = changed,
                                        .found = stage_found,
                                        .arg = st};
    st->state = state_new(&config, &e);
    return HOLDS(st->state);
}

/* --- a snapshot begun from inside changed --- */

static void snapshot_when_up(struct state *s, enum state_mode mode) {
    struct err e = ERR_INIT;
    if (mode == STATE_UP && state_revision(s) > 1)
        tap_note("snapshot from changed(UP): %d, settled %llu", state_snapshot(s, &e),
                 (unsigned long long)state_settled(s));
}

TEST(a_snapshot_begun_when_the_hand_is_back_holds_what_its_name_says) {
    struct book book = {0};
    struct stage st;
    struct err e = ERR_INIT;
    stage_begin_at("snapshot in changed");
    struct mem_disk *disk = mem_disk_new();
    inside = NULL;
    uint64_t acked = 0;
    if (open_changed(&st, disk, &book)) {
        stage_opening(&st);
        stage_adopt(&st);
        stage_turns(&st, 20);
        mem_disk_kill_hands(disk);
        stage_turns(&st, 3);
        HOLDS(commit_name(&st, 42, &e));
        stage_hold(&st);
        stage_turns(&st, 3);
        HOLDS(st.mode == STATE_AWAY);
        inside = snapshot_when_up;
        stage_new_hand(&st);
        stage_quiet(&st);
        stage_turns(&st, 60);
        inside = NULL;
        acked = state_settled(st.state);
        CHECK_INT(st.oks, 1);
        CHECK_INT(state_counts(st.state).snapshots, 2);
    }
    disk = stage_close(&st);
    if (stage_open(&st, disk, &book)) {
        stage_opening(&st);
        struct val name = state_show(st.state, LIT("/public/name"), &e);
        uint64_t n = 0;
        val_as_u64(&name, &n);
        tap_note("acknowledged: revision %llu, name 42; a start finds revision %llu, name %llu",
                 (unsigned long long)acked, (unsigned long long)state_revision(st.state), (unsigned long long)n);
        CHECK_INT(n, 42);
        val_unref(&name);
    }
    mem_disk_free(stage_kill(&st));
    book_release(&book);
    CHECK_INT(stage_bad, 0);
    stage_end();
}

/* --- memory --- */

/* A relock that finds no memory must not be the end of the state. */
TEST(no_memory_while_the_store_is_held_again_is_not_the_end) {
    unsigned failed = 0, n = 1;
    for (bool met = true; met && n < 60; n++) {
        struct book book = {0};
        struct stage st;
        struct err e = ERR_INIT;
        stage_begin_at("relock, no memory");
        struct mem_disk *disk = mem_disk_new();
        if (stage_up(&st, disk, &book, 0)) {
            stage_quiet(&st);
            mem_disk_kill_hands(disk);
            HOLDS(commit_name(&st, 1, &e));
            stage_turns(&st, 4);
            port_stop(&st.port);
            st.port = (struct port){.name = "disk", .gone = stage_port_gone};
            mem_disk_connect(disk, st.loop, &st.port);
            unsigned changes = st.changes;
            mem_fault(n, 0);
            state_new_disk(st.state);
            met = mem_fault_hit();
            mem_fault(0, 0);
            if (st.mode == STATE_FAILED) {
                if (!failed++)
                    tap_note("allocation %u: FAILED from inside state_new_disk (%u told): %s", n, st.changes - changes,
                             st.why.text);
            }
        }
        disk = stage_kill(&st);
        mem_disk_free(disk);
        book_release(&book);
        CHECK_INT(stage_bad, 0);
        stage_end();
    }
    tap_note("%u of %u points end it", failed, n - 1);
    CHECK_INT(failed, 0);
}

/* --- freeing from inside changed --- */

static enum state_mode free_at;
static struct stage *the_stage;
static void free_inside(struct state *s, enum state_mode mode) {
    if (mode != free_at) return;
    while (the_stage->holds) {
        struct stage_hold *h = the_stage->holds;
        state_hold_cancel(&h->hold);
        the_stage->holds = h->next;
        free(h);
    }
    the_stage->state = NULL;
    state_free(s);
}

static void live(const char *how) {
    struct book book = {0};
    struct stage st;
    struct err e = ERR_INIT;
    stage_begin_at(how);
    struct mem_disk *disk = mem_disk_new();
    the_stage = &st;
    inside = free_inside;
    if (!strcmp(how, "failed")) mem_disk_capacity(disk, 10);
    if (!open_changed(&st, disk, &book)) _exit(3);
    for (unsigned i = 0; i < 200 && st.mode == STATE_OPENING; i++) loop_turn(st.loop, 0), mem_disk_turn(disk);
    if (st.state) stage_adopt(&st);
    if (st.state && !strcmp(how, "readonly")) mem_disk_fail_at(disk, 1, MEM_EIO, MEM_ANY, UINT64_MAX);
    if (st.state && !strcmp(how, "away")) mem_disk_kill_hands(disk);
    if (st.state) commit_name(&st, 1, &e);
    if (st.state) stage_hold(&st);
    if (st.state && !strcmp(how, "closed")) state_close(st.state);
    if (st.state && !strcmp(how, "closedbad")) {
        state_close(st.state);
        mem_disk_fail_at(disk, 1, MEM_EIO, MEM_ANY, UINT64_MAX);
    }
    for (unsigned i = 0; i < 100 && st.state; i++) loop_turn(st.loop, 0), mem_disk_turn(disk);
    for (unsigned i = 0; i < 10; i++) loop_turn(st.loop, 0), mem_disk_turn(disk);
    _exit(st.state ? 4 : 0);
}

TEST(a_state_may_be_freed_inside_changed) {
    static const struct {
        const char *how;
        enum state_mode mode;
    } rows[] = {{"up", STATE_UP},         {"away", STATE_AWAY},     {"readonly", STATE_READ_ONLY},
                {"failed", STATE_FAILED}, {"closed", STATE_CLOSED}, {"closedbad", STATE_CLOSED}};
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fflush(stdout);
        pid_t p = fork();
        if (p == 0) {
            free_at = rows[i].mode;
            live(rows[i].how);
        }
        int status = 0;
        waitpid(p, &status, 0);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

TAP_MAIN(T(a_snapshot_begun_when_the_hand_is_back_holds_what_its_name_says),
         T(no_memory_while_the_store_is_held_again_is_not_the_end), T(a_state_may_be_freed_inside_changed))
