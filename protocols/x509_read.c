/* x509_read.c - a certificate's bytes into struct x509; see x509.h. */
#include "protocols/x509_room.h"

#include <bearssl.h>

const char *x509_kind_name(enum x509_key_kind kind) {
    switch (kind) {
#define X(name, text)                                                                                                  \
    case name: return text;
        X509_KINDS(X)
#undef X
    }
    return "";
}

const char *x509_usage_name(unsigned usage) {
    switch (usage) {
#define X(name, bit, text)                                                                                             \
    case name: return text;
        X509_USAGES(X)
#undef X
    default: return "";
    }
}

struct reader {
    struct x509 *cert;
    const struct x509_limits *limits;
    const char *what; /* is being read */
    size_t at;        /* where that stands */
    const char *over; /* the limit that was met, or NULL */
    unsigned allowed;
};

static void begin(struct reader *r, const struct cur *c, const char *what) {
    r->what = what;
    r->at = (size_t)(c->at - r->cert->der.ptr);
}

/* --- the key --- */

static unsigned count_bits(struct slice n) {
    unsigned bits = (unsigned)(n.len * 8);
    for (unsigned top = n.len ? n.ptr[0] : 0; bits && !(top & 0x80); top <<= 1) bits--;
    return n.len && n.ptr[0] ? bits : 0;
}

/* How many bytes a coordinate has; 0: not known. */
static size_t coordinate_len(enum x509_key_kind kind) {
    return kind == X509_KEY_P256 ? 32 : kind == X509_KEY_P384 ? 48 : kind == X509_KEY_P521 ? 66 : 0;
}

static bool read_point(struct x509_public *key) {
    size_t len = coordinate_len(key->kind);
    bool whole = key->value.len && key->value.ptr[0] == 4;
    if (!len) {
        key->bits = key->value.len ? (unsigned)((key->value.len - 1) * (whole ? 4 : 8)) : 0;
        return key->value.len;
    }
    key->bits = key->kind == X509_KEY_P521 ? 521 : (unsigned)len * 8;
    if (whole && key->kind == X509_KEY_P256) key->point = key->value;
    if (whole) return key->value.len == 1 + 2 * len;
    return key->value.len == 1 + len && (key->value.ptr[0] == 2 || key->value.ptr[0] == 3);
}

/* What names the curve: its identifier, or all of it in numbers. */
static bool read_curve(struct cur *parameters, struct x509_public *key) {
    key->kind = X509_KEY_CURVE;
    if (der_peek(parameters) != DER_OID) return der_whole(parameters, DER_SEQUENCE).len && read_point(key);
    key->oid = der_oid(parameters);
    if (slice_eq(key->oid, x509_oid(X509_OID_P256))) key->kind = X509_KEY_P256;
    if (slice_eq(key->oid, x509_oid(X509_OID_P384))) key->kind = X509_KEY_P384;
    if (slice_eq(key->oid, x509_oid(X509_OID_P521))) key->kind = X509_KEY_P521;
    return key->oid.len && read_point(key);
}

static bool read_rsa(struct x509_public *key) {
    struct cur c = cur_of(key->value), parts = der_take(&c, DER_SEQUENCE);
    struct slice modulus = der_unsigned(&parts, DER_INTEGER);
    der_unsigned(&parts, DER_INTEGER);
    key->kind = X509_KEY_RSA;
    key->bits = count_bits(modulus);
    return cur_done(&c) && cur_done(&parts) && key->bits;
}

static bool read_dsa(struct cur *parameters, struct x509_public *key) {
    key->kind = X509_KEY_DSA;
    if (der_peek(parameters) != DER_SEQUENCE) return true; /* it is the issuer's */
    struct cur parts = der_take(parameters, DER_SEQUENCE);
    key->bits = count_bits(der_unsigned(&parts, DER_INTEGER));
    return !parts.bad;
}

static bool read_edwards(struct x509_public *key, enum x509_key_kind kind, size_t len) {
    key->kind = kind;
    key->bits = (unsigned)len * 8;
    return key->value.len == len;
}

