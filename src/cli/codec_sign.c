/* codec_sign.c - `startbox codec ed25519ph VERB`: keys and signatures with a context; `startbox codec authsig VERB`: the header of
 * signed requests. JSON in and out.
 *
 * For trying, not for keys that matter: they would stand in a shell's history. */
#include "base/hex.h"
#include "base/limits.h"
#include "cli/codec.h"
#include "protocols/authsig.h"

#include <stdio.h>

/* --- what both have --- */

static bool text_of(const struct val *doc, const char *name, struct slice *out, struct err *e) {
    const struct val *v = val_get(doc, slice_str(name));
    *out = val_as_text(v);
    return v->kind == VAL_TEXT || err_set(e, ERR_INVALID, "want a text \"%s\"", name);
}

/* A PEM text as a value; what it was made in is wiped. VAL_NONE without memory. */
static struct val take_pem(struct buf *b, bool good) {
    struct val v = good ? val_of_text(buf_slice(b)) : val_none;
    if (b->ptr) explicit_bzero(b->ptr, b->cap);
    buf_release(b);
    return v;
}
static struct val pem_of_key(const struct ed25519ph_key *key) {
    struct buf b;
    buf_init(&b, ED25519PH_KEY_PEM);
    return take_pem(&b, ed25519ph_key_write_pem(&b, key, false, NULL));
}
static struct val pem_of_point(const uint8_t point[ED25519PH_POINT]) {
    struct buf b;
    buf_init(&b, ED25519PH_KEY_PEM);
    return take_pem(&b, ed25519ph_point_write_pem(&b, point, NULL));
}
static struct val pem_of_signature(const uint8_t signature[ED25519PH_SIGNATURE]) {
    struct buf b;
    buf_init(&b, ED25519PH_KEY_PEM);
    return take_pem(&b, ed25519ph_signature_write_pem(&b, signature, NULL));
}

/* --- keys and signatures --- */

static bool read_seed(struct slice text, struct ed25519ph_key *key, struct err *e) {
    struct buf seed;
    buf_init(&seed, ED25519PH_SEED);
    bool good = hex_read(&seed, text, NULL) && seed.len == ED25519PH_SEED;
    if (good) ed25519ph_key_set(key, seed.ptr);
    if (seed.ptr) explicit_bzero(seed.ptr, seed.cap);
    buf_release(&seed);
    return good || err_set(e, ERR_INVALID, "want 32 bytes in hexadecimal as \"seed\"");
}

static bool show_key(const struct val *doc, struct val *out, struct err *e) {
    struct ed25519ph_key key;
    struct slice text;
    if (val_is_none(val_get(doc, LIT("seed")))) {
        if (!text_of(doc, "key", &text, e) || !ed25519ph_key_read_pem(&key, text, e)) return false;
    } else if (!text_of(doc, "seed", &text, e) || !read_seed(text, &key, e))
        return false;
    *out = VAL_MAP_OF({"key", pem_of_key(&key)}, {"signer", pem_of_point(key.point)},
                      {"hex", codec_hex(slice_of(key.point, sizeof key.point))});
    ed25519ph_key_wipe(&key);
    return true;
}

static bool sign(const struct val *doc, struct val *out, struct err *e) {
    struct ed25519ph_key key;
    struct slice text, context, message;
    uint8_t signature[ED25519PH_SIGNATURE];
    if (!text_of(doc, "context", &context, e) || !text_of(doc, "message", &message, e) ||
        !text_of(doc, "key", &text, e) || !ed25519ph_key_read_pem(&key, text, e))
        return false;
    bool good = ed25519ph_sign(&key, context, message, signature, e);
    if (good)
        *out = VAL_MAP_OF({"signer", pem_of_point(key.point)}, {"signature", pem_of_signature(signature)},
                          {"hex", codec_hex(slice_of(signature, sizeof signature))});
    ed25519ph_key_wipe(&key);
    return good;
}

