/* wsdeflate.c - see wsdeflate.h.
 *
 * A compressed message on the wire is a DEFLATE stream flushed to a whole byte, from which the last four
 * bytes (00 00 ff ff, the body of the empty block that the flush makes) are left out. The inflater adds them
 * again at the end of the message, but only where something is open: a message without a byte, one that ended
 * with a final block, and one whose sender forgot to take the tail away all end clean already, and the tail
 * would then be half a block that spoils the next message.
 *
 * Touches: zlib, base/buf, base/mem, base/utf8. No descriptor, clock, log. */
#include "protocols/wsdeflate.h"

#include "base/mem.h"
#include "base/must.h"
#include "protocols/zmem.h"

#include <zlib.h>

#define PIECE       16384 /* the most that is asked of zlib at once */
#define KEEP_CAP    512   /* bytes a message buffer may keep between messages */
#define TAIL_LEN    4
#define CLEAN_BLOCK 128 /* z_stream.data_type: a block has ended, it was not final, no bits are left over */

static const uint8_t tail_bytes[TAIL_LEN] = {0x00, 0x00, 0xff, 0xff};

static z_stream *make_stream(void) {
    z_stream *s = mem_get_zero(sizeof *s);
    if (!s) return NULL;
    s->zalloc = zmem_get;
    s->zfree = zmem_put;
    return s;
}

static uInt clamp(size_t n) {
    return n > PIECE ? PIECE : (uInt)n;
}

/* zlib never writes through next_in, but its type is not const. */
static Bytef *as_input(const uint8_t *p) {
    return (Bytef *)(uintptr_t)p;
}

/* --- inflating --- */

void wsinflate_init(struct wsinflate *z, bool keep) {
    *z = (struct wsinflate){.keep = keep};
}

void wsinflate_release(struct wsinflate *z) {
    if (z->zlib) {
        inflateEnd(z->zlib);
        mem_put(z->zlib, sizeof(z_stream));
    }
    wsinflate_init(z, z->keep);
}

/* zlib's documented 7 KiB for tables beside the window. */
size_t wsinflate_cost(void) {
    return sizeof(z_stream) + 7400 + ((size_t)1 << WSDEFLATE_BITS_MAX);
}

static bool start_inflating(struct wsinflate *z, struct err *e) {
    z_stream *s = z->zlib;
    if (!s) {
        s = make_stream();
        if (!s) return err_nomem(e, "inflating a message");
        if (inflateInit2(s, -WSDEFLATE_BITS_MAX) != Z_OK) {
            mem_put(s, sizeof *s);
            return err_nomem(e, "inflating a message");
        }
        z->zlib = s;
    } else if (!z->keep)
        inflateReset(s);
    z->inside = true;
    z->clean = true;
    z->tail = 0;
    return true;
}

/* One call of zlib. False: it is not DEFLATE. */
static bool inflate_some(struct wsinflate *z, struct slice *in, uint8_t *out, size_t room, size_t *wrote,
                         struct err *e) {
    z_stream *s = z->zlib;
    uInt in_len = clamp(in->len), out_len = clamp(room - *wrote);
    s->next_in = as_input(in->ptr);
    s->avail_in = in_len;
    s->next_out = out + *wrote;
    s->avail_out = out_len;
    int rc = inflate(s, Z_SYNC_FLUSH);
    size_t used = in_len - s->avail_in;
    *in = slice_skip(*in, used);
    *wrote += out_len - s->avail_out;
    s->next_in = NULL;
    s->next_out = NULL;
    if (rc == Z_STREAM_END) {
        /* A final block ends the stream for zlib, but not the message, and the window stays. */
        inflateResetKeep(s);
        z->clean = true;
        return true;
    }
    if (rc == Z_MEM_ERROR) return err_nomem(e, "inflating a message");
    if (rc != Z_OK && rc != Z_BUF_ERROR)
        return err_set(e, ERR_SYNTAX, "want DEFLATE data, found: %s", s->msg ? s->msg : "something else");
    if (used) z->clean = s->data_type == CLEAN_BLOCK;
    return true;
}

enum step wsinflate_run(struct wsinflate *z, struct slice *in, bool last, uint8_t *out, size_t room, size_t *wrote,
                        struct err *e) {
    *wrote = 0;
    if (!z->inside && !start_inflating(z, e)) return STEP_BAD;
    for (;;) {
        struct slice tail = slice_of(tail_bytes + z->tail, (size_t)(TAIL_LEN - z->tail));
        bool tailing = in->len == 0 && last && (z->tail || !z->clean);
        struct slice *from = tailing ? &tail : in;
        size_t before = *wrote;
        if (!inflate_some(z, from, out, room, wrote, e)) return STEP_BAD;
        if (tailing) z->tail = (uint8_t)(TAIL_LEN - tail.len);
        if (*wrote == room) return STEP_EVENT;
        if (from->len || *wrote - before == PIECE) continue;
        if (!last) return STEP_MORE;
        if (z->clean) break;
        if (z->tail == TAIL_LEN) {
            err_set(e, ERR_SYNTAX, "want DEFLATE data, found the message ending inside a block");
            return STEP_BAD;
        }
    }
    z->inside = false;
    return STEP_END;
}

