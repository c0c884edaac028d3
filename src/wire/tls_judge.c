/* tls_judge.c - see tls_judge.h. */
#include "wire/tls_judge.h"
#include "base/limits.h"

#include "base/clock.h"
#include "wire/tls_der.h"

#define DAYS_TO_1970 719528 /* BearSSL counts from the year 0 */
#define POINT_LEAST  33     /* bytes of a public key that can be told from others */

static struct tls_judge *judge_of(const br_x509_class *const *me) {
    return LOOP_OWNER(struct tls_judge, vtable, (uintptr_t)me);
}

static void refuse(struct tls_judge *j, const char *why, enum tls_alert alert) {
    if (j->why) return;
    j->why = why;
    j->alert = alert;
}

static void start_chain(const br_x509_class **me, const char *name) {
    struct tls_judge *j = judge_of(me);
    (void)name; /* empty for an address; ours is the one */
    j->began = true;
    if (!j->pin) j->minimal.vtable->start_chain(&j->minimal.vtable, j->by_address ? NULL : j->host);
}

static void start_cert(const br_x509_class **me, uint32_t len) {
    struct tls_judge *j = judge_of(me);
    buf_reset(&j->cert);
    if (j->n == LIMIT_TLS_JUDGE_CHAIN || len > LIMIT_TLS_JUDGE_CERT)
        refuse(j, "the peer's chain of certificates is too long", TLS_ALERT_BAD_CERTIFICATE);
    else if (!buf_room(&j->cert, len))
        refuse(j, "no memory for the peer's certificate", TLS_ALERT_INTERNAL);
}

static void append(const br_x509_class **me, const unsigned char *bytes, size_t len) {
    struct tls_judge *j = judge_of(me);
    if (!j->why) buf_add(&j->cert, slice_of(bytes, len));
}

static bool is_pinned(struct tls_judge *j, const struct tls_cert *c) {
    br_sha256_context h;
    unsigned char digest[32];
    br_sha256_init(&h);
    br_sha256_update(&h, c->key.ptr, c->key.len);
    br_sha256_out(&h, digest);
    if (j->learns && *j->learns) {
        memcpy(j->pin, digest, sizeof digest);
        *j->learns = false;
    }
    return !memcmp(digest, j->pin, sizeof digest);
}

/* BearSSL reads the key by itself. It must have come out of the very bytes that were pinned. */
static bool is_read_from(const br_x509_pkey *key, struct slice from) {
    if (!key) return false;
    bool ec = key->key_type == BR_KEYTYPE_EC;
    const unsigned char *part = ec ? key->key.ec.q : key->key.rsa.n;
    size_t len = ec ? key->key.ec.qlen : key->key.rsa.nlen;
    return len >= POINT_LEAST && memmem(from.ptr, from.len, part, len);
}

static void judge_pinned(struct tls_judge *j, const struct tls_cert *c) {
    if (!is_pinned(j, c)) {
        refuse(j, "the peer's key is not the one that is pinned", TLS_ALERT_BAD_CERTIFICATE);
        return;
    }
    br_x509_decoder_init(&j->leaf, NULL, NULL);
    br_x509_decoder_push(&j->leaf, j->cert.ptr, j->cert.len);
    if (!is_read_from(br_x509_decoder_get_pkey(&j->leaf), c->key))
        refuse(j, "the peer's certificates use a key or signature that is not known here", TLS_ALERT_BAD_CERTIFICATE);
}

static void judge_leaf(struct tls_judge *j, const struct tls_cert *c) {
    if (j->pin)
        judge_pinned(j, c);
    else if (tls_cert_fit(c, slice_str(j->host)) == TLS_FIT_NONE)
        refuse(j, "the certificate is for another name", TLS_ALERT_BAD_CERTIFICATE);
}

static void judge_chain(struct tls_judge *j, const struct tls_cert *c) {
    int64_t now = j->dated ? clock_wall_ms() / 1000 : c->from;
    int64_t day = (now >= 0 ? now : now - 86399) / 86400;
    br_x509_minimal_set_time(&j->minimal, (uint32_t)(day + DAYS_TO_1970), (uint32_t)(now - day * 86400));
    j->minimal.vtable->start_cert(&j->minimal.vtable, (uint32_t)j->cert.len);
    j->minimal.vtable->append(&j->minimal.vtable, j->cert.ptr, j->cert.len);
    j->minimal.vtable->end_cert(&j->minimal.vtable);
}

static void end_cert(const br_x509_class **me) {
    struct tls_judge *j = judge_of(me);
    struct tls_cert c;
    unsigned which = j->n++;
    j->worked = true;
    if (j->why) return;
    if (!tls_cert_read(buf_slice(&j->cert), &c, NULL)) {
        refuse(j, "the peer's certificate cannot be read", TLS_ALERT_BAD_CERTIFICATE);
        return;
    }
    if (!which) judge_leaf(j, &c);
    if (!j->why && !j->pin) judge_chain(j, &c);
}

static unsigned end_chain(const br_x509_class **me) {
    struct tls_judge *j = judge_of(me);
    unsigned number = 0;
    j->done = true;
    if (!j->n) refuse(j, "the peer sent no certificate", TLS_ALERT_BAD_CERTIFICATE);
    if (!j->why && !j->pin && (number = j->minimal.vtable->end_chain(&j->minimal.vtable))) {
        enum tls_alert alert;
        const char *why = tls_why((int)number, &alert);
        refuse(j, why, alert);
    }
    buf_release(&j->cert);
    return j->why ? BR_ERR_X509_NOT_TRUSTED : 0;
}

static const br_x509_pkey *get_key(const br_x509_class *const *me, unsigned *usages) {
    struct tls_judge *j = judge_of(me);
    if (!j->pin) return j->minimal.vtable->get_pkey(&j->minimal.vtable, usages);
    if (usages) *usages = BR_KEYTYPE_SIGN | BR_KEYTYPE_KEYX;
    return br_x509_decoder_get_pkey(&j->leaf);
}

void tls_judge_init(struct tls_judge *j) {
    static const br_x509_class class = {
        sizeof(struct tls_judge), start_chain, start_cert, append, end_cert, end_chain, get_key};
    j->vtable = &class;
    j->began = j->done = j->worked = false;
    j->why = NULL;
    j->n = 0;
    buf_init(&j->cert, LIMIT_TLS_JUDGE_CERT);
    if (j->pin) return;
    br_x509_minimal_init(&j->minimal, &br_sha256_vtable, j->roots, j->root_n);
    br_x509_minimal_set_rsa(&j->minimal, br_rsa_pkcs1_vrfy_get_default());
    br_x509_minimal_set_ecdsa(&j->minimal, &br_ec_all_m31, br_ecdsa_vrfy_asn1_get_default());
    br_x509_minimal_set_hash(&j->minimal, br_sha256_ID, &br_sha256_vtable);
    br_x509_minimal_set_hash(&j->minimal, br_sha384_ID, &br_sha384_vtable);
    br_x509_minimal_set_hash(&j->minimal, br_sha512_ID, &br_sha512_vtable);
    br_x509_minimal_set_minrsa(&j->minimal, 2048 / 8);
}

void tls_judge_release(struct tls_judge *j) {
    buf_release(&j->cert);
}
