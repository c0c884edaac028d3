/* server.c - the server's own settings and its end: time, names, language, mail, restart. See system.h. */
#include "system/room.h"

#include "base/clock.h"
#include "base/log.h"
#include "system/hostname.h"

#include <sys/utsname.h>

#define SERVER "/public/serverInfo"

static const struct val *server_info(const struct rpc_call *c) {
    return val_get(val_get(state_peek(rpc_state(c->rpc)), LIT("public")), LIT("serverInfo"));
}

/* One place of serverInfo becomes a value. Takes it. */
static void put_one(struct rpc_call *c, struct slice pointer, struct val value, const char *restart) {
    struct state_txn t;
    struct err e = ERR_INIT;
    if (!system_begin_txn(system_of(c), &t, "system", &e)) {
        val_unref(&value);
        rpc_fail(c, &e);
        return;
    }
    txn_put(&t, pointer, value, &e);
    if (restart) txn_put_text(&t, LIT(SERVER "/statusInfo/restart"), slice_str(restart), &e);
    system_answer(c, state_commit(&t, NULL, &e), &e);
}

static struct val param(const struct rpc_call *c, const char *name) {
    const struct val *v = val_get(&c->params, slice_str(name));
    return val_is_none(v) ? val_null() : val_ref(v);
}

/* --- time, what it is --- */

static void run_time(struct rpc_call *c) {
    rpc_give(c, VAL_MAP_OF({"now", system_time(clock_wall_ms())}, {"uptime", val_of_i64(clock_mono_ms() / 1000)}));
}

static void run_device(struct rpc_call *c) {
    struct utsname u;
    const struct val *info = server_info(c);
    bool known = uname(&u) == 0;
    rpc_give(c, VAL_MAP_OF({"os", VAL_MAP_OF({"version", val_ref(val_get(info, LIT("version")))},
                                             {"compat", val_ref(val_get(info, LIT("packageVersionCompat")))},
                                             {"platform", val_of_str(known ? u.machine : "unknown")},
                                             {"language", val_ref(val_get(info, LIT("language")))})},
                           {"hardware", VAL_MAP_OF({"arch", val_of_str(known ? u.machine : "unknown")},
                                                   {"ram", val_ref(val_get(info, LIT("ram")))},
                                                   {"devices", val_ref(val_get(info, LIT("devices")))})}));
}

/* --- names and language --- */

static void run_hostname(struct rpc_call *c) {
    struct hostname_names names;
    struct state_txn t;
    struct err e = ERR_INIT;
    bool good = hostname_find(val_as_text(val_get(&c->params, LIT("name"))),
                              val_as_text(val_get(&c->params, LIT("hostname"))), &names, &e) &&
                system_begin_txn(system_of(c), &t, "system", &e);
    if (good) {
        txn_put_text(&t, LIT(SERVER "/name"), slice_str(names.name), &e);
        txn_put_text(&t, LIT(SERVER "/hostname"), slice_str(names.host), &e);
        txn_put_text(&t, LIT(SERVER "/statusInfo/restart"), LIT("mdns"), &e);
        good = state_commit(&t, NULL, &e);
    }
    if (good) system_of(c)->config.renamed(system_of(c)->config.arg);
    system_answer(c, good, &e);
}

static void run_language(struct rpc_call *c) {
    put_one(c, LIT(SERVER "/language"), param(c, "language"), "language");
}

static void run_keyboard(struct rpc_call *c) {
    put_one(c, LIT(SERVER "/keyboard"), val_ref(&c->params), NULL);
}

static void run_echoip(struct rpc_call *c) {
    put_one(c, LIT(SERVER "/echoipUrls"), param(c, "urls"), NULL);
}

/* --- mail --- */

static void run_smtp(struct rpc_call *c) {
    put_one(c, LIT(SERVER "/smtp"),
            VAL_MAP_OF({"host", param(c, "host")}, {"port", param(c, "port")}, {"from", param(c, "from")},
                       {"username", param(c, "username")}, {"password", param(c, "password")},
                       {"security", param(c, "security")}),
            NULL);
}

static void run_no_smtp(struct rpc_call *c) {
    put_one(c, LIT(SERVER "/smtp"), val_null(), NULL);
}

/* --- the end --- */

/* Everybody sees it coming; then the machine goes, or the daemon where it does not own one. */
static void run_end(struct rpc_call *c, bool again) {
    struct system *s = system_of(c);
    struct state_txn t;
    struct err e = ERR_INIT;
    if (!system_begin_txn(s, &t, "system", &e)) {
        rpc_fail(c, &e);
        return;
    }
    txn_put_bool(&t, again ? LIT(SERVER "/statusInfo/restarting") : LIT(SERVER "/statusInfo/shuttingDown"), true, &e);
    if (!state_commit(&t, NULL, &e)) {
        rpc_fail(c, &e);
        return;
    }
    rpc_give_null(c);
    s->config.power(s->config.arg, again);
}

static void run_shutdown(struct rpc_call *c) {
    run_end(c, false);
}
static void run_restart(struct rpc_call *c) {
    run_end(c, true);
}

/* --- rows --- */

