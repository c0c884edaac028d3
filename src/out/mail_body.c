/* mail_body.c - the message on its way: line ends, dots, and what must not be in it. See mail_room.h. */
#include "out/mail_room.h"

#define LINE_MAX_BYTES 998 /* RFC 5321 4.5.3.1.6, without CR LF */
#define PIECE          4096

/* What can be known before: of what lies in memory everything, of base64 that it is harmless. */
void mail_look_at(struct mail_work *w) {
    uint8_t before = '\n';
    for (size_t i = 0; i < w->source.part_n; i++) {
        const struct source_part *p = &w->source.parts[i];
        if (p->file.disk) {
            w->unseen |= !p->base64;
            before = '\n';
            continue;
        }
        for (size_t k = 0; k < p->bytes.len; k++) {
            uint8_t c = p->bytes.ptr[k];
            w->eight |= c >= 0x80;
            /* A CR without LF behind it, an LF without CR before it: each becomes both. */
            w->grows += c == '\n' ? before != '\r' : before == '\r';
            before = c;
        }
    }
    w->grows += before == '\r' ? 1 : before == '\n' ? 0 : 2;
}

/* What the bytes become. Room for two bytes each and three more is there. */
struct piece {
    uint8_t bytes[2 * PIECE + 8];
    size_t n;
};

static void end_line(struct mail_work *w, struct piece *p) {
    p->bytes[p->n++] = '\r';
    p->bytes[p->n++] = '\n';
    w->line_start = true;
    w->cr = false;
    w->column = 0;
}

/* NULL: it may go. */
static const char *take_byte(struct mail_work *w, struct piece *p, uint8_t c) {
    if (w->cr) {
        end_line(w, p);
        if (c == '\n') return NULL;
    }
    if (c == '\r') {
        w->cr = true;
        return NULL;
    }
    if (c == '\n') {
        end_line(w, p);
        return NULL;
    }
    if (!c) return "the message has a NUL in it, which mail cannot carry";
    if (c >= 0x80 && w->eight_left)
        return "the message has bytes beyond ASCII and the server takes none (it does not offer 8BITMIME)";
    if (++w->column > LINE_MAX_BYTES) return "the message has a line over 998 bytes, which mail cannot carry";
    if (c == '.' && w->line_start) p->bytes[p->n++] = '.';
    w->line_start = false;
    p->bytes[p->n++] = c;
    return NULL;
}

static bool send_piece(struct mail_work *w, const struct piece *p) {
    struct err e = ERR_INIT;
    if (stream_write(&w->conn->s, slice_of(p->bytes, p->n))) return true;
    if (w->conn->s.state != STREAM_UP) return false; /* its end is told by the loop */
    err_nomem(&e, "a mail");
    mail_fail(w, &e);
    return false;
}

static void end_body(struct mail_work *w) {
    struct piece p;
    p.n = 0;
    w->sending = false;
    if (!w->line_start || w->cr) end_line(w, &p);
    memcpy(p.bytes + p.n, ".\r\n", 3);
    p.n += 3;
    if (send_piece(w, &p)) mail_enter(w, MAIL_ENDING);
}

void mail_send_body(struct mail_work *w) {
    while (w->sending) {
        if (stream_pending(&w->conn->s) >= CONN_FULL) {
            stream_owe_drained(&w->conn->s);
            return;
        }
        struct piece p;
        struct slice in = slice_head(source_data(&w->source), PIECE);
        if (!in.len) {
            if (source_over(&w->source)) end_body(w);
            return;
        }
        p.n = 0;
        for (size_t i = 0; i < in.len; i++) {
            const char *why = take_byte(w, &p, in.ptr[i]);
            if (!why) continue;
            struct err e = ERR_INIT;
            err_set(&e, ERR_INVALID, "%s", why);
            mail_fail(w, &e); /* without its dot the server forgets it */
            return;
        }
        source_eat(&w->source, in.len);
        if (!send_piece(w, &p)) return;
    }
}

void mail_begin_body(struct mail_work *w) {
    struct err e = ERR_INIT;
    mail_enter(w, MAIL_SENDING);
    w->sending = w->line_start = true;
    w->cr = false;
    w->column = 0;
    if (source_begin(&w->source, &e))
        mail_send_body(w);
    else
        mail_fail(w, &e);
}
