/* websocket.c - see websocket.h.
 *
 *            head whole, data           payload whole
 *   HEAD ------------------------> DATA ----------------> HEAD
 *     |  head whole, control                               ^
 *     +--------------------------> CONTROL ----------------+
 *                                     | it was a close
 *                                     v
 *   any ----> BAD                  CLOSED
 *
 * A text that ends inside a character goes DATA -> CUT: its last bytes are given out first, because in
 * other cuts of the input they would have been, and the next call refuses.
 *
 * Touches: base/slice, base/buf, base/err, base/num, base/utf8. No descriptor, clock, log, memory.
 * Never: keeps a pointer into the caller's bytes after websocket_feed returns. */
#include "protocols/websocket.h"

#include "base/must.h"
#include "base/num.h"

enum state { HEAD, DATA, CONTROL, CUT, CLOSED, BAD };

static bool is_control(unsigned op) {
    return op & 8;
}

const char *websocket_op_name(enum websocket_op op) {
    switch (op) {
#define X(op, wire, name)                                                                                              \
    case op: return name;
        WEBSOCKET_OPS(X)
#undef X
    }
    return "reserved";
}

bool websocket_op_from(unsigned wire, enum websocket_op *op) {
    switch (wire) {
#define X(op, wire, name) case (wire):
        WEBSOCKET_OPS(X)
#undef X
        *op = (enum websocket_op)wire;
        return true;
    default: return false;
    }
}

const char *websocket_code_name(unsigned code) {
    switch (code) {
    case WEBSOCKET_CLOSE_NONE: return "none";
#define X(code, wire, name)                                                                                            \
    case code: return name;
        WEBSOCKET_CODES(X)
#undef X
    default: break;
    }
    if (code >= 3000 && code <= 3999) return "registered";
    if (code >= 4000 && code <= 4999) return "private";
    return "reserved";
}

bool websocket_code_from(unsigned wire, uint16_t *code) {
    switch (wire) {
#define X(code, wire, name) case (wire):
        WEBSOCKET_CODES(X)
#undef X
        break;
    default:
        if (wire < 3000 || wire > 4999) return false;
    }
    if (code) *code = (uint16_t)wire;
    return true;
}

/* --- masking --- */

void websocket_mask(uint8_t *to, const uint8_t *from, size_t n, const uint8_t *mask, size_t phase) {
    uint8_t turned[8];
    for (size_t i = 0; i < 8; i++) turned[i] = mask[(phase + i) & 3];
    uint64_t m;
    memcpy(&m, turned, 8);
    while (n >= 32) {
        uint64_t w[4];
        memcpy(w, from, 32);
        w[0] ^= m;
        w[1] ^= m;
        w[2] ^= m;
        w[3] ^= m;
        memcpy(to, w, 32);
        to += 32;
        from += 32;
        n -= 32;
    }
    while (n >= 8) {
        uint64_t w;
        memcpy(&w, from, 8);
        w ^= m;
        memcpy(to, &w, 8);
        to += 8;
        from += 8;
        n -= 8;
    }
    for (size_t i = 0; i < n; i++) to[i] = from[i] ^ turned[i];
}

/* Takes the mask off into `to` and turns the mask on. */
static void unmask(struct websocket *w, uint8_t *to, const uint8_t *from, size_t n) {
    websocket_mask(to, from, n, w->mask, 0);
    uint8_t turned[4];
    for (size_t i = 0; i < 4; i++) turned[i] = w->mask[(n + i) & 3];
    memcpy(w->mask, turned, 4);
}

/* --- reading --- */

void websocket_init(struct websocket *w, enum websocket_role role, const struct websocket_limits *limits, bool deflate,
                    uint8_t *scratch, size_t scratch_len) {
    must(role == WEBSOCKET_CLIENT || scratch_len > 0);
    *w = (struct websocket){.role = (uint8_t)role,
                            .deflate = deflate,
                            .state = HEAD,
                            .head_want = 2,
                            .limits = *limits,
                            .scratch_lent = scratch,
                            .scratch_len = scratch_len};
}

