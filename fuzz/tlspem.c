/* tlspem.c - any bytes as PEM and as DER: certificates, keys, roots. First byte: what they are taken for.
 *
 * Beyond not crashing: what a certificate's names and key are lies within it; a PEM block written again reads the same; and what is
 * read as a whole identity has a key that fits. */
#include "base/hex.h"
#include "base/must.h"
#include "wire/tls_der.h"
#include "wire/tls_identity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool lies_in(struct slice part, struct slice whole) {
    return !part.len || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

static void check_der(struct slice der) {
    struct tls_cert c;
    struct err e = ERR_INIT;
    if (!tls_cert_read(der, &c, &e)) {
        must(e.code == ERR_SYNTAX);
        return;
    }
    must(lies_in(c.key, der) && lies_in(c.names, der) && c.key.len >= 2);
    struct slice names = c.names, name;
    unsigned kind;
    while (tls_cert_name(&names, &kind, &name)) {
        must(lies_in(name, c.names));
        /* A name without a star fits a host that is spelled alike, unless that is an address. */
        uint8_t address[16];
        if (kind == TLS_NAME_DNS && !tls_address(name, address)) must(tls_cert_fit(&c, name) == TLS_FIT_EXACT);
    }
    must(!names.len); /* tls_cert_read has looked at all of them */
}

static void check_pem(struct slice text) {
    struct buf der, again, second;
    struct slice label, label2;
    struct err e = ERR_INIT;
    buf_init(&der, 4096);
    buf_init(&again, 1 << 16);
    buf_init(&second, 4096);
    while (tls_pem_next(&text, &label, &der, &e) == TLS_PEM_BLOCK) {
        must(der.len);
        check_der(buf_slice(&der));
        buf_reset(&again);
        buf_printf(&again, "-----BEGIN %.*s-----\n", (int)label.len, (const char *)label.ptr);
        if (slice_find(label, 0) < label.len) continue;
        base64_add(&again, BASE64_STD, buf_slice(&der));
        buf_printf(&again, "\n-----END %.*s-----\n", (int)label.len, (const char *)label.ptr);
        struct slice rest = buf_slice(&again);
        must(tls_pem_next(&rest, &label2, &second, &e) == TLS_PEM_BLOCK && slice_eq(label, label2) &&
             slice_eq(buf_slice(&der), buf_slice(&second)));
    }
    buf_release(&der);
    buf_release(&again);
    buf_release(&second);
}

static void check_all(struct slice text) {
    struct arena a;
    struct tls_key key;
    struct err e = ERR_INIT;
    br_x509_certificate *chain;
    br_x509_trust_anchor *roots;
    unsigned n;
    arena_init(&a, 1 << 20);
    bool has_key = tls_key_read(&a, text, &key, &e);
    if (tls_chain_read(&a, text, &chain, &n, &e)) {
        must(n);
        if (has_key) tls_key_fits(&key, &chain[0], &e);
    }
    if (tls_roots_read(&a, text, &roots, &n, &e)) must(n);
    tls_key_wipe(&key);
    arena_release(&a);
}

/* DER that is not in PEM yet: as a certificate and as a key. */
static void check_as(struct slice der, const char *label) {
    struct buf text;
    buf_init(&text, 1 << 17);
    buf_printf(&text, "-----BEGIN %s-----\n", label);
    base64_add(&text, BASE64_STD, der);
    buf_printf(&text, "\n-----END %s-----\n", label);
    check_all(buf_slice(&text));
    buf_release(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!size || size > 1 << 15) return 0;
    struct slice in = slice_of(data + 1, size - 1);
    switch (data[0]) {
    case 'c':
        check_der(in);
        check_as(in, "CERTIFICATE");
        break;
    case 'k': check_as(in, "PRIVATE KEY"); break;
    default: check_pem(in); check_all(in);
    }
    return 0;
}
