/* pages.c - pages made from rows: of rows made for it, word by word; of the daemon's, that each has its place. */
#include "cli/pages.h"
#include "lib/faults.h"
#include "lib/tap.h"
#include "rpc/shapes.h"
#include "startd/tables.h"
#include "state/plan.h"

#include <stdio.h>

static void run_nothing(struct rpc_call *c) {
    (void)c;
}

/* --- rows made for it --- */

static const struct shape name_shape = {.kind = SHAPE_TEXT, .min = 1, .max = 9};
static const struct shape way_shape = {.kind = SHAPE_WORD, .words = "up down", .null = true};
static const struct shape ways_shape = {.kind = SHAPE_LIST, .item = &way_shape};
static const struct shape ports_shape = {.kind = SHAPE_MAP, .item = &shape_port};
SHAPE_RECORD_OF(move_params, {.name = "name", .shape = &name_shape, .about = "Which \"one\" | other."},
                {.name = "allWays", .shape = &ways_shape, .alias = "ways", .fallback = "[]", .about = "Where to."},
                {.name = "secret", .shape = &shape_any, .attrs = PLAN_SECRET, .about = "The word."},
                {.name = "fast", .shape = &shape_bool, .optional = true, .about = "Runs */ there."});
SHAPE_RECORD_OF(standing, {.name = "since", .shape = &shape_time}, {.name = "a-b", .shape = NULL, .optional = true});
static const struct shape_field place_fields[] = {{.name = "standing", .shape = &standing}, {.name = "gone"}};
static const struct shape place_shape = {
    .kind = SHAPE_TAGGED, .tag = "is", .fields = place_fields, .field_n = 2, .null = true};
static const struct shape places_shape = {.kind = SHAPE_LIST, .item = &place_shape};
SHAPE_RECORD_OF(move_result, {.name = "places", .shape = &places_shape, .about = "Where it is."},
                {.name = "ports", .shape = &ports_shape});

static const struct method move_row = {.name = "thing.move",
                                       .about = "Moves a thing\\. At *once*.",
                                       .params = &move_params,
                                       .result = &move_result,
                                       .callers = CALLER_LOCAL | CALLER_GUEST,
                                       .where = METHOD_EVERYWHERE,
                                       .phases = PHASE_SETUP | PHASE_RUN,
                                       .effect = METHOD_FINAL,
                                       .flags = METHOD_SYNC,
                                       .at_once = true,
                                       .most_ms = 1500,
                                       .aliases = "thing.go thing.walk",
                                       .words = "allWays",
                                       .run = run_nothing};
static const struct method feed_row = {.name = "thing.move.follow",
                                       .about = "Goes on.",
                                       .callers = CALLER_ANY,
                                       .where = METHOD_EVERYWHERE,
                                       .phases = PHASE_EVER,
                                       .flags = METHOD_NO_COMMAND,
                                       .run = run_nothing};
static const struct method plain_row = {.name = "zero",
                                        .about = "Says nothing.",
                                        .callers = CALLER_ANY,
                                        .where = METHOD_EVERYWHERE,
                                        .phases = PHASE_EVER,
                                        .run = run_nothing};
static const struct method *const rows[] = {&feed_row, &move_row, &plain_row};
static const struct method *const rows_turned[] = {&plain_row, &move_row, &feed_row};

static bool write_page(struct buf *out, const char *form, const char *name, const struct method *const *of, size_t n) {
    struct err e = ERR_INIT;
    buf_init(out, PAGES_MOST);
    bool good = pages_write(out, form, name, of, n, &e);
    if (!good) tap_note("%s", e.text);
    return good;
}

/* Whether the page has this piece. */
static bool has(const struct buf *page, const char *piece) {
    struct slice rest = buf_slice(page);
    for (; rest.len; rest = slice_skip(rest, 1))
        if (slice_starts(rest, slice_str(piece))) return true;
    tap_note("there is no: %s", piece);
    tap_note("in: %.*s", (int)page->len, (const char *)page->ptr);
    return false;
}

