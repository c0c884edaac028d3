/* verb.c - see verb.h. What was found is told by its kind and length, never by its content: it may be a password. */
#include "warden/verb.h"

#include "base/ascii.h"
#include "loop/fault.h"
#include "loop/listen.h"

#include <errno.h>
#include <inttypes.h>

#define WORD_MOST    64
#define PATH_MOST    4096
#define ADDRESS_MOST 120 /* a scoped IPv6 address with its port takes some 70 */

const struct verb *verb_find(const struct verb *rows, unsigned n, struct slice name) {
    for (unsigned i = 0; i < n; i++)
        if (slice_eq(slice_str(rows[i].name), name)) return &rows[i];
    return NULL;
}

/* --- one argument --- */

static bool check_kind(const struct verb_arg *a, const struct val *v, enum val_kind want, struct err *e) {
    return val_kind(v) == want || err_set(e, ERR_INVALID, "argument \"%s\": want %s, found %s", a->key,
                                          val_kind_name(want), val_kind_name(val_kind(v)));
}

static bool check_len(const struct verb_arg *a, size_t len, uint64_t min, uint64_t max, struct err *e) {
    return (len >= min && len <= max) ||
           err_set(e, ERR_INVALID, "argument \"%s\": want %" PRIu64 " to %" PRIu64 " bytes, found %zu", a->key, min,
                   max, len);
}

/* C0, DEL and, in UTF-8, C1: nothing of these belongs into a name or a sentence. */
static bool has_control_but(struct slice s, uint8_t allowed) {
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == allowed) continue;
        if (s.ptr[i] < 0x20 || s.ptr[i] == 0x7f) return true;
        if (s.ptr[i] == 0xc2 && i + 1 < s.len && s.ptr[i + 1] < 0xa0) return true;
    }
    return false;
}

static bool has_control(struct slice s) {
    return has_control_but(s, ' '); /* which is none */
}

static bool check_word(const struct verb_arg *a, struct slice s, struct err *e) {
    bool good = s.len && s.len <= WORD_MOST;
    for (size_t i = 0; good && i < s.len; i++) {
        uint8_t c = s.ptr[i];
        bool plain = ascii_is_digit(c) || (ascii_is_alpha(c) && !ascii_is_upper(c));
        good = plain || (i > 0 && (c == '-' || c == '_' || c == '.'));
    }
    return good ||
           err_set(e, ERR_INVALID,
                   "argument \"%s\": want a word of lower-case letters, digits, - _ . that begins with a letter "
                   "or digit, at most %d bytes",
                   a->key, WORD_MOST);
}

static bool check_path(const struct verb_arg *a, struct slice s, struct err *e) {
    if (!check_len(a, s.len, 1, a->max ? a->max : PATH_MOST, e)) return false;
    bool good = !has_control(s) && s.ptr[s.len - 1] != '/';
    while (good && s.len) {
        struct slice part = slice_cut(&s, '/');
        good = part.len && !slice_eq(part, LIT(".")) && !slice_eq(part, LIT(".."));
    }
    return good ||
           err_set(e, ERR_INVALID,
                   "argument \"%s\": want a path beneath its root: no leading or trailing slash, no empty part, "
                   "no . or .., no control character",
                   a->key);
}

static bool check_address(const struct verb_arg *a, struct slice s, struct err *e) {
    if (!check_len(a, s.len, 1, ADDRESS_MOST, e)) return false;
    struct address address;
    if (has_control(s) || slice_starts(s, LIT("unix:")))
        return err_set(e, ERR_INVALID, "argument \"%s\": want an address like 192.0.2.1:80 or [2001:db8::1]:80",
                       a->key);
    if (address_read(s, &address, e)) return true;
    err_context(e, "argument \"%s\"", a->key);
    return false;
}

