/* jsonrpc.c - calls and answers by the rules of each transport, and what StartOS clients expect on the wire, byte by
 * byte. */
#include "protocols/jsonrpc.h"

#include "base/mem.h"
#include "lib/faults.h"
#include "lib/tap.h"

#include <stdio.h>

#define N(rows) (sizeof(rows) / sizeof((rows)[0]))

static const struct json_limits limits = {.bytes = 1u << 20, .depth = 100};

static struct val parse(const char *text) {
    struct val v = val_none;
    CHECK(json_parse(slice_str(text), &limits, &v, NULL));
    return v;
}

static void add_json(struct buf *out, const struct val *v) {
    if (val_is_none(v))
        buf_byte(out, '-');
    else
        json_write(out, v, JSON_COMPACT, NULL);
}

/* One word an item: what it is, and what counts of it. */
static void show_item(struct buf *out, const struct jsonrpc_item *item) {
    switch (item->kind) {
    case JSONRPC_CALL:
    case JSONRPC_NOTICE:
        buf_add_str(out, item->kind == JSONRPC_CALL ? "call " : "notice ");
        buf_add(out, item->method);
        buf_byte(out, ' ');
        add_json(out, item->params);
        break;
    case JSONRPC_RESULT:
        buf_add_str(out, "result ");
        add_json(out, item->result);
        break;
    case JSONRPC_ERROR:
        buf_printf(out, "error %lld %.*s ", (long long)item->code, (int)item->message.len,
                   (const char *)item->message.ptr);
        add_json(out, item->data);
        break;
    case JSONRPC_REFUSED:
        buf_printf(out, "refused %lld", (long long)item->code);
        CHECK_TEXT(item->message, slice_str(jsonrpc_code_name(item->code)));
    }
    buf_byte(out, ' ');
    add_json(out, item->id);
    buf_byte(out, ';');
}

static void show_all(struct buf *out, const char *text, const struct jsonrpc_rules *rules) {
    struct val v = parse(text);
    struct jsonrpc_reader r;
    struct jsonrpc_item item;
    struct err e = ERR_INIT;
    if (!jsonrpc_open(&r, &v, rules, &e))
        buf_printf(out, "refused %d", err_rpc(e.code));
    else {
        if (r.batch) buf_printf(out, "batch %zu;", r.count);
        while (jsonrpc_next(&r, &item, &e)) {
            show_item(out, &item);
            if (item.kind == JSONRPC_REFUSED) CHECK(err_rpc(e.code) == item.code && e.text[0]);
        }
    }
    val_unref(&v);
}

struct row {
    const char *in, *http, *socket, *strict;
};

static void check_rows(const struct row *rows, size_t n) {
    const struct jsonrpc_rules rules[] = {JSONRPC_HTTP(3), JSONRPC_SOCKET(3), JSONRPC_STRICT(3)};
    struct buf out;
    buf_init(&out, 10000);
    for (size_t i = 0; i < n; i++) {
        const char *want[] = {rows[i].http, rows[i].socket, rows[i].strict};
        for (int k = 0; k < 3; k++) {
            if (!want[k]) continue;
            buf_reset(&out);
            show_all(&out, rows[i].in, &rules[k]);
            if (!CHECK_TEXT(buf_slice(&out), slice_str(want[k]))) tap_note("%s by rules %d", rows[i].in, k);
        }
    }
    buf_release(&out);
}

#define V "\"jsonrpc\":\"2.0\","

