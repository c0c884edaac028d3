/* rpc.c - rows, what they refuse, and calls from their beginning to their one answer. */
#include "rpc/rpc.h"

#include "base/log.h"
#include "lib/faults.h"
#include "lib/tap.h"
#include "protocols/json.h"
#include "state/scenario.h"

enum { HERE = 1, ELSEWHERE = 2 };

/* --- rows --- */

static struct rpc_call *later; /* the call that "later" was asked */
static unsigned dropped;

static void run_echo(struct rpc_call *c) {
    rpc_give(c, val_ref(val_get(&c->params, LIT("message"))));
}
static void run_all(struct rpc_call *c) {
    rpc_give(c, val_ref(&c->params));
}
static void note_drop(struct rpc_call *c) {
    (void)c;
    dropped++;
    later = NULL;
}
static void run_later(struct rpc_call *c) {
    c->drop = note_drop;
    later = c;
}
static void run_fail(struct rpc_call *c) {
    struct err e = ERR_INIT;
    err_set(&e, ERR_NOT_FOUND, "there is no such thing");
    rpc_fail(c, &e);
}
static void run_change(struct rpc_call *c) {
    struct state_txn t;
    struct err e = ERR_INIT;
    const struct val *name = val_get(&c->params, LIT("message"));
    if (state_begin(rpc_state(c->rpc), &t, PLAN_ALL_OWNERS, &e)) {
        txn_put(&t, LIT("/public/name"), val_ref(name), &e);
        if (state_commit(&t, NULL, &e)) {
            rpc_give_null(c);
            return;
        }
    }
    rpc_fail(c, &e);
}

static const struct shape text_shape = {.kind = SHAPE_TEXT, .max = 20};
static const struct shape port_shape = {.kind = SHAPE_INT, .min = 1, .max = 65535};
static const struct shape mode_shape = {.kind = SHAPE_WORD, .words = "starttls tls"};
static const struct shape null_text = {.kind = SHAPE_TEXT, .null = true};
static const struct shape any_shape = {.kind = SHAPE_ANY};
static const struct shape_field echo_fields[] = {
    {.name = "message", .shape = &text_shape, .about = "What comes back."}};
static const struct shape echo_params = {.kind = SHAPE_RECORD, .fields = echo_fields, .field_n = 1};
static const struct shape_field smtp_fields[] = {
    {.name = "host", .shape = &text_shape, .alias = "server", .about = "The mail server."},
    {.name = "port", .shape = &port_shape, .fallback = "587", .about = "Its port."},
    {.name = "security", .shape = &mode_shape, .fallback = "\"starttls\"", .about = "How it is kept secret."},
    {.name = "password", .shape = &text_shape, .optional = true, .about = "The password."},
    {.name = "note", .shape = &null_text, .optional = true, .about = "Null is a value here."},
    {.name = "extra", .optional = true, .about = "Anything."},
};
static const struct shape smtp_params = {.kind = SHAPE_RECORD, .fields = smtp_fields, .field_n = 6};

#define ROW(name_, ...)                                                                                                \
    { .name = (name_), .about = "A row.", .callers = CALLER_ANY, .where = HERE, .phases = PHASE_RUN, __VA_ARGS__ }
static const struct method rows[] = {
    ROW("echo", .params = &echo_params, .result = &text_shape, .run = run_echo, .words = "message"),
    ROW("server.set-smtp", .params = &smtp_params, .result = &any_shape, .run = run_all, .aliases = "smtp.set mail"),
    ROW("later", .run = run_later, .most_ms = 1000),
    ROW("fail", .run = run_fail),
    ROW("change", .params = &echo_params, .run = run_change, .effect = METHOD_CHANGES),
    ROW("change-at-once", .params = &echo_params, .run = run_change, .effect = METHOD_CHANGES, .at_once = true),
    {.name = "owner", .about = "A row.", .callers = CALLER_OWNER, .where = HERE, .phases = PHASE_RUN, .run = run_later},
    {.name = "setup.only",
     .about = "A row.",
     .callers = CALLER_ANY,
     .where = HERE,
     .phases = PHASE_SETUP,
     .run = run_fail},
    {.name = "elsewhere",
     .about = "A row.",
     .callers = CALLER_ANY,
     .where = ELSEWHERE,
     .phases = PHASE_RUN,
     .run = run_fail},
};
#define ROWS (sizeof rows / sizeof rows[0])
static const struct method *table[ROWS];