static bool lacks(const struct buf *page, const char *piece) {
    for (struct slice rest = buf_slice(page); rest.len; rest = slice_skip(rest, 1))
        if (slice_starts(rest, slice_str(piece))) return false;
    return true;
}

#define RECORD                                                                                                         \
    "{\n"                                                                                                              \
    "            /** Where it is. */\n"                                                                                \
    "            places: ({\n"                                                                                         \
    "                is: \"standing\";\n"                                                                              \
    "                since: string;\n"                                                                                 \
    "                \"a-b\"?: unknown;\n"                                                                             \
    "            } | {\n"                                                                                              \
    "                is: \"gone\";\n"                                                                                  \
    "            } | null)[];\n"                                                                                       \
    "            ports: { [key: string]: number };\n"                                                                  \
    "        }"

TEST(types_say_what_is_taken_and_given) {
    struct buf page;
    CHECK(write_page(&page, "ts", "thing", rows, 3));
    CHECK(has(&page, "     * Moves a thing\\. At *once*.\n     *\n     * Who: the box's own root, a service. "
                     "Phases: setup, run. Effect: cannot be undone.\n     */\n    \"thing.move\": {\n"));
    CHECK(has(&page, "        params: {\n"
                     "            /**\n"
                     "             * Which \"one\" | other.\n"
                     "             * Text of 1 to 9 bytes.\n"
                     "             */\n"
                     "            name: string;\n"
                     "            /**\n"
                     "             * Where to.\n"
                     "             * @default []\n"
                     "             */\n"
                     "            allWays?: (\"up\" | \"down\" | null)[];\n"
                     "            /** The word. */\n"
                     "            secret: unknown;\n"
                     "            /** Runs * / there. */\n"
                     "            fast?: boolean;\n"
                     "        };\n"
                     "        result: " RECORD ";\n"));
    CHECK(has(&page, "    \"thing.go\": Methods[\"thing.move\"];\n"));
    CHECK(has(&page, "    \"thing.walk\": Methods[\"thing.move\"];\n"));
    CHECK(has(&page, "        params: Record<string, never>;\n        result: null;\n"));
    buf_release(&page);
}

TEST(markdown_says_who_may_and_what_follows) {
    struct buf page;
    CHECK(write_page(&page, "md", "thing", rows, 3));
    CHECK(has(&page, "\n- [thing.move](#thing.move): Moves a thing\\\\. At \\*once\\*.\n"));
    CHECK(has(&page, "\n## thing\n\n<a id=\"thing.move\"></a>\n### thing.move\n\nMoves a thing\\\\. At \\*once\\*.\n\n"
                     "- Who: the box's own root, a service\n"
                     "- Phases: setup, run\n"
                     "- Effect: cannot be undone\n"
                     "- Answer: at once, perhaps before what it changed is durable\n"
                     "- Takes: at most 2 s\n"
                     "- Header: `X-Patch-Sequence`, the revision to wait for to see what was done\n"
                     "- Other names: `thing.go`, `thing.walk`\n"
                     "- Command: `start-cli thing move [ALL-WAYS...] --name NAME [options]`\n\n"
                     "| parameter | type | default | |\n|---|---|---|---|\n"
                     "| `name` | text of 1 to 9 bytes | required | Which \"one\" \\| other. |\n"
                     "| `allWays`, `ways` | an array, each one of up down or null | `[]` | Where to. |\n"
                     "| `secret` | anything, secret | required | The word. |\n"
                     "| `fast` | true or false | may be left out | Runs \\*/ there. |\n\n"
                     "Result:\n\n```ts\n{\n    /** Where it is. */\n    places: ({\n        is: \"standing\";\n"));
    CHECK(has(&page, "### thing.move.follow\n\nGoes on.\n\n- Who: anybody\n- Phases: all\n- Effect: reads\n\n"
                     "No parameters.\n\nResult: null.\n"));
    CHECK(lacks(&page, "zero"));
    buf_release(&page);
}

