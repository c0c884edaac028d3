/* authsig.c - see authsig.h. */
#include "protocols/authsig.h"

#include "base/hex.h"
#include "base/num.h"
#include "protocols/form.h"

#define WRITTEN 1024 /* bytes of a value of ours: some 600 */

/* --- what is signed --- */

static void put_message(const struct authsig *s, uint8_t message[AUTHSIG_MESSAGE]) {
    num_put_be64(message, (uint64_t)s->timestamp);
    num_put_be64(message + 8, s->nonce);
    num_put_be64(message + 16, s->size);
    memcpy(message + 24, s->blake3, BLAKE3_SUM);
}

void authsig_cover(struct authsig *s, struct slice body) {
    s->size = body.len;
    blake3_sum(body, s->blake3);
}

bool authsig_sign(struct authsig *s, const struct ed25519ph_key *key, struct slice context, struct err *e) {
    uint8_t message[AUTHSIG_MESSAGE];
    put_message(s, message);
    if (!ed25519ph_sign(key, context, slice_of(message, sizeof message), s->signature, e)) return false;
    memcpy(s->signer, key->point, sizeof s->signer);
    return true;
}

bool authsig_good(const struct authsig *s, struct slice context) {
    uint8_t message[AUTHSIG_MESSAGE];
    put_message(s, message);
    return ed25519ph_good(s->signer, context, slice_of(message, sizeof message), s->signature);
}

bool authsig_sum(const struct authsig *s, uint64_t size, const uint8_t sum[BLAKE3_SUM]) {
    return s->size == size && memcmp(s->blake3, sum, BLAKE3_SUM) == 0;
}

bool authsig_body(const struct authsig *s, struct slice body) {
    uint8_t sum[BLAKE3_SUM];
    if (s->size != body.len) return false;
    blake3_sum(body, sum);
    return authsig_sum(s, body.len, sum);
}

/* --- reading --- */

static bool read_u64(struct slice text, uint64_t *out, struct err *e) {
    return num_read_u64(text, 0, UINT64_MAX, out) || err_set(e, ERR_SYNTAX, "want a decimal number of 64 bits");
}

static bool read_timestamp(struct slice text, struct authsig *s, struct err *e) {
    const uint64_t lowest = (uint64_t)INT64_MAX + 1; /* without its sign */
    bool minus = slice_starts(text, LIT("-"));
    uint64_t n;
    if (!num_read_u64(slice_skip(text, minus), 0, minus ? lowest : lowest - 1, &n))
        return err_set(e, ERR_SYNTAX, "want seconds as a decimal number of 64 bits");
    s->timestamp = !minus ? (int64_t)n : n == lowest ? INT64_MIN : -(int64_t)n;
    return true;
}
static bool read_nonce(struct slice text, struct authsig *s, struct err *e) {
    return read_u64(text, &s->nonce, e);
}
static bool read_size(struct slice text, struct authsig *s, struct err *e) {
    return read_u64(text, &s->size, e);
}
static bool read_blake3(struct slice text, struct authsig *s, struct err *e) {
    struct buf b;
    buf_init(&b, BLAKE3_SUM);
    bool good = base64_read(&b, BASE64_STD, text) && b.len == BLAKE3_SUM;
    if (good) memcpy(s->blake3, b.ptr, BLAKE3_SUM);
    bool nomem = b.fault == BUF_NOMEM;
    buf_release(&b);
    return good || (nomem ? err_nomem(e, "a hash") : err_set(e, ERR_SYNTAX, "want 32 bytes as base64 with padding"));
}
static bool read_signer(struct slice text, struct authsig *s, struct err *e) {
    return ed25519ph_point_read_pem(s->signer, text, e);
}
static bool read_signature(struct slice text, struct authsig *s, struct err *e) {
    return ed25519ph_signature_read_pem(s->signature, text, e);
}

static const struct field {
    const char *name;
    bool (*read)(struct slice text, struct authsig *s, struct err *e);
} fields[] = {
    {"timestamp", read_timestamp}, {"nonce", read_nonce},   {"size", read_size},
    {"blake3", read_blake3},       {"signer", read_signer}, {"signature", read_signature},
};
#define FIELD_N (sizeof fields / sizeof fields[0])

