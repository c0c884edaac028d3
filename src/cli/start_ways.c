/* start_ways.c - commands that are more than one call: login, which keeps a cookie; logs and the tree, which go on; and those that
 * call nobody: the key that signs. */
#include "base/limits.h"
#include "base/mem.h"
#include "base/rng.h"
#include "cli/start_room.h"
#include "loop/file.h"
#include "protocols/ed25519ph.h"
#include "protocols/json.h"

#include <stdlib.h>
#include <unistd.h>

/* --- what is remembered of hosts: ~/.config/startbox/cookies.json and pins.json, {"https://box.local": "token"} --- */

#define COOKIES_MOST 65536

static bool cookie_folder(char *out, size_t len) {
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    int n = config && config[0] ? snprintf(out, len, "%s", config) : home ? snprintf(out, len, "%s/.config", home) : -1;
    return n > 0 && (size_t)n + 32 < len;
}

static struct val read_hosts(const char *folder, const char *name) {
    static const struct json_limits limits = {.bytes = COOKIES_MOST, .depth = 4};
    char path[400];
    struct buf text;
    struct val v = val_none;
    snprintf(path, sizeof path, "%s/startbox/%s", folder, name);
    buf_init(&text, COOKIES_MOST + 1);
    if (!file_read_path(path, COOKIES_MOST, &text, NULL) || !json_parse(buf_slice(&text), &limits, &v, NULL) ||
        val_kind(&v) != VAL_MAP) {
        val_unref(&v);
        v = val_empty_map();
    }
    buf_release(&text);
    return v;
}

/* What a file says of the host at hand; empty: nothing. */
static bool recall(const struct start *s, const char *name, char *out, size_t len) {
    char folder[360];
    if (!s->host || !cookie_folder(folder, sizeof folder)) return false;
    struct val all = read_hosts(folder, name);
    struct slice text = val_as_text(val_get(&all, slice_str(s->host)));
    bool good = text.len && text.len < len;
    if (good) snprintf(out, len, "%.*s", (int)text.len, (const char *)text.ptr);
    val_unref(&all);
    return good;
}

const char *start_cookie(const struct start *s, char *out, size_t len) {
    static const char name[] = "session=";
    memcpy(out, name, sizeof name);
    return recall(s, "cookies.json", out + sizeof name - 1, len - sizeof name) ? out : NULL;
}

const char *start_pin(const struct start *s, char out[LINE_PIN]) {
    return recall(s, "pins.json", out, LINE_PIN) ? out : NULL;
}

/* ~/.config/startbox, made when it is missing. -1 with the reason. */
static int open_folder(struct err *e) {
    char folder[360], path[400];
    if (!cookie_folder(folder, sizeof folder)) {
        err_set(e, ERR_FILESYSTEM, "there is no HOME to keep anything in");
        return -1;
    }
    snprintf(path, sizeof path, "%s/startbox", folder);
    return file_make_dir(folder, 0700, e) && file_make_dir(path, 0700, e) ? file_open_dir(path, e) : -1;
}

/* text empty: forgets it. */
static bool remember(const struct start *s, const char *name, struct slice text_of_host, struct err *e) {
    char folder[360];
    struct buf text;
    int dir = open_folder(e);
    if (dir < 0) return false;
    cookie_folder(folder, sizeof folder);
    struct val all = read_hosts(folder, name), key = val_of_str(s->host);
    bool good = text_of_host.len ? val_set(&all, val_ref(&key), val_of_text(text_of_host)) : val_del(&all, &key);
    buf_init(&text, COOKIES_MOST);
    good = good && json_write(&text, &all, JSON_INDENTED, e) && file_replace(dir, name, buf_slice(&text), 0600, e);
    close(dir);
    buf_release(&text);
    val_unref(&key);
    val_unref(&all);
    return good;
}

void start_keep_pin(const struct start *s, const struct line *l) {
    char pin[LINE_PIN];
    struct err e = ERR_INIT;
    if (!s->host || !line_pin(l, pin)) return;
    if (remember(s, "pins.json", slice_str(pin), &e))
        fprintf(stderr, "start-cli: met %s for the first time; its key is remembered: %s\n", s->host, pin);
    else
        fprintf(stderr, "start-cli: the key of %s is not remembered: %s\n", s->host, e.text);
}

/* --- the key that signs --- */

const char *start_key(const struct start *s, char *out, size_t len) {
    char folder[360];
    if (!s->host || s->key) return s->host ? s->key : NULL;
    if (!cookie_folder(folder, sizeof folder)) return NULL;
    snprintf(out, len, "%s/startbox/key.pem", folder);
    return access(out, R_OK) == 0 ? out : NULL;
}

static bool write_key(struct err *e) {
    struct ed25519ph_key key;
    uint8_t seed[ED25519PH_SEED];
    struct buf text;
    int dir = open_folder(e);
    if (dir < 0) return false;
    buf_init(&text, 4096);
    buf_room(&text, 4096);
    bool good = faccessat(dir, "key.pem", F_OK, 0) != 0 || err_set(e, ERR_DUPLICATE, "there is a key already");
    rng_bytes(seed, sizeof seed);
    ed25519ph_key_set(&key, seed);
    explicit_bzero(seed, sizeof seed);
    good = good && ed25519ph_key_write_pem(&text, &key, false, e) &&
           file_replace(dir, "key.pem", buf_slice(&text), 0600, e);
    ed25519ph_key_wipe(&key);
    if (text.ptr) explicit_bzero(text.ptr, text.cap);
    buf_release(&text);
    close(dir);
    return good;
}

