/* plan.c - a plan like the real one: what its rows make of places, who may change what, and what fits. What readers
 * see: plan_strip.c. Old states: plan_migrate.c. Against a plain model: plan_model.c. Rows that contradict each other:
 * plan_rows.c. */
#include "state/plan_play.h"

/* --- places --- */

static const struct {
    const char *pointer;
    unsigned attrs;
} places[] = {
    {"", 0},
    {"/public", 0},
    {"/nowhere", 0},
    {"/public/serverInfo/passwordHash", PLAN_SECRET | PLAN_PRIVATE | PLAN_NULL},
    {"/public/serverInfo/passwordHash/deep/er", PLAN_SECRET | PLAN_PRIVATE | PLAN_NULL},
    {"/public/serverInfo/smtp", 0},
    {"/public/serverInfo/smtp/password", PLAN_SECRET | PLAN_PRIVATE | PLAN_NULL},
    {"/public/serverInfo/uptime", PLAN_VOLATILE},
    {"/public/serverInfo/network/gateways/eth0", 0},
    {"/public/serverInfo/network/gateways/eth0/up", PLAN_VOLATILE},
    {"/public/packageData/notes/state/progress", PLAN_VOLATILE},
    {"/public/packageData/notes/state/manifest", 0},
    {"/public/packageData/notes/hosts/web/key", PLAN_SECRET | PLAN_PRIVATE},
    {"/public/packageData/notes/hosts/web/port", 0},
    {"/public/ui/draft", PLAN_VOLATILE},
    {"/public/ui/draf", 0},
    {"/public/ui/draft1", 0},
    {"/public/ui/a~1b/x", PLAN_PRIVATE},
    {"/public/ui/a/b", 0},
    {"/public/ui/c/0", 0},
    {"/private", PLAN_PRIVATE},
    {"/private/more/0", PLAN_PRIVATE},
    {"/private/keys/a", PLAN_PRIVATE | PLAN_SECRET},
};

TEST(a_place_has_the_attributes_of_all_rows_and_fields_above_it) {
    struct plan *p = make(&config);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (!CHECK_INT(plan_attrs(p, slice_str(places[i].pointer)), places[i].attrs)) tap_note("%s", places[i].pointer);
    CHECK(plan_below(p, LIT(""), PLAN_SECRET) && plan_below(p, LIT("/public"), PLAN_PRIVATE));
    CHECK(plan_below(p, LIT("/public/packageData/notes/hosts"), PLAN_SECRET));
    CHECK(!plan_below(p, LIT("/public/packageData/notes/state"), PLAN_SECRET));
    CHECK(plan_below(p, LIT("/private"), PLAN_SECRET) && !plan_below(p, LIT("/private"), PLAN_PRIVATE));
    CHECK(!plan_below(p, LIT("/private/keys"), PLAN_ATTRS) && !plan_below(p, LIT("/public/ui/c"), PLAN_ATTRS));
    CHECK(!plan_below(p, LIT("/public/ui/c/d/e"), PLAN_ATTRS));
    CHECK(plan_config_of(p)->version == 3 && strcmp(plan_config_of(p)->name, "startd") == 0);
    CHECK_INT(plan_owner(p, "net"), 1);
    CHECK(plan_owner(p, "service") == 4 && !plan_owner(p, "nobody") && !plan_owner(p, ""));
    plan_free(p);
    plan_free(NULL);
}

/* --- may --- */

