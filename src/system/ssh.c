/* ssh.c - the keys that may log in to the machine by ssh; named by their MD5 fingerprint, as StartOS has it. See system.h.
 *
 * A line is an OpenSSH public key without options. Where the instance owns the machine they are written to it as well. */
#include "system/room.h"

#include "base/clock.h"
#include "base/hex.h"
#include "base/limits.h"
#include "base/log.h"
#include "protocols/jsonptr.h"

#include <bearssl.h>
#include <stdio.h>

#define PRINT    48 /* 16 bytes as "aa:bb:..." with NUL */
#define KEY_MOST 16384

static const char *const kinds[] = {"ssh-ed25519",
                                    "ecdsa-sha2-nistp256",
                                    "ecdsa-sha2-nistp384",
                                    "ecdsa-sha2-nistp521",
                                    "ssh-rsa",
                                    "sk-ssh-ed25519@openssh.com",
                                    "sk-ecdsa-sha2-nistp256@openssh.com"};

struct ssh_line {
    struct slice kind, text, comment;
    char print[PRINT];
};

static void fingerprint(struct slice blob, char print[PRINT]) {
    uint8_t sum[br_md5_SIZE];
    br_md5_context md5;
    br_md5_init(&md5);
    br_md5_update(&md5, blob.ptr, blob.len);
    br_md5_out(&md5, sum);
    for (size_t i = 0; i < sizeof sum; i++) snprintf(print + 3 * i, 4, i + 1 < sizeof sum ? "%02x:" : "%02x", sum[i]);
}

/* "KIND BASE64 COMMENT"; the kind must stand in the key as well. */
static bool read_line(struct slice line, struct ssh_line *out, struct err *e) {
    uint8_t room[KEY_MOST];
    struct buf blob = {.ptr = room, .cap = sizeof room, .max = sizeof room}; /* never grows */
    struct slice rest = slice_trim(line);
    bool known = false, plain = true;
    out->kind = slice_cut(&rest, ' ');
    out->text = slice_cut(&rest, ' ');
    out->comment = slice_trim(rest);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) known |= slice_eq(out->kind, slice_str(kinds[i]));
    for (size_t i = 0; i < line.len; i++) plain &= line.ptr[i] >= 0x20 && line.ptr[i] != 0x7f;
    bool good = known && plain && base64_read(&blob, BASE64_STD, out->text) && blob.len > 4 + out->kind.len;
    struct slice inside = slice_skip(buf_slice(&blob), 4);
    if (!good || !slice_starts(inside, out->kind) || blob.ptr[3] != out->kind.len)
        return err_set(e, ERR_INVALID, "want one line of an OpenSSH public key, like \"ssh-ed25519 AAAA... name\"");
    fingerprint(buf_slice(&blob), out->print);
    return true;
}

static struct val say(const struct ssh_line *l, const struct val *created) {
    return VAL_MAP_OF({"alg", val_of_text(l->kind)}, {"fingerprint", val_of_str(l->print)},
                      {"hostname", val_of_text_lossy(l->comment)}, {"createdAt", val_ref(created)});
}

static const struct val *kept(const struct rpc_call *c) {
    return val_get(val_get(state_peek(rpc_state(c->rpc)), LIT("private")), LIT("sshPubkeys"));
}

static void place(char out[96], struct slice print) {
    snprintf(out, 96, "/private/sshPubkeys/%.*s", (int)print.len, (const char *)print.ptr);
}

static void run_add(struct rpc_call *c) {
    struct state_txn t;
    struct err e = ERR_INIT;
    struct ssh_line l;
    char pointer[96];
    struct val line = val_ref(val_get(&c->params, LIT("key"))), now = system_time(clock_wall_ms()), result = val_none;
    bool good = read_line(val_as_text(&line), &l, &e);
    if (good && val_count(kept(c)) >= LIMIT_SYSTEM_SSH_KEYS)
        good = err_limit(&e, "ssh keys", LIMIT_SYSTEM_SSH_KEYS, ERR_NOWHERE);
    if (good && (good = system_begin_txn(system_of(c), &t, "system", &e))) {
        place(pointer, slice_str(l.print));
        txn_put(&t, slice_str(pointer),
                VAL_MAP_OF({"line", val_of_text(slice_trim(val_as_text(&line)))}, {"createdAt", val_ref(&now)}), &e);
        good = state_commit(&t, NULL, &e);
        result = say(&l, &now);
    }
    val_unref(&line);
    val_unref(&now);
    if (good)
        rpc_give(c, result);
    else {
        val_unref(&result);
        rpc_fail(c, &e);
    }
    if (good) system_of(c)->config.ssh_changed(system_of(c)->config.arg);
}

static void run_list(struct rpc_call *c) {
    struct val list = val_empty_array();
    for (struct val_iter it = val_iter(kept(c)); val_next(&it);) {
        struct ssh_line l;
        if (!read_line(val_as_text(val_get(it.value, LIT("line"))), &l, NULL)) continue;
        if (!val_push(&list, say(&l, val_get(it.value, LIT("createdAt"))))) val_unref(&list);
    }
    rpc_give(c, list);
}

static void run_remove(struct rpc_call *c) {
    struct state_txn t;
    struct err e = ERR_INIT;
    char pointer[96];
    struct slice print = val_as_text(val_get(&c->params, LIT("fingerprint")));
    bool good =
        !val_is_none(val_get(kept(c), print)) || err_set(&e, ERR_NOT_FOUND, "there is no key of that fingerprint");
    if (good && (good = system_begin_txn(system_of(c), &t, "system", &e))) {
        place(pointer, print);
        txn_remove(&t, slice_str(pointer), &e);
        good = state_commit(&t, NULL, &e);
    }
    if (good) system_of(c)->config.ssh_changed(system_of(c)->config.arg);
    system_answer(c, good, &e);
}

/* --- rows --- */

static const struct shape line_shape = {.kind = SHAPE_TEXT, .max = KEY_MOST};
SHAPE_RECORD_OF(add_params, {.name = "key", .shape = &line_shape, .about = "One line of an OpenSSH public key."});
SHAPE_RECORD_OF(key_result, {.name = "alg", .shape = &shape_text}, {.name = "fingerprint", .shape = &shape_text},
                {.name = "hostname", .shape = &shape_text}, {.name = "createdAt", .shape = &shape_time});
SHAPE_LIST_OF(list_result, key_result);
SHAPE_RECORD_OF(remove_params, {.name = "fingerprint", .shape = &shape_text, .about = "Which key."});

const struct method system_ssh_rows[] = {
    {.name = "ssh.add",
     .about = "Lets a key log in to the machine by ssh.",
     .params = &add_params,
     .result = &key_result,
     .callers = CALLER_OWNER,
     .where = IN_STARTD,
     .phases = PHASE_RUN,
     .effect = METHOD_CHANGES,
     .words = "key",
     .run = run_add},
    {.name = "ssh.list",
     .about = "Lists the keys that may log in by ssh.",
     .result = &list_result,
     .callers = CALLER_OWNER,
     .where = IN_STARTD,
     .phases = PHASE_RUN,
     .run = run_list},
    {.name = "ssh.remove",
     .about = "Ends what a key may do.",
     .params = &remove_params,
     .callers = CALLER_OWNER,
     .where = IN_STARTD,
     .phases = PHASE_RUN,
     .effect = METHOD_CHANGES,
     .words = "fingerprint",
     .run = run_remove},
    {.name = NULL},
};
