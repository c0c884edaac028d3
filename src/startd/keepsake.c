/* keepsake.c - the hash of the password in a small file beside the tree: when the tree cannot be read, its owner can still log in and
 * see what broke. Written whenever the password changes; the tree is what counts. */
#include "base/log.h"
#include "startd/room.h"

#define NAME "password"

static void write_hash(struct daemon *d, struct slice hash) {
    struct err e = ERR_INIT;
    struct val args = VAL_MAP_OF({"root", val_of_str("data")}, {"path", val_of_str(NAME)},
                                 {"bytes", val_of_bytes(hash)}, {"mode", val_of_u64(0600)});
    if (!call_start(&d->password_call, &d->disk, "disk.replace", args, NULL, 0, 0, &e))
        log_warn("the password is not kept beside the tree: %s", e.text);
}

static void look(struct daemon *d) {
    struct slice hash = val_as_text(val_get(val_get(state_settled_root(d->state), LIT("private")), LIT("password")));
    d->password_due = call_is_open(&d->password_call);
    if (!d->password_due && hash.len) write_hash(d, hash);
}

static void written(struct call *c, struct call_answer *a) {
    struct daemon *d = LOOP_OWNER(struct daemon, password_call, c);
    if (a->err.code != ERR_NONE) log_warn("the password is not kept beside the tree: %s", a->err.text);
    if (d->password_due) look(d);
}

static bool told(struct watch *w, const struct news *news) {
    (void)news;
    look(LOOP_OWNER(struct daemon, password, w));
    return true;
}

void keepsake_begin(struct daemon *d) {
    struct err e = ERR_INIT;
    d->password_call = (struct call){.done = written};
    d->password = (struct watch){.tell = told, .inside = true};
    if (!watch_begin(state_watchers(d->state), &d->password, LIT("/private/password"), 0, 0, &e))
        log_warn("the password is not kept beside the tree: %s", e.text);
}

void keepsake_end(struct daemon *d) {
    call_cancel(&d->password_call);
    watch_end(&d->password);
}

static void heard(struct call *c, struct call_answer *a) {
    struct daemon *d = LOOP_OWNER(struct daemon, password_call, c);
    if (a->err.code == ERR_NONE)
        auth_fallback(d->auth, val_as_bytes(val_get(&a->result, LIT("bytes"))));
    else
        log_warn("only the box's own root can see what broke: %s", a->err.text);
}

void keepsake_read(struct daemon *d) {
    struct err e = ERR_INIT;
    call_cancel(&d->password_call);
    d->password_call = (struct call){.done = heard};
    if (!call_start(&d->password_call, &d->disk, "disk.read",
                    VAL_MAP_OF({"root", val_of_str("data")}, {"path", val_of_str(NAME)}, {"most", val_of_u64(127)}),
                    NULL, 0, 0, &e))
        log_warn("only the box's own root can see what broke: %s", e.text);
}
