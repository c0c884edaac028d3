/* password.c - see password.h. */
#include "warden/password.h"

#include "base/mem.h"
#include "base/num.h"

#include <assert.h>
#include <sodium/core.h>
#include <sodium/crypto_pwhash.h>

#define MEMORY_MOST   (UINT64_C(64) << 20)
#define PASSES_MOST   16 /* a foreign hash with more would hold the one worker for minutes */
#define PARALLEL_MOST 8  /* libsodium does them one after the other */

uint64_t password_memory(uint64_t board) {
    uint64_t memory = board / 8 < MEMORY_MOST ? board / 8 : MEMORY_MOST;
    if (memory < crypto_pwhash_MEMLIMIT_MIN) memory = crypto_pwhash_MEMLIMIT_MIN;
    return memory & ~UINT64_C(1023);
}

bool password_prepare(struct err *e) {
    return sodium_init() >= 0 || err_set(e, ERR_UNKNOWN, "the library for passwords (libsodium) does not start");
}

static bool check_password(struct slice password, struct err *e) {
    return (password.len && password.len <= PASSWORD_MOST) ||
           err_set(e, ERR_INVALID, "want a password of 1 to %d bytes", PASSWORD_MOST);
}

static bool say_memory(uint64_t memory, struct err *e) {
    return err_set(e, ERR_NOMEM, "there is no memory now to work on a password; it takes %llu MiB: try again",
                   (unsigned long long)(memory >> 20));
}

bool password_hash(struct slice password, uint64_t memory, char out[PASSWORD_HASH], struct err *e) {
    static_assert(PASSWORD_HASH >= crypto_pwhash_STRBYTES, "room for a hash");
    if (!check_password(password, e)) return false;
    if (crypto_pwhash_str_alg(out, (const char *)password.ptr, password.len, PASSWORD_PASSES, (size_t)memory,
                              crypto_pwhash_ALG_ARGON2ID13) == 0)
        return true;
    return say_memory(memory, e); /* the only way it fails with good arguments */
}

/* "m=65536": the number, at least 1. */
static bool read_cost(struct slice *s, const char *name, uint8_t end, uint64_t *out) {
    struct slice part = slice_cut(s, end), head = slice_str(name);
    return slice_starts(part, head) && num_read_u64(slice_skip(part, head.len), 1, UINT32_MAX, out);
}

struct cost {
    uint64_t kib, passes, lanes;
    bool id; /* Argon2id; Argon2i otherwise */
};

/* What a hash costs, before anything is spent on it. */
static bool read_hash(struct slice hash, struct cost *c, struct err *e) {
    c->id = slice_starts(hash, LIT("$argon2id$"));
    bool good = c->id || slice_starts(hash, LIT("$argon2i$"));
    slice_cut(&hash, '$');
    slice_cut(&hash, '$');
    good = good && slice_eq(slice_cut(&hash, '$'), LIT("v=19")) && read_cost(&hash, "m=", ',', &c->kib) &&
           read_cost(&hash, "t=", ',', &c->passes) && read_cost(&hash, "p=", '$', &c->lanes) && hash.len;
    return good || err_set(e, ERR_INVALID,
                           "the stored hash is no Argon2 hash: reset the password with `start-cli auth "
                           "reset-password` on the box");
}

bool password_verify(struct slice hash, struct slice password, uint64_t memory, struct password_answer *out,
                     struct err *e) {
    struct cost c = {0};
    if (!check_password(password, e) || !read_hash(hash, &c, e)) return false;
    if (hash.len >= PASSWORD_HASH)
        return err_set(e, ERR_INVALID, "want a hash of at most %d bytes, found %zu", PASSWORD_HASH - 1, hash.len);
    if (c.kib > memory >> 10)
        return err_set(
            e, ERR_NOMEM,
            "the stored hash wants %llu MiB of memory, this board gives a password %llu MiB: reset the password "
            "with `start-cli auth reset-password` on the box",
            (unsigned long long)(c.kib >> 10), (unsigned long long)(memory >> 20));
    if (c.passes > PASSES_MOST || c.lanes > PARALLEL_MOST)
        return err_set(e, ERR_INVALID,
                       "the stored hash wants more work than any password is given here: reset the password "
                       "with `start-cli auth reset-password` on the box");
    char text[PASSWORD_HASH] = {0};
    memcpy(text, hash.ptr, hash.len);
    /* A wrong password and a lack of memory look alike to the caller of libsodium; memory is tried for first. */
    void *room = mem_get((size_t)c.kib << 10);
    if (!room) return say_memory(c.kib << 10, e);
    mem_put(room, (size_t)c.kib << 10);
    out->good = crypto_pwhash_str_verify(text, (const char *)password.ptr, password.len) == 0;
    out->again = out->good && (!c.id || c.kib != memory >> 10 || c.passes != PASSWORD_PASSES || c.lanes != 1);
    return true;
}
