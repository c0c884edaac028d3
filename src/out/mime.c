/* mime.c - see mime.h.
 *
 *     multipart/mixed           only with attachments
 *       multipart/alternative   only with HTML
 *         text/plain
 *         text/html
 *       attachment ...
 *
 * A boundary has "=_" in it, which neither base64 nor quoted-printable can bring forth, and 16 random bytes. */
#include "out/mime.h"
#include "base/limits.h"

#include "base/hex.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/utf8.h"
#include "out/mime_text.h"
#include "protocols/date.h"
#include "protocols/http_chars.h"

#define NAME_MAX_BYTES 255 /* of an attached file */
#define ID_MAX         200

struct boundary {
    char text[40];
};

static struct boundary make_boundary(void) {
    struct boundary b = {"=_"};
    uint8_t bytes[16];
    rng_bytes(bytes, sizeof bytes);
    struct buf text = {.ptr = (uint8_t *)b.text, .cap = sizeof b.text - 1, .max = sizeof b.text - 1, .len = 2};
    hex_add(&text, slice_of(bytes, sizeof bytes));
    return b;
}

/* --- checks --- */

static bool check_mailboxes(struct mime *m, const char *what, const struct mailbox *list, size_t n, struct err *e) {
    if (n > LIMIT_MIME_MAILBOXES) return err_limit(e, "LIMIT_MIME_MAILBOXES", LIMIT_MIME_MAILBOXES, ERR_NOWHERE);
    for (size_t i = 0; i < n; i++) {
        bool wide;
        if (!mailbox_check(list[i].address, &wide, e) || !mime_check_text(list[i].name, "name", e)) {
            err_context(e, "%s", what);
            return false;
        }
        m->wide |= wide;
    }
    return true;
}

/* dot-atom "@" dot-atom, or an address in brackets behind it. */
static bool check_id(struct slice id, struct err *e) {
    size_t at = slice_find(id, '@');
    bool good = at > 0 && at + 1 < id.len && id.len <= ID_MAX;
    for (size_t i = 0; good && i < id.len; i++)
        good = i == at || (id.ptr[i] < 0x80 &&
                           (mailbox_is_atext(id.ptr[i]) || (id.ptr[i] == '.' && i && i + 1 != at && i != at + 1)));
    return good || err_set(e, ERR_INVALID, "want a message id such as number@host, without brackets");
}

static bool check_attachment(const struct mime_attachment *a, struct err *e) {
    if (!a->name.len || a->name.len > NAME_MAX_BYTES || slice_find(a->name, '/') < a->name.len)
        return err_set(e, ERR_INVALID, "want a name of 1 to %d bytes and without a slash for an attachment",
                       NAME_MAX_BYTES);
    if (!mime_check_text(a->name, "name of an attachment", e)) return false;
    size_t slash = slice_find(a->type, '/');
    struct slice major = slice_head(a->type, slash);
    bool container = slice_eq_nocase(major, LIT("multipart")) || slice_eq_nocase(major, LIT("message"));
    if (a->type.len && (container || !http_is_token(major) || !http_is_token(slice_skip(a->type, slash + 1))))
        return err_set(e, ERR_INVALID,
                       "want a type such as application/pdf for an attachment, no multipart and no message");
    return true;
}

static bool check(struct mime *m, const struct mime_message *msg, struct err *e) {
    if (!msg->from.address.len) return err_set(e, ERR_INVALID, "want an address the mail is from, found none");
    if (!check_mailboxes(m, "From", &msg->from, 1, e) ||
        !check_mailboxes(m, "Reply-To", &msg->reply_to, msg->reply_to.address.len > 0, e) ||
        !check_mailboxes(m, "To", msg->to, msg->to_n, e) || !check_mailboxes(m, "Cc", msg->cc, msg->cc_n, e) ||
        !mime_check_text(msg->subject, "subject", e) || !check_id(msg->message_id, e))
        return false;
    if (!utf8_ok(msg->text) || !utf8_ok(msg->html)) return err_set(e, ERR_INVALID, "want the text of a mail in UTF-8");
    if (msg->attachment_n > LIMIT_MIME_ATTACHMENTS)
        return err_limit(e, "LIMIT_MIME_ATTACHMENTS", LIMIT_MIME_ATTACHMENTS, ERR_NOWHERE);
    for (size_t i = 0; i < msg->attachment_n; i++)
        if (!check_attachment(&msg->attachments[i], e)) return false;
    return true;
}

/* --- writing --- */

static void add_date(struct buf *out, const uint8_t date[DATE_LEN]) {
    buf_add(out, LIT("Date: "));
    buf_add(out, slice_of(date, DATE_LEN - 3)); /* without GMT */
    buf_add(out, LIT("+0000\r\n"));
}

static void add_multipart(struct buf *out, const char *kind, const struct boundary *b) {
    buf_printf(out, "Content-Type: multipart/%s;\r\n boundary=\"%s\"\r\n\r\n", kind, b->text);
}

