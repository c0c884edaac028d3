/* authsig.c - any text as the header of a signed request: what is read is the same when it is written and read again. And any request
 * signed: it comes back and is good, and is not for another host or body.
 *
 * First byte: 0 or 1 says which. */
#include "protocols/authsig.h"
#include "base/cur.h"
#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct authsig_limits limits = {.bytes = 4096, .pairs = 16, .size = UINT64_MAX};

static bool same(const struct authsig *a, const struct authsig *b) {
    return a->timestamp == b->timestamp && a->nonce == b->nonce && a->size == b->size &&
           !memcmp(a->blake3, b->blake3, sizeof a->blake3) && !memcmp(a->signer, b->signer, sizeof a->signer) &&
           !memcmp(a->signature, b->signature, sizeof a->signature);
}

static void write_again(const struct authsig *s) {
    struct authsig again;
    struct buf b;
    buf_init(&b, 1000);
    must(authsig_write(&b, s, NULL) && authsig_read(buf_slice(&b), &limits, &again, NULL) && same(s, &again));
    for (size_t i = 0; i < b.len; i++) must(b.ptr[i] > ' ' && b.ptr[i] < 0x7f); /* fit for a header */
    buf_release(&b);
}

static void read_text(struct slice value) {
    struct authsig s;
    struct err e = ERR_INIT;
    struct authsig_limits tight = limits;
    if (!authsig_read(value, &limits, &s, &e)) {
        must(e.code != ERR_NONE && e.text[0]);
        return;
    }
    must(value.len <= limits.bytes && ed25519ph_point_ok(s.signer));
    write_again(&s);
    (void)authsig_good(&s, LIT("host"));
    tight.size = s.size - (s.size > 0);
    must(authsig_read(value, &tight, &s, NULL) == (s.size == 0));
}

/* Seed, timestamp, nonce, length of the context, which bit is changed, context, body. */
static void sign(struct slice in) {
    struct ed25519ph_key key;
    struct authsig s = {0};
    struct cur c = cur_of(in);
    struct slice seed = cur_bytes(&c, ED25519PH_SEED);
    s.timestamp = (int64_t)cur_be64(&c);
    s.nonce = cur_be64(&c);
    size_t context_len = cur_u8(&c), bit = cur_u8(&c);
    if (c.bad) return;
    struct slice rest = cur_rest(&c), context = slice_head(rest, context_len), body = slice_skip(rest, context_len);
    ed25519ph_key_set(&key, seed.ptr);
    authsig_cover(&s, body);
    must(authsig_sign(&s, &key, context, NULL) && authsig_good(&s, context) && authsig_body(&s, body));
    must(!authsig_good(&s, LIT("another host")) || slice_eq(context, LIT("another host")));
    must(!body.len || !authsig_body(&s, slice_skip(body, 1)));
    write_again(&s);
    s.blake3[bit / 8] ^= (uint8_t)(1 << bit % 8);
    must(!authsig_good(&s, context) && !authsig_body(&s, body));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1 || size > 1 << 13) return 0;
    struct slice in = slice_of(data + 1, size - 1);
    if (data[0] & 1)
        sign(in);
    else
        read_text(in);
    return 0;
}