void websocket_forgive(struct websocket *w) {
    w->controls = 0;
}

void websocket_refuse(struct websocket *w, unsigned code) {
    w->state = BAD;
    w->close_code = (uint16_t)code;
}

bool websocket_eof(const struct websocket *w) {
    return w->state == CLOSED || (w->state == HEAD && w->head_len == 0 && !w->in_message);
}

/* Every refusal but that of a limit. */
static bool refuse(struct websocket *w, struct err *e, unsigned code, uint64_t at, const char *why) {
    websocket_refuse(w, code);
    return err_at(e, code == WEBSOCKET_CLOSE_DATA ? ERR_UTF8 : ERR_SYNTAX, (size_t)at, "%s", why);
}

static bool refuse_limit(struct websocket *w, struct err *e, unsigned code, const char *limit, uint64_t allowed) {
    websocket_refuse(w, code);
    return err_limit(e, limit, allowed, (size_t)w->frame_at);
}

static bool check_first_byte(struct websocket *w, struct err *e) {
    unsigned first = w->head[0], op = first & 15;
    enum websocket_op known;
    const char *why = NULL;
    if (first & 0x30)
        why = "want the reserved bits RSV2 and RSV3 to be 0, found one set";
    else if (first & WEBSOCKET_RSV1 && !w->deflate)
        why = "want the reserved bit RSV1 to be 0 as no compression was agreed on, found it set";
    else if (!websocket_op_from(op, &known))
        why = "want a known opcode (0, 1, 2, 8, 9, 10), found a reserved one";
    else if (is_control(op) && !(first & WEBSOCKET_FIN))
        why = "want a control frame whole, found a fragment of one";
    else if (is_control(op) && first & WEBSOCKET_RSV1)
        why = "want a control frame without the compression bit RSV1, found it set";
    else if (op == WEBSOCKET_OP_CONTINUATION && first & WEBSOCKET_RSV1)
        why = "want the compression bit RSV1 on the first frame of a message only, found it on a continuation";
    else if (op == WEBSOCKET_OP_CONTINUATION && !w->in_message)
        why = "want the first frame of a message, found a continuation of none";
    else if ((op == WEBSOCKET_OP_TEXT || op == WEBSOCKET_OP_BINARY) && w->in_message)
        why = "want a continuation of the message begun, found a new message";
    if (why) return refuse(w, e, WEBSOCKET_CLOSE_PROTOCOL, w->frame_at, why);
    w->op = (uint8_t)op;
    w->final = first & WEBSOCKET_FIN ? 1 : 0;
    return true;
}

static bool check_second_byte(struct websocket *w, struct err *e) {
    unsigned len = w->head[1] & 0x7f;
    bool masked = w->head[1] & 0x80;
    const char *why = NULL;
    if (masked && w->role == WEBSOCKET_CLIENT)
        why = "want a frame from a server to be unmasked, found a mask";
    else if (!masked && w->role == WEBSOCKET_SERVER)
        why = "want a frame from a client to be masked, found no mask";
    else if (is_control(w->op) && len > WEBSOCKET_CONTROL_MAX)
        why = "want a control frame of at most 125 bytes, found a longer one";
    else if (w->op == WEBSOCKET_OP_CLOSE && len == 1)
        why = "want a close frame with no code or a code of 2 bytes, found 1 byte";
    if (why) return refuse(w, e, WEBSOCKET_CLOSE_PROTOCOL, w->frame_at + 1, why);
    w->head_want = len == 126 ? 4 : len == 127 ? 10 : 2;
    return true;
}

/* What a compressed message may need on the wire: fixed Huffman codes cost at most 9 bits for 8, and some
 * ends. */
