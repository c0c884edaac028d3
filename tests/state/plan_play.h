/* plan_play.h - a plan like the real one and a tree that fits it, for the tests of the plan. */
#ifndef TESTS_STATE_PLAN_PLAY_H
#define TESTS_STATE_PLAN_PLAY_H

#include "state/plan.h"

#include "base/mem.h"
#include "lib/faults.h"
#include "lib/tap.h"
#include "protocols/cbor.h"
#include "protocols/json.h"
#include "protocols/jsonpatch.h"
#include "protocols/jsonptr.h"

#include <stdio.h>

static const struct json_limits json_limits = {.bytes = 1 << 20, .depth = 500};

static inline struct val parse(const char *text) {
    struct val v = val_none;
    struct err e = ERR_INIT;
    if (!CHECK(json_parse(slice_str(text), &json_limits, &v, &e))) tap_note("%s: %s", text, e.text);
    return v;
}

static inline bool is_json(const struct val *v, const char *text) {
    struct val want = parse(text);
    bool same = val_equal(v, &want);
    val_unref(&want);
    if (same) return true;
    struct buf b;
    buf_init(&b, 1 << 20);
    json_write(&b, v, JSON_DIAG, NULL);
    tap_note("got %.*s, wanted %s", (int)b.len, (const char *)b.ptr, text);
    buf_release(&b);
    return false;
}

/* --- the plan --- */

#define FIELD(field, of, ...)                                                                                          \
    { .name = field, .shape = of, __VA_ARGS__ }
#define RECORD(list) .kind = SHAPE_RECORD, .fields = list, .field_n = sizeof(list) / sizeof(list)[0]

static bool low_is_below_high(const struct val *v, struct err *e) {
    uint64_t low = 0, high = 0;
    val_as_u64(val_get(v, LIT("low")), &low);
    val_as_u64(val_get(v, LIT("high")), &high);
    return low <= high || err_set(e, ERR_INVALID, "want low not above high, found %d above %d", (int)low, (int)high);
}

static const struct shape integer = {.kind = SHAPE_INT}, text = {.kind = SHAPE_TEXT, .null = true},
                          bytes = {.kind = SHAPE_BYTES}, boolean = {.kind = SHAPE_BOOL},
                          word = {.kind = SHAPE_WORD, .words = "stopped running restarting"},
                          tag = {.kind = SHAPE_TEXT, .min = 1, .max = 8},
                          tags = {.kind = SHAPE_LIST, .item = &tag, .min = 1, .max = 3},
                          port = {.kind = SHAPE_INT, .min = 1, .max = 65535};
static const struct shape_field smtp_fields[] = {
    FIELD("host", &text), FIELD("password", &text, .attrs = PLAN_SECRET | PLAN_NULL, .optional = true)};
static const struct shape smtp = {RECORD(smtp_fields), .null = true};
static const struct shape_field server_fields[] = {
    FIELD("name", &text),   FIELD("passwordHash", &text, .attrs = PLAN_SECRET | PLAN_NULL),
    FIELD("smtp", &smtp),   FIELD("uptime", &integer, .attrs = PLAN_VOLATILE),
    FIELD("network", NULL), FIELD("tags", &tags, .optional = true),
};
static const struct shape server = {RECORD(server_fields)};
static const struct shape_field gateway_fields[] = {FIELD("label", &text),
                                                    FIELD("up", &boolean, .attrs = PLAN_VOLATILE)};
static const struct shape gateway = {RECORD(gateway_fields)},
                          gateways = {.kind = SHAPE_MAP, .item = &gateway, .min = 1, .max = 3};
static const struct shape_field network_fields[] = {FIELD("gateways", &gateways)};
static const struct shape network = {RECORD(network_fields)};
static const struct shape_field installing_fields[] = {FIELD("progress", &integer, .attrs = PLAN_VOLATILE)};
static const struct shape_field installed_fields[] = {FIELD("manifest", NULL),
                                                      FIELD("progress", &text, .optional = true)};