TEST(requests_are_read_by_the_rules_of_each_transport) {
    static const struct row rows[] = {
        {"{" V "\"method\":\"a.b\",\"params\":{\"x\":1},\"id\":7}", "call a.b {\"x\":1} 7;", "call a.b {\"x\":1} 7;",
         "call a.b {\"x\":1} 7;"},
        {"{\"id\":7,\"method\":\"m\",\"params\":{}}", "call m {} 7;", "call m {} 7;", "refused -32600 7;"},
        {"{\"jsonrpc\":\"1.0\",\"id\":7,\"method\":\"m\",\"params\":{}}", "call m {} 7;", "call m {} 7;",
         "refused -32600 7;"},
        {"{\"jsonrpc\":2,\"id\":7,\"method\":\"m\",\"params\":{}}", "call m {} 7;", "call m {} 7;",
         "refused -32600 7;"},
        /* ids */
        {"{" V "\"method\":\"m\",\"params\":{},\"id\":\"x\"}", "call m {} \"x\";", "call m {} \"x\";",
         "call m {} \"x\";"},
        {"{" V "\"method\":\"m\",\"params\":{},\"id\":1.5}", "call m {} 1.5;", "call m {} 1.5;", "call m {} 1.5;"},
        {"{" V "\"method\":\"m\",\"params\":{},\"id\":null}", "call m {} null;", "call m {} null;",
         "refused -32600 null;"},
        {"{" V "\"method\":\"m\",\"params\":{}}", "call m {} -;", "notice m {} -;", "notice m {} -;"},
        {"{" V "\"method\":\"m\",\"params\":{},\"id\":{}}", "refused -32700 -;", "refused -32600 -;",
         "refused -32600 -;"},
        {"{" V "\"method\":\"m\",\"params\":{},\"id\":[1]}", "refused -32700 -;", "refused -32600 -;",
         "refused -32600 -;"},
        {"{" V "\"method\":\"m\",\"params\":{},\"id\":true}", "refused -32700 -;", "refused -32600 -;",
         "refused -32600 -;"},
        /* params */
        {"{" V "\"method\":\"m\",\"id\":1}", "refused -32700 1;", "call m - 1;", "call m - 1;"},
        {"{" V "\"method\":\"m\",\"params\":null,\"id\":1}", "refused -32700 1;", "call m - 1;", "refused -32600 1;"},
        {"{" V "\"method\":\"m\",\"params\":[],\"id\":1}", "call m - 1;", "call m - 1;", "call m [] 1;"},
        {"{" V "\"method\":\"m\",\"params\":[1],\"id\":1}", "refused -32602 1;", "refused -32602 1;", "call m [1] 1;"},
        {"{" V "\"method\":\"m\",\"params\":\"bar\",\"id\":1}", "refused -32602 1;", "refused -32602 1;",
         "refused -32600 1;"},
        {"{" V "\"method\":\"m\",\"params\":0,\"id\":1}", "refused -32602 1;", "refused -32602 1;",
         "refused -32600 1;"},
        /* methods */
        {"{" V "\"method\":1,\"params\":{},\"id\":1}", "refused -32700 1;", "refused -32600 1;", "refused -32600 1;"},
        {"{" V "\"method\":\"\",\"params\":{},\"id\":1}", "call  {} 1;", "call  {} 1;", "call  {} 1;"},
        {"{" V "\"params\":{},\"id\":1}", "refused -32700 1;", "refused -32600 1;", "refused -32600 1;"},
        {"{}", "refused -32700 -;", "refused -32600 -;", "refused -32600 -;"},
        /* unknown members, and members of answers beside a method */
        {"{" V "\"method\":\"m\",\"params\":{},\"id\":1,\"result\":2,\"x\":3}", "call m {} 1;", "call m {} 1;",
         "call m {} 1;"},
        /* no request at all */
        {"null", "refused -32700", "refused -32600", "refused -32600"},
        {"1", "refused -32700", "refused -32600", "refused -32600"},
        {"\"x\"", "refused -32700", "refused -32600", "refused -32600"},
    };
    check_rows(rows, N(rows));
}

