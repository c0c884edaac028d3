/* tls_pem.c - see tls_pem.h. */
#include "wire/tls_pem.h"
#include "base/limits.h"

#include "base/ascii.h"
#include "base/hex.h"
#include "wire/tls_room.h"

/* --- PEM --- */

/* A line without its end. */
static struct slice take_line(struct slice *text) {
    struct slice line = slice_cut(text, '\n');
    while (line.len && (line.ptr[line.len - 1] == '\r' || ascii_is_blank(line.ptr[line.len - 1]))) line.len--;
    return line;
}

/* What stands between "-----BEGIN " (or END) and "-----"; ptr NULL: another line. */
static struct slice read_border(struct slice line, struct slice word) {
    if (!slice_starts(line, word) || !slice_ends(line, LIT("-----")) || line.len < word.len + 5)
        return slice_of(NULL, 0);
    return slice_of(line.ptr + word.len, line.len - word.len - 5);
}

enum tls_pem_step tls_pem_next(struct slice *text, struct slice *label, struct buf *der, struct err *e) {
    struct slice begin = {NULL, 0};
    buf_reset(der);
    while (text->len && !begin.ptr) begin = read_border(take_line(text), LIT("-----BEGIN "));
    if (!begin.ptr) return TLS_PEM_END;
    *label = begin;
    int shown = (int)(begin.len < 40 ? begin.len : 40);
    uint8_t four[4];
    size_t have = 0;
    bool padded = false;
    while (text->len) {
        struct slice line = take_line(text), end = read_border(line, LIT("-----END "));
        if (end.ptr && slice_eq(end, begin) && !have && der->len) {
            tls_wipe(four, sizeof four);
            return TLS_PEM_BLOCK;
        }
        if (slice_find(line, ':') < line.len) {
            err_set(e, ERR_UNSUPPORTED, "the PEM block %.*s is encrypted; it is needed without a passphrase", shown,
                    (const char *)begin.ptr);
            return TLS_PEM_BAD;
        }
        if (slice_find(line, '-') < line.len) break;
        for (size_t i = 0; i < line.len; i++) {
            if (ascii_is_blank(line.ptr[i])) continue;
            four[have++] = line.ptr[i];
            if (have < 4) continue;
            have = 0;
            if (padded || !base64_read(der, BASE64_STD, slice_of(four, 4))) goto bad;
            padded = four[3] == '=';
        }
    }
bad:
    if (der->fault == BUF_NOMEM)
        err_nomem(e, "a certificate");
    else if (der->fault == BUF_OVER)
        err_limit(e, "LIMIT_TLS_DER", der->max, ERR_NOWHERE);
    else
        err_set(e, ERR_SYNTAX, "the PEM block %.*s is damaged", shown, (const char *)begin.ptr);
    return TLS_PEM_BAD;
}

/* Room for the largest block of a text at once, so that a key is never moved about in memory. */
static bool make_room(struct buf *der, struct slice pem, struct err *e) {
    size_t need = pem.len / 4 * 3 + 3;
    buf_init(der, LIMIT_TLS_DER);
    return buf_room(der, need < LIMIT_TLS_DER ? need : LIMIT_TLS_DER) || err_nomem(e, "a certificate");
}

static void drop_room(struct buf *der) {
    if (der->ptr) tls_wipe(der->ptr, der->cap);
    buf_release(der);
}

/* --- certificates --- */

static unsigned count_blocks(struct slice pem, unsigned most) {
    unsigned n = 0;
    while (pem.len && n <= most)
        if (read_border(take_line(&pem), LIT("-----BEGIN ")).ptr) n++;
    return n;
}

static bool is_certificate(struct slice label) {
    return slice_eq(label, LIT("CERTIFICATE")) || slice_eq(label, LIT("X509 CERTIFICATE"));
}

bool tls_chain_read(struct arena *a, struct slice pem, br_x509_certificate **chain, unsigned *n, struct err *e) {
    unsigned most = count_blocks(pem, LIMIT_TLS_CHAIN);
    struct buf der;
    struct slice label;
    enum tls_pem_step step;
    if (most > LIMIT_TLS_CHAIN) return err_limit(e, "LIMIT_TLS_CHAIN", LIMIT_TLS_CHAIN, ERR_NOWHERE);
    if (!most) return err_set(e, ERR_INVALID, "there is no certificate in the text (want -----BEGIN CERTIFICATE-----)");
    br_x509_certificate *made = arena_get(a, most * sizeof *made);
    if (!made || !make_room(&der, pem, e)) return err_nomem(e, "certificates");
    *n = 0;
    while ((step = tls_pem_next(&pem, &label, &der, e)) == TLS_PEM_BLOCK) {
        if (!is_certificate(label)) continue; /* a key in the same file */
        struct slice kept = arena_copy(a, buf_slice(&der));
        if (!kept.ptr) {
            err_nomem(e, "certificates");
            step = TLS_PEM_BAD;
            break;
        }
        made[(*n)++] = (br_x509_certificate){(unsigned char *)(uintptr_t)kept.ptr, kept.len};
    }
    drop_room(&der);
    *chain = made;
    return step == TLS_PEM_END &&
           (*n || err_set(e, ERR_INVALID, "there is no certificate in the text (want -----BEGIN CERTIFICATE-----)"));
}

