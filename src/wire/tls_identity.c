/* tls_identity.c - see tls_identity.h. */
#include "wire/tls_identity.h"
#include "base/limits.h"

#include "wire/tls_der.h"

/* --- the set --- */

static bool read_identity(struct tls_identities *set, struct tls_identity *id, const struct tls_identity_text *pem,
                          struct err *e) {
    struct tls_cert cert;
    size_t total = 0;
    if (pem->chain.len > LIMIT_TLS_IDENTITY_TEXT || pem->key.len > LIMIT_TLS_IDENTITY_TEXT)
        return err_limit(e, "LIMIT_TLS_IDENTITY_TEXT", LIMIT_TLS_IDENTITY_TEXT, ERR_NOWHERE);
    if (!tls_chain_read(&set->arena, pem->chain, &id->chain, &id->chain_n, e) ||
        !tls_key_read(&set->arena, pem->key, &id->key, e) || !tls_key_fits(&id->key, &id->chain[0], e))
        return false;
    for (unsigned i = 0; i < id->chain_n; i++) total += id->chain[i].data_len;
    if (total > LIMIT_TLS_CHAIN_BYTES) return err_limit(e, "LIMIT_TLS_CHAIN_BYTES", LIMIT_TLS_CHAIN_BYTES, ERR_NOWHERE);
    if (!tls_cert_read(slice_of(id->chain[0].data, id->chain[0].data_len), &cert, e)) return false;
    id->names = cert.names;
    return true;
}

struct tls_identities *tls_identities_new(const struct tls_identity_text *pem, unsigned n, struct err *e) {
    if (!n || n > LIMIT_TLS_IDENTITIES) {
        if (n)
            err_limit(e, "LIMIT_TLS_IDENTITIES", LIMIT_TLS_IDENTITIES, ERR_NOWHERE);
        else
            err_set(e, ERR_INVALID, "a TLS server needs at least one certificate");
        return NULL;
    }
    struct tls_identities *set = mem_get_zero(sizeof *set);
    if (!set) {
        err_nomem(e, "certificates");
        return NULL;
    }
    set->refs = 1;
    arena_init(&set->arena, 2 * (size_t)LIMIT_TLS_IDENTITIES * LIMIT_TLS_IDENTITY_TEXT);
    set->of = arena_get(&set->arena, n * sizeof *set->of);
    if (!set->of) err_nomem(e, "certificates");
    for (; set->of && set->n < n; set->n++) {
        set->of[set->n] = (struct tls_identity){0};
        if (read_identity(set, &set->of[set->n], &pem[set->n], e)) continue;
        err_context(e, "certificate %u of %u", set->n + 1, n);
        tls_key_wipe(&set->of[set->n].key);
        break;
    }
    if (set->n == n) return set;
    tls_identities_unref(set);
    return NULL;
}

struct tls_identities *tls_identities_ref(struct tls_identities *set) {
    set->refs++;
    return set;
}

void tls_identities_unref(struct tls_identities *set) {
    if (!set || --set->refs) return;
    for (unsigned i = 0; i < set->n; i++) tls_key_wipe(&set->of[i].key);
    arena_release(&set->arena);
    mem_put(set, sizeof *set);
}

/* --- choosing --- */

/* Hash functions in the order a key likes them; SHA-1 is not among them. */
static const uint8_t for_p384[] = {br_sha384_ID, br_sha512_ID, br_sha256_ID};
static const uint8_t for_others[] = {br_sha256_ID, br_sha384_ID, br_sha512_ID};

/* What the client can verify a signature of this key with; 0: nothing. */
static unsigned choose_hash(const struct tls_key *key, uint32_t hashes) {
    bool ec = key->type == BR_KEYTYPE_EC;
    const uint8_t *order = ec && key->ec.curve == BR_EC_secp384r1 ? for_p384 : for_others;
    for (int i = 0; i < 3; i++)
        if (hashes >> (order[i] + (ec ? 8 : 0)) & 1) return order[i];
    return 0;
}

/* The first suite, by the order agreed on, for this kind of key; 0: none. */
static uint16_t choose_suite(const struct tls_key *key, const br_ssl_server_context *ctx) {
    unsigned exchange = key->type == BR_KEYTYPE_EC ? BR_SSLKEYX_ECDHE_ECDSA : BR_SSLKEYX_ECDHE_RSA;
    size_t n;
    const br_suite_translated *suites = br_ssl_server_get_client_suites(ctx, &n);
    for (size_t i = 0; i < n; i++)
        if ((unsigned)suites[i][1] >> 12 == exchange) return suites[i][0];
    return 0;
}

static int choose(const br_ssl_server_policy_class **me, const br_ssl_server_context *ctx, br_ssl_server_choices *out) {
    struct tls_policy *p = LOOP_OWNER(struct tls_policy, vtable, me);
    struct slice name = slice_str(br_ssl_engine_get_server_name(&ctx->eng));
    const struct tls_identity *best = NULL;
    int best_fit = -1;
    for (unsigned i = 0; i < p->set->n; i++) {
        const struct tls_identity *id = &p->set->of[i];
        int fit = name.len ? (int)tls_cert_fit(&(struct tls_cert){.names = id->names}, name) : TLS_FIT_NONE;
        if (fit <= best_fit || !choose_suite(&id->key, ctx) ||
            !choose_hash(&id->key, br_ssl_server_get_client_hashes(ctx)))
            continue;
        best = id;
        best_fit = fit;
    }
    if (!best) return 0;
    p->chosen = best;
    out->cipher_suite = choose_suite(&best->key, ctx);
    out->algo_id = 0xff00 + choose_hash(&best->key, br_ssl_server_get_client_hashes(ctx));
    out->chain = best->chain;
    out->chain_len = best->chain_n;
    return 1;
}

/* Only for key exchanges without forward secrecy, which are never chosen. */
static uint32_t exchange_keys(const br_ssl_server_policy_class **me, unsigned char *data, size_t *len) {
    (void)me;
    (void)data;
    (void)len;
    return 0;
}

static size_t sign(const br_ssl_server_policy_class **me, unsigned algorithm, unsigned char *data, size_t hash_len,
                   size_t room) {
    struct tls_policy *p = LOOP_OWNER(struct tls_policy, vtable, me);
    const struct tls_key *key = &p->chosen->key;
    static const br_hash_class *const classes[] = {&br_sha256_vtable, &br_sha384_vtable, &br_sha512_vtable};
    static const unsigned char *const oids[] = {BR_HASH_OID_SHA256, BR_HASH_OID_SHA384, BR_HASH_OID_SHA512};
    unsigned which = (algorithm & 0xff) - br_sha256_ID;
    unsigned char hash[64];
    p->signed_now = true;
    if (which > 2 || hash_len > sizeof hash) return 0;
    memcpy(hash, data, hash_len);
    if (key->type == BR_KEYTYPE_EC) {
        if (room < 139) return 0; /* the longest, of P-521 */
        return br_ecdsa_i31_sign_asn1(&br_ec_all_m31, classes[which], hash, &key->ec, data);
    }
    size_t len = (key->rsa.n_bitlen + 7) / 8;
    if (len > room) return 0;
    return br_rsa_pkcs1_sign_get_default()(oids[which], hash, hash_len, &key->rsa, data) ? len : 0;
}

void tls_policy_init(struct tls_policy *p, struct tls_identities *set) {
    static const br_ssl_server_policy_class class = {sizeof(struct tls_policy), choose, exchange_keys, sign};
    *p = (struct tls_policy){.vtable = &class, .set = tls_identities_ref(set)};
}
