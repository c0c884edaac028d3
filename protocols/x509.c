/* x509.c - certificates and requests, written; see x509.h. */
#include "protocols/x509_room.h"

#define SERIAL_MAX 20 /* bytes (RFC 5280 4.1.2.2); the highest bit must be 0 */
#define ACME_LEN   32 /* a SHA-256 */

/* --- what is wanted --- */

static bool check_serial(struct slice serial, struct err *e) {
    while (serial.len && !serial.ptr[0]) serial = slice_skip(serial, 1);
    if (!serial.len) return err_set(e, ERR_INVALID, "want a serial number above 0 for a certificate");
    return serial.len < SERIAL_MAX || (serial.len == SERIAL_MAX && serial.ptr[0] < 0x80) ||
           err_set(e, ERR_INVALID, "want a serial number of at most 159 bits for a certificate");
}

static bool check_uses(const struct x509_want *w, struct err *e) {
    bool signs = w->usage & X509_USAGE_SIGN_CERT;
    if (w->usage >= 2 * X509_USAGE_DECIPHER_ONLY || w->purposes >= X509_PURPOSE_OTHER)
        return err_set(e, ERR_INVALID, "want only known usages of a key in a certificate");
    if (w->is_ca != signs)
        return err_set(e, ERR_INVALID, "want the usage keyCertSign for certificates of authorities, and only for them");
    if (w->path_length >= 0 && !w->is_ca)
        return err_set(e, ERR_INVALID, "want a path length only for certificates of authorities");
    if (w->acme.len && w->acme.len != ACME_LEN)
        return err_set(e, ERR_INVALID, "want a SHA-256 for the challenge certificate of ACME");
    return true;
}

/* What the issuer's certificate allows. */
static bool check_issuer(const struct x509_want *w, struct err *e) {
    const struct x509 *issuer = w->issuer;
    if (!issuer) return true;
    if (!issuer->is_ca || (issuer->has_usage && !(issuer->usage & X509_USAGE_SIGN_CERT)))
        return err_set(e, ERR_INVALID, "the certificate of the issuer is not one of an authority");
    if (issuer->unknown_critical)
        return err_set(e, ERR_INVALID, "the certificate of the issuer has a critical extension that is not understood");
    if (!issuer->key.point.len || x509_name_is_empty(&issuer->subject))
        return err_set(e, ERR_UNSUPPORTED, "want an issuer with a name and a key on P-256");
    if (!(w->authority & X509_BY_KEY) || !issuer->subject_key_id.len)
        return err_set(e, ERR_INVALID, "want a certificate that names its issuer by the key id of that");
    if (w->is_ca && issuer->path_length >= 0 && (w->path_length < 0 || w->path_length >= issuer->path_length))
        return err_set(e, ERR_INVALID, "the path length of the issuer's certificate does not allow this authority");
    return true;
}

static bool check_want(const struct x509_want *w, struct err *e) {
    bool nameless = x509_name_is_empty(&w->subject);
    if (!check_serial(w->serial, e) || !check_uses(w, e) || !check_issuer(w, e)) return false;
    if (!der_time_ok(w->not_before) || !der_time_ok(w->not_after) || w->not_before > w->not_after)
        return err_set(e, ERR_INVALID, "want dates of a certificate in order, and in the years 1950 to 9999");
    if (nameless && (!w->alts_n || w->is_ca || !w->issuer))
        return err_set(e, ERR_INVALID,
                       "want a subject for a certificate without names of hosts, of an authority, or "
                       "signed by itself");
    return x509_point_ok(w->point) || err_set(e, ERR_INVALID, "want a public key that is a point on P-256");
}

/* --- pieces --- */

static void add_algorithm(struct buf *out) {
    size_t mark = der_open(out, DER_SEQUENCE);
    der_add(out, DER_OID, x509_oid(X509_OID_ECDSA_SHA256));
    der_close(out, mark);
}

static void add_key(struct buf *out, struct slice point) {
    size_t mark = der_open(out, DER_SEQUENCE), algorithm = der_open(out, DER_SEQUENCE);
    der_add(out, DER_OID, x509_oid(X509_OID_EC));
    der_add(out, DER_OID, x509_oid(X509_OID_P256));
    der_close(out, algorithm);
    der_add_bits(out, point);
    der_close(out, mark);
}

struct extension {
    size_t all, value; /* marks */
};

static struct extension open_extension(struct buf *out, enum x509_oid oid, bool critical) {
    struct extension x = {.all = der_open(out, DER_SEQUENCE)};
    der_add(out, DER_OID, x509_oid(oid));
    if (critical) der_add_bool(out, true);
    x.value = der_open(out, DER_OCTETS);
    return x;
}