static uint64_t wire_limit(const struct websocket *w) {
    uint64_t message = w->limits.message;
    if (!w->compressed) return message;
    uint64_t more = message / 8 + 64;
    return message > UINT64_MAX - more ? UINT64_MAX : message + more;
}

static bool check_length(struct websocket *w, struct err *e) {
    unsigned len = w->head[1] & 0x7f;
    w->left = len == 126 ? num_be16(w->head + 2) : len == 127 ? num_be64(w->head + 2) : len;
    const char *why = NULL;
    if ((len == 126 && w->left < 126) || (len == 127 && w->left < 65536))
        why = "want the length in its shortest form, found a longer one";
    if (why) return refuse(w, e, WEBSOCKET_CLOSE_PROTOCOL, w->frame_at + 2, why);
    if (is_control(w->op)) {
        if (w->controls >= w->limits.controls)
            return refuse_limit(w, e, WEBSOCKET_CLOSE_POLICY, "controls", w->limits.controls);
        w->controls++;
        w->control_len = 0;
        return true;
    }
    w->controls = 0;
    if (!w->in_message) {
        w->in_message = 1;
        w->started = 0;
        w->message_op = w->op;
        w->message_at = w->frame_at;
        w->message_len = 0;
        w->fragments = 0;
        w->compressed = w->head[0] & WEBSOCKET_RSV1 ? 1 : 0;
        utf8_init(&w->utf8);
    }
    if (w->left > w->limits.frame) return refuse_limit(w, e, WEBSOCKET_CLOSE_TOO_BIG, "frame", w->limits.frame);
    if (w->left > wire_limit(w) - w->message_len)
        return refuse_limit(w, e, WEBSOCKET_CLOSE_TOO_BIG, "message", w->limits.message);
    if (w->fragments >= w->limits.fragments)
        return refuse_limit(w, e, WEBSOCKET_CLOSE_POLICY, "fragments", w->limits.fragments);
    w->message_len += w->left;
    w->fragments++;
    return true;
}

/* Gathers the head in steps, so that each byte is judged when it comes: 2 bytes, the long length, the mask. */
static enum step read_head(struct websocket *w, struct slice in, size_t *used, struct err *e) {
    for (;;) {
        size_t n = (size_t)(w->head_want - w->head_len);
        if (n > in.len - *used) n = in.len - *used;
        if (n == 0) return STEP_MORE;
        bool first = w->head_len == 0;
        if (first) w->frame_at = w->at + *used;
        memcpy(w->head + w->head_len, in.ptr + *used, n);
        w->head_len = (uint8_t)(w->head_len + n);
        *used += n;
        if (first && !check_first_byte(w, e)) return STEP_BAD;
        /* The top bit of a long length is in its first byte; the rest of it is judged in check_length. */
        if (w->head_len > 2 && (w->head[1] & 0x7f) == 127 && w->head[2] & 0x80) {
            refuse(w, e, WEBSOCKET_CLOSE_PROTOCOL, w->frame_at + 2,
                   "want a 64-bit length below 2^63, found its top bit set");
            return STEP_BAD;
        }
        if (w->head_len < w->head_want) return STEP_MORE;
        if (w->head_want == 2) {
            if (!check_second_byte(w, e)) return STEP_BAD;
            if (w->head_want > 2) continue;
        }
        unsigned long_len = (w->head[1] & 0x7f) == 126 ? 2 : (w->head[1] & 0x7f) == 127 ? 8 : 0;
        if (w->head_len == 2 + long_len) {
            if (!check_length(w, e)) return STEP_BAD;
            if (w->role == WEBSOCKET_SERVER) {
                w->head_want = (uint8_t)(w->head_want + 4);
                continue;
            }
        } else
            memcpy(w->mask, w->head + 2 + long_len, 4);
        w->head_len = 0;
        w->head_want = 2;
        w->state = is_control(w->op) ? CONTROL : DATA;
        return STEP_EVENT;
    }
}