TEST(batches_keep_order_and_refuse_item_by_item) {
    static const struct row rows[] = {
        {"[]", "batch 0;", "batch 0;", "refused -32600"},
        {"[1,2]", "batch 2;refused -32700 -;refused -32700 -;", "batch 2;refused -32600 -;refused -32600 -;",
         "batch 2;refused -32600 -;refused -32600 -;"},
        {"[{" V "\"method\":\"a\",\"params\":{},\"id\":1},{\"foo\":\"boo\",\"id\":2},{" V
         "\"method\":\"b\",\"params\":{}}]",
         "batch 3;call a {} 1;refused -32700 2;call b {} -;", "batch 3;call a {} 1;refused -32600 2;notice b {} -;",
         "batch 3;call a {} 1;refused -32600 2;notice b {} -;"},
        /* In a batch a null is no missing params, but params of a wrong kind. */
        {"[{\"method\":\"a\",\"params\":null,\"id\":1}]", "batch 1;refused -32602 1;", "batch 1;call a - 1;", NULL},
        {"[{\"method\":\"a\",\"id\":1}]", "batch 1;refused -32700 1;", "batch 1;call a - 1;", NULL},
        {"[[]]", "batch 1;refused -32700 -;", "batch 1;refused -32600 -;", "batch 1;refused -32600 -;"},
        {"[1,1,1]", "batch 3;refused -32700 -;refused -32700 -;refused -32700 -;", NULL, NULL},
        {"[1,1,1,1]", "refused -32600", "refused -32600", "refused -32600"}, /* the limit is 3 */
    };
    check_rows(rows, N(rows));
    struct val v = parse("[1,1]");
    struct jsonrpc_reader r;
    struct err e = ERR_INIT;
    CHECK(!jsonrpc_open(&r, &v, &JSONRPC_HTTP(1), &e) && e.limit && !strcmp(e.limit, "batch"));
    CHECK(!jsonrpc_open(&r, &v, &JSONRPC_HTTP(1), NULL));
    val_unref(&v);
}

TEST(answers_have_a_result_or_an_error) {
    static const struct row rows[] = {
        {"{" V "\"result\":{\"a\":1},\"id\":1}", "result {\"a\":1} 1;", "result {\"a\":1} 1;", "result {\"a\":1} 1;"},
        {"{\"id\":0,\"result\":null}", NULL, "result null 0;", "refused -32600 0;"},
        {"{" V "\"result\":1,\"error\":{\"code\":1,\"message\":\"m\"},\"id\":1}", NULL, "refused -32600 1;",
         "refused -32600 1;"},
        {"{" V "\"result\":1}", NULL, "refused -32600 -;", "refused -32600 -;"},
        {"{" V "\"error\":{\"code\":-32601,\"message\":\"Method not found\"},\"id\":null}", NULL,
         "error -32601 Method not found - null;", NULL},
        {"{" V "\"error\":{\"code\":6,\"message\":\"m\",\"data\":null}}", NULL, "error 6 m null -;", NULL},
        {"{" V "\"error\":{\"code\":6,\"message\":\"m\",\"data\":{\"details\":\"d\"}},\"id\":\"x\"}", NULL,
         "error 6 m {\"details\":\"d\"} \"x\";", NULL},
        {"{" V "\"error\":{\"code\":1.5,\"message\":\"m\"},\"id\":1}", NULL, "refused -32600 1;", NULL},
        {"{" V "\"error\":{\"code\":18446744073709551615,\"message\":\"m\"},\"id\":1}", NULL, "refused -32600 1;",
         NULL},
        {"{" V "\"error\":{\"code\":1},\"id\":1}", NULL, "refused -32600 1;", NULL},
        {"{" V "\"error\":\"x\",\"id\":1}", NULL, "refused -32600 1;", NULL},
        {"{" V "\"error\":null,\"id\":1}", NULL, "refused -32600 1;", NULL},
        {"[{" V "\"result\":1,\"id\":1},{" V "\"method\":\"m\",\"params\":{}}]", NULL,
         "batch 2;result 1 1;notice m {} -;", NULL},
    };
    check_rows(rows, N(rows));
}

