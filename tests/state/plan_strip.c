/* plan_strip.c - what readers and dumps see of values and patches, the patterns that say so, and hiding by them. */
#include "state/plan_play.h"

/* --- strip --- */

static void check_stripped(const struct plan *p, const char *pointer, unsigned attrs, const char *was,
                           const char *want) {
    struct val v = parse(was), copy = parse(was);
    struct err e = ERR_INIT;
    struct val left = plan_strip(p, slice_str(pointer), &v, attrs, &e);
    if (want)
        CHECK(is_json(&left, want));
    else
        CHECK(val_is_none(&left));
    CHECK(e.code == ERR_NONE && val_equal(&v, &copy));
    val_unref(&left);
    val_unref(&v);
    val_unref(&copy);
}

TEST(readers_do_not_see_what_is_private) {
    struct plan *p = make(&config);
    check_stripped(p, "", PLAN_PRIVATE, TREE,
                   "{\"public\":{\"serverInfo\":{\"name\":\"box\",\"passwordHash\":null,\"smtp\":{\"host\":\"h\","
                   "\"password\":null},\"uptime\":1,\"network\":{\"gateways\":{\"eth0\":{\"label\":null,\"up\":true}}},"
                   "\"tags\":[\"a\",\"b\"]},\"packageData\":{" NOTES "},\"ui\":{\"draft\":{\"size\":1},\"c\":3}}}");
    check_stripped(p, "", PLAN_VOLATILE, TREE,
                   "{\"public\":{\"serverInfo\":{\"name\":\"box\",\"passwordHash\":\"$argon\",\"smtp\":{\"host\":\"h\","
                   "\"password\":\"p\"},\"network\":{\"gateways\":{\"eth0\":{\"label\":null}}},"
                   "\"tags\":[\"a\",\"b\"]},\"packageData\":{" NOTES "},\"ui\":{\"a/b\":2,\"c\":3}},"
                   "\"private\":{\"keys\":{},\"more\":[1]}}");
    /* Secrets go without a trace where private things stay. */
    check_stripped(p, "", PLAN_SECRET,
                   "{\"public\":{\"serverInfo\":{\"passwordHash\":1}},\"private\":{\"keys\":1,\"m\":2}}",
                   "{\"public\":{\"serverInfo\":{}},\"private\":{\"m\":2}}");
    check_stripped(p, "/public/packageData", PLAN_PRIVATE,
                   "{\"a\":{\"hosts\":{\"w\":{\"key\":1,\"port\":2}}},\"b\":{}}",
                   "{\"a\":{\"hosts\":{\"w\":{\"port\":2}}},\"b\":{}}");
    check_stripped(p, "/public/packageData/a/hosts/w", PLAN_PRIVATE, "{\"key\":1,\"port\":2}", "{\"port\":2}");
    check_stripped(p, "/public/packageData/a/hosts/w/key", PLAN_PRIVATE, "1", NULL);
    check_stripped(p, "/public/serverInfo/passwordHash", PLAN_PRIVATE, "1", "null");
    check_stripped(p, "/public/serverInfo/passwordHash/x", PLAN_PRIVATE, "1", NULL);
    check_stripped(p, "/private/more", PLAN_PRIVATE, "1", NULL);
    check_stripped(p, "/public/ui/c", PLAN_PRIVATE, "{\"draft\":{\"size\":1}}", "{\"draft\":{\"size\":1}}");
    check_stripped(p, "", PLAN_PRIVATE, "null", "null");
    check_stripped(p, "", PLAN_PRIVATE, "[{\"private\":1}]", "[{\"private\":1}]");
    struct err e = ERR_INIT;
    struct val v = val_null(), left = plan_strip(p, LIT("x"), &v, PLAN_PRIVATE, &e);
    CHECK(val_is_none(&left) && e.code == ERR_SYNTAX);
    left = plan_strip(p, LIT(""), &val_none, PLAN_PRIVATE, &e);
    CHECK(val_is_none(&left));
    plan_free(p);
}