static const struct {
    const char *owners, *pointer, *was, *is, *want; /* was, is NULL: nothing there */
} changes[] = {
    {"service", "/public/packageData/notes/status", "1", "2", NULL},
    {"system", "/public/packageData/notes/status", "1", "2",
     "/public/packageData/notes/status: want a change by its owner, which is service, found one by system"},
    {"net", "/public/packageData/notes/hosts/web", NULL, "{}", NULL},
    {"service", "/public/packageData/notes/hosts/web", NULL, "{}",
     "/public/packageData/notes/hosts/web: want a change by its owner, which is net, found one by service"},
    {"service", "/public/packageData/notes", "{\"hosts\":{\"a\":1},\"x\":1}", "{\"x\":2,\"hosts\":{\"a\":1}}", NULL},
    {"service", "/public/packageData/notes", "{\"hosts\":{\"a\":1}}", "{\"hosts\":{\"a\":2}}",
     "/public/packageData/notes/hosts: want a change by its owner, which is net, found one by service"},
    {"service", "/public/packageData/notes", NULL, "{\"status\":1}", NULL},
    {"service", "/public/packageData/notes", NULL, "{\"hosts\":{}}",
     "/public/packageData/notes/hosts: want a change by its owner, which is net, found one by service"},
    {"service net", "/public/packageData/notes", NULL, "{\"hosts\":{}}", NULL},
    {"service", "/public/packageData/notes", "{\"hosts\":{}}", NULL,
     "/public/packageData/notes/hosts: want a change by its owner, which is net, found one by service"},
    {"service", "/public/packageData/notes", "{\"hosts\":{}}", "[]",
     "/public/packageData/notes/hosts: want a change by its owner, which is net, found one by service"},
    {"service", "/public/packageData", "{\"a\":{\"hosts\":1},\"b\":{\"hosts\":1}}",
     "{\"a\":{\"hosts\":1},\"b\":{\"hosts\":2}}",
     "/public/packageData/b/hosts: want a change by its owner, which is net, found one by service"},
    {"service", "/public/packageData", "{\"a\":{\"hosts\":1,\"s\":1}}", "{\"a\":{\"hosts\":1,\"s\":2},\"c\":{}}", NULL},
    {"system", "/public", "{\"serverInfo\":{\"name\":\"a\",\"network\":1},\"ui\":1}",
     "{\"serverInfo\":{\"name\":\"b\",\"network\":1},\"ui\":1}", NULL},
    {"system", "/public", "{\"serverInfo\":{\"network\":1}}", "{\"serverInfo\":{\"network\":2}}",
     "/public/serverInfo/network: want a change by its owner, which is net, found one by system"},
    {"system", "/public", "{\"ui\":1}", "{}",
     "/public/ui: want a change by its owner, which is ui, found one by system"},
    {"ui", "/public/ui", "{\"a/b\":1}", "{\"a/b\":1,\"c\":1}", NULL},
    {"ui", "/public/ui", "{\"a/b\":1}", "{\"a/b\":2}",
     "/public/ui/a~1b: want a change by its owner, which is net, found one by ui"},
    {"ui", "/public/ui/draft/3", "1", "2", NULL},
    {"ui auth", "/private/more/0", "1", "2",
     "/private/more/0: want a change by its owner, which is system, found one by ui, auth"},
    {"auth", "/private/keys/a", NULL, "1", NULL},
    {"system", "/other", NULL, "1", "/other: want a change by its owner, which is nobody, found one by system"},
    {"", "/public/ui", "1", "2", "/public/ui: want a change by its owner, which is ui, found one by nobody"},
    /* At the root: whatever differs must be theirs. */
    {"ui", "", "{\"public\":{\"ui\":1}}", "{\"public\":{\"ui\":2}}", NULL},
    {"ui", "", "{\"public\":{\"ui\":1}}", "{\"public\":{\"ui\":2,\"serverInfo\":1}}",
     "/public/serverInfo: want a change by its owner, which is system, found one by ui"},
    {"ui", "", "{\"public\":{\"ui\":1}}", "{\"public\":{\"ui\":1},\"x\":1}",
     "/x: want a change by its owner, which is nobody, found one by ui"},
    {"ui", "", "{\"public\":{\"ui\":1}}", "{}",
     "/public: want a change by its owner, which is system, found one by ui"},
    {"ui", "", "null", "{}", "the root: want a change by its owner, which is nobody, found one by ui"},
    {"*", "/other", NULL, "1", NULL},
    {"*", "", "1", "2", NULL},
    {"ui", "public", "1", "2", "a pointer is empty or begins with \"/\""},
};