TEST(one_object_may_be_asked_to_be_a_request_or_an_answer) {
    struct jsonrpc_item item;
    struct err e = ERR_INIT;
    struct jsonrpc_rules rules = JSONRPC_SOCKET(1);
    struct val answer = parse("{\"result\":1,\"id\":1}"), request = parse("{\"method\":\"m\",\"id\":1}"),
               other = parse("[]");
    CHECK(jsonrpc_read_response(&answer, &rules, &item, &e) && item.kind == JSONRPC_RESULT);
    CHECK(!jsonrpc_read_request(&answer, &rules, &item, &e) && item.kind == JSONRPC_REFUSED && item.code == -32600);
    CHECK(jsonrpc_read_request(&request, &rules, &item, &e) && item.kind == JSONRPC_CALL);
    CHECK(!jsonrpc_read_response(&request, &rules, &item, NULL) && item.kind == JSONRPC_REFUSED);
    CHECK(!jsonrpc_read_request(&other, &rules, &item, &e) && val_is_none(item.id));
    val_unref(&answer);
    val_unref(&request);
    val_unref(&other);
}

TEST(ids_are_compared_as_what_they_are) {
    struct val ids = parse("[1,1.0,\"1\",null,2]");
    CHECK(jsonrpc_id_eq(val_at(&ids, 0), val_at(&ids, 1)));
    CHECK(!jsonrpc_id_eq(val_at(&ids, 0), val_at(&ids, 2)) && !jsonrpc_id_eq(val_at(&ids, 0), val_at(&ids, 4)));
    CHECK(!jsonrpc_id_eq(val_at(&ids, 3), &val_none));
    val_unref(&ids);
}

TEST(an_error_answer_becomes_an_error_again) {
    static const struct {
        const char *in;
        enum err_code code;
        const char *text;
    } rows[] = {
        {"{\"error\":{\"code\":6,\"message\":\"Not found\",\"data\":{\"details\":\"no such package\"}}}", ERR_NOT_FOUND,
         "no such package"},
        {"{\"error\":{\"code\":-32601,\"message\":\"Method not found\"}}", ERR_NOT_FOUND, "Method not found"},
        {"{\"error\":{\"code\":-32602,\"message\":\"Invalid params\",\"data\":\"want x\"}}", ERR_SYNTAX, "want x"},
        {"{\"error\":{\"code\":-32700,\"message\":\"m\"}}", ERR_SYNTAX, "m"},
        {"{\"error\":{\"code\":38,\"message\":\"m\",\"data\":{\"details\":1}}}", ERR_INVALID, "m"},
        {"{\"error\":{\"code\":12345,\"message\":\"m\"}}", ERR_UNKNOWN, "m"},
        {"{\"error\":{\"code\":-5,\"message\":\"m\"}}", ERR_UNKNOWN, "m"},
    };
    for (size_t i = 0; i < N(rows); i++) {
        struct jsonrpc_item item;
        struct err e = ERR_INIT;
        struct val v = parse(rows[i].in);
        CHECK(jsonrpc_read_response(&v, &JSONRPC_SOCKET(1), &item, &e));
        CHECK(!jsonrpc_to_err(&item, &e));
        CHECK_INT(e.code, rows[i].code);
        CHECK_TEXT(slice_str(e.text), slice_str(rows[i].text));
        val_unref(&v);
    }
}