/* A text with the head of its part. */
static void add_text(struct buf *out, const char *kind, struct slice text) {
    size_t quoted = mime_quoted_printable_size(text);
    bool base64 =
        quoted > BASE64_LEN(text.len) + text.len / 57 * 2 + 64; /* a little more is worth being read by people */
    buf_printf(out, "Content-Type: text/%s; charset=utf-8\r\nContent-Transfer-Encoding: %s\r\n\r\n", kind,
               base64 ? "base64" : "quoted-printable");
    if (!base64) {
        mime_add_quoted_printable(out, text);
        return;
    }
    /* In canonical form: CR LF at every line's end (RFC 2046 4.1.1). */
    struct buf lines;
    buf_init(&lines, LIMIT_MIME_TEXT);
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        bool pair = c == '\r' && i + 1 < text.len && text.ptr[i + 1] == '\n';
        if (c == '\r' || c == '\n')
            buf_add(&lines, LIT("\r\n"));
        else
            buf_byte(&lines, c);
        i += pair;
    }
    mime_add_base64(out, buf_slice(&lines));
    if (!buf_ok(&lines)) out->fault = lines.fault;
    buf_release(&lines);
}

static void add_bodies(struct buf *out, const struct mime_message *msg) {
    if (!msg->html.len) {
        add_text(out, "plain", msg->text);
        return;
    }
    struct boundary b = make_boundary();
    add_multipart(out, "alternative", &b);
    buf_printf(out, "--%s\r\n", b.text);
    add_text(out, "plain", msg->text);
    buf_printf(out, "\r\n--%s\r\n", b.text);
    add_text(out, "html", msg->html);
    buf_printf(out, "\r\n--%s--\r\n", b.text);
}

/* Ends the part at hand here; `at` is where it began. Places become pointers when the text moves no more. */
static void end_part(struct mime *m, size_t *at) {
    m->parts[m->part_n++] = (struct source_part){.bytes = {NULL, m->text.len - *at}};
    *at = m->text.len;
}

static void add_attachment(struct mime *m, const struct mime_attachment *a, size_t *at) {
    buf_add(&m->text, LIT("Content-Type: "));
    buf_add(&m->text, a->type.len ? a->type : LIT("application/octet-stream"));
    buf_add(&m->text, LIT("\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment"));
    mime_add_parameter(&m->text, "filename", a->name);
    buf_add(&m->text, LIT("\r\n\r\n"));
    if (!a->file.disk) {
        mime_add_base64(&m->text, a->bytes);
        return;
    }
    end_part(m, at);
    m->parts[m->part_n++] = (struct source_part){.file = a->file, .base64 = true};
}

static void add_message(struct mime *m, const struct mime_message *msg, const uint8_t date[DATE_LEN], size_t *at) {
    struct buf *out = &m->text;
    mime_add_mailboxes(out, "From", &msg->from, 1);
    if (msg->reply_to.address.len) mime_add_mailboxes(out, "Reply-To", &msg->reply_to, 1);
    if (msg->to_n) mime_add_mailboxes(out, "To", msg->to, msg->to_n);
    if (msg->cc_n) mime_add_mailboxes(out, "Cc", msg->cc, msg->cc_n);
    if (msg->subject.len) mime_add_text_field(out, "Subject", msg->subject);
    add_date(out, date);
    buf_add(out, LIT("Message-ID: <"));
    buf_add(out, msg->message_id);
    buf_add(out, LIT(">\r\n"));
    if (msg->automatic) buf_add(out, LIT("Auto-Submitted: auto-generated\r\n"));
    buf_add(out, LIT("MIME-Version: 1.0\r\n"));
    if (!msg->attachment_n) {
        add_bodies(out, msg);
        return;
    }
    struct boundary b = make_boundary();
    add_multipart(out, "mixed", &b);
    buf_printf(out, "--%s\r\n", b.text);
    add_bodies(out, msg);
    for (size_t i = 0; i < msg->attachment_n; i++) {
        buf_printf(out, "\r\n--%s\r\n", b.text);
        add_attachment(m, &msg->attachments[i], at);
    }
    buf_printf(out, "\r\n--%s--\r\n", b.text);
}

bool mime_write(struct mime *m, const struct mime_message *msg, struct err *e) {
    uint8_t date[DATE_LEN];
    size_t at = 0;
    *m = (struct mime){0};
    buf_init(&m->text, LIMIT_MIME_TEXT);
    if (!check(m, msg, e)) return false;
    if (!date_write(msg->date, date)) return err_set(e, ERR_INVALID, "want a date in the years 1 to 9999");
    m->part_cap = 2 * msg->attachment_n + 1;
    m->parts = mem_get(m->part_cap * sizeof *m->parts);
    if (!m->parts) return err_nomem(e, "a mail");
    add_message(m, msg, date, &at);
    end_part(m, &at);
    if (buf_ok(&m->text)) {
        at = 0;
        for (size_t i = 0; i < m->part_n; i++) {
            if (m->parts[i].file.disk) continue;
            m->parts[i].bytes.ptr = m->text.ptr + at;
            at += m->parts[i].bytes.len;
        }
        return true;
    }
    bool over = m->text.fault == BUF_OVER;
    mime_release(m);
    return over ? err_limit(e, "LIMIT_MIME_TEXT", LIMIT_MIME_TEXT, ERR_NOWHERE) : err_nomem(e, "a mail");
}

void mime_release(struct mime *m) {
    mem_put(m->parts, m->part_cap * sizeof *m->parts);
    m->parts = NULL;
    m->part_n = m->part_cap = 0;
    buf_release(&m->text);
}