static bool verify(const struct val *doc, struct val *out, struct err *e) {
    struct slice signer, given, context, message;
    uint8_t point[ED25519PH_POINT], signature[ED25519PH_SIGNATURE];
    if (!text_of(doc, "context", &context, e) || !text_of(doc, "message", &message, e) ||
        !text_of(doc, "signer", &signer, e) || !text_of(doc, "signature", &given, e) ||
        !ed25519ph_point_read_pem(point, signer, e) || !ed25519ph_signature_read_pem(signature, given, e))
        return false;
    *out = VAL_MAP_OF({"good", val_of_bool(ed25519ph_good(point, context, message, signature))});
    return true;
}

/* --- the header --- */

static const struct authsig_limits header_limits = {
    .bytes = LIMIT_AUTHSIG_BYTES, .pairs = LIMIT_AUTHSIG_PAIRS, .size = LIMIT_AUTHSIG_SIZE};

static bool read_header(const struct val *doc, struct val *out, struct err *e) {
    struct authsig s;
    struct slice header;
    if (!text_of(doc, "header", &header, e) || !authsig_read(header, &header_limits, &s, e)) return false;
    *out = VAL_MAP_OF({"timestamp", val_of_i64(s.timestamp)}, {"nonce", val_of_u64(s.nonce)},
                      {"size", val_of_u64(s.size)}, {"blake3", codec_hex(slice_of(s.blake3, sizeof s.blake3))},
                      {"signer", pem_of_point(s.signer)}, {"signature", pem_of_signature(s.signature)});
    return true;
}

static bool sign_header(const struct val *doc, struct val *out, struct err *e) {
    struct authsig s;
    struct ed25519ph_key key;
    struct slice text, context, body;
    struct buf header;
    if (!text_of(doc, "context", &context, e) || !text_of(doc, "body", &body, e) || !text_of(doc, "key", &text, e))
        return false;
    if (!val_as_i64(val_get(doc, LIT("timestamp")), &s.timestamp) || !val_as_u64(val_get(doc, LIT("nonce")), &s.nonce))
        return err_set(e, ERR_INVALID, "want the numbers \"timestamp\" and \"nonce\"");
    if (!ed25519ph_key_read_pem(&key, text, e)) return false;
    buf_init(&header, LIMIT_AUTHSIG_BYTES);
    authsig_cover(&s, body);
    bool good = authsig_sign(&s, &key, context, e) && authsig_write(&header, &s, e);
    if (good) *out = VAL_MAP_OF({"header", val_of_text(buf_slice(&header))});
    ed25519ph_key_wipe(&key);
    buf_release(&header);
    return good;
}

static bool check_header(const struct val *doc, struct val *out, struct err *e) {
    struct authsig s;
    struct slice header, context, body;
    if (!text_of(doc, "context", &context, e) || !text_of(doc, "body", &body, e) ||
        !text_of(doc, "header", &header, e) || !authsig_read(header, &header_limits, &s, e))
        return false;
    *out = VAL_MAP_OF({"good", val_of_bool(authsig_good(&s, context))}, {"body", val_of_bool(authsig_body(&s, body))});
    return true;
}

/* --- the verbs --- */

struct verb {
    const char *name;
    bool (*run)(const struct val *doc, struct val *out, struct err *e);
};

static int run_verb(struct codec_run *run, const char *codec, const struct verb verbs[3]) {
    for (size_t i = 0; i < 3; i++) {
        if (!run->argc || strcmp(run->argv[0], verbs[i].name) != 0) continue;
        struct err e = ERR_INIT;
        struct val doc = val_none, out = val_none;
        bool good = codec_document(run, &doc, &e) && verbs[i].run(&doc, &out, &e);
        if (good) codec_say(run, out);
        val_unref(&doc);
        return good ? 0 : codec_fail(codec, &e);
    }
    fprintf(stderr, "usage: startbox codec %s %s | %s | %s < input\n", codec, verbs[0].name, verbs[1].name,
            verbs[2].name);
    return 2;
}

int codec_ed25519ph(struct codec_run *run) {
    static const struct verb verbs[] = {{"key", show_key}, {"sign", sign}, {"verify", verify}};
    return run_verb(run, "ed25519ph", verbs);
}

int codec_authsig(struct codec_run *run) {
    static const struct verb verbs[] = {{"read", read_header}, {"sign", sign_header}, {"check", check_header}};
    return run_verb(run, "authsig", verbs);
}
