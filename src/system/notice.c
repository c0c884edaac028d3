/* notice.c - notifications: what the box has to say to its owner, kept until it is taken away. See system.h.
 *
 * Ids count up and are never used again. */
#include "system/room.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/num.h"

#include <stdio.h>
#include <stdlib.h>

#define NOTICES "/private/notifications"
#define UNREAD  LIT("/public/serverInfo/unreadNotificationCount")

static const struct val *all_notices(const struct rpc_call *c) {
    return val_get(val_get(state_peek(rpc_state(c->rpc)), LIT("private")), LIT("notifications"));
}

static void place(char out[64], uint64_t id, const char *behind) {
    snprintf(out, 64, NOTICES "/%llu%s", (unsigned long long)id, behind);
}

/* --- making --- */

static bool add(struct state_txn *t, struct val notice, struct err *e) {
    char pointer[64];
    uint64_t id = txn_get_u64(t, LIT("/private/nextNotification"), 1);
    const struct val *kept = txn_get(t, LIT(NOTICES));
    if (val_count(kept) >= LIMIT_SYSTEM_NOTICES) { /* the oldest goes */
        struct val_iter it = val_iter(kept);
        uint64_t first = 0;
        if (val_next(&it) && num_read_u64(val_as_text(it.key), 0, UINT32_MAX, &first)) {
            if (!val_is_true(val_get(it.value, LIT("seen")))) txn_put_u64(t, UNREAD, txn_get_u64(t, UNREAD, 1) - 1, e);
            place(pointer, first, "");
            txn_remove(t, slice_str(pointer), e);
        }
    }
    place(pointer, id, "");
    txn_put(t, slice_str(pointer), notice, e);
    txn_put_u64(t, LIT("/private/nextNotification"), id + 1, e);
    return txn_put_u64(t, UNREAD, txn_get_u64(t, UNREAD, 0) + 1, e);
}

static void run_create(struct rpc_call *c) {
    struct state_txn t;
    struct err e = ERR_INIT;
    const struct val *p = &c->params, *package = val_get(p, LIT("package"));
    if (!system_begin_txn(system_of(c), &t, "system", &e)) {
        rpc_fail(c, &e);
        return;
    }
    add(&t,
        VAL_MAP_OF({"packageId", val_is_none(package) ? val_null() : val_ref(package)},
                   {"createdAt", system_time(clock_wall_ms())}, {"code", val_of_u64(0)},
                   {"level", val_ref(val_get(p, LIT("level")))}, {"title", val_ref(val_get(p, LIT("title")))},
                   {"message", val_ref(val_get(p, LIT("message")))}, {"data", val_null()},
                   {"seen", val_of_bool(false)}),
        &e);
    system_answer(c, state_commit(&t, NULL, &e), &e);
}

/* --- listing --- */

static int newest_first(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? 1 : x > y ? -1 : 0;
}

static size_t sorted_ids(const struct rpc_call *c, uint64_t ids[LIMIT_SYSTEM_NOTICES]) {
    size_t n = 0;
    for (struct val_iter it = val_iter(all_notices(c)); n < LIMIT_SYSTEM_NOTICES && val_next(&it);)
        n += num_read_u64(val_as_text(it.key), 0, UINT32_MAX, &ids[n]);
    if (n) qsort(ids, n, sizeof *ids, newest_first);
    return n;
}

static void run_list(struct rpc_call *c) {
    uint64_t ids[LIMIT_SYSTEM_NOTICES], before = UINT64_MAX, limit = 40;
    struct val list = val_empty_array();
    char key[24];
    size_t n = sorted_ids(c, ids);
    bool good = true;
    val_as_u64(val_get(&c->params, LIT("before")), &before);
    val_as_u64(val_get(&c->params, LIT("limit")), &limit);
    for (size_t i = 0; good && i < n && val_count(&list) < limit; i++) {
        if (ids[i] >= before) continue;
        snprintf(key, sizeof key, "%llu", (unsigned long long)ids[i]);
        struct val one = VAL_MAP_OF({"id", val_of_u64(ids[i])});
        for (struct val_iter it = val_iter(val_get(all_notices(c), slice_str(key))); good && val_next(&it);)
            good = val_set(&one, val_ref(it.key), val_ref(it.value));
        good = val_push(&list, one) && good;
    }
    if (!good) val_unref(&list);
    rpc_give(c, list);
}

/* --- changing --- */

enum act { ACT_REMOVE, ACT_SEEN, ACT_UNSEEN };

static void act_on(struct state_txn *t, uint64_t id, enum act act, struct err *e) {
    char pointer[64];
    place(pointer, id, "/seen");
    const struct val *seen = txn_get(t, slice_str(pointer));
    if (val_is_none(seen)) return; /* not there: as good as done */
    bool was = val_is_true(seen), is = act != ACT_UNSEEN;
    if (was != is) txn_put_u64(t, UNREAD, txn_get_u64(t, UNREAD, 0) + (was ? 1 : (uint64_t)-1), e);
    if (act == ACT_REMOVE) {
        place(pointer, id, "");
        txn_remove(t, slice_str(pointer), e);
    } else
        txn_put_bool(t, slice_str(pointer), is, e);
}