TEST(answers_are_written_in_the_order_clients_know) {
    struct buf out;
    struct err e = ERR_INIT, why = ERR_INIT;
    struct val result = parse("{\"now\":\"\\u00e9\"}"), id = val_of_u64(7), text_id = val_of_str("\xc3\xa9");
    buf_init(&out, 1000);
#define WROTE(call, want) (buf_reset(&out), CHECK(call), CHECK_TEXT(buf_slice(&out), slice_str(want)))
    WROTE(jsonrpc_write_result(&out, &result, &id, JSON_COMPACT, &e),
          "{\"jsonrpc\":\"2.0\",\"result\":{\"now\":\"\xc3\xa9\"},\"id\":7}");
    WROTE(jsonrpc_write_result(&out, &result, &text_id, JSON_ASCII, &e),
          "{\"jsonrpc\":\"2.0\",\"result\":{\"now\":\"\\u00e9\"},\"id\":\"\\u00e9\"}");
    WROTE(jsonrpc_write_result_head(&out, &e) && json_write(&out, &result, JSON_ASCII, &e) &&
              jsonrpc_write_result_tail(&out, NULL, JSON_ASCII, &e),
          "{\"jsonrpc\":\"2.0\",\"result\":{\"now\":\"\\u00e9\"},\"id\":null}");
    err_set(&why, ERR_RPC_METHOD, "%s", "");
    WROTE(jsonrpc_write_err(&out, &why, NULL, &id, JSON_COMPACT, &e),
          "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32601,\"message\":\"Method not found\"},\"id\":7}");
    err_set(&why, ERR_RPC_PARSE, "want x");
    WROTE(jsonrpc_write_err(&out, &why, NULL, &val_none, JSON_COMPACT, &e),
          "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32700,\"message\":\"Parse error\",\"data\":\"want "
          "x\"},\"id\":null}");
    err_set(&why, ERR_AUTHORIZATION, "no valid session");
    WROTE(jsonrpc_write_err(&out, &why, NULL, NULL, JSON_COMPACT, &e),
          "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":34,\"message\":\"Unauthorized\",\"data\":{\"details\":\"no valid "
          "session\",\"debug\":\"no valid "
          "session\",\"info\":null}},\"id\":null}");
    err_set(&why, ERR_NOT_FOUND, "%s", "");
    WROTE(jsonrpc_write_err(&out, &why, &id, NULL, JSON_ASCII, &e),
          "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":6,\"message\":\"Not found\",\"data\":{\"details\":\"Not "
          "found\",\"debug\":\"Not found\",\"info\":7}},\"id\":null}");
    WROTE(jsonrpc_write_error(&out, -1, LIT("General error"), NULL, &id, JSON_COMPACT, &e),
          "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-1,\"message\":\"General error\"},\"id\":7}");
    buf_reset(&out);
    CHECK(!jsonrpc_write_error(&out, 1, LIT("\xff"), NULL, &id, JSON_COMPACT, &e) && e.code == ERR_UTF8 &&
          out.len == 0);
    CHECK(!jsonrpc_write_error(&out, 1, LIT("\xff"), NULL, &id, JSON_ASCII, &e) && e.code == ERR_UTF8 && out.len == 0);
    struct val bytes = val_of_bytes(LIT("x"));
    CHECK(!jsonrpc_write_result(&out, &bytes, &id, JSON_COMPACT, &e) && out.len == 0);
    CHECK(!jsonrpc_write_error(&out, 1, LIT("m"), &bytes, &id, JSON_COMPACT, &e) && out.len == 0);
    val_unref(&bytes);
    val_unref(&result);
    val_unref(&text_id);
    buf_release(&out);
}

TEST(requests_are_written_with_and_without_the_version) {
    struct buf out;
    struct err e = ERR_INIT;
    struct val params = parse("{\"a\":\"\\u00e9\"}"), list = parse("[1]");
    uint64_t id = 7;
    buf_init(&out, 1000);
    WROTE(jsonrpc_write_request(&out, false, LIT("start"), NULL, &id, JSON_COMPACT, &e),
          "{\"id\":7,\"method\":\"start\",\"params\":{}}");
    WROTE(jsonrpc_write_request(&out, false, LIT("start"), &params, NULL, JSON_ASCII, &e),
          "{\"method\":\"start\",\"params\":{\"a\":\"\\u00e9\"}}");
    WROTE(jsonrpc_write_request(&out, true, LIT("m"), &params, &id, JSON_COMPACT, &e),
          "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"m\",\"params\":{\"a\":\"\xc3\xa9\"}}");
    WROTE(jsonrpc_write_request(&out, true, LIT("m"), &val_none, NULL, JSON_COMPACT, &e),
          "{\"jsonrpc\":\"2.0\",\"method\":\"m\"}");
    buf_reset(&out);
    CHECK(!jsonrpc_write_request(&out, true, LIT("m"), &list, NULL, JSON_COMPACT, &e) && out.len == 0);
    CHECK(!jsonrpc_write_request(&out, true, LIT("\xff"), NULL, NULL, JSON_COMPACT, &e) && out.len == 0);
    val_unref(&params);
    val_unref(&list);
    buf_release(&out);
}

