/* authority.c - see authority.h. */
#include "net/authority.h"

#include "base/limits.h"
#include "base/mem.h"
#include "base/rng.h"
#include "protocols/pem.h"
#include "rpc/shapes.h"

#include <stdio.h>

#define DAY       INT64_C(86400)
#define PROGRAM_S INT64_C(1767225600) /* 2026-01-01: no certificate is from before this program */
#define ROOT_DAYS 7305                /* 20 years */
#define LEAF_DAYS 397
#define LEAF_LEFT 30
#define ALTS_MOST 24
#define PEM_MOST  16384

static const struct val *kept(const struct state *s) {
    return val_get(val_get(val_get(state_peek(s), LIT("private")), LIT("keyStore")), LIT("localCerts"));
}

struct authority_identity authority_identity(const struct state *s) {
    const struct val *k = kept(s);
    return (struct authority_identity){.leaf = val_as_text(val_get(k, LIT("leafCert"))),
                                       .root = val_as_text(val_get(k, LIT("rootCert"))),
                                       .key = val_as_text(val_get(k, LIT("leafKey")))};
}

/* --- making --- */

static bool draw_key(struct x509_key *key, struct err *e) {
    uint8_t secret[X509_SECRET];
    bool good = false;
    for (unsigned i = 0; !good && i < 8; i++) { /* one in 2^32 is no key */
        rng_bytes(secret, sizeof secret);
        good = x509_key_set(key, secret, NULL);
    }
    explicit_bzero(secret, sizeof secret);
    return good || err_set(e, ERR_UNKNOWN, "no key could be made");
}

/* A certificate as PEM text, appended. */
static bool write_pem(struct buf *out, const struct x509_want *want, const struct x509_key *key, struct err *e) {
    struct buf der;
    buf_init(&der, PEM_MOST);
    bool good = x509_write(&der, want, key, e) && pem_write(out, LIT("CERTIFICATE"), buf_slice(&der), e);
    buf_release(&der);
    return good;
}

static bool read_cert(struct slice text, struct buf *der, struct x509 *cert) {
    static const struct pem_limits limits = {.bytes = PEM_MOST, .blocks = 4};
    static const struct x509_limits x509 = {.bytes = PEM_MOST, .extensions = 32, .alts = 64};
    struct pem p;
    struct pem_block block;
    pem_init(&p, &limits);
    bool found = pem_feed(&p, text, &block, NULL).step == STEP_EVENT || pem_eof(&p, &block, NULL) == STEP_EVENT;
    found = found && slice_eq(block.label, LIT("CERTIFICATE")) && buf_add(der, block.bytes);
    pem_release(&p);
    return found && x509_read(cert, buf_slice(der), &x509, NULL);
}

static void draw_serial(uint8_t serial[16]) {
    rng_bytes(serial, 16);
    serial[0] = (uint8_t)((serial[0] & 0x7f) | 0x40);
}

static bool make_root(struct x509_key *key, int64_t from, struct slice hostname, struct buf *pem, struct err *e) {
    uint8_t serial[16];
    char name[100];
    draw_serial(serial);
    int n = snprintf(name, sizeof name, "%.*s Local Root CA", (int)hostname.len, (const char *)hostname.ptr);
    const struct x509_want want = {
        .serial = slice_of(serial, sizeof serial),
        .subject = {.common_name = slice_of(name, (size_t)n), .organization = LIT("startbox")},
        .not_before = from,
        .not_after = from + ROOT_DAYS * DAY,
        .point = slice_of(key->point, sizeof key->point),
        .is_ca = true,
        .path_length = -1,
        .usage = X509_USAGE_SIGN_CERT | X509_USAGE_SIGN_CRL | X509_USAGE_SIGNATURE};
    return draw_key(key, e) && write_pem(pem, &want, key, e);
}