TEST(what_is_not_marked_is_shared_and_costs_nothing) {
    struct plan *p = make(&config);
    struct val big = many_packages(3000), v = VAL_MAP_OF({"packageData", big}, {"ui", VAL_MAP_OF({"c", val_null()})});
    uint64_t calls = mem_stats().calls;
    struct val left = plan_strip(p, LIT("/public/ui/c"), &v, PLAN_ATTRS, NULL);
    CHECK(val_same(&left, &v));
    val_unref(&left);
    left = plan_strip(p, LIT("/private"), &v, PLAN_VOLATILE, NULL);
    CHECK(val_same(&left, &v));
    val_unref(&left);
    left = plan_strip(p, LIT("/public"), &v, PLAN_SECRET, NULL); /* has to look, and finds nothing */
    CHECK(val_same(&left, &v));
    val_unref(&left);
    CHECK_INT(mem_stats().calls, calls);
    val_unref(&v);
    plan_free(p);
}

static void check_op(const struct plan *p, unsigned attrs, const char *was, const char *want) {
    struct val op = parse(was);
    struct err e = ERR_INIT;
    bool gone = true;
    struct val left = plan_strip_op(p, &op, attrs, &gone, &e);
    CHECK(gone == !want && e.code == ERR_NONE);
    if (want)
        CHECK(is_json(&left, want));
    else
        CHECK(val_is_none(&left));
    if (want && strcmp(was, want) == 0) CHECK(val_same(&op, &left));
    val_unref(&left);
    val_unref(&op);
}

#define OP(op, path)            "{\"op\":\"" op "\",\"path\":\"" path "\"}"
#define OP_WITH(op, path, what) "{\"op\":\"" op "\",\"path\":\"" path "\",\"value\":" what "}"

TEST(operations_are_stripped_so_that_readers_trees_stay_whole) {
    struct plan *p = make(&config);
    check_op(p, PLAN_PRIVATE, OP_WITH("replace", "/public/ui/c", "1"), OP_WITH("replace", "/public/ui/c", "1"));
    check_op(p, PLAN_PRIVATE, OP("remove", "/public/ui"), OP("remove", "/public/ui"));
    check_op(p, PLAN_PRIVATE, OP_WITH("add", "/private/x", "1"), NULL);
    check_op(p, PLAN_PRIVATE, OP("remove", "/private"), NULL);
    check_op(p, PLAN_PRIVATE, OP_WITH("add", "/public/ui", "{\"a/b\":1,\"c\":2}"),
             OP_WITH("add", "/public/ui", "{\"c\":2}"));
    check_op(p, PLAN_PRIVATE,
             OP_WITH("replace", "", "{\"public\":{\"serverInfo\":{\"passwordHash\":1}},\"private\":1}"),
             OP_WITH("replace", "", "{\"public\":{\"serverInfo\":{\"passwordHash\":null}}}"));
    /* Of what is null for readers only its coming and going is told. */
    check_op(p, PLAN_PRIVATE, OP_WITH("replace", "/public/serverInfo/passwordHash", "\"x\""), NULL);
    check_op(p, PLAN_PRIVATE, OP_WITH("add", "/public/serverInfo/passwordHash", "\"x\""),
             OP_WITH("add", "/public/serverInfo/passwordHash", "null"));
    check_op(p, PLAN_PRIVATE, OP("remove", "/public/serverInfo/passwordHash"),
             OP("remove", "/public/serverInfo/passwordHash"));
    check_op(p, PLAN_PRIVATE, OP_WITH("add", "/public/serverInfo/passwordHash/x", "1"), NULL);
    check_op(p, PLAN_SECRET, OP_WITH("add", "/public/serverInfo/passwordHash", "\"x\""), NULL);
    check_op(p, PLAN_VOLATILE, OP_WITH("replace", "/public/serverInfo/uptime", "2"), NULL);
    check_op(p, PLAN_VOLATILE, OP_WITH("add", "/public/packageData/a/state", "{\"progress\":1,\"state\":2}"),
             OP_WITH("add", "/public/packageData/a/state", "{\"state\":2}"));
    static const char *const bad[] = {
        "1",
        "{}",
        OP("remove", "public"),
        OP("remove", "/~2"),
        OP("add", "/public"),
        OP("test", "/public"),
        "{\"op\":\"move\",\"from\":\"/private\",\"path\":\"/public/x\"}",
        "{\"op\":\"copy\",\"from\":\"/private\",\"path\":\"/public/x\"}",
        "{\"op\":\"remove\",\"path\":1}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct val op = parse(bad[i]);
        struct err e = ERR_INIT;
        bool gone = true;
        struct val left = plan_strip_op(p, &op, PLAN_PRIVATE, &gone, &e);
        CHECK(val_is_none(&left) && !gone && e.code == ERR_SYNTAX);
        val_unref(&op);
    }
    plan_free(p);
}