TEST(batches_are_written_around_their_answers) {
    struct buf out;
    struct err e = ERR_INIT;
    struct jsonrpc_batch b;
    struct val id = val_of_u64(1), none = val_null();
    buf_init(&out, 1000);
    WROTE(jsonrpc_batch_begin(&b, &out, &e) && jsonrpc_batch_end(&b, &out, &e), "[]");
    WROTE(jsonrpc_batch_begin(&b, &out, &e) && jsonrpc_batch_next(&b, &out, &e) &&
              jsonrpc_write_result(&out, &none, &id, JSON_COMPACT, &e) && jsonrpc_batch_next(&b, &out, &e) &&
              jsonrpc_write_result(&out, &none, NULL, JSON_COMPACT, &e) && jsonrpc_batch_end(&b, &out, &e),
          "[{\"jsonrpc\":\"2.0\",\"result\":null,\"id\":1},{\"jsonrpc\":\"2.0\",\"result\":null,\"id\":null}]");
    buf_release(&out);
}

TEST(values_and_text_are_the_same) {
    struct buf out;
    struct err e = ERR_INIT, why = ERR_INIT;
    struct val id = val_of_u64(7), yes = val_of_bool(true);
    uint64_t number = 7;
    buf_init(&out, 1000);
#define SAME(made, written)                                                                                            \
    do {                                                                                                               \
        struct val v = made;                                                                                           \
        struct buf text;                                                                                               \
        buf_init(&text, 1000);                                                                                         \
        buf_reset(&out);                                                                                               \
        CHECK(json_write(&text, &v, JSON_COMPACT, &e) && (written));                                                   \
        CHECK_TEXT(buf_slice(&text), buf_slice(&out));                                                                 \
        buf_release(&text);                                                                                            \
        val_unref(&v);                                                                                                 \
    } while (0)
    SAME(jsonrpc_result(val_of_bool(true), &id), jsonrpc_write_result(&out, &yes, &id, JSON_COMPACT, &e));
    err_set(&why, ERR_NOT_FOUND, "no");
    SAME(jsonrpc_error(&why, &id, NULL), jsonrpc_write_err(&out, &why, &id, NULL, JSON_COMPACT, &e));
    err_set(&why, ERR_RPC_INTERNAL, "%s", "");
    SAME(jsonrpc_error(&why, NULL, &id), jsonrpc_write_err(&out, &why, NULL, &id, JSON_COMPACT, &e));
    SAME(jsonrpc_request(false, LIT("m"), val_none, &number),
         jsonrpc_write_request(&out, false, LIT("m"), NULL, &number, JSON_COMPACT, &e));
    SAME(jsonrpc_request(true, LIT("m"), val_empty_map(), NULL),
         jsonrpc_write_request(&out, true, LIT("m"), &(struct val){.kind = VAL_MAP}, NULL, JSON_COMPACT, &e));
    SAME(jsonrpc_request(true, LIT("m"), val_none, NULL),
         jsonrpc_write_request(&out, true, LIT("m"), NULL, NULL, JSON_COMPACT, &e));
    struct val bad = jsonrpc_request(true, LIT("\xff"), parse("{\"a\":{}}"), NULL);
    CHECK(val_is_none(&bad));
    buf_release(&out);
}

