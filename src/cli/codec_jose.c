/* codec_jose.c - `startbox codec jose VERB`: keys, encrypted texts and signatures as JSON, in and out.
 *
 * The verbs take everything random from the document, so the same input gives the same output. For trying, not for keys
 * that matter: they would stand in a shell's history. */
#include "base/hex.h"
#include "base/limits.h"
#include "cli/codec.h"
#include "protocols/json.h"
#include "protocols/jwe.h"
#include "protocols/jws.h"

#include <stdio.h>

static const struct jose_limits limits = {.header = LIMIT_JOSE_HEADER, .body = LIMIT_JOSE_BODY};

static const struct val *member(const struct val *doc, const char *name) {
    return val_get(doc, slice_str(name));
}

/* UTF-8 as it is, other bytes in hexadecimal under another name. */
static struct val show_bytes(struct val form, const char *name, const char *name_hex, struct slice bytes) {
    struct val text = val_of_text(bytes);
    bool is_text = !val_is_none(&text);
    if (!val_set_str(&form, is_text ? name : name_hex, is_text ? text : codec_hex(bytes))) val_unref(&form);
    return form;
}

static bool open_text(const struct val *doc, struct val *out, struct err *e) {
    uint8_t secret[JWK_PRIVATE_LEN], point[JWK_PUBLIC_LEN];
    struct buf plain;
    buf_init(&plain, LIMIT_JOSE_BODY);
    bool good = jwk_read_private(member(doc, "key"), secret, point, e) &&
                jwe_open(member(doc, "jwe"), secret, &limits, &plain, e);
    explicit_bzero(secret, sizeof secret);
    if (good) *out = show_bytes(val_empty_map(), "plain", "plain_hex", buf_slice(&plain));
    if (plain.ptr) explicit_bzero(plain.ptr, plain.cap);
    buf_release(&plain);
    return good;
}

static bool seal_text(const struct val *doc, struct val *out, struct err *e) {
    uint8_t to[JWK_PUBLIC_LEN], ephemeral[JWK_PRIVATE_LEN], iv[JWE_IV_LEN];
    struct slice plain;
    bool good = jwk_read(member(doc, "key"), to, e) && jose_text(doc, "plain", &plain, e) &&
                jose_fixed(doc, "ephemeral", ephemeral, sizeof ephemeral, e) &&
                jose_fixed(doc, "iv", iv, sizeof iv, e) && jwe_seal(out, plain, to, ephemeral, iv, e);
    explicit_bzero(ephemeral, sizeof ephemeral);
    return good;
}

static bool print_key(const struct val *doc, struct val *out, struct err *e) {
    uint8_t point[JWK_PUBLIC_LEN], secret[JWK_PRIVATE_LEN], sum[JWK_THUMBPRINT_LEN];
    bool whole = !val_is_none(member(doc, "d"));
    if (!(whole ? jwk_read_private(doc, secret, point, e) : jwk_read(doc, point, e))) return false;
    explicit_bzero(secret, sizeof secret);
    jwk_thumbprint(point, sum);
    *out = VAL_MAP_OF({"jwk", jwk_write(point)}, {"thumbprint", jose_base64(slice_of(sum, sizeof sum))});
    return true;
}

/* {"kty":"oct","k":…} is a secret for HS256, else it is a key on P-256. */
static bool read_key(const struct val *jwk, bool signing, struct buf *bytes, struct jws_key *key, struct err *e) {
    uint8_t secret[JWK_PRIVATE_LEN], point[JWK_PUBLIC_LEN];
    bool oct = val_is_text(member(jwk, "kty"), LIT("oct")), good;
    if (oct)
        good = jose_bytes(jwk, "k", LIMIT_JOSE_HEADER, "LIMIT_JOSE_HEADER", bytes, e);
    else if (signing)
        good = jwk_read_private(jwk, secret, point, e) &&
               (buf_add(bytes, slice_of(secret, sizeof secret)) || err_nomem(e, "a key"));
    else
        good = jwk_read(jwk, point, e) && (buf_add(bytes, slice_of(point, sizeof point)) || err_nomem(e, "a key"));
    explicit_bzero(secret, sizeof secret);
    *key = (struct jws_key){oct ? JWS_HS256 : JWS_ES256, buf_slice(bytes)};
    return good;
}

static bool sign_text(const struct val *doc, struct val *out, struct err *e) {
    struct slice payload;
    struct jws_key key;
    struct buf bytes;
    buf_init(&bytes, LIMIT_JOSE_HEADER);
    bool good = read_key(member(doc, "key"), true, &bytes, &key, e) && jose_text(doc, "payload", &payload, e) &&
                jws_sign(out, member(doc, "header"), payload, &key, e);
    if (bytes.ptr) explicit_bzero(bytes.ptr, bytes.cap);
    buf_release(&bytes);
    return good;
}

static bool verify_text(const struct val *doc, struct val *out, struct err *e) {
    struct jws_key key;
    struct buf bytes, payload;
    buf_init(&bytes, LIMIT_JOSE_HEADER);
    buf_init(&payload, LIMIT_JOSE_BODY);
    struct val header = val_none;
    bool good = read_key(member(doc, "key"), false, &bytes, &key, e) &&
                jws_verify(member(doc, "jws"), &key, &limits, &header, &payload, e);
    if (good)
        *out = show_bytes(VAL_MAP_OF({"header", val_ref(&header)}), "payload", "payload_hex", buf_slice(&payload));
    val_unref(&header);
    buf_release(&bytes);
    buf_release(&payload);
    return good;
}

static const struct {
    const char *name;
    bool (*run)(const struct val *doc, struct val *out, struct err *e);
} verbs[] = {
    {"open", open_text}, {"seal", seal_text}, {"jwk", print_key}, {"sign", sign_text}, {"verify", verify_text},
};

int codec_jose(struct codec_run *run) {
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (!run->argc || strcmp(run->argv[0], verbs[i].name) != 0) continue;
        struct err e = ERR_INIT;
        struct val doc = val_none, out = val_none;
        bool good = codec_document(run, &doc, &e) && verbs[i].run(&doc, &out, &e);
        if (good) codec_say(run, out);
        val_unref(&doc);
        return good ? 0 : codec_fail("jose", &e);
    }
    fprintf(stderr, "usage: startbox codec jose open | seal | jwk | sign | verify < input\n");
    return 2;
}