/* --- patterns --- */

TEST(patterns_name_each_marked_place_once) {
    struct plan *p = make(&config);
    struct val list = plan_patterns(p, PLAN_SECRET, NULL);
    CHECK(is_json(&list, "[\"/private/keys\",\"/public/packageData/*/hosts/*/key\",\"/public/serverInfo/passwordHash\","
                         "\"/public/serverInfo/smtp/password\"]"));
    struct val tree = parse(TREE);
    CHECK(plan_hide(&tree, &list, NULL));
    CHECK(is_json(val_get(&tree, LIT("private")), "{\"keys\":null,\"more\":[1]}"));
    CHECK(val_is_null(jsonptr_get(&tree, LIT("/public/serverInfo/passwordHash"), NULL)));
    val_unref(&tree);
    val_unref(&list);
    list = plan_patterns(p, PLAN_PRIVATE, NULL);
    CHECK(is_json(&list, "[\"/private\",\"/public/packageData/*/hosts/*/key\",\"/public/serverInfo/passwordHash\","
                         "\"/public/serverInfo/smtp/password\",\"/public/ui/a~1b\"]"));
    val_unref(&list);
    plan_free(p);
    /* A key beside a "*" that says the same is no pattern of its own; one that is below something else is. */
    static const struct plan_branch rows[] = {{"/a/*/x", NULL, PLAN_PRIVATE, NULL},
                                              {"/a/k", "o", 0, NULL},
                                              {"/a/k/y", NULL, PLAN_PRIVATE, NULL},
                                              {"/*/k", NULL, PLAN_SECRET, NULL}};
    struct plan_config c = {.name = "n", .version = 1, .birth = "{}", .branches = rows, .branch_n = 3};
    p = make(&c);
    list = plan_patterns(p, PLAN_PRIVATE, NULL);
    CHECK(is_json(&list, "[\"/a/k/y\",\"/a/*/x\"]"));
    val_unref(&list);
    plan_free(p);
    c.branch_n = 4;
    p = make(&c);
    list = plan_patterns(p, PLAN_PRIVATE, NULL);
    CHECK(is_json(&list, "[\"/a/*/x\",\"/*/k\"]"));
    val_unref(&list);
    list = plan_patterns(p, PLAN_VOLATILE, NULL);
    CHECK(is_json(&list, "[]"));
    val_unref(&list);
    plan_free(p);
}

static void check_hidden(const char *was, const char *patterns, const char *want, const char *why) {
    struct val v = parse(was), list = parse(patterns), before = val_ref(&v);
    struct err e = ERR_INIT;
    CHECK(plan_hide(&v, &list, &e) == !why);
    if (why) {
        CHECK_TEXT(slice_str(e.text), slice_str(why));
        CHECK(val_same(&v, &before));
    } else
        CHECK(is_json(&v, want));
    val_unref(&v);
    val_unref(&list);
    val_unref(&before);
}