static const struct shape installing = {RECORD(installing_fields)}, installed = {RECORD(installed_fields)};
static const struct shape_field state_fields[] = {FIELD("installing", &installing), FIELD("installed", &installed)};
static const struct shape state = {.kind = SHAPE_TAGGED, .tag = "state", .fields = state_fields, .field_n = 2};
static const struct shape_field limits_fields[] = {FIELD("low", &integer), FIELD("high", &integer)};
static const struct shape limits = {RECORD(limits_fields), .check = low_is_below_high};
static const struct shape_field package_fields[] = {
    FIELD("state", &state),
    FIELD("status", &word),
    FIELD("hosts", NULL),
    FIELD("limits", &limits, .optional = true),
};
static const struct shape package = {RECORD(package_fields)}, packages = {.kind = SHAPE_MAP, .item = &package};
static const struct shape_field host_fields[] = {FIELD("port", &port),
                                                 FIELD("key", &bytes, .attrs = PLAN_SECRET, .optional = true)};
static const struct shape host = {RECORD(host_fields)}, hosts = {.kind = SHAPE_MAP, .item = &host};
static const struct shape_field draft_fields[] = {FIELD("size", &integer),
                                                  FIELD("speed", &integer, .attrs = PLAN_VOLATILE)};
static const struct shape draft = {RECORD(draft_fields)};
static const struct shape_field public_fields[] = {FIELD("serverInfo", &server), FIELD("packageData", NULL),
                                                   FIELD("ui", NULL)};
static const struct shape public = {RECORD(public_fields)};
static const struct shape keys = {.kind = SHAPE_MAP, .item = &bytes};
static const struct shape_field private_fields[] = {FIELD("keys", &keys, .attrs = PLAN_SECRET)};
static const struct shape private = {RECORD(private_fields), .open = true};
static const struct shape_field root_fields[] = {FIELD("public", &public), FIELD("private", NULL)};
static const struct shape root_shape = {RECORD(root_fields)};

static const struct plan_branch branches[] = {
    {"/public/packageData/*/hosts", "net", 0, &hosts},
    {"", NULL, 0, &root_shape},
    {"/public", "system", 0, NULL},
    {"/public/packageData", "service", 0, &packages},
    {"/public/serverInfo/network", "net", 0, &network},
    {"/public/ui", "ui", 0, NULL},
    {"/public/ui/draft", NULL, PLAN_VOLATILE, &draft},
    {"/public/ui/a~1b", "net", PLAN_PRIVATE, NULL},
    {"/private", "system", PLAN_PRIVATE, &private},
    {"/private/keys", "auth", 0, NULL},
};

#define SERVER                                                                                                         \
    "\"serverInfo\":{\"name\":\"box\",\"passwordHash\":\"$argon\",\"smtp\":{\"host\":\"h\",\"password\":\"p\"},"       \
    "\"uptime\":1,\"network\":{\"gateways\":{\"eth0\":{\"label\":null,\"up\":true}}},\"tags\":[\"a\",\"b\"]}"
#define NOTES                                                                                                          \
    "\"notes\":{\"state\":{\"state\":\"installed\",\"manifest\":{}},\"status\":\"running\","                           \
    "\"hosts\":{\"web\":{\"port\":80}},\"limits\":{\"low\":1,\"high\":2}}"
#define TREE                                                                                                           \
    "{\"public\":{" SERVER ",\"packageData\":{" NOTES "},\"ui\":{\"draft\":{\"size\":1},\"a/b\":2,\"c\":3}},"          \
    "\"private\":{\"keys\":{},\"more\":[1]}}"

static const struct plan_config config = {.name = "startd",
                                          .version = 3,
                                          .birth = TREE,
                                          .branches = branches,
                                          .branch_n = sizeof branches / sizeof branches[0]};

static inline struct plan *make(const struct plan_config *c) {
    struct err e = ERR_INIT;
    struct plan *p = plan_new(c, &e);
    if (!CHECK(p != NULL)) {
        tap_note("%s", e.text);
        exit(1);
    }
    return p;
}

static inline struct val many_packages(unsigned n) {
    struct val map = val_empty_map();
    char id[40];
    for (unsigned i = 0; i < n; i++) {
        snprintf(id, sizeof id, "package-%u", i);
        CHECK(
            val_set_str(&map, id, VAL_MAP_OF({"status", val_of_u64(i)}, {"hosts", VAL_MAP_OF({"a", val_of_u64(i)})})));
    }
    return map;
}

#endif
