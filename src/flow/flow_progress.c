/* flow_progress.c - a flow's progress: a phase for each step, and telling of it now and then. See flow.h. */
#include "base/mem.h"
#include "flow/flow_room.h"

static void was_stirred(struct progress *p) {
    struct flow *f = LOOP_OWNER(struct flow, progress, p);
    if (f->stirred || !f->kind->progress) return;
    f->stirred = true;
    flows_schedule(f->flows);
}

bool flow_phases_make(struct flow *f, struct err *e) {
    unsigned n = f->kind->step_n;
    progress_init(&f->progress);
    f->phases = mem_get(n * sizeof *f->phases);
    for (unsigned i = 0; f->phases && i < n; i++) {
        const struct flow_step *s = flow_row(f, i);
        f->phases[i] = s->weight ? progress_phase(&f->progress, s->label, s->weight) : PROGRESS_NONE;
        if (s->weight && f->phases[i] == PROGRESS_NONE) return err_nomem(e, "the phases of a progress");
    }
    f->progress.stir = was_stirred;
    return f->phases || err_nomem(e, "the phases of a progress");
}

void flow_phases_move(struct flow *f) {
    if (f->is.back) return; /* what was reached stays on show */
    for (unsigned i = 0; i < f->is.at + f->is.gone; i++) progress_phase_end(&f->progress, f->phases[i]);
    if (!f->is.gone) progress_begin(&f->progress, f->phases[f->is.at]);
}

void flow_tell(struct flow *f) {
    if (!f->stirred) return;
    f->tell_at = loop_now_ms(f->flows->config.loop) + LIMIT_FLOW_PROGRESS_MS;
    struct val full = progress_value(&f->progress);
    if (val_is_none(&full)) return; /* no memory: the next time */
    f->stirred = false;
    f->kind->progress(f, &full);
    val_unref(&full);
}

struct progress *flow_progress(struct flow *f) {
    return &f->progress;
}

uint32_t flow_phase(const struct flow *f) {
    return f->phases[f->is.at];
}