static bool show_public(const struct start *s, struct err *e) {
    char path[400], folder[360];
    struct ed25519ph_key key;
    struct buf text;
    buf_init(&text, 8192);
    if (!s->key && !cookie_folder(folder, sizeof folder)) return err_set(e, ERR_FILESYSTEM, "there is no HOME");
    if (!s->key) snprintf(path, sizeof path, "%s/startbox/key.pem", folder);
    bool good =
        file_read_path(s->key ? s->key : path, 4096, &text, e) && ed25519ph_key_read_pem(&key, buf_slice(&text), e);
    if (text.ptr) explicit_bzero(text.ptr, text.cap);
    buf_reset(&text);
    good = good && ed25519ph_point_write_pem(&text, key.point, e);
    if (good) fwrite(text.ptr, 1, text.len, stdout);
    ed25519ph_key_wipe(&key);
    buf_release(&text);
    return good;
}

bool start_alone(struct start *s, int *code) {
    struct err e = ERR_INIT;
    bool make = s->word_n == 1 && !strcmp(s->words[0], "init-key");
    if (!make && !(s->word_n == 1 && !strcmp(s->words[0], "pubkey"))) return false;
    bool good = (!make || write_key(&e)) && show_public(s, &e);
    if (!good) fprintf(stderr, "start-cli: %s\n", e.text);
    *code = good ? 0 : err_exit(e.code);
    return true;
}

static bool log_in(struct start *s, struct line *l, const struct method *m, struct val *params, struct err *e) {
    struct val result = val_none;
    if (!line_call(l, m->name, params, &result, e)) return false;
    bool good = s->host ? remember(s, "cookies.json", val_as_text(val_get(&result, LIT("session"))), e)
                        : start_show(&result, s->form, e);
    val_unref(&result);
    return good;
}

static bool log_out(struct start *s, struct line *l, const struct method *m, struct val *params, struct err *e) {
    struct val result = val_none;
    if (!line_call(l, m->name, params, &result, e)) return false;
    val_unref(&result);
    return !s->host || remember(s, "cookies.json", slice_of(NULL, 0), e);
}

/* --- what goes on --- */

struct follow {
    const struct start *s;
    struct err err;
};

static bool show_message(void *arg, struct slice text) {
    static const struct json_limits limits = {.bytes = (size_t)256 << 20, .depth = LIMIT_VAL_DEPTH};
    struct follow *f = arg;
    struct val v = val_none;
    if (!json_parse(text, &limits, &v, &f->err)) return false;
    enum show_form form = f->s->form;
    if (form == SHOW_AUTO) form = SHOW_JSON; /* one line a message */
    struct slice at = val_as_text(val_get(&v, LIT("timestamp"))), what = val_as_text(val_get(&v, LIT("message")));
    bool good = true;
    if (at.len && f->s->form == SHOW_AUTO) {
        printf("%.*s  %.*s\n", (int)at.len, (const char *)at.ptr, (int)what.len, (const char *)what.ptr);
        good = !fflush(stdout) || err_set(&f->err, ERR_FILESYSTEM, "standard output takes no more");
    } else
        good = start_show(&v, form, &f->err);
    val_unref(&v);
    return good;
}

static bool follow(struct start *s, struct line *l, struct slice guid, struct err *e) {
    struct follow f = {.s = s, .err = ERR_INIT};
    if (!line_feed(l, guid, show_message, &f, e)) return false;
    if (f.err.code == ERR_NONE) return true;
    if (e) *e = f.err;
    return false;
}

static bool watch_tree(struct start *s, struct line *l, const struct method *m, struct val *params, struct err *e) {
    struct val result = val_none;
    if (!line_call(l, m->name, params, &result, e)) return false;
    const struct val *dump = val_get(&result, LIT("dump"));
    struct val guid = val_ref(val_get(&result, LIT("guid")));
    bool good = val_is_null(dump) || start_show(dump, s->form == SHOW_AUTO ? SHOW_JSON : s->form, e);
    good = good && follow(s, l, val_as_text(&guid), e);
    val_unref(&guid);
    val_unref(&result);
    return good;
}

/* Of what has a feed: only what it says. */
static bool follow_on(struct start *s, struct line *l, const struct method *m, struct val *params, struct err *e) {
    struct val result = val_none;
    if (!line_call(l, m->name, params, &result, e)) return false;
    struct val guid = val_ref(val_get(&result, LIT("guid")));
    val_unref(&result);
    bool good = follow(s, l, val_as_text(&guid), e);
    val_unref(&guid);
    return good;
}

const struct start_way *start_follow_way(void) {
    static const struct start_way way = {"", follow_on};
    return &way;
}

static const struct start_way ways[] = {{"auth.login", log_in}, {"auth.logout", log_out}, {"db.subscribe", watch_tree}};

const struct start_way *start_way(const struct method *m) {
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        if (!strcmp(m->name, ways[i].method)) return &ways[i];
    return NULL;
}
