/* ed25519ph.c - any text as a key and as a signature: what is read is the same when it is written again. And any bytes as a seed, a
 * context and a message: what is signed is good, and is not any more when a bit of it is another.
 *
 * First byte: 0 to 3 say what the rest is. */
#include "protocols/ed25519ph.h"
#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_key(struct slice text, struct buf *b) {
    struct ed25519ph_key key, again;
    static const struct ed25519ph_key none;
    if (!ed25519ph_key_read_pem(&key, text, NULL)) {
        must(!memcmp(&key, &none, sizeof key));
        return;
    }
    for (int with = 0; with < 2; with++) {
        buf_reset(b);
        must(ed25519ph_key_write_pem(b, &key, with, NULL) && b->len <= ED25519PH_KEY_PEM);
        must(ed25519ph_key_read_pem(&again, buf_slice(b), NULL) && !memcmp(&key, &again, sizeof key));
    }
}

static void read_point(struct slice text, struct buf *b) {
    uint8_t point[ED25519PH_POINT], again[ED25519PH_POINT];
    if (!ed25519ph_point_read_pem(point, text, NULL)) return;
    must(ed25519ph_point_ok(point) && ed25519ph_point_write_pem(b, point, NULL));
    must(ed25519ph_point_read_pem(again, buf_slice(b), NULL) && !memcmp(point, again, sizeof point));
}

static void read_signature(struct slice text, struct buf *b) {
    uint8_t signature[ED25519PH_SIGNATURE], again[ED25519PH_SIGNATURE];
    if (!ed25519ph_signature_read_pem(signature, text, NULL)) return;
    must(ed25519ph_signature_write_pem(b, signature, NULL));
    must(ed25519ph_signature_read_pem(again, buf_slice(b), NULL) && !memcmp(signature, again, sizeof signature));
}

/* Seed, which bit is changed, length of the context, context, message. */
static void sign(struct slice in) {
    struct ed25519ph_key key;
    uint8_t signature[ED25519PH_SIGNATURE];
    if (in.len < ED25519PH_SEED + 3) return;
    ed25519ph_key_set(&key, in.ptr);
    size_t bit = (size_t)in.ptr[ED25519PH_SEED] << 8 | in.ptr[ED25519PH_SEED + 1], len = in.ptr[ED25519PH_SEED + 2];
    struct slice rest = slice_skip(in, ED25519PH_SEED + 3);
    struct slice context = slice_head(rest, len), message = slice_skip(rest, len);
    must(ed25519ph_point_ok(key.point) && ed25519ph_sign(&key, context, message, signature, NULL));
    must(ed25519ph_good(key.point, context, message, signature));
    must(!ed25519ph_good(key.point, message, context, signature) || slice_eq(context, message));
    uint8_t *at = bit & 512 ? key.point : signature;
    bit %= bit & 512 ? 8 * ED25519PH_POINT : 8 * ED25519PH_SIGNATURE;
    at[bit / 8] ^= (uint8_t)(1 << bit % 8);
    must(!ed25519ph_good(key.point, context, message, signature));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1 || size > 1 << 14) return 0;
    struct slice in = slice_of(data + 1, size - 1);
    struct buf b;
    buf_init(&b, 1000);
    switch (data[0] & 3) {
    case 0: read_key(in, &b); break;
    case 1: read_point(in, &b); break;
    case 2: read_signature(in, &b); break;
    default: sign(in);
    }
    buf_release(&b);
    return 0;
}