static bool read_key(struct slice der, struct x509_public *key) {
    struct cur c = cur_of(der), parts = der_take(&c, DER_SEQUENCE), algorithm = der_take(&parts, DER_SEQUENCE);
    bool good;
    *key = (struct x509_public){.kind = X509_KEY_OTHER, .der = der, .oid = der_oid(&algorithm)};
    key->value = der_bits(&parts);
    if (algorithm.bad || !cur_done(&parts)) return false;
    if (slice_eq(key->oid, x509_oid(X509_OID_EC)))
        good = read_curve(&algorithm, key);
    else if (slice_eq(key->oid, x509_oid(X509_OID_RSA)) || slice_eq(key->oid, x509_oid(X509_OID_RSA_PSS)))
        good = read_rsa(key);
    else if (slice_eq(key->oid, x509_oid(X509_OID_ED25519)))
        good = read_edwards(key, X509_KEY_ED25519, 32);
    else if (slice_eq(key->oid, x509_oid(X509_OID_ED448)))
        good = read_edwards(key, X509_KEY_ED448, 57);
    else
        good = !slice_eq(key->oid, x509_oid(X509_OID_DSA)) || read_dsa(&algorithm, key);
    if (good && cur_left(&algorithm)) der_whole_any(&algorithm);
    return good && cur_done(&algorithm);
}

/* --- extensions --- */

static bool read_subject_key(struct reader *r, struct slice value) {
    struct cur c = cur_of(value);
    r->cert->subject_key_id = der_octets(&c, DER_OCTETS);
    return cur_done(&c) && r->cert->subject_key_id.len;
}

static bool read_alts(struct reader *r, struct slice content) {
    bool over;
    if (x509_alts_ok(content, r->limits->alts, &over)) return true;
    if (over) r->over = "alts", r->allowed = r->limits->alts;
    return false;
}

static bool read_authority_key(struct reader *r, struct slice value) {
    struct cur c = cur_of(value), parts = der_take(&c, DER_SEQUENCE);
    struct x509 *cert = r->cert;
    struct x509_alt alt;
    struct slice names = {NULL, 0};
    if (der_peek(&parts) == DER_CONTEXT(0)) {
        cert->authority_key_id = der_octets(&parts, DER_CONTEXT(0));
        if (!cert->authority_key_id.len) return false;
    }
    if (der_peek(&parts) == DER_PART(1)) {
        names = der_octets(&parts, DER_PART(1));
        if (!read_alts(r, names)) return false;
        cert->authority_serial = der_unsigned(&parts, DER_CONTEXT(2)); /* both or none */
    }
    while (x509_alt_next(&names, &alt)) {
        struct cur name = cur_of(alt.value);
        if (alt.kind == X509_ALT_NAME && !cert->authority_name.der.len) x509_name_take(&name, &cert->authority_name);
    }
    return cur_done(&c) && cur_done(&parts);
}

static bool read_basic(struct reader *r, struct slice value) {
    struct cur c = cur_of(value), parts = der_take(&c, DER_SEQUENCE);
    struct x509 *cert = r->cert;
    cert->has_basic = true;
    if (der_peek(&parts) == DER_BOOLEAN) {
        cert->is_ca = der_bool(&parts);
        if (!cert->is_ca) return false; /* the default does not stand there */
    }
    if (der_peek(&parts) == DER_INTEGER) cert->path_length = (int)der_small(&parts, INT32_MAX);
    return cur_done(&c) && cur_done(&parts);
}

static bool read_usage(struct reader *r, struct slice value) {
    struct cur c = cur_of(value);
    r->cert->has_usage = true;
    r->cert->usage = der_named_bits(&c);
    return cur_done(&c) && r->cert->usage;
}

/* id-kp: the bytes before the last, which tells the purpose. */
static const struct slice kp = LIT_INIT("\x2b\x06\x01\x05\x05\x07\x03");

static unsigned purpose_of(struct slice oid) {
    if (slice_eq(oid, LIT("\x55\x1d\x25\x00"))) return X509_PURPOSE_ANY;
    if (oid.len != kp.len + 1 || !slice_starts(oid, kp)) return X509_PURPOSE_OTHER;
    switch (oid.ptr[kp.len]) {
#define X(name, bit, last)                                                                                             \
    case last: return name;
        X509_PURPOSES(X)
#undef X
    default: return X509_PURPOSE_OTHER;
    }
}