/* --- keys --- */

/* A part of a key, behind those that are there. */
static unsigned char *add_part(uint8_t **at, const unsigned char *from, size_t len) {
    uint8_t *to = *at;
    if (len) memcpy(to, from, len);
    *at += len;
    return to;
}

/* Room for so many bytes of a key, which then are its secret. */
static uint8_t *hold_key(struct arena *a, struct tls_key *key, int type, size_t len) {
    uint8_t *at = arena_get(a, len ? len : 1);
    *key = (struct tls_key){.type = type, .secret = slice_of(at, at ? len : 0)};
    return at;
}

static bool keep_ec(struct arena *a, const br_ec_private_key *ec, struct tls_key *key, struct err *e) {
    if (ec->curve != BR_EC_secp256r1 && ec->curve != BR_EC_secp384r1)
        return err_set(e, ERR_UNSUPPORTED,
                       "the private key lies on a curve that is not used here; want P-256 or P-384");
    uint8_t *at = hold_key(a, key, BR_KEYTYPE_EC, ec->xlen);
    if (!at) return err_nomem(e, "a private key");
    key->ec = *ec;
    key->ec.x = add_part(&at, ec->x, ec->xlen);
    return true;
}

static bool keep_rsa(struct arena *a, const br_rsa_private_key *rsa, struct tls_key *key, struct err *e) {
    if (rsa->n_bitlen < 2048 || rsa->n_bitlen > 4096)
        return err_set(e, ERR_UNSUPPORTED, "the RSA key has %u bits; want 2048 to 4096", (unsigned)rsa->n_bitlen);
    uint8_t *at = hold_key(a, key, BR_KEYTYPE_RSA, rsa->plen + rsa->qlen + rsa->dplen + rsa->dqlen + rsa->iqlen);
    if (!at) return err_nomem(e, "a private key");
    key->rsa = *rsa;
    key->rsa.p = add_part(&at, rsa->p, rsa->plen);
    key->rsa.q = add_part(&at, rsa->q, rsa->qlen);
    key->rsa.dp = add_part(&at, rsa->dp, rsa->dplen);
    key->rsa.dq = add_part(&at, rsa->dq, rsa->dqlen);
    key->rsa.iq = add_part(&at, rsa->iq, rsa->iqlen);
    return true;
}

static bool read_one_key(struct arena *a, struct slice der, struct tls_key *key, struct err *e) {
    br_skey_decoder_context d;
    br_skey_decoder_init(&d);
    br_skey_decoder_push(&d, der.ptr, der.len);
    const br_ec_private_key *ec = br_skey_decoder_get_ec(&d);
    const br_rsa_private_key *rsa = br_skey_decoder_get_rsa(&d);
    bool good = ec    ? keep_ec(a, ec, key, e)
                : rsa ? keep_rsa(a, rsa, key, e)
                      : err_set(e, ERR_SYNTAX, "the private key cannot be read; EC and RSA keys are known");
    tls_wipe(&d, sizeof d);
    return good;
}

static bool is_key(struct slice label) {
    return slice_eq(label, LIT("PRIVATE KEY")) || slice_eq(label, LIT("EC PRIVATE KEY")) ||
           slice_eq(label, LIT("RSA PRIVATE KEY"));
}

bool tls_key_read(struct arena *a, struct slice pem, struct tls_key *key, struct err *e) {
    struct buf der;
    struct slice label;
    enum tls_pem_step step = TLS_PEM_BAD;
    bool found = false;
    *key = (struct tls_key){0};
    if (!make_room(&der, pem, e)) return false;
    while ((step = tls_pem_next(&pem, &label, &der, e)) == TLS_PEM_BLOCK) {
        if (slice_eq(label, LIT("ENCRYPTED PRIVATE KEY"))) {
            err_set(e, ERR_UNSUPPORTED, "the private key is encrypted; it is needed without a passphrase");
            break;
        }
        if (!is_key(label)) continue; /* certificates, parameters of a curve */
        if (found) {
            err_set(e, ERR_INVALID, "there is more than one private key in the text");
            break;
        }
        if (!read_one_key(a, buf_slice(&der), key, e)) break;
        found = true;
    }
    drop_room(&der);
    if (step == TLS_PEM_END && found) return true;
    tls_key_wipe(key);
    return step == TLS_PEM_END
               ? err_set(e, ERR_INVALID, "there is no private key in the text (want -----BEGIN PRIVATE KEY-----)")
               : false;
}

void tls_key_wipe(struct tls_key *key) {
    if (key->secret.len) tls_wipe((void *)(uintptr_t)key->secret.ptr, key->secret.len);
    tls_wipe(key, sizeof *key);
}

