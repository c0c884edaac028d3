/* plan_migrate.c - leading a state of an older program to this one's version; see plan.h. */
#include "state/plan_room.h"

/* Whether a version brought fields that have a fallback: else there is nothing to walk the tree for. */
static bool has_news(const struct plan *p, unsigned version) {
    for (size_t i = 0; i < p->shape_n; i++) {
        const struct shape *s = p->shapes[i].shape;
        if (s->kind != SHAPE_RECORD) continue;
        for (unsigned k = 0; k < s->field_n; k++)
            if (s->fields[k].since == version && s->fields[k].fallback) return true;
    }
    return false;
}

static const struct plan_migration *find_migration(const struct plan *p, unsigned from) {
    for (unsigned i = 0; i < p->config.migration_n; i++)
        if (p->config.migrations[i].from == from) return &p->config.migrations[i];
    return NULL;
}

static bool run_migration(const struct plan_migration *m, struct val *root, struct err *e) {
    struct err own = ERR_INIT;
    if (m->run(root, &own) && !val_is_none(root)) return true;
    if (own.code == ERR_NONE) err_set(&own, ERR_UNKNOWN, "it failed and did not say why");
    err_context(&own, "the migration from version %u (%s)", m->from, m->about);
    if (e) *e = own;
    return false;
}

static bool lead_on(const struct plan *p, struct val *root, unsigned version, void (*note)(const char *about),
                    struct err *e) {
    struct shape_spot spot = plan_spot(p);
    const struct plan_migration *m = find_migration(p, version);
    if (has_news(p, version + 1) && !shape_fill_with(&spot, root, version, version + 1, plan_enter, e)) return false;
    if (m && note) note(m->about);
    return !m || run_migration(m, root, e);
}

bool plan_migrate(const struct plan *p, struct val *root, unsigned version, void (*note)(const char *about),
                  struct err *e) {
    unsigned newest = p->config.version, oldest = p->config.oldest ? p->config.oldest : 1;
    if (version > newest)
        return err_set(e, ERR_UNSUPPORTED,
                       "this state was written by a newer program (state version %u, this one knows up to %u): start "
                       "that one, or restore a backup",
                       version, newest);
    if (version < oldest)
        return err_set(e, ERR_UNSUPPORTED,
                       "this state is too old (state version %u, this program leads on from %u): start an older "
                       "program once, or restore a newer backup",
                       version, oldest);
    if (version == newest) return true;
    struct val work = val_ref(root);
    bool good = true;
    for (; good && version < newest; version++) good = lead_on(p, &work, version, note, e);
    if (good && !plan_check(p, &work, e)) {
        err_context(e, "after leading it to version %u", newest);
        good = false;
    }
    if (!good) {
        val_unref(&work);
        return false;
    }
    val_unref(root);
    *root = work;
    return true;
}