bool x509_purpose_next(struct slice *rest, struct slice *oid) {
    struct cur c = cur_of(*rest);
    if (!rest->len) return false;
    *oid = der_oid(&c);
    if (c.bad) return false;
    *rest = cur_rest(&c);
    return true;
}

static bool read_purposes(struct reader *r, struct slice value) {
    struct cur c = cur_of(value), list = der_take(&c, DER_SEQUENCE);
    struct slice rest = cur_rest(&list), oid;
    r->cert->purpose_oids = rest;
    while (x509_purpose_next(&rest, &oid)) r->cert->purposes |= purpose_of(oid);
    return cur_done(&c) && !list.bad && !rest.len && r->cert->purposes;
}

static bool read_subject_alts(struct reader *r, struct slice value) {
    struct cur c = cur_of(value);
    r->cert->alts = der_octets(&c, DER_SEQUENCE);
    return cur_done(&c) && read_alts(r, r->cert->alts);
}

static bool read_acme(struct reader *r, struct slice value) {
    struct cur c = cur_of(value);
    r->cert->acme = der_octets(&c, DER_OCTETS);
    return cur_done(&c) && r->cert->acme.len == br_sha256_SIZE;
}

static const struct {
    enum x509_oid oid;
    bool (*read)(struct reader *r, struct slice value);
} known[] = {
    {X509_OID_SUBJECT_KEY, read_subject_key},
    {X509_OID_AUTHORITY_KEY, read_authority_key},
    {X509_OID_BASIC, read_basic},
    {X509_OID_USAGE, read_usage},
    {X509_OID_PURPOSE, read_purposes},
    {X509_OID_ALT, read_subject_alts},
    {X509_OID_ACME, read_acme},
};
#define KNOWN_N (sizeof known / sizeof *known)

static size_t find_known(struct slice oid) {
    size_t i = 0;
    while (i < KNOWN_N && !slice_eq(oid, x509_oid(known[i].oid))) i++;
    return i;
}

bool x509_extension_next(struct slice *rest, struct x509_extension *extension) {
    struct cur c = cur_of(*rest);
    if (!rest->len) return false;
    struct cur parts = der_take(&c, DER_SEQUENCE);
    struct slice oid = der_oid(&parts);
    bool said = der_peek(&parts) == DER_BOOLEAN, critical = said && der_bool(&parts);
    struct slice value = der_octets(&parts, DER_OCTETS);
    if (!cur_done(&parts) || critical != said) return false; /* the default does not stand there */
    *extension = (struct x509_extension){oid, value, critical, find_known(oid) < KNOWN_N};
    *rest = cur_rest(&c);
    return true;
}

/* Whether one before it is of the same kind. The number of extensions is bounded, so this is too. */
static bool is_repeated(struct slice list, const struct x509_extension *of) {
    struct x509_extension other;
    while (x509_extension_next(&list, &other) && other.oid.ptr != of->oid.ptr)
        if (slice_eq(other.oid, of->oid)) return true;
    return false;
}

static bool read_extensions(struct reader *r, struct cur *body) {
    struct cur outer = der_take(body, DER_PART(3)), list = der_take(&outer, DER_SEQUENCE);
    struct x509_extension extension;
    struct slice rest = cur_rest(&list);
    r->cert->extensions = rest;
    if (!cur_done(&outer) || !rest.len) return false;
    for (unsigned n = 0; x509_extension_next(&rest, &extension); n++) {
        if (n == r->limits->extensions) {
            r->over = "extensions", r->allowed = r->limits->extensions;
            return false;
        }
        r->at = (size_t)(extension.oid.ptr - r->cert->der.ptr);
        if (is_repeated(r->cert->extensions, &extension)) {
            r->what = "an extension stands there twice";
            return false;
        }
        size_t i = find_known(extension.oid);
        if (i == KNOWN_N) {
            r->cert->unknown_critical += extension.critical;
            continue;
        }
        r->what = x509_oid_name(extension.oid);
        if (!known[i].read(r, extension.value)) return false;
        r->what = "its extensions";
    }
    return !rest.len;
}

/* --- the whole --- */