static struct loop *loop;
static struct rpc *rpc;
static struct err err;

static bool begin(struct state *state) {
    for (size_t i = 0; i < ROWS; i++) table[i] = &rows[i];
    err = (struct err)ERR_INIT;
    later = NULL;
    dropped = 0;
    if (!state) loop = loop_new(&err);
    const struct rpc_config config = {.loop = loop, .state = state, .where = HERE, .rows = table, .row_n = ROWS};
    rpc = rpc_new(&config, &err);
    return CHECK(rpc != NULL);
}
static void finish(void) {
    rpc_free(rpc);
    loop_free(loop);
    loop = NULL;
}

/* --- a call --- */

struct asked {
    struct rpc_call call;
    unsigned done;
    struct val result;
    uint64_t revision;
    struct err why;
};
static const struct rpc_caller session = {.kind = CALLER_SESSION}, nobody = {.kind = CALLER_NOBODY};

static void answered(struct rpc_call *c, struct val *result, uint64_t revision, const struct err *why) {
    struct asked *a = LOOP_OWNER(struct asked, call, c);
    a->done++;
    a->result = *result;
    *result = val_none;
    a->revision = revision;
    a->why = why ? *why : (struct err)ERR_INIT;
}

static void ask_as(struct asked *a, const struct rpc_caller *caller, const char *method, const char *params) {
    static const struct json_limits limits = {.bytes = 10000, .depth = 16};
    struct val v = val_none;
    *a = (struct asked){.call = {.done = answered, .caller = caller}, .why = ERR_INIT};
    if (params) CHECK(json_parse(slice_str(params), &limits, &v, &err));
    rpc_start(rpc, &a->call, slice_str(method), &v);
    val_unref(&v);
}

static bool gives(const char *method, const char *params, const char *want) {
    struct asked a;
    struct buf b;
    ask_as(&a, &session, method, params);
    buf_init(&b, 4096);
    bool good = a.done == 1 && a.why.code == ERR_NONE && json_write(&b, &a.result, JSON_COMPACT, &err) &&
                slice_eq(buf_slice(&b), slice_str(want));
    if (!good) tap_note("%s %s: %.*s %s", method, params ? params : "-", (int)b.len, (const char *)b.ptr, a.why.text);
    buf_release(&b);
    val_unref(&a.result);
    return good;
}

static bool refuses(const char *method, const char *params, enum err_code code, const char *text) {
    struct asked a;
    ask_as(&a, &session, method, params);
    bool good = a.done == 1 && a.why.code == code && strstr(a.why.text, text) && val_is_none(&a.result);
    if (!good) tap_note("%s %s: %s %s", method, params ? params : "-", err_name(a.why.code), a.why.text);
    val_unref(&a.result);
    return good;
}

/* --- tests --- */