TEST(the_manual_has_every_command_and_its_flags) {
    struct buf page;
    CHECK(write_page(&page, "man", "thing.move", rows, 3));
    struct slice all = buf_slice(&page), mark = slice_cut(&all, '\n');
    CHECK(slice_starts(mark, LIT(".\\\" ")) && slice_ends(all, LIT("\n.\\\" To here.\n")));
    CHECK(has(&page, "\n.Ss thing\n.Bl -tag -width Ds\n"
                     ".It Cm thing move Oo Ar all-ways ... Oc Fl -name Ar name Op Ar options\n"
                     "Moves a thing\\e.\nAt *once*.\n" /* a sentence begins a line */
                     "It cannot be undone.\nWith\n.Fl f\nit goes on.\n"
                     ".Bl -tag -width Ds\n"
                     ".It Fl -name Ar text\nWhich \\(dqone\\(dq | other.\nWants text of 1 to 9 bytes.\n"
                     ".It Ar all-ways , Fl -all-ways Ar word\nWhere to.\nMay be given several times.\n"
                     "Each: one of up down or null.\nDefault:\n.Ql \"[]\" .\n"
                     ".It Fl -secret Ar value\nThe word.\nAsked for when it is not given.\n"
                     ".It Fl -fast , Fl -no-fast\nRuns */ there.\n"
                     ".El\n.El\n.\\\" To here.\n"));
    CHECK(lacks(&page, "follow"));
    buf_release(&page);
}

TEST(lines_that_roff_would_obey_are_text) {
    static const struct method dots = {.name = "dots", .about = ".Sh and 'x'. 'y'.", .callers = 1, .run = run_nothing};
    static const struct method *const one[] = {&dots};
    struct buf page;
    CHECK(write_page(&page, "man", NULL, one, 1));
    CHECK(has(&page, "\n.It Cm dots\n\\&.Sh and 'x'. 'y'.\n.El\n"));
    buf_release(&page);
}

TEST(json_has_schemas_and_who_may) {
    struct buf page;
    CHECK(write_page(&page, "json", "zero", rows, 3));
    CHECK(has(&page, "\"methods\": [\n    {\n      \"name\": \"zero\",\n      \"summary\": \"Says nothing.\",\n"
                     "      \"paramStructure\": \"by-name\",\n      \"params\": [],\n"
                     "      \"result\": {\n        \"name\": \"result\",\n        \"schema\": {\n"
                     "          \"type\": \"null\"\n        }\n      },\n"));
    buf_release(&page);
    CHECK(write_page(&page, "json", "thing.go", rows, 3)); /* by another name */
    CHECK(has(&page,
              "        {\n          \"name\": \"name\",\n          \"required\": true,\n          \"schema\": {\n"
              "            \"type\": \"string\",\n            \"minLength\": 1,\n            \"maxLength\": 9,\n"
              "            \"description\": \"Which \\\"one\\\" | other.\"\n          }\n        }"));
    CHECK(has(&page, "\"x-alias\": \"ways\"\n"));
    CHECK(has(&page, "\"x-secret\": true\n"));
    CHECK(has(&page, "      \"x-callers\": [\n        \"local\",\n        \"guest\"\n      ],\n"
                     "      \"x-phases\": [\n        \"setup\",\n        \"run\"\n      ],\n"
                     "      \"x-effect\": \"final\",\n      \"x-durable\": false,\n"
                     "      \"x-aliases\": [\n        \"thing.go\",\n        \"thing.walk\"\n      ],\n"
                     "      \"x-command\": true,\n      \"x-words\": [\n        \"allWays\"\n      ]\n"));
    buf_release(&page);
}

/* --- shapes that contain themselves --- */

static const struct shape tree_shape;
static const struct shape trees_shape = {.kind = SHAPE_LIST, .item = &tree_shape};
static const struct shape_field tree_fields[] = {{.name = "word", .shape = &shape_text},
                                                 {.name = "below", .shape = &trees_shape}};
