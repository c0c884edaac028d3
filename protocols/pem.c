/* pem.c - see pem.h. */
#include "protocols/pem.h"

#include "base/ascii.h"
#include "base/hex.h"

#define BEGIN  LIT("-----BEGIN ")
#define END    LIT("-----END ")
#define DASHES LIT("-----")
#define COLUMN 64 /* letters of a line */

/* --- lines --- */

/* Words of print, with single blanks or dashes between them. */
static bool is_label(struct slice s) {
    bool between = true; /* a blank or dash would not stand between words here */
    if (s.len > PEM_LABEL_MAX) return false;
    for (size_t i = 0; i < s.len; i++) {
        if (!ascii_is_print(s.ptr[i])) return false;
        bool is = s.ptr[i] == ' ' || s.ptr[i] == '-';
        if (is && between) return false;
        between = is;
    }
    return !between || !s.len;
}

/* The label of a BEGIN or END line. */
static bool read_border(struct slice line, struct slice head, struct slice *label) {
    if (!slice_starts(line, head) || line.len < head.len + 5 || !slice_ends(line, DASHES)) return false;
    *label = slice_of(line.ptr + head.len, line.len - head.len - 5);
    return is_label(*label);
}

/* The line that was gathered, without what may stand at its end. */
static struct slice whole_line(const struct pem *p) {
    struct slice line = slice_of(p->line, p->line_len);
    while (line.len && (line.ptr[line.len - 1] == '\r' || ascii_is_blank(line.ptr[line.len - 1]))) line.len--;
    return line;
}

/* --- the bytes of a block --- */

static void wipe_bytes(struct pem *p) {
    if (p->bytes.ptr) explicit_bzero(p->bytes.ptr, p->bytes.cap);
    explicit_bzero(p->four, sizeof p->four);
    buf_reset(&p->bytes);
    p->have = 0;
}

/* Room for three bytes. A buf that grows would leave its old bytes behind in memory that is free. */
static bool make_room(struct pem *p) {
    struct buf *b = &p->bytes, next;
    if (b->cap - b->len >= 3 || b->cap == b->max) return true; /* adding will tell */
    buf_init(&next, b->max);
    size_t want = b->cap ? 2 * b->cap : 1024;
    if (!buf_room(&next, want < b->max ? want : b->max)) return false;
    buf_add(&next, buf_slice(b));
    if (b->ptr) explicit_bzero(b->ptr, b->cap);
    buf_release(b);
    *b = next;
    return true;
}

static bool add_letter(struct pem *p, uint8_t c) {
    /* Refused where it stands, not where its four are full. */
    if (!ascii_is_alnum(c) && c != '+' && c != '/' && c != '=') return false;
    p->four[p->have++] = c;
    if (p->have < 4) return true;
    p->have = 0;
    if (!make_room(p)) {
        p->bytes.fault = BUF_NOMEM;
        return false;
    }
    if (p->padded || !base64_read(&p->bytes, BASE64_STD, slice_of(p->four, 4))) return false;
    p->padded = c == '=';
    return true;
}

/* --- refusing --- */

static size_t place_of(uint64_t at) {
    return at < ERR_NOWHERE ? (size_t)at : ERR_NOWHERE;
}

static bool refuse(struct pem *p, uint64_t at, struct err *e, const char *why) {
    bool within = p->state >= PEM_INSIDE;
    p->state = PEM_BAD;
    if (!within) return err_at(e, ERR_SYNTAX, place_of(at), "%s", why);
    return err_at(e, ERR_SYNTAX, place_of(at), "the PEM block %.*s is damaged: %s", (int)p->label_len,
                  (const char *)p->label, why);
}