TEST(parameters_come_as_the_row_wants_them) {
    if (!begin(NULL)) return;
    CHECK(gives("echo", "{\"message\":\"hi\"}", "\"hi\""));
    CHECK(gives("echo", "{\"message\":\"hi\",\"format\":null,\"other\":1}", "\"hi\"")); /* what is unknown is ignored */
    CHECK(gives("server.set-smtp", "{\"host\":\"a\"}", "{\"host\":\"a\",\"port\":587,\"security\":\"starttls\"}"));
    CHECK(gives("mail", "{\"security\":\"tls\",\"port\":25,\"server\":\"b\"}",
                "{\"host\":\"b\",\"port\":25,\"security\":\"tls\"}")); /* aliases of both kinds */
    /* Null is as good as absent where the field is optional, unless null is a value of it. */
    CHECK(gives("smtp.set", "{\"host\":\"a\",\"port\":null,\"password\":null,\"note\":null}",
                "{\"host\":\"a\",\"port\":587,\"security\":\"starttls\",\"note\":null}"));
    CHECK(gives("smtp.set", "{\"host\":\"a\",\"extra\":{\"deep\":[1]}}",
                "{\"host\":\"a\",\"port\":587,\"security\":\"starttls\",\"extra\":{\"deep\":[1]}}"));
    CHECK(refuses("echo", "{}", ERR_RPC_PARAMS, "message: want text of at most 20 bytes, found nothing"));
    CHECK(refuses("echo", NULL, ERR_RPC_PARAMS, "message"));
    CHECK(refuses("echo", "null", ERR_RPC_PARAMS, "message"));
    CHECK(refuses("echo", "[]", ERR_RPC_PARAMS, "message"));
    CHECK(refuses("echo", "[1]", ERR_RPC_PARAMS, "by name, found an array"));
    CHECK(refuses("echo", "7", ERR_RPC_PARAMS, "by name"));
    CHECK(refuses("echo", "{\"message\":7}", ERR_RPC_PARAMS, "message: want text"));
    CHECK(refuses("mail", "{\"host\":\"a\",\"port\":0}", ERR_RPC_PARAMS, "port: want an integer from 1 to 65535"));
    CHECK(refuses("mail", "{\"host\":\"a\",\"security\":\"none\"}", ERR_RPC_PARAMS, "one of starttls tls"));
    finish();
}

TEST(refusals_come_in_the_order_of_startos) {
    struct asked a;
    if (!begin(NULL)) return;
    CHECK(refuses("no.such", "{}", ERR_RPC_METHOD, "no.such"));
    CHECK(refuses("", "{}", ERR_RPC_METHOD, ""));
    CHECK(refuses("elsewhere", "{}", ERR_RPC_METHOD, "elsewhere")); /* another program's */
    CHECK(refuses("setup.only", "{}", ERR_RPC_METHOD, "setup.only"));
    rpc_phase(rpc, PHASE_SETUP);
    CHECK(refuses("setup.only", NULL, ERR_NOT_FOUND, "no such thing"));
    CHECK(refuses("echo", "{}", ERR_RPC_METHOD, "echo"));
    rpc_phase(rpc, PHASE_RUN);
    /* Who calls is asked before the parameters, and behind the name. */
    ask_as(&a, &nobody, "owner", "7");
    CHECK(a.done == 1 && a.why.code == ERR_AUTHORIZATION && strstr(a.why.text, "login"));
    ask_as(&a, &nobody, "owners", "{}");
    CHECK(a.why.code == ERR_RPC_METHOD);
    CHECK_INT(rpc_counts(rpc).open, 0);
    CHECK_INT(rpc_counts(rpc).refused, rpc_counts(rpc).calls - 1);
    finish();
}

static int64_t now_us;
static int64_t tell_time(void *arg) {
    (void)arg;
    return now_us;
}
static void say_nothing(void *arg, enum log_level level, const char *line) {
    (void)arg, (void)level, (void)line;
}

TEST(an_answer_may_come_later_once_and_not_behind_its_time) {
    static const struct clock_source turned = {tell_time, tell_time, NULL};
    struct asked a;
    now_us = 5000000;
    clock_use(&turned);
    log_use(say_nothing, NULL);
    if (!begin(NULL)) return;
    ask_as(&a, &session, "later", "{}");
    CHECK(a.done == 0 && later == &a.call && rpc_counts(rpc).open == 1);
    rpc_give(later, val_null());
    CHECK(a.done == 1 && a.why.code == ERR_NONE && rpc_counts(rpc).open == 0 && dropped == 0);
    ask_as(&a, &session, "later", "{}");
    now_us += 999000;
    loop_turn(loop, 0);
    CHECK(a.done == 0);
    now_us += 2000;
    loop_turn(loop, 0);
    CHECK(a.done == 1 && a.why.code == ERR_TIMEOUT && strstr(a.why.text, "later") && dropped == 1);
    CHECK_INT(rpc_counts(rpc).late, 1);
    ask_as(&a, &session, "later", "{}");
    rpc_cancel(&a.call);
    rpc_cancel(&a.call);
    CHECK(a.done == 0 && dropped == 2 && rpc_counts(rpc).open == 0);
    struct asked b;
    ask_as(&a, &session, "later", "{}");
    ask_as(&b, &session, "owner", "{}");
    rpc_free(rpc); /* drops what is open */
    CHECK(a.done + b.done == 0 && dropped == 4);
    loop_free(loop);
    loop = NULL;
    log_use(NULL, NULL);
    clock_use(NULL);
}

