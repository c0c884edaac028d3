/* flow_record.c - what a flow keeps in the tree; see flow.h for what stands in it. */
#include "base/log.h"
#include "flow/flow_room.h"

#include <stdio.h>

/* --- what the plan knows of it --- */

static const struct shape word_shape = {.kind = SHAPE_TEXT, .min = 1, .max = 64};
static const struct shape text_shape = {.kind = SHAPE_TEXT};
static const struct shape bool_shape = {.kind = SHAPE_BOOL};
static const struct shape time_shape = {.kind = SHAPE_INT, .min = 0, .max = INT64_MAX};
static const struct shape facts_shape = {.kind = SHAPE_MAP};
static const struct shape_field why_fields[] = {
    {.name = "code", .shape = &word_shape, .about = "The kind of trouble."},
    {.name = "text", .shape = &text_shape, .about = "What happened."},
};
static const struct shape why_shape = {.kind = SHAPE_RECORD, .null = true, .fields = why_fields, .field_n = 2};
static const struct shape_field record_fields[] = {
    {.name = "kind", .shape = &word_shape, .about = "What is being done."},
    {.name = "at", .shape = &word_shape, .about = "The step that is begun, or is to be undone."},
    {.name = "back", .shape = &bool_shape, .about = "Whether it is being undone."},
    {.name = "args", .shape = &facts_shape, .attrs = PLAN_SECRET, .about = "What it was begun with."},
    {.name = "notes", .shape = &facts_shape, .attrs = PLAN_SECRET, .about = "What its steps must remember."},
    {.name = "began", .shape = &time_shape, .about = "When, in milliseconds since 1970."},
    {.name = "why", .shape = &why_shape, .about = "Why it is being undone."},
};
static const struct shape record_shape = {
    .kind = SHAPE_RECORD, .fields = record_fields, .field_n = sizeof record_fields / sizeof record_fields[0]};
static const struct shape records_shape = {.kind = SHAPE_MAP, .item = &record_shape};

const struct plan_branch flow_branches[] = {{"/private/flows", "flow", PLAN_PRIVATE, &records_shape}};
const unsigned flow_branch_n = sizeof flow_branches / sizeof flow_branches[0];

/* --- writing --- */

static struct val why_value(const struct flow *f) {
    if (!f->will.back) return val_null();
    return VAL_MAP_OF({"code", val_of_str(err_name(f->why.code))}, {"text", val_of_text_lossy(slice_str(f->why.text))});
}

static struct val record_value(const struct flow *f) {
    return VAL_MAP_OF({"kind", val_of_str(f->kind->name)}, {"at", val_of_str(flow_row(f, f->will.at)->name)},
                      {"back", val_of_bool(f->will.back)}, {"args", val_ref(&f->args)}, {"notes", val_ref(&f->notes)},
                      {"began", val_of_u64(f->began)}, {"why", why_value(f)});
}

void flow_record_put(const struct flow *f, struct state_txn *t) {
    char place[64];
    snprintf(place, sizeof place, "/private/flows/%s", f->id);
    if (f->will.gone) {
        /* It may be missing: a revision that was refused to us had reached the disk, or somebody has tidied up. */
        if (!val_is_none(txn_get(t, slice_str(place)))) txn_remove(t, slice_str(place), NULL);
        return;
    }
    if (val_is_none(txn_get(t, LIT("/private/flows")))) txn_put(t, LIT("/private/flows"), val_empty_map(), NULL);
    txn_put(t, slice_str(place), record_value(f), NULL);
}

/* --- reading --- */

const struct val *flow_records(const struct state *s) {
    return val_get(val_get(state_peek(s), LIT("private")), LIT("flows"));
}

static const struct flow_kind *find_kind(const struct flows *fs, const struct val *name) {
    for (unsigned i = 0; i < fs->config.kind_n; i++)
        if (val_is_text(name, slice_str(fs->config.kinds[i]->name))) return fs->config.kinds[i];
    return NULL;
}

static bool find_step(const struct flow_kind *kind, const struct val *name, unsigned *at) {
    for (unsigned i = 0; i < kind->step_n; i++)
        if (val_is_text(name, slice_str(kind->steps[i].name))) {
            *at = i;
            return true;
        }
    return false;
}

static struct err read_why(const struct val *why) {
    struct err e = ERR_INIT;
    struct slice text = val_as_text(val_get(why, LIT("text")));
    enum err_code code = ERR_UNKNOWN;
    for (int i = ERR_NONE + 1; i < ERR_CODE_N; i++)
        if (val_is_text(val_get(why, LIT("code")), slice_str(err_name((enum err_code)i)))) code = (enum err_code)i;
    err_set(&e, code, "%.*s", (int)text.len, (const char *)text.ptr);
    return e;
}

struct flow *flow_record_read(struct flows *fs, struct slice id, const struct val *record, struct err *e) {
    const struct val *name = val_get(record, LIT("kind")), *step = val_get(record, LIT("at"));
    const struct val *args = val_get(record, LIT("args")), *notes = val_get(record, LIT("notes"));
    const struct flow_kind *kind = find_kind(fs, name);
    unsigned at = 0;
    if (id.len > FLOW_ID || !kind || !find_step(kind, step, &at) || args->kind != VAL_MAP || notes->kind != VAL_MAP) {
        struct slice n = val_as_text(name), s = val_as_text(step);
        err_set(e, ERR_UNSUPPORTED, "it is of kind \"%.*s\" and at step \"%.*s\"", (int)slice_head(n, 64).len,
                (const char *)n.ptr, (int)slice_head(s, 64).len, (const char *)s.ptr);
        return NULL;
    }
    struct flow *f = flow_new(fs, kind, val_ref(args), val_ref(notes), e);
    if (!f) return NULL;
    snprintf(f->id, sizeof f->id, "%.*s", (int)id.len, (const char *)id.ptr);
    val_as_u64(val_get(record, LIT("began")), &f->began);
    f->is = (struct flow_place){.at = at, .back = val_is_true(val_get(record, LIT("back")))};
    if (f->is.back) f->why = read_why(val_get(record, LIT("why")));
    return f;
}