/* The names a box has without anybody's doing, then the addresses. */
static size_t list_alts(const struct authority_wants *w, struct x509_alt *alts, char local[80]) {
    static const uint8_t here4[4] = {127, 0, 0, 1}, here6[16] = {[15] = 1};
    size_t n = 0;
    int len = snprintf(local, 80, "%.*s.local", (int)w->hostname.len, (const char *)w->hostname.ptr);
    if (w->hostname.len) {
        alts[n++] = (struct x509_alt){X509_ALT_DNS, slice_of(local, (size_t)len)};
        if (!slice_eq(w->hostname, LIT("localhost"))) alts[n++] = (struct x509_alt){X509_ALT_DNS, w->hostname};
    }
    alts[n++] = (struct x509_alt){X509_ALT_DNS, LIT("localhost")};
    alts[n++] = (struct x509_alt){X509_ALT_IP, slice_of(here4, sizeof here4)};
    alts[n++] = (struct x509_alt){X509_ALT_IP, slice_of(here6, sizeof here6)};
    for (size_t i = 0; i < w->ip_n && n < ALTS_MOST; i++) {
        size_t k = 0;
        while (k < n && !(alts[k].kind == w->ips[i].kind && slice_eq(alts[k].value, w->ips[i].value))) k++;
        if (k == n) alts[n++] = w->ips[i];
    }
    return n;
}

static bool make_leaf(const struct authority_wants *w, const struct x509 *root, const struct x509_key *root_key,
                      int64_t from, struct x509_key *key, struct buf *pem, struct err *e) {
    struct x509_alt alts[ALTS_MOST];
    char local[80];
    uint8_t serial[16];
    draw_serial(serial);
    const struct x509_want want = {.serial = slice_of(serial, sizeof serial),
                                   .issuer = root,
                                   .subject = {.common_name = w->hostname, .organization = LIT("startbox")},
                                   .not_before = from,
                                   .not_after = from + LEAF_DAYS * DAY,
                                   .point = slice_of(key->point, sizeof key->point),
                                   .path_length = -1,
                                   .usage = X509_USAGE_SIGNATURE,
                                   .purposes = X509_PURPOSE_SERVER,
                                   .alts = alts,
                                   .alts_n = list_alts(w, alts, local),
                                   .authority = X509_BY_KEY};
    return write_pem(pem, &want, root_key, e);
}

/* --- what stands --- */

static bool has_alt(const struct x509 *cert, const struct x509_alt *want) {
    struct slice rest = cert->alts;
    for (struct x509_alt a; x509_alt_next(&rest, &a);)
        if (a.kind == want->kind && slice_eq(a.value, want->value)) return true;
    return false;
}

/* Whether the leaf serves: for all names, and for a while yet. */
static bool leaf_serves(const struct authority_wants *w, const struct x509 *leaf, int64_t now) {
    struct x509_alt alts[ALTS_MOST];
    char local[80];
    size_t n = list_alts(w, alts, local);
    for (size_t i = 0; i < n; i++)
        if (!has_alt(leaf, &alts[i])) return false;
    return !w->clock_trusted || (leaf->not_before <= now && leaf->not_after > now + LEAF_LEFT * DAY);
}

struct making {
    struct x509_key root_key, leaf_key;
    struct buf root_pem, leaf_pem, root_der, leaf_der, text;
    struct x509 root, leaf;
    bool new_root, new_leaf, has_leaf_key;
};

static void making_end(struct making *m) {
    x509_key_wipe(&m->root_key);
    x509_key_wipe(&m->leaf_key);
    if (m->text.ptr) explicit_bzero(m->text.ptr, m->text.cap);
    buf_release(&m->text);
    buf_release(&m->root_pem);
    buf_release(&m->leaf_pem);
    buf_release(&m->root_der);
    buf_release(&m->leaf_der);
}

static bool look(struct making *m, const struct val *k, const struct authority_wants *w, int64_t now) {
    static const struct pem_limits limits = {.bytes = PEM_MOST, .blocks = 4};
    struct slice root = val_as_text(val_get(k, LIT("rootCert"))), leaf = val_as_text(val_get(k, LIT("leafCert")));
    m->new_root = !read_cert(root, &m->root_der, &m->root) ||
                  !x509_key_read_pem(&m->root_key, val_as_text(val_get(k, LIT("rootKey"))), &limits, NULL);
    /* The key stays when the certificate is made anew: whoever has pinned it goes on. */
    m->has_leaf_key = x509_key_read_pem(&m->leaf_key, val_as_text(val_get(k, LIT("leafKey"))), &limits, NULL);
    m->new_leaf =
        m->new_root || !m->has_leaf_key || !read_cert(leaf, &m->leaf_der, &m->leaf) || !leaf_serves(w, &m->leaf, now);
    return m->new_leaf;
}