TEST(what_changes_the_state_is_answered_when_it_is_durable) {
    struct book book = {0};
    struct stage st;
    struct asked a, b;
    stage_begin();
    struct mem_disk *disk = mem_disk_new();
    if (!stage_up(&st, disk, &book, 0)) return;
    loop = st.loop;
    if (!begin(st.state)) return;
    ask_as(&a, &session, "change", "{\"message\":\"one\"}");
    ask_as(&b, &session, "change-at-once", "{\"message\":\"two\"}");
    CHECK(a.done == 0 && b.done == 1 && b.revision == 3);
    for (unsigned i = 0; i < 20 && !a.done; i++) {
        loop_turn(st.loop, 0);
        mem_disk_turn(disk);
    }
    CHECK(a.done == 1 && a.why.code == ERR_NONE && a.revision == 2 && val_is_null(&a.result));
    CHECK(state_settled(st.state) == 3);
    /* The disk refuses: so does the method, though its handler had succeeded. */
    mem_disk_fail_at(disk, 1, MEM_EIO, MEM_SYNC, UINT64_MAX);
    ask_as(&a, &session, "change", "{\"message\":\"three\"}");
    CHECK(a.done == 0);
    for (unsigned i = 0; i < 20 && !a.done; i++) {
        loop_turn(st.loop, 0);
        mem_disk_turn(disk);
    }
    CHECK(a.done == 1 && a.why.code != ERR_NONE && strstr(a.why.text, "the disk refuses"));
    ask_as(&a, &session, "change", "{\"message\":\"four\"}");
    CHECK(a.done == 1 && a.why.code != ERR_NONE);
    rpc_free(rpc);
    loop = NULL;
    st.settled = st.revision = state_settled(st.state); /* the stage's own look is of no use here */
    state_free(st.state);
    port_stop(&st.port);
    loop_turn(st.loop, 0);
    mem_disk_turn(disk);
    mem_disk_turn(disk);
    loop_free(st.loop);
    plan_free(st.plan);
    val_unref(&st.now);
    mem_disk_free(disk);
    book_release(&book);
    stage_end();
}

static bool row_says(struct method m, const char *text) {
    struct err e = ERR_INIT;
    bool good = method_check(&m, &e);
    if (good || !strstr(e.text, text)) tap_note("%s: %s", m.name ? m.name : "-", good ? "good" : e.text);
    return !good && strstr(e.text, text);
}