static void close_extension(struct buf *out, struct extension x) {
    der_close(out, x.value);
    der_close(out, x.all);
}

static void add_subject_key(struct buf *out, struct slice point) {
    uint8_t id[X509_KEY_ID];
    struct extension x = open_extension(out, X509_OID_SUBJECT_KEY, false);
    x509_key_id(point, id);
    der_add(out, DER_OCTETS, slice_of(id, sizeof id));
    close_extension(out, x);
}

static bool add_authority_key(struct buf *out, const struct x509_want *w, struct err *e) {
    uint8_t own[X509_KEY_ID];
    const struct x509 *issuer = w->issuer;
    if (!w->authority) return true;
    struct extension x = open_extension(out, X509_OID_AUTHORITY_KEY, false);
    size_t mark = der_open(out, DER_SEQUENCE);
    if (w->authority & X509_BY_KEY) {
        x509_key_id(w->point, own);
        der_add(out, DER_CONTEXT(0), issuer ? issuer->subject_key_id : slice_of(own, sizeof own));
    }
    if (w->authority & X509_BY_SERIAL) { /* of the issuer's certificate: who issued that, and as which */
        size_t names = der_open(out, DER_PART(1)), name = der_open(out, DER_PART((unsigned)X509_ALT_NAME));
        if (!x509_name_add(out, issuer ? &issuer->issuer : &w->subject, e)) return false;
        der_close(out, name);
        der_close(out, names);
        der_add_unsigned(out, DER_CONTEXT(2), issuer ? issuer->serial : w->serial);
    }
    der_close(out, mark);
    close_extension(out, x);
    return true;
}

static void add_basic(struct buf *out, const struct x509_want *w) {
    struct extension x = open_extension(out, X509_OID_BASIC, w->is_ca);
    size_t mark = der_open(out, DER_SEQUENCE);
    if (w->is_ca) der_add_bool(out, true);
    if (w->path_length >= 0) der_add_small(out, (uint64_t)w->path_length);
    der_close(out, mark);
    close_extension(out, x);
}

static void add_purpose(struct buf *out, uint8_t last) {
    const uint8_t oid[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, last}; /* id-kp */
    der_add(out, DER_OID, slice_of(oid, sizeof oid));
}

static void add_uses(struct buf *out, const struct x509_want *w) {
    if (w->usage) {
        struct extension x = open_extension(out, X509_OID_USAGE, true);
        der_add_named_bits(out, w->usage);
        close_extension(out, x);
    }
    if (!w->purposes) return;
    struct extension x = open_extension(out, X509_OID_PURPOSE, false);
    size_t mark = der_open(out, DER_SEQUENCE);
#define X(name, bit, last)                                                                                             \
    if (w->purposes & name) add_purpose(out, last);
    X509_PURPOSES(X)
#undef X
    if (w->purposes & X509_PURPOSE_ANY) der_add(out, DER_OID, LIT("\x55\x1d\x25\x00"));
    der_close(out, mark);
    close_extension(out, x);
}

static bool add_alts(struct buf *out, const struct x509_alt *alts, size_t n, bool critical, struct err *e) {
    if (!n) return true;
    struct extension x = open_extension(out, X509_OID_ALT, critical);
    if (!x509_alts_add(out, alts, n, e)) return false;
    close_extension(out, x);
    return true;
}

static bool add_extensions(struct buf *out, const struct x509_want *w, struct err *e) {
    size_t part = der_open(out, DER_PART(3)), list = der_open(out, DER_SEQUENCE);
    add_subject_key(out, w->point);
    if (!add_authority_key(out, w, e)) return false;
    add_basic(out, w);
    add_uses(out, w);
    if (!add_alts(out, w->alts, w->alts_n, x509_name_is_empty(&w->subject), e)) return false;
    if (w->acme.len) {
        struct extension x = open_extension(out, X509_OID_ACME, true);
        der_add(out, DER_OCTETS, w->acme);
        close_extension(out, x);
    }
    der_close(out, list);
    der_close(out, part);
    return true;
}

/* --- bodies --- */

/* All is there, or nothing. */
static bool finish(struct buf *out, size_t mark, bool good, struct err *e) {
    if (good && buf_ok(out)) return true;
    enum buf_fault fault = out->fault;
    buf_rewind(out, mark);
    if (!good) return false;
    return fault == BUF_OVER ? err_limit(e, "output", out->max, ERR_NOWHERE) : err_nomem(e, "a certificate");
}