static bool read_body(struct reader *r, struct cur body, struct slice *algorithm) {
    struct x509 *cert = r->cert;
    begin(r, &body, "its version");
    cert->version = 1;
    if (der_peek(&body) == DER_PART(0)) {
        struct cur version = der_take(&body, DER_PART(0));
        cert->version = 1 + (unsigned)der_small(&version, 2);
        if (!cur_done(&version) || cert->version == 1) return false; /* the default does not stand there */
    }
    begin(r, &body, "its serial number");
    cert->serial = der_unsigned(&body, DER_INTEGER);
    if (body.bad) return false;
    begin(r, &body, "its algorithm");
    *algorithm = der_whole(&body, DER_SEQUENCE);
    if (body.bad) return false;
    begin(r, &body, "the name of its issuer");
    if (!x509_name_take(&body, &cert->issuer)) return false;
    begin(r, &body, "its dates");
    struct cur dates = der_take(&body, DER_SEQUENCE);
    cert->not_before = der_time(&dates);
    cert->not_after = der_time(&dates);
    if (!cur_done(&dates)) return false;
    begin(r, &body, "the name of its subject");
    if (!x509_name_take(&body, &cert->subject)) return false;
    begin(r, &body, "its public key");
    struct slice key = der_whole(&body, DER_SEQUENCE);
    if (body.bad || !read_key(key, &cert->key)) return false;
    begin(r, &body, "its extensions");
    for (unsigned id = 1; id <= 2; id++) /* unique identifiers: nobody has them any more */
        if (cert->version >= 2 && der_peek(&body) == DER_CONTEXT(id)) der_octets(&body, DER_CONTEXT(id));
    if (cert->version == 3 && der_peek(&body) == DER_PART(3) && !read_extensions(r, &body)) return false;
    return cur_done(&body);
}

static bool read_cert(struct reader *r) {
    struct x509 *cert = r->cert;
    struct cur c = cur_of(cert->der), parts = der_take(&c, DER_SEQUENCE);
    struct slice inner = {NULL, 0};
    r->what = "its length";
    if (!cur_done(&c)) return false;
    begin(r, &parts, "its body");
    cert->body = der_whole(&parts, DER_SEQUENCE);
    struct cur whole = cur_of(cert->body), body = der_take(&whole, DER_SEQUENCE);
    if (parts.bad || !read_body(r, body, &inner)) return false;
    begin(r, &parts, "its signature");
    struct slice algorithm = der_whole(&parts, DER_SEQUENCE);
    struct cur again = cur_of(algorithm), named = der_take(&again, DER_SEQUENCE);
    cert->signed_with = der_oid(&named);
    if (cur_left(&named)) der_whole_any(&named);
    cert->signature = der_bits(&parts);
    return cur_done(&parts) && cur_done(&named) && slice_eq(algorithm, inner) && cert->signature.len;
}

bool x509_read(struct x509 *cert, struct slice der, const struct x509_limits *limits, struct err *e) {
    struct x509 got = {.der = der, .path_length = -1};
    struct reader r = {.cert = &got, .limits = limits};
    if (der.len > limits->bytes) return err_limit(e, "bytes", limits->bytes, limits->bytes);
    if (read_cert(&r)) {
        *cert = got;
        return true;
    }
    if (r.over) return err_limit(e, r.over, r.allowed, r.at);
    return err_at(e, ERR_SYNTAX, r.at, "this is not a certificate, or it is damaged: %s", r.what);
}

void x509_fingerprint(struct slice der, uint8_t out[X509_FINGERPRINT]) {
    br_sha256_context sha;
    br_sha256_init(&sha);
    br_sha256_update(&sha, der.ptr, der.len);
    br_sha256_out(&sha, out);
}

bool x509_fingerprint_add(struct buf *out, struct slice der) {
    static const char digits[] = "0123456789ABCDEF";
    uint8_t hash[X509_FINGERPRINT], text[X509_FINGERPRINT_TEXT];
    x509_fingerprint(der, hash);
    for (size_t i = 0; i < sizeof hash; i++) {
        text[3 * i] = (uint8_t)digits[hash[i] >> 4];
        text[3 * i + 1] = (uint8_t)digits[hash[i] & 15];
        if (i) text[3 * i - 1] = ':';
    }
    return buf_add(out, slice_of(text, sizeof text));
}
