/* rpc_door.c - the door for JSON-RPC without a daemon: answers as they should be, and none that calls a failure a success, whichever
 * allocation fails. What else it says is tried with the whole daemon: tests/cli/startd.sh, hostile.sh. */
#include "http/rpc_door.h"

#include "http/stage.h"
#include "rpc/rpc.h"

static void run_echo(struct rpc_call *c) {
    rpc_give(c, val_ref(val_get(&c->params, LIT("message"))));
}
static void run_fail(struct rpc_call *c) {
    struct err e = ERR_INIT;
    err_set(&e, ERR_NOT_FOUND, "there is no such thing");
    rpc_fail(c, &e);
}

static const struct shape text_shape = {.kind = SHAPE_TEXT, .max = 20};
static const struct shape_field echo_fields[] = {
    {.name = "message", .shape = &text_shape, .about = "What comes back."}};
static const struct shape echo_params = {.kind = SHAPE_RECORD, .fields = echo_fields, .field_n = 1};
#define ROW(name_, ...)                                                                                                \
    { .name = (name_), .about = "A row.", .callers = CALLER_ANY, .where = 1, .phases = PHASE_RUN, __VA_ARGS__ }
static const struct method echo = ROW("echo", .params = &echo_params, .result = &text_shape, .run = run_echo),
                           failing = ROW("fail", .run = run_fail);

static struct rpc *rpc;
static struct auth *auth;
static struct rpc_door door;
static struct http_route route = {"/rpc/",           true, HTTP_METHOD(HTTP1_METHOD_POST), LIMIT_RPC_BODY,
                                  &rpc_door_handler, &door};

static bool knows_none(void *arg, struct slice host) {
    (void)arg, (void)host;
    return false;
}

static void begin(void) {
    static const struct method *rows[] = {&echo, &failing};
    struct err e = ERR_INIT;
    stage_begin(http_limits, &route, 1);
    const struct rpc_config config = {.loop = loop, .where = 1, .rows = rows, .row_n = 2};
    CHECK((rpc = rpc_new(&config, &e)) != NULL);
    rpc_phase(rpc, PHASE_RUN);
    const struct auth_config who = {.loop = loop, .rpc = rpc, .knows_name = knows_none};
    CHECK((auth = auth_new(&who, &e)) != NULL);
    door = (struct rpc_door){.rpc = rpc, .auth = auth, .knows_host = knows_none};
    rpc_door_init(&door);
}
static void finish(void) {
    stage_end();
    rpc_door_release(&door);
    rpc_free(rpc);
    auth_free(auth);
}

static unsigned post(const char *body, struct buf *answer) {
    char text[1024];
    int n = snprintf(text, sizeof text, "POST /rpc/v1 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %zu\r\n\r\n%s",
                     strlen(body), body);
    return ask_once(slice_of(text, (size_t)n), answer, NULL);
}

TEST(calls_and_batches_are_answered) {
    struct buf got;
    begin();
    CHECK_INT(post("{\"id\":1,\"method\":\"echo\",\"params\":{\"message\":\"a\"}}", &got), 200);
    CHECK(contains(&got, LIT("\"result\":\"a\"")));
    buf_release(&got);
    CHECK_INT(post("[{\"id\":1,\"method\":\"fail\",\"params\":{}},{\"id\":2,\"method\":\"echo\",\"params\":{"
                   "\"message\":\"b\"}}]",
                   &got),
              200);
    CHECK(count(&got, LIT("\"error\"")) == 1 && contains(&got, LIT("there is no such thing")) &&
          contains(&got, LIT("\"result\":\"b\"")));
    buf_release(&got);
    CHECK_INT(post("{", &got), 200);
    CHECK(contains(&got, LIT("-32700")));
    buf_release(&got);
    finish();
}

TEST(no_failure_is_called_a_success_for_want_of_memory) {
    static const char *const bodies[] = {
        "{\"id\":1,\"method\":\"fail\",\"params\":{}}",
        "{\"id\":1,\"method\":\"echo\",\"params\":{\"message\":7}}",
        "{",
        "[{\"id\":1,\"method\":\"fail\",\"params\":{}},{\"id\":2,\"method\":\"nothing\",\"params\":{}}]",
    };
    unsigned swept = 0, without_why = 0;
    begin();
    for (unsigned i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        bool over = false;
        for (uint64_t n = 1; n < 400 && !over; n++, swept++) {
            struct buf got;
            mem_fault(n, 0);
            unsigned status = post(bodies[i], &got);
            over = !mem_fault_hit();
            mem_fault(0, 0);
            CHECK(!contains(&got, LIT("\"result\"")));
            if (status == 200) CHECK(contains(&got, LIT("\"error\"")));
            if (over) CHECK_INT(status, 200);
            without_why += contains(&got, LIT("no memory to say what went wrong"));
            buf_release(&got);
        }
        CHECK(over);
    }
    CHECK(without_why > 0);
    tap_note("%u allocations failed in turn", swept);
    finish();
}

TAP_MAIN(T(calls_and_batches_are_answered), T(no_failure_is_called_a_success_for_want_of_memory))
