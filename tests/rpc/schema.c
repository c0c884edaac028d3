/* schema.c - JSON Schema of rows: every kind of shape, by hand. */
#include "lib/faults.h"
#include "lib/tap.h"
#include "protocols/json.h"
#include "rpc/method.h"

static void run_nothing(struct rpc_call *c) {
    (void)c;
}

static bool is_schema(struct val v, const char *want) {
    struct buf b;
    buf_init(&b, 1 << 16);
    bool good = json_write(&b, &v, JSON_COMPACT, NULL) && slice_eq(buf_slice(&b), slice_str(want));
    if (!good) tap_note("%.*s", (int)b.len, (const char *)b.ptr);
    buf_release(&b);
    val_unref(&v);
    return good;
}

static const struct shape text = {.kind = SHAPE_TEXT, .min = 1, .max = 64};
static const struct shape port = {.kind = SHAPE_INT, .min = 1, .max = 65535};
static const struct shape least = {.kind = SHAPE_INT, .min = 0, .max = INT64_MAX};
static const struct shape word = {.kind = SHAPE_WORD, .words = "a b", .null = true};
static const struct shape list = {.kind = SHAPE_LIST, .item = &port, .min = 0, .max = 3};
static const struct shape map = {.kind = SHAPE_MAP, .item = &word};
static const struct shape any = {.kind = SHAPE_ANY};

TEST(every_kind_has_its_schema) {
    static const struct shape yes = {.kind = SHAPE_BOOL, .null = true}, number = {.kind = SHAPE_NUMBER};
    CHECK(is_schema(schema_of_shape(&any), "{}"));
    CHECK(is_schema(schema_of_shape(&yes), "{\"type\":[\"boolean\",\"null\"]}"));
    CHECK(is_schema(schema_of_shape(&number), "{\"type\":\"number\"}"));
    CHECK(is_schema(schema_of_shape(&text), "{\"type\":\"string\",\"minLength\":1,\"maxLength\":64}"));
    CHECK(is_schema(schema_of_shape(&least), "{\"type\":\"integer\",\"minimum\":0}"));
    CHECK(is_schema(schema_of_shape(&word), "{\"type\":[\"string\",\"null\"],\"enum\":[\"a\",\"b\",null]}"));
    CHECK(is_schema(schema_of_shape(&list), "{\"type\":\"array\",\"items\":{\"type\":\"integer\",\"minimum\":1,"
                                            "\"maximum\":65535},\"minItems\":0,\"maxItems\":3}"));
    CHECK(is_schema(schema_of_shape(&map),
                    "{\"type\":\"object\",\"additionalProperties\":{\"type\":[\"string\",\"null\"],"
                    "\"enum\":[\"a\",\"b\",null]}}"));
}

static const struct shape_field fields[] = {
    {.name = "host", .shape = &text, .about = "Where."},
    {.name = "port", .shape = &port, .fallback = "25", .about = "Which."},
    {.name = "more", .optional = true, .about = "Anything."},
};
static const struct shape record = {.kind = SHAPE_RECORD, .fields = fields, .field_n = 3};
#define PROPERTIES                                                                                                     \
    "\"properties\":{\"host\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":64,\"description\":\"Where.\"},"      \
    "\"port\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":65535,\"description\":\"Which.\",\"default\":25},"       \
    "\"more\":{\"description\":\"Anything.\"}},\"required\":[\"host\"]"

TEST(records_name_what_is_required_and_what_else_may_come) {
    CHECK(is_schema(schema_of_shape(&record), "{\"type\":\"object\"," PROPERTIES ",\"additionalProperties\":false}"));
    /* Parameters a row does not know are ignored. */
    static const struct method with = {.name = "x", .params = &record, .run = run_nothing}, without = {.name = "y"};
    CHECK(is_schema(schema_of_params(&with), "{\"type\":\"object\"," PROPERTIES "}"));
    CHECK(is_schema(schema_of_params(&without), "{\"type\":\"object\",\"properties\":{}}"));
}

TEST(a_tag_chooses_among_alternatives) {
    static const struct shape_field running[] = {{.name = "since", .shape = &text}};
    static const struct shape run = {.kind = SHAPE_RECORD, .fields = running, .field_n = 1};
    static const struct shape stop = {.kind = SHAPE_RECORD};
    static const struct shape_field ways[] = {{.name = "running", .shape = &run}, {.name = "stopped", .shape = &stop}};
    static const struct shape tagged = {
        .kind = SHAPE_TAGGED, .tag = "main", .fields = ways, .field_n = 2, .null = true};
    CHECK(is_schema(
        schema_of_shape(&tagged),
        "{\"oneOf\":[{\"type\":\"object\",\"properties\":{\"main\":{\"const\":\"running\"},\"since\":{\"type\":"
        "\"string\",\"minLength\":1,\"maxLength\":64}},\"required\":[\"main\",\"since\"],"
        "\"additionalProperties\":false},{\"type\":\"object\",\"properties\":{\"main\":{\"const\":\"stopped\"}},"
        "\"required\":[\"main\"],\"additionalProperties\":false},{\"type\":\"null\"}]}"));
}

static bool make_one(void *arg) {
    (void)arg;
    struct val v = schema_of_shape(&record);
    bool good = !val_is_none(&v);
    val_unref(&v);
    return good;
}

TEST(any_allocation_of_a_schema_may_fail) {
    faults_sweep(make_one, NULL, "a schema");
}

TAP_MAIN(T(every_kind_has_its_schema), T(records_name_what_is_required_and_what_else_may_come),
         T(a_tag_chooses_among_alternatives), T(any_allocation_of_a_schema_may_fail))
