/* disks.c - the disks of the machine, as StartOS lists them: disk.list. The warden's job looks at them. */
#include "base/mem.h"
#include "system/room.h"

struct disks {
    struct call call;
    struct rpc_call *c;
};

static void disks_free(struct disks *d) {
    call_cancel(&d->call);
    mem_put(d, sizeof *d);
}

static struct val path_of(const struct val *name) {
    struct buf text;
    buf_init(&text, 300);
    buf_add(&text, LIT("/dev/"));
    buf_add(&text, val_as_text(name));
    struct val v = buf_ok(&text) ? val_of_text(buf_slice(&text)) : val_none;
    buf_release(&text);
    return v;
}

static struct val get(const struct val *map, const char *key) {
    const struct val *v = val_get(map, slice_str(key));
    return val_is_none(v) ? val_null() : val_ref(v);
}

static struct val show_part(const struct val *p) {
    return VAL_MAP_OF({"logicalname", path_of(val_get(p, LIT("name")))}, {"label", get(p, "label")},
                      {"capacity", get(p, "size")}, {"used", val_null()}, {"startOs", val_empty_map()},
                      {"legacyBackup", val_null()}, {"guid", get(p, "uuid")}, {"filesystem", get(p, "fstype")});
}

static struct val show_disk(const struct val *d) {
    struct val parts = val_empty_array();
    for (struct val_iter it = val_iter(val_get(d, LIT("partitions"))); val_next(&it);)
        if (!val_push(&parts, show_part(it.value))) {
            val_unref(&parts);
            break;
        }
    return VAL_MAP_OF({"logicalname", path_of(val_get(d, LIT("name")))}, {"partitionTable", get(d, "table")},
                      {"vendor", get(d, "vendor")}, {"model", get(d, "model")}, {"partitions", parts},
                      {"capacity", get(d, "size")}, {"guid", get(d, "uuid")}, {"filesystem", get(d, "fstype")});
}

static void probed(struct call *call, struct call_answer *a) {
    struct disks *d = LOOP_OWNER(struct disks, call, call);
    struct rpc_call *c = d->c;
    struct val list = val_empty_array();
    struct err e = a->err;
    disks_free(d);
    for (struct val_iter it = val_iter(val_get(&a->result, LIT("disks"))); val_next(&it);)
        if (!val_push(&list, show_disk(it.value))) {
            val_unref(&list);
            break;
        }
    if (e.code == ERR_NONE)
        rpc_give(c, list);
    else {
        val_unref(&list);
        rpc_fail(c, &e);
    }
}

static void drop(struct rpc_call *c) {
    disks_free(c->own);
}

void disks_run_list(struct rpc_call *c) {
    struct err e = ERR_INIT;
    struct disks *d = mem_get_zero(sizeof *d);
    if (!d) {
        err_nomem(&e, "the disks");
        rpc_fail(c, &e);
        return;
    }
    d->c = c;
    d->call.done = probed;
    if (!call_start(&d->call, system_of(c)->config.warden, "disk.probe", val_empty_map(), NULL, 0, 0, &e)) {
        disks_free(d);
        rpc_fail(c, &e);
        return;
    }
    c->own = d;
    c->drop = drop;
}

static const struct shape table_shape = {.kind = SHAPE_WORD, .null = true, .words = "mbr gpt"};
static const struct shape size_or_null = {.kind = SHAPE_INT, .null = true, .max = INT64_MAX};
static const struct shape map_shape = {.kind = SHAPE_MAP};
static const struct shape map_or_null = {.kind = SHAPE_MAP, .null = true};
SHAPE_RECORD_OF(part_shape, {.name = "logicalname", .shape = &shape_text},
                {.name = "label", .shape = &shape_text_or_null}, {.name = "capacity", .shape = &shape_u64},
                {.name = "used", .shape = &size_or_null}, {.name = "startOs", .shape = &map_shape},
                {.name = "legacyBackup", .shape = &map_or_null}, {.name = "guid", .shape = &shape_text_or_null},
                {.name = "filesystem", .shape = &shape_text_or_null});
SHAPE_LIST_OF(parts_shape, part_shape);
SHAPE_RECORD_OF(disk_shape, {.name = "logicalname", .shape = &shape_text},
                {.name = "partitionTable", .shape = &table_shape}, {.name = "vendor", .shape = &shape_text_or_null},
                {.name = "model", .shape = &shape_text_or_null}, {.name = "partitions", .shape = &parts_shape},
                {.name = "capacity", .shape = &shape_u64}, {.name = "guid", .shape = &shape_text_or_null},
                {.name = "filesystem", .shape = &shape_text_or_null});
const struct shape disks_result_shape = {.kind = SHAPE_LIST, .item = &disk_shape};

const struct method system_disk_rows[] = {
    {.name = "disk.list",
     .about = "Lists the disks of the machine and what they hold.",
     .result = &disks_result_shape,
     .callers = CALLER_OWNER,
     .where = IN_STARTD,
     .phases = PHASE_RUN,
     .run = disks_run_list},
    {.name = NULL},
};