static const struct shape language_shape = {.kind = SHAPE_WORD, .words = "en_US de_DE es_ES fr_FR pl_PL"};
static const struct shape security_shape = {.kind = SHAPE_WORD, .words = "starttls tls"};
static const struct shape short_text = {.kind = SHAPE_TEXT, .max = 500};
static const struct shape short_or_null = {.kind = SHAPE_TEXT, .max = 500, .null = true};
static const struct shape short_list = {.kind = SHAPE_LIST, .item = &short_text, .max = 32};
static const struct shape list_shape = {.kind = SHAPE_LIST};

SHAPE_RECORD_OF(time_result, {.name = "now", .shape = &shape_time}, {.name = "uptime", .shape = &shape_u64});
SHAPE_RECORD_OF(os_shape, {.name = "version", .shape = &shape_text}, {.name = "compat", .shape = &shape_text},
                {.name = "platform", .shape = &shape_text}, {.name = "language", .shape = &shape_text_or_null});
SHAPE_RECORD_OF(hardware_shape, {.name = "arch", .shape = &shape_text}, {.name = "ram", .shape = &shape_u64},
                {.name = "devices", .shape = &list_shape});
SHAPE_RECORD_OF(device_result, {.name = "os", .shape = &os_shape}, {.name = "hardware", .shape = &hardware_shape});
SHAPE_RECORD_OF(hostname_params,
                {.name = "name", .shape = &short_text, .optional = true, .about = "What people call the box."},
                {.name = "hostname", .shape = &short_text, .optional = true, .about = "Its name on the network."});
SHAPE_RECORD_OF(language_params, {.name = "language", .shape = &language_shape, .about = "The language of the box."});
SHAPE_RECORD_OF(keyboard_params, {.name = "layout", .shape = &short_text, .about = "The layout, like us."},
                {.name = "keymap", .shape = &short_or_null, .fallback = "null", .about = "The map of the console."},
                {.name = "model", .shape = &short_or_null, .fallback = "null", .about = "The model of the keyboard."},
                {.name = "variant", .shape = &short_or_null, .fallback = "null", .about = "The variant of the layout."},
                {.name = "options", .shape = &short_list, .fallback = "[]", .about = "Further options."});
SHAPE_RECORD_OF(echoip_params, {.name = "urls", .shape = &short_list, .about = "Who is asked for our address."});
SHAPE_RECORD_OF(smtp_params, {.name = "host", .shape = &short_text, .alias = "server", .about = "The mail server."},
                {.name = "port", .shape = &shape_port, .about = "Its port."},
                {.name = "from", .shape = &short_text, .about = "Whom mails are from."},
                {.name = "username", .shape = &short_text, .alias = "login", .about = "Who logs in there."},
                {.name = "password",
                 .shape = &short_or_null,
                 .optional = true,
                 .attrs = PLAN_SECRET,
                 .about = "The password for it."},
                {.name = "security",
                 .shape = &security_shape,
                 .fallback = "\"starttls\"",
                 .about = "TLS from the first byte, or begun in the plain."});
SHAPE_RECORD_OF(end_params, {.name = "wait",
                             .shape = &shape_bool,
                             .fallback = "false",
                             .about = "As StartOS has it; the answer always comes first."});

#define SERVER_ROW(name_, about_, run_, ...)                                                                           \
    {                                                                                                                  \
        .name = (name_), .about = (about_), .callers = CALLER_OWNER, .where = IN_STARTD, .phases = PHASE_RUN,          \
        .run = (run_), __VA_ARGS__                                                                                     \
    }

const struct method system_server_rows[] = {
    SERVER_ROW("server.time", "What time it is, and for how long the machine is up.", run_time, .result = &time_result),
    SERVER_ROW("server.device-info", "What kind of machine and system this is.", run_device, .result = &device_result),
    SERVER_ROW("server.set-hostname", "Gives the box another name.", run_hostname, .params = &hostname_params,
               .effect = METHOD_CHANGES, .flags = METHOD_SYNC, .words = "name hostname"),
    SERVER_ROW("server.set-language", "Sets the language of the box.", run_language, .params = &language_params,
               .effect = METHOD_CHANGES, .flags = METHOD_SYNC, .words = "language"),
    SERVER_ROW("server.set-keyboard", "Says which keyboard is at the console.", run_keyboard,
               .params = &keyboard_params, .effect = METHOD_CHANGES, .flags = METHOD_SYNC, .words = "layout"),
    SERVER_ROW("server.set-echoip-urls", "Says whom the box asks for its address on the internet.", run_echoip,
               .params = &echoip_params, .effect = METHOD_CHANGES, .flags = METHOD_SYNC, .words = "urls"),
    SERVER_ROW("server.set-smtp", "Sets the server that mails of the box go to.", run_smtp, .params = &smtp_params,
               .effect = METHOD_CHANGES, .flags = METHOD_SYNC),
    SERVER_ROW("server.clear-smtp", "Forgets the mail server.", run_no_smtp, .effect = METHOD_CHANGES,
               .flags = METHOD_SYNC),
    SERVER_ROW("server.shutdown", "Turns the machine off; ends the daemon where it does not own the machine.",
               run_shutdown, .params = &end_params, .effect = METHOD_FINAL),
    SERVER_ROW("server.restart", "Starts the machine anew; the daemon where it does not own the machine.", run_restart,
               .params = &end_params, .effect = METHOD_FINAL),
    {.name = NULL},
};