static void end_frame(struct websocket *w) {
    w->state = HEAD;
    if (w->final) w->in_message = 0;
}

/* The next piece of the message. STEP_MORE with nothing used: bytes are missing, or an empty fragment is
 * over. */
static enum step read_data(struct websocket *w, struct slice in, size_t *used, struct websocket_event *ev,
                           struct err *e) {
    bool checked = w->message_op == WEBSOCKET_OP_TEXT && !w->compressed;
    size_t n = in.len - *used;
    if (n > w->left) n = (size_t)w->left;
    if (n == 0 && w->left) return STEP_MORE;
    struct slice data = slice_of(n ? in.ptr + *used : NULL, n);
    if (w->role == WEBSOCKET_SERVER && n) {
        if (n > w->scratch_len) n = w->scratch_len;
        uint8_t mask[4];
        memcpy(mask, w->mask, 4);
        unmask(w, w->scratch_lent, data.ptr, n);
        data = slice_of(w->scratch_lent, n);
        size_t good;
        if (checked && !utf8_feed(&w->utf8, data, &good)) {
            /* Only what stands before the wrong byte counts; the mask goes back to where it was for that. */
            for (size_t i = 0; i < 4; i++) w->mask[i] = mask[(good + i) & 3];
            n = data.len = good;
        }
    } else if (checked && n) {
        size_t good;
        if (!utf8_feed(&w->utf8, data, &good)) n = data.len = good;
    }
    if (n == 0 && w->left) {
        refuse(w, e, WEBSOCKET_CLOSE_DATA, w->at + *used, "want text in UTF-8, found a byte that cannot be part of it");
        return STEP_BAD;
    }
    *used += n;
    w->left -= n;
    bool last = w->left == 0 && w->final;
    bool cut = last && checked && !utf8_whole(&w->utf8);
    if (w->left == 0) end_frame(w);
    if (cut) w->state = CUT;
    if (n == 0 && !(last && !cut)) return STEP_MORE;
    *ev = (struct websocket_event){.kind = WEBSOCKET_DATA,
                                   .op = (enum websocket_op)w->message_op,
                                   .first = !w->started,
                                   .last = last && !cut,
                                   .compressed = w->compressed,
                                   .data = data};
    w->started = 1;
    return STEP_EVENT;
}

static enum step finish_control(struct websocket *w, uint64_t end, struct websocket_event *ev, struct err *e) {
    struct slice data = slice_of(w->control, w->control_len);
    w->state = HEAD;
    *ev = (struct websocket_event){.kind = w->op == WEBSOCKET_OP_PING ? WEBSOCKET_PING : WEBSOCKET_PONG, .data = data};
    if (w->op != WEBSOCKET_OP_CLOSE) return STEP_EVENT;
    ev->kind = WEBSOCKET_CLOSED;
    w->state = CLOSED;
    if (!data.len) return STEP_EVENT;
    unsigned code = num_be16(data.ptr);
    if (!websocket_code_from(code, &ev->code)) {
        websocket_refuse(w, WEBSOCKET_CLOSE_PROTOCOL);
        err_at(e, ERR_SYNTAX, (size_t)(end - data.len),
               "want a close code that may be sent (1000-1003, 1007-1014, 3000-4999), found %u", code);
        return STEP_BAD;
    }
    ev->data = slice_skip(data, 2);
    size_t good = utf8_valid(ev->data);
    if (good == ev->data.len) return STEP_EVENT;
    refuse(w, e, WEBSOCKET_CLOSE_DATA, end - ev->data.len + good,
           "want the reason for closing in UTF-8, found other bytes");
    return STEP_BAD;
}

