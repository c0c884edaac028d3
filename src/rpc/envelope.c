/* envelope.c - see envelope.h. */
#include "rpc/envelope.h"

#include "base/rng.h"
#include "protocols/jwe.h"
#include "rpc/shapes.h"

static bool draw(struct envelope *v, struct err *e) {
    for (unsigned i = 0; !v->drawn && i < 8; i++) { /* one in 2^32 is no key */
        rng_bytes(v->key, sizeof v->key);
        v->drawn = jwk_public(v->key, v->point, NULL);
    }
    return v->drawn || err_set(e, ERR_UNKNOWN, "no key could be made");
}

void envelope_wipe(struct envelope *v) {
    explicit_bzero(v, sizeof *v);
}

struct val envelope_key(struct envelope *v, struct err *e) {
    struct val jwk = draw(v, e) ? jwk_write(v->point) : val_none;
    if (v->drawn && val_is_none(&jwk)) err_nomem(e, "a key");
    return jwk;
}

bool envelope_read(struct envelope *v, const struct val *given, struct buf *out, struct err *e) {
    static const struct jose_limits limits = {.header = LIMIT_JOSE_HEADER, .body = LIMIT_AUTH_PASSWORD + 32};
    const struct val *sealed = val_get(given, LIT("encrypted"));
    if (val_is_none(sealed)) return buf_add(out, val_as_text(given)) || err_nomem(e, "a password");
    if (!draw(v, e) || !jwe_open(sealed, v->key, &limits, out, e)) return false;
    return out->len <= LIMIT_AUTH_PASSWORD || err_limit(e, "password", LIMIT_AUTH_PASSWORD, ERR_NOWHERE);
}

bool envelope_open(struct buf *out, struct err *e) {
    buf_init(out, ENVELOPE_ROOM);
    return buf_room(out, ENVELOPE_ROOM) || err_nomem(e, "a password");
}

void envelope_close(struct buf *out) {
    if (out->ptr) explicit_bzero(out->ptr, out->cap);
    buf_release(out);
}

static bool check_given(const struct val *v, struct err *e) {
    struct slice text = val_as_text(v);
    bool sealed = val_kind(v) == VAL_MAP && val_kind(val_get(v, LIT("encrypted"))) == VAL_MAP;
    bool plain = val_kind(v) == VAL_TEXT && text.len <= LIMIT_AUTH_PASSWORD;
    return sealed || plain ||
           err_set(e, ERR_INVALID, "want a text of at most %u bytes, or {\"encrypted\": ...}, found something else",
                   LIMIT_AUTH_PASSWORD);
}
const struct shape password_shape = {.kind = SHAPE_ANY, .check = check_given};
const struct shape password_optional_shape = {.kind = SHAPE_ANY, .null = true, .check = check_given};

static const struct shape_field key_fields[] = {{.name = "kty", .shape = &shape_text},
                                                {.name = "crv", .shape = &shape_text},
                                                {.name = "x", .shape = &shape_text},
                                                {.name = "y", .shape = &shape_text}};
const struct shape envelope_key_shape = {.kind = SHAPE_RECORD, .fields = key_fields, .field_n = 4};