TEST(rows_that_contradict_themselves_are_refused) {
    struct err e = ERR_INIT;
    static const struct method good = ROW("a.b-c2.d", .params = &echo_params, .run = run_echo, .words = "message");
    CHECK(method_check(&good, &e));
    static const char *const names[] = {"", ".", "a.", ".a", "a..b", "A", "a b", "a_b", "-a", "a-", "1a", "a.-b", "ä"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct method m = good;
        m.name = names[i];
        CHECK(row_says(m, "name is none"));
    }
    struct method m = good;
    m.about = NULL;
    CHECK(row_says(m, "no sentence"));
    m = good;
    m.run = NULL;
    CHECK(row_says(m, "nothing runs it"));
    m = good;
    m.callers = 0;
    CHECK(row_says(m, "nobody"));
    m = good;
    m.words = "message other";
    CHECK(row_says(m, "other"));
    m = good;
    m.aliases = "fine Bad";
    CHECK(row_says(m, "alias"));
    m = good;
    m.params = &text_shape;
    CHECK(row_says(m, "no record"));
    static const struct shape_field odd[] = {{.name = "a", .shape = &port_shape, .fallback = "0", .about = "x"}};
    static const struct shape odd_shape = {.kind = SHAPE_RECORD, .fields = odd, .field_n = 1};
    static const struct shape_field twice[] = {{.name = "a", .about = "x"}, {.name = "b", .alias = "a", .about = "x"}};
    static const struct shape twice_shape = {.kind = SHAPE_RECORD, .fields = twice, .field_n = 2};
    m = good;
    m.words = NULL;
    m.params = &odd_shape;
    CHECK(row_says(m, "want an integer from 1 to 65535, found 0"));
    m.params = &twice_shape;
    CHECK(row_says(m, "the name of another"));
    /* Names twice, also between aliases. */
    static const struct method other = ROW("x", .run = run_fail, .aliases = "a.b-c2.d");
    const struct method *both[] = {&good, &other};
    struct loop *l = loop_new(&e);
    const struct rpc_config config = {.loop = l, .where = HERE, .rows = both, .row_n = 2};
    CHECK(rpc_new(&config, &e) == NULL && e.code == ERR_DUPLICATE && strstr(e.text, "two methods are called a.b-c2.d"));
    loop_free(l);
}

static bool heard_good;
static void hear(void *arg, const struct method *m, const struct val *params, const struct val *result) {
    unsigned *n = arg;
    ++*n;
    (void)params;
    heard_good = method_result(m, result, NULL);
}

TEST(results_are_held_against_their_rows) {
    struct val text = val_of_str("x"), number = val_of_u64(1), null = val_null();
    unsigned heard = 0;
    CHECK(method_result(&rows[0], &text, NULL) && !method_result(&rows[0], &number, NULL));
    CHECK(method_result(&rows[2], &null, NULL) && !method_result(&rows[2], &text, NULL));
    if (!begin(NULL)) return;
    rpc_listen(rpc, hear, &heard);
    CHECK(gives("echo", "{\"message\":\"hi\"}", "\"hi\"") && heard == 1 && heard_good);
    CHECK(refuses("fail", NULL, ERR_NOT_FOUND, "") && heard == 1);
    CHECK(!strcmp(rpc_row(rpc, 0)->name, "change") && rpc_row(rpc, 99) == NULL);
    finish();
}

static bool call_once(void *arg) {
    (void)arg;
    static const struct json_limits limits = {.bytes = 1000, .depth = 8};
    struct asked a = {.call = {.done = answered, .caller = &session}, .why = ERR_INIT};
    struct val v = val_none;
    struct err e = ERR_INIT;
    bool good = json_parse(LIT("{\"host\":\"a host of 20 bytes\",\"password\":\"a long password\"}"), &limits, &v, &e);
    struct loop *l = good ? loop_new(&e) : NULL;
    const struct method *one[] = {&rows[1]};
    const struct rpc_config config = {.loop = l, .where = HERE, .rows = one, .row_n = 1};
    struct rpc *r = l ? rpc_new(&config, &e) : NULL;
    if (r) rpc_start(r, &a.call, LIT("mail"), &v);
    good = r && a.done == 1 && a.why.code == ERR_NONE;
    val_unref(&a.result);
    val_unref(&v);
    rpc_free(r);
    if (l) loop_free(l);
    return good;
}

TEST(any_allocation_of_a_call_may_fail) {
    faults_sweep(call_once, NULL, "a call");
}

TAP_MAIN(T(parameters_come_as_the_row_wants_them), T(refusals_come_in_the_order_of_startos),
         T(an_answer_may_come_later_once_and_not_behind_its_time),
         T(what_changes_the_state_is_answered_when_it_is_durable), T(rows_that_contradict_themselves_are_refused),
         T(results_are_held_against_their_rows), T(any_allocation_of_a_call_may_fail))