static void run_ids(struct rpc_call *c, enum act act) {
    struct state_txn t;
    struct err e = ERR_INIT;
    if (!system_begin_txn(system_of(c), &t, "system", &e)) {
        rpc_fail(c, &e);
        return;
    }
    for (struct val_iter it = val_iter(val_get(&c->params, LIT("ids"))); val_next(&it);) {
        uint64_t id = 0;
        if (val_as_u64(it.value, &id)) act_on(&t, id, act, &e);
    }
    system_answer(c, state_commit(&t, NULL, &e), &e);
}

/* Up to an id: with it, or without. */
static void run_before(struct rpc_call *c, enum act act, bool with) {
    struct state_txn t;
    struct err e = ERR_INIT;
    uint64_t ids[LIMIT_SYSTEM_NOTICES], before = 0;
    size_t n = sorted_ids(c, ids);
    val_as_u64(val_get(&c->params, LIT("before")), &before);
    if (!system_begin_txn(system_of(c), &t, "system", &e)) {
        rpc_fail(c, &e);
        return;
    }
    for (size_t i = 0; i < n; i++)
        if (ids[i] < before || (with && ids[i] == before)) act_on(&t, ids[i], act, &e);
    system_answer(c, state_commit(&t, NULL, &e), &e);
}

static void run_remove(struct rpc_call *c) {
    run_ids(c, ACT_REMOVE);
}
static void run_seen(struct rpc_call *c) {
    run_ids(c, ACT_SEEN);
}
static void run_unseen(struct rpc_call *c) {
    run_ids(c, ACT_UNSEEN);
}
static void run_remove_before(struct rpc_call *c) {
    run_before(c, ACT_REMOVE, false);
}
static void run_seen_before(struct rpc_call *c) {
    run_before(c, ACT_SEEN, true);
}

/* --- rows --- */

static const struct shape id_shape = {.kind = SHAPE_INT, .max = UINT32_MAX};
static const struct shape ids_shape = {.kind = SHAPE_LIST, .item = &id_shape, .max = LIMIT_SYSTEM_NOTICES};
static const struct shape level_shape = {.kind = SHAPE_WORD, .words = "success info warning error"};
static const struct shape some_shape = {.kind = SHAPE_INT, .min = 0, .max = LIMIT_SYSTEM_NOTICES};
static const struct shape words_shape = {.kind = SHAPE_TEXT, .max = 4096};
SHAPE_RECORD_OF(list_params,
                {.name = "before", .shape = &id_shape, .optional = true, .about = "Only older ones than this."},
                {.name = "limit", .shape = &some_shape, .fallback = "40", .about = "At most so many."});
SHAPE_RECORD_OF(notice_result, {.name = "id", .shape = &id_shape}, {.name = "packageId", .shape = &shape_text_or_null},
                {.name = "createdAt", .shape = &shape_time}, {.name = "code", .shape = &shape_u64},
                {.name = "level", .shape = &level_shape}, {.name = "title", .shape = &shape_text},
                {.name = "message", .shape = &shape_text}, {.name = "data", .shape = &shape_any},
                {.name = "seen", .shape = &shape_bool});
SHAPE_LIST_OF(list_result, notice_result);
SHAPE_RECORD_OF(ids_params, {.name = "ids", .shape = &ids_shape, .about = "Which ones."});
SHAPE_RECORD_OF(before_params, {.name = "before", .shape = &id_shape, .about = "Up to which one."});
SHAPE_RECORD_OF(create_params, {.name = "level", .shape = &level_shape, .about = "How much it matters."},
                {.name = "title", .shape = &words_shape, .about = "A few words."},
                {.name = "message", .shape = &words_shape, .about = "What there is to say."},
                {.name = "package", .shape = &words_shape, .optional = true, .about = "The service it is about."});

#define NOTICE_ROW(name_, about_, run_, params_, words_, ...)                                                          \
    {                                                                                                                  \
        .name = (name_), .about = (about_), .callers = CALLER_OWNER, .where = IN_STARTD, .phases = PHASE_RUN,          \
        .run = (run_), .params = (params_), .words = (words_), __VA_ARGS__                                             \
    }

const struct method system_notice_rows[] = {
    NOTICE_ROW("notification.list", "Lists what the box has to say, the newest first.", run_list, &list_params, NULL,
               .result = &list_result),
    NOTICE_ROW("notification.create", "Says something to the owner of the box.", run_create, &create_params,
               "level title message", .effect = METHOD_CHANGES, .flags = METHOD_SYNC),
    NOTICE_ROW("notification.remove", "Takes notifications away.", run_remove, &ids_params, "ids",
               .effect = METHOD_FINAL, .flags = METHOD_SYNC),
    NOTICE_ROW("notification.remove-before", "Takes all away that are older than one.", run_remove_before,
               &before_params, "before", .effect = METHOD_FINAL, .flags = METHOD_SYNC),
    NOTICE_ROW("notification.mark-seen", "Marks notifications as read.", run_seen, &ids_params, "ids",
               .effect = METHOD_CHANGES, .flags = METHOD_SYNC),
    NOTICE_ROW("notification.mark-seen-before", "Marks one and all older ones as read.", run_seen_before,
               &before_params, "before", .effect = METHOD_CHANGES, .flags = METHOD_SYNC),
    NOTICE_ROW("notification.mark-unseen", "Marks notifications as not read.", run_unseen, &ids_params, "ids",
               .effect = METHOD_CHANGES, .flags = METHOD_SYNC),
    {.name = NULL},
};