TEST(who_may_change_what_is_told_with_the_path_and_both_owners) {
    struct plan *p = make(&config);
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        uint64_t owners = strcmp(changes[i].owners, "*") == 0 ? PLAN_ALL_OWNERS : 0;
        struct slice rest = slice_str(changes[i].owners);
        while (!owners && rest.len) {
            char one[20];
            while (rest.len) {
                struct slice s = slice_cut(&rest, ' ');
                snprintf(one, sizeof one, "%.*s", (int)s.len, (const char *)s.ptr);
                owners |= plan_owner(p, one);
            }
        }
        struct val was = changes[i].was ? parse(changes[i].was) : val_none;
        struct val is = changes[i].is ? parse(changes[i].is) : val_none;
        struct err e = ERR_INIT;
        bool good = plan_may(p, owners, slice_str(changes[i].pointer), &was, &is, &e);
        CHECK(good == plan_may(p, owners, slice_str(changes[i].pointer), &was, &is, NULL));
        if (!CHECK(good == !changes[i].want)) tap_note("%s by %s: %s", changes[i].pointer, changes[i].owners, e.text);
        if (changes[i].want && !good) CHECK_TEXT(slice_str(e.text), slice_str(changes[i].want));
        val_unref(&was);
        val_unref(&is);
    }
    plan_free(p);
}

TEST(judging_a_change_costs_what_differs) {
    struct plan *p = make(&config);
    struct val was = many_packages(20000), is = val_ref(&was);
    struct val key = val_of_str("package-777");
    struct val *slot = val_edit(&is, &key, 3);
    CHECK(slot && val_set_str(slot, "status", val_of_u64(7)));
    val_cost = (struct val_cost){.nodes = 0};
    CHECK(plan_may(p, plan_owner(p, "service"), LIT("/public/packageData"), &was, &is, NULL));
    CHECK(val_cost.visited < 200 && val_cost.nodes == 0);
    uint64_t calls = mem_stats().calls;
    CHECK(plan_may(p, plan_owner(p, "service"), LIT("/public/packageData"), &was, &was, NULL));
    CHECK_INT(mem_stats().calls, calls);
    slot = val_edit(&is, &key, 3);
    CHECK(slot && val_set_str(slot, "hosts", val_null()));
    CHECK(!plan_may(p, plan_owner(p, "service"), LIT("/public/packageData"), &was, &is, NULL));
    val_unref(&key);
    val_unref(&was);
    val_unref(&is);
    plan_free(p);
}

/* --- fits --- */