static const struct shape tree_shape = {.kind = SHAPE_RECORD, .null = true, .fields = tree_fields, .field_n = 2};
static const struct shape knot_shape;
static const struct shape knot_shape = {.kind = SHAPE_MAP, .item = &knot_shape};
static const struct shape nest_shape = {.kind = SHAPE_LIST, .item = &nest_shape};
SHAPE_RECORD_OF(forest_params, {.name = "old-knot", .shape = &knot_shape, .optional = true, .about = "A knot."},
                {.name = "nest", .shape = &nest_shape, .optional = true, .about = "A nest."});
SHAPE_RECORD_OF(forest_result, {.name = "tree", .shape = &tree_shape}, {.name = "again", .shape = &trees_shape});
static const struct method forest_row = {.name = "forest.grow-up",
                                         .about = "Grows.",
                                         .params = &forest_params,
                                         .result = &forest_result,
                                         .callers = CALLER_ANY,
                                         .where = METHOD_EVERYWHERE,
                                         .phases = PHASE_EVER,
                                         .run = run_nothing};
static const struct method *const forest_rows[] = {&forest_row};

TEST(a_shape_that_contains_itself_has_a_name) {
    struct buf page;
    CHECK(write_page(&page, "ts", NULL, forest_rows, 1));
    CHECK(has(&page, "            \"old-knot\"?: ForestGrowUpParamsOldKnot;\n"));
    CHECK(has(&page, "            tree: ForestGrowUpResultTree;\n"));
    CHECK(has(&page, "            again: ForestGrowUpResultTree[];\n"));
    CHECK(has(&page, "\nexport type ForestGrowUpParamsOldKnot = { [key: string]: ForestGrowUpParamsOldKnot };\n"));
    CHECK(has(&page, "\nexport type ForestGrowUpResultTree = {\n    word: string;\n"
                     "    below: ForestGrowUpResultTree[];\n} | null;\n"));
    buf_release(&page);
    CHECK(write_page(&page, "md", NULL, forest_rows, 1));
    CHECK(has(&page, "\n`old-knot`:\n\n```ts\nForestGrowUpParamsOldKnot\n```\n"));
    CHECK(has(&page, "\n## Types\n\n```ts\nexport type ForestGrowUpParamsOldKnot = "));
    CHECK(has(&page, "\nexport type ForestGrowUpParamsNest = ForestGrowUpParamsNest[];\n"));
    buf_release(&page);
    CHECK(write_page(&page, "man", NULL, forest_rows, 1));
    CHECK(has(&page, "\n.It Fl -nest Ar json\nA nest.\nMay be given several times.\n.El\n"));
    buf_release(&page);
}

/* The list and what stands in it are both met again below themselves, at places of the same words. */
static const struct shape pair_item;
static const struct shape pair_list = {.kind = SHAPE_LIST, .item = &pair_item};
static const struct shape_field pair_fields[] = {{.name = "more", .shape = &pair_list},
                                                 {.name = "one", .shape = &pair_item}};
static const struct shape pair_item = {.kind = SHAPE_RECORD, .fields = pair_fields, .field_n = 2};

TEST(shapes_of_one_way_have_names_of_their_own) {
    static const struct method m = {.name = "m", .about = "M.", .result = &pair_list, .callers = 1, .run = run_nothing};
    static const struct method *const one[] = {&m};
    struct buf page;
    CHECK(write_page(&page, "ts", NULL, one, 1));
    CHECK(has(&page, "        result: MResult;\n"));
    CHECK(has(&page, "\nexport type MResult = MResult2[];\n"));
    CHECK(has(&page, "\nexport type MResult2 = {\n    more: MResult;\n    one: MResult2;\n};\n"));
    buf_release(&page);
}

TEST(json_schema_without_an_end_is_refused) {
    struct buf page;
    struct err e = ERR_INIT;
    buf_init(&page, PAGES_MOST);
    CHECK(!pages_write(&page, "json", NULL, forest_rows, 1, &e));
    CHECK_INT(e.code, ERR_UNSUPPORTED);
    CHECK_TEXT(slice_head(slice_str(e.text), 25), LIT("ForestGrowUpParamsOldKnot"));
    CHECK_INT(page.len, 0);
    buf_release(&page);
}

