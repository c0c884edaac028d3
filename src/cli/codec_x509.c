/* codec_x509.c - `startbox codec x509`: PEM in; one line a block: what a certificate says, and the kind of anything else. What is
 * secret is not printed. See codec.h. */
#include "base/limits.h"
#include "base/utf8.h"
#include "cli/codec.h"
#include "protocols/x509.h"
#include "protocols/x509_oid.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <time.h>

/* Takes v; false (and the array gone) without memory. */
static bool push(struct val *array, struct val v) {
    if (val_push(array, v)) return true;
    val_unref(array);
    return false;
}

static struct val text_or_null(struct slice s) {
    return s.len ? val_of_text_lossy(s) : val_null();
}
static struct val hex_or_null(struct slice s) {
    return s.len ? codec_hex(s) : val_null();
}

static struct val oid_of(struct slice oid) {
    const char *name = x509_oid_name(oid);
    if (name) return val_of_str(name);
    struct buf b;
    buf_init(&b, LIMIT_X509_BYTES * 4);
    struct val v = x509_oid_add_text(&b, oid) ? val_of_text(buf_slice(&b)) : val_none;
    buf_release(&b);
    return v;
}

static struct val text_of_name(const struct x509_name *name) {
    struct buf b;
    buf_init(&b, LIMIT_X509_BYTES * 12);
    struct val v = x509_name_add_text(&b, name) ? val_of_text(buf_slice(&b)) : val_none;
    buf_release(&b);
    return v;
}

static struct val name_of(const struct x509_name *name) {
    return VAL_MAP_OF({"text", text_of_name(name)}, {"common_name", text_or_null(name->common_name)},
                      {"organization", text_or_null(name->organization)}, {"unit", text_or_null(name->unit)});
}

static struct val time_of(int64_t when) {
    time_t t = (time_t)when;
    struct tm tm;
    char text[32];
    if ((int64_t)t != when || !gmtime_r(&t, &tm) || !strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm))
        return val_of_i64(when);
    return val_of_str(text);
}

static struct val key_of(const struct x509_public *key) {
    uint8_t id[X509_KEY_ID];
    x509_key_id(key->value, id);
    return VAL_MAP_OF({"kind", val_of_str(x509_kind_name(key->kind))}, {"algorithm", oid_of(key->oid)},
                      {"bits", val_of_u64(key->bits)}, {"id", codec_hex(slice_of(id, sizeof id))});
}

static struct val usage_of(const struct x509 *cert) {
    if (!cert->has_usage) return val_null();
    struct val list = val_empty_array();
    for (unsigned bit = 0; bit < 32; bit++) {
        if (!(cert->usage >> bit & 1)) continue;
        const char *name = x509_usage_name(1u << bit);
        if (!push(&list, *name ? val_of_str(name) : val_of_u64(bit))) break;
    }
    return list;
}

static struct val purposes_of(const struct x509 *cert) {
    if (!cert->purposes) return val_null();
    struct val list = val_empty_array();
    struct slice rest = cert->purpose_oids, oid;
    while (x509_purpose_next(&rest, &oid))
        if (!push(&list, oid_of(oid))) break;
    return list;
}

static struct val alt_of(const struct x509_alt *alt) {
    struct x509_name name = {.der = alt->value};
    char text[INET6_ADDRSTRLEN];
    switch (alt->kind) {
    case X509_ALT_EMAIL:
    case X509_ALT_DNS:
    case X509_ALT_URI: return val_of_text(alt->value);
    case X509_ALT_IP:
        return inet_ntop(alt->value.len == 4 ? AF_INET : AF_INET6, alt->value.ptr, text, sizeof text) ? val_of_str(text)
                                                                                                      : val_none;
    case X509_ALT_NAME: return text_of_name(&name);
    case X509_ALT_ID: return oid_of(alt->value);
    case X509_ALT_OTHER:
    case X509_ALT_X400:
    case X509_ALT_EDI: break;
    }
    return codec_hex(alt->value);
}

static struct val alts_of(const struct x509 *cert) {
    struct val list = val_empty_array();
    struct slice rest = cert->alts;
    struct x509_alt alt;
    while (x509_alt_next(&rest, &alt))
        if (!push(&list, VAL_MAP_OF({x509_alt_name(alt.kind), alt_of(&alt)}))) break;
    return list;
}

static struct val extensions_of(const struct x509 *cert) {
    struct val list = val_empty_array();
    struct slice rest = cert->extensions;
    struct x509_extension x;
    while (x509_extension_next(&rest, &x))
        if (!push(&list, VAL_MAP_OF({"id", oid_of(x.oid)}, {"critical", val_of_bool(x.critical)},
                                    {"understood", val_of_bool(x.understood)}, {"bytes", val_of_u64(x.value.len)})))
            break;
    return list;
}

static struct val authority_of(const struct x509 *cert) {
    if (!cert->authority_key_id.len && !cert->authority_serial.len) return val_null();
    return VAL_MAP_OF({"key_id", hex_or_null(cert->authority_key_id)}, {"serial", hex_or_null(cert->authority_serial)},
                      {"name", cert->authority_name.der.len ? text_of_name(&cert->authority_name) : val_null()});
}