/* Which names have come is a bit each in *seen. */
static bool take_pair(const struct form_pair *pair, struct authsig *s, unsigned *seen, struct err *e) {
    for (size_t i = 0; i < FIELD_N; i++) {
        if (!slice_eq(pair->name, slice_str(fields[i].name))) continue;
        if (*seen & 1u << i) return err_set(e, ERR_SYNTAX, "%s stands there twice", fields[i].name);
        *seen |= 1u << i;
        if (fields[i].read(pair->value, s, e)) return true;
        err_context(e, "%s", fields[i].name);
        return false;
    }
    return true;
}

static bool read_form(struct slice value, const struct authsig_limits *limits, struct authsig *s, struct err *e) {
    const struct form_limits pairs = {.pairs = limits->pairs, .bytes = limits->bytes};
    struct form f;
    struct form_pair pair;
    struct buf scratch;
    unsigned seen = 0;
    enum step step;
    if (value.len > limits->bytes) return err_limit(e, "bytes", limits->bytes, limits->bytes);
    form_init(&f, value, &pairs);
    buf_init(&scratch, 3 * limits->bytes); /* a byte that is no UTF-8 becomes three */
    while ((step = form_next(&f, &scratch, &pair, e)) == STEP_EVENT)
        if (!take_pair(&pair, s, &seen, e)) {
            step = STEP_BAD;
            break;
        }
    buf_release(&scratch);
    if (step == STEP_BAD) return false;
    for (size_t i = 0; i < FIELD_N; i++)
        if (!(seen & 1u << i)) return err_set(e, ERR_SYNTAX, "%s is missing", fields[i].name);
    return s->size <= limits->size || err_limit(e, "size", limits->size, ERR_NOWHERE);
}

bool authsig_read(struct slice value, const struct authsig_limits *limits, struct authsig *out, struct err *e) {
    struct authsig s = {0};
    if (!read_form(value, limits, &s, e)) {
        err_context(e, AUTHSIG_HEADER);
        return false;
    }
    *out = s;
    return true;
}

/* --- writing --- */

static bool add_number(struct buf *out, bool first, const char *name, bool minus, uint64_t n, struct err *e) {
    uint8_t text[1 + NUM_U64_MAX] = {'-'};
    size_t len = minus + num_write_u64(text + minus, n);
    return form_write(out, first, slice_str(name), slice_of(text, len), e);
}

static bool add_numbers(struct buf *out, const struct authsig *s, struct err *e) {
    uint8_t text[BASE64_LEN(BLAKE3_SUM)];
    bool minus = s->timestamp < 0;
    size_t len = base64_put(text, BASE64_STD, slice_of(s->blake3, BLAKE3_SUM));
    return add_number(out, true, "timestamp", minus, minus ? 0 - (uint64_t)s->timestamp : (uint64_t)s->timestamp, e) &&
           add_number(out, false, "nonce", false, s->nonce, e) && add_number(out, false, "size", false, s->size, e) &&
           form_write(out, false, LIT("blake3"), slice_of(text, len), e);
}

static bool add_pems(struct buf *out, const struct authsig *s, struct err *e) {
    struct buf pem;
    buf_init(&pem, WRITTEN);
    bool good =
        ed25519ph_point_write_pem(&pem, s->signer, e) && form_write(out, false, LIT("signer"), buf_slice(&pem), e);
    buf_reset(&pem);
    good = good && ed25519ph_signature_write_pem(&pem, s->signature, e) &&
           form_write(out, false, LIT("signature"), buf_slice(&pem), e);
    buf_release(&pem);
    return good;
}

bool authsig_write(struct buf *out, const struct authsig *s, struct err *e) {
    struct buf text;
    if (!buf_ok(out)) return err_nomem(e, AUTHSIG_HEADER);
    size_t mark = buf_mark(out);
    buf_init(&text, WRITTEN);
    bool good = add_numbers(&text, s, e) && add_pems(&text, s, e);
    if (good && !buf_add(out, buf_slice(&text))) {
        good = out->fault == BUF_OVER ? err_limit(e, "output", out->max, ERR_NOWHERE) : err_nomem(e, AUTHSIG_HEADER);
        buf_rewind(out, mark);
    }
    buf_release(&text);
    return good;
}