/* --- all forms --- */

static const char *const forms[] = {"md", "man", "ts", "json"};

TEST(the_order_of_rows_changes_nothing) {
    for (unsigned i = 0; i < 4; i++) {
        struct buf one, other;
        CHECK(write_page(&one, forms[i], NULL, rows, 3));
        CHECK(write_page(&other, forms[i], NULL, rows_turned, 3));
        CHECK(one.len && slice_eq(buf_slice(&one), buf_slice(&other)));
        buf_release(&one);
        buf_release(&other);
    }
}

TEST(a_page_too_long_is_refused_whole) {
    struct buf page;
    struct err e = ERR_INIT;
    for (unsigned i = 0; i < 4; i++) {
        buf_init(&page, 300);
        buf_add(&page, LIT("before"));
        CHECK(!pages_write(&page, forms[i], NULL, rows, 3, &e));
        CHECK_TEXT(buf_slice(&page), LIT("before"));
        buf_release(&page);
    }
}

TEST(what_is_not_there_is_named) {
    struct buf page;
    struct err e = ERR_INIT;
    buf_init(&page, PAGES_MOST);
    CHECK(!pages_write(&page, "md", "thing.mov", rows, 3, &e));
    CHECK_INT(e.code, ERR_NOT_FOUND);
    CHECK_TEXT(slice_str(e.text), LIT("there is no method thing.mov"));
    CHECK(!pages_write(&page, "html", NULL, rows, 3, &e));
    CHECK_INT(e.code, ERR_USAGE);
    buf_release(&page);
}

static bool make_page(void *arg) {
    struct buf page;
    buf_init(&page, PAGES_MOST);
    bool good = pages_write(&page, arg, NULL, rows, 3, NULL);
    buf_release(&page);
    return good;
}

static bool make_forest(void *arg) {
    struct buf page;
    buf_init(&page, PAGES_MOST);
    bool good = pages_write(&page, arg, NULL, forest_rows, 1, NULL);
    buf_release(&page);
    return good;
}

TEST(any_allocation_may_fail) {
    for (unsigned i = 0; i < 4; i++) {
        char form[8];
        snprintf(form, sizeof form, "%s", forms[i]);
        CHECK(faults_sweep(make_page, form, form));
        if (i != 3) CHECK(faults_sweep(make_forest, form, "shapes that contain themselves"));
    }
}

TEST(every_row_has_a_place_on_every_page) {
    /* What stands before and behind its name. */
    static const char *const places[][2] = {
        {"\n### ", "\n"}, {NULL, NULL}, {"    \"", "\": {\n"}, {"      \"name\": \"", "\",\n"}};
    static const struct method *startd[STARTD_ROWS];
    size_t n = startd_rows(startd);
    char place[200];
    for (unsigned i = 0; i < 4; i++) {
        struct buf page;
        CHECK(write_page(&page, forms[i], NULL, startd, n));
        for (size_t k = 0; places[i][0] && k < n; k++) {
            snprintf(place, sizeof place, "%s%s%s", places[i][0], startd[k]->name, places[i][1]);
            CHECK(has(&page, place));
        }
        buf_release(&page);
    }
}

TAP_MAIN(T(types_say_what_is_taken_and_given), T(markdown_says_who_may_and_what_follows),
         T(the_manual_has_every_command_and_its_flags), T(lines_that_roff_would_obey_are_text),
         T(json_has_schemas_and_who_may), T(a_shape_that_contains_itself_has_a_name),
         T(shapes_of_one_way_have_names_of_their_own), T(json_schema_without_an_end_is_refused),
         T(the_order_of_rows_changes_nothing), T(a_page_too_long_is_refused_whole), T(what_is_not_there_is_named),
         T(any_allocation_may_fail), T(every_row_has_a_place_on_every_page))