static enum step read_control(struct websocket *w, struct slice in, size_t *used, struct websocket_event *ev,
                              struct err *e) {
    size_t n = in.len - *used;
    if (n > w->left) n = (size_t)w->left;
    if (n) {
        uint8_t *to = w->control + w->control_len;
        if (w->role == WEBSOCKET_SERVER)
            unmask(w, to, in.ptr + *used, n);
        else
            memcpy(to, in.ptr + *used, n);
        w->control_len = (uint8_t)(w->control_len + n);
        w->left -= n;
        *used += n;
    }
    if (w->left) return STEP_MORE;
    return finish_control(w, w->at + *used, ev, e);
}

/* How many bytes the next call cannot do without. */
static size_t bytes_needed(const struct websocket *w) {
    if (w->state == HEAD && w->head_len == 2 && w->head_want == 10) return 1; /* its top bit may be wrong */
    if (w->state == HEAD && w->head_want > 2) return (size_t)(w->head_want - w->head_len);
    if (w->state == CONTROL) return (size_t)w->left;
    return 1;
}

struct fed websocket_feed(struct websocket *w, struct slice in, struct websocket_event *ev, struct err *e) {
    size_t used = 0;
    for (;;) {
        enum step step = STEP_MORE;
        enum state was = (enum state)w->state;
        switch (was) {
        case HEAD: step = read_head(w, in, &used, e); break;
        case DATA: step = read_data(w, in, &used, ev, e); break;
        case CONTROL: step = read_control(w, in, &used, ev, e); break;
        case CUT:
            w->at += used;
            refuse(w, e, WEBSOCKET_CLOSE_DATA, w->at,
                   "want text in UTF-8, found the message ending inside a character");
            return fed_bad(used);
        case CLOSED: return fed_end(0);
        case BAD: err_at(e, ERR_INVALID, (size_t)w->at, "this connection was refused before"); return fed_bad(0);
        }
        if (step == STEP_EVENT && was == HEAD) continue;    /* its payload is next */
        if (step == STEP_MORE && w->state != was) continue; /* an empty fragment gave nothing to say */
        w->at += used;
        if (step == STEP_MORE) return fed_more(used, bytes_needed(w));
        return (struct fed){step, used, 0};
    }
}

/* --- writing --- */

size_t websocket_put_head(uint8_t *out, enum websocket_op op, unsigned flags, uint64_t len, const uint8_t *mask) {
    unsigned masked = mask ? 0x80 : 0;
    size_t n = 2;
    out[0] = (uint8_t)(flags | op);
    if (len < 126)
        out[1] = (uint8_t)(masked | len);
    else {
        size_t width = len < 65536 ? 2 : 8;
        out[1] = (uint8_t)(masked | (width == 2 ? 126 : 127));
        for (size_t i = 0; i < width; i++) out[n++] = (uint8_t)(len >> (8 * (width - 1 - i)));
    }
    if (mask) {
        memcpy(out + n, mask, 4);
        n += 4;
    }
    return n;
}

static bool check_head(enum websocket_op op, unsigned flags, uint64_t len, struct err *e) {
    enum websocket_op known;
    if (!websocket_op_from(op, &known)) return err_set(e, ERR_INVALID, "want a known opcode, found %u", (unsigned)op);
    if (flags & ~(unsigned)(WEBSOCKET_FIN | WEBSOCKET_RSV1))
        return err_set(e, ERR_INVALID, "want no flags but FIN and RSV1, found others");
    if (len >> 63) return err_set(e, ERR_INVALID, "want a frame shorter than 2^63 bytes, found a longer one");
    if (op == WEBSOCKET_OP_CONTINUATION && flags & WEBSOCKET_RSV1)
        return err_set(e, ERR_INVALID, "want RSV1 on the first frame of a message only");
    if (!is_control(op)) return true;
    if (flags != WEBSOCKET_FIN) return err_set(e, ERR_INVALID, "want a control frame whole and without RSV1");
    if (len > WEBSOCKET_CONTROL_MAX) return err_limit(e, "control", WEBSOCKET_CONTROL_MAX, ERR_NOWHERE);
    return true;
}