TEST(hiding_takes_any_list_of_patterns_and_nothing_else) {
    check_hidden("{\"a\":{\"b\":1,\"c\":2},\"d\":{\"b\":3}}", "[\"/*/b\"]",
                 "{\"a\":{\"b\":null,\"c\":2},\"d\":{\"b\":null}}", NULL);
    check_hidden("{\"a/b~\":{\"*\":1},\"\":2}", "[\"/a~1b~0/*\",\"/\",\"/missing/x/*\"]",
                 "{\"a/b~\":{\"*\":null},\"\":null}", NULL);
    check_hidden("{\"a\":[{\"b\":1}]}", "[\"/a/0/b\",\"/a/*/b\",\"/*/*/*/*/*/*\"]", "{\"a\":[{\"b\":1}]}", NULL);
    check_hidden("{\"a\":1}", "[\"\"]", "null", NULL);
    check_hidden("{\"a\":{\"b\":1}}", "[\"/a\",\"/a/b\"]", "{\"a\":null}", NULL);
    check_hidden("{\"a\":1}", "[]", "{\"a\":1}", NULL);
    check_hidden("{\"a\":1}", "{\"a\":\"/a\"}", NULL, "want a list of patterns, found a map");
    check_hidden("{\"a\":1}", "[\"/a\",7]", NULL, "want pattern 1 to be text, found an integer");
    check_hidden("{\"a\":1}", "[\"/a\",\"a\"]", NULL, "pattern 1: a pointer is empty or begins with \"/\"");
    check_hidden("{\"a\":1}", "[\"/a~\"]", NULL, "pattern 0: a tilde in a pointer that is not ~0 or ~1");
    struct val many = val_empty_array(), v = val_empty_map();
    for (int i = 0; i < 4097; i++) CHECK(val_push(&many, val_of_str("/a")));
    struct err e = ERR_INIT;
    CHECK(!plan_hide(&v, &many, &e) && e.code == ERR_LIMIT);
    val_unref(&many);
    v = val_empty_map();
    CHECK(val_set(&v, val_of_u64(1), val_of_str("x")));
    many = parse("[\"/*\"]");
    CHECK(plan_hide(&v, &many, NULL)); /* keys that no pointer can name are any keys */
    struct val one = val_of_u64(1);
    CHECK(val_is_null(val_get_key(&v, &one)));
    val_unref(&v);
    val_unref(&many);
}

static bool use_all(void *arg) {
    const struct val *tree = arg;
    struct err e = ERR_INIT;
    struct plan *p = plan_new(&config, &e);
    if (!p) {
        CHECK(e.code == ERR_NOMEM);
        return false;
    }
    bool good = true, gone = false;
    struct val left = plan_strip(p, LIT(""), tree, PLAN_PRIVATE, &e);
    good = good && !val_is_none(&left);
    val_unref(&left);
    struct val op =
        good ? VAL_MAP_OF({"op", val_of_str("add")}, {"path", val_of_str("")}, {"value", val_ref(tree)}) : val_none;
    if (good && val_is_none(&op)) {
        good = false;
        err_nomem(&e, "the test");
    }
    struct val op_left = good ? plan_strip_op(p, &op, PLAN_VOLATILE, &gone, &e) : val_none;
    good = good && !val_is_none(&op_left);
    val_unref(&op);
    val_unref(&op_left);
    struct val list = good ? plan_patterns(p, PLAN_SECRET, &e) : val_none, hidden = val_ref(tree);
    good = good && !val_is_none(&list);
    if (good) {
        good = plan_hide(&hidden, &list, &e);
        CHECK(good || val_same(&hidden, tree));
    }
    good = good && plan_fits(p, tree, LIT("/public/ui/a~1b"), val_get(tree, LIT("x")), &e);
    CHECK(good || e.code == ERR_NOMEM);
    val_unref(&hidden);
    val_unref(&list);
    plan_free(p);
    return good;
}

TEST(every_failed_allocation_is_an_error_of_that_call) {
    struct val tree = parse(TREE);
    faults_sweep(use_all, &tree, "a plan made and used");
    val_unref(&tree);
}

TAP_MAIN(T(readers_do_not_see_what_is_private), T(what_is_not_marked_is_shared_and_costs_nothing),
         T(operations_are_stripped_so_that_readers_trees_stay_whole), T(patterns_name_each_marked_place_once),
         T(hiding_takes_any_list_of_patterns_and_nothing_else), T(every_failed_allocation_is_an_error_of_that_call))