static bool refuse_letter(struct pem *p, uint8_t c, struct err *e) {
    if (p->bytes.fault) {
        bool over = p->bytes.fault == BUF_OVER;
        p->state = PEM_BAD;
        return over ? err_limit(e, "bytes", p->limits.bytes, place_of(p->block_at)) : err_nomem(e, "a PEM block");
    }
    /* "Proc-Type: 4,ENCRYPTED" and the like */
    if (c == ':' || (c == '-' && !p->have && slice_eq(slice_of(p->four, 4), LIT("Proc")))) {
        p->state = PEM_BAD;
        return err_at(e, ERR_UNSUPPORTED, place_of(p->block_at),
                      "the PEM block %.*s has header lines, as keys with a passphrase have; it is needed without them",
                      (int)p->label_len, (const char *)p->label);
    }
    return refuse(p, p->at, e, "this is not base64");
}

/* --- reading --- */

void pem_init(struct pem *p, const struct pem_limits *limits) {
    *p = (struct pem){.limits = *limits, .state = PEM_OUTSIDE};
    buf_init(&p->bytes, limits->bytes);
}

void pem_release(struct pem *p) {
    wipe_bytes(p);
    buf_release(&p->bytes);
    explicit_bzero(p->line, sizeof p->line);
}

static bool open_block(struct pem *p, struct slice label, struct err *e) {
    if (p->blocks == p->limits.blocks) {
        p->state = PEM_BAD;
        return err_limit(e, "blocks", p->limits.blocks, place_of(p->line_at));
    }
    p->blocks++;
    p->padded = false;
    p->label_len = label.len;
    if (label.len) memcpy(p->label, label.ptr, label.len);
    p->block_at = p->line_at;
    p->state = PEM_INSIDE;
    return true;
}

/* A line outside that began with a dash is whole. */
static bool end_border(struct pem *p, struct err *e) {
    struct slice line = whole_line(p), label;
    if (read_border(line, BEGIN, &label)) return open_block(p, label, e);
    if (slice_starts(line, BEGIN)) return refuse(p, p->line_at, e, "a BEGIN line of PEM is damaged");
    if (slice_starts(line, END)) return refuse(p, p->line_at, e, "an END line of PEM has no BEGIN line");
    p->state = PEM_OUTSIDE;
    return true;
}

/* The END line is whole. */
static bool end_block(struct pem *p, struct pem_block *block, struct err *e) {
    struct slice label;
    if (!read_border(whole_line(p), END, &label)) return refuse(p, p->line_at, e, "its END line cannot be read");
    if (!slice_eq(label, slice_of(p->label, p->label_len)))
        return refuse(p, p->line_at, e, "its END line has another label");
    if (p->have) return refuse(p, p->line_at, e, "its base64 is cut");
    if (!p->bytes.len) return refuse(p, p->line_at, e, "it is empty");
    *block = (struct pem_block){slice_of(p->label, p->label_len), buf_slice(&p->bytes), p->block_at};
    p->state = PEM_OUTSIDE;
    return true;
}

static bool gather(struct pem *p, uint8_t c, struct err *e) {
    if (p->line_len < PEM_LINE_MAX) {
        p->line[p->line_len++] = c;
        return true;
    }
    struct slice line = slice_of(p->line, p->line_len);
    if (p->state == PEM_LAST_BORDER || slice_starts(line, BEGIN) || slice_starts(line, END))
        return refuse(p, p->line_at, e, "a BEGIN or END line is too long");
    p->state = PEM_TEXT;
    return true;
}

/* A new line begins with c. */
static void begin_line(struct pem *p, enum pem_state state, uint8_t c) {
    p->line_at = p->at;
    p->line[0] = c;
    p->line_len = 1;
    p->state = state;
}

static bool is_end_blank(uint8_t c) {
    return c == '\r' || ascii_is_blank(c);
}