static struct val fingerprint_of(struct slice der) {
    struct buf b;
    buf_init(&b, X509_FINGERPRINT_TEXT);
    struct val v = x509_fingerprint_add(&b, der) ? val_of_text(buf_slice(&b)) : val_none;
    buf_release(&b);
    return v;
}

static void say_certificate(struct codec_run *run, const struct x509 *cert) {
    codec_say(run, VAL_MAP_OF({"event", val_of_str("certificate")}, {"version", val_of_u64(cert->version)},
                              {"subject", name_of(&cert->subject)}, {"issuer", name_of(&cert->issuer)},
                              {"serial", codec_hex(cert->serial)}, {"not_before", time_of(cert->not_before)},
                              {"not_after", time_of(cert->not_after)}, {"key", key_of(&cert->key)},
                              {"signed_with", oid_of(cert->signed_with)}, {"ca", val_of_bool(cert->is_ca)},
                              {"path_length", cert->path_length < 0 ? val_null() : val_of_i64(cert->path_length)},
                              {"usage", usage_of(cert)}, {"purposes", purposes_of(cert)}, {"alts", alts_of(cert)},
                              {"subject_key_id", hex_or_null(cert->subject_key_id)}, {"authority", authority_of(cert)},
                              {"acme", hex_or_null(cert->acme)}, {"extensions", extensions_of(cert)},
                              {"unknown_critical", val_of_u64(cert->unknown_critical)},
                              {"fingerprint", fingerprint_of(cert->der)}));
}

/* A certificate or key that cannot be read does not end the text. Its offset counts the bytes in the block. */
static int say_refused(struct codec_run *run, const struct pem_block *block, const struct err *e) {
    codec_say(run, VAL_MAP_OF({"event", val_of_str("refused")}, {"label", val_of_text_lossy(block->label)},
                              {"limit", e->limit ? val_of_str(e->limit) : val_null()},
                              {"at", e->at == ERR_NOWHERE ? val_null() : val_of_u64(e->at)},
                              {"why", val_of_text_lossy(slice_str(e->text))}));
    return 1;
}

/* Which certificate it belongs to can be seen by the id of its key. */
static void say_key(struct codec_run *run, const struct pem_block *block, const struct x509_key *key) {
    uint8_t id[X509_KEY_ID];
    x509_key_id(slice_of(key->point, X509_POINT), id);
    codec_say(run, VAL_MAP_OF({"event", val_of_str("private key")}, {"label", val_of_text_lossy(block->label)},
                              {"kind", val_of_str(x509_kind_name(X509_KEY_P256))},
                              {"id", codec_hex(slice_of(id, sizeof id))}));
}

static int say_block(struct codec_run *run, const struct pem_block *block) {
    const struct x509_limits limits = {LIMIT_X509_BYTES, LIMIT_X509_EXTENSIONS, LIMIT_X509_ALTS};
    struct err e = ERR_INIT;
    struct x509 cert;
    struct x509_key key;
    bool sec1 = slice_eq(block->label, LIT("EC PRIVATE KEY"));
    if (slice_eq(block->label, LIT("CERTIFICATE")) || slice_eq(block->label, LIT("X509 CERTIFICATE"))) {
        if (!x509_read(&cert, block->bytes, &limits, &e)) return say_refused(run, block, &e);
        say_certificate(run, &cert);
    } else if (sec1 || slice_eq(block->label, LIT("PRIVATE KEY"))) {
        if (!x509_key_read(&key, sec1 ? X509_KEY_SEC1 : X509_KEY_PKCS8, block->bytes, &e))
            return say_refused(run, block, &e);
        say_key(run, block, &key);
        x509_key_wipe(&key);
    } else
        codec_say(run, VAL_MAP_OF({"event", val_of_str("block")}, {"label", val_of_text_lossy(block->label)},
                                  {"bytes", val_of_u64(block->bytes.len)}));
    return 0;
}

int codec_x509(struct codec_run *run) {
    const struct pem_limits limits = {.bytes = LIMIT_X509_BYTES, .blocks = LIMIT_X509_BLOCKS};
    struct pem p;
    struct pem_block block;
    struct err e = ERR_INIT;
    enum step step = STEP_MORE;
    int code = 0;
    if (run->argc) {
        fprintf(stderr, "usage: startbox codec x509\n");
        return 2;
    }
    pem_init(&p, &limits);
    for (struct slice piece; step == STEP_MORE && (piece = codec_piece(run)).len;) {
        do {
            struct fed fed = pem_feed(&p, piece, &block, &e);
            piece = slice_skip(piece, fed.used);
            step = fed.step;
            if (step == STEP_EVENT) code |= say_block(run, &block);
        } while (step == STEP_EVENT);
    }
    while (step != STEP_BAD && step != STEP_END)
        if ((step = pem_eof(&p, &block, &e)) == STEP_EVENT) code |= say_block(run, &block);
    if (step == STEP_BAD) code = codec_say_bad(run, 0, &e);
    pem_release(&p);
    return code;
}
