/* mime_text.c - see mime_text.h. */
#include "out/mime_text.h"

#include "base/ascii.h"
#include "base/hex.h"
#include "base/utf8.h"

#define LINE_FOLD  78 /* where to fold (RFC 5322 2.1.1) */
#define LINE_WORDS 76 /* of a line with encoded-words (RFC 2047 2) */
#define WORD_MOST  75 /* an encoded-word */
#define WORD_FRAME 12 /* "=?UTF-8?B?" and "?=" */
#define PLAIN_WORD 70 /* a longer run without a blank cannot be folded well: it is encoded */

static const char hex_digits[] = "0123456789ABCDEF";

bool mime_check_text(struct slice text, const char *what, struct err *e) {
    if (!utf8_ok(text)) return err_set(e, ERR_INVALID, "want the %s in UTF-8", what);
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)
            return err_set(e, ERR_INVALID, "want no line breaks or control characters in the %s", what);
    return true;
}

/* How far the last line has come. */
static size_t find_column(const struct buf *out) {
    size_t n = 0;
    while (n < out->len && out->ptr[out->len - 1 - n] != '\n') n++;
    return n;
}

static void fold(struct buf *out) {
    buf_add(out, LIT("\r\n "));
}

/* A blank, or the end of the line, before something so long. */
static void part(struct buf *out, size_t len, size_t most) {
    if (find_column(out) + 1 + len > most)
        fold(out);
    else
        buf_byte(out, ' ');
}

/* --- encoded-words --- */

/* May stand as itself in an encoded-word, also inside a name (RFC 2047 5). */
static bool is_plain_q(uint8_t c) {
    return ascii_is_alnum(c) || c == '!' || c == '*' || c == '+' || c == '-' || c == '/';
}

static size_t q_size(struct slice s) {
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) n += is_plain_q(s.ptr[i]) || s.ptr[i] == ' ' ? 1 : 3;
    return n;
}

static size_t run_char(struct slice s) {
    size_t n = 1;
    while (n < s.len && (s.ptr[n] & 0xc0) == 0x80) n++;
    return n;
}

static void add_q(struct buf *out, struct slice s) {
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.ptr[i];
        if (is_plain_q(c))
            buf_byte(out, c);
        else if (c == ' ')
            buf_byte(out, '_');
        else {
            buf_byte(out, '=');
            buf_byte(out, (uint8_t)hex_digits[c >> 4]);
            buf_byte(out, (uint8_t)hex_digits[c & 15]);
        }
    }
}

/* Words with nothing but folds between them are one text again. The first stands behind a blank. */
static void add_words(struct buf *out, struct slice text) {
    bool q = q_size(text) <= BASE64_LEN(text.len);
    bool first = true;
    while (text.len && buf_ok(out)) {
        size_t column = find_column(out) + 1;
        struct slice one = slice_head(text, run_char(text));
        size_t least = WORD_FRAME + (q ? q_size(one) : BASE64_LEN(one.len));
        bool folded = !first || column + least > LINE_WORDS;
        size_t room = folded ? WORD_MOST : LINE_WORDS - column;
        if (room > WORD_MOST) room = WORD_MOST;
        room -= WORD_FRAME;
        size_t n = 0;
        for (;;) {
            size_t next = n + run_char(slice_skip(text, n));
            struct slice head = slice_head(text, next);
            if (n == text.len || (q ? q_size(head) : BASE64_LEN(next)) > room) break;
            n = next;
        }
        if (folded)
            fold(out);
        else
            buf_byte(out, ' ');
        buf_add(out, q ? LIT("=?UTF-8?Q?") : LIT("=?UTF-8?B?"));
        if (q)
            add_q(out, slice_head(text, n));
        else
            base64_add(out, BASE64_STD, slice_head(text, n));
        buf_add(out, LIT("?="));
        text = slice_skip(text, n);
        first = false;
    }
}

/* --- fields --- */

/* Can be written as it is, and folded at its blanks. */
static bool is_plain(struct slice text) {
    size_t word = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (!ascii_is_print(c)) return false;
        if (c == '=' && i + 1 < text.len && text.ptr[i + 1] == '?') return false;
        if (c == ' ' && !word) return false; /* at the start, or two in a row */
        word = c == ' ' ? 0 : word + 1;
        if (word > PLAIN_WORD) return false;
    }
    return word > 0;
}

static void add_plain(struct buf *out, struct slice text) {
    while (text.len) {
        struct slice word = slice_cut(&text, ' ');
        part(out, word.len, LINE_FOLD);
        buf_add(out, word);
    }
}

void mime_add_text_field(struct buf *out, const char *name, struct slice text) {
    buf_add_str(out, name);
    buf_byte(out, ':');
    if (is_plain(text))
        add_plain(out, text);
    else
        add_words(out, text);
    buf_add(out, LIT("\r\n"));
}

static void add_quoted(struct buf *out, struct slice text) {
    buf_byte(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"' || text.ptr[i] == '\\') buf_byte(out, '\\');
        buf_byte(out, text.ptr[i]);
    }
    buf_byte(out, '"');
}

/* The same, folded at its blanks, which stay part of it. */
static void add_quoted_folded(struct buf *out, struct slice text) {
    for (bool first = true; text.len; first = false) {
        struct slice word = slice_cut(&text, ' ');
        part(out, word.len + 2, LINE_FOLD);
        if (first) buf_byte(out, '"');
        for (size_t i = 0; i < word.len; i++) {
            if (word.ptr[i] == '"' || word.ptr[i] == '\\') buf_byte(out, '\\');
            buf_byte(out, word.ptr[i]);
        }
    }
    buf_byte(out, '"');
}