/* Takes one byte. *event: a block is whole. */
static bool take_byte(struct pem *p, uint8_t c, struct pem_block *block, bool *event, struct err *e) {
    bool end = c == '\n';
    switch (p->state) {
    case PEM_OUTSIDE:
        if (c == '-')
            begin_line(p, PEM_BORDER, c);
        else if (!end)
            p->state = PEM_TEXT;
        return true;
    case PEM_BORDER: return end ? end_border(p, e) : gather(p, c, e);
    case PEM_INSIDE:
        if (end) return true;
        if (c == '-') {
            begin_line(p, PEM_LAST_BORDER, c);
            return true;
        }
        p->state = is_end_blank(c) ? PEM_BLANKS : PEM_LETTERS;
        return p->state == PEM_BLANKS || add_letter(p, c) || refuse_letter(p, c, e);
    case PEM_LETTERS:
        if (end || is_end_blank(c)) {
            p->state = end ? PEM_INSIDE : PEM_BLANKS;
            return true;
        }
        return add_letter(p, c) || refuse_letter(p, c, e);
    case PEM_BLANKS:
        if (!end) return is_end_blank(c) || refuse(p, p->at, e, "something stands behind a blank");
        p->state = PEM_INSIDE;
        return true;
    case PEM_LAST_BORDER:
        if (!end) return gather(p, c, e);
        return *event = end_block(p, block, e);
    case PEM_TEXT: /* skip_text passes over it */
    case PEM_BAD: break;
    }
    return err_set(e, ERR_SYNTAX, "the PEM text was refused before");
}

/* Text between the blocks is most of some files: it is passed over by lines. */
static size_t skip_text(struct pem *p, struct slice in) {
    size_t n = slice_find(in, '\n');
    if (n == in.len) return n;
    p->state = PEM_OUTSIDE;
    return n + 1;
}

struct fed pem_feed(struct pem *p, struct slice in, struct pem_block *block, struct err *e) {
    size_t used = 0;
    bool event = false;
    if (p->state < PEM_INSIDE && p->bytes.len) wipe_bytes(p); /* of the block that was given last */
    while (used < in.len && !event) {
        size_t n = 1;
        if (p->state == PEM_TEXT)
            n = skip_text(p, slice_skip(in, used));
        else if (!take_byte(p, in.ptr[used], block, &event, e))
            return fed_bad(used);
        used += n;
        p->at += n;
    }
    if (event) return fed_event(used);
    return p->state == PEM_BAD ? fed_bad(used) : fed_more(used, 0);
}

enum step pem_eof(struct pem *p, struct pem_block *block, struct err *e) {
    bool event = false;
    if (p->state < PEM_INSIDE && p->bytes.len) wipe_bytes(p);
    if (p->state == PEM_BORDER || p->state == PEM_LAST_BORDER) {
        if (!take_byte(p, '\n', block, &event, e)) return STEP_BAD;
        if (event) return STEP_EVENT;
    }
    if (p->state < PEM_INSIDE) return STEP_END;
    if (p->state == PEM_BAD)
        err_set(e, ERR_SYNTAX, "the PEM text was refused before");
    else
        refuse(p, p->block_at, e, "the text ends before its END line");
    return STEP_BAD;
}

/* --- writing --- */

size_t pem_len(struct slice label, struct slice bytes) {
    size_t letters = BASE64_LEN(bytes.len);
    return 2 * label.len + letters + (letters + COLUMN - 1) / COLUMN + sizeof "-----BEGIN -----\n-----END -----\n" - 1;
}

bool pem_write(struct buf *out, struct slice label, struct slice bytes, struct err *e) {
    if (!is_label(label)) return err_set(e, ERR_INVALID, "this cannot be the label of a PEM block");
    if (!bytes.len) return err_set(e, ERR_INVALID, "a PEM block must not be empty");
    if (!buf_ok(out) || bytes.len > SIZE_MAX / 4) return err_nomem(e, "a PEM block");
    size_t mark = buf_mark(out);
    if (!buf_room(out, pem_len(label, bytes))) {
        bool over = out->fault == BUF_OVER;
        buf_rewind(out, mark);
        return over ? err_limit(e, "output", out->max, ERR_NOWHERE) : err_nomem(e, "a PEM block");
    }
    buf_add(out, BEGIN);
    buf_add(out, label);
    buf_add(out, LIT("-----\n"));
    for (; bytes.len; bytes = slice_skip(bytes, COLUMN / 4 * 3)) {
        base64_add(out, BASE64_STD, slice_head(bytes, COLUMN / 4 * 3));
        buf_byte(out, '\n');
    }
    buf_add(out, END);
    buf_add(out, label);
    return buf_add(out, LIT("-----\n"));
}