static const struct {
    const char *pointer, *value, *want; /* value NULL: removed; want NULL: fits */
} puttings[] = {
    {"/public/packageData/notes/status", "\"stopped\"", NULL},
    {"/public/packageData/notes/status", "\"sleeping\"",
     "/public/packageData/notes/status: want one of stopped running restarting, found \"sleeping\""},
    {"/public/packageData/notes/status", NULL,
     "/public/packageData/notes/status: want one of stopped running restarting, found nothing"},
    {"/public/packageData/notes/hosts", NULL, "/public/packageData/notes/hosts: want a map, found nothing"},
    {"/public/packageData/notes/limits", NULL, NULL},
    {"/public/packageData/notes/colour", "1",
     "/public/packageData/notes/colour: want nothing of this name here, found 1"},
    {"/public/packageData/notes", NULL, NULL},
    {"/public/packageData/more", "{" NOTES "}",
     "/public/packageData/more/state: want a map whose \"state\" is one of "
     "installing installed, found nothing"},
    {"/public/packageData/notes/hosts/mail", "{\"port\":25}", NULL},
    {"/public/packageData/notes/hosts/mail", "{\"port\":0}",
     "/public/packageData/notes/hosts/mail/port: want an integer from 1 to 65535, found 0"},
    {"/public/packageData/notes/hosts/web/port", "70000",
     "/public/packageData/notes/hosts/web/port: want an integer from 1 to 65535, found 70000"},
    {"/public/packageData/notes/hosts/web/key", "\"hush\"",
     "/public/packageData/notes/hosts/web/key: want a string of bytes, found text"},
    /* A rule of what is around it is asked again. */
    {"/public/packageData/notes/limits/high", "9", NULL},
    {"/public/packageData/notes/limits/low", "9",
     "/public/packageData/notes/limits: want low not above high, found 9 above 2"},
    /* The tag decides what else there is: all of it is looked at again. */
    {"/public/packageData/notes/state/state", "\"installing\"",
     "/public/packageData/notes/state/manifest: want nothing of this name here, found a map of 0"},
    {"/public/packageData/notes/state/state", "\"lost\"",
     "/public/packageData/notes/state/state: want one of installing installed, found \"lost\""},
    {"/public/packageData/notes/state/state", NULL,
     "/public/packageData/notes/state/state: want one of installing installed, found nothing"},
    {"/public/packageData/notes/state", "{\"state\":\"installing\"}", NULL},
    {"/public/packageData/notes/state/progress", "\"5\"", NULL},
    {"/public/packageData/notes/state/progress", "5",
     "/public/packageData/notes/state/progress: want text or null, found 5"},
    {"/public/packageData/notes/state/manifest/any/thing", "{}",
     "/public/packageData/notes/state/manifest/any: want a place that is in the tree, found nothing"},
    {"/public/packageData/notes/state/manifest/any", "[{}]", NULL},
    /* How many. */
    {"/public/serverInfo/tags/-", "\"c\"", NULL},
    {"/public/serverInfo/tags/0", "\"\"", "/public/serverInfo/tags/0: want text of 1 to 8 bytes, found \"\""},
    {"/public/serverInfo/tags", "[\"a\",\"b\",\"c\",\"d\"]",
     "/public/serverInfo/tags: want an array of 1 to 3 elements, found an array of 4"},
    {"/public/serverInfo/tags", "[\"a\",2]", "/public/serverInfo/tags/1: want text of 1 to 8 bytes, found 2"},
    {"/public/serverInfo/network/gateways/eth0", NULL,
     "/public/serverInfo/network/gateways: want a map of 1 to 3 keys, found a map of 0"},
    {"/public/serverInfo/network/gateways/eth1", "{\"label\":\"x\"}", NULL},
    {"/public/serverInfo/network/gateways/eth1", "{\"label\":\"x\",\"up\":1}",
     "/public/serverInfo/network/gateways/eth1/up: want true or false, found 1"},
    {"/public/serverInfo/network", "{}",
     "/public/serverInfo/network/gateways: want a map of 1 to 3 keys, found nothing"},
    /* What is volatile may go. */
    {"/public/serverInfo/uptime", NULL, NULL},
    {"/public/serverInfo/name", NULL, "/public/serverInfo/name: want text or null, found nothing"},
    {"/public/serverInfo/passwordHash", "4711", "/public/serverInfo/passwordHash: want text or null, found an integer"},
    {"/public/serverInfo/smtp", "null", NULL},
    {"/public/serverInfo/smtp/password", "[4711]",
     "/public/serverInfo/smtp/password: want text or null, found an array"},
    /* Where nobody says what it must be like. */
    {"/public/ui", "{\"x\":[1,{\"y\":null}]}", NULL},
    {"/public/ui/x", "[[[]]]", NULL},
    {"/public/ui", "[1]", "/public/ui: want a map, as the plan knows what stands below, found an array of 1"},
    {"/public/ui", "null", NULL},
    {"/public/ui/c/d", "1", "/public/ui/c: want a place that is in the tree, found nothing"},
    {"/public/ui/a~1b", "{}", NULL},
    {"/public/ui/draft", "{\"size\":2}", NULL},
    {"/public/ui/draft", "{\"speed\":2}", "/public/ui/draft/size: want an integer, found nothing"},
    {"/private/more/0", "2", NULL},
    {"/private/keys", NULL, "/private/keys: want a map, found nothing"},
    {"/private/keys/a", "\"x\"", "/private/keys/a: want a string of bytes, found text"},
    {"/private/new", "1", NULL},
    {"/other", "1", "/other: want nothing of this name here, found 1"},
    {"/private", NULL, "/private: want a map, found nothing"},
    {"", "[]", "the root: want a map, found an array of 0"},
    {"", "null", "the root: want a map, found null"},
    {"", TREE, NULL},
    {"x", "1", "a pointer is empty or begins with \"/\""},
};