static void add_name(struct buf *out, struct slice name) {
    bool atoms = true;
    for (size_t i = 0; i < name.len; i++) atoms = atoms && (mailbox_is_atext(name.ptr[i]) || name.ptr[i] == ' ');
    if (!is_plain(name)) {
        size_t q = q_size(name), b = BASE64_LEN(name.len), size = WORD_FRAME + (q <= b ? q : b);
        /* Some readers put a blank between two words of a name: one word is better, where it fits a line. */
        if (size <= WORD_MOST && find_column(out) + 1 + size > LINE_WORDS) buf_add(out, LIT("\r\n"));
        add_words(out, name);
    } else if (atoms)
        add_plain(out, name);
    else
        add_quoted_folded(out, name);
}

void mime_add_mailboxes(struct buf *out, const char *name, const struct mailbox *list, size_t n) {
    buf_add_str(out, name);
    buf_byte(out, ':');
    for (size_t i = 0; i < n; i++) {
        const struct mailbox *m = &list[i];
        bool named = m->name.len > 0;
        if (named) add_name(out, m->name);
        part(out, m->address.len + 3, LINE_FOLD);
        if (named) buf_byte(out, '<');
        buf_add(out, m->address);
        if (named) buf_byte(out, '>');
        if (i + 1 < n) buf_byte(out, ',');
    }
    buf_add(out, LIT("\r\n"));
}

/* RFC 2231 4.1: sections of percent-encoded text, cut between characters. */
static void add_sections(struct buf *out, const char *name, struct slice value) {
    for (unsigned section = 0; value.len && buf_ok(out); section++) {
        buf_printf(out, ";\r\n %s*%u*=%s", name, section, section ? "" : "UTF-8''");
        while (value.len) {
            size_t n = run_char(value), size = 0;
            for (size_t i = 0; i < n; i++) size += ascii_is_alnum(value.ptr[i]) ? 1 : 3;
            if (find_column(out) + size > LINE_FOLD - 2) break;
            for (size_t i = 0; i < n; i++) {
                uint8_t c = value.ptr[i];
                if (ascii_is_alnum(c))
                    buf_byte(out, c);
                else
                    buf_printf(out, "%%%02X", c);
            }
            value = slice_skip(value, n);
        }
    }
}

void mime_add_parameter(struct buf *out, const char *name, struct slice value) {
    bool ascii = value.len <= PLAIN_WORD - 20;
    for (size_t i = 0; i < value.len; i++) ascii = ascii && ascii_is_print(value.ptr[i]);
    if (!ascii) {
        add_sections(out, name, value);
        return;
    }
    buf_printf(out, ";\r\n %s=", name);
    add_quoted(out, value);
}

/* --- bodies --- */

/* Takes a line and its break, of any kind, off the text. */
static struct slice next_line(struct slice *text, bool *broken) {
    size_t n = 0;
    while (n < text->len && text->ptr[n] != '\r' && text->ptr[n] != '\n') n++;
    struct slice line = slice_head(*text, n);
    *broken = n < text->len;
    if (*broken) n += text->ptr[n] == '\r' && n + 1 < text->len && text->ptr[n + 1] == '\n' ? 2 : 1;
    *text = slice_skip(*text, n);
    return line;
}

/* Into out, or (NULL) only counted. */
static size_t quote_line(struct buf *out, struct slice line) {
    size_t total = 0, column = 0;
    for (size_t i = 0; i < line.len; i++) {
        uint8_t c = line.ptr[i];
        bool last = i + 1 == line.len;
        bool plain = (ascii_is_print(c) && c != '=') || c == '\t';
        if (ascii_is_blank(c) && last) plain = false;                  /* would be lost on the way */
        if (i == 0 && slice_starts(line, LIT("From "))) plain = false; /* mbox files would change it */
        size_t size = plain ? 1 : 3;
        /* One place is for the "=" of a soft break, unless the line ends here. */
        if (column + size > (last ? 76u : 75u)) {
            if (out) buf_add(out, LIT("=\r\n"));
            total += 3;
            column = 0;
        }
        if (out && plain)
            buf_byte(out, c);
        else if (out) {
            buf_byte(out, '=');
            buf_byte(out, (uint8_t)hex_digits[c >> 4]);
            buf_byte(out, (uint8_t)hex_digits[c & 15]);
        }
        column += size;
        total += size;
    }
    return total;
}

static size_t quote_text(struct buf *out, struct slice text) {
    size_t total = 0;
    bool broken;
    while (text.len) {
        struct slice line = next_line(&text, &broken);
        total += quote_line(out, line) + 2;
        if (out) buf_add(out, LIT("\r\n"));
    }
    return total;
}

void mime_add_quoted_printable(struct buf *out, struct slice text) {
    quote_text(out, text);
}

size_t mime_quoted_printable_size(struct slice text) {
    return quote_text(NULL, text);
}

void mime_add_base64(struct buf *out, struct slice bytes) {
    while (bytes.len) {
        base64_add(out, BASE64_STD, slice_head(bytes, 57));
        buf_add(out, LIT("\r\n"));
        bytes = slice_skip(bytes, 57);
    }
}