/* --- compressing --- */

void wsdeflate_init(struct wsdeflate *z, unsigned bits, unsigned memory, unsigned level, bool keep) {
    must(bits >= WSDEFLATE_BITS_MIN && bits <= WSDEFLATE_BITS_MAX && memory >= 1 && memory <= 9 && level <= 9);
    /* zlib has no raw window of 2^8. With 2^9 it looks back at most 2^9 - 262 = 250 bytes, so that is as
     * good. */
    if (bits == 8) bits = 9;
    *z = (struct wsdeflate){.bits = (uint8_t)bits, .memory = (uint8_t)memory, .level = (uint8_t)level, .keep = keep};
}

void wsdeflate_release(struct wsdeflate *z) {
    if (z->zlib) {
        deflateEnd(z->zlib);
        mem_put(z->zlib, sizeof(z_stream));
    }
    z->zlib = NULL;
}

/* zlib's documented figure: window and hash chains, hash table and pending output; and its own state. */
size_t wsdeflate_cost(unsigned bits, unsigned memory) {
    return sizeof(z_stream) + 6400 + ((size_t)1 << (bits + 2)) + ((size_t)1 << (memory + 9));
}

static bool start_deflating(struct wsdeflate *z, struct err *e) {
    z_stream *s = z->zlib;
    if (s) {
        if (!z->keep) deflateReset(s);
        return true;
    }
    s = make_stream();
    if (!s) return err_nomem(e, "compressing a message");
    if (deflateInit2(s, z->level, Z_DEFLATED, -(int)z->bits, z->memory, Z_DEFAULT_STRATEGY) != Z_OK) {
        mem_put(s, sizeof *s);
        return err_nomem(e, "compressing a message");
    }
    z->zlib = s;
    return true;
}

/* Appends the compressed payload without its tail. */
static bool add_compressed(z_stream *s, struct buf *out, struct slice in) {
    /* zlib gives nothing for nothing, the second time; an empty block's first byte is what both sides expect.
     */
    if (!in.len) return buf_byte(out, 0);
    bool full = false;
    while (in.len || full) {
        uInt in_len = clamp(in.len);
        size_t chunk = (size_t)in_len + in_len / 8 + 64; /* so that, as a rule, the flush is made once */
        uint8_t *at = buf_room(out, chunk);
        if (!at) return false;
        bool all = in_len == in.len;
        s->next_in = as_input(in.ptr);
        s->avail_in = in_len;
        s->next_out = at;
        s->avail_out = (uInt)chunk;
        deflate(s, all ? Z_SYNC_FLUSH : Z_NO_FLUSH);
        full = s->avail_out == 0;
        in = slice_skip(in, in_len - s->avail_in);
        buf_wrote(out, chunk - s->avail_out);
    }
    s->next_in = NULL;
    s->next_out = NULL;
    must(slice_ends(buf_slice(out), slice_of(tail_bytes, TAIL_LEN)));
    out->len -= TAIL_LEN;
    return true;
}

bool wsdeflate_write(struct wsdeflate *z, struct buf *out, enum websocket_op op, struct slice payload,
                     const uint8_t *mask, struct err *e) {
    if (op != WEBSOCKET_OP_TEXT && op != WEBSOCKET_OP_BINARY)
        return err_set(e, ERR_INVALID, "want a text or binary message to compress, found %s", websocket_op_name(op));
    size_t good = op == WEBSOCKET_OP_TEXT ? utf8_valid(payload) : payload.len;
    if (good != payload.len) return err_at(e, ERR_UTF8, good, "want text in UTF-8, found other bytes");
    if (!buf_ok(out)) return err_set(e, ERR_INVALID, "want a buffer without a fault, found one that is full");
    if (!start_deflating(z, e)) return false;

    /* The head is as long as its length needs, which is known afterwards: leave room for the longest, then
     * close up. */
    size_t mark = buf_mark(out);
    if (buf_room(out, WEBSOCKET_HEAD_MAX)) buf_wrote(out, WEBSOCKET_HEAD_MAX);
    bool fits = buf_ok(out) && add_compressed(z->zlib, out, payload);
    size_t len = fits ? out->len - mark - WEBSOCKET_HEAD_MAX : 0;
    if (!z->keep && (out->fault == BUF_OVER || (fits && len >= payload.len))) {
        buf_rewind(out, mark);
        return websocket_write_frame(out, op, WEBSOCKET_FIN, payload, mask, e);
    }
    if (!fits) {
        /* The peer will not see what the window now holds, so begin an empty one; that is always allowed. */
        deflateReset(z->zlib);
        out->len = mark; /* the fault stays */
        if (out->fault == BUF_OVER) return err_limit(e, "output", out->max, ERR_NOWHERE);
        return err_nomem(e, "compressing a message");
    }
    uint8_t *at = out->ptr + mark;
    size_t head = websocket_put_head(at, op, WEBSOCKET_FIN | WEBSOCKET_RSV1, len, mask);
    if (mask)
        websocket_mask(at + head, at + WEBSOCKET_HEAD_MAX, len, mask, 0);
    else
        memmove(at + head, at + WEBSOCKET_HEAD_MAX, len);
    out->len = mark + head + len;
    return true;
}

