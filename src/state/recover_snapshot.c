/* recover_snapshot.c - the snapshot a start begins from, and those behind it; see recover.h.
 *
 * PHASE_SNAPSHOT reads them newest first until one is good. PHASE_OLDER looks at those behind it: at the description of the next one,
 * so that its part of the journal is kept; with config.all at every byte of all. */
#include "state/recover_room.h"

#include <stdio.h>

static struct recover_snapshot *at_hand(struct recover *r) {
    return &r->snapshots[r->index];
}

static bool choosing(const struct recover *r) {
    return r->phase == PHASE_SNAPSHOT;
}

/* --- what one turned out to be --- */

static void add_kept(struct recover *r, const struct snapfile_about *a) {
    for (size_t i = 0; i < 2; i++) {
        if (r->result.kept[i].serial || r->result.kept[i].revision) continue;
        r->result.kept[i].revision = a->revision;
        r->result.kept[i].serial = a->serial;
        return;
    }
}

static bool next(struct recover *r, struct err *e) {
    snapfile_free(r->reader);
    r->reader = NULL;
    r->index++;
    bool enough = !choosing(r) && !r->config.all && r->index > r->loaded + 1;
    if (!enough && r->index < r->snapshot_n) return recover_snapshot_begin(r, e);
    if (r->loaded == RECOVER_NOWHERE) {
        /* Nothing to apply a journal to, and no number to know its records by. */
        recover_finish(r);
        return true;
    }
    return recover_begin_segments(r, e);
}

static bool take_bad(struct recover *r, const struct err *why, struct err *e) {
    char name[STATE_NAME];
    struct recover_snapshot *s = at_hand(r);
    snapshot_name(name, s->revision);
    s->bad = true;
    s->finding = recover_find(r, RECOVER_MENDED, name, why->at == ERR_NOWHERE ? 0 : why->at, 0, 0,
                              "it is damaged (%.140s)", why->text);
    return next(r, e);
}

/* It is whole. */
static bool take_good(struct recover *r, struct err *e) {
    if (!choosing(r)) return next(r, e);
    const struct snapfile_about *a = snapfile_about_of(r->reader);
    struct recover_result *res = &r->result;
    res->root = snapfile_take(r->reader);
    if (val_is_none(&res->root)) return err_nomem(e, "the state");
    r->loaded = r->index;
    r->first_serial = a->serial;
    r->reached = r->journalled = a->revision;
    res->store = a->store;
    res->version = a->version;
    res->snapshot_revision = a->revision;
    res->snapshot_bytes = at_hand(r)->size;
    res->name = val_ref(&a->name);
    res->priv = val_ref(&a->priv);
    res->secret = val_ref(&a->secret);
    add_kept(r, a);
    r->phase = PHASE_OLDER;
    return next(r, e);
}

static void refuse(struct recover *r, const char *what) {
    char name[STATE_NAME];
    snapshot_name(name, at_hand(r)->revision);
    r->result.refused = true;
    err_set(&r->result.why, ERR_DATABASE, "%s %s", name, what);
    recover_finish(r);
}

/* Another program's state is not touched, however damaged it may be; nor is an older one taken instead of a newer program's. */
static bool is_ours(struct recover *r, const struct snapfile_about *a) {
    char what[RECOVER_TEXT];
    struct slice name = val_as_text(&a->name);
    if (r->config.name && !slice_eq(name, slice_str(r->config.name))) {
        snprintf(what, sizeof what, "is of \"%.*s\", and the state of \"%.40s\" is wanted here",
                 (int)(name.len < 40 ? name.len : 40), (const char *)name.ptr, r->config.name);
        refuse(r, what);
        return false;
    }
    if (r->config.version && a->version > r->config.version) {
        snprintf(what, sizeof what, "is of version %lu, made by a newer program; this one understands up to version %u",
                 (unsigned long)a->version, r->config.version);
        refuse(r, what);
        return false;
    }
    return true;
}