static bool add_body(struct buf *out, const struct x509_want *w, struct err *e) {
    size_t mark = der_open(out, DER_SEQUENCE), version = der_open(out, DER_PART(0));
    der_add_small(out, 2); /* version 3 */
    der_close(out, version);
    der_add_unsigned(out, DER_INTEGER, w->serial);
    add_algorithm(out);
    if (!x509_name_add(out, w->issuer ? &w->issuer->subject : &w->subject, e)) return false;
    size_t dates = der_open(out, DER_SEQUENCE);
    der_add_time(out, w->not_before);
    der_add_time(out, w->not_after);
    der_close(out, dates);
    if (!x509_name_add(out, &w->subject, e)) return false;
    add_key(out, w->point);
    if (!add_extensions(out, w, e)) return false;
    der_close(out, mark);
    return true;
}

bool x509_write_body(struct buf *out, const struct x509_want *want, struct err *e) {
    if (!check_want(want, e)) return false;
    if (!buf_ok(out)) return err_nomem(e, "a certificate");
    size_t mark = buf_mark(out);
    return finish(out, mark, add_body(out, want, e), e);
}

static bool add_request(struct buf *out, const struct x509_request *want, struct slice point, struct err *e) {
    size_t mark = der_open(out, DER_SEQUENCE);
    der_add_small(out, 0);
    if (!x509_name_add(out, &want->subject, e)) return false;
    add_key(out, point);
    size_t attributes = der_open(out, DER_PART(0));
    if (want->alts_n) {
        size_t attribute = der_open(out, DER_SEQUENCE);
        der_add(out, DER_OID, x509_oid(X509_OID_REQUEST));
        size_t set = der_open(out, DER_SET), list = der_open(out, DER_SEQUENCE);
        if (!add_alts(out, want->alts, want->alts_n, false, e)) return false;
        der_close(out, list);
        der_close(out, set);
        der_close(out, attribute);
    }
    der_close(out, attributes);
    der_close(out, mark);
    return true;
}

bool x509_write_request_body(struct buf *out, const struct x509_request *want, struct slice point, struct err *e) {
    if (x509_name_is_empty(&want->subject) && !want->alts_n)
        return err_set(e, ERR_INVALID, "want a subject or names of hosts in a request for a certificate");
    if (!x509_point_ok(point)) return err_set(e, ERR_INVALID, "want a public key that is a point on P-256");
    if (!buf_ok(out)) return err_nomem(e, "a request for a certificate");
    size_t mark = buf_mark(out);
    return finish(out, mark, add_request(out, want, point, e), e);
}

/* --- signed --- */

bool x509_write_signed(struct buf *out, struct slice body, struct slice point, struct slice signature, struct err *e) {
    struct cur c = cur_of(body);
    der_take(&c, DER_SEQUENCE);
    if (!cur_done(&c)) return err_set(e, ERR_INVALID, "this is not the body of a certificate");
    if (!x509_key_signed(point, body, signature))
        return err_set(e, ERR_INVALID, "the signature of the certificate is not by the key of its issuer");
    if (!buf_ok(out)) return err_nomem(e, "a certificate");
    size_t mark = buf_mark(out), all = der_open(out, DER_SEQUENCE);
    buf_add(out, body);
    add_algorithm(out);
    der_add_bits(out, signature);
    der_close(out, all);
    return finish(out, mark, true, e);
}

static bool sign_body(struct buf *out, const struct buf *body, const struct x509_key *key, struct err *e) {
    uint8_t signature[X509_SIGNATURE];
    size_t len;
    return x509_key_sign(key, buf_slice(body), signature, &len, e) &&
           x509_write_signed(out, buf_slice(body), slice_of(key->point, X509_POINT), slice_of(signature, len), e);
}

bool x509_write(struct buf *out, const struct x509_want *want, const struct x509_key *key, struct err *e) {
    struct buf body;
    struct slice signer = want->issuer ? want->issuer->key.point : want->point;
    if (!slice_eq(signer, slice_of(key->point, X509_POINT)))
        return err_set(e, ERR_INVALID, "the private key that is to sign does not belong to the issuer's certificate");
    buf_init(&body, out->max);
    bool good = x509_write_body(&body, want, e) && sign_body(out, &body, key, e);
    buf_release(&body);
    return good;
}

bool x509_write_request(struct buf *out, const struct x509_request *want, const struct x509_key *key, struct err *e) {
    struct buf body;
    buf_init(&body, out->max);
    bool good =
        x509_write_request_body(&body, want, slice_of(key->point, X509_POINT), e) && sign_body(out, &body, key, e);
    buf_release(&body);
    return good;
}