/* --- whole messages --- */

void wsmessage_init(struct wsmessage *m, enum websocket_role role, const struct websocket_limits *limits,
                    const struct wsdeflate_params *params, uint8_t *scratch, size_t scratch_len) {
    websocket_init(&m->ws, role, limits, params != NULL, scratch, scratch_len);
    /* A server reads what the client's compressor made, and the other way round. */
    bool forgets = params && (role == WEBSOCKET_SERVER ? params->client_no_context : params->server_no_context);
    wsinflate_init(&m->inflate, !forgets);
    m->max = limits->message > SIZE_MAX / 2 ? SIZE_MAX / 2 : (size_t)limits->message;
    buf_init(&m->data, m->max);
    utf8_init(&m->utf8);
    m->given = false;
}

void wsmessage_release(struct wsmessage *m) {
    wsinflate_release(&m->inflate);
    buf_release(&m->data);
}

static bool refuse(struct wsmessage *m, unsigned code) {
    websocket_refuse(&m->ws, code);
    return false;
}

/* Takes what was just inflated behind the content of the buffer; text must be UTF-8 so far. */
static bool check_text(struct wsmessage *m, bool text, struct slice fresh, bool last, struct err *e) {
    if (!text) return true;
    if (!utf8_feed(&m->utf8, fresh, NULL))
        err_at(e, ERR_UTF8, (size_t)m->ws.message_at,
               "want compressed text in UTF-8, found a byte that cannot be part of it");
    else if (last && !utf8_whole(&m->utf8))
        err_at(e, ERR_UTF8, (size_t)m->ws.message_at,
               "want compressed text in UTF-8, found the message ending inside a character");
    else
        return true;
    return refuse(m, WEBSOCKET_CLOSE_DATA);
}

/* Inflates a piece into the buffer. The order of the checks is that of the bytes, whatever pieces they come
 * in: first the text, then the limit, then what zlib says. */
static bool inflate_piece(struct wsmessage *m, const struct websocket_event *piece, struct err *e) {
    struct slice in = piece->data;
    bool text = piece->op == WEBSOCKET_OP_TEXT;
    for (;;) {
        size_t room = in.len > PIECE / 4 ? PIECE : in.len * 4 + 64;
        if (room > m->max - m->data.len) room = m->max - m->data.len;
        uint8_t beyond = 0; /* takes the first byte over the limit */
        uint8_t *at = room ? buf_room(&m->data, room) : &beyond;
        if (!at) {
            err_nomem(e, "inflating a message");
            return refuse(m, WEBSOCKET_CLOSE_INTERNAL);
        }
        size_t wrote;
        struct err why = ERR_INIT;
        enum step step = wsinflate_run(&m->inflate, &in, piece->last, at, room ? room : 1, &wrote, &why);
        if (!room && wrote) {
            err_limit(e, "message", m->ws.limits.message, (size_t)m->ws.message_at);
            return refuse(m, WEBSOCKET_CLOSE_TOO_BIG);
        }
        buf_wrote(&m->data, wrote);
        if (!check_text(m, text, slice_of(at, wrote), step == STEP_END, e)) return false;
        if (step == STEP_BAD) {
            why.at = (size_t)m->ws.message_at;
            if (e) *e = why;
            return refuse(m, why.code == ERR_NOMEM ? WEBSOCKET_CLOSE_INTERNAL : WEBSOCKET_CLOSE_DATA);
        }
        if (step != STEP_EVENT) return true;
    }
}

static bool add_piece(struct wsmessage *m, const struct websocket_event *piece, struct err *e) {
    if (piece->first) {
        buf_reset(&m->data);
        utf8_init(&m->utf8);
    }
    if (piece->compressed) return inflate_piece(m, piece, e);
    if (buf_add(&m->data, piece->data)) return true;
    err_nomem(e, "a WebSocket message");
    return refuse(m, WEBSOCKET_CLOSE_INTERNAL);
}

struct fed wsmessage_feed(struct wsmessage *m, struct slice in, struct websocket_event *ev, struct err *e) {
    size_t used = 0;
    if (m->given) {
        m->given = false;
        if (m->data.cap > KEEP_CAP) buf_release(&m->data);
    }
    for (;;) {
        struct fed fed = websocket_feed(&m->ws, slice_skip(in, used), ev, e);
        used += fed.used;
        fed.used = used;
        if (fed.step != STEP_EVENT || ev->kind != WEBSOCKET_DATA) return fed;
        if (ev->first && ev->last && !ev->compressed) return fed;
        if (!add_piece(m, ev, e)) return fed_bad(used);
        if (!ev->last) continue;
        m->given = true;
        if (ev->compressed && !m->inflate.keep) wsinflate_release(&m->inflate);
        ev->first = true;
        ev->data = buf_slice(&m->data);
        return fed;
    }
}