static bool put(struct val *root, const char *pointer, const char *value) {
    struct val v = value ? parse(value) : val_none;
    return jsonptr_change(root, value ? JSONPTR_ADD : JSONPTR_REMOVE, slice_str(pointer), v, NULL);
}

TEST(what_is_put_must_fit_and_the_refusal_says_where_and_why) {
    struct plan *p = make(&config);
    for (size_t i = 0; i < sizeof puttings / sizeof puttings[0]; i++) {
        struct val root = parse(TREE), v = puttings[i].value ? parse(puttings[i].value) : val_none;
        struct err e = ERR_INIT;
        /* Elements are replaced, not inserted. */
        bool element = strstr(puttings[i].pointer, "/0") != NULL;
        if (element)
            CHECK(jsonptr_change(&root, JSONPTR_REPLACE, slice_str(puttings[i].pointer), val_ref(&v), NULL));
        else
            put(&root, puttings[i].pointer, puttings[i].value);
        bool good = plan_fits(p, &root, slice_str(puttings[i].pointer), &v, &e);
        CHECK(good == plan_fits(p, &root, slice_str(puttings[i].pointer), &v, NULL));
        if (!CHECK(good == !puttings[i].want)) tap_note("%s: %s", puttings[i].pointer, e.text);
        if (puttings[i].want && !good) CHECK_TEXT(slice_str(e.text), slice_str(puttings[i].want));
        val_unref(&root);
        val_unref(&v);
    }
    plan_free(p);
}

static void check_put(const struct plan *p, const char *pointer, struct val v, const char *want) {
    struct val root = parse(TREE);
    struct err e = ERR_INIT;
    CHECK(jsonptr_change(&root, JSONPTR_ADD, slice_str(pointer), val_ref(&v), NULL));
    CHECK(plan_fits(p, &root, slice_str(pointer), &v, &e) == !want);
    if (want) CHECK_TEXT(slice_str(e.text), slice_str(want));
    val_unref(&root);
    val_unref(&v);
}

TEST(another_tag_makes_another_record_of_what_stayed) {
    struct plan *p = make(&config);
    struct val root = parse(TREE), v = val_of_str("installing"), progress = val_of_str("text");
    struct slice at = LIT("/public/packageData/notes/state/state");
    struct err e = ERR_INIT;
    /* All that differs is the tag and what has gone with it; but "progress" was text before, and is an integer now. */
    CHECK(put(&root, "/public/packageData/notes/state/manifest", NULL));
    CHECK(jsonptr_change(&root, JSONPTR_ADD, LIT("/public/packageData/notes/state/progress"), progress, NULL));
    CHECK(jsonptr_change(&root, JSONPTR_REPLACE, at, val_ref(&v), NULL));
    CHECK(!plan_fits(p, &root, at, &v, &e));
    CHECK_TEXT(slice_str(e.text), LIT("/public/packageData/notes/state/progress: want an integer, found \"text\""));
    CHECK(put(&root, "/public/packageData/notes/state/progress", "5") && plan_fits(p, &root, at, &v, NULL));
    val_unref(&v);
    val_unref(&root);
    plan_free(p);
}