/* The description: may say that it is none of ours (*over), or what must be known of an older one. */
static bool take_about(struct recover *r, bool *over, struct err *e) {
    const struct snapfile_about *a = snapfile_about_of(r->reader);
    struct err why = ERR_INIT;
    *over = true;
    if (choosing(r) && !is_ours(r, a)) return true;
    if (a->revision != at_hand(r)->revision) {
        err_set(&why, ERR_SYNTAX, "it holds revision %llu, its name says %llu", (unsigned long long)a->revision,
                (unsigned long long)at_hand(r)->revision);
        return take_bad(r, &why, e);
    }
    if (!choosing(r) && a->store != r->result.store) {
        err_set(&why, ERR_SYNTAX, "it is of another store");
        return take_bad(r, &why, e);
    }
    recover_count_serial(r, a->serial);
    *over = false;
    if (choosing(r)) return true;
    add_kept(r, a);
    if (r->config.all) return true;
    *over = true;
    return next(r, e);
}

/* --- reading --- */

bool recover_snapshot_begin(struct recover *r, struct err *e) {
    char name[STATE_NAME];
    struct recover_snapshot *s = at_hand(r);
    struct err why = ERR_INIT;
    snapshot_name(name, s->revision);
    if (s->size > r->config.most) {
        err_limit(&why, "LIMIT_STATE_SNAPSHOT", r->config.most, ERR_NOWHERE);
        return take_bad(r, &why, e);
    }
    if (!s->size) {
        err_set(&why, ERR_SYNTAX, "the file is empty");
        return take_bad(r, &why, e);
    }
    r->reader = snapfile_new(r->config.most);
    if (!r->reader) return err_nomem(e, "reading a snapshot");
    recover_ask(r, name, 0, s->size);
    return true;
}

bool recover_snapshot_feed(struct recover *r, struct slice bytes, const struct err *refused, struct err *e) {
    struct recover_snapshot *s = at_hand(r);
    struct err why = ERR_INIT;
    if (refused) {
        err_set(&why, ERR_FILESYSTEM, "the disk refuses to read it: %.120s", refused->text);
        why.at = (size_t)r->want.at;
        return take_bad(r, &why, e);
    }
    uint64_t end = r->want.at + bytes.len;
    if (bytes.len < r->want.len) s->size = end;
    while (bytes.len) {
        struct fed fed = snapfile_feed(r->reader, bytes, &why);
        bytes = slice_skip(bytes, fed.used);
        if (fed.step == STEP_BAD && why.code == ERR_NOMEM) {
            if (e) *e = why;
            return false;
        }
        if (fed.step == STEP_BAD) return take_bad(r, &why, e);
        if (fed.step == STEP_EVENT) {
            bool over;
            if (!take_about(r, &over, e)) return false;
            if (over) return true;
        }
    }
    if (end < s->size) {
        recover_ask(r, r->want.name, end, s->size);
        return true;
    }
    if (!snapfile_eof(r->reader, &why)) return take_bad(r, &why, e);
    return take_good(r, e);
}

/* --- behind the journal --- */

void recover_snapshot_judge(struct recover *r) {
    for (size_t i = 0; i < r->snapshot_n; i++) {
        const struct recover_snapshot *s = &r->snapshots[i];
        char name[STATE_NAME];
        if (!s->bad) continue;
        snapshot_name(name, s->revision);
        if (r->loaded == RECOVER_NOWHERE)
            recover_worsen(r, s->finding, name, 0, 0);
        else if (s->revision > r->reached)
            /* A name is given when everything in it is durable. */
            recover_worsen(r, s->finding, name, r->reached + 1, s->revision);
        else
            recover_add(r, s->finding,
                        i < r->loaded ? "; nothing is lost: an older one and the journal have it all"
                                      : "; nothing is lost: a newer one is good");
    }
}
