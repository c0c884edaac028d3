/* plan_migrate.c - states of older programs are led on to this version, or refused with a reason. */
#include "state/plan_play.h"

/* --- migrate --- */

static char heard[200];
static void hear(const char *about) {
    size_t n = strlen(heard);
    snprintf(heard + n, sizeof heard - n, "%s;", about);
}

/* From 2: ports, which were text, become numbers. "open" (since 2) must be there, "speed" (since 4) not yet. */
static bool mend_ports(struct val *root, struct err *e) {
    (void)e;
    struct slice rest, port_text = val_as_text(jsonptr_get(root, LIT("/net/port"), NULL));
    uint64_t n = 0;
    for (rest = port_text; rest.len; rest = slice_skip(rest, 1)) n = n * 10 + (uint64_t)(rest.ptr[0] - '0');
    if (val_is_none(jsonptr_get(root, LIT("/net/open"), NULL))) return false;
    if (!val_is_none(jsonptr_get(root, LIT("/net/speed"), NULL))) return false;
    return jsonptr_change(root, JSONPTR_REPLACE, LIT("/net/port"), val_of_u64(n), e);
}
static bool refuse_it(struct val *root, struct err *e) {
    (void)root;
    return err_set(e, ERR_INVALID, "want a disk, found none");
}
static bool say_nothing(struct val *root, struct err *e) {
    (void)root, (void)e;
    return false;
}
static bool spoil(struct val *root, struct err *e) {
    return jsonptr_change(root, JSONPTR_ADD, LIT("/net/port"), val_of_str("spoiled"), e);
}

static const struct shape_field net_fields[] = {
    FIELD("port", &port),
    FIELD("open", &boolean, .since = 2, .fallback = "true"),
    FIELD("speed", &integer, .since = 4, .fallback = "100"),
    FIELD("now", &integer, .since = 4, .attrs = PLAN_VOLATILE),
};
static const struct shape net = {RECORD(net_fields)};
static const struct plan_branch net_rows[] = {{"/net", "net", 0, &net}};
static struct plan_migration steps[] = {{2, "ports become numbers", mend_ports}, {4, "nothing much", NULL}};

static struct plan *make_net(unsigned migrations, unsigned oldest) {
    struct plan_config c = {.name = "n",
                            .version = 5,
                            .oldest = oldest,
                            .birth = "{\"net\":{\"port\":1,\"open\":true,\"speed\":2}}",
                            .branches = net_rows,
                            .branch_n = 1,
                            .migrations = steps,
                            .migration_n = migrations};
    return make(&c);
}

static void check_led(const struct plan *p, unsigned version, const char *was, const char *want, const char *why) {
    struct val v = parse(was), before = val_ref(&v);
    struct err e = ERR_INIT;
    heard[0] = 0;
    CHECK(plan_migrate(p, &v, version, hear, &e) == !why);
    if (why) {
        CHECK_TEXT(slice_str(e.text), slice_str(why));
        CHECK(val_same(&v, &before));
    } else
        CHECK(is_json(&v, want));
    val_unref(&v);
    val_unref(&before);
}

TEST(an_old_state_is_led_on_step_by_step) {
    struct plan *p = make_net(1, 0);
    check_led(p, 1, "{\"net\":{\"port\":\"80\"}}", "{\"net\":{\"port\":80,\"open\":true,\"speed\":100}}", NULL);
    CHECK_TEXT(slice_str(heard), LIT("ports become numbers;"));
    check_led(p, 2, "{\"net\":{\"port\":\"80\",\"open\":false}}",
              "{\"net\":{\"port\":80,\"open\":false,\"speed\":100}}", NULL);
    CHECK_TEXT(slice_str(heard), LIT("ports become numbers;"));
    check_led(p, 3, "{\"net\":{\"port\":80,\"open\":false}}", "{\"net\":{\"port\":80,\"open\":false,\"speed\":100}}",
              NULL);
    CHECK_TEXT(slice_str(heard), LIT(""));
    check_led(p, 4, "{\"net\":{\"port\":80,\"open\":false,\"speed\":1}}",
              "{\"net\":{\"port\":80,\"open\":false,\"speed\":1}}", NULL);
    check_led(p, 5, "{\"anything\":1}", "{\"anything\":1}", NULL);
    /* What does not fit at the end was not led well. */
    check_led(p, 4, "{\"net\":{\"port\":80,\"open\":false}}", NULL,
              "after leading it to version 5: /net/speed: want an integer, found nothing");
    check_led(p, 6, "{}", NULL,
              "this state was written by a newer program (state version 6, this one knows up to 5): start that one, or "
              "restore a backup");
    check_led(p, 0, "{}", NULL,
              "this state is too old (state version 0, this program leads on from 1): start an older program once, or "
              "restore a newer backup");
    struct val v = val_null();
    struct err e = ERR_INIT;
    CHECK(!plan_migrate(p, &v, 6, NULL, &e) && e.code == ERR_UNSUPPORTED);
    plan_free(p);
    p = make_net(1, 2);
    check_led(p, 1, "{\"net\":{\"port\":\"80\"}}", NULL,
              "this state is too old (state version 1, this program leads on from 2): start an older program once, or "
              "restore a newer backup");
    check_led(p, 2, "{\"net\":{\"port\":\"80\",\"open\":false}}",
              "{\"net\":{\"port\":80,\"open\":false,\"speed\":100}}", NULL);
    plan_free(p);
}

TEST(a_migration_that_fails_leaves_the_state_as_it_was_and_says_which) {
    steps[1].run = refuse_it;
    struct plan *p = make_net(2, 0);
    check_led(p, 1, "{\"net\":{\"port\":\"80\"}}", NULL,
              "the migration from version 4 (nothing much): want a disk, found none");
    CHECK_TEXT(slice_str(heard), LIT("ports become numbers;nothing much;"));
    plan_free(p);
    steps[1].run = say_nothing;
    p = make_net(2, 0);
    check_led(p, 4, "{\"net\":{}}", NULL, "the migration from version 4 (nothing much): it failed and did not say why");
    plan_free(p);
    steps[1].run = spoil;
    p = make_net(2, 0);
    check_led(p, 2, "{\"net\":{\"port\":\"80\",\"open\":true}}", NULL,
              "after leading it to version 5: /net/port: want an integer from 1 to 65535, found \"spoiled\"");
    plan_free(p);
}

static bool lead_old(void *arg) {
    const struct plan *p = arg;
    struct val v = VAL_MAP_OF({"net", VAL_MAP_OF({"port", val_of_str("80")})});
    if (val_is_none(&v)) return false;
    struct val before = val_ref(&v);
    struct err e = ERR_INIT;
    bool good = plan_migrate(p, &v, 1, NULL, &e);
    CHECK(good || (e.code == ERR_NOMEM && val_same(&v, &before)));
    val_unref(&v);
    val_unref(&before);
    return good;
}

TEST(every_failed_allocation_leaves_the_state_as_it_was) {
    struct plan *p = make_net(1, 0);
    faults_sweep(lead_old, p, "leading an old state on");
    plan_free(p);
}

TAP_MAIN(T(an_old_state_is_led_on_step_by_step), T(a_migration_that_fails_leaves_the_state_as_it_was_and_says_which),
         T(every_failed_allocation_leaves_the_state_as_it_was))
