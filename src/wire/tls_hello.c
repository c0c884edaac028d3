/* tls_hello.c - a ClientHello, gathered and judged before BearSSL sees any of it.
 *
 * For: three things BearSSL 0.6 cannot give. It allocates nothing for a peer that has not spoken; it knows the host name before a
 *      session is looked up, so a session made under one name is not resumed under another (RFC 6066 3); and it refuses
 *      a hello that names only protocols we do not speak. The last is a matter of life: such a hello that also resumes a
 *      session makes br_ssl_hs_server_run read its list of names at index 65534 and crash (tests/wire/tls_attack has the case).
 * Owns: the message, taken out of its records, until it is handed on in one record of our own making; the name points into it.
 * Never: is more lenient than BearSSL: what is read here must mean the same there. Extensions that count may come once.
 * Tried: tests/wire/tls_attack, fuzz/tls. */
#include "base/limits.h"
#include "wire/tls_room.h"

#include "base/ascii.h"
#include "base/cur.h"
#include "base/num.h"

#define HEADER     5 /* of a record */
#define TYPE_SHAKE 22
#define RECORD_MAX 16384

static enum tls_hello_step refuse(struct tls_hello *h, enum tls_alert alert, const char *why) {
    h->alert = alert;
    h->why = why;
    return TLS_HELLO_BAD;
}

uint8_t *tls_hello_room(struct tls_hello *h, size_t *len, bool *payload) {
    *payload = h->left != 0;
    *len = h->left ? h->left : (size_t)(HEADER - h->head_n);
    if (!h->left) return h->head + h->head_n;
    if (!h->message.max) buf_init(&h->message, LIMIT_TLS_HELLO);
    return buf_room(&h->message, h->left);
}

bool tls_is_name(struct slice s) {
    for (size_t i = 0; i < s.len; i++)
        if (!ascii_is_alnum(s.ptr[i]) && s.ptr[i] != '.' && s.ptr[i] != '-' && s.ptr[i] != '_') return false;
    return s.len >= 1 && s.len <= 253;
}

/* People point a browser, or a proxy, at the wrong port. */
static enum tls_hello_step judge_header(struct tls_hello *h) {
    static const char *const methods[] = {"GET ", "HEAD", "POST", "PUT ", "OPTI", "DELE", "CONN", "PATC", "PRI "};
    if (h->head[0] != TYPE_SHAKE) {
        for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
            if (!h->records && !memcmp(h->head, methods[i], 4))
                return refuse(h, TLS_ALERT_NONE, "the peer speaks plain HTTP where TLS is spoken");
        return refuse(h, TLS_ALERT_UNEXPECTED, "what the peer sent is not TLS");
    }
    size_t len = num_be16(h->head + 3);
    if (h->head[1] != 3) return refuse(h, TLS_ALERT_VERSION, "what the peer sent is not TLS");
    if (!len || len > RECORD_MAX)
        return refuse(h, TLS_ALERT_DECODE, "the peer sent a TLS record of a forbidden length");
    if (h->message.len + len > LIMIT_TLS_HELLO || ++h->records > LIMIT_TLS_HELLO_RECORDS)
        return refuse(h, TLS_ALERT_DECODE, "the peer's first message is too long");
    h->head_n = 0;
    h->left = len;
    return TLS_HELLO_MORE;
}

/* --- the message --- */

/* ServerNameList: one host name, and perhaps others of kinds that do not exist yet. */
static bool read_name(struct cur c, struct slice *name) {
    struct cur list = cur_sub(&c, cur_be16(&c));
    if (!cur_done(&c) || !cur_left(&list)) return false;
    while (cur_left(&list)) {
        bool host = cur_u8(&list) == 0;
        struct slice s = cur_bytes(&list, cur_be16(&list));
        if (list.bad) return false;
        if (!host) continue;
        if (name->len || !tls_is_name(s)) return false;
        *name = s;
    }
    return !list.bad;
}

/* Whether one of our protocols is named; false in *well when it cannot be read. */
static bool read_protocols(struct cur c, const char *const *protocols, bool *well) {
    bool found = false;
    struct cur list = cur_sub(&c, cur_be16(&c));
    *well = cur_done(&c) && cur_left(&list);
    while (*well && cur_left(&list)) {
        struct slice s = cur_bytes(&list, cur_u8(&list));
        if (list.bad || !s.len) *well = false;
        for (const char *const *p = protocols; *well && *p; p++)
            if (slice_eq(s, slice_str(*p))) found = true;
    }
    return found;
}

/* Whether TLS 1.2 is among the versions of a client that also knows 1.3. */
static bool read_versions(struct cur c, bool *well) {
    bool found = false;
    struct cur list = cur_sub(&c, cur_u8(&c));
    *well = cur_done(&c) && cur_left(&list) && cur_left(&list) % 2 == 0;
    while (*well && cur_left(&list)) found = cur_be16(&list) == BR_TLS12 || found;
    return found;
}

