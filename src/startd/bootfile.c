/* bootfile.c - the first start without a keyboard: a file on the boot partition (--boot DIR) says what setup.execute would be told, and
 * the claim code stands there for whoever prefers the page.
 *
 *   startbox-setup.json   {"password": "...", "name": "...", "hostname": "...", "language": "..."}; taken away once it was done, since
 *                         it has the password; what is wrong with it is written to startbox-setup-error.txt
 *   startbox-claim.txt    the claim code while the box waits for its owner */
#include "base/limits.h"
#include "base/log.h"
#include "protocols/json.h"
#include "startd/room.h"

#include <stdio.h>

#define SETUP "startbox-setup.json"
#define ERROR "startbox-setup-error.txt"
#define CLAIM "startbox-claim.txt"

static const struct rpc_caller local = {.kind = CALLER_LOCAL};

/* --- files: one call at a time, in order --- */

static void go_on(struct daemon *d);

static bool ask(struct daemon *d, const char *verb, const char *path, struct slice bytes) {
    struct val args = VAL_MAP_OF({"root", val_of_str("boot")}, {"path", val_of_str(path)});
    if (!strcmp(verb, "disk.read")) val_set_str(&args, "most", val_of_u64(LIMIT_BOOT_FILE));
    if (!strcmp(verb, "disk.replace")) val_set_str(&args, "bytes", val_of_bytes(bytes));
    return call_start(&d->boot.call, &d->disk, verb, args, NULL, 0, 0, NULL);
}

static void finish(struct daemon *d, const struct err *why) {
    d->boot.step = BOOT_TELL;
    d->boot.why = *why;
    go_on(d);
}

static void executed(struct rpc_call *c, struct val *result, uint64_t revision, const struct err *why) {
    struct daemon *d = LOOP_OWNER(struct daemon, boot.setup, c);
    (void)result, (void)revision;
    if (why) {
        finish(d, why);
        return;
    }
    d->boot.step = BOOT_REMOVE;
    d->boot.done = true;
    go_on(d);
}

static void execute(struct daemon *d, struct slice text) {
    static const struct json_limits limits = {.bytes = LIMIT_BOOT_FILE, .depth = 4};
    struct val params = val_none;
    struct err e = ERR_INIT;
    if (!json_parse(text, &limits, &params, &e)) {
        err_context(&e, SETUP);
        finish(d, &e);
        return;
    }
    d->boot.setup = (struct rpc_call){.done = executed, .caller = &local};
    d->boot.step = BOOT_EXECUTE;
    rpc_start(d->rpc, &d->boot.setup, LIT("setup.execute"), &params);
    val_unref(&params);
}

static void heard(struct call *c, struct call_answer *a) {
    struct daemon *d = LOOP_OWNER(struct daemon, boot.call, c);
    if (d->boot.step == BOOT_READ && a->err.code == ERR_NONE) {
        execute(d, val_as_bytes(val_get(&a->result, LIT("bytes"))));
        return;
    }
    if (a->err.code != ERR_NONE && a->err.code != ERR_NOT_FOUND) log_warn("the boot partition: %s", a->err.text);
    if (d->boot.step == BOOT_REMOVE && a->err.code == ERR_NONE && d->boot.done)
        log_note("the box was set up by %s, which is taken away", SETUP);
    d->boot.step = d->boot.step == BOOT_CLAIM ? BOOT_READ : d->boot.step == BOOT_REMOVE ? BOOT_UNCLAIM : BOOT_OVER;
    go_on(d);
}

static void go_on(struct daemon *d) {
    const char *claim = system_claim(d->system);
    char text[ERR_TEXT + 2];
    bool going = false;
    switch (d->boot.step) {
    case BOOT_CLAIM:
        snprintf(text, sizeof text, "%s\n", claim);
        going = ask(d, claim[0] ? "disk.replace" : "disk.remove", CLAIM, slice_str(text));
        break;
    case BOOT_READ: going = ask(d, "disk.read", SETUP, slice_of(NULL, 0)); break;
    case BOOT_EXECUTE: return;
    case BOOT_TELL:
        log_warn("the box was not set up by %s: %s", SETUP, d->boot.why.text);
        snprintf(text, sizeof text, "%s\n", d->boot.why.text);
        going = ask(d, "disk.replace", ERROR, slice_str(text));
        break;
    case BOOT_REMOVE: going = ask(d, "disk.remove", SETUP, slice_of(NULL, 0)); break;
    case BOOT_UNCLAIM:
        if (d->boot.done) { /* whatever became of the file */
            d->boot.done = false;
            daemon_set_up(d);
            return;
        }
        going = ask(d, "disk.remove", CLAIM, slice_of(NULL, 0));
        break;
    case BOOT_OVER: return;
    }
    if (!going) d->boot.step = BOOT_OVER;
}

void bootfile_begin(struct daemon *d) {
    if (!d->options->boot) return;
    d->boot.call = (struct call){.done = heard};
    d->boot.step = BOOT_CLAIM;
    go_on(d);
}

void bootfile_owned(struct daemon *d) {
    if (!d->options->boot) return;
    call_cancel(&d->boot.call);
    d->boot.call = (struct call){.done = heard};
    d->boot.step = BOOT_UNCLAIM;
    d->boot.done = false;
    go_on(d);
}

void bootfile_end(struct daemon *d) {
    call_cancel(&d->boot.call);
}
