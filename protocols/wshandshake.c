/* wshandshake.c - see wshandshake.h.
 *
 * Touches: BearSSL's SHA-1, base/ascii, base/num. No descriptor, clock, log, randomness. */
#include "protocols/wshandshake.h"

#include "base/ascii.h"
#include "base/hex.h"
#include "base/num.h"
#include "protocols/http_chars.h"
#include "protocols/http_field.h"

#include <bearssl.h>

/* --- keys --- */

void wshandshake_accept(struct slice key, uint8_t out[WSHANDSHAKE_ACCEPT_LEN]) {
    struct slice guid = LIT("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    uint8_t sum[br_sha1_SIZE];
    br_sha1_context sha;
    br_sha1_init(&sha);
    br_sha1_update(&sha, key.ptr, key.len);
    br_sha1_update(&sha, guid.ptr, guid.len);
    br_sha1_out(&sha, sum);
    base64_put(out, BASE64_STD, slice_of(sum, sizeof sum));
}

void wshandshake_key(const uint8_t nonce[16], uint8_t out[WSHANDSHAKE_KEY_LEN]) {
    base64_put(out, BASE64_STD, slice_of(nonce, 16));
}

/* 22 letters and "==": that is 16 bytes. The four bits left over in the last letter may be anything, since
 * some clients roll letters instead of bytes. */
static bool is_key(struct slice key) {
    if (key.len != WSHANDSHAKE_KEY_LEN || !slice_ends(key, LIT("=="))) return false;
    for (size_t i = 0; i < WSHANDSHAKE_KEY_LEN - 2; i++)
        if (!ascii_is_alnum(key.ptr[i]) && key.ptr[i] != '+' && key.ptr[i] != '/') return false;
    return true;
}

/* --- lists of tokens --- */

/* A reader of one header's value. */
struct words {
    struct slice left;
    size_t len; /* of the whole */
};

static size_t place_of(const struct words *w) {
    return w->len - w->left.len;
}

static void skip_blanks(struct words *w) {
    while (w->left.len && ascii_is_blank(*w->left.ptr)) w->left = slice_skip(w->left, 1);
}

static bool take_char(struct words *w, uint8_t c) {
    skip_blanks(w);
    if (!w->left.len || *w->left.ptr != c) return false;
    w->left = slice_skip(w->left, 1);
    return true;
}

/* Empty when there is no token here. */
static struct slice take_token(struct words *w) {
    skip_blanks(w);
    size_t n = http_run(w->left, HTTP_TOKEN);
    struct slice token = slice_head(w->left, n);
    w->left = slice_skip(w->left, n);
    return token;
}

static bool refuse_at(const struct words *w, const char *header, const char *wanted, struct err *e) {
    err_at(e, ERR_SYNTAX, place_of(w), "%s: want %s, found %s", header, wanted,
           w->left.len ? "another character" : "the end of the value");
    return err_status(e, 400);
}

/* The next token of a comma list, which may have empty places. False at its end (token empty) and on bad text
 * (*bad). */
static bool next_token(struct words *w, struct slice *token, bool *bad) {
    *bad = false;
    while (take_char(w, ',')) {
    }
    *token = take_token(w);
    if (!token->len) {
        *bad = w->left.len > 0;
        return false;
    }
    skip_blanks(w);
    *bad = w->left.len > 0 && *w->left.ptr != ',';
    return !*bad;
}

/* --- the server's side --- */

static bool refuse_request(struct err *e, int status, const char *why) {
    err_set(e, ERR_SYNTAX, "%s", why);
    return err_status(e, status);
}

bool wshandshake_check_request(const struct wshandshake_request *r, struct err *e) {
    if (!slice_eq(r->method, LIT("GET")))
        return refuse_request(e, 405, "want the method GET to open a WebSocket, found another one");
    if (!http_list_has(http_list_in(r->upgrade), LIT("websocket")))
        return refuse_request(e, 400, "want \"Upgrade: websocket\", found none");
    if (!http_list_has(http_list_in(r->connection), LIT("upgrade")))
        return refuse_request(e, 400, "want \"Connection: Upgrade\", found none");
    if (!slice_eq(slice_trim(r->version), LIT(WSHANDSHAKE_VERSION)))
        return refuse_request(e, 426, "want \"Sec-WebSocket-Version: 13\", found another version or none");
    if (!is_key(slice_trim(r->key)))
        return refuse_request(e, 400, "want a Sec-WebSocket-Key of 16 bytes in base64, found something else or none");
    return true;
}

static bool is_listed(struct slice list, struct slice token) {
    struct words w = {list, list.len};
    struct slice other;
    bool bad;
    while (next_token(&w, &other, &bad))
        if (slice_eq(other, token)) return true;
    return false;
}

#define PROTOCOLS_MAX 64 /* offered subprotocols: comparing each with each stays cheap */

bool wshandshake_choose_protocol(struct slice offer, const struct slice *ours, size_t n, struct slice *chosen,
                                 struct err *e) {
    struct words w = {offer, offer.len};
    struct slice seen[PROTOCOLS_MAX], token;
    size_t seen_n = 0;
    bool bad;
    *chosen = slice_of(NULL, 0);
    if (!offer.ptr) return true;
    while (next_token(&w, &token, &bad)) {
        for (size_t i = 0; i < seen_n; i++) {
            if (!slice_eq(seen[i], token)) continue;
            err_at(e, ERR_SYNTAX, (size_t)(token.ptr - offer.ptr),
                   "Sec-WebSocket-Protocol: want each subprotocol once, found one twice");
            return err_status(e, 400);
        }
        if (seen_n == PROTOCOLS_MAX) {
            err_limit(e, "subprotocols", PROTOCOLS_MAX, (size_t)(token.ptr - offer.ptr));
            return err_status(e, 400);
        }
        seen[seen_n++] = token;
        for (size_t i = 0; i < n && !chosen->len; i++)
            if (slice_eq(ours[i], token)) *chosen = token;
    }
    if (!bad && seen_n) return true;
    *chosen = slice_of(NULL, 0);
    return refuse_at(&w, "Sec-WebSocket-Protocol", "a list of subprotocols", e);
}

/* --- permessage-deflate --- */

enum param { SERVER_NO_CONTEXT, CLIENT_NO_CONTEXT, SERVER_BITS, CLIENT_BITS, PARAM_N };
static const struct slice param_names[PARAM_N] = {
    LIT_INIT("server_no_context_takeover"),
    LIT_INIT("client_no_context_takeover"),
    LIT_INIT("server_max_window_bits"),
    LIT_INIT("client_max_window_bits"),
};

/* One extension of the list, as far as it concerns us. */
struct extension {
    bool ours; /* it is permessage-deflate */
    bool bad;  /* a parameter is unknown, doubled, or has a wrong value */
    bool has[PARAM_N];
    uint8_t bits[PARAM_N]; /* 0: no value */
};

/* The value of a parameter, which is a token, quoted or not; quoting may hide it behind backslashes. Only
 * values of one or two characters can mean anything here, so only those are kept. */
static bool read_value(struct words *w, uint8_t two[2], size_t *len) {
    *len = 0;
    skip_blanks(w);
    if (!take_char(w, '"')) {
        struct slice token = take_token(w);
        *len = token.len;
        for (size_t i = 0; i < token.len && i < 2; i++) two[i] = token.ptr[i];
        return token.len > 0;
    }
    while (w->left.len && *w->left.ptr != '"') {
        if (*w->left.ptr == '\\') w->left = slice_skip(w->left, 1);
        if (!w->left.len || !http_is(*w->left.ptr, HTTP_TOKEN)) return false;
        if (*len < 2) two[*len] = *w->left.ptr;
        ++*len;
        w->left = slice_skip(w->left, 1);
    }
    return *len > 0 && take_char(w, '"');
}

static uint8_t bits_of(const uint8_t two[2], size_t len) {
    uint64_t n;
    if (len == 0 || len > 2 || two[0] == '0') return 0;
    if (!num_read_u64(slice_of(two, len), WSDEFLATE_BITS_MIN, WSDEFLATE_BITS_MAX, &n)) return 0;
    return (uint8_t)n;
}

static void note_param(struct extension *x, struct slice name, bool valued, const uint8_t two[2], size_t len) {
    unsigned p = 0;
    while (p < PARAM_N && !slice_eq(name, param_names[p])) p++;
    if (p == PARAM_N || x->has[p]) {
        x->bad = true;
        return;
    }
    x->has[p] = true;
    if (valued) x->bits[p] = bits_of(two, len);
    bool flag = p == SERVER_NO_CONTEXT || p == CLIENT_NO_CONTEXT;
    if (flag ? valued : valued && !x->bits[p]) x->bad = true;
}

/* The next extension of the list. False at its end, and on bad text (*bad; *e is filled). */
static bool next_extension(struct words *w, struct extension *x, bool *bad, struct err *e) {
    *x = (struct extension){0};
    *bad = false;
    while (take_char(w, ',')) {
    }
    skip_blanks(w);
    if (!w->left.len) return false;
    *bad = true;
    struct slice name = take_token(w);
    if (!name.len) return refuse_at(w, "Sec-WebSocket-Extensions", "the name of an extension", e);
    x->ours = slice_eq(name, LIT("permessage-deflate"));
    while (take_char(w, ';')) {
        uint8_t two[2] = {0, 0};
        size_t len = 0;
        struct slice param = take_token(w);
        if (!param.len) return refuse_at(w, "Sec-WebSocket-Extensions", "the name of a parameter", e);
        bool valued = take_char(w, '=');
        if (valued && !read_value(w, two, &len))
            return refuse_at(w, "Sec-WebSocket-Extensions", "a value that is a token", e);
        if (x->ours) note_param(x, param, valued, two, len);
    }
    skip_blanks(w);
    if (w->left.len && *w->left.ptr != ',') return refuse_at(w, "Sec-WebSocket-Extensions", "\",\" or \";\"", e);
    *bad = false;
    return true;
}

static uint8_t smaller(uint8_t a, uint8_t b) {
    return a < b ? a : b;
}

static bool say_full(const struct buf *out, struct err *e) {
    if (buf_ok(out)) return true;
    if (out->fault == BUF_OVER) return err_limit(e, "output", out->max, ERR_NOWHERE);
    return err_nomem(e, "the WebSocket handshake");
}

static void add_param(struct buf *out, enum param p, unsigned bits) {
    buf_add(out, LIT("; "));
    buf_add(out, param_names[p]);
    if (!bits) return;
    buf_byte(out, '=');
    buf_u64(out, bits);
}

/* The answer to an offer that we accept. RFC 7692 7.1: what the client asks of the server must be done and
 * said; the client may always be told to keep no context; its window may only be limited when it said that it
 * knows the parameter. */
static void agree(const struct extension *x, const struct wsdeflate_params *ours, struct buf *out,
                  struct wsdeflate_params *agreed) {
    uint8_t server_asked = x->has[SERVER_BITS] ? x->bits[SERVER_BITS] : WSDEFLATE_BITS_MAX;
    uint8_t client_told = x->bits[CLIENT_BITS] ? x->bits[CLIENT_BITS] : WSDEFLATE_BITS_MAX;
    agreed->server_no_context = x->has[SERVER_NO_CONTEXT] || ours->server_no_context;
    agreed->client_no_context = x->has[CLIENT_NO_CONTEXT] || ours->client_no_context;
    agreed->server_bits = smaller(server_asked, ours->server_bits);
    agreed->client_bits = x->has[CLIENT_BITS] ? smaller(client_told, ours->client_bits) : WSDEFLATE_BITS_MAX;
    buf_add(out, LIT("permessage-deflate"));
    if (agreed->server_no_context) add_param(out, SERVER_NO_CONTEXT, 0);
    if (agreed->client_no_context) add_param(out, CLIENT_NO_CONTEXT, 0);
    if (x->has[SERVER_BITS] || agreed->server_bits < WSDEFLATE_BITS_MAX)
        add_param(out, SERVER_BITS, agreed->server_bits);
    if (agreed->client_bits < WSDEFLATE_BITS_MAX) add_param(out, CLIENT_BITS, agreed->client_bits);
}

bool wshandshake_choose_deflate(struct slice offers, const struct wsdeflate_params *ours, struct buf *answer,
                                bool *found, struct wsdeflate_params *agreed, struct err *e) {
    struct words w = {offers, offers.len};
    struct extension x, first = {0};
    bool bad, any = false;
    *found = false;
    if (!offers.ptr) return true;
    /* All of the header is read even when the first offer will do: a broken header fails the handshake. */
    while (next_extension(&w, &x, &bad, e)) {
        any = true;
        if (first.ours || !x.ours || x.bad || (x.has[SERVER_BITS] && !x.bits[SERVER_BITS])) continue;
        first = x;
    }
    if (bad) return false;
    if (!any) return refuse_at(&w, "Sec-WebSocket-Extensions", "an extension", e);
    if (!first.ours) return true;
    size_t mark = buf_mark(answer);
    agree(&first, ours, answer, agreed);
    if (!buf_ok(answer)) {
        answer->len = mark;
        return say_full(answer, e);
    }
    *found = true;
    return true;
}

/* --- the client's side --- */

bool wshandshake_write_offer(struct buf *out, const struct wsdeflate_params *ours, struct err *e) {
    size_t mark = buf_mark(out);
    buf_add(out, LIT("permessage-deflate"));
    if (ours->server_no_context) add_param(out, SERVER_NO_CONTEXT, 0);
    if (ours->client_no_context) add_param(out, CLIENT_NO_CONTEXT, 0);
    if (ours->server_bits < WSDEFLATE_BITS_MAX) add_param(out, SERVER_BITS, ours->server_bits);
    add_param(out, CLIENT_BITS, ours->client_bits < WSDEFLATE_BITS_MAX ? ours->client_bits : 0);
    if (!buf_ok(out)) out->len = mark;
    return say_full(out, e);
}

static bool refuse_answer(struct err *e, const char *why) {
    err_set(e, ERR_SYNTAX, "the server's answer: %s", why);
    return err_status(e, 502);
}

/* What the server says it will do must be something that was offered. */
static bool check_extensions(struct slice said, const struct wsdeflate_params *ours, bool *found,
                             struct wsdeflate_params *agreed, struct err *e) {
    struct words w = {said, said.len};
    struct extension x;
    bool bad;
    *found = false;
    while (next_extension(&w, &x, &bad, e)) {
        if (!ours || !x.ours) return refuse_answer(e, "want only extensions that were offered, found another one");
        if (*found) return refuse_answer(e, "want permessage-deflate once, found it twice");
        if (x.bad || (x.has[SERVER_BITS] && !x.bits[SERVER_BITS]) || (x.has[CLIENT_BITS] && !x.bits[CLIENT_BITS]))
            return refuse_answer(e, "want known parameters of permessage-deflate with good values, found others");
        if (ours->server_no_context && !x.has[SERVER_NO_CONTEXT])
            return refuse_answer(e, "want server_no_context_takeover as asked for, found none");
        uint8_t server_bits = x.has[SERVER_BITS] ? x.bits[SERVER_BITS] : WSDEFLATE_BITS_MAX;
        uint8_t client_bits = x.has[CLIENT_BITS] ? x.bits[CLIENT_BITS] : WSDEFLATE_BITS_MAX;
        if (server_bits > ours->server_bits)
            return refuse_answer(e, "want server_max_window_bits no larger than asked for, found more");
        if (x.has[CLIENT_BITS] && client_bits > ours->client_bits)
            return refuse_answer(e, "want client_max_window_bits no larger than offered, found more");
        *agreed = (struct wsdeflate_params){.server_bits = server_bits,
                                            .client_bits = smaller(client_bits, ours->client_bits),
                                            .server_no_context = x.has[SERVER_NO_CONTEXT],
                                            .client_no_context = x.has[CLIENT_NO_CONTEXT] || ours->client_no_context};
        *found = true;
    }
    if (bad) err_status(e, 502);
    return !bad;
}

bool wshandshake_check_answer(const struct wshandshake_answer *a, struct slice key, struct slice protocols,
                              const struct wsdeflate_params *ours, bool *found, struct wsdeflate_params *agreed,
                              struct err *e) {
    uint8_t accept[WSHANDSHAKE_ACCEPT_LEN];
    *found = false;
    if (a->status != 101) {
        err_set(e, ERR_NETWORK, "the server's answer: want status 101, found %u", a->status);
        return err_status(e, 502);
    }
    if (!slice_eq_nocase(slice_trim(a->upgrade), LIT("websocket")))
        return refuse_answer(e, "want \"Upgrade: websocket\", found something else or none");
    if (!http_list_has(http_list_in(a->connection), LIT("upgrade")))
        return refuse_answer(e, "want \"Connection: Upgrade\", found something else or none");
    wshandshake_accept(key, accept);
    if (!slice_eq(slice_trim(a->accept), slice_of(accept, sizeof accept)))
        return refuse_answer(e, "want the Sec-WebSocket-Accept that belongs to our key, found another or none");
    if (a->protocol.ptr && !is_listed(protocols, slice_trim(a->protocol)))
        return refuse_answer(e, "want one of the subprotocols that were offered, found another");
    if (!a->extensions.ptr) return true;
    return check_extensions(a->extensions, ours, found, agreed, e);
}