enum { EXT_NAME = 0, EXT_FRAGMENT = 1, EXT_GROUPS = 10, EXT_SIGNATURES = 13, EXT_PROTOCOLS = 16, EXT_VERSIONS = 43 };

/* The bit of an extension that may come once; 0: one that BearSSL does not look at either. */
static unsigned bit_of(unsigned type) {
    switch (type) {
    case EXT_NAME: return 1;
    case EXT_FRAGMENT: return 2;
    case EXT_GROUPS: return 4;
    case EXT_SIGNATURES: return 8;
    case EXT_PROTOCOLS: return 16;
    case EXT_VERSIONS: return 32;
    case 0xff01: return 64; /* renegotiation_info */
    default: return 0;
    }
}

static enum tls_hello_step judge_extensions(struct tls_hello *h, struct cur c, const char *const *protocols) {
    unsigned seen = 0;
    bool well = true;
    struct cur all = cur_sub(&c, cur_be16(&c));
    if (!cur_done(&c)) return refuse(h, TLS_ALERT_DECODE, "the peer's handshake cannot be read");
    while (well && cur_left(&all)) {
        unsigned type = cur_be16(&all);
        struct cur body = cur_sub(&all, cur_be16(&all));
        if (all.bad || seen & bit_of(type)) return refuse(h, TLS_ALERT_DECODE, "the peer's handshake cannot be read");
        seen |= bit_of(type);
        if (type == EXT_NAME && !(well = read_name(body, &h->name)))
            return refuse(h, TLS_ALERT_ILLEGAL, "the host name the peer asks for is none");
        if (type == EXT_PROTOCOLS && !read_protocols(body, protocols, &well) && well)
            return refuse(h, TLS_ALERT_NO_PROTOCOL, "the peer names only protocols that are not spoken here");
        if (type == EXT_VERSIONS && !read_versions(body, &well) && well)
            return refuse(h, TLS_ALERT_VERSION, "the peer does not speak TLS 1.2");
    }
    return well ? TLS_HELLO_WHOLE : refuse(h, TLS_ALERT_DECODE, "the peer's handshake cannot be read");
}

static enum tls_hello_step judge_message(struct tls_hello *h, struct slice message, const char *const *protocols) {
    struct cur c = cur_of(slice_skip(message, 4));
    unsigned version = cur_be16(&c);
    cur_bytes(&c, 32);           /* random */
    cur_bytes(&c, cur_u8(&c));   /* session id */
    cur_bytes(&c, cur_be16(&c)); /* cipher suites */
    cur_bytes(&c, cur_u8(&c));   /* compression */
    if (c.bad) return refuse(h, TLS_ALERT_DECODE, "the peer's handshake cannot be read");
    if (version < BR_TLS12) return refuse(h, TLS_ALERT_VERSION, "the peer does not speak TLS 1.2");
    return cur_left(&c) ? judge_extensions(h, c, protocols) : TLS_HELLO_WHOLE;
}

/* A record of the message came: whole, it is judged. */
static enum tls_hello_step judge(struct tls_hello *h, const char *const *protocols) {
    struct slice m = buf_slice(&h->message);
    if (m.ptr[0] != 1) return refuse(h, TLS_ALERT_UNEXPECTED, "the peer sent a TLS message out of turn");
    if (m.len < 4) return TLS_HELLO_MORE;
    size_t len = 4 + ((size_t)m.ptr[1] << 16 | (size_t)num_be16(m.ptr + 2));
    if (len > LIMIT_TLS_HELLO) return refuse(h, TLS_ALERT_DECODE, "the peer's first message is too long");
    if (m.len > len) /* nothing may follow before our answer */
        return refuse(h, TLS_ALERT_UNEXPECTED, "the peer sent a TLS message out of turn");
    return m.len == len ? judge_message(h, m, protocols) : TLS_HELLO_MORE;
}

enum tls_hello_step tls_hello_came(struct tls_hello *h, size_t n, const char *const *protocols) {
    if (!h->left) {
        h->head_n = (uint8_t)(h->head_n + n);
        return h->head_n < HEADER ? TLS_HELLO_MORE : judge_header(h);
    }
    buf_wrote(&h->message, n);
    h->left -= n;
    return h->left ? TLS_HELLO_MORE : judge(h, protocols);
}

void tls_hello_record(const struct tls_hello *h, uint8_t header[5]) {
    memcpy(header, (const uint8_t[]){TYPE_SHAKE, 3, 1, (uint8_t)(h->message.len >> 8), (uint8_t)h->message.len},
           HEADER);
}
