/* machine.c - the service manager, which hears that the box is ready and alive; and what the tree says of the machine is done to it, where this
 * instance owns it (--machine): host name, keys of ssh, power.
 * What cannot be done is logged: the tree is what counts, and the next change tries again. */
#include "base/limits.h"
#include "base/log.h"
#include "startd/room.h"

static const struct val *tree(const struct daemon *d, const char *first, const char *second) {
    return val_get(val_get(state_peek(d->state), slice_str(first)), slice_str(second));
}

static void go_on(struct daemon *d);

static void done(struct call *c, struct call_answer *a) {
    struct daemon *d = LOOP_OWNER(struct daemon, host, c);
    if (a->err.code != ERR_NONE) log_warn("the machine: %s", a->err.text);
    go_on(d);
}

static bool ask(struct daemon *d, const char *verb, struct val args) {
    struct err e = ERR_INIT;
    d->host.done = done;
    if (call_start(&d->host, &d->warden, verb, args, NULL, 0, 0, &e)) return true;
    log_warn("the machine: %s", e.text);
    return false;
}

static bool ask_keys(struct daemon *d) {
    struct buf text;
    buf_init(&text, 65536);
    for (struct val_iter it = val_iter(tree(d, "private", "sshPubkeys")); val_next(&it);) {
        buf_add(&text, val_as_text(val_get(it.value, LIT("line"))));
        buf_byte(&text, '\n');
    }
    bool good = buf_ok(&text) && ask(d, "host.keys", VAL_MAP_OF({"text", val_of_text(buf_slice(&text))}));
    buf_release(&text);
    return good;
}

/* One thing at a time. */
static void go_on(struct daemon *d) {
    if (!d->options->machine || !d->state_stood || call_is_open(&d->host)) return;
    if (d->name_due) {
        d->name_due = false;
        if (ask(d, "host.name",
                VAL_MAP_OF({"name", val_ref(val_get(tree(d, "public", "serverInfo"), LIT("hostname")))})))
            return;
    }
    if (d->keys_due) {
        d->keys_due = false;
        ask_keys(d);
    }
}

void machine_name(struct daemon *d) {
    d->name_due = true;
    go_on(d);
}

void machine_keys(void *daemon) {
    struct daemon *d = daemon;
    d->keys_due = d->options->ssh_keys != NULL;
    go_on(d);
}

void machine_power(void *daemon, bool again) {
    struct daemon *d = daemon;
    if (!d->options->machine) {
        daemon_end(d, again, again ? LIT("a restart was asked for") : LIT("a shutdown was asked for"));
        return;
    }
    call_cancel(&d->host);
    ask(d, "host.power", VAL_MAP_OF({"how", val_of_str(again ? "reboot" : "off")}));
}

/* --- the service manager --- */

static void tell(struct daemon *d, bool ready) {
    struct val args = VAL_MAP_OF({"alive", val_of_bool(true)});
    if (ready) {
        val_set_str(&args, "ready", val_of_bool(true));
        val_set_str(&args, "status",
                    val_of_str(rpc_phase_now(d->rpc) == PHASE_RUN ? "running" : "waiting or in trouble"));
    }
    if (call_is_open(&d->tell) || !call_start(&d->tell, &d->warden, "service.tell", args, NULL, 0, 0, NULL))
        loop_timer_set(d->loop, &d->alive_timer, loop_now_ms(d->loop) + 1000);
}

static void told(struct call *c, struct call_answer *a) {
    struct daemon *d = LOOP_OWNER(struct daemon, tell, c);
    uint64_t ms = 0;
    val_as_u64(val_get(&a->result, LIT("watchdog_ms")), &ms);
    if (ms) loop_timer_set(d->loop, &d->alive_timer, loop_now_ms(d->loop) + (int64_t)(ms / 3 + 1));
}

static void still_alive(struct loop_timer *t) {
    tell(LOOP_OWNER(struct daemon, alive_timer, t), false);
}

void service_ready(struct daemon *d) {
    call_cancel(&d->tell);
    d->tell = (struct call){.done = told};
    d->alive_timer = (struct loop_timer){.call = still_alive, .name = "alive"};
    tell(d, true);
}

void service_over(struct daemon *d) {
    call_cancel(&d->tell);
    loop_timer_clear(&d->alive_timer);
}