static bool say_full(const struct buf *out, struct err *e) {
    if (out->fault == BUF_OVER) return err_limit(e, "output", out->max, ERR_NOWHERE);
    return err_nomem(e, "a WebSocket frame");
}

bool websocket_write_head(struct buf *out, enum websocket_op op, unsigned flags, uint64_t len, const uint8_t *mask,
                          struct err *e) {
    if (!check_head(op, flags, len, e)) return false;
    uint8_t head[WEBSOCKET_HEAD_MAX];
    size_t n = websocket_put_head(head, op, flags, len, mask);
    return buf_add(out, slice_of(head, n)) || say_full(out, e);
}

bool websocket_write_frame(struct buf *out, enum websocket_op op, unsigned flags, struct slice payload,
                           const uint8_t *mask, struct err *e) {
    if (!check_head(op, flags, payload.len, e)) return false;
    uint8_t head[WEBSOCKET_HEAD_MAX];
    size_t n = websocket_put_head(head, op, flags, payload.len, mask);
    if (payload.len > SIZE_MAX - n) return err_limit(e, "output", out->max, ERR_NOWHERE);
    uint8_t *at = buf_room(out, n + payload.len);
    if (!at) return say_full(out, e);
    memcpy(at, head, n);
    if (payload.len) {
        if (mask)
            websocket_mask(at + n, payload.ptr, payload.len, mask, 0);
        else
            memcpy(at + n, payload.ptr, payload.len);
    }
    buf_wrote(out, n + payload.len);
    return true;
}

bool websocket_write_text(struct buf *out, struct slice text, const uint8_t *mask, struct err *e) {
    size_t good = utf8_valid(text);
    if (good != text.len) return err_at(e, ERR_UTF8, good, "want text in UTF-8, found other bytes");
    return websocket_write_frame(out, WEBSOCKET_OP_TEXT, WEBSOCKET_FIN, text, mask, e);
}

bool websocket_write_binary(struct buf *out, struct slice data, const uint8_t *mask, struct err *e) {
    return websocket_write_frame(out, WEBSOCKET_OP_BINARY, WEBSOCKET_FIN, data, mask, e);
}

bool websocket_write_ping(struct buf *out, struct slice data, const uint8_t *mask, struct err *e) {
    return websocket_write_frame(out, WEBSOCKET_OP_PING, WEBSOCKET_FIN, data, mask, e);
}

bool websocket_write_pong(struct buf *out, struct slice data, const uint8_t *mask, struct err *e) {
    return websocket_write_frame(out, WEBSOCKET_OP_PONG, WEBSOCKET_FIN, data, mask, e);
}

bool websocket_write_close(struct buf *out, unsigned code, struct slice reason, const uint8_t *mask, struct err *e) {
    uint8_t body[WEBSOCKET_CONTROL_MAX];
    if (code == WEBSOCKET_CLOSE_NONE) {
        if (reason.len) return err_set(e, ERR_INVALID, "want a close code in front of a reason, found none");
        return websocket_write_frame(out, WEBSOCKET_OP_CLOSE, WEBSOCKET_FIN, reason, mask, e);
    }
    if (!websocket_code_from(code, NULL))
        return err_set(e, ERR_INVALID, "want a close code that may be sent (1000-1003, 1007-1014, 3000-4999), found %u",
                       code);
    if (reason.len > WEBSOCKET_REASON_MAX) return err_limit(e, "reason", WEBSOCKET_REASON_MAX, ERR_NOWHERE);
    if (!utf8_ok(reason)) return err_set(e, ERR_UTF8, "want the reason for closing in UTF-8, found other bytes");
    body[0] = (uint8_t)(code >> 8);
    body[1] = (uint8_t)code;
    if (reason.len) memcpy(body + 2, reason.ptr, reason.len);
    return websocket_write_frame(out, WEBSOCKET_OP_CLOSE, WEBSOCKET_FIN, slice_of(body, 2 + reason.len), mask, e);
}