static bool is_same(const unsigned char *a, size_t a_len, const unsigned char *b, size_t b_len) {
    for (; a_len && !*a; a_len--) a++;
    for (; b_len && !*b; b_len--) b++;
    return slice_eq(slice_of(a, a_len), slice_of(b, b_len));
}

bool tls_key_fits(const struct tls_key *key, const br_x509_certificate *cert, struct err *e) {
    br_x509_decoder_context d;
    br_x509_decoder_init(&d, NULL, NULL);
    br_x509_decoder_push(&d, cert->data, cert->data_len);
    const br_x509_pkey *of_cert = br_x509_decoder_get_pkey(&d);
    bool good = false;
    if (!of_cert) return err_set(e, ERR_SYNTAX, "the certificate cannot be read, or its key is of an unknown kind");
    if (of_cert->key_type == BR_KEYTYPE_EC && key->type == BR_KEYTYPE_EC) {
        unsigned char point[BR_EC_KBUF_PUB_MAX_SIZE];
        br_ec_public_key pk;
        size_t len = br_ec_compute_pub(&br_ec_all_m31, &pk, point, &key->ec);
        good = len && pk.curve == of_cert->key.ec.curve &&
               slice_eq(slice_of(point, len), slice_of(of_cert->key.ec.q, of_cert->key.ec.qlen));
    } else if (of_cert->key_type == BR_KEYTYPE_RSA && key->type == BR_KEYTYPE_RSA) {
        unsigned char modulus[512];
        br_rsa_compute_modulus compute = br_rsa_compute_modulus_get_default();
        size_t len = compute(NULL, &key->rsa);
        good = len && len <= sizeof modulus && compute(modulus, &key->rsa) == len &&
               is_same(modulus, len, of_cert->key.rsa.n, of_cert->key.rsa.nlen);
    }
    return good || err_set(e, ERR_INVALID, "the private key does not belong to the certificate");
}

/* --- roots --- */

static void add_name(void *arg, const void *bytes, size_t len) {
    buf_add(arg, slice_of(bytes, len));
}

static bool keep_bytes(struct arena *a, unsigned char **p, size_t len) {
    struct slice kept = arena_copy(a, slice_of(*p, len));
    *p = (unsigned char *)(uintptr_t)kept.ptr;
    return kept.ptr != NULL;
}

static bool keep_root(struct arena *a, const br_x509_pkey *key, bool ca, struct slice name,
                      br_x509_trust_anchor *root) {
    root->dn = (br_x500_name){(unsigned char *)(uintptr_t)name.ptr, name.len};
    root->flags = ca ? BR_X509_TA_CA : 0;
    root->pkey = *key;
    if (!keep_bytes(a, &root->dn.data, root->dn.len)) return false;
    if (root->pkey.key_type == BR_KEYTYPE_EC) return keep_bytes(a, &root->pkey.key.ec.q, root->pkey.key.ec.qlen);
    return keep_bytes(a, &root->pkey.key.rsa.n, root->pkey.key.rsa.nlen) &&
           keep_bytes(a, &root->pkey.key.rsa.e, root->pkey.key.rsa.elen);
}

bool tls_roots_read(struct arena *a, struct slice pem, br_x509_trust_anchor **roots, unsigned *n, struct err *e) {
    unsigned most = count_blocks(pem, LIMIT_TLS_ROOTS);
    struct buf der, name;
    struct slice label;
    enum tls_pem_step step;
    if (most > LIMIT_TLS_ROOTS) return err_limit(e, "LIMIT_TLS_ROOTS", LIMIT_TLS_ROOTS, ERR_NOWHERE);
    if (!most) return err_set(e, ERR_INVALID, "there is no certificate in the text (want -----BEGIN CERTIFICATE-----)");
    br_x509_trust_anchor *made = arena_get(a, most * sizeof *made);
    if (!made || !make_room(&der, pem, e)) return err_nomem(e, "roots of trust");
    buf_init(&name, LIMIT_TLS_DER);
    *n = 0;
    while ((step = tls_pem_next(&pem, &label, &der, e)) == TLS_PEM_BLOCK) {
        br_x509_decoder_context d;
        if (!is_certificate(label)) continue;
        buf_reset(&name);
        br_x509_decoder_init(&d, add_name, &name);
        br_x509_decoder_push(&d, der.ptr, der.len);
        const br_x509_pkey *key = br_x509_decoder_get_pkey(&d);
        if (!key && buf_ok(&name)) continue;
        if (!key || !buf_ok(&name) || !keep_root(a, key, br_x509_decoder_isCA(&d), buf_slice(&name), &made[*n])) {
            err_nomem(e, "roots of trust");
            step = TLS_PEM_BAD;
            break;
        }
        (*n)++;
    }
    drop_room(&der);
    buf_release(&name);
    *roots = made;
    return step == TLS_PEM_END &&
           (*n || err_set(e, ERR_UNSUPPORTED, "none of the certificates can be used as a root of trust"));
}