static bool make(struct making *m, const struct authority_wants *w, int64_t from, struct err *e) {
    if (m->new_root) {
        if (!make_root(&m->root_key, from, w->hostname, &m->root_pem, e)) return false;
        buf_reset(&m->root_der);
        if (!read_cert(buf_slice(&m->root_pem), &m->root_der, &m->root))
            return err_set(e, ERR_UNKNOWN, "the root certificate that was made cannot be read");
    }
    if (!m->has_leaf_key && !draw_key(&m->leaf_key, e)) return false;
    return make_leaf(w, &m->root, &m->root_key, from, &m->leaf_key, &m->leaf_pem, e);
}

static bool put_key(struct making *m, struct state_txn *t, struct slice pointer, const struct x509_key *key,
                    struct err *e) {
    buf_reset(&m->text);
    return x509_key_write_pem(&m->text, key, X509_KEY_PKCS8, e) && txn_put_text(t, pointer, buf_slice(&m->text), e);
}

static bool keep(struct making *m, struct state *s, struct err *e) {
    struct state_txn t;
    struct buf print;
    buf_init(&print, X509_FINGERPRINT_TEXT);
    if (!state_begin(s, &t, state_owner(s, "net"), e)) return false;
    bool good = true;
    if (m->new_root) {
        txn_put(&t, LIT("/private/keyStore/localCerts"), val_empty_map(), e);
        txn_put_text(&t, LIT("/private/keyStore/localCerts/rootCert"), buf_slice(&m->root_pem), e);
        good = put_key(m, &t, LIT("/private/keyStore/localCerts/rootKey"), &m->root_key, e) &&
               x509_fingerprint_add(&print, buf_slice(&m->root_der)) &&
               txn_put_text(&t, LIT("/public/serverInfo/caFingerprint"), buf_slice(&print), e);
    }
    txn_put_text(&t, LIT("/private/keyStore/localCerts/leafCert"), buf_slice(&m->leaf_pem), e);
    good = good && put_key(m, &t, LIT("/private/keyStore/localCerts/leafKey"), &m->leaf_key, e);
    buf_release(&print);
    if (good) return state_commit(&t, NULL, e);
    state_abort(&t);
    return false;
}

bool authority_keep(struct state *s, const struct authority_wants *w, bool *changed, struct err *e) {
    struct making *m = mem_get_zero(sizeof *m);
    if (!m) return err_nomem(e, "certificates");
    int64_t now = w->clock_trusted || w->now_s > PROGRAM_S ? w->now_s : PROGRAM_S;
    buf_init(&m->root_pem, PEM_MOST);
    buf_init(&m->leaf_pem, PEM_MOST);
    buf_init(&m->root_der, PEM_MOST);
    buf_init(&m->leaf_der, PEM_MOST);
    buf_init(&m->text, 4096);
    buf_room(&m->text, 4096); /* so that a key never moves */
    *changed = look(m, kept(s), w, now);
    bool good = !*changed || (make(m, w, now - DAY, e) && keep(m, s, e));
    making_end(m);
    mem_put(m, sizeof *m);
    return good;
}

/* --- what main joins --- */

static const struct shape_field certs_fields[] = {{.name = "rootKey", .shape = &shape_text, .optional = true},
                                                  {.name = "rootCert", .shape = &shape_text, .optional = true},
                                                  {.name = "leafKey", .shape = &shape_text, .optional = true},
                                                  {.name = "leafCert", .shape = &shape_text, .optional = true}};
static const struct shape certs_shape = {.kind = SHAPE_RECORD, .fields = certs_fields, .field_n = 4};
static const struct shape_field store_fields[] = {{.name = "localCerts", .shape = &certs_shape, .optional = true}};
static const struct shape store_shape = {.kind = SHAPE_RECORD, .fields = store_fields, .field_n = 1};

const struct plan_branch net_branches[] = {
    {.pattern = "/public/serverInfo/network", .owner = "net"},
    {.pattern = "/public/serverInfo/caFingerprint", .owner = "net"},
    {.pattern = "/private/keyStore", .owner = "net", .attrs = PLAN_SECRET, .shape = &store_shape},
};
const unsigned net_branch_n = sizeof net_branches / sizeof net_branches[0];