TEST(what_has_no_json_form_stands_only_in_private) {
    struct plan *p = make(&config);
    struct val numbered = val_empty_map();
    CHECK(val_set(&numbered, val_of_u64(1), val_null()));
    check_put(p, "/private/keys/a", val_of_bytes(LIT("\x01\x02")), NULL);
    check_put(p, "/private/more", val_ref(&numbered), NULL);
    check_put(p, "/public/packageData/notes/hosts/web/key", val_of_bytes(LIT("\x01")), NULL);
    check_put(p, "/public/packageData/notes/hosts/web",
              VAL_MAP_OF({"port", val_of_u64(1)}, {"key", val_of_bytes(LIT("k"))}), NULL);
    check_put(p, "/public/ui/a~1b", val_of_bytes(LIT("\x01")), NULL);
    check_put(p, "/public/ui/x", VAL_ARRAY_OF(val_of_bytes(LIT("\x01\x02"))),
              "/public/ui/x/0: want what JSON has a form for, as the place is not private, found 2 bytes");
    check_put(p, "/public/ui/x", val_of_double(1e308 * 10),
              "/public/ui/x: want what JSON has a form for, as the place is not private, found infinity");
    check_put(p, "/public/packageData/notes/state/manifest", VAL_MAP_OF({"a", numbered}),
              "/public/packageData/notes/state/manifest/a: want keys that are text, found 1");
    plan_free(p);
}

TEST(a_change_that_fits_leaves_a_tree_that_checks_and_the_birth_does) {
    struct plan *p = make(&config);
    struct val root = parse(TREE);
    struct err e = ERR_INIT;
    CHECK(plan_check(p, &root, &e));
    CHECK(put(&root, "/public/serverInfo/uptime", NULL) && put(&root, "/public/ui/draft", NULL));
    CHECK(plan_check(p, &root, &e)); /* as after a restart */
    CHECK(put(&root, "/public/packageData/notes/hosts/web/port", "\"80\""));
    CHECK(!plan_check(p, &root, &e));
    CHECK_TEXT(slice_str(e.text),
               LIT("/public/packageData/notes/hosts/web/port: want an integer from 1 to 65535, found \"80\""));
    val_unref(&root);
    plan_free(p);
}

TEST(putting_into_a_big_map_does_not_walk_it) {
    struct plan *p = make(&config);
    struct val root = parse(TREE), big = val_empty_map();
    char id[40];
    for (unsigned i = 0; i < 5000; i++) {
        snprintf(id, sizeof id, "host-%u", i);
        CHECK(val_set_str(&big, id, VAL_MAP_OF({"port", val_of_u64(1)}, {"wrong", val_null()})));
    }
    CHECK(jsonptr_change(&root, JSONPTR_REPLACE, LIT("/public/packageData/notes/hosts"), big, NULL));
    CHECK(put(&root, "/public/packageData/notes/hosts/new", "{\"port\":1}"));
    struct val v = parse("{\"port\":1}");
    /* What stood there before is nobody's concern now, though it is wrong. */
    CHECK(plan_fits(p, &root, LIT("/public/packageData/notes/hosts/new"), &v, NULL));
    CHECK(!plan_check(p, &root, NULL));
    val_unref(&v);
    val_unref(&root);
    plan_free(p);
}

TAP_MAIN(T(a_place_has_the_attributes_of_all_rows_and_fields_above_it),
         T(who_may_change_what_is_told_with_the_path_and_both_owners), T(judging_a_change_costs_what_differs),
         T(what_is_put_must_fit_and_the_refusal_says_where_and_why), T(another_tag_makes_another_record_of_what_stayed),
         T(what_has_no_json_form_stands_only_in_private),
         T(a_change_that_fits_leaves_a_tree_that_checks_and_the_birth_does), T(putting_into_a_big_map_does_not_walk_it))