static bool check_one_of(const struct verb_arg *a, struct slice s, struct err *e) {
    for (struct slice rest = slice_str(a->words); rest.len;)
        if (slice_eq(slice_cut(&rest, ' '), s) && s.len) return true;
    return err_set(e, ERR_INVALID, "argument \"%s\": want one of: %s", a->key, a->words);
}

static bool check_arg(const struct verb_arg *a, const struct val *v, struct err *e) {
    uint64_t n;
    switch (a->type) {
    case VERB_BOOL: return check_kind(a, v, VAL_BOOL, e);
    case VERB_BYTES: return check_kind(a, v, VAL_BYTES, e) && check_len(a, val_as_bytes(v).len, a->min, a->max, e);
    case VERB_U64:
        if (!check_kind(a, v, VAL_INT, e)) return false;
        return (val_as_u64(v, &n) && n >= a->min && n <= a->max) ||
               err_set(e, ERR_INVALID, "argument \"%s\": want a number from %" PRIu64 " to %" PRIu64, a->key, a->min,
                       a->max);
    case VERB_TEXT:
    case VERB_LINES:
    case VERB_WORD:
    case VERB_PATH:
    case VERB_ADDRESS:
    case VERB_ONE_OF: break;
    }
    if (!check_kind(a, v, VAL_TEXT, e)) return false;
    struct slice s = val_as_text(v);
    switch (a->type) {
    case VERB_WORD: return check_word(a, s, e);
    case VERB_PATH: return check_path(a, s, e);
    case VERB_ADDRESS: return check_address(a, s, e);
    case VERB_ONE_OF: return check_one_of(a, s, e);
    default: break;
    }
    if (!check_len(a, s.len, a->min, a->max, e)) return false;
    return !has_control_but(s, a->type == VERB_LINES ? '\n' : ' ') ||
           err_set(e, ERR_INVALID, "argument \"%s\": want text without control characters", a->key);
}

/* --- all of them --- */

static const struct verb_arg *find_arg(const struct verb *v, const struct val *key) {
    for (unsigned i = 0; i < v->arg_n; i++)
        if (val_is_text(key, slice_str(v->args[i].key))) return &v->args[i];
    return NULL;
}

static bool check_all(const struct verb *v, const struct val *args, unsigned fd_n, struct err *e) {
    if (fd_n != v->fds) return err_set(e, ERR_INVALID, "want %u descriptors with it, found %u", v->fds, fd_n);
    if (val_kind(args) != VAL_MAP)
        return err_set(e, ERR_INVALID, "want a map of arguments, found %s", val_kind_name(val_kind(args)));
    for (struct val_iter it = val_iter(args); val_next(&it);) {
        if (find_arg(v, it.key)) continue;
        /* A key is not secret, but it is foreign: only what is plain is shown. */
        struct slice key = val_as_text(it.key);
        bool plain = key.len && key.len <= WORD_MOST;
        for (size_t i = 0; plain && i < key.len; i++) plain = ascii_is_alnum(key.ptr[i]) || key.ptr[i] == '_';
        return plain ? err_set(e, ERR_INVALID, "there is no argument \"%.*s\"", (int)key.len, (const char *)key.ptr)
                     : err_set(e, ERR_INVALID, "a key that is no argument");
    }
    for (unsigned i = 0; i < v->arg_n; i++) {
        const struct val *value = val_get(args, slice_str(v->args[i].key));
        if (!val_is_none(value)) {
            if (!check_arg(&v->args[i], value, e)) return false;
        } else if (!v->args[i].optional)
            return err_set(e, ERR_INVALID, "argument \"%s\" is missing", v->args[i].key);
    }
    return true;
}

bool verb_check(const struct verb *v, const struct val *args, unsigned fd_n, struct err *e) {
    if (check_all(v, args, fd_n, e)) return true;
    err_context(e, "%s", v->name);
    return false;
}

bool verb_fault(struct err *e) {
    if (fault_next(FAULT_VERB) == FAULT_NONE) return false;
    err_os(e, ERR_FILESYSTEM, errno, "a fault was asked for");
    return true;
}