TEST(whatever_the_room_all_or_nothing_is_written) {
    struct err why = ERR_INIT, e = ERR_INIT;
    struct val id = val_of_u64(7), params = parse("{\"a\":1}");
    uint64_t number = 7;
    err_set(&why, ERR_NOT_FOUND, "no");
    for (int what = 0; what < 4; what++) {
        bool good = false;
        for (size_t max = 0; max < 300 && !good; max++) {
            struct buf out;
            buf_init(&out, max);
            enum json_form form = what % 2 ? JSON_ASCII : JSON_COMPACT;
            good = what < 2 ? jsonrpc_write_err(&out, &why, NULL, &id, form, &e)
                            : jsonrpc_write_request(&out, true, LIT("m"), &params, &number, form, &e);
            if (!good && !(CHECK_INT(out.len, 0) && CHECK_INT(e.code, ERR_LIMIT)))
                tap_note("%d at %zu: %s", what, max, e.text);
            if (good) CHECK_INT(out.len, max);
            buf_release(&out);
        }
        CHECK(good);
    }
    struct buf none;
    struct jsonrpc_batch b;
    buf_init(&none, 0);
    CHECK(!jsonrpc_batch_begin(&b, &none, &e) && !jsonrpc_write_result_head(&none, &e) &&
          !jsonrpc_write_result_tail(&none, &id, JSON_COMPACT, &e));
    buf_release(&none);
    val_unref(&params);
}

TEST(codes_have_their_fixed_messages) {
    enum jsonrpc_code code;
    CHECK(!strcmp(jsonrpc_code_name(-32603), "Internal error") && !jsonrpc_code_name(5));
    CHECK(jsonrpc_code_from(LIT("General error"), &code) && code == JSONRPC_CODE_GENERAL &&
          !jsonrpc_code_from(LIT("x"), &code));
    /* The table of struct err says the same. */
    for (int i = ERR_RPC_PARSE; i <= ERR_RPC_INTERNAL; i++) {
        const char *name = jsonrpc_code_name(err_rpc((enum err_code)i));
        CHECK(name && !strcmp(name, err_label((enum err_code)i)));
    }
}

static bool write_everything(void *arg) {
    (void)arg;
    struct buf out;
    struct err e = ERR_INIT, why = ERR_INIT;
    uint64_t id = 7;
    err_set(&why, ERR_NOT_FOUND, "a sentence that is too long to be inside a value");
    buf_init(&out, 10000);
    struct val error = jsonrpc_error(&why, NULL, NULL),
               request = jsonrpc_request(true, LIT("a.method.with.a.long.name"), val_empty_map(), &id);
    struct val result = jsonrpc_result(val_of_str("a result that is a long text"), NULL);
    bool good = !val_is_none(&error) && !val_is_none(&request) && !val_is_none(&result);
    good = good && jsonrpc_write_err(&out, &why, NULL, NULL, JSON_ASCII, &e) &&
           jsonrpc_write_request(&out, false, LIT("a.method.with.a.long.name"), &error, &id, JSON_ASCII, &e) &&
           jsonrpc_write_result(&out, &request, NULL, JSON_COMPACT, &e);
    val_unref(&error);
    val_unref(&request);
    val_unref(&result);
    buf_release(&out);
    return good;
}

TEST(a_failed_allocation_is_an_error_and_no_leak) {
    faults_sweep(write_everything, NULL, "jsonrpc");
}

TAP_MAIN(T(requests_are_read_by_the_rules_of_each_transport), T(batches_keep_order_and_refuse_item_by_item),
         T(answers_have_a_result_or_an_error), T(one_object_may_be_asked_to_be_a_request_or_an_answer),
         T(ids_are_compared_as_what_they_are), T(an_error_answer_becomes_an_error_again),
         T(answers_are_written_in_the_order_clients_know), T(requests_are_written_with_and_without_the_version),
         T(batches_are_written_around_their_answers), T(values_and_text_are_the_same),
         T(whatever_the_room_all_or_nothing_is_written), T(codes_have_their_fixed_messages),
         T(a_failed_allocation_is_an_error_and_no_leak))
